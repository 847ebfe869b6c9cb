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

mod field;
mod made;

use keyrite::ceremony::gate;
use keyrite::tuf::chain::check_root;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{DocumentKey, Keys, MetaFile, PathRule, TargetFile};
use keyrite::tuf::evidence::Assumed;
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::json::Json;
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile::Tuf;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire::{self, key_entry, scheme, seal};
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
    let hashes = Hashes::from([("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())]);
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
    let sealed: Vec<_> =
        roots.iter().map(|(root, signers)| (root.version(), sealed(root, signers))).collect();
    repository_of(name, &sealed)
}

/// The same with roots as they are.
fn repository_of(name: &str, roots: &[(u64, Vec<u8>)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    for (version, bytes) in roots {
        write(&format!("{version}.root.json"), bytes);
    }
    let hashes = Hashes::from([("sha256".to_owned(), vec![7; 32])]);
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

/// Writes a repository of these roots and documents, each with who signs it, as the online keys of
/// the first root list them.
fn served(name: &str, roots: &[(u64, Vec<u8>)], documents: &[(MetadataPayload, &str)]) -> PathBuf {
    let folder = repository_of(name, roots);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let mut listed = BTreeMap::new();
    for (payload, signers) in documents {
        let (role, version, bytes) = (payload.role(), payload.version(), sealed(payload, signers));
        write(&format!("{version}.{}.json", role.as_str()), &bytes);
        listed.insert(role.clone(), MetaFile { version: Some(version), ..meta(&bytes) });
    }
    let snapshot = sealed(&make::snapshot(Tuf, 1, expires(), &listed).unwrap(), "s");
    write("1.snapshot.json", &snapshot);
    let timestamp = make::timestamp(Tuf, 1, expires(), &meta(&snapshot)).unwrap();
    write("timestamp.json", &sealed(&timestamp, "Z"));
    folder
}

/// Whether a client ends at the newest state: the root of this version, and the target.
fn python_reaches(folder: &Path, root: u64, arguments: &[&str]) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python_tuf_client.py");
    let mut python = Command::new(program("test-venv/bin/python"));
    python.arg(script).arg(folder.join("1.root.json")).arg(folder).args(arguments);
    let run = python.output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap_or_default();
    run.status.success() && seen["roles"]["root"] == root
}

/// The same of tough.
fn tough_reaches(folder: &Path, root: u64) -> bool {
    let run = tough(folder);
    let seen: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap_or_default();
    run.status.success() && seen["root"] == root
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

/// Root 1, root 2 and who signs it; whether python-tuf and tough come from the one to the other.
type Fares<'a> = (&'a str, &'a Vec<u8>, MetadataPayload, &'a str, [bool; 2]);

/// What the gate says of a change is what the clients themselves do with it.
#[test]
fn other_clients_fare_as_the_gate_says() {
    let file = |json: &Json| {
        let by = |c: char| made::signed_as(Tuf, &json.canonical(), entry(c).id.as_str(), &key(c));
        made::file(json, "ab".chars().map(by).collect())
    };
    let first = root(1, 2, "abc");
    let spoiled = |path: &[&str], value: Json| {
        let mut json = made::json(&first);
        *made::at(&mut json, path) = value;
        file(&json)
    };
    let plain = sealed(&first, "ab");
    let twice = {
        let json = made::json(&first);
        let by = |c: char| made::signed_as(Tuf, &json.canonical(), entry(c).id.as_str(), &key(c));
        made::file(&json, "aab".chars().map(by).collect())
    };
    let wide = spoiled(&["x-note"], "x".repeat(600_000).into());
    let wider = spoiled(&["x-note"], "x".repeat(1_100_000).into());
    let other_id = spoiled(&["keys", "b"], entry('b').entry);
    let offset = spoiled(&["expires"], "2030-01-01T02:00:00.5+02:00".into());
    let grown = |from: &[u8], letters: &str| {
        let base = wire::parse(Tuf, &RoleName::Root, from).unwrap();
        let spec = RootSpec {
            version: 2,
            expires: expires(),
            root: role(2, letters),
            targets: role(1, "T"),
            snapshot: role(1, "s"),
            timestamp: role(1, "Z"),
        };
        make::root(Tuf, &spec, Some(base.payload())).unwrap()
    };
    let table: Vec<Fares<'_>> = vec![
        ("gate-well", &plain, root(2, 2, "abd"), "abd", [true, true]),
        ("gate-old-short", &plain, root(2, 2, "def"), "ade", [false, false]),
        ("gate-p384", &plain, root(2, 2, "ab3"), "ab", [true, false]),
        ("gate-600-kb", &plain, grown(&wide, "abc"), "ab", [false, true]),
        ("gate-1100-kb", &plain, grown(&wider, "abc"), "ab", [false, false]),
        ("gate-other-id", &other_id, root(2, 2, "abc"), "ab", [true, false]),
        ("gate-offset", &offset, root(2, 2, "abc"), "ab", [false, false]),
        ("gate-signed-twice", &twice, root(2, 2, "abc"), "ab", [false, false]),
    ];
    for (name, one, two, signers, expected) in table {
        let folder = repository_of(name, &[(1, one.clone()), (2, sealed(&two, signers))]);
        let files = [("root", "1.root.json"), ("targets", "1.targets.json"), ("camera", "1.camera.json")];
        let files = files.map(|(role, file)| {
            wire::parse(Tuf, &RoleName::from_name(role), &fs::read(folder.join(file)).unwrap()).unwrap()
        });
        let facts = field::facts(Tuf, "example", "2026-11-22T12:00:00Z".parse().unwrap(), &files);
        let asked = signers.chars().map(|c| key(c).public()).collect();
        let report = gate::planned(&field::change(&facts, &[(&two, asked)]), &facts).unwrap();
        let comes =
            |client: &str| report.reached.iter().any(|(known, roots)| *known == client && roots.contains(&1));
        assert_eq!([comes("python-tuf"), comes("tough")], expected, "{name}: the gate");
        assert_eq!([accepted(&python_tuf(&folder)), accepted(&tough(&folder))], expected, "{name}");
    }
}

/// Name; what the change makes, with who signs it; what stops it, else `ok`; whether a client comes
/// to the new state, and finds what it should.
type Served<'a> = (&'a str, Vec<(MetadataPayload, &'a str)>, &'a str, bool);

/// Root, targets and delegations that don't fit each other: what the gate stops is what python-tuf and
/// tough can't read; what it lets pass they read. A revocation that nobody signs again is told, and
/// stops nothing, since that is what it is for.
#[test]
fn other_clients_read_what_the_gate_lets_pass_and_nothing_else() {
    let hashes = BTreeMap::from([("sha256".to_owned(), vec![7; 32])]);
    let put = |path: &str| TargetsEdit::PutTarget {
        path: path.to_owned(),
        file: TargetFile { length: 5, hashes: hashes.clone().into(), custom: None },
    };
    let named = |name: &str| RoleName::from_name(name);
    let made = |role: &str, version, edits: &[TargetsEdit]| {
        make::targets(Tuf, &named(role), version, expires(), None, edits).unwrap()
    };
    let door = |need: u32, letters: &str| {
        TargetsEdit::Grant(Grant {
            role: named("door"),
            keys: role(need, letters),
            paths: PathRule::Patterns(vec!["door/*".to_owned()]),
            terminating: false,
        })
    };
    let top = |version, edits: &[TargetsEdit]| made("targets", version, edits);
    let two = |need, letters: &str, targets: &str, expires| {
        let spec = RootSpec {
            version: 2,
            expires,
            root: role(need, letters),
            targets: role(1, targets),
            snapshot: role(1, "s"),
            timestamp: role(1, "Z"),
        };
        make::root(Tuf, &spec, None).unwrap()
    };
    let (first, today) = (root(1, 2, "abc"), "2026-11-22T12:00:00Z".parse().unwrap());
    let ended = "2020-01-01T00:00:00Z".parse().unwrap();
    let base = || {
        vec![
            (top(1, &[grant("camera", "d"), door(1, "E2")]), "T"),
            (made("camera", 1, &[]), "d"),
            (made("door", 1, &[put("door/firmware-é.bin")]), "E"),
        ]
    };
    let camera = || grant("camera", "d");
    let table: Vec<Served<'_>> = vec![
        ("fit-root", vec![(two(2, "abd", "T", expires()), "abd")], "ok", true),
        ("fit-all-keys", vec![(two(2, "def", "T", expires()), "abde")], "ok", true),
        ("fit-expired", vec![(two(2, "abd", "T", ended), "abd")], "CLIENT-LOST", false),
        ("fit-gap", vec![(root(3, 2, "abd"), "abd")], "CLIENT-LOST", false),
        ("fit-targets-alone", vec![(two(2, "abc", "U", expires()), "ab")], "CLIENT-CHILD", false),
        (
            "fit-targets-again",
            vec![(two(2, "abc", "U", expires()), "ab"), (top(2, &[camera(), door(1, "E2")]), "U")],
            "ok",
            true,
        ),
        ("fit-threshold", vec![(top(2, &[camera(), door(2, "E2")]), "T")], "CLIENT-CHILD", false),
        (
            "fit-threshold-met",
            vec![
                (top(2, &[camera(), door(2, "E2")]), "T"),
                (made("door", 2, &[put("door/firmware-é.bin")]), "E2"),
            ],
            "ok",
            true,
        ),
        ("fit-revoked", vec![(top(2, &[camera(), door(1, "2")]), "T")], "told", false),
        (
            "fit-revoked-again",
            vec![
                (top(2, &[camera(), door(1, "2")]), "T"),
                (made("door", 2, &[put("door/firmware-é.bin")]), "2"),
            ],
            "ok",
            true,
        ),
        ("fit-stranger", vec![(made("door", 2, &[put("door/firmware-é.bin")]), "d")], "CLIENT-CHILD", false),
        (
            "fit-no-document",
            vec![(top(2, &[grant("new", "d"), camera(), door(1, "E2")]), "T")],
            "CLIENT-CHILD",
            false,
        ),
    ];
    for (name, change, stops, reached) in table {
        let files: Vec<_> = [(first.clone(), "ab")].into_iter().chain(base()).collect();
        let known: Vec<_> = files
            .iter()
            .map(|(payload, by)| wire::parse(Tuf, payload.role(), &sealed(payload, by)).unwrap())
            .collect();
        let facts = field::facts(Tuf, "example", today, &known);
        let asked: Vec<_> =
            change.iter().map(|(p, by)| (p, by.chars().map(|c| key(c).public()).collect())).collect();
        let report = gate::planned(&field::change(&facts, &asked), &facts).unwrap();
        let told = report.findings.iter().any(|f| !f.stops && f.refusal.rule().name == "CLIENT-CHILD");
        let said = report.check().map_or_else(|e| e.rule().name, |()| if told { "told" } else { "ok" });
        assert_eq!(said, stops, "{name}: {:?}", report.findings);

        let mut documents: BTreeMap<RoleName, (MetadataPayload, &str)> =
            base().into_iter().map(|(p, by)| (p.role().clone(), (p, by))).collect();
        let mut roots = vec![(1, sealed(&first, "ab"))];
        for (payload, by) in change {
            match payload.role() {
                RoleName::Root => roots.push((payload.version(), sealed(&payload, by))),
                other => {
                    documents.insert(other.clone(), (payload, by));
                }
            }
        }
        let newest = roots.last().unwrap().0;
        let documents: Vec<_> = documents.into_values().collect();
        let folder = served(name, &roots, &documents);
        let find = ["--target", "door/firmware-é.bin", "--expect-missing", "new/a.bin"];
        assert_eq!(python_reaches(&folder, newest, &find), reached, "{name}: python-tuf");
        assert_eq!(tough_reaches(&folder, newest), reached, "{name}: tough");
    }
}

/// So many roots behind: who comes at once, who goes on with the next update, and who never does.
#[test]
fn other_clients_take_as_many_roots_as_the_gate_says() {
    const TODAY: &str = "2026-11-22T12:00:00Z";
    let chain: Vec<_> = (1..=1_025).map(|n| (n, sealed(&root(n, 2, "abc"), "ab"))).collect();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients/rotations-cache");
    // Roots in all; whether python-tuf of old, python-tuf and tough come from root 1 in one update.
    for (many, at_once) in [
        (33, [true, true, true]),
        (34, [false, true, true]),
        (257, [false, true, true]),
        (258, [false, false, true]),
        (1_024, [false, false, true]),
        (1_025, [false, false, false]),
    ] {
        let folder = repository_of(&format!("rotations-{many}"), &chain[..many]);
        let newest = many as u64;
        let old = python_reaches(&folder, newest, &["--rotations", "32"]);
        let come = [old, python_reaches(&folder, newest, &[]), tough_reaches(&folder, newest)];
        assert_eq!(come, at_once, "{many}");
        // From the root that came with the program python-tuf never passes its limit: it counts the
        // roots that it has kept. From the kept root alone it goes on, and so did its older releases.
        if many == 258 {
            let _ = fs::remove_dir_all(&cache);
            let keeps = ["--cache", cache.to_str().unwrap()];
            for _ in 0..3 {
                assert!(!python_reaches(&folder, newest, &keeps));
            }
            assert!(python_reaches(&folder, newest, &[&keeps[..], &["--from-cache"]].concat()));
        }
        let names = ["1.targets.json", "1.camera.json"];
        let mut files: Vec<_> =
            chain[..many - 1].iter().map(|(_, bytes)| (RoleName::Root, bytes.clone())).collect();
        files.extend(names.iter().map(|file| {
            (RoleName::from_name(file.split('.').nth(1).unwrap()), fs::read(folder.join(file)).unwrap())
        }));
        let files: Vec<_> =
            files.iter().map(|(role, bytes)| wire::parse(Tuf, role, bytes).unwrap()).collect();
        let mut facts = field::facts(Tuf, "example", TODAY.parse().unwrap(), &files);
        facts.limits.clients = ["python-tuf-32", "tough"].map(|name| name.parse().unwrap()).into();
        let next = root(newest, 2, "abc");
        let asked = "ab".chars().map(|c| key(c).public()).collect();
        let report = gate::planned(&field::change(&facts, &[(&next, asked)]), &facts).unwrap();
        let slow = |client: &str| {
            report.findings.iter().any(|finding| {
                finding.refusal.rule().name == "CLIENT-ROTATIONS"
                    && finding.refusal.found().contains(&format!("({client})"))
            })
        };
        let said = ["python-tuf-32", "python-tuf", "tough"].map(|client| !slow(client));
        assert_eq!(said, at_once, "{many}: the gate: {:?}", report.findings);
        // The old one goes on with the next update; the others never come, and that stops the change.
        assert_eq!(report.check().is_ok(), at_once[1] && at_once[2], "{many}");
    }
}
