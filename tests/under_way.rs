//! Changes that are under way while root or the limits become others: each goes on or is said to be
//! overtaken, and what `status` prints then is a way to its end. Nobody is told that copies differ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod duo;
mod stage;

use duo::Duo;
use keyrite::ceremony::facts::Stage as Kind;
use std::path::{Path, PathBuf};
use std::process::Command;

const EVERYONE: [&str; 6] = ["root-a", "root-b", "root-c", "root-d", "root-e", "targets-1"];

/// What is under way: its ceremony, its tables, the keys that were there for its first session, and what
/// becomes of it after each of [`BETWEEN`].
struct Under {
    ceremony: &'static str,
    tables: &'static str,
    there: &'static [&'static str],
    ends: [End; 4],
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The very change goes on.
    GoesOn,
    /// It is overtaken by this, and its runbook planned anew.
    Anew(&'static str),
    /// The same once what was signed of it is withdrawn.
    Withdrawn(&'static str),
    /// Not tried: who signed it can't sign what comes between, or it is as with the root before.
    Untried,
}

use End::{Anew, GoesOn, Untried, Withdrawn};

const UNDER_WAY: &[Under] = &[
    Under {
        ceremony: "roll-call",
        tables: "[roll-call]\n",
        there: &["root-a"],
        ends: [GoesOn, GoesOn, GoesOn, Untried],
    },
    Under {
        ceremony: "roll-call",
        tables: "[roll-call]\nkeys = [\"root-a\", \"root-b\"]\n",
        there: &[],
        ends: [Untried, GoesOn, Untried, Untried],
    },
    Under {
        ceremony: "set-limits",
        tables: "[limits.ceremony]\nrecord-no-older = \"7 days\"\n",
        there: &["root-a"],
        ends: [Anew("root 2"), Untried, Anew("limits 2"), Untried],
    },
    Under {
        ceremony: "retire-key",
        tables: "[retire]\nkey = \"root-d\"\n",
        there: &["root-a"],
        ends: [Anew("root 2"), Untried, Untried, GoesOn],
    },
    Under {
        ceremony: "rotate-root",
        tables: "[root]\nadd = [\"root-d\"]\nvalid-for = \"2 years\"\n",
        there: &["root-a"],
        ends: [Untried, Untried, Withdrawn("limits 2"), Withdrawn("the newest key file of root-a")],
    },
    Under {
        ceremony: "renew",
        tables: "[renew]\nwithin = \"20 months\"\nroles = [\"targets\"]\n[targets]\nvalid-for = \"2 years\"\n",
        there: &["root-a"],
        ends: [Anew("root 2"), Untried, Anew("limits 2"), GoesOn],
    },
    Under {
        ceremony: "generate-key",
        tables: "[[key]]\nname = \"root-e\"\nholder = \"emil\"\npurpose = \"root\"\n",
        there: &["root-a"],
        ends: [GoesOn, Untried, GoesOn, Untried],
    },
    Under {
        ceremony: "certify-key",
        tables: "[certificate]\nkey = \"root-b\"\nwithin = \"11 years\"\n",
        there: &["root-a"],
        ends: [Untried, Untried, GoesOn, Untried],
    },
];

/// What comes between, by everyone: its tables.
const BETWEEN: [(&str, &str); 4] = [
    ("rotate-root", "[root]\nadd = [\"root-c\"]\nvalid-for = \"2 years\"\n"),
    ("rotate-root", "[root]\nadd = [\"root-c\"]\nremove = [\"root-b\"]\nvalid-for = \"2 years\"\n"),
    ("set-limits", "[limits.ceremony]\nsign-within = \"20 days\"\n"),
    ("certify-key", "[certificate]\nkey = \"root-a\"\nwithin = \"11 years\"\n"),
];

/// The same trust once more, in a folder of its own.
fn again(duo: &Duo, name: &str) -> Duo {
    let dir = duo.stage.dir.with_file_name(format!("stage-under-way-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    stage::Done::of(Command::new("cp").arg("-a").args([&duo.stage.dir, &dir])).ended(0);
    let stage = stage::Stage { record: dir.join("record"), trust: duo.stage.trust.clone(), dir };
    Duo { stage, production: false, tokens: Vec::new() }
}

/// The runbook that a line of `status` names, where the shell finds it.
fn runbook(line: &str) -> PathBuf {
    let pattern = line.split(" run ").nth(1).unwrap().split("    ").next().unwrap();
    let found = stage::Done::of(Command::new("sh").args(["-c", &format!("ls -d {pattern}")])).ended(0).text();
    let found: Vec<_> = found.lines().map(PathBuf::from).collect();
    assert_eq!(found.len(), 1, "{line}: {found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn what_is_under_way_goes_on_or_is_overtaken_and_has_a_way_to_its_end() {
    let first = &Duo::rooted("under-way", Kind::Rehearsal);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let each = UNDER_WAY.iter().enumerate();
        let each: Vec<_> =
            each.map(|(number, under)| scope.spawn(move || under.tried(first, number))).collect();
        each.into_iter().flat_map(|tried| tried.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

impl Under {
    /// What doesn't end as it should.
    fn tried(&self, first: &Duo, number: usize) -> Vec<String> {
        let begun = again(first, &format!("{number}"));
        let own = begun.runbook(TITLE, self.ceremony, self.tables);
        let (change, waits) = begun.stage.hold(&begun.map(self.there), &own);
        waits.ended(4);
        let mut wrong = Vec::new();
        let between = BETWEEN.iter().zip(self.ends).enumerate();
        for (which, (between, end)) in between.filter(|(_, (_, end))| *end != Untried) {
            let duo = again(&begun, &format!("{number}-{which}"));
            let held = std::panic::catch_unwind(|| {
                let comes = duo.runbook("Between", between.0, between.1);
                duo.stage.hold(&duo.map(&EVERYONE), &comes).1.ended(0);
                ends(&duo, &change, &own_in(&duo), end);
            });
            if let Err(why) = held {
                let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.push(format!("{} under way, then {between:?}: {why}", self.ceremony));
            }
        }
        wrong
    }
}

const TITLE: &str = "Under way";

fn own_in(duo: &Duo) -> PathBuf {
    duo.stage.path(&format!("{}.toml", TITLE.replace(' ', "-")))
}

/// That the change ends so, by the lines of `status` where it has any.
fn ends(duo: &Duo, change: &str, own: &Path, end: End) {
    let state = |change: &str| {
        let status = duo.status();
        let all = status["changes"].as_array().unwrap();
        all.iter().find(|one| one["change"] == change).unwrap()["state"].as_str().unwrap().to_owned()
    };
    let hold = |runbook: &Path| duo.stage.hold(&duo.map(&EVERYONE), runbook);
    let (Anew(there) | Withdrawn(there)) = end else {
        assert_eq!(state(change), "waits for signatures");
        let (again, done) = hold(own);
        done.ended(0);
        assert_eq!(again, change, "it is the very same that goes on");
        assert_eq!(state(change), "sealed");
        return duo.verified();
    };
    let overtaken = format!(", and {there} is there: plan the runbook again");
    assert!(state(change).ends_with(&overtaken), "{}", state(change));
    let refused = duo.next("guide withdraw    for \"Under way\": half signed");
    assert_eq!(refused.is_some(), matches!(end, Withdrawn(_)), "{refused:?}");
    if refused.is_some() {
        duo.everyone(&duo.withdrawal(TITLE, ""));
    }
    // Where nobody had signed it, nothing but the runbook is left of it.
    let line = duo.next("plans \"Under way\" anew");
    let (anew, done) = hold(&line.map_or_else(|| own.to_owned(), |line| runbook(&line)));
    done.ended(0);
    assert_ne!(anew, change);
    assert_eq!(state(&anew), "sealed");
    assert_eq!(duo.next("\"Under way\" anew"), None);
    duo.verified();
}
