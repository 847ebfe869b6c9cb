//! Feature `courier`: `keyrite-courier watch`, of Debian's notary-server and of static repositories, as a
//! monitoring system runs it: by exit code and JSON.

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

use hostile::{Hostile, Reply, file, handed_on};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::time::Time;
use repository::{PAST, Repository};
use serde_json::{Value, json};
use server::{Backend, first_keys, publishes, uploads};
use stage::{Done, Stage, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

fn watch(folder: &Path, server: &str, more: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    let line = ["--json", "watch", "--trust", "root.json", "--patience", "3", "--server", server];
    command.args(line).args(more).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    Done::of(&mut command)
}

/// What a look comes to: the report, which says the exit code too.
fn seen(folder: &Path, server: &str, exit: i32) -> Value {
    let report = watch(folder, server, &[]).ended(exit).json();
    assert_eq!(report["exit"], exit, "{report}");
    report
}

/// Each problem's rule, and whom it concerns.
fn problems(report: &Value) -> Vec<(String, String)> {
    let problems = report["problems"].as_array().unwrap().iter();
    let word = |problem: &Value, of: &str| problem[of].as_str().unwrap().to_owned();
    let who = |problem: &Value| {
        let customers = problem["customers"].as_array().unwrap().iter();
        customers.map(|one| one.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    problems.map(|problem| (word(problem, "rule"), who(problem))).collect()
}

fn one(rule: &str, who: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), who.to_owned())]
}

