//! What a client does with a repository, step by step, without a network or a disk.
//!
//! A [`Client`] says which file it wants next; the caller fetches it from wherever and feeds the
//! bytes, or says that the file is missing. So the same machine drives the update agent over HTTP
//! and walks clients over documents that nobody has signed yet: it is generic over the [`Judge`]
//! of signatures, and only real signatures yield [`Trusted`] documents.
//!
//! [`tuf1`] is the workflow of TUF 1.0.34, section 5; [`notary`] that of the stock Notary client.
//!
//! Never: a clock, a file believed before its length, digest, threshold, version and expiry are
//! checked, an answer after a refusal.

mod ahead;
pub mod expected;
pub mod known;
pub mod notary;
pub(in crate::tuf) mod roots;
mod rotate;
mod search;
mod state;
mod tree;
pub mod tuf1;

pub use state::{Change, State};

use super::document::{MetaFile, TargetFile};
use super::evidence::{Evidence, Trusted, Verified};
use super::key::KeyId;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use super::time::Time;
use super::wire::{self, Envelope};
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who says which signatures of a file count.
pub trait Judge {
    /// The evidence for this file.
    fn evidence<'a>(&'a self, envelope: &'a Envelope) -> Box<dyn Evidence + 'a>;
}

impl<J: Judge> Judge for &J {
    fn evidence<'a>(&'a self, envelope: &'a Envelope) -> Box<dyn Evidence + 'a> {
        J::evidence(self, envelope)
    }
}

/// Signatures are checked.
#[derive(Debug, Clone, Copy)]
pub struct Signatures;

impl Judge for Signatures {
    fn evidence<'a>(&'a self, envelope: &'a Envelope) -> Box<dyn Evidence + 'a> {
        Box::new(Verified::new(envelope))
    }
}

/// How much a client takes: bytes of each kind of file, and how often it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of a root.
    pub root: u64,
    /// Bytes of a timestamp.
    pub timestamp: u64,
    /// Bytes of a snapshot whose length the timestamp doesn't say.
    pub snapshot: u64,
    /// Bytes of a targets document whose length the snapshot doesn't say.
    pub targets: u64,
    /// New roots in one update.
    pub rotations: u32,
    /// Targets documents in one search.
    pub documents: u32,
}

impl Caps {
    /// python-tuf 7.0 (`ngclient/config.py`): the tightest of the clients in use, but for the
    /// documents of one search.
    pub const TUF: Self = Self {
        root: 512_000,
        timestamp: 16_384,
        snapshot: 2_000_000,
        targets: 5_000_000,
        rotations: 256,
        documents: 32,
    };

    /// Notary 0.7 (`const.go`); it limits neither rotations nor documents, so we do.
    pub const NOTARY: Self = Self {
        root: 104_857_600,
        timestamp: 1_048_576,
        snapshot: 104_857_600,
        targets: 104_857_600,
        rotations: 1_024,
        documents: 65_536,
    };

    /// The caps of a profile's clients.
    pub const fn of(profile: Profile) -> Self {
        match profile {
            Profile::Tuf => Self::TUF,
            Profile::Notary => Self::NOTARY,
        }
    }
}

/// What an update is run with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When it began; fixed for the whole update (TUF 5.1).
    pub now: Time,
    /// How much it takes.
    pub caps: Caps,
    /// Profile `notary`: the collection that root certificates name.
    pub collection: String,
    /// Profile `notary`: on first contact, root keys (by the id in root) that are trusted; none
    /// trusts the first root that is seen.
    pub pins: BTreeSet<KeyId>,
}

/// A file that the client waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Of which role.
    pub role: RoleName,
    /// Below the repository's metadata address, as the profile names it: `2.root.json`.
    pub name: String,
    /// The most bytes that will be taken; more is an endless-data attack.
    pub limit: u64,
}

/// What became of a file that was wanted: its bytes, or none where there is no such file.
pub type Fetched = (Want, Option<Vec<u8>>);

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The target, and the role that names it.
    Found {
        /// The role.
        role: RoleName,
        /// What is said of it.
        file: TargetFile,
    },
    /// No role that may name the path does.
    NotFound,
}

/// Where an update ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The version of every document that was accepted.
    pub versions: BTreeMap<RoleName, u64>,
    /// Delegations that are of no use, with the reason: left out by an update of profile `notary`, found
    /// by [`Client::look_around`] in profile `tuf`.
    pub skipped: Vec<(RoleName, Refusal)>,
}

/// A client of either profile, in the middle of an update.
#[derive(Debug)]
pub enum Client<J> {
    /// TUF 1.0.
    Tuf(tuf1::Update<J>),
    /// Notary v1.
    Notary(notary::Update<J>),
}

