//! `keyrite share drill`: a custodian shows that they have their card, without showing the card.
//!
//! The words and the salt are typed unseen and compared with the commitment in the set's manifest. One
//! person at any machine they trust with their own card does it; nobody else's is needed, so nothing
//! that brings a secret back ever comes together.
//!
//! Never: a word shown or kept, a word taken from anywhere but the terminal, two shares at once.

use super::arguments::{Answers, Share as Arguments, ShareAct};
use super::session::{Ended, Session, shown};
use crate::ceremony::people::Person;
use crate::ceremony::share_manifest::ShareManifest;
use crate::ceremony::sharing;
use crate::record::media;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::share_card::seen;
use crate::ui::share_desk::read_card;
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

fn opening(manifest: &ShareManifest, holder: &Person, own: &[String], digest: Digest) -> Screen {
    Screen::new("Share drill")
        .text("You type your own card; nothing of it is shown or kept. Nobody else's card is needed.")
        .fact("secret", visible(&manifest.title))
        .fact("set", manifest.set.to_string())
        .fact("made", manifest.date.to_string())
        .fact("your card", format!("share {} of {}, held by {holder}", own.join(" or "), manifest.of()))
        .digest("the manifest, as the transcript names it", digest)
}
