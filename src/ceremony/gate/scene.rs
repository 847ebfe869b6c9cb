//! The trust as clients would find it: the record's documents, and the change's in their place.

use crate::ceremony::change::{Change, Item};
use crate::ceremony::facts::Facts;
use crate::tuf::client::expected::{Expected, Signers};
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Time;
use crate::tuf::wire::{self, Envelope};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

/// The documents of a change.
#[derive(Default)]
pub(super) struct Proposed {
    /// In the change's order.
    pub documents: Vec<Envelope>,
    /// Who is taken as signing; none where signatures are there.
    signers: Signers,
    /// Bytes that signatures will add, by payload; none where they are there.
    to_come: BTreeMap<Digest, u64>,
}

/// In a file: `{"keyid":"…","method":"…","sig":"…"},` without the signature itself.
const SIGNATURE_FRAME: u64 = 110;

impl Proposed {
    /// Without signatures.
    pub(super) fn planned(change: &Change) -> Result<Self> {
        let mut proposed = Self::default();
        for item in &change.items {
            let Item::Document { payload, asked } = item else { continue };
            proposed.documents.push(wire::unsigned(payload)?);
            let signers = asked.iter().map(|ask| ask.public.identity()).collect();
            proposed.signers.insert((payload.role().clone(), payload.digest()), signers);
            let size = |key: &PublicKey| SIGNATURE_FRAME.saturating_add(signature_size(key));
            let size = asked.iter().map(|ask| size(&ask.public)).fold(0, u64::saturating_add);
            proposed.to_come.insert(payload.digest(), size);
        }
        Ok(proposed)
    }

    /// With signatures.
    pub(super) fn sealed(profile: Profile, files: &BTreeMap<RoleName, Vec<u8>>) -> Result<Self> {
        let read = |(role, bytes): (&RoleName, &Vec<u8>)| wire::parse(profile, role, bytes);
        let documents = files.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { documents, ..Self::default() })
    }
}

/// Characters of a signature in hexadecimal; base64 is shorter.
fn signature_size(key: &PublicKey) -> u64 {
    match key.algorithm() {
        crate::tuf::key::Algorithm::Rsa => 1_024,
        crate::tuf::key::Algorithm::EcdsaP384 => 208,
        _ => 144,
    }
}

/// Targets and delegations: there can be thousands, which a change mostly leaves alone.
pub(super) struct Documents<'a> {
    kept: &'a BTreeMap<RoleName, Trusted>,
    made: BTreeMap<&'a RoleName, &'a Envelope>,
}

impl<'a> Documents<'a> {
    /// That of a role.
    pub(super) fn get(&self, role: &RoleName) -> Option<&'a Envelope> {
        let kept = || self.kept.get(role).filter(|_| !role.is_online()).map(Trusted::envelope);
        self.made.get(role).copied().or_else(kept)
    }

    /// Each, by role.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a RoleName, &'a Envelope)> {
        let mut kept = self.kept.iter().filter(|(role, _)| !role.is_online()).peekable();
        let mut made = self.made.iter().map(|(role, made)| (*role, *made)).peekable();
        iter::from_fn(move || {
            let which = kept.peek().zip(made.peek()).map(|((kept, _), (made, _))| (*kept).cmp(*made));
            if which == Some(Ordering::Equal) {
                kept.next();
            }
            let own = kept.peek().is_none() || matches!(which, Some(Ordering::Equal | Ordering::Greater));
            if own { made.next() } else { kept.next().map(|(role, kept)| (role, kept.envelope())) }
        })
    }

    /// Those that list delegations, by role.
    pub(super) fn delegating(&self) -> impl Iterator<Item = &'a Envelope> {
        let kept = self.kept.iter().filter(|(role, kept)| kept.delegates() && !role.is_online());
        let kept = kept.map(|(role, kept)| (role, kept.envelope()));
        let kept = kept.filter(|(role, _)| !self.made.contains_key(role));
        let made = self.made.iter().map(|(role, made)| (*role, *made));
        let all: BTreeMap<_, _> = kept.chain(made.filter(|(_, made)| made.payload().delegates())).collect();
        all.into_values()
    }
}

/// What clients would find.
pub(super) struct Scene<'a> {
    /// What the record knows.
    pub facts: &'a Facts,
    /// The moment.
    pub now: Time,
    /// Every root, oldest first, the change's last.
    pub roots: Vec<&'a Envelope>,
    /// How many of them the record has.
    pub trusted_roots: usize,
    /// Targets and delegations, the change's in place of the record's.
    pub documents: Documents<'a>,
    /// The roles that the change has a document of.
    pub changed: BTreeSet<&'a RoleName>,
    /// Who signs.
    pub judge: Expected,
    /// In the change's order.
    pub proposed: &'a Proposed,
}

impl<'a> Scene<'a> {
    pub(super) fn new(proposed: &'a Proposed, facts: &'a Facts, now: Time) -> Self {
        let mut roots: Vec<&Envelope> = facts.roots.iter().map(Trusted::envelope).collect();
        let trusted_roots = roots.len();
        let mut documents = Documents { kept: &facts.documents, made: BTreeMap::new() };
        let judge = Expected::new(proposed.signers.clone());
        let mut changed = BTreeSet::new();
        for document in &proposed.documents {
            let role = document.payload().role();
            changed.insert(role);
            if *role == RoleName::Root {
                roots.push(document);
            } else {
                documents.made.insert(role, document);
            }
        }
        // What else clients read is as the change makes it, or is not parsed again.
        let targets =
            documents.get(&RoleName::Targets).filter(|held| !changed.contains(held.payload().role()));
        for known in roots.iter().copied().take(trusted_roots).chain(targets) {
            judge.remember(known);
        }
        let scene = Self { facts, now, roots, trusted_roots, documents, changed, judge, proposed };
        scene.judge.online(scene.newest_root().map(online).unwrap_or_default());
        scene
    }

    /// The newest root.
    pub(super) fn newest(&self) -> Option<&'a Envelope> {
        self.roots.last().copied()
    }

    /// The same, as a document.
    pub(super) fn newest_root(&self) -> Option<&'a Root> {
        self.newest().and_then(|root| root.payload().document().as_root())
    }

    /// Whether the change makes a root.
    pub(super) fn makes_root(&self) -> bool {
        self.roots.len() > self.trusted_roots
    }

    /// Bytes of a file once all who are asked have signed it.
    pub(super) fn size(&self, document: &Envelope) -> u64 {
        let to_come = self.proposed.to_come.get(&document.payload().digest()).copied().unwrap_or(0);
        u64::try_from(document.bytes().len()).unwrap_or(u64::MAX).saturating_add(to_come)
    }
}

/// The backend's keys, as a root lists them.
pub(super) fn online(root: &Root) -> BTreeSet<KeyIdentity> {
    online_keys(root).map(PublicKey::identity).collect()
}

pub(super) fn online_keys(root: &Root) -> impl Iterator<Item = &PublicKey> {
    let roles = [RoleName::Snapshot, RoleName::Timestamp];
    let ids = roles.into_iter().filter_map(|role| root.roles.get(&role)).flat_map(|role| &*role.keyids);
    ids.filter_map(|id| root.keys.get(id)?.public.as_ref())
}
