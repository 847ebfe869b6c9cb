//! What targets keys alone have said of developers' keys, and a change of the targets keys ends.
//!
//! A delegation's key is declared lost or stolen by a threshold of targets. Once a root lists other
//! targets keys, that word counts no more where no published document shows that clients have had the
//! key (FORMAT.md, `key-life`): whoever gets hold of keys that were given up could else end keys that
//! came in since. So a key that was declared stolen with good reason would act again.
//!
//! Who has stolen the targets keys has the same voice as who held them, and dates their words as they
//! like: no program can tell which of them are true. So people do. The runbook that changes the targets
//! keys names in `[declared]` those that are, none if none is, and the next root says it of each, shown
//! to everyone who signs (`DECLARED-CEASES`). Nothing is repeated by itself, or a thief's word would
//! become root's. The demand is made when a change is planned and never again: what targets keys say
//! while it is being signed neither alters nor stops it, and is shown to whoever signs.
//!
//! Never: a change whose items depend on what targets keys alone have said.

use super::change::{Change, Item};
use super::facts::{Facts, KeyRecord};
use super::kinds::rules::DECLARED_CEASES;
use crate::tuf::chain::signers_of;
use crate::tuf::evidence::{Assumed, Trusted};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence};
use crate::tuf::threshold::tally;
use crate::tuf::time::Time;
use std::collections::BTreeSet;

/// What a threshold of targets has said of a key, and root has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Lost or compromised.
    pub event: KeyEvent,
    /// Since when, in the words of those who signed.
    pub at: Time,
    /// Who signed.
    pub by: BTreeSet<KeyIdentity>,
}

impl Declared {
    /// Whether it is said of a key for good, so that it must not act again.
    pub const fn is_final(event: KeyEvent) -> bool {
        matches!(event, KeyEvent::Lost | KeyEvent::Compromised)
    }
}

/// The keys of which nothing that was said counts once `root` is the newest, but for those of which
/// something is said anew; each with the first of it.
fn ceasing<'a>(
    facts: &'a Facts,
    root: &MetadataPayload,
    anew: &BTreeSet<KeyIdentity>,
) -> Vec<(&'a KeyRecord, &'a Declared)> {
    // Which document doesn't matter: it only tells the count that it is not for root.
    let Some(document) = facts.documents.get(&RoleName::Targets).map(Trusted::payload) else {
        return Vec::new();
    };
    let Ok((keys, role)) = signers_of(root.document(), &RoleName::Targets) else { return Vec::new() };
    let counts = |said: &Declared| tally(keys, role, document, &Assumed(said.by.clone())).met();
    let gone = facts.said_by_targets.iter().filter(|(key, _)| !anew.contains(key));
    let gone = gone.filter(|(_, said)| !said.iter().any(counts));
    let named = |key: &KeyIdentity| facts.keys.values().find(|record| record.public.identity() == *key);
    gone.filter_map(|(key, said)| Some((named(key)?, said.iter().min_by_key(|said| said.at)?))).collect()
}

/// Refuses a root under which a declaration would cease to count that `anew` says nothing of.
///
/// # Errors
///
/// `DECLARED-CEASES`.
pub fn answered(facts: &Facts, root: &MetadataPayload, anew: &BTreeSet<KeyIdentity>) -> Result<()> {
    let ceasing = ceasing(facts, root, anew);
    if ceasing.is_empty() {
        return Ok(());
    }
    // Whoever has targets keys can declare thousands.
    let mut named: Vec<String> = ceasing.iter().take(NAMED).map(|(key, said)| words(key, said)).collect();
    if let Some(more) = ceasing.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    Err(Refusal::new(
        &DECLARED_CEASES,
        format!("{}, by none but targets keys that leave", named.join(", ")),
        "[declared] lost and compromised with those of them for which it is true, empty if for none",
    ))
}

/// How many keys a refusal names, and a change.
const NAMED: usize = 8;

fn words(key: &KeyRecord, said: &Declared) -> String {
    format!("{} of {}, declared {} since {}", key.name, key.holder, said.event.name(), said.at.date())
}

/// A line for each key of which a change leaves no word standing, for everyone who signs it; of many the
/// first few.
pub fn lines(change: &Change, facts: &Facts) -> Vec<String> {
    let Some(root) = change.documents().find(|document| *document.role() == RoleName::Root) else {
        return Vec::new();
    };
    let said = |item: &Item| match item {
        Item::Statement { payload, .. } => match payload.sentence() {
            Sentence::KeyLife { key, event, .. } if Declared::is_final(*event) => Some(*key),
            _ => None,
        },
        _ => None,
    };
    let anew = change.items.iter().filter_map(said).collect();
    let ceasing = ceasing(facts, root, &anew);
    let line = |(key, said): &(&KeyRecord, &Declared)| {
        format!("{} by targets keys alone, which counts no more with this root", words(key, said))
    };
    let mut lines: Vec<String> = ceasing.iter().take(NAMED).map(line).collect();
    if let Some(more) = ceasing.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more keys of which targets keys alone have said so"));
    }
    lines
}
