//! The gate at every place where a change goes on: it says no there, and before a key is opened.
//!
//! Time does it: a root of eight months is made today, and three months later it would have stock
//! developers publish nothing (`CLIENT-DEADLINE`). Today's part is played by the real program, what
//! comes three months later in this process, on a host whose clock stands there. From then on no
//! key's pass-phrase is to be found: whoever opened one would stop by another rule.

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
use jiff::{Timestamp, ToSpan as _};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::time::{Term, Unit};
use serde_json::Value;
use stage::{Devices, PHRASE, Stage, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const ROOT_KEYS: [&str; 4] = ["root-a", "root-b", "root-c", "root-d"];

/// A trust with its first root, and a fourth root key.
fn first_day(name: &str) -> Stage {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.ceremony.sign_within = Term::new(1, Unit::Years);
    let stage = Stage::new(name, Profile::Notary, Kind::Rehearsal, &limits);
    fs::create_dir_all(stage.path("keys")).unwrap();
    let (_, enrolment) = stage.developer("dana");
    let devices = holding(&stage, &ROOT_KEYS).in_file("targets-1", "keys/targets-1.pem");
    let map = devices.backend_elsewhere().enrol("dev-dana", &enrolment).write("all.toml");
    for runbook in ["01-root-keys", "02-targets-key", "03-enroll", "04-root"] {
        stage.hold(&map, &shipped(&format!("first-day/{runbook}.toml"))).1.ended(0);
    }
    let map = everything(&stage);
    stage.hold(&map, &shipped("rotate-root/01-root-key.toml")).1.ended(0);
    stage
}

fn holding<'a>(stage: &'a Stage, keys: &[&str]) -> Devices<'a> {
    keys.iter().fold(stage.devices(), |map, key| map.in_file(key, &format!("keys/{key}.pem")))
}

fn everything(stage: &Stage) -> PathBuf {
    holding(stage, &ROOT_KEYS).knowing(&stage.root()).write("everything.toml")
}

/// A device map by which these keys are here, and none can be opened.
fn sealed_off(stage: &Stage, keys: &[&str]) -> PathBuf {
    let map = holding(stage, keys).knowing(&stage.root()).write("map.toml");
    let text = fs::read_to_string(map).unwrap().replace("pin = \"phrase\"", "pin = \"gone\"");
    stage.write("sealed-off.toml", &text)
}

/// Root 2, in place of root 1, for so long.
fn rotation(stage: &Stage, valid_for: &str) -> PathBuf {
    let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
    let root = format!("[root]\nadd = [\"root-d\"]\nremove = [\"root-c\"]\nvalid-for = \"{valid_for}\"\n");
    let text = format!("ceremony = \"rotate-root\"\ntitle = \"Root 2\"\n{people}{root}");
    stage.write("rotate.toml", &text)
}

/// Two runs never draw the same.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// What the program says so many days from now.
fn later(days: i64, record: &Path, map: &Path, arguments: &[&str]) -> (u8, Value) {
    let now = Timestamp::now() + (days * 24).hours();
    let start = ["keyrite", "-C", utf8(record), "--devices", utf8(map), "--json"];
    let line: Vec<&str> = start.iter().chain(arguments).copied().collect();
    let seed = format!("gate {}", RUNS.fetch_add(1, Ordering::Relaxed));
    let (code, out, err) = Played::new(&seed, now).run(&line);
    (code, serde_json::from_str(&out).unwrap_or_else(|e| panic!("{line:?}: {e}: {out} {err}")))
}

fn refused((code, said): &(u8, Value)) -> &str {
    assert_eq!(*code, 1, "{said}");
    said["error"]["rule"].as_str().unwrap()
}

/// Text without its line ends.
fn flat(one: &str, two: &str) -> String {
    one.split_whitespace().chain(two.split_whitespace()).collect::<Vec<_>>().join(" ")
}

const LATER: i64 = 95;

/// What `sign` and `run` are answered, as they were planned.
fn answered(stage: &Stage, map: &Path, runbook: &Path) -> (String, PathBuf) {
    stage.answers(map, runbook)
}

