//! One directory handle, and the files beneath it: how the record and every medium are reached.
//!
//! A name is opened one component at a time, relative to an open directory, never through a link
//! ([`beneath`](crate::system::beneath)), and a component is checked to be one ([`plain`]). That is what
//! Linux's `openat2` does with `RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS` in one call, but also on kernels and
//! sandboxes that lack it (threats T15, T16). What is opened must be a regular file before and
//! after it is opened, so that a pipe never blocks and a device is never touched; sizes are capped
//! before anything is read; a file is read once, and one that changes meanwhile is refused.
//!
//! Files are only ever created, by [`Dir::create`].

use super::rules;
use crate::system::beneath::Handle;
use crate::system::files::{self, is_unchanged};
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::text::visible;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What a temporary file's name starts with; such files are no part of a record.
pub const TEMPORARY: &str = ".tmp-";

/// The most entries that a folder may have.
pub const MAX_ENTRIES: usize = 100_000;

/// An open directory.
#[derive(Debug)]
pub struct Dir {
    pub(super) handle: Handle,
    /// For messages, safe to show.
    pub(super) shown: String,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, if it is UTF-8; else its escaped form and nothing to open it by.
    pub name: std::result::Result<String, String>,
    /// What it is.
    pub kind: Kind,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a pipe, a device: in these words.
    Other(&'static str),
}

impl Entry {
    /// The name as it may be shown.
    pub fn shown(&self) -> String {
        match &self.name {
            Ok(name) => visible(name),
            Err(escaped) => escaped.clone(),
        }
    }
}

/// Refuses anything but one component of a path.
///
/// # Errors
///
/// `RECORD-NAME`.
pub fn plain(name: &str) -> Result<&str> {
    let dots = name == "." || name == "..";
    if name.is_empty() || name.len() > 255 || dots || name.contains(['/', '\\', '\0']) {
        return Err(Refusal::new(
            &rules::RECORD_NAME,
            format!("the name \"{}\"", visible(name)),
            "the name of a file, without its folder",
        ));
    }
    Ok(name)
}

impl Dir {
    /// Opens the directory at a path that a person typed; links on the way to it are followed.
    ///
    /// # Errors
    ///
    /// `missing` if there is none, `MEDIA-READ`.
    pub fn open(path: &Path, missing: &'static Rule) -> Result<Self> {
        let shown = visible(&path.to_string_lossy());
        match Handle::open(path) {
            Ok(handle) => Ok(Self { handle, shown }),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(Refusal::new(missing, format!("no directory \"{shown}\""), "a directory"))
            }
            Err(e) => Err(unreadable(&shown, e)),
        }
    }

    /// Where it is, safe to show.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where an entry is, safe to show.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}/{}", self.shown, visible(name))
    }

    /// The folder `name` in it, or none.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND` if it is no folder, `MEDIA-READ`, `RECORD-NAME`.
    pub fn folder(&self, name: &str) -> Result<Option<Self>> {
        let shown = self.place(name);
        match self.handle.folder(plain(name)?) {
            Ok(handle) => Ok(Some(Self { handle, shown })),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) if e.kind() == ErrorKind::NotADirectory => {
                Err(Refusal::new(&rules::MEDIA_KIND, format!("\"{shown}\", which is no folder"), "a folder"))
            }
            Err(e) => Err(unreadable(&shown, e)),
        }
    }

    /// What is in it, sorted by name.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`; `MEDIA-SIZE` if there are more than [`MAX_ENTRIES`].
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self.handle.entries().map_err(|e| unreadable(&self.shown, e))? {
            let (name, kind) = entry.map_err(|e| unreadable(&self.shown, e))?;
            if entries.len() >= MAX_ENTRIES {
                let found = format!("more than {MAX_ENTRIES} files in \"{}\"", self.shown);
                return Err(Refusal::new(&rules::MEDIA_SIZE, found, "fewer"));
            }
            let name = name.into_string().map_err(|name| visible(&name.to_string_lossy()));
            entries.push(Entry { name, kind: kind.into() });
        }
        entries.sort();
        Ok(entries)
    }

    /// The content of the regular file `name`, at most `cap` bytes, or none if there is none.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`, `RECORD-NAME`.
    pub fn read(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        read_once(&file, &self.place(name), cap).map(Some)
    }

    /// Whether the regular file `name` has this very content, or none if there is none. As
    /// [`Self::read`] with its length as `cap`, but never all of it in memory a second time.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub(super) fn is(&self, name: &str, bytes: &[u8]) -> Result<Option<bool>> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        let cap = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut left = Some(bytes);
        once(&file, &self.place(name), cap, |file, most| {
            pieces(file, most, PIECE, &mut |piece| {
                left = left.and_then(|left| left.strip_prefix(piece));
                true
            })
        })?;
        Ok(Some(left.is_some_and(<[u8]>::is_empty)))
    }

    /// Gives the content of the regular file `name` piece by piece, each with how many bytes there are
    /// in all; false if there is none. For files of any size, of which nothing is kept.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-CHANGED`, `MEDIA-READ`, `RECORD-NAME`; what `take` refuses.
    pub(super) fn stream(&self, name: &str, take: &mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<bool> {
        let Some(file) = self.file(name)? else { return Ok(false) };
        let mut refused = Ok(());
        let read = once(&file, &self.place(name), u64::MAX, |file, most| {
            pieces(file, most, STREAMED, &mut |piece| {
                refused = take(piece, most.saturating_sub(1));
                refused.is_ok()
            })
        });
        refused.and(read).map(|()| true)
    }

    /// The regular file `name`, open, or none if there is none.
    fn file(&self, name: &str) -> Result<Option<File>> {
        let shown = self.place(name);
        // Looked at before it is opened, since opening some devices does something.
        match self.handle.kind(OsStr::new(plain(name)?)) {
            Ok(kind) => regular(kind.into(), &shown)?,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unreadable(&shown, e)),
        }
        match self.handle.file(name) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(changed(&shown)),
            Err(e) => Err(unreadable(&shown, e)),
        }
    }
}

