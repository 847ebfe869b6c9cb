//! Share manifests and the order of a dealing, without a secret: commitments are digests of anything.

use crate::ceremony::people::Person;
use crate::ceremony::share_manifest::{Card, SetId, ShareLine, ShareManifest, ShareUse};
use crate::ceremony::sharing::{Dealing, Gathering, Turn, drill};
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use crate::tuf::statement::TrustId;

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn manifest() -> ShareManifest {
    let holders = ["bruno", "carol", "dana"];
    let line = |(holder, number): (&&str, u8)| ShareLine {
        number,
        holder: person(holder),
        commitment: Digest::of(&[number]),
    };
    ShareManifest {
        trust: TrustId::from_bytes([7; 16]),
        set: SetId::from_bytes([9; 16]),
        date: "2026-11-22T13:00:00Z".parse().unwrap(),
        purpose: ShareUse::WrapKey,
        title: "Wrap key of the YubiHSMs".to_owned(),
        identifier: 12345,
        words: 33,
        needed: 2,
        check: [1, 2, 3, 4, 5, 6, 7, 8],
        shares: holders.iter().zip(1..).map(line).collect(),
    }
}

fn card(number: u8) -> Card {
    Card { identifier: 12345, number, commitment: Digest::of(&[number]) }
}

fn name<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |refusal| refusal.rule().name)
}

/// Byte for byte as FORMAT.md shows it.
#[test]
fn a_manifest_is_written_as_the_format_says_and_read_again() {
    let bytes = manifest().to_json().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let commitment = |n: u8| Digest::of(&[n]).hex();
    let expected = format!(
        "{{\"check\":\"0102030405060708\",\"date\":\"2026-11-22T13:00:00Z\",\"format\":1,\
         \"identifier\":12345,\"needed\":2,\"purpose\":\"wrap-key\",\
         \"set\":\"09090909090909090909090909090909\",\"shares\":[\
         {{\"commitment\":\"{}\",\"holder\":\"bruno\",\"number\":1}},\
         {{\"commitment\":\"{}\",\"holder\":\"carol\",\"number\":2}},\
         {{\"commitment\":\"{}\",\"holder\":\"dana\",\"number\":3}}],\
         \"title\":\"Wrap key of the YubiHSMs\",\"trust\":\"07070707070707070707070707070707\",\
         \"words\":33}}",
        commitment(1),
        commitment(2),
        commitment(3),
    );
    assert_eq!(text, expected);
    assert_eq!(ShareManifest::from_json(&bytes).unwrap(), manifest());
}

#[test]
fn a_manifest_that_says_something_else_is_refused() {
    let text = String::from_utf8(manifest().to_json().unwrap()).unwrap();
    let two = Digest::of(&[2]).hex();
    let same = Digest::of(&[1]).hex();
    let last = format!(",{{\"commitment\":\"{}\",\"holder\":\"dana\",\"number\":3}}", Digest::of(&[3]).hex());
    let table = [
        ("\"format\":1", "\"format\":2", "RECORD-FORMAT"),
        ("\"words\":33", "\"words\":33,\"x\":1", "RECORD-MEMBER"),
        ("\"words\":33", "\"words\":\"33\"", "RECORD-MEMBER"),
        (",\"words\":33", "", "RECORD-MEMBER"),
        ("{\"check\"", "{ \"check\"", "RECORD-MEMBER"),
        ("0102030405060708", "010203040506070", "RECORD-MEMBER"),
        ("0909", "090G", "RECORD-MEMBER"),
        ("\"words\":33", "\"words\":34", "SHARE-MANIFEST"),
        ("\"words\":33", "\"words\":19", "SHARE-MANIFEST"),
        ("\"words\":33", "\"words\":289", "SHARE-MANIFEST"),
        ("12345", "32768", "SHARE-MANIFEST"),
        ("12345", "70000", "SHARE-MANIFEST"),
        ("\"needed\":2", "\"needed\":1", "SHARE-MANIFEST"),
        ("\"needed\":2", "\"needed\":4", "SHARE-MANIFEST"),
        ("wrap-key", "root-key", "SHARE-MANIFEST"),
        ("\"number\":3", "\"number\":4", "SHARE-MANIFEST"),
        ("\"number\":2", "\"number\":1", "SHARE-MANIFEST"),
        (two.as_str(), same.as_str(), "SHARE-MANIFEST"),
        (two.as_str(), "00", "DIGEST-FORM"),
        ("Wrap key of the YubiHSMs", "", "SHARE-MANIFEST"),
        ("Wrap key", "Wrap\u{202e}key", "TEXT"),
        ("carol", "Carol", "NAME"),
        ("carol", "bruno", "SHARE-HOLDERS"),
        ("2026-11-22T", "2026-11-22 ", "DATE"),
        (last.as_str(), "", "ok"),
        ("\"needed\":2", "\"needed\":3", "ok"),
    ];
    for (from, to, rule) in table {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_eq!(name(ShareManifest::from_json(changed.as_bytes())), rule, "{from} -> {to}");
    }
    let long = ShareManifest { title: "x".repeat(101), ..manifest() };
    assert_eq!(name(long.to_json()), "SHARE-MANIFEST");
}

