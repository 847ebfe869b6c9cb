//! Killed at every write, fsync, rename and folder made on the record's paths, and in the middle of
//! every write: what is left is a record, and running again ends the same (threats T20).
//!
//! The kernel does the killing (`tests/standins/killat.c`), so the program has no hook for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;
mod killing;

use kept::{Day, read, statement, today, tree};
use keyrite::record::receipt::{Answer, Receipt};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::rule::Refusal;
use keyrite::tuf::statement::Sentence;
use killing::{Killer, Mode, folder};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where the child works.
const PLACE: &str = "KEYRITE_TEST_RECORD";

/// What the child does: makes a record and adds one file of each kind. Run twice, it does nothing
/// new.
#[test]
#[ignore = "the child of the test below, which runs it in a directory of its own"]
fn child() {
    let Some(dir) = std::env::var_os(PLACE) else { return };
    work(Path::new(&dir));
}

fn work(dir: &Path) {
    let mut day = Day::begin(dir);
    let contents = day.read();
    day.start();
    let nonce = Digest::of(b"change");
    let proof = statement(
        &contents,
        "root-a",
        Sentence::Possession {
            key: kept::key("root-a").public().identity(),
            name: "root-a".to_owned(),
            holder: "alice".to_owned(),
            purpose: "root".to_owned(),
            nonce,
        },
    );
    let sha = day.record.add_statement(&proof).unwrap();
    let file = day.key_file("root-a", nonce, keyrite::ceremony::change::Possession::Proved(sha));
    day.record.add_key(&file).unwrap();
    let change = day.propose();
    day.sign(&change, &["targets-a"]);
    private_note(&mut day);
    day.seal(&change);
    let limits = keyrite::ceremony::limits::Limits::default_for(keyrite::tuf::profile::Profile::Tuf);
    day.record.add_limits(2, limits.to_toml().as_bytes()).unwrap();
    let receipt = Receipt {
        trust: day.record.trust().id,
        at: today(),
        manifest: nonce,
        result: Answer::Accepted,
        served: BTreeMap::new(),
        server: "https://notary.example.com".to_owned(),
    };
    day.record.add_receipt(&receipt).unwrap();
    day.end();
}

fn private_note(day: &mut Day) {
    use keyrite::ceremony::outcome::Outcome;
    use keyrite::ceremony::transcript::{Private, Said};
    let value = Private { salt: [5; 32], value: "bag 17".to_owned() };
    let said = Said {
        by: Some("alice".parse().unwrap()),
        change: None,
        step: None,
        outcome: Outcome::Note { question: "Which bag?".to_owned(), answer: None },
        private: [("answer".to_owned(), value)].into(),
    };
    let appended = day.transcript.append(kept::time("2026-11-22T13:05:00Z"), said).unwrap();
    assert!(appended.sidecar.is_some());
    day.record.add_outcome(day.transcript.ceremony(), &appended).unwrap();
}

/// What a record says of a command that hasn't finished.
const UNFINISHED: [&str; 7] = [
    "KEY-UNWITNESSED",
    "LIMITS-UNSIGNED",
    "MANIFEST-MISMATCH",
    "RECORD-REST",
    "RECORD-TORN",
    "ROLE-THRESHOLD",
    "ROOT-THRESHOLD-NEW",
];

#[test]
fn a_record_survives_being_killed_anywhere() {
    let killer = Killer::new("record");
    let run = |dir: &Path, mode: Mode| {
        killer.run(dir, mode, std::env::current_exe().unwrap().as_os_str(), |command| {
            command.args(["child", "--exact", "--ignored", "--test-threads=1"]).env(PLACE, dir);
        })
    };
    let whole = folder("crash-whole");
    let counted = run(&whole, Mode::Count);
    let (expected, private) = (tree(&whole), private(&whole));
    assert!(counted.calls > 100, "only {} calls were seen", counted.calls);
    assert!(expected.len() > 15, "{:?}", expected.keys());
    let dir = folder("crash-killed");
    for mode in counted.kills() {
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        let cut = run(&dir, mode);
        assert!(cut.killed, "{mode:?} was not reached");
        let what = format!("{mode:?}: {}", cut.last);
        // What is there is a record, or not one yet; nothing half written is believed.
        if dir.join("trust.json").exists() {
            let contents = read(&dir);
            let known = |r: &Refusal| UNFINISHED.contains(&r.rule().name);
            assert!(contents.findings.iter().all(|(_, r)| known(r)), "{what}: {:?}", contents.findings);
        }
        let again = run(&dir, Mode::Count);
        assert!(again.success, "{what}: {}", again.output);
        assert_eq!(tree(&dir), expected, "{what}");
        assert_eq!(self::private(&dir), private, "{what}");
    }
    fs::remove_dir_all(&dir).unwrap();
    fs::remove_dir_all(&whole).unwrap();
}

/// Every file of `private/`.
fn private(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    tree(&dir.join("private"))
}
