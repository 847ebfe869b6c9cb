//! The planner's runbooks for root keys that come and go: each is held in its turn, signed by the fewest
//! keys that the planner names, and makes the very root that it has planned.

use super::root_change::rooted;
use super::world::*;
use crate::ceremony::change::{Change, Frame, Item};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::planner::{Answer, Cast, PlannedRoot, Wish, plan, question, runbooks};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::tuf::chain::RootChain;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Sentence;
use crate::tuf::time::{Term, Unit};
use std::collections::BTreeSet;

/// What becomes of one root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Kept,
    KeptLate,
    Removed,
    Lost,
    Compromised,
    Stolen,
    Added,
    AddedLate,
}

const FATES: [Fate; 8] = [
    Fate::Kept,
    Fate::KeptLate,
    Fate::Removed,
    Fate::Lost,
    Fate::Compromised,
    Fate::Stolen,
    Fate::Added,
    Fate::AddedLate,
];

/// Every case up to renaming of keys: the first `a`, the next `b`, and so on.
fn cases() -> Vec<Vec<Fate>> {
    let mut all: Vec<Vec<Fate>> = vec![Vec::new()];
    let mut begun = 0;
    for _ in 1..=5 {
        let before = begun;
        begun = all.len();
        for place in before..begun {
            let last = all[place].last().copied().unwrap_or(Fate::Kept);
            for fate in FATES.into_iter().filter(|fate| *fate >= last) {
                all.push(all[place].iter().copied().chain([fate]).collect());
            }
        }
    }
    all
}

/// The keys of these fates.
fn of(fates: &[Fate], which: &[Fate]) -> BTreeSet<KeyName> {
    let named = ('a'..).zip(fates).filter(|(_, fate)| which.contains(fate));
    named.map(|(name, _)| key(&name.to_string())).collect()
}

fn wish(fates: &[Fate], threshold: u32) -> Wish {
    let late = of(fates, &[Fate::KeptLate, Fate::AddedLate]).into_iter();
    Wish {
        add: of(fates, &[Fate::Added, Fate::AddedLate]),
        remove: of(fates, &[Fate::Removed]),
        lost: of(fates, &[Fate::Lost, Fate::Stolen]),
        compromised: of(fates, &[Fate::Compromised, Fate::Stolen]),
        late: late.map(|name| (name, time("2026-12-10"))).collect(),
        threshold: Some(threshold),
        ..Wish::new(Term::new(2, Unit::Years))
    }
}

/// What these keys sign of it, each only what it is asked for.
fn by(change: &Change, signers: &BTreeSet<KeyName>) -> Gathered {
    let mut gathered = Gathered::default();
    for item in &change.items {
        for ask in item.asked().iter().filter(|ask| signers.contains(&ask.key)) {
            gathered.signatures.push((ask.public.identity(), item.payload_digest().unwrap()));
        }
    }
    gathered
}

fn word(names: &BTreeSet<KeyName>) -> String {
    names.iter().map(KeyName::as_str).collect()
}

