//! The client gate: what stops a change, what is only told, and who comes to the new state.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod collection;
mod field;
mod made;

use collection::{Maker, Root, days};
use field::{change, facts};
use keyrite::ceremony::facts::Facts;
use keyrite::ceremony::gate::{self, Report};
use keyrite::tuf::json::Json;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire::{self, Envelope};
use made::keys::{self, TestKey};
use made::{letter, root_spec, signed, time};
use std::collections::BTreeMap;

/// What a report stops by, else `ok`; and what it tells, by rule.
fn verdict(report: &Report) -> (&'static str, Vec<&'static str>) {
    let stops = report.check().map_or_else(|e| e.rule().name, |()| "ok");
    let told = report.findings.iter().filter(|f| !f.stops).map(|f| f.refusal.rule().name);
    (stops, told.collect())
}

fn everything(report: &Report) -> String {
    let lines = report.findings.iter().map(|f| format!("{} {}", f.stops, f.refusal));
    lines.collect::<Vec<_>>().join("\n")
}

// --- profile tuf

const TODAY: &str = "2026-11-22T12:00:00Z";

fn publics(letters: &str) -> Vec<PublicKey> {
    letters.chars().map(|c| letter(c).public()).collect()
}

/// A root of two of these keys, with targets by this key.
fn root(version: u64, letters: &str, targets: char) -> MetadataPayload {
    let mut spec = root_spec(version, 2, letters);
    spec.targets = made::role(Profile::Tuf, 1, &targets.to_string());
    make::root(Profile::Tuf, &spec, None).unwrap()
}

fn grant(name: &str, need: u32, letters: &str) -> TargetsEdit {
    TargetsEdit::Grant(Grant {
        role: RoleName::from_name(name),
        keys: made::role(Profile::Tuf, need, letters),
        paths: keyrite::tuf::document::PathRule::Patterns(vec![format!("{name}/*")]),
        terminating: false,
    })
}

fn targets(name: &str, version: u64, edits: &[TargetsEdit]) -> MetadataPayload {
    let role = RoleName::from_name(name);
    make::targets(Profile::Tuf, &role, version, made::expires(), None, edits).unwrap()
}

fn tuf(files: &[Envelope]) -> Facts {
    facts(Profile::Tuf, "example", time(TODAY), files)
}

/// Root 1 by `ab` of `abc`, and targets with one application by `d` of `de`.
fn first() -> Vec<Envelope> {
    vec![
        signed(&root(1, "abc", 't'), "ab"),
        signed(&targets("targets", 1, &[grant("app", 1, "de")]), "t"),
        signed(&targets("app", 1, &[]), "d"),
    ]
}

fn plan(facts: &Facts, documents: &[(&MetadataPayload, &str)]) -> Report {
    let documents: Vec<_> = documents.iter().map(|(d, letters)| (*d, publics(letters))).collect();
    gate::planned(&change(facts, &documents), facts).unwrap()
}

/// Documents, each with the letters of those who are asked.
type Documents<'a> = Vec<(MetadataPayload, &'a str)>;

