//! PKCS#11 tokens: SoftHSM for what works, the shim for what goes wrong, kryoptic for a PIN that
//! really locks. Needs `scripts/test-deps`; without it these tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod lab;
mod pins;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::{AuthPin, Ulong};
use keyrite::signer::backends::{ModulePin, Modules};
use keyrite::signer::uri::{KeyUri, Pkcs11Uri};
use keyrite::signer::{self, Generated, KeyTag, PinKind, Token, TokenKind, Tries};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::verify::Signature;
use lab::{Lab, alone, calls, dir, module, stage};
use pins::Pins;
use std::fs;

const PIN: &str = "12345678";
const OFFICER: &str = "87654321";

fn pins() -> Pins {
    Pins::new(PIN, OFFICER)
}

fn payload() -> Payload {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
}

fn tag(label: &str, id: u8) -> KeyTag {
    KeyTag { label: label.into(), id: [id; 16], place: None }
}

/// The blank token, given a label and PINs.
fn prepared(modules: &Modules, label: &str) -> Box<dyn Token> {
    let listing = modules.list(&[module()]);
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    let mut blank = listing.tokens.into_iter().find(|token| token.is_blank()).unwrap();
    blank.initialise(label, &mut pins()).unwrap();
    blank
}

fn uri(token: &dyn Token) -> KeyUri {
    let identity = token.identity();
    KeyUri::Pkcs11(Pkcs11Uri {
        token: Some(identity.label.clone()),
        serial: Some(identity.serial.clone()),
        ..Pkcs11Uri::default()
    })
}

