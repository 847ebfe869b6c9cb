//! Share cards as people meet them: printed, scanned, dealt out and gathered at a terminal, and shown
//! to be at hand by `share drill`.
//!
//! Dealing and gathering have no command yet: a test runs itself again as a child on a
//! pseudo-terminal, where `KEYRITE_STAGE` says which of the two is done.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test fails by panicking; a child tells its answers on stdout"
)]

mod browser;
mod program;
mod seeded;

use browser::{SIZES, pages, print, scanned};
use keyrite::ceremony::share_manifest::{SetId, ShareLine, ShareManifest, ShareUse};
use keyrite::signer::slip39::{Salt, Scheme, Secret, Share, split};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::TrustId;
use keyrite::ui::interrupt::Interrupt;
use keyrite::ui::share_card::ShareCard;
use keyrite::ui::share_desk::{Fresh, Hand, Printer, deal, gather};
use keyrite::ui::terminal::Terminal;
use program::{ended, folder, on_terminal, run};
use rexpect::session::PtySession;
use rustix::termios::{Winsize, tcsetwinsize};
use seeded::seeded;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HOLDERS: [&str; 3] = ["bruno", "carol", "dana"];

/// A set of three cards in a folder, with its manifest.
struct Dealt {
    dir: PathBuf,
    manifest: ShareManifest,
    cards: Vec<(Share, Salt)>,
}

fn dealt(test: &str, seed: u64) -> Dealt {
    let (manifest, cards, _) = made(seed);
    let dir = folder(test);
    fs::write(dir.join("shares.json"), manifest.to_json().unwrap()).unwrap();
    Dealt { dir, manifest, cards }
}

/// The same for the same seed, in this program and its child.
fn made(seed: u64) -> (ShareManifest, Vec<(Share, Salt)>, Secret) {
    let random = seeded(seed);
    let secret = Secret::new(random.many(32).unwrap()).ok().unwrap();
    let shares = split(&secret, Scheme::new(2, 3).unwrap(), &random).unwrap();
    let cards: Vec<_> = shares.into_iter().map(|share| (share, Salt::draw(&random).unwrap())).collect();
    let line = |((share, salt), holder): (&(Share, Salt), &str)| ShareLine {
        number: share.member().number,
        holder: holder.parse().unwrap(),
        commitment: share.commitment(salt),
    };
    let manifest = ShareManifest {
        trust: TrustId::from_bytes([7; 16]),
        set: SetId::from_bytes([9; 16]),
        date: "2026-11-22T13:00:00Z".parse().unwrap(),
        purpose: ShareUse::WrapKey,
        title: "Wrap key of the YubiHSMs".to_owned(),
        identifier: cards[0].0.set().identifier,
        words: 33,
        needed: 2,
        check: secret.check_value(),
        shares: cards.iter().zip(HOLDERS).map(line).collect(),
    };
    (manifest, cards, secret)
}

impl Dealt {
    fn words(&self, at: usize) -> Vec<&'static str> {
        self.cards[at].0.words().iter().collect()
    }

    fn salt(&self, at: usize) -> String {
        self.cards[at].1.text().to_string()
    }

    fn drill(&self, arguments: &[&str]) -> PtySession {
        on_terminal(&self.dir, &[&["share", "drill", "shares.json"], arguments].concat())
    }

    /// No two words that follow each other, and no group of a salt, were shown or written.
    fn nothing_shown(&self, seen: &str) {
        let joined = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        for at in 0..3 {
            for pair in self.words(at).windows(2) {
                assert!(!joined.contains(&pair.join(" ")), "{pair:?}");
            }
            for group in self.salt(at).split(' ').collect::<Vec<_>>().windows(2) {
                assert!(!joined.contains(&group.join(" ")), "{group:?}");
            }
        }
    }
}

