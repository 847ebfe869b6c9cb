//! The update server was broken into: root stops trusting its keys and trusts new ones.

use super::super::asking::Asking;
use super::super::record::Known;
use super::super::texts::{Draft, Ending, list};
use super::lost_or_stolen::FOLDER;
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let profile = asking.facts().trust.profile;
    let made_here = if profile == Profile::Tuf {
        let prompt = Prompt::new("online-keys", "Where are the new keys of snapshot and timestamp made?")
            .help("They sign without people. On a machine that was broken into they would be stolen again.")
            .offer("here", "here        in this ceremony, as encrypted files")
            .offer("elsewhere", "elsewhere   their public keys come in as PEM files");
        asking.choose(&prompt)? == "here"
    } else {
        false
    };
    let before = if profile == Profile::Tuf { "online" } else { "backend" };
    let mut keys: Vec<KeyName> = Vec::new();
    for role in ["snapshot", "timestamp"] {
        let suggest = asking.known().free_name(&format!("{before}-{role}"), false);
        let (id, question) = (format!("new-{role}"), format!("What is the new key for {role} called?"));
        keys.push(asking.new_key((&id, &question), &suggest)?);
    }
    let holder: Person = if profile == Profile::Tuf {
        let prompt = Prompt::new("holder", "Who answers for them?")
            .help("Whoever keeps the machine that signs snapshot and timestamp.");
        asking.person(prompt)?
    } else {
        "backend".parse()?
    };
    let people = asking.people()?;
    let known = asking.known();
    let mut draft = Draft::new(FOLDER, people);
    let purposes = [Purpose::Snapshot, Purpose::Timestamp];
    if made_here {
        let tables: Vec<String> = keys
            .iter()
            .zip(purposes)
            .map(|(key, purpose)| {
                format!(
                    "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{}\"\nalgorithm = \"p256\"\n",
                    purpose.name()
                )
            })
            .collect();
        let head =
            ("The keys that sign snapshot and timestamp without people.", "generate-key", "New online keys");
        draft.add("online-keys", head, [&holder], &tables.join("\n"));
        draft.made_here(&keys, &holder);
    } else {
        let all: Vec<_> =
            keys.iter().zip(purposes).map(|(key, purpose)| (key.clone(), holder.clone(), purpose)).collect();
        draft.enroll(&all, []);
    }
    let [snapshot, timestamp] = keys.as_slice() else { return Ok(Ending::Runbooks(draft)) };
    let head = (
        "Root stops trusting the old ones. Targets and delegations stay.",
        "rotate-root",
        "New keys of the backend",
    );
    let signers = known.signers(&RoleName::Root);
    if profile == Profile::Tuf {
        let online = format!("[limits.online]\nsnapshot = [\"{snapshot}\"]\ntimestamp = [\"{timestamp}\"]\n");
        let head = (
            "The keys that sign-snapshot may use from now on.",
            "set-limits",
            "Limits name the new keys of the backend",
        );
        draft.add("limits", head, &signers, &online);
    }
    draft.add("rotate-root", head, &signers, &rotation(known, snapshot, timestamp));
    draft.say(format!("{snapshot} and {timestamp} take the place of the backend's keys, by the next root."));
    draft.say("A threshold of root holders signs. Nobody can make a release by the old keys. A thief of both holds releases back, and mixes older documents that were really signed, as far as fresh agents accept their versions.");
    draft.say("Customers' agents trust the new backend once they have the new root, and refuse what the old keys sign from then on.");
    if profile == Profile::Notary {
        draft.say("Set the new server up to go on above the highest versions that the old one served.");
    }
    Ok(Ending::Runbooks(draft))
}

/// Root with the new keys; the old ones are declared stolen.
fn rotation(known: Known<'_>, snapshot: &KeyName, timestamp: &KeyName) -> String {
    let mut stolen = known.listed(&RoleName::Snapshot);
    stolen.extend(known.listed(&RoleName::Timestamp));
    let compromised =
        if stolen.is_empty() { String::new() } else { format!("compromised = {}\n", list(&stolen)) };
    let term = known.root_term();
    format!(
        "[root]\n{compromised}valid-for = \"{term}\"\n\n[snapshot]\nkeys = [\"{snapshot}\"]\n\n[timestamp]\nkeys = [\"{timestamp}\"]\n"
    )
}
