//! Two documents of one version: which pair is a colleague who was faster, and which stays a conflict.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, RUNBOOK, ask, folder, frame, key, put, targets, time, today, tree};
use keyrite::ceremony::change::{Base, Change, Counts, Item};
use keyrite::ceremony::outcome::Outcome;
use keyrite::ceremony::standing::State;
use keyrite::record::receipt::{Answer, Receipt};
use keyrite::record::upload::Upload;
use keyrite::record::{Contents, Media, Record};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Keys, MetaFile, PathRule, TargetFile};
use keyrite::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile::Tuf;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire;
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;

const OURS: &str = "delegation-dana";
const THEIRS: &str = "delegation-erik";

fn app() -> RoleName {
    RoleName::from_name("app")
}

/// A file of these keys.
fn file(payload: &MetadataPayload, names: &[&str]) -> Vec<u8> {
    let entry = |name: &&str| wire::key_entry(Tuf, &key(name).public(), None).unwrap();
    let keys: Keys = names.iter().map(entry).map(|entry| (entry.id.clone(), entry)).collect();
    let whole = Payload::Metadata(payload.clone());
    let sign = |name: &&str| key(name).signature(wire::scheme(Tuf, &key(name).public()), &whole);
    wire::seal(payload, &keys, &names.iter().map(sign).collect::<Vec<_>>()).unwrap()
}

/// The application's document of a version, with one file of this name.
fn release(version: u64, name: &str) -> MetadataPayload {
    let hashes = BTreeMap::from([("sha256".to_owned(), vec![7; 32])]);
    let put = TargetsEdit::PutTarget {
        path: format!("app/{name}"),
        file: TargetFile { length: 5, hashes: hashes.into(), custom: None },
    };
    make::targets(Tuf, &app(), version, time("2027-10-01T13:00:00Z"), None, &[put]).unwrap()
}

fn listed(version: u64, bytes: &[u8]) -> MetaFile {
    let sha256 = Digest::of(bytes).as_bytes().to_vec();
    MetaFile {
        version: Some(version),
        length: Some(bytes.len() as u64),
        hashes: [("sha256".to_owned(), sha256)].into(),
    }
}

/// Dana's copy after Erik was faster: both made version 2, and Dana made version 3 from Erik's.
struct Case {
    /// Who signed the one that is published.
    by: &'static str,
    /// The one thing that is otherwise.
    but: &'static str,
}

const FASTER: Case = Case { by: THEIRS, but: "" };

fn but(but: &'static str) -> Case {
    Case { but, ..FASTER }
}

struct Made {
    day: Day,
    lost: MetadataPayload,
    stands: MetadataPayload,
    change: Change,
    upload: String,
}

fn bare(version: u64) -> MetaFile {
    MetaFile { version: Some(version), length: None, hashes: BTreeMap::new().into() }
}

fn publish(record: &Record, version: u64, app_version: u64, bytes: &[u8], timestamp: bool) {
    publish_meta(record, version, listed(app_version, bytes), timestamp);
}

fn publish_meta(record: &Record, version: u64, app_meta: MetaFile, timestamp: bool) {
    let expires = time("2026-12-01T13:00:00Z");
    let top = fs::read_dir(record.path().join("metadata/targets")).unwrap();
    let top = top.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().contains("/2."));
    let meta = [(RoleName::Targets, listed(2, &fs::read(top.unwrap()).unwrap())), (app(), app_meta)];
    let snapshot = make::snapshot(Tuf, version, expires, &meta.into()).unwrap();
    let bytes = file(&snapshot, &["snapshot-1"]);
    record.add_metadata(&RoleName::Snapshot, version, &bytes).unwrap();
    if timestamp {
        let timestamp = make::timestamp(Tuf, version, expires, &listed(version, &bytes)).unwrap();
        record.add_metadata(&RoleName::Timestamp, version, &file(&timestamp, &["timestamp-1"])).unwrap();
    }
}

