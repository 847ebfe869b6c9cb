//! Evidence: who signed a payload, as verified or as planned.
//!
//! The client workflow and the count of signatures run over either, so that a plan can be tried
//! against clients before a token is touched. Only verified evidence makes a [`Trusted`] document.

use super::document::{Document, DocumentKey, Keys, RoleKeys};
use super::key::{KeyId, KeyIdentity, Scheme};
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::verify;
use super::wire::{self, Envelope, Quirk, WireSignature, notary};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who signed.
pub trait Evidence {
    /// The public keys, of those that `role` lists, that signed `payload`. `keys` are the entries
    /// of the document that lists the role.
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity>;
}

/// What signatures, by their place in the file, are for a key and a scheme.
pub(in crate::tuf) type Checks = BTreeMap<(usize, KeyIdentity, Scheme), bool>;

/// Signatures that are checked, each at most once per public key, however many roles ask.
#[derive(Debug)]
pub struct Verified<'a> {
    envelope: &'a Envelope,
    /// The old and the new root usually list the same keys.
    known: RefCell<Checks>,
}

impl<'a> Verified<'a> {
    /// The evidence that an envelope's signatures give for its own payload, and for no other.
    pub fn new(envelope: &'a Envelope) -> Self {
        Self { envelope, known: RefCell::new(envelope.known().clone()) }
    }

    /// As [`Self::new`], with what was found out about this very file before.
    pub(in crate::tuf) fn knowing(envelope: &'a Envelope, mut known: Checks) -> Self {
        known.extend(envelope.known());
        Self { envelope, known: RefCell::new(known) }
    }

    /// What has been found out so far.
    pub(in crate::tuf) fn into_known(self) -> Checks {
        self.known.into_inner()
    }

    fn check(&self, place: usize, signature: &WireSignature, key: &DocumentKey) -> Option<KeyIdentity> {
        let public = key.public.as_ref()?;
        let payload = self.envelope.payload();
        let scheme = match payload.profile() {
            Profile::Tuf => key.scheme?,
            Profile::Notary => notary::scheme_of(signature.method.as_deref(), key.scheme?)?,
        };
        let identity = public.identity();
        let mut known = self.known.borrow_mut();
        let good = known.entry((place, identity, scheme)).or_insert_with(|| {
            let bytes = signature.bytes.as_deref().unwrap_or_default();
            wire::signature_from_wire(payload.profile(), scheme, bytes)
                .is_ok_and(|raw| verify::verifies(public, scheme, payload.bytes(), &raw))
        });
        good.then_some(identity)
    }
}

impl Evidence for Verified<'_> {
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity> {
        let mut signers = BTreeSet::new();
        let own = self.envelope.payload();
        if !std::ptr::eq(payload, own) && payload != own {
            return signers;
        }
        let listed: BTreeSet<&KeyId> = role.keyids.iter().collect();
        let mut done: BTreeSet<&KeyId> = BTreeSet::new();
        for (place, signature) in self.envelope.signatures().iter().enumerate() {
            // One good signature under an id is enough; more of them would only cost time.
            if !listed.contains(&signature.keyid) || done.contains(&signature.keyid) {
                continue;
            }
            let key = keys.get(&signature.keyid);
            if let Some(identity) = key.and_then(|key| self.check(place, signature, key)) {
                signers.insert(identity);
                done.insert(&signature.keyid);
            }
        }
        signers
    }
}

/// Signatures that a plan counts on: whoever is in the set signs whatever lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed(pub BTreeSet<KeyIdentity>);

impl Evidence for Assumed {
    fn signers(&self, keys: &Keys, role: &RoleKeys, _payload: &MetadataPayload) -> BTreeSet<KeyIdentity> {
        let listed = role.keyids.iter().filter_map(|id| keys.get(id)?.public.as_ref());
        listed.map(super::key::PublicKey::identity).filter(|k| self.0.contains(k)).collect()
    }
}

/// A document that met every threshold of the chain that leads to it. Only [`super::chain`]
/// and [`super::client`] make one, from verified signatures. A clone shares the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    envelope: Arc<Envelope>,
}

impl Trusted {
    /// For [`super::chain`] alone, which has just met every threshold.
    pub(in crate::tuf) fn met(envelope: Envelope) -> Self {
        Self { envelope: Arc::new(envelope) }
    }

    /// For [`super::client`] alone, which has just met every threshold with checked signatures.
    pub(in crate::tuf) const fn shared(envelope: Arc<Envelope>) -> Self {
        Self { envelope }
    }

    /// Its payload and view.
    pub fn payload(&self) -> &MetadataPayload {
        self.envelope.payload()
    }

    /// The whole file, exactly as sealed or observed.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// The view.
    pub fn document(&self) -> &Document {
        self.payload().document()
    }

    /// The role it is for.
    pub fn role(&self) -> &RoleName {
        self.payload().role()
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.payload().version()
    }

    /// Its signatures, those that don't count too.
    pub fn signatures(&self) -> &[WireSignature] {
        self.envelope.signatures()
    }

    /// How it departs from what keyrite writes.
    pub fn quirks(&self) -> &[Quirk] {
        self.envelope.quirks()
    }

    /// The file it was read from.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
