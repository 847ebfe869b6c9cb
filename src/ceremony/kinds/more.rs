//! More for a delegation that is there: keys, paths, another threshold (`grant-delegation`).

use super::customers;
use super::delegations::{Delegation, Delegations};
use super::grant_delegation::paths;
use super::making::{no_software, records};
use super::revoke_delegation::no_spare;
use super::rework::{After, Delegator, Reissue, Rework, Terms};
use super::rules;
use crate::ceremony::Ceremony;
use crate::ceremony::change::{Change, Frame, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::strict::Word;
use crate::tuf::document::PathRule;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use serde::Deserialize;
use std::num::NonZeroU32;

/// The `[more]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct More {
    application: String,
    track: Option<String>,
    #[serde(default)]
    add_keys: Vec<Word<KeyName>>,
    #[serde(default)]
    add_paths: Vec<String>,
    threshold: Option<u32>,
}

/// A runbook with one.
pub struct Spec {
    more: More,
    delegator: Option<Delegator>,
    reissue: Option<Reissue>,
}

impl More {
    /// With the tables beside it.
    pub fn with(self, delegator: Option<Delegator>, reissue: Option<Reissue>) -> Spec {
        Spec { more: self, delegator, reissue }
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let delegations = Delegations::of(facts);
        let role = self.role(facts)?;
        let after = self.after(facts, &delegations, delegations.get(&role)?)?;
        let mut summary = Self::summary(&delegations, &after);
        let mut rework = Rework::new(facts, &delegations, self.terms(), self.reissue.as_ref());
        let name = &after.now.role.name;
        rework.changed.insert(name, after);
        if self.reissue.is_some() {
            let stranded: Vec<_> = rework.stranded().iter().map(|(_, d)| d.role().clone()).collect();
            rework.again.extend(stranded);
        }
        summary.extend(customers::after(&rework));
        let (items, base) = rework.documents(frame, rework.edits()?)?;
        Ok(Change::new(frame, facts, base, items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let delegations = Delegations::of(facts);
        let Some(now) = self.role(facts).ok().and_then(|role| delegations.find(&role)) else { return false };
        let listed: Vec<_> = now.keys().filter_map(|(_, key)| key).collect();
        let key = |name: &Word<KeyName>| facts.keys.get(&name.0).map(|r| r.public.identity());
        let keys = self.more.add_keys.iter().all(|name| key(name).is_some_and(|key| listed.contains(&key)));
        let threshold = self.more.threshold.is_none_or(|t| t == now.role.keys.threshold.get());
        keys && threshold && self.more.add_paths.iter().all(|path| covered(&now, path))
    }
}

impl Spec {
    fn terms(&self) -> Terms {
        Terms::of(self.delegator.as_ref(), self.reissue.as_ref())
    }

    fn role(&self, facts: &Facts) -> Result<RoleName> {
        RoleName::application(facts.trust.profile, &self.more.application, self.more.track.as_deref())
    }

    fn after<'a>(
        &self,
        facts: &'a Facts,
        delegations: &Delegations<'a>,
        now: Delegation<'a>,
    ) -> Result<After<'a>> {
        let role = &now.role.name;
        let mut after = After::of(now);
        let add = records(facts, &self.more.add_keys, Purpose::Delegation)?;
        no_software(facts, &add, facts.limits.delegations.software_keys, role)?;
        let listed = after.staying().clone();
        after.add = add.into_iter().filter(|r| !listed.contains(&r.public.identity())).collect();
        let wanted = paths(facts, now.delegator, &self.more.add_paths)?;
        after.add_paths = wanted.into_iter().filter(|path| !covered(&now, path)).collect();
        if let Some(threshold) = self.more.threshold {
            after.threshold = fitting(facts, &after, threshold)?;
        }
        if after.add.is_empty() && after.add_paths.is_empty() && after.threshold == now.role.keys.threshold {
            return Err(Refusal::new(
                &rules::DELEGATION_SAME,
                format!("{role}, which has all of it: {}", customers::names(&delegations.living(listed))),
                "a key, a path or a threshold that it doesn't have",
            ));
        }
        Ok(after)
    }

    fn summary(delegations: &Delegations<'_>, after: &After<'_>) -> Vec<String> {
        let role = &after.now.role.name;
        let mut lines = vec![format!(
            "{} lets {role} sign with any {} of: {}",
            after.now.delegator,
            after.threshold,
            customers::names(&delegations.living(after.keys().iter().copied()))
        )];
        if !after.add_paths.is_empty() {
            let paths: Vec<_> = after.add_paths.iter().map(|path| visible(path)).collect();
            lines.push(format!("  and for {}", paths.join(", ")));
        }
        if after.keys().len() <= usize::try_from(after.threshold.get()).unwrap_or(usize::MAX) {
            lines.push(format!("  {}", rules::DELEGATION_NO_SPARE.warning(&no_spare(role, after.threshold))));
        }
        lines
    }
}

/// Whether a delegation lists that very path; of patterns, also what a folder means among them.
fn covered(now: &Delegation<'_>, path: &String) -> bool {
    match &now.role.paths {
        PathRule::Patterns(paths) if path.ends_with('/') => paths.contains(&format!("{path}*")),
        PathRule::Patterns(paths) | PathRule::Prefixes(paths) => paths.contains(path),
        PathRule::HashPrefixes(_) => false,
    }
}

/// A threshold within the limits, and of no more keys than there are.
fn fitting(facts: &Facts, after: &After<'_>, threshold: u32) -> Result<NonZeroU32> {
    let floor = facts.limits.delegations.threshold_floor;
    if threshold < floor {
        return Err(Refusal::new(
            &rules::THRESHOLD_FLOOR,
            format!("a threshold of {threshold} for {}", after.now.role.name),
            format!("at least {floor}, as the limits in force say"),
        ));
    }
    let keys = u32::try_from(after.keys().len()).unwrap_or(u32::MAX);
    NonZeroU32::new(threshold).filter(|t| t.get() <= keys).ok_or_else(|| {
        Refusal::new(
            &crate::tuf::rules::THRESHOLD_RANGE,
            format!("a threshold of {threshold} of {keys} keys"),
            "from 1 to the number of distinct keys",
        )
    })
}
