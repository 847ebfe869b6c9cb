//! Signatures as files: `statements/<sha>.json`, and the `sig.json` files of a change.
//!
//! Both are read back into a [`Signature`], which exists only if it verifies.

use super::names::Place;
use crate::ceremony::carry::code::KeyBegin;
use crate::ceremony::change::{Ask, Change, Item};
use crate::ceremony::members::{Reader, same_bytes};
use crate::ceremony::rules::RECORD_MEMBER;
use crate::record::rules;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::key::{KeyIdentity, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Statement;
use crate::tuf::verify::{Signature, from_sign_form, sign_form};
use crate::tuf::wire;
use base64ct::{Base64, Encoding};

/// A statement with one signature that verified. Whether it counts is another question
/// ([`Contents::statements`](super::Contents)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    public: PublicKey,
    signature: Signature,
}

impl SignedStatement {
    /// A statement and the signature of `public` over it.
    ///
    /// # Errors
    ///
    /// `SIGNATURE-WRONG` if the signature is over something else, by another key or in another way
    /// than statements are signed.
    pub fn new(statement: Statement, public: PublicKey, signature: &Signature) -> Result<Self> {
        let payload = Payload::Statement(statement.clone());
        let scheme = Scheme::of(public.algorithm());
        let signature = Signature::check(&public, scheme, &payload, signature.raw())?;
        Ok(Self { statement, public, signature })
    }

    /// Reads a file and verifies its signature.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `STATEMENT-FORM`, `STATEMENT-KIND`, `SIGNATURE-FORM`,
    /// `SIGNATURE-WRONG`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut fields = Reader::file("the statement's file", &json)?;
        let statement = Statement::from_bytes(&fields.take("statement")?.canonical())?;
        let public = public(fields.text("spki")?)?;
        let scheme = Scheme::of(public.algorithm());
        let raw = from_sign_form(scheme, fields.text("sig")?)?;
        fields.done()?;
        let signature = Signature::check(&public, scheme, &Payload::Statement(statement.clone()), &raw)?;
        let signed = Self { statement, public, signature };
        same_bytes("the statement's file", bytes, &signed.to_json()?)?;
        Ok(signed)
    }

    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// `SIGNATURE-FORM`, which a signature that verified never meets.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(object([
            ("format", 1.into()),
            ("sig", sign_form(self.signature.scheme(), self.signature.raw())?.into()),
            ("spki", Base64::encode_string(self.public.spki_der()).into()),
            ("statement", Json::parse(self.statement.bytes())?),
        ])
        .canonical())
    }

    /// SHA-256 of the file.
    ///
    /// # Errors
    ///
    /// As [`Self::to_json`].
    pub fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&self.to_json()?))
    }

    /// What was signed.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who signed.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

fn public(spki: &str) -> Result<PublicKey> {
    let der = Base64::decode_vec(spki)
        .map_err(|_| Refusal::new(&RECORD_MEMBER, "an spki that is no base64", "base64 of DER"))?;
    PublicKey::from_spki_der(&der)
}

/// The file of one signature over one of a change's payloads: `<payload sha>.<sha>.sig.json`.
///
/// # Errors
///
/// `RECORD-REST` if the change has no such payload, or doesn't ask this key; `SIGNATURE-FORM`.
pub fn signature_file(change: &Change, profile: Profile, signature: &Signature) -> Result<Vec<u8>> {
    let sig = signature_bytes(change, profile, signature)?;
    Ok(file_of(change, &signature.payload(), &signature.key(), &sig))
}

/// The bytes of `sig` in the file of a signature: what a code carries of it.
///
/// # Errors
///
/// As [`signature_file`].
pub fn signature_bytes(change: &Change, profile: Profile, signature: &Signature) -> Result<Vec<u8>> {
    let (item, _) = asked(change, &signature.payload(), &signature.key())?;
    if let Item::Statement { .. } = item {
        let sig = sign_form(signature.scheme(), signature.raw())?;
        return base16ct::lower::decode_vec(sig).map_err(|_| {
            Refusal::new(&RECORD_MEMBER, "a sig that is no lower-case hexadecimal", "hexadecimal")
        });
    }
    wire::signature_to_wire(profile, signature.scheme(), signature.raw())
}

