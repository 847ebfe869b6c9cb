//! Changes that nobody here planned, set aside: whoever can write to a medium can plant one for any
//! runbook, and it must neither be carried out nor stand in the way of the runbook.
//!
//! A change counts if it comes out of its runbook again. One that doesn't, and on which a living key
//! or a session held here has worked, is refused: it may be ours and this copy old, and keys that signed it
//! sign no other. Any other is named, with the line that puts it away, and the runbook is planned
//! anew. Nothing is deleted here, since a record only grows.

use super::recomputed::recomputed;
use super::rules;
use super::session::{Session, typed};
use super::sign::going_on;
use super::table::finished;
use crate::ceremony::Ceremony;
use crate::ceremony::change::Change;
use crate::ceremony::people::KeyName;
use crate::record::deeds::Deed;
use crate::record::{Contents, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::Console;
use crate::ui::screen::{Screen, Tone};
use std::collections::BTreeSet;

/// What was done for a change in this very copy of the record. What can't be read is no sign that nothing
/// was done.
pub type Here<'a> = dyn Fn(&Digest) -> Result<BTreeSet<Deed>> + 'a;

/// The change of a runbook that goes on, none if all there are were planted: of several the one that
/// has most signatures, then one that was worked on in this copy, then the last. Anyone can plan a
/// runbook again on a copy, and what people have half signed must not give way to that.
///
/// # Errors
///
/// What `here` refuses; `CHANGE-RECOMPUTED` and what a kind refuses, for a change that has been worked
/// on and doesn't come out of its runbook again.
pub fn open_change<'a>(
    contents: &'a Contents,
    runbook: &Digest,
    ceremony: &dyn Ceremony,
    here: &Here<'_>,
) -> Result<Option<&'a StoredChange>> {
    let going_on =
        |stored: &&StoredChange| stored.change.frame.runbook == *runbook && !finished(stored, contents);
    let mut sound: Vec<(bool, &StoredChange)> = Vec::new();
    let mut worked_on = Ok(());
    for stored in contents.changes.values().filter(going_on) {
        match recomputed(stored, contents).and_then(|()| own(stored, contents, ceremony, here)) {
            Ok(()) => sound.push((acted(stored, contents, here)?, stored)),
            Err(refusal) if is_worked_on(stored, contents, here)? => worked_on = Err(refusal),
            Err(_) => {}
        }
    }
    let weight = |(acted, stored): &(bool, &StoredChange)| {
        (signers(stored, contents).len(), *acted, stored.change.frame.held_at, stored.digest)
    };
    match sound.into_iter().max_by_key(weight) {
        Some((_, sound)) => Ok(Some(sound)),
        None => worked_on.map(|()| None),
    }
}

/// Tells apart two changes that make the same documents, which are the newest: one of them was computed
/// again before it was signed, the other is a copy of its documents under another runbook, which
/// would then pass for carried out.
fn own(stored: &StoredChange, contents: &Contents, ceremony: &dyn Ceremony, here: &Here<'_>) -> Result<()> {
    let trusted = |d: &MetadataPayload| {
        contents.facts.newest(d.role()).is_some_and(|newest| newest.payload().digest() == d.digest())
    };
    if !stored.change.documents().any(trusted) {
        return Ok(());
    }
    let runbook = stored.change.frame.runbook;
    let documents = documents(&stored.change);
    let twin = contents.changes.values().find(|other| {
        other.change.frame.runbook != runbook && !documents.is_disjoint(&self::documents(&other.change))
    });
    let Some(twin) = twin else { return Ok(()) };
    if ceremony.held(&contents.facts) || !here(&stored.digest)?.is_empty() {
        return Ok(());
    }
    let found = format!("documents of the change {}, \"{}\"", twin.digest, visible(&twin.change.frame.title));
    Err(Refusal::new(&rules::CHANGE_RECOMPUTED, found, "documents that come out of this runbook"))
}

/// Whether a session in this very copy signed a change, sealed it, or made or took in a key for it, by keys
/// that nobody has given up: what a key did before it was stolen is to be done anew without it.
fn acted(stored: &StoredChange, contents: &Contents, here: &Here<'_>) -> Result<bool> {
    let living = |key: &KeyName| contents.facts.keys.get(key).is_none_or(|record| record.life.is_empty());
    Ok(here(&stored.digest)?.iter().any(|deed| match deed {
        Deed::Signed(key) | Deed::Made(key) => living(key),
        Deed::Sealed | Deed::Destroying(_) | Deed::Destroyed(_) | Deed::Dealt(..) | Deed::Copied(..) => false,
    }))
}

