//! A whole first day in profile `notary`, by the program as people type it, against Debian's
//! notary-server (alone, with notary-signer, behind a registry's token server) and the stock client.
//!
//! Three root keys on three SoftHSM tokens; the laptop freezes the change, three custodians sign
//! on three copies of the record in processes of their own, and the copies come back in any order.
//! What goes up goes up by the very lines that the upload's README prints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod server;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::Value;
use server::{Backend, publishes, same_bytes, take_published, upload, uploads};
use stage::{Devices, Done, Stage, brought, shipped, utf8};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const CUSTODIANS: [(&str, &str); 3] = [("ada", "root-a"), ("bruno", "root-b"), ("carla", "root-c")];

/// The three custodians, each on a copy of their own with nothing but their own token, and the
/// copies taken back in the given order.
fn custodians_sign(stage: &Stage, change: &str, serials: &[String], order: [usize; 3]) {
    let copies: Vec<PathBuf> = CUSTODIANS
        .iter()
        .zip(serials)
        .map(|((person, key), serial)| {
            let copy = stage.path(&format!("stick-of-{person}"));
            let devices = stage.devices().on_token(key, serial).write(&format!("{person}.toml"));
            let export = ["-C", utf8(&stage.record), "--json", "export", utf8(&copy), "--for", person];
            let handed = stage.keyrite(export).ended(0).json();
            assert_eq!(handed["changes"], serde_json::json!([change]), "{person}");
            let signed = stage.sign(&copy, &devices, change).ended(0).json();
            assert_eq!(signed["signed"].as_array().unwrap().len(), 1, "{signed}");
            copy
        })
        .collect();
    for place in order {
        let import = ["-C", utf8(&stage.record), "--json", "import", utf8(&copies[place])];
        let report = stage.keyrite(import).ended(0).json();
        assert_eq!(report["left"], serde_json::json!([]), "{report}");
    }
}

