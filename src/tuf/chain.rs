//! From a root to the documents that it leads to.
//!
//! A chain of roots starts at one that people know by its digest; each next one is signed by a
//! threshold of the one before and by its own (TUF 5.3). Versions go up by exactly one.

use super::digest::Digest;
use super::document::{Document, Keys, RoleKeys, Root};
use super::evidence::Trusted;
use super::role::RoleName;
use super::rule::Result;
use super::time::Time;
use super::wire::Envelope;

/// The payload digest of the newest root that a person knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Its version.
    pub version: u64,
    /// Its payload digest.
    pub payload: Digest,
}

/// A chain of trusted roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootChain {
    roots: Vec<Trusted>,
}

impl RootChain {
    /// A chain of one root, which its own keys have signed. That proves nothing yet: see
    /// [`Self::check_anchor`].
    ///
    /// # Errors
    ///
    /// `ROOT-THRESHOLD-NEW`.
    pub fn start(_first: Envelope) -> Result<Self> {
        todo!()
    }

    /// Adds the next root.
    ///
    /// # Errors
    ///
    /// `ROOT-VERSION` unless it is the next; then `ROOT-THRESHOLD-OLD` before
    /// `ROOT-THRESHOLD-NEW`: if both fall short, the custodians to call are the old ones, and a
    /// client would stop at the same check (TUF 5.3.4).
    pub fn push(&mut self, _next: Envelope) -> Result<()> {
        todo!()
    }

    /// Checks that the root which a person knows is in the chain.
    ///
    /// # Errors
    ///
    /// `ANCHOR` if that version isn't there or has another payload.
    pub fn check_anchor(&self, _anchor: &Anchor) -> Result<()> {
        todo!()
    }

    /// The newest root.
    pub fn latest(&self) -> &Trusted {
        todo!()
    }

    /// Every root, oldest first.
    pub fn all(&self) -> &[Trusted] {
        &self.roots
    }

    /// The roots, oldest first.
    pub fn into_all(self) -> Vec<Trusted> {
        self.roots
    }
}

/// Who may sign for `role`, as a delegator says, with the delegator's key entries: a root's for
/// the top-level roles, a targets document's for delegations, succinct bins too.
///
/// # Errors
///
/// `ROLE-UNDECLARED` if it doesn't list the role.
pub fn signers_of<'a>(_delegator: &'a Document, _role: &RoleName) -> Result<(&'a Keys, &'a RoleKeys)> {
    todo!()
}

/// Accepts a document of a role other than root, if the delegator's threshold signed it, and, if
/// `at` is given, it has not expired then.
///
/// # Errors
///
/// `ROLE-UNDECLARED`, `ROLE-THRESHOLD`, `EXPIRED`.
pub fn accept(
    _delegator: &Trusted,
    _role: &RoleName,
    _envelope: Envelope,
    _at: Option<Time>,
) -> Result<Trusted> {
    todo!()
}

/// Refuses a root whose thresholds are not met by planned signatures: `old` is the root before.
///
/// # Errors
///
/// As [`RootChain::push`].
pub fn check_root<E: super::evidence::Evidence + ?Sized>(
    _old: Option<&Root>,
    _next: &super::payload::MetadataPayload,
    _evidence: &E,
) -> Result<()> {
    todo!()
}
