//! Feature `yubihsm`, on simulated YubiHSMs: prepared, making keys, attesting, signing, their logs
//! read, by the library and by the program itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hsms;
mod pins;
mod stage;

use hsms::Hsm;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::backends::Modules;
use keyrite::signer::{self, Generated, KeyTag, PinKind, Token, TokenKind};
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
use std::path::{Path, PathBuf};

const A: u32 = 7_550_054;
const B: u32 = 7_550_055;

fn pins() -> Pins {
    Pins::new("signs every day", "administers").and_duties("backs it up", "reads the log")
}

fn payload(letters: usize) -> Payload {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a".repeat(letters) };
    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
}

fn tag(id: u8) -> KeyTag {
    KeyTag { label: format!("root-{id}"), id: [id; 16], place: None }
}

fn opened(hsm: &Hsm) -> Result<Box<dyn Token>> {
    Modules::new().open(&hsm.uri().parse().unwrap(), None)
}

fn made(hsm: &Hsm) -> (Box<dyn Token>, Generated) {
    let mut token = opened(hsm).unwrap();
    let key = token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap();
    (token, key)
}

fn sign_of(token: &mut dyn Token, public: &PublicKey, pins: &mut Pins, letters: usize) -> Result<Signature> {
    let mut signer = token.open(public, pins)?;
    signer::sign(&mut *signer, public, Scheme::of(public.algorithm()), &payload(letters), pins)
}

fn sign(token: &mut dyn Token, public: &PublicKey, pins: &mut Pins) -> Result<Signature> {
    sign_of(token, public, pins, 1)
}

fn rule<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(refusal) => refusal.rule().name,
    }
}

#[test]
fn keys_of_every_kind_are_made_attested_and_sign() {
    let dir = hsms::folder("kinds");
    let hsm = Hsm::new(&dir, A);
    let mut token = opened(&hsm).unwrap();
    let identity = token.identity().clone();
    assert_eq!((identity.kind, identity.firmware.as_str()), (TokenKind::YubiHsm, "2.4.0"));
    assert_eq!((identity.label.as_str(), identity.serial.as_str()), ("", "0007550054"));
    let mut asked = pins();
    let specs = [KeySpec::EcdsaP256, KeySpec::EcdsaP384, KeySpec::Ed25519];
    let mut keys = Vec::new();
    for (number, spec) in (1..).zip(specs) {
        let key = token.generate(spec, &tag(number), &mut asked).unwrap();
        assert!(spec.fits(&key.public));
        assert_eq!(key.evidence.attributes["local"], "yes");
        assert_eq!(key.evidence.attributes["domains"], "0x0001");
        assert_eq!(key.evidence.attestation.as_ref().unwrap().leaf_first().len(), 2);
        keys.push(key);
    }
    // Prepared once, each password asked for once, twice where it was set.
    let secrets: Vec<_> = asked.asked.iter().map(|ask| ask.secret).collect();
    assert_eq!(
        secrets,
        [PinKind::NewSecurityOfficer, PinKind::NewUser, PinKind::NewBackup, PinKind::NewAuditor]
    );
    for key in &keys {
        let signature = sign(&mut *token, &key.public, &mut asked).unwrap();
        assert_eq!(signature.key(), key.public.identity());
        assert_eq!(token.evidence(&key.public, &mut asked).unwrap().attributes, key.evidence.attributes);
        // The message itself is given to Ed25519 alone.
        let ed25519 = Scheme::of(key.public.algorithm()) == Scheme::Ed25519;
        for (letters, expected) in [(2800, "ok"), (3100, if ed25519 { "PAYLOAD-TOO-LARGE" } else { "ok" })] {
            assert_eq!(rule(sign_of(&mut *token, &key.public, &mut asked, letters)), expected);
        }
    }
    assert_eq!(token.keys(&mut asked).unwrap().len(), 3);
    assert_eq!(rule(token.generate(KeySpec::Rsa3072, &tag(9), &mut asked)), "TOKEN-CANNOT");
    assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag(1), &mut asked)), "LABEL-IN-USE");
    assert_eq!(rule(token.initialise("x", &mut asked)), "TOKEN-CANNOT");
    assert_eq!(asked.asked.len(), 4, "nothing was asked again");
    // Another process has to ask.
    let mut again = pins();
    sign(&mut *opened(&hsm).unwrap(), &keys[0].public, &mut again).unwrap();
    assert_eq!(again.asked.iter().map(|ask| ask.secret).collect::<Vec<_>>(), [PinKind::User]);
}

