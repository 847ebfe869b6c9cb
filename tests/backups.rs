//! Keys that leave one token wrapped and come back on another, on SoftHSM and kryoptic. Needs
//! `scripts/test-deps`; without it these tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "no faults are played here")]
mod lab;
#[allow(dead_code, reason = "no phrase is changed here")]
mod pins;

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use keyrite::signer::backends::Modules;
use keyrite::signer::secret::WrapSecret;
use keyrite::signer::{self, KeyTag, Restored, Token, WrapForm, WrappedKey};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::verify::Signature;
use lab::{Lab, alone, module, stage};
use pins::Pins;
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

fn pins() -> Pins {
    Pins::new("12345678", "87654321")
}

fn secret(byte: u8) -> WrapSecret {
    WrapSecret::new(Zeroizing::new([byte; 32]))
}

fn tag(label: &str, id: u8) -> KeyTag {
    KeyTag { label: label.into(), id: [id; 16], place: None }
}

/// The blank token, given a label and PINs.
fn prepared(modules: &Modules, label: &str) -> Box<dyn Token> {
    let mut blank = modules.list(&[module()]).tokens.into_iter().find(|token| token.is_blank()).unwrap();
    blank.initialise(label, &mut pins()).unwrap();
    blank
}

fn sign(token: &mut dyn Token, public: &PublicKey) -> Result<Signature> {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    let payload = Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap());
    let mut signer = token.open(public, &mut pins())?;
    signer::sign(&mut *signer, public, Scheme::of(public.algorithm()), &payload, &mut pins())
}

fn rule<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(refusal) => refusal.rule().name,
    }
}

