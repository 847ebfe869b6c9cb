//! What a record says once everything in it has been read and verified.

use super::listed::keys_for;
use super::receipt::Receipt;
use super::uploads::StoredUpload;
use super::{KeyFile, SignedStatement, rules};
use crate::ceremony::change::{Ask, Change, Item, Rehearsal};
use crate::ceremony::facts::{Anchor, Device, Enrolment, Facts, Stage};
use crate::ceremony::limits::Limits;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::ceremony::transcript::{CeremonyId, Outcome, Transcript};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::{Trusted, signed_by};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, TrustId};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::tuf::verify::Signature;
use crate::tuf::wire::Envelope;
use std::collections::{BTreeMap, BTreeSet};

/// What reading a record needs from outside of it.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The newest root that a person knows.
    pub anchor: Option<Anchor>,
    /// Enrolment files at hand.
    pub enrolments: BTreeMap<KeyName, Enrolment>,
    /// One's own keys.
    pub devices: BTreeMap<KeyName, Device>,
    /// Who is away until when.
    pub away: BTreeMap<Person, Time>,
    /// The backend's address, if the device map has it.
    pub backend: Option<String>,
    /// Transcript heads that people know: digests of the last entry's file.
    pub heads: Vec<Digest>,
}

/// A record, read and verified.
#[derive(Debug)]
pub struct Contents {
    /// What ceremonies may know.
    pub facts: Facts,
    /// Every change, by digest.
    pub changes: BTreeMap<Digest, StoredChange>,
    /// Every transcript whose chain is unbroken.
    pub transcripts: BTreeMap<CeremonyId, Transcript>,
    /// Transcripts that are broken, with the first bad entry: nothing in them is used.
    pub broken: BTreeMap<CeremonyId, Refusal>,
    /// Every statement whose signature verifies, by digest of its file.
    pub statements: BTreeMap<Digest, StoredStatement>,
    /// Every key file that parses, by digest, and why it is not used if it isn't. One that a
    /// ceremony wrote before it was cut off is here as `KEY-UNWITNESSED`.
    pub key_files: BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
    /// Every document that parses, in order of role, version and digest.
    pub history: Vec<StoredDocument>,
    /// The documents that changes here started from which are not over yet, by payload digest.
    pub replaced: BTreeMap<Digest, Trusted>,
    /// Rehearsals of this trust that are in the record.
    pub rehearsals: Vec<StoredRehearsal>,
    /// Uploads whose MANIFEST and files agree, and whose lines are keyrite's, by digest of MANIFEST.
    pub uploads: BTreeMap<Digest, StoredUpload>,
    /// The backend's address, if the device map has it.
    pub backend: Option<String>,
    /// What backends answered, in the order of time.
    pub receipts: Vec<Receipt>,
    /// Roles of which two documents of one version verify: nothing that rests on them is planned.
    pub conflicts: BTreeMap<RoleName, Refusal>,
    /// Why this record is not bound to its trust, if there is a root: `TRUST-UNBOUND`.
    pub unbound: Option<Refusal>,
    /// Limits that are in force or were, by number and digest of the file.
    pub limits_ever: BTreeMap<(u64, Digest), Limits>,
    /// Problems that don't stop reading: where (safe to show) and which rule.
    pub findings: Vec<(String, Refusal)>,
    pub(super) heads: Vec<Digest>,
    /// Documents of which there are several files for one version, by digest of the file.
    pub(super) several: BTreeMap<Digest, Envelope>,
}

/// A change, with what came in for it.
#[derive(Debug, Clone)]
pub struct StoredChange {
    /// SHA-256 of `change.json`.
    pub digest: Digest,
    /// The change, its payloads read.
    pub change: Change,
    /// The runbook's exact bytes.
    pub runbook: Vec<u8>,
    /// By payload digest: signatures that verified, by keys that the change asks, one a key.
    pub signatures: BTreeMap<Digest, Vec<Signature>>,
    /// The same, with withdrawals and refusals, as [`Standing`] wants it.
    pub gathered: Gathered,
    /// How it stands, or why that can't be said.
    pub standing: Result<Standing>,
}

impl StoredChange {
    /// Whether nothing more can happen to it: published, withdrawn, overtaken, sealed or lapsed.
    pub fn closed(&self) -> bool {
        self.standing.as_ref().is_ok_and(|standing| {
            matches!(
                standing.state,
                State::Published
                    | State::Withdrawn { .. }
                    | State::Overtaken { .. }
                    | State::Sealed
                    | State::Lapsed { .. }
            )
        })
    }
}

