//! Developers, applications and people who come and go, by the program as people type it.
//!
//! Profile `notary`: SoftHSM tokens, Debian's notary-server and the stock client. What was revoked
//! is refused by the server; developers publish with the stock client alone after every change; a
//! fresh client and one that was there from the beginning see what they should. Profile `tuf`: the
//! same life, read by python-tuf, with and without what it had seen before, and by tough.

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
use keyrite::signer::keyfile::{KeyFile, PrivateKey};
use keyrite::signer::secret::Pin;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Keys, TargetFile};
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::make::{self, TargetsEdit};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::verify::Signature;
use keyrite::tuf::wire;
use serde_json::Value;
use server::{Backend, same_bytes, take_published, upload, uploads};
use stage::{Devices, Done, PHRASE, Stage, block, blocks, brought, shell, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEOPLE: &str = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";

/// A trust, whose ceremonies are held in one room.
struct Room<'a> {
    stage: &'a Stage,
    devices: Devices<'a>,
    held: usize,
}

impl Room<'_> {
    fn map(&self) -> PathBuf {
        let name = format!("room-{}.toml", self.held);
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { self.devices.knowing(&self.stage.root()).write(&name) } else { self.devices.write(&name) }
    }

    /// Holds a runbook to its end.
    fn holds(&mut self, runbook: &Path) -> Value {
        self.held += 1;
        let map = self.map();
        self.stage.hold(&map, runbook).1.ended(0).json()
    }

    /// Holds a runbook of this text.
    fn runs(&mut self, kind: &str, tables: &str) -> Value {
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{kind} {}\"\n{PEOPLE}{tables}", self.held);
        let runbook = self.stage.write(&format!("runbooks/{}.toml", self.held), &text);
        self.holds(&runbook)
    }

    /// What planning a runbook of this text is refused by.
    fn refused(&mut self, kind: &str, tables: &str) -> String {
        self.held += 1;
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{kind}\"\n{PEOPLE}{tables}");
        let runbook = self.stage.write(&format!("runbooks/refused-{}.toml", self.held), &text);
        let done = self.stage.on(&self.stage.record, &self.map(), &["plan", utf8(&runbook)]).ended(1).json();
        done["error"]["rule"].as_str().unwrap().to_owned()
    }

    /// That nothing is due by a runbook of this text, which is no error.
    fn nothing_due(&mut self, kind: &str, tables: &str) {
        self.held += 1;
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{kind}\"\n{PEOPLE}{tables}");
        let runbook = self.stage.write(&format!("runbooks/held-{}.toml", self.held), &text);
        let done = self.stage.on(&self.stage.record, &self.map(), &["plan", utf8(&runbook)]).ended(0).json();
        assert_eq!(done["already-held"], true, "{done}");
    }

    /// A developer of that name makes a key, and it is enrolled.
    fn developer(&mut self, name: &str) {
        let (key, enrolment) = self.stage.developer(name);
        let key_name = format!("dev-{name}");
        self.devices = self.devices.clone().in_file(&key_name, utf8(&key)).enrol(&key_name, &enrolment);
        self.runs(
            "enroll-key",
            &format!("[[key]]\nname = \"{key_name}\"\nholder = \"{name}\"\npurpose = \"delegation\"\n"),
        );
    }
}

/// The newest file of a role that says nothing evil.
fn newest(stage: &Stage, role: &RoleName) -> wire::Envelope {
    let folder = stage.record.join("metadata").join(role.file_name());
    let mut files: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| (p.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().parse().unwrap(), p))
        .collect();
    files.retain(|(_, path)| !String::from_utf8_lossy(&fs::read(path).unwrap()).contains("/evil.bin"));
    files.sort();
    wire::parse(stage.trust.profile, role, &fs::read(&files.last().unwrap().1).unwrap()).unwrap()
}

