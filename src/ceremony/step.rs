//! Steps: one thing asked, closed by who acts. Each has three renderings: screen, paper, outcome.

pub use super::rendering::{Blank, Expect, Line, PaperRow, Prompt};

use super::ceasing;
use super::change::{Change, Item, NewCertificate, NewKey, NewShares, RestoredKey};
use super::facts::Facts;
use super::people::{KeyName, Person};
use super::rehearsed::speaks_for;
use super::unmade;
use crate::tuf::diff;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use std::collections::BTreeMap;

/// The permanent name of a step within its ceremony: `sign.root-a.1`. Answers files use it; in a
/// session of several runbooks it stands in the table of the runbook's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub String);

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// Whose turn it is.
    pub actor: Option<Person>,
    /// What is done.
    pub act: Act,
}

/// What is done, by who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A person reads, compares, answers or agrees.
    Person(PersonAct),
    /// A token makes, signs or destroys.
    Token(TokenAct),
    /// A medium is read or written.
    Medium(MediumAct),
    /// The record takes something in.
    Record(RecordAct),
    /// A secret is shown to one person, or read back by them.
    Secret(SecretAct),
}

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonAct {
    /// Reads these lines.
    Show {
        /// What it is about.
        title: String,
        /// Already safe to show.
        lines: Vec<String>,
    },
    /// Says a digest aloud, in words, while another compares it with paper or a second screen.
    ReadBack {
        /// What it is the digest of.
        what: String,
        /// The digest.
        digest: Digest,
    },
    /// The same of a key that an earlier step of this ceremony makes: a named template.
    ReadBackKey {
        /// The record's name.
        key: KeyName,
    },
    /// Agrees to the change, by typing.
    Confirm {
        /// The digest of `change.json`.
        change: Digest,
        /// How.
        how: Confirmation,
    },
    /// Answers a site's own question (`[[before]]`, `[[after]]`).
    Note {
        /// As the runbook has it.
        question: String,
        /// Whether the answer goes into the sidecar only, salted in the transcript.
        private: bool,
    },
    /// Witnesses the transcript so far: by a key of their own, or by typing their name after
    /// copying the words to paper.
    Witness {
        /// Whose key signs the head, if they have one in the record.
        key: Option<KeyName>,
    },
}

/// How a change is agreed to. In an answers file the answer is always the full digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Three words of the digest, at places drawn by chance: for a change of root.
    Words,
    /// The word `Yes`, exactly.
    Yes,
}

/// What a token does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenAct {
    /// Makes a key, proves its possession and, where asked, signs its certificate.
    Generate(NewKey),
    /// Signs a new certificate for a key that it holds.
    Certify(NewCertificate),
    /// Signs one payload of the change.
    Sign {
        /// Which item of the change.
        item: usize,
        /// Which of the keys asked.
        key: KeyName,
    },
    /// Hands over its audit log.
    Drain {
        /// The key whose token it is.
        key: KeyName,
    },
    /// Destroys a private key.
    Destroy {
        /// Which.
        key: KeyName,
    },
    /// Lets a key out, wrapped.
    Copy {
        /// Which.
        key: KeyName,
        /// Under which wrap key.
        wrap_key: KeyName,
        /// The digest of the manifest of its shares; none where the change deals them out.
        shares: Option<Digest>,
    },
    /// Takes a key in that left another token.
    Restore(RestoredKey),
}

/// What happens with a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumAct {
    /// Hand what someone needs to them.
    Export {
        /// Who.
        recipient: Person,
    },
}

/// What the record takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordAct {
    /// An enrolled key, by the item's number.
    TakeKey {
        /// Which item of the change.
        item: usize,
    },
    /// Seals every document of the change, once all thresholds are met.
    Seal,
    /// Writes what goes to the backend.
    Upload,
}

/// What happens with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretAct {
    /// Makes a wrap key and deals it out: one custodian after the other sees their card and types it
    /// back. One step, since a dealing that was cut off begins anew.
    Deal(NewShares),
}

/// Every step of a change: agree, take in what comes in, sign, finish.
pub fn of(change: &Change, facts: &Facts) -> Vec<Step> {
    let mut steps = agreement(change, facts);
    steps.extend(coming_in(change, facts));
    steps.extend(signatures(change));
    steps.extend(finish(change, facts));
    steps
}

/// Show the change, read its digest back, agree to it: what everyone does before a token is
/// touched, in any copy.
pub fn agreement(change: &Change, facts: &Facts) -> Vec<Step> {
    let digest = change.digest();
    let root = speaks_for(change).contains(&RoleName::Root);
    let how = if root { Confirmation::Words } else { Confirmation::Yes };
    let lines = change.summary.iter().cloned().chain(difference(change, facts)).collect();
    let acts = [
        ("show", PersonAct::Show { title: change.frame.title.clone(), lines }),
        ("read-back", PersonAct::ReadBack { what: "the change".to_owned(), digest }),
        ("confirm", PersonAct::Confirm { change: digest, how }),
    ];
    acts.map(|(id, act)| Step::new(id, change.administrator(), Act::Person(act))).into()
}