#[test]
fn a_key_leaves_wrapped_and_comes_back_on_another_token() {
    alone("a_key_leaves_wrapped_and_comes_back_on_another_token", &[], || {
        let modules = Modules::new();
        let mut pins = pins();
        let mut first = prepared(&modules, "first");
        let under = tag("wrap-1", 0xee);
        let random = first.backups().unwrap().random(&mut pins).unwrap();
        assert_ne!(*random, *first.backups().unwrap().random(&mut pins).unwrap());
        for (n, spec) in [(1, KeySpec::EcdsaP256), (2, KeySpec::EcdsaP384), (3, KeySpec::Rsa3072)] {
            let own = tag(spec.name(), n);
            let backups = first.backups().unwrap();
            let made = backups.generate_exportable(spec, &own, &under, &mut pins).unwrap();
            for (name, word) in [
                ("local", "yes"),
                ("sensitive", "yes"),
                ("always-sensitive", "yes"),
                ("extractable", "yes"),
                ("never-extractable", "no"),
            ] {
                assert_eq!(made.evidence.attributes[name], word, "{spec} {name}");
            }
            let again = backups.adopt_exportable(spec, &own, &under, &mut pins).unwrap().unwrap();
            assert_eq!(again, made);
            assert_eq!(rule(backups.export(&made.public, &under, &mut pins)), "WRAP-KEY");
            backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
            assert!(backups.holds_wrap_key(&under, &mut pins).unwrap());
            assert!(backups.exportable(&made.public, &under, &mut pins).unwrap());
            assert_eq!(rule(backups.put_wrap_key(&secret(7), &under, &mut pins)), "LABEL-IN-USE");
            let wrapped = backups.export(&made.public, &under, &mut pins).unwrap();
            assert_eq!(wrapped.form, WrapForm::AesKeyWrapPad);
            assert!(wrapped.bytes.len() <= WrappedKey::LONGEST);
            backups.remove_wrap_key(&under, &mut pins).unwrap();
            assert!(!backups.holds_wrap_key(&under, &mut pins).unwrap());
            assert_eq!(rule(first.adopt(spec, &own, &mut pins)), "TOKEN-WEAK", "such a key is no other's");

            // Anyone who has the wrap key opens it, by RFC 5649.
            let kek = AesKek::new(&AES_256, &[7; 32]).unwrap();
            let mut plain = vec![0; wrapped.bytes.len()];
            let pkcs8 = kek.unwrap_with_padding(&wrapped.bytes, &mut plain).unwrap();
            assert_eq!(pkcs8[0], 0x30, "PKCS#8");

            let mut second = prepared(&modules, &format!("second-{n}"));
            let place = tag("restored", n);
            let backups = second.backups().unwrap();
            let restore = |backups: &mut dyn signer::Backups, wrapped: &WrappedKey| {
                backups.restore(wrapped, &made.public, &place, &under, &mut Pins::new("12345678", "87654321"))
            };
            assert_eq!(rule(restore(backups, &wrapped)), "WRAP-KEY");
            // Another wrap key, one bit of the file, another form.
            backups.put_wrap_key(&secret(8), &under, &mut pins).unwrap();
            assert_eq!(rule(restore(backups, &wrapped)), "WRAP-REFUSED");
            // It went with the session in which that failed.
            assert!(!backups.holds_wrap_key(&under, &mut pins).unwrap());
            backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
            let mut bent = wrapped.clone();
            bent.bytes[20] ^= 1;
            assert_eq!(rule(restore(backups, &bent)), "WRAP-REFUSED");
            backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
            let other = WrappedKey { form: WrapForm::YubiHsmCcm, bytes: wrapped.bytes.clone() };
            assert_eq!(rule(restore(backups, &other)), "WRAP-REFUSED");
            let Restored { made: back, opened } = restore(backups, &wrapped).unwrap();
            assert!(opened);
            assert_eq!(back.public, made.public);
            assert_eq!(back.evidence.attributes["local"], "no", "honestly");
            assert_eq!(back.evidence.attributes["extractable"], "no", "backed up already");
            // Found again after a cut, which proves nothing of the wrap key: bent bytes are not looked at.
            let found = Restored { made: back.clone(), opened: false };
            assert_eq!(restore(backups, &bent).unwrap(), found);
            assert_eq!(rule(backups.export(&back.public, &under, &mut pins)), "WRAP-REFUSED");
            let signature = sign(&mut *second, &back.public).unwrap();
            assert_eq!(signature.key(), made.public.identity());
        }
        // Under the name of another key: what comes back can't sign as that one.
        let strange = first.generate(KeySpec::EcdsaP256, &tag("strange", 9), &mut pins).unwrap().public;
        let backups = first.backups().unwrap();
        assert!(!backups.exportable(&strange, &under, &mut pins).unwrap());
        backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
        assert_eq!(rule(backups.export(&strange, &under, &mut pins)), "WRAP-REFUSED");
        let spec = KeySpec::EcdsaP256;
        let own = backups.adopt_exportable(spec, &tag(spec.name(), 1), &under, &mut pins).unwrap().unwrap();
        let wrapped = backups.export(&own.public, &under, &mut pins).unwrap();
        let mut third = prepared(&modules, "third");
        let backups = third.backups().unwrap();
        backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
        let swapped = backups.restore(&wrapped, &strange, &tag("swapped", 1), &under, &mut pins);
        assert_eq!(rule(swapped), "ok", "the token can't tell");
        assert_eq!(rule(sign(&mut *third, &strange)), "SIGNATURE-WRONG");
        let again =
            third.backups().unwrap().restore(&wrapped, &own.public, &tag("swapped", 1), &under, &mut pins);
        assert_eq!(rule(again), "WRAP-PUBLIC");
        // What was refused is gone, and the next try brings back the right one.
        assert!(third.keys(&mut pins).unwrap().is_empty());
        let backups = third.backups().unwrap();
        let back =
            backups.restore(&wrapped, &own.public, &tag("swapped", 1), &under, &mut pins).unwrap().made;
        assert_eq!(sign(&mut *third, &back.public).unwrap().key(), own.public.identity());
    });
}

