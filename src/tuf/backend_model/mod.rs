//! A model of the Notary server's rules, to play the backend where there is none.
//!
//! Rehearsals upload to it, and clients are walked over what it serves, before the real server
//! sees anything. It judges as Notary 0.7 does (notary-v1 4), in the same order and with the same
//! codes, and it hashes its own re-serialisation of what it parsed while it serves the bytes that
//! came, so that a poisoned upload makes a collection unreadable here as it does there. Where
//! keyrite is stricter elsewhere, this is not: it counts key ids, and never looks whether stored
//! documents still verify.
//!
//! It stands for notary-server with keys of its own ("local"); behind notary-signer a key that the
//! server doesn't hold has another message. Files that Go reads and our strict JSON refuses
//! (floats, equal members) are malformed here: keyrite uploads none.

mod check;
mod online;
mod parts;

use super::client::{Judge, Signatures};
use super::key::PublicKey;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::Result;
use super::time::Time;
use super::wire::{self, Envelope};
use check::Rules;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The server's answer to an upload that it doesn't take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRefusal {
    /// The HTTP status: 400 or 500.
    pub http: u16,
    /// The error's code: `INVALID_UPDATE`.
    pub code: &'static str,
    /// What kind of validation failed: `ErrBadRoot`; none where the server gives no detail.
    pub name: Option<&'static str>,
    /// The reason in the server's words; empty where it gives none.
    pub message: String,
}

impl ServerRefusal {
    fn of(code: &'static str) -> Self {
        Self { http: 400, code, name: None, message: String::new() }
    }

    fn invalid(name: &'static str, message: impl Into<String>) -> Self {
        Self { name: Some(name), message: message.into(), ..Self::of("INVALID_UPDATE") }
    }
}

impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.http, self.code)?;
        if let Some(name) = self.name {
            write!(f, " {name}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// A key that the server holds, for snapshot or timestamp.
pub struct ServerKey {
    public: PublicKey,
    /// None where a plan assumes that the server will sign.
    secret: Option<SigningKey>,
}

impl ServerKey {
    /// The Ed25519 key of a seed, as the server makes them when it stands alone.
    ///
    /// # Errors
    ///
    /// `KEY-FORM`, which no seed is known to meet.
    pub fn ed25519(seed: &[u8; 32]) -> Result<Self> {
        let secret = SigningKey::from_bytes(seed);
        let public = PublicKey::from_ed25519(secret.verifying_key().as_bytes())?;
        Ok(Self { public, secret: Some(secret) })
    }

    /// A real backend's key, which signs nothing here: for a model whose judge takes the backend's
    /// signatures for granted.
    pub const fn assumed(public: PublicKey) -> Self {
        Self { public, secret: None }
    }

    /// The public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server key {}", self.public.identity())
    }
}

/// A server with one collection, and nothing in it at first.
pub struct BackendModel<J = Signatures> {
    collection: String,
    snapshot: ServerKey,
    timestamp: ServerKey,
    /// Keys that it holds beside these two: those of an older root, or of a larger role.
    others: Vec<ServerKey>,
    judge: J,
    /// Every version of every role; kept for good, as the server keeps them.
    files: BTreeMap<RoleName, BTreeMap<u64, Vec<u8>>>,
}

impl<J> fmt::Debug for BackendModel<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backend model of {}", super::text::visible(&self.collection))
    }
}

/// What an upload is judged by: documents that are in the store and those that came.
#[derive(Default)]
struct Loaded {
    root: Option<Arc<Envelope>>,
    targets: BTreeMap<RoleName, Arc<Envelope>>,
}

impl BackendModel {
    /// A server that holds these keys and checks signatures.
    pub fn new(collection: &str, snapshot: ServerKey, timestamp: ServerKey) -> Self {
        Self::with_judge(collection, snapshot, timestamp, Signatures)
    }
}

impl<J: Judge> BackendModel<J> {
    /// A server that judges signatures as `judge` does.
    pub fn with_judge(collection: &str, snapshot: ServerKey, timestamp: ServerKey, judge: J) -> Self {
        let collection = collection.to_owned();
        Self { collection, snapshot, timestamp, others: Vec::new(), judge, files: BTreeMap::new() }
    }