/// Reads all that the terminal shows up to a question; then types a line unseen.
fn unseen(pty: &mut PtySession, question: &str, line: &str, seen: &mut String) {
    seen.push_str(&pty.exp_string(question).unwrap());
    seen.push_str(&pty.exp_string("(not shown) > ").unwrap());
    pty.send_line(line).unwrap();
}

#[test]
fn a_card_prints_on_one_page_and_its_code_gives_the_words() {
    let dealt = dealt("share-card", 1);
    let (share, salt) = &dealt.cards[1];
    let file = dealt.dir.join("card.html");
    let html = ShareCard::new(&dealt.manifest, share, salt, false).ok().unwrap().html();
    fs::write(&file, &*html).unwrap();
    for size in SIZES {
        let pdf = print(&file, size.0);
        let pages = pages(&pdf);
        assert_eq!(pages.len(), 1, "{}", size.0);
        let text = pages[0].text();
        let words: Vec<String> =
            (1..).zip(dealt.words(1)).map(|(n, word): (usize, _)| format!("{n} {word}")).collect();
        let said = [
            words.join(" "),
            dealt.salt(1),
            "share 2 of 3, held by carol".to_owned(),
            dealt.manifest.set.to_string(),
        ];
        let digest = Digest::of(&dealt.manifest.to_json().unwrap()).hex();
        let foot = format!("manifest {} {}", &digest[..8], &digest[8..16]);
        assert!(text.contains(&foot), "{}: {foot}\n{text}", size.0);
        for said in said {
            assert!(text.contains(&said), "{}: {said}\n{text}", size.0);
        }
        assert_eq!(scanned(&pdf), dealt.words(1).join(" "), "{}", size.0);
    }
}

#[test]
fn a_custodian_shows_that_they_have_their_card() {
    let dealt = dealt("share-drill", 2);
    let words = dealt.words(0);
    let mut seen = String::new();
    let mut pty = dealt.drill(&["bruno"]);
    // A row, a word by its first letters in capitals, the rest at once as a scanner types it.
    unseen(&mut pty, "Words 1 to 33", &words[..4].join(" "), &mut seen);
    unseen(&mut pty, "Words 5 to 33", &words[4][..4].to_uppercase(), &mut seen);
    unseen(&mut pty, "Words 6 to 33", &words[5..].join("  "), &mut seen);
    unseen(&mut pty, "The salt", &dealt.salt(0).replace(' ', ""), &mut seen);
    let (rest, code) = ended(pty);
    seen.push_str(&rest);
    assert_eq!(code, 0, "{seen}");
    assert!(rest.contains("this is the card of share 1 of 3, held by bruno"), "{rest}");
    // What is compared with the transcript stood there before anything was typed.
    let digest = Digest::of(&fs::read(dealt.dir.join("shares.json")).unwrap());
    assert!(seen.contains(digest.words()[31]), "{seen}");
    dealt.nothing_shown(&seen);
}

#[test]
fn slips_are_named_by_their_places_and_asked_for_again() {
    let dealt = dealt("share-drill-slips", 3);
    let words = dealt.words(1);
    let mut seen = String::new();
    let mut pty = dealt.drill(&["carol", "--json"]);
    let wrong = format!("{} {} hunter-2", words[0], words[1]);
    unseen(&mut pty, "Words 1 to 33", &wrong, &mut seen);
    unseen(&mut pty, "Words 3 to 33", &words[2..].join(" "), &mut seen);
    assert!(seen.contains("SHARE-WORD") && seen.contains("word 3"), "{seen}");
    unseen(&mut pty, "The salt", "0123 4567", &mut seen);
    unseen(&mut pty, "The salt", &dealt.salt(1), &mut seen);
    assert!(seen.contains("SHARE-SALT"), "{seen}");
    let (rest, code) = ended(pty);
    seen.push_str(&rest);
    assert_eq!(code, 0, "{seen}");
    assert!(rest.contains("\"number\":2") && rest.contains("\"holder\":\"carol\""), "{rest}");
    assert!(!seen.contains("hunter-2"), "{seen}");
    dealt.nothing_shown(&seen);
}

