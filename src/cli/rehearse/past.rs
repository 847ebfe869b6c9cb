//! The past of a record, held again on throw-away keys: how a shadow comes to stand where the
//! original stands.

use super::backend::Backend;
use super::released::{self, Released};
use super::{anchor, hold_quietly};
use crate::ceremony::change::Item;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::State;
use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::record::{Contents, Record, StoredChange};
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::ui::rehearser::Rehearser;
use std::io::Write;

/// A ceremony that the record has carried out.
pub struct Held {
    /// When, as its change says: all its dates are counted from it.
    pub at: Time,
    /// Its runbook.
    pub runbook: Runbook,
    /// Developers' documents that it started from.
    pub released: Vec<Released>,
}

/// Every ceremony that the record has carried out, or of which it has made keys, oldest first.
///
/// # Errors
///
/// `RUNBOOK` for a runbook that this keyrite doesn't read; what reading the record refuses.
pub fn held(record: &Record, contents: &Contents) -> Result<Vec<Held>> {
    let carried_out = |stored: &&StoredChange| {
        let done =
            stored.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Sealed | State::Published));
        let own_key = |item: &Item| match item {
            Item::NewKey(new) => contents.facts.keys.get(&new.name),
            Item::EnrolledKey(key) => contents.facts.keys.get(&key.name),
            _ => None,
        };
        let made = stored.change.items.iter().filter_map(own_key);
        let mut made = made.filter_map(|key| contents.key_files.get(&key.file));
        done || made.any(|(file, _)| file.change == stored.digest)
    };
    let mut past = Vec::new();
    // On a shadow nothing was given up and nothing is there twice, so there is nothing to settle.
    let settles = |stored: &&StoredChange| matches!(stored.change.frame.kind.as_str(), "withdraw" | "decide");
    let all = contents.changes.values().filter(|stored| !settles(stored));
    let mut changes: Vec<&StoredChange> = all.filter(carried_out).collect();
    // Within one second, which machines need for a ceremony: keys first, then documents by version.
    let version = |stored: &StoredChange| {
        stored.change.documents().map(crate::tuf::payload::MetadataPayload::version).max()
    };
    changes.sort_by_key(|stored| (stored.change.frame.held_at, version(stored)));
    for stored in changes {
        let text = String::from_utf8_lossy(&stored.runbook);
        let runbook = Runbook::parse(&text).map_err(|r| r.at(format!("changes/{}", stored.digest)))?;
        let released = released::under(record, contents, &stored.change)?;
        past.push(Held { at: stored.change.frame.held_at, runbook, released });
    }
    Ok(past)
}

/// Holds them again, each at its own time.
pub fn hold_again<W: Write>(
    session: &Session,
    table: &mut Table,
    past: &[Held],
    backend: &mut Backend,
    console: &mut Rehearser<W>,
) -> Result<()> {
    if !past.is_empty() {
        console.say(&format!("\nThe record's own {} ceremonies, each at its own time:", past.len()));
    }
    let mut quiet = Rehearser::new(std::io::sink());
    for held in past {
        session.past.set(Some(held.at));
        let title = visible(&held.runbook.title);
        console.say(&format!("    {}: {title}", held.at.date()));
        let again = released::bring(session, table, &held.released, &mut quiet)
            .and_then(|_| hold_quietly(session, table, held.runbook.clone(), &mut quiet))
            .and_then(|_| anchor(session, table))
            .and_then(|()| backend.take(session, table, &mut quiet));
        session.past.set(None);
        again.map_err(|r| r.at(format!("\"{title}\", held again")))?;
    }
    Ok(())
}
