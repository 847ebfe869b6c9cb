//! What a backend that was broken into can make a record believe: nothing that its keys do not sign,
//! nothing older than what is there, and nothing that stands in the way of a way out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, RUNBOOK, ask, folder, frame, key, put, read, root, sealed, targets, time, today};
use keyrite::ceremony::change::{Base, Change, Counts, Item};
use keyrite::ceremony::facts::MADE_AHEAD;
use keyrite::record::Media;
use keyrite::record::take_in::ImportReport;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{MetaFile, PathRule};
use keyrite::tuf::evidence::Trusted;
use keyrite::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

const ONLINE: [RoleName; 2] = [RoleName::Snapshot, RoleName::Timestamp];

/// A first day, and a folder for what the backend serves.
struct Room {
    day: Day,
    dir: PathBuf,
    times: usize,
}

impl Room {
    fn new(name: &str) -> Self {
        let dir = folder(name);
        Self { day: Day::whole(&dir.join("record")), dir, times: 0 }
    }

    /// Takes in files that the backend serves.
    fn import(&mut self, files: &[(&str, &[u8])]) -> ImportReport {
        self.times += 1;
        let media = self.dir.join(format!("served-{}", self.times));
        for (name, bytes) in files {
            put(&media, name, bytes);
        }
        self.day.record.import(&Media::open(&media).unwrap(), today()).unwrap()
    }

    fn newest(&self, role: &RoleName) -> Option<u64> {
        read(&self.day.dir).facts.documents.get(role).map(Trusted::version)
    }
}

fn rules(report: &ImportReport) -> Vec<&'static str> {
    let mut rules: Vec<_> = report.left.iter().map(|(_, refusal)| refusal.rule().name).collect();
    rules.sort_unstable();
    rules
}

