//! A repository of profile `tuf` made by hand, to be attacked: its documents come from `make`, its
//! keys from fixed seeds, and a test changes what it says before it is written again.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use crate::keys::TestKey;
use keyrite::tuf::document::{Keys, MetaFile, PathRule, TargetFile};
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

pub const LATER: &str = "2030-01-01T00:00:00Z";
pub const PAST: &str = "2026-01-01T00:00:00Z";

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// Keys by number: 1 to 9 are P-256, from 10 on Ed25519.
pub fn key(n: u8) -> TestKey {
    if n < 10 { TestKey::p256(n) } else { TestKey::ed25519(n) }
}

pub fn spec(keys: &[u8], threshold: u32) -> RoleSpec {
    let entry = |n: &u8| wire::key_entry(Profile::Tuf, &key(*n).public(), None).unwrap();
    RoleSpec { keys: keys.iter().map(entry).collect(), threshold: NonZeroU32::new(threshold).unwrap() }
}

/// The file of a payload, signed by keys.
pub fn sealed(payload: &MetadataPayload, signers: &[u8]) -> Vec<u8> {
    let keys: Keys = spec(signers, 1).keys.into_iter().map(|k| (k.id.clone(), k)).collect();
    let signatures: Vec<_> = signers
        .iter()
        .map(|n| {
            let scheme = wire::scheme(Profile::Tuf, &key(*n).public());
            key(*n).signature(scheme, &Payload::Metadata(payload.clone()))
        })
        .collect();
    wire::seal(payload, &keys, &signatures).unwrap()
}

pub fn listed(version: u64, bytes: &[u8]) -> MetaFile {
    MetaFile {
        version: Some(version),
        length: Some(bytes.len() as u64),
        hashes: Hashes::from([("sha256".to_owned(), Sha256::digest(bytes).to_vec())]),
    }
}

pub fn target(text: &str) -> TargetFile {
    let hashes = Hashes::from([("sha256".to_owned(), Sha256::digest(text).to_vec())]);
    TargetFile { length: text.len() as u64, hashes, custom: None }
}

/// A targets document to be.
#[derive(Clone)]
pub struct Doc {
    pub version: u64,
    pub expires: &'static str,
    /// Who signs.
    pub signers: Vec<u8>,
    pub targets: Vec<&'static str>,
    /// Name, keys, patterns, terminating.
    pub delegations: Vec<(&'static str, Vec<u8>, Vec<&'static str>, bool)>,
}

