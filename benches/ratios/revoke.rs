//! One developer out of three in ten delegations: against python-tuf making the same change, how
//! the cost grows, and how much memory it takes.
//!
//! A child process of its own for each size, so that its memory is its own: it reads targets, plans
//! the revocation by its runbook, walks clients through it, signs with file keys and writes the
//! upload. Both begin with the document's file and a root that they have read, and check the one by
//! the other. Reading every delegation's document stands before the clock, since python-tuf reads none.

use crate::measure::{Table, medians};
use keyrite::ceremony::change::{Frame, Item, Possession, Purpose};
use keyrite::ceremony::facts::{Facts, KeyRecord, Stage};
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::runbook::Runbook;
use keyrite::ceremony::standing::{Gathered, Standing};
use keyrite::ceremony::{gate, kinds, step};
use keyrite::record::upload::Upload;
use keyrite::record::{Inputs, Record, TrustFile, TrustSpec};
use keyrite::signer::keyfile::PrivateKey;
use keyrite::tuf::chain::{RootChain, accept};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Keys, PathRule, TargetFile};
use keyrite::tuf::evidence::Trusted;
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::key::KeySpec;
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::verify::Signature;
use keyrite::tuf::wire;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SMALL: usize = 1_000;
const LARGE: usize = 10_000;
const ROUNDS: usize = 5;
const FILES: usize = 20;
/// The developer who goes; every delegation also has the key of one of ten teams, which signed.
const GONE: &str = "dev-dana";
const RUNBOOK: &str = "ceremony = \"revoke-delegation\"\ntitle = \"Dana leaves\"\n\
    [people]\numa = \"administrator\"\n[revoke]\nkey = \"dev-dana\"\nbecause = \"left\"\n";

pub fn measure(scratch: &Path, table: &mut Table) {
    let small: Vec<Side> = (0..3).map(|_| side(scratch, SMALL)).collect();
    let folder = scratch.join(format!("revoke-{LARGE}"));
    let python = std::env::var_os("BENCH_PYTHON");
    let what = format!("one developer out of {} of {LARGE} delegations", LARGE * 3 / 10);
    let theirs = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ratios/python_tuf_revoke.py");
        let python = python.as_ref().unwrap();
        let run = Command::new(python).args([script.as_ref(), folder.as_os_str()]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Duration::from_secs_f64(String::from_utf8(run.stdout).unwrap().trim().parse().unwrap())
    };
    let mut large = Vec::new();
    let mut own = || {
        large.push(side(scratch, LARGE));
        large[large.len() - 1].took
    };
    if python.is_some() {
        own();
        let (ours, python) = medians(ROUNDS, own, theirs);
        table.faster(&format!("{what} / python-tuf"), ours, python, 10.0);
    } else {
        own();
        table.absent(&format!("{what} / python-tuf"), "BENCH_PYTHON is not set: run scripts/bench");
    }
    let least = |sides: &[Side], part: fn(&Side) -> Duration| sides.iter().map(part).min().unwrap();
    for (what, part) in
        [(what, (|side| side.took) as fn(&Side) -> Duration), ("its gate".to_owned(), |side| side.gate)]
    {
        let what = format!("{what} / ten times the cost at {SMALL}");
        table.at_most(&what, least(&large, part), least(&small, part) * 10, 1.5);
    }
    let memory = large.iter().map(|side| side.memory).fold(0.0, f64::max);
    let told = format!("{memory:.1} times, at most 4");
    table.add("memory of it / the metadata", &told, "the documents", &told, memory <= 4.0);
}

/// What a child measured.
struct Side {
    took: Duration,
    /// Of it, walking clients through the change.
    gate: Duration,
    /// How many times the metadata its memory is at most.
    memory: f64,
}

