//! One directory handle, and the files beneath it: how the record and every medium are reached.
//!
//! A name is opened one component at a time, relative to an open directory, never through a link
//! (`O_NOFOLLOW`), and a component is checked to be one ([`plain`]). That is what Linux's
//! `openat2` does with `RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS` in one call, but also on kernels and
//! sandboxes that lack it (threats T15, T16). What is opened must be a regular file before and
//! after it is opened, so that a pipe never blocks and a device is never touched; sizes are capped
//! before anything is read; a file is read once, and one that changes meanwhile is refused.
//!
//! Files are only ever created, by [`Dir::create`]: temporary file, fsync, rename without replace,
//! fsync of the directory, read back. Every write, fsync and rename of the record goes through it.

use super::rules;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::text::visible;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a temporary file's name starts with; such files are no part of a record.
pub const TEMPORARY: &str = ".tmp-";

/// The most entries that a folder may have.
pub const MAX_ENTRIES: usize = 100_000;

/// An open directory.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// For messages, safe to show.
    shown: String,
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

/// Whether [`Dir::create`] made the file or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// The very same content was there.
    Same,
}

/// What to do with a file that is there already with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stands for something else: `RECORD-CONFLICT`.
    Stands,
    /// It can only be a torn one, since name or folder say what the content must be: replace it.
    Torn,
}

