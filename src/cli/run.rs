//! `keyrite run`: hold one runbook, or a folder of them as one session. Run again to go on.

use super::arguments::Run;
use super::opening;
use super::perform::{Agenda, Outcome, Room};
use super::rehearse::inside;
use super::runbooks::runbook_paths;
use super::session::{Ended, Session, runbook_path, typed, upload_path};
use super::table::{Due, Frozen, Table};
use crate::ceremony::change::Item;
use crate::ceremony::engine::{self, Waiting};
use crate::ceremony::facts::Anchor;
use crate::ceremony::gate;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::{Act, RecordAct, Step};
use crate::ceremony::transcript::EndState;
use crate::record::upload::check_server;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::Result;
use crate::ui::Console;
use crate::ui::screen::{Screen, Tone};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(session: &Session, args: &Run) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let read = |path: PathBuf| Table::runbook(&path).map(|runbook| (path, runbook));
    let runbooks = runbook_paths(&args.runbooks)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut console = session.console(&args.answers)?;
    let report = hold(session, &mut table, runbooks, console.as_mut())?;
    session.report(&report.screen(session, table.rehearsal()), report.json())?;
    Ok(report.ended())
}

/// Refuses to begin what would be signed and sealed, and then have no upload.
fn goes_up(table: &Table, steps: &[Step]) -> Result<()> {
    if steps.iter().any(|step| matches!(step.act, Act::Record(RecordAct::Upload))) {
        check_server(table.record.trust().stage, table.server.as_deref())?;
    }
    Ok(())
}

/// Removes what a session left that was killed while it dealt cards out.
fn sweep(table: &mut Table, runbooks: &[(PathBuf, Runbook)], console: &mut dyn Console) -> Result<()> {
    let deals = runbooks.iter().any(|(_, runbook)| runbook.kind == "back-up");
    let left = table.keyring.sweep_cards(deals)?;
    if left == 0 {
        return Ok(());
    }
    let text = format!("pages of share cards that a session left which was cut off: {left}, now removed");
    console.show(&Screen::default().callout(Tone::Careful, text))
}

