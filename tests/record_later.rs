//! What a record says after the first day: proofs of keys, the next root and its limits,
//! delegations, conflicts that clients settle, rehearsals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, findings, folder, key, put, root, sealed, statement, targets, time, today, tree};
use keyrite::ceremony::change::{Base, Change, Counts, Item, Possession, Purpose};
use keyrite::ceremony::facts::Stage;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::outcome::{Outcome, TokenSeen};
use keyrite::ceremony::standing::State;
use keyrite::cli::status::silent as silent_in;
use keyrite::record::key_file::TokenNote;
use keyrite::record::{Inputs, KeyFile, Media, Record, TrustFile, TrustSpec};
use keyrite::signer::{TokenIdentity, TokenKind};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{MetaFile, PathRule};
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::{KeyEvent, Sentence, Statement};
use keyrite::tuf::wire;
use std::num::NonZeroU32;

/// Every way in which a key file can be witnessed and still not be proved.
#[test]
fn a_witnessed_key_still_needs_its_proof() {
    type Spoil = fn(&mut KeyFile, &mut Sentence, &mut Digest, &mut &str);
    let cases: &[(&str, Spoil, Option<&str>)] = &[
        ("as it should be", |_, _, _, _| {}, None),
        (
            "another holder",
            |_, s, _, _| spoil(s, |_, holder, _| *holder = "mallory".to_owned()),
            Some("KEY-POSSESSION"),
        ),
        (
            "another name",
            |_, s, _, _| spoil(s, |name, _, _| *name = "root-b".to_owned()),
            Some("KEY-POSSESSION"),
        ),
        (
            "another purpose",
            |_, s, _, _| spoil(s, |_, _, purpose| *purpose = "targets".to_owned()),
            Some("KEY-POSSESSION"),
        ),
        ("another nonce", |_, _, nonce, _| *nonce = Digest::of(b"old"), Some("KEY-POSSESSION")),
        ("another signer", |_, _, _, signer| *signer = "root-z", Some("KEY-POSSESSION")),
        (
            "no statement",
            |f, _, _, _| f.possession = Possession::Proved(Digest::of(b"")),
            Some("KEY-POSSESSION"),
        ),
        (
            "a root key by first use",
            |f, _, _, _| f.possession = Possession::ByFirstPublication,
            Some("KEY-POSSESSION"),
        ),
        (
            "a root key read back",
            |f, _, _, _| f.possession = Possession::BackendReadBack,
            Some("KEY-POSSESSION"),
        ),
        (
            "a document from nowhere",
            |f, _, _, _| f.possession = Possession::TrustedDocument(Digest::of(b"")),
            Some("KEY-POSSESSION"),
        ),
        (
            "a delegation's key by first use",
            |f, _, _, _| {
                f.purpose = Purpose::Delegation;
                f.possession = Possession::ByFirstPublication;
            },
            None,
        ),
        (
            "a certificate of another key",
            |f, _, _, _| f.certificate = Some(certificate()),
            Some("KEY-POSSESSION"),
        ),
    ];
    for (what, spoil, rule) in cases {
        let mut day = Day::begin(&folder("proof"));
        day.start();
        let (mut nonce, mut signer) = (Digest::of(b"change"), "root-a");
        let mut sentence = Sentence::Possession {
            key: key("root-a").public().identity(),
            name: "root-a".to_owned(),
            holder: "alice".to_owned(),
            purpose: "root".to_owned(),
            nonce,
        };
        let mut file = day.key_file("root-a", nonce, Possession::Proved(nonce));
        spoil(&mut file, &mut sentence, &mut nonce, &mut signer);
        if let Sentence::Possession { nonce: inside, .. } = &mut sentence {
            *inside = nonce;
        }
        let proof = statement(&day.read(), signer, sentence);
        let sha = day.record.add_statement(&proof).unwrap();
        if file.possession == Possession::Proved(Digest::of(b"change")) {
            file.possession = Possession::Proved(sha);
        }
        witness(&mut day, &file);
        let contents = day.read();
        let found = findings(&contents);
        assert_eq!(found.first().copied(), *rule, "{what}: {:?}", contents.findings);
        assert_eq!(contents.facts.keys.is_empty(), rule.is_some(), "{what}");
    }
}

fn spoil(sentence: &mut Sentence, with: impl Fn(&mut String, &mut String, &mut String)) {
    if let Sentence::Possession { name, holder, purpose, .. } = sentence {
        with(name, holder, purpose);
    }
}

fn certificate() -> String {
    use keyrite::tuf::certificate::CertificatePayload;
    use keyrite::tuf::payload::Payload;
    let other = key("root-b");
    let (from, to) = (time("2026-01-01T00:00:00Z"), time("2036-01-01T00:00:00Z"));
    let payload =
        CertificatePayload::new(other.public(), "updates.example.com/apps", [64; 16], from, to).unwrap();
    let signature = other.signature(payload.scheme(), &Payload::Certificate(payload.clone()));
    payload.assemble(&signature).unwrap()
}

