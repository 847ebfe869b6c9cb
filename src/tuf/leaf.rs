//! Certificates as others wrote them: what a PEM text says of its first one.
//!
//! Notary takes the key out of a certificate and looks at little else (notary-v1 5); what it does look at
//! is read here, and what a person may want to know. Nothing of it is believed: the document around it is
//! what is signed. All of it is reached through [`certificate`](super::certificate).

use super::certificate::{
    Assembled, OID_COMMON_NAME, OID_ECDSA_SHA1, OID_ECDSA_SHA256, OID_ECDSA_SHA384, OID_EXTENDED_KEY_USAGE,
    OID_RSA_PSS, OID_RSA_SHA1, OID_RSA_SHA256, form,
};
use super::key::{Algorithm, PublicKey, Scheme};
use super::rule::Result;
use super::time::Time;
use super::verify;
use der::{Decode, Encode};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::name::Name;

/// What a certificate says, as read from others' files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own (RFC 5280)")]
pub struct Leaf {
    /// The key inside.
    pub public: PublicKey,
    /// The subject's common name; none if it has none or more than one. Escape before showing.
    pub common_name: Option<String>,
    /// From when it counts.
    pub not_before: Time,
    /// Until when it counts.
    pub not_after: Time,
    /// Whether it says that it is a CA's; Notary refuses those for root.
    pub is_ca: bool,
    /// Whether its signature verifies with its own key. Notary never looks (notary-v1 5).
    pub self_signed: bool,
    /// Whether it limits its use by an extended key usage, which CA pins may refuse.
    pub extended_key_usage: bool,
    /// Certificates in the PEM text: 1, or more when a chain follows.
    pub certificates: usize,
    /// Those of them that are no CA's; Notary wants one, and that it is the first.
    pub leaves: usize,
    /// Whether it is signed over SHA-1, which Notary refuses.
    pub sha1: bool,
}

/// Until when the leaf certificate counts, the first of a PEM text; nothing else of it is looked at.
///
/// # Errors
///
/// `CERTIFICATE-FORM` if there is none or it can't be read.
pub fn not_after(text: &str) -> Result<Time> {
    let block = pem::parse(text).map_err(|e| form(&e))?;
    let certificate = x509_cert::Certificate::from_der(block.contents()).map_err(|e| form(&e))?;
    read_moment(&certificate.tbs_certificate().validity().not_after)
}

/// Reads the leaf certificate, the first of a PEM text.
///
/// # Errors
///
/// `CERTIFICATE-FORM` if there is none or it can't be read, `KEY-FORM` if its key is of no kind
/// that keyrite knows.
pub fn leaf(text: &str) -> Result<Leaf> {
    let blocks = pem::parse_many(text).map_err(|e| form(&e))?;
    if blocks.iter().any(|b| b.tag() != "CERTIFICATE") {
        return Err(form(&"a PEM block that is no certificate"));
    }
    let first = blocks.first().ok_or_else(|| form(&"no PEM block"))?;
    let certificate = x509_cert::Certificate::from_der(first.contents()).map_err(|e| form(&e))?;
    let tbs = certificate.tbs_certificate();
    let spki = tbs.subject_public_key_info().to_der().map_err(|e| form(&e))?;
    let public = PublicKey::from_spki_der(&spki)?;
    let is_ca = is_ca(&certificate)?;
    let mut leaves = usize::from(!is_ca);
    for block in blocks.iter().skip(1) {
        let other = x509_cert::Certificate::from_der(block.contents()).map_err(|e| form(&e))?;
        leaves = leaves.saturating_add(usize::from(!self::is_ca(&other)?));
    }
    let extended_key_usage =
        tbs.extensions().is_some_and(|all| all.iter().any(|e| e.extn_id == OID_EXTENDED_KEY_USAGE));
    Ok(Leaf {
        self_signed: signed_by(&certificate, first.contents(), &public),
        common_name: common_name(tbs.subject()),
        not_before: read_moment(&tbs.validity().not_before)?,
        not_after: read_moment(&tbs.validity().not_after)?,
        is_ca,
        extended_key_usage,
        certificates: blocks.len(),
        leaves,
        sha1: [OID_ECDSA_SHA1, OID_RSA_SHA1].contains(&certificate.signature_algorithm().oid),
        public,
    })
}

fn is_ca(certificate: &x509_cert::Certificate) -> Result<bool> {
    let found = certificate.tbs_certificate().get_extension::<BasicConstraints>();
    Ok(found.map_err(|e| form(&e))?.is_some_and(|(_, constraints)| constraints.ca))
}

fn signed_by(certificate: &x509_cert::Certificate, der: &[u8], public: &PublicKey) -> bool {
    // The signed bytes as received, not as this library would write them again.
    let Ok(parts) = Assembled::from_der(der) else { return false };
    let (Ok(message), Some(wire)) = (parts.tbs_certificate.to_der(), parts.signature.as_bytes()) else {
        return false;
    };
    let oid = certificate.signature_algorithm().oid;
    let ecdsa = |scheme: Scheme| {
        verify::ecdsa_from_der(wire, public.algorithm())
            .is_ok_and(|raw| verify::verifies(public, scheme, &message, &raw))
    };
    match (oid, public.algorithm()) {
        (OID_ECDSA_SHA256, Algorithm::EcdsaP256) => ecdsa(Scheme::EcdsaP256Sha256),
        (OID_ECDSA_SHA256, Algorithm::EcdsaP384) => ecdsa(Scheme::EcdsaP384Sha256),
        (OID_ECDSA_SHA384, Algorithm::EcdsaP384) => ecdsa(Scheme::EcdsaP384Sha384),
        (OID_RSA_PSS, Algorithm::Rsa) => verify::verifies(public, Scheme::RsaPssSha256, &message, wire),
        (OID_RSA_SHA256, Algorithm::Rsa) => verify::verifies(public, Scheme::RsaPkcs1Sha256, &message, wire),
        _ => false,
    }
}

fn common_name(name: &Name) -> Option<String> {
    let mut found = name.iter().filter(|a| a.oid == OID_COMMON_NAME);
    match (found.next(), found.next()) {
        (Some(only), None) => std::str::from_utf8(only.value.value()).ok().map(str::to_owned),
        _ => None,
    }
}

fn read_moment(time: &x509_cert::time::Time) -> Result<Time> {
    i64::try_from(time.to_unix_duration().as_secs()).map_err(|e| form(&e)).and_then(Time::from_unix)
}
