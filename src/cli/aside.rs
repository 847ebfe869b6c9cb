//! Changes that nobody here planned, set aside: whoever can write to a medium can plant one for any
//! runbook, and it must neither be carried out nor stand in the way of the runbook.
//!
//! A change counts if it comes out of its runbook again. One that doesn't, and on which a known key
//! or a ceremony has worked, is refused: it may be ours and this copy old, and keys that signed it
//! sign no other. Any other is named, with the line that puts it away, and the runbook is planned
//! anew. Nothing is deleted here, since a record only grows.

use super::rules;
use super::session::{Session, shown};
use super::sign::going_on;
use super::table::{finished, recomputed};
use crate::ceremony::Ceremony;
use crate::ceremony::change::Change;
use crate::ceremony::transcript::{CeremonyId, Outcome, Transcript};
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

/// The change of a runbook that goes on: of several the last, none if all there are were planted.
///
/// `held_here` says whether a session was held in this very copy of the record.
///
/// # Errors
///
/// `CHANGE-RECOMPUTED` and what a kind refuses, for a change that has been worked on and doesn't
/// come out of its runbook again.
pub fn open_change<'a>(
    contents: &'a Contents,
    runbook: &Digest,
    ceremony: &dyn Ceremony,
    held_here: &dyn Fn(CeremonyId) -> bool,
) -> Result<Option<&'a StoredChange>> {
    let going_on =
        |stored: &&StoredChange| stored.change.frame.runbook == *runbook && !finished(stored, contents);
    let mut sound: Option<&StoredChange> = None;
    let mut worked_on = Ok(());
    for stored in contents.changes.values().filter(going_on) {
        let own = recomputed(stored, contents).and_then(|()| own(stored, contents, ceremony, held_here));
        match own {
            Ok(()) if sound.is_none_or(|s| s.change.frame.held_at <= stored.change.frame.held_at) => {
                sound = Some(stored);
            }
            Err(refusal) if is_worked_on(stored, contents) => worked_on = Err(refusal),
            _ => {}
        }
    }
    match sound {
        Some(sound) => Ok(Some(sound)),
        None => worked_on.map(|()| None),
    }
}

/// Tells apart two changes that make the same documents, of which one is sealed: it was computed
/// again before it was signed, the other is a copy of its documents under another runbook, which
/// would then pass for carried out.
fn own(
    stored: &StoredChange,
    contents: &Contents,
    ceremony: &dyn Ceremony,
    held_here: &dyn Fn(CeremonyId) -> bool,
) -> Result<()> {
    let trusted = |d: &MetadataPayload| contents.facts.history.contains(&d.digest());
    if !stored.change.documents().any(trusted) {
        return Ok(());
    }
    let runbook = stored.change.frame.runbook;
    let documents = documents(&stored.change);
    let twin = contents.changes.values().find(|other| {
        other.change.frame.runbook != runbook && !documents.is_disjoint(&self::documents(&other.change))
    });
    let Some(twin) = twin else { return Ok(()) };
    let acted = |transcript: &Transcript| {
        transcript.entries().iter().any(|(entry, _)| {
            entry.change == Some(stored.digest)
                && matches!(entry.outcome, Outcome::Sign { .. } | Outcome::Seal { .. })
                && held_here(entry.ceremony)
        })
    };
    if ceremony.held(&contents.facts) || contents.transcripts.values().any(acted) {
        return Ok(());
    }
    let found = format!("documents of the change {}, \"{}\"", twin.digest, visible(&twin.change.frame.title));
    Err(Refusal::new(&rules::CHANGE_RECOMPUTED, found, "documents that come out of this runbook"))
}

/// Whether a key that this record knows has signed what no other change asks, or a ceremony has made
/// a key for it. Copies of other changes' signatures show nothing.
fn is_worked_on(stored: &StoredChange, contents: &Contents) -> bool {
    let known: BTreeSet<KeyIdentity> = contents.facts.keys.values().map(|r| r.public.identity()).collect();
    let others = contents.changes.values().filter(|other| other.digest != stored.digest);
    let elsewhere: BTreeSet<Digest> = others.flat_map(|other| payloads(&other.change)).collect();
    let signed = stored.gathered.signatures.iter();
    let mut signed = signed.filter(|(key, payload)| known.contains(key) && !elsewhere.contains(payload));
    let mut made = contents.key_files.values();
    signed.next().is_some() || made.any(|(file, refusal)| refusal.is_none() && file.change == stored.digest)
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
pub fn planted(contents: &Contents) -> Vec<(Digest, Refusal)> {
    let open = contents.changes.values().filter(|stored| going_on(stored));
    let signs = open.filter(|stored| payloads(&stored.change).next().is_some());
    // Computing a change again is the dear part.
    let strangers = signs.filter(|stored| !is_worked_on(stored, contents));
    strangers.filter_map(|stored| Some((stored.digest, recomputed(stored, contents).err()?))).collect()
}

/// The line that puts a planted change away.
pub fn line(session: &Session, change: &Digest) -> String {
    let folder = shown(&session.directory.join(format!("changes/{change}")));
    format!("mv {folder} planted-{}    puts it away", &change.hex().get(..8).unwrap_or_default())
}

/// Takes the planted changes out of what was read of a record and lists them among its findings;
/// gives the lines that put them away.
pub fn take_out(session: &Session, contents: &mut Contents) -> Vec<String> {
    let mut lines = Vec::new();
    for (change, why) in planted(contents) {
        contents.changes.remove(&change);
        contents.findings.push((format!("changes/{change}"), why));
        lines.push(line(session, &change));
    }
    lines
}

/// Shows what was set aside, if anything was, before people are asked about anything else.
///
/// # Errors
///
/// `TERMINAL`, and what else the console refuses.
pub fn tell(session: &Session, contents: &Contents, console: &mut dyn Console) -> Result<()> {
    let planted = planted(contents);
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
