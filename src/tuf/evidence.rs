//! Evidence: who signed a payload, as verified or as planned.
//!
//! The client workflow and the count of signatures run over either, so that a plan can be tried
//! against clients before a token is touched. Only verified evidence makes a [`Trusted`] document.

use super::document::{Document, DocumentKey, Keys, RoleKeys};
use super::key::{KeyId, KeyIdentity, PublicKey, Scheme};
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::verify;
use super::wire::{self, Envelope, Quirk, WireSignature, notary};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who signed.
pub trait Evidence {
    /// The public keys, of those that `role` lists, that signed `payload`. `keys` are the entries
    /// of the document that lists the role.
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity>;

    /// Whether signatures that were checked before are enough for the role; if not, that says nothing.
    /// For thousands of documents that a change leaves alone.
    fn enough_already(&self, _keys: &Keys, _role: &RoleKeys, _payload: &MetadataPayload) -> bool {
        false
    }
}

/// A signature by its place in the file, taken as a key's by a scheme.
type Check = (usize, KeyIdentity, Scheme);

/// What a file's signatures were found to be. Sorted; mostly it is one, kept for each of thousands
/// of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::tuf) struct Checks(Vec<(Check, bool)>);

impl Checks {
    /// Whether nothing was looked at yet.
    pub(in crate::tuf) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a signature is good, found out by `look` the first time that it is asked.
    fn of(&mut self, check: Check, look: impl FnOnce() -> bool) -> bool {
        if let Some(good) = self.known(&check) {
            return good;
        }
        let good = look();
        let place = self.0.partition_point(|(known, _)| *known < check);
        self.0.insert(place, (check, good));
        good
    }

    fn known(&self, check: &Check) -> Option<bool> {
        let place = self.0.binary_search_by_key(check, |(known, _)| *known).ok()?;
        self.0.get(place).map(|(_, good)| *good)
    }

    fn extend(&mut self, others: &Self) {
        for (check, good) in &others.0 {
            self.of(*check, || *good);
        }
    }
}

/// Signatures that are checked, each at most once per public key, however many roles ask.
#[derive(Debug)]
pub struct Verified<'a> {
    envelope: &'a Envelope,
    /// What the envelope doesn't know already. The old and the new root usually list the same keys.
    known: RefCell<Checks>,
}

impl<'a> Verified<'a> {
    /// The evidence that an envelope's signatures give for its own payload, and for no other.
    pub fn new(envelope: &'a Envelope) -> Self {
        Self { envelope, known: RefCell::default() }
    }

    /// As [`Self::new`], with what was found out about this very file before.
    pub(in crate::tuf) const fn knowing(envelope: &'a Envelope, known: Checks) -> Self {
        Self { envelope, known: RefCell::new(known) }
    }

    /// What has been found out so far.
    pub(in crate::tuf) fn into_known(self) -> Checks {
        let mut known = self.known.into_inner();
        known.extend(self.envelope.known());
        known
    }

