//! What a revocation makes of delegations: every listing of the keys that go, in every document.
//!
//! A key that nobody can be asked for counts for no threshold, so a delegation that would be left with
//! such keys alone falls below it, whatever its document lists. Documents of other tools can list one
//! role in two places: the key leaves both, and a place that would be left with too few grants nothing
//! any more.

use super::delegations::{Delegation, Delegations, Listing};
use super::making::{no_software, records};
use super::revoke_tables::{Because, Below, Spec};
use super::rework::{After, Reissue, Rework};
use super::rules;
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::tuf::key::KeyIdentity;
use crate::tuf::make::TargetsEdit;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use std::collections::BTreeSet;
use std::num::NonZeroU32;

impl Spec {
    /// The delegations that the runbook is about.
    pub(super) fn scope<'a>(
        &self,
        facts: &Facts,
        delegations: &Delegations<'a>,
    ) -> Result<Vec<Delegation<'a>>> {
        match self.role(facts)? {
            Some(role) => Ok(vec![delegations.get(&role)?]),
            None => Ok(delegations.all().collect()),
        }
    }

    pub(super) fn rework<'a>(
        &'a self,
        facts: &'a Facts,
        delegations: &'a Delegations<'a>,
        gone: &[&KeyRecord],
    ) -> Result<Rework<'a>> {
        let mut rework = Rework::new(facts, delegations, self.terms(), self.reissue.as_ref());
        let scope = self.scope(facts, delegations)?;
        if gone.is_empty() {
            rework.removed.extend(scope.iter().map(|d| &d.role.name));
            let further = delegations.further().filter(|d| rework.removed.contains(&d.role.name));
            for other in further {
                rework.further.push((other.delegator, TargetsEdit::Revoke(other.role.name.clone())));
            }
            return Ok(rework);
        }
        let identities = identities(gone);
        self.nowhere_else(delegations, &scope, &identities)?;
        if let Some(role) = delegations.bins_of(&identities).filter(|_| self.revoke.application.is_none()) {
            return Err(Refusal::new(
                &rules::REVOKE_BINS,
                format!("a key that {}, in the hash bins of {role}", self.revoke.because.words()),
                "no key to be taken out of hash bins, which keyrite doesn't make",
            ));
        }
        let new = records(facts, &self.revoke.replace_with, Purpose::Delegation)?;
        if let Some(back) = new.iter().find(|r| identities.contains(&r.public.identity())) {
            let found = format!("{}, which the runbook revokes, in its own place", back.name);
            return Err(Refusal::new(&rules::REVOKE_NOTHING, found, "another key in replace-with"));
        }
        let mut short = Vec::new();
        let mut listing = Listing::of(&identities);
        for now in scope {
            let Some(left) = listing.left(&now) else { continue };
            no_software(facts, &new, facts.limits.delegations.software_keys, &now.role.name)?;
            let mut after = After::leaving(now, left);
            after.add = coming(&new, &after);
            match (fitted(&after, delegations), self.revoke.below_threshold) {
                (Fits::Yes, _) => {}
                (Fits::Lower(threshold), Some(Below::Lower)) => {
                    let floor = facts.limits.delegations.threshold_floor;
                    if threshold.get() < floor {
                        let found = format!("{} with a threshold of {threshold}", now.role.name);
                        let expected = format!("at least {floor}, as the limits in force say");
                        return Err(Refusal::new(&rules::THRESHOLD_FLOOR, found, expected));
                    }
                    after.threshold = threshold;
                }
                (_, Some(Below::Remove)) => {
                    rework.removed.insert(&now.role.name);
                    rework.ending.push(after);
                    continue;
                }
                (_, _) => short.push(left_short(&after, delegations)),
            }
            rework.changed.insert(&now.role.name, after);
        }
        if !short.is_empty() {
            let many = short.len().saturating_sub(10);
            short.truncate(10);
            let more = if many == 0 { String::new() } else { format!(", and {many} more") };
            return Err(Refusal::new(
                &rules::BELOW_THRESHOLD,
                format!("{}{more}", short.join(", ")),
                "as many keys as the threshold asks for",
            ));
        }
        let further: Vec<_> = delegations.further().collect();
        for other in further.into_iter().filter(|d| d.delegator != &d.role.name) {
            if rework.removed.contains(other.delegator) {
                continue;
            }
            let gone = rework.removed.contains(&other.role.name);
            let remove = if self.revoke.application.is_none()
                || self.role(facts)?.as_ref() == Some(&other.role.name)
            {
                other.ids_of(&identities)
            } else {
                BTreeSet::new()
            };
            if !gone && remove.is_empty() {
                continue;
            }
            let mut after = After::without(other, remove);
            after.add = coming(&new, &after);
            let stays = !gone && matches!(fitted(&after, delegations), Fits::Yes);
            let leaves = TargetsEdit::Revoke(other.role.name.clone());
            rework.further.push((other.delegator, if stays { after.edit(facts)? } else { leaves }));
        }
        leave_what_is_gone(&mut rework);
        if let Some(reissue) = &self.reissue {
            sign_again(&mut rework, reissue);
        }
        Ok(rework)
    }

    /// A key that is lost or stolen is trusted nowhere any more.
    fn nowhere_else(
        &self,
        delegations: &Delegations<'_>,
        scope: &[Delegation<'_>],
        gone: &BTreeSet<KeyIdentity>,
    ) -> Result<()> {
        if self.revoke.because == Because::Left || self.revoke.application.is_none() {
            return Ok(());
        }
        let here: BTreeSet<_> = scope.iter().map(|d| &d.role.name).collect();
        let elsewhere = |d: &Delegation<'_>| !here.contains(&d.role.name) && !d.ids_of(gone).is_empty();
        match delegations.all().find(elsewhere) {
            None => Ok(()),
            Some(other) => Err(Refusal::new(
                &rules::REVOKED_ELSEWHERE,
                format!("a key that {}, in {} too", self.revoke.because.words(), other.role.name),
                "a runbook that takes it out everywhere",
            )),
        }
    }
}