/// Writes a key file, has the transcript name it, people compare its digest and the witness see it.
fn witness(day: &mut Day, file: &KeyFile) -> Digest {
    let sha = name(day, file);
    compare(day, file);
    day.witness();
    sha
}

fn compare(day: &mut Day, file: &KeyFile) {
    let digest = file.public.identity().digest();
    day.say(None, Outcome::ReadBack { what: format!("the public key {}", file.name), digest });
}

/// Writes a key file and has the transcript name it.
fn name(day: &mut Day, file: &KeyFile) -> Digest {
    // As a medium brings it: a copy of one's own would refuse a second key of a name.
    let sha = file.digest();
    put(&day.dir, &format!("keys/{}/{sha}.json", file.name), &file.to_json());
    let outcome = Outcome::Key {
        name: file.name.clone(),
        file: sha,
        identity: file.public.identity(),
        adopted: false,
        token: TokenSeen { label: String::new(), serial: String::new() },
    };
    day.say(None, outcome);
    sha
}

/// A transcript that names a key is not enough: anyone can write one on a medium, and a session may
/// have been cut off before people saw what they made.
#[test]
fn a_key_counts_once_people_have_compared_it_before_their_witness() {
    type Told = fn(&mut Day, &KeyFile);
    let cases: &[(&str, &[Told], bool)] = &[
        ("named alone", &[|d, f| _ = name(d, f)], false),
        (
            "named, and another digest compared",
            &[|d, f| _ = name(d, f), |d, _| d.read_back(Digest::of(b""), "root-b"), |d, _| d.witness()],
            false,
        ),
        ("named and compared", &[|d, f| _ = name(d, f), compare], false),
        ("seen before it was compared", &[|d, f| _ = name(d, f), |d, _| d.witness(), compare], false),
        (
            "compared and seen, and not named",
            &[|d, f| _ = d.record.add_key(f).unwrap(), compare, |d, _| d.witness()],
            false,
        ),
        (
            "cut off before its witness",
            &[|d, f| _ = name(d, f), compare, |d, _| d.end(), |d, _| d.start(), |d, _| d.witness()],
            false,
        ),
        (
            "compared in the next session",
            &[|d, f| _ = name(d, f), |d, _| d.end(), |d, _| d.start(), compare, |d, _| d.witness()],
            true,
        ),
        ("compared before it came in", &[compare, |d, f| _ = name(d, f), |d, _| d.witness()], true),
    ];
    for (what, told, counts) in cases {
        let mut day = Day::begin(&folder("compared"));
        day.start();
        let change = Digest::of(b"change");
        let proof = day.record.add_statement(&day.possession("root-a", change)).unwrap();
        let file = day.key_file("root-a", change, Possession::Proved(proof));
        for say in *told {
            say(&mut day, &file);
        }
        let contents = day.read();
        assert_eq!(!contents.facts.keys.is_empty(), *counts, "{what}: {:?}", contents.findings);
        assert_eq!(findings(&contents).contains(&"KEY-UNWITNESSED"), !counts, "{what}");
    }
}

/// A second file for a key's name: a conflict, unless it replaces the first or people decide.
#[test]
fn two_files_for_one_key_conflict_unless_one_replaces_the_other() {
    let mut day = Day::begin(&folder("two-keys"));
    day.start();
    day.make_keys();
    let contents = day.read();
    let first = contents.facts.keys[&"root-a".parse().unwrap()].file;
    let (old, _) = contents.key_files[&first].clone();
    let nonce = Digest::of(b"another change");
    let proof = day.record.add_statement(&day.possession("root-a", nonce)).unwrap();
    let renewed = KeyFile {
        change: nonce,
        possession: Possession::Proved(proof),
        replaces: Some(first),
        ..old.clone()
    };
    let mut branch = Day::begin(&folder("two-keys-branch"));
    for (name, bytes) in tree(&day.dir) {
        put(&branch.dir, &name, &bytes);
    }
    branch.transcript = day.transcript.clone();

    let end = witness(&mut day, &renewed);
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.facts.keys[&"root-a".parse().unwrap()].file, end);

    let rival = KeyFile { replaces: None, ..renewed };
    let rival = witness(&mut branch, &rival);
    let contents = branch.read();
    assert_eq!(findings(&contents), ["RECORD-CONFLICT", "RECORD-CONFLICT"]);
    assert!(!contents.facts.keys.contains_key(&"root-a".parse().unwrap()));
    assert_eq!(contents.facts.keys.len(), 6);
    // Another key under the name is refused before it is written.
    let other = KeyFile { public: key("root-z").public(), ..old };
    assert_eq!(branch.record.add_key(&other).unwrap_err().rule().name, "RECORD-CONFLICT");

    // The threshold of the newest root decides.
    let change = branch.propose();
    branch.sign(&change, &["root-a", "root-b", "targets-a"]);
    branch.seal(&change);
    let contents = branch.read();
    for name in ["root-a", "root-b"] {
        let decision = Sentence::Decision { what: "keys/root-a".to_owned(), keep: rival, over: vec![first] };
        branch.record.add_statement(&statement(&contents, name, decision)).unwrap();
    }
    assert_eq!(branch.read().facts.keys[&"root-a".parse().unwrap()].file, rival);
}

