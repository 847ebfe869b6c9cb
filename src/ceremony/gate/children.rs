//! Documents that a change leaves alone, under what it makes: the backend doesn't look, and
//! accepts a root whose new targets key has signed nothing yet (notary-v1 4.2).

use super::scene::Scene;
use super::{Finding, rules, trusted};
use crate::tuf::chain::{check_delegated, check_role, delegated_already, not_expired, signers_of};
use crate::tuf::client::Judge as _;
use crate::tuf::digest::Digest;
use crate::tuf::document::DelegatedRole;
use crate::tuf::evidence::Evidence;
use crate::tuf::halves::each_of;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Refusal;
use crate::tuf::threshold::tally;
use crate::tuf::time::Time;
use crate::tuf::wire::Envelope;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Looks at targets, and at each delegation whose document or delegator the change makes; at all
/// of them where there is no change.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let Some(root) = scene.newest() else { return };
    if let Some(targets) = scene.documents.get(&RoleName::Targets) {
        top(scene, root, targets, findings);
    } else {
        let found = format!("no targets document that root {} vouches for", root.payload().version());
        let refusal = Refusal::new(&rules::CLIENT_CHILD, found, "one, in the change or in the record");
        findings.push(if scene.makes_root() { Finding::stops(refusal) } else { Finding::tells(refusal) });
    }
    let everything = scene.changed.is_empty();
    let looked_at = |role: &RoleName| everything || scene.changed.contains(role);
    let delegators = Delegators::of(scene);
    let all: Vec<_> =
        scene.documents.all().filter(|(role, _)| matches!(role, RoleName::Delegated(_))).collect();
    let glance = Glance {
        delegators: &delegators,
        changed: &scene.changed,
        planned: scene.judge.planned(),
        now: scene.now,
    };
    let seen = each_of(&all, |(role, held)| glance.at(role, held));
    let there = seen.iter().filter(|seen| seen.named).count();
    for ((role, held), _) in all.into_iter().zip(seen).filter(|(_, seen)| !seen.good) {
        let by = delegators.named.get(role).map(|(by, listed)| (*by, Some(*listed)));
        let Some((by, listed)) = by.or_else(|| Some((delegators.of_bin(role)?, None))) else { continue };
        if looked_at(role) || looked_at(by.payload().role()) {
            below(scene, (by, listed), held, findings);
        }
    }
    // A delegated role that no snapshot lists ends every search that comes to it (TUF 5.6.7).
    if scene.facts.trust.profile == Profile::Tuf && there < delegators.named.len() {
        let without = delegators.named.iter().filter(|(role, _)| scene.documents.get(role).is_none());
        for (role, (by, _)) in without.collect::<BTreeMap<_, _>>() {
            if looked_at(by.payload().role()) {
                let refusal = Refusal::new(
                    &rules::CLIENT_CHILD,
                    format!("{role}, to which {} delegates, without a document", by.payload().role()),
                    "its first document, in the change or in the record",
                );
                let listed = trusted(scene.facts, by.payload().role());
                let before = listed.is_some_and(|by| signers_of(by.document(), role).is_ok());
                findings.push(if before || everything {
                    Finding::tells(refusal)
                } else {
                    Finding::stops(refusal)
                });
            }
        }
    }
}

fn top(scene: &Scene<'_>, root: &Envelope, targets: &Envelope, findings: &mut Vec<Finding>) {
    let verdict = check_role(root.payload(), targets.payload(), &*scene.judge.evidence(targets));
    if let Err(refused) = verdict {
        let expected = "targets signed again in the same change, by the keys that the new root lists";
        findings.push(Finding::stops(Refusal::new(&rules::CLIENT_CHILD, refused.to_string(), expected)));
    }
    if let Err(refused) = not_expired(targets.payload(), scene.now) {
        let refusal =
            Refusal::new(&rules::CLIENT_CHILD, refused.to_string(), "a targets document that is valid");
        let ours = scene.changed.contains(&RoleName::Targets);
        findings.push(if ours { Finding::stops(refusal) } else { Finding::tells(refusal) });
    }
}

