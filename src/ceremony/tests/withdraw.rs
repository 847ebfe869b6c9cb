//! Which change a withdrawal means, and whether it has been taken back already.

use super::world::{nothing, sha, time};
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
    ];
    for (changes, which, held) in table {
        let which = if which.is_empty() { String::new() } else { format!("which = \"{which}\"\n") };
        let runbook = format!(
            "ceremony = \"withdraw\"\ntitle = \"t\"\n[people]\nalice = \"administrator\"\n\
             [withdraw]\nchange = \"Limits\"\n{which}reason = \"ours\"\n"
        );
        let ceremony = kinds::read(&Runbook::parse(&runbook).unwrap()).unwrap();
        assert_eq!(ceremony.held(&world(changes)), held, "{changes} {which}");
    }
}