/// A medium brings a copy of a key's file that says another token: the proof that both name stays with
/// the one that is here, though the other's name comes first.
#[test]
fn no_file_from_a_medium_takes_the_proof_of_one_that_is_here() {
    let mut day = Day::begin(&folder("proof-taken"));
    day.start();
    day.make_keys();
    let contents = day.read();
    let root_a = "root-a".parse().unwrap();
    let own = contents.facts.keys[&root_a].file;
    let (file, _) = contents.key_files[&own].clone();
    let mut medium = Day::begin(&folder("proof-taken-medium"));
    for (name, bytes) in tree(&day.dir) {
        put(&medium.dir, &name, &bytes);
    }
    medium.transcript = day.transcript.clone();
    let token = |n: u32| {
        TokenNote::of(&TokenIdentity {
            kind: TokenKind::Pkcs11,
            label: "root-a".to_owned(),
            serial: n.to_string(),
            manufacturer: String::new(),
            model: String::new(),
            firmware: String::new(),
        })
    };
    let mut planted = (0..64).map(|n| KeyFile { token: token(n), ..file.clone() });
    let planted = planted.find(|planted| planted.digest() < own).unwrap();
    let sha = name(&mut medium, &planted);
    let report = day.record.import(&Media::open(&medium.dir).unwrap(), today()).unwrap();
    let left = report
        .left
        .iter()
        .any(|(place, why)| place.contains(&sha.to_string()) && why.rule().name == "KEY-POSSESSION");
    assert!(left, "{:?}", report.left);
    assert_eq!(day.read().facts.keys[&root_a].file, own);
}

/// Root 2 without `root-c`, with its limits statement for `number` and `limits`.
fn next_root(day: &mut Day, number: u64, limits: Digest) -> Change {
    let contents = day.read();
    let base = contents.facts.roots[0].payload().clone();
    let root = root(2, &["root-a", "root-b"], Some(&base));
    let chain = contents.facts.chain(Some(root.digest()));
    let sentence = Sentence::Limits { number, limits, chain };
    let limits = Statement::new(contents.facts.trust.id, sentence).unwrap();
    let asked =
        |profile| ["root-a", "root-b"].map(|n| kept::ask(n, profile, &[Counts::Old, Counts::New])).to_vec();
    let items = vec![
        Item::Document { payload: root, asked: asked(Some(Profile::Tuf)) },
        Item::Statement {
            payload: limits,
            asked: ["root-a", "root-b"].map(|n| kept::ask(n, None, &[Counts::New])).to_vec(),
        },
    ];
    let documents = [(RoleName::Root, (1, base.digest()))].into();
    let summary = vec!["root-c goes".to_owned()];
    let change =
        Change::new(&kept::frame("rotate-root", 4), &contents.facts, Base { documents }, items, summary);
    day.record.add_change(&change, kept::RUNBOOK.as_bytes()).unwrap();
    change
}

#[test]
fn the_next_root_brings_its_limits_and_leaves_what_was_sealed() {
    let mut day = Day::whole(&folder("next-root"));
    let mut strict = Limits::default_for(Profile::Tuf);
    strict.root.witnesses = 2;
    let text = strict.to_toml();
    let sha = day.record.add_limits(2, text.as_bytes()).unwrap();
    assert_eq!(findings(&day.read()), ["LIMITS-UNSIGNED"]);
    let change = next_root(&mut day, 2, sha);
    day.sign(&change, &["root-a"]);
    assert_eq!(day.read().changes[&change.digest()].standing.as_ref().unwrap().state, State::Open);
    day.sign(&change, &["root-b"]);
    assert_eq!(
        day.read().changes[&change.digest()].standing.as_ref().unwrap().state,
        State::Complete { everyone: true }
    );
    day.seal(&change);
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.facts.roots.len(), 2);
    assert_eq!((contents.facts.limits_number, contents.facts.limits_file), (2, sha));
    assert_eq!(contents.facts.limits.root.witnesses, 2);
    assert_eq!(contents.unbound, None);
    for stored in contents.changes.values() {
        let state = &stored.standing.as_ref().unwrap().state;
        assert!(matches!(state, State::Sealed | State::Published), "{}: {state:?}", stored.change.frame.kind);
    }
    // Root 2 is not published: what the backend serves needs root 1 alone.
    assert!(!contents.facts.published.contains(&contents.facts.roots[1].payload().digest()));
    assert!(contents.facts.published.contains(&contents.facts.roots[0].payload().digest()));
    assert_eq!(contents.unpublished_uploads().len(), 1);

    // The newer limits taken away: the record is unbound, and nothing looser takes their place.
    let name = format!("limits/2.{sha}.toml");
    std::fs::remove_file(day.dir.join(&name)).unwrap();
    let contents = day.read();
    assert_eq!(contents.unbound.as_ref().unwrap().rule().name, "TRUST-UNBOUND");
    put(&day.dir, &name, text.as_bytes());
    // Root 2 alone, without its statement.
    for (file, stored) in &day.read().statements {
        let old = matches!(stored.signed.statement().sentence(), Sentence::Limits { number: 2, .. });
        if old {
            std::fs::remove_file(day.dir.join(format!("statements/{file}.json"))).unwrap();
        }
    }
    let contents = day.read();
    assert_eq!(contents.unbound.as_ref().unwrap().rule().name, "TRUST-UNBOUND");
    assert!(findings(&contents).contains(&"LIMITS-UNSIGNED"));
}

