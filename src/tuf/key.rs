//! Public keys: what they are, and how documents name them.
//!
//! Two different things are called a key's identity elsewhere; here they are two types. A
//! [`KeyId`] is the name that a document declares. A [`KeyIdentity`] is the digest of the
//! normalised public key itself, and the only thing that thresholds count (threats T7).

pub use super::algorithm::{Algorithm, KeySpec, Scheme};

use super::digest::Digest;
use super::json::{Json, object};
use super::rule::{Refusal, Result};
use super::rules;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode};
use p256::elliptic_curve::sec1::ToSec1Point;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The name that a document declares for a key: up to 64 visible characters are usual, anything
/// can come. Copies share it: thousands of roles list few keys. Never believed; see [`DocumentKey::id_matches`](super::document::DocumentKey).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// A declared id, exactly as the document has it.
    pub fn declared(text: &str) -> Self {
        Self(text.into())
    }

    /// The id that a key's content has: SHA-256 of its canonical form, in hexadecimal (TUF 4.2).
    pub fn computed(entry: &Json) -> Self {
        Self(Digest::of(&entry.canonical()).hex().into())
    }

    /// The text as declared; escape it before showing.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// By its text, to find a document's key by what a role lists.
impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::text::visible(&self.0))
    }
}

/// SHA-256 of the normalised SubjectPublicKeyInfo: what thresholds count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyIdentity(Digest);

