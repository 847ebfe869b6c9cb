//! Feature `courier`: `keyrite-courier push`, to Debian's notary-server through a machine in between that
//! does what a network does, and into a web server's tree.

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
mod server;
mod stage;

use hostile::{Asked, Hostile, Reply, handed_on};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::record::manifest::{Line, Manifest};
use keyrite::record::receipt::{Answer, Receipt};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use repository::Repository;
use serde_json::{Value, json};
use server::{Backend, first_keys, uploads};
use stage::{Done, Stage, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn push(stage: &Stage, upload: &Path, server: &str, into: &str) -> Done {
    let trust = stage.record.join("trust.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    command.args([
        "--json",
        "push",
        utf8(upload),
        "--trust",
        utf8(&trust),
        "--server",
        server,
        "--into",
        into,
    ]);
    Done::of(command.current_dir(&stage.dir))
}

fn refused(done: Done, exit: i32) -> Value {
    done.ended(exit).json()["error"].clone()
}

/// The receipts in a folder.
fn receipts(folder: &Path) -> Vec<Receipt> {
    let Ok(entries) = fs::read_dir(folder.join("receipts")) else { return Vec::new() };
    let files = entries.map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| Receipt::from_json(&bytes).unwrap()).collect()
}

/// A copy of an upload in which a file is another; MANIFEST lists it if `listed`.
fn changed(stage: &Stage, upload: &Path, into: &str, change: impl Fn(&mut Vec<u8>), listed: bool) -> PathBuf {
    let copy = stage.path(into);
    Done::of(Command::new("cp").arg("-r").arg(upload).arg(&copy)).ended(0);
    let mut bytes = fs::read(copy.join("targets.json")).unwrap();
    change(&mut bytes);
    fs::write(copy.join("targets.json"), &bytes).unwrap();
    if listed {
        let mut manifest = Manifest::parse(&fs::read(copy.join("MANIFEST")).unwrap()).unwrap();
        for (name, line) in &mut manifest.files {
            if name.as_str() == "targets.json" {
                *line = Line::of(&bytes, line.role.clone());
            }
        }
        fs::write(copy.join("MANIFEST"), manifest.to_text()).unwrap();
    }
    copy
}

fn posted(between: &Hostile) -> usize {
    between.heard().iter().filter(|asked| asked.method == "POST").count()
}

/// What would make the collection useless, is not what was sealed, or would be refused.
fn never_leaves(stage: &Stage, first: &Path, between: &Hostile) {
    let poison = changed(stage, first, "poison", |bytes| bytes.push(b'\n'), true);
    assert_eq!(refused(push(stage, &poison, &between.url, "pushed"), 1)["rule"], "NOTARY-BYTES");
    let torn = changed(stage, first, "torn", |bytes| bytes.push(b'\n'), false);
    assert_eq!(refused(push(stage, &torn, &between.url, "pushed"), 1)["rule"], "MANIFEST-MISMATCH");
    let root = fs::read(first.join("root.json")).unwrap();
    let swapped = changed(stage, first, "swapped", |bytes| bytes.clone_from(&root), true);
    assert_eq!(refused(push(stage, &swapped, &between.url, "pushed"), 1)["rule"], "DOCUMENT-TYPE");
    let unsigned = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let at = text.find("\"signatures\":[").unwrap();
        *bytes = format!("{}\"signatures\":[]}}", &text[..at]).into_bytes();
    };
    let unsigned = changed(stage, first, "unsigned", unsigned, true);
    let error = refused(push(stage, &unsigned, &between.url, "pushed"), 1);
    assert_eq!(error["rule"], "UPLOAD-UNFIT");
    assert!(error["found"].as_str().unwrap().contains("ErrBadTargets"), "{error}");
    // Nobody but a backend makes a receipt.
    assert!(!stage.path("pushed").exists() && posted(between) == 0);
}

/// A backend that refuses is quoted, and the receipt has its words; what was posted is not posted again.
fn refuses(stage: &Stage, first: &Path, between: &Hostile, url: &str) {
    let to = url.to_owned();
    let answer = br#"{"errors":[{"code":"INVALID_UPDATE","message":"The update is invalid.","detail":{"Name":"ErrBadRoot","Error":{"Msg":"not today"}}}]}"#;
    between.now(move |asked| match asked.method.as_str() {
        "POST" => Reply::Says(400, Vec::new(), answer.to_vec()),
        _ => Reply::Raw(handed_on(&to, asked)),
    });
    let error = refused(push(stage, first, &between.url, "refused"), 1);
    assert_eq!(error["rule"], "UPLOAD-REFUSED");
    assert!(error["found"].as_str().unwrap().contains("ErrBadRoot: not today"), "{error}");
    let told = receipts(&stage.path("refused"));
    assert!(matches!(&told[0].result, Answer::Rejected(why) if why.contains("not today")), "{told:?}");
    for (status, rule) in [(500, "SERVER-STATUS"), (503, "SERVER-STATUS")] {
        let to = url.to_owned();
        between.now(move |asked| match asked.method.as_str() {
            "POST" => Reply::Says(status, Vec::new(), Vec::new()),
            _ => Reply::Raw(handed_on(&to, asked)),
        });
        assert_eq!(refused(push(stage, first, &between.url, "never"), 3)["rule"], rule);
        assert_eq!(posted(between), 1, "what was posted is not posted again");
        assert!(!stage.path("never").exists());
    }
}

