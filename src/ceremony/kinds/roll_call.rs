//! `roll-call`: each custodian's key signs a sentence of its own, which proves that token and PIN
//! still work and changes nothing.
//!
//! Each answer counts by itself and from the day of the change: one token that is silent takes
//! nothing from the others, and it is seen long before root needs it.

use super::making::{asks_statement, listed, unknown};
use super::rules;
use crate::ceremony::change::{Base, Change, Frame, Item, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use crate::tuf::time::{Term, Unit};
use serde::Deserialize;

/// The kind.
pub struct RollCall;

impl Kind for RollCall {
    fn name(&self) -> &'static str {
        "roll-call"
    }

    fn purpose(&self) -> &'static str {
        "have every custodian show that token and PIN still work"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spec {
    roll_call: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Which keys; every living key of root and targets, if none is named.
    #[serde(default)]
    keys: Vec<Word<KeyName>>,
    /// Keys that have answered within this are not called again.
    #[serde(default = "thirty_days")]
    every: Word<Term>,
}

fn thirty_days() -> Word<Term> {
    Word(Term::new(30, Unit::Days))
}

impl Table {
    fn called<'a>(&self, facts: &'a Facts) -> Result<Vec<&'a KeyRecord>> {
        if self.keys.is_empty() {
            let both = [RoleName::Root, RoleName::Targets];
            let all: Vec<_> = both.iter().flat_map(|role| listed(facts, role)).collect();
            let living: Vec<_> = all.into_iter().filter(|record| record.life.is_empty()).collect();
            if living.is_empty() {
                let found = "no key of root or targets in the record";
                return Err(Refusal::new(&rules::KEY_UNKNOWN, found, "keys to call"));
            }
            return Ok(living);
        }
        let mut called: Vec<&KeyRecord> = Vec::new();
        for Word(name) in &self.keys {
            let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
            if let Some((event, at)) = record.life.iter().find(|(event, _)| *event != KeyEvent::Retired) {
                let found = format!("{name}, {} since {at}", event.name());
                return Err(Refusal::new(&rules::KEY_GONE, found, "a key that its holder still has"));
            }
            if matches!(record.purpose, Purpose::Snapshot | Purpose::Timestamp) {
                let found = format!("{name}, the backend's key for {}", record.purpose.name());
                return Err(Refusal::new(&rules::KEY_PURPOSE, found, "a key that a person holds"));
            }
            if called.iter().any(|other| other.name == *name) {
                let found = format!("{name} called twice");
                return Err(Refusal::new(&crate::ceremony::rules::RUNBOOK, found, "each key once"));
            }
            called.push(record);
        }
        Ok(called)
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let called = self.roll_call.called(facts)?;
        let mut items = Vec::new();
        let mut summary = vec!["nothing changes: each key signs that it is at hand".to_owned()];
        for record in called {
            let sentence = Sentence::RollCall { key: record.public.identity(), nonce: frame.roll_call() };
            let payload = Statement::new(facts.trust.id, sentence)?;
            items.push(Item::Statement { payload, asked: asks_statement(facts, &[record], &[]) });
            summary.push(format!("  {} of {} answers", record.name, record.holder));
        }
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let Ok(since) = facts.today.minus(self.roll_call.every.0) else { return false };
        let answered =
            |key: &&KeyRecord| facts.roll_calls.get(&key.public.identity()).is_some_and(|at| *at >= since);
        self.roll_call.called(facts).is_ok_and(|called| called.iter().all(answered))
    }
}
