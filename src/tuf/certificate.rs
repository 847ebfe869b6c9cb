//! X.509 certificates of root keys in profile `notary`.

/// The to-be-signed part of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePayload {
    bytes: Vec<u8>,
}

impl CertificatePayload {
    /// The DER TBSCertificate.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
