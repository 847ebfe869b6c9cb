//! `keyrite sign`: a custodian's way. What waits for my tokens is explained, computed again from my
//! own copy of the record, agreed to, and signed or refused with a reason.

use super::arguments::Sign;
use super::external;
use super::gated;
use super::opening;
use super::perform::journal::Of;
use super::perform::{Agenda, Outcome, Room};
use super::recomputed::recomputed;
use super::session::{Ended, Session};
use super::table::Table;
use crate::ceremony::gate;
use crate::ceremony::messages;
use crate::ceremony::people::KeyName;
use crate::ceremony::rules;
use crate::ceremony::standing::{Standing, State};
use crate::ceremony::step::{self, Act, Step, StepId, TokenAct};
use crate::ceremony::transcript::{EndState, Outcome as Said};
use crate::record::{Contents, SignedStatement, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::key::Scheme;
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::ui::screen::{Screen, Tone};
use crate::ui::{Console, Prompt};
use std::collections::BTreeSet;

/// The question of `sign --refuse`.
const REASON: &str = "refuse.reason";

/// Runs the command.
pub fn run(session: &Session, args: &Sign) -> Result<Ended> {
    let directory = args.from.as_ref().unwrap_or(&session.directory);
    let mut table = Table::open_at(session, directory)?;
    table.record.lock()?;
    if let Some(key) = &args.external {
        return external::run(session, &mut table, args, key);
    }
    let contents = table.contents(session)?;
    let waiting: Vec<StoredChange> = contents
        .changes
        .values()
        .filter(|stored| may_sign(stored, &contents))
        .filter(|stored| !mine(&table, stored).is_empty())
        .cloned()
        .collect();
    // One planted change must not keep anyone from signing the others.
    let (waiting, unsound): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|stored| recomputed(stored, &contents).is_ok());
    if let (true, Some(first)) = (waiting.is_empty(), unsound.first()) {
        recomputed(first, &contents)?;
    }
    if waiting.is_empty() {
        broken(&contents)?;
        let mut screen = Screen::new("Nothing waits for your keys")
            .rehearsal(table.rehearsal())
            .text("No open change in this record asks a key of your device map to sign.");
        for line in too_late(&table, &contents) {
            screen = screen.callout(Tone::Note, line);
        }
        let screen = in_vault(session, args, &table, &contents, screen)
            .next("keyrite status    shows what is open, and who is still needed");
        session.report(&screen, object([("signed", Json::Array(Vec::new()))]))?;
        return Ok(Ended::Done);
    }
    if !args.refuse {
        let ready =
            |stored: &StoredChange| opening::ready(session, &table.keyring, &stored.change, &contents.facts);
        waiting.iter().try_for_each(ready)?;
    }
    let mut console = session.console(&args.answers)?;
    let parts: Vec<_> = waiting.iter().map(|stored| stored.digest.hex()).collect();
    let own: Vec<_> = opening::prompt(contents.facts.trust.stage).into_iter().map(|p| p.id).collect();
    console.parts(&parts, &own)?;
    let people = waiting.iter().flat_map(|s| s.change.frame.people.clone()).collect();
    let digests = waiting.iter().map(|s| s.change.frame.runbook).collect();
    let host = opening::settle(session, &table.record, &contents, Some(&table.keyring), console.as_mut())?;
    let mut journal = Some(table.begin(session, &contents, people, digests, host)?);
    let mut done = Vec::new();
    let mut unanswered = Vec::new();
    for stored in &waiting {
        let contents = table.contents(session)?;
        let Some(begun) = journal.take() else { break };
        let (end, journal_back) =
            one(session, &mut table, &contents, stored, console.as_mut(), begun, args.refuse);
        journal = Some(journal_back);
        match end {
            Ok(None) => unanswered.push(stored),
            Ok(_) if !args.refuse => {
                // What the record holds, not what was meant to be done.
                let contents = table.contents(session)?;
                let still = contents.changes.get(&stored.digest).map(|s| mine(&table, s)).unwrap_or_default();
                let signed = mine(&table, stored).into_iter().filter(|key| !still.contains(key));
                done.extend(signed.map(|key| format!("{key} has signed: {}", stored.change.frame.title)));
            }
            Ok(lines) => done.extend(lines.into_iter().flatten()),
            Err(refusal) => {
                if let Some(mut journal) = journal {
                    table.end(session, &mut journal, EndState::Refused, Vec::new())?;
                }
                return Err(refusal);
            }
        }
    }
    if let Some(mut journal) = journal {
        table.end(session, &mut journal, EndState::Done, Vec::new())?;
    }
    let mut screen = Screen::new("Your part is done").rehearsal(table.rehearsal());
    for stored in &unsound {
        let what = format!("not signed, since it does not come out of its runbook here: {}", stored.digest);
        screen = screen.callout(Tone::Careful, what);
    }
    for stored in &unanswered {
        let what = format!("not signed, since the answers have no table [{}]", stored.digest);
        screen = screen.callout(Tone::Careful, format!("{what}: {}", stored.change.frame.title));
    }
    for line in &done {
        screen = screen.callout(Tone::Done, line.as_str());
    }
    let contents = table.contents(session)?;
    for stored in &waiting {
        // Whoever signs last sees whether clients will take what is signed now.
        let now = contents.changes.get(&stored.digest).filter(|_| !done.is_empty());
        screen = now.into_iter().fold(screen, |screen, stored| gated::shown(screen, stored, &contents));
    }
    screen = in_vault(session, args, &table, &contents, screen);
    screen = screen.next("hand this folder back to the administrator, who runs: keyrite import DIR");
    let json = object([("signed", done.iter().map(|d| Json::from(d.as_str())).collect::<Vec<_>>().into())]);
    session.report(&screen, json)?;
    Ok(if unanswered.is_empty() { Ended::Done } else { Ended::Incomplete })
}

