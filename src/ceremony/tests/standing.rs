//! How changes stand: thresholds, states and who is still needed.

use super::world::*;
use crate::ceremony::change::Change;
use crate::ceremony::facts::Facts;
use crate::ceremony::moved::Moved;
use crate::ceremony::standing::{Gathered, Standing, State};
use crate::tuf::key::KeyIdentity;
use crate::tuf::make;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::{KeyEvent, Sentence};

fn standing(change: &Change, gathered: &Gathered, facts: &Facts) -> Standing {
    Standing::of(change, gathered, facts).unwrap()
}

/// `2/3` for each threshold of each item: have and need.
fn needs(standing: &Standing) -> String {
    let item = |needs: Vec<String>| needs.join("+");
    let items = standing
        .items
        .iter()
        .map(|i| item(i.needs.iter().map(|n| format!("{}/{}", n.have, n.need)).collect()));
    items.collect::<Vec<_>>().join(" ")
}

fn needed(standing: &Standing) -> String {
    standing.needed().iter().map(|asked| asked.key.as_str()).collect()
}

fn missing(standing: &Standing) -> String {
    standing.missing().iter().map(|asked| asked.key.as_str()).collect()
}

fn state(standing: &Standing) -> &'static str {
    match standing.state {
        State::Published => "published",
        State::Withdrawn { .. } => "withdrawn",
        State::Sealed => "sealed",
        State::Lapsed { .. } => "lapsed",
        State::Overtaken { .. } => "overtaken",
        State::BaseMoved(_) => "base moved",
        State::BaseAhead { .. } => "base ahead",
        State::Complete { everyone: true } => "complete",
        State::Complete { everyone: false } => "enough",
        State::Open => "open",
    }
}

