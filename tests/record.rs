//! The record: what a whole one says, what becomes of one that was tampered with, and that copies
//! merge in any order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, findings, folder, put, read, root, sealed, sign, statement, targets, today, tree};
use keyrite::ceremony::change::{Change, Counts, Item, Possession};
use keyrite::ceremony::facts::Anchor;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::outcome::Outcome;
use keyrite::ceremony::standing::State;
use keyrite::record::upload::Upload;
use keyrite::record::{Inputs, KeyFile, Record};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::make::{self, RootSpec};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::{KeyEvent, Sentence};
use std::collections::BTreeMap;
use std::fs;

#[test]
fn a_whole_first_day_reads_without_findings() {
    let day = Day::whole(&folder("whole"));
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.facts.roots.len(), 1);
    assert_eq!(contents.facts.keys.len(), 7);
    assert_eq!(contents.unbound, None);
    assert!(contents.facts.documents.contains_key(&RoleName::Targets));
    assert!(contents.statements.values().all(|s| s.idle.is_none()));
    let states: Vec<_> = contents.changes.values().map(|c| c.standing.clone().unwrap().state).collect();
    assert!(states.contains(&State::Sealed) && states.contains(&State::Published), "{states:?}");
    assert_eq!(contents.history.iter().filter(|d| d.published).count(), 4);
    assert_eq!(contents.uploads.len(), 1);
    assert_eq!(contents.unpublished_uploads(), Vec::<String>::new());
    assert_eq!(contents.loose_heads().len(), 1);
}

#[test]
fn a_record_is_made_once() {
    let dir = folder("once");
    let (trust, limits) = kept::trust();
    Record::create(&dir, &trust, limits.as_bytes()).unwrap();
    Record::create(&dir, &trust, limits.as_bytes()).unwrap();
    let mut other = keyrite::record::TrustSpec {
        profile: Profile::Notary,
        collection: "updates.example.com/other".to_owned(),
        stage: keyrite::ceremony::facts::Stage::Production,
        limits: trust.limits(),
        shadows: None,
        start: None,
        nonce: [8; 32],
    };
    let other_trust = keyrite::record::TrustFile::new(&other).unwrap();
    let refusal = Record::create(&dir, &other_trust, limits.as_bytes()).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-CONFLICT");
    other.limits = Digest::of(b"");
    let other_trust = keyrite::record::TrustFile::new(&other).unwrap();
    let refusal = Record::create(&folder("once-2"), &other_trust, limits.as_bytes()).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-OTHER");
    assert_eq!(Record::open(&folder("once-3")).unwrap_err().rule().name, "RECORD-MISSING");
}

#[test]
fn what_can_not_be_written_is_said() {
    let (trust, limits) = kept::trust();
    let refusal = Record::create(std::path::Path::new("/dev/null/x"), &trust, limits.as_bytes()).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-WRITE");
    let day = Day::whole(&folder("full"));
    // A folder where the lock should be.
    drop(day.record);
    fs::remove_file(day.dir.join("private/lock")).unwrap();
    fs::create_dir(day.dir.join("private/lock")).unwrap();
    assert_eq!(Record::open(&day.dir).unwrap().lock().unwrap_err().rule().name, "RECORD-WRITE");
}

#[test]
fn one_writer_at_a_time() {
    let dir = folder("busy");
    let day = Day::begin(&dir);
    day.record.lock().unwrap();
    let other = Record::open(&dir).unwrap();
    assert_eq!(other.lock().unwrap_err().rule().name, "RECORD-BUSY");
    drop(day);
    other.lock().unwrap();
}

