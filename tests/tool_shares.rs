//! Shares that other tools made: each set of the fixtures, every choice of enough of them, and every way
//! in which a share can be wrong that anything in it tells.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use keyrite::ceremony::tool_split::{Tool, ToolSplit};
use keyrite::signer::tool_shares::{Form, Together, ToolShare, same};
use keyrite::tuf::rule::{Refusal, Result};
use keyrite::ui::tool_desk::form_of;
use serde::Deserialize;

#[derive(Deserialize)]
struct Sets {
    set: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    tool: String,
    needed: u8,
    secret: String,
    shares: Vec<String>,
}

impl Set {
    fn form(&self) -> Form {
        form_of(self.tool.parse::<Tool>().unwrap())
    }

    /// The secret that these shares give, in hexadecimal.
    fn together(&self, shares: &[String]) -> Result<String> {
        let mut together = Together::new(self.form(), self.needed, u8::try_from(shares.len()).unwrap())?;
        for share in shares {
            together.add(ToolShare::read(self.form(), share)?)?;
        }
        Ok(base16ct::lower::encode_string(together.secret()?.expose()))
    }

    fn refused(&self, shares: &[String]) -> Refusal {
        self.together(shares).expect_err("refused")
    }
}

fn sets() -> Vec<Set> {
    let sets: Sets = toml::from_str(include_str!("fixtures/tool-shares/sets.toml")).unwrap();
    assert_eq!(sets.set.len(), 9);
    sets.set
}

fn set(tool: &str, needed: u8) -> Set {
    sets().into_iter().find(|set| (set.tool.as_str(), set.needed) == (tool, needed)).unwrap()
}

fn name<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |refusal| refusal.rule().name)
}

/// A share with another character at a place of its value, counted from 1.
fn bent(share: &str, at: usize) -> String {
    let start = share.rfind('-').map_or(0, |hyphen| hyphen + 1);
    let mut bytes = share.as_bytes().to_vec();
    let own = &mut bytes[start + at - 1];
    *own = if *own == b'7' { b'6' } else { b'7' };
    String::from_utf8(bytes).unwrap()
}

/// What a tool has split, keyrite brings back from every choice of enough shares, in any order.
#[test]
fn every_choice_of_enough_shares_gives_the_key_that_was_split() {
    for set in sets() {
        let mut choices = 0;
        for chosen in 0u32..1 << set.shares.len() {
            let mut picked: Vec<String> = (0..set.shares.len())
                .filter(|at| chosen & (1 << at) != 0)
                .map(|at| set.shares[at].clone())
                .collect();
            if picked.len() < usize::from(set.needed) {
                continue;
            }
            picked.reverse();
            assert_eq!(set.together(&picked).unwrap_or_else(|e| panic!("{e}")), set.secret, "{}", set.tool);
            choices += 1;
        }
        assert!(choices > 3);
    }
}

/// One fewer than was needed, said to be enough: the forms can't tell, but for the head of Yubico's.
#[test]
fn too_few_shares_give_no_key() {
    for set in sets() {
        let needed = usize::from(set.needed);
        let mut together = Together::new(set.form(), set.needed, set.needed).unwrap();
        for share in &set.shares[..needed - 1] {
            together.add(ToolShare::read(set.form(), share).unwrap()).unwrap();
        }
        assert_eq!((together.missing(), name(together.secret())), (1, "SHARE-FEW"));
        if needed == 2 {
            continue;
        }
        let fewer = Set { needed: set.needed - 1, ..set };
        let found = fewer.together(&fewer.shares[..needed - 1]);
        match fewer.form() {
            Form::Numbered => assert_ne!(found.unwrap(), fewer.secret, "whence the proof by a copy"),
            _ => assert_eq!(name(found), "SHARE-SET", "they say how many are needed"),
        }
        // With more than that they don't fit each other.
        if fewer.form() == Form::Numbered {
            let refusal = fewer.refused(&fewer.shares);
            assert_eq!(refusal.rule().name, "TOOL-AGREE");
            assert!(refusal.found().ends_with("in most places: one is of another set"), "{refusal}");
        }
    }
}

