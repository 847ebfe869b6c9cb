//! Keys of root and of targets lost or stolen at once: the planner's runbooks, held until nothing is
//! due, against a search of its own.

use super::notary_world as notary;
use super::root_change::rooted;
use super::world::*;
use crate::ceremony::change::{Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::planner::{
    Answer, Cast, Certified, Incident, Successor, WayOut, Wish, incident, plan, question, with_tokens,
};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::unmade::LeaveOut;
use crate::tuf::chain::{RootChain, accept};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{KeyEvent, Sentence};
use crate::tuf::time::{Term, Unit};
use crate::tuf::wire;
use std::collections::{BTreeMap, BTreeSet};

fn set(word: &str) -> BTreeSet<KeyName> {
    names(word).iter().map(|name| key(name)).collect()
}

fn cast() -> Cast {
    Cast { administrator: person("alice"), witnesses: BTreeSet::from([person("bob")]) }
}

fn what(lost: &str, compromised: &str, come: &str) -> Incident {
    Incident {
        lost: set(lost),
        compromised: set(compromised),
        replace_with: set(come),
        new: Vec::new(),
        late: BTreeMap::new(),
        threshold: None,
        valid_for: Term::new(2, Unit::Years),
        targets_valid_for: Term::new(1, Unit::Years),
        leave_out: LeaveOut::default(),
    }
}

fn ask(what: &Incident, facts: &Facts) -> Result<WayOut> {
    incident(what, facts, &cast())
}

/// Who is asked to sign any document or statement of the change, as a word.
fn asked(items: &[Item]) -> String {
    let all: BTreeSet<String> = items.iter().flat_map(Item::asked).map(|a| a.key.to_string()).collect();
    all.into_iter().collect()
}

/// The facts once everyone who is asked has signed.
fn sealed(facts: &Facts, items: &[Item]) -> Facts {
    let mut after = facts.clone();
    for item in items {
        match item {
            Item::Document { payload, asked } => {
                let signers: String = asked.iter().map(|ask| ask.key.to_string()).collect();
                let envelope = envelope(payload, &signers);
                if *payload.role() == RoleName::Root {
                    let before = after.roots.last().unwrap().bytes();
                    let before = wire::parse(Profile::Tuf, payload.role(), before).unwrap();
                    let mut chain = RootChain::start(before).unwrap();
                    chain.push(envelope).unwrap();
                    after.roots.extend(chain.into_all().pop());
                } else {
                    let above = after.roots.last().unwrap();
                    let trusted = accept(above, payload.role(), envelope, None).unwrap();
                    after.documents.insert(payload.role().clone(), trusted);
                }
            }
            Item::Statement { payload, .. } => {
                if let Sentence::KeyLife { key, event, at, .. } = payload.sentence() {
                    let record = after.keys.values_mut().find(|r| r.public.identity() == *key).unwrap();
                    record.life.push((*event, *at));
                }
            }
            _ => {}
        }
    }
    after
}

/// Holds a runbook; none if nothing is due.
fn hold(text: &str, facts: &Facts, gone: &str) -> Option<Facts> {
    let ceremony = kinds::read(&Runbook::parse(text).unwrap()).unwrap();
    if ceremony.held(facts) {
        return None;
    }
    let change = ceremony.change(&frame(), facts).unwrap_or_else(|e| panic!("{text}\n{e}"));
    let signs = asked(&change.items);
    assert!(!gone.chars().any(|key| signs.contains(key)), "{signs} for\n{text}");
    Some(sealed(facts, &change.items))
}

/// Holds the runbooks in order, each once; the facts then, and how many roots were made. A `recover`
/// finds nothing due then.
fn hold_all(way: &WayOut, facts: &Facts, gone: &str) -> (Facts, usize) {
    let (mut facts, mut made) = (facts.clone(), 0);
    for (_, text) in &way.runbooks {
        if let Some(after) = hold(text, &facts, gone) {
            facts = after;
            made += 1;
        }
    }
    for (_, text) in way.runbooks.iter().filter(|(name, _)| name == "recover") {
        assert!(hold(text, &facts, gone).is_none(), "{text}");
    }
    (facts, made)
}

fn listed(facts: &Facts, role: &RoleName) -> String {
    let root = facts.root().unwrap();
    let ids = &root.roles[role].keyids;
    let public_of = |id| root.keys[id].public.clone().unwrap().identity();
    let mut all: Vec<String> = ids
        .iter()
        .map(|id| {
            facts.keys.values().find(|r| r.public.identity() == public_of(id)).unwrap().name.to_string()
        })
        .collect();
    all.sort();
    all.concat()
}

/// The fewest roots from one set of root keys to another, any `most` of which may change at once, at a
/// threshold of 2 with one to spare: a search that knows of nothing but these rules.
fn fewest(from: &str, to: &str, gone: &str, most: Option<u32>) -> Option<usize> {
    let bit = |c: char| 1_u32 << (c as u32 - 'a' as u32);
    let mask = |word: &str| word.chars().map(bit).sum::<u32>();
    let (from, to, gone) = (mask(from), mask(to), mask(gone));
    let mut seen = BTreeSet::from([from]);
    let mut layer = vec![from];
    for roots in 0..8 {
        if layer.contains(&to) {
            return Some(roots);
        }
        let mut next = Vec::new();
        for state in layer {
            for other in 0..64_u32 {
                let (out, into) = ((state & !other).count_ones(), (other & !state).count_ones());
                let few = most.is_none_or(|most| out.max(into) <= most);
                let lawful = other.count_ones() >= 3 && into == (other & !state & !gone).count_ones();
                let signable = (state & !gone).count_ones() >= 2 && (other & !gone).count_ones() >= 2;
                if few && lawful && signable && seen.insert(other) {
                    next.push(other);
                }
            }
        }
        layer = next;
    }
    None
}

#[test]
fn every_incident_of_three_root_keys_and_the_targets_key() {
    let fates = ["kept", "lost", "compromised", "stolen"];
    let (mut ways, mut none) = (0, 0);
    for number in 0..4_usize.pow(4) {
        let fate = |at: u32| fates[number / 4_usize.pow(at) % 4];
        let keys = ["a", "b", "c", "t"];
        let named = |fits: &[&str]| -> String {
            keys.iter().zip(0..).filter(|(_, at)| fits.contains(&fate(*at))).map(|(key, _)| *key).collect()
        };
        let (lost, compromised) = (named(&["lost", "stolen"]), named(&["compromised", "stolen"]));
        let gone = named(&["lost", "compromised", "stolen"]);
        let gone_roots: String = gone.chars().filter(|c| *c != 't').collect();
        for come in ["", "e", "ef", "def"] {
            for most in [None, Some(1)] {
                let mut facts = rooted(&[("abc", 2)]);
                facts.limits.root.keys_changed = most;
                let wanted: String =
                    "abc".chars().filter(|c| !gone.contains(*c)).chain(come.chars()).collect();
                let targets = gone.contains('t');
                let w = if targets { "w" } else { "" };
                let best = fewest("abc", &wanted, &gone_roots, most).filter(|_| gone_roots.len() < 2);
                let case = format!("lost {lost}, compromised {compromised}, come {come}, {most:?}");
                match ask(&what(&lost, &compromised, &format!("{come}{w}")), &facts) {
                    Ok(way) => {
                        ways += 1;
                        // A targets key costs a root of its own only where root itself stays.
                        let best = best.unwrap_or_else(|| panic!("{case}: no way, but {:?}", way.words));
                        assert_eq!(way.roots.len(), best.max(usize::from(targets)), "{case}");
                        let (after, made) = hold_all(&way, &facts, &gone);
                        assert_eq!((made, way.runbooks.len()), (way.roots.len(), made), "{case}");
                        assert_eq!(listed(&after, &RoleName::Root), wanted, "{case}");
                        assert_eq!(
                            listed(&after, &RoleName::Targets),
                            if targets { "w" } else { "t" },
                            "{case}"
                        );
                        let version = after.documents[&RoleName::Targets].version();
                        assert_eq!(
                            version,
                            if targets { 2 } else { 1 },
                            "{case}: targets is signed again once"
                        );
                        let event = |name: char| after.keys[&key(&name.to_string())].life[0].0;
                        for name in gone.chars() {
                            let stolen = compromised.contains(name);
                            let event = event(name);
                            assert_eq!(
                                event == KeyEvent::Compromised,
                                stolen,
                                "{case}: {name} {}",
                                event.name()
                            );
                        }
                    }
                    Err(refusal) => {
                        none += 1;
                        let nothing = gone.is_empty() && come.is_empty();
                        assert!(best.is_none() || nothing, "{case}: {refusal}");
                        let rule = if gone_roots.len() > 1 { "QUORUM-LOST" } else { "RECOVER-NO-WAY" };
                        assert_eq!(refusal.rule().name, rule, "{case}: {refusal}");
                    }
                }
            }
        }
    }
    assert!(ways > 200 && none > 800, "{ways} ways, {none} without");
}

#[test]
fn the_runbooks_and_the_words() {
    let facts = rooted(&[("abc", 2)]);
    let mut both = what("c", "ct", "");
    both.new = vec![
        Successor { name: key("root-d"), holder: person("dora"), purpose: Purpose::Root },
        Successor { name: key("targets-2"), holder: person("uma"), purpose: Purpose::Targets },
    ];
    let way = ask(&both, &facts).unwrap();
    assert_eq!(
        way.words.last().unwrap(),
        "with root 2, in the same change, targets is signed again by targets-2 of uma: targets-2 takes the place of t"
    );
    assert_eq!(
        way.runbooks,
        [(
            "recover".to_owned(),
            "\
# Can be held today.
# Root 2: a of of-a, b of of-b, are enough; root-d of dora may sign as well.
# Targets is signed again: read what it grants before, a thief's grants stand there too.
ceremony = \"recover\"
title = \"Go on without what was lost or stolen\"

[people]
alice = \"administrator\"
dora = \"custodian\"
of-a = \"custodian\"
of-b = \"custodian\"
uma = \"custodian\"
bob = \"witness\"

[recover]
compromised  = [\"c\", \"t\"]
replace-with = [\"root-d\", \"targets-2\"]

[root]
valid-for = \"2 years\"

[targets]
valid-for = \"1 year\"
"
            .to_owned()
        )]
    );

    // Root is to be rid of c today; dora comes in ten days, and so does the new targets key.
    let mut four = rooted(&[("abcf", 2)]);
    four.away.insert(holder("w"), time("2026-12-02"));
    let mut late = what("", "ct", "ew");
    late.late.insert(key("e"), time("2026-12-02"));
    let way = ask(&late, &four).unwrap();
    let names: Vec<&str> = way.runbooks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["rotate-root", "recover"]);
    let second = &way.runbooks[1].1;
    assert!(second.starts_with("# Can be held once these are at hand: e of of-e, w of of-w.\n"), "{second}");
    assert!(second.contains("compromised  = [\"t\"]\nreplace-with = [\"e\", \"w\"]\n"), "{second}");
    for line in [
        "root 2, from 2026-11-22: c leaves",
        "root 3, from 2026-12-02: e enters",
        "  waits for e of of-e, at hand from 2026-12-02",
        "  plan it no earlier, since the days in which it can be signed count from its planning",
        "with root 3, in the same change, targets is signed again by w of of-w: w takes the place of t",
    ] {
        assert!(way.words.iter().any(|said| said == line), "{line}\n{:#?}", way.words);
    }
    let (after, made) = hold_all(&way, &four, "ct");
    assert_eq!(
        (made, listed(&after, &RoleName::Root), listed(&after, &RoleName::Targets)),
        (2, "abef".to_owned(), "w".to_owned())
    );

    // Nobody waits for root where only the new targets key comes later: one more root then.
    let mut later = what("", "ct", "ew");
    later.late.insert(key("w"), time("2026-12-02"));
    let way = ask(&later, &rooted(&[("abc", 2)])).unwrap();
    assert_eq!(
        way.roots.iter().map(|root| root.day.date()).collect::<Vec<_>>(),
        ["2026-11-22", "2026-12-02"]
    );
    let second = &way.runbooks[1].1;
    assert!(second.starts_with("# Can be held once these are at hand: w of of-w.\n"), "{second}");
    assert_eq!(way.words.last().unwrap(), "  waits for w of of-w, at hand from 2026-12-02");
    let (_, made) = hold_all(&way, &rooted(&[("abc", 2)]), "ct");
    assert_eq!(made, 2);

    // One key at a time, and all at hand: the same runbook once for each root, under a title of its own.
    let mut slow = rooted(&[("abc", 2)]);
    slow.limits.root.keys_changed = Some(1);
    let way = ask(&what("c", "t", "defw"), &slow).unwrap();
    let titles: Vec<String> =
        way.runbooks.iter().map(|(_, text)| Runbook::parse(text).unwrap().title).collect();
    assert_eq!(titles, [1, 2, 3].map(|n| format!("Go on without what was lost or stolen, {n} of 3")));
    // Who was cut off after the first root, and types the line again, has the first one held once more.
    for _ in 0..3 {
        slow = hold(&way.runbooks[0].1, &slow, "ct").unwrap();
    }
    assert!(hold(&way.runbooks[0].1, &slow, "ct").is_none());
    assert_eq!(listed(&slow, &RoleName::Root), "abdef");
}

/// Root's keys at a threshold of two, and t and w for targets, each enough.
fn two_targets_keys(keys: &str) -> Facts {
    let (made, targets) = (root(1, keys, 2, "tw"), targets(1, "xy"));
    let mut facts = facts(&[(&made, keys)], &[(&targets, "t")]);
    facts.limits.targets.max_valid_for = "3 years".parse().unwrap();
    for (name, purpose) in [
        ("s", Purpose::Snapshot),
        ("u", Purpose::Timestamp),
        ("t", Purpose::Targets),
        ("w", Purpose::Targets),
        ("n", Purpose::Targets),
        ("k", Purpose::Targets),
    ] {
        facts.keys.insert(key(name), record(name, purpose));
    }
    facts
}

#[test]
fn a_stolen_targets_key_waits_for_no_successor() {
    // What is lost, what stolen, what comes, what of it late; the runbooks, and root's keys at the end.
    let table: &[[&str; 7]] = &[
        ["its successor comes late", "", "t", "n", "n", "recover recover", "abc"],
        ["nobody comes", "", "t", "", "", "recover", "abc"],
        ["one comes now, one late", "", "t", "kn", "n", "recover recover", "abc"],
        ["a root key comes late", "", "t", "en", "e", "recover rotate-root", "abce"],
        ["both come late", "", "t", "en", "en", "recover recover", "abce"],
        ["a root key was lost", "c", "t", "en", "en", "recover recover", "abe"],
        ["stolen from a bag", "", "ct", "en", "en", "recover recover", "abe"],
        ["lost alone: nobody hurries", "t", "", "n", "n", "recover", "abc"],
    ];
    for [case, lost, compromised, come, late, kinds, root] in table {
        let mut facts = two_targets_keys("abc");
        facts.limits.root.spare_keys = 0;
        let mut what = what(lost, compromised, come);
        what.late = set(late).into_iter().map(|name| (name, time("2027-01-03"))).collect();
        let way = ask(&what, &facts).unwrap_or_else(|e| panic!("{case}: {e}"));
        let names: Vec<&str> = way.runbooks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.join(" "), *kinds, "{case}: {:#?}", way.words);
        let gone = format!("{lost}{compromised}");
        if !compromised.is_empty() {
            assert_eq!(way.roots[0].day.date(), "2026-11-22", "{case}");
            let first = hold(&way.runbooks[0].1, &facts, &gone).unwrap();
            assert!(!listed(&first, &RoleName::Targets).contains('t'), "{case}: {}", way.runbooks[0].1);
        }
        let (after, made) = hold_all(&way, &facts, &gone);
        assert_eq!(made, way.runbooks.len(), "{case}");
        let mut targets: Vec<char> = come.chars().filter(|c| *c != 'e').chain(['w']).collect();
        targets.sort_unstable();
        let targets: String = targets.into_iter().collect();
        assert_eq!(
            (listed(&after, &RoleName::Root), listed(&after, &RoleName::Targets)),
            ((*root).to_owned(), targets),
            "{case}"
        );
    }
    // Who is left to sign is away: as soon as they are back.
    let mut facts = two_targets_keys("abc");
    facts.away.insert(holder("w"), time("2026-12-02"));
    let mut away = what("", "t", "n");
    away.late.insert(key("n"), time("2027-01-03"));
    let way = ask(&away, &facts).unwrap();
    let days: Vec<_> = way.roots.iter().map(|root| root.day.date()).collect();
    assert_eq!(days, ["2026-12-02", "2027-01-03"], "{:#?}", way.words);
}

/// Where one key may change at a time and someone comes late, a key that nobody may ask any more stays for a
/// root: not even the runbook that leaves it there asks it.
#[test]
fn a_key_that_leaves_later_signs_nothing_meanwhile() {
    let mut stayed = 0;
    for (lost, compromised) in
        [("cd", "t"), ("c", "dt"), ("d", "ct"), ("", "cdt"), ("cd", "cdt"), ("c", "cdt"), ("cd", "ct")]
    {
        for (come, late) in
            [("en", "e"), ("efn", "ef"), ("efn", "f"), ("efn", "n"), ("efn", "fn"), ("n", "n"), ("en", "en")]
        {
            let mut facts = two_targets_keys("abcd");
            facts.limits.root.spare_keys = 0;
            facts.limits.root.keys_changed = Some(1);
            let case = format!("{lost} lost, {compromised} stolen, {come} come, {late} late");
            let mut what = what(lost, compromised, come);
            what.late = set(late).into_iter().map(|name| (name, time("2027-01-03"))).collect();
            let way = ask(&what, &facts).unwrap_or_else(|e| panic!("{case}: {e}"));
            stayed += way.runbooks.iter().filter(|(_, text)| text.contains("not-asked")).count();
            let (after, made) = hold_all(&way, &facts, &format!("{lost}{compromised}"));
            assert_eq!(made, way.runbooks.len(), "{case}");
            let mut root: Vec<char> = come.chars().filter(|c| *c != 'n').chain(['a', 'b']).collect();
            root.sort_unstable();
            let root: String = root.into_iter().collect();
            assert_eq!(listed(&after, &RoleName::Root), root, "{case}: {:#?}", way.words);
        }
    }
    assert!(stayed > 0);
}

#[test]
fn what_no_runbook_answers() {
    let table = [
        ("nothing", what("", "", ""), "RECOVER-NO-WAY", "no key of root or targets"),
        ("a developer's", what("x", "", ""), "KEY-PURPOSE", "revoke-delegation"),
        ("nobody's", what("q", "", ""), "KEY-UNKNOWN", "no key q"),
        ("no targets key left", what("", "t", ""), "RECOVER-NO-WAY", "0 keys left for targets"),
        ("no spare root key", what("c", "t", "w"), "RECOVER-NO-WAY", "no spare keys"),
        ("a quorum and targets", what("bc", "t", "defw"), "QUORUM-LOST", "If b is found"),
        ("a quorum stolen", what("", "bct", "defw"), "QUORUM-LOST", "a new trust"),
    ];
    for (case, incident, rule, words) in table {
        let refusal = ask(&incident, &rooted(&[("abc", 2)])).unwrap_err();
        assert_eq!(refusal.rule().name, rule, "{case}: {refusal}");
        assert!(refusal.to_string().contains(words), "{case}: {refusal}");
    }
}

#[test]
fn certificates_that_end_are_renewed_first() {
    let mut facts = notary::before();
    facts.keys.get_mut(&key("b")).unwrap().certificate = Some(notary::certificate("b", "2027-06-01"));
    notary::push_root(&mut facts, "abc", 2, "t");
    notary::push_targets(&mut facts, "t");
    let way = ask(&what("c", "t", "dw"), &facts).unwrap();
    let names: Vec<&str> = way.runbooks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["certify-b", "recover"]);
    let certify = &way.runbooks[0].1;
    assert!(
        certify.contains("ceremony = \"certify-key\"") && certify.contains("of-b = \"custodian\""),
        "{certify}"
    );
    assert!(way.words.last().unwrap().contains("b gets a new certificate"), "{:?}", way.words);
    for (_, text) in &way.runbooks {
        kinds::read(&Runbook::parse(text).unwrap()).unwrap();
    }
}

#[test]
fn so_are_they_where_only_root_keys_come_and_go() {
    let mut facts = notary::before();
    facts.keys.get_mut(&key("b")).unwrap().certificate = Some(notary::certificate("b", "2027-06-01"));
    notary::push_root(&mut facts, "abc", 2, "t");
    notary::push_targets(&mut facts, "t");
    let wish = Wish {
        lost: BTreeSet::from([key("c")]),
        add: BTreeSet::from([key("d")]),
        ..Wish::new(Term::new(2, Unit::Years))
    };
    let question = with_tokens(question(&wish, &facts).unwrap(), &facts);
    assert!(matches!(plan(&question), Answer::Impossible(_)), "{:?}", plan(&question));
    let certified = Certified::of(question);
    assert!(matches!(plan(&certified.question), Answer::Roots(_)), "{:?}", plan(&certified.question));
    let names: Vec<String> = certified.runbooks(&cast()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["certify-b"]);
    assert_eq!(certified.words().count(), 1);
    // Where none ends too soon, nothing is certified.
    let well = Certified::of(certified.question);
    assert_eq!(well.keys, BTreeSet::new());
}
