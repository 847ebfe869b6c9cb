//! Feature `courier`: `keyrite-courier push` into trees of web servers that are not what they should be,
//! folders that a fetch must never take the place of, and servers that claim what isn't so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hostile;
mod keys;
mod repository;
mod stage;

use base64ct::{Base64, Encoding as _};
use hostile::{Hostile, Reply, file};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::record::receipt::{Answer, Receipt};
use keyrite::tuf::profile::Profile;
use repository::Repository;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stage::{Done, Stage, utf8};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

fn stage_of(name: &str, kind: Kind) -> Stage {
    Stage::new(&format!("courier-trees-{name}"), Profile::Tuf, kind, &Limits::default_for(Profile::Tuf))
}

fn courier(folder: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    Done::of(command.arg("--json").args(arguments).current_dir(folder))
}

fn push(stage: &Stage, upload: &Path, tree: &str) -> Done {
    let trust = stage.record.join("trust.json");
    let line = ["push", utf8(upload), "--trust", utf8(&trust), "--server", tree, "--into", "pushed"];
    courier(&stage.dir, &line)
}

fn refused(done: Done) -> Value {
    done.ended(1).json()["error"].clone()
}

/// All that a repository says now.
fn whole(stage: &Stage, name: &str, made: &Repository) -> PathBuf {
    let (online, file) = (&made.snapshot, |name: &str| made.files[name].as_slice());
    let mut documents = vec![
        ("root", made.root.version, file(&format!("{}.root.json", made.root.version))),
        ("snapshot", online.version, file(&format!("{}.snapshot.json", online.version))),
        ("timestamp", made.timestamp.version, file("timestamp.json")),
    ];
    for (role, doc) in &made.docs {
        documents.push((role, doc.version, file(&format!("{}.{role}.json", doc.version))));
    }
    stage.upload(name, &documents)
}

/// Every file of a folder, hidden ones too.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn tree(stage: &Stage, name: &str, files: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir(stage.path(name)).unwrap();
    for (file, bytes) in files {
        fs::write(stage.path(name).join(file), bytes).unwrap();
    }
}

/// A byte of the first signature is another.
fn broken(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let at = text.find("\"sig\":").unwrap() + 8;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    format!("{}{other}{}", &text[..at], &text[at + 1..]).into_bytes()
}

/// What changes a repository, and what clients would say then.
type Case = (&'static str, fn(&mut Repository), &'static str);

const CASES: &[Case] = &[
    ("nothing", |_| {}, ""),
    ("a timestamp by nobody's key", |r| r.timestamp.signers = vec![40], "ROLE-THRESHOLD"),
    ("a snapshot by nobody's key", |r| r.snapshot.signers = vec![40], "ROLE-THRESHOLD"),
    ("targets by nobody's key", |r| r.doc("targets").signers = vec![40], "ROLE-THRESHOLD"),
    ("a delegation by nobody's key", |r| r.doc("app").signers = vec![40], "ROLE-THRESHOLD"),
    ("a root by its new keys alone", |r| (r.root.keys, r.root.signers) = (vec![4, 5], vec![4, 5]), "ROOT-"),
    ("an end that has passed", |r| r.timestamp.expires = repository::PAST, "FREEZE"),
    ("a root after the next", |r| r.root.version = 4, "reach"),
];

