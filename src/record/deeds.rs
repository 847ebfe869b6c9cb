//! What was done in this very copy of the record: the one thing that a medium can't bring.
//!
//! Anyone can write a transcript, or go on with one, and nothing in a record shows that a key is gone from
//! its token. So what sessions here did for a change is noted beside the record, in `private/deeds/<change>/`,
//! by the program that did it. A medium that is used in place has notes of someone else's: they are neither
//! read nor written.

use super::create::{Access, Existing};
use super::store::{PRIVATE, Record};
use crate::ceremony::backups::Copies;
use crate::ceremony::people::KeyName;
use crate::ceremony::transcript::{Intent, Outcome};
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use std::collections::BTreeSet;

const DEEDS: &str = "deeds";

/// What a session did for a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A key signed something of it.
    Signed(KeyName),
    /// A key, or a certificate of one, was made or taken in.
    Made(KeyName),
    /// Its documents were sealed.
    Sealed,
    /// A token was about to destroy a key.
    Destroying(KeyName),
    /// It was seen to be gone.
    Destroyed(KeyName),
    /// A wrap key was dealt out, in the set of shares whose manifest has this digest.
    Dealt(KeyName, Digest),
    /// A key left its token, into the file of this digest.
    Copied(KeyName, Digest),
}

impl Deed {
    /// What an entry of a transcript tells of, if it is one of these.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Sign { key, .. } => Some(Self::Signed(key.clone())),
            Outcome::Key { name, .. } | Outcome::Enrol { name, .. } => Some(Self::Made(name.clone())),
            Outcome::Seal { .. } => Some(Self::Sealed),
            Outcome::Intent { key, what: Intent::Destroy, .. } => Some(Self::Destroying(key.clone())),
            Outcome::Destroy { key, .. } => Some(Self::Destroyed(key.clone())),
            Outcome::Shares { wrap_key, manifest } => {
                manifest.digest().ok().map(|digest| Self::Dealt(wrap_key.clone(), digest))
            }
            Outcome::Copy { key, file, .. } => Some(Self::Copied(key.clone(), *file)),
            _ => None,
        }
    }

    /// The name of its note.
    fn note(&self) -> String {
        match self {
            Self::Signed(key) => format!("signed.{key}"),
            Self::Made(key) => format!("made.{key}"),
            Self::Sealed => "sealed".to_owned(),
            Self::Destroying(key) => format!("destroying.{key}"),
            Self::Destroyed(key) => format!("destroyed.{key}"),
            Self::Dealt(key, manifest) => format!("dealt.{key}.{manifest}"),
            Self::Copied(key, file) => format!("copied.{key}.{file}"),
        }
    }

    fn read(note: &str) -> Option<Self> {
        let (what, key) = note.split_once('.').unwrap_or((note, ""));
        let both = || {
            let (key, digest) = key.split_once('.')?;
            Some((key.parse().ok()?, digest.parse().ok()?))
        };
        let key = || key.parse().ok();
        match what {
            "signed" => Some(Self::Signed(key()?)),
            "made" => Some(Self::Made(key()?)),
            "sealed" => Some(Self::Sealed),
            "destroying" => Some(Self::Destroying(key()?)),
            "destroyed" => Some(Self::Destroyed(key()?)),
            "dealt" => both().map(|(key, digest)| Self::Dealt(key, digest)),
            "copied" => both().map(|(key, digest)| Self::Copied(key, digest)),
            _ => None,
        }
    }
}

impl Record {
    /// Marks the sets of shares and the copies that sessions of this very copy have made.
    pub(super) fn mark_own(&self, copies: &mut Copies) {
        let done = |change: Option<Digest>, deed: &Deed| {
            change.is_some_and(|change| self.deeds(&change).is_ok_and(|deeds| deeds.contains(deed)))
        };
        for (name, sets) in &mut copies.sets {
            for set in sets {
                set.here = done(set.change, &Deed::Dealt(name.clone(), set.digest));
            }
        }
        for (name, made) in &mut copies.made {
            for copy in made {
                copy.here = done(copy.change, &Deed::Copied(name.clone(), copy.file));
            }
        }
    }

    /// Notes what is done here for a change, if an entry tells of it.
    ///
    /// # Errors
    ///
    /// `RECORD-BUSY`, `RECORD-WRITE`.
    pub fn note_deed(&self, change: &Digest, outcome: &Outcome) -> Result<()> {
        let Some(deed) = Deed::of(outcome).filter(|_| !self.received()) else { return Ok(()) };
        let deeds = self.private()?.folder_or_make(DEEDS, Access::Private)?;
        let folder = deeds.folder_or_make(&change.hex(), Access::Private)?;
        if folder.read(&deed.note(), 0)?.is_none() {
            folder.create(&deed.note(), b"", Access::Private, Existing::Torn)?;
        }
        Ok(())
    }

    /// Whether the documents of a change were sealed in this very copy.
    pub(super) fn sealed_here(&self, change: &Digest) -> bool {
        self.deeds(change).is_ok_and(|deeds| deeds.contains(&Deed::Sealed))
    }

    /// What was done for a change in this very copy.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-READ`.
    pub fn deeds(&self, change: &Digest) -> Result<BTreeSet<Deed>> {
        let private = if self.received() { None } else { self.dir().folder(PRIVATE)? };
        let deeds = private.map(|private| private.folder(DEEDS)).transpose()?.flatten();
        let folder = deeds.map(|deeds| deeds.folder(&change.hex())).transpose()?.flatten();
        let Some(folder) = folder else { return Ok(BTreeSet::new()) };
        let notes = folder.entries()?.into_iter().filter_map(|entry| entry.name.ok());
        Ok(notes.filter_map(|note| Deed::read(&note)).collect())
    }
}
