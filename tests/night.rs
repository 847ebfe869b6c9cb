//! The lines of the break-glass page, as they are typed at two in the morning: every one of them is held
//! here, on records that stand as the page says, with keys in files and on tokens that die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "play/host.rs"]
mod host;
mod stage;

use host::Played;
use jiff::Timestamp;
use keyrite::ceremony::change::Purpose;
use keyrite::ceremony::facts::{Facts, Stage as Kind};
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::people::KeyName;
use keyrite::ceremony::planner::{Cast, Incident, Successor, incident};
use keyrite::ceremony::unmade::LeaveOut;
use keyrite::record::{Inputs, Record};
use keyrite::signer::backends::Modules;
use keyrite::signer::secret::Pin;
use keyrite::signer::uri::KeyUri;
use keyrite::signer::{self, PinAsk, PinSource, TokenIdentity};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Document, Keys, MetaFile, PathRule, TargetFile};
use keyrite::tuf::evidence::Trusted;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::make::{Amendment, Grant, RoleSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::{Term, Time, Unit};
use keyrite::tuf::{make, wire};
use stage::{Devices, Done, Stage, block, blocks, brought, shell, shipped, utf8};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Every key file's pass-phrase.
const PHRASE: &str = stage::PHRASE;

/// Lines of the page that another test types: those that only ask.
const ELSEWHERE: [(&str, &str); 5] = [
    ("keyrite -C trust status", "tests/day"),
    ("keyrite -C trust guide", "tests/guide.rs"),
    ("keyrite init trust-2", "tests/init.rs"),
    ("keyrite -C trust status --who", "tests/life_delegations.rs"),
    ("keyrite rehearse ceremonies/first-day ceremonies/break-glass/root-key-lost", "tests/break_glass.rs"),
];

/// As high as a thief may count; keyrite takes such a number for no honest one.
const HIGHEST: u64 = 1 << 40;

/// Knows every pass-phrase.
struct Thief;

impl PinSource for Thief {
    fn pin(&mut self, _ask: &PinAsk) -> keyrite::tuf::rule::Result<Pin> {
        Ok(Pin::new(PHRASE.to_owned()))
    }

    fn pin_pad(&mut self, _ask: &PinAsk) -> keyrite::tuf::rule::Result<()> {
        Ok(())
    }

    fn touch(&mut self, _token: &TokenIdentity) {}
}

/// The page's sections with the lines to type in each, comments left out.
fn page() -> Vec<(String, Vec<String>)> {
    let page = fs::read_to_string(shipped("break-glass/README.md")).unwrap();
    let lines = |section: &str| -> Vec<String> {
        let typed = section.lines().filter_map(|line| line.strip_prefix("    "));
        typed.map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect()
    };
    page.split("\n## ").map(|part| (part.lines().next().unwrap().to_owned(), lines(part))).collect()
}

/// A first day with every key in a file, and the keys that the runbooks of the page will make.
struct Night {
    stage: Stage,
    profile: Profile,
    enrolments: Vec<(String, PathBuf)>,
    /// A root key whose place is not its file, and what stands for it in the map.
    elsewhere: Option<(String, String)>,
}

impl Night {
    fn first_day(name: &str, profile: Profile) -> Self {
        let mut night = Self::empty(name, profile);
        night.holds_first_day();
        night
    }

    /// The same night once more, in a folder of its own.
    fn again(&self, name: &str) -> Self {
        let dir = self.stage.dir.with_file_name(format!("stage-night-{name}"));
        let _ = fs::remove_dir_all(&dir);
        Done::of(Command::new("cp").arg("-a").args([&self.stage.dir, &dir])).ended(0);
        let stage = Stage { record: dir.join("record"), trust: self.stage.trust.clone(), dir };
        Self { stage, enrolments: self.enrolments.clone(), elsewhere: None, ..*self }
    }

    fn empty(name: &str, profile: Profile) -> Self {
        let mut limits = Limits::default_for(profile);
        let mut online = vec!["backend-snapshot", "backend-timestamp"];
        if profile == Profile::Tuf {
            limits.online.snapshot.insert("online-snapshot".parse().unwrap());
            limits.online.timestamp.insert("online-timestamp".parse().unwrap());
            online = vec!["online-snapshot", "online-timestamp"];
        }
        let stage = Stage::new(&format!("night-{name}"), profile, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let mut enrolments = Vec::new();
        for key in online.iter().flat_map(|key| [(*key).to_owned(), format!("{key}-2")]) {
            let public = with_openssl(&stage, &key);
            enrolments.push((key, public));
        }
        for dana in ["dev-dana", "dev-dana-2"] {
            let (key, enrolment) = stage.developer("dana");
            fs::rename(key, stage.path(&format!("keys/{dana}.pem"))).unwrap();
            let file = stage.path(&format!("{dana}.enrol.json"));
            fs::rename(enrolment, &file).unwrap();
            fs::remove_dir_all(stage.path("developers")).unwrap();
            enrolments.push((dana.to_owned(), file));
        }
        Self { stage, profile, enrolments, elsewhere: None }
    }

    fn holds_first_day(&mut self) {
        let folder = if self.profile == Profile::Tuf { "first-day-tuf" } else { "first-day" };
        for runbook in toml_files(&shipped(folder)) {
            self.until_held(&runbook);
        }
        self.served();
    }

    /// Everyone's map, less what is `gone`.
    fn map(&self, gone: &[&str]) -> PathBuf {
        let mut devices: Devices<'_> = self.stage.devices();
        for key in ["root-a", "root-b", "root-c", "root-d", "root-e", "targets-1", "targets-2"] {
            let moved = self.elsewhere.as_ref().is_some_and(|(name, _)| name == key);
            if !moved && !gone.contains(&key) {
                devices = devices.in_file(key, &format!("keys/{key}.pem"));
            }
        }
        for (key, file) in &self.enrolments {
            if !key.starts_with("backend") {
                devices = devices.in_file(key, &format!("keys/{key}.pem"));
            }
            devices = devices.enrol(key, file);
        }
        let rooted = self.stage.record.join("metadata/root").exists();
        let devices = if rooted { devices.knowing(&self.stage.root()) } else { devices };
        let number = fs::read_dir(&self.stage.dir).unwrap().count();
        let map = devices.write(&format!("devices-{number}.toml"));
        if let Some((_, table)) = self.elsewhere.as_ref().filter(|(name, _)| !gone.contains(&name.as_str())) {
            fs::write(&map, fs::read_to_string(&map).unwrap() + table).unwrap();
        }
        map
    }

    fn plan(&self, map: &Path, runbook: &Path) -> Done {
        self.stage.on(&self.stage.record, map, &["plan", utf8(runbook)])
    }

    /// Holds a runbook by the same line until all of it is held already; how often it did something.
    fn until_held(&self, runbook: &Path) -> usize {
        for times in 0..5 {
            let map = self.map(&[]);
            if self.plan(&map, runbook).ended(0).json()["already-held"] == true {
                return times;
            }
            self.stage.hold(&map, runbook).1.ended(0);
        }
        panic!("{} never ends", runbook.display());
    }

    fn served(&self) {
        if self.profile == Profile::Tuf {
            let sign = ["sign-snapshot", "--unattended"];
            self.stage.on(&self.stage.record, &self.map(&[]), &sign).ended(0);
        }
    }

    /// Types a line of the page, answers and all.
    fn types(&self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["keyrite", "-C", "trust" | "trust-2", "run", runbooks @ ..] => {
                for named in runbooks {
                    let path = shipped(named.strip_prefix("ceremonies/").unwrap());
                    let all = if path.is_dir() { toml_files(&path) } else { vec![path] };
                    for runbook in all {
                        self.until_held(&runbook);
                    }
                }
            }
            ["keyrite", "-C", "trust" | "trust-2", "sign-snapshot", "--unattended"] => self.served(),
            _ => panic!("nobody types this here: {line}"),
        }
    }

    fn listed(&self) -> String {
        let line = ["-C", utf8(&self.stage.record), "--json", "status"];
        self.stage.keyrite(line).ended(0).json()["roles"].to_string()
    }

    /// Signed by a key whose file and pass-phrase a thief has.
    fn stolen(&self, facts: &Facts, key: &str, payload: &MetadataPayload) -> Vec<u8> {
        let public = &facts.keys[&key.parse::<KeyName>().unwrap()].public;
        self.signed(key, public, &facts.root().unwrap().keys, payload)
    }

    /// Signed by the key in this file, which `listed` has.
    fn signed(&self, key: &str, public: &PublicKey, listed: &Keys, payload: &MetadataPayload) -> Vec<u8> {
        let place = KeyUri::File(self.stage.path(&format!("keys/{key}.pem")));
        let mut token = Modules::default().open(&place, None).unwrap();
        let mut signer = token.open(public, &mut Thief).unwrap();
        let whole = Payload::Metadata(payload.clone());
        let scheme = wire::scheme(self.profile, public);
        let signature = signer::sign(signer.as_mut(), public, scheme, &whole, &mut Thief).unwrap();
        wire::seal(payload, listed, &[signature]).unwrap()
    }

    fn facts(&self) -> Facts {
        Record::open(&self.stage.record).unwrap().read_all(now(), &Inputs::default()).unwrap().facts
    }

    /// The page of `status`, as one line.
    fn status(&self) -> String {
        let page = self.stage.keyrite(["-C", utf8(&self.stage.record), "status"]).ended(0).text();
        page.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A thief of the targets key lets the backend serve one more targets, with an application and a file
    /// of theirs, and it is imported.
    fn robbed(&self, file: &str) {
        let facts = self.facts();
        let before = &facts.documents[&RoleName::Targets];
        let entry = wire::key_entry(self.profile, &facts.keys[&"dev-dana".parse().unwrap()].public, None);
        let paths = vec!["evil/".to_owned()];
        let grant = Grant {
            role: RoleName::from_name(if self.profile == Profile::Tuf { "evil" } else { "targets/evil" }),
            keys: RoleSpec { keys: vec![entry.unwrap()], threshold: NonZeroU32::MIN },
            paths: if self.profile == Profile::Tuf {
                PathRule::Patterns(vec!["evil/*".to_owned()])
            } else {
                PathRule::Prefixes(paths)
            },
            terminating: false,
        };
        let digest = Digest::of(file.as_bytes()).as_bytes().to_vec();
        let hashes = BTreeMap::from([("sha256".to_owned(), digest)]).into();
        let put = TargetsEdit::PutTarget {
            path: file.to_owned(),
            file: TargetFile { length: 1, hashes, custom: None },
        };
        let until = now().plus(Term::new(1, Unit::Years)).unwrap();
        let version = before.version() + 1;
        let edits = [TargetsEdit::Grant(grant), put];
        let payload =
            make::targets(self.profile, &RoleName::Targets, version, until, Some(before.payload()), &edits);
        let served = self.stage.path(&format!("served-{version}-{file}"));
        fs::create_dir_all(&served).unwrap();
        let bytes = self.stolen(&facts, "targets-1", &payload.unwrap());
        fs::write(served.join(format!("{version}.targets.json")), bytes).unwrap();
        self.stage.on(&self.stage.record, &self.map(&[]), &["import", utf8(&served)]).ended(0);
        assert_eq!(self.facts().documents[&RoleName::Targets].version(), version);
    }

    /// A thief of the targets key lets the backend serve one more targets in which the camera station is
    /// theirs: their key in the place of dana's, and one more path; and their first release of it.
    fn taken_over(&self) {
        let (profile, facts) = (self.profile, self.facts());
        let public = with_openssl(&self.stage, "thief");
        let public = PublicKey::from_pem(&fs::read_to_string(public).unwrap()).unwrap();
        let role = self.camera_station();
        let before = &facts.documents[&RoleName::Targets];
        let listed = before.document().as_targets().unwrap().delegations.roles.iter();
        let danas = listed.clone().find(|listed| listed.name == role).unwrap().keys.keyids.iter().cloned();
        let amendment = Amendment {
            role: role.clone(),
            remove: Arc::new(danas.collect()),
            add: vec![wire::key_entry(profile, &public, None).unwrap()],
            threshold: None,
            add_paths: vec![self.path_of("evil")],
        };
        let until = now().plus(Term::new(1, Unit::Years)).unwrap();
        let (version, edits) = (before.version() + 1, [TargetsEdit::Amend(amendment)]);
        let targets =
            make::targets(profile, &RoleName::Targets, version, until, Some(before.payload()), &edits);
        let targets = targets.unwrap();
        let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(b"evil").as_bytes().to_vec())]).into();
        let put = TargetsEdit::PutTarget {
            path: "camera-station/evil".to_owned(),
            file: TargetFile { length: 4, hashes, custom: None },
        };
        let last = facts.documents.get(&role);
        let own = last.map_or(0, Trusted::version) + 1;
        let release = make::targets(profile, &role, own, until, last.map(Trusted::payload), &[put]).unwrap();
        let entries = &targets.document().as_targets().unwrap().delegations.keys;
        let release = self.signed("thief", &public, entries, &release);
        let served = self.stage.path("taken-over");
        fs::create_dir_all(&served).unwrap();
        fs::write(served.join("targets.json"), self.stolen(&facts, "targets-1", &targets)).unwrap();
        let name = format!("{}.json", role.as_str().replace('/', "%2F"));
        fs::write(served.join(name), release).unwrap();
        self.stage.on(&self.stage.record, &self.map(&[]), &["import", utf8(&served)]).ended(0);
        let facts = self.facts();
        assert_eq!(facts.documents[&RoleName::Targets].version(), version);
        assert_eq!(facts.documents[&role].version(), own);
    }

    fn camera_station(&self) -> RoleName {
        let tuf = self.profile == Profile::Tuf;
        RoleName::from_name(if tuf { "camera-station" } else { "targets/camera-station" })
    }

    /// All below a folder, as the profile writes it.
    fn path_of(&self, folder: &str) -> String {
        if self.profile == Profile::Tuf { format!("{folder}/*") } else { format!("{folder}/") }
    }

    /// Who may release for the camera station, by the record's names, its threshold and its paths.
    fn station(&self) -> (Vec<String>, u32, PathRule) {
        let facts = self.facts();
        let targets = facts.documents[&RoleName::Targets].document().as_targets().unwrap();
        let role = self.camera_station();
        let role = targets.delegations.roles.iter().find(|listed| listed.name == role).unwrap();
        let name = |id| {
            let public = targets.delegations.keys.get(id).unwrap().public.as_ref().unwrap();
            let known = facts.keys.values().find(|key| key.public == *public);
            known.map_or_else(|| "nobody".to_owned(), |key| key.name.to_string())
        };
        (role.keys.keyids.iter().map(name).collect(), role.keys.threshold.get(), role.paths.clone())
    }

    /// What the newest targets says itself: its files, and whom it lets sign.
    fn says(&self) -> (u64, Vec<String>, Vec<String>) {
        let facts = self.facts();
        let newest = &facts.documents[&RoleName::Targets];
        let targets = newest.document().as_targets().unwrap();
        let roles = targets.delegations.roles.iter().map(|role| role.name.to_string()).collect();
        (newest.version(), targets.targets.keys().cloned().collect(), roles)
    }

    /// The page's recovery from the theft of the targets key, with this more under `[targets]`.
    fn recovery(&self, name: &str, more: &str) -> PathBuf {
        let text =
            fs::read_to_string(shipped("break-glass/targets-key-compromised/02-recover.toml")).unwrap();
        assert!(text.ends_with("[targets]\nvalid-for = \"1 year\"\n"), "{text}");
        self.stage.write(name, &format!("{text}{more}"))
    }

    /// The lines of a plan, as one.
    fn planned(&self, runbook: &Path) -> String {
        self.plan(&self.map(&[]), runbook).ended(0).json()["summary"].to_string()
    }
}