/// Nothing goes into a tree that the clients of what it serves would refuse, and then nothing is written.
#[test]
fn a_tree_gets_only_what_its_clients_accept() {
    let stage = stage_of("fit", Kind::Production);
    let served = Repository::new();
    for (at, (what, change, says)) in CASES.iter().enumerate() {
        let mut made = served.clone();
        made.next_root(&[1, 2]);
        made.next();
        made.doc("targets").version = 2;
        made.doc("app").version = 2;
        change(&mut made);
        made.write_root();
        made.write();
        let name = format!("tree-{at}");
        tree(&stage, &name, &served.files);
        let done = push(&stage, &whole(&stage, &format!("upload-{at}"), &made), &name);
        if says.is_empty() {
            assert_eq!(done.ended(0).json()["came"], "taken", "{what}");
            assert_eq!(files(&stage.path(&name))["timestamp.json"], made.files["timestamp.json"]);
            continue;
        }
        let error = refused(done);
        assert_eq!(error["rule"], "UPLOAD-UNFIT", "{what}: {error}");
        assert!(error["found"].as_str().unwrap().contains(says), "{what}: {error}");
        assert_eq!(files(&stage.path(&name)), served.files, "{what}");
    }
    // Older than what is served; by its number newer, with a signature that somebody has broken.
    let mut newer = served.clone();
    (newer.snapshot.version, newer.timestamp.version) = (7, 7);
    newer.write();
    tree(&stage, "newer", &newer.files);
    let mut older = served.clone();
    (older.snapshot.version, older.timestamp.version) = (6, 8);
    older.write();
    let error = refused(push(&stage, &whole(&stage, "rollback", &older), "newer"));
    assert_eq!(error["rule"], "UPLOAD-UNFIT", "{error}");
    assert!(error["found"].as_str().unwrap().contains("ROLLBACK"), "{error}");
    let mut next = newer.clone();
    next.next();
    next.write();
    let bytes = broken(&next.files["timestamp.json"]);
    let torn = [("snapshot", 8, next.files["8.snapshot.json"].as_slice()), ("timestamp", 8, &bytes)];
    let error = refused(push(&stage, &stage.upload("torn", &torn), "newer"));
    assert_eq!(error["rule"], "UPLOAD-UNFIT", "{error}");
    assert_eq!(files(&stage.path("newer")), newer.files);
    // What no timestamp leads to yet has its own signatures all the same.
    next.doc("targets").version = 3;
    next.doc("targets").signers = vec![40];
    next.write();
    let alone = stage.upload("alone", &[("targets", 3, &next.files["3.targets.json"])]);
    assert_eq!(refused(push(&stage, &alone, "newer"))["rule"], "UPLOAD-UNFIT");
    next.doc("targets").signers = vec![10];
    next.write();
    let alone = stage.upload("alone-2", &[("targets", 3, &next.files["3.targets.json"])]);
    push(&stage, &alone, "newer").ended(0);
    assert_eq!(files(&stage.path("newer"))["3.targets.json"], next.files["3.targets.json"]);
}

/// A tree is one trust's, and a rehearsal's only from its first file on.
#[test]
fn a_tree_is_one_trusts_and_takes_one_push_at_a_time() {
    let made = Repository::new();
    let rehearsal = stage_of("rehearsal", Kind::Rehearsal);
    let first = whole(&rehearsal, "first", &made);
    for (name, file) in [("web", "index.html"), ("root", "1.root.json")] {
        let there = BTreeMap::from([(file.to_owned(), made.files["1.root.json"].clone())]);
        tree(&rehearsal, name, &there);
        assert_eq!(refused(push(&rehearsal, &first, name))["rule"], "UPLOAD-STAGE", "{name}");
        assert_eq!(files(&rehearsal.path(name)), there);
    }
    tree(&rehearsal, "tree", &BTreeMap::new());
    // Another push holds it.
    let lock = File::open(rehearsal.path("tree")).unwrap();
    lock.lock().unwrap();
    assert_eq!(refused(push(&rehearsal, &first, "tree"))["rule"], "TREE-TRUST");
    drop(lock);
    assert_eq!(push(&rehearsal, &first, "tree").ended(0).json()["came"], "taken");
    let mut next = made;
    next.next();
    next.write();
    let files_of = |name: &str| next.files[name].as_slice();
    let second = [("snapshot", 2, files_of("2.snapshot.json")), ("timestamp", 2, files_of("timestamp.json"))];
    assert_eq!(
        push(&rehearsal, &rehearsal.upload("second", &second), "tree").ended(0).json()["came"],
        "taken"
    );
    // The same documents, said to be of another trust.
    let other = stage_of("other", Kind::Production);
    let before = files(&rehearsal.path("tree"));
    let tree = rehearsal.path("tree");
    let error = refused(push(&other, &whole(&other, "whole", &next), utf8(&tree)));
    assert_eq!(error["rule"], "TREE-TRUST", "{error}");
    assert_eq!(files(&tree), before);
}

