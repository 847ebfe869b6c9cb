//! `keyrite import`: takes in what came back on a medium.
//!
//! Bad files stay on the medium and are named with their rule; what is good is taken all the same,
//! because one damaged file must not hold up a ceremony.

use super::arguments::Import;
use super::gated;
use super::rules;
use super::session::{Ended, Session, shown};
use crate::ceremony::facts::Stage;
use crate::record::manifest::Manifest;
use crate::record::names::Place;
use crate::record::receipt::{Answer, Receipt};
use crate::record::take_in::ImportReport;
use crate::record::{Contents, Inputs, Media, Record};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Runs the command.
///
/// # Errors
///
/// `IMPORT-EMPTY` if there is nothing of a record; the rule of the first file that was left, if
/// every one was; what [`Record::import`] refuses.
pub fn run(session: &Session, args: &Import) -> Result<Ended> {
    let record = Record::open(&session.directory)?;
    record.lock()?;
    let media = Media::open(&args.from)?;
    let report = record.import(&media, session.now()?)?;
    let contents = record.read_all(session.now()?, &Inputs::default())?;
    observe(session, &record, &report, &contents)?;
    let from = shown(&args.from);
    let nothing = report.taken.is_empty() && report.known == 0;
    let refusal = match report.left.first() {
        Some((name, why)) if nothing => {
            let many = report.left.len();
            Some(why.clone().at(visible(name)).at(format!("nothing was taken from {from}, {many} left")))
        }
        None if nothing => {
            Some(Refusal::new(&rules::IMPORT_EMPTY, format!("nothing in {from}"), "files of a record"))
        }
        _ => None,
    };
    let rehearsal = record.trust().stage == Stage::Rehearsal;
    match refusal {
        // With --json the refusal is the one object on stdout.
        Some(refusal) if session.json || report.left.is_empty() => Err(refusal),
        Some(refusal) => {
            session.report(&screen(&report, &from, rehearsal), json(&report))?;
            Err(refusal)
        }
        None => {
            let screen = with_signatures(screen(&report, &from, rehearsal), &report, &contents);
            session.report(&screen, json(&report))?;
            Ok(Ended::Done)
        }
    }
}

/// What clients will make of the changes for which signatures have come in, as they are signed now.
pub(super) fn with_signatures(screen: Screen, report: &ImportReport, contents: &Contents) -> Screen {
    let signed = report.taken.iter().filter_map(|place| match place {
        Place::Signature(change, ..) => Some(change),
        _ => None,
    });
    let signed: BTreeSet<_> = signed.collect();
    let stored = signed.into_iter().filter_map(|change| contents.changes.get(change));
    stored.fold(screen, |screen, stored| gated::shown(screen, stored, contents))
}

/// Notes that the backend was asked today, if what came in is what clients get now: the newest
/// trusted timestamp, still valid, and the documents of an upload of ours. Later ceremonies ask for
/// a record that is recent enough.
fn observe(session: &Session, record: &Record, report: &ImportReport, contents: &Contents) -> Result<()> {
    let at = session.now()?;
    let Some(timestamp) = contents.facts.documents.get(&RoleName::Timestamp) else { return Ok(()) };
    let served = report.served.get(&RoleName::Timestamp).map(|(_, file)| *file);
    if served != Some(Digest::of(timestamp.bytes())) || timestamp.document().header().expires <= at {
        return Ok(());
    }
    // What went up, or what developers have published over it since.
    let versions: BTreeMap<Digest, u64> = contents.history.iter().map(|d| (d.file, d.version)).collect();
    let of_upload = |manifest: &Manifest| {
        let mut lines = manifest.files.values().filter_map(|line| Some((line.role.as_ref()?, line.sha)));
        let newer = |version: u64, sha: Digest| versions.get(&sha).is_some_and(|own| *own < version);
        lines.all(|(role, sha)| {
            report.served.get(role).is_some_and(|(version, file)| *file == sha || newer(*version, sha))
        })
    };
    let Some((manifest, _)) = contents.uploads.iter().find(|(_, upload)| of_upload(&upload.manifest)) else {
        return Ok(());
    };
    let map = session.map()?;
    record.add_receipt(&Receipt {
        trust: record.trust().id,
        at,
        manifest: *manifest,
        result: Answer::Observed,
        served: report.served.clone(),
        server: map.and_then(|map| map.backend).unwrap_or_else(|| "unknown".to_owned()),
    })?;
    Ok(())
}

/// What was taken in, and what was left.
pub(super) fn screen(report: &ImportReport, from: &str, rehearsal: bool) -> Screen {
    let mut screen = Screen::new("Import")
        .rehearsal(rehearsal)
        .fact("from", from)
        .fact("taken", report.taken.len().to_string())
        .fact("known before", report.known.to_string())
        .fact("left there", report.left.len().to_string());
    if !report.taken.is_empty() {
        let mut table = Table::new(["new in the record", "files"]);
        for (folder, many) in report.by_folder() {
            table.push([folder, many.to_string()]);
        }
        screen = screen.table(table);
    }
    if !report.left.is_empty() {
        let mut table = Table::new(["left there", "rule", "why"]);
        for (name, why) in &report.left {
            table.push([visible(name), why.rule().name.to_owned(), why.found().to_owned()]);
        }
        screen = screen
            .callout(Tone::Careful, "Some files were not taken. Ask whoever prepared the medium.")
            .table(table);
    }
    let tone = if report.taken.is_empty() { Tone::Note } else { Tone::Done };
    let said = match (report.taken.is_empty(), report.known) {
        (false, _) => "What is good is in the record.",
        (true, 0) => "Nothing was taken.",
        (true, _) => "Everything that is good was in the record before.",
    };
    screen.callout(tone, said).next("keyrite status says what waits for whom.")
}

/// The same for scripts.
pub(super) fn json(report: &ImportReport) -> Json {
    let left = report.left.iter().map(|(name, why)| {
        object([
            ("expected", why.expected().into()),
            ("found", why.found().into()),
            ("name", visible(name).into()),
            ("rule", why.rule().name.into()),
        ])
    });
    object([
        ("known", i64::try_from(report.known).unwrap_or(i64::MAX).into()),
        ("left", left.collect::<Vec<_>>().into()),
        ("taken", report.taken.iter().map(|p| p.to_string().into()).collect::<Vec<Json>>().into()),
    ])
}
