//! Documents of the other roles: which a root or delegator vouches for, and which are newest.
//!
//! A document counts as history if any delegator of its time vouches for it; it is the newest of
//! its role only if the newest delegator does, as for a client (TUF 5.6). What the backend has
//! published is what a trusted snapshot and a trusted timestamp name.

mod deciding;
mod delegators;
mod overtaken;
mod published;

use deciding::{Deciding, current, former_give_way, one_payload_of, served_instead, sides};
use delegators::{Delegators, Ready};
use overtaken::{Found, Online, overtaken_give_way};
use published::{named_by_snapshot, publish};

pub(super) use overtaken::{Past, Taken};

use super::roots::{Signed, parse, weight};
use super::statements::Said;
use super::withdrawn::Withdrawn;
use super::{Desk, by_some_root, decision};
use crate::ceremony::facts::{Earlier, MADE_AHEAD, Stage, Unmade};
use crate::ceremony::overtaken::Overtaken;
use crate::record::contents::StoredDocument;
use crate::record::names::Place;
use crate::record::receipt::{Answer, Receipt};
use crate::record::rules;
use crate::tuf::chain::{accept, signers_of};
use crate::tuf::digest::Digest;
use crate::tuf::document::Document;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::PublicKey;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Refusal;
use crate::tuf::time::Time;
use crate::tuf::wire::Envelope;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Versions from here on are nobody's who counts up by one.
const HONEST: u64 = 1 << 32;

/// Every document but roots, judged; roots are listed with them.
#[derive(Default)]
pub(super) struct Documents {
    /// The newest of each role.
    pub newest: BTreeMap<RoleName, Trusted>,
    /// Delegations that no newest document lists any more.
    pub revoked: BTreeSet<RoleName>,
    /// Every version of every delegation that met its thresholds.
    pub delegations: Versions,
    /// Payload digests of all that met their thresholds, roots too.
    pub trusted: BTreeSet<Digest>,
    /// Payload digests of those that the backend serves or has served.
    pub published: BTreeSet<Digest>,
    /// Payload digests of those that were left out as withdrawn, though the backend serves them.
    pub served_withdrawn: BTreeSet<Digest>,
    /// Every file that parses.
    pub history: Vec<StoredDocument>,
    /// Files of which there are several for one version, by digest.
    pub several: BTreeMap<Digest, Envelope>,
    /// All that met their thresholds, roots too.
    pub all: Vec<Trusted>,
    /// Digests of the files that met their thresholds, withdrawn ones too.
    pub files: BTreeMap<Digest, RoleName>,
    /// Roles whose newest version conflicts.
    pub conflicts: BTreeMap<RoleName, Refusal>,
    /// Those that were sealed here and lost their version, by payload; no part of the history.
    pub overtaken: BTreeMap<Digest, Overtaken>,
    /// Their files.
    overtaken_files: BTreeMap<Digest, RoleName>,
    /// What the backend's keys have signed.
    online: Online,
}

/// Trusted documents by role and version.
#[derive(Default)]
pub(super) struct Versions(BTreeMap<RoleName, BTreeMap<u64, Trusted>>);

impl Versions {
    /// Of every delegation the document that the backend served when it was last seen with an older
    /// one than the newest here.
    pub(super) fn earlier(&self, receipts: &[Receipt]) -> BTreeMap<RoleName, Earlier> {
        let mut found: BTreeMap<RoleName, (Time, &Trusted)> = BTreeMap::new();
        for receipt in receipts.iter().filter(|r| !matches!(r.result, Answer::Rejected(_))) {
            for (role, (version, _)) in &receipt.served {
                let Some(versions) = self.0.get(role) else { continue };
                let newest = versions.last_key_value().map(|(version, _)| version);
                if let Some(document) = versions.get(version).filter(|_| newest > Some(version)) {
                    found.insert(role.clone(), (receipt.at, document));
                }
            }
        }
        let whole = |(role, (at, document)): (RoleName, (Time, &Trusted))| {
            let after = Bound::Excluded(document.version());
            let since = self.0.get(&role).map(|all| all.range((after, Bound::Unbounded)).collect::<Vec<_>>());
            let since = since.as_deref().and_then(|all| all.split_last()).map(|(_, between)| between);
            let since = since.unwrap_or_default().iter().map(|(_, d)| (*d).clone()).collect();
            (role, Earlier { document: document.clone(), at, since })
        };
        found.into_iter().map(whole).collect()
    }
}

