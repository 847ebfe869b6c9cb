//! Steps: one thing asked, closed by who acts. Each has three renderings: screen, paper, outcome.

use super::change::NewKey;
use super::people::{KeyName, Person};
use crate::tuf::digest::Digest;

/// The permanent name of a step within its ceremony: `sign.root-a.1`. Answers files use it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub String);

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

/// What happens with a secret (shares of a backup; issue of its own).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretAct {
    /// Shows one share to one custodian.
    Show {
        /// The share's number, from 1.
        share: u8,
    },
    /// Has it typed back before the next is shown.
    ReadBack {
        /// The share's number, from 1.
        share: u8,
    },
}
