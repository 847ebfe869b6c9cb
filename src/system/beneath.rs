//! Files beneath one open directory, each named by one component: nothing is reached through a link,
//! and what a name leads to can't be changed from outside between two calls (threats T15, T16).
//!
//! Names are the caller's to check: a component, and nothing else.

use super::files::{Access, Kind};
use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// An open directory.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// Opens the directory at a path; links on the way to it are followed.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotADirectory`, and others.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a folder in it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotADirectory` also for a link to one, and others.
    pub fn folder(&self, name: &str) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self(fd)),
            Err(Errno::LOOP) => Err(ErrorKind::NotADirectory.into()),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens a file in it for reading, without waiting for what a pipe or a device would wait for.
    ///
    /// # Errors
    ///
    /// `NotFound` also for a link and for what can't be opened so, and others.
    pub fn file(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(fd) => Ok(File::from(fd)),
            Err(Errno::LOOP | Errno::NXIO) => Err(ErrorKind::NotFound.into()),
            Err(e) => Err(e.into()),
        }
    }

    /// What an entry is, without opening it.
    ///
    /// # Errors
    ///
    /// `NotFound`, and others.
    pub fn kind(&self, name: &OsStr) -> Result<Kind> {
        let stat = fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(fs::FileType::from_raw_mode(stat.st_mode).into())
    }

    /// Its entries as the system lists them, but for itself and the directory above. A kind that the
    /// file system doesn't list is looked up.
    ///
    /// # Errors
    ///
    /// What the system says; each entry may be an error as well.
    pub fn entries(&self) -> Result<impl Iterator<Item = Result<(OsString, Kind)>> + '_> {
        let listed = |entry: fs::DirEntry| {
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            let kind = match entry.file_type().into() {
                Kind::Unknown => self.kind(&name).unwrap_or(Kind::Unknown),
                known => known,
            };
            (name, kind)
        };
        let entries = fs::Dir::read_from(&self.0)?;
        let itself = |entry: &rustix::io::Result<fs::DirEntry>| {
            entry.as_ref().is_ok_and(|entry| [&b"."[..], b".."].contains(&entry.file_name().to_bytes()))
        };
        Ok(entries
            .filter(move |entry| !itself(entry))
            .map(move |entry| entry.map(listed).map_err(Error::from)))
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, and others.
    pub fn make_folder(&self, name: &str, access: Access) -> Result<()> {
        Ok(fs::mkdirat(&self.0, name, Mode::from_raw_mode(access.of_folder()))?)
    }

    /// Makes a file in it and opens it for writing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, and others.
    pub fn create(&self, name: &str, access: Access) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(access.of_file());
        Ok(File::from(fs::openat(&self.0, name, flags, mode)?))
    }

    /// Opens a file in it that is there to be locked, its owner's alone, made if it isn't there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn lock_file(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(Access::Private.of_file());
        Ok(File::from(fs::openat(&self.0, name, flags, mode)?))
    }

    /// Gives a file another name, in the place of what has it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        Ok(fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Gives a file another name that is free, or was until now. Whether it has its old one still:
    /// where the new one was taken, or where the file system can give a second name only. One that can
    /// do neither renames it: the caller has seen that the name is free, and keeps others out.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn rename_new(&self, from: &str, to: &str) -> Result<bool> {
        let unable = |e: Errno| matches!(e, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM);
        match fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(false),
            Err(Errno::EXIST) => return Ok(true),
            Err(e) if unable(e) => {}
            Err(e) => return Err(e.into()),
        }
        // A second name never replaces either.
        match fs::linkat(&self.0, from, &self.0, to, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => return Ok(true),
            Err(e) if unable(e) => {}
            Err(e) => return Err(e.into()),
        }
        self.rename(from, to).map(|()| false)
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound`, and others.
    pub fn remove(&self, name: &str) -> Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Has its entries on disk.
    ///
    /// # Errors
    ///
    /// What the system says, but for a file system that keeps no directories that could be synced.
    pub fn sync(&self) -> Result<()> {
        match fs::fsync(&self.0) {
            Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}
