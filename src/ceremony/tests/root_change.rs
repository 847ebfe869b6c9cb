//! Changes of root: who is asked, what is signed again, what is said of keys that are given up, and
//! what is refused before anyone travels.

use super::notary_world as notary;
use super::world::*;
use crate::ceremony::ceasing::Declared;
use crate::ceremony::change::{Change, Counts, Item, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{KeyEvent, Sentence};

const HEAD: &str = "title = \"t\"\n[people]\nalice = \"administrator\"\nbob = \"witness\"\n";

pub(super) fn hold(kind: &str, tables: &str, facts: &Facts) -> Result<Change> {
    let runbook = Runbook::parse(&format!("ceremony = \"{kind}\"\n{HEAD}{tables}")).unwrap();
    kinds::read(&runbook).unwrap().change(&frame(), facts)
}

pub(super) fn held(kind: &str, tables: &str, facts: &Facts) -> bool {
    let runbook = Runbook::parse(&format!("ceremony = \"{kind}\"\n{HEAD}{tables}")).unwrap();
    kinds::read(&runbook).unwrap().held(facts)
}

/// Facts with these roots, each of keys and threshold, signed by all of its keys and the ones before.
pub(super) fn rooted(roots: &[(&str, u32)]) -> Facts {
    let made: Vec<_> =
        roots.iter().enumerate().map(|(n, (keys, t))| root(n as u64 + 1, keys, *t, "t")).collect();
    let all: String = roots.iter().map(|(keys, _)| *keys).collect();
    let mut letters: Vec<char> = all.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let all: String = letters.into_iter().collect();
    let signed: Vec<_> = made.iter().map(|root| (root, all.as_str())).collect();
    let targets = targets(1, "xy");
    let mut facts = facts(&signed, &[(&targets, "t")]);
    facts.limits.targets.max_valid_for = "3 years".parse().unwrap();
    for (name, purpose) in [
        ("s", Purpose::Snapshot),
        ("u", Purpose::Timestamp),
        ("v", Purpose::Snapshot),
        ("w", Purpose::Targets),
    ] {
        facts.keys.insert(key(name), record(name, purpose));
    }
    facts
}

/// `a:on d:n`: who is asked to sign an item, and for which thresholds.
pub(super) fn asked(item: &Item) -> String {
    let counts = |counts: &Counts| match counts {
        Counts::Old => "o".to_owned(),
        Counts::New => "n".to_owned(),
        Counts::Historic(version) => format!("h{version}"),
    };
    let ask = |ask: &crate::ceremony::change::Ask| {
        format!("{}:{}", ask.key, ask.counts.iter().map(counts).collect::<String>())
    };
    item.asked().iter().map(ask).collect::<Vec<_>>().join(" ")
}

fn titles(change: &Change) -> Vec<String> {
    change.items.iter().map(Item::title).collect()
}

#[test]
fn who_signs_a_rotation() {
    // Old keys and threshold, what the runbook says; who is asked to sign the root, or the rule.
    let table: &[(&str, (&str, u32), &str, &str)] = &[
        ("one replaced", ("abc", 2), "add = [\"d\"]\nremove = [\"c\"]", "a:on b:on c:o d:n"),
        ("one lost", ("abc", 2), "add = [\"d\"]\nlost = [\"c\"]", "a:on b:on d:n"),
        ("one stolen", ("abc", 2), "add = [\"d\"]\ncompromised = [\"c\"]", "a:on b:on d:n"),
        (
            "all replaced",
            ("abc", 2),
            "add = [\"d\", \"e\", \"f\"]\nremove = [\"a\", \"b\", \"c\"]",
            "a:o b:o c:o d:n e:n f:n",
        ),
        (
            "one more, and a higher threshold",
            ("abc", 2),
            "add = [\"d\"]\nthreshold = 3",
            "a:on b:on c:on d:n",
        ),
        ("a lower threshold", ("abcd", 3), "threshold = 2", "a:on b:on c:on d:on"),
        ("nothing but a new root", ("abc", 2), "", "a:on b:on c:on"),
        (
            "two stolen, and one that has to stay for a root more",
            ("abcd", 2),
            "compromised = [\"d\"]\nnot-asked = [\"c\"]",
            "a:on b:on",
        ),
        ("not asked, and too few without", ("abc", 2), "not-asked = [\"b\", \"c\"]", "QUORUM-LOST"),
        ("not asked, and it leaves", ("abcd", 2), "remove = [\"d\"]\nnot-asked = [\"d\"]", "KEY-NOT-LISTED"),
        ("not asked, and it comes", ("abc", 2), "add = [\"d\"]\nnot-asked = [\"d\"]", "KEY-NOT-LISTED"),
        ("too low", ("abc", 2), "threshold = 1", "THRESHOLD-FLOOR"),
        ("no spare", ("abc", 2), "threshold = 3", "SPARE-KEYS"),
        ("no spare left", ("abc", 2), "remove = [\"c\"]", "SPARE-KEYS"),
        ("more than there are", ("abc", 2), "threshold = 4", "THRESHOLD-RANGE"),
        ("an unknown key", ("abc", 2), "add = [\"q\"]", "KEY-UNKNOWN"),
        ("a key of another purpose", ("abc", 2), "add = [\"t\"]", "KEY-PURPOSE"),
        ("one that is there", ("abc", 2), "add = [\"a\"]", "KEY-LISTED"),
        ("one that is not there", ("abc", 2), "add = [\"d\"]\nremove = [\"e\"]", "KEY-NOT-LISTED"),
        ("one out for two reasons", ("abcd", 2), "remove = [\"d\"]\nlost = [\"d\"]", "KEY-NOT-LISTED"),
        ("a quorum lost", ("abc", 2), "add = [\"d\", \"e\"]\nlost = [\"b\", \"c\"]", "QUORUM-LOST"),
        (
            "a quorum stolen",
            ("abc", 2),
            "add = [\"d\", \"e\"]\ncompromised = [\"b\"]\nlost = [\"c\"]",
            "QUORUM-LOST",
        ),
    ];
    for (what, (keys, threshold), says, expected) in table {
        let facts = rooted(&[(keys, *threshold)]);
        let tables = format!("[root]\n{says}\nvalid-for = \"2 years\"\n");
        match hold("rotate-root", &tables, &facts) {
            Ok(change) => assert_eq!(asked(&change.items[0]), *expected, "{what}"),
            Err(refusal) => assert_eq!(refusal.rule().name, *expected, "{what}: {refusal}"),
        }
    }
}

#[test]
fn no_more_keys_change_in_one_root_than_limits_say() {
    let one = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";
    let two = "[root]\nadd = [\"d\", \"e\"]\nlost = [\"c\"]\nvalid-for = \"2 years\"\n";
    let mut facts = rooted(&[("abc", 2)]);
    facts.limits.root.keys_changed = Some(1);
    hold("rotate-root", one, &facts).unwrap();
    assert_eq!(hold("rotate-root", two, &facts).unwrap_err().rule().name, "KEYS-CHANGED");
    facts.limits.root.keys_changed = Some(2);
    hold("rotate-root", two, &facts).unwrap();
}

#[test]
fn no_rotation_without_a_root() {
    let refusal = hold("rotate-root", "[root]\nvalid-for = \"2 years\"\n", &nothing()).unwrap_err();
    assert_eq!(refusal.rule().name, "ROOT-MISSING");
}

#[test]
fn facts_that_forbid_a_rotation() {
    type Spoil = fn(&mut Facts);
    let cases: &[(&str, Spoil, &str)] = &[
        ("nothing", |_| {}, ""),
        (
            "a software key comes in",
            |f| f.keys.get_mut(&key("d")).unwrap().token = "file".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "a software key stays",
            |f| f.keys.get_mut(&key("a")).unwrap().token = "file".to_owned(),
            "KEY-SOFTWARE",
        ),
        ("a software key leaves", |f| f.keys.get_mut(&key("c")).unwrap().token = "file".to_owned(), ""),
        ("an excluded holder", |f| f.limits.ceremony.excluded.extend([holder("d")]), "PERSON-EXCLUDED"),
        (
            "one holder of a threshold",
            |f| f.keys.get_mut(&key("d")).unwrap().holder = holder("a"),
            "HOLDER-THRESHOLD",
        ),
        (
            "a key that was lost comes back",
            |f| f.keys.get_mut(&key("d")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01"))),
            "KEY-GONE",
        ),
        (
            "a key that was lost stays",
            |f| f.keys.get_mut(&key("b")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01"))),
            "KEY-GONE",
        ),
        ("a day years later", |f| f.today = time("2030-01-01"), "EXPIRY-PAST"),
        ("a shorter limit", |f| f.limits.root.max_valid_for = "1 year".parse().unwrap(), "EXPIRY-LIMIT"),
    ];
    let tables = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";
    for (what, spoil, rule) in cases {
        let mut facts = rooted(&[("abc", 2)]);
        spoil(&mut facts);
        let found = hold("rotate-root", tables, &facts).map_or_else(|e| e.rule().name, |_| "");
        assert_eq!(found, *rule, "{what}");
    }
}

#[test]
fn keys_that_are_given_up_are_declared_so_by_the_next_root() {
    let facts = rooted(&[("abcd", 2)]);
    let tables = "[root]\nadd = [\"e\"]\nlost = [\"c\"]\ncompromised = [\"d\"]\nvalid-for = \"2 years\"\n";
    let change = hold("rotate-root", tables, &facts).unwrap();
    assert_eq!(
        titles(&change),
        ["root 2", "the limits statement", "the key-life statement", "the key-life statement"]
    );
    let next = change.items[0].payload_digest().unwrap();
    for (item, key, event) in [(2, "c", KeyEvent::Lost), (3, "d", KeyEvent::Compromised)] {
        let Item::Statement { payload, .. } = &change.items[item] else { panic!("no statement") };
        let Sentence::KeyLife { key: of, event: what, at, root } = payload.sentence() else {
            panic!("no life")
        };
        assert_eq!((*of, *what, *at, *root), (public(key).identity(), event, frame().held_at, next));
        assert_eq!(asked(&change.items[item]), "a:n b:n e:n");
    }
    let Item::Statement { payload, .. } = &change.items[1] else { panic!("no statement") };
    let Sentence::Limits { chain, .. } = payload.sentence() else { panic!("no limits") };
    assert_eq!(*chain, facts.chain(Some(next)));
    // The old keys that stay and any of the new meet every threshold.
    let gathered = signed(&change, &[(0, "ab"), (1, "ae"), (2, "be"), (3, "ab")]);
    let standing = Standing::of(&change, &gathered, &facts).unwrap();
    assert!(matches!(standing.state, State::Complete { everyone: false }), "{:?}", standing.state);
    let lines = change.summary.join("\n");
    for line in [
        "both: a of of-a",
        "old: c of of-c, lost, not asked",
        "new: e of of-e",
        "d of of-d is declared compromised",
    ] {
        assert!(lines.contains(line), "{line} in {lines}");
    }
}

/// Whoever holds targets keys, or has stolen them, declares developers' keys; root repeats those that
/// the runbook names, and no others.
#[test]
fn a_change_of_targets_keys_says_what_of_their_words_stays() {
    let said = |by: &str, event| {
        let by = by.chars().map(|name| public(&name.to_string()).identity()).collect();
        Declared { event, at: time("2026-01-01"), by }
    };
    let (x, y) = (public("x").identity(), public("y").identity());
    let rotation = |declared: &str| {
        format!(
            "[targets]\nkeys = [\"w\"]\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n{declared}"
        )
    };
    let beside = rotation("").replace("\"w\"", "\"t\", \"w\"").replacen("valid", "threshold = 1\nvalid", 1);
    let only = |name: &str, what: &str| rotation(&format!("[declared]\n{what} = [\"{name}\"]\n"));
    let of_x = |event| vec![(x, said("t", event))];
    let stolen = KeyEvent::Compromised;
    // What targets keys have said, the runbook; whom root declares, or the rule.
    let table: [(&str, Vec<_>, String, &str); 12] = [
        ("nothing was said", vec![], rotation(""), ""),
        ("something was", of_x(stolen), rotation(""), "DECLARED-CEASES"),
        ("a loss was", of_x(KeyEvent::Lost), rotation(""), "DECLARED-CEASES"),
        ("it is repeated", of_x(stolen), only("x", "compromised"), "x compromised"),
        ("as people know it", of_x(stolen), only("x", "lost"), "x lost"),
        ("nobody believes it", of_x(stolen), rotation("[declared]\n"), ""),
        (
            "one of two",
            [of_x(stolen), vec![(y, said("t", stolen))]].concat(),
            only("y", "compromised"),
            "y compromised",
        ),
        (
            "of the role itself",
            of_x(stolen),
            rotation("").replace("valid-for = \"1", "compromised = [\"x\"]\nvalid-for = \"1"),
            "x compromised",
        ),
        ("those who said it stay", of_x(stolen), beside.clone(), ""),
        ("one of two stays", vec![(x, said("tv", stolen))], beside, ""),
        ("nobody has said it", vec![], only("x", "compromised"), "x compromised"),
        ("of no developer's", of_x(stolen), only("c", "compromised"), "KEY-PURPOSE"),
    ];
    for (what, words, tables, expected) in table {
        let mut facts = rooted(&[("abc", 2)]);
        for name in ["x", "y"] {
            facts.keys.insert(key(name), record(name, Purpose::Delegation));
        }
        for (of, declared) in words {
            let named = facts.keys.values_mut().find(|record| record.public.identity() == of).unwrap();
            named.life.push((declared.event, declared.at));
            facts.said_by_targets.entry(of).or_default().push(declared);
        }
        let change = match hold("issue-targets-key", &tables, &facts) {
            Ok(change) => change,
            Err(refusal) => {
                assert_eq!(refusal.rule().name, expected, "{what}: {refusal}");
                continue;
            }
        };
        let root = change.items[0].payload_digest().unwrap();
        let declares = |item: &Item| match item {
            Item::Statement { payload, .. } => match payload.sentence() {
                Sentence::KeyLife { key, event, at, root: named } => {
                    assert_eq!((*named, *at), (root, frame().held_at), "{what}");
                    assert_eq!(asked(item), "a:n b:n c:n", "{what}");
                    Some(format!("{} {}", if *key == x { "x" } else { "y" }, event.name()))
                }
                _ => None,
            },
            _ => None,
        };
        let found: Vec<_> = change.items.iter().filter_map(declares).collect();
        assert_eq!(found.join(", "), expected, "{what}");
        // Who signs is shown what ceases, and it is no part of the change.
        let ceases = facts.said_by_targets.keys().filter(|key| {
            !what.contains("stay") && !found.iter().any(|f| f.starts_with(if **key == x { "x" } else { "y" }))
        });
        let shown = crate::ceremony::ceasing::lines(&change, &facts);
        assert_eq!(shown.len(), ceases.count(), "{what}: {shown:?}");
        // Nor does it move with what targets keys say later, of whatever date.
        for name in ["x", "y"] {
            let said = said("t", stolen);
            facts.keys.get_mut(&key(name)).unwrap().life = vec![(said.event, said.at)];
        }
        facts.said_by_targets.clear();
        assert_eq!(hold("issue-targets-key", &tables, &facts).unwrap(), change, "{what}");
    }
}

/// Whoever has targets keys can declare thousands.
#[test]
fn of_many_words_that_cease_some_are_shown() {
    let tables =
        "[targets]\nkeys = [\"w\"]\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n[declared]\n";
    for (many, lines, last) in [(8, 8, "by targets keys alone"), (12, 9, "and 4 more keys")] {
        let mut facts = rooted(&[("abc", 2)]);
        for name in (0..many).map(|number| format!("dev-{number}")) {
            let record = record(&name, Purpose::Delegation);
            let declared = Declared {
                event: KeyEvent::Compromised,
                at: time("2026-01-01"),
                by: [public("t").identity()].into(),
            };
            facts.said_by_targets.insert(record.public.identity(), vec![declared]);
            facts.keys.insert(key(&name), record);
        }
        let change = hold("issue-targets-key", tables, &facts).unwrap();
        let shown = crate::ceremony::ceasing::lines(&change, &facts);
        assert_eq!(shown.len(), lines, "{shown:?}");
        assert!(shown.last().unwrap().contains(last), "{shown:?}");
    }
}

#[test]
fn a_key_that_is_given_up_stays_in_no_role() {
    let facts = rooted(&[("abc", 2)]);
    let tables = "[root]\ncompromised = [\"t\"]\nvalid-for = \"2 years\"\n";
    assert_eq!(hold("rotate-root", tables, &facts).unwrap_err().rule().name, "KEY-GONE");
    // One that left the root before can still be declared.
    let facts = rooted(&[("abcd", 2), ("abc", 2)]);
    let tables = "[root]\ncompromised = [\"d\"]\nvalid-for = \"2 years\"\n";
    let change = hold("rotate-root", tables, &facts).unwrap();
    assert_eq!(titles(&change), ["root 3", "the limits statement", "the key-life statement"]);
}

#[test]
fn the_backend_gets_new_keys_and_targets_stays() {
    let facts = rooted(&[("abc", 2)]);
    let tables = "[root]\nvalid-for = \"2 years\"\n[snapshot]\nkeys = [\"v\"]\n";
    let change = hold("rotate-root", tables, &facts).unwrap();
    assert_eq!(titles(&change), ["root 2", "the limits statement"]);
    let next = change.documents().next().unwrap().document().as_root().unwrap().clone();
    let before = facts.root().unwrap();
    assert_ne!(next.roles[&RoleName::Snapshot], before.roles[&RoleName::Snapshot]);
    for role in [RoleName::Root, RoleName::Targets, RoleName::Timestamp] {
        assert_eq!(next.roles[&role], before.roles[&role]);
    }
    assert_eq!(change.base.documents.len(), 1);
}

#[test]
fn what_is_so_already_is_held() {
    let replace = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";
    assert!(!held("rotate-root", replace, &rooted(&[("abc", 2)])));
    assert!(held("rotate-root", replace, &rooted(&[("abc", 2), ("abd", 2)])));
    let raise = "[root]\nthreshold = 3\nvalid-for = \"2 years\"\n";
    assert!(!held("rotate-root", raise, &rooted(&[("abcd", 2)])));
    assert!(held("rotate-root", raise, &rooted(&[("abcd", 3)])));
    let online = "[root]\nvalid-for = \"2 years\"\n[snapshot]\nkeys = [\"v\"]\n";
    assert!(!held("rotate-root", online, &rooted(&[("abc", 2)])));
    let online = "[root]\nvalid-for = \"2 years\"\n[snapshot]\nkeys = [\"s\"]\n";
    assert!(held("rotate-root", online, &rooted(&[("abc", 2)])));
    // A key that has left but is not declared yet.
    let lost = "[root]\nlost = [\"c\"]\nvalid-for = \"2 years\"\n";
    let mut facts = rooted(&[("abcd", 2), ("abd", 2)]);
    assert!(!held("rotate-root", lost, &facts));
    facts.keys.get_mut(&key("c")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01")));
    assert!(held("rotate-root", lost, &facts));
}

const ROTATE: &str = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";

#[test]
fn certificates_outlive_the_root() {
    // Whose certificate ends when; the rule.
    let table = [
        ("a", "2029-01-01", ""),
        ("a", "2028-11-22", ""),
        ("a", "2028-11-21", "CERTIFICATE-ENDS"),
        ("d", "2028-01-01", "CERTIFICATE-ENDS"),
        ("c", "2027-01-01", ""),
    ];
    for (name, until, rule) in table {
        let mut facts = notary::before();
        facts.keys.get_mut(&key(name)).unwrap().certificate = Some(notary::certificate(name, until));
        notary::push_root(&mut facts, "abc", 2, "t");
        notary::push_targets(&mut facts, "t");
        let found = hold("rotate-root", ROTATE, &facts).map_or_else(|e| e.rule().name, |_| "");
        assert_eq!(found, rule, "{name} until {until}");
    }
    let mut facts = notary::first_day();
    facts.keys.get_mut(&key("d")).unwrap().certificate = None;
    assert_eq!(hold("rotate-root", ROTATE, &facts).unwrap_err().rule().name, "KEY-NOTARY-ROOT");
}

#[test]
fn keys_of_older_roots_may_sign_for_stale_clients() {
    let mut facts = notary::first_day();
    notary::push_root(&mut facts, "abd", 2, "t");
    notary::push_root(&mut facts, "abde", 2, "t");
    let rotate = "[root]\nadd = [\"f\"]\nremove = [\"e\"]\nvalid-for = \"2 years\"\n";
    let change = hold("rotate-root", rotate, &facts).unwrap();
    assert_eq!(asked(&change.items[0]), "a:on b:on d:on e:o f:n c:h1");
    let lines = change.summary.join("\n");
    assert!(lines.contains("may sign too, for clients that know an older root alone: c of of-c"), "{lines}");
    // Nobody is asked for a key that is gone, nor whom the limits exclude.
    let said = |f: &mut Facts, event| {
        f.keys.get_mut(&key("c")).unwrap().life.push((event, time("2026-01-01")));
    };
    let (mut lost, mut retired, mut excluded) = (facts.clone(), facts.clone(), facts);
    said(&mut lost, KeyEvent::Lost);
    said(&mut retired, KeyEvent::Retired);
    excluded.limits.ceremony.excluded.extend([holder("c")]);
    // Nor for clients that limits give up.
    let mut given_up = lost.clone();
    given_up.keys = excluded.keys.clone();
    given_up.limits.oldest_root = Some(1);
    assert!(asked(&hold("rotate-root", rotate, &given_up).unwrap().items[0]).ends_with(" c:h1"));
    given_up.limits.oldest_root = Some(2);
    for facts in [lost, retired, excluded, given_up] {
        let change = hold("rotate-root", rotate, &facts).unwrap();
        assert_eq!(asked(&change.items[0]), "a:on b:on d:on e:o f:n");
    }
}

#[test]
fn whoever_limits_cut_off_is_told_of_in_words() {
    let mut facts = notary::first_day();
    notary::push_root(&mut facts, "abd", 2, "t");
    notary::push_root(&mut facts, "abde", 2, "t");
    let set = |facts: &Facts, oldest: u64| {
        let change = hold("set-limits", &format!("[limits.clients]\noldest-root = {oldest}\n"), facts);
        change.map(|change| change.summary.join("\n")).map_err(|refusal| refusal.rule().name)
    };
    let two = set(&facts, 2).unwrap();
    assert!(two.contains("LOOSER: clients: the oldest root in the field 1 becomes 2"), "{two}");
    assert!(two.contains("CUT OFF: clients that have come no further than root 1."), "{two}");
    assert!(two.contains("removes the client's trust folder tuf/"), "{two}");
    assert!(set(&facts, 3).unwrap().contains("no further than root 1 to 2."));
    assert_eq!(set(&facts, 4), Err("LIMITS-FLOOR"));
    facts.limits.oldest_root = Some(2);
    assert!(set(&facts, 3).unwrap().contains("no further than root 2."), "root 1 is cut off already");
    let back = set(&facts, 1).unwrap();
    assert!(back.contains("tighter: clients: the oldest root in the field 2 becomes 1"), "{back}");
    assert!(!back.contains("CUT OFF"), "{back}");
    let mut facts = rooted(&[("abc", 2), ("abd", 2)]);
    facts.limits.oldest_root = None;
    let tuf = set(&facts, 2).unwrap();
    assert!(tuf.contains("a release of your program that comes with root 2"), "{tuf}");
}

#[test]
fn a_renewed_certificate_comes_in_with_the_next_root() {
    let mut facts = notary::first_day();
    let tables = "[root]\nvalid-for = \"2 years\"\n";
    assert!(held("rotate-root", tables, &facts));
    let newer = notary::certificate("a", "2037-01-01");
    facts.keys.get_mut(&key("a")).unwrap().certificate = Some(newer.clone());
    assert!(!held("rotate-root", tables, &facts));
    let change = hold("rotate-root", tables, &facts).unwrap();
    assert_eq!(asked(&change.items[0]), "a:on b:on c:on");
    let next = change.documents().next().unwrap().document().as_root().unwrap().clone();
    assert!(next.keys.values().any(|entry| entry.certificate.as_ref() == Some(&newer)));
    assert_eq!(next.roles[&RoleName::Root].keyids.len(), 3);
    assert!(change.summary.iter().any(|line| line == "  both: a of of-a, with a new certificate"));
    // Once more: now the first root gives the key an id of its own.
    notary::push_root(&mut facts, "abc", 2, "t");
    let change = hold("rotate-root", ROTATE, &facts).unwrap();
    assert_eq!(asked(&change.items[0]), "a:onh1 b:on c:o d:n");
}

#[test]
fn a_certificate_is_renewed_when_it_is_due() {
    let due = |within: &str| format!("[certificate]\nkey = \"a\"\nwithin = \"{within}\"\n");
    let mut facts = notary::first_day();
    // The certificate ends on the first of 2036; today is in November 2026.
    for (within, is_held) in [("9 years", true), ("10 years", false)] {
        assert_eq!(held("certify-key", &due(within), &facts), is_held, "{within}");
    }
    assert!(held("certify-key", "[certificate]\nkey = \"a\"\n", &facts), "nine years");
    let change = hold("certify-key", &due("10 years"), &facts).unwrap();
    let Item::Certificate(new) = &change.items[0] else { panic!("no certificate") };
    assert_eq!(new.replaces, facts.keys[&key("a")].file);
    assert_eq!((new.template.common_name.as_str(), change.items.len()), ("example", 1));
    assert!(new.template.not_after > frame().held_at.plus("9 years".parse().unwrap()).unwrap());
    // While the new one waits for its root, nothing is due; then it is by what is left of it.
    facts.keys.get_mut(&key("a")).unwrap().certificate = Some(notary::certificate("a", "2036-02-01"));
    assert!(held("certify-key", &due("10 years"), &facts));
    notary::push_root(&mut facts, "abc", 2, "t");
    assert!(!held("certify-key", &due("10 years"), &facts));

    for (what, tables, rule) in [
        ("an unknown key", "[certificate]\nkey = \"q\"\n", "KEY-UNKNOWN"),
        ("a targets key", "[certificate]\nkey = \"t\"\n", "KEY-PURPOSE"),
    ] {
        assert_eq!(hold("certify-key", tables, &facts).unwrap_err().rule().name, rule, "{what}");
    }
    facts.keys.get_mut(&key("a")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01")));
    assert_eq!(hold("certify-key", &due("10 years"), &facts).unwrap_err().rule().name, "KEY-GONE");
    let tuf = rooted(&[("abc", 2)]);
    assert_eq!(hold("certify-key", &due("10 years"), &tuf).unwrap_err().rule().name, "KEY-PROFILE");
}

#[test]
fn a_new_targets_key_comes_with_targets_signed_again() {
    let tables = |targets: &str| {
        format!("[targets]\n{targets}\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n")
    };
    for facts in [rooted(&[("abc", 2)]), notary::first_day()] {
        let change = hold("issue-targets-key", &tables("keys = [\"w\"]"), &facts).unwrap();
        assert_eq!(titles(&change), ["root 2", "targets 2", "the limits statement"]);
        assert_eq!(
            change.items.iter().map(asked).collect::<Vec<_>>(),
            ["a:on b:on c:on", "w:n", "a:n b:n c:n"]
        );
        assert_eq!(
            change.base.documents.keys().map(ToString::to_string).collect::<Vec<_>>(),
            ["root", "targets"]
        );
        // The server keeps what it has (notary-v1 4.2), so nothing in targets may get lost.
        let before = facts.documents[&RoleName::Targets].document().as_targets().unwrap().clone();
        let next = change.documents().nth(1).unwrap().document().as_targets().unwrap().clone();
        assert!(!before.delegations.roles.is_empty());
        assert_eq!((next.delegations, next.targets), (before.delegations, before.targets));
        let gathered = signed_as(&change, &facts, &[(0, "ab"), (1, "w"), (2, "ab")]);
        let standing = Standing::of(&change, &gathered, &facts).unwrap();
        assert!(matches!(standing.state, State::Complete { .. }), "{:?}", standing.words());
        let gathered = signed_as(&change, &facts, &[(0, "ab"), (1, "t"), (2, "ab")]);
        assert_eq!(Standing::of(&change, &gathered, &facts).unwrap().state, State::Open);
    }
    // What is in [targets]; the rule, or who is asked to sign targets.
    let table = [
        ("keys = [\"w\", \"t\"]\nthreshold = 2", "w:n t:n"),
        ("keys = [\"w\"]\ncompromised = [\"t\"]", "w:n"),
        ("keys = [\"t\"]\ncompromised = [\"t\"]", "KEY-GONE"),
        ("keys = [\"w\"]\nthreshold = 2", "THRESHOLD-RANGE"),
        ("keys = []", "THRESHOLD-RANGE"),
        ("keys = [\"a\"]", "KEY-PURPOSE"),
        ("keys = [\"w\", \"w\"]", "KEY-DUPLICATE"),
    ];
    let facts = notary::first_day();
    for (targets, expected) in table {
        match hold("issue-targets-key", &tables(targets), &facts) {
            Ok(change) => assert_eq!(asked(&change.items[1]), expected, "{targets}"),
            Err(refusal) => assert_eq!(refusal.rule().name, expected, "{targets}: {refusal}"),
        }
    }
    let mut software = notary::first_day();
    software.keys.get_mut(&key("w")).unwrap().token = "file".to_owned();
    let refusal = hold("issue-targets-key", &tables("keys = [\"w\"]"), &software).unwrap_err();
    assert_eq!(refusal.rule().name, "KEY-SOFTWARE");
    software.limits.targets.software_keys = true;
    assert!(hold("issue-targets-key", &tables("keys = [\"w\"]"), &software).is_ok());
    let mut empty = notary::first_day();
    empty.documents.clear();
    let refusal = hold("issue-targets-key", &tables("keys = [\"w\"]"), &empty).unwrap_err();
    assert_eq!(refusal.rule().name, "DELEGATOR-MISSING");
}

#[test]
fn a_targets_key_is_made_or_put_in_its_place() {
    let read = |tables: &str| {
        let text = format!("ceremony = \"issue-targets-key\"\n{HEAD}{tables}");
        kinds::read(&Runbook::parse(&text).unwrap()).map(|_| ())
    };
    let make = "[targets-key]\nname = \"n\"\nholder = \"uma\"\n";
    let put = "[targets]\nkeys = [\"w\"]\nvalid-for = \"1 year\"\n";
    let root = "[root]\nvalid-for = \"2 years\"\n";
    for (tables, fits) in [
        (make.to_owned(), true),
        (format!("{put}{root}"), true),
        (put.to_owned(), false),
        (root.to_owned(), false),
        (format!("{make}{put}{root}"), false),
        (String::new(), false),
    ] {
        assert_eq!(
            read(&tables).map_err(|e| e.rule().name),
            if fits { Ok(()) } else { Err("RUNBOOK") },
            "{tables}"
        );
    }
}

/// Signatures of these keys of the facts over an item of a change.
fn signed_as(change: &Change, facts: &Facts, by: &[(usize, &str)]) -> Gathered {
    let signatures = by.iter().flat_map(|(item, word)| {
        let digest = change.items[*item].payload_digest().unwrap();
        names(word).into_iter().map(move |name| (facts.keys[&key(&name)].public.identity(), digest))
    });
    Gathered { signatures: signatures.collect(), ..Gathered::default() }
}
