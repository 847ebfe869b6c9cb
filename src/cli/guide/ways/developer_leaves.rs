//! Someone no longer releases an application: one key leaves it, in peace.

use super::super::asking::{Asking, NONE};
use super::super::record::plain;
use super::super::texts::{Draft, Ending, list};
use super::application::enrolled;
use super::developer_joins::application;
use super::developer_key::below_threshold;
use crate::ceremony::change::Purpose;
use crate::ceremony::people::KeyName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let found = application(
        asking,
        "The key stays in others that it may release: person-leaves takes it out of all.",
    )?;
    let prompt = Prompt::new("key", "Which key leaves it?").help(
        "In peace: one that someone else may have is taken out by lost-or-stolen, and from everywhere.",
    );
    let key = asking.key(prompt, &found.keys)?;
    let others: BTreeSet<KeyName> =
        asking.known().of_purpose(Purpose::Delegation).difference(&found.keys).cloned().collect();
    let prompt = Prompt::new("replace-with", "Which keys come in its place?")
        .help("What the key alone has signed is signed again, by those that come or stay.")
        .help(
            "Then customers see their application as before; without anyone, it waits for its next release.",
        );
    let made = "They make it on their own machine and send one small file; the key itself stays there.";
    let (old, new) = asking.keys_and_new(prompt, &others, true, None, made)?;
    let below = below_threshold(asking)?;
    let people = asking.people()?;
    let known = asking.known();
    let names: BTreeSet<KeyName> = old.iter().chain(new.iter().map(|(name, _)| name)).cloned().collect();
    let stay: BTreeSet<KeyName> = found.keys.iter().filter(|other| **other != key).cloned().collect();
    let mut custodians = known.granting(&found.delegator);
    custodians.extend(known.holders(stay.iter().chain(&old)));
    custodians.extend(new.iter().map(|(_, holder)| holder.clone()));
    let mut draft = Draft::new("developer-leaves", people);
    draft.enroll(&enrolled(&new), []);
    let mut tables = format!("[revoke]\n{}key = \"{key}\"\nbecause = \"left\"\n", found.members());
    if !names.is_empty() {
        let _ = writeln!(tables, "replace-with = {}", list(&names));
    }
    if below != "stop" {
        let _ = writeln!(tables, "below-threshold = \"{below}\"");
    }
    if !names.is_empty() || !stay.is_empty() {
        let delegations_term = asking.known().delegations_term();
        let _ = write!(tables, "\n[reissue]\nvalid-for = \"{delegations_term}\"\n");
    }
    draft.another_end(&mut tables, known.delegator(&BTreeSet::from([found.delegator])));
    let title = format!("{}: {key} leaves", found.name);
    let comment = "What the key alone has signed is signed again in the same change.";
    draft.add("revoke", (comment, "revoke-delegation", &title), &custodians, &tables);
    let after = if names.is_empty() { NONE.to_owned() } else { plain(&names) };
    draft.say(format!("{key} no longer releases {}; in its place: {after}.", found.name));
    draft.say("Customers notice nothing of what is signed again.");
    Ok(Ending::Runbooks(draft))
}
