//! Ceremonies as pure functions: a runbook and the facts give a change and its steps.
//!
//! To add a ceremony, write `kinds/<name>.rs`, add its line to `kinds/mod.rs`, and put a runnable
//! example into `ceremonies/`. Nothing here reaches a token, a terminal, the disk, the network or
//! a clock; everything that can be refused is refused before a token is touched.

pub mod address;
pub mod answers;
pub mod answers_form;
pub mod attestation;
pub mod backups;
pub mod carry;
pub mod ceasing;
pub mod change;
mod change_json;
pub mod confirm;
pub mod conflict;
pub mod device_log;
pub mod due;
pub mod engine;
pub mod facts;
pub mod gate;
pub mod kinds;
pub mod limits;
mod limits_moved;
mod limits_toml;
pub mod members;
pub mod messages;
pub mod moved;
pub mod outcome;
mod outcome_json;
pub mod overtaken;
pub mod people;
pub mod planner;
pub mod proposal;
mod put_back;
pub mod rehearsed;
pub mod rendering;
pub mod rules;
pub mod runbook;
mod runbook_scan;
pub mod share_manifest;
pub mod sharing;
pub mod standing;
pub mod step;
pub mod strict;
#[cfg(test)]
mod tests;
mod thresholds;
pub mod tool_split;
pub mod transcript;
pub mod unmade;

use crate::tuf::rule::Result;
use change::Change;
use facts::Facts;
use runbook::Runbook;
use step::Step;

/// A kind of ceremony: reads its part of a runbook.
pub trait Kind: Sync {
    /// The word in runbooks: `create-root`.
    fn name(&self) -> &'static str;

    /// What it is for, one line, for help and `guide`.
    fn purpose(&self) -> &'static str;

    /// Reads the kind's own tables of a runbook, strictly ([`Runbook::spec`]).
    ///
    /// # Errors
    ///
    /// `RUNBOOK` with the line, for a member that the kind doesn't know or lacks.
    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>>;
}

/// A runbook that has been read.
pub trait Ceremony {
    /// What is to change, with every payload's bytes; pure: from the runbook, the frame and the
    /// facts alone, never from today or from whose devices are at hand, so that everyone who signs
    /// computes the very same bytes.
    ///
    /// # Errors
    ///
    /// Any rule: all that can be refused is refused here.
    fn change(&self, frame: &change::Frame, facts: &Facts) -> Result<Change>;

    /// Whether all that the runbook asks for is already so: then nothing is due, which is no error.
    fn held(&self, facts: &Facts) -> bool;

    /// The limits file that the change puts in force, where it is one that the record doesn't have:
    /// its number and text. It is written when the change is sealed.
    fn limits_file(&self, _facts: &Facts) -> Option<(u64, String)> {
        None
    }

    /// The kind's own steps, in order; [`step::of`] unless a kind needs others. Content never
    /// depends on an earlier step's outcome, but for the named templates of a key that an earlier
    /// step makes. [`engine::assemble`] puts the site's notes and the witnesses around them.
    fn steps(&self, change: &Change, facts: &Facts) -> Result<Vec<Step>> {
        Ok(step::of(change, facts))
    }
}