/// A folder of other JSON, and the very repository that is fetched, are never in the place of a fetch.
#[test]
fn a_fetch_takes_the_place_of_a_fetch_alone() {
    let stage = stage_of("places", Kind::Production);
    let made = Repository::new();
    tree(&stage, "repo", &made.files);
    let settings = ["package.json", "settings.json"].map(|name| (name.to_owned(), b"kept".to_vec()));
    tree(&stage, "settings", &BTreeMap::from(settings.clone()));
    let fetch = |from: &str, into: &str| {
        courier(&stage.dir, &["fetch", "--profile", "tuf", "--server", from, "--into", into])
    };
    for into in ["settings", "repo", "./repo/."] {
        assert_eq!(refused(fetch("repo", into))["rule"], "FETCH-PLACE", "{into}");
    }
    assert_eq!(files(&stage.path("settings")), BTreeMap::from(settings));
    assert_eq!(files(&stage.path("repo")), made.files);
    fetch("repo", "published").ended(0);
    fetch("repo", "published").ended(0);
    assert_eq!(files(&stage.path("published")), made.files);
    assert_eq!(refused(fetch("published", "published"))["rule"], "FETCH-PLACE");
    assert_eq!(files(&stage.path("published")), made.files);
}

/// A server can claim any version: who asks gives up.
#[test]
fn no_version_keeps_a_fetch_busy() {
    let stage = stage_of("versions", Kind::Production);
    let mut made = Repository::new();
    made.doc("targets").version = 1_000_000_000_000;
    made.write();
    let server = Hostile::files(made.files);
    let line = ["fetch", "--profile", "tuf", "--server", &server.url, "--into", "published", "--history"];
    courier(&stage.dir, &line).ended(0);
    let asked = server.heard().len();
    assert!(asked < 100, "{asked} questions");
}

/// A first upload in a record, with its trust, and what a server made up serves after it: a newer root and
/// all below it, of which nobody has signed anything.
fn first_upload() -> (PathBuf, PathBuf) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let uploads = golden.join("create-root/expected/files/record/uploads");
    let upload = fs::read_dir(uploads).unwrap().next().unwrap().unwrap().path();
    (upload, golden.join("init/expected/files/record/trust.json"))
}

