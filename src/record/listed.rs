//! Under which ids a document's signatures stand: by the documents that list the keys, as a change
//! leaves them. A signature of a key that none of them lists is written nowhere.

use crate::ceremony::change::{Change, Counts, Item};
use crate::ceremony::facts::Facts;
use crate::tuf::document::{Document, Keys};
use crate::tuf::evidence::Trusted;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};

/// The key entries by which a document's signatures get their ids: its own, the old root's and those
/// of the older roots that the change names for a root, its delegator's for any other; what this
/// change seals comes before what is trusted.
///
/// # Errors
///
/// `DELEGATOR-MISSING`.
pub fn keys_for(payload: &MetadataPayload, change: &Change, facts: &Facts) -> Result<Keys> {
    let newer: Vec<&MetadataPayload> = change.documents().collect();
    let of = |role: &RoleName| {
        newer.iter().find(|p| p.role() == role).map(|p| p.document()).or_else(|| match role {
            RoleName::Root => facts.roots.last().map(Trusted::document),
            role => facts.documents.get(role).map(Trusted::document),
        })
    };
    if let Document::Root(root) = payload.document() {
        let mut keys: Keys = historic_keys(payload, change, facts);
        // Sealed again, the newest root is this one.
        let older = facts.roots.iter().rfind(|root| root.version() < payload.version());
        let older = older.and_then(|root| root.document().as_root());
        keys.extend(older.map(|old| old.keys.clone()).unwrap_or_default());
        keys.extend(root.keys.clone());
        return Ok(keys);
    }
    if let RoleName::Delegated(_) = payload.role() {
        let above = facts.documents.keys().chain([&RoleName::Targets]);
        let found = above
            .filter_map(|role| of(role)?.as_targets())
            .find(|targets| targets.delegations.roles.iter().any(|r| r.name == *payload.role()));
        if let Some(delegator) = found {
            return Ok(delegator.delegations.keys.clone());
        }
    } else if let Some(root) = of(&RoleName::Root).and_then(Document::as_root) {
        return Ok(root.keys.clone());
    }
    Err(Refusal::new(
        &crate::ceremony::kinds::rules::DELEGATOR_MISSING,
        format!("no document that delegates to {}", payload.role()),
        "the delegator in the change or in the record",
    ))
}

/// The entries of the older roots for which the change asks keys to sign a root.
fn historic_keys(payload: &MetadataPayload, change: &Change, facts: &Facts) -> Keys {
    let of = |item: &&Item| item.payload_digest() == Some(payload.digest());
    let asked = change.items.iter().filter(of).flat_map(Item::asked);
    let mut keys = Keys::new();
    for ask in asked {
        let named = |root: &&Trusted| ask.counts.contains(&Counts::Historic(root.version()));
        for root in facts.roots.iter().filter(named).filter_map(|root| root.document().as_root()) {
            let own = root.keys.iter().filter(|(_, key)| key.public.as_ref() == Some(&ask.public));
            keys.extend(own.map(|(id, key)| (id.clone(), key.clone())));
        }
    }
    keys
}
