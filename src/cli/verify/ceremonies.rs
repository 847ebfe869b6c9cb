//! The report's pages on what people did: ceremonies entry by entry, changes, statements.

use super::report::called;
use crate::ceremony::change::Item;
use crate::ceremony::standing::State;
use crate::ceremony::transcript::{Entry, Intent, Outcome, TokenSeen, Transcript, Way, Witnessed};
use crate::record::{Contents, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::text::visible;
use crate::ui::screen::Screen;
use crate::ui::table::Table;
use std::collections::BTreeSet;

/// Every whole transcript, in the order of time.
pub fn all(contents: &Contents) -> Vec<Screen> {
    let mut transcripts: Vec<&Transcript> = contents.transcripts.values().collect();
    transcripts.sort_by_key(|t| {
        let at = |entry: Option<&(Entry, Digest)>| entry.map(|(entry, _)| entry.at);
        (at(t.entries().first()), at(t.entries().last()), sealed(t))
    });
    let mut pages: Vec<_> = transcripts.into_iter().map(|t| ceremony(contents, t)).collect();
    for (id, refusal) in &contents.broken {
        let page = Screen::default().heading(format!("A broken transcript: {id}"));
        pages.push(page.fact("refused", refusal.to_string()));
    }
    pages
}

/// The highest version that was sealed: of two sessions in one second, which a rehearsal has, the later
/// one made it.
fn sealed(transcript: &Transcript) -> Option<u64> {
    let versions = transcript.entries().iter().filter_map(|(entry, _)| match &entry.outcome {
        Outcome::Seal { documents } => documents.values().map(|sealed| sealed.version).max(),
        _ => None,
    });
    versions.max()
}

/// What people agreed to in it, by title; a session in which nobody agreed to anything has none.
fn titles(contents: &Contents, transcript: &Transcript) -> Vec<String> {
    let mut titles = Vec::new();
    for (entry, _) in transcript.entries() {
        let Outcome::Confirm { change, .. } = &entry.outcome else { continue };
        let Some(stored) = contents.changes.get(change) else { continue };
        let title = visible(&stored.change.frame.title);
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

fn ceremony(contents: &Contents, transcript: &Transcript) -> Screen {
    let entries = transcript.entries();
    let at = |entry: Option<&(Entry, Digest)>| entry.map_or_else(String::new, |(e, _)| e.at.to_string());
    let titles = titles(contents, transcript);
    let title = if titles.is_empty() { "Nothing was agreed to".to_owned() } else { titles.join("; ") };
    let mut screen = Screen::default().heading(title);
    screen = screen
        .fact("begun", at(entries.first()))
        .fact("ended", at(entries.last()))
        .fact("ceremony", entries.first().map_or_else(String::new, |(e, _)| e.ceremony.to_string()));
    for (entry, _) in entries {
        let Outcome::Begin(begin) = &entry.outcome else { continue };
        let people = begin.people.iter().map(|(who, duty)| format!("{who} ({})", duty.name()));
        screen = screen
            .fact("people", people.collect::<Vec<_>>().join(", "))
            .fact("program", format!("keyrite {}", begin.keyrite))
            .fact("SHA-256 of it", begin.binary.hex());
        for runbook in &begin.runbooks {
            screen = screen.fact("runbook", runbook.hex());
        }
        for (check, found) in &begin.host_checks {
            screen = screen.fact(visible(check), visible(found));
        }
    }
    let mut table = Table::new(["", "time", "by", "what", "step"]);
    for (entry, _) in entries {
        table.push([
            entry.seq.to_string(),
            entry.at.to_string().chars().skip(11).collect(),
            entry.by.as_ref().map_or_else(String::new, ToString::to_string),
            words(entry),
            entry.step.as_ref().map_or_else(String::new, ToString::to_string),
        ]);
    }
    screen = screen.table(table);
    match transcript.head() {
        Some((seq, head)) => screen.digest(format!("The transcript's head, entry {seq}"), head),
        None => screen,
    }
}

/// What came of a step, in one sentence.
fn words(entry: &Entry) -> String {
    let short = |digest: &Digest| digest.hex().chars().take(16).collect::<String>();
    let on = |token: &TokenSeen| match (token.label.as_str(), token.serial.as_str()) {
        ("", "") => String::new(),
        (label, "") => format!(" on \"{}\"", visible(label)),
        (label, serial) => format!(" on \"{}\", serial {}", visible(label), visible(serial)),
    };
    let private = if entry.private.is_empty() { "" } else { " (kept private, committed to)" };
    match &entry.outcome {
        Outcome::Begin(_) => "the session begins".to_owned(),
        Outcome::Intent { key, what, token } => match what {
            Intent::Generate { .. } => format!("about to make {key}{}", on(token)),
            Intent::Sign { payload } => format!("{key} is about to sign {}{}", short(payload), on(token)),
            Intent::Destroy => format!("about to destroy {key}{}", on(token)),
            Intent::Copy { wrap_key } => {
                format!("about to let {key} out{} under {wrap_key}", on(token))
            }
            Intent::Restore { wrap_key } => {
                format!("about to take {key} in{} under {wrap_key}", on(token))
            }
        },
        Outcome::Show { title, .. } => format!("shown: {}", visible(title)),
        Outcome::ReadBack { what, digest } => format!("read back: {}, {}", visible(what), short(digest)),
        Outcome::Confirm { how, change } => format!("agreed to {} by {}", short(change), how.name()),
        Outcome::Note { question, answer } => {
            let answer = answer.as_deref().map_or_else(String::new, visible);
            format!("{} {answer}{private}", visible(question))
        }
        Outcome::Key { name, identity, adopted, token, .. } => {
            let how = if *adopted { "found again" } else { "made" };
            format!("{name} {how}{}: {}", on(token), short(&identity.digest()))
        }
        Outcome::Sign { key, payload, token, .. } => format!("{key} signed {}{}", short(payload), on(token)),
        Outcome::Destroy { key, identity, found_gone, token } => {
            let how = if *found_gone { "was found destroyed" } else { "destroyed" };
            format!("{key} {how}{}: {}", on(token), short(&identity.digest()))
        }
        Outcome::Shares { wrap_key, manifest } => {
            let digest = manifest.digest().map_or_else(|e| e.to_string(), |digest| digest.hex());
            format!(
                "{wrap_key} was dealt out, {} of {}: set {}, manifest {digest}",
                manifest.needed,
                manifest.of(),
                manifest.set
            )
        }
        Outcome::Copy { key, wrap_key, file, token, .. } => {
            format!("{key} left{} under {wrap_key}: copy {file}", on(token))
        }
        Outcome::Drill { shares, set, number, holder } => {
            format!("{holder} typed the card of share {number}, set {set}, manifest {}", short(shares))
        }
        Outcome::Drain { entries, unaccounted, token, .. } => {
            let more = match unaccounted {
                0 => "each accounted for".to_owned(),
                count => format!("{count} THAT NO TRANSCRIPT SPEAKS OF"),
            };
            format!("the log{}: {} entries, {more}", on(token), entries.len())
        }
        Outcome::Enrol { name, identity, .. } => format!("{name} taken in: {}", short(&identity.digest())),
        Outcome::Seal { documents } if documents.is_empty() => "sealed: every statement is signed".to_owned(),
        Outcome::Seal { documents } => {
            let each = documents
                .iter()
                .map(|(role, sealed)| format!("{} {}", visible(role.as_str()), sealed.version));
            format!("sealed: {}", each.collect::<Vec<_>>().join(", "))
        }
        Outcome::Upload { manifest } => format!("the upload was written: MANIFEST {}", short(manifest)),
        Outcome::Carried { way, files, statements } => {
            let number: u64 = files.values().sum();
            let what = if *way == Way::In { "taken in" } else { "handed out" };
            format!("{what}: {number} files, {} statements among them", statements.len())
        }
        Outcome::Close { without } => {
            let names: Vec<_> = without.iter().map(ToString::to_string).collect();
            format!("the gathering was closed without {}", names.join(", "))
        }
        Outcome::Witness { witness, how } => match how {
            Witnessed::Statement(sha) => format!("{witness} signed the head: statement {}", short(sha)),
            Witnessed::Words(_) => format!("{witness} copied the head to paper"),
        },
        Outcome::Refuse { reason } => format!("refused: {}", visible(reason)),
        Outcome::Exception { what } => format!("exception: {}", visible(what)),
        Outcome::End { state, waiting } => {
            let names: Vec<_> = waiting.iter().map(ToString::to_string).collect();
            let names = if names.is_empty() { String::new() } else { format!(", for {}", names.join(", ")) };
            format!("the session ends: {}{names}", state.name())
        }
        Outcome::Unknown { .. } => plain(&entry.outcome),
    }
}

/// An outcome that this page has no words for: its members as they stand.
fn plain(outcome: &Outcome) -> String {
    let json = outcome.to_json();
    let members = json.as_object().into_iter().flatten().map(|(name, value)| match value {
        Json::Str(text) => format!("{}: {}", visible(name), visible(text)),
        other => format!("{}: {}", visible(name), visible(&String::from_utf8_lossy(&other.canonical()))),
    });
    format!("{} {}", visible(outcome.act()), members.collect::<Vec<_>>().join(", "))
}

/// Who agreed to a change, and when, as the transcripts here tell it.
fn agreed<'a>(contents: &'a Contents, stored: &StoredChange) -> Vec<&'a Entry> {
    let entries = contents.transcripts.values().flat_map(Transcript::entries).map(|(entry, _)| entry);
    let agreed = |entry: &&Entry| matches!(&entry.outcome, Outcome::Confirm { change, .. } if *change == stored.digest);
    entries.filter(agreed).collect()
}

/// Changes whose documents are trusted and to which nobody agreed, as far as transcripts here tell:
/// anyone can write one over the documents of another, under a title of their own.
pub fn unagreed(contents: &Contents) -> Vec<String> {
    let done = |stored: &&StoredChange| {
        stored.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Sealed | State::Published))
            && stored.change.documents().next().is_some()
    };
    let nobody = contents.changes.values().filter(done).filter(|stored| agreed(contents, stored).is_empty());
    let words = nobody.map(|stored| {
        format!(
            "no transcript here has anyone agree to \"{}\", {}, whose documents are trusted: someone may have \
             written it over those of another change",
            visible(&stored.change.frame.title),
            stored.digest
        )
    });
    words.collect()
}

