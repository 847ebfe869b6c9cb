//! Codes out: on the terminal, as files of pictures, on paper.
//!
//! The words of what a code holds stand on the screen of whoever shows it, never beside the code: whoever
//! changed one on its way would have changed the other. Where what is shown is taken in at once, whoever
//! shows it types words from the other side's screen then, as the other side did from theirs: so both know
//! that it is the same. What goes by hand, in a folder or on paper, is taken in later: then `--compare` shows
//! the words again, computed from the record as the codes were and never read from what was carried, and asks
//! for the other side's.

use crate::ceremony::carry::code::{Code, KeyBegin};
use crate::ceremony::carry::files::pack;
use crate::ceremony::carry::frames::{self, Frames};
use crate::ceremony::change::Item;
use crate::ceremony::confirm::Places;
use crate::ceremony::facts::Stage;
use crate::ceremony::people::{KeyName, Person};
use crate::cli::arguments::Out;
use crate::cli::files;
use crate::cli::rules;
use crate::cli::session::{Ended, Session, shown};
use crate::record::signed::signature_bytes;
use crate::record::{Contents, Inputs, Record};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::ui::paper::Paper;
use crate::ui::qr::{Picture, Soil, letters, no_room, side_of};
use crate::ui::screen::{Screen, Tone};
use crate::ui::{Console, Prompt};
use std::path::Path;

/// Pixels of a module in a file.
const SCALE: usize = 8;
/// Versions for frames in files and on paper: cameras read the first best.
const VERSIONS: [i16; 4] = [10, 13, 16, 20];
/// With more frames than this, the next version is taken.
const MANY: usize = 120;
/// The version for a screen, where there is room for it.
const ON_SCREEN: i16 = 10;

/// What is shown of a code, or of many.
struct Shown<'a> {
    what: String,
    digest: Digest,
    codes: Codes,
    name: &'a str,
    next: String,
    /// Where the other side takes it in, and people at both ends say so: when.
    taken_in: Option<Compare>,
}

/// When words are compared that the other side has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    /// Once the codes are drawn; or later, if they go by hand.
    After,
    /// Now: they are out.
    Now,
}

impl Compare {
    const fn of(now: bool) -> Self {
        if now { Self::Now } else { Self::After }
    }
}

enum Codes {
    One(String),
    Message(Vec<u8>),
}

/// The files of the record that someone needs, as frames.
pub fn files(
    session: &Session,
    person: Option<&str>,
    besides: Option<&Path>,
    (out, compare): (&Out, bool),
) -> Result<Ended> {
    let person: Option<Person> = person.map(str::parse).transpose()?;
    let record = Record::open(&session.directory)?;
    let besides = besides.map(Record::open_received).transpose()?;
    let files = record.bundle(person.as_ref(), besides.as_ref(), session.now()?)?;
    let message = pack(&files)?;
    let shown = Shown {
        what: format!("{} files of the record, packed to {} bytes", files.len(), message.len()),
        digest: frames::digest(&message),
        codes: Codes::Message(message),
        name: "frame",
        taken_in: Some(Compare::of(compare)),
        next: "keyrite qr read    on the other side: with the images, or with a scanner".to_owned(),
    };
    show(session, &record, shown, out)
}

/// What a key has signed of the open changes.
pub fn signatures(session: &Session, key: &str, (out, compare): (&Out, bool)) -> Result<Ended> {
    let name: KeyName = key.parse()?;
    let (record, contents) = read(session)?;
    let Some(listed) = contents.facts.keys.get(&name) else {
        return Err(unknown(&format!("key {name}")));
    };
    let identity = listed.public.identity();
    let mut of = Vec::new();
    for stored in contents.changes.values() {
        let mut signed: Vec<(u8, Vec<u8>)> = Vec::new();
        for (number, item) in (0_u8..).zip(&stored.change.items) {
            let all = Item::payload_digest(item).and_then(|payload| stored.signatures.get(&payload));
            let own = all.and_then(|all| all.iter().find(|signature| signature.key() == identity));
            if let Some(signature) = own {
                signed.push((number, signature_bytes(&stored.change, record.trust().profile, signature)?));
            }
        }
        if !signed.is_empty() {
            of.push((stored, signed));
        }
    }
    // Those that still help first; without one, the last that was held.
    of.sort_by_key(|(stored, _)| (stored.closed(), std::cmp::Reverse(stored.change.frame.held_at)));
    let Some((stored, signatures)) = of.into_iter().next() else {
        return Err(unknown(&format!("signature of {name}")));
    };
    let many = signatures.len();
    let code = Code::Signatures { change: stored.digest, key: KeyBegin::of(&identity), signatures };
    let what = format!("{} of {name}: {}", super::read::counted(many), stored.change.frame.title);
    one(session, &record, what, &code, "signatures", (out, compare))
}