/// A slip in one share: with one share more than is needed its place is named, with two the share, and no
/// character of it either way. With none it gives another key.
#[test]
fn a_slip_is_told_by_shares_beyond_those_needed() {
    for set in sets().into_iter().filter(|set| set.needed == 3) {
        let length = if set.tool == "yubihsm-setup" {
            70
        } else if set.tool == "vault" {
            64
        } else {
            104
        };
        for at in (1..=length).filter(|at| *at != 70) {
            for wrong in 0..5 {
                let mut shares = set.shares.clone();
                shares[wrong] = bent(&shares[wrong], at);
                let refusal = set.refused(&shares);
                assert_eq!(refusal.rule().name, "TOOL-AGREE", "{} {at}", set.tool);
                let who = format!("share {}, which doesn't fit the others, by characters ", wrong + 1);
                let places = refusal.found().strip_prefix(&who).unwrap_or_else(|| panic!("{refusal}"));
                let places = places.strip_suffix(" after the second hyphen").unwrap_or(places);
                assert!(places.split(", ").any(|place| place == at.to_string()), "{at}: {refusal}");
                assert!(places.split(", ").count() <= 4, "{refusal}");

                let four = &shares[..4];
                if wrong < 4 {
                    let refusal = set.refused(four);
                    assert_eq!(refusal.rule().name, "TOOL-AGREE");
                    let who = "shares that don't fit each other, by characters ";
                    assert!(refusal.found().starts_with(who), "{refusal}");
                }
                if wrong < 3 {
                    let alone = set.together(&shares[..3]);
                    // Number, domains and capabilities stand in front, and not all of that is of use here.
                    let key = match set.tool.as_str() {
                        "yubihsm-setup" => 28,
                        "yubihsm-manager" => 41,
                        _ => 1,
                    };
                    let same = alone.as_ref().is_ok_and(|found| *found == set.secret);
                    assert!(at < key || !same, "{} {at}", set.tool);
                    assert!(["ok", "TOOL-SECRET"].contains(&name(alone)), "{} {at}", set.tool);
                }
            }
        }
    }
}

/// Of another set of the same key and the same number: the head tells it without a spare share.
#[test]
fn a_share_of_another_set_is_told() {
    for tool in ["yubihsm-setup", "yubihsm-manager", "vault"] {
        let (three, five) = (set(tool, 3), set(tool, 5));
        // Yubico's say how many are needed: made to fit, as if two sets of 3 had been mixed up.
        let foreign = if tool == "vault" {
            // In digits of either kind: lengths tell them apart.
            five.shares[2].clone()
        } else {
            assert_eq!(
                three.refused(&[&three.shares[..2], &five.shares[2..3]].concat()).rule().name,
                "SHARE-SET"
            );
            five.shares[2].replacen("5-", "3-", 1)
        };
        let mixed: Vec<String> = [&three.shares[..2], &[foreign]].concat();
        let found = three.together(&mixed);
        assert_ne!(found.as_ref().ok(), Some(&three.secret));
        assert_eq!(name(found), if tool == "vault" { "ok" } else { "TOOL-SECRET" }, "{tool}");
        let refusal = three.refused(&[&mixed[..], &three.shares[3..]].concat());
        let expected = "share 3, which doesn't fit the others, in most places: one is of another set";
        assert_eq!((refusal.rule().name, refusal.found()), ("TOOL-AGREE", expected));
    }
}

#[test]
fn a_share_is_held_against_its_form() {
    let setup = &set("yubihsm-setup", 3).shares[0];
    let manager = &set("yubihsm-manager", 3).shares[0];
    let (vault, vault_hex) = (&set("vault", 2).shares[0], &set("vault", 3).shares[0]);
    let (b64, hex, last) = (Form::HeadedBase64, Form::HeadedHex, Form::Numbered);
    let spaced = |text: &str| text.chars().flat_map(|c| [c, ' ']).collect::<String>();
    let number = "no number from 1 to 255 ";
    let table = [
        (b64, setup.clone(), ""),
        (b64, format!(" {}\n", spaced(setup)), ""),
        (b64, manager.clone(), "104 characters of its value"),
        (b64, vault.clone(), "without two hyphens"),
        (b64, setup[..setup.len() - 1].to_owned(), "share 1: 69 characters of its value"),
        (b64, format!("{setup}A"), "share 1: 71 characters of its value"),
        (b64, format!("{}=", &setup[..73]), "character 70 of its value, which is no sign of base64"),
        // Its last character has four bits that are none of the secret's.
        (b64, format!("{}B", &setup[..73]), "share 1: a last character that no such share ends with"),
        (b64, setup.replacen("3-1", "3-0", 1), &format!("{number}between its hyphens")),
        (b64, setup.replacen("3-1", "3-256", 1), &format!("{number}between its hyphens")),
        (b64, setup.replacen("3-1", "3-01", 1), &format!("{number}between its hyphens")),
        (b64, setup.replacen("3-1", "+3-1", 1), &format!("{number}before its first hyphen")),
        (b64, setup.replacen("3-1", "-1", 1), &format!("{number}before its first hyphen")),
        (b64, setup.replacen("3-1", "3-12", 1), ""),
        (b64, setup.replace('-', "\u{2013}"), "without two hyphens"),
        (hex, manager.clone(), ""),
        (hex, manager.to_uppercase(), ""),
        (hex, setup.clone(), "which is no hexadecimal digit"),
        (hex, manager[..manager.len() - 1].to_owned(), "share 1: 103 characters of its value"),
        (hex, manager[..4 + 88].to_owned(), "share 1: of a wrap key of 192 bits, not of 256"),
        (hex, manager[..4 + 72].to_owned(), "share 1: of a wrap key of 128 bits, not of 256"),
        (hex, manager.replacen('-', "-\u{1b}[2J", 1), &format!("{number}between its hyphens")),
        (last, vault.clone(), ""),
        (last, vault_hex.clone(), ""),
        (last, vault_hex.to_uppercase(), ""),
        (last, setup.clone(), "which is no hexadecimal digit"),
        (last, manager.clone(), "which is no hexadecimal digit"),
        (last, vault[..43].to_owned(), "which is no hexadecimal digit"),
        (last, vault_hex[..64].to_owned(), "64 characters of its value"),
        (last, format!("{}AA", &vault[..42]), "a share with the number 0"),
        (last, format!("{}00", &vault_hex[..64]), "a share with the number 0"),
        (last, "\u{e4}".to_owned(), "character 1 of its value, which is no hexadecimal digit"),
        (last, "a".repeat(200_000), "more than 160 characters"),
        (last, String::new(), "0 characters of its value"),
    ];
    for (form, text, found) in table {
        match ToolShare::read(form, &text) {
            Ok(_) => assert!(found.is_empty(), "{text} expected {found}"),
            Err(refusal) => {
                assert_eq!(refusal.rule().name, "TOOL-SHARE");
                assert!(!found.is_empty() && refusal.found().ends_with(found), "{text}: {refusal}");
                let value = text.rsplit('-').next().unwrap();
                assert!(value.len() < 8 || !refusal.to_string().contains(&value[..8]), "{refusal}");
            }
        }
    }
}

