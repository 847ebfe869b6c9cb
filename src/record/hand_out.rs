//! Export: hands a copy of the record, or what one person needs of it, to a directory.

use super::contents::Inputs;
use super::create::{Access, Existing};
use super::dir::Dir;
use super::names::Place;
use super::store::put_beneath;
use super::{Record, rules};
use crate::ceremony::change::Item;
use crate::ceremony::people::Person;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};
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
        let files = self.handed(person, today)?;
        let target = Dir::open_or_make(dir)?;
        target.create("trust.json", &self.trust_file().to_json(), Access::Public, Existing::Stands)?;
        let mut copied = vec!["trust.json".to_owned()];
        for (place, bytes) in files {
            put_beneath(&target, &place, &bytes, Existing::Torn)?;
            copied.push(place.to_string());
        }
        copied.sort();
        Ok(copied)
    }

    /// The same files as paths and bytes, but for those that `besides` has, a copy of the record as
    /// whoever gets them has it. `trust.json` is always among them.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` if `besides` is another trust's record.
    pub fn bundle(
        &self,
        person: Option<&Person>,
        besides: Option<&Self>,
        today: Time,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        if let Some(other) = besides.filter(|other| other.trust().id != self.trust().id) {
            let found = format!("a record of the trust {}", other.trust().id);
            let expected = format!("of this one, {}", self.trust().id);
            return Err(Refusal::new(&rules::RECORD_OTHER, found, expected));
        }
        let there: BTreeSet<Place> = match besides {
            Some(other) => other.files()?.places().into_iter().collect(),
            None => BTreeSet::new(),
        };
        let files = self.handed(person, today)?.into_iter().filter(|(place, _)| !there.contains(place));
        let mut bundle: BTreeMap<_, _> =
            files.map(|(place, bytes)| (place.path().join("/"), bytes)).collect();
        bundle.insert(Place::Trust.to_string(), self.trust_file().to_json());
        Ok(bundle)
    }

    /// What is handed out, files on which others rest first.
    fn handed(&self, person: Option<&Person>, today: Time) -> Result<Vec<(Place, Vec<u8>)>> {
        let files = self.files()?;
        let theirs = person.map(|person| self.asked(person, today)).transpose()?;
        let places = last_things_last(files.places()).into_iter();
        let places = places.filter(|place| *place != Place::Trust && wanted(place, theirs.as_ref()));
        // What is torn or unreadable here is no part of the record.
        Ok(places
            .filter_map(|place| files.bytes(&place).map(|b| (place.clone(), b.into_owned())).ok())
            .collect())
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
