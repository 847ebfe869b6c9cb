//! Quirks: what real writers do otherwise is read, named, and counts exactly if it verifies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;

use keyrite::tuf::document::{Document, PathRule};
use keyrite::tuf::evidence::Verified;
use keyrite::tuf::json::{Json, Members, object};
use keyrite::tuf::make;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::threshold::tally;
use keyrite::tuf::wire::{Envelope, Quirk, parse};
use made::{at, entry, file, json, letter, root, signed_as};
use std::collections::BTreeSet;

fn list(items: &[&str]) -> Json {
    Json::Array(items.iter().map(|i| (*i).into()).collect())
}

/// A `signed` part with one thing changed.
fn spoiled(base: &Json, path: &[&str], value: Json) -> Json {
    let mut json = base.clone();
    *at(&mut json, path) = value;
    json
}

fn without(base: &Json, path: &[&str], member: &str) -> Json {
    let mut json = base.clone();
    let Json::Object(members) = at(&mut json, path) else { panic!() };
    members.remove(member).unwrap();
    json
}

fn tuf_root() -> Json {
    json(&root(1, 1, "a"))
}

fn id(c: char) -> String {
    entry(Profile::Tuf, c).id.as_str().to_owned()
}

fn tuf_targets(delegations: Json) -> Json {
    let payload = make::targets(Profile::Tuf, &RoleName::Targets, 1, made::expires(), None, &[]).unwrap();
    spoiled(&json(&payload), &["delegations"], delegations)
}

fn delegations(role: Json) -> Json {
    let keys = Members::from([(id('d'), entry(Profile::Tuf, 'd').entry)]);
    object([("keys", keys.into()), ("roles", Json::Array(vec![role]))])
}

fn delegation(more: &[(&str, Json)]) -> Json {
    let mut role = object([("keyids", list(&[&id('d')])), ("name", "app".into()), ("threshold", 1.into())]);
    for (name, value) in more {
        *at(&mut role, &[name]) = value.clone();
    }
    role
}

/// Every quirk, a document that has it, and the role it is of.
fn table() -> Vec<(Quirk, RoleName, Json)> {
    let root = tuf_root();
    let a = id('a');
    let roles = ["roles", "root", "keyids"];
    let mut with_point = root.clone();
    let point = base16ct::lower::encode_string(&letter('B').public().raw().unwrap());
    *at(&mut with_point, &["keys", "b"]) = object([
        ("keytype", "ecdsa".into()),
        ("keyval", object([("public", point.into())])),
        ("scheme", "ecdsa-sha2-nistp256".into()),
    ]);
    let mut with_curve = root.clone();
    let mut curve = entry(Profile::Tuf, 'B').entry;
    *at(&mut curve, &["keytype"]) = "ecdsa-sha2-nistp256".into();
    *at(&mut with_curve, &["keys", "b"]) = curve;
    let sphincs = object([
        ("keytype", "sphincs".into()),
        ("keyval", object([("public", "00".into())])),
        ("scheme", "sphincs-shake-128s".into()),
    ]);
    let snapshot = object([
        ("_type", "snapshot".into()),
        ("expires", "2030-01-01T00:00:00Z".into()),
        ("meta", object([("targets.json", object([("version", 1.into())]))])),
        ("spec_version", "1.0.34".into()),
        ("version", 1.into()),
    ]);
    let bins = object([
        ("keys", Members::from([(id('d'), entry(Profile::Tuf, 'd').entry)]).into()),
        (
            "succinct_roles",
            object([
                ("bit_length", 4.into()),
                ("keyids", list(&[&id('d')])),
                ("name_prefix", "bin".into()),
                ("threshold", 1.into()),
            ]),
        ),
    ]);
    let extra = object([("keyids", list(&[&a])), ("threshold", 1.into())]);
    vec![
        (Quirk::DateForm, RoleName::Root, spoiled(&root, &["expires"], "2030-01-01T02:00:00.5+02:00".into())),
        (Quirk::KeyIdDiffers, RoleName::Root, spoiled(&root, &["keys", "b"], entry(Profile::Tuf, 'b').entry)),
        (Quirk::KeyTwice, RoleName::Root, spoiled(&root, &["keys", "b"], entry(Profile::Tuf, 'a').entry)),
        (Quirk::KeyUnknown, RoleName::Root, spoiled(&root, &["keys", "b"], sphincs)),
        (Quirk::KeyHexPoint, RoleName::Root, with_point),
        (Quirk::KeyTypeCurve, RoleName::Root, with_curve),
        (Quirk::MemberUnknown, RoleName::Root, spoiled(&root, &["x-tuf-on-ci"], Json::Null)),
        (Quirk::RoleExtra, RoleName::Root, spoiled(&root, &["roles", "mirrors"], extra)),
        (Quirk::RoleKeyTwice, RoleName::Root, spoiled(&root, &roles, list(&[&a, &a]))),
        (Quirk::RoleKeyMissing, RoleName::Root, spoiled(&root, &roles, list(&[&a, "nowhere"]))),
        (
            Quirk::ThresholdUnreachable,
            RoleName::Root,
            spoiled(&root, &["roles", "targets", "threshold"], 2.into()),
        ),
        (
            Quirk::Terminating,
            RoleName::Targets,
            tuf_targets(delegations(delegation(&[("paths", list(&["a/*"])), ("terminating", true.into())]))),
        ),
        (
            Quirk::HashPrefixes,
            RoleName::Targets,
            tuf_targets(delegations(delegation(&[("path_hash_prefixes", list(&["0", "1"]))]))),
        ),
        (Quirk::SuccinctRoles, RoleName::Targets, tuf_targets(bins)),
        (Quirk::MetaPartial, RoleName::Snapshot, snapshot),
        (Quirk::SpecVersionMissing, RoleName::Root, without(&root, &[], "spec_version")),
    ]
}

