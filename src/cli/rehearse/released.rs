//! What developers have released: documents that no ceremony has made, in a shadow of the record.
//!
//! A change that signs such a document again, or takes files out of it, can't be rehearsed without it.
//! So the shadow gets every one that a change starts from, of the same version and content, signed by
//! the throw-away keys of the names that signed the original. The others are left out: they cost a
//! signature each and show nothing.

use crate::ceremony::change::Change;
use crate::ceremony::facts::KeyRecord;
use crate::ceremony::people::KeyName;
use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::record::contents::StoredDocument;
use crate::record::{Contents, Record};
use crate::tuf::chain::{accept, signers_of};
use crate::tuf::digest::Digest;
use crate::tuf::make;
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::wire;
use crate::ui::rehearser::Rehearser;
use std::collections::BTreeSet;
use std::io::Write;

/// A developers' document of the original record.
pub struct Released {
    payload: MetadataPayload,
    /// The names of the keys that signed it.
    by: BTreeSet<KeyName>,
}

/// Of the documents that a change starts from, those that no ceremony of the record has made.
///
/// # Errors
///
/// What reading one again refuses.
pub fn under(record: &Record, contents: &Contents, change: &Change) -> Result<Vec<Released>> {
    let made: BTreeSet<Digest> = contents
        .changes
        .values()
        .flat_map(|stored| stored.change.documents())
        .map(MetadataPayload::digest)
        .collect();
    let mut released = Vec::new();
    for (role, (_, payload)) in &change.base.documents {
        let of = |d: &&StoredDocument| d.role == *role && d.payload == *payload;
        let theirs = matches!(role, RoleName::Delegated(_)) && !made.contains(payload);
        let Some(stored) = contents.history.iter().find(of).filter(|_| theirs) else { continue };
        let bytes = record.metadata(role, stored.version, stored.file)?;
        let envelope = wire::parse(record.trust().profile, role, &bytes)?;
        let signed = |key: &&KeyRecord| {
            let entry = wire::key_entry(record.trust().profile, &key.public, key.certificate.as_deref());
            entry.is_ok_and(|entry| envelope.signatures().iter().any(|s| s.keyid == entry.id))
        };
        let by = contents.facts.keys.values().filter(signed).map(|key| key.name.clone()).collect();
        released.push(Released { payload: envelope.payload().clone(), by });
    }
    Ok(released)
}

/// Brings them into the shadow, where it has none as new and its own keys can sign them; how many.
///
/// # Errors
///
/// What tokens and the record refuse.
pub fn bring<W: Write>(
    session: &Session,
    table: &mut Table,
    released: &[Released],
    console: &mut Rehearser<W>,
) -> Result<usize> {
    if released.is_empty() {
        return Ok(0);
    }
    let contents = table.contents(session)?;
    let (facts, profile, now) = (&contents.facts, contents.facts.trust.profile, session.now()?);
    let mut brought = 0_usize;
    for Released { payload: original, by } in released {
        let (role, version) = (original.role(), original.version());
        let expires = original.document().header().expires;
        let there = facts.documents.get(role).is_some_and(|d| d.version() >= version);
        let delegator = facts.documents.values().find(|d| signers_of(d.document(), role).is_ok());
        let Some(delegator) = delegator.filter(|_| !there && expires > now) else { continue };
        let (keys, _) = signers_of(delegator.document(), role)?;
        let payload = make::targets(profile, role, version, expires, Some(original), &[])?;
        let whole = Payload::Metadata(payload.clone());
        let mut signatures = Vec::new();
        let listed = |key: &&KeyRecord| keys.values().any(|entry| entry.public.as_ref() == Some(&key.public));
        for key in facts.keys.values().filter(|key| by.contains(&key.name)).filter(listed) {
            if !table.keyring.here(&key.name) {
                continue;
            }
            let scheme = wire::scheme(profile, &key.public);
            signatures.push(table.keyring.with_token(&key.name, console, &mut |token, pins| {
                let mut signer = token.open(&key.public, pins)?;
                crate::signer::sign(signer.as_mut(), &key.public, scheme, &whole, pins)
            })?);
        }
        let bytes = wire::seal(&payload, keys, &signatures)?;
        if accept(delegator, role, wire::parse(profile, role, &bytes)?, None).is_ok() {
            table.record.add_metadata(role, version, &bytes)?;
            brought = brought.saturating_add(1);
        }
    }
    Ok(brought)
}
