//! A life by the guide alone: what it writes is rehearsed and then held to the end, with keys in files.
//!
//! A new application, a stolen developer's key, a lost root key, a targets key in wrong hands, someone who
//! leaves everywhere; then the old key is destroyed, and a change that nobody wants is given up.

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
use rexpect::session::spawn_command;
use serde_json::Value;
use stage::{Devices, PHRASE, Stage, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEOPLE: &str = "administrator = \"ada\"\nwitnesses = \"wim\"\n";

/// Everyone's keys in one room.
struct Room<'a> {
    stage: &'a Stage,
    devices: Devices<'a>,
    typed: usize,
}

impl Room<'_> {
    fn map(&mut self) -> PathBuf {
        self.typed += 1;
        let name = format!("room-{}.toml", self.typed);
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { self.devices.knowing(&self.stage.root()).write(&name) } else { self.devices.write(&name) }
    }

    fn has(&mut self, key: &str) {
        self.devices = self.devices.clone().in_file(key, &format!("keys/{key}.pem"));
    }

    /// Holds every runbook of a folder.
    fn holds(&mut self, folder: &Path) {
        let mut runbooks: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        runbooks.sort();
        for runbook in runbooks {
            let map = self.map();
            self.stage.hold(&map, &runbook).1.ended(0);
        }
    }

    /// Answers the guide; the folder that it wrote.
    fn guided(&mut self, answers: &str, next: &str) -> PathBuf {
        let map = self.map();
        let text = format!("[answers]\n{answers}{PEOPLE}next = \"{next}\"\n");
        let file = self.stage.write(&format!("guide-{}.toml", self.typed), &text);
        let before = folders(&self.stage.record);
        let line =
            ["-C", utf8(&self.stage.record), "--devices", utf8(&map), "guide", "--answers", utf8(&file)];
        let done = self.stage.keyrite(line.iter().chain(&["--unattended"])).ended(0);
        assert!(!done.text().contains("can't be planned yet"), "{}", done.text());
        if next == "rehearse" {
            assert!(done.text().contains("a client accepted what they made"), "{}", done.text());
        }
        let new: Vec<_> = folders(&self.stage.record).into_iter().filter(|f| !before.contains(f)).collect();
        assert_eq!(new.len(), 1, "{new:?}");
        new.into_iter().next().unwrap()
    }

    /// Rehearses what the guide wrote, then holds it.
    fn through(&mut self, answers: &str) {
        let folder = self.guided(answers, "rehearse");
        self.holds(&folder);
    }

    /// A developer's key, made under that name.
    fn developer(&mut self, name: &str, key: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        let (trust, out) = (self.stage.record.join("trust.json"), self.stage.path("developers"));
        command.args(["developer", "new", name, "--key", key, "--trust", utf8(&trust), "--out", utf8(&out)]);
        let mut session = spawn_command(command, Some(60_000)).unwrap();
        for prompt in ["(not shown) >", "(once more) >"] {
            session.exp_string(prompt).unwrap();
            session.send_line(PHRASE).unwrap();
        }
        session.exp_eof().unwrap();
        let stem = if key == format!("dev-{name}") { name } else { key };
        let [file, enrolment] = ["key", "enrol.json"].map(|end| out.join(format!("{stem}.{end}")));
        self.devices = self.devices.clone().in_file(key, utf8(&file)).enrol(key, &enrolment);
    }

    /// Holds limits on how long a root may be valid, and what `table` is about.
    fn limited(&mut self, root: &str, table: &str, term: &str) {
        let answers = format!(
            "ceremony = \"limits\"\nlimits = \"root.max-valid-for\"\nvalue.root.max-valid-for = \"{root}\"\n"
        );
        let folder = self.guided(&answers, "later");
        let runbook = folder.join("01-set-limits.toml");
        let more = format!("\n[limits.{table}]\nmax-valid-for = \"{term}\"\n");
        // A title of its own: a change is given up by its title.
        let text = fs::read_to_string(&runbook).unwrap().replace("title = \"", "title = \"Terms: ");
        fs::write(&runbook, text + &more).unwrap();
        self.holds(&folder);
    }

    /// Which keys a role lists, as `status` names them.
    fn roles(&self) -> String {
        let status = self.stage.keyrite(["-C", utf8(&self.stage.record), "--json", "status"]).ended(0).json();
        status["roles"].to_string()
    }

    fn listed(&self, there: &[&str], gone: &[&str]) {
        let roles = self.roles();
        for key in there {
            assert!(roles.contains(&format!("\"{key} (")), "{key}: {roles}");
        }
        for key in gone {
            assert!(!roles.contains(&format!("\"{key} (")), "{key}: {roles}");
        }
    }
}

fn folders(record: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(record).unwrap().map(|e| e.unwrap().path());
    entries.filter(|path| path.join("01-grant.toml").exists() || has_runbook(path)).collect()
}

fn has_runbook(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return false };
    entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("01-"))
}