/// Every change in the order of time; of those of one second, as a rehearsal's, by what they make.
fn in_time(contents: &Contents) -> Vec<&StoredChange> {
    let mut stored: Vec<_> = contents.changes.values().collect();
    let newest = |stored: &StoredChange| stored.change.documents().map(MetadataPayload::version).max();
    stored.sort_by_key(|stored| (stored.change.frame.held_at, newest(stored)));
    stored
}

fn state(stored: &StoredChange) -> String {
    stored.standing.as_ref().map_or_else(ToString::to_string, crate::cli::status::state)
}

/// Every change in a line: when, what, how it stands, and who signed any of it.
pub fn overview(contents: &Contents) -> Screen {
    let mut table = Table::new(["held", "what", "ceremony", "state", "signed by"]);
    for stored in in_time(contents) {
        let frame = &stored.change.frame;
        let name = |key| contents.facts.keys.values().find(|record| record.public.identity() == key);
        let keys = stored.signatures.values().flatten();
        let keys: BTreeSet<_> =
            keys.map(|s| name(s.key()).map_or("another key", |r| r.name.as_str())).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        table.push([
            frame.held_at.date(),
            visible(&frame.title),
            visible(&frame.kind),
            state(stored),
            keys.join(", "),
        ]);
    }
    let screen = Screen::new("What was done");
    if table.is_empty() { screen.text("Nothing yet.") } else { screen.table(table) }
}

