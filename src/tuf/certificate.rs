//! X.509 certificates of root keys in profile `notary`.
//!
//! Notary names root keys by a certificate around them, whose only facts that count are the common
//! name (the collection), `CA:FALSE` and the dates (notary-v1 5). The token signs its own
//! certificate, so that nothing but the token ever vouched for the key; [`CertificatePayload`] is
//! the part it signs. No extended key usage, because a CA pin in clients fails on any that isn't
//! for servers. Ed25519 is refused: Notary can't read such a certificate.
//!
//! Never: a CA certificate, a chain, a negative or short serial number.

pub use super::leaf::{Leaf, leaf, not_after};

use super::key::{Algorithm, PublicKey, Scheme};
use super::payload::Payload;
use super::rule::{Refusal, Result};
use super::rules;
use super::text::{ours, visible};
use super::time::Time;
use super::verify::{self, Signature};
use der::asn1::{Any, BitString, ObjectIdentifier, OctetString, SetOfVec};
use der::flagset::FlagSet;
use der::{Decode, Encode, Tag};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Validity;

pub(super) const OID_COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const OID_BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const OID_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(super) const OID_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(super) const OID_ECDSA_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
pub(super) const OID_RSA_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
pub(super) const OID_ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
pub(super) const OID_ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
pub(super) const OID_RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
pub(super) const OID_RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const OID_MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const OID_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// The to-be-signed part of a certificate (RFC 5280 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePayload {
    public: PublicKey,
    common_name: String,
    not_before: Time,
    not_after: Time,
    bytes: Vec<u8>,
}

#[derive(der::Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: RdnSequence,
    validity: Validity,
    subject: RdnSequence,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(der::Sequence)]
pub(super) struct Assembled {
    pub(super) tbs_certificate: Any,
    signature_algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: BitString,
}

/// RSASSA-PSS-params (RFC 8017 A.2.3), the trailer field left at its default.
#[derive(der::Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt: u8,
}

/// A serial number of random bytes: the first two bits are set so that it is positive and never
/// shorter than 16 bytes (RFC 5280 4.1.2.2). Of its own result it makes the same again.
#[must_use]
pub fn serial(mut random: [u8; 16]) -> [u8; 16] {
    if let Some(first) = random.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    random
}

impl CertificatePayload {
    /// Builds every byte that the token signs. `serial` goes through [`serial`](self::serial()).
    ///
    /// # Errors
    ///
    /// `CERTIFICATE-KEY` for an Ed25519 key, `CERTIFICATE-NAME` for an empty name, `TEXT` for one
    /// with characters that can't be seen, `CERTIFICATE-TERM` unless `not_before` is earlier than
    /// `not_after`.
    pub fn new(
        public: PublicKey,
        common_name: &str,
        serial: [u8; 16],
        not_before: Time,
        not_after: Time,
    ) -> Result<Self> {
        ours("the collection", common_name)?;
        if common_name.is_empty() || common_name.len() > 255 {
            return Err(Refusal::new(
                &rules::CERTIFICATE_NAME,
                format!("a name of {} bytes", common_name.len()),
                "1 to 255 bytes",
            ));
        }
        if not_before >= not_after {
            return Err(Refusal::new(
                &rules::CERTIFICATE_TERM,
                format!("{not_before} to {not_after}"),
                "a last day after the first",
            ));
        }
        let name = name(common_name).map_err(|e| form(&e))?;
        let tbs = ToBeSigned {
            version: 2,
            serial_number: SerialNumber::new(&self::serial(serial)).map_err(|e| form(&e))?,
            signature: algorithm(public.algorithm())?,
            issuer: name.clone(),
            validity: Validity::new(moment(not_before)?, moment(not_after)?),
            subject: name,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(public.spki_der())
                .map_err(|e| form(&e))?,
            extensions: extensions().map_err(|e| form(&e))?,
        };
        let bytes = tbs.to_der().map_err(|e| form(&e))?;
        Ok(Self { public, common_name: common_name.to_owned(), not_before, not_after, bytes })
    }

    /// The DER TBSCertificate.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key inside, which also signs.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// How the key signs its certificate; the algorithm is named inside the signed part.
    pub const fn scheme(&self) -> Scheme {
        Scheme::of(self.public.algorithm())
    }

    /// The collection.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// From when it counts.
    pub const fn not_before(&self) -> Time {
        self.not_before
    }

    /// Until when it counts: the hard deadline of every root that rests on it (notary-v1 5).
    pub const fn not_after(&self) -> Time {
        self.not_after
    }

