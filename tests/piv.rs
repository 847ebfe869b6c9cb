//! YubiKeys: virtual ones on a real pcscd, natively, through `ykcs11` and through `OpenSC`. Needs
//! `scripts/test-deps` and feature `piv`; skipped, saying so, where pcscd can't be started.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod canaries;
mod cards;
mod pins;
mod stage;

use canaries::{Watch, canary, found};
use cards::Cards;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::backends::{ModulePin, Modules};
use keyrite::signer::uri::{KeyUri, Pkcs11Uri};
use keyrite::signer::{self, Generated, KeyTag, PinKind, Token, TokenIdentity, TokenKind, Tries};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::verify::Signature;
use pins::Pins;
use rexpect::ReadUntil;
use stage::{Stage, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const A: u32 = 12_345_678;
const B: u32 = 23_456_789;
const PIN: &str = "31415926";
const PUK: &str = "27182818";

fn pins() -> Pins {
    Pins::new(PIN, PUK)
}

fn payload() -> Payload {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
}

/// A statement of more than so many bytes.
fn long_payload(letters: usize) -> Payload {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a".repeat(letters) };
    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
}

fn tag(id: u8) -> KeyTag {
    KeyTag { label: "root-a".into(), id: [id; 16], place: None }
}

fn opened(serial: u32) -> Result<Box<dyn Token>> {
    Modules::new().open(&format!("piv:serial={serial};slot=9c").parse().unwrap(), None)
}

fn made(serial: u32) -> (Box<dyn Token>, Generated) {
    let mut token = opened(serial).unwrap();
    let key = token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap();
    (token, key)
}

fn sign(token: &mut dyn Token, public: &PublicKey, pins: &mut Pins) -> Result<Signature> {
    let mut signer = token.open(public, pins)?;
    signer::sign(&mut *signer, public, Scheme::of(public.algorithm()), &payload(), pins)
}

fn rule<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(refusal) => refusal.rule().name,
    }
}

/// Has OpenSSL check the chain that came with a key, up to the card's simulated vendor.
fn chain_holds(cards: &Cards, serial: u32, key: &Generated) {
    let attestation = key.evidence.attestation.as_ref().unwrap();
    let [leaf, own] = attestation.leaf_first()[..] else { panic!("{attestation:?}") };
    for (name, der) in [("leaf", leaf), ("own", own)] {
        std::fs::write(cards.dir().join(name), der).unwrap();
    }
    let out = Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(cards.root(serial))
        .arg("-untrusted")
        .args([cards.dir().join("own"), cards.dir().join("leaf")])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn keys_of_every_kind_are_made_attested_and_sign() {
    let all = ["12345678", "23456789", "34567890"];
    cards::with("keys_of_every_kind_are_made_attested_and_sign", &all, |cards| {
        for (spec, serial) in
            [(KeySpec::EcdsaP256, A), (KeySpec::EcdsaP384, B), (KeySpec::Ed25519, 34_567_890)]
        {
            let mut token = opened(serial).unwrap();
            let identity = token.identity().clone();
            assert_eq!((identity.kind, identity.firmware.as_str()), (TokenKind::Piv, "5.7.4"));
            assert_eq!((identity.label.as_str(), identity.serial), ("", serial.to_string()));
            assert!(token.condition().unwrap().contains("factory's PIN"));
            assert!(!token.is_blank());
            let mut pins = pins();
            let key = token.generate(spec, &tag(1), &mut pins).unwrap();
            let asked: Vec<_> = pins.asked.iter().map(|ask| ask.secret).collect();
            assert_eq!(asked, [PinKind::NewUser, PinKind::NewSecurityOfficer]);
            assert!(spec.fits(&key.public));
            let said: Vec<_> = key.evidence.attributes.iter().map(|(n, v)| format!("{n}={v}")).collect();
            assert_eq!(said, ["local=yes", "pin-policy=always", "slot=9c", "touch-policy=always"]);
            chain_holds(cards, serial, &key);
            assert_eq!(token.condition(), None);

            // No secret of the factory is left, and nobody has seen the management key.
            let state = cards.state(serial);
            for (secret, factory) in [("pin", &state["pin"]["factory"]), ("puk", &state["puk"]["factory"])] {
                assert_eq!(factory, false, "{secret}");
            }
            assert_eq!(state["management_factory"], false);

            let mut pins = self::pins();
            let signature = sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!(signature.key(), key.public.identity());
            assert_eq!((pins.asked.len(), pins.touches, cards.touches(serial)), (1, 1, 1));
            assert_eq!(pins.asked[0].tries, Tries::Full);
            // One PIN and one touch for each.
            sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!((pins.asked.len(), pins.touches, cards.touches(serial)), (2, 2, 2));

            // In many parts, where the card is given the message itself; and never one that is too long.
            for (letters, expected) in
                [(2500, "ok"), (3100, if spec == KeySpec::Ed25519 { "PAYLOAD-TOO-LARGE" } else { "ok" })]
            {
                let mut signer = token.open(&key.public, &mut pins).unwrap();
                let scheme = Scheme::of(key.public.algorithm());
                let long = long_payload(letters);
                assert_eq!(rule(signer::sign(&mut *signer, &key.public, scheme, &long, &mut pins)), expected);
            }

            assert_eq!(token.keys(&mut pins).unwrap()[0].public.as_ref(), Some(&key.public));
            assert_eq!(token.evidence(&key.public, &mut pins).unwrap(), key.evidence);
            assert_eq!(rule(token.generate(spec, &tag(2), &mut pins)), "SLOT-IN-USE");
        }
        assert_eq!(rule(opened(A).unwrap().generate(KeySpec::Rsa3072, &tag(1), &mut pins())), "TOKEN-CANNOT");
    });
}

#[test]
fn several_yubikeys_are_told_apart_by_serial() {
    cards::with("several_yubikeys_are_told_apart_by_serial", &["12345678", "23456789:5.4.3"], |cards| {
        let listing = Modules::new().yubikeys().unwrap();
        let serials: Vec<_> = listing.tokens.iter().map(|t| t.identity().serial.clone()).collect();
        assert_eq!((serials, listing.problems.len()), (vec![A.to_string(), B.to_string()], 0));
        assert_eq!(rule(opened(99)), "TOKEN-SERIAL");
        // Each key is on its own card and no other.
        let (mut a, key) = made(A);
        let mut b = opened(B).unwrap();
        assert_eq!(b.identity().firmware, "5.4.3");
        assert_eq!(rule(sign(&mut *b, &key.public, &mut pins())), "KEY-NOT-ON-TOKEN");
        assert_eq!(rule(b.generate(KeySpec::EcdsaP256, &tag(2), &mut pins())), "YUBIKEY-FIRMWARE");
        assert_eq!(rule(b.initialise("x", &mut pins())), "TOKEN-CANNOT");
        assert_eq!(cards.state(B)["pin"]["factory"], true);
        sign(&mut *a, &key.public, &mut pins()).unwrap();

        // The other one alone is no replacement, neither when it is opened nor later.
        cards.pull(A);
        assert_eq!(rule(opened(A)), "TOKEN-SERIAL");
        assert_eq!(rule(sign(&mut *a, &key.public, &mut pins())), "TOKEN-REMOVED");
        cards.pull(B);
        assert_eq!(rule(opened(A)), "TOKEN-MISSING");
        cards.put_back(A);
        sign(&mut *a, &key.public, &mut pins()).unwrap();
    });
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_locks() {
    cards::with("a_wrong_pin_costs_one_try_and_the_last_locks", &["12345678"], |cards| {
        let (mut token, key) = made(A);
        let mut wrong = Pins::new("11111111", PUK);
        for (left, tries) in [("2 tries are left", Tries::Full), ("1 try is left", Tries::Count(2))] {
            let refusal = sign(&mut *token, &key.public, &mut wrong).unwrap_err();
            assert_eq!(refusal.rule().name, "PIN-WRONG");
            assert!(refusal.found().contains(left), "{refusal}");
            assert_eq!(wrong.asked.pop().unwrap().tries, tries);
        }
        assert_eq!(token.tries().unwrap(), Tries::Count(1));
        // A PIN that none can be is not sent.
        for none in ["12345", "123456789", "1234 678", "ä12345"] {
            assert_eq!(rule(sign(&mut *token, &key.public, &mut Pins::new(none, PUK))), "PIN-LENGTH");
        }
        assert_eq!(token.tries().unwrap(), Tries::Count(1));
        // The right one brings them all back.
        sign(&mut *token, &key.public, &mut pins()).unwrap();
        assert_eq!(token.tries().unwrap(), Tries::Full);
        for rules in ["PIN-WRONG", "PIN-WRONG", "PIN-LOCKED", "PIN-LOCKED"] {
            assert_eq!(rule(sign(&mut *token, &key.public, &mut wrong)), rules);
        }
        assert_eq!(wrong.asked.len(), 3, "a locked PIN is not asked for");
        assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "PIN-LOCKED");
        assert_eq!(token.tries().unwrap(), Tries::Locked);
        assert_eq!(cards.touches(A), 1, "nobody is asked to touch in vain");

        // The PUK that was set in the ceremony opens it.
        unblocked(0);
        sign(&mut *token, &key.public, &mut pins()).unwrap();
    });
}

#[test]
fn a_touch_is_waited_for_and_missed_only_by_its_rule() {
    cards::with("a_touch_is_waited_for_and_missed_only_by_its_rule", &["12345678"], |cards| {
        let (mut token, key) = made(A);
        assert_eq!(cards.touches(A), 0, "a key is made without");
        cards.touch(A, "1500");
        let began = Instant::now();
        sign(&mut *token, &key.public, &mut pins()).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(1500));
        cards.touch(A, "never");
        let mut pins = pins();
        assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "TOUCH");
        assert_eq!(pins.touches, 1, "it was said");
        assert_eq!(token.tries().unwrap(), Tries::Full);
        cards.touch(A, "now");
        sign(&mut *token, &key.public, &mut pins).unwrap();
        assert_eq!(cards.touches(A), 3);
    });
}

