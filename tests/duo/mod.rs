//! A trust whose root is 2 of 2, without a spare key, and what people type in its copies.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; not every test plays every part"
)]

use crate::stage::{self, Devices, Done, Stage, utf8};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOLDERS: [(&str, &str); 4] =
    [("root-a", "ada"), ("root-b", "bruno"), ("root-c", "carla"), ("root-d", "dora")];

/// A trust whose root is 2 of 2, without a spare key.
pub struct Duo {
    pub stage: Stage,
    pub production: bool,
    pub tokens: Vec<(String, String)>,
}

impl Duo {
    /// The keys of four people, the targets key, and the backend's two, which nobody has here.
    pub fn keys(name: &str, kind: Kind) -> Self {
        let mut limits = Limits::default_for(Profile::Notary);
        limits.root.spare_keys = 0;
        let stage = Stage::new(name, Profile::Notary, kind, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let mut duo = Self { stage, production: kind == Kind::Production, tokens: Vec::new() };
        let names = ["root-a", "root-b", "root-c", "root-d", "targets-1"];
        if duo.production {
            duo.tokens = names.map(|key| (key.to_owned(), duo.stage.token(key))).into();
        }
        let mut tables = String::new();
        for (key, holder) in HOLDERS {
            writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"root\"").unwrap();
        }
        duo.holds("keys", "generate-key", &tables);
        duo.holds(
            "targets key",
            "issue-targets-key",
            "[targets-key]\nname = \"targets-1\"\nholder = \"uma\"\n",
        );
        duo
    }

    /// The same with root 1 and targets 1.
    pub fn rooted(name: &str, kind: Kind) -> Self {
        let duo = Self::keys(name, kind);
        let map = duo.all().backend_elsewhere().write("enrol.toml");
        let enroll = duo.runbook("backend keys", "enroll-key", &online("backend"));
        duo.stage.hold(&map, &enroll).1.ended(0);
        duo.holds("Root of trust", "create-root", &first_root("backend"));
        duo
    }

    pub fn runbook(&self, title: &str, ceremony: &str, tables: &str) -> PathBuf {
        let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
        let text = format!("ceremony = \"{ceremony}\"\ntitle = \"{title}\"\n{people}{tables}");
        self.stage.write(&format!("{}.toml", title.replace(' ', "-")), &text)
    }

    /// The next root, with `root-b` replaced.
    pub fn rotation(&self, title: &str, add: &str) -> PathBuf {
        let root = format!("[root]\nadd = [\"{add}\"]\nremove = [\"root-b\"]\nvalid-for = \"2 years\"\n");
        self.runbook(title, "rotate-root", &root)
    }

    pub fn withdrawal(&self, title: &str, which: &str) -> PathBuf {
        let table = format!("[withdraw]\nchange = \"{title}\"\n{which}reason = \"it went wrong\"\n");
        self.runbook(&format!("Withdraw {title}"), "withdraw", &table)
    }

