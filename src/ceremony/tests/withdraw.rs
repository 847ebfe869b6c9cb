//! Which change a withdrawal means, and whether it has been taken back already.

use super::root_change::rooted;
use super::world::{frame, nothing, sha, time};
use crate::ceremony::change::Item;
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::proposal::Proposal;
use crate::ceremony::runbook::Runbook;
use crate::tuf::digest::Digest;
use crate::tuf::statement::{Sentence, Statement};

/// Changes titled "Limits", a letter each, oldest first: `o` open, `w` withdrawn by the runbook's
/// own sentence, `x` by another.
fn world(changes: &str) -> Facts {
    let mut facts = nothing();
    for (n, how) in changes.chars().enumerate() {
        let change = sha(&format!("change {n}"));
        let proposal = Proposal {
            change,
            title: "Limits".to_owned(),
            held_at: time(&format!("2026-01-{:02}", n + 1)),
            documents: Vec::new(),
            highest: None,
            root: None,
            sealed: false,
            withdrawn: how != 'o',
        };
        facts.proposals.insert(change, proposal);
        let reason = if how == 'w' { "ours" } else { "another" }.to_owned();
        if how != 'o' {
            let said = Statement::new(facts.trust.id, Sentence::Withdrawal { change, reason }).unwrap();
            facts.history.insert(Digest::of(said.bytes()));
        }
    }
    facts
}

#[test]
fn a_withdrawal_is_held_once_what_it_means_is_taken_back() {
    // Changes of that title; `which`; whether nothing is left to do.
    let table = [
        ("", "", false),
        ("o", "", false),
        ("w", "", true),
        ("x", "", true),
        ("wo", "", false),
        ("ow", "last", true),
        ("ox", "last", false),
        ("wo", "last", false),
        ("wow", "last", true),
        ("oow", "last", true),
        ("owx", "last", true),
        ("wo", "first", true),
        ("xwo", "first", true),
        ("xo", "first", false),
        ("ow", "first", false),
        // By its digest, whatever became of the others, and whoever withdrew it.
        ("owo", "1", true),
        ("oxo", "1", true),
        ("wow", "1", false),
        ("wow", "7", false),
    ];
    for (changes, which, held) in table {
        let which = which
            .parse()
            .map_or(which.to_owned(), |n: usize| sha(&format!("change {n}")).hex()[..16].to_owned());
        let which = if which.is_empty() { String::new() } else { format!("which = \"{which}\"\n") };
        let runbook = format!(
            "ceremony = \"withdraw\"\ntitle = \"t\"\n[people]\nalice = \"administrator\"\n\
             [withdraw]\nchange = \"Limits\"\n{which}reason = \"ours\"\n"
        );
        let ceremony = kinds::read(&Runbook::parse(&runbook).unwrap()).unwrap();
        assert_eq!(ceremony.held(&world(changes)), held, "{changes} {which}");
    }
}

/// What a withdrawal of `which` means, of changes of one title: the number of the one, or the rule.
fn chosen(changes: &str, which: &str) -> String {
    let runbook = format!(
        "ceremony = \"withdraw\"\ntitle = \"t\"\n[people]\nalice = \"administrator\"\n\
         [withdraw]\nchange = \"Limits\"\n{which}reason = \"ours\"\n"
    );
    let facts = Facts { roots: rooted(&[("abc", 2)]).roots, ..with_keys(world(changes)) };
    let read = Runbook::parse(&runbook).and_then(|runbook| kinds::read(&runbook));
    let change = read.and_then(|ceremony| ceremony.change(&frame(), &facts));
    match change {
        Err(refusal) => refusal.rule().name.to_owned(),
        Ok(change) => {
            let said = change.items.iter().find_map(|item| match item {
                Item::Statement { payload, .. } => match payload.sentence() {
                    Sentence::Withdrawal { change, .. } => Some(*change),
                    _ => None,
                },
                _ => None,
            });
            let n = (0..changes.len()).find(|n| Some(sha(&format!("change {n}"))) == said);
            n.map_or_else(|| "another".to_owned(), |n| n.to_string())
        }
    }
}

fn with_keys(facts: Facts) -> Facts {
    Facts { keys: rooted(&[("abc", 2)]).keys, ..facts }
}

#[test]
fn each_of_several_changes_of_one_title_can_be_named() {
    let digest =
        |n: usize, digits: usize| format!("which = \"{}\"\n", &sha(&format!("change {n}")).hex()[..digits]);
    for (changes, which, expected) in [
        ("ooo", String::new(), "WITHDRAW-WHICH"),
        ("ooo", "which = \"first\"\n".to_owned(), "0"),
        ("ooo", "which = \"last\"\n".to_owned(), "2"),
        ("ooo", digest(1, 16), "1"),
        ("ooo", digest(1, 64), "RUNBOOK-DIGEST"),
        ("ooo", digest(0, 16), "0"),
        ("ooo", digest(1, 15), "RUNBOOK"),
        ("ooo", "which = \"middle\"\n".to_owned(), "RUNBOOK"),
        ("ooo", digest(1, 16).to_uppercase().replace("WHICH", "which"), "RUNBOOK"),
        ("oxo", digest(1, 16), "WITHDRAW-NOTHING"),
        ("oo", digest(5, 16), "WITHDRAW-NOTHING"),
        ("o", digest(0, 16), "0"),
    ] {
        assert_eq!(chosen(changes, &which), expected, "{changes} {which}");
    }
}
