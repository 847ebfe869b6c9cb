//! Who may do what: names, duties, witnesses, holders.

use super::world::*;
use crate::ceremony::change::{Change, Purpose};
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::people::{
    Duty, KeyName, Person, check_duties, check_holders, check_witnesses, one_administrator,
};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{KeyEvent, Sentence};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

fn rule<T>(result: Result<T>) -> &'static str {
    result.err().map_or("", |refusal| refusal.rule().name)
}

#[test]
fn names_are_file_names_everywhere() {
    let long = "a".repeat(64);
    for good in ["a", "root-a", "0", "_", "a_b-c", "con1", "comx1", &long] {
        assert_eq!(good.parse::<Person>().unwrap().as_str(), good);
        assert_eq!(good.parse::<KeyName>().unwrap().to_string(), good);
    }
    let longer = "a".repeat(65);
    let bad = [
        "",
        "-a",
        "A",
        "a b",
        "a.b",
        "a/b",
        "..",
        "a\\b",
        "ä",
        "a\n",
        "a\0",
        "con",
        "nul",
        "aux",
        "prn",
        "com1",
        "lpt9",
        &longer,
        "a\u{202e}b",
    ];
    for bad in bad {
        let refusal = bad.parse::<Person>().unwrap_err();
        assert_eq!(refusal.rule().name, "NAME", "{bad:?}");
        assert!(!refusal.found().chars().any(char::is_control), "{refusal}");
        assert_eq!(rule(bad.parse::<KeyName>()), "NAME", "{bad:?}");
    }
}

#[test]
fn words_of_closed_sets_are_read_back_and_no_others() {
    for duty in [Duty::Administrator, Duty::Custodian, Duty::Witness] {
        assert_eq!(duty.name().parse::<Duty>().unwrap(), duty);
    }
    for purpose in Purpose::ALL {
        assert_eq!(purpose.name().parse::<Purpose>().unwrap(), purpose);
    }
    for stage in [Stage::Rehearsal, Stage::Production] {
        assert_eq!(stage.name().parse::<Stage>().unwrap(), stage);
    }
    for other in ["", "Witness", "root ", "observer"] {
        assert_eq!(rule(other.parse::<Duty>()), "DUTY");
        assert_eq!(rule(other.parse::<Purpose>()), "PURPOSE");
        assert_eq!(rule(other.parse::<Stage>()), "STAGE");
    }
}

/// `alice a, bob w`: who does what.
fn duties(text: &str) -> BTreeMap<Person, Duty> {
    let read = |entry: &str| {
        let (name, duty) = entry.split_once(' ').unwrap();
        let duty = match duty {
            "a" => Duty::Administrator,
            "c" => Duty::Custodian,
            _ => Duty::Witness,
        };
        (person(name), duty)
    };
    text.split(", ").filter(|entry| !entry.is_empty()).map(read).collect()
}

#[test]
fn one_leads_and_enough_watch() {
    let facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[(&targets(1, "x"), "t")]);
    let (r2, t2, x1) = (root(2, "abc", 2, "t"), targets(2, "x"), delegation("x", 1));
    let mut limits = facts.limits.clone();
    (limits.root.witnesses, limits.targets.witnesses, limits.delegations.witnesses) = (2, 1, 0);
    let of = |items: Vec<_>, people: &str| {
        let mut change = change(&facts, &[], items);
        change.frame.people = duties(people);
        rule(check_duties(&change, &limits))
    };
    let (roots, both) = (vec![document(&r2, "abc")], vec![document(&t2, "t"), document(&x1, "x")]);
    let table = [
        (&roots, "alice a, bob w, carol w", ""),
        (&roots, "alice a, bob w, carol c", "WITNESSES"),
        (&roots, "alice a", "WITNESSES"),
        (&roots, "alice c, bob w, carol w", "PEOPLE"),
        (&roots, "alice a, dan a, bob w, carol w", "PEOPLE"),
        (&roots, "", "PEOPLE"),
        (&both, "alice a, bob w", ""),
        (&both, "alice a", "WITNESSES"),
    ];
    for (items, people, expected) in table {
        assert_eq!(of(items.clone(), people), expected, "{people}");
    }
    assert_eq!(of(vec![document(&x1, "x")], "alice a"), "");
    assert_eq!(of(Vec::new(), "alice a"), "");
    assert_eq!(rule(one_administrator(&duties("alice a, bob c"))), "");
}

