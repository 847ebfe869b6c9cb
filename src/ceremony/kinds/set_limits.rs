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
use crate::ceremony::rehearsed;
use crate::ceremony::rules as layer;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::text::visible;
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
        rehearsed::can_be_demanded(&limits, facts.trust.start.is_some())?;
        let newest = facts.roots.last().map_or(0, Trusted::version);
        if limits.given_up(newest) {
            let oldest = limits.oldest_root.unwrap_or_default();
            return Err(Refusal::new(
                &layer::LIMITS_FLOOR,
                format!("[clients] oldest-root = {oldest}"),
                format!("at most {newest}, which is the newest root"),
            ));
        }
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
    if lines.len() == 1 && facts.trust.start.is_some() {
        lines.push("  they say the same; that root keys sign them binds the trust to this record".to_owned());
    }
    lines.extend(cut_off(facts, limits));
    lines
}

/// Whose clients any later change may leave behind, and what becomes of them.
fn cut_off(facts: &Facts, limits: &Limits) -> Vec<String> {
    let gone = |root: &&Trusted| limits.given_up(root.version()) && !facts.limits.given_up(root.version());
    let mut gone = facts.roots.iter().filter(gone).map(Trusted::version);
    let Some(first) = gone.next() else { return Vec::new() };
    let last = gone.next_back().unwrap_or(first);
    let oldest = limits.oldest_root.unwrap_or_default();
    let roots = if first == last { first.to_string() } else { format!("{first} to {last}") };
    let again = match facts.trust.profile {
        Profile::Notary => format!(
            "its owner removes the client's trust folder tuf/{} and trusts root {oldest} or a newer one, by the certificate ids that are published for it",
            visible(&facts.trust.collection)
        ),
        Profile::Tuf => {
            format!("it needs a release of your program that comes with root {oldest} or a newer one")
        }
    };
    vec![
        format!("CUT OFF: clients that have come no further than root {roots}."),
        "  No later change of root is held up for them, and keys of those roots are asked no more."
            .to_owned(),
        format!("  Such a client stops updating, with an error, once the chain breaks for it; then {again}."),
    ]
}
