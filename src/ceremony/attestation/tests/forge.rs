//! Devices that don't exist: chains like their vendors', under roots that are named SIMULATED.

use super::super::claims::Product;
use super::super::{Anchors, Key, Verdict};
use crate::tuf::key::{Algorithm, PublicKey, Scheme};
use crate::tuf::test_keys::TestKey;
use crate::tuf::time::Time;
use crate::tuf::verify;
use der::asn1::{Any, BitString, ObjectIdentifier, OctetString, SetOfVec};
use der::{Decode, Encode, Tag};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::time::Validity;

pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const KEY_USAGE: &str = "2.5.29.15";

#[derive(der::Sequence)]
struct Inner {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Any,
    algorithm: AlgorithmIdentifierOwned,
    issuer: RdnSequence,
    validity: Validity,
    subject: RdnSequence,
    key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(der::Sequence)]
struct Outer {
    tbs: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A certificate before it is signed.
#[derive(Clone)]
pub struct Blank {
    pub version: u8,
    pub subject: String,
    pub issuer: String,
    pub from: &'static str,
    pub until: &'static str,
    pub public: PublicKey,
    /// Number, critical, bytes.
    pub extensions: Vec<(String, bool, Vec<u8>)>,
    /// Another signature algorithm inside than outside.
    pub two_algorithms: bool,
}

impl Blank {
    pub fn new(subject: &str, issuer: &str, key: &TestKey) -> Self {
        Self {
            version: 2,
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            from: "2024-12-01T00:00:00Z",
            until: "9999-12-31T23:59:59Z",
            public: key.public(),
            extensions: Vec::new(),
            two_algorithms: false,
        }
    }

    /// The same as an authority's.
    pub fn authority(mut self, room: u8) -> Self {
        self.set(BASIC_CONSTRAINTS, vec![0x30, 6, 1, 1, 0xff, 2, 1, room]);
        self
    }

    /// Puts an extension in the place of the one of its number, or takes that out if it is empty.
    pub fn set(&mut self, number: &str, bytes: Vec<u8>) {
        self.extensions.retain(|(other, _, _)| other != number);
        if !bytes.is_empty() {
            self.extensions.push((number.to_owned(), number.starts_with("2.5."), bytes));
        }
    }

    /// Signed by `key`.
    pub fn signed(&self, key: &TestKey) -> Vec<u8> {
        let (scheme, oid) = match key {
            TestKey::Rsa(_) => (Scheme::RsaPkcs1Sha256, "1.2.840.113549.1.1.11"),
            TestKey::P384(_) => (Scheme::EcdsaP384Sha384, "1.2.840.10045.4.3.3"),
            _ => (Scheme::EcdsaP256Sha256, "1.2.840.10045.4.3.2"),
        };
        let algorithm =
            |oid| AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters: None };
        let extension = |(number, critical, bytes): &(String, bool, Vec<u8>)| Extension {
            extn_id: ObjectIdentifier::new(number).unwrap(),
            critical: *critical,
            extn_value: OctetString::new(bytes.clone()).unwrap(),
        };
        let inside = if self.two_algorithms { "1.2.840.10045.4.3.4" } else { oid };
        let tbs = Inner {
            version: self.version,
            serial: Any::new(Tag::Integer, [0x90, 1, 2]).unwrap(),
            algorithm: algorithm(inside),
            issuer: name(&self.issuer),
            validity: Validity::new(moment(self.from), moment(self.until)),
            subject: name(&self.subject),
            key: SubjectPublicKeyInfoOwned::from_der(self.public.spki_der()).unwrap(),
            extensions: self.extensions.iter().map(extension).collect(),
        };
        let signed = tbs.to_der().unwrap();
        let raw = key.sign(scheme, &signed);
        let wire =
            if scheme.algorithm() == Algorithm::Rsa { raw } else { verify::ecdsa_to_der(&raw).unwrap() };
        let outer = Outer {
            tbs: Any::from_der(&signed).unwrap(),
            algorithm: algorithm(oid),
            signature: BitString::from_bytes(&wire).unwrap(),
        };
        outer.to_der().unwrap()
    }
}

fn name(common_name: &str) -> RdnSequence {
    let value = Any::new(Tag::Utf8String, common_name.as_bytes()).unwrap();
    let mut set = SetOfVec::new();
    set.insert(AttributeTypeAndValue { oid: ObjectIdentifier::new_unwrap("2.5.4.3"), value }).unwrap();
    RdnSequence::from(vec![RelativeDistinguishedName::from(set)])
}

fn moment(text: &str) -> x509_cert::time::Time {
    let seconds = u64::try_from(text.parse::<Time>().unwrap().unix()).unwrap();
    der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).unwrap().into()
}