/// Whether others than the owner may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// The owner only: sidecars and intents.
    Private,
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, shown }),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                Err(Refusal::new(missing, format!("no directory \"{shown}\""), "a directory"))
            }
            Err(e) => Err(unreadable(&shown, e)),
        }
    }

    /// Makes the directory at a path that a person typed, and the ones above it, then opens it.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`, `MEDIA-READ`.
    pub fn open_or_make(path: &Path) -> Result<Self> {
        let shown = visible(&path.to_string_lossy());
        std::fs::create_dir_all(path).map_err(|e| unwritable(&shown, e))?;
        Self::open(path, &rules::RECORD_WRITE)
    }

    /// Where it is, safe to show.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where an entry is, safe to show.
    fn place(&self, name: &str) -> String {
        format!("{}/{}", self.shown, visible(name))
    }

    /// The folder `name` in it, or none.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND` if it is no folder, `MEDIA-READ`, `RECORD-NAME`.
    pub fn folder(&self, name: &str) -> Result<Option<Self>> {
        let shown = self.place(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.fd, plain(name)?, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, shown })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                Err(Refusal::new(&rules::MEDIA_KIND, format!("\"{shown}\", which is no folder"), "a folder"))
            }
            Err(e) => Err(unreadable(&shown, e)),
        }
    }

    /// The folder `name` in it, made if it isn't there.
    ///
    /// # Errors
    ///
    /// As [`Self::folder`], and `RECORD-WRITE`.
    pub fn folder_or_make(&self, name: &str, access: Access) -> Result<Self> {
        if let Some(folder) = self.folder(name)? {
            return Ok(folder);
        }
        let mode = if access == Access::Private { 0o700 } else { 0o755 };
        match fs::mkdirat(&self.fd, name, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(Errno::EXIST) => self.sync()?,
            Err(e) => return Err(unwritable(&self.place(name), e)),
        }
        self.folder(name)?.ok_or_else(|| unwritable(&self.place(name), "it is gone again"))
    }

    /// What is in it, sorted by name, temporary files left out.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`; `MEDIA-SIZE` if there are more than [`MAX_ENTRIES`].
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let listing = fs::Dir::read_from(&self.fd).map_err(|e| unreadable(&self.shown, e))?;
        for entry in listing {
            let entry = entry.map_err(|e| unreadable(&self.shown, e))?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." || bytes.starts_with(TEMPORARY.as_bytes()) {
                continue;
            }
            if entries.len() >= MAX_ENTRIES {
                let found = format!("more than {MAX_ENTRIES} files in \"{}\"", self.shown);
                return Err(Refusal::new(&rules::MEDIA_SIZE, found, "fewer"));
            }
            let name = match std::str::from_utf8(bytes) {
                Ok(name) => Ok(name.to_owned()),
                Err(_) => Err(visible(&OsStr::from_bytes(bytes).to_string_lossy())),
            };
            let kind = match entry.file_type() {
                FileType::Unknown => self.stat(entry.file_name()).map_or(FileType::Unknown, |s| kind_of(&s)),
                known => known,
            };
            entries.push(Entry { name, kind: kind.into() });
        }
        entries.sort();
        Ok(entries)
    }

    fn stat<P: rustix::path::Arg>(&self, name: P) -> rustix::io::Result<Stat> {
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The content of the regular file `name`, at most `cap` bytes, or none if there is none.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`, `RECORD-NAME`.
    pub fn read(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        let shown = self.place(name);
        // Looked at before it is opened, since opening some devices does something.
        match self.stat(plain(name)?) {
            Ok(stat) => regular(kind_of(&stat).into(), &shown)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(unreadable(&shown, e)),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => read_once(fd, &shown, cap).map(Some),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Err(changed(&shown)),
            Err(e) => Err(unreadable(&shown, e)),
        }
    }

    /// Creates the file `name`, durably, unless the very same content is there already.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if something else is there that isn't torn; `RECORD-WRITE`; as
    /// [`Self::read`].
    pub fn create(&self, name: &str, bytes: &[u8], access: Access, existing: Existing) -> Result<Created> {
        let torn = match self.holds(name, bytes) {
            Ok(true) => {
                // A writer may have been killed between its rename and this.
                self.sync()?;
                return Ok(Created::Same);
            }
            Ok(false) => false,
            Err(r) if r.rule() == &rules::RECORD_CONFLICT && existing == Existing::Torn => true,
            Err(r) => return Err(r),
        };
        let temporary = format!("{TEMPORARY}{}", Digest::of(name.as_bytes()));
        self.write(&temporary, bytes, access)?;
        if torn {
            let renamed = fs::renameat(&self.fd, &temporary, &self.fd, name);
            renamed.map_err(|e| unwritable(&self.place(name), e))?;
        } else {
            self.put(&temporary, name)?;
        }
        self.sync()?;
        if self.holds(name, bytes)? {
            return Ok(Created::New);
        }
        Err(unwritable(&self.place(name), "it does not read back as written"))
    }

    /// Whether the file is there with this content.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if it is there with another; as [`Self::read`].
    fn holds(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let cap = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let conflict = |found: String| {
            Refusal::new(
                &rules::RECORD_CONFLICT,
                format!("\"{}\" {found}", self.place(name)),
                "no file of that name, or the same content",
            )
        };
        match self.read(name, cap) {
            Ok(None) => Ok(false),
            Ok(Some(there)) if there == bytes => Ok(true),
            Ok(Some(_)) => Err(conflict("with other content".to_owned())),
            Err(r) if r.rule() == &rules::MEDIA_SIZE => Err(conflict("with more content".to_owned())),
            Err(r) => Err(r),
        }
    }

    /// Writes a temporary file and has it on disk; one that a killed writer left is replaced.
    fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| unwritable(&self.shown, e);
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if access == Access::Private { 0o600 } else { 0o644 });
        let mut file = File::from(fs::openat(&self.fd, name, flags, mode).map_err(|e| failed(&e))?);
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| failed(&e))
    }

    /// Gives a temporary file its name, replacing nothing. If the name was taken meanwhile, the
    /// temporary file goes and what is there is compared by the caller.
    fn put(&self, temporary: &str, name: &str) -> Result<()> {
        let failed = |e: Errno| unwritable(&self.place(name), e);
        let unable = |e: Errno| matches!(e, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM);
        match fs::renameat_with(&self.fd, temporary, &self.fd, name, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return self.remove(temporary),
            Err(e) if unable(e) => {}
            Err(e) => return Err(failed(e)),
        }
        // A file system without it: a second name never replaces either.
        match fs::linkat(&self.fd, temporary, &self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => return self.remove(temporary),
            Err(e) if unable(e) => {}
            Err(e) => return Err(failed(e)),
        }
        // Nor second names: the lock keeps other writers out, and the name was free above.
        fs::renameat(&self.fd, temporary, &self.fd, name).map_err(failed)
    }

    /// Removes a temporary file, if it is there. Refuses any other name.
    fn remove(&self, name: &str) -> Result<()> {
        if !name.starts_with(TEMPORARY) {
            return Err(unwritable(&self.place(name), "keyrite removes temporary files only"));
        }
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(unwritable(&self.place(name), e)),
        }
    }

    /// Removes the temporary files that killed writers left here and in the folders below.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`, `MEDIA-READ`.
    pub fn sweep(&self, depth: usize) -> Result<()> {
        let listing = fs::Dir::read_from(&self.fd).map_err(|e| unreadable(&self.shown, e))?;
        for entry in listing {
            let entry = entry.map_err(|e| unreadable(&self.shown, e))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name.starts_with(TEMPORARY) {
                if self.stat(name).is_ok_and(|s| kind_of(&s) != FileType::Directory) {
                    self.remove(name)?;
                }
            } else if depth > 0 && !matches!(name, "." | "..") && entry.file_type() != FileType::RegularFile {
                if let Ok(Some(folder)) = self.folder(name) {
                    folder.sweep(depth.saturating_sub(1))?;
                }
            }
        }
        Ok(())
    }

    /// Opens the file that other writers of this directory lock, made if it isn't there.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`.
    pub fn lock_file(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::openat(&self.fd, plain(name)?, flags, Mode::from_raw_mode(0o600)) {
            Ok(fd) => Ok(File::from(fd)),
            Err(e) => Err(unwritable(&self.place(name), e)),
        }
    }

    /// Has the directory's entries on disk.
    fn sync(&self) -> Result<()> {
        match fs::fsync(self.fd.as_fd()) {
            // Some file systems keep no directories that could be synced.
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(e) => Err(unwritable(&self.shown, e)),
        }
    }
}

