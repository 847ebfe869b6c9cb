//! Signatures, which exist only once they have verified.
//!
//! What keyrite's own tokens return goes through [`Signature::check`], where ECDSA and Ed25519 are
//! judged by two implementations that share no code (RustCrypto and aws-lc) and both must agree;
//! RSA is judged by aws-lc alone, because the other crate leaks timing (RUSTSEC-2023-0071). What
//! others signed goes through [`verifies`], one implementation, fast.
//!
//! Raw form, everywhere in keyrite: ECDSA is r‖s, each as long as the curve's field; Ed25519 64
//! bytes; RSA as long as its modulus. High s is accepted: tokens return it (crates 1).
//!
//! Never: the legacy leniency of Ed25519 for our own signatures (small orders, RFC 8032 5.1.7).

use super::digest::Digest;
use super::key::{Algorithm, KeyIdentity, PublicKey, Scheme};
use super::payload::Payload;
use super::rule::{Refusal, Result};
use super::rules;
use aws_lc_rs::signature as lc;
use sha2::{Digest as _, Sha256, Sha384};
use std::thread;

/// A signature that verified, by two implementations where two exist, over a payload of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: KeyIdentity,
    scheme: Scheme,
    payload: Digest,
    raw: Vec<u8>,
}

impl Signature {
    /// Verifies `raw` over `payload`; there is no other way to a [`Signature`].
    ///
    /// # Errors
    ///
    /// `SIGNATURE-WRONG` unless every implementation accepts it, or if `public` doesn't sign by
    /// `scheme`.
    pub fn check(public: &PublicKey, scheme: Scheme, payload: &Payload, raw: &[u8]) -> Result<Self> {
        let message = payload.bytes();
        if !both_verify(public, scheme, message, raw) {
            return Err(Refusal::new(
                &rules::SIGNATURE_WRONG,
                format!("{} bytes that do not verify with the key {}", raw.len(), public.identity()),
                format!("its {scheme} signature over the payload {}", payload.digest()),
            ));
        }
        Ok(Self { key: public.identity(), scheme, payload: payload.digest(), raw: raw.to_vec() })
    }

    /// Whose it is.
    pub const fn key(&self) -> KeyIdentity {
        self.key
    }

    /// How it was made.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// SHA-256 of what was signed.
    pub const fn payload(&self) -> Digest {
        self.payload
    }

    /// The signature in raw form.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// Whether `raw` is `public`'s signature over `message`, by one fast implementation.
///
/// For documents that others signed. Anything malformed is simply no signature.
pub fn verifies(public: &PublicKey, scheme: Scheme, message: &[u8], raw: &[u8]) -> bool {
    if public.algorithm() != scheme.algorithm() {
        return false;
    }
    let Ok(key) = public.raw() else { return false };
    let algorithm: &dyn lc::VerificationAlgorithm = match scheme {
        Scheme::EcdsaP256Sha256 => &lc::ECDSA_P256_SHA256_FIXED,
        Scheme::EcdsaP384Sha384 => &lc::ECDSA_P384_SHA384_FIXED,
        Scheme::EcdsaP384Sha256 => {
            // aws-lc knows this pair only with DER.
            let Ok(der) = ecdsa_to_der(raw) else { return false };
            let key = lc::UnparsedPublicKey::new(&lc::ECDSA_P384_SHA256_ASN1, key);
            return raw.len() == 96 && key.verify(message, &der).is_ok();
        }
        Scheme::Ed25519 => &lc::ED25519,
        Scheme::RsaPssSha256 => &lc::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPkcs1Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
    };
    lc::UnparsedPublicKey::new(algorithm, key).verify(message, raw).is_ok()
}

/// A message of more bytes is read by both implementations at once.
const LARGE: usize = 256 * 1024;

fn both_verify(public: &PublicKey, scheme: Scheme, message: &[u8], raw: &[u8]) -> bool {
    if message.len() < LARGE {
        return verifies(public, scheme, message, raw) && second_opinion(public, scheme, message, raw);
    }
    let second = || second_opinion(public, scheme, message, raw);
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, second);
        let first = verifies(public, scheme, message, raw);
        // Where there is no thread to be had, in turn; one that ended in a panic verified nothing.
        first && beside.map_or_else(|_| second(), |other| other.join().unwrap_or(false))
    })
}