/// What a developer signs with a key of theirs, entitled or not: the next version of a delegation's
/// document with one file more.
fn signed_by(stage: &Stage, developer: &str, role: &str, listed: &Keys, path: &str) -> (u64, Vec<u8>) {
    let role = RoleName::from_name(role);
    let file = KeyFile::parse(&fs::read(stage.path(&format!("developers/{developer}.key"))).unwrap());
    let key: PrivateKey = file.unwrap().open(&Pin::new(PHRASE.to_owned())).unwrap();
    let before = newest(stage, &role);
    let profile = stage.trust.profile;
    let digest = Digest::of(path.as_bytes()).as_bytes().to_vec();
    let hashes = Hashes::from([("sha256".to_owned(), digest)]);
    let edits = [TargetsEdit::PutTarget {
        path: path.to_owned(),
        file: TargetFile { length: path.len() as u64, hashes, custom: None },
    }];
    let version = before.payload().version() + 1;
    let expires = "2027-11-01T00:00:00Z".parse().unwrap();
    let payload = make::targets(profile, &role, version, expires, Some(before.payload()), &edits).unwrap();
    let scheme = wire::scheme(profile, key.public());
    let raw = key.sign(scheme, payload.bytes()).unwrap();
    let signature =
        Signature::check(key.public(), scheme, &Payload::Metadata(payload.clone()), &raw).unwrap();
    (version, wire::seal(&payload, listed, &[signature]).unwrap())
}

/// The key entries of a targets document, to sign under their ids.
fn entries(stage: &Stage) -> Keys {
    newest(stage, &RoleName::Targets).payload().document().as_targets().unwrap().delegations.keys.clone()
}

// --- profile notary

const COLLECTION: &str = "updates.example.com/apps";

/// A trust and its server.
struct Served<'a> {
    room: Room<'a>,
    backend: Backend,
    /// A client that was there from the beginning.
    primed: PathBuf,
    /// What clients have to see: path and role.
    released: Vec<(String, String)>,
    carried: PathBuf,
}

impl<'a> Served<'a> {
    fn begin(stage: &'a Stage) -> Self {
        let backend = Backend::up(stage, "signer");
        let mut devices = backend.enrolled(stage, stage.devices());
        for key in ["root-a", "root-b", "root-c", "targets-1"] {
            devices = devices.on_token(key, &stage.token(key));
        }
        let (key, enrolment) = stage.developer("dana");
        let devices = devices.enrol("dev-dana", &enrolment).in_file("dev-dana", utf8(&key));
        let room = Room { stage, devices, held: 0 };
        let (primed, carried) = (stage.path("primed"), PathBuf::new());
        let mut life = Self { room, backend, primed, released: Vec::new(), carried };
        for name in ["01-root-keys", "02-targets-key", "03-enroll"] {
            life.room.holds(&shipped(&format!("first-day/{name}.toml")));
        }
        for (name, roles) in [("04-root", &["root", "targets"][..]), ("05-camera-station", &["targets"])] {
            let done = life.room.holds(&shipped(&format!("first-day/{name}.toml")));
            life.goes_up(&done, roles);
        }
        life.publishes("dana", "targets/camera-station", "camera-station/one.bin");
        life
    }

    /// What a ceremony has sealed goes up, and what the server then serves comes in.
    fn goes_up(&mut self, done: &Value, roles: &[&str]) {
        let uploads = uploads(done);
        assert_eq!(uploads.len(), 1, "{uploads:?}");
        self.carried = upload(self.room.stage, &self.backend, &uploads[0]);
        same_bytes(&self.backend, COLLECTION, &self.carried, roles);
        self.comes_in();
        self.seen();
    }

    fn comes_in(&self) {
        take_published(self.room.stage, &self.backend, &self.carried);
        fs::remove_dir_all(self.carried.join("published")).unwrap();
    }

    /// A developer publishes with the stock client, and nothing of ours.
    fn publishes(&mut self, developer: &str, role: &str, target: &str) {
        let stage = self.room.stage;
        let own = stage.path(&format!("{developer}-trust"));
        if !own.exists() {
            let key = stage.path(&format!("developers/{developer}.key"));
            self.backend.client(&own, &["key", "import", utf8(&key)]).ended(0);
        }
        let file = stage.write("release.bin", target);
        let add = ["add", COLLECTION, target, utf8(&file), "-r", role, "--publish"];
        self.backend.client(&own, &add).ended(0);
        self.released.push((target.to_owned(), role.to_owned()));
        self.comes_in();
        self.seen();
    }