/// What a copy can be changed into, and the rule that names it. Nothing that the change touched is
/// used, and reading goes on.
#[test]
fn tampering_is_named() {
    let dir = folder("tampered");
    let day = Day::whole(&dir);
    let before = tree(&dir);
    let of = |start: &str| before.keys().find(|name| name.starts_with(start)).unwrap().clone();
    let root_a: KeyFile = KeyFile::from_json(&before[&of("keys/root-a/")]).unwrap();
    let in_place = |file: &KeyFile| format!("keys/{}/{}.json", file.name, file.digest());

    // A swapped key record: another key under the name, and the right key for another holder.
    let swapped = KeyFile { public: kept::key("root-z").public(), ..root_a.clone() };
    let holder = KeyFile { holder: "mallory".parse().unwrap(), ..root_a.clone() };
    let unproved = KeyFile { possession: Possession::ByFirstPublication, ..root_a.clone() };
    let other_trust =
        KeyFile { trust: keyrite::tuf::statement::TrustId::from_bytes([0; 16]), ..root_a.clone() };
    let planted_root = sealed(&root(1, &["root-a", "root-b", "root-c"], None), &["root-a"]);
    let next = sealed(&root(3, &["root-a", "root-b", "root-c"], None), &["root-a", "root-b"]);
    let strict = Limits::default_for(Profile::Tuf);
    let mut loose = strict.clone();
    loose.root.spare_keys = 0;
    let loose = loose.to_toml();
    let mut below = strict.clone();
    below.root.threshold_floor = 1;
    let looser_than_allowed = below.to_toml();
    let sha = |bytes: &[u8]| Digest::of(bytes).hex();

    let cases: &[(&str, String, Vec<u8>, &[&str])] = &[
        ("a swapped key", in_place(&swapped), swapped.to_json(), &["KEY-UNWITNESSED"]),
        ("another holder", in_place(&holder), holder.to_json(), &["KEY-UNWITNESSED"]),
        ("a key without proof", in_place(&unproved), unproved.to_json(), &["KEY-UNWITNESSED"]),
        ("a key of another trust", in_place(&other_trust), other_trust.to_json(), &["RECORD-OTHER"]),
        (
            "a key in another's folder",
            format!("keys/root-b/{}.json", root_a.digest()),
            root_a.to_json(),
            &["RECORD-NAME"],
        ),
        (
            "a planted root",
            format!("metadata/root/2.{}.json", sha(&planted_root)),
            planted_root.clone(),
            &["RECORD-NAME"],
        ),
        ("a root after a gap", format!("metadata/root/3.{}.json", sha(&next)), next, &["RECORD-REST"]),
        (
            "looser limits",
            format!("limits/2.{}.toml", sha(loose.as_bytes())),
            loose.clone().into_bytes(),
            &["LIMITS-UNSIGNED"],
        ),
        (
            "looser first limits",
            format!("limits/1.{}.toml", sha(loose.as_bytes())),
            loose.into_bytes(),
            &["LIMITS-UNSIGNED"],
        ),
        (
            "limits below the floor",
            format!("limits/2.{}.toml", sha(looser_than_allowed.as_bytes())),
            looser_than_allowed.into_bytes(),
            &["LIMITS-FLOOR"],
        ),
        ("a torn statement", of("statements/"), b"{}".to_vec(), &["RECORD-TORN"]),
        ("a stray file", "notes.txt".to_owned(), b"x".to_vec(), &["RECORD-NAME"]),
        ("a stray in a folder", "statements/notes.txt".to_owned(), b"x".to_vec(), &["RECORD-NAME"]),
        ("another file in an upload", format!("{}x", of("uploads/")), b"x".to_vec(), &["MANIFEST-MISMATCH"]),
    ];
    for (what, name, content, rules) in cases {
        for (file, bytes) in &before {
            put(&dir, file, bytes);
        }
        put(&dir, name, content);
        let contents = day.read();
        let mut found = findings(&contents);
        found.dedup();
        // A torn proof takes the key that rests on it along.
        found.retain(|rule| rules.contains(rule) || !matches!(*rule, "KEY-POSSESSION"));
        assert_eq!(found, *rules, "{what}: {:?}", contents.findings);
        assert_eq!(contents.facts.roots.len(), 1, "{what}");
        assert_eq!(contents.facts.limits_number, 1, "{what}");
        for record in contents.facts.keys.values() {
            assert_eq!(record.public, kept::key(record.name.as_str()).public(), "{what}");
        }
        fs::remove_file(dir.join(name)).unwrap();
    }
}