/// A device under a SIMULATED root, its certificates not signed yet, and what the record has of its
/// key. As made, everything about it is right.
pub struct Device {
    pub product: Product,
    pub through: Option<&'static str>,
    /// From the key's to the root.
    pub blanks: Vec<Blank>,
    /// Who signs each of them.
    pub signers: Vec<TestKey>,
    /// How many of them the device hands over.
    pub given: usize,
    pub public: PublicKey,
    pub serial: String,
    pub exportable_under: Option<String>,
    pub at: Option<Time>,
}

/// The key of every device here.
pub fn key() -> TestKey {
    TestKey::p256(1)
}

impl Device {
    /// A YubiKey 5.7 whose slot 9c has a key.
    pub fn yubikey() -> Self {
        let [issuer, device] = ["Yubico PIV Attestation SIMULATED", "Yubico PIV Attestation"];
        let root = "SIMULATED Yubico Attestation Root";
        let mut own = Blank::new("YubiKey PIV Attestation 9c", device, &key());
        own.set("1.3.6.1.4.1.41482.3.3", vec![5, 7, 4]);
        own.set("1.3.6.1.4.1.41482.3.7", vec![2, 4, 1, 0xc9, 0xc3, 0x80]);
        own.set("1.3.6.1.4.1.41482.3.8", vec![3, 2]);
        own.set("1.3.6.1.4.1.41482.3.9", vec![3]);
        let mut f9 = Blank::new(device, issuer, &TestKey::rsa()).authority(0);
        f9.set("1.3.6.1.4.1.41482.3.3", vec![5, 7, 4]);
        let blanks = vec![
            own,
            f9,
            Blank::new(issuer, root, &TestKey::p384(2)).authority(1),
            Blank::new(root, root, &TestKey::p256(3)).authority(2),
        ];
        let signers = vec![TestKey::rsa(), TestKey::p384(2), TestKey::p256(3), TestKey::p256(3)];
        Self::of(Product::YubiKey, Some("Yubico PIV Attestation "), blanks, signers, "30000000")
    }

    /// A YubiHSM 2.4 with a key of one domain.
    pub fn yubihsm() -> Self {
        let (device, issuer) = ("YubiHSM Attestation (7550009)", "SIMULATED YubiHSM 1 Sub-CA");
        let root = "SIMULATED YubiHSM Root CA";
        let mut own = Blank::new("YubiHSM Attestation id:0x0102", device, &key());
        own.set("1.3.6.1.4.1.41482.4.1", vec![4, 3, 2, 4, 1]);
        own.set("1.3.6.1.4.1.41482.4.2", vec![2, 3, 0x73, 0x34, 0x39]);
        own.set("1.3.6.1.4.1.41482.4.3", vec![3, 2, 0, 1]);
        own.set("1.3.6.1.4.1.41482.4.4", vec![3, 3, 0, 0, 1]);
        own.set("1.3.6.1.4.1.41482.4.5", vec![3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        own.set("1.3.6.1.4.1.41482.4.6", vec![2, 2, 1, 2]);
        own.set("1.3.6.1.4.1.41482.4.9", b"\x0c\x06root-a".to_vec());
        let mut preloaded = Blank::new(device, issuer, &TestKey::p256(12));
        preloaded.set("1.3.6.1.4.1.41482.4.2", vec![2, 3, 0x73, 0x34, 0x39]);
        let blanks = vec![
            own,
            preloaded,
            Blank::new(issuer, root, &TestKey::rsa()).authority(1),
            Blank::new(root, root, &TestKey::p256(14)).authority(2),
        ];
        let signers = vec![TestKey::p256(12), TestKey::rsa(), TestKey::p256(14), TestKey::p256(14)];
        Self::of(Product::YubiHsm, None, blanks, signers, "07550009")
    }

    fn of(
        product: Product,
        through: Option<&'static str>,
        blanks: Vec<Blank>,
        signers: Vec<TestKey>,
        serial: &str,
    ) -> Self {
        let at = Some("2026-11-22T13:00:00Z".parse().unwrap());
        let (public, serial) = (key().public(), serial.to_owned());
        Self { product, through, blanks, signers, given: 3, public, serial, exportable_under: None, at }
    }

    /// The certificates that it hands over.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        let all = self.blanks.iter().zip(&self.signers).map(|(blank, key)| blank.signed(key));
        all.take(self.given).collect()
    }

    /// The pinned roots and its own.
    pub fn anchors(&self) -> Anchors {
        let root = self.blanks.last().unwrap().signed(self.signers.last().unwrap());
        Anchors::pinned().and(self.product, self.through, &root).unwrap()
    }

    /// What is made of it.
    pub fn judged(&self) -> Verdict {
        self.judged_of(&self.certificates())
    }

    /// The same of other certificates.
    pub fn judged_of(&self, certificates: &[Vec<u8>]) -> Verdict {
        let key = Key {
            public: &self.public,
            token: "pkcs11",
            serial: &self.serial,
            certificates: certificates.iter().map(Vec::as_slice).collect(),
            exportable_under: self.exportable_under.as_deref(),
            at: self.at,
        };
        key.judge(&self.anchors())
    }
}
