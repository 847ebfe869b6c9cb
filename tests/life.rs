//! Years of a trust in profile `notary`, one change after the other, by the program as people type
//! it, on SoftHSM tokens, against Debian's notary-server with notary-signer.
//!
//! After every change three stock clients list and look up what they should, and nothing else: a fresh
//! one, one that has not been seen since the beginning, and one that was there a step ago. The server
//! refuses what was taken out, or is too few by now. And developers go on publishing with the stock
//! client alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod attempts;
mod server;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use server::{Backend, same_bytes, take_published, upload, uploads};
use stage::{Devices, Done, Stage, block, blocks, brought, shipped, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CAMERA: &str = "targets/camera-station";
const DOOR: &str = "targets/door";
/// What the server says to a document that too few of the right keys have signed.
const TOO_FEW: &str = "valid signatures did not meet threshold";
/// The same for a root that the one before did not sign.
const NO_ROTATION: &str = "could not rotate trust to a new trusted root";

/// A trust, its backend, and the clients in the field.
struct Life<'a> {
    stage: &'a Stage,
    backend: Backend,
    devices: Devices<'a>,
    /// How many changes have gone up, for names.
    changes: usize,
    /// Who was there first, who a step ago: trust folders of stock clients.
    beginning: PathBuf,
    before: PathBuf,
    /// What developers have released: path, role, content.
    released: Vec<(String, &'static str, PathBuf)>,
    /// Who releases what after each change.
    developers: Vec<(&'static str, &'static str)>,
    /// The last upload, as it was carried to the backend.
    carried: PathBuf,
}

impl<'a> Life<'a> {
    /// The first day, in one room with every token; dana's first release.
    fn begin(stage: &'a Stage, mode: &str) -> Self {
        let backend = Backend::up(stage, mode);
        let mut devices = backend.enrolled(stage, stage.devices());
        for key in ["root-a", "root-b", "root-c", "targets-1"] {
            devices = devices.on_token(key, &stage.token(key));
        }
        let (_, enrolment) = stage.developer("dana");
        let devices = devices.enrol("dev-dana", &enrolment);
        let [beginning, before, carried] =
            ["client-beginning", "client-before", "nothing"].map(|name| stage.path(name));
        let mut life = Self {
            stage,
            backend,
            devices,
            changes: 0,
            beginning,
            before,
            released: Vec::new(),
            developers: vec![("dana", CAMERA)],
            carried,
        };
        for name in ["01-root-keys", "02-targets-key", "03-enroll"] {
            life.holds(&shipped(&format!("first-day/{name}.toml")));
        }
        life.goes_up(&shipped("first-day/04-root.toml"), &["root", "targets"]);
        life.goes_up(&shipped("first-day/05-camera-station.toml"), &["targets"]);
        life.release("first-day");
        for client in [&life.beginning, &life.before] {
            life.sees(client);
        }
        life
    }

    /// The device map as it stands on paper today.
    fn map(&self) -> PathBuf {
        let name = format!("laptop-{}.toml", self.changes);
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { self.devices.knowing(&self.stage.root()).write(&name) } else { self.devices.write(&name) }
    }

    /// Holds a ceremony to its end, with every prompt answered.
    fn holds(&mut self, runbook: &Path) -> serde_json::Value {
        self.changes += 1;
        let map = self.map();
        let (_, done) = self.stage.hold(&map, runbook);
        done.ended(0).json()
    }

    /// Holds one whose documents the server takes, whole and as they are.
    fn goes_up(&mut self, runbook: &Path, roles: &[&str]) {
        let done = uploads(&self.holds(runbook));
        assert_eq!(done.len(), 1, "{done:?}");
        self.carried = upload(self.stage, &self.backend, &done[0]);
        same_bytes(&self.backend, &self.stage.trust.collection, &self.carried, roles);
        self.comes_in();
    }

    /// What the server serves comes into the record.
    fn comes_in(&self) {
        let _ = fs::remove_dir_all(self.carried.join("published"));
        take_published(self.stage, &self.backend, &self.carried);
    }

    /// A change of trust in the middle of the life: it goes up, everyone in the field goes on, and
    /// every developer publishes.
    fn changes(&mut self, what: &str, runbook: &Path, roles: &[&str]) {
        self.goes_up(runbook, roles);
        self.field_goes_on();
        self.release(what);
        self.field_goes_on();
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], serde_json::json!([]), "{what}");
    }

    /// A fresh client, one of the beginning and one of a step ago see what they should.
    fn field_goes_on(&self) {
        let [fresh, stale] = ["fresh", "stale"].map(|name| self.stage.path(&format!("client-{name}")));
        for client in [&fresh, &stale] {
            let _ = fs::remove_dir_all(client);
        }
        Done::of(Command::new("cp").arg("-r").arg(&self.beginning).arg(&stale)).ended(0);
        for client in [&fresh, &stale, &self.before] {
            self.sees(client);
        }
    }

    /// A stock client lists everything that was released and nothing else, and looks it up.
    fn sees(&self, client: &Path) {
        let collection = self.stage.trust.collection.as_str();
        let listed = self.backend.client(client, &["list", collection]).ended(0).text();
        let many = listed.lines().filter(|line| line.contains(" targets/")).count();
        assert_eq!(many, self.released.len(), "{}: {listed}", client.display());
        for (target, role, file) in &self.released {
            let line = listed.lines().any(|l| l.contains(target.as_str()) && l.trim_end().ends_with(role));
            assert!(line, "{target}, by {}: {listed}", client.display());
            let found = self.backend.client(client, &["lookup", collection, target]).ended(0).text();
            assert!(found.contains(&Digest::of(&fs::read(file).unwrap()).hex()), "{found}");
        }
    }

    /// Every developer releases once more, with the stock client and nothing of ours.
    fn release(&mut self, what: &str) {
        for (developer, role) in self.developers.clone() {
            let own = self.stage.path(&format!("{developer}-trust"));
            if !own.exists() {
                let key = self.stage.path(&format!("developers/{developer}.key"));
                self.backend.client(&own, &["key", "import", utf8(&key)]).ended(0);
            }
            let target = format!("{}/{what}-by-{developer}.bin", role.trim_start_matches("targets/"));
            let file = self.stage.write(&target.replace('/', "-"), &format!("what {target} is"));
            let add = ["add", &self.stage.trust.collection, &target, utf8(&file), "-r", role, "--publish"];
            self.backend.client(&own, &add).ended(0);
            self.released.push((target, role, file));
        }
        self.comes_in();
    }

    /// The server refuses the next version of a document that these keys alone have signed, and the record a
    /// root, by its rule.
    fn refused(&self, role: &str, keys: &[&str], because: &str) {
        let bytes = attempts::next_version(self.stage, &RoleName::from_name(role), keys);
        fs::write(self.carried.join("attempt.json"), bytes).unwrap();
        let lines = blocks(&fs::read_to_string(self.carried.join("README.txt")).unwrap());
        let place = format!("\"$URL/v2/{}/_trust/tuf/\"", self.stage.trust.collection);
        let post = format!("curl -sS -F 'files=@attempt.json;filename={role}' {place}\n");
        let answer = self.backend.types(&self.carried, &format!("{}{post}", block(&lines, "URL="))).text();
        assert!(answer.contains("\"errors\"") && answer.contains(because), "{role} by {keys:?}: {answer}");
        if role == "root" {
            let medium = self.stage.path("attempted");
            fs::create_dir_all(&medium).unwrap();
            fs::copy(self.carried.join("attempt.json"), medium.join("root.json")).unwrap();
            let taken = ["-C", utf8(&self.stage.record), "--json", "import", utf8(&medium)];
            let report = self.stage.keyrite(taken).ended(1).json();
            assert_eq!(report["error"]["rule"], "ROOT-THRESHOLD-OLD", "by {keys:?}: {report}");
        }
        self.sees(&self.before);
    }

    /// A token comes into the room.
    fn token(&mut self, key: &str) {
        let serial = self.stage.token(key);
        self.devices = self.devices.clone().on_token(key, &serial);
    }

    /// A runbook of this test's own; the people are the same throughout.
    fn runbook(&self, name: &str, ceremony: &str, tables: &str) -> PathBuf {
        let people = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";
        let text = format!("ceremony = \"{ceremony}\"\ntitle = \"{name}\"\n{people}{tables}");
        self.stage.write(&format!("{name}.toml"), &text)
    }

    /// New root keys on tokens of their own, each of one person.
    fn root_keys(&mut self, keys: &[(&str, &str)]) {
        let mut tables = String::new();
        for (key, holder) in keys {
            self.token(key);
            writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"root\"").unwrap();
        }
        let name = format!("keys-{}", self.changes);
        let runbook = self.runbook(&name, "generate-key", &tables);
        self.holds(&runbook);
    }

    /// A developer makes a key, and it is enrolled.
    fn developer(&mut self, name: &str) {
        let (key, enrolment) = self.stage.developer(name);
        let dev = format!("dev-{name}");
        self.devices = self.devices.clone().in_file(&dev, utf8(&key)).enrol(&dev, &enrolment);
        let tables = format!("[[key]]\nname = \"{dev}\"\nholder = \"{name}\"\npurpose = \"delegation\"\n");
        let runbook = self.runbook(&format!("enroll-{name}"), "enroll-key", &tables);
        self.holds(&runbook);
    }

    /// Threshold and number of keys of the newest root's own role, as the server has it.
    fn root(&self) -> (u64, usize) {
        let folder = fs::read_dir(self.stage.record.join("metadata/root")).unwrap();
        let roots = folder.map(|e| fs::read(e.unwrap().path()).unwrap());
        let roots = roots.map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap());
        let newest = roots.max_by_key(|root| root["signed"]["version"].as_u64()).unwrap();
        let role = &newest["signed"]["roles"]["root"];
        (role["threshold"].as_u64().unwrap(), role["keyids"].as_array().unwrap().len())
    }
}

