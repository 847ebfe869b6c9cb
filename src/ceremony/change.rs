//! Changes: what people agree on at once. Sealed whole or not at all.
//!
//! `change.json` lists every payload by digest and every key that is asked; its own digest is what
//! people compare and confirm. Nothing is signed that it does not list. Later ceremonies are made
//! of the same five items, so the executor, `sign`, `import` and `status` know no kinds.

use super::people::{Duty, KeyName, Person};
use crate::tuf::digest::Digest;
use crate::tuf::key::{KeyIdentity, KeySpec, PublicKey, Scheme};
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{Statement, TrustId};
use crate::tuf::time::Time;
use std::collections::BTreeMap;

/// What is fixed when a plan is frozen, whatever the kind: the caller fills it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The kind's word: `create-root`.
    pub kind: String,
    /// The runbook's title.
    pub title: String,
    /// Who takes part.
    pub people: BTreeMap<Person, Duty>,
    /// SHA-256 of the runbook's bytes.
    pub runbook: Digest,
    /// What all dates in the content are counted from.
    pub held_at: Time,
    /// After this moment nobody signs the change any more.
    pub sign_by: Time,
    /// 16 random bytes that make this change another one than last year's of the same runbook,
    /// and from which key tags are derived.
    pub nonce: [u8; 16],
}

/// The documents that a change starts from. If one has moved meanwhile, the change is refused
/// (`BASE-MOVED`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// By role: version and payload digest of the newest trusted document.
    pub documents: BTreeMap<RoleName, (u64, Digest)>,
}

/// What people agree on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Kind, people, dates, runbook.
    pub frame: Frame,
    /// The trust that it changes.
    pub trust: TrustId,
    /// What it starts from.
    pub base: Base,
    /// SHA-256 of the limits file that it was checked against.
    pub limits: Digest,
    /// What is made and signed, in order.
    pub items: Vec<Item>,
    /// What becomes of it, in words, one line each: the difference that was shown.
    pub summary: Vec<String>,
}

/// One thing that a change makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A document to be signed.
    Document {
        /// Its bytes and view.
        payload: MetadataPayload,
        /// Who is asked.
        asked: Vec<Ask>,
    },
    /// A statement to be signed.
    Statement {
        /// Its bytes and meaning.
        payload: Statement,
        /// Who is asked.
        asked: Vec<Ask>,
    },
    /// A key to be made on a token, with its named templates.
    NewKey(NewKey),
    /// A public key to be taken into the record.
    EnrolledKey(EnrolledKey),
    /// A private key to be destroyed on its token (`retire-key`).
    DestroyedKey {
        /// Which.
        key: KeyName,
        /// Its identity.
        identity: KeyIdentity,
    },
}

/// One key that is asked to sign one payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The record's name.
    pub key: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// The public key.
    pub public: PublicKey,
    /// How the document's entry says it signs.
    pub scheme: Scheme,
    /// Which thresholds its signature counts for.
    pub counts: Vec<Counts>,
}

/// A threshold that a signature counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// The root before (TUF 5.3.4: old keys).
    Old,
    /// The root itself, or the role as its delegator lists it.
    New,
    /// None: an older root's key that lets stale clients jump (notary-v1 5).
    Historic,
    /// None: the key speaks for itself alone (roll-call, possession, its own end).
    Itself,
}

/// A key to be made on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The record's name; also the object's label on the token.
    pub name: KeyName,
    /// Who will hold it.
    pub holder: Person,
    /// What it is for.
    pub purpose: Purpose,
    /// What kind of key.
    pub spec: KeySpec,
    /// The certificate that it is to sign over itself, in profile `notary` for root keys.
    pub certificate: Option<CertificateTemplate>,
}

/// The certificate of a key that does not exist yet: all but the key (notary-v1 5, 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTemplate {
    /// The collection.
    pub common_name: String,
    /// 16 bytes, positive.
    pub serial: [u8; 16],
    /// A day before `held-at`.
    pub not_before: Time,
    /// 10 years later.
    pub not_after: Time,
}

/// A public key that comes from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    /// The record's name.
    pub name: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// What it is for.
    pub purpose: Purpose,
    /// The key.
    pub public: PublicKey,
    /// The certificate in PEM, where the key came in one.
    pub certificate: Option<String>,
    /// How its possession is shown.
    pub possession: Possession,
}

/// What a key is for. One public key never serves root and another role, nor a backend role and
/// any other (`KEY-TWO-ROLES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The root role.
    Root,
    /// The top-level targets role.
    Targets,
    /// An application's delegation.
    Delegation,
    /// The snapshot role.
    Snapshot,
    /// The timestamp role.
    Timestamp,
    /// Signs transcript heads.
    Witness,
}

/// How it is known that a key's holder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Possession {
    /// A possession statement, signed by the key: its digest in the record.
    Proved(Digest),
    /// The first document that it signs and that clients accept.
    ByFirstPublication,
    /// A backend's key: its digest is read back by people.
    BackendReadBack,
}

impl Change {
    /// `change.json`: canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }

    /// SHA-256 of `change.json`: what people confirm and what the folder is named by.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// The payload of item `n`, for `<n>.payload.json`, and for the items that have one.
    pub fn payload(&self, item: usize) -> Option<Payload> {
        match self.items.get(item)? {
            Item::Document { payload, .. } => Some(Payload::Metadata(payload.clone())),
            Item::Statement { payload, .. } => Some(Payload::Statement(payload.clone())),
            _ => None,
        }
    }

    /// Who is asked to sign item `n`.
    pub fn asked(&self, item: usize) -> &[Ask] {
        match self.items.get(item) {
            Some(Item::Document { asked, .. } | Item::Statement { asked, .. }) => asked,
            _ => &[],
        }
    }

    /// Reads a change as the record holds it. `payloads` are the bytes of `<n>.payload.json` by n.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `CHANGE-RUNBOOK` and `CHANGE-PAYLOAD` for bytes of another
    /// digest, and whatever the payloads' own readers refuse.
    pub fn from_json(
        _change: &[u8],
        _runbook: &[u8],
        _payloads: &BTreeMap<usize, Vec<u8>>,
        _profile: Profile,
    ) -> Result<Self> {
        todo!()
    }

    /// The `CKA_ID` under which a new key of this change is made: the first 16 bytes of SHA-256
    /// over `<sha of change.json>:<name>`. A ceremony that was cut off finds its own key by it.
    pub fn tag(&self, key: &KeyName) -> [u8; 16] {
        let text = format!("{}:{key}", self.digest());
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(Digest::of(text.as_bytes()).as_bytes()) {
            *to = *from;
        }
        id
    }
}
