//! Reading: from files to what they mean, each file once, in the order in which one rests on
//! another.
//!
//! The same judge reads a record and decides what may come into it: files that want to come in are
//! judged beside the record's own, and where the two disagree the record's own stand. A file that
//! is refused is a finding and nothing rests on it; reading goes on.

mod attested;
mod changes;
mod copies;
mod documents;
mod keys;
mod limits;
mod rehearsals;
mod roots;
mod statements;
mod transcripts;
mod uploads;
mod withdrawn;

use super::TrustFile;
use super::contents::{Contents, Inputs, StoredChange};
use super::files::Files;
use super::manifest::{self, Manifest};
use super::names::Place;
use super::receipt::{Answer, Receipt};
use super::rules;
use crate::ceremony::conflict::{Conflict, Side};
use crate::ceremony::facts::{Facts, Trust};
use crate::ceremony::proposal::Proposal;
use crate::ceremony::standing::{Standing, State};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Keys, RoleKeys};
use crate::tuf::evidence::{Assumed, Trusted};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::threshold::tally;
use crate::tuf::time::Time;
use documents::Taken;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use withdrawn::Withdrawn;

/// What became of the files that wanted to come in.
pub struct Verdicts {
    /// Those that parse, verify and fit.
    pub accepted: BTreeSet<Place>,
    /// The others.
    pub refused: BTreeMap<Place, Refusal>,
}

/// The files on the desk, and what has been said of each.
struct Desk<'a> {
    files: &'a Files<'a>,
    trust: &'a Trust,
    places: Vec<Place>,
    accepted: BTreeSet<Place>,
    refused: BTreeMap<Place, Refusal>,
    conflicts: BTreeMap<String, Conflict>,
}

impl<'a> Desk<'a> {
    /// The content of a file, or a finding.
    fn bytes(&mut self, place: &Place) -> Option<Cow<'a, [u8]>> {
        match self.files.bytes(place) {
            Ok(bytes) => Some(bytes),
            Err(refusal) => {
                self.refuse(place, refusal);
                None
            }
        }
    }

    /// What a file says, or a finding.
    fn read<T>(&mut self, place: &Place, parse: impl FnOnce(&[u8]) -> Result<T>) -> Option<T> {
        let bytes = self.bytes(place)?;
        match parse(&bytes) {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.refuse(place, refusal);
                None
            }
        }
    }

    /// A file that is not used; the first reason stays.
    fn refuse(&mut self, place: &Place, refusal: Refusal) {
        self.accepted.remove(place);
        self.refused.entry(place.clone()).or_insert(refusal);
    }

    /// A file that is used, or kept.
    fn accept(&mut self, place: &Place) {
        if !self.refused.contains_key(place) {
            self.accepted.insert(place.clone());
        }
    }

    /// Of several files that stand for one thing: gives up those that were decided against, refuses
    /// those that want to come in where the record has one of its own, all of them where that doesn't
    /// decide. What is left: one, or none.
    fn settle<T>(
        &mut self,
        what: &str,
        mut rivals: Vec<(Place, T)>,
        decided: &Decided,
    ) -> Option<(Place, T)> {
        let here = rivals.iter().any(|(place, _)| place.digest().is_some_and(|d| decided.keep == Some(d)));
        rivals.retain(|(place, _)| {
            let out = place.digest().is_some_and(|digest| decided.out.contains(&digest));
            !out || self.give_up(place, what, here, decided)
        });
        if rivals.len() > 1 && rivals.iter().any(|(place, _)| !self.files.is_new(place)) {
            let found = format!("{what}, of which the record has another");
            rivals.retain(|(place, _)| !self.files.is_new(place) || self.conflict(place, &found));
        }
        if rivals.len() > 1 {
            let found = format!("{} files for {what}", rivals.len());
            rivals.retain(|(place, _)| self.conflict(place, &found));
        }
        rivals.pop()
    }

    /// A file that was decided against: kept beside the one that stands, which is why it is here;
    /// without that one nothing stands. False, for `retain`.
    fn give_up(&mut self, place: &Place, what: &str, here: bool, decided: &Decided) -> bool {
        if !decided.by_people {
            return self.conflict(place, &format!("{what}, decided otherwise by what clients trust"));
        }
        if here {
            self.accept(place);
        } else {
            let kept = decided.keep.map_or_else(String::new, |keep| format!(" {keep}"));
            let found = format!("a file for {what} that was decided against");
            self.refuse(
                place,
                Refusal::new(&rules::RECORD_REST, found, format!("the one that stands{kept}")),
            );
        }
        false
    }

    /// Notes a conflict, for people to decide or to see how it was decided.
    fn note(&mut self, what: &str, sides: BTreeMap<Digest, Side>, kept: Option<Digest>, decided: &Decided) {
        if sides.len() > 1 {
            let decisions = decided.by.clone();
            self.conflicts.insert(what.to_owned(), Conflict { sides, kept, decisions });
        }
    }

    /// Refuses by `RECORD-CONFLICT`; false, for `retain`.
    fn conflict(&mut self, place: &Place, found: &str) -> bool {
        self.refuse(place, Refusal::new(&rules::RECORD_CONFLICT, found, "one"));
        false
    }
}

