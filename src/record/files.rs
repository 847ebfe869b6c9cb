//! The files of a record, and those that want to come in beside them.
//!
//! A file of the record is read when it is asked for, once; a file from a medium is already in
//! memory, where nobody can change it any more (threats T16). Both are compared with what their
//! name says of them.

use super::dir::{Dir, Kind, TEMPORARY, regular};
use super::names::Place;
use super::rules;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire::Envelope;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The record's folders, and how deep their files are.
const FOLDERS: [(&str, usize); 10] = [
    ("backups", 1),
    ("changes", 2),
    ("keys", 2),
    ("limits", 1),
    ("metadata", 2),
    ("receipts", 1),
    ("rehearsals", 4),
    ("statements", 1),
    ("transcripts", 2),
    ("uploads", 2),
];

/// What is in a record's directory and no part of the record.
const APART: [&str; 4] = [".git", ".gitattributes", ".gitignore", super::store::PRIVATE];

/// Everything found in a directory that is laid out as a record.
#[derive(Debug, Default)]
pub struct Found {
    /// Files with a name of the layout.
    pub places: BTreeSet<Place>,
    /// Names of files at the top, and of files in folders that the layout doesn't know: a backend's
    /// documents may be among them.
    pub others: Vec<String>,
    /// What is neither, by its name as it may be shown.
    pub strays: Vec<(String, Refusal)>,
}

/// Looks through a directory without opening any file.
///
/// # Errors
///
/// `MEDIA-READ`, `MEDIA-SIZE` if the directory itself can't be listed.
pub fn find(dir: &Dir) -> Result<Found> {
    let mut found = Found::default();
    for entry in dir.entries()? {
        let shown = entry.shown();
        let Ok(name) = &entry.name else {
            found.strays.push((shown.clone(), misnamed(&shown)));
            continue;
        };
        match (FOLDERS.iter().find(|(folder, _)| folder == name), entry.kind) {
            _ if APART.contains(&&**name) => {}
            _ if name.starts_with(TEMPORARY) => found.strays.push((shown.clone(), misnamed(&shown))),
            (Some((_, depth)), Kind::Folder) => match dir.folder(name) {
                Ok(Some(folder)) => descend(&folder, &mut vec![name.clone()], *depth, &mut found),
                Ok(None) => {}
                Err(refusal) => found.strays.push((shown, refusal)),
            },
            (None, Kind::Folder) => found.strays.push((shown.clone(), misnamed(&shown))),
            (_, kind) => match (regular(kind, &shown), Place::parse(&[name])) {
                (Err(refusal), _) => found.strays.push((shown, refusal)),
                (Ok(()), Ok(place)) => {
                    found.places.insert(place);
                }
                (Ok(()), Err(_)) => found.others.push(name.clone()),
            },
        }
    }
    Ok(found)
}

fn descend(dir: &Dir, path: &mut Vec<String>, depth: usize, found: &mut Found) {
    let entries = match dir.entries() {
        Ok(entries) => entries,
        Err(refusal) => return found.strays.push((visible(&path.join("/")), refusal)),
    };
    for entry in entries {
        let shown = format!("{}/{}", visible(&path.join("/")), entry.shown());
        let Ok(name) = entry.name else {
            found.strays.push((shown.clone(), misnamed(&shown)));
            continue;
        };
        path.push(name);
        let parts: Vec<_> = path.iter().map(String::as_str).collect();
        match (entry.kind, Place::parse(&parts)) {
            (Kind::File, Ok(place)) => {
                found.places.insert(place);
            }
            (Kind::Folder, Err(_)) if depth > 1 => match path.last().map(|name| dir.folder(name)) {
                Some(Ok(Some(folder))) => descend(&folder, path, depth.saturating_sub(1), found),
                Some(Err(refusal)) => found.strays.push((shown, refusal)),
                _ => {}
            },
            (kind, parsed) => {
                let refusal = regular(kind, &shown).err();
                let refusal = refusal.or_else(|| parsed.err().filter(|_| !shown.contains(TEMPORARY)));
                found.strays.push((shown.clone(), refusal.unwrap_or_else(|| misnamed(&shown))));
            }
        }
        path.pop();
    }
}

fn misnamed(shown: &str) -> Refusal {
    if shown.contains(TEMPORARY) {
        let found = format!("\"{shown}\", which a writer that was killed left half written");
        return Refusal::new(&rules::RECORD_TORN, found, "whole files alone");
    }
    Refusal::new(&rules::RECORD_NAME, format!("the name \"{shown}\""), "a name that FORMAT.md lists")
}

fn missing(place: &Place) -> Refusal {
    Refusal::new(&rules::RECORD_REST, format!("no \"{place}\""), "the file, which others rest on")
}

/// Documents that this process has read and found trusted before, by role and SHA-256 of the file,
/// with what their signatures are. The record is read several times in a session: the bytes are read
/// and hashed each time, but none is parsed or verified twice. Nothing rests on being in here.
#[derive(Debug, Clone, Default)]
pub struct Seen(Rc<RefCell<BTreeMap<(RoleName, Digest), Envelope>>>);

