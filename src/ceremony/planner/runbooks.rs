//! The planner's answer as runbooks, ready to be rehearsed and held.

use super::{PlannedRoot, Question, Standing};
use crate::ceremony::people::{KeyName, Person};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Who takes part beside the holders of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// Who leads.
    pub administrator: Person,
    /// Who watches; nobody of them holds a key that signs.
    pub witnesses: BTreeSet<Person>,
}

/// A `rotate-root` runbook for each root, in order: file name and text.
///
/// No day stands in a runbook; the first line, which is a comment, says the earliest one in words
/// of the plan (`the first`, `once root-d is at hand`).
pub fn runbooks(question: &Question, roots: &[PlannedRoot], cast: &Cast) -> Vec<(String, String)> {
    let mut threshold = question.now.threshold;
    let mut all = Vec::new();
    for (number, root) in (1_usize..).zip(roots) {
        let text = runbook(question, root, cast, threshold, (number, roots.len()));
        all.push((format!("{number:02}-rotate-root.toml"), text));
        threshold = root.root.threshold;
    }
    all
}

fn runbook(
    question: &Question,
    root: &PlannedRoot,
    cast: &Cast,
    threshold: u32,
    (number, of): (usize, usize),
) -> String {
    let late = |name: &&KeyName| {
        let standing = question.keys.get(*name).map(|key| key.standing);
        matches!(standing, Some(Standing::From(day)) if day <= root.day && day > question.today)
    };
    let awaited: BTreeSet<&KeyName> = root.old.able.union(&root.new.able).filter(late).collect();
    let mut text = match (number, awaited.is_empty()) {
        (1, true) => "# Can be held today.\n".to_owned(),
        (_, true) => "# Can be held as soon as the one before is sealed.\n".to_owned(),
        (_, false) => format!("# Can be held once these are at hand: {}.\n", plain(&awaited)),
    };
    let title = if of == 1 { "Rotate root".to_owned() } else { format!("Rotate root, {number} of {of}") };
    let _ = write!(
        text,
        "ceremony = \"rotate-root\"\ntitle = \"{title}\"\n\n[people]\n{} = \"administrator\"\n",
        cast.administrator
    );
    let signers = root.old.able.union(&root.new.able);
    let holders: BTreeSet<&Person> =
        signers.filter_map(|name| question.keys.get(name)).map(|key| &key.holder).collect();
    for holder in holders.iter().filter(|holder| ***holder != cast.administrator) {
        let _ = writeln!(text, "{holder} = \"custodian\"");
    }
    for witness in cast.witnesses.iter().filter(|w| **w != cast.administrator && !holders.contains(w)) {
        let _ = writeln!(text, "{witness} = \"witness\"");
    }
    text.push_str("\n[root]\n");
    let left = |fits: fn(Standing) -> bool| -> BTreeSet<&KeyName> {
        let is = |name: &&KeyName| question.keys.get(*name).is_some_and(|key| fits(key.standing));
        root.leave.iter().filter(is).collect()
    };
    let lists = [
        ("add", root.enter.iter().collect()),
        ("remove", left(|standing| !standing.is_gone())),
        ("lost", left(|standing| standing == Standing::Lost)),
        ("compromised", left(Standing::is_exposed)),
    ];
    for (member, names) in lists {
        if !names.is_empty() {
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            let _ = writeln!(text, "{member:<11} = [{}]", quoted.join(", "));
        }
    }
    if root.root.threshold != threshold {
        let _ = writeln!(text, "threshold   = {}", root.root.threshold);
    }
    let _ = writeln!(text, "valid-for   = \"{}\"", question.bounds.valid_for);
    text
}

fn plain(names: &BTreeSet<&KeyName>) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
