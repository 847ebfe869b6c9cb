//! The planner's answer as runbooks, ready to be rehearsed and held.
//!
//! No day stands in a runbook, not even in a comment: the first lines of each say whom it waits for
//! and who signs, and the planner's words say from when.

use super::{PlannedRoot, Question, Standing};
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::time::Term;
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

impl Cast {
    /// What every runbook begins with: its kind, its title, and who takes part; `custodians` beside those
    /// of the cast.
    pub fn head<'a>(
        &self,
        ceremony: &str,
        title: &str,
        custodians: impl IntoIterator<Item = &'a Person>,
    ) -> String {
        let title = toml::Value::String(title.to_owned());
        let mut text = format!(
            "ceremony = \"{ceremony}\"\ntitle = {title}\n\n[people]\n{} = \"administrator\"\n",
            self.administrator
        );
        let custodians: BTreeSet<&Person> = custodians.into_iter().collect();
        for person in custodians.iter().filter(|person| ***person != self.administrator) {
            let _ = writeln!(text, "{person} = \"custodian\"");
        }
        for person in self.witnesses.iter().filter(|w| **w != self.administrator && !custodians.contains(w)) {
            let _ = writeln!(text, "{person} = \"witness\"");
        }
        text
    }
}

/// A `rotate-root` runbook for each root, in order: file name and text.
///
/// Each begins with comments: when it can be held (`once dora has root-d at hand`), and who signs.
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
    let title = if of == 1 { "Rotate root".to_owned() } else { format!("Rotate root, {number} of {of}") };
    let mut text = when(question, root, number == 1);
    text.push_str(&who(question, std::slice::from_ref(root)));
    text.push_str(&cast.head("rotate-root", &title, holders(question, std::slice::from_ref(root))));
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
            let _ = writeln!(text, "{member:<11} = {}", list(&names));
        }
    }
    if root.root.threshold != threshold {
        let _ = writeln!(text, "threshold   = {}", root.root.threshold);
    }
    let _ = writeln!(text, "valid-for   = \"{}\"", question.bounds.valid_for);
    text
}

/// What a `recover` runbook names.
pub(super) struct Recover<'a> {
    /// Keys of root and targets that nobody has.
    pub lost: BTreeSet<&'a KeyName>,
    /// Those that someone else may have.
    pub compromised: BTreeSet<&'a KeyName>,
    /// Those that come in.
    pub come: BTreeSet<&'a KeyName>,
    /// Who signs targets.
    pub holders: BTreeSet<&'a Person>,
    /// How long targets is valid, if it is signed again.
    pub targets_valid_for: Option<Term>,
}

/// The runbook that makes these roots: held once for each, it makes the next one every time.
pub(super) fn recover(question: &Question, roots: &[PlannedRoot], cast: &Cast, of: &Recover<'_>) -> String {
    let mut text = match roots {
        [one] => when(question, one, one.day <= question.today),
        _ => format!(
            "# Can be held today, {} times: each makes one root, until nothing is due.\n",
            roots.len()
        ),
    };
    text.push_str(&who(question, roots));
    if of.targets_valid_for.is_some() {
        text.push_str(
            "# Targets is signed again: read what it grants before, a thief's grants stand there too.\n",
        );
    }
    let mut people = holders(question, roots);
    people.extend(&of.holders);
    text.push_str(&cast.head("recover", "Go on without what was lost or stolen", people));
    text.push_str("\n[recover]\n");
    let lists = [("lost", &of.lost), ("compromised", &of.compromised), ("replace-with", &of.come)];
    for (member, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        let _ = writeln!(text, "{member:<12} = {}", list(names));
    }
    text.push_str("\n[root]\n");
    if let Some(last) = roots.last().filter(|last| last.root.threshold != question.now.threshold) {
        let _ = writeln!(text, "threshold = {}", last.root.threshold);
    }
    let _ = writeln!(text, "valid-for = \"{}\"", question.bounds.valid_for);
    if let Some(term) = of.targets_valid_for {
        let _ = write!(text, "\n[targets]\nvalid-for = \"{term}\"\n");
    }
    text
}

/// The runbook that gives a root key of profile `notary` a new certificate.
pub(super) fn certify(key: &KeyName, holder: &Person, cast: &Cast) -> String {
    let comment = "# The next root lists this key, and its certificate has to outlive that root.\n";
    let title = format!("New certificate for {key}");
    let head = cast.head("certify-key", &title, [holder]);
    format!("{comment}{head}\n[certificate]\nkey = \"{key}\"\n")
}

/// When a root can be made, as a comment.
fn when(question: &Question, root: &PlannedRoot, first: bool) -> String {
    let late = |name: &&KeyName| {
        let standing = question.keys.get(*name).map(|key| key.standing);
        matches!(standing, Some(Standing::From(day)) if day <= root.day && day > question.today)
    };
    let awaited: BTreeSet<&KeyName> = root.old.able.union(&root.new.able).filter(late).collect();
    match (awaited.is_empty(), first) {
        (true, true) => "# Can be held today.\n".to_owned(),
        (true, false) => "# Can be held as soon as the one before is sealed.\n".to_owned(),
        (false, _) => format!("# Can be held once these are at hand: {}.\n", held(question, awaited)),
    }
}

/// Who signs, as comments: those who are enough, and those who may instead.
fn who(question: &Question, roots: &[PlannedRoot]) -> String {
    let mut text = String::new();
    for root in roots {
        let fewest = root.fewest();
        let able: BTreeSet<&KeyName> =
            root.old.able.union(&root.new.able).filter(|name| !fewest.contains(*name)).collect();
        let _ = write!(text, "# Root {}: {}, are enough", root.version, held(question, fewest.iter()));
        let end = if able.is_empty() {
            ".\n".to_owned()
        } else {
            format!("; {} may sign as well.\n", held(question, able))
        };
        text.push_str(&end);
    }
    text
}

fn holders<'a>(question: &'a Question, roots: &[PlannedRoot]) -> BTreeSet<&'a Person> {
    let signers = roots.iter().flat_map(|root| root.old.able.union(&root.new.able));
    signers.filter_map(|name| question.keys.get(name)).map(|key| &key.holder).collect()
}

fn held<'a>(question: &Question, names: impl IntoIterator<Item = &'a KeyName>) -> String {
    let one = |name: &KeyName| match question.keys.get(name) {
        Some(key) => format!("{name} of {}", key.holder),
        None => name.to_string(),
    };
    names.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `["root-a", "root-b"]`; names need no escaping.
fn list(names: &BTreeSet<&KeyName>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
