//! `revoke-delegation`: a key, an application or a person may no longer sign.
//!
//! The documents that only the revoked keys signed are signed again in the same change where the
//! runbook says so; otherwise the summary names what waits, for whom, and by which runbook. A key
//! that is lost or stolen is declared so by the targets keys, so that it never comes back, and it
//! leaves every delegation at once. A person who holds keys of root or targets leaves those in the
//! same change, by a change of root. No key that is lost or stolen is asked for anything.

use super::customers;
use super::delegations::{Delegation, Delegations};
use super::making::{asks_statement, no_software, records};
use super::rework::{After, Delegator, Reissue, Rework, Terms};
use super::root_change::{RootChange, Wanted, root_change};
use super::root_members::{Keys, Role, listed_entries};
use super::rules;
use super::suspect;
use crate::ceremony::change::{Base, Change, Counts, Frame, Item, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::{self, Act, PersonAct, Step};
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::key::KeyIdentity;
use crate::tuf::make::TargetsEdit;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use crate::tuf::time::Term;
use serde::Deserialize;
use std::collections::BTreeSet;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    revoke: Revoke,
    reissue: Option<Reissue>,
    delegator: Option<Delegator>,
    root: Option<Top>,
    targets: Option<Top>,
}

/// Root or targets, which a person leaves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Top {
    #[serde(default)]
    replace_with: Vec<Word<KeyName>>,
    threshold: Option<u32>,
    valid_for: Option<Word<Term>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Revoke {
    application: Option<String>,
    track: Option<String>,
    key: Option<Word<KeyName>>,
    person: Option<Word<Person>>,
    because: Because,
    #[serde(default)]
    replace_with: Vec<Word<KeyName>>,
    below_threshold: Option<Below>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Because {
    Left,
    Lost,
    Compromised,
}

/// What becomes of a delegation that keeps fewer keys than its threshold.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Below {
    Lower,
    Remove,
}