/// Whether these keys meet the threshold of a role. `payload` is any document of the profile.
fn met(keys: &Keys, role: &RoleKeys, payload: &MetadataPayload, signers: &BTreeSet<KeyIdentity>) -> bool {
    tally(keys, role, payload, &Assumed(signers.clone())).met()
}

/// Reads everything. `sealed_here` says of a change whether its documents were sealed in this very copy.
///
/// # Errors
///
/// As [`super::Record::read_all`].
pub fn contents(
    files: &Files<'_>,
    trust: &TrustFile,
    today: Time,
    inputs: &Inputs,
    sealed_here: &dyn Fn(&Digest) -> bool,
) -> Result<(Contents, Verdicts)> {
    let mut published = BTreeSet::new();
    loop {
        let (contents, verdicts, served) = read(files, trust, today, inputs, sealed_here, &published)?;
        // What was withdrawn and is served all the same counts: once more, with it in its place.
        if served.is_subset(&published) {
            return Ok((contents, verdicts));
        }
        published.extend(served);
    }
}

/// One pass; `published` are payloads that no withdrawal takes away. Also returns those of which
/// that turned out only now.
fn read(
    files: &Files<'_>,
    trust: &TrustFile,
    today: Time,
    inputs: &Inputs,
    sealed_here: &dyn Fn(&Digest) -> bool,
    published: &BTreeSet<Digest>,
) -> Result<(Contents, Verdicts, BTreeSet<Digest>)> {
    let mut desk = Desk {
        files,
        trust: trust.trust(),
        places: files.places(),
        accepted: BTreeSet::new(),
        refused: BTreeMap::new(),
        conflicts: BTreeMap::new(),
    };
    let desk = &mut desk;
    let mut said = statements::read(desk);
    let mut changes = changes::read(desk);
    let mut withdrawn = Withdrawn::new(&said, &changes, published);
    let roots = roots::read(desk, inputs.anchor.as_ref(), &mut withdrawn);
    let (receipts, taken) = receipts(desk);
    let past = documents::Past { changes: &changes, receipts: &receipts, taken: &taken, sealed_here };
    let mut documents = documents::read(desk, &roots.chain, &said, &mut withdrawn, &past);
    if let Some(anchor) = inputs.anchor.as_ref().filter(|a| !documents.served_withdrawn.contains(&a.payload))
    {
        withdrawn.check_anchor(anchor, &roots.chain)?;
        roots.check_anchor(anchor)?;
    }
    let transcripts = transcripts::read(desk, today, &said, &roots.chain);
    let limits = limits::read(desk, trust, &roots.chain, &said)?;
    let keys = keys::read(desk, &transcripts.whole, &said, &roots.chain, &documents);
    statements::lives(&mut said, &roots.chain, &keys, &documents, desk.trust.stage);
    let rehearsals = rehearsals::read(desk);
    let uploads = uploads::read(desk, &documents.files);

    let mut keys_used = keys.used;
    for key in keys_used.values_mut() {
        key.life = said.life(&key.public.identity());
    }
    let mut history = documents.trusted.clone();
    history.extend(said.in_force());
    let made = made(&changes);
    let unvouched = documents.unvouched(&made, desk.trust.stage);
    let proposals = proposals(&changes, &roots.signed);
    let mut facts = Facts {
        reached: documents.reached(&made, &unvouched),
        unmade: documents.unmade(&made),
        overtaken: std::mem::take(&mut documents.overtaken),
        trust: trust.trust().clone(),
        limits: limits.limits,
        limits_number: limits.number,
        limits_file: limits.file,
        attested: attested::judge(&keys_used, &keys.files, &changes),
        copies: copies::read(&transcripts.whole, &keys_used, &keys.files),
        keys: keys_used,
        roots: roots.chain,
        documents: documents.newest,
        unvouched,
        earlier: documents.delegations.earlier(&receipts),
        revoked: documents.revoked,
        anchor: inputs.anchor,
        enrolments: inputs.enrolments.clone(),
        devices: inputs.devices.clone(),
        away: inputs.away.clone(),
        today,
        roll_calls: changes::roll_calls(changes.values()),
        history,
        published: documents.published,
        proposals,
        conflicts: std::mem::take(&mut desk.conflicts),
        said_by_targets: said.by_targets(),
    };
    for change in changes.values_mut() {
        said.gather(change);
    }
    said.heads(&facts, &transcripts.whole, desk);
    standings(&said, &mut changes, &mut facts);
    said.finish(desk, &facts, &changes, &keys.files);
    limits::lowest(desk, &facts, &changes);

    let mut several = documents.several;
    several.extend(roots.several);
    let bases = bases_in_use(&changes);
    let replaced = documents.all.into_iter().map(|held| (held.payload().digest(), held));
    let replaced = replaced.filter(|(payload, _)| bases.contains(payload)).collect();
    let mut conflicts = documents.conflicts;
    conflicts.extend(roots.conflict.map(|refusal| (RoleName::Root, refusal)));
    let (refused, accepted) = (std::mem::take(&mut desk.refused), std::mem::take(&mut desk.accepted));
    let contents = Contents {
        facts,
        changes,
        transcripts: transcripts.whole,
        broken: transcripts.broken,
        statements: said.stored(),
        key_files: keys.files,
        history: documents.history,
        replaced,
        rehearsals,
        uploads,
        backend: inputs.backend.clone(),
        receipts,
        conflicts,
        unbound: limits.unbound,
        limits_ever: limits.ever,
        findings: refused.iter().map(|(place, r)| (place.to_string(), r.clone())).collect(),
        heads: inputs.heads.clone(),
        several,
    };
    Ok((contents, Verdicts { accepted, refused }, documents.served_withdrawn))
}

