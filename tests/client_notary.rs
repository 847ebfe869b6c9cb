//! The Notary client against the model of the server, with an attacker on the line who may also
//! hold the server's keys (50 for snapshot, 51 for timestamp).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod collection;
mod keys;

use collection::{Maker, Root, days, file, key, server_key, signed_json, with};
use keyrite::tuf::backend_model::{BackendModel, ServerKey};
use keyrite::tuf::client::expected::Expected;
use keyrite::tuf::client::{Answer, Caps, Client, Judge, Settings, Signatures, State};
use keyrite::tuf::json::Json;
use keyrite::tuf::key::KeyId;
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const COLLECTION: &str = "updates.example.com/apps";

fn now() -> Time {
    "2026-11-22T13:00:00Z".parse().unwrap()
}

fn maker() -> Maker {
    let (snapshot, timestamp) = (server_key(50), server_key(51));
    Maker {
        collection: COLLECTION.to_owned(),
        now: now(),
        snapshot: snapshot.public().clone(),
        timestamp: timestamp.public().clone(),
    }
}

/// What answers the client: the model, behind whoever sits on the line.
struct Line {
    model: BackendModel,
    /// Served in the model's place; nothing where the attacker lets nothing through.
    instead: BTreeMap<String, Option<Vec<u8>>>,
    at: Time,
}

impl Line {
    /// The first day's upload, and an application with one release.
    fn new() -> Self {
        let model = BackendModel::new(COLLECTION, server_key(50), server_key(51));
        let mut line = Self { model, instead: BTreeMap::new(), at: now() };
        let m = maker();
        line.upload(&[("root", m.first_root()), ("targets", m.first_targets())]);
        line.upload(&[("targets/app", m.targets("targets/app", 1, &[30], &[Maker::put("app/1")]))]);
        line
    }

    fn upload(&mut self, parts: &[(&str, Vec<u8>)]) {
        let parts: Vec<_> = parts.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        self.model.upload(&parts, now()).unwrap();
    }

    fn current(&self, name: &str) -> Vec<u8> {
        self.model.get(name).unwrap().to_vec()
    }

    /// Whoever holds the server's keys: a snapshot and timestamp over any files.
    fn forge(&mut self, version: u64, files: &[(&str, &[u8])]) {
        let m = maker();
        let snapshot = m.snapshot_by(50, version, files);
        let timestamp = m.timestamp_by(51, version, days(now(), 9), &snapshot);
        self.serve("timestamp.json", &timestamp);
        self.serve(&consistent("snapshot", &snapshot), &snapshot);
        for (role, bytes) in files {
            self.serve(&consistent(role, bytes), bytes);
        }
    }

    fn serve(&mut self, name: &str, bytes: &[u8]) {
        self.instead.insert(name.to_owned(), Some(bytes.to_vec()));
    }

    fn settings(&self) -> Settings {
        Settings {
            now: self.at,
            caps: Caps::NOTARY,
            collection: COLLECTION.to_owned(),
            pins: BTreeSet::new(),
        }
    }

    /// Serves until the client wants nothing; what it asked for.
    fn run<J: Judge>(&self, client: &mut Client<J>) -> (Vec<String>, Result<()>) {
        let mut asked = Vec::new();
        while let Some(want) = client.want() {
            asked.push(want.name.clone());
            let served = match self.instead.get(&want.name) {
                Some(instead) => instead.as_deref(),
                None => self.model.get(&want.name),
            };
            let fed = match served {
                Some(bytes) => client.feed(bytes),
                None => client.missing(),
            };
            if fed.is_err() {
                assert!(client.want().is_none());
                return (asked, fed);
            }
        }
        (asked, Ok(()))
    }

    fn client(&self, state: State) -> Client<Signatures> {
        Client::new(Profile::Notary, self.settings(), state, Signatures).unwrap()
    }

    fn primed(&self) -> State {
        let mut client = self.client(State::default());
        self.run(&mut client).1.unwrap();
        client.state()
    }
}

fn consistent(role: &str, bytes: &[u8]) -> String {
    format!("{role}.{}.json", base16ct::lower::encode_string(&Sha256::digest(bytes)))
}

