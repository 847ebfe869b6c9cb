//! Delegations that are read one by one, so that a document of thousands is never all there as JSON;
//! of so many, two halves at once.

use super::fields::Quirks;
use super::ours;
use crate::tuf::apart::Items;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use std::borrow::Cow;
use std::ops::Range;
use std::thread;

/// The delegations of a document, not read yet, and the canonical forms of those that were.
pub(super) struct Roles<'a> {
    items: Items<'a>,
    /// Whether they are of a document of ours, and in which profile.
    ours: Option<Profile>,
    canonical: Vec<Cow<'a, [u8]>>,
}

/// As many as are worth a second thread.
const MANY: usize = 512;

/// What was read of some of them.
struct Share<'a, T> {
    read: Vec<T>,
    canonical: Vec<Cow<'a, [u8]>>,
    quirks: Quirks,
}

impl<'a> Roles<'a> {
    /// Anyone's.
    pub(super) const fn of(items: Items<'a>) -> Self {
        Self { items, ours: None, canonical: Vec::new() }
    }

    /// Of a document of ours.
    pub(super) const fn ours(profile: Profile, items: Items<'a>) -> Self {
        Self { items, ours: Some(profile), canonical: Vec::new() }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// All of them, in order.
    ///
    /// # Errors
    ///
    /// The first that there is: `JSON`; of a document of ours `TEXT`, `NUMBER`; what `read` refuses.
    pub(super) fn read<T: Send>(
        &mut self,
        quirks: &mut Quirks,
        read: impl Fn(Json, &mut Quirks) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let many = self.len();
        let middle = if many < MANY { many } else { many.div_ceil(2) };
        let later = || self.share(middle..many, &read);
        let (first, second) = thread::scope(|scope| {
            let beside = (middle < many).then(|| thread::Builder::new().spawn_scoped(scope, later));
            let first = self.share(0..middle, &read);
            // Where there is no thread to be had, or it ended in a panic, they are read here.
            let second = beside.and_then(std::result::Result::ok).and_then(|beside| beside.join().ok());
            (first, second)
        });
        let (mut all, second) = (first?, second.unwrap_or_else(later)?);
        all.read.extend(second.read);
        all.canonical.extend(second.canonical);
        quirks.extend(all.quirks.into_iter().chain(second.quirks));
        self.canonical = all.canonical;
        Ok(all.read)
    }

    fn share<T>(
        &self,
        places: Range<usize>,
        read: impl Fn(Json, &mut Quirks) -> Result<T>,
    ) -> Result<Share<'a, T>> {
        let room = places.len();
        let (read_of, canonical) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut share = Share { read: read_of, canonical, quirks: Quirks::new() };
        for at in places {
            let value = self.items.read(at)?;
            if let Some(profile) = self.ours {
                ours::check_delegation(profile, &value)?;
            }
            share.canonical.push(self.items.canonical(at, &value));
            share.read.push(read(value, &mut share.quirks)?);
        }
        Ok(share)
    }

    /// The canonical forms of those that were read, in order.
    pub(super) fn canonical(self) -> Vec<Cow<'a, [u8]>> {
        self.canonical
    }
}