/// A key in a file, made by another program; its public half.
fn with_openssl(stage: &Stage, key: &str) -> PathBuf {
    let (secret, public) = (stage.path(&format!("keys/{key}.pem")), stage.path(&format!("{key}.pub")));
    let line = format!(
        "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -v2 aes-256-cbc \
         -v2prf hmacWithSHA256 -passout file:phrase -out {0} && chmod 600 {0} && \
         openssl pkey -in {0} -passin file:phrase -pubout -out {1}",
        utf8(&secret),
        utf8(&public)
    );
    Done::of(Command::new("sh").args(["-euc", &line]).current_dir(&stage.dir)).ended(0);
    public
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Time::from_unix(since.try_into().unwrap()).unwrap()
}

/// A repository of profile `tuf` as it is served, and the clients that read it.
struct Field<'a> {
    night: &'a Night,
    repository: PathBuf,
}

impl Field<'_> {
    /// Makes snapshot and timestamp where they are due, hands the upload over as its README says, and
    /// sends both clients from every root that there was.
    fn served(&self) {
        let stage = &self.night.stage;
        let line = ["sign-snapshot", "--unattended"];
        let made = stage.on(&stage.record, &self.night.map(&[]), &line).ended(0).json();
        let folder = stage.path(made["upload"].as_str().unwrap());
        let lines = blocks(&fs::read_to_string(folder.join("README.txt")).unwrap());
        let line = block(&lines, "done < ORDER").replace("/srv/tuf/metadata", utf8(&self.repository));
        shell(&folder, &line, &[]).ended(0);
        let (newest, _) = stage.root();
        for known in 1..=newest {
            let seen = self.python(known, &self.repository, &[]).ended(0).json();
            assert_eq!(seen["roles"]["root"], newest, "python-tuf from root {known}: {seen}");
            let mut tough = Command::new(brought("standins/tough-client"));
            tough.arg(self.repository.join(format!("{known}.root.json"))).arg(&self.repository).arg("-");
            Done::of(tough.current_dir(&stage.dir)).ended(0);
        }
    }

    fn python(&self, known: u64, from: &Path, options: &[&str]) -> Done {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
        let mut python = Command::new(brought("test-venv").join("bin/python"));
        python.arg(script).arg(self.repository.join(format!("{known}.root.json"))).arg(from).args(options);
        Done::of(python.args(["--expect-missing", "camera-station/x"]).current_dir(&self.night.stage.dir))
    }

    fn copied(&self, name: &str) -> PathBuf {
        let to = self.night.stage.path(name);
        Done::of(Command::new("cp").arg("-r").args([&self.repository, &to])).ended(0);
        to
    }

    /// What a thief of both online keys serves: the documents as they are, under the highest versions.
    fn fast_forwarded(&self) -> PathBuf {
        let theirs = self.copied("theirs");
        let record = Record::open(&self.night.stage.record).unwrap();
        let now = now();
        let facts = record.read_all(now, &Inputs::default()).unwrap().facts;
        let until = now.plus(Term::new(2, Unit::Years)).unwrap();
        let listed = match facts.documents[&RoleName::Snapshot].document() {
            Document::Snapshot(snapshot) => snapshot.meta.clone(),
            other => panic!("{other:?}"),
        };
        let payload = make::snapshot(Profile::Tuf, HIGHEST, until, &listed).unwrap();
        let snapshot = self.stolen(&facts, "online-snapshot", &payload);
        fs::write(theirs.join(format!("{HIGHEST}.snapshot.json")), &snapshot).unwrap();
        let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(&snapshot).as_bytes().to_vec())]);
        let meta =
            MetaFile { version: Some(HIGHEST), length: Some(snapshot.len() as u64), hashes: hashes.into() };
        let payload = make::timestamp(Profile::Tuf, HIGHEST, until, &meta).unwrap();
        fs::write(theirs.join("timestamp.json"), self.stolen(&facts, "online-timestamp", &payload)).unwrap();
        theirs
    }

    /// Signed by a key whose file and pass-phrase a thief has.
    fn stolen(&self, facts: &Facts, key: &str, payload: &MetadataPayload) -> Vec<u8> {
        self.night.stolen(facts, key, payload)
    }
}

