//! What came into targets by no change, and what a change does about it, in words.

use super::world::*;
use crate::ceremony::facts::{Facts, Unmade};
use crate::ceremony::unmade::{Again, came_in, lines};
use crate::tuf::chain::accept;
use crate::tuf::document::TargetFile;
use crate::tuf::evidence::Trusted;
use crate::tuf::json::Json;
use crate::tuf::make::{self, TargetsEdit};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile::Tuf;
use crate::tuf::role::RoleName;
use crate::tuf::wire;
use std::collections::BTreeMap;

const OURS: &str = "\"x-ours\":1,";

/// A targets document that names these files and grants these applications, with this in front.
fn document(version: u64, applications: &str, files: &[&str], more: &str) -> MetadataPayload {
    let base = targets(version, applications);
    let put = |path: &&str| {
        let hashes = BTreeMap::from([("sha256".to_owned(), vec![7; 32])]);
        let file = TargetFile { length: 5, hashes: hashes.into(), custom: None };
        TargetsEdit::PutTarget { path: (*path).to_owned(), file }
    };
    let edits: Vec<_> = files.iter().map(put).collect();
    let until = time("2029-01-01");
    let made = make::targets(Tuf, &RoleName::Targets, version, until, Some(&base), &edits).unwrap();
    with(&made, "{", &format!("{{{more}"))
}

