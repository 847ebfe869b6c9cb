//! The runbooks that a guide writes, but for those of the planner.

use super::record::{Known, plain};
use crate::ceremony::change::Purpose;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::planner::Cast;
use crate::tuf::key::KeySpec;
use crate::tuf::time::{Term, Unit};
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

/// How long a new root is valid, unless a limit is shorter or someone edits the runbook.
pub const ROOT_TERM: Term = Term::new(2, Unit::Years);
/// The same for targets and delegations.
pub const TERM: Term = Term::new(1, Unit::Years);

/// What a guide ends in.
pub enum Ending {
    /// Runbooks to be written.
    Runbooks(Draft),
    /// A folder that is there already.
    Folder(String),
    /// Nothing to sign: what to do stands in words.
    Words { title: String, lines: Vec<String>, next: Vec<String> },
}

/// Runbooks that come about one after the other.
pub struct Draft {
    /// The folder's name.
    pub folder: String,
    /// What is going to happen, in words.
    pub words: Vec<String>,
    /// File names and texts, in the order in which they are held.
    pub runbooks: Vec<(String, String)>,
    /// What has to be at hand first.
    pub first: Vec<First>,
    /// Who takes part in every one of them.
    cast: Cast,
}

/// A key that has to be ready before a runbook takes it.
pub enum First {
    /// It is made in the ceremony, on a token or in a file.
    Made { key: KeyName, holder: Person },
    /// Its public half comes as a file.
    Comes { key: KeyName, holder: Person, purpose: Purpose },
}

impl Draft {
    /// Nothing yet.
    pub fn new(folder: impl Into<String>, cast: Cast) -> Self {
        Self { folder: folder.into(), words: Vec::new(), runbooks: Vec::new(), first: Vec::new(), cast }
    }

    /// With a sentence more of what is going to happen.
    pub fn say(&mut self, words: impl Into<String>) {
        self.words.push(words.into());
    }

    /// With what gives documents that grant another end, where they can't keep the one that they have.
    pub fn another_end(&mut self, tables: &mut String, end: Option<(String, String)>) {
        if let Some((table, words)) = end {
            tables.push_str(&table);
            self.say(words);
        }
    }

    /// With which terms limits have cut.
    pub fn say_terms(&mut self, known: Known<'_>) {
        let short: BTreeSet<String> =
            self.runbooks.iter().flat_map(|(_, text)| known.shortened(text)).collect();
        self.words.extend(short);
    }

    /// With what targets keys alone have said of developers' keys, for root to say where a runbook changes
    /// the targets keys.
    pub fn repeat_declared(&mut self, known: Known<'_>) {
        let Some((table, words)) = known.declared() else { return };
        let kinds =
            ["issue-targets-key", "recover", "revoke-delegation"].map(|k| format!("ceremony = \"{k}\""));
        let changes = |text: &String| {
            let has = |wanted: &str| text.lines().any(|line| line == wanted);
            has("[targets]") && kinds.iter().any(|kind| has(kind))
        };
        let mut repeated = false;
        for (_, text) in self.runbooks.iter_mut().filter(|(_, text)| changes(text)) {
            text.push_str(&table);
            repeated = true;
        }
        self.words.extend(words.into_iter().filter(|_| repeated));
    }

    /// With a runbook more: what it is called, its first line, kind, title, custodians and tables.
    pub fn add<'a>(
        &mut self,
        name: &str,
        (comment, kind, title): (&str, &str, &str),
        custodians: impl IntoIterator<Item = &'a Person>,
        tables: &str,
    ) {
        let text = format!("# {comment}\n{}\n{tables}", self.cast.head(kind, title, custodians));
        self.add_text(name, text);
    }

    /// With a runbook more that stands already.
    pub fn add_text(&mut self, name: &str, text: String) {
        let number = self.runbooks.len().saturating_add(1);
        self.runbooks.push((format!("{number:02}-{name}.toml"), text));
    }

    /// Keys that are made, one on each holder's token.
    pub fn make_root_keys(&mut self, keys: &[(KeyName, Person)], algorithm: KeySpec) {
        if keys.is_empty() {
            return;
        }
        let mut tables = String::new();
        for (name, holder) in keys {
            let start = if tables.is_empty() { "" } else { "\n" };
            let _ = write!(
                tables,
                "{start}[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"root\"\nalgorithm = \"{algorithm}\"\n"
            );
        }
        let comment = "Each custodian makes one root key, on their own token.";
        let title = format!("New root keys: {}", plain(keys.iter().map(|(name, _)| name)));
        self.add(
            "root-keys",
            (comment, "generate-key", &title),
            keys.iter().map(|(_, holder)| holder),
            &tables,
        );
        self.made(keys);
    }

    /// The next targets key.
    pub fn make_targets_key(&mut self, key: &KeyName, holder: &Person, algorithm: KeySpec) {
        let tables =
            format!("[targets-key]\nname = \"{key}\"\nholder = \"{holder}\"\nalgorithm = \"{algorithm}\"\n");
        let comment = "The update-service administrator's next key, on a token of its own.";
        let title = format!("New targets key: {key}");
        self.add("targets-key", (comment, "issue-targets-key", &title), [holder], &tables);
        self.made(&[(key.clone(), holder.clone())]);
    }

    /// That these keys are made by a runbook which stands already.
    pub fn made_here(&mut self, keys: &[KeyName], holder: &Person) {
        let keys: Vec<_> = keys.iter().map(|key| (key.clone(), holder.clone())).collect();
        self.made(&keys);
    }

    fn made(&mut self, keys: &[(KeyName, Person)]) {
        let one =
            |(key, holder): &(KeyName, Person)| First::Made { key: key.clone(), holder: holder.clone() };
        self.first.extend(keys.iter().map(one));
    }

    /// That a key comes from elsewhere by its file, which a runbook that stands already takes.
    pub fn comes(&mut self, key: KeyName, holder: Person, purpose: Purpose) {
        self.first.push(First::Comes { key, holder, purpose });
    }

    /// Keys that come from elsewhere, by their files; `custodians` are asked for nothing, and see it.
    pub fn enroll<'a>(
        &mut self,
        keys: &[(KeyName, Person, Purpose)],
        custodians: impl IntoIterator<Item = &'a Person>,
    ) {
        if keys.is_empty() {
            return;
        }
        let mut tables = String::new();
        for (key, holder, purpose) in keys {
            let start = if tables.is_empty() { "" } else { "\n" };
            let purpose = purpose.name();
            let _ = write!(
                tables,
                "{start}[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n"
            );
        }
        let comment = "Public keys that were made elsewhere; their digests are read back aloud.";
        let title = format!("Keys that come in: {}", plain(keys.iter().map(|(name, ..)| name)));
        self.add("enroll", (comment, "enroll-key", &title), custodians, &tables);
        for (key, holder, purpose) in keys {
            self.comes(key.clone(), holder.clone(), *purpose);
        }
    }
}

/// `["root-a", "root-b"]`; names need no escaping.
pub fn list<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text as TOML has it.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
