//! `restore`: keys come back on another token, from their copies and enough cards.
//!
//! The custodians' cards bring the wrap key back; the token unwraps the copy; then the key signs its
//! proof of possession, which is checked against the public key on record. Only then is it in the
//! record as a key of that token. The wrap key leaves the token again.
//!
//! Which copy and which cards the runbook says, by their digests: no transcript decides it.
//!
//! What another tool wrapped and split comes back here too: `split-with` names the tool, in place of
//! `shares`, and `copy` the file that the tool wrote. Of neither does any transcript tell, so nothing is
//! looked up; the proof is the same.
//!
//! What a YubiHSM let out may leave the next one too, since that is a part of what is wrapped. A PKCS#11
//! token keeps what it unwrapped. People agree to the one or the other, so the plan says which.

use super::back_up::{gathered, present};
use super::rules;
use crate::ceremony::backups::Digits;
use crate::ceremony::change::{Base, Change, CopyFrom, Frame, Item, RestoredKey};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::tool_split::{Tool, ToolSplit};
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
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
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrapKeyTable {
    name: Word<KeyName>,
    /// The first digits of the manifest of its cards.
    shares: Option<Word<Digits>>,
    /// Which other tool made its shares.
    split_with: Option<Word<Tool>>,
    /// How many of that tool's shares give it.
    needed: Option<u8>,
    /// How many of them come: as many, or some more to compare.
    brought: Option<u8>,
}

/// What brings a wrap key back.
enum By {
    Cards(Digest),
    Tool(ToolSplit),
}

impl WrapKeyTable {
    fn by(&self, facts: &Facts) -> Result<By> {
        let runbook = |found: &str| {
            let expected = "shares = the first digits of the cards' manifest, or split-with, needed and brought \
                            for those of another tool";
            Refusal::new(&crate::ceremony::rules::RUNBOOK, format!("[wrap-key] with {found}"), expected)
        };
        match (&self.shares, self.split_with, self.needed, self.brought) {
            (Some(shares), None, None, None) => {
                Ok(By::Cards(facts.copies.named(&self.name.0, &shares.0)?.digest))
            }
            (None, Some(tool), Some(needed), brought) => {
                ToolSplit::new(tool.0, needed, brought.unwrap_or(needed)).map(By::Tool)
            }
            (None, Some(_), None, _) => Err(runbook("split-with and no needed")),
            (None, None, ..) => Err(runbook("neither shares nor split-with")),
            (Some(_), ..) => Err(runbook("both shares and those of another tool")),
        }
    }
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
        let by = self.wrap_key.by(facts)?;
        let mut summary: Vec<String> = match &by {
            By::Cards(shares) => gathered(wrap_key, shares, facts)?.into(),
            By::Tool(split) => vec![
                format!("the wrap key {wrap_key} is brought back by {split}"),
                "  they can't be checked: it is the wrap key only if it opens the copy".to_owned(),
            ],
        };
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
            let from = match &by {
                By::Cards(shares) => CopyFrom::Cards {
                    shares: *shares,
                    copy: facts.copies.copy((name, &identity), (wrap_key, shares), &key.copy.0)?,
                },
                By::Tool(split) => CopyFrom::Tool { split: *split, copy: key.copy.0.clone() },
            };
            summary.push(format!("{name} of {} comes back on another token, from its copy", record.holder));
            summary.push(match &from {
                CopyFrom::Cards { copy, .. } => format!("  {copy}"),
                CopyFrom::Tool { copy, .. } => format!("  the file whose SHA-256 begins {copy}"),
            });
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
            summary.push(match (&from, record.token.as_str()) {
                (_, "yubihsm") => {
                    format!("  from there it can leave again, under {wrap_key} or whatever wrap key its backup's password puts there")
                }
                (CopyFrom::Cards { .. }, _) => "  there it stays: nothing lets it out again".to_owned(),
                (CopyFrom::Tool { .. }, _) => "  whether it can leave again is asked there, and put on record".to_owned(),
            });
            items.push(Item::Restored(RestoredKey {
                key: name.clone(),
                identity,
                wrap_key: wrap_key.clone(),
                from,
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
        self.key.iter().all(|key| {
            let name = &key.name.0;
            // The very token that is named, and not any other: a slip in its number must not look like a
            // key that is back.
            facts.keys.get(name).is_some_and(|record| record.serial != key.lost_token)
                && facts.copies.came_back.get(name).is_some_and(|former| former.contains(&key.lost_token))
        })
    }
}