/// Signed by `a`, whoever it is that lists the role.
fn envelope(role: &RoleName, signed: &Json) -> Envelope {
    let signature = signed_as(Profile::Tuf, &signed.canonical(), &id('a'), &letter('a'));
    parse(Profile::Tuf, role, &file(signed, vec![signature])).unwrap()
}

#[test]
fn every_quirk_is_named_and_changes_no_verdict() {
    let listing = root(1, 1, "a");
    let view = listing.document().as_root().unwrap();
    let mut seen = BTreeSet::new();
    for (quirk, role, signed) in table() {
        let envelope = envelope(&role, &signed);
        assert!(envelope.quirks().contains(&quirk), "{quirk}: {:?}", envelope.quirks());
        // The bytes verify over what was received, and whoever lists the key counts it.
        let tally =
            tally(&view.keys, &view.roles[&RoleName::Root], envelope.payload(), &Verified::new(&envelope));
        assert!(tally.met(), "{quirk}");
        seen.insert(quirk);
    }
    // Those of signatures, which are outside what is signed.
    let root = tuf_root();
    let good = signed_as(Profile::Tuf, &root.canonical(), &id('a'), &letter('a'));
    let other = |sig: &str| object([("keyid", id('b').as_str().into()), ("sig", sig.into())]);
    for (quirk, more) in [
        (Quirk::SignatureEmpty, other("")),
        (Quirk::SignatureForm, other("no hexadecimal")),
        (Quirk::SignatureTwice, good.clone()),
    ] {
        for signatures in [vec![good.clone(), more.clone()], vec![more.clone(), good.clone()]] {
            let envelope = parse(Profile::Tuf, &RoleName::Root, &file(&root, signatures)).unwrap();
            assert_eq!(envelope.quirks(), &[quirk]);
            let tally = tally(
                &view.keys,
                &view.roles[&RoleName::Root],
                envelope.payload(),
                &Verified::new(&envelope),
            );
            assert_eq!(tally.signed.len(), 1, "{quirk}");
            seen.insert(quirk);
        }
    }
    assert_eq!(seen, Quirk::ALL.into_iter().collect());
    let names: BTreeSet<_> = Quirk::ALL.iter().map(|q| q.name()).collect();
    assert_eq!(names.len(), Quirk::ALL.len());
    assert!(Quirk::ALL.is_sorted());
}

#[test]
fn what_keyrite_makes_has_no_quirk() {
    for profile in [Profile::Tuf, Profile::Notary] {
        let payload = make::targets(profile, &RoleName::Targets, 1, made::expires(), None, &[]).unwrap();
        let envelope = made::signed(&payload, "ab");
        assert_eq!(envelope.quirks(), &[] as &[Quirk]);
    }
}

