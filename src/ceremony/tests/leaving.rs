//! A person who is everywhere leaves everywhere at once: root, targets, delegations, and what lies below
//! those, in one change.

use super::granted::{HEAD, asked, granting, naming, titles};
use super::world::{envelope, facts, frame, holder, key, names, person, public, record, root};
use crate::ceremony::change::{Change, Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::tuf::chain::{RootChain, accept, signers_of};
use crate::tuf::document::Document;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{KeyEvent, Sentence};
use std::collections::BTreeSet;

/// Dana's keys: root's c, targets' t, her developer's keys x, and f, which was made for root and never came
/// into it. `cam` is by x or y and grants `cam-lab` to x or z; `door` wants both x and y; `park` is by z
/// alone, whom this is no business of.
fn everywhere() -> Facts {
    let root = root(1, "abc", 2, "tv");
    let role = |name: &str| RoleName::from_name(name);
    let targets = granting(&RoleName::Targets, 4, &[("cam", "xy", 1), ("door", "xy", 2), ("park", "z", 1)]);
    let cam = granting(&role("cam"), 3, &[("cam-lab", "xz", 1)]);
    let (lab, door, park) = (
        naming("cam-lab", 5, &["cam/lab/1"]),
        naming("door", 3, &["door/1"]),
        naming("park", 3, &["park/1"]),
    );
    let mut facts =
        facts(&[(&root, "abc")], &[(&targets, "t"), (&cam, "x"), (&lab, "x"), (&door, "xy"), (&park, "z")]);
    for name in ["v", "w"] {
        facts.keys.insert(key(name), record(name, Purpose::Targets));
    }
    for name in ["c", "t", "x", "f"] {
        facts.keys.get_mut(&key(name)).unwrap().holder = person("dana");
    }
    facts
}

const TABLES: &str = "[revoke]\nperson = \"dana\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n\
    [reissue]\nvalid-for = \"1 year\"\n[root]\nreplace-with = [\"d\"]\nvalid-for = \"2 years\"\n\
    [targets]\nreplace-with = [\"w\"]\n";

fn ceremony() -> Box<dyn crate::ceremony::Ceremony> {
    kinds::read(&Runbook::parse(&format!("ceremony = \"revoke-delegation\"\n{HEAD}{TABLES}")).unwrap())
        .unwrap()
}

fn change(facts: &Facts) -> Result<Change> {
    ceremony().change(&frame(), facts)
}

/// The keys that a document lists anywhere, of those that the record knows.
fn listed(payload: &MetadataPayload) -> BTreeSet<String> {
    let known = |entry: &crate::tuf::document::DocumentKey| {
        names("abcdefstuvwxyz").into_iter().find(|name| entry.public.as_ref() == Some(&public(name)))
    };
    match payload.document() {
        Document::Root(root) => root.keys.values().filter_map(known).collect(),
        Document::Targets(targets) => targets.delegations.keys.values().filter_map(known).collect(),
        _ => BTreeSet::new(),
    }
}

/// The facts once these keys have signed all that they are asked for.
fn sealed(change: &Change, facts: &Facts) -> Facts {
    let mut after = facts.clone();
    for item in &change.items {
        match item {
            Item::Document { payload, asked } => {
                let signers: String = asked.iter().map(|ask| ask.key.as_str()).collect();
                let file = envelope(payload, &signers);
                if *payload.role() == RoleName::Root {
                    let mut chain = RootChain::start(after.roots.last().unwrap().envelope().clone()).unwrap();
                    chain.push(file).unwrap();
                    after.roots.extend(chain.into_all().pop());
                    continue;
                }
                let above = if *payload.role() == RoleName::Targets {
                    after.roots.last().unwrap()
                } else {
                    let lists =
                        |d: &&crate::tuf::evidence::Trusted| signers_of(d.document(), payload.role()).is_ok();
                    after.documents.values().find(lists).unwrap()
                };
                let trusted = accept(above, payload.role(), file, None).unwrap();
                after.documents.insert(payload.role().clone(), trusted);
            }
            Item::Statement { payload, .. } => {
                let Sentence::KeyLife { key, event, at, .. } = payload.sentence() else { continue };
                let record = after.keys.values_mut().find(|r| r.public.identity() == *key).unwrap();
                record.life.push((*event, *at));
            }
            _ => {}
        }
    }
    after
}

#[test]
fn a_person_leaves_root_targets_and_what_lies_below_in_one_change() {
    let facts = everywhere();
    assert!(!ceremony().held(&facts));
    let change = change(&facts).unwrap();
    let documents = ["root 2", "targets 5"];
    let titles = titles(&change);
    assert_eq!(titles[..2], documents);
    let made: BTreeSet<&str> =
        titles[2..].iter().map(String::as_str).filter(|t| !t.ends_with("statement")).collect();
    assert_eq!(made, BTreeSet::from(["cam 4", "cam-lab 6"]), "door and park verify without her: {titles:?}");

    // None of hers is asked for anything, and none is listed any more.
    let hers: BTreeSet<KeyName> = ["c", "t", "x", "f"].map(key).into();
    for (at, item) in change.items.iter().enumerate() {
        assert!(
            item.asked().iter().all(|ask| !hers.contains(&ask.key)),
            "{}: {}",
            titles[at],
            asked(&change, at)
        );
    }
    for payload in change.documents() {
        let listed = listed(payload);
        assert!(["c", "t", "x"].iter().all(|name| !listed.contains(*name)), "{}: {listed:?}", payload.role());
    }
    let asked_for = |title: &str| asked(&change, titles.iter().position(|t| t == title).unwrap());
    assert_eq!((asked_for("root 2"), asked_for("targets 5")), ("abd".to_owned(), "vw".to_owned()));
    assert_eq!((asked_for("cam 4"), asked_for("cam-lab 6")), ("y".to_owned(), "z".to_owned()));

    // Each is declared stolen by the new root's keys, the spare that was never in root too.
    let said: BTreeSet<String> = change
        .items
        .iter()
        .filter_map(|item| {
            let Item::Statement { payload, asked } = item else { return None };
            let Sentence::KeyLife { key, event, .. } = payload.sentence() else { return None };
            assert_eq!(*event, KeyEvent::Compromised);
            assert!(asked.iter().all(|ask| ["a", "b", "d"].contains(&ask.key.as_str())));
            names("abcdefstuvwxyz").into_iter().find(|name| public(name).identity() == *key)
        })
        .collect();
    assert_eq!(said, ["c", "t", "x", "f"].map(str::to_owned).into());

    // All who are asked are enough, and whoever stays sees what they saw.
    let mut gathered = Gathered::default();
    for item in &change.items {
        for ask in item.asked() {
            gathered.signatures.push((ask.public.identity(), item.payload_digest().unwrap()));
        }
    }
    let standing = Standing::of(&change, &gathered, &facts).unwrap();
    assert!(matches!(standing.state, State::Complete { everyone: true }), "{:?}", standing.state);
    let after = sealed(&change, &facts);
    assert!(ceremony().held(&after));
    for role in ["cam", "cam-lab", "door", "park"] {
        let role = RoleName::from_name(role);
        let lists = |d: &&crate::tuf::evidence::Trusted| signers_of(d.document(), &role).is_ok();
        let above = after.documents.values().find(lists).unwrap();
        let file = after.documents[&role].envelope().clone();
        let still = accept(above, &role, file, None).unwrap_or_else(|e| panic!("{role}: {e}"));
        let before = facts.documents[&role].document().as_targets().unwrap();
        assert_eq!(still.document().as_targets().unwrap().targets, before.targets, "{role}");
    }
    assert_ne!(holder("c"), person("dana"), "what else of-c holds stays");
}
