//! Runbooks: what happens, and nothing of when, where or by which bytes.
//!
//! The very same file is rehearsed today, held tomorrow and held again next year. So no date, no
//! digest, no path and no secret stands in it; each is refused by its own rule.

use super::people::{Duty, Person};
use super::{rules, strict};
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The members that every runbook has; all others belong to its kind.
const COMMON: [&str; 5] = ["ceremony", "title", "people", "before", "after"];

/// A runbook, its common part read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// The kind's word: `create-root`.
    pub kind: String,
    /// One line, for every screen and the printed script.
    pub title: String,
    /// Who takes part; exactly one administrator.
    pub people: BTreeMap<Person, Duty>,
    /// The site's own questions before the ceremony's steps.
    pub before: Vec<Note>,
    /// The site's own questions after them.
    pub after: Vec<Note>,
    text: String,
}

/// A question of the site's own: a camera, a bag's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// As it is asked.
    pub question: String,
    /// Whether the answer stays out of the transcript (salted digest there, value in the sidecar).
    pub private: bool,
}

impl Runbook {
    /// Reads a runbook's common part; [`Self::spec`] reads the rest.
    ///
    /// # Errors
    ///
    /// `RUNBOOK` with line and column; `RUNBOOK-DATE`, `RUNBOOK-DIGEST`, `RUNBOOK-PLACE` or
    /// `RUNBOOK-SECRET` for what must not stand in one; `PEOPLE` unless one administrator leads.
    pub fn parse(_text: &str) -> Result<Self> {
        todo!()
    }

    /// Reads the kind's own tables. `T` derives `Deserialize` with `deny_unknown_fields`; names,
    /// terms and key specs are [`strict::Word`]s.
    ///
    /// # Errors
    ///
    /// `RUNBOOK` with line and column of the file.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T> {
        strict::read_rest(&self.text, &COMMON, &rules::RUNBOOK, "the runbook")
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the exact text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Who leads.
    pub fn administrator(&self) -> Option<&Person> {
        self.people.iter().find(|(_, duty)| **duty == Duty::Administrator).map(|(person, _)| person)
    }
}