/// The same by RustCrypto; RSA has none.
fn second_opinion(public: &PublicKey, scheme: Scheme, message: &[u8], raw: &[u8]) -> bool {
    let Ok(key) = public.raw() else { return false };
    match scheme {
        Scheme::EcdsaP256Sha256 => p256_verifies(&key, &Sha256::digest(message), raw),
        Scheme::EcdsaP384Sha384 => p384_verifies(&key, &Sha384::digest(message), raw),
        Scheme::EcdsaP384Sha256 => p384_verifies(&key, &Sha256::digest(message), raw),
        Scheme::Ed25519 => {
            let signature = ed25519_dalek::Signature::from_slice(raw);
            let key = <[u8; 32]>::try_from(key.as_slice())
                .ok()
                .and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(&key).ok());
            match (key, signature) {
                (Some(key), Ok(signature)) => key.verify_strict(message, &signature).is_ok(),
                _ => false,
            }
        }
        Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => true,
    }
}

fn p256_verifies(key: &[u8], digest: &[u8], raw: &[u8]) -> bool {
    use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
    let signature = p256::ecdsa::Signature::from_slice(raw);
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_prehash(digest, &signature).is_ok())
}

fn p384_verifies(key: &[u8], digest: &[u8], raw: &[u8]) -> bool {
    use p384::ecdsa::signature::hazmat::PrehashVerifier as _;
    let signature = p384::ecdsa::Signature::from_slice(raw);
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_prehash(digest, &signature).is_ok())
}

/// An ECDSA signature from r‖s to DER (RFC 3279 2.2.3); P-256 and P-384 by its length.
///
/// # Errors
///
/// `SIGNATURE-FORM` unless it is 64 or 96 bytes, neither half zero or above the curve's order.
pub fn ecdsa_to_der(raw: &[u8]) -> Result<Vec<u8>> {
    let found = || format!("{} bytes", raw.len());
    match raw.len() {
        64 => p256::ecdsa::Signature::from_slice(raw)
            .map(|s| s.to_der().as_bytes().to_vec())
            .map_err(|_| form(&found())),
        96 => p384::ecdsa::Signature::from_slice(raw)
            .map(|s| s.to_der().as_bytes().to_vec())
            .map_err(|_| form(&found())),
        _ => Err(form(&found())),
    }
}

/// An ECDSA signature from DER to r‖s, each half as long as the field of `algorithm`'s curve.
///
/// # Errors
///
/// `SIGNATURE-FORM` if it is no strict DER, or out of the curve's range, or `algorithm` isn't
/// ECDSA.
pub fn ecdsa_from_der(der: &[u8], algorithm: Algorithm) -> Result<Vec<u8>> {
    let found = || format!("{} bytes that are no DER for {algorithm}", der.len());
    match algorithm {
        Algorithm::EcdsaP256 => {
            p256::ecdsa::Signature::from_der(der).map(|s| s.to_bytes().to_vec()).map_err(|_| form(&found()))
        }
        Algorithm::EcdsaP384 => {
            p384::ecdsa::Signature::from_der(der).map(|s| s.to_bytes().to_vec()).map_err(|_| form(&found()))
        }
        Algorithm::Ed25519 | Algorithm::Rsa => Err(form(&found())),
    }
}

/// The form of a statement's signature in the record: hexadecimal; ECDSA as DER (FORMAT.md).
///
/// # Errors
///
/// `SIGNATURE-FORM` as [`ecdsa_to_der`].
pub fn sign_form(scheme: Scheme, raw: &[u8]) -> Result<String> {
    let bytes = match scheme.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => ecdsa_to_der(raw)?,
        Algorithm::Ed25519 | Algorithm::Rsa => raw.to_vec(),
    };
    Ok(base16ct::lower::encode_string(&bytes))
}

