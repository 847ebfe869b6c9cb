//! A first day's record in profile `tuf`, made with test keys through the library's own doors.
//!
//! Keys: `root-a` to `root-c` (2 of them sign), `targets-a`, `snapshot-1`, `timestamp-1`, `witness-b`.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../keys/mod.rs"]
pub mod keys;

use keyrite::ceremony::change::{
    Ask, Base, Change, Counts, EnrolledKey, Frame, Item, NewKey, Possession, Purpose,
};
use keyrite::ceremony::facts::Stage;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::outcome::{Begin, EndState, Outcome, TokenSeen, Witnessed};
use keyrite::ceremony::people::Duty;
use keyrite::ceremony::transcript::{CeremonyId, Said, Transcript};
use keyrite::record::key_file::{EvidenceNote, TokenNote};
use keyrite::record::upload::Upload;
use keyrite::record::{Contents, Inputs, KeyFile, Record, SignedStatement, TrustFile, TrustSpec};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{DocumentKey, Keys, MetaFile};
use keyrite::tuf::key::{KeySpec, Scheme};
use keyrite::tuf::make::{self, RoleSpec, RootSpec};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::{Sentence, Statement};
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use keys::TestKey;
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

pub const RUNBOOK: &str =
    "ceremony = \"create-root\"\ntitle = \"First day\"\n\n[people]\nalice = \"administrator\"\n";

/// A new, empty directory of this test run.
pub fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{test}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn today() -> Time {
    time("2026-11-22T15:00:00Z")
}

/// The test key of a record's name.
pub fn key(name: &str) -> TestKey {
    let n = Digest::of(name.as_bytes()).as_bytes()[0];
    if name.starts_with("root") { TestKey::p256(n) } else { TestKey::ed25519(n) }
}

pub fn purpose(name: &str) -> Purpose {
    name.split('-').next().unwrap().parse().unwrap()
}

pub fn holder(name: &str) -> &'static str {
    match name {
        "root-b" => "bob",
        "root-c" => "carol",
        "witness-b" => "wanda",
        _ => "alice",
    }
}

pub const MADE: [&str; 5] = ["root-a", "root-b", "root-c", "targets-a", "witness-b"];
pub const BROUGHT: [&str; 2] = ["snapshot-1", "timestamp-1"];

/// A record while it is being made.
pub struct Day {
    pub dir: PathBuf,
    pub record: Record,
    pub transcript: Transcript,
}

/// `trust.json` and the first limits.
pub fn trust() -> (TrustFile, String) {
    let limits = Limits::default_for(Profile::Tuf).to_toml();
    let spec = TrustSpec {
        profile: Profile::Tuf,
        collection: "updates.example.com/apps".to_owned(),
        stage: Stage::Production,
        limits: Digest::of(limits.as_bytes()),
        shadows: None,
        start: None,
        nonce: [7; 32],
    };
    (TrustFile::new(&spec).unwrap(), limits)
}

pub fn read(dir: &Path) -> Contents {
    Record::open(dir).unwrap().read_all(today(), &Inputs::default()).unwrap()
}

/// The rules of a record's findings, sorted.
pub fn findings(contents: &Contents) -> Vec<&'static str> {
    let mut names: Vec<_> = contents.findings.iter().map(|(_, r)| r.rule().name).collect();
    names.sort_unstable();
    names
}

pub fn frame(kind: &str, n: u8) -> Frame {
    let people = [("alice", Duty::Administrator), ("wanda", Duty::Witness)];
    Frame {
        kind: kind.to_owned(),
        title: "First day".to_owned(),
        people: people.into_iter().map(|(who, duty)| (who.parse().unwrap(), duty)).collect(),
        runbook: Digest::of(RUNBOOK.as_bytes()),
        held_at: time("2026-11-22T13:00:00Z"),
        sign_by: time("2026-12-22T13:00:00Z"),
        nonce: [n; 32],
        rehearsal: None,
    }
}

