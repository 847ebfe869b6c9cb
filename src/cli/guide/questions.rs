//! What a guide asks, "something was lost or stolen" first, and the runbooks that come of it.

use super::texts::{People, list};
use super::{Asking, Walk, Written, refuse};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::kinds::rules as kind_rules;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::planner::{self, Answer, Cast, Key, Question, Standing, Why, Wish};
use crate::tuf::key::PublicKey;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Unit};
use crate::ui::Prompt;
use crate::ui::screen::Screen;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What roots and targets live, unless someone edits the runbook.
const ROOT: Term = Term::new(2, Unit::Years);

/// All questions, from the first.
pub(super) fn walk(asking: &mut Asking<'_>) -> Walk<Written> {
    let prompt = Prompt::new("ceremony", "What is it about?")
        .help("Each way ends in runbooks that you can read, rehearse and hold; nothing is signed here.")
        .offer(
            "lost-or-stolen",
            "lost-or-stolen   something was lost or stolen, or someone may have copied it",
        )
        .offer("change-root", "change-root      root keys come or go in peace, or the threshold changes")
        .offer("renew", "renew            something ends soon");
    match asking.choose(&prompt)?.as_str() {
        "renew" => renew(asking),
        "change-root" => root(asking, false),
        _ => {
            let prompt = Prompt::new("what", "What was lost or stolen?")
                .help("A token, a key file or a PIN counts as the key that it opens.")
                .offer("root-key", "root-key        a root holder's token or key")
                .offer("targets-key", "targets-key     the update-service administrator's")
                .offer("developer-key", "developer-key   a developer's");
            match asking.choose(&prompt)?.as_str() {
                "root-key" => root(asking, true),
                "targets-key" => targets(asking),
                _ => developer(asking),
            }
        }
    }
}

fn renew(asking: &mut Asking<'_>) -> Walk<Written> {
    let people = people(asking)?;
    let mut holders = holders(asking.facts, Purpose::Root);
    holders.extend(self::holders(asking.facts, Purpose::Targets));
    let comment = "Whatever ends within 90 days is signed again by its own keys.";
    let head = people.head(comment, "renew", "What is due", &holders);
    let text = format!(
        "{head}\n[renew]\nwithin = \"90 days\"\n\n[root]\nvalid-for = \"{ROOT}\"\n\n[targets]\nvalid-for = \"1 year\"\n\n\
         [delegations]\nvalid-for = \"1 year\"\n"
    );
    Ok(Written {
        folder: "renewal",
        words: vec!["Whatever ends within 90 days is signed again; nothing due is no error.".to_owned()],
        runbooks: vec![("01-renew.toml".to_owned(), text)],
        first: Vec::new(),
    })
}

