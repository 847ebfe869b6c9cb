//! Facts: what a ceremony may know. Plain data that the record layer fills in.

use super::attestation::Verdict;
use super::backups::Copies;
use super::ceasing::Declared;
use super::change::{Possession, Purpose};
use super::conflict::Conflict;
use super::overtaken::Overtaken;
use super::people::{KeyName, Person};
use super::proposal::Proposal;
use super::rules;
pub use crate::tuf::chain::Anchor;
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{Algorithm, KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, TrustId};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

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
    /// The trust that this one rehearses.
    pub shadows: Option<TrustId>,
    /// The first root of an adopted history; none where root 1 is made here.
    pub start: Option<Anchor>,
}

/// Practice or the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Throw-away keys; stamped everywhere, uploaded to loopback only.
    Rehearsal,
    /// The real thing.
    Production,
}

impl Stage {
    /// The word in `trust.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rehearsal => "rehearsal",
            Self::Production => "production",
        }
    }
}

impl FromStr for Stage {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Rehearsal, Self::Production].into_iter().find(|s| s.name() == text).ok_or_else(|| {
            Refusal::new(&rules::STAGE, format!("\"{}\"", visible(text)), "production or rehearsal")
        })
    }
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

impl KeyRecord {
    /// Whether it can be asked to sign: it is neither lost nor stolen nor destroyed.
    pub fn can_sign(&self) -> bool {
        self.life.iter().all(|(event, _)| *event == KeyEvent::Retired)
    }
}

/// Where one of one's own keys is, from the device map and a look at the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The longest message in bytes that the token takes, where it is given the message itself; none
    /// is unknown, or any. See [`Facts::longest_message`].
    pub max_payload: Option<usize>,
    /// Whether no token holds it: an encrypted file, or a vault that keyrite can't look into.
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
    /// The key's name and purpose that the statement names, if it has one.
    pub named: Option<(KeyName, Purpose)>,
    /// The possession statement's digest in the record, if the file has one that verifies.
    pub statement: Option<Digest>,
}

/// As [`Facts::delegation_key`], while facts are still being read.
pub(crate) fn delegation_key<'a>(
    key: &KeyIdentity,
    records: impl IntoIterator<Item = &'a KeyRecord>,
    roots: &[Trusted],
) -> bool {
    let mut own = records.into_iter().filter(|record| record.public.identity() == *key).peekable();
    let in_root = |root: &Trusted| {
        let keys = root.document().as_root().map(|root| root.keys.values());
        keys.into_iter().flatten().any(|entry| entry.public.as_ref().is_some_and(|p| p.identity() == *key))
    };
    own.peek().is_some()
        && own.all(|record| record.purpose == Purpose::Delegation)
        && !roots.iter().any(in_root)
}

/// How many versions a document may lie above those that clients are known to have had and still
/// count: anyone can write a change into a record that holds a document of a revoked key, of any
/// version, and the next one must come after what our own ceremonies have made and not been seen with.
pub const MADE_AHEAD: u64 = 64;

/// What the backend had of a delegation.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The document.
    pub document: Trusted,
    /// When it was asked, as who imported its answer said.
    pub at: Time,
    /// Those that the record has of the versions between that one and the newest, oldest first.
    pub since: Vec<Trusted>,
}

/// Targets documents, one after another, that no change of the record made.
#[derive(Debug, Clone)]
pub struct Unmade {
    /// The last one before them that a change made; none where the record has none so old.
    pub before: Option<Trusted>,
    /// The last of them.
    pub last: Trusted,
}

