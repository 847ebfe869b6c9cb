//! The machine and the day: what a session finds of both before it begins.
//!
//! In production a person types today's date, and the host's clock must agree: every date of a
//! change is counted from that clock, and a machine that was in a drawer for a year has a wrong one.
//! What the machine is like is shown and recorded, not judged: who watches decides. But root is signed,
//! root keys are made, and keys leave and enter tokens, in production only where no network interface
//! is up; and no module connects beyond this machine but where limits say.
//!
//! Never: a secret in a process that could still give it up. Where keys of one's own may be used, the
//! process is confined ([`machine`](crate::system::machine)) before anyone is asked for a PIN.

use super::aside;
use super::keyring::Keyring;
use super::rules;
use super::session::Session;
use crate::ceremony::change::{Change, Item, Purpose};
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::limits::Limits;
use crate::ceremony::rules::CLOCK;
use crate::ceremony::step;
use crate::ceremony::transcript::Transcript;
use crate::record::{Contents, Record};
use crate::system::machine::Confined;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time, Unit};
use crate::ui::screen::Screen;
use crate::ui::{Console, Prompt, ask_until};
use std::collections::BTreeMap;

/// The name of the question, also in answers files.
pub const TODAY: &str = "today";
/// Time zones, and clocks of several laptops: how far dates may be apart.
const APART: Term = Term::new(1, Unit::Days);
/// The words of the question.
const QUESTION: &str = "What is today's date, by a calendar and not by this machine?";

/// Refuses to sign a root in production, to make its keys, to let keys or wrap keys out of tokens or in,
/// or anything where the limits in force say so, while a network interface is up, or where the system
/// doesn't say.
///
/// # Errors
///
/// `NETWORK-UP`.
pub fn offline(session: &Session, change: &Change, facts: &Facts) -> Result<()> {
    let root = change.documents().any(|document| *document.role() == RoleName::Root);
    let demanded = root || change.items.iter().any(bares) || facts.limits.ceremony.offline;
    if facts.trust.stage == Stage::Production && demanded { network(session) } else { Ok(()) }
}

/// Whether a private key of root comes into being by it, or any is outside a token, wrapped or in shares.
fn bares(item: &Item) -> bool {
    match item {
        Item::NewKey(new) => new.purpose == Purpose::Root,
        Item::Shares(_) | Item::KeyCopy { .. } | Item::Restored(_) => true,
        _ => false,
    }
}

/// Refuses modules that connect beyond this machine where the limits in force don't say so.
///
/// # Errors
///
/// `CONNECTION`.
pub fn connections(keyring: &Keyring, limits: &Limits) -> Result<()> {
    let allowed = &limits.ceremony.connections;
    let Some((module, address)) =
        keyring.connections().find(|(_, address)| !address.is_here() && !allowed.contains(address))
    else {
        return Ok(());
    };
    let named: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    let expected = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    Err(Refusal::new(
        &rules::CONNECTION,
        format!("the module {}, which connects to {address}", visible(module)),
        format!("this machine, or what the limits in force allow: {expected}"),
    ))
}

/// Refuses to begin in production without what must be there before the process is confined, and without
/// what [`offline`] demands.
///
/// # Errors
///
/// `NETWORK-UP`, `COPIES-FOLDER`; `CARDS-FOLDER`, in a rehearsal too.
pub fn ready(session: &Session, keyring: &Keyring, change: &Change, facts: &Facts) -> Result<()> {
    offline(session, change, facts)?;
    keyring.cards_ready(change)?;
    if facts.trust.stage == Stage::Production { keyring.copies_ready(change) } else { Ok(()) }
}

/// Refuses while a network interface is up, whatever it is that must be done offline.
///
/// # Errors
///
/// `NETWORK-UP`.
pub fn network(session: &Session) -> Result<()> {
    let interfaces = session.interfaces();
    if interfaces.offline() {
        return Ok(());
    }
    let found = format!("the network interfaces: {}", interfaces.words());
    Err(Refusal::new(&rules::NETWORK_UP, found, "none that is up, but for the machine's own loop"))
}

/// Looks at the machine, and in production has a person say what day it is, and confines the process
/// where there is a keyring. Gives what the session's first entry says of all that.
///
/// # Errors
///
/// What reading the deeds refuses; `CONNECTION`; `CONFINEMENT`; `CLOCK` if host and person are more than a
/// day apart, or a transcript of the record ends more
/// than a day from now.
pub fn settle(
    session: &Session,
    record: &Record,
    contents: &Contents,
    keyring: Option<&Keyring>,
    console: &mut dyn Console,
) -> Result<BTreeMap<String, String>> {
    let mut found = session.machine();
    let now = session.now()?;
    aside::tell(session, contents, &|change| record.deeds(change), console)?;
    if contents.facts.trust.stage == Stage::Rehearsal {
        return Ok(found);
    }
    if let Some(keyring) = keyring {
        connections(keyring, &contents.facts.limits)?;
        found.extend(keyring.load_modules());
        let confined = session.confine(|| keyring.needs(record.path(), session.program_path()));
        if let Some(confined) = confined {
            enough(confined, &contents.facts.limits)?;
            found.extend(confined.findings());
        }
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

/// Refuses a process that could not give up all that the limits in force demand.
///
/// # Errors
///
/// `CONFINEMENT`.
pub fn enough(confined: &Confined, limits: &Limits) -> Result<()> {
    let missing = confined.missing();
    if !limits.ceremony.confined || missing.is_empty() {
        return Ok(());
    }
    let expected = "full confinement, which the limits in force demand";
    Err(Refusal::new(&rules::CONFINEMENT, format!("not reached here: {}", missing.join(", ")), expected))
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
}
