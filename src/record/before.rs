//! The trust as it stood before a change was sealed.
//!
//! Once its documents are in the record, the trust already is what the change makes of it. Whoever
//! seals it again, or hands it over after a session was cut off, has to judge it once more from
//! where clients stand, and they have seen none of it.
//!
//! Never: a guess. What a change replaced is found by the digests that its base names; where
//! something newer rests on the change, there is no before any more.

use super::Contents;
use crate::ceremony::change::Change;
use crate::ceremony::facts::Facts;
use crate::tuf::chain::accept;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use std::borrow::Cow;
use std::collections::BTreeSet;

impl Contents {
    /// What ceremonies knew before anything of a change was sealed; none if a newer document has
    /// taken the place of one of its own, which clients go on to in any case.
    pub fn before(&self, change: &Change) -> Option<Cow<'_, Facts>> {
        // What a key that was given up has sealed, above what its role has, nobody stands on.
        let known = |document: &&MetadataPayload| {
            let newest = self.facts.newest(document.role());
            self.facts.history.contains(&document.digest())
                && newest.is_none_or(|newest| newest.version() >= document.version())
        };
        let sealed: BTreeSet<Digest> =
            change.documents().filter(known).map(MetadataPayload::digest).collect();
        if sealed.is_empty() {
            return Some(Cow::Borrowed(&self.facts));
        }
        let newest = |document: &MetadataPayload| {
            let newest = self.facts.newest(document.role());
            newest.is_some_and(|newest| newest.payload().digest() == document.digest())
        };
        if !change.documents().filter(known).all(newest) {
            return None;
        }
        let mut facts = self.facts.clone();
        let others = |held: &Trusted| !sealed.contains(&held.payload().digest());
        facts.roots.retain(others);
        facts.documents.retain(|_, held| others(held));
        facts.history.retain(|digest| !sealed.contains(digest));
        for (role, (_, payload)) in &change.base.documents {
            if let Some(replaced) = self.replaced.get(payload).filter(|_| *role != RoleName::Root) {
                facts.documents.entry(role.clone()).or_insert_with(|| replaced.clone());
            }
        }
        // What the change has taken the ground from stood on what it replaced.
        let left: Vec<_> = facts.unvouched.values().cloned().collect();
        for held in left {
            let vouches = |by: &Trusted| {
                by.document().as_targets().is_some()
                    && accept(by, held.role(), held.envelope().clone(), None).is_ok()
            };
            if !facts.documents.contains_key(held.role()) && facts.documents.values().any(vouches) {
                facts.documents.insert(held.role().clone(), held);
            }
        }
        Some(Cow::Owned(facts))
    }
}