#[test]
fn a_format_of_the_future_is_refused_by_name() {
    let dir = folder("format");
    let day = Day::whole(&dir);
    let (name, bytes) = tree(&dir).into_iter().find(|(name, _)| name.starts_with("keys/")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for (from, to, rule) in [
        ("\"format\":1", "\"format\":2", "RECORD-FORMAT"),
        ("\"format\":1", "\"format\":1,\"x\":1", "RECORD-MEMBER"),
    ] {
        let changed = text.replacen(from, to, 1);
        let folder = name.rsplit_once('/').unwrap().0;
        let name = format!("{folder}/{}.json", Digest::of(changed.as_bytes()));
        put(&dir, &name, changed.as_bytes());
        assert_eq!(findings(&day.read()), [rule]);
        fs::remove_file(dir.join(name)).unwrap();
    }
}

#[test]
fn a_changed_transcript_file_breaks_the_transcript_and_its_keys() {
    let dir = folder("transcript");
    let day = Day::whole(&dir);
    let entries: Vec<_> =
        tree(&dir).into_iter().filter(|(name, _)| name.starts_with("transcripts/")).collect();
    for (name, bytes) in &entries[..entries.len() - 1] {
        // One byte, the file in its place.
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        put(&dir, name, &changed);
        let contents = day.read();
        assert!(findings(&contents).contains(&"RECORD-TORN"), "{name}");
        assert_eq!(contents.broken.values().next().unwrap().rule().name, "TRANSCRIPT-BROKEN", "{name}");
        assert!(contents.facts.keys.is_empty(), "{name}");
        assert!(findings(&contents).contains(&"KEY-UNWITNESSED"), "{name}");
        // And taken out.
        fs::remove_file(dir.join(name)).unwrap();
        assert_eq!(day.read().broken.values().next().unwrap().rule().name, "TRANSCRIPT-BROKEN", "{name}");
        put(&dir, name, bytes);
    }
    assert_eq!(day.read().findings, []);
}

#[test]
fn two_entries_of_one_number_conflict() {
    let dir = folder("entries");
    let mut day = Day::begin(&dir);
    day.start();
    let mut fork = day.transcript.clone();
    day.end();
    let said = keyrite::ceremony::transcript::Said {
        by: None,
        change: None,
        step: None,
        outcome: Outcome::Exception { what: "another end".to_owned() },
        private: std::collections::BTreeMap::new(),
    };
    let other = fork.append(kept::time("2026-11-22T13:05:00Z"), said).unwrap();
    let refusal = day.record.add_outcome(fork.ceremony(), &other).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-CONFLICT");
    put(&dir, &format!("transcripts/{}/000001.{}.json", fork.ceremony(), other.sha), &other.bytes);
    let contents = day.read();
    assert_eq!(contents.broken.values().next().unwrap().rule().name, "RECORD-CONFLICT");
    assert!(contents.transcripts.is_empty());
}

#[test]
fn planted_statements_are_shown_and_never_act() {
    let dir = folder("planted");
    let mut day = Day::begin(&dir);
    day.start();
    day.make_keys();
    let change = day.propose();
    let digest = change.digest();
    let contents = day.read();
    let planted = |name: &str, sentence: Sentence| statement(&contents, name, sentence);
    let reason = || "because".to_owned();
    let withdrawal = || Sentence::Withdrawal { change: digest, reason: reason() };
    // One of two root keys, and a stranger twice: no threshold.
    for signed in [
        planted("root-a", withdrawal()),
        planted("root-y", withdrawal()),
        planted("root-x", withdrawal()),
        planted("root-x", Sentence::Refusal { change: digest, reason: reason() }),
        planted(
            "root-a",
            Sentence::KeyLife {
                key: kept::key("root-b").public().identity(),
                event: KeyEvent::Lost,
                at: today(),
                root: Digest::of(b"no root"),
            },
        ),
        planted(
            "root-a",
            Sentence::Limits { number: 1, limits: contents.facts.limits_file, chain: Digest::of(b"") },
        ),
        planted(
            "root-x",
            Sentence::Possession {
                key: kept::key("root-a").public().identity(),
                name: "root-a".to_owned(),
                holder: "mallory".to_owned(),
                purpose: "root".to_owned(),
                nonce: digest,
            },
        ),
        planted("root-a", Sentence::Decision { what: "keys/root-a".to_owned(), keep: digest, over: vec![] }),
    ] {
        day.record.add_statement(&signed).unwrap();
    }
    let contents = day.read();
    let idle = contents.statements.values().filter_map(|s| s.idle.as_ref());
    assert_eq!(idle.clone().count(), 8);
    assert!(idle.clone().all(|r| r.rule().name == "PLANTED"));
    assert_eq!(contents.changes[&digest].standing.as_ref().unwrap().state, State::Open);
    assert!(contents.changes[&digest].gathered.refusals.is_empty());
    assert!(contents.facts.keys.values().all(|k| k.life.is_empty()));

    // With the second root key the withdrawal acts.
    day.record.add_statement(&planted("root-b", withdrawal())).unwrap();
    let contents = day.read();
    let state = &contents.changes[&digest].standing.as_ref().unwrap().state;
    assert!(matches!(state, State::Withdrawn { .. }), "{state:?}");
    assert_eq!(contents.statements.values().filter(|s| s.idle.is_some()).count(), 5);
}

#[test]
fn a_chain_needs_its_anchor_and_its_binding() {
    let dir = folder("anchor");
    let day = Day::whole(&dir);
    let contents = day.read();
    assert_eq!(contents.require_anchor().unwrap_err().rule().name, "ANCHOR");
    let payload = contents.facts.roots[0].payload().digest();
    let with = |version, payload| {
        let inputs = Inputs { anchor: Some(Anchor { version, payload }), ..Inputs::default() };
        Record::open(&dir).unwrap().read_all(today(), &inputs)
    };
    with(1, payload).unwrap().require_anchor().unwrap();
    assert_eq!(with(1, Digest::of(b"")).unwrap_err().rule().name, "ANCHOR");
    assert_eq!(with(2, payload).unwrap_err().rule().name, "ANCHOR");

    // Without the limits statement the record could be anyone's copy of these documents.
    for (file, signed) in &contents.statements {
        if signed.signed.statement().kind() == "limits" {
            fs::remove_file(dir.join(format!("statements/{file}.json"))).unwrap();
        }
    }
    let unbound = with(1, payload).unwrap();
    assert_eq!(unbound.require_anchor().unwrap_err().rule().name, "TRUST-UNBOUND");
}

#[test]
fn a_record_older_than_what_people_know_is_stale() {
    let dir = folder("stale");
    let day = Day::whole(&dir);
    let contents = day.read();
    assert_eq!(contents.require_fresh().unwrap_err().rule().name, "STALE-RECORD");
    let with = |head| {
        let inputs = Inputs { heads: vec![head], ..Inputs::default() };
        Record::open(&dir).unwrap().read_all(today(), &inputs).unwrap().require_fresh()
    };
    with(contents.loose_heads()[0]).unwrap();
    assert_eq!(with(Digest::of(b"newer")).unwrap_err().rule().name, "STALE-RECORD");

    // The backend's answer, dated. The timestamp of the record ends on 2026-12-01.
    let timestamp = Digest::of(contents.facts.documents[&RoleName::Timestamp].bytes());
    for (at, today, served, good) in [
        ("2026-11-22T14:00:00Z", "2026-11-22T15:00:00Z", timestamp, true),
        ("2026-11-22T14:00:00Z", "2026-12-06T13:00:00Z", timestamp, true),
        ("2026-11-22T14:00:00Z", "2026-12-06T15:00:00Z", timestamp, false),
        ("2026-11-22T16:00:00Z", "2026-11-22T15:00:00Z", timestamp, false),
        ("2026-12-02T14:00:00Z", "2026-12-02T15:00:00Z", timestamp, false),
        ("2026-11-22T14:00:00Z", "2026-11-22T15:00:00Z", Digest::of(b"another"), false),
    ] {
        let receipt = keyrite::record::receipt::Receipt {
            trust: day.record.trust().id,
            at: kept::time(at),
            manifest: *contents.uploads.keys().next().unwrap(),
            result: keyrite::record::receipt::Answer::Observed,
            served: [(RoleName::Timestamp, (1, served))].into(),
            server: "https://tuf.example.com".to_owned(),
        };
        let name = day.record.add_receipt(&receipt).unwrap();
        let later = Record::open(&dir).unwrap().read_all(kept::time(today), &Inputs::default()).unwrap();
        assert_eq!(later.require_fresh().is_ok(), good, "{at} {today}");
        fs::remove_file(dir.join(format!("receipts/{name}.json"))).unwrap();
    }
}

#[test]
fn a_key_signs_one_payload_for_a_version() {
    let dir = folder("fork");
    let mut day = Day::begin(&dir);
    day.start();
    day.make_keys();
    let first = day.propose();
    day.sign(&first, &["targets-a"]);
    let mut items = first.items.clone();
    items[1] = Item::Document {
        payload: keyrite::tuf::make::targets(
            Profile::Tuf,
            &RoleName::Targets,
            1,
            kept::time("2027-10-01T13:00:00Z"),
            None,
            &[],
        )
        .unwrap(),
        asked: vec![kept::ask("targets-a", Some(Profile::Tuf), &[Counts::New])],
    };
    let second = Change { items, frame: kept::frame("create-root", 3), ..first.clone() };
    day.record.add_change(&second, kept::RUNBOOK.as_bytes()).unwrap();
    let payload = Digest::of(second.items[1].payload_bytes().unwrap());
    let key = kept::key("targets-a").public().identity();
    let fork = |day: &Day| day.read().require_no_fork(&second.digest(), key, &payload);
    assert_eq!(fork(&day).unwrap_err().rule().name, "ROLE-FORK");
    // The same payload again is no fork, nor is another key's.
    let again = Digest::of(first.items[1].payload_bytes().unwrap());
    day.read().require_no_fork(&first.digest(), key, &again).unwrap();
    day.read().require_no_fork(&second.digest(), kept::key("root-a").public().identity(), &payload).unwrap();
    let contents = day.read();
    for name in ["root-a", "root-b"] {
        let sentence = Sentence::Withdrawal { change: first.digest(), reason: "again".to_owned() };
        day.record.add_statement(&statement(&contents, name, sentence)).unwrap();
    }
    fork(&day).unwrap();
}

#[test]
fn two_verified_documents_of_one_version_conflict_until_clients_have_one() {
    let dir = folder("twins");
    let mut day = Day::begin(&dir);
    day.start();
    day.make_keys();
    let change = day.propose();
    day.sign(&change, &["root-a", "root-b", "root-c", "targets-a"]);
    day.seal(&change);
    let twin = keyrite::tuf::make::targets(
        Profile::Tuf,
        &RoleName::Targets,
        1,
        kept::time("2027-10-01T13:00:00Z"),
        None,
        &[],
    )
    .unwrap();
    let alone = day.read();
    // Not signed: no conflict, a finding.
    let unsigned = sealed(&twin, &["root-c"]);
    let name = format!("metadata/targets/1.{}.json", Digest::of(&unsigned));
    put(&dir, &name, &unsigned);
    assert!(day.read().conflicts.is_empty());
    assert_eq!(findings(&day.read()), ["ROLE-THRESHOLD"]);
    fs::remove_file(dir.join(name)).unwrap();

    let signed = sealed(&twin, &["targets-a"]);
    day.record.add_metadata(&RoleName::Targets, 1, &signed).unwrap();
    let contents = day.read();
    assert_eq!(contents.conflicts[&RoleName::Targets].rule().name, "RECORD-CONFLICT");
    assert_eq!(contents.require_sound(&change).unwrap_err().rule().name, "RECORD-CONFLICT");
    assert!(!contents.facts.documents.contains_key(&RoleName::Targets));

    // A decision by root's threshold settles it, and none by the keys whose documents conflict.
    let keep = Digest::of(alone.facts.documents[&RoleName::Targets].bytes());
    let decision = || Sentence::Decision {
        what: "metadata/targets/1".to_owned(),
        keep,
        over: vec![Digest::of(&signed)],
    };
    day.record.add_statement(&statement(&contents, "targets-a", decision())).unwrap();
    assert!(!day.read().conflicts.is_empty());
    for key in ["root-a", "root-b"] {
        day.record.add_statement(&statement(&contents, key, decision())).unwrap();
    }
    let contents = day.read();
    assert!(contents.conflicts.is_empty(), "{:?}", contents.findings);
    assert_eq!(Digest::of(contents.facts.documents[&RoleName::Targets].bytes()), keep);

    // And so does a higher version.
    let second = sealed(&targets(2), &["targets-a"]);
    day.record.add_metadata(&RoleName::Targets, 2, &second).unwrap();
    assert_eq!(day.read().facts.documents[&RoleName::Targets].version(), 2);
}

#[test]
fn the_same_payload_with_more_signatures_is_no_conflict() {
    let dir = folder("resealed");
    let mut day = Day::begin(&dir);
    day.start();
    day.make_keys();
    let change = day.propose();
    day.sign(&change, &["root-a", "root-b", "targets-a"]);
    day.seal(&change);
    let more = sealed(&root(1, &["root-a", "root-b", "root-c"], None), &["root-a", "root-b", "root-c"]);
    day.record.add_metadata(&RoleName::Root, 1, &more).unwrap();
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.facts.roots[0].bytes(), more);
    assert_eq!(contents.history.iter().filter(|d| d.role == RoleName::Root).count(), 2);
}

