//! `keyrite share drill`: a custodian shows that they have their card, without showing the card.
//!
//! The words and the salt are typed unseen and compared with the commitment in the set's manifest. One
//! person at any machine they trust with their own card does it; nobody else's is needed, so nothing
//! that brings a secret back ever comes together.
//!
//! Never: a word shown or kept, a word taken from anywhere but the terminal, two shares at once.

use super::arguments::{Answers, Share as Arguments, ShareAct};
use super::perform::journal::Of;
use super::session::{Ended, Session, shown};
use super::table::Table;
use crate::ceremony::people::{Duty, Person};
use crate::ceremony::share_manifest::{ShareLine, ShareManifest};
use crate::ceremony::sharing;
use crate::ceremony::transcript::{EndState, Outcome};
use crate::record::media;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::share_card::seen;
use crate::ui::share_desk::read_card;
use std::collections::BTreeMap;
use std::path::Path;

/// The largest manifest, in bytes.
const CAP: u64 = 64 * 1024;

/// Runs the command.
///
/// # Errors
///
/// What reading the manifest refuses; what the words and the salt are refused for after the third
/// time; `SHARE-FOREIGN`, `SHARE-COMMITMENT`, `SHARE-HOLDER` for a card that is not this person's.
pub fn run(session: &Session, args: &Arguments) -> Result<Ended> {
    let ShareAct::Drill { manifest: file, holder } = &args.act;
    drill(session, file, &holder.parse()?)
}

fn drill(session: &Session, file: &Path, holder: &Person) -> Result<Ended> {
    let bytes = media::read_file(file, CAP)?;
    let manifest = ShareManifest::from_json(&bytes).map_err(|e| e.at(shown(file)))?;
    let digest = Digest::of(&bytes);
    let own: Vec<String> =
        manifest.shares.iter().filter(|l| l.holder == *holder).map(|l| l.number.to_string()).collect();
    if own.is_empty() {
        let holders: Vec<&str> = manifest.shares.iter().map(|line| line.holder.as_str()).collect();
        return Err(Refusal::new(
            &crate::ceremony::rules::SHARE_HOLDER,
            format!("{holder}, who holds no card of set {}", manifest.set),
            format!("one of {}", holders.join(", ")),
        ));
    }
    let mut console = session.console(&Answers::default())?;
    let console = &mut *console;
    console.show(&opening(&manifest, holder, &own, digest))?;
    let (share, salt) = read_card(console, &manifest)?;
    let line = sharing::drill(&manifest, holder, &seen(&share, &salt))?;
    let screen = Screen::default().callout(
        Tone::Done,
        format!("this is the card of share {} of {}, held by {holder}", line.number, manifest.of()),
    );
    let screen = match record(session, &manifest, digest, line)? {
        Some(entry) => screen.fact("on record as", entry),
        None => screen.text("It is on no record: -C names none of this trust."),
    };
    let screen = screen.next("put the card back into its envelope, and seal it");
    let json = object([
        ("holder", holder.as_str().into()),
        ("manifest", digest.hex().into()),
        ("number", Json::Int(line.number.into())),
        ("set", manifest.set.to_string().into()),
    ]);
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

/// Puts on record that the card is there, in a transcript of its own, if there is a record of this trust:
/// when, whose, of which set, and no word of it. Nobody signs it, so nothing is ever decided by it.
fn record(
    session: &Session,
    manifest: &ShareManifest,
    shares: Digest,
    line: &ShareLine,
) -> Result<Option<String>> {
    if !session.directory.join("trust.json").exists() {
        return Ok(None);
    }
    let mut table = Table::open(session)?;
    if table.record.trust().id != manifest.trust {
        return Ok(None);
    }
    table.record.lock()?;
    let contents = table.contents(session)?;
    let people = BTreeMap::from([(line.holder.clone(), Duty::Custodian)]);
    let mut journal = table.begin(session, &contents, people, Vec::new(), session.machine())?;
    let outcome =
        Outcome::Drill { shares, set: manifest.set, number: line.number, holder: line.holder.clone() };
    journal.say(&table.record, session, Of::SESSION, outcome)?;
    table.end(session, &mut journal, EndState::Done, Vec::new())?;
    Ok(Some(format!("an act of ceremony {}", journal.ceremony())))
}

fn opening(manifest: &ShareManifest, holder: &Person, own: &[String], digest: Digest) -> Screen {
    Screen::new("Share drill")
        .text("You type your own card; nothing of it is shown or kept. Nobody else's card is needed.")
        .fact("secret", visible(&manifest.title))
        .fact("set", manifest.set.to_string())
        .fact("made", manifest.date.to_string())
        .fact("your card", format!("share {} of {}, held by {holder}", own.join(" or "), manifest.of()))
        .digest("the manifest, as the transcript names it", digest)
}
