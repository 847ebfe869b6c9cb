//! Outcomes: what came of each step, as the transcript keeps it.
//!
//! A closed set for what acts; an act that this keyrite doesn't know is chained, kept and shown.

use super::device_log::LogEntry;
use super::facts::Stage;
use super::people::{Duty, KeyName, Person};
use super::share_manifest::{SetId, ShareManifest};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use std::collections::BTreeMap;

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
    /// `destroy`: a private key was destroyed on its token.
    Destroy {
        /// The record's name of the key.
        key: KeyName,
        /// The key.
        identity: KeyIdentity,
        /// Whether a session that was cut off had destroyed it: the token no longer had it.
        found_gone: bool,
        /// Which token.
        token: TokenSeen,
    },
    /// `shares`: a wrap key was dealt out, and every card read back.
    Shares {
        /// Which.
        wrap_key: KeyName,
        /// Who holds which share.
        manifest: Box<ShareManifest>,
    },
    /// `copy`: a key left its token, wrapped.
    Copy {
        /// The record's name of the key.
        key: KeyName,
        /// The key.
        identity: KeyIdentity,
        /// Under which wrap key.
        wrap_key: KeyName,
        /// The digest of the manifest of its shares.
        shares: Digest,
        /// How the bytes are made: `aes-key-wrap-pad`.
        form: String,
        /// The digest of the file that holds them, which is no part of the record.
        file: Digest,
        /// Which token.
        token: TokenSeen,
    },
    /// `drill`: a custodian typed their card, and it was the one of the manifest.
    Drill {
        /// The digest of the manifest of the shares.
        shares: Digest,
        /// Which set, as on the card.
        set: SetId,
        /// The number of the share.
        number: u8,
        /// Whose it is.
        holder: Person,
    },
    /// `drain`: a token's own log was put on record, up to now.
    Drain {
        /// A key on the token.
        key: KeyName,
        /// Which token.
        token: TokenSeen,
        /// Its entries since the last that was put on record, as it gave them.
        entries: Vec<LogEntry>,
        /// How many of them are uses and changes of keys that no transcript here speaks of.
        unaccounted: u64,
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
    /// Let the key out, wrapped.
    Copy {
        /// Under which wrap key, which is put on the token for it.
        wrap_key: KeyName,
    },
    /// Take the key in from its copy.
    Restore {
        /// As above.
        wrap_key: KeyName,
    },
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
    pub people: BTreeMap<Person, Duty>,
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

impl Outcome {
    /// The word for what was done: `confirm`.
    pub fn act(&self) -> &str {
        match self {
            Self::Begin(_) => "begin",
            Self::Intent { .. } => "intent",
            Self::Show { .. } => "show",
            Self::ReadBack { .. } => "read-back",
            Self::Confirm { .. } => "confirm",
            Self::Note { .. } => "note",
            Self::Key { .. } => "key",
            Self::Sign { .. } => "sign",
            Self::Destroy { .. } => "destroy",
            Self::Shares { .. } => "shares",
            Self::Copy { .. } => "copy",
            Self::Drill { .. } => "drill",
            Self::Drain { .. } => "drain",
            Self::Enrol { .. } => "enrol",
            Self::Seal { .. } => "seal",
            Self::Upload { .. } => "upload",
            Self::Carried { way: Way::In, .. } => "import",
            Self::Carried { way: Way::Out, .. } => "export",
            Self::Close { .. } => "close",
            Self::Witness { .. } => "witness",
            Self::Refuse { .. } => "refuse",
            Self::Exception { .. } => "exception",
            Self::End { .. } => "end",
            Self::Unknown { act, .. } => act,
        }
    }
}

impl Confirmed {
    pub(super) const ALL: [Self; 3] = [Self::Words, Self::Yes, Self::Digest];

    /// The word in the transcript.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Yes => "yes",
            Self::Digest => "digest",
        }
    }
}

impl EndState {
    pub(super) const ALL: [Self; 3] = [Self::Done, Self::Waiting, Self::Refused];

    /// The word in the transcript.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
        }
    }
}
