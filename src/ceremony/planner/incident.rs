//! Something was lost or stolen: keys of root and of targets at once, in the fewest changes.
//!
//! A targets key leaves with the first root that can be made without it, so that one change drops the
//! keys of both roles and signs targets again. One that was stolen waits for no successor where enough
//! others are at hand: whoever comes late comes in by a later root. Each root has a runbook of its own. Where everything
//! needed is at hand today they are all the same `recover`, which finds the next root itself; where a key
//! comes later, each says what this root is to be, and who is waited for.
//!
//! In profile `notary` a root lists certificates that outlive it, so keys whose certificates don't are
//! certified first.
//!
//! Never: a way that needs a signature of a key that someone else has as well.

use super::runbooks::{holders, recover};
use super::{Answer, Cast, Certified, PlannedRoot, Question, Standing, Wish};
use super::{again, explain, plan, question, refused, runbooks, with_tokens};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::kinds::root_members::listed_entries;
use crate::ceremony::kinds::rules;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::unmade::LeaveOut;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What happened, and what there is to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Root and targets keys that nobody has. One that is compromised as well was stolen.
    pub lost: BTreeSet<KeyName>,
    /// Root and targets keys that someone else may have.
    pub compromised: BTreeSet<KeyName>,
    /// Root and targets keys of the record that take their places.
    pub replace_with: BTreeSet<KeyName>,
    /// Such keys that are still to be made.
    pub new: Vec<Successor>,
    /// Keys that are not at hand before that moment, whether the record has them yet or not.
    pub late: BTreeMap<KeyName, Time>,
    /// Root's threshold; as it is if none.
    pub threshold: Option<u32>,
    /// How long each root is valid from the day on which it is made.
    pub valid_for: Term,
    /// How long targets is valid from the day on which it is signed again.
    pub targets_valid_for: Term,
    /// What is left out of it then.
    pub leave_out: LeaveOut,
}

/// A key that is still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its name, which no key has had.
    pub name: KeyName,
    /// Who will hold it.
    pub holder: Person,
    /// What for: root or targets.
    pub purpose: Purpose,
}

/// The way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// In words, one line each, safe to show: roots, days, who signs.
    pub words: Vec<String>,
    /// The roots to be made, in order.
    pub roots: Vec<PlannedRoot>,
    /// Runbooks in the order in which they are held, each with the part of its file's name after the
    /// number: `certify-root-a`, `recover`, `rotate-root`. New keys are made before the first of them.
    pub runbooks: Vec<(String, String)>,
}

/// The fewest changes after which none of the keys counts for anything.
///
/// # Errors
///
/// `QUORUM-LOST` or `RECOVER-NO-WAY` if there is no way, with what remains; `KEY-UNKNOWN` and
/// `KEY-PURPOSE` for keys that the record doesn't have, or of another purpose than root and targets.
pub fn incident(incident: &Incident, facts: &Facts, cast: &Cast) -> Result<WayOut> {
    let purposes = Purposes::of(incident, facts)?;
    let targets = Targets::of(incident, facts, &purposes)?;
    let certified = Certified::of(asked(incident, facts, &purposes)?);
    let question = &certified.question;
    let parts = targets.apart(question.today);
    let answer = match (plan(question), parts.first()) {
        (Answer::Nothing, Some(first)) => again(question, first.day(question)),
        (answer, _) => answer,
    };
    let mut roots = match answer {
        Answer::Roots(roots) => roots,
        Answer::Nothing => {
            let found = "no key of root or targets that is to leave or to come";
            return Err(Refusal::new(&rules::RECOVER_NO_WAY, found, "keys that were lost or stolen"));
        }
        Answer::Impossible(impossible) => return Err(refused(question, &impossible)),
    };
    if let Some(first) = parts.first().filter(|first| !first.compromised.is_empty()) {
        sooner(question, first.day(question), &mut roots);
    }
    let mut steps = Steps::new();
    for part in &parts {
        steps.insert(part.place(question, &mut roots)?, part);
    }
    // All in one root after all.
    if steps.len() < parts.len() {
        steps = Steps::from([(targets.place(question, &mut roots)?, &targets)]);
    }
    let mut words = explain(question, &Answer::Roots(roots.clone()));
    for (at, part) in &steps {
        words.extend(roots.get(*at).map(|root| part.words(root, question.today)).unwrap_or_default());
    }
    words.extend(certified.words());
    let mut all = certified.runbooks(cast);
    all.extend(texts(incident, question, &roots, &steps, cast));
    Ok(WayOut { words, roots, runbooks: all })
}

