//! The client workflow of TUF against a repository that attackers hold keys of, file by file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod keys;
mod repository;

use keyrite::tuf::client::expected::Expected;
use keyrite::tuf::client::{Answer, Caps, Change, Client, Settings, Signatures, State};
use keyrite::tuf::document::MetaFile;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::wire;
use repository::{Doc, PAST, Repository, listed, time};
use std::collections::{BTreeMap, BTreeSet};

const NOW: &str = "2026-11-22T13:00:00Z";

fn settings() -> Settings {
    Settings { now: time(NOW), caps: Caps::TUF, collection: String::new(), pins: BTreeSet::new() }
}

/// Serves what the client wants until it wants nothing; returns what it asked for.
fn serve<J: keyrite::tuf::client::Judge>(
    client: &mut Client<J>,
    files: &BTreeMap<String, Vec<u8>>,
) -> (Vec<String>, Result<()>) {
    let mut asked = Vec::new();
    while let Some(want) = client.want() {
        let name = want.name.clone();
        asked.push(name.clone());
        let fed = match files.get(&name) {
            Some(bytes) => client.feed(bytes),
            None => client.missing(),
        };
        if fed.is_err() {
            assert!(client.want().is_none(), "a client that has refused wants nothing more");
            return (asked, fed);
        }
    }
    (asked, Ok(()))
}

fn first_root(repository: &Repository) -> State {
    State::first(repository.files["1.root.json"].clone())
}

fn client(state: State) -> Client<Signatures> {
    Client::new(Profile::Tuf, settings(), state, Signatures).unwrap()
}

fn updated(repository: &Repository, state: State) -> Client<Signatures> {
    let mut client = client(state);
    serve(&mut client, &repository.files).1.unwrap();
    client
}

fn look_up(client: &mut Client<Signatures>, repository: &Repository, path: &str) -> Result<Option<String>> {
    client.look_up(path)?;
    serve(client, &repository.files).1?;
    Ok(match client.answer() {
        Some(Answer::Found { role, .. }) => Some(role.as_str().to_owned()),
        Some(Answer::NotFound) => None,
        None => unreachable!("a search that has ended has an answer"),
    })
}

#[test]
fn a_first_update_and_one_with_nothing_new() {
    let repository = Repository::new();
    let mut first = client(first_root(&repository));
    let (asked, result) = serve(&mut first, &repository.files);
    result.unwrap();
    assert_eq!(asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]);
    assert_eq!(look_up(&mut first, &repository, "app/one.msi").unwrap().as_deref(), Some("app"));
    assert_eq!(look_up(&mut first, &repository, "top.txt").unwrap().as_deref(), Some("targets"));
    assert_eq!(look_up(&mut first, &repository, "app/two.msi").unwrap(), None);
    assert_eq!(first.trusted(&RoleName::Targets).unwrap().version(), 1);

    let stored = State::from_bytes(&first.state().to_bytes()).unwrap();
    let mut again = client(stored);
    let (asked, result) = serve(&mut again, &repository.files);
    result.unwrap();
    assert_eq!(asked, ["2.root.json", "timestamp.json"]);
    assert_eq!(again.changes(), []);
    assert_eq!(look_up(&mut again, &repository, "app/one.msi").unwrap().as_deref(), Some("app"));
    assert_eq!(again.outcome().versions.len(), 5);
}

/// What was written before a crash is a state to begin from, whatever came of the rest.
#[test]
fn every_prefix_of_the_changes_is_a_state() {
    let mut repository = Repository::new();
    let mut files = updated(&repository, first_root(&repository)).state().into_files();
    repository.next_root(&[1, 3]);
    repository.root.timestamp = vec![25];
    repository.timestamp.signers = vec![25];
    repository.write_root();
    repository.next();
    repository.doc("targets").version = 2;
    repository.write();
    let mut client = updated(&repository, State::from_files(files.clone()));
    let changes = client.changes();
    assert!(changes.contains(&Change::Drop(RoleName::Timestamp)), "its key was rotated");
    for change in changes {
        match change {
            Change::Put(role, bytes) => files.insert(role, bytes),
            Change::Drop(role) => files.remove(&role),
        };
        let mut again = updated(&repository, State::from_files(files.clone()));
        assert_eq!(look_up(&mut again, &repository, "app/one.msi").unwrap().as_deref(), Some("app"));
    }
    assert_eq!(State::from_files(files), client.state());
}

