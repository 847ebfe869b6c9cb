//! The delegations of a targets document while they are edited. There can be thousands, and
//! thousands of edits: each is looked up by name, and what nothing is done to stays the text it was.

use super::{Amendment, amend, keyids, refuse_edit};
use crate::tuf::apart::Items;
use crate::tuf::document::Delegations;
use crate::tuf::json::{Json, Members};
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Delegations in the order of search. One that is removed leaves its place empty.
pub(super) struct Roles<'a> {
    entries: Vec<Option<Entry>>,
    /// The base's, as text and as they were read.
    base: Option<(Items<'a>, &'a Delegations)>,
    /// Those that are no longer, or never were, where the base has them.
    places: BTreeMap<String, usize>,
    /// By which list of keys and which keys it loses.
    shorter: HashMap<(usize, usize), Shorter>,
}

/// A list of keys that loses some: thousands of delegations share few.
struct Shorter {
    /// How the canonical text of a delegation begins that has the list as it was,
    before: String,
    /// and how as it is then.
    after: String,
    ids: Arc<[KeyId]>,
}

impl Shorter {
    fn of(was: &[KeyId], remove: &BTreeSet<KeyId>) -> Self {
        let ids: Arc<[KeyId]> = was.iter().filter(|id| !remove.contains(*id)).cloned().collect();
        let text = |ids: &[KeyId]| {
            let ids: Vec<_> = ids.iter().map(|id| format!("\"{}\"", id.as_str())).collect();
            format!("{{\"keyids\":[{}],\"name\":\"", ids.join(","))
        };
        Self { before: text(was), after: text(&ids), ids }
    }
}

enum Entry {
    /// As the base has it, by its place there.
    Kept(usize),
    /// With fewer keys than in the base, or another threshold: the canonical text, and its ids.
    Short(String, Arc<[KeyId]>),
    Made(Json),
}

impl<'a> Roles<'a> {
    /// Those of a document: as JSON, or apart from it with the view of the same document.
    pub(super) fn of(roles: Option<Json>, base: Option<(Items<'a>, &'a Delegations)>) -> Self {
        if let Some((items, _)) = &base {
            let entries = (0..items.len()).map(|place| Some(Entry::Kept(place))).collect();
            return Self { entries, base, places: BTreeMap::new(), shorter: HashMap::new() };
        }
        let entries = if let Some(Json::Array(roles)) = roles { roles } else { Vec::new() };
        let name = |(place, role): (usize, &Json)| {
            role.get("name").and_then(Json::as_str).map(|name| (name.to_owned(), place))
        };
        // Each delegation stands there once (wire::read).
        let places = entries.iter().enumerate().filter_map(name).collect();
        let entries = entries.into_iter().map(|entry| Some(Entry::Made(entry))).collect();
        Self { entries, base, places, shorter: HashMap::new() }
    }

    /// The ids of keys that they list.
    pub(super) fn listed(&self) -> HashSet<&str> {
        // Thousands share few lists of ids.
        let (mut ids, mut seen) = (HashSet::new(), HashSet::new());
        for entry in self.entries.iter().flatten() {
            match (entry, &self.base) {
                (Entry::Kept(place), Some((_, view))) => {
                    let keys = view.roles.get(*place).map(|role| &role.keys);
                    if let Some(keys) = keys.filter(|keys| seen.insert(keys.list())) {
                        ids.extend(keys.keyids.iter().map(KeyId::as_str));
                    }
                }
                (Entry::Kept(_), None) => {}
                (Entry::Short(_, own), _) => {
                    if seen.insert(own.as_ptr().addr()) {
                        ids.extend(own.iter().map(KeyId::as_str));
                    }
                }
                (Entry::Made(entry), _) => ids.extend(keyids(entry)),
            }
        }
        ids
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
        match (&*entry, &self.base) {
            (Entry::Kept(place), Some((items, _))) => *entry = Entry::Made(items.read(*place)?),
            (Entry::Short(text, _), _) => *entry = Entry::Made(Json::parse(text.as_bytes())?),
            _ => {}
        }
        match entry {
            Entry::Made(Json::Object(members)) => Ok(members),
            _ => refuse_edit(name, "a delegation that is there"),
        }
    }

    /// Changes one.
    ///
    /// # Errors
    ///
    /// `EDIT` if it isn't there; as [`amend`].
    pub(super) fn amend(&mut self, profile: Profile, amendment: &Amendment) -> Result<()> {
        let place = self.place(&amendment.role);
        if let Some(short) = place.and_then(|place| self.shortened(place, amendment))
            && let Some(entry) = place.and_then(|place| self.entries.get_mut(place))
        {
            *entry = Some(short);
            return Ok(());
        }
        amend(profile, self.named(&amendment.role)?, amendment)
    }

    /// One of the base's with fewer keys or another threshold, as most changes of thousands have it,
    /// where its text is in the usual form; none if more is asked, or it has another form.
    fn shortened(&mut self, place: usize, amendment: &Amendment) -> Option<Entry> {
        let more = !amendment.add.is_empty() || !amendment.add_paths.is_empty();
        let (Some(Some(Entry::Kept(place))), false) = (self.entries.get(place), more) else { return None };
        let (items, view) = self.base.as_ref()?;
        let keys = &view.roles.get(*place)?.keys;
        let which = (keys.list(), Arc::as_ptr(&amendment.remove).addr());
        let shorter = || Shorter::of(&keys.keyids, &amendment.remove);
        let shorter = self.shorter.entry(which).or_insert_with(shorter);
        let text = items.text(*place);
        let (middle, threshold) = text.strip_prefix(&*shorter.before)?.rsplit_once(",\"threshold\":")?;
        if text.contains('\\') || threshold.strip_suffix('}')? != keys.threshold.to_string() {
            return None;
        }
        let threshold = amendment.threshold.unwrap_or(keys.threshold).to_string();
        let text = [&shorter.after, middle, ",\"threshold\":", &threshold, "}"].concat();
        Some(Entry::Short(text, Arc::clone(&shorter.ids)))
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
        self.entries.iter().flatten().map(|entry| entry.canonical(base)).collect()
    }
}

impl Entry {
    fn canonical<'e>(&'e self, base: Option<&'e Items<'_>>) -> Result<Cow<'e, [u8]>> {
        Ok(match (self, base) {
            (Self::Kept(place), Some(items)) if !items.text(*place).contains('\\') => {
                Cow::Borrowed(items.text(*place).as_bytes())
            }
            // Canonical bytes were escaped to be read as JSON.
            (Self::Kept(place), Some(items)) => Cow::Owned(items.read(*place)?.canonical()),
            (Self::Kept(_), None) => Cow::Borrowed(&b""[..]),
            (Self::Short(text, _), _) => Cow::Borrowed(text.as_bytes()),
            (Self::Made(entry), _) => Cow::Owned(entry.canonical()),
        })
    }
}
