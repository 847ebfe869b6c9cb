//! Transcripts: one file per outcome, each naming the one before. Journal, resume point and
//! evidence in one.
//!
//! An entry is never changed; a correction is another entry (`exception`). A private value stands
//! only in a sidecar beside the copy where the ceremony was held; here is its salted digest, so a
//! redacted copy proves the same (threats T33, T34).

use super::members::{self, Reader, digest, number, or_null};
use super::people::Person;
use super::rules;
use super::step::StepId;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::{ours, visible};
use crate::tuf::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use super::outcome::{Begin, Confirmed, EndState, Intent, Outcome, Sealed, TokenSeen, Way, Witnessed};

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
        let private = self.private.iter().map(|(name, commitment)| (name.clone(), digest(commitment)));
        object([
            ("act", self.outcome.act().into()),
            ("at", self.at.to_string().into()),
            ("by", or_null(self.by.as_ref())),
            ("ceremony", self.ceremony.to_string().into()),
            ("change", or_null(self.change.as_ref())),
            ("format", number(1)),
            ("outcome", self.outcome.to_json()),
            ("previous", or_null(self.previous.as_ref())),
            ("private", Json::Object(private.collect())),
            ("seq", number(self.seq)),
            ("step", or_null(self.step.as_ref())),
        ])
        .canonical()
    }

    /// Reads a file of a transcript.
    ///
    /// # Errors
    ///
    /// `JSON`, `RECORD-FORMAT`, `RECORD-MEMBER` for an unknown member or other bytes than
    /// [`Self::to_json`] writes, `TEXT` for text that would not be visible.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut from = Reader::file("the entry", &json)?;
        let mut private = BTreeMap::new();
        for (name, commitment) in from.object("private")? {
            private.insert(name.to_owned(), commitment.as_str().unwrap_or_default().parse()?);
        }
        let entry = Self {
            ceremony: from.parsed("ceremony")?,
            seq: from.number("seq")?,
            previous: from.parsed_or_null("previous")?,
            at: from.parsed("at")?,
            by: from.parsed_or_null("by")?,
            change: from.parsed_or_null("change")?,
            step: from.text_or_null("step")?.map(|id| StepId(id.to_owned())),
            outcome: Outcome::from_json(from.text("act")?, from.take("outcome")?)?,
            private,
        };
        from.done()?;
        all_visible(&json)?;
        members::same_bytes("the entry", bytes, &entry.to_json())?;
        entry.check_private()?;
        Ok(entry)
    }

    /// A note has its answer either in the open or in private; no other outcome has private parts
    /// that stand in the open as well.
    fn check_private(&self) -> Result<()> {
        let outcome = self.outcome.to_json();
        let both = self.private.keys().find(|name| outcome.get(name).is_some());
        let neither = match &self.outcome {
            Outcome::Note { answer: None, .. } => !self.private.contains_key("answer"),
            _ => false,
        };
        match (both, neither) {
            (None, false) => Ok(()),
            (Some(name), _) => Err(member(format!("\"{}\" in the open and in private", visible(name)))),
            (None, true) => Err(member("a note without an answer".to_owned())),
        }
    }
}

impl Transcript {
    /// A transcript without entries.
    pub const fn new(ceremony: CeremonyId) -> Self {
        Self { ceremony, entries: Vec::new() }
    }

