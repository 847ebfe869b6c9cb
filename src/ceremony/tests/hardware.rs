//! What is proven of a root's keys, told and demanded.

use super::root_change::{hold, rooted};
use super::world::{before_root, key, nothing, root};
use crate::ceremony::attestation::{Attested, Firmware, Form, PinPolicy, Place, Product, TouchPolicy};
use crate::ceremony::attestation::{Tally, Verdict};
use crate::ceremony::facts::{Facts, Stage};
use crate::tuf::rule::Refusal;

fn proven() -> Verdict {
    let (pin, touch) = (PinPolicy::Always, TouchPolicy::Always);
    let place = Place::Slot { slot: Some("9c".to_owned()), pin, touch, form: Form::Other };
    Verdict::Proven(Attested { product: Product::YubiKey, serial: 7, firmware: Firmware(5, 7, 4), place })
}

fn failed() -> Verdict {
    let rule = &crate::ceremony::attestation::rules::ATTESTATION_TOUCH;
    Verdict::Failed { attested: None, because: vec![Refusal::new(rule, "none", "one")] }
}

/// Facts in which those keys are proven hardware keys.
fn with(mut facts: Facts, proven_keys: &str) -> Facts {
    facts.attested.extend(proven_keys.chars().map(|name| (key(&name.to_string()), proven())));
    facts
}

const FIRST: &str = "[root]\nkeys = [\"a\", \"b\", \"c\"]\nthreshold = 2\nvalid-for = \"2 years\"\n\
    [targets]\nkeys = [\"t\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
    [snapshot]\nkeys = [\"s\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m\"]\nthreshold = 1\n";

#[test]
fn a_first_root_needs_proven_keys_where_limits_say_so() {
    // What limits demand of root and targets, which keys are proven; the key that stops it.
    for (root, targets, keys, stops) in [
        (false, false, "", ""),
        (true, false, "abc", ""),
        (true, false, "ab", "c of"),
        (true, true, "abc", "t of"),
        (true, true, "abct", ""),
        (false, true, "t", ""),
    ] {
        let mut facts = with(before_root(), keys);
        facts.limits.root.attested_keys = root;
        facts.limits.targets.attested_keys = targets;
        let result = hold("create-root", FIRST, &facts);
        match result {
            Ok(_) => assert!(stops.is_empty(), "{root} {targets} {keys}"),
            Err(refusal) => {
                assert_eq!(refusal.rule().name, "KEY-NOT-ATTESTED", "{refusal}");
                assert!(refusal.found().starts_with(stops) && !stops.is_empty(), "{refusal}");
            }
        }
        facts.trust.stage = Stage::Rehearsal;
        assert!(hold("create-root", FIRST, &facts).is_ok(), "throw-away keys");
    }
}

/// An advisory of tomorrow keeps nobody from replacing keys one after another.
#[test]
fn of_a_later_root_only_keys_that_come_in_are_asked() {
    let one = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";
    let again = "[root]\nvalid-for = \"2 years\"\n";
    let of = |keys: &str| {
        let mut facts = with(rooted(&[("abc", 2)]), keys);
        facts.limits.root.attested_keys = true;
        facts.limits.targets.attested_keys = true;
        facts
    };
    let rule =
        |kind: &str, tables: &str, facts: &Facts| hold(kind, tables, facts).err().map(|e| e.rule().name);
    assert_eq!(rule("rotate-root", again, &of("")), None);
    assert_eq!(rule("rotate-root", one, &of("abc")), Some("KEY-NOT-ATTESTED"));
    assert_eq!(rule("rotate-root", one, &of("d")), None);
    let mut broken = of("");
    broken.attested.insert(key("d"), failed());
    let refusal = hold("rotate-root", one, &broken).unwrap_err();
    assert_eq!(refusal.rule().name, "KEY-NOT-ATTESTED");
    assert!(refusal.found().ends_with("attestation fails ATTESTATION-TOUCH"), "{refusal}");
    let targets = "[targets]\nkeys = [\"w\"]\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n";
    assert_eq!(rule("issue-targets-key", targets, &of("d")), Some("KEY-NOT-ATTESTED"));
    assert_eq!(rule("issue-targets-key", targets, &of("w")), None);
}

#[test]
fn proven_keys_of_a_root_are_counted() {
    let mut facts = with(nothing(), "a");
    facts.attested.insert(key("b"), failed());
    facts.keys.get_mut(&key("d")).unwrap().token = "file".to_owned();
    let unknown = facts.keys.remove(&key("e")).unwrap();
    let made = root(1, "abcde", 3, "t");
    let root = made.document().as_root().unwrap();
    let tally = Tally::of(root, &facts).unwrap();
    assert_eq!(tally.words(), "1 of 5 keys of this root are proven hardware keys");
    let mut rest = tally.rest;
    rest.sort();
    let nameless = rest.iter().position(|line| line.ends_with("kept elsewhere, nothing proven")).unwrap();
    assert!(rest.remove(nameless).starts_with("the key "), "{}", unknown.name);
    assert_eq!(
        rest,
        [
            "b (of-b): attestation fails ATTESTATION-TOUCH",
            "c (of-c): attributes claimed, not proven",
            "d (of-d): kept in a file, not in hardware",
        ]
    );
    facts.trust.stage = Stage::Rehearsal;
    assert_eq!(Tally::of(root, &facts), None, "throw-away keys");
}