fn role<'a>(report: &'a Value, name: &str) -> &'a Value {
    let roles = report["roles"].as_array().unwrap();
    roles.iter().find(|role| role["role"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn room(name: &str, root: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("courier-watch-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("root.json"), root).unwrap();
    folder
}

/// The end of the so-manieth day from now.
fn in_days(days: u64) -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = Time::from_unix(i64::try_from(now + days * 86_400 + 3_600).unwrap()).unwrap();
    Box::leak(at.to_string().into_boxed_str())
}

type Change = fn(&mut Repository);

/// What is served, each from the same state: what ends soon, what has ended, what is not there.
#[test]
fn a_static_repository_near_its_ends_and_past_them() {
    let both = "new known";
    let table: [(&str, Change, i32, &str, &str); 10] = [
        ("nothing", |_| (), 0, "", ""),
        ("targets for 40 days", |made| made.doc("targets").expires = in_days(40), 4, "WATCH-DUE", both),
        ("a delegation for 40 days", |made| made.doc("app").expires = in_days(40), 4, "WATCH-DUE", both),
        ("a snapshot for 6 days", |made| made.snapshot.expires = in_days(6), 4, "WATCH-DUE", both),
        ("a timestamp for a day", |made| made.timestamp.expires = in_days(1), 4, "WATCH-DUE", both),
        ("a timestamp of the past", |made| made.timestamp.expires = PAST, 1, "FREEZE", both),
        ("targets of the past", |made| made.doc("targets").expires = PAST, 1, "EXPIRED", both),
        ("a delegation of the past", |made| made.doc("app").expires = PAST, 1, "EXPIRED", both),
        ("a stranger's delegation", |made| made.doc("app").signers = vec![31], 1, "ROLE-THRESHOLD", both),
        ("older targets", |made| made.doc("targets").version = 1, 1, "ROLLBACK", "known"),
    ];
    let mut second = Repository::new();
    let root = second.files["1.root.json"].clone();
    for name in ["targets", "app"] {
        second.doc(name).version = 2;
    }
    second.next();
    second.write();
    let dir = room("static", &root);
    let server = Hostile::files(second.files.clone());
    let report = seen(&dir, &server.url, 0);
    assert_eq!((&report["problems"], &report["certificates"]), (&json!([]), &json!([])));
    let app = role(&report, "app");
    assert_eq!((&app["version"], &app["limit"]), (&json!(2), &Value::Null), "{report}");
    assert_eq!(app["customers"], json!(["new", "known"]));
    assert_eq!(app["expires"], repository::LATER);
    assert!(app["days"].as_i64().unwrap() > 365, "{app}");
    // Both look at the same answers: each file was asked for once.
    assert_eq!((server.heard().len(), &report["asked"]), (5, &json!(5)));

    for (what, change, exit, rule, who) in table {
        Done::of(Command::new("cp").args(["-r", ".local", "before"]).current_dir(&dir)).ended(0);
        let mut third = second.clone();
        for name in ["targets", "app"] {
            third.doc(name).version = 3;
        }
        third.next();
        change(&mut third);
        third.write();
        let files = third.files;
        server.now(move |asked| file(&files, asked));
        let report = seen(&dir, &server.url, exit);
        let expected = if rule.is_empty() { Vec::new() } else { one(rule, who) };
        assert_eq!(problems(&report), expected, "{what}: {report}");
        if exit == 4 {
            let crossed = report["roles"].as_array().unwrap().iter().filter(|role| role["limit"] == "renew");
            assert_eq!(crossed.count(), 1, "{what}: {report}");
        }
        fs::remove_dir_all(dir.join(".local")).unwrap();
        fs::rename(dir.join("before"), dir.join(".local")).unwrap();
    }

    // A repository that makes its timestamp every few hours, and one who has named too little.
    let mut hourly = second.clone();
    hourly.timestamp.expires = in_days(1);
    hourly.next();
    hourly.write();
    let files = hourly.files;
    server.now(move |asked| file(&files, asked));
    for term in ["timestamp=12 hours", "timestamp=12-hours"] {
        watch(&dir, &server.url, &["--renew", term]).ended(0);
    }
    watch(&dir, &server.url, &["--renew", "timestamp=12"]).ended(2);
    // A delegation that is listed and isn't there, and one whose document somebody has swapped.
    let good = second.files.clone();
    server.now(move |asked| match asked.path.as_str() {
        "/2.app.json" => Reply::Says(404, Vec::new(), Vec::new()),
        _ => file(&good, asked),
    });
    fs::remove_dir_all(dir.join(".local")).unwrap();
    assert_eq!(problems(&seen(&dir, &server.url, 1)), one("FILE-MISSING", both));
}

/// A way that only those can go who are half there: a root in between is gone.
#[test]
fn a_root_that_newcomers_need_is_missed() {
    let mut made = Repository::new();
    let dir = room("newcomers", &made.files["1.root.json"]);
    made.next_root(&[1, 2]);
    made.root.timestamp = vec![25];
    made.timestamp.signers = vec![25];
    made.write_root();
    made.next();
    made.write();
    let server = Hostile::files(made.files.clone());
    assert_eq!(problems(&seen(&dir, &server.url, 0)), []);
    made.files.remove("2.root.json");
    let files = made.files;
    server.now(move |asked| file(&files, asked));
    let report = seen(&dir, &server.url, 1);
    assert_eq!(problems(&report), one("ROLE-THRESHOLD", "new"));
    assert_eq!(role(&report, "targets")["customers"], json!(["known"]));
}

/// What says nothing of customers ends with 3.
#[test]
fn nobody_can_tell() {
    let made = Repository::new();
    let dir = room("nobody", &made.files["1.root.json"]);
    let good = made.files.clone();
    let server = Hostile::files(good.clone());
    seen(&dir, &server.url, 0);
    assert_eq!(problems(&seen(&dir, "http://127.0.0.1:9", 3)), one("SERVER-UNREACHABLE", "new"));
    for (status, rule) in [(500, "SERVER-STATUS"), (503, "SERVER-STATUS")] {
        let good = good.clone();
        server.now(move |asked| match asked.path.as_str() {
            "/timestamp.json" => Reply::Says(status, Vec::new(), b"why".to_vec()),
            _ => file(&good, asked),
        });
        let report = seen(&dir, &server.url, 3);
        assert_eq!(problems(&report), one(rule, "new"));
        // What was accepted before is told all the same.
        assert_eq!(role(&report, "root")["version"], 1);
    }
    // Two at once, and a folder that began with another root: no word of customers either.
    let folder =
        fs::read_dir(dir.join(".local/state/keyrite-courier")).unwrap().next().unwrap().unwrap().path();
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("watch-"), "{folder:?}");
    let held = fs::File::open(folder.join("lock")).unwrap();
    held.try_lock().unwrap();
    let done = watch(&dir, &server.url, &[]).ended(3).json();
    assert_eq!(done["error"]["rule"], "UPDATE-STATE");
    drop(held);
    fs::write(folder.join("anchor"), "another").unwrap();
    assert_eq!(watch(&dir, &server.url, &[]).ended(3).json()["error"]["rule"], "UPDATE-STATE");
}

/// The words that people read, and the code that a monitor reads.
#[test]
fn on_a_screen_too() {
    let mut made = Repository::new();
    made.doc("targets").expires = in_days(40);
    made.write();
    let dir = room("screen", &made.files["1.root.json"]);
    let server = Hostile::files(made.files.clone());
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    let line = ["watch", "--trust", "root.json", "--server", &server.url, "--state", "seen"];
    let done = Done::of(command.args(line).current_dir(&dir)).ended(4);
    let text = done.text();
    for words in ["targets version 1", "WATCH-DUE", "40 days left", "renew it: keyrite status"] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

/// A real backend: a root and targets that end soon, then nothing that does, then a machine in between
/// that goes back, and in the end no server at all.
#[test]
fn a_backend_from_its_first_day_to_its_end() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-watch", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "local");
    let devices = backend.enrolled(&stage, stage.devices());
    let (devices, map) = first_keys(&stage, devices);
    let push = |sealed: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
        let (trust, upload) = (stage.record.join("trust.json"), stage.record.join(&sealed[0]));
        let line = ["push", utf8(&upload), "--trust", utf8(&trust), "--server", &backend.url];
        Done::of(command.args(line).args(["--into", "pushed"]).current_dir(&stage.dir)).ended(0);
    };
    let text = fs::read_to_string(shipped("first-day/04-root.toml")).unwrap();
    let short = text.replace("\"2 years\"", "\"8 months\"").replace("\"1 year\"", "\"60 days\"");
    let short = stage.write("04-root.toml", &short);
    push(&uploads(&stage.hold(&map, &short).1.ended(0).json()));
    stage.keyrite(["-C", utf8(&stage.record), "import", "pushed"]).ended(0);
    fs::copy(stage.path("pushed/root.json"), stage.path("root.json")).unwrap();

    let report = seen(&stage.dir, &backend.url, 4);
    let due = ("WATCH-DUE".to_owned(), "new known".to_owned());
    assert_eq!(problems(&report), [due.clone(), due], "{report}");
    assert_eq!(["root", "targets"].map(|name| role(&report, name)["limit"].clone()), ["renew", "renew"]);
    for online in ["snapshot", "timestamp"] {
        assert_eq!(role(&report, online)["limit"], Value::Null, "the backend makes them again by itself");
    }
    let certificates = report["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 3, "{report}");
    assert!(certificates.iter().all(|one| one["limit"].is_null() && one["days"].as_i64() > Some(3_000)));
    let less = ["--renew", "root=7 months", "--renew", "targets=30 days"];
    assert_eq!(watch(&stage.dir, &backend.url, &less).ended(0).json()["problems"], json!([]));

    let known = devices.knowing(&stage.root()).write("devices-2.toml");
    push(&uploads(&stage.hold(&known, &shipped("first-day/05-camera-station.toml")).1.ended(0).json()));
    let old = fs::read(stage.path("pushed/timestamp.json")).unwrap();
    publishes(&stage, &backend, "dana", "targets/camera-station", "camera-station/firmware-1.bin");
    let report = watch(&stage.dir, &backend.url, &less).ended(0).json();
    assert_eq!(role(&report, "targets/camera-station")["version"], 1, "{report}");

    // Whoever has seen the newest notices; a newcomer can't.
    let to = backend.url.clone();
    let between = Hostile::new(move |asked| {
        if asked.path.ends_with("/timestamp.json") {
            Reply::Gives(old.clone())
        } else {
            Reply::Raw(handed_on(&to, asked))
        }
    });
    let report = watch(&stage.dir, &between.url, &less).ended(1).json();
    assert_eq!(problems(&report), one("ROLLBACK", "known"), "{report}");
    watch(&stage.dir, &backend.url, &less).ended(0);
    let url = backend.url.clone();
    drop(backend);
    let report = watch(&stage.dir, &url, &less).ended(3).json();
    assert_eq!(problems(&report), one("SERVER-UNREACHABLE", "new"));
}