#[test]
fn whom_a_thief_of_the_online_keys_caught_comes_back() {
    let night = Night::first_day("thief", Profile::Tuf);
    let field = Field { repository: night.stage.path("repository"), night: &night };
    fs::create_dir_all(&field.repository).unwrap();
    // The first day's upload is there; one more root, and another before anything is served: who missed
    // the one between follows both, one by one.
    for line in ["root-key-lost", "root-expiring"] {
        night.types(&format!("keyrite -C trust run ceremonies/break-glass/{line}"));
    }
    field.served();
    assert_eq!(night.stage.root().0, 3);

    // An agent took what the thief served, which holds it there for good...
    let theirs = field.fast_forwarded();
    let caught = ["--cache", "caught"];
    let seen = field.python(1, &theirs, &caught).ended(0).json();
    assert_eq!(seen["roles"]["timestamp"], HIGHEST, "{seen}");
    let held_back = field.python(1, &field.repository, &caught).ended(1).problems();
    assert!(held_back.contains("BadVersionNumberError"), "{held_back}");
    // ... until a root has other keys for both: by the page's own lines.
    night.types("keyrite -C trust run ceremonies/break-glass/backend-compromised-tuf");
    field.served();
    let seen = field.python(1, &field.repository, &caught).ended(0).json();
    assert_eq!(seen["roles"]["root"], 4, "{seen}");
    assert!(seen["roles"]["timestamp"].as_u64().unwrap() < HIGHEST, "{seen}");
    // What the thief signs is worth nothing to whoever has that root.
    let now = field.copied("theirs-now");
    for file in ["timestamp.json".to_owned(), format!("{HIGHEST}.snapshot.json")] {
        fs::copy(theirs.join(&file), now.join(&file)).unwrap();
    }
    let refused = field.python(1, &now, &caught).ended(1).problems();
    assert!(refused.contains("UnsignedMetadataError"), "{refused}");
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    all.sort();
    all
}