impl Doc {
    pub fn new(signer: u8, targets: &[&'static str]) -> Self {
        Self {
            version: 1,
            expires: LATER,
            signers: vec![signer],
            targets: targets.to_vec(),
            delegations: Vec::new(),
        }
    }

    #[must_use]
    pub fn delegating(
        mut self,
        name: &'static str,
        key: u8,
        patterns: &[&'static str],
        terminating: bool,
    ) -> Self {
        self.delegations.push((name, vec![key], patterns.to_vec(), terminating));
        self
    }

    fn write(&self, role: &RoleName) -> Vec<u8> {
        let mut edits: Vec<_> = self
            .delegations
            .iter()
            .map(|(name, keys, patterns, terminating)| {
                TargetsEdit::Grant(Grant {
                    role: RoleName::from_name(name),
                    keys: spec(keys, 1),
                    paths: PathRule::Patterns(patterns.iter().map(|p| (*p).to_owned()).collect()),
                    terminating: *terminating,
                })
            })
            .collect();
        edits.extend(self.targets.iter().map(|path| {
            let file = target(&format!("{path} of {} {}", role.as_str(), self.version));
            TargetsEdit::PutTarget { path: (*path).to_owned(), file }
        }));
        let payload =
            make::targets(Profile::Tuf, role, self.version, time(self.expires), None, &edits).unwrap();
        sealed(&payload, &self.signers)
    }
}

/// What the next root is to say.
#[derive(Clone)]
pub struct RootDoc {
    pub version: u64,
    pub expires: &'static str,
    pub keys: Vec<u8>,
    pub threshold: u32,
    pub signers: Vec<u8>,
    pub targets: Vec<u8>,
    pub snapshot: Vec<u8>,
    pub timestamp: Vec<u8>,
}

impl RootDoc {
    pub fn write(&self) -> Vec<u8> {
        let root = RootSpec {
            version: self.version,
            expires: time(self.expires),
            root: spec(&self.keys, self.threshold),
            targets: spec(&self.targets, 1),
            snapshot: spec(&self.snapshot, 1),
            timestamp: spec(&self.timestamp, 1),
        };
        sealed(&make::root(Profile::Tuf, &root, None).unwrap(), &self.signers)
    }
}

/// An online role's document to be.
#[derive(Clone)]
pub struct Online {
    pub version: u64,
    pub expires: &'static str,
    pub signers: Vec<u8>,
}

/// The repository: what it says, and the files that it serves.
#[derive(Clone)]
pub struct Repository {
    pub root: RootDoc,
    pub docs: BTreeMap<&'static str, Doc>,
    pub snapshot: Online,
    pub timestamp: Online,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Repository {
    /// A 2-of-3 root, targets with `top.txt`, and the delegation `app` with `app/one.msi`.
    pub fn new() -> Self {
        let online = |signer| Online { version: 1, expires: LATER, signers: vec![signer] };
        let top = Doc::new(10, &["top.txt"]).delegating("app", 30, &["app/*"], false);
        let mut made = Self {
            root: RootDoc {
                version: 1,
                expires: LATER,
                keys: vec![1, 2, 3],
                threshold: 2,
                signers: vec![1, 2],
                targets: vec![10],
                snapshot: vec![20],
                timestamp: vec![21],
            },
            docs: BTreeMap::from([("targets", top), ("app", Doc::new(30, &["app/one.msi"]))]),
            snapshot: online(20),
            timestamp: online(21),
            files: BTreeMap::new(),
        };
        made.write_root();
        made.write();
        made
    }

    pub fn doc(&mut self, name: &str) -> &mut Doc {
        self.docs.get_mut(name).unwrap()
    }

    /// Writes the root as it stands.
    pub fn write_root(&mut self) {
        self.files.insert(format!("{}.root.json", self.root.version), self.root.write());
    }

    /// Writes every document below root as it stands.
    pub fn write(&mut self) {
        let mut meta = BTreeMap::new();
        for (name, doc) in &self.docs {
            let role = RoleName::from_name(name);
            let bytes = doc.write(&role);
            meta.insert(role, listed(doc.version, &bytes));
            self.files.insert(format!("{}.{name}.json", doc.version), bytes);
        }
        self.write_snapshot(&meta);
    }

    pub fn write_snapshot(&mut self, meta: &BTreeMap<RoleName, MetaFile>) {
        let Online { version, expires, signers } = &self.snapshot;
        let payload = make::snapshot(Profile::Tuf, *version, time(expires), meta).unwrap();
        let bytes = sealed(&payload, signers);
        let meta = listed(*version, &bytes);
        self.files.insert(format!("{version}.snapshot.json"), bytes);
        self.write_timestamp(&meta);
    }

    pub fn write_timestamp(&mut self, snapshot: &MetaFile) {
        let Online { version, expires, signers } = &self.timestamp;
        let payload = make::timestamp(Profile::Tuf, *version, time(expires), snapshot).unwrap();
        self.files.insert("timestamp.json".to_owned(), sealed(&payload, signers));
    }

    /// The next version of what is below root.
    pub fn next(&mut self) {
        self.snapshot.version += 1;
        self.timestamp.version += 1;
    }

    /// The next root, signed by the keys given.
    pub fn next_root(&mut self, signers: &[u8]) {
        self.root.version += 1;
        self.root.signers = signers.to_vec();
    }
}
