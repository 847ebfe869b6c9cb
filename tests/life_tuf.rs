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

use keyrite::ceremony::facts::{Facts, Stage as Kind};
use keyrite::ceremony::limits::Limits;
use keyrite::record::{Inputs, Record};
use keyrite::tuf::chain::accept;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Document, MetaFile};
use keyrite::tuf::json::Json;
use keyrite::tuf::make;
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use serde_json::Value;
use stage::{Devices, Done, Stage, block, blocks, brought, shell, shipped, utf8};
use std::collections::BTreeMap;
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
        let finds = |seen: Done, who: &str| {
            let seen = seen.ended(0).json();
            assert_eq!(seen["root"], newest, "{who}: {seen}");
            let found = seen["targets_seen"].as_object().unwrap();
            assert!(self.released.iter().all(|target| found.contains_key(target)), "{who}: {seen}");
            assert_eq!(found.len(), self.released.len(), "{who}: {seen}");
        };
        for known in roots {
            reaches(self.python_tuf(known, None), &format!("python-tuf from root {known}"));
            finds(self.tough(known, None), &format!("tough from root {known}"));
        }
        // Who has a state of their own: as it was on the first day, or a step ago.
        let place = |client: &str, state: &str| self.stage.path(&format!("{client}-{state}"));
        let copied = |from: &Path, to: &Path| {
            let _ = fs::remove_dir_all(to);
            Done::of(Command::new("cp").arg("-r").args([from, to])).ended(0);
        };
        for client in ["python-tuf", "tough"] {
            let [beginning, stale, before] =
                ["beginning", "stale", "before"].map(|state| place(client, state));
            let goes_on = |state: &Path, who: &str| match client {
                "tough" => finds(self.tough(1, Some(state)), &format!("tough of {who}")),
                _ => reaches(self.python_tuf(1, Some(state)), &format!("python-tuf of {who}")),
            };
            goes_on(&before, "a step ago");
            if !beginning.exists() {
                copied(&before, &beginning);
            }
            copied(&beginning, &stale);
            goes_on(&stale, "the beginning");
        }
    }

    fn python_tuf(&self, known: u64, cache: Option<&Path>) -> Done {
        self.python_tuf_at(known, cache, &self.repository)
    }

    fn python_tuf_at(&self, known: u64, cache: Option<&Path>, served: &Path) -> Done {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(self.repository.join(format!("{known}.root.json"))).arg(served);
        for target in &self.released {
            python.args(["--target", target]);
        }
        if let Some(cache) = cache {
            python.arg("--cache").arg(cache);
        }
        Done::of(python.args(["--expect-missing", "camera-station/x"]).current_dir(&self.stage.dir))
    }

    fn tough(&self, known: u64, datastore: Option<&Path>) -> Done {
        self.tough_at(known, datastore, &self.repository)
    }

    fn tough_at(&self, known: u64, datastore: Option<&Path>, served: &Path) -> Done {
        let mut tough = Command::new(brought("standins/tough-client"));
        tough.arg(self.repository.join(format!("{known}.root.json"))).arg(served).arg("-");
        if let Some(datastore) = datastore {
            tough.arg("--datastore").arg(datastore);
        }
        Done::of(tough.args(&self.released).current_dir(&self.stage.dir))
    }

    /// What these keys alone sign of a role is taken in as history at most, by those that were listed
    /// once; it comes into no snapshot, and a client to which it is served all the same refuses it.
    fn refused(&self, role: &str, keys: &[&str], listed_once: bool) {
        let name = RoleName::from_name(role);
        let bytes = attempts::next_version(self.stage, &name, keys);
        let report = self.brings(role, &bytes);
        if listed_once {
            assert_eq!(report["taken"].as_array().map(Vec::len), Some(1), "{keys:?}: {report}");
        } else {
            assert_eq!(report["error"]["rule"], "ROLE-THRESHOLD", "{keys:?}: {report}");
        }
        let facts = self.facts();
        let delegator = match name {
            RoleName::Targets => facts.roots.last().unwrap(),
            _ => &facts.documents[&RoleName::Targets],
        };
        let file = wire::parse(Profile::Tuf, &name, &bytes).unwrap();
        let refusal = accept(delegator, &name, file, None).unwrap_err();
        assert_eq!(refusal.rule().name, "ROLE-THRESHOLD", "{keys:?}: {refusal}");
        assert!(refusal.found().contains("0 of 1"), "{keys:?}: {refusal}");
        let stands = facts.documents[&name].version();
        assert!(stands < version(&bytes), "{keys:?}: {role} {stands}");
        assert_eq!(self.signs_snapshot()["made"], false, "nothing new to list, by {keys:?}");

        let served = self.serves_all_the_same(&facts, &name, &bytes);
        let (newest, _) = self.stage.root();
        for known in [1, newest] {
            let python = self.python_tuf_at(known, None, &served).ended(1).problems();
            let expected = format!("UnsignedMetadataError: {role} was signed by 0/1 keys");
            assert!(python.contains(&expected), "{keys:?}: {python}");
            let tough = self.tough_at(known, None, &served).ended(1).problems();
            // It calls every delegation by its kind.
            let expected = "ignature threshold of 1 not met for role targets (0 valid signatures)";
            assert!(tough.contains(expected), "{keys:?}: {tough}");
        }
    }

    fn facts(&self) -> Facts {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let now = Time::from_unix(i64::try_from(now).unwrap()).unwrap();
        Record::open(&self.stage.record).unwrap().read_all(now, &Inputs::default()).unwrap().facts
    }

    /// The repository as someone with both online keys would have it, to bring in this document.
    fn serves_all_the_same(&self, facts: &Facts, role: &RoleName, bytes: &[u8]) -> PathBuf {
        let theirs = self.stage.path("theirs");
        let _ = fs::remove_dir_all(&theirs);
        Done::of(Command::new("cp").arg("-r").args([&self.repository, &theirs])).ended(0);
        fs::write(theirs.join(format!("{}.{}.json", version(bytes), role.as_str())), bytes).unwrap();
        let meta = |version: u64, bytes: &[u8]| MetaFile {
            version: Some(version),
            length: Some(bytes.len() as u64),
            hashes: BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())]).into(),
        };
        let sealed = |payload: &MetadataPayload, key: &str| {
            let signed =
                Json::parse(String::from_utf8(payload.bytes().to_vec()).unwrap().as_bytes()).unwrap();
            attempts::signed_by(self.stage, &signed, &[key])
        };
        let (snapshot, timestamp) =
            (&facts.documents[&RoleName::Snapshot], &facts.documents[&RoleName::Timestamp]);
        let Document::Snapshot(listed) = snapshot.document() else { panic!("no snapshot") };
        let mut listed = listed.meta.clone();
        listed.insert(role.clone(), meta(version(bytes), bytes));
        let (number, until) = (snapshot.version() + 1, snapshot.document().header().expires);
        let payload = make::snapshot(Profile::Tuf, number, until, &listed).unwrap();
        let file = sealed(&payload, "online-snapshot");
        fs::write(theirs.join(format!("{number}.snapshot.json")), &file).unwrap();
        let until = timestamp.document().header().expires;
        let payload =
            make::timestamp(Profile::Tuf, timestamp.version() + 1, until, &meta(number, &file)).unwrap();
        fs::write(theirs.join("timestamp.json"), sealed(&payload, "online-timestamp")).unwrap();
        theirs
    }

    /// A root by these keys alone, fewer than the root before asks, is left by the record, and by every
    /// client that finds it.
    fn root_refused(&self, keys: &[&str], (have, need): (u64, u64)) {
        let bytes = attempts::next_version(self.stage, &RoleName::Root, keys);
        let (newest, _) = self.stage.root();
        let report = self.brings("root", &bytes);
        assert_eq!(report["error"]["rule"], "ROOT-THRESHOLD-OLD", "{keys:?}: {report}");
        let found = report["error"]["found"].as_str().unwrap();
        assert!(found.ends_with(&format!("{have} of {need} needed keys signed")), "{keys:?}: {found}");
        assert_eq!(self.stage.root().0, newest, "{report}");
        let file = self.repository.join(format!("{}.root.json", newest + 1));
        fs::write(&file, bytes).unwrap();
        // A fresh one, and those that have a state of their own.
        let kept = |client: &str| self.stage.path(&format!("{client}-before"));
        for (known, state) in [(1, false), (newest, false), (1, true)] {
            let [python, tough] = ["python-tuf", "tough"].map(|client| state.then(|| kept(client)));
            let python = self.python_tuf(known, python.as_deref()).ended(1).problems();
            let expected = format!("UnsignedMetadataError: root was signed by {have}/{need} keys");
            assert!(python.contains(&expected), "{keys:?}: {python}");
            let tough = self.tough(known, tough.as_deref()).ended(1).problems();
            let expected = format!("threshold of {need} not met for role root ({have} valid signatures)");
            assert!(tough.contains(&expected), "{keys:?}: {tough}");
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
    life.refused("door", &["dev-dana"], false);

    // A developer is replaced.
    life.developer("fritz");
    let replaced = "[revoke]\napplication = \"door\"\nkey = \"dev-emil\"\nbecause = \"left\"\n\
         replace-with = [\"dev-fritz\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    life.developers = vec![("dana", "camera-station"), ("fritz", "door"), ("gera", "door")];
    life.changes("revoke-delegation", replaced);
    life.refused("door", &["dev-emil"], true);

    // The targets key is lost and replaced.
    life.keys(&[("targets-2", "uma", "targets")]);
    let targets =
        "[targets]\nkeys = [\"targets-2\"]\nlost = [\"targets-1\"]\nvalid-for = \"1 year\"\n[root]\n";
    life.changes("issue-targets-key", &format!("{targets}{two_years}"));
    life.refused("targets", &["targets-1"], true);

    // One root key, all of them, a higher threshold.
    life.keys(&[("root-d", "dora", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-d\"]\nremove = [\"root-c\"]\n{two_years}"));
    life.root_refused(&["root-a", "root-c"], (1, 2));
    life.keys(&[("root-e", "elin", "root"), ("root-f", "finn", "root"), ("root-g", "gera", "root")]);
    let all =
        "[root]\nadd = [\"root-e\", \"root-f\", \"root-g\"]\nremove = [\"root-a\", \"root-b\", \"root-d\"]\n";
    life.changes("rotate-root", &format!("{all}{two_years}"));
    life.root_refused(&["root-a", "root-b", "root-c", "root-d", "root-e"], (1, 2));
    life.keys(&[("root-h", "hugo", "root")]);
    life.changes("rotate-root", &format!("[root]\nadd = [\"root-h\"]\nthreshold = 3\n{two_years}"));
    life.root_refused(&["root-e", "root-f"], (2, 3));

    // Gera leaves: her root key and her part of the application at once.
    life.keys(&[("root-i", "ines", "root")]);
    let gera = "[revoke]\nperson = \"gera\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\n\
         [root]\nreplace-with = [\"root-i\"]\n";
    life.developers = vec![("dana", "camera-station"), ("fritz", "door")];
    life.changes("revoke-delegation", &format!("{gera}{two_years}"));
    life.refused("door", &["dev-gera"], true);
    life.root_refused(&["root-e", "root-f", "root-g"], (2, 3));

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
    life.root_refused(&["root-e", "root-f", "root-h"], (2, 3));
    life.keys(&[("online-timestamp-2", "operations", "timestamp")]);
    let online = format!("[root]\n{two_years}[timestamp]\nkeys = [\"online-timestamp-2\"]\n");
    life.changes("rotate-root", &online);
    assert_eq!(stage.root().0, 8);
}
