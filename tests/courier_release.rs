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
use stage::{Devices, Done, PHRASE, Stage, shipped, utf8};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

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
/// What it was told for a release it leaves beside itself.
fn stand_in(stage: &Stage, name: &str, release: &str, import: &str) -> String {
    let text = format!(
        "#!/bin/sh\nfor word in \"$@\"; do case $word in release) printf '%s\\n' \"$@\" >\"$0.told\"; echo '{release}'; exit;; import) echo '{import}'; exit;; esac; done\n"
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
    let left = r#"{"left":["targets.json"]}"#;
    let url = &line[line.iter().position(|word| *word == "--url").unwrap() + 1];
    let url = format!("{url}setup-2.msi");
    let made = |url: &str, length: usize, of: &[u8]| {
        let sha256 = keyrite::tuf::digest::Digest::of(of);
        let target = json!({ "url": url, "length": length, "sha256": sha256.hex() });
        json!({ "targets": [target], "upload": "uploads/x" }).to_string()
    };
    let same = made(&url, SETUP.len(), SETUP);
    let moment = "another than a moment ago";
    let cases = [
        (r#"{"targets":[],"upload":"uploads/x"}"#, none, moment),
        (&made(&format!("{url}?"), SETUP.len(), SETUP), none, moment),
        (&made(&url, SETUP.len() + 1, SETUP), none, moment),
        (&made(&url, SETUP.len(), b"other"), none, moment),
        (&same, left, "targets.json, which the record doesn't take in"),
    ];
    for (release, import, found) in cases {
        let program = stand_in(stage, "stand-in", release, import);
        let said = refused(stage, line, &["--keyrite", &program]);
        assert_eq!(said["rule"], "RELEASE-DIFFERS", "{said}");
        assert!(said["found"].as_str().unwrap().contains(found), "{said}");
    }
    // With nothing of it, the upload is looked for, which isn't there.
    let program = stand_in(stage, "stand-in", &same, none);
    let pushes = [&["--json"], line, &["--keyrite", &program]].concat();
    let said = Done::of(&mut courier(&stage.dir, &pushes)).ended(3).json();
    assert_eq!(said["error"]["rule"], "MEDIA-READ", "{said}");
    told(stage, line);
    // Whoever says that it comes there later is not held up by the address.
    files.now(|_| Reply::Closes);
    let said = refused(stage, line, &["--url-later", "--keyrite", "./not-there"]);
    assert_eq!((&said["rule"], files.heard().len()), (&json!("RELEASE-OFFLINE"), 0));
    files.now(|_| Reply::Gives(SETUP.to_vec()));
}

/// The offline program is told all that was typed, and an end of it that it has no report for is none.
fn told(stage: &Stage, line: &[&str]) {
    let heard = |program: &str| {
        let words = fs::read_to_string(format!("{program}.told")).unwrap();
        words.lines().skip_while(|word| *word != "release").skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let program = stand_in(stage, "told", r#"{"targets":[]}"#, r#"{"left":[]}"#);
    let more = ["--track", "beta", "--valid-for", "9 days", "--withdraw", "a", "--withdraw", "b"];
    let more = [&more[..], &["--name", "camera-station/x", "--keyrite", &program]].concat();
    assert_eq!(refused(stage, line, &more)["rule"], "RELEASE-DIFFERS");
    let words = heard(&program);
    let typed = ["application=camera-station", "track=beta", "name=camera-station/x", "valid-for=9 days"];
    for word in typed.iter().chain(&["withdraw=a", "withdraw=b"]) {
        assert!(words.contains(&format!("--{word}")), "{word}: {words:?}");
    }
    assert_eq!(words[words.len() - 2..], ["--", "setup-2.msi"]);
    assert!(!words.contains(&"--renew".to_owned()), "{words:?}");
    let renewal = line.iter().position(|word| *word == "--url").unwrap();
    let renewal = [&line[..1], &line[2..renewal], &["--renew", "--keyrite", &program]].concat();
    Done::of(&mut courier(&stage.dir, &renewal)).ended(0);
    assert!(heard(&program).contains(&"--renew".to_owned()));
    let ends = stand_in(stage, "ends", r#"{"targets":[]}'; exit 3; echo '"#, r#"{"left":[]}"#);
    let renewal = [&renewal[1..renewal.len() - 1], &[&ends]].concat();
    assert_eq!(refused(stage, &["release"], &renewal)["rule"], "RELEASE-OFFLINE");
    // An authority for the address's server is looked at before anything is fetched.
    let none = stage.write("none.crt", "");
    let line = [&["--json"], line, &["--targets-ca", utf8(&none)]].concat();
    assert_eq!(Done::of(&mut courier(&stage.dir, &line)).ended(2).json()["error"]["rule"], "CA-FILE");
}

/// Brings an upload to a backend or into a tree, and takes in what is served then.
fn push(stage: &Stage, server: &str, upload: &str) {
    let (trust, upload) = (stage.record.join("trust.json"), stage.path(upload));
    let line = ["push", utf8(&upload), "--trust", utf8(&trust), "--server", server, "--into", "pushed"];
    Done::of(&mut courier(&stage.dir, &line)).ended(0);
    stage.keyrite(["-C", utf8(&stage.record), "import", "pushed"]).ended(0);
}

/// A runbook of the room.
fn hold(stage: &Stage, map: &Devices<'_>, ceremony: &str, tables: &str) -> Value {
    let number = fs::read_dir(&stage.dir).unwrap().count();
    let people = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";
    let text = format!("ceremony = \"{ceremony}\"\ntitle = \"{ceremony} {number}\"\n{people}{tables}");
    let runbook = stage.write(&format!("{number}.toml"), &text);
    stage.hold(&map.write(&format!("room-{number}.toml")), &runbook).1.ended(0).json()
}

fn key(name: &str, holder: &str, purpose: &str) -> String {
    format!("[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n")
}

/// A first day, and an application of which so many of Dana and Erik have to sign.
fn of_two(stage: &Stage, backend: &Backend, threshold: u32) {
    let up = |report: &Value| push(stage, &backend.url, &format!("record/{}", uploads(report)[0]));
    let room = backend.enrolled(stage, stage.devices());
    let (room, map) = first_keys(stage, room);
    let room = room.enrol("dev-erik", &stage.developer("erik").1);
    hold(stage, &room, "enroll-key", &key("dev-erik", "erik", "delegation"));
    up(&stage.hold(&map, &shipped("first-day/04-root.toml")).1.ended(0).json());
    fs::copy(stage.path("pushed/root.json"), stage.path("root.json")).unwrap();
    let tables = format!(
        "[delegation]\napplication = \"camera-station\"\nkeys = [\"dev-dana\", \"dev-erik\"]\n\
         threshold = {threshold}\npaths = [\"camera-station/\"]\nvalid-for = \"1 year\"\n"
    );
    up(&hold(stage, &room.knowing(&stage.root()), "grant-delegation", &tables));
}

/// Whose stock client publishes what between a look and the upload.
type Faster = Arc<Mutex<Option<(&'static str, &'static str)>>>;

/// A machine before the backend, on which somebody else is faster than the next upload.
fn before(stage: &Stage, backend: &Backend, faster: &Faster) -> Hostile {
    let (to, faster, dir) = (backend.url.clone(), faster.clone(), stage.dir.clone());
    let collection = stage.trust.collection.clone();
    let file = stage.write("other.bin", "a colleague's");
    Hostile::new(move |asked| {
        let turn = if asked.method == "POST" { faster.lock().unwrap().take() } else { None };
        if let Some((who, target)) = turn {
            let own = dir.join(format!("{who}-trust"));
            let mut notary = Command::new("notary");
            notary.args(["-s", &to, "-d", utf8(&own), "add", &collection, target]);
            notary.args([utf8(&file), "-r", CAMERA, "--publish"]);
            Done::of(notary.env("NOTARY_DELEGATION_PASSPHRASE", PHRASE)).ended(0);
        }
        Reply::Raw(handed_on(&to, asked))
    })
}

#[test]
fn a_release_in_one_motion_with_a_colleague_who_is_faster() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-release", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    of_two(&stage, &backend, 1);
    publishes(&stage, &backend, "dana", CAMERA, "camera-station/firmware-1.bin");
    publishes(&stage, &backend, "erik", CAMERA, "camera-station/firmware-2.bin");

    let own = stage.devices().anchor(&stage.root()).backend(&backend.url);
    let own = own.in_file("dev-dana", "developers/dana.key").write("dana.toml");
    fs::write(stage.path("setup-2.msi"), SETUP).unwrap();
    fs::write(stage.path("setup-3.msi"), SETUP).unwrap();
    let files = Hostile::new(|_| Reply::Gives(SETUP.to_vec()));
    let folder = format!("{}/", files.url);
    let faster = Faster::default();
    let between = before(&stage, &backend, &faster);
    let record = utf8(&stage.record);
    let typed = |file: &'static str| {
        let line = ["release", file, "--record", record, "--server", &between.url, "--devices", utf8(&own)];
        [&line[..], &["--application", "camera-station", "--url", &folder]].concat()
    };
    let line = typed("setup-2.msi");
    stops(&stage, &line, &files);
    assert!(between.heard().iter().all(|asked| asked.method == "GET"));

    *faster.lock().unwrap() = Some(("erik", "camera-station/other.bin"));
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
    assert_eq!(ours["version"], 4, "{report}");
    // What the colleague published is there too.
    let lookup = ["lookup", stage.trust.collection.as_str(), "camera-station/other.bin"];
    backend.client(&stage.path("fresh"), &lookup).ended(0);
    // The same line once more has nothing to hand over.
    let none = stage.write("none.toml", "[answers]\n");
    let again = [&["--json"], &line[..], &["--answers", utf8(&none), "--unattended"]].concat();
    let report = Done::of(&mut courier(&stage.dir, &again)).ended(0).json();
    assert_eq!((&report["upload"], &report["came"]), (&Value::Null, &Value::Null), "{report}");

    // Both documents of version 3 are in the record, which says which of them was lost, and to whom.
    let notices = stage.verify().ended(0).json()["notices"].clone();
    let notice = notices[0]["found"].as_str().unwrap();
    assert_eq!((notices.as_array().unwrap().len(), &notices[0]["rule"]), (1, &json!("DOCUMENT-OVERTAKEN")));
    for part in ["targets/camera-station 3,", "signed by dev-erik of erik,", "made targets/camera-station 4"]
    {
        assert!(notice.contains(part), "{part}: {notice}");
    }
    let status = |more: &[&str]| stage.on(&stage.record, &own, &[&["status"], more].concat()).ended(0);
    let report = status(&[]).json();
    assert_eq!(
        (&report["findings"], &report["conflicts"], &report["uploads"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(
        (&report["overtaken"][0]["role"], &report["overtaken"][0]["version"]),
        (&json!(CAMERA), &json!(3))
    );
    let screen = stage.keyrite(["-C", record, "--devices", utf8(&own), "status"]).ended(0).text();
    assert!(screen.contains("DOCUMENT-OVERTAKEN") && !screen.contains("plan the runbook again"), "{screen}");

    // Where one's own key was faster, with another program, that may be a thief: people decide.
    *faster.lock().unwrap() = Some(("dana", "camera-station/third.bin"));
    typist::holds(courier(&stage.dir, &typed("setup-3.msi")), &stage.record);
    let report = stage.verify().ended(1).json();
    let named: Vec<_> = report["problems"].as_array().unwrap().iter().map(|p| p["rule"].clone()).collect();
    assert_eq!(named[..2], ["RECORD-CONFLICT", "RECORD-CONFLICT"], "{report}");
    assert_eq!(report["notices"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn a_release_that_a_second_developer_signs_goes_up_when_it_is_back() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-release-two", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    of_two(&stage, &backend, 2);
    let map = |who: &str| {
        let map = stage.devices().anchor(&stage.root()).backend(&backend.url);
        map.in_file(&format!("dev-{who}"), &format!("developers/{who}.key")).write(&format!("{who}.toml"))
    };
    let (dana, erik) = (map("dana"), map("erik"));
    let theirs = stage.path("record-of-erik");
    stage.on(&stage.record, &dana, &["export", utf8(&theirs)]).ended(0);
    fs::write(stage.path("setup-2.msi"), SETUP).unwrap();
    let files = Hostile::new(|_| Reply::Gives(SETUP.to_vec()));
    let folder = format!("{}/", files.url);
    let between = before(&stage, &backend, &Faster::default());
    let record = utf8(&stage.record);
    let line = ["release", "setup-2.msi", "--record", record, "--server", &between.url];
    let line = [&line[..], &["--devices", utf8(&dana), "--application", "camera-station", "--url", &folder]];
    let line = line.concat();

    let seen = typist::ends(courier(&stage.dir, &line), &stage.record, 4);
    assert!(seen.contains("It waits for another developer's signature, and nothing went up."), "{seen}");
    // Typed again before that, it still waits, and asks for nothing but the date.
    let seen = typist::ends(courier(&stage.dir, &line), &stage.record, 4);
    assert!(seen.contains("nothing went up") && !seen.contains("(Yes or no)"), "{seen}");
    assert!(between.heard().iter().all(|asked| asked.method == "GET"));

    let stick = stage.path("stick");
    stage.on(&stage.record, &dana, &["export", utf8(&stick), "--for", "erik"]).ended(0);
    let status = stage.on(&stage.record, &dana, &["status"]).ended(0).json();
    let open = |change: &&Value| change["state"] == "waits for signatures";
    let change = status["changes"].as_array().unwrap().iter().find(open).unwrap();
    stage.on(&theirs, &erik, &["import", utf8(&stick)]).ended(0);
    stage.sign(&theirs, &erik, change["change"].as_str().unwrap()).ended(0);
    stage.on(&stage.record, &dana, &["import", utf8(&theirs)]).ended(0);
    let seen = typist::holds(courier(&stage.dir, &line), &stage.record);
    assert!(seen.contains("It is served"), "{seen}");
    assert_eq!(between.heard().iter().filter(|asked| asked.method == "POST").count(), 1);
    let lookup = ["lookup", stage.trust.collection.as_str(), "camera-station/setup-2.msi"];
    backend.client(&stage.path("fresh"), &lookup).ended(0);
    assert_eq!(stage.verify().ended(0).json()["notices"], json!([]));
}

#[test]
fn a_release_of_profile_tuf_goes_up_with_the_next_snapshot() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("courier-release-tuf", Profile::Tuf, Kind::Rehearsal, &limits);
    let (_, enrolment) = stage.developer("dana");
    let mut room = stage.devices().in_file("dev-dana", "developers/dana.key").enrol("dev-dana", &enrolment);
    let mut keys = String::new();
    for (name, holder, purpose) in [
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ] {
        room = room.in_file(name, &format!("keys/{name}.pem"));
        keys.push_str(&key(name, holder, purpose));
    }
    fs::create_dir_all(stage.path("keys")).unwrap();
    hold(&stage, &room, "generate-key", &keys);
    hold(&stage, &room, "enroll-key", &key("dev-dana", "dana", "delegation"));
    stage.hold(&room.write("room.toml"), &shipped("first-day-tuf/04-root.toml")).1.ended(0);
    let room = room.knowing(&stage.root()).write("room.toml");
    stage.hold(&room, &shipped("first-day-tuf/05-camera-station.toml")).1.ended(0);
    let goes_up = || {
        let made = stage.on(&stage.record, &room, &["sign-snapshot", "--unattended"]).ended(0).json();
        push(&stage, "tree", made["upload"].as_str().unwrap());
    };
    fs::create_dir(stage.path("tree")).unwrap();
    goes_up();

    let own = stage.devices().anchor(&stage.root()).in_file("dev-dana", "developers/dana.key");
    let own = own.write("dana.toml");
    fs::write(stage.path("setup-2.msi"), SETUP).unwrap();
    let files = Hostile::new(|_| Reply::Gives(SETUP.to_vec()));
    let url = format!("{}/setup-2.msi?token=1&part=2", files.url);
    let line = ["release", "setup-2.msi", "--record", utf8(&stage.record), "--server", "tree"];
    let line = [&line[..], &["--devices", utf8(&own), "--application", "camera-station", "--url", &url]];
    let before = fs::read(stage.path("tree/timestamp.json")).unwrap();
    let seen = typist::holds(courier(&stage.dir, &line.concat()), &stage.record);
    assert!(seen.contains("nothing went up from here") && seen.contains("sign-snapshot"), "{seen}");
    assert_eq!(fs::read(stage.path("tree/timestamp.json")).unwrap(), before);

    goes_up();
    fs::create_dir(stage.path("out")).unwrap();
    fs::copy(stage.path("tree/1.root.json"), stage.path("root.json")).unwrap();
    let update = ["update", "--json", "--trust", "root.json", "--server", "tree", "--target"];
    let target = [&update[..], &["camera-station/setup-2.msi", "--out", "out"]].concat();
    let report = Done::of(&mut courier(&stage.dir, &target)).ended(0).json();
    assert_eq!(fs::read(stage.path("out/setup-2.msi")).unwrap(), SETUP, "{report}");
    assert_eq!(stage.verify().ended(0).json()["problems"], json!([]));
}