fn profiles(case: &str) -> &'static [Profile] {
    match case {
        "backend-compromised" | "quorum-lost" => &[Profile::Notary],
        "backend-compromised-tuf" | "quorum-lost-tuf" => &[Profile::Tuf],
        _ => &[Profile::Notary, Profile::Tuf],
    }
}

#[test]
fn every_line_of_the_page_does_what_it_says() {
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(line, _)| *line).collect();
    let notary = Night::first_day("notary", Profile::Notary);
    let tuf = Night::first_day("tuf", Profile::Tuf);
    let mut typed = 0;
    for (case, lines) in page() {
        let lines: Vec<_> = lines.into_iter().filter(|line| !elsewhere.contains(line.as_str())).collect();
        // Its lines rest on what the backend was last seen to serve.
        if lines.is_empty() || case == "developer-key-stolen" {
            continue;
        }
        for profile in profiles(&case) {
            let (name, first) = match profile {
                Profile::Tuf => (format!("{case}-tuf"), &tuf),
                Profile::Notary => (format!("{case}-notary"), &notary),
            };
            let night = if case.starts_with("quorum-lost") {
                Night::empty(&name, *profile)
            } else {
                first.again(&name)
            };
            for line in &lines {
                night.types(line);
                typed += 1;
            }
            let verified = night.stage.verify().ended(0).json();
            assert_eq!(verified["problems"], serde_json::json!([]), "{name}");
        }
    }
    assert!(typed > 14, "{typed}");
}