impl Because {
    const fn event(self) -> Option<KeyEvent> {
        match self {
            Self::Left => None,
            Self::Lost => Some(KeyEvent::Lost),
            Self::Compromised => Some(KeyEvent::Compromised),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Left => "is no longer needed",
            Self::Lost => "is lost",
            Self::Compromised => "is stolen",
        }
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let delegations = Delegations::of(facts);
        let gone = self.revoked(facts)?;
        let rework = self.rework(facts, &delegations, &gone)?;
        let mut edits = rework.edits()?;
        let mut summary = self.summary(&rework, &gone);
        let top = self.top(frame, facts, &gone, || edits.remove(&RoleName::Targets))?;
        let declared = match top {
            None => self.declared(frame, facts, &delegations, &gone)?,
            Some(_) => Vec::new(),
        };
        let RootChange { mut base, mut items, summary: of_root } = top.unwrap_or_else(|| RootChange {
            base: Base::default(),
            items: Vec::new(),
            summary: Vec::new(),
        });
        let (documents, rests) = rework.documents(frame, edits)?;
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
        let mut declarable = gone.iter().filter(|r| r.purpose == Purpose::Delegation);
        let mut declared = |event| declarable.all(|r| r.life.iter().any(|(found, _)| *found == event));
        scope.iter().all(|d| d.ids_of(&identities).is_empty())
            && self.listed_at_top(facts, &gone).is_empty()
            && self.revoke.because.event().is_none_or(&mut declared)
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
    fn terms(&self) -> Terms {
        Terms::of(self.delegator.as_ref(), self.reissue.as_ref())
    }

    fn one_of_three(&self) -> Result<()> {
        let Revoke { application, track, key, person, replace_with, below_threshold, .. } = &self.revoke;
        let refuse = |found: &str, expected: &str| {
            Err(Refusal::new(&crate::ceremony::rules::RUNBOOK, found.to_owned(), expected.to_owned()))
        };
        if person.is_none() && (self.root.is_some() || self.targets.is_some()) {
            return refuse("[root] or [targets] without a person", "person, who leaves them too");
        }
        match (application, key, person) {
            (None, None, None) => refuse("[revoke] of nothing", "application, key or person"),
            (_, Some(_), Some(_)) | (Some(_), _, Some(_)) => {
                refuse("[revoke] person beside application or key", "the person alone, everywhere")
            }
            (None, ..) if track.is_some() => refuse("[revoke] track without application", "its application"),
            (Some(_), None, None)
                if !replace_with.is_empty() || below_threshold.is_some() || self.reissue.is_some() =>
            {
                refuse("a whole application with keys to follow", "key, for one that goes on")
            }
            _ => Ok(()),
        }
    }

    /// The one delegation that the runbook names, if it names one.
    fn role(&self, facts: &Facts) -> Result<Option<RoleName>> {
        let Some(application) = &self.revoke.application else { return Ok(None) };
        RoleName::application(facts.trust.profile, application, self.revoke.track.as_deref()).map(Some)
    }

    /// The keys that go; none for a whole application.
    fn revoked<'a>(&self, facts: &'a Facts) -> Result<Vec<&'a KeyRecord>> {
        let found: Vec<_> = match (&self.revoke.key, &self.revoke.person) {
            (Some(Word(name)), _) => facts.keys.get(name).into_iter().collect(),
            (None, Some(Word(person))) => facts.keys.values().filter(|r| r.holder == *person).collect(),
            (None, None) => return Ok(Vec::new()),
        };
        if found.is_empty() {
            let what = self.revoke.key.as_ref().map(|k| format!("no key {}", k.0));
            let who = self.revoke.person.as_ref().map(|p| format!("no key of {}", p.0));
            return Err(Refusal::new(
                &rules::REVOKE_NOTHING,
                format!("{} in the record", what.or(who).unwrap_or_default()),
                "a key or a holder of the record",
            ));
        }
        Ok(found)
    }

    /// The delegations that the runbook is about.
    fn scope<'a>(&self, facts: &Facts, delegations: &Delegations<'a>) -> Result<Vec<Delegation<'a>>> {
        match self.role(facts)? {
            Some(role) => Ok(vec![delegations.get(&role)?]),
            None => Ok(delegations.all().collect()),
        }
    }

    fn rework<'a>(
        &'a self,
        facts: &'a Facts,
        delegations: &'a Delegations<'a>,
        gone: &[&KeyRecord],
    ) -> Result<Rework<'a>> {
        let mut rework = Rework::new(facts, delegations, self.terms(), self.reissue.as_ref());
        let scope = self.scope(facts, delegations)?;
        if gone.is_empty() {
            rework.removed.extend(scope.iter().map(|d| &d.role.name));
            return Ok(rework);
        }
        let identities = identities(gone);
        self.nowhere_else(delegations, &scope, &identities)?;
        let new = records(facts, &self.revoke.replace_with, Purpose::Delegation)?;
        if let Some(back) = new.iter().find(|r| identities.contains(&r.public.identity())) {
            let found = format!("{}, which the runbook revokes, in its own place", back.name);
            return Err(Refusal::new(&rules::REVOKE_NOTHING, found, "another key in replace-with"));
        }
        let mut short = Vec::new();
        for now in scope {
            let remove = now.ids_of(&identities);
            if remove.is_empty() {
                continue;
            }
            no_software(facts, &new, facts.limits.delegations.software_keys, &now.role.name)?;
            let mut after = After { remove, ..After::of(now) };
            let staying = after.staying();
            after.add.extend(new.iter().filter(|r| !staying.contains(&r.public.identity())));
            match (fitted(&after), self.revoke.below_threshold) {
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
                    continue;
                }
                (_, _) => short.push(format!(
                    "{} with {} keys at a threshold of {}",
                    now.role.name,
                    after.keys().len(),
                    after.threshold
                )),
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
        leave_what_is_gone(&mut rework);
        if let Some(reissue) = &self.reissue {
            // A colleague's release on top of a thief's keeps what the thief had put there.
            let named = |after: &&After<'_>| {
                let targets = facts.last(&after.now.role.name).and_then(|d| d.document().as_targets());
                let has = |path: &String| targets.is_some_and(|targets| targets.targets.contains_key(path));
                reissue.without_paths.iter().any(has)
            };
            let named: Vec<_> =
                rework.changed.values().filter(named).map(|a| a.now.role.name.clone()).collect();
            let stranded: Vec<_> = rework.stranded().iter().map(|(_, d)| d.role().clone()).collect();
            rework.again.extend(stranded.into_iter().chain(named));
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
            ..Wanted::again(*valid_for)
        };
        root_change(frame, facts, &wanted).map(Some)
    }

    /// The statements that declare what became of the keys, signed by the targets keys.
    fn declared(
        &self,
        frame: &Frame,
        facts: &Facts,
        delegations: &Delegations<'_>,
        gone: &[&KeyRecord],
    ) -> Result<Vec<Item>> {
        let (Some(event), Some(root)) = (self.revoke.because.event(), facts.roots.last()) else {
            return Ok(Vec::new());
        };
        let signers = delegations.signers(facts, &RoleName::Targets);
        let asked = asks_statement(facts, &signers, &[Counts::New]);
        let declarable = |r: &&&KeyRecord| {
            r.purpose == Purpose::Delegation && !r.life.iter().any(|(found, _)| *found == event)
        };
        let say = |record: &&KeyRecord| {
            let key = record.public.identity();
            let sentence = Sentence::KeyLife { key, event, at: frame.held_at, root: root.payload().digest() };
            let payload = Statement::new(facts.trust.id, sentence)?;
            Ok(Item::Statement { payload, asked: asked.clone() })
        };
        gone.iter().filter(declarable).map(say).collect()
    }

    fn summary(&self, rework: &Rework<'_>, gone: &[&KeyRecord]) -> Vec<String> {
        let facts = rework.facts;
        let mut lines = Vec::new();
        for record in gone {
            lines.push(format!("{} of {} {}", record.name, record.holder, self.revoke.because.words()));
        }
        for (role, after) in &rework.changed {
            let keys = after.keys();
            lines.push(format!(
                "{} lets {role} go on with any {} of: {}",
                after.now.delegator,
                after.threshold,
                customers::names(&rework.delegations.living(keys.iter().copied()))
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

/// That a delegation has no key to lose.
pub fn no_spare(role: &RoleName, threshold: NonZeroU32) -> String {
    match threshold.get() {
        1 => format!("{role} has one key alone"),
        many => format!("{role} has {many} keys, all of which must sign"),
    }
}

/// Whether a delegation keeps as many keys as its threshold asks for.
enum Fits {
    Yes,
    /// With this threshold.
    Lower(NonZeroU32),
    No,
}

fn fitted(after: &After<'_>) -> Fits {
    let keys = u32::try_from(after.keys().len()).unwrap_or(u32::MAX);
    match NonZeroU32::new(keys) {
        Some(keys) if keys >= after.threshold => Fits::Yes,
        Some(keys) => Fits::Lower(keys),
        None => Fits::No,
    }
}

/// What lies below a delegation that goes, goes with it: its document is not signed any more.
fn leave_what_is_gone(rework: &mut Rework<'_>) {
    let below: BTreeSet<_> =
        rework.removed.iter().flat_map(|role| rework.delegations.below(role)).map(|d| &d.role.name).collect();
    rework.changed.retain(|role, _| !below.contains(role));
    rework.removed.retain(|role| !below.contains(role));
}

fn identities(records: &[&KeyRecord]) -> BTreeSet<KeyIdentity> {
    records.iter().map(|record| record.public.identity()).collect()
}
