//! What a record says once everything in it has been read and verified.

use super::{KeyFile, SignedStatement};
use crate::ceremony::change::Change;
use crate::ceremony::facts::{Anchor, Device, Enrolment, Facts};
use crate::ceremony::people::KeyName;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::verify::Signature;
use std::collections::{BTreeMap, BTreeSet};

/// What reading a record needs from outside of it.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The newest root that a person knows.
    pub anchor: Option<Anchor>,
    /// Enrolment files at hand.
    pub enrolments: BTreeMap<KeyName, Enrolment>,
    /// One's own keys.
    pub devices: BTreeMap<KeyName, Device>,
    /// Transcript heads that people know, digests of the last outcome's file.
    pub heads: Vec<Digest>,
}

/// A record, read and verified.
#[derive(Debug)]
pub struct Contents {
    /// What ceremonies may know.
    pub facts: Facts,
    /// Every change, by digest.
    pub changes: BTreeMap<Digest, StoredChange>,
    /// Every transcript, by ceremony id.
    pub transcripts: BTreeMap<String, StoredTranscript>,
    /// Every statement whose signature verifies, by digest of its file.
    pub statements: BTreeMap<Digest, StoredStatement>,
    /// Every key file that parses, by digest, whether it is used or why not. A key file that a
    /// ceremony wrote before it was cut off is here as `KEY-UNWITNESSED`.
    pub key_files: BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
    /// Every document that parses, in order of role, version and digest.
    pub history: Vec<StoredDocument>,
    /// The number of the limits in force.
    pub limits_number: u64,
    /// Why the limits in force are not signed by a threshold of the newest root, if they aren't.
    pub limits_standing: Option<Refusal>,
    /// Uploads whose MANIFEST and files agree.
    pub uploads: BTreeSet<Digest>,
    /// Problems that don't stop reading: where (safe to show) and which rule.
    pub findings: Vec<(String, Refusal)>,
}

/// How a change stands today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Waits for signatures, or to be sealed.
    Open,
    /// Some of its documents are sealed and the others not: sealing was cut off.
    Sealing,
    /// Everything in it is in the record.
    Sealed,
    /// Withdrawn by those who may.
    Withdrawn,
    /// Its `sign-by` has passed.
    Late,
    /// A document that it rests on has moved.
    BaseMoved,
}

/// A change, with what came in for it.
#[derive(Debug, Clone)]
pub struct StoredChange {
    /// SHA-256 of `change.json`.
    pub digest: Digest,
    /// The change, its payloads read.
    pub change: Change,
    /// The runbook's exact bytes.
    pub runbook: Vec<u8>,
    /// By payload digest: signatures that verified, by keys that the change asks, one a key.
    pub signatures: BTreeMap<Digest, Vec<Signature>>,
    /// How it stands.
    pub standing: Standing,
    /// Refusals by keys that it asks: key name and reason (escape before showing).
    pub refusals: Vec<(KeyName, String)>,
}

/// A transcript, as far as it is unbroken.
#[derive(Debug, Clone)]
pub struct StoredTranscript {
    /// Digest and bytes of each outcome's file, in sequence.
    pub files: Vec<(Digest, Vec<u8>)>,
    /// The first bad entry, if the transcript is broken: then nothing in it is used.
    pub broken: Option<Refusal>,
}

/// A statement with one signature that verifies.
#[derive(Debug, Clone)]
pub struct StoredStatement {
    /// The statement.
    pub signed: SignedStatement,
    /// Why it doesn't act, if it doesn't: `PLANTED` with who would have to sign.
    pub idle: Option<Refusal>,
}

/// A document of the record's history.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    /// Its role.
    pub role: RoleName,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the file.
    pub file: Digest,
    /// SHA-256 of the payload.
    pub payload: Digest,
    /// The version of the root under which it verifies (the newest such); none if under none.
    pub root: Option<u64>,
    /// Whether the newest trusted snapshot lists this very file: the backend has it.
    pub published: bool,
}

impl Contents {
    /// Refuses a chain of roots without an anchor, or one that the anchor is not in.
    ///
    /// # Errors
    ///
    /// `ANCHOR`.
    pub fn require_anchor(&self) -> Result<()> {
        todo!()
    }

    /// In production: refuses a record older than a head that people know, or, without heads,
    /// than the documents of the backend within `record-no-older`.
    ///
    /// # Errors
    ///
    /// `STALE-RECORD`.
    pub fn require_fresh(&self) -> Result<()> {
        todo!()
    }

    /// Refuses to let `key` sign `payload` of the change `change` while it has signed another
    /// payload for the same role and version that is neither withdrawn nor unpublished.
    ///
    /// # Errors
    ///
    /// `ROLE-FORK`.
    pub fn require_no_fork(&self, change: &Digest, key: &KeyName, payload: &Digest) -> Result<()> {
        let _ = (change, key, payload);
        todo!()
    }
}