/// What every document of the change makes different, in words.
pub fn difference(change: &Change, facts: &Facts) -> Vec<String> {
    let mut known = BTreeMap::new();
    for key in facts.keys.values() {
        known.entry(key.public.identity()).or_insert(key);
    }
    let name = |identity| known.get(&identity).map(|key| format!("{} of {}", key.name, key.holder));
    let words = |new: &MetadataPayload| {
        let old = facts.newest(new.role()).map(Trusted::payload);
        diff::words(old, new, &name)
    };
    let mut lines: Vec<String> = change.documents().flat_map(words).collect();
    lines.extend(unmade::lines(change, facts, &name));
    lines.extend(ceasing::lines(change, facts));
    lines
}

/// What comes into the record or goes: keys made, enrolled, certified, destroyed.
pub fn coming_in(change: &Change, facts: &Facts) -> Vec<Step> {
    let leader = change.administrator();
    let holder = |key: &KeyName| facts.keys.get(key).map(|record| &record.holder);
    let mut steps = Vec::new();
    for (at, item) in change.items.iter().enumerate() {
        match item {
            Item::NewKey(new) => {
                let act = Act::Token(TokenAct::Generate(new.clone()));
                steps.push(Step::new(&format!("generate.{}", new.name), Some(&new.holder), act));
                let act = Act::Person(PersonAct::ReadBackKey { key: new.name.clone() });
                steps.push(Step::new(&format!("read-back.{}", new.name), Some(&new.holder), act));
            }
            Item::EnrolledKey(key) => {
                let what = format!("the public key {} of {}", key.name, key.holder);
                let digest = key.public.identity().digest();
                let act = Act::Person(PersonAct::ReadBack { what, digest });
                steps.push(Step::new(&format!("read-back.{}", key.name), leader, act));
                let act = Act::Record(RecordAct::TakeKey { item: at });
                steps.push(Step::new(&format!("enrol.{}", key.name), leader, act));
            }
            Item::Certificate(new) => {
                let act = Act::Token(TokenAct::Certify(new.clone()));
                steps.push(Step::new(&format!("certify.{}", new.key), holder(&new.key), act));
            }
            Item::DestroyedKey { key, .. } => {
                let act = Act::Token(TokenAct::Destroy { key: key.clone() });
                steps.push(Step::new(&format!("destroy.{key}"), holder(key), act));
            }
            Item::Shares(new) => {
                let act = Act::Secret(SecretAct::Deal(new.clone()));
                steps.push(Step::new(&format!("deal.{}", new.wrap_key), leader, act));
            }
            Item::KeyCopy { key, wrap_key, shares, .. } => {
                let act = TokenAct::Copy { key: key.clone(), wrap_key: wrap_key.clone(), shares: *shares };
                steps.push(Step::new(&format!("copy.{key}"), holder(key), Act::Token(act)));
            }
            Item::Restored(back) => {
                let act = Act::Token(TokenAct::Restore(back.clone()));
                steps.push(Step::new(&format!("restore.{}", back.key), holder(&back.key), act));
            }
            Item::Document { .. } | Item::Statement { .. } => {}
        }
    }
    steps
}

/// One step for every payload that a key is asked to sign; all that one key signs stands together,
/// so that its holder comes forward once.
pub fn signatures(change: &Change) -> Vec<Step> {
    let mut keys: Vec<(&KeyName, &Person)> = Vec::new();
    for ask in change.items.iter().flat_map(Item::asked) {
        if !keys.iter().any(|(key, _)| **key == ask.key) {
            keys.push((&ask.key, &ask.holder));
        }
    }
    let mut steps = Vec::new();
    for (key, holder) in keys {
        for (item, signed) in change.items.iter().enumerate() {
            if signed.asked().iter().any(|ask| ask.key == *key) {
                let act = Act::Token(TokenAct::Sign { item, key: key.clone() });
                steps.push(Step::new(&format!("sign.{key}.{item}"), Some(holder), act));
            }
        }
    }
    steps
}

/// Seal, and write the upload, for a change that has something to sign. In profile `tuf` the upload
/// comes later, since the backend's tree is complete only with a new snapshot.
pub fn finish(change: &Change, facts: &Facts) -> Vec<Step> {
    let leader = change.administrator();
    let mut steps = Vec::new();
    if change.items.iter().any(|item| item.payload_bytes().is_some()) {
        steps.push(Step::new("seal", leader, Act::Record(RecordAct::Seal)));
    }
    if change.documents().next().is_some() && facts.trust.profile == Profile::Notary {
        steps.push(Step::new("upload", leader, Act::Record(RecordAct::Upload)));
    }
    steps
}

impl Step {
    /// A step.
    pub fn new(id: &str, actor: Option<&Person>, act: Act) -> Self {
        Self { id: StepId(id.to_owned()), actor: actor.cloned(), act }
    }
}