#[test]
fn a_token_that_dies_between_two_signatures_stops_nothing() {
    let shim = brought("standins/libp11shim.so");
    let mut night = Night::empty("token", Profile::Notary);
    let serial = night.stage.token("root-b");
    let sha256 = Digest::of(&fs::read(&shim).unwrap());
    let table = format!(
        "[module.shim]\npath = \"{}\"\nsha256 = \"{sha256}\"\n[key.root-b]\n\
         uri = \"pkcs11:token=root-b;serial={serial};object=root-b\"\nmodule = \"shim\"\npin = \"pin\"\n",
        shim.display()
    );
    night.elsewhere = Some(("root-b".to_owned(), table));
    let shim_conf = night.stage.path("shim.conf");
    let conf = |knob: &str| {
        fs::write(&shim_conf, format!("module=/usr/lib/softhsm/libsofthsm2.so\n{knob}")).unwrap();
    };
    conf("");
    night.holds_first_day();

    // It signs the new root, and is gone before the statement beside it.
    let renewal = shipped("break-glass/root-expiring/01-renew.toml");
    let map = night.map(&[]);
    let (change, answers) = night.stage.answers(&map, &renewal);
    conf("removed-after-sign=1\n");
    let run = |map: &Path| {
        let line = ["run", utf8(&renewal), "--answers", utf8(&answers), "--unattended"];
        night.stage.on(&night.stage.record, map, &line)
    };
    let died = run(&map);
    let said = format!("{}{}", died.text(), died.problems());
    assert!(said.contains("TOKEN-REMOVED"), "{said}");
    let signed = || {
        let folder = night.stage.record.join(format!("changes/{change}"));
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".sig.json")).count()
    };
    assert_eq!(signed(), 3, "root-a has signed both, root-b the root");

    // With the dead token in the map the line stops there again; without it, the others go on.
    conf("sign-fail=0x32:1\n");
    let again = run(&map);
    let said = format!("{}{}", again.text(), again.problems());
    assert!(said.contains("TOKEN-REMOVED"), "{said}");
    assert_eq!(signed(), 3);
    let without = night.map(&["root-b"]);
    run(&without).ended(0);
    assert_eq!(night.stage.root().0, 2);
    let root = fs::read_dir(night.stage.record.join("metadata/root")).unwrap();
    let root =
        root.map(|e| e.unwrap().path()).find(|p| p.file_name().unwrap().to_str().unwrap().starts_with("2."));
    let root: serde_json::Value = serde_json::from_slice(&fs::read(root.unwrap()).unwrap()).unwrap();
    assert_eq!(root["signatures"].as_array().unwrap().len(), 3, "what was signed stays signed");

    // Then a new key takes its place, for which nobody asks the dead one.
    night.elsewhere = Some(("root-b".to_owned(), String::new()));
    night.types("keyrite -C trust run ceremonies/break-glass/token-dead");
    let listed = night.listed();
    assert!(listed.contains("\"root-d (") && !listed.contains("\"root-b ("), "{listed}");
}

#[test]
fn a_quorum_that_is_lost_is_said_so_before_anyone_travels() {
    let night = Night::first_day("quorum", Profile::Notary);
    let map = night.map(&["root-b", "root-c"]);
    night.until_held(&shipped("break-glass/root-threshold-compromised/01-root-keys.toml"));
    let recover = |lost: &str, compromised: &str, title: &str| {
        let text = format!(
            "ceremony = \"recover\"\ntitle = \"{title}\"\n[people]\nada = \"administrator\"\nwim = \"witness\"\n\
             [recover]\nlost = [{lost}]\ncompromised = [{compromised}]\nreplace-with = [\"root-d\", \"root-e\"]\n\
             [root]\nvalid-for = \"2 years\"\n"
        );
        night.stage.write("recover.toml", &text)
    };
    let refused = |runbook: &Path| {
        let said = night.plan(&map, runbook).ended(1).json();
        assert_eq!(said["error"]["rule"], "QUORUM-LOST", "{said}");
        said["error"]["expected"].as_str().unwrap().to_owned()
    };
    let remains = refused(&recover("\"root-b\", \"root-c\"", "", "Two lost"));
    for words in ["If root-b is found", "If root-c is found", "a new trust"] {
        assert!(remains.contains(words), "{words}: {remains}");
    }
    let remains = refused(&recover("", "\"root-b\", \"root-c\"", "Two stolen"));
    assert!(remains.contains("Only with compromised keys' signatures"), "{remains}");
    // Who only notices in the middle: the change waits, and nothing is sealed.
    night.stage.hold(&map, &shipped("break-glass/root-expiring/01-renew.toml")).1.ended(4);
    assert_eq!(night.stage.root().0, 1);
    // Nothing that the old keys sign makes the new trust known, and its root no old client's.
    let other = Night::empty("quorum-new", Profile::Notary);
    other.types("keyrite -C trust-2 run ceremonies/break-glass/quorum-lost");
    assert_ne!(other.stage.root().1, night.stage.root().1);
    let taken = night.stage.on(&night.stage.record, &map, &["import", utf8(&other.stage.record)]);
    assert_eq!(taken.ended(1).json()["error"]["rule"], "RECORD-OTHER");
}