#[test]
fn secrets_that_everyone_knows_or_no_card_takes_are_refused() {
    cards::with("secrets_that_everyone_knows_or_no_card_takes_are_refused", &["12345678"], |cards| {
        let mut token = opened(A).unwrap();
        for (pin, puk, expected) in [
            ("123456", PUK, "PIN-FACTORY"),
            (PIN, "12345678", "PIN-FACTORY"),
            ("12345678", PUK, "PIN-FACTORY"),
            ("12345", PUK, "PIN-LENGTH"),
            ("123456789", PUK, "PIN-LENGTH"),
            ("12 3456", PUK, "PIN-LENGTH"),
            (PIN, "zu kurz", "PIN-LENGTH"),
        ] {
            let got = token.generate(KeySpec::EcdsaP256, &tag(1), &mut Pins::new(pin, puk));
            assert_eq!(rule(got), expected, "{pin} {puk}");
        }
        let state = cards.state(A);
        assert_eq!((&state["pin"]["factory"], &state["puk"]["factory"]), (&true.into(), &true.into()));
        assert_eq!(state["management_factory"], true);
    });
}

#[test]
fn a_card_pulled_while_its_secrets_change_is_gone_on_with() {
    let moments = ["f8", "f7", "24", "24:after", "20", "87"];
    pulled("a_card_pulled_while_its_secrets_change_is_gone_on_with", &moments);
}

#[test]
fn a_card_pulled_while_its_key_is_made_is_gone_on_with() {
    let moments = ["db:after", "ff", "ff:after", "47", "47:after", "f9"];
    pulled("a_card_pulled_while_its_key_is_made_is_gone_on_with", &moments);
}

/// At which instruction the card is pulled: nothing is lost, whatever was done by then. One card for
/// each, since pcscd takes sixteen readers and each card has two.
fn pulled(test: &str, moments: &[&str]) {
    let serials: Vec<String> = (A..).take(moments.len()).map(|n| n.to_string()).collect();
    cards::with(test, &serials.iter().map(String::as_str).collect::<Vec<_>>(), |cards| {
        for (serial, moment) in (A..).zip(moments.iter().copied()) {
            let mut token = opened(serial).unwrap();
            cards.pull_at(serial, moment);
            let mut pins = pins();
            let cut = token.generate(KeySpec::EcdsaP256, &tag(7), &mut pins);
            let refusal = cut.unwrap_err();
            assert_eq!(refusal.rule().name, "TOKEN-REMOVED", "{moment}: {refusal}");
            cards.put_back(serial);

            // As a session does that finds the intent in its journal, in a process of its own.
            let mut token = opened(serial).unwrap();
            assert_eq!(
                rule(token.adopt(KeySpec::EcdsaP256, &tag(8), &mut pins).map(|k| assert!(k.is_none()))),
                "ok"
            );
            let adopted = token.adopt(KeySpec::EcdsaP256, &tag(7), &mut pins).unwrap();
            let there = ["47:after", "f9"].contains(&moment);
            assert_eq!(adopted.is_some(), there, "{moment}");
            let key = match adopted {
                Some(key) => key,
                None => token.generate(KeySpec::EcdsaP256, &tag(7), &mut pins).unwrap(),
            };
            chain_holds(cards, serial, &key);
            sign(&mut *token, &key.public, &mut pins).unwrap();
            let state = cards.state(serial);
            let left = [&state["pin"]["factory"], &state["puk"]["factory"], &state["management_factory"]];
            assert_eq!(left, [false; 3], "{moment}");

            for moment in ["20", "87", "87:after"] {
                cards.pull_at(serial, moment);
                assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "TOKEN-REMOVED", "{moment}");
                cards.put_back(serial);
                sign(&mut *token, &key.public, &mut pins).unwrap();
            }
        }
    });
}

const YKCS11: &str = "/usr/lib/x86_64-linux-gnu/libykcs11.so";
const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";

/// Sets the PIN anew by the PUK, as Yubico's own tool does.
fn unblocked(number: usize) {
    let reader = format!("Yubico YubiKey OTP+FIDO+CCID {number} 00 00");
    let arguments = ["-r", &reader, "-a", "unblock-pin", "-P", PUK, "-N", PIN];
    let out = Command::new("yubico-piv-tool").args(arguments).output().unwrap();
    assert!(out.status.success(), "{out:?}");
}

