//! Changes computed again: what anyone can write beside them makes none come out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, ask, folder, put, time};
use keyrite::ceremony::change::{Base, Change, Counts, Frame, Item};
use keyrite::ceremony::facts::Facts;
use keyrite::ceremony::kinds;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::runbook::Runbook;
use keyrite::cli::recomputed::recomputed;
use keyrite::record::Contents;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile::Tuf;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::{Term, Time, Unit};

const HELD: &str = "2026-11-22T14:00:00Z";

/// A roll-call of everyone, and keys to be made.
const RUNBOOKS: [&str; 2] = [
    "ceremony = \"roll-call\"\ntitle = \"Call\"\n[people]\nalice = \"administrator\"\nwanda = \"witness\"\n[roll-call]\n",
    "ceremony = \"generate-key\"\ntitle = \"Keys\"\n[people]\nalice = \"administrator\"\nwanda = \"witness\"\n\
     [[key]]\nname = \"root-d\"\nholder = \"dora\"\npurpose = \"root\"\n",
];

/// What the runbook gives by these facts.
fn planned(text: &str, facts: &Facts, sign_by: Time) -> Change {
    let runbook = Runbook::parse(text).unwrap();
    let frame = Frame {
        kind: runbook.kind.clone(),
        title: runbook.title.clone(),
        people: runbook.people.clone(),
        runbook: runbook.digest(),
        held_at: time(HELD),
        sign_by,
        ..kept::frame("", 30)
    };
    kinds::read(&runbook).unwrap().change(&frame, facts).unwrap()
}

/// Whether it comes out again, and else the rule.
fn comes_out(contents: &Contents, change: &Change) -> Result<(), &'static str> {
    recomputed(&contents.changes[&change.digest()], contents).map_err(|refusal| refusal.rule().name)
}

#[test]
fn earlier_limits_count_for_the_day_to_sign_by_only_if_they_were_ever_in_force() {
    for (n, runbook) in RUNBOOKS.into_iter().enumerate() {
        let day = Day::whole(&folder(&format!("recomputed-limits-{n}")));
        let facts = day.read().facts;
        let within = |term| time(HELD).plus(term).unwrap();
        // Anyone can write a file of limits, and name it.
        let mut wide = Limits::default_for(Tuf);
        wide.ceremony.sign_within = Term::new(1, Unit::Years);
        let wide = wide.to_toml();
        let sha = Digest::of(wide.as_bytes());
        put(&day.dir, &format!("limits/1.{sha}.toml"), wide.as_bytes());
        let planted = Facts { limits_file: sha, ..facts.clone() };
        let nowhere = Facts { limits_file: Digest::of(b"nowhere"), ..facts.clone() };
        let cases = [
            ("by their own day", &facts, within(Term::new(30, Unit::Days)), Ok(())),
            ("a day later", &facts, within(Term::new(31, Unit::Days)), Err("CHANGE-RECOMPUTED")),
            ("planted", &planted, within(Term::new(31, Unit::Days)), Err("CHANGE-RECOMPUTED")),
            ("planted, the same day", &planted, within(Term::new(30, Unit::Days)), Err("CHANGE-RECOMPUTED")),
            ("in no file", &nowhere, within(Term::new(10, Unit::Days)), Err("CHANGE-RECOMPUTED")),
        ];
        for (case, facts, sign_by, expected) in cases {
            let change = planned(runbook, facts, sign_by);
            day.record.add_change(&change, runbook.as_bytes()).unwrap();
            let mut contents = day.read();
            // Others are in force by now, which give less time.
            contents.facts.limits_number = 2;
            contents.facts.limits_file = Digest::of(b"limits 2");
            contents.facts.limits.ceremony.sign_within = Term::new(1, Unit::Days);
            assert_eq!(comes_out(&contents, &change), expected, "{runbook}: {case}");
        }
    }
}

/// A change of root 2, which lists two of root 1's keys; `extra` is something that is never done.
fn second_root(day: &Day, sign_by: &str, nonce: u8, extra: bool) -> Change {
    let facts = day.read().facts;
    let first = kept::root(1, &["root-a", "root-b", "root-c"], None);
    let second = kept::root(2, &["root-a", "root-b"], Some(&first));
    let asked = ["root-a", "root-b"].map(|name| ask(name, Some(Tuf), &[Counts::Old, Counts::New])).to_vec();
    let mut items = vec![Item::Document { payload: second, asked }];
    if extra {
        let keys = planned(RUNBOOKS[1], &facts, time("2026-11-23T13:00:00Z"));
        items.extend(keys.items);
    }
    let base = Base { documents: [(RoleName::Root, (1, first.digest()))].into() };
    let frame = Frame { sign_by: time(sign_by), ..kept::frame("rotate-root", nonce) };
    Change::new(&frame, &facts, base, items, vec!["root 2".to_owned()])
}

#[test]
fn a_roll_call_by_an_older_root_rests_on_no_change_that_nobody_carried_out() {
    let (before, after) = ("2026-11-22T13:30:00Z", "2026-12-22T13:00:00Z");
    // By when root 2 had to be signed, what someone planted beside its change, and what becomes of the
    // roll-call by root 1 in between.
    let cases = [
        (after, None, Ok(())),
        (before, None, Err("CHANGE-RECOMPUTED")),
        (after, Some((before, true)), Ok(())),
        (before, Some((after, true)), Err("CHANGE-RECOMPUTED")),
        (before, Some((after, false)), Err("CHANGE-RECOMPUTED")),
    ];
    for (n, (signed_by, planted, expected)) in cases.into_iter().enumerate() {
        let mut day = Day::whole(&folder(&format!("recomputed-roll-call-{n}")));
        let call = planned(RUNBOOKS[0], &day.read().facts, time(after));
        day.record.add_change(&call, RUNBOOKS[0].as_bytes()).unwrap();
        let root = second_root(&day, signed_by, 40, false);
        day.record.add_change(&root, kept::RUNBOOK.as_bytes()).unwrap();
        day.sign(&root, &["root-a", "root-b"]);
        if let Some((sign_by, extra)) = planted {
            // It comes before the other, and has all that this has.
            let first = (41..).map(|nonce| second_root(&day, sign_by, nonce, extra));
            let first = first.into_iter().find(|planted| planted.digest() < root.digest()).unwrap();
            day.record.add_change(&first, kept::RUNBOOK.as_bytes()).unwrap();
            day.sign(&first, &["root-a", "root-b"]);
        }
        day.seal(&root);
        let contents = day.read();
        assert_eq!(contents.facts.roots.len(), 2, "{:?}", contents.findings);
        assert_eq!(comes_out(&contents, &call), expected, "{signed_by}, planted {planted:?}");
    }
}
