//! Documents as bytes: reading what others wrote, writing what we make, in a profile.
//!
//! What others signed is verified over the canonical form of the JSON as received, and is never
//! written again. Real writers depart from the specification; where the bytes still verify, that
//! is a [`Quirk`] with a name, kept and shown, never a refusal. What we write has one form, byte
//! for byte, and is read back before anyone sees it.
//!
//! Never: a key id believed, a member dropped, a document of ours with a quirk of our own making.

pub mod notary;
mod quirk;
pub mod tuf1;

pub use quirk::Quirk;

use super::document::{DocumentKey, Keys};
use super::key::{KeyId, PublicKey, Scheme};
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::Result;
use super::verify::Signature;

/// One entry of a document's `signatures`, believed in nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireSignature {
    /// The declared id of the key.
    pub keyid: KeyId,
    /// Profile `notary`: how it signs, in lower case.
    pub method: Option<String>,
    /// The bytes, decoded from hexadecimal or base64; none if that failed: kept, never counts.
    pub bytes: Option<Vec<u8>>,
}

/// A document's file, read: payload, signatures, quirks. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: MetadataPayload,
    signatures: Vec<WireSignature>,
    bytes: Vec<u8>,
    quirks: Vec<Quirk>,
}

impl Envelope {
    /// What is signed.
    pub const fn payload(&self) -> &MetadataPayload {
        &self.payload
    }

    /// Its signatures, in the file's order.
    pub fn signatures(&self) -> &[WireSignature] {
        &self.signatures
    }

    /// The whole file, as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it departs from what keyrite writes; sorted, each once.
    pub fn quirks(&self) -> &[Quirk] {
        &self.quirks
    }
}

/// Reads a document's file as real writers have them.
///
/// # Errors
///
/// `JSON`, `DOCUMENT-FORM`, `DOCUMENT-TYPE`, `SPEC-VERSION`, `DATE`.
pub fn parse(_profile: Profile, _role: &RoleName, _bytes: &[u8]) -> Result<Envelope> {
    todo!()
}

/// Reads one of our own payload files: canonical, and as [`super::make`] makes them.
///
/// # Errors
///
/// `PAYLOAD-FORM` if the bytes are not canonical; else as [`parse`] and [`super::make`].
pub fn read_payload(_profile: Profile, _role: &RoleName, _bytes: &[u8]) -> Result<MetadataPayload> {
    todo!()
}

/// The file of a payload with its signatures, byte for byte as the profile demands.
///
/// `keys` are the entries of every document that gives the signers ids: the delegator's, for a
/// root its own, its base's and historic ones. A signature is written once under every id that
/// `keys` gives its public key, sorted by id.
///
/// # Errors
///
/// `SEAL` if a signature is over another payload, of no listed key, or of another scheme.
pub fn seal(_payload: &MetadataPayload, _keys: &Keys, _signatures: &[Signature]) -> Result<Vec<u8>> {
    todo!()
}

/// A key as we write it: entry, computed id, scheme. `certificate` is one PEM block with LF line
/// ends and a final newline, in profile `notary` only.
///
/// # Errors
///
/// `KEY-FORM` if the certificate is for another key or has another form.
pub fn key_entry(_profile: Profile, _public: &PublicKey, _certificate: Option<&str>) -> Result<DocumentKey> {
    todo!()
}

/// How a key signs documents in a profile.
pub fn scheme(profile: Profile, public: &PublicKey) -> Scheme {
    match (profile, Scheme::of(public.algorithm())) {
        (Profile::Notary, Scheme::EcdsaP384Sha384) => Scheme::EcdsaP384Sha256,
        (_, scheme) => scheme,
    }
}

/// A signature as the profile has it: ECDSA as DER in `tuf`, as r‖s in `notary`; others as they are.
///
/// # Errors
///
/// `SIGNATURE-FORM` if it is no signature of that scheme.
pub fn signature_to_wire(_profile: Profile, _scheme: Scheme, _raw: &[u8]) -> Result<Vec<u8>> {
    todo!()
}

/// The reverse of [`signature_to_wire`].
///
/// # Errors
///
/// `SIGNATURE-FORM` as above.
pub fn signature_from_wire(_profile: Profile, _scheme: Scheme, _bytes: &[u8]) -> Result<Vec<u8>> {
    todo!()
}

/// Refuses a file that a Notary server would hash differently from what it serves: it makes the
/// snapshot over its own re-serialisation, answers 200, and no client can read the collection any
/// more (notary-v1 3.6).
///
/// # Errors
///
/// `NOTARY-BYTES` with the first difference.
pub fn poisonous(_bytes: &[u8]) -> Result<()> {
    todo!()
}
