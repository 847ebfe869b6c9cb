//! `keyrite export`: hands out a copy of the record, or what one person needs to sign.
//!
//! A medium can be swapped on its way, so the digests of what a person is to sign are shown here,
//! to be said to them by another way.

use super::arguments::Export;
use super::session::{Ended, Session, shown, typed};
use crate::ceremony::change::Item;
use crate::ceremony::facts::Stage;
use crate::ceremony::people::Person;
use crate::record::{Inputs, Record, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::BTreeMap;

/// Runs the command.
///
/// # Errors
///
/// `NAME`; what [`Record::export`] refuses.
pub fn run(session: &Session, args: &Export) -> Result<Ended> {
    let person: Option<Person> = args.recipient.as_deref().map(str::parse).transpose()?;
    let record = Record::open(&session.directory)?;
    let today = session.now()?;
    let contents = record.read_all(today, &Inputs::default())?;
    let waiting: Vec<(String, Digest)> = contents
        .changes
        .values()
        .filter(|change| person.as_ref().is_some_and(|who| waits_for(change, who)))
        .map(|change| (change.change.frame.title.clone(), change.digest))
        .collect();
    let paths = record.export(&args.into, person.as_ref(), today)?;
    let (into, typed) = (shown(&args.into), typed(&args.into));

    let mut screen = Screen::new("Export")
        .rehearsal(record.trust().stage == Stage::Rehearsal)
        .fact("into", &into)
        .fact("for", person.as_ref().map_or("anyone: the whole record", Person::as_str))
        .fact("trust", record.trust().id.to_string());
    let mut table = Table::new(["now there", "files"]);
    for (folder, many) in by_folder(&paths) {
        table.push([folder, many.to_string()]);
    }
    screen = screen.table(table);
    for (title, digest) in &waiting {
        screen = screen.digest(format!("to be signed: {title}"), *digest);
    }
    screen = screen.callout(Tone::Done, "Nothing in it is secret; private/ stayed here.");
    screen = match &person {
        Some(who) if waiting.is_empty() => screen.next(format!(
            "No signature of {who} is missing today. To make a key, they need the whole record: export without --for."
        )),
        Some(who) => screen
            .next(format!("Bring it to {who}, whose machine then runs:  keyrite sign {typed}"))
            .next(format!("Tell {who} the words above another way, by telephone or on paper."))
            .next(format!("Take in what comes back:  keyrite import {typed}")),
        None => screen.next(format!("Whoever keeps another copy takes it in:  keyrite import {typed}")),
    };
    let changes = waiting.iter().map(|(_, digest)| digest.hex().into());
    let json = object([
        ("changes", changes.collect::<Vec<Json>>().into()),
        ("for", person.as_ref().map_or(Json::Null, |p| p.as_str().into())),
        ("paths", paths.iter().map(|p| p.as_str().into()).collect::<Vec<Json>>().into()),
    ]);
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

/// How many of the record's paths lie in each of its folders.
fn by_folder(paths: &[String]) -> BTreeMap<String, u64> {
    let mut folders = BTreeMap::new();
    for path in paths {
        let folder = path.split_once('/').map_or(path.as_str(), |(folder, _)| folder);
        let many: &mut u64 = folders.entry(visible(folder)).or_default();
        *many = many.saturating_add(1);
    }
    folders
}

/// Whether an open change asks a key of `who` for a signature that hasn't come in.
fn waits_for(stored: &StoredChange, who: &Person) -> bool {
    let missing = |item: &Item| {
        let signed = item.payload().and_then(|payload| stored.signatures.get(&payload.digest()));
        let mut asked = item.asked().iter().filter(|ask| ask.holder == *who);
        asked.any(|ask| !signed.is_some_and(|all| all.iter().any(|s| s.key() == ask.public.identity())))
    };
    !stored.closed() && stored.change.items.iter().any(missing)
}