/// The documents of every change.
fn made(changes: &BTreeMap<Digest, StoredChange>) -> BTreeSet<Digest> {
    changes.values().flat_map(|stored| stored.change.documents()).map(MetadataPayload::digest).collect()
}

/// The documents that changes start from which may still be sealed again or handed over: a record
/// grows for years, and what older ones replaced is not kept in memory.
fn bases_in_use(changes: &BTreeMap<Digest, StoredChange>) -> BTreeSet<Digest> {
    let over = |stored: &&StoredChange| {
        let over = |state: &State| {
            matches!(
                state,
                State::Published | State::Withdrawn { .. } | State::Overtaken { .. } | State::Lapsed { .. }
            )
        };
        stored.standing.as_ref().is_ok_and(|standing| over(&standing.state))
    };
    let bases = changes.values().filter(|stored| !over(stored));
    let bases = bases.flat_map(|stored| stored.change.base.documents.values());
    bases.map(|(_, payload)| *payload).collect()
}

/// How each change stands; twice, since a withdrawal acts on one change and may be what another one
/// makes.
fn standings(said: &statements::Said, changes: &mut BTreeMap<Digest, StoredChange>, facts: &mut Facts) {
    for _ in 0..2 {
        for change in changes.values_mut() {
            change.standing = Standing::of(&change.change, &change.gathered, facts);
            let withdrawn = matches!(&change.standing, Ok(s) if matches!(s.state, State::Withdrawn { .. }));
            said.withdrawals(&change.digest, withdrawn);
            if let Some(proposal) = facts.proposals.get_mut(&change.digest) {
                proposal.withdrawn = withdrawn;
            }
        }
        let known = facts.history.len();
        facts.history.extend(said.in_force());
        if facts.history.len() == known {
            break;
        }
    }
}

/// What can be withdrawn; `signed` are the roots that are fully signed.
fn proposals(
    changes: &BTreeMap<Digest, StoredChange>,
    signed: &BTreeSet<Digest>,
) -> BTreeMap<Digest, Proposal> {
    let proposals = changes.values().filter_map(|stored| Proposal::of(stored.digest, &stored.change));
    let with_root = proposals.map(|mut proposal| {
        let root = proposal.root.as_ref().map(MetadataPayload::digest);
        proposal.sealed = root.is_some_and(|root| signed.contains(&root));
        (proposal.change, proposal)
    });
    with_root.collect()
}