/// A thief who used the targets key: whoever recovers sees what came in, and leaves it out or not.
#[test]
fn what_a_thief_of_the_targets_key_put_in_is_shown_and_left_out() {
    for profile in [Profile::Notary, Profile::Tuf] {
        let tuf = profile == Profile::Tuf;
        let day = Night::first_day(if tuf { "used-tuf" } else { "used-notary" }, profile);
        let honest = day.says();
        assert_eq!((honest.0, honest.1.len(), honest.2.len()), (2, 0, 1), "{honest:?}");
        day.until_held(&shipped("break-glass/targets-key-compromised/01-targets-key.toml"));
        let plain = day.recovery("recover.toml", "");
        let before = day.planned(&plain);
        assert!(!before.contains("none that a change") && !before.contains("as-in"), "{before}");
        assert!(!day.status().contains("no change of this record made"));

        day.robbed("evil.bin");
        let called_out = "no change of this record made targets 3, signed by targets-1 of uma; the last that \
                          one made is targets 2: if none of you published it";
        assert!(day.status().contains(called_out), "{}", day.status());
        let application = if tuf { "evil" } else { "targets/evil" };
        let (granted, file) = (format!("  delegation {application}: granted"), "  target evil.bin: ");
        let told = day.planned(&plain);
        for line in ["since targets 2, the last before it that one made", &granted, file, "as-in = 2 under"] {
            assert!(told.contains(line), "no {line} in {told}");
        }
        // Any other change shows it as well: what it makes would pass for the record's own from then on.
        let again = "ceremony = \"renew\"\ntitle = \"Again\"\n[people]\nada = \"administrator\"\numa = \"custodian\"\n\
                     [renew]\nwithin = \"18 months\"\nroles = [\"targets\"]\n[targets]\nvalid-for = \"2 years\"\n";
        let again = day.stage.write("again.toml", again);
        let told = day.planned(&again);
        assert!(told.contains(&granted) && told.contains(file) && !told.contains("as-in"), "{told}");

        let files = |which: &str| format!("came-in = \"files\"\nwithout-paths = \"{which}\"\n");
        let answers = [
            (&*files("evil.bin"), "without-paths = [\"evil.bin\"]", "These files leave targets: evil.bin."),
            (&*files("none"), "", ""),
            ("came-in = \"leave-out\"\n", "as-in = 2", "nothing else that came in goes on"),
        ];
        asked_by_the_guide(&day, if tuf { "used-guide-tuf" } else { "used-guide" }, file.trim(), &answers);

        // Left out whole.
        let out = day.again(if tuf { "used-out-tuf" } else { "used-out-notary" });
        let runbook = out.recovery("recover.toml", "as-in = 2\n");
        let told = out.planned(&runbook);
        for line in [
            "it says again what targets 2 said, and nothing that came in since",
            "this change leaves all that out",
            file,
        ] {
            assert!(told.contains(line), "no {line} in {told}");
        }
        let refused = out.plan(&out.map(&[]), &out.recovery("older.toml", "as-in = 1\n")).ended(1).json();
        assert_eq!(refused["error"]["rule"], "TARGETS-AS-IN", "{refused}");
        assert_eq!(out.until_held(&runbook), 1);
        out.served();
        assert_eq!(out.says(), (4, honest.1.clone(), honest.2.clone()));
        assert!(!out.status().contains("no change of this record made"), "{}", out.status());
        assert_eq!(out.stage.verify().ended(0).json()["problems"], serde_json::json!([]));

        // A file alone, and the grant stays, as the plan has said.
        let file_out = day.again(if tuf { "used-file-tuf" } else { "used-file-notary" });
        let runbook = file_out.recovery("recover.toml", "without-paths = [\"evil.bin\", \"gone.bin\"]\n");
        let told = file_out.planned(&runbook);
        assert!(told.contains("  without evil.bin") && told.contains("gone.bin is not in it"), "{told}");
        assert_eq!(file_out.until_held(&runbook), 1);
        let says = file_out.says();
        assert_eq!((says.0, says.1.len()), (4, 0), "{says:?}");
        assert!(says.2.contains(&application.to_owned()), "{says:?}");

        // What was signed on top of it is shown all the same, and only named files can be left out.
        assert_eq!(day.until_held(&again), 1);
        assert!(!day.status().contains("no change of this record made"));
        let told = day.planned(&plain);
        assert!(told.contains(&granted) && told.contains(file) && told.contains("without-paths"), "{told}");
        let refused = day.plan(&day.map(&[]), &day.recovery("late.toml", "as-in = 3\n")).ended(1).json();
        assert_eq!(refused["error"]["rule"], "TARGETS-AS-IN", "{refused}");
        let late = day.recovery("late.toml", "as-in = 2\nwithout-paths = [\"evil.bin\"]\n");
        let told = day.planned(&late);
        for line in ["with what changes of this record did since", "evil.bin is not in it"] {
            assert!(told.contains(line), "no {line} in {told}");
        }
        assert_eq!(day.until_held(&late), 1);
        assert_eq!(day.says(), (5, honest.1.clone(), honest.2.clone()));
    }
}

/// The guide shows what came in and asks about it; for each answer, from way to way, what stands of it under
/// `[targets]` in the runbook, and in which words it is told.
fn asked_by_the_guide(day: &Night, name: &str, shown: &str, answers: &[(&str, &str, &str)]) {
    let stolen = "what = \"targets-key\"\nfate.targets-1 = \"copied\"\nlate = \"none\"\n";
    let ways = [
        ("lost-or-stolen", stolen, "-recover.toml"),
        ("targets-key", "threshold = \"1\"\n", "-targets.toml"),
    ];
    for (nth, (answer, written, words)) in answers.iter().enumerate() {
        for (ceremony, more, file) in ways {
            let guided = day.again(&format!("{name}-{ceremony}-{nth}"));
            let answers = format!(
                "[answers]\nceremony = \"{ceremony}\"\n{more}keys = \"targets-1\"\nnew-key = \"targets-9\"\n\
                 holder = \"uma\"\n{answer}administrator = \"ada\"\nwitnesses = \"wim\"\nnext = \"later\"\n"
            );
            let answers = guided.stage.write("guide.toml", &answers);
            let map = guided.map(&[]);
            let line = ["-C", utf8(&guided.stage.record), "--devices", utf8(&map), "guide", "--answers"];
            let said = guided.stage.keyrite(line.iter().chain(&[utf8(&answers), "--unattended"])).ended(0);
            let said = said.text().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(shown) && said.contains(words), "{words}: {said}");
            assert!(!words.is_empty() || !said.contains("leave targets:"), "{said}");
            let grants = said.contains("a thief's grants stand there") || said.contains("every grant stays");
            assert_eq!(grants, !answer.contains("leave-out"), "{answer}: {said}");
            let folder = guided.stage.record.join(ceremony);
            let runbook = toml_files(&folder).into_iter().find(|path| utf8(path).ends_with(file)).unwrap();
            let text = fs::read_to_string(runbook).unwrap();
            let warned = text.contains("a thief's grants stand there");
            assert_eq!(warned, file == "-recover.toml" && !answer.contains("leave-out"), "{text}");
            let of_targets = text.split("\n[targets]\n").nth(1).unwrap().split("\n[").next().unwrap();
            let ours = |line: &&str| line.starts_with("as-in") || line.starts_with("without-paths");
            let found: Vec<_> = of_targets.lines().filter(ours).collect();
            assert_eq!(found.join("\n"), *written, "{ceremony}, {answer}: {text}");
        }
    }
}

