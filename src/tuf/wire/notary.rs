//! Profile `notary`: Notary v1, byte for byte as its Go code writes it (notary-v1 3).
//!
//! A Notary server that makes the snapshot hashes its own re-serialisation of what it parsed, and
//! serves the bytes that were uploaded. Where the two differ it answers 200 and no client can read
//! the collection any more. So there is one form only: `signed` before `signatures`, `keyid`,
//! `method`, `sig` in that order, exactly the known members, and the five characters that Go
//! escapes escaped on the wire and raw in what is signed. [`refuse_poison`] compares.

use super::fields::{Fields, Quirks};
use super::{Quirk, WireSignature, escape};
use crate::tuf::document::DocumentKey;
use crate::tuf::json::{Json, Members, object};
use crate::tuf::key::{Algorithm, KeyId, PublicKey, Scheme};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::text::visible;
use base64ct::{Base64, Encoding as _};

/// The entry of a key as we write it; in a certificate, the PEM text is what is encoded.
pub(super) fn write_key(public: &PublicKey, certificate: Option<&str>) -> Result<Json> {
    let (keytype, bytes) = match (public.algorithm(), certificate) {
        (Algorithm::EcdsaP256 | Algorithm::EcdsaP384, Some(pem)) => ("ecdsa-x509", pem.as_bytes().to_vec()),
        (Algorithm::Rsa, Some(pem)) => ("rsa-x509", pem.as_bytes().to_vec()),
        (Algorithm::Ed25519, Some(_)) => {
            return Err(Refusal::new(
                &rules::KEY_PROFILE,
                "a certificate of an Ed25519 key",
                "ECDSA or RSA: Notary reads no other certificate",
            ));
        }
        (Algorithm::EcdsaP256 | Algorithm::EcdsaP384, None) => ("ecdsa", public.spki_der().to_vec()),
        (Algorithm::Rsa, None) => ("rsa", public.spki_der().to_vec()),
        (Algorithm::Ed25519, None) => ("ed25519", public.raw()?),
    };
    Ok(normal_key(keytype, &Base64::encode_string(&bytes)))
}

/// What a key's id is computed over, whatever else its entry holds (notary-v1 3.5).
fn normal_key(keytype: &str, public: &str) -> Json {
    object([
        ("keytype", keytype.into()),
        ("keyval", object([("private", Json::Null), ("public", public.into())])),
    ])
}

/// A key entry of any writer. One that can't be understood is kept without a public key.
pub(super) fn read_key(id: KeyId, entry: Json, quirks: &mut Quirks) -> DocumentKey {
    let keytype = entry.get("keytype").and_then(Json::as_str).unwrap_or_default();
    let value = entry.get("keyval").and_then(|v| v.get("public")).and_then(Json::as_str).unwrap_or_default();
    let normal = normal_key(keytype, value);
    if normal != entry {
        quirks.insert(Quirk::MemberUnknown);
    }
    let bytes = from_base64(value).unwrap_or_default();
    let mut certificate = None;
    let public = match keytype {
        "ed25519" => PublicKey::from_ed25519(&bytes).ok(),
        "ecdsa" | "rsa" => PublicKey::from_spki_der(&bytes).ok(),
        "ecdsa-x509" | "rsa-x509" => String::from_utf8(bytes).ok().and_then(|pem| {
            let public =
                PublicKey::from_pem(&pem).ok().filter(|_| pem.contains("-----BEGIN CERTIFICATE-----"));
            certificate = Some(pem);
            public
        }),
        _ => None,
    };
    let public = public.filter(|p| match p.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => keytype.starts_with("ecdsa"),
        Algorithm::Rsa => keytype.starts_with("rsa"),
        Algorithm::Ed25519 => keytype == "ed25519",
    });
    let scheme = public.as_ref().map(|p| super::scheme(crate::tuf::profile::Profile::Notary, p));
    DocumentKey { id, computed: KeyId::computed(&normal), entry, public, scheme, certificate }
}

/// The method of a scheme on the wire (notary-v1 3.5).
pub(super) const fn method(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha256 | Scheme::EcdsaP384Sha384 => "ecdsa",
        Scheme::Ed25519 => "eddsa",
        Scheme::RsaPssSha256 => "rsapss",
        Scheme::RsaPkcs1Sha256 => "rsapkcs1v15",
    }
}

/// How a signature of that method by a key of that scheme is checked; none if it can't be one.
pub(in crate::tuf) fn scheme_of(method: Option<&str>, key: Scheme) -> Option<Scheme> {
    match (method?, key) {
        ("rsapkcs1v15", Scheme::RsaPssSha256) => Some(Scheme::RsaPkcs1Sha256),
        (name, key) if name == self::method(key) => Some(key),
        _ => None,
    }
}

/// Reads padded base64; none for an empty text or anything else.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() { None } else { Base64::decode_vec(text).ok() }
}