    /// A fresh client and the one of the beginning see what was released, and nothing else.
    fn seen(&self) {
        let fresh = self.room.stage.path("fresh");
        let _ = fs::remove_dir_all(&fresh);
        for client in [&fresh, &self.primed] {
            let listed = self.backend.client(client, &["list", COLLECTION]).ended(0).text();
            for (target, role) in &self.released {
                let there = |l: &str| l.contains(target.as_str()) && l.trim_end().ends_with(role.as_str());
                assert!(listed.lines().any(there), "{target} for {}: {listed}", client.display());
            }
            let many = listed.lines().filter(|l| l.contains(" targets/")).count();
            assert_eq!(many, self.released.len(), "{}: {listed}", client.display());
        }
    }

    /// The server takes nothing that this developer's key alone has signed.
    fn is_refused(&self, developer: &str, role: &str, listed: &Keys, because: &str) {
        let (_, bytes) = signed_by(self.room.stage, developer, role, listed, "camera-station/evil.bin");
        fs::write(self.carried.join("evil.json"), bytes).unwrap();
        let lines = blocks(&fs::read_to_string(self.carried.join("README.txt")).unwrap());
        let place = format!("\"$URL/v2/{COLLECTION}/_trust/tuf/\"");
        let post = format!("curl -sS -F 'files=@evil.json;filename={role}' {place}\n");
        let answer = self.backend.types(&self.carried, &format!("{}{post}", block(&lines, "URL="))).text();
        assert!(answer.contains("\"errors\"") && answer.contains(because), "{developer}: {answer}");
        self.seen();
    }
}

