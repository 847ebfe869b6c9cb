//! Documents as bytes: reading what others wrote, writing what we make, in a profile.
//!
//! What others signed is verified over the canonical form of the JSON as received, and is never
//! written again. Real writers depart from the specification; where the bytes still verify, that
//! is a [`Quirk`] with a name, kept and shown, never a refusal. What we write has one form, byte
//! for byte, and is read back before anyone sees it.
//!
//! Never: a key id believed, a member dropped, a document of ours with a quirk of our own making.

mod fields;
mod memo;
pub(in crate::tuf) mod notary;
pub(in crate::tuf) mod ours;
mod plain;
mod quirk;
pub(in crate::tuf) mod read;
mod roles;
mod tuf1;
pub(in crate::tuf) mod write;

pub(in crate::tuf) use memo::KeyMemo;
pub use ours::breaks_stock_client;
pub(in crate::tuf) use plain::listed;
pub use quirk::Quirk;
pub use tuf1::SPEC_VERSION;

use super::apart::{self, Frame};
use super::bytes;
use super::digest::Digest;
use super::document::{Document, DocumentKey, Keys};
use super::evidence::Checks;
use super::halves::beside;
use super::json::{self, Json};
use super::key::{Algorithm, KeyId, PublicKey, Scheme};
use super::payload::{MetadataPayload, Places, Span};
use super::profile::Profile;
use super::role::RoleName;
use super::rule::{Refusal, Result};
use super::rules;
use super::verify::{self, Signature};
use fields::Fields;
pub(in crate::tuf) use fields::Quirks;
use roles::{Form, Roles};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// One entry of a document's `signatures`, believed in nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireSignature {
    /// The declared id of the key.
    pub keyid: KeyId,
    /// Profile `notary`: how it signs, in lower case.
    pub method: Option<String>,
    /// The bytes, decoded from hexadecimal or base64; none if that failed: kept, never counts.
    pub bytes: Option<Vec<u8>>,
}

/// A document's file, read: payload, signatures, quirks. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: MetadataPayload,
    signatures: Vec<WireSignature>,
    bytes: Arc<Vec<u8>>,
    quirks: Vec<Quirk>,
    known: Known,
}

/// What is known ahead of an envelope's signatures; says nothing of which document it is.
#[derive(Debug, Clone, Default)]
struct Known(Checks);

impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

impl Envelope {
    fn of(
        payload: MetadataPayload,
        signatures: Vec<WireSignature>,
        bytes: Arc<Vec<u8>>,
        mut quirks: Quirks,
    ) -> Self {
        quirks.extend(payload.quirks());
        let quirks = quirks.into_iter().collect();
        Self { payload, signatures, bytes, quirks, known: Known::default() }
    }

    /// What is signed.
    pub const fn payload(&self) -> &MetadataPayload {
        &self.payload
    }

    /// Its signatures, in the file's order.
    pub fn signatures(&self) -> &[WireSignature] {
        &self.signatures
    }

    /// The whole file, as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it departs from what keyrite writes; sorted, each once.
    pub fn quirks(&self) -> &[Quirk] {
        &self.quirks
    }

    /// Which of its signatures were checked already, for [`super::evidence`].
    pub(in crate::tuf) const fn known(&self) -> &Checks {
        &self.known.0
    }

    /// Keeps what [`super::evidence`] found out about this very envelope.
    pub(in crate::tuf) fn keep(&mut self, known: Checks) {
        self.known = Known(known);
    }
}

/// Reads a document's file as real writers have them.
///
/// # Errors
///
/// `JSON`, `DOCUMENT-FORM`, `DOCUMENT-TYPE`, `THRESHOLD-RANGE`, `SPEC-VERSION`, `DATE`.
pub fn parse(profile: Profile, role: &RoleName, bytes: &[u8]) -> Result<Envelope> {
    parse_with(&mut KeyMemo::new(profile), role, bytes)
}

/// [`parse`] in the memo's profile, for [`super::bulk`]: keys that it has seen are not decoded again.
pub(in crate::tuf) fn parse_with(memo: &mut KeyMemo, role: &RoleName, bytes: &[u8]) -> Result<Envelope> {
    read_file(memo, role, bytes).map_err(|e| e.at(role))
}

