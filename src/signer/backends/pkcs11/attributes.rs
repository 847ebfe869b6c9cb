//! What a token says of its keys: public halves and how they are kept.
//!
//! Attributes are read one by one. Modules answer a question about several with an error for all,
//! and leave out some for keys that came from elsewhere (tokens 1.1); what can't be read is
//! `unknown`, which is recorded as such and is neither yes nor no.

use crate::signer::rules;
use crate::tuf::key::{Algorithm, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use std::collections::BTreeMap;

const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// `CKA_EC_PARAMS` of Ed25519 as a name, the only form that Yubico's modules take (tokens 0.3):
/// the `PrintableString` "edwards25519".
pub(super) const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// The same as a number, 1.3.101.112 (PKCS#11 3.0 2.3.5).
pub(super) const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// `CKA_EC_PARAMS` of a curve.
pub(super) fn curve_params(algorithm: Algorithm) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::EcdsaP256 => OID_P256.to_der().ok(),
        Algorithm::EcdsaP384 => OID_P384.to_der().ok(),
        Algorithm::Ed25519 => Some(ED25519_NAME.to_vec()),
        Algorithm::Rsa => None,
    }
}

/// One attribute, if the token tells it.
pub(super) fn read(session: &Session, object: ObjectHandle, kind: AttributeType) -> Option<Attribute> {
    session.get_attributes(object, &[kind]).ok()?.pop()
}

/// `CKA_LABEL`, as text for people.
pub(super) fn label(session: &Session, object: ObjectHandle) -> Option<String> {
    match read(session, object, AttributeType::Label)? {
        Attribute::Label(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

/// `CKA_ID`.
pub(super) fn id(session: &Session, object: ObjectHandle) -> Option<Vec<u8>> {
    match read(session, object, AttributeType::Id)? {
        Attribute::Id(bytes) => Some(bytes),
        _ => None,
    }
}

/// The public half of a key object, private or public, from its own attributes.
fn own_public(session: &Session, object: ObjectHandle) -> Option<PublicKey> {
    let Some(Attribute::KeyType(kind)) = read(session, object, AttributeType::KeyType) else { return None };
    let from_parts = match kind {
        KeyType::EC | KeyType::EC_EDWARDS => {
            let Some(Attribute::EcParams(params)) = read(session, object, AttributeType::EcParams) else {
                return from_info(session, object);
            };
            let Some(Attribute::EcPoint(point)) = read(session, object, AttributeType::EcPoint) else {
                return from_info(session, object);
            };
            from_point(&params, &point).ok()
        }
        KeyType::RSA => {
            let modulus = read(session, object, AttributeType::Modulus);
            match (modulus, read(session, object, AttributeType::PublicExponent)) {
                (Some(Attribute::Modulus(n)), Some(Attribute::PublicExponent(e))) => {
                    PublicKey::from_rsa_parts(&n, &e).ok()
                }
                _ => None,
            }
        }
        _ => None,
    };
    from_parts.or_else(|| from_info(session, object))
}

/// `CKA_PUBLIC_KEY_INFO` (PKCS#11 3.0 4.9), which most modules leave empty.
fn from_info(session: &Session, object: ObjectHandle) -> Option<PublicKey> {
    match read(session, object, AttributeType::PublicKeyInfo)? {
        Attribute::PublicKeyInfo(der) => PublicKey::from_spki_der(&der).ok(),
        _ => None,
    }
}

/// The key of an X.509 certificate object.
fn from_certificate(session: &Session, object: ObjectHandle) -> Option<PublicKey> {
    let Some(Attribute::Value(der)) = read(session, object, AttributeType::Value) else { return None };
    key_of(&der)
}

/// The key in a certificate.
pub(super) fn key_of(der: &[u8]) -> Option<PublicKey> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    PublicKey::from_spki_der(&spki).ok()
}

/// The public half of a private key: from its public key object, itself, or its certificate, all
/// under the same `CKA_ID`.
pub(super) fn public_of(session: &Session, private: ObjectHandle) -> Option<PublicKey> {
    let id = id(session, private).filter(|id| !id.is_empty());
    let beside = |class: ObjectClass| -> Vec<ObjectHandle> {
        let Some(id) = &id else { return Vec::new() };
        let template = [Attribute::Class(class), Attribute::Id(id.clone())];
        session.find_objects(&template).unwrap_or_default()
    };
    beside(ObjectClass::PUBLIC_KEY)
        .into_iter()
        .find_map(|object| own_public(session, object))
        .or_else(|| own_public(session, private))
        .or_else(|| {
            beside(ObjectClass::CERTIFICATE).into_iter().find_map(|object| from_certificate(session, object))
        })
}

/// The public half of any object that has one.
pub(super) fn public_in(session: &Session, object: ObjectHandle, class: ObjectClass) -> Option<PublicKey> {
    match class {
        ObjectClass::PRIVATE_KEY => public_of(session, object),
        ObjectClass::CERTIFICATE => from_certificate(session, object),
        _ => own_public(session, object),
    }
}

/// A key of `CKA_EC_PARAMS` and `CKA_EC_POINT`.
///
/// The point should be the DER of an OCTET STRING; some modules give the bare point, some a BIT
/// STRING (tokens 0.4). A bare P-256 point also begins like an OCTET STRING, so the length decides.
///
/// # Errors
///
/// `KEY-FORM` if it is no point of the curve, `TOKEN-CANNOT` if the curve is none of ours.
pub(super) fn from_point(params: &[u8], point: &[u8]) -> Result<PublicKey> {
    let algorithm = match ObjectIdentifier::from_der(params) {
        Ok(OID_P256) => Algorithm::EcdsaP256,
        Ok(OID_P384) => Algorithm::EcdsaP384,
        _ if params == ED25519_NAME || params == ED25519_OID => Algorithm::Ed25519,
        _ => {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("a key on a curve of {} bytes", params.len()),
                "P-256, P-384 or Ed25519",
            ));
        }
    };
    let bare: &[usize] = match algorithm {
        Algorithm::EcdsaP256 => &[65, 33],
        Algorithm::EcdsaP384 => &[97, 49],
        _ => &[32],
    };
    let point = if bare.contains(&point.len()) {
        point
    } else if let Ok(octets) = <&OctetStringRef>::from_der(point) {
        octets.as_bytes()
    } else if let Ok(bits) = BitStringRef::from_der(point) {
        bits.raw_bytes()
    } else {
        point
    };
    match algorithm {
        Algorithm::Ed25519 => PublicKey::from_ed25519(point),
        curve => PublicKey::from_ec_point(curve, point),
    }
}