fn root(version: u64, keys: &[u8], signers: &[u8]) -> Vec<u8> {
    maker().root(&Root { version, keys, threshold: 2, signers, targets: &[10] })
}

fn found(client: &mut Client<Signatures>, path: &str) -> Option<String> {
    client.look_up(path).unwrap();
    match client.answer() {
        Some(Answer::Found { role, .. }) => Some(role.as_str().to_owned()),
        _ => None,
    }
}

#[test]
fn a_first_contact_and_an_update_with_nothing_new() {
    let line = Line::new();
    let mut first = line.client(State::default());
    let (asked, result) = line.run(&mut first);
    result.unwrap();
    assert_eq!(asked.len(), 5, "root, timestamp, snapshot, targets, targets/app: {asked:?}");
    assert_eq!(found(&mut first, "app/1").as_deref(), Some("targets/app"));
    assert_eq!(found(&mut first, "top").as_deref(), Some("targets"));
    assert_eq!(found(&mut first, "app/2"), None);
    assert_eq!(first.trusted(&RoleName::from_name("targets/app")).unwrap().version(), 1);
    let mut again = line.client(State::from_bytes(&first.state().to_bytes()).unwrap());
    let (asked, result) = line.run(&mut again);
    result.unwrap();
    assert_eq!(asked, ["timestamp.json"]);
    assert_eq!(again.changes(), []);
    assert_eq!(found(&mut again, "app/1").as_deref(), Some("targets/app"));
}

/// The attack, what is served from then on, and what ends it. Every client has seen version 2 of
/// everything before, and root version 2.
type Attack = (&'static str, fn(&mut Line), &'static str);

