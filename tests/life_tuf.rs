//! Years of a trust in profile `tuf`: the life of `life.rs`, on SoftHSM tokens, with python-tuf and
//! tough as clients.
//!
//! After every change both find every target from every root that there ever was, and nothing that was
//! taken out; so do a python-tuf client that was there from the beginning, with all it has seen since
//! then, and one of a step ago. Developers go on publishing. What keys that were taken out sign comes
//! into no snapshot, and a root by them is taken by no client, wherever it lies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod attempts;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use serde_json::Value;
use stage::{Devices, Done, Stage, block, blocks, brought, shell, shipped, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEOPLE: &str = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";

struct Life<'a> {
    stage: &'a Stage,
    devices: Devices<'a>,
    /// The end of the last transcript, which people have on paper.
    head: Option<String>,
    repository: PathBuf,
    held: usize,
    /// What developers have released.
    released: Vec<String>,
    /// Who releases for which application after each change.
    developers: Vec<(&'static str, &'static str)>,
}

impl Life<'_> {
    fn map(&self) -> PathBuf {
        let rooted = self.stage.record.join("metadata/root").exists();
        let map = if rooted { self.devices.knowing(&self.stage.root()) } else { self.devices.clone() };
        let map = self.head.iter().fold(map, |map, head| map.head(head));
        map.write(&format!("devices-{}.toml", self.held))
    }

    fn holds(&mut self, runbook: &Path) {
        self.held += 1;
        let map = self.map();
        let done = self.stage.hold(&map, runbook).1.ended(0).json();
        self.head = done["head"].as_str().map(str::to_owned).or(self.head.take());
    }

    fn runbook(&self, ceremony: &str, tables: &str) -> PathBuf {
        let text =
            format!("ceremony = \"{ceremony}\"\ntitle = \"{ceremony} {}\"\n{PEOPLE}{tables}", self.held);
        self.stage.write(&format!("{}-{ceremony}.toml", self.held), &text)
    }

    /// Makes keys, each of one holder: of root and targets on a token of its own, else in a file.
    fn keys(&mut self, keys: &[(&str, &str, &str)]) {
        let mut tables = String::new();
        for (key, holder, purpose) in keys {
            self.devices = match *purpose {
                "root" | "targets" => self.devices.clone().on_token(key, &self.stage.token(key)),
                _ => self.devices.clone().in_file(key, &format!("keys/{key}.pem")),
            };
            writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
        }
        let runbook = self.runbook("generate-key", &tables);
        self.holds(&runbook);
    }

    /// A developer makes a key, and it is enrolled.
    fn developer(&mut self, name: &str) {
        let (key, enrolment) = self.stage.developer(name);
        let dev = format!("dev-{name}");
        self.devices = self.devices.clone().in_file(&dev, utf8(&key)).enrol(&dev, &enrolment);
        let tables = format!("[[key]]\nname = \"{dev}\"\nholder = \"{name}\"\npurpose = \"delegation\"\n");
        let runbook = self.runbook("enroll-key", &tables);
        self.holds(&runbook);
    }

    /// Holds a change, which every client follows; then every developer releases.
    fn changes(&mut self, ceremony: &str, tables: &str) {
        let runbook = self.runbook(ceremony, tables);
        self.goes_up(&runbook);
    }

    fn goes_up(&mut self, runbook: &Path) {
        self.holds(runbook);
        let newest = self.stage.root().0;
        self.served(1..=newest);
        self.release();
    }

    /// Every developer's own tool makes a document, and clients find what is new in it.
    fn release(&mut self) {
        for (developer, application) in self.developers.clone() {
            let target = format!("{application}/{}-by-{developer}.bin", self.held);
            let role = RoleName::from_name(application);
            let key = format!("dev-{developer}");
            let bytes = attempts::with_target(self.stage, &role, &[&key], Some((&target, target.as_bytes())));
            let report = self.brings(application, &bytes);
            assert_eq!(report["left"], serde_json::json!([]), "{report}");
            self.released.push(target);
        }
        self.served(1..=1);
    }

    /// A document comes on a medium, and the record takes it or leaves it.
    fn brings(&self, role: &str, bytes: &[u8]) -> Value {
        let medium = self.stage.path("medium");
        let _ = fs::remove_dir_all(&medium);
        fs::create_dir_all(&medium).unwrap();
        fs::write(medium.join(format!("{}.{role}.json", version(bytes))), bytes).unwrap();
        self.stage.keyrite(["-C", utf8(&self.stage.record), "--json", "import", utf8(&medium)]).json()
    }

    fn signs_snapshot(&self) -> Value {
        let map = self.map();
        self.stage.on(&self.stage.record, &map, &["sign-snapshot", "--unattended"]).ended(0).json()
    }

    /// The online keys sign, the folder is served, and every client follows.
    fn served(&self, roots: impl Iterator<Item = u64>) {
        let made = self.signs_snapshot();
        assert_eq!(made["made"], true, "{made}");
        let folder = self.stage.path(made["upload"].as_str().unwrap());
        let lines = blocks(&fs::read_to_string(folder.join("README.txt")).unwrap());
        let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(&self.repository));
        assert_eq!(shell(&folder, &line, &[]).ended(0).text(), "");
        self.field_goes_on(roots);
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], serde_json::json!([]));
    }

    /// Fresh clients of these roots, and those with a state of their own, find everything.
    fn field_goes_on(&self, roots: impl Iterator<Item = u64>) {
        let (newest, _) = self.stage.root();
        let reaches = |seen: Done, who: &str| {
            let seen = seen.ended(0).json();
            assert_eq!(seen["roles"]["root"], newest, "{who}: {seen}");
            assert_eq!(seen["targets"].as_object().unwrap().len(), self.released.len(), "{who}: {seen}");
        };
        for known in roots {
            reaches(self.python_tuf(known, None), &format!("python-tuf from root {known}"));
            let seen = self.tough(known).ended(0).json();
            assert_eq!(seen["root"], newest, "tough from root {known}: {seen}");
            assert_eq!(seen["targets_seen"].as_object().unwrap().len(), self.released.len(), "{seen}");
        }
        // Who has a state of their own: as it was on the first day, or a step ago.
        let [beginning, stale, before] =
            ["beginning", "stale", "before"].map(|name| self.stage.path(&format!("client-{name}")));
        reaches(self.python_tuf(1, Some(&before)), "python-tuf of a step ago");
        if !beginning.exists() {
            Done::of(Command::new("cp").arg("-r").args([&before, &beginning])).ended(0);
        }
        let _ = fs::remove_dir_all(&stale);
        Done::of(Command::new("cp").arg("-r").args([&beginning, &stale])).ended(0);
        reaches(self.python_tuf(1, Some(&stale)), "python-tuf of the beginning");
    }

    fn python_tuf(&self, known: u64, cache: Option<&Path>) -> Done {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(self.repository.join(format!("{known}.root.json"))).arg(&self.repository);
        for target in &self.released {
            python.args(["--target", target]);
        }
        if let Some(cache) = cache {
            python.arg("--cache").arg(cache);
        }
        Done::of(python.args(["--expect-missing", "camera-station/x"]).current_dir(&self.stage.dir))
    }

    fn tough(&self, known: u64) -> Done {
        let mut tough = Command::new(brought("standins/tough-client"));
        tough.arg(self.repository.join(format!("{known}.root.json"))).arg(&self.repository).arg("-");
        Done::of(tough.args(&self.released).current_dir(&self.stage.dir))
    }

    /// What these keys alone sign of a role comes into no snapshot.
    fn refused(&self, role: &str, keys: &[&str]) {
        self.brings(role, &attempts::next_version(self.stage, &RoleName::from_name(role), keys));
        assert_eq!(self.signs_snapshot()["made"], false, "nothing new to list, by {keys:?}");
    }

    /// A root by these keys alone is left by the record, and by every client that finds it.
    fn root_refused(&self, keys: &[&str]) {
        let bytes = attempts::next_version(self.stage, &RoleName::Root, keys);
        let (newest, _) = self.stage.root();
        let report = self.brings("root", &bytes);
        assert_eq!(self.stage.root().0, newest, "{report}");
        let file = self.repository.join(format!("{}.root.json", newest + 1));
        fs::write(&file, bytes).unwrap();
        for known in [1, newest] {
            self.python_tuf(known, None).ended(1);
            self.tough(known).ended(1);
        }
        fs::remove_file(file).unwrap();
    }
}