fn read_file(memo: &mut KeyMemo, role: &RoleName, bytes: &[u8]) -> Result<Envelope> {
    let profile = memo.profile();
    let parse = || apart::parse(bytes, 0, within(role, &apart::IN_FILE));
    let copy = || Arc::new(bytes.to_vec());
    let (parsed, (whole, hashed)) = if bytes.len() < LARGE {
        (parse(), (copy(), None))
    } else {
        beside(parse, || (copy(), last(bytes).map(|part| (part, Digest::of(part)))))
    };
    let (file, items) = parsed?;
    let mut fields = Fields::of(file)?;
    let signed = Json::Object(fields.object("signed")?);
    let mut others = Quirks::new();
    let signatures = read_signatures(profile, fields, &mut others)?;
    let frame = Frame::of(&signed, within(role, &apart::ROLES));
    let mut quirks = Quirks::new();
    let mut roles = items.map(Roles::of);
    let document = read::document(memo, role, signed, roles.as_mut(), &mut quirks)?;
    let forms = roles.map(Roles::forms).unwrap_or_default();
    let places = places(&frame, &forms);
    let signed = span_of(&frame, &forms, &whole);
    let hashed = hashed.filter(|(part, _)| *part == signed.bytes()).map(|(_, digest)| digest);
    let digest = hashed.unwrap_or_else(|| Digest::of(signed.bytes()));
    let signed = (signed, digest);
    let payload = MetadataPayload::parsed(profile, role.clone(), signed, document, quirks, places);
    Ok(Envelope::of(payload, signatures, whole, others))
}