/// The same with another text somewhere.
fn with(payload: &MetadataPayload, from: &str, to: &str) -> MetadataPayload {
    let text = String::from_utf8(payload.bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    let text = text.replacen(from, to, 1);
    let json = Json::parse(text.as_bytes()).unwrap();
    wire::read_payload(Tuf, &RoleName::Targets, &json.canonical()).unwrap()
}

fn trusted(facts: &Facts, payload: &MetadataPayload) -> Trusted {
    let root = facts.roots.last().unwrap();
    accept(root, &RoleName::Targets, envelope(payload, "t"), None).unwrap()
}

/// Targets 2 is ours, targets 3 that of a thief.
fn robbed(ours: &MetadataPayload, theirs: &MetadataPayload) -> Facts {
    let first = root(1, "abc", 2, "t");
    let mut facts = facts(&[(&first, "ab")], &[(theirs, "t")]);
    let before = Some(trusted(&facts, ours));
    facts.unmade = vec![Unmade { before, last: trusted(&facts, theirs) }];
    facts
}

/// Targets 4 as in that version, without these files.
fn signed_again(facts: &Facts, as_in: u64, without: &[&str]) -> MetadataPayload {
    let newest = facts.newest(&RoleName::Targets).unwrap();
    let again = Again::as_in(facts, newest, as_in).unwrap();
    let out = without.iter().map(|path| TargetsEdit::RemoveTarget((*path).to_owned()));
    let edits: Vec<_> = again.edits.iter().cloned().chain(out).collect();
    let ground = Some(again.ground.payload());
    make::targets(Tuf, &RoleName::Targets, 4, time("2029-01-01"), ground, &edits).unwrap()
}

/// What is said of a change that replaces the targets key.
fn told(facts: &Facts, made: &MetadataPayload) -> Vec<String> {
    told_by("recover", facts, made)
}

fn told_by(kind: &str, facts: &Facts, made: &MetadataPayload) -> Vec<String> {
    let items = vec![document_item(&root(2, "abc", 2, "x")), document_item(made)];
    let mut change = change(facts, &[RoleName::Root, RoleName::Targets], items);
    kind.clone_into(&mut change.frame.kind);
    lines(&change, facts, &|_| None)
}

fn document_item(payload: &MetadataPayload) -> crate::ceremony::change::Item {
    super::world::document(payload, "ab")
}

const LEFT_OUT: &str = "  this change leaves all that out: it signs again what targets 2 said";
const BUT: &str = ", but for what it alters itself";
const GOES_ON: &str = "  who had the key may have put that in, and this change signs it again; as-in = 2 ";

#[test]
fn what_goes_on_is_said_also_where_files_are_left_out_besides() {
    let ours = document(2, "x", &["good", "other"], "");
    let more = document(3, "xy", &["evil", "good", "other"], "");
    let file = document(3, "x", &["evil", "good", "other"], "");
    let less = document(3, "x", &["good"], "");
    let key = document(3, "", &["good", "other"], "");
    let cases = [
        // What the thief signed; as in which version it is signed again, without which files; what is said.
        (&more, 2, &[][..], LEFT_OUT.to_owned()),
        (&more, 2, &["good"], format!("{LEFT_OUT}{BUT}")),
        (&more, 3, &[], GOES_ON.to_owned()),
        (&more, 3, &["evil"], GOES_ON.to_owned()),
        (&more, 3, &["good"], GOES_ON.to_owned()),
        (&file, 3, &["evil"], LEFT_OUT.to_owned()),
        (&file, 3, &["evil", "good"], format!("{LEFT_OUT}{BUT}")),
        (&less, 3, &[], GOES_ON.to_owned()),
        (&less, 3, &["good"], GOES_ON.to_owned()),
        (&less, 2, &["good"], format!("{LEFT_OUT}{BUT}")),
        (&key, 3, &[], GOES_ON.to_owned()),
        (&key, 2, &["good"], format!("{LEFT_OUT}{BUT}")),
    ];
    for (theirs, as_in, without, expected) in cases {
        let facts = robbed(&ours, theirs);
        let lines = told(&facts, &signed_again(&facts, as_in, without));
        let last = lines.last().unwrap();
        let right = if expected == GOES_ON { last.starts_with(GOES_ON) } else { *last == expected };
        assert!(right, "as in {as_in} without {without:?}: {lines:?}");
    }
}

/// Members that keyrite doesn't know are signed again with all the rest, so they are shown with it.
#[test]
fn what_keyrite_does_not_know_came_in_as_well() {
    let ours = document(2, "x", &["good"], OURS);
    let plain = document(3, "x", &["good"], OURS);
    let place = "\"good\":{\"hashes\"";
    assert!(String::from_utf8_lossy(plain.bytes()).contains(place));
    // What the thief signed, and the line that shows it.
    let cases = [
        (plain.clone(), None),
        (
            document(3, "x", &["good"], "\"custom\":{\"go\":\"there\"},\"x-ours\":1,"),
            Some("  member custom, unknown to keyrite: {\"go\":\"there\"}"),
        ),
        (
            document(3, "x", &["good"], "\"x-ours\":2,"),
            Some("  member x-ours, unknown to keyrite: 2 (was 1)"),
        ),
        (document(3, "x", &["good"], ""), Some("  member x-ours, unknown to keyrite: removed")),
        (
            with(&plain, "\"delegations\":{", "\"delegations\":{\"x-d\":1,"),
            Some("  delegations: member x-d, unknown to keyrite: 1"),
        ),
        (
            with(&plain, "\"name\":\"app-x\"", "\"name\":\"app-x\",\"x-r\":1"),
            Some("  delegation app-x: member x-r, unknown to keyrite: 1"),
        ),
        (
            with(&plain, place, "\"good\":{\"x-f\":1,\"hashes\""),
            Some("  target good: member x-f, unknown to keyrite: 1"),
        ),
    ];
    for (theirs, line) in cases {
        let facts = robbed(&ours, &theirs);
        let (kept, out) = (signed_again(&facts, 3, &[]), signed_again(&facts, 2, &[]));
        let came = came_in(&facts).map(|came| came.lines);
        let Some(line) = line else {
            assert_eq!((told(&facts, &kept), came), (Vec::new(), None));
            continue;
        };
        let (kept, told_out) = (told(&facts, &kept), told(&facts, &out));
        assert!(came.is_some_and(|lines| lines.iter().any(|l| l == line)), "{line}");
        assert!(kept.iter().any(|l| l == line) && kept.last().unwrap().starts_with(GOES_ON), "{kept:?}");
        assert!(told_out.iter().any(|l| l == line), "{told_out:?}");
        assert_eq!(told_out.last().unwrap(), LEFT_OUT);
        // And what is signed then is ours.
        let said = String::from_utf8(out.bytes().to_vec()).unwrap();
        assert_eq!(said.replace("\"version\":4", "\"version\":2").as_bytes(), ours.bytes());
    }
}

/// A runbook by which a person leaves has no `as-in`, so nobody is told to write it there.
#[test]
fn a_person_who_leaves_is_told_of_the_kind_that_takes_it_out() {
    let (ours, theirs) = (document(2, "x", &["good"], ""), document(3, "xy", &["evil", "good"], ""));
    for none_before in [false, true] {
        let mut facts = robbed(&ours, &theirs);
        if none_before {
            facts.unmade[0].before = None;
        }
        let made = signed_again(&facts, 3, &[]);
        for kind in ["recover", "issue-targets-key", "revoke-delegation"] {
            let said = told_by(kind, &facts, &made);
            let last = said.last().unwrap();
            let person = kind == "revoke-delegation";
            assert_eq!(last.contains("under [targets] in the runbook"), !person, "{last}");
            assert_eq!(last.contains("in a recover runbook, held before this one, leaves"), person, "{last}");
            assert_eq!(last.contains("revoke-delegation takes grants out"), !person, "{last}");
        }
    }
}