/// One word for another of the list, and two in each other's place: told before the salt is asked.
#[test]
fn a_card_typed_wrong_three_times_is_refused_by_what_is_wrong_with_it() {
    let dealt = dealt("share-drill-wrong", 4);
    let mut seen = String::new();
    let mut pty = dealt.drill(&["dana"]);
    let mut one = dealt.words(2);
    one[6] = if one[6] == "acid" { "acne" } else { "acid" };
    let mut two = dealt.words(2);
    let other = (9..30).find(|at| two[*at] != two[8]).unwrap();
    two.swap(8, other);
    unseen(&mut pty, "Words 1 to 33", &one.join(" "), &mut seen);
    unseen(&mut pty, "Words 1 to 33", &two.join(" "), &mut seen);
    unseen(&mut pty, "Words 1 to 33", &one.join(" "), &mut seen);
    let (rest, code) = ended(pty);
    seen.push_str(&rest);
    assert_eq!(code, 1, "{seen}");
    let told = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("SHARE-SWAPPED") && told.contains(&format!("words 9 and {}", other + 1)), "{seen}");
    assert!(rest.contains("SHARE-CHECKSUM") && rest.contains("word 7"), "{rest}");
    dealt.nothing_shown(&seen);
}

#[test]
fn the_wrong_card_is_named() {
    let dealt = dealt("share-drill-other", 5);
    let foreign = self::dealt("share-drill-foreign", 6);
    for (words, salt, rule, found) in [
        (dealt.words(1), dealt.salt(1), "SHARE-HOLDER", "the card of share 2, held by carol"),
        (dealt.words(0), dealt.salt(1), "SHARE-COMMITMENT", "share 1"),
        (foreign.words(0), foreign.salt(0), "SHARE-FOREIGN", "share 1 of a set with the identifier"),
    ] {
        let mut seen = String::new();
        let mut pty = dealt.drill(&["bruno"]);
        unseen(&mut pty, "Words 1 to 33", &words.join(" "), &mut seen);
        unseen(&mut pty, "The salt", &salt, &mut seen);
        let (rest, code) = ended(pty);
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, 1, "{rest}");
        assert!(rest.contains(rule) && rest.contains(found), "{rest}");
        dealt.nothing_shown(&rest);
    }
}

