//! `keyrite show`: what a file says, in words.
//!
//! Files are known by what is in them; a name is believed only for the role of a targets document,
//! which its bytes don't say. Keys are named as the record calls them, if there is one.
//!
//! Never: a verdict that a file is to be trusted, which `verify` and `sign` are for; a private key
//! opened.

mod change;
mod document;
mod key;
mod page;
mod record_file;

use super::arguments::Show;
use super::rules;
use super::session::{Ended, Session, shown};
use crate::ceremony::limits::{Direction, Limits, differences};
use crate::record::names::Place;
use crate::record::{Contents, Inputs, Record, media};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::tuf::wire;
use page::Page;
use std::path::{Path, PathBuf};

/// The largest file of a record, in bytes (FORMAT.md, caps).
const CAP: u64 = 64 * 1024 * 1024;

/// What is known beside the file.
struct Beside {
    /// The record's directory.
    directory: PathBuf,
    contents: Option<Contents>,
    today: Time,
}

impl Beside {
    /// The record's name of a key.
    fn name(&self, key: KeyIdentity) -> Option<String> {
        let keys = &self.contents.as_ref()?.facts.keys;
        let found = keys.values().find(|record| record.public.identity() == key)?;
        Some(format!("{} of {}", found.name, found.holder))
    }

    /// As differences name keys: without a record none is unknown to it.
    fn in_words(&self, key: KeyIdentity) -> Option<String> {
        if self.contents.is_none() { Some("the key".to_owned()) } else { self.name(key) }
    }

    /// A key by its record's name, or the start of its identity.
    fn called(&self, key: KeyIdentity) -> String {
        self.name(key)
            .unwrap_or_else(|| format!("the key {}", key.to_string().chars().take(16).collect::<String>()))
    }

    /// `2028-01-01T00:00:00Z, in 400 days`.
    fn until(&self, end: Time) -> String {
        match end.days_after(self.today) {
            days @ ..0 => format!("{end}, expired {} days ago by this machine's clock", days.unsigned_abs()),
            days => format!("{end}, in {days} days by this machine's clock"),
        }
    }

    /// A document of the record by its payload, trusted or not.
    fn document(&self, role: &RoleName, payload: &Digest) -> Option<MetadataPayload> {
        let contents = self.contents.as_ref()?;
        let found = contents.history.iter().find(|d| d.role == *role && d.payload == *payload)?;
        let place = Place::Metadata(role.clone(), found.version, found.file);
        let bytes = media::read_file(&self.directory.join(place.to_string()), CAP).ok()?;
        let envelope = wire::parse(contents.facts.trust.profile, role, &bytes).ok()?;
        (envelope.payload().digest() == *payload).then(|| envelope.payload().clone())
    }

    fn profile(&self) -> Option<Profile> {
        self.contents.as_ref().map(|c| c.facts.trust.profile)
    }
}

/// A file whose kind is known.
enum Known {
    /// A document, signed or only its payload.
    Document(MetadataPayload, Page),
    /// A limits file.
    Limits(Box<Limits>, Page),
    /// Anything else.
    Other(Page),
}

/// Runs the command.
///
/// # Errors
///
/// `SHOW-UNKNOWN` for a file of no kind that keyrite knows, `SHOW-AGAINST` for two that can't be
/// compared; what reading the file refuses, by its own rules.
pub fn run(session: &Session, args: &Show) -> Result<Ended> {
    let today = session.now()?;
    let (directory, contents) = record(session, &args.file, today).unzip();
    let beside = Beside { directory: directory.unwrap_or_default(), contents, today };
    let new = know(&beside, &args.file)?;
    let page = match &args.against {
        None => match new {
            Known::Document(_, page) | Known::Limits(_, page) | Known::Other(page) => page,
        },
        Some(old) => compare(&beside, know(&beside, old)?, new)?,
    };
    let page = match &beside.contents {
        Some(contents) => {
            page.fact("names from", format!("the record of {}", contents.facts.trust.collection))
        }
        None => page,
    };
    session.report(&page.screen(), page.json())?;
    Ok(Ended::Done)
}

/// The record and what it says: one's own, else the one that the file lies in.
fn record(session: &Session, file: &Path, today: Time) -> Option<(PathBuf, Contents)> {
    let around = std::fs::canonicalize(file).unwrap_or_default();
    let mut folders: Vec<PathBuf> = vec![session.directory.clone()];
    folders.extend(around.ancestors().skip(1).take(4).map(Path::to_owned));
    let (folder, record) = folders.into_iter().find_map(|f| Record::open(&f).ok().map(|r| (f, r)))?;
    let contents = record.read_all(today, &Inputs::default()).ok()?;
    Some((folder, contents))
}

