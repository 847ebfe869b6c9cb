//! `back-up`: keys leave their tokens wrapped, under a wrap key that people hold in shares.
//!
//! The wrap key is made in the ceremony and dealt out before any key leaves, so no copy is ever made
//! that nobody could open. It is on a token for as long as a key takes to leave it. Never a root's
//! own shares: what is split is the wrap key, and a root's redundancy is more root keys.
//!
//! A key can only leave if it was made so (`wrap-key` in `generate-key`), and only under the wrap key
//! that was named then. Which secret that name means people say themselves: by the digest of the
//! manifest of its cards, since a transcript can be written by anyone.

use super::making::unknown;
use super::rules;
use crate::ceremony::backups::Digits;
use crate::ceremony::change::{Base, Change, Frame, Item, NewShares};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::share_manifest::{SetId, ShareLine, ShareManifest, ShareUse};
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use serde::Deserialize;

/// The kind.
pub struct BackUp;

impl Kind for BackUp {
    fn name(&self) -> &'static str {
        "back-up"
    }

    fn purpose(&self) -> &'static str {
        "copy keys, wrapped under a key that people hold in shares"
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

/// A new wrap key says who holds its shares; one that is there the digest of its shares' manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrapKeyTable {
    name: Word<KeyName>,
    /// The first digits of its shares' manifest.
    shares: Option<Word<Digits>>,
    title: Option<String>,
    needed: Option<u8>,
    #[serde(default)]
    holders: Vec<Word<Person>>,
    /// The sets of shares of this name that it takes the place of.
    #[serde(default, rename = "instead-of")]
    instead_of: Vec<Word<Digits>>,
}

/// What a runbook says of its wrap key.
enum Wrapping<'a> {
    /// It is made and dealt out.
    New(NewShares),
    /// It is brought back by the cards of the manifest whose digest begins so.
    There(&'a Digits),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    name: Word<KeyName>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let wrap_key = &self.wrap_key.name.0;
        let mut items = Vec::new();
        let mut summary = Vec::new();
        let wrapping = self.wrap_key.wrapping()?;
        let shares = match &wrapping {
            Wrapping::New(_) => None,
            Wrapping::There(shares) => Some(facts.copies.named(wrap_key, shares)?.digest),
        };
        if let Wrapping::New(new) = wrapping {
            self.wrap_key.expect_new(&new, frame, facts)?;
            let holders: Vec<&str> = new.holders.iter().map(Person::as_str).collect();
            summary.push(format!(
                "the wrap key {wrap_key} is made and dealt out: any {} of {} cards bring it back",
                new.needed,
                new.holders.len()
            ));
            summary.push(format!("  cards go to {}", holders.join(", ")));
            items.push(Item::Shares(new));
        } else if let Some(shares) = &shares {
            summary.extend(gathered(wrap_key, shares, facts)?);
        }
        for (at, Word(name)) in self.key.iter().map(|key| &key.name).enumerate() {
            if self.key.iter().take(at).any(|earlier| earlier.name.0 == *name) {
                let found = format!("{name} twice in the runbook");
                return Err(Refusal::new(&rules::KEY_NAME_TAKEN, found, "each key once"));
            }
            let record = present(facts, name)?;
            let made_for = facts.copies.leaves.get(name);
            if made_for != Some(wrap_key) {
                let found = match made_for {
                    None => format!("{name}, which never leaves its token"),
                    Some(other) => format!("{name}, made to leave under {other}"),
                };
                return Err(Refusal::new(
                    &rules::WRAP_KEY_OTHER,
                    found,
                    format!("a key made with wrap-key = \"{wrap_key}\""),
                ));
            }
            let identity = record.public.identity();
            summary.push(format!("{name} of {} leaves its token, wrapped under {wrap_key}", record.holder));
            items.push(Item::KeyCopy { key: name.clone(), identity, wrap_key: wrap_key.clone(), shares });
        }
        if self.key.is_empty() {
            return Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                "no [[key]] table",
                "one for each key to back up",
            ));
        }
        summary.push("  whoever has a copy and enough cards has the key".to_owned());
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let copied = |shares: &Digest| {
            self.key.iter().all(|key| {
                let record = facts.keys.get(&key.name.0);
                record.is_some_and(|r| facts.copies.copied_here(&key.name.0, &r.public.identity(), shares))
            })
        };
        match self.wrap_key.wrapping() {
            Ok(Wrapping::There(shares)) => {
                facts.copies.named(&self.wrap_key.name.0, shares).is_ok_and(|set| copied(&set.digest))
            }
            Ok(Wrapping::New(new)) => {
                let mut sets = facts.copies.sets.get(&new.wrap_key).into_iter().flatten();
                sets.any(|set| set.here && is_as_asked(&set.manifest, &new) && copied(&set.digest))
            }
            Err(_) => false,
        }
    }
}

