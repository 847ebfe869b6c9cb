//! `restore`: keys come back on another token, from their copies and enough cards.
//!
//! The custodians' cards bring the wrap key back; the token unwraps the copy; then the key signs its
//! proof of possession, which is checked against the public key on record. Only then is it in the
//! record as a key of that token. The wrap key leaves the token again.
//!
//! Which copy and which cards the runbook says, by their digests: no transcript decides it.

use super::back_up::{gathered, present};
use super::rules;
use crate::ceremony::backups::Digits;
use crate::ceremony::change::{Base, Change, Frame, Item, RestoredKey};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use serde::Deserialize;

/// The kind.
pub struct Restore;

impl Kind for Restore {
    fn name(&self) -> &'static str {
        "restore"
    }

    fn purpose(&self) -> &'static str {
        "bring keys back on another token, from copies and shares"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Spec {
    wrap_key: WrapKeyTable,
    key: Vec<KeyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrapKeyTable {
    name: Word<KeyName>,
    /// The first digits of the manifest of its shares.
    shares: Word<Digits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    name: Word<KeyName>,
    /// The serial number of the token that the key is lost with: once another one holds it, nothing
    /// is due any more, and the very same runbook does nothing.
    #[serde(rename = "lost-token")]
    lost_token: String,
    /// The first digits of the file of its copy.
    copy: Word<Digits>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let mut items = Vec::new();
        let wrap_key = &self.wrap_key.name.0;
        let shares = facts.copies.named(wrap_key, &self.wrap_key.shares.0)?.digest;
        let mut summary: Vec<String> = gathered(wrap_key, &shares, facts)?.into();
        for (at, key) in self.key.iter().enumerate() {
            let name = &key.name.0;
            if self.key.iter().take(at).any(|earlier| earlier.name.0 == *name) {
                let found = format!("{name} twice in the runbook");
                return Err(Refusal::new(&rules::KEY_NAME_TAKEN, found, "each key once"));
            }
            let record = present(facts, name)?;
            if record.serial != key.lost_token {
                return Err(Refusal::new(
                    &rules::RESTORE_TOKEN,
                    format!("{name} on the token with serial \"{}\"", visible(&key.lost_token)),
                    format!("\"{}\", which the record has", visible(&record.serial)),
                ));
            }
            let identity = record.public.identity();
            let copy = facts.copies.copy((name, &identity), (wrap_key, &shares), &key.copy.0)?;
            summary.push(format!("{name} of {} comes back on another token, from its copy", record.holder));
            summary.push(format!("  {copy}"));
            // A YubiHSM has no label.
            let label = if record.label.is_empty() {
                String::new()
            } else {
                format!(" \"{}\",", visible(&record.label))
            };
            summary.push(format!(
                "  the token{label} serial {}, still holds it: destroy it there if it turns up",
                visible(&record.serial)
            ));
            items.push(Item::Restored(RestoredKey {
                key: name.clone(),
                identity,
                wrap_key: wrap_key.clone(),
                shares,
                copy,
                replaces: record.file,
            }));
        }
        if items.is_empty() {
            return Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                "no [[key]] table",
                "one for each key to restore",
            ));
        }
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        // A key that may still leave is on the token on which it was made.
        self.key.iter().all(|key| {
            facts.keys.get(&key.name.0).is_some_and(|record| record.serial != key.lost_token)
                && !facts.copies.leaves.contains_key(&key.name.0)
                && facts.copies.made.contains_key(&key.name.0)
        })
    }
}