/// Keys that were made natively, used through a PKCS#11 module: found by the certificate that was put
/// beside them, told apart by the token's serial number, signed with PIN and touch; and what a module
/// says of a wrong PIN, a locked one, another's card and one that is pulled out. One card is of our
/// making, the other isn't.
fn through(module: &str, cards: &Cards) {
    let keys: Vec<_> = [(A, KeySpec::EcdsaP256), (B, KeySpec::EcdsaP384)]
        .into_iter()
        .map(|(serial, spec)| {
            let mut token = opened(serial).unwrap();
            (serial, token.generate(spec, &tag(1), &mut pins()).unwrap().public)
        })
        .collect();
    let modules = Modules::new();
    let pin = ModulePin { path: module.into(), sha256: None };
    let mut listing = modules.list(std::slice::from_ref(&pin));
    let mut found = Vec::new();
    for token in &mut listing.tokens {
        let identity = token.identity().clone();
        for key in token.keys(&mut pins()).unwrap() {
            if let Some((serial, public)) =
                keys.iter().find(|(_, public)| key.public.as_ref() == Some(public))
            {
                found.push((*serial, public.clone(), identity.clone()));
            }
        }
    }
    assert_eq!(found.len(), 2, "{:?}", listing.problems);
    assert_ne!(found[0].2.serial, found[1].2.serial);
    drop((listing, modules));
    // As in a program that is run again: the module is loaded anew.
    let open = |identity: &TokenIdentity| {
        let uri = KeyUri::Pkcs11(Pkcs11Uri {
            token: Some(identity.label.clone()),
            serial: Some(identity.serial.clone()),
            ..Pkcs11Uri::default()
        });
        Modules::new().open(&uri, Some(&pin))
    };
    for (number, (serial, public, identity)) in found.iter().enumerate() {
        let mut token = open(identity).unwrap();
        let before = cards.touches(*serial);
        for n in 1..=2 {
            let mut pins = pins();
            let signature = sign(&mut *token, public, &mut pins).unwrap();
            assert_eq!(signature.key(), public.identity());
            assert_eq!((pins.touches, cards.touches(*serial) - before), (1, n), "{identity:?}");
        }
        let other = &found.iter().find(|(other, _, _)| other != serial).unwrap().1;
        assert_eq!(rule(sign(&mut *token, other, &mut pins())), "KEY-NOT-ON-TOKEN");
        // Natively in between, by the same card, which is reset after it.
        sign(&mut *opened(*serial).unwrap(), public, &mut pins()).unwrap();
        sign(&mut *token, public, &mut pins()).unwrap();

        // Pulled out before it signs, and after; put back it goes on.
        for moment in ["87", "87:after"] {
            cards.pull_at(*serial, moment);
            // Each module has a word of its own for it.
            let got = rule(sign(&mut *token, public, &mut pins()));
            assert!(["TOKEN-REMOVED", "TOKEN-FAILED"].contains(&got), "{moment}: {got}");
            cards.put_back(*serial);
            drop(token);
            token = open(identity).unwrap();
            sign(&mut *token, public, &mut pins()).unwrap();
        }

        // Three wrong ones lock it; whoever has the PUK sets another.
        let mut wrong = Pins::new("11111111", PUK).agreeing();
        let before = cards.touches(*serial);
        for expected in ["PIN-WRONG", "PIN-WRONG", "PIN-WRONG", "PIN-LOCKED"] {
            let got = rule(sign(&mut *token, public, &mut wrong));
            // The third locks it, which not every module tells at once.
            assert!(got == expected || got == "PIN-LOCKED", "{identity:?}: {got}");
        }
        assert_eq!(cards.touches(*serial), before);
        assert_eq!(rule(sign(&mut *opened(*serial).unwrap(), public, &mut pins())), "PIN-LOCKED");
        assert_eq!(rule(sign(&mut *token, public, &mut pins())), "PIN-LOCKED");
        unblocked(number);
        drop(token);
        sign(&mut *open(identity).unwrap(), public, &mut pins()).unwrap();
    }
    // Out of its reader it is missed, and the other is none in its place.
    let [(serial, public, identity), (_, other, neighbour)] = &found[..] else { panic!("{found:?}") };
    cards.pull(*serial);
    // Told by serial where a module labels all alike, as OpenSC does.
    let got = rule(open(identity).and_then(|mut token| sign(&mut *token, public, &mut pins())));
    assert!(["TOKEN-MISSING", "TOKEN-SERIAL"].contains(&got), "{got}");
    sign(&mut *open(neighbour).unwrap(), other, &mut pins()).unwrap();
}

const TWO_MAKES: [&str; 2] = ["12345678@piv-trussed", "23456789"];

#[test]
fn ykcs11_signs_with_what_was_made_natively() {
    cards::with("ykcs11_signs_with_what_was_made_natively", &TWO_MAKES, |cards| through(YKCS11, cards));
}

#[test]
fn opensc_signs_with_what_was_made_natively() {
    cards::with("opensc_signs_with_what_was_made_natively", &TWO_MAKES, |cards| through(OPENSC, cards));
}

/// A PIV applet by others: what a client takes for granted of the one that was written along with it.
#[test]
fn the_applet_of_another_maker_is_driven_alike() {
    let all = ["12345678@piv-trussed", "23456789@piv-trussed", "34567890@piv-trussed", "45678901"];
    cards::with("the_applet_of_another_maker_is_driven_alike", &all, |cards| {
        assert_eq!(Modules::new().yubikeys().unwrap().tokens.len(), 4);
        for (serial, spec) in [(A, KeySpec::EcdsaP256), (B, KeySpec::EcdsaP384)] {
            let mut token = opened(serial).unwrap();
            assert!(token.condition().unwrap().contains("factory's PIN"));
            // The power goes at a bad moment.
            cards.pull_at(serial, "47:after");
            assert_eq!(rule(token.generate(spec, &tag(1), &mut pins())), "TOKEN-REMOVED");
            cards.put_back(serial);
            let key = token.adopt(spec, &tag(1), &mut pins()).unwrap().unwrap();
            assert_eq!(token.condition(), None);
            chain_holds(cards, serial, &key);
            let said: Vec<_> = key.evidence.attributes.iter().map(|(n, v)| format!("{n}={v}")).collect();
            assert_eq!(said, ["local=yes", "pin-policy=always", "slot=9c", "touch-policy=always"]);
            assert_eq!(rule(token.generate(spec, &tag(2), &mut pins())), "SLOT-IN-USE");
            let mut pins = self::pins();
            for n in 1..=2 {
                sign(&mut *token, &key.public, &mut pins).unwrap();
                assert_eq!((pins.touches, cards.touches(serial)), (n, n));
            }
            cards.touch(serial, "never");
            assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "TOUCH");
            cards.touch(serial, "now");

            let mut wrong = Pins::new("11111111", PUK);
            for (expected, tries) in [
                ("PIN-WRONG", Tries::Count(2)),
                ("PIN-WRONG", Tries::Count(1)),
                ("PIN-LOCKED", Tries::Locked),
            ] {
                assert_eq!(rule(sign(&mut *token, &key.public, &mut wrong)), expected);
                assert_eq!(token.tries().unwrap(), tries);
            }
            assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "PIN-LOCKED");
            token.change_pin(&mut pins).unwrap();
            sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!(token.tries().unwrap(), Tries::Full);

            // Its key is on no other card, whoever made that.
            for other in [34_567_890, 45_678_901] {
                assert_eq!(
                    rule(sign(&mut *opened(other).unwrap(), &key.public, &mut pins)),
                    "KEY-NOT-ON-TOKEN"
                );
            }
            token.destroy(&key.public, &mut pins).unwrap();
            assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "KEY-NOT-ON-TOKEN");
            let again = token.generate(spec, &tag(2), &mut pins).unwrap();
            assert_ne!(again.public, key.public);
            sign(&mut *token, &again.public, &mut pins).unwrap();
        }
        // What it can't is refused by name, and costs nothing.
        let mut third = opened(34_567_890).unwrap();
        assert_eq!(rule(third.generate(KeySpec::Ed25519, &tag(1), &mut pins())), "TOKEN-FAILED");
        let key = third.generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap();
        sign(&mut *third, &key.public, &mut pins()).unwrap();
    });
}

