//! Evidence: who signed a payload, as verified or as planned.
//!
//! The client workflow and the count of signatures run over either, so that a plan can be tried
//! against clients before a token is touched. Only verified evidence makes a [`Trusted`] document.

use super::document::{Document, Keys, RoleKeys};
use super::key::KeyIdentity;
use super::payload::MetadataPayload;
use super::role::RoleName;
use super::wire::{Envelope, Quirk, WireSignature};
use std::collections::BTreeSet;

/// Who signed.
pub trait Evidence {
    /// The public keys, of those that `role` lists, that signed `payload`. `keys` are the entries
    /// of the document that lists the role.
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity>;
}

/// Signatures that are checked, each at most once per public key, however many roles ask.
#[derive(Debug)]
pub struct Verified<'a> {
    envelope: &'a Envelope,
}

impl<'a> Verified<'a> {
    /// The evidence that an envelope's signatures give for its own payload.
    pub const fn new(envelope: &'a Envelope) -> Self {
        Self { envelope }
    }
}

impl Evidence for Verified<'_> {
    fn signers(&self, _keys: &Keys, _role: &RoleKeys, _payload: &MetadataPayload) -> BTreeSet<KeyIdentity> {
        let _ = self.envelope;
        todo!()
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
/// makes one, from verified signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    envelope: Envelope,
}

impl Trusted {
    /// Its payload and view.
    pub const fn payload(&self) -> &MetadataPayload {
        self.envelope.payload()
    }

    /// The whole file, exactly as sealed or observed.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// The view.
    pub const fn document(&self) -> &Document {
        self.payload().document()
    }

    /// The role it is for.
    pub const fn role(&self) -> &RoleName {
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
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