/// What becomes of targets, by the place of the root that it comes with.
type Steps<'a> = BTreeMap<usize, &'a Targets>;

/// A root before the others, where they wait and a stolen targets key can leave by `day`: root's keys
/// without those that are gone.
fn sooner(question: &Question, day: Time, roots: &mut Vec<PlannedRoot>) {
    let mut early = question.clone();
    early.wanted = question.now.clone();
    early.wanted.keys.retain(|name| question.keys.get(name).is_none_or(|key| !key.standing.is_gone()));
    let answer = if early.wanted == early.now { again(&early, day) } else { plan(&early) };
    let Answer::Roots(mut before) = answer else { return };
    let Some(last) = before.last().filter(|last| roots.first().is_some_and(|root| last.day < root.day))
    else {
        return;
    };
    if let Answer::Roots(rest) = plan(&after(question, last)) {
        before.extend(rest);
        *roots = before;
    }
}

/// The same question once a root has been made.
fn after(question: &Question, root: &PlannedRoot) -> Question {
    let mut then = question.clone();
    (then.now, then.version) = (root.root.clone(), root.version);
    for key in then.keys.values_mut() {
        key.listed_until = key.certificate_until;
    }
    then
}

/// The runbooks that make the roots.
fn texts(
    incident: &Incident,
    question: &Question,
    roots: &[PlannedRoot],
    steps: &Steps<'_>,
    cast: &Cast,
) -> Vec<(String, String)> {
    let of = roots.len();
    let numbers = 1_usize..;
    let targets_valid_for = (!steps.is_empty()).then_some(incident.targets_valid_for);
    if roots.iter().all(|root| root.day == question.today) {
        let last = roots.last().map(|root| root.root.threshold);
        let signers = steps.values().flat_map(|targets| targets.signers.values());
        let all = runbooks::Recover {
            lost: incident.lost.iter().filter(|name| !incident.compromised.contains(*name)).collect(),
            compromised: incident.compromised.iter().collect(),
            come: incident.replace_with.iter().chain(incident.new.iter().map(|new| &new.name)).collect(),
            // It finds them itself.
            not_asked: BTreeSet::new(),
            // One that was cut off between two roots may be held for the second as well.
            people: roots.iter().flat_map(|root| holders(question, root)).chain(signers).collect(),
            threshold: last.filter(|threshold| *threshold != question.now.threshold),
            targets_valid_for,
            leave_out: &incident.leave_out,
            awaited: Vec::new(),
        };
        let text = |number, root| recover(question, root, (number, of), cast, &all);
        return numbers.zip(roots).map(|(n, root)| ("recover".to_owned(), text(n, root))).collect();
    }
    let plain = runbooks::runbooks(question, roots, cast).into_iter().map(|(_, text)| text);
    let mut before = question.now.threshold;
    let mut all = Vec::new();
    for ((at, (number, root)), text) in numbers.zip(roots).enumerate().zip(plain) {
        if let Some(targets) = steps.get(&at) {
            let only = |keys: &BTreeSet<KeyName>, fits: fn(Standing) -> bool| -> BTreeSet<KeyName> {
                let is = |name: &&KeyName| question.keys.get(*name).is_some_and(|key| fits(key.standing));
                keys.iter().filter(is).cloned().collect()
            };
            let (lost, exposed) =
                (only(&root.leave, |s| s == Standing::Lost), only(&root.leave, Standing::is_exposed));
            let stay = only(&root.root.keys, Standing::is_gone);
            let step = runbooks::Recover {
                lost: lost.iter().chain(&targets.lost).collect(),
                compromised: exposed.iter().chain(&targets.compromised).collect(),
                come: root.enter.iter().chain(&targets.come).collect(),
                not_asked: stay.iter().collect(),
                people: holders(question, root).into_iter().chain(targets.signers.values()).collect(),
                threshold: Some(root.root.threshold).filter(|threshold| *threshold != before),
                targets_valid_for,
                leave_out: &incident.leave_out,
                awaited: targets
                    .awaited(root, question.today)
                    .map(|(key, holder, _)| format!("{key} of {holder}"))
                    .collect(),
            };
            all.push(("recover".to_owned(), recover(question, root, (number, of), cast, &step)));
        } else {
            all.push(("rotate-root".to_owned(), text));
        }
        before = root.root.threshold;
    }
    all
}

/// What each key that is named was made for.
struct Purposes(BTreeMap<KeyName, Purpose>);

