//! `keyrite plan`: every check, the difference in words, every step and question, before a token is
//! touched. Freezes each runbook into a change, which `run` then holds.
//!
//! Of a folder it plans as many runbooks, in order, as the record allows by now: a root can't be
//! planned before its keys are made.

use super::arguments::Plan;
use super::files;
use super::opening;
use super::rehearse::inside::{self, Outcome};
use super::run::part;
use super::runbooks::runbook_paths;
use super::session::{Ended, Session, shown, typed};
use super::table::{Due, Frozen, Table};
use crate::ceremony::answers::ALONE;
use crate::ceremony::answers_form::template;
use crate::ceremony::attestation::Tally;
use crate::ceremony::change::Change;
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::messages::{self, TooLong};
use crate::ceremony::step::{Act, PersonAct, Prompt, Step};
use crate::ceremony::{engine, gate};
use crate::record::Contents;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, Members, object};
use crate::tuf::rule::{Exit, Result};
use crate::tuf::text::visible;
use crate::ui::paper;
use crate::ui::paper::script::Later;
use crate::ui::screen::{Screen, Tone};
use std::path::{Path, PathBuf};

/// What a runbook leads to.
enum Planned {
    /// Nothing is due.
    Held { part: String, title: String },
    /// A change.
    Change(Box<Script>),
}

/// A change, with all that is said and asked of it.
struct Script {
    part: String,
    change: Change,
    digest: Digest,
    steps: Vec<Step>,
    prompts: Vec<Prompt>,
    /// What changes, in words.
    lines: Vec<String>,
    /// What customers' clients will make of it, where they see any of it.
    clients: Vec<String>,
    /// What came of the rehearsal that was held for it now.
    rehearsed: Option<String>,
    /// Each step in a sentence.
    sentences: Vec<String>,
    /// Where modules here connect to.
    connections: Vec<String>,
    /// The record as it was planned on, for the script to print.
    contents: Contents,
}

/// Runs the command.
pub fn run(session: &Session, args: &Plan) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let Page { screen, json, ended } = page(session, &mut table, args)?;
    session.report(&screen, json)?;
    Ok(ended)
}

/// What the command shows.
pub struct Page {
    /// For people.
    pub screen: Screen,
    /// For programs.
    pub json: Json,
    /// Incomplete where a runbook must wait for those before it.
    pub ended: Ended,
}

/// Plans a runbook or a folder of them and writes what was asked for.
///
/// # Errors
///
/// What refuses a runbook before which nothing is left to hold; what writing refuses.
pub fn page(session: &Session, table: &mut Table, args: &Plan) -> Result<Page> {
    table.record.lock()?;
    let paths = runbook_paths(std::slice::from_ref(&args.runbook))?;
    if !args.runbook.is_dir() {
        let outcome = look(session, table, &args.runbook)?;
        let planned = plan(table, &args.runbook, outcome)?;
        write(table, args, std::slice::from_ref(&planned), &[])?;
        let screen = planned.tell(Screen::new(planned.title()).rehearsal(table.rehearsal()));
        let plans = Plans { planned: vec![planned], stopped: None };
        let screen = next(screen, session, args, &plans);
        let json = plans.planned.first().map_or(Json::Null, |one| Json::Object(one.json()));
        return Ok(Page { screen, json, ended: Ended::Done });
    }
    let plans = plan_all(session, table, &paths)?;
    let Plans { planned, stopped } = &plans;
    let unplanned = paths.iter().skip(planned.len());
    let later = unplanned.map(|path| Later::of(path)).collect::<Result<Vec<_>>>()?;
    write(table, args, planned, &later)?;
    let mut screen =
        Screen::new(format!("Runbooks of {}", shown(&args.runbook))).rehearsal(table.rehearsal());
    for one in planned {
        screen = one.tell(screen.heading(one.title()));
    }
    if let Some((path, why)) = stopped {
        let what = format!("{} can't be planned before what stands above is held: {why}", shown(path));
        screen = screen.heading("No further for now").callout(Tone::Careful, what);
    }
    let stop = stopped.as_ref().map_or(Json::Null, |(path, why)| {
        object([("because", why.as_str().into()), ("runbook", part(path).into())])
    });
    let all: Vec<Json> = planned.iter().map(|one| Json::Object(one.json())).collect();
    let json = object([("runbooks", all.into()), ("stopped", stop)]);
    let ended = if stopped.is_some() { Ended::Incomplete } else { Ended::Done };
    Ok(Page { screen: next(screen, session, args, &plans), json, ended })
}

