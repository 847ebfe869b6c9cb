//! `keyrite release`: an application's developers publish files by their own keys.
//!
//! Hashes the files, writes the runbook of this release and holds it, by the executor that holds every
//! ceremony. Typed again it goes on where it stopped; once a colleague has released meanwhile it makes the
//! version after theirs, and asks again.
//!
//! Never: a file sent anywhere, a name or an address guessed beyond the delegation's folder.

use super::arguments::{Release, ReleaseOf};
use super::files;
use super::rules;
use super::run;
use super::session::{Ended, Session, shown, typed};
use super::table::Table;
use crate::ceremony::change::Frame;
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::kinds::release_names::{below, name_for};
use crate::ceremony::kinds::release_terms::{Named, Wanted};
use crate::ceremony::runbook::Runbook;
use crate::record::{Contents, media};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use sha2::{Digest as _, Sha256, Sha512};
use std::path::{Path, PathBuf};

/// What answers call this session's one runbook.
const RUNBOOK: &str = "release.toml";

/// Runs the command.
///
/// # Errors
///
/// What the kind and the executor refuse; `MEDIA-READ` and its like for a file.
pub fn run(session: &Session, args: &Release) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let contents = table.contents(session)?;
    let wanted = wanted(session, &args.of, &table, &contents.facts)?;
    let runbook = Runbook::parse(
        &wanted.runbook(&contents.facts, &|key| table.keyring.here(key) || table.keyring.in_vault(key))?,
    )?;
    let role = wanted.role(&contents.facts)?;
    refused_at_once(session, &runbook, &contents)?;
    if let Some(file) = &args.write_runbook {
        files::create(file, runbook.text().as_bytes())?;
        let file = typed(file);
        let keyrite = session.keyrite();
        let screen = Screen::new("The runbook of the release")
            .rehearsal(table.rehearsal())
            .callout(Tone::Done, format!("{file} is written; nothing is signed yet"))
            .next(format!("{keyrite} plan {file} --write-answers FILE    writes down what it asks"))
            .next(format!("{keyrite} run {file} --answers FILE --unattended    once it is filled in"));
        session.report(&screen, said(&wanted, &role, object([("runbook", file.as_str().into())]), None))?;
        return Ok(Ended::Done);
    }
    let digest = runbook.digest();
    let mut console = session.console(&args.answers)?;
    let report = run::hold(session, &mut table, vec![(PathBuf::from(RUNBOOK), runbook)], console.as_mut())?;
    let contents = table.contents(session)?;
    let json = said(&wanted, &role, report.json(), Some((&contents, &digest)));
    session.report(&report.screen(session, table.rehearsal()), json)?;
    Ok(report.ended())
}

/// Refuses before anyone is asked anything, unless the release was begun already.
fn refused_at_once(session: &Session, runbook: &Runbook, contents: &Contents) -> Result<()> {
    let (digest, ceremony) = (runbook.digest(), kinds::read(runbook)?);
    let begun = contents.changes.values().any(|stored| stored.change.frame.runbook == digest);
    if begun || ceremony.held(&contents.facts) {
        return Ok(());
    }
    let held_at = session.now()?;
    let frame = Frame {
        kind: runbook.kind.clone(),
        title: runbook.title.clone(),
        people: runbook.people.clone(),
        runbook: digest,
        held_at,
        sign_by: held_at,
        nonce: [0; 32],
        rehearsal: None,
    };
    ceremony.change(&frame, &contents.facts).map(drop)
}