/// Limits that a copy loosened, signed by all that its maker has: one key of two, or strangers.
#[test]
fn limits_need_the_threshold_of_the_newest_root() {
    let day = Day::whole(&folder("loosened"));
    let contents = day.read();
    let mut loose = Limits::default_for(Profile::Tuf);
    loose.root.spare_keys = 0;
    let limits = day.record.add_limits(2, loose.to_toml().as_bytes()).unwrap();
    let chain = contents.facts.chain(None);
    let sentence = || Sentence::Limits { number: 2, limits, chain };
    for name in ["root-a", "root-x", "targets-a", "witness-b"] {
        day.record.add_statement(&statement(&contents, name, sentence())).unwrap();
        let contents = day.read();
        assert_eq!(contents.facts.limits_number, 1, "{name}");
        assert_eq!(findings(&contents), ["LIMITS-UNSIGNED"], "{name}");
    }
    day.record.add_statement(&statement(&contents, "root-b", sentence())).unwrap();
    assert_eq!(day.read().facts.limits_number, 2);
}

#[test]
fn what_became_of_a_key_is_said_by_the_root_that_the_statement_names() {
    let day = Day::whole(&folder("life"));
    let contents = day.read();
    let root = contents.facts.roots[0].payload().digest();
    let at = today();
    let lost = |event| Sentence::KeyLife { key: key("root-c").public().identity(), event, at, root };
    day.record.add_statement(&statement(&contents, "root-a", lost(KeyEvent::Lost))).unwrap();
    assert!(day.read().facts.keys[&"root-c".parse().unwrap()].life.is_empty());
    day.record.add_statement(&statement(&contents, "root-c", lost(KeyEvent::Lost))).unwrap();
    assert_eq!(day.read().facts.keys[&"root-c".parse().unwrap()].life, [(KeyEvent::Lost, at)]);
}

#[test]
fn a_root_that_another_followed_says_nothing_of_keys_in_use() {
    let mut day = Day::whole(&folder("life-of-old"));
    let sha = day.read().facts.limits_file;
    let number = day.read().facts.limits_number;
    let change = next_root(&mut day, number, sha);
    day.sign(&change, &["root-a", "root-b"]);
    day.seal(&change);
    // The key, the root that is named (by its place), whether the statement acts.
    for (of, root, acts) in
        [("root-c", 0, true), ("root-b", 0, false), ("targets-a", 0, false), ("targets-a", 1, true)]
    {
        let contents = day.read();
        let root = contents.facts.roots[root].payload().digest();
        let at = today();
        for by in ["root-a", "root-b"] {
            let key = key(of).public().identity();
            let life = Sentence::KeyLife { key, event: KeyEvent::Compromised, at, root };
            day.record.add_statement(&statement(&contents, by, life)).unwrap();
        }
        let life = &day.read().facts.keys[&of.parse().unwrap()].life;
        assert_eq!(!life.is_empty(), acts, "{of}, {root}");
    }
}

