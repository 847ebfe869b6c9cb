//! The engine: of all steps, which is next. Pure: the same steps and outcomes give the same answer,
//! so a session that was cut off goes on where it was.
//!
//! What people do (read, compare, agree, answer, witness) belongs to a session and is done again in
//! another; what tokens and the record do belongs to the change and is never done twice.

use super::change::Change;
use super::people::{KeyName, Person};
use super::runbook::Runbook;
use super::standing::{Gathered, Standing};
use super::step::Step;
use super::transcript::{CeremonyId, Entry};
use crate::tuf::rule::{Refusal, Result};

/// What has happened so far.
#[derive(Clone, Copy)]
pub struct Progress<'a> {
    /// The session that goes on now.
    pub session: CeremonyId,
    /// Entries of every transcript at hand that belong to this change, in any order.
    pub entries: &'a [&'a Entry],
    /// Signatures and withdrawals that the record holds.
    pub gathered: &'a Gathered,
    /// How the change stands by them.
    pub standing: &'a Standing,
    /// Whether a key's token is in reach of this session.
    pub here: &'a dyn Fn(&KeyName) -> bool,
    /// Whether the administrator has said in this session to wait for signatures that are missing
    /// though every threshold is met. That they closed the gathering is an entry.
    pub wait: bool,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// This step.
    Step(&'a Step),
    /// This step makes a key, and an earlier session was cut off while it was made: look for it by
    /// its tag first.
    Adopt(&'a Step),
    /// Every threshold is met but these have not signed: ask whether to seal now.
    MaySeal(&'a Step, Vec<Waiting>),
    /// Nothing can be done here until these have acted.
    Waiting(Vec<Waiting>),
    /// The change can't go on.
    Stopped(Refusal),
    /// Every step is done.
    Done,
}

/// Someone who is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Who.
    pub holder: Person,
    /// With which key.
    pub key: KeyName,
}

/// Says what is next.
pub fn next<'a>(_change: &Change, _steps: &'a [Step], _progress: &Progress<'_>) -> Next<'a> {
    todo!()
}

/// All steps of a ceremony: the site's questions before, the kind's own steps, the site's questions
/// after, and the witnesses.
///
/// # Errors
///
/// `RUNBOOK` if two steps have one name.
pub fn assemble(_runbook: &Runbook, _own: Vec<Step>) -> Result<Vec<Step>> {
    todo!()
}
