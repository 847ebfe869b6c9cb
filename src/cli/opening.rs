//! The machine and the day: what a session finds of both before it begins.
//!
//! In production a person types today's date, and the host's clock must agree: every date of a
//! change is counted from that clock, and a machine that was in a drawer for a year has a wrong one.
//! What the machine is like is shown and recorded, not judged: who watches decides.

use super::aside;
use super::session::Session;
use crate::ceremony::facts::Stage;
use crate::ceremony::rules::CLOCK;
use crate::ceremony::step;
use crate::ceremony::transcript::Transcript;
use crate::record::{Contents, Record};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time, Unit};
use crate::ui::screen::Screen;
use crate::ui::{Console, Prompt, ask_until};
use rustix::process::{DumpableBehavior, Resource};
use std::collections::BTreeMap;
use std::fs;

/// The name of the question, also in answers files.
pub const TODAY: &str = "today";
/// Time zones, and clocks of several laptops: how far dates may be apart.
const APART: Term = Term::new(1, Unit::Days);
/// The words of the question.
const QUESTION: &str = "What is today's date, by a calendar and not by this machine?";

/// Looks at the machine, and in production has a person say what day it is. Gives what the
/// session's first entry says of both.
///
/// # Errors
///
/// `CLOCK` if host and person are more than a day apart, or a transcript of the record ends more
/// than a day from now.
pub fn settle(
    session: &Session,
    record: &Record,
    contents: &Contents,
    console: &mut dyn Console,
) -> Result<BTreeMap<String, String>> {
    let mut found = session.machine();
    let now = session.now()?;
    aside::tell(session, contents, &|change| record.deeds(change).unwrap_or_default(), console)?;
    if contents.facts.trust.stage == Stage::Rehearsal {
        return Ok(found);
    }
    let mut screen = Screen::new("Before the session").fact("this machine's clock", now.to_string());
    for (what, finding) in &found {
        screen = screen.fact(what.as_str(), finding.as_str());
    }
    console.show(&screen)?;
    let prompt =
        Prompt::new(TODAY, QUESTION).help("As 2026-11-22. A wrong clock would date everything wrong.");
    let typed = ask_until(console, &prompt, day)?;
    agree(now, typed)?;
    let last = contents.transcripts.values().flat_map(Transcript::entries).map(|(entry, _)| entry.at).max();
    if let Some(last) = last.filter(|last| last.minus(APART).is_ok_and(|earliest| earliest > now)) {
        return Err(Refusal::new(
            &CLOCK,
            format!("{now}, and a transcript of this record with an entry at {last}"),
            "a day that is not before the previous session's",
        ));
    }
    found.insert(TODAY.to_owned(), format!("{} as typed, {now} by this machine", typed.date()));
    Ok(found)
}

/// The question as plans list it, where it will be asked.
pub fn prompt(stage: Stage) -> Option<step::Prompt> {
    (stage == Stage::Production).then(|| step::Prompt {
        id: step::StepId(TODAY.to_owned()),
        who: None,
        meaning: QUESTION.to_owned(),
        expect: step::Expect::Day,
    })
}

fn agree(now: Time, typed: Time) -> Result<()> {
    let host = day(&now.date())?;
    if host.plus(APART)? >= typed && typed.plus(APART)? >= host {
        return Ok(());
    }
    Err(Refusal::new(
        &CLOCK,
        format!("{} by this machine, and {} as typed", now.date(), typed.date()),
        "the same day, give or take one",
    ))
}

/// Reads a day.
fn day(text: &str) -> Result<Time> {
    let text = text.trim();
    format!("{text}T00:00:00Z").parse().map_err(|_: Refusal| {
        let found = format!("\"{}\"", visible(text));
        Refusal::new(&crate::ceremony::rules::ANSWER_WRONG, found, "a day as 2026-11-22")
    })
}

/// What the machine is like, by name.
pub fn machine() -> BTreeMap<String, String> {
    let core = rustix::process::getrlimit(Resource::Core);
    let core = if core.current == Some(0) { "off" } else { "ON" };
    let memory = match rustix::process::dumpable_behavior() {
        Ok(DumpableBehavior::NotDumpable) => "closed to other programs",
        _ => "OPEN to other programs of the same user",
    };
    let clock = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let found = [
        ("core dumps", core.to_owned()),
        ("memory", memory.to_owned()),
        ("swap", swap(&read("/proc/swaps").unwrap_or_default())),
        ("network", network()),
        ("clock source", clock.map_or_else(|| "unknown".to_owned(), |name| visible(name.trim()))),
    ];
    found.into_iter().map(|(name, finding): (&str, String)| (name.to_owned(), finding)).collect()
}

/// The devices of `/proc/swaps`, whose first line is a heading.
fn swap(table: &str) -> String {
    let devices: Vec<_> =
        table.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(visible).collect();
    match (table.is_empty(), devices.is_empty()) {
        (true, _) => "unknown".to_owned(),
        (false, true) => "none".to_owned(),
        (false, false) => format!("ON: {}", devices.join(", ")),
    }
}

/// The interfaces that are up, but for the machine's own loop.
fn network() -> String {
    let Ok(entries) = fs::read_dir("/sys/class/net") else { return "unknown".to_owned() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let up = |name: &String| {
        let state = read(&format!("/sys/class/net/{name}/operstate")).unwrap_or_default();
        name != "lo" && state.trim() != "down"
    };
    let mut up: Vec<_> = names.filter(up).map(|name| visible(&name)).collect();
    up.sort();
    if up.is_empty() { "none is up".to_owned() } else { format!("UP: {}", up.join(", ")) }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_machine_and_the_person_may_be_a_day_apart_and_no_more() {
        let now: Time = "2026-11-22T23:30:00Z".parse().unwrap();
        for (typed, fits) in [
            ("2026-11-20", false),
            ("2026-11-21", true),
            ("2026-11-22", true),
            (" 2026-11-23 ", true),
            ("2026-11-24", false),
            ("2025-11-22", false),
        ] {
            let verdict = agree(now, day(typed).unwrap());
            assert_eq!(verdict.is_ok(), fits, "{typed}: {verdict:?}");
        }
        for typed in ["", "22.11.2026", "2026-11-31", "2026-11-22T00:00:00Z", "today"] {
            assert_eq!(day(typed).unwrap_err().rule().name, "ANSWER-WRONG", "{typed}");
        }
    }

    #[test]
    fn swap_is_read_from_the_kernels_table() {
        let heading = "Filename\t\t\t\tType\t\tSize\n";
        assert_eq!(swap(""), "unknown");
        assert_eq!(swap(heading), "none");
        let table = format!("{heading}/dev/dm-1  partition  8388604\n/swap\\040file file 1\n");
        assert_eq!(swap(&table), "ON: /dev/dm-1, /swap\\u{5c}040file");
    }

    #[test]
    fn this_very_process_is_found_as_it_is() {
        let found = machine();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["clock source", "core dumps", "memory", "network", "swap"]);
        // Nothing has made the test's own process safe for secrets.
        assert!(found.values().any(|finding| finding.starts_with("OPEN")), "{found:?}");
    }
}