pub fn ask(name: &str, profile: Option<Profile>, counts: &[Counts]) -> Ask {
    let public = key(name).public();
    let scheme = profile.map_or(Scheme::of(public.algorithm()), |p| wire::scheme(p, &public));
    Ask {
        key: name.parse().unwrap(),
        holder: holder(name).parse().unwrap(),
        public,
        scheme,
        counts: counts.to_vec(),
    }
}

/// A statement signed by a key of the record's name.
pub fn statement(contents: &Contents, name: &str, sentence: Sentence) -> SignedStatement {
    let statement = Statement::new(contents.facts.trust.id, sentence).unwrap();
    let signature = key(name)
        .signature(Scheme::of(key(name).public().algorithm()), &Payload::Statement(statement.clone()));
    SignedStatement::new(statement, key(name).public(), &signature).unwrap()
}

pub fn spec(names: &[&str], threshold: u32) -> RoleSpec {
    let entry = |name: &&str| wire::key_entry(Profile::Tuf, &key(name).public(), None).unwrap();
    let keys: Vec<DocumentKey> = names.iter().map(entry).collect();
    RoleSpec { keys, threshold: NonZeroU32::new(threshold).unwrap() }
}

pub fn root(version: u64, names: &[&str], base: Option<&MetadataPayload>) -> MetadataPayload {
    let spec = RootSpec {
        version,
        expires: time("2028-11-22T13:00:00Z"),
        root: spec(names, 2),
        targets: spec(&["targets-a"], 1),
        snapshot: spec(&["snapshot-1"], 1),
        timestamp: spec(&["timestamp-1"], 1),
    };
    make::root(Profile::Tuf, &spec, base).unwrap()
}

pub fn targets(version: u64) -> MetadataPayload {
    let expires = time(&format!("2027-11-{:02}T13:00:00Z", 10 + version));
    make::targets(Profile::Tuf, &RoleName::Targets, version, expires, None, &[]).unwrap()
}

/// The file of a payload with signatures by keys of the record's names.
pub fn sealed(payload: &MetadataPayload, names: &[&str]) -> Vec<u8> {
    let mut keys = Keys::new();
    for name in MADE.iter().chain(&BROUGHT) {
        let entry = wire::key_entry(Profile::Tuf, &key(name).public(), None).unwrap();
        keys.insert(entry.id.clone(), entry);
    }
    let whole = Payload::Metadata(payload.clone());
    let signatures: Vec<_> = names
        .iter()
        .map(|name| key(name).signature(wire::scheme(Profile::Tuf, &key(name).public()), &whole))
        .collect();
    wire::seal(payload, &keys, &signatures).unwrap()
}

impl Day {
    /// A record with nothing in it but its trust and limits.
    pub fn begin(dir: &Path) -> Self {
        let (trust, limits) = trust();
        let record = Record::create(dir, &trust, limits.as_bytes()).unwrap();
        Self { dir: dir.to_owned(), record, transcript: Transcript::new(CeremonyId::from_bytes([9; 16])) }
    }

    /// A whole first day.
    pub fn whole(dir: &Path) -> Self {
        let mut day = Self::begin(dir);
        day.start();
        day.make_keys();
        let change = day.propose();
        day.sign(&change, &["root-a", "root-b", "targets-a"]);
        day.seal(&change);
        day.publish();
        day.end();
        day
    }

    pub fn read(&self) -> Contents {
        read(&self.dir)
    }

    pub fn say(&mut self, change: Option<Digest>, outcome: Outcome) {
        let said = Said { by: None, change, step: None, outcome, private: BTreeMap::new() };
        let appended = self.transcript.append(time("2026-11-22T13:05:00Z"), said).unwrap();
        self.record.add_outcome(self.transcript.ceremony(), &appended).unwrap();
    }

    pub fn start(&mut self) {
        let begin = Begin {
            keyrite: "0.1.0".to_owned(),
            binary: Digest::of(b"binary"),
            people: frame("create-root", 0).people,
            stage: Stage::Production,
            runbooks: vec![Digest::of(RUNBOOK.as_bytes())],
            heads: Vec::new(),
            host_checks: BTreeMap::new(),
        };
        self.say(None, Outcome::Begin(Box::new(begin)));
    }

