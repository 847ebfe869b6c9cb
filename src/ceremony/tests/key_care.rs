//! Roll-calls, and keys that are destroyed once nothing lists them.

use super::notary_world as notary;
use super::world::{frame, holder, key, nothing, time};
use crate::ceremony::change::{Change, Item};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::Step;
use crate::tuf::rule::Result;
use crate::tuf::statement::{KeyEvent, Sentence};

fn runbook(kind: &str, tables: &str) -> Runbook {
    let head = "title = \"t\"\n[people]\nalice = \"administrator\"\n";
    Runbook::parse(&format!("ceremony = \"{kind}\"\n{head}{tables}")).unwrap()
}

fn hold(kind: &str, tables: &str, facts: &Facts) -> Result<Change> {
    kinds::read(&runbook(kind, tables)).unwrap().change(&frame(), facts)
}

fn held(kind: &str, tables: &str, facts: &Facts) -> bool {
    kinds::read(&runbook(kind, tables)).unwrap().held(facts)
}

fn asked(change: &Change) -> String {
    let ask = |item: &Item| item.asked().iter().map(|ask| ask.key.to_string()).collect::<String>();
    change.items.iter().map(ask).collect::<Vec<_>>().join(" ")
}

fn live(facts: &mut Facts, name: &str, event: KeyEvent) {
    facts.keys.get_mut(&key(name)).unwrap().life.push((event, time("2026-01-01")));
}

const CALL: &str = "[roll-call]\n";

#[test]
fn every_key_that_is_called_speaks_for_itself() {
    let facts = notary::first_day();
    let change = hold("roll-call", CALL, &facts).unwrap();
    assert_eq!(asked(&change), "a b c t");
    for item in &change.items {
        let Item::Statement { payload, asked } = item else { panic!("no statement") };
        let Sentence::RollCall { key, nonce } = payload.sentence() else { panic!("no roll-call") };
        assert_eq!((*key, *nonce), (asked[0].public.identity(), frame().roll_call()));
        assert_eq!(asked[0].counts, []);
    }
    assert!(change.base.documents.is_empty());
    // What is in [roll-call]; who is called, or the rule.
    let table = [
        ("keys = [\"d\", \"x\"]", "d x"),
        ("keys = [\"q\"]", "KEY-UNKNOWN"),
        ("keys = [\"a\", \"a\"]", "RUNBOOK"),
        ("keys = [\"s\"]", "KEY-PURPOSE"),
        ("keys = [\"f\"]", "KEY-GONE"),
        ("keys = [\"e\"]", "e"),
    ];
    let mut facts = notary::first_day();
    live(&mut facts, "f", KeyEvent::Lost);
    live(&mut facts, "e", KeyEvent::Retired);
    for (tables, expected) in table {
        match hold("roll-call", &format!("{CALL}{tables}\n"), &facts) {
            Ok(change) => assert_eq!(asked(&change), expected, "{tables}"),
            Err(refusal) => assert_eq!(refusal.rule().name, expected, "{tables}: {refusal}"),
        }
    }
    // A key that is gone is not called by default; before the first root there is none.
    live(&mut facts, "b", KeyEvent::Compromised);
    assert_eq!(asked(&hold("roll-call", CALL, &facts).unwrap()), "a c t");
    assert_eq!(hold("roll-call", CALL, &nothing()).unwrap_err().rule().name, "KEY-UNKNOWN");
}

#[test]
fn the_date_of_an_answer_is_the_changes() {
    let one = frame().roll_call();
    let mut other = frame();
    other.held_at = time("2026-11-23");
    assert_ne!(one, other.roll_call());
    let mut other = frame();
    other.nonce = [6; 32];
    assert_ne!(one, other.roll_call());
}

#[test]
fn a_roll_call_is_due_again_after_its_term() {
    let mut facts = notary::first_day();
    let every = "[roll-call]\nevery = \"90 days\"\n";
    assert!(!held("roll-call", every, &facts));
    for name in ["a", "b", "c", "t"] {
        facts.roll_calls.insert(notary::public(name).identity(), time("2026-10-01"));
    }
    assert!(held("roll-call", every, &facts));
    assert!(!held("roll-call", CALL, &facts), "thirty days");
    facts.roll_calls.insert(notary::public("c").identity(), time("2026-08-01"));
    assert!(!held("roll-call", every, &facts), "one is enough");
    assert!(held("roll-call", "[roll-call]\nkeys = [\"a\"]\nevery = \"90 days\"\n", &facts));
}

const RETIRE: &str = "[retire]\nkey = \"c\"\n";

/// c has left the root.
fn left() -> Facts {
    let mut facts = notary::first_day();
    notary::push_root(&mut facts, "abd", 2, "t");
    facts
}

#[test]
fn a_key_is_destroyed_after_the_last_document_that_lists_it() {
    let change = hold("retire-key", RETIRE, &left()).unwrap();
    assert_eq!(asked(&change), " abd");
    let Item::Statement { payload, .. } = &change.items[1] else { panic!("no statement") };
    let Sentence::KeyLife { key: of, event, root, .. } = payload.sentence() else { panic!("no life") };
    let newest = left().roots.last().unwrap().payload().digest();
    assert_eq!((*of, *event, *root), (notary::public("c").identity(), KeyEvent::Destroyed, newest));
    assert!(change.summary.iter().any(|line| line.contains("no root after root 1")), "{:?}", change.summary);

    // First those who agree, then the token, then the record.
    let ceremony = kinds::read(&runbook("retire-key", RETIRE)).unwrap();
    let steps: Vec<_> =
        ceremony.steps(&change, &left()).unwrap().iter().map(|step: &Step| step.id.to_string()).collect();
    let expected = ["show", "read-back", "confirm", "sign.a.1", "sign.b.1", "sign.d.1", "destroy.c", "seal"];
    assert_eq!(steps, expected);

    // Which key, what became of it before; who signs, or the rule.
    let table: &[(&str, Option<KeyEvent>, &str)] = &[
        ("a", None, "KEY-STILL-LISTED"),
        ("t", None, "KEY-STILL-LISTED"),
        ("u", None, "KEY-STILL-LISTED"),
        ("x", None, "KEY-STILL-LISTED"),
        ("q", None, "KEY-UNKNOWN"),
        ("c", Some(KeyEvent::Retired), " abd"),
        ("c", Some(KeyEvent::Compromised), " abd"),
        ("c", Some(KeyEvent::Lost), "KEY-GONE"),
        ("c", Some(KeyEvent::Destroyed), "KEY-GONE"),
        ("w", None, " abd"),
        ("y", None, " t"),
    ];
    for (name, event, expected) in table {
        let mut facts = left();
        if let Some(event) = event {
            live(&mut facts, name, *event);
        }
        match hold("retire-key", &format!("[retire]\nkey = \"{name}\"\n"), &facts) {
            Ok(change) => assert_eq!(asked(&change), *expected, "{name} {event:?}"),
            Err(refusal) => assert_eq!(refusal.rule().name, *expected, "{name} {event:?}: {refusal}"),
        }
    }
    assert_eq!(hold("retire-key", RETIRE, &notary::before()).unwrap_err().rule().name, "ROOT-MISSING");

    let mut facts = left();
    assert!(!held("retire-key", RETIRE, &facts));
    live(&mut facts, "c", KeyEvent::Destroyed);
    assert!(held("retire-key", RETIRE, &facts));
    assert_eq!(facts.keys[&key("c")].holder, holder("c"));
}