fn version(bytes: &[u8]) -> u64 {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    document["signed"]["version"].as_u64().unwrap()
}

#[test]
fn a_trust_is_changed_in_every_way_and_clients_of_every_root_follow() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    for key in ["online-timestamp", "online-timestamp-2"] {
        limits.online.timestamp.insert(key.parse().unwrap());
    }
    let stage = Stage::new("life-tuf", Profile::Tuf, Kind::Production, &limits);
    let repository = stage.path("repository");
    for folder in [&repository, &stage.path("keys")] {
        fs::create_dir_all(folder).unwrap();
    }
    let mut life = Life {
        stage: &stage,
        devices: stage.devices(),
        head: None,
        repository,
        held: 0,
        released: Vec::new(),
        developers: vec![("dana", "camera-station")],
    };
    life.keys(&[
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ]);
    life.developer("dana");
    life.holds(&shipped("first-day-tuf/04-root.toml"));
    life.goes_up(&shipped("first-day-tuf/05-camera-station.toml"));
    let two_years = "valid-for = \"2 years\"\n";

    // A second application, of two developers; one of them will hold a root key as well.
    life.developer("emil");
    life.developer("gera");
    let door = "[delegation]\napplication = \"door\"\nkeys = [\"dev-emil\", \"dev-gera\"]\nthreshold = 1\n\
         paths = [\"door/*\"]\nvalid-for = \"1 year\"\n";
    life.developers.extend([("gera", "door"), ("emil", "door")]);
    life.changes("grant-delegation", door);
    life.refused("door", &["dev-dana"]);

    // A developer is replaced.
    life.developer("fritz");
    let replaced = "[revoke]\napplication = \"door\"\nkey = \"dev-emil\"\nbecause = \"left\"\n\
         replace-with = [\"dev-fritz\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    life.developers = vec![("dana", "camera-station"), ("fritz", "door"), ("gera", "door")];
    life.changes("revoke-delegation", replaced);
    life.refused("door", &["dev-emil"]);

    // The targets key is lost and replaced.
    life.keys(&[("targets-2", "uma", "targets")]);
    let targets =
        "[targets]\nkeys = [\"targets-2\"]\nlost = [\"targets-1\"]\nvalid-for = \"1 year\"\n[root]\n";
    life.changes("issue-targets-key", &format!("{targets}{two_years}"));
    life.refused("targets", &["targets-1"]);

    // One root key, all of them, a higher threshold.
    life.keys(&[("root-d", "dora", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-d\"]\nremove = [\"root-c\"]\n{two_years}"));
    life.root_refused(&["root-a", "root-c"]);
    life.keys(&[("root-e", "elin", "root"), ("root-f", "finn", "root"), ("root-g", "gera", "root")]);
    let all =
        "[root]\nadd = [\"root-e\", \"root-f\", \"root-g\"]\nremove = [\"root-a\", \"root-b\", \"root-d\"]\n";
    life.changes("rotate-root", &format!("{all}{two_years}"));
    life.root_refused(&["root-a", "root-b", "root-c", "root-d", "root-e"]);
    life.keys(&[("root-h", "hugo", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-h\"]\nthreshold = 3\n{two_years}"));
    life.root_refused(&["root-e", "root-f"]);

    // Gera leaves: her root key and her part of the application at once.
    life.keys(&[("root-i", "ines", "root")]);
    let gera = "[revoke]\nperson = \"gera\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\n\
         [root]\nreplace-with = [\"root-i\"]\n";
    life.developers = vec![("dana", "camera-station"), ("fritz", "door")];
    life.changes("revoke-delegation", &format!("{gera}{two_years}"));
    life.refused("door", &["dev-gera"]);
    life.root_refused(&["root-e", "root-f", "root-g"]);

    // What ends within 500 days; root lives longer.
    let renew = "[renew]\nwithin = \"500 days\"\n[root]\nvalid-for = \"3 years\"\n\
         [targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n";
    life.changes("renew", renew);
    let again = life.runbook("renew", renew);
    let plan = stage.on(&stage.record, &life.map(), &["plan", utf8(&again)]).ended(0).json();
    assert_eq!(plan["already-held"], true, "{plan}");

    // A root key is stolen; the backend's key is replaced: the old one vouches for nothing any more.
    life.keys(&[("root-j", "jost", "root")]);
    let stolen = "[root]\nadd = [\"root-j\"]\ncompromised = [\"root-f\"]\n";
    life.changes("rotate-root", &format!("{stolen}{two_years}"));
    life.root_refused(&["root-e", "root-f", "root-h"]);
    life.keys(&[("online-timestamp-2", "operations", "timestamp")]);
    let online = format!("[root]\n{two_years}[timestamp]\nkeys = [\"online-timestamp-2\"]\n");
    life.changes("rotate-root", &online);
    assert_eq!(stage.root().0, 8);
}
