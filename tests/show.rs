//! `keyrite show` and `keyrite completions`, as commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use keyrite::ceremony::facts::Stage;
use keyrite::ceremony::limits::Limits;
use keyrite::record::{Record, TrustFile, TrustSpec};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::json::Json;
use keyrite::tuf::profile::Profile;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn keyrite(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyrite"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"))
        .args(args)
        .output()
        .unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("show-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn record(folder: &Path) -> TrustFile {
    let limits = Limits::default_for(Profile::Tuf).to_toml();
    let spec = TrustSpec {
        profile: Profile::Tuf,
        collection: "rehearsal.invalid/apps".to_owned(),
        stage: Stage::Rehearsal,
        limits: Digest::of(limits.as_bytes()),
        shadows: None,
        start: None,
        nonce: [1; 32],
    };
    let trust = TrustFile::new(&spec).unwrap();
    drop(Record::create(folder, &trust, limits.as_bytes()).unwrap());
    trust
}

/// What a file says, in one line, so that wrapping doesn't matter.
fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn documents_of_both_profiles_are_explained() {
    // file, what must be said.
    let table: &[(&str, &[&str])] = &[
        (
            "bottlerocket/2.root.json",
            &["root, version 2", "profile tuf", "by its own keys: 2 must sign, 3 have", "enough", "expired"],
        ),
        (
            "notary-client/01-init/root.json",
            &["root, version 1", "profile notary", "by its own keys: 1 must sign, 1 have"],
        ),
        (
            "notary-client/06-delegation-add-app1-x509/targets.json",
            &["delegation targets/app1", "Not checked"],
        ),
        ("notary-client/01-init/snapshot.json", &["snapshot, version 2", "meta root"]),
        ("notary-client/01-init/timestamp.json", &["timestamp, version 1", "meta snapshot"]),
    ];
    for (file, said) in table {
        let output = keyrite(&["show", file]);
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        let text = words(&output);
        for part in *said {
            assert!(text.contains(part), "{file}: {part}\n{text}");
        }
    }
}

