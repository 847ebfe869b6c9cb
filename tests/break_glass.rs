//! Every break-glass runbook in rehearsal, after the first day, by the program; and the page that says
//! what each case means for agents and attackers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use serde_json::Value;
use stage::{Done, brought};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a rehearsed case ends in.
struct Case {
    name: &'static str,
    /// Keys that some role lists when it is over.
    there: &'static [&'static str],
    /// Keys that none does.
    gone: &'static [&'static str],
    /// The profile that it is for, if not for both.
    only: Option<&'static str>,
    /// The newest root, and how many years it is valid from today.
    root: (u64, i64),
    /// The newest targets.
    targets: u64,
}

const ROOT: &[&str] = &["root-a", "root-b", "root-c"];
const CASES: &[Case] = &[
    Case {
        name: "backend-compromised",
        there: &["backend-snapshot-2", "backend-timestamp-2"],
        gone: &["backend-snapshot", "backend-timestamp"],
        only: Some("notary"),
        root: (2, 2),
        targets: 2,
    },
    Case {
        name: "backend-compromised-tuf",
        there: &["online-snapshot-2", "online-timestamp-2"],
        gone: &["online-snapshot", "online-timestamp"],
        only: Some("tuf"),
        root: (2, 2),
        targets: 2,
    },
    Case {
        name: "developer-key-stolen",
        there: &["dev-dana-2"],
        gone: &["dev-dana"],
        only: None,
        root: (1, 2),
        targets: 4,
    },
    Case { name: "quorum-lost", there: ROOT, gone: &[], only: Some("notary"), root: (1, 2), targets: 2 },
    Case { name: "quorum-lost-tuf", there: ROOT, gone: &[], only: Some("tuf"), root: (1, 2), targets: 2 },
    Case { name: "root-expiring", there: ROOT, gone: &[], only: None, root: (2, 3), targets: 2 },
    Case {
        name: "root-key-compromised",
        there: &["root-a", "root-b", "root-d"],
        gone: &["root-c"],
        only: None,
        root: (2, 2),
        targets: 2,
    },
    Case {
        name: "root-key-lost",
        there: &["root-a", "root-b", "root-d"],
        gone: &["root-c"],
        only: None,
        root: (2, 2),
        targets: 2,
    },
    Case {
        name: "root-threshold-compromised",
        there: &["root-a", "root-d", "root-e"],
        gone: &["root-b", "root-c"],
        only: None,
        root: (3, 2),
        targets: 2,
    },
    Case {
        name: "targets-key-compromised",
        there: &["targets-2"],
        gone: &["targets-1"],
        only: None,
        root: (2, 2),
        targets: 3,
    },
    Case {
        name: "token-dead",
        there: &["root-a", "root-c", "root-d"],
        gone: &["root-b"],
        only: None,
        root: (2, 2),
        targets: 2,
    },
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
    assert_eq!(CASES.iter().map(|case| case.name.to_owned()).collect::<BTreeSet<_>>(), folders);
    for section in sections {
        for word in ["**Who:**", "**Agents**", "keyrite -C trust"] {
            assert!(section.contains(word), "no {word} in {section}");
        }
        // What someone could do, up to the new documents and from then on.
        let (_, then) = section.split_once("**Before**").unwrap_or_else(|| panic!("no before in {section}"));
        let (before, after) = if let Some(both) = then.strip_prefix(" and **after**") {
            (both, both)
        } else {
            then.split_once("**After**").unwrap_or_else(|| panic!("no after in {section}"))
        };
        for said in [before, after] {
            let said = said.split("**").next().unwrap();
            assert!(said.contains("attacker"), "what of an attacker: {said}");
        }
    }
}

/// A case rehearsed after a first day.
struct Rehearsed {
    into: PathBuf,
    /// What the rehearsal said.
    said: String,
    status: Value,
}

fn rehearse(case: &str, profile: &str) -> Rehearsed {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("break-glass-{profile}"));
    fs::create_dir_all(&scratch).unwrap();
    let into = scratch.join(case);
    let _ = fs::remove_dir_all(&into);
    let first = if profile == "tuf" { "first-day-tuf" } else { "first-day" };
    let mut line = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    line.args(["rehearse", "--profile", profile, "--into"]).arg(&into).current_dir(&scratch);
    // A lost quorum begins again.
    if !case.starts_with("quorum-lost") {
        line.arg(ceremonies(first));
    }
    if case != first {
        line.arg(ceremonies("break-glass").join(case));
    }
    let said = Done::of(&mut line).ended(0).text();
    assert!(said.contains("a client accepted what they made"), "{case}, {profile}: {said}");
    let mut line = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    line.arg("-C").arg(into.join("record")).args(["--json", "status"]);
    let status = Done::of(&mut line).ended(0).json();
    Rehearsed { into, said, status }
}

impl Rehearsed {
    /// The keys that roles list.
    fn listed(&self) -> String {
        self.status["roles"].to_string()
    }

