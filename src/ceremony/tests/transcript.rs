//! Transcripts: what is written reads back, and whatever is touched afterwards is found.

use crate::ceremony::device_log::LogEntry;
use crate::ceremony::facts::Stage;
use crate::ceremony::people::{Duty, KeyName, Person};
use crate::ceremony::share_manifest::{SetId, ShareLine, ShareManifest, ShareUse};
use crate::ceremony::step::StepId;
use crate::ceremony::transcript::{
    Begin, CeremonyId, Confirmed, EndState, Entry, File, Intent, Outcome, Private, Said, Sealed, TokenSeen,
    Transcript, Way, Witnessed, open_sidecar,
};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::statement::TrustId;
use crate::tuf::time::Time;
use proptest::prelude::*;
use std::collections::BTreeMap;

const CEREMONY: CeremonyId = CeremonyId::from_bytes([7; 16]);

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn key(name: &str) -> KeyName {
    name.parse().unwrap()
}

fn sha(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn at(seconds: i64) -> Time {
    Time::from_unix(1_795_000_000 + seconds).unwrap()
}

fn token() -> TokenSeen {
    TokenSeen { label: "root-a".to_owned(), serial: "3d4f0a9be3a1f7c2".to_owned() }
}

fn begin() -> Outcome {
    Outcome::Begin(Box::new(Begin {
        keyrite: "0.1.0".to_owned(),
        binary: sha("binary"),
        people: BTreeMap::from([(person("alice"), Duty::Administrator), (person("bob"), Duty::Witness)]),
        stage: Stage::Production,
        runbooks: vec![sha("runbook")],
        heads: vec![sha("another transcript")],
        host_checks: BTreeMap::from([("swap".to_owned(), "none".to_owned())]),
    }))
}

fn manifest() -> ShareManifest {
    let line = |(number, who): (u8, &str)| ShareLine {
        number,
        holder: person(who),
        commitment: sha(&format!("card {number}")),
    };
    ShareManifest {
        trust: TrustId::from_bytes([1; 16]),
        set: SetId::from_bytes([9; 16]),
        date: at(0),
        purpose: ShareUse::WrapKey,
        title: "Wrap key of the tests".to_owned(),
        identifier: 12345,
        words: 33,
        needed: 2,
        check: [5; 8],
        shares: [(1, "alice"), (2, "bob"), (3, "carol")].map(line).to_vec(),
    }
}

/// One of every act.
fn outcomes() -> Vec<Outcome> {
    let identity = KeyIdentity::from_digest(sha("key"));
    vec![
        begin(),
        Outcome::Show {
            title: "Create the root".to_owned(),
            lines: vec!["root 1".to_owned(), "  any 2".to_owned()],
        },
        Outcome::ReadBack { what: "the change".to_owned(), digest: sha("change") },
        Outcome::Confirm { how: Confirmed::Words, change: sha("change") },
        Outcome::Confirm { how: Confirmed::Yes, change: sha("change") },
        Outcome::Confirm { how: Confirmed::Digest, change: sha("change") },
        Outcome::Note { question: "Camera number".to_owned(), answer: Some("12".to_owned()) },
        Outcome::Intent {
            key: key("root-a"),
            token: token(),
            what: Intent::Generate { label: "root-a".to_owned(), id: [3; 16] },
        },
        Outcome::Key { name: key("root-a"), file: sha("file"), identity, adopted: true, token: token() },
        Outcome::Intent {
            key: key("root-a"),
            token: token(),
            what: Intent::Sign { payload: sha("payload") },
        },
        Outcome::Sign { key: key("root-a"), payload: sha("payload"), file: sha("sig"), token: token() },
        Outcome::Intent { key: key("root-a"), token: token(), what: Intent::Destroy },
        Outcome::Intent {
            key: key("root-a"),
            token: token(),
            what: Intent::Copy { wrap_key: key("wrap-1") },
        },
        Outcome::Intent {
            key: key("root-a"),
            token: token(),
            what: Intent::Restore { wrap_key: key("wrap-1") },
        },
        Outcome::Destroy { key: key("root-a"), identity, found_gone: true, token: token() },
        Outcome::Shares { wrap_key: key("wrap-1"), manifest: Box::new(manifest()) },
        Outcome::Copy {
            key: key("root-a"),
            identity,
            wrap_key: key("wrap-1"),
            shares: sha("manifest"),
            form: "aes-key-wrap-pad".to_owned(),
            file: sha("copy"),
            token: token(),
        },
        Outcome::Drill {
            shares: sha("manifest"),
            set: manifest().set,
            number: 2,
            holder: "carol".parse().unwrap(),
        },
        Outcome::Enrol { name: key("dev-dana"), file: sha("file"), identity },
        Outcome::Close { without: vec![key("root-c")] },
        Outcome::Seal {
            documents: BTreeMap::from([
                (RoleName::Root, Sealed { version: 1, file: sha("root") }),
                (RoleName::from_name("targets/camera-station"), Sealed { version: 3, file: sha("t") }),
            ]),
        },
        Outcome::Upload { manifest: sha("manifest") },
        Outcome::Carried {
            way: Way::In,
            files: BTreeMap::from([("keys".to_owned(), 3)]),
            statements: vec![sha("statement")],
        },
        Outcome::Carried { way: Way::Out, files: BTreeMap::new(), statements: Vec::new() },
        Outcome::Witness { witness: person("bob"), how: Witnessed::Statement(sha("statement")) },
        Outcome::Witness { witness: person("bob"), how: Witnessed::Words("tissue adviser".to_owned()) },
        Outcome::Exception { what: "the printer was out of paper".to_owned() },
        Outcome::Refuse { reason: "root-d is unknown to me".to_owned() },
        Outcome::Drain {
            key: key("root-a"),
            token: token(),
            entries: vec![LogEntry::new([1; 32]), LogEntry::new([2; 32])],
            unaccounted: 1,
        },
        Outcome::Unknown { act: "weigh".to_owned(), outcome: Json::parse(br#"{"entries":[1,2]}"#).unwrap() },
        Outcome::End { state: EndState::Waiting, waiting: vec![person("bob"), person("carol")] },
    ]
}

fn said(outcome: Outcome) -> Said {
    Said {
        by: Some(person("alice")),
        change: Some(sha("change")),
        step: Some(StepId("a.step".to_owned())),
        outcome,
        private: BTreeMap::new(),
    }
}

/// Number, digest and bytes of each file.
type Files = Vec<(u64, Digest, Vec<u8>)>;

fn written() -> Files {
    let mut transcript = Transcript::new(CEREMONY);
    let mut files = Vec::new();
    for (second, outcome) in (0..).zip(outcomes()) {
        let made = transcript.append(at(second / 2), said(outcome)).unwrap();
        files.push((made.seq, made.sha, made.bytes));
    }
    files
}

fn read(files: &Files, heads: &[(u64, Digest)]) -> crate::tuf::rule::Result<Transcript> {
    let files: Vec<_> = files.iter().map(|(seq, sha, bytes)| File { seq: *seq, sha: *sha, bytes }).collect();
    Transcript::read(CEREMONY, &files, heads)
}

/// The number of the first bad entry, as the refusal names it.
fn first_bad(files: &Files, heads: &[(u64, Digest)]) -> Option<u64> {
    let refusal = read(files, heads).err()?;
    assert_eq!(refusal.rule().name, "TRANSCRIPT-BROKEN", "{refusal}");
    let text = refusal.found().strip_prefix("entry ").expect("the entry is named");
    Some(text.split(':').next().unwrap().parse().unwrap())
}

#[test]
fn every_outcome_reads_back_the_same() {
    let files = written();
    let transcript = read(&files, &[]).unwrap();
    let outcomes = outcomes();
    assert_eq!(transcript.entries().len(), outcomes.len());
    for ((entry, sha), (outcome, file)) in transcript.entries().iter().zip(outcomes.iter().zip(&files)) {
        assert_eq!(entry.outcome, *outcome);
        assert_eq!(entry.to_json(), file.2);
        assert_eq!(*sha, Digest::of(&file.2));
    }
    assert_eq!(transcript.head(), Some((files.last().unwrap().0, files.last().unwrap().1)));
    assert!(transcript.ended());
}

/// The bytes of an entry never change: this is what FORMAT.md shows.
#[test]
fn an_entry_has_these_bytes() {
    let entry = Entry {
        ceremony: CEREMONY,
        seq: 3,
        previous: Some(sha("before")),
        at: "2026-11-22T13:05:10Z".parse().unwrap(),
        by: Some(person("alice")),
        change: Some(sha("change")),
        step: Some(StepId("before.1".to_owned())),
        outcome: Outcome::Note { question: "Bag number".to_owned(), answer: None },
        private: BTreeMap::from([("answer".to_owned(), sha("salted"))]),
    };
    let expected = format!(
        concat!(
            r#"{{"act":"note","at":"2026-11-22T13:05:10Z","by":"alice","ceremony":"07070707070707070707070707070707","#,
            r#""change":"{}","format":1,"outcome":{{"question":"Bag number"}},"previous":"{}","#,
            r#""private":{{"answer":"{}"}},"seq":3,"step":"before.1"}}"#
        ),
        sha("change"),
        sha("before"),
        sha("salted")
    );
    assert_eq!(String::from_utf8(entry.to_json()).unwrap(), expected);
    assert_eq!(Entry::from_json(expected.as_bytes()).unwrap(), entry);
}

#[test]
fn an_entry_in_another_form_is_refused() {
    let files = written();
    let good = String::from_utf8(files[3].2.clone()).unwrap();
    let table = [
        ("unknown member", good.replace("\"seq\":3", "\"seq\":3,\"zzz\":1"), "RECORD-MEMBER"),
        ("unknown member of an act", good.replace("\"how\":", "\"hew\":1,\"how\":"), "RECORD-MEMBER"),
        ("a member less", good.replace("\"format\":1,", ""), "RECORD-MEMBER"),
        ("another format", good.replace("\"format\":1", "\"format\":2"), "RECORD-FORMAT"),
        ("white space", good.replace(",\"seq\"", ", \"seq\""), "RECORD-MEMBER"),
        ("a newline after it", format!("{good}\n"), "RECORD-MEMBER"),
        ("a member twice", good.replace("\"seq\":3", "\"seq\":3,\"seq\":3"), "JSON"),
        ("no word of the set", good.replace("\"words\"", "\"shouting\""), "RECORD-MEMBER"),
        ("no date", good.replace("Z\"", "+00:00\""), "DATE"),
        ("no ceremony", good.replace("0707", "ZZZZ"), "CEREMONY-ID"),
        ("no name", good.replace("\"alice\"", "\"Alice\""), "NAME"),
        ("no digest", good.replace(&sha("change").hex(), "12"), "DIGEST-FORM"),
        ("text that is not seen", good.replace("a.step", "a\u{202e}step"), "TEXT"),
        ("nothing", String::new(), "JSON"),
    ];
    for (what, text, rule) in table {
        assert_ne!(text, good, "{what} changes nothing");
        assert_eq!(Entry::from_json(text.as_bytes()).unwrap_err().rule().name, rule, "{what}");
    }
}

type Touch = fn(&mut Files);

#[test]
fn the_first_bad_entry_is_named() {
    let good = written();
    let last = good.last().unwrap().0;
    let table: &[(&str, Touch, Option<u64>)] = &[
        ("nothing", |_| (), None),
        ("files listed in another order", |f| f.reverse(), None),
        ("a byte", |f| f[4].2[10] ^= 1, Some(4)),
        (
            "a byte, and the name",
            |f| {
                let text = String::from_utf8(f[6].2.clone()).unwrap().replace("Camera", "Kamera");
                f[6].2 = text.into_bytes();
                f[6].1 = Digest::of(&f[6].2);
            },
            Some(7),
        ),
        ("an entry taken out", |f| drop(f.remove(5)), Some(5)),
        ("the first taken out", |f| drop(f.remove(0)), Some(0)),
        (
            "an entry twice, under two numbers",
            |f| {
                let (_, sha, bytes) = f[5].clone();
                f[6] = (6, sha, bytes);
            },
            Some(6),
        ),
        ("two entries of one number", |f| f.push((2, sha("x"), b"x".to_vec())), Some(2)),
        (
            "two entries swapped",
            |f| {
                let (a, b) = (f[2].clone(), f[3].clone());
                (f[2].1, f[2].2, f[3].1, f[3].2) = (b.1, b.2, a.1, a.2);
            },
            Some(2),
        ),
        (
            "an entry of another ceremony",
            |f| {
                let mut other = Transcript::new(CeremonyId::from_bytes([8; 16]));
                let made = other.append(at(0), said(begin())).unwrap();
                (f[0].1, f[0].2) = (made.sha, made.bytes);
            },
            Some(0),
        ),
        ("the end cut off", |f| drop(f.pop()), None),
    ];
    for (what, touch, bad) in table {
        let mut files = good.clone();
        touch(&mut files);
        assert_eq!(first_bad(&files, &[]), *bad, "{what}");
    }
    // A cut or rewritten end is found by what a witness wrote down.
    let head = [(last, good.last().unwrap().1)];
    assert_eq!(first_bad(&good, &head), None);
    let mut files = good.clone();
    files.pop();
    assert_eq!(first_bad(&files, &head), Some(last));
    let mut end: Entry = Entry::from_json(&good.last().unwrap().2).unwrap();
    end.outcome = Outcome::End { state: EndState::Done, waiting: Vec::new() };
    files.push((last, Digest::of(&end.to_json()), end.to_json()));
    assert_eq!(first_bad(&files, &[]), None);
    assert_eq!(first_bad(&files, &head), Some(last));
}

#[test]
fn entries_follow_each_other() {
    let mut transcript = Transcript::new(CEREMONY);
    let note = Outcome::Note { question: "a".to_owned(), answer: Some("b".to_owned()) };
    let refusal = transcript.append(at(0), said(note.clone())).unwrap_err();
    assert_eq!(refusal.rule().name, "TRANSCRIPT-BROKEN", "a session starts with a begin");
    transcript.append(at(10), said(begin())).unwrap();
    transcript.append(at(10), said(note.clone())).unwrap();
    assert_eq!(transcript.append(at(9), said(note.clone())).unwrap_err().rule().name, "CLOCK");
    let hidden = Outcome::Note { question: "a".to_owned(), answer: Some("b\u{200b}".to_owned()) };
    assert_eq!(transcript.append(at(11), said(hidden)).unwrap_err().rule().name, "TEXT");
    let unanswered = Outcome::Note { question: "a".to_owned(), answer: None };
    assert_eq!(transcript.append(at(11), said(unanswered)).unwrap_err().rule().name, "RECORD-MEMBER");
    // What was refused left nothing behind.
    assert_eq!(transcript.entries().len(), 2);
    let end = Outcome::End { state: EndState::Done, waiting: Vec::new() };
    transcript.append(at(11), said(end)).unwrap();
    assert_eq!(transcript.append(at(12), said(note)).unwrap_err().rule().name, "TRANSCRIPT-BROKEN");
    transcript.append(at(12), said(begin())).unwrap();
    assert!(!transcript.ended());
}

#[test]
fn time_that_runs_backwards_is_found() {
    let mut files = written();
    let mut entry = Entry::from_json(&files[1].2).unwrap();
    entry.at = at(-1);
    files.truncate(2);
    files[1].2 = entry.to_json();
    files[1].1 = Digest::of(&files[1].2);
    assert_eq!(first_bad(&files, &[]), Some(1));
}

#[test]
fn private_values_stay_in_the_sidecar() {
    let mut transcript = Transcript::new(CEREMONY);
    transcript.append(at(0), said(begin())).unwrap();
    let question = Outcome::Note { question: "Where is the safe?".to_owned(), answer: None };
    let value = Private { salt: [9; 32], value: "behind the canary".to_owned() };
    let mut note = said(question);
    note.private.insert("answer".to_owned(), value.clone());
    let made = transcript.append(at(1), note.clone()).unwrap();
    assert!(!String::from_utf8(made.bytes.clone()).unwrap().contains("canary"));
    let sidecar = made.sidecar.unwrap();
    let entry = &transcript.entries()[1].0;
    assert_eq!(open_sidecar(entry, &sidecar).unwrap()["answer"], "behind the canary");

    // SHA-256 of the salt's 32 bytes and the value, computed here by hand.
    let bytes = [[9; 32].as_slice(), b"behind the canary"].concat();
    assert_eq!(entry.private["answer"], Digest::of(&bytes));

    let text = String::from_utf8(sidecar).unwrap();
    let table = [
        ("another value", text.replace("canary", "carpet"), "SIDECAR"),
        ("another salt", text.replace("0909", "0908"), "SIDECAR"),
        ("another name", text.replace("\"answer\"", "\"reason\""), "SIDECAR"),
        ("no value", r#"{"format":1,"private":{}}"#.to_owned(), "SIDECAR"),
        ("another member", text.replace("\"format\"", "\"a\":1,\"format\""), "RECORD-MEMBER"),
    ];
    for (what, text, rule) in table {
        assert_eq!(open_sidecar(entry, text.as_bytes()).unwrap_err().rule().name, rule, "{what}");
    }

    // In the open and in private at once: one of them is a lie.
    note.outcome = Outcome::Note { question: "a".to_owned(), answer: Some("b".to_owned()) };
    assert_eq!(transcript.append(at(2), note).unwrap_err().rule().name, "RECORD-MEMBER");
}

proptest! {
    /// Any byte of any file, under its old name: that entry.
    #[test]
    fn any_byte_is_missed(file in 0usize..24, place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut files = written();
        let at = place.index(files[file].2.len());
        files[file].2[at] ^= 1 << bit;
        prop_assert_eq!(first_bad(&files, &[]), Some(files[file].0));
    }

    /// Any byte, under a name that fits: that entry, or the one after it, or what a witness saw.
    #[test]
    fn any_byte_is_missed_though_renamed(file in 0usize..24, place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut files = written();
        let head = [(files.last().unwrap().0, files.last().unwrap().1)];
        let at = place.index(files[file].2.len());
        files[file].2[at] ^= 1 << bit;
        files[file].1 = Digest::of(&files[file].2);
        let bad = first_bad(&files, &head).unwrap();
        prop_assert!(bad == files[file].0 || bad == files[file].0 + 1, "{bad} for {file}");
    }

    /// Files taken out or put in another's place: the first that is not where it was.
    #[test]
    fn any_order_is_noticed(order in prop::sample::subsequence((0usize..24).collect::<Vec<_>>(), 1..=24).prop_shuffle()) {
        let good = written();
        let head = [(good.last().unwrap().0, good.last().unwrap().1)];
        let files: Files = (0..).zip(&order).map(|(seq, from)| (seq, good[*from].1, good[*from].2.clone())).collect();
        let expected = order.iter().enumerate().find(|(at, from)| at != *from).map(|(at, _)| at as u64);
        let expected = expected.or((order.len() < 24).then_some(order.len() as u64));
        prop_assert_eq!(first_bad(&files, &head), expected);
    }

    /// Reading never panics, whatever the bytes.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Entry::from_json(&bytes);
        let sha = Digest::of(&bytes);
        let read = Transcript::read(CEREMONY, &[File { seq: 0, sha, bytes: &bytes }], &[]);
        prop_assert!(read.is_err());
    }
}
