//! What `run`, `sign` and `plan` share: opening the record, freezing a change, beginning and ending
//! a session's transcript.

use super::aside;
use super::gated;
use super::keyring::Keyring;
use super::perform::journal::{Journal, Of};
use super::recomputed::recomputed;
use super::session::{Session, read_text, shown, typed};
use super::sign::going_on;
use crate::ceremony::change::{Change, Frame, Item};
use crate::ceremony::facts::{Anchor, Facts, Stage};
use crate::ceremony::people::{Duty, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, State};
use crate::ceremony::transcript::{Begin, CeremonyId, EndState, Outcome, Transcript};
use crate::ceremony::{Ceremony, gate, kinds, messages, people, rehearsed};
use crate::record::deeds::Deed;
use crate::record::{Contents, Record, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An open record and one's own keys.
pub struct Table {
    /// The record.
    pub record: Record,
    /// The keys in reach.
    pub keyring: Keyring,
    /// The backend's address, if the device map has it.
    pub server: Option<String>,
}

/// A runbook on the table: read, and frozen into a change.
pub struct Frozen {
    /// The runbook.
    pub runbook: Runbook,
    /// Its kind, read.
    pub ceremony: Box<dyn Ceremony>,
    /// The change: one that was open, or a new one.
    pub change: Change,
    /// What clients will make of it; empty for one that is sealed, or waits for another.
    pub clients: gate::Report,
}

/// What a runbook leads to.
pub enum Due {
    /// A change to be carried out.
    Change(Box<Frozen>),
    /// Nothing: all it asks for is so already.
    Held(Runbook),
}

impl Table {
    /// Opens the record and the device map.
    ///
    /// # Errors
    ///
    /// `RECORD-MISSING`, `DEVICES`, `TRUST-OTHER`.
    pub fn open(session: &Session) -> Result<Self> {
        Self::open_at(session, &session.directory)
    }

    /// As [`Self::open`], for a record elsewhere: a medium that was received.
    pub fn open_at(session: &Session, directory: &Path) -> Result<Self> {
        let received = *directory != session.directory;
        let record = if received { Record::open_received(directory) } else { Record::open(directory) }?;
        let map = session.map()?;
        let server = map.as_ref().and_then(|map| map.backend.clone());
        let keyring = Keyring::new(map, session.randomness());
        keyring.require_trust(record.trust().id)?;
        Ok(Self { record, keyring, server })
    }

    /// Reads the whole record as it is now.
    ///
    /// # Errors
    ///
    /// As [`Record::read_all`].
    pub fn contents(&mut self, session: &Session) -> Result<Contents> {
        self.contents_with(session, None)
    }

    /// As [`Self::contents`], from an anchor that a person gave; the device map's otherwise.
    ///
    /// # Errors
    ///
    /// As [`Record::read_all`].
    pub fn contents_with(&mut self, session: &Session, anchor: Option<Anchor>) -> Result<Contents> {
        let mut inputs = self.keyring.inputs(self.record.trust())?;
        inputs.anchor = anchor.or(inputs.anchor);
        let contents = self.record.read_all(session.now()?, &inputs)?;
        self.keyring.learn(&contents.facts);
        Ok(contents)
    }

    /// Reads a runbook.
    ///
    /// # Errors
    ///
    /// `RUNBOOK`, `TEXT-FILE`, and what reading the file refuses.
    pub fn runbook(path: &Path) -> Result<Runbook> {
        Runbook::parse(&read_text(path)?).map_err(|r| r.at(shown(path)))
    }

    /// The change that a runbook leads to: the open one of the very same bytes, or a new one,
    /// written into the record. Every rule that needs no token has been met.
    ///
    /// # Errors
    ///
    /// Whatever the kind refuses; `REHEARSAL-MISSING` where limits demand one and the record has
    /// none of this very runbook, which people keep at `path`.
    pub fn freeze(
        &self,
        session: &Session,
        path: &Path,
        runbook: Runbook,
        contents: &Contents,
    ) -> Result<Due> {
        let facts = &contents.facts;
        let ceremony = kinds::read(&runbook)?;
        let here = |change: &Digest| self.deeds(change);
        if let Some(stored) = aside::open_change(contents, &runbook.digest(), &*ceremony, &here)? {
            // It may have come in by a medium: nothing of it is believed.
            if !made_first_root(stored, contents) {
                contents.require_anchor_for(&stored.change)?;
                contents.require_fresh()?;
            }
            recomputed(stored, contents)?;
            if going_on(stored) {
                contents.require_sound(&stored.change)?;
            }
            let (clients, change) = (gated::planned(stored, contents)?, stored.change.clone());
            return Ok(Due::Change(Box::new(Frozen { runbook, ceremony, change, clients })));
        }
        // Documents that are here twice are the newest of nothing, so none of them would be due.
        if let (true, Some(conflict)) =
            (runbook.kind.as_str() == "renew", contents.conflicts.get(&RoleName::Targets))
        {
            return Err(conflict.clone());
        }
        if ceremony.held(facts) {
            return Ok(Due::Held(runbook));
        }
        contents.require_known_root()?;
        contents.require_fresh()?;
        let frame = Self::frame(session, &runbook, facts)?;
        let mut change = ceremony.change(&frame, facts).map_err(|refusal| in_conflict(contents, refusal))?;
        contents.require_sound(&change)?;
        if rehearsed::demanded_by(&change, facts).is_some() {
            let rehearsal = contents.rehearsal_of(&frame.runbook);
            change = ceremony.change(&Frame { rehearsal, ..frame }, facts)?;
        }
        let how = format!("keyrite rehearse --from {} {}", typed(self.record.path()), typed(path));
        contents.require_anchor_for(&change)?;
        rehearsed::check(&change, facts, &how)?;
        people::check_duties(&change, &facts.limits)?;
        people::check_witnesses(&change)?;
        messages::check(&change, &Gathered::default(), facts)?;
        let clients = gate::planned(&change, facts)?;
        clients.check()?;
        Ok(Due::Change(Box::new(Frozen { runbook, ceremony, change, clients })))
    }

    /// The frame of a change that a runbook begins now, not rehearsed yet.
    ///
    /// # Errors
    ///
    /// `DATE`, `RANDOM`.
    pub fn frame(session: &Session, runbook: &Runbook, facts: &Facts) -> Result<Frame> {
        let held_at = session.now()?;
        Ok(Frame {
            kind: runbook.kind.clone(),
            title: runbook.title.clone(),
            people: runbook.people.clone(),
            runbook: runbook.digest(),
            held_at,
            sign_by: held_at.plus(facts.limits.ceremony.sign_within)?,
            nonce: session.random::<32>()?,
            rehearsal: None,
        })
    }

    /// Begins a session's transcript. One that was cut off is never gone on with: what people read
    /// and agreed to in it is asked again, since anyone can write entries on a medium; what tokens
    /// did in it stays done. `host_checks` is what [`super::opening::settle`] found.
    ///
    /// # Errors
    ///
    /// `CLOCK`, `RECORD-WRITE`.
    pub fn begin(
        &self,
        session: &Session,
        contents: &Contents,
        people: BTreeMap<Person, Duty>,
        runbooks: Vec<Digest>,
        host_checks: BTreeMap<String, String>,
    ) -> Result<Journal> {
        let id = CeremonyId::from_bytes(session.random::<16>()?);
        let mut journal = Journal::new(Transcript::new(id));
        let program = session.program()?;
        let begin = Begin {
            keyrite: program.version,
            binary: program.digest,
            people,
            stage: self.record.trust().stage,
            runbooks,
            heads: contents.loose_heads(),
            host_checks,
        };
        journal.say(&self.record, session, Of::SESSION, Outcome::Begin(Box::new(begin)))?;
        Ok(journal)
    }

    /// Ends the session's transcript.
    ///
    /// # Errors
    ///
    /// `CLOCK`, `RECORD-WRITE`.
    pub fn end(
        &self,
        session: &Session,
        journal: &mut Journal,
        state: EndState,
        needed: Vec<Person>,
    ) -> Result<()> {
        journal.say(&self.record, session, Of::SESSION, Outcome::End { state, waiting: needed })
    }

    /// Knows the root that a change has just sealed here: everyone in the room has read it back and
    /// agreed to it, so what this session does next rests on it. After a withdrawal that is the
    /// root before. `facts` are those from before the change.
    pub fn know_root(&mut self, change: &Change, facts: &Facts) -> Option<Anchor> {
        let anchor = if let Some(version) = withdrawn_root(change, facts) {
            let before = facts.roots.iter().find(|root| root.version().checked_add(1) == Some(version));
            let before = before.map(|r| Anchor { version: r.version(), payload: r.payload().digest() });
            if let (None, Some(map)) = (before, self.keyring.map_mut()) {
                map.anchor = None;
            }
            before?
        } else {
            let root = change.documents().find(|d| *d.role() == RoleName::Root)?;
            Anchor { version: root.version(), payload: root.digest() }
        };
        if let Some(map) = self.keyring.map_mut() {
            map.anchor = Some(anchor);
        }
        Some(anchor)
    }

    /// What was done for a change in this very copy of the record.
    ///
    /// # Errors
    ///
    /// As [`Record::deeds`].
    pub fn deeds(&self, change: &Digest) -> Result<BTreeSet<Deed>> {
        self.record.deeds(change)
    }

    /// Whether this is practice.
    pub fn rehearsal(&self) -> bool {
        self.record.trust().stage == Stage::Rehearsal
    }
}

/// What a kind refuses for want of a document that is here twice, by its reason: nobody should look
/// for what is missing.
fn in_conflict(contents: &Contents, refusal: Refusal) -> Refusal {
    let top = [RoleName::Root, RoleName::Targets];
    let conflict = top.iter().find_map(|role| contents.conflicts.get(role));
    conflict.filter(|_| refusal.rule().exit == Exit::Refused).cloned().unwrap_or(refusal)
}

/// The version of the root that a change takes out of the chain, if it takes one.
fn withdrawn_root(change: &Change, facts: &Facts) -> Option<u64> {
    change.items.iter().find_map(|item| match item {
        Item::Statement { payload, .. } => match payload.sentence() {
            Sentence::Withdrawal { change, .. } => {
                facts.proposals.get(change)?.chained(facts).map(Trusted::version)
            }
            _ => None,
        },
        _ => None,
    })
}

/// Whether nothing is left to do for a change: a ceremony without documents is finished once every
/// key it makes or takes in is in the record.
pub fn finished(stored: &StoredChange, contents: &Contents) -> bool {
    let keys = stored.change.items.iter().all(|item| match item {
        Item::NewKey(new) => contents.facts.keys.contains_key(&new.name),
        Item::EnrolledKey(key) => contents.facts.keys.contains_key(&key.name),
        _ => false,
    });
    let Ok(standing) = &stored.standing else { return keys };
    keys || match standing.state {
        State::BaseMoved(_) | State::Overtaken { .. } => true,
        // Sealed, and cut off before the upload was written: that is still to do.
        State::Sealed => {
            if contents.late(stored) {
                return false;
            }
            let uploads = stored.change.documents().next().is_some();
            !uploads || contents.facts.trust.profile == Profile::Tuf || uploaded(stored, contents)
        }
        _ => stored.closed(),
    }
}

fn uploaded(stored: &StoredChange, contents: &Contents) -> bool {
    contents.transcripts.values().flat_map(super::super::ceremony::transcript::Transcript::entries).any(
        |(entry, _)| entry.change == Some(stored.digest) && matches!(entry.outcome, Outcome::Upload { .. }),
    )
}

/// Whether a change has sealed the record's one root, and its holder has not written it down yet:
/// a session cut off there has nothing left to sign, and only they who agree to it can know it.
fn made_first_root(stored: &StoredChange, contents: &Contents) -> bool {
    let [root] = contents.facts.roots.as_slice() else { return false };
    contents.facts.anchor.is_none()
        && stored.standing.as_ref().is_ok_and(|s| s.state == State::Sealed)
        && stored.change.documents().any(|d| d.digest() == root.payload().digest())
}
