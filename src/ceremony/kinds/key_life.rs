//! What became of keys that no root lists: statements alone, since no document changes by it.
//!
//! A delegation's key is declared by the targets keys, so that a stolen one needs no root holder; any
//! other by root's, also one that an older root listed. No key that is given up is asked.

use super::making::{asks_statement, listed};
use super::rules;
use crate::ceremony::change::{Counts, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::strict::Word;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use serde::Deserialize;
use std::collections::BTreeSet;

/// `[declared]`: developers' keys of which root says from now on what targets keys have said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    #[serde(default)]
    lost: Vec<Word<KeyName>>,
    #[serde(default)]
    compromised: Vec<Word<KeyName>>,
}

impl Said {
    /// Each with what became of it.
    pub fn keys(&self) -> Vec<(KeyName, KeyEvent)> {
        let lost = self.lost.iter().map(|Word(name)| (name.clone(), KeyEvent::Lost));
        let stolen = self.compromised.iter().map(|Word(name)| (name.clone(), KeyEvent::Compromised));
        lost.chain(stolen).collect()
    }
}

/// A statement for each key of which that hasn't been said yet, each public key once.
///
/// # Errors
///
/// `ROOT-MISSING`; `QUORUM-LOST` if fewer keys can be asked than the threshold.
pub fn declared(frame: &Frame, facts: &Facts, gone: &[(&KeyRecord, KeyEvent)]) -> Result<Vec<Item>> {
    let identities: BTreeSet<KeyIdentity> = gone.iter().map(|(record, _)| record.public.identity()).collect();
    let root = facts.roots.last().ok_or_else(|| {
        let expected = "a root, whose threshold says what became of keys";
        Refusal::new(&rules::ROOT_MISSING, "a record without a root", expected)
    })?;
    let mut said = BTreeSet::new();
    let mut items = Vec::new();
    for (record, event) in gone {
        let key = record.public.identity();
        if record.life.iter().any(|(before, _)| before == event) || !said.insert(key) {
            continue;
        }
        let role = if facts.delegation_key(&key) { RoleName::Targets } else { RoleName::Root };
        let can = |record: &&KeyRecord| record.can_sign() && !identities.contains(&record.public.identity());
        let signers: Vec<_> = listed(facts, &role).into_iter().filter(can).collect();
        let need = facts.root().and_then(|root| root.roles.get(&role)).map_or(1, |role| role.threshold.get());
        if u32::try_from(signers.len()).unwrap_or(u32::MAX) < need {
            return Err(Refusal::new(
                &rules::QUORUM_LOST,
                format!("{} keys of {role} that can be asked, at a threshold of {need}", signers.len()),
                "a threshold of keys that nobody has given up",
            ));
        }
        let sentence =
            Sentence::KeyLife { key, event: *event, at: frame.held_at, root: root.payload().digest() };
        let payload = Statement::new(facts.trust.id, sentence)?;
        items.push(Item::Statement { payload, asked: asks_statement(facts, &signers, &[Counts::New]) });
    }
    Ok(items)
}
