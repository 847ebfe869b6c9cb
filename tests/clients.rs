//! Repositories of profile `tuf` as other implementations read them: python-tuf and tough.
//!
//! They are programs of their own, which `scripts/test-deps python tough` brings in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;

use keyrite::tuf::chain::check_root;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{DocumentKey, Keys, MetaFile, PathRule, TargetFile};
use keyrite::tuf::evidence::Assumed;
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile::Tuf;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire::{key_entry, scheme, seal};
use made::keys::TestKey;
use made::{expires, letter, threshold};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `2` is the RSA key, `3` a P-384 key, others as in [`letter`].
fn key(c: char) -> TestKey {
    match c {
        '2' => TestKey::rsa(),
        '3' => TestKey::p384(3),
        c => letter(c),
    }
}

fn entry(c: char) -> DocumentKey {
    key_entry(Tuf, &key(c).public(), None).unwrap()
}

fn role(need: u32, letters: &str) -> RoleSpec {
    RoleSpec { keys: letters.chars().map(entry).collect(), threshold: threshold(need) }
}

fn sealed(payload: &MetadataPayload, letters: &str) -> Vec<u8> {
    let keys: Keys = letters.chars().map(entry).map(|k| (k.id.clone(), k)).collect();
    let signatures: Vec<_> = letters
        .chars()
        .map(key)
        .map(|k| k.signature(scheme(Tuf, &k.public()), &Payload::Metadata(payload.clone())))
        .collect();
    seal(payload, &keys, &signatures).unwrap()
}

fn root(version: u64, need: u32, letters: &str) -> MetadataPayload {
    let spec = RootSpec {
        version,
        expires: expires(),
        root: role(need, letters),
        targets: role(1, "T"),
        snapshot: role(1, "s"),
        timestamp: role(1, "Z"),
    };
    make::root(Tuf, &spec, None).unwrap()
}

fn meta(bytes: &[u8]) -> MetaFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())]);
    MetaFile { version: Some(1), length: Some(bytes.len() as u64), hashes }
}

fn grant(name: &str, letters: &str) -> TargetsEdit {
    TargetsEdit::Grant(Grant {
        role: RoleName::application(Tuf, name, None).unwrap(),
        keys: role(1, letters),
        paths: PathRule::Patterns(vec![format!("{name}/*")]),
        terminating: false,
    })
}

/// Writes a repository with two delegations, the first without targets yet.
fn repository(name: &str, roots: &[(MetadataPayload, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    for (root, signers) in roots {
        write(&format!("{}.root.json", root.version()), &sealed(root, signers));
    }
    let hashes = BTreeMap::from([("sha256".to_owned(), vec![7; 32])]);
    let put = TargetsEdit::PutTarget {
        path: "door/firmware-é.bin".to_owned(),
        file: TargetFile { length: 5, hashes, custom: None },
    };
    let targets =
        |role: &RoleName, edits: &[TargetsEdit]| make::targets(Tuf, role, 1, expires(), None, edits).unwrap();
    let app = |name| RoleName::application(Tuf, name, None).unwrap();
    let top = targets(&RoleName::Targets, &[grant("camera", "d"), grant("door", "E2")]);
    let mut listed = BTreeMap::new();
    for (role, payload, signer) in [
        (RoleName::Targets, top, "T"),
        (app("camera"), targets(&app("camera"), &[]), "d"),
        (app("door"), targets(&app("door"), &[put]), "E"),
    ] {
        let bytes = sealed(&payload, signer);
        write(&format!("1.{}.json", role.as_str()), &bytes);
        listed.insert(role, meta(&bytes));
    }
    let snapshot = sealed(&make::snapshot(Tuf, 1, expires(), &listed).unwrap(), "s");
    write("1.snapshot.json", &snapshot);
    let timestamp = make::timestamp(Tuf, 1, expires(), &meta(&snapshot)).unwrap();
    write("timestamp.json", &sealed(&timestamp, "Z"));
    folder
}

fn program(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join(name);
    assert!(program.exists(), "no {}: run scripts/test-deps python tough", program.display());
    program
}

fn python_tuf(folder: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python_tuf_client.py");
    Command::new(program("test-venv/bin/python"))
        .arg(script)
        .arg(folder.join("1.root.json"))
        .arg(folder)
        .args(["--target", "door/firmware-é.bin", "--expect-missing", "camera/a.bin"])
        .output()
        .unwrap()
}

fn tough(folder: &Path) -> Output {
    Command::new(program("standins/tough-client"))
        .args([folder.join("1.root.json").as_path(), folder, Path::new("-")])
        .arg("door/firmware-é.bin")
        .output()
        .unwrap()
}

fn accepted(output: &Output) -> bool {
    output.status.success()
}

#[test]
fn other_clients_accept_what_keyrite_makes() {
    // Name, root versions (threshold, keys, signers), whether tough knows every kind of key.
    type Roots = &'static [(u32, &'static str, &'static str)];
    let table: &[(&str, Roots, bool)] = &[
        ("p256", &[(2, "ABC", "AC")], true),
        ("ed25519", &[(2, "abc", "ab")], true),
        ("rsa", &[(1, "2", "2")], true),
        ("mixed", &[(3, "Ab2", "Ab2")], true),
        ("p384", &[(2, "3A", "3A")], false),
        ("rotated", &[(2, "ABc", "AB"), (2, "Bc2", "cB"), (1, "de", "Bcd")], true),
    ];
    for (name, versions, tough_knows) in table {
        let roots: Vec<_> = versions
            .iter()
            .zip(1..)
            .map(|((need, keys, signers), n)| (root(n, *need, keys), *signers))
            .collect();
        let folder = repository(name, &roots);
        let python = python_tuf(&folder);
        assert!(accepted(&python), "{name}: {}", String::from_utf8_lossy(&python.stderr));
        let seen = String::from_utf8_lossy(&python.stdout).into_owned();
        assert!(seen.contains(&format!("\"root\": {}", versions.len())), "{name}: {seen}");
        if *tough_knows {
            let tough = tough(&folder);
            assert!(accepted(&tough), "{name}: {}", String::from_utf8_lossy(&tough.stderr));
        }
    }
}

#[test]
fn other_clients_judge_a_rotation_as_keyrite_does() {
    // Keys of the second root, who signed it, the verdict; the first is 2 of `abc`.
    let table = [
        ("both-met", "bde", "abd", "ok"),
        ("old-short", "abd", "ad", "ROOT-THRESHOLD-OLD"),
        ("new-short", "def", "abd", "ROOT-THRESHOLD-NEW"),
        ("twice-the-same", "abd", "aad", "ROOT-THRESHOLD-OLD"),
    ];
    for (name, keys, signers, expected) in table {
        let (first, next) = (root(1, 2, "abc"), root(2, 2, keys));
        let planned = Assumed(signers.chars().map(|c| key(c).public().identity()).collect());
        let ours = check_root(Some(&first), &next, &planned);
        assert_eq!(ours.map_or_else(|e| e.rule().name, |()| "ok"), expected, "{name}");
        let folder = repository(name, &[(first, "ab"), (next, signers)]);
        assert_eq!(accepted(&python_tuf(&folder)), expected == "ok", "{name}: python-tuf");
        assert_eq!(accepted(&tough(&folder)), expected == "ok", "{name}: tough");
    }
}
