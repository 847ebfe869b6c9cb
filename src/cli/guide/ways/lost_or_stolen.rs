//! "Something was lost or stolen": which thing it was decides who has to act.

use super::super::asking::Asking;
use super::super::record::{Known, plain};
use super::super::texts::{Draft, Ending, list};
use super::{backend, developer_key, elsewhere, root_keys};
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::ui::Prompt;
use std::collections::BTreeSet;

/// The folder of whatever is urgent.
pub const FOLDER: &str = "lost-or-stolen";

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let prompt = Prompt::new("what", "What was lost or stolen?")
        .help("A token, a key file or a PIN counts as the key that it opens.")
        .help("It decides who has to act, and whether customers are in danger meanwhile.")
        .offer("root-key", "root-key           a root holder's token or key")
        .offer("targets-key", "targets-key        the update-service administrator's")
        .offer("root-and-targets", "root-and-targets   both at once: one bag, one safe, one person")
        .offer("developer-key", "developer-key      a developer's")
        .offer("backend", "backend            the update server was broken into")
        .offer("record", "record             a laptop or a copy of the record, and no key");
    match asking.choose(&prompt)?.as_str() {
        "root-key" => root_keys::walk(asking, true),
        "targets-key" => targets(asking),
        "root-and-targets" => both(asking),
        "developer-key" => developer_key::walk(asking),
        "backend" => backend::walk(asking),
        _ => Ok(elsewhere::record_copy()),
    }
}

/// The targets keys that go, and the one that comes.
struct TargetsKeys {
    keys: BTreeSet<KeyName>,
    /// Those of them that nobody has.
    lost: BTreeSet<KeyName>,
    /// Those of them that someone else may have.
    compromised: BTreeSet<KeyName>,
    name: KeyName,
    holder: Person,
}

impl TargetsKeys {
    /// `which` asks for those that go, and its holder is asked for under the name `holder`.
    fn ask(asking: &mut Asking<'_>, which: Prompt, holder: &str) -> Result<Self> {
        let listed = asking.known().listed(&RoleName::Targets);
        let keys = asking.keys(which, &listed, false)?;
        let (lost, compromised) = asking.fates(&keys)?;
        let suggest = asking.known().free_name("targets", false);
        let prompt = Prompt::new("new-key", "What is the next targets key called?");
        let name = asking.new_key(prompt, &suggest)?;
        let prompt = Prompt::new(holder, "Who will hold it?")
            .help("The update-service administrator: they grant and revoke developers from then on.");
        let holder = asking.person(prompt)?;
        Ok(Self { keys, lost, compromised, name, holder })
    }
}

/// The tables of a `recover` runbook.
fn tables<'a>(
    known: Known<'_>,
    gone: [BTreeSet<&'a KeyName>; 2],
    come: BTreeSet<&'a KeyName>,
    threshold: Option<u32>,
) -> String {
    let [lost, compromised] = gone.map(list);
    let threshold = threshold.map(|n| format!("threshold = {n}\n")).unwrap_or_default();
    format!(
        "[recover]\nlost = {lost}\ncompromised = {compromised}\nreplace-with = {}\n\n\
         [root]\n{threshold}valid-for = \"{}\"\n\n[targets]\nvalid-for = \"{}\"\n",
        list(come),
        known.root_term(),
        known.targets_term()
    )
}

fn targets(asking: &mut Asking<'_>) -> Result<Ending> {
    let prompt = Prompt::new("keys", "Which targets keys?").help(
        "Whoever has one can grant applications; customers are safe only until they can upload as well.",
    );
    let asked = TargetsKeys::ask(asking, prompt, "holder")?;
    let TargetsKeys { keys, name, holder, .. } = &asked;
    let people = asking.people()?;
    let known = asking.known();
    let mut custodians = known.signers(&RoleName::Root);
    custodians.insert(holder.clone());
    let mut draft = Draft::new(FOLDER, people);
    draft.make_targets_key(name, holder, known.algorithm(&RoleName::Targets));
    let head = (
        "Root stops trusting the old key; targets, every grant as it was, is signed by the new one.",
        "recover",
        "New targets key for the old",
    );
    let gone = [&asked.lost, &asked.compromised].map(|names| names.iter().collect());
    let tables = tables(known, gone, BTreeSet::from([name]), None);
    draft.add("recover", head, &custodians, &tables);
    draft.say(format!(
        "{name} of {holder} takes the place of {} in one change of root and targets.",
        plain(keys)
    ));
    draft.say("A threshold of root holders signs. Read what targets grants before: a thief's grants stand there too.");
    draft.say(
        "Customers notice nothing; once their agents have the new root, they refuse what the old key signs.",
    );
    Ok(Ending::Runbooks(draft))
}

/// Root and targets keys in the same incident: one runbook that finds its own next root.
fn both(asking: &mut Asking<'_>) -> Result<Ending> {
    let asked = root_keys::ask(asking, true)?;
    let prompt = Prompt::new("targets-keys", "And which targets keys?")
        .help("They leave in the same root, so that customers follow one change and not two.");
    let targets = TargetsKeys::ask(asking, prompt, "targets-holder")?;
    let TargetsKeys { keys, name, holder, .. } = &targets;
    let people = asking.people()?;
    let (question, roots, words) = asked.plan(asking)?;
    let known = asking.known();
    let mut draft = Draft::new(FOLDER, people);
    draft.make_root_keys(&asked.new, known.algorithm(&RoleName::Root));
    draft.make_targets_key(name, holder, known.algorithm(&RoleName::Targets));
    let wish = &asked.wish;
    let gone = [(&wish.lost, &targets.lost), (&wish.compromised, &targets.compromised)]
        .map(|(root, targets)| root.union(targets).collect());
    let come = wish.add.iter().chain(asked.new.iter().map(|(name, _)| name)).chain([name]).collect();
    let tables = tables(known, gone, come, wish.threshold);
    let able = roots.iter().flat_map(|root| root.old.able.union(&root.new.able));
    let mut custodians: BTreeSet<_> =
        able.filter_map(|key| question.keys.get(key)).map(|key| key.holder.clone()).collect();
    custodians.insert(holder.clone());
    // The same runbook finds the next root each time.
    for number in 1..=roots.len() {
        let title = if roots.len() == 1 {
            "Root and targets go on".to_owned()
        } else {
            format!("Root and targets go on, {number} of {}", roots.len())
        };
        let comment =
            "Keys that were lost or stolen leave root and targets together, compromised ones first.";
        draft.add("recover", (comment, "recover", &title), &custodians, &tables);
    }
    draft.words.extend(words);
    draft.say(format!("targets: {name} of {holder} takes the place of {}", plain(keys)));
    Ok(Ending::Runbooks(draft))
}
