//! Uploads: what to hand to the backend, and the exact lines that do it.

use crate::ceremony::facts::Trust;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use std::collections::BTreeMap;

/// A folder to hand over: flat, with MANIFEST and README.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The bytes of MANIFEST; the folder is named by their SHA-256.
    pub manifest: Vec<u8>,
    /// By file name: everything but MANIFEST.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Upload {
    /// What goes up: by role, the version and the sealed file. `server` is the backend's address
    /// as people will type it (`https://notary.example.com`), or none to leave it to them.
    ///
    /// In `notary` the README has one atomic POST and the lines that fetch the backend's keys
    /// once; in `tuf` a static tree in the order that keeps clients consistent.
    ///
    /// # Errors
    ///
    /// `UPLOAD-STAGE` for a rehearsal and a server that isn't on loopback.
    pub fn new(
        trust: &Trust,
        documents: &BTreeMap<RoleName, (u64, Vec<u8>)>,
        server: Option<&str>,
    ) -> Result<Self> {
        let _ = (trust, documents, server);
        todo!()
    }
}
