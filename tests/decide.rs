//! Two laptops that propose rivals: each copy alone is whole, both together are in conflict, and
//! people decide. By the program as people type it, with keys in files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod duo;
mod kept;
mod stage;

use duo::{Duo, copied, held_in, rule, status};
use kept::{Day, folder, put, sealed, statement, targets, tree};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::outcome::Outcome;
use keyrite::ceremony::transcript::Said;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::make;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::{Sentence, Statement};
use serde_json::{Value, json};
use stage::{Done, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies what the other copy has beside what is here, as FORMAT.md has copies merge.
fn merge(from: &Path, into: &Path) {
    Done::of(Command::new("cp").args(["-rn", &format!("{}/.", utf8(from)), utf8(into)])).ended(0);
}

/// A copy that has nothing yet but the trust and its first limits.
fn fresh(duo: &Duo, name: &str) -> PathBuf {
    let to = duo.stage.path(name);
    fs::create_dir_all(&to).unwrap();
    for part in ["trust.json", "limits"] {
        Done::of(Command::new("cp").arg("-r").arg(duo.stage.record.join(part)).arg(&to)).ended(0);
    }
    to
}

fn spare(duo: &Duo, holder: &str) -> PathBuf {
    let key = format!("[[key]]\nname = \"root-e\"\nholder = \"{holder}\"\npurpose = \"root\"\n");
    duo.runbook(&format!("A spare key of {holder}"), "generate-key", &key)
}

fn decision(duo: &Duo, what: &str, keep: &str) -> PathBuf {
    let table = format!("[decide]\nwhat = \"{what}\"\nkeep = \"{}\"\n", &keep[..16]);
    duo.runbook(&format!("Decide for {}", &keep[..8]), "decide", &table)
}

/// The side of a conflict in whose lines this stands.
fn side(conflict: &Value, part: &str) -> String {
    let sides = conflict["sides"].as_array().unwrap();
    let says =
        |side: &&Value| side["says"].as_array().unwrap().iter().any(|l| l.as_str().unwrap().contains(part));
    sides.iter().find(says).unwrap_or_else(|| panic!("no {part} in {conflict}"))["file"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn conflict(status: &Value, what: &str) -> Value {
    let all = status["conflicts"].as_array().unwrap();
    all.iter().find(|c| c["what"] == what).unwrap_or_else(|| panic!("no {what} in {status}")).clone()
}

#[test]
fn two_keys_of_one_name_are_decided_between_and_every_copy_comes_to_the_same() {
    let duo = Duo::rooted("decide-keys", Kind::Rehearsal);
    let stage = &duo.stage;
    let other = copied(stage, &stage.record, "other");
    let knows =
        |file: &str| duo.with(&["root-a", "root-b"]).in_file("root-e", file).knowing(&duo.stage.root());
    let (here, there) =
        (knows("keys/e-here.pem").write("here.toml"), knows("keys/e-there.pem").write("there.toml"));
    stage.hold(&here, &spare(&duo, "eva")).1.ended(0);
    held_in(stage, &other, &there, &spare(&duo, "mallory")).ended(0);

    // An import takes no rival in: what stands here stands. Merged file by file, neither does.
    let left = stage.keyrite(["-C", utf8(&stage.record), "--json", "import", utf8(&other)]).ended(0).json();
    let left: Vec<_> = left["left"].as_array().unwrap().iter().map(|l| l["rule"].as_str().unwrap()).collect();
    assert!(left.contains(&"RECORD-CONFLICT"), "{left:?}");
    assert_eq!(duo.status()["conflicts"], json!([]));
    merge(&other, &stage.record);
    let found = conflict(&duo.status(), "keys/root-e");
    assert_eq!(found["kept"], Value::Null);
    let (eva, mallory) = (side(&found, "holder: eva"), side(&found, "holder: mallory"));
    let way = duo.next("guide copies-differ    for").unwrap();
    assert!(
        way.contains("\"keys/root-e\"") && way.contains(&eva[..16]) && way.contains(&mallory[..16]),
        "{way}"
    );
    let text = stage.keyrite(["-C", utf8(&stage.record), "status"]).ended(0).text();
    assert!(text.contains("RECORD-CONFLICT") && text.contains("holder: mallory"), "{text}");
    let rotation = duo.rotation("Eva for Bruno", "root-e");
    let plan = |runbook: &Path| stage.on(&stage.record, &here, &["plan", utf8(runbook)]);
    assert_eq!(rule(plan(&rotation)), "KEY-UNKNOWN");
    assert_eq!(rule(plan(&decision(&duo, "keys/root-f", &eva))), "DECIDE-NOTHING");
    assert_eq!(rule(plan(&decision(&duo, "keys/root-e", &"0".repeat(64)))), "DECIDE-WHICH");

    // Both sides are shown, and one of two root keys decides nothing.
    let decide = decision(&duo, "keys/root-e", &mallory);
    let lines = plan(&decide).ended(0).json()["summary"].to_string();
    assert!(
        lines.contains("holder: eva") && lines.contains("is given up") && lines.contains("stands"),
        "{lines}"
    );
    assert!(!lines.contains("made for"), "what both say alike is left out: {lines}");
    stage.hold(&duo.map(&["root-a"]), &decide).1.ended(4);
    assert_eq!(conflict(&duo.status(), "keys/root-e")["kept"], Value::Null);
    assert!(duo.next("export DIR --for bruno").is_some());
    stage.hold(&here, &decide).1.ended(0);
    assert_eq!(conflict(&duo.status(), "keys/root-e")["kept"], json!(mallory));
    duo.verified();

    // A wrong decision is overruled by another, not by the same once more.
    assert_eq!(plan(&decide).ended(0).json()["already-held"], json!(true));
    let mended = shipped("decide/01-decide.toml");
    stage.hold(&here, &mended).1.ended(0);
    assert_eq!(conflict(&duo.status(), "keys/root-e")["kept"], json!(eva));
    assert_eq!(duo.status()["findings"], json!([]));

    // It goes on, and the next root, which other keys sign, repeats what was decided.
    stage.hold(&here, &rotation).1.ended(0);
    assert_eq!(stage.root().0, 2);
    assert_eq!(conflict(&duo.status(), "keys/root-e")["kept"], json!(eva));
    duo.verified();

    // A new copy and the other laptop take all of it.
    for copy in [fresh(&duo, "fresh"), other] {
        assert_eq!(duo.import(&copy, &stage.record)["left"], json!([]));
        let there = status(stage, &copy);
        assert_eq!(there["root"], duo.status()["root"]);
        assert_eq!(conflict(&there, "keys/root-e")["kept"], json!(eva));
        assert_eq!(there["findings"], json!([]));
    }
}

#[test]
fn two_limits_of_one_number_stop_every_ceremony_but_the_one_that_decides() {
    let duo = Duo::rooted("decide-limits", Kind::Rehearsal);
    let stage = &duo.stage;
    let other = copied(stage, &stage.record, "other");
    let limits = |title: &str, spare: u32| {
        duo.runbook(title, "set-limits", &format!("[limits.root]\nkeys-changed = {spare}\n"))
    };
    let map = duo.map(&["root-a", "root-b"]);
    stage.hold(&map, &limits("One at a time", 1)).1.ended(0);
    held_in(stage, &other, &map, &limits("Two at a time", 2)).ended(0);
    assert_eq!(duo.import(&stage.record, &other)["left"], json!([]), "a threshold signed them: they come in");
    let found = conflict(&duo.status(), "limits/2");
    let plan = |runbook: &Path| stage.on(&stage.record, &map, &["plan", utf8(runbook)]);
    let run = |runbook: &Path| stage.hold(&map, runbook).1;
    assert_eq!(rule(plan(&duo.rotation("Carla for Bruno", "root-c"))), "RECORD-CONFLICT");
    let two = side(&found, "root: keys-changed = 2");
    run(&decision(&duo, "limits/2", &two)).ended(0);
    assert_eq!(conflict(&duo.status(), "limits/2")["kept"], json!(two));
    assert_eq!(duo.status()["limits"], json!(2));
    duo.verified();
    duo.everyone(&duo.rotation("Carla for Bruno", "root-c"));
    assert_eq!(duo.status()["limits"], json!(2), "the new root signs those that stand");
    let copy = fresh(&duo, "fresh");
    assert_eq!(duo.import(&copy, &stage.record)["left"], json!([]));
    assert_eq!(status(stage, &copy)["limits"], json!(2));
    duo.verified();
}

/// A whole record whose targets signed two documents of version 2; the payloads of both.
fn forked(name: &str) -> (Day, Digest, Digest) {
    let day = Day::whole(&folder(name));
    let expires = kept::time("2027-10-01T13:00:00Z");
    let twin = make::targets(Profile::Tuf, &RoleName::Targets, 2, expires, None, &[]).unwrap();
    let ours = targets(2);
    for payload in [&ours, &twin] {
        day.record.add_metadata(&RoleName::Targets, 2, &sealed(payload, &["targets-a"])).unwrap();
    }
    (day, ours.digest(), twin.digest())
}

/// Nobody but those who vouch for a thing decides it, and nothing else by the same signature.
#[test]
fn a_decision_is_worth_what_it_says_by_those_who_may_say_it() {
    type Case<'a> = (&'a str, &'a [&'a str], &'a str, Digest, Vec<Digest>, Option<Digest>);
    let (day, ours, twin) = forked("decide-worth");
    let whole = tree(&day.dir);
    let (two, targets): (&[&str], &str) = (&["root-a", "root-b"], "metadata/targets/2");
    // Who signed, about what, which stands, over which; and which stands then.
    let table: [Case<'_>; 8] = [
        ("a threshold of root", two, targets, ours, vec![twin], Some(ours)),
        ("the other one", two, targets, twin, vec![ours], Some(twin)),
        ("one key of root", &["root-a"], targets, ours, vec![twin], None),
        ("the keys whose documents conflict", &["targets-a"], targets, ours, vec![twin], None),
        ("keys that nobody knows", &["root-x", "root-y"], targets, ours, vec![twin], None),
        ("another version", two, "metadata/targets/3", ours, vec![twin], None),
        ("another name", two, "keys/root-a", ours, vec![twin], None),
        ("over another file", two, targets, ours, vec![Digest::of(b"other")], None),
    ];
    for (n, (name, signers, what, keep, over, stands)) in table.into_iter().enumerate() {
        let dir = folder(&format!("decide-worth-{n}"));
        for (file, bytes) in &whole {
            put(&dir, file, bytes);
        }
        let copy = Day::begin(&dir);
        for key in signers {
            let sentence = Sentence::Decision { what: what.to_owned(), keep, over: over.clone() };
            copy.record.add_statement(&statement(&day.read(), key, sentence)).unwrap();
        }
        let contents = copy.read();
        assert_eq!(contents.facts.conflicts[targets].kept, stands, "{name}");
        assert_eq!(contents.conflicts.is_empty(), stands.is_some(), "{name}");
        let newest = contents.facts.documents.get(&RoleName::Targets).map(|d| d.payload().digest());
        assert_eq!(newest, stands, "{name}");
    }
}

#[test]
fn two_decisions_that_contradict_each_other_decide_nothing_until_a_third_overrules_them() {
    let (day, ours, twin) = forked("decide-twice");
    let what = "metadata/targets/2".to_owned();
    let contents = day.read();
    let said = |keep, over: &[Digest]| {
        let sentence = Sentence::Decision { what: what.clone(), keep, over: over.to_vec() };
        for key in ["root-a", "root-b"] {
            day.record.add_statement(&statement(&contents, key, sentence.clone())).unwrap();
        }
        Digest::of(Statement::new(contents.facts.trust.id, sentence).unwrap().bytes())
    };
    let (first, second) = (said(ours, &[twin]), said(twin, &[ours]));
    let conflict = day.read().facts.conflicts[&what].clone();
    assert_eq!(conflict.kept, None);
    let standing: Vec<_> = conflict.decisions.keys().copied().collect();
    assert!(standing.contains(&first) && standing.contains(&second));
    said(twin, &[ours, first, second]);
    let contents = day.read();
    assert_eq!(contents.facts.conflicts[&what].kept, Some(twin));
    assert_eq!(contents.facts.conflicts[&what].decisions.len(), 1);
}

#[test]
fn two_ends_of_one_transcript_are_decided_between() {
    let mut day = Day::whole(&folder("decide-transcript"));
    day.start();
    let (ceremony, mut fork) = (day.transcript.ceremony(), day.transcript.clone());
    let end = |what: &str| Outcome::Exception { what: what.to_owned() };
    day.say(None, end("one end"));
    let entries = day.transcript.entries();
    let (at, ours, before) =
        (entries.last().unwrap().0.at, entries.last().unwrap().1, fork.entries().last().unwrap().1);
    let said = Said { by: None, change: None, step: None, outcome: end("another end"), private: [].into() };
    let theirs = fork.append(at, said).unwrap();
    let seq = theirs.seq;
    let entry = |bytes: &[u8]| {
        put(&day.dir, &format!("transcripts/{ceremony}/{seq:06}.{}.json", Digest::of(bytes)), bytes);
    };
    entry(&theirs.bytes);
    // What continues neither of them is no side of it, and stops nothing.
    let stray = String::from_utf8(theirs.bytes.clone()).unwrap().replace(&before.hex(), &"0".repeat(64));
    entry(stray.as_bytes());
    let contents = day.read();
    let what = format!("transcripts/{ceremony}/{seq}");
    assert_eq!(
        contents.facts.conflicts[&what].sides.keys().copied().collect::<std::collections::BTreeSet<_>>(),
        [ours, theirs.sha].into()
    );
    assert!(contents.broken.contains_key(&ceremony));
    for key in ["root-a", "root-b"] {
        let sentence = Sentence::Decision { what: what.clone(), keep: theirs.sha, over: vec![ours] };
        day.record.add_statement(&statement(&contents, key, sentence)).unwrap();
    }
    let contents = day.read();
    assert_eq!(contents.facts.conflicts[&what].kept, Some(theirs.sha));
    assert_eq!(contents.transcripts[&ceremony].entries().last().unwrap().1, theirs.sha);
}