/// The token of that label, as a later process finds it: by what is on record.
fn found(modules: &Modules, label: &str) -> Box<dyn Token> {
    let listing = modules.list(&[module()]);
    listing.tokens.into_iter().find(|token| token.identity().label == label).unwrap()
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

#[test]
fn keys_of_every_kind_are_made_and_sign() {
    alone("keys_of_every_kind_are_made_and_sign", &[], || {
        let modules = Modules::new();
        let mut token = prepared(&modules, "root-a");
        assert_eq!(token.identity().kind, TokenKind::Pkcs11);
        assert_eq!(token.identity().label, "root-a");
        assert_eq!(token.identity().firmware, "2.6");
        let mut pins = pins();
        let mut made: Vec<(KeySpec, Generated)> = Vec::new();
        for (n, spec) in (1..).zip(KeySpec::ALL) {
            let key = token.generate(spec, &tag(spec.name(), n), &mut pins).unwrap();
            assert!(spec.fits(&key.public));
            let said = &key.evidence.attributes;
            for (name, word) in [
                ("local", "yes"),
                ("sensitive", "yes"),
                ("always-sensitive", "yes"),
                ("extractable", "no"),
                ("never-extractable", "yes"),
                ("private", "yes"),
                ("sign", "yes"),
                ("decrypt", "no"),
                ("unwrap", "no"),
                ("derive", "no"),
            ] {
                assert_eq!(said[name], word, "{spec} {name}");
            }
            assert!(said["key-gen-mechanism"].contains("KEY_PAIR_GEN"), "{said:?}");
            let (name, sha256) = key.evidence.module.clone().unwrap();
            assert_eq!(name, "libsofthsm2.so");
            assert_eq!(sha256, Digest::of(&fs::read(module().path).unwrap()).hex());
            let signature = sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!(signature.key(), key.public.identity());
            made.push((spec, key));
        }
        assert_eq!(pins.asked.len(), 1, "one login for it all");
        assert_eq!(token.longest_message(), Some(usize::MAX));

        // P-384 also signs as `notary` has it.
        let public = &made.iter().find(|(spec, _)| *spec == KeySpec::EcdsaP384).unwrap().1.public;
        let mut signer = token.open(public, &mut pins).unwrap();
        signer::sign(&mut *signer, public, Scheme::EcdsaP384Sha256, &payload(), &mut pins).unwrap();
        let other = signer::sign(&mut *signer, public, Scheme::EcdsaP256Sha256, &payload(), &mut pins);
        assert_eq!(rule(other), "TOKEN-CANNOT");
        let stranger = &made[0].1.public;
        let other = signer::sign(&mut *signer, stranger, Scheme::EcdsaP256Sha256, &payload(), &mut pins);
        assert_eq!(rule(other), "KEY-NOT-ON-TOKEN");
        assert_eq!(signer.max_payload(Scheme::EcdsaP384Sha384), Some(usize::MAX));
        drop(signer);

        // Another look, without a PIN, shows them all.
        let mut again = modules.open(&uri(&*token), Some(&module())).unwrap();
        let keys = again.keys(&mut pins).unwrap();
        assert_eq!(keys.len(), made.len());
        for (spec, key) in &made {
            let listed = keys.iter().find(|k| k.label == spec.name()).unwrap();
            assert_eq!(listed.public.as_ref(), Some(&key.public));
            assert_eq!(again.evidence(&key.public, &mut pins).unwrap(), key.evidence);
        }
        assert_eq!(pins.asked.len(), 1);

        // And destroying one leaves the others.
        let gone = &made[0].1.public;
        again.destroy(gone, &mut pins).unwrap();
        assert_eq!(again.keys(&mut pins).unwrap().len(), made.len() - 1);
        assert_eq!(rule(again.open(gone, &mut pins)), "KEY-NOT-ON-TOKEN");
        sign(&mut *again, &made[1].1.public, &mut pins).unwrap();
    });
}

#[test]
fn only_a_blank_token_is_initialised() {
    alone("only_a_blank_token_is_initialised", &[], || {
        let modules = Modules::new();
        let listing = modules.list(&[module()]);
        let mut blank = listing.tokens.into_iter().next().unwrap();
        assert!(blank.is_blank() && blank.keys(&mut pins()).unwrap().is_empty());
        for label in ["", " root-a", "a label that is much too long for it", "root\u{202e}a"] {
            let name = rule(blank.initialise(label, &mut pins()));
            assert!(name == "TOKEN-LABEL" || name == "TEXT", "{label}: {name}");
        }
        assert_eq!(rule(blank.initialise("root-a", &mut Pins::new("123", OFFICER))), "PIN-LENGTH");
        assert!(blank.is_blank());
        let mut asked = pins();
        blank.initialise("root-a", &mut asked).unwrap();
        let kinds: Vec<PinKind> = asked.asked.iter().map(|ask| ask.secret).collect();
        assert_eq!(kinds, [PinKind::NewSecurityOfficer, PinKind::NewUser]);
        assert!(!blank.is_blank());
        assert_eq!(rule(blank.initialise("root-a", &mut pins())), "TOKEN-NOT-BLANK");
        assert_eq!(rule(blank.initialise("root-b", &mut pins())), "TOKEN-NOT-BLANK");
        blank.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins()).unwrap();
    });
}

/// A token that got its label, but no user PIN before the power went, is finished, never wiped.
#[test]
fn initialising_goes_on_where_it_was_cut_off() {
    alone("initialising_goes_on_where_it_was_cut_off", &[], || {
        let context = Pkcs11::new(module().path).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = context.get_slots_with_token().unwrap()[0];
        context.init_token(slot, &AuthPin::from(OFFICER), "root-a").unwrap();
        context.finalize().unwrap();

        let modules = Modules::new();
        let mut token = found(&modules, "root-a");
        let early = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins());
        assert_eq!(rule(early), "TOKEN-FAILED");
        assert_eq!(rule(token.initialise("root-b", &mut pins())), "TOKEN-NOT-BLANK");
        let mut asked = pins();
        token.initialise("root-a", &mut asked).unwrap();
        assert_eq!(asked.asked[0].secret, PinKind::SecurityOfficer);
        token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins()).unwrap();
    });
}