    /// The keys of these names, on this stage.
    pub fn with(&self, keys: &[&str]) -> Devices<'_> {
        let mut devices = self.stage.devices();
        for key in keys {
            devices = match self.tokens.iter().find(|(name, _)| name == key) {
                Some((_, serial)) => devices.on_token(key, serial),
                None => devices.in_file(key, &format!("keys/{key}.pem")),
            };
        }
        devices
    }

    pub fn all(&self) -> Devices<'_> {
        self.with(&["root-a", "root-b", "root-c", "root-d", "targets-1"])
    }

    /// A map of these keys that knows the newest root.
    pub fn map(&self, keys: &[&str]) -> PathBuf {
        let devices = self.with(keys);
        let name = format!("{}.toml", keys.join("-"));
        if self.stage.record.join("metadata/root").exists() && self.status()["root"] != Value::Null {
            devices.knowing(&self.stage.root()).write(&name)
        } else {
            devices.write(&name)
        }
    }

    /// Holds a ceremony to its end with everyone in the room.
    pub fn holds(&self, title: &str, ceremony: &str, tables: &str) -> Value {
        self.everyone(&self.runbook(title, ceremony, tables))
    }

    pub fn everyone(&self, runbook: &Path) -> Value {
        let map = self.map(&["root-a", "root-b", "root-c", "root-d", "targets-1"]);
        self.stage.hold(&map, runbook).1.ended(0).json()
    }

    pub fn status(&self) -> Value {
        status(&self.stage, &self.stage.record)
    }

    /// The words for how the change of this title stands.
    pub fn state(&self, title: &str) -> String {
        let status = self.status();
        let changes = status["changes"].as_array().unwrap();
        let found = changes.iter().find(|change| change["title"] == title);
        found.unwrap_or_else(|| panic!("no {title} in {status}"))["state"].as_str().unwrap().to_owned()
    }

    /// A line of what is next, if there is one with this in it.
    pub fn next(&self, part: &str) -> Option<String> {
        let status = self.status();
        let mut lines =
            status["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        lines.find(|line| line.contains(part))
    }

    pub fn import(&self, to: &Path, from: &Path) -> Value {
        self.stage.keyrite(["-C", utf8(to), "--json", "import", utf8(from)]).ended(0).json()
    }

    /// A custodian signs on a copy that was handed out, and brings it back.
    pub fn by_stick(&self, person: &str, key: &str, change: &str) {
        let copy = self.stage.path(&format!("stick-{person}-{}", &change[..8]));
        let export = ["-C", utf8(&self.stage.record), "--json", "export", utf8(&copy), "--for", person];
        self.stage.keyrite(export).ended(0);
        // Other changes that wait for the key are left for later.
        let answers = format!("[{change}]\n\"read-back\" = \"same\"\n\"confirm\" = \"{change}\"\n");
        let answers = self.stage.write(&format!("answers-{person}.toml"), &answers);
        let sign = ["sign", "--answers", utf8(&answers), "--unattended"];
        let signed = self.stage.on(&copy, &self.map(&[key]), &sign).json();
        assert_eq!(signed["signed"].as_array().unwrap().len(), 1, "{signed}");
        assert_eq!(self.import(&self.stage.record, &copy)["left"], json!([]));
    }

    pub fn verified(&self) {
        assert_eq!(self.stage.verify().ended(0).json()["problems"], json!([]));
        let (version, payload) = self.stage.root();
        let page = by_the_page(&self.stage.record, &format!("{version}:{payload}"));
        assert!(page.text().ends_with("\n0 refused\n"), "{}", page.text());
    }
}

pub fn status(stage: &Stage, record: &Path) -> Value {
    stage.keyrite(["-C", utf8(record), "--json", "status"]).ended(0).json()
}

/// The second reader of a record, which knows it from FORMAT.md alone.
pub fn by_the_page(record: &Path, anchor: &str) -> Done {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(stage::brought("test-venv").join("bin/python"));
    Done::of(python.arg(script).arg(record).args(["--anchor", anchor]))
}

pub fn online(name: &str) -> String {
    let table =
        |role| format!("[[key]]\nname = \"{name}-{role}\"\nholder = \"backend\"\npurpose = \"{role}\"\n");
    table("snapshot") + &table("timestamp")
}

pub fn first_root(name: &str) -> String {
    format!(
        "[root]\nkeys = [\"root-a\", \"root-b\"]\nthreshold = 2\nvalid-for = \"2 years\"\n\
         [targets]\nkeys = [\"targets-1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
         [snapshot]\nkeys = [\"{name}-snapshot\"]\nthreshold = 1\n\
         [timestamp]\nkeys = [\"{name}-timestamp\"]\nthreshold = 1\n"
    )
}

/// The rule that a refusal names.
pub fn rule(done: Done) -> String {
    let json = done.ended(1).json();
    json["error"]["rule"].as_str().unwrap_or_else(|| panic!("no rule: {json}")).to_owned()
}

/// A copy of a record, as people take one home.
pub fn copied(stage: &Stage, from: &Path, name: &str) -> PathBuf {
    let to = stage.path(name);
    Done::of(Command::new("cp").arg("-r").arg(from).arg(&to)).ended(0);
    to
}

/// Plans a runbook in another copy and holds it there, with every prompt answered.
pub fn held_in(stage: &Stage, record: &Path, map: &Path, runbook: &Path) -> Done {
    let answers = stage.path(&format!("there-{}.toml", fs::read_dir(&stage.dir).unwrap().count()));
    let plan = ["plan", utf8(runbook), "--write-answers", utf8(&answers)];
    let plan = stage.on(record, map, &plan).ended(0).json();
    let filled = stage::fill(&fs::read_to_string(&answers).unwrap(), plan["change"].as_str().unwrap());
    fs::write(&answers, filled).unwrap();
    stage.on(record, map, &["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"])
}