fn play(name: &str, case: &Case) -> Made {
    let day = Day::whole(&folder(&format!("overtaken-{name}")));
    let record = &day.record;
    let entry = |name: &str| wire::key_entry(Tuf, &key(name).public(), None).unwrap();
    let grant = TargetsEdit::Grant(Grant {
        role: app(),
        keys: RoleSpec { keys: vec![entry(OURS), entry(THEIRS)], threshold: NonZeroU32::MIN },
        paths: PathRule::Patterns(vec!["app/*".to_owned()]),
        terminating: false,
    });
    let expires = time("2027-10-01T13:00:00Z");
    let top = make::targets(Tuf, &RoleName::Targets, 2, expires, Some(&targets(1)), &[grant]).unwrap();
    record.add_metadata(&RoleName::Targets, 2, &file(&top, &["targets-a"])).unwrap();
    let first = release(1, "one");
    let first_file = file(&first, &[OURS]);
    record.add_metadata(&app(), 1, &first_file).unwrap();
    publish(record, 2, 1, &first_file, true);

    let contents = day.read();
    let change = |n: u8, base: &MetadataPayload, payload: &MetadataPayload| {
        let base = Base { documents: [(app(), (base.version(), base.digest()))].into() };
        let asked = vec![ask(OURS, Some(Tuf), &[Counts::New])];
        let items = vec![Item::Document { payload: payload.clone(), asked }];
        Change::new(&frame("release", n), &contents.facts, base, items, vec!["a release".to_owned()])
    };
    let write = |change: &Change, payload: &MetadataPayload, here: bool| {
        record.add_change(change, RUNBOOK.as_bytes()).unwrap();
        kept::sign(record, change, &[OURS]);
        let bytes = file(payload, &[OURS]);
        record.add_metadata(&app(), payload.version(), &bytes).unwrap();
        if here {
            record.note_deed(&change.digest(), &Outcome::Seal { documents: BTreeMap::new() }).unwrap();
        }
        bytes
    };
    let (lost, stands, next) = (release(2, "ours"), release(2, "theirs"), release(3, "both"));
    let ours = change(20, &first, &lost);
    let lost_file = file(&lost, &[OURS]);
    if case.but == "no change made it" {
        record.add_metadata(&app(), 2, &lost_file).unwrap();
    } else {
        write(&ours, &lost, case.but != "another copy sealed it");
    }
    let documents = BTreeMap::from([(app(), (2, lost_file.clone()))]);
    let upload = Upload::new(record.trust(), Some(ours.digest()), &documents, None).unwrap();
    let upload = record.add_upload(&upload).unwrap();
    let stands_file = file(&stands, &[case.by]);
    record.add_metadata(&app(), 2, &stands_file).unwrap();
    if case.but != "the other was never seen" {
        publish(record, 3, 2, &stands_file, case.but != "a snapshot that no timestamp names");
    }
    let base = if case.but == "people went on from the lost one" { &lost } else { &stands };
    let next_file = write(&change(21, base, &next), &next, case.but != "others went on");
    if case.but != "what people made from it is not published" {
        publish(record, 4, 3, &next_file, true);
    }
    // The same payload, gathered with one signature more: a file that nobody brought here.
    let other_file = file(&lost, &[OURS, THEIRS]);
    match case.but {
        "a snapshot names it too" => publish(record, 2, 2, &lost_file, false),
        "a snapshot names it with other signatures" => publish(record, 2, 2, &other_file, false),
        "a snapshot names it without a digest" => publish_meta(record, 2, bare(2), false),
        "a key signed the other one as well, for a change" => {
            let other = change(22, &first, &stands);
            record.add_change(&other, RUNBOOK.as_bytes()).unwrap();
            kept::sign(record, &other, &[OURS]);
        }
        _ => {}
    }
    let served = |bytes: &[u8]| [(app(), (2, Digest::of(bytes)))].into();
    let answer = match case.but {
        "a receipt names it" => Some((Digest::of(b"any"), Answer::Observed, served(&lost_file))),
        "a receipt names it with other signatures" => {
            Some((Digest::of(b"any"), Answer::Observed, served(&other_file)))
        }
        "a receipt names the published one" => {
            Some((Digest::of(b"any"), Answer::Observed, served(&stands_file)))
        }
        "a backend took it with other signatures" => {
            let documents = BTreeMap::from([(app(), (2, other_file))]);
            let other = Upload::new(record.trust(), Some(ours.digest()), &documents, None).unwrap();
            Some((record.add_upload(&other).unwrap(), Answer::Accepted, BTreeMap::new()))
        }
        // And showed another from then on.
        "a backend took it" => Some((upload, Answer::Accepted, BTreeMap::new())),
        "a backend refused it" => Some((upload, Answer::Rejected("no".to_owned()), BTreeMap::new())),
        _ => None,
    };
    if let Some((manifest, result, served)) = answer {
        let receipt = Receipt {
            trust: record.trust().id,
            at: today(),
            manifest,
            result,
            served,
            server: "https://notary.example.com".to_owned(),
        };
        record.add_receipt(&receipt).unwrap();
    }
    Made { day, lost, stands, change: ours, upload: format!("uploads/{upload}") }
}