/// How far a folder could be planned.
struct Plans {
    planned: Vec<Planned>,
    /// The first runbook that must wait for those before it, and why.
    stopped: Option<(PathBuf, String)>,
}

/// Plans runbooks in order, as far as the record allows.
///
/// # Errors
///
/// What refuses a runbook before which nothing is left to hold, and what is wrong in any case.
fn plan_all(session: &Session, table: &mut Table, paths: &[PathBuf]) -> Result<Plans> {
    let mut planned: Vec<Planned> = Vec::new();
    for path in paths {
        let before = planned.iter().any(|one| matches!(one, Planned::Change(_)));
        let rests = planned.iter().any(Planned::has_documents);
        let stop = match look(session, table, path) {
            Ok(Outcome { due: Due::Change(frozen), .. })
                if rests && frozen.change.documents().next().is_some() =>
            {
                "its documents rest on those that are made there".to_owned()
            }
            Ok(outcome) => {
                planned.push(plan(table, path, outcome)?);
                continue;
            }
            // A file of bad form is bad whatever is held before it.
            Err(refusal) if before && refusal.rule().exit == Exit::Refused => refusal.to_string(),
            Err(refusal) => return Err(refusal),
        };
        return Ok(Plans { planned, stopped: Some((path.clone(), stop)) });
    }
    Ok(Plans { planned, stopped: None })
}

fn look(session: &Session, table: &mut Table, path: &Path) -> Result<Outcome> {
    inside::freeze(session, table, path, Table::runbook(path)?)
}

/// Writes the change into the record and looks through it.
fn plan(table: &Table, path: &Path, outcome: Outcome) -> Result<Planned> {
    let part = part(path);
    let Outcome { contents, due, rehearsed } = outcome;
    let frozen = match due {
        Due::Held(runbook) => return Ok(Planned::Held { part, title: runbook.title }),
        Due::Change(frozen) => frozen,
    };
    let Frozen { runbook, ceremony, change, clients } = *frozen;
    let steps = engine::assemble(&runbook, ceremony.steps(&change, &contents.facts)?)?;
    if contents.facts.trust.stage == Stage::Production {
        opening::connections(&table.keyring, &contents.facts.limits)?;
    }
    let connections = table.keyring.connections();
    let connections: Vec<_> = connections
        .map(|(name, address)| format!("the module {} connects to {address}", visible(name)))
        .collect();
    let digest = table.record.add_change(&change, runbook.text().as_bytes())?;
    let today = opening::prompt(contents.facts.trust.stage);
    let clients = if gate::concerns(&change) { clients.lines() } else { Vec::new() };
    Ok(Planned::Change(Box::new(Script {
        part,
        digest,
        rehearsed,
        prompts: today.into_iter().chain(steps.iter().filter_map(Step::prompt)).collect(),
        lines: lines(&change, &contents),
        sentences: steps.iter().map(|s| s.paper(&change, &contents.facts).sentence()).collect(),
        clients,
        steps,
        change,
        connections,
        contents,
    })))
}