/// What the record keeps of how a private key is kept.
pub(super) fn evidence(session: &Session, private: ObjectHandle) -> BTreeMap<String, String> {
    let flags = [
        ("local", AttributeType::Local),
        ("sensitive", AttributeType::Sensitive),
        ("always-sensitive", AttributeType::AlwaysSensitive),
        ("extractable", AttributeType::Extractable),
        ("never-extractable", AttributeType::NeverExtractable),
        ("private", AttributeType::Private),
        ("sign", AttributeType::Sign),
        ("decrypt", AttributeType::Decrypt),
        ("unwrap", AttributeType::Unwrap),
        ("derive", AttributeType::Derive),
        ("always-authenticate", AttributeType::AlwaysAuthenticate),
    ];
    let mut said = BTreeMap::new();
    for (name, kind) in flags {
        let word = match flag(session, private, kind) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        said.insert(name.to_owned(), word.to_owned());
    }
    let mechanism = match read(session, private, AttributeType::KeyGenMechanism) {
        Some(Attribute::KeyGenMechanism(mechanism)) => mechanism.to_string(),
        _ => "unknown".to_owned(),
    };
    said.insert("key-gen-mechanism".to_owned(), mechanism);
    said
}

/// A yes or no, if the token tells it.
pub(super) fn flag(session: &Session, object: ObjectHandle, kind: AttributeType) -> Option<bool> {
    match read(session, object, kind)? {
        Attribute::Local(b)
        | Attribute::Sensitive(b)
        | Attribute::AlwaysSensitive(b)
        | Attribute::Extractable(b)
        | Attribute::NeverExtractable(b)
        | Attribute::Private(b)
        | Attribute::Sign(b)
        | Attribute::Decrypt(b)
        | Attribute::Unwrap(b)
        | Attribute::Derive(b)
        | Attribute::AlwaysAuthenticate(b) => Some(b),
        _ => None,
    }
}