/// Back from [`sign_form`] to raw form.
///
/// # Errors
///
/// `SIGNATURE-FORM` if the text is not what [`sign_form`] writes.
pub fn from_sign_form(scheme: Scheme, text: &str) -> Result<Vec<u8>> {
    let bytes = base16ct::lower::decode_vec(text).map_err(|_| form("no lower-case hexadecimal"))?;
    match scheme.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => ecdsa_from_der(&bytes, scheme.algorithm()),
        Algorithm::Ed25519 | Algorithm::Rsa => Ok(bytes),
    }
}

fn form(found: &str) -> Refusal {
    Refusal::new(&rules::SIGNATURE_FORM, found.to_owned(), "a signature of the key's kind, well-formed")
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use crate::tuf::statement::{Sentence, Statement, TrustId};
    use crate::tuf::test_keys::TestKey;

    fn payload() -> Payload {
        let sentence =
            Sentence::RollCall { key: TestKey::p256(1).public().identity(), nonce: Digest::of(b"nonce") };
        Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
    }

    fn every_scheme() -> Vec<(Scheme, TestKey)> {
        vec![
            (Scheme::EcdsaP256Sha256, TestKey::p256(1)),
            (Scheme::EcdsaP384Sha384, TestKey::p384(1)),
            (Scheme::EcdsaP384Sha256, TestKey::p384(1)),
            (Scheme::Ed25519, TestKey::ed25519(1)),
            (Scheme::RsaPssSha256, TestKey::rsa()),
            (Scheme::RsaPkcs1Sha256, TestKey::rsa()),
        ]
    }

    fn rule(result: Result<Signature>) -> &'static str {
        result.map_or_else(|e| e.rule().name, |_| "ok")
    }

    #[test]
    fn every_scheme_verifies_and_binds_key_scheme_and_payload() {
        let payload = payload();
        for (scheme, key) in every_scheme() {
            let raw = key.sign(scheme, payload.bytes());
            let signature = Signature::check(&key.public(), scheme, &payload, &raw).unwrap();
            assert_eq!(signature.key(), key.public().identity(), "{scheme}");
            assert_eq!((signature.scheme(), signature.payload()), (scheme, payload.digest()));
            assert_eq!(signature.raw(), raw);
        }
    }

    /// Each defect alone must fail, in both implementations where there are two.
    #[test]
    fn signature_wrong_for_every_defect() {
        type Defect = fn(&mut Vec<u8>);
        let defects: [(&str, Defect); 9] = [
            ("a bit of the first byte", |s| s[0] ^= 1),
            ("a bit in the middle", |s| {
                let middle = s.len() / 2;
                s[middle] ^= 0x10;
            }),
            ("a bit of the last byte", |s| *s.last_mut().unwrap() ^= 1),
            ("a byte short", |s| {
                s.pop();
            }),
            ("a byte long", |s| s.push(0)),
            ("empty", Vec::clear),
            ("zeros", |s| s.fill(0)),
            ("ones", |s| s.fill(0xff)),
            ("halves swapped", |s| {
                let half = s.len() / 2;
                s.rotate_left(half);
            }),
        ];
        let payload = payload();
        for (scheme, key) in every_scheme() {
            for (defect, spoil) in defects {
                let mut raw = key.sign(scheme, payload.bytes());
                spoil(&mut raw);
                let public = key.public();
                assert_eq!(
                    rule(Signature::check(&public, scheme, &payload, &raw)),
                    "SIGNATURE-WRONG",
                    "{scheme}: {defect}"
                );
                assert!(!verifies(&public, scheme, payload.bytes(), &raw), "{scheme}: {defect}");
                let rsa = scheme.algorithm() == Algorithm::Rsa;
                assert!(rsa || !second_opinion(&public, scheme, payload.bytes(), &raw), "{scheme}: {defect}");
            }
        }
    }

    #[test]
    fn no_scheme_is_taken_for_another() {
        let payload = payload();
        for (made, key) in every_scheme() {
            let raw = key.sign(made, payload.bytes());
            for (asked, other) in every_scheme() {
                let same = key.public() == other.public() && asked == made;
                assert_eq!(
                    verifies(&other.public(), asked, payload.bytes(), &raw),
                    same,
                    "{made} as {asked}"
                );
                assert_eq!(
                    verifies(&key.public(), asked, payload.bytes(), &raw),
                    asked == made,
                    "{made} as {asked}"
                );
            }
        }
    }

    #[test]
    fn another_key_or_message_does_not_verify() {
        let raw = TestKey::p256(1).sign(Scheme::EcdsaP256Sha256, payload().bytes());
        let wrong =
            |key: &TestKey, message: &[u8]| verifies(&key.public(), Scheme::EcdsaP256Sha256, message, &raw);
        assert!(wrong(&TestKey::p256(1), payload().bytes()));
        assert!(!wrong(&TestKey::p256(2), payload().bytes()));
        assert!(!wrong(&TestKey::p256(1), b"another"));
    }

    /// SoftHSM and others return either s; both are the same key's signature.
    #[test]
    fn high_s_is_accepted() {
        let (key, payload) = (TestKey::p256(1), payload());
        let raw = key.sign(Scheme::EcdsaP256Sha256, payload.bytes());
        let signature = p256::ecdsa::Signature::from_slice(&raw).unwrap();
        let other =
            p256::ecdsa::Signature::from_scalars(signature.r().to_bytes(), (-*signature.s()).to_bytes())
                .unwrap();
        assert_ne!(other, signature);
        assert_eq!(
            rule(Signature::check(&key.public(), Scheme::EcdsaP256Sha256, &payload, &other.to_bytes())),
            "ok"
        );
    }

    /// s + L is the same number modulo L: RFC 8032 5.1.7 refuses it, early implementations don't.
    #[test]
    fn ed25519_with_s_beyond_the_order_is_refused() {
        let (key, payload) = (TestKey::ed25519(1), payload());
        let mut raw = key.sign(Scheme::Ed25519, payload.bytes());
        let order =
            base16ct::lower::decode_vec("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
                .unwrap();
        let mut carry = 0u16;
        for (byte, add) in raw[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(rule(Signature::check(&key.public(), Scheme::Ed25519, &payload, &raw)), "SIGNATURE-WRONG");
    }

    #[test]
    fn der_and_raw_convert_both_ways() {
        for (scheme, key) in every_scheme() {
            let raw = key.sign(scheme, b"message");
            let text = sign_form(scheme, &raw).unwrap();
            assert_eq!(from_sign_form(scheme, &text).unwrap(), raw, "{scheme}");
            assert!(from_sign_form(scheme, &text.to_uppercase()).is_err());
        }
        // Halves that start with zero or a high bit, where DER's lengths differ.
        for (r, s) in [([1u8; 32], [0x7f; 32]), ([0x80; 32], [0xcc; 32])] {
            for zeros in [0usize, 1, 31] {
                let mut raw = [r, s].concat();
                raw[..zeros].fill(0);
                raw[32..32 + zeros].fill(0);
                assert_eq!(ecdsa_from_der(&ecdsa_to_der(&raw).unwrap(), Algorithm::EcdsaP256).unwrap(), raw);
            }
        }
    }

    #[test]
    fn signature_form_for_what_is_no_signature() {
        let der = ecdsa_to_der(&TestKey::p256(1).sign(Scheme::EcdsaP256Sha256, b"m")).unwrap();
        let mut negative = der.clone();
        negative[4] |= 0x80;
        let table: [(&str, Result<Vec<u8>>); 9] = [
            ("raw of 63 bytes", ecdsa_to_der(&[1; 63])),
            ("raw of zeros", ecdsa_to_der(&[0; 64])),
            ("raw beyond the order", ecdsa_to_der(&[0xff; 96])),
            ("DER and a byte", ecdsa_from_der(&[der.clone(), vec![0]].concat(), Algorithm::EcdsaP256)),
            ("DER cut off", ecdsa_from_der(&der[..der.len() - 1], Algorithm::EcdsaP256)),
            ("raw for DER", ecdsa_from_der(&[1; 64], Algorithm::EcdsaP256)),
            ("DER for RSA", ecdsa_from_der(&der, Algorithm::Rsa)),
            ("no hexadecimal", from_sign_form(Scheme::Ed25519, "zz")),
            ("half a byte", from_sign_form(Scheme::Ed25519, "abc")),
        ];
        for (name, result) in table {
            assert_eq!(result.unwrap_err().rule().name, "SIGNATURE-FORM", "{name}");
        }
    }
}
