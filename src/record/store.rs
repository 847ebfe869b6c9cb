//! The open record: create-only writing, crash-safe.
//!
//! Whatever moment a writer is killed at, what it leaves is a record: a file is there whole or not
//! at all, and a file that others rest on is written before them (payloads before `change.json`,
//! an upload's files before MANIFEST, a sidecar before its entry). The same command, run again,
//! finds what is there and goes on.

use super::contents::{Contents, Inputs};
use super::create::{Access, Created, Existing};
use super::dir::Dir;
use super::files::{self, Files, Seen};
use super::manifest::FileName;
use super::names::Place;
use super::{TrustFile, read, rules};
use crate::ceremony::facts::Trust;
use crate::ceremony::limits::Limits;
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder that never leaves a copy.
pub const PRIVATE: &str = "private";

/// Of `private/`: who writes into this copy holds its lock.
const LOCK: &str = "lock";

/// What `init` tells git: no line end is ever changed, and what is private stays here.
const GIT: [(&str, &str); 2] =
    [(".gitattributes", "* -text\n"), (".gitignore", "/private/\n/devices.toml\n.tmp-*\n")];

/// An open record directory.
///
/// Every `add_*` is create-only: identical content that is already there is fine, different
/// content is `RECORD-CONFLICT`, a torn file is replaced. Each takes the lock of this copy if
/// [`Record::lock`] has not.
#[derive(Debug)]
pub struct Record {
    dir: Dir,
    path: PathBuf,
    trust: TrustFile,
    lock: OnceCell<File>,
    /// How many bytes one reading of it takes at most.
    most: u64,
    seen: Seen,
}

impl Record {
    /// Makes a record in `dir` (made if it isn't there), with its first limits file, which `trust`
    /// names. A directory where a `create` was cut off is finished.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if there is another record already; `RECORD-OTHER` if `trust` names other
    /// limits; `LIMITS-FORM`, `LIMITS-FLOOR`; `RECORD-WRITE`.
    pub fn create(path: &Path, trust: &TrustFile, limits: &[u8]) -> Result<Self> {
        read_limits(limits, trust.trust().profile)?;
        if Digest::of(limits) != trust.limits() {
            return Err(Refusal::new(
                &rules::RECORD_OTHER,
                format!("limits whose SHA-256 is {}", Digest::of(limits)),
                format!("{}, which trust.json names", trust.limits()),
            ));
        }
        let dir = Dir::open_or_make(path)?;
        let bytes = trust.to_json();
        if dir.read("trust.json", Place::Trust.cap())?.is_some_and(|there| there != bytes) {
            return Err(Refusal::new(
                &rules::RECORD_CONFLICT,
                format!("a record of another trust in \"{}\"", dir.shown()),
                "a new directory for a new record",
            ));
        }
        let record = Self::over(dir, path, trust.clone());
        record.put(&Place::Limits(1, trust.limits()), limits)?;
        for (name, content) in GIT {
            record.dir.create(name, content.as_bytes(), Access::Public, Existing::Stands)?;
        }
        record.dir.create("trust.json", &bytes, Access::Public, Existing::Stands)?;
        Ok(record)
    }

