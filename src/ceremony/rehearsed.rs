//! Rehearsals that limits demand: the very same runbook, held before on a shadow of the trust.
//!
//! A rehearsal is a habit that limits make people keep, not evidence: nobody signs one, and whoever
//! can write into the record can write one. What it shows is that the runbook can be carried out.

use super::change::{Change, Item};
use super::facts::{Facts, Stage};
use super::rules;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::BTreeSet;

/// The roles in whose name a change speaks: those of its documents, and root where it sets limits,
/// since a threshold of root signs them.
pub fn speaks_for(change: &Change) -> BTreeSet<&RoleName> {
    let limits = |item: &Item| matches!(item, Item::Statement { payload, .. } if matches!(payload.sentence(), Sentence::Limits { .. }));
    let root = change.items.iter().any(limits).then_some(&RoleName::Root);
    change.documents().map(MetadataPayload::role).chain(root).collect()
}

/// The first role of a change for which the limits in force demand a rehearsal; none for a
/// rehearsal itself.
pub fn demanded_by<'a>(change: &'a Change, facts: &Facts) -> Option<&'a RoleName> {
    let real = facts.trust.stage == Stage::Production;
    speaks_for(change).into_iter().find(|role| real && facts.limits.rehearsed(role))
}

/// Refuses a change without the rehearsal that the limits in force demand. `how` is the command
/// that holds one.
///
/// # Errors
///
/// `REHEARSAL-MISSING`.
pub fn check(change: &Change, facts: &Facts, how: &str) -> Result<()> {
    match demanded_by(change, facts) {
        Some(role) if change.frame.rehearsal.is_none() => Err(Refusal::new(
            &rules::REHEARSAL_MISSING,
            format!("no rehearsal of this very runbook, which changes {role}"),
            format!("one, as the limits in force demand for {role}: {how}"),
        )),
        _ => Ok(()),
    }
}