fn listed(version: u64, bytes: &[u8]) -> MetaFile {
    MetaFile {
        version: Some(version),
        length: Some(bytes.len() as u64),
        hashes: [("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())].into(),
    }
}

/// A snapshot and a timestamp of one version, by these keys.
fn online(version: u64, documents: &[(RoleName, u64, &[u8])], keys: [&str; 2]) -> [Vec<u8>; 2] {
    let expires = time("2026-12-20T13:00:00Z");
    let meta: BTreeMap<_, _> =
        documents.iter().map(|(role, version, bytes)| (role.clone(), listed(*version, bytes))).collect();
    let snapshot = make::snapshot(Profile::Tuf, version, expires, &meta).unwrap();
    let snapshot = sealed(&snapshot, &[keys[0]]);
    let timestamp = make::timestamp(Profile::Tuf, version, expires, &listed(version, &snapshot)).unwrap();
    [snapshot, sealed(&timestamp, &[keys[1]])]
}

const KEYS: [&str; 2] = ["snapshot-1", "timestamp-1"];

fn app() -> RoleName {
    RoleName::Delegated("app".to_owned())
}

/// Targets that grant `app` to a key.
fn granting(version: u64, to: &str) -> MetadataPayload {
    let keys = RoleSpec {
        keys: vec![wire::key_entry(Profile::Tuf, &key(to).public(), None).unwrap()],
        threshold: NonZeroU32::MIN,
    };
    let paths = PathRule::Patterns(vec!["app/*".to_owned()]);
    let edit = TargetsEdit::Grant(Grant { role: app(), keys, paths, terminating: false });
    make::targets(Profile::Tuf, &RoleName::Targets, version, time("2027-11-12T13:00:00Z"), None, &[edit])
        .unwrap()
}

fn of_app(version: u64, by: &str) -> Vec<u8> {
    let expires = time("2027-05-01T13:00:00Z");
    sealed(&make::targets(Profile::Tuf, &app(), version, expires, None, &[]).unwrap(), &[by])
}

#[test]
fn what_is_older_than_the_record_changes_nothing() {
    let mut room = Room::new("serves-older");
    let first: Vec<Vec<u8>> =
        ONLINE.iter().map(|role| room.day.read().facts.documents[role].bytes().to_vec()).collect();
    let two = sealed(&targets(2), &["targets-a"]);
    let [snapshot, timestamp] = online(2, &[(RoleName::Targets, 2, &two)], KEYS);
    let report = room.import(&[
        ("2.targets.json", &two),
        ("2.snapshot.json", &snapshot),
        ("timestamp.json", &timestamp),
    ]);
    assert_eq!((report.taken.len(), rules(&report)), (3, vec![]));

    // The day before, served again: known, and the newest stays.
    let report = room.import(&[("1.snapshot.json", &first[0]), ("timestamp.json", &first[1])]);
    assert_eq!((report.known, rules(&report)), (2, vec![]));
    assert_eq!(report.served[&RoleName::Timestamp].0, 1, "what was served is told as it was");
    for role in [RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp] {
        assert_eq!(room.newest(&role), Some(2), "{role}");
    }
    // A newer snapshot that names older targets: it verifies, for the backend's key signed it, and the
    // newest targets stay what they are.
    let one = sealed(&targets(1), &["targets-a"]);
    let [snapshot, timestamp] = online(3, &[(RoleName::Targets, 1, &one)], KEYS);
    let report = room.import(&[("3.snapshot.json", &snapshot), ("timestamp.json", &timestamp)]);
    assert_eq!(report.taken.len(), 2);
    assert_eq!(room.newest(&RoleName::Targets), Some(2));
}

#[test]
fn nothing_comes_in_that_the_backends_keys_do_not_sign() {
    let mut room = Room::new("serves-signed");
    let before = kept::tree(&room.day.dir);
    let base = root(1, &["root-a", "root-b", "root-c"], None);
    let by_one = sealed(&root(2, &["root-a", "root-b", "root-c"], Some(&base)), &["root-a", "snapshot-1"]);
    let foreign = sealed(&root(2, &["root-c", "witness-b"], None), &["root-c", "witness-b"]);
    let [snapshot, timestamp] = online(2, &[], ["timestamp-1", "snapshot-1"]);
    let table: &[(&str, &[u8], &str)] = &[
        ("2.root.json", &by_one, "ROOT-THRESHOLD-OLD"),
        ("2.root.json", &foreign, "ROOT-THRESHOLD-OLD"),
        ("2.targets.json", &sealed(&targets(2), &["snapshot-1"]), "ROLE-THRESHOLD"),
        ("2.targets.json", &sealed(&targets(2), &["root-a", "root-b", "root-c"]), "ROLE-THRESHOLD"),
        ("2.snapshot.json", &snapshot, "ROLE-THRESHOLD"),
        ("timestamp.json", &timestamp, "ROLE-THRESHOLD"),
        ("1.app.json", &of_app(1, "targets-a"), "RECORD-REST"),
    ];
    for (name, bytes, rule) in table {
        let report = room.import(&[(name, bytes)]);
        assert_eq!((report.taken.len(), rules(&report)), (0, vec![*rule]), "{name}");
    }
    assert_eq!(kept::tree(&room.day.dir), before, "nothing was written");
}

/// Two documents of one version, both by a key that was granted: what is here first stands, and what a
/// backend without that key says changes nothing.
#[test]
fn a_fork_of_a_delegation_stays_on_the_medium() {
    let mut room = Room::new("serves-fork");
    let grant = sealed(&granting(2, "snapshot-1"), &["targets-a"]);
    let (ours, theirs) = (of_app(1, "snapshot-1"), {
        let expires = time("2027-06-01T13:00:00Z");
        sealed(&make::targets(Profile::Tuf, &app(), 1, expires, None, &[]).unwrap(), &["snapshot-1"])
    });
    let report = room.import(&[("2.targets.json", &grant), ("1.app.json", &ours)]);
    assert_eq!((report.taken.len(), rules(&report)), (2, vec![]));
    let report = room.import(&[("1.app.json", &theirs)]);
    assert_eq!((report.taken.len(), rules(&report)), (0, vec!["RECORD-CONFLICT"]));
    assert_eq!(Digest::of(read(&room.day.dir).facts.documents[&app()].bytes()), Digest::of(&ours));
}

/// Whoever holds a revoked key and the backend signs and serves the highest version there is: the
/// successor's next document takes the number after the last honest one.
#[test]
fn no_version_of_a_revoked_key_blocks_its_successor() {
    let mut room = Room::new("serves-forward");
    let first = sealed(&granting(2, "snapshot-1"), &["targets-a"]);
    let honest = of_app(4, "snapshot-1");
    let [snapshot, timestamp] = online(2, &[(RoleName::Targets, 2, &first), (app(), 4, &honest)], KEYS);
    let report = room.import(&[
        ("2.targets.json", &first),
        ("4.app.json", &honest),
        ("2.snapshot.json", &snapshot),
        ("timestamp.json", &timestamp),
    ]);
    assert_eq!(rules(&report), Vec::<&str>::new());
    let second = sealed(&granting(3, "timestamp-1"), &["targets-a"]);
    let highest = 1 << 53;
    let forward = of_app(highest, "snapshot-1");
    let [snapshot, timestamp] =
        online(3, &[(RoleName::Targets, 3, &second), (app(), highest, &forward)], KEYS);
    let report = room.import(&[
        ("3.targets.json", &second),
        (&format!("{highest}.app.json"), &forward),
        ("3.snapshot.json", &snapshot),
        ("timestamp.json", &timestamp),
    ]);
    assert_eq!(rules(&report), Vec::<&str>::new(), "it is kept, as what was served");
    let facts = read(&room.day.dir).facts;
    assert!(!facts.documents.contains_key(&app()), "nobody vouches for it any more");
    assert_eq!(facts.next_version(&app()), 5);
}

/// Whoever held a revoked key signs one more document and writes a change that says so, which needs no key
/// at all: nothing rests on the document, and versions go up by a bounded step at most.
#[test]
fn a_planted_change_makes_nobodys_document_what_clients_had() {
    let mut room = Room::new("serves-planted");
    let first = sealed(&granting(2, "snapshot-1"), &["targets-a"]);
    let honest = of_app(4, "snapshot-1");
    let [snapshot, timestamp] = online(2, &[(RoleName::Targets, 2, &first), (app(), 4, &honest)], KEYS);
    let second = sealed(&granting(3, "timestamp-1"), &["targets-a"]);
    room.import(&[
        ("2.targets.json", &first),
        ("4.app.json", &honest),
        ("2.snapshot.json", &snapshot),
        ("timestamp.json", &timestamp),
    ]);
    room.import(&[("3.targets.json", &second)]);
    let last = |room: &Room| {
        let facts = read(&room.day.dir).facts;
        (facts.last(&app()).unwrap().version(), facts.next_version(&app()))
    };
    assert_eq!(last(&room), (4, 5), "what clients had is signed again");
    for (version, expected) in [(1_000_000, 5), (4 + MADE_AHEAD + 1, 5), (4 + MADE_AHEAD, 4 + MADE_AHEAD + 1)]
    {
        let bytes = of_app(version, "snapshot-1");
        room.day.record.add_metadata(&app(), version, &bytes).unwrap();
        assert_eq!(last(&room).1, if version == 4 + MADE_AHEAD { 5 } else { expected }, "no change made it");
        let payload = wire::parse(Profile::Tuf, &app(), &bytes).unwrap().payload().clone();
        let asked = vec![ask("snapshot-1", Some(Profile::Tuf), &[Counts::New])];
        let items = vec![Item::Document { payload, asked }];
        let facts = read(&room.day.dir).facts;
        let change = Change::new(&frame("renew", 9), &facts, Base::default(), items, Vec::new());
        room.day.record.add_change(&change, RUNBOOK.as_bytes()).unwrap();
        assert_eq!(last(&room), (4, expected), "version {version}, planted");
    }
}