    /// Reads a transcript and checks its whole chain; `heads` are numbers and digests that
    /// witnesses signed or wrote down, so that a cut or rewritten end is found too.
    ///
    /// # Errors
    ///
    /// `TRANSCRIPT-BROKEN` naming the first bad entry and why.
    pub fn read(ceremony: CeremonyId, files: &[File<'_>], heads: &[(u64, Digest)]) -> Result<Self> {
        let mut files = files.to_vec();
        files.sort_by_key(|file| (file.seq, file.sha));
        let mut transcript = Self::new(ceremony);
        for file in files {
            let next = transcript.next_seq();
            if file.seq < next {
                return Err(broken(file.seq, "there are two of it"));
            }
            let entry = transcript.check(next, &file).map_err(|why| broken(next, &why))?;
            transcript.entries.push((entry, file.sha));
        }
        let mut heads = heads.to_vec();
        heads.sort_unstable();
        for (seq, sha) in heads {
            match transcript.entries.iter().find(|(entry, _)| entry.seq == seq) {
                Some((_, found)) if *found == sha => {}
                Some(_) => return Err(broken(seq, "it is another than a witness saw")),
                None => {
                    let why = format!("it is missing, and a witness saw entries up to {seq}");
                    return Err(broken(transcript.next_seq(), &why));
                }
            }
        }
        Ok(transcript)
    }

    fn check(&self, next: u64, file: &File<'_>) -> std::result::Result<Entry, String> {
        if file.seq > next {
            return Err("it is missing".to_owned());
        }
        if Digest::of(file.bytes) != file.sha {
            return Err("its bytes are not those that its name says".to_owned());
        }
        let entry = Entry::from_json(file.bytes).map_err(|e| e.to_string())?;
        if entry.ceremony != self.ceremony {
            return Err(format!("it is of the ceremony {}", entry.ceremony));
        }
        if entry.seq != next {
            return Err(format!("it calls itself entry {}", entry.seq));
        }
        let before = self.entries.last();
        if entry.previous != before.map(|(_, sha)| *sha) {
            return Err("it names another entry before it, or the one before was changed".to_owned());
        }
        if before.is_some_and(|(before, _)| entry.at < before.at) {
            return Err(format!("its time, {}, lies before the one before", entry.at));
        }
        let starts = matches!(entry.outcome, Outcome::Begin(_));
        if (before.is_none() || self.ended()) && !starts {
            return Err("a session starts without a begin".to_owned());
        }
        Ok(entry)
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

    fn next_seq(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// Adds an entry; returns the bytes of its file and, if it has private values, of its sidecar.
    ///
    /// # Errors
    ///
    /// `CLOCK` if `at` lies before the entry before, `TEXT` for text that would not be visible,
    /// `RECORD-MEMBER` for what [`Self::read`] would not take.
    pub fn append(&mut self, at: Time, said: Said) -> Result<Appended> {
        if let Some((before, _)) = self.entries.last().filter(|(before, _)| at < before.at) {
            return Err(Refusal::new(&rules::CLOCK, at.to_string(), format!("{} or later", before.at)));
        }
        for private in said.private.values() {
            ours("an answer", &private.value)?;
        }
        let private = said.private.iter().map(|(name, p)| (name.clone(), p.commitment()));
        let seq = self.next_seq();
        let entry = Entry {
            ceremony: self.ceremony,
            seq,
            previous: self.entries.last().map(|(_, sha)| *sha),
            at,
            by: said.by,
            change: said.change,
            step: said.step,
            outcome: said.outcome,
            private: private.collect(),
        };
        let bytes = entry.to_json();
        let sha = Digest::of(&bytes);
        Entry::from_json(&bytes)?;
        let entry = self.check(seq, &File { seq, sha, bytes: &bytes }).map_err(|why| {
            Refusal::new(&rules::TRANSCRIPT_BROKEN, format!("entry {seq}: {why}"), "an entry that follows")
        })?;
        self.entries.push((entry, sha));
        let sidecar = if said.private.is_empty() { None } else { Some(sidecar(&said.private)) };
        Ok(Appended { seq, sha, bytes, sidecar })
    }
}

impl Private {
    /// SHA-256 of the salt and the value.
    pub fn commitment(&self) -> Digest {
        let bytes: Vec<u8> = self.salt.iter().chain(self.value.as_bytes()).copied().collect();
        Digest::of(&bytes)
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

fn sidecar(private: &BTreeMap<String, Private>) -> Vec<u8> {
    let values = private.iter().map(|(name, p)| {
        let salt = base16ct::lower::encode_string(&p.salt);
        (name.clone(), object([("salt", salt.into()), ("value", p.value.as_str().into())]))
    });
    object([("format", number(1)), ("private", Json::Object(values.collect()))]).canonical()
}

/// Checks a sidecar against its entry and returns the private values.
///
/// # Errors
///
/// `SIDECAR` if it lacks or adds a value, or one is not what the transcript commits to.
pub fn open_sidecar(entry: &Entry, bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    let json = Json::parse(bytes)?;
    let mut from = Reader::file("the sidecar", &json)?;
    let mut values = BTreeMap::new();
    let mut commitments = BTreeMap::new();
    for (name, json) in from.object("private")? {
        let mut at = Reader::new("the sidecar", json)?;
        let private = Private { salt: at.hex("salt")?, value: at.text("value")?.to_owned() };
        at.done()?;
        commitments.insert(name.to_owned(), private.commitment());
        values.insert(name.to_owned(), private.value);
    }
    from.done()?;
    if commitments == entry.private {
        return Ok(values);
    }
    let differs = |name: &&String| commitments.get(*name) != entry.private.get(*name);
    let name = commitments.keys().chain(entry.private.keys()).find(differs).map_or("", String::as_str);
    Err(Refusal::new(
        &rules::SIDECAR,
        format!("another value of \"{}\" for entry {}", visible(name), entry.seq),
        "the values that the transcript commits to",
    ))
}

fn broken(seq: u64, why: &str) -> Refusal {
    Refusal::new(&rules::TRANSCRIPT_BROKEN, format!("entry {seq}: {why}"), "every entry as it was written")
}

fn member(found: String) -> Refusal {
    Refusal::new(&rules::RECORD_MEMBER, found, "each answer once")
}

/// Refuses text that a screen would not show as it is, so that entries can be shown unescaped.
fn all_visible(json: &Json) -> Result<()> {
    match json {
        Json::Str(text) => ours("a text of the transcript", text),
        Json::Array(items) => items.iter().try_for_each(all_visible),
        Json::Object(members) => members.iter().try_for_each(|(name, value)| {
            ours("a member of the transcript", name)?;
            all_visible(value)
        }),
        _ => Ok(()),
    }
}
