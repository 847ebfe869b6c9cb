//! Rehearsals that limits demand: the very same runbook, held before on a shadow of the trust.
//!
//! A rehearsal is a habit that limits make people keep, not evidence: nobody signs one, and whoever
//! can write into the record can write one. What it shows is that the runbook can be carried out.

use super::change::{Change, Item};
use super::facts::{Facts, Stage};
use super::limits::Limits;
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

/// Refuses limits that demand rehearsals of an adopted trust: a shadow of it has none of the roots and
/// keys that other tools made, so no rehearsal could be held, and the limits could never be changed.
///
/// # Errors
///
/// `LIMITS-REHEARSED`.
pub fn can_be_demanded(limits: &Limits, adopted: bool) -> Result<()> {
    let roles = [limits.root.rehearsed, limits.targets.rehearsed, limits.delegations.rehearsed];
    if adopted && roles.contains(&true) {
        return Err(Refusal::new(
            &rules::LIMITS_REHEARSED,
            "`rehearsed = true`, for a trust that other tools began",
            "no demand for rehearsals, which can't be held on a shadow of an adopted trust",
        ));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::profile::Profile;

    #[test]
    fn an_adopted_trust_is_never_locked_by_a_rehearsal_that_cannot_be_held() {
        let plain = Limits::default_for(Profile::Tuf);
        can_be_demanded(&plain, true).unwrap();
        let demands: [fn(&mut Limits); 3] = [
            |limits| limits.root.rehearsed = true,
            |limits| limits.targets.rehearsed = true,
            |limits| limits.delegations.rehearsed = true,
        ];
        for demand in demands {
            let mut limits = plain.clone();
            demand(&mut limits);
            can_be_demanded(&limits, false).unwrap();
            let refusal = can_be_demanded(&limits, true).unwrap_err();
            assert_eq!(refusal.rule().name, "LIMITS-REHEARSED");
        }
    }
}