    pub fn end(&mut self) {
        self.say(None, Outcome::End { state: EndState::Done, waiting: Vec::new() });
    }

    /// Keys made and brought, each proved and named by the transcript.
    pub fn make_keys(&mut self) {
        let facts = self.read().facts;
        let mut items: Vec<Item> = MADE
            .map(|name| {
                let spec = if name.starts_with("root") { KeySpec::EcdsaP256 } else { KeySpec::Ed25519 };
                Item::NewKey(NewKey {
                    name: name.parse().unwrap(),
                    holder: holder(name).parse().unwrap(),
                    purpose: purpose(name),
                    spec,
                    certificate: None,
                    exportable_under: None,
                })
            })
            .into();
        items.extend(BROUGHT.map(|name| {
            Item::EnrolledKey(EnrolledKey {
                name: name.parse().unwrap(),
                holder: holder(name).parse().unwrap(),
                purpose: purpose(name),
                public: key(name).public(),
                certificate: None,
                possession: Possession::BackendReadBack,
            })
        }));
        let change =
            Change::new(&frame("generate-key", 1), &facts, Base::default(), items, vec!["keys".to_owned()]);
        let digest = self.record.add_change(&change, RUNBOOK.as_bytes()).unwrap();
        for name in MADE {
            let possession = self.possession(name, digest);
            let proof = self.record.add_statement(&possession).unwrap();
            let file = self.key_file(name, digest, Possession::Proved(proof));
            let sha = self.record.add_key(&file).unwrap();
            let outcome = Outcome::Key {
                name: file.name,
                file: sha,
                identity: file.public.identity(),
                adopted: false,
                token: TokenSeen { label: name.to_owned(), serial: "1".to_owned() },
            };
            self.say(Some(digest), outcome);
        }
        for name in BROUGHT {
            let file = self.key_file(name, digest, Possession::BackendReadBack);
            let sha = self.record.add_key(&file).unwrap();
            let outcome = Outcome::Enrol { name: file.name, file: sha, identity: file.public.identity() };
            self.say(Some(digest), outcome);
        }
        for name in MADE.iter().chain(&BROUGHT) {
            self.read_back(digest, name);
        }
        self.witness();
    }

    /// People compare the digest of a key.
    pub fn read_back(&mut self, change: Digest, name: &str) {
        let digest = key(name).public().identity().digest();
        self.say(Some(change), Outcome::ReadBack { what: format!("the public key {name}"), digest });
    }

    /// The witness copies the words.
    pub fn witness(&mut self) {
        let how = Witnessed::Words("words".to_owned());
        self.say(None, Outcome::Witness { witness: "wanda".parse().unwrap(), how });
    }

    pub fn possession(&self, name: &str, nonce: Digest) -> SignedStatement {
        let sentence = Sentence::Possession {
            key: key(name).public().identity(),
            name: name.to_owned(),
            holder: holder(name).to_owned(),
            purpose: purpose(name).name().to_owned(),
            nonce,
        };
        statement(&self.read(), name, sentence)
    }

    pub fn key_file(&self, name: &str, change: Digest, possession: Possession) -> KeyFile {
        KeyFile {
            trust: self.record.trust().id,
            name: name.parse().unwrap(),
            holder: holder(name).parse().unwrap(),
            purpose: purpose(name),
            public: key(name).public(),
            certificate: None,
            change,
            possession,
            replaces: None,
            token: TokenNote::apart(if BROUGHT.contains(&name) { "backend" } else { "elsewhere" }),
            evidence: EvidenceNote::default(),
        }
    }

