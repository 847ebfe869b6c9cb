//! What an update agent keeps from one update to the next: the newest file of each role that it trusts.
//!
//! Each file takes its name whole, in the order in which the client says, so that an update that was cut
//! off is gone on with. A folder of its own belongs to the root that was trusted first, and to one update
//! at a time: two at once could put back what the other has left behind.
//!
//! Never: a file here believed because it is here, but for root itself: what the first root led to is not
//! walked again, so whoever can write here says which root is trusted. The client judges all others by it.

use super::rules;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::media;
use crate::system::files::{open_folder, sync_folder};
use crate::tuf::client::{Caps, Change, State};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The file that says which root was trusted first.
const ANCHOR: &str = "anchor";
/// The file that is locked while an update goes on.
const LOCK: &str = "lock";

/// A folder of trusted metadata.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// Held as long as this is.
    _lock: File,
}

impl Kept {
    /// Opens the folder of an agent that first trusted the root in these bytes, and makes it where there
    /// is none; with it comes what is kept there, or that root alone.
    ///
    /// # Errors
    ///
    /// `UPDATE-STATE` if it is another's or in use, `FILE-WRITE`; what reading a file refuses.
    pub fn open(folder: &Path, first: &[u8]) -> Result<(Self, State)> {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let anchor = Digest::of(first).hex();
        let there = named(folder)?;
        if !there.iter().any(|name| name == ANCHOR)
            && let Some(name) = there.iter().find(|name| *name != LOCK && !name.starts_with('.'))
        {
            let found = format!("{}, which holds {}", shown(folder), shown(Path::new(name)));
            return Err(Refusal::new(&rules::UPDATE_STATE, found, "an empty folder, or none yet"));
        }
        let lock = File::create(folder.join(LOCK)).map_err(|error| failed(folder, &error))?;
        hold(folder, &lock)?;
        let kept = Self { folder: folder.to_owned(), _lock: lock };
        let path = folder.join(ANCHOR);
        if path.exists() {
            let said = media::read_file(&path, 128)?;
            if said != anchor.as_bytes() {
                let said = String::from_utf8_lossy(&said);
                let found = format!("{} of root {}", shown(folder), shown(Path::new(said.as_ref())));
                return Err(Refusal::new(&rules::UPDATE_STATE, found, format!("a state of root {anchor}")));
            }
        } else {
            kept.put(ANCHOR, anchor.as_bytes())?;
        }
        let mut files = kept.files()?;
        files.entry(RoleName::Root).or_insert_with(|| first.to_vec());
        Ok((kept, State::from_files(files)))
    }

    /// The folder of a client that somebody else has set up: files by role, and nothing else.
    ///
    /// # Errors
    ///
    /// `UPDATE-STATE` if it is in use, `FILE-WRITE`.
    pub fn plain(folder: &Path) -> Result<Self> {
        let lock = open_folder(folder).map_err(|error| failed(folder, &error))?;
        hold(folder, &lock)?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// What is kept there, by role.
    ///
    /// # Errors
    ///
    /// What reading a file refuses.
    pub fn files(&self) -> Result<BTreeMap<RoleName, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for name in named(&self.folder)? {
            let role = name.strip_suffix(".json").map(RoleName::from_file_name);
            if let Some(Ok(role)) = role {
                files.insert(role, media::read_file(&self.folder.join(&name), Caps::NOTARY.targets)?);
            }
        }
        Ok(files)
    }

    /// Writes one step of what has changed.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE`; then what was there stays.
    pub fn write(&self, change: &Change) -> Result<()> {
        match change {
            Change::Put(role, bytes) => self.put(&format!("{}.json", role.file_name()), bytes),
            Change::Drop(role) => {
                let path = self.folder.join(format!("{}.json", role.file_name()));
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                    done => done.and_then(|()| self.sync()).map_err(|error| failed(&path, &error)),
                }
            }
        }
    }

    /// Settles the order of what was written and taken away, also where the power fails.
    fn sync(&self) -> std::io::Result<()> {
        sync_folder(&self.folder)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, new) = (self.folder.join(name), self.folder.join(format!(".{name}.new")));
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            self.sync()
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&new);
            failed(&path, &error)
        })
    }
}

/// Locks a folder by this file of it, or itself.
fn hold(folder: &Path, lock: &File) -> Result<()> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let found = format!("{}, which another update holds", shown(folder));
            Err(Refusal::new(&rules::UPDATE_STATE, found, "one update at a time"))
        }
        Err(TryLockError::Error(error)) => Err(failed(folder, &error)),
    }
}

fn named(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<std::io::Result<_>>().map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &Error) -> Refusal {
    let found = format!("{}: {}", shown(path), shown(Path::new(&error.to_string())));
    Refusal::new(&FILE_WRITE, found, "a folder that can be written to")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_state_is_one_roots_and_one_updates_at_a_time() {
        let dir = std::env::temp_dir().join(format!("keyrite-kept-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let folder = dir.join("state");
        let app = RoleName::from_name("targets/App é");
        let (kept, state) = Kept::open(&folder, b"root").unwrap();
        assert_eq!(state, State::first(b"root".to_vec()));
        for role in [RoleName::Root, RoleName::Timestamp, app.clone()] {
            kept.write(&Change::Put(role, b"newer".to_vec())).unwrap();
        }
        kept.write(&Change::Drop(RoleName::Timestamp)).unwrap();
        kept.write(&Change::Drop(RoleName::Snapshot)).unwrap();
        assert_eq!(Kept::open(&folder, b"root").unwrap_err().rule().name, "UPDATE-STATE");
        drop(kept);
        let (_, state) = Kept::open(&folder, b"root").unwrap();
        let files = BTreeMap::from([(RoleName::Root, b"newer".to_vec()), (app, b"newer".to_vec())]);
        assert_eq!(state.files(), &files);
        assert_eq!(Kept::open(&folder, b"other").unwrap_err().rule().name, "UPDATE-STATE");
        let plain = Kept::plain(&dir).unwrap();
        assert_eq!(Kept::plain(&dir).unwrap_err().rule().name, "UPDATE-STATE");
        drop(plain);
        Kept::plain(&dir).unwrap();
        fs::create_dir(dir.join("full")).unwrap();
        fs::write(dir.join("full/root.json"), "").unwrap();
        assert_eq!(Kept::open(&dir.join("full"), b"root").unwrap_err().rule().name, "UPDATE-STATE");
        fs::remove_dir_all(&dir).unwrap();
    }
}
