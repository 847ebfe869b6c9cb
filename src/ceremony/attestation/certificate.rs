//! One X.509 certificate of an attestation, read strictly.
//!
//! The certificates are a vendor's or a device's, with habits of their own: YubiKeys put bare bytes
//! where RFC 5280 has DER, their vendor leaves out key identifiers, writes dates to the year 9999
//! and sometimes no parameters beside an RSA signature's name. None of that matters here; what does
//! is read once, from DER and nothing looser, and what was signed is checked over the very bytes
//! that came.
//!
//! Never: a certificate of another version than 3, with one extension twice, or with a critical one
//! that is not understood.

use super::rules;
use crate::tuf::key::{Algorithm, PublicKey, Scheme};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::tuf::verify;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode, Tag, Tagged};
use spki::AlgorithmIdentifierRef;
use std::collections::BTreeMap;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::RdnSequence;
use x509_cert::time::Validity;

const OID_COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const OID_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const OID_BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const OID_ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const OID_ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const OID_RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

#[derive(der::Sequence)]
struct Outer<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// TBSCertificate (RFC 5280 4.1) without the unique ids that nobody uses.
#[derive(der::Sequence)]
struct Inner<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    // Random bytes in vendors' certificates; nothing is looked up by it.
    serial: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// What is used of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    signed: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
    /// The issuer's name in DER.
    pub issuer: Vec<u8>,
    /// The subject's name in DER.
    pub subject: Vec<u8>,
    /// The subject's common name; none if it has none or more than one. Escape before showing.
    pub common_name: Option<String>,
    /// From when it counts.
    pub not_before: Time,
    /// Until when it counts.
    pub not_after: Time,
    /// The key inside, a SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
    /// Whether it says that it may issue certificates.
    pub is_ca: bool,
    /// How many issuers may stand between it and the key's certificate, if it says.
    pub path_length: Option<u8>,
    extensions: BTreeMap<ObjectIdentifier, Vec<u8>>,
}

impl Certificate {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// `ATTESTATION-FORM`.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let outer = Outer::from_der(der).map_err(|e| form(&e))?;
        let signed = outer.tbs.to_der().map_err(|e| form(&e))?;
        let inner = Inner::from_der(&signed).map_err(|e| form(&e))?;
        if inner.version != 2 || inner.serial.tag() != Tag::Integer {
            return Err(form(&"a certificate of another version than 3, or whose serial is no number"));
        }
        if inner.algorithm != outer.algorithm {
            return Err(form(&"two signature algorithms in one certificate"));
        }
        let mut extensions = BTreeMap::new();
        for extension in inner.extensions {
            let oid = extension.extn_id;
            if extension.critical && ![OID_BASIC_CONSTRAINTS, OID_KEY_USAGE].contains(&oid) {
                return Err(form(&format!("a critical extension {oid}")));
            }
            if extensions.insert(oid, extension.extn_value.as_bytes().to_vec()).is_some() {
                return Err(form(&format!("the extension {oid} twice")));
            }
        }
        let constraints: Option<BasicConstraints> = read(&extensions, OID_BASIC_CONSTRAINTS)?;
        let usage: Option<KeyUsage> = read(&extensions, OID_KEY_USAGE)?;
        let may_issue = usage.is_none_or(|usage| usage.0.contains(KeyUsages::KeyCertSign));
        let name = RdnSequence::from_der(&bytes(inner.subject)?).map_err(|e| form(&e))?;
        Ok(Self {
            algorithm: outer.algorithm.oid,
            signature: outer.signature.as_bytes().ok_or_else(|| form(&"a signature of odd bits"))?.to_vec(),
            issuer: bytes(inner.issuer)?,
            subject: bytes(inner.subject)?,
            common_name: common_name(&name),
            not_before: moment(inner.validity.not_before)?,
            not_after: moment(inner.validity.not_after)?,
            spki: bytes(inner.key)?,
            is_ca: may_issue && constraints.as_ref().is_some_and(|c| c.ca),
            path_length: constraints.and_then(|c| c.path_len_constraint),
            extensions,
            signed,
        })
    }

    /// The bytes of an extension: DER, but where the vendor puts bare bytes.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions.get(&oid).map(Vec::as_slice)
    }

    /// Whether it has an extension below `arc`.
    pub fn speaks(&self, arc: ObjectIdentifier) -> bool {
        self.extensions.keys().any(|oid| oid.parent() == Some(arc))
    }

    /// Whether `issuer` is named as its issuer and the signature verifies with that one's key.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        self.issuer == issuer.subject
            && PublicKey::from_spki_der(&issuer.spki).is_ok_and(|public| self.is_signed_by(&public))
    }

    fn is_signed_by(&self, public: &PublicKey) -> bool {
        let ecdsa = |scheme: Scheme| {
            verify::ecdsa_from_der(&self.signature, public.algorithm())
                .is_ok_and(|raw| verify::verifies(public, scheme, &self.signed, &raw))
        };
        match (self.algorithm, public.algorithm()) {
            (OID_ECDSA_SHA256, Algorithm::EcdsaP256) => ecdsa(Scheme::EcdsaP256Sha256),
            (OID_ECDSA_SHA256, Algorithm::EcdsaP384) => ecdsa(Scheme::EcdsaP384Sha256),
            (OID_ECDSA_SHA384, Algorithm::EcdsaP384) => ecdsa(Scheme::EcdsaP384Sha384),
            (OID_RSA_SHA256, Algorithm::Rsa) => {
                verify::verifies(public, Scheme::RsaPkcs1Sha256, &self.signed, &self.signature)
            }
            _ => false,
        }
    }

    /// Its name, to show.
    pub fn name(&self) -> String {
        self.common_name.as_deref().map_or_else(|| "no name".to_owned(), |n| format!("\"{}\"", visible(n)))
    }
}

fn bytes(any: AnyRef<'_>) -> Result<Vec<u8>> {
    any.to_der().map_err(|e| form(&e))
}

fn read<T: for<'a> Decode<'a, Error = der::Error>>(
    extensions: &BTreeMap<ObjectIdentifier, Vec<u8>>,
    oid: ObjectIdentifier,
) -> Result<Option<T>> {
    extensions.get(&oid).map(|der| T::from_der(der)).transpose().map_err(|e| form(&e))
}

fn common_name(name: &RdnSequence) -> Option<String> {
    let mut found = name
        .iter()
        .flat_map(x509_cert::name::RelativeDistinguishedName::iter)
        .filter(|a| a.oid == OID_COMMON_NAME);
    match (found.next(), found.next()) {
        (Some(only), None) => std::str::from_utf8(only.value.value()).ok().map(str::to_owned),
        _ => None,
    }
}

fn moment(time: x509_cert::time::Time) -> Result<Time> {
    i64::try_from(time.to_unix_duration().as_secs()).map_err(|e| form(&e)).and_then(Time::from_unix)
}

/// `ATTESTATION-FORM`.
pub(super) fn form(found: &dyn std::fmt::Display) -> Refusal {
    let expected = "X.509 certificates in DER (RFC 5280), as the device's vendor makes them";
    Refusal::new(&rules::ATTESTATION_FORM, visible(&found.to_string()), expected)
}