/// What backends answered, oldest first, and what they are said to have taken.
fn receipts(desk: &mut Desk<'_>) -> (Vec<Receipt>, Taken) {
    let mut receipts = Vec::new();
    for place in desk.places.clone() {
        if !matches!(place, Place::Receipt(_)) {
            continue;
        }
        let trust = desk.trust.id;
        let Some(receipt) = desk.read(&place, Receipt::from_json) else { continue };
        if receipt.trust == trust {
            desk.accept(&place);
            receipts.push(receipt);
        } else {
            desk.refuse(&place, other_trust(&receipt.trust));
        }
    }
    receipts.sort_by_key(|r| r.at);
    let taken = taken(desk, &receipts);
    (receipts, taken)
}

/// The uploads that a backend is said to have taken.
fn taken(desk: &Desk<'_>, receipts: &[Receipt]) -> Taken {
    let accepted = receipts.iter().filter(|receipt| receipt.result == Answer::Accepted);
    let accepted: BTreeSet<Digest> = accepted.map(|receipt| receipt.manifest).collect();
    let manifests = desk.places.iter().filter(|place| match place {
        Place::Upload(upload, name) => name.as_str() == manifest::NAME && accepted.contains(upload),
        _ => false,
    });
    let mut taken = Taken::default();
    for place in manifests {
        let Ok(bytes) = desk.files.bytes(place) else { continue };
        let Ok(manifest) = Manifest::parse(&bytes) else { continue };
        taken.changes.extend(manifest.change);
        taken.files.extend(manifest.files.into_values().map(|line| line.sha));
    }
    taken
}

fn other_trust(trust: &crate::tuf::statement::TrustId) -> Refusal {
    Refusal::new(&rules::RECORD_OTHER, format!("a file of the trust {trust}"), "this record's trust")
}

/// What decision statements say of the files for one thing.
#[derive(Default)]
struct Decided {
    /// The digest of the file that stands, for metadata that of the file or of the payload.
    keep: Option<Digest>,
    /// Those that don't.
    out: BTreeSet<Digest>,
    /// The decisions in force.
    by: BTreeMap<Digest, Statement>,
    /// Whether people decided, and not what the backend serves.
    by_people: bool,
}

/// What has been decided of `what`. `now` says who may decide it, `once` who might have: the change
/// that brought such a decision stays sealed, though it decides nothing any more.
///
/// A decision names those that it overrules among what it decides against, so that a wrong one or
/// two that contradict each other have an end; two that stand and contradict each other decide nothing.
fn decision(
    said: &statements::Said,
    what: &str,
    now: impl Fn(&BTreeSet<KeyIdentity>) -> bool,
    once: impl Fn(&BTreeSet<KeyIdentity>) -> bool,
) -> Decided {
    let mut counted = BTreeMap::new();
    for (statement, signers) in said.decisions(what) {
        let Sentence::Decision { keep, over, .. } = statement.sentence() else { continue };
        let counts = now(signers);
        if counts || once(signers) {
            said.acts(statement);
        }
        if counts {
            counted.insert(Digest::of(statement.bytes()), (*keep, over, statement));
        }
    }
    let overruled: BTreeSet<Digest> =
        counted.values().flat_map(|(_, over, _)| over.iter().copied()).collect();
    counted.retain(|decision, _| !overruled.contains(decision));
    let out: BTreeSet<Digest> = counted.values().flat_map(|(_, over, _)| over.iter().copied()).collect();
    let keeps: BTreeSet<Digest> = counted.values().map(|(keep, ..)| *keep).collect();
    let by = counted.into_iter().map(|(decision, (.., statement))| (decision, statement.clone())).collect();
    if keeps.iter().any(|keep| out.contains(keep)) {
        return Decided { by, by_people: true, ..Decided::default() };
    }
    let keep = keeps.first().copied().filter(|_| keeps.len() == 1);
    Decided { keep, out, by, by_people: true }
}

/// Whether a threshold of the newest root said so.
fn by_newest_root(roots: &[Trusted], signers: &BTreeSet<KeyIdentity>) -> bool {
    roots.last().is_some_and(|root| statements::root_met(root.payload(), signers))
}

/// Whether a threshold of any root of the chain said so.
fn by_some_root(roots: &[Trusted], signers: &BTreeSet<KeyIdentity>) -> bool {
    roots.iter().any(|root| statements::root_met(root.payload(), signers))
}
