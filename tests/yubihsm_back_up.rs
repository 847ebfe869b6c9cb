//! Feature `yubihsm`: keys that leave simulated YubiHSMs wrapped and come back on another, by the
//! library, and by the program at a terminal with cards dealt to three people.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod gathering;
mod hsms;
mod pins;
mod stage;

use gathering::hold;
use hsms::Hsm;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::backends::Modules;
use keyrite::signer::secret::WrapSecret;
use keyrite::signer::{self, Backups, KeyTag, Restored, Token, WrapForm, WrappedKey};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::verify::Signature;
use pins::Pins;
use stage::{Stage, utf8};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use zeroize::Zeroizing;

const SERIALS: [u32; 4] = [7_550_080, 7_550_081, 7_550_082, 7_550_083];
const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

fn pins() -> Pins {
    Pins::new(stage::PIN, "administers").and_duties("backs it up", "reads the log")
}

fn secret(byte: u8) -> WrapSecret {
    WrapSecret::new(Zeroizing::new([byte; 32]))
}

fn tag(label: &str, id: u8) -> KeyTag {
    KeyTag { label: label.into(), id: [id; 16], place: None }
}

fn opened(hsm: &Hsm) -> Box<dyn Token> {
    Modules::new().open(&hsm.uri().parse().unwrap(), None).unwrap()
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

/// How many objects of a kind are on a device: 3 is a key, 4 a wrap key.
fn count(hsm: &Hsm, kind: u8) -> usize {
    let state = hsm.state();
    state["objects"].as_array().unwrap().iter().filter(|object| object["kind"] == kind).count()
}

#[test]
fn a_key_leaves_wrapped_and_comes_back_on_another_device() {
    let dir = hsms::folder("back-up");
    let (a, b) = (Hsm::new(&dir, SERIALS[0]), Hsm::new(&dir, SERIALS[1]));
    let (mut first, mut second) = (opened(&a), opened(&b));
    let mut pins = pins();
    let under = tag("wrap-1", 0xee);
    for (n, spec) in [(1, KeySpec::EcdsaP256), (2, KeySpec::EcdsaP384), (3, KeySpec::Ed25519)] {
        let own = tag(spec.name(), n);
        let backups = first.backups().unwrap();
        let made = backups.generate_exportable(spec, &own, &under, &mut pins).unwrap();
        let random = backups.random(&mut pins).unwrap();
        assert_ne!(*random, *backups.random(&mut pins).unwrap());
        assert_eq!(made.evidence.attributes["local"], "yes");
        assert_eq!(
            backups.adopt_exportable(spec, &own, &under, &mut pins).unwrap().unwrap().public,
            made.public
        );
        assert_eq!(rule(backups.export(&made.public, &under, &mut pins)), "WRAP-KEY");
        backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
        assert!(backups.holds_wrap_key(&under, &mut pins).unwrap());
        assert!(backups.exportable(&made.public, &under, &mut pins).unwrap());
        assert_eq!(rule(backups.put_wrap_key(&secret(7), &under, &mut pins)), "LABEL-IN-USE");
        let wrapped = backups.export(&made.public, &under, &mut pins).unwrap();
        assert_eq!(wrapped.form, WrapForm::YubiHsmCcm);
        assert!(wrapped.bytes.len() <= WrappedKey::LONGEST);
        backups.remove_wrap_key(&under, &mut pins).unwrap();
        backups.remove_wrap_key(&under, &mut pins).unwrap();
        assert!(!backups.holds_wrap_key(&under, &mut pins).unwrap());
        assert_eq!(rule(first.adopt(spec, &own, &mut pins)), "TOKEN-WEAK", "such a key is no other's");

        let backups = second.backups().unwrap();
        let restore = |backups: &mut dyn Backups, wrapped: &WrappedKey| {
            backups.restore(wrapped, &made.public, &tag("restored", n), &under, &mut self::pins())
        };
        // The first time it is as from the factory, and is prepared.
        backups.remove_wrap_key(&under, &mut pins).unwrap();
        backups.put_wrap_key(&secret(8), &under, &mut pins).unwrap();
        assert_eq!(rule(restore(backups, &wrapped)), "WRAP-REFUSED");
        backups.remove_wrap_key(&under, &mut pins).unwrap();
        assert_eq!(rule(restore(backups, &wrapped)), "WRAP-KEY");
        backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
        let mut bent = wrapped.clone();
        bent.bytes[20] ^= 1;
        assert_eq!(rule(restore(backups, &bent)), "WRAP-REFUSED");
        let cut = WrappedKey { form: wrapped.form, bytes: wrapped.bytes[..9].to_vec() };
        assert_eq!(rule(restore(backups, &cut)), "WRAP-REFUSED");
        let other = WrappedKey { form: WrapForm::AesKeyWrapPad, bytes: wrapped.bytes.clone() };
        assert_eq!(rule(restore(backups, &other)), "WRAP-REFUSED");
        let Restored { made: back, opened } = restore(backups, &wrapped).unwrap();
        assert!(opened);
        assert_eq!((&back.public, back.evidence.attestation.is_none()), (&made.public, true));
        assert_eq!(back.evidence.attributes["local"], "no", "honestly");
        // Found again after a cut, which proves nothing of the wrap key: bent bytes are not looked at.
        let found = Restored { made: back.clone(), opened: false };
        assert_eq!(restore(backups, &bent).unwrap(), found);
        backups.remove_wrap_key(&under, &mut pins).unwrap();
        assert_eq!(sign(&mut *second, &back.public).unwrap().key(), made.public.identity());
        let held = second.audit_log().unwrap().inventory(&mut pins).unwrap();
        assert!(held.iter().all(|held| held.prepared || held.public.is_some()), "{held:?}");
        assert_eq!((count(&b, 3), count(&b, 4)), (usize::from(n), 0));
    }
    // What was not made to leave stays; under the name of another key nothing comes back; a number that
    // is taken stays taken.
    let strange = first.generate(KeySpec::EcdsaP256, &tag("strange", 9), &mut pins).unwrap().public;
    let backups = first.backups().unwrap();
    assert!(!backups.exportable(&strange, &under, &mut pins).unwrap());
    backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
    assert_eq!(rule(backups.export(&strange, &under, &mut pins)), "WRAP-REFUSED");
    let spec = KeySpec::EcdsaP256;
    let own = backups.adopt_exportable(spec, &tag(spec.name(), 1), &under, &mut pins).unwrap().unwrap();
    let wrapped = backups.export(&own.public, &under, &mut pins).unwrap();
    let third = Hsm::new(&dir, SERIALS[2]);
    let mut token = opened(&third);
    let backups = token.backups().unwrap();
    backups.put_wrap_key(&secret(7), &under, &mut pins).unwrap();
    let swapped = backups.restore(&wrapped, &strange, &tag("swapped", 1), &under, &mut pins);
    assert_eq!((rule(swapped), count(&third, 3)), ("WRAP-PUBLIC", 0));
    token.generate(spec, &tag("theirs", 1), &mut pins).unwrap();
    let backups = token.backups().unwrap();
    assert_eq!(rule(backups.restore(&wrapped, &own.public, &tag("t", 1), &under, &mut pins)), "LABEL-IN-USE");
}

/// What a stranger has wrapped under the very wrap key may be anything. A login or a wrap key that comes out
/// of a copy is deleted again, so is a key of theirs: none of them opens the device afterwards.
#[test]
fn what_comes_out_of_a_copy_and_is_no_key_of_the_record_does_not_stay() {
    let dir = hsms::folder("back-up-strange");
    let [theirs, ours, other] = [0, 1, 2].map(|at| Hsm::new(&dir, SERIALS[at]));
    let told = |hsm: &Hsm, act: &[&str]| {
        let output = hsm.other(1, "password", act);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let [wrap, same] = [&theirs, &other].map(|hsm| told(hsm, &["wrap", &"07".repeat(32)]));
    let login = told(&theirs, &["lend", &wrap]);
    // The wrap key does open it: elsewhere it goes in and stays.
    assert!(!told(&other, &["plant", &same, &login]).is_empty());
    // A key of the record, of which no copy is at hand.
    let mut token = opened(&theirs);
    let wanted = token.generate(KeySpec::EcdsaP256, &tag("t1", 1), &mut pins()).unwrap().public;

    let mut token = opened(&ours);
    let under = tag("wrap-1", 0xee);
    let backups = token.backups().unwrap();
    backups.put_wrap_key(&secret(7), &under, &mut pins()).unwrap();
    let before = ours.state()["objects"].clone();
    let bytes = base16ct::lower::decode_vec(&login).unwrap();
    let wrapped = WrappedKey { form: WrapForm::YubiHsmCcm, bytes };
    let came = backups.restore(&wrapped, &wanted, &tag("t1", 1), &under, &mut pins());
    assert_eq!(rule(came), "WRAP-PUBLIC");
    assert_eq!(ours.state()["objects"], before, "nothing of it is left");
}

/// A record, four devices, and the passwords of their duties in files.
fn room(name: &str) -> (Stage, Vec<Hsm>) {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    let stage = Stage::new(name, Profile::Tuf, Kind::Production, &limits);
    for (duty, password) in
        [("administrator", "administers"), ("backup", "backs it up"), ("auditor", "reads the log")]
    {
        let path = stage.write(&format!("pin-{duty}"), password);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // A medium, mounted before the session begins.
    std::fs::create_dir(stage.path("copies")).unwrap();
    let dir = hsms::folder(name);
    let hsms = SERIALS.map(|serial| Hsm::new(&dir, serial)).into();
    (stage, hsms)
}

/// A device map of keys on devices, and a folder for copies.
fn map(stage: &Stage, name: &str, keys: &[(&str, &Hsm)]) -> PathBuf {
    let devices = keys.iter().fold(stage.devices(), |map, (key, hsm)| map.on_yubihsm(key, &hsm.uri()));
    let text = std::fs::read_to_string(devices.write(name)).unwrap();
    stage.write(name, &format!("{text}\n[copies]\nfolder = \"copies\"\n"))
}

/// Keys on three devices; one device is lost, and its keys come back on the fourth by two of three cards.
#[test]
fn keys_of_a_lost_device_come_back_on_the_fourth() {
    let (stage, mut hsms) = room("yubihsm-back-up");
    let keys = [("t1", 0, "p256"), ("t2", 1, "p384"), ("t3", 2, "p256"), ("t4", 0, "ed25519")];
    let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
    for (key, _, algorithm) in keys {
        write!(text, "[[key]]\nname = \"{key}\"\nholder = \"uma\"\npurpose = \"targets\"\n").unwrap();
        write!(text, "algorithm = \"{algorithm}\"\nwrap-key = \"wrap-1\"\n").unwrap();
    }
    let on: Vec<_> = keys.iter().map(|(key, at, _)| (*key, &hsms[*at])).collect();
    let devices = map(&stage, "devices.toml", &on);
    stage.hold(&devices, &stage.write("1.toml", &text)).1.ended(0);

    let mut text = format!(
        "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of the tests\"\n\
         needed = 2\nholders = [\"bruno\", \"carol\", \"dana\"]\n"
    );
    for (key, ..) in keys {
        writeln!(text, "[[key]]\nname = \"{key}\"").unwrap();
    }
    // The device is cut off when the key has just left it: the next session gathers the cards.
    let back_up = stage.write("2.toml", &text);
    hsms[0].faults("after 4a\n");
    let made = hold(&stage, &devices, &back_up, &[]);
    assert_eq!((made.code == 0, made.cards.len()), (false, 3), "{}", made.text);
    hsms[0].restart();
    assert_eq!(count(&hsms[0], 4), 1, "the wrap key was left there");
    let cards = [made.cards[2].clone(), made.cards[0].clone()];
    let again = hold(&stage, &devices, &back_up, &cards);
    assert_eq!(again.code, 0, "{}", again.text);
    for hsm in &hsms[..3] {
        assert_eq!(count(hsm, 4), 0, "the wrap key is gone again");
    }

    // The first device is gone. A fresh one of its holder takes its place.
    hsms[0].stop();
    let on: Vec<_> = keys.iter().map(|(key, at, _)| (*key, &hsms[if *at == 0 { 3 } else { *at }])).collect();
    let spare = map(&stage, "spare.toml", &on);
    let lost = format!("lost-token = \"{:010}\"", SERIALS[0]);
    let digest = |start: &str, end: &str| {
        let mut files = std::fs::read_dir(stage.path("copies")).unwrap().map(|file| file.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let file = files.find(|path| name(path).starts_with(start) && name(path).ends_with(end)).unwrap();
        Digest::of(&std::fs::read(file).unwrap()).hex()[..16].to_owned()
    };
    let mut text = format!(
        "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\nshares = \"{}\"\n",
        digest("wrap-1.", ".shares.json")
    );
    for key in ["t1", "t4"] {
        let copy = digest(&format!("{key}."), ".copy.json");
        writeln!(text, "[[key]]\nname = \"{key}\"\n{lost}\ncopy = \"{copy}\"").unwrap();
    }
    let restore = stage.write("3.toml", &text);
    // It is cut off when a key has just come in.
    hsms[3].faults("after 4b\n");
    let cut = hold(&stage, &spare, &restore, &cards);
    assert_ne!(cut.code, 0, "{}", cut.text);
    assert!(cut.text.contains("Reset") && cut.text.contains(&format!("{:010}", SERIALS[3])), "{}", cut.text);
    hsms[3].restart();
    let back = hold(&stage, &spare, &restore, &cards);
    assert_eq!(back.code, 0, "{}", back.text);
    assert_eq!((count(&hsms[3], 3), count(&hsms[3], 4)), (2, 0));

    // There they sign as the keys that they were, beside those that never left.
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\", \"t3\", \"t4\"]\n");
    stage.hold(&spare, &stage.write("call.toml", &call)).1.ended(0);
    let report = stage.keyrite(["-C", utf8(&stage.record), "--json", "verify"]).json();
    assert_eq!(report["problems"], serde_json::json!([]), "{report}");
    // Each key left once, and every log is accounted for.
    for folder in std::fs::read_dir(stage.record.join("transcripts")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let entry: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            assert!(entry["act"] != "drain" || entry["outcome"]["unaccounted"] == 0, "{entry}");
        }
    }
    // Someone who has a wrap key and the backup's password takes a key out behind everyone's back.
    let mut token = opened(&hsms[1]);
    let public = token.keys(&mut pins()).unwrap()[0].public.clone().unwrap();
    let under = tag("theirs", 0xaa);
    let backups = token.backups().unwrap();
    backups.put_wrap_key(&secret(9), &under, &mut pins()).unwrap();
    backups.export(&public, &under, &mut pins()).unwrap();
    backups.remove_wrap_key(&under, &mut pins()).unwrap();
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t2\"]\n");
    let (_, told) = stage.hold(&spare, &stage.write("again.toml", &call));
    assert!(told.text().contains("LOG-SIGNATURES"), "{}", told.text());
}
