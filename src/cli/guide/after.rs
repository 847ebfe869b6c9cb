//! After the answers: the runbooks are written, their plan is shown, a rehearsal is offered, then the run.
//!
//! The folder comes into being in one step, and what it will be called is kept before: a guide that was
//! cut off writes no second one. A rehearsal that passes comes back to the offer of the run.

use super::super::arguments::{Answers, Plan, Rehearse, Run, Stand};
use super::super::devices::DeviceMap;
use super::super::session::{Ended, Session, shown, typed};
use super::super::table::Table;
use super::super::{files, plan, rehearse, rules, run as held};
use super::keeping::Keeping;
use super::texts::{Draft, First};
use super::{KEPT, free};
use crate::ceremony::change::{Frame, Purpose};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::{gate, kinds, people};
use crate::record::Contents;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::{Block, Screen, Tone};
use crate::ui::{Console, Prompt};
use std::path::{Path, PathBuf};

/// Where the folder is made before it gets its name; the record ignores it.
const TEMPORARY: &str = ".tmp-guide";

/// Runbooks that are written.
pub struct Ready {
    /// Where.
    pub folder: PathBuf,
    /// What they came of; none where a guide goes on with what one before has written.
    pub draft: Option<Draft>,
}

/// Reads every runbook by its kind, and computes the change of the first: all that is wrong with the
/// answers themselves.
///
/// # Errors
///
/// What the kinds, the rules on who takes part and the client gate refuse.
pub fn look_ahead(session: &Session, contents: &Contents, draft: &Draft) -> Result<()> {
    let facts = &contents.facts;
    let mut all = Vec::new();
    for (name, text) in &draft.runbooks {
        let runbook = Runbook::parse(text).map_err(|refusal| refusal.at(name))?;
        let ceremony = kinds::read(&runbook).map_err(|refusal| refusal.at(name))?;
        all.push((runbook, ceremony));
    }
    let Some((runbook, ceremony)) = all.into_iter().next() else { return Ok(()) };
    if ceremony.held(facts) {
        return Ok(());
    }
    let held_at = session.now()?;
    let frame = Frame {
        kind: runbook.kind.clone(),
        title: runbook.title.clone(),
        people: runbook.people.clone(),
        runbook: runbook.digest(),
        held_at,
        sign_by: held_at.plus(facts.limits.ceremony.sign_within)?,
        nonce: [0; 32],
        rehearsal: None,
    };
    let change = match ceremony.change(&frame, facts) {
        // It comes by a file that nobody has sent yet.
        Err(refusal) if *refusal.rule() == kinds::rules::ENROLMENT_MISSING => return Ok(()),
        other => other?,
    };
    people::check_duties(&change, &facts.limits)?;
    people::check_witnesses(&change)?;
    gate::planned(&change, facts)?.check()
}

/// Writes the runbooks into a folder of their own.
///
/// # Errors
///
/// `FILE-EXISTS`, `FILE-WRITE`.
pub fn write(directory: &Path, keeping: &mut Keeping<'_>, draft: &Draft) -> Result<PathBuf> {
    let name = keeping.folder().filter(|name| !directory.join(name).exists()).map(str::to_owned);
    let name = name.unwrap_or_else(|| free(directory, &draft.folder));
    keeping.becomes(&name)?;
    let temporary = directory.join(TEMPORARY);
    let _ = std::fs::remove_dir_all(&temporary);
    for (name, text) in &draft.runbooks {
        files::create(&temporary.join(name), text.as_bytes())?;
    }
    let folder = directory.join(name);
    std::fs::rename(&temporary, &folder).map_err(|e| {
        Refusal::new(&rules::FILE_WRITE, format!("{}: {e}", shown(&folder)), "a folder that can be written")
    })?;
    Ok(folder)
}

