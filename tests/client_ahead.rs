//! A look at everything, fed many files at once, comes to what it comes to when it is fed one by one: the
//! same verdicts, the same state, the same changes in the same order, and no file asked for twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod keys;
mod repository;

use keyrite::tuf::client::{Caps, Change, Client, Outcome, Settings, Signatures, State};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use proptest::prelude::*;
use repository::{Doc, LATER, PAST, Repository, time};
use std::collections::{BTreeMap, BTreeSet};

type Files = BTreeMap<String, Vec<u8>>;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn client(documents: u32, state: State) -> Client<Signatures> {
    let caps = Caps { documents, ..Caps::TUF };
    let now = time("2026-11-22T13:00:00Z");
    let settings = Settings { now, caps, collection: String::new(), pins: BTreeSet::new() };
    Client::new(Profile::Tuf, settings, state, Signatures).unwrap()
}

fn one_by_one(client: &mut Client<Signatures>, files: &Files, asked: &mut Vec<String>) -> Result<()> {
    while let Some(want) = client.want().cloned() {
        asked.push(want.name.clone());
        match files.get(&want.name) {
            Some(bytes) => client.feed(bytes)?,
            None => client.missing()?,
        }
    }
    Ok(())
}

/// At most `most` at once: whoever serves may be cut off.
fn many_at_once(
    client: &mut Client<Signatures>,
    files: &Files,
    asked: &mut Vec<String>,
    most: usize,
) -> Result<()> {
    loop {
        let wants = client.wants();
        assert_eq!(wants.first(), client.want());
        if wants.is_empty() {
            return Ok(());
        }
        asked.extend(wants.iter().take(most).map(|want| want.name.clone()));
        let answers = wants.into_iter().take(most).map(|want| {
            let bytes = files.get(&want.name).cloned();
            (want, bytes)
        });
        client.feed_all(answers.collect())?;
    }
}

/// What a look at everything came to.
#[derive(Debug, PartialEq)]
struct Came {
    result: Result<()>,
    outcome: Outcome,
    state: State,
    changes: Vec<Change>,
}

fn look(
    documents: u32,
    state: State,
    mut serve: impl FnMut(&mut Client<Signatures>, &mut Vec<String>) -> Result<()>,
) -> (Came, Vec<String>) {
    let mut client = client(documents, state);
    let mut asked = Vec::new();
    let result = serve(&mut client, &mut asked).and_then(|()| client.look_around());
    let result = result.and_then(|()| serve(&mut client, &mut asked));
    let (outcome, state, changes) = (client.outcome(), client.state(), client.changes());
    (Came { result, outcome, state, changes }, asked)
}

/// Looks both ways; returns what it came to.
fn both(documents: u32, state: &State, files: &Files, most: usize) -> Came {
    let (slow, one) = look(documents, state.clone(), |client, asked| one_by_one(client, files, asked));
    let (quick, many) =
        look(documents, state.clone(), |client, asked| many_at_once(client, files, asked, most));
    assert_eq!(quick, slow);
    let distinct: BTreeSet<_> = many.iter().collect();
    assert_eq!(distinct.len(), many.len(), "a file asked for twice: {many:?}");
    if slow.result.is_ok() {
        assert_eq!(distinct, one.iter().collect());
    }
    slow
}

fn first_root(repository: &Repository) -> State {
    State::first(repository.files["1.root.json"].clone())
}

/// What is wrong with a document that is served.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    None,
    Missing,
    /// Not the bytes that are listed.
    Other,
    Expired,
    /// Signed by a key that nobody lists.
    Foreign,
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        6 => Just(Flaw::None),
        1 => Just(Flaw::Missing),
        1 => Just(Flaw::Other),
        1 => Just(Flaw::Expired),
        1 => Just(Flaw::Foreign),
    ]
}

/// Who delegates to whom (0 is targets), with which key of two; each document's flaw.
type Tree = (Vec<(usize, usize, bool)>, Vec<Flaw>);

fn tree() -> impl Strategy<Value = Tree> {
    let delegation = (0..=NAMES.len(), 0..NAMES.len(), prop::bool::weighted(0.1));
    (prop::collection::vec(delegation, 0..20), prop::collection::vec(flaw(), NAMES.len()))
}

