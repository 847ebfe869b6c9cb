//! Pages of share cards, one at a time, in a folder that is memory.
//!
//! Who wants cards printed names a folder in the device map (`[cards]`). A page is written there for its
//! holder alone, who prints it and types the card back; then it is overwritten and removed, and only then
//! does the next custodian come. What a session leaves that was killed in between, the next one removes
//! before it does anything else. keyrite itself gives nothing to a printer.
//!
//! Never: a page on a disk, where it could be found again, nor in memory that may be swapped to one; two
//! pages at once; a folder that others can look into.

use super::devices::DeviceMap;
use super::rules;
use super::session::{shown, typed};
use crate::ceremony::share_manifest::ShareLine;
use crate::system::files::{Access, create_new, is_open_to_others, is_own};
use crate::system::machine::{self, Kept};
use crate::tuf::rule::{Refusal, Result};
use crate::ui::share_desk::Printer;
use std::fs::{self, OpenOptions};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How the name of a page ends.
const END: &str = ".card.html";

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardsFolder(PathBuf);

impl CardsFolder {
    /// The folder of that name, if pages may be written there. Asked before the process is confined, which
    /// sees no swap.
    ///
    /// # Errors
    ///
    /// `CARDS-FOLDER`.
    pub fn open(folder: &Path) -> Result<Self> {
        let refuse = |why: &str| {
            let found = format!("{}, which {why}", shown(folder));
            let expected = "a folder of your own, of mode 0700, on tmpfs or ramfs, and no swap in clear";
            Err(Refusal::new(&rules::CARDS_FOLDER, found, expected))
        };
        let Ok(meta) = fs::symlink_metadata(folder) else { return refuse("is not there now") };
        if !meta.is_dir() {
            return refuse("is no folder");
        }
        if !is_own(&meta) || is_open_to_others(&meta) {
            return refuse("others can look into");
        }
        match machine::memory_of(folder) {
            Kept::Elsewhere => refuse("is not in memory"),
            Kept::Swappable if machine::swaps_to_disk() => {
                refuse("is in memory that may be swapped to a disk in clear")
            }
            _ => Ok(Self(folder.to_owned())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the pages that a session has left which was killed; says how many.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE`.
    pub fn sweep(&self) -> Result<usize> {
        let pages = pages(&self.0).map_err(|e| failed(&self.0, &e))?;
        for page in &pages {
            wipe(page)?;
        }
        Ok(pages.len())
    }
}

/// The pages in a folder.
fn pages(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("share-") && name.ends_with(END) {
            pages.push(entry.path());
        }
    }
    Ok(pages)
}

/// The line by which pages go that a session has left which was killed; nothing is removed. None where
/// there are none, or no folder.
pub fn left_over(map: Option<&DeviceMap>) -> Option<String> {
    let folder = map?.cards.as_deref()?;
    let count = pages(folder).ok().filter(|pages| !pages.is_empty())?.len();
    Some(format!(
        "shred -u {}/share-*{END}    removes pages of share cards that a session left which was cut off: {count}; \
         `run` with this device map does so too, first of all",
        typed(folder)
    ))
}

/// The pages of one dealing.
pub struct Pages {
    folder: CardsFolder,
    /// The one that is there.
    page: Option<PathBuf>,
}

impl Pages {
    /// None yet.
    pub const fn new(folder: CardsFolder) -> Self {
        Self { folder, page: None }
    }
}

impl Printer for Pages {
    fn page(&mut self, line: &ShareLine, page: Zeroizing<String>) -> Result<String> {
        self.gone()?;
        let path = self.folder.0.join(format!("share-{}{END}", line.number));
        // From here on it is to be removed, whatever becomes of it.
        self.page = Some(path.clone());
        let file = create_new(&path, Access::Private);
        file.and_then(|mut file| file.write_all(page.as_bytes())).map_err(|e| failed(&path, &e))?;
        Ok(typed(&path))
    }

    fn gone(&mut self) -> Result<()> {
        self.page.take().map_or(Ok(()), |path| wipe(&path))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // The desk has said so already, if it could not be removed.
        drop(self.gone());
    }
}

/// Overwrites a file and removes it; one that isn't there is gone.
fn wipe(path: &Path) -> Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
    if meta.is_file() {
        let blank = vec![b' '; usize::try_from(meta.len()).unwrap_or(0)];
        let file = OpenOptions::new().write(true).open(path);
        file.and_then(|mut file| file.write_all(&blank)).map_err(|e| failed(path, &e))?;
    }
    fs::remove_file(path).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &Error) -> Refusal {
    let expected = "to write and remove pages of cards there";
    Refusal::new(&rules::FILE_WRITE, format!("{}: {error}", shown(path)), expected)
}
