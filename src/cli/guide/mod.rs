//! `keyrite guide`: any ceremony in the words of the people involved. Its questions end in runbooks,
//! which are then planned, rehearsed and held as if someone had written them by hand.
//!
//! Answers are kept in `private/guide` as they are given (`keeping`). The questions of each thing that
//! people can come with are one file in [`ways`], over what every way asks by (`asking`). What the
//! answers become is written in one step, and what follows (plan, rehearsal, run) is in `after`.
//! Nothing but that file, the folder of runbooks and the plan's change is ever written.

mod after;
mod asking;
mod came_in;
mod keeping;
mod record;
mod texts;
pub mod ways;

use super::arguments::Guide;
use super::session::{Ended, Session};
use super::table::Table;
use super::{init, rules};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::Console;
use after::Ready;
use asking::Asking;
pub use asking::{named, no_word};
use keeping::Keeping;
use std::path::Path;
use texts::{Draft, Ending};

/// Where answers are kept until it is decided what becomes of the runbooks.
const KEPT: &str = "private/guide";

/// Runs the command.
///
/// # Errors
///
/// `GUIDE` for answers that don't fit, what the planner and the kinds refuse, what asking and writing
/// refuse.
pub fn run(session: &Session, args: &Guide) -> Result<Ended> {
    let mut console = session.console(&args.answers)?;
    let ready = if session.directory.join("trust.json").exists() {
        ask(session, args, console.as_mut())?
    } else {
        ask_without_record(session, args, console.as_mut())?
    };
    let Some(ready) = ready else {
        console.finish()?;
        return Ok(Ended::Done);
    };
    after::go_on(session, console, ready)
}

/// Asks until there are runbooks; none where words say all.
fn ask(session: &Session, args: &Guide, console: &mut dyn Console) -> Result<Option<Ready>> {
    let mut table = Table::open(session)?;
    let contents = table.contents(session)?;
    let keeping = Keeping::open(console, session.directory.join(KEPT))?;
    let written = keeping.folder().map(|folder| session.directory.join(folder)).filter(|f| f.is_dir());
    let written_first_day = session.directory.join(init::FOLDER).is_dir();
    let mut asking = Asking { keeping, contents: &contents, written_first_day };
    if let Some(folder) = written {
        let draft = look_back(&mut asking, &folder);
        return Ok(Some(Ready { folder, draft }));
    }
    if let Some(ceremony) = &args.ceremony {
        asking.keeping.begin("ceremony", ceremony);
    }
    loop {
        asking.keeping.rewind();
        let ending = match ways::walk(&mut asking) {
            Ok(ending) => ending,
            Err(_) if asking.keeping.went_back() => continue,
            Err(refusal) => return Err(refusal),
        };
        match ending {
            Ending::Words { title, lines, next } => {
                asking.keeping.forget();
                after::tell(session, &title, &lines, &next)?;
                return Ok(None);
            }
            Ending::Folder(folder) => {
                asking.keeping.becomes(&folder)?;
                return Ok(Some(Ready { folder: session.directory.join(folder), draft: None }));
            }
            Ending::Runbooks(mut draft) => {
                draft.repeat_declared(asking.known());
                draft.say_terms(asking.known());
                // What would be refused in any case is told here, while answers can still be taken back.
                match after::look_ahead(session, &contents, &draft) {
                    Ok(()) => {}
                    Err(refusal) => {
                        let told = [refusal.to_string()];
                        let refusal = asking.no_way(refusal, &told);
                        if asking.keeping.went_back() {
                            continue;
                        }
                        return Err(refusal);
                    }
                }
                let folder = after::write(&session.directory, &mut asking.keeping, &draft)?;
                return Ok(Some(Ready { folder, draft: Some(draft) }));
            }
        }
    }
}

/// What a folder that is there came of, by the answers that are still kept: it is told once more what
/// happens, and what has to be at hand. None where they no longer say it.
fn look_back(asking: &mut Asking<'_>, folder: &Path) -> Option<Draft> {
    asking.keeping.look_back();
    let Ok(Ending::Runbooks(mut draft)) = ways::walk(asking) else { return None };
    draft.repeat_declared(asking.known());
    draft.say_terms(asking.known());
    let stands = |(name, text): &(String, String)| {
        std::fs::read_to_string(folder.join(name)).is_ok_and(|found| found == *text)
    };
    if !draft.runbooks.iter().all(stands) {
        draft.words = vec!["The runbooks were changed by hand since they were written.".to_owned()];
    }
    Some(draft)
}

/// The same where there is no record: the first day begins with `init`.
fn ask_without_record(session: &Session, args: &Guide, console: &mut dyn Console) -> Result<Option<Ready>> {
    let into = &session.directory;
    let mut keeping = Keeping::open(console, into.join(KEPT))?;
    if let Some(ceremony) = &args.ceremony {
        keeping.begin("ceremony", ceremony);
    }
    loop {
        keeping.rewind();
        let prompt = ways::without_record();
        let adopts = match keeping.ask_choice(&prompt) {
            Ok(place) => prompt.allowed.get(place).is_some_and(|name| name.as_str() == "adopt"),
            Err(_) if keeping.went_back() => continue,
            Err(refusal) => return Err(refusal),
        };
        if adopts {
            keeping.forget();
            if let Ending::Words { title, lines, next } = ways::adopted() {
                after::tell(session, &title, &lines, &next)?;
            }
            return Ok(None);
        }
        match init::hold(session, &mut keeping, into) {
            Ok(made) => {
                keeping.becomes(init::FOLDER)?;
                keeping.show(&made.screen)?;
                return Ok(Some(Ready { folder: into.join(init::FOLDER), draft: None }));
            }
            Err(_) if keeping.went_back() => {}
            Err(refusal) => return Err(refusal),
        }
    }
}

/// The first folder of that name that is not there yet.
fn free(directory: &Path, name: &str) -> String {
    let numbered = (2..10_000_u32).map(|n| format!("{name}-{n}"));
    let found = std::iter::once(name.to_owned()).chain(numbered).find(|name| !directory.join(name).exists());
    found.unwrap_or_else(|| name.to_owned())
}

fn refuse(answer: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::GUIDE, format!("\"{}\"", visible(answer)), expected)
}