#[test]
fn a_witness_signs_nothing_that_acts() {
    let facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[(&targets(1, ""), "t")]);
    let key = public("a").identity();
    let roll_call = Sentence::RollCall { key, nonce: sha("nonce") };
    let limits = Sentence::Limits { number: 2, limits: sha("l"), chain: facts.chain(None) };
    let lost = Sentence::KeyLife { key, event: KeyEvent::Lost, at: facts.today, root: sha("root") };
    let table = [
        ("a document", document(&targets(2, "x"), "ta"), "WITNESS-SIGNS"),
        ("a document that others sign", document(&targets(2, "x"), "t"), ""),
        ("limits", statement(limits, "abc"), "WITNESS-SIGNS"),
        ("a key's end", statement(lost, "abc"), "WITNESS-SIGNS"),
        ("a roll-call", statement(roll_call, "a"), ""),
    ];
    for (what, item, expected) in table {
        let mut change: Change = change(&facts, &[], vec![item]);
        change.frame.people.insert(holder("a"), Duty::Witness);
        assert_eq!(rule(check_witnesses(&change)), expected, "{what}");
        // A custodian, or someone who takes no part, may.
        change.frame.people.insert(holder("a"), Duty::Custodian);
        assert_eq!(rule(check_witnesses(&change)), "", "{what}");
    }
}

#[test]
fn nobody_holds_a_threshold_of_root_nor_what_is_excluded() {
    let mut facts: Facts = nothing();
    facts.limits.ceremony.excluded.insert(person("mallory"));
    // Who holds the keys a, b, c in turn; role, threshold.
    let table = [
        ("alice bob carol", "root", 2, ""),
        ("alice alice carol", "root", 2, "HOLDER-THRESHOLD"),
        ("alice alice carol", "root", 3, ""),
        ("alice alice alice", "root", 3, "HOLDER-THRESHOLD"),
        ("alice bob carol", "root", 1, "HOLDER-THRESHOLD"),
        ("alice alice carol", "targets", 2, ""),
        ("alice mallory carol", "root", 2, "PERSON-EXCLUDED"),
        ("alice mallory carol", "targets", 1, "PERSON-EXCLUDED"),
        ("alice mallory carol", "app-x", 1, ""),
    ];
    for (holders, role, threshold, expected) in table {
        let mut records: Vec<_> = names("abc").iter().map(|n| record(n, Purpose::Root)).collect();
        for (record, holder) in records.iter_mut().zip(holders.split(' ')) {
            record.holder = person(holder);
        }
        let keys: Vec<_> = records.iter().collect();
        let threshold = NonZeroU32::new(threshold).unwrap();
        let found = check_holders(&RoleName::from_name(role), &keys, threshold, &facts);
        assert_eq!(rule(found), expected, "{holders} for {role}");
    }
    // One key listed twice is one key.
    let record = record("a", Purpose::Root);
    assert_eq!(
        rule(check_holders(&RoleName::Root, &[&record, &record], NonZeroU32::MIN, &facts)),
        "HOLDER-THRESHOLD"
    );
    let two = NonZeroU32::new(2).unwrap();
    assert_eq!(rule(check_holders(&RoleName::Root, &[&record, &record], two, &facts)), "");
}

#[test]
fn facts_name_the_newest_document_the_chain_and_the_witness() {
    let (r1, r2, t1) = (root(1, "abc", 2, "t"), root(2, "abd", 2, "t"), targets(1, ""));
    let mut facts = facts(&[(&r1, "abc"), (&r2, "abd")], &[(&t1, "t")]);
    assert_eq!(facts.newest(&RoleName::Root).unwrap().payload(), &r2);
    assert_eq!(facts.newest(&RoleName::Targets).unwrap().payload(), &t1);
    assert!(facts.newest(&RoleName::Snapshot).is_none());
    assert_eq!(facts.root().unwrap().header.version.get(), 2);
    // FORMAT.md: SHA-256 over the concatenated 32-byte payload digests.
    let bytes = [r1.digest().as_bytes().as_slice(), r2.digest().as_bytes()].concat();
    assert_eq!(facts.chain(None), Digest::of(&bytes));
    let bytes = [bytes.as_slice(), sha("next").as_bytes()].concat();
    assert_eq!(facts.chain(Some(sha("next"))), Digest::of(&bytes));

    assert!(facts.witness_key(&holder("w")).is_none());
    facts.keys.insert(key("w"), record("w", Purpose::Witness));
    assert_eq!(facts.witness_key(&holder("w")).unwrap().name, key("w"));
    assert!(facts.witness_key(&holder("a")).is_none(), "a root key witnesses nothing");
    facts.keys.get_mut(&key("w")).unwrap().life.push((KeyEvent::Retired, facts.today));
    assert!(facts.witness_key(&holder("w")).is_none());
}