macro_rules! either {
    ($self:expr, $update:ident => $what:expr) => {
        match $self {
            Client::Tuf($update) => $what,
            Client::Notary($update) => $what,
        }
    };
}

impl<J: Judge> Client<J> {
    /// Begins an update from what an earlier one left, or from a root that is trusted for another
    /// reason. Profile `notary` also begins from nothing, trusting what it sees first or pins.
    ///
    /// # Errors
    ///
    /// `CLIENT-STATE` without a root (profile `tuf`); else why the stored root is refused.
    pub fn new(profile: Profile, settings: Settings, state: State, judge: J) -> Result<Self> {
        Ok(match profile {
            Profile::Tuf => Self::Tuf(tuf1::Update::new(settings, state, judge)?),
            Profile::Notary => Self::Notary(notary::Update::new(settings, state, judge)?),
        })
    }

    /// The file to be fetched next; none once there is nothing to wait for.
    pub fn want(&self) -> Option<&Want> {
        either!(self, u => u.want())
    }

    /// Takes the bytes of the file that was wanted.
    ///
    /// # Errors
    ///
    /// Why the update ended here: `SIZE-CAP`, `SNAPSHOT-HASH`, `META-MISMATCH`, `ROLLBACK`,
    /// `FREEZE`, `EXPIRED`, a threshold's rule, or the form of the document. The client takes
    /// nothing more then; what it had accepted before stays.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        either!(self, u => u.feed(bytes))
    }

    /// The repository says that it has no such file.
    ///
    /// # Errors
    ///
    /// `FILE-MISSING` where the workflow can't go on without it.
    pub fn missing(&mut self) -> Result<()> {
        either!(self, u => u.missing())
    }

    /// Searches for a target, after the update; the client may want more files.
    ///
    /// # Errors
    ///
    /// As [`Self::feed`]; `CLIENT-STATE` before the update has ended, `SEARCH-LIMIT`.
    pub fn look_up(&mut self, path: &str) -> Result<()> {
        either!(self, u => u.look_up(path))
    }

    /// What the last search came to, once nothing is wanted.
    pub fn answer(&self) -> Option<&Answer> {
        either!(self, u => u.answer())
    }

    /// Where the update is.
    pub fn outcome(&self) -> Outcome {
        either!(self, u => u.outcome())
    }

    /// What the next update begins from.
    pub fn state(&self) -> State {
        either!(self, u => u.state())
    }

    /// What has changed in the state since the last call, in the order in which it must be
    /// written: a caller who is killed between two of them begins from a consistent state.
    pub fn changes(&mut self) -> Vec<Change> {
        either!(self, u => u.changes())
    }
}

impl<J: Judge + Sync> Client<J> {
    /// Looks at every document that somebody has published, after the update; the client may want more
    /// files. What no search could use doesn't end it: [`Outcome`] tells of it. Profile `notary` has
    /// seen them all.
    ///
    /// # Errors
    ///
    /// `CLIENT-STATE` before the update has ended, `SEARCH-LIMIT`.
    pub fn look_around(&mut self) -> Result<()> {
        match self {
            Self::Tuf(update) => update.look_around(),
            Self::Notary(_) => Ok(()),
        }
    }

    /// The files to be fetched next: the one that is waited for, and in a look at everything those that
    /// will be after it, of which many can be judged at once. All of them are listed by what is trusted.
    pub fn wants(&self) -> Vec<Want> {
        match self {
            Self::Tuf(update) => update.wants(),
            Self::Notary(update) => update.want().cloned().into_iter().collect(),
        }
    }

    /// Takes what became of [`Self::wants`], or of the first of them: each file's bytes, or that there is
    /// none. It comes to the same as to feed them one by one, each in its turn.
    ///
    /// # Errors
    ///
    /// As [`Self::feed`] and [`Self::missing`].
    pub fn feed_all(&mut self, answers: Vec<Fetched>) -> Result<()> {
        match self {
            Self::Tuf(update) => update.feed_all(answers),
            Self::Notary(update) => answers.iter().try_for_each(|(want, bytes)| match bytes {
                _ if update.want() != Some(want) => Err(out_of_turn("a file that was not asked for")),
                Some(bytes) => update.feed(bytes),
                None => update.missing(),
            }),
        }
    }
}

impl Client<Signatures> {
    /// The trusted document of a role, if this update accepted one.
    pub fn trusted(&self, role: &RoleName) -> Option<Trusted> {
        let held = either!(self, u => u.held(role))?;
        Some(Trusted::shared(Arc::clone(held)))
    }
}

fn read(profile: Profile, role: &RoleName, bytes: &[u8], limit: u64) -> Result<Arc<Envelope>> {
    within(role, bytes, limit)?;
    wire::parse(profile, role, bytes).map(Arc::new)
}

