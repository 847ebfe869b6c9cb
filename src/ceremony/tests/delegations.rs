//! Delegations that change: more keys, revocations, renewals. What a change asks of whom, what it
//! tells about customers, and what is refused before a token is touched.

use super::granted::{HEAD, all_signed, asked, held, hold, lists, naming, sealed, titles, two_keys, world};
use super::world::{envelope, frame, key, person, public, record, time};
use crate::ceremony::change::{Item, Purpose};
use crate::ceremony::facts::{Earlier, Facts};
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::State;
use crate::ceremony::step::{Act, PersonAct};
use crate::tuf::chain::accept;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::{KeyEvent, Sentence};
use crate::tuf::time::Time;
use crate::tuf::wire;

#[test]
fn what_a_revocation_makes() {
    // Case, tables, the documents and statements it makes, who is asked for each, keys and
    // threshold of cam, door and park afterwards.
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        [Option<(&'static str, u32)>; 3],
    );
    let cases: &[Row] = &[
        (
            "one key of one application",
            "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n",
            &[("targets 5", "t")],
            [Some(("y", 1)), Some(("xy", 2)), Some(("z", 1))],
        ),
        (
            "and its document signed again",
            "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\n",
            &[("targets 5", "t"), ("cam 4", "y")],
            [Some(("y", 1)), Some(("xy", 2)), Some(("z", 1))],
        ),
        (
            "another key in its place",
            "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\nreplace-with = [\"z\"]\n[reissue]\nvalid-for = \"1 year\"\n",
            &[("targets 5", "t"), ("cam 4", "yz")],
            [Some(("yz", 1)), Some(("xy", 2)), Some(("z", 1))],
        ),
        (
            "a stolen key everywhere",
            "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n[reissue]\nvalid-for = \"1 year\"\n",
            &[("targets 5", "t"), ("cam 4", "y"), ("the key-life statement", "t")],
            [Some(("y", 1)), Some(("y", 1)), Some(("z", 1))],
        ),
        (
            "a lost one, its place taken",
            "[revoke]\nkey = \"z\"\nbecause = \"lost\"\nreplace-with = [\"y\"]\n",
            &[("targets 5", "t"), ("the key-life statement", "t")],
            [Some(("xy", 1)), Some(("xy", 2)), Some(("y", 1))],
        ),
        (
            "delegations that keep too few go",
            "[revoke]\nkey = \"x\"\nbecause = \"left\"\nbelow-threshold = \"remove\"\n",
            &[("targets 5", "t")],
            [Some(("y", 1)), None, Some(("z", 1))],
        ),
        (
            "a whole application",
            "[revoke]\napplication = \"park\"\nbecause = \"left\"\n",
            &[("targets 5", "t")],
            [Some(("xy", 1)), Some(("xy", 2)), None],
        ),
    ];
    for (case, tables, made, left) in cases {
        let change = hold("revoke-delegation", tables, &world()).unwrap_or_else(|e| panic!("{case}: {e}"));
        let expected: Vec<_> = made.iter().map(|(title, _)| (*title).to_owned()).collect();
        assert_eq!(titles(&change), expected, "{case}");
        for (at, (title, who)) in made.iter().enumerate() {
            assert_eq!(asked(&change, at), *who, "{case}: {title}");
        }
        for (role, expected) in ["cam", "door", "park"].into_iter().zip(left) {
            let expected = expected.map(|(letters, threshold)| (letters.to_owned(), threshold));
            assert_eq!(lists(&change, role), expected, "{case}: {role}");
        }
        assert_eq!(change, hold("revoke-delegation", tables, &world()).unwrap(), "{case}");
    }
}

#[test]
fn a_person_goes_everywhere() {
    let tables = "[revoke]\nperson = \"dana\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n";
    let refused = hold("revoke-delegation", tables, &two_keys()).unwrap_err();
    assert_eq!(refused.rule().name, "BELOW-THRESHOLD", "{refused}");
    assert!(refused.found().contains("park with 0 keys at a threshold of 1"), "{refused}");
    let tables = format!("{tables}replace-with = [\"y\"]\n[reissue]\nvalid-for = \"1 year\"\n");
    let change = hold("revoke-delegation", &tables, &two_keys()).unwrap();
    let made = ["targets 5", "cam 4", "park 4", "the key-life statement", "the key-life statement"];
    assert_eq!(titles(&change), made, "y has signed the document of door, and is enough for it now");
    assert_eq!(lists(&change, "park"), Some(("y".to_owned(), 1)));
    for item in &change.items {
        let Item::Statement { payload, .. } = item else { continue };
        let Sentence::KeyLife { event, root, .. } = payload.sentence() else { panic!("{}", payload.kind()) };
        assert_eq!(*event, KeyEvent::Compromised);
        assert_eq!(*root, two_keys().roots.last().unwrap().payload().digest());
    }
}

#[test]
fn what_no_revocation_does() {
    type Spoil = fn(&mut Facts);
    let nothing: Spoil = |_| {};
    let cases: &[(&str, &str, Spoil, &str)] = &[
        ("no such key", "[revoke]\nkey = \"q\"\nbecause = \"left\"\n", nothing, "REVOKE-NOTHING"),
        ("no such person", "[revoke]\nperson = \"q\"\nbecause = \"left\"\n", nothing, "REVOKE-NOTHING"),
        (
            "no such application",
            "[revoke]\napplication = \"q\"\nbecause = \"left\"\n",
            nothing,
            "DELEGATION-MISSING",
        ),
        (
            "a key listed nowhere",
            "[revoke]\nkey = \"n\"\nbecause = \"left\"\n",
            |f| drop(f.keys.insert(key("n"), record("n", Purpose::Delegation))),
            "REVOKE-NOTHING",
        ),
        ("nothing named", "[revoke]\nbecause = \"left\"\n", nothing, "RUNBOOK"),
        ("two named", "[revoke]\nkey = \"x\"\nperson = \"of-x\"\nbecause = \"left\"\n", nothing, "RUNBOOK"),
        ("a track of none", "[revoke]\nkey = \"x\"\ntrack = \"b\"\nbecause = \"left\"\n", nothing, "RUNBOOK"),
        (
            "an application that is gone and signed again",
            "[revoke]\napplication = \"cam\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\n",
            nothing,
            "RUNBOOK",
        ),
        (
            "a stolen key in one of two",
            "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"compromised\"\n",
            nothing,
            "REVOKED-ELSEWHERE",
        ),
        ("the only key", "[revoke]\nkey = \"z\"\nbecause = \"left\"\n", nothing, "BELOW-THRESHOLD"),
        (
            "a threshold under the limit",
            "[revoke]\nkey = \"x\"\nbecause = \"left\"\nbelow-threshold = \"lower\"\n",
            |f| f.limits.delegations.threshold_floor = 2,
            "THRESHOLD-FLOOR",
        ),
        (
            "itself in its place",
            "[revoke]\nkey = \"z\"\nbecause = \"left\"\nreplace-with = [\"z\"]\n",
            nothing,
            "REVOKE-NOTHING",
        ),
        (
            "a lost key in its place",
            "[revoke]\nkey = \"z\"\nbecause = \"left\"\nreplace-with = [\"y\"]\n",
            |f| f.keys.get_mut(&key("y")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01"))),
            "KEY-GONE",
        ),
        (
            "a path that isn't there",
            "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\nwithout-paths = [\"door/1\"]\n",
            nothing,
            "TARGET-MISSING",
        ),
        (
            "longer than limits",
            "[revoke]\nkey = \"x\"\nbecause = \"left\"\nbelow-threshold = \"lower\"\n[delegator]\nvalid-for = \"4 years\"\n",
            nothing,
            "EXPIRY-LIMIT",
        ),
    ];
    for (case, tables, spoil, rule) in cases {
        let mut facts = world();
        spoil(&mut facts);
        let refused = hold("revoke-delegation", tables, &facts).unwrap_err();
        assert_eq!(refused.rule().name, *rule, "{case}: {refused}");
    }
}

#[test]
fn no_key_that_is_lost_is_asked() {
    let mut facts = world();
    facts.keys.get_mut(&key("y")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01")));
    let tables = "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\nreplace-with = [\"z\"]\n[reissue]\nvalid-for = \"1 year\"\n";
    let change = hold("revoke-delegation", tables, &facts).unwrap();
    assert_eq!(asked(&change, 1), "z");
}

#[test]
fn the_summary_says_what_customers_see() {
    let waiting = hold(
        "revoke-delegation",
        "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n",
        &world(),
    );
    let text = waiting.unwrap().summary.join("\n");
    assert!(text.contains("stop with an error; until y of of-y sign version 4 or later"), "{text}");
    assert!(text.contains("cam/1, cam/2"), "{text}");
    assert!(text.contains("roles = [\"cam\"]"), "{text}");
    assert!(text.contains("DELEGATION-NO-SPARE: cam has one key alone"), "{text}");
    let tables = "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n[reissue]\nvalid-for = \"1 year\"\n";
    for (more, told, left) in [
        ("", "clients go on seeing cam/1, cam/2, signed again by y of of-y", &["cam/1", "cam/2"][..]),
        ("empty = true\n", "no longer see cam/1, cam/2: it goes on empty", &[]),
        ("without-paths = [\"cam/2\"]\n", "but what is taken out", &["cam/1"]),
    ] {
        let change = hold("revoke-delegation", &format!("{tables}{more}"), &world()).unwrap();
        let text = change.summary.join("\n");
        assert!(text.contains(told), "{text}");
        let document = change.documents().nth(1).unwrap().document().as_targets().unwrap().clone();
        assert_eq!(document.targets.keys().collect::<Vec<_>>(), left, "{more}");
        assert_eq!(document.header.version.get(), 4);
    }
    let gone =
        hold("revoke-delegation", "[revoke]\napplication = \"cam\"\nbecause = \"left\"\n", &world()).unwrap();
    let text = gone.summary.join("\n");
    assert!(text.contains("targets lets nobody sign for cam any more (cam/*)"), "{text}");
    assert!(text.contains("clients no longer find cam/1, cam/2"), "{text}");
}

#[test]
fn what_only_a_stolen_key_signed_is_shown_first() {
    let mut facts = world();
    let tables = "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n";
    let shown = |facts: &Facts| {
        let runbook = Runbook::parse(&format!("ceremony = \"revoke-delegation\"\n{HEAD}{tables}")).unwrap();
        let ceremony = kinds::read(&runbook).unwrap();
        let change = ceremony.change(&frame(), facts).unwrap();
        let steps = ceremony.steps(&change, facts).unwrap();
        let Act::Person(PersonAct::Show { lines, .. }) = &steps[0].act else { panic!("{:?}", steps[0]) };
        (change.digest(), lines.join("\n"))
    };
    let (digest, text) = shown(&facts);
    assert!(text.contains("no earlier answer of the backend"), "{text}");
    assert!(
        text.contains("target cam/1: new in version 3, signed by x of of-x, and by no key that stays"),
        "{text}"
    );
    assert!(!text.contains("door"), "y signed it too: {text}");
    let targets = facts.documents[&RoleName::Targets].clone();
    let cam = RoleName::from_name("cam");
    let document = |version, paths: &[&str], by| {
        accept(&targets, &cam, envelope(&naming("cam", version, paths), by), None).unwrap()
    };
    let at: Time = "2026-11-20T12:00:00Z".parse().unwrap();
    let earlier = |since| Earlier { document: document(2, &["cam/1"], "x"), at, since };
    facts.earlier.insert(cam.clone(), earlier(Vec::new()));
    let (again, text) = shown(&facts);
    assert_eq!(again, digest, "receipts prove nothing, so no change rests on them");
    assert!(text.contains("against 2, which the backend had when it was asked on 2026-11-20"), "{text}");
    assert!(text.contains("target cam/2: new") && !text.contains("target cam/1"), "{text}");

    // A colleague released on top of the thief, and signs what the thief had put there.
    facts.documents.insert(cam.clone(), document(4, &["cam/1", "cam/evil", "cam/good"], "y"));
    let (_, text) = shown(&facts);
    assert!(text.contains("the record lacks version 3"), "{text}");
    assert!(text.contains("target cam/evil: new in version 4, signed by y of of-y;"), "{text}");
    facts.earlier.insert(cam.clone(), earlier(vec![document(3, &["cam/1", "cam/evil"], "x")]));
    let (_, text) = shown(&facts);
    assert!(!text.contains("lacks"), "{text}");
    let evil = "target cam/evil: new in version 3, signed by x of of-x, and by no key that stays;";
    assert!(text.contains(evil), "{text}");
    assert!(text.contains("target cam/good: new in version 4, signed by y of of-y;"), "{text}");

    // What the thief put there can be taken out though a key that stays has signed it too.
    let out = format!("{tables}[reissue]\nvalid-for = \"1 year\"\nwithout-paths = [\"cam/evil\"]\n");
    let change = hold("revoke-delegation", &out, &facts).unwrap();
    let made = change.documents().find(|d| *d.role() == cam).unwrap().document().as_targets().unwrap();
    assert_eq!(made.targets.keys().collect::<Vec<_>>(), ["cam/1", "cam/good"]);
    let without = hold("revoke-delegation", tables, &facts).unwrap();
    assert!(without.documents().all(|d| *d.role() != cam));
    let text = without.summary.join("\n");
    assert!(
        text.contains("cam: clients go on seeing cam/1, cam/evil, cam/good, which y of of-y signed too"),
        "{text}"
    );
}

#[test]
fn what_is_revoked_stays_so_and_its_versions_go_on() {
    let before = world();
    for tables in [
        "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n",
        "[revoke]\nkey = \"x\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n",
        "[revoke]\nperson = \"of-z\"\nbecause = \"lost\"\nreplace-with = [\"y\"]\n",
        "[revoke]\napplication = \"park\"\nbecause = \"left\"\n",
    ] {
        let change = hold("revoke-delegation", tables, &before).unwrap();
        assert!(!held("revoke-delegation", tables, &before), "{tables}");
        assert!(matches!(all_signed(&change, &before), State::Complete { everyone: true }), "{tables}");
        assert!(held("revoke-delegation", tables, &sealed(&change, &before)), "{tables}");
    }
    let revoke = "[revoke]\napplication = \"park\"\nbecause = \"left\"\n";
    let after = sealed(&hold("revoke-delegation", revoke, &before).unwrap(), &before);
    let grant = "[delegation]\napplication = \"park\"\nkeys = [\"y\"]\nthreshold = 1\npaths = [\"park/*\"]\nvalid-for = \"90 days\"\n";
    let back = hold("grant-delegation", grant, &after).unwrap();
    assert_eq!(titles(&back), ["targets 6", "park 4"]);
}

#[test]
fn more_keys_paths_and_thresholds() {
    // Case, tables, rule or documents, cam afterwards, a warning.
    let cases: &[(&str, &str, &str, &str, u32, bool)] = &[
        ("a spare", "add-keys = [\"z\"]\n", "targets 5", "xyz", 1, false),
        ("two of three", "add-keys = [\"z\"]\nthreshold = 2\n", "targets 5", "xyz", 2, false),
        ("both must sign", "threshold = 2\n", "targets 5", "xy", 2, true),
        ("a path", "add-paths = [\"cam/more/*\"]\n", "targets 5", "xy", 1, false),
        (
            "what it has",
            "add-keys = [\"x\"]\nadd-paths = [\"cam/*\"]\nthreshold = 1\n",
            "DELEGATION-SAME",
            "",
            0,
            false,
        ),
        ("nothing", "", "DELEGATION-SAME", "", 0, false),
        ("too high", "threshold = 3\n", "THRESHOLD-RANGE", "", 0, false),
        ("none", "threshold = 0\n", "THRESHOLD-FLOOR", "", 0, false),
        ("everything", "add-paths = [\"*\"]\n", "DELEGATION-PATHS", "", 0, false),
        ("a targets key", "add-keys = [\"t\"]\n", "KEY-PURPOSE", "", 0, false),
        ("no such key", "add-keys = [\"q\"]\n", "KEY-UNKNOWN", "", 0, false),
    ];
    for (case, tables, made, keys, threshold, warned) in cases {
        let tables = format!("[more]\napplication = \"cam\"\n{tables}");
        match hold("grant-delegation", &tables, &world()) {
            Err(refused) => assert_eq!(refused.rule().name, *made, "{case}: {refused}"),
            Ok(change) => {
                assert_eq!(titles(&change), [*made], "{case}");
                assert_eq!(lists(&change, "cam"), Some(((*keys).to_owned(), *threshold)), "{case}");
                let text = change.summary.join("\n");
                assert_eq!(text.contains("DELEGATION-NO-SPARE"), *warned, "{case}: {text}");
                assert!(!held("grant-delegation", &tables, &world()), "{case}");
                assert!(held("grant-delegation", &tables, &sealed(&change, &world())), "{case}");
            }
        }
    }
    let raised = "[more]\napplication = \"cam\"\nthreshold = 2\n[reissue]\nvalid-for = \"1 year\"\n";
    let change = hold("grant-delegation", raised, &world()).unwrap();
    assert_eq!(titles(&change), ["targets 5", "cam 4"], "one signature is too few from now on");
    assert_eq!(asked(&change, 1), "xy");
    let other = "[more]\napplication = \"none\"\nthreshold = 2\n";
    assert_eq!(hold("grant-delegation", other, &world()).unwrap_err().rule().name, "DELEGATION-MISSING");
    for tables in [
        "",
        "[more]\napplication = \"cam\"\n[delegation]\napplication = \"a\"\nkeys = []\nthreshold = 1\npaths = []\nvalid-for = \"1 year\"\n",
    ] {
        assert_eq!(hold("grant-delegation", tables, &world()).unwrap_err().rule().name, "RUNBOOK");
    }
}

#[test]
fn a_new_delegation_without_a_spare_is_warned_of() {
    let grant = |keys: &str| {
        format!(
            "[delegation]\napplication = \"new\"\nkeys = [{keys}]\nthreshold = 1\npaths = [\"new/*\"]\nvalid-for = \"90 days\"\n"
        )
    };
    let alone = hold("grant-delegation", &grant("\"x\""), &world()).unwrap().summary.join("\n");
    assert!(alone.contains("DELEGATION-NO-SPARE: new has one key alone; add a spare"), "{alone}");
    let two = hold("grant-delegation", &grant("\"x\", \"y\""), &world()).unwrap().summary.join("\n");
    assert!(!two.contains("DELEGATION-NO-SPARE"), "{two}");
}

#[test]
fn what_amends_a_delegation_keeps_what_it_does_not_know() {
    let mut facts = world();
    let bytes = facts.documents[&RoleName::Targets].payload().bytes().to_vec();
    let text = String::from_utf8(bytes).unwrap();
    let text = text.replacen("\"threshold\":1}", "\"threshold\":1,\"x-owner\":\"team\"}", 1);
    let payload = wire::read_payload(Profile::Tuf, &RoleName::Targets, text.as_bytes());
    let payload = payload.unwrap();
    let root = facts.roots.last().unwrap().clone();
    let targets = accept(&root, &RoleName::Targets, envelope(&payload, "t"), None).unwrap();
    facts.documents.insert(RoleName::Targets, targets);
    let tables = "[more]\napplication = \"cam\"\nadd-keys = [\"z\"]\n";
    let change = hold("grant-delegation", tables, &facts).unwrap();
    let made = String::from_utf8(change.documents().next().unwrap().bytes().to_vec()).unwrap();
    assert!(made.contains("\"x-owner\":\"team\""), "{made}");
}

#[test]
fn a_person_who_holds_a_root_key_leaves_root_in_the_same_change() {
    let mut facts = world();
    for name in ["c", "x"] {
        facts.keys.get_mut(&key(name)).unwrap().holder = person("dana");
    }
    let tables = "[revoke]\nperson = \"dana\"\nbecause = \"compromised\"\nbelow-threshold = \"lower\"\n\
        [reissue]\nvalid-for = \"1 year\"\n";
    let refused = hold("revoke-delegation", tables, &facts).unwrap_err();
    assert_eq!(refused.rule().name, "RUNBOOK");
    assert!(refused.found().contains("c in root"), "{refused}");
    let root = "[root]\nvalid-for = \"2 years\"\n";
    let refused = hold("revoke-delegation", &format!("{tables}{root}"), &facts).unwrap_err();
    assert_eq!(refused.rule().name, "SPARE-KEYS", "{refused}");
    let tables = format!("{tables}{root}replace-with = [\"d\"]\n");
    let change = hold("revoke-delegation", &tables, &facts).unwrap();
    let lives = ["the key-life statement"; 2];
    let expected = [&["root 2", "targets 5", "the limits statement"][..], &lives, &["cam 4"]].concat();
    assert_eq!(titles(&change), expected);
    assert_eq!(asked(&change, 0), "abd", "who goes is asked for nothing");
    assert_eq!(asked(&change, 3), "abd", "with root there, root declares");
    assert_eq!(asked(&change, 5), "y");
    assert!(matches!(all_signed(&change, &facts), State::Complete { everyone: true }));
    assert!(!held("revoke-delegation", &tables, &facts));
    let alone = "[revoke]\nkey = \"x\"\nbecause = \"left\"\n[root]\nvalid-for = \"2 years\"\n";
    assert_eq!(hold("revoke-delegation", alone, &facts).unwrap_err().rule().name, "RUNBOOK");
}

#[test]
fn a_person_who_holds_the_targets_key_leaves_it_with_what_it_granted() {
    let mut facts = world();
    facts.keys.insert(key("w"), record("w", Purpose::Targets));
    facts.keys.get_mut(&key("t")).unwrap().holder = person("dana");
    facts.keys.get_mut(&key("z")).unwrap().holder = person("dana");
    let tables = "[revoke]\nperson = \"dana\"\nbecause = \"left\"\nreplace-with = [\"y\"]\n\
        [root]\nvalid-for = \"2 years\"\n[targets]\nreplace-with = [\"w\"]\n";
    let change = hold("revoke-delegation", tables, &facts).unwrap();
    assert_eq!(titles(&change), ["root 2", "targets 5", "the limits statement"]);
    assert_eq!(asked(&change, 1), "w");
    let targets = change.documents().nth(1).unwrap().document().as_targets().unwrap();
    let park = targets.delegations.role(&RoleName::from_name("park")).unwrap();
    let listed = targets.delegations.keys[&park.keys.keyids[0]].public.as_ref().unwrap();
    assert_eq!(*listed, public("y"));
    assert!(matches!(all_signed(&change, &facts), State::Complete { everyone: true }));
}