#[test]
fn a_backend_gets_what_it_can_serve_once() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-push", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    let url = backend.url.clone();
    let map = backend.enrolled(&stage, stage.devices());
    let (map, devices) = first_keys(&stage, map);
    let sealed = uploads(&stage.hold(&devices, &shipped("first-day/04-root.toml")).1.ended(0).json());
    let first = stage.record.join(&sealed[0]);

    let to = url.clone();
    let honest = move |asked: &Asked| Reply::Raw(handed_on(&to, asked));
    let between = Hostile::new(honest.clone());
    never_leaves(&stage, &first, &between);

    refuses(&stage, &first, &between, &url);
    let root = fs::read(first.join("root.json")).unwrap();

    // Cut off before anything arrived; then between the upload and its answer.
    let to = url.clone();
    between.now(move |asked| match asked.method.as_str() {
        "POST" => Reply::Closes,
        _ => Reply::Raw(handed_on(&to, asked)),
    });
    assert_eq!(refused(push(&stage, &first, &between.url, "never"), 3)["rule"], "SERVER-CUT");
    let to = url.clone();
    between.now(move |asked| {
        let answer = handed_on(&to, asked);
        if asked.method == "POST" { Reply::Closes } else { Reply::Raw(answer) }
    });
    let done = push(&stage, &first, &between.url, "pushed").ended(0).json();
    assert_eq!((&done["came"], posted(&between)), (&json!("observed"), 1));
    between.now(honest.clone());
    assert_eq!(push(&stage, &first, &between.url, "pushed").ended(0).json()["came"], "known");
    assert_eq!(posted(&between), 0);
    let told = receipts(&stage.path("pushed"));
    let manifest = Digest::of(&fs::read(first.join("MANIFEST")).unwrap());
    assert!(!told.is_empty() && told.iter().all(|receipt| receipt.manifest == manifest), "{told:?}");
    for receipt in &told {
        assert_eq!(receipt.served[&RoleName::Root].1, Digest::of(&root));
    }
    let report = stage.keyrite(["-C", utf8(&stage.record), "--json", "import", "pushed"]).ended(0).json();
    assert_eq!(report["left"], json!([]), "{report}");
    assert!(report["taken"].to_string().contains("receipts/"), "{report}");

    // A version that is somebody else's is left alone, with both shown.
    let known = map.knowing(&stage.root()).write("devices-2.toml");
    let granted =
        uploads(&stage.hold(&known, &shipped("first-day/05-camera-station.toml")).1.ended(0).json());
    let second = stage.record.join(&granted[0]);
    let (to, theirs) = (url.clone(), fs::read(first.join("targets.json")).unwrap());
    let digests =
        [Digest::of(&theirs).hex(), Digest::of(&fs::read(second.join("targets.json")).unwrap()).hex()];
    between.now(move |asked| {
        if asked.path.ends_with("/2.targets.json") {
            return Reply::Gives(theirs.clone());
        }
        Reply::Raw(handed_on(&to, asked))
    });
    let error = refused(push(&stage, &second, &between.url, "pushed"), 1);
    assert_eq!(error["rule"], "ROLE-TAKEN");
    assert!(digests.iter().all(|digest| error.to_string().contains(digest)), "{error}");
    assert_eq!(posted(&between), 0);
    // Taken, and then another is served: not what went up.
    let (to, before) = (url.clone(), first.clone());
    between.now(move |asked| {
        let old = fs::read(before.join("targets.json")).unwrap();
        let by_digest = asked.path.contains("/targets.") && asked.path.len() > 100;
        let after = by_digest && !asked.path.contains(&Digest::of(&old).hex());
        if after { Reply::Gives(old) } else { Reply::Raw(handed_on(&to, asked)) }
    });
    assert_eq!(refused(push(&stage, &second, &between.url, "served"), 1)["rule"], "FETCH-MIXED");
    // Which nobody takes for a fetch, but the answer is not lost.
    let told = receipts(&stage.path("served"));
    assert!(matches!((&told[0].result, told[0].served.len()), (Answer::Accepted, 0)), "{told:?}");
    assert_eq!(fs::read_dir(stage.path("served")).unwrap().count(), 1);
    // A whole that is true, and old.
    let (to, old) = (url.clone(), fs::read(stage.path("pushed/timestamp.json")).unwrap());
    between.now(move |asked| {
        if asked.path.ends_with("/timestamp.json") {
            Reply::Gives(old.clone())
        } else {
            Reply::Raw(handed_on(&to, asked))
        }
    });
    let error = refused(push(&stage, &second, &between.url, "served"), 1);
    assert_eq!(error["rule"], "UPLOAD-UNSEEN");
    assert!(digests.iter().all(|digest| error.to_string().contains(digest)), "{error}");
    between.now(honest);
    assert_eq!(push(&stage, &second, &between.url, "pushed").ended(0).json()["came"], "known");
    // Another trust's upload.
    let other = Stage::new("courier-push-other", Profile::Notary, Kind::Production, &limits);
    assert_eq!(refused(push(&other, &second, &between.url, "never"), 1)["rule"], "RECORD-OTHER");
}

