//! Limits in force: a first day in production, by the program, under limits that demand more than
//! the built-in ones, and what they refuse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::Value;
use stage::{Devices, Done, Stage, shipped, utf8};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A trust in production with every key of the first day in the record; there is no root yet.
fn keys(stage: &Stage) -> (Devices<'_>, PathBuf) {
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        let serial = stage.token(key);
        devices = devices.on_token(key, &serial);
    }
    for role in ["snapshot", "timestamp"] {
        let file = stage.path(&format!("{role}.pem"));
        let lines = format!(
            "openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out {}",
            utf8(&file)
        );
        Done::of(Command::new("sh").args(["-euc", &lines])).ended(0);
        devices = devices.enrol(&format!("backend-{role}"), &file);
    }
    let (_, enrolment) = stage.developer("dana");
    let devices = devices.enrol("dev-dana", &enrolment);
    let map = devices.write("devices.toml");
    for runbook in ["01-root-keys", "02-targets-key", "03-enroll"] {
        stage.hold(&map, &first_day(runbook)).1.ended(0);
    }
    (devices, map)
}

fn first_day(runbook: &str) -> PathBuf {
    shipped(&format!("first-day/{runbook}.toml"))
}

/// The rule that a refusal names, and what it expected.
fn refused(done: Done) -> (String, String) {
    let json = done.ended(1).json();
    let text = |member: &str| {
        json["error"][member].as_str().unwrap_or_else(|| panic!("no {member}: {json}")).to_owned()
    };
    (text("rule"), text("expected"))
}

#[test]
fn a_rehearsal_that_limits_demand_is_held_by_the_very_line_that_the_refusal_prints() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.targets.rehearsed = true;
    let stage = Stage::new("limits-rehearsed", Profile::Notary, Kind::Production, &limits);
    let (devices, map) = keys(&stage);
    let root = first_day("04-root");
    let plan = || stage.on(&stage.record, &map, &["plan", utf8(&root)]);
    let changes = || fs::read_dir(stage.record.join("changes")).unwrap().count();

    let before = changes();
    let (rule, expected) = refused(plan());
    assert_eq!(rule, "REHEARSAL-MISSING");
    assert_eq!(changes(), before, "nothing is written");
    let (_, line) = expected.split_once(": keyrite ").unwrap_or_else(|| panic!("no line in {expected}"));

    // Another runbook's rehearsal is none of this one's.
    let other = fs::read_to_string(&root).unwrap().replace("Root of trust", "Roots of trust");
    let other = stage.write("other.toml", &other);
    stage.keyrite(["rehearse", "--from", utf8(&stage.record), utf8(&other)]).ended(0);
    assert_eq!(refused(plan()).0, "REHEARSAL-MISSING");

    let told = stage.keyrite(line.split(' ')).ended(0).text();
    assert!(told.contains("The record's own 3 ceremonies"), "{told}");
    let change: String = plan().ended(0).json()["change"].as_str().unwrap().to_owned();
    let text = fs::read_to_string(stage.record.join("changes").join(change).join("change.json")).unwrap();
    let change: Value = serde_json::from_str(&text).unwrap();
    let rehearsal = &change["rehearsal"];
    let folder = stage.record.join("rehearsals").join(rehearsal["trust"].as_str().unwrap());
    let ceremony = rehearsal["ceremony"].as_str().unwrap();
    let head = rehearsal["head"].as_str().unwrap();
    let session = fs::read_dir(folder.join("transcripts").join(ceremony)).unwrap();
    let names: Vec<_> = session.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.contains(head)), "{head} in {names:?}");

    // Whoever signs looks for the rehearsal in their own copy.
    let copy = stage.path("copy");
    stage.on(&stage.record, &map, &["export", utf8(&copy), "--for", "ada"]).ended(0);
    fs::remove_dir_all(copy.join("rehearsals")).unwrap();
    let answers = stage.write("a.toml", "[answers]\n");
    let sign = ["sign", "--answers", utf8(&answers), "--unattended"];
    assert_eq!(refused(stage.on(&copy, &map, &sign)).0, "CHANGE-RECOMPUTED");
    stage.hold(&map, &root).1.ended(0);

    // The next one is rehearsed on what this one made, with its versions and dates.
    let map = devices.knowing(&stage.root()).write("devices-2.toml");
    let grant = first_day("05-camera-station");
    let (_, expected) = refused(stage.on(&stage.record, &map, &["plan", utf8(&grant)]));
    let (_, line) = expected.split_once(": keyrite ").unwrap_or_else(|| panic!("no line in {expected}"));
    let told = stage.keyrite(line.split(' ')).ended(0).text();
    assert!(told.contains("it accepts targets 2"), "{told}");
    let expiry = |record: &std::path::Path| {
        let status = stage.keyrite(["-C", utf8(record), "--json", "status"]).ended(0).json();
        status["roles"].as_array().unwrap().iter().find(|r| r["role"] == "root").unwrap()["expires"].clone()
    };
    assert_eq!(expiry(&stage.path("rehearsal-3/record")), expiry(&stage.record));
    stage.hold(&map, &grant).1.ended(0);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}