#[test]
fn changes_of_a_tuf_trust() {
    let again = |need, letters| targets("targets", 2, &[grant("app", need, letters)]);
    let two = |letters| root(2, letters, 't');
    let mut late = root_spec(2, 2, "abc");
    late.expires = time(TODAY);
    let late = make::root(Profile::Tuf, &late, None).unwrap();
    // What is made and who is asked; what stops it; what is told.
    let table: Vec<(&str, Documents<'_>, &str, &[&str])> = vec![
        ("one root key replaced", vec![(two("abd"), "abd")], "ok", &[]),
        ("too few of the old keys", vec![(two("def"), "adef")], "CLIENT-LOST", &[]),
        ("too few of the new keys", vec![(two("def"), "abd")], "CLIENT-LOST", &[]),
        ("a root that has expired", vec![(late, "abc")], "CLIENT-LOST", &[]),
        ("a version left out", vec![(root(3, "abc", 't'), "abc")], "CLIENT-LOST", &[]),
        (
            "another targets key, and targets not signed again",
            vec![(root(2, "abc", 'u'), "abc")],
            "CLIENT-CHILD",
            &[],
        ),
        ("another targets key", vec![(root(2, "abc", 'u'), "abc"), (again(1, "de"), "u")], "ok", &[]),
        ("targets signed by nobody who may", vec![(again(1, "de"), "d")], "CLIENT-CHILD", &[]),
        ("a key more for an application", vec![(again(1, "def"), "t")], "ok", &[]),
        ("a threshold that nobody has met", vec![(again(2, "de"), "t")], "CLIENT-CHILD", &[]),
        ("a threshold that is met", vec![(again(2, "de"), "t"), (targets("app", 2, &[]), "de")], "ok", &[]),
        ("a developer revoked", vec![(again(1, "e"), "t")], "ok", &["CLIENT-CHILD"]),
        (
            "an application without a document",
            vec![(targets("targets", 2, &[grant("app", 1, "de"), grant("new", 1, "g")]), "t")],
            "CLIENT-CHILD",
            &[],
        ),
        (
            "an application",
            vec![
                (targets("targets", 2, &[grant("app", 1, "de"), grant("new", 1, "g")]), "t"),
                (targets("new", 1, &[]), "g"),
            ],
            "ok",
            &[],
        ),
    ];
    for (name, made, stops, told) in table {
        let facts = tuf(&first());
        let made: Vec<_> = made.iter().map(|(d, letters)| (d, *letters)).collect();
        let report = plan(&facts, &made);
        assert_eq!(verdict(&report), (stops, told.to_vec()), "{name}: {}", everything(&report));
    }
}

#[test]
fn a_first_root_is_walked_to_from_itself() {
    let (one, top) = (root(1, "abc", 't'), targets("targets", 1, &[]));
    let report = plan(&tuf(&[]), &[(&one, "abc"), (&top, "t")]);
    assert_eq!(verdict(&report), ("ok", vec![]), "{}", everything(&report));
    assert_eq!(report.lines(), ["clients of root 1 come to root 1: python-tuf, go-tuf, tough"]);
    let short = plan(&tuf(&[]), &[(&one, "a"), (&top, "t")]);
    assert_eq!(verdict(&short).0, "CLIENT-LOST");
}

#[test]
fn a_delegation_that_was_broken_before_stops_nothing() {
    let mut files = first();
    files.truncate(2);
    let facts = tuf(&files);
    let report = plan(&facts, &[(&root(2, "abd", 't'), "abd")]);
    assert_eq!(verdict(&report), ("ok", vec![]), "{}", everything(&report));
    let again = targets("targets", 2, &[grant("app", 1, "def")]);
    assert_eq!(verdict(&plan(&facts, &[(&again, "t")])), ("ok", vec!["CLIENT-CHILD"]));
    assert_eq!(verdict(&gate::standing(&facts).unwrap()), ("ok", vec!["CLIENT-CHILD"]));
}

/// A case: root 1, root 2; clients that limits name; what stops it, how much is told; which clients
/// come from root 1.
type Roots<'a> = (&'a str, &'a Envelope, &'a MetadataPayload, &'a [&'a str], &'a str, usize, &'a str);

