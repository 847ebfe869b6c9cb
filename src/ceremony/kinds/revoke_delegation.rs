//! `revoke-delegation`: a key, an application or a person may no longer sign.
//!
//! The documents that only the revoked keys signed are signed again in the same change where the
//! runbook says so; otherwise the summary names what waits, for whom, and by which runbook. A key
//! that is lost or stolen is declared so by the targets keys, so that it never comes back, and it
//! leaves every delegation at once. A person who holds keys of root or targets leaves those in the
//! same change, by a change of root. No key that is lost or stolen is asked for anything.

use super::customers;
use super::delegations::Delegations;
use super::key_life::{Said, declared};
use super::revoke_rework::identities;
use super::revoke_tables::{Spec, Top};
use super::rework::Rework;
use super::root_change::{RootChange, Wanted, root_change};
use super::root_members::{Keys, Role, listed_entries};
use super::rules;
use super::suspect;
use crate::ceremony::change::{Base, Change, Frame};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::{self, Act, PersonAct, Step};
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::halves::beside;
use crate::tuf::make::TargetsEdit;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use std::collections::HashMap;
use std::num::NonZeroU32;

/// The kind.
pub struct RevokeDelegation;

impl Kind for RevokeDelegation {
    fn name(&self) -> &'static str {
        "revoke-delegation"
    }

    fn purpose(&self) -> &'static str {
        "take a developer's key, an application or a person out"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        let spec: Spec = runbook.spec()?;
        spec.one_of_three()?;
        Ok(Box::new(spec))
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let delegations = Delegations::of(facts);
        let gone = self.revoked(facts)?;
        let rework = self.rework(facts, &delegations, &gone)?;
        let mut edits = rework.edits()?;
        let top = self.top(frame, facts, &gone, || edits.remove(&RoleName::Targets))?;
        let declared = match (&top, self.revoke.because.event()) {
            (None, Some(event)) => {
                self.in_no_root(facts, &gone)?;
                declared(frame, facts, &gone.iter().map(|record| (*record, event)).collect::<Vec<_>>())?
            }
            _ => Vec::new(),
        };
        let RootChange { mut base, mut items, summary: of_root } = top.unwrap_or_else(|| RootChange {
            base: Base::default(),
            items: Vec::new(),
            summary: Vec::new(),
        });
        let documents = || rework.documents(frame, edits);
        let (made, mut summary) = beside(documents, || self.summary(&rework, &gone));
        let (documents, rests) = made?;
        items.extend(documents);
        items.extend(declared);
        base.documents.extend(rests.documents);
        summary.extend(of_root);
        if items.is_empty() {
            return Err(Refusal::new(
                &rules::REVOKE_NOTHING,
                "keys that nothing lists, and nothing to declare",
                "a key that some delegation lists",
            ));
        }
        Ok(Change::new(frame, facts, base, items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let delegations = Delegations::of(facts);
        let Ok(gone) = self.revoked(facts) else { return false };
        if let (Ok(Some(role)), true) = (self.role(facts), gone.is_empty()) {
            return delegations.find(&role).is_none() && facts.revoked.contains(&role);
        }
        let Ok(scope) = self.scope(facts, &delegations) else { return false };
        let identities = identities(&gone);
        let said = |event| gone.iter().all(|r| r.life.iter().any(|(found, _)| *found == event));
        let further = delegations.further().filter(|d| scope.iter().any(|own| own.role.name == d.role.name));
        scope.iter().copied().chain(further).all(|d| d.ids_of(&identities).is_empty())
            && self.listed_at_top(facts, &gone).is_empty()
            && self.revoke.because.event().is_none_or(said)
    }

    fn steps(&self, change: &Change, facts: &Facts) -> Result<Vec<Step>> {
        let mut steps = step::of(change, facts);
        let delegations = Delegations::of(facts);
        let gone = self.revoked(facts)?;
        // A change that is sealed already has nothing left to look at.
        let lines =
            self.rework(facts, &delegations, &gone).map(|r| suspect::signed_alone(&r)).unwrap_or_default();
        if !lines.is_empty() {
            let title = "What only the revoked keys have signed".to_owned();
            let act = Act::Person(PersonAct::Show { title, lines });
            steps.insert(0, Step::new("signed-alone", change.administrator(), act));
        }
        Ok(steps)
    }
}

impl Spec {
    /// Refuses to declare a key lost or stolen by a statement alone that root lists: it would go on
    /// counting there. The backend's keys are no part of what a person leaves here.
    fn in_no_root(&self, facts: &Facts, gone: &[&KeyRecord]) -> Result<()> {
        if self.revoke.person.is_some() {
            return Ok(());
        }
        let lists = |record: &&&KeyRecord| at_top(facts, record).is_some();
        let Some(record) = gone.iter().find(lists) else { return Ok(()) };
        Err(Refusal::new(
            &rules::KEY_STILL_LISTED,
            format!("{}, which root lists", record.name),
            "a key of a delegation, or one that root has left: rotate-root and recover take this one out",
        ))
    }