/// Writes what was asked for: the answers to be filled in, and the scripts to print.
fn write(table: &Table, args: &Plan, planned: &[Planned], later: &[Later]) -> Result<()> {
    let folder = args.runbook.is_dir();
    let scripts = planned.iter().filter_map(|one| match one {
        Planned::Change(script) => Some(script),
        Planned::Held { .. } => None,
    });
    if let Some(path) = &args.write_answers {
        // What the session itself asks comes first; what is alone has one table with it.
        let today: Vec<Prompt> = opening::prompt(table.record.trust().stage).into_iter().collect();
        let own = |script: &Script| -> Vec<Prompt> {
            script.prompts.iter().filter(|p| !folder || !today.contains(p)).cloned().collect()
        };
        let asked: Vec<(&str, Vec<Prompt>)> =
            scripts.clone().map(|s| (if folder { &*s.part } else { ALONE }, own(s))).collect();
        let mut parts: Vec<(&str, &[Prompt])> = asked.iter().map(|(name, asked)| (*name, &**asked)).collect();
        if folder && !today.is_empty() && !parts.is_empty() {
            parts.insert(0, (ALONE, &today));
        }
        // Without a question there is nothing to fill in, and no file.
        if !parts.is_empty() {
            files::create(path, template(&parts).as_bytes())?;
        }
    }
    if let Some(path) = &args.print {
        for script in scripts {
            let html = paper::script::script(
                &script.change,
                &script.steps,
                &script.contents.facts,
                &script.clients,
                later,
            );
            files::create(&printed(path, folder.then_some(&script.part)), html.as_bytes())?;
        }
    }
    Ok(())
}

/// Where a script goes: of several, each under its runbook's name as well.
fn printed(path: &Path, part: Option<&String>) -> PathBuf {
    let Some(part) = part else { return path.to_owned() };
    let end = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("{part}.{end}").trim_end_matches('.'))
}

/// What to type next. Of a folder that could not be planned to its end, the script of the rest can only
/// be printed when what stands above is held, so it is held for itself.
fn next(mut screen: Screen, session: &Session, args: &Plan, plans: &Plans) -> Screen {
    let keyrite = session.keyrite();
    let folder = args.runbook.is_dir();
    let to_hold = |one: &Planned| match one {
        Planned::Change(script) => Some(script.part.clone()),
        Planned::Held { .. } => None,
    };
    let parts: Vec<String> = plans.planned.iter().filter_map(to_hold).collect();
    if parts.is_empty() {
        return screen.next(format!("{keyrite} status    shows what is due next"));
    }
    let name = typed(&args.runbook);
    if let Some(path) = &args.print {
        for part in &parts {
            let path = shown(&printed(path, folder.then_some(part)));
            screen = screen.next(format!("print {path} from a browser, on A4 or Letter"));
        }
    }
    if let (Some(path), Some(_)) = (&args.print, &plans.stopped) {
        let these: Vec<String> =
            parts.iter().map(|part| typed(&args.runbook.join(format!("{part}.toml")))).collect();
        screen = screen.next(format!("{keyrite} run {}    holds what is printed", these.join(" ")));
        let path = typed(path);
        return screen.next(format!("{keyrite} plan {name} --print {path}    then prints the rest"));
    }
    screen = screen.next(format!("{keyrite} run {name}    holds it"));
    if let Some(path) = &args.write_answers {
        let path = typed(path);
        let line = format!("{keyrite} run {name} --answers {path} --unattended    once it is filled in");
        screen = screen.next(line);
    }
    screen
}

impl Later {
    /// What is known of a runbook before it can be planned: what it says itself.
    fn of(path: &Path) -> Result<Self> {
        let runbook = Table::runbook(path)?;
        Ok(Self { title: runbook.title, ceremony: runbook.kind, people: runbook.people })
    }
}

/// What people are shown besides the change itself, which no summary holds since it rests on what
/// proves nothing: they have to know it before they hold the ceremony.
fn shown_besides(steps: &[Step]) -> impl Iterator<Item = (&str, &[String])> {
    steps.iter().filter_map(|step| match &step.act {
        Act::Person(PersonAct::Show { title, lines }) if step.id.0 != "show" => {
            Some((title.as_str(), lines.as_slice()))
        }
        _ => None,
    })
}

