//! What ends, and from when on it is to be renewed.

use super::notary_world as notary;
use super::world::*;
use crate::ceremony::due::{Urgency, What, endings, in_time, leads_on};
use crate::tuf::make::{self, RootSpec};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;

#[test]
fn root_in_notary_is_due_nine_months_before_and_blocks_six() {
    let mut facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[(&targets(1, ""), "t")]);
    let end = facts.roots[0].document().header().expires;
    let due = |facts: &crate::ceremony::facts::Facts| {
        let all = endings(facts);
        let found = all.into_iter().find(|e| e.what == What::Document(RoleName::Root));
        found.unwrap()
    };
    let plain = due(&facts);
    assert_eq!((plain.at, plain.blocked), (end, None));
    assert_eq!(plain.due.date(), end.minus("90 days".parse().unwrap()).unwrap().date());

    facts.trust.profile = Profile::Notary;
    let notary = due(&facts);
    let day = |at: crate::tuf::time::Time| format!("{}T00:00:00Z", at.date()).parse().unwrap();
    let months = |months: &str| day(end.minus(months.parse().unwrap()).unwrap());
    assert_eq!((notary.due, notary.blocked), (months("9 months"), Some(months("6 months"))));
    let second = |at: crate::tuf::time::Time| crate::tuf::time::Time::from_unix(at.unix() - 1).unwrap();
    let table = [
        (second(notary.due), Urgency::Later),
        (notary.due, Urgency::Due),
        (second(months("6 months")), Urgency::Due),
        (months("6 months"), Urgency::Blocked),
        (second(end), Urgency::Blocked),
        (end, Urgency::Ended),
    ];
    for (now, urgency) in table {
        assert_eq!(notary.urgency(now), urgency, "{now}");
    }
}

/// By Go's months, not the calendar's, as the gate counts them.
#[test]
fn root_in_notary_blocks_from_the_day_on_which_the_gate_stops() {
    let table = [
        ("2030-01-01", "2029-07-01"),
        ("2030-02-28", "2029-08-28"),
        ("2030-03-01", "2029-08-29"),
        ("2030-03-03", "2029-08-31"),
        ("2030-07-01", "2029-12-31"),
        ("2030-08-31", "2030-03-01"),
    ];
    for (end, day) in table {
        let spec = RootSpec {
            version: 1,
            expires: time(end),
            root: role("abc", 2),
            targets: role("t", 1),
            snapshot: role("s", 1),
            timestamp: role("u", 1),
        };
        let root = make::root(Profile::Tuf, &spec, None).unwrap();
        let mut facts = facts(&[(&root, "abc")], &[]);
        facts.trust.profile = Profile::Notary;
        let all = endings(&facts);
        let root = all.iter().find(|e| e.what == What::Document(RoleName::Root)).unwrap();
        let blocked = root.blocked.unwrap();
        assert_eq!(blocked.to_string(), format!("{day}T00:00:00Z"), "{end}");
        let second = |second: i64| crate::tuf::time::Time::from_unix(blocked.unix() + second).unwrap();
        assert!(in_time(second(-1), root.at), "{end}: the day before");
        assert!(!in_time(second(86_399), root.at), "{end}: the end of that day");
        assert_eq!([-1, 0].map(|s| root.urgency(second(s))), [Urgency::Due, Urgency::Blocked], "{end}");
    }
}

#[test]
fn what_is_to_be_renewed_first_comes_first() {
    let facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[(&targets(1, "x"), "t")]);
    let all = endings(&facts);
    assert!(all.len() >= 2, "{all:?}");
    assert!(all.is_sorted_by_key(|ending| ending.due), "{all:?}");
    let online =
        |e: &&crate::ceremony::due::Ending| matches!(&e.what, What::Document(role) if role.is_online());
    assert_eq!(all.iter().find(online), None, "a machine's documents are nobody's appointment");
}

#[test]
fn a_root_leads_on_as_long_as_enough_of_its_signers_certificates_are_valid() {
    let mut facts = notary::before();
    for (name, until) in [("a", "2027-01-01"), ("b", "2028-06-01"), ("c", "2029-01-01")] {
        facts.keys.get_mut(&key(name)).unwrap().certificate = Some(notary::certificate(name, until));
    }
    notary::push_root(&mut facts, "abc", 2, "t");
    let root = &facts.roots[0];
    // By two of b, c and, at first, a; root itself ends on 2028-01-01, which is no matter.
    for (day, on) in
        [("2026-06-01", true), ("2028-05-31", true), ("2028-06-02", false), ("2029-01-02", false)]
    {
        assert_eq!(leads_on(root, time(day)), on, "{day}");
    }
    let plain = facts_of_tuf();
    assert!(leads_on(&plain.roots[0], time("2036-01-01")));
}

fn facts_of_tuf() -> crate::ceremony::facts::Facts {
    facts(&[(&root(1, "abc", 2, "t"), "abc")], &[])
}