#[test]
fn roots_that_one_client_cannot_read() {
    // A root as others may have made it: signed over its own bytes, whatever they are.
    let spoiled = |path: &[&str], value: Json| {
        let mut json = made::json(&root(1, "abc", 't'));
        *made::at(&mut json, path) = value;
        let entries = "ab".chars().map(|c| {
            made::signed_as(
                Profile::Tuf,
                &json.canonical(),
                made::entry(Profile::Tuf, c).id.as_str(),
                &letter(c),
            )
        });
        let bytes = made::file(&json, entries.collect());
        wire::parse(Profile::Tuf, &RoleName::Root, &bytes).unwrap()
    };
    let plain = signed(&root(1, "abc", 't'), "ab");
    let note = |bytes: usize| spoiled(&["x-note"], "x".repeat(bytes).into());
    let (wide, wider) = (note(600_000), note(1_100_000));
    let seventy = make::root(Profile::Tuf, &root_spec(2, 2, "abc"), Some(note(70_000).payload())).unwrap();
    let keys = |more: TestKey| {
        let mut spec = root_spec(2, 2, "abc");
        spec.root.keys.push(wire::key_entry(Profile::Tuf, &more.public(), None).unwrap());
        make::root(Profile::Tuf, &spec, None).unwrap()
    };
    let grown = make::root(Profile::Tuf, &root_spec(2, 2, "abc"), Some(wide.payload())).unwrap();
    let (p384, p256) = (keys(TestKey::p384(3)), keys(TestKey::p256(3)));
    let two = root(2, "abc", 't');
    let other_id = spoiled(&["keys", "b"], made::entry(Profile::Tuf, 'b').entry);
    let offset = spoiled(&["expires"], "2030-01-01T02:00:00.5+02:00".into());
    let twice = {
        let json = made::json(&root(1, "abc", 't'));
        let by = |c: char| {
            let id = made::entry(Profile::Tuf, c).id;
            made::signed_as(Profile::Tuf, &json.canonical(), id.as_str(), &letter(c))
        };
        let entries = "aab".chars().map(by).collect();
        wire::parse(Profile::Tuf, &RoleName::Root, &made::file(&json, entries)).unwrap()
    };
    let table: Vec<Roots<'_>> = vec![
        ("all well", &plain, &two, &["tough", "go-tuf"], "ok", 0, "python-tuf go-tuf tough"),
        ("P-384", &plain, &p384, &[], "ok", 1, "python-tuf"),
        ("P-384 where tough is named", &plain, &p384, &["tough"], "CLIENT-LOST", 0, "python-tuf"),
        ("P-256", &plain, &p256, &["tough"], "ok", 0, "python-tuf go-tuf tough"),
        (
            "P-256 where aktualizr is named",
            &plain,
            &p256,
            &["aktualizr"],
            "CLIENT-LOST",
            0,
            "python-tuf go-tuf tough",
        ),
        ("70 kB", &plain, &seventy, &[], "ok", 0, "python-tuf go-tuf tough"),
        (
            "70 kB where aktualizr is named",
            &plain,
            &seventy,
            &["aktualizr"],
            "CLIENT-LOST",
            0,
            "python-tuf go-tuf tough",
        ),
        ("1.1 MB before", &wider, &two, &[], "ok", 2, ""),
        ("600 kB", &plain, &grown, &[], "CLIENT-LOST", 0, "tough"),
        ("600 kB before", &wide, &two, &[], "ok", 1, "tough"),
        ("a key id that isn't the key's", &other_id, &two, &["tough"], "ok", 1, "python-tuf go-tuf"),
        ("a date with an offset", &offset, &two, &[], "ok", 1, "go-tuf"),
        ("two signatures under one key id", &twice, &two, &["tough"], "ok", 1, ""),
    ];
    for (name, one, two, named, stops, told, reached) in table {
        let mut files = first();
        files[0] = one.clone();
        let mut facts = tuf(&files);
        facts.limits.clients = named.iter().map(|c| c.parse().unwrap()).collect();
        let report = plan(&facts, &[(two, "abc")]);
        assert_eq!(verdict(&report).0, stops, "{name}: {}", everything(&report));
        assert_eq!(verdict(&report).1.len(), told, "{name}: {}", everything(&report));
        let unread = everything(&report).contains("CLIENT-FORM") || everything(&report).contains("SIZE-CAP");
        assert_eq!(unread, reached != "python-tuf go-tuf tough" || stops != "ok", "{name}");
        let from_one = report.reached.iter().filter(|(_, roots)| roots.contains(&1));
        assert_eq!(from_one.map(|(c, _)| *c).collect::<Vec<_>>().join(" "), reached, "{name}");
    }
}

