//! Documents that keyrite makes, and those that it refuses to make.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;
use keyrite::tuf::document::PathRule;
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::make::{self, Amendment, Grant, RootSpec, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::wire::{self, parse, read_payload};
use made::{
    at, entry, expires, file, grant, json, letter, put, role, root_spec, signed_as, targets, threshold,
};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

fn verdict<T>(result: &Result<T>) -> &'static str {
    result.as_ref().map_or_else(|e| e.rule().name, |_| "ok")
}

#[test]
fn keyrite_makes_no_document_that_it_would_have_to_explain() {
    use Profile::{Notary, Tuf};
    let root = |change: &dyn Fn(&mut RootSpec)| {
        let mut spec = root_spec(1, 2, "abc");
        change(&mut spec);
        make::root(Tuf, &spec, None)
    };
    let notary = |change: &dyn Fn(&mut RootSpec)| {
        let mut spec = made::notary_root_spec(1, 1, "A");
        change(&mut spec);
        make::root(Notary, &spec, None)
    };
    let granted = |profile, edit: &dyn Fn(&mut Grant)| {
        let name = if profile == Tuf { "camera" } else { "targets/camera" };
        let mut grant = grant(profile, name, 1, "de", "camera/");
        edit(&mut grant);
        targets(profile, None, &[TargetsEdit::Grant(grant)])
    };
    let named = |name: &'static str| move |g: &mut Grant| g.role = RoleName::from_name(name);
    let pattern =
        |path: &'static str| move |g: &mut Grant| g.paths = PathRule::Patterns(vec![path.to_owned()]);
    let custom = |text: &str| targets(Notary, None, &[put("a", Some(text.into()))]);
    let table: Vec<(&str, Result<MetadataPayload>, &str)> = vec![
        ("a root", root(&|_| {}), "ok"),
        ("version 0", root(&|s| s.version = 0), "DOCUMENT-FORM"),
        ("version 2^53", root(&|s| s.version = 1 << 53), "ok"),
        ("version 2^53 + 1", root(&|s| s.version = (1 << 53) + 1), "NUMBER"),
        ("version 2^63", root(&|s| s.version = 1 << 63), "NUMBER"),
        ("a threshold above its keys", root(&|s| s.root.threshold = threshold(4)), "THRESHOLD-RANGE"),
        ("a role without keys", root(&|s| s.targets.keys.clear()), "THRESHOLD-RANGE"),
        ("a key twice", root(&|s| s.root = role(Tuf, 2, "aab")), "KEY-DUPLICATE"),
        ("a root key for targets", root(&|s| s.targets = role(Tuf, 1, "a")), "KEY-TWO-ROLES"),
        ("a targets key for snapshot", root(&|s| s.snapshot = role(Tuf, 1, "t")), "KEY-TWO-ROLES"),
        ("one key for both backend roles", root(&|s| s.timestamp = role(Tuf, 1, "s")), "KEY-TWO-ROLES"),
        ("a declared id", root(&|s| s.root.keys[0].id = entry(Tuf, 'x').id), "KEY-ID"),
        ("a Notary root", notary(&|_| {}), "ok"),
        (
            "one key in two certificates",
            notary(&|s| s.root.keys.push(made::certified('A', 2))),
            "KEY-DUPLICATE",
        ),
        ("a Notary root key without one", notary(&|s| s.root = role(Notary, 1, "A")), "KEY-PROFILE"),
        ("an Ed25519 Notary root key", notary(&|s| s.root = role(Notary, 1, "a")), "KEY-PROFILE"),
        ("a grant", granted(Tuf, &|_| {}), "ok"),
        ("a grant in Notary", granted(Notary, &|_| {}), "ok"),
        ("a developer's key twice", granted(Tuf, &|g| g.keys = role(Tuf, 1, "dd")), "KEY-DUPLICATE"),
        (
            "a threshold of three of two",
            granted(Tuf, &|g| g.keys.threshold = threshold(3)),
            "THRESHOLD-RANGE",
        ),
        ("a role that is a path", granted(Tuf, &named("../root")), "ROLE-NAME"),
        ("a role with an escape", granted(Tuf, &named("a\u{1b}[2J")), "TEXT"),
        ("a role within a role", granted(Tuf, &named("targets/camera")), "ok"),
        ("a role that is hidden", granted(Tuf, &named(".a")), "ROLE-NAME"),
        ("a top-level role", granted(Tuf, &named("snapshot")), "DOCUMENT-FORM"),
        ("a Notary role of another tree", granted(Notary, &named("camera")), "ROLE-NAME"),
        ("a Notary role two levels down", granted(Notary, &named("targets/camera/beta")), "ROLE-NAME"),
        ("a Notary role in capitals", granted(Notary, &named("targets/Camera")), "ROLE-NAME"),
        ("brackets", granted(Tuf, &pattern("camera/[ab]*")), "PATHS"),
        ("an absolute pattern", granted(Tuf, &pattern("/camera/*")), "PATHS"),
        ("patterns in Notary", granted(Notary, &pattern("camera/*")), "PATHS"),
        (
            "prefixes in profile tuf",
            granted(Tuf, &|g| g.paths = PathRule::Prefixes(vec!["camera/".to_owned()])),
            "PATHS",
        ),
        ("an end of search", granted(Tuf, &|g| g.terminating = true), "ok"),
        ("an end of search in Notary", granted(Notary, &|g| g.terminating = true), "PATHS"),
        ("a target", targets(Tuf, None, &[put("camera/a.bin", None)]), "ok"),
        ("a target outside", targets(Tuf, None, &[put("../a.bin", None)]), "PATHS"),
        ("an absolute target", targets(Tuf, None, &[put("/a.bin", None)]), "PATHS"),
        ("a target not composed", targets(Tuf, None, &[put("cafe\u{301}", None)]), "TEXT"),
        ("a target that turns round", targets(Tuf, None, &[put("a\u{202e}b", None)]), "TEXT"),
        ("a < in profile tuf", targets(Tuf, None, &[put("a<b", None)]), "ok"),
        ("a < in Notary", targets(Notary, None, &[put("a<b", None)]), "TEXT"),
        ("custom data", custom("x?a=1"), "ok"),
        ("custom data with &", custom("x?a=1&b=2"), "CUSTOM-NOTARY"),
        ("custom data with a quotation mark", custom("a\"b"), "CUSTOM-NOTARY"),
        ("custom data with >", custom("a>b"), "CUSTOM-NOTARY"),
        ("custom data with an escape", custom("a\\b"), "CUSTOM-NOTARY"),
        ("custom data with U+2028", custom("a\u{2028}b"), "CUSTOM-NOTARY"),
        ("custom data with U+2029", custom("a\u{2029}b"), "CUSTOM-NOTARY"),
        ("custom data, 2^53 + 1", targets(Tuf, None, &[put("a", Some(Json::Int((1 << 53) + 1)))]), "NUMBER"),
        ("nothing to revoke", targets(Tuf, None, &[TargetsEdit::Revoke(RoleName::from_name("x"))]), "EDIT"),
        ("nothing to remove", targets(Tuf, None, &[TargetsEdit::RemoveTarget("x".to_owned())]), "EDIT"),
    ];
    for (name, result, expected) in table {
        assert_eq!(verdict(&result), expected, "{name}: {result:?}");
    }
    assert_eq!(verdict(&wire::key_entry(Tuf, &letter('A').public(), Some("x"))), "KEY-PROFILE");
    let pem = made::certificate('A', 1);
    for text in [pem.replace('\n', "\r\n"), pem.trim_end().to_owned(), pem.repeat(2), "x".to_owned()] {
        assert_eq!(verdict(&wire::key_entry(Notary, &letter('A').public(), Some(&text))), "KEY-FORM");
    }
    assert_eq!(verdict(&wire::key_entry(Notary, &letter('B').public(), Some(&pem))), "KEY-FORM");
    let uses = [
        (&RoleName::Root, letter('a').public().identity()),
        (&RoleName::from_name("x"), letter('a').public().identity()),
    ];
    assert_eq!(verdict(&make::separate_roles(uses)), "KEY-TWO-ROLES");
}