/// Whether people are told of a conflict, and of nothing as overtaken.
fn conflicts(contents: &Contents) -> bool {
    let found = contents.findings.iter().any(|(place, refusal)| {
        place.starts_with("metadata/app/") && refusal.rule().name == "RECORD-CONFLICT"
    });
    assert_eq!(found, contents.facts.overtaken.is_empty(), "{:?}", contents.findings);
    found
}

#[test]
fn a_colleague_who_was_faster_is_no_conflict_and_is_named_for_good() {
    let made = play("faster", &FASTER);
    let contents = made.day.read();
    assert_eq!(contents.findings, []);
    assert!(contents.conflicts.is_empty() && contents.facts.conflicts.is_empty());
    let lost = &contents.facts.overtaken[&made.lost.digest()];
    assert_eq!((lost.version, lost.published, lost.next), (2, made.stands.digest(), 3));
    let notice = lost.notice(&contents.facts).to_string();
    for part in ["DOCUMENT-OVERTAKEN: found app 2", &made.lost.digest().hex(), &made.stands.digest().hex()] {
        assert!(notice.contains(part), "{part}: {notice}");
    }
    let (theirs, ours) = (key(THEIRS).public().identity(), key(OURS).public().identity());
    assert!(notice.contains(&theirs.to_string()) && !notice.contains(&ours.to_string()), "{notice}");
    // The lost one is trusted no more: nothing rests on it, and it is not handed over.
    assert_eq!(contents.facts.newest(&app()).unwrap().version(), 3);
    assert!(!contents.facts.history.contains(&made.lost.digest()));
    let stored = &contents.changes[&made.change.digest()];
    let state = stored.standing.as_ref().unwrap().state.clone();
    assert_eq!(state, State::Overtaken { role: app(), version: 2 });
    assert_eq!(stored.standing.as_ref().unwrap().refusal().unwrap().rule().name, "BASE-MOVED");
    assert!(contents.uploads.len() > 1 && !contents.unpublished_uploads().contains(&made.upload));

    // What comes in later judges the same way, and can say more: the lost one was served after all.
    let medium = folder("overtaken-medium");
    let served = play("served", &but("a snapshot names it too"));
    for (name, bytes) in tree(&served.day.dir) {
        if name.starts_with("metadata/") {
            put(&medium, &name, &bytes);
        }
    }
    let report = made.day.record.import(&Media::open(&medium).unwrap(), today()).unwrap();
    let left: Vec<_> = report.left.iter().map(|(_, why)| why.rule().name).collect();
    assert_eq!(left, ["RECORD-CONFLICT"], "two snapshots of one version: the one here stands");
    assert!(!conflicts(&made.day.read()));
    // Merged file by file it is there, and makes a conflict of the pair.
    for (name, bytes) in tree(&medium) {
        put(&made.day.dir, &name, &bytes);
    }
    assert!(conflicts(&made.day.read()));
}

#[test]
fn a_pair_that_anything_speaks_against_stays_a_conflict() {
    let cases = [
        "no change made it",
        "another copy sealed it",
        "the other was never seen",
        "a snapshot that no timestamp names",
        "people went on from the lost one",
        "others went on",
        "what people made from it is not published",
        "a snapshot names it too",
        "a snapshot names it with other signatures",
        "a snapshot names it without a digest",
        "a receipt names it",
        "a receipt names it with other signatures",
        "a backend took it",
        "a backend took it with other signatures",
        "a key signed the other one as well, for a change",
    ];
    let none = |(n, case): (usize, &'static str)| {
        (!conflicts(&play(&n.to_string(), &but(case)).day.read())).then_some(case)
    };
    let none: Vec<_> = cases.into_iter().enumerate().filter_map(none).collect();
    assert!(none.is_empty(), "no conflict where {none:?}");
    assert!(!conflicts(&play("refused", &but("a backend refused it")).day.read()));
    assert!(!conflicts(&play("observed", &but("a receipt names the published one")).day.read()));
    let one_key = play("one-key", &Case { by: OURS, ..FASTER });
    assert!(conflicts(&one_key.day.read()), "one key signed both");
    // Whoever has a copy without its notes can't tell it from a thief's.
    let made = play("copied", &FASTER);
    let copy = folder("overtaken-copy");
    for (name, bytes) in tree(&made.day.dir) {
        put(&copy, &name, &bytes);
    }
    assert!(conflicts(&kept::read(&copy)));
    assert!(!kept::read(&copy).facts.conflicts.contains_key("metadata/app/3"));
}