#[test]
fn a_device_is_told_apart_by_its_serial_number_alone() {
    let dir = hsms::folder("serial");
    let (mut a, mut b) = (Hsm::new(&dir, A), Hsm::new(&dir, B));
    let swapped = format!("yubihsm:serial={A};connector={}", b.connector());
    assert_eq!(rule(Modules::new().open(&swapped.parse().unwrap(), None)), "TOKEN-SERIAL");
    let (mut token, key) = made(&a);
    let mut other = opened(&b).unwrap();
    other.generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap();
    assert_eq!(rule(sign(&mut *other, &key.public, &mut pins())), "KEY-NOT-ON-TOKEN");
    a.stop();
    assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "TOKEN-MISSING");
    assert_eq!(rule(opened(&a)), "TOKEN-MISSING");
    a.restart();
    sign(&mut *token, &key.public, &mut pins()).unwrap();
    b.stop();
}

#[test]
fn a_wrong_password_is_refused_and_leaves_no_session() {
    let dir = hsms::folder("password");
    let hsm = Hsm::new(&dir, A);
    let (mut token, key) = made(&hsm);
    let mut wrong = Pins::new("signs every night", "administers").and_duties("backs it up", "reads the log");
    let mut another = opened(&hsm).unwrap();
    // A device has sixteen sessions.
    for _ in 0..20 {
        assert_eq!(rule(sign(&mut *another, &key.public, &mut wrong)), "PIN-WRONG");
    }
    for _ in 0..20 {
        sign(&mut *token, &key.public, &mut pins()).unwrap();
    }
    for (password, expected) in
        [("short", "PIN-LENGTH"), ("password", "PIN-FACTORY"), ("a\tlong one", "PIN-LENGTH")]
    {
        let mut typed = Pins::new(password, "administers");
        assert_eq!(rule(sign(&mut *opened(&hsm).unwrap(), &key.public, &mut typed)), expected);
    }
    // The duties are apart: whoever signs can neither make keys nor read the log.
    let mut signer = Pins::new("signs every day", "signs every day").and_duties("", "signs every day");
    let mut token = opened(&hsm).unwrap();
    assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag(2), &mut signer)), "PIN-WRONG");
    assert_eq!(rule(token.audit_log().unwrap().read(&mut signer)), "PIN-WRONG");
}

#[test]
fn four_duties_have_four_passwords() {
    let dir = hsms::folder("duties");
    let hsm = Hsm::new(&dir, A);
    let mut token = opened(&hsm).unwrap();
    for (mut typed, expected) in [
        (
            Pins::new("signs every day", "signs every day").and_duties("backs it up", "reads the log"),
            "DUTY-PASSWORD",
        ),
        (
            Pins::new("signs every day", "administers").and_duties("backs it up", "backs it up"),
            "DUTY-PASSWORD",
        ),
        (Pins::new("signs every day", "password").and_duties("backs it up", "reads the log"), "PIN-FACTORY"),
        (Pins::new("signs every day", "administers").and_duties("backs", "reads the log"), "PIN-LENGTH"),
    ] {
        assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag(1), &mut typed)), expected);
    }
    // Nothing was changed by then: the factory's password still opens it.
    assert!(
        Modules::new().yubihsms(&[hsm.connector().parse().unwrap()].into())[0].1.tokens[0]
            .condition()
            .is_some()
    );
}

#[test]
fn answers_in_pieces_are_whole() {
    let dir = hsms::folder("pieces");
    let hsm = Hsm::new(&dir, A);
    hsm.faults("split 7\n");
    let (mut token, key) = made(&hsm);
    sign(&mut *token, &key.public, &mut pins()).unwrap();
    hsm.faults("drop 56\n");
    assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "CONNECTOR");
    hsm.faults("mac 56\n");
    assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "HSM-CHANNEL");
    hsm.faults("error 07 56\n");
    assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "TOKEN-FAILED");
    assert_eq!(hsm.faults_left(), "");
    sign(&mut *token, &key.public, &mut pins()).unwrap();
}

