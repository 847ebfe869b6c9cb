//! `keyrite rehearse`: the very runbooks, held on throw-away keys, from nothing to what a client
//! accepts. The first thing a newcomer runs, and what CI runs on every commit of the runbooks.
//!
//! A rehearsal has a record of its own, whose collection starts with `rehearsal.invalid/`; what it
//! makes no production backend takes. It walks the same path as the real thing: same runbooks, same
//! kinds, same executor, same record; only the tokens, the people and the backend are played.
//!
//! Of a record that holds something already, the shadow comes about as the record did: each
//! ceremony that it has carried out is held again, in order and at its own time, so that versions
//! and expiries are those of the original and only the keys are others. Of what developers released
//! it has the documents that some change starts from. What shows that the runbooks were rehearsed goes
//! into the record.

mod backend;
mod cast;
pub mod inside;
mod past;
mod released;

use super::arguments::{Rehearse, Stand};
use super::keyring::Keyring;
use super::run::hold;
use super::runbooks::runbook_paths;
use super::session::{Ended, Session, read_text, shown, typed};
use super::table::Table;
use super::{rules, verify};
use crate::ceremony::facts::{Anchor, Stage, Trust};
use crate::ceremony::kinds;
use crate::ceremony::limits::Limits;
use crate::ceremony::runbook::Runbook;
use crate::record::trust_file::{TrustFile, TrustSpec};
use crate::record::{Contents, Inputs, Record};
use crate::tuf::digest::Digest;
use crate::tuf::json::object;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use crate::ui::rehearser::Rehearser;
use crate::ui::screen::{Screen, Tone};
use cast::Cast;
use released::Released;
use std::path::{Path, PathBuf};

/// The first days that keyrite brings along, by file name.
const NOTARY: &[(&str, &str)] = &[
    ("01-root-keys.toml", include_str!("../../../ceremonies/first-day/01-root-keys.toml")),
    ("02-targets-key.toml", include_str!("../../../ceremonies/first-day/02-targets-key.toml")),
    ("03-enroll.toml", include_str!("../../../ceremonies/first-day/03-enroll.toml")),
    ("04-root.toml", include_str!("../../../ceremonies/first-day/04-root.toml")),
    ("05-camera-station.toml", include_str!("../../../ceremonies/first-day/05-camera-station.toml")),
];
const TUF: &[(&str, &str)] = &[
    ("01-root-keys.toml", include_str!("../../../ceremonies/first-day-tuf/01-root-keys.toml")),
    ("02-targets-key.toml", include_str!("../../../ceremonies/first-day-tuf/02-targets-key.toml")),
    ("03-enroll.toml", include_str!("../../../ceremonies/first-day-tuf/03-enroll.toml")),
    ("04-root.toml", include_str!("../../../ceremonies/first-day-tuf/04-root.toml")),
    ("05-camera-station.toml", include_str!("../../../ceremonies/first-day-tuf/05-camera-station.toml")),
];

/// What is rehearsed: of which trust, if of any.
struct Original<'a> {
    profile: Profile,
    collection: String,
    /// The limits that the shadow begins with.
    limits: Limits,
    shadows: Option<TrustId>,
    /// The record, which learns of the rehearsal.
    record: Option<&'a Record>,
    past: Vec<past::Held>,
    /// Developers' documents that the runbooks' changes start from.
    released: Vec<Released>,
}

impl<'a> Original<'a> {
    /// The trust of a record as it is.
    fn of(
        session: &Session,
        record: &'a Record,
        contents: &Contents,
        runbooks: &[(String, Runbook)],
    ) -> Result<Self> {
        let trust = record.trust();
        let mut released = Vec::new();
        for (_, runbook) in runbooks {
            // What can't be planned yet rests on what comes before it, or is refused when it is held.
            let frame = Table::frame(session, runbook, &contents.facts)?;
            let change = kinds::read(runbook).and_then(|kind| kind.change(&frame, &contents.facts));
            if let Ok(change) = change {
                released.extend(released::under(record, contents, &change)?);
            }
        }
        Ok(Self {
            profile: trust.profile,
            collection: trust.collection.clone(),
            limits: record.first_limits()?,
            shadows: Some(trust.id),
            record: Some(record),
            past: past::held(record, contents)?,
            released,
        })
    }
}

/// Runs the command.
pub fn run(session: &Session, args: &Rehearse) -> Result<Ended> {
    let own = own_first_day(session, args).map(|_| &session.directory);
    let record = args.from.as_ref().or(own).map(|from| Record::open(from)).transpose()?;
    let profile = match &record {
        Some(record) => record.trust().profile,
        None => args.profile.map_or(Profile::Notary, super::arguments::ProfileName::profile),
    };
    let runbooks = runbooks(session, args, profile)?;
    let original = original(session, record.as_ref(), profile, own.is_some(), &runbooks)?;
    let into = cast::folder(args);
    if args.on == Stand::Softhsm && !cast::softhsm_is_ours(&into) {
        return cast::again_with_softhsm(&into);
    }
    let out: Box<dyn std::io::Write> =
        if session.json { Box::new(std::io::sink()) } else { Box::new(session.out()) };
    let mut console = Rehearser::new(out);
    if let Some(look) = session.read_on() {
        console = console.on_screen(&look);
    }
    let told = perform(session, args.on, &into, &original, runbooks, &mut console)?;
    session.report(&told.screen().next(real(session, args, record.as_ref())), told.json())?;
    Ok(Ended::Done)
}

