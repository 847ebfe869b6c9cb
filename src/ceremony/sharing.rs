//! Dealing cards out and gathering them, step by step: what must have happened before what.
//!
//! A machine without secrets: it is told what was done and says what comes next. In a dealing every
//! choice of enough shares has given the secret before the first card is shown, each custodian types
//! their card back before the next one is shown, and the secret may be used once the last is read. In
//! a gathering each card is held against the manifest as it comes, so that the wrong one is named
//! and not the whole set.
//!
//! Never: a dealing that goes on where another was cut off. Shares are in no file, so the secret is
//! split anew, under another set's name, and cards of the first are destroyed.

use super::rules;
use super::share_manifest::{Card, ShareLine, ShareManifest};
use crate::ceremony::people::Person;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeSet;

/// What comes next in a dealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<'a> {
    /// The card of this share is shown, or printed, to its holder alone.
    Show(&'a ShareLine),
    /// Its holder types it back.
    ReadBack(&'a ShareLine),
    /// All cards are out: the secret may be used.
    Done,
}

/// Shares on their way to their holders.
#[derive(Debug)]
pub struct Dealing<'a> {
    manifest: &'a ShareManifest,
    /// How many cards are read back.
    read: usize,
    shown: bool,
}

/// That every card of a manifest is with its holder and readable: what using the secret asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Dealt(());

impl<'a> Dealing<'a> {
    /// Begins, once `agreed` choices of shares have each given the secret.
    ///
    /// # Errors
    ///
    /// `SHARE-CHOICES` if that is not every one; what the manifest's own rules refuse.
    pub fn begin(manifest: &'a ShareManifest, agreed: usize) -> Result<Self> {
        manifest.to_json()?;
        if agreed == manifest.choices() {
            return Ok(Self { manifest, read: 0, shown: false });
        }
        let found = format!("{agreed} choices of {} shares tried", manifest.needed);
        Err(Refusal::new(&rules::SHARE_CHOICES, found, format!("all {}", manifest.choices())))
    }

    /// What comes next.
    pub fn turn(&self) -> Turn<'a> {
        match self.manifest.shares.get(self.read) {
            Some(line) if self.shown => Turn::ReadBack(line),
            Some(line) => Turn::Show(line),
            None => Turn::Done,
        }
    }

    /// The card of share `number` was shown. The same card may be shown again until it is read back.
    ///
    /// # Errors
    ///
    /// `SHARE-TURN` for any other.
    pub fn shown(&mut self, number: u8) -> Result<()> {
        match self.turn() {
            Turn::Show(line) | Turn::ReadBack(line) if line.number == number => {
                self.shown = true;
                Ok(())
            }
            turn => Err(out_of_turn(&format!("the card of share {number} shown"), turn)),
        }
    }

    /// A card was typed back.
    ///
    /// # Errors
    ///
    /// `SHARE-TURN` if none was shown; `SHARE-FOREIGN` and `SHARE-COMMITMENT` as
    /// [`ShareManifest::recognise`]; `SHARE-HOLDER` for another card of the set.
    pub fn read_back(&mut self, card: &Card) -> Result<()> {
        let Turn::ReadBack(line) = self.turn() else {
            return Err(out_of_turn(&format!("share {} typed", card.number), self.turn()));
        };
        let found = self.manifest.recognise(card)?;
        if found != line {
            return Err(another(found, format!("share {}, held by {}", line.number, line.holder)));
        }
        self.read = self.read.saturating_add(1);
        self.shown = false;
        Ok(())
    }

    /// Ends a dealing whose cards are all read back.
    ///
    /// # Errors
    ///
    /// `SHARE-TURN`.
    pub fn finish(self) -> Result<Dealt> {
        match self.turn() {
            Turn::Done => Ok(Dealt(())),
            turn => Err(out_of_turn("the secret about to be used", turn)),
        }
    }
}

fn out_of_turn(found: &str, turn: Turn<'_>) -> Refusal {
    let expected = match turn {
        Turn::Show(line) => format!("the card of share {} shown to {} first", line.number, line.holder),
        Turn::ReadBack(line) => format!("{} to type share {} back first", line.holder, line.number),
        Turn::Done => "nothing more: every card is read back".to_owned(),
    };
    Refusal::new(&rules::SHARE_TURN, found, expected)
}

fn another(found: &ShareLine, expected: String) -> Refusal {
    let found = format!("the card of share {}, held by {}", found.number, found.holder);
    Refusal::new(&rules::SHARE_HOLDER, found, expected)
}

/// Whose card this is, of a manifest: a drill.
///
/// # Errors
///
/// As [`ShareManifest::recognise`]; `SHARE-HOLDER` if it is another person's.
pub fn drill<'a>(manifest: &'a ShareManifest, holder: &Person, card: &Card) -> Result<&'a ShareLine> {
    let line = manifest.recognise(card)?;
    if line.holder == *holder { Ok(line) } else { Err(another(line, format!("a card of {holder}"))) }
}

/// Shares on their way back.
#[derive(Debug)]
pub struct Gathering<'a> {
    manifest: &'a ShareManifest,
    given: BTreeSet<u8>,
}

impl<'a> Gathering<'a> {
    /// Begins without a card.
    pub const fn begin(manifest: &'a ShareManifest) -> Self {
        Self { manifest, given: BTreeSet::new() }
    }

    /// How many cards are still needed.
    pub fn missing(&self) -> usize {
        usize::from(self.manifest.needed).saturating_sub(self.given.len())
    }

    /// Who could still bring one.
    pub fn waiting(&self) -> impl Iterator<Item = &'a ShareLine> {
        self.manifest.shares.iter().filter(|line| !self.given.contains(&line.number))
    }

    /// A card was typed; answers how many are still needed.
    ///
    /// # Errors
    ///
    /// As [`ShareManifest::recognise`]; `SHARE-GIVEN` for a card that is here already, or one more
    /// than is needed.
    pub fn give(&mut self, card: &Card) -> Result<usize> {
        let line = self.manifest.recognise(card)?;
        if self.missing() == 0 || self.given.contains(&line.number) {
            let found = format!("share {}, held by {}", line.number, line.holder);
            let expected = match self.missing() {
                0 => "no more cards: there are enough".to_owned(),
                missing => format!("{missing} other cards of the set"),
            };
            return Err(Refusal::new(&rules::SHARE_GIVEN, found, expected));
        }
        self.given.insert(line.number);
        Ok(self.missing())
    }

    /// Compares what the cards gave with what was split: by the check value of the secret.
    ///
    /// # Errors
    ///
    /// `SHARE-CHECK`; `SHARE-GIVEN` if cards are still missing.
    pub fn finish(self, check: [u8; 8]) -> Result<()> {
        if self.missing() > 0 {
            let found = format!("{} cards", self.given.len());
            return Err(Refusal::new(&rules::SHARE_GIVEN, found, format!("{}", self.manifest.needed)));
        }
        if check == self.manifest.check {
            return Ok(());
        }
        let hex = |value: &[u8; 8]| base16ct::lower::encode_string(value);
        Err(Refusal::new(&rules::SHARE_CHECK, hex(&check), hex(&self.manifest.check)))
    }
}
