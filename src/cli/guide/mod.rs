//! `keyrite guide`: any ceremony in the words of the people involved. Its questions end in runbooks,
//! which are then planned, rehearsed and held as if someone had written them by hand.
//!
//! Answers are kept in `private/guide` as they are given, so a guide that was cut off goes on where
//! it stopped; `back` takes the last one back. The questions are walked through from the first one
//! each time, known answers are not asked again: what is asked follows from the answers alone.
//! Nothing but that file and the folder of runbooks is ever written.

mod questions;
mod texts;

use super::arguments::{Guide, Rehearse, Run, Stand};
use super::session::{Ended, Session, shown};
use super::table::Table;
use super::{files, rehearse, rules, run as held};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::{ours, visible};
use crate::ui::screen::{Safe, Screen, Tone};
use crate::ui::{Console, Prompt};
use std::path::{Path, PathBuf};

/// The answer that takes the last one back.
const BACK: &str = "back";
/// Where answers are kept until the runbooks are written.
const KEPT: &str = "private/guide";

/// Why a walk through the questions stops before its end.
enum Stop {
    /// One step back.
    Back,
    /// For good.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

type Walk<T> = std::result::Result<T, Stop>;

/// What a walk ends in.
struct Written {
    /// The folder's name.
    folder: &'static str,
    /// What is going to happen, in words.
    words: Vec<String>,
    /// File names and texts.
    runbooks: Vec<(String, String)>,
    /// Files that have to be at hand first.
    first: Vec<String>,
}

/// Runs the command.
///
/// # Errors
///
/// `GUIDE` for answers that don't fit, what the planner and the kinds refuse, what asking and writing
/// refuse.
pub fn run(session: &Session, args: &Guide) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let contents = table.contents(session)?;
    let mut console = session.console(&args.answers)?;
    let kept = session.directory.join(KEPT);
    let mut asking =
        Asking { console: console.as_mut(), kept, answers: Vec::new(), next: 0, facts: &contents.facts };
    asking.go_on()?;
    if let Some(ceremony) = &args.ceremony
        && asking.answers.is_empty()
    {
        asking.answers.push(("ceremony".to_owned(), ceremony.clone()));
    }
    let written = loop {
        asking.next = 0;
        match questions::walk(&mut asking) {
            Ok(written) => break written,
            Err(Stop::Back) => asking.take_back()?,
            Err(Stop::Refused(refusal)) => return Err(refusal),
        }
    };
    for (name, text) in &written.runbooks {
        let read = Runbook::parse(text).and_then(|runbook| kinds::read(&runbook));
        read.map_err(|refusal| refusal.at(name))?;
    }
    let folder = free(&session.directory, written.folder);
    for (name, text) in &written.runbooks {
        files::create(&folder.join(name), text.as_bytes())?;
    }
    // The runbooks say all that was answered.
    let _ = std::fs::remove_file(&asking.kept);
    asking.console.show(&told(session, &folder, &written))?;
    let next = asking.console.ask_choice(&and_then(asking.console.unattended()))?;
    asking.console.finish()?;
    drop(console);
    drop(table);
    report(session, &folder, &written)?;
    match next {
        1 => rehearse::run(session, &rehearsal(session, folder)),
        2 => {
            let answers = super::arguments::Answers::default();
            held::run(session, &Run { runbooks: vec![folder], answers })
        }
        _ => Ok(Ended::Done),
    }
}

fn rehearsal(session: &Session, folder: PathBuf) -> Rehearse {
    let from = Some(session.directory.clone());
    Rehearse { runbooks: vec![folder], on: Stand::File, profile: None, from, into: None }
}

fn and_then(unattended: bool) -> Prompt {
    let prompt = Prompt::new("next", "What comes next?")
        .help("A rehearsal touches no token: throw-away keys in the place of yours.")
        .offer("later", "later       stop here; the runbooks stay")
        .offer("rehearse", "rehearse    hold them on a shadow of this record");
    // A session has answers of its own, which `plan --write-answers` lists.
    if unattended { prompt } else { prompt.offer("run", "run         hold them now, with the real tokens") }
}

/// The first folder of that name that is not there yet.
fn free(directory: &Path, name: &str) -> PathBuf {
    let numbered = (2..10_000_u32).map(|n| directory.join(format!("{name}-{n}")));
    let first = directory.join(name);
    std::iter::once(first.clone()).chain(numbered).find(|path| !path.exists()).unwrap_or(first)
}

fn told(session: &Session, folder: &Path, written: &Written) -> Screen {
    let keyrite = session.keyrite();
    let mut screen = Screen::new("The runbooks are written")
        .fact("Folder", shown(folder))
        .items(written.words.iter().map(|line| line.trim_start()))
        .heading("In order")
        .items(written.runbooks.iter().map(|(name, _)| name.as_str()));
    for file in &written.first {
        screen = screen.callout(Tone::Careful, file.as_str());
    }
    screen
        .next(format!("{keyrite} rehearse --from {} {}", shown(&session.directory), shown(folder)))
        .next(format!("{keyrite} run {}", shown(folder)))
}