#[test]
fn a_life_by_the_guide_alone() {
    let stage =
        Stage::new("guide-life", Profile::Notary, Kind::Rehearsal, &Limits::default_for(Profile::Notary));
    fs::create_dir(stage.path("keys")).unwrap();
    let mut room = Room { stage: &stage, devices: stage.devices().backend_elsewhere(), typed: 0 };
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        room.has(key);
    }
    room.developer("dana", "dev-dana");
    room.holds(&shipped("first-day"));

    // Shorter than what the guide writes of itself: from here on every runbook keeps to these.
    room.limited("20 months", "delegations", "40 weeks");

    room.developer("emil", "dev-emil");
    room.developer("bruno", "dev-bruno");
    room.through(
        "ceremony = \"new-application\"\napplication = \"doorbell\"\npaths = \"doorbell/\"\nkeys = \"dev-emil, dev-bruno\"\nholder.dev-emil = \"emil\"\nholder.dev-bruno = \"bruno\"\nthreshold = \"1\"\n",
    );
    room.listed(&["dev-emil", "dev-bruno"], &[]);

    room.developer("dana", "dev-dana-2");
    room.through(
        "ceremony = \"lost-or-stolen\"\nwhat = \"developer-key\"\nkey = \"dev-dana\"\nfate.dev-dana = \"stolen\"\nreplace-with = \"new\"\nholder = \"dana\"\nnew-key = \"dev-dana-2\"\nbelow-threshold = \"stop\"\n",
    );
    room.listed(&["dev-dana-2"], &["dev-dana"]);

    room.has("root-d");
    room.through(
        "ceremony = \"lost-or-stolen\"\nwhat = \"root-key\"\nkeys = \"root-c\"\nfate.root-c = \"lost\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\nlate = \"none\"\n",
    );
    room.listed(&["root-a", "root-b", "root-d"], &["root-c"]);

    room.has("targets-2");
    room.limited("19 months", "targets", "300 days");
    // Targets grants once more before it is signed anew for anything else: its end has to come nearer.
    room.through(
        "ceremony = \"new-application\"\napplication = \"chime\"\npaths = \"chime/\"\nkeys = \"dev-emil\"\nthreshold = \"1\"\n",
    );
    room.through(
        "ceremony = \"lost-or-stolen\"\nwhat = \"targets-key\"\nkeys = \"targets-1\"\nfate.targets-1 = \"copied\"\nnew-key = \"targets-2\"\nholder = \"uma\"\nlate = \"none\"\n",
    );
    room.listed(&["targets-2"], &["targets-1"]);

    room.limited("18 months", "targets", "280 days");
    room.has("root-e");
    room.through(
        "ceremony = \"person-leaves\"\nperson = \"bruno\"\nbecause = \"left\"\nroot-keys = \"root-e\"\nholder.root-e = \"nora\"\nthreshold = \"2\"\ndeveloper-keys = \"none\"\nbelow-threshold = \"stop\"\n",
    );
    room.listed(&["root-a", "root-d", "root-e", "dev-emil"], &["root-b", "dev-bruno"]);

    room.through("ceremony = \"destroy-key\"\nkey = \"root-b\"\n");
    assert!(!stage.path("keys/root-b.pem").exists());

    // Planned, and given up.
    let folder = room.guided(
        "ceremony = \"limits\"\nlimits = \"root.witnesses\"\nvalue.root.witnesses = \"2\"\n",
        "later",
    );
    let map = room.map();
    let plan = stage.on(&stage.record, &map, &["plan", utf8(&folder.join("01-set-limits.toml"))]);
    let plan: Value = plan.ended(0).json();
    let change = plan["change"].as_str().unwrap();
    let answers =
        format!("ceremony = \"withdraw\"\nchange = \"{change}\"\nreason = \"one witness is enough\"\n");
    let folder = room.guided(&answers, "later");
    room.holds(&folder);
    let again = stage.on(&stage.record, &map, &["plan", utf8(&folder.join("01-withdraw.toml"))]);
    assert_eq!(again.ended(0).json()["already-held"], true, "nothing is left to take back");

    let verified = stage.verify().ended(0).json();
    assert_eq!(verified["problems"], serde_json::json!([]));

    rivals(&stage, &mut room);
    let verified = stage.verify().ended(0).json();
    assert_eq!(verified["problems"], serde_json::json!([]));
}

/// Two copies each make a key root-f, for two people; merged, the guide has people decide.
fn rivals(stage: &Stage, room: &mut Room<'_>) {
    let other = stage.path("other");
    copy(&stage.record, &other);
    let second = Stage { dir: stage.dir.clone(), record: other.clone(), trust: stage.trust.clone() };
    for (at, holder, file) in [(stage, "eva", "keys/root-f.pem"), (&second, "mallory", "keys/other-f.pem")] {
        let text = format!(
            "ceremony = \"generate-key\"\ntitle = \"A key of {holder}\"\n[people]\nada = \"administrator\"\n{holder} = \"custodian\"\nwim = \"witness\"\n[[key]]\nname = \"root-f\"\nholder = \"{holder}\"\npurpose = \"root\"\nalgorithm = \"p256\"\n"
        );
        let runbook = stage.write(&format!("{holder}.toml"), &text);
        let devices = room.devices.knowing(&stage.root()).in_file("root-f", file);
        let map = devices.write(&format!("map-{holder}.toml"));
        at.hold(&map, &runbook).1.ended(0);
    }
    for folder in ["keys", "statements", "changes", "transcripts"] {
        copy(&other.join(folder), &stage.record.join(folder));
    }
    let sides: Vec<_> =
        fs::read_dir(stage.record.join("keys/root-f")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(sides.len(), 2);
    let of_eva = sides.iter().find(|path| fs::read_to_string(path).unwrap().contains("\"eva\"")).unwrap();
    let keep: String = of_eva.file_stem().unwrap().to_str().unwrap().chars().take(16).collect();
    let answers = format!("ceremony = \"copies-differ\"\nwhat = \"keys/root-f\"\nkeep = \"{keep}\"\n");
    let folder = room.guided(&answers, "later");
    room.holds(&folder);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if !to.exists() {
            fs::copy(&path, to).unwrap();
        }
    }
}
