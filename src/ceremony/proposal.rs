//! What another change may be about: a change of the record that can be withdrawn, and by whom.
//!
//! Those withdraw who could have made it: a threshold, by the base, of the highest role that it
//! replaces. A root that is sealed already leaves the chain only if a threshold of its own keys says
//! so too: keys that it rotated out could otherwise take it back, and themselves in again. None
//! leaves that another root rests on, or that the backend was seen with: clients have it.

use super::change::{Change, Counts, Item};
use super::facts::Facts;
use super::thresholds::{self, root_signers};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::{Assumed, Trusted};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use crate::tuf::threshold::{Tally, tally};
use crate::tuf::time::Time;
use std::collections::BTreeSet;

/// A change with something to sign, as far as its withdrawal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// SHA-256 of its `change.json`.
    pub change: Digest,
    /// Its title.
    pub title: String,
    /// When it was planned.
    pub held_at: Time,
    /// Its documents: role, version, payload digest.
    pub documents: Vec<(RoleName, u64, Digest)>,
    /// The highest role that it replaces; none with statements only.
    pub highest: Option<RoleName>,
    /// The root that it makes.
    pub root: Option<MetadataPayload>,
    /// Whether the record holds its root fully signed, in the chain or in conflict with another.
    pub sealed: bool,
    /// Whether a withdrawal of it is in force.
    pub withdrawn: bool,
}

impl Proposal {
    /// What can be withdrawn of a change; nothing of one that nobody signs, or that withdraws.
    pub fn of(digest: Digest, change: &Change) -> Option<Self> {
        let withdraws = |item: &Item| matches!(item, Item::Statement { payload, .. } if matches!(payload.sentence(), Sentence::Withdrawal { .. }));
        if change.items.iter().all(|item| item.payload_bytes().is_none())
            || change.items.iter().any(withdraws)
        {
            return None;
        }
        let documents = change.documents().map(|d| (d.role().clone(), d.version(), d.digest()));
        Some(Self {
            change: digest,
            title: change.frame.title.clone(),
            held_at: change.frame.held_at,
            documents: documents.collect(),
            highest: highest(change).map(|d| d.role().clone()),
            root: change.documents().find(|d| *d.role() == RoleName::Root).cloned(),
            sealed: false,
            withdrawn: false,
        })
    }

    /// Its documents in words: `root 2, targets 5`; without one its title alone says what it is.
    pub fn words(&self) -> String {
        let words: Vec<_> =
            self.documents.iter().map(|(role, version, _)| format!("{role} {version}")).collect();
        if words.is_empty() { "statements".to_owned() } else { words.join(", ") }
    }

    /// As people tell it from others: title, day and documents, safe to show.
    pub fn describe(&self) -> String {
        format!("\"{}\" of {} ({})", visible(&self.title), self.held_at, self.words())
    }

    /// Whether it is past withdrawing: the backend was seen with it, or a newer root rests on it.
    pub fn late(&self, facts: &Facts) -> Option<String> {
        let published = |(_, _, payload): &(RoleName, u64, Digest)| facts.published.contains(payload);
        if !self.documents.is_empty() && self.documents.iter().all(published) {
            return Some("it is published: clients have it".to_owned());
        }
        let (root, newest) = (self.chained(facts)?, facts.roots.last()?);
        (newest.version() > root.version())
            .then(|| format!("root {} rests on its root {}", newest.version(), root.version()))
    }

    /// Its root in the trusted chain, if it is sealed.
    pub fn chained<'a>(&self, facts: &'a Facts) -> Option<&'a Trusted> {
        let own = self.root.as_ref()?.digest();
        facts.roots.iter().find(|root| root.payload().digest() == own)
    }

    /// The thresholds that a withdrawal must meet, with who of `signed` counts for each; none where
    /// the base is not in the record.
    pub(super) fn tallies(&self, facts: &Facts, signed: &BTreeSet<KeyIdentity>) -> Vec<(Counts, Tally)> {
        let evidence = Assumed(signed.clone());
        let own = |root: &MetadataPayload| {
            root_signers(root).map(|(keys, role)| tally(keys, role, root, &evidence))
        };
        if let Some(root) = &self.root {
            let before = root.version().checked_sub(1);
            let base = facts.roots.iter().find(|r| Some(r.version()) == before);
            let first = before == Some(0);
            let old = base.and_then(|base| own(base.payload())).map(|t| (Counts::Old, t));
            // Another of its version in the chain: this one may well be sealed in another copy.
            let taken = facts.roots.iter().any(|r| r.version() == root.version());
            let new = (first || self.sealed || taken).then(|| own(root)).flatten();
            if old.is_none() && !first {
                return Vec::new();
            }
            return old.into_iter().chain(new.map(|t| (Counts::New, t))).collect();
        }
        let role = self.highest.as_ref().unwrap_or(&RoleName::Root);
        let signers = thresholds::trusted(facts, role);
        // The document only tells the count which profile and role it is for.
        let document =
            facts.newest(role).or_else(|| facts.documents.values().next()).or_else(|| facts.roots.last());
        let both = signers.zip(document);
        both.map(|((keys, role), d)| (Counts::New, tally(keys, role, d.payload(), &evidence)))
            .into_iter()
            .collect()
    }
}

/// The highest document of a change: root over targets over a delegator over its delegation.
fn highest(change: &Change) -> Option<&MetadataPayload> {
    let targets = change.documents().filter_map(|d| d.document().as_targets());
    let below: BTreeSet<_> = targets.flat_map(|t| &t.delegations.roles).map(|role| &role.name).collect();
    change.documents().filter(|d| !below.contains(d.role())).min_by_key(|d| d.role())
}
