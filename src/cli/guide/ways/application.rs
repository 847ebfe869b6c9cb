//! A new application, or a track of one: who may release what.

use super::super::asking::{Asking, Chosen, no_word};
use super::super::record::{Application, Known, plain};
use super::super::refuse;
use super::super::texts::{Draft, Ending, list, quoted};
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let profile = asking.facts().trust.profile;
    let all = asking.known().applications();
    // A track stands in its application's document: there is none before the first release.
    let documents = &asking.facts().documents;
    let grants = |found: &&Application| {
        found.track.is_none() && !found.keys.is_empty() && documents.contains_key(&found.role)
    };
    let whole: Vec<_> = all.values().filter(grants).collect();
    let mut above = None;
    if !whole.is_empty() {
        let prompt = Prompt::new("granted-by", "Who grants it?")
            .help("An application of its own is granted by targets. A track, such as a test channel or a product line,")
            .help("is granted by its application's developers, and ends with it. Customers look both up by path.")
            .offer("targets", "targets   an application of its own");
        let prompt = Known::offer_applications(prompt, whole.iter().copied());
        let chosen = asking.choose(&prompt)?;
        above = whole.iter().find(|found| found.role.as_str() == chosen).copied();
    }
    let (what, example) = match above {
        None => ("What is the application called?", "a short name, as in its paths: camera-station"),
        Some(_) => ("What is the track called?", "a short name, as in its paths: beta"),
    };
    let prompt = Prompt::new("application", what)
        .help(format!("It becomes the name of the delegation, {example}"))
        .help(
            "Customers never type it, but their clients know it; it stays as long as the application does.",
        );
    let (application, track) = asking.text(&prompt, |answer| {
        no_word(answer)?;
        let (application, track) = match above {
            None => (answer, None),
            Some(above) => (above.name.as_str(), Some(answer)),
        };
        let role = RoleName::application(profile, application, track)?;
        if all.contains_key(&role) {
            return Err(refuse(answer, "a name that is not granted yet"));
        }
        Ok((application.to_owned(), track.map(str::to_owned)))
    })?;
    let own = match (&track, profile) {
        (None, Profile::Notary) => format!("{application}/"),
        (None, Profile::Tuf) => format!("{application}/*"),
        (Some(track), Profile::Notary) => format!("{application}/{track}/"),
        (Some(track), Profile::Tuf) => format!("{application}/{track}/*"),
    };
    let paths = paths(asking, Some(&own))?;
    let keys = asking.known().of_purpose(Purpose::Delegation);
    let (old, new) = developers(asking, &keys)?;
    let names: BTreeSet<KeyName> = old.iter().chain(new.iter().map(|(name, _)| name)).cloned().collect();
    let most = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let floor = asking.facts().limits.delegations.threshold_floor;
    let prompt = Prompt::new("threshold", "How many of them must sign a release?")
        .help("With 1, any of them releases alone. With more, customers are safe from one stolen key.");
    let threshold = asking.number(prompt, floor.min(most)..=most, floor)?;
    let people = asking.people()?;
    let known = asking.known();
    let delegator = above.map_or(RoleName::Targets, |above| above.role.clone());
    let mut custodians = known.granting(&delegator);
    // In `tuf` they sign the delegation's empty first document.
    if profile == Profile::Tuf {
        custodians.extend(known.holders(&old));
        custodians.extend(new.iter().map(|(_, holder)| holder.clone()));
    }
    let mut draft = Draft::new("new-application", people);
    draft.enroll(&enrolled(&new), []);
    let what = track.as_ref().map_or_else(|| application.clone(), |track| format!("{application} {track}"));
    let member = track.as_ref().map(|track| format!("track = \"{track}\"\n")).unwrap_or_default();
    let delegations_term = asking.known().delegations_term();
    let mut tables = format!(
        "[delegation]\napplication = \"{application}\"\n{member}keys = {}\nthreshold = {threshold}\npaths = {}\nvalid-for = \"{delegations_term}\"\n",
        list(&names),
        texts(&paths)
    );
    draft.another_end(&mut tables, known.delegator(&BTreeSet::from([delegator])));
    let head = (
        "Its developers may release what its paths cover.",
        "grant-delegation",
        &*format!("Application {what}"),
    );
    draft.add("grant", head, &custodians, &tables);
    draft.say(format!(
        "{what} may be released by {threshold} of {}, for {}.",
        plain(&names),
        paths.join(", ")
    ));
    if names.len() == usize::try_from(threshold).unwrap_or(usize::MAX) {
        draft.say("No key is spare: if one is lost, nobody can release it until `guide developer-joins` or a revocation.");
    }
    draft.say("Customers find nothing new until the first release.");
    Ok(Ending::Runbooks(draft))
}

/// Keys that may release, those that come by a file included.
pub fn developers(asking: &mut Asking<'_>, keys: &BTreeSet<KeyName>) -> Result<Chosen> {
    let prompt = Prompt::new("keys", "Whose keys may release it?")
        .help("Everything that such a key signs below its paths, customers' devices install.")
        .help("Two are better than one: an administrators' spare in a safe lets it go on when one is lost.");
    let made = "They make it on their own machine and send one small file; the key itself stays there.";
    asking.keys_and_new(prompt, keys, false, None, made)
}

/// The same as they are enrolled.
pub fn enrolled(new: &[(KeyName, Person)]) -> Vec<(KeyName, Person, Purpose)> {
    new.iter().map(|(key, holder)| (key.clone(), holder.clone(), Purpose::Delegation)).collect()
}

/// The paths that a delegation covers; without `own`, none is an answer.
pub fn paths(asking: &mut Asking<'_>, own: Option<&str>) -> Result<Vec<String>> {
    let (question, default) = match own {
        Some(own) => ("Which paths does it release?", own),
        None => ("More paths that it releases?", "none"),
    };
    let prompt = Prompt::new("paths", question)
        .default(default)
        .help("With commas between. Its developers can release nothing outside of them.")
        .help(match asking.facts().trust.profile {
            Profile::Notary => "A path ending in / is everything below it: camera-station/",
            Profile::Tuf => "* stands for any part of a name, and not for /: camera-station/*",
        });
    asking.text(&prompt, |answer| {
        if own.is_none() && answer == "none" {
            return Ok(Vec::new());
        }
        let all: Vec<String> = answer.split(',').map(|path| path.trim().to_owned()).collect();
        if all.iter().any(String::is_empty) {
            Err(refuse(answer, "paths with commas between"))
        } else {
            Ok(all)
        }
    })
}

/// Texts as TOML has them.
pub fn texts(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}
