//! Feature `courier`: `keyrite-courier update` and `tuf-client`, from Debian's notary-server beside the
//! stock client, and from servers that lie.

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

use hostile::{Asked, Hostile, Reply, file, handed_on};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::document::{MetaFile, TargetFile};
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::make::{self, TargetsEdit};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use repository::{LATER, PAST, Repository, listed, sealed, target, time};
use serde_json::{Value, json};
use server::{Backend, first_keys, publishes, uploads};
use sha2::{Digest as _, Sha256};
use stage::{Devices, Done, Stage, shipped, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APP: &str = "app/one.msi";
/// What [`Repository`] releases as `app/one.msi`.
const BYTES: &str = "app/one.msi of app 1";

type Files = BTreeMap<String, Vec<u8>>;

fn courier(folder: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    Done::of(&mut command)
}

fn update(folder: &Path, server: &str, more: &[&str]) -> Done {
    let line = ["--json", "update", "--trust", "root.json", "--patience", "3", "--server", server];
    courier(folder, &[&line[..], more].concat())
}

/// The same, with the target downloaded into `out`.
fn download(folder: &Path, server: &str) -> Done {
    let base = format!("{server}/targets");
    update(folder, server, &["--target", APP, "--targets", &base, "--out", "out"])
}

fn refused(done: Done, exit: i32) -> String {
    done.ended(exit).json()["error"]["rule"].as_str().unwrap().to_owned()
}

/// An empty folder of a test's own, with the root that a program comes with and a folder for what it gets.
fn room(name: &str, root: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("courier-update-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("out")).unwrap();
    fs::write(folder.join("root.json"), root).unwrap();
    folder
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The address of the target below a base, as a repository with consistent snapshots has it.
fn place() -> String {
    format!("targets/app/{}.one.msi", base16ct::lower::encode_string(&Sha256::digest(BYTES)))
}

/// What a repository serves, with the installer.
fn served(made: &Repository) -> Files {
    let mut files = made.files.clone();
    files.insert(place(), BYTES.into());
    files
}

fn paths(server: &Hostile) -> Vec<String> {
    server.heard().iter().map(|asked| asked.path.clone()).collect()
}

fn version(report: &Value, role: &str) -> u64 {
    let roles = report["roles"].as_array().unwrap();
    roles.iter().find(|one| one["role"] == role).unwrap()["version"].as_u64().unwrap()
}

#[test]
fn a_static_repository_step_by_step() {
    let mut made = Repository::new();
    let dir = room("static", &made.files["1.root.json"]);
    let server = Hostile::files(served(&made));
    let report = download(&dir, &server.url).ended(0).json();
    assert_eq!(fs::read_to_string(dir.join("out/one.msi")).unwrap(), BYTES);
    assert_eq!((&report["target"]["role"], &report["target"]["came"]), (&json!("app"), &json!("fetched")));
    assert_eq!(version(&report, "targets"), 1);
    let came = paths(&server);
    let order = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.app.json"];
    assert_eq!(came[..5], order.map(|name| format!("/{name}")));
    assert_eq!(came[5..], [format!("/{}", place())]);

    // Nothing new costs two requests, the file that is there none.
    let kept = served(&made);
    server.now(move |asked| file(&kept, asked));
    assert_eq!(update(&dir, &server.url, &[]).ended(0).json()["asked"], 2);
    assert_eq!(paths(&server), ["/2.root.json", "/timestamp.json"]);
    assert_eq!(download(&dir, &server.url).ended(0).json()["target"]["came"], "known");
    assert_eq!(paths(&server).len(), 4, "{:?}", paths(&server));
    assert_eq!(names(&dir), [".local", "out", "root.json"], "the state is in the home folder");

    // Another file of that name stays.
    fs::write(dir.join("out/one.msi"), "app/one.msi of app 9").unwrap();
    assert_eq!(refused(download(&dir, &server.url), 1), "TARGET-THERE");
    assert_eq!(fs::read_to_string(dir.join("out/one.msi")).unwrap(), "app/one.msi of app 9");
    fs::remove_file(dir.join("out/one.msi")).unwrap();

    // A root, and all that it leads to; what is asked for is what has changed.
    made.next_root(&[1, 2]);
    made.write_root();
    made.doc("targets").version = 2;
    made.next();
    made.write();
    let kept = served(&made);
    server.now(move |asked| file(&kept, asked));
    let report = update(&dir, &server.url, &[]).ended(0).json();
    assert_eq!(["root", "timestamp", "targets"].map(|role| version(&report, role)), [2; 3]);
    let order = ["2.root.json", "3.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"];
    assert_eq!(paths(&server), order.map(|name| format!("/{name}")));

    for (more, rule, exit) in [
        (&["--target", "app/two.msi", "--out", "out"][..], "TARGET-UNKNOWN", 1),
        (&["--target", APP, "--out", "out"], "TARGET-ADDRESS", 1),
        (&["--target", "app/..", "--out", "out"], "TARGET-NAME", 1),
        (&["--target", APP, "--out", "not-there", "--targets", &server.url], "FILE-WRITE", 3),
        (&["--target", APP, "--out", "out", "--targets", "ftp://n"], "SERVER-ADDRESS", 2),
        (&["--state", "out/.."], "UPDATE-STATE", 1),
    ] {
        assert_eq!(refused(update(&dir, &server.url, more), exit), rule, "{more:?}");
    }
    // A state that began with another root.
    let mut other = Repository::new();
    other.root.version = 3;
    other.write_root();
    update(&dir, &server.url, &["--state", "state"]).ended(0);
    fs::write(dir.join("root.json"), &other.files["3.root.json"]).unwrap();
    assert_eq!(refused(update(&dir, &server.url, &["--state", "state"]), 1), "UPDATE-STATE");
    assert_eq!(names(&dir.join("out")), [""; 0]);
}

#[test]
fn a_target_comes_from_its_own_address() {
    let mut made = Repository::new();
    let dir = room("address", &made.files["1.root.json"]);
    let far = Hostile::new(|asked| match asked.path.as_str() {
        "/files/one.msi?sig=a%20b" => Reply::Gives(BYTES.into()),
        _ => Reply::Closes,
    });
    let url = format!("{}/files/one.msi?sig=a%20b", far.url);
    let custom = Some(object([("url", url.as_str().into())]));
    let release = |role: &str, version, custom: Option<Json>| {
        let edit = TargetsEdit::PutTarget { path: APP.into(), file: TargetFile { custom, ..target(BYTES) } };
        make::targets(Profile::Tuf, &RoleName::from_name(role), version, time(LATER), None, &[edit]).unwrap()
    };
    let app = sealed(&release("app", 2, custom), &[30]);
    let targets = made.files["1.targets.json"].clone();
    let meta = BTreeMap::from([
        (RoleName::Targets, listed(1, &targets)),
        (RoleName::from_name("app"), listed(2, &app)),
    ]);
    made.files.insert("2.app.json".into(), app);
    made.next();
    made.write_snapshot(&meta);
    let server = Hostile::files(made.files.clone());
    let report = update(&dir, &server.url, &["--target", APP, "--out", "out"]).ended(0).json();
    assert_eq!(fs::read_to_string(dir.join("out/one.msi")).unwrap(), BYTES);
    // What signs an address is a secret of some hour: it is not shown.
    assert_eq!(report["target"]["from"], format!("{}/files/one.msi", far.url));
    assert!(far.heard().iter().all(|asked| !asked.headers.contains_key("authorization")));
}

/// What a file is answered with, given the right one.
type Lie = fn(&[u8]) -> Reply;

#[test]
fn no_wrong_file_is_ever_at_the_final_name() {
    let made = Repository::new();
    let dir = room("wrong", &made.files["1.root.json"]);
    let server = Hostile::files(served(&made));
    let lies: [(&str, Lie, &str, i32); 12] = [
        ("other bytes", |b| Reply::Gives(b.iter().map(|b| b ^ 1).collect()), "TARGET-BYTES", 1),
        ("shorter", |b| Reply::Gives(b[1..].to_vec()), "TARGET-BYTES", 1),
        ("longer", |b| Reply::Gives([b, b" "].concat()), "SERVER-SIZE", 1),
        ("none", |_| Reply::Gives(Vec::new()), "TARGET-BYTES", 1),
        ("half of it", |b| Reply::Half(b.to_vec()), "SERVER-CUT", 3),
        ("endless", |_| Reply::Endless(None), "SERVER-SIZE", 1),
        ("endless, told", |_| Reply::Endless(Some(1 << 40)), "SERVER-SIZE", 1),
        ("endless, told as right", |b| Reply::Endless(Some(b.len() as u64)), "TARGET-BYTES", 1),
        ("drop by drop", |b| Reply::Drips(b.repeat(9)), "SERVER-SIZE", 1),
        ("never", |_| Reply::Waits, "SERVER-TIMEOUT", 3),
        ("not there", |_| Reply::Says(404, vec![], b"no".to_vec()), "SERVER-STATUS", 3),
        ("failing", |_| Reply::Says(503, vec![], vec![]), "SERVER-STATUS", 3),
    ];
    for (what, lie, rule, exit) in lies {
        let good = served(&made);
        server.now(move |asked| {
            if asked.path.trim_start_matches('/') == place() {
                lie(&good[&place()])
            } else {
                file(&good, asked)
            }
        });
        assert_eq!(refused(download(&dir, &server.url), exit), rule, "{what}");
        assert_eq!(names(&dir.join("out")), [""; 0], "{what}");
    }
    // Of the right length, and so slowly that it is given up.
    let good = served(&made);
    server.now(move |asked| {
        if asked.path.trim_start_matches('/') == place() {
            Reply::Drips(good[&place()].clone())
        } else {
            file(&good, asked)
        }
    });
    let base = format!("{}/targets", server.url);
    let line = ["--json", "update", "--trust", "root.json", "--patience", "1", "--server", &server.url];
    let line = [&line[..], &["--target", APP, "--targets", &base, "--out", "out"]].concat();
    assert_eq!(refused(courier(&dir, &line), 3), "SERVER-TIMEOUT");
    assert_eq!(names(&dir.join("out")), [""; 0]);
    // What a download that was killed has left goes away; what another program has stays.
    for left in [".one.msi.77-123.part", ".one.msi.x.part", ".two.msi.77-123.part"] {
        fs::write(dir.join("out").join(left), "half").unwrap();
    }
    let good = served(&made);
    server.now(move |asked| file(&good, asked));
    download(&dir, &server.url).ended(0);
    assert_eq!(names(&dir.join("out")), [".one.msi.x.part", ".two.msi.77-123.part", "one.msi"]);
}

/// A disk that takes no more in the middle of a file, and a person who looks at the bar.
#[test]
fn a_disk_that_is_full_and_the_bar() {
    let mut made = Repository::new();
    let dir = room("full", &made.files["1.root.json"]);
    let large = "x".repeat(200_000);
    let edit = TargetsEdit::PutTarget { path: APP.into(), file: target(&large) };
    let app =
        make::targets(Profile::Tuf, &RoleName::from_name("app"), 2, time(LATER), None, &[edit]).unwrap();
    let app = sealed(&app, &[30]);
    let meta = BTreeMap::from([
        (RoleName::Targets, listed(1, &made.files["1.targets.json"])),
        (RoleName::from_name("app"), listed(2, &app)),
    ]);
    made.files.insert("2.app.json".into(), app);
    made.next();
    made.write_snapshot(&meta);
    let digest = base16ct::lower::encode_string(&Sha256::digest(&large));
    made.files.insert(format!("targets/app/{digest}.one.msi"), large.clone().into_bytes());
    let server = Hostile::files(made.files.clone());
    let line = format!(
        "{} --json update --trust root.json --server {url} --state state --target {APP} --targets {url}/targets --out out",
        env!("CARGO_BIN_EXE_keyrite-courier"),
        url = server.url
    );
    // No file is longer than 128 KiB; the signal that says so is as good as none.
    let limited = format!("trap '' XFSZ; ulimit -f 128; exec {line}");
    let done = Done::of(Command::new("sh").args(["-c", &limited]).current_dir(&dir));
    assert_eq!(refused(done, 3), "FILE-WRITE");
    assert_eq!(names(&dir.join("out")), [""; 0]);
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(&dir);
    let mut pty = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let seen = pty.exp_eof().unwrap();
    assert!(seen.contains("[####################] 100 %  one.msi, 200000 of 200000 bytes"), "{seen:?}");
    assert_eq!(fs::read_to_string(dir.join("out/one.msi")).unwrap(), large);
}

#[test]
fn killed_in_the_middle_of_a_file() {
    let made = Repository::new();
    let dir = room("killed", &made.files["1.root.json"]);
    let good = served(&made);
    let server = Hostile::new(move |asked| {
        if asked.path.trim_start_matches('/') == place() {
            Reply::Drips(good[&place()].clone())
        } else {
            file(&good, asked)
        }
    });
    let base = format!("{}/targets", server.url);
    let line = ["update", "--trust", "root.json", "--server", &server.url, "--state", "state"];
    let more = ["--target", APP, "--targets", &base, "--out", "out"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"))
        .args(line)
        .args(more)
        .current_dir(&dir)
        .spawn()
        .unwrap();
    while !names(&dir.join("out")).iter().any(|name| name.contains(".part")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before there was a part");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.join("out/one.msi").exists());
    let good = served(&made);
    server.now(move |asked| file(&good, asked));
    update(&dir, &server.url, &[&["--state", "state"], &more[..]].concat()).ended(0);
    assert_eq!(names(&dir.join("out")), ["one.msi"]);
}

/// Each attack on metadata: what is served after an honest update of versions 2, and the rule.
#[test]
fn old_frozen_mixed_and_endless_metadata_is_refused() {
    let first = Repository::new();
    let mut second = first.clone();
    second.doc("targets").version = 2;
    second.next();
    second.write();
    let replaced = |name: &str, bytes: &[u8]| {
        let mut files = served(&second);
        files.insert(name.to_owned(), bytes.to_vec());
        files
    };
    let third = |change: fn(&mut Repository)| {
        let mut made = second.clone();
        made.doc("targets").version = 3;
        made.next();
        change(&mut made);
        made.write();
        made
    };
    let mixed = third(|_| ()).files;
    let mut mixed_in = mixed.clone();
    mixed_in.insert("3.targets.json".to_owned(), second.files["2.targets.json"].clone());
    let mut no_root = served(&second);
    no_root.insert("2.root.json".to_owned(), second.files["1.root.json"].clone());
    // Two signatures under one key id, in a snapshot that no length or digest is listed of.
    let mut twice = third(|_| ()).files;
    let mut json: Value = serde_json::from_slice(&twice["3.snapshot.json"]).unwrap();
    let signature = json["signatures"][0].clone();
    json["signatures"].as_array_mut().unwrap().push(signature);
    twice.insert("3.snapshot.json".to_owned(), serde_json::to_vec(&json).unwrap());
    let bare = MetaFile { version: Some(3), ..MetaFile::default() };
    let timestamp = make::timestamp(Profile::Tuf, 3, time(LATER), &bare).unwrap();
    twice.insert("timestamp.json".to_owned(), sealed(&timestamp, &[21]));
    let large = |name: &str| replaced(name, &b" ".repeat(16_385));
    let table: Vec<(&str, Files, &str)> = vec![
        ("an old timestamp", replaced("timestamp.json", &first.files["timestamp.json"]), "ROLLBACK"),
        ("a snapshot that lists less", third(|made| made.doc("targets").version = 1).files, "ROLLBACK"),
        ("an expired timestamp", third(|made| made.timestamp.expires = PAST).files, "FREEZE"),
        ("an expired snapshot", third(|made| made.snapshot.expires = PAST).files, "FREEZE"),
        ("expired targets", third(|made| made.doc("targets").expires = PAST).files, "EXPIRED"),
        ("old targets among new", mixed_in, "SNAPSHOT-HASH"),
        (
            "a timestamp by another key",
            third(|made| made.timestamp.signers = vec![22]).files,
            "ROLE-THRESHOLD",
        ),
        ("a snapshot signed twice by one key", twice, "DOCUMENT-FORM"),
        ("the old root as the new", no_root, "ROOT-VERSION"),
        ("a large timestamp", large("timestamp.json"), "SERVER-SIZE"),
    ];
    let dir = room("lies", &first.files["1.root.json"]);
    let server = Hostile::files(served(&second));
    download(&dir, &server.url).ended(0);
    fs::remove_file(dir.join("out/one.msi")).unwrap();
    for (what, files, rule) in table {
        // Each begins from the same state.
        Done::of(Command::new("cp").args(["-r", ".local", "before"]).current_dir(&dir)).ended(0);
        server.now(move |asked| file(&files, asked));
        assert_eq!(refused(download(&dir, &server.url), 1), rule, "{what}");
        assert_eq!(names(&dir.join("out")), [""; 0], "{what}");
        fs::remove_dir_all(dir.join(".local")).unwrap();
        fs::rename(dir.join("before"), dir.join(".local")).unwrap();
    }
    let good = served(&second);
    for endless in ["3.snapshot.json", "timestamp.json", "2.root.json"] {
        let good = if endless == "3.snapshot.json" { third(|_| ()).files } else { good.clone() };
        server.now(move |asked| {
            if asked.path == format!("/{endless}") { Reply::Endless(None) } else { file(&good, asked) }
        });
        assert_eq!(refused(download(&dir, &server.url), 1), "SERVER-SIZE", "{endless}");
    }
    // Nobody who lied has taken anything away: what was true is still accepted.
    let good = third(|_| ()).files;
    let good: Files = good.into_iter().chain([(place(), BYTES.into())]).collect();
    server.now(move |asked| file(&good, asked));
    assert_eq!(version(&download(&dir, &server.url).ended(0).json(), "targets"), 3);
}

/// What the conformance suite calls, on its main cases.
#[test]
fn the_conformance_suites_client() {
    let mut made = Repository::new();
    let dir = room("suite", &made.files["1.root.json"]);
    fs::create_dir_all(dir.join("metadata")).unwrap();
    let server = Hostile::files(served(&made));
    let ran = |step: &[&str], exit: i32| {
        let base = format!("{}/targets", server.url);
        let line = ["tuf-client", "--metadata-dir", "metadata", "--metadata-url", &server.url];
        let more = ["--target-name", APP, "--target-base-url", &base, "--target-dir", "out"];
        courier(&dir, &[&line[..], &more, step].concat()).ended(exit);
    };
    let init = ["tuf-client", "--metadata-dir", "metadata", "init"];
    courier(&dir, &[&init[..], &["not-there.json"]].concat()).ended(1);
    courier(&dir, &["tuf-client", "--metadata-dir", "metadata", "refresh"]).ended(1);
    ran(&["refresh"], 1);
    courier(&dir, &[&init[..], &["root.json"]].concat()).ended(0);
    assert_eq!(server.heard().len(), 0);
    let kept = |role: &str| fs::read(dir.join(format!("metadata/{role}.json"))).ok();
    ran(&["refresh"], 0);
    assert_eq!(
        names(&dir.join("metadata")),
        ["root.json", "snapshot.json", "targets.json", "timestamp.json"]
    );
    assert_eq!(kept("snapshot").as_ref(), Some(&made.files["1.snapshot.json"]));
    ran(&["download"], 0);
    assert_eq!(fs::read_to_string(dir.join("out/app%2Fone%2Emsi")).unwrap(), BYTES);
    // There already: not asked for again.
    server.now({
        let files = made.files.clone();
        move |asked| file(&files, asked)
    });
    ran(&["download"], 0);
    // What an update has accepted before it fails is kept, and nothing else.
    made.doc("targets").version = 2;
    made.next();
    made.write();
    let mut files = made.files.clone();
    files.remove("2.snapshot.json");
    server.now(move |asked| file(&files, asked));
    ran(&["refresh"], 1);
    assert_eq!(kept("timestamp").as_ref(), Some(&made.files["timestamp.json"]));
    assert_ne!(kept("snapshot").as_ref(), Some(&made.files["2.snapshot.json"]));
    // Another file of that name is replaced.
    let files = made.files.clone().into_iter().chain([(place(), BYTES.into())]).collect::<Files>();
    server.now(move |asked| file(&files, asked));
    fs::write(dir.join("out/app%2Fone%2Emsi"), "older").unwrap();
    ran(&["download"], 0);
    assert_eq!(fs::read_to_string(dir.join("out/app%2Fone%2Emsi")).unwrap(), BYTES);
}

/// The stock client and the agent, from one backend, through a machine in between that counts and lies.
#[test]
fn the_stock_client_and_the_agent_agree() {
    const CAMERA: &str = "targets/camera-station";
    const TARGET: &str = "camera-station/firmware-1.bin";
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-update", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    let devices = backend.enrolled(&stage, stage.devices());
    let (devices, map) = first_keys(&stage, devices);
    let push = |sealed: &[String]| {
        let (trust, upload) = (stage.record.join("trust.json"), stage.record.join(&sealed[0]));
        let line = ["push", utf8(&upload), "--trust", utf8(&trust), "--server", &backend.url];
        courier(&stage.dir, &[&line[..], &["--into", "pushed"]].concat()).ended(0);
    };
    push(&uploads(&stage.hold(&map, &shipped("first-day/04-root.toml")).1.ended(0).json()));
    stage.keyrite(["-C", utf8(&stage.record), "import", "pushed"]).ended(0);
    let devices = devices.knowing(&stage.root());
    let known = devices.write("devices-2.toml");
    push(&uploads(&stage.hold(&known, &shipped("first-day/05-camera-station.toml")).1.ended(0).json()));
    fs::copy(stage.path("pushed/root.json"), stage.path("root.json")).unwrap();

    let to = backend.url.clone();
    let between = Hostile::new(move |asked| Reply::Raw(handed_on(&to, asked)));
    let out = stage.path("out");
    fs::create_dir(&out).unwrap();
    let find = |exit| {
        let files = Hostile::files(BTreeMap::from([(
            TARGET.to_owned(),
            fs::read(stage.path("firmware.bin")).unwrap_or_default(),
        )]));
        let line = ["--target", TARGET, "--targets", &files.url, "--out", "out"];
        update(&stage.dir, &between.url, &line).ended(exit).json()
    };
    // Granted, and nothing released yet: neither of them finds it.
    assert_eq!(find(1)["error"]["rule"], "TARGET-UNKNOWN");
    let collection = stage.trust.collection.as_str();
    backend.client(&stage.path("stock"), &["lookup", collection, TARGET]).ended(1);

    publishes(&stage, &backend, "dana", CAMERA, TARGET);
    let report = find(0);
    assert_eq!((&report["target"]["role"], &report["skipped"]), (&json!(CAMERA), &json!([])), "{report}");
    let got = out.join("firmware-1.bin");
    assert_eq!(fs::read(&got).unwrap(), fs::read(stage.path("firmware.bin")).unwrap());
    let seen = backend.client(&stage.path("stock"), &["lookup", collection, TARGET]).ended(0).text();
    assert!(seen.contains(report["target"]["hashes"]["sha256"].as_str().unwrap()), "{seen}\n{report}");
    backend.client(&stage.path("stock"), &["verify", collection, TARGET, "-i", utf8(&got)]).ended(0);

    // Nothing new costs one request.
    let to = backend.url.clone();
    between.now(move |asked| Reply::Raw(handed_on(&to, asked)));
    assert_eq!(update(&stage.dir, &between.url, &[]).ended(0).json()["asked"], 1);
    assert_eq!(paths(&between), [format!("/v2/{collection}/_trust/tuf/timestamp.json")]);
    attacked(&stage, &backend, &between, &got);
    track(&stage, &backend, &devices, &push);
}

/// A track below the application, which Dana's key grants; what its own developer releases there by the
/// stock client, the agent finds through both delegations.
fn track(stage: &Stage, backend: &Backend, devices: &Devices<'_>, push: &dyn Fn(&[String])) {
    const BETA: &str = "targets/camera-station/beta";
    const TARGET: &str = "camera-station/beta-2.bin";
    let trust = stage.record.join("trust.json");
    let line = ["fetch", "--trust", utf8(&trust), "--server", &backend.url, "--into", "published"];
    courier(&stage.dir, &line).ended(0);
    stage.keyrite(["-C", utf8(&stage.record), "import", "published"]).ended(0);
    let devices = devices.clone().in_file("dev-dana", "developers/dana.key");
    let devices = devices.enrol("dev-emil", &stage.developer("emil").1).write("devices-3.toml");
    let people = "[people]\nada = \"administrator\"\ndana = \"custodian\"\nwim = \"witness\"\n";
    let enroll = "[[key]]\nname = \"dev-emil\"\nholder = \"emil\"\npurpose = \"delegation\"\n";
    let grant = "[delegation]\napplication = \"camera-station\"\ntrack = \"beta\"\nkeys = [\"dev-emil\"]\n\
        threshold = 1\npaths = [\"camera-station/beta-\"]\nvalid-for = \"1 year\"\n\
        [delegator]\nvalid-for = \"1 year\"\n";
    let hold = |ceremony: &str, tables: &str| {
        let text = format!("ceremony = \"{ceremony}\"\ntitle = \"Beta\"\n{people}{tables}");
        let runbook = stage.write(&format!("{ceremony}.toml"), &text);
        stage.hold(&devices, &runbook).1.ended(0).json()
    };
    hold("enroll-key", enroll);
    push(&uploads(&hold("grant-delegation", grant)));
    publishes(stage, backend, "emil", BETA, TARGET);
    let release = fs::read(stage.path("firmware.bin")).unwrap();
    let files = Hostile::files(BTreeMap::from([(TARGET.to_owned(), release.clone())]));
    let line = ["--target", TARGET, "--targets", &files.url, "--out", "out"];
    let report = update(&stage.dir, &backend.url, &line).ended(0).json();
    assert_eq!((&report["target"]["role"], &report["skipped"]), (&json!(BETA), &json!([])), "{report}");
    assert_eq!(fs::read(stage.path("out/beta-2.bin")).unwrap(), release);
}

/// What somebody on the line can do to an agent that has seen the newest.
fn attacked(stage: &Stage, backend: &Backend, between: &Hostile, got: &Path) {
    let old = fs::read(stage.path("pushed/timestamp.json")).unwrap();
    let lies = |asked: &Asked, name: &str, to: &str, reply: Reply| {
        if asked.path.contains(name) { reply } else { Reply::Raw(handed_on(to, asked)) }
    };
    fs::remove_file(got).unwrap();
    let ends = |state: &str, exit| {
        let options = ["--state", state, "--target", "camera-station/firmware-1.bin", "--out", "out"];
        let rule = refused(update(&stage.dir, &between.url, &options), exit);
        assert_eq!(names(&stage.path("out")), [""; 0]);
        rule
    };
    let to = backend.url.clone();
    between.now(move |asked| Reply::Raw(handed_on(&to, asked)));
    update(&stage.dir, &between.url, &["--state", "seen"]).ended(0);
    let to = backend.url.clone();
    between.now(move |asked| lies(asked, "/timestamp.", &to, Reply::Gives(old.clone())));
    assert_eq!(ends("seen", 1), "ROLLBACK");
    let to = backend.url.clone();
    between.now(move |asked| lies(asked, "/timestamp.", &to, Reply::Endless(None)));
    assert_eq!(ends("seen", 1), "SERVER-SIZE");
    // Who has seen nothing yet is told as soon as files don't fit.
    let to = backend.url.clone();
    between.now(move |asked| {
        let mut answer = handed_on(&to, asked);
        if asked.path.contains("/targets.") {
            *answer.last_mut().unwrap() ^= 1;
        }
        Reply::Raw(answer)
    });
    assert_eq!(ends("fresh", 1), "SNAPSHOT-HASH");
    let to = backend.url.clone();
    between.now(move |asked| lies(asked, "camera-station.", &to, Reply::Gives(b"{}".to_vec())));
    assert_eq!(ends("fresh", 1), "SNAPSHOT-HASH");
}