/// What someone else did to the card, by what it keeps.
#[test]
fn a_card_that_someone_else_prepared_is_taken_or_refused_as_it_is() {
    let cards = ["12345678", "23456789"];
    cards::with("a_card_that_someone_else_prepared_is_taken_or_refused_as_it_is", &cards, |cards| {
        // A PIN that is set already is asked for, and costs a try if it is wrong.
        let change = ["-a", "change-pin", "-P", "123456", "-N", PIN];
        let reader = "Yubico YubiKey OTP+FIDO+CCID 0 00 00";
        let out = Command::new("yubico-piv-tool").args(["-r", reader]).args(change).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let mut token = opened(A).unwrap();
        let wrong = token.generate(KeySpec::EcdsaP256, &tag(1), &mut Pins::new("11111111", PUK));
        assert_eq!(rule(wrong), "PIN-WRONG");
        assert_eq!(cards.state(A)["management_factory"], true);
        let mut pins = pins();
        let key = token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins).unwrap();
        let asked: Vec<_> = pins.asked.iter().map(|ask| ask.secret).collect();
        assert_eq!(asked, [PinKind::NewSecurityOfficer, PinKind::User]);

        // Destroyed, the slot is free for another, nothing tells of the key any more, and the secrets stay.
        let certificate_and_intent = ["6275338", "6245202"]; // 5FC10A, 5F4B52
        let told = || certificate_and_intent.map(|object| cards.state(A)["objects"][object].is_array());
        assert_eq!(told(), [true; 2]);
        token.destroy(&key.public, &mut pins).unwrap();
        assert_eq!(told(), [false; 2]);
        assert_eq!(rule(token.destroy(&key.public, &mut pins)), "KEY-NOT-ON-TOKEN");
        assert_eq!(rule(sign(&mut *token, &key.public, &mut pins)), "KEY-NOT-ON-TOKEN");
        let mut again = Pins::new(PIN, PUK);
        let second = token.generate(KeySpec::EcdsaP256, &tag(2), &mut again).unwrap();
        assert_ne!(second.public, key.public);
        assert_eq!(again.asked.iter().map(|ask| ask.secret).collect::<Vec<_>>(), [PinKind::User]);

        // A key that was brought in is never taken for one that was made.
        cards.tamper(A, |state| state["slots"]["156"]["generated"] = false.into());
        let mut token = opened(A).unwrap();
        assert_eq!(rule(token.adopt(KeySpec::EcdsaP256, &tag(2), &mut pins)), "KEY-ADOPT");
        assert_eq!(token.evidence(&second.public, &mut pins).unwrap().attributes["local"], "no");

        // A management key that only someone else knows.
        cards.tamper(B, |state| {
            state["management"] = vec![9; 24].into();
            state["management_factory"] = false.into();
        });
        let refused = opened(B).unwrap().generate(KeySpec::EcdsaP256, &tag(1), &mut pins);
        assert_eq!(rule(refused), "MANAGEMENT-KEY");
    });
}

#[test]
fn without_the_service_it_is_said() {
    if std::env::var_os(cards::SOCKET).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["without_the_service_it_is_said", "--exact"]).env(cards::SOCKET, "/nowhere/pcscd");
        let out = again.output().unwrap();
        assert!(out.status.success(), "{out:?}");
        return;
    }
    assert_eq!(rule(opened(A)), "CARD-SERVICE");
    assert_eq!(rule(Modules::new().yubikeys()), "CARD-SERVICE");
    // Someone without YubiKeys hears nothing of it.
    let tokens = Command::new(env!("CARGO_BIN_EXE_keyrite")).args(["tokens"]).output().unwrap();
    assert!(String::from_utf8_lossy(&tokens.stderr).contains("MODULE-NONE"), "{tokens:?}");
}

/// Sets PIN and PUK as Yubico's own tool does.
fn prepared_elsewhere(number: usize) {
    for (action, old, new) in [("change-pin", "123456", PIN), ("change-puk", "12345678", PUK)] {
        let reader = format!("Yubico YubiKey OTP+FIDO+CCID {number} 00 00");
        let arguments = ["-r", &reader, "-a", action, "-P", old, "-N", new];
        let out = Command::new("yubico-piv-tool").args(arguments).output().unwrap();
        assert!(out.status.success(), "{out:?}");
    }
}

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

/// The program itself: a root on two YubiKeys and a file, and a third one whose key is retired.
#[test]
fn a_root_is_made_on_yubikeys() {
    let serials = ["12345678", "23456789", "34567890"];
    cards::with("a_root_is_made_on_yubikeys", &serials, |cards| {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new("yubikeys", Profile::Tuf, Kind::Rehearsal, &limits);
        std::fs::create_dir_all(stage.path("keys")).unwrap();
        let listed = stage.keyrite(["tokens"]).ended(0).text();
        for text in ["12345678", "23456789", "34567890", "YubiKey", "the factory's PIN", "none"] {
            assert!(listed.contains(text), "{text}: {listed}");
        }
        (0..3).for_each(prepared_elsewhere);
        let listed = stage.keyrite(["--json", "tokens"]).ended(0).json();
        assert_eq!(listed["tokens"].as_array().unwrap().len(), 3);

        let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
        for (key, holder, purpose) in [
            ("r1", "ada", "root"),
            ("r2", "bea", "root"),
            ("old", "olga", "root"),
            ("r3", "cy", "root"),
            ("t1", "uma", "targets"),
            ("s1", "ops", "snapshot"),
            ("m1", "ops", "timestamp"),
        ] {
            writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
        }
        let files = |mut devices: stage::Devices<'static>| {
            for key in ["r3", "t1", "s1", "m1"] {
                devices = devices.in_file(key, &format!("keys/{key}.pem"));
            }
            devices
        };
        let stage: &'static Stage = Box::leak(Box::new(stage));
        let on = |r1, r2| {
            files(stage.devices().on_yubikey("r1", r1).on_yubikey("r2", r2).on_yubikey("old", 34_567_890))
        };
        let map = on(A, B).write("devices.toml");
        let (_, done) = stage.hold(&map, &stage.write("1.toml", &text));
        let said = done.ended(0);
        drop(said);
        for (key, serial) in [("r1", A), ("r2", B)] {
            let file =
                std::fs::read_dir(stage.record.join("keys").join(key)).unwrap().next().unwrap().unwrap();
            let file: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
            assert_eq!(file["token"]["kind"], "piv");
            assert_eq!(file["token"]["serial"], serial.to_string());
            assert_eq!(file["token"]["firmware"], "5.7.4");
            assert_eq!(file["evidence"]["attestation"].as_array().unwrap().len(), 2);
            assert_eq!(file["evidence"]["attributes"]["touch-policy"], "always");
            // The possession statement.
            assert_eq!(cards.touches(serial), 1);
        }

        let root = format!(
            "ceremony = \"create-root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
             valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
             [snapshot]\nkeys = [\"s1\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m1\"]\nthreshold = 1\n"
        );
        let root = stage.write("2.toml", &root);
        // The map leads to the other holder's YubiKey.
        let (_, done) = stage.hold(&on(B, A).write("swapped.toml"), &root);
        assert!(done.text().contains("TOKEN-OTHER"), "{}", done.text());
        // Nobody touches it; then somebody does, and the ceremony goes on where it was.
        cards.touch(A, "never");
        let (_, done) = stage.hold(&map, &root);
        assert!(done.text().contains("TOUCH"), "{}", done.text());
        cards.touch(A, "now");
        stage.hold(&map, &root).1.ended(0);
        stage.verify().ended(0);

        let devices = on(A, B).knowing(&stage.root()).write("later.toml");
        let retire =
            stage.write("3.toml", &format!("ceremony = \"retire-key\"\n{HEAD}[retire]\nkey = \"old\"\n"));
        assert!(cards.state(34_567_890)["slots"]["156"].is_object());
        stage.hold(&devices, &retire).1.ended(0);
        assert!(cards.state(34_567_890)["slots"]["156"].is_null());
        assert!(utf8(&stage.record).ends_with("record"));
        stage.verify().ended(0);
    });
}

