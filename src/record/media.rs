//! Media: directories that someone else wrote.

use crate::tuf::rule::Result;
use std::path::Path;

/// A directory on a medium that came from elsewhere: a USB stick, a clone, a download.
#[derive(Debug)]
pub struct Media {}

impl Media {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`, `MEDIA-KIND`.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }

    /// The bytes of one plain file directly in it, at most `cap`, read once. For enrolment files,
    /// certificates and public keys whose name a person typed or a runbook has.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`; `RECORD-NAME` for anything but a
    /// plain name.
    pub fn read(&self, name: &str, cap: u64) -> Result<Vec<u8>> {
        let _ = (name, cap);
        todo!()
    }
}

/// Reads one file that a person named by path on the command line (a runbook, answers, a device
/// map), by the same care: regular file, no link, capped, not changing.
///
/// # Errors
///
/// As [`Media::read`].
pub fn read_file(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let _ = (path, cap);
    todo!()
}
