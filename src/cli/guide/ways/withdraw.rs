//! Give up a change that was begun: signed in part, refused, or turned away by the backend.

use super::super::asking::Asking;
use super::super::refuse;
use super::super::texts::{Draft, Ending, quoted};
use crate::ceremony::change::Item;
use crate::ceremony::people::Person;
use crate::ceremony::proposal::Proposal;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let facts = asking.facts();
    let mut open: Vec<&Proposal> = facts.proposals.values().collect();
    open.retain(|proposal| !proposal.withdrawn && proposal.late(facts).is_none());
    open.sort_by_key(|proposal| (proposal.held_at, proposal.change));
    // A runbook can mean the first or the last of a title, and none between them.
    let ends: BTreeSet<_> = open
        .iter()
        .filter(|one| {
            let mut same = open.iter().filter(|other| other.title == one.title);
            let first = same.next();
            [first, same.next_back().or(first)].into_iter().flatten().any(|end| end.change == one.change)
        })
        .map(|one| one.change)
        .collect();
    open.retain(|one| ends.contains(&one.change));
    if open.is_empty() {
        let lines = [
            "No change in this record can be taken back: nothing of the kind was begun, or the backend serves it already, or a newer root rests on it.",
            "A change that nobody has signed needs no withdrawal: after its last day it has lapsed. What is published is put right by the next version.",
        ];
        return Ok(Ending::Words {
            title: "Nothing to give up".to_owned(),
            lines: lines.map(str::to_owned).to_vec(),
            next: vec!["keyrite status    shows what is open".to_owned()],
        });
    }
    let prompt = Prompt::new("change", "Which change?")
        .help("From then on nobody signs it, and its signers may sign another of the same version.")
        .help(
            "Customers never see it, unless the backend took it already: then make the next version instead.",
        );
    let prompt = open
        .iter()
        .fold(prompt, |prompt, proposal| prompt.offer(proposal.change.to_string(), proposal.describe()));
    let digest = asking.choose(&prompt)?;
    let chosen = open.iter().find(|proposal| proposal.change.to_string() == digest).copied();
    let chosen = chosen.ok_or_else(|| refuse(&digest, "one of the list"))?;
    let prompt = Prompt::new("reason", "Why?")
        .help("One sentence, which stands in the record for good: whoever audits it reads it.");
    let reason = asking.text(&prompt, |answer| Ok(answer.to_owned()))?;
    let people = asking.people()?;
    let mut draft = Draft::new("withdraw", people);
    let same: Vec<_> = open.iter().filter(|other| other.title == chosen.title).collect();
    let digits: String = digest.chars().take(16).collect();
    let which = if same.len() > 1 { format!("which = \"{digits}\"\n") } else { String::new() };
    let tables =
        format!("[withdraw]\nchange = {}\n{which}reason = {}\n", quoted(&chosen.title), quoted(&reason));
    let comment = "Signed by those who could have made what it replaces.";
    draft.add("withdraw", (comment, "withdraw", "Taken back"), &signers(asking, chosen), &tables);
    draft.say(format!("{} is taken back.", chosen.describe()));
    draft.say("It can't be rehearsed, since open changes are no part of a rehearsal.");
    Ok(Ending::Runbooks(draft))
}

/// Who can be asked: those of the role above, and those whom the change itself asks.
fn signers(asking: &Asking<'_>, chosen: &Proposal) -> BTreeSet<Person> {
    let known = asking.known();
    let mut people = match &chosen.highest {
        Some(RoleName::Targets) => known.signers(&RoleName::Targets),
        Some(role @ RoleName::Delegated(_)) => {
            let delegator = known.applications().get(role).map(|found| found.delegator.clone());
            known.granting(&delegator.unwrap_or(RoleName::Targets))
        }
        _ => known.signers(&RoleName::Root),
    };
    // A root that is sealed leaves only if a threshold of its own keys says so too.
    if chosen.root.is_some() {
        let stored = asking.contents.changes.get(&chosen.change);
        let asked = stored.into_iter().flat_map(|stored| &stored.change.items).flat_map(Item::asked);
        people.extend(asked.map(|ask| ask.holder.clone()));
    }
    people
}
