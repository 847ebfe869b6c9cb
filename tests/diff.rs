//! The difference in words: what people read before they confirm, line by line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;
use keyrite::tuf::diff::words;
use keyrite::tuf::document::{MetaFile, PathRule, TargetFile};
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::key::KeyIdentity;
use keyrite::tuf::make::{self, Grant, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire::parse;
use made::{at, entry, expires, file, json, letter, role, root, root_spec};

/// The record knows the keys `a` to `t`, under the name of their letter.
fn name(identity: KeyIdentity) -> Option<String> {
    let known = ('a'..='t').find(|c| letter(*c).public().identity() == identity);
    known.map(|c| format!("key-{c}"))
}

fn key(c: char) -> String {
    let identity = letter(c).public().identity().to_string();
    if c <= 't' {
        format!("key-{c} (Ed25519, {}...)", &identity[..16])
    } else {
        format!("a key that the record doesn't know (Ed25519, {identity})")
    }
}

fn same(found: &[String], expected: &[String]) {
    assert_eq!(found.join("\n"), expected.join("\n"));
}

#[test]
fn a_first_root_says_all_it_holds() {
    let expected = [
        "root: version 1, nothing before it".to_owned(),
        "root: valid until 2030-01-01T00:00:00Z".to_owned(),
        format!("role root: 2 of 3 keys must sign: {}, {}, {}", key('a'), key('b'), key('c')),
        format!("role targets: 1 of 1 key must sign: {}", key('t')),
        format!("role snapshot: 1 of 1 key must sign: {}", key('s')),
        format!("role timestamp: 1 of 1 key must sign: {}", key('z')),
    ];
    same(&words(None, &root(1, 2, "abc"), &name), &expected);
}

#[test]
fn a_rotation_says_who_comes_and_goes() {
    let mut spec = root_spec(5, 3, "abd");
    spec.expires = made::time("2031-01-01T00:00:00Z");
    spec.targets = role(Profile::Tuf, 1, "u");
    let next = make::root(Profile::Tuf, &spec, None).unwrap();
    let expected = [
        "root: version 4 becomes 5".to_owned(),
        "root: valid until 2031-01-01T00:00:00Z (was 2030-01-01T00:00:00Z)".to_owned(),
        "role root: 3 of 3 keys must sign (was 2 of 3 keys)".to_owned(),
        format!("role root: adds {}", key('d')),
        format!("role root: removes {}", key('c')),
        format!("role targets: adds {}", key('u')),
        format!("role targets: removes {}", key('t')),
    ];
    same(&words(Some(&root(4, 2, "abc")), &next, &name), &expected);
    let renewed = words(Some(&root(4, 2, "abc")), &root(5, 2, "abc"), &name);
    let expected = ["root: version 4 becomes 5", "root: valid until 2030-01-01T00:00:00Z, as before"];
    same(&renewed, &expected.map(str::to_owned));
}

#[test]
fn a_key_in_another_certificate_is_the_same_key() {
    let spec = |serial| {
        let mut spec = made::notary_root_spec(u64::from(serial), 1, "A");
        spec.root.keys = vec![made::certified('A', serial)];
        make::root(Profile::Notary, &spec, None).unwrap()
    };
    let lines = words(Some(&spec(1)), &spec(2), &|_| Some("root-a".to_owned()));
    assert_eq!(lines.len(), 3);
    assert!(lines[2].starts_with("role root: root-a (ECDSA P-256, "), "{}", lines[2]);
    assert!(lines[2].ends_with("...) under another id or certificate"), "{}", lines[2]);
}

fn grant(name: &str, letters: &str, paths: &[&str], terminating: bool) -> TargetsEdit {
    TargetsEdit::Grant(Grant {
        role: RoleName::from_name(name),
        keys: role(Profile::Tuf, 1, letters),
        paths: PathRule::Patterns(paths.iter().map(|p| (*p).to_owned()).collect()),
        terminating,
    })
}

fn put(path: &str, byte: u8, custom: Option<Json>) -> TargetsEdit {
    let hashes = Hashes::from([("sha256".to_owned(), vec![byte; 2])]);
    TargetsEdit::PutTarget { path: path.to_owned(), file: TargetFile { length: 5, hashes, custom } }
}

fn targets(version: u64, base: Option<&MetadataPayload>, edits: &[TargetsEdit]) -> MetadataPayload {
    make::targets(Profile::Tuf, &RoleName::Targets, version, expires(), base, edits).unwrap()
}

#[test]
fn grants_revocations_and_targets_are_told() {
    let first = targets(
        1,
        None,
        &[
            grant("camera", "d", &["camera/*"], false),
            grant("door", "e", &["door/*", "gate/?"], true),
            put("a", 1, None),
            put("b", 2, None),
        ],
    );
    let expected = [
        "targets: version 1, nothing before it".to_owned(),
        "targets: valid until 2030-01-01T00:00:00Z".to_owned(),
        "target a: added, 5 bytes, sha256 0101".to_owned(),
        "target b: added, 5 bytes, sha256 0202".to_owned(),
        "delegation camera: granted, for paths like \"camera/*\"".to_owned(),
        format!("delegation camera: 1 of 1 key must sign: {}", key('d')),
        "delegation door: granted, for paths like \"door/*\", \"gate/?\", and the search ends there"
            .to_owned(),
        format!("delegation door: 1 of 1 key must sign: {}", key('e')),
    ];
    same(&words(None, &first, &name), &expected);

    let edits = [
        grant("camera", "df", &["cam/*"], false),
        TargetsEdit::Revoke(RoleName::from_name("door")),
        put("a", 3, Some(object([("beta", true.into())]))),
        TargetsEdit::RemoveTarget("b".to_owned()),
    ];
    let second = targets(2, Some(&first), &edits);
    let expected = [
        "targets: version 1 becomes 2".to_owned(),
        "targets: valid until 2030-01-01T00:00:00Z, as before".to_owned(),
        "target a: now 5 bytes, sha256 0303, custom {\"beta\":true} (was 5 bytes, sha256 0101)".to_owned(),
        "target b: removed".to_owned(),
        "delegation camera: now for paths like \"cam/*\" (was for paths like \"camera/*\")".to_owned(),
        "delegation camera: 1 of 2 keys must sign (was 1 of 1 key)".to_owned(),
        format!("delegation camera: adds {}", key('f')),
        "delegation door: revoked, it was for paths like \"door/*\", \"gate/?\", and the search ends there"
            .to_owned(),
    ];
    same(&words(Some(&first), &second, &name), &expected);
}

#[test]
fn backend_documents_are_told() {
    let meta = |version, byte| MetaFile {
        version: Some(version),
        length: Some(7),
        hashes: Hashes::from([("sha256".to_owned(), vec![byte])]),
    };
    let of = |version, entries: &[(&str, MetaFile)]| {
        let meta = entries.iter().map(|(name, file)| (RoleName::from_name(name), file.clone())).collect();
        make::snapshot(Profile::Tuf, version, expires(), &meta).unwrap()
    };
    let first =
        of(1, &[("targets", meta(1, 1)), ("camera", MetaFile { version: Some(1), ..MetaFile::default() })]);
    let second = of(2, &[("targets", meta(2, 2)), ("door", meta(1, 3))]);
    let expected = [
        "snapshot: version 1 becomes 2",
        "snapshot: valid until 2030-01-01T00:00:00Z, as before",
        "meta targets: version 2, 7 bytes, sha256 02 (was version 1, 7 bytes, sha256 01)",
        "meta door: version 1, 7 bytes, sha256 03",
        "meta camera: removed",
    ];
    same(&words(Some(&first), &second, &name), &expected.map(str::to_owned));
    let timestamp = |version, snapshot| make::timestamp(Profile::Tuf, version, expires(), &snapshot).unwrap();
    let lines = words(Some(&timestamp(1, meta(1, 1))), &timestamp(2, meta(2, 2)), &name);
    assert_eq!(lines[2], "meta snapshot: version 2, 7 bytes, sha256 02 (was version 1, 7 bytes, sha256 01)");
}

/// Every leaf that can differ makes a line, known to keyrite or not, and none reaches a screen raw.
#[test]
fn nothing_that_differs_is_left_out() {
    let base = targets(
        1,
        None,
        &[grant("camera", "de", &["camera/*"], false), grant("door", "f", &["*"], false), put("a", 1, None)],
    );
    let spoil = |path: &[&str], value: Json| {
        let mut json = json(&base);
        *at(&mut json, path) = value;
        parse(Profile::Tuf, &RoleName::Targets, &file(&json, vec![])).unwrap().payload().clone()
    };
    let ids = |letters: &str| {
        Json::Array(letters.chars().map(|c| entry(Profile::Tuf, c).id.as_str().into()).collect())
    };
    let roles = json(&base);
    let Some(Json::Array(roles)) = roles.get("delegations").and_then(|d| d.get("roles")) else { panic!() };
    let turned = Json::Array(roles.iter().rev().cloned().collect());
    let d = entry(Profile::Tuf, 'd').id;
    let x = entry(Profile::Tuf, 'x');
    let table: Vec<(Vec<&str>, Json, String)> = vec![
        (vec!["spec_version"], "1.0.0".into(), "targets: specification 1.0.0 (was 1.0.34)".to_owned()),
        (vec!["x-\u{1b}[2J"], 1.into(), "member x-\\u{1b}[2J, unknown to keyrite: 1".to_owned()),
        (
            vec!["targets", "a", "x"],
            "\u{202e}".into(),
            "target a: member x, unknown to keyrite: \"\\u{202e}\"".to_owned(),
        ),
        (vec!["delegations", "x"], 1.into(), "delegations: member x, unknown to keyrite: 1".to_owned()),
        (
            vec!["delegations", "roles", "0", "x"],
            1.into(),
            "delegation camera: member x, unknown to keyrite: 1".to_owned(),
        ),
        (
            vec!["delegations", "roles"],
            turned,
            "delegations: searched in another order, now door, camera".to_owned(),
        ),
        (
            vec!["delegations", "roles", "0", "keyids"],
            ids("ed"),
            "delegation camera: lists its keys in another order".to_owned(),
        ),
        (
            vec!["delegations", "roles", "0", "threshold"],
            2.into(),
            "delegation camera: 2 of 2 keys must sign (was 1 of 2 keys)".to_owned(),
        ),
        (
            vec!["delegations", "keys", x.id.as_str()],
            x.entry.clone(),
            format!("keys: holds {}, which no role lists", key('x')),
        ),
        (
            vec!["delegations", "keys", d.as_str()],
            x.entry.clone(),
            format!("delegation camera: another key under the id {d}: {}", key('x')),
        ),
        (
            vec!["delegations", "roles", "0", "keyids"],
            ids("dex"),
            format!("delegation camera: adds an id without a key, {}", x.id),
        ),
    ];
    for (path, value, expected) in table {
        let lines = words(Some(&base), &spoil(&path, value), &name);
        assert!(lines.contains(&expected), "{path:?}: {}", lines.join("\n"));
        assert!(lines.iter().all(|l| l.chars().all(|c| c.is_ascii_graphic() || c == ' ')), "{path:?}");
    }
    assert_eq!(words(Some(&base), &base, &name).len(), 2, "the header alone");
}