#[test]
fn a_trust_is_changed_in_every_way_and_no_client_is_lost() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("life", Profile::Notary, Kind::Production, &limits);
    let mut life = Life::begin(&stage, "signer");

    // A second application, of two developers; one of them will hold a root key as well.
    life.developer("emil");
    life.developer("gera");
    let door = "[delegation]\napplication = \"door\"\nkeys = [\"dev-emil\", \"dev-gera\"]\nthreshold = 1\n\
         paths = [\"door/\"]\nvalid-for = \"1 year\"\n";
    let door = life.runbook("door", "grant-delegation", door);
    // Emil signs last: what the application has is by his key alone.
    life.developers.extend([("gera", DOOR), ("emil", DOOR)]);
    life.changes("door", &door, &["targets"]);
    life.refused(DOOR, &["dev-dana"], TOO_FEW);

    // A developer is replaced.
    life.developer("fritz");
    let replaced = "[revoke]\napplication = \"door\"\nkey = \"dev-emil\"\nbecause = \"left\"\n\
         replace-with = [\"dev-fritz\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    let replaced = life.runbook("replaced", "revoke-delegation", replaced);
    life.developers = vec![("dana", CAMERA), ("fritz", DOOR), ("gera", DOOR)];
    life.changes("replaced", &replaced, &["targets", DOOR]);
    life.refused(DOOR, &["dev-emil"], TOO_FEW);

    // The targets key replaced: root and targets go up together, every grant stays.
    life.token("targets-2");
    life.holds(&shipped("rotate-targets-key/01-targets-key.toml"));
    life.changes("targets", &shipped("rotate-targets-key/02-rotate.toml"), &["root", "targets"]);
    life.refused("targets", &["targets-1"], TOO_FEW);

    // One root key replaced, by the runbooks that are shipped.
    life.token("root-d");
    life.holds(&shipped("rotate-root/01-root-key.toml"));
    life.changes("one", &shipped("rotate-root/02-rotate.toml"), &["root"]);
    assert_eq!(life.root(), (2, 3));
    life.refused("root", &["root-a", "root-c"], NO_ROTATION);

    // All keys replaced at once.
    life.root_keys(&[("root-e", "elin"), ("root-f", "finn"), ("root-g", "gera")]);
    let all = "[root]\nadd = [\"root-e\", \"root-f\", \"root-g\"]\n\
         remove = [\"root-a\", \"root-b\", \"root-d\"]\nvalid-for = \"2 years\"\n";
    let all = life.runbook("all", "rotate-root", all);
    life.changes("all", &all, &["root"]);
    assert_eq!(life.root(), (2, 3));
    life.refused("root", &["root-a", "root-b", "root-c", "root-d"], NO_ROTATION);
    life.refused("root", &["root-a", "root-b", "root-e"], NO_ROTATION);

    // One more key, and a higher threshold.
    life.root_keys(&[("root-h", "hugo")]);
    let raise = "[root]\nadd = [\"root-h\"]\nthreshold = 3\nvalid-for = \"2 years\"\n";
    let raise = life.runbook("raise", "rotate-root", raise);
    life.changes("raised", &raise, &["root"]);
    assert_eq!(life.root(), (3, 4));
    life.refused("root", &["root-e", "root-f"], NO_ROTATION);

    // One key's certificate renewed, and the root that lists it.
    let certify = "[certificate]\nkey = \"root-e\"\nwithin = \"10 years\"\n";
    let certify = life.runbook("certify", "certify-key", certify);
    life.holds(&certify);
    let again = life.runbook("again", "rotate-root", "[root]\nvalid-for = \"2 years\"\n");
    life.changes("certified", &again, &["root"]);
    // What it signs under its old certificate counts no more.
    life.refused("root", &["old root-e", "root-f", "root-g"], NO_ROTATION);

    // Gera leaves: her root key and her part of the application at once.
    life.root_keys(&[("root-i", "ines")]);
    let gera = "[revoke]\nperson = \"gera\"\nbecause = \"left\"\n\
         [reissue]\nvalid-for = \"1 year\"\n[root]\nreplace-with = [\"root-i\"]\nvalid-for = \"2 years\"\n";
    let gera = life.runbook("gera", "revoke-delegation", gera);
    life.developers = vec![("dana", CAMERA), ("fritz", DOOR)];
    life.changes("gera", &gera, &["root", "targets", DOOR]);
    assert_eq!(life.root(), (3, 4));
    life.refused(DOOR, &["dev-gera"], TOO_FEW);
    life.refused("root", &["root-e", "root-f", "root-g"], NO_ROTATION);

    // What ends within 500 days: targets, since root and what stock clients made live longer.
    let renew = "[renew]\nwithin = \"500 days\"\n[root]\nvalid-for = \"3 years\"\n\
         [targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n";
    let renew = life.runbook("renew", "renew", renew);
    life.changes("renewed", &renew, &["targets"]);
    let plan = stage.on(&stage.record, &life.map(), &["plan", utf8(&renew)]).ended(0).json();
    assert_eq!(plan["already-held"], true, "{plan}");

    // A key is lost: it is not asked, and the next root declares it so.
    life.root_keys(&[("root-j", "jost")]);
    let lost = "[root]\nadd = [\"root-j\"]\nlost = [\"root-f\"]\nvalid-for = \"2 years\"\n";
    let lost = life.runbook("lost", "rotate-root", lost);
    life.changes("lost", &lost, &["root"]);
    life.refused("root", &["root-e", "root-f", "root-h"], NO_ROTATION);

    // Everyone answers a roll-call; called again the same day, they have.
    let call = shipped("roll-call/01-roll-call.toml");
    life.holds(&call);
    let again = stage.on(&stage.record, &life.map(), &["plan", utf8(&call)]).ended(0).json();
    assert_eq!(again["already-held"], true, "{again}");

    // A key that left the root is destroyed; one that it lists is not.
    let listed = life.runbook("listed", "retire-key", "[retire]\nkey = \"root-e\"\n");
    let refused = stage.on(&stage.record, &life.map(), &["plan", utf8(&listed)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "KEY-STILL-LISTED", "{refused}");
    life.holds(&shipped("retire-key/01-retire.toml"));
    let called = life.runbook("called", "roll-call", "[roll-call]\nkeys = [\"root-c\"]\n");
    let refused = stage.on(&stage.record, &life.map(), &["plan", utf8(&called)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "KEY-GONE", "{refused}");

    // The whole life from FORMAT.md alone, without keyrite.
    let (version, payload) = stage.root();
    assert_eq!(version, 8);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(&stage.record).args(["--anchor", &format!("{version}:{payload}")]);
    Done::of(&mut python).ended(0);
}