impl Documents {
    /// The last of each delegation that clients had, where today's delegator vouches for none so new.
    /// Only what the backend served counts: who has a key that was revoked can still sign any number
    /// of documents, of any version, and write them into a change. If they have the backend as well it
    /// serves them; a version that no honest key ever reached then counts for nothing, or no successor
    /// could sign a higher one. In a rehearsal, where nothing is ever served and nobody attacks, what
    /// changes made counts as well.
    pub(super) fn unvouched(&self, made: &BTreeSet<Digest>, stage: Stage) -> BTreeMap<RoleName, Trusted> {
        let meant = |d: &&Trusted| {
            let payload = d.payload().digest();
            (self.published.contains(&payload) && d.version() < HONEST)
                || (stage == Stage::Rehearsal && made.contains(&payload))
        };
        let last = |(role, versions): (&RoleName, &BTreeMap<u64, Trusted>)| {
            let last = versions.values().rev().find(meant)?;
            let newer = self.newest.get(role).is_none_or(|newest| newest.version() < last.version());
            newer.then(|| (role.clone(), last.clone()))
        };
        self.delegations.0.iter().filter_map(last).collect()
    }

    /// The highest version of each delegation that a change here made, where it lies above what
    /// clients are known to have had, and not by more than [`MADE_AHEAD`].
    pub(super) fn reached(
        &self,
        made: &BTreeSet<Digest>,
        unvouched: &BTreeMap<RoleName, Trusted>,
    ) -> BTreeMap<RoleName, u64> {
        let highest = |(role, versions): (&RoleName, &BTreeMap<u64, Trusted>)| {
            let known = self.newest.get(role).into_iter().chain(unvouched.get(role));
            let known = known.map(Trusted::version).max().unwrap_or_default();
            let near = (Bound::Excluded(known), Bound::Included(known.saturating_add(MADE_AHEAD)));
            let mut above = versions.range(near).rev();
            let (version, _) = above.find(|(_, d)| made.contains(&d.payload().digest()))?;
            Some((role.clone(), *version))
        };
        self.delegations.0.iter().filter_map(highest).collect()
    }
}

impl Documents {
    /// Targets documents up to the newest that no change made: each time the last of those that follow one another.
    pub(super) fn unmade(&self, made: &BTreeSet<Digest>) -> Vec<Unmade> {
        let newest = self.newest.get(&RoleName::Targets).map_or(0, Trusted::version);
        let counts = |d: &&Trusted| *d.role() == RoleName::Targets && d.version() <= newest;
        let targets = self.all.iter().filter(counts);
        let versions: BTreeMap<u64, &Trusted> = targets.map(|d| (d.version(), d)).collect();
        let mut found: Vec<Unmade> = Vec::new();
        let (mut before, mut follows) = (None, false);
        for document in versions.into_values() {
            if made.contains(&document.payload().digest()) {
                (before, follows) = (Some(document), false);
                continue;
            }
            let last = document.clone();
            match found.last_mut().filter(|_| follows) {
                Some(run) => run.last = last,
                None => found.push(Unmade { before: before.cloned(), last }),
            }
            follows = true;
        }
        found
    }

    /// Whether a trusted document of that payload lists a key.
    pub(super) fn lists(&self, payload: &Digest, key: &PublicKey) -> bool {
        let mut of = self.all.iter().filter(|held| held.payload().digest() == *payload);
        of.any(|held| {
            let keys = match held.document() {
                Document::Root(root) => &root.keys,
                Document::Targets(targets) => &targets.delegations.keys,
                Document::Snapshot(_) | Document::Timestamp(_) => return false,
            };
            keys.values().any(|listed| listed.public.as_ref() == Some(key))
        })
    }
}

/// A document that met its thresholds.
struct Vouched {
    trusted: Trusted,
    file: Digest,
    by: (RoleName, u64),
}

impl Signed for Vouched {
    fn payload(&self) -> Digest {
        self.trusted.payload().digest()
    }

    fn bytes(&self) -> &[u8] {
        self.trusted.bytes()
    }
}

