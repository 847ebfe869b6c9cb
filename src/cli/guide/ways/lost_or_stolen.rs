//! "Something was lost or stolen": which thing it was decides who has to act.

use super::super::asking::Asking;
use super::super::came_in;
use super::super::texts::{Draft, Ending};
use super::root_keys::Asked;
use super::{backend, developer_key, elsewhere, renew, root_keys};
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::planner::{self, Incident, Successor};
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
        .offer("token-dead", "token-dead         a token died in the middle of a ceremony")
        .offer("developer-key", "developer-key      a developer's")
        .offer("backend", "backend            the update server was broken into")
        .offer("root-expired", "root-expired       nothing was; root has ended, or is about to")
        .offer("record", "record             a laptop or a copy of the record, and no key");
    match asking.choose(&prompt)?.as_str() {
        "root-key" => root_keys::walk(asking, true),
        "targets-key" => targets(asking),
        "root-and-targets" => both(asking),
        "token-dead" => Ok(elsewhere::token_dead(asking)),
        "developer-key" => developer_key::walk(asking),
        "backend" => backend::walk(asking),
        "root-expired" => renew::documents(asking, FOLDER),
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
        let name = asking.new_key(("new-key", "What is the next targets key called?"), &suggest)?;
        let prompt = Prompt::new(holder, "Who will hold it?")
            .help("The update-service administrator: they grant and revoke developers from then on.");
        let prompt = match asking.known().holders(&keys).first() {
            Some(person) => prompt.default(person.as_str()),
            None => prompt,
        };
        let holder = asking.person(prompt)?;
        Ok(Self { keys, lost, compromised, name, holder })
    }
}

fn targets(asking: &mut Asking<'_>) -> Result<Ending> {
    let prompt = Prompt::new("keys", "Which targets keys?").help(
        "Whoever has one can grant applications; customers are safe only until they can upload as well.",
    );
    let targets = TargetsKeys::ask(asking, prompt, "holder")?;
    let root = Asked::nothing(asking.known());
    way_out(asking, root, &targets)
}

/// Root and targets keys in the same incident leave in the same change.
fn both(asking: &mut Asking<'_>) -> Result<Ending> {
    let root = root_keys::ask(asking, true)?;
    let prompt = Prompt::new("targets-keys", "And which targets keys?")
        .help("They leave in the same root, so that customers follow one change and not two.");
    let targets = TargetsKeys::ask(asking, prompt, "targets-holder")?;
    way_out(asking, root, &targets)
}

/// What the planner finds, as runbooks.
fn way_out(asking: &mut Asking<'_>, root: Asked, targets: &TargetsKeys) -> Result<Ending> {
    let known = asking.known();
    let TargetsKeys { keys, name, holder, .. } = targets;
    let living = known.of_purpose(Purpose::Targets);
    let mut able = root.able;
    able.extend(
        known.listed(&RoleName::Targets).intersection(&living).filter(|n| !keys.contains(*n)).cloned(),
    );
    able.insert(name.clone());
    let late = asking.late(&able)?.into_iter().collect();
    let leave_out = came_in::ask(asking)?;
    let cast = asking.people()?;
    let successor = |(name, holder): &(KeyName, Person), purpose| Successor {
        name: name.clone(),
        holder: holder.clone(),
        purpose,
    };
    let mut new: Vec<_> = root.new.iter().map(|new| successor(new, Purpose::Root)).collect();
    new.push(successor(&(name.clone(), holder.clone()), Purpose::Targets));
    let incident = Incident {
        lost: root.wish.lost.union(&targets.lost).cloned().collect(),
        compromised: root.wish.compromised.union(&targets.compromised).cloned().collect(),
        replace_with: root.wish.add,
        new,
        late,
        threshold: root.wish.threshold,
        valid_for: root.wish.valid_for,
        targets_valid_for: known.targets_term(),
        leave_out,
    };
    let way = match planner::incident(&incident, asking.facts(), &cast) {
        Ok(way) => way,
        Err(refusal) => {
            let told = [refusal.found(), refusal.expected()].map(ToString::to_string);
            return Err(asking.no_way(refusal, &told));
        }
    };
    let mut draft = Draft::new(FOLDER, cast);
    draft.make_root_keys(&root.new, known.algorithm(&RoleName::Root));
    draft.make_targets_key(name, holder, known.algorithm(&RoleName::Targets));
    for (name, text) in way.runbooks {
        draft.add_text(&name, text);
    }
    draft.words = way.words;
    draft.words.extend(came_in::words(&incident.leave_out));
    if incident.leave_out.as_in.is_none() {
        draft.say("Read what targets grants before: a thief's grants stand there too.");
    }
    draft.say(
        "Customers notice nothing; once their agents have the new root, they refuse what the old key signs.",
    );
    Ok(Ending::Runbooks(draft))
}