/// The files of a record, and those that want to come in.
#[derive(Debug)]
pub struct Files<'a> {
    dir: &'a Dir,
    own: BTreeSet<Place>,
    new: BTreeMap<Place, Vec<u8>>,
    /// The folder that was read from last, by its path.
    last: RefCell<Option<(Vec<String>, Dir)>>,
    /// How many bytes may still be read.
    left: Cell<u64>,
    seen: Seen,
}

impl<'a> Files<'a> {
    /// The record's own files.
    pub fn new(dir: &'a Dir, own: BTreeSet<Place>) -> Self {
        let (last, left) = (RefCell::new(None), Cell::new(u64::MAX));
        Self { dir, own, new: BTreeMap::new(), last, left, seen: Seen::default() }
    }

    /// The same, with the documents that were seen before.
    #[must_use]
    pub fn with_seen(self, seen: &Seen) -> Self {
        Self { seen: seen.clone(), ..self }
    }

    /// The document of a file whose content has this digest, if it was seen before.
    pub fn seen(&self, role: &RoleName, file: Digest) -> Option<Envelope> {
        self.seen.0.borrow().get(&(role.clone(), file)).cloned()
    }

    /// Keeps a trusted document of a file whose content has this digest.
    pub fn see(&self, file: Digest, trusted: &Trusted) {
        self.seen.0.borrow_mut().insert((trusted.role().clone(), file), trusted.envelope().clone());
    }

    /// The same, of which no more than `most` bytes are read in all: a folder that came from
    /// elsewhere and is read in place.
    #[must_use]
    pub fn no_more_than(self, most: u64) -> Self {
        self.left.set(most);
        self
    }

    /// Adds a file that wants to come in. False if the record has it already. Where the record has
    /// another one there, that one is meant to give way: a torn one.
    pub fn propose(&mut self, place: Place, bytes: Vec<u8>) -> bool {
        if self.own.contains(&place) {
            if self.bytes(&place).is_ok_and(|own| *own == bytes) {
                return false;
            }
            self.own.remove(&place);
        }
        self.new.insert(place, bytes);
        true
    }

    /// Every place, in order.
    pub fn places(&self) -> Vec<Place> {
        let mut places: Vec<_> = self.own.iter().chain(self.new.keys()).cloned().collect();
        places.sort();
        places
    }

    /// Whether the file is one that wants to come in.
    pub fn is_new(&self, place: &Place) -> bool {
        self.new.contains_key(place)
    }

    /// Whether there is such a file.
    pub fn has(&self, place: &Place) -> bool {
        self.own.contains(place) || self.new.contains_key(place)
    }

    /// The files that want to come in.
    pub const fn proposed(&self) -> &BTreeMap<Place, Vec<u8>> {
        &self.new
    }

    /// The content.
    ///
    /// # Errors
    ///
    /// `RECORD-REST` if it isn't there, `RECORD-TORN`, `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-CHANGED`,
    /// `MEDIA-READ`.
    pub fn bytes(&self, place: &Place) -> Result<Cow<'_, [u8]>> {
        self.bytes_within(place, place.cap())
    }

    /// As [`Self::bytes`], of a file that is no larger than `most` bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn bytes_within(&self, place: &Place, most: u64) -> Result<Cow<'_, [u8]>> {
        if let Some(bytes) = self.new.get(place) {
            place.check(bytes)?;
            return Ok(Cow::Borrowed(bytes));
        }
        let path = place.path();
        let Some((name, folders)) = path.split_last() else { return Err(missing(place)) };
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(at, _)| at != folders) {
            let mut folder: Option<Dir> = None;
            for part in folders {
                folder =
                    Some(folder.as_ref().unwrap_or(self.dir).folder(part)?.ok_or_else(|| missing(place))?);
            }
            *last = folder.map(|dir| (folders.to_vec(), dir));
        }
        let folder = last.as_ref().map_or(self.dir, |(_, dir)| dir);
        let cap = most.min(place.cap()).min(self.left.get());
        let bytes = folder.read(name, cap)?.ok_or_else(|| missing(place))?;
        // An upload's files are compared and let go; all others may stay in memory.
        if !matches!(place, Place::Upload(..)) {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.left.set(self.left.get().saturating_sub(size));
        }
        place.check(&bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_folder_read_in_place_is_read_so_far_and_no_further() {
        let path = std::env::temp_dir().join(format!("keyrite-files-{}", std::process::id()));
        let dir = Dir::open_or_make(&path).unwrap();
        let place = |bytes: &[u8]| Place::Statement(Digest::of(bytes));
        let contents = [vec![b'a'; 100], vec![b'b'; 100], vec![b'c'; 100]];
        for bytes in &contents {
            let existing = crate::record::create::Existing::Torn;
            crate::record::store::put_beneath(&dir, &place(bytes), bytes, existing).unwrap();
        }
        let places = || contents.iter().map(|bytes| place(bytes)).collect();
        let rules = |files: &Files<'_>| {
            let read =
                |bytes: &Vec<u8>| files.bytes(&place(bytes)).map_or_else(|e| e.rule().name, |_| "read");
            contents.iter().map(read).collect::<Vec<_>>()
        };
        assert_eq!(rules(&Files::new(&dir, places())), ["read"; 3]);
        assert_eq!(rules(&Files::new(&dir, places()).no_more_than(250)), ["read", "read", "MEDIA-SIZE"]);
        std::fs::remove_dir_all(path).unwrap();
    }
}
