//! Changes: what people agree on at once. Sealed whole or not at all.
//!
//! `change.json` lists every payload by digest and every key that is asked; its own digest is what
//! people compare and confirm. Nothing is signed that it does not list. Later ceremonies are made
//! of the same six items, so the executor, `sign`, `import` and `status` know no kinds.
//!
//! A change follows from the runbook's bytes, the frame and the facts alone, never from today or
//! from whose devices are at hand: whoever signs computes it again (`CHANGE-RECOMPUTED`).

use super::backups::Digits;
use super::facts::Facts;
use super::members::Reader;
use super::people::{Duty, KeyName, Person};
use super::tool_split::ToolSplit;
use super::transcript::CeremonyId;
use super::{change_json, rules};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, Keys};
use crate::tuf::json::Json;
use crate::tuf::key::{KeyIdentity, KeySpec, PublicKey, Scheme};
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement, TrustId};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

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
    /// 32 random bytes that make this change another one than last year's of the same runbook.
    pub nonce: [u8; 32],
    /// The rehearsal of the same runbook that limits demand, if one was held.
    pub rehearsal: Option<Rehearsal>,
}

impl Frame {
    /// What a key signs that answers a roll-call: SHA-256 of `<nonce>:<held-at>`, so that its answer
    /// has a date that no other change can give it.
    pub fn roll_call(&self) -> Digest {
        let text = format!("{}:{}", base16ct::lower::encode_string(&self.nonce), self.held_at);
        Digest::of(text.as_bytes())
    }
}

/// A rehearsal that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rehearsal {
    /// The rehearsal's trust, which shadows this one.
    pub trust: TrustId,
    /// Its ceremony.
    pub ceremony: CeremonyId,
    /// The digest of that transcript's last entry.
    pub head: Digest,
}

/// The documents that a change starts from. If one has moved meanwhile, the change is refused
/// (`BASE-MOVED`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// By role: version and payload digest of the newest trusted document.
    pub documents: BTreeMap<RoleName, (u64, Digest)>,
}

/// The limits that a change was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsFile {
    /// The file's number.
    pub number: u64,
    /// The file's digest.
    pub sha: Digest,
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
    /// The limits in force.
    pub limits: LimitsFile,
    /// The key file of every key of the record that a document of the change lists.
    pub keys: BTreeMap<KeyName, Digest>,
    /// What is made and signed, in order.
    pub items: Vec<Item>,
    /// What becomes of it, in the proposer's words, one line each, safe to show.
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
    /// A new certificate for a key that the record has.
    Certificate(NewCertificate),
    /// A private key to be destroyed on its token (`retire-key`).
    DestroyedKey {
        /// Which.
        key: KeyName,
        /// Its identity.
        identity: KeyIdentity,
    },
    /// A wrap key to be made and dealt out in shares (`back-up`).
    Shares(NewShares),
    /// A key to leave its token, wrapped (`back-up`).
    KeyCopy {
        /// Which.
        key: KeyName,
        /// Its identity.
        identity: KeyIdentity,
        /// Under which wrap key.
        wrap_key: KeyName,
        /// The digest of the manifest of its shares; none where this very change deals them out.
        shares: Option<Digest>,
    },
    /// A key to come back on another token (`restore`).
    Restored(RestoredKey),
}

/// A wrap key to be made and dealt out in shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShares {
    /// Its name in the record and on tokens.
    pub wrap_key: KeyName,
    /// In a person's words, as on the cards.
    pub title: String,
    /// How many shares bring it back.
    pub needed: u8,
    /// Who holds which share, from the first.
    pub holders: Vec<Person>,
}

/// A key to come back on another token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredKey {
    /// The record's name.
    pub key: KeyName,
    /// Its identity.
    pub identity: KeyIdentity,
    /// Under which wrap key its copy is.
    pub wrap_key: KeyName,
    /// The copy, and what brings the wrap key back.
    pub from: CopyFrom,
    /// The digest of the key file that the new one stands for.
    pub replaces: Digest,
}

/// A copy of a key, and what brings back the wrap key that it is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFrom {
    /// As `back-up` made them.
    Cards {
        /// The digest of the manifest of the cards.
        shares: Digest,
        /// The digest of the copy's file.
        copy: Digest,
    },
    /// As another tool made them, of which no transcript tells.
    Tool {
        /// The tool's shares.
        split: ToolSplit,
        /// The first digits of the digest of the file of what left the token.
        copy: Digits,
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
    /// How the document's entry says it signs; a statement by [`Scheme::of`] the key.
    pub scheme: Scheme,
    /// Which thresholds its signature counts for; none where the key speaks for itself alone.
    pub counts: Vec<Counts>,
}

/// A threshold that a signature counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// The root before (TUF 5.3.4: old keys).
    Old,
    /// The root itself, or the role as its delegator lists it; for a statement the newest root.
    New,
    /// None: the key of the older root of that version, which lets stale clients jump (notary-v1 5).
    Historic(u64),
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
    /// The wrap key under which it is to be able to leave its token; none for a key that never does.
    pub exportable_under: Option<KeyName>,
}

/// A new certificate for a key of the record, signed by that key (profile `notary`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// The record's name.
    pub key: KeyName,
    /// Its identity.
    pub identity: KeyIdentity,
    /// All but the key.
    pub template: CertificateTemplate,
    /// The digest of the key file that the new one stands for.
    pub replaces: Digest,
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

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 6] =
        [Self::Root, Self::Targets, Self::Delegation, Self::Snapshot, Self::Timestamp, Self::Witness];

    /// The word in runbooks and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Delegation => "delegation",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Witness => "witness",
        }
    }

    /// Whether such a key belongs into a role of the metadata.
    pub const fn is_of_a_role(self) -> bool {
        !matches!(self, Self::Witness)
    }
}

