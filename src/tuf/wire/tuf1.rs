//! Profile `tuf`: TUF 1.0.34 as python-tuf, tough and go-tuf read it.
//!
//! Files are `{"signatures":[…],"signed":{…}}` with sorted members and no white space; signatures
//! are hexadecimal, ECDSA as DER; ECDSA and RSA keys are PEM, Ed25519 keys hexadecimal. The key
//! type of ECDSA is written `ecdsa`, which every client reads; its scheme names the curve.

use super::fields::Quirks;
use super::{Quirk, WireSignature, escaped};
use crate::tuf::document::DocumentKey;
use crate::tuf::json::{Json, object};
use crate::tuf::key::{Algorithm, KeyId, PublicKey, Scheme};
use crate::tuf::rule::Result;

/// What our documents say in `spec_version`.
pub const SPEC_VERSION: &str = "1.0.34";

/// The schemes by their names (TUF 4.2); the last is read and never written.
const SCHEMES: [(&str, Scheme); 5] = [
    ("ecdsa-sha2-nistp256", Scheme::EcdsaP256Sha256),
    ("ecdsa-sha2-nistp384", Scheme::EcdsaP384Sha384),
    ("ed25519", Scheme::Ed25519),
    ("rsassa-pss-sha256", Scheme::RsaPssSha256),
    ("rsa-pkcs1v15-sha256", Scheme::RsaPkcs1Sha256),
];

/// The entry of a key as we write it.
pub(super) fn write_key(public: &PublicKey) -> Result<Json> {
    let scheme = Scheme::of(public.algorithm());
    let scheme = SCHEMES.iter().find(|(_, s)| *s == scheme).map_or("", |(name, _)| *name);
    let (keytype, text) = match public.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => ("ecdsa", public.spki_pem()),
        Algorithm::Rsa => ("rsa", public.spki_pem()),
        Algorithm::Ed25519 => ("ed25519", base16ct::lower::encode_string(&public.raw()?)),
    };
    Ok(object([
        ("keytype", keytype.into()),
        ("keyval", object([("public", text.into())])),
        ("scheme", scheme.into()),
    ]))
}

/// A key entry of any writer. One that can't be understood is kept without a public key.
pub(super) fn read_key(id: KeyId, entry: Json, quirks: &mut Quirks) -> DocumentKey {
    let computed = KeyId::computed(&entry);
    let text = |name: &str| entry.get(name).and_then(Json::as_str);
    let scheme = SCHEMES.iter().find(|(name, _)| text("scheme") == Some(name)).map(|(_, s)| *s);
    let value = entry.get("keyval").and_then(|v| v.get("public")).and_then(Json::as_str);
    let public = match (text("keytype"), value) {
        (Some("ed25519"), Some(value)) => from_hex(value).and_then(|raw| PublicKey::from_ed25519(&raw).ok()),
        (Some("rsa"), Some(value)) => PublicKey::from_pem(value).ok(),
        (Some(keytype @ ("ecdsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384")), Some(value)) => {
            if keytype != "ecdsa" {
                quirks.insert(Quirk::KeyTypeCurve);
            }
            match (from_hex(value), scheme) {
                (Some(point), Some(scheme)) => {
                    quirks.insert(Quirk::KeyHexPoint);
                    PublicKey::from_ec_point(scheme.algorithm(), &point).ok()
                }
                _ => PublicKey::from_pem(value).ok(),
            }
        }
        _ => None,
    };
    // A scheme of another kind of key signs nothing that this key could.
    let scheme = scheme.filter(|s| public.as_ref().is_none_or(|p| p.algorithm() == s.algorithm()));
    let known = |name: &str| matches!(name, "keytype" | "scheme" | "keyval");
    if entry.as_object().is_some_and(|members| !members.keys().all(known)) {
        quirks.insert(Quirk::MemberUnknown);
    }
    let public = if scheme.is_some() { public } else { None };
    DocumentKey { id, entry, computed, scheme: public.as_ref().and(scheme), public, certificate: None }
}

/// Reads hexadecimal in either case; none for an empty text or anything else.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() { None } else { base16ct::mixed::decode_vec(text).ok() }
}

/// The file: sorted members, no white space, and JSON that any parser takes, since canonical JSON
/// leaves line ends in PEM keys unescaped (threats T14).
pub(super) fn file(signed: &[u8], signatures: &[WireSignature]) -> Vec<u8> {
    let entry = |s: &WireSignature| {
        let sig = base16ct::lower::encode_string(s.bytes.as_deref().unwrap_or_default());
        object([("keyid", s.keyid.as_str().into()), ("sig", sig.into())])
    };
    let signatures = Json::Array(signatures.iter().map(entry).collect());
    let signatures = signatures.canonical();
    let signed = escaped(signed);
    [b"{\"signatures\":", &*signatures, b",\"signed\":", &*signed, b"}"].concat()
}