impl Purposes {
    fn of(incident: &Incident, facts: &Facts) -> Result<Self> {
        let mut all: BTreeMap<KeyName, Purpose> =
            incident.new.iter().map(|new| (new.name.clone(), new.purpose)).collect();
        for name in incident.lost.iter().chain(&incident.compromised).chain(&incident.replace_with) {
            let unknown = || {
                let found = format!("no key {name} in the record");
                Refusal::new(&rules::KEY_UNKNOWN, found, "root and targets keys that the record has")
            };
            all.insert(name.clone(), facts.keys.get(name).ok_or_else(unknown)?.purpose);
        }
        let other =
            |(_, purpose): &(&KeyName, &Purpose)| !matches!(purpose, Purpose::Root | Purpose::Targets);
        if let Some((name, purpose)) = all.iter().find(other) {
            let found = format!("{name}, made for {}", purpose.name());
            let expected = "keys made for root or targets; revoke-delegation takes out a developer's";
            return Err(Refusal::new(&rules::KEY_PURPOSE, found, expected));
        }
        Ok(Self(all))
    }

    fn only(&self, names: &BTreeSet<KeyName>, purpose: Purpose) -> BTreeSet<KeyName> {
        names.iter().filter(|name| self.0.get(*name) == Some(&purpose)).cloned().collect()
    }
}

/// The question for root, with what tokens and journeys allow.
fn asked(incident: &Incident, facts: &Facts, purposes: &Purposes) -> Result<Question> {
    let listed = listed(facts, &RoleName::Root)?;
    let here = |names: &BTreeSet<KeyName>| -> BTreeSet<KeyName> {
        purposes.only(names, Purpose::Root).into_iter().filter(|name| listed.contains(name)).collect()
    };
    let add: BTreeSet<KeyName> = purposes.only(&incident.replace_with, Purpose::Root);
    let takes_part = |name: &KeyName| listed.contains(name) || add.contains(name);
    let wish = Wish {
        lost: here(&incident.lost),
        compromised: here(&incident.compromised),
        late: incident.late.iter().filter(|(n, _)| takes_part(n)).map(|(n, t)| (n.clone(), *t)).collect(),
        add: add.difference(&listed).cloned().collect(),
        threshold: incident.threshold,
        ..Wish::new(incident.valid_for)
    };
    let mut question = question(&wish, facts)?;
    for new in incident.new.iter().filter(|new| new.purpose == Purpose::Root) {
        question.expect(&new.name, &new.holder, incident.late.get(&new.name).copied());
    }
    Ok(with_tokens(question, facts))
}

fn listed(facts: &Facts, role: &RoleName) -> Result<BTreeSet<KeyName>> {
    let (members, _) = listed_entries(facts, role)?;
    Ok(members.iter().filter_map(|member| member.record).map(|record| record.name.clone()).collect())
}

/// What becomes of targets.
#[derive(Clone)]
struct Targets {
    lost: BTreeSet<KeyName>,
    compromised: BTreeSet<KeyName>,
    come: BTreeSet<KeyName>,
    /// Who signs targets afterwards, by key.
    signers: BTreeMap<KeyName, Person>,
    /// Those of them who are not at hand before that moment.
    late: BTreeMap<KeyName, Time>,
    /// How many of them must.
    need: usize,
    /// From when on so many of them can.
    from: Option<Time>,
}

impl Targets {
    fn of(incident: &Incident, facts: &Facts, purposes: &Purposes) -> Result<Self> {
        let (members, threshold) = listed_entries(facts, &RoleName::Targets)?;
        let listed: BTreeMap<&KeyName, &KeyRecord> =
            members.iter().filter_map(|member| member.record).map(|record| (&record.name, record)).collect();
        let here = |names: &BTreeSet<KeyName>| -> BTreeSet<KeyName> {
            purposes.only(names, Purpose::Targets).into_iter().filter(|n| listed.contains_key(n)).collect()
        };
        let (lost, compromised) = (here(&incident.lost), here(&incident.compromised));
        let mut come = purposes.only(&incident.replace_with, Purpose::Targets);
        come.retain(|name| !listed.contains_key(name));
        let mut signers: BTreeMap<KeyName, Person> = listed
            .values()
            .filter(|record| !lost.contains(&record.name) && !compromised.contains(&record.name))
            .map(|record| (record.name.clone(), record.holder.clone()))
            .collect();
        let known = come.iter().filter_map(|name| facts.keys.get(name));
        signers.extend(known.map(|record| (record.name.clone(), record.holder.clone())));
        for new in incident.new.iter().filter(|new| new.purpose == Purpose::Targets) {
            come.insert(new.name.clone());
            signers.insert(new.name.clone(), new.holder.clone());
        }
        let need = usize::try_from(threshold).unwrap_or(usize::MAX);
        let concerned = !(lost.is_empty() && compromised.is_empty() && come.is_empty());
        if concerned && signers.len() < need {
            let found = format!("{} keys left for targets, at a threshold of {threshold}", signers.len());
            let expected = "another targets key in the place of each that leaves";
            return Err(Refusal::new(&rules::RECOVER_NO_WAY, found, expected));
        }
        let day = |(name, holder): (&KeyName, &Person)| {
            let day = incident.late.get(name).or_else(|| facts.away.get(holder));
            day.map(|day| (name.clone(), *day))
        };
        let late: BTreeMap<KeyName, Time> = signers.iter().filter_map(day).collect();
        let mut all = Self { lost, compromised, come, signers, late, need, from: None };
        all.from = all.able();
        Ok(all)
    }