/// What the arguments ask for, every file hashed.
fn wanted(session: &Session, of: &ReleaseOf, table: &Table, facts: &Facts) -> Result<Wanted> {
    let mut wanted = Wanted {
        application: of.application.clone(),
        track: of.track.clone(),
        valid_for: of.valid_for.as_deref().map_or(Ok(facts.limits.delegations.max_valid_for), str::parse)?,
        withdraw: of.withdraw.clone(),
        renew: of.renew,
        files: Vec::new(),
    };
    let paths = wanted.paths(facts)?;
    let one = of.files.len() == 1;
    if !one && of.name.is_some() {
        let found = format!("--name with {} files", of.files.len());
        return Err(Refusal::new(&rules::USAGE, found, "one file, if it is to have a name of its own"));
    }
    let folder = of.url.as_deref().filter(|url| url.ends_with('/'));
    if !one && of.url.is_some() && folder.is_none() {
        let found = format!("one address for {} files", of.files.len());
        return Err(Refusal::new(
            &rules::USAGE,
            found,
            "the address of their folder, with a slash at the end",
        ));
    }
    for path in &of.files {
        let file = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Refusal::new(&rules::USAGE, format!("\"{}\"", shown(path)), "a file whose name is text")
        })?;
        let name = of.name.clone().map_or_else(|| name_for(&paths, file), Ok)?;
        let url = folder.map(|folder| below(folder, file)).or_else(|| of.url.clone());
        wanted.check(facts, &name, url.as_deref())?;
        wanted.files.push(Named { name, url, length: 0, sha256: Digest::of(b""), sha512: None });
    }
    // Whatever can be refused without them is refused by now: files can be large.
    wanted.runbook(facts, &|key| table.keyring.here(key) || table.keyring.in_vault(key))?;
    let notary = facts.trust.profile == crate::tuf::profile::Profile::Notary;
    for (path, file) in of.files.iter().zip(&mut wanted.files) {
        let hashed = hash(session, path, notary)?;
        (file.length, file.sha256, file.sha512) = hashed;
    }
    Ok(wanted)
}

/// Length and digests of a file, read once.
fn hash(session: &Session, path: &Path, both: bool) -> Result<(u64, Digest, Option<Vec<u8>>)> {
    let progress = session.progress();
    let name = shown(path);
    let mut sha256 = Sha256::new();
    let mut sha512 = both.then(Sha512::new);
    let mut length = 0_u64;
    let mut told = 101;
    media::stream_file(path, &mut |piece, all| {
        sha256.update(piece);
        if let Some(sha512) = &mut sha512 {
            sha512.update(piece);
        }
        length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let percent = length.saturating_mul(100).checked_div(all).unwrap_or(100);
        if percent != told {
            told = percent;
            progress.say(&format!("hashing {name}: {percent} % of {all} bytes"));
        }
        session.not_interrupted()
    })?;
    let sha512 = sha512.map(|sha512| sha512.finalize().to_vec());
    Ok((length, Digest::from_bytes(sha256.finalize().into()), sha512))
}

/// The report for programs: what the session says, and what is released.
fn said(wanted: &Wanted, role: &RoleName, report: Json, held: Option<(&Contents, &Digest)>) -> Json {
    let stored = held.and_then(|(contents, runbook)| {
        let of = contents.changes.values().filter(|stored| stored.change.frame.runbook == *runbook);
        of.max_by_key(|stored| stored.change.frame.held_at)
    });
    let upload = stored.zip(held).and_then(|(stored, (contents, _))| {
        let waiting = contents.unpublished_uploads();
        let mut own = contents.uploads.iter().filter(|(_, u)| u.manifest.change == Some(stored.digest));
        own.find_map(|(digest, _)| {
            waiting.contains(&format!("uploads/{digest}")).then(|| format!("uploads/{digest}"))
        })
    });
    let number = |n: u64| i64::try_from(n).map_or(Json::Null, Json::Int);
    let version = stored.and_then(|stored| stored.change.documents().next()).map(|d| number(d.version()));
    let target = |file: &Named| {
        let text = |text: Option<String>| text.map_or(Json::Null, Json::Str);
        object([
            ("length", number(file.length)),
            ("name", file.name.as_str().into()),
            ("sha256", file.sha256.hex().into()),
            ("sha512", text(file.sha512.as_deref().map(base16ct::lower::encode_string))),
            ("url", text(file.url.clone())),
        ])
    };
    let mut members = match report {
        Json::Object(members) => members,
        _ => crate::tuf::json::Members::new(),
    };
    let own = [
        ("change", stored.map_or(Json::Null, |stored| stored.digest.hex().into())),
        ("role", visible(role.as_str()).as_str().into()),
        ("targets", wanted.files.iter().map(target).collect::<Vec<_>>().into()),
        ("upload", upload.map_or(Json::Null, Json::Str)),
        ("version", version.unwrap_or(Json::Null)),
        ("withdrawn", wanted.withdraw.iter().map(|n| Json::from(n.as_str())).collect::<Vec<_>>().into()),
    ];
    members.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Json::Object(members)
}
