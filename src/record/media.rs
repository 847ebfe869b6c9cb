//! Media: directories that someone else wrote.
//!
//! Nothing on a medium is trusted, least of all its names: see [`Dir`]. What is read is
//! read once into memory, and only the copy is judged and used.

use super::dir::Dir;
use super::rules;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::path::{Component, Path};

/// A directory on a medium that came from elsewhere: a USB stick, a clone, a download.
#[derive(Debug)]
pub struct Media {
    pub(super) dir: Dir,
}

impl Media {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { dir: Dir::open(path, &rules::MEDIA_READ)? })
    }

    /// The bytes of one plain file directly in it, at most `cap`, read once. For enrolment files,
    /// certificates and public keys whose name a person typed or a runbook has.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`, `MEDIA-READ`; `RECORD-NAME` for anything but a
    /// plain name.
    pub fn read(&self, name: &str, cap: u64) -> Result<Vec<u8>> {
        self.find(name, cap)?.ok_or_else(|| missing(&format!("{}/{}", self.dir.shown(), visible(name))))
    }

    /// The same of a file that may not be there.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn find(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        self.dir.read(name, cap)
    }
}

/// Reads one file that a person named by path on the command line (a runbook, answers, a device
/// map), by the same care: regular file, no link, capped, not changing.
///
/// # Errors
///
/// As [`Media::read`].
pub fn read_file(path: &Path, cap: u64) -> Result<Vec<u8>> {
    let (dir, name, shown) = named(path)?;
    dir.read(&name, cap)?.ok_or_else(|| missing(&shown))
}

/// Gives the content of such a file piece by piece, each with how many bytes there are in all: a file of
/// any size, of which nothing is kept.
///
/// # Errors
///
/// `MEDIA-KIND`, `MEDIA-CHANGED`, `MEDIA-READ`; what `take` refuses.
pub fn stream_file(path: &Path, take: &mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let (dir, name, shown) = named(path)?;
    if dir.stream(&name, take)? { Ok(()) } else { Err(missing(&shown)) }
}

/// The folder of a file that a person named, its name in it, and the path as it may be shown.
fn named(path: &Path) -> Result<(Dir, String, String)> {
    let shown = visible(&path.to_string_lossy());
    let Some(Component::Normal(name)) = path.components().next_back() else {
        return Err(Refusal::new(
            &rules::MEDIA_KIND,
            format!("\"{shown}\", which is a folder"),
            "a regular file",
        ));
    };
    let name = name.to_str().ok_or_else(|| missing(&shown))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((Dir::open(parent, &rules::MEDIA_READ)?, name.to_owned(), shown))
}

fn missing(shown: &str) -> Refusal {
    Refusal::new(&rules::MEDIA_READ, format!("no file \"{shown}\""), "a file that can be read")
}