#[test]
fn payload_files_are_read_only_as_they_were_made() {
    let payload = make::root(Profile::Tuf, &root_spec(1, 1, "A"), None).unwrap();
    let text = String::from_utf8(payload.bytes().to_vec()).unwrap();
    assert!(text.contains("-----\n"), "PEM line ends are raw in what is signed");
    let with = |from: &str, to: &str| text.replace(from, to).into_bytes();
    let read = |bytes: &[u8]| read_payload(Profile::Tuf, &RoleName::Root, bytes);
    assert_eq!(read(text.as_bytes()).unwrap(), payload);
    let table: &[(&str, Vec<u8>, &str)] = &[
        ("a line end", format!("{text}\n").into_bytes(), "JSON"),
        ("white space", with(",\"version\"", ", \"version\""), "PAYLOAD-FORM"),
        ("an escape", with("-----\n", "-----\\n"), "PAYLOAD-FORM"),
        ("another date form", with("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5Z"), "PAYLOAD-FORM"),
        ("no specification", with("\"spec_version\":\"1.0.34\",", ""), "PAYLOAD-FORM"),
        ("threshold 2 of 1", with("\"threshold\":1", "\"threshold\":2"), "THRESHOLD-RANGE"),
        ("another key id", with(entry(Profile::Tuf, 'A').id.as_str(), &"0".repeat(64)), "KEY-ID"),
        ("another type", with("\"root\",\"consistent", "\"root\""), "JSON"),
    ];
    for (name, bytes, expected) in table {
        assert_eq!(verdict(&read(bytes)), *expected, "{name}");
    }
    assert_eq!(verdict(&read_payload(Profile::Notary, &RoleName::Root, text.as_bytes())), "DOCUMENT-TYPE");
}