/// Anyone can write entries beside the signatures of a file, under ids of nobody and under those of
/// keys that have not signed: it comes before no file with as many signatures that verify.
#[test]
fn what_is_no_signature_is_not_counted() {
    let mut day = Day::begin(&folder("junk"));
    day.start();
    day.make_keys();
    let change = day.propose();
    day.sign(&change, &["root-a", "root-b", "targets-a"]);
    day.seal(&change);
    let contents = day.read();
    let honest: Vec<_> = contents.facts.roots.iter().chain(contents.facts.documents.values()).collect();
    let honest: Vec<_> = honest.iter().map(|d| (d.role().clone(), d.bytes().to_vec())).collect();
    assert!(honest.len() > 1);
    for (role, bytes) in &honest {
        let text = std::str::from_utf8(bytes).unwrap();
        let start = "\"signatures\":[";
        assert!(text.contains(start), "{text}");
        let third = kept::key("root-c").public().identity().to_string();
        let entry = |n: u8| {
            let id = if n == 0 { third.clone() } else { n.to_string().repeat(64) };
            format!("{{\"keyid\":\"{id}\",\"sig\":\"{}\"}},", "0".repeat(140))
        };
        let junk = (0..8).map(entry).collect::<Vec<_>>().concat();
        let more = text.replace(start, &format!("{start}{junk}{}", " ".repeat(4096)));
        day.record.add_metadata(role, 1, more.as_bytes()).unwrap();
    }
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.history.iter().filter(|d| d.role == RoleName::Root).count(), 2, "it is kept");
    for document in contents.facts.roots.iter().chain(contents.facts.documents.values()) {
        let (_, bytes) = honest.iter().find(|(role, _)| role == document.role()).unwrap();
        assert!(document.bytes() == bytes, "{} with junk", document.role());
    }
    // Of what came in late, each signature that the newest file lacks counts.
    assert!(!contents.late(&contents.changes[&change.digest()]));
    day.sign(&change, &["root-c"]);
    let contents = day.read();
    assert!(contents.late(&contents.changes[&change.digest()]));
    let more = sealed(&root(1, &["root-a", "root-b", "root-c"], None), &["root-a", "root-b", "root-c"]);
    day.record.add_metadata(&RoleName::Root, 1, &more).unwrap();
    let contents = day.read();
    assert_eq!(contents.facts.roots[0].bytes(), more);
    assert!(!contents.late(&contents.changes[&change.digest()]));
    // Anyone can write a change around them that asks a key of their own, which no root lists.
    let mut planted = change.clone();
    planted.frame.nonce = [9; 32];
    let Item::Document { asked, .. } = &mut planted.items[0] else { panic!("{planted:?}") };
    asked.push(kept::ask("witness-b", Some(Profile::Tuf), &[Counts::New]));
    day.record.add_change(&planted, kept::RUNBOOK.as_bytes()).unwrap();
    day.sign(&planted, &["root-a", "root-b", "root-c", "witness-b"]);
    let contents = day.read();
    let stored = &contents.changes[&planted.digest()];
    assert!(stored.signatures.values().any(|came| came.len() == 4));
    assert!(stored.closed() && !contents.late(stored));
}

