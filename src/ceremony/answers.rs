//! Answers files: what a script answers to every prompt, known in advance.
//!
//! No wildcard and no default: a change is agreed to by its full digest, a question by its text.
//! A PIN never stands in one; the device map names a file for it.

use super::step::{Expect, Prompt, StepId};
use crate::tuf::rule::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Answers by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    values: BTreeMap<StepId, String>,
    used: BTreeSet<StepId>,
}

/// An answer that fits its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Agreed: the full digest stood in the file, or words or `Yes` were typed.
    Agreed,
    /// The digest was compared and is the same.
    Same,
    /// Text.
    Text(String),
    /// One of the words allowed, by its place among them.
    Choice(usize),
}

impl Answers {
    /// Reads `[answers]`: a string for each step's name.
    ///
    /// # Errors
    ///
    /// `ANSWERS` with line and column.
    pub fn parse(_text: &str) -> Result<Self> {
        todo!()
    }

    /// The text for one step, whatever it is; it counts as used.
    ///
    /// # Errors
    ///
    /// `ANSWER-MISSING` naming the step.
    pub fn value(&mut self, _id: &StepId) -> Result<&str> {
        todo!()
    }

    /// The answer to one prompt; it counts as used.
    ///
    /// # Errors
    ///
    /// `ANSWER-MISSING` naming the step, `ANSWER-WRONG` with what is allowed.
    pub fn take(&mut self, _prompt: &Prompt) -> Result<Answer> {
        todo!()
    }

    /// Refuses answers that no prompt asked for, at the end of a session.
    ///
    /// # Errors
    ///
    /// `ANSWER-UNUSED` naming the first.
    pub fn all_used(&self) -> Result<()> {
        todo!()
    }
}

/// Reads one answer as the prompt allows, from a file (`Yes` and words are then the full digest).
///
/// # Errors
///
/// `ANSWER-WRONG` with what is allowed.
pub fn check(_expect: &Expect, _text: &str) -> Result<Answer> {
    todo!()
}

/// The file that `plan --write-answers` writes: every prompt with its meaning and what is allowed
/// as comments, and nothing filled in.
pub fn template(_prompts: &[Prompt]) -> String {
    todo!()
}