/// Cut off when the private half was there and the public one was not: found, and made whole. Cut off
/// while what was refused was being destroyed: the public half that is left is in nobody's way.
#[test]
fn a_key_without_one_of_its_halves_is_gone_on_with() {
    let under = tag("wrap-1", 0xee);
    let Some(stage) = stage() else {
        let name = "a_key_without_one_of_its_halves_is_gone_on_with";
        let lab = Lab::new(name);
        let tokens = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{name}/tokens"));
        for (stage, public_goes) in [("made", true), ("again", false), ("anew", false)] {
            lab.run(stage, &[]);
            // A token's objects are files, and in the clear stands the label of a public half alone.
            let named = |path: &PathBuf| fs::read(path).unwrap().windows(8).any(|at| at == b"restored");
            let files = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
            let spare = files(tokens.clone()).find(|token| files(token.clone()).any(|path| named(&path)));
            let halves = files(spare.unwrap()).filter(|path| {
                path.extension().is_some_and(|e| e == "object") && !path.ends_with("token.object")
            });
            let (public, private): (Vec<_>, Vec<_>) = halves.partition(named);
            assert_eq!((public.len(), private.len()), (1, 1), "after {stage}");
            fs::remove_file(if public_goes { &public[0] } else { &private[0] }).unwrap();
        }
        return;
    };
    let modules = Modules::new();
    let mut pins = pins();
    if stage == "made" {
        let mut first = prepared(&modules, "first");
        let backups = first.backups().unwrap();
        let spec = KeySpec::EcdsaP256;
        let made = backups.generate_exportable(spec, &tag("own", 1), &under, &mut pins).unwrap();
        backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
        let wrapped = backups.export(&made.public, &under, &mut pins).unwrap();
        fs::write(lab::dir().join("wrapped"), &wrapped.bytes).unwrap();
        fs::write(lab::dir().join("public"), made.public.spki_der()).unwrap();
        prepared(&modules, "spare");
    }
    let read = |name: &str| fs::read(lab::dir().join(name)).unwrap();
    let wrapped = WrappedKey { form: WrapForm::AesKeyWrapPad, bytes: read("wrapped") };
    let public = PublicKey::from_spki_der(&read("public")).unwrap();
    let tokens = modules.list(&[module()]).tokens;
    let mut token = tokens.into_iter().find(|token| token.identity().label == "spare").unwrap();
    let backups = token.backups().unwrap();
    backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
    let back = backups.restore(&wrapped, &public, &tag("restored", 2), &under, &mut pins).unwrap().made;
    assert_eq!(sign(&mut *token, &back.public).unwrap().key(), public.identity(), "{stage}");
}

/// `SoftHSM` has no way to wrap Ed25519: that is said before anyone relies on it.
#[test]
fn what_a_module_cannot_wrap_is_refused_by_name() {
    alone("what_a_module_cannot_wrap_is_refused_by_name", &[], || {
        let modules = Modules::new();
        let mut pins = pins();
        let mut token = prepared(&modules, "ed");
        let under = tag("wrap-1", 0xee);
        let made =
            token.backups().unwrap().generate_exportable(KeySpec::Ed25519, &tag("e", 1), &under, &mut pins);
        assert_eq!(rule(made), "TOKEN-CANNOT");
        assert!(token.keys(&mut pins).unwrap().is_empty(), "and none is left");
    });
}

/// Another module, another set of mechanisms.
#[test]
fn kryoptic_says_what_it_can() {
    if stage().is_none() {
        return Lab::new("kryoptic_says_what_it_can").run_kryoptic("all");
    }
    let modules = Modules::new();
    let mut token = prepared(&modules, "k");
    let under = tag("wrap-1", 0xee);
    let made =
        token.backups().unwrap().generate_exportable(KeySpec::EcdsaP256, &tag("k", 1), &under, &mut pins());
    assert_eq!(rule(made), "TOKEN-CANNOT");
}