/// Every change, in the order of time, with who signed what of it.
pub fn changes(contents: &Contents) -> Vec<Screen> {
    let mut pages = Vec::new();
    for stored in in_time(contents) {
        let frame = &stored.change.frame;
        let state = state(stored);
        let mut page = Screen::default()
            .heading(visible(&frame.title))
            .fact("ceremony", visible(&frame.kind))
            .fact("held at", frame.held_at.to_string())
            .fact("state", state)
            .fact("change", stored.digest.hex())
            .fact("runbook", frame.runbook.hex());
        for entry in agreed(contents, stored) {
            let who = entry.by.as_ref().map_or("nobody", |by| by.as_str());
            page = page.fact("agreed to", format!("{}, {}", visible(who), entry.at));
        }
        for item in &stored.change.items {
            let Some(payload) = item.payload_digest() else {
                page = page.fact("makes", item.title());
                continue;
            };
            let signed = stored.signatures.get(&payload).into_iter().flatten();
            let mut signed: Vec<_> = signed.map(|s| called(&contents.facts, s.key())).collect();
            signed.sort();
            let signed = if signed.is_empty() { "nobody".to_owned() } else { signed.join(", ") };
            page = page.fact(item.title(), payload.hex()).fact("signed by", signed);
            if let Item::Document { asked, .. } = item {
                let asked: Vec<_> = asked.iter().map(|ask| ask.key.as_str()).collect();
                page = page.fact("asked were", asked.join(", "));
            }
        }
        pages.push(page);
    }
    pages
}

/// Every statement whose signature verifies.
pub fn statements(contents: &Contents) -> Screen {
    let mut table = Table::new(["kind", "signed by", "file", "acts"]);
    for (file, stored) in &contents.statements {
        let acts = stored.idle.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
        table.push([
            stored.signed.statement().kind().to_owned(),
            called(&contents.facts, stored.signed.public().identity()),
            file.hex(),
            acts,
        ]);
    }
    let screen = Screen::new("Statements");
    if table.is_empty() { screen.text("There are none yet.") } else { screen.table(table) }
}