/// The line of the real thing.
fn real(session: &Session, args: &Rehearse, record: Option<&Record>) -> String {
    let own = own_first_day(session, args);
    let runbooks = own.as_ref().map_or(&args.runbooks[..], std::slice::from_ref);
    match record {
        Some(record) if !runbooks.is_empty() => {
            let runbooks: Vec<String> = runbooks.iter().map(|path| typed(path)).collect();
            let keyrite = session.keyrite_on(record.path());
            format!("{keyrite} run {}    holds the real thing, with the tokens", runbooks.join(" "))
        }
        _ => "keyrite init    makes the real thing: a dozen questions".to_owned(),
    }
}

/// The first day's runbooks that `init` has made for the record, if nothing else was named.
fn own_first_day(session: &Session, args: &Rehearse) -> Option<PathBuf> {
    let record = args.from.as_ref().unwrap_or(&session.directory);
    let folder = record.join(super::init::FOLDER);
    let asked = args.runbooks.is_empty() && args.profile.is_none();
    (asked && record.join("trust.json").exists() && folder.is_dir()).then_some(folder)
}

fn original<'a>(
    session: &Session,
    record: Option<&'a Record>,
    profile: Profile,
    first_day: bool,
    runbooks: &[(String, Runbook)],
) -> Result<Original<'a>> {
    let (past, released) = (Vec::new(), Vec::new());
    let Some(record) = record else {
        let (collection, limits) = ("updates.example.com/apps".to_owned(), Limits::default_for(profile));
        return Ok(Original { profile, collection, limits, shadows: None, record: None, past, released });
    };
    let contents = record.read_all(session.now()?, &Inputs::default())?;
    if !first_day {
        return Original::of(session, record, &contents, runbooks);
    }
    // The first day is rehearsed from nothing, whether it was held or not.
    let (limits, trust) = (contents.facts.limits, record.trust());
    let (collection, shadows) = (trust.collection.clone(), Some(trust.id));
    Ok(Original { profile, collection, limits, shadows, record: Some(record), past, released })
}

fn runbooks(session: &Session, args: &Rehearse, profile: Profile) -> Result<Vec<(String, Runbook)>> {
    let own = own_first_day(session, args);
    if args.runbooks.is_empty() && own.is_none() {
        let built_in = if profile == Profile::Notary { NOTARY } else { TUF };
        return built_in.iter().map(|(name, text)| Ok(((*name).to_owned(), Runbook::parse(text)?))).collect();
    }
    let paths = runbook_paths(own.as_ref().map_or(&args.runbooks, std::slice::from_ref))?;
    let read = |path: &PathBuf| {
        let name = path.file_name().map_or_else(|| shown(path), |n| visible(&n.to_string_lossy()));
        Ok((name, Runbook::parse(&read_text(path)?).map_err(|r| r.at(shown(path)))?))
    };
    paths.iter().map(read).collect()
}

fn perform<W: std::io::Write>(
    session: &Session,
    on: Stand,
    into: &Path,
    original: &Original<'_>,
    runbooks: Vec<(String, Runbook)>,
    console: &mut Rehearser<W>,
) -> Result<Told> {
    console.say("REHEARSAL: throw-away keys, played people, a played backend. Nothing here protects anyone.");
    let mut limits = original.limits.clone();
    let all = || original.past.iter().map(|held| &held.runbook).chain(runbooks.iter().map(|(_, r)| r));
    cast::online_keys(all(), original.profile, &mut limits);
    let folder = fresh(into)?;
    let trust = create(session, original, &limits, &folder)?;
    let mut cast = Cast::new(session, &folder, on, &trust)?;
    for runbook in all() {
        cast.learn(runbook)?;
    }
    let (map, mut backend) = cast.map()?;
    let mut table = Table {
        record: Record::open(&folder.join("record"))?,
        keyring: Keyring::new(Some(map), session.randomness()),
        server: None,
    };
    cast.tokens(console, &mut table.keyring)?;
    cast.enrolments(console, &mut table.keyring, &trust, &mut backend)?;
    past::hold_again(session, &mut table, &original.past, &mut backend, console)?;
    let before = table.contents(session)?.transcripts;
    let released = released::bring(session, &mut table, &original.released, console)?;
    if released > 0 {
        console.say(&format!("\nDevelopers' documents that the runbooks start from: {released}"));
        backend.take(session, &mut table, console)?;
    }
    let mut held = 0_usize;
    for (name, runbook) in runbooks {
        console.say(&format!("\n{name}: {}", runbook.title));
        if hold_quietly(session, &mut table, runbook, console)? {
            held = held.saturating_add(1);
        } else {
            console.say("    nothing is due: all that it asks for is so already");
        }
        anchor(session, &mut table)?;
        backend.take(session, &mut table, console)?;
    }
    console.say("\nWhat a client sees, fresh from the backend:");
    let any = released > 0 || original.past.iter().any(|held| !held.released.is_empty());
    for line in backend.client(session, &mut table, any)? {
        console.say(&format!("    {line}"));
    }
    let contents = table.contents(session)?;
    if let Some((place, refusal)) = verify::problems(&contents).into_iter().next() {
        return Err(refusal.at(place));
    }
    console.say("\nThe record verifies: every signature, digest, threshold and transcript.");
    if let Some(record) = original.record {
        let sessions = contents.transcripts.iter().filter(|(id, _)| !before.contains_key(*id));
        let sessions = sessions.map(|(id, transcript)| (*id, transcript.clone())).collect();
        record.add_rehearsal(&table.record, &sessions)?;
        console.say("The rehearsal is noted in the record, for limits that demand one.");
    }
    let root = contents.facts.roots.last().map(|r| (r.version(), r.payload().digest()));
    Ok(Told { held, root, folder })
}