    /// Which of the keys that `role` lists have signed the envelope's own payload, each with the ids
    /// under which its signature stands. Entries beside them, which nobody made, are none.
    pub fn under<'k>(&self, keys: &Keys, role: &'k RoleKeys) -> BTreeSet<(KeyIdentity, &'k KeyId)> {
        self.each(keys, role).into_iter().collect()
    }

    fn each<'k>(&self, keys: &Keys, role: &'k RoleKeys) -> Vec<(KeyIdentity, &'k KeyId)> {
        let mut listed: Vec<&KeyId> = role.keyids.iter().collect();
        listed.sort_unstable();
        let mut done: BTreeSet<&KeyId> = BTreeSet::new();
        let mut found = Vec::new();
        for (place, signature) in self.envelope.signatures().iter().enumerate() {
            // One good signature under an id is enough; more of them would only cost time.
            let Ok(at) = listed.binary_search(&&signature.keyid) else { continue };
            let Some(id) = listed.get(at).copied().filter(|id| !done.contains(id)) else { continue };
            let key = keys.get(id);
            if let Some(identity) = key.and_then(|key| self.check(place, signature, key)) {
                found.push((identity, id));
                done.insert(id);
            }
        }
        found
    }

    /// As whose, and by which scheme, a signature is taken that stands there under a key's id.
    fn reading(&self, signature: &WireSignature, key: &DocumentKey) -> Option<(KeyIdentity, Scheme)> {
        let scheme = match self.envelope.payload().profile() {
            Profile::Tuf => key.scheme?,
            Profile::Notary => notary::scheme_of(signature.method.as_deref(), key.scheme?)?,
        };
        Some((key.public.as_ref()?.identity(), scheme))
    }

    fn check(&self, place: usize, signature: &WireSignature, key: &DocumentKey) -> Option<KeyIdentity> {
        let public = key.public.as_ref()?;
        let payload = self.envelope.payload();
        let (identity, scheme) = self.reading(signature, key)?;
        let check = (place, identity, scheme);
        let look = || {
            let bytes = signature.bytes.as_deref().unwrap_or_default();
            wire::signature_from_wire(payload.profile(), scheme, bytes)
                .is_ok_and(|raw| verify::verifies(public, scheme, payload.bytes(), &raw))
        };
        let before = self.envelope.known().known(&check);
        let good = before.unwrap_or_else(|| self.known.borrow_mut().of(check, look));
        good.then_some(identity)
    }
}

impl Evidence for Verified<'_> {
    fn signers(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> BTreeSet<KeyIdentity> {
        let own = self.envelope.payload();
        if !std::ptr::eq(payload, own) && payload != own {
            return BTreeSet::new();
        }
        self.each(keys, role).into_iter().map(|(identity, _)| identity).collect()
    }

    fn enough_already(&self, keys: &Keys, role: &RoleKeys, payload: &MetadataPayload) -> bool {
        // A Notary root's keys count by their certificates, which the threshold knows about.
        let in_certificates = payload.profile() == Profile::Notary && *payload.role() == RoleName::Root;
        if in_certificates
            || self.envelope.known().is_empty()
            || !std::ptr::eq(payload, self.envelope.payload())
        {
            return false;
        }
        let need = usize::try_from(role.threshold.get()).unwrap_or(usize::MAX);
        let mut signed: Vec<KeyIdentity> = Vec::new();
        for (place, signature) in self.envelope.signatures().iter().enumerate() {
            let key = keys.get(&signature.keyid);
            let read = key.and_then(|key| self.reading(signature, key));
            let Some((identity, scheme)) = read else { continue };
            // What is not known costs nothing more, however many ids a role lists.
            let good = self.envelope.known().known(&(place, identity, scheme)) == Some(true);
            if good && !signed.contains(&identity) && role.keyids.contains(&signature.keyid) {
                signed.push(identity);
            }
            if signed.len() >= need {
                return true;
            }
        }
        false
    }
}

/// Whether a signature of `public` by `scheme` over a file's payload is in it, whatever it stands under.
pub fn signed_by(envelope: &Envelope, public: &PublicKey, scheme: Scheme) -> bool {
    let payload = envelope.payload();
    envelope.signatures().iter().filter_map(|signature| signature.bytes.as_deref()).any(|bytes| {
        wire::signature_from_wire(payload.profile(), scheme, bytes)
            .is_ok_and(|raw| verify::verifies(public, scheme, payload.bytes(), &raw))
    })
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
    /// Kept beside it: of thousands of documents hardly one lists delegations, and all are asked.
    delegates: bool,
}

impl Trusted {
    /// For [`super::chain`] alone, which has just met every threshold.
    pub(in crate::tuf) fn met(envelope: Envelope) -> Self {
        Self::shared(Arc::new(envelope))
    }

    /// For [`super::client`] alone, which has just met every threshold with checked signatures.
    pub(in crate::tuf) fn shared(envelope: Arc<Envelope>) -> Self {
        let delegates = envelope.payload().delegates();
        Self { envelope, delegates }
    }

    /// Whether it lists any delegation, or hash bins.
    pub const fn delegates(&self) -> bool {
        self.delegates
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