impl WrapKeyTable {
    fn wrapping(&self) -> Result<Wrapping<'_>> {
        let runbook = |found: &str| {
            let expected = "title, needed and holders for a new wrap key, or the first digits of its shares' manifest alone";
            Refusal::new(&crate::ceremony::rules::RUNBOOK, format!("[wrap-key] with {found}"), expected)
        };
        let new = match (&self.title, self.needed, self.holders.as_slice()) {
            (None, None, []) if self.instead_of.is_empty() => {
                let missing = || {
                    Refusal::new(
                        &crate::ceremony::rules::WRAP_KEY_SET,
                        format!("[wrap-key] {} without shares", self.name.0),
                        "shares = the first digits of its manifest, or who is to hold a new one's",
                    )
                };
                return self.shares.as_ref().map(|shares| Wrapping::There(&shares.0)).ok_or_else(missing);
            }
            _ if self.shares.is_some() => return Err(runbook("both shares and those of a new one")),
            (None, _, _) => return Err(runbook("no title")),
            (_, None, _) => return Err(runbook("no needed")),
            (_, _, []) => return Err(runbook("no holders")),
            (Some(title), Some(needed), holders) => NewShares {
                wrap_key: self.name.0.clone(),
                title: title.clone(),
                needed,
                holders: holders.iter().map(|holder| holder.0.clone()).collect(),
            },
        };
        Ok(Wrapping::New(new))
    }

    fn expect_new(&self, new: &NewShares, frame: &Frame, facts: &Facts) -> Result<()> {
        let instead_of: Vec<Digits> = self.instead_of.iter().map(|digits| digits.0.clone()).collect();
        facts.copies.expect_new(&self.name.0, &instead_of)?;
        // What a manifest refuses is refused before anyone has agreed to anything.
        planned(new, frame, facts).to_json().map(|_| ())
    }
}

/// Whether a manifest is of the set that was asked for.
fn is_as_asked(manifest: &ShareManifest, new: &NewShares) -> bool {
    (manifest.needed, &manifest.title) == (new.needed, &new.title)
        && manifest.shares.iter().map(|line| &line.holder).eq(&new.holders)
}

/// How a wrap key comes back, in words: by the cards of that very manifest.
pub(super) fn gathered(wrap_key: &KeyName, shares: &Digest, facts: &Facts) -> Result<[String; 2]> {
    let set = facts.copies.set(wrap_key, shares)?;
    Ok([
        format!(
            "the wrap key {wrap_key} is brought back by {} of {} cards of set {}",
            set.needed,
            set.of(),
            set.set
        ),
        format!("  their manifest: {shares}"),
    ])
}

/// The manifest as far as it can be known before the shares are made: every number in it that people
/// choose.
fn planned(new: &NewShares, frame: &Frame, facts: &Facts) -> ShareManifest {
    let line = |(number, holder): (u8, &Person)| ShareLine {
        number,
        holder: holder.clone(),
        commitment: Digest::of(&[number]),
    };
    ShareManifest {
        trust: facts.trust.id,
        set: SetId::from_bytes([0; 16]),
        date: frame.held_at,
        purpose: ShareUse::WrapKey,
        title: new.title.clone(),
        identifier: 0,
        words: 33,
        needed: new.needed,
        check: [0; 8],
        shares: (1u8..=u8::MAX).zip(&new.holders).map(line).collect(),
    }
}

/// A key that its holder still has.
pub(super) fn present<'a>(facts: &'a Facts, name: &KeyName) -> Result<&'a KeyRecord> {
    let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
    match record.life.first() {
        None => Ok(record),
        Some((event, at)) => {
            let found = format!("{name}, {} since {at}", event.name());
            Err(Refusal::new(&rules::KEY_GONE, found, "a key that is in use"))
        }
    }
}