    /// The certificate in the only PEM form that Notary computes the same id for: LF line ends, a
    /// final newline. Read back and verified before it is returned.
    ///
    /// # Errors
    ///
    /// `SIGNATURE-WRONG` unless `signature` is this key's, over this very payload.
    pub fn assemble(&self, signature: &Signature) -> Result<String> {
        let payload = Payload::Certificate(self.clone());
        // Checked again, because it may be one over another payload, or by another scheme.
        Signature::check(&self.public, self.scheme(), &payload, signature.raw())?;
        let wire = match self.public.algorithm() {
            Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => verify::ecdsa_to_der(signature.raw())?,
            Algorithm::Ed25519 | Algorithm::Rsa => signature.raw().to_vec(),
        };
        let der = Assembled {
            tbs_certificate: Any::from_der(&self.bytes).map_err(|e| form(&e))?,
            signature_algorithm: algorithm(self.public.algorithm())?,
            signature: BitString::from_bytes(&wire).map_err(|e| form(&e))?,
        }
        .to_der()
        .map_err(|e| form(&e))?;
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let text = pem::encode_config(&pem::Pem::new("CERTIFICATE", der), config);
        let read = leaf(&text)?;
        let same = read.public == self.public
            && read.common_name.as_deref() == Some(self.common_name.as_str())
            && read.not_before == self.not_before
            && read.not_after == self.not_after
            && read.self_signed
            && !read.is_ca
            && text.ends_with("-----\n");
        if same { Ok(text) } else { Err(form(&"a certificate that reads back otherwise")) }
    }
}

fn name(common_name: &str) -> der::Result<RdnSequence> {
    let value = Any::new(Tag::Utf8String, common_name.as_bytes())?;
    let mut set = SetOfVec::new();
    set.insert(AttributeTypeAndValue { oid: OID_COMMON_NAME, value })?;
    Ok(RdnSequence::from(vec![RelativeDistinguishedName::from(set)]))
}

fn extensions() -> der::Result<Vec<Extension>> {
    let constraints = BasicConstraints { ca: false, path_len_constraint: None };
    let usage = KeyUsage(FlagSet::from(KeyUsages::DigitalSignature));
    let critical = |extn_id, value: Vec<u8>| -> der::Result<Extension> {
        Ok(Extension { extn_id, critical: true, extn_value: OctetString::new(value)? })
    };
    Ok(vec![
        critical(OID_KEY_USAGE, usage.to_der()?)?,
        critical(OID_BASIC_CONSTRAINTS, constraints.to_der()?)?,
    ])
}

fn algorithm(of: Algorithm) -> Result<AlgorithmIdentifierOwned> {
    let plain = |oid| AlgorithmIdentifierOwned { oid, parameters: None };
    match of {
        Algorithm::EcdsaP256 => Ok(plain(OID_ECDSA_SHA256)),
        Algorithm::EcdsaP384 => Ok(plain(OID_ECDSA_SHA384)),
        Algorithm::Rsa => pss().map_err(|e| form(&e)),
        Algorithm::Ed25519 => Err(Refusal::new(
            &rules::CERTIFICATE_KEY,
            "an Ed25519 key",
            "a root key of ECDSA or RSA: Notary reads no other in a certificate",
        )),
    }
}

fn pss() -> der::Result<AlgorithmIdentifierOwned> {
    let sha256 = AlgorithmIdentifierOwned { oid: OID_SHA256, parameters: Some(Any::null()) };
    let mask = AlgorithmIdentifierOwned { oid: OID_MGF1, parameters: Some(Any::encode_from(&sha256)?) };
    let parameters = PssParameters { hash: sha256, mask, salt: 32 };
    Ok(AlgorithmIdentifierOwned { oid: OID_RSA_PSS, parameters: Some(Any::encode_from(&parameters)?) })
}

/// UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5).
fn moment(time: Time) -> Result<x509_cert::time::Time> {
    let seconds = u64::try_from(time.unix()).map_err(|e| form(&e))?;
    der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))
        .map(x509_cert::time::Time::from)
        .map_err(|e| form(&e))
}

