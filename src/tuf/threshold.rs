//! The one function that counts signatures.
//!
//! For root, targets, delegations and backend roles alike, by distinct public key: a key under two
//! ids, in two certificates or with two signatures counts once (threats T7).

use super::document::{DocumentKey, Keys, RoleKeys};
use super::evidence::Evidence;
use super::key::KeyIdentity;
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use std::collections::BTreeSet;

/// The state of one threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Distinct public keys that must sign.
    pub need: u32,
    /// Those that did, of those listed.
    pub signed: BTreeSet<KeyIdentity>,
    /// Distinct public keys that the role lists and that could count.
    pub listed: BTreeSet<KeyIdentity>,
}

impl Tally {
    /// Whether enough have signed.
    pub fn met(&self) -> bool {
        self.signed.len() >= usize::try_from(self.need).unwrap_or(usize::MAX)
    }

    /// Those listed that have not signed.
    pub fn missing(&self) -> impl Iterator<Item = &KeyIdentity> {
        self.listed.difference(&self.signed)
    }
}

/// Counts who signed `payload` for a role. `keys` and `role` are of the document that lists it.
///
/// In profile `notary` only keys in certificates count for root (notary-v1 5).
pub fn tally<E: Evidence + ?Sized>(
    keys: &Keys,
    role: &RoleKeys,
    payload: &MetadataPayload,
    evidence: &E,
) -> Tally {
    tally_if(keys, role, payload, evidence, |_| true)
}

/// As [`tally`], of those keys alone for which `counts` is true: certificates that are pinned, or
/// that have not expired.
pub fn tally_if<E: Evidence + ?Sized>(
    keys: &Keys,
    role: &RoleKeys,
    payload: &MetadataPayload,
    evidence: &E,
    counts: impl Fn(&DocumentKey) -> bool,
) -> Tally {
    let in_certificates = payload.profile() == Profile::Notary && *payload.role() == RoleName::Root;
    let mut countable = Vec::with_capacity(role.keyids.len());
    let mut listed = BTreeSet::new();
    for (id, key) in role.keyids.iter().filter_map(|id| Some((id, keys.get(id)?))) {
        let Some(public) = key.public.as_ref().filter(|_| key.scheme.is_some()) else { continue };
        if (in_certificates && key.certificate.is_none()) || !counts(key) {
            continue;
        }
        listed.insert(public.identity());
        countable.push(id.clone());
    }
    let countable = RoleKeys { keyids: countable.into(), threshold: role.threshold };
    let mut signed = evidence.signers(keys, &countable, payload);
    signed.retain(|identity| listed.contains(identity));
    Tally { need: role.threshold.get(), signed, listed }
}
