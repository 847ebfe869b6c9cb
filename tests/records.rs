//! A first day's record verifies from `ceremonies/FORMAT.md` alone: by a script that was written
//! from that page, without a look at keyrite's code. And it stops verifying when a file is changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use stage::{Done, brought, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rehearses the built-in first day by the program, and gives the record and its newest root.
fn first_day(profile: &str, on: &str) -> (PathBuf, String) {
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("records-{profile}-{on}"));
    let _ = fs::remove_dir_all(&into);
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(["--json", "rehearse", "--profile", profile, "--on", on, "--into", utf8(&into)]);
    let told = Done::of(&mut command).ended(0).json();
    let anchor = format!("{}:{}", told["root"], told["payload"].as_str().unwrap());
    (into.join("record"), anchor)
}

fn by_the_page(record: &Path, anchor: &str) -> Done {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    Done::of(python.arg(script).arg(record).args(["--anchor", anchor]))
}

fn by_keyrite(record: &Path, anchor: &str) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    Done::of(command.args(["-C", utf8(record), "--json", "verify", "--anchor", anchor]))
}

fn verifies(profile: &str, on: &str) {
    let (record, anchor) = first_day(profile, on);
    by_the_page(&record, &anchor).ended(0);
    by_keyrite(&record, &anchor).ended(0);

    let another = format!("1:{}", "0".repeat(64));
    by_the_page(&record, &another).ended(1);
    by_keyrite(&record, &another).ended(1);

    // One byte of each kind of file, changed: neither reading of the page lets it pass.
    for folder in ["keys", "limits", "changes", "metadata", "transcripts"] {
        let file = first_file(&record.join(folder));
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&file, &bad).unwrap();
        by_the_page(&record, &anchor).ended(1);
        by_keyrite(&record, &anchor).ended(1);
        fs::write(&file, &good).unwrap();
    }
    by_the_page(&record, &anchor).ended(0);
}

/// The first file below a folder, in order of name.
fn first_file(folder: &Path) -> PathBuf {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let first = entries[0].clone();
    if first.is_dir() { first_file(&first) } else { first }
}

#[test]
fn a_notary_first_day_verifies_from_the_page_alone() {
    verifies("notary", "file");
}

#[test]
fn a_tuf_first_day_verifies_from_the_page_alone() {
    verifies("tuf", "file");
}

#[test]
fn a_first_day_on_pkcs11_tokens_verifies_from_the_page_alone() {
    verifies("notary", "softhsm");
}