#[test]
fn a_token_is_found_by_label_and_serial() {
    alone("a_token_is_found_by_label_and_serial", &[], || {
        let modules = Modules::new();
        let a = prepared(&modules, "root-a");
        let b = prepared(&modules, "root-b");
        let open = |text: String| modules.open(&text.parse().unwrap(), Some(&module()));
        let (serial_a, serial_b) = (a.identity().serial.clone(), b.identity().serial.clone());
        assert_eq!(rule(open(format!("pkcs11:token=root-a;serial={serial_a};object=x"))), "ok");
        assert_eq!(rule(open(format!("pkcs11:token=root-a;serial={serial_b}"))), "TOKEN-SERIAL");
        assert_eq!(rule(open(format!("pkcs11:token=root-c;serial={serial_b}"))), "TOKEN-MISSING");
        assert_eq!(rule(open(format!("pkcs11:token=root-a;serial={serial_a};model=other"))), "TOKEN-MISSING");
        assert_eq!(rule(open("pkcs11:token=root-a".into())), "URI-TOKEN");
        assert_eq!(rule(open(format!("pkcs11:serial={serial_a}"))), "URI-TOKEN");
        assert_eq!(rule(modules.open(&uri(&*a), None)), "MODULE");
    });
}

#[test]
fn two_tokens_of_one_label_and_serial_are_told_apart_by_nobody() {
    let test = "two_tokens_of_one_label_and_serial_are_told_apart_by_nobody";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("open", &["serial=0001"]);
        }
        Some("prepare") => {
            let modules = Modules::new();
            drop((prepared(&modules, "root-a"), prepared(&modules, "root-a")));
        }
        Some(_) => {
            let uri = "pkcs11:token=root-a;serial=0001".parse().unwrap();
            assert_eq!(rule(Modules::new().open(&uri, Some(&module()))), "TOKEN-AMBIGUOUS");
        }
    }
}

#[test]
fn several_tokens_work_in_one_process() {
    alone("several_tokens_work_in_one_process", &[], || {
        let modules = Modules::new();
        let mut tokens = [prepared(&modules, "root-a"), prepared(&modules, "root-b")];
        let mut pins = pins();
        let keys: Vec<PublicKey> = tokens
            .iter_mut()
            .map(|token| token.generate(KeySpec::EcdsaP256, &tag("root", 1), &mut pins).unwrap().public)
            .collect();
        assert_eq!(pins.asked.len(), 2, "each token asks once");
        for (token, key) in tokens.iter_mut().zip(&keys) {
            sign(&mut **token, key, &mut pins).unwrap();
        }
        assert_eq!(rule(tokens[0].open(&keys[1], &mut pins)), "KEY-NOT-ON-TOKEN");
        assert_eq!(pins.asked.len(), 2);
    });
}

#[test]
fn a_wrong_pin_is_never_tried_again() {
    let test = "a_wrong_pin_is_never_tried_again";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("wrong", &["only=nobody"]);
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some(_) => {
            let modules = Modules::new();
            let mut token = found(&modules, "root-a");
            let mut wrong = Pins::new("00000000", "");
            let refusal = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut wrong).err().unwrap();
            assert_eq!(refusal.rule().name, "PIN-WRONG");
            assert!(!refusal.to_string().contains("00000000"));
            assert_eq!((wrong.asked.len(), calls("C_Login")), (1, 1));
            assert_eq!(wrong.asked[0].tries, Tries::Full);
            assert_eq!(wrong.asked[0].key.as_deref(), Some("root-a"));
            let mut pins = pins();
            token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap();
            assert_eq!(pins.asked[0].tries, Tries::Low, "the person sees that one was wrong");
        }
    }
}

#[test]
fn its_holder_changes_the_pin() {
    let test = "its_holder_changes_the_pin";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("change", &["only=nobody"]);
            lab.run("after", &[]);
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some("change") => {
            let mut token = found(&Modules::new(), "root-a");
            assert_eq!(
                rule(token.change_pin(&mut Pins::new("00000000", "").and_new("16180339"))),
                "PIN-WRONG"
            );
            assert_eq!(rule(token.change_pin(&mut pins().and_new("123"))), "PIN-LENGTH");
            let mut asked = pins().and_new("16180339");
            token.change_pin(&mut asked).unwrap();
            let asked: Vec<_> = asked.asked.iter().map(|ask| ask.secret).collect();
            assert_eq!(asked, [PinKind::User, PinKind::NewUser]);
        }
        Some(_) => {
            let mut token = found(&Modules::new(), "root-a");
            let old = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins());
            assert_eq!(rule(old), "PIN-WRONG");
            let mut now = Pins::new("16180339", OFFICER);
            token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut now).unwrap();
            // Nobody vouches for a key that is there already.
            assert_eq!(rule(token.take()), "TOKEN-CANNOT");
        }
    }
}