/// A statement with one signature that verifies.
#[derive(Debug, Clone)]
pub struct StoredStatement {
    /// The statement.
    pub signed: SignedStatement,
    /// Why it doesn't act, if it doesn't: `PLANTED` with who would have to sign.
    pub idle: Option<Refusal>,
}

/// A document of the record's history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredDocument {
    /// Its role.
    pub role: RoleName,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the file.
    pub file: Digest,
    /// SHA-256 of the payload.
    pub payload: Digest,
    /// Which document vouches for it, the newest that does: role and version. None if none does.
    pub vouched_by: Option<(RoleName, u64)>,
    /// Whether a trusted snapshot and timestamp name this payload.
    pub published: bool,
}

/// A rehearsal that was held for this trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRehearsal {
    /// The rehearsal's trust.
    pub trust: TrustId,
    /// Its ceremony.
    pub ceremony: CeremonyId,
    /// The digest of the last entry.
    pub head: Digest,
    /// The digests of the runbooks that it held.
    pub runbooks: Vec<Digest>,
    /// When it ended, by its own transcript.
    pub at: Time,
    /// Whether it ended with nothing left to do.
    pub done: bool,
}

impl Contents {
    /// Refuses a chain of roots without an anchor, one that the anchor is not in, and one that is
    /// not bound to this trust. A record without a root needs none.
    ///
    /// # Errors
    ///
    /// `ANCHOR`, `TRUST-UNBOUND`.
    pub fn require_anchor(&self) -> Result<()> {
        self.require_known_root()?;
        self.unbound.clone().map_or(Ok(()), Err)
    }