/// Shows what was written and what it would do, and offers what comes next until someone is content.
///
/// # Errors
///
/// What asking refuses; unattended, what the rehearsal refuses; what the run refuses.
pub fn go_on(session: &Session, mut console: Box<dyn Console>, ready: Ready) -> Result<Ended> {
    let Ready { folder, draft } = ready;
    let mut table = Table::open(session)?;
    console.show(&written(session, &mut table, &folder, draft.as_ref()))?;
    let names = names(&folder);
    let rehearsed = names.iter().all(|name| !settles(&folder.join(name)));
    let mut planned = show_plan(session, &mut table, console.as_mut(), &folder)?;
    drop(table);
    loop {
        let choice = console.ask_choice(&offers(console.unattended(), rehearsed));
        let prompt = offers(console.unattended(), rehearsed);
        let next =
            choice.map(|place| prompt.allowed.get(place).map(ToString::to_string).unwrap_or_default())?;
        if console.unattended() {
            console.finish()?;
            report(session, &folder, draft.as_ref(), &names)?;
        }
        match next.as_str() {
            "rehearse" => match rehearse::run(session, &rehearsal(session, &folder)) {
                Ok(ended) if console.unattended() => return Ok(ended),
                Ok(_) => {
                    if !planned {
                        let mut table = Table::open(session)?;
                        planned = show_plan(session, &mut table, console.as_mut(), &folder)?;
                    }
                }
                Err(refusal) if console.unattended() => return Err(refusal),
                Err(refusal) => {
                    let next = refusal.rule().next;
                    let text = format!("the rehearsal stopped: {refusal}. Next: {next}");
                    console.show(&Screen::default().callout(Tone::Refused, text))?;
                }
            },
            "run" => {
                drop(console);
                let args = Run { runbooks: vec![folder], answers: Answers::default() };
                // From here on it is `status` that says how to go on, however the run ends.
                forget(session);
                return held::run(session, &args);
            }
            _ => {
                forget(session);
                let (keyrite, name) = (session.keyrite(), typed(&folder));
                let screen = Screen::new("Nothing is signed; the runbooks stay")
                    .next(format!("{keyrite} plan {name} --print script.html    prints the script"))
                    .next(format!("{keyrite} run {name}    holds them"));
                console.show(&screen)?;
                return Ok(Ended::Done);
            }
        }
    }
}

/// The answers are no more needed: the runbooks say them.
fn forget(session: &Session) {
    let _ = std::fs::remove_file(session.directory.join(KEPT));
}

fn offers(unattended: bool, rehearsed: bool) -> Prompt {
    let mut prompt = Prompt::new("next", "What comes next?").help("Nothing is signed so far.");
    if rehearsed {
        prompt = prompt
            .help("A rehearsal touches no token: throw-away keys in the place of yours, and a backend that is played.")
            .offer("rehearse", "rehearse   hold them on a shadow of this record, then come back here");
    }
    // A session has answers of its own, which `plan --write-answers` lists.
    if !unattended {
        prompt = prompt
            .help("The run asks for tokens, and what it seals is what customers get.")
            .offer("run", "run        hold them now, with the real tokens");
    }
    prompt.offer("later", "later      stop here; the runbooks stay")
}

fn rehearsal(session: &Session, folder: &Path) -> Rehearse {
    let from = Some(session.directory.clone());
    Rehearse { runbooks: vec![folder.to_owned()], on: Stand::File, profile: None, from, into: None }
}

/// The very page that `plan` shows; whether there is one.
fn show_plan(session: &Session, table: &mut Table, console: &mut dyn Console, folder: &Path) -> Result<bool> {
    let args = Plan { runbook: folder.to_owned(), write_answers: None, print: None };
    match plan::page(session, table, &args) {
        Ok(page) => console.show(&page.screen).map(|()| true),
        Err(refusal) => {
            let text = format!("can't be planned yet: {refusal}. Next: {}", refusal.rule().next);
            console.show(&Screen::new("The plan").callout(Tone::Careful, text)).map(|()| false)
        }
    }
}

/// The runbooks of a folder, in the order in which they are held.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_toml = |name: &String| Path::new(name).extension().is_some_and(|end| end == "toml");
    let mut names: Vec<String> = names.filter(is_toml).collect();
    names.sort();
    names
}

/// Whether it is of a kind that is about what no rehearsal has: open changes, files of two copies.
fn settles(runbook: &Path) -> bool {
    Table::runbook(runbook).is_ok_and(|runbook| matches!(runbook.kind.as_str(), "withdraw" | "decide"))
}

fn written(session: &Session, table: &mut Table, folder: &Path, draft: Option<&Draft>) -> Screen {
    let mut screen = Screen::new("The runbooks are written").fact("Folder", shown(folder));
    if let Some(draft) = draft {
        screen = screen.heading("What happens").items(&draft.words);
    }
    screen = screen.heading("In order").items(names(folder).iter().map(String::as_str));
    let trust = table.record.trust();
    let (profile, collection) = (trust.profile, trust.collection.clone());
    let map = table.keyring.map_mut().cloned();
    let place = Place { session, profile, collection, map };
    draft.iter().flat_map(|draft| &draft.first).fold(screen, |screen, first| place.at_hand(screen, first))
}