/// Holds the runbook of a planned root on its day, by the fewest who are enough; the facts then.
fn held(text: &str, planned: &PlannedRoot, gone: &BTreeSet<KeyName>, facts: &Facts, case: &str) -> Facts {
    let ceremony = kinds::read(&Runbook::parse(text).unwrap()).unwrap();
    let mut facts = facts.clone();
    facts.today = planned.day;
    let sign_by = planned.day.plus(Term::new(30, Unit::Days)).unwrap();
    let frame = Frame { held_at: planned.day, sign_by, ..frame() };
    assert!(!ceremony.held(&facts), "{case}: {text}");
    let change = ceremony.change(&frame, &facts).unwrap_or_else(|e| panic!("{case}: {e}\n{text}"));
    let Item::Document { payload, asked } = &change.items[0] else { panic!("{case}: no root") };

    // The root that was planned.
    let made = payload.document().as_root().unwrap();
    let role = &made.roles[&RoleName::Root];
    let listed: BTreeSet<_> =
        role.keyids.iter().map(|id| made.keys[id].public.clone().unwrap().identity()).collect();
    let wanted: BTreeSet<_> = planned.root.keys.iter().map(|name| public(name.as_str()).identity()).collect();
    assert_eq!(
        (payload.version(), role.threshold.get()),
        (planned.version, planned.root.threshold),
        "{case}"
    );
    assert_eq!(listed, wanted, "{case}: {text}");

    // Nobody is asked for a key that is gone, and the fewest are enough for all that is signed.
    let asked: BTreeSet<KeyName> = asked.iter().map(|ask| ask.key.clone()).collect();
    assert!(asked.is_disjoint(gone), "{case}: {} is asked\n{text}", word(&asked));
    let fewest = planned.fewest();
    assert!(fewest.is_subset(&asked), "{case}: {} of {}", word(&fewest), word(&asked));
    let state = Standing::of(&change, &by(&change, &fewest), &facts).unwrap().state;
    assert!(matches!(state, State::Complete { .. }), "{case}: by {} {state:?}\n{text}", word(&fewest));
    for absent in &fewest {
        let others = fewest.iter().filter(|name| *name != absent).cloned().collect();
        let state = Standing::of(&change, &by(&change, &others), &facts).unwrap().state;
        assert_eq!(state, State::Open, "{case}: without {absent}\n{text}");
    }

    let mut chain = RootChain::start(facts.roots.last().unwrap().envelope().clone()).unwrap();
    chain.push(envelope(payload, &word(&fewest))).unwrap_or_else(|e| panic!("{case}: {e}"));
    facts.roots.extend(chain.into_all().pop());
    for item in &change.items {
        let Item::Statement { payload, .. } = item else { continue };
        let Sentence::KeyLife { key, event, at, .. } = payload.sentence() else { continue };
        let record = facts.keys.values_mut().find(|record| record.public.identity() == *key).unwrap();
        record.life.push((*event, *at));
    }
    assert!(ceremony.held(&facts), "{case}: {text}");
    facts
}

#[test]
fn every_runbook_of_every_way_makes_the_root_that_was_planned() {
    let people = Cast { administrator: person("alice"), witnesses: BTreeSet::from([person("bob")]) };
    let gone = [Fate::Lost, Fate::Compromised, Fate::Stolen];
    let (mut ways, mut roots, mut longest) = (0, 0, 0);
    for fates in cases() {
        let comes = [Fate::Added, Fate::AddedLate];
        let now = word(&of(&fates, &FATES).difference(&of(&fates, &comes)).cloned().collect());
        for (old, new, changed) in
            [(2, 2, Some(1)), (2, 2, None), (2, 3, None), (3, 2, None), (3, 3, Some(1)), (3, 2, Some(1))]
        {
            // Of the many cases of five keys those that take more than one root.
            if now.len() < old as usize || (fates.len() == 5 && (changed.is_none() || old == new)) {
                continue;
            }
            let mut facts = rooted(&[(&now, old)]);
            facts.limits.root.spare_keys = 0;
            facts.limits.root.keys_changed = changed;
            let question = question(&wish(&fates, new), &facts).unwrap();
            let Answer::Roots(way) = plan(&question) else { continue };
            let case = format!("{fates:?}, {old} to {new}, {changed:?}");
            let texts = runbooks(&question, &way, &people);
            assert_eq!(texts.len(), way.len(), "{case}");
            for ((_, text), planned) in texts.iter().zip(&way) {
                facts = held(text, planned, &of(&fates, &gone), &facts, &case);
            }
            ways += 1;
            roots += way.len();
            longest = longest.max(way.len());
        }
    }
    // These numbers change with the cases alone.
    assert_eq!((ways, roots, longest), (700, 983, 3));
}