#[test]
fn the_targets_keys_give_up_delegation_keys_and_no_others() {
    // Whose key is said to be stolen, who says so, by the newest root or another; whether it acts.
    let table = [
        ("delegation-a", "targets-a", true, true),
        ("delegation-a", "targets-b", true, false),
        ("delegation-a", "snapshot-1", true, false),
        ("delegation-a", "delegation-a", true, false),
        ("delegation-a", "root-a", true, false),
        ("delegation-a", "targets-a", false, false),
        ("delegation-b", "targets-a", true, false),
        ("root-c", "targets-a", true, false),
        ("targets-a", "targets-a", true, false),
        ("snapshot-1", "targets-a", true, false),
    ];
    for (of, by, newest, acts) in table {
        let mut day = Day::whole(&folder("life-below"));
        day.start();
        let file = day.key_file("delegation-a", Digest::of(b"change"), Possession::ByFirstPublication);
        witness(&mut day, &file);
        let contents = day.read();
        let root = contents.facts.roots[0].payload().digest();
        let life = Sentence::KeyLife {
            key: key(of).public().identity(),
            event: KeyEvent::Compromised,
            at: today(),
            root: if newest { root } else { Digest::of(b"no root") },
        };
        day.record.add_statement(&statement(&contents, by, life.clone())).unwrap();
        let contents = day.read();
        let lives = contents.facts.keys.values().filter(|record| !record.life.is_empty());
        let given_up: Vec<_> = lives.map(|record| record.name.as_str()).collect();
        assert_eq!(given_up, if acts { vec![of] } else { Vec::new() }, "{of} by {by}");
        let idle: Vec<_> = contents.statements.values().filter_map(|s| s.idle.as_ref()).collect();
        assert_eq!(
            idle.iter().map(|r| r.rule().name).collect::<Vec<_>>(),
            if acts { vec![] } else { vec!["PLANTED"] }
        );
        // Other targets keys would end it, until root says the same.
        let told = |contents: &keyrite::record::Contents| {
            contents.facts.said_by_targets.keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(told(&contents), if acts { vec![key(of).public().identity()] } else { vec![] }, "{of}");
        if acts {
            for by in ["root-a", "root-b"] {
                day.record.add_statement(&statement(&contents, by, life.clone())).unwrap();
            }
            assert_eq!(told(&day.read()), []);
        }
    }
}

/// Targets keys that were given up, and roots, could else end any developer's key before a document
/// lists it, or where only a delegation's document does.
#[test]
fn former_keys_end_none_that_is_in_use_or_came_in_since() {
    let app = RoleName::Delegated("app".to_owned());
    // Where the key is listed, who signs for targets since root 2, who says that the key was stolen,
    // by which root; whether it acts.
    let table: [(&str, &str, &[&str], u64, bool); 9] = [
        ("nowhere", "witness-b", &["targets-a"], 1, false),
        ("nowhere", "witness-b", &["witness-b"], 2, true),
        ("nowhere", "targets-a", &["targets-a"], 1, true),
        ("once", "witness-b", &["targets-a"], 1, true),
        // What only another developer's document lists is protected by nobody.
        ("below", "witness-b", &["root-a", "root-b"], 1, true),
        ("below", "witness-b", &["root-a", "root-b"], 2, true),
        ("granted", "witness-b", &["root-a", "root-b"], 1, false),
        ("granted", "witness-b", &["root-a", "root-b"], 2, true),
        ("granted", "witness-b", &["witness-b"], 2, true),
    ];
    for (listed, since, by, named, acts) in table {
        let mut day = Day::whole(&folder("life-since"));
        day.start();
        let file = day.key_file("delegation-a", Digest::of(b"change"), Possession::ByFirstPublication);
        witness(&mut day, &file);
        let add = |day: &Day, role: &RoleName, payload: &MetadataPayload, by: &[&str]| {
            day.record.add_metadata(role, payload.version(), &sealed(payload, by)).unwrap();
        };
        if listed == "once" {
            add(&day, &RoleName::Targets, &granted(2, "delegation-a"), &["targets-a"]);
            day.publish();
        }
        let first = day.read().facts.roots[0].payload().clone();
        let spec = RootSpec {
            version: 2,
            expires: time("2028-11-22T13:00:00Z"),
            root: kept::spec(&["root-a", "root-b"], 2),
            targets: kept::spec(&[since], 1),
            snapshot: kept::spec(&["snapshot-1"], 1),
            timestamp: kept::spec(&["timestamp-1"], 1),
        };
        let second = make::root(Profile::Tuf, &spec, Some(&first)).unwrap();
        add(&day, &RoleName::Root, &second, &["root-a", "root-b"]);
        match listed {
            "below" => {
                add(&day, &RoleName::Targets, &granted(3, "snapshot-1"), &[since]);
                add(&day, &app, &granting(&app, 1, "below", "delegation-a"), &["snapshot-1"]);
            }
            "granted" => add(&day, &RoleName::Targets, &granted(3, "delegation-a"), &[since]),
            _ => add(&day, &RoleName::Targets, &targets(3), &[since]),
        }
        let contents = day.read();
        assert_eq!(contents.facts.documents[&RoleName::Targets].version(), 3);
        assert_eq!(contents.facts.documents.contains_key(&app), listed == "below");
        let life = || Sentence::KeyLife {
            key: key("delegation-a").public().identity(),
            event: KeyEvent::Compromised,
            at: today(),
            root: contents.facts.roots[usize::try_from(named).unwrap() - 1].payload().digest(),
        };
        for name in by {
            day.record.add_statement(&statement(&contents, name, life())).unwrap();
        }
        let facts = day.read().facts;
        let life = &facts.keys[&"delegation-a".parse().unwrap()].life;
        assert_eq!(!life.is_empty(), acts, "listed {listed}, {by:?} by root {named}");
        // Which other targets keys would end: root has not said it, and clients have had no document with
        // the key, or targets list it today.
        let ends = facts.said_by_targets.contains_key(&key("delegation-a").public().identity());
        assert_eq!(
            ends,
            acts && by.len() == 1 && listed != "once",
            "listed {listed}, {by:?} by root {named}"
        );
    }
}

/// Whoever has a developer's key, or a targets key, can list any other in a document of theirs.
#[test]
fn what_root_declared_stolen_comes_back_by_no_document_below_root() {
    let app = RoleName::Delegated("app".to_owned());
    for listed in ["nowhere", "by targets", "by a developer"] {
        let mut day = Day::whole(&folder("stolen-listed"));
        day.start();
        let add = |day: &Day, role: &RoleName, payload: &MetadataPayload, by: &[&str]| {
            day.record.add_metadata(role, payload.version(), &sealed(payload, by)).unwrap();
        };
        let mut newest = day.read().facts.roots[0].payload().clone();
        for version in [2, 3] {
            let spec = RootSpec {
                version,
                expires: time("2028-11-22T13:00:00Z"),
                root: kept::spec(&["root-a", "root-b"], 2),
                targets: kept::spec(&["targets-a"], 1),
                snapshot: kept::spec(&["snapshot-1"], 1),
                timestamp: kept::spec(&["timestamp-1"], 1),
            };
            newest = make::root(Profile::Tuf, &spec, Some(&newest)).unwrap();
            add(&day, &RoleName::Root, &newest, &["root-a", "root-b"]);
            if version == 2 {
                let contents = day.read();
                let life = || Sentence::KeyLife {
                    key: key("root-c").public().identity(),
                    event: KeyEvent::Compromised,
                    at: today(),
                    root: contents.facts.roots[1].payload().digest(),
                };
                for name in ["root-a", "root-b"] {
                    day.record.add_statement(&statement(&contents, name, life())).unwrap();
                }
                match listed {
                    "by targets" => {
                        add(&day, &RoleName::Targets, &granted(2, "root-c"), &["targets-a"]);
                    }
                    "by a developer" => {
                        add(&day, &RoleName::Targets, &granted(2, "snapshot-1"), &["targets-a"]);
                        add(&day, &app, &granting(&app, 1, "below", "root-c"), &["snapshot-1"]);
                    }
                    _ => {}
                }
            }
        }
        let facts = day.read().facts;
        assert_eq!(facts.roots.len(), 3);
        assert_eq!(facts.documents.contains_key(&app), listed == "by a developer");
        assert_eq!(facts.keys[&"root-c".parse().unwrap()].life.len(), 1, "listed {listed}");
    }
}

/// Once people have decided whose key a name stands for, a third file takes the name from nobody.
#[test]
fn what_was_decided_of_a_key_stands_beside_a_third_file() {
    let mut day = Day::whole(&folder("third"));
    day.start();
    let ours = day.key_file("delegation-a", Digest::of(b"change"), Possession::ByFirstPublication);
    let other = |of: &str| KeyFile { public: key(of).public(), ..ours.clone() };
    let kept = witness(&mut day, &ours);
    let over = vec![witness(&mut day, &other("delegation-b"))];
    let used = |day: &Day| day.read().facts.keys.get(&"delegation-a".parse().unwrap()).map(|k| k.file);
    assert_eq!(used(&day), None);
    for by in ["root-a", "root-b"] {
        let over = over.clone();
        let decision = Sentence::Decision { what: "keys/delegation-a".to_owned(), keep: kept, over };
        day.record.add_statement(&statement(&day.read(), by, decision)).unwrap();
    }
    assert_eq!(used(&day), Some(kept));
    witness(&mut day, &other("delegation-c"));
    assert_eq!(used(&day), Some(kept));
    assert_eq!(findings(&day.read()), ["RECORD-CONFLICT"], "it is shown");
}

#[test]
fn an_answer_to_a_roll_call_has_the_date_of_its_change_and_no_other() {
    let identity = |name: &str| key(name).public().identity();
    // Whether the sentence holds for the change that asks, who has signed; who has answered.
    for (own, by, answered) in [
        (true, vec!["root-a", "root-c"], vec!["root-a", "root-c"]),
        (true, vec![], vec![]),
        (false, vec!["root-a"], vec![]),
    ] {
        let day = Day::whole(&folder("roll-call"));
        let contents = day.read();
        let frame = kept::frame("roll-call", 9);
        let nonce = if own { frame.roll_call() } else { Digest::of(&frame.nonce) };
        let call = |name: &&str| {
            let sentence = Sentence::RollCall { key: identity(name), nonce };
            let payload = Statement::new(contents.facts.trust.id, sentence).unwrap();
            Item::Statement { payload, asked: vec![kept::ask(name, None, &[])] }
        };
        let items = ["root-a", "root-b", "root-c"].iter().map(call).collect();
        let change =
            Change::new(&frame, &contents.facts, Base::default(), items, vec!["all here".to_owned()]);
        day.record.add_change(&change, kept::RUNBOOK.as_bytes()).unwrap();
        kept::sign(&day.record, &change, &by);
        let expected = answered.into_iter().map(|name| (identity(name), frame.held_at)).collect();
        assert_eq!(day.read().facts.roll_calls, expected);
    }
}

/// Whom `status` names as silent after a roll-call, which root-a, root-b and root-c were asked to answer by
/// 22 December and root-a has.
#[test]
fn nobody_was_silent_in_a_roll_call_that_ended_before_its_day() {
    // What became of root-c and when; who signed a withdrawal; who answered; who is silent.
    type Case<'a> = (Option<(KeyEvent, &'a str)>, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let identity = |name: &str| key(name).public().identity();
    let names = ["root-a", "root-b", "root-c"];
    let (during, after) = ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let cases: [Case<'_>; 9] = [
        (None, &[], &["root-a"], &["root-b", "root-c"]),
        (None, &[], &[], &["root-a", "root-b", "root-c"]),
        (None, &[], &names, &[]),
        (Some((KeyEvent::Lost, during)), &[], &["root-a"], &[]),
        (Some((KeyEvent::Compromised, during)), &[], &[], &[]),
        (Some((KeyEvent::Lost, after)), &[], &["root-a"], &["root-b"]),
        (Some((KeyEvent::Retired, during)), &[], &["root-a"], &["root-b"]),
        (None, &["root-a"], &["root-a"], &["root-b", "root-c"]),
        (None, &["root-a", "root-b"], &["root-a"], &[]),
    ];
    for (n, (life, withdrawn, answered, silent)) in cases.into_iter().enumerate() {
        let day = Day::whole(&folder(&format!("silent-{n}")));
        let contents = day.read();
        let frame = kept::frame("roll-call", 9);
        let call = |name: &&str| {
            let sentence = Sentence::RollCall { key: identity(name), nonce: frame.roll_call() };
            let payload = Statement::new(contents.facts.trust.id, sentence).unwrap();
            Item::Statement { payload, asked: vec![kept::ask(name, None, &[])] }
        };
        let items = names.iter().map(call).collect();
        let change =
            Change::new(&frame, &contents.facts, Base::default(), items, vec!["all here".to_owned()]);
        day.record.add_change(&change, kept::RUNBOOK.as_bytes()).unwrap();
        kept::sign(&day.record, &change, answered);
        if let Some((event, at)) = life {
            let root = contents.facts.roots.last().unwrap().payload().digest();
            for by in ["root-a", "root-b"] {
                let life = Sentence::KeyLife { key: identity("root-c"), event, at: time(at), root };
                day.record.add_statement(&statement(&contents, by, life)).unwrap();
            }
        }
        for by in withdrawn {
            let reason = "it went wrong".to_owned();
            let withdrawal = Sentence::Withdrawal { change: change.digest(), reason };
            day.record.add_statement(&statement(&contents, by, withdrawal)).unwrap();
        }
        let record = Record::open(&day.dir).unwrap();
        let later = record.read_all(time("2027-02-01T00:00:00Z"), &Inputs::default()).unwrap();
        let found = silent_in(&later).map(|(_, keys)| keys).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(found, silent, "{life:?}, withdrawn by {withdrawn:?}, answered by {answered:?}");
    }
}