#[test]
fn old_firmware_makes_no_key() {
    let dir = hsms::folder("firmware");
    let hsm = Hsm::of_firmware(&dir, A, "2.3.2");
    let mut token = opened(&hsm).unwrap();
    assert_eq!(token.longest_message(), Some(2026));
    assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins())), "YUBIHSM-FIRMWARE");
}

/// What an attacker who had the device before might have left on it, or someone else at night.
#[test]
fn what_is_not_keyrites_is_found_in_any_domain() {
    let dir = hsms::folder("foreign");
    let mut hsm = Hsm::new(&dir, A);
    let made_next = |hsm: &Hsm| rule(opened(hsm).unwrap().generate(KeySpec::EcdsaP256, &tag(2), &mut pins()));
    // An authentication key and a key of an attacker's, on a device as from the factory: both go.
    let factory = hsm.state()["objects"][0].clone();
    hsm.tamper(|state| {
        let mut rogue = factory.clone();
        (rogue["id"], rogue["domains"]) = (77.into(), 0x8000.into());
        state["objects"].as_array_mut().unwrap().push(rogue);
    });
    made(&hsm);
    let ids = |hsm: &Hsm| -> Vec<_> {
        let state = hsm.state();
        let mut all: Vec<_> = state["objects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| (o["kind"].clone(), o["id"].clone()))
            .collect();
        all.sort_by_key(|(kind, id)| (kind.as_u64(), id.as_u64()));
        all
    };
    let key = 0x0101; // of the id that was drawn
    assert_eq!(ids(&hsm), [(2, 2), (2, 3), (2, 4), (2, 5), (3, key)].map(|(k, id)| (k.into(), id.into())));

    // A duty that may do more than it should, a rogue key in another domain, a log that was silenced.
    let good = hsm.state();
    for (what, change) in [
        (
            "capabilities",
            (|state| state["objects"][1]["capabilities"] = 0xffff_u64.into()) as fn(&mut serde_json::Value),
        ),
        ("domains", |state| state["objects"][1]["domains"] = 0xffff_u64.into()),
        ("sequence", |state| state["objects"][2]["sequence"] = 1.into()),
        ("missing", |state| drop(state["objects"].as_array_mut().unwrap().remove(2))),
        ("key", |state| {
            let mut rogue = state["objects"].as_array().unwrap().last().unwrap().clone();
            (rogue["id"], rogue["domains"]) = (78.into(), 0x0004.into());
            state["objects"].as_array_mut().unwrap().push(rogue);
        }),
        ("silent", |state| state["log"]["audit"]["86"] = 0.into()),
        ("forced", |state| state["log"]["force"] = 1.into()),
    ] {
        hsm.tamper(change);
        assert_eq!(made_next(&hsm), "HSM-UNPREPARED", "{what}");
        hsm.tamper(|state| *state = good.clone());
    }
    assert_eq!(made_next(&hsm), "ok");
    // Nobody's password: neither the factory's nor any of keyrite's.
    hsm.tamper(|state| state["objects"].as_array_mut().unwrap().clear());
    assert_eq!(made_next(&hsm), "HSM-UNPREPARED");
}

/// One that says it was reset and was not, or that was used before: it gets no password of anyone's.
#[test]
fn a_device_that_was_not_really_reset_is_refused() {
    let dir = hsms::folder("stays");
    let mut hsm = Hsm::new(&dir, A);
    let factory = hsm.state();
    for (what, change) in [
        (
            "authentication key 0x004d",
            (|state| {
                let mut rogue = state["objects"][0].clone();
                (rogue["id"], rogue["domains"]) = (77.into(), 0x8000.into());
                state["objects"].as_array_mut().unwrap().push(rogue);
            }) as fn(&mut serde_json::Value),
        ),
        ("authentication key 0x0001", |state| state["objects"][0]["sequence"] = 1.into()),
    ] {
        hsm.tamper(change);
        hsm.faults("stays 08\n");
        let refused = opened(&hsm).unwrap().generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap_err();
        assert_eq!(refused.rule().name, "HSM-UNPREPARED", "{what}: {refused}");
        assert!(refused.found().contains("after a reset") && refused.found().contains(what), "{refused}");
        assert_eq!(hsm.faults_left(), "");
        let objects = hsm.state()["objects"].as_array().unwrap().clone();
        assert!(objects.iter().all(|object| object["id"] == 1 || object["id"] == 77), "{what}: {objects:?}");
        hsm.tamper(|state| *state = factory.clone());
    }
    made(&hsm);
}

#[test]
fn what_was_cut_off_is_gone_on_with() {
    let dir = hsms::folder("cut");
    for (number, moment) in (0..).zip([
        "after 08",
        "before 44",
        "after 44",
        "before 58",
        "after 58",
        "before 46",
        "after 46",
        "after 64",
    ]) {
        let mut hsm = Hsm::new(&dir, A + number);
        let mut token = opened(&hsm).unwrap();
        let mut pins = pins();
        hsm.faults(&format!("{moment}\n"));
        let cut = rule(token.generate(KeySpec::EcdsaP256, &tag(7), &mut pins));
        assert!(["CONNECTOR", "TOKEN-MISSING"].contains(&cut), "{moment}: {cut}");
        hsm.restart();
        // As a session does that finds the intent in its journal, in a process of its own.
        let mut token = opened(&hsm).unwrap();
        assert!(token.adopt(KeySpec::EcdsaP256, &tag(8), &mut pins).unwrap().is_none(), "{moment}");
        let adopted = token.adopt(KeySpec::EcdsaP256, &tag(7), &mut pins).unwrap();
        assert_eq!(adopted.is_some(), ["after 46", "after 64"].contains(&moment), "{moment}");
        let key = match adopted {
            Some(key) => key,
            None => token.generate(KeySpec::EcdsaP256, &tag(7), &mut pins).unwrap(),
        };
        sign(&mut *token, &key.public, &mut pins).unwrap();
        assert_eq!(token.keys(&mut pins).unwrap().len(), 1, "{moment}");
    }
}

#[test]
fn a_destroyed_key_takes_the_last_trace_with_it() {
    let dir = hsms::folder("destroy");
    let hsm = Hsm::new(&dir, A);
    let (mut token, key) = made(&hsm);
    let second = token.generate(KeySpec::Ed25519, &tag(2), &mut pins()).unwrap();
    // Beside another key, it alone goes.
    token.destroy(&key.public, &mut pins()).unwrap();
    assert_eq!(rule(sign(&mut *token, &key.public, &mut pins())), "KEY-NOT-ON-TOKEN");
    sign(&mut *token, &second.public, &mut pins()).unwrap();
    // The last one goes with everything.
    token.destroy(&second.public, &mut pins()).unwrap();
    let state = hsm.state();
    let objects = state["objects"].as_array().unwrap();
    assert_eq!((objects.len(), &objects[0]["id"]), (1, &1.into()));
    assert_eq!(rule(sign(&mut *token, &second.public, &mut pins())), "HSM-UNPREPARED");
    assert!(token.condition().is_some());
    // And is as from the factory.
    let again = token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap();
    assert_ne!(again.public, key.public);
}

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";
const SERIALS: [u32; 3] = [A, B, 7_550_056];

/// A record, three devices, and the passwords of their duties in files.
fn with_devices(name: &str, limits: impl FnOnce(&mut Limits)) -> (&'static Stage, Vec<Hsm>) {
    let mut all = Limits::default_for(Profile::Tuf);
    all.root.witnesses = 0;
    all.targets.software_keys = true;
    limits(&mut all);
    let stage: &'static Stage = Box::leak(Box::new(Stage::new(name, Profile::Tuf, Kind::Production, &all)));
    for (duty, password) in
        [("administrator", "administers"), ("backup", "backs it up"), ("auditor", "reads the log")]
    {
        let path = stage.write(&format!("pin-{duty}"), password);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::create_dir_all(stage.path("keys")).unwrap();
    let dir = hsms::folder(name);
    (stage, SERIALS.map(|serial| Hsm::new(&dir, serial)).into())
}

/// As [`pins`], with the password that the record's tests have in a file.
fn of_stage() -> Pins {
    Pins::new(stage::PIN, "administers").and_duties("backs it up", "reads the log")
}

fn map(stage: &'static Stage, hsms: &[Hsm], keys: &[&str]) -> stage::Devices<'static> {
    let devices = keys.iter().zip(hsms).fold(stage.devices(), |d, (key, hsm)| d.on_yubihsm(key, &hsm.uri()));
    ["t1", "s1", "m1"].iter().fold(devices, |d, key| d.in_file(key, &format!("keys/{key}.pem")))
}

fn first_day(stage: &'static Stage, hsms: &[Hsm], algorithm: &str) -> PathBuf {
    let map = map(stage, hsms, &["r1", "r2", "r3"]).write("devices.toml");
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
        if purpose == "root" {
            writeln!(text, "algorithm = \"{algorithm}\"").unwrap();
        }
    }
    stage.hold(&map, &stage.write("1.toml", &text)).1.ended(0);
    stage.write(
        "2.toml",
        &format!(
            "ceremony = \"create-root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
             valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
             [snapshot]\nkeys = [\"s1\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m1\"]\nthreshold = 1\n"
        ),
    );
    map
}

/// Everything that the transcripts say by an act.
fn outcomes(stage: &Stage, act: &str) -> Vec<serde_json::Value> {
    let folders = std::fs::read_dir(stage.record.join("transcripts")).unwrap();
    folders.flat_map(|folder| outcomes_in(&folder.unwrap().path(), act)).collect()
}

/// The same of one session.
fn outcomes_in(folder: &Path, act: &str) -> Vec<serde_json::Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let entries = files.map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap());
    entries.filter(|entry| entry["act"] == act).map(|entry| entry["outcome"].clone()).collect()
}

/// The program itself: the first day, a rotation, and a key that is retired, on three devices.
#[test]
fn a_root_lives_on_yubihsms_and_every_signature_is_on_record() {
    let (stage, mut hsms) = with_devices("yubihsms", |_| {});
    first_day(stage, &hsms, "p256");
    let root = stage.path("2.toml");
    // The map leads to another holder's device, at the same connector or not.
    let swapped = [&hsms[1], &hsms[0], &hsms[2]];
    let devices =
        ["r1", "r2", "r3"].iter().zip(swapped).fold(stage.devices(), |d, (k, h)| d.on_yubihsm(k, &h.uri()));
    let (_, done) = stage.hold(&devices.write("swapped.toml"), &root);
    assert!(done.text().contains("TOKEN-OTHER"), "{}", done.text());
    let map_file = map(stage, &hsms, &["r1", "r2", "r3"]).write("devices.toml");
    stage.hold(&map_file, &root).1.ended(0);
    stage.verify().ended(0);
    let report = stage.path("report.html");
    let (version, payload) = stage.root();
    let anchor = format!("{version}:{payload}");
    let line = ["-C", utf8(&stage.record), "verify", "--anchor", &anchor, "--report", utf8(&report)];
    stage.keyrite(line).ended(0);
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains("each accounted for"), "{report}");
    for (key, hsm) in ["r1", "r2", "r3"].iter().zip(&hsms) {
        let file = std::fs::read_dir(stage.record.join("keys").join(key)).unwrap().next().unwrap().unwrap();
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        assert_eq!(file["token"]["kind"], "yubihsm");
        assert_eq!(file["token"]["serial"], format!("{:010}", hsm.serial()));
        assert_eq!(file["evidence"]["attestation"].as_array().unwrap().len(), 2);
        assert_eq!(file["evidence"]["attributes"]["local"], "yes");
        // What the log has beyond that is the reading of it.
        let left = hsm.state()["log"]["entries"].as_array().unwrap().len();
        assert!(left < 10, "{key}: {left}");
    }
    let drains = outcomes(stage, "drain");
    assert!(drains.iter().all(|drain| drain["unaccounted"] == 0));
    // As many as were intended, whatever they were for.
    let signatures = |drain: &serde_json::Value| {
        let entries = drain["entries"].as_array().unwrap();
        entries.iter().filter(|entry| entry.as_str().unwrap()[4..6] == *"56").count()
    };
    let intended = outcomes(stage, "intent")
        .into_iter()
        .filter(|intent| intent["what"] == "sign" && !intent["token"]["serial"].as_str().unwrap().is_empty());
    assert_eq!(drains.iter().map(signatures).sum::<usize>(), intended.count());

    // A fourth key on a device that was retired takes the place of the first.
    let four = Hsm::new(&hsms::folder("yubihsms-4"), 7_550_057);
    hsms.push(four);
    let keys = ["r1", "r2", "r3", "r4"];
    let later = map(stage, &hsms, &keys).knowing(&stage.root()).write("later.toml");
    let new = "[[key]]\nname = \"r4\"\nholder = \"dan\"\npurpose = \"root\"\n";
    stage
        .hold(&later, &stage.write("3.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{new}")))
        .1
        .ended(0);
    let rotate = format!(
        "ceremony = \"rotate-root\"\n{HEAD}[root]\nadd = [\"r4\"]\nremove = [\"r1\"]\nthreshold = 2\nvalid-for = \"2 years\"\n"
    );
    stage.hold(&later, &stage.write("4.toml", &rotate)).1.ended(0);
    let later = map(stage, &hsms, &keys).knowing(&stage.root()).write("last.toml");
    // Someone used it meanwhile and had its log forgotten. What is given up goes all the same.
    let mut token = opened(&hsms[0]).unwrap();
    sign_any(&mut *token);
    let log = token.audit_log().unwrap();
    let last = log.read(&mut of_stage()).unwrap().entries.last().unwrap().number;
    log.acknowledge(last, &mut of_stage()).unwrap();
    let retire = stage.write("5.toml", &format!("ceremony = \"retire-key\"\n{HEAD}[retire]\nkey = \"r1\"\n"));
    stage.hold(&later, &retire).1.ended(0);
    let exceptions = outcomes(stage, "exception");
    assert_eq!(exceptions.len(), 1, "{exceptions:?}");
    assert!(exceptions[0]["what"].as_str().unwrap().contains("LOG-CHAIN"), "{exceptions:?}");
    let left = hsms[0].state()["objects"].as_array().unwrap().len();
    assert_eq!(left, 1, "as from the factory");
    stage.verify().ended(0);
    assert!(outcomes(stage, "drain").iter().all(|drain| drain["unaccounted"] == 0));
}