/// Refuses for a change of which not every file is here as it was planned: who was sent it to sign
/// must not read that nothing waits.
fn broken(contents: &Contents) -> Result<()> {
    let whole: BTreeSet<String> = contents.changes.keys().map(Digest::hex).collect();
    let of_change = |place: &str| {
        let folder = place.strip_prefix("changes/").and_then(|rest| rest.split('/').next());
        folder.is_some_and(|folder| !whole.contains(folder))
    };
    match contents.findings.iter().find(|(place, _)| of_change(place)) {
        Some((place, refusal)) => Err(refusal.clone().at(place)),
        None => Ok(()),
    }
}

/// The lines for one's own keys that are asked too, and are in a vault.
fn in_vault(session: &Session, args: &Sign, table: &Table, contents: &Contents, screen: Screen) -> Screen {
    let asked = contents.changes.values().filter(|stored| going_on(stored)).flat_map(|stored| {
        let missing = stored.standing.as_ref().map(|s| s.missing()).unwrap_or_default();
        missing.into_iter().map(|asked| asked.key.clone())
    });
    let keys: BTreeSet<KeyName> = asked.filter(|key| table.keyring.in_vault(key)).collect();
    keys.iter().fold(screen, |screen, key| screen.next(external::line(session, args, key)))
}

/// Changes that asked for a key in reach and can't be signed any more, each with the rule: whoever
/// was sent one wants to know why nothing is asked.
fn too_late(table: &Table, contents: &Contents) -> Vec<String> {
    let mut lines = Vec::new();
    for stored in contents.changes.values().filter(|stored| !mine(table, stored).is_empty()) {
        if let Some(refusal) = stored.standing.as_ref().ok().and_then(Standing::refusal) {
            lines.push(format!("{}: {refusal}", stored.change.frame.title));
        }
    }
    lines
}

/// Whether a change can still be signed.
pub fn going_on(stored: &StoredChange) -> bool {
    stored.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Open | State::Complete { .. }))
}

/// Whether a signature still helps: a change that is sealed is sealed again with it, until the
/// backend is seen to serve it or something newer is there.
fn may_sign(stored: &StoredChange, contents: &Contents) -> bool {
    let sealed =
        |s: &Standing| s.state == State::Sealed && !s.past_sign_by && contents.stands(&stored.change);
    going_on(stored) || stored.standing.as_ref().is_ok_and(sealed)
}

/// The keys in reach that a change asks and that have not signed all it asks of them.
fn mine(table: &Table, stored: &StoredChange) -> BTreeSet<KeyName> {
    let missing = stored.standing.as_ref().map(|s| s.missing()).unwrap_or_default();
    missing.iter().map(|asked| asked.key.clone()).filter(|key| table.keyring.here(key)).collect()
}