    /// Gives the server more keys.
    pub fn hold(&mut self, keys: impl IntoIterator<Item = ServerKey>) {
        self.others.extend(keys);
    }

    /// Puts a file into the store that an earlier upload brought there.
    pub fn stock(&mut self, role: &RoleName, version: u64, bytes: &[u8]) {
        self.files.entry(role.clone()).or_default().insert(version, bytes.to_vec());
    }

    /// Makes snapshot and timestamp over the stored root and targets, as the upload did that
    /// brought them.
    ///
    /// # Errors
    ///
    /// The server's answer if it couldn't.
    pub fn publish(&mut self, now: Time) -> Result<(), ServerRefusal> {
        let mut loaded = Loaded::default();
        let stored = |role: &RoleName| {
            let bytes = self.current(role).ok_or_else(|| ServerRefusal::of("METADATA_NOT_FOUND"))?;
            open(role, bytes).map_err(|_| ServerRefusal::of("INVALID_UPDATE"))
        };
        loaded.root = Some(stored(&RoleName::Root)?);
        loaded.targets.insert(RoleName::Targets, stored(&RoleName::Targets)?);
        let snapshot = self.make_snapshot(&loaded, now)?;
        let timestamp = self.make_timestamp(&loaded, &snapshot, now)?;
        self.store(vec![
            (RoleName::Snapshot, snapshot.payload().version(), snapshot.bytes().to_vec()),
            (RoleName::Timestamp, timestamp.payload().version(), timestamp.bytes().to_vec()),
        ])
    }

    /// What the server answers to `GET …/snapshot.key` and `…/timestamp.key`; nothing for others.
    pub fn key_file(&self, role: &RoleName) -> Vec<u8> {
        let key = match role {
            RoleName::Snapshot => &self.snapshot,
            RoleName::Timestamp => &self.timestamp,
            _ => return Vec::new(),
        };
        let entry = wire::key_entry(Profile::Notary, key.public(), None);
        entry.map(|key| key.entry.canonical()).unwrap_or_default()
    }

    /// Takes an upload whole, or nothing of it: parts by the file name of each, as in the POST.
    ///
    /// # Errors
    ///
    /// The server's answer (notary-v1 4.2).
    pub fn upload(&mut self, parts: &[(String, Vec<u8>)], now: Time) -> Result<(), ServerRefusal> {
        let parts = parts::read(parts)?;
        let rules = Rules { judge: &self.judge, collection: &self.collection, now };
        let mut loaded = Loaded::default();
        let mut updates: Vec<(RoleName, u64, Vec<u8>)> = Vec::new();
        if let Some(stored) = self.current(&RoleName::Root) {
            let root = open(&RoleName::Root, stored).map_err(|_| ServerRefusal::of("INVALID_UPDATE"))?;
            // Certificates that have expired since: no upload is taken any more.
            rules.root(None, &root, true).map_err(|_| ServerRefusal::of("INVALID_UPDATE"))?;
            loaded.root = Some(root);
        }
        match parts.get(&RoleName::Root) {
            Some(part) => {
                let bad = |message: String| ServerRefusal::invalid("ErrBadRoot", message);
                let current = loaded.root.as_ref().map_or(1, |root| root.payload().version());
                if part.version != current && Some(part.version) != current.checked_add(1) {
                    return Err(bad(format!(
                        "Root modifications must increment the version. Current {current}, new {}",
                        part.version
                    )));
                }
                let root = open(&RoleName::Root, &part.bytes).map_err(bad)?;
                rules.root(loaded.root.as_deref(), &root, false).map_err(bad)?;
                loaded.root = Some(root);
                updates.push((RoleName::Root, part.version, part.bytes.clone()));
            }
            None if loaded.root.is_none() => {
                let message = "no pre-existing root and no root provided in update.";
                return Err(ServerRefusal::invalid("ErrValidation", message));
            }
            None => {}
        }
        for (role, part) in parts::targets(&parts) {
            self.load_above(&rules, &mut loaded, role)?;
            let bad = |message: String| ServerRefusal::invalid("ErrBadTargets", message);
            check::loaded_first(&loaded, role).map_err(bad)?;
            let held = open(role, &part.bytes).map_err(bad)?;
            rules.targets(&loaded, &held, false).map_err(bad)?;
            loaded.targets.insert(role.clone(), held);
            updates.push((role.clone(), part.version, part.bytes.clone()));
        }
        let snapshot = match parts.get(&RoleName::Snapshot) {
            Some(part) => {
                let bad = |message: String| ServerRefusal::invalid("ErrBadSnapshot", message);
                let held = open(&RoleName::Snapshot, &part.bytes).map_err(bad)?;
                rules.snapshot(&loaded, &held).map_err(bad)?;
                held
            }
            None => self.make_snapshot(&loaded, now)?,
        };
        updates.push((RoleName::Snapshot, snapshot.payload().version(), snapshot.bytes().to_vec()));
        let timestamp = self.make_timestamp(&loaded, &snapshot, now)?;
        updates.push((RoleName::Timestamp, timestamp.payload().version(), timestamp.bytes().to_vec()));
        self.store(updates)
    }