/// Holds runbooks in order, each with the path by which people know it, as one session with one
/// transcript.
///
/// # Errors
///
/// Whatever stops it; what was done until then is in the record.
pub fn hold(
    session: &Session,
    table: &mut Table,
    runbooks: Vec<(PathBuf, Runbook)>,
    console: &mut dyn Console,
) -> Result<Report> {
    table.record.lock()?;
    sweep(table, &runbooks, console)?;
    let parts: Vec<_> = runbooks.iter().map(|(path, _)| part(path)).collect();
    let own: Vec<_> = opening::prompt(table.record.trust().stage).into_iter().map(|p| p.id).collect();
    console.parts(&parts, &own)?;
    let digests: Vec<_> = runbooks.iter().map(|(_, runbook)| runbook.digest()).collect();
    let mut people = BTreeMap::new();
    for (_, runbook) in &runbooks {
        people.extend(runbook.people.clone());
    }
    let mut journal = None;
    let mut host = None;
    let mut report = Report::default();
    for (path, runbook) in runbooks {
        let inside::Outcome { contents, due, rehearsed } = inside::freeze(session, table, &path, runbook)?;
        if let Some(told) = rehearsed {
            console.show(&inside::screen(&told))?;
        }
        let frozen = match due {
            Due::Held(runbook) => {
                report.held.push(runbook.title);
                continue;
            }
            Due::Change(frozen) => frozen,
        };
        let Frozen { runbook, ceremony, change, clients } = *frozen;
        let steps = engine::assemble(&runbook, ceremony.steps(&change, &contents.facts)?)?;
        let asks: Vec<_> = steps.iter().filter_map(Step::prompt).map(|prompt| prompt.id).collect();
        if !console.turn_to(&part(&path), &asks)? {
            report.unanswered = Some((change.frame.title.clone(), path));
            break;
        }
        let ready = opening::ready(session, &table.keyring, &change, &contents.facts);
        if let Err(refusal) = ready.and_then(|()| goes_up(table, &steps)) {
            if let Some(mut journal) = journal {
                table.end(session, &mut journal, EndState::Refused, Vec::new())?;
            }
            return Err(refusal);
        }
        if journal.is_none() && host.is_none() {
            let keyring = Some(&table.keyring);
            host = Some(opening::settle(session, &table.record, &contents, keyring, console)?);
        }
        let digest = table.record.add_change(&change, runbook.text().as_bytes())?;
        for item in &change.items {
            if let Item::NewKey(new) = item {
                table.keyring.introduce(&new.name, new.holder.as_str());
            }
        }
        let contents = table.contents(session)?;
        let begun = if let Some(journal) = journal.take() {
            journal
        } else {
            let host = host.take().unwrap_or_default();
            table.begin(session, &contents, people.clone(), digests.clone(), host)?
        };
        let mut room = Room {
            session,
            record: &table.record,
            console: &mut *console,
            keyring: &mut table.keyring,
            journal: begun,
            server: table.server.clone(),
        };
        let clients = if gate::concerns(&change) { clients.lines() } else { Vec::new() };
        let agenda = Agenda { change: &change, digest, steps: &steps, clients: &clients };
        let outcome = room.perform(&contents, &agenda)?;
        journal = Some(room.journal);
        match outcome {
            Outcome::Done => {
                report.done.push(change.frame.title.clone());
                report.root = table.know_root(&change, &contents.facts).or(report.root);
            }
            Outcome::Waiting(waiting) => {
                let waits = |key: &KeyName| waiting.iter().any(|w| w.key == *key);
                let made = |item: &Item| match item {
                    Item::NewKey(new) => waits(&new.name),
                    Item::Certificate(new) => waits(&new.key),
                    Item::DestroyedKey { key, .. } | Item::KeyCopy { key, .. } => waits(key),
                    Item::Restored(back) => waits(&back.key),
                    _ => false,
                };
                report.making = change.items.iter().any(made).then_some(digest);
                let vault = waiting.iter().filter(|w| table.keyring.in_vault(&w.key));
                report.vault = vault.map(|w| w.key.clone()).collect();
                report.waiting = Some((change.frame.title.clone(), waiting));
                break;
            }
        }
    }
    if let Some(mut journal) = journal {
        let needed = report.people();
        let state = if needed.is_empty() { EndState::Done } else { EndState::Waiting };
        table.end(session, &mut journal, state, needed)?;
        report.head = journal.head().map(|(_, digest)| digest);
    }
    let contents = table.contents(session)?;
    report.uploads = contents.unpublished_uploads();
    Ok(report)
}

