//! What a session keeps for keys that leave their tokens or come back: wrap keys, the folder of copies, and
//! the folder of pages of cards. Nothing of it is written anywhere.

use super::Keyring;
use crate::ceremony::change::{Change, Item};
use crate::ceremony::sharing::Dealt;
use crate::cli::cards::CardsFolder;
use crate::cli::copies::CopiesFolder;
use crate::cli::rules;
use crate::signer::slip39::Secret;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};

impl Keyring {
    /// Keeps a new wrap key until the session ends, when it is wiped: once every card of its manifest is
    /// read back, and not before.
    pub fn hold_wrap_key(&mut self, shares: Digest, secret: Secret, _: &Dealt) {
        self.hold_gathered(shares, secret);
    }

    /// The same of one that cards brought back.
    pub fn hold_gathered(&mut self, shares: Digest, secret: Secret) {
        self.wrap_keys.insert(shares, secret);
    }

    /// A wrap key that this session has made or brought back, by its shares' manifest.
    pub fn wrap_key(&self, shares: &Digest) -> Option<&Secret> {
        self.wrap_keys.get(shares)
    }

    /// Where copies of keys lie.
    ///
    /// # Errors
    ///
    /// `COPIES-FOLDER` if the device map names no folder.
    pub fn copies(&self) -> Result<CopiesFolder> {
        let folder = self.map.as_ref().and_then(|map| map.copies.clone());
        folder.map(CopiesFolder).ok_or_else(|| {
            Refusal::new(
                &rules::COPIES_FOLDER,
                "no [copies] in the device map",
                "[copies] folder = \"FOLDER\"",
            )
        })
    }

    /// Refuses to begin what keeps or brings back a key that is in reach here while the folder of
    /// copies is not there: a confined process can't make it, nor see what is mounted later.
    ///
    /// # Errors
    ///
    /// `COPIES-FOLDER`.
    pub fn copies_ready(&self, change: &Change) -> Result<()> {
        let here = |item: &Item| match item {
            Item::KeyCopy { key, .. } => self.here(key).then_some(true),
            Item::Restored(back) => self.here(&back.key).then_some(false),
            _ => None,
        };
        let writes: Vec<bool> = change.items.iter().filter_map(here).collect();
        if writes.is_empty() { Ok(()) } else { self.copies()?.ready(writes.contains(&true)) }
    }

    /// Begins a session: removes the pages of cards that one has left which was killed, and says how many.
    /// The folder stays in reach only of a session that `deals` cards out.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE` for a page that stays.
    pub fn sweep_cards(&mut self, deals: bool) -> Result<usize> {
        let Some(folder) = self.map.as_ref().and_then(|map| map.cards.as_deref()) else { return Ok(0) };
        let cards = CardsFolder::open(folder);
        let gone = cards.as_ref().map_or(Ok(0), CardsFolder::sweep)?;
        self.cards = deals.then_some(cards);
        Ok(gone)
    }

    /// Where pages of cards are written; none if they are copied from the screen.
    ///
    /// # Errors
    ///
    /// `CARDS-FOLDER`.
    pub fn cards(&self) -> Result<Option<CardsFolder>> {
        self.cards.clone().transpose()
    }

    /// Refuses to begin a dealing whose pages could not be written.
    ///
    /// # Errors
    ///
    /// `CARDS-FOLDER`.
    pub fn cards_ready(&self, change: &Change) -> Result<()> {
        let deals = change.items.iter().any(|item| matches!(item, Item::Shares(_)));
        if deals { self.cards().map(drop) } else { Ok(()) }
    }
}