#[test]
fn two_versions_are_compared_and_two_roles_are_not() {
    let roots = ["show", "bottlerocket/2.root.json", "--against", "bottlerocket/1.root.json"];
    let text = words(&keyrite(&roots));
    assert!(text.contains("What changes from version 1 to version 2 of root"), "{text}");
    assert!(text.contains("root: version 1 becomes 2"), "{text}");
    let same =
        words(&keyrite(&["show", "bottlerocket/1.root.json", "--against", "bottlerocket/1.root.json"]));
    assert!(same.contains("Nothing differs"), "{same}");
    let other = keyrite(&["show", roots[1], "--against", "notary-client/1.root.json"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("SHOW-AGAINST"));
}

#[test]
fn the_same_words_come_as_json() {
    let output = keyrite(&["--json", "show", "bottlerocket/2.root.json"]);
    let json = Json::parse(output.stdout.trim_ascii_end()).unwrap();
    assert_eq!(json.get("schema").and_then(Json::as_int), Some(1));
    assert_eq!(json.get("what").and_then(Json::as_str), Some("document"));
    let fact = |name: &str| json.get("facts")?.get(name)?.as_str();
    assert_eq!(fact("version"), Some("2"));
    let payload = json.get("digests").and_then(|d| d.get("payload")).unwrap();
    let hex: Digest = payload.get("hex").and_then(Json::as_str).unwrap().parse().unwrap();
    assert_eq!(payload.get("words").and_then(Json::as_str), Some(&*hex.words().join(" ")));
}

#[test]
fn a_records_own_files_are_explained() {
    let folder = folder("record");
    let trust = record(&folder);
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let text = words(&keyrite(&["show", &path("trust.json")]));
    assert!(text.contains("REHEARSAL") && text.contains(&trust.trust().id.to_string()), "{text}");
    let limits = fs::read_dir(folder.join("limits")).unwrap().next().unwrap().unwrap().path();
    let text = words(&keyrite(&["show", limits.to_str().unwrap()]));
    assert!(text.contains("threshold-floor = 2"), "{text}");
    let looser = fs::read_to_string(&limits).unwrap().replace("spare-keys        = 1", "spare-keys = 0");
    fs::write(path("looser.toml"), looser).unwrap();
    let text = words(&keyrite(&["show", &path("looser.toml"), "--against", limits.to_str().unwrap()]));
    assert!(text.contains("spare keys 1 becomes 0: looser"), "{text}");
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies/first-day/04-root.toml");
    let text = words(&keyrite(&["show", runbook.to_str().unwrap()]));
    assert!(text.contains("kind create-root") && text.contains("keyrite plan"), "{text}");
}

#[test]
fn what_keyrite_does_not_know_is_refused_by_name() {
    let folder = folder("unknown");
    for (name, content) in [
        ("a.json", "{\"a\":1}"),
        ("b.txt", "hello"),
        ("c.bin", "\u{0}"),
        ("d.pem", "-----BEGIN X-----\nAAAA\n-----END X-----\n"),
    ] {
        let file = folder.join(name);
        fs::write(&file, content).unwrap();
        let output = keyrite(&["show", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("SHOW-UNKNOWN"), "{name}");
    }
    let output = keyrite(&["show", "no-such-file"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("MEDIA-READ"));
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let help = String::from_utf8(keyrite(&["--help"]).stdout).unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = keyrite(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        for command in ["rehearse", "init", "run", "sign", "developer", "sign-snapshot", "completions"] {
            assert!(help.contains(command) && script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn a_copy_is_handed_out_and_taken_in_again() {
    let (here, there, medium) = (folder("here"), folder("there"), folder("medium"));
    let trust = record(&here);
    fs::remove_dir_all(&there).unwrap();
    let at = |folder: &Path| folder.to_string_lossy().into_owned();
    let output = keyrite(&["-C", &at(&here), "export", &at(&medium)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = words(&output);
    assert!(text.contains(&trust.trust().id.to_string()) && text.contains("keyrite import"), "{text}");
    let output = keyrite(&["-C", &at(&medium), "import", &at(&here)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(words(&output).contains("in the record before"), "{}", words(&output));
    // A file that is none of a record's stays and is named.
    fs::write(here.join("stranger\u{1b}[31m.txt"), "x").unwrap();
    let output = keyrite(&["--json", "-C", &at(&medium), "import", &at(&here)]);
    assert!(output.status.success());
    assert!(!output.stdout.contains(&0x1b));
    // Where nothing is good the exit code says so, and the report is not lost.
    let bad = folder("bad");
    fs::write(bad.join("stranger.txt"), "x").unwrap();
    let output = keyrite(&["-C", &at(&medium), "import", &at(&bad)]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("stranger.txt"), "{}", words(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was taken"), "{output:?}");
    // An empty folder is no medium.
    let empty = folder("empty");
    let output = keyrite(&["-C", &at(&medium), "import", &at(&empty)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("IMPORT-EMPTY"));
}

#[test]
fn every_kind_of_file_of_a_rehearsal_is_explained() {
    let folder = folder("rehearsal");
    let at = |path: &str| folder.join(path).to_string_lossy().into_owned();
    let output = keyrite(&["rehearse", "--into", &at("r")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // folder, start of the file's name, what must be said; the first such file.
    let table: &[(&str, &str, &[&str])] = &[
        ("keys/root-a", "", &["The key root-a of ada", "possession proved", "The record uses it"]),
        ("statements", "", &["statement", "signature verifies", "It acts in the record"]),
        (
            "metadata/root",
            "1.",
            &["by its own keys: 2 must sign, 3 have: enough", "root-b of bruno has signed"],
        ),
        ("metadata/targets", "2.", &["camera-station", "dev-dana of dana", "lists: 1 must sign, 1 have"]),
        ("transcripts", "000000", &["Entry 0 of a transcript: begin", "proves nothing alone"]),
        ("uploads", "MANIFEST", &["REHEARSAL", "targets.json, targets", "README.txt"]),
        ("changes", "change.json", &["REHEARSAL", "state sealed", "In the proposer's words"]),
        ("changes", "runbook.toml", &["Runbook:"]),
        ("changes", "0.payload.json", &["not signed yet"]),
    ];
    for (place, start, said) in table {
        let file = first(&folder.join("r/record").join(place), start);
        let output = keyrite(&["show", file.to_str().unwrap()]);
        assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
        let text = words(&output);
        for part in *said {
            assert!(text.contains(part), "{}: {part}\n{text}", file.display());
        }
    }
    // What a change that is sealed by now changed then.
    let granted = changes(&folder.join("r/record"), "grant-delegation");
    let text = words(&keyrite(&["show", granted.to_str().unwrap()]));
    for part in [
        "targets: version 1 becomes 2",
        "delegation targets/camera-station: granted",
        "asks targets-1 of uma",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("keyrite sign"), "{text}");
    let files = fs::read_dir(folder.join("r/incoming")).unwrap().map(|e| e.unwrap().path());
    for file in files {
        let output = keyrite(&["-C", &at("r/record"), "show", file.to_str().unwrap()]);
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    let key = first(&folder.join("r/tokens"), "root-a");
    let text = words(&keyrite(&["-C", &at("r/record"), "show", key.to_str().unwrap()]));
    assert!(text.contains("A private key, encrypted") && text.contains("root-a of ada"), "{text}");
    // Altered by one digit, the change's payload is no longer its own.
    let payload = first(&folder.join("r/record/changes"), "0.payload.json");
    let altered = fs::read_to_string(&payload).unwrap().replacen("\"version\":", "\"version\":1", 1);
    fs::write(&payload, altered).unwrap();
    let output = keyrite(&["show", payload.with_file_name("change.json").to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("CHANGE-PAYLOAD"), "{output:?}");
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// The first file beneath a folder whose name starts so.
fn first(folder: &Path, start: &str) -> PathBuf {
    let mut all = Vec::new();
    walk(folder, &mut all);
    all.sort();
    let named = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(start);
    all.iter().find(named).unwrap_or_else(|| panic!("no {start} in {}", folder.display())).clone()
}

/// The `change.json` of that kind.
fn changes(record: &Path, kind: &str) -> PathBuf {
    let mut all = Vec::new();
    walk(&record.join("changes"), &mut all);
    let is = |path: &&PathBuf| {
        path.ends_with("change.json")
            && fs::read_to_string(path).unwrap().contains(&format!("\"kind\":\"{kind}\""))
    };
    all.iter().find(is).unwrap().clone()
}
