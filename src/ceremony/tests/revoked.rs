//! Revocations as somebody who wants to stay would have them: keys in places that are easily missed.

use super::granted::{asked, granting, held, hold, naming, titles, world};
use super::root_change::rooted;
use super::world::{facts, key, person, public, record, root, time};
use crate::ceremony::change::{Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::KeyEvent;
use crate::tuf::wire;

const KIND: &str = "revoke-delegation";

fn of(person_name: &str, keys: &[&str], mut facts: Facts) -> Facts {
    for name in keys {
        facts.keys.get_mut(&key(name)).unwrap().holder = person(person_name);
    }
    facts
}

/// Whose key-life a statement of the change declares, and who is asked for it.
fn declared(change: &crate::ceremony::change::Change) -> Vec<(String, String)> {
    let life = |(at, item): (usize, &Item)| {
        let Item::Statement { payload, .. } = item else { return None };
        let crate::tuf::statement::Sentence::KeyLife { key, .. } = payload.sentence() else { return None };
        let name = ('a'..='z').find(|n| public(&n.to_string()).identity() == *key)?;
        Some((name.to_string(), asked(change, at)))
    };
    change.items.iter().enumerate().filter_map(life).collect()
}

#[test]
fn keys_that_nobody_can_use_hold_no_delegation_up() {
    // cam is signed by x or y alone; y was lost long ago and is listed still.
    let mut facts = world();
    facts.keys.get_mut(&key("y")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01")));
    let revoke = |more: &str| {
        let tables = format!("[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n{more}");
        hold(KIND, &tables, &facts)
    };
    for more in ["", "below-threshold = \"lower\"\n"] {
        let refused = revoke(more).unwrap_err();
        assert_eq!(refused.rule().name, "BELOW-THRESHOLD");
        let expected = "cam with 0 keys at a threshold of 1 (not counting y of of-y, lost since 2026-01-01)";
        assert_eq!(refused.found(), expected);
    }
    let change = revoke("replace-with = [\"z\"]\n").unwrap();
    assert_eq!(titles(&change), ["targets 5"]);
}

#[test]
fn a_role_that_two_documents_list_is_left_in_both() {
    let root = root(1, "abc", 2, "t");
    let targets = granting(&RoleName::Targets, 4, &[("cam", "xy", 1), ("group", "z", 1)]);
    let group = granting(&RoleName::from_name("group"), 7, &[("cam", "x", 1)]);
    let cam = naming("cam", 3, &["cam/1"]);
    let both = facts(&[(&root, "abc")], &[(&targets, "t"), (&cam, "x"), (&group, "z")]);
    let tables = "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\n[reissue]\nvalid-for = \"1 year\"\n";
    assert!(!held(KIND, tables, &both));
    let change = hold(KIND, tables, &both).unwrap();
    assert_eq!(titles(&change), ["targets 5", "cam 4", "group 8", "the key-life statement"]);
    let lists = |role: &str| {
        let made = change.documents().find(|d| d.role().as_str() == role).unwrap();
        made.document().as_targets().unwrap().delegations.role(&RoleName::from_name("cam")).is_some()
    };
    assert!(lists("targets") && !lists("group"), "group would have no key left for it");
    let told = change.summary.join("\n");
    assert!(told.contains("group, which lists cam too, does so no more"), "{told}");
    // Nor does a whole application stay where it is listed second.
    let end = hold(KIND, "[revoke]\napplication = \"cam\"\nbecause = \"left\"\n", &both).unwrap();
    assert_eq!(titles(&end), ["targets 5", "group 8"]);
}

/// A document of the role whose hash bins this key signs for.
fn with_bins(role: &str, letter: &str) -> MetadataPayload {
    let name = RoleName::from_name(role);
    let made = granting(&name, 7, &[("other", letter, 1)]);
    let text = String::from_utf8(made.bytes().to_vec()).unwrap();
    let mut signed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = signed["delegations"]["roles"][0]["keyids"].clone();
    signed["delegations"].as_object_mut().unwrap().remove("roles");
    signed["delegations"]["succinct_roles"] =
        serde_json::json!({"bit_length": 4, "keyids": ids, "name_prefix": "bin", "threshold": 1});
    let file = serde_json::json!({"signatures": [], "signed": signed}).to_string();
    wire::parse(Profile::Tuf, &name, file.as_bytes()).unwrap().payload().clone()
}

#[test]
fn a_key_of_hash_bins_is_not_said_to_have_gone() {
    let root = root(1, "abc", 2, "t");
    let targets = granting(&RoleName::Targets, 4, &[("cam", "xy", 1), ("group", "z", 1)]);
    let group = with_bins("group", "x");
    let facts = facts(&[(&root, "abc")], &[(&targets, "t"), (&group, "z")]);
    let tables = "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\n";
    let refused = hold(KIND, tables, &facts).unwrap_err();
    assert_eq!(refused.rule().name, "REVOKE-BINS");
    assert!(refused.found().ends_with("in the hash bins of group"), "{refused}");
    // One application alone can still be freed of it.
    hold(KIND, "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n", &facts).unwrap();
}

#[test]
fn a_spare_root_key_of_a_person_who_is_not_trusted_any_more_never_comes_back() {
    let facts = of("dana", &["x", "f"], world());
    let tables = "[revoke]\nperson = \"dana\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n";
    let change = hold(KIND, tables, &facts).unwrap();
    // The developer's key by targets, the key that was made for root by root.
    assert_eq!(declared(&change), [("f".to_owned(), "abc".to_owned()), ("x".to_owned(), "t".to_owned())]);
}

#[test]
fn one_key_under_two_names_leaves_once_and_everywhere() {
    let mut facts = world();
    let mut twin = record("x", Purpose::Delegation);
    twin.name = key("x-again");
    twin.holder = person("emil");
    facts.keys.insert(twin.name.clone(), twin);
    for name in ["x", "x-again"] {
        let tables = format!("[revoke]\nkey = \"{name}\"\nbecause = \"lost\"\nbelow-threshold = \"lower\"\n");
        let change = hold(KIND, &tables, &facts).unwrap();
        assert_eq!(declared(&change), [("x".to_owned(), "t".to_owned())]);
        let targets = change.documents().next().unwrap().document().as_targets().unwrap();
        let gone = public("x").identity();
        let listed = |role: &crate::tuf::document::DelegatedRole| {
            let ids = role.keys.keyids.iter();
            ids.filter_map(|id| targets.delegations.keys.get(id)?.public.as_ref())
                .any(|k| k.identity() == gone)
        };
        assert!(!targets.delegations.roles.iter().any(|role| listed(role)), "{name}");
    }
}

#[test]
fn a_statement_alone_takes_no_key_out_of_root() {
    for name in ["a", "t"] {
        let tables = format!("[revoke]\nkey = \"{name}\"\nbecause = \"compromised\"\n");
        assert_eq!(hold(KIND, &tables, &world()).unwrap_err().rule().name, "KEY-STILL-LISTED", "{name}");
    }
}

#[test]
fn keys_of_the_online_roles_that_a_person_keeps_are_named() {
    let mut facts = world();
    facts.keys.insert(key("s"), record("s", Purpose::Snapshot));
    let facts = of("dana", &["x", "s"], facts);
    let tables = "[revoke]\nperson = \"dana\"\nbecause = \"left\"\nbelow-threshold = \"lower\"\n";
    let told = hold(KIND, tables, &facts).unwrap().summary.join("\n");
    assert!(
        told.contains("s goes on signing snapshot: a rotate-root runbook with [snapshot] keys"),
        "{told}"
    );
}

#[test]
fn a_circle_of_delegations_ends() {
    let root = root(1, "abc", 2, "t");
    let targets = granting(&RoleName::Targets, 4, &[("one", "x", 1)]);
    let one = granting(&RoleName::from_name("one"), 2, &[("two", "y", 1)]);
    let two = granting(&RoleName::from_name("two"), 2, &[("one", "xz", 1)]);
    let circle = facts(&[(&root, "abc")], &[(&targets, "t"), (&one, "x"), (&two, "y")]);
    let stolen = "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\nbelow-threshold = \"remove\"\n";
    let change = hold(KIND, stolen, &circle).unwrap();
    assert_eq!(change.documents().map(|d| d.role().to_string()).next().unwrap(), "targets");
}

#[test]
fn a_key_that_left_root_before_is_declared_lost_without_a_new_root() {
    let facts = rooted(&[("abc", 2), ("abd", 2)]);
    let tables = "[recover]\nlost = [\"c\"]\n[root]\nvalid-for = \"2 years\"\n";
    assert!(!held("recover", tables, &facts));
    let change = hold("recover", tables, &facts).unwrap();
    assert_eq!(titles(&change), ["the key-life statement"]);
    assert_eq!(asked(&change, 0), "abd");
    let revoke = hold(KIND, "[revoke]\nkey = \"c\"\nbecause = \"lost\"\n", &facts).unwrap();
    assert_eq!((titles(&revoke), asked(&revoke, 0)), (titles(&change), "abd".to_owned()));
}
