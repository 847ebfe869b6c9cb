//! A change computed again from its runbook and this copy of the record, before anything is done for it.
//!
//! A change may have come in by a medium, which anyone can write to: the proposer's word is taken for
//! nothing. What this very change has done by now is taken out of the facts first, since it was not there
//! when it was planned.
//!
//! Never: a change believed that comes out otherwise.

use super::rules;
use crate::ceremony::change::{Change, EnrolledKey, Frame, Item, NewKey};
use crate::ceremony::facts::Facts;
use crate::ceremony::moved::rests_on_limits;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Standing, State};
use crate::ceremony::{Ceremony, kinds, people, rehearsed};
use crate::record::{Contents, StoredChange};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;

/// Computes a change again from its runbook and this copy of the record: the proposer's word is
/// taken for nothing. A change that is sealed already was computed again before it was signed; its
/// documents are the newest then, since a revoked key can seal others at any time.
///
/// # Errors
///
/// `CHANGE-RECOMPUTED` if it comes out otherwise; what the ceremony itself and the rules on who
/// takes part refuse.
pub fn recomputed(stored: &StoredChange, contents: &Contents) -> Result<()> {
    let sealed = stored.standing.as_ref().is_ok_and(|s| {
        s.state == State::Published || s.state == State::Sealed && contents.stands(&stored.change)
    });
    if (sealed || half_sealed(stored, contents)) && only_signed(stored, contents) {
        return Ok(());
    }
    let refuse = |found: String| {
        let expected = "the very change that the runbook and your own record give";
        Refusal::new(&rules::CHANGE_RECOMPUTED, found, expected)
    };
    let text =
        String::from_utf8(stored.runbook.clone()).map_err(|_| refuse("a runbook of odd bytes".to_owned()))?;
    let runbook = Runbook::parse(&text)?;
    let stored_frame = &stored.change.frame;
    let frame = Frame {
        kind: runbook.kind.clone(),
        title: runbook.title.clone(),
        people: runbook.people.clone(),
        runbook: runbook.digest(),
        ..stored_frame.clone()
    };
    // Keys that this very change has made or taken in so far were not there when it was planned.
    let mut facts = contents.facts.clone();
    facts.copies.without(&stored.digest);
    // What targets keys say while it is being signed neither alters nor stops it.
    facts.said_by_targets.clear();
    for item in &stored.change.items {
        let (name, replaced) = match item {
            Item::NewKey(NewKey { name, .. }) | Item::EnrolledKey(EnrolledKey { name, .. }) => (name, None),
            Item::Certificate(new) => (&new.key, contents.key_files.get(&new.replaces)),
            Item::Restored(back) => (&back.key, contents.key_files.get(&back.replaces)),
            _ => continue,
        };
        let used = facts.keys.get(name).and_then(|record| contents.key_files.get(&record.file));
        if used.is_none_or(|(file, _)| file.change != stored.digest) {
            continue;
        }
        match (facts.keys.get_mut(name), replaced) {
            (Some(record), Some((old, _))) => {
                record.certificate.clone_from(&old.certificate);
                record.possession = old.possession.clone();
                record.file = old.digest();
                old.token.kind().clone_into(&mut record.token);
                old.token.label().clone_into(&mut record.label);
                old.token.serial().clone_into(&mut record.serial);
            }
            _ => drop(facts.keys.remove(name)),
        }
    }
    // Nor were its own documents, which a key that was given up can seal before those who are asked do.
    for document in stored.change.documents() {
        let (role, version) = (document.role(), document.version());
        if facts.newest(role).is_some_and(|newest| newest.version() >= version) {
            continue;
        }
        facts.unvouched.retain(|_, held| held.payload().digest() != document.digest());
        if facts.history.remove(&document.digest()) && facts.reached.get(role) == Some(&version) {
            facts.reached.insert(role.clone(), version.saturating_sub(1));
        }
    }
    if frame.rehearsal.is_some_and(|r| !contents.holds_rehearsal(&r, &frame.runbook)) {
        return Err(refuse("a rehearsal of this runbook that this record doesn't hold".to_owned()));
    }
    let mut within = facts.limits.ceremony.sign_within;
    // What rests on no limits goes on under newer ones, to the day that those which it names gave it.
    let named = (stored.change.limits.number, stored.change.limits.sha);
    if !rests_on_limits(&stored.change) && named.0 < facts.limits_number {
        let Some(limits) = contents.limits_ever.get(&named) else {
            return Err(refuse(format!("limits {} of {}, never in force by this record", named.0, named.1)));
        };
        (facts.limits_number, facts.limits_file) = named;
        within = limits.ceremony.sign_within;
    }
    let latest = frame.held_at.plus(within)?;
    if frame.held_at > facts.today || frame.sign_by > latest {
        return Err(refuse(format!("a change held at {}, to be signed by {}", frame.held_at, frame.sign_by)));
    }
    let ceremony = kinds::read(&runbook)?;
    let again = match roll_call(stored, contents, &*ceremony, &frame, &facts) {
        Some(again) => again,
        None => ceremony.change(&frame, &facts)?,
    };
    if again.to_json() != stored.change.to_json() {
        return Err(refuse(format!(
            "the change {}, where this copy of the record gives {}",
            stored.digest,
            again.digest()
        )));
    }
    rehearsed::check(&again, &facts, "ask the administrator, who holds one and plans again")?;
    people::check_duties(&again, &facts.limits)?;
    people::check_witnesses(&again)
}