fn one(
    session: &Session,
    table: &mut Table,
    contents: &Contents,
    stored: &StoredChange,
    console: &mut dyn Console,
    journal: super::perform::journal::Journal,
    refuse: bool,
) -> (Result<Option<Vec<String>>>, super::perform::journal::Journal) {
    let keys = mine(table, stored);
    let prepared = prepare(stored, contents, &keys).and_then(|(steps, clients)| {
        let mut asks: Vec<_> = steps.iter().filter_map(Step::prompt).map(|prompt| prompt.id).collect();
        if refuse {
            asks = vec![StepId(REASON.to_owned())];
        }
        Ok((console.turn_to(&stored.digest.hex(), &asks)?, steps, clients))
    });
    let mut room =
        Room { session, record: &table.record, console, keyring: &mut table.keyring, journal, server: None };
    let result = prepared.and_then(|(answered, steps, clients)| {
        if !answered {
            return Ok(None);
        }
        if refuse {
            return refusal(&mut room, contents, stored, &keys, &steps).map(Some);
        }
        let agenda =
            Agenda { change: &stored.change, digest: stored.digest, steps: &steps, clients: &clients };
        match room.perform(contents, &agenda)? {
            Outcome::Done | Outcome::Waiting(_) => Ok(Some(Vec::new())),
        }
    });
    (result, room.journal)
}

/// The custodian's steps: show, read back, agree, sign with one's own keys; and what clients will
/// make of the change.
fn prepare(
    stored: &StoredChange,
    contents: &Contents,
    keys: &BTreeSet<KeyName>,
) -> Result<(Vec<Step>, Vec<String>)> {
    recomputed(stored, contents)?;
    contents.require_anchor_for(&stored.change)?;
    contents.require_fresh()?;
    let clients = gated::planned(stored, contents)?;
    let clients = if gate::concerns(&stored.change) { clients.lines() } else { Vec::new() };
    let too_long = messages::too_long(&stored.change, &contents.facts);
    if let Some(one) = too_long.iter().find(|one| keys.contains(&one.key)) {
        return Err(Refusal::new(&rules::MESSAGE_LIMIT, one.words(), "a token that takes it"));
    }
    let signer = keys.iter().find_map(|key| contents.facts.keys.get(key)).map(|r| r.holder.clone());
    let mut steps = step::agreement(&stored.change, &contents.facts);
    for step in &mut steps {
        step.actor.clone_from(&signer);
    }
    let own = |step: &Step| match &step.act {
        Act::Token(TokenAct::Sign { key, .. }) => keys.contains(key),
        _ => false,
    };
    steps.extend(step::signatures(&stored.change).into_iter().filter(own));
    Ok((steps, clients))
}

fn refusal(
    room: &mut Room<'_>,
    contents: &Contents,
    stored: &StoredChange,
    keys: &BTreeSet<KeyName>,
    steps: &[Step],
) -> Result<Vec<String>> {
    if let Some(show) = steps.first() {
        let agenda = Agenda { change: &stored.change, digest: stored.digest, steps, clients: &[] };
        let screen = room.screen(&agenda, show, &contents.facts).digest("the change", stored.digest);
        room.console.show(&screen)?;
    }
    let Some(key) = keys.iter().next() else { return Ok(Vec::new()) };
    let prompt = Prompt::new(REASON, "Why do you refuse to sign?")
        .help("Your words go into the record, signed by your key.");
    let reason = room.console.ask_text(&prompt)?;
    let sentence = Sentence::Refusal { change: stored.digest, reason: reason.clone() };
    let statement = Statement::new(contents.facts.trust.id, sentence)?;
    let public = room.keyring.public(key)?;
    let payload = Payload::Statement(statement.clone());
    let signature =
        room.have_signed(Some(stored.digest), key, &public, Scheme::of(public.algorithm()), &payload)?;
    room.record.add_statement(&SignedStatement::new(statement, public, &signature)?)?;
    let of = Of { change: Some(stored.digest), step: None };
    room.journal.say(room.record, room.session, of, Said::Refuse { reason })?;
    room.drain(key)?;
    Ok(vec![format!("{key} has refused: {}", stored.change.frame.title)])
}
