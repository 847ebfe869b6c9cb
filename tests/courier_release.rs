//! Feature `courier`: `keyrite-courier release`, a developer at a terminal with Debian's notary-server behind
//! a machine in between, a place for installers, and a colleague who is faster.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hostile;
mod server;
mod stage;
mod typist;

use hostile::{Hostile, Reply, handed_on};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::{Value, json};
use server::{Backend, first_keys, publishes, uploads};
use stage::{Done, PHRASE, Stage, shipped, utf8};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

const CAMERA: &str = "targets/camera-station";
const SETUP: &[u8] = b"the second camera station";

fn courier(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

fn refused(stage: &Stage, line: &[&str], more: &[&str]) -> Value {
    let line = [&["--json"], line, more].concat();
    Done::of(&mut courier(&stage.dir, &line)).ended(1).json()["error"].clone()
}

/// A program in the place of the offline one, which says this when it is to release, and of an import that.
fn stand_in(stage: &Stage, name: &str, release: &str, import: &str) -> String {
    let text = format!(
        "#!/bin/sh\nfor word in \"$@\"; do case $word in release) echo '{release}'; exit;; import) echo '{import}'; exit;; esac; done\n"
    );
    let file = stage.write(name, &text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    utf8(&file).to_owned()
}

/// What stops a release before anything goes up.
fn stops(stage: &Stage, line: &[&str], files: &Hostile) {
    let lies: [fn() -> Reply; 4] = [
        || Reply::Says(404, Vec::new(), Vec::new()),
        || Reply::Gives(b"the secund camera station".to_vec()),
        || Reply::Gives([SETUP, b"."].concat()),
        || Reply::Gives(SETUP[1..].to_vec()),
    ];
    for lie in lies {
        files.now(move |_| lie());
        assert_eq!(refused(stage, line, &[])["rule"], "RELEASE-ADDRESS");
        assert_eq!(files.heard()[0].path, "/setup-2.msi");
    }
    files.now(|_| Reply::Gives(SETUP.to_vec()));
    assert_eq!(refused(stage, line, &["--keyrite", "./not-there"])["rule"], "RELEASE-OFFLINE");
    let said = refused(stage, line, &["--name", "door/setup-2.msi"]);
    assert_eq!(said["rule"], "RELEASE-OFFLINE");
    assert!(said["found"].as_str().unwrap().contains("RELEASE-NAME"), "{said}");
    let none = r#"{"left":[]}"#;
    let other = r#"{"targets":[],"upload":"uploads/x"}"#;
    let left = r#"{"left":["targets.json"]}"#;
    for (release, import) in [(other, none), (other, left)] {
        let program = stand_in(stage, "stand-in", release, import);
        assert_eq!(refused(stage, line, &["--keyrite", &program])["rule"], "RELEASE-DIFFERS");
    }
    // Whoever says that it comes there later is not held up by the address.
    files.now(|_| Reply::Closes);
    let said = refused(stage, line, &["--url-later", "--keyrite", "./not-there"]);
    assert_eq!((&said["rule"], files.heard().len()), (&json!("RELEASE-OFFLINE"), 0));
    files.now(|_| Reply::Gives(SETUP.to_vec()));
}

#[test]
fn a_release_in_one_motion_with_a_colleague_who_is_faster() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-release", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    let room = backend.enrolled(&stage, stage.devices());
    let (room, map) = first_keys(&stage, room);
    let push = |sealed: &[String]| {
        let (trust, upload) = (stage.record.join("trust.json"), stage.record.join(&sealed[0]));
        let line = ["push", utf8(&upload), "--trust", utf8(&trust), "--server", &backend.url];
        Done::of(&mut courier(&stage.dir, &[&line[..], &["--into", "pushed"]].concat())).ended(0);
        stage.keyrite(["-C", utf8(&stage.record), "import", "pushed"]).ended(0);
    };
    push(&uploads(&stage.hold(&map, &shipped("first-day/04-root.toml")).1.ended(0).json()));
    fs::copy(stage.path("pushed/root.json"), stage.path("root.json")).unwrap();
    let known = room.knowing(&stage.root()).write("devices-2.toml");
    push(&uploads(&stage.hold(&known, &shipped("first-day/05-camera-station.toml")).1.ended(0).json()));
    publishes(&stage, &backend, "dana", CAMERA, "camera-station/firmware-1.bin");

    let own = stage.devices().anchor(&stage.root()).backend(&backend.url);
    let own = own.in_file("dev-dana", "developers/dana.key").write("dana.toml");
    fs::write(stage.path("setup-2.msi"), SETUP).unwrap();
    let files = Hostile::new(|_| Reply::Gives(SETUP.to_vec()));
    let folder = format!("{}/", files.url);
    // Between their look and the upload somebody else publishes by the stock client.
    let (to, published) = (backend.url.clone(), AtomicBool::new(false));
    let (dir, collection) = (stage.path("dana-trust"), stage.trust.collection.clone());
    let other = stage.write("other.bin", "a colleague's");
    let between = Hostile::new(move |asked| {
        if asked.method == "POST" && !published.swap(true, Ordering::SeqCst) {
            let mut faster = Command::new("notary");
            faster.args(["-s", &to, "-d", utf8(&dir), "add", &collection, "camera-station/other.bin"]);
            faster.args([utf8(&other), "-r", CAMERA, "--publish"]);
            Done::of(faster.env("NOTARY_DELEGATION_PASSPHRASE", PHRASE)).ended(0);
        }
        Reply::Raw(handed_on(&to, asked))
    });
    let record = utf8(&stage.record);
    let line =
        ["release", "setup-2.msi", "--record", record, "--server", &between.url, "--devices", utf8(&own)];
    let line = [&line[..], &["--application", "camera-station", "--url", &folder]].concat();
    stops(&stage, &line, &files);
    assert!(between.heard().iter().all(|asked| asked.method == "GET"));

    let seen = typist::holds(courier(&stage.dir, &line), &stage.record);
    assert_eq!(seen.matches("(Yes or no)").count(), 2, "they are asked again\n{seen}");
    assert!(seen.contains("It is served"), "{seen}");
    let posted = between.heard().iter().filter(|asked| asked.method == "POST").count();
    assert_eq!(posted, 2);
    let served = ["update", "--json", "--trust", "root.json", "--server", &backend.url, "--target"];
    fs::create_dir(stage.path("out")).unwrap();
    let target = [&served[..], &["camera-station/setup-2.msi", "--out", "out"]].concat();
    let report = Done::of(&mut courier(&stage.dir, &target)).ended(0).json();
    assert_eq!(fs::read(stage.path("out/setup-2.msi")).unwrap(), SETUP);
    let roles = report["roles"].as_array().unwrap();
    let ours = roles.iter().find(|role| role["role"] == CAMERA).unwrap();
    assert_eq!(ours["version"], 3, "{report}");
    // What the colleague published is there too.
    let lookup = ["lookup", stage.trust.collection.as_str(), "camera-station/other.bin"];
    backend.client(&stage.path("fresh"), &lookup).ended(0);
    // The same line once more has nothing to hand over.
    let none = stage.write("none.toml", "[answers]\n");
    let again = [&["--json"], &line[..], &["--answers", utf8(&none), "--unattended"]].concat();
    let report = Done::of(&mut courier(&stage.dir, &again)).ended(0).json();
    assert_eq!((&report["upload"], &report["came"]), (&Value::Null, &Value::Null), "{report}");
    // Both documents of version 2 are in the record, which says so: theirs, and the one that never went up.
    let problems = stage.verify().ended(1).json()["problems"].clone();
    let named: Vec<_> = problems.as_array().unwrap().iter().map(|problem| problem["rule"].clone()).collect();
    assert_eq!(named[..2], ["RECORD-CONFLICT", "RECORD-CONFLICT"], "{problems}");
    assert!(named[2..].iter().all(|rule| rule == "MANIFEST-MISMATCH"), "{problems}");
}
