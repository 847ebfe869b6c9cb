//! A developer's key is stolen and used: from the call to the upload in five commands, by one
//! administrator without a witness, under limits that demand a rehearsal. Against Debian's notary-server
//! with its signer and in profile `tuf`, by the very lines that keyrite and its page print, on a
//! pseudo-terminal. Clients that were there before, and those that have seen what the thief released, go on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod attempts;
mod call;
mod server;
mod stage;
mod typist;

use call::{Call, folders, page, with_own_map};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use server::{Backend, take_published, upload, uploads};
use stage::{Devices, Done, Stage, block, blocks, brought, shell, shipped, utf8};
use std::fmt::Write as _;
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
        // One that has nobody but her.
        life.runs(
            "grant-delegation",
            "[delegation]\napplication = \"lamp\"\nkeys = [\"dev-dana\"]\nthreshold = 1\n\
             paths = [\"lamp/\"]\nvalid-for = \"1 year\"\n",
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

    /// What a stock client lists, with what it remembers.
    fn seen_by(&self, client: &str) -> Vec<String> {
        let folder = self.stage.path(client);
        let listed = self.backend.client(&folder, &["list", COLLECTION]).ended(0).text();
        let targets = listed.lines().filter(|line| line.contains(" targets/"));
        let mut names: Vec<_> = targets.map(|l| l.split_whitespace().next().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// What a fresh stock client lists.
    fn seen(&self) -> Vec<String> {
        let _ = fs::remove_dir_all(self.stage.path("fresh"));
        self.seen_by("fresh")
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one night, in its order")]
fn five_commands_lead_from_the_call_to_the_upload() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.targets.rehearsed = true;
    limits.delegations.rehearsed = true;
    let stage = Stage::new("stolen-key", Profile::Notary, Kind::Production, &limits);
    let mut life = Life::begin(&stage);
    for target in ["camera-station/one.bin", "door/one.bin", "lamp/one.bin"] {
        life.publishes("dana", target);
    }
    take_published(&stage, &life.backend, &life.carried);
    let honest = ["camera-station/one.bin", "door/one.bin", "lamp/one.bin"];
    assert_eq!(life.seen_by("client-before"), honest);

    // Since then: a colleague released, and the thief on top; the thief released, and the colleague on top.
    life.publishes("fritz", "camera-station/good.bin");
    life.publishes("dana", "camera-station/evil.bin");
    life.publishes("dana", "door/evil.bin");
    life.publishes("fritz", "door/good.bin");
    life.publishes("dana", "lamp/evil.bin");
    assert_eq!(life.seen_by("client-robbed").len(), 8);

    let published = life.carried.join("published");
    fs::remove_dir_all(&published).unwrap();
    let mut call = Call::comes(&stage, &life.carried);
    call.has(&life.devices);
    let page = page();
    let lines = blocks(&fs::read_to_string(life.carried.join("README.txt")).unwrap());
    let plan = |call: &Call<'_>, record: &str| call.looks("", &page[2].replace("-C trust", record));
    Done::of(Command::new("cp").arg("-rL").arg(call.desk.join("trust")).arg(stage.path("copy"))).ended(0);

    // 1. What the backend serves. 2. Into the record. 3. What the key alone has signed.
    call.types("up", block(&lines, "-K fetch.curl"));
    call.types("", &page[1]);
    let planned = call.types("", &page[2]);
    for line in [
        "rehearsed on throw-away keys",
        "targets/camera-station 3, signed by dev-dana of dana, and by no key that stays; against 1, which the backend had when it was asked on",
        "the record lacks version 2: who signed what is new there first is not known; the backend has 2.targets/camera-station.json; import it as 2.targets%2Fcamera-station.json",
        "target camera-station/evil.bin: new in version 3, signed by dev-dana of dana, and by no key that stays;",
        "targets/door 3, signed by dev-fritz of fritz; against 1,",
        "target door/evil.bin: new in version 3, signed by dev-fritz of fritz;",
        "targets/lamp 2, signed by dev-dana of dana, and by no key that stays; against 1,",
        "target lamp/evil.bin: new in version 2, signed by dev-dana of dana, and by no key that stays;",
        "targets/camera-station: clients go on seeing camera-station/evil.bin, camera-station/good.bin, camera-station/one.bin, signed again by dev-fritz of fritz",
        "targets/door: clients go on seeing door/evil.bin, door/good.bin, door/one.bin, which dev-fritz of fritz signed too",
        "targets lets nobody sign for targets/lamp any more",
        "targets/lamp: clients no longer find lamp/evil.bin, lamp/one.bin",
    ] {
        assert!(planned.contains(line), "{line} in {planned}");
    }
    // With the versions that it names, fetched and called as it says, it says who signed what first.
    fs::create_dir(stage.path("more")).unwrap();
    let lacks: Vec<_> = planned.split("the backend has ").skip(1).collect();
    assert_eq!(lacks.len(), 2, "{planned}");
    for lack in lacks {
        let mut words = lack.split([' ', ';']).filter(|word| !word.is_empty());
        let (name, rest) = (words.next().unwrap(), words.collect::<Vec<_>>());
        assert_eq!(rest[..3], ["import", "it", "as"], "{lack}");
        let bytes = life.backend.get(&life.carried, COLLECTION, name);
        fs::write(stage.path("more").join(rest[3]), bytes).unwrap();
    }
    call.looks("", "keyrite -C ../copy import up/published");
    call.looks("", "keyrite -C ../copy import ../more");
    let told = plan(&call, "-C ../copy");
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
    call.leaves_out(&["camera-station/evil.bin", "door/evil.bin"]);
    let before = fs::read_dir(stage.record.join("rehearsals")).unwrap().count();
    let uploaded = folders(&stage.record);
    let seen = call.answers(&page[3]);
    assert!(seen.contains("rehearsed on throw-away keys"), "{seen}");
    assert_eq!(fs::read_dir(stage.record.join("rehearsals")).unwrap().count(), before + 1);
    // 5. Handed over.
    let made = call.made_since(&uploaded);
    life.carried = call.desk.join(&made);
    let lines = blocks(&fs::read_to_string(life.carried.join("README.txt")).unwrap());
    call.types(&made, block(&lines, "-K post.curl"));
    assert_eq!((call.typed.len(), page.len()), (5, 5), "{:#?}", call.typed);

    // The backend has it, the record sees so, customers have what is good, and the key is worth nothing:
    // to whoever comes fresh, was there before, or has seen what the thief released.
    take_published(&stage, &life.backend, &life.carried);
    let good = ["camera-station/good.bin", "camera-station/one.bin", "door/good.bin", "door/one.bin"];
    let everyone = |life: &Life<'_>, expected: &[&str]| {
        assert_eq!(life.seen(), expected);
        for client in ["client-before", "client-robbed"] {
            assert_eq!(life.seen_by(client), expected, "{client}");
        }
    };
    everyone(&life, &good);
    let file = stage.write("release.bin", "evil again");
    for application in ["door", "lamp"] {
        let (target, role) = (format!("{application}/evil.bin"), format!("targets/{application}"));
        let add = ["add", COLLECTION, &target, utf8(&file), "-r", &role, "--publish"];
        life.backend.client(&stage.path("dana-trust"), &add).ended(1);
        let _ = fs::remove_dir_all(stage.path("dana-trust/changelist"));
        everyone(&life, &good);
    }
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}

/// A trust of profile `tuf`: the record of the administrator, the one of operations, who take in what
/// developers hand them and make snapshot and timestamp, and what is served.
struct Served<'a> {
    stage: &'a Stage,
    operations: Stage,
    devices: Devices<'a>,
    repository: PathBuf,
    times: usize,
}

impl<'a> Served<'a> {
    fn begin(stage: &'a Stage) -> Self {
        let repository = stage.path("repository");
        for folder in [&repository, &stage.path("keys")] {
            fs::create_dir_all(folder).unwrap();
        }
        let mut devices = stage.devices();
        for key in ["root-a", "root-b", "root-c", "targets-1"] {
            devices = devices.on_token(key, &stage.token(key));
        }
        let mut enrolled = String::new();
        for name in ["dana", "fritz"] {
            let (key, enrolment) = stage.developer(name);
            let dev = format!("dev-{name}");
            devices = devices.in_file(&dev, utf8(&key)).enrol(&dev, &enrolment);
            writeln!(enrolled, "[[key]]\nname = \"{dev}\"\nholder = \"{name}\"\npurpose = \"delegation\"")
                .unwrap();
        }
        let mut online = String::new();
        for role in ["snapshot", "timestamp"] {
            let key = format!("online-{role}");
            devices = devices.in_file(&key, &format!("keys/{key}.pem"));
            writeln!(online, "[[key]]\nname = \"{key}\"\nholder = \"operations\"\npurpose = \"{role}\"")
                .unwrap();
        }
        let operations =
            Stage { dir: stage.dir.clone(), record: stage.path("operations"), trust: stage.trust.clone() };
        let mut served = Self { stage, operations, devices, repository, times: 0 };
        for name in ["01-root-keys", "02-targets-key"] {
            served.holds(&shipped(&format!("first-day-tuf/{name}.toml")));
        }
        served.runs("generate-key", &online);
        served.runs("enroll-key", &enrolled);
        for name in ["04-root", "05-camera-station"] {
            served.holds(&shipped(&format!("first-day-tuf/{name}.toml")));
        }
        served.runs(
            "grant-delegation",
            "[more]\napplication = \"camera-station\"\nadd-keys = [\"dev-fritz\"]\n",
        );
        for (application, keys) in [("door", r#""dev-dana", "dev-fritz""#), ("lamp", r#""dev-dana""#)] {
            let grant = format!(
                "[delegation]\napplication = \"{application}\"\nkeys = [{keys}]\nthreshold = 1\n\
                 paths = [\"{application}/*\"]\nvalid-for = \"1 year\"\n"
            );
            served.runs("grant-delegation", &grant);
        }
        let made = served.signs(&stage.record);
        served.puts(&made);
        Done::of(Command::new("cp").arg("-r").args([&stage.record, &served.operations.record])).ended(0);
        served
    }

    fn map(&mut self) -> PathBuf {
        self.times += 1;
        let rooted = self.stage.record.join("metadata/root").exists();
        let map = if rooted { self.devices.knowing(&self.stage.root()) } else { self.devices.clone() };
        map.write(&format!("map-{}.toml", self.times))
    }

    fn holds(&mut self, runbook: &Path) {
        let map = self.map();
        self.stage.hold(&map, runbook).1.ended(0);
    }

    fn runs(&mut self, kind: &str, tables: &str) {
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{kind} {}\"\n{PEOPLE}{tables}", self.times);
        let runbook = self.stage.write(&format!("runbooks/{}.toml", self.times), &text);
        self.holds(&runbook);
    }

    /// The next snapshot and timestamp of a record: their upload's folder, carried away.
    fn signs(&mut self, record: &Path) -> PathBuf {
        let map = self.map();
        let made = self.stage.on(record, &map, &["sign-snapshot", "--unattended"]).ended(0).json();
        let carried = self.stage.path(&format!("up-{}", self.times));
        Done::of(
            Command::new("cp").arg("-r").arg(self.stage.path(made["upload"].as_str().unwrap())).arg(&carried),
        )
        .ended(0);
        carried
    }

    fn signs_nothing(&mut self) -> serde_json::Value {
        let map = self.map();
        self.stage.on(&self.stage.record, &map, &["sign-snapshot", "--unattended"]).ended(0).json()
    }

    /// A README's line, with the folder that the web server serves.
    fn line(&self, carried: &Path, part: &str) -> String {
        let lines = blocks(&fs::read_to_string(carried.join("README.txt")).unwrap());
        block(&lines, part).replace("/srv/tuf/metadata", utf8(&self.repository))
    }

    fn puts(&self, carried: &Path) {
        shell(carried, &self.line(carried, "done < ORDER"), &[]).ended(0);
    }

    /// What operations do with what someone hands them: taken in, listed, served.
    fn publishes(&mut self, developer: &str, target: &str) {
        let application = target.split('/').next().unwrap();
        let (role, key) = (RoleName::from_name(application), format!("dev-{developer}"));
        let content = Some((target, target.as_bytes()));
        let bytes = attempts::with_target(&self.operations, &role, &[&key], content);
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let name = format!("{}.{application}.json", document["signed"]["version"]);
        let medium = self.stage.path(&format!("from-{developer}-{}", self.times));
        fs::create_dir_all(&medium).unwrap();
        fs::write(medium.join(name), bytes).unwrap();
        let taken =
            self.stage.keyrite(["-C", utf8(&self.operations.record), "--json", "import", utf8(&medium)]);
        assert_eq!(taken.ended(0).json()["left"], serde_json::json!([]));
        let made = self.signs(&self.operations.record.clone());
        self.puts(&made);
    }

    /// Someone with the first root, with the memory that `client` has if it has one, finds the first and
    /// not the second.
    fn sees(&self, client: Option<&str>, found: &[&str], missing: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(self.repository.join("1.root.json")).arg(&self.repository);
        for name in found {
            python.args(["--target", name]);
        }
        for name in missing {
            python.args(["--expect-missing", name]);
        }
        if let Some(client) = client {
            python.arg("--cache").arg(self.stage.path(client));
        }
        Done::of(&mut python).ended(0);
        if client.is_none() {
            let mut tough = Command::new(brought("standins/tough-client"));
            tough.arg(self.repository.join("1.root.json")).arg(&self.repository).arg("-").args(found);
            let seen = Done::of(&mut tough).ended(0).json();
            let seen: Vec<_> = seen["targets_seen"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(seen, found);
        }
    }
}

#[test]
fn in_profile_tuf_the_new_snapshot_is_one_of_the_five() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.targets.rehearsed = true;
    limits.delegations.rehearsed = true;
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("stolen-key-tuf", Profile::Tuf, Kind::Production, &limits);
    let mut life = Served::begin(&stage);
    let honest = ["camera-station/one.bin", "door/one.bin", "lamp/one.bin"];
    for target in honest {
        life.publishes("dana", target);
    }
    let published = stage.path("published-before");
    Done::of(Command::new("cp").arg("-r").args([&life.repository, &published])).ended(0);
    stage.keyrite(["-C", utf8(&stage.record), "import", utf8(&published)]).ended(0);
    let evil = ["camera-station/evil.bin", "door/evil.bin", "lamp/evil.bin"];
    life.sees(Some("client-before"), &honest, &evil);

    life.publishes("fritz", "camera-station/good.bin");
    for target in evil {
        life.publishes("dana", target);
    }
    life.publishes("fritz", "door/good.bin");
    life.sees(Some("client-robbed"), &[&honest[..], &evil[..]].concat(), &[]);

    let carried = life.signs(&stage.record.clone());
    let mut call = Call::comes(&stage, &carried);
    call.has(&life.devices);
    call.leaves_out(&evil[..2]);
    let page = page();
    let fetch = life.line(&carried, "find ");
    call.types("up", &fetch);
    call.types("", &page[1]);
    let seen = call.answers(&page[3]);
    for line in [
        "rehearsed on throw-away keys",
        "target lamp/evil.bin: new in version 3, signed by dev-dana of dana, and by no key that stays;",
    ] {
        assert!(seen.split_whitespace().collect::<Vec<_>>().join(" ").contains(line), "{line} in {seen}");
    }
    let before = folders(&stage.record);
    call.types("", &with_own_map("keyrite -C trust sign-snapshot --unattended"));
    let made = call.made_since(&before);
    let hand_over = life.line(&call.desk.join(&made), "done < ORDER");
    call.types(&made, &hand_over);
    assert_eq!(call.typed.len(), 5, "{:#?}", call.typed);

    let good = ["camera-station/good.bin", "camera-station/one.bin", "door/good.bin", "door/one.bin"];
    let gone = [&evil[..], &["lamp/one.bin"]].concat();
    for client in [None, Some("client-before"), Some("client-robbed")] {
        life.sees(client, &good, &gone);
    }
    // What the key signs from now on comes into no snapshot.
    for (role, target) in [("door", "door/worse.bin"), ("lamp", "lamp/worse.bin")] {
        let bytes = attempts::with_target(
            &life.operations,
            &RoleName::from_name(role),
            &["dev-dana"],
            Some((target, b"worse")),
        );
        let medium = stage.path(&format!("worse-{role}"));
        fs::create_dir_all(&medium).unwrap();
        fs::write(medium.join(format!("9.{role}.json")), bytes).unwrap();
        stage.keyrite(["-C", utf8(&stage.record), "import", utf8(&medium)]);
        let made = life.signs_nothing();
        assert_eq!(made["made"], false, "{made}");
    }
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}
