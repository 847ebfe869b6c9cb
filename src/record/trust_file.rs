//! `trust.json`: what a trust is, made once.

use crate::ceremony::facts::{Stage, Trust};
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;

/// `trust.json`: the trust, and the nonce that makes its id one of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    trust: Trust,
    nonce: [u8; 32],
}

impl TrustFile {
    /// A new trust. `nonce` is drawn by the caller.
    ///
    /// # Errors
    ///
    /// `TEXT` for a collection that can't be shown; `RECORD-MEMBER` if a rehearsal's collection
    /// doesn't start with `rehearsal.invalid/`, or a production's does.
    pub fn new(profile: Profile, collection: &str, stage: Stage, nonce: [u8; 32]) -> Result<Self> {
        let _ = (profile, collection, stage, nonce);
        todo!()
    }

    /// Reads `trust.json`.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`; `RECORD-OTHER` if the id doesn't commit to the rest.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let _ = bytes;
        todo!()
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }

    /// The trust.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }
}
