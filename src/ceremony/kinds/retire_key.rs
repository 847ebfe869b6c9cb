//! `retire-key`: a private key that no document lists any more is destroyed on its token.
//!
//! Those who may give the key up sign first that it is destroyed; then the token destroys it; only
//! then is their statement sealed. So nothing in the record says of a key that it is gone before it
//! is, and nobody destroys a key that others would still have kept.

use super::making::{asks_statement, base, listed, unknown};
use super::rules;
use crate::ceremony::change::{Change, Counts, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::{self, Step};
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::document::{Document, Keys};
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use serde::Deserialize;

/// The kind.
pub struct RetireKey;

impl Kind for RetireKey {
    fn name(&self) -> &'static str {
        "retire-key"
    }

    fn purpose(&self) -> &'static str {
        "destroy a key that no document lists any more"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    retire: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    key: Word<KeyName>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let name = &self.retire.key.0;
        let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
        let identity = record.public.identity();
        let root = facts.roots.last().ok_or_else(|| {
            let expected = "a root, whose threshold signs that the key is destroyed";
            Refusal::new(&rules::ROOT_MISSING, "a record without a root", expected)
        })?;
        let out_of_hand = |event: &KeyEvent| matches!(event, KeyEvent::Lost | KeyEvent::Destroyed);
        if let Some((event, at)) = record.life.iter().find(|(event, _)| out_of_hand(event)) {
            let found = format!("{name}, {} since {at}", event.name());
            return Err(Refusal::new(&rules::KEY_GONE, found, "a key that its holder still has"));
        }
        unlisted(facts, record)?;
        let role = if facts.delegation_key(&identity) { RoleName::Targets } else { RoleName::Root };
        let signers: Vec<_> =
            listed(facts, &role).into_iter().filter(|record| record.life.is_empty()).collect();
        let sentence = Sentence::KeyLife {
            key: identity,
            event: KeyEvent::Destroyed,
            at: frame.held_at,
            root: root.payload().digest(),
        };
        let payload = Statement::new(facts.trust.id, sentence)?;
        let items = vec![
            Item::DestroyedKey { key: name.clone(), identity },
            Item::Statement { payload, asked: asks_statement(facts, &signers, &[Counts::New]) },
        ];
        let base = base(facts, &[&RoleName::Root]);
        Ok(Change::new(frame, facts, base, items, summary(facts, record, &role)))
    }

    fn held(&self, facts: &Facts) -> bool {
        let destroyed =
            |record: &KeyRecord| record.life.iter().any(|(event, _)| *event == KeyEvent::Destroyed);
        facts.keys.get(&self.retire.key.0).is_some_and(destroyed)
    }

    fn steps(&self, change: &Change, facts: &Facts) -> Result<Vec<Step>> {
        let mut steps = step::agreement(change, facts);
        steps.extend(step::signatures(change));
        steps.extend(step::coming_in(change, facts));
        steps.extend(step::finish(change, facts));
        Ok(steps)
    }
}

/// Refuses a key that a newest document lists.
///
/// # Errors
///
/// `KEY-STILL-LISTED`.
pub fn unlisted(facts: &Facts, record: &KeyRecord) -> Result<()> {
    let identity = record.public.identity();
    let mut documents = facts.roots.last().into_iter().chain(facts.documents.values());
    let Some(document) = documents.find(|document| lists(document, &identity)) else { return Ok(()) };
    let found = format!("{}, listed by {} {}", record.name, document.role(), document.version());
    Err(Refusal::new(&rules::KEY_STILL_LISTED, found, "a key that no newest document lists"))
}

/// Whether a document lists the key in a role: a root that names no role for it lists it nowhere.
fn lists(document: &Trusted, key: &KeyIdentity) -> bool {
    let of = |keys: &Keys, ids: &[crate::tuf::key::KeyId]| {
        let entries = ids.iter().filter_map(|id| keys.get(id)?.public.as_ref());
        entries.map(PublicKey::identity).any(|listed| listed == *key)
    };
    match document.document() {
        Document::Root(root) => root.roles.values().any(|role| of(&root.keys, &role.keyids)),
        Document::Targets(targets) => {
            let delegations = &targets.delegations;
            let bins = delegations.succinct.iter().map(|bins| &bins.keys);
            let roles = delegations.roles.iter().map(|role| &role.keys).chain(bins);
            roles.into_iter().any(|role| of(&delegations.keys, &role.keyids))
        }
        Document::Snapshot(_) | Document::Timestamp(_) => false,
    }
}

fn summary(facts: &Facts, record: &KeyRecord, role: &RoleName) -> Vec<String> {
    let mut lines = vec![
        format!("{} of {} is destroyed on its token, and nothing brings it back", record.name, record.holder),
        format!("  {role} signs that it is"),
    ];
    let older = facts.roots.iter().filter(|root| lists(root, &record.public.identity()));
    let last = older.map(Trusted::version).max();
    if let (Profile::Notary, Some(version)) = (facts.trust.profile, last) {
        lines.push(format!(
            "  it can no longer help clients that know no root after root {version} to jump to the newest"
        ));
    }
    lines
}