/// Each step of a rehearsal knows the root that the step before made, as people do from paper.
fn anchor(session: &Session, table: &mut Table) -> Result<()> {
    let contents = table.contents(session)?;
    let newest =
        contents.facts.roots.last().map(|r| Anchor { version: r.version(), payload: r.payload().digest() });
    if let Some(map) = table.keyring.map_mut() {
        map.anchor = newest;
    }
    Ok(())
}

/// Holds one; false where nothing was due.
fn hold_quietly<W: std::io::Write>(
    session: &Session,
    table: &mut Table,
    runbook: Runbook,
    console: &mut Rehearser<W>,
) -> Result<bool> {
    let title = runbook.title.clone();
    let report = hold(session, table, vec![(PathBuf::new(), runbook)], console)?;
    if report.ended() == Ended::Done {
        return Ok(report.did_something());
    }
    let people: Vec<_> = report.people().iter().map(ToString::to_string).collect();
    Err(Refusal::new(
        &rules::REHEARSAL_STUCK,
        format!("\"{}\", which waits for {}", visible(&title), people.join(", ")),
        "runbooks that the folder's own keys can carry out",
    ))
}

fn fresh(into: &Path) -> Result<PathBuf> {
    let used = std::fs::read_dir(into)
        .is_ok_and(|entries| entries.flatten().any(|e| !cast::is_softhsm(&e.file_name())));
    if used {
        return Err(Refusal::new(
            &rules::FILE_EXISTS,
            format!("{}, which is not empty", shown(into)),
            "a folder that is new or empty",
        ));
    }
    std::fs::create_dir_all(into).map_err(|e| {
        Refusal::new(&rules::FILE_WRITE, format!("{}: {e}", shown(into)), "a folder that can be made")
    })?;
    Ok(into.to_owned())
}

fn create(session: &Session, original: &Original<'_>, limits: &Limits, folder: &Path) -> Result<Trust> {
    let toml = limits.to_toml();
    let file = TrustFile::new(&TrustSpec {
        profile: original.profile,
        collection: format!(
            "rehearsal.invalid/{}",
            original.collection.trim_start_matches("rehearsal.invalid/")
        ),
        stage: Stage::Rehearsal,
        limits: Digest::of(toml.as_bytes()),
        shadows: original.shadows,
        start: None,
        nonce: session.random::<32>()?,
    })?;
    Record::create(&folder.join("record"), &file, toml.as_bytes())?;
    Ok(file.trust().clone())
}

/// What is told at the end.
struct Told {
    held: usize,
    root: Option<(u64, Digest)>,
    folder: PathBuf,
}

impl Told {
    fn screen(&self) -> Screen {
        let record = typed(&self.folder.join("record"));
        let mut screen = Screen::new("The rehearsal is over").rehearsal(true).callout(
            Tone::Done,
            format!("{} runbooks were held; a client accepted what they made", self.held),
        );
        if let Some((version, payload)) = self.root {
            screen = screen.digest(format!("payload of root {version}"), payload);
            screen = screen.next(format!(
                "keyrite -C {record} verify --anchor {version}:{payload}    checks it all again"
            ));
        }
        screen.next(format!("keyrite -C {record} status    shows roles, keys and what is due"))
    }

    fn json(&self) -> crate::tuf::json::Json {
        let (version, payload) = self.root.unzip();
        object([
            ("record", shown(&self.folder.join("record")).into()),
            ("held", i64::try_from(self.held).unwrap_or(i64::MAX).into()),
            (
                "root",
                version.and_then(|v| i64::try_from(v).ok()).map_or(crate::tuf::json::Json::Null, Into::into),
            ),
            ("payload", payload.map_or(crate::tuf::json::Json::Null, |p| p.hex().into())),
        ])
    }
}