    /// The file of that name below the collection's address: `root.json`, `2.root.json`,
    /// `targets/app.<sha256>.json`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let name = name.strip_suffix(".json")?;
        if let Some((role, digest)) = name.rsplit_once('.').filter(|(_, digest)| digest.len() == 64) {
            let digest = base16ct::mixed::decode_vec(digest).ok()?;
            let mut versions = self.files.get(&RoleName::from_name(role))?.values();
            return versions.find(|bytes| Sha256::digest(bytes).as_slice() == digest).map(Vec::as_slice);
        }
        if let Some((version, role)) = name.split_once('.') {
            let versions = self.files.get(&RoleName::from_name(role))?;
            return versions.get(&version.parse().ok()?).map(Vec::as_slice);
        }
        self.current(&RoleName::from_name(name)).map(Vec::as_slice)
    }

    /// As [`Self::get`] at a moment: an expired timestamp is signed again first, as the server does
    /// when it is asked; none where the stored documents don't let it.
    pub fn get_at(&mut self, name: &str, now: Time) -> Option<&[u8]> {
        if matches!(name, "timestamp.json" | "snapshot.json") {
            self.renew(now)?;
        }
        self.get(name)
    }

    /// The newest file of a role.
    pub fn current(&self, role: &RoleName) -> Option<&Vec<u8>> {
        self.files.get(role)?.values().next_back()
    }

    /// Loads the stored documents above a delegation that are not there yet.
    fn load_above(
        &self,
        rules: &Rules<'_, J>,
        loaded: &mut Loaded,
        role: &RoleName,
    ) -> Result<(), ServerRefusal> {
        let mut above = Vec::new();
        let mut name = role.as_str();
        while let Some((parent, _)) = name.rsplit_once('/') {
            above.push(RoleName::from_name(parent));
            name = parent;
        }
        for role in above.into_iter().rev() {
            if loaded.targets.contains_key(&role) {
                continue;
            }
            let Some(stored) = self.current(&role) else { continue };
            // No word of why: the stored document no longer verifies below what is above it.
            let refuse = |_| ServerRefusal::of("INVALID_UPDATE");
            let held = open(&role, stored).map_err(refuse)?;
            rules.targets(loaded, &held, true).map_err(refuse)?;
            loaded.targets.insert(role, held);
        }
        Ok(())
    }

    fn store(&mut self, updates: Vec<(RoleName, u64, Vec<u8>)>) -> Result<(), ServerRefusal> {
        for (role, version, _) in &updates {
            let newest = self.files.get(role).and_then(|v| v.keys().next_back());
            if newest.is_some_and(|newest| newest >= version) {
                return Err(ServerRefusal::of("VERSION"));
            }
        }
        for (role, version, bytes) in updates {
            self.files.entry(role).or_default().insert(version, bytes);
        }
        Ok(())
    }
}

fn open(role: &RoleName, bytes: &[u8]) -> Result<Arc<Envelope>, String> {
    let held = wire::parse(Profile::Notary, role, bytes).map_err(|e| e.to_string())?;
    check::structure(&held)?;
    Ok(Arc::new(held))
}
