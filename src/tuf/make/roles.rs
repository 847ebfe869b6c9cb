//! The delegations of a targets document while they are edited. There can be thousands, and
//! thousands of edits: each is looked up by name, and what nothing is done to stays the text it was.

use super::{keyids, refuse_edit};
use crate::tuf::apart::Items;
use crate::tuf::document::Delegations;
use crate::tuf::json::{Json, Members};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Delegations in the order of search. One that is removed leaves its place empty.
pub(super) struct Roles<'a> {
    entries: Vec<Option<Entry>>,
    /// The base's, as text and as they were read.
    base: Option<(Items<'a>, &'a Delegations)>,
    /// Those that are no longer, or never were, where the base has them.
    places: BTreeMap<String, usize>,
}

enum Entry {
    /// As the base has it, by its place there.
    Kept(usize),
    Made(Json),
}

impl<'a> Roles<'a> {
    /// Those of a document: as JSON, or apart from it with the view of the same document.
    pub(super) fn of(roles: Option<Json>, base: Option<(Items<'a>, &'a Delegations)>) -> Self {
        if let Some((items, _)) = &base {
            let entries = (0..items.len()).map(|place| Some(Entry::Kept(place))).collect();
            return Self { entries, base, places: BTreeMap::new() };
        }
        let entries = if let Some(Json::Array(roles)) = roles { roles } else { Vec::new() };
        let name = |(place, role): (usize, &Json)| {
            role.get("name").and_then(Json::as_str).map(|name| (name.to_owned(), place))
        };
        // Each delegation stands there once (wire::read).
        let places = entries.iter().enumerate().filter_map(name).collect();
        Self { entries: entries.into_iter().map(|entry| Some(Entry::Made(entry))).collect(), base, places }
    }

    /// The ids of keys that they list.
    pub(super) fn listed(&self) -> impl Iterator<Item = &str> {
        let kept = |place: usize| self.base.as_ref().and_then(|(_, view)| view.roles.get(place));
        self.entries.iter().flatten().flat_map(move |entry| {
            let (kept, made) = match entry {
                Entry::Kept(place) => (kept(*place), None),
                Entry::Made(entry) => (None, Some(entry)),
            };
            let kept = kept.into_iter().flat_map(|role| &role.keys.keyids);
            kept.map(super::KeyId::as_str).chain(made.into_iter().flat_map(keyids))
        })
    }

    fn place(&self, name: &RoleName) -> Option<usize> {
        let there = |place: &usize| self.entries.get(*place).is_some_and(Option::is_some);
        let in_base = || self.base.as_ref().and_then(|(_, view)| view.place(name));
        self.places.get(name.as_str()).copied().or_else(in_base).filter(there)
    }

    /// One, to be changed.
    ///
    /// # Errors
    ///
    /// `EDIT` if it isn't there.
    pub(super) fn named(&mut self, name: &RoleName) -> Result<&mut Members> {
        let entry = self.place(name).and_then(|place| self.entries.get_mut(place)).and_then(Option::as_mut);
        let Some(entry) = entry else { return refuse_edit(name, "a delegation that is there") };
        if let (Entry::Kept(place), Some((items, _))) = (&*entry, &self.base) {
            *entry = Entry::Made(items.read(*place)?);
        }
        match entry {
            Entry::Made(Json::Object(members)) => Ok(members),
            _ => refuse_edit(name, "a delegation that is there"),
        }
    }

    /// Adds one, in the place of one of that name.
    pub(super) fn put(&mut self, name: &RoleName, entry: Json) {
        let entry = Some(Entry::Made(entry));
        if let Some(there) = self.place(name).and_then(|place| self.entries.get_mut(place)) {
            *there = entry;
        } else {
            self.places.insert(name.as_str().to_owned(), self.entries.len());
            self.entries.push(entry);
        }
    }

    /// Takes one out.
    ///
    /// # Errors
    ///
    /// As [`Self::named`].
    pub(super) fn remove(&mut self, name: &RoleName) -> Result<()> {
        let there = self.place(name).and_then(|place| self.entries.get_mut(place));
        let Some(there) = there else { return refuse_edit(name, "a delegation that is there") };
        *there = None;
        Ok(())
    }

    /// The canonical forms of those that are left.
    ///
    /// # Errors
    ///
    /// None is known: what is kept has been read before.
    pub(super) fn left(&self) -> Result<Vec<Cow<'_, [u8]>>> {
        let base = self.base.as_ref().map(|(items, _)| items);
        let form = |entry: &Entry| match (entry, base) {
            (Entry::Kept(place), Some(items)) if !items.text(*place).contains('\\') => {
                Ok(Cow::Borrowed(items.text(*place).as_bytes()))
            }
            // Canonical bytes were escaped to be read as JSON.
            (Entry::Kept(place), Some(items)) => Ok(Cow::Owned(items.read(*place)?.canonical())),
            (Entry::Kept(_), None) => Ok(Cow::Borrowed(&b""[..])),
            (Entry::Made(entry), _) => Ok(Cow::Owned(entry.canonical())),
        };
        self.entries.iter().flatten().map(form).collect()
    }
}
