//! A web server's tree: files put in place so that clients are never led to one that isn't there.
//!
//! Each file appears under its name whole or not at all, in the order of [`super::upload::Load`]: the
//! timestamp last. A versioned file that is there stays as it is; another under its name is refused before
//! anything is written.

use super::rules;
use super::upload::Part;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::Media;
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::wire;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// The most bytes of a file that is there.
const MOST: u64 = 64 * 1024 * 1024;

/// Puts documents into the tree; how many were not there yet.
///
/// # Errors
///
/// `ROLE-TAKEN` where another document has the name or a newer timestamp is there; `FILE-WRITE`.
pub fn put(tree: &Path, parts: &[Part]) -> Result<usize> {
    let media = Media::open(tree)?;
    let mut new = Vec::new();
    for part in parts {
        match media.find(&part.name, MOST)? {
            Some(there) if there == part.bytes() => {}
            Some(there) if part.role == RoleName::Timestamp => {
                let held = wire::parse(Profile::Tuf, &part.role, &there)?;
                if held.payload().version() >= part.version() {
                    return Err(taken(part, held.payload().version(), &there));
                }
                new.push(part);
            }
            Some(there) => return Err(taken(part, part.version(), &there)),
            None => new.push(part),
        }
    }
    for part in &new {
        write(tree, part).map_err(|error| {
            let place = tree.join(&part.name);
            let found = format!("{}: {}", shown(&place), shown(Path::new(&error.to_string())));
            Refusal::new(&FILE_WRITE, found, "a place that can be written to")
        })?;
        if media.find(&part.name, MOST)?.as_deref() != Some(part.bytes()) {
            let found = format!("{} reads back otherwise", shown(&tree.join(&part.name)));
            return Err(Refusal::new(&FILE_WRITE, found, "what was written"));
        }
    }
    Ok(new.len())
}

/// That another document has a version.
pub fn taken(part: &Part, version: u64, there: &[u8]) -> Refusal {
    let found = format!("{} version {version} with SHA-256 {} is served", part.role, Digest::of(there));
    let ours =
        format!("version {} with SHA-256 {}, which is to go up", part.version(), Digest::of(part.bytes()));
    Refusal::new(&rules::ROLE_TAKEN, found, ours)
}

fn write(tree: &Path, part: &Part) -> std::io::Result<()> {
    let new = tree.join(format!(".{}.new", part.name));
    // What a push that was cut off left here.
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(part.bytes())?;
        file.sync_all()?;
        fs::rename(&new, tree.join(&part.name))?;
        File::open(tree)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
