//! `set-limits`: limits are tightened or loosened, by a threshold of the newest root.
//!
//! The runbook holds the members that move and no others; the file that comes into force is the
//! limits in force with those members in their place, under the next number. So no file is carried
//! beside the runbook, and everyone who signs makes the same file from their own record.

use super::making::{asks_statement, base, listed};
use super::rules;
use crate::ceremony::change::{Change, Counts, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::limits::{Direction, Limits, differences};
use crate::ceremony::limits_toml::Members;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use serde::Deserialize;

/// The kind.
pub struct SetLimits;

impl Kind for SetLimits {
    fn name(&self) -> &'static str {
        "set-limits"
    }

    fn purpose(&self) -> &'static str {
        "tighten or loosen what every ceremony must keep to"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    limits: Members,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let root = facts.root().ok_or_else(|| {
            Refusal::new(
                &rules::ROOT_MISSING,
                "a record without a root",
                "a root that the first day has made",
            )
        })?;
        let (number, text) = self.file(facts);
        let limits = self.limits.clone().over(facts.limits.clone());
        limits.check_floor()?;
        let alive = |record: &&KeyRecord| record.life.is_empty();
        let signers: Vec<_> = listed(facts, &RoleName::Root).into_iter().filter(alive).collect();
        let need = root.roles.get(&RoleName::Root).map_or(1, |role| role.threshold.get());
        if u32::try_from(signers.len()).unwrap_or(u32::MAX) < need {
            return Err(Refusal::new(
                &rules::QUORUM_LOST,
                format!("{} root keys that can be asked, at a threshold of {need}", signers.len()),
                "a threshold of root keys that nobody has given up",
            ));
        }
        let sentence =
            Sentence::Limits { number, limits: Digest::of(text.as_bytes()), chain: facts.chain(None) };
        let payload = Statement::new(facts.trust.id, sentence)?;
        let items = vec![Item::Statement { payload, asked: asks_statement(facts, &signers, &[Counts::New]) }];
        let summary = summary(facts, number, &limits);
        Ok(Change::new(frame, facts, base(facts, &[&RoleName::Root]), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let same = self.limits.clone().over(facts.limits.clone()) == facts.limits;
        same && (facts.trust.start.is_none() || bound(facts))
    }

    fn limits_file(&self, facts: &Facts) -> Option<(u64, String)> {
        Some(self.file(facts))
    }
}

/// Whether the newest root has signed the limits in force: an adopted trust begins without.
fn bound(facts: &Facts) -> bool {
    let (number, limits) = (facts.limits_number, facts.limits_file);
    let sentence = Sentence::Limits { number, limits, chain: facts.chain(None) };
    let statement = Statement::new(facts.trust.id, sentence);
    statement.is_ok_and(|statement| facts.history.contains(&Digest::of(statement.bytes())))
}

impl Spec {
    fn file(&self, facts: &Facts) -> (u64, String) {
        let limits = self.limits.clone().over(facts.limits.clone());
        (facts.limits_number.saturating_add(1), limits.to_toml())
    }
}

/// What moves, loosenings first and called so.
fn summary(facts: &Facts, number: u64, limits: &Limits) -> Vec<String> {
    let mut lines = vec![format!("limits {number} take the place of limits {}", facts.limits_number)];
    for (what, direction) in differences(&facts.limits, limits) {
        lines.push(match direction {
            Direction::Loosening => format!("  LOOSER: {what}"),
            Direction::Tightening => format!("  tighter: {what}"),
        });
    }
    lines
}
