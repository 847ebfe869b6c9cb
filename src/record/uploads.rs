//! Which uploads wait to be handed over: of the folders that anyone may have brought, one for what each
//! change has sealed, and one for the online roles.
//!
//! All of them hold documents of the record, and lines that keyrite makes. What else tells them apart is
//! whom the lines ask, how many of those who were to sign have signed what they carry, and which
//! applications they fetch. One that gives way stays in the record and is pointed at no more.

use super::contents::{Contents, StoredChange, StoredDocument};
use super::listed::keys_for;
use super::manifest::{Line, Manifest};
use super::upload::Named;
use crate::ceremony::change::{Ask, Item};
use crate::ceremony::facts::Facts;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::standing::State;
use crate::ceremony::transcript::Transcript;
use crate::tuf::digest::Digest;
use crate::tuf::document::RoleKeys;
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::KeyIdentity;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::wire::Envelope;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// An upload of which every byte is what keyrite makes of documents of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// What it holds.
    pub manifest: Manifest,
    /// Whom its lines ask, and for what.
    pub named: Named,
}

/// What an upload is of: the documents of changes, by role and payload, or what the online roles made.
type Of = Option<BTreeSet<(RoleName, Digest)>>;

/// What lets one of several uploads of the same go before the others: the greatest.
type Weight = (bool, u64, usize, Reverse<usize>, Reverse<u64>, usize, Reverse<Digest>);

impl Contents {
    /// The folders of uploads that the backend has not taken yet, the newest last. One whose every
    /// document has been followed by a published newer one waits no more, nor does one that asks another
    /// backend than the one that the device map names.
    pub fn unpublished_uploads(&self) -> Vec<String> {
        let folders = Shelf::of(self);
        let own = |upload: &StoredUpload| !self.asks_another(upload);
        let mut waiting: Vec<_> = folders.waiting(own).into_values().collect();
        // Online roles' uploads, which no change made, follow what they are about.
        waiting.sort_by_cached_key(|digest| {
            let upload = self.uploads.get(digest);
            let held_at = upload.and_then(|u| Some(folders.made(&u.manifest)?.change.frame.held_at));
            (held_at.is_none(), held_at, upload.map(|u| folders.newest(&u.manifest)), *digest)
        });
        waiting.into_iter().map(|digest| format!("uploads/{digest}")).collect()
    }

    /// What would wait if it asked the backend that the device map names: by address that folders of it
    /// ask, one of them. Where another is here that asks that backend, or leaves it to people, nothing.
    pub fn uploads_for_others(&self) -> Vec<BTreeMap<String, String>> {
        let folders = Shelf::of(self);
        let own = folders.waiting(|upload| !self.asks_another(upload));
        let others = folders.all_waiting(|upload| self.asks_another(upload)).into_iter();
        let others = others.filter(|(of, _)| !own.contains_key(of));
        let named = |(upload, digest): (&StoredUpload, Digest)| {
            Some((upload.named.server.clone()?, format!("uploads/{digest}")))
        };
        others.map(|(_, uploads)| uploads.into_iter().filter_map(named).collect()).collect()
    }

    /// Sealed changes of profile `notary` whose upload was never written, since the session that sealed them was
    /// cut off: held again, each writes it. A copy that was handed out has no uploads, and transcripts that
    /// tell of them.
    pub fn unwritten_uploads(&self) -> Vec<&StoredChange> {
        if self.facts.trust.profile == Profile::Tuf {
            return Vec::new();
        }
        let folders = Shelf::of(self);
        // A change that is planted beside one whose upload is here makes nothing that is not in it.
        let written: BTreeSet<_> =
            self.uploads.values().filter_map(|u| folders.whole(&u.manifest)?).flatten().collect();
        let entries = self.transcripts.values().flat_map(Transcript::entries).map(|(entry, _)| entry);
        let told: BTreeSet<_> = entries
            .filter(|e| matches!(e.outcome, Outcome::Upload { .. }))
            .filter_map(|e| e.change)
            .collect();
        let lacks = |stored: &&StoredChange| {
            let sealed = stored.standing.as_ref().is_ok_and(|standing| standing.state == State::Sealed);
            sealed
                && self.stands(&stored.change)
                && !told.contains(&stored.digest)
                && !wanted(stored).is_subset(&written)
        };
        self.changes.values().filter(lacks).collect()
    }