/// A session in which a device does more than its log has room for: it is emptied before it is full, and
/// the device is never told to stop when it is.
#[test]
fn a_session_may_be_longer_than_the_log() {
    let (stage, hsms) = with_devices("long", |_| {});
    let names: Vec<String> = (1..=34).map(|n| format!("t{n}")).collect();
    let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
    let mut devices = stage.devices();
    for name in &names {
        writeln!(text, "[[key]]\nname = \"{name}\"\nholder = \"uma\"\npurpose = \"targets\"").unwrap();
        devices = devices.on_yubihsm(name, &hsms[0].uri());
    }
    let map = devices.write("devices.toml");
    stage.hold(&map, &stage.write("1.toml", &text)).1.ended(0);
    let keys: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [{}]\n", keys.join(", "));
    stage.hold(&map, &stage.write("2.toml", &call)).1.ended(0);
    let folders = std::fs::read_dir(stage.record.join("transcripts")).unwrap();
    assert_eq!(folders.count(), 2);
    let drains = outcomes(stage, "drain");
    let entries = |drain: &serde_json::Value| drain["entries"].as_array().unwrap().len();
    let counts: Vec<usize> = drains.iter().map(entries).collect();
    let room = 62;
    // Each of the two by itself did more than the device remembers.
    for folder in std::fs::read_dir(stage.record.join("transcripts")).unwrap() {
        let drains = outcomes_in(&folder.unwrap().path(), "drain");
        let all: usize = drains.iter().map(entries).sum();
        assert!(all > room, "{all} in {} pieces", drains.len());
    }
    assert!(counts.iter().all(|count| *count < room / 2), "{counts:?}");
    assert!(drains.iter().all(|drain| drain["unaccounted"] == 0));
    let log = &hsms[0].state()["log"];
    assert_eq!(log["force"], 0, "{log}");
    stage.keyrite(["-C", utf8(&stage.record), "verify"]).ended(0);
}