/// Reads them, delegators before what they delegate to.
pub(super) fn read(
    desk: &mut Desk<'_>,
    roots: &[Trusted],
    said: &Said,
    withdrawn: &mut Withdrawn<'_>,
    past: &Past<'_>,
) -> Documents {
    let mut documents = Documents::default();
    let mut waiting: BTreeMap<RoleName, Vec<Place>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Metadata(role, ..) = place {
            waiting.entry(role.clone()).or_default().push(place.clone());
        }
    }
    let voices = Voices { said, roots, past };
    let mut all: Vec<Vouched> = Vec::new();
    for place in waiting.remove(&RoleName::Root).unwrap_or_default() {
        list_root(desk, &place, roots, withdrawn, &mut all);
    }
    // Newest first, since most documents are vouched for by the newest.
    let mut delegators = Delegators::default();
    let mut ready = Ready::default();
    for root in roots.iter().rev() {
        delegators.push(root.clone());
        ready.look(root, &waiting);
    }
    while let Some(role) = ready.next() {
        let Some(places) = waiting.remove(&role) else { continue };
        let vouched = role_documents(desk, &mut documents, &voices, &role, &places, &delegators, withdrawn);
        documents.online.stand(&role, &vouched);
        for delegating in vouched.iter().rev().filter(|v| delegates(v.trusted.document())) {
            delegators.push(delegating.trusted.clone());
            ready.look(&delegating.trusted, &waiting);
        }
        all.extend(vouched);
    }
    for place in waiting.into_values().flatten() {
        if let Some(envelope) = parse(desk, &place) {
            let payload = envelope.payload().digest();
            if withdrawn.gone(&payload) {
                if let Place::Metadata(role, version, file) = &place {
                    withdrawn.leave(role, *version, *file, payload);
                }
                desk.accept(&place);
                continue;
            }
            let found = "a document that no root or delegator here leads to";
            desk.refuse(&place, Refusal::new(&rules::RECORD_REST, found, "its delegator's document"));
        }
    }
    publish(&mut documents, &all, roots, desk.trust.profile, withdrawn);
    documents.revoked = revoked(&documents.newest, &all);
    for vouched in all.iter().filter(|v| matches!(v.trusted.role(), RoleName::Delegated(_))) {
        let versions = documents.delegations.0.entry(vouched.trusted.role().clone()).or_default();
        versions.insert(vouched.trusted.version(), vouched.trusted.clone());
    }
    for vouched in &all {
        documents.all.push(vouched.trusted.clone());
        let payload = vouched.payload();
        documents.trusted.insert(payload);
        documents.files.insert(vouched.file, vouched.trusted.role().clone());
        documents.history.push(StoredDocument {
            role: vouched.trusted.role().clone(),
            version: vouched.trusted.version(),
            file: vouched.file,
            payload,
            vouched_by: Some(vouched.by.clone()),
            published: documents.published.contains(&payload),
        });
    }
    documents.files.extend(withdrawn.files());
    documents.files.extend(std::mem::take(&mut documents.overtaken_files));
    documents.history.sort();
    documents
}

/// Delegations that some document has listed and none of the newest does.
fn revoked(newest: &BTreeMap<RoleName, Trusted>, all: &[Vouched]) -> BTreeSet<RoleName> {
    let names = |d: &Trusted| -> BTreeSet<RoleName> {
        let targets = d.document().as_targets();
        targets.into_iter().flat_map(|t| &t.delegations.roles).map(|r| r.name.clone()).collect()
    };
    let today: BTreeSet<RoleName> = newest.values().flat_map(names).collect();
    all.iter().flat_map(|v| names(&v.trusted)).filter(|name| !today.contains(name)).collect()
}

/// A root of the chain, found again by its payload.
fn list_root(
    desk: &Desk<'_>,
    place: &Place,
    roots: &[Trusted],
    withdrawn: &Withdrawn<'_>,
    all: &mut Vec<Vouched>,
) {
    let Place::Metadata(_, version, file) = place else { return };
    if !desk.accepted.contains(place) {
        return;
    }
    let named = |root: &&Trusted| root.version() == *version;
    if let Some(root) = roots.iter().find(named).filter(|_| !withdrawn.left_out(file)) {
        let by = (RoleName::Root, version.saturating_sub(1).max(1));
        all.push(Vouched { trusted: root.clone(), file: *file, by });
    }
}

fn delegates(document: &Document) -> bool {
    document.as_targets().is_some_and(|t| !t.delegations.roles.is_empty() || t.delegations.succinct.is_some())
}