    /// A role's newest version, and the whole days for which it is still valid.
    fn stands(&self, role: &str) -> (u64, i64) {
        let roles = self.status["roles"].as_array().unwrap();
        let role =
            roles.iter().find(|r| r["role"] == role).unwrap_or_else(|| panic!("no {role} in {roles:?}"));
        let expires: jiff::Timestamp = role["expires"].as_str().unwrap().parse().unwrap();
        let left = expires.duration_since(jiff::Timestamp::now()).as_hours();
        (role["version"].as_u64().unwrap(), left / 24)
    }

    /// What its uploads are when all of them are served (profile `tuf`).
    fn served(&self) -> PathBuf {
        let repository = self.into.join("repository");
        fs::create_dir(&repository).unwrap();
        let mut timestamps = BTreeMap::new();
        for upload in fs::read_dir(self.into.join("record/uploads")).unwrap() {
            for file in fs::read_dir(upload.unwrap().path()).unwrap().map(|file| file.unwrap().path()) {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                if name == "timestamp.json" {
                    let json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                    timestamps.insert(json["signed"]["version"].as_u64().unwrap(), file);
                } else if file.extension().is_some_and(|end| end == "json") {
                    fs::copy(&file, repository.join(name)).unwrap();
                }
            }
        }
        let (_, newest) = timestamps.pop_last().unwrap();
        fs::copy(newest, repository.join("timestamp.json")).unwrap();
        repository
    }
}

/// What python-tuf and tough make of a repository, beginning with a root.
fn clients(root: &Path, repository: &Path) -> [Done; 2] {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python_tuf_client.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(root).arg(repository).args(["--expect-missing", "camera-station/x"]);
    let mut tough = Command::new(brought("standins/tough-client"));
    tough.arg(root).arg(repository).arg("-");
    [Done::of(&mut python), Done::of(&mut tough)]
}

fn rehearse_all(profile: &str) {
    for case in CASES.iter().filter(|case| case.only.is_none_or(|only| only == profile)) {
        let name = format!("{}, {profile}", case.name);
        let rehearsed = rehearse(case.name, profile);
        let roles = rehearsed.listed();
        let listed = |key: &&&str| roles.contains(&format!("\"{key} ("));
        assert_eq!(case.there.iter().find(|key| !listed(key)), None, "{name}: {roles}");
        assert_eq!(case.gone.iter().find(listed), None, "{name}: {roles}");
        let (root, left) = rehearsed.stands("root");
        assert_eq!(root, case.root.0, "{name}: {roles}");
        let years = case.root.1 * 365;
        assert!((years - 1..=years + 1).contains(&left), "{name}: root is valid for {left} days more");
        assert_eq!(rehearsed.stands("targets").0, case.targets, "{name}: {roles}");
        // The rehearsal's own client begins with the first root that there was.
        for (role, version) in [("root", root), ("targets", case.targets)] {
            let line = format!("it accepts {role} {version}\n");
            assert!(rehearsed.said.contains(&line), "{name}: no {line} in {}", rehearsed.said);
        }
        if profile == "tuf" {
            let repository = rehearsed.served();
            for known in 1..=root {
                let [python, tough] = clients(&repository.join(format!("{known}.root.json")), &repository);
                let (python, tough) = (python.ended(0).json(), tough.ended(0).json());
                assert_eq!(python["roles"]["root"], root, "{name}, python-tuf of root {known}: {python}");
                assert_eq!(python["roles"]["targets"], case.targets, "{name}: {python}");
                assert_eq!(tough["root"], root, "{name}, tough of root {known}: {tough}");
                assert_eq!(tough["targets"], case.targets, "{name}: {tough}");
            }
        }
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

/// The same names, other keys: whoever still trusts the root of before takes nothing of it.
#[test]
fn a_quorum_that_is_lost_is_followed_by_another_trust() {
    let (before, new) = (rehearse("first-day-tuf", "tuf"), rehearse("quorum-lost-tuf", "tuf"));
    let names = |rehearsed: &Rehearsed| -> BTreeMap<String, String> {
        let keys = rehearsed.status["keys"].as_array().unwrap().iter();
        let text = |key: &Value, member: &str| key[member].as_str().unwrap().to_owned();
        keys.map(|key| (text(key, "name"), text(key, "identity"))).collect()
    };
    let (old, now) = (names(&before), names(&new));
    assert_eq!(old.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    assert!(old.iter().all(|(name, identity)| now[name] != *identity), "{old:?}\n{now:?}");
    assert_ne!(before.status["trust"], new.status["trust"]);
    let (theirs, ours) = (before.served(), new.served());
    for (known, served, code) in [(&ours, &ours, 0), (&theirs, &ours, 1), (&ours, &theirs, 1)] {
        let [python, tough] = clients(&known.join("1.root.json"), served);
        let (python, tough) = (python.ended(code).problems(), tough.ended(code).problems());
        if code == 1 {
            assert!(python.contains("UnsignedMetadataError"), "{python}");
            assert!(tough.contains("ignature threshold"), "{tough}");
        }
    }
}