fn root(asking: &mut Asking<'_>, incident: bool) -> Walk<Written> {
    let mut wish = Wish::new(ROOT);
    let listed: BTreeSet<KeyName> = planner::question(&wish, asking.facts)?.now.keys.into_iter().collect();
    let prompt = if incident {
        Prompt::new("keys", "Which root keys?").help("All that are concerned, with commas between.")
    } else {
        Prompt::new("keys", "Which root keys leave?")
            .help("Names with commas between, or none.")
            .default("none")
    };
    let prompt = prompt.help(format!("The root lists {}.", plain(&listed)));
    let keys = asking.ask(&prompt, |answer, _| names(answer, &listed, !incident))?;
    for name in &keys {
        match if incident { fate(asking, name)? } else { Fate::Leaves } {
            Fate::Leaves => wish.remove.insert(name.clone()),
            Fate::Lost => wish.lost.insert(name.clone()),
            Fate::Copied => wish.compromised.insert(name.clone()),
            Fate::Stolen => wish.lost.insert(name.clone()) && wish.compromised.insert(name.clone()),
        };
    }
    let (known, new) = successors(asking, &listed, keys.len())?;
    wish.add = known;
    let threshold = planner::question(&Wish::new(ROOT), asking.facts)?.now.threshold;
    let prompt = Prompt::new("threshold", "How many must sign a root from then on?")
        .help("At least 2, and fewer than there are keys, so that one loss is no disaster.")
        .default(threshold.to_string());
    wish.threshold =
        Some(asking.ask(&prompt, |answer, _| answer.parse().map_err(|_| refuse(answer, "a number")))?);
    let people = people(asking)?;
    let mut question = planner::question(&wish, asking.facts)?;
    let each = question.keys.values().map(|key| key.entry_bytes).max().unwrap_or_default();
    for (name, holder) in &new {
        let key = Key {
            holder: holder.clone(),
            standing: Standing::AtHand,
            certificate_until: None,
            listed_until: None,
            most_message: None,
            entry_bytes: each,
        };
        question.keys.insert(name.clone(), key);
        question.wanted.keys.insert(name.clone());
    }
    let question = planner::with_tokens(question, asking.facts);
    let answer = planner::plan(&question);
    let words = planner::explain(&question, &answer);
    let roots = match answer {
        Answer::Roots(roots) => roots,
        Answer::Nothing => {
            return Err(refuse("nothing", "a key that comes or goes, or another threshold").into());
        }
        Answer::Impossible(impossible) => {
            if !asking.console.unattended() {
                let screen = Screen::new("There is no way from here").items(words.iter().map(String::as_str));
                asking.console.show(&screen)?;
                asking.choose(&Prompt::new("no-way", "What now?").offer("stop", "stop"))?;
            }
            return Err(no_way(&question, &impossible.why, &words).into());
        }
    };
    let cast = Cast { administrator: people.administrator.clone(), witnesses: people.witnesses.clone() };
    let mut runbooks = Vec::new();
    if !new.is_empty() {
        runbooks.push(people.new_root_keys(&new));
    }
    runbooks.extend(planner::runbooks(&question, &roots, &cast).into_iter().map(|(_, text)| text));
    let runbooks = runbooks.into_iter().enumerate().map(|(n, text)| {
        let name = if n == 0 && !new.is_empty() { "root-keys" } else { "rotate-root" };
        (format!("{:02}-{name}.toml", n.saturating_add(1)), text)
    });
    let folder = if incident { "lost-or-stolen" } else { "change-root" };
    Ok(Written { folder, words, runbooks: runbooks.collect(), first: places(&new) })
}

fn no_way(question: &Question, why: &Why, words: &[String]) -> Refusal {
    let lost = matches!(why, Why::Quorum { .. });
    let rule = if lost { &kind_rules::QUORUM_LOST } else { &kind_rules::RECOVER_NO_WAY };
    let remains = words.iter().skip(1).cloned().collect::<Vec<_>>().join(" ");
    let expected = if remains.is_empty() { "other answers".to_owned() } else { remains };
    Refusal::new(rule, planner::why(question, why), expected)
}

fn targets(asking: &mut Asking<'_>) -> Walk<Written> {
    let listed = listed(asking.facts, &RoleName::Targets);
    let prompt = Prompt::new("keys", "Which targets keys?")
        .help("With commas between.")
        .help(format!("The root lists {} for targets.", plain(&listed)));
    let keys = asking.ask(&prompt, |answer, _| names(answer, &listed, false))?;
    let (mut lost, mut compromised) = (Vec::new(), Vec::new());
    for name in keys {
        match fate(asking, &name)? {
            Fate::Lost | Fate::Leaves => lost.push(name),
            Fate::Copied | Fate::Stolen => compromised.push(name),
        }
    }
    let prompt = Prompt::new("new-key", "What is the next targets key called?")
        .help("A name that no key has had: targets-2");
    let name: KeyName = asking.ask(&prompt, unused)?;
    let prompt = Prompt::new("holder", "Who will hold it?").help("The update-service administrator.");
    let holder: Person = asking.ask(&prompt, |answer, _| answer.parse())?;
    let people = people(asking)?;
    let mut custodians = holders(asking.facts, Purpose::Root);
    custodians.insert(holder.clone());
    let comment =
        "Root stops trusting the old key; targets, every grant as it was, is signed by the new one.";
    let head = people.head(comment, "recover", "New targets key for the old", &custodians);
    let recover = format!(
        "{head}\n[recover]\nlost = {}\ncompromised = {}\nreplace-with = [\"{name}\"]\n\n[root]\nvalid-for = \"{ROOT}\"\n\n\
         [targets]\nvalid-for = \"1 year\"\n",
        list(&lost),
        list(&compromised)
    );
    let words = vec![
        format!("{name} of {holder} takes the place of {} in one change of root and targets.", plain(lost.iter().chain(&compromised))),
        "A threshold of root holders signs. Read what targets grants before: a thief's grants stand there too.".to_owned(),
    ];
    let runbooks = vec![
        ("01-targets-key.toml".to_owned(), people.new_targets_key(&name, &holder)),
        ("02-recover.toml".to_owned(), recover),
    ];
    let first = places(&[(name, holder)]);
    Ok(Written { folder: "lost-or-stolen", words, runbooks, first })
}