/// How many bytes are compared at a time.
const PIECE: usize = 64 * 1024;

/// How many bytes of a file of any size are read at a time.
const STREAMED: usize = 1024 * 1024;

/// Reads an open file once, and refuses it if it is no regular file, too large, or changes.
///
/// # Errors
///
/// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`.
pub fn read_once(file: &File, shown: &str, cap: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    once(file, shown, cap, |file, most| {
        bytes.reserve_exact(usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(1));
        let read = file.take(most).read_to_end(&mut bytes)?;
        Ok(u64::try_from(read).unwrap_or(u64::MAX))
    })?;
    Ok(bytes)
}

/// Reads at most `most` bytes, as many as `size` at a time, until `goes_on` has had enough; how many
/// they were.
fn pieces(
    file: &File,
    most: u64,
    size: usize,
    goes_on: &mut dyn FnMut(&[u8]) -> bool,
) -> std::io::Result<u64> {
    let mut piece = vec![0; size];
    let mut file = file.take(most);
    let mut all = 0_u64;
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(all),
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        all = all.saturating_add(u64::try_from(read.len()).unwrap_or(u64::MAX));
        if !goes_on(read) {
            return Ok(all);
        }
    }
}

/// The same by `read`, which is given the file and the most bytes to read of it, and says how many it
/// read.
fn once(
    file: &File,
    shown: &str,
    cap: u64,
    read: impl FnOnce(&File, u64) -> std::io::Result<u64>,
) -> Result<()> {
    let before = file.metadata().map_err(|e| unreadable(shown, e))?;
    regular(files::Kind::of(&before).into(), shown)?;
    let size = before.len();
    if size > cap {
        return Err(Refusal::new(
            &rules::MEDIA_SIZE,
            format!("\"{shown}\" with {size} bytes"),
            format!("at most {cap} bytes"),
        ));
    }
    // One more than it should have, to see that it hasn't grown.
    let read = read(file, size.saturating_add(1)).map_err(|e| unreadable(shown, e))?;
    let after = file.metadata().map_err(|e| unreadable(shown, e))?;
    if read != size || !is_unchanged(&before, &after) {
        return Err(changed(shown));
    }
    Ok(())
}

impl From<files::Kind> for Kind {
    fn from(kind: files::Kind) -> Self {
        match kind {
            files::Kind::File => Self::File,
            files::Kind::Folder => Self::Folder,
            files::Kind::Link => Self::Other("a symbolic link"),
            files::Kind::Pipe => Self::Other("a pipe"),
            files::Kind::Socket => Self::Other("a socket"),
            files::Kind::Device => Self::Other("a device"),
            files::Kind::Unknown => Self::Other("of an unknown kind"),
        }
    }
}

/// Refuses what is no regular file.
///
/// # Errors
///
/// `MEDIA-KIND`.
pub fn regular(kind: Kind, shown: &str) -> Result<()> {
    let found = match kind {
        Kind::File => return Ok(()),
        Kind::Folder => "a folder",
        Kind::Other(words) => words,
    };
    Err(Refusal::new(&rules::MEDIA_KIND, format!("\"{shown}\", which is {found}"), "a regular file"))
}

fn changed(shown: &str) -> Refusal {
    Refusal::new(&rules::MEDIA_CHANGED, format!("\"{shown}\" changed while it was read"), "a file at rest")
}

pub(super) fn unreadable(shown: &str, e: impl std::fmt::Display) -> Refusal {
    Refusal::new(&rules::MEDIA_READ, format!("\"{shown}\": {e}"), "a file or folder that can be read")
}

pub(super) fn unwritable(shown: &str, e: impl std::fmt::Display) -> Refusal {
    Refusal::new(&rules::RECORD_WRITE, format!("\"{shown}\": {e}"), "a directory that keeps what is written")
}