/// What has to be at hand, and by which lines it comes.
struct Place<'a> {
    session: &'a Session,
    profile: Profile,
    collection: String,
    map: Option<DeviceMap>,
}

impl Place<'_> {
    fn at_hand(&self, screen: Screen, first: &First) -> Screen {
        let devices = shown(&self.session.devices);
        match first {
            First::Made { key, .. } if self.map.as_ref().is_some_and(|map| map.keys.contains_key(key)) => {
                screen
            }
            First::Made { key, holder } => {
                let module = self.map.as_ref().and_then(|map| map.modules.iter().next());
                let path = module.map_or("MODULE".to_owned(), |(_, pin)| shown(&pin.path));
                let named = module.map_or("NAME", |(name, _)| name.as_str());
                screen
                    .heading(format!("First: a token for {key}, of {holder}"))
                    .text(format!(
                        "At their own machine: run stops there and prints the line by which {holder} makes it. \
                         At this machine: label a blank token {key}, then name it in {devices}."
                    ))
                    .exact([
                        format!("keyrite tokens --module {path} prepare"),
                        format!("[key.{key}]"),
                        format!("uri = \"pkcs11:token={key};serial=SERIAL;object={key}\""),
                        format!("module = \"{named}\""),
                    ])
            }
            First::Comes { key, holder, purpose } => {
                let named = self.map.as_ref().and_then(|map| map.enrolments.get(key));
                if named.is_some_and(|file| file.exists()) {
                    return screen;
                }
                let (line, file) = match purpose {
                    Purpose::Delegation if key.as_str() == format!("dev-{holder}") => (
                        Some(format!("keyrite developer new {holder} --trust trust.json --out .")),
                        format!("{holder}.enrol.json"),
                    ),
                    Purpose::Delegation => (
                        Some(format!(
                            "keyrite developer new {holder} --key {key} --trust trust.json --out ."
                        )),
                        format!("{key}.enrol.json"),
                    ),
                    _ if self.profile == Profile::Notary => {
                        let server = self.map.as_ref().and_then(|map| map.backend.as_deref());
                        let server = server.unwrap_or("https://SERVER");
                        let (gun, role) = (&self.collection, purpose.name());
                        let line = format!("curl -fsS {server}/v2/{gun}/_trust/tuf/{role}.key -o {key}.key");
                        (Some(line), format!("{key}.key"))
                    }
                    _ => (None, format!("{key}.pem")),
                };
                let text = match purpose {
                    Purpose::Delegation => {
                        format!("Send trust.json to {holder}, who runs the first line and sends {file} back.")
                    }
                    _ => format!(
                        "Have {file} brought by whoever keeps that key; its words are read back aloud."
                    ),
                };
                let screen = screen.heading(format!("First: the file of {key}, of {holder}")).text(text);
                let text = format!("Put it beside {devices}, which names it so:");
                let map = [format!("[enrol.{key}]"), format!("file = \"{file}\"")];
                let screen = line.into_iter().fold(screen, |screen, line| screen.exact([line]));
                if named.is_some() {
                    screen
                } else {
                    screen.text(text).block(Block::Exact(map.map(Into::into).to_vec()))
                }
            }
        }
    }
}

/// What needs no signature, told.
///
/// # Errors
///
/// `TERMINAL` if stdout is gone.
pub fn tell(session: &Session, title: &str, lines: &[String], next: &[String]) -> Result<()> {
    let screen = Screen::new(title).items(lines);
    // Lines about this record name it; others name one themselves.
    let here = |line: &String| match line.strip_prefix("keyrite ") {
        Some(rest) if !rest.starts_with("-C ") && !rest.starts_with("adopt ") => {
            format!("{} {rest}", session.keyrite())
        }
        _ => line.clone(),
    };
    let next: Vec<String> = next.iter().map(here).collect();
    let screen = next.iter().fold(screen, Screen::next);
    let list = |lines: &[String]| Json::from(lines.iter().cloned().map(Json::from).collect::<Vec<_>>());
    session.report(&screen, object([("next", list(&next)), ("words", list(lines))]))
}

fn report(session: &Session, folder: &Path, draft: Option<&Draft>, names: &[String]) -> Result<()> {
    if !session.json {
        return Ok(());
    }
    let list = |lines: &[String]| Json::from(lines.iter().cloned().map(Json::from).collect::<Vec<_>>());
    let words = draft.map(|draft| draft.words.clone()).unwrap_or_default();
    let json =
        object([("directory", shown(folder).into()), ("runbooks", list(names)), ("words", list(&words))]);
    session.report(&Screen::default(), json)
}