#[test]
fn a_real_server_refuses_what_was_revoked() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("life-delegations", Profile::Notary, Kind::Production, &limits);
    let mut life = Served::begin(&stage);
    let (camera, door, park) = ("targets/camera-station", "targets/door", "targets/park");

    // A spare key of the administrators', as the shipped story has it.
    let (spare, enrolment) = stage.developer("spare");
    life.room.devices =
        life.room.devices.clone().in_file("dev-spare", utf8(&spare)).enrol("dev-spare", &enrolment);
    life.room
        .runs("enroll-key", "[[key]]\nname = \"dev-spare\"\nholder = \"spare\"\npurpose = \"delegation\"\n");
    let done = life.room.holds(&shipped("stolen-developer-key/02-spare.toml"));
    life.goes_up(&done, &["targets"]);
    life.publishes("dana", camera, "camera-station/two.bin");

    // Two more applications; bruno, who holds a root key, develops one of them.
    for (name, application) in [("emil", "door"), ("bruno", "park")] {
        life.room.developer(name);
        let spare = if name == "bruno" { ", \"dev-spare\"" } else { "" };
        let tables = format!(
            "[delegation]\napplication = \"{application}\"\nkeys = [\"dev-{name}\"{spare}]\nthreshold = 1\n\
             paths = [\"{application}/\"]\nvalid-for = \"1 year\"\n"
        );
        let done = life.room.runs("grant-delegation", &tables);
        life.goes_up(&done, &["targets"]);
        life.publishes(name, &format!("targets/{application}"), &format!("{application}/one.bin"));
    }

    // A developer is replaced: customers see nothing of it, and the old key is worth nothing.
    let listed = entries(&stage);
    life.room.developer("fritz");
    let replaced = "[revoke]\napplication = \"door\"\nkey = \"dev-emil\"\nbecause = \"left\"\n\
        replace-with = [\"dev-fritz\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    let done = life.room.runs("revoke-delegation", replaced);
    life.goes_up(&done, &["targets", door]);
    life.is_refused("emil", door, &listed, "valid signatures did not meet threshold");
    life.publishes("fritz", door, "door/two.bin");
    life.publishes("dana", camera, "camera-station/three.bin");

    // Dana's key is stolen and used. Four lines: fetch and take in, run, check and post.
    let own = stage.path("dana-trust");
    let evil = stage.write("evil.bin", "evil");
    let add = ["add", COLLECTION, "camera-station/evil.bin", utf8(&evil), "-r", camera, "--publish"];
    life.backend.client(&own, &add).ended(0);
    life.comes_in();
    let text = fs::read_to_string(shipped("stolen-developer-key/03-stolen.toml")).unwrap();
    let text = text.replace("without-paths = []", "without-paths = [\"camera-station/evil.bin\"]");
    let runbook = stage.write("runbooks/stolen.toml", &text);
    let listed = entries(&stage);
    let plan = stage.keyrite([
        "-C",
        utf8(&stage.record),
        "--devices",
        utf8(&life.room.map()),
        "plan",
        utf8(&runbook),
    ]);
    let plan = plan.ended(0).text();
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("target camera-station/evil.bin: new in version"), "{plan}");
    assert!(!plan.contains("target camera-station/one.bin: new"), "the backend had it before: {plan}");
    let done = life.room.holds(&runbook);
    life.goes_up(&done, &["targets", camera]);
    life.is_refused("dana", camera, &listed, "valid signatures did not meet threshold");
    let back = "[more]\napplication = \"door\"\nadd-keys = [\"dev-dana\"]\n";
    assert_eq!(life.room.refused("grant-delegation", back), "KEY-GONE");
    life.publishes("spare", camera, "camera-station/four.bin");

    // An application ends, and comes back: its versions go on.
    let done = life.room.runs("revoke-delegation", "[revoke]\napplication = \"door\"\nbecause = \"left\"\n");
    let listed = entries_before(&stage);
    life.released.retain(|(_, role)| role != door);
    life.goes_up(&done, &["targets"]);
    life.is_refused("fritz", door, &listed, "delegation does not exist");
    life.publishes("spare", camera, "camera-station/five.bin");
    let again = "[delegation]\napplication = \"door\"\nkeys = [\"dev-fritz\"]\nthreshold = 1\n\
        paths = [\"door/\"]\nvalid-for = \"1 year\"\n";
    let done = life.room.runs("grant-delegation", again);
    // The server has kept the old document, and fritz has signed it.
    life.released
        .extend([("door/one.bin", door), ("door/two.bin", door)].map(|(a, b)| (a.to_owned(), b.to_owned())));
    life.goes_up(&done, &["targets"]);
    life.publishes("fritz", door, "door/three.bin");

    // Bruno leaves: his root key and his application at once.
    let serial = stage.token("root-d");
    life.room.devices = life.room.devices.clone().on_token("root-d", &serial);
    life.room.holds(&shipped("person-revoked/01-keys.toml"));
    let listed = entries(&stage);
    let done = life.room.holds(&shipped("person-revoked/02-revoke.toml"));
    life.goes_up(&done, &["root", "targets", park]);
    life.is_refused("bruno", park, &listed, "valid signatures did not meet threshold");
    life.publishes("fritz", door, "door/four.bin");

    // What ends within 500 days: targets, and the documents that were signed again here.
    let renew = "[renew]\nwithin = \"500 days\"\n[root]\nvalid-for = \"3 years\"\n\
        [targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n";
    let done = life.room.runs("renew", renew);
    life.goes_up(&done, &["targets", park]);
    life.publishes("spare", camera, "camera-station/six.bin");
    life.publishes("fritz", door, "door/five.bin");
    life.room.nothing_due("renew", renew);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}

/// The entries of the targets document before the newest one.
fn entries_before(stage: &Stage) -> Keys {
    let newest = newest(stage, &RoleName::Targets).payload().version();
    let folder = stage.record.join("metadata/targets");
    let before = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{}.", newest - 1)));
    let envelope =
        wire::parse(stage.trust.profile, &RoleName::Targets, &fs::read(before.unwrap()).unwrap()).unwrap();
    envelope.payload().document().as_targets().unwrap().delegations.keys.clone()
}

// --- profile tuf

/// A trust and the folder that clients read.
struct Folder<'a> {
    room: Room<'a>,
    repository: PathBuf,
    /// What clients have to find.
    released: Vec<String>,
}