/// The last try is the person's to use: the pins of these tests never agree to it.
#[test]
fn the_last_try_and_a_locked_pin() {
    let test = "the_last_try_and_a_locked_pin";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("PIN-LAST-TRY", &["final-try=1", "count-low=1"]);
            lab.run("PIN-LOCKED", &["pin-locked=1"]);
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some(name) => {
            let mut token = found(&Modules::new(), "root-a");
            let mut pins = pins();
            assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins)), name);
            assert_eq!(calls("C_Login"), 0, "no try was used");
            let (tries, asked) = if name == "PIN-LOCKED" { (Tries::Locked, 0) } else { (Tries::Last, 1) };
            assert_eq!((token.tries().unwrap(), pins.asked.len()), (tries, asked));
        }
    }
}

#[test]
fn a_pin_pad_is_typed_on_and_nothing_is_asked() {
    let test = "a_pin_pad_is_typed_on_and_nothing_is_asked";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("pad", &["pin-pad=12345678"]);
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some(_) => {
            let modules = Modules::new();
            let mut token = found(&modules, "root-a");
            assert!(token.pin_pad());
            let mut pins = Pins::default();
            let key = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap();
            sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!((pins.pads.len(), pins.asked.len()), (1, 0));
            let mut blank = modules.list(&[module()]).tokens.into_iter().find(|t| t.is_blank()).unwrap();
            assert_eq!(rule(blank.initialise("root-b", &mut pins)), "TOKEN-CANNOT");
        }
    }
}

#[test]
fn labels_and_ids_are_used_once() {
    alone("labels_and_ids_are_used_once", &[], || {
        let modules = Modules::new();
        let mut token = prepared(&modules, "root-a");
        let mut pins = pins();
        assert!(token.adopt(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap().is_none());
        let key = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap();
        for taken in [tag("root-a", 2), tag("root-b", 1), tag("root-a", 1)] {
            assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &taken, &mut pins)), "LABEL-IN-USE");
        }
        assert_eq!(token.adopt(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap(), Some(key));
        assert!(token.adopt(KeySpec::EcdsaP256, &tag("root-a", 2), &mut pins).unwrap().is_none());
        assert!(token.adopt(KeySpec::EcdsaP256, &tag("root-b", 1), &mut pins).unwrap().is_none());
        assert_eq!(rule(token.adopt(KeySpec::Ed25519, &tag("root-a", 1), &mut pins)), "KEY-ADOPT");
    });
}

/// A power cut before or after the token made the key (threats T21): one key in the end.
#[test]
fn a_key_made_just_before_a_power_cut_is_adopted() {
    let test = "a_key_made_just_before_a_power_cut_is_adopted";
    match stage().as_deref() {
        None => {
            for knob in ["kill-after-generate=1", "kill-before-generate=1"] {
                let lab = Lab::new(test);
                lab.run("prepare", &[]);
                lab.run_killed("generate", &[knob]);
                lab.run(if knob.contains("after") { "adopt" } else { "again" }, &[]);
            }
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some("generate") => {
            let mut token = found(&Modules::new(), "root-a");
            drop(token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins()));
        }
        Some(how) => {
            let modules = Modules::new();
            let mut token = found(&modules, "root-a");
            let mut pins = pins();
            let adopted = token.adopt(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap();
            assert_eq!(adopted.is_some(), how == "adopt");
            let key = match adopted {
                Some(key) => key,
                None => token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins).unwrap(),
            };
            sign(&mut *token, &key.public, &mut pins).unwrap();
            assert_eq!(token.keys(&mut pins).unwrap().len(), 1);
        }
    }
}

