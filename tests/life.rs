//! Years of a trust in profile `notary`, one change after the other, by the program as people type
//! it, on SoftHSM tokens, against Debian's notary-server with notary-signer.
//!
//! After every change three stock clients list and look up what they should: a fresh one, one that
//! has not been seen since the beginning, and one that was there a step ago; and a developer goes
//! on publishing with the stock client alone.

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
use keyrite::record::upload::fetch_keys;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use server::{Backend, publishes, same_bytes, take_published, upload, uploads};
use stage::{Devices, Done, Stage, block, blocks, brought, shipped, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APP: &str = "targets/camera-station";
const FIRST: &str = "camera-station/firmware-1.bin";

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
    /// What dana has released: path and content.
    released: Vec<(String, PathBuf)>,
}

impl<'a> Life<'a> {
    /// The first day, in one room with every token; dana's first release.
    fn begin(stage: &'a Stage, mode: &str) -> Self {
        let backend = Backend::up(stage, mode);
        let mut devices = stage.devices();
        for key in ["root-a", "root-b", "root-c", "targets-1"] {
            devices = devices.on_token(key, &stage.token(key));
        }
        let incoming = stage.path("incoming");
        fs::create_dir_all(&incoming).unwrap();
        let lines = blocks(&fetch_keys(&stage.trust, Some(&backend.url)));
        let address = backend.address(&incoming, &lines);
        backend.types(&incoming, &format!("{address}{}", block(&lines, "-o snapshot.key")));
        let (_, enrolment) = stage.developer("dana");
        let devices = devices
            .backend(&backend.url)
            .enrol("backend-snapshot", &incoming.join("snapshot.key"))
            .enrol("backend-timestamp", &incoming.join("timestamp.key"))
            .enrol("dev-dana", &enrolment);
        let (beginning, before) = (stage.path("client-beginning"), stage.path("client-before"));
        let mut life = Self { stage, backend, devices, changes: 0, beginning, before, released: Vec::new() };
        for name in ["01-root-keys", "02-targets-key", "03-enroll"] {
            life.holds(&shipped(&format!("first-day/{name}.toml")));
        }
        life.goes_up(&shipped("first-day/04-root.toml"), &["root", "targets"]);
        let carried = life.goes_up(&shipped("first-day/05-camera-station.toml"), &["targets"]);
        publishes(stage, &life.backend, "dana", APP, FIRST);
        life.released.push((FIRST.to_owned(), stage.path("firmware.bin")));
        take_published(stage, &life.backend, &carried);
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
    fn goes_up(&mut self, runbook: &Path, roles: &[&str]) -> PathBuf {
        let done = uploads(&self.holds(runbook));
        assert_eq!(done.len(), 1, "{done:?}");
        let carried = upload(self.stage, &self.backend, &done[0]);
        same_bytes(&self.backend, &self.stage.trust.collection, &carried, roles);
        take_published(self.stage, &self.backend, &carried);
        carried
    }

    /// A change of trust in the middle of the life: it goes up, and everyone in the field goes on.
    fn changes(&mut self, what: &str, runbook: &Path, roles: &[&str]) {
        let carried = self.goes_up(runbook, roles);
        let fresh = self.stage.path(&format!("client-fresh-{}", self.changes));
        let stale = self.stage.path(&format!("client-stale-{}", self.changes));
        Done::of(Command::new("cp").arg("-r").arg(&self.beginning).arg(&stale)).ended(0);
        for client in [&fresh, &stale, &self.before] {
            self.sees(client);
        }
        self.releases(&format!("camera-station/after-{what}.bin"));
        take_published(self.stage, &self.backend, &carried);
        self.sees(&fresh);
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], serde_json::json!([]), "{what}");
    }

    /// A stock client lists and looks up everything that was released.
    fn sees(&self, client: &Path) {
        let collection = self.stage.trust.collection.as_str();
        let listed = self.backend.client(client, &["list", collection]).ended(0).text();
        for (target, file) in &self.released {
            let line = listed.lines().any(|l| l.contains(target.as_str()) && l.trim_end().ends_with(APP));
            assert!(line, "{target}, by {}: {listed}", client.display());
            let found = self.backend.client(client, &["lookup", collection, target]).ended(0).text();
            assert!(found.contains(&Digest::of(&fs::read(file).unwrap()).hex()), "{found}");
        }
    }

    /// Dana releases once more, with the stock client and nothing of ours.
    fn releases(&mut self, target: &str) {
        let name = target.rsplit('/').next().unwrap();
        let file = self.stage.write(name, &format!("what {target} is"));
        let own = self.stage.path("dana-trust");
        let add = ["add", &self.stage.trust.collection, target, utf8(&file), "-r", APP, "--publish"];
        self.backend.client(&own, &add).ended(0);
        self.released.push((target.to_owned(), file));
    }

    /// A token comes into the room.
    fn token(&mut self, key: &str) {
        let serial = self.stage.token(key);
        self.devices = self.devices.clone().on_token(key, &serial);
    }

    /// A runbook of this test's own; the people are the same throughout.
    fn runbook(&self, name: &str, ceremony: &str, tables: &str) -> PathBuf {
        let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
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
fn root_is_changed_in_every_way_and_no_client_is_lost() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("life-root", Profile::Notary, Kind::Production, &limits);
    let mut life = Life::begin(&stage, "signer");

    // One key replaced, by the runbooks that are shipped.
    life.token("root-d");
    life.holds(&shipped("rotate-root/01-root-key.toml"));
    life.changes("one", &shipped("rotate-root/02-rotate.toml"), &["root"]);
    assert_eq!(life.root(), (2, 3));

    // All keys replaced at once.
    life.root_keys(&[("root-e", "elin"), ("root-f", "finn"), ("root-g", "gera")]);
    let all = "[root]\nadd = [\"root-e\", \"root-f\", \"root-g\"]\n\
         remove = [\"root-a\", \"root-b\", \"root-d\"]\nvalid-for = \"2 years\"\n";
    let all = life.runbook("all", "rotate-root", all);
    life.changes("all", &all, &["root"]);
    assert_eq!(life.root(), (2, 3));

    // One more key, and a higher threshold.
    life.root_keys(&[("root-h", "hugo")]);
    let raise = "[root]\nadd = [\"root-h\"]\nthreshold = 3\nvalid-for = \"2 years\"\n";
    let raise = life.runbook("raise", "rotate-root", raise);
    life.changes("raised", &raise, &["root"]);
    assert_eq!(life.root(), (3, 4));

    // One key's certificate renewed, and the root that lists it.
    let certify = "[certificate]\nkey = \"root-e\"\nwithin = \"10 years\"\n";
    let certify = life.runbook("certify", "certify-key", certify);
    life.holds(&certify);
    let again = life.runbook("again", "rotate-root", "[root]\nvalid-for = \"2 years\"\n");
    life.changes("certified", &again, &["root"]);

    // A key is lost: it is not asked, and the next root declares it so.
    life.root_keys(&[("root-i", "ines")]);
    let lost = "[root]\nadd = [\"root-i\"]\nlost = [\"root-f\"]\nvalid-for = \"2 years\"\n";
    let lost = life.runbook("lost", "rotate-root", lost);
    life.changes("lost", &lost, &["root"]);

    // The targets key replaced: root and targets go up together, every grant stays.
    life.token("targets-2");
    life.holds(&shipped("rotate-targets-key/01-targets-key.toml"));
    life.changes("targets", &shipped("rotate-targets-key/02-rotate.toml"), &["root", "targets"]);

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
    assert_eq!(version, 7);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(&stage.record).args(["--anchor", &format!("{version}:{payload}")]);
    Done::of(&mut python).ended(0);
}