#[test]
fn a_witness_holds_the_transcript_to_what_they_saw() {
    let mut day = Day::begin(&folder("witness"));
    day.start();
    day.make_keys();
    let contents = day.read();
    let (sequence, head) = contents.transcripts.values().next().unwrap().head().unwrap();
    let seen = |head| Sentence::TranscriptHead {
        ceremony: day.transcript.ceremony().to_string(),
        sequence,
        head,
        witness: "wanda".to_owned(),
    };
    day.record.add_statement(&statement(&contents, "witness-b", seen(head))).unwrap();
    assert_eq!(day.read().findings, []);
    // Signed by someone who is no witness: idle.
    day.record.add_statement(&statement(&contents, "root-a", seen(Digest::of(b"other")))).unwrap();
    assert_eq!(day.read().findings, []);
    assert_eq!(day.read().statements.values().filter(|s| s.idle.is_some()).count(), 1);
    day.record.add_statement(&statement(&contents, "witness-b", seen(Digest::of(b"other")))).unwrap();
    assert_eq!(findings(&day.read()), ["TRANSCRIPT-BROKEN"]);
}

fn granted(version: u64, to: &str) -> MetadataPayload {
    granting(&RoleName::Targets, version, "app", to)
}

fn granting(by: &RoleName, version: u64, role: &str, to: &str) -> MetadataPayload {
    let grant = Grant {
        role: RoleName::Delegated(role.to_owned()),
        keys: RoleSpec {
            keys: vec![wire::key_entry(Profile::Tuf, &key(to).public(), None).unwrap()],
            threshold: NonZeroU32::MIN,
        },
        paths: PathRule::Patterns(vec!["app/*".to_owned()]),
        terminating: false,
    };
    let expires = time(&format!("2027-11-{:02}T13:00:00Z", 10 + version));
    make::targets(Profile::Tuf, by, version, expires, None, &[TargetsEdit::Grant(grant)]).unwrap()
}

