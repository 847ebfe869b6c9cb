//! Snapshot and timestamp, as the server makes them: over its own re-serialisation of what it has
//! parsed (notary-v1 3.6), signed with every key of the role that it holds.

use super::{BackendModel, Loaded, ServerRefusal, check::Rules, open};
use crate::tuf::chain::signers_of;
use crate::tuf::client::Judge;
use crate::tuf::document::{Document, MetaFile};
use crate::tuf::key::Scheme;
use crate::tuf::make;
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::time::{Term, Time, Unit};
use crate::tuf::verify::Signature;
use crate::tuf::wire::{self, Envelope, notary};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Notary's terms (`const.go`).
const SNAPSHOT: Term = Term::new(3 * 365, Unit::Days);
const TIMESTAMP: Term = Term::new(14, Unit::Days);

impl<J: Judge> BackendModel<J> {
    pub(super) fn make_snapshot(&self, loaded: &Loaded, now: Time) -> Result<Arc<Envelope>, ServerRefusal> {
        let failed = |message: String| ServerRefusal::invalid("ErrValidation", message);
        let before =
            self.current(&RoleName::Snapshot).and_then(|bytes| open(&RoleName::Snapshot, bytes).ok());
        let (version, mut meta) = match before.as_ref().map(|held| held.payload().document()) {
            Some(Document::Snapshot(before)) => {
                (before.header.version.get().saturating_add(1), before.meta.clone())
            }
            _ if loaded.targets.contains_key(&RoleName::Targets) => (1, BTreeMap::new()),
            _ => return Err(failed("targets must be loaded first".to_owned())),
        };
        for held in loaded.root.iter().chain(loaded.targets.values()) {
            meta.insert(held.payload().role().clone(), described(held).map_err(failed)?);
        }
        let expires = now.plus(SNAPSHOT).map_err(|e| failed(e.to_string()))?;
        let payload = make::snapshot(Profile::Notary, version, expires, &meta);
        let payload = payload.map_err(|e| failed(e.to_string()))?;
        self.sealed(loaded, &payload).map_err(|why| match why {
            Why::Keys => ServerRefusal::invalid(
                "ErrBadHierarchy",
                "no snapshot was included in update and server does not hold current snapshot key for repository",
            ),
            Why::Else(message) => failed(message),
        })
    }

    pub(super) fn make_timestamp(
        &self,
        loaded: &Loaded,
        snapshot: &Envelope,
        now: Time,
    ) -> Result<Arc<Envelope>, ServerRefusal> {
        let failed = |message: String| ServerRefusal::invalid("ErrValidation", message);
        let before = self.current(&RoleName::Timestamp);
        let before = before.and_then(|bytes| open(&RoleName::Timestamp, bytes).ok());
        let version = before.map_or(1, |held| held.payload().version().saturating_add(1));
        let expires = now.plus(TIMESTAMP).map_err(|e| failed(e.to_string()))?;
        let listed = described(snapshot).map_err(failed)?;
        let payload = make::timestamp(Profile::Notary, version, expires, &listed);
        let payload = payload.map_err(|e| failed(e.to_string()))?;
        self.sealed(loaded, &payload).map_err(|why| match why {
            Why::Keys => ServerRefusal::invalid("ErrBadRoot", "no  timestamp keys exist on the server"),
            Why::Else(message) => failed(message),
        })
    }

    /// Signs snapshot and timestamp again where they have expired; none if the stored documents
    /// don't let it.
    pub(super) fn renew(&mut self, now: Time) -> Option<()> {
        let timestamp = open(&RoleName::Timestamp, self.current(&RoleName::Timestamp)?).ok()?;
        let snapshot = open(&RoleName::Snapshot, self.current(&RoleName::Snapshot)?).ok()?;
        let expired = |held: &Envelope| held.payload().document().header().expires < now;
        if !expired(&timestamp) && !expired(&snapshot) {
            return Some(());
        }
        let root = open(&RoleName::Root, self.current(&RoleName::Root)?).ok()?;
        let rules = Rules { judge: &self.judge, collection: &self.collection, now };
        rules.root(None, &root, false).ok()?;
        let loaded = Loaded { root: Some(root), targets: BTreeMap::new() };
        let mut updates = Vec::new();
        let snapshot = if expired(&snapshot) {
            let made = self.make_snapshot(&loaded, now).ok()?;
            updates.push((RoleName::Snapshot, made.payload().version(), made.bytes().to_vec()));
            made
        } else {
            snapshot
        };
        rules.snapshot(&loaded, &snapshot).ok()?;
        let made = self.make_timestamp(&loaded, &snapshot, now).ok()?;
        updates.push((RoleName::Timestamp, made.payload().version(), made.bytes().to_vec()));
        self.store(updates).ok()
    }

    fn sealed(&self, loaded: &Loaded, payload: &MetadataPayload) -> Result<Arc<Envelope>, Why> {
        let other = |e: &dyn std::fmt::Display| Why::Else(e.to_string());
        let root = loaded.root.as_ref().ok_or(Why::Keys)?;
        let (keys, role) = signers_of(root.payload().document(), payload.role()).map_err(|e| other(&e))?;
        let listed: Vec<_> = role.keyids.iter().filter_map(|id| keys.get(id)?.public.as_ref()).collect();
        // The server signs with whatever keys it finds, whichever role it made them for.
        let own = [&self.snapshot, &self.timestamp].into_iter().chain(&self.others);
        let held: Vec<_> = own.filter(|key| listed.contains(&key.public())).collect();
        if usize::try_from(role.threshold.get()).is_ok_and(|need| held.len() < need) {
            return Err(Why::Keys);
        }
        let mut signatures = Vec::new();
        for key in held {
            if let Some(secret) = &key.secret {
                let raw = secret.sign(payload.bytes()).to_bytes();
                let signed = Payload::Metadata(payload.clone());
                let signature = Signature::check(key.public(), Scheme::Ed25519, &signed, &raw);
                signatures.push(signature.map_err(|e| other(&e))?);
            }
        }
        let bytes = wire::seal(payload, keys, &signatures).map_err(|e| other(&e))?;
        open(payload.role(), &bytes).map_err(Why::Else)
    }
}

/// Why the server can't sign.
enum Why {
    /// It doesn't hold the keys.
    Keys,
    /// As said.
    Else(String),
}

/// What snapshot and timestamp say of a file: of what the server would write, not of what came.
fn described(held: &Envelope) -> Result<MetaFile, String> {
    let bytes = notary::rewritten(held.bytes()).map_err(|e| e.to_string())?;
    let hashes = [
        ("sha256".to_owned(), Sha256::digest(&bytes).to_vec()),
        ("sha512".to_owned(), Sha512::digest(&bytes).to_vec()),
    ];
    let length = u64::try_from(bytes.len()).map_err(|e| e.to_string())?;
    Ok(MetaFile { version: None, length: Some(length), hashes: hashes.into() })
}