/// To the byte what a client still reads (`tests/clients.rs` asks the clients themselves): of a root that
/// is there, of one to come with its signatures, and of one whose signatures are planned.
#[test]
fn roots_of_as_many_bytes_as_a_client_reads_and_of_one_more() {
    let plain = signed(&root(1, "abc", 't'), "ab");
    let with_note = |version: u64, bytes: usize| {
        let mut json = made::json(&root(version, "abc", 't'));
        *made::at(&mut json, &["x-note"]) = "x".repeat(bytes).into();
        let entries = ["a", "b"].map(|c| {
            let c = c.chars().next().unwrap();
            let id = made::entry(Profile::Tuf, c).id;
            made::signed_as(Profile::Tuf, &json.canonical(), id.as_str(), &letter(c))
        });
        wire::parse(Profile::Tuf, &RoleName::Root, &made::file(&json, entries.to_vec())).unwrap()
    };
    let of = |version: u64, size: usize| {
        let file = with_note(version, size - with_note(version, 0).bytes().len());
        assert_eq!(file.bytes().len(), size);
        file
    };
    let all = "python-tuf go-tuf tough";
    for (limit, named, still, beyond) in [
        (65_536, "aktualizr", "python-tuf go-tuf tough aktualizr", all),
        (512_000, "tough", all, "tough"),
        (1_048_576, "tough", "tough", ""),
    ] {
        let who = |report: &Report| {
            let from_one = report.reached.iter().filter(|(_, roots)| roots.contains(&1));
            from_one.map(|(client, _)| *client).collect::<Vec<_>>().join(" ")
        };
        for (size, reached) in [(limit, still), (limit + 1, beyond)] {
            let facts_of = |root: &Envelope| {
                let mut files = first();
                files[0] = root.clone();
                let mut facts = tuf(&files);
                facts.limits.clients = [named.parse().unwrap()].into();
                facts
            };
            let there = plan(&facts_of(&of(1, size)), &[(&root(2, "abc", 't'), "abc")]);
            assert_eq!(who(&there), reached, "{size} before: {}", everything(&there));
            assert_eq!(verdict(&there).0, "ok", "{size} before");

            let (facts, next) = (facts_of(&plain), of(2, size));
            let stops = if size == limit && limit <= 512_000 { "ok" } else { "CLIENT-LOST" };
            let change = change(&facts, &[(next.payload(), publics("ab"))]);
            let files = BTreeMap::from([(RoleName::Root, next.bytes().to_vec())]);
            let sealed = gate::sealed(&change, &facts, &files).unwrap();
            assert_eq!((who(&sealed).as_str(), verdict(&sealed).0), (reached, stops), "{size} signed");

            // Before it is signed: never fewer bytes than it will have, and few more.
            let planned = plan(&facts, &[(next.payload(), "ab")]);
            assert_eq!(who(&planned), beyond, "{size} planned: {}", everything(&planned));
            let smaller = of(2, limit - 200);
            let planned = plan(&facts, &[(smaller.payload(), "ab")]);
            assert_eq!(who(&planned), still, "{limit} planned, less 200: {}", everything(&planned));
        }
    }
}

#[test]
fn two_hundred_and_fifty_eight_roots() {
    let mut files: Vec<_> = (1..=257).map(|n| signed(&root(n, "abc", 't'), "ab")).collect();
    let rest = first().split_off(1);
    let with = |roots: usize| {
        let files: Vec<_> = files[..roots].iter().chain(&rest).cloned().collect();
        let report = plan(&tuf(&files), &[(&root(roots as u64 + 1, "abd", 't'), "abd")]);
        (verdict(&report), report.lines()[0].clone())
    };
    let everyone = "clients of root 1 to 257 come to root 257: python-tuf, go-tuf, tough";
    assert_eq!(with(256), (("ok", vec![]), everyone.to_owned()));
    // python-tuf begins anew from the root that it came with: those of root 1 are lost for good; go-tuf
    // goes on with the next update.
    assert_eq!(with(257).0, ("CLIENT-ROTATIONS", vec!["CLIENT-ROTATIONS"]));
    files.extend((258..=1_025).map(|n| signed(&root(n, "abc", 't'), "ab")));
    files.extend(rest);
    let mut facts = tuf(&files);
    let next = root(1_026, "abd", 't');
    let stops = |facts: &Facts| verdict(&plan(facts, &[(&next, "abd")])).0;
    assert_eq!(stops(&facts), "CLIENT-ROTATIONS");
    // Unless limits say that nobody is left there: 256 roots lie before clients of root 770.
    for (oldest, expected) in [(769, "CLIENT-ROTATIONS"), (770, "ok")] {
        facts.limits.oldest_root = Some(oldest);
        assert_eq!(stops(&facts), expected, "{oldest}");
    }
    // tough takes more, and begins anew as well.
    facts.limits.clients = ["tough".parse().unwrap()].into();
    assert_eq!(stops(&facts), "ok");
    facts.limits.oldest_root = None;
    assert_eq!(stops(&facts), "CLIENT-ROTATIONS");
    // First limits can name any number: clients of the newest root are in the field all the same.
    for oldest in [1_025, 1_026, 5_000] {
        facts.limits.oldest_root = Some(oldest);
        assert_eq!(verdict(&plan(&facts, &[(&next, "d")])).0, "CLIENT-LOST", "{oldest}");
    }
}

// --- profile notary

const COLLECTION: &str = "updates.example.com/apps";

