//! Something is going to expire, or has: documents, or the certificates of root keys.

use super::super::asking::Asking;
use super::super::record::plain;
use super::super::texts::{Draft, Ending};
use crate::ceremony::due;
use crate::ceremony::facts::Facts;
use crate::ceremony::people::Person;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Time;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    // Only Notary's root keys come in certificates.
    if asking.facts().trust.profile == Profile::Notary {
        let prompt = Prompt::new("what", "What is going to expire, or has?")
            .help("Customers' agents refuse every update once root, targets or an application's document has ended.")
            .help("A root whose keys' certificates have ended can't even be replaced any more: renew those in time.")
            .offer("documents", "documents      root, targets and what applications have released")
            .offer("certificates", "certificates   those of root keys");
        if asking.choose(&prompt)? == "certificates" {
            return certificates(asking);
        }
    }
    documents(asking, "renewal")
}

/// Documents, into a folder of this name.
pub fn documents(asking: &mut Asking<'_>, folder: &str) -> Result<Ending> {
    let prompt = Prompt::new("within", "How far ahead?")
        .help("Whatever ends within this time is signed again by its own keys; nothing due is no error.")
        .help("Farther ahead is fewer ceremonies; customers notice nothing either way.")
        .default("90 days")
        .offer("30 days", "30 days")
        .offer("90 days", "90 days    what a run every month needs")
        .offer("9 months", "9 months   root in profile notary is due then in any case");
    let within = asking.choose(&prompt)?;
    let people = asking.people()?;
    let known = asking.known();
    let mut holders: BTreeSet<Person> = known.signers(&RoleName::Root);
    holders.extend(known.signers(&RoleName::Targets));
    // Documents of applications are signed by those who release them.
    holders.extend(known.applications().values().flat_map(|found| known.holders(&found.keys)));
    let mut draft = Draft::new(folder, people);
    let (root_term, targets_term) = (known.root_term(), known.targets_term());
    let delegations_term = known.delegations_term();
    let tables = format!(
        "[renew]\nwithin = \"{within}\"\n\n[root]\nvalid-for = \"{root_term}\"\n\n[targets]\nvalid-for = \"{targets_term}\"\n\n\
         [delegations]\nvalid-for = \"{delegations_term}\"\n"
    );
    let comment = format!("Whatever ends within {within} is signed again by its own keys.");
    draft.add("renew", (&comment, "renew", "What is due"), &holders, &tables);
    draft.say(format!("Whatever ends within {within} is signed again; nothing due is no error."));
    draft.words.extend(roots_end(asking.facts()));
    Ok(Ending::Runbooks(draft))
}

/// What it means for customers where root has ended; and from which day on, where it has not.
fn roots_end(facts: &Facts) -> Option<String> {
    let root = facts.roots.last()?;
    let ends = root.document().header().expires;
    Some(told(root.version(), ends, facts.today, due::leads_on(root, facts.today)))
}

/// The same of a root that ends then, and from which clients can go on or not.
fn told(version: u64, ends: Time, today: Time, leads_on: bool) -> String {
    let day = ends.date();
    if !leads_on {
        format!(
            "Too few of those who signed root {version} have certificates that are valid today: customers' \
             agents refuse every update and can't follow to any next root. They must begin anew from the new \
             root, by new pins."
        )
    } else if ends <= today {
        format!(
            "Root {version} ended on {day}: customers' agents are stuck, they refuse every update until they \
             have the next root. They still follow root {version} to it, by themselves."
        )
    } else {
        format!(
            "Root {version} ends on {day}: from then on customers' agents refuse every update until they \
             have the next root."
        )
    }
}

fn certificates(asking: &mut Asking<'_>) -> Result<Ending> {
    let listed = asking.known().listed(&RoleName::Root);
    let prompt = Prompt::new("keys", "Whose certificates?")
        .help("Each key signs a new certificate over itself; the next root lists it. The key stays the same.")
        .help("Customers who have the new root never see the old certificate's end.");
    let keys = asking.keys(prompt, &listed, false)?;
    let people = asking.people()?;
    let known = asking.known();
    let mut draft = Draft::new("certificates", people);
    for key in &keys {
        let tables = format!("[certificate]\nkey = \"{key}\"\nwithin = \"10 years\"\n");
        let comment = "A root key of profile notary signs a new certificate over itself.";
        let title = format!("New certificate for {key}");
        draft.add("certify", (comment, "certify-key", &title), &known.holders([key]), &tables);
    }
    let tables = format!("[root]\nvalid-for = \"{}\"\n", known.root_term());
    let comment = "The next root lists every root key in its newest certificate.";
    let title = format!("Root with new certificates: {}", plain(&keys));
    draft.add("rotate-root", (comment, "rotate-root", &title), &known.signers(&RoleName::Root), &tables);
    draft.say(format!("{} get new certificates, which the next root lists.", plain(&keys)));
    draft.say("Customers notice nothing.");
    Ok(Ending::Runbooks(draft))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn agents_follow_by_themselves_only_from_a_root_that_leads_on() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        let today = time("2036-06-01T00:00:00Z");
        for (ends, leads_on, words) in [
            ("2036-05-01T00:00:00Z", true, "They still follow root 4 to it, by themselves."),
            ("2036-05-01T00:00:00Z", false, "They must begin anew from the new root, by new pins."),
            ("2036-07-01T00:00:00Z", true, "Root 4 ends on 2036-07-01: from then on"),
            ("2036-07-01T00:00:00Z", false, "They must begin anew from the new root, by new pins."),
        ] {
            let said = told(4, time(ends), today, leads_on);
            assert!(said.contains(words), "{ends}, {leads_on}: {said}");
            assert_eq!(said.contains("by themselves"), words.contains("by themselves"), "{said}");
        }
    }
}
