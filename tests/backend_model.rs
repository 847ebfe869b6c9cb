//! The model of the Notary server against the real one: the same uploads, good and bad, and after
//! each the same view by a fresh client and by one that was there from the beginning.
//!
//! The real ones are Debian's notary-server and the stock `notary` client, on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod collection;
mod keys;

use collection::cases::{CASES, Case, first, part, root_with_keys};
use collection::server::{Server, now};
use collection::{Maker, Root, days, file, key, server_key, signed_json};
use keyrite::tuf::backend_model::{BackendModel, ServerRefusal};
use keyrite::tuf::client::{Caps, Client, Settings, Signatures, State};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use std::collections::BTreeSet;

fn verdict(answer: &Result<(), ServerRefusal>) -> String {
    match answer {
        Ok(()) => "ok".to_owned(),
        Err(refused) => {
            assert_eq!(refused.http, 400);
            let words = [Some(refused.code), refused.name, Some(refused.message.as_str())];
            words.into_iter().flatten().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Whether our client, from `state`, reaches what the model serves; the state afterwards.
fn reaches(model: &BackendModel, collection: &str, state: State, at: Time) -> (bool, State) {
    let settings =
        Settings { now: at, caps: Caps::NOTARY, collection: collection.to_owned(), pins: BTreeSet::new() };
    let Ok(mut client) = Client::new(Profile::Notary, settings, state.clone(), Signatures) else {
        return (false, state);
    };
    while let Some(want) = client.want() {
        let fed = match model.get(&want.name) {
            Some(bytes) => client.feed(bytes),
            None => client.missing(),
        };
        if fed.is_err() {
            return (false, client.state());
        }
    }
    (client.trusted(&RoleName::Targets).is_some(), client.state())
}

/// The words of a reason that differ by nature: dates, digests, and what our reader says of form.
fn same_reason(model: &str, server: &str) -> bool {
    let cut = |text: &str| {
        let whole = text.split(" expired at ").next().unwrap_or_default();
        whole.split("did not match: expected").next().unwrap_or_default().to_owned()
    };
    let kind = |text: &str| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
    cut(model) == cut(server) || (kind(model) == kind(server) && model.contains(": found "))
}

fn run(server: &Server, number: usize, case: &Case) -> Vec<String> {
    let collection = format!("updates.example.com/case-{number}");
    let now = now();
    let real = Maker {
        collection: collection.clone(),
        now,
        snapshot: server.key(&collection, "snapshot"),
        timestamp: server.key(&collection, "timestamp"),
    };
    let (snapshot, timestamp) = (server_key(50), server_key(51));
    let modelled =
        Maker { snapshot: snapshot.public().clone(), timestamp: timestamp.public().clone(), ..real.clone() };
    let mut model = BackendModel::new(&collection, snapshot, timestamp);
    let (mut primed, primed_dir) = (State::default(), server.dir.join(format!("primed-{number}")));
    // A client that sees the first upload, sleeps, and wakes after the last.
    let (mut asleep, asleep_dir) = (State::default(), server.dir.join(format!("asleep-{number}")));
    let mut wrong = Vec::new();
    let uploads = (case.uploads)(&real).into_iter().zip((case.uploads)(&modelled));
    for (step, ((theirs, ours), (expected, clients))) in uploads.zip(case.expected).enumerate() {
        let place = format!("{}, upload {}", case.name, step + 1);
        let answers = (verdict(&model.upload(&ours, now)), server.upload(&collection, &theirs));
        if !answers.0.starts_with(expected) || !same_reason(&answers.0, &answers.1) {
            wrong.push(format!(
                "{place}: expected {expected}\n  model  {}\n  server {}",
                answers.0, answers.1
            ));
        }
        // A minute on: everyone's clock is a little ahead of the documents.
        let at = Time::from_unix(now.unix() + 60).unwrap();
        let fresh = reaches(&model, &collection, State::default(), at).0;
        let (again, state) = reaches(&model, &collection, primed, at);
        primed = state;
        if step == 0 && case.expected.len() > 1 {
            asleep = primed.clone();
            server.lists(&collection, &asleep_dir);
        }
        let fresh_dir = server.dir.join(format!("fresh-{number}-{step}"));
        let stock = (server.lists(&collection, &fresh_dir), server.lists(&collection, &primed_dir));
        let (our, their) = match *clients {
            "++" => ((true, true), (true, true)),
            "--" => ((false, false), (false, false)),
            "!!" => ((false, false), (true, true)),
            other => unreachable!("clients {other}"),
        };
        if (fresh, again) != our || stock != their {
            wrong.push(format!(
                "{place}: clients {clients}\n  model (fresh, primed) {:?}\n  server {stock:?}",
                (fresh, again)
            ));
        }
    }
    if case.expected.len() > 1 {
        let at = Time::from_unix(now.unix() + 60).unwrap();
        let woken = (reaches(&model, &collection, asleep, at).0, server.lists(&collection, &asleep_dir));
        if woken.0 != woken.1 {
            wrong.push(format!("{}: a client that slept, model and server: {woken:?}", case.name));
        }
    }
    assert_eq!((case.uploads)(&modelled).len(), case.expected.len(), "{}", case.name);
    wrong
}

#[test]
fn the_model_says_what_the_server_says() {
    let server = Server::up("backend-model");
    let wrong: Vec<String> = CASES.iter().enumerate().flat_map(|(n, case)| run(&server, n, case)).collect();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

/// A stored root whose certificates expire ends everything: no upload is taken, no client gets in.
#[test]
fn when_root_certificates_expire_neither_takes_anything() {
    let server = Server::up("certificates");
    let collection = "updates.example.com/short";
    let (snapshot, timestamp) = (server_key(50), server_key(51));
    let keys = [
        (snapshot.public().clone(), timestamp.public().clone()),
        (server.key(collection, "snapshot"), server.key(collection, "timestamp")),
    ];
    let mut model = BackendModel::new(collection, snapshot, timestamp);
    let start = now();
    let end = Time::from_unix(start.unix() + 6).unwrap();
    let [ours, theirs] = keys.map(|(snapshot, timestamp)| {
        let m = Maker { collection: collection.to_owned(), now: start, snapshot, timestamp };
        let certified = m.certified(1, collection, days(start, -1), end);
        let json = root_with_keys(&m, vec![(certified.id.as_str().to_owned(), certified.entry.clone())], 1);
        let root = file(&json, &[(certified.id.clone(), key(1))]);
        let first = vec![part("root", root), part("targets", m.first_targets())];
        let renewed = Root { version: 2, keys: &[1, 2], threshold: 1, signers: &[1], targets: &[10] };
        let payload = signed_json(&m.root_payload(&renewed));
        let signers = [(certified.id.clone(), key(1)), (m.root_key(1).id, key(1))];
        vec![first, vec![part("root", file(&payload, &signers))]]
    });
    for ((ours, theirs), expected) in ours.iter().zip(&theirs).zip(["ok", "INVALID_UPDATE"]) {
        assert_eq!(verdict(&model.upload(ours, now())), expected);
        assert_eq!(server.upload(collection, theirs), expected);
        while now() <= end {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
    let (reached, _) = reaches(&model, collection, State::default(), now());
    assert!(!reached && !server.lists(collection, &server.dir.join("fresh")));
}

#[test]
fn an_expired_timestamp_is_signed_again_when_it_is_asked_for() {
    let (snapshot, timestamp) = (server_key(50), server_key(51));
    let now: Time = "2026-11-22T13:00:00Z".parse().unwrap();
    let collection = "updates.example.com/app";
    let maker = Maker {
        collection: collection.to_owned(),
        now,
        snapshot: snapshot.public().clone(),
        timestamp: timestamp.public().clone(),
    };
    let mut model = BackendModel::new(collection, snapshot, timestamp);
    assert_eq!(model.get_at("timestamp.json", now), None);
    model.upload(&first(&maker), now).unwrap();
    let stored = model.get("timestamp.json").unwrap().to_vec();
    assert_eq!(model.get_at("timestamp.json", days(now, 13)).unwrap(), stored);
    let later = days(now, 15);
    assert_ne!(model.get_at("timestamp.json", later).unwrap(), stored);
    assert_eq!(model.get("2.timestamp.json"), model.get("timestamp.json"));
    assert_eq!(model.get("2.snapshot.json"), None);
    assert!(reaches(&model, collection, State::default(), later).0);
    // Root expires: the server can no longer load it, and serves no timestamp at all.
    assert_eq!(model.get_at("timestamp.json", days(now, 701)), None);
    for role in [RoleName::Snapshot, RoleName::Timestamp] {
        let file = String::from_utf8(model.key_file(&role)).unwrap();
        assert!(
            file.starts_with("{\"keytype\":\"ed25519\",\"keyval\":{\"private\":null,\"public\":\""),
            "{file}"
        );
    }
    assert!(model.key_file(&RoleName::Root).is_empty());
}