/// The files of a folder, by name.
fn written(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    // But for whose tree it is.
    let files = files.filter(|entry| entry.file_name() != ".keyrite-trust");
    let mut names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_tree_is_written_so_that_clients_are_never_led_astray() {
    let limits = Limits::default_for(Profile::Tuf);
    let stage = Stage::new("courier-tree", Profile::Tuf, Kind::Production, &limits);
    let repository = Repository::new().files;
    let file = |name: &str| repository[name].as_slice();
    let first = stage.upload(
        "first",
        &[
            ("root", 1, file("1.root.json")),
            ("targets", 1, file("1.targets.json")),
            ("app", 1, file("1.app.json")),
            ("snapshot", 1, file("1.snapshot.json")),
            ("timestamp", 1, file("timestamp.json")),
        ],
    );
    fs::create_dir(stage.path("tree")).unwrap();
    assert_eq!(push(&stage, &first, "tree", "pushed").ended(0).json()["came"], "taken");
    let order = ["1.app.json", "1.targets.json", "1.snapshot.json", "1.root.json", "timestamp.json"];
    assert_eq!(written(&stage.path("tree")), sorted(&order));
    assert!(order.iter().all(|name| fs::read(stage.path("tree").join(name)).unwrap() == file(name)));
    assert_eq!(push(&stage, &first, "tree", "pushed").ended(0).json()["came"], "known");

    // A disk that won't have one of them: nothing that comes after it is there, and the next push goes on.
    for (at, name) in order.iter().enumerate() {
        let tree = format!("tree-{at}");
        let stands = stage.path(&tree).join(format!(".{name}.new"));
        fs::create_dir_all(&stands).unwrap();
        assert_eq!(refused(push(&stage, &first, &tree, "never"), 3)["rule"], "FILE-WRITE", "{name}");
        assert_eq!(written(&stage.path(&tree)), sorted(&order[..at]), "{name}");
        fs::remove_dir(&stands).unwrap();
        assert_eq!(push(&stage, &first, &tree, "gone-on").ended(0).json()["came"], "taken");
        assert_eq!(written(&stage.path(&tree)), sorted(&order), "{name}");
    }

    // Another document under a name that is taken, and an older timestamp: nothing is written at all.
    let mut newer = Repository::new();
    newer.doc("targets").targets.push("more.txt");
    newer.snapshot.version = 2;
    newer.timestamp.version = 2;
    newer.write();
    let other = stage.upload(
        "other",
        &[("targets", 1, &newer.files["1.targets.json"]), ("snapshot", 2, &newer.files["2.snapshot.json"])],
    );
    assert_eq!(refused(push(&stage, &other, "tree", "pushed"), 1)["rule"], "ROLE-TAKEN");
    assert_eq!(written(&stage.path("tree")).len(), 5);
    fs::write(stage.path("tree/timestamp.json"), &newer.files["timestamp.json"]).unwrap();
    assert_eq!(refused(push(&stage, &first, "tree", "pushed"), 1)["rule"], "ROLE-TAKEN");
    assert_eq!(fs::read(stage.path("tree/timestamp.json")).unwrap(), newer.files["timestamp.json"]);

    // A file under another's name, and a server that takes no files.
    let bytes = fs::read(first.join("1.app.json")).unwrap();
    let mut manifest = Manifest::parse(&fs::read(first.join("MANIFEST")).unwrap()).unwrap();
    let line = Line::of(&bytes, Some(RoleName::from_name("app")));
    manifest.files.insert(keyrite::record::manifest::FileName::parse("7.app.json").unwrap(), line);
    fs::write(first.join("7.app.json"), &bytes).unwrap();
    fs::write(first.join("MANIFEST"), manifest.to_text()).unwrap();
    assert_eq!(refused(push(&stage, &first, "tree", "pushed"), 1)["rule"], "UPLOAD-NAME");
    let good = stage.upload("good", &[("root", 1, file("1.root.json"))]);
    assert_eq!(
        refused(push(&stage, &good, "https://repo.example.com", "pushed"), 2)["rule"],
        "SERVER-ADDRESS"
    );
}
