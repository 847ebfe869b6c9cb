//! Creating files: whole or not at all, and never over another.
//!
//! Temporary file, fsync, rename without replace (or a second name, where the file system has no
//! such rename), fsync of the directory, read back (threats T20). Every write, fsync and rename of
//! the record and of an export goes through [`Dir::create`], or through [`Dir::create_all`] for files
//! that nothing rests on before all of them are there.

use super::dir::{Dir, TEMPORARY, plain, unreadable, unwritable};
use super::rules;
use crate::system::files::Kind;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

pub use crate::system::files::Access;

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

impl Dir {
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

    /// The folder `name` in it, made if it isn't there.
    ///
    /// # Errors
    ///
    /// As [`Self::folder`], and `RECORD-WRITE`.
    pub fn folder_or_make(&self, name: &str, access: Access) -> Result<Self> {
        if let Some(folder) = self.folder(name)? {
            return Ok(folder);
        }
        match self.handle.make_folder(name, access) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(unwritable(&self.place(name), e)),
            _ => self.sync()?,
        }
        self.folder(name)?.ok_or_else(|| unwritable(&self.place(name), "it is gone again"))
    }

    /// Creates the file `name`, durably, unless the very same content is there already.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if something else is there that isn't torn; `RECORD-WRITE`; as
    /// [`Self::read`].
    pub fn create(&self, name: &str, bytes: &[u8], access: Access, existing: Existing) -> Result<Created> {
        let created = self.name(name, bytes, access, existing)?;
        // Also where it was there: a writer may have been killed between its rename and this.
        self.sync()?;
        self.named(name, bytes, created)?;
        Ok(created)
    }

    /// [`Self::create`] of several, with one fsync of the directory: until it returns, any of them may
    /// be there, whole, and the others not.
    ///
    /// # Errors
    ///
    /// As [`Self::create`]; those before the one that is refused may be there.
    pub fn create_all(&self, files: &[(&str, &[u8])], access: Access, existing: Existing) -> Result<()> {
        let each = files.iter().map(|(name, bytes)| self.name(name, bytes, access, existing));
        let created: Vec<_> = each.collect::<Result<_>>()?;
        self.sync()?;
        files.iter().zip(created).try_for_each(|((name, bytes), created)| self.named(name, bytes, created))
    }

    /// Writes a file, has it on disk and gives it its name, unless the very same content has it already;
    /// the name is on disk after [`Self::sync`] only.
    fn name(&self, name: &str, bytes: &[u8], access: Access, existing: Existing) -> Result<Created> {
        let torn = match self.holds(name, bytes) {
            Ok(true) => return Ok(Created::Same),
            Ok(false) => false,
            Err(r) if r.rule() == &rules::RECORD_CONFLICT && existing == Existing::Torn => true,
            Err(r) => return Err(r),
        };
        let temporary = format!("{TEMPORARY}{}", Digest::of(name.as_bytes()));
        self.write(&temporary, bytes, access)?;
        if torn {
            let renamed = self.handle.rename(&temporary, name);
            renamed.map_err(|e| unwritable(&self.place(name), e))?;
        } else {
            self.put(&temporary, name)?;
        }
        Ok(Created::New)
    }

    /// Reads back what is new.
    fn named(&self, name: &str, bytes: &[u8], created: Created) -> Result<()> {
        if created == Created::Same || self.holds(name, bytes)? {
            return Ok(());
        }
        Err(unwritable(&self.place(name), "it does not read back as written"))
    }

    /// Whether the file is there with this content.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if it is there with another; as [`Self::read`].
    fn holds(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let conflict = |found: String| {
            Refusal::new(
                &rules::RECORD_CONFLICT,
                format!("\"{}\" {found}", self.place(name)),
                "no file of that name, or the same content",
            )
        };
        match self.is(name, bytes) {
            Ok(None) => Ok(false),
            Ok(Some(true)) => Ok(true),
            Ok(Some(false)) => Err(conflict("with other content".to_owned())),
            Err(r) if r.rule() == &rules::MEDIA_SIZE => Err(conflict("with more content".to_owned())),
            Err(r) => Err(r),
        }
    }

    /// Writes a temporary file and has it on disk; one that a killed writer left is replaced.
    fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<()> {
        let failed = |e: Error| unwritable(&self.shown, e);
        self.remove(name)?;
        let mut file = self.handle.create(name, access).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Gives a temporary file its name, replacing nothing. If the name was taken meanwhile, the
    /// temporary file goes and what is there is compared by the caller.
    fn put(&self, temporary: &str, name: &str) -> Result<()> {
        // The lock keeps other writers out, and the name was free above.
        let left = self.handle.rename_new(temporary, name).map_err(|e| unwritable(&self.place(name), e))?;
        if left { self.remove(temporary) } else { Ok(()) }
    }

    /// Removes a temporary file, if it is there. Refuses any other name.
    fn remove(&self, name: &str) -> Result<()> {
        if !name.starts_with(TEMPORARY) {
            return Err(unwritable(&self.place(name), "keyrite removes temporary files only"));
        }
        match self.handle.remove(name) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(unwritable(&self.place(name), e)),
            _ => Ok(()),
        }
    }

    /// Removes the temporary files that killed writers left here and in the folders below.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`, `MEDIA-READ`.
    pub fn sweep(&self, depth: usize) -> Result<()> {
        for entry in self.handle.entries().map_err(|e| unreadable(&self.shown, e))? {
            let (name, kind) = entry.map_err(|e| unreadable(&self.shown, e))?;
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(TEMPORARY) {
                if self.handle.kind(name.as_ref()).is_ok_and(|kind| kind != Kind::Folder) {
                    self.remove(name)?;
                }
            } else if depth > 0
                && kind != Kind::File
                && let Ok(Some(folder)) = self.folder(name)
            {
                folder.sweep(depth.saturating_sub(1))?;
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
        self.handle.lock_file(plain(name)?).map_err(|e| unwritable(&self.place(name), e))
    }

    /// Has the directory's entries on disk.
    fn sync(&self) -> Result<()> {
        self.handle.sync().map_err(|e| unwritable(&self.shown, e))
    }
}
