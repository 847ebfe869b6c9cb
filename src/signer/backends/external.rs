//! Keys that keyrite can't reach: Azure Key Vault, a cloud KMS, another tool.
//!
//! What is to be signed is handed out as files; a signature is taken back only if it verifies
//! with the key that the document lists.

use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::Result;
use crate::tuf::verify::Signature;

/// The files to hand out, by name: the payload, its digest (raw, SHA-256 or SHA-384 as the scheme
/// has it), the public key as PEM and a README with the exact commands for OpenSSL and Azure.
pub fn hand_out(payload: &Payload, public: &PublicKey, scheme: Scheme) -> Vec<(String, Vec<u8>)> {
    let _ = (payload, public, scheme);
    todo!()
}

/// The signature in `bytes`: raw r‖s or DER for ECDSA, raw for Ed25519 and RSA-PSS; also base64
/// or base64url of these, as services print it.
///
/// # Errors
///
/// `EXTERNAL-FORM` if it is nothing of these, `SIGNATURE-WRONG` if it does not verify.
pub fn take_back(bytes: &[u8], public: &PublicKey, scheme: Scheme, payload: &Payload) -> Result<Signature> {
    let _ = (bytes, public, scheme, payload);
    todo!()
}
