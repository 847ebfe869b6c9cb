//! The TUF client over repositories that python-tuf made: every kind of key, rotation, role names
//! with slashes, optional members left out, hash bins in both forms.
//!
//! python-tuf comes with `scripts/test-deps python`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use keyrite::tuf::client::{Answer, Caps, Client, Settings, Signatures, State};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs a script of tests/interop, which makes a repository.
fn made(name: &str, script: &str, arguments: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join("client-others").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let python = target.parent().unwrap().join("test-venv/bin/python");
    assert!(python.exists(), "no {}: run scripts/test-deps python", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let run = Command::new(python).arg(script).arg(&folder).args(arguments).output().unwrap();
    assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    folder
}

fn client(folder: &Path) -> Client<Signatures> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = Time::from_unix(i64::try_from(seconds).unwrap()).unwrap();
    let settings = Settings { now, caps: Caps::TUF, collection: String::new(), pins: BTreeSet::new() };
    let root = State::first(fs::read(folder.join("root.json")).unwrap());
    Client::new(Profile::Tuf, settings, root, Signatures).unwrap()
}

fn serve(client: &mut Client<Signatures>, folder: &Path) -> Result<usize> {
    let mut asked = 0usize;
    while let Some(want) = client.want() {
        asked = asked.saturating_add(1);
        match fs::read(folder.join("metadata").join(&want.name)) {
            Ok(bytes) => client.feed(&bytes)?,
            Err(_) => client.missing()?,
        }
    }
    Ok(asked)
}

fn role_of(client: &mut Client<Signatures>, folder: &Path, path: &str) -> Option<String> {
    client.look_up(path).unwrap();
    serve(client, folder).unwrap();
    match client.answer() {
        Some(Answer::Found { role, file }) => {
            assert!(file.length > 0);
            Some(role.as_str().to_owned())
        }
        _ => None,
    }
}

#[test]
fn repositories_of_every_kind() {
    for (name, arguments) in [
        ("ed25519", &["--keys", "ed25519"][..]),
        ("ecdsa", &["--keys", "ecdsa"]),
        ("rsa", &["--keys", "rsa"]),
        ("rotated", &["--keys", "mixed", "--rotate"]),
        ("slashes", &["--slashes"]),
    ] {
        let folder = made(name, "make_tuf_repo.py", arguments);
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let mut client = client(&folder);
        serve(&mut client, &folder).unwrap_or_else(|e| panic!("{name}: {e}"));
        let versions = client.outcome().versions;
        assert_eq!(versions.values().next().copied(), expected["root"].as_u64(), "{name}");
        for (path, target) in expected["targets"].as_object().unwrap() {
            let role = role_of(&mut client, &folder, path);
            assert_eq!(role.as_deref(), target["role"].as_str(), "{name}: {path}");
        }
        assert_eq!(role_of(&mut client, &folder, "app1/none.bin"), None, "{name}");
    }
}

#[test]
fn an_expired_repository() {
    let folder = made("expired", "make_tuf_repo.py", &["--expires-in-days", "-1"]);
    assert_eq!(serve(&mut client(&folder), &folder).unwrap_err().rule().name, "EXPIRED");
}

#[test]
fn hash_bins_are_resolved_without_fetching_others() {
    for (name, arguments) in [
        ("succinct-4", &["--bits", "4"][..]),
        ("succinct-7", &["--bits", "7"]),
        ("prefixes-5", &["--bits", "5", "--prefixes"]),
        ("loose-3", &["--bits", "3", "--loose"]),
    ] {
        let folder = made(name, "make_bins.py", arguments);
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let mut client = client(&folder);
        assert_eq!(serve(&mut client, &folder).unwrap(), 4, "{name}");
        for (path, role) in expected.as_object().unwrap() {
            client.look_up(path).unwrap();
            assert!(serve(&mut client, &folder).unwrap() <= 1, "{name}: {path}");
            assert_eq!(role_of(&mut client, &folder, path).as_deref(), role.as_str(), "{name}: {path}");
        }
        assert_eq!(role_of(&mut client, &folder, "app/none.bin"), None, "{name}");
    }
}
