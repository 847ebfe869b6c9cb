//! `keyrite tokens` with SoftHSM: listing, preparing, and writing the device map.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod program;

use program::{SOFTHSM, answer, ended, folder, on_terminal, run, tokens};
use std::fs;

const TRUST: &str = "[answers]
profile = \"tuf\"
stage = \"rehearsal\"
collection = \"apps\"
administrator = \"ada\"
root-holders = \"ada, bruno\"
root-threshold = \"2\"
algorithm = \"p256\"
token.root-a = \"elsewhere\"
token.root-b = \"elsewhere\"
targets-holder = \"uma\"
token.targets-1 = \"elsewhere\"
online-keys = \"here\"
application = \"camera-station\"
developer = \"dana\"
witnesses = \"none\"
confirm = \"Yes\"
";

#[test]
fn every_token_is_listed_with_what_it_tells() {
    let dir = folder("tokens-list");
    let serials = tokens(&dir, &["root-a"]);
    let (code, out, err) = run(&dir, &["tokens", "--module", SOFTHSM]);
    assert_eq!((code, err.as_str()), (0, ""));
    for text in ["root-a", &serials[0], "SoftHSM v2", "ready", "blank", "Next"] {
        assert!(out.contains(text), "{text}: {out}");
    }
    let (_, json, _) = run(&dir, &["tokens", "list", "--module", SOFTHSM, "--json"]);
    assert!(json.contains(&format!("\"serial\":\"{}\"", serials[0])), "{json}");
    assert!(json.ends_with("\"schema\":1,\"tokens\":") || json.contains("\"schema\":1"), "{json}");
}

#[test]
fn without_a_module_there_is_nothing_to_list() {
    let dir = folder("tokens-none");
    let (code, _, err) = run(&dir, &["tokens"]);
    assert_eq!(code, 2);
    assert!(err.contains("MODULE-NONE"), "{err}");
    let (code, out, _) = run(&dir, &["tokens", "--module", "/nowhere.so"]);
    assert_eq!(code, 0, "one bad module hides no other");
    assert!(out.contains("Careful: MODULE"), "{out}");
}

#[test]
fn a_blank_token_is_prepared_and_one_in_use_never_wiped() {
    let dir = folder("tokens-prepare");
    tokens(&dir, &["root-a"]);
    let mut pty = on_terminal(&dir, &["tokens", "prepare", "--module", SOFTHSM]);
    answer(&mut pty, "Which token?", "");
    answer(&mut pty, "Its label?", "a-label-that-is-longer-than-thirty-two-letters");
    answer(&mut pty, "expected at most 32 letters", "root-b");
    let secrets = [
        ("New security officer's PIN", "canary-so-pin-1"),
        ("once more", "canary-so-pin-2"),
        ("not equal", "canary-so-pin-1"),
        ("once more", "canary-so-pin-1"),
        ("New PIN", "canary-pin"),
        ("once more", "canary-pin"),
    ];
    for (question, secret) in secrets {
        pty.exp_string(question).unwrap();
        let shown = pty.exp_string("> ").unwrap();
        assert!(!shown.contains("canary"), "{shown}");
        pty.send_line(secret).unwrap();
    }
    let (rest, code) = ended(pty);
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("Token prepared") && rest.contains("root-b"), "{rest}");
    assert!(!rest.contains("canary"), "{rest}");
    let (_, out, _) = run(&dir, &["tokens", "--module", SOFTHSM]);
    assert!(out.contains("root-a") && out.contains("root-b"), "{out}");
}

#[test]
fn ctrl_c_at_a_pin_acts_at_once_and_shows_typing_again() {
    let dir = folder("tokens-ctrl-c");
    tokens(&dir, &[]);
    let mut pty = on_terminal(&dir, &["tokens", "prepare", "--module", SOFTHSM]);
    answer(&mut pty, "Which token?", "");
    answer(&mut pty, "Its label?", "root-a");
    pty.exp_string("(not shown) > ").unwrap();
    pty.send("canary-half").unwrap();
    pty.flush().unwrap();
    pty.send_control('c').unwrap();
    let (rest, code) = ended(pty);
    assert_eq!(code, 130, "{rest}");
    assert!(rest.contains("INTERRUPTED") && !rest.contains("canary"), "{rest}");
    let (_, out, _) = run(&dir, &["tokens", "--module", SOFTHSM]);
    assert!(out.contains("blank") && !out.contains("root-a"), "{out}");
}

#[test]
fn the_device_map_is_written_once_with_the_modules_digest() {
    let dir = folder("tokens-write");
    let serials = tokens(&dir, &["root-a", "both"]);
    fs::write(dir.join("init.toml"), TRUST).unwrap();
    assert_eq!(run(&dir, &["init", "--answers", "init.toml", "--unattended", "record"]).0, 0);
    let answers = format!(
        "[answers]\ntrust = \"same\"\nkeys.{} = \"root-a\"\nkeys.{} = \"root-b, targets-1\"\n",
        serials[0], serials[1]
    );
    fs::write(dir.join("answers.toml"), answers).unwrap();
    let write = [
        "-C",
        "record",
        "tokens",
        "write",
        "mine.toml",
        "--module",
        SOFTHSM,
        "--answers",
        "answers.toml",
        "--unattended",
    ];
    let (code, out, err) = run(&dir, &write);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let map: toml::Table = fs::read_to_string(dir.join("mine.toml")).unwrap().parse().unwrap();
    let keys = map["key"].as_table().unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["root-a", "root-b", "targets-1"]);
    assert!(keys["targets-1"]["uri"].as_str().unwrap().contains(&serials[1]));
    let module = map["module"]["softhsm2"].as_table().unwrap();
    assert_eq!(module["path"].as_str(), Some(SOFTHSM));
    assert_eq!(module["sha256"].as_str().unwrap().len(), 64);
    let id = map["trust"]["id"].as_str().unwrap();
    assert!(fs::read_to_string(dir.join("record/trust.json")).unwrap().contains(id));

    // The same again is fine; anything else there is not overwritten.
    assert_eq!(run(&dir, &write).0, 0);
    fs::write(dir.join("mine.toml"), "mine").unwrap();
    let (code, _, err) = run(&dir, &write);
    assert_eq!(code, 1);
    assert!(err.contains("FILE-EXISTS"), "{err}");
    assert_eq!(fs::read_to_string(dir.join("mine.toml")).unwrap(), "mine");
}