/// Where the delegations of a document stand in its payload.
fn places(frame: &Frame, forms: &[Form<'_>]) -> Places {
    Places::of(frame.places(forms).zip(forms.iter().map(|form| form.plain)))
}

/// What of a file is its signed part where that is the last member and all in canonical form, as in
/// nearly all of them. It is a guess, to be held against what reading finds.
fn last(file: &[u8]) -> Option<&[u8]> {
    const MEMBER: &[u8] = b",\"signed\":";
    let begin = file.get(..file.len().min(64 * 1024))?;
    let at = begin.windows(MEMBER.len()).position(|there| there == MEMBER)?;
    file.get(at.checked_add(MEMBER.len())?..)?.strip_suffix(b"}")
}

/// Bytes of a document of which two things are done at once.
const LARGE: usize = 256 * 1024;

/// Where a document has its delegations, if it is of a role that can have any.
const fn within<'p>(role: &RoleName, place: &'p [&'p str]) -> &'p [&'p str] {
    match role {
        RoleName::Targets | RoleName::Delegated(_) => place,
        RoleName::Root | RoleName::Snapshot | RoleName::Timestamp => &[],
    }
}

/// The signatures of a file without its signed part.
fn read_signatures(profile: Profile, mut fields: Fields, quirks: &mut Quirks) -> Result<Vec<WireSignature>> {
    let mut signatures = Vec::new();
    for item in fields.array("signatures")? {
        signatures.push(read_signature(profile, item, quirks)?);
    }
    fields.finish(quirks);
    let mut ids: Vec<_> = signatures.iter().map(|s| &s.keyid).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair.first() == pair.last()) {
        quirks.insert(Quirk::SignatureTwice);
    }
    Ok(signatures)
}

/// The canonical bytes of the signed part: most files hold them as they are, before or after the
/// signatures, and then they are kept once.
fn span_of(frame: &Frame, forms: &[Form<'_>], file: &Arc<Vec<u8>>) -> Span {
    const FIRST: &[u8] = b"{\"signed\":";
    let long = frame.filled_len(forms);
    let after = file.starts_with(FIRST).then_some(FIRST.len());
    let last = file.strip_suffix(b"}").and_then(|rest| rest.len().checked_sub(long));
    let place = |from: usize| Some(from..from.checked_add(long)?);
    let mut places = [after, last].into_iter().flatten().filter_map(place);
    let there = |place: &Range<usize>| file.get(place.clone()).is_some_and(|at| frame.filled_is(forms, at));
    match places.find(there) {
        Some(place) => Span::within(Arc::clone(file), place),
        None => Span::all(frame.filled(forms)),
    }
}

fn read_signature(profile: Profile, item: Json, quirks: &mut Quirks) -> Result<WireSignature> {
    let mut fields = Fields::of(item).map_err(|e| e.at("signatures"))?;
    let keyid = KeyId::declared(&fields.text("keyid").map_err(|e| e.at("signatures"))?);
    let sig = fields.text("sig").map_err(|e| e.at("signatures"))?;
    let (method, bytes) = match profile {
        Profile::Tuf => (None, tuf1::from_hex(&sig)),
        // Go lowers the method's case before it looks for a verifier.
        Profile::Notary => (fields.text("method").ok().map(|m| m.to_lowercase()), notary::from_base64(&sig)),
    };
    if sig.is_empty() {
        quirks.insert(Quirk::SignatureEmpty);
    } else if bytes.is_none() {
        quirks.insert(Quirk::SignatureForm);
    }
    fields.finish(quirks);
    Ok(WireSignature { keyid, method, bytes })
}

/// Reads one of our own payload files: canonical, and as [`super::make`] makes them.
///
/// # Errors
///
/// `PAYLOAD-FORM` if the bytes are not canonical; else as [`parse`] and [`super::make`].
pub fn read_payload(profile: Profile, role: &RoleName, bytes: &[u8]) -> Result<MetadataPayload> {
    read_next(profile, role, bytes.to_vec(), None)
}

/// [`read_payload`] of what may be the next version of another: delegations whose text is byte for byte
/// the same in both are not read a second time.
///
/// # Errors
///
/// As [`read_payload`].
pub(in crate::tuf) fn read_next(
    profile: Profile,
    role: &RoleName,
    bytes: Vec<u8>,
    before: Option<&MetadataPayload>,
) -> Result<MetadataPayload> {
    let mut quirks = Quirks::new();
    // What is the same text in another profile means something else.
    let before = before.filter(|before| before.profile() == profile);
    let mut read = || read_ours(profile, role, &bytes, before, &mut quirks);
    let digest = || Digest::of(&bytes);
    let (read, digest) = if bytes.len() < LARGE { (read(), digest()) } else { beside(read, digest) };
    let (document, places) = read.map_err(|e| e.at(role))?;
    let signed = (Span::all(bytes), digest);
    Ok(MetadataPayload::parsed(profile, role.clone(), signed, document, quirks, places))
}

fn read_ours(
    profile: Profile,
    role: &RoleName,
    bytes: &[u8],
    before: Option<&MetadataPayload>,
    quirks: &mut Quirks,
) -> Result<(Document, Places)> {
    let text = escaped(bytes);
    // One deep, as it will stand in its file.
    let (signed, items) = apart::parse(&text, 1, within(role, &apart::ROLES))?;
    let frame = Frame::of(&signed, within(role, &apart::ROLES));
    if items.is_none() {
        canonical_is(frame.filled_is::<&[u8]>(&[], bytes))?;
    }
    ours::check_json(profile, &signed)?;
    let mut roles = items.map(|items| Roles::ours(items, before));
    let document = read::document(&mut KeyMemo::new(profile), role, signed, roles.as_mut(), quirks)?;
    let mut at = Places::default();
    if let Some(roles) = roles {
        let forms = roles.forms();
        canonical_is(frame.filled_is(&forms, bytes))?;
        at = places(&frame, &forms);
    }
    ours::check_document(profile, role, &document, quirks)?;
    Ok((document, at))
}

fn canonical_is(it: bool) -> Result<()> {
    let refuse = || {
        Refusal::new(&rules::PAYLOAD_FORM, "bytes that are not canonical JSON", "canonical JSON (TUF 4.1)")
    };
    if it { Ok(()) } else { Err(refuse()) }
}

/// The JSON of canonical bytes. They are no JSON for other parsers where a string has a line end,
/// as PEM keys do, so those are escaped first.
pub(in crate::tuf) fn from_canonical(bytes: &[u8]) -> Result<Json> {
    let json = Json::parse(&escaped(bytes))?;
    canonical_is(json.is_canonically(bytes))?;
    Ok(json)
}

/// The JSON of a payload, whose bytes are canonical since it was read.
pub(in crate::tuf) fn json_of(payload: &MetadataPayload) -> Result<Json> {
    Json::parse(&escaped(payload.bytes()))
}

/// [`escape`] where there is anything to escape, which hardly any document has.
pub(in crate::tuf) fn escaped(canonical: &[u8]) -> Cow<'_, [u8]> {
    if bytes::controls(canonical) { Cow::Owned(escape(canonical, false)) } else { Cow::Borrowed(canonical) }
}

/// Canonical bytes as JSON that any parser takes: control characters escaped, and with `go` the
/// five characters that Go's encoder escapes (notary-v1 3.6).
fn escape(canonical: &[u8], go: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(canonical.len());
    let mut rest = canonical;
    let special = |byte: &u8| *byte < 0x20 || go && matches!(*byte, b'<' | b'>' | b'&' | 0xe2);
    loop {
        let plain = rest.iter().position(special).unwrap_or(rest.len());
        let (run, from) = rest.split_at(plain);
        out.extend_from_slice(run);
        rest = from;
        let Some((first, tail)) = rest.split_first() else { break };
        let (text, used): (&[u8], usize) = match (*first, go) {
            (b'\n', _) => (b"\\n", 1),
            (b'\r', _) => (b"\\r", 1),
            (b'\t', _) => (b"\\t", 1),
            (b'<', true) => (b"\\u003c", 1),
            (b'>', true) => (b"\\u003e", 1),
            (b'&', true) => (b"\\u0026", 1),
            (0xe2, true) if rest.starts_with("\u{2028}".as_bytes()) => (b"\\u2028", 3),
            (0xe2, true) if rest.starts_with("\u{2029}".as_bytes()) => (b"\\u2029", 3),
            (control, _) if control < 0x20 => {
                out.extend(format!("\\u{control:04x}").into_bytes());
                rest = tail;
                continue;
            }
            (other, _) => {
                out.push(other);
                rest = tail;
                continue;
            }
        };
        out.extend_from_slice(text);
        rest = rest.get(used..).unwrap_or_default();
    }
    out
}

/// The file of a payload with its signatures, byte for byte as the profile demands.
///
/// `keys` are the entries that the role lists in every document that gives its signers ids: in
/// its delegator, for a root in itself, in its base and in historic ones. A signature is written
/// once under every id that `keys` gives its public key, sorted by id.
///
/// # Errors
///
/// `SEAL` if a signature is over another payload, of no listed key, or of another scheme;
/// `NOTARY-BYTES` if a Notary server would write the file otherwise.
pub fn seal(payload: &MetadataPayload, keys: &Keys, signatures: &[Signature]) -> Result<Vec<u8>> {
    let profile = payload.profile();
    let digest = payload.digest();
    let mut written: std::collections::BTreeMap<&KeyId, WireSignature> = std::collections::BTreeMap::new();
    for signature in signatures {
        let whose = format!("a signature of {} by {}", signature.key(), signature.scheme());
        if signature.payload() != digest {
            return Err(Refusal::new(
                &rules::SEAL,
                format!("{whose} over the payload {}", signature.payload()),
                format!("signatures over the payload {digest}"),
            ));
        }
        let ids = keys.values().filter(|k| {
            k.scheme == Some(signature.scheme())
                && k.public.as_ref().is_some_and(|p| p.identity() == signature.key())
        });
        let bytes = signature_to_wire(profile, signature.scheme(), signature.raw())?;
        let mut listed = false;
        for key in ids {
            listed = true;
            let method = match profile {
                Profile::Tuf => None,
                Profile::Notary => Some(notary::method(signature.scheme()).to_owned()),
            };
            let entry = WireSignature { keyid: key.id.clone(), method, bytes: Some(bytes.clone()) };
            written.entry(&key.id).or_insert(entry);
        }
        if !listed {
            return Err(Refusal::new(&rules::SEAL, whose, "signatures of keys that a document lists so"));
        }
    }
    let signatures: Vec<_> = written.into_values().collect();
    file(payload, &signatures)
}

/// The file of a payload that nobody has signed yet, as a reader has it: what [`seal`] makes of no
/// signatures.
///
/// # Errors
///
/// As [`seal`].
pub fn unsigned(payload: &MetadataPayload) -> Result<Envelope> {
    Ok(Envelope::of(payload.clone(), Vec::new(), Arc::new(file(payload, &[])?), Quirks::new()))
}

/// Writes the file, and reads it back: its signatures as JSON, and its signed part, which in canonical
/// form has to be the payload byte for byte. What the payload's view says follows from those bytes,
/// and where the file holds them as they are they have been read already.
fn file(payload: &MetadataPayload, signatures: &[WireSignature]) -> Result<Vec<u8>> {
    let profile = payload.profile();
    let around = |signed: &[u8]| match profile {
        Profile::Tuf => tuf1::file(signed, signatures),
        Profile::Notary => notary::file(signed, signatures),
    };
    let bytes = around(payload.bytes());
    if profile == Profile::Notary {
        poisonous(&bytes)?;
    }
    let written = match profile {
        Profile::Tuf => escaped(payload.bytes()),
        Profile::Notary => escape(payload.bytes(), true).into(),
    };
    let as_it_is = matches!(written, Cow::Borrowed(_)) || *written == *payload.bytes();
    let (same, rest) = if as_it_is {
        let stand_in = json::canonical_member(&around(b"0"), "signed")?;
        (stand_in.0 == b"0", stand_in.1)
    } else {
        let (signed, rest) = json::canonical_member(&bytes, "signed")?;
        (signed == payload.bytes(), rest)
    };
    let mut beside = Quirks::new();
    let again = read_signatures(profile, Fields::of(rest)?, &mut beside).map_err(|e| e.at(payload.role()))?;
    if same && again == signatures && beside.is_empty() {
        Ok(bytes)
    } else {
        Err(Refusal::new(&rules::SEAL, "a file that reads back otherwise", "what was signed"))
    }
}

/// A key as we write it: entry, computed id, scheme. `certificate` is one PEM block with LF line
/// ends and a final newline, in profile `notary` only.
///
/// # Errors
///
/// `KEY-PROFILE` for a certificate in profile `tuf` or of an Ed25519 key, `KEY-FORM` if it is for
/// another key or has another form.
pub fn key_entry(profile: Profile, public: &PublicKey, certificate: Option<&str>) -> Result<DocumentKey> {
    let entry = match (profile, certificate) {
        (Profile::Tuf, None) => tuf1::write_key(public)?,
        (Profile::Tuf, Some(_)) => {
            return Err(Refusal::new(
                &rules::KEY_PROFILE,
                "a certificate in profile tuf",
                "a key without one",
            ));
        }
        (Profile::Notary, certificate) => {
            if let Some(pem) = certificate {
                one_certificate(public, pem)?;
            }
            notary::write_key(public, certificate)?
        }
    };
    let id = KeyId::computed(&entry);
    let mut quirks = Quirks::new();
    let key = match profile {
        Profile::Tuf => tuf1::read_key(id, entry, &mut quirks),
        Profile::Notary => notary::read_key(id, entry, &mut quirks),
    };
    let same = key.public.as_ref() == Some(public) && key.id_matches() && quirks.is_empty();
    if same && key.scheme == Some(scheme(profile, public)) {
        Ok(key)
    } else {
        Err(Refusal::new(&rules::KEY_FORM, "a key that reads back otherwise", "the key that was written"))
    }
}

fn one_certificate(public: &PublicKey, text: &str) -> Result<()> {
    let refuse = |found: &str| {
        Refusal::new(
            &rules::KEY_FORM,
            found,
            "one PEM certificate of the key, LF line ends, final newline: Notary computes the key id over it",
        )
    };
    let block = pem::parse(text).map_err(|_| refuse("a certificate that is no PEM"))?;
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    if pem::encode_config(&block, config) != text {
        return Err(refuse("a certificate in another PEM form"));
    }
    if PublicKey::from_pem(text)? == *public { Ok(()) } else { Err(refuse("a certificate of another key")) }
}

/// How a key signs documents in a profile.
pub fn scheme(profile: Profile, public: &PublicKey) -> Scheme {
    match (profile, Scheme::of(public.algorithm())) {
        (Profile::Notary, Scheme::EcdsaP384Sha384) => Scheme::EcdsaP384Sha256,
        (_, scheme) => scheme,
    }
}

/// A signature as the profile has it: ECDSA as DER in `tuf`, as r‖s in `notary`; others as they are.
///
/// # Errors
///
/// `SIGNATURE-FORM` if it is no signature of that scheme.
pub fn signature_to_wire(profile: Profile, scheme: Scheme, raw: &[u8]) -> Result<Vec<u8>> {
    match (profile, scheme.algorithm()) {
        (Profile::Tuf, Algorithm::EcdsaP256 | Algorithm::EcdsaP384) => verify::ecdsa_to_der(raw),
        _ => Ok(raw.to_vec()),
    }
}

/// The reverse of [`signature_to_wire`].
///
/// # Errors
///
/// `SIGNATURE-FORM` as above.
pub fn signature_from_wire(profile: Profile, scheme: Scheme, bytes: &[u8]) -> Result<Vec<u8>> {
    match (profile, scheme.algorithm()) {
        (Profile::Tuf, algorithm @ (Algorithm::EcdsaP256 | Algorithm::EcdsaP384)) => {
            verify::ecdsa_from_der(bytes, algorithm)
        }
        _ => Ok(bytes.to_vec()),
    }
}

/// Refuses a file that a Notary server would hash differently from what it serves: it makes the
/// snapshot over its own re-serialisation, answers 200, and no client can read the collection any
/// more (notary-v1 3.6).
///
/// # Errors
///
/// `NOTARY-BYTES` with the first difference.
pub fn poisonous(bytes: &[u8]) -> Result<()> {
    notary::refuse_poison(bytes)
}
