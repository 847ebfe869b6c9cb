//! The open record: create-only writing, crash-safe.

use super::contents::{Contents, Inputs};
use super::upload::Upload;
use super::{KeyFile, SignedStatement, TrustFile};
use crate::ceremony::change::Change;
use crate::ceremony::facts::Trust;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Time;
use crate::tuf::verify::Signature;
use std::path::Path;

/// An open record directory.
///
/// Every `add_*` is create-only: identical content that is already there is fine, different
/// content is `RECORD-CONFLICT`. Each takes the lock of this copy if [`Record::lock`] has not.
#[derive(Debug)]
pub struct Record {
    trust: TrustFile,
}

impl Record {
    /// Makes a record in `dir` (made if it isn't there), with its first limits file. A directory
    /// where a `create` was cut off is finished.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if there is a record already; `LIMITS-*`; `RECORD-WRITE`.
    pub fn create(dir: &Path, trust: &TrustFile, limits: &[u8]) -> Result<Self> {
        let _ = (dir, trust, limits);
        todo!()
    }

    /// Opens the record in `dir`.
    ///
    /// # Errors
    ///
    /// `RECORD-MISSING` if there is none; what [`TrustFile::from_json`] refuses.
    pub fn open(dir: &Path) -> Result<Self> {
        let _ = dir;
        todo!()
    }

    /// Locks this copy against other writers until this value is dropped, and takes away what
    /// writers that were killed left half written. A second call does nothing.
    ///
    /// # Errors
    ///
    /// `RECORD-BUSY`.
    pub fn lock(&self) -> Result<()> {
        todo!()
    }

    /// The trust.
    pub const fn trust(&self) -> &Trust {
        self.trust.trust()
    }

    /// `trust.json` as it is.
    pub const fn trust_file(&self) -> &TrustFile {
        &self.trust
    }

    /// Reads, parses and verifies everything, each file once. Bad files are findings, not errors.
    ///
    /// # Errors
    ///
    /// `RECORD-MISSING`, `MEDIA-READ` if the directory itself can't be read.
    pub fn read_all(&self, today: Time, inputs: &Inputs) -> Result<Contents> {
        let _ = (today, inputs);
        todo!()
    }

    /// Adds a key file; a second file for its name is refused.
    pub fn add_key(&self, key: &KeyFile) -> Result<Digest> {
        let _ = key;
        todo!()
    }

    /// Adds a signed statement.
    pub fn add_statement(&self, statement: &SignedStatement) -> Result<Digest> {
        let _ = statement;
        todo!()
    }

    /// Adds a change with its runbook's bytes and its payloads; `change.json` is written last.
    pub fn add_change(&self, change: &Change, runbook: &[u8]) -> Result<Digest> {
        let _ = (change, runbook);
        todo!()
    }

    /// Adds a signature over one of the change's payloads.
    ///
    /// # Errors
    ///
    /// `RECORD-REST` if it is over none of them.
    pub fn add_signature(&self, change: &Change, signature: &Signature) -> Result<Digest> {
        let _ = (change, signature);
        todo!()
    }

    /// Adds one outcome of a ceremony, as `Outcome::to_json` wrote it. A second one for its
    /// sequence number is refused.
    pub fn add_outcome(&self, json: &[u8]) -> Result<Digest> {
        let _ = json;
        todo!()
    }

    /// Writes the sidecar of an outcome's private fields, which never leaves this copy.
    pub fn add_private(&self, ceremony: &str, seq: u64, json: &[u8]) -> Result<()> {
        let _ = (ceremony, seq, json);
        todo!()
    }

    /// Adds a document, sealed by us or observed, byte for byte.
    pub fn add_metadata(&self, role: &RoleName, version: u64, bytes: &[u8]) -> Result<Digest> {
        let _ = (role, version, bytes);
        todo!()
    }

    /// Adds an upload; MANIFEST is written last. Returns the digest of MANIFEST.
    pub fn add_upload(&self, upload: &Upload) -> Result<Digest> {
        let _ = upload;
        todo!()
    }

    /// Adds the limits file number `number`.
    ///
    /// # Errors
    ///
    /// `LIMITS-FLOOR`, `RECORD-CONFLICT`.
    pub fn add_limits(&self, number: u64, toml: &[u8]) -> Result<Digest> {
        let _ = (number, toml);
        todo!()
    }

    /// The folder of an upload, to show to people.
    pub fn upload_path(&self, manifest: &Digest) -> String {
        format!("uploads/{manifest}")
    }
}
