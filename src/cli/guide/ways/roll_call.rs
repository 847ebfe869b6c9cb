//! Prove that tokens and PINs still work: every custodian signs that theirs is at hand.

use super::super::asking::Asking;
use super::super::record::plain;
use super::super::texts::{Draft, Ending, list};
use crate::ceremony::people::KeyName;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let known = asking.known();
    let mut all = known.listed(&RoleName::Root);
    all.extend(known.listed(&RoleName::Targets));
    let alive = |name: &KeyName| known.facts().keys.get(name).is_some_and(|record| record.life.is_empty());
    all.retain(alive);
    let prompt = Prompt::new("which", "Who is called?")
        .help("A key that is silent is found now, and not on the day when root needs it. Customers see nothing.")
        .offer("all", "all    every key of root and targets that has not answered within 30 days")
        .offer("some", "some   keys that you name");
    let keys: BTreeSet<KeyName> = if asking.choose(&prompt)? == "all" {
        BTreeSet::new()
    } else {
        let prompt = Prompt::new("keys", "Which keys?").help(
            "Each signs one sentence that changes nothing; it can be done from anywhere, by keyrite sign.",
        );
        asking.keys(prompt, &all, false)?
    };
    let people = asking.people()?;
    let called = if keys.is_empty() { &all } else { &keys };
    let mut draft = Draft::new("roll-call", people);
    let tables = if keys.is_empty() {
        "[roll-call]\n".to_owned()
    } else {
        format!("[roll-call]\nkeys = {}\n", list(&keys))
    };
    let comment = "Every key signs that it is at hand. Nothing changes by it.";
    draft.add("roll-call", (comment, "roll-call", "Roll-call"), &known.holders(called), &tables);
    draft.say(format!("Each of these signs that it is at hand: {}.", plain(called)));
    draft.say("No document changes; nothing is uploaded.");
    Ok(Ending::Runbooks(draft))
}