/// The lines for ykman that the manual gives to type, each as it stands there.
fn lines_of_the_manual() -> Vec<String> {
    let manual = std::fs::read_to_string(stage::shipped("README.md")).unwrap();
    let lines = manual.lines().filter_map(|line| line.strip_prefix("    "));
    lines.filter(|line| line.starts_with("ykman ")).map(str::to_owned).collect()
}

/// Has a person type a line at a shell with Yubico's own ykman, and answer what it asks. The second
/// slot of a virtual reader, which is empty, looks to ykman like another YubiKey: it is told which is meant.
fn typed(cards: &Cards, serial: u32, line: &str) {
    let asks = [
        ("Proceed?", "y"),
        ("Enter the current PIN", "123456"),
        ("Enter the current PUK", "12345678"),
        ("Enter the current management key", ""),
        ("Enter the new PIN", PIN),
        ("Enter the new PUK", PUK),
        ("Enter PIN", PIN),
        ("Repeat for confirmation", ""),
    ];
    let ykman = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/ykman");
    let programs = cards.dir().join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    let named = format!("#!/bin/sh\nexec {} --device {serial} \"$@\"\n", ykman.display());
    std::fs::write(programs.join("ykman"), named).unwrap();
    std::fs::set_permissions(programs.join("ykman"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(cards.dir());
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    let mut pty = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let (mut all, mut last) = (String::new(), "");
    loop {
        let needles = asks.iter().map(|(asked, _)| ReadUntil::String((*asked).to_owned()));
        let (before, asked) = pty.exp_any(needles.chain([ReadUntil::EOF]).collect()).unwrap();
        all.push_str(&before);
        all.push_str(&asked);
        let Some((_, answer)) = asks.iter().find(|(known, _)| *known == asked) else { break };
        all.push_str(&pty.exp_string(": ").unwrap_or_else(|e| panic!("{line}: {e}: {all}")));
        last = if asked == "Repeat for confirmation" { last } else { *answer };
        pty.send_line(last).unwrap();
    }
    let status = format!("{:?}", pty.process().wait().unwrap());
    assert!(status.ends_with(", 0)"), "{line}: {status}: {all}");
}

/// The lines of the manual, all of them, in order.
fn prepared_by_ykman(cards: &Cards, serial: u32) {
    let lines = lines_of_the_manual();
    let verbs = ["reset", "change-pin", "change-puk", "change-management-key", "generate", "attest"];
    let verbs = [&verbs[..], &["import", "export"]].concat();
    assert_eq!(lines.len(), verbs.len(), "{lines:?}");
    for (line, verb) in lines.iter().zip(verbs) {
        assert!(line.contains(&format!(" {verb}")), "{verb}: {line}");
        typed(cards, serial, line);
    }
}

/// A key that ykman made by the manual's lines, and what is none.
#[test]
fn a_key_that_ykman_made_comes_into_the_record() {
    cards::with("a_key_that_ykman_made_comes_into_the_record", &["12345678"], |cards| {
        assert_eq!(rule(opened(A).unwrap().take()), "KEY-NOT-ON-TOKEN");
        prepared_by_ykman(cards, A);
        for (name, number) in [("pin", 2), ("touch", 1)] {
            let before = cards.state(A);
            cards.tamper(A, |state| state["slots"]["156"][name] = number.into());
            assert_eq!(rule(opened(A).unwrap().take()), "TOKEN-WEAK", "{name}");
            cards.tamper(A, |state| *state = before);
        }
        let key = "[[key]]\nname = \"root-b\"\nholder = \"ada\"\npurpose = \"root\"\n";
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new("ykman", Profile::Tuf, Kind::Production, &limits);
        let runbook = stage.write("1.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{key}"));
        let map = stage.devices().on_yubikey("root-b", A).write("devices.toml");
        let (_, done) = stage.hold(&map, &runbook);
        assert!(done.text().contains("SLOT-IN-USE"), "{}", done.text());
        assert!(done.text().contains("existing = true"), "{}", done.text());
        let text = std::fs::read_to_string(&map).unwrap();
        let there = text.replace("pin = \"pin\"", "pin = \"pin\"\nexisting = true");
        assert_ne!(there, text);
        // None of it is looked at where a secret is still the factory's.
        for secret in ["pin", "puk", "management key"] {
            let before = cards.state(A);
            cards.tamper(A, |state| match secret {
                "management key" => state["management_factory"] = true.into(),
                _ => state[secret]["factory"] = true.into(),
            });
            let refused = opened(A).unwrap().take().unwrap_err();
            assert_eq!(refused.rule().name, "PIN-FACTORY", "{secret}");
            assert!(refused.found().to_lowercase().contains(secret), "{refused}");
            cards.tamper(A, |state| *state = before);
        }
        let other = stage.devices().on_yubikey("root-b", A).write("there.toml");
        std::fs::write(&other, there).unwrap();
        let (_, done) = stage.hold(&other, &runbook);
        done.ended(0);
        let file = std::fs::read_dir(stage.record.join("keys/root-b")).unwrap().next().unwrap().unwrap();
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        assert_eq!(file["evidence"]["attestation"].as_array().unwrap().len(), 2);
        assert_eq!(file["evidence"]["attributes"]["pin-policy"], "always");
        assert_eq!(file["token"]["kind"], "piv");
        assert_eq!(file["possession"]["by"], "statement");
        let pem = std::fs::read_to_string(cards.dir().join("root-b.pem")).unwrap();
        assert_eq!(
            file["spki"].as_str().unwrap(),
            pem.lines().filter(|l| !l.starts_with('-')).collect::<String>()
        );
        assert_eq!(cards.touches(A), 1);

        // Brought in from elsewhere, it is on other machines too.
        cards.tamper(A, |state| state["slots"]["156"]["generated"] = false.into());
        assert_eq!(rule(opened(A).unwrap().take()), "TOKEN-WEAK");
    });
}

/// A factory YubiKey and nobody at the keyboard: PIN and PUK from files of mode 0600.
#[test]
fn a_script_prepares_a_new_yubikey() {
    cards::with("a_script_prepares_a_new_yubikey", &["12345678"], |cards| {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new("yubikey-script", Profile::Tuf, Kind::Production, &limits);
        let key = "[[key]]\nname = \"r1\"\nholder = \"ada\"\npurpose = \"root\"\n";
        let runbook = stage.write("1.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{key}"));
        let map = stage.devices().on_yubikey("r1", A).write("devices.toml");
        let (_, done) = stage.hold(&map, &runbook);
        assert!(done.text().contains("ANSWER-MISSING"), "{}", done.text());
        assert_eq!(cards.state(A)["pin"]["factory"], true, "nothing was changed by halves");
        let text = std::fs::read_to_string(&map).unwrap();
        std::fs::write(&map, text.replace("pin = \"pin\"", "pin = \"pin\"\npuk = \"puk\"")).unwrap();
        let puk = stage.write("puk", &format!("{PUK}\n"));
        let (_, done) = stage.hold(&map, &runbook);
        assert!(done.text().contains("PIN-FILE"), "{}", done.text());
        std::fs::set_permissions(&puk, std::fs::Permissions::from_mode(0o600)).unwrap();
        stage.hold(&map, &runbook).1.ended(0);
        let card = cards.state(A);
        assert_eq!((&card["pin"]["factory"], &card["puk"]["factory"]), (&false.into(), &false.into()));
        assert_eq!(card["puk"]["value"], serde_json::json!(PUK.as_bytes()));
    });
}