/// Someone has the passwords and the device for a minute.
#[test]
fn a_signature_behind_everyones_back_is_caught() {
    let (stage, hsms) = with_devices("extra", |_| {});
    let map = first_day(stage, &hsms, "p256");
    let root = stage.path("2.toml");
    let mut token = opened(&hsms[0]).unwrap();
    let key = token.keys(&mut of_stage()).unwrap()[0].public.clone().unwrap();
    sign(&mut *token, &key, &mut of_stage()).unwrap();
    // Before anything is signed, and again at every try.
    for _ in 0..2 {
        let (_, done) = stage.hold(&map, &root);
        assert!(done.text().contains("LOG-SIGNATURES"), "{}", done.text());
    }
    assert_eq!(outcomes(stage, "drain").iter().filter(|drain| drain["unaccounted"] == 1).count(), 1);
    assert!(outcomes(stage, "sign").is_empty());

    // Its log read by someone else, so that the record lacks what it did by then.
    let (stage, hsms) = with_devices("extra-read", |_| {});
    let map = first_day(stage, &hsms, "p256");
    let mut token = opened(&hsms[0]).unwrap();
    sign_any(&mut *token);
    let log = token.audit_log().unwrap();
    let last = log.read(&mut of_stage()).unwrap().entries.last().unwrap().number;
    log.acknowledge(last, &mut of_stage()).unwrap();
    let (_, done) = stage.hold(&map, &stage.path("2.toml"));
    assert!(done.text().contains("LOG-CHAIN"), "{}", done.text());
}