    /// Opens the record in `dir`.
    ///
    /// # Errors
    ///
    /// `RECORD-MISSING` if there is none; what [`TrustFile::from_json`] refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let dir = Dir::open(path, &rules::RECORD_MISSING)?;
        let bytes = dir.read("trust.json", Place::Trust.cap())?.ok_or_else(|| {
            let found = format!("no trust.json in \"{}\"", dir.shown());
            Refusal::new(&rules::RECORD_MISSING, found, "the directory of a record")
        })?;
        let trust = TrustFile::from_json(&bytes).map_err(|r| r.at("trust.json"))?;
        Ok(Self::over(dir, path, trust))
    }

    fn over(dir: Dir, path: &Path, trust: TrustFile) -> Self {
        let (lock, seen) = (OnceCell::new(), Seen::default());
        Self { dir, path: path.to_owned(), trust, lock, most: u64::MAX, seen }
    }

    /// Opens a record that came from elsewhere and is used in place: no more than an import would
    /// take is ever read of it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_received(path: &Path) -> Result<Self> {
        Ok(Self { most: super::take_in::MOST, ..Self::open(path)? })
    }

    /// Whether it came from elsewhere and is used in place.
    pub(super) const fn received(&self) -> bool {
        self.most != u64::MAX
    }

    /// Locks this copy against other writers until this value is dropped, and takes away what
    /// writers that were killed left half written. A second call does nothing.
    ///
    /// # Errors
    ///
    /// `RECORD-BUSY`, `RECORD-WRITE`.
    pub fn lock(&self) -> Result<()> {
        if self.lock.get().is_some() {
            return Ok(());
        }
        let file = self.dir.folder_or_make(PRIVATE, Access::Private)?.lock_file(LOCK)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Refusal::new(
                    &rules::RECORD_BUSY,
                    format!("\"{}\" locked by another program", self.dir.shown()),
                    "one writer at a time",
                ));
            }
            Err(TryLockError::Error(e)) => {
                let found = format!("\"{}\" can't be locked: {e}", self.dir.shown());
                return Err(Refusal::new(&rules::RECORD_WRITE, found, "a directory that can be locked"));
            }
        }
        self.dir.sweep(4)?;
        // Nobody else holds this value, so it is still unset.
        let _ = self.lock.set(file);
        Ok(())
    }

    /// The trust.
    pub const fn trust(&self) -> &Trust {
        self.trust.trust()
    }

    /// `trust.json` as it is.
    pub const fn trust_file(&self) -> &TrustFile {
        &self.trust
    }

    /// The limits that the trust began with, which `trust.json` names.
    ///
    /// # Errors
    ///
    /// What reading the file refuses; `LIMITS-FORM`, `LIMITS-FLOOR`.
    pub fn first_limits(&self) -> Result<Limits> {
        let files = self.files()?;
        let bytes = files.bytes(&Place::Limits(1, self.trust.limits()))?;
        read_limits(&bytes, self.trust().profile)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads, parses and verifies everything, each file once. Bad files are findings, not errors.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`, `MEDIA-SIZE` if the directory itself can't be listed; `LIMITS-FORM`,
    /// `LIMITS-FLOOR`, `RECORD-REST`, `RECORD-TORN` if there are no limits to go by; `ANCHOR` if
    /// the chain of roots doesn't contain the anchor.
    pub fn read_all(&self, today: Time, inputs: &Inputs) -> Result<Contents> {
        let found = files::find(&self.dir)?;
        let own = Files::new(&self.dir, found.places).no_more_than(self.most).with_seen(&self.seen);
        let mut contents =
            read::contents(&own, &self.trust, today, inputs, &|change| self.sealed_here(change))?.0;
        let others = found.others.into_iter().map(|name| {
            let shown = visible(&name);
            (
                shown.clone(),
                Refusal::new(&rules::RECORD_NAME, format!("the name \"{shown}\""), "a name of FORMAT.md"),
            )
        });
        contents.findings.extend(others.chain(found.strays));
        self.mark_own(&mut contents.facts.copies);
        Ok(contents)
    }

    /// The record's own files, for import.
    pub(super) fn files(&self) -> Result<Files<'_>> {
        let places = files::find(&self.dir)?.places;
        Ok(Files::new(&self.dir, places).no_more_than(self.most).with_seen(&self.seen))
    }

    /// The file of one document.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`, `MEDIA-SIZE`, `RECORD-TORN`.
    pub fn metadata(&self, role: &RoleName, version: u64, file: Digest) -> Result<Vec<u8>> {
        let place = Place::Metadata(role.clone(), version, file);
        let files = Files::new(&self.dir, BTreeSet::from([place.clone()]));
        files.bytes(&place).map(std::borrow::Cow::into_owned)
    }

    /// The directory.
    pub(super) const fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The folder of an upload.
    pub fn upload_path(&self, manifest: &Digest) -> PathBuf {
        self.path.join("uploads").join(manifest.hex())
    }

    /// Writes one file of the record.
    pub(super) fn put(&self, place: &Place, bytes: &[u8]) -> Result<Created> {
        place.check(bytes)?;
        self.put_named(place, bytes)
    }

    /// The same of a place whose name was made from these very bytes.
    pub(super) fn put_named(&self, place: &Place, bytes: &[u8]) -> Result<Created> {
        self.lock()?;
        put_beneath(&self.dir, place, bytes, Existing::Torn)
    }

    /// Writes the files of an upload but for MANIFEST, which may only come after all of them.
    pub(super) fn put_upload<'f>(
        &self,
        manifest: Digest,
        files: impl Iterator<Item = (&'f FileName, &'f [u8])>,
    ) -> Result<()> {
        self.lock()?;
        let files: Vec<_> = files.map(|(name, bytes)| (name.as_str(), bytes)).collect();
        let folders = ["uploads".to_owned(), manifest.hex()];
        let folder = folders_beneath(&self.dir, &folders)?;
        folder.as_ref().unwrap_or(&self.dir).create_all(&files, Access::Public, Existing::Torn)
    }

    /// Where the folder is that never leaves this copy; it is there afterwards, and the record locked.
    ///
    /// # Errors
    ///
    /// `RECORD-BUSY`, `RECORD-WRITE`.
    pub fn private_path(&self) -> Result<PathBuf> {
        self.private()?;
        Ok(self.path.join(PRIVATE))
    }

    /// The folder that never leaves this copy.
    pub(super) fn private(&self) -> Result<Dir> {
        self.lock()?;
        self.dir.folder_or_make(PRIVATE, Access::Private)
    }
}

/// Writes the file of a place beneath a directory, its folders first.
///
/// # Errors
///
/// `RECORD-CONFLICT`, `RECORD-WRITE`.
pub(super) fn put_beneath(dir: &Dir, place: &Place, bytes: &[u8], existing: Existing) -> Result<Created> {
    let path = place.path();
    let Some((name, folders)) = path.split_last() else { return Ok(Created::Same) };
    let folder = folders_beneath(dir, folders)?;
    folder.as_ref().unwrap_or(dir).create(name, bytes, Access::Public, existing)
}

/// The last of these folders, each made in the one before if it isn't there; none if there are none.
fn folders_beneath(dir: &Dir, folders: &[String]) -> Result<Option<Dir>> {
    let mut folder: Option<Dir> = None;
    for part in folders {
        folder = Some(folder.as_ref().unwrap_or(dir).folder_or_make(part, Access::Public)?);
    }
    Ok(folder)
}

/// Reads a limits file.
///
/// # Errors
///
/// `LIMITS-FORM`, `LIMITS-FLOOR`.
pub(super) fn read_limits(bytes: &[u8], profile: Profile) -> Result<Limits> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let found = "bytes that are no UTF-8";
        Refusal::new(&crate::ceremony::rules::LIMITS_FORM, found, "TOML 1.0")
    })?;
    Limits::parse(text, profile)
}
