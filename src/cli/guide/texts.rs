//! The runbooks that a guide writes, but for those of the planner.

use crate::ceremony::people::{KeyName, Person};
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

/// Who takes part in every runbook of a guide.
pub struct People {
    /// Who leads.
    pub administrator: Person,
    /// Who watches.
    pub witnesses: BTreeSet<Person>,
}

impl People {
    /// The part that every runbook has.
    pub fn head<'a>(
        &self,
        comment: &str,
        ceremony: &str,
        title: &str,
        custodians: impl IntoIterator<Item = &'a Person>,
    ) -> String {
        let mut text = format!(
            "# {comment}\nceremony = \"{ceremony}\"\ntitle = \"{title}\"\n\n[people]\n{} = \"administrator\"\n",
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

    /// Keys that are made, one on each holder's token.
    pub fn new_root_keys(&self, keys: &[(KeyName, Person)]) -> String {
        let holders = keys.iter().map(|(_, holder)| holder);
        let comment = "Each custodian makes one root key, on their own token.";
        let mut text = self.head(comment, "generate-key", "New root keys", holders);
        for (name, holder) in keys {
            let _ = write!(
                text,
                "\n[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"root\"\nalgorithm = \"p256\"\n"
            );
        }
        text
    }

    /// The next targets key.
    pub fn new_targets_key(&self, name: &KeyName, holder: &Person) -> String {
        let comment = "The update-service administrator's next key, on a token of its own.";
        let mut text = self.head(comment, "issue-targets-key", "New targets key", [holder]);
        let _ =
            write!(text, "\n[targets-key]\nname = \"{name}\"\nholder = \"{holder}\"\nalgorithm = \"p256\"\n");
        text
    }
}

/// `["root-a", "root-b"]`; names need no escaping.
pub fn list<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