/// Writes padded base64.
pub(in crate::tuf) fn to_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The file, in Go's order of members.
pub(super) fn file(signed: &[u8], signatures: &[WireSignature]) -> Vec<u8> {
    let mut out = b"{\"signed\":".to_vec();
    out.extend(escape(signed, true));
    out.extend_from_slice(b",\"signatures\":[");
    for (i, s) in signatures.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let text = |t: &str| escape(&Json::from(t).canonical(), true);
        out.extend_from_slice(b"{\"keyid\":");
        out.extend(text(s.keyid.as_str()));
        out.extend_from_slice(b",\"method\":");
        out.extend(text(s.method.as_deref().unwrap_or_default()));
        out.extend_from_slice(b",\"sig\":");
        out.extend(text(&Base64::encode_string(s.bytes.as_deref().unwrap_or_default())));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// A file as a Notary server writes it again from what it parsed.
pub(in crate::tuf) fn rewritten(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut fields = Fields::of(Json::parse(bytes)?)?;
    let signed = Json::Object(fields.object("signed")?);
    let mut signatures = Vec::new();
    for item in fields.array("signatures")? {
        signatures.push(super::read_signature(
            crate::tuf::profile::Profile::Notary,
            item,
            &mut Quirks::new(),
        )?);
    }
    Ok(file(&parsed_by_go(&signed)?.canonical(), &signatures))
}

/// See [`super::poisonous`].
pub(super) fn refuse_poison(bytes: &[u8]) -> Result<()> {
    let again = rewritten(bytes)?;
    let same = bytes.iter().zip(&again).take_while(|(a, b)| a == b).count();
    if same == bytes.len() && same == again.len() {
        return Ok(());
    }
    let from = same.saturating_sub(20);
    let around = |b: &[u8]| {
        let part = b.get(from..b.len().min(same.saturating_add(20))).unwrap_or_default();
        format!("\"{}\"", visible(&String::from_utf8_lossy(part)))
    };
    Err(Refusal::new(
        &rules::NOTARY_BYTES,
        format!("{} at byte {same}", around(bytes)),
        format!("{}, as Notary writes it again", around(&again)),
    ))
}

/// What Go's structures keep of a `signed` part, as they write it again (tuf/data of Notary 0.7).
///
/// # Errors
///
/// `DOCUMENT-TYPE` if `_type` is none of the four.
pub(in crate::tuf) fn parsed_by_go(signed: &Json) -> Result<Json> {
    let empty = Members::new();
    let members = signed.as_object().unwrap_or(&empty);
    let kind = signed.get("_type").and_then(Json::as_str).unwrap_or_default();
    let mut out = Members::new();
    let mut put = |name: &str, value: Json| {
        out.insert(name.to_owned(), value);
    };
    put("_type", kind.into());
    put("version", members.get("version").cloned().unwrap_or(Json::Int(0)));
    let expires = signed.get("expires").and_then(Json::as_str).unwrap_or_default();
    put("expires", go_date(expires).into());
    match kind {
        "Root" => {
            put(
                "consistent_snapshot",
                Json::Bool(signed.get("consistent_snapshot") == Some(&Json::Bool(true))),
            );
            put("keys", each(signed.get("keys"), go_key));
            put("roles", each(signed.get("roles"), |role| only(role, &["keyids", "threshold"])));
        }
        "Targets" => {
            put("targets", each(signed.get("targets"), |file| only(file, &["custom", "hashes", "length"])));
            let delegations = signed.get("delegations");
            let roles = delegations.and_then(|d| d.get("roles")).and_then(Json::as_array).unwrap_or_default();
            let roles = roles.iter().map(|role| {
                let mut role = only(role, &["keyids", "name", "paths", "threshold"]);
                if let Json::Object(members) = &mut role
                    && members.get("paths").and_then(Json::as_array).is_none_or(<[Json]>::is_empty)
                {
                    members.remove("paths");
                }
                role
            });
            let roles = Json::Array(roles.collect());
            let keys = each(delegations.and_then(|d| d.get("keys")), go_key);
            put("delegations", object([("keys", keys), ("roles", roles)]));
        }
        "Snapshot" | "Timestamp" => {
            put("meta", each(signed.get("meta"), |file| only(file, &["custom", "hashes", "length"])));
        }
        other => {
            return Err(Refusal::new(
                &rules::DOCUMENT_TYPE,
                format!("_type \"{}\"", visible(other)),
                "Root, Targets, Snapshot or Timestamp",
            ));
        }
    }
    Ok(Json::Object(out))
}

fn each(value: Option<&Json>, f: impl Fn(&Json) -> Json) -> Json {
    let members =
        value.and_then(Json::as_object).map(|m| m.iter().map(|(k, v)| (k.to_owned(), f(v))).collect());
    Json::Object(members.unwrap_or_default())
}

fn only(value: &Json, names: &[&str]) -> Json {
    let members = value.as_object().map(|all| {
        all.iter().filter(|(k, _)| names.contains(k)).map(|(k, v)| (k.to_owned(), v.clone())).collect()
    });
    Json::Object(members.unwrap_or_default())
}

fn go_key(entry: &Json) -> Json {
    let text = |v: Option<&Json>| v.and_then(Json::as_str).unwrap_or_default().to_owned();
    normal_key(&text(entry.get("keytype")), &text(entry.get("keyval").and_then(|v| v.get("public"))))
}

/// A date as Go writes it again: no trailing zeros in the fraction, `Z` for a zero offset.
fn go_date(text: &str) -> String {
    let zone = text.len().saturating_sub(6);
    let (moment, zone) = match text.strip_suffix('Z') {
        Some(moment) => (moment, "Z"),
        None => text.split_at_checked(zone).unwrap_or((text, "")),
    };
    let zone = if matches!(zone, "+00:00" | "-00:00") { "Z" } else { zone };
    let moment = match moment.split_once('.') {
        Some((seconds, fraction)) => match fraction.trim_end_matches('0') {
            "" => seconds.to_owned(),
            fraction => format!("{seconds}.{fraction}"),
        },
        None => moment.to_owned(),
    };
    format!("{moment}{zone}")
}
