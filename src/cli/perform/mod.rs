//! The one loop that performs steps: for ceremonies, a custodian's `sign`, and whatever comes.
//!
//! It decides nothing: the change says what, the procedure in what order, the engine what is next.
//! The loop asks people, has tokens act, and writes each outcome into the record before it looks
//! for the next step, so that a session cut off anywhere goes on where it was.
//!
//! Never: a token opened before every rule was met and the change agreed to; a signature relied on
//! before it verified; an outcome held in memory while the next step begins.

mod ask;
mod audit;
mod back_up;
mod certify;
mod destroy;
mod finish;
pub mod journal;
mod make_key;
mod restore;
mod sign;

pub use make_key::{certificate, possession};

use super::keyring::Keyring;
use super::opening;
use super::session::Session;
use crate::ceremony::change::Change;
use crate::ceremony::engine::{self, Next, Progress, Waiting};
use crate::ceremony::facts::Facts;
use crate::ceremony::messages;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::ceremony::step::{self, Act, RecordAct, SecretAct, Step, TokenAct};
use crate::ceremony::transcript::{Entry, Intent, Outcome as Said};
use crate::record::deeds::Deed;
use crate::record::{Contents, Record};
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use crate::ui::Console;
use crate::ui::Prompt;
use journal::{Journal, Of};

/// Everything that a session has at hand.
pub struct Room<'a> {
    /// The run of the program.
    pub session: &'a Session,
    /// The record.
    pub record: &'a Record,
    /// Where people are.
    pub console: &'a mut dyn Console,
    /// Where one's own keys are.
    pub keyring: &'a mut Keyring,
    /// The transcript that is being written.
    pub journal: Journal,
    /// The backend's address for upload lines, if people named one.
    pub server: Option<String>,
}

/// One change on the table.
pub struct Agenda<'a> {
    /// The change.
    pub change: &'a Change,
    /// Its digest.
    pub digest: Digest,
    /// Its steps.
    pub steps: &'a [Step],
    /// What customers' clients will make of it, a line each; empty where they see nothing of it.
    pub clients: &'a [String],
}

/// How far a change came in this session.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every step is done.
    Done,
    /// Others must act first.
    Waiting(Vec<Waiting>),
}