fn developer(asking: &mut Asking<'_>) -> Walk<Written> {
    let known = of_purpose(asking.facts, Purpose::Delegation);
    let prompt =
        Prompt::new("key", "Which developer's key?").help(format!("The record has {}.", plain(&known)));
    let key = asking.ask(&prompt, |answer, _| one(answer, &known))?;
    let because = match fate(asking, &key)? {
        Fate::Lost | Fate::Leaves => "lost",
        Fate::Copied | Fate::Stolen => "compromised",
    };
    let others: BTreeSet<KeyName> = known.iter().filter(|other| **other != key).cloned().collect();
    let prompt = Prompt::new("replace-with", "Which key takes its place?")
        .help("One that the record has, such as a spare or the developer's next one; or none.")
        .help(if others.is_empty() {
            "The record has no other.".to_owned()
        } else {
            format!("The record has {}.", plain(&others))
        })
        .default("none");
    let replacement = asking.ask(&prompt, |answer, _| match answer {
        "none" => Ok(None),
        name => one(name, &others).map(Some),
    })?;
    let prompt = Prompt::new("below-threshold", "And an application that keeps too few keys?")
        .offer("stop", "stop     is named, and nothing is done")
        .offer("lower", "lower    needs fewer signatures from then on")
        .offer("remove", "remove   is taken out, its releases with it");
    let below = asking.choose(&prompt)?;
    let people = people(asking)?;
    let mut custodians = holders(asking.facts, Purpose::Targets);
    let holder = |name: &KeyName| asking.facts.keys.get(name).map(|record| record.holder.clone());
    custodians.extend(replacement.as_ref().and_then(holder));
    let comment = "What the key alone has signed is shown first; name what must not stay in without-paths.";
    let title = format!("The key {key} is {because}");
    let mut text = people.head(comment, "revoke-delegation", &title, &custodians);
    let _ = write!(text, "\n[revoke]\nkey = \"{key}\"\nbecause = \"{because}\"\n");
    if let Some(name) = &replacement {
        let _ = writeln!(text, "replace-with = [\"{name}\"]");
    }
    if below != "stop" {
        let _ = writeln!(text, "below-threshold = \"{below}\"");
    }
    text.push_str("\n[reissue]\nvalid-for = \"1 year\"\nwithout-paths = []\n");
    let words = vec![format!("{key} leaves every application and is declared {because} for good.")];
    Ok(Written {
        folder: "lost-or-stolen",
        words,
        runbooks: vec![("01-revoke.toml".to_owned(), text)],
        first: Vec::new(),
    })
}

enum Fate {
    Leaves,
    Lost,
    Copied,
    Stolen,
}

fn fate(asking: &mut Asking<'_>, name: &KeyName) -> Walk<Fate> {
    let prompt = Prompt::new(format!("fate.{name}"), format!("What happened to {name}?"))
        .help("If in doubt, it was stolen: a key that is given up never comes back either way.")
        .offer("lost", "lost     nobody has it: broken, burnt, forgotten")
        .offer("stolen", "stolen   someone else may have it, we don't")
        .offer("copied", "copied   we have it, and someone else may too");
    Ok(match asking.choose(&prompt)?.as_str() {
        "lost" => Fate::Lost,
        "stolen" => Fate::Stolen,
        _ => Fate::Copied,
    })
}

/// Keys in the record, and keys to be made, with their holders.
type Successors = (BTreeSet<KeyName>, Vec<(KeyName, Person)>);