fn side(scratch: &Path, many: usize) -> Side {
    let folder = scratch.join(format!("revoke-{many}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command.args(["--revoke", &many.to_string()]).arg(&folder).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().unwrap());
    let mut seconds = || Duration::from_secs_f64(numbers.next().unwrap());
    let (took, gate) = (seconds(), seconds());
    Side { took, gate, memory: numbers.next().unwrap() }
}

struct Key {
    private: PrivateKey,
    record: KeyRecord,
}

fn key(name: &str, purpose: Purpose) -> Key {
    let seed = Digest::of(name.as_bytes());
    // PKCS#8 of an Ed25519 seed (RFC 8410 7).
    let mut der = base16ct::lower::decode_vec("302e020100300506032b657004220420").unwrap();
    der.extend_from_slice(seed.as_bytes());
    let private = PrivateKey::from_pkcs8(&der).unwrap();
    assert_eq!(private.public().algorithm(), KeySpec::Ed25519.algorithm());
    let record = KeyRecord {
        name: name.parse().unwrap(),
        holder: format!("of-{name}").parse().unwrap(),
        purpose,
        public: private.public().clone(),
        certificate: None,
        token: "file".to_owned(),
        label: String::new(),
        serial: String::new(),
        possession: Possession::Proved(seed),
        life: Vec::new(),
        file: seed,
    };
    Key { private, record }
}

fn role(keys: &[&Key]) -> RoleSpec {
    let entry = |key: &&Key| wire::key_entry(Profile::Tuf, &key.record.public, None).unwrap();
    RoleSpec { keys: keys.iter().map(entry).collect(), threshold: NonZeroU32::MIN }
}

fn signature(key: &Key, payload: &Payload) -> Signature {
    let scheme = wire::scheme(Profile::Tuf, &key.record.public);
    let raw = key.private.sign(scheme, payload.bytes()).unwrap();
    Signature::check(&key.record.public, scheme, payload, &raw).unwrap()
}

fn sealed(payload: &MetadataPayload, key: &Key) -> Vec<u8> {
    let entry = role(&[key]).keys.remove(0);
    let keys = Keys::from([(entry.id.clone(), entry)]);
    wire::seal(payload, &keys, &[signature(key, &Payload::Metadata(payload.clone()))]).unwrap()
}

/// One delegation's document.
fn document(role: &RoleName) -> MetadataPayload {
    let file = |n: usize| {
        let path = format!("{}/release-{n}.bin", role.as_str());
        let hashes = Hashes::from([("sha256".to_owned(), Digest::of(path.as_bytes()).as_bytes().to_vec())]);
        TargetsEdit::PutTarget { path, file: TargetFile { length: 1000, hashes, custom: None } }
    };
    let edits: Vec<_> = (0..FILES).map(file).collect();
    make::targets(Profile::Tuf, role, 7, "2027-11-01T00:00:00Z".parse().unwrap(), None, &edits).unwrap()
}

/// The child: prints its seconds and how many times the metadata its memory is.
pub fn child(many: &str, folder: &str) {
    let before = peak();
    let (many, folder): (usize, PathBuf) = (many.parse().unwrap(), folder.into());
    let until = "2027-11-01T00:00:00Z".parse().unwrap();
    let root_keys: Vec<Key> = (0..3).map(|n| key(&format!("root-{n}"), Purpose::Root)).collect();
    let targets_key = key("targets-1", Purpose::Targets);
    let (gone, teams) =
        (key(GONE, Purpose::Delegation), (0..10).map(|n| key(&format!("team-{n}"), Purpose::Delegation)));
    let teams: Vec<Key> = teams.collect();
    let online = [key("snapshot", Purpose::Snapshot), key("timestamp", Purpose::Timestamp)];
    let root = RootSpec {
        version: 1,
        expires: until,
        root: RoleSpec {
            threshold: NonZeroU32::new(2).unwrap(),
            ..role(&root_keys.iter().collect::<Vec<_>>())
        },
        targets: role(&[&targets_key]),
        snapshot: role(&[&online[0]]),
        timestamp: role(&[&online[1]]),
    };
    let root = make::root(Profile::Tuf, &root, None).unwrap();
    let listed = root.document().as_root().unwrap().keys.clone();
    let whole = Payload::Metadata(root.clone());
    let signatures: Vec<_> = root_keys.iter().map(|key| signature(key, &whole)).collect();
    let root = wire::seal(&root, &listed, &signatures).unwrap();
    std::fs::write(folder.join("root.json"), &root).unwrap();
    let root = wire::parse(Profile::Tuf, &RoleName::Root, &root).unwrap();
    let roots = RootChain::start(root).unwrap().into_all();

    let name = |n: usize| RoleName::from_name(&format!("application-{n}"));
    let grant = |n: usize| {
        let mut keys = vec![&teams[n % 10]];
        keys.extend((n % 10 < 3).then_some(&gone));
        let paths = PathRule::Patterns(vec![format!("application-{n}/*")]);
        TargetsEdit::Grant(Grant { role: name(n), keys: role(&keys), paths, terminating: false })
    };
    let edits: Vec<_> = (0..many).map(grant).collect();
    let targets = make::targets(Profile::Tuf, &RoleName::Targets, 4, until, None, &edits).unwrap();
    drop(edits);
    let targets = sealed(&targets, &targets_key);
    std::fs::write(folder.join("targets.json"), &targets).unwrap();
    let gone_id = role(&[&gone]).keys.remove(0).id;
    std::fs::write(folder.join("keyid"), gone_id.as_str()).unwrap();

    let limits = Limits::default_for(Profile::Tuf);
    let file = TrustFile::new(&TrustSpec {
        profile: Profile::Tuf,
        collection: "updates.example.com/apps".to_owned(),
        stage: Stage::Production,
        limits: Digest::of(limits.to_toml().as_bytes()),
        shadows: None,
        start: None,
        nonce: [7; 32],
    })
    .unwrap();
    Record::create(&folder.join("record"), &file, limits.to_toml().as_bytes()).unwrap();
    let record = Record::open(&folder.join("record")).unwrap();
    let mut facts: Facts =
        record.read_all("2026-11-22T12:00:00Z".parse().unwrap(), &Inputs::default()).unwrap().facts;
    let every = root_keys.iter().chain([&targets_key, &gone]).chain(&teams).chain(&online);
    facts.keys = every.map(|key| (key.record.name.clone(), key.record.clone())).collect();
    facts.roots = roots;
    let root = facts.roots[0].clone();
    let mut metadata = targets.len() + root.bytes().len();
    // Each document is vouched for by a targets document of its own delegation alone, since what is
    // measured is not the reading of a record.
    for n in 0..many {
        let role = name(n);
        let bytes = sealed(&document(&role), &teams[n % 10]);
        metadata += bytes.len();
        let alone = make::targets(Profile::Tuf, &RoleName::Targets, 4, until, None, &[grant(n)]).unwrap();
        let alone = wire::parse(Profile::Tuf, &RoleName::Targets, &sealed(&alone, &targets_key)).unwrap();
        let alone: Trusted = accept(&root, &RoleName::Targets, alone, None).unwrap();
        let envelope = wire::parse(Profile::Tuf, &role, &bytes).unwrap();
        facts.documents.insert(role.clone(), accept(&alone, &role, envelope, None).unwrap());
    }
    // Peaks of the making are not the change's.
    let _ = std::fs::write("/proc/self/clear_refs", "5");

    let began = Instant::now();
    let laps = Laps::default();
    let lap = |what| laps.end(what);
    let envelope = wire::parse(Profile::Tuf, &RoleName::Targets, &targets).unwrap();
    lap("parse");
    let trusted = accept(&root, &RoleName::Targets, envelope, None).unwrap();
    lap("accept");
    facts.documents.insert(RoleName::Targets, trusted);
    let runbook = Runbook::parse(RUNBOOK).unwrap();
    let frame = Frame {
        kind: runbook.kind.clone(),
        title: runbook.title.clone(),
        people: runbook.people.clone(),
        runbook: runbook.digest(),
        held_at: facts.today,
        sign_by: "2026-12-01T00:00:00Z".parse().unwrap(),
        nonce: [5; 32],
        rehearsal: None,
    };
    let ceremony = kinds::read(&runbook).unwrap();
    let change = ceremony.change(&frame, &facts).unwrap();
    lap("change");
    let clients = gate::planned(&change, &facts).unwrap();
    lap("gate");
    let words = step::difference(&change, &facts);
    lap("difference");
    assert!(words.len() >= many * 3 / 10, "{} lines", words.len());
    let mut gathered = Gathered::default();
    let mut documents = BTreeMap::new();
    for item in &change.items {
        let Item::Document { payload, asked } = item else { panic!("{}", item.title()) };
        assert_eq!(asked.len(), 1);
        gathered.signatures.push((asked[0].public.identity(), payload.digest()));
        let bytes = sealed(payload, &targets_key);
        lap("sign, seal");
        record.add_metadata(payload.role(), payload.version(), &bytes).unwrap();
        lap("add");
        documents.insert(payload.role().clone(), (payload.version(), bytes));
    }
    assert!(Standing::of(&change, &gathered, &facts).unwrap().thresholds_met());
    lap("standing");
    let upload = Upload::new(record.trust(), Some(change.digest()), &documents, None).unwrap();
    record.add_upload(&upload).unwrap();
    lap("upload");
    let took = began.elapsed();

    let peak = peak() - before;
    drop((clients, words, facts));
    println!("{} {} {}", took.as_secs_f64(), laps.of("gate"), peak / metadata as f64);
    laps.tell();
}

/// Where the time goes: `--revoke 10000 DIR` by hand prints it.
struct Laps {
    ends: RefCell<Vec<(&'static str, f64, f64)>>,
    since: Cell<Instant>,
}

impl Default for Laps {
    fn default() -> Self {
        Self { ends: RefCell::default(), since: Cell::new(Instant::now()) }
    }
}

impl Laps {
    fn end(&self, what: &'static str) {
        let took = self.since.replace(Instant::now()).elapsed();
        self.ends.borrow_mut().push((what, took.as_secs_f64(), peak()));
    }

    fn of(&self, what: &str) -> f64 {
        self.ends.borrow().iter().filter(|(end, ..)| *end == what).map(|(_, seconds, _)| seconds).sum()
    }

    fn tell(&self) {
        for (what, seconds, peak) in &*self.ends.borrow() {
            eprintln!("{what:>12} {:8.2} ms, peak {:.1} MB", seconds * 1e3, peak / 1e6);
        }
    }
}

/// The most memory that this process has had at once, in bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}