fn within(role: &RoleName, bytes: &[u8], limit: u64) -> Result<()> {
    if u64::try_from(bytes.len()).is_ok_and(|n| n <= limit) {
        return Ok(());
    }
    let found = format!("{role}: {} bytes or more", bytes.len());
    Err(Refusal::new(&rules::SIZE_CAP, found, format!("at most {limit} bytes")))
}

/// The name by which the profile's clients ask for a file that snapshot or timestamp lists; `consistent`
/// is what root says of names with versions.
///
/// # Errors
///
/// `SNAPSHOT-HASH` where profile `notary` has no SHA-256 to name it by.
pub fn listed_name(profile: Profile, role: &RoleName, meta: &MetaFile, consistent: bool) -> Result<String> {
    match profile {
        Profile::Notary => notary::listed_name(role, meta),
        Profile::Tuf => Ok(tuf1::file_name(role, if consistent { meta.version } else { None })),
    }
}

/// The name of one version of a document, as clients of profile `tuf` ask for it (TUF 6.2).
pub fn versioned_name(role: &RoleName, version: u64) -> String {
    tuf1::file_name(role, Some(version))
}

/// Compares a file with what snapshot or timestamp say of it, as the profile's clients do.
///
/// # Errors
///
/// `SNAPSHOT-HASH`.
pub fn check_listed(profile: Profile, role: &RoleName, meta: &MetaFile, bytes: &[u8]) -> Result<()> {
    match profile {
        Profile::Notary => as_listed_by_digest(role, meta, bytes),
        Profile::Tuf => as_listed(role, meta, bytes),
    }
}

/// Compares a file with what snapshot or timestamp say of it: mix-and-match ends here.
fn as_listed(role: &RoleName, meta: &MetaFile, bytes: &[u8]) -> Result<()> {
    if let Some(length) = meta.length
        && u64::try_from(bytes.len()) != Ok(length)
    {
        let found = format!("{role}: {} bytes", bytes.len());
        return Err(Refusal::new(&rules::SNAPSHOT_HASH, found, format!("{length} bytes")));
    }
    let mut known = false;
    for (name, digest) in meta.hashes.iter() {
        let computed = match name {
            "sha256" => Sha256::digest(bytes).to_vec(),
            "sha512" => Sha512::digest(bytes).to_vec(),
            _ => continue,
        };
        known = true;
        if computed != digest {
            let hex = |b: &[u8]| base16ct::lower::encode_string(b);
            return Err(Refusal::new(
                &rules::SNAPSHOT_HASH,
                format!("{role}: {name} {}", hex(&computed)),
                format!("{name} {}", hex(digest)),
            ));
        }
    }
    if known || meta.hashes.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = meta.hashes.iter().map(|(name, _)| visible(name)).collect();
    Err(Refusal::new(
        &rules::SNAPSHOT_HASH,
        format!("{role}: digests by {} only", names.join(", ")),
        "a digest by sha256 or sha512",
    ))
}

/// The same where a digest is always there (`tuf/data` of Notary: `CheckHashes`).
fn as_listed_by_digest(role: &RoleName, meta: &MetaFile, bytes: &[u8]) -> Result<()> {
    if meta.hashes.is_empty() {
        let found = format!("{role} without a digest");
        return Err(Refusal::new(&rules::SNAPSHOT_HASH, found, "a digest by sha256 or sha512"));
    }
    as_listed(role, meta, bytes)
}

fn rollback(role: &RoleName, found: u64, trusted: u64) -> Refusal {
    Refusal::new(
        &rules::ROLLBACK,
        format!("{role} version {found}"),
        format!("version {trusted} or later, which this client has seen"),
    )
}

/// An online role's document that has expired is a backend that stands still, or someone who
/// replays what it once said (TUF 5.4.4).
fn fresh(envelope: &Envelope, now: Time) -> Result<()> {
    let payload = envelope.payload();
    let expires = payload.document().header().expires;
    if now < expires || !payload.role().is_online() {
        return super::chain::not_expired(payload, now);
    }
    Err(Refusal::new(
        &rules::FREEZE,
        format!("{} version {}, valid until {expires}", payload.role(), payload.version()),
        format!("one that is valid at {now}"),
    ))
}

fn file_missing(role: &RoleName, name: &str) -> Refusal {
    Refusal::new(
        &rules::FILE_MISSING,
        format!("no file {}", visible(name)),
        format!("the document of {role}"),
    )
}

fn out_of_turn(found: &str) -> Refusal {
    Refusal::new(&rules::CLIENT_STATE, found, "a client in the middle of an update that wants a file")
}
