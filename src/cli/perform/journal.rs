//! The transcript as it is written: an entry is in the record before the next step begins.

use crate::ceremony::change::Change;
use crate::ceremony::people::Person;
use crate::ceremony::step::{Step, StepId};
use crate::ceremony::transcript::{CeremonyId, Entry, Outcome, Private, Said, Transcript};
use crate::cli::session::Session;
use crate::record::Record;
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use std::collections::BTreeMap;

/// The transcript of the session that goes on.
pub struct Journal {
    transcript: Transcript,
}

/// Whose outcome an entry is.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    /// The change; none for the session's own entries.
    pub change: Option<Digest>,
    /// The step; none for the session's own entries.
    pub step: Option<&'a Step>,
}

impl Journal {
    /// A transcript to write on: a new one, or one that was cut off.
    pub const fn new(transcript: Transcript) -> Self {
        Self { transcript }
    }

    /// It as it is so far.
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Its name.
    pub const fn ceremony(&self) -> CeremonyId {
        self.transcript.ceremony()
    }

    /// The entries so far, each with the digest of its file.
    pub fn entries(&self) -> &[(Entry, Digest)] {
        self.transcript.entries()
    }

    /// The last entry's number and digest.
    pub fn head(&self) -> Option<(u64, Digest)> {
        self.transcript.head()
    }

    /// Writes one outcome into the record.
    ///
    /// # Errors
    ///
    /// `CLOCK` if the host's clock has run backwards; `RECORD-WRITE`.
    pub fn say(&mut self, record: &Record, session: &Session, of: Of<'_>, outcome: Outcome) -> Result<()> {
        self.say_with(record, session, of, outcome, BTreeMap::new())
    }

    /// As [`Self::say`], with values that stay in this copy.
    pub fn say_with(
        &mut self,
        record: &Record,
        session: &Session,
        of: Of<'_>,
        outcome: Outcome,
        private: BTreeMap<String, Private>,
    ) -> Result<()> {
        let by: Option<Person> = of.step.and_then(|s| s.actor.clone());
        if let Some(change) = &of.change {
            record.note_deed(change, &outcome)?;
        }
        let step: Option<StepId> = of.step.map(|s| s.id.clone());
        let said = Said { by, change: of.change, step, outcome, private };
        let appended = self.transcript.append(session.now()?, said)?;
        record.add_outcome(self.ceremony(), &appended)?;
        Ok(())
    }
}

impl<'a> Of<'a> {
    /// A step of a change.
    pub fn step(change: &Change, step: &'a Step) -> Self {
        Self { change: Some(change.digest()), step: Some(step) }
    }

    /// The session itself.
    pub const SESSION: Of<'static> = Of { change: None, step: None };
}
