//! Codes in: from images, folders of images, or a scanner that types.
//!
//! All of them are read before anything is asked, by one deadline, and nothing is taken in before a person has typed words
//! that are in no code. Then the record judges what came in as it judges a medium's files.

use crate::ceremony::carry::code::{Code, KeyBegin};
use crate::ceremony::carry::files::unpack;
use crate::ceremony::carry::frames::{self, Collected, Taken};
use crate::ceremony::confirm::Places;
use crate::ceremony::facts::Stage;
use crate::ceremony::rules::{QR_MISSING, QR_MIXED};
use crate::cli::arguments::Answers;
use crate::cli::import;
use crate::cli::rules;
use crate::cli::session::{Ended, Session, shown};
use crate::record::signed::signature_of_code;
use crate::record::take_in::ImportReport;
use crate::record::{Contents, Inputs, Record, media};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::qr::image::MOST_BYTES;
use crate::ui::qr::read::texts_within;
use crate::ui::rules::QR_TIME;
use crate::ui::screen::{Safe, Screen, Tone};
use crate::ui::table::Table;
use crate::ui::{Console, Prompt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most images of one reading.
const MOST_IMAGES: usize = 1_000;
/// How many of them may take until their own deadline.
const MOST_SLOW: usize = 2;
/// How long all of them may take: a thousand that are each just quick enough would take hours.
const DEADLINE: Duration = Duration::from_secs(300);

/// What was read: static codes, each once, and the frames of one message.
#[derive(Default)]
struct Read {
    codes: Vec<(String, Code)>,
    frames: Collected,
    left: Vec<(String, Refusal)>,
}

impl Read {
    /// Takes a text; answers with a line about it.
    fn take(&mut self, text: &str) -> Result<String> {
        if frames::is_frame(text) {
            let taken = self.frames.take(text)?;
            let (have, need) = self.frames.progress();
            let known = if taken == Taken::Known { ", known before" } else { "" };
            return Ok(format!("{have} of {need} frames{known}"));
        }
        let code = Code::parse(text)?;
        if !self.codes.iter().any(|(_, known)| *known == code) {
            self.codes.push((text.to_ascii_uppercase(), code));
        }
        Ok("a code".to_owned())
    }

    /// The message of the frames, if there are any. Where some are missing, those of another message
    /// come first: its frames may be the ones that were wanted.
    fn message(&self) -> Result<Option<Vec<u8>>> {
        if self.frames.progress().1 == 0 {
            return Ok(None);
        }
        let mixed = self.left.iter().filter(|(_, why)| why.rule() == &QR_MIXED);
        self.frames.message().map(Some).map_err(|refusal| match mixed.clone().next() {
            Some((name, why)) if refusal.rule() == &QR_MISSING => {
                let (have, need) = self.frames.progress();
                let many = mixed.count();
                let found =
                    format!("{}, {many} such in all; of the first message {have} of {need}", why.found());
                Refusal::new(&QR_MIXED, found, why.expected()).at(name.clone())
            }
            _ => refusal,
        })
    }

    fn whole(&self) -> bool {
        let (have, need) = self.frames.progress();
        have == need && (need > 0 || !self.codes.is_empty())
    }
}

/// Runs `qr read`.
pub fn run(session: &Session, from: &[PathBuf], answers: &Answers) -> Result<Ended> {
    let mut read = Read::default();
    if from.is_empty() {
        scan(session.console(answers)?.as_mut(), &mut read)?;
    } else {
        images(from, &mut read, DEADLINE)?;
    }
    let message = read.message()?;
    if message.is_none() && read.codes.is_empty() {
        return Err(match read.left.into_iter().next() {
            Some((name, refusal)) => refusal.at(name),
            None => Refusal::new(&crate::ui::rules::QR_NONE, "no code", "at least one"),
        });
    }
    if !read.left.is_empty() && !session.json {
        let mut table = Table::new(["not read", "rule", "why"]);
        for (name, why) in &read.left {
            table.push([visible(name), why.rule().name.to_owned(), why.found().to_owned()]);
        }
        session.report(&Screen::new("Not all could be read").table(table), Json::Null)?;
    }
    let mut reader = Reader { session, answers, console: None };
    let mut all = Vec::new();
    if let Some(message) = message {
        all.push(reader.bundle(&message)?);
    }
    for (text, code) in &read.codes {
        let (screen, report) = reader.one(text, code)?;
        all.push((screen, report));
    }
    if let Some(console) = &mut reader.console {
        console.finish()?;
    }
    let mut reports = Vec::new();
    for (screen, report) in all {
        if !session.json {
            session.report(&screen, Json::Null)?;
        }
        reports.push(report);
    }
    if session.json {
        let left = read
            .left
            .iter()
            .map(|(name, why)| object([("name", visible(name).into()), ("rule", why.rule().name.into())]));
        let left: Vec<Json> = left.collect();
        session.report(&Screen::default(), object([("left", left.into()), ("read", reports.into())]))?;
    }
    Ok(Ended::Done)
}

fn scan(console: &mut dyn Console, read: &mut Read) -> Result<()> {
    let prompt = Prompt::new("scan", "Scan the codes now.")
        .help("Only codes are taken here; Enter alone ends it.")
        .help("The scanner must type as the keyboard that this machine is set to.");
    console.scan(&prompt, &mut |text| {
        let line = match read.take(text) {
            Ok(line) => line,
            Err(refusal) => format!("{refusal}; {}", refusal.rule().next),
        };
        Ok((!read.whole()).then(|| Safe::from(line)))
    })
}

fn images(from: &[PathBuf], read: &mut Read, deadline: Duration) -> Result<()> {
    let begun = Instant::now();
    let mut files = Vec::new();
    for path in from {
        if path.is_dir() { files.extend(in_folder(path)?) } else { files.push(path.clone()) }
    }
    if files.len() > MOST_IMAGES {
        let found = format!("{} images", files.len());
        return Err(Refusal::new(&crate::ceremony::rules::QR_SIZE, found, format!("at most {MOST_IMAGES}")));
    }
    let mut slow = 0_usize;
    for file in files {
        let name = shown(&file);
        let left = deadline.saturating_sub(begun.elapsed());
        if left.is_zero() {
            let found = format!("images that take longer than {} s together", deadline.as_secs());
            return Err(Refusal::new(&QR_TIME, found, "fewer at once, or smaller ones").at(name));
        }
        let found = media::read_file(&file, MOST_BYTES).and_then(|file| texts_within(left, file));
        match found {
            Ok(found) => {
                for text in found {
                    if let Err(refusal) = read.take(&text) {
                        read.left.push((name.clone(), refusal));
                    }
                }
            }
            Err(refusal) => {
                slow = slow.saturating_add(usize::from(refusal.rule() == &QR_TIME));
                if slow >= MOST_SLOW {
                    return Err(refusal.at(name));
                }
                read.left.push((name, refusal));
            }
        }
    }
    Ok(())
}

/// The images of a folder, by name; what has another ending is none.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| {
        Refusal::new(
            &crate::record::rules::MEDIA_READ,
            format!("{}: {e}", shown(folder)),
            "a folder that can be read",
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if ["png", "jpg", "jpeg"].contains(&ending.as_str()) && files.len() <= MOST_IMAGES {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Takes in what was read.
struct Reader<'a> {
    session: &'a Session,
    answers: &'a Answers,
    /// Opened for the first question.
    console: Option<Box<dyn Console>>,
}

impl Reader<'_> {
    /// Has words of what was read typed, from the other side's screen.
    fn agreed(&mut self, what: &str, digest: &Digest) -> Result<()> {
        let console = match &mut self.console {
            Some(console) => console,
            none => none.insert(self.session.console(self.answers)?),
        };
        console.show(&Screen::new("Read from codes").fact("holds", what).text(
            "Ask whoever made the codes for these words of their digest. They are in no code, and not shown here.",
        ))?;
        let prompt = Prompt::new("words", "Which words has the digest of the whole on the other screen?");
        console.confirm_words(&prompt, digest, Places::from_random(self.session.random::<3>()?))
    }

    fn bundle(&mut self, message: &[u8]) -> Result<(Screen, Json)> {
        let digest = Digest::of(message);
        let files = unpack(message)?;
        self.agreed(&format!("{} files of a record", files.len()), &digest)?;
        let today = self.session.now()?;
        let (record, report) = Record::receive(&self.session.directory, files, today)?;
        let contents = record.read_all(today, &Inputs::default())?;
        taken(&record, &contents, &report, digest)
    }

    fn one(&mut self, text: &str, code: &Code) -> Result<(Screen, Json)> {
        let record = Record::open(&self.session.directory)?;
        let today = self.session.now()?;
        let contents = record.read_all(today, &Inputs::default())?;
        match code {
            Code::Signatures { change, key, signatures } => {
                let stored = contents.changes.get(change).ok_or_else(|| {
                    let found = format!("signatures for the change {change}");
                    Refusal::new(&rules::QR_UNKNOWN, found, "a change of this record")
                })?;
                let mut files = BTreeMap::new();
                for (item, sig) in signatures {
                    let (path, file) = signature_of_code(&stored.change, *item, *key, sig)?;
                    files.insert(path, file);
                }
                let of = |public: &PublicKey| KeyBegin::of(&public.identity()) == *key;
                let name = contents.facts.keys.iter().find(|(_, listed)| of(&listed.public));
                let name = name.map_or_else(|| key.hex(), |(name, _)| name.to_string());
                let what = format!("{} of {name}: {}", counted(signatures.len()), stored.change.frame.title);
                let digest = Digest::of(text.as_bytes());
                self.agreed(&what, &digest)?;
                let report = record.import_files(files, today)?;
                let contents = record.read_all(today, &Inputs::default())?;
                taken(&record, &contents, &report, digest)
            }
            Code::Key(spki) => key(&contents, spki),
            Code::Digest(digest) => Ok(told(&contents, digest)),
        }
    }
}

/// `1 signature`, `2 signatures`.
pub(super) fn counted(many: usize) -> String {
    format!("{many} signature{}", if many == 1 { "" } else { "s" })
}

fn taken(
    record: &Record,
    contents: &Contents,
    report: &ImportReport,
    digest: Digest,
) -> Result<(Screen, Json)> {
    if let (true, Some((name, why))) = (report.taken.is_empty() && report.known == 0, report.left.first()) {
        return Err(why.clone().at(name));
    }
    let rehearsal = record.trust().stage == Stage::Rehearsal;
    let screen = import::screen(report, "codes", rehearsal).digest("of the whole", digest).callout(
        Tone::Note,
        "Whoever made the codes is asked for words of this digest too, by --compare if they came by hand: read them out.",
    );
    Ok((import::with_signatures(screen, report, contents), import::json(report)))
}

const COMPARE: &str = "Nothing was taken in. Compare the words with paper or the other screen.";

fn key(contents: &Contents, spki: &[u8]) -> Result<(Screen, Json)> {
    let public = PublicKey::from_spki_der(spki)?;
    let identity = public.identity();
    let known = contents.facts.keys.iter().find(|(_, listed)| listed.public.identity() == identity);
    let whose = known.map_or_else(
        || "none that this record has".to_owned(),
        |(name, listed)| format!("{name}, of {}", listed.holder),
    );
    let screen = Screen::new("A public key")
        .fact("key", whose.as_str())
        .fact("kind", public.describe())
        .digest("its identity", identity.digest())
        .callout(Tone::Note, COMPARE);
    let name = known.map_or(Json::Null, |(name, _)| name.as_str().into());
    Ok((screen, object([("identity", identity.to_string().into()), ("key", name)])))
}

fn told(contents: &Contents, digest: &Digest) -> (Screen, Json) {
    let of = of_what(contents, digest);
    let screen = Screen::new("A digest")
        .fact("of", of.as_str())
        .digest("the digest", *digest)
        .callout(Tone::Note, COMPARE);
    (screen, object([("digest", digest.hex().into()), ("of", of.into())]))
}

/// What in the record has this digest.
fn of_what(contents: &Contents, digest: &Digest) -> String {
    if let Some(stored) = contents.changes.get(digest) {
        return format!("the change \"{}\"", stored.change.frame.title);
    }
    let documents = contents.facts.documents.values();
    if let Some(found) =
        documents.filter(|d| d.payload().digest() == *digest).map(|d| d.role().to_string()).next()
    {
        return format!("the newest {found}");
    }
    let mut keys = contents.facts.keys.iter();
    if let Some((name, _)) = keys.find(|(_, listed)| listed.public.identity().digest() == *digest) {
        return format!("the key {name}");
    }
    "nothing that this record has under it".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn all_images_together_have_a_deadline() {
        let code = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/qr/code.jpg"));
        let all = vec![code; 3];
        let mut read = Read::default();
        images(&all, &mut read, DEADLINE).unwrap();
        assert_eq!((read.codes.len(), read.left.len()), (1, 0));
        let begun = Instant::now();
        let late = images(&vec![all[0].clone(); MOST_IMAGES], &mut Read::default(), Duration::from_millis(1));
        let late = late.unwrap_err();
        assert_eq!(late.rule().name, "QR-TIME", "{late}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
