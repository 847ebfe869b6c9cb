//! A developer's key was lost or stolen: one administrator with the targets key is enough.

use super::super::asking::{Asking, Fate, NEW, unused};
use super::super::record::plain;
use super::super::texts::{Draft, Ending};
use super::lost_or_stolen::FOLDER;
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let known = asking.known().of_purpose(Purpose::Delegation);
    let prompt = Prompt::new("key", "Which developer's key?")
        .help("It leaves every application at once, and never comes back.");
    let key = asking.key(prompt, &known)?;
    let because = match asking.fate(&key)? {
        Fate::Lost => "lost",
        Fate::Copied | Fate::Stolen => "compromised",
    };
    let others: BTreeSet<KeyName> = known.iter().filter(|other| **other != key).cloned().collect();
    let successor = successor(asking, &key, &others)?;
    let below = below_threshold(asking)?;
    let people = asking.people()?;
    let found = asking.known();
    let mut custodians = found.signers(&RoleName::Targets);
    let mut draft = Draft::new(FOLDER, people);
    if let Some((name, holder, fresh)) = &successor {
        custodians.insert(holder.clone());
        if *fresh {
            draft.enroll(&[(name.clone(), holder.clone(), Purpose::Delegation)], []);
        }
    }
    let mut tables = format!("[revoke]\nkey = \"{key}\"\nbecause = \"{because}\"\n");
    if let Some((name, ..)) = &successor {
        let _ = writeln!(tables, "replace-with = [\"{name}\"]");
    }
    if below != "stop" {
        let _ = writeln!(tables, "below-threshold = \"{below}\"");
    }
    let delegations_term = found.delegations_term();
    let _ = write!(tables, "\n[reissue]\nvalid-for = \"{delegations_term}\"\nwithout-paths = []\n");
    let comment = "What the key alone has signed is shown first; name what must not stay in without-paths.";
    let title = format!("The key {key} is {because}");
    // Whoever signs again what stays is one of the keys that remain.
    let touched: Vec<_> =
        found.applications().into_values().filter(|found| found.keys.contains(&key)).collect();
    let granting = touched.iter().map(|found| found.delegator.clone()).collect();
    draft.another_end(&mut tables, found.delegator(&granting));
    let stay = touched.into_iter().flat_map(|found| found.keys);
    let stay: BTreeSet<KeyName> = stay.filter(|other| *other != key).collect();
    custodians.extend(found.holders(&stay));
    draft.add("revoke", (comment, "revoke-delegation", &title), &custodians, &tables);
    draft.say(format!("{key} leaves every application and is declared {because} for good."));
    draft.say(match &successor {
        Some((name, holder, _)) => format!("{name} of {holder} takes its place and signs what stays."),
        None => format!("Nobody takes its place; what stays is signed by: {}.", or_nobody(&stay)),
    });
    draft.say("Until the upload is taken, whoever has the key can release for its applications; agents keep what they installed.");
    Ok(Ending::Runbooks(draft))
}

fn or_nobody(keys: &BTreeSet<KeyName>) -> String {
    if keys.is_empty() { "nobody".to_owned() } else { plain(keys) }
}

/// The key that takes its place: name, holder, and whether it is still to be enrolled.
fn successor(
    asking: &mut Asking<'_>,
    key: &KeyName,
    others: &BTreeSet<KeyName>,
) -> Result<Option<(KeyName, Person, bool)>> {
    let prompt = Prompt::new("replace-with", "Which key takes its place?")
        .help("It signs again what stays, so that customers see their application as before.")
        .help("A spare in a safe is the quickest; a new key waits for its developer.")
        .offer("none", "none   nobody: the application's other keys go on")
        .offer(NEW, "new    one that is made now and comes by its file");
    let prompt = asking.known().offer_keys(prompt, others);
    match asking.choose(&prompt)?.as_str() {
        "none" => Ok(None),
        NEW => {
            let facts = asking.facts();
            let holder = facts.keys.get(key).map(|record| record.holder.clone());
            let prompt = Prompt::new("holder", "Who will hold the new key?")
                .help("Usually the same developer, on a clean machine.");
            let prompt = match &holder {
                Some(holder) => prompt.default(holder.as_str()),
                None => prompt,
            };
            let holder = asking.person(prompt)?;
            let suggest = asking.known().free_developer(&holder);
            let prompt = Prompt::new("new-key", "What is it called?")
                .help("The name by which everyone speaks of it; that of a lost key is never used again.")
                .default(&suggest);
            let name = asking.text(&prompt, |answer| unused(answer, facts))?;
            Ok(Some((name, holder, true)))
        }
        name => {
            let name: KeyName = name.parse()?;
            let holder = asking.facts().keys.get(&name).map(|record| record.holder.clone());
            Ok(holder.map(|holder| (name, holder, false)))
        }
    }
}

/// What becomes of an application that keeps too few keys.
pub fn below_threshold(asking: &mut Asking<'_>) -> Result<String> {
    let prompt = Prompt::new("below-threshold", "And an application that keeps too few keys?")
        .help("With fewer keys than must sign, nobody can release it any more.")
        .help("What is removed, customers no longer find; what they installed stays.")
        .offer("stop", "stop     is named, and nothing is done")
        .offer("lower", "lower    needs fewer signatures from then on")
        .offer("remove", "remove   is taken out, its releases with it");
    asking.choose(&prompt)
}