    /// Which of a person's keys root and targets list.
    fn listed_at_top(&self, facts: &Facts, gone: &[&KeyRecord]) -> Vec<(RoleName, Vec<KeyName>)> {
        if self.revoke.person.is_none() {
            return Vec::new();
        }
        let listed = |role: RoleName| {
            let members = listed_entries(facts, &role).map(|(members, _)| members).unwrap_or_default();
            let has = |r: &&&KeyRecord| members.iter().any(|m| m.identity() == Some(r.public.identity()));
            let names: Vec<_> = gone.iter().filter(has).map(|r| r.name.clone()).collect();
            (!names.is_empty()).then_some((role, names))
        };
        [RoleName::Root, RoleName::Targets].into_iter().filter_map(listed).collect()
    }

    /// The change of root, if the person holds a key of root or targets.
    fn top(
        &self,
        frame: &Frame,
        facts: &Facts,
        gone: &[&KeyRecord],
        of_targets: impl FnOnce() -> Option<Vec<TargetsEdit>>,
    ) -> Result<Option<RootChange>> {
        let listed = self.listed_at_top(facts, gone);
        if listed.is_empty() {
            return Ok(None);
        }
        let Some(Word(valid_for)) = self.root.as_ref().and_then(|top| top.valid_for.as_ref()) else {
            let names: Vec<_> = listed.iter().flat_map(|(_, names)| names).map(ToString::to_string).collect();
            return Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                format!("{} in root, and no [root] valid-for", names.join(", ")),
                "how long the next root is valid",
            ));
        };
        let role = |role: RoleName, table: Option<&Top>| {
            let remove = listed.iter().find(|(of, _)| *of == role).map(|(_, names)| names.clone());
            let added = table.map(|top| top.replace_with.as_slice()).unwrap_or_default();
            Role {
                keys: Keys::Edited {
                    add: added.iter().map(|Word(name)| name.clone()).collect(),
                    remove: remove.unwrap_or_default(),
                },
                threshold: table.and_then(|top| top.threshold),
            }
        };
        let own = self.targets.as_ref().and_then(|top| top.valid_for.as_ref());
        let event = self.revoke.because.event();
        let lives = |event| gone.iter().map(|r| (r.name.clone(), event)).collect();
        let wanted = Wanted {
            root: role(RoleName::Root, self.root.as_ref()),
            targets: role(RoleName::Targets, self.targets.as_ref()),
            targets_valid_for: own.or(self.delegator.as_ref().map(|d| &d.valid_for)).map(|term| term.0),
            targets_edits: of_targets().unwrap_or_default(),
            gone: event.map(lives).unwrap_or_default(),
            declared: self.declared.as_ref().map(Said::keys),
            ..Wanted::again(*valid_for)
        };
        root_change(frame, facts, &wanted).map(Some)
    }

    fn summary(&self, rework: &Rework<'_>, gone: &[&KeyRecord]) -> Vec<String> {
        let facts = rework.facts;
        let mut lines = Vec::new();
        for record in gone {
            lines.push(format!("{} of {} {}", record.name, record.holder, self.revoke.because.words()));
        }
        for record in gone.iter().filter(|_| self.revoke.person.is_some()) {
            if let Some(role @ (RoleName::Snapshot | RoleName::Timestamp)) = at_top(facts, record) {
                let name = &record.name;
                lines.push(format!(
                    "  {name} goes on signing {role}: a rotate-root runbook with [{role}] keys ends that"
                ));
            }
        }
        for (delegator, edit) in &rework.further {
            lines.push(match edit {
                TargetsEdit::Revoke(role) => format!("{delegator}, which lists {role} too, does so no more"),
                TargetsEdit::Amend(change) => {
                    format!("{delegator}, which lists {} too, changes with it", change.role)
                }
                _ => continue,
            });
        }
        // Thousands of delegations go on with the same few keys.
        let mut named = HashMap::new();
        for (role, after) in &rework.changed {
            let keys = after.keys();
            let living = || customers::names(&rework.delegations.living(keys.iter().copied()));
            let which = (after.list(), after.add.iter().map(|key| &key.name).collect::<Vec<_>>());
            lines.push(format!(
                "{} lets {role} go on with any {} of: {}",
                after.now.delegator,
                after.threshold,
                named.entry(which).or_insert_with(living)
            ));
            if keys.len() <= usize::try_from(after.threshold.get()).unwrap_or(usize::MAX) {
                lines.push(format!(
                    "  {}",
                    rules::DELEGATION_NO_SPARE.warning(&no_spare(role, after.threshold))
                ));
            }
        }
        for role in &rework.removed {
            let Some(delegation) = rework.delegations.find(role) else { continue };
            lines.push(format!(
                "{} lets nobody sign for {role} any more ({})",
                delegation.delegator,
                delegation.reach()
            ));
            lines.push(customers::gone(facts, &delegation));
            lines.extend(rework.delegations.below(role).iter().map(|d| customers::gone(facts, d)));
        }
        lines.extend(customers::after(rework));
        lines
    }
}

/// The role for which the newest root lists a key.
fn at_top(facts: &Facts, record: &KeyRecord) -> Option<RoleName> {
    let lists = |role: &&RoleName| {
        let members = listed_entries(facts, role).map(|(members, _)| members).unwrap_or_default();
        members.iter().any(|member| member.identity() == Some(record.public.identity()))
    };
    RoleName::TOP.iter().find(lists).cloned()
}

/// That a delegation has no key to lose.
pub fn no_spare(role: &RoleName, threshold: NonZeroU32) -> String {
    match threshold.get() {
        1 => format!("{role} has one key alone"),
        many => format!("{role} has {many} keys, all of which must sign"),
    }
}