/// Whoever holds keys that were given up can go on signing what is here: however many there are, no
/// file of theirs stands before one that clients of today take.
#[test]
fn former_keys_outweigh_none_of_today() {
    let day = Day::begin(&folder("former"));
    let names = ["root-a", "root-b"];
    let first = root(1, &names, None);
    let spec = |keys: &[&str]| kept::spec(keys, 1);
    let two = |targets: &[&str], version| RootSpec {
        version,
        expires: kept::time("2028-11-22T13:00:00Z"),
        root: kept::spec(&names, 2),
        targets: spec(targets),
        snapshot: spec(&["snapshot-1"]),
        timestamp: spec(&["timestamp-1"]),
    };
    let gone = ["witness-b", "root-c"];
    let second = make::root(Profile::Tuf, &two(&gone, 2), Some(&first)).unwrap();
    let third = make::root(Profile::Tuf, &two(&["targets-a"], 3), Some(&second)).unwrap();
    for (version, payload) in [(1, &first), (2, &second), (3, &third)] {
        day.record.add_metadata(&RoleName::Root, version, &sealed(payload, &names)).unwrap();
    }
    let today = sealed(&targets(1), &["targets-a"]);
    day.record.add_metadata(&RoleName::Targets, 1, &today).unwrap();
    day.record.add_metadata(&RoleName::Targets, 1, &sealed(&targets(1), &gone)).unwrap();
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert!(contents.facts.documents[&RoleName::Targets].bytes() == today, "the former keys' file");
}