impl Room<'_> {
    /// Performs what can be performed here of one change.
    ///
    /// # Errors
    ///
    /// Whatever a rule, a person, a token or the record refuses; what was done until then stays.
    pub fn perform(&mut self, contents: &Contents, agenda: &Agenda<'_>) -> Result<Outcome> {
        let facts = &contents.facts;
        let mut gathered = gathered(contents, &agenda.digest);
        let too_long = messages::keys_too_long(agenda.change, facts);
        let late = contents.changes.get(&agenda.digest).is_some_and(|stored| contents.late(stored));
        let before = gathered.signatures.len();
        let mut wait = false;
        loop {
            self.console.interrupted()?;
            let standing = Standing::of(agenda.change, &gathered, facts)?;
            let entries = self.entries(contents, &agenda.digest)?;
            let entries: Vec<&Entry> = entries.iter().collect();
            let keyring = &*self.keyring;
            let here = |key: &KeyName| keyring.here(key) && !too_long.contains(key);
            let progress = Progress {
                session: self.journal.ceremony(),
                change: agenda.digest,
                entries: &entries,
                standing: &standing,
                here: &here,
                late: late || (standing.state == State::Sealed && gathered.signatures.len() > before),
                wait,
            };
            let (step, adopt) = match engine::next(agenda.change, agenda.steps, &progress) {
                Next::Step(step) => (step, false),
                Next::Adopt(step) => (step, true),
                Next::MaySeal(step, missing) => {
                    wait = !self.close(agenda, step, &missing)?;
                    continue;
                }
                Next::Waiting(waiting) => return Ok(Outcome::Waiting(waiting)),
                Next::Stopped(refusal) => return Err(refusal),
                Next::Done => return Ok(Outcome::Done),
            };
            self.step(contents, agenda, step, adopt, &mut gathered)?;
        }
    }

    /// Has people read a change, compare its digest and agree to it, as `actor`.
    ///
    /// # Errors
    ///
    /// `NOT-CONFIRMED`, and what asking and the record refuse.
    pub fn agree(&mut self, contents: &Contents, agenda: &Agenda<'_>, actor: &Person) -> Result<()> {
        for mut step in step::agreement(agenda.change, &contents.facts) {
            step.actor = Some(actor.clone());
            if let Act::Person(act) = &step.act {
                self.ask(agenda, &step, act, &contents.facts)?;
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        adopt: bool,
        gathered: &mut Gathered,
    ) -> Result<()> {
        let facts = &contents.facts;
        if self.session.verbose > 0 {
            let entry = self.journal.head().filter(|_| self.session.verbose > 1);
            let on = entry.map(|(n, digest)| format!(", after entry {n} {digest}")).unwrap_or_default();
            self.console.progress(&format!("step {}{on}", step.id).into());
        }
        // A cable may have been put in since the session began.
        if matches!(step.act, Act::Token(_) | Act::Secret(_)) {
            opening::offline(self.session, agenda.change, facts)?;
        }
        match &step.act {
            Act::Person(act) => self.ask(agenda, step, act, facts),
            Act::Token(TokenAct::Generate(new)) => {
                self.make_key(contents, agenda, step, new, adopt)?;
                self.drain(&new.name)
            }
            Act::Token(TokenAct::Destroy { key }) => self.destroy_key(facts, agenda, step, key, adopt),
            Act::Token(TokenAct::Certify(new)) => {
                self.certify_key(contents, agenda, step, new)?;
                self.drain(&new.key)
            }
            Act::Token(TokenAct::Sign { item, key }) => {
                let signed = self.sign(contents, agenda, step, *item, key)?;
                gathered.signatures.push((signed.key(), signed.payload()));
                self.drain(key)
            }
            Act::Token(TokenAct::Copy { key, wrap_key, shares }) => {
                self.copy_key(contents, agenda, step, (key, wrap_key, *shares))?;
                self.drain(key)
            }
            Act::Token(TokenAct::Restore(back)) => {
                self.restore_key(contents, agenda, step, back)?;
                self.drain(&back.key)
            }
            Act::Secret(SecretAct::Deal(new)) => self.deal(contents, agenda, step, new),
            Act::Record(RecordAct::TakeKey { item }) => self.take_key(agenda, step, *item),
            Act::Record(RecordAct::Seal) => self.seal(agenda, step, facts),
            Act::Record(RecordAct::Upload) => self.upload(agenda, step),
            Act::Token(TokenAct::Drain { .. }) | Act::Medium(_) => Err(crate::tuf::rule::Refusal::new(
                &super::rules::STEP_UNKNOWN,
                format!("the step {}", step.id),
                "a step that this keyrite performs",
            )),
        }
    }

    /// Asks whether to seal before everyone has signed; that they said so is an entry. Nobody is
    /// there to ask in an unattended run, which waits for no one beyond the thresholds.
    fn close(&mut self, agenda: &Agenda<'_>, step: &Step, missing: &[Waiting]) -> Result<bool> {
        if !self.console.unattended() {
            let names: Vec<_> = missing.iter().map(|w| format!("{} ({})", w.holder, w.key)).collect();
            let prompt = Prompt::new(
                format!("close.{}", step.id),
                format!("Every threshold is met. {} could still sign. Seal now?", names.join(", ")),
            )
            .help("With every signature, clients accept the document even if one of the keys is given up later.")
            .allow("seal now")
            .allow("wait for them");
            if self.console.ask_choice(&prompt)? != 0 {
                return Ok(false);
            }
        }
        let mut without: Vec<_> = missing.iter().map(|w| w.key.clone()).collect();
        without.sort();
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        self.journal.say(self.record, self.session, of, Said::Close { without })?;
        Ok(true)
    }

    /// Every entry of this change: those on record before this session, and this session's.
    pub(super) fn entries(&self, contents: &Contents, change: &Digest) -> Result<Vec<Entry>> {
        let own = self.journal.ceremony();
        let before = contents.transcripts.iter().filter(|(ceremony, _)| **ceremony != own);
        let before = before.flat_map(|(_, t)| t.entries().iter().map(|(entry, _)| entry));
        let deeds = self.record.deeds(change)?;
        // What another session says counts as far as the record bears it out: anyone can write an
        // entry on a medium.
        let standing = contents.changes.get(change).and_then(|stored| stored.standing.as_ref().ok());
        let sealed = standing.is_some_and(|s| matches!(s.state, State::Sealed | State::Published));
        let borne_out = |entry: &&Entry| match &entry.outcome {
            Said::Key { name, file, .. } | Said::Enrol { name, file, .. } => {
                contents.facts.keys.get(name).is_some_and(|record| record.file == *file)
            }
            Said::Seal { .. } | Said::Upload { .. } => sealed,
            // Nothing in a record shows that a key is gone from its token, or left it wrapped, nor what is
            // on cards: only who saw it counts.
            Said::Destroy { .. }
            | Said::Intent { what: Intent::Destroy, .. }
            | Said::Shares { .. }
            | Said::Copy { .. } => Deed::of(&entry.outcome).is_some_and(|deed| deeds.contains(&deed)),
            _ => true,
        };
        let before = before.filter(borne_out);
        let now = self.journal.entries().iter().map(|(entry, _)| entry);
        Ok(before.chain(now).filter(|entry| entry.change.as_ref() == Some(change)).cloned().collect())
    }
}

/// What the record holds of a change, as the engine wants it.
pub fn gathered(contents: &Contents, change: &Digest) -> Gathered {
    contents.changes.get(change).map(|stored| stored.gathered.clone()).unwrap_or_default()
}

/// The record's word for what a public key is, for screens: holder and name.
pub fn named(facts: &Facts, key: crate::tuf::key::KeyIdentity) -> Option<String> {
    let record = facts.keys.values().find(|r| r.public.identity() == key)?;
    Some(format!("{} of {}", record.name, record.holder))
}
