//! Who is expected to sign, for walking clients over what nobody has signed yet.
//!
//! What a plan asks people to sign counts as signed by them; a planned file is one without signatures,
//! as [`crate::tuf::wire::seal`] makes it of none. Snapshot and timestamp count as signed by exactly
//! the keys that the backend will sign with, so that a client which still trusts an older root with
//! other backend keys refuses them here as it will out there. Every other signature is checked,
//! once: many clients read the same files.

use super::Judge;
use crate::tuf::digest::Digest;
use crate::tuf::document::{Keys, RoleKeys};
use crate::tuf::evidence::{Assumed, Checks, Evidence, Verified};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::wire::Envelope;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Who is to sign, by role and payload digest: two empty delegations are the same bytes.
pub type Signers = BTreeMap<(RoleName, Digest), BTreeSet<KeyIdentity>>;

/// Signatures as expected, or checked.
#[derive(Debug, Default)]
pub struct Expected {
    signers: Signers,
    /// The payloads of `signers`: of thousands that are asked about hardly any is planned.
    planned: BTreeSet<Digest>,
    online: RefCell<BTreeSet<KeyIdentity>>,
    known: RefCell<BTreeMap<Digest, Checks>>,
}

impl Expected {
    /// Who is to sign; every other payload's signatures are checked.
    pub fn new(signers: Signers) -> Self {
        let planned = signers.keys().map(|(_, payload)| *payload).collect();
        Self { signers, planned, ..Self::default() }
    }

    /// The payloads that are to be signed still.
    pub const fn planned(&self) -> &BTreeSet<Digest> {
        &self.planned
    }

    /// The keys with which the backend signs snapshot and timestamp from now on.
    pub fn online(&self, keys: BTreeSet<KeyIdentity>) {
        self.online.replace(keys);
    }

    /// What is known of a file's signatures already, for one that clients read again from its bytes.
    pub fn remember(&self, envelope: &Envelope) {
        if !envelope.known().is_empty() {
            self.known.borrow_mut().insert(Digest::of(envelope.bytes()), envelope.known().clone());
        }
    }
}

impl Judge for Expected {
    fn evidence<'a>(&'a self, envelope: &'a Envelope) -> Box<dyn Evidence + 'a> {
        let payload = envelope.payload();
        if payload.role().is_online() {
            return Box::new(Assumed(self.online.borrow().clone()));
        }
        if self.planned.contains(&payload.digest())
            && let Some(signers) = self.signers.get(&(payload.role().clone(), payload.digest()))
        {
            return Box::new(Assumed(signers.clone()));
        }
        // Everything asked of a trusted document was found out before, but by a new delegator.
        if !envelope.known().is_empty() {
            return Box::new(Verified::new(envelope));
        }
        let file = Digest::of(envelope.bytes());
        let known = self.known.borrow().get(&file).cloned().unwrap_or_default();
        let verified = Verified::knowing(envelope, known);
        Box::new(Remembered { verified: Some(verified), known: &self.known, file })
    }
}

/// Checks that are kept when they are done with.
struct Remembered<'a> {
    verified: Option<Verified<'a>>,
    known: &'a RefCell<BTreeMap<Digest, Checks>>,
    file: Digest,
}

impl Evidence for Remembered<'_> {
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity> {
        self.verified.as_ref().map(|v| v.signers(keys, role, payload)).unwrap_or_default()
    }
}

impl Drop for Remembered<'_> {
    fn drop(&mut self) {
        if let Some(verified) = self.verified.take() {
            self.known.borrow_mut().insert(self.file, verified.into_known());
        }
    }
}
