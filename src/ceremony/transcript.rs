//! Transcripts: one file per outcome, each naming the one before. Journal, resume point and
//! evidence in one.
//!
//! An entry is never changed; a correction is another entry (`exception`). A private value stands
//! only in a sidecar beside the copy where the ceremony was held; here is its salted digest, so a
//! redacted copy proves the same (threats T33, T34).

use super::facts::Stage;
use super::people::{KeyName, Person};
use super::rules;
use super::step::StepId;
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A ceremony's name: 16 bytes that the caller drew, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CeremonyId([u8; 16]);

/// One entry: what came of one step, or of the session itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// From 0.
    pub seq: u64,
    /// The digest of the entry before; none for the first.
    pub previous: Option<Digest>,
    /// When, by the host's clock or a person; never before the entry before.
    pub at: Time,
    /// Who acted; none where the program did on its own.
    pub by: Option<Person>,
    /// The change it belongs to; none for the session's own entries.
    pub change: Option<Digest>,
    /// The step it is the outcome of; none for the session's own entries.
    pub step: Option<StepId>,
    /// What came of it.
    pub outcome: Outcome,
    /// Commitments to what is kept private, by the name of the member that is left out.
    pub private: BTreeMap<String, Digest>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `begin`: a session starts.
    Begin(Box<Begin>),
    /// `intent`: a token is about to act.
    Intent {
        /// The record's name of the key.
        key: KeyName,
        /// Which token.
        token: TokenSeen,
        /// What it is about to do.
        what: Intent,
    },
    /// `show`: lines were shown.
    Show {
        /// About what.
        title: String,
        /// Safe to show.
        lines: Vec<String>,
    },
    /// `read-back`: a digest was said aloud and compared.
    ReadBack {
        /// What it is the digest of.
        what: String,
        /// The digest.
        digest: Digest,
    },
    /// `confirm`: the change was agreed to.
    Confirm {
        /// How.
        how: Confirmed,
        /// The digest of `change.json`.
        change: Digest,
    },
    /// `note`: a site's own question was answered.
    Note {
        /// As it was asked.
        question: String,
        /// As it was answered; none if the answer is private.
        answer: Option<String>,
    },
    /// `key`: a key was made, or adopted after a crash, and its record written.
    Key {
        /// The record's name.
        name: KeyName,
        /// The digest of its file in `keys/`.
        file: Digest,
        /// The key.
        identity: KeyIdentity,
        /// Whether it was found on the token after a crash.
        adopted: bool,
        /// Which token.
        token: TokenSeen,
    },
    /// `sign`: a signature was made, verified and recorded.
    Sign {
        /// The record's name of the key.
        key: KeyName,
        /// What was signed.
        payload: Digest,
        /// The digest of the signature's file.
        file: Digest,
        /// Which token.
        token: TokenSeen,
    },
    /// `enrol`: a public key was taken into the record.
    Enrol {
        /// The record's name.
        name: KeyName,
        /// The digest of its file in `keys/`.
        file: Digest,
        /// The key.
        identity: KeyIdentity,
    },
    /// `seal`: documents were sealed.
    Seal {
        /// By role: version and digest of the file in `metadata/`.
        documents: BTreeMap<RoleName, Sealed>,
    },
    /// `upload`: what goes to the backend was written.
    Upload {
        /// The digest of the MANIFEST.
        manifest: Digest,
    },
    /// `import`, `export`: files came in, or were handed out.
    Carried {
        /// Which way.
        way: Way,
        /// How many files, by folder of the record.
        files: BTreeMap<String, u64>,
        /// The digests of the statements among them.
        statements: Vec<Digest>,
    },
    /// `close`: the administrator ended the gathering of signatures with thresholds met.
    Close {
        /// The keys asked that have not signed, sorted.
        without: Vec<KeyName>,
    },
    /// `witness`: the transcript so far was witnessed.
    Witness {
        /// By whom.
        witness: Person,
        /// How.
        how: Witnessed,
    },
    /// `refuse`: a person said no.
    Refuse {
        /// In their words.
        reason: String,
    },
    /// `exception`: something went other than the script says.
    Exception {
        /// What.
        what: String,
    },
    /// `end`: the session ends.
    End {
        /// How it stands.
        state: EndState,
        /// Who is waited for, sorted.
        waiting: Vec<Person>,
    },
    /// An act that this keyrite doesn't know: chained, kept and shown; it never acts.
    Unknown {
        /// Its word.
        act: String,
        /// As it stands there; escape before showing.
        outcome: Json,
    },
}

/// What a token is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Make a key.
    Generate {
        /// The label on the token.
        label: String,
        /// The `CKA_ID`.
        id: [u8; 16],
    },
    /// Sign.
    Sign {
        /// What.
        payload: Digest,
    },
    /// Destroy the key.
    Destroy,
}

/// Which way files went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Into this copy of the record.
    In,
    /// Out of it.
    Out,
}

