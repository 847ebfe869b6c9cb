//! `keyrite release`, by the program as people type it, up to what clients find.
//!
//! In profile `notary` against Debian's notary-server and the stock client: one developer with a key on a
//! SoftHSM token, one with a key in a file, an application that wants both and one that wants either.
//! In profile `tuf` up to python-tuf.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod server;
mod stage;
mod typist;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::{Limits, PossessionLimit};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use serde_json::{Value, json};
use server::{Backend, publishes, take_published, upload};
use stage::{Devices, Done, Stage, block, blocks, brought, fill, shell, shipped, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEOPLE: &str = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";
const MANUAL: &str = include_str!("../ceremonies/README.md");
const CAM: &str = "https://dl.example.com/camera-station/";
const DOOR: &str = "https://dl.example.com/door/";

/// A developer with a copy of the record and a device map of their own.
struct Developer<'a> {
    stage: &'a Stage,
    record: PathBuf,
    map: PathBuf,
}

impl Developer<'_> {
    fn on(&self, line: &[&str]) -> Done {
        self.stage.on(&self.record, &self.map, line)
    }

    /// The answers to a release, planned from its runbook, and its change.
    fn answers(&self, line: &[&str]) -> (String, PathBuf) {
        let number = fs::read_dir(&self.stage.dir).unwrap().count();
        let [runbook, answers] =
            ["runbook", "answers"].map(|what| self.stage.path(&format!("{what}-{number}.toml")));
        let before = files(&self.record);
        self.on(&[&["release"], line, &["--write-runbook", utf8(&runbook)]].concat()).ended(0);
        assert_eq!(files(&self.record), before, "a runbook that is written signs nothing");
        let plan = ["plan", utf8(&runbook), "--write-answers", utf8(&answers)];
        let plan = self.on(&plan).ended(0).json();
        let change = plan["change"].as_str().unwrap_or_else(|| panic!("no change: {plan}")).to_owned();
        fs::write(&answers, fill(&fs::read_to_string(&answers).unwrap(), &change)).unwrap();
        (change, answers)
    }

    /// The line typed with its answers at hand.
    fn releases(&self, line: &[&str], exit: i32) -> Value {
        let (_, answers) = self.answers(line);
        let with = ["--answers", utf8(&answers), "--unattended"];
        self.on(&[&["release"], line, &with].concat()).ended(exit).json()
    }

    /// The line typed with nothing left to do.
    fn again(&self, line: &[&str]) -> Value {
        let none = self.stage.write("none.toml", "[answers]\n");
        self.on(&[&["release"], line, &["--answers", utf8(&none), "--unattended"]].concat()).ended(0).json()
    }

    /// A refusal, before which nothing was written.
    fn refused(&self, line: &[&str], rule: &str) -> Value {
        let before = files(&self.record);
        let done = self.on(&[&["release"], line].concat());
        let said = done.json()["error"].clone();
        assert_eq!(said["rule"], rule, "{line:?}: {said}");
        assert_eq!(files(&self.record), before, "{line:?}");
        said
    }

    /// The release goes to the room's record, from there to the backend, and comes back from it.
    fn carried(&self, backend: &Backend, report: &Value) -> PathBuf {
        let room = utf8(&self.stage.record);
        self.stage.keyrite(["-C", room, "import", utf8(&self.record)]).ended(0);
        let carried = upload(self.stage, backend, report["upload"].as_str().unwrap());
        take_published(self.stage, backend, &carried);
        self.learns();
        carried
    }

    fn learns(&self) {
        self.on(&["import", utf8(&self.stage.record)]).ended(0);
    }
}