/// The file of a signature that came in a code, with its path; nothing of it is verified.
///
/// # Errors
///
/// `RECORD-REST` if the change has no such item, or asks no key, or several, of this beginning.
pub fn signature_of_code(change: &Change, item: u8, key: KeyBegin, sig: &[u8]) -> Result<(String, Vec<u8>)> {
    let odd =
        |found: String| Refusal::new(&rules::RECORD_REST, found, "what the change asks one key to sign");
    let found = change.items.get(usize::from(item));
    let (item, payload) = found
        .and_then(|item| Some((item, item.payload_digest()?)))
        .ok_or_else(|| odd(format!("a signature of item {item}")))?;
    let asked = item.asked().iter().map(|ask| ask.public.identity());
    let keys: Vec<_> = asked.filter(|identity| KeyBegin::of(identity) == key).collect();
    let [identity] = keys.as_slice() else {
        return Err(odd(format!("a signature of a key {}...", key.hex())));
    };
    let file = file_of(change, &payload, identity, sig);
    let place = Place::Signature(change.digest(), payload, Digest::of(&file));
    Ok((place.path().join("/"), file))
}

fn file_of(change: &Change, payload: &Digest, key: &KeyIdentity, sig: &[u8]) -> Vec<u8> {
    object([
        ("change", change.digest().hex().into()),
        ("format", 1.into()),
        ("identity", key.to_string().into()),
        ("payload", payload.hex().into()),
        ("sig", base16ct::lower::encode_string(sig).into()),
    ])
    .canonical()
}

/// Reads the file of a signature and verifies it over the change's payload, by the key and in the
/// way that the change asks.
///
/// # Errors
///
/// `RECORD-FORMAT`, `RECORD-MEMBER`; `RECORD-REST` as [`signature_file`]; `RECORD-OTHER` if it is
/// for another change; `SIGNATURE-FORM`, `SIGNATURE-WRONG`.
pub fn read_signature(change: &Change, profile: Profile, bytes: &[u8]) -> Result<Signature> {
    let json = Json::parse(bytes)?;
    let mut fields = Reader::file("the signature's file", &json)?;
    let named: Digest = fields.parsed("change")?;
    let payload: Digest = fields.parsed("payload")?;
    let identity: KeyIdentity = fields.parsed("identity")?;
    let sig = fields.text("sig")?;
    fields.done()?;
    if named != change.digest() {
        return Err(Refusal::new(
            &rules::RECORD_OTHER,
            format!("a signature for the change {named}"),
            format!("the change {} in whose folder it is", change.digest()),
        ));
    }
    let (item, ask) = asked(change, &payload, &identity)?;
    let raw = if let Item::Statement { .. } = item {
        from_sign_form(ask.scheme, sig)?
    } else {
        let wire = base16ct::lower::decode_vec(sig).map_err(|_| {
            Refusal::new(&RECORD_MEMBER, "a sig that is no lower-case hexadecimal", "hexadecimal")
        })?;
        wire::signature_from_wire(profile, ask.scheme, &wire)?
    };
    let Some(payload) = item.payload() else { return Err(unasked(&payload, &identity)) };
    let signature = Signature::check(&ask.public, ask.scheme, &payload, &raw)?;
    same_bytes("the signature's file", bytes, &signature_file(change, profile, &signature)?)?;
    Ok(signature)
}

/// The item with this payload, and how it asks this key.
fn asked<'a>(change: &'a Change, payload: &Digest, key: &KeyIdentity) -> Result<(&'a Item, &'a Ask)> {
    change
        .items
        .iter()
        .filter(|item| item.payload_bytes().is_some_and(|bytes| Digest::of(bytes) == *payload))
        .find_map(|item| Some((item, item.asked().iter().find(|ask| ask.public.identity() == *key)?)))
        .ok_or_else(|| unasked(payload, key))
}

fn unasked(payload: &Digest, key: &KeyIdentity) -> Refusal {
    Refusal::new(
        &rules::RECORD_REST,
        format!("a signature of the key {key} over the payload {payload}"),
        "a payload of the change, and a key that it asks for it",
    )
}
