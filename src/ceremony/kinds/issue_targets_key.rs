//! `issue-targets-key`: the update-service administrator's key is made on a token.
//!
//! It makes the key; putting a new one in the place of the old, root and re-signed targets in one
//! change, is this kind's rotation.

use super::generate_key::{NewKeyOf, is_held};
use crate::ceremony::change::{Base, Change, Frame, Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::key::KeySpec;
use crate::tuf::rule::Result;
use serde::Deserialize;

/// The kind.
pub struct IssueTargetsKey;

impl Kind for IssueTargetsKey {
    fn name(&self) -> &'static str {
        "issue-targets-key"
    }

    fn purpose(&self) -> &'static str {
        "make the update-service administrator's key"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spec {
    targets_key: Table,
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

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let Table { name: Word(name), holder: Word(holder), algorithm: Word(algorithm) } = &self.targets_key;
        let new = NewKeyOf { name, holder, purpose: Purpose::Targets, spec: *algorithm };
        let items = vec![Item::NewKey(new.item(frame, facts)?)];
        Ok(Change::new(frame, facts, Base::default(), items, vec![new.sentence()]))
    }

    fn held(&self, facts: &Facts) -> bool {
        let key = &self.targets_key;
        is_held(facts, &key.name.0, &key.holder.0, Purpose::Targets)
    }
}
