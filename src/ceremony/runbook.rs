//! Runbooks: what happens, and nothing of when, where or by which bytes.
//!
//! The very same file is rehearsed today, held tomorrow and held again next year. So no date, no
//! digest, no path and no secret stands in it; each is refused by its own rule.

use super::people::{Duty, Person, one_administrator};
use super::strict::Word;
use super::{rules, runbook_scan, strict};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::ours;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeTable;

/// How refusals call the file.
const WHAT: &str = "the runbook";

/// The longest line that people are shown whole, in characters.
const LINE: usize = 200;

/// The members that every runbook has; all others belong to its kind.
const COMMON: [&str; 5] = ["ceremony", "title", "people", "before", "after"];

/// A runbook, its common part read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// The kind's word: `create-root`.
    pub kind: String,
    /// One line, for every screen and the printed script.
    pub title: String,
    /// Who takes part; exactly one administrator.
    pub people: BTreeMap<Person, Duty>,
    /// The site's own questions before the ceremony's steps.
    pub before: Vec<Note>,
    /// The site's own questions after them.
    pub after: Vec<Note>,
    text: String,
}

/// A question of the site's own: a camera, a bag's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// As it is asked.
    pub question: String,
    /// Whether the answer stays out of the transcript (salted digest there, value in the sidecar).
    pub private: bool,
}

impl Runbook {
    /// Reads a runbook's common part; [`Self::spec`] reads the rest.
    ///
    /// # Errors
    ///
    /// `RUNBOOK` with line and column; `RUNBOOK-DATE`, `RUNBOOK-DIGEST`, `RUNBOOK-PLACE` or
    /// `RUNBOOK-SECRET` for what must not stand in one; `PEOPLE` unless one administrator leads.
    pub fn parse(text: &str) -> Result<Self> {
        let table = strict::tables(text, &rules::RUNBOOK, WHAT)?;
        runbook_scan::scan(text, table.get_ref())?;
        let common: Common = strict::read_some(text, |name| COMMON.contains(&name), &rules::RUNBOOK, WHAT)?;
        let people = people(text, &table, common.people)?;
        one_administrator(&people)?;
        let notes = |tables: Vec<NoteTable>| {
            let note = |t: NoteTable| {
                line("a question", &t.question).map(|()| Note { question: t.question, private: t.private })
            };
            tables.into_iter().map(note).collect::<Result<Vec<_>>>()
        };
        line("the title", &common.title)?;
        line("the ceremony", &common.ceremony)?;
        Ok(Self {
            kind: common.ceremony,
            title: common.title,
            people,
            before: notes(common.before)?,
            after: notes(common.after)?,
            text: text.to_owned(),
        })
    }

