//! A new targets key in the place of the old one, on a quiet day.

use super::super::asking::Asking;
use super::super::came_in;
use super::super::record::plain;
use super::super::texts::{Draft, Ending, list};
use crate::ceremony::people::KeyName;
use crate::ceremony::unmade::LeaveOut;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let listed = asking.known().listed(&RoleName::Targets);
    let prompt = Prompt::new("keys", "Which targets keys leave?")
        .help("In peace: one that someone else may have is taken out by lost-or-stolen, and declared so.")
        .help("None leaves the old one beside the new, as a spare in a safe.");
    let gone = asking.keys(prompt, &listed, true)?;
    let suggest = asking.known().free_name("targets", false);
    let name = asking.new_key(("new-key", "What is the new targets key called?"), &suggest)?;
    let prompt = Prompt::new("holder", "Who will hold it?")
        .help("The update-service administrator: they grant and revoke developers from then on.");
    let prompt = match asking.known().signers(&RoleName::Targets).first() {
        Some(person) => prompt.default(person.as_str()),
        None => prompt,
    };
    let holder = asking.person(prompt)?;
    let mut keys: BTreeSet<KeyName> = listed.difference(&gone).cloned().collect();
    keys.insert(name.clone());
    let most = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let prompt = Prompt::new("threshold", "How many must sign targets from then on?").help(
        "With 1, any of them grants and revokes alone. With more, customers are safe from one stolen key.",
    );
    let now = asking.known().threshold(&RoleName::Targets);
    let threshold = asking.number(prompt, 1..=most, now)?;
    let leave_out = if gone.is_empty() { LeaveOut::default() } else { came_in::ask(asking)? };
    let people = asking.people()?;
    let known = asking.known();
    let mut custodians = known.signers(&RoleName::Root);
    custodians.extend(known.holders(&keys));
    custodians.insert(holder.clone());
    let mut draft = Draft::new("targets-key", people);
    draft.make_targets_key(&name, &holder, known.algorithm(&RoleName::Targets));
    let (root_term, targets_term) = (known.root_term(), known.targets_term());
    let tables = format!(
        "[targets]\nkeys = {}\nthreshold = {threshold}\nvalid-for = \"{targets_term}\"\n{}\n[root]\nvalid-for = \"{root_term}\"\n",
        list(&keys),
        leave_out.toml()
    );
    let grants = if leave_out.as_in.is_some() { "your own grants stay" } else { "every grant stays" };
    let comment = format!("Root and targets change together; {grants}.");
    draft.add(
        "targets",
        (&comment, "issue-targets-key", &format!("{name} signs targets")),
        &custodians,
        &tables,
    );
    let before = if gone.is_empty() {
        "beside the others".to_owned()
    } else {
        format!("in the place of {}", plain(&gone))
    };
    draft.say(format!("{name} of {holder} signs targets, {before}; {grants}."));
    draft.words.extend(came_in::words(&leave_out));
    draft.say("A threshold of root holders signs. Customers notice nothing.");
    Ok(Ending::Runbooks(draft))
}
