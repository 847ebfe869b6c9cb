//! Statements: whose signature verifies, and which of them act.
//!
//! One that verifies and doesn't act is kept and shown (`PLANTED`); a copy of the record can hold
//! any number of them without effect.

use super::documents::Documents;
use super::keys::Keys;
use super::{Desk, met, other_trust};
use crate::ceremony::ceasing::Declared;
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, Stage, delegation_key};
use crate::ceremony::transcript::{CeremonyId, Transcript};
use crate::record::contents::{StoredChange, StoredStatement};
use crate::record::names::Place;
use crate::record::{KeyFile, SignedStatement, rules};
use crate::tuf::chain::signers_of;
use crate::tuf::digest::Digest;
use crate::tuf::document;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{KeyId, KeyIdentity};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Refusal;
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use crate::tuf::time::Time;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Every statement whose signature verifies, and those that act.
pub(super) struct Said {
    /// By digest of the file.
    files: BTreeMap<Digest, SignedStatement>,
    /// By digest of the statement: who signed it.
    by_payload: BTreeMap<Digest, (Statement, BTreeSet<KeyIdentity>)>,
    /// Digests of statements that act.
    acting: RefCell<BTreeSet<Digest>>,
    lives: BTreeMap<KeyIdentity, BTreeSet<(Time, KeyEvent)>>,
    /// Of those, what would count no more with other targets keys.
    by_targets: BTreeMap<KeyIdentity, Vec<Declared>>,
    /// Digests of decision statements, by what they decide.
    decisions: BTreeMap<String, BTreeSet<Digest>>,
}

/// Reads them; what they mean is asked later.
pub(super) fn read(desk: &mut Desk<'_>) -> Said {
    let mut said = Said {
        files: BTreeMap::new(),
        by_payload: BTreeMap::new(),
        acting: RefCell::default(),
        lives: BTreeMap::new(),
        by_targets: BTreeMap::new(),
        decisions: BTreeMap::new(),
    };
    for place in desk.places.clone() {
        let Place::Statement(file) = place else { continue };
        let Some(signed) = desk.read(&place, SignedStatement::from_json) else { continue };
        let statement = signed.statement().clone();
        if statement.trust() != desk.trust.id {
            desk.refuse(&place, other_trust(&statement.trust()));
            continue;
        }
        let payload = Digest::of(statement.bytes());
        let itself = match statement.sentence() {
            Sentence::Possession { key, .. } | Sentence::RollCall { key, .. } => {
                *key == signed.public().identity()
            }
            _ => false,
        };
        if itself {
            said.acts(&statement);
        }
        if let Sentence::Decision { what, .. } = statement.sentence() {
            said.decisions.entry(what.clone()).or_default().insert(payload);
        }
        let entry = said.by_payload.entry(payload).or_insert_with(|| (statement, BTreeSet::new()));
        entry.1.insert(signed.public().identity());
        said.files.insert(file, signed);
    }
    said
}

/// What became of keys: by the threshold of the root that each statement names, or, for a
/// delegation's key, by the threshold of targets that this root lists.
///
/// A root that another has followed says nothing of keys that the newest root lists today, nor of
/// developers' keys that the newest targets document lists: whoever gets hold of keys that were given up
/// long ago could otherwise end every living one for good. What a developer's own document lists
/// protects no key, nor what targets list one that was a root's: whoever has a developer's key could
/// else bring back what was declared stolen. Nor do its targets keys end one that came in since and that
/// nothing lists yet: they must be a threshold of today's too, unless clients have had a document with
/// that key.
pub(super) fn lives(said: &mut Said, roots: &[Trusted], keys: &Keys, documents: &Documents, stage: Stage) {
    let Some(last) = roots.last() else { return };
    // Which one doesn't matter: it only tells the count that it is not for root.
    let targets = documents.newest.get(&RoleName::Targets);
    let listed = |key: &KeyIdentity| {
        let grants = targets.is_some_and(|targets| delegated(targets, key));
        root_lists(last, key) || (grants && !roots.iter().any(|root| root_lists(root, key)))
    };
    let served =
        |held: &&Trusted| stage == Stage::Rehearsal || documents.published.contains(&held.payload().digest());
    // Of which root has said enough.
    let mut for_good = BTreeSet::new();
    for (payload, (statement, signers)) in &said.by_payload {
        let Sentence::KeyLife { key, event, at, root } = statement.sentence() else { continue };
        let Some(root) = roots.iter().find(|r| r.payload().digest() == *root) else { continue };
        let newest = last.version() == root.version();
        if !newest && listed(key) {
            continue;
        }
        let sign_targets = |root: &Trusted| {
            targets.is_some_and(|targets| {
                signers_of(root.document(), &RoleName::Targets)
                    .is_ok_and(|(keys, role)| met(keys, role, targets.payload(), signers))
            })
        };
        let had = || documents.all.iter().filter(served).any(|held| below(held, key));
        let by_root = root_met(root.payload(), signers);
        let by_targets = || {
            delegation_key(key, keys.used.values(), roots)
                && sign_targets(root)
                && (sign_targets(last) || had())
        };
        if !by_root && !by_targets() {
            continue;
        }
        said.acting.borrow_mut().insert(*payload);
        said.lives.entry(*key).or_default().insert((*at, *event));
        if !Declared::is_final(*event) {
            continue;
        }
        if by_root {
            for_good.insert(*key);
        } else if listed(key) || !had() {
            let declared = Declared { event: *event, at: *at, by: signers.clone() };
            said.by_targets.entry(*key).or_default().push(declared);
        }
    }
    said.by_targets.retain(|key, _| !for_good.contains(key));
}

