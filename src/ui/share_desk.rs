//! The desk at which cards go out and come back: one custodian at a time, before the terminal.
//!
//! What may happen when is said by [`sharing`](crate::ceremony::sharing); here people are asked. A card
//! that is typed wrong is told so and typed again, three times; then the dealing or gathering ends, and
//! nothing of it was used.
//!
//! Never: two cards on the screen, a word shown while it is typed, a secret given out that was not
//! compared with its manifest.

use super::screen::{Screen, Tone};
use super::share_card::{ShareCard, seen};
use super::{Console, Prompt};
use crate::ceremony::rules as ceremony;
use crate::ceremony::share_manifest::{ShareLine, ShareManifest};
use crate::ceremony::sharing::{Dealing, Dealt, Gathering, Turn};
use crate::signer::slip39::{Salt, Secret, Share, Words, all_agree, recombine};
use crate::tuf::rule::{Refusal, Result};
use zeroize::Zeroizing;

/// How often a whole card, or its salt, is typed before it counts as wrong.
pub(super) const TRIES: usize = 3;

/// How a card comes to its holder.
pub enum Hand<'a> {
    /// Copied by hand from the screen.
    Screen,
    /// Printed, one page at a time.
    Paper(&'a mut dyn Printer),
}

/// From where pages are printed.
pub trait Printer {
    /// Takes the page of a card, and says where its holder finds it.
    ///
    /// # Errors
    ///
    /// What keeps it from being there.
    fn page(&mut self, line: &ShareLine, page: Zeroizing<String>) -> Result<String>;

    /// Has no page any more: the card is read back, or the dealing has ended.
    ///
    /// # Errors
    ///
    /// What keeps it from being gone.
    fn gone(&mut self) -> Result<()>;
}

/// A set that was just split.
pub struct Fresh<'a> {
    /// What is public of it.
    pub manifest: &'a ShareManifest,
    /// The shares with their salts, in the manifest's order.
    pub cards: &'a [(Share, Salt)],
    /// What was split.
    pub secret: &'a Secret,
    /// Whether cards are stamped as a rehearsal's.
    pub rehearsal: bool,
}

/// Deals the cards out: tries every choice of shares, then has each holder come, take their card and
/// type it back. What it returns is what using the secret asks for.
///
/// # Errors
///
/// `SHARE-DEALT`, `SHARE-CHOICES` before anyone has seen a card; what a card is refused for the third
/// time it is typed; `SHOWN-ALONE`; what printing refuses.
pub fn deal(console: &mut dyn Console, set: &Fresh<'_>, mut hand: Hand<'_>) -> Result<Dealt> {
    let dealt = dealing(console, set, &mut hand);
    // Also where it was refused, or someone has stopped it.
    let gone = hand.gone();
    let dealt = dealt?;
    gone.map(|()| dealt)
}

fn dealing(console: &mut dyn Console, set: &Fresh<'_>, hand: &mut Hand<'_>) -> Result<Dealt> {
    let shares: Vec<&Share> = set.cards.iter().map(|(share, _)| share).collect();
    let agreed = all_agree(&shares, set.secret)?;
    let mut dealing = Dealing::begin(set.manifest, agreed)?;
    let mut tries = 0usize;
    loop {
        match dealing.turn() {
            Turn::Show(line) => {
                give_out(console, set, line, hand)?;
                dealing.shown(line.number)?;
                tries = 0;
            }
            Turn::ReadBack(line) => {
                tries = tries.saturating_add(1);
                let who = format!("{} types share {} back, unseen.", line.holder, line.number);
                console.show(&Screen::default().text(who))?;
                let card = read_card(console, set.manifest)?;
                match dealing.read_back(&seen(&card.0, &card.1)) {
                    Ok(()) => {
                        hand.gone()?;
                        let text = format!("share {} is read back", line.number);
                        console.show(&Screen::default().callout(Tone::Done, text))?;
                    }
                    Err(refusal) if tries >= TRIES => return Err(refusal),
                    Err(refusal) => {
                        say(console, &refusal, "Compare, and type it again.")?;
                        // What is printed is there; another page of it would be another card.
                        if matches!(hand, Hand::Screen) {
                            give_out(console, set, line, hand)?;
                        }
                    }
                }
            }
            Turn::Done => return dealing.finish(),
        }
    }
}

impl Hand<'_> {
    fn gone(&mut self) -> Result<()> {
        match self {
            Self::Screen => Ok(()),
            Self::Paper(printer) => printer.gone(),
        }
    }
}