    /// Root 1, targets 1 and the limits statement, asked of everyone.
    pub fn propose(&mut self) -> Change {
        let contents = self.read();
        let root = root(1, &["root-a", "root-b", "root-c"], None);
        let limits = Sentence::Limits {
            number: 1,
            limits: contents.facts.limits_file,
            chain: Digest::of(root.digest().as_bytes()),
        };
        let limits = Statement::new(contents.facts.trust.id, limits).unwrap();
        let roots = ["root-a", "root-b", "root-c"];
        let asked = |profile| roots.map(|name| ask(name, profile, &[Counts::New])).to_vec();
        let items = vec![
            Item::Document { payload: root, asked: asked(Some(Profile::Tuf)) },
            Item::Document {
                payload: targets(1),
                asked: vec![ask("targets-a", Some(Profile::Tuf), &[Counts::New])],
            },
            Item::Statement { payload: limits, asked: asked(None) },
        ];
        let change = Change::new(
            &frame("create-root", 2),
            &contents.facts,
            Base::default(),
            items,
            vec!["the first root".to_owned()],
        );
        self.record.add_change(&change, RUNBOOK.as_bytes()).unwrap();
        change
    }

    /// Everything that the change asks of these keys, signed.
    pub fn sign(&mut self, change: &Change, names: &[&str]) {
        sign(&self.record, change, names);
    }

    /// Documents into `metadata/`, statements into `statements/`.
    pub fn seal(&mut self, change: &Change) {
        let contents = self.read();
        let stored = &contents.changes[&change.digest()];
        let mut documents = BTreeMap::new();
        for item in &change.items {
            let digest = item.payload_bytes().map(Digest::of);
            let signatures = digest.and_then(|d| stored.signatures.get(&d)).cloned().unwrap_or_default();
            let by = |signature: &keyrite::tuf::verify::Signature| {
                item.asked().iter().find(|a| a.public.identity() == signature.key()).unwrap().clone()
            };
            match item {
                Item::Document { payload, .. } => {
                    let names: Vec<_> = signatures.iter().map(|s| by(s).key.to_string()).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let bytes = sealed(payload, &names);
                    self.record.add_metadata(payload.role(), payload.version(), &bytes).unwrap();
                    documents.insert(payload.role().clone(), (payload.version(), bytes));
                }
                Item::Statement { payload, .. } => {
                    for signature in &signatures {
                        let signed =
                            SignedStatement::new(payload.clone(), by(signature).public, signature).unwrap();
                        self.record.add_statement(&signed).unwrap();
                    }
                }
                _ => {}
            }
        }
        let upload = Upload::new(self.record.trust(), Some(change.digest()), &documents, None).unwrap();
        self.record.add_upload(&upload).unwrap();
    }

    /// Snapshot 1 and timestamp 1, which name what is newest.
    pub fn publish(&mut self) {
        let contents = self.read();
        let listed = |version: u64, bytes: &[u8]| MetaFile {
            version: Some(version),
            length: Some(bytes.len() as u64),
            hashes: [("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())].into(),
        };
        let newest = &contents.facts.documents[&RoleName::Targets];
        let meta = [(RoleName::Targets, listed(newest.version(), newest.bytes()))].into();
        let expires = time("2026-12-01T13:00:00Z");
        let version = newest.version();
        let snapshot = make::snapshot(Profile::Tuf, version, expires, &meta).unwrap();
        let bytes = sealed(&snapshot, &["snapshot-1"]);
        self.record.add_metadata(&RoleName::Snapshot, version, &bytes).unwrap();
        let timestamp = make::timestamp(Profile::Tuf, version, expires, &listed(version, &bytes)).unwrap();
        let bytes = sealed(&timestamp, &["timestamp-1"]);
        self.record.add_metadata(&RoleName::Timestamp, version, &bytes).unwrap();
    }
}

/// Everything that the change asks of these keys, signed into a record.
pub fn sign(record: &Record, change: &Change, names: &[&str]) {
    for item in &change.items {
        let Some(payload) = item.payload() else { continue };
        for ask in item.asked().iter().filter(|ask| names.contains(&ask.key.as_str())) {
            let signature = key(ask.key.as_str()).signature(ask.scheme, &payload);
            record.add_signature(change, &signature).unwrap();
        }
    }
}

/// Every file beneath a directory but `private/`, by path, with its content.
pub fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, top: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "private" {
                walk(&path, top, files);
            } else if path.is_file() {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(dir, dir, &mut files);
    files
}

/// Copies files into a directory by hand, as people and other tools do.
pub fn put(dir: &Path, name: &str, content: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
