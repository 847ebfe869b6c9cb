//! A developer's key is stolen and used: from the call to the upload in five commands, by one
//! administrator without a witness, under limits that demand a rehearsal. Against Debian's notary-server
//! with its signer, by the very lines that keyrite prints, on a pseudo-terminal.

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
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use rexpect::{ReadUntil, session::spawn_command};
use server::{Backend, take_published, upload, uploads};
use stage::{Devices, Stage, block, blocks, shipped, today, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const COLLECTION: &str = "updates.example.com/apps";
const PEOPLE: &str = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";

/// A trust, its server and everybody's keys.
struct Life<'a> {
    stage: &'a Stage,
    backend: Backend,
    devices: Devices<'a>,
    /// The newest upload, carried to where the backend can be reached.
    carried: PathBuf,
    maps: usize,
}

impl<'a> Life<'a> {
    fn begin(stage: &'a Stage) -> Self {
        let backend = Backend::up(stage, "signer");
        let mut devices = backend.enrolled(stage, stage.devices());
        for key in ["root-a", "root-b", "root-c", "targets-1"] {
            devices = devices.on_token(key, &stage.token(key));
        }
        for name in ["dana", "fritz"] {
            let (key, enrolment) = stage.developer(name);
            let key_name = format!("dev-{name}");
            devices = devices.in_file(&key_name, utf8(&key)).enrol(&key_name, &enrolment);
        }
        let mut life = Self { stage, backend, devices, carried: PathBuf::new(), maps: 0 };
        for name in ["01-root-keys", "02-targets-key", "03-enroll"] {
            life.holds(&shipped(&format!("first-day/{name}.toml")), false);
        }
        life.runs(
            "enroll-key",
            "[[key]]\nname = \"dev-fritz\"\nholder = \"fritz\"\npurpose = \"delegation\"\n",
        );
        for name in ["04-root", "05-camera-station"] {
            life.holds(&shipped(&format!("first-day/{name}.toml")), true);
        }
        life.runs(
            "grant-delegation",
            "[more]\napplication = \"camera-station\"\nadd-keys = [\"dev-fritz\"]\n",
        );
        life.runs(
            "grant-delegation",
            "[delegation]\napplication = \"door\"\nkeys = [\"dev-dana\", \"dev-fritz\"]\nthreshold = 1\n\
             paths = [\"door/\"]\nvalid-for = \"1 year\"\n",
        );
        life
    }

    fn map(&mut self) -> PathBuf {
        self.maps += 1;
        let name = format!("map-{}.toml", self.maps);
        let rooted = self.stage.record.join("metadata/root").exists();
        let devices = self.devices.clone();
        if rooted { devices.knowing(&self.stage.root()).write(&name) } else { devices.write(&name) }
    }

    fn holds(&mut self, runbook: &Path, goes_up: bool) {
        let map = self.map();
        let done = self.stage.hold(&map, runbook).1.ended(0).json();
        if goes_up {
            self.carried = upload(self.stage, &self.backend, &uploads(&done)[0]);
            take_published(self.stage, &self.backend, &self.carried);
            fs::remove_dir_all(self.carried.join("published")).unwrap();
        }
    }

