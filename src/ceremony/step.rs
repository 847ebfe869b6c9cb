//! Steps: one thing asked, closed by who acts. Each has three renderings: screen, paper, outcome.

use super::change::{Change, NewKey};
use super::facts::Facts;
use super::people::{KeyName, Person};
use crate::tuf::digest::Digest;

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
        /// The digest, or the name of the key that an earlier step makes.
        digest: Spoken,
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

/// A digest that is said aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// Known when the plan is frozen.
    Digest(Digest),
    /// The identity of a key that an earlier step of this ceremony makes: a named template.
    NewKey(KeyName),
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

/// One line of a step on the screen. The text is already safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// What the step is.
    Title(String),
    /// A sentence, a difference.
    Text(String),
    /// Something to do now, by whom.
    Do(String),
    /// A digest, to be shown in hexadecimal and in words.
    Digest {
        /// What it is the digest of.
        what: String,
        /// The digest.
        digest: Digest,
    },
}

/// One row of the printed script; the screen's columns for initials and time come from the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperRow {
    /// The step's name.
    pub id: StepId,
    /// Who acts; empty for the program.
    pub who: String,
    /// What they do, one sentence.
    pub what: String,
    /// More lines below it.
    pub lines: Vec<String>,
    /// A digest to print in hexadecimal and words.
    pub digest: Option<Digest>,
    /// What is written into a blank by hand: `the digest in words`.
    pub blank: Option<String>,
}

/// A question that a step asks: all of them are known before the first is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The step's name.
    pub id: StepId,
    /// Who is asked.
    pub who: Option<Person>,
    /// The question, one line.
    pub meaning: String,
    /// What may be answered.
    pub expect: Expect,
}

/// What may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Agreement to a digest: in a file the full digest, at the terminal words or `Yes`.
    Agree {
        /// The digest of `change.json`.
        digest: Digest,
        /// How at the terminal.
        how: Confirmation,
    },
    /// `same`, exactly, once a digest has been compared.
    Same,
    /// A text, not empty, visible.
    Text,
    /// This text, exactly.
    Exactly(String),
    /// One of these words.
    Choice(Vec<String>),
}

impl Step {
    /// What the screen shows.
    pub fn screen(&self, _change: &Change, _facts: &Facts) -> Vec<Line> {
        todo!()
    }

    /// What the printed script shows.
    pub fn paper(&self, _change: &Change, _facts: &Facts) -> PaperRow {
        todo!()
    }

    /// What it asks, if it asks anything. PINs and touches are asked by tokens, never here.
    pub fn prompt(&self) -> Option<Prompt> {
        todo!()
    }
}

/// Show the change, read its digest back, agree to it: what stands before every signature.
pub fn agreement(_change: &Change) -> Vec<Step> {
    todo!()
}

/// One step for every key that the change asks, in the order of its items.
pub fn signatures(_change: &Change) -> Vec<Step> {
    todo!()
}

/// Seal, and write the upload: for a change that has documents; else nothing.
pub fn finish(_change: &Change) -> Vec<Step> {
    todo!()
}
