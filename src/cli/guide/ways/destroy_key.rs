//! Destroy an old key: one that no newest document lists any more.

use super::super::asking::Asking;
use super::super::texts::{Draft, Ending};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::KeyRecord;
use crate::ceremony::kinds::unlisted;
use crate::ceremony::people::KeyName;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::KeyEvent;
use crate::ui::Prompt;
use std::collections::BTreeSet;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let facts = asking.facts();
    let gone = |record: &KeyRecord| {
        record.life.iter().any(|(event, _)| matches!(event, KeyEvent::Lost | KeyEvent::Destroyed))
    };
    let held = |record: &KeyRecord| !matches!(record.token.as_str(), "backend" | "elsewhere");
    let free = facts.keys.values().filter(|r| !gone(r) && held(r) && unlisted(facts, r).is_ok());
    let keys: BTreeSet<KeyName> =
        free.filter(|r| r.purpose != Purpose::Witness).map(|record| record.name.clone()).collect();
    if keys.is_empty() {
        let lines = [
            "Every key that someone still has is listed by the newest root, targets or an application, or it is the backend's.",
            "A key leaves them first: by change-root, targets-key, developer-leaves or person-leaves. Then it can be destroyed.",
        ];
        return Ok(Ending::Words {
            title: "No key can be destroyed".to_owned(),
            lines: lines.map(str::to_owned).to_vec(),
            next: vec!["keyrite guide".to_owned()],
        });
    }
    let prompt = Prompt::new("key", "Which key?")
        .help("Nothing lists it any more, and nothing brings it back once its token has destroyed it.")
        .help("In profile notary wait until customers' agents know a root without it: older ones need its signature.");
    let key = asking.key(prompt, &keys)?;
    let people = asking.people()?;
    let known = asking.known();
    let identity = facts.keys.get(&key).map(|record| record.public.identity());
    let of_targets = identity.is_some_and(|identity| facts.delegation_key(&identity));
    let role = if of_targets { RoleName::Targets } else { RoleName::Root };
    let mut custodians = known.signers(&role);
    custodians.extend(known.holders([&key]));
    let mut draft = Draft::new("destroy-key", people);
    let comment = "Those who sign agree that it is destroyed, then its token destroys it.";
    draft.add(
        "retire",
        (comment, "retire-key", &format!("End of {key}")),
        &custodians,
        &format!("[retire]\nkey = \"{key}\"\n"),
    );
    draft.say(format!("{key} is destroyed where it is kept; {role} signs that it was."));
    draft.say("Customers notice nothing.");
    Ok(Ending::Runbooks(draft))
}