fn write(repository: &mut Repository, (delegations, flaws): &Tree, version: u64) {
    let mut docs: BTreeMap<&'static str, Doc> = NAMES.iter().map(|name| (*name, Doc::new(30, &[]))).collect();
    docs.insert("targets", Doc::new(10, &[]));
    let mut listed = BTreeSet::new();
    for (by, to, other) in delegations {
        let by = by.checked_sub(1).map_or("targets", |by| NAMES[by]);
        if listed.insert((by, to)) {
            let doc = docs.remove(by).unwrap();
            docs.insert(by, doc.delegating(NAMES[*to], if *other { 31 } else { 30 }, &["*"], false));
        }
    }
    for (name, flaw) in NAMES.iter().zip(flaws) {
        let doc = docs.get_mut(name).unwrap();
        doc.version = version;
        doc.expires = if matches!(flaw, Flaw::Expired) { PAST } else { LATER };
        doc.signers = vec![if matches!(flaw, Flaw::Foreign) { 32 } else { 30 }];
    }
    docs.get_mut("targets").unwrap().version = version;
    repository.docs = docs;
    repository.snapshot.version = version;
    repository.timestamp.version = version;
    repository.write();
    for (name, flaw) in NAMES.iter().zip(flaws) {
        let name = format!("{version}.{name}.json");
        match flaw {
            Flaw::Missing => drop(repository.files.remove(&name)),
            Flaw::Other => repository.files.get_mut(&name).unwrap().push(b'\n'),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn many_files_at_once_come_to_the_same(
        first in tree(),
        then in tree(),
        documents in 1_u32..12,
        most in 1_usize..12,
    ) {
        let mut repository = Repository::new();
        write(&mut repository, &first, 1);
        both(documents, &first_root(&repository), &repository.files, most);
        // Whoever has seen that, or some of it, looks again, and at what comes after.
        let seen = both(u32::MAX, &first_root(&repository), &repository.files, most).state;
        both(documents, &seen, &repository.files, most);
        write(&mut repository, &then, 2);
        both(documents, &seen, &repository.files, most);
    }
}

/// So many that they come in several parts, each of which goes to every core.
#[test]
fn thousands_of_files_come_to_the_same() {
    const MANY: usize = 2_500;
    let mut repository = Repository::new();
    repository.docs.remove("app");
    let mut top = Doc::new(10, &[]);
    for n in 0..MANY {
        let name: &'static str = format!("r{n}").leak();
        top = top.delegating(name, 30, &["*"], false);
        repository
            .docs
            .insert(name, Doc { signers: vec![if n % 100 == 7 { 31 } else { 30 }], ..Doc::new(30, &[]) });
    }
    repository.docs.insert("targets", top);
    repository.write();
    repository.files.remove("1.r1200.json");
    let state = first_root(&repository);
    let came = both(u32::MAX, &state, &repository.files, usize::MAX);
    assert_eq!(came.outcome.skipped.len(), MANY / 100 + 1);
    let rules: BTreeSet<_> = came.outcome.skipped.iter().map(|(_, why)| why.rule().name).collect();
    assert_eq!(rules, BTreeSet::from(["FILE-MISSING", "ROLE-THRESHOLD"]));
    let again = both(u32::MAX, &came.state, &repository.files, usize::MAX);
    assert_eq!(again.changes, [], "what is stored and listed is not fetched again");
    assert_eq!(again.outcome, came.outcome);
}

/// What is asked for ahead is bounded in number and bytes, and listed by what is trusted.
#[test]
fn what_is_asked_for_ahead_is_bounded() {
    let mut repository = Repository::new();
    repository.docs.remove("app");
    let mut top = Doc::new(10, &[]);
    for n in 0..1_100 {
        let name: &'static str = format!("r{n}").leak();
        top = top.delegating(name, 30, &["*"], false);
        repository.docs.insert(name, Doc::new(30, &[]));
    }
    repository.docs.insert("targets", top.delegating("unlisted", 30, &["*"], false));
    repository.write();
    // One by one until somebody looks around.
    let mut plain = client(u32::MAX, first_root(&repository));
    let mut most = 0;
    loop {
        let wants = plain.wants();
        most = wants.len().max(most);
        let Some(want) = wants.into_iter().next() else { break };
        let bytes = repository.files.get(&want.name).cloned();
        plain.feed_all(vec![(want, bytes)]).unwrap();
    }
    assert_eq!(most, 1);
    plain.look_around().unwrap();
    let wants = plain.wants();
    assert_eq!(wants.len(), 1_025);
    assert!(wants.iter().all(|want| want.role != RoleName::from_name("unlisted")));
    // Listed with 40 MB each, no two of them fit.
    let mut meta = BTreeMap::new();
    for (name, doc) in &repository.docs {
        let bytes = &repository.files[&format!("{}.{name}.json", doc.version)];
        let mut listed = repository::listed(doc.version, bytes);
        if *name != "targets" {
            listed.length = Some(40 << 20);
        }
        meta.insert(RoleName::from_name(name), listed);
    }
    repository.write_snapshot(&meta);
    let mut large = client(u32::MAX, first_root(&repository));
    one_by_one(&mut large, &repository.files, &mut Vec::new()).unwrap();
    large.look_around().unwrap();
    assert_eq!(large.wants().len(), 1);
}
