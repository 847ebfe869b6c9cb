//! Delegations that are read one by one, so that a document of thousands is never all there as JSON;
//! of so many, two halves at once.
//!
//! One whose text is byte for byte that of the version before is the delegation that was read from it
//! then; any other is read, plainly where it can be.

use super::fields::Quirks;
use super::plain::Plain;
use super::{ours, read};
use crate::tuf::apart::Items;
use crate::tuf::document::{DelegatedRole, Delegations, Keys};
use crate::tuf::halves::in_halves;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The delegations of a document, not read yet, and the canonical forms of those that were.
pub(super) struct Roles<'a> {
    items: Items<'a>,
    /// Whether they are of a document of ours.
    ours: bool,
    before: Option<Before<'a>>,
    forms: Vec<Form<'a>>,
}

/// The version before, and its delegations.
type Before<'a> = (&'a MetadataPayload, &'a Delegations);

/// The canonical form of one, and whether it was read plainly from that very text.
pub(super) struct Form<'a> {
    pub canonical: Cow<'a, [u8]>,
    pub plain: bool,
}

impl AsRef<[u8]> for Form<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.canonical
    }
}

/// What was read of some of them.
#[derive(Default)]
struct Share<'a> {
    read: Vec<Arc<DelegatedRole>>,
    forms: Vec<Form<'a>>,
    quirks: Quirks,
}

impl<'a> Roles<'a> {
    /// Anyone's.
    pub(super) const fn of(items: Items<'a>) -> Self {
        Self { items, ours: false, before: None, forms: Vec::new() }
    }

    /// Of a document of ours, which may be the next version of another.
    pub(super) fn ours(items: Items<'a>, before: Option<&'a MetadataPayload>) -> Self {
        let view = |before: &'a MetadataPayload| Some((before, &before.document().as_targets()?.delegations));
        Self { items, ours: true, before: before.and_then(view), forms: Vec::new() }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// All of them, in order.
    ///
    /// # Errors
    ///
    /// The first that there is: `JSON`; of a document of ours `TEXT`, `NUMBER`; what a delegation is
    /// refused for.
    pub(super) fn read(
        &mut self,
        profile: Profile,
        keys: &Keys,
        quirks: &mut Quirks,
    ) -> Result<Vec<Arc<DelegatedRole>>> {
        let (first, second) = in_halves(self.len(), |places| self.share(places, profile, keys));
        let mut all = first?;
        let second = second.transpose()?.unwrap_or_default();
        all.read.extend(second.read);
        all.forms.extend(second.forms);
        quirks.extend(all.quirks.into_iter().chain(second.quirks));
        let mut counted = BTreeSet::new();
        for role in &all.read {
            if counted.insert((role.keys.list(), role.keys.threshold)) {
                read::keys_quirks(&role.keys, keys, quirks);
            }
        }
        self.forms = all.forms;
        Ok(all.read)
    }

    fn share(&self, places: Range<usize>, profile: Profile, keys: &Keys) -> Result<Share<'a>> {
        let room = places.len();
        let (read, forms) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut share = Share { read, forms, quirks: Quirks::new() };
        let mut plain = Plain::of(profile, self.ours, keys);
        let mut near = places.start;
        for at in places {
            let text = self.items.text(at);
            if let Some(role) = self.same(near, text) {
                near = near.saturating_add(1);
                share.take(role, Cow::Borrowed(text.as_bytes()), true);
            } else if let Some(role) = plain.read(text) {
                let there = self.before.and_then(|(_, before)| before.place(&role.name));
                near = there.unwrap_or(near).saturating_add(1);
                share.take(Arc::new(role), Cow::Borrowed(text.as_bytes()), true);
            } else {
                let value = self.items.read(at)?;
                if self.ours {
                    ours::check_delegation(profile, &value)?;
                }
                let canonical = self.items.canonical(at, &value);
                let role = read::delegated_role(profile, value, keys, &mut share.quirks)?;
                share.take(Arc::new(role), canonical, false);
            }
        }
        Ok(share)
    }

    /// The delegation at a place in the version before, if this is its text.
    fn same(&self, place: usize, text: &str) -> Option<Arc<DelegatedRole>> {
        let (before, view) = self.before?;
        let same = before.plain_role(place).is_some_and(|there| there == text.as_bytes());
        // The version before may be anyone's, of whose texts nothing was asked; what fits the whole of
        // a text fits its parts.
        let same = same && (!self.ours || ours::check_delegation_text(before.profile(), text).is_ok());
        view.roles.get(place).filter(|_| same).map(Arc::clone)
    }

    /// The canonical forms of those that were read, in order.
    pub(super) fn forms(self) -> Vec<Form<'a>> {
        self.forms
    }
}

impl<'a> Share<'a> {
    fn take(&mut self, role: Arc<DelegatedRole>, canonical: Cow<'a, [u8]>, plain: bool) {
        self.read.push(role);
        self.forms.push(Form { canonical, plain });
    }
}