#[test]
fn a_key_that_is_badly_kept_is_refused() {
    let test = "a_key_that_is_badly_kept_is_refused";
    match stage().as_deref() {
        None => {
            for (knob, said) in [
                ("weak=extractable", "extractable = yes"),
                ("weak=not-local", "local = no"),
                ("weak=not-sensitive", "sensitive = no"),
            ] {
                let lab = Lab::new(test);
                lab.run("prepare", &[]);
                lab.run(said, &[knob]);
            }
        }
        Some("prepare") => drop(prepared(&Modules::new(), "root-a")),
        Some(said) => {
            let modules = Modules::new();
            let mut token = found(&modules, "root-a");
            let refusal = token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins()).err().unwrap();
            assert_eq!(refusal.rule().name, "TOKEN-WEAK");
            assert!(refusal.found().contains(said), "{refusal}");
            // Nor is it let in as a key left by a power cut.
            assert_eq!(rule(token.adopt(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins())), "TOKEN-WEAK");
        }
    }
}

#[test]
fn faults_while_signing() {
    let test = "faults_while_signing";
    match stage().as_deref() {
        None => {
            let lab = Lab::new(test);
            lab.run("prepare", &[]);
            lab.run("corrupt", &["corrupt=1"]);
            lab.run("error", &["sign-fail=0x30:1"]);
            lab.run("pulled", &["sign-fail=0x32:1"]);
            lab.run("gone", &["removed-after-sign=1"]);
        }
        Some("prepare") => {
            let mut token = prepared(&Modules::new(), "root-a");
            token.generate(KeySpec::EcdsaP256, &tag("root-a", 1), &mut pins()).unwrap();
        }
        Some(fault) => {
            let modules = Modules::new();
            let mut token = found(&modules, "root-a");
            let mut pins = pins();
            let key = token.keys(&mut pins).unwrap().pop().unwrap().public.unwrap();
            // What the first and the second signature of one opened key come to, and how often
            // the PIN was asked for.
            let (first, second, asked) = match fault {
                "corrupt" => ("SIGNATURE-WRONG", "ok", 1),
                // The operation that failed stays open in its session, so another is needed, and
                // the login stands.
                "error" => ("TOKEN-FAILED", "ok", 1),
                "pulled" => ("TOKEN-REMOVED", "ok", 2),
                _ => ("ok", "TOKEN-REMOVED", 1),
            };
            let mut signer = token.open(&key, &mut pins).unwrap();
            let scheme = Scheme::EcdsaP256Sha256;
            assert_eq!(rule(signer::sign(&mut *signer, &key, scheme, &payload(), &mut pins)), first);
            assert_eq!(rule(signer::sign(&mut *signer, &key, scheme, &payload(), &mut pins)), second);
            assert_eq!(pins.asked.len(), asked);
            drop(signer);
            if fault == "gone" {
                assert_eq!(rule(token.open(&key, &mut pins)), "TOKEN-REMOVED");
                assert_eq!(rule(token.tries()), "TOKEN-REMOVED");
                assert_eq!(rule(modules.open(&uri(&*token), Some(&module()))), "TOKEN-MISSING");
                // Slots that don't answer are told of and hide nothing.
                let listing = modules.list(&[module()]);
                assert!(listing.tokens.is_empty() && !listing.problems.is_empty());
            }
        }
    }
}

/// PIV's slot 9c and its like: the PIN for every signature (`CKA_ALWAYS_AUTHENTICATE`).
#[test]
fn a_key_that_wants_the_pin_each_time_gets_it() {
    alone("a_key_that_wants_the_pin_each_time_gets_it", &[], || {
        drop(prepared(&Modules::new(), "card"));
        let context = Pkcs11::new(module().path).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slots = context.get_slots_with_token().unwrap();
        let card = |s: &&cryptoki::slot::Slot| context.get_token_info(**s).unwrap().label() == "card";
        let session = context.open_rw_session(*slots.iter().find(card).unwrap()).unwrap();
        session.login(UserType::User, Some(&AuthPin::from(PIN))).unwrap();
        let id = Attribute::Id(vec![2]);
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::ModulusBits(Ulong::new(3072)),
            Attribute::PublicExponent(vec![1, 0, 1]),
            id.clone(),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::AlwaysAuthenticate(true),
            id,
        ];
        session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).unwrap();
        drop(session);
        context.finalize().unwrap();

        let modules = Modules::new();
        let mut token = found(&modules, "card");
        let mut pins = pins();
        let key = token.keys(&mut pins).unwrap().pop().unwrap().public.unwrap();
        sign(&mut *token, &key, &mut pins).unwrap();
        sign(&mut *token, &key, &mut pins).unwrap();
        assert_eq!(pins.asked.len(), 3, "to log in, and for each signature");
        assert_eq!(token.evidence(&key, &mut pins).unwrap().attributes["always-authenticate"], "yes");
    });
}