#[test]
fn its_holder_changes_the_pin_or_unlocks_it() {
    cards::with("its_holder_changes_the_pin_or_unlocks_it", &["12345678", "23456789"], |cards| {
        let (mut token, key) = made(A);
        let other = "16180339";
        assert_eq!(rule(token.change_pin(&mut Pins::new("11111111", PUK).and_new(other))), "PIN-WRONG");
        for (new, expected) in [("123456", "PIN-FACTORY"), ("12345", "PIN-LENGTH")] {
            assert_eq!(rule(token.change_pin(&mut pins().and_new(new))), expected);
        }
        token.change_pin(&mut pins().and_new(other)).unwrap();
        assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "PIN-WRONG");
        let mut now = Pins::new(other, PUK);
        sign(&mut *token, &key.public, &mut now).unwrap();

        // Typed at a terminal.
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.current_dir(cards.dir()).args(["tokens", "change-pin"]).env("TERM", "dumb");
        let answers = [("Which token", "1"), ("You will type it twice", PIN), ("PIN of", other)];
        let said = talk(rexpect::session::spawn_command(command, Some(60_000)).unwrap(), &answers);
        assert!(said.contains("PIN changed") && said.contains("12345678"), "{said}");
        assert!(!said.contains(PIN) && !said.contains(other), "{said}");
        sign(&mut *token, &key.public, &mut pins()).unwrap();

        // Locked, it is the PUK that is asked for; a locked PUK opens nothing.
        let mut wrong = Pins::new("11111111", "11111111");
        for _ in 0..3 {
            assert_ne!(rule(sign(&mut *token, &key.public, &mut wrong)), "ok");
        }
        assert_eq!(rule(token.change_pin(&mut wrong.and_new(other))), "PIN-WRONG");
        let mut asks = pins();
        token.change_pin(&mut asks).unwrap();
        let asked: Vec<_> = asks.asked.iter().map(|ask| ask.secret).collect();
        assert_eq!(asked, [PinKind::SecurityOfficer, PinKind::NewUser]);
        sign(&mut *token, &key.public, &mut pins()).unwrap();
        for _ in 0..3 {
            let _ = sign(&mut *token, &key.public, &mut Pins::new("11111111", PUK));
        }
        for expected in ["PIN-WRONG", "PIN-WRONG", "PIN-LOCKED", "PIN-LOCKED"] {
            assert_eq!(rule(token.change_pin(&mut Pins::new(PIN, "11111111"))), expected);
        }
        assert_eq!(rule(token.change_pin(&mut pins())), "PIN-LOCKED");

        // Of one from the factory, before any ceremony.
        let mut fresh = opened(B).unwrap();
        let mut asks = pins();
        fresh.change_pin(&mut asks).unwrap();
        assert_eq!(asks.asked.iter().map(|ask| ask.secret).collect::<Vec<_>>(), [PinKind::NewUser]);
        assert_eq!(cards.state(B)["pin"]["factory"], false);
    });
}

/// The vendor of the virtual YubiKeys is nobody's: in production their keys count as unproven, and
/// it is told wherever people look.
#[test]
fn keys_of_a_simulated_vendor_are_not_proven() {
    cards::with("keys_of_a_simulated_vendor_are_not_proven", &SERIALS, |_| simulated_vendor(false));
}

#[test]
fn limits_refuse_a_simulated_vendor() {
    cards::with("limits_refuse_a_simulated_vendor", &SERIALS, |_| simulated_vendor(true));
}

const SERIALS: [&str; 3] = ["12345678", "23456789", "34567890"];

fn simulated_vendor(demanded: bool) {
    (0..3).for_each(prepared_elsewhere);
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    limits.root.attested_keys = demanded;
    limits.targets.software_keys = true;
    let stage = Stage::new(&format!("simulated-{demanded}"), Profile::Tuf, Kind::Production, &limits);
    std::fs::create_dir_all(stage.path("keys")).unwrap();
    let mut devices = stage.devices();
    let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
    for (key, holder, purpose, serial) in [
        ("r1", "ada", "root", Some(A)),
        ("r2", "bea", "root", Some(B)),
        ("r3", "cy", "root", Some(34_567_890)),
        ("t1", "uma", "targets", None),
        ("s1", "ops", "snapshot", None),
        ("m1", "ops", "timestamp", None),
    ] {
        writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"").unwrap();
        devices = match serial {
            Some(serial) => devices.on_yubikey(key, serial),
            None => devices.in_file(key, &format!("keys/{key}.pem")),
        };
    }
    let map = devices.write("devices.toml");
    stage.hold(&map, &stage.write("1.toml", &text)).1.ended(0);
    let root = format!(
        "ceremony = \"create-root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
         valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
         [snapshot]\nkeys = [\"s1\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m1\"]\nthreshold = 1\n"
    );
    let root = stage.write("2.toml", &root);
    let people = ["-C", utf8(&stage.record), "--devices", utf8(&map)];
    let plan = stage.keyrite(people.into_iter().chain(["plan", utf8(&root)]));
    if demanded {
        let said = plan.ended(1).problems();
        assert!(said.contains("KEY-NOT-ATTESTED") && said.contains("ATTESTATION-CHAIN"), "{said}");
        return;
    }
    let told = |what: &str, page: &str| {
        // However wide the terminal is.
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains("0 of 3 keys of this root are proven hardware keys"), "{what}: {page}");
        for key in ["r1 (ada)", "r2 (bea)", "r3 (cy)"] {
            let line = format!("{key}: attestation fails ATTESTATION-CHAIN");
            assert!(page.contains(&line), "{what}: {line}: {page}");
        }
        page
    };
    told("plan", &plan.ended(0).text());
    stage.hold(&map, &root).1.ended(0);
    told("status", &stage.keyrite(people.into_iter().chain(["status"])).ended(0).text());
    let (version, payload) = stage.root();
    let anchor = format!("{version}:{payload}");
    let report = stage.path("report.html");
    let line = ["-C", utf8(&stage.record), "verify", "--anchor", &anchor, "--report", utf8(&report)];
    stage.keyrite(line).ended(0);
    let report = told("report", &std::fs::read_to_string(&report).unwrap());
    assert!(report.contains("SIMULATED"), "{report}");
}