    /// What clients of profile `tuf` don't see yet, since no snapshot and timestamp of the record lead to it: role
    /// and version. A snapshot lists no root, which goes up beside it.
    pub fn unlisted(&self) -> Vec<(&RoleName, u64)> {
        if self.facts.trust.profile == Profile::Notary {
            return Vec::new();
        }
        let unseen = |held: &&Trusted| !self.facts.published.contains(&held.payload().digest());
        let online = self.uploads.values().filter(|upload| upload.manifest.change.is_none());
        let files: BTreeSet<Digest> =
            online.flat_map(|upload| documents(&upload.manifest)).map(|(_, line)| line.sha).collect();
        // Where others make snapshot and timestamp, nothing here tells whether they have served a root.
        let ours = !files.is_empty() || !self.facts.documents.contains_key(&RoleName::Snapshot);
        let root = self.facts.roots.last().filter(|root| ours && !files.contains(&Digest::of(root.bytes())));
        let below = self.facts.documents.values().filter(|held| !held.role().is_online());
        root.into_iter().chain(below).filter(unseen).map(|held| (held.role(), held.version())).collect()
    }

    /// Whether an upload names a backend that the device map doesn't: whoever can write to a record can
    /// have one ask for an address of their own, so where the map names none nobody is pointed at it.
    fn asks_another(&self, upload: &StoredUpload) -> bool {
        let theirs = upload.named.server.as_ref();
        theirs.is_some() && theirs != self.backend.as_ref()
    }
}

/// A record's uploads, and what they are judged by.
struct Shelf<'a> {
    contents: &'a Contents,
    /// By digest of the file.
    history: BTreeMap<Digest, &'a StoredDocument>,
    /// By role, the newest version that is published.
    published: BTreeMap<&'a RoleName, u64>,
    /// The files that clients are to be served.
    served: BTreeSet<Digest>,
    delegations: BTreeSet<RoleName>,
}

impl<'a> Shelf<'a> {
    fn of(contents: &'a Contents) -> Self {
        let mut published: BTreeMap<&RoleName, u64> = BTreeMap::new();
        for document in contents.history.iter().filter(|d| d.published) {
            let newest = published.entry(&document.role).or_default();
            *newest = document.version.max(*newest);
        }
        let served = contents.facts.roots.iter().chain(contents.facts.documents.values());
        Self {
            contents,
            history: contents.history.iter().map(|document| (document.file, document)).collect(),
            published,
            served: served.map(|document| Digest::of(document.bytes())).collect(),
            delegations: contents.facts.delegations(),
        }
    }

    /// All that wait, by what they are of.
    fn all_waiting(
        &self,
        counts: impl Fn(&StoredUpload) -> bool,
    ) -> BTreeMap<Of, Vec<(&'a StoredUpload, Digest)>> {
        let mut of: BTreeMap<Of, Vec<(&'a StoredUpload, Digest)>> = BTreeMap::new();
        for (digest, upload) in self.contents.uploads.iter().filter(|(_, upload)| counts(upload)) {
            let newest = self.newest(&upload.manifest);
            let newer = |(role, version): (&&RoleName, &u64)| {
                self.published.get(*role).is_none_or(|published| published < version)
            };
            if newest.iter().any(newer)
                && let Some(whole) = self.whole(&upload.manifest)
            {
                of.entry(whole).or_default().push((upload, *digest));
            }
        }
        of
    }

    /// Of all that are of the same and wait, the one to hand over.
    fn waiting(&self, counts: impl Fn(&StoredUpload) -> bool) -> BTreeMap<Of, Digest> {
        // Weighing verifies signatures, of which an upload may carry thousands.
        let best = |uploads: Vec<(&StoredUpload, Digest)>| match *uploads {
            [(_, only)] => Some(only),
            _ => uploads.into_iter().max_by_key(|(upload, digest)| self.weight(upload, *digest)).map(|u| u.1),
        };
        self.all_waiting(counts).into_iter().filter_map(|(of, uploads)| Some((of, best(uploads)?))).collect()
    }

    /// The change of an upload, where the record has it.
    fn made(&self, manifest: &Manifest) -> Option<&'a StoredChange> {
        self.contents.changes.get(&manifest.change?)
    }