/// Three custodians sign on three copies; whatever is copied first, the record is the same.
#[test]
fn copies_merge_in_any_order() {
    let start = folder("merge-start");
    let mut day = Day::begin(&start);
    day.start();
    day.make_keys();
    let change = day.propose();
    let base = tree(&start);
    let copies: Vec<_> = ["root-a", "root-b", "targets-a"]
        .iter()
        .map(|name| {
            let dir = folder(&format!("merge-{name}"));
            for (file, bytes) in &base {
                put(&dir, file, bytes);
            }
            let record = Record::open(&dir).unwrap();
            sign(&record, &change, &[name]);
            tree(&dir)
        })
        .collect();
    let mut results = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
        let dir = folder(&format!("merge-order-{order:?}"));
        for n in order {
            for (file, bytes) in &copies[n] {
                put(&dir, file, bytes);
            }
        }
        let contents = read(&dir);
        assert_eq!(contents.findings, []);
        let state = contents.changes[&change.digest()].standing.as_ref().unwrap().state.clone();
        assert_eq!(state, State::Complete { everyone: false });
        results.push(format!("{:?}{:?}", contents.changes, tree(&dir)));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

/// A key that left the root two versions ago can still sign it: neither such a file nor an upload of it
/// takes the place of the upload that waits.
#[test]
fn a_former_key_takes_no_upload_away() {
    let mut day = Day::begin(&folder("former-upload"));
    day.start();
    day.make_keys();
    let mut change = day.propose();
    let names = ["root-a", "root-b"];
    let first = root(1, &["root-a", "root-b", "root-c"], None);
    let second = root(2, &names, Some(&first));
    let third = root(3, &names, Some(&second));
    for (version, payload) in [(1, &first), (2, &second)] {
        day.record.add_metadata(&RoleName::Root, version, &sealed(payload, &names)).unwrap();
    }
    let asked = names.map(|name| kept::ask(name, Some(Profile::Tuf), &[Counts::Old, Counts::New])).to_vec();
    change.items = vec![Item::Document { payload: third.clone(), asked }];
    day.record.add_change(&change, kept::RUNBOOK.as_bytes()).unwrap();
    let mut uploads = Vec::new();
    for signers in [&names[..], &["root-a", "root-b", "root-c"]] {
        let bytes = sealed(&third, signers);
        day.record.add_metadata(&RoleName::Root, 3, &bytes).unwrap();
        let documents = BTreeMap::from([(RoleName::Root, (3, bytes))]);
        let upload = Upload::new(day.record.trust(), Some(change.digest()), &documents, None).unwrap();
        uploads.push(format!("uploads/{}", day.record.add_upload(&upload).unwrap()));
    }
    let contents = day.read();
    assert_eq!(contents.uploads.len(), 2, "{:?}", contents.findings);
    let waiting = contents.unpublished_uploads();
    assert!(waiting.contains(&uploads[0]), "{waiting:?} without {}", uploads[0]);
}