/// Reads an open file once, and refuses it if it is no regular file, too large, or changes.
///
/// # Errors
///
/// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`.
pub fn read_once(fd: OwnedFd, shown: &str, cap: u64) -> Result<Vec<u8>> {
    let before = fs::fstat(&fd).map_err(|e| unreadable(shown, e))?;
    regular(kind_of(&before).into(), shown)?;
    let size = u64::try_from(before.st_size).unwrap_or(u64::MAX);
    if size > cap {
        return Err(Refusal::new(
            &rules::MEDIA_SIZE,
            format!("\"{shown}\" with {size} bytes"),
            format!("at most {cap} bytes"),
        ));
    }
    let file = File::from(fd);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One more than it should have, to see that it hasn't grown.
    let read = (&file).take(size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| unreadable(shown, e))?;
    let after = fs::fstat(&file).map_err(|e| unreadable(shown, e))?;
    let stamp = |s: &Stat| (s.st_size, s.st_mtime, s.st_mtime_nsec, s.st_ctime, s.st_ctime_nsec);
    if u64::try_from(bytes.len()).ok() != Some(size) || stamp(&before) != stamp(&after) {
        return Err(changed(shown));
    }
    Ok(bytes)
}

fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Other("a symbolic link"),
            FileType::Fifo => Self::Other("a pipe"),
            FileType::Socket => Self::Other("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Self::Other("a device"),
            FileType::Unknown => Self::Other("of an unknown kind"),
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

fn unreadable(shown: &str, e: impl std::fmt::Display) -> Refusal {
    Refusal::new(&rules::MEDIA_READ, format!("\"{shown}\": {e}"), "a file or folder that can be read")
}

fn unwritable(shown: &str, e: impl std::fmt::Display) -> Refusal {
    Refusal::new(&rules::RECORD_WRITE, format!("\"{shown}\": {e}"), "a directory that keeps what is written")
}
