//! `keyrite plan`: every check, the difference in words, every step and question, before a token is
//! touched. Freezes the runbook into a change, which `run` then holds.

use super::arguments::Plan;
use super::session::{Ended, Session, shown};
use super::table::{Due, Frozen, Table};
use crate::ceremony::change::Change;
use crate::ceremony::step::{Prompt, Step};
use crate::ceremony::{answers, engine};
use crate::record::Contents;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::Result;
use crate::ui::paper;
use crate::ui::screen::{Screen, Tone};

/// Runs the command.
pub fn run(session: &Session, args: &Plan) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let runbook = Table::runbook(&args.runbook)?;
    table.record.lock()?;
    let contents = table.contents(session)?;
    let frozen = match table.freeze(session, &args.runbook, runbook, &contents)? {
        Due::Held(runbook) => {
            let screen = Screen::new(runbook.title.as_str())
                .rehearsal(table.rehearsal())
                .callout(Tone::Done, "already held: nothing is due")
                .next(format!("{} status    shows what is due next", session.keyrite()));
            let json = object([("already-held", true.into()), ("title", runbook.title.as_str().into())]);
            session.report(&screen, json)?;
            return Ok(Ended::Done);
        }
        Due::Change(frozen) => frozen,
    };
    let Frozen { runbook, ceremony, change } = *frozen;
    let digest = table.record.add_change(&change, runbook.text().as_bytes())?;
    let steps = engine::assemble(&runbook, ceremony.steps(&change, &contents.facts)?)?;
    let today = super::opening::prompt(contents.facts.trust.stage);
    let prompts: Vec<Prompt> = today.into_iter().chain(steps.iter().filter_map(Step::prompt)).collect();
    if let Some(path) = &args.write_answers {
        super::files::create(path, answers::template(&prompts).as_bytes())?;
    }
    if let Some(path) = &args.print {
        let html = paper::script::script(&change, &steps, &contents.facts);
        super::files::create(path, html.as_bytes())?;
    }
    let name = shown(&args.runbook);
    let keyrite = session.keyrite();
    let mut screen = Screen::new(change.frame.title.as_str()).rehearsal(table.rehearsal());
    screen = screen
        .fact("ceremony", change.frame.kind.as_str())
        .fact("held at", change.frame.held_at.to_string())
        .fact("sign by", change.frame.sign_by.to_string());
    for (person, duty) in &change.frame.people {
        screen = screen.fact(duty.name(), person.as_str());
    }
    screen = screen.heading("What changes").items(lines(&change, &contents));
    screen = screen.heading("Steps").items(steps.iter().map(|s| paper(s, &change, &contents)));
    screen = screen.heading("The change that everyone compares and agrees to").digest("change", digest);
    if let Some(path) = &args.print {
        screen = screen.next(format!("print {} from a browser, on A4 or Letter", shown(path)));
    }
    screen = screen.next(format!("{keyrite} run {name}    holds it"));
    if let Some(path) = &args.write_answers {
        screen = screen.next(format!(
            "{keyrite} run {name} --answers {} --unattended    once it is filled in",
            shown(path)
        ));
    }
    let json = object([
        ("change", digest.hex().into()),
        ("already-held", false.into()),
        ("kind", change.frame.kind.as_str().into()),
        ("title", change.frame.title.as_str().into()),
        ("summary", lines(&change, &contents).into_iter().map(Json::from).collect::<Vec<_>>().into()),
        ("steps", steps.iter().map(|s| Json::from(s.id.to_string())).collect::<Vec<_>>().into()),
        ("prompts", prompts.iter().map(|p| Json::from(p.id.to_string())).collect::<Vec<_>>().into()),
    ]);
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

/// What becomes of the trust, in words: the proposer's, then what keyrite itself finds.
pub fn lines(change: &Change, contents: &Contents) -> Vec<String> {
    let mut lines = change.summary.clone();
    lines.extend(crate::ceremony::step::difference(change, &contents.facts));
    lines
}

fn paper(step: &Step, change: &Change, contents: &Contents) -> String {
    step.paper(change, &contents.facts).sentence()
}
