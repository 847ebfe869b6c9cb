//! Changes: whole ones, with the signatures that came in for them.

use super::{Desk, other_trust};
use crate::ceremony::change::{Change, Item};
use crate::ceremony::standing::Gathered;
use crate::record::contents::StoredChange;
use crate::record::names::Place;
use crate::record::rules;
use crate::record::signed::read_signature;
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use crate::tuf::time::Time;
use std::collections::BTreeMap;

/// The files of one change's folder.
#[derive(Default)]
struct Folder {
    change: Option<Place>,
    runbook: Option<Place>,
    payloads: BTreeMap<usize, Place>,
    signatures: Vec<Place>,
}

/// Reads them; how they stand is said when the facts are known.
pub(super) fn read(desk: &mut Desk<'_>) -> BTreeMap<Digest, StoredChange> {
    let mut folders: BTreeMap<Digest, Folder> = BTreeMap::new();
    for place in &desk.places {
        match place {
            Place::Change(change) => folders.entry(*change).or_default().change = Some(place.clone()),
            Place::Runbook(change) => folders.entry(*change).or_default().runbook = Some(place.clone()),
            Place::Payload(change, n) => {
                folders.entry(*change).or_default().payloads.insert(*n, place.clone());
            }
            Place::Signature(change, ..) => {
                folders.entry(*change).or_default().signatures.push(place.clone());
            }
            _ => {}
        }
    }
    let mut changes = BTreeMap::new();
    for (digest, folder) in folders {
        match whole(desk, digest, &folder) {
            Ok(mut stored) => {
                let rest = folder.change.iter().chain(&folder.runbook).chain(folder.payloads.values());
                for place in rest {
                    desk.accept(place);
                }
                signatures(desk, &mut stored, &folder.signatures);
                changes.insert(digest, stored);
            }
            Err(refusal) => {
                let all = folder.change.iter().chain(&folder.runbook).chain(folder.payloads.values());
                for place in all.chain(&folder.signatures) {
                    desk.refuse(place, refusal.clone());
                }
            }
        }
    }
    changes
}

/// When each key last answered a roll-call. The sentence that it signed holds for that change alone,
/// since it commits to the change's nonce and date.
pub(super) fn roll_calls<'a>(changes: impl Iterator<Item = &'a StoredChange>) -> BTreeMap<KeyIdentity, Time> {
    let mut last = BTreeMap::new();
    for stored in changes {
        let frame = &stored.change.frame;
        for item in &stored.change.items {
            let Item::Statement { payload, .. } = item else { continue };
            let Sentence::RollCall { key, nonce } = payload.sentence() else { continue };
            let answer = (*key, Digest::of(payload.bytes()));
            if *nonce == frame.roll_call() && stored.gathered.signatures.contains(&answer) {
                let at = last.entry(*key).or_insert(frame.held_at);
                *at = frame.held_at.max(*at);
            }
        }
    }
    last
}

/// The change, if all its files are there and are the ones that it names.
fn whole(desk: &mut Desk<'_>, digest: Digest, folder: &Folder) -> Result<StoredChange> {
    let lacks = |what: &str| {
        Refusal::new(
            &rules::RECORD_REST,
            format!("the change {digest} without its {what}"),
            "the whole folder of the change",
        )
    };
    let place = folder.change.as_ref().ok_or_else(|| lacks("change.json"))?;
    let json = desk.files.bytes(place)?;
    let place = folder.runbook.as_ref().ok_or_else(|| lacks("runbook.toml"))?;
    let runbook = desk.files.bytes(place)?.into_owned();
    let mut payloads = BTreeMap::new();
    for (n, place) in &folder.payloads {
        payloads.insert(*n, desk.files.bytes(place)?.into_owned());
    }
    let change = Change::from_json(&json, &runbook, &payloads, desk.trust.profile)?;
    if change.trust != desk.trust.id {
        return Err(other_trust(&change.trust));
    }
    Ok(StoredChange {
        digest,
        change,
        runbook,
        signatures: BTreeMap::new(),
        gathered: Gathered::default(),
        standing: Err(lacks("standing")),
    })
}

/// The signatures that verify: one for each key and payload, whatever files say it.
fn signatures(desk: &mut Desk<'_>, stored: &mut StoredChange, places: &[Place]) {
    let profile = desk.trust.profile;
    for place in places {
        let Place::Signature(_, named, _) = place else { continue };
        let read = desk.read(place, |bytes| read_signature(&stored.change, profile, bytes));
        let Some(signature) = read else { continue };
        if signature.payload() != *named {
            let found = format!("a signature over the payload {}", signature.payload());
            desk.refuse(
                place,
                Refusal::new(&rules::RECORD_NAME, found, format!("{named}, as the name says")),
            );
            continue;
        }
        desk.accept(place);
        let there = stored.signatures.entry(signature.payload()).or_default();
        if there.iter().all(|other| other.key() != signature.key()) {
            stored.gathered.signatures.push((signature.key(), signature.payload()));
            there.push(signature);
        }
    }
}