fn maker() -> Maker {
    Maker {
        collection: COLLECTION.to_owned(),
        now: time(TODAY),
        snapshot: keys::TestKey::ed25519(200).public(),
        timestamp: keys::TestKey::ed25519(201).public(),
    }
}

fn read(role: &str, bytes: &[u8]) -> Envelope {
    wire::parse(Profile::Notary, &RoleName::from_name(role), bytes).unwrap()
}

/// A root of two of these keys, and when it and their certificates end.
struct Made<'a> {
    version: u64,
    keys: &'a [u8],
    targets: u8,
    root_ends: Time,
    certificates_end: Time,
}

const TEN_YEARS: i64 = 3650;

/// So many days from today.
fn after(n: i64) -> Time {
    days(maker().now, n)
}

fn made(version: u64, keys: &[u8]) -> Made<'_> {
    Made { version, keys, targets: 10, root_ends: after(700), certificates_end: after(TEN_YEARS) }
}

impl Made<'_> {
    fn entries(&self) -> Vec<keyrite::tuf::document::DocumentKey> {
        let certified = |n: &u8| maker().certified(*n, COLLECTION, after(-100), self.certificates_end);
        self.keys.iter().map(certified).collect()
    }

    fn payload(&self) -> MetadataPayload {
        let maker = maker();
        let mut spec = maker.root_spec(&Root {
            version: self.version,
            keys: &[1, 2],
            threshold: 1,
            signers: &[],
            targets: &[self.targets],
        });
        spec.root = RoleSpec { keys: self.entries(), threshold: made::threshold(2) };
        spec.expires = self.root_ends;
        make::root(Profile::Notary, &spec, None).unwrap()
    }

    /// Signed by its own keys, and by those of other roots.
    fn signed(&self, others: &[&Made<'_>]) -> Envelope {
        let signers = others.iter().copied().chain([self]).flat_map(|root| {
            root.entries().into_iter().zip(root.keys).map(|(entry, n)| (entry.id, collection::key(*n)))
        });
        let signers: BTreeMap<_, _> = signers.map(|(id, key)| (id.as_str().to_owned(), (id, key))).collect();
        let signers: Vec<_> = signers.into_values().collect();
        read("root", &collection::file(&collection::signed_json(&self.payload()), &signers))
    }
}

fn numbers(numbers: &[u8]) -> Vec<PublicKey> {
    numbers.iter().map(|n| collection::key(*n).public()).collect()
}

fn notary(today: Time, roots: &[Envelope]) -> Facts {
    let maker = maker();
    let mut files = roots.to_vec();
    files.push(read("targets", &maker.first_targets()));
    files.push(read("targets/app", &maker.targets("targets/app", 1, &[30], &[])));
    facts(Profile::Notary, COLLECTION, today, &files)
}

/// A case: the root, who signs it; targets and who signs that; what stops it, what is told.
type Case<'a> =
    (&'a str, Made<'a>, &'a [u8], Option<(&'a MetadataPayload, &'a [u8])>, &'a str, &'a [&'a str]);

