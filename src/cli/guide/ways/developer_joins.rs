//! Someone more may release an application: one more key, and perhaps more paths or signatures.

use super::super::asking::Asking;
use super::super::record::{Application, Known, plain};
use super::super::refuse;
use super::super::texts::{Draft, Ending, list};
use super::application::{developers, enrolled, paths, texts};
use crate::ceremony::change::Purpose;
use crate::ceremony::people::KeyName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One of the record's applications.
pub fn application(asking: &mut Asking<'_>, help: &str) -> Result<Application> {
    let all = asking.known().applications();
    if all.is_empty() {
        return Err(refuse(
            "no application",
            "one that targets grants; guide new-application makes the first",
        ));
    }
    let prompt =
        Known::offer_applications(Prompt::new("application", "Which application?").help(help), all.values());
    let name = asking.choose(&prompt)?;
    all.into_values()
        .find(|found| found.role.as_str() == name)
        .ok_or_else(|| refuse(&name, "one of the list"))
}

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let found = application(asking, "The new key may release it, and no other.")?;
    let free = asking.known().of_purpose(Purpose::Delegation).difference(&found.keys).cloned().collect();
    let (old, new) = developers(asking, &free)?;
    let names: BTreeSet<KeyName> = old.iter().chain(new.iter().map(|(name, _)| name)).cloned().collect();
    let more = paths(asking, None)?;
    let most = u32::try_from(found.of.saturating_add(names.len())).unwrap_or(u32::MAX);
    let prompt = Prompt::new("threshold", "How many must sign a release from then on?").help(
        "With more than now, its document is signed again by as many, so that customers still accept it.",
    );
    let threshold = asking.number(prompt, 1..=most, found.threshold)?;
    let people = asking.people()?;
    let known = asking.known();
    let mut custodians = known.granting(&found.delegator);
    let mut draft = Draft::new("developer-joins", people);
    draft.enroll(&enrolled(&new), []);
    let mut tables = format!("[more]\n{}add-keys = {}\n", found.members(), list(&names));
    if !more.is_empty() {
        let _ = writeln!(tables, "add-paths = {}", texts(&more));
    }
    if threshold != found.threshold {
        let _ = writeln!(tables, "threshold = {threshold}");
    }
    if threshold > found.threshold {
        let delegations_term = asking.known().delegations_term();
        let _ = write!(tables, "\n[reissue]\nvalid-for = \"{delegations_term}\"\n");
        custodians.extend(known.holders(&found.keys));
        custodians.extend(known.holders(&old));
        custodians.extend(new.iter().map(|(_, holder)| holder.clone()));
    }
    draft.another_end(&mut tables, known.delegator(&BTreeSet::from([found.delegator])));
    let title = format!("More for {}: {}", found.name, plain(&names));
    let comment = "Whoever may release it so far still may.";
    draft.add("more", (comment, "grant-delegation", &title), &custodians, &tables);
    draft.say(format!("{} may release {} too; {threshold} must sign.", plain(&names), found.name));
    draft.say("Customers notice nothing.");
    Ok(Ending::Runbooks(draft))
}