/// What a ceremony may know.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The trust.
    pub trust: Trust,
    /// The limits in force.
    pub limits: super::limits::Limits,
    /// The number of their file.
    pub limits_number: u64,
    /// The digest of that file.
    pub limits_file: Digest,
    /// Every key in the record, by name.
    pub keys: BTreeMap<KeyName, KeyRecord>,
    /// What is proven of each key that a device attests; of any other nothing is.
    pub attested: BTreeMap<KeyName, Verdict>,
    /// Wrap keys, and the copies of keys under them.
    pub copies: Copies,
    /// The trusted root chain, version 1 (or the adopted one) first; empty before the first day.
    pub roots: Vec<Trusted>,
    /// The newest trusted targets and delegation documents, by role.
    pub documents: BTreeMap<RoleName, Trusted>,
    /// The newest document of each delegation that a former delegator vouched for, where today's
    /// does so no longer: what clients had, and where versions go on (notary-v1 4.2).
    pub unvouched: BTreeMap<RoleName, Trusted>,
    /// By delegation, the highest version that a change of the record made of it, where that is not
    /// far above what clients are known to have had ([`MADE_AHEAD`]): the backend may have it.
    pub reached: BTreeMap<RoleName, u64>,
    /// What the backend was last seen with of each delegation, before the newest: what came since is
    /// what a stolen key may have signed. For the eye alone, since receipts prove nothing; no change
    /// rests on it.
    pub earlier: BTreeMap<RoleName, Earlier>,
    /// Targets documents that no change of the record made, oldest first: where a thief of the targets
    /// keys would have put what they wanted ([`super::unmade`]). For the eye; a change rests on it only
    /// where its runbook says which version goes on.
    pub unmade: Vec<Unmade>,
    /// Documents of delegations, by payload, that were sealed in this copy and lost their version to a
    /// colleague's: no part of the history.
    pub overtaken: BTreeMap<Digest, Overtaken>,
    /// Delegations that a former document listed and no newest one does: those that were revoked.
    pub revoked: BTreeSet<RoleName>,
    /// The anchor that a person gave, if any.
    pub anchor: Option<Anchor>,
    /// Enrolment files at hand, by the name that a runbook gives the key.
    pub enrolments: BTreeMap<KeyName, Enrolment>,
    /// One's own keys; any other key is elsewhere, which is no error.
    pub devices: BTreeMap<KeyName, Device>,
    /// Who is away until when, as the device map's owner knows: for plans and for the eye.
    pub away: BTreeMap<Person, Time>,
    /// Today, by the host's clock or a person.
    pub today: Time,
    /// When each key last answered a roll-call: its signature over one is in the record, and the date
    /// is the change's.
    pub roll_calls: BTreeMap<KeyIdentity, Time>,
    /// The payload digest of every document, old or new, that met its thresholds here or elsewhere,
    /// and of every statement that is in force.
    pub history: BTreeSet<Digest>,
    /// Those of them that the backend serves or has served.
    pub published: BTreeSet<Digest>,
    /// The record's changes that people sign, by digest: what can be withdrawn.
    pub proposals: BTreeMap<Digest, Proposal>,
    /// Files that stand for one thing and differ, by what they stand for: `keys/root-d`; decided or not.
    pub conflicts: BTreeMap<String, Conflict>,
    /// Keys of delegations that no newest document lists, that targets keys have declared lost or stolen,
    /// and root has not; without those that published documents list, of which that word stays. For the
    /// plan and for the eye: no item of a change rests on it, since who has stolen a targets key says
    /// what they like ([`super::ceasing`]).
    pub said_by_targets: BTreeMap<KeyIdentity, Vec<Declared>>,
}

impl Facts {
    /// The newest trusted root.
    pub fn root(&self) -> Option<&Root> {
        self.roots.last().and_then(|d| d.document().as_root())
    }

    /// The longest message in bytes that the token of one's own key takes, if there is a limit.
    ///
    /// Ed25519 signs the message itself (RFC 8032), RSA on some tokens; for ECDSA the token is given
    /// a digest that is made on the host, so no message is too long.
    pub fn longest_message(&self, name: &KeyName, algorithm: Algorithm) -> Option<usize> {
        let whole = matches!(algorithm, Algorithm::Ed25519 | Algorithm::Rsa);
        self.devices.get(name).and_then(|device| device.max_payload).filter(|_| whole)
    }

    /// The newest trusted document of a role, root included.
    pub fn newest(&self, role: &RoleName) -> Option<&Trusted> {
        if *role == RoleName::Root { self.roots.last() } else { self.documents.get(role) }
    }

    /// Whether limits say that clients of that root are no longer in the field: never of the newest,
    /// which first limits may lie above. There would be no client left for whom a change is judged.
    pub fn given_up(&self, root: u64) -> bool {
        self.limits.given_up(root) && self.roots.last().is_some_and(|newest| root < newest.version())
    }

    /// Every delegation that the newest documents list, and so may have a document.
    pub fn delegations(&self) -> BTreeSet<RoleName> {
        let lists = self.documents.values().filter(|d| d.delegates());
        let lists = lists.filter_map(|d| d.document().as_targets());
        lists.flat_map(|targets| &targets.delegations.roles).map(|role| role.name.clone()).collect()
    }

    /// Whether a key of the record is a delegation's and no root has ever listed it: the targets keys
    /// alone may then say what became of it.
    pub fn delegation_key(&self, key: &KeyIdentity) -> bool {
        delegation_key(key, self.keys.values(), &self.roots)
    }

    /// The newest document of a role that clients were ever to have, vouched for today or not.
    pub fn last(&self, role: &RoleName) -> Option<&Trusted> {
        let (today, before) = (self.newest(role), self.unvouched.get(role));
        today.into_iter().chain(before).max_by_key(|d| d.version())
    }

    /// The version that comes after every one that a role has had: a delegation that was revoked
    /// and comes back goes on from its last (notary-v1 4.2).
    pub fn next_version(&self, role: &RoleName) -> u64 {
        let reached = self.reached.get(role).copied().unwrap_or_default();
        self.last(role).map_or(0, Trusted::version).max(reached).saturating_add(1)
    }

    /// The key with which a person signs transcript heads, if the record has one that is alive.
    pub fn witness_key(&self, person: &Person) -> Option<&KeyRecord> {
        let fits = |key: &&KeyRecord| {
            key.purpose == Purpose::Witness && key.holder == *person && key.life.is_empty()
        };
        self.keys.values().find(fits)
    }

    /// What a `limits` statement binds the trust to: SHA-256 over the payload digests of every root
    /// of the record, and of `next` if the statement is to be signed by a root still to come.
    pub fn chain(&self, next: Option<Digest>) -> Digest {
        let roots = self.roots.iter().map(|root| root.payload().digest()).chain(next);
        let bytes: Vec<u8> = roots.flat_map(|digest| *digest.as_bytes()).collect();
        Digest::of(&bytes)
    }
}