/// What keys that this record knows, and that nobody has given up, have signed of a change.
fn signers(stored: &StoredChange, contents: &Contents) -> BTreeSet<(KeyIdentity, Digest)> {
    let living = contents.facts.keys.values().filter(|record| record.life.is_empty());
    let living: BTreeSet<KeyIdentity> = living.map(|record| record.public.identity()).collect();
    let signed = stored.gathered.signatures.iter();
    signed.filter(|(key, _)| living.contains(key)).copied().collect()
}

/// Whether such a key has signed what no other change has signed that does come out of its runbook, or a
/// session in this copy has worked on it. Copies of other changes' signatures show nothing, and take
/// nothing from the change that they were copied from. A key file shows nothing either: anyone can
/// write one, and a transcript for it, around a key of their own.
fn is_worked_on(stored: &StoredChange, contents: &Contents, here: &Here<'_>) -> Result<bool> {
    let copied = |signed: &(KeyIdentity, Digest)| {
        let others = contents.changes.values().filter(|other| other.digest != stored.digest);
        let mut others = others.filter(|other| other.gathered.signatures.contains(signed));
        others.any(|other| recomputed(other, contents).is_ok())
    };
    Ok(acted(stored, contents, here)? || !signers(stored, contents).iter().all(copied))
}

/// Documents with their roles: in profile `tuf` two empty ones that end in the same second are the
/// same bytes, whatever their roles.
fn documents(change: &Change) -> BTreeSet<(RoleName, Digest)> {
    change.documents().map(|document| (document.role().clone(), document.digest())).collect()
}

fn payloads(change: &Change) -> impl Iterator<Item = Digest> + '_ {
    change.items.iter().filter_map(crate::ceremony::change::Item::payload_digest)
}

/// Open changes that were planted, each with why it doesn't count.
///
/// # Errors
///
/// What `here` refuses.
pub fn planted(contents: &Contents, here: &Here<'_>) -> Result<Vec<(Digest, Refusal)>> {
    let open = contents.changes.values().filter(|stored| going_on(stored));
    let signs = open.filter(|stored| payloads(&stored.change).next().is_some());
    let mut planted = Vec::new();
    for stored in signs {
        // Computing a change again is the dear part.
        if !is_worked_on(stored, contents, here)?
            && let Err(refusal) = recomputed(stored, contents)
        {
            planted.push((stored.digest, refusal));
        }
    }
    Ok(planted)
}

/// The line that puts a planted change away.
pub fn line(session: &Session, change: &Digest) -> String {
    let folder = typed(&session.directory.join(format!("changes/{change}")));
    format!("mv {folder} planted-{}    puts it away", &change.hex().get(..8).unwrap_or_default())
}

/// Takes the planted changes out of what was read of a record and lists them among its findings;
/// gives the lines that put them away.
///
/// # Errors
///
/// What `here` refuses.
pub fn take_out(session: &Session, contents: &mut Contents, here: &Here<'_>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (change, why) in planted(contents, here)? {
        contents.changes.remove(&change);
        contents.findings.push((format!("changes/{change}"), why));
        lines.push(line(session, &change));
    }
    Ok(lines)
}

/// Shows what was set aside, if anything was, before people are asked about anything else.
///
/// # Errors
///
/// `TERMINAL`, and what else the console refuses.
pub fn tell(
    session: &Session,
    contents: &Contents,
    here: &Here<'_>,
    console: &mut dyn Console,
) -> Result<()> {
    let planted = planted(contents, here)?;
    if planted.is_empty() {
        return Ok(());
    }
    let mut screen = Screen::new("Set aside").text(
        "Someone wrote these into the record. They don't come out of their runbooks, no known key has \
         signed them, and nothing of them is done.",
    );
    for (change, why) in &planted {
        let title = contents.changes.get(change).map_or("", |stored| stored.change.frame.title.as_str());
        screen = screen.callout(Tone::Careful, format!("\"{}\", {change}: {why}", visible(title)));
        screen = screen.next(line(session, change));
    }
    console.show(&screen)
}
