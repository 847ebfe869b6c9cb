//! What other tools made, looked at before a record is begun with it.
//!
//! History is taken as it verifies over its own bytes, quirks and all; but thresholds count distinct
//! public keys here, where some tools count ids. Where a root of the past falls short of that, the
//! trust begins at the first root after it from which every threshold is met: what was before is
//! nothing that anyone could rely on.
//!
//! Never: a document written, a file that isn't there fetched, an older root believed because a
//! newer one is.

use super::Media;
use super::dir::Dir;
use super::files::find;
use super::rules;
use super::take_in::role_of;
use crate::ceremony::facts::Anchor;
use crate::tuf::chain::RootChain;
use crate::tuf::document::{Document, DocumentKey, RoleKeys};
use crate::tuf::evidence::Trusted;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::wire::{self, Envelope};
use std::collections::BTreeMap;

/// The most bytes of one root.
const ROOT_CAP: u64 = 64 * 1024 * 1024;

/// The roots of a repository.
#[derive(Debug)]
pub struct History {
    /// How its documents look.
    pub profile: Profile,
    /// The chain, from the oldest root that begins one.
    pub chain: RootChain,
    /// Versions that are there and come before it.
    pub before: Vec<u64>,
    /// Why the chain doesn't begin with them: the refusal of the root at which it broke.
    pub broken: Option<Refusal>,
}

impl History {
    /// Looks for roots in `media`: `root.json`, `1.root.json` and so on.
    ///
    /// # Errors
    ///
    /// `ADOPT-NOTHING` without a root; the refusal of the newest root if it doesn't meet its own
    /// threshold; `MEDIA-READ` and the like.
    pub fn look(media: &Media) -> Result<Self> {
        let mut roots: BTreeMap<u64, Vec<Envelope>> = BTreeMap::new();
        let mut refused = None;
        for name in find(&media.dir)?.others {
            for profile in [Profile::Notary, Profile::Tuf] {
                if role_of(profile, &name) != Some(RoleName::Root) {
                    continue;
                }
                match read(&media.dir, profile, &name) {
                    Ok(root) => roots.entry(root.payload().version()).or_default().push(root),
                    Err(refusal) => refused = Some(refusal.at(crate::tuf::text::visible(&name))),
                }
            }
        }
        let Some(newest) = roots.values().next_back().and_then(|same| same.first()) else {
            return Err(refused.unwrap_or_else(|| {
                let found = format!("no root in {}", media.dir.shown());
                Refusal::new(&rules::ADOPT_NOTHING, found, "root.json, or 1.root.json and so on")
            }));
        };
        let profile = newest.payload().profile();
        let mut versions: Vec<u64> = roots.keys().copied().collect();
        // As far back as every step holds.
        let mut best: Option<RootChain> = None;
        let mut broken = None;
        let mut before = Vec::new();
        while let Some(version) = versions.pop() {
            match from(&roots, version) {
                Ok(chain) => best = Some(chain),
                Err(refusal) if best.is_none() => return Err(refusal),
                Err(refusal) => {
                    before.clone_from(&versions);
                    before.push(version);
                    broken = Some(refusal);
                    break;
                }
            }
        }
        let chain = best.ok_or_else(|| Refusal::new(&rules::ADOPT_NOTHING, "no root", "a root"))?;
        Ok(Self { profile, chain, before, broken })
    }

    /// The first root of the chain.
    pub fn start(&self) -> Option<Anchor> {
        let first = self.chain.all().first()?;
        Some(Anchor { version: first.version(), payload: first.payload().digest() })
    }
}

/// A chain from that version to the newest.
fn from(roots: &BTreeMap<u64, Vec<Envelope>>, version: u64) -> Result<RootChain> {
    let mut chain: Option<RootChain> = None;
    for (_, same) in roots.range(version..) {
        // Of two files of one version, `root.json` and `3.root.json` mostly, the one that fits.
        let mut refused = None;
        let mut longer = None;
        for root in same {
            let tried = match &chain {
                None => RootChain::start(root.clone()),
                Some(chain) => {
                    let mut next = chain.clone();
                    next.push(root.clone()).map(|()| next)
                }
            };
            match tried {
                Ok(next) => longer = Some(next),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match (longer, refused) {
            (Some(next), _) => chain = Some(next),
            (None, Some(refusal)) => return Err(refusal),
            (None, None) => {}
        }
    }
    chain.ok_or_else(|| Refusal::new(&rules::ADOPT_NOTHING, format!("no root {version}"), "one"))
}

fn read(dir: &Dir, profile: Profile, name: &str) -> Result<Envelope> {
    let bytes = dir.read(name, ROOT_CAP)?.unwrap_or_default();
    wire::parse(profile, &RoleName::Root, &bytes)
}

/// A key that a trusted document lists.
#[derive(Debug, Clone)]
pub struct Listed {
    /// As the document has it.
    pub key: DocumentKey,
    /// The roles that list it, the highest first.
    pub roles: Vec<RoleName>,
    /// The payload digest of the document that lists it first.
    pub by: crate::tuf::digest::Digest,
}

/// The keys of the newest root and of every newest targets document, each public key once, root's
/// first; keys of kinds that keyrite doesn't know are left out.
pub fn listed<'a>(root: &'a Trusted, documents: impl Iterator<Item = &'a Trusted>) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    let mut put = |by: &Trusted, role: &RoleName, keys: &RoleKeys, all: &crate::tuf::document::Keys| {
        for key in keys.keyids.iter().filter_map(|id| all.get(id)).filter(|key| key.public.is_some()) {
            match found.iter_mut().find(|there| there.key.public == key.public) {
                Some(there) if there.roles.contains(role) => {}
                Some(there) => there.roles.push(role.clone()),
                None => found.push(Listed {
                    key: key.clone(),
                    roles: vec![role.clone()],
                    by: by.payload().digest(),
                }),
            }
        }
    };
    if let Some(document) = root.document().as_root() {
        for role in [RoleName::Root, RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp] {
            if let Some(keys) = document.roles.get(&role) {
                put(root, &role, keys, &document.keys);
            }
        }
    }
    for held in documents {
        if let Document::Targets(targets) = held.document() {
            for role in &targets.delegations.roles {
                put(held, &role.name, &role.keys, &targets.delegations.keys);
            }
            if let Some(bins) = &targets.delegations.succinct {
                let name = RoleName::from_name(&format!("{}-*", bins.name_prefix));
                put(held, &name, &bins.keys, &targets.delegations.keys);
            }
        }
    }
    found
}