    /// The newest version of each role: an upload may hold older roots as well.
    fn newest<'m>(&self, manifest: &'m Manifest) -> BTreeMap<&'m RoleName, u64> {
        let mut newest = BTreeMap::new();
        for (role, line) in documents(manifest) {
            let version = self.history.get(&line.sha).map_or(0, |document| document.version);
            let known = newest.entry(role).or_default();
            *known = version.max(*known);
        }
        newest
    }

    /// What an upload is of, if it is whole: all that a change seals and nothing else, or what leads
    /// clients to it. None for one of a change that is withdrawn or
    /// overtaken, or not here.
    fn whole(&self, manifest: &Manifest) -> Option<Of> {
        if manifest.change.is_none() {
            let leads = documents(manifest).any(|(role, _)| *role == RoleName::Timestamp);
            return leads.then_some(None);
        }
        let stored = self.made(manifest)?;
        if stored
            .standing
            .as_ref()
            .is_ok_and(|s| matches!(s.state, State::Withdrawn { .. } | State::Overtaken { .. }))
        {
            return None;
        }
        let held =
            |(role, line): (&RoleName, &Line)| Some((role.clone(), self.history.get(&line.sha)?.payload));
        let held: Option<BTreeSet<(RoleName, Digest)>> = documents(manifest).map(held).collect();
        held.filter(|held| *held == wanted(stored)).map(Some)
    }

    fn weight(&self, upload: &StoredUpload, digest: Digest) -> Weight {
        let manifest = &upload.manifest;
        let asked = upload.named.server == self.contents.backend;
        let size = documents(manifest).map(|(_, line)| line.size).fold(0, u64::saturating_add);
        let fetched = upload.named.fetched.intersection(&self.delegations).count();
        if let Some(stored) = self.made(manifest) {
            // A file with more signatures may come from whoever holds a key that was given up: those
            // count that were asked.
            let signed = documents(manifest).map(|(role, line)| self.signed(stored, role, &line.sha));
            return (asked, 0, signed.sum(), Reverse(0), Reverse(size), fetched, Reverse(digest));
        }
        let newest = self.newest(manifest).get(&RoleName::Timestamp).copied();
        let of_today = |(_, line): &(&RoleName, &Line)| self.served.contains(&line.sha);
        let (of_today, others): (Vec<_>, Vec<_>) = documents(manifest).partition(of_today);
        let (many, others) = (of_today.len(), Reverse(others.len()));
        (asked, newest.unwrap_or_default(), many, others, Reverse(size), fetched, Reverse(digest))
    }

    /// How many keys that a change asks have signed a file of one of its documents, each id of theirs
    /// counted, where the record has several files of it.
    fn signed(&self, stored: &StoredChange, role: &RoleName, file: &Digest) -> usize {
        let facts = &self.contents.facts;
        let newest = facts.newest(role).filter(|d| Digest::of(d.bytes()) == *file);
        let envelope = newest.map(Trusted::envelope).or_else(|| self.contents.several.get(file));
        envelope.map_or(0, |envelope| signatures(envelope, stored, facts))
    }
}

fn signatures(envelope: &Envelope, stored: &StoredChange, facts: &Facts) -> usize {
    let payload = envelope.payload();
    let Ok(keys) = keys_for(payload, &stored.change, facts) else { return 0 };
    let all = RoleKeys { keyids: keys.keys().cloned().collect(), threshold: NonZeroU32::MIN };
    let of = |item: &&Item| item.payload_digest() == Some(payload.digest());
    let asked = stored.change.items.iter().filter(of).flat_map(Item::asked);
    let asked: BTreeSet<KeyIdentity> = asked.map(|ask: &Ask| ask.public.identity()).collect();
    Verified::new(envelope).under(&keys, &all).iter().filter(|(key, _)| asked.contains(key)).count()
}

/// What a change seals.
fn wanted(stored: &StoredChange) -> BTreeSet<(RoleName, Digest)> {
    stored.change.documents().map(|d| (d.role().clone(), d.digest())).collect()
}

fn documents(manifest: &Manifest) -> impl Iterator<Item = (&RoleName, &Line)> {
    manifest.files.values().filter_map(|line| Some((line.role.as_ref()?, line)))
}
