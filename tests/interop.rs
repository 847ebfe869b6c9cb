//! A first day in profile `tuf`, by the program, with keys of every kind: the result is read by
//! python-tuf's client and by tough, two implementations that share no code with keyrite.
//!
//! Two applications, of which the first has released nothing yet: a client goes past its empty
//! document to the second's. The second's release is made here, as a developer's own tool would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::keyfile::{KeyFile, PrivateKey};
use keyrite::signer::secret::Pin;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::TargetFile;
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::key::Scheme;
use keyrite::tuf::make::{self, TargetsEdit};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::verify::Signature;
use keyrite::tuf::wire;
use stage::{Devices, Done, PHRASE, Stage, block, blocks, brought, shell, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const RELEASE: &[u8] = b"player of the second application, first release";
const TARGET: &str = "media-player/player-1.bin";

/// The shipped first day with these algorithms for the three root keys and the targets key, every
/// key made here, and a second application.
fn runbooks(stage: &Stage, root: [&str; 3], targets: &str, online: &str) -> Vec<PathBuf> {
    let text = |name: &str| fs::read_to_string(shipped(&format!("first-day-tuf/{name}"))).unwrap();
    let mut root = root.iter();
    let keys: String = text("01-root-keys.toml")
        .lines()
        .map(|line| match line.strip_prefix("algorithm") {
            Some(_) => format!("algorithm = \"{}\"\n", root.next().unwrap()),
            None => format!("{line}\n"),
        })
        .collect();
    let targets = text("02-targets-key.toml").replace("\"p256\"", &format!("\"{targets}\""));
    let online: String = ["snapshot", "timestamp"]
        .map(|role| {
            format!(
                "[[key]]\nname = \"online-{role}\"\nholder = \"operations\"\npurpose = \"{role}\"\nalgorithm = \"{online}\"\n"
            )
        })
        .concat();
    let online = format!(
        "ceremony = \"generate-key\"\ntitle = \"Online keys\"\n[people]\nada = \"administrator\"\nwim = \"witness\"\n{online}"
    );
    let enroll = "ceremony = \"enroll-key\"\ntitle = \"Developers\"\n[people]\nada = \"administrator\"\nwim = \"witness\"\n\
        [[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n\
        [[key]]\nname = \"dev-emil\"\nholder = \"emil\"\npurpose = \"delegation\"\n";
    let second = text("05-camera-station.toml")
        .replace("Camera station", "Media player")
        .replace("camera-station", "media-player")
        .replace("dana", "emil");
    let all = [
        ("01-root-keys.toml", keys),
        ("02-targets-key.toml", targets),
        ("03-online.toml", online),
        ("03-enroll.toml", enroll.to_owned()),
        ("04-root.toml", text("04-root.toml")),
        ("05-camera-station.toml", text("05-camera-station.toml")),
        ("06-media-player.toml", second),
    ];
    all.iter().map(|(name, text)| stage.write(&format!("runbooks/{name}"), text)).collect()
}

/// Where keys are in a case.
#[derive(PartialEq)]
enum On {
    Files,
    SoftHsm,
}

fn first_day(name: &str, on: &On, root: [&str; 3], targets: &str, online: &str) {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    // tough knows no EC curve but P-256.
    let both = !root.contains(&"p384");
    let kind = if *on == On::SoftHsm { Kind::Production } else { Kind::Rehearsal };
    let stage = Stage::new(&format!("interop-{name}"), Profile::Tuf, kind, &limits);
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        devices = match on {
            On::Files => devices.in_file(key, &format!("keys/{key}.pem")),
            On::SoftHsm => {
                let serial = stage.token(key);
                devices.on_token(key, &serial)
            }
        };
    }
    for key in ["online-snapshot", "online-timestamp"] {
        devices = devices.in_file(key, &format!("keys/{key}.pem"));
    }
    for person in ["dana", "emil"] {
        let (key, enrolment) = stage.developer(person);
        let key_name = format!("dev-{person}");
        devices = devices.in_file(&key_name, utf8(&key)).enrol(&key_name, &enrolment);
    }
    fs::create_dir_all(stage.path("keys")).unwrap();
    let before = devices.write("devices.toml");
    let runbooks = runbooks(&stage, root, targets, online);
    for runbook in &runbooks[..5] {
        stage.hold(&before, runbook).1.ended(0);
    }
    let after = devices.knowing(&stage.root()).write("devices-2.toml");
    let mut head = String::new();
    for runbook in &runbooks[5..] {
        let done = stage.hold(&after, runbook).1.ended(0).json();
        done["head"].as_str().unwrap().clone_into(&mut head);
    }

    // Served for the first time: nobody has released anything.
    let repository = stage.path("repository");
    fs::create_dir_all(&repository).unwrap();
    publish(&stage, &after, &repository);
    let seen = python_tuf(&stage, &repository, &["--expect-missing", TARGET]).ended(0).json();
    assert_eq!(seen["roles"]["targets"], 3, "{seen}");
    if both {
        let seen = tough(&stage, &repository, &[]).ended(0).json();
        let names: Vec<&str> =
            seen["delegations"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["camera-station", "media-player"], "{seen}");
        tough(&stage, &repository, &[TARGET]).ended(1);
    }

    // The second application's first release comes in as observed; the next snapshot lists it.
    let incoming = stage.path("incoming");
    fs::create_dir_all(&incoming).unwrap();
    fs::write(incoming.join("2.media-player.json"), release(&stage)).unwrap();
    let report = stage.keyrite(["-C", utf8(&stage.record), "--json", "import", utf8(&incoming)]);
    assert_eq!(report.ended(0).json()["left"], serde_json::json!([]));
    publish(&stage, &after, &repository);
    let files = stage.path("files/media-player");
    fs::create_dir_all(&files).unwrap();
    let sha256 = Digest::of(RELEASE);
    fs::write(files.join(format!("{sha256}.player-1.bin")), RELEASE).unwrap();
    let targets = stage.path("files");
    let arguments =
        ["--target", TARGET, "--expect-missing", "camera-station/x", "--targets-dir", utf8(&targets)];
    let seen = python_tuf(&stage, &repository, &arguments).ended(0).json();
    assert_eq!(seen["targets"][TARGET]["hashes"]["sha256"], sha256.hex(), "{seen}");
    assert_eq!(seen["roles"]["media-player"], 2, "{seen}");
    if both {
        let seen = tough(&stage, &repository, &[TARGET]).ended(0).json();
        assert_eq!(seen["targets_seen"][TARGET]["sha256"], sha256.hex(), "{seen}");
    }
    let verified = stage.verify().ended(0).json();
    assert_eq!(verified["problems"], serde_json::json!([]));
    // Nothing is due now.
    let again = stage.on(&stage.record, &after, &["sign-snapshot", "--unattended"]).ended(0).json();
    assert_eq!(again["made"], false);

    another_day(&stage, &devices, &after, &head, &runbooks[6]);
    publish(&stage, &after, &repository);
    python_tuf(&stage, &repository, &["--target", TARGET]).ended(0);
}

