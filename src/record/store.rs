//! The open record: create-only writing, crash-safe.
//!
//! Whatever moment a writer is killed at, what it leaves is a record: a file is there whole or not
//! at all, and a file that others rest on is written before them (payloads before `change.json`,
//! an upload's files before MANIFEST, a sidecar before its entry). The same command, run again,
//! finds what is there and goes on.

use super::contents::{Contents, Inputs};
use super::dir::{Access, Created, Dir, Existing};
use super::files::{self, Files};
use super::names::Place;
use super::receipt::Receipt;
use super::signed::{SignedStatement, signature_file};
use super::upload::Upload;
use super::{KeyFile, TrustFile, manifest, read, rules};
use crate::ceremony::change::Change;
use crate::ceremony::facts::Trust;
use crate::ceremony::limits::Limits;
use crate::ceremony::transcript::{Appended, CeremonyId, Entry};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::tuf::verify::Signature;
use std::cell::OnceCell;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder that never leaves a copy.
pub const PRIVATE: &str = "private";

/// Of `private/`: who writes into this copy holds its lock.
const LOCK: &str = "lock";

/// Of `private/<ceremony>/`: its session is held in this copy.
const HERE: &str = "here";

/// What `init` tells git: no line end is ever changed, and what is private stays here.
const GIT: [(&str, &str); 2] = [(".gitattributes", "* -text\n"), (".gitignore", "/private/\n.tmp-*\n")];

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
        let record = Self { dir, path: path.to_owned(), trust: trust.clone(), lock: OnceCell::new() };
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
        Ok(Self { dir, path: path.to_owned(), trust, lock: OnceCell::new() })
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
        let own = Files::new(&self.dir, found.places);
        let mut contents = read::contents(&own, &self.trust, today, inputs)?.0;
        let others = found.others.into_iter().map(|name| {
            let shown = visible(&name);
            (
                shown.clone(),
                Refusal::new(&rules::RECORD_NAME, format!("the name \"{shown}\""), "a name of FORMAT.md"),
            )
        });
        contents.findings.extend(others.chain(found.strays));
        Ok(contents)
    }

    /// The record's own files, for import.
    pub(super) fn files(&self) -> Result<Files<'_>> {
        Ok(Files::new(&self.dir, files::find(&self.dir)?.places))
    }

    /// Adds a key file.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `RECORD-CONFLICT` if another key has the name;
    /// `RECORD-MEMBER`, `TEXT` if it would not read back.
    pub fn add_key(&self, key: &KeyFile) -> Result<Digest> {
        let bytes = key.to_json();
        KeyFile::from_json(&bytes)?;
        self.ours(key.trust, "key file")?;
        for (place, there) in self.beside(&["keys", key.name.as_str()])? {
            if KeyFile::from_json(&there).is_ok_and(|other| other.public != key.public) {
                return Err(conflict(&place, "another key"));
            }
        }
        let sha = Digest::of(&bytes);
        self.put(&Place::Key(key.name.clone(), sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a signed statement.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `RECORD-WRITE`.
    pub fn add_statement(&self, signed: &SignedStatement) -> Result<Digest> {
        self.ours(signed.statement().trust(), "statement")?;
        let bytes = signed.to_json()?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Statement(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a change with its runbook's bytes and its payloads; `change.json` is written last.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `CHANGE-RUNBOOK`; `RECORD-WRITE`.
    pub fn add_change(&self, change: &Change, runbook: &[u8]) -> Result<Digest> {
        self.ours(change.trust, "change")?;
        let bytes = change.to_json();
        let sha = Digest::of(&bytes);
        let payloads = change.items.iter().enumerate();
        let payloads = payloads.filter_map(|(n, item)| Some((n, item.payload_bytes()?.to_vec()))).collect();
        Change::from_json(&bytes, runbook, &payloads, self.trust().profile)?;
        for (n, payload) in &payloads {
            self.put(&Place::Payload(sha, *n), payload)?;
        }
        self.put(&Place::Runbook(sha), runbook)?;
        self.put(&Place::Change(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a signature over one of the change's payloads.
    ///
    /// # Errors
    ///
    /// `RECORD-REST` if it is over none of them, or by a key that the change doesn't ask.
    pub fn add_signature(&self, change: &Change, signature: &Signature) -> Result<Digest> {
        let bytes = signature_file(change, self.trust().profile, signature)?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Signature(change.digest(), signature.payload(), sha), &bytes)?;
        Ok(sha)
    }

    /// Adds one entry of a transcript, its sidecar first.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if another entry has its number.
    pub fn add_outcome(&self, ceremony: CeremonyId, appended: &Appended) -> Result<Digest> {
        let stem = format!("{:06}.", appended.seq);
        for (place, there) in self.beside(&["transcripts", &ceremony.to_string()])? {
            let same_number = matches!(&place, Place::Outcome(_, seq, _) if *seq == appended.seq);
            if same_number && Digest::of(&there) != appended.sha && Entry::from_json(&there).is_ok() {
                return Err(conflict(&place, "another entry"));
            }
        }
        if let Some(sidecar) = &appended.sidecar {
            let folder = self.private()?.folder_or_make(&ceremony.to_string(), Access::Private)?;
            folder.create(&format!("{stem}json"), sidecar, Access::Private, Existing::Torn)?;
        }
        self.put(&Place::Outcome(ceremony, appended.seq, appended.sha), &appended.bytes)?;
        Ok(appended.sha)
    }

    /// Notes that the session of this ceremony is held in this copy: only here is it gone on with.
    ///
    /// # Errors
    ///
    /// `RECORD-BUSY`, `RECORD-WRITE`.
    pub fn hold_here(&self, ceremony: CeremonyId) -> Result<()> {
        let folder = self.private()?.folder_or_make(&ceremony.to_string(), Access::Private)?;
        folder.create(HERE, b"", Access::Private, Existing::Torn).map(|_| ())
    }

    /// Whether the session of this ceremony is held in this copy.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-READ`.
    pub fn held_here(&self, ceremony: CeremonyId) -> Result<bool> {
        let Some(private) = self.dir.folder(PRIVATE)? else { return Ok(false) };
        let Some(folder) = private.folder(&ceremony.to_string())? else { return Ok(false) };
        folder.read(HERE, 0).map(|marker| marker.is_some())
    }

    /// The sidecar of an entry's private values, if this copy has it.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-READ`.
    pub fn sidecar(&self, ceremony: CeremonyId, seq: u64) -> Result<Option<Vec<u8>>> {
        let Some(private) = self.dir.folder(PRIVATE)? else { return Ok(None) };
        let Some(folder) = private.folder(&ceremony.to_string())? else { return Ok(None) };
        folder.read(&format!("{seq:06}.json"), 1024 * 1024)
    }

    /// Adds a document, sealed by us or observed, byte for byte.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`.
    pub fn add_metadata(&self, role: &RoleName, version: u64, bytes: &[u8]) -> Result<Digest> {
        let sha = Digest::of(bytes);
        self.put(&Place::Metadata(role.clone(), version, sha), bytes)?;
        Ok(sha)
    }

    /// Adds an upload; MANIFEST is written last. Returns the digest of MANIFEST.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`.
    pub fn add_upload(&self, upload: &Upload) -> Result<Digest> {
        let sha = Digest::of(upload.manifest());
        for (name, bytes) in upload.files() {
            self.put(&Place::Upload(sha, name.clone()), bytes)?;
        }
        let name = super::names::FileName::parse(manifest::NAME)?;
        self.put(&Place::Upload(sha, name), upload.manifest())?;
        Ok(sha)
    }

    /// Adds a backend's answer.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `TEXT`; `RECORD-WRITE`.
    pub fn add_receipt(&self, receipt: &Receipt) -> Result<Digest> {
        self.ours(receipt.trust, "receipt")?;
        let bytes = receipt.to_json()?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Receipt(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds the limits file number `number`.
    ///
    /// # Errors
    ///
    /// `LIMITS-FORM`, `LIMITS-FLOOR`; `RECORD-CONFLICT` if another file has the number.
    pub fn add_limits(&self, number: u64, toml: &[u8]) -> Result<Digest> {
        let profile = self.trust().profile;
        read_limits(toml, profile)?;
        let sha = Digest::of(toml);
        for (place, there) in self.beside(&["limits"])? {
            let same_number = matches!(&place, Place::Limits(n, other) if *n == number && *other != sha);
            if same_number && read_limits(&there, profile).is_ok() {
                return Err(conflict(&place, "other limits"));
            }
        }
        self.put(&Place::Limits(number, sha), toml)?;
        Ok(sha)
    }

    /// The folder of an upload.
    pub fn upload_path(&self, manifest: &Digest) -> PathBuf {
        self.path.join("uploads").join(manifest.hex())
    }

    /// Writes one file of the record.
    pub(super) fn put(&self, place: &Place, bytes: &[u8]) -> Result<Created> {
        self.lock()?;
        place.check(bytes)?;
        put_beneath(&self.dir, place, bytes, Existing::Torn)
    }

    fn private(&self) -> Result<Dir> {
        self.lock()?;
        self.dir.folder_or_make(PRIVATE, Access::Private)
    }

    /// The whole files of a folder of the record, by place.
    fn beside(&self, path: &[&str]) -> Result<Vec<(Place, Vec<u8>)>> {
        let mut folder: Option<Dir> = None;
        for part in path {
            let Some(next) = folder.as_ref().unwrap_or(&self.dir).folder(part)? else {
                return Ok(Vec::new());
            };
            folder = Some(next);
        }
        let Some(folder) = folder else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in folder.entries()? {
            let Ok(name) = &entry.name else { continue };
            let parts: Vec<_> = path.iter().copied().chain([name.as_str()]).collect();
            let Ok(place) = Place::parse(&parts) else { continue };
            if let Ok(Some(bytes)) = folder.read(name, place.cap()) {
                if place.check(&bytes).is_ok() {
                    found.push((place, bytes));
                }
            }
        }
        Ok(found)
    }

    fn ours(&self, trust: crate::tuf::statement::TrustId, what: &str) -> Result<()> {
        if trust == self.trust().id {
            return Ok(());
        }
        let found = format!("a {what} of the trust {trust}");
        Err(Refusal::new(&rules::RECORD_OTHER, found, format!("the trust {}", self.trust().id)))
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
    let mut folder: Option<Dir> = None;
    for part in folders {
        folder = Some(folder.as_ref().unwrap_or(dir).folder_or_make(part, Access::Public)?);
    }
    folder.as_ref().unwrap_or(dir).create(name, bytes, Access::Public, existing)
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

fn conflict(place: &Place, what: &str) -> Refusal {
    Refusal::new(
        &rules::RECORD_CONFLICT,
        format!("{what} in \"{place}\""),
        "one file for one name, number or sequence",
    )
}
