//! A web server's tree: files put in place so that clients are never led to one that isn't there.
//!
//! A tree is one trust's: the first push writes the trust's id beside the documents, and a rehearsal begins
//! in an empty directory alone. What clients would make of the tree with the upload in it is found out
//! before anything is written ([`super::fit`]).
//!
//! Each file appears under its name whole or not at all, in the order of [`super::upload::Load`]: the
//! timestamp last. A versioned file that is there stays as it is; another under its name is refused before
//! anything is written. The directory is locked meanwhile, for pushes at once would cross each other.

use super::rules;
use super::upload::Part;
use crate::ceremony::facts::{Stage, Trust};
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::Media;
use crate::record::rules::UPLOAD_STAGE;
use crate::system::files::{open_folder, rename_new, sync_folder};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::tuf::wire;
use std::fs::{self, File, TryLockError};
use std::io::{Error, Write as _};
use std::path::Path;

/// The most bytes of a file that is there.
const MOST: u64 = 64 * 1024 * 1024;
/// The file that says of which trust a tree is.
const OWNER: &str = ".keyrite-trust";

/// Puts documents of this trust into the tree; how many were not there yet.
///
/// # Errors
///
/// `TREE-TRUST` for another's tree, or while another push goes on; `UPLOAD-STAGE` for a rehearsal in a
/// directory that holds anything; `ROLE-TAKEN` where another document has the name or a newer timestamp is
/// there; `UPLOAD-UNFIT` for what clients would refuse; `FILE-WRITE`.
pub fn put(tree: &Path, trust: &Trust, parts: &[Part], now: Time) -> Result<usize> {
    let media = Media::open(tree)?;
    let lock = open_folder(tree).map_err(|error| failed(tree, &error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let found = format!("{}, into which another push writes", shown(tree));
            return Err(Refusal::new(&rules::TREE_TRUST, found, "one push at a time"));
        }
        Err(TryLockError::Error(error)) => return Err(failed(tree, &error)),
    }
    let owned = is_owned(&media, tree, trust)?;
    let new = missing(&media, parts)?;
    if new.is_empty() {
        return Ok(0);
    }
    super::fit::fit(tree, &media, parts, now)?;
    if !owned {
        written(tree, &media, OWNER, trust.id.to_string().as_bytes(), false)?;
    }
    for part in &new {
        written(tree, &media, &part.name, part.bytes(), part.role == RoleName::Timestamp)?;
    }
    Ok(new.len())
}

/// Whether the tree says that it is this trust's; refuses another's.
fn is_owned(media: &Media, tree: &Path, trust: &Trust) -> Result<bool> {
    let id = trust.id.to_string();
    if let Some(owner) = media.find(OWNER, 128)? {
        if owner == id.as_bytes() {
            return Ok(true);
        }
        let found = format!("{} of the trust {}", shown(tree), visible(&String::from_utf8_lossy(&owner)));
        return Err(Refusal::new(&rules::TREE_TRUST, found, format!("the tree of {id}")));
    }
    if trust.stage == Stage::Rehearsal {
        let entry = fs::read_dir(tree).and_then(|mut entries| entries.next().transpose());
        if let Some(entry) = entry.map_err(|error| failed(tree, &error))? {
            let found = format!(
                "a rehearsal in {}, which holds {}",
                shown(tree),
                shown(Path::new(&entry.file_name()))
            );
            let expected = "an empty directory, or one that this rehearsal began in";
            return Err(Refusal::new(&UPLOAD_STAGE, found, expected));
        }
    }
    Ok(false)
}

/// The documents that the tree doesn't have; refuses where it has others in their place.
fn missing<'a>(media: &Media, parts: &'a [Part]) -> Result<Vec<&'a Part>> {
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
    Ok(new)
}

/// That another document has a version.
pub fn taken(part: &Part, version: u64, there: &[u8]) -> Refusal {
    let found = format!("{} version {version} with SHA-256 {} is served", part.role, Digest::of(there));
    let ours =
        format!("version {} with SHA-256 {}, which is to go up", part.version(), Digest::of(part.bytes()));
    Refusal::new(&rules::ROLE_TAKEN, found, ours)
}

/// Writes a file and reads it back.
fn written(tree: &Path, media: &Media, name: &str, bytes: &[u8], replaces: bool) -> Result<()> {
    write(tree, name, bytes, replaces).map_err(|error| failed(&tree.join(name), &error))?;
    if media.find(name, MOST)?.as_deref() == Some(bytes) {
        return Ok(());
    }
    let found = format!("{} reads back otherwise", shown(&tree.join(name)));
    Err(Refusal::new(&FILE_WRITE, found, "what was written"))
}

fn write(tree: &Path, name: &str, bytes: &[u8], replaces: bool) -> std::io::Result<()> {
    let new = tree.join(format!(".{name}.new"));
    // What a push that was cut off left here: nobody else writes while the tree is locked.
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        let place = tree.join(name);
        let named = if replaces { fs::rename(&new, &place) } else { rename_new(&new, &place) };
        named?;
        sync_folder(tree)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn failed(place: &Path, error: &Error) -> Refusal {
    let found = format!("{}: {}", shown(place), shown(Path::new(&error.to_string())));
    Refusal::new(&FILE_WRITE, found, "a place that can be written to")
}