    /// Reads the kind's own tables. `T` derives `Deserialize` with `deny_unknown_fields`; names,
    /// terms and key specs are [`strict::Word`]s.
    ///
    /// # Errors
    ///
    /// `RUNBOOK` with line and column of the file.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T> {
        strict::read_some(&self.text, |name| !COMMON.contains(&name), &rules::RUNBOOK, WHAT)
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the exact text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Who leads.
    pub fn administrator(&self) -> Option<&Person> {
        self.people.iter().find(|(_, duty)| **duty == Duty::Administrator).map(|(person, _)| person)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    ceremony: String,
    title: String,
    people: BTreeMap<String, Word<Duty>>,
    #[serde(default)]
    before: Vec<NoteTable>,
    #[serde(default)]
    after: Vec<NoteTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteTable {
    question: String,
    #[serde(default)]
    private: bool,
}

/// The names of `[people]` are member names, so their place is looked up for the refusal.
fn people(
    text: &str,
    table: &Spanned<DeTable<'_>>,
    from: BTreeMap<String, Word<Duty>>,
) -> Result<BTreeMap<Person, Duty>> {
    let place = |name: &str| {
        let table = table.get_ref().get("people").and_then(|people| people.get_ref().as_table());
        let found = table.and_then(|t| t.keys().find(|key| key.get_ref() == name));
        found.map_or_else(String::new, |key| strict::place(text, &key.span()))
    };
    let read = |(name, duty): (String, Word<Duty>)| {
        let person = name.parse().map_err(|e: Refusal| e.at(format!("{WHAT}{}", place(&name))))?;
        Ok((person, duty.0))
    };
    from.into_iter().map(read).collect()
}

fn line(what: &str, text: &str) -> Result<()> {
    ours(what, text)?;
    let length = text.chars().count();
    if text.trim().is_empty() || length > LINE {
        let found = format!("{what} of {length} characters");
        return Err(Refusal::new(&rules::RUNBOOK, found, format!("1 to {LINE} characters, not all blank")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use crate::tuf::time::Term;

    const HEAD: &str = "ceremony = \"rotate-root\"\ntitle = \"Replace root key C\"\n";
    const PEOPLE: &str = "[people]\nalice = \"administrator\"\nbob = \"witness\"\ncarol = \"custodian\"\n";
    const ROOT: &str = "[root]\nremove = [\"root-c\"]\nvalid-for = \"2 years\"\n";

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        root: Root,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Root {
        remove: Vec<Word<crate::ceremony::people::KeyName>>,
        valid_for: Word<Term>,
    }

    #[test]
    fn a_runbook_is_read_in_two_parts() {
        let text = format!(
            "{HEAD}{PEOPLE}[[before]]\nquestion = \"Camera number\"\n[[after]]\nquestion = \"Bag\"\nprivate = true\n{ROOT}"
        );
        let runbook = Runbook::parse(&text).unwrap();
        assert_eq!((runbook.kind.as_str(), runbook.title.as_str()), ("rotate-root", "Replace root key C"));
        assert_eq!(runbook.administrator().unwrap().as_str(), "alice");
        assert_eq!(runbook.people.len(), 3);
        assert_eq!(runbook.before, [Note { question: "Camera number".to_owned(), private: false }]);
        assert_eq!(runbook.after, [Note { question: "Bag".to_owned(), private: true }]);
        let spec: Spec = runbook.spec().unwrap();
        assert_eq!(spec.root.remove[0].as_str(), "root-c");
        assert_eq!(spec.root.valid_for.to_string(), "2 years");
        assert_eq!(runbook.digest(), Digest::of(text.as_bytes()));
        assert_eq!(runbook.text(), text);
    }

    #[test]
    fn the_kinds_own_tables_are_refused_where_they_stand() {
        // what is written after the people, who take lines 3 to 6; what is found.
        let table = [
            ("[root]\nremove = []\nvalid-for = \"2 years\"\nthreshhold = 2", "line 10, column 1"),
            ("[root]\nremove = []\nvalid-for = \"forever\"", "line 9, column 13"),
            ("[root]\nremove = [\"a\", \"B\"]\nvalid-for = \"2 years\"", "line 8, column 16"),
            ("[root]\nremove = []", "missing field `valid-for`"),
            ("[rooot]\n", "line 7, column 2"),
            ("", "missing field `root`"),
        ];
        for (text, found) in table {
            let runbook = Runbook::parse(&format!("{HEAD}{PEOPLE}{text}")).unwrap();
            let refusal = runbook.spec::<Spec>().unwrap_err();
            assert_eq!(refusal.rule().name, "RUNBOOK", "{text}");
            assert!(refusal.found().contains(found), "{text}: {refusal}");
        }
    }

    #[test]
    fn the_common_part_is_refused_where_it_stands() {
        let table = [
            ("no TOML", "ceremony = rotate".to_owned(), "RUNBOOK", "line 1, column 12"),
            ("no title", format!("ceremony = \"x\"\n{PEOPLE}"), "RUNBOOK", "missing field `title`"),
            ("no people", HEAD.to_owned(), "RUNBOOK", "missing field `people`"),
            ("nobody", format!("{HEAD}[people]\n"), "PEOPLE", "0 administrators"),
            ("no administrator", format!("{HEAD}[people]\nbob = \"witness\""), "PEOPLE", "0 administrators"),
            (
                "two administrators",
                format!("{HEAD}{PEOPLE}dan = \"administrator\""),
                "PEOPLE",
                "2 administrators",
            ),
            ("one person twice", format!("{HEAD}{PEOPLE}bob = \"custodian\""), "RUNBOOK", "line 7, column 1"),
            ("no name", format!("{HEAD}{PEOPLE}Dan = \"custodian\""), "NAME", "line 7, column 1"),
            ("no duty", format!("{HEAD}{PEOPLE}dan = \"boss\""), "RUNBOOK", "line 7, column 7"),
            (
                "unknown member of a note",
                format!("{HEAD}{PEOPLE}[[after]]\nquestion = \"a\"\nsecrt = true"),
                "RUNBOOK",
                "line 9, column 1",
            ),
            (
                "blank title",
                format!("ceremony = \"x\"\ntitle = \" \"\n{PEOPLE}"),
                "RUNBOOK",
                "the title of 1 characters",
            ),
            (
                "endless title",
                format!("ceremony = \"x\"\ntitle = \"{}\"\n{PEOPLE}", "x".repeat(201)),
                "RUNBOOK",
                "201",
            ),
            (
                "escape in the title",
                format!("ceremony = \"x\"\ntitle = \"a\\u001b[2Jb\"\n{PEOPLE}"),
                "TEXT",
                "\\u{1b}",
            ),
            (
                "escape in a question",
                format!("{HEAD}{PEOPLE}[[before]]\nquestion = \"a\\u202eb\""),
                "TEXT",
                "\\u{202e}",
            ),
        ];
        for (what, text, rule, found) in table {
            let refusal = Runbook::parse(&text).unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{what}: {refusal}");
            assert!(refusal.found().contains(found), "{what}: {refusal}");
        }
    }

    #[test]
    fn what_changes_from_year_to_year_is_refused() {
        let digest = Digest::of(b"x").hex();
        let table = [
            ("x = \"until 2027-01-31\"".to_owned(), "RUNBOOK-DATE", "line 7, column 12"),
            ("x = 2027-01-31".to_owned(), "RUNBOOK-DATE", "line 7, column 5"),
            ("x = 2027-01-31T00:00:00Z".to_owned(), "RUNBOOK-DATE", "line 7, column 5"),
            ("x = 09:30:00".to_owned(), "RUNBOOK-DATE", "line 7, column 5"),
            ("# held on 2026-11-22".to_owned(), "RUNBOOK-DATE", "line 7, column 11"),
            ("x = [[\"2027\\u002d01-31\"]]".to_owned(), "RUNBOOK-DATE", "line 7, column 7"),
            (format!("x = {{ y = \"{digest}\" }}"), "RUNBOOK-DIGEST", "line 7, column 12"),
            (format!("# {}", &digest[..32]), "RUNBOOK-DIGEST", "line 7, column 3"),
            (
                format!("x = \"{}\\u0061{}\"", &digest[..20], &digest[..20]),
                "RUNBOOK-DIGEST",
                "line 7, column 5",
            ),
            ("x = \"/home/alice/key\"".to_owned(), "RUNBOOK-PLACE", "line 7, column 5"),
            ("x = \"~/key\"".to_owned(), "RUNBOOK-PLACE", "line 7, column 5"),
            ("x = 'C:\\keys'".to_owned(), "RUNBOOK-PLACE", "line 7, column 5"),
            ("x = 'keys\\a'".to_owned(), "RUNBOOK-PLACE", "line 7, column 5"),
            ("x = [\"pkcs11:token=a;object=b\"]".to_owned(), "RUNBOOK-PLACE", "line 7, column 6"),
            ("x = { pin = \"1234\" }".to_owned(), "RUNBOOK-SECRET", "line 7, column 7"),
            ("[token.so-pin]\nfile = \"a\"".to_owned(), "RUNBOOK-SECRET", "line 7, column 8"),
            ("x = \"-----BEGIN PRIVATE KEY-----\"".to_owned(), "RUNBOOK-SECRET", "line 7, column 6"),
        ];
        for (text, rule, place) in table {
            let refusal = Runbook::parse(&format!("{HEAD}{PEOPLE}{text}")).unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{text}: {refusal}");
            assert!(refusal.found().contains(place), "{text}: {refusal}");
        }
        // What only looks like it.
        let fine = [
            "x = \"2 years\"",
            "x = \"120260-11-22\"",
            "x = \"2026-11-223\"",
            "x = \"camera-station/\"",
            "paths = [\"/releases/\"]",
            "x = \"deadbeefdeadbeef\"",
            "[pinned]\nx = 1",
        ];
        for text in fine {
            Runbook::parse(&format!("{HEAD}{PEOPLE}[t]\n{text}")).unwrap();
        }
    }
}