#[test]
fn what_is_typed_twice_has_to_be_the_same() {
    for (once, again, found) in [
        ("3-1-abc", "3-1-abc", ""),
        ("3-1-abc", "3-1- a b c", ""),
        ("3-1-abc", "3-1-abd", "another character 7 the second time"),
        ("3-1-abc", "3-1-ab", "7 characters, and then 6"),
        ("", "x", "0 characters, and then 1"),
        ("\u{e4}b", "\u{e4}c", "another character 2 the second time"),
    ] {
        match same(once, again) {
            Ok(()) => assert_eq!(found, ""),
            Err(refusal) => assert_eq!((refusal.rule().name, refusal.found()), ("TOOL-TYPED", found)),
        }
    }
}

#[test]
fn a_set_has_each_share_once_and_as_many_as_were_said() {
    let set = set("yubihsm-manager", 3);
    let read = |text: &str| ToolShare::read(set.form(), text).unwrap();
    let mut together = Together::new(set.form(), 3, 4).unwrap();
    together.add(read(&set.shares[0])).unwrap();
    assert_eq!(name(together.add(read(&set.shares[0]))), "SHARE-TWICE");
    assert_eq!(name(together.add(read(&bent(&set.shares[0], 9)))), "SHARE-TWICE");
    let other = set_of_another_form();
    assert_eq!(name(together.add(other)), "SHARE-SET");
    for share in &set.shares[1..4] {
        together.add(read(share)).unwrap();
    }
    assert_eq!((together.missing(), name(together.add(read(&set.shares[4])))), (0, "SHARE-MANY"));
    assert!(together.secret().is_ok());
    for (needed, brought) in [(1, 1), (0, 0), (3, 2), (2, 17), (17, 17)] {
        assert_eq!(name(Together::new(set.form(), needed, brought)), "SHARE-SCHEME");
        assert_eq!(name(ToolSplit::new(Tool::Vault, needed, brought)), "RUNBOOK");
    }
}

fn set_of_another_form() -> ToolShare {
    ToolShare::read(Form::Numbered, &set("vault", 2).shares[0]).unwrap()
}

/// Every byte of the head that a wrap key's can't have.
#[test]
fn what_does_not_begin_as_a_wrap_key_is_none() {
    let set = set("yubihsm-manager", 2);
    // Whoever changes the same bytes of every share by the same amount changes those of the secret by it.
    let moved = |byte: usize, by: u8| -> Vec<String> {
        let move_one = |share: &String| {
            let at = 4 + byte * 2;
            let value = u8::from_str_radix(&share[at..at + 2], 16).unwrap() ^ by;
            format!("{}{value:02x}{}", &share[..at], &share[at + 2..])
        };
        set.shares.iter().map(move_one).collect()
    };
    for (byte, by, found) in [
        (0, 0xff, "ok"),          // any number
        (3, 0x01, "TOOL-SECRET"), // no domain
        (3, 0x03, "ok"),
        (4, 0x80, "TOOL-SECRET"),  // a capability that there is none of
        (10, 0x30, "TOOL-SECRET"), // neither wraps nor unwraps
        (10, 0x10, "ok"),
        (19, 0xff, "ok"),
        (51, 0xff, "ok"), // the key
    ] {
        assert_eq!(name(set.together(&moved(byte, by))), found, "byte {byte}");
    }
}