/// Those of the new keys that a delegation doesn't list already.
fn coming<'a>(new: &[&'a KeyRecord], after: &After<'_>) -> Vec<&'a KeyRecord> {
    new.iter().copied().filter(|r| !after.staying().contains(&r.public.identity())).collect()
}

/// What is left of a delegation, with those of its keys that stay listed and count no more: a thief of the
/// targets keys can have declared them.
fn left_short(after: &After<'_>, delegations: &Delegations<'_>) -> String {
    let keys = after.keys();
    let said = |key: &KeyRecord| {
        let (event, at) = key.life.iter().find(|(event, _)| *event != KeyEvent::Retired)?;
        Some(format!("{} of {}, {} since {}", key.name, key.holder, event.name(), at.date()))
    };
    let gone: Vec<_> = keys.iter().filter_map(|key| said(delegations.record(key)?)).take(3).collect();
    let gone = if gone.is_empty() { String::new() } else { format!(" (not counting {})", gone.join("; ")) };
    let able = delegations.able(&keys);
    format!("{} with {able} keys at a threshold of {}{gone}", after.now.role.name, after.threshold)
}

/// Whether a delegation keeps as many keys as its threshold asks for.
enum Fits {
    Yes,
    /// With this threshold.
    Lower(NonZeroU32),
    No,
}

fn fitted(after: &After<'_>, delegations: &Delegations<'_>) -> Fits {
    let keys = u32::try_from(delegations.able(&after.keys())).unwrap_or(u32::MAX);
    match NonZeroU32::new(keys) {
        Some(keys) if keys >= after.threshold => Fits::Yes,
        Some(keys) => Fits::Lower(keys),
        None => Fits::No,
    }
}

/// Has every document signed again that is left without enough signatures, or names what is to be taken
/// out: a colleague's release on top of a thief's keeps what the thief had put there.
fn sign_again(rework: &mut Rework<'_>, reissue: &Reissue) {
    let named = |after: &&After<'_>| {
        let targets = rework.facts.last(&after.now.role.name).and_then(|d| d.document().as_targets());
        let has = |path: &String| targets.is_some_and(|targets| targets.targets.contains_key(path));
        reissue.without_paths.iter().any(has)
    };
    let named: Vec<_> = rework.changed.values().filter(named).map(|a| a.now.role.name.clone()).collect();
    let stranded: Vec<_> = rework.stranded().iter().map(|(_, d)| d.role().clone()).collect();
    rework.again.extend(stranded.into_iter().chain(named));
}

/// What lies below a delegation that goes, goes with it: its document is not signed any more.
fn leave_what_is_gone(rework: &mut Rework<'_>) {
    let below: BTreeSet<_> =
        rework.removed.iter().flat_map(|role| rework.delegations.below(role)).map(|d| &d.role.name).collect();
    rework.changed.retain(|role, _| !below.contains(role));
    rework.removed.retain(|role| !below.contains(role));
}

pub(super) fn identities(records: &[&KeyRecord]) -> BTreeSet<KeyIdentity> {
    records.iter().map(|record| record.public.identity()).collect()
}