/// A thief of the snapshot key has spread a version as high as there is; the root that takes the key away
/// ends that for every client, also where the update that brought it was cut off at any file.
#[test]
fn recovery_from_a_fast_forward_survives_an_update_that_is_cut_off() {
    let mut repository = Repository::new();
    let honest = repository.clone();
    repository.snapshot.version = 2_147_483_000;
    repository.timestamp.version = 2;
    repository.write();
    let seen = updated(&repository, first_root(&repository)).state();
    repository = honest;
    repository.next_root(&[1, 2]);
    repository.root.snapshot = vec![26];
    repository.snapshot.signers = vec![26];
    repository.write_root();
    (repository.snapshot.version, repository.timestamp.version) = (5, 5);
    repository.write();
    for files in 0..5 {
        let (mut client, mut kept) = (client(seen.clone()), seen.clone().into_files());
        for _ in 0..files {
            let Some(want) = client.want().cloned() else { break };
            match repository.files.get(&want.name) {
                Some(bytes) => client.feed(bytes).unwrap(),
                None => client.missing().unwrap(),
            }
            for change in client.changes() {
                match change {
                    Change::Put(role, bytes) => kept.insert(role, bytes),
                    Change::Drop(role) => kept.remove(&role),
                };
            }
        }
        let after = updated(&repository, State::from_files(kept));
        assert_eq!(after.outcome().versions[&RoleName::Snapshot], 5, "cut off after {files} files");
    }
}

/// The attack, what the attacker makes of an honest repository, and what ends it. Every client has
/// seen version 2 of everything before.
type Attack = (&'static str, fn(&mut Repository), &'static str);