#[test]
fn a_drill_needs_a_terminal_a_manifest_and_a_holder() {
    let dealt = dealt("share-drill-needs", 7);
    fs::write(dealt.dir.join("other.json"), "{\"format\":2}").unwrap();
    for (line, rule, code) in [
        (["share", "drill", "shares.json", "erin"], "SHARE-HOLDER", 1),
        (["share", "drill", "shares.json", "Bruno"], "NAME", 2),
        (["share", "drill", "other.json", "bruno"], "RECORD-FORMAT", 1),
        (["share", "drill", "none.json", "bruno"], "MEDIA-READ", 3),
    ] {
        let (ended, _, told) = run(&dealt.dir, &line);
        assert!(told.contains(rule) && ended == code, "{line:?}: {ended} {told}");
    }
    // In a session of its own it has no terminal, whatever the test was started from.
    let mut alone = Command::new("setsid");
    alone.args(["--wait", env!("CARGO_BIN_EXE_keyrite"), "share", "drill", "shares.json", "bruno"]);
    let told = alone.current_dir(&dealt.dir).stdin(Stdio::null()).output().unwrap();
    assert_eq!(told.status.code(), Some(2), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(String::from_utf8_lossy(&told.stderr).contains("NO-TERMINAL"));
}

#[test]
fn a_manifest_is_shown_in_words() {
    let dealt = dealt("share-show", 12);
    let (code, said, _) = run(&dealt.dir, &["show", "shares.json"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 0, "{said}");
    for fact in
        ["Shares of Wrap key of the YubiHSMs", "any 2 of 3 cards", "share 2, held by carol", "33 words"]
    {
        assert!(said.contains(fact), "{fact}: {said}");
    }
}

/// Ctrl-C in the middle of a card: nothing was shown, and nothing is left in the folder.
#[test]
fn a_drill_that_is_stopped_leaves_nothing() {
    let dealt = dealt("share-drill-stopped", 8);
    let mut seen = String::new();
    let mut pty = dealt.drill(&["bruno"]);
    unseen(&mut pty, "Words 1 to 33", &dealt.words(0)[..20].join(" "), &mut seen);
    seen.push_str(&pty.exp_string("Words 21 to 33").unwrap());
    seen.push_str(&pty.exp_string("(not shown) > ").unwrap());
    pty.send_control('c').unwrap();
    let (rest, code) = ended(pty);
    seen.push_str(&rest);
    assert_eq!(code, 130, "{seen}");
    dealt.nothing_shown(&seen);
    assert_eq!(names(&dealt.dir), ["shares.json"]);
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A printer that notes whose pages it had; it has one at a time.
#[derive(Default)]
struct Printed(Vec<String>, bool);

impl Printer for Printed {
    fn page(&mut self, line: &ShareLine, page: zeroize::Zeroizing<String>) -> Result<String> {
        assert!(page.contains(line.holder.as_str()) && !self.1);
        self.0.push(line.holder.to_string());
        self.1 = true;
        Ok(format!("page-{}", line.number))
    }

    fn gone(&mut self) -> Result<()> {
        self.1 = false;
        Ok(())
    }
}

/// What the child does at its terminal, and how it tells what came of it.
fn stage(name: &str) -> Result<String> {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(fs::OpenOptions::new().read(true).open("/dev/tty").unwrap(), size).unwrap();
    let mut console = Terminal::open(Interrupt::listen()?)?;
    let (manifest, mut cards, secret) = made(9);
    if name == "altered" {
        cards[2].0 = Share::read(&made(10).1[2].0.words().text())?;
    }
    let fresh = Fresh { manifest: &manifest, cards: &cards, secret: &secret, rehearsal: false };
    match name {
        "gather" => gather(&mut console, &manifest).map(|back| format!("brought back {}", back.is(&secret))),
        "paper" => {
            let mut printed = Printed::default();
            deal(&mut console, &fresh, Hand::Paper(&mut printed))?;
            Ok(format!("dealt to {}", printed.0.join(" ")))
        }
        _ => deal(&mut console, &fresh, Hand::Screen).map(|_| "dealt".to_owned()),
    }
}

/// Not a test of its own: what the others run as a child.
#[test]
fn child() {
    let Ok(name) = env::var("KEYRITE_STAGE") else { return };
    match stage(&name) {
        Ok(answer) => println!("\n<<{answer}>>"),
        Err(refusal) => println!("\n<<{}: {}>>", refusal.rule().name, refusal.found()),
    }
}

fn start(name: &str) -> PtySession {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env_clear();
    command.envs([("KEYRITE_STAGE", name), ("TERM", "xterm"), ("LANG", "C.UTF-8")]);
    rexpect::session::spawn_command(command, Some(20_000)).unwrap()
}

fn told(mut pty: PtySession) -> String {
    pty.exp_string("<<").unwrap();
    pty.exp_string(">>").unwrap()
}

fn enter(pty: &mut PtySession, mark: &str) -> String {
    let seen = pty.exp_string(mark).unwrap();
    pty.exp_string("(press Enter) ").unwrap();
    pty.send_line("").unwrap();
    seen
}

fn type_card(pty: &mut PtySession, words: &[&str], salt: &str) {
    unseen(pty, "Words 1 to 33", &words.join(" "), &mut String::new());
    unseen(pty, "The salt", salt, &mut String::new());
}

/// Each holder copies from the screen what they then type; the next card waits for it.
#[test]
fn cards_are_dealt_from_the_screen_one_at_a_time() {
    let (manifest, cards, _) = made(9);
    let mut pty = start("screen");
    for (line, other) in manifest.shares.iter().zip([1usize, 2, 0]) {
        enter(&mut pty, &format!("Only {} is before the screen", line.holder));
        let shown = enter(&mut pty, "Copy every word");
        // As someone copies it: number and word in turn, then the salt.
        let card = shown.split("\u{1b}[H").last().unwrap().replace("\r\n", "\n");
        let mut parts = card.split("\n\n");
        assert!(parts.next().unwrap().contains(line.holder.as_str()), "{card}");
        let copied: Vec<&str> = parts.next().unwrap().split_whitespace().collect();
        let words: Vec<&str> = copied.chunks(2).map(|pair| pair[1]).collect();
        let salt = parts.next().unwrap().trim().strip_prefix("salt ").unwrap();
        assert_eq!(words.len(), 33);
        if line.number == 2 {
            // A neighbour's card first: told whose it is, shown once more, typed right.
            let neighbour: Vec<&str> = cards[other].0.words().iter().collect();
            type_card(&mut pty, &neighbour, &cards[other].1.text());
            pty.exp_string("SHARE-HOLDER").unwrap();
            enter(&mut pty, "Only carol is before the screen");
            enter(&mut pty, "Copy every word");
        }
        type_card(&mut pty, &words, salt);
        pty.exp_string(&format!("share {} is read back", line.number)).unwrap();
    }
    assert_eq!(told(pty), "dealt");
}

#[test]
fn cards_are_printed_each_for_its_holder() {
    let (manifest, cards, _) = made(9);
    let mut pty = start("paper");
    for (line, (share, salt)) in manifest.shares.iter().zip(&cards) {
        enter(&mut pty, &format!("Only {} is before the screen", line.holder));
        enter(&mut pty, &format!("Print page-{} once", line.number));
        let words: Vec<&str> = share.words().iter().collect();
        if line.number == 3 {
            // Typed with another's salt first: no second card is printed for that.
            type_card(&mut pty, &words, &cards[0].1.text());
        }
        type_card(&mut pty, &words, &salt.text());
    }
    assert_eq!(told(pty), "dealt to bruno carol dana");
}

/// A share of another making among them: nobody sees a card.
#[test]
fn a_set_that_does_not_agree_is_never_dealt() {
    let mut pty = start("altered");
    let seen = pty.exp_string("<<").unwrap();
    assert!(!seen.contains("Only"), "{seen}");
    assert!(pty.exp_string(">>").unwrap().starts_with("SHARE-SET"), "{seen}");
}

#[test]
fn enough_cards_bring_the_secret_back_and_wrong_ones_are_named() {
    let (_, cards, _) = made(9);
    let foreign = made(11).1;
    let words = |share: &Share| share.words().iter().collect::<Vec<_>>();
    let mut pty = start("gather");
    pty.exp_string("bruno (share 1), carol (share 2), dana (share 3)").unwrap();
    type_card(&mut pty, &words(&foreign[0].0), &foreign[0].1.text());
    pty.exp_string("SHARE-FOREIGN").unwrap();
    type_card(&mut pty, &words(&cards[2].0), &cards[2].1.text());
    pty.exp_string("bruno (share 1), carol (share 2)").unwrap();
    type_card(&mut pty, &words(&cards[2].0), &cards[2].1.text());
    pty.exp_string("SHARE-GIVEN").unwrap();
    type_card(&mut pty, &words(&cards[0].0), &cards[0].1.text());
    assert_eq!(told(pty), "brought back true");

    // Three times wrong ends it.
    let mut pty = start("gather");
    for _ in 0..3 {
        type_card(&mut pty, &words(&cards[1].0), &cards[0].1.text());
    }
    assert!(told(pty).starts_with("SHARE-COMMITMENT"));
}
