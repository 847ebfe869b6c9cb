//! Every break-glass runbook in rehearsal, after the first day, by the program; and the page that says
//! what each case means for agents and attackers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each case; keys that some role lists when it is over, and keys that none does; the profile that it is
/// for, if not for both.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

const CASES: &[Case] = &[
    (
        "backend-compromised",
        &["backend-snapshot-2", "backend-timestamp-2"],
        &["backend-snapshot", "backend-timestamp"],
        Some("notary"),
    ),
    (
        "backend-compromised-tuf",
        &["online-snapshot-2", "online-timestamp-2"],
        &["online-snapshot", "online-timestamp"],
        Some("tuf"),
    ),
    ("developer-key-stolen", &["dev-dana-2"], &["dev-dana"], None),
    ("quorum-lost", &["root-a", "root-b", "root-c"], &[], Some("notary")),
    ("root-expiring", &["root-a", "root-b", "root-c"], &[], None),
    ("root-key-compromised", &["root-a", "root-b", "root-d"], &["root-c"], None),
    ("root-key-lost", &["root-a", "root-b", "root-d"], &["root-c"], None),
    ("root-threshold-compromised", &["root-a", "root-d", "root-e"], &["root-b", "root-c"], None),
    ("targets-key-compromised", &["targets-2"], &["targets-1"], None),
    ("token-dead", &["root-a", "root-c", "root-d"], &["root-b"], None),
];

fn ceremonies(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies").join(name)
}

#[test]
fn every_case_is_on_the_page() {
    let page = fs::read_to_string(ceremonies("break-glass/README.md")).unwrap();
    let entries = fs::read_dir(ceremonies("break-glass")).unwrap().map(|entry| entry.unwrap());
    let folders: BTreeSet<String> = entries
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let named = sections.iter().map(|section| section.lines().next().unwrap().to_owned());
    assert_eq!(named.collect::<BTreeSet<_>>(), folders);
    assert_eq!(CASES.iter().map(|case| case.0.to_owned()).collect::<BTreeSet<_>>(), folders);
    for section in sections {
        for word in ["**Who:**", "**Agents**", "attacker", "keyrite -C trust"] {
            assert!(section.contains(word), "no {word} in {section}");
        }
    }
}

/// Rehearses a case after a first day; the roles of the record that it leaves.
fn rehearse(case: &str, profile: &str) -> String {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("break-glass-{profile}"));
    fs::create_dir_all(&scratch).unwrap();
    let into = scratch.join(case);
    let _ = fs::remove_dir_all(&into);
    let first = if profile == "tuf" { "first-day-tuf" } else { "first-day" };
    let mut line = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    line.args(["rehearse", "--profile", profile, "--into"]).arg(&into).current_dir(&scratch);
    // A lost quorum begins again.
    if case != "quorum-lost" {
        line.arg(ceremonies(first));
    }
    let run = line.arg(ceremonies("break-glass").join(case)).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{case}, {profile}: {out}{err}");
    assert!(out.contains("a client accepted what they made"), "{case}, {profile}: {out}");
    roles(&into.join("record"))
}

/// The roles of a record and their keys, as `status` tells them.
fn roles(record: &Path) -> String {
    let mut line = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    let run = line.arg("-C").arg(record).args(["--json", "status"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let status = String::from_utf8(run.stdout).unwrap();
    status.split_once("\"roles\":").unwrap().1.to_owned()
}

fn rehearse_all(profile: &str) {
    for (case, there, gone, _) in CASES.iter().filter(|case| case.3.is_none_or(|only| only == profile)) {
        let roles = rehearse(case, profile);
        let listed = |key: &&&str| roles.contains(&format!("\"{key} ("));
        assert_eq!(there.iter().find(|key| !listed(key)), None, "{case}, {profile}: {roles}");
        assert_eq!(gone.iter().find(listed), None, "{case}, {profile}: {roles}");
    }
}

#[test]
fn every_runbook_is_rehearsed_in_profile_notary() {
    rehearse_all("notary");
}

#[test]
fn every_runbook_is_rehearsed_in_profile_tuf() {
    rehearse_all("tuf");
}