const ATTACKS: &[Attack] = &[
    ("nothing happens", |_| {}, "ok"),
    (
        "an honest update",
        |r| {
            r.next();
            r.doc("targets").version = 3;
            r.write();
        },
        "ok",
    ),
    (
        "an honest rotation of a root key",
        |r| {
            r.next_root(&[1, 2]);
            r.root.keys = vec![1, 2, 4];
            r.write_root();
        },
        "ok",
    ),
    (
        "an honest rotation of every root key",
        |r| {
            r.next_root(&[1, 2, 4, 5]);
            r.root.keys = vec![4, 5, 6];
            r.write_root();
        },
        "ok",
    ),
    (
        "a root signed by its new keys alone",
        |r| {
            r.next_root(&[4, 5]);
            r.root.keys = vec![4, 5, 6];
            r.write_root();
        },
        "ROOT-THRESHOLD-OLD",
    ),
    (
        "a root signed by its old keys alone",
        |r| {
            r.next_root(&[1, 2]);
            r.root.keys = vec![4, 5, 6];
            r.write_root();
        },
        "ROOT-THRESHOLD-NEW",
    ),
    (
        "a root signed by one old key",
        |r| {
            r.next_root(&[1, 4, 5]);
            r.root.keys = vec![4, 5, 6];
            r.write_root();
        },
        "ROOT-THRESHOLD-OLD",
    ),
    (
        "a version skipped",
        |r| {
            r.next_root(&[1, 2]);
            r.root.version += 1;
            r.files.insert("2.root.json".to_owned(), r.root.write());
        },
        "ROOT-VERSION",
    ),
    (
        "the same root again under the next name",
        |r| {
            let root = r.files["1.root.json"].clone();
            r.files.insert("2.root.json".to_owned(), root);
        },
        "ROOT-VERSION",
    ),
    (
        "an expired root",
        |r| {
            r.next_root(&[1, 2]);
            r.root.expires = PAST;
            r.write_root();
        },
        "EXPIRED",
    ),
    (
        "an expired root that a later one replaces",
        |r| {
            r.next_root(&[1, 2]);
            r.root.expires = PAST;
            r.write_root();
            r.next_root(&[1, 2]);
            r.root.expires = repository::LATER;
            r.write_root();
        },
        "ok",
    ),
    (
        "an endless root",
        |r| {
            r.files.insert("2.root.json".to_owned(), vec![b' '; 512_001]);
        },
        "SIZE-CAP",
    ),
    (
        "a targets document as root",
        |r| {
            let targets = r.files["2.targets.json"].clone();
            r.files.insert("2.root.json".to_owned(), targets);
        },
        "DOCUMENT-TYPE",
    ),
    (
        "a root that is no JSON",
        |r| {
            r.files.insert("2.root.json".to_owned(), b"<html>".to_vec());
        },
        "JSON",
    ),
    (
        "no timestamp",
        |r| {
            r.files.remove("timestamp.json");
        },
        "FILE-MISSING",
    ),
    (
        "an endless timestamp",
        |r| {
            r.files.insert("timestamp.json".to_owned(), vec![b' '; 16_385]);
        },
        "SIZE-CAP",
    ),
    (
        "a timestamp by the snapshot key",
        |r| {
            r.next();
            r.timestamp.signers = vec![20];
            r.write();
        },
        "ROLE-THRESHOLD",
    ),
    (
        "an older timestamp",
        |r| {
            r.timestamp.version = 1;
            r.write();
        },
        "ROLLBACK",
    ),
    (
        "a new timestamp over an older snapshot",
        |r| {
            r.timestamp.version = 3;
            r.snapshot.version = 1;
            r.write();
        },
        "ROLLBACK",
    ),
    (
        "the backend frozen",
        |r| {
            r.timestamp.version = 3;
            r.timestamp.expires = PAST;
            r.write();
        },
        "FREEZE",
    ),
    (
        "no snapshot",
        |r| {
            r.next();
            r.write();
            r.files.remove("3.snapshot.json");
        },
        "FILE-MISSING",
    ),
    (
        "a snapshot by the timestamp key",
        |r| {
            r.next();
            r.snapshot.signers = vec![21];
            r.write();
        },
        "ROLE-THRESHOLD",
    ),
    (
        "a frozen snapshot under a fresh timestamp",
        |r| {
            r.next();
            r.snapshot.expires = PAST;
            r.write();
        },
        "FREEZE",
    ),
    (
        "another snapshot than the timestamp lists",
        |r| {
            r.next();
            r.write();
            let timestamp = r.files["timestamp.json"].clone();
            r.doc("targets").expires = "2029-01-01T00:00:00Z";
            r.write();
            r.files.insert("timestamp.json".to_owned(), timestamp);
        },
        "SNAPSHOT-HASH",
    ),
    (
        "an endless snapshot",
        |r| {
            r.next();
            r.write();
            r.files.get_mut("3.snapshot.json").unwrap().push(b' ');
        },
        "SIZE-CAP",
    ),
    (
        "a timestamp that lists a snapshot that fills a computer's memory",
        |r| {
            r.next();
            r.write();
            let mut snapshot = listed(3, &r.files["3.snapshot.json"]);
            snapshot.length = Some(1 << 40);
            r.write_timestamp(&snapshot);
        },
        "SIZE-CAP",
    ),
    (
        "a snapshot that lists targets that fill a computer's memory",
        |r| {
            r.next();
            let mut targets = listed(3, b"");
            targets.length = Some(64 * 1024 * 1024 + 1);
            let app = listed(2, &r.files["2.app.json"]);
            let meta = [(RoleName::Targets, targets), (RoleName::from_name("app"), app)];
            r.write_snapshot(&BTreeMap::from(meta));
        },
        "SIZE-CAP",
    ),
    (
        "a snapshot of another version than the timestamp says",
        |r| {
            r.next();
            r.write();
            let bytes = r.files["3.snapshot.json"].clone();
            r.files.insert("4.snapshot.json".to_owned(), bytes.clone());
            r.write_timestamp(&listed(4, &bytes));
        },
        "META-MISMATCH",
    ),
    (
        "a snapshot that forgets a delegation",
        |r| {
            r.next();
            r.docs.remove("app");
            r.write();
        },
        "ROLLBACK",
    ),
    (
        "a snapshot with older targets",
        |r| {
            r.next();
            r.doc("targets").version = 1;
            r.write();
        },
        "ROLLBACK",
    ),
    (
        "a snapshot with an older delegation",
        |r| {
            r.next();
            r.doc("app").version = 1;
            r.write();
        },
        "ROLLBACK",
    ),
    (
        "targets of another time than the snapshot",
        |r| {
            r.next();
            r.doc("targets").version = 3;
            r.write();
            let old = r.files["2.targets.json"].clone();
            r.files.insert("3.targets.json".to_owned(), old);
        },
        "SNAPSHOT-HASH",
    ),
    (
        "targets by a stolen delegation key",
        |r| {
            r.next();
            r.doc("targets").version = 3;
            r.doc("targets").signers = vec![30];
            r.write();
        },
        "ROLE-THRESHOLD",
    ),
    (
        "expired targets",
        |r| {
            r.next();
            r.doc("targets").version = 3;
            r.doc("targets").expires = PAST;
            r.write();
        },
        "EXPIRED",
    ),
    (
        "a snapshot without targets",
        |r| {
            r.next();
            r.root.version = 2;
            r.root.snapshot = vec![26];
            r.snapshot.signers = vec![26];
            r.write_root();
            r.docs.remove("targets");
            r.write();
        },
        "META-MISMATCH",
    ),
];

