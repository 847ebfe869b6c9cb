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
use super::wire::{Quirk, Quirks};
use std::ops::Range;
use std::sync::Arc;

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
/// Only [`super::make`] and [`super::wire`] construct it, always by reading the bytes back. A copy
/// is the same payload once more: a document can be many megabytes, and is asked for everywhere.
#[derive(Debug, Clone)]
pub struct MetadataPayload {
    read: Arc<Read>,
}

#[derive(Debug)]
struct Read {
    profile: Profile,
    role: RoleName,
    bytes: Span,
    digest: Digest,
    document: Document,
    quirks: Box<[Quirk]>,
    roles: Places,
}

/// Where in a payload its delegations stand that were read plainly from there, by their order in it;
/// for any other an empty place. Small, since there can be thousands.
#[derive(Debug, Default)]
pub(in crate::tuf) struct Places(Box<[Range<u32>]>);

impl Places {
    /// Those; `plain` says of which delegations.
    pub(in crate::tuf) fn of(all: impl Iterator<Item = (Range<usize>, bool)>) -> Self {
        let small = |place: Range<usize>| Some(place.start.try_into().ok()?..place.end.try_into().ok()?);
        let one = |(place, plain)| Some(place).filter(|_| plain).and_then(small).unwrap_or_default();
        let all: Box<[_]> = all.map(one).collect();
        if all.iter().all(Range::is_empty) { Self::default() } else { Self(all) }
    }

    fn get(&self, at: usize) -> Option<Range<usize>> {
        let place = self.0.get(at).filter(|place| !place.is_empty())?;
        Some(place.start.try_into().ok()?..place.end.try_into().ok()?)
    }
}

/// Bytes within others that are kept anyway: the `signed` part within its file.
#[derive(Debug)]
pub(in crate::tuf) struct Span {
    whole: Arc<Vec<u8>>,
    place: Range<usize>,
}

impl Span {
    /// Those bytes of `whole`; nothing if they aren't there.
    pub(in crate::tuf) const fn within(whole: Arc<Vec<u8>>, place: Range<usize>) -> Self {
        Self { whole, place }
    }

    /// All of them.
    pub(in crate::tuf) fn all(whole: Vec<u8>) -> Self {
        Self { place: 0..whole.len(), whole: Arc::new(whole) }
    }

    pub(in crate::tuf) fn bytes(&self) -> &[u8] {
        self.whole.get(self.place.clone()).unwrap_or_default()
    }
}

impl PartialEq for MetadataPayload {
    fn eq(&self, other: &Self) -> bool {
        // What the view says follows from these three.
        let parts = |payload: &'_ Self| (payload.read.profile, payload.read.digest);
        Arc::ptr_eq(&self.read, &other.read)
            || (parts(self) == parts(other) && self.role() == other.role() && self.bytes() == other.bytes())
    }
}

impl Eq for MetadataPayload {}

impl MetadataPayload {
    /// For [`super::wire`] alone, which has just parsed `document` from `bytes`, with these quirks;
    /// `digest` is that of `bytes`.
    pub(in crate::tuf) fn parsed(
        profile: Profile,
        role: RoleName,
        (bytes, digest): (Span, Digest),
        document: Document,
        quirks: Quirks,
        roles: Places,
    ) -> Self {
        let quirks = quirks.into_iter().collect();
        Self { read: Arc::new(Read { profile, role, bytes, digest, document, quirks, roles }) }
    }

    /// The profile that it was read in.
    pub fn profile(&self) -> Profile {
        self.read.profile
    }

    /// The role that it is for.
    pub fn role(&self) -> &RoleName {
        &self.read.role
    }

    /// The bytes that are signed.
    pub fn bytes(&self) -> &[u8] {
        self.read.bytes.bytes()
    }

    /// SHA-256 of the bytes.
    pub fn digest(&self) -> Digest {
        self.read.digest
    }

    /// What the bytes say.
    pub fn document(&self) -> &Document {
        &self.read.document
    }

    /// Whether the view has any delegation, or hash bins.
    pub fn delegates(&self) -> bool {
        let delegations = self.document().as_targets().map(|targets| &targets.delegations);
        delegations.is_some_and(|all| !all.roles.is_empty() || all.succinct.is_some())
    }

    /// The text of the delegation at that place, if the view has it plainly from there.
    pub(in crate::tuf) fn plain_role(&self, at: usize) -> Option<&[u8]> {
        self.bytes().get(self.read.roles.get(at)?)
    }

    /// Where its delegations stand; none unless each was read plainly.
    pub(in crate::tuf) fn plain_roles(&self) -> Option<Vec<Range<usize>>> {
        (0..self.read.roles.0.len()).map(|at| self.read.roles.get(at)).collect()
    }

    /// Whether they say anything that the view doesn't.
    pub(in crate::tuf) fn says_more(&self) -> bool {
        self.quirks().contains(&Quirk::MemberUnknown)
    }

    /// How the signed part departs from what keyrite writes; sorted, each once.
    pub(in crate::tuf) fn quirks(&self) -> &[Quirk] {
        &self.read.quirks
    }

    /// The document's version.
    pub fn version(&self) -> u64 {
        self.read.document.header().version.get()
    }
}