/// Whether a document lists a key for what it delegates to.
fn below(held: &Trusted, key: &KeyIdentity) -> bool {
    held.document().as_targets().is_some_and(|view| lists(&view.delegations.keys, key))
}

fn lists(keys: &document::Keys, wanted: &KeyIdentity) -> bool {
    keys.values().filter_map(|key| key.public.as_ref()).any(|public| public.identity() == *wanted)
}

/// Whether a role that a document delegates to lists a key.
fn delegated(held: &Trusted, wanted: &KeyIdentity) -> bool {
    held.document().as_targets().is_some_and(|view| {
        let ids = view.delegations.roles.iter().flat_map(|role| &*role.keys.keyids);
        by_id(ids, &view.delegations.keys, wanted)
    })
}

/// Whether a role of a root lists a key.
fn root_lists(root: &Trusted, wanted: &KeyIdentity) -> bool {
    root.document()
        .as_root()
        .is_some_and(|root| by_id(root.roles.values().flat_map(|role| &*role.keyids), &root.keys, wanted))
}

/// By the ids of roles: there can be entries of keys that none lists.
fn by_id<'a>(ids: impl Iterator<Item = &'a KeyId>, keys: &document::Keys, wanted: &KeyIdentity) -> bool {
    let entries = ids.filter_map(|id| keys.get(id));
    entries.filter_map(|key| key.public.as_ref()).any(|public| public.identity() == *wanted)
}

/// Whether these keys meet a root's own threshold.
pub(super) fn root_met(root: &MetadataPayload, signers: &BTreeSet<KeyIdentity>) -> bool {
    let view = root.document().as_root();
    view.is_some_and(|view| {
        let role = view.roles.get(&RoleName::Root);
        role.is_some_and(|role| met(&view.keys, role, root, signers))
    })
}

impl Said {
    /// The statements of which `which` is true, each with everyone who signed it.
    pub(super) fn all(&self, which: impl Fn(&Sentence) -> bool) -> Vec<(&Statement, BTreeSet<KeyIdentity>)> {
        let wanted = self.by_payload.values().filter(|(statement, _)| which(statement.sentence()));
        wanted.map(|(statement, signers)| (statement, signers.clone())).collect()
    }

    /// The decisions about one thing, each with everyone who signed it.
    pub(super) fn decisions(&self, what: &str) -> impl Iterator<Item = (&Statement, &BTreeSet<KeyIdentity>)> {
        let about = self.decisions.get(what).into_iter().flatten();
        about
            .filter_map(|payload| self.by_payload.get(payload))
            .map(|(statement, signers)| (statement, signers))
    }

    /// Notes that a statement acts.
    pub(super) fn acts(&self, statement: &Statement) {
        self.acting.borrow_mut().insert(Digest::of(statement.bytes()));
    }

    /// The statement in a file.
    pub(super) fn file(&self, file: &Digest) -> Option<&SignedStatement> {
        self.files.get(file)
    }

    /// What became of a key, in the order of time; lost and compromised are final.
    pub(super) fn life(&self, key: &KeyIdentity) -> Vec<(KeyEvent, Time)> {
        let events = self.lives.get(key).into_iter().flatten();
        events.map(|(at, event)| (*event, *at)).collect()
    }

    /// What only targets keys have said of keys, and would count no more with others.
    pub(super) fn by_targets(&mut self) -> BTreeMap<KeyIdentity, Vec<Declared>> {
        std::mem::take(&mut self.by_targets)
    }

    /// Payload digests of the statements that act.
    pub(super) fn in_force(&self) -> BTreeSet<Digest> {
        self.acting.borrow().clone()
    }