#[test]
fn changes_of_a_notary_trust() {
    let now = maker().now;
    let one = made(1, &[1, 2, 3]);
    let facts = notary(now, &[one.signed(&[])]);
    let next = made(2, &[1, 2, 4]);
    let all: &[u8] = &[1, 2, 3, 4];
    let targets = maker().targets_payload("targets", 2, &[maker().grant("targets/app", &[30], 1, &["app/"])]);
    let short = maker().targets_payload("targets", 2, &[maker().grant("targets/app", &[31], 1, &["app/"])]);
    let table: Vec<Case<'_>> = vec![
        ("one key replaced", made(2, &[1, 2, 4]), all, None, "ok", &[]),
        ("too few of the old keys", made(2, &[4, 5, 6]), &[1, 4, 5, 6], None, "CLIENT-BACKEND", &[]),
        (
            "another targets key alone",
            Made { targets: 11, ..made(2, &[1, 2, 4]) },
            all,
            None,
            "CLIENT-CHILD",
            &[],
        ),
        (
            "another targets key",
            Made { targets: 11, ..made(2, &[1, 2, 4]) },
            all,
            Some((&targets, &[11])),
            "ok",
            &[],
        ),
        ("a developer revoked", made(2, &[1, 2, 4]), all, Some((&short, &[10])), "ok", &["CLIENT-CHILD"]),
        (
            "half a year",
            Made { root_ends: after(181), ..made(2, &[1, 2, 4]) },
            all,
            None,
            "CLIENT-DEADLINE",
            &[],
        ),
        ("seven months", Made { root_ends: after(214), ..made(2, &[1, 2, 4]) }, all, None, "ok", &[]),
        (
            "certificates that end soon",
            Made { certificates_end: after(170), ..made(2, &[4, 5, 6]) },
            &[1, 2, 4, 5, 6],
            None,
            "CLIENT-DEADLINE",
            &[],
        ),
        (
            "certificates that end before root",
            Made { certificates_end: after(600), ..made(2, &[4, 5, 6]) },
            &[1, 2, 4, 5, 6],
            None,
            "ok",
            &["CLIENT-DEADLINE"],
        ),
        ("a version left out", made(3, &[1, 2, 4]), all, None, "CLIENT-BACKEND", &[]),
    ];
    for (name, root, signers, targets, stops, told) in table {
        let root = root.payload();
        let mut documents = vec![(&root, numbers(signers))];
        documents.extend(targets.map(|(payload, by)| (payload, numbers(by))));
        let report = gate::planned(&change(&facts, &documents), &facts).unwrap();
        assert_eq!(verdict(&report), (stops, told.to_vec()), "{name}: {}", everything(&report));
    }
    let payload = next.payload();
    let report = gate::planned(&change(&facts, &[(&payload, numbers(all))]), &facts).unwrap();
    assert_eq!(report.reached, [("notary", vec![1, 2])]);
    assert_eq!(report.certificates_until, Some(days(now, TEN_YEARS)));
    let ids: Vec<_> = next.entries().into_iter().map(|entry| entry.id).collect();
    assert_eq!(report.pins.first(), ids.last());
    assert_eq!(report.pins.len(), 3);
}

