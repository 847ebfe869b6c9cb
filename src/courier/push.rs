//! `keyrite-courier push`: hands an upload over, looks at what is served then, and brings back a receipt.
//!
//! Nothing goes up that was not checked ([`super::upload`]), and it goes up at once or not at all. What is
//! served decides how it ended, whatever was answered: a connection may end between the upload and its
//! answer, and the same command again finds what is there. A document of the same version with other bytes
//! is somebody else's, and stays.

use super::arguments::Push;
use super::fetch::{open, read_trust};
use super::progress::Progress;
use super::published::{self, Published, Served};
use super::server::{Server, Want, reason};
use super::source::Source;
use super::told::{self, Told};
use super::tree::{self, taken};
use super::upload::{Load, Part};
use super::{folder, rules};
use crate::ceremony::facts::{Stage, Trust};
use crate::cli::host::{Host as _, System};
use crate::cli::session::{shown, typed};
use crate::record::receipt::{Answer, Receipt};
use crate::tuf::chain::{check_role, check_root};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Verified;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::BTreeMap;
use std::path::Path;

/// The most bytes of a document that is served.
const MOST: u64 = 104_857_600;

/// How an upload came to be served.
enum Came {
    /// It was there already.
    Before,
    /// The server took it.
    Taken,
    /// The server said nothing, and serves it.
    Unanswered,
}

/// Runs the command.
///
/// # Errors
///
/// As [`Load::read`]; `ROLE-TAKEN`, `UPLOAD-UNFIT`, `UPLOAD-REFUSED`, `UPLOAD-UNSEEN`; what servers and files refuse.
pub fn run(args: &Push) -> Result<Told> {
    let trust = read_trust(&args.trust)?;
    told::stage_of(trust.stage, &args.reach.server)?;
    folder::is_fetched(&args.into)?;
    folder::is_apart(&args.into, &args.reach.server)?;
    let load = Load::read(&args.upload, &trust)?;
    let progress = Progress::new();
    let came = match trust.profile {
        Profile::Notary => {
            let Source::Notary(server) = open(&args.reach, trust.profile, &trust.collection, Want::Push)?
            else {
                return Err(Refusal::new(&rules::SERVER_ADDRESS, "another server", "a Notary backend"));
            };
            let source = Source::Notary(server);
            let came = notary(args, &trust, &load, &source, &progress);
            settle(args, &trust, &load, &source, came, &progress)?
        }
        Profile::Tuf => {
            let source = open(&args.reach, trust.profile, &trust.collection, Want::Push)?;
            let Source::Folder(..) = source else {
                let found = format!("{}: a web server takes no files", source.shown());
                return Err(Refusal::new(&rules::SERVER_ADDRESS, found, "the directory that it serves"));
            };
            let new = tree::put(Path::new(&args.reach.server), &trust, &load.parts, System.now()?)?;
            let came = if new == 0 { Came::Before } else { Came::Taken };
            settle(args, &trust, &load, &source, Ok(came), &progress)?
        }
    };
    Ok(came)
}

/// Hands over what a Notary backend doesn't serve yet.
fn notary(args: &Push, trust: &Trust, load: &Load, source: &Source, progress: &Progress) -> Result<Came> {
    let Source::Notary(server) = source else {
        return Err(Refusal::new(&rules::SERVER_ADDRESS, source.shown(), "a Notary backend"));
    };
    let before = match published::fetch(source, false, progress) {
        Err(why) if why.rule() == &rules::FETCH_NOTHING => Some(Published::default()),
        // What clients can't use any more is mended by what goes up: then the backend alone judges it.
        Err(why) if why.rule() == &rules::FETCH_MIXED => None,
        done => Some(done?),
    };
    let missing = missing(server, &load.parts)?;
    if missing.is_empty() {
        return Ok(Came::Before);
    }
    if let Some(before) = &before {
        load.judged(trust, &before.current(), &missing, System.now()?)?;
    }
    progress.say(&format!(
        "handing over {} documents to {}",
        missing.len(),
        shown(Path::new(&args.reach.server))
    ));
    let (kind, body) = form(&missing);
    match server.post(&kind, &body) {
        Ok(answer) if answer.status == 200 => Ok(Came::Taken),
        Ok(answer) => {
            // Somebody was faster, with this or with another document.
            match self::missing(server, &load.parts) {
                Ok(missing) if missing.is_empty() => return Ok(Came::Unanswered),
                Err(why) if why.rule() == &rules::ROLE_TAKEN => return Err(why),
                // The server's reason is what people need, whatever became of the look.
                _ => {}
            }
            let found = format!("{}: {} {}", source.shown(), answer.status, reason(&answer.body));
            let rule = if answer.status >= 500 { &rules::SERVER_STATUS } else { &rules::UPLOAD_REFUSED };
            Err(Refusal::new(rule, found.trim_end(), "an upload that the backend takes"))
        }
        Err(why) => match self::missing(server, &load.parts) {
            Ok(missing) if missing.is_empty() => Ok(Came::Unanswered),
            _ => Err(why),
        },
    }
}