#[test]
fn attacks_end_where_they_should() {
    for (name, attack, expected) in ATTACKS {
        let mut repository = Repository::new();
        let root = first_root(&repository);
        repository.next();
        repository.doc("targets").version = 2;
        repository.doc("app").version = 2;
        repository.write();
        let before = {
            let mut client = updated(&repository, root);
            look_up(&mut client, &repository, "app/one.msi").unwrap();
            client.state()
        };
        attack(&mut repository);
        let mut victim = client(before.clone());
        let result = serve(&mut victim, &repository.files).1;
        let found = result.as_ref().map_or_else(|e| e.rule().name, |()| "ok");
        assert_eq!(found, *expected, "{name}: {result:?}");
        if result.is_err() {
            assert!(victim.feed(b"{}").is_err() && victim.look_up("top.txt").is_err(), "{name}");
            // Targets that were trusted before the attack are trusted after it.
            let (still, before) = (victim.state(), before.files());
            assert_eq!(still.files().get(&RoleName::Targets), before.get(&RoleName::Targets), "{name}");
        }
    }
}

/// The same file with its first signature twice.
fn signed_twice(bytes: &[u8]) -> Vec<u8> {
    let mut file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let first = file["signatures"][0].clone();
    file["signatures"].as_array_mut().unwrap().push(first);
    serde_json::to_vec(&file).unwrap()
}

/// Every role's file that is fetched has each key id once (TUF 4.2.1). A state that has another stays:
/// whoever begins from a root has a reason of their own to trust it.
#[test]
fn no_key_id_signs_a_fetched_file_twice() {
    let mut repository = Repository::new();
    repository.next_root(&[1, 2]);
    repository.write_root();
    for name in ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.app.json"] {
        let mut twice = repository.clone();
        // No length and no digest is listed of anything, which comes before.
        let bare = |version| MetaFile { version: Some(version), ..MetaFile::default() };
        let meta = BTreeMap::from([(RoleName::Targets, bare(1)), (RoleName::from_name("app"), bare(1))]);
        twice.write_snapshot(&meta);
        twice.write_timestamp(&bare(1));
        let bytes = signed_twice(&twice.files[name]);
        twice.files.insert(name.to_owned(), bytes);
        let mut client = client(first_root(&twice));
        let result = serve(&mut client, &twice.files).1.and_then(|()| look_up(&mut client, &twice, "app/x"));
        assert_eq!(result.unwrap_err().rule().name, "DOCUMENT-FORM", "{name}");
    }
    let first = signed_twice(&repository.files["1.root.json"]);
    updated(&repository, State::first(first));
}

/// TUF 5.3.11: an attacker with the online keys pushes versions to the sky; once the keys are
/// rotated, clients come back down, and not before.
#[test]
fn fast_forward_is_recovered_by_rotating_the_online_keys() {
    for (what, fast_forward) in [
        ("timestamp", (|r: &mut Repository| r.timestamp.version = 1 << 40) as fn(&mut Repository)),
        ("snapshot", |r| {
            r.timestamp.version = 2;
            r.snapshot.version = 1 << 40;
        }),
    ] {
        let mut repository = Repository::new();
        fast_forward(&mut repository);
        repository.write();
        let state = updated(&repository, first_root(&repository)).state();
        repository.timestamp.version = 3;
        repository.snapshot.version = 3;
        repository.write();
        let mut stuck = client(state.clone());
        assert_eq!(serve(&mut stuck, &repository.files).1.unwrap_err().rule().name, "ROLLBACK", "{what}");
        repository.next_root(&[1, 2]);
        repository.root.snapshot = vec![27];
        repository.root.timestamp = vec![28];
        repository.snapshot.signers = vec![27];
        repository.timestamp.signers = vec![28];
        repository.write_root();
        repository.write();
        assert_eq!(updated(&repository, state).outcome().versions[&RoleName::Snapshot], 3, "{what}");
    }
}