/// A session is cut off after a log is on record and before the device is told so; and somebody without
/// any password tries to fill it.
#[test]
fn a_log_that_is_on_record_already_is_gone_on_with() {
    let (stage, mut hsms) = with_devices("cut-log", |_| {});
    let map = first_day(stage, &hsms, "p256");
    let root = stage.path("2.toml");
    let key = opened(&hsms[0]).unwrap().keys(&mut of_stage()).unwrap()[0].public.clone().unwrap();
    let mut wrong = Pins::new("signs every night", "administers").and_duties("backs it up", "reads the log");
    for _ in 0..70 {
        assert_eq!(rule(sign(&mut *opened(&hsms[0]).unwrap(), &key, &mut wrong)), "PIN-WRONG");
    }
    for (device, moment) in [(0, "before 67"), (0, "after 67"), (1, "drop 67"), (2, "before 67")] {
        hsms[device].faults(&format!("{moment}\n"));
        let (_, done) = stage.hold(&map, &root);
        let text = done.text();
        assert!(text.contains("CONNECTOR") || text.contains("TOKEN-MISSING"), "{moment}: {text}");
        hsms[device].restart();
    }
    stage.hold(&map, &root).1.ended(0);
    let drains = outcomes(stage, "drain");
    assert!(drains.iter().all(|drain| drain["unaccounted"] == 0));
    // No entry is on record twice.
    let mut entries: Vec<String> = drains.iter().map(|drain| drain["entries"].to_string()).collect();
    entries.retain(|entries| entries != "[]");
    let all = entries.len();
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), all);
}