impl KeyIdentity {
    /// An identity read back from the record, to look a key up by.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyIdentity {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// A public key, normalised: two encodings of one key are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    algorithm: Algorithm,
    bits: u32,
    spki: Vec<u8>,
    /// Of `spki`, kept because every count of signatures asks for it.
    identity: KeyIdentity,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.identity())
    }
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7), normalising points and parameters.
    ///
    /// # Errors
    ///
    /// `KEY-FORM` if it is none, or of no algorithm that keyrite knows, or RSA under 2048 bits.
    pub fn from_spki_der(bytes: &[u8]) -> Result<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(bytes).map_err(|e| form(&e.to_string()))?;
        let key = spki.subject_public_key.as_bytes().ok_or_else(|| form("a key of odd bits"))?;
        let oid = spki.algorithm.oid;
        if oid == OID_EC {
            let curve = spki.algorithm.parameters_oid().map_err(|e| form(&e.to_string()))?;
            if curve == OID_P256 {
                return Self::from_ec_point(Algorithm::EcdsaP256, key);
            }
            if curve == OID_P384 {
                return Self::from_ec_point(Algorithm::EcdsaP384, key);
            }
            return Err(form(&format!("a key on the curve {curve}")));
        }
        if oid == OID_ED25519 {
            return Self::from_ed25519(key);
        }
        if oid == OID_RSA {
            return Self::from_rsa_pkcs1(key);
        }
        Err(form(&format!("a key of the algorithm {oid}")))
    }

    /// Reads a point on a curve: SEC1, compressed or not (SEC1 2.3.4).
    ///
    /// # Errors
    ///
    /// `KEY-FORM` if it is no point of the curve.
    pub fn from_ec_point(algorithm: Algorithm, point: &[u8]) -> Result<Self> {
        let (curve, bits, point) = match algorithm {
            Algorithm::EcdsaP256 => {
                let key = p256::PublicKey::from_sec1_bytes(point).map_err(|e| form(&e.to_string()))?;
                (OID_P256, 256, key.to_sec1_point(false).as_bytes().to_vec())
            }
            Algorithm::EcdsaP384 => {
                let key = p384::PublicKey::from_sec1_bytes(point).map_err(|e| form(&e.to_string()))?;
                (OID_P384, 384, key.to_sec1_point(false).as_bytes().to_vec())
            }
            _ => return Err(form("a point for a key that has none")),
        };
        let params = AnyRef::from(&curve);
        let algorithm_id = AlgorithmIdentifierRef { oid: OID_EC, parameters: Some(params) };
        Ok(Self::normalised(algorithm, bits, spki_der(algorithm_id, &point)?))
    }

    /// Reads the 32 bytes of an Ed25519 public key (RFC 8032 5.1.5).
    ///
    /// # Errors
    ///
    /// `KEY-FORM` if they are no point of the curve, or one of the weak ones.
    pub fn from_ed25519(raw: &[u8]) -> Result<Self> {
        let bytes: [u8; 32] =
            raw.try_into().map_err(|_| form(&format!("an Ed25519 key of {} bytes", raw.len())))?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|e| form(&e.to_string()))?;
        if key.is_weak() {
            return Err(form("an Ed25519 key of low order"));
        }
        if beyond_the_field(&bytes) {
            return Err(form("an Ed25519 key in a second encoding"));
        }
        let algorithm_id = AlgorithmIdentifierRef { oid: OID_ED25519, parameters: None };
        Ok(Self::normalised(Algorithm::Ed25519, 256, spki_der(algorithm_id, raw)?))
    }

    /// Reads an RSAPublicKey of PKCS#1 (RFC 8017 A.1.1).
    ///
    /// # Errors
    ///
    /// `KEY-FORM` if it is none, or under 2048 bits, or its exponent even or under 65537.
    pub fn from_rsa_pkcs1(bytes: &[u8]) -> Result<Self> {
        let key = RsaPublicKey::from_der(bytes).map_err(|e| form(&e.to_string()))?;
        let modulus = key.modulus.as_bytes();
        let leading = modulus.first().map_or(0, |b| b.leading_zeros());
        let bits = u32::try_from(modulus.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(leading);
        if !(2048..=8192).contains(&bits) {
            return Err(form(&format!("an RSA key of {bits} bits")));
        }
        let exponent = key.exponent.as_bytes();
        let small = exponent.len() < 3;
        if small || exponent.last().is_none_or(|b| b.is_multiple_of(2)) {
            return Err(form("an RSA key with a weak exponent"));
        }
        let algorithm_id = AlgorithmIdentifierRef { oid: OID_RSA, parameters: Some(AnyRef::NULL) };
        let canonical = key.to_der().map_err(|e| form(&e.to_string()))?;
        Ok(Self::normalised(Algorithm::Rsa, bits, spki_der(algorithm_id, &canonical)?))
    }

    /// An RSA key of its modulus and exponent, big-endian, as tokens report them.
    ///
    /// # Errors
    ///
    /// `KEY-FORM` as [`Self::from_rsa_pkcs1`].
    pub fn from_rsa_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let uint = |b| der::asn1::UintRef::new(b).map_err(|e: der::Error| form(&e.to_string()));
        let key = RsaPublicKey { modulus: uint(modulus)?, exponent: uint(exponent)? };
        Self::from_rsa_pkcs1(&key.to_der().map_err(|e| form(&e.to_string()))?)
    }

    /// Reads a PEM block `PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE` (the certificate's key).
    ///
    /// # Errors
    ///
    /// `KEY-FORM` if it is none of them.
    pub fn from_pem(text: &str) -> Result<Self> {
        let block = pem::parse(text).map_err(|e| form(&e.to_string()))?;
        match block.tag() {
            "PUBLIC KEY" => Self::from_spki_der(block.contents()),
            "RSA PUBLIC KEY" => Self::from_rsa_pkcs1(block.contents()),
            "CERTIFICATE" => {
                let certificate =
                    x509_cert::Certificate::from_der(block.contents()).map_err(|e| form(&e.to_string()))?;
                let spki = certificate.tbs_certificate().subject_public_key_info().to_der();
                Self::from_spki_der(&spki.map_err(|e| form(&e.to_string()))?)
            }
            other => Err(form(&format!("a PEM block \"{}\"", super::text::visible(other)))),
        }
    }

    /// What kind of key it is.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its size in bits.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The normalised DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The SubjectPublicKeyInfo as PEM, LF line ends, final newline.
    pub fn spki_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("PUBLIC KEY", self.spki.clone()), config)
    }

    /// The bare key inside: the 32 bytes of Ed25519, the uncompressed point, or RSAPublicKey DER.
    ///
    /// # Errors
    ///
    /// `KEY-FORM`, which a key made by this module never meets.
    pub fn raw(&self) -> Result<Vec<u8>> {
        let spki = SubjectPublicKeyInfoRef::from_der(&self.spki).map_err(|e| form(&e.to_string()))?;
        spki.subject_public_key.as_bytes().map(<[u8]>::to_vec).ok_or_else(|| form("a key of odd bits"))
    }

    /// Modulus and public exponent of an RSA key, big-endian without leading zeros; none of another.
    pub fn rsa_parts(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.algorithm() != Algorithm::Rsa {
            return None;
        }
        let raw = self.raw().ok()?;
        let key = RsaPublicKey::from_der(&raw).ok()?;
        Some((key.modulus.as_bytes().to_vec(), key.exponent.as_bytes().to_vec()))
    }

    fn normalised(algorithm: Algorithm, bits: u32, spki: Vec<u8>) -> Self {
        let identity = KeyIdentity(Digest::of(&spki));
        Self { algorithm, bits, spki, identity }
    }

    /// What thresholds count.
    pub const fn identity(&self) -> KeyIdentity {
        self.identity
    }

    /// As [`Algorithm`], with the size for RSA: "ECDSA P-256", "RSA 4096".
    pub fn describe(&self) -> String {
        match self.algorithm {
            Algorithm::Rsa => format!("RSA {}", self.bits),
            other => other.to_string(),
        }
    }

    /// The record's form: base64 of the normalised DER SubjectPublicKeyInfo.
    pub fn to_record(&self) -> Json {
        use base64ct::{Base64, Encoding as _};
        object([("spki", Json::Str(Base64::encode_string(&self.spki)))])
    }
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: der::asn1::UintRef<'a>,
    exponent: der::asn1::UintRef<'a>,
}

