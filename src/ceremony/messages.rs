//! Tokens that don't take a message as long as the one they are asked to sign, as the device map says.
//!
//! Most schemes sign a digest, which the host makes. Ed25519 signs the message itself, and tokens take
//! only so much: a root of a few keys can be more. Such a key is left out, the others are asked; where
//! a threshold can't be met without it, the change is refused before anyone touches a token.
//!
//! Never: any effect on what is signed. Others have other tokens, and compute the same bytes.

use super::change::{Ask, Change, Item};
use super::facts::Facts;
use super::people::{KeyName, Person};
use super::rules;
use super::standing::{Gathered, Standing};
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeSet;

/// A key that can't sign a payload of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// The record's name.
    pub key: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// What it is asked to sign: `root version 2`.
    pub what: String,
    /// How long that is, in bytes.
    pub bytes: usize,
    /// The longest message that its token takes, in bytes.
    pub most: usize,
}

impl TooLong {
    /// In words, safe to show.
    pub fn words(&self) -> String {
        let Self { key, holder, what, bytes, most } = self;
        format!("{key} of {holder} can't sign {what}: {bytes} bytes, where its token takes {most}")
    }
}

/// The keys of one's own device map that can't sign what the change asks of them.
pub fn too_long(change: &Change, facts: &Facts) -> Vec<TooLong> {
    let mut all = Vec::new();
    for item in &change.items {
        for ask in item.asked() {
            all.extend(exceeds(item, ask, facts));
        }
    }
    all
}

/// Their names.
pub fn keys_too_long(change: &Change, facts: &Facts) -> BTreeSet<KeyName> {
    too_long(change, facts).into_iter().map(|one| one.key).collect()
}

fn exceeds(item: &Item, ask: &Ask, facts: &Facts) -> Option<TooLong> {
    let most = facts.longest_message(&ask.key, ask.public.algorithm())?;
    let bytes = item.payload()?.bytes().len();
    let (key, holder) = (ask.key.clone(), ask.holder.clone());
    (bytes > most).then(|| TooLong { key, holder, what: item.title(), bytes, most })
}

/// Refuses a change of which some threshold can't be met without such keys.
///
/// # Errors
///
/// `MESSAGE-LIMIT`; `CHANGE-ROLE` as [`Standing::of`].
pub fn check(change: &Change, gathered: &Gathered, facts: &Facts) -> Result<()> {
    let out = keys_too_long(change, facts);
    if out.is_empty() {
        return Ok(());
    }
    let mut all = gathered.clone();
    for item in &change.items {
        let Some(payload) = item.payload_digest() else { continue };
        let able = item.asked().iter().filter(|ask| !out.contains(&ask.key));
        all.signatures.extend(able.map(|ask| (ask.public.identity(), payload)));
    }
    if Standing::of(change, &all, facts)?.thresholds_met() {
        return Ok(());
    }
    let found: Vec<String> = too_long(change, facts).iter().map(TooLong::words).collect();
    Err(Refusal::new(&rules::MESSAGE_LIMIT, found.join("; "), "a threshold of keys whose tokens take it"))
}