impl<'a> Folder<'a> {
    fn begin(stage: &'a Stage) -> Self {
        let mut devices = stage.devices();
        fs::create_dir_all(stage.path("keys")).unwrap();
        for key in
            ["root-a", "root-b", "root-c", "root-d", "targets-1", "online-snapshot", "online-timestamp"]
        {
            devices = devices.in_file(key, &format!("keys/{key}.pem"));
        }
        let (key, enrolment) = stage.developer("dana");
        let devices = devices.in_file("dev-dana", utf8(&key)).enrol("dev-dana", &enrolment);
        let repository = stage.path("repository");
        fs::create_dir_all(&repository).unwrap();
        let mut room = Room { stage, devices, held: 0 };
        for name in ["01-root-keys", "02-targets-key"] {
            room.holds(&shipped(&format!("first-day-tuf/{name}.toml")));
        }
        let online = ["snapshot", "timestamp"].map(|role| {
            format!("[[key]]\nname = \"online-{role}\"\nholder = \"operations\"\npurpose = \"{role}\"\n")
        });
        room.runs("generate-key", &online.concat());
        room.runs(
            "enroll-key",
            "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n",
        );
        for name in ["04-root", "05-camera-station"] {
            room.holds(&shipped(&format!("first-day-tuf/{name}.toml")));
        }
        let mut life = Self { room, repository, released: Vec::new() };
        life.releases("dana", "camera-station", "camera-station/one.bin");
        life
    }

    /// The online keys sign, the folder is served, and clients of every kind find what they should.
    fn served(&self) {
        self.publish();
        let mut wanted = Vec::new();
        for target in &self.released {
            wanted.extend(["--target", target.as_str()]);
        }
        let roots = fs::read_dir(&self.repository).unwrap().map(|e| e.unwrap().path());
        for root in roots.filter(|p| p.to_str().unwrap().ends_with(".root.json")) {
            self.python(&root, &wanted).ended(0);
        }
        // The client that was there from the beginning, with all that it has seen.
        let cache = self.room.stage.path("primed");
        let mut primed = vec!["--cache", utf8(&cache)];
        primed.extend(&wanted);
        self.python(&self.repository.join("1.root.json"), &primed).ended(0);
        let seen = self.tough(&self.released.iter().map(String::as_str).collect::<Vec<_>>()).ended(0).json();
        assert_eq!(seen["targets_seen"].as_object().unwrap().len(), self.released.len(), "{seen}");
    }

    fn publish(&self) {
        let stage = self.room.stage;
        let map = self.room.map();
        let made = stage.on(&stage.record, &map, &["sign-snapshot", "--unattended"]).ended(0).json();
        assert_eq!(made["made"], true);
        let folder = stage.path(made["upload"].as_str().unwrap());
        let lines = blocks(&fs::read_to_string(folder.join("README.txt")).unwrap());
        let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(&self.repository));
        assert_eq!(shell(&folder, &line, &[]).ended(0).text(), "");
    }

    fn python(&self, root: &Path, arguments: &[&str]) -> Done {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(root).arg(&self.repository).args(arguments);
        Done::of(python.current_dir(&self.room.stage.dir))
    }

    fn tough(&self, arguments: &[&str]) -> Done {
        let mut tough = Command::new(brought("standins/tough-client"));
        tough.arg(self.repository.join("1.root.json")).arg(&self.repository).arg("-").args(arguments);
        Done::of(tough.current_dir(&self.room.stage.dir))
    }

    /// A developer's own tool makes a document, which the record takes or leaves.
    fn brings(&self, developer: &str, role: &str, listed: &Keys, target: &str) -> Value {
        let stage = self.room.stage;
        let (version, bytes) = signed_by(stage, developer, role, listed, target);
        let medium = stage.path(&format!("from-{developer}"));
        let _ = fs::remove_dir_all(&medium);
        fs::create_dir_all(&medium).unwrap();
        fs::write(medium.join(format!("{version}.{role}.json")), bytes).unwrap();
        let import = ["-C", utf8(&stage.record), "--json", "import", utf8(&medium)];
        stage.keyrite(import).json()
    }

    fn releases(&mut self, developer: &str, role: &str, target: &str) {
        let report = self.brings(developer, role, &entries(self.room.stage), target);
        assert_eq!(report["left"], serde_json::json!([]), "{report}");
        self.released.push(target.to_owned());
        self.served();
    }

    /// What this developer's key alone has signed reaches no client, wherever it lies.
    fn is_refused(&self, developer: &str, role: &str, listed: &Keys) {
        self.brings(developer, role, listed, &format!("{role}/evil.bin"));
        let stage = self.room.stage;
        let sign = ["sign-snapshot", "--unattended"];
        let made = stage.on(&stage.record, &self.room.map(), &sign).ended(0).json();
        assert_eq!(made["made"], false, "nothing new to list");
    }
}