    /// Withdrawals and refusals of a change, for [`crate::ceremony::standing`] to judge. A refusal
    /// acts if the change asks its signer.
    pub(super) fn gather(&self, change: &mut StoredChange) {
        let asked: Vec<_> =
            change.change.items.iter().flat_map(crate::ceremony::change::Item::asked).collect();
        for (statement, signers) in self.by_payload.values() {
            match statement.sentence() {
                Sentence::Withdrawal { change: of, reason } if *of == change.digest => {
                    change.gathered.withdrawals.extend(signers.iter().map(|key| (*key, reason.clone())));
                }
                Sentence::Refusal { change: of, reason } if *of == change.digest => {
                    let may = |key: &&KeyIdentity| asked.iter().any(|ask| ask.public.identity() == **key);
                    for key in signers.iter().filter(may) {
                        change.gathered.refusals.push((*key, reason.clone()));
                        self.acts(statement);
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes which withdrawals of a change act: all or none, as its standing says.
    pub(super) fn withdrawals(&self, change: &Digest, withdrawn: bool) {
        for (statement, _) in self.by_payload.values() {
            let of_it =
                matches!(statement.sentence(), Sentence::Withdrawal { change: of, .. } if of == change);
            if of_it && withdrawn {
                self.acts(statement);
            }
        }
    }

    /// Compares the heads that witnesses signed with the transcripts.
    pub(super) fn heads(
        &self,
        facts: &Facts,
        transcripts: &BTreeMap<CeremonyId, Transcript>,
        desk: &mut Desk<'_>,
    ) {
        let witness = |key: &KeyIdentity| {
            facts.keys.values().any(|k| k.purpose == Purpose::Witness && k.public.identity() == *key)
        };
        for (file, signed) in &self.files {
            let Sentence::TranscriptHead { ceremony, sequence, head, .. } = signed.statement().sentence()
            else {
                continue;
            };
            if !witness(&signed.public().identity()) {
                continue;
            }
            self.acts(signed.statement());
            let id = ceremony.parse().ok();
            let there = id.and_then(|id: CeremonyId| transcripts.get(&id)).is_some_and(|transcript| {
                transcript.entries().iter().any(|(entry, digest)| entry.seq == *sequence && digest == head)
            });
            if !there {
                desk.refuse(
                    &Place::Statement(*file),
                    Refusal::new(
                        &crate::ceremony::rules::TRANSCRIPT_BROKEN,
                        format!(
                            "no entry {sequence} {head} in the transcript {ceremony}, which a witness saw"
                        ),
                        "every entry that a witness signed",
                    ),
                );
            }
        }
    }

    /// Judges what may come in: only sentences of keys that the record knows.
    pub(super) fn finish(
        &self,
        desk: &mut Desk<'_>,
        facts: &Facts,
        changes: &BTreeMap<Digest, StoredChange>,
        key_files: &BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
    ) {
        // Also those that were decided against: what they say of themselves is why they are here.
        let kept = |(sha, (file, _)): &(&Digest, &(KeyFile, Option<Refusal>))| {
            desk.accepted.contains(&Place::Key(file.name.clone(), **sha))
        };
        let kept = key_files.iter().filter(kept);
        let mut known: BTreeSet<KeyIdentity> = kept.map(|(_, (file, _))| file.public.identity()).collect();
        for root in facts.roots.iter().filter_map(|r| r.document().as_root()) {
            known.extend(
                root.keys
                    .values()
                    .filter_map(|key| key.public.as_ref())
                    .map(crate::tuf::key::PublicKey::identity),
            );
        }
        let asked =
            changes.values().flat_map(|c| &c.change.items).flat_map(crate::ceremony::change::Item::asked);
        known.extend(asked.map(|ask| ask.public.identity()));
        for (file, signed) in &self.files {
            let place = Place::Statement(*file);
            let signer = signed.public().identity();
            if known.contains(&signer) {
                desk.accept(&place);
            } else if desk.files.is_new(&place) {
                let found = format!("a {} statement of the unknown key {signer}", signed.statement().kind());
                desk.refuse(
                    &place,
                    Refusal::new(&rules::PLANTED, found, "statements of keys that the record knows"),
                );
            }
        }
    }

    /// Every statement, with why it doesn't act if it doesn't.
    pub(super) fn stored(self) -> BTreeMap<Digest, StoredStatement> {
        let acting = self.acting.into_inner();
        let by_payload = &self.by_payload;
        let stored = self.files.into_iter().map(|(file, signed)| {
            let payload = Digest::of(signed.statement().bytes());
            let idle = (!acting.contains(&payload)).then(|| {
                let signers = by_payload.get(&payload).map_or(0, |(_, signers)| signers.len());
                Refusal::new(
                    &rules::PLANTED,
                    format!(
                        "a {} statement of {signers} keys that may not make it act",
                        signed.statement().kind()
                    ),
                    who(signed.statement().sentence()),
                )
            });
            (file, StoredStatement { signed, idle })
        });
        stored.collect()
    }
}

/// Who would have to sign (FORMAT.md).
fn who(sentence: &Sentence) -> &'static str {
    match sentence {
        Sentence::Possession { .. } | Sentence::RollCall { .. } => "the key itself",
        Sentence::Limits { .. } => "a threshold of the newest root, over its whole chain",
        Sentence::Withdrawal { .. } => "a threshold of the highest role that the change replaces",
        Sentence::Refusal { .. } => "a key that the change asks",
        Sentence::KeyLife { .. } => {
            "a threshold of a root of the chain, which it names; for a delegation's key also one of that root's targets keys"
        }
        Sentence::TranscriptHead { .. } => "a key of purpose witness",
        Sentence::Decision { .. } => {
            "a threshold of the newest root, or of the role that delegates to the document's"
        }
    }
}