/// Has one holder come and take their card.
fn give_out(console: &mut dyn Console, set: &Fresh<'_>, line: &ShareLine, hand: &mut Hand<'_>) -> Result<()> {
    let (manifest, of) = (set.manifest, set.manifest.of());
    let own = set.cards.iter().find(|(share, _)| share.member().number == line.number);
    let Some((share, salt)) = own else {
        let found = format!("no share {} among those that were made", line.number);
        return Err(Refusal::new(&ceremony::SHARE_FOREIGN, found, format!("shares 1 to {of}")));
    };
    let card = ShareCard::new(manifest, share, salt, set.rehearsal)?;
    let come = Prompt::new(
        format!("share.{}", line.number),
        format!("Only {} is before the screen and the printer now", line.holder),
    );
    let come = come.help(format!("Next is the card of share {} of {of}.", line.number));
    console.press_enter(&come)?;
    match hand {
        Hand::Screen => {
            let copied = Prompt::new(come.id.clone(), "Copy every word with its number, and the salt.");
            console.show_alone(&card.text(), &copied)
        }
        Hand::Paper(printer) => {
            let place = printer.page(line, card.html())?;
            let print = Prompt::new(come.id.clone(), format!("Print {place} once, and take the page"));
            console.press_enter(&print.help("It is removed as soon as the card is typed back."))
        }
    }
}

/// Gathers as many cards as are needed, holds each against the manifest as it comes, and brings the
/// secret back.
///
/// # Errors
///
/// What a card is refused for the third time; `SHARE-DIGEST`, `SHARE-CHECK` if what comes back is not
/// what was split.
pub fn gather(console: &mut dyn Console, manifest: &ShareManifest) -> Result<Secret> {
    let mut gathering = Gathering::begin(manifest);
    let mut shares = Vec::with_capacity(usize::from(manifest.needed));
    let mut tries = 0usize;
    while gathering.missing() > 0 {
        tries = tries.saturating_add(1);
        let holders: Vec<String> =
            gathering.waiting().map(|line| format!("{} (share {})", line.holder, line.number)).collect();
        let screen = Screen::default()
            .fact("still needed", format!("{} cards", gathering.missing()))
            .fact("can bring one", holders.join(", "));
        console.show(&screen)?;
        let (share, salt) = read_card(console, manifest)?;
        match gathering.give(&seen(&share, &salt)) {
            Ok(_) => {
                shares.push(share);
                tries = 0;
            }
            Err(refusal) if tries >= TRIES => return Err(refusal),
            Err(refusal) => say(console, &refusal, "Type the card again, or another one.")?,
        }
    }
    let all: Vec<&Share> = shares.iter().collect();
    let secret = recombine(&all, "")?;
    gathering.finish(secret.check_value())?;
    Ok(secret)
}

/// Has a card of a set typed unseen: its words a few at a time, then its salt.
///
/// # Errors
///
/// What the words or the salt are refused for the third time; what asking refuses.
pub fn read_card(console: &mut dyn Console, manifest: &ShareManifest) -> Result<(Share, Salt)> {
    let count = usize::from(manifest.words);
    let share = patiently(console, "Type the card again, from its first word.", |console| {
        words(console, count).map(|words| Share::of_words(&words))
    })?;
    let salt = patiently(console, "Type the salt again.", |console| {
        let prompt = Prompt::new("salt", "The salt").help("Nine groups of four digits, below the words.");
        console.secret(&prompt).map(|typed| typed.expose().parse())
    })?;
    Ok((share, salt))
}

/// Asks until what was typed is right: the inner result is of the typing, the outer one of the asking.
fn patiently<T>(
    console: &mut dyn Console,
    then: &str,
    mut ask: impl FnMut(&mut dyn Console) -> Result<Result<T>>,
) -> Result<T> {
    for _ in 1..TRIES {
        match ask(console)? {
            Ok(read) => return Ok(read),
            Err(refusal) => say(console, &refusal, then)?,
        }
    }
    ask(console)?
}

/// The words. One that is none is asked for again where it stands.
fn words(console: &mut dyn Console, count: usize) -> Result<Words> {
    let mut words = Words::none();
    while words.count() < count {
        let next = words.count().saturating_add(1);
        let mut prompt = Prompt::new("words", format!("Words {next} to {count}"));
        if next == 1 {
            prompt = prompt.help("As many on a line as you like; of each the first four letters are enough.");
        }
        let typed = console.secret(&prompt)?;
        if let Err(refusal) = words.add(typed.expose()) {
            say(console, &refusal, "Type from this word on.")?;
        }
    }
    Ok(words)
}

pub(super) fn say(console: &mut dyn Console, refusal: &Refusal, then: &str) -> Result<()> {
    let rule = refusal.rule().name;
    let (found, expected) = (refusal.found(), refusal.expected());
    let text = format!("{rule}: found {found}, expected {expected}. {then}");
    console.show(&Screen::default().callout(Tone::Careful, text))
}