#[test]
fn what_others_delegate_is_resolved() {
    let [.., terminating, prefixes, bins, _, _] = &table()[..] else { panic!() };
    let view = |(_, role, signed): &(Quirk, RoleName, Json)| match envelope(role, signed).payload().document()
    {
        Document::Targets(targets) => targets.delegations.clone(),
        _ => panic!(),
    };
    let app = RoleName::from_name("app");
    assert_eq!(view(terminating).roles_for("a/b"), [(app.clone(), true)]);
    assert_eq!(view(terminating).roles_for("a/b/c"), []);
    // The first digit of the SHA-256 of these two paths is 0, and neither 0 nor 1.
    assert!(matches!(view(prefixes).roles[0].paths, PathRule::HashPrefixes(_)));
    assert_eq!(view(prefixes).roles_for("path-14"), [(app, false)]);
    assert_eq!(view(prefixes).roles_for("path-0"), []);
    let bins = view(bins);
    assert_eq!(bins.roles_for("path-14"), [(RoleName::from_name("bin-0"), true)]);
    assert!(bins.signers_of(&RoleName::from_name("bin-f")).is_some());
    for name in ["bin-10", "bin-F", "bin-", "bin-g", "bin", "bin-00", "other-0"] {
        assert!(bins.signers_of(&RoleName::from_name(name)).is_none(), "{name}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_by_name() {
    let root = tuf_root();
    let both = delegation(&[("paths", list(&["a"])), ("path_hash_prefixes", list(&["0"]))]);
    let twice = object([
        ("keys", Members::new().into()),
        ("roles", Json::Array(vec![delegation(&[]), delegation(&[])])),
    ]);
    let top = delegation(&[("name", "root".into())]);
    let targets = |delegations: Json| (RoleName::Targets, tuf_targets(delegations));
    let of_root = |path: &[&str], value: Json| (RoleName::Root, spoiled(&root, path, value));
    let table: Vec<(&str, (RoleName, Json), &str)> = vec![
        ("another type", of_root(&["_type"], "targets".into()), "DOCUMENT-TYPE"),
        ("Notary's type", of_root(&["_type"], "Root".into()), "DOCUMENT-TYPE"),
        ("no type", (RoleName::Root, without(&root, &[], "_type")), "DOCUMENT-FORM"),
        ("version 0", of_root(&["version"], 0.into()), "DOCUMENT-FORM"),
        ("version -1", of_root(&["version"], (-1).into()), "DOCUMENT-FORM"),
        ("version as text", of_root(&["version"], "1".into()), "DOCUMENT-FORM"),
        ("a later specification", of_root(&["spec_version"], "2.0".into()), "SPEC-VERSION"),
        ("spec_version 10", of_root(&["spec_version"], "10.0.0".into()), "SPEC-VERSION"),
        ("no date", of_root(&["expires"], "tomorrow".into()), "DATE"),
        ("a lower-case date", of_root(&["expires"], "2030-01-01t00:00:00z".into()), "DATE"),
        ("threshold 0", of_root(&["roles", "root", "threshold"], 0.into()), "THRESHOLD-RANGE"),
        ("threshold -1", of_root(&["roles", "root", "threshold"], (-1).into()), "DOCUMENT-FORM"),
        ("a role missing", (RoleName::Root, without(&root, &["roles"], "timestamp")), "DOCUMENT-FORM"),
        ("key ids as text", of_root(&["roles", "root", "keyids"], "a".into()), "DOCUMENT-FORM"),
        ("roles as a list", of_root(&["roles"], list(&[])), "DOCUMENT-FORM"),
        ("paths two ways", targets(delegations(both)), "DOCUMENT-FORM"),
        ("a delegation twice", targets(twice), "DOCUMENT-FORM"),
        ("a top-level delegation", targets(delegations(top)), "DOCUMENT-FORM"),
    ];
    for (name, (role, signed), expected) in table {
        let refused = parse(Profile::Tuf, &role, &file(&signed, vec![])).unwrap_err();
        assert_eq!(refused.rule().name, expected, "{name}: {refused}");
    }
    let empty = RoleName::Root;
    for (name, bytes) in [
        ("an equal member", &b"{\"signed\":{},\"signed\":{},\"signatures\":[]}"[..]),
        ("trailing bytes", b"{\"signed\":{},\"signatures\":[]}{}"),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("a float", b"{\"signed\":{\"version\":1.0},\"signatures\":[]}"),
    ] {
        assert_eq!(parse(Profile::Tuf, &empty, bytes).unwrap_err().rule().name, "JSON", "{name}");
    }
    for bytes in
        [&b"[]"[..], b"{}", b"{\"signed\":[],\"signatures\":[]}", b"{\"signed\":{},\"signatures\":[1]}"]
    {
        assert_eq!(parse(Profile::Tuf, &empty, bytes).unwrap_err().rule().name, "DOCUMENT-FORM");
    }
}