/// A roll-call as its runbook gave it when root listed other keys: each answer counts by itself, so it goes
/// on for those whom it called. None where it comes out of no root that may have been the newest then.
fn roll_call(
    stored: &StoredChange,
    contents: &Contents,
    ceremony: &dyn Ceremony,
    frame: &Frame,
    facts: &Facts,
) -> Option<Change> {
    if !stored.change.is_roll_call() {
        return None;
    }
    let same = |facts: &Facts| {
        let again = ceremony.change(frame, facts).ok()?;
        (again.to_json() == stored.change.to_json()).then_some(again)
    };
    if let Some(again) = same(facts) {
        return Some(again);
    }
    let mut then = facts.clone();
    loop {
        let newest = then.roots.pop()?.payload().digest();
        // One that nobody could seal any more when the roll-call was planned was the newest by then. Of what
        // anyone can plant, an open change says nothing of it, and a copy of its documents under another
        // day can only take a roll-call out.
        let made = |other: &&StoredChange| {
            let done = |s: &Standing| matches!(s.state, State::Sealed | State::Published);
            other.standing.as_ref().is_ok_and(done)
                && other.change.documents().any(|made| made.digest() == newest)
        };
        let mut made = contents.changes.values().filter(made);
        if made.any(|made| made.change.frame.sign_by < frame.held_at) {
            return None;
        }
        if let Some(again) = same(&then) {
            return Some(again);
        }
    }
}

/// Whether sealing was cut off after its first documents: every threshold is met, and the record
/// trusts one of them already, so it no longer comes out of the runbook. It did before it was signed.
fn half_sealed(stored: &StoredChange, contents: &Contents) -> bool {
    stored.standing.as_ref().is_ok_and(Standing::thresholds_met)
        && stored.change.documents().any(|d| {
            let newest = contents.facts.newest(d.role());
            newest.is_some_and(|newest| newest.payload().digest() == d.digest())
        })
}

/// Whether nothing is left in a change but what thresholds sign: the keys that it makes or takes in
/// came by this very change, and those that it destroys are gone. Documents that are trusted, with
/// their signatures, can be written into any change, beside whatever someone would like to be done.
fn only_signed(stored: &StoredChange, contents: &Contents) -> bool {
    let came = |name: &KeyName| {
        contents
            .key_files
            .values()
            .any(|(file, refusal)| refusal.is_none() && file.name == *name && file.change == stored.digest)
    };
    let gone = |name: &KeyName| {
        let life = contents.facts.keys.get(name).map(|record| record.life.as_slice()).unwrap_or_default();
        life.iter().any(|(event, _)| *event == KeyEvent::Destroyed)
    };
    stored.change.items.iter().all(|item| match item {
        Item::Document { .. } | Item::Statement { .. } => true,
        Item::NewKey(new) => came(&new.name),
        Item::EnrolledKey(key) => came(&key.name),
        Item::Certificate(new) => came(&new.key),
        Item::DestroyedKey { key, .. } => gone(key),
        Item::Restored(back) => came(&back.key),
        Item::Shares(new) => {
            contents.facts.copies.dealt_by(&stored.digest, &new.wrap_key).is_some_and(|set| set.here)
        }
        Item::KeyCopy { key, .. } => {
            contents.facts.copies.copied_by(&stored.digest, key).is_some_and(|copy| copy.here)
        }
    })
}