/// The next grant, another day: in production whoever holds it shows that this is the newest record.
fn another_day(stage: &Stage, devices: &Devices<'_>, after: &Path, head: &str, like: &Path) {
    let next = fs::read_to_string(like).unwrap().replace("media-player", "door-phone");
    let next = stage.write("runbooks/07-door-phone.toml", &next);
    if stage.trust.stage == Kind::Production {
        let refused = stage.on(&stage.record, after, &["plan", utf8(&next)]).ended(1).json();
        assert_eq!(refused["error"]["rule"], "STALE-RECORD");
    }
    let knowing = devices.knowing(&stage.root()).head(head).write("devices-3.toml");
    stage.hold(&knowing, &next).1.ended(0);
}

/// `sign-snapshot`, and its upload served by the README's lines.
fn publish(stage: &Stage, devices: &Path, repository: &Path) {
    let made = stage.on(&stage.record, devices, &["sign-snapshot", "--unattended"]).ended(0).json();
    assert_eq!(made["made"], true);
    let folder = stage.path(made["upload"].as_str().unwrap());
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    let lines = blocks(&readme);
    let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(repository));
    assert_eq!(shell(&folder, &line, &[]).ended(0).text(), "");
}

/// What the second application's developer makes: version 2 of their document, with a target.
fn release(stage: &Stage) -> Vec<u8> {
    let role = RoleName::from_name("media-player");
    let newest = |role: &RoleName| {
        let folder = stage.record.join("metadata").join(role.file_name());
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        wire::parse(Profile::Tuf, role, &fs::read(files.last().unwrap()).unwrap()).unwrap()
    };
    let first = newest(&role);
    let hashes = Hashes::from([("sha256".to_owned(), Digest::of(RELEASE).as_bytes().to_vec())]);
    let file = TargetFile { length: RELEASE.len() as u64, hashes, custom: None };
    let edits = [TargetsEdit::PutTarget { path: TARGET.to_owned(), file }];
    let expires = first.payload().document().header().expires;
    let payload = make::targets(Profile::Tuf, &role, 2, expires, Some(first.payload()), &edits).unwrap();
    let delegator = newest(&RoleName::Targets);
    let keys = &delegator.payload().document().as_targets().unwrap().delegations.keys;
    let signature = signed(&stage.path("developers/emil.key"), &Payload::Metadata(payload.clone()));
    wire::seal(&payload, keys, &[signature]).unwrap()
}

fn signed(file: &Path, payload: &Payload) -> Signature {
    let key: PrivateKey =
        KeyFile::parse(&fs::read(file).unwrap()).unwrap().open(&Pin::new(PHRASE.to_owned())).unwrap();
    let scheme = Scheme::of(key.public().algorithm());
    let raw = key.sign(scheme, payload.bytes()).unwrap();
    Signature::check(key.public(), scheme, payload, &raw).unwrap()
}

fn python_tuf(stage: &Stage, repository: &Path, arguments: &[&str]) -> Done {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    let root = repository.join("1.root.json");
    python.arg(script).arg(root).arg(repository).args(arguments).current_dir(&stage.dir);
    Done::of(&mut python)
}

fn tough(stage: &Stage, repository: &Path, arguments: &[&str]) -> Done {
    let mut tough = Command::new(brought("standins/tough-client"));
    let root = repository.join("1.root.json");
    tough.arg(root).arg(repository).arg("-").args(arguments).current_dir(&stage.dir);
    Done::of(&mut tough)
}

#[test]
fn p256_keys_are_accepted() {
    first_day("p256", &On::Files, ["p256"; 3], "p256", "p256");
}

#[test]
fn ed25519_keys_are_accepted() {
    first_day("ed25519", &On::Files, ["ed25519"; 3], "ed25519", "ed25519");
}

#[test]
fn rsa_keys_are_accepted() {
    first_day("rsa", &On::Files, ["rsa-3072"; 3], "rsa-3072", "rsa-3072");
}

#[test]
fn mixed_keys_on_tokens_are_accepted() {
    first_day("mixed", &On::SoftHsm, ["p256", "ed25519", "rsa-3072"], "p256", "ed25519");
}

#[test]
fn p384_keys_are_accepted_by_python_tuf() {
    first_day("p384", &On::Files, ["p384"; 3], "p256", "p256");
}