/// A track below the application, granted by its developer's key over the document that the stock
/// client made; then the track's own developer publishes into it.
fn track(stage: &Stage, backend: &Backend, devices: &Devices<'_>) {
    let people = "[people]\nada = \"administrator\"\ndana = \"custodian\"\nwim = \"witness\"\n";
    let (_, enrolment) = stage.developer("emil");
    let devices = devices.clone().in_file("dev-dana", "developers/dana.key").enrol("dev-emil", &enrolment);
    let devices = devices.write("laptop-3.toml");
    let enroll = stage.write(
        "enroll.toml",
        &format!(
            "ceremony = \"enroll-key\"\ntitle = \"Emil\"\n{people}\
             [[key]]\nname = \"dev-emil\"\nholder = \"emil\"\npurpose = \"delegation\"\n"
        ),
    );
    stage.hold(&devices, &enroll).1.ended(0);
    let text = format!(
        "ceremony = \"grant-delegation\"\ntitle = \"Beta\"\n{people}\
             [delegation]\napplication = \"camera-station\"\ntrack = \"beta\"\nkeys = [\"dev-emil\"]\n\
             threshold = 1\npaths = [\"camera-station/beta-\"]\nvalid-for = \"1 year\"\n"
    );
    // The stock client lets a document live for three years, our limits for two.
    let long = stage.write("track-long.toml", &text);
    let refused = stage.on(&stage.record, &devices, &["plan", utf8(&long)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "EXPIRY-LIMIT", "{refused}");
    let grant = stage.write("track.toml", &format!("{text}[delegator]\nvalid-for = \"1 year\"\n"));
    let granted = uploads(&stage.hold(&devices, &grant).1.ended(0).json());
    assert_eq!(granted.len(), 1, "{granted:?}");
    let carried = upload(stage, backend, &granted[0]);
    same_bytes(backend, &stage.trust.collection, &carried, &["targets/camera-station"]);
    let role = "targets/camera-station/beta";
    publishes(stage, backend, "emil", role, "camera-station/beta-2.bin");
    take_published(stage, backend, &carried);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}

fn first_day(mode: &str, order: [usize; 3]) {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new(&format!("backend-{mode}"), Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, mode);
    let collection = stage.trust.collection.clone();

    // Tokens, and the developer's key.
    let serials: Vec<String> = CUSTODIANS.iter().map(|(_, key)| stage.token(key)).collect();
    let targets = stage.token("targets-1");
    let (_, enrolment) = stage.developer("dana");

    // The keys are made in one room, where every token is; root is signed elsewhere.
    let mut room = stage.devices().on_token("targets-1", &targets);
    for ((_, key), serial) in CUSTODIANS.iter().zip(&serials) {
        room = room.on_token(key, serial);
    }
    let room = room.write("room.toml");
    let laptop = stage.devices().on_token("targets-1", &targets);
    let laptop = backend.enrolled(&stage, laptop).enrol("dev-dana", &enrolment);
    let devices = laptop.write("laptop.toml");
    stage.hold(&room, &shipped("first-day/01-root-keys.toml")).1.ended(0);
    stage.hold(&room, &shipped("first-day/02-targets-key.toml")).1.ended(0);
    stage.hold(&devices, &shipped("first-day/03-enroll.toml")).1.ended(0);

    // Root: the laptop signs targets and waits; the custodians sign; the laptop seals.
    let runbook = shipped("first-day/04-root.toml");
    let (change, waits) = stage.hold(&devices, &runbook);
    let waits = waits.ended(4).json();
    assert_eq!(waits["waiting"].as_array().unwrap().len(), 3, "{waits}");
    assert_eq!(uploads(&waits), Vec::<String>::new());
    custodians_sign(&stage, &change, &serials, order);
    let (again, sealed) = stage.hold(&devices, &runbook);
    assert_eq!(again, change);
    let sealed = uploads(&sealed.ended(0).json());
    let carried = upload(&stage, &backend, &sealed[0]);
    same_bytes(&backend, &collection, &carried, &["root", "targets"]);
    let document: Value = serde_json::from_slice(&fs::read(carried.join("root.json")).unwrap()).unwrap();
    assert_eq!(document["signed"]["roles"]["root"]["threshold"], 2);
    assert_eq!(document["signatures"].as_array().unwrap().len(), 3);
    let listed = backend.client(&stage.path("first-client"), &["list", &collection]).ended(0).text();
    assert!(listed.contains("No targets present"), "{listed}");
    take_published(&stage, &backend, &carried);

    // The first application's grant.
    let paper = stage.root();
    let devices = laptop.knowing(&paper).write("laptop-2.toml");
    let granted = stage.hold(&devices, &shipped("first-day/05-camera-station.toml")).1.ended(0).json();
    let granted = uploads(&granted);
    assert_eq!(granted.len(), 1, "{granted:?}");
    let carried = upload(&stage, &backend, &granted[0]);
    same_bytes(&backend, &collection, &carried, &["targets"]);

    publishes(&stage, &backend, "dana", "targets/camera-station", "camera-station/firmware-1.bin");

    // What dana published comes into the record as observed, and everything verifies.
    stage.verify().ended(0);
    let taken = take_published(&stage, &backend, &carried);
    let taken: Vec<&str> = taken["taken"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    for role in ["metadata/targets%2Fcamera-station/1.", "metadata/snapshot/", "metadata/timestamp/"] {
        assert!(taken.iter().any(|place| place.starts_with(role)), "{role} in {taken:?}");
    }
    let verified = stage.verify().ended(0).json();
    assert_eq!(verified["problems"], serde_json::json!([]));
    assert_eq!(verified["roots"], 1);
    track(&stage, &backend, &laptop.knowing(&paper));
    let (version, payload) = stage.root();
    assert_eq!((version, payload.as_str()), (paper.0, paper.1.as_str()));

    // The same from FORMAT.md alone, without keyrite.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(&stage.record).args(["--anchor", &format!("{version}:{payload}")]);
    Done::of(&mut python).ended(0);
}

#[test]
fn the_server_alone_takes_a_first_day() {
    first_day("local", [2, 0, 1]);
}

#[test]
fn a_server_that_wants_tokens_takes_a_first_day() {
    first_day("auth", [0, 2, 1]);
}

#[test]
fn server_and_signer_take_a_first_day() {
    first_day("signer", [1, 2, 0]);
}
