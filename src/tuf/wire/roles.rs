//! Delegations that are read one by one, so that a document of thousands is never all there as JSON.

use super::ours;
use crate::tuf::apart::Items;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use std::borrow::Cow;

/// The delegations of a document, not read yet, and the canonical forms of those that were.
pub(super) struct Roles<'a> {
    items: Items<'a>,
    /// Whether they are of a document of ours, and in which profile.
    ours: Option<Profile>,
    canonical: Vec<Cow<'a, [u8]>>,
}

impl<'a> Roles<'a> {
    /// Anyone's.
    pub(super) fn of(items: Items<'a>) -> Self {
        let canonical = Vec::with_capacity(items.len());
        Self { items, ours: None, canonical }
    }

    /// Of a document of ours.
    pub(super) fn ours(profile: Profile, items: Items<'a>) -> Self {
        Self { ours: Some(profile), ..Self::of(items) }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// The next, if there is one.
    ///
    /// # Errors
    ///
    /// `JSON`; of a document of ours `TEXT`, `NUMBER`.
    pub(super) fn next(&mut self) -> Result<Option<Json>> {
        let at = self.canonical.len();
        if at == self.items.len() {
            return Ok(None);
        }
        let value = self.items.read(at)?;
        if let Some(profile) = self.ours {
            ours::check_delegation(profile, &value)?;
        }
        self.canonical.push(self.items.canonical(at, &value));
        Ok(Some(value))
    }

    /// The canonical forms, in order.
    pub(super) fn canonical(self) -> Vec<Cow<'a, [u8]>> {
        self.canonical
    }
}