impl FromStr for Purpose {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|p| p.name() == text).ok_or_else(|| {
            Refusal::new(
                &rules::PURPOSE,
                format!("\"{}\"", visible(text)),
                "root, targets, delegation, snapshot, timestamp or witness",
            )
        })
    }
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
    /// It signed a document of an adopted history: the payload's digest.
    TrustedDocument(Digest),
}

impl Possession {
    /// As key files and changes have it.
    pub fn to_json(&self) -> Json {
        change_json::possession(self)
    }

    /// Reads it back, strictly.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER`.
    pub fn from_json(json: &Json) -> Result<Self> {
        change_json::read_possession(Reader::new("possession", json)?)
    }
}

impl Item {
    /// Who is asked to sign it.
    pub fn asked(&self) -> &[Ask] {
        match self {
            Self::Document { asked, .. } | Self::Statement { asked, .. } => asked,
            _ => &[],
        }
    }

    /// What is signed, if anything is.
    pub fn payload(&self) -> Option<Payload> {
        match self {
            Self::Document { payload, .. } => Some(Payload::Metadata(payload.clone())),
            Self::Statement { payload, .. } => Some(Payload::Statement(payload.clone())),
            _ => None,
        }
    }

    /// The bytes that are signed, if any are: `<n>.payload.json`.
    pub fn payload_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Document { payload, .. } => Some(payload.bytes()),
            Self::Statement { payload, .. } => Some(payload.bytes()),
            _ => None,
        }
    }

    /// SHA-256 of those bytes.
    pub fn payload_digest(&self) -> Option<Digest> {
        match self {
            Self::Document { payload, .. } => Some(payload.digest()),
            Self::Statement { payload, .. } => Some(Digest::of(payload.bytes())),
            _ => None,
        }
    }

    /// The document, if it is one.
    pub fn document(&self) -> Option<&MetadataPayload> {
        if let Self::Document { payload, .. } = self { Some(payload) } else { None }
    }

    /// In a few words, safe to show: `root 2`, `the limits statement`, `the new key root-a`.
    pub fn title(&self) -> String {
        match self {
            Self::Document { payload, .. } => format!("{} {}", payload.role(), payload.version()),
            Self::Statement { payload, .. } => format!("the {} statement", payload.kind()),
            Self::NewKey(new) => format!("the new key {}", new.name),
            Self::EnrolledKey(key) => format!("the key {}", key.name),
            Self::Certificate(new) => format!("the new certificate of {}", new.key),
            Self::DestroyedKey { key, .. } => format!("the end of the key {key}"),
            Self::Shares(new) => format!("the shares of the wrap key {}", new.wrap_key),
            Self::KeyCopy { key, .. } => format!("the copy of the key {key}"),
            Self::Restored(back) => format!("the restored key {}", back.key),
        }
    }
}

impl Change {
    /// A change of the facts' trust, under the limits in force; looks up which key files it uses.
    pub fn new(frame: &Frame, facts: &Facts, base: Base, items: Vec<Item>, summary: Vec<String>) -> Self {
        let listed: BTreeSet<_> = items.iter().filter_map(Item::document).flat_map(identities).collect();
        let used = facts.keys.values().filter(|k| listed.contains(&k.public.identity()));
        Self {
            frame: frame.clone(),
            trust: facts.trust.id,
            base,
            limits: LimitsFile { number: facts.limits_number, sha: facts.limits_file },
            keys: used.map(|k| (k.name.clone(), k.file)).collect(),
            items,
            summary,
        }
    }

    /// `change.json`: canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        change_json::write(self).canonical()
    }

    /// SHA-256 of `change.json`: what people confirm and what the folder is named by.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Reads a change as the record holds it. `payloads` are the bytes of `<n>.payload.json` by n.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `CHANGE-RUNBOOK` and `CHANGE-PAYLOAD` for bytes of another
    /// digest, and whatever the payloads' own readers refuse.
    pub fn from_json(
        change: &[u8],
        runbook: &[u8],
        payloads: &BTreeMap<usize, Vec<u8>>,
        profile: Profile,
    ) -> Result<Self> {
        change_json::read(change, runbook, payloads, profile)
    }

    /// Whether nothing is asked of anyone but to answer that a key is at hand.
    pub fn is_roll_call(&self) -> bool {
        let answers = |item: &Item| matches!(item, Item::Statement { payload, .. } if matches!(payload.sentence(), Sentence::RollCall { .. }));
        !self.items.is_empty() && self.items.iter().all(answers)
    }

    /// The documents, in order.
    pub fn documents(&self) -> impl Iterator<Item = &MetadataPayload> {
        self.items.iter().filter_map(Item::document)
    }

    /// Who leads.
    pub fn administrator(&self) -> Option<&Person> {
        let leads = |(_, duty): &(&Person, &Duty)| **duty == Duty::Administrator;
        self.frame.people.iter().find(leads).map(|(person, _)| person)
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

/// Every public key that a document lists.
fn identities(payload: &MetadataPayload) -> Vec<KeyIdentity> {
    let keys: &Keys = match payload.document() {
        Document::Root(root) => &root.keys,
        Document::Targets(targets) => &targets.delegations.keys,
        Document::Snapshot(_) | Document::Timestamp(_) => return Vec::new(),
    };
    keys.values().filter_map(|key| key.public.as_ref()).map(PublicKey::identity).collect()
}
