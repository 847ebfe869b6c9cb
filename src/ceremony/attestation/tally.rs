//! Proven hardware keys among those of a role: what people see, and what limits demand.

use super::rules;
use super::verdict::{Unproven, Verdict};
use crate::ceremony::facts::{Facts, KeyRecord, Stage};
use crate::tuf::document::Root;
use crate::tuf::key::PublicKey;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};

/// What is proven of the keys of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Keys of which it is proven that a device made them and keeps them.
    pub proven: usize,
    /// All of them.
    pub all: usize,
    /// In words, each key that is not: name, holder, why.
    pub rest: Vec<String>,
}

impl Tally {
    /// Counts the keys that sign a root; none for a rehearsal, whose keys are thrown away.
    pub fn of(root: &Root, facts: &Facts) -> Option<Self> {
        let role = root.roles.get(&RoleName::Root).filter(|_| facts.trust.stage == Stage::Production)?;
        let mut tally = Self { proven: 0, all: 0, rest: Vec::new() };
        for entry in role.keyids.iter().filter_map(|id| root.keys.get(id)) {
            tally.all = tally.all.saturating_add(1);
            let identity = entry.public.as_ref().map(PublicKey::identity);
            let record = facts.keys.values().find(|record| Some(record.public.identity()) == identity);
            let Some(record) = record else {
                tally.rest.push(format!("the key {}: {}", entry.id, Unproven::Elsewhere.words()));
                continue;
            };
            match verdict(facts, record) {
                Verdict::Proven(_) => tally.proven = tally.proven.saturating_add(1),
                other => {
                    tally.rest.push(format!("{} ({}): {}", record.name, record.holder, other.words()));
                }
            }
        }
        Some(tally)
    }

    /// `2 of 3 keys of this root are proven hardware keys`
    pub fn words(&self) -> String {
        format!("{} of {} keys of this root are proven hardware keys", self.proven, self.all)
    }
}

/// What is proven of a key of the record.
pub fn verdict(facts: &Facts, record: &KeyRecord) -> Verdict {
    let known = facts.attested.get(&record.name).cloned();
    known.unwrap_or_else(|| Verdict::Unproven(Unproven::of(&record.token)))
}

/// Refuses keys that come into a role and are not proven hardware keys, where the limits demand it.
/// Those that the role has stay: an advisory of tomorrow must not keep people from replacing them
/// one after another.
///
/// # Errors
///
/// `KEY-NOT-ATTESTED`.
pub fn check(facts: &Facts, coming: &[&KeyRecord], demanded: bool, role: &RoleName) -> Result<()> {
    if !demanded || facts.trust.stage == Stage::Rehearsal {
        return Ok(());
    }
    let verdicts = coming.iter().map(|record| (record, verdict(facts, record)));
    match verdicts.into_iter().find(|(_, verdict)| !verdict.is_proven()) {
        None => Ok(()),
        Some((record, verdict)) => Err(Refusal::new(
            &rules::KEY_NOT_ATTESTED,
            format!("{} of {}, for {role}: {}", record.name, record.holder, verdict.words()),
            "a proven hardware key, as the limits in force say",
        )),
    }
}