/// Reads a file and finds out what it is.
fn know(beside: &Beside, file: &Path) -> Result<Known> {
    let file = &if file.is_dir() { file.join("change.json") } else { file.to_owned() };
    let bytes = media::read_file(file, CAP)?;
    recognise(beside, file, &bytes).map_err(|e| e.at(shown(file)))
}

fn recognise(beside: &Beside, file: &Path, bytes: &[u8]) -> Result<Known> {
    let text = std::str::from_utf8(bytes).map_err(|_| unknown("bytes that are no text"))?;
    if text.starts_with("keyrite-upload ") {
        return record_file::manifest(bytes).map(Known::Other);
    }
    if text.contains("-----BEGIN ") && !text.starts_with('{') {
        return key::pem(beside, text).map(Known::Other);
    }
    if text.trim_start().starts_with('{') {
        // A payload whose strings hold line ends is canonical, yet no JSON for a strict parser.
        return match Json::parse(bytes) {
            Ok(json) => by_members(beside, file, bytes, &json),
            Err(refusal) => document::payload(beside, file, bytes).map_err(|_| refusal),
        };
    }
    record_file::toml(beside, text)
}

/// By the members that each kind of file has and no other.
fn by_members(beside: &Beside, file: &Path, bytes: &[u8], json: &Json) -> Result<Known> {
    let has = |names: &[&str]| names.iter().all(|name| json.get(name).is_some());
    let kind = json.get("_type").and_then(Json::as_str);
    let page = if has(&["signed", "signatures"]) {
        return document::signed(beside, file, bytes, json);
    } else if kind == Some("keyrite-statement") {
        record_file::payload(beside, bytes)
    } else if kind.is_some() {
        return document::payload(beside, file, bytes);
    } else if has(&["items", "runbook", "sign-by"]) {
        change::page(beside, file, bytes)
    } else if has(&["statement", "spki", "sig"]) {
        record_file::statement(beside, bytes, json)
    } else if has(&["collection", "profile", "stage"]) {
        record_file::trust(bytes)
    } else if has(&["possession", "purpose", "spki"]) {
        record_file::key(beside, bytes)
    } else if has(&["act", "ceremony", "outcome"]) {
        record_file::entry(bytes)
    } else if has(&["change", "identity", "payload", "sig"]) {
        record_file::signature(beside, json)
    } else if has(&["check", "needed", "shares"]) {
        record_file::shares(bytes)
    } else if has(&["manifest", "result", "served"]) {
        record_file::receipt(bytes)
    } else if has(&["keytype", "keyval"]) {
        key::backend(beside, bytes)
    } else {
        Err(unknown("JSON with the members of nothing that keyrite knows"))
    };
    page.map(Known::Other)
}

/// What `new` changes.
fn compare(beside: &Beside, old: Known, new: Known) -> Result<Page> {
    match (old, new) {
        (Known::Document(old, _), Known::Document(new, _)) => {
            if old.role() == new.role() && old.profile() == new.profile() {
                return Ok(document::compared(beside, &old, &new));
            }
            let (old, new) = (document::called(&old), document::called(&new));
            Err(against(&format!("{new} against {old}")))
        }
        (Known::Limits(old, _), Known::Limits(new, _)) => {
            let lines = differences(&old, &new).into_iter().map(|(line, direction)| match direction {
                Direction::Loosening => format!("{line}: looser"),
                Direction::Tightening => format!("{line}: tighter"),
            });
            let lines: Vec<_> = lines.collect();
            let page = Page::new("limits", "What changes in the limits");
            Ok(if lines.is_empty() { page.note("Nothing differs.") } else { page.list("Differences", lines) })
        }
        _ => Err(against("files of two kinds, or of a kind that has no versions")),
    }
}

fn unknown(found: &str) -> Refusal {
    Refusal::new(
        &rules::SHOW_UNKNOWN,
        found,
        "metadata, or a change, key, statement, limits, transcript, runbook, share manifest or MANIFEST file",
    )
}

fn against(found: &str) -> Refusal {
    Refusal::new(&rules::SHOW_AGAINST, found, "two documents of one role and profile, or two limits files")
}
