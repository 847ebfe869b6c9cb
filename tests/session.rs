//! A whole first day as one session at a terminal: the shipped folder, one line typed, every
//! question answered by hand; broken off with Ctrl-C in the middle of root, and the same line
//! typed again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use rexpect::ReadUntil;
use rexpect::session::{PtySession, spawn_command};
use stage::{Stage, shipped, utf8};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What stands before the cursor where something is asked: a word of a digest, or anything else.
fn prompts() -> Vec<String> {
    let words = (1..=32).map(|place| format!("word {place:>2} > "));
    ["press Enter) ", "to read on) ", ") > "].map(str::to_owned).into_iter().chain(words).collect()
}

/// How a session at a terminal came to its end.
struct Told {
    text: String,
    code: i32,
    asked: usize,
}

/// Types the line that holds the day, and answers what is asked as a person would; presses Ctrl-C
/// instead where `stop` is asked.
fn hold(stage: &Stage, devices: &Path, stop: Option<&str>) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(["-C", utf8(&stage.record), "--devices", utf8(devices), "run", utf8(&shipped("first-day"))]);
    command.current_dir(&stage.dir).env("TERM", "dumb").env("LANG", "C.UTF-8");
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    let mut told = Told { text: String::new(), code: -1, asked: 0 };
    loop {
        let needles = prompts().into_iter().map(ReadUntil::String).chain([ReadUntil::EOF]).collect();
        let (before, found) = session.exp_any(needles).unwrap_or_else(|e| {
            panic!("{e} after\n{}", told.text);
        });
        told.text.push_str(&before);
        told.text.push_str(&found);
        // At the end there is no prompt, but all that was left.
        if !prompts().contains(&found) {
            break;
        }
        if stop.is_some_and(|stop| found.starts_with(stop)) {
            session.send_control('c').unwrap();
            told.text.push_str(&session.exp_eof().unwrap());
            break;
        }
        told.asked += 1;
        let answer = if found.ends_with(") ") { String::new() } else { reply(stage, &before, &found) };
        session.send_line(&answer).unwrap();
    }
    told.code = ended(&session);
    told
}

/// What a person says to the last question of a screen.
fn reply(stage: &Stage, before: &str, found: &str) -> String {
    if let Some(place) = found.strip_prefix("word ") {
        let place: usize = place.trim_matches([' ', '>']).parse().unwrap();
        return root_change(stage).words()[place - 1].to_owned();
    }
    let answers =
        [("Type same", "same"), ("Do you agree", "Yes"), ("Type your name", "wim"), ("Seal now", "1")];
    let found = answers.iter().filter_map(|(question, answer)| Some((before.rfind(question)?, answer)));
    let (_, answer) = found.max().unwrap_or_else(|| panic!("a question without an answer:\n{before}"));
    (*answer).to_owned()
}

/// The change of root, as the second screen and the printed script have it.
fn root_change(stage: &Stage) -> Digest {
    let folder = fs::read_dir(stage.record.join("changes")).unwrap();
    let changes = folder.map(|entry| fs::read(entry.unwrap().path().join("change.json")).unwrap());
    let root = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains("\"kind\":\"create-root\"");
    Digest::of(&{ changes }.find(root).unwrap())
}

fn ended(session: &PtySession) -> i32 {
    // `Exited(Pid(4711), 1)`: the type itself is not public.
    let status = format!("{:?}", session.process().wait().unwrap());
    let code = status.strip_prefix("Exited(").and_then(|s| s.trim_end_matches(')').rsplit(' ').next());
    code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{status}"))
}

#[test]
fn one_line_at_a_terminal_holds_the_day_and_goes_on_after_ctrl_c() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("session", Profile::Notary, Kind::Rehearsal, &limits);
    fs::create_dir(stage.path("keys")).unwrap();
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        devices = devices.in_file(key, &format!("keys/{key}.pem"));
    }
    let (_, enrolment) = stage.developer("dana");
    let devices = devices.backend_elsewhere().enrol("dev-dana", &enrolment).write("devices.toml");

    let first = hold(&stage, &devices, Some("word "));
    assert_eq!(first.code, 130, "{}", first.text);
    let keys = fs::read_dir(stage.record.join("keys")).unwrap().count();
    assert_eq!(keys, 7, "made and enrolled before root");

    let second = hold(&stage, &devices, None);
    assert_eq!(second.code, 0, "{}", second.text);
    let (version, payload) = stage.root();
    assert_eq!(version, 1);
    let line = format!("root = {{ version = 1, payload = \"{payload}\" }}");
    for said in ["already held: Root keys A, B and C", "Root of trust", "Camera station", &line, "[head]"] {
        assert!(second.text.contains(said), "{said} in\n{}", second.text);
    }
    let verified = stage.verify().ended(0).json();
    assert_eq!(verified["problems"], serde_json::json!([]));
    assert_eq!(verified["transcripts"], 2, "one for each session");

    let third = hold(&stage, &devices, None);
    assert_eq!((third.code, third.asked), (0, 0), "everything is held: {}", third.text);
}
