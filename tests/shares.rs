//! Share cards as people meet them: printed, scanned, and shown to be at hand by `share drill`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod browser;
mod program;

use browser::{SIZES, pages, print, scanned};
use keyrite::ceremony::share_manifest::{SetId, ShareLine, ShareManifest, ShareUse};
use keyrite::signer::randomness::Randomness;
use keyrite::signer::slip39::{Salt, Scheme, Secret, Share, split};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::statement::TrustId;
use keyrite::ui::share_card::ShareCard;
use program::{ended, folder, on_terminal, run};
use rexpect::session::PtySession;
use std::cell::Cell;
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
    let drawn = Cell::new(0u64);
    let random = Randomness::given(move |bytes| {
        for chunk in bytes.chunks_mut(32) {
            drawn.set(drawn.get() + 1);
            let block = Digest::of(format!("{seed} {}", drawn.get()).as_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    });
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
    let dir = folder(test);
    fs::write(dir.join("shares.json"), manifest.to_json().unwrap()).unwrap();
    Dealt { dir, manifest, cards }
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
