//! Facts: what a ceremony may know. Plain data that the record layer fills in.

use super::change::{Possession, Purpose};
use super::people::{KeyName, Person};
pub use crate::tuf::chain::Anchor;
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::{KeyEvent, TrustId};
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The trust itself, from `trust.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The id, which commits to everything else here.
    pub id: TrustId,
    /// The wire profile.
    pub profile: Profile,
    /// The collection (Notary's GUN), or the repository's name.
    pub collection: String,
    /// Whether the keys protect customers, or this is practice.
    pub stage: Stage,
}

/// Practice or the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Throw-away keys; stamped everywhere, uploaded to loopback only.
    Rehearsal,
    /// The real thing.
    Production,
}

/// A key in the record, its possession verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The record's name.
    pub name: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// What it is for.
    pub purpose: Purpose,
    /// The key.
    pub public: PublicKey,
    /// The certificate in PEM, for root keys of profile `notary`.
    pub certificate: Option<String>,
    /// The word for what holds it: `pkcs11`, `file`, `external`, `backend`.
    pub token: String,
    /// The token's label and serial, empty where it has none.
    pub label: String,
    /// As above.
    pub serial: String,
    /// How its possession is shown.
    pub possession: Possession,
    /// What became of it, in the order of time.
    pub life: Vec<(KeyEvent, Time)>,
    /// The digest of its file in the record.
    pub file: Digest,
}

/// Where one of one's own keys is, from the device map and a look at the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The largest payload that the token signs by the key's scheme; none is unknown.
    pub max_payload: Option<usize>,
    /// Whether this is a software key (an encrypted file).
    pub software: bool,
}

/// An enrolment file, read from a medium and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The key.
    pub public: PublicKey,
    /// The certificate in PEM, where the key came in one.
    pub certificate: Option<String>,
    /// The holder that the enrolment's statement names, if it has one.
    pub holder: Option<Person>,
    /// The possession statement's digest in the record, if the file has one that verifies.
    pub statement: Option<Digest>,
}

/// What a ceremony may know.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The trust.
    pub trust: Trust,
    /// The limits in force, with the number and digest of their file.
    pub limits: super::limits::Limits,
    /// SHA-256 of that file.
    pub limits_file: Digest,
    /// Every key in the record, by name.
    pub keys: BTreeMap<KeyName, KeyRecord>,
    /// The trusted root chain, version 1 (or the adopted one) first; empty before the first day.
    pub roots: Vec<Trusted>,
    /// The newest trusted targets and delegation documents, by role.
    pub documents: BTreeMap<RoleName, Trusted>,
    /// The anchor that a person gave, if any.
    pub anchor: Option<Anchor>,
    /// Enrolment files at hand, by the name that a runbook gives the key.
    pub enrolments: BTreeMap<KeyName, Enrolment>,
    /// One's own keys; any other key is elsewhere, which is no error.
    pub devices: BTreeMap<KeyName, Device>,
    /// Today, by the host's clock or a person.
    pub today: Time,
    /// The payload digest of every document, new or old, that met its thresholds: sealed here, or
    /// observed elsewhere.
    pub history: BTreeSet<Digest>,
    /// Every verified signature of a key over a document, to tell forks by.
    pub signed: Vec<SignedBefore>,
}

/// A signature that the record holds, over a document of some change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBefore {
    /// Whose.
    pub key: KeyIdentity,
    /// Of which role.
    pub role: RoleName,
    /// Which version.
    pub version: u64,
    /// What was signed.
    pub payload: Digest,
    /// Whether its change has a withdrawal that counts.
    pub withdrawn: bool,
    /// Whether it was seen at the backend.
    pub published: bool,
}

impl Facts {
    /// The newest trusted root.
    pub fn root(&self) -> Option<&Root> {
        self.roots.last().and_then(|d| d.document().as_root())
    }
}