#[test]
fn delegations_follow_their_newest_delegator() {
    let day = Day::whole(&folder("delegations"));
    let app = RoleName::Delegated("app".to_owned());
    let document = |version| {
        let expires = time("2027-05-01T13:00:00Z");
        make::targets(Profile::Tuf, &app, version, expires, None, &[]).unwrap()
    };
    // Nobody leads to it yet.
    let orphan = sealed(&document(1), &["snapshot-1"]);
    day.record.add_metadata(&app, 1, &orphan).unwrap();
    assert_eq!(findings(&day.read()), ["RECORD-REST"]);
    day.record
        .add_metadata(&RoleName::Targets, 2, &sealed(&granted(2, "snapshot-1"), &["targets-a"]))
        .unwrap();
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.facts.documents[&app].version(), 1);
    // Granted to another key: the old document is history, not the newest.
    day.record
        .add_metadata(&RoleName::Targets, 3, &sealed(&granted(3, "timestamp-1"), &["targets-a"]))
        .unwrap();
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert!(!contents.facts.documents.contains_key(&app));
    let history: Vec<_> = contents.history.iter().filter(|d| d.role == app).collect();
    assert_eq!(history[0].vouched_by, Some((RoleName::Targets, 2)));
}

#[test]
fn what_clients_have_settles_a_conflict() {
    let day = Day::whole(&folder("settled"));
    let listed = |version, bytes: &[u8]| MetaFile {
        version: Some(version),
        length: None,
        hashes: [("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())].into(),
    };
    let ours = sealed(&targets(2), &["targets-a"]);
    let expires = time("2027-10-01T13:00:00Z");
    let theirs = make::targets(Profile::Tuf, &RoleName::Targets, 2, expires, None, &[]).unwrap();
    let theirs = sealed(&theirs, &["targets-a"]);
    day.record.add_metadata(&RoleName::Targets, 2, &ours).unwrap();
    day.record.add_metadata(&RoleName::Targets, 2, &theirs).unwrap();
    assert!(day.read().conflicts.contains_key(&RoleName::Targets));
    let meta = [(RoleName::Targets, listed(2, &theirs))].into();
    let snapshot = make::snapshot(Profile::Tuf, 2, time("2026-12-01T13:00:00Z"), &meta).unwrap();
    day.record.add_metadata(&RoleName::Snapshot, 2, &sealed(&snapshot, &["snapshot-1"])).unwrap();
    let contents = day.read();
    assert!(contents.conflicts.is_empty());
    assert_eq!(contents.facts.documents[&RoleName::Targets].bytes(), theirs);
}

#[test]
fn a_rehearsal_of_this_trust_is_kept_and_no_other() {
    let day = Day::whole(&folder("rehearsed"));
    let limits = Limits::default_for(Profile::Tuf).to_toml();
    let shadow = |shadows| {
        let spec = TrustSpec {
            profile: Profile::Tuf,
            collection: "rehearsal.invalid/updates.example.com/apps".to_owned(),
            stage: Stage::Rehearsal,
            limits: Digest::of(limits.as_bytes()),
            shadows,
            start: None,
            nonce: [3; 32],
        };
        TrustFile::new(&spec).unwrap()
    };
    let files = |trust: &TrustFile| {
        let id = trust.trust().id;
        put(&day.dir, &format!("rehearsals/{id}/trust.json"), &trust.to_json());
        for (name, bytes) in tree(&day.dir).into_iter().filter(|(name, _)| name.starts_with("transcripts/")) {
            put(&day.dir, &format!("rehearsals/{id}/{name}"), &bytes);
        }
    };
    files(&shadow(Some(day.record.trust().id)));
    let contents = day.read();
    assert_eq!(contents.findings, []);
    assert_eq!(contents.rehearsals.len(), 1);
    assert!(contents.rehearsals[0].done);
    assert_eq!(contents.rehearsals[0].runbooks, [Digest::of(kept::RUNBOOK.as_bytes())]);
    files(&shadow(None));
    let contents = day.read();
    assert_eq!(contents.rehearsals.len(), 1);
    assert!(findings(&contents).iter().all(|rule| *rule == "RECORD-OTHER"));
    // A copy for one person has what they need, and no uploads.
    let copy = folder("rehearsed-copy");
    day.record.export(&copy, Some(&"carol".parse().unwrap()), today()).unwrap();
    let names: Vec<_> = tree(&copy).into_keys().collect();
    assert!(names.iter().any(|name| name.starts_with("rehearsals/")));
    assert!(!names.iter().any(|name| name.starts_with("uploads/") || name.starts_with("private")));
    assert_eq!(Record::open(&copy).unwrap().trust().id, day.record.trust().id);
}
