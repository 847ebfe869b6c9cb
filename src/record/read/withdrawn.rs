//! Sealed documents that were withdrawn: kept in the record, and trusted no more.
//!
//! A root that the backend turned away would else stand in the way of the next one of its version
//! for good. What the backend was seen with stays, whatever was said of it: clients have it.

use super::met;
use super::statements::{Said, root_met};
use crate::ceremony::proposal::Proposal;
use crate::record::contents::StoredChange;
use crate::tuf::chain::{Anchor, signers_of};
use crate::tuf::digest::Digest;
use crate::tuf::document::MetaFile;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::{BTreeMap, BTreeSet};

/// A document that was left out.
struct Left {
    role: RoleName,
    version: u64,
    file: Digest,
    payload: Digest,
}

/// What was withdrawn, and what follows for the documents.
pub(super) struct Withdrawn<'k> {
    /// Changes of which somebody wants the withdrawal: the highest role, and who signed.
    wanted: BTreeMap<Digest, (RoleName, BTreeSet<KeyIdentity>)>,
    /// Which changes made a payload.
    makers: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Those whose withdrawal counts.
    gone: BTreeSet<Digest>,
    left: Vec<Left>,
    /// Payloads that are known to be published.
    published: &'k BTreeSet<Digest>,
}

impl<'k> Withdrawn<'k> {
    /// What statements want withdrawn, of the changes here.
    pub(super) fn new(
        said: &Said,
        changes: &BTreeMap<Digest, StoredChange>,
        published: &'k BTreeSet<Digest>,
    ) -> Self {
        let mut new = Self {
            wanted: BTreeMap::new(),
            makers: BTreeMap::new(),
            gone: BTreeSet::new(),
            left: Vec::new(),
            published,
        };
        for (statement, signers) in said.all(|s| matches!(s, Sentence::Withdrawal { .. })) {
            let Sentence::Withdrawal { change: digest, .. } = statement.sentence() else { continue };
            let Some(stored) = changes.get(digest) else { continue };
            let highest = Proposal::of(*digest, &stored.change).and_then(|proposal| proposal.highest);
            let Some(highest) = highest else { continue };
            new.wanted.entry(*digest).or_insert_with(|| (highest, BTreeSet::new())).1.extend(signers);
        }
        if new.wanted.is_empty() {
            return new;
        }
        for (digest, stored) in changes {
            for document in stored.change.documents() {
                new.makers.entry(document.digest()).or_default().insert(*digest);
            }
        }
        new
    }

    /// Whether a payload is withdrawn, by every change that made it.
    pub(super) fn gone(&self, payload: &Digest) -> bool {
        !self.published.contains(payload)
            && self.makers.get(payload).is_some_and(|makers| makers.is_subset(&self.gone))
    }

    /// Judges a root against the one before it: both thresholds must have withdrawn it, for a first
    /// root its own. `rests` says whether a newer root rests on it.
    pub(super) fn root(
        &mut self,
        root: &MetadataPayload,
        before: Option<&Trusted>,
        rests: impl Fn() -> bool,
    ) -> bool {
        let judge = |signers: &BTreeSet<KeyIdentity>| {
            root_met(root, signers)
                && before.is_none_or(|before| root_met(before.payload(), signers))
                && !rests()
        };
        self.judge(&RoleName::Root, root, judge)
    }

    /// Judges another document by the delegator that is the newest.
    pub(super) fn document(&mut self, document: &MetadataPayload, delegator: Option<&Trusted>) -> bool {
        let judge = |signers: &BTreeSet<KeyIdentity>| {
            delegator.is_some_and(|delegator| {
                signers_of(delegator.document(), document.role())
                    .is_ok_and(|(keys, role)| met(keys, role, delegator.payload(), signers))
            })
        };
        self.judge(document.role(), document, judge)
    }

    fn judge(
        &mut self,
        role: &RoleName,
        document: &MetadataPayload,
        counts: impl Fn(&BTreeSet<KeyIdentity>) -> bool,
    ) -> bool {
        let payload = document.digest();
        let makers = self.makers.get(&payload).cloned().unwrap_or_default();
        let counted = makers.into_iter().filter(|change| {
            self.wanted.get(change).is_some_and(|(highest, signers)| highest == role && counts(signers))
        });
        let counted: Vec<_> = counted.collect();
        self.gone.extend(counted);
        self.gone(&payload)
    }

    /// Refuses a root that people know and that was withdrawn, with the one that they know instead.
    pub(super) fn check_anchor(&self, anchor: &Anchor, chain: &[Trusted]) -> Result<()> {
        if !self.left.iter().any(|left| left.payload == anchor.payload && left.role == RoleName::Root) {
            return Ok(());
        }
        let instead = chain.last().map_or_else(
            || "no root in [trust] of the device map, until there is one again".to_owned(),
            |root| {
                let (version, payload) = (root.version(), root.payload().digest());
                format!(
                    "root = {{ version = {version}, payload = \"{payload}\" }} in [trust] of the device map"
                )
            },
        );
        let found = format!("root {}, which you know, withdrawn", anchor.version);
        Err(Refusal::new(&crate::tuf::rules::ANCHOR, found, instead))
    }

    /// Whether a file was left out.
    pub(super) fn left_out(&self, file: &Digest) -> bool {
        self.left.iter().any(|left| left.file == *file)
    }

    /// Notes a file that was left out.
    pub(super) fn leave(&mut self, role: &RoleName, version: u64, file: Digest, payload: Digest) {
        self.left.push(Left { role: role.clone(), version, file, payload });
    }

    /// The files that were left out.
    pub(super) fn files(&self) -> impl Iterator<Item = (Digest, RoleName)> + '_ {
        self.left.iter().map(|left| (left.file, left.role.clone()))
    }

    /// Of what was left out, what a snapshot names all the same.
    pub(super) fn served<'a>(
        &'a self,
        meta: &'a BTreeMap<RoleName, MetaFile>,
        means: impl Fn(&MetaFile, u64, &Digest) -> bool + 'a,
    ) -> impl Iterator<Item = Digest> + 'a {
        let named = move |left: &&Left| {
            meta.get(&left.role).is_some_and(|meta| means(meta, left.version, &left.file))
        };
        self.left.iter().filter(named).map(|left| left.payload)
    }
}