#[test]
fn a_root_counts_old_and_new_keys() {
    // Old root, new root, who is asked, who signed; thresholds, still needed, missing, state.
    type Row = (
        &'static str,
        (&'static str, u32),
        (&'static str, u32),
        &'static str,
        &'static str,
        [&'static str; 4],
    );
    let table: &[Row] = &[
        ("nobody yet", ("abc", 2), ("abd", 2), "abcd", "", ["0/2+0/2", "abcd", "abcd", "open"]),
        ("an old key alone", ("abc", 2), ("abd", 2), "abcd", "c", ["1/2+0/2", "abd", "abd", "open"]),
        ("enough of the old", ("abc", 2), ("abd", 2), "abcd", "ac", ["2/2+1/2", "bd", "bd", "open"]),
        ("enough of both", ("abc", 2), ("abd", 2), "abcd", "ab", ["2/2+2/2", "", "cd", "enough"]),
        ("everyone", ("abc", 2), ("abd", 2), "abcd", "abcd", ["3/2+3/2", "", "", "complete"]),
        (
            "all replaced, old missing",
            ("abc", 2),
            ("def", 2),
            "abcdef",
            "def",
            ["0/2+3/2", "abc", "abc", "open"],
        ),
        ("all replaced", ("abc", 2), ("def", 2), "abcdef", "abde", ["2/2+2/2", "", "cf", "enough"]),
        ("threshold raised", ("abc", 2), ("abc", 3), "abc", "ab", ["2/2+2/3", "c", "c", "open"]),
        ("threshold lowered", ("abc", 3), ("abc", 2), "abc", "ab", ["2/3+2/2", "c", "c", "open"]),
        ("a key that nobody asked", ("abc", 2), ("abc", 2), "ab", "ac", ["1/2+1/2", "b", "b", "open"]),
        ("too few are asked", ("abc", 2), ("abc", 2), "a", "a", ["1/2+1/2", "", "", "open"]),
    ];
    for (what, old, new, asked, by, expected) in table {
        let (old, new) = (root(1, old.0, old.1, "t"), root(2, new.0, new.1, "t"));
        let facts = facts(&[(&old, "abc")], &[]);
        let change = change(&facts, &[RoleName::Root], vec![document(&new, asked)]);
        let standing = standing(&change, &signed(&change, &[(0, by)]), &facts);
        let found =
            [&needs(&standing), &needed(&standing), &missing(&standing), &state(&standing).to_owned()];
        assert_eq!(found.map(String::as_str), *expected, "{what}");
    }
}

#[test]
fn a_first_day_counts_by_the_proposed_root() {
    let facts = nothing();
    let (root, targets) = (root(1, "abc", 2, "t"), targets(1, ""));
    let limits =
        Sentence::Limits { number: 1, limits: sha("limits"), chain: facts.chain(Some(root.digest())) };
    let items = vec![document(&root, "abc"), document(&targets, "t"), statement(limits, "abc")];
    let change = change(&facts, &[], items);
    // Who signed root, targets, limits; thresholds and state.
    let table = [
        ("", "", "", "0/2 0/1 0/2", "open"),
        ("ab", "t", "", "2/2 1/1 0/2", "open"),
        ("ab", "", "ab", "2/2 0/1 2/2", "open"),
        ("ab", "t", "bc", "2/2 1/1 2/2", "enough"),
        ("abc", "t", "abc", "3/2 1/1 3/2", "complete"),
        ("ab", "a", "ab", "2/2 0/1 2/2", "open"),
    ];
    for (on_root, on_targets, on_limits, thresholds, state) in table {
        let gathered = signed(&change, &[(0, on_root), (1, on_targets), (2, on_limits)]);
        let standing = standing(&change, &gathered, &facts);
        assert_eq!(needs(&standing), thresholds);
        assert_eq!(self::state(&standing), state, "{thresholds}");
        assert_eq!(standing.thresholds_met(), state != "open");
    }
    // One signature over one payload says nothing of another.
    let mut gathered = signed(&change, &[(0, "ab"), (1, "t")]);
    gathered.signatures.extend(signed(&change, &[(0, "ab")]).signatures);
    assert_eq!(needs(&standing(&change, &gathered, &facts)), "2/2 1/1 0/2");
}

#[test]
fn a_role_counts_by_its_delegator_as_the_change_leaves_it() {
    let (r1, t1) = (root(1, "abc", 2, "t"), targets(1, "x"));
    let facts = facts(&[(&r1, "abc")], &[(&t1, "t")]);

    // A grant and the delegation's first document: app-y is listed by the new targets alone.
    let (t2, app) = (targets(2, "xy"), delegation("y", 1));
    let grant = change(&facts, &[RoleName::Targets], vec![document(&t2, "t"), document(&app, "xy")]);
    assert_eq!(needs(&standing(&grant, &signed(&grant, &[(0, "t"), (1, "y")]), &facts)), "1/1 1/1");
    assert_eq!(needs(&standing(&grant, &signed(&grant, &[(0, "t"), (1, "x")]), &facts)), "1/1 0/1");

    // A new targets key: the targets document counts by the root of the same change.
    let r2 = root(2, "abc", 2, "v");
    let rotate = change(&facts, &[RoleName::Root], vec![document(&r2, "abc"), document(&t2, "tv")]);
    assert_eq!(needs(&standing(&rotate, &signed(&rotate, &[(0, "ab"), (1, "t")]), &facts)), "2/2+2/2 0/1");
    assert_eq!(needs(&standing(&rotate, &signed(&rotate, &[(0, "ab"), (1, "v")]), &facts)), "2/2+2/2 1/1");

    // A delegation that nobody lists.
    let orphan = change(&facts, &[], vec![document(&delegation("z", 1), "z")]);
    let refusal = Standing::of(&orphan, &Gathered::default(), &facts).unwrap_err();
    assert_eq!(refusal.rule().name, "CHANGE-ROLE");
    let early = change(&nothing(), &[], vec![document(&targets(1, ""), "t")]);
    let refusal = Standing::of(&early, &Gathered::default(), &nothing()).unwrap_err();
    assert_eq!(refusal.rule().name, "CHANGE-ROLE");
}

#[test]
fn two_roots_in_one_change_count_one_after_the_other() {
    let r1 = root(1, "abc", 2, "t");
    let facts = facts(&[(&r1, "abc")], &[]);
    let (r2, r3) = (root(2, "cde", 2, "t"), root(3, "def", 2, "t"));
    let change = change(&facts, &[RoleName::Root], vec![document(&r2, "abcde"), document(&r3, "cdef")]);
    let gathered = signed(&change, &[(0, "bcd"), (1, "de")]);
    assert_eq!(needs(&standing(&change, &gathered, &facts)), "2/2+2/2 2/2+2/2");
}

#[test]
fn statements_count_by_root_or_by_themselves() {
    let (r1, t1) = (root(1, "abc", 2, "t"), targets(1, "x"));
    let facts = facts(&[(&r1, "abc")], &[(&t1, "t")]);
    let key = public("a").identity();
    let life = |of: &str| Sentence::KeyLife {
        key: public(of).identity(),
        event: KeyEvent::Lost,
        at: facts.today,
        root: r1.digest(),
    };
    let nonce = sha("nonce");
    let table: Vec<(&str, Sentence, &str, &str, &str)> = vec![
        (
            "limits",
            Sentence::Limits { number: 2, limits: sha("l"), chain: facts.chain(None) },
            "abc",
            "ab",
            "2/2",
        ),
        (
            "limits by others",
            Sentence::Limits { number: 2, limits: sha("l"), chain: facts.chain(None) },
            "tx",
            "tx",
            "0/2",
        ),
        ("key-life", life("a"), "abc", "c", "1/2"),
        ("key-life by targets", life("a"), "t", "t", "0/2"),
        ("a delegation's key-life", life("x"), "abc", "ab", "2/2"),
        ("a delegation's key-life by targets", life("x"), "t", "t", "1/1"),
        ("a delegation's key-life by a mixture", life("x"), "tab", "ta", "1/2"),
        ("a delegation's key-life by itself", life("x"), "x", "x", "0/2"),
        ("a targets key-life by targets", life("t"), "t", "t", "0/2"),
        (
            "decision",
            Sentence::Decision { what: "keys/a".into(), keep: sha("a"), over: vec![sha("b")] },
            "abc",
            "abc",
            "3/2",
        ),
        ("roll-call", Sentence::RollCall { key, nonce }, "a", "", "0/1"),
        ("roll-call", Sentence::RollCall { key, nonce }, "a", "a", "1/1"),
    ];
    for (what, sentence, asked, by, expected) in table {
        let change = change(&facts, &[], vec![statement(sentence, asked)]);
        assert_eq!(needs(&standing(&change, &signed(&change, &[(0, by)]), &facts)), expected, "{what}");
    }
    let limits = Sentence::Limits { number: 1, limits: sha("l"), chain: sha("none") };
    let change = change(&nothing(), &[], vec![statement(limits, "abc")]);
    let refusal = Standing::of(&change, &Gathered::default(), &nothing()).unwrap_err();
    assert_eq!(refusal.rule().name, "CHANGE-ROLE");
}

#[test]
fn the_first_state_that_holds_is_the_state() {
    let (r1, t1, t2) = (root(1, "abc", 2, "t"), targets(1, ""), targets(2, "x"));
    let before = || facts(&[(&r1, "abc")], &[(&t1, "t")]);
    let change = change(&before(), &[RoleName::Targets], vec![document(&t2, "t")]);
    let withdrawal = |word: &str| Gathered {
        withdrawals: names(word).iter().map(|n| (public(n).identity(), format!("by {n}\u{7}"))).collect(),
        ..signed(&change, &[(0, "t")])
    };
    let late = |mut facts: Facts| {
        facts.today = time("2026-12-23");
        facts
    };
    let sealed = || facts(&[(&r1, "abc")], &[(&t2, "t")]);
    let published = || {
        let mut facts = sealed();
        facts.published.insert(t2.digest());
        facts
    };
    let rival = targets(2, "y");
    let moved = || facts(&[(&r1, "abc")], &[(&rival, "t")]);
    let earlier = || facts(&[(&r1, "abc")], &[]);
    // A key that was given up has signed it, which the newest root doesn't take.
    let former = |mut facts: Facts| {
        facts.history.insert(t2.digest());
        facts
    };
    let (nobody, all) = (signed(&change, &[]), signed(&change, &[(0, "t")]));
    // What came in, what the record holds; state, rule.
    let table: Vec<(&Gathered, Facts, &str, Option<&str>)> = vec![
        (&nobody, before(), "open", None),
        (&all, before(), "complete", None),
        (&all, sealed(), "sealed", None),
        (&nobody, late(sealed()), "sealed", None),
        (&all, published(), "published", None),
        (&nobody, late(before()), "lapsed", Some("SIGN-BY")),
        (&all, late(before()), "complete", None),
        (&all, moved(), "base moved", Some("BASE-MOVED")),
        (&nobody, late(moved()), "lapsed", Some("SIGN-BY")),
        (&all, earlier(), "base ahead", Some("CHANGE-WAITS")),
        (&nobody, former(before()), "open", None),
        (&all, former(before()), "complete", None),
        (&nobody, former(earlier()), "base ahead", Some("CHANGE-WAITS")),
        (&all, former(earlier()), "sealed", None),
    ];
    for (gathered, facts, expected, rule) in table {
        let standing = standing(&change, gathered, &facts);
        assert_eq!(state(&standing), expected);
        assert_eq!(standing.refusal().map(|r| r.rule().name), rule, "{expected}");
        assert_eq!(standing.past_sign_by, facts.today > change.frame.sign_by);
    }
    // A withdrawal counts by the key that signs targets now, before all but publication.
    let table = [
        ("t", before(), "withdrawn"),
        ("t", sealed(), "withdrawn"),
        ("t", late(before()), "withdrawn"),
        ("t", published(), "published"),
        ("abc", before(), "complete"),
        ("x", before(), "complete"),
    ];
    for (by, facts, expected) in table {
        let standing = standing(&change, &withdrawal(by), &facts);
        assert_eq!(state(&standing), expected, "withdrawn by {by}");
        if expected == "withdrawn" {
            let refusal = standing.refusal().unwrap();
            assert_eq!(refusal.rule().name, "CHANGE-WITHDRAWN");
            assert!(refusal.found().contains("by t\\u{7}"), "{refusal}");
        }
    }
}

#[test]
fn a_change_that_starts_from_nothing_moves_when_something_is_there() {
    let (r1, other) = (root(1, "abc", 2, "t"), root(1, "def", 2, "t"));
    let first = change(&nothing(), &[], vec![document(&r1, "abc")]);
    let elsewhere = facts(&[(&other, "def")], &[]);
    let standing = standing(&first, &signed(&first, &[(0, "abc")]), &elsewhere);
    assert_eq!(
        standing.state,
        State::BaseMoved(Moved::Document { role: RoleName::Root, from: 0, newest: 1 })
    );
}

#[test]
fn sealing_that_was_cut_off_is_no_move() {
    let (r1, t1, r2, t2) = (root(1, "abc", 2, "t"), targets(1, ""), root(2, "abc", 2, "v"), targets(2, ""));
    let before = facts(&[(&r1, "abc")], &[(&t1, "t")]);
    let base = [RoleName::Root, RoleName::Targets];
    let change = change(&before, &base, vec![document(&r2, "abc"), document(&t2, "v")]);
    // Root 2 has been written, targets 2 has not.
    let between = facts(&[(&r1, "abc"), (&r2, "abc")], &[]);
    let mut between = Facts { documents: before.documents.clone(), ..between };
    between.history.insert(t1.digest());
    let standing = standing(&change, &signed(&change, &[(0, "abc"), (1, "v")]), &between);
    assert_eq!(state(&standing), "complete");
}

#[test]
fn the_highest_role_withdraws() {
    let (r1, t1) = (root(1, "abc", 2, "t"), targets(1, "x"));
    let before = facts(&[(&r1, "abc")], &[(&t1, "t")]);
    let (r2, t2, x1) = (root(2, "bcd", 2, "t"), targets(2, "xy"), delegation("x", 1));
    let limits = Sentence::Limits { number: 2, limits: sha("l"), chain: before.chain(None) };
    let roots = vec![document(&r2, "abcd"), document(&t2, "t")];
    let grant = vec![document(&t2, "t"), document(&x1, "x")];
    // What the change holds, who withdraws, whether that counts.
    let table = [
        ("root over targets", &before, roots.clone(), "t", false),
        ("the old root's keys", &before, roots.clone(), "ab", true),
        ("a new key is none of them", &before, roots, "bd", false),
        ("targets over its delegation", &before, grant.clone(), "x", false),
        ("targets", &before, grant, "t", true),
        ("a delegation alone", &before, vec![document(&x1, "x")], "x", true),
        ("not its delegator", &before, vec![document(&x1, "x")], "t", false),
        ("statements: root", &before, vec![statement(limits, "abc")], "bc", true),
    ];
    for (what, facts, items, by, counts) in table {
        let change = change(facts, &[RoleName::Root, RoleName::Targets], items);
        let withdrawals = names(by).iter().map(|n| (public(n).identity(), "why".to_owned())).collect();
        let gathered = Gathered { withdrawals, ..Gathered::default() };
        assert_eq!(state(&standing(&change, &gathered, facts)) == "withdrawn", counts, "{what}");
    }
    // A delegation over the one below it, though its name sorts after.
    let below = |version| {
        let role = RoleName::from_name("a-below");
        make::targets(Profile::Tuf, &role, version, time("2029-01-01"), None, &[]).unwrap()
    };
    let facts = facts(&[(&r1, "abc")], &[(&t1, "t"), (&delegating(1), "x"), (&below(1), "y")]);
    let change = change(&facts, &[], vec![document(&delegating(2), "x"), document(&below(2), "y")]);
    for (by, counts) in [("x", true), ("y", false)] {
        let withdrawals = names(by).iter().map(|n| (public(n).identity(), "why".to_owned())).collect();
        let gathered = Gathered { withdrawals, ..Gathered::default() };
        assert_eq!(state(&standing(&change, &gathered, &facts)) == "withdrawn", counts, "{by}");
    }
}

#[test]
fn a_first_root_is_withdrawn_by_the_keys_it_proposes() {
    let (r1, t1) = (root(1, "abc", 2, "t"), targets(1, "x"));
    let first = change(&nothing(), &[], vec![document(&r1, "abc"), document(&t1, "t")]);
    for (by, counts) in [("ab", true), ("a", false), ("at", false), ("t", false)] {
        let withdrawals = names(by).iter().map(|n| (public(n).identity(), "why".to_owned())).collect();
        let gathered = Gathered { withdrawals, ..Gathered::default() };
        assert_eq!(state(&standing(&first, &gathered, &nothing())) == "withdrawn", counts, "{by}");
    }
}

#[test]
fn keys_are_in_place_once_the_record_has_them() {
    use crate::ceremony::change::{Item, NewKey, Purpose};
    use crate::tuf::key::KeySpec;
    let new = Item::NewKey(NewKey {
        name: key("root-new"),
        holder: person("alice"),
        purpose: Purpose::Root,
        spec: KeySpec::EcdsaP256,
        certificate: None,
        exportable_under: None,
    });
    let mut facts = nothing();
    let change = change(&facts, &[], vec![new]);
    let gathered = Gathered::default();
    assert_eq!(state(&standing(&change, &gathered, &facts)), "open");
    facts.keys.insert(key("root-new"), record("root-new", Purpose::Root));
    assert_eq!(state(&standing(&change, &gathered, &facts)), "sealed");
}

#[test]
fn people_read_who_is_needed() {
    let (r1, r2) = (root(1, "abc", 2, "t"), root(2, "abd", 2, "t"));
    let facts = facts(&[(&r1, "abc")], &[]);
    let change = change(&facts, &[RoleName::Root], vec![document(&r2, "abcd")]);
    let standing = standing(&change, &signed(&change, &[(0, "ac")]), &facts);
    let expected = [
        "root 2: 2 of 2 signed, as the root before demands",
        "root 2: 1 of 2 signed",
        "  still needed, of: b (of-b), d (of-d)",
    ];
    assert_eq!(standing.words(), expected);
    let identities: Vec<KeyIdentity> = standing.needed().iter().map(|asked| asked.identity).collect();
    assert_eq!(identities, [public("b").identity(), public("d").identity()]);
}