pub(super) fn form(found: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        &rules::CERTIFICATE_FORM,
        visible(&found.to_string()),
        "an X.509 certificate in PEM (RFC 5280)",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::test_keys::TestKey;

    const COLLECTION: &str = "updates.example.com/apps";

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn payload(key: &TestKey) -> Result<CertificatePayload> {
        let (from, to) = (time("2026-11-22T13:00:00Z"), time("2036-11-22T13:00:00Z"));
        CertificatePayload::new(key.public(), COLLECTION, [0xff; 16], from, to)
    }

    fn made(key: &TestKey) -> String {
        let payload = payload(key).unwrap();
        let signature = key.signature(payload.scheme(), &Payload::Certificate(payload.clone()));
        payload.assemble(&signature).unwrap()
    }

    #[test]
    fn a_certificate_of_every_kind_reads_back() {
        for key in [TestKey::p256(1), TestKey::p384(1), TestKey::rsa()] {
            let text = made(&key);
            assert!(text.ends_with("-----END CERTIFICATE-----\n") && !text.contains('\r'));
            let expected = Leaf {
                public: key.public(),
                common_name: Some(COLLECTION.to_owned()),
                not_before: time("2026-11-22T13:00:00Z"),
                not_after: time("2036-11-22T13:00:00Z"),
                is_ca: false,
                self_signed: true,
                extended_key_usage: false,
                certificates: 1,
                leaves: 1,
                sha1: false,
            };
            assert_eq!(leaf(&text).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_refused_before_a_token_signs() {
        let (from, to) = (time("2026-11-22T13:00:00Z"), time("2036-11-22T13:00:00Z"));
        let try_new = |key: TestKey, name: &str, from, to| {
            let made = CertificatePayload::new(key.public(), name, [1; 16], from, to);
            made.map_or_else(|e| e.rule().name, |_| "ok")
        };
        let table = [
            ("Ed25519", try_new(TestKey::ed25519(1), COLLECTION, from, to), "CERTIFICATE-KEY"),
            ("no name", try_new(TestKey::p256(1), "", from, to), "CERTIFICATE-NAME"),
            ("a long name", try_new(TestKey::p256(1), &"a".repeat(256), from, to), "CERTIFICATE-NAME"),
            ("a line break", try_new(TestKey::p256(1), "a\nb", from, to), "TEXT"),
            ("right to left", try_new(TestKey::p256(1), "a\u{202e}b", from, to), "TEXT"),
            ("ends before it begins", try_new(TestKey::p256(1), COLLECTION, to, from), "CERTIFICATE-TERM"),
            ("no time at all", try_new(TestKey::p256(1), COLLECTION, from, from), "CERTIFICATE-TERM"),
            ("commas and quotes", try_new(TestKey::p256(1), "a,O=b\"+C", from, to), "ok"),
        ];
        for (name, found, expected) in table {
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn only_its_own_keys_signature_over_itself_is_put_in() {
        let key = TestKey::p256(1);
        let own = payload(&key).unwrap();
        let foreign = TestKey::p256(2).signature(own.scheme(), &Payload::Certificate(own.clone()));
        let elsewhere = key.signature(
            own.scheme(),
            &Payload::Certificate(
                payload(&key)
                    .map(|mut p| {
                        p.bytes[20] ^= 1;
                        p
                    })
                    .unwrap(),
            ),
        );
        let p384 = payload(&TestKey::p384(1)).unwrap();
        let other_hash =
            TestKey::p384(1).signature(Scheme::EcdsaP384Sha256, &Payload::Certificate(p384.clone()));
        for refused in [own.assemble(&foreign), own.assemble(&elsewhere), p384.assemble(&other_hash)] {
            assert_eq!(refused.unwrap_err().rule().name, "SIGNATURE-WRONG");
        }
    }

    #[test]
    fn serial_numbers_are_positive_and_of_full_length() {
        for serial in [[0; 16], [0xff; 16], [0x80; 16]] {
            let made = super::serial(serial);
            assert!((0x40..0x80).contains(&made[0]));
            assert_eq!(super::serial(made), made);
        }
    }

    /// RFC 5280 4.1.2.5: a certificate with the wrong type of time is refused by strict readers.
    #[test]
    fn dates_change_their_type_in_2050() {
        for (date, tag) in [
            ("2049-12-31T23:59:59Z", b"\x17\x0d491231235959Z".as_slice()),
            ("2050-01-01T00:00:00Z", b"\x18\x0f20500101000000Z"),
        ] {
            let from = time("2026-11-22T13:00:00Z");
            let made =
                CertificatePayload::new(TestKey::p256(1).public(), "a", [1; 16], from, time(date)).unwrap();
            assert!(made.bytes().windows(tag.len()).any(|w| w == tag), "{date}");
        }
    }

    /// Certificates that another program made, accepted by a real server.
    #[test]
    fn others_certificates_are_read() {
        for n in 0..6 {
            let path =
                format!("{}/tests/fixtures/notary-threshold/keys/root{n}.crt", env!("CARGO_MANIFEST_DIR"));
            let read = leaf(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert_eq!(read.common_name.as_deref(), Some("updates.example.com/fleet-ed6a"));
            assert_eq!(read.not_after, time("2036-11-19T11:41:26Z"));
            assert!(read.self_signed && read.extended_key_usage && !read.is_ca);
        }
    }

    #[test]
    fn certificate_form_for_what_is_no_certificate() {
        let good = made(&TestKey::p256(1));
        let chain = format!("{good}{}", made(&TestKey::p384(1)));
        assert_eq!((leaf(&chain).unwrap().certificates, leaf(&chain).unwrap().leaves), (2, 2));
        assert_eq!(leaf(&chain).unwrap().public, TestKey::p256(1).public());
        let table = [
            ("nothing", String::new()),
            ("no PEM", "hello".to_owned()),
            ("a public key", TestKey::p256(1).public().spki_pem()),
            ("a key after it", format!("{good}{}", TestKey::p256(1).public().spki_pem())),
            ("not DER", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
        ];
        for (name, text) in table {
            assert_eq!(leaf(&text).unwrap_err().rule().name, "CERTIFICATE-FORM", "{name}");
        }
    }
}