/// The documents of one role, oldest first, and the newest of them into `documents`.
fn role_documents(
    desk: &mut Desk<'_>,
    documents: &mut Documents,
    voices: &Voices<'_>,
    role: &RoleName,
    places: &[Place],
    delegators: &Delegators,
    withdrawn: &mut Withdrawn<'_>,
) -> Vec<Vouched> {
    let newest_delegator = current(documents, delegators, role);
    let delegating = Deciding::of(documents, delegators, voices.roots, newest_delegator.as_ref());
    let what_of = format!("metadata/{}", role.file_name());
    let mut versions: BTreeMap<u64, Vec<(Place, Vouched)>> = BTreeMap::new();
    let mut found = Found::default();
    for place in places {
        let Place::Metadata(_, version, file) = place else { continue };
        let Some(envelope) = parse(desk, place) else { continue };
        found.read.insert(*file, *version);
        if withdrawn.document(envelope.payload(), newest_delegator.as_ref()) {
            withdrawn.leave(role, *version, *file, envelope.payload().digest());
            desk.accept(place);
            continue;
        }
        let mut first_refusal = None;
        let vouched = delegators.of(role).find_map(|delegator| {
            signers_of(delegator.document(), role).ok()?;
            match accept(delegator, role, envelope.clone(), None) {
                Ok(trusted) => {
                    desk.files.see(*file, &trusted);
                    documents.online.found(role, &trusted);
                    let by = (delegator.role().clone(), delegator.version());
                    Some(Vouched { trusted, file: *file, by })
                }
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                    None
                }
            }
        });
        match (vouched, first_refusal) {
            (Some(vouched), _) => versions.entry(*version).or_default().push((place.clone(), vouched)),
            (None, Some(refusal)) => desk.refuse(place, refusal),
            (None, None) => {}
        }
    }
    let mut all = Vec::new();
    if versions.values().any(|files| files.len() > 1) {
        found.vouched = vouched(&versions);
    }
    for (version, mut files) in versions {
        former_give_way(desk, &mut files, newest_delegator.as_ref(), role);
        if files.len() > 1 {
            overtaken_give_way(desk, documents, voices.past, delegators, &mut files, &found);
        }
        if files.len() > 1 {
            documents.several.extend(files.iter().map(|(_, v)| (v.file, v.trusted.envelope().clone())));
        }
        let places: Vec<_> = files.iter().map(|(place, _)| place.clone()).collect();
        let rivals: Vec<_> = places.iter().filter_map(Place::digest).collect();
        let what = format!("metadata/{}/{version}", role.file_name());
        let named = named_by_snapshot(documents, role, version, &rivals, desk.trust.profile);
        let decided = match named.and_then(|file| files.iter().find(|(p, _)| p.digest() == Some(file))) {
            Some((_, served)) => served_instead(served.payload(), &files),
            None => {
                decision(voices.said, &what, |by| delegating.counts(by), |by| by_some_root(voices.roots, by))
            }
        };
        let sides = if role.is_online() { BTreeMap::new() } else { sides(&files) };
        let weigh = |vouched: &Vouched| {
            let lists = |delegator| signers_of(Trusted::document(delegator), role).ok();
            let today = newest_delegator.iter().filter_map(lists);
            weight(vouched.trusted.envelope(), today, delegators.of(role).filter_map(lists))
        };
        let chosen = one_payload_of(desk, &what, files, &decided, &mut all, weigh);
        desk.note(&what, sides, chosen.as_ref().map(|(_, best)| best.payload()), &decided);
        let Some((_, best)) = chosen else {
            let refusal = places.iter().find_map(|place| desk.refused.get(place).cloned());
            documents.newest.remove(role);
            // A backend that serves two of one version is its own affair; the next one counts.
            if !role.is_online() {
                documents.conflicts.extend(refusal.map(|refusal| (role.clone(), refusal)));
            }
            continue;
        };
        let by_newest = newest_delegator.as_ref().is_some_and(|delegator| {
            best.by == (delegator.role().clone(), delegator.version())
                || accept(delegator, role, best.trusted.envelope().clone(), None).is_ok()
        });
        if by_newest {
            documents.conflicts.remove(role);
            let older = |what: &str| what.rsplit_once('/').is_some_and(|(role, _)| what_of == role);
            desk.conflicts.retain(|what, conflict| conflict.kept.is_some() || !older(what));
            documents.newest.insert(role.clone(), best.trusted.clone());
        }
        all.push(best);
    }
    all
}

/// Every file of a role that met a threshold, oldest version first.
fn vouched(versions: &BTreeMap<u64, Vec<(Place, Vouched)>>) -> Vec<(u64, Digest, Digest)> {
    let files = versions.iter().flat_map(|(version, files)| files.iter().map(move |(_, v)| (*version, v)));
    files.map(|(version, v)| (version, v.payload(), v.file)).collect()
}

/// What may decide between documents.
struct Voices<'a> {
    said: &'a Said,
    roots: &'a [Trusted],
    past: &'a Past<'a>,
}
