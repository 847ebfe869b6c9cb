//! `keyrite guide`: from answers to runbooks that hold, one step back, and going on after a cut.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod day;
mod program;

use day::{Day, Upto, day, told};
use program::{answer, on_dumb_terminal};
use std::fs;

const PEOPLE: &str = "administrator = \"ada\"\nwitnesses = \"wim\"\n";

/// Runs the guide by answers on a copy of the first day.
fn guide(day: &Day, answers: &str) -> std::process::Output {
    let file = day.dir.join("answers.toml");
    fs::write(&file, format!("[answers]\n{answers}")).unwrap();
    day.keyrite(&["guide", "--answers", file.to_str().unwrap(), "--unattended"])
}

/// Each answer set that ends in runbooks: the folder, and lines that stand in the last runbook.
fn ways() -> Vec<(String, &'static str, Vec<&'static str>)> {
    let lost = "ceremony = \"lost-or-stolen\"\n";
    vec![
        (
            format!(
                "{lost}what = \"root-key\"\nkeys = \"root-c\"\nfate.root-c = \"lost\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            vec![
                "ceremony = \"rotate-root\"",
                "add         = [\"root-d\"]",
                "lost        = [\"root-c\"]",
                "dora = \"custodian\"",
            ],
        ),
        (
            format!(
                "{lost}what = \"targets-key\"\nkeys = \"targets-1\"\nfate.targets-1 = \"stolen\"\nnew-key = \"targets-2\"\nholder = \"uma\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            vec!["ceremony = \"recover\"", "compromised = [\"targets-1\"]", "replace-with = [\"targets-2\"]"],
        ),
        (
            format!(
                "{lost}what = \"developer-key\"\nkey = \"dev-dana\"\nfate.dev-dana = \"stolen\"\nreplace-with = \"none\"\nbelow-threshold = \"remove\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            vec![
                "ceremony = \"revoke-delegation\"",
                "because = \"compromised\"",
                "below-threshold = \"remove\"",
            ],
        ),
        (
            format!(
                "ceremony = \"change-root\"\nkeys = \"none\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"3\"\n{PEOPLE}"
            ),
            "change-root",
            vec!["ceremony = \"rotate-root\"", "threshold   = 3"],
        ),
        (
            format!("ceremony = \"renew\"\n{PEOPLE}"),
            "renewal",
            vec!["ceremony = \"renew\"", "within = \"90 days\""],
        ),
    ]
}

#[test]
fn answers_become_runbooks_that_can_be_held() {
    for (answers, folder, lines) in ways() {
        let day = day(Upto::End);
        let before = day.files();
        let out = guide(&day, &format!("{answers}next = \"rehearse\"\n"));
        assert!(out.status.success(), "{answers}{}", told(&out));
        assert!(told(&out).contains("a client accepted what they made"), "{answers}{}", told(&out));
        let folder = day.record.join(folder);
        let mut runbooks: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        runbooks.sort();
        let last = fs::read_to_string(runbooks.last().unwrap()).unwrap();
        for line in lines {
            assert!(last.lines().any(|l| l == line), "{line}\n{last}");
        }
        // Runbooks and the rehearsal's traces, nothing else.
        for path in day.files().keys().filter(|path| !before.contains_key(*path)) {
            let ours = path.starts_with(&folder) || path.starts_with(day.record.join("rehearsals"));
            assert!(ours, "{}", path.display());
        }
        assert!(!day.record.join("private/guide").exists());
    }
}

#[test]
fn answers_that_lead_nowhere_are_refused_and_nothing_is_written() {
    let root = |keys: &str, fates: &str, rest: &str| {
        format!(
            "ceremony = \"lost-or-stolen\"\nwhat = \"root-key\"\nkeys = \"{keys}\"\n{fates}{rest}{PEOPLE}next = \"later\"\n"
        )
    };
    let fates = "fate.root-b = \"lost\"\nfate.root-c = \"stolen\"\n";
    let none = "replace-with = \"none\"\nthreshold = \"2\"\n";
    let two = "replace-with = \"root-d, root-e\"\nholder.root-d = \"dora\"\nholder.root-e = \"emil\"\nthreshold = \"2\"\n";
    let table = [
        (root("root-b, root-c", fates, two), "QUORUM-LOST", "If root-b is found"),
        (root("root-c", "fate.root-c = \"lost\"\n", none), "RECOVER-NO-WAY", "no spare keys"),
        (root("root-x", "", none), "GUIDE", "one of root-a, root-b, root-c"),
        (root("root-c", "fate.root-c = \"lost\"\n", "replace-with = \"targets-1\"\n"), "GUIDE", "a new name"),
        (
            format!("ceremony = \"change-root\"\nkeys = \"none\"\n{none}{PEOPLE}next = \"later\"\n"),
            "GUIDE",
            "comes or goes",
        ),
    ];
    for (answers, rule, words) in table {
        let day = day(Upto::End);
        let before = day.files();
        let out = guide(&day, &answers);
        assert!(told(&out).contains(rule) && told(&out).contains(words), "{answers}{}", told(&out));
        assert_eq!(day.files(), before, "{answers}");
    }
}

#[test]
fn one_step_back_and_a_guide_that_was_cut_off() {
    let day = day(Upto::End);
    let line = ["-C", "record", "guide"];
    let mut pty = on_dumb_terminal(&day.dir, &line);
    answer(&mut pty, "What is it about?", "1");
    // Not the targets key after all.
    answer(&mut pty, "What was lost or stolen?", "2");
    answer(&mut pty, "Which targets keys?", "back");
    answer(&mut pty, "What was lost or stolen?", "1");
    answer(&mut pty, "Which root keys?", "root-x");
    pty.exp_string("one of root-a, root-b, root-c").unwrap();
    answer(&mut pty, "Which root keys?", "root-c");
    pty.exp_string("What happened to root-c?").unwrap();
    drop(pty);

    let mut pty = on_dumb_terminal(&day.dir, &line);
    pty.exp_string("keys: root-c").unwrap();
    answer(&mut pty, "Go on with them?", "1");
    answer(&mut pty, "What happened to root-c?", "1");
    answer(&mut pty, "Which keys come in?", "root-d");
    answer(&mut pty, "Who will hold root-d?", "dora");
    answer(&mut pty, "How many must sign a root", "2");
    answer(&mut pty, "Who leads?", "ada");
    answer(&mut pty, "Who watches", "wim");
    pty.exp_string("root-d enters; root-c leaves").unwrap();
    pty.exp_string("press Enter to read on").unwrap();
    pty.send_line("").unwrap();
    answer(&mut pty, "What comes next?", "1");
    assert!(pty.exp_eof().is_ok());
    let folder = day.record.join("lost-or-stolen");
    assert!(folder.join("01-root-keys.toml").exists() && folder.join("02-rotate-root.toml").exists());
    assert!(!day.record.join("private/guide").exists());
}
