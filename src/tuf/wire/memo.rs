//! Keys that were read before, so that a history of documents decodes each of them once.

use super::fields::Quirks;
use super::{notary, tuf1};
use crate::tuf::document::DocumentKey;
use crate::tuf::json::Json;
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use std::collections::BTreeMap;

/// The keys of one profile's documents, by declared id; only an equal entry is the same key.
#[derive(Debug)]
pub(in crate::tuf) struct KeyMemo {
    profile: Profile,
    seen: BTreeMap<KeyId, (DocumentKey, Quirks)>,
}

impl KeyMemo {
    /// None yet.
    pub(in crate::tuf) const fn new(profile: Profile) -> Self {
        Self { profile, seen: BTreeMap::new() }
    }

    /// The profile of its documents.
    pub(in crate::tuf) const fn profile(&self) -> Profile {
        self.profile
    }

    /// The key that a document lists as `id` with this entry.
    pub(super) fn read(&mut self, id: KeyId, entry: Json, quirks: &mut Quirks) -> DocumentKey {
        if let Some((key, theirs)) = self.seen.get(&id).filter(|(key, _)| key.entry == entry) {
            quirks.extend(theirs.iter().copied());
            let DocumentKey { computed, public, scheme, certificate, .. } = key;
            return DocumentKey {
                id,
                entry,
                computed: computed.clone(),
                public: public.clone(),
                scheme: *scheme,
                certificate: certificate.clone(),
            };
        }
        let mut own = Quirks::new();
        let key = match self.profile {
            Profile::Tuf => tuf1::read_key(id, entry, &mut own),
            Profile::Notary => notary::read_key(id, entry, &mut own),
        };
        quirks.extend(own.iter().copied());
        self.seen.insert(key.id.clone(), (key.clone(), own));
        key
    }
}