#[test]
fn python_tuf_and_tough_follow_every_revocation() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("life-delegations-tuf", Profile::Tuf, Kind::Rehearsal, &limits);
    let mut life = Folder::begin(&stage);

    // A spare key; a second application.
    life.room.developer("spare");
    life.room
        .runs("grant-delegation", "[more]\napplication = \"camera-station\"\nadd-keys = [\"dev-spare\"]\n");
    life.served();
    life.room.developer("emil");
    let door = "[delegation]\napplication = \"door\"\nkeys = [\"dev-emil\"]\nthreshold = 1\n\
        paths = [\"door/*\"]\nvalid-for = \"1 year\"\n";
    life.room.runs("grant-delegation", door);
    life.served();
    life.releases("emil", "door", "door/one.bin");

    // A developer is replaced.
    life.room.developer("fritz");
    let listed = entries(&stage);
    let replaced = "[revoke]\napplication = \"door\"\nkey = \"dev-emil\"\nbecause = \"left\"\n\
        replace-with = [\"dev-fritz\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    life.room.runs("revoke-delegation", replaced);
    life.served();
    life.is_refused("emil", "door", &listed);
    life.releases("fritz", "door", "door/two.bin");

    // A stolen key has signed something.
    life.releases("dana", "camera-station", "camera-station/evil.bin");
    let text = fs::read_to_string(shipped("stolen-developer-key/03-stolen.toml")).unwrap();
    let text = text.replace("without-paths = []", "without-paths = [\"camera-station/evil.bin\"]");
    let listed = entries(&stage);
    life.room.holds(&stage.write("runbooks/stolen.toml", &text));
    life.released.retain(|target| !target.contains("evil"));
    life.served();
    life.python(&life.repository.join("1.root.json"), &["--expect-missing", "camera-station/evil.bin"])
        .ended(0);
    life.is_refused("dana", "camera-station", &listed);

    // An application ends: clients that knew it go on with the others; it comes back, one up.
    life.room.runs("revoke-delegation", "[revoke]\napplication = \"door\"\nbecause = \"left\"\n");
    life.released.retain(|target| !target.starts_with("door/"));
    life.served();
    life.python(&life.repository.join("1.root.json"), &["--expect-missing", "door/one.bin"]).ended(0);
    life.room.runs("grant-delegation", &door.replace("dev-emil", "dev-fritz"));
    life.served();
    assert!(newest(&stage, &RoleName::from_name("door")).payload().version() > 3);
    life.releases("fritz", "door", "door/three.bin");

    // Without a document signed again clients of that application stop, and of no other; then it is.
    life.room
        .runs("grant-delegation", "[more]\napplication = \"camera-station\"\nadd-keys = [\"dev-fritz\"]\n");
    life.served();
    life.room.runs("revoke-delegation", "[revoke]\nkey = \"dev-spare\"\nbecause = \"lost\"\n");
    life.publish();
    let root = life.repository.join("1.root.json");
    life.python(&root, &["--target", "camera-station/one.bin"]).ended(1);
    life.python(&root, &["--target", "door/three.bin"]).ended(0);
    let renew = "[renew]\nwithin = \"30 days\"\nroles = [\"camera-station\"]\n[delegations]\nvalid-for = \"1 year\"\n";
    life.room.runs("renew", renew);
    life.served();

    // A person with a root key leaves, and all that ends is renewed.
    life.room.holds(&shipped("person-revoked/01-keys.toml"));
    life.room.holds(&shipped("person-revoked/02-revoke.toml"));
    life.served();
    let all = "[renew]\nwithin = \"720 days\"\n[root]\nvalid-for = \"3 years\"\n\
        [targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n";
    life.room.runs("renew", all);
    life.served();
    life.room.nothing_due("renew", all);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}
