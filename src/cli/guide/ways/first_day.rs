//! The first day on a record that has none of it yet: the runbooks that `init` wrote, or new ones where
//! they were lost.

use super::super::asking::{Asking, named, no_word};
use super::super::refuse;
use super::super::texts::{Draft, Ending};
use crate::ceremony::people::{KeyName, Person};
use crate::cli::first_day::{FirstDay, Online, TARGETS_KEY};
use crate::tuf::key::KeySpec;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    if asking.written_first_day {
        let prompt = Prompt::new("runbooks", "Its runbooks are there already. Take them?")
            .help("init wrote them into the folder first-day. What was held of them stays held.")
            .offer("yes", "yes   go on with them")
            .offer("no", "no    ask again, and write others");
        if asking.choose(&prompt)? == "yes" {
            return Ok(Ending::Folder(crate::cli::init::FOLDER.to_owned()));
        }
    }
    let facts = asking.facts();
    let profile = facts.trust.profile;
    let prompt = Prompt::new("root-holders", "Who holds a root key?")
        .help("Their short names with commas between, at least two: ada, bruno, carla")
        .help(
            "Customers' devices believe whatever a threshold of them signs: people whom you trust for years.",
        );
    let holders: Vec<Person> = asking.text(&prompt, |answer| {
        let people =
            answer.split(',').map(|name| named::<Person>(name.trim())).collect::<Result<Vec<_>>>()?;
        let distinct: BTreeSet<_> = people.iter().collect();
        if distinct.len() < 2 || distinct.len() != people.len() || people.len() > 26 {
            return Err(refuse(answer, "2 to 26 people, each once"));
        }
        Ok(people)
    })?;
    let most = u32::try_from(holders.len()).unwrap_or(u32::MAX);
    let prompt = Prompt::new("root-threshold", format!("How many of the {most} must sign a root?"))
        .help("At least 2. With fewer than all, one lost token is no disaster.");
    let threshold = asking.number(prompt, 2..=most, if most > 3 { most.div_ceil(2) } else { 2 })?;
    let prompt = Prompt::new("targets-holder", "Who is the update-service administrator?")
        .help("They hold the targets key, which grants and revokes developers in daily work.");
    let targets = asking.person(prompt)?;
    let online = if profile == Profile::Notary {
        Online::Backend
    } else {
        let prompt = Prompt::new("online-keys", "Where are the keys of snapshot and timestamp made?")
            .help("They sign without people; losing them lets no one ship a release.")
            .offer("here", "here        on the first day, as encrypted files")
            .offer("elsewhere", "elsewhere   their public keys come in as PEM files");
        if asking.choose(&prompt)? == "here" { Online::Here } else { Online::Elsewhere }
    };
    let prompt = Prompt::new("application", "What is the first application called?")
        .help("Its developers get a delegation of their own: camera-station")
        .help("Customers never type it, but their clients know it.");
    let application = asking.text(&prompt, |answer| {
        no_word(answer)?;
        RoleName::application(profile, answer, None).map(|_| answer.to_owned())
    })?;
    let prompt = Prompt::new("developer", "Who releases it?")
        .help("They make a key on their own machine and send one small file.");
    let developer = asking.person(prompt)?;
    let people = asking.people()?;
    let letters = 'a'..='z';
    let root = letters.zip(holders).map(|(l, person)| Ok((format!("root-{l}").parse::<KeyName>()?, person)));
    let day = FirstDay {
        profile,
        administrator: people.administrator.clone(),
        root: root.collect::<Result<_>>()?,
        threshold,
        algorithm: KeySpec::EcdsaP256,
        targets: targets.clone(),
        targets_software: facts.limits.targets.software_keys,
        online,
        application: application.clone(),
        developer: developer.clone(),
        possession: facts.limits.delegations.possession,
        witnesses: people.witnesses.iter().cloned().collect(),
    };
    let mut draft = Draft::new(crate::cli::init::FOLDER, people);
    draft.runbooks = day.runbooks()?;
    for (key, holder) in day.root.iter().cloned().chain([(TARGETS_KEY.parse()?, targets)]) {
        draft.made_here(&[key], &holder);
    }
    draft.comes(day.developer_key()?, developer.clone(), crate::ceremony::change::Purpose::Delegation);
    if online != Online::Here {
        use crate::ceremony::change::Purpose::{Snapshot, Timestamp};
        for (name, purpose) in day.online_keys().into_iter().zip([Snapshot, Timestamp]) {
            draft.comes(name.parse()?, "backend".parse()?, purpose);
        }
    }
    draft.say(format!("{threshold} of {most} people sign the root; {developer} may release {application}."));
    draft.say("Customers get nothing before the upload of the last runbook.");
    Ok(Ending::Runbooks(draft))
}