fn report(session: &Session, folder: &Path, written: &Written) -> Result<()> {
    if !session.json {
        return Ok(());
    }
    let list = |lines: &mut dyn Iterator<Item = &String>| lines.cloned().map(Json::from).collect::<Vec<_>>();
    let json = object([
        ("directory", shown(folder).into()),
        ("runbooks", list(&mut written.runbooks.iter().map(|(name, _)| name)).into()),
        ("words", list(&mut written.words.iter()).into()),
    ]);
    session.report(&Screen::default(), json)
}

/// The questions of one guide.
struct Asking<'a> {
    console: &'a mut dyn Console,
    kept: PathBuf,
    /// In the order in which they were given.
    answers: Vec<(String, String)>,
    /// The place in them of the next question.
    next: usize,
    facts: &'a Facts,
}

impl Asking<'_> {
    /// Takes up the answers of a guide that was cut off, if people want that.
    fn go_on(&mut self) -> Result<()> {
        let Ok(text) = std::fs::read_to_string(&self.kept) else { return Ok(()) };
        let given: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(id, answer)| (id.to_owned(), answer.to_owned()))
            .collect();
        if given.is_empty() || self.console.unattended() {
            return Ok(());
        }
        let screen = Screen::new("A guide was cut off here").heading("Its answers so far");
        let lines =
            given.iter().map(|(id, answer)| Safe::from(format!("{}: {}", visible(id), visible(answer))));
        self.console.show(&screen.items(lines))?;
        let prompt =
            Prompt::new("go-on", "Go on with them?").offer("yes", "yes").offer("no", "no    begin anew");
        if self.console.ask_choice(&prompt)? == 0 {
            self.answers = given;
        }
        Ok(())
    }

    fn take_back(&mut self) -> Result<()> {
        self.answers.truncate(self.next);
        self.answers.pop();
        self.keep()
    }

    fn keep(&self) -> Result<()> {
        let mut text = String::new();
        for (id, answer) in &self.answers {
            text.push_str(id);
            text.push_str(" = ");
            text.push_str(answer);
            text.push('\n');
        }
        let failed = |e: std::io::Error| {
            Refusal::new(
                &rules::FILE_WRITE,
                format!("{}: {e}", shown(&self.kept)),
                "a file that can be written",
            )
        };
        if let Some(parent) = self.kept.parent() {
            files::folder_private(parent)?;
        }
        let new = self.kept.with_extension("new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.kept)).map_err(failed)
    }

    /// The answer to a question, by `read`; what it refuses is told and asked again.
    fn ask<T>(&mut self, prompt: &Prompt, mut read: impl FnMut(&str, &Facts) -> Result<T>) -> Walk<T> {
        let known = self.answers.get(self.next).filter(|(id, _)| *id == prompt.id);
        if let Some((_, answer)) = known {
            match read(answer, self.facts) {
                Ok(value) => {
                    self.next = self.next.saturating_add(1);
                    return Ok(value);
                }
                // It fitted the record of then.
                Err(refusal) if self.console.unattended() => return Err(refusal.into()),
                Err(_) => {}
            }
        }
        self.answers.truncate(self.next);
        let choice = !prompt.allowed.is_empty();
        let prompt = match (choice, self.next) {
            (_, 0) => prompt.clone(),
            (true, _) => prompt.clone().offer(BACK, "back"),
            (false, _) => prompt.clone().help("Answer back for the question before."),
        };
        loop {
            let answer = if choice {
                let place = self.console.ask_choice(&prompt)?;
                prompt.allowed.get(place).map(Safe::to_string).unwrap_or_default()
            } else {
                self.console.ask_text(&prompt)?
            };
            if answer == BACK && self.next > 0 {
                return Err(Stop::Back);
            }
            match ours("an answer", &answer).and_then(|()| read(&answer, self.facts)) {
                Ok(value) => {
                    self.answers.push((prompt.id.clone(), answer));
                    self.next = self.next.saturating_add(1);
                    self.keep()?;
                    return Ok(value);
                }
                Err(refusal) if self.console.unattended() => {
                    return Err(refusal.at(format!("\"{}\"", prompt.id)).into());
                }
                Err(refusal) => {
                    let text = format!("found {}, expected {}", refusal.found(), refusal.expected());
                    self.console.show(&Screen::default().callout(Tone::Careful, text))?;
                }
            }
        }
    }

    /// One of a prompt's offers.
    fn choose(&mut self, prompt: &Prompt) -> Walk<String> {
        let allowed: Vec<String> = prompt.allowed.iter().map(Safe::to_string).collect();
        self.ask(prompt, |answer, _| {
            let fits = allowed.iter().any(|one| one == answer);
            fits.then(|| answer.to_owned()).ok_or_else(|| refuse(answer, &allowed.join(", ")))
        })
    }
}

fn refuse(answer: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::GUIDE, format!("\"{}\"", visible(answer)), expected)
}
