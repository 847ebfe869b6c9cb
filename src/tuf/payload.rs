//! Payloads: the exact bytes that a key signs.
//!
//! A closed set, made only in this layer, so that no other code can have a token sign bytes of its
//! own (threats T36): metadata that our parser has read back, a certificate's to-be-signed part,
//! and statements, which no client takes for metadata and which are bound to kind and trust.

use super::certificate::CertificatePayload;
use super::digest::Digest;
use super::document::Document;
use super::profile::Profile;
use super::role::RoleName;
use super::statement::Statement;

/// What a key may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The canonical `signed` part of a document.
    Metadata(MetadataPayload),
    /// The DER TBSCertificate of a root key's certificate (RFC 5280 4.1).
    Certificate(CertificatePayload),
    /// A sentence of keyrite's own.
    Statement(Statement),
}

impl Payload {
    /// The bytes that are signed.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Metadata(m) => m.bytes(),
            Self::Certificate(c) => c.bytes(),
            Self::Statement(s) => s.bytes(),
        }
    }

    /// SHA-256 of the bytes: what people compare and what files are named by.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Metadata(m) => m.digest(),
            Self::Certificate(_) | Self::Statement(_) => Digest::of(self.bytes()),
        }
    }
}

/// The canonical `signed` part of a document, with the view that our parser has of it.
///
/// Only [`super::make`] and [`super::wire`] construct it, always by reading the bytes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataPayload {
    profile: Profile,
    role: RoleName,
    bytes: Vec<u8>,
    // Asked for at every step of a ceremony, and a document can be many megabytes.
    digest: Digest,
    document: Document,
}

impl MetadataPayload {
    /// For [`super::wire`] alone, which has just parsed `document` from `bytes`.
    pub(in crate::tuf) fn parsed(
        profile: Profile,
        role: RoleName,
        bytes: Vec<u8>,
        document: Document,
    ) -> Self {
        Self { profile, role, digest: Digest::of(&bytes), bytes, document }
    }

    /// The profile that it was read by.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The role it is for.
    pub const fn role(&self) -> &RoleName {
        &self.role
    }

    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The view.
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.document.header().version.get()
    }
}