/// A thief who put a key of theirs in the place of a developer's, which the record has no name for: each
/// change that replaces the targets key shows it, and leaves it out with one line, also where people had
/// signed on top of it before they knew.
#[test]
fn a_developers_key_that_a_thief_replaced_comes_back_with_the_next_targets_key() {
    for profile in [Profile::Notary, Profile::Tuf] {
        let tuf = profile == Profile::Tuf;
        let name = |name: &str| format!("over-{name}{}", if tuf { "-tuf" } else { "" });
        let mut day = Night::first_day(&name("day"), profile);
        let honest = day.station();
        assert_eq!((honest.0.as_slice(), honest.1), (&["dev-dana".to_owned()][..], 1));
        day.until_held(&shipped("break-glass/targets-key-compromised/01-targets-key.toml"));
        day.taken_over();
        assert_eq!(day.station().0, ["nobody"]);
        let quiet = "ceremony = \"issue-targets-key\"\ntitle = \"The next targets key\"\n[people]\n\
                     ada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n[root]\n\
                     valid-for = \"2 years\"\n[targets]\nkeys = [\"targets-2\"]\nvalid-for = \"1 year\"\n";
        let quiet =
            |night: &Night, file: &str, more: &str| night.stage.write(file, &format!("{quiet}{more}"));
        let role = day.camera_station();
        let foreign = [
            format!("  delegation {role}: adds a key that the record doesn't know"),
            format!("  delegation {role}: removes dev-dana of dana"),
            format!("  delegation {role}: now "),
        ];

        // In peace or not, whoever replaces the key sees what came in, and how to leave it out.
        for (file, runbook) in
            [("quiet", quiet(&day, "quiet.toml", "")), ("recover", day.recovery("recover.toml", ""))]
        {
            let told = day.planned(&runbook);
            for line in foreign.iter().map(String::as_str).chain(["as-in = 2 under [targets]"]) {
                assert!(told.contains(line), "{file}: no {line} in {told}");
            }
        }
        let left_out = "Targets says again what targets 2 said, with your own changes since";
        let answers =
            [("came-in = \"leave-out\"\n", "as-in = 2", left_out), ("came-in = \"keep\"\n", "", "")];
        asked_by_the_guide(&day, &name("guide"), "adds a key that the record doesn't know", &answers);
        // Left out at once: dana alone is back, and what customers lose of the thief's is said.
        let out = day.again(&name("out"));
        // Not with a key that nobody has any more, since clients know nothing of its life.
        let stolen = quiet(&out, "stolen.toml", "as-in = 2\n[declared]\ncompromised = [\"dev-dana\"]\n");
        let refused = out.plan(&out.map(&[]), &stolen).ended(1).json();
        assert_eq!(refused["error"]["rule"], "KEY-GONE", "{refused}");
        assert!(refused["error"]["found"].as_str().unwrap().starts_with("dev-dana"), "{refused}");
        let runbook = quiet(&out, "out.toml", "as-in = 2\n");
        let plan = out.plan(&out.map(&[]), &runbook).ended(0).json();
        assert!(plan["summary"].to_string().contains("this change leaves all that out"), "{plan}");
        let clients = plan["clients"].to_string();
        assert!(clients.contains(&format!("1 targets of {role} would vanish for customers")), "{clients}");
        assert_eq!(out.until_held(&runbook), 1);
        out.served();
        assert_eq!(out.station(), honest);
        assert!(
            !out.facts().documents.contains_key(&role) || tuf,
            "what the thief released is worth nothing"
        );
        assert_eq!(out.stage.verify().ended(0).json()["problems"], serde_json::json!([]));

        // People sign on top of it, before they know: one more developer, one more folder.
        let (key, enrolment) = day.stage.developer("emil");
        fs::rename(key, day.stage.path("keys/dev-emil.pem")).unwrap();
        day.enrolments.push(("dev-emil".to_owned(), enrolment));
        let people = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";
        let enroll = format!(
            "ceremony = \"enroll-key\"\ntitle = \"Emil\"\n{people}[[key]]\nname = \"dev-emil\"\n\
             holder = \"emil\"\npurpose = \"delegation\"\n"
        );
        let more = format!(
            "ceremony = \"grant-delegation\"\ntitle = \"Emil for the station\"\n{people}[more]\n\
             application = \"camera-station\"\nadd-keys = [\"dev-emil\"]\nadd-paths = [\"{}\"]\n",
            day.path_of("camera-station-manuals")
        );
        for (file, text) in [("enroll.toml", enroll), ("more.toml", more)] {
            assert_eq!(day.until_held(&day.stage.write(file, &text)), 1);
        }
        assert_eq!(day.station().0, ["nobody", "dev-emil"]);
        let runbook = quiet(&day, "late.toml", "as-in = 2\n");
        let told = day.planned(&runbook);
        let left = "this change leaves all that out: it signs again what targets 2 said, with what changes of \
                    this record did since";
        for line in foreign.iter().map(String::as_str).chain([left]) {
            assert!(told.contains(line), "no {line} in {told}");
        }
        assert_eq!(day.until_held(&runbook), 1);
        day.served();
        let (keys, threshold, paths) = day.station();
        assert_eq!((keys, threshold), (vec!["dev-dana".to_owned(), "dev-emil".to_owned()], 1));
        let (PathRule::Patterns(paths) | PathRule::Prefixes(paths)) = paths else { panic!("{paths:?}") };
        assert_eq!(paths, [day.path_of("camera-station"), day.path_of("camera-station-manuals")]);
        assert_eq!(day.stage.verify().ended(0).json()["problems"], serde_json::json!([]));
        // Nothing is left of it to be shown with the key after that.
        let again = "ceremony = \"recover\"\ntitle = \"Again\"\n[people]\nada = \"administrator\"\n\
                     wim = \"witness\"\n[recover]\ncompromised = [\"targets-2\"]\n\
                     replace-with = [\"targets-1\"]\n[root]\nvalid-for = \"2 years\"\n[targets]\n\
                     valid-for = \"1 year\"\n";
        let told = day.planned(&day.stage.write("again.toml", again));
        assert!(!told.contains("none that a change") && !told.contains("as-in"), "{told}");
    }
}