    /// From when on every key that comes is there and enough can sign, if there are enough.
    fn able(&self) -> Option<Time> {
        let late = |name| self.late.get(name).copied();
        let mut days: Vec<Option<Time>> = self.signers.keys().map(late).collect();
        days.sort();
        let enough = days.get(self.need.saturating_sub(1)).copied().flatten();
        enough.max(self.come.iter().filter_map(late).max())
    }

    /// In the order in which it is done: a stolen key leaves before its successor is there, if those who
    /// stay are enough without it. Nothing where targets stays as it is.
    fn apart(&self, today: Time) -> Vec<Self> {
        if !self.concerned() {
            return Vec::new();
        }
        let later: BTreeSet<KeyName> = self
            .come
            .iter()
            .filter(|name| self.late.get(*name).is_some_and(|day| *day > today))
            .cloned()
            .collect();
        let mut first = self.clone();
        first.come.retain(|name| !later.contains(name));
        first.signers.retain(|name, _| !later.contains(name));
        first.from = first.able();
        let enough = first.signers.len() >= self.need;
        if self.compromised.is_empty() || !enough || first.from.max(Some(today)) >= self.from {
            return vec![self.clone()];
        }
        let none = BTreeSet::new;
        vec![first, Self { lost: none(), compromised: none(), come: later, ..self.clone() }]
    }

    fn concerned(&self) -> bool {
        !(self.lost.is_empty() && self.compromised.is_empty() && self.come.is_empty())
    }

    /// The first day on which targets can be signed again.
    fn day(&self, question: &Question) -> Time {
        self.from.map_or(question.today, |from| from.max(question.today))
    }

    /// The first of the roots that can bring the new targets along; one more if all are too early.
    fn place(&self, question: &Question, roots: &mut Vec<PlannedRoot>) -> Result<usize> {
        let day = self.day(question);
        if let Some(place) = roots.iter().position(|root| root.day >= day) {
            return Ok(place);
        }
        let Some(last) = roots.last() else { return Ok(0) };
        let mut then = after(question, last);
        then.wanted = last.root.clone();
        match again(&then, day) {
            Answer::Roots(more) => roots.extend(more),
            Answer::Impossible(impossible) => return Err(refused(&then, &impossible)),
            Answer::Nothing => {}
        }
        Ok(roots.len().saturating_sub(1))
    }

    /// Who of those that sign targets comes for this root, and from when.
    fn awaited(&self, root: &PlannedRoot, today: Time) -> impl Iterator<Item = (&KeyName, &Person, Time)> {
        let late = self.late.iter().filter(move |(_, day)| **day > today && **day <= root.day);
        late.filter_map(|(name, day)| Some((name, self.signers.get(name)?, *day)))
    }

    fn words(&self, root: &PlannedRoot, today: Time) -> Vec<String> {
        let list =
            |names: &BTreeSet<KeyName>| names.iter().map(KeyName::as_str).collect::<Vec<_>>().join(", ");
        let gone: BTreeSet<KeyName> = self.lost.union(&self.compromised).cloned().collect();
        let signers: Vec<String> =
            self.signers.iter().map(|(name, holder)| format!("{name} of {holder}")).collect();
        let change = match (gone.is_empty(), self.come.is_empty()) {
            (false, false) => format!("{} takes the place of {}", list(&self.come), list(&gone)),
            (false, true) => format!("{} leaves", list(&gone)),
            (true, _) => format!("{} comes in", list(&self.come)),
        };
        let mut lines = vec![format!(
            "with root {}, in the same change, targets is signed again by {}: {change}",
            root.version,
            signers.join(", ")
        )];
        lines.extend(
            self.awaited(root, today).map(|(key, holder, day)| {
                format!("  waits for {key} of {holder}, at hand from {}", day.date())
            }),
        );
        lines
    }
}