/// The documents that the backend doesn't have; refuses where it has others in their place.
fn missing<'a>(server: &Server, parts: &'a [Part]) -> Result<Vec<&'a Part>> {
    let mut missing = Vec::new();
    for part in parts {
        match server.get(&format!("{}.{}.json", part.version(), part.role.as_str()), MOST)? {
            Some(there) if there == part.bytes() => {}
            Some(there) => return Err(taken(part, part.version(), &there)),
            None => missing.push(part),
        }
    }
    Ok(missing)
}

/// The documents as one form (RFC 7578): a part each, which the backend knows by its file name.
fn form(parts: &[&Part]) -> (String, Vec<u8>) {
    let all: Vec<u8> = parts.iter().flat_map(|part| part.bytes()).copied().collect();
    // In none of the documents: it is the digest of them all.
    let boundary = format!("keyrite-{}", Digest::of(&all));
    let mut body = Vec::new();
    for part in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            part.role.as_str()
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(part.bytes());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Looks at what is served now, and writes it down with a receipt, also of what was refused.
fn settle(
    args: &Push,
    trust: &Trust,
    load: &Load,
    source: &Source,
    came: Result<Came>,
    progress: &Progress,
) -> Result<Told> {
    let seen = match published::fetch(source, false, progress) {
        Err(why) if why.rule() == &rules::FETCH_NOTHING => Ok(Published::default()),
        done => done,
    };
    progress.done();
    let result = match &came {
        Ok(Came::Taken) => Answer::Accepted,
        Ok(Came::Before | Came::Unanswered) => Answer::Observed,
        Err(why) if why.rule() == &rules::UPLOAD_REFUSED => Answer::Rejected(visible(why.found())),
        Err(_) => return Err(came.err().unwrap_or_else(unseen)),
    };
    // The answer has its receipt, also where nobody can say what is served now.
    let (seen, unread) = match seen {
        Ok(seen) => (seen, None),
        Err(why) => (Published::default(), Some(why)),
    };
    let served = seen.current();
    let receipt = Receipt {
        trust: trust.id,
        at: System.now()?,
        manifest: load.manifest,
        result,
        served: served
            .iter()
            .map(|(role, served)| ((*role).clone(), (served.version, Digest::of(&served.bytes))))
            .collect(),
        server: visible(&source.shown()),
    };
    let json = receipt.to_json()?;
    let place = format!("receipts/{}.json", Digest::of(&json));
    let mut files: BTreeMap<&str, &[u8]> =
        seen.files.iter().map(|(name, served)| (name.as_str(), served.bytes.as_slice())).collect();
    files.insert(&place, &json);
    folder::put(&args.into, &files)?;
    let came = came?;
    if let Some(why) = unread {
        // What was taken and can't be read by clients is told as what it is.
        return Err(why);
    }
    let newer = compared(load, &seen, source)?;
    Ok(tell(args, trust, load, source, &came, &served, newer))
}

/// That clients get what went up, or what somebody has published over it since: whether anything newer is
/// there.
fn compared(load: &Load, seen: &Published, source: &Source) -> Result<bool> {
    let served = seen.current();
    let mut newer = false;
    for part in &load.parts {
        let now = served.get(&part.role);
        let same = now.is_some_and(|now| now.bytes == part.bytes());
        // A web server's documents wait for the snapshot that leads to them.
        if same || (source.profile() == Profile::Tuf && part.role != RoleName::Timestamp) {
            continue;
        }
        if let Some(now) = now.filter(|now| now.version > part.version()) {
            // What went up keeps its version, and what came since has signatures.
            if let Source::Notary(server) = source
                && !missing(server, std::slice::from_ref(part))?.is_empty()
            {
                let found = format!("{} version {} is not served", part.role, part.version());
                return Err(Refusal::new(&rules::UPLOAD_UNSEEN, found, "what went up, under its version"));
            }
            signed(load, seen, now, source.profile()).map_err(|why| {
                let found = format!("{} version {}, {}", now.role, now.version, why.found());
                Refusal::new(&rules::UPLOAD_UNSEEN, found, "what went up, or what its keys have signed since")
            })?;
            newer = true;
            continue;
        }
        let found = now.map_or_else(
            || format!("no {}", part.role),
            |now| format!("{} version {} with SHA-256 {}", part.role, now.version, Digest::of(&now.bytes)),
        );
        let ours = format!("version {} with SHA-256 {}", part.version(), Digest::of(part.bytes()));
        return Err(Refusal::new(&rules::UPLOAD_UNSEEN, found, ours));
    }
    Ok(newer)
}

/// That a served document leads back, by signatures, to the root that went up; where none did, to the one
/// that is served, which `import` judges by the record.
fn signed(load: &Load, seen: &Published, now: &Served, profile: Profile) -> Result<()> {
    let read = |served: &Served| wire::parse(profile, &served.role, &served.bytes);
    let served = seen.current();
    let ours = load.parts.iter().find(|part| part.role == RoleName::Root).map(|part| part.held.clone());
    let mut root = match (ours, served.get(&RoleName::Root)) {
        (Some(ours), _) => ours,
        (None, Some(root)) => read(root)?,
        (None, None) => return Err(unseen()),
    };
    let mut roots: Vec<&Served> = seen.files.values().filter(|file| file.role == RoleName::Root).collect();
    roots.sort_by_key(|root| root.version);
    for next in roots {
        if next.version > root.payload().version() {
            let next = read(next)?;
            check_root(Some(root.payload()), next.payload(), &Verified::new(&next))?;
            root = next;
        }
    }
    let held = read(now)?;
    match now.role {
        RoleName::Root if held.bytes() == root.bytes() => Ok(()),
        RoleName::Root => Err(unseen()),
        RoleName::Delegated(_) => {
            let above = now.role.as_str().rsplit_once('/').map_or("targets", |(above, _)| above);
            let by = served.get(&RoleName::from_name(above)).ok_or_else(unseen)?;
            signed(load, seen, by, profile)?;
            check_role(read(by)?.payload(), held.payload(), &Verified::new(&held))
        }
        _ => check_role(root.payload(), held.payload(), &Verified::new(&held)),
    }
}

fn unseen() -> Refusal {
    Refusal::new(&rules::UPLOAD_UNSEEN, "nothing", "what went up")
}

fn tell(
    args: &Push,
    trust: &Trust,
    load: &Load,
    source: &Source,
    came: &Came,
    served: &BTreeMap<&RoleName, &Served>,
    newer: bool,
) -> Told {
    let (word, said) = match came {
        Came::Before if newer => ("known", "All of it was there before, and newer is served since."),
        Came::Taken if newer => ("taken", "It was taken, and newer is served since."),
        Came::Unanswered if newer => {
            ("observed", "Nobody said how it ended, but it is there, and newer is served since.")
        }
        Came::Before => ("known", "All of it was there before."),
        Came::Taken => ("taken", "It was taken, and what is served is what went up."),
        Came::Unanswered => ("observed", "Nobody said how it ended, but what is served is what went up."),
    };
    let mut table = Table::new(["role", "version", "SHA-256", "served now"]);
    for part in &load.parts {
        let now = served.get(&part.role).map_or_else(String::new, |now| now.version.to_string());
        table.push([part.role.to_string(), part.version().to_string(), Digest::of(part.bytes()).hex(), now]);
    }
    let documents = load.parts.iter().map(|part| {
        object([
            ("role", part.role.to_string().into()),
            ("sha256", Digest::of(part.bytes()).hex().into()),
            ("version", Json::Int(i64::try_from(part.version()).unwrap_or(i64::MAX))),
        ])
    });
    let screen = Screen::new("Push")
        .rehearsal(trust.stage == Stage::Rehearsal)
        .fact("upload", load.manifest.hex())
        .fact("server", source.shown())
        .table(table)
        .callout(Tone::Done, said)
        .next(format!("keyrite -C RECORD import {} takes in receipt and documents.", typed(&args.into)));
    let json = object([
        ("came", word.into()),
        ("documents", documents.collect::<Vec<_>>().into()),
        ("into", shown(&args.into).into()),
        ("newer", newer.into()),
        ("server", source.shown().into()),
        ("upload", load.manifest.hex().into()),
    ]);
    Told::done(screen, json)
}
