//! `grant-delegation`: an application's developers may sign for its paths.
//!
//! Targets grants applications; an application's own key grants tracks below it. What is granted
//! already gets more keys or paths by a `[more]` table ([`super::more`]). In profile `tuf`
//! the change carries the delegation's empty first document, signed by the developer, since a
//! delegated role that snapshot doesn't list breaks clients.

use super::making::{asks, base, expires, kept, listed, no_software, records, role};
use super::more::More;
use super::revoke_delegation::no_spare;
use super::rework::{Delegator, Reissue};
use super::rules;
use crate::ceremony::change::{Change, Counts, Frame, Item, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::document::PathRule;
use crate::tuf::make::{self, Grant, TargetsEdit};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::{ours, visible};
use crate::tuf::time::Term;
use serde::Deserialize;
use std::num::NonZeroU32;

/// The kind.
pub struct GrantDelegation;

impl Kind for GrantDelegation {
    fn name(&self) -> &'static str {
        "grant-delegation"
    }

    fn purpose(&self) -> &'static str {
        "let an application's developers release"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        let Tables { delegation, more, delegator, reissue } = runbook.spec()?;
        match (delegation, more) {
            (Some(delegation), None) if reissue.is_none() => Ok(Box::new(Spec { delegation, delegator })),
            (None, Some(more)) => Ok(Box::new(more.with(delegator, reissue))),
            (delegation, more) => Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                match (delegation, more) {
                    (None, None) => "neither [delegation] nor [more]",
                    (Some(_), Some(_)) => "both [delegation] and [more]",
                    _ => "[reissue] beside a new delegation",
                },
                "[delegation] for a new one, [more] for one that is there",
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    delegation: Option<Delegation>,
    more: Option<More>,
    delegator: Option<Delegator>,
    reissue: Option<Reissue>,
}

struct Spec {
    delegation: Delegation,
    delegator: Option<Delegator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Delegation {
    application: String,
    track: Option<String>,
    keys: Vec<Word<KeyName>>,
    threshold: u32,
    paths: Vec<String>,
    #[serde(default)]
    terminating: bool,
    valid_for: Word<Term>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let profile = facts.trust.profile;
        let wanted = &self.delegation;
        let granted = RoleName::application(profile, &wanted.application, wanted.track.as_deref())?;
        let delegator = match wanted.track {
            None => RoleName::Targets,
            Some(_) => RoleName::application(profile, &wanted.application, None)?,
        };
        let document = facts.documents.get(&delegator).ok_or_else(|| {
            Refusal::new(
                &rules::DELEGATOR_MISSING,
                format!("no {delegator} in the record"),
                "the document that is to grant",
            )
        })?;
        Self::not_granted(facts, &delegator, &granted)?;
        let keys = records(facts, &wanted.keys, Purpose::Delegation)?;
        self.within_limits(facts, &granted, &keys)?;
        let paths = paths(facts, &delegator, &wanted.paths)?;
        if paths.is_empty() {
            let expected = "at least one path that the delegation covers";
            return Err(Refusal::new(&rules::DELEGATION_PATHS, "no paths", expected));
        }
        if wanted.terminating && profile == Profile::Notary {
            return Err(Refusal::new(
                &rules::DELEGATION_PATHS,
                "terminating = true",
                "nothing: profile notary has no such delegations",
            ));
        }
        let paths = match profile {
            Profile::Tuf => PathRule::Patterns(paths),
            Profile::Notary => PathRule::Prefixes(paths),
        };

        let signers = listed(facts, &delegator);
        if signers.is_empty() {
            let found = format!("no key of {delegator} in the record");
            return Err(Refusal::new(
                &rules::KEY_UNKNOWN,
                found,
                "the keys that sign the document that grants",
            ));
        }
        let most = if delegator == RoleName::Targets {
            facts.limits.targets.max_valid_for
        } else {
            facts.limits.delegations.max_valid_for
        };
        let until = match &self.delegator {
            Some(d) => expires(facts, frame.held_at, d.valid_for.0, most, delegator.as_str())?,
            None => {
                kept(facts, frame.held_at, document.document().header().expires, most, delegator.as_str())?
            }
        };
        let grant = Grant {
            role: granted.clone(),
            keys: role(facts, &keys, wanted.threshold)?,
            paths,
            terminating: wanted.terminating,
        };
        let version = document.version().saturating_add(1);
        let edits = [TargetsEdit::Grant(grant)];
        let payload = make::targets(profile, &delegator, version, until, Some(document.payload()), &edits)?;
        let mut items = vec![Item::Document { payload, asked: asks(facts, &signers, &[Counts::New]) }];
        if profile == Profile::Tuf {
            let first = expires(
                facts,
                frame.held_at,
                wanted.valid_for.0,
                facts.limits.delegations.max_valid_for,
                granted.as_str(),
            )?;
            let next = facts.next_version(&granted);
            let payload = make::targets(profile, &granted, next, first, None, &[])?;
            items.push(Item::Document { payload, asked: asks(facts, &keys, &[Counts::New]) });
        }
        let summary = self.summary(&granted, &delegator, version, &keys);
        let base = base(facts, &[&RoleName::Root, &delegator]);
        Ok(Change::new(frame, facts, base, items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let wanted = &self.delegation;
        let Ok(granted) =
            RoleName::application(facts.trust.profile, &wanted.application, wanted.track.as_deref())
        else {
            return false;
        };
        let now: Vec<_> = listed(facts, &granted).into_iter().map(|r| &r.name).collect();
        !now.is_empty() && now.len() == wanted.keys.len() && wanted.keys.iter().all(|k| now.contains(&&k.0))
    }
}

impl Spec {
    fn not_granted(facts: &Facts, delegator: &RoleName, granted: &RoleName) -> Result<()> {
        let document = facts.documents.get(delegator).and_then(|d| d.document().as_targets());
        let there = document.is_some_and(|t| t.delegations.roles.iter().any(|r| r.name == *granted));
        if document.is_some_and(|t| t.delegations.succinct.is_some()) {
            let found = format!("{delegator} delegates to hash bins");
            return Err(Refusal::new(&rules::DELEGATION_EXISTS, found, "a document that delegates by name"));
        }
        if there {
            let found = format!("{granted} in {delegator} already");
            return Err(Refusal::new(
                &rules::DELEGATION_EXISTS,
                found,
                "an application or track that has no delegation yet",
            ));
        }
        Ok(())
    }

    fn within_limits(&self, facts: &Facts, granted: &RoleName, keys: &[&KeyRecord]) -> Result<()> {
        let floor = facts.limits.delegations.threshold_floor;
        if self.delegation.threshold < floor {
            return Err(Refusal::new(
                &rules::THRESHOLD_FLOOR,
                format!("a threshold of {} for the delegation", self.delegation.threshold),
                format!("at least {floor}, as the limits in force say"),
            ));
        }
        no_software(facts, keys, facts.limits.delegations.software_keys, granted)
    }

    fn summary(
        &self,
        granted: &RoleName,
        delegator: &RoleName,
        version: u64,
        keys: &[&KeyRecord],
    ) -> Vec<String> {
        let names: Vec<_> = keys.iter().map(|k| format!("{} of {}", k.name, k.holder)).collect();
        let paths: Vec<_> = self.delegation.paths.iter().map(|p| visible(p)).collect();
        let mut lines = vec![
            format!("{delegator} {version} lets {granted} sign for {}", paths.join(", ")),
            format!("  any {} of: {}", self.delegation.threshold, names.join(", ")),
        ];
        let threshold = NonZeroU32::new(self.delegation.threshold).unwrap_or(NonZeroU32::MIN);
        if keys.len() <= usize::try_from(threshold.get()).unwrap_or(usize::MAX) {
            lines.push(format!("  {}", rules::DELEGATION_NO_SPARE.warning(&no_spare(granted, threshold))));
        }
        lines
    }
}

/// Paths that a delegation may cover: an application's own folder, and for a track of profile
/// `notary` below its parent's.
///
/// # Errors
///
/// `DELEGATION-PATHS`, `TEXT`.
pub fn paths(facts: &Facts, delegator: &RoleName, wanted: &[String]) -> Result<Vec<String>> {
    for path in wanted {
        ours("a path", path)?;
        let wide = path.is_empty()
            || path == "*"
            || path == "**"
            || path.starts_with('/')
            || path.contains("..")
            || path.contains('\\');
        if wide {
            let found = format!("the path \"{}\"", visible(path));
            return Err(Refusal::new(
                &rules::DELEGATION_PATHS,
                found,
                "an application's own folder, as \"camera-station/\"",
            ));
        }
    }
    if facts.trust.profile == Profile::Tuf {
        // A path is a pattern there, which a folder's name alone gives no file (TUF 4.5): the runbook
        // that names a folder means what is in it, in both profiles.
        let pattern = |path: &String| if path.ends_with('/') { format!("{path}*") } else { path.clone() };
        return Ok(wanted.iter().map(pattern).collect());
    }
    // Clients restrict a child to its parent's prefixes (notary-v1 3.3): a track outside them
    // would look granted and reach nobody.
    let parent = facts.documents.get(&RoleName::Targets).and_then(|d| d.document().as_targets());
    let above = parent.and_then(|t| t.delegations.roles.iter().find(|r| r.name == *delegator));
    if let Some(PathRule::Prefixes(prefixes)) = above.map(|r| &r.paths)
        && let Some(outside) = wanted.iter().find(|p| !prefixes.iter().any(|prefix| p.starts_with(prefix)))
    {
        let found = format!("the path \"{}\"", visible(outside));
        return Err(Refusal::new(
            &rules::DELEGATION_PATHS,
            found,
            format!("a path below those of {delegator}"),
        ));
    }
    Ok(wanted.to_vec())
}