/// In production, so behind the fence: keys made natively by the program, and a root signed by them through a
/// module that another maker wrote. It speaks to pcscd all the while.
fn fenced(module: &str, cards: &Cards) {
    (0..3).for_each(prepared_elsewhere);
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    limits.targets.software_keys = true;
    let name = Path::new(module).file_stem().unwrap().to_str().unwrap();
    let stage = Stage::new(&format!("fenced-{name}"), Profile::Tuf, Kind::Production, &limits);
    std::fs::create_dir_all(stage.path("keys")).unwrap();
    let online = |devices: stage::Devices<'_>| -> String {
        let devices =
            ["t1", "s1", "m1"].iter().fold(devices, |d, key| d.in_file(key, &format!("keys/{key}.pem")));
        std::fs::read_to_string(devices.write("part.toml")).unwrap()
    };
    let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
    for (key, holder, purpose) in [
        ("r1", "ada", "root"),
        ("r2", "bea", "root"),
        ("r3", "cy", "root"),
        ("t1", "uma", "targets"),
        ("s1", "ops", "snapshot"),
        ("m1", "ops", "timestamp"),
    ] {
        writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"").unwrap();
    }
    let natively = stage.devices().on_yubikey("r1", A).on_yubikey("r2", B).on_yubikey("r3", 34_567_890);
    let map = stage.write("natively.toml", &online(natively));
    stage.hold(&map, &stage.write("1.toml", &text)).1.ended(0);

    // Where the module has each of them.
    let pin = ModulePin { path: module.into(), sha256: None };
    let modules = Modules::new();
    let mut listing = modules.list(std::slice::from_ref(&pin));
    let sha256 = Digest::of(&std::fs::read(module).unwrap());
    let mut map =
        format!("{}\n[module.m]\npath = \"{module}\"\nsha256 = \"{sha256}\"\n", online(stage.devices()));
    let mut named = 0;
    for key in ["r1", "r2", "r3"] {
        let file = std::fs::read_dir(stage.record.join("keys").join(key)).unwrap().next().unwrap().unwrap();
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let identity = file["identity"].as_str().unwrap();
        for token in &mut listing.tokens {
            let keys = token.keys(&mut pins()).unwrap();
            let publics = keys.iter().filter_map(|key| key.public.as_ref());
            if publics.into_iter().any(|public| public.identity().to_string() == identity) {
                let at = token.identity();
                let uri = KeyUri::Pkcs11(Pkcs11Uri {
                    token: Some(at.label.clone()),
                    serial: Some(at.serial.clone()),
                    ..Pkcs11Uri::default()
                });
                writeln!(map, "[key.{key}]\nuri = \"{uri}\"\nmodule = \"m\"\npin = \"pin\"").unwrap();
                named += 1;
            }
        }
    }
    assert_eq!(named, 3, "{:?}\n{map}", listing.problems);
    drop((listing, modules));
    let map = stage.write("module.toml", &map);
    let root = format!(
        "ceremony = \"create-root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
         valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
         [snapshot]\nkeys = [\"s1\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m1\"]\nthreshold = 1\n"
    );
    let serials = [A, B, 34_567_890];
    let before = serials.map(|serial| cards.touches(serial));
    stage.hold(&map, &stage.write("2.toml", &root)).1.ended(0);
    for (serial, before) in serials.iter().zip(before) {
        assert!(cards.touches(*serial) > before, "{serial} has signed");
    }
    stage.verify().ended(0);
    // Debian's OpenSC would tell a desktop of cards, by a thread that was there before the fence: only
    // newer kernels bring it in.
    let outside = "PARTLY fenced in: a module has threads";
    let (mut sessions, mut modules) = (0, 0);
    for folder in std::fs::read_dir(stage.record.join("transcripts")).unwrap() {
        let mut files: Vec<_> =
            std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let begin: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
        let checks = &begin["outcome"]["host-checks"];
        let said = |name: &str| checks[name].as_str().unwrap_or_else(|| panic!("{name}: {checks}"));
        let loaded = checks["module m"] == sha256.hex();
        let partly = loaded && module == OPENSC && said("files").starts_with(outside);
        assert!(partly || said("files").starts_with("fenced in"), "{checks}");
        assert_eq!((said("system calls"), said("connections")), ("filtered", "none"));
        assert!(said("local sockets").starts_with("open"), "{checks}");
        modules += usize::from(loaded);
        sessions += 1;
    }
    assert_eq!((sessions, modules), (2, 1));
}

#[test]
fn a_root_is_signed_through_ykcs11_behind_the_fence() {
    cards::with("a_root_is_signed_through_ykcs11_behind_the_fence", &SERIALS, |cards| fenced(YKCS11, cards));
}

#[test]
fn a_root_is_signed_through_opensc_behind_the_fence() {
    cards::with("a_root_is_signed_through_opensc_behind_the_fence", &SERIALS, |cards| fenced(OPENSC, cards));
}

