//! Export: hands a copy of the record, or what one person needs of it, to a directory.

use super::Record;
use super::contents::Inputs;
use super::create::{Access, Existing};
use super::dir::Dir;
use super::names::Place;
use super::store::put_beneath;
use crate::ceremony::change::Item;
use crate::ceremony::people::Person;
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use crate::tuf::statement::Sentence;
use crate::tuf::time::Time;
use std::collections::BTreeSet;
use std::path::Path;

impl Record {
    /// Copies the record into `dir` (made if it isn't there), never `private/` and `backups/`: all
    /// of it, or for a person, what they need to compute and sign what waits for them. Nothing
    /// there is overwritten, but torn files of a copy that was cut off. Returns the paths that are
    /// now there, sorted.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`; `RECORD-CONFLICT` if `dir` holds another trust's record.
    pub fn export(&self, dir: &Path, person: Option<&Person>, today: Time) -> Result<Vec<String>> {
        let files = self.files()?;
        let theirs = person.map(|person| self.asked(person, today)).transpose()?;
        let target = Dir::open_or_make(dir)?;
        target.create("trust.json", &self.trust_file().to_json(), Access::Public, Existing::Stands)?;
        let mut copied = vec!["trust.json".to_owned()];
        for place in last_things_last(files.places()) {
            if place == Place::Trust || !wanted(&place, theirs.as_ref()) {
                continue;
            }
            // What is torn or unreadable here is no part of the record.
            let Ok(bytes) = files.bytes(&place) else { continue };
            put_beneath(&target, &place, &bytes, Existing::Torn)?;
            copied.push(place.to_string());
        }
        copied.sort();
        Ok(copied)
    }

    /// The changes that ask a person for a signature, closed ones too: they show what their key
    /// has signed before. With a withdrawal goes what it is about.
    fn asked(&self, person: &Person, today: Time) -> Result<BTreeSet<Digest>> {
        let contents = self.read_all(today, &Inputs::default())?;
        let asks = |items: &[Item]| {
            items
                .iter()
                .flat_map(super::super::ceremony::change::Item::asked)
                .any(|ask| ask.holder == *person)
        };
        let theirs = || contents.changes.values().filter(|c| asks(&c.change.items));
        let about = theirs().flat_map(|c| &c.change.items).filter_map(|item| match item {
            Item::Statement { payload, .. } => match payload.sentence() {
                Sentence::Withdrawal { change, .. } => Some(*change),
                _ => None,
            },
            _ => None,
        });
        Ok(theirs().map(|c| c.digest).chain(about).collect())
    }
}

fn wanted(place: &Place, theirs: Option<&BTreeSet<Digest>>) -> bool {
    match (place, theirs) {
        (Place::Backup(_), _) => false,
        (Place::Upload(..) | Place::Receipt(_), theirs) => theirs.is_none(),
        (
            Place::Change(c) | Place::Runbook(c) | Place::Payload(c, _) | Place::Signature(c, ..),
            Some(theirs),
        ) => theirs.contains(c),
        _ => true,
    }
}

/// Files that say that others are whole come after them.
pub(super) fn last_things_last(mut places: Vec<Place>) -> Vec<Place> {
    let seals = |place: &Place| match place {
        Place::Change(_) => true,
        Place::Upload(_, name) => name.as_str() == super::manifest::NAME,
        _ => false,
    };
    places.sort_by_key(seals);
    places
}
