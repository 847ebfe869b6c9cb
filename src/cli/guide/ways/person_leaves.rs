//! Someone leaves: every key of theirs goes, in root, targets and all applications, at once.

use super::super::asking::Asking;
use super::super::record::plain;
use super::super::texts::{Draft, Ending, list};
use super::application::enrolled;
use super::developer_key::below_threshold;
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What takes the place of a person's keys at one level.
#[derive(Default)]
struct Successors {
    old: BTreeSet<KeyName>,
    new: Vec<(KeyName, Person)>,
}

impl Successors {
    fn names(&self) -> BTreeSet<KeyName> {
        self.old.iter().chain(self.new.iter().map(|(name, _)| name)).cloned().collect()
    }
}

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let known = asking.known();
    let facts = asking.facts();
    let top = [RoleName::Root, RoleName::Targets].map(|role| known.listed(&role));
    let [of_root, of_targets] = &top;
    let granted: BTreeSet<KeyName> =
        known.applications().into_values().flat_map(|found| found.keys).collect();
    let everyone = known.holders(of_root.iter().chain(of_targets).chain(&granted));
    let prompt = Prompt::new("person", "Who leaves?")
        .help("Every key of theirs goes, in root, targets and all applications, in one change.");
    let prompt = everyone.iter().fold(prompt, |prompt, person| {
        let theirs = facts.keys.values().filter(|record| record.holder == *person && record.life.is_empty());
        prompt.offer(person.as_str(), format!("{person}   {}", plain(theirs.map(|record| &record.name))))
    });
    let person: Person = asking.choose(&prompt)?.parse()?;
    let because = because(asking)?;
    let theirs = |names: &BTreeSet<KeyName>| -> BTreeSet<KeyName> {
        let held = |name: &&KeyName| facts.keys.get(*name).is_some_and(|record| record.holder == person);
        names.iter().filter(held).cloned().collect()
    };
    let (root, targets, delegations) = (theirs(of_root), theirs(of_targets), theirs(&granted));
    let mut next = Successors::default();
    let mut threshold = known.threshold(&RoleName::Root);
    if !root.is_empty() {
        let made = "They make it on a token of their own. Nobody may hold enough root keys to sign alone.";
        next = successors(asking, ("root-keys", Purpose::Root), (&root, of_root), made)?;
        let all = of_root.len().saturating_sub(root.len()).saturating_add(next.names().len());
        let prompt = Prompt::new("threshold", "How many must sign a root from then on?")
            .help("At least 2, and fewer than there are keys, so that one loss is no disaster.");
        threshold = asking.number(prompt, 1..=u32::try_from(all).unwrap_or(u32::MAX).max(1), threshold)?;
    }
    let mut granting = Successors::default();
    if !targets.is_empty() {
        let made = "The next update-service administrator: they grant and revoke developers.";
        granting = successors(asking, ("targets-keys", Purpose::Targets), (&targets, of_targets), made)?;
    }
    let mut developing = Successors::default();
    let mut below = "stop".to_owned();
    if !delegations.is_empty() {
        let made = "They make it on their own machine and send one small file; the key itself stays there.";
        developing =
            successors(asking, ("developer-keys", Purpose::Delegation), (&delegations, &granted), made)?;
        below = below_threshold(asking)?;
    }
    let people = asking.people()?;
    let mut draft = Draft::new("person-leaves", people);
    draft.make_root_keys(&next.new, known.algorithm(&RoleName::Root));
    for (name, holder) in &granting.new {
        draft.make_targets_key(name, holder, known.algorithm(&RoleName::Targets));
    }
    draft.enroll(&enrolled(&developing.new), []);
    let mut custodians = known.signers(&RoleName::Targets);
    if !root.is_empty() || !targets.is_empty() {
        custodians.extend(known.signers(&RoleName::Root));
    }
    for come in [&next, &granting, &developing] {
        custodians.extend(known.holders(&come.old));
        custodians.extend(come.new.iter().map(|(_, holder)| holder.clone()));
    }
    // Whoever signs again what the keys alone have signed is one of those that stay.
    let mut touched = known.applications();
    touched.retain(|_, found| !found.keys.is_disjoint(&delegations));
    custodians.extend(touched.values().flat_map(|found| known.holders(&found.keys)));
    if because != "left" || (root.is_empty() && targets.is_empty()) {
        custodians.remove(&person);
    }
    let mut tables = format!("[revoke]\nperson = \"{person}\"\nbecause = \"{because}\"\n");
    if !developing.names().is_empty() {
        let _ = writeln!(tables, "replace-with = {}", list(developing.names()));
    }
    if below != "stop" {
        let _ = writeln!(tables, "below-threshold = \"{below}\"");
    }
    if !delegations.is_empty() {
        let _ = write!(tables, "\n[reissue]\nvalid-for = \"{}\"\n", known.delegations_term());
    }
    let delegators = touched.into_values().map(|found| found.delegator).collect();
    draft.another_end(&mut tables, known.delegator(&delegators));
    if !root.is_empty() || !targets.is_empty() {
        let _ = write!(tables, "\n[root]\nreplace-with = {}\n", list(next.names()));
        if threshold != known.threshold(&RoleName::Root) {
            let _ = writeln!(tables, "threshold = {threshold}");
        }
        let _ = writeln!(tables, "valid-for = \"{}\"", known.root_term());
    }
    if !targets.is_empty() {
        let with = list(granting.names());
        let _ =
            write!(tables, "\n[targets]\nreplace-with = {with}\nvalid-for = \"{}\"\n", known.targets_term());
    }
    let comment = "Every key of theirs goes, in root, targets and all applications, at once.";
    draft.add("revoke", (comment, "revoke-delegation", &format!("{person} leaves")), &custodians, &tables);
    for (what, keys) in [("root", &root), ("targets", &targets), ("applications", &delegations)] {
        if !keys.is_empty() {
            draft.say(format!("{what}: {} no longer signs", plain(keys)));
        }
    }
    draft.say("Customers notice nothing of what is signed again; the plan lists what would vanish.");
    Ok(Ending::Runbooks(draft))
}