impl Planned {
    fn title(&self) -> &str {
        match self {
            Self::Held { title, .. } => title,
            Self::Change(script) => &script.change.frame.title,
        }
    }

    fn has_documents(&self) -> bool {
        matches!(self, Self::Change(script) if script.change.documents().next().is_some())
    }

    fn tell(&self, screen: Screen) -> Screen {
        let Self::Change(script) = self else {
            return screen.callout(Tone::Done, "already held: nothing is due");
        };
        let frame = &script.change.frame;
        let mut screen = screen
            .fact("ceremony", frame.kind.as_str())
            .fact("held at", frame.held_at.to_string())
            .fact("sign by", frame.sign_by.to_string());
        for (person, duty) in &frame.people {
            screen = screen.fact(duty.name(), person.as_str());
        }
        if let Some(told) = &script.rehearsed {
            screen = screen.callout(Tone::Done, told.as_str());
        }
        screen = screen.heading("What changes").items(script.lines.iter().map(String::as_str));
        if !script.clients.is_empty() {
            let lines = script.clients.iter().map(String::as_str);
            screen = screen.heading("What customers' clients will make of it").items(lines);
        }
        if !script.connections.is_empty() {
            let lines = script.connections.iter().map(String::as_str);
            screen = screen.heading("Connections of this machine's modules").items(lines);
        }
        for (title, found) in shown_besides(&script.steps) {
            screen = screen.heading(title).items(found.iter().map(String::as_str));
        }
        screen
            .heading("Steps")
            .items(script.sentences.iter().map(String::as_str))
            .heading("The change that everyone compares and agrees to")
            .digest("change", script.digest)
    }

    fn json(&self) -> Members {
        let name = |part: &str, title: &str| [("runbook", Json::from(part)), ("title", title.into())];
        let members: Vec<(&str, Json)> = match self {
            Self::Held { part, title } => {
                name(part, title).into_iter().chain([("already-held", true.into())]).collect()
            }
            Self::Change(script) => {
                let texts = |texts: Vec<String>| -> Json {
                    texts.into_iter().map(Json::from).collect::<Vec<_>>().into()
                };
                let frame = &script.change.frame;
                name(&script.part, &frame.title)
                    .into_iter()
                    .chain([
                        ("change", script.digest.hex().into()),
                        ("already-held", false.into()),
                        ("kind", frame.kind.as_str().into()),
                        ("summary", texts(script.lines.clone())),
                        ("clients", texts(script.clients.clone())),
                        ("connections", texts(script.connections.clone())),
                        ("rehearsed", script.rehearsed.as_deref().map_or(Json::Null, Json::from)),
                        ("steps", texts(script.steps.iter().map(|s| s.id.to_string()).collect())),
                        ("prompts", texts(script.prompts.iter().map(|p| p.id.to_string()).collect())),
                    ])
                    .collect()
            }
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What becomes of the trust, in words: the proposer's, then what keyrite itself finds.
pub fn lines(change: &Change, contents: &Contents) -> Vec<String> {
    let mut lines = change.summary.clone();
    lines.extend(crate::ceremony::step::difference(change, &contents.facts));
    lines.extend(hardware(change, &contents.facts));
    lines.extend(messages::too_long(change, &contents.facts).iter().map(TooLong::words));
    lines
}

/// What is proven of the keys of a root that is made.
fn hardware(change: &Change, facts: &Facts) -> Vec<String> {
    let root = change.documents().find_map(|payload| payload.document().as_root());
    let Some(tally) = root.and_then(|root| Tally::of(root, facts)) else { return Vec::new() };
    std::iter::once(tally.words()).chain(tally.rest.iter().map(|line| format!("  {line}"))).collect()
}