/// Pushes the first upload to a server that answers a POST so, and from then on each question so.
fn pushed(
    stage: &Stage,
    into: &str,
    posted: (u16, &'static str),
    after: Option<BTreeMap<String, Vec<u8>>>,
) -> Done {
    let (upload, trust) = first_upload();
    let came = Arc::new(Mutex::new(false));
    let server = Hostile::new(move |asked| {
        if asked.method == "POST" {
            *came.lock().unwrap() = true;
            return Reply::Says(posted.0, Vec::new(), posted.1.into());
        }
        match (*came.lock().unwrap(), &after) {
            (false, _) => Reply::Says(404, Vec::new(), Vec::new()),
            (true, None) => Reply::Says(500, Vec::new(), b"later".to_vec()),
            (true, Some(files)) => {
                let mut asked = asked.clone();
                asked.path = asked.path.rsplit('/').next().unwrap().to_owned();
                file(files, &asked)
            }
        }
    });
    let line = ["push", utf8(&upload), "--trust", utf8(&trust), "--server", &server.url, "--into", into];
    courier(&stage.dir, &line)
}

fn receipt(stage: &Stage, into: &str) -> Receipt {
    let mut entries = fs::read_dir(stage.path(into).join("receipts")).unwrap();
    Receipt::from_json(&fs::read(entries.next().unwrap().unwrap().path()).unwrap()).unwrap()
}

#[test]
fn a_servers_answer_is_kept_though_nothing_can_be_read_after_it() {
    let stage = stage_of("answers", Kind::Production);
    let says = r#"{"errors":[{"code":"INVALID_UPDATE","message":"The reason that people need"}]}"#;
    let error = refused(pushed(&stage, "refused", (400, says), None));
    assert_eq!(error["rule"], "UPLOAD-REFUSED", "{error}");
    assert!(error["found"].as_str().unwrap().contains("The reason that people need"), "{error}");
    assert!(matches!(receipt(&stage, "refused").result, Answer::Rejected(_)));
    let error = pushed(&stage, "taken", (200, ""), None).ended(3).json();
    assert_eq!(error["error"]["rule"], "SERVER-STATUS", "{error}");
    assert!(matches!(receipt(&stage, "taken").result, Answer::Accepted));
}

/// What a server makes up that has the upload's number and more is not what went up.
#[test]
fn newer_is_nobodys_that_nobody_has_signed() {
    let stage = stage_of("forged", Kind::Production);
    let (upload, _) = first_upload();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/notary-client/14-rotate-root");
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(fixture.join(name)).unwrap()).unwrap() };
    let bytes = |value: &Value| serde_json::to_vec(value).unwrap();
    let meta = |bytes: &[u8]| {
        let digest = Base64::encode_string(&Sha256::digest(bytes));
        json!({"hashes": {"sha256": digest}, "length": bytes.len()})
    };
    let hex = |bytes: &[u8]| base16ct::lower::encode_string(&Sha256::digest(bytes));
    let mut root = read("root.json");
    root["signed"]["version"] = json!(2);
    let second = bytes(&root);
    root["signed"]["version"] = json!(3);
    let root = bytes(&root);
    let mut targets = read("targets.json");
    targets["signed"]["version"] = json!(99);
    targets["signed"]["delegations"] = json!({"keys": {}, "roles": []});
    let targets = bytes(&targets);
    let mut snapshot = read("snapshot.json");
    snapshot["signed"]["meta"] = json!({"root": meta(&root), "targets": meta(&targets)});
    let snapshot = bytes(&snapshot);
    let mut timestamp = read("timestamp.json");
    timestamp["signed"]["meta"] = json!({"snapshot": meta(&snapshot)});
    let own = |name: &str| fs::read(upload.join(name)).unwrap();
    let mut files = BTreeMap::from([
        ("timestamp.json".to_owned(), bytes(&timestamp)),
        (format!("snapshot.{}.json", hex(&snapshot)), snapshot),
        (format!("targets.{}.json", hex(&targets)), targets),
        (format!("root.{}.json", hex(&root)), root),
        ("1.root.json".to_owned(), own("root.json")),
        ("2.root.json".to_owned(), second),
    ]);
    // Without what went up, and with it beside what is made up.
    for (into, says) in [("gone", "not served"), ("beside", "keys")] {
        let error = refused(pushed(&stage, into, (200, ""), Some(files.clone())));
        assert_eq!(error["rule"], "UPLOAD-UNSEEN", "{into}: {error}");
        assert!(error["found"].as_str().unwrap().contains(says), "{into}: {error}");
        files.insert("1.targets.json".to_owned(), own("targets.json"));
    }
    // A root that no client would ever walk to is not walked to.
    let mut far = read("root.json");
    far["signed"]["version"] = json!(1_000_000_000_000_u64);
    let far = bytes(&far);
    let mut snapshot = read("snapshot.json");
    snapshot["signed"]["meta"] = json!({"root": meta(&far)});
    let snapshot = bytes(&snapshot);
    timestamp["signed"]["meta"] = json!({"snapshot": meta(&snapshot)});
    let server = Hostile::new({
        let mut files = BTreeMap::from([("timestamp.json".to_owned(), bytes(&timestamp))]);
        files.insert(format!("snapshot.{}.json", hex(&snapshot)), snapshot);
        files.insert(format!("root.{}.json", hex(&far)), far);
        move |asked| {
            let mut asked = asked.clone();
            asked.path = asked.path.rsplit('/').next().unwrap().to_owned();
            file(&files, &asked)
        }
    });
    let line = ["fetch", "--profile", "notary", "--collection", "far", "--server", &server.url];
    let error = refused(courier(&stage.dir, &[&line[..], &["--into", "far"]].concat()));
    assert_eq!(error["rule"], "SERVER-SIZE", "{error}");
    assert!(server.heard().len() < 10);
}