/// What is listed, and two ways to a device map: `init`, and `tokens write` for a record that is there.
#[test]
fn a_device_map_names_yubihsms_by_serial() {
    let dir = hsms::folder("map");
    let (a, b) = (Hsm::new(&dir, A), Hsm::new(&dir, B));
    made(&b);
    let keyrite = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyrite"));
        let out = command.current_dir(&dir).args(arguments).output().unwrap();
        let said = [&out.stdout[..], &out.stderr[..]].concat();
        (out.status.success(), String::from_utf8(said).unwrap())
    };
    let (at_a, at_b) = (a.connector(), b.connector());
    let both = ["tokens", "--connector", &at_a, "--connector", &at_b];
    let (_, listed) = keyrite(&[&["--json"], &both[..], &["list"]].concat());
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let told = |n: usize| listed["tokens"][n].clone();
    assert_eq!((&told(0)["serial"], &told(1)["serial"]), (&"0007550054".into(), &"0007550055".into()));
    assert_eq!((&told(0)["kind"], &told(0)["keys-told"]), (&"yubihsm".into(), &true.into()));
    assert_eq!(told(1)["keys-told"], false, "only after a password");
    assert!(told(0)["state"].as_str().unwrap().contains("the factory's password"), "{listed}");
    assert_eq!(told(1)["state"], "ready");
    let seen =
        stage::Stage::new("map-preflight", Profile::Tuf, Kind::Rehearsal, &Limits::default_for(Profile::Tuf));
    let own = seen.devices().on_yubihsm("root-a", &a.uri()).write("devices.toml");
    let found = seen.on(&seen.record, &own, &["preflight"]).json();
    assert_eq!(found["tokens"]["YubiHSM 2, serial 0007550054"], "YubiHSM 2", "{found}");
    let (done, said) = keyrite(&["tokens", "--connector", "http://192.0.2.1:12345"]);
    assert!(!done && said.contains("CONNECTOR-ADDRESS"), "{said}");

    let init = format!(
        "[answers]\nprofile = \"tuf\"\nstage = \"rehearsal\"\ncollection = \"apps\"\nadministrator = \"ada\"\n\
         root-holders = \"ada, bruno, cleo\"\nroot-threshold = \"2\"\nalgorithm = \"p256\"\n\
         token.root-a = \"yubihsm\"\nconnector.root-a = \"{at_b}\"\nserial.root-a = \"0007550055\"\n\
         token.root-b = \"yubihsm\"\nconnector.root-b = \"{at_a}\"\nserial.root-b = \"0007550054\"\n\
         token.root-c = \"elsewhere\"\ntargets-holder = \"uma\"\ntoken.targets-1 = \"elsewhere\"\n\
         online-keys = \"here\"\napplication = \"camera-station\"\ndeveloper = \"dana\"\n\
         witnesses = \"none\"\nconfirm = \"Yes\"\n"
    );
    std::fs::write(dir.join("init.toml"), init).unwrap();
    let (done, said) = keyrite(&["init", "--answers", "init.toml", "--unattended", "trust"]);
    assert!(done, "{said}");
    let map = std::fs::read_to_string(dir.join("trust/devices.toml")).unwrap();
    for (key, hsm) in [("root-a", &b), ("root-b", &a)] {
        let part = format!("[key.{key}]\nuri = \"{}\"\npin = \"tty\"\nmax-payload = 3114\n", hsm.uri());
        assert!(map.contains(&part), "{part}{map}");
    }

    let answers =
        "[answers]\ntrust = \"same\"\nkeys.0007550054 = \"root-a, targets-1\"\nkeys.0007550055 = \"none\"\n";
    std::fs::write(dir.join("answers.toml"), answers).unwrap();
    let write = ["write", "own.toml", "--answers", "answers.toml", "--unattended"];
    let (done, said) = keyrite(&[&["-C", "trust"], &both[..], &write].concat());
    assert!(done, "{said}");
    let map = std::fs::read_to_string(dir.join("own.toml")).unwrap();
    assert_eq!(map.matches(&format!("uri = \"{}\"", a.uri())).count(), 2, "{map}");
    assert!(!map.contains(&b.uri()), "{map}");
}