#[test]
fn a_module_is_the_file_that_was_pinned() {
    alone("a_module_is_the_file_that_was_pinned", &[], || {
        let bytes = fs::read(module().path).unwrap();
        let right = Digest::of(&bytes);
        let pinned = |sha256| ModulePin { sha256: Some(sha256), ..module() };
        let modules = Modules::new();
        let mut changed = bytes;
        *changed.last_mut().unwrap() ^= 1;
        let copy = dir().join("changed.so");
        fs::write(&copy, &changed).unwrap();
        assert_eq!(rule(modules.load(&ModulePin { path: copy, sha256: Some(right) })), "MODULE-PIN");
        assert_eq!(rule(modules.load(&pinned(Digest::of(b"other")))), "MODULE-PIN");
        assert_eq!(modules.load(&pinned(right)).unwrap(), right);
        // Loaded once; the pin is looked at each time all the same.
        assert_eq!(modules.load(&module()).unwrap(), right);
        assert_eq!(rule(modules.load(&pinned(Digest::of(b"other")))), "MODULE-PIN");
        let listing = modules.list(&[pinned(Digest::of(b"other")), pinned(right)]);
        assert_eq!((listing.tokens.len(), listing.problems.len()), (1, 1));

        let text = dir().join("text.so");
        fs::write(&text, "no library").unwrap();
        assert_eq!(rule(modules.load(&ModulePin { path: text, sha256: None })), "MODULE");
        assert_eq!(rule(modules.load(&ModulePin { path: "/no/such.so".into(), sha256: None })), "MODULE");
        let other = ModulePin { path: "/lib/x86_64-linux-gnu/libc.so.6".into(), sha256: None };
        assert_eq!(rule(modules.load(&other)), "MODULE");
    });
}

/// The second software token: everything again, and a PIN that locks after ten wrong ones, of which
/// keyrite uses nine.
#[test]
fn kryoptic_works_and_its_pin_is_not_locked() {
    if stage().is_none() {
        return Lab::new("kryoptic_works_and_its_pin_is_not_locked").run_kryoptic("all");
    }
    let modules = Modules::new();
    let mut token = prepared(&modules, "root-k");
    let mut first = pins();
    let specs = [KeySpec::EcdsaP256, KeySpec::EcdsaP384, KeySpec::Rsa3072];
    for (n, spec) in (1..).zip(specs) {
        let key = token.generate(spec, &tag(spec.name(), n), &mut first).unwrap();
        assert!(spec.fits(&key.public));
        assert_eq!(key.evidence.attributes["extractable"], "no");
        sign(&mut *token, &key.public, &mut first).unwrap();
    }
    assert_eq!(token.keys(&mut first).unwrap().len(), specs.len());
    assert_eq!(token.longest_message(), Some(1_000_000));
    let ed25519 = token.generate(KeySpec::Ed25519, &tag("ed25519", 9), &mut first);
    assert_eq!(rule(ed25519), "TOKEN-CANNOT");

    let mut other = prepared(&modules, "root-l");
    let mut wrong = Pins::new("00000000", "");
    let mut names = Vec::new();
    for _ in 0..12 {
        names.push(rule(other.generate(KeySpec::EcdsaP256, &tag("x", 1), &mut wrong)));
    }
    assert_eq!(wrong.asked[0].tries, Tries::Full, "known by what it says of itself");
    let (tried, held) = names.split_at(9);
    assert!(tried.iter().all(|name| *name == "PIN-WRONG"), "{names:?}");
    assert!(held.iter().all(|name| *name == "PIN-LAST-TRY"), "{names:?}");
    assert_eq!(other.tries().unwrap(), Tries::Last);
}