/// A delegation's document, under its delegator, which lists it by name or as a hash bin.
fn below(
    scene: &Scene<'_>,
    (by, listed): (&Envelope, Option<&DelegatedRole>),
    held: &Envelope,
    findings: &mut Vec<Finding>,
) {
    let role = held.payload().role();
    let evidence = scene.judge.evidence(held);
    let ours = scene.changed.contains(role);
    let listed = listed.zip(by.payload().document().as_targets());
    let verdict = match listed {
        Some((listed, targets)) => {
            let listed = (&targets.delegations.keys, listed);
            check_delegated(by.payload(), listed, held.payload(), &*evidence)
        }
        None => check_role(by.payload(), held.payload(), &*evidence),
    };
    if let Err(refused) = verdict {
        let targets = held.payload().document().as_targets().map_or(0, |t| t.targets.len());
        let mut found = format!("{refused}; {targets} targets of {role} would vanish for customers");
        if scene.facts.trust.profile == Profile::Notary {
            // The stock client begins at version 1 again, which the server has had (notary-v1 4.2).
            found.push_str(", and its developers can't publish until it is signed again");
        }
        let expected = "the delegation's document signed again in the same change, at a higher version";
        let refusal = Refusal::new(&rules::CLIENT_CHILD, found, expected);
        let stops = ours || !revoked(scene, by, role, held, &*evidence);
        findings.push(if stops { Finding::stops(refusal) } else { Finding::tells(refusal) });
        return;
    }
    if let Err(refused) = not_expired(held.payload(), scene.now) {
        let refusal = Refusal::new(&rules::CLIENT_CHILD, refused.to_string(), "a delegation that is valid");
        findings.push(if ours { Finding::stops(refusal) } else { Finding::tells(refusal) });
    }
}

/// Whether a document stops verifying because one of its signers was taken out: that is what
/// revoking means. Else the change has left something out, as when it raises a threshold.
fn revoked(
    scene: &Scene<'_>,
    by: &Envelope,
    role: &RoleName,
    held: &Envelope,
    evidence: &dyn Evidence,
) -> bool {
    let Ok((keys, now)) = signers_of(by.payload().document(), role) else { return true };
    let after = tally(keys, now, held.payload(), evidence);
    let Some(before) = trusted(scene.facts, by.payload().role()) else { return false };
    let Ok((keys, was)) = signers_of(before.document(), role) else { return false };
    let before = tally(keys, was, held.payload(), evidence);
    !before.met() || before.signed.iter().any(|key| !after.listed.contains(key))
}

/// A first look at one of thousands of documents that a change leaves alone: nearly all of them are good
/// by what was found out of them when they were read, and two can be looked at at once.
struct Glance<'g, 'a> {
    delegators: &'g Delegators<'a>,
    changed: &'g BTreeSet<&'a RoleName>,
    planned: &'g BTreeSet<Digest>,
    now: Time,
}

/// What it shows.
struct Seen {
    /// Whether a delegator lists the role by name.
    named: bool,
    /// Whether nothing is to be found of the document; if not, that says nothing.
    good: bool,
}

impl Glance<'_, '_> {
    fn at(&self, role: &RoleName, held: &Envelope) -> Seen {
        let Some((by, listed)) = self.delegators.named.get(role) else {
            return Seen { named: false, good: false };
        };
        let payload = held.payload();
        let changed = |role| self.changed.is_empty() || self.changed.contains(role);
        if !changed(role) && !changed(by.payload().role()) {
            return Seen { named: true, good: true };
        }
        // Who is to sign what the change makes is no matter of signatures that are there.
        let good = !self.planned.contains(&payload.digest())
            && by.payload().document().as_targets().is_some_and(|targets| {
                delegated_already(by.payload(), (&targets.delegations.keys, listed), held)
            })
            && not_expired(payload, self.now).is_ok();
        Seen { named: true, good }
    }
}

/// Who delegates to whom, as the change leaves it: the top level first, as clients search.
struct Delegators<'a> {
    named: HashMap<&'a RoleName, (&'a Envelope, &'a DelegatedRole)>,
    bins: Vec<&'a Envelope>,
}

impl<'a> Delegators<'a> {
    fn of(scene: &Scene<'a>) -> Self {
        let mut found = Self { named: HashMap::new(), bins: Vec::new() };
        for held in scene.documents.delegating() {
            let Some(targets) = held.payload().document().as_targets() else { continue };
            if targets.delegations.succinct.is_some() {
                found.bins.push(held);
            }
            found.named.reserve(targets.delegations.roles.len());
            for role in &targets.delegations.roles {
                let above = || role.name.as_str().rsplit_once('/').map(|(above, _)| above);
                if scene.facts.trust.profile == Profile::Tuf
                    || above() == Some(held.payload().role().as_str())
                {
                    found.named.entry(&role.name).or_insert((held, role));
                }
            }
        }
        found
    }

    fn of_bin(&self, role: &RoleName) -> Option<&'a Envelope> {
        self.bins.iter().find(|by| signers_of(by.payload().document(), role).is_ok()).copied()
    }
}