/// What a session starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The program's version.
    pub keyrite: String,
    /// SHA-256 of the program.
    pub binary: Digest,
    /// Who takes part, with the word for what they do.
    pub people: BTreeMap<Person, super::people::Duty>,
    /// Practice or the real thing.
    pub stage: Stage,
    /// The digests of the runbooks that it holds.
    pub runbooks: Vec<Digest>,
    /// The last file of every transcript in this copy that no `begin` names yet, sorted.
    pub heads: Vec<Digest>,
    /// What was found on the host, by name.
    pub host_checks: BTreeMap<String, String>,
}

/// Which token acted, as it said itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSeen {
    /// Empty if it has none.
    pub label: String,
    /// Empty if it has none.
    pub serial: String,
}

/// How a change was agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confirmed {
    /// Three words of the digest were typed.
    Words,
    /// `Yes` was typed.
    Yes,
    /// The answers file held the full digest.
    Digest,
}

/// A sealed document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its version.
    pub version: u64,
    /// The digest of its file.
    pub file: Digest,
}

/// How a transcript was witnessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// By a `transcript-head` statement in the record.
    Statement(Digest),
    /// By copying the head's words to paper: as they were typed back from it.
    Words(String),
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndState {
    /// Nothing is left to do.
    Done,
    /// Others are still needed.
    Waiting,
    /// Refused by a rule or a person.
    Refused,
}

/// What the next entry says, before the chain adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who acted.
    pub by: Option<Person>,
    /// The change it belongs to.
    pub change: Option<Digest>,
    /// The step it is the outcome of.
    pub step: Option<StepId>,
    /// What came of it.
    pub outcome: Outcome,
    /// What is kept private, by the name of the member that is left out.
    pub private: BTreeMap<String, Private>,
}

/// A private value with the 32 bytes that the caller drew for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// Random.
    pub salt: [u8; 32],
    /// The value.
    pub value: String,
}

/// One file of `transcripts/<ceremony>/`, as its name and bytes are.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// From the name.
    pub seq: u64,
    /// From the name.
    pub sha: Digest,
    /// The content.
    pub bytes: &'a [u8],
}

/// A transcript whose chain has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    ceremony: CeremonyId,
    entries: Vec<(Entry, Digest)>,
}

impl CeremonyId {
    /// Of random bytes that the caller drew.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for CeremonyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CeremonyId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 16];
        match base16ct::lower::decode(text.as_bytes(), &mut bytes) {
            Ok(read) if read.len() == 16 => Ok(Self(bytes)),
            _ => Err(Refusal::new(
                &rules::CEREMONY_ID,
                format!("\"{}\"", visible(text)),
                "32 lower-case hexadecimal digits",
            )),
        }
    }
}

impl Entry {
    /// The file's bytes: canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads a file of a transcript.
    ///
    /// # Errors
    ///
    /// `JSON`, `RECORD-FORMAT`, `RECORD-MEMBER` for an unknown member or act, or other bytes than
    /// [`Self::to_json`] writes.
    pub fn from_json(_bytes: &[u8]) -> Result<Self> {
        todo!()
    }
}

impl Transcript {
    /// A transcript without entries.
    pub const fn new(ceremony: CeremonyId) -> Self {
        Self { ceremony, entries: Vec::new() }
    }

    /// Reads a transcript and checks its whole chain; `heads` are what witnesses signed or wrote
    /// down, so that a cut or rewritten end is found too.
    ///
    /// # Errors
    ///
    /// `TRANSCRIPT-BROKEN` naming the first bad entry and why, `CLOCK` if time runs backwards.
    pub fn read(_ceremony: CeremonyId, _files: &[File<'_>], _heads: &[(u64, Digest)]) -> Result<Self> {
        todo!()
    }

    /// The ceremony.
    pub const fn ceremony(&self) -> CeremonyId {
        self.ceremony
    }

    /// The entries in order, each with the digest of its file.
    pub fn entries(&self) -> &[(Entry, Digest)] {
        &self.entries
    }

    /// The last entry's number and digest: what witnesses write down.
    pub fn head(&self) -> Option<(u64, Digest)> {
        self.entries.last().map(|(entry, digest)| (entry.seq, *digest))
    }

    /// Whether the last entry ends the session.
    pub fn ended(&self) -> bool {
        matches!(self.entries.last(), Some((Entry { outcome: Outcome::End { .. }, .. }, _)))
    }

    /// Adds an entry; returns the bytes of its file and, if it has private values, of its sidecar.
    ///
    /// # Errors
    ///
    /// `CLOCK` if `at` lies before the entry before, `TEXT` for text that would not be visible.
    pub fn append(&mut self, _at: Time, _said: Said) -> Result<Appended> {
        todo!()
    }
}

/// The files that one entry makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The number, for the file's name.
    pub seq: u64,
    /// The digest, for the file's name.
    pub sha: Digest,
    /// The content.
    pub bytes: Vec<u8>,
    /// The content of `private/<ceremony>/<seq>.json`, written before the entry itself.
    pub sidecar: Option<Vec<u8>>,
}

/// Checks a sidecar against its entry and returns the private values.
///
/// # Errors
///
/// `SIDECAR` if it lacks or adds a member, or a commitment differs.
pub fn open_sidecar(_entry: &Entry, _sidecar: &[u8]) -> Result<BTreeMap<String, String>> {
    todo!()
}