const ATTACKS: &[Attack] = &[
    ("nothing happens", |_| {}, "ok"),
    ("an honest update", |l| l.upload(&[("targets", maker().targets("targets", 3, &[10], &[]))]), "ok"),
    ("a root key replaced", |l| l.upload(&[("root", root(3, &[1, 2, 4], &[1, 2]))]), "ok"),
    ("every root key replaced", |l| l.upload(&[("root", root(3, &[4, 5, 6], &[1, 2, 4, 5]))]), "ok"),
    // The line is dead for a while: what is stored serves while it is valid.
    (
        "no timestamp today",
        |l| {
            l.instead.insert("timestamp.json".to_owned(), None);
        },
        "ok",
    ),
    (
        "no timestamp for a month",
        |l| {
            l.instead.insert("timestamp.json".to_owned(), None);
            l.at = days(now(), 30);
        },
        "FILE-MISSING",
    ),
    ("the same timestamp for a month", |l| l.at = days(now(), 30), "FREEZE"),
    (
        "an older timestamp",
        |l| {
            let old = l.current("1.timestamp.json");
            l.serve("timestamp.json", &old);
        },
        "ROLLBACK",
    ),
    (
        "a timestamp by a stranger",
        |l| {
            let snapshot = l.current("snapshot.json");
            l.serve("timestamp.json", &maker().timestamp_by(60, 9, days(now(), 9), &snapshot));
        },
        "ROLE-THRESHOLD",
    ),
    (
        "a timestamp by the snapshot key",
        |l| {
            let snapshot = l.current("snapshot.json");
            l.serve("timestamp.json", &maker().timestamp_by(50, 9, days(now(), 9), &snapshot));
        },
        "ROLE-THRESHOLD",
    ),
    ("an endless timestamp", |l| l.serve("timestamp.json", &vec![b' '; 1_048_577]), "SIZE-CAP"),
    ("a timestamp that is no JSON", |l| l.serve("timestamp.json", b"<html>"), "JSON"),
    (
        "another snapshot than the timestamp lists",
        |l| {
            l.upload(&[("targets", maker().targets("targets", 3, &[10], &[]))]);
            let (new, old) = (l.current("snapshot.json"), l.current("1.snapshot.json"));
            l.serve(&consistent("snapshot", &new), &old);
        },
        "SNAPSHOT-HASH",
    ),
    (
        "no snapshot",
        |l| {
            l.upload(&[("targets", maker().targets("targets", 3, &[10], &[]))]);
            let new = l.current("snapshot.json");
            l.instead.insert(consistent("snapshot", &new), None);
        },
        "FILE-MISSING",
    ),
    (
        "stolen timestamp key: an older snapshot",
        |l| {
            let old = l.current("1.snapshot.json");
            l.serve("timestamp.json", &maker().timestamp_by(51, 9, days(now(), 9), &old));
        },
        "ROLLBACK",
    ),
    (
        "stolen server keys: older targets",
        |l| {
            let (root, old) = (l.current("root.json"), l.current("1.targets.json"));
            l.forge(9, &[("root", &root), ("targets", &old)]);
        },
        "ROLLBACK",
    ),
    (
        "stolen server keys: an older delegation",
        |l| {
            let (root, targets, old) =
                (l.current("root.json"), l.current("targets.json"), l.current("1.targets/app.json"));
            l.forge(9, &[("root", &root), ("targets", &targets), ("targets/app", &old)]);
        },
        "ROLLBACK",
    ),
    (
        "stolen server keys: targets by a stranger",
        |l| {
            let (root, bad) =
                (l.current("root.json"), maker().targets("targets", 9, &[60], &[Maker::put("app/virus")]));
            l.forge(9, &[("root", &root), ("targets", &bad)]);
        },
        "ROLE-THRESHOLD",
    ),
    // The delegation is left out, and with it the virus; the rest stays.
    (
        "stolen server keys: a delegation by a stranger",
        |l| {
            let (root, targets) = (l.current("root.json"), l.current("targets.json"));
            let bad = maker().targets("targets/app", 9, &[60], &[Maker::put("app/virus")]);
            l.forge(9, &[("root", &root), ("targets", &targets), ("targets/app", &bad)]);
        },
        "ok",
    ),
    (
        "stolen server keys: no targets at all",
        |l| {
            let root = l.current("root.json");
            l.forge(9, &[("root", &root)]);
        },
        "META-MISMATCH",
    ),
    (
        "stolen server keys: targets without a digest",
        |l| {
            let (root, targets) = (l.current("root.json"), l.current("targets.json"));
            let honest = maker().snapshot_by(50, 9, &[("root", &root), ("targets", &targets)]);
            let signed = Json::parse(&honest).unwrap().get("signed").unwrap().clone();
            let bare = with(&signed, &["meta", "targets", "hashes"], Some(keyrite::tuf::json::object([])));
            let snapshot = file(&bare, &maker().signers(&[50]));
            l.serve("timestamp.json", &maker().timestamp_by(51, 9, days(now(), 9), &snapshot));
            l.serve(&consistent("snapshot", &snapshot), &snapshot);
        },
        "SNAPSHOT-HASH",
    ),
    (
        "stolen server keys: a root by strangers",
        |l| {
            let (bad, targets) = (root(3, &[4, 5, 6], &[4, 5]), l.current("targets.json"));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "ROOT-THRESHOLD-OLD",
    ),
    (
        "stolen server keys: a root by strangers, far on",
        |l| {
            let (bad, targets) = (root(4, &[4, 5, 6], &[4, 5]), l.current("targets.json"));
            l.serve("3.root.json", &root(3, &[4, 5, 6], &[4, 5]));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "ROOT-THRESHOLD-OLD",
    ),
    (
        "stolen server keys: the walk leads through a wrong version",
        |l| {
            let (bad, targets) = (root(4, &[4, 5, 6], &[4, 5]), l.current("targets.json"));
            l.serve("3.root.json", &root(4, &[4, 5, 6], &[1, 2, 4, 5]));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "ROOT-VERSION",
    ),
    (
        "stolen server keys: a root that is far too far on",
        |l| {
            let (bad, targets) = (root(5_000, &[4, 5, 6], &[4, 5]), l.current("targets.json"));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "SEARCH-LIMIT",
    ),
    (
        "stolen server keys: the root of the first day",
        |l| {
            let (old, targets) = (l.current("1.root.json"), l.current("targets.json"));
            l.forge(9, &[("root", &old), ("targets", &targets)]);
        },
        "ROLLBACK",
    ),
    (
        "two keys of root: another root of the same version",
        |l| {
            let (bad, targets) = (root(2, &[1, 2, 9], &[1, 2]), l.current("targets.json"));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "ROLLBACK",
    ),
    (
        "a root whose keys are of another collection",
        |l| {
            let other = Maker { collection: "updates.example.com/other".to_owned(), ..maker() };
            let keys: Vec<_> = [4, 5].map(|n| other.root_key(n)).to_vec();
            let json = signed_json(&maker().root_payload(&Root {
                version: 3,
                keys: &[4, 5],
                threshold: 2,
                signers: &[],
                targets: &[10],
            }));
            let mut all = json.get("keys").unwrap().as_object().unwrap().clone();
            all.extend(keys.iter().map(|k| (k.id.as_str().to_owned(), k.entry.clone())));
            let json = with(&json, &["keys"], Some(all.into()));
            let ids = keys.iter().map(|k| k.id.as_str().into()).collect::<Vec<_>>();
            let json = with(&json, &["roles", "root", "keyids"], Some(ids.into()));
            let mut signers = maker().root_signers(&[1, 2]);
            signers.extend([(keys[0].id.clone(), key(4)), (keys[1].id.clone(), key(5))]);
            let (bad, targets) = (file(&json, &signers), l.current("targets.json"));
            l.forge(9, &[("root", &bad), ("targets", &targets)]);
        },
        "CERTIFICATE-NAME",
    ),
    ("ten years later", |l| l.at = days(now(), 3_700), "CERTIFICATE-EXPIRED"),
];

#[test]
fn attacks_end_where_they_should() {
    for (name, attack, expected) in ATTACKS {
        let mut line = Line::new();
        let m = maker();
        line.upload(&[
            ("root", root(2, &[1, 2, 3], &[1, 3])),
            ("targets", m.targets("targets", 2, &[10], &[m.grant("targets/app", &[30], 1, &["app/"])])),
            ("targets/app", m.targets("targets/app", 2, &[30], &[Maker::put("app/2")])),
        ]);
        let before = line.primed();
        attack(&mut line);
        let client = Client::new(Profile::Notary, line.settings(), before.clone(), Signatures);
        let (result, after) = match client {
            Ok(mut client) => {
                let result = line.run(&mut client).1;
                if result.is_ok() {
                    assert_eq!(found(&mut client, "app/virus"), None, "{name}");
                } else {
                    assert!(client.feed(b"{}").is_err() && client.look_up("app/2").is_err(), "{name}");
                }
                (result, client.state())
            }
            Err(e) => (Err(e), before.clone()),
        };
        let rule = result.as_ref().map_or_else(|e| e.rule().name, |()| "ok");
        assert_eq!(rule, *expected, "{name}: {result:?}");
        if rule != "ok" {
            for role in [RoleName::Root, RoleName::Targets] {
                assert_eq!(after.files().get(&role), before.files().get(&role), "{name}: {role}");
            }
        }
    }
}

#[test]
fn revoked_and_expired_delegations_vanish_with_a_warning() {
    let mut line = Line::new();
    let m = maker();
    let both = [m.grant("targets/app", &[30], 1, &["app/"]), m.grant("targets/other", &[31], 1, &["other/"])];
    let expired = with(
        &signed_json(&m.targets_payload("targets/other", 1, &[Maker::put("other/1")])),
        &["expires"],
        Some("2026-12-01T00:00:00Z".into()),
    );
    line.upload(&[
        ("targets", m.targets("targets", 2, &[10], &both)),
        ("targets/other", file(&expired, &m.signers(&[31]))),
    ]);
    let before = line.primed();
    line.upload(&[(
        "targets",
        m.targets("targets", 3, &[10], &[m.grant("targets/app", &[32], 1, &["app/"]), both[1].clone()]),
    )]);
    line.at = days(now(), 10);
    for state in [State::default(), before] {
        let mut client = line.client(state);
        line.run(&mut client).1.unwrap();
        let skipped: Vec<_> = client
            .outcome()
            .skipped
            .iter()
            .map(|(role, why)| (role.as_str().to_owned(), why.rule().name))
            .collect();
        assert_eq!(
            skipped,
            [("targets/app".to_owned(), "ROLE-THRESHOLD"), ("targets/other".to_owned(), "EXPIRED")]
        );
        assert_eq!(found(&mut client, "app/1"), None);
        assert_eq!(found(&mut client, "other/1"), None);
        assert!(client.outcome().versions.len() == 4);
    }
}

/// The stock client searches breadth first, and no delegation names what its delegator may not.
#[test]
fn targets_are_searched_as_the_stock_client_does() {
    let mut line = Line::new();
    let m = maker();
    let grants = [
        m.grant("targets/a", &[30], 1, &["x/", "w/"]),
        m.grant("targets/b", &[31], 1, &[""]),
        m.grant("targets/none", &[33], 1, &[]),
    ];
    let track = [m.grant("targets/a/deep", &[32], 1, &["x/1", "y/", "w"])];
    line.upload(&[
        ("targets", m.targets("targets", 2, &[10], &grants)),
        ("targets/a", m.targets("targets/a", 1, &[30], &track)),
        (
            "targets/a/deep",
            m.targets("targets/a/deep", 1, &[32], &["x/1", "x/2", "y/1", "w/1"].map(Maker::put)),
        ),
        ("targets/b", m.targets("targets/b", 1, &[31], &[Maker::put("x/1"), Maker::put("z")])),
        ("targets/none", m.targets("targets/none", 1, &[33], &[Maker::put("free")])),
    ]);
    let mut client = line.client(State::default());
    line.run(&mut client).1.unwrap();
    for (path, role) in [
        ("x/1", Some("targets/b")),
        ("x/2", None),
        ("y/1", None),
        ("w/1", None),
        ("z", Some("targets/b")),
        ("free", None),
    ] {
        assert_eq!(found(&mut client, path).as_deref(), role, "{path}");
    }
    line.upload(&[("targets/b", m.targets("targets/b", 2, &[31], &[]))]);
    let mut client = line.client(State::default());
    line.run(&mut client).1.unwrap();
    assert_eq!(found(&mut client, "x/1").as_deref(), Some("targets/a/deep"));
}

#[test]
fn a_client_that_slept_walks_root_by_root() {
    let mut line = Line::new();
    let asleep = line.primed();
    for (version, old, new) in [(2, [1, 2], [4, 5]), (3, [4, 5], [6, 7]), (4, [6, 7], [8, 9])] {
        line.upload(&[("root", root(version, &new, &[old, new].concat()))]);
    }
    let mut client = line.client(asleep.clone());
    let (asked, result) = line.run(&mut client);
    result.unwrap();
    assert!(
        asked.contains(&"2.root.json".to_owned()) && asked.contains(&"3.root.json".to_owned()),
        "{asked:?}"
    );
    assert_eq!(client.outcome().versions[&RoleName::Root], 4);
    assert_eq!(found(&mut client, "app/1").as_deref(), Some("targets/app"));
    // A root on the way is gone: no way.
    line.instead.insert("3.root.json".to_owned(), None);
    let mut client = line.client(asleep.clone());
    assert_eq!(line.run(&mut client).1.unwrap_err().rule().name, "FILE-MISSING");
    // Signed by keys of the first root too, the newest is reached at once.
    line.upload(&[("root", root(5, &[8, 9], &[8, 9, 1, 2]))]);
    let mut client = line.client(asleep);
    let (asked, result) = line.run(&mut client);
    result.unwrap();
    assert!(!asked.iter().any(|name| name.starts_with(|c: char| c.is_ascii_digit())), "{asked:?}");
}

/// A root that has expired on the client's disk still vouches for the next.
#[test]
fn an_expired_stored_root_is_replaced() {
    let mut line = Line::new();
    let asleep = line.primed();
    line.at = days(now(), 800);
    let late = Maker { now: days(now(), 790), ..maker() };
    let model = &mut line.model;
    for (version, keys, signers) in [(2, [4, 5], [1, 2, 4, 5]), (3, [6, 7], [4, 5, 6, 7])] {
        // Certificates are as before; only the documents are young.
        let young = Root { version, keys: &keys, threshold: 2, signers: &signers, targets: &[10] };
        let expires = days(late.now, 700).to_string();
        let json = with(&signed_json(&maker().root_payload(&young)), &["expires"], Some(expires.into()));
        let targets =
            late.targets("targets", version, &[10], &[late.grant("targets/app", &[30], 1, &["app/"])]);
        let parts = [
            ("root".to_owned(), file(&json, &maker().root_signers(&signers))),
            ("targets".to_owned(), targets),
        ];
        model.upload(&parts, late.now).unwrap();
    }
    let mut client = line.client(asleep);
    let (asked, result) = line.run(&mut client);
    result.unwrap();
    assert_eq!(asked[..2], ["root.json", "2.root.json"]);
    assert_eq!(client.outcome().versions[&RoleName::Root], 3);
}

/// Only pinned certificates count towards the threshold, so pins must reach it.
#[test]
fn pinned_certificates_on_first_contact() {
    let line = Line::new();
    let id = |n| maker().root_key(n).id;
    for (pins, expected) in [
        (vec![], "ok"),
        (vec![id(1), id(2)], "ok"),
        (vec![id(1), id(2), id(3), id(7)], "ok"),
        (vec![id(1)], "PINNED"),
        (vec![id(1), id(3)], "PINNED"),
        (vec![maker().plain(1).id, maker().plain(2).id], "PINNED"),
        (vec![KeyId::declared("")], "PINNED"),
    ] {
        let settings = Settings { pins: pins.into_iter().collect(), ..line.settings() };
        let mut client =
            Client::new(Profile::Notary, settings.clone(), State::default(), Signatures).unwrap();
        let result = line.run(&mut client).1;
        assert_eq!(result.map_or_else(|e| e.rule().name, |()| "ok"), expected);
        // Who has a root needs no pins.
        let mut primed = Client::new(Profile::Notary, settings, line.primed(), Signatures).unwrap();
        line.run(&mut primed).1.unwrap();
    }
}

/// A plan: root and targets that nobody has signed yet are uploaded to the model and walked by
/// clients of today, with the signatures that the plan counts on.
#[test]
fn a_plan_is_walked_before_anyone_signs() {
    let m = maker();
    let line = Line::new();
    let today = line.primed();
    let new = Root { version: 2, keys: &[1, 2, 4], threshold: 2, signers: &[], targets: &[11] };
    let (root, targets) = (m.root_payload(&new), m.targets_payload("targets", 2, &[]));
    let unsigned = |payload: &MetadataPayload| wire::seal(payload, &BTreeMap::new(), &[]).unwrap();
    let walk = |asked: &[u8]| {
        let signers: BTreeSet<_> = asked.iter().map(|n| key(*n).public().identity()).collect();
        let planned = [&root, &targets].map(|p| ((p.role().clone(), p.digest()), signers.clone()));
        let judge = &Expected::new(BTreeMap::from(planned));
        judge.online(
            [&m.snapshot, &m.timestamp].into_iter().map(keyrite::tuf::key::PublicKey::identity).collect(),
        );
        let (snapshot, timestamp) =
            (ServerKey::assumed(m.snapshot.clone()), ServerKey::assumed(m.timestamp.clone()));
        let mut model = BackendModel::with_judge(COLLECTION, snapshot, timestamp, judge);
        let today_files =
            ["root", "targets"].map(|role| (role.to_owned(), line.current(&format!("{role}.json"))));
        model.upload(&today_files, now()).unwrap();
        let tomorrow = [("root".to_owned(), unsigned(&root)), ("targets".to_owned(), unsigned(&targets))];
        model.upload(&tomorrow, now()).map_err(|refused| refused.to_string())?;
        for state in [today.clone(), State::default()] {
            let mut client = Client::new(Profile::Notary, line.settings(), state, judge).unwrap();
            while let Some(want) = client.want() {
                let fed = match model.get(&want.name) {
                    Some(bytes) => client.feed(bytes),
                    None => client.missing(),
                };
                fed.map_err(|e| e.to_string())?;
            }
            assert_eq!(client.outcome().versions[&RoleName::Targets], 2);
        }
        Ok::<_, String>(())
    };
    assert_eq!(walk(&[1, 2, 11]), Ok(()));
    assert!(walk(&[1, 4, 11]).unwrap_err().contains("could not rotate trust"));
    assert!(walk(&[1, 2]).unwrap_err().contains("ErrBadTargets"));
}