/// The name of a runbook in its session: its file's, without the ending.
pub fn part(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a session came to.
#[derive(Default)]
pub struct Report {
    done: Vec<String>,
    held: Vec<String>,
    waiting: Option<(String, Vec<Waiting>)>,
    /// The first runbook that the answers file has no table for: title and path. Its change could
    /// not have been planned before what was done here.
    unanswered: Option<(String, PathBuf)>,
    head: Option<crate::tuf::digest::Digest>,
    /// The change that waits for keys to be made, not for signatures.
    making: Option<crate::tuf::digest::Digest>,
    /// Keys of the device map that are waited for and in a vault.
    vault: BTreeSet<KeyName>,
    uploads: Vec<String>,
    /// The root that this session has sealed.
    root: Option<Anchor>,
}

impl Report {
    /// How the command ends.
    pub const fn ended(&self) -> Ended {
        if self.waiting.is_some() || self.unanswered.is_some() { Ended::Incomplete } else { Ended::Done }
    }

    /// Whether any runbook was carried out that was not held before.
    pub const fn did_something(&self) -> bool {
        !self.done.is_empty()
    }

    /// Who is still needed.
    pub fn people(&self) -> Vec<Person> {
        let waiting = self.waiting.iter().flat_map(|(_, waiting)| waiting);
        waiting.map(|w| w.holder.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The session's last page.
    pub fn screen(&self, session: &Session, rehearsal: bool) -> Screen {
        let keyrite = session.keyrite();
        let mut screen = Screen::new("The session has ended").rehearsal(rehearsal);
        for title in &self.held {
            screen = screen.callout(Tone::Note, format!("already held: {title}"));
        }
        for title in &self.done {
            screen = screen.callout(Tone::Done, title.as_str());
        }
        if let Some((title, waiting)) = &self.waiting {
            screen = screen.callout(Tone::Careful, format!("{title} waits for signatures or keys"));
            screen = screen.items(waiting.iter().map(|w| format!("{} with the key {}", w.holder, w.key)));
        }
        if let Some((title, path)) = &self.unanswered {
            let what = format!("not begun, since the answers have no table [{}]: {title}", part(path));
            screen = screen.callout(Tone::Careful, what);
        }
        if let Some(head) = self.head {
            screen = screen
                .text(
                    "Everyone writes these words on their paper: they are the end of this session's transcript.",
                )
                .digest("transcript head", head);
        }
        if let Some(root) = self.root {
            screen = screen
                .text("These too: by them everyone will know the root again.")
                .digest(format!("payload of root {}", root.version), root.payload);
        }
        screen = self.for_maps(screen);
        let own = session.keyrite_own();
        for key in &self.vault {
            screen = screen.next(match self.making {
                Some(_) => format!(
                    "{own} sign --external {key} --public FILE    with the public key that its vault gives"
                ),
                None => format!("{own} sign --external {key}    and again with what its vault signed"),
            });
        }
        let elsewhere = self.elsewhere();
        for person in &elsewhere {
            let Some(change) = self.making else {
                screen = screen.next(format!(
                    "{keyrite} export DIR --for {person}    then hand DIR to {person}, who runs: keyrite sign DIR"
                ));
                continue;
            };
            let runbook = runbook_path(Path::new("DIR"), &change);
            screen = screen
                .next(format!("{keyrite} export DIR    then hand DIR to {person}, who makes the key in it:"))
                .next(format!("keyrite -C DIR --devices OWN run {runbook}    typed by {person}"));
        }
        if let Some((_, path)) = &self.unanswered {
            let path = typed(path);
            screen = screen
                .next(format!("{keyrite} plan {path} --write-answers FILE    writes down what it asks"))
                .next(format!("{keyrite} run {path} --answers FILE --unattended    once it is filled in"));
        }
        match (&self.waiting, self.uploads.is_empty()) {
            (Some(_), _) if elsewhere.is_empty() => screen.next("then run the same command again"),
            (Some(_), _) => screen
                .next(format!("{keyrite} import DIR    when it comes back, then run the same command again")),
            (None, false) => self.uploads.iter().fold(screen, |s, u| {
                s.next(format!(
                    "hand {} to the backend; its README.txt has the lines to type",
                    upload_path(&session.directory.join(u))
                ))
            }),
            (None, true) => screen.next(format!("{keyrite} status    shows what is due next")),
        }
    }

    /// Who is needed with a key that is not in a vault of the device map.
    fn elsewhere(&self) -> BTreeSet<&Person> {
        let waiting = self.waiting.iter().flat_map(|(_, waiting)| waiting);
        waiting.filter(|w| !self.vault.contains(&w.key)).map(|w| &w.holder).collect()
    }

    /// The lines for everyone's device map, which later ceremonies compare the record with.
    fn for_maps(&self, screen: Screen) -> Screen {
        let root =
            self.root.map(|r| format!("root = {{ version = {}, payload = \"{}\" }}", r.version, r.payload));
        let head = self.head.map(|head| format!("newest = \"{head}\""));
        let mut lines = Vec::new();
        lines.extend(root.map(|line| ["[trust]".to_owned(), line]).into_iter().flatten());
        lines.extend(head.map(|line| ["[head]".to_owned(), line]).into_iter().flatten());
        if lines.is_empty() {
            return screen;
        }
        screen.text("In everyone's device map the same stands as:").exact(lines)
    }

    /// The same for programs.
    pub fn json(&self) -> Json {
        let texts =
            |texts: &[String]| Json::from(texts.iter().map(|t| t.as_str().into()).collect::<Vec<Json>>());
        let waiting = self
            .waiting
            .iter()
            .flat_map(|(_, w)| w)
            .map(|w| object([("holder", w.holder.as_str().into()), ("key", w.key.as_str().into())]));
        object([
            ("done", texts(&self.done)),
            ("already-held", texts(&self.held)),
            ("waiting", waiting.collect::<Vec<_>>().into()),
            ("unanswered", self.unanswered.as_ref().map_or(Json::Null, |(_, path)| part(path).into())),
            ("head", self.head.map_or(Json::Null, |h| h.hex().into())),
            (
                "root",
                self.root.map_or(Json::Null, |root| {
                    let version = i64::try_from(root.version).map_or(Json::Null, Json::Int);
                    object([("version", version), ("payload", root.payload.hex().into())])
                }),
            ),
            ("uploads", texts(&self.uploads)),
        ])
    }
}