/// Keys that take others' places.
fn successors(asking: &mut Asking<'_>, listed: &BTreeSet<KeyName>, leaving: usize) -> Walk<Successors> {
    let spare: BTreeSet<KeyName> =
        of_purpose(asking.facts, Purpose::Root).difference(listed).cloned().collect();
    let mut prompt = Prompt::new("replace-with", "Which keys come in?").help(format!(
        "{leaving} leave. Names with commas between, new ones as they shall be called; or none."
    ));
    if !spare.is_empty() {
        prompt = prompt.help(format!("In the record and not in the root: {}.", plain(&spare)));
    }
    let come = asking.ask(&prompt, |answer, facts| {
        let come: BTreeSet<KeyName> = match answer {
            "none" => BTreeSet::new(),
            _ => answer.split(',').map(|name| name.trim().parse()).collect::<Result<_>>()?,
        };
        match come.iter().find(|name| facts.keys.contains_key(*name) && !spare.contains(*name)) {
            Some(name) => Err(refuse(name.as_str(), "a new name, or a root key that the root doesn't list")),
            None => Ok(come),
        }
    })?;
    let (known, unmade): (BTreeSet<KeyName>, BTreeSet<KeyName>) =
        come.into_iter().partition(|name| asking.facts.keys.contains_key(name));
    let mut new = Vec::new();
    for name in unmade {
        let prompt = Prompt::new(format!("holder.{name}"), format!("Who will hold {name}?"))
            .help("They make it on a token of their own.");
        let holder = asking.ask(&prompt, |answer, _| answer.parse())?;
        new.push((name, holder));
    }
    Ok((known, new))
}

fn people(asking: &mut Asking<'_>) -> Walk<People> {
    let prompt =
        Prompt::new("administrator", "Who leads?").help("Usually you: a short name in lower-case letters.");
    let administrator = asking.ask(&prompt, |answer, _| answer.parse())?;
    let prompt = Prompt::new("witnesses", "Who watches and records?")
        .help("Names with commas between, or none. A witness signs nothing.")
        .default("none");
    let witnesses = asking.ask(&prompt, |answer, _| match answer {
        "none" => Ok(BTreeSet::new()),
        _ => answer.split(',').map(|name| name.trim().parse()).collect::<Result<_>>(),
    })?;
    Ok(People { administrator, witnesses })
}

/// Names with commas between, each of `known`.
fn names(answer: &str, known: &BTreeSet<KeyName>, none: bool) -> Result<BTreeSet<KeyName>> {
    if none && answer == "none" {
        return Ok(BTreeSet::new());
    }
    answer.split(',').map(|name| one(name.trim(), known)).collect()
}

fn one(answer: &str, known: &BTreeSet<KeyName>) -> Result<KeyName> {
    let name: KeyName = answer.parse()?;
    if known.contains(&name) { Ok(name) } else { Err(refuse(answer, &format!("one of {}", plain(known)))) }
}

fn unused(answer: &str, facts: &Facts) -> Result<KeyName> {
    let name: KeyName = answer.parse()?;
    if facts.keys.contains_key(&name) { Err(refuse(answer, "a name that no key has had")) } else { Ok(name) }
}

/// Keys of that purpose that are not given up.
fn of_purpose(facts: &Facts, purpose: Purpose) -> BTreeSet<KeyName> {
    let fits = |record: &&KeyRecord| record.purpose == purpose && record.life.is_empty();
    facts.keys.values().filter(fits).map(|record| record.name.clone()).collect()
}

/// Who holds a key of the record that some role of root lists.
fn holders(facts: &Facts, purpose: Purpose) -> BTreeSet<Person> {
    let role = if purpose == Purpose::Root { RoleName::Root } else { RoleName::Targets };
    let names = listed(facts, &role);
    names.iter().filter_map(|name| facts.keys.get(name)).map(|record| record.holder.clone()).collect()
}

/// The keys of the record that root lists for a role.
fn listed(facts: &Facts, role: &RoleName) -> BTreeSet<KeyName> {
    let Some(root) = facts.root() else { return BTreeSet::new() };
    let ids = root.roles.get(role).map(|keys| keys.keyids.as_slice()).unwrap_or_default();
    let public = ids.iter().filter_map(|id| root.keys.get(id)?.public.as_ref());
    let public: BTreeSet<_> = public.map(PublicKey::identity).collect();
    let listed = facts.keys.values().filter(|record| public.contains(&record.public.identity()));
    listed.map(|record| record.name.clone()).collect()
}

fn places(new: &[(KeyName, Person)]) -> Vec<String> {
    let one = |(name, holder): &(KeyName, Person)| {
        format!(
            "{holder} prepares a blank token for {name}; if it is used here, put it into the device map: keyrite tokens prepare"
        )
    };
    new.iter().map(one).collect()
}

fn plain<'a>(names: impl IntoIterator<Item = &'a KeyName>) -> String {
    names.into_iter().map(KeyName::as_str).collect::<Vec<_>>().join(", ")
}