/// Root and targets keys gone in one night: what the planner says is rehearsed as it is, and one change
/// drops both.
#[test]
fn root_and_targets_keys_gone_at_once_take_one_change() {
    for profile in [Profile::Notary, Profile::Tuf] {
        let name = format!("both-{}", if profile == Profile::Tuf { "tuf" } else { "notary" });
        let night = Night::first_day(&name, profile);
        let new = |key: &str, holder: &str, purpose| Successor {
            name: key.parse().unwrap(),
            holder: holder.parse().unwrap(),
            purpose,
        };
        let gone = Incident {
            lost: BTreeSet::from(["root-c".parse().unwrap()]),
            compromised: ["root-c", "targets-1"].map(|key| key.parse().unwrap()).into(),
            replace_with: BTreeSet::new(),
            new: vec![new("root-d", "dora", Purpose::Root), new("targets-2", "uma", Purpose::Targets)],
            late: BTreeMap::new(),
            threshold: None,
            valid_for: Term::new(2, Unit::Years),
            targets_valid_for: Term::new(1, Unit::Years),
            leave_out: LeaveOut::default(),
        };
        let record = Record::open(&night.stage.record).unwrap();
        let facts = record.read_all(now(), &Inputs::default()).unwrap().facts;
        let cast = Cast {
            administrator: "ada".parse().unwrap(),
            witnesses: BTreeSet::from(["wim".parse().unwrap()]),
        };
        let way = incident(&gone, &facts, &cast).unwrap();
        assert_eq!((way.roots.len(), way.runbooks.len()), (1, 1), "{:?}", way.words);
        let folder = night.stage.path("both");
        fs::create_dir_all(&folder).unwrap();
        for (number, made) in
            [(1, "root-key-lost/01-root-key.toml"), (2, "targets-key-compromised/01-targets-key.toml")]
        {
            fs::copy(shipped(&format!("break-glass/{made}")), folder.join(format!("{number:02}.toml")))
                .unwrap();
        }
        fs::write(folder.join("03-recover.toml"), &way.runbooks[0].1).unwrap();
        let into = night.stage.path("rehearsal");
        let line = ["rehearse", "--from", utf8(&night.stage.record), "--into", utf8(&into), utf8(&folder)];
        let said = night.stage.keyrite(line).ended(0).text();
        for seen in ["it accepts root 2", "a client accepted what they made"] {
            assert!(said.contains(seen), "{name}: {said}");
        }
        for runbook in toml_files(&folder) {
            assert_eq!(night.until_held(&runbook), 1, "{}", runbook.display());
        }
        let listed = night.listed();
        for (key, there) in [("root-d", true), ("targets-2", true), ("root-c", false), ("targets-1", false)] {
            assert_eq!(listed.contains(&format!("\"{key} (")), there, "{name}, {key}: {listed}");
        }
        assert_eq!(night.stage.root().0, 2);
    }
}

/// The guide knows what to do where people look for it, and says what customers see meanwhile.
fn guided_past_the_end(
    scratch: &Path,
    record: &Path,
    name: &str,
    at: &dyn Fn(&str, &[&str]) -> String,
    when: &str,
) {
    let notary = fs::read_to_string(record.join("trust.json")).unwrap().contains("notary");
    let documents = if notary { "what = \"documents\"\n" } else { "" };
    for (way, asks, folder) in
        [("renew", documents, "renewal"), ("lost-or-stolen", "what = \"root-expired\"\n", "lost-or-stolen")]
    {
        let guided = scratch.join(format!("guided-{name}-{way}"));
        Done::of(Command::new("cp").arg("-r").arg(record).arg(&guided)).ended(0);
        let answers = scratch.join(format!("{name}-{way}.toml"));
        let text = format!(
            "[answers]\nceremony = \"{way}\"\n{asks}within = \"30 days\"\nadministrator = \"ada\"\n\
             witnesses = \"wim\"\nnext = \"later\"\n"
        );
        fs::write(&answers, text).unwrap();
        let line = ["keyrite", "-C", utf8(&guided), "guide", "--answers", utf8(&answers), "--unattended"];
        let said = at(when, &line).split_whitespace().collect::<Vec<_>>().join(" ");
        let words = if name == "ended" {
            "Root 1 ended on 2026-10-02: customers' agents are stuck, they refuse every update until they have \
             the next root. They still follow root 1 to it, by themselves."
        } else {
            "Root 1 ends on 2026-10-02: from then on customers' agents refuse every update until they have"
        };
        assert!(said.contains(words), "{way}, {name}: {said}");
        let into = scratch.join(format!("rehearsed-{name}-{way}"));
        let runbook = guided.join(folder).join("01-renew.toml");
        let from = utf8(&guided);
        let line = ["keyrite", "rehearse", "--from", from, "--into", utf8(&into), utf8(&runbook)];
        let said = at(when, &line);
        assert!(said.contains("it accepts root 2"), "{way}, {name}: {said}");
    }
}

#[test]
fn root_is_renewed_before_its_last_day_and_after_it() {
    for (profile, first) in [("notary", "first-day"), ("tuf", "first-day-tuf")] {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("night-expiring-{profile}"));
        let _ = fs::remove_dir_all(&scratch);
        let day = scratch.join("first-day");
        fs::create_dir_all(&day).unwrap();
        for runbook in toml_files(&shipped(first)) {
            // Root ends before targets does.
            let text = fs::read_to_string(&runbook).unwrap();
            let text = text.replace("valid-for = \"2 years\"", "valid-for = \"7 months\"");
            fs::write(day.join(runbook.file_name().unwrap()), text).unwrap();
        }
        let at = |when: &str, words: &[&str]| {
            let when: Timestamp = when.parse().unwrap();
            let (code, out, err) = Played::new(&format!("{profile} {when}"), when).run(words);
            assert_eq!(code, 0, "{profile}, {when}: {out}{err}");
            out
        };
        let record = scratch.join("old");
        at(
            "2026-03-02T09:00:00Z",
            &["keyrite", "rehearse", "--profile", profile, "--into", utf8(&record), utf8(&day)],
        );
        let record = record.join("record");
        let expiring = shipped("break-glass/root-expiring");
        // It ends on 2 October.
        for (when, name) in [("2026-09-25T09:00:00Z", "soon"), ("2026-10-09T09:00:00Z", "ended")] {
            guided_past_the_end(&scratch, &record, name, &at, when);
            let into = scratch.join(name);
            let line =
                ["keyrite", "rehearse", "--from", utf8(&record), "--into", utf8(&into), utf8(&expiring)];
            let said = at(when, &line);
            assert!(said.contains("it accepts root 2"), "{profile}, {name}: {said}");
            let record = into.join("record");
            let status = at(when, &["keyrite", "-C", utf8(&record), "status"]);
            assert!(status.contains("2029-"), "{profile}, {name}: {status}");
        }
    }
}