#[test]
fn a_limit_of_rotations_is_reached_and_gone_past_next_time() {
    let mut repository = Repository::new();
    for _ in 0..5 {
        repository.next_root(&[1, 2]);
        repository.write_root();
    }
    let caps = Caps { rotations: 3, ..Caps::TUF };
    let settings = Settings { caps, ..settings() };
    let mut state = first_root(&repository);
    for expected in [4, 6] {
        let mut client = Client::new(Profile::Tuf, settings.clone(), state, Signatures).unwrap();
        serve(&mut client, &repository.files).1.unwrap();
        assert_eq!(client.outcome().versions[&RoleName::Root], expected);
        state = client.state();
    }
}

#[test]
fn client_state_without_a_usable_root() {
    let refused =
        |state| Client::new(Profile::Tuf, settings(), state, Signatures).err().map(|e| e.rule().name);
    assert_eq!(refused(State::default()), Some("CLIENT-STATE"));
    assert_eq!(refused(State::first(b"{}".to_vec())), Some("DOCUMENT-FORM"));
    let mut repository = Repository::new();
    repository.root.signers = vec![1];
    assert_eq!(refused(State::first(repository.root.write())), Some("ROOT-THRESHOLD-NEW"));
}

/// A state that someone tampered with is at worst ignored.
#[test]
fn stored_files_are_judged_again() {
    let repository = Repository::new();
    let mut files = updated(&repository, first_root(&repository)).state().into_files();
    for (role, bytes) in &mut files {
        if *role != RoleName::Root {
            *bytes = b"{}".to_vec();
        }
    }
    let mut again = client(State::from_files(files));
    let (asked, result) = serve(&mut again, &repository.files);
    result.unwrap();
    assert_eq!(asked.len(), 4);
}

/// Name of the case, the documents, and for each path the role that answers, or the rule.
type Tree = (&'static str, fn() -> Vec<(&'static str, Doc)>, &'static [(&'static str, &'static str)]);

const TREES: &[Tree] = &[
    (
        "the first delegation wins",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false).delegating("b", 31, &["*"], false);
            vec![("targets", top), ("a", Doc::new(30, &["x"])), ("b", Doc::new(31, &["x", "y"]))]
        },
        &[("x", "a"), ("y", "b"), ("z", "-")],
    ),
    (
        "depth before breadth",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false).delegating("b", 31, &["*"], false);
            let a = Doc::new(30, &[]).delegating("c", 32, &["*"], false);
            vec![("targets", top), ("a", a), ("b", Doc::new(31, &["x"])), ("c", Doc::new(32, &["x"]))]
        },
        &[("x", "c")],
    ),
    (
        "a terminating delegation hides what comes after",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["x"], true).delegating("b", 31, &["*"], false);
            vec![("targets", top), ("a", Doc::new(30, &[])), ("b", Doc::new(31, &["x", "y"]))]
        },
        &[("x", "-"), ("y", "b")],
    ),
    (
        "a terminating delegation does not hide its own",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], true);
            let a = Doc::new(30, &[]).delegating("c", 32, &["*"], false);
            vec![("targets", top), ("a", a), ("c", Doc::new(32, &["x"]))]
        },
        &[("x", "c")],
    ),
    (
        "a terminating delegation below hides siblings above",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false).delegating("b", 31, &["*"], false);
            let a = Doc::new(30, &[]).delegating("c", 32, &["*"], true);
            vec![("targets", top), ("a", a), ("b", Doc::new(31, &["x"])), ("c", Doc::new(32, &[]))]
        },
        &[("x", "-")],
    ),
    (
        "a circle of delegations ends",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false);
            let a = Doc::new(30, &[]).delegating("b", 31, &["*"], false);
            let b = Doc::new(31, &[]).delegating("a", 30, &["*"], false);
            vec![("targets", top), ("a", a), ("b", b)]
        },
        &[("x", "-")],
    ),
    (
        "a role that delegates to itself",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false);
            vec![("targets", top), ("a", Doc::new(30, &[]).delegating("a", 30, &["*"], false))]
        },
        &[("x", "-")],
    ),
    (
        "a target outside the delegation's paths",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["a/*"], false);
            vec![("targets", top), ("a", Doc::new(30, &["a/x", "b/x"]))]
        },
        &[("a/x", "a"), ("b/x", "-"), ("a/b/x", "-")],
    ),
    (
        "a delegation signed by its neighbour",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false).delegating("b", 31, &["y"], false);
            vec![("targets", top), ("a", Doc::new(31, &["x"])), ("b", Doc::new(31, &["y"]))]
        },
        &[("x", "ROLE-THRESHOLD")],
    ),
    (
        "an expired delegation",
        || {
            let top = Doc::new(10, &[]).delegating("a", 30, &["*"], false);
            let a = Doc { expires: PAST, ..Doc::new(30, &["x"]) };
            vec![("targets", top), ("a", a)]
        },
        &[("x", "EXPIRED")],
    ),
    (
        "a delegation that the snapshot forgot",
        || vec![("targets", Doc::new(10, &[]).delegating("a", 30, &["*"], false))],
        &[("x", "META-MISMATCH")],
    ),
    // The second delegator has another key for the role: what the first vouches for is worth
    // nothing below the second.
    (
        "one role below two delegators with different keys",
        || {
            let top =
                Doc::new(10, &[]).delegating("a", 30, &["a/*"], false).delegating("b", 31, &["b/*"], false);
            let a = Doc::new(30, &[]).delegating("c", 32, &["a/*"], false);
            let b = Doc::new(31, &[]).delegating("c", 33, &["b/*"], false);
            vec![("targets", top), ("a", a), ("b", b), ("c", Doc::new(32, &["a/x", "b/x"]))]
        },
        &[("a/x", "c"), ("b/x", "ROLE-THRESHOLD")],
    ),
];