/// Refuses a key that its token says was brought in or can be taken out; one that `leaves` is to be
/// one that can be taken out, wrapped, and no other. What the token doesn't tell is no reason to
/// refuse: it is recorded as unknown, and limits decide (tokens 1.1).
///
/// # Errors
///
/// `TOKEN-WEAK`.
pub(super) fn expect_kept(said: &BTreeMap<String, String>, leaves: bool) -> Result<()> {
    let (never, extractable) = if leaves { ("no", "yes") } else { ("yes", "no") };
    let wanted = [
        ("local", "yes"),
        ("sensitive", "yes"),
        ("always-sensitive", "yes"),
        ("never-extractable", never),
        ("extractable", extractable),
    ];
    let wrong: Vec<String> = wanted
        .iter()
        .filter_map(|(name, word)| {
            let found = said.get(*name).filter(|found| *found != word && *found != "unknown")?;
            Some(format!("{name} = {found}"))
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let wanted: Vec<String> = wanted.iter().map(|(name, word)| format!("{name} = {word}")).collect();
    Err(Refusal::new(&rules::TOKEN_WEAK, wrong.join(", "), wanted.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;
    use crate::signer::keyfile::PrivateKey;
    use crate::tuf::key::KeySpec;

    #[test]
    fn points_in_every_form() {
        for (spec, params) in [
            (KeySpec::EcdsaP256, curve_params(Algorithm::EcdsaP256).unwrap()),
            (KeySpec::EcdsaP384, curve_params(Algorithm::EcdsaP384).unwrap()),
            (KeySpec::Ed25519, ED25519_NAME.to_vec()),
            (KeySpec::Ed25519, ED25519_OID.to_vec()),
        ] {
            let key = PrivateKey::generate(spec, &crate::signer::randomness::Randomness::system())
                .unwrap()
                .public()
                .clone();
            let bare = key.raw().unwrap();
            let mut forms = vec![
                ("bare", bare.clone()),
                ("OCTET STRING", OctetStringRef::new(&bare).unwrap().to_der().unwrap()),
                ("BIT STRING", BitStringRef::from_bytes(&bare).unwrap().to_der().unwrap()),
            ];
            if spec != KeySpec::Ed25519 {
                let half = (bare.len() - 1) / 2;
                let mut compressed = bare[..=half].to_vec();
                compressed[0] = 2 + (bare[bare.len() - 1] & 1);
                forms.push(("compressed", compressed.clone()));
                let wrapped = OctetStringRef::new(&compressed).unwrap().to_der().unwrap();
                forms.push(("compressed OCTET STRING", wrapped));
            }
            for (form, bytes) in forms {
                assert_eq!(from_point(&params, &bytes).unwrap(), key, "{spec} {form}");
            }
            let mut short = bare.clone();
            short.pop();
            assert_eq!(from_point(&params, &short).unwrap_err().rule().name, "KEY-FORM", "{spec}");
            assert_eq!(from_point(&params, &[]).unwrap_err().rule().name, "KEY-FORM", "{spec}");
        }
        let other = ObjectIdentifier::new_unwrap("1.3.132.0.10").to_der().unwrap();
        assert_eq!(from_point(&other, &[4; 65]).unwrap_err().rule().name, "TOKEN-CANNOT");
    }

    #[test]
    fn a_key_that_is_to_leave_is_one_that_can() {
        let said = |extractable: &str, never: &str, local: &str| -> BTreeMap<String, String> {
            let said = [("extractable", extractable), ("never-extractable", never), ("local", local)];
            said.into_iter().map(|(n, w)| (n.to_owned(), w.to_owned())).collect()
        };
        for (extractable, never, local, leaves, fits) in [
            ("yes", "no", "yes", true, true),
            ("yes", "no", "yes", false, false),
            ("no", "yes", "yes", true, false),
            ("yes", "no", "no", true, false),
            ("unknown", "unknown", "yes", true, true),
        ] {
            let result = expect_kept(&said(extractable, never, local), leaves);
            assert_eq!(result.is_ok(), fits, "{extractable} {never} {local} {leaves}");
        }
    }

    #[test]
    fn weak_keys() {
        let kept = [
            ("local", "yes"),
            ("sensitive", "yes"),
            ("always-sensitive", "yes"),
            ("never-extractable", "yes"),
            ("extractable", "no"),
        ];
        // What differs from a well-kept key, and whether it is refused.
        for (name, word, refused) in [
            ("local", "yes", false),
            ("local", "unknown", false),
            ("local", "no", true),
            ("sensitive", "no", true),
            ("always-sensitive", "no", true),
            ("never-extractable", "no", true),
            ("never-extractable", "unknown", false),
            ("extractable", "yes", true),
            ("extractable", "unknown", false),
            ("decrypt", "yes", false),
        ] {
            let mut said: BTreeMap<String, String> =
                kept.iter().map(|(n, w)| ((*n).to_owned(), (*w).to_owned())).collect();
            said.insert(name.to_owned(), word.to_owned());
            let result = expect_kept(&said, false);
            assert_eq!(result.is_err(), refused, "{name} = {word}");
            if let Err(refusal) = result {
                assert_eq!(refusal.rule().name, "TOKEN-WEAK");
                assert_eq!(refusal.found(), format!("{name} = {word}"));
            }
        }
    }
}
