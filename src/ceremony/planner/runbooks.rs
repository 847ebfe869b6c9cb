//! The planner's answer as runbooks, ready to be rehearsed and held.
//!
//! No day stands in a runbook, not even in a comment: the first lines of each say whom it waits for
//! and who signs, and the planner's words say from when.

use super::{PlannedRoot, Question, Standing};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::unmade::LeaveOut;
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
    let title = numbered("Rotate root", (number, of));
    let mut text = when(question, root, number == 1, &[]);
    text.push_str(&who(question, root));
    text.push_str(&cast.head("rotate-root", &title, holders(question, root)));
    text.push_str("\n[root]\n");
    let left = |fits: fn(Standing) -> bool| -> BTreeSet<&KeyName> {
        let is = |name: &&KeyName| question.keys.get(*name).is_some_and(|key| fits(key.standing));
        root.leave.iter().filter(is).collect()
    };
    let gone = |name: &&KeyName| question.keys.get(*name).is_some_and(|key| key.standing.is_gone());
    let lists = [
        ("add", root.enter.iter().collect()),
        ("remove", left(|standing| !standing.is_gone())),
        ("lost", left(|standing| standing == Standing::Lost)),
        ("compromised", left(Standing::is_exposed)),
        ("not-asked", root.root.keys.iter().filter(gone).collect()),
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
    /// Those of root that are gone and leave by a later runbook.
    pub not_asked: BTreeSet<&'a KeyName>,
    /// Who signs.
    pub people: BTreeSet<&'a Person>,
    /// Root's threshold, where it changes.
    pub threshold: Option<u32>,
    /// How long targets is valid, if it is signed again.
    pub targets_valid_for: Option<Term>,
    /// What is left out of it.
    pub leave_out: &'a LeaveOut,
    /// Who signs targets, beside root's holders, where that is waited for.
    pub awaited: Vec<String>,
}

/// The runbook that makes this root, the `number`th `of` so many.
pub(super) fn recover(
    question: &Question,
    root: &PlannedRoot,
    (number, of): (usize, usize),
    cast: &Cast,
    what: &Recover<'_>,
) -> String {
    let mut text = when(question, root, number == 1, &what.awaited);
    text.push_str(&who(question, root));
    if what.targets_valid_for.is_some() && what.leave_out.as_in.is_none() {
        text.push_str(
            "# Targets is signed again: read what it grants before, a thief's grants stand there too.\n",
        );
    }
    let title = numbered("Go on without what was lost or stolen", (number, of));
    text.push_str(&cast.head("recover", &title, what.people.iter().copied()));
    text.push_str("\n[recover]\n");
    let lists = [
        ("lost", &what.lost),
        ("compromised", &what.compromised),
        ("replace-with", &what.come),
        ("not-asked", &what.not_asked),
    ];
    for (member, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        let _ = writeln!(text, "{member:<12} = {}", list(names));
    }
    text.push_str("\n[root]\n");
    if let Some(threshold) = what.threshold {
        let _ = writeln!(text, "threshold = {threshold}");
    }
    let _ = writeln!(text, "valid-for = \"{}\"", question.bounds.valid_for);
    if let Some(term) = what.targets_valid_for {
        let _ = write!(text, "\n[targets]\nvalid-for = \"{term}\"\n{}", what.leave_out.toml());
    }
    text
}

fn numbered(title: &str, (number, of): (usize, usize)) -> String {
    if of == 1 { title.to_owned() } else { format!("{title}, {number} of {of}") }
}

/// The runbook that gives a root key of profile `notary` a new certificate.
pub(super) fn certify(key: &KeyName, holder: &Person, cast: &Cast) -> String {
    let comment = "# The next root lists this key, and its certificate has to outlive that root.\n";
    let title = format!("New certificate for {key}");
    let head = cast.head("certify-key", &title, [holder]);
    format!("{comment}{head}\n[certificate]\nkey = \"{key}\"\n")
}

/// When a root can be made, as a comment; `others` are waited for beside root's own signers.
fn when(question: &Question, root: &PlannedRoot, first: bool, others: &[String]) -> String {
    let late = |name: &&KeyName| {
        let standing = question.keys.get(*name).map(|key| key.standing);
        matches!(standing, Some(Standing::From(day)) if day <= root.day && day > question.today)
    };
    let late: BTreeSet<&KeyName> = root.old.able.union(&root.new.able).filter(late).collect();
    let awaited: Vec<String> =
        late.into_iter().map(|name| held(question, [name])).chain(others.iter().cloned()).collect();
    match (awaited.is_empty(), first) {
        (true, true) => "# Can be held today.\n".to_owned(),
        (true, false) => "# Can be held as soon as the one before is sealed.\n".to_owned(),
        (false, _) => format!("# Can be held once these are at hand: {}.\n", awaited.join(", ")),
    }
}

/// Who signs, as a comment: those who are enough, and those who may instead.
fn who(question: &Question, root: &PlannedRoot) -> String {
    let fewest = root.fewest();
    let able: BTreeSet<&KeyName> =
        root.old.able.union(&root.new.able).filter(|name| !fewest.contains(*name)).collect();
    let enough = format!("# Root {}: {}, are enough", root.version, held(question, fewest.iter()));
    if able.is_empty() {
        format!("{enough}.\n")
    } else {
        format!("{enough}; {} may sign as well.\n", held(question, able))
    }
}

/// Who holds the keys that can sign a root.
pub(super) fn holders<'a>(question: &'a Question, root: &'a PlannedRoot) -> BTreeSet<&'a Person> {
    let signers = root.old.able.union(&root.new.able);
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