#[test]
fn what_a_document_does_not_change_it_keeps() {
    let mut base = json(&make::root(Profile::Tuf, &root_spec(1, 1, "ab"), None).unwrap());
    *at(&mut base, &["x-site"]) = "kept".into();
    *at(&mut base, &["consistent_snapshot"]) = false.into();
    let mirror = entry(Profile::Tuf, 'm');
    *at(&mut base, &["keys", mirror.id.as_str()]) = mirror.entry.clone();
    *at(&mut base, &["roles", "mirrors"]) =
        object([("keyids", Json::Array(vec![mirror.id.as_str().into()])), ("threshold", 1.into())]);
    let envelope = parse(Profile::Tuf, &RoleName::Root, &file(&base, vec![])).unwrap();
    let next = make::root(Profile::Tuf, &root_spec(2, 1, "bc"), Some(envelope.payload())).unwrap();
    let mut made = json(&next);
    assert_eq!(at(&mut made, &["x-site"]).as_str(), Some("kept"));
    let view = next.document().as_root().unwrap();
    assert!(!view.consistent_snapshot && view.roles.len() == 5);
    assert!(view.keys.contains_key(&mirror.id));
    assert!(!view.keys.contains_key(&entry(Profile::Tuf, 'a').id), "a key that nothing lists goes");

    let first = targets(
        Profile::Tuf,
        None,
        &[
            put("camera/a.bin", None),
            TargetsEdit::Grant(grant(Profile::Tuf, "camera", 1, "de", "camera/*")),
            TargetsEdit::Grant(grant(Profile::Tuf, "door", 1, "ef", "door/*")),
        ],
    )
    .unwrap();
    let names = |payload: &MetadataPayload| -> Vec<String> {
        let view = payload.document().as_targets().unwrap();
        view.delegations.roles.iter().map(|r| r.name.to_string()).collect()
    };
    assert_eq!(names(&first), ["camera", "door"]);
    let replaced = TargetsEdit::Grant(grant(Profile::Tuf, "camera", 1, "g", "camera/*"));
    let second = targets(Profile::Tuf, Some(&first), &[replaced]).unwrap();
    assert_eq!(names(&second), ["camera", "door"], "a delegation is replaced in place");
    let kept = |payload: &MetadataPayload, c| {
        payload.document().as_targets().unwrap().delegations.keys.contains_key(&entry(Profile::Tuf, c).id)
    };
    assert_eq!(['d', 'e', 'f', 'g'].map(|c| kept(&second, c)), [false, true, true, true]);
    let third =
        targets(Profile::Tuf, Some(&second), &[TargetsEdit::Revoke(RoleName::from_name("door"))]).unwrap();
    assert_eq!(names(&third), ["camera"]);
    assert_eq!(['e', 'f', 'g'].map(|c| kept(&third, c)), [false, false, true]);
    let view = third.document().as_targets().unwrap();
    assert!(view.targets.contains_key("camera/a.bin"));
    let other = make::snapshot(Profile::Tuf, 1, expires(), &BTreeMap::new()).unwrap();
    assert_eq!(verdict(&targets(Profile::Tuf, Some(&other), &[])), "DOCUMENT-TYPE");
}

/// Go leaves an empty list out (notary-v1 3.3).
#[test]
fn a_notary_delegation_for_no_paths_has_no_list_of_them() {
    let mut grant = grant(Profile::Notary, "targets/camera", 1, "d", "");
    for (paths, written) in [(vec![], false), (vec![String::new()], true)] {
        grant.paths = PathRule::Prefixes(paths);
        let payload = targets(Profile::Notary, None, &[TargetsEdit::Grant(grant.clone())]).unwrap();
        assert_eq!(String::from_utf8_lossy(payload.bytes()).contains("\"paths\""), written);
        let view = payload.document().as_targets().unwrap();
        assert_eq!(view.delegations.roles[0].paths, grant.paths);
    }
}