/// A public key.
pub fn key(session: &Session, key: &str, out: &Out) -> Result<Ended> {
    let name: KeyName = key.parse()?;
    let (record, contents) = read(session)?;
    let Some(listed) = contents.facts.keys.get(&name) else {
        return Err(unknown(&format!("key {name}")));
    };
    let what = format!("the public key {name}, identity {}", listed.public.identity());
    one(session, &record, what, &Code::Key(listed.public.spki_der().to_vec()), "key", (out, false))
}

/// A digest.
pub fn digest(session: &Session, digest: &str, out: &Out) -> Result<Ended> {
    let record = Record::open(&session.directory)?;
    let digest: Digest = digest.parse()?;
    one(session, &record, format!("the digest {digest}"), &Code::Digest(digest), "digest", (out, false))
}

fn read(session: &Session) -> Result<(Record, Contents)> {
    let record = Record::open(&session.directory)?;
    let contents = record.read_all(session.now()?, &Inputs::default())?;
    Ok((record, contents))
}

fn unknown(lacking: &str) -> Refusal {
    Refusal::new(&rules::QR_UNKNOWN, format!("no {lacking} in this record"), "something that it has")
}

fn one(
    session: &Session,
    record: &Record,
    what: String,
    code: &Code,
    name: &str,
    (out, compare): (&Out, bool),
) -> Result<Ended> {
    let text = code.text()?;
    let digest = match code {
        // People compare the digest itself, or the key's identity, wherever it stands.
        Code::Digest(digest) => *digest,
        Code::Key(spki) => Digest::of(spki),
        Code::Signatures { .. } => Digest::of(text.as_bytes()),
    };
    let next = "keyrite qr read    on the other side: with an image, or with a scanner".to_owned();
    let taken_in = matches!(code, Code::Signatures { .. }).then(|| Compare::of(compare));
    show(session, record, Shown { what, digest, codes: Codes::One(text), name, next, taken_in }, out)
}

