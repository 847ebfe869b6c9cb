//! A rehearsal inside `plan` and `run`: where the limits in force demand one of this very runbook and
//! nobody has held it, it is held here and now, on a shadow of this record, before anything of the real
//! ceremony is written.
//!
//! Its keys and documents lie in the folder that never leaves this copy of the record, and are gone again
//! when it is over. What stays is what `rehearse --from` leaves in the record: that this runbook was rehearsed. A
//! rehearsal that fails ends the command with its refusal.

use super::{Original, perform};
use crate::ceremony::rules::REHEARSAL_MISSING;
use crate::ceremony::runbook::Runbook;
use crate::cli::arguments::Stand;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::{Session, shown};
use crate::cli::table::{Due, Table};
use crate::record::{Contents, Record};
use crate::system::files::make_folder;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::rehearser::Rehearser;
use crate::ui::screen::{Screen, Tone};
use std::path::{Path, PathBuf};

/// What a runbook leads to, on the record as it is by then.
pub struct Outcome {
    /// The record.
    pub contents: Contents,
    /// What is to be done.
    pub due: Due,
    /// What came of the rehearsal, if one was held for it.
    pub rehearsed: Option<String>,
}

/// Freezes a runbook, which people keep at `path`, after a rehearsal if one is demanded and missing.
///
/// # Errors
///
/// As [`Table::freeze`]; whatever stops the rehearsal.
pub fn freeze(session: &Session, table: &mut Table, path: &Path, runbook: Runbook) -> Result<Outcome> {
    let contents = table.contents(session)?;
    match table.freeze(session, path, runbook.clone(), &contents) {
        Err(refusal)
            if refusal.rule() == &REHEARSAL_MISSING && contents.rehearsal_of(&runbook.digest()).is_none() => {
        }
        frozen => return frozen.map(|due| Outcome { contents, due, rehearsed: None }),
    }
    let told = rehearse(session, table, &contents, path, runbook.clone())
        .map_err(|refusal| refusal.at("the rehearsal that the limits in force demand"))?;
    // The record has moved by the rehearsal, and may have by more.
    let contents = table.contents(session)?;
    let due = table.freeze(session, path, runbook, &contents)?;
    Ok(Outcome { contents, due, rehearsed: Some(told) })
}

/// The page that says it.
pub fn screen(told: &str) -> Screen {
    Screen::new("The rehearsal that the limits in force demand")
        .callout(Tone::Done, told)
        .text("Nothing of the real ceremony has been done yet.")
}

fn rehearse(
    session: &Session,
    table: &Table,
    contents: &Contents,
    path: &Path,
    runbook: Runbook,
) -> Result<String> {
    let folder = Folder::new(&table.record)?;
    let name =
        path.file_name().map_or_else(|| runbook.title.clone(), |name| name.to_string_lossy().into_owned());
    let runbooks = vec![(name, runbook)];
    let original = Original::of(session, &table.record, contents, &runbooks)?;
    let past = original.past.len();
    let mut silent = Rehearser::new(std::io::sink());
    perform(session, Stand::File, &folder.0, &original, runbooks, &mut silent)?;
    Ok(format!(
        "rehearsed on throw-away keys, after the record's own {past} ceremonies, and noted in the record; a client accepted what came of it"
    ))
}

/// A new folder in the record's private one, gone with this value.
struct Folder(PathBuf);

impl Folder {
    /// Whoever holds the lock of the record removes what a rehearsal left that was cut off.
    fn new(record: &Record) -> Result<Self> {
        let path = record.private_path()?.join("rehearsal");
        let _ = std::fs::remove_dir_all(&path);
        make_folder(&path).map_err(|e| {
            Refusal::new(&FILE_WRITE, format!("{}: {e}", shown(&path)), "a folder for the rehearsal's keys")
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Throw-away keys: what can't be removed now is removed by the next rehearsal.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