    /// As [`Self::require_anchor`], for a change that is about to be signed: an adopted trust is
    /// bound to its limits by the first change that carries their statement.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn require_anchor_for(&self, change: &Change) -> Result<()> {
        self.require_known_root()?;
        let limits = |sentence: &Sentence| matches!(sentence, Sentence::Limits { .. });
        let bound = self.statements.values().any(|s| limits(s.signed.statement().sentence()));
        let binds = change
            .items
            .iter()
            .any(|item| matches!(item, Item::Statement { payload, .. } if limits(payload.sentence())));
        if self.facts.trust.start.is_some() && binds && !bound {
            return Ok(());
        }
        // A conflict of limits ends by a decision, which none of them says anything about.
        let disputed = self.unbound.as_ref().is_some_and(|why| why.rule() == &rules::RECORD_CONFLICT);
        if disputed && !change.items.is_empty() && change.items.iter().all(decides) {
            return Ok(());
        }
        self.require_anchor()
    }

    /// Refuses a record without the root that a person knows, bound to its limits or not.
    ///
    /// # Errors
    ///
    /// `ANCHOR`.
    pub fn require_known_root(&self) -> Result<()> {
        let Some(newest) = self.facts.roots.last() else {
            let Some(anchor) = self.facts.anchor else { return Ok(()) };
            return Err(Refusal::new(
                &crate::tuf::rules::ANCHOR,
                "a record without a root".to_owned(),
                format!("root {}, which you know", anchor.version),
            ));
        };
        if self.facts.anchor.is_none() {
            return Err(Refusal::new(
                &crate::tuf::rules::ANCHOR,
                format!("root version {} and nobody who vouches for it", newest.version()),
                "the digest of a root that a person knows, from paper or from [trust] in the device map",
            ));
        }
        Ok(())
    }

    /// In production: refuses a record that lacks a transcript head which people know, and, where
    /// they know none, one without a snapshot of the backend that is recent enough
    /// (`record-no-older`). A record without a published document needs neither.
    ///
    /// # Errors
    ///
    /// `STALE-RECORD`.
    pub fn require_fresh(&self) -> Result<()> {
        if self.facts.trust.stage == Stage::Rehearsal {
            return Ok(());
        }
        self.require_heads()?;
        if !self.heads.is_empty() || self.facts.published.is_empty() {
            return Ok(());
        }
        let since = self.facts.today.minus(self.facts.limits.ceremony.record_no_older)?;
        let observed = self.receipts.iter().filter(|receipt| self.bounded(receipt)).map(|r| r.at).max();
        match observed {
            Some(at) if at >= since => Ok(()),
            _ => Err(Refusal::new(
                &rules::STALE_RECORD,
                observed.map_or("no answer of the backend".to_owned(), |at| {
                    format!("the backend last asked at {at}")
                }),
                format!("the newest transcript head, or the backend's documents since {since}"),
            )),
        }
    }

    /// Refuses a record that lacks a transcript head which people know: the transcript was cut short or
    /// written anew, or lies in another copy.
    ///
    /// # Errors
    ///
    /// `STALE-RECORD`.
    pub fn require_heads(&self) -> Result<()> {
        let here = self.entries();
        match self.heads.iter().find(|head| !here.contains(head)) {
            None => Ok(()),
            Some(head) => Err(Refusal::new(
                &rules::STALE_RECORD,
                format!("no transcript with the entry {head}"),
                "every transcript head that people know",
            )),
        }
    }

    /// The digests of every transcript's entries.
    fn entries(&self) -> BTreeSet<Digest> {
        let entries = self.transcripts.values().flat_map(Transcript::entries);
        entries.map(|(_, digest)| *digest).collect()
    }

    /// Heads that a ceremony here began after, and that no transcript here has.
    pub fn missing_heads(&self) -> BTreeSet<(CeremonyId, Digest)> {
        let here = self.entries();
        let mut missing = BTreeSet::new();
        for (id, transcript) in &self.transcripts {
            for (entry, _) in transcript.entries() {
                let Outcome::Begin(begin) = &entry.outcome else { continue };
                missing
                    .extend(begin.heads.iter().filter(|head| !here.contains(*head)).map(|head| (*id, *head)));
            }
        }
        missing
    }

    /// Whether a receipt can be believed as far as its date goes. Nobody signs receipts, so one
    /// counts only with the newest trusted timestamp, which was valid then: whoever holds back what
    /// is newer can't move the date beyond that timestamp's end.
    fn bounded(&self, receipt: &Receipt) -> bool {
        let Some(timestamp) = self.facts.documents.get(&RoleName::Timestamp) else { return false };
        let served = receipt.served.get(&RoleName::Timestamp).map(|(_, file)| *file);
        served == Some(Digest::of(timestamp.bytes()))
            && receipt.at < timestamp.document().header().expires
            && receipt.at <= self.facts.today
    }

    /// Whether signatures have come in for a sealed change that its sealed documents lack, and it
    /// can be sealed again with them: the backend has not been seen to serve it, and its documents
    /// are the newest.
    pub fn late(&self, stored: &StoredChange) -> bool {
        let sealed = stored.standing.as_ref().is_ok_and(|s| s.state == State::Sealed);
        let newest = |payload: &MetadataPayload| {
            self.facts.newest(payload.role()).filter(|d| d.payload().digest() == payload.digest())
        };
        // One signature stands under every id of its key, and entries that no key made are none; that of
        // a key which nothing lists has no place in the file.
        let lacks = |item: &Item| {
            let Some(document) = item.document().and_then(newest) else { return false };
            let Ok(keys) = keys_for(document.payload(), &stored.change, &self.facts) else { return false };
            let came = stored.signatures.get(&document.payload().digest()).map_or(&[][..], Vec::as_slice);
            let lacks = |ask: &Ask| {
                came.iter().any(|signature| signature.key() == ask.public.identity())
                    && keys.values().any(|key| key.public.as_ref() == Some(&ask.public))
                    && !signed_by(document.envelope(), &ask.public, ask.scheme)
            };
            item.asked().iter().any(lacks)
        };
        sealed && self.stands(&stored.change) && stored.change.items.iter().any(lacks)
    }

    /// Whether every document of a change is the newest of its role: those who sign for it today
    /// vouch for them. What a former delegator vouches for is kept as well, but whoever has a key that
    /// was revoked can make any number of those, and write a change around them.
    pub fn stands(&self, change: &Change) -> bool {
        let newest = |d: &MetadataPayload| self.facts.newest(d.role()).map(|d| d.payload().digest());
        change.documents().all(|d| newest(d) == Some(d.digest()))
    }

    /// The newest rehearsal of this very runbook that was held to its end.
    pub fn rehearsal_of(&self, runbook: &Digest) -> Option<Rehearsal> {
        let held = self.rehearsals.iter().rfind(|held| held.done && held.runbooks.contains(runbook))?;
        Some(Rehearsal { trust: held.trust, ceremony: held.ceremony, head: held.head })
    }

    /// Whether the record has the rehearsal that a change names, of this very runbook and held to
    /// its end.
    pub fn holds_rehearsal(&self, named: &Rehearsal, runbook: &Digest) -> bool {
        self.rehearsals.iter().any(|held| {
            held.done
                && held.runbooks.contains(runbook)
                && (held.trust, held.ceremony, held.head) == (named.trust, named.ceremony, named.head)
        })
    }

    /// Refuses a change that rests on a role whose documents conflict, but for a withdrawal, which
    /// is the way out of a conflict.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT`.
    pub fn require_sound(&self, change: &Change) -> Result<()> {
        let withdraws = |item: &Item| matches!(item, Item::Statement { payload, .. } if matches!(payload.sentence(), Sentence::Withdrawal { .. }));
        if change.items.iter().all(withdraws) {
            return Ok(());
        }
        let roles = change
            .base
            .documents
            .keys()
            .chain(change.documents().map(super::super::tuf::payload::MetadataPayload::role));
        for role in roles {
            if let Some(refusal) = self.conflicts.get(role) {
                return Err(refusal.clone());
            }
        }
        Ok(())
    }

    /// Refuses to let `key` sign `payload` of the change `change` while it has signed another
    /// payload for the same role and version that is neither withdrawn nor known to be unpublished.
    ///
    /// # Errors
    ///
    /// `ROLE-FORK`.
    pub fn require_no_fork(&self, change: &Digest, key: KeyIdentity, payload: &Digest) -> Result<()> {
        let Some(ours) = self.changes.get(change).and_then(|c| document(&c.change, payload)) else {
            return Ok(());
        };
        for other in self.changes.values() {
            for (signed, signatures) in &other.signatures {
                if signed == payload || !signatures.iter().any(|s| s.key() == key) {
                    continue;
                }
                let Some(theirs) = document(&other.change, signed) else { continue };
                let withdrawn =
                    other.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Withdrawn { .. }));
                if theirs != ours || (withdrawn && !self.facts.published.contains(signed)) {
                    continue;
                }
                return Err(Refusal::new(
                    &rules::ROLE_FORK,
                    format!(
                        "a signature of the key {key} over another {} {} in the change {}, \"{}\"",
                        ours.0,
                        ours.1,
                        other.digest,
                        visible(&other.change.frame.title)
                    ),
                    "one payload for each version of a role, or the withdrawal of the other change",
                ));
            }
        }
        Ok(())
    }

    /// The last entry's digest of every transcript here that no `begin` names yet, sorted.
    pub fn loose_heads(&self) -> Vec<Digest> {
        let entries = || self.transcripts.values().flat_map(Transcript::entries);
        let named: BTreeSet<Digest> = entries()
            .filter_map(|(entry, _)| match &entry.outcome {
                Outcome::Begin(begin) => Some(begin.heads.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        let heads = self.transcripts.values().filter_map(Transcript::head).map(|(_, digest)| digest);
        let loose: BTreeSet<Digest> = heads.filter(|digest| !named.contains(digest)).collect();
        loose.into_iter().collect()
    }

    /// Withdrawn payloads that met their thresholds: they can be published by whoever has them, so
    /// they stay listed for good. By role, version and payload digest.
    pub fn loose_documents(&self) -> BTreeSet<(RoleName, u64, Digest)> {
        let withdrawn =
            |c: &&StoredChange| c.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Withdrawn { .. }));
        let mut loose = BTreeSet::new();
        for change in self.changes.values().filter(withdrawn) {
            let Ok(standing) = &change.standing else { continue };
            for item in standing.items.iter().filter(|i| i.needs.iter().all(|n| n.have >= n.need)) {
                if let Some((role, version)) = document(&change.change, &item.payload) {
                    loose.insert((role.clone(), version, item.payload));
                }
            }
        }
        loose
    }
}

/// Whether an item is a decision between files of the record.
fn decides(item: &Item) -> bool {
    matches!(item, Item::Statement { payload, .. } if matches!(payload.sentence(), Sentence::Decision { .. }))
}

/// Role and version of the document of a change that has this payload.
fn document<'a>(change: &'a Change, payload: &Digest) -> Option<(&'a RoleName, u64)> {
    let documents = change.items.iter().filter_map(Item::document);
    documents.into_iter().find(|d| d.digest() == *payload).map(|d| (d.role(), d.version()))
}