#[test]
fn delegations_are_searched_in_order() {
    for (name, docs, searches) in TREES {
        let mut repository = Repository::new();
        repository.docs = docs().into_iter().collect();
        repository.write();
        let mut client = updated(&repository, first_root(&repository));
        for (path, expected) in *searches {
            let found = match look_up(&mut client, &repository, path) {
                Ok(role) => role.unwrap_or("-".to_owned()),
                Err(e) => e.rule().name.to_owned(),
            };
            assert_eq!(found, *expected, "{name}: {path}");
        }
    }
}

#[test]
fn search_limit() {
    let mut repository = Repository::new();
    repository.docs.remove("app");
    let names: [&'static str; 5] = ["a", "b", "c", "d", "e"];
    let mut top = Doc::new(10, &[]);
    for name in names {
        top = top.delegating(name, 30, &["*"], false);
        repository.docs.insert(name, Doc::new(30, &[]));
    }
    repository.docs.insert("targets", top);
    repository.write();
    for (documents, expected) in [(6, None), (5, Some("SEARCH-LIMIT"))] {
        let settings = Settings { caps: Caps { documents, ..Caps::TUF }, ..settings() };
        let mut client = Client::new(Profile::Tuf, settings, first_root(&repository), Signatures).unwrap();
        serve(&mut client, &repository.files).1.unwrap();
        assert_eq!(look_up(&mut client, &repository, "x").err().map(|e| e.rule().name), expected);
    }
}

/// A plan is walked before anyone has signed it; who is not asked to sign is missed at once.
#[test]
fn a_planned_root_is_judged_by_planned_signatures() {
    let mut repository = Repository::new();
    let state = updated(&repository, first_root(&repository)).state();
    repository.next_root(&[]);
    repository.root.keys = vec![1, 2, 4];
    repository.write_root();
    let planned = &repository.files["2.root.json"];
    let envelope = wire::parse(Profile::Tuf, &RoleName::Root, planned).unwrap();
    let payload = envelope.payload().digest();
    let root = envelope.payload().document().as_root().unwrap();
    let online: BTreeSet<_> = root
        .keys
        .values()
        .filter_map(|key| key.public.as_ref())
        .map(keyrite::tuf::key::PublicKey::identity)
        .collect();
    for (signers, expected) in [
        (&[1u8, 2][..], "ok"),
        (&[1, 4], "ROOT-THRESHOLD-OLD"),
        (&[2, 3], "ROOT-THRESHOLD-NEW"),
        (&[], "ROOT-THRESHOLD-OLD"),
    ] {
        let signers = signers.iter().map(|n| repository::key(*n).public().identity()).collect();
        let judge = Expected::new(BTreeMap::from([((RoleName::Root, payload), signers)]));
        judge.online(online.clone());
        let mut client = Client::new(Profile::Tuf, settings(), state.clone(), judge).unwrap();
        let result = serve(&mut client, &repository.files).1;
        assert_eq!(result.map_or_else(|e| e.rule().name, |()| "ok"), expected);
    }
    // And real signatures are what they were: the planned file has none.
    let mut real = client(state);
    assert_eq!(serve(&mut real, &repository.files).1.unwrap_err().rule().name, "ROOT-THRESHOLD-OLD");
}