fn sign_any(token: &mut dyn Token) {
    let key = token.keys(&mut of_stage()).unwrap()[0].public.clone().unwrap();
    sign(token, &key, &mut of_stage()).unwrap();
}

#[test]
fn a_rogue_key_in_another_domain_is_caught() {
    let (stage, mut hsms) = with_devices("rogue", |_| {});
    first_day(stage, &hsms, "p256");
    let other = Hsm::new(&hsms::folder("rogue-other"), 7_550_099);
    made(&other);
    let foreign = other.state()["objects"].as_array().unwrap().last().unwrap().clone();
    let good = hsms[0].state();
    let own = good["objects"].as_array().unwrap().last().unwrap().clone();
    // Someone's key beside the record's, in another domain or not; and a copy of the record's key.
    for (key, domains) in [(&foreign, 0x0004), (&foreign, 0x0001), (&own, 0x8000)] {
        hsms[0].tamper(|state| {
            let mut rogue = key.clone();
            (rogue["id"], rogue["domains"]) = (78.into(), domains.into());
            state["objects"].as_array_mut().unwrap().push(rogue);
        });
        let map = map(stage, &hsms, &["r1", "r2", "r3"]).write("devices.toml");
        let (_, done) = stage.hold(&map, &stage.path("2.toml"));
        assert!(done.text().contains("HSM-UNPREPARED") && done.text().contains("0x004e"), "{}", done.text());
        hsms[0].tamper(|state| {
            let objects = state["objects"].as_array_mut().unwrap();
            objects.retain(|object| object["id"] != 78);
        });
    }
    assert!(outcomes(stage, "sign").is_empty());
}

/// A device that was reset is not made ready again over the record's head.
#[test]
fn a_device_with_keys_of_the_record_is_not_reset_again() {
    let (stage, hsms) = with_devices("reset", |_| {});
    first_day(stage, &hsms, "p256");
    let mut token = opened(&hsms[0]).unwrap();
    let key = token.keys(&mut of_stage()).unwrap()[0].public.clone().unwrap();
    token.destroy(&key, &mut of_stage()).unwrap();
    let new = "[[key]]\nname = \"r9\"\nholder = \"ada\"\npurpose = \"root\"\n";
    let again = stage.write("9.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{new}"));
    let (_, done) = stage.hold(&map(stage, &hsms, &["r9"]).write("nine.toml"), &again);
    assert!(done.text().contains("TOKEN-NOT-BLANK") && done.text().contains("r1"), "{}", done.text());
}