/// Whether y, little-endian without its top bit, is 2^255 - 19 or more: such a point has another,
/// canonical encoding, and two encodings would count as two keys (RFC 8032 5.1.3).
fn beyond_the_field(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    last & 0x7f == 0x7f && middle.iter().all(|b| *b == 0xff) && *first >= 0xed
}

fn spki_der(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Vec<u8>> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(|e| form(&e.to_string()))?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(|e| form(&e.to_string()))
}

fn form(found: &str) -> Refusal {
    Refusal::new(
        &rules::KEY_FORM,
        found.to_owned(),
        "a public key: ECDSA P-256 or P-384, Ed25519, or RSA from 2048 to 8192 bits",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::test_keys::TestKey;

    fn hex(text: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(text).unwrap()
    }

    /// One key must count once, however it is written (threats T7).
    #[test]
    fn every_encoding_of_a_key_has_one_identity() {
        let key = TestKey::p256(1).public();
        let point = key.raw().unwrap();
        let parity = if point[64].is_multiple_of(2) { 2 } else { 3 };
        let compressed = [&[parity], &point[1..33]].concat();
        assert_eq!(PublicKey::from_ec_point(Algorithm::EcdsaP256, &compressed).unwrap(), key);
        let mut spki = key.spki_der()[..23].to_vec();
        spki.splice(1..2, [57]);
        spki.extend([&[3, 34, 0][..], &compressed].concat());
        assert_eq!(PublicKey::from_spki_der(&spki[..]).unwrap().identity(), key.identity());

        let rsa = TestKey::rsa().public();
        let inner = rsa.raw().unwrap();
        let without_null = AlgorithmIdentifierRef { oid: OID_RSA, parameters: None };
        assert_eq!(PublicKey::from_spki_der(&spki_der(without_null, &inner).unwrap()).unwrap(), rsa);
        let parts = RsaPublicKey::from_der(&inner).unwrap();
        let (n, e) = (parts.modulus.as_bytes(), parts.exponent.as_bytes());
        assert_eq!(PublicKey::from_rsa_parts(n, e).unwrap(), rsa);
        assert_eq!(PublicKey::from_rsa_parts(&[&[0, 0], n].concat(), &[&[0], e].concat()).unwrap(), rsa);

        for key in [TestKey::p256(1), TestKey::p384(1), TestKey::ed25519(1), TestKey::rsa()] {
            let key = key.public();
            assert_eq!(PublicKey::from_pem(&key.spki_pem()).unwrap(), key);
            assert_eq!(PublicKey::from_spki_der(key.spki_der()).unwrap(), key);
            assert_eq!(key.identity().to_string().parse::<KeyIdentity>().unwrap(), key.identity());
        }
    }

    #[test]
    fn key_form_for_what_is_no_key_of_ours() {
        let off_curve = {
            let mut point = TestKey::p256(1).public().raw().unwrap();
            point[64] ^= 1;
            point
        };
        let rsa = |modulus: &[u8], exponent: &[u8]| PublicKey::from_rsa_parts(modulus, exponent);
        let modulus = [&[0x80][..], &[1; 255]].concat();
        let p521 = AlgorithmIdentifierRef { oid: OID_EC, parameters: Some(AnyRef::from(&OID_SHA_512_CURVE)) };
        let table = [
            ("nothing", PublicKey::from_spki_der(&[])),
            (
                "trailing bytes",
                PublicKey::from_spki_der(&[TestKey::p256(1).public().spki_der(), &[0]].concat()),
            ),
            ("off the curve", PublicKey::from_ec_point(Algorithm::EcdsaP256, &off_curve)),
            ("at infinity", PublicKey::from_ec_point(Algorithm::EcdsaP256, &[0])),
            (
                "the other curve",
                PublicKey::from_ec_point(Algorithm::EcdsaP384, &TestKey::p256(1).public().raw().unwrap()),
            ),
            ("a point for Ed25519", PublicKey::from_ec_point(Algorithm::Ed25519, &[2; 33])),
            ("P-521", PublicKey::from_spki_der(&spki_der(p521, &[4; 133]).unwrap())),
            ("Ed25519 of 31 bytes", PublicKey::from_ed25519(&[1; 31])),
            ("Ed25519, the neutral point", PublicKey::from_ed25519(&hex(&format!("01{}", "00".repeat(31))))),
            (
                "Ed25519 of order 8",
                PublicKey::from_ed25519(&hex(
                    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                )),
            ),
            (
                "Ed25519 in a second encoding",
                PublicKey::from_ed25519(&hex(&format!("f0{}7f", "ff".repeat(30)))),
            ),
            ("RSA 1024", rsa(&[0x81; 128], &[1, 0, 1])),
            ("RSA 2047", rsa(&[&[0x7f][..], &[1; 255]].concat(), &[1, 0, 1])),
            ("RSA 16384", rsa(&[0x81; 2048], &[1, 0, 1])),
            ("RSA with e = 3", rsa(&modulus, &[3])),
            ("RSA with e = 65536", rsa(&modulus, &[1, 0, 0])),
            (
                "PEM of a private key",
                PublicKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            ),
            ("no PEM", PublicKey::from_pem("hello")),
        ];
        for (name, result) in table {
            assert_eq!(result.unwrap_err().rule().name, "KEY-FORM", "{name}");
        }
        assert!(rsa(&modulus, &[1, 0, 1]).is_ok());
    }

    const OID_SHA_512_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

    /// Ids as two other programs computed them: Notary's scoped id of a certificate's key.
    #[test]
    fn key_ids_are_the_digest_of_the_entry() {
        let entry = Json::parse(br#"{"keyval":{"public":"b","private":null},"keytype":"ecdsa"}"#).unwrap();
        let canonical = br#"{"keytype":"ecdsa","keyval":{"private":null,"public":"b"}}"#;
        assert_eq!(KeyId::computed(&entry).as_str(), Digest::of(canonical).hex());
        assert_eq!(KeyId::declared("a\nb").to_string(), "a\\u{a}b");
    }
}
