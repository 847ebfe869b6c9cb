//! A trust with delegations, and what tests do with it: hold a runbook, sign what it asks, seal it.

use super::world::{envelope, facts, frame, key, names, person, public, root, sign, time};
use crate::ceremony::change::{Change, Item};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::tuf::chain::accept;
use crate::tuf::document::{PathRule, TargetFile};
use crate::tuf::hashes::Hashes;
use crate::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::Sentence;
use crate::tuf::wire;
use std::num::NonZeroU32;

pub(super) const HEAD: &str = "title = \"t\"\n[people]\nalice = \"administrator\"\n";

pub(super) fn hold(kind: &str, tables: &str, facts: &Facts) -> Result<Change> {
    let runbook = Runbook::parse(&format!("ceremony = \"{kind}\"\n{HEAD}{tables}")).unwrap();
    kinds::read(&runbook)?.change(&frame(), facts)
}

pub(super) fn held(kind: &str, tables: &str, facts: &Facts) -> bool {
    let runbook = Runbook::parse(&format!("ceremony = \"{kind}\"\n{HEAD}{tables}")).unwrap();
    kinds::read(&runbook).unwrap().held(facts)
}

/// Delegations by name, their keys as letters, their threshold.
pub(super) fn granting(role: &RoleName, version: u64, grants: &[(&str, &str, u32)]) -> MetadataPayload {
    let edits: Vec<_> = grants
        .iter()
        .map(|(name, letters, threshold)| {
            let keys = names(letters).into_iter().map(|n| wire::key_entry(Profile::Tuf, &public(&n), None));
            TargetsEdit::Grant(Grant {
                role: RoleName::from_name(name),
                keys: RoleSpec {
                    keys: keys.collect::<Result<_>>().unwrap(),
                    threshold: NonZeroU32::new(*threshold).unwrap(),
                },
                paths: PathRule::Patterns(vec![format!("{name}/*")]),
                terminating: false,
            })
        })
        .collect();
    make::targets(Profile::Tuf, role, version, time("2028-01-01"), None, &edits).unwrap()
}

/// A delegation's document that names these files.
pub(super) fn naming(role: &str, version: u64, files: &[&str]) -> MetadataPayload {
    let file =
        || TargetFile { length: 3, hashes: Hashes::from([("sha256".to_owned(), vec![7; 32])]), custom: None };
    let put = |path: &&str| TargetsEdit::PutTarget { path: (*path).to_owned(), file: file() };
    let edits: Vec<_> = files.iter().map(put).collect();
    make::targets(Profile::Tuf, &RoleName::from_name(role), version, time("2028-01-01"), None, &edits)
        .unwrap()
}

/// `cam` by x (or y), `door` by x and y, `park` by z: each with a document of version 3.
pub(super) fn world() -> Facts {
    let root = root(1, "abc", 2, "t");
    let targets = granting(&RoleName::Targets, 4, &[("cam", "xy", 1), ("door", "xy", 2), ("park", "z", 1)]);
    let (cam, door, park) =
        (naming("cam", 3, &["cam/1", "cam/2"]), naming("door", 3, &["door/1"]), naming("park", 3, &[]));
    facts(&[(&root, "abc")], &[(&targets, "t"), (&cam, "x"), (&door, "xy"), (&park, "z")])
}

/// A person who holds x and z.
pub(super) fn two_keys() -> Facts {
    let mut facts = world();
    for name in ["x", "z"] {
        facts.keys.get_mut(&key(name)).unwrap().holder = person("dana");
    }
    facts
}

pub(super) fn titles(change: &Change) -> Vec<String> {
    change.items.iter().map(Item::title).collect()
}

pub(super) fn asked(change: &Change, item: usize) -> String {
    change.items[item].asked().iter().map(|ask| ask.key.as_str()).collect()
}

pub(super) fn lists(change: &Change, role: &str) -> Option<(String, u32)> {
    let targets = change.documents().next().unwrap().document().as_targets().unwrap();
    let found = targets.delegations.role(&RoleName::from_name(role))?;
    let known = |n: &String| {
        let identity = public(n).identity();
        let lists =
            |id| targets.delegations.keys[id].public.as_ref().map(crate::tuf::key::PublicKey::identity);
        found.keys.keyids.iter().any(|id| lists(id) == Some(identity))
    };
    let letters: String = names("nwxyz").into_iter().filter(known).collect();
    Some((letters, found.keys.threshold.get()))
}

/// Signs every item with every key that it asks, and says how the change stands.
pub(super) fn all_signed(change: &Change, facts: &Facts) -> State {
    let mut gathered = Gathered::default();
    for item in &change.items {
        for ask in item.asked() {
            sign(ask.key.as_str(), &item.payload().unwrap());
            gathered.signatures.push((ask.public.identity(), item.payload_digest().unwrap()));
        }
    }
    Standing::of(change, &gathered, facts).unwrap().state
}

/// The facts after a change's documents are sealed.
pub(super) fn sealed(change: &Change, facts: &Facts) -> Facts {
    let mut after = facts.clone();
    let old = after.documents.clone();
    for payload in change.documents() {
        let at = change.items.iter().find(|i| i.document() == Some(payload)).unwrap();
        let signers: String = at.asked().iter().map(|ask| ask.key.as_str()).collect();
        let above = if *payload.role() == RoleName::Targets {
            after.roots.last().unwrap().clone()
        } else {
            after.documents[&RoleName::Targets].clone()
        };
        let made = accept(&above, payload.role(), envelope(payload, &signers), None).unwrap();
        after.documents.insert(payload.role().clone(), made);
        after.history.insert(payload.digest());
    }
    let targets = after.documents[&RoleName::Targets].clone();
    for (role, document) in old {
        if matches!(role, RoleName::Delegated(_)) {
            let still = after.documents[&role].clone();
            if accept(&targets, &role, still.envelope().clone(), None).is_err() {
                after.documents.remove(&role);
                after.unvouched.insert(role.clone(), document);
                if targets.document().as_targets().unwrap().delegations.role(&role).is_none() {
                    after.revoked.insert(role);
                }
            }
        }
    }
    for item in &change.items {
        let Item::Statement { payload, .. } = item else { continue };
        let Sentence::KeyLife { key, event, at, .. } = payload.sentence() else { continue };
        let record = after.keys.values_mut().find(|r| r.public.identity() == *key).unwrap();
        record.life.push((*event, *at));
    }
    after
}