/// A member that the server would drop makes the collection unreadable, so it isn't kept.
#[test]
fn a_notary_document_keeps_nothing_that_the_server_would_drop() {
    let first = targets(Profile::Notary, None, &[put("a", None)]).unwrap();
    let mut base = json(&first);
    *at(&mut base, &["spec_version"]) = "1.0".into();
    let signature = signed_as(Profile::Notary, &base.canonical(), "t", &letter('t'));
    let envelope = parse(Profile::Notary, &RoleName::Targets, &file(&base, vec![signature])).unwrap();
    assert_eq!(targets(Profile::Notary, Some(envelope.payload()), &[]).unwrap(), first);
}

/// A file is one deeper than what is signed in it, and both are read.
#[test]
fn what_no_file_could_hold_is_not_made() {
    let nested = |n: usize| Json::parse(format!("{}{}", "[".repeat(n), "]".repeat(n)).as_bytes()).unwrap();
    for (deep, expected) in [(28, "ok"), (29, "JSON")] {
        let made = targets(Profile::Tuf, None, &[put("a", Some(nested(deep)))]);
        assert_eq!(verdict(&made), expected, "{deep}");
        let Ok(made) = made else { continue };
        let file = wire::unsigned(&made).unwrap();
        assert!(parse(Profile::Tuf, &RoleName::Targets, file.bytes()).is_ok());
        let again = targets(Profile::Tuf, Some(&made), &[]).unwrap();
        assert!(again.bytes() == made.bytes());
    }
}

/// Of a document by others only what is read of it was asked: what keyrite makes of it is looked at whole.
#[test]
fn what_others_wrote_is_looked_at_before_it_is_made_again() {
    let base = targets(Profile::Tuf, None, &[TargetsEdit::Grant(grant(Profile::Tuf, "app", 1, "D", "x/*"))]);
    let base = String::from_utf8(base.unwrap().bytes().to_vec()).unwrap();
    for (from, to, expected) in [
        ("x/*", "y/*", "ok"),
        ("x/*", "x/\u{202e}*", "TEXT"),
        ("x/*", "x/e\u{301}*", "TEXT"),
        ("x/*", "/x", "PATHS"),
        ("\"app\"", "\"app%\"", "ROLE-NAME"),
        ("\"threshold\":1", "\"threshold\":2", "THRESHOLD-RANGE"),
    ] {
        let signed = base.replace(from, to);
        assert!(from == to || signed != base, "{from}");
        let text = format!("{{\"signatures\":[],\"signed\":{}}}", signed.replace('\n', "\\n"));
        let envelope = parse(Profile::Tuf, &RoleName::Targets, text.as_bytes()).unwrap();
        let made = targets(Profile::Tuf, Some(envelope.payload()), &[]);
        assert_eq!(verdict(&made), expected, "{to}");
        let read = wire::read_payload(Profile::Tuf, &RoleName::Targets, signed.as_bytes());
        assert_eq!(verdict(&read), expected, "{to}");
    }
}

/// So many that two threads read them, by keys whose PEM has line ends: what no edit names stays as
/// it was, byte for byte and as it was read. Whether all of them are in the form that is read quickly, or
/// some have escapes or end the search.
#[test]
fn of_hundreds_of_delegations_only_those_named_change() {
    hundreds_of_delegations(None);
    hundreds_of_delegations(Some(3));
    hundreds_of_delegations(Some(1));
}

