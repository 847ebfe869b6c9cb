//! Years of a trust in profile `tuf`: every change of root, and after each of them python-tuf's client
//! and tough, from every root that there ever was.

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
use keyrite::tuf::profile::Profile;
use stage::{Devices, Done, Stage, block, blocks, brought, shell, shipped, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEOPLE: &str = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";

struct Life<'a> {
    stage: &'a Stage,
    devices: Devices<'a>,
    repository: PathBuf,
    held: usize,
}

impl Life<'_> {
    fn map(&self) -> PathBuf {
        let name = format!("devices-{}.toml", self.held);
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { self.devices.knowing(&self.stage.root()).write(&name) } else { self.devices.write(&name) }
    }

    fn holds(&mut self, runbook: &Path) {
        self.held += 1;
        let map = self.map();
        self.stage.hold(&map, runbook).1.ended(0);
    }

    fn runbook(&self, ceremony: &str, tables: &str) -> PathBuf {
        let text =
            format!("ceremony = \"{ceremony}\"\ntitle = \"{ceremony} {}\"\n{PEOPLE}{tables}", self.held);
        self.stage.write(&format!("{}-{ceremony}.toml", self.held), &text)
    }

    /// Makes keys in files, each of one holder.
    fn keys(&mut self, keys: &[(&str, &str, &str)]) {
        let mut tables = String::new();
        for (key, holder, purpose) in keys {
            self.devices = self.devices.clone().in_file(key, &format!("keys/{key}.pem"));
            writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
        }
        let runbook = self.runbook("generate-key", &tables);
        self.holds(&runbook);
    }

    /// Holds a change of root, makes the snapshot that follows it, and sends every client.
    fn changes(&mut self, ceremony: &str, tables: &str) {
        let runbook = self.runbook(ceremony, tables);
        self.holds(&runbook);
        self.served();
    }

    fn served(&self) {
        let map = self.map();
        let sign = ["sign-snapshot", "--unattended"];
        let made = self.stage.on(&self.stage.record, &map, &sign).ended(0).json();
        assert_eq!(made["made"], true, "{made}");
        let folder = self.stage.path(made["upload"].as_str().unwrap());
        let lines = blocks(&fs::read_to_string(folder.join("README.txt")).unwrap());
        let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(&self.repository));
        assert_eq!(shell(&folder, &line, &[]).ended(0).text(), "");
        let (newest, _) = self.stage.root();
        for known in 1..=newest {
            let seen = self.python_tuf(known).ended(0).json();
            assert_eq!(seen["roles"]["root"], newest, "from root {known}: {seen}");
            self.tough(known).ended(0);
        }
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], serde_json::json!([]));
    }

    fn python_tuf(&self, known: u64) -> Done {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(self.repository.join(format!("{known}.root.json"))).arg(&self.repository);
        Done::of(python.args(["--expect-missing", "camera-station/x"]).current_dir(&self.stage.dir))
    }

    fn tough(&self, known: u64) -> Done {
        let mut tough = Command::new(brought("standins/tough-client"));
        tough.arg(self.repository.join(format!("{known}.root.json"))).arg(&self.repository).arg("-");
        Done::of(tough.current_dir(&self.stage.dir))
    }
}

#[test]
fn root_is_changed_in_every_way_and_clients_of_every_root_follow() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    for key in ["online-timestamp", "online-timestamp-2"] {
        limits.online.timestamp.insert(key.parse().unwrap());
    }
    let stage = Stage::new("life-tuf", Profile::Tuf, Kind::Rehearsal, &limits);
    let repository = stage.path("repository");
    for folder in [&repository, &stage.path("keys")] {
        fs::create_dir_all(folder).unwrap();
    }
    let (key, enrolment) = stage.developer("dana");
    let devices = stage.devices().in_file("dev-dana", utf8(&key)).enrol("dev-dana", &enrolment);
    let mut life = Life { stage: &stage, devices, repository, held: 0 };
    life.keys(&[
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ]);
    let dana = life
        .runbook("enroll-key", "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n");
    life.holds(&dana);
    life.holds(&shipped("first-day-tuf/04-root.toml"));
    life.holds(&shipped("first-day-tuf/05-camera-station.toml"));
    life.served();

    let two_years = "valid-for = \"2 years\"\n";
    life.keys(&[("root-d", "dora", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-d\"]\nremove = [\"root-c\"]\n{two_years}"));

    life.keys(&[("root-e", "elin", "root"), ("root-f", "finn", "root"), ("root-g", "gera", "root")]);
    let all =
        "[root]\nadd = [\"root-e\", \"root-f\", \"root-g\"]\nremove = [\"root-a\", \"root-b\", \"root-d\"]\n";
    life.changes("rotate-root", &format!("{all}{two_years}"));

    life.keys(&[("root-h", "hugo", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-h\"]\nthreshold = 3\n{two_years}"));

    life.keys(&[("root-i", "ines", "root")]);
    life.changes(
        "rotate-root",
        &format!("[root]\nadd = [\"root-i\"]\ncompromised = [\"root-f\"]\n{two_years}"),
    );

    life.keys(&[("targets-2", "uma", "targets")]);
    let targets =
        "[targets]\nkeys = [\"targets-2\"]\nlost = [\"targets-1\"]\nvalid-for = \"1 year\"\n[root]\n";
    life.changes("issue-targets-key", &format!("{targets}{two_years}"));

    // The backend's key is replaced: the old one vouches for nothing from then on.
    life.keys(&[("online-timestamp-2", "operations", "timestamp")]);
    let online = format!("[root]\n{two_years}[timestamp]\nkeys = [\"online-timestamp-2\"]\n");
    life.changes("rotate-root", &online);
    assert_eq!(stage.root().0, 7);
}