/// More than six months, to the second, and as the stock client counts them: Go takes the day that a
/// month doesn't have for one of the next month.
#[test]
fn root_and_certificates_end_more_than_six_months_from_now() {
    for (today, edge) in [
        (TODAY, "2027-05-22T12:00:00Z"),
        ("2026-12-31T12:00:00Z", "2027-07-01T12:00:00Z"),
        ("2027-08-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("2027-08-31T00:00:00Z", "2028-03-02T00:00:00Z"),
    ] {
        let mut facts = notary(maker().now, &[made(1, &[1, 2, 3]).signed(&[])]);
        facts.today = time(today);
        let around = |second: i64| Time::from_unix(time(edge).unix() + second).unwrap();
        for (second, stops) in [(-1, "CLIENT-DEADLINE"), (0, "CLIENT-DEADLINE"), (1, "ok")] {
            let root = Made { root_ends: around(second), ..made(2, &[1, 2, 4]) };
            let certificates = Made { certificates_end: around(second), ..made(2, &[4, 5, 6]) };
            for (what, root, signers) in
                [("root", root, &[1, 2, 4][..]), ("certificates", certificates, &[1, 2, 4, 5, 6])]
            {
                let payload = root.payload();
                let change = change(&facts, &[(&payload, numbers(signers))]);
                let report = gate::planned(&change, &facts).unwrap();
                assert_eq!(verdict(&report).0, stops, "{what}, {today}, {second}: {}", everything(&report));
            }
        }
    }
}

/// Root 1 of keys 1 to 3, root 2 of 4 to 6 whose certificates have ended since, root 3 of 7 to 9,
/// which the keys of root 1 have signed too.
fn behind() -> Facts {
    let one = made(1, &[1, 2, 3]);
    let two = Made { certificates_end: after(-10), ..made(2, &[4, 5, 6]) };
    let three = made(3, &[7, 8, 9]);
    let roots = [one.signed(&[]), two.signed(&[&one]), three.signed(&[&one, &two])];
    notary(maker().now, &roots)
}

#[test]
fn stale_clients_jump_where_old_keys_sign_and_are_lost_where_they_do_not() {
    let facts = behind();
    let next = made(4, &[7, 8, 1]);
    let payload = next.payload();
    let plan =
        |signers: &[u8]| gate::planned(&change(&facts, &[(&payload, numbers(signers))]), &facts).unwrap();
    // Clients of root 2 are lost since its certificates ended; those of root 1 jump past it.
    let kept = plan(&[7, 8, 9, 1, 2]);
    assert_eq!(kept.reached, [("notary", vec![1, 3, 4])], "{}", everything(&kept));
    assert_eq!(verdict(&kept), ("ok", vec!["CLIENT-LOST"]));
    assert!(everything(&kept).contains("already"));
    let lost = plan(&[7, 8, 9]);
    assert_eq!(lost.reached, [("notary", vec![3, 4])]);
    assert_eq!(verdict(&lost), ("CLIENT-LOST", vec!["CLIENT-LOST"]));
    let found = lost.check().unwrap_err().to_string();
    assert!(found.contains("clients of root 1 (notary):"), "{found}");
    // Limits may say that nobody is left there; those of root 3 still count, whatever they say.
    for (oldest, stops) in [(1, "CLIENT-LOST"), (2, "ok"), (3, "ok")] {
        let mut facts = behind();
        facts.limits.oldest_root = Some(oldest);
        let report = gate::planned(&change(&facts, &[(&payload, numbers(&[7, 8, 9]))]), &facts).unwrap();
        assert_eq!(verdict(&report).0, stops, "{oldest}: {}", everything(&report));
        let told = everything(&report).contains("clients of root 1 (notary), which limits say are no longer");
        assert_eq!(told, stops == "ok", "{oldest}: {}", everything(&report));
    }
}

#[test]
fn the_signatures_that_came_are_judged_again() {
    let facts = behind();
    let (one, next) = (made(1, &[1, 2, 3]), made(4, &[7, 8, 1]));
    let three = made(3, &[7, 8, 9]);
    let payload = next.payload();
    let change = change(&facts, &[(&payload, numbers(&[7, 8, 9, 1, 2]))]);
    let seal = |file: &Envelope| {
        let files = BTreeMap::from([(RoleName::Root, file.bytes().to_vec())]);
        gate::sealed(&change, &facts, &files)
            .map_err(|e| e.rule().name)
            .and_then(|report| report.check().map_err(|e| e.rule().name))
    };
    assert_eq!(seal(&next.signed(&[&three, &one])), Ok(()));
    assert_eq!(seal(&next.signed(&[&three])), Err("CLIENT-LOST"));
    assert_eq!(seal(&made(4, &[4, 5, 1]).signed(&[])), Err("CLIENT-BACKEND"));
    // A file that the server would write otherwise than it came.
    let good = next.signed(&[&three, &one]);
    let poisoned = [good.bytes(), b"\n"].concat();
    assert_eq!(seal(&read("root", &poisoned)), Err("NOTARY-BYTES"));
}

#[test]
fn a_collection_whose_certificates_have_ended_takes_nothing() {
    let one = Made { certificates_end: after(-1), ..made(1, &[1, 2, 3]) };
    let facts = notary(maker().now, &[one.signed(&[])]);
    let payload = made(2, &[4, 5, 6]).payload();
    let report = gate::planned(&change(&facts, &[(&payload, numbers(&[1, 2, 3, 4, 5, 6]))]), &facts).unwrap();
    let (stops, _) = verdict(&report);
    assert_eq!(stops, "CLIENT-BACKEND", "{}", everything(&report));
    let standing = gate::standing(&facts).unwrap();
    assert_eq!(standing.reached, [("notary", vec![])]);
    assert_eq!(verdict(&standing).0, "ok", "what is broken already stops nothing");
    assert!(standing.told().count() >= 2);
}

#[test]
fn a_grant_in_a_healthy_collection() {
    let facts = notary(maker().now, &[made(1, &[1, 2, 3]).signed(&[])]);
    let edits = [
        maker().grant("targets/app", &[30], 1, &["app/"]),
        maker().grant("targets/new", &[31], 1, &["new/"]),
    ];
    let again = maker().targets_payload("targets", 2, &edits);
    let report = gate::planned(&change(&facts, &[(&again, numbers(&[10]))]), &facts).unwrap();
    assert_eq!(verdict(&report), ("ok", vec![]), "{}", everything(&report));
    assert!(report.pins.is_empty());
    assert_eq!(report.reached, [("notary", vec![1])]);
    // The same version once more, which the server has.
    let stale = maker().targets_payload("targets", 1, &edits);
    let report = gate::planned(&change(&facts, &[(&stale, numbers(&[10]))]), &facts).unwrap();
    assert_eq!(verdict(&report).0, "CLIENT-BACKEND");
}
