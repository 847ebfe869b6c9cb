//! `keyrite preflight`: what a ceremony would find here, before the people come. It looks at the machine,
//! loads the modules of one's own keys, gives up what a ceremony gives up, and lists the tokens then: one
//! that a confined process doesn't reach is noticed before the day.
//!
//! Never: a PIN asked for, anything written.

use super::arguments::Preflight;
use super::cards::{self, CardsFolder};
use super::keyring::Keyring;
use super::opening;
use super::session::{Ended, Session, shown};
use super::table::Table;
use crate::ceremony::facts::Stage;
use crate::ceremony::rules::CLOCK;
use crate::ceremony::transcript::Transcript;
use crate::record::Contents;
use crate::system::machine::{Confined, Needs};
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time, Unit};
use crate::ui::screen::{Screen, Tone};
use std::collections::BTreeMap;

/// As far apart as clocks of several laptops may be.
const APART: Term = Term::new(1, Unit::Days);

/// Runs the command.
pub fn run(session: &Session, _args: &Preflight) -> Result<Ended> {
    let now = session.now()?;
    let program = session.program()?;
    let mut found = session.machine();
    let mut problems: Vec<Refusal> = Vec::new();
    let (keyring, stage, limits) = if session.directory.join("trust.json").exists() {
        let mut table = Table::open(session)?;
        let contents = table.contents(session)?;
        let (clock, wrong) = clock(now, &contents)?;
        found.insert("clock".to_owned(), clock);
        problems.extend(wrong);
        (table.keyring, Some(contents.facts.trust.stage), Some(contents.facts.limits))
    } else {
        found.insert("clock".to_owned(), format!("{now}, and no record here to compare it with"));
        (Keyring::new(session.map()?, session.randomness()), None, None)
    };
    // A confined process sees no swap.
    if let Some(folder) = keyring.map().and_then(|map| map.cards.as_deref()) {
        let ready = CardsFolder::open(folder);
        let finding = if ready.is_ok() { "may be written there" } else { "NOT written there" };
        found.insert("pages of cards".to_owned(), format!("{finding}: {}", shown(folder)));
        problems.extend(ready.err());
    }
    let pages = cards::left_over(keyring.map());
    found.extend(keyring.load_modules());
    let confined = session.confine(|| Needs {
        read: vec![session.directory.clone()],
        ..keyring.needs(&session.directory, session.program_path())
    });
    found.extend(confined.map(Confined::findings).unwrap_or_default());
    if stage != Some(Stage::Rehearsal) {
        problems.extend(opening::network(session).err());
        problems.extend(limits.as_ref().and_then(|limits| opening::connections(&keyring, limits).err()));
        let demand = confined.zip(limits.as_ref());
        problems.extend(demand.and_then(|(confined, limits)| opening::enough(confined, limits).err()));
    }
    let tokens = keyring.seen();

    let mut screen = Screen::new("Before a ceremony on this machine")
        .rehearsal(stage == Some(Stage::Rehearsal))
        .fact("program", format!("keyrite {}", program.version))
        .digest("its SHA-256", program.digest);
    for (what, finding) in &found {
        screen = screen.fact(what.as_str(), finding.as_str());
    }
    screen = screen.heading("Tokens, as a confined process sees them");
    if tokens.is_empty() {
        screen = screen.text("The device map names no PKCS#11 module.");
    }
    for (what, finding) in &tokens {
        screen = screen.fact(what.as_str(), finding.as_str());
    }
    if let Some(pages) = &pages {
        found.insert("pages left".to_owned(), pages.clone());
        screen = screen.callout(Tone::Careful, pages.as_str());
    }
    for problem in &problems {
        screen = screen.callout(Tone::Careful, format!("{problem}; {}", problem.rule().next));
    }
    if problems.is_empty() {
        screen = screen.callout(Tone::Done, "nothing here would stop a ceremony");
    }
    session.report(&screen, json(&program.version, &program.digest.hex(), &found, &tokens, &problems))?;
    Ok(if problems.is_empty() { Ended::Done } else { Ended::Refused })
}

/// The clock beside the record's last session; refused as a session would refuse it.
fn clock(now: Time, contents: &Contents) -> Result<(String, Option<Refusal>)> {
    let last = contents.transcripts.values().flat_map(Transcript::entries).map(|(entry, _)| entry.at).max();
    let Some(last) = last else { return Ok((format!("{now}; the record has no session yet"), None)) };
    let finding = format!("{now}; the record's last session was at {last}");
    if last.minus(APART)? <= now {
        return Ok((finding, None));
    }
    Ok((
        finding.clone(),
        Some(Refusal::new(&CLOCK, finding, "a day that is not before the previous session's")),
    ))
}

fn json(
    version: &str,
    digest: &str,
    found: &BTreeMap<String, String>,
    tokens: &BTreeMap<String, String>,
    problems: &[Refusal],
) -> Json {
    let map = |map: &BTreeMap<String, String>| {
        Json::Object(map.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect())
    };
    let problems = problems.iter().map(|refusal| {
        object([
            ("rule", refusal.rule().name.into()),
            ("found", refusal.found().into()),
            ("expected", refusal.expected().into()),
        ])
    });
    object([
        ("program", object([("version", visible(version).as_str().into()), ("sha256", digest.into())])),
        ("machine", map(found)),
        ("tokens", map(tokens)),
        ("problems", problems.collect::<Vec<_>>().into()),
    ])
}
