//! `issue-targets-key`: the update-service administrator's key, made and put into its place.
//!
//! With `[targets-key]` a token makes the key. With `[targets]` and `[root]` the new one takes the
//! place of the old: root and targets, signed again with its targets and delegations, in one change,
//! since a backend takes a root alone and then has no targets that clients accept (notary-v1 4.2).

use super::generate_key::{NewKeyOf, is_held};
use super::key_life::Said;
use super::root_change::{Wanted, root_change};
use super::root_members::{Keys, Role, is_so};
use crate::ceremony::change::{Base, Change, Frame, Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::key::KeySpec;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Term;
use serde::Deserialize;

/// The kind.
pub struct IssueTargetsKey;

impl Kind for IssueTargetsKey {
    fn name(&self) -> &'static str {
        "issue-targets-key"
    }

    fn purpose(&self) -> &'static str {
        "make the update-service administrator's key, or put it in the place of the old one"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        match runbook.spec::<Spec>()? {
            Spec { targets_key: Some(key), targets: None, root: None, declared: None } => Ok(Box::new(key)),
            Spec { targets_key: None, targets: Some(targets), root: Some(root), declared } => {
                Ok(Box::new(Rotation { targets, root, declared }))
            }
            _ => Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                "neither [targets-key] alone nor [targets] with [root]",
                "[targets-key] to make the key, or [targets] and [root] to put it in its place",
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spec {
    targets_key: Option<Table>,
    targets: Option<Targets>,
    root: Option<Root>,
    declared: Option<Said>,
}

/// Who signs targets from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Targets {
    keys: Vec<Word<KeyName>>,
    threshold: Option<u32>,
    #[serde(default)]
    lost: Vec<Word<KeyName>>,
    #[serde(default)]
    compromised: Vec<Word<KeyName>>,
    valid_for: Word<Term>,
    as_in: Option<u64>,
    #[serde(default)]
    without_paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Root {
    valid_for: Word<Term>,
}

struct Rotation {
    targets: Targets,
    root: Root,
    declared: Option<Said>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Word<KeyName>,
    holder: Word<Person>,
    #[serde(default = "p256")]
    algorithm: Word<KeySpec>,
}

fn p256() -> Word<KeySpec> {
    Word(KeySpec::EcdsaP256)
}

impl Ceremony for Table {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let Self { name: Word(name), holder: Word(holder), algorithm: Word(algorithm) } = self;
        let purpose = Purpose::Targets;
        let new = NewKeyOf { name, holder, purpose, spec: *algorithm, exportable_under: None };
        let items = vec![Item::NewKey(new.item(frame, facts)?)];
        Ok(Change::new(frame, facts, Base::default(), items, vec![new.sentence()]))
    }

    fn held(&self, facts: &Facts) -> bool {
        is_held(facts, &self.name.0, &self.holder.0, Purpose::Targets)
    }
}

impl Rotation {
    fn role(&self) -> Role {
        let keys = self.targets.keys.iter().map(|Word(name)| name.clone()).collect();
        Role { keys: Keys::These(keys), threshold: self.targets.threshold }
    }

    fn gone(&self) -> impl Iterator<Item = (KeyName, KeyEvent)> {
        let lost = self.targets.lost.iter().map(|Word(name)| (name.clone(), KeyEvent::Lost));
        let stolen = self.targets.compromised.iter();
        lost.chain(stolen.map(|Word(name)| (name.clone(), KeyEvent::Compromised)))
    }
}

impl Ceremony for Rotation {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let wanted = Wanted {
            targets: self.role(),
            targets_valid_for: Some(self.targets.valid_for.0),
            targets_as_in: self.targets.as_in,
            targets_without: self.targets.without_paths.clone(),
            gone: self.gone().collect(),
            declared: self.declared.as_ref().map(Said::keys),
            ..Wanted::again(self.root.valid_for.0)
        };
        let made = root_change(frame, facts, &wanted)?;
        Ok(Change::new(frame, facts, made.base, made.items, made.summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let said = |(name, event): (KeyName, KeyEvent)| {
            facts.keys.get(&name).is_some_and(|r| r.life.iter().any(|(before, _)| *before == event))
        };
        is_so(facts, &RoleName::Targets, Purpose::Targets, &self.role()) && self.gone().all(said)
    }
}