fn show(session: &Session, record: &Record, shown: Shown<'_>, out: &Out) -> Result<Ended> {
    let rehearsal = record.trust().stage == Stage::Rehearsal;
    let screen = Screen::new("Codes").rehearsal(rehearsal).fact("holds", shown.what.as_str());
    let words = "Say its words to whoever reads it, by telephone or face to face; they are in no code.";
    let screen = screen.digest("of the whole", shown.digest).callout(Tone::Careful, words);
    if shown.taken_in == Some(Compare::Now) {
        let mut console = session.console(&crate::cli::arguments::Answers::default())?;
        let again = "If this record has taken anything in since the codes were made, they have other words: \
                     then make them anew.";
        session.report(&screen.text(again), json(&shown.digest, 0))?;
        confirmed(session, &mut *console, &shown.digest)?;
        return Ok(Ended::Done);
    }
    if out.into.is_none() && out.print.is_none() {
        let mut console = session.console(&crate::cli::arguments::Answers::default())?;
        let room = console.room();
        let (count, text): (usize, Box<dyn Fn(u32) -> Result<String>>) = match shown.codes {
            Codes::One(text) => (1, Box::new(move |_| Ok(text.clone()))),
            Codes::Message(message) => {
                let most = letters(side_of(ON_SCREEN), Soil::Little);
                if room == 0 {
                    return Err(no_room("no room for any code"));
                }
                let frames = Frames::new(&message, room.min(most))?;
                let many = frames.parts();
                // Once around plainly, then mixed: whoever missed one need not wait for it.
                (many, Box::new(move |number| Ok(frames.text(number))))
            }
        };
        let screen = screen.fact("codes", count.to_string()).next(shown.next);
        session.report(&screen, json(&shown.digest, count))?;
        console.draw(&*text, count == 1)?;
        if shown.taken_in.is_some() {
            confirmed(session, &mut *console, &shown.digest)?;
        }
        return Ok(Ended::Done);
    }
    let texts = match &shown.codes {
        Codes::One(text) => vec![text.clone()],
        Codes::Message(message) => cut(message)?,
    };
    let pictures = texts.iter().map(|text| Picture::of(text, Soil::Some)).collect::<Result<Vec<_>>>()?;
    let mut screen = screen.fact("codes", pictures.len().to_string());
    if let Some(folder) = &out.into {
        std::fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))?;
        for (number, picture) in (1..).zip(&pictures) {
            let name = if pictures.len() == 1 {
                shown.name.to_owned()
            } else {
                format!("{}-{number:03}", shown.name)
            };
            files::create(&folder.join(format!("{name}.png")), &picture.png(SCALE)?)?;
            files::create(&folder.join(format!("{name}.svg")), picture.svg().as_bytes())?;
        }
        screen = screen.fact("into", crate::cli::session::shown(folder));
    }
    if let Some(file) = &out.print {
        let trust = record.trust();
        files::create(file, paper(&shown, &pictures, &trust.collection, rehearsal).as_bytes())?;
        screen = screen.fact("to print", crate::cli::session::shown(file));
    }
    let mut screen = screen.next(shown.next.as_str());
    if shown.taken_in.is_some() {
        screen = screen.next(
            "the same line with --compare, in place of where they go    here, once the other side has read them",
        );
    }
    session.report(&screen, json(&shown.digest, pictures.len()))?;
    Ok(Ended::Done)
}

/// Has words of the digest typed that whoever has taken it in reads out.
fn confirmed(session: &Session, console: &mut dyn Console, digest: &Digest) -> Result<()> {
    let text =
        "Which words of the digest of the whole are on the other screen, once it says that it was taken in?";
    let prompt = Prompt::new("other-side", text)
        .help("Have them read out to you. If they are others, what was taken in there is not what you have shown: type no.");
    console.confirm_words(&prompt, digest, Places::from_random(session.random::<3>()?))?;
    console.show(&Screen::default().callout(Tone::Done, "the other side has what you have shown"))
}

/// Frames for files and paper: in the coarsest codes that are not too many, and some more than are
/// needed, so that a lost one is made up for.
fn cut(message: &[u8]) -> Result<Vec<String>> {
    let mut cut = Frames::new(message, 0);
    for version in VERSIONS {
        cut = Frames::new(message, letters(side_of(version), Soil::Some));
        if cut.as_ref().is_ok_and(|frames| frames.parts() <= MANY) {
            break;
        }
    }
    let frames = cut?;
    let more = if frames.parts() == 1 { 0 } else { frames.parts().div_ceil(5).saturating_add(1) };
    let last = u32::try_from(frames.parts().saturating_add(more)).unwrap_or(u32::MAX);
    Ok((1..=last).map(|number| frames.text(number)).collect())
}

fn paper(shown: &Shown<'_>, pictures: &[Picture], collection: &str, rehearsal: bool) -> String {
    let mut paper = Paper::new("Codes", shown.what.as_str(), collection, rehearsal);
    let page = paper.body();
    page.leaf(
        "p",
        "lead",
        "Read by keyrite qr read, in any order. The words that are compared are not on this paper: ask \
         whoever made it for them.",
    );
    page.element("div", "codes", |codes| {
        for (number, picture) in (1_usize..).zip(pictures) {
            codes.element("figure", "code", |figure| {
                figure.add(&picture.markup());
                figure.leaf("figcaption", "", format!("{} {number} of {}", shown.name, pictures.len()));
            });
        }
    });
    paper.html()
}

fn json(digest: &Digest, codes: usize) -> Json {
    let codes = i64::try_from(codes).unwrap_or(i64::MAX);
    object([("codes", codes.into()), ("digest", digest.hex().into())])
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Refusal {
    let found = format!("{}: {error}", shown(folder));
    Refusal::new(&rules::FILE_WRITE, found, "a folder that can be written to")
}