/// Answers whatever is asked on a terminal by the question that stands last; gives all that it showed.
fn talk(mut pty: rexpect::session::PtySession, answers: &[(&str, &str)]) -> String {
    let (mut all, mut page, mut line, mut since) = (String::new(), String::new(), "", Instant::now());
    loop {
        while let Some(c) = pty.try_read() {
            all.push(c);
            page.push(c);
            since = Instant::now();
        }
        if ["> ", "press Enter) ", "read on) "].iter().any(|end| page.ends_with(end)) {
            // A new secret is typed once more.
            if !page.contains("(once more)") || page.contains("(not shown)") {
                let known =
                    answers.iter().filter_map(|(asked, line)| Some((page.rfind(asked)?, *line))).max();
                line = if page.ends_with("> ") { known.unwrap_or_else(|| panic!("{all}")).1 } else { "" };
            }
            page.clear();
            pty.send_line(line).unwrap();
        }
        let status = format!("{:?}", pty.process().status());
        if !status.contains("StillAlive") {
            all.push_str(&pty.exp_eof().unwrap_or_default());
            assert!(status.contains(", 0)"), "{status}\n{all}");
            return all;
        }
        assert!(since.elapsed() < Duration::from_secs(120), "nothing more came:\n{all}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// From the factory to a key in the record, typed by its holder.
#[test]
fn a_new_yubikey_gets_its_secrets_from_its_holder() {
    cards::with("a_new_yubikey_gets_its_secrets_from_its_holder", &["12345678"], |cards| {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new("yubikey-typed", Profile::Tuf, Kind::Rehearsal, &limits);
        let key = "[[key]]\nname = \"r1\"\nholder = \"ada\"\npurpose = \"root\"\n";
        let runbook = stage.write("1.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{key}"));
        let map = stage.devices().on_yubikey("r1", A).write("devices.toml");
        let text = std::fs::read_to_string(&map).unwrap();
        std::fs::write(&map, text.replace("pin = \"pin\"", "pin = \"tty\"")).unwrap();
        cards.touch(A, "700");
        // Letters that hexadecimal doesn't have: in so few, chance would find others.
        let drawn =
            || -> String { canary("").bytes().rev().take(8).map(|b| char::from(b'g' + b % 16)).collect() };
        let (pin, puk) = (drawn(), drawn());
        let typed = [("PIN", &pin), ("PUK", &puk)].map(|(name, secret)| (name.to_owned(), secret.clone()));
        let watch = Watch::over(&typed.clone().into());
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.args(["-vv", "-C", utf8(&stage.record), "--devices", utf8(&map), "run", utf8(&runbook)]);
        command.env("TERM", "dumb");
        let answers = [
            ("New PUK of ada's YubiKey", puk.as_str()),
            ("PIN of ada's YubiKey", pin.as_str()),
            ("Type same once every word", "same"),
            ("Type Yes to agree", "Yes"),
        ];
        let said = talk(rexpect::session::spawn_command(command, Some(60_000)).unwrap(), &answers);
        for text in ["New PIN of ada's YubiKey (serial 12345678)", "Touch it now: ", "You will type it twice"]
        {
            assert!(said.contains(text), "{text}: {said}");
        }
        let card = cards.state(A);
        assert_eq!((&card["pin"]["factory"], &card["puk"]["factory"]), (&false.into(), &false.into()));
        let listed = stage.keyrite(["--devices", utf8(&map), "tokens"]).ended(0).text();
        assert!(listed.contains("slot 9c (ECDSA P-256)") && !listed.contains("factory"), "{listed}");

        // Not a secret is left, neither shown nor written, nor told to another program; of the management
        // key nobody knows.
        let (seen, looks) = watch.end();
        assert!(seen.is_empty() && looks > 3, "{seen:?} in {looks} looks");
        let bytes = card["management"].as_array().unwrap().iter();
        let management: Vec<u8> = bytes.map(|b| b.as_u64().unwrap().try_into().unwrap()).collect();
        assert_eq!(management.len(), 24);
        let mut secrets: BTreeMap<String, Vec<u8>> =
            typed.into_iter().map(|(name, secret)| (name, secret.into_bytes())).collect();
        secrets.insert("management key".to_owned(), management);
        assert_eq!(found(&secrets, said.as_bytes()), [""; 0], "on the terminal");
        let all = canaries::files(&stage.dir);
        assert!(all.iter().any(|file| utf8(file).contains("transcripts/")), "{all:?}");
        for file in &all {
            assert_eq!(found(&secrets, &std::fs::read(file).unwrap()), [""; 0], "in {}", file.display());
        }
        for (name, secret) in &secrets {
            let planted = stage.write("planted", &format!("\"{}\"", canaries::hex(secret)));
            assert_eq!(found(&secrets, &std::fs::read(planted).unwrap()), [name.as_str()]);
        }
    });
}

/// The status words of commands that another program sends once PIV is selected.
fn another_program(commands: &[&[u8]]) -> Vec<u16> {
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let reader = c"Yubico YubiKey OTP+FIDO+CCID 0 00 00";
    let card = context.connect(reader, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).unwrap();
    let mut buffer = [0; 300];
    let mut ask = |command: &[u8]| {
        let answer = card.transmit(command, &mut buffer).unwrap();
        u16::from_be_bytes(*answer.last_chunk().unwrap())
    };
    assert_eq!(ask(&[0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8]), 0x9000);
    commands.iter().map(|command| ask(command)).collect()
}

#[test]
fn nothing_is_left_open_for_another_program() {
    cards::with("nothing_is_left_open_for_another_program", &["12345678"], |_| {
        let is_pin_typed = [0, 0x20, 0, 0x80];
        let make_a_key = [0, 0x47, 0, 0x9a, 5, 0xac, 3, 0x80, 1, 0x11];
        let asked: [&[u8]; 2] = [&is_pin_typed, &make_a_key];
        // What it would see if something were: the PIN, typed by itself.
        let typed = [&[0, 0x20, 0, 0x80, 8][..], b"123456\xff\xff"].concat();
        assert_eq!(another_program(&[&typed, &is_pin_typed]), [0x9000, 0x9000]);
        let (mut token, key) = made(A);
        assert_eq!(another_program(&asked), [0x63c3, 0x6982]);
        sign(&mut *token, &key.public, &mut pins()).unwrap();
        assert_eq!(another_program(&asked), [0x63c3, 0x6982]);
        // Someone who comes in between loses nothing and breaks nothing.
        sign(&mut *token, &key.public, &mut pins()).unwrap();
    });
}

/// Two ways to a device map: the questions of `init`, and `tokens write` for a record that is there.
#[test]
fn a_device_map_names_yubikeys_by_serial() {
    cards::with("a_device_map_names_yubikeys_by_serial", &["12345678", "23456789"], |cards| {
        let keyrite = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
            command.current_dir(cards.dir()).args(arguments).output().unwrap()
        };
        let init = format!(
            "[answers]\nprofile = \"tuf\"\nstage = \"rehearsal\"\ncollection = \"apps\"\nadministrator = \"ada\"\n\
             root-holders = \"ada, bruno, cleo\"\nroot-threshold = \"2\"\nalgorithm = \"p256\"\n\
             token.root-a = \"yubikey\"\nserial.root-a = \"{B}\"\ntoken.root-b = \"yubikey\"\n\
             serial.root-b = \"{A}\"\ntoken.root-c = \"elsewhere\"\ntargets-holder = \"uma\"\n\
             token.targets-1 = \"elsewhere\"\nonline-keys = \"here\"\napplication = \"camera-station\"\n\
             developer = \"dana\"\nwitnesses = \"none\"\nconfirm = \"Yes\"\n"
        );
        std::fs::write(cards.dir().join("init.toml"), init).unwrap();
        let out = keyrite(&["init", "--answers", "init.toml", "--unattended", "trust"]);
        assert!(out.status.success(), "{out:?}");
        let map = std::fs::read_to_string(cards.dir().join("trust/devices.toml")).unwrap();
        for (key, serial) in [("root-a", B), ("root-b", A)] {
            let part = format!(
                "[key.{key}]\nuri = \"piv:serial={serial};slot=9c\"\npin = \"tty\"\nmax-payload = 3040\n"
            );
            assert!(map.contains(&part), "{part}{map}");
        }

        let answers =
            format!("[answers]\ntrust = \"same\"\nkeys.{A} = \"root-a, targets-1\"\nkeys.{B} = \"none\"\n");
        std::fs::write(cards.dir().join("answers.toml"), answers).unwrap();
        let write =
            ["-C", "trust", "tokens", "write", "own.toml", "--answers", "answers.toml", "--unattended"];
        let out = keyrite(&write);
        assert!(out.status.success(), "{out:?}");
        let map = std::fs::read_to_string(cards.dir().join("own.toml")).unwrap();
        assert_eq!(map.matches(&format!("uri = \"piv:serial={A};slot=9c\"")).count(), 2, "{map}");
        assert!(!map.contains(&B.to_string()), "{map}");
    });
}