fn because(asking: &mut Asking<'_>) -> Result<String> {
    let prompt = Prompt::new("because", "How do they leave?")
        .help("Who leaves in peace hands the tokens over. If in doubt, their keys are in wrong hands:")
        .help("then they are declared so for good. Customers are in danger only from keys that someone uses.")
        .offer("left", "left          in peace, and the keys are given back or destroyed")
        .offer("lost", "lost          and nobody has their keys")
        .offer("compromised", "compromised   and nobody knows what becomes of their keys");
    asking.choose(&prompt)
}

fn successors(
    asking: &mut Asking<'_>,
    (id, purpose): (&str, Purpose),
    (gone, listed): (&BTreeSet<KeyName>, &BTreeSet<KeyName>),
    made: &str,
) -> Result<Successors> {
    let known = asking.known();
    let holder = |name: &KeyName| known.facts().keys.get(name).map(|record| &record.holder);
    let leaving: BTreeSet<_> = gone.iter().filter_map(holder).collect();
    let mut free = known.of_purpose(purpose);
    free.retain(|name| {
        let theirs = holder(name).is_some_and(|person| leaving.contains(person));
        !theirs && (purpose == Purpose::Delegation || !listed.contains(name))
    });
    let (what, suggest) = match purpose {
        Purpose::Root => ("root", Some(known.free_name("root", true))),
        Purpose::Targets => ("targets", Some(known.free_name("targets", false))),
        _ => ("the applications", None),
    };
    let prompt = Prompt::new(id, format!("Who comes in their place, for {what}?"))
        .help(format!("{} leaves. Without anyone the others go on, with one spare key less.", plain(gone)));
    let (old, new) = asking.keys_and_new(prompt, &free, true, suggest.as_deref(), made)?;
    Ok(Successors { old, new })
}