#[test]
fn plan_run_and_sign_say_no_before_a_key_is_opened() {
    let stage = first_day("gate-sign");
    let map = everything(&stage);
    // Too short from the beginning: nothing is frozen.
    let short = stage.on(&stage.record, &map, &["plan", utf8(&rotation(&stage, "5 months"))]);
    assert_eq!(short.ended(1).json()["error"]["rule"], "CLIENT-DEADLINE");

    // One of them signs today, at the laptop; the others are to sign at home.
    let runbook = rotation(&stage, "8 months");
    let ada = holding(&stage, &["root-a"]).knowing(&stage.root()).write("ada.toml");
    let (change, answers) = answered(&stage, &ada, &runbook);
    let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    let line = ["-C", utf8(&stage.record), "--devices", utf8(&ada)].into_iter().chain(run);
    let waits = stage.keyrite(line).ended(4);
    let said = flat(&waits.text(), &waits.problems());
    assert!(said.contains("clients of root 1 to 2 come to root 2: notary"), "{said}");
    let copy = stage.path("copy");
    stage.on(&stage.record, &ada, &["export", utf8(&copy), "--for", "bruno"]).ended(0);

    // Three months later nobody can sign it any more: at the laptop, at home, with a vault.
    let bruno = sealed_off(&stage, &["root-b"]);
    let words = stage.write(
        "bruno-answers.toml",
        &format!("[answers]\n\"read-back\" = \"same\"\n\"confirm\" = \"{change}\"\n"),
    );
    let sign = ["sign", "--answers", utf8(&words), "--unattended"];
    assert_eq!(refused(&later(LATER, &copy, &bruno, &sign)), "CLIENT-DEADLINE");
    assert_eq!(
        refused(&later(LATER, &stage.record, &sealed_off(&stage, &ROOT_KEYS), &run)),
        "CLIENT-DEADLINE"
    );
    let vault = stage.devices().in_vault("root-b").knowing(&stage.root()).write("vault.toml");
    let out = ["sign", "--external", "root-b", "--answers", utf8(&words), "--unattended"];
    assert_eq!(refused(&later(LATER, &copy, &vault, &out)), "CLIENT-DEADLINE");
    assert!(!stage.path("root-b-0").exists());
    // A day later all is well, but for the pass-phrase that is gone.
    let tried = later(1, &copy, &bruno, &sign);
    assert_ne!(tried.1["error"]["rule"], "CLIENT-DEADLINE", "{}", tried.1);
    assert_ne!(tried.0, 0);

    // Who signs today reads what clients make of it, before the key is opened and once it has signed.
    let bruno = holding(&stage, &["root-b"]).knowing(&stage.root()).write("bruno.toml");
    let line: Vec<_> = ["-C", utf8(&copy), "--devices", utf8(&bruno)].into_iter().chain(sign).collect();
    let signed = stage.keyrite(line).ended(0);
    let said = flat(&signed.problems(), &signed.text());
    // Both ada's key and bruno's are in root 1 and in root 2.
    let (planned, now) = said.split_once("as it is signed now: Root 2").expect(&said);
    for part in [planned, now] {
        assert!(part.contains("clients of root 1 to 2 come to root 2: notary"), "{said}");
    }

    // What comes back three months late is taken in, and said to be no good; verify says it too.
    let map = sealed_off(&stage, &ROOT_KEYS);
    let start = ["keyrite", "-C", utf8(&stage.record), "--devices", utf8(&map)];
    let host = || Played::new("import", Timestamp::now() + (LATER * 24).hours());
    let line: Vec<&str> = start.iter().copied().chain(["import", utf8(&copy)]).collect();
    let (code, out, err) = host().run(&line);
    let out = flat(&out, &err);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("not to be sealed as it is signed now"), "{out}");
    assert!(out.contains("CLIENT-DEADLINE"), "{out}");
    let verified = later(LATER, &stage.record, &map, &["verify"]);
    let clients = verified.1["clients"].to_string();
    assert!(clients.contains("Root 2: not to be sealed") && clients.contains("CLIENT-DEADLINE"), "{clients}");
    assert_eq!(refused(&later(LATER, &stage.record, &map, &run)), "CLIENT-DEADLINE");
    assert!(
        !stage
            .record
            .join("metadata/root")
            .read_dir()
            .unwrap()
            .any(|e| { e.unwrap().file_name().to_string_lossy().starts_with("2.") })
    );
}

#[test]
fn an_upload_that_a_crash_kept_back_is_judged_before_it_is_written() {
    let stage = first_day("gate-upload");
    let map = everything(&stage);
    let runbook = rotation(&stage, "8 months");
    let (_, answers) = answered(&stage, &map, &runbook);
    let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    let uploads = |said: &Value| -> Vec<String> {
        said["uploads"].as_array().unwrap().iter().map(|u| u.as_str().unwrap().to_owned()).collect()
    };
    let before: Vec<String> = fs::read_dir(stage.record.join("uploads"))
        .unwrap()
        .map(|e| format!("uploads/{}", e.unwrap().file_name().to_str().unwrap()))
        .collect();
    let done = stage.on(&stage.record, &map, &run).ended(0).json();
    let mut made = uploads(&done);
    made.retain(|upload| !before.contains(upload));
    assert_eq!(made.len(), 1, "{done}");

    // As if it had been cut off after it was sealed: neither upload nor what was said of it.
    fs::remove_dir_all(stage.record.join(&made[0])).unwrap();
    let transcripts = stage.record.join("transcripts");
    for ceremony in fs::read_dir(transcripts).unwrap().map(|e| e.unwrap().path()) {
        let mut files: Vec<_> = fs::read_dir(&ceremony).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort_by_key(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.split('.').next().unwrap().parse::<u64>().unwrap()
        });
        let said = |file: &PathBuf| fs::read_to_string(file).unwrap();
        let ours = made[0].trim_start_matches("uploads/");
        if let Some(at) = files.iter().position(|f| said(f).contains(ours) && said(f).contains("\"upload\""))
        {
            files.split_off(at).iter().for_each(|file| fs::remove_file(file).unwrap());
        }
    }
    let none = |record: &Path| !record.join(&made[0]).exists();
    // The page to open says so, by the change's own runbook.
    let unwritten = || {
        let page = stage.on(&stage.record, &everything(&stage), &["status"]).ended(0).json();
        let lines = page["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        lines.filter(|line| line.contains("writes the upload of \"Root 2\"")).collect::<Vec<_>>()
    };
    let lines = unwritten();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(" run ") && lines[0].contains("/runbook.toml"), "{lines:?}");
    let off = sealed_off(&stage, &ROOT_KEYS);
    assert_eq!(refused(&later(LATER, &stage.record, &off, &run)), "CLIENT-DEADLINE");
    assert!(none(&stage.record));
    // In time the very same upload is written after all, and no key is needed for it.
    let (code, said) = later(1, &stage.record, &off, &run);
    assert_eq!(code, 0, "{said}");
    assert!(uploads(&said).contains(&made[0]), "{said}");
    assert!(!none(&stage.record));
    assert_eq!(unwritten(), Vec::<String>::new());
}