/// Every file of a record but its lock, with its content's digest.
fn files(record: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut found = BTreeMap::new();
    let mut folders = vec![record.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("lock") {
                found.insert(path.clone(), Digest::of(&fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// A runbook of the room.
fn hold(stage: &Stage, map: &Devices<'_>, ceremony: &str, tables: &str) -> Value {
    let number = fs::read_dir(&stage.dir).unwrap().count();
    let text = format!("ceremony = \"{ceremony}\"\ntitle = \"{ceremony} {number}\"\n{PEOPLE}{tables}");
    let runbook = stage.write(&format!("{number}.toml"), &text);
    stage.hold(&map.write(&format!("room-{number}.toml")), &runbook).1.ended(0).json()
}

/// A developer without keyrite makes a key and a certificate by the manual's lines.
fn certified(stage: &Stage, backend: &Backend) -> PathBuf {
    let manual = blocks(MANUAL);
    let lines = block(&manual, "-out fay.crt");
    let (openssl, import) = lines.trim_end().rsplit_once('\n').unwrap();
    shell(&stage.dir, openssl, &[]).ended(0);
    let pem = stage.path("fay.pem");
    let words =
        import.split_whitespace().skip(3).map(|word| if word == "fay.pem" { utf8(&pem) } else { word });
    backend.client(&stage.path("fay-trust"), &words.collect::<Vec<_>>()).ended(0);
    stage.path("fay.crt")
}

/// And publishes by the line that is there.
fn without_keyrite(stage: &Stage, backend: &Backend) {
    let setup = stage.write("setup-1.msi", "what fay releases");
    let custom = stage.write("custom.json", "{\"url\":\"https://dl.example.com/gate/setup-1.msi\"}");
    let manual = blocks(MANUAL);
    let line = block(&manual, "add updates.example.com/apps gate/setup-1.msi");
    let words = line.split_whitespace().skip(3).map(|word| match word {
        "updates.example.com/apps" => stage.trust.collection.as_str(),
        "setup-1.msi" => utf8(&setup),
        "custom.json" => utf8(&custom),
        _ => word,
    });
    backend.client(&stage.path("fay-trust"), &words.collect::<Vec<_>>()).ended(0);
    finds(stage, backend, "gate/setup-1.msi", &setup);
}

/// A first day in production, and three applications: `camera-station` by Dana and Emil, `door` by Emil,
/// `gate` by Fay, who has no keyrite.
fn granted<'a>(stage: &'a Stage, backend: &Backend) -> (Devices<'a>, String) {
    let mut room = backend.enrolled(stage, stage.devices());
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        room = room.on_token(key, &stage.token(key));
    }
    let (_, enrolment) = stage.developer("emil");
    let dana = stage.token("dev-dana");
    room = room.enrol("dev-emil", &enrolment).enrol("dev-fay", &certified(stage, backend));
    let all = room.clone().on_token("dev-dana", &dana);
    for runbook in ["first-day/01-root-keys.toml", "first-day/02-targets-key.toml"] {
        stage.hold(&room.write("room.toml"), &shipped(runbook)).1.ended(0);
    }
    let key = |name: &str, holder: &str, purpose: &str| {
        format!("[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n")
    };
    hold(
        stage,
        &all,
        "generate-key",
        &format!("{}algorithm = \"p256\"\n", key("dev-dana", "dana", "delegation")),
    );
    let backends =
        ["snapshot", "timestamp"].map(|role| key(&format!("backend-{role}"), "backend", role)).concat();
    let developers = ["emil", "fay"].map(|name| key(&format!("dev-{name}"), name, "delegation")).concat();
    hold(stage, &room, "enroll-key", &format!("{backends}{developers}"));
    let report = stage.hold(&room.write("room.toml"), &shipped("first-day/04-root.toml")).1.ended(0).json();
    let carried = upload(stage, backend, report["uploads"][0].as_str().unwrap());
    take_published(stage, backend, &carried);
    let both = "\"dev-dana\", \"dev-emil\"";
    for (application, keys, threshold) in
        [("camera-station", both, 2), ("door", "\"dev-emil\"", 1), ("gate", "\"dev-fay\"", 1)]
    {
        let tables = format!(
            "[delegation]\napplication = \"{application}\"\nkeys = [{keys}]\nthreshold = {threshold}\n\
             paths = [\"{application}/\"]\nvalid-for = \"1 year\"\n"
        );
        let report = hold(stage, &room.knowing(&stage.root()), "grant-delegation", &tables);
        let carried = upload(stage, backend, report["uploads"][0].as_str().unwrap());
        take_published(stage, backend, &carried);
    }
    (stage.devices().anchor(&stage.root()).backend(&backend.url), dana)
}

fn developer<'a>(stage: &'a Stage, name: &str, map: &Devices<'_>) -> Developer<'a> {
    let record = stage.path(&format!("record-of-{name}"));
    stage.keyrite(["-C", utf8(&stage.record), "export", utf8(&record)]).ended(0);
    Developer { stage, record, map: map.write(&format!("{name}.toml")) }
}

/// What a fresh stock client finds of a file.
fn finds(stage: &Stage, backend: &Backend, target: &str, file: &Path) {
    let number = fs::read_dir(&stage.dir).unwrap().count();
    let fresh = stage.path(&format!("client-{number}"));
    let found = backend.client(&fresh, &["lookup", &stage.trust.collection, target]).ended(0).text();
    assert!(found.contains(&Digest::of(&fs::read(file).unwrap()).hex()), "{found}");
    backend.client(&fresh, &["verify", &stage.trust.collection, target, "-i", utf8(file)]).ended(0);
}

fn targets(carried: &Path, role: &str) -> Value {
    let file = carried.join(format!("{}.json", role.replace('/', "%2F")));
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    document["signed"]["targets"].clone()
}

/// Two developers, one after the other: a token, then a key in a file.
fn both_sign(stage: &Stage, backend: &Backend, dana: &Developer<'_>, emil: &Developer<'_>) -> PathBuf {
    let setup = stage.write("setup-1.msi", "the first camera station");
    let line = [utf8(&setup), "--application", "camera-station", "--url", CAM];
    let waits = dana.releases(&line, 4);
    assert_eq!(waits["waiting"], json!([{"holder": "emil", "key": "dev-emil"}]), "{waits}");
    assert_eq!((&waits["upload"], &waits["version"]), (&Value::Null, &json!(1)), "{waits}");
    let change = waits["change"].as_str().unwrap();
    let stick = stage.path("stick");
    dana.on(&["export", utf8(&stick), "--for", "emil"]).ended(0);
    emil.on(&["import", utf8(&stick)]).ended(0);
    stage.sign(&emil.record, &emil.map, change).ended(0);
    dana.on(&["import", utf8(&emil.record)]).ended(0);
    let done = dana.releases(&line, 0);
    assert_eq!(done["change"], change);
    let said = &done["targets"][0];
    let sha256 = Digest::of(&fs::read(&setup).unwrap()).hex();
    assert_eq!((&said["name"], &said["length"]), (&json!("camera-station/setup-1.msi"), &json!(24)));
    assert_eq!((&said["sha256"], &said["url"]), (&json!(sha256), &json!(format!("{CAM}setup-1.msi"))));
    let carried = dana.carried(backend, &done);
    finds(stage, backend, "camera-station/setup-1.msi", &setup);
    let served = &targets(&carried, "targets/camera-station")["camera-station/setup-1.msi"];
    assert_eq!(served["custom"], json!({"url": format!("{CAM}setup-1.msi")}));
    assert_eq!(served["hashes"].as_object().unwrap().len(), 2, "{served}");
    // Once more is nothing more.
    let again = dana.again(&line);
    assert_eq!(again["already-held"].as_array().unwrap().len(), 1, "{again}");
    carried
}

/// One developer at a terminal, over what a colleague published by the stock client.
fn at_a_terminal(stage: &Stage, backend: &Backend, carried: &Path, emil: &Developer<'_>) {
    publishes(stage, backend, "emil", "targets/door", "door/firmware-1.bin");
    take_published(stage, backend, carried);
    emil.learns();
    let setup = stage.write("door-2.msi", "the second door");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(["-C", utf8(&emil.record), "--devices", utf8(&emil.map), "release", utf8(&setup)]);
    command.args(["--application", "door", "--url", DOOR]).current_dir(&stage.dir);
    let seen = typist::holds(command, &emil.record);
    let before = seen.split("(Yes or no)").next().unwrap();
    let sha256 = Digest::of(&fs::read(&setup).unwrap()).hex();
    for said in ["door/door-2.msi, 15 bytes", &sha256, "https://dl.example.com/door/door-2.msi"] {
        assert!(before.contains(said), "{said} in\n{before}");
    }
    assert!(!seen.contains("(same or no)"), "nobody is there to compare a digest with\n{seen}");
    let report = emil.again(&[utf8(&setup), "--application", "door", "--url", DOOR]);
    assert_eq!(
        (&report["already-held"][0], &report["version"]),
        (&json!("door: release door/door-2.msi"), &json!(2))
    );
    emil.carried(backend, &report);
    finds(stage, backend, "door/door-2.msi", &setup);
    finds(stage, backend, "door/firmware-1.bin", &stage.path("firmware.bin"));

    // Another takes its place, for a while; then everything is signed again, for longer.
    let next = stage.write("door-3.msi", "the third door");
    let line = [utf8(&next), "--application", "door", "--url", DOOR, "--withdraw", "door/door-2.msi"];
    let report = emil.releases(&[&line[..], &["--valid-for", "90 days"]].concat(), 0);
    assert_eq!(report["withdrawn"], json!(["door/door-2.msi"]));
    let before = targets(&emil.carried(backend, &report), "targets/door");
    let names: Vec<&String> = before.as_object().unwrap().keys().collect();
    assert_eq!(names, ["door/door-3.msi", "door/firmware-1.bin"]);
    let report = emil.releases(&["--application", "door", "--renew"], 0);
    assert_eq!((&report["version"], &report["targets"]), (&json!(4), &json!([])));
    assert_eq!(targets(&emil.carried(backend, &report), "targets/door"), before);
}

/// What is refused, with nothing written.
fn refusals(stage: &Stage, dana: &Developer<'_>, emil: &Developer<'_>) {
    let setup = stage.write("setup-9.msi", "never released");
    let file = utf8(&setup);
    let cam = |more: &[&'static str]| -> Vec<String> {
        let line = [&[file, "--application", "camera-station"], more].concat();
        line.into_iter().map(str::to_owned).collect()
    };
    let plain = "https://dl.example.com/setup-9.msi";
    let table = [
        (cam(&["--url", "https://dl.example.com/s?X-Amz-Date=1&X-Amz-Signature=2"]), "CUSTOM-NOTARY"),
        (cam(&["--url", "https://dl.example.com/<s>"]), "CUSTOM-NOTARY"),
        (cam(&["--url", "https://dl.example.com/\u{2028}"]), "CUSTOM-NOTARY"),
        (cam(&["--url", "dl.example.com/s"]), "RELEASE-URL"),
        (cam(&[]), "RELEASE-URL"),
        (cam(&["--url", plain, "--name", "door/setup-9.msi"]), "RELEASE-NAME"),
        (cam(&["--url", plain, "--name", "camera-station/../setup-9.msi"]), "RELEASE-NAME"),
        (cam(&["--url", plain, "--withdraw", "camera-station/setup-8.msi"]), "TARGET-MISSING"),
        (cam(&["--url", plain, "--valid-for", "9 years"]), "EXPIRY-LIMIT"),
        (cam(&["--url", plain, "--track", "beta"]), "DELEGATION-MISSING"),
    ];
    for (line, rule) in table {
        let said = dana.refused(&line.iter().map(String::as_str).collect::<Vec<_>>(), rule);
        let next = said["next"].as_str().unwrap();
        assert_eq!(next.contains("without a query"), rule == "CUSTOM-NOTARY", "{said}");
    }
    emil.refused(&["nowhere.msi", "--application", "door", "--url", plain], "MEDIA-READ");
    emil.refused(&["developers", "--application", "door", "--url", plain], "MEDIA-KIND");
    dana.refused(&[file, "--application", "door", "--url", plain], "RELEASE-KEYS");
    let twice = [file, utf8(&dana.map), "--application", "camera-station", "--url", plain];
    dana.refused(&twice, "USAGE");
}

/// A stock client that was given an address with a query publishes nothing any more, until what it has
/// staged is cleared as the manual says; what keyrite has released meanwhile stays.
fn stuck(stage: &Stage, backend: &Backend, carried: &Path, emil: &Developer<'_>) {
    let (own, collection) = (stage.path("emil-trust"), stage.trust.collection.clone());
    let custom = stage.write("custom.json", r#"{"url":"https://dl.example.com/a?x=1&y=2"}"#);
    let plain = stage.write("plain.json", r#"{"url":"https://dl.example.com/a"}"#);
    let other = stage.write("other.bin", "another release");
    let add = |target: &str, custom: &Path| {
        let line = ["add", collection.as_str(), target, utf8(&other), "-r", "targets/door", "--publish"];
        backend.client(&own, &[&line[..], &["--custom", utf8(custom)]].concat())
    };
    let refused = |done: Done| {
        let done = done.ended(1);
        let said = format!("{}{}", done.text(), done.problems());
        assert!(said.contains("valid signatures did not meet threshold"), "{said}");
    };
    refused(add("door/stuck.bin", &custom));
    refused(add("door/next.bin", &plain));
    let manual = blocks(MANUAL);
    let lines = block(&manual, "notary -s https://notary.example.com reset");
    for (line, expected) in lines.lines().zip(["door/stuck.bin", ""]) {
        let words = line.split("  #").next().unwrap().split_whitespace().skip(3);
        let words: Vec<&str> =
            words.map(|word| if word == "updates.example.com/apps" { &collection } else { word }).collect();
        let said = backend.client(&own, &words).ended(0).text();
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert_eq!(lines.lines().count(), 2, "{lines}");
    add("door/next.bin", &plain).ended(0);
    finds(stage, backend, "door/next.bin", &other);
    finds(stage, backend, "door/door-3.msi", &stage.path("door-3.msi"));

    take_published(stage, backend, carried);
    emil.learns();
    let line = ["--application", "door", "--withdraw", "door/next.bin"];
    let kept = targets(&emil.carried(backend, &emil.releases(&line, 0)), "targets/door");
    let names: Vec<&String> = kept.as_object().unwrap().keys().collect();
    assert_eq!(names, ["door/door-3.msi", "door/firmware-1.bin"]);
}

#[test]
fn developers_release_to_a_notary_server() {
    let mut limits = Limits::default_for(Profile::Notary);
    // A certificate proves nothing.
    limits.delegations.possession = PossessionLimit::FirstPublication;
    let stage = Stage::new("release-notary", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    let (map, dana) = granted(&stage, &backend);
    let dana = developer(&stage, "dana", &map.clone().on_token("dev-dana", &dana));
    let emil = developer(&stage, "emil", &map.in_file("dev-emil", "developers/emil.key"));
    without_keyrite(&stage, &backend);
    let carried = both_sign(&stage, &backend, &dana, &emil);
    refusals(&stage, &dana, &emil);
    at_a_terminal(&stage, &backend, &carried, &emil);
    stuck(&stage, &backend, &carried, &emil);
    assert_eq!(stage.verify().ended(0).json()["problems"], json!([]));
}

#[test]
fn developers_release_into_a_tree_that_python_tuf_reads() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("release-tuf", Profile::Tuf, Kind::Rehearsal, &limits);
    let (_, enrolment) = stage.developer("dana");
    let mut room = stage.devices().in_file("dev-dana", "developers/dana.key").enrol("dev-dana", &enrolment);
    let mut keys = String::new();
    for (key, holder, purpose) in [
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ] {
        room = room.in_file(key, &format!("keys/{key}.pem"));
        let _ = write!(keys, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n");
    }
    fs::create_dir_all(stage.path("keys")).unwrap();
    hold(&stage, &room, "generate-key", &keys);
    let dana = "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n";
    hold(&stage, &room, "enroll-key", dana);
    for runbook in ["first-day-tuf/04-root.toml", "first-day-tuf/05-camera-station.toml"] {
        let known = stage.record.join("metadata/root").exists();
        let map = if known { room.knowing(&stage.root()) } else { room.clone() };
        stage.hold(&map.write("room.toml"), &shipped(runbook)).1.ended(0);
    }
    let map = room.knowing(&stage.root()).write("room.toml");
    let dana = Developer { stage: &stage, record: stage.record.clone(), map };
    let (one, two) = (stage.write("one.msi", "one"), stage.write("two (x64).msi", "number two"));
    let url = "https://dl.example.com/cam?X-Amz-Date=1&X-Amz-Signature=2/";
    let line = [utf8(&one), utf8(&two), "--application", "camera-station", "--url", url];
    let report = dana.releases(&line, 0);
    assert_eq!((&report["upload"], &report["version"]), (&Value::Null, &json!(2)), "{report}");
    assert_eq!(report["targets"][1]["url"], format!("{url}two%20%28x64%29.msi"));
    assert_eq!(report["targets"][1]["sha512"], Value::Null);

    let made = dana.on(&["sign-snapshot", "--unattended"]).ended(0).json();
    let folder = stage.path(made["upload"].as_str().unwrap());
    let (metadata, files) = (stage.path("metadata"), stage.path("files/camera-station"));
    for folder in [&metadata, &files] {
        fs::create_dir_all(folder).unwrap();
    }
    let lines = blocks(&fs::read_to_string(folder.join("README.txt")).unwrap());
    let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(&metadata));
    shell(&folder, &line, &[]).ended(0);
    for (file, name) in [(&one, "one.msi"), (&two, "two (x64).msi")] {
        fs::copy(file, files.join(name)).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(metadata.join("1.root.json")).arg(&metadata);
    python.args(["--target", "camera-station/one.msi", "--target", "camera-station/two (x64).msi"]);
    let seen = Done::of(python.args(["--expect-missing", "camera-station/x"])).ended(0).json();
    let two = &seen["targets"]["camera-station/two (x64).msi"];
    assert_eq!(two["length"], 10, "{seen}");
}