fn hundreds_of_delegations(odd: Option<usize>) {
    let all = 700;
    let name = |n: usize| format!("app-{n}");
    let given = |n: usize| {
        let odd = odd.is_some_and(|each| n.is_multiple_of(each));
        let path = format!("app-{n}/{}*", if odd { "\"" } else { "" });
        Grant { terminating: odd && n == 600, ..grant(Profile::Tuf, &name(n), 1, "DE", &path) }
    };
    let grants: Vec<_> = (0..all).map(|n| TargetsEdit::Grant(given(n))).collect();
    let base = targets(Profile::Tuf, None, &grants).unwrap();
    let listed = |payload: &MetadataPayload| payload.document().as_targets().unwrap().delegations.clone();
    let one = |n: usize| RoleName::from_name(&name(n));
    let gone = entry(Profile::Tuf, 'E').id;
    let amend = |n: usize| {
        TargetsEdit::Amend(Amendment {
            role: one(n),
            remove: Arc::new(BTreeSet::from([gone.clone()])),
            add: Vec::new(),
            threshold: None,
            add_paths: vec!["more/*".to_owned()],
        })
    };
    let short = |n: usize, threshold| {
        let TargetsEdit::Amend(amendment) = amend(n) else { panic!() };
        let threshold = NonZeroU32::new(threshold);
        TargetsEdit::Amend(Amendment { add_paths: Vec::new(), threshold, ..amendment })
    };
    let edits = [
        short(12, 0),
        short(13, 1),
        short(650, 1),
        amend(3),
        TargetsEdit::Revoke(one(5)),
        TargetsEdit::Revoke(one(7)),
        TargetsEdit::Grant(given(7)),
        TargetsEdit::Grant(Grant { terminating: true, ..given(9) }),
        amend(650),
        amend(650),
    ];
    let made = targets(Profile::Tuf, Some(&base), &edits).unwrap();

    let order: Vec<_> = (0..all).filter(|n| ![5, 7].contains(n)).chain([7]).map(one).collect();
    let (before, after) = (listed(&base), listed(&made));
    assert_eq!(after.roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>(), order);
    for role in &after.roles {
        let was = before.role(&role.name).unwrap();
        let edited = [3, 9, 12, 13, 650].map(one).contains(&role.name);
        assert_eq!(**role == *was, !edited, "{}", role.name);
        assert_eq!(after.role(&role.name), Some(&**role));
    }
    assert_eq!(after.role(&one(5)), None);
    assert_eq!(*after.role(&one(650)).unwrap().keys.keyids, [entry(Profile::Tuf, 'D').id]);
    assert_eq!(after.keys.len(), 2);
    // The same by hand, on the whole as JSON.
    let mut tree = json(&base);
    let Json::Object(signed) = &mut tree else { panic!() };
    let Some(Json::Object(delegations)) = signed.get_mut("delegations") else { panic!() };
    let Some(Json::Array(roles)) = delegations.get_mut("roles") else { panic!() };
    for n in [3, 12, 13, 650] {
        let Json::Object(role) = &mut roles[n] else { panic!() };
        let Some(Json::Array(ids)) = role.get_mut("keyids") else { panic!() };
        ids.retain(|id| id.as_str() != Some(gone.as_str()));
        let Some(Json::Array(paths)) = role.get_mut("paths") else { panic!() };
        paths.extend([3, 650].contains(&n).then(|| "more/*".into()));
    }
    let Json::Object(role) = &mut roles[9] else { panic!() };
    role.insert("terminating".to_owned(), Json::Bool(true));
    let seventh = roles.remove(7);
    roles.remove(5);
    roles.push(seventh);
    assert!(tree.canonical() == made.bytes());

    // Nothing of it comes from the base that isn't in the bytes.
    let alone = wire::read_payload(Profile::Tuf, &RoleName::Targets, made.bytes()).unwrap();
    assert_eq!(listed(&alone), after);

    // As a file: all of it is read, and what is wrong is told where it is.
    let whole = wire::unsigned(&made).unwrap();
    let again = parse(Profile::Tuf, &RoleName::Targets, whole.bytes()).unwrap();
    assert_eq!(again.payload(), &made);
    assert_eq!(listed(again.payload()), after);
    assert!(again.quirks().contains(&wire::Quirk::Terminating));
    let text = std::str::from_utf8(whole.bytes()).unwrap();
    let spaced = text.replace("\"name\":\"app-690\"", "\"name\" : \"\\u0061pp-690\"");
    let spaced = parse(Profile::Tuf, &RoleName::Targets, spaced.as_bytes()).unwrap();
    assert_eq!(spaced.payload(), &made);
    assert_eq!((listed(spaced.payload()), spaced.quirks()), (after, again.quirks()));
    for (from, to) in [
        ("\"name\":\"app-690\"", "\"name\":6.5"),
        ("\"name\":\"app-690\"", "\"name\":\"a\",\"name\":\"b\""),
        ("\"name\":\"app-2\"", "\"name\":\"\\ud800\""),
    ] {
        let bad = text.replace(from, to);
        let refused = parse(Profile::Tuf, &RoleName::Targets, bad.as_bytes()).unwrap_err();
        let whole = Json::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(refused.rule(), whole.rule());
        assert!(refused.found().ends_with(whole.found()), "{refused}");
    }
    let twice = text.replace("\"name\":\"app-690\"", "\"name\":\"app-2\"");
    let refused = parse(Profile::Tuf, &RoleName::Targets, twice.as_bytes()).unwrap_err();
    assert_eq!(refused.rule().name, "DOCUMENT-FORM");
}