    fn runs(&mut self, kind: &str, tables: &str) {
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{kind} {}\"\n{PEOPLE}{tables}", self.maps);
        let runbook = self.stage.write(&format!("runbooks/{}.toml", self.maps), &text);
        self.holds(&runbook, kind != "enroll-key");
    }

    /// Someone with a developer's key publishes with the stock client, and nothing of ours.
    fn publishes(&self, developer: &str, target: &str) {
        let own = self.stage.path(&format!("{developer}-trust"));
        if !own.exists() {
            let key = self.stage.path(&format!("developers/{developer}.key"));
            self.backend.client(&own, &["key", "import", utf8(&key)]).ended(0);
        }
        let file = self.stage.write("release.bin", target);
        let role = format!("targets/{}", target.split('/').next().unwrap());
        let add = ["add", COLLECTION, target, utf8(&file), "-r", &role, "--publish"];
        self.backend.client(&own, &add).ended(0);
    }

    /// What a fresh stock client lists.
    fn seen(&self) -> Vec<String> {
        let fresh = self.stage.path("fresh");
        let _ = fs::remove_dir_all(&fresh);
        let listed = self.backend.client(&fresh, &["list", COLLECTION]).ended(0).text();
        let targets = listed.lines().filter(|line| line.contains(" targets/"));
        let mut names: Vec<_> = targets.map(|l| l.split_whitespace().next().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// The change that came into the record last: what everyone compares on paper.
    fn newest_change(&self) -> Digest {
        let all = fs::read_dir(self.stage.record.join("changes")).unwrap().map(|e| e.unwrap().path());
        let newest = all.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap();
        newest.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// `run` on a terminal, as the administrator alone types it: everything that was on the screen.
    fn types_run(&mut self, runbook: &Path) -> String {
        let map = self.map();
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.args(["-C", utf8(&self.stage.record), "--devices", utf8(&map), "run", utf8(runbook)]);
        command.current_dir(&self.stage.dir).env("SOFTHSM2_CONF", self.stage.path("softhsm2.conf"));
        command.env("TERM", "dumb");
        let mut pty = spawn_command(command, Some(60_000)).unwrap();
        let plain =
            [("read on) ", ""), ("(press Enter) ", ""), ("(Yes or no) ", "Yes"), ("(same or no) ", "same")];
        let date = "A wrong clock would date everything wrong.";
        let numbers: Vec<String> = (1..=32).map(|number| format!("word {number:>2} ")).collect();
        let marks =
            || plain.iter().map(|(mark, _)| *mark).chain([date]).chain(numbers.iter().map(String::as_str));
        let mut seen = String::new();
        loop {
            let ways = marks().map(|mark| ReadUntil::String(mark.to_owned())).chain([ReadUntil::EOF]);
            let (before, mark) = pty.exp_any(ways.collect()).unwrap_or_else(|e| panic!("{e}\n{seen}"));
            seen.push_str(&before);
            seen.push_str(&mark);
            let answer = if mark.contains(date) {
                pty.exp_string("> ").unwrap();
                today()
            } else if let Some((_, answer)) = plain.iter().find(|(text, _)| mark.contains(text)) {
                (*answer).to_owned()
            } else if let Some(number) = numbers.iter().position(|text| mark.contains(text)) {
                self.newest_change().words()[number].to_owned()
            } else {
                break;
            };
            pty.send_line(&answer).unwrap();
        }
        let status = format!("{:?}", pty.process().wait().unwrap());
        assert!(status.ends_with(", 0)"), "{status}: {seen}");
        seen
    }
}

#[test]
fn five_commands_lead_from_the_call_to_the_upload() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.targets.rehearsed = true;
    limits.delegations.rehearsed = true;
    let stage = Stage::new("stolen-key", Profile::Notary, Kind::Production, &limits);
    let mut life = Life::begin(&stage);
    for target in ["camera-station/one.bin", "door/one.bin"] {
        life.publishes("dana", target);
    }
    take_published(&stage, &life.backend, &life.carried);

    // Since then: a colleague released, and the thief on top; the thief released, and the colleague on top.
    life.publishes("fritz", "camera-station/good.bin");
    life.publishes("dana", "camera-station/evil.bin");
    life.publishes("dana", "door/evil.bin");
    life.publishes("fritz", "door/good.bin");
    assert_eq!(life.seen().len(), 6);

    let mut commands = 0;
    let mut command = || commands += 1;
    let lines = blocks(&fs::read_to_string(life.carried.join("README.txt")).unwrap());
    // 1. What the backend serves.
    command();
    life.backend.types(&life.carried, block(&lines, "-K fetch.curl"));
    // 2. Into the record.
    command();
    let published = life.carried.join("published");
    stage.keyrite(["-C", utf8(&stage.record), "import", utf8(&published)]).ended(0);
    // 3. What the key alone has signed.
    command();
    let text = fs::read_to_string(shipped("break-glass/developer-key-stolen/01-stolen.toml")).unwrap();
    let runbook = stage.write("stolen.toml", &text);
    let map = life.map();
    let plan = |record: &Path| {
        let typed = ["-C", utf8(record), "--devices", utf8(&map), "plan", utf8(&runbook)];
        let text = stage.keyrite(typed).ended(0).text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let copy = stage.path("copy");
    stage::shell(&stage.dir, "cp -r record copy", &[]).ended(0);
    let planned = plan(&stage.record);
    for line in [
        "rehearsed on throw-away keys",
        "targets/camera-station 3, signed by dev-dana of dana, and by no key that stays; against 1, which the backend had when it was asked on",
        "the record lacks version 2: who signed what is new there first is not known; the backend has 2.targets/camera-station.json; import it as 2.targets%2Fcamera-station.json",
        "target camera-station/evil.bin: new in version 3, signed by dev-dana of dana, and by no key that stays;",
        "targets/door 3, signed by dev-fritz of fritz; against 1,",
        "target door/evil.bin: new in version 3, signed by dev-fritz of fritz;",
        "targets/camera-station: clients go on seeing camera-station/evil.bin, camera-station/good.bin, camera-station/one.bin, signed again by dev-fritz of fritz",
        "targets/door: clients go on seeing door/evil.bin, door/good.bin, door/one.bin, which dev-fritz of fritz signed too",
    ] {
        assert!(planned.contains(line), "{line} in {planned}");
    }
    // With the versions that it names, it says who signed what first.
    fs::create_dir(stage.path("more")).unwrap();
    for role in ["camera-station", "door"] {
        let bytes = life.backend.get(&life.carried, COLLECTION, &format!("2.targets/{role}.json"));
        fs::write(stage.path("more").join(format!("2.targets%2F{role}.json")), bytes).unwrap();
    }
    stage.keyrite(["-C", utf8(&copy), "import", utf8(&stage.path("more"))]).ended(0);
    let told = plan(&copy);
    for line in [
        "target camera-station/good.bin: new in version 2, signed by dev-fritz of fritz;",
        "target camera-station/evil.bin: new in version 3, signed by dev-dana of dana, and by no key that stays;",
        "target door/evil.bin: new in version 2, signed by dev-dana of dana, and by no key that stays;",
        "target door/good.bin: new in version 3, signed by dev-fritz of fritz;",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("the record lacks"), "{told}");

    // 4. Held, with what must not stay named: the administrator alone, no witness.
    command();
    let out = "without-paths = [\"camera-station/evil.bin\", \"door/evil.bin\"]";
    let runbook = stage.write("stolen.toml", &text.replace("without-paths = []", out));
    let before = fs::read_dir(stage.record.join("rehearsals")).unwrap().count();
    let folders = || -> Vec<String> {
        let all = fs::read_dir(stage.record.join("uploads")).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let uploaded = folders();
    let seen = life.types_run(&runbook);
    assert!(seen.contains("rehearsed on throw-away keys"), "{seen}");
    assert_eq!(fs::read_dir(stage.record.join("rehearsals")).unwrap().count(), before + 1);
    // 5. Handed over.
    command();
    let made: Vec<_> = folders().into_iter().filter(|name| !uploaded.contains(name)).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    life.carried = upload(&stage, &life.backend, &format!("uploads/{}", made[0]));
    assert_eq!(commands, 5);

    // The backend has it, the record sees so, customers have what is good, and the key is worth nothing.
    take_published(&stage, &life.backend, &life.carried);
    let good = ["camera-station/good.bin", "camera-station/one.bin", "door/good.bin", "door/one.bin"];
    assert_eq!(life.seen(), good);
    let file = stage.write("release.bin", "evil again");
    let add = ["add", COLLECTION, "door/evil.bin", utf8(&file), "-r", "targets/door", "--publish"];
    life.backend.client(&stage.path("dana-trust"), &add).ended(1);
    assert_eq!(life.seen(), good);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}