#[test]
fn choices_are_counted_as_they_are_tried() {
    for (needed, of, choices) in [(2, 2, 1), (2, 3, 3), (3, 5, 10), (4, 7, 35), (8, 16, 12870), (16, 16, 1)] {
        let line = |number: u8| ShareLine {
            number,
            holder: person(&format!("p{number}")),
            commitment: Digest::of(&[number]),
        };
        let manifest = ShareManifest { needed, shares: (1..=of).map(line).collect(), ..manifest() };
        assert_eq!(manifest.choices(), choices, "{needed} of {of}");
        assert_eq!(name(Dealing::begin(&manifest, choices)), "ok");
        assert_eq!(name(Dealing::begin(&manifest, choices - 1)), "SHARE-CHOICES");
    }
}

#[test]
fn no_card_is_shown_before_the_one_before_is_read_back() {
    let manifest = manifest();
    let mut dealing = Dealing::begin(&manifest, 3).unwrap();
    for line in &manifest.shares {
        let number = line.number;
        assert_eq!(dealing.turn(), Turn::Show(line));
        assert_eq!(name(dealing.read_back(&card(number))), "SHARE-TURN", "read before it is shown");
        for other in (1..=3).filter(|other| *other != number) {
            assert_eq!(name(dealing.shown(other)), "SHARE-TURN", "{other} shown at {number}");
        }
        dealing.shown(number).unwrap();
        assert_eq!(dealing.turn(), Turn::ReadBack(line));
        for other in (1..=3).filter(|other| *other != number) {
            assert_eq!(name(dealing.shown(other)), "SHARE-TURN", "{other} shown, {number} unread");
            assert_eq!(name(dealing.read_back(&card(other))), "SHARE-HOLDER", "{other} read for {number}");
        }
        let typo = Card { commitment: Digest::of(b"typo"), ..card(number) };
        assert_eq!(name(dealing.read_back(&typo)), "SHARE-COMMITMENT");
        let foreign = Card { identifier: 1, ..card(number) };
        assert_eq!(name(dealing.read_back(&foreign)), "SHARE-FOREIGN");
        // What was refused leaves the turn where it was; the card may be looked at once more.
        dealing.shown(number).unwrap();
        dealing.read_back(&card(number)).unwrap();
    }
    assert_eq!(dealing.turn(), Turn::Done);
    assert_eq!(name(dealing.shown(1)), "SHARE-TURN");
    assert_eq!(name(dealing.finish()), "ok");
}

#[test]
fn the_secret_is_not_used_before_every_card_is_read_back() {
    let manifest = manifest();
    for done in 0..3 {
        for shown in [false, true] {
            let mut dealing = Dealing::begin(&manifest, 3).unwrap();
            for number in 1..=done {
                dealing.shown(number).unwrap();
                dealing.read_back(&card(number)).unwrap();
            }
            if shown {
                dealing.shown(done + 1).unwrap();
            }
            assert_eq!(name(dealing.finish()), "SHARE-TURN", "{done} read, {shown}");
        }
    }
}

#[test]
fn a_drill_names_whose_card_it_is() {
    let manifest = manifest();
    for (holder, shown, rule) in [
        ("bruno", card(1), "ok"),
        ("bruno", card(2), "SHARE-HOLDER"),
        ("erin", card(2), "SHARE-HOLDER"),
        ("bruno", card(4), "SHARE-FOREIGN"),
        ("bruno", card(0), "SHARE-FOREIGN"),
        ("bruno", Card { identifier: 12344, ..card(1) }, "SHARE-FOREIGN"),
        ("bruno", Card { number: 1, ..card(2) }, "SHARE-COMMITMENT"),
    ] {
        assert_eq!(name(drill(&manifest, &person(holder), &shown)), rule, "{holder} {shown:?}");
    }
    let refused = drill(&manifest, &person("bruno"), &card(3)).unwrap_err();
    assert_eq!(refused.found(), "the card of share 3, held by dana");
}

#[test]
fn cards_are_gathered_one_by_one_and_the_secret_compared() {
    let manifest = manifest();
    let mut gathering = Gathering::begin(&manifest);
    assert_eq!(gathering.give(&card(3)).unwrap(), 1);
    assert_eq!(name(gathering.give(&card(3))), "SHARE-GIVEN");
    let foreign = Card { identifier: 9, ..card(1) };
    assert_eq!(name(gathering.give(&foreign)), "SHARE-FOREIGN");
    let wrong = Card { commitment: Digest::of(b"other"), ..card(1) };
    assert_eq!(name(gathering.give(&wrong)), "SHARE-COMMITMENT");
    let waiting: Vec<&str> = gathering.waiting().map(|line| line.holder.as_str()).collect();
    assert_eq!(waiting, ["bruno", "carol"]);
    assert_eq!(gathering.give(&card(1)).unwrap(), 0);
    assert_eq!(name(gathering.give(&card(2))), "SHARE-GIVEN");
    assert_eq!(name(gathering.finish([0; 8])), "SHARE-CHECK");
    let mut gathering = Gathering::begin(&manifest);
    gathering.give(&card(2)).unwrap();
    assert_eq!(name(gathering.finish(manifest.check)), "SHARE-GIVEN");
    let mut gathering = Gathering::begin(&manifest);
    gathering.give(&card(2)).unwrap();
    gathering.give(&card(1)).unwrap();
    assert_eq!(name(gathering.finish(manifest.check)), "ok");
}
