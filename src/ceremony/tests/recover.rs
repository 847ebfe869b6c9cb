//! `recover`: what is made of keys that were lost or stolen, root by root.

use super::root_change::{asked, held, hold, rooted};
use super::world::*;
use crate::ceremony::change::{Change, Item};
use crate::tuf::statement::{KeyEvent, Sentence};

/// Which keys a change says are gone.
fn gone(change: &Change) -> String {
    let said = change.items.iter().filter_map(|item| match item {
        Item::Statement { payload, .. } => match payload.sentence() {
            Sentence::KeyLife { key, event, .. } => {
                let name = ('a'..='z').find(|n| public(&n.to_string()).identity() == *key).unwrap();
                Some(format!("{name}:{}", event.name()))
            }
            _ => None,
        },
        _ => None,
    });
    said.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_next_root_by_what_was_lost_or_stolen() {
    type Case = (&'static str, (&'static str, u32), Option<u32>, &'static str, &'static str, &'static str);
    // Old keys and threshold, keys that may change at once, what the runbook says; who is asked to sign
    // the root and what is said of keys, or the rule.
    let table: &[Case] = &[
        ("one lost", ("abc", 2), None, "lost = [\"c\"]\nreplace-with = [\"d\"]", "a:on b:on d:n", "c:lost"),
        (
            "one stolen",
            ("abc", 2),
            None,
            "lost = [\"c\"]\ncompromised = [\"c\"]\nreplace-with = [\"d\"]",
            "a:on b:on d:n",
            "c:compromised",
        ),
        (
            "stolen ones first",
            ("abcd", 2),
            Some(1),
            "lost = [\"c\"]\ncompromised = [\"d\"]\nreplace-with = [\"e\", \"f\"]",
            "a:on b:on e:n",
            "d:compromised",
        ),
        ("no successor", ("abcd", 2), None, "lost = [\"c\"]", "a:on b:on d:on", "c:lost"),
        ("no successor and no spare", ("abc", 2), None, "lost = [\"c\"]", "RECOVER-NO-WAY", ""),
        (
            "a quorum lost",
            ("abc", 2),
            None,
            "lost = [\"b\", \"c\"]\nreplace-with = [\"d\", \"e\"]",
            "QUORUM-LOST",
            "",
        ),
        (
            "a threshold stolen",
            ("abcd", 2),
            None,
            "compromised = [\"c\", \"d\"]\nreplace-with = [\"e\"]",
            "a:on b:on e:n",
            "c:compromised d:compromised",
        ),
        (
            "the targets key",
            ("abc", 2),
            None,
            "compromised = [\"t\"]\nreplace-with = [\"w\"]",
            "a:on b:on c:on",
            "t:compromised",
        ),
        (
            "a lost one stays",
            ("abcd", 2),
            Some(1),
            "compromised = [\"d\"]\nreplace-with = [\"e\"]\nnot-asked = [\"c\"]",
            "a:on b:on e:n",
            "d:compromised",
        ),
        (
            "the targets key, and a lost one stays",
            ("abc", 2),
            None,
            "compromised = [\"t\"]\nreplace-with = [\"w\"]\nnot-asked = [\"c\"]",
            "a:on b:on",
            "t:compromised",
        ),
        (
            "one stays, and too few without",
            ("abc", 2),
            None,
            "compromised = [\"c\"]\nreplace-with = [\"d\"]\nnot-asked = [\"b\"]",
            "QUORUM-LOST",
            "",
        ),
        (
            "one that leaves stays",
            ("abcd", 2),
            None,
            "lost = [\"c\"]\nnot-asked = [\"c\"]",
            "KEY-NOT-LISTED",
            "",
        ),
        (
            "one that isn't there stays",
            ("abc", 2),
            None,
            "lost = [\"t\"]\nnot-asked = [\"d\"]",
            "KEY-NOT-LISTED",
            "",
        ),
        ("the targets key and no other", ("abc", 2), None, "compromised = [\"t\"]", "THRESHOLD-RANGE", ""),
        ("a developer's", ("abc", 2), None, "compromised = [\"x\"]", "KEY-PURPOSE", ""),
        ("nobody's", ("abc", 2), None, "lost = [\"q\"]", "KEY-UNKNOWN", ""),
    ];
    for (what, (keys, threshold), changed, says, expected, lives) in table {
        let mut facts = rooted(&[(keys, *threshold)]);
        facts.limits.root.keys_changed = *changed;
        match hold("recover", &format!("[recover]\n{says}\n[root]\nvalid-for = \"2 years\"\n"), &facts) {
            Ok(change) => {
                assert_eq!(asked(&change.items[0]), *expected, "{what}");
                assert_eq!(gone(&change), *lives, "{what}");
            }
            Err(refusal) => assert_eq!(refusal.rule().name, *expected, "{what}: {refusal}"),
        }
    }
}

#[test]
fn the_same_runbook_makes_one_root_after_the_other() {
    let tables = "[recover]\nlost = [\"c\"]\ncompromised = [\"d\"]\nreplace-with = [\"e\", \"f\"]\n[root]\nvalid-for = \"2 years\"\n";
    let step = |roots: &[(&str, u32)]| {
        let mut facts = rooted(roots);
        facts.limits.root.keys_changed = Some(1);
        let now = time("2026-11-22");
        for (name, event) in
            [("d", KeyEvent::Compromised), ("c", KeyEvent::Lost)].into_iter().take(roots.len() - 1)
        {
            facts.keys.get_mut(&key(name)).unwrap().life.push((event, now));
        }
        facts
    };
    let first = step(&[("abcd", 2)]);
    let change = hold("recover", tables, &first).unwrap();
    assert!(change.summary.last().unwrap().contains("1 more to come"), "{:?}", change.summary);
    assert!(!held("recover", tables, &first));
    let second = step(&[("abcd", 2), ("abce", 2)]);
    let change = hold("recover", tables, &second).unwrap();
    assert_eq!((asked(&change.items[0]).as_str(), gone(&change).as_str()), ("a:on b:on e:on f:n", "c:lost"));
    assert!(!held("recover", tables, &second));
    assert!(held("recover", tables, &step(&[("abcd", 2), ("abce", 2), ("abef", 2)])));
}
