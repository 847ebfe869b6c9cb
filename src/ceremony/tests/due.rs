//! What ends, and from when on it is to be renewed.

use super::world::*;
use crate::ceremony::due::{Urgency, What, endings};
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
