//! Answers files: what a script answers to every prompt, known in advance.
//!
//! No wildcard and no default: a change is agreed to by its full digest, a question by its text.
//! A PIN never stands in one; the device map names a file for it.
//!
//! What is held alone has its answers in `[answers]`. In a session of several, steps have the same
//! names, so each has a table of its own: a runbook that of its file's name, `[01-root-keys]`, a
//! change that of its digest; `[answers]` then has what the session itself asks.

use super::step::{Expect, Prompt, StepId};
use super::{rules, strict};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::{ours, visible};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// How refusals call the file.
const WHAT: &str = "the answers";

/// The table of what is held alone, or of what a session of several asks itself.
pub const ALONE: &str = "answers";

/// Answers by step, in tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    tables: BTreeMap<String, BTreeMap<StepId, String>>,
    /// The table that is answered from.
    table: String,
    /// Whether all that is held has one table.
    alone: bool,
    /// What the session itself asks.
    own: Vec<StepId>,
    used: BTreeSet<(String, StepId)>,
}

/// An answer that fits its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Agreed: the full digest stood in the file, or words or `Yes` were typed.
    Agreed,
    /// The digest was compared and is the same.
    Same,
    /// Text.
    Text(String),
    /// One of the words allowed, by its place among them.
    Choice(usize),
}

impl Answers {
    /// Reads tables, `[answers]` or those of a session's parts: a string for each step's name. A
    /// name with dots may be quoted or written as tables in tables: `"sign.root-a.1"` and
    /// `[answers.sign]` with `root-a.1` are one.
    ///
    /// # Errors
    ///
    /// `ANSWERS` with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let top = strict::tables(text, &rules::ANSWERS, WHAT)?;
        let mut tables = BTreeMap::new();
        for (name, value) in top.get_ref() {
            let DeValue::Table(answers) = value.get_ref() else {
                let place = strict::place(text, &name.span());
                let found = format!("{WHAT}{place}: \"{}\"", visible(name.get_ref()));
                return Err(Refusal::new(&rules::ANSWERS, found, "tables alone, as [answers]"));
            };
            let mut values = BTreeMap::new();
            flatten(text, "", answers, &mut values)?;
            tables.insert(name.get_ref().to_string(), values);
        }
        Ok(Self { tables, table: ALONE.to_owned(), alone: true, own: Vec::new(), used: BTreeSet::new() })
    }

    /// Refuses tables that are no part's, before the first is begun. A part that is alone may have
    /// its answers in `[answers]`, which otherwise has what the session itself asks.
    ///
    /// # Errors
    ///
    /// `ANSWERS` for two parts of one name, or two tables for one part; `ANSWER-UNUSED`.
    pub fn parts(&mut self, names: &[String], own: &[StepId]) -> Result<()> {
        let alone = names.len() == 1;
        self.alone = alone;
        self.own = own.to_vec();
        let tables = || names.iter().map(|n| format!("[{}]", visible(n))).collect::<Vec<_>>().join(", ");
        if let Some(twice) = names.iter().enumerate().find(|(at, n)| names.iter().take(*at).any(|o| o == *n))
        {
            let found = format!("{WHAT}: two parts of this session called \"{}\"", visible(twice.1));
            return Err(Refusal::new(&rules::ANSWERS, found, "names that differ"));
        }
        let none = |id: &&StepId| !alone && !own.contains(*id);
        if let Some(id) = self.tables.get(ALONE).and_then(|values| values.keys().find(none)) {
            let found = format!("an answer to \"{}\" in [answers]", visible(&id.0));
            return Err(Refusal::new(
                &rules::ANSWER_UNUSED,
                found,
                format!("a table for each: {}", tables()),
            ));
        }
        let other = |table: &&String| *table != ALONE && !names.contains(*table);
        if let Some(other) = self.tables.keys().find(other) {
            let expected = if alone { "[answers]".to_owned() } else { tables() };
            let found = format!("the table [{}], which is of nothing in this session", visible(other));
            return Err(Refusal::new(&rules::ANSWER_UNUSED, found, expected));
        }
        if alone && self.tables.len() > 1 {
            let found = format!("{WHAT}: both [answers] and {}", tables());
            return Err(Refusal::new(&rules::ANSWERS, found, "one of them"));
        }
        if let Some(name) = names.first().filter(|name| alone && self.tables.contains_key(*name)) {
            name.clone_into(&mut self.table);
        }
        Ok(())
    }

    /// Turns to the table of one part, in which these steps can ask. Answers whether it has one,
    /// or needs none of its own: then each question says what is missing.
    ///
    /// # Errors
    ///
    /// `ANSWER-UNUSED` for an answer that none of them asks for.
    pub fn turn_to(&mut self, name: &str, asks: &[StepId]) -> Result<bool> {
        let own = self.tables.contains_key(name) || !self.alone;
        if own { name } else { ALONE }.clone_into(&mut self.table);
        let Some(values) = self.tables.get(&self.table) else { return Ok(self.alone) };
        let own = |id: &StepId| self.alone && self.own.contains(id);
        match values.keys().find(|id| !asks.contains(id) && !own(id)) {
            None => Ok(true),
            Some(id) => Err(unused(id, "which nothing here asks for")),
        }
    }

    /// The text for one step, whatever it is; it counts as used.
    ///
    /// # Errors
    ///
    /// `ANSWER-MISSING` naming the step, also if the answer was left empty.
    pub fn value(&mut self, id: &StepId) -> Result<&str> {
        let table = if !self.alone && self.own.contains(id) { ALONE } else { self.table.as_str() }.to_owned();
        let values = self.tables.get(&table);
        match values.and_then(|values| values.get(id)).filter(|text| !text.is_empty()) {
            Some(text) => {
                self.used.insert((table, id.clone()));
                Ok(text)
            }
            None => Err(Refusal::new(
                &rules::ANSWER_MISSING,
                format!("no answer to \"{}\" in [{}]", visible(&id.0), visible(&table)),
                "one for every prompt",
            )),
        }
    }

    /// The answer to one prompt; it counts as used.
    ///
    /// # Errors
    ///
    /// `ANSWER-MISSING` naming the step, `ANSWER-WRONG` with what is allowed.
    pub fn take(&mut self, prompt: &Prompt) -> Result<Answer> {
        let text = self.value(&prompt.id)?;
        check(&prompt.expect, text).map_err(|e| e.at(format!("\"{}\"", visible(&prompt.id.0))))
    }

    /// Refuses answers that no prompt asked for, at the end of a session.
    ///
    /// # Errors
    ///
    /// `ANSWER-UNUSED` naming the first.
    pub fn all_used(&self) -> Result<()> {
        let all = self.tables.iter().flat_map(|(table, values)| values.keys().map(move |id| (table, id)));
        match { all }.find(|(table, id)| !self.used.contains(&((*table).clone(), (*id).clone()))) {
            None => Ok(()),
            Some((_, id)) => Err(unused(id, "which was not asked")),
        }
    }
}

fn unused(id: &StepId, why: &str) -> Refusal {
    Refusal::new(
        &rules::ANSWER_UNUSED,
        format!("an answer to \"{}\", {why}", visible(&id.0)),
        "answers to what is asked, and no others",
    )
}

fn flatten(
    text: &str,
    before: &str,
    table: &DeTable<'_>,
    values: &mut BTreeMap<StepId, String>,
) -> Result<()> {
    for (name, value) in table {
        let id = if before.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{before}.{}", name.get_ref())
        };
        let refuse = |found: &str| {
            let place = strict::place(text, &name.span());
            let found = format!("{WHAT}{place}: {found} \"{}\"", visible(&id));
            Refusal::new(&rules::ANSWERS, found, "one text for each step")
        };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(text, &id, inner, values)?,
            DeValue::String(answer) => {
                if values.insert(StepId(id.clone()), answer.to_string()).is_some() {
                    return Err(refuse("a second answer to"));
                }
            }
            _ => return Err(refuse("no text for")),
        }
    }
    Ok(())
}

/// Reads one answer as the prompt allows, from a file (`Yes` and words are then the full digest).
///
/// # Errors
///
/// `ANSWER-WRONG` with what is allowed.
pub fn check(expect: &Expect, text: &str) -> Result<Answer> {
    let fits = match expect {
        Expect::Agree { digest, .. } => (text == digest.hex()).then_some(Answer::Agreed),
        Expect::Same => (text == "same").then_some(Answer::Same),
        Expect::Text => {
            let fits = !text.trim().is_empty() && ours("an answer", text).is_ok();
            fits.then(|| Answer::Text(text.to_owned()))
        }
        Expect::Day => {
            let day = format!("{text}T00:00:00Z").parse::<crate::tuf::time::Time>();
            day.is_ok().then(|| Answer::Text(text.to_owned()))
        }
        Expect::Exactly(word) => (text == word).then(|| Answer::Text(text.to_owned())),
        Expect::Choice(words) => words.iter().position(|word| word == text).map(Answer::Choice),
    };
    fits.ok_or_else(|| Refusal::new(&rules::ANSWER_WRONG, format!("\"{}\"", visible(text)), allowed(expect)))
}

/// What may be answered, in words, for an answers file.
pub(super) fn allowed(expect: &Expect) -> String {
    match expect {
        Expect::Agree { digest, .. } => format!("the full digest, {digest}"),
        Expect::Same => "same, once the digest has been compared".to_owned(),
        Expect::Text => "a text of letters, digits and printable ASCII".to_owned(),
        Expect::Day => "a day, as 2026-11-22".to_owned(),
        Expect::Exactly(word) => format!("exactly: {}", visible(word)),
        Expect::Choice(words) => {
            format!("one of: {}", words.iter().map(|w| visible(w)).collect::<Vec<_>>().join(", "))
        }
    }
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
    use crate::ceremony::step::Confirmation;
    use crate::tuf::digest::Digest;

    fn id(text: &str) -> StepId {
        StepId(text.to_owned())
    }

    fn prompt(name: &str, expect: Expect) -> Prompt {
        Prompt {
            id: id(name),
            who: Some("alice".parse().unwrap()),
            meaning: format!("what is {name}?"),
            expect,
        }
    }

    fn agree(how: Confirmation) -> Expect {
        Expect::Agree { digest: Digest::of(b"change"), how }
    }

    #[test]
    fn names_may_be_quoted_or_not() {
        let text =
            "[answers]\n\"sign.root-a.1\" = \"a\"\nbefore.1 = \"b\"\n[answers.read-back]\nroot-a = \"c\"\n";
        let mut answers = Answers::parse(text).unwrap();
        assert_eq!(answers.value(&id("sign.root-a.1")).unwrap(), "a");
        assert_eq!(answers.value(&id("before.1")).unwrap(), "b");
        assert_eq!(answers.value(&id("read-back.root-a")).unwrap(), "c");
        answers.all_used().unwrap();
        Answers::parse("").unwrap().all_used().unwrap();
    }

    #[test]
    fn what_is_not_an_answers_file_is_refused_where_it_stands() {
        let table = [
            ("a = \"b\"", "line 1, column 1"),
            ("answers = \"b\"", "line 1, column 1"),
            ("[answers]\na = 1", "line 2, column 1"),
            ("[answers]\n\na = [\"b\"]", "line 3, column 1"),
            ("[answers]\na = \"b\"\na = \"c\"", "line 3, column 1"),
            ("[answers]\n\"a.b\" = \"b\"\na.b = \"c\"", "line "),
            ("[answers", "line 1"),
        ];
        for (text, place) in table {
            let refusal = Answers::parse(text).unwrap_err();
            assert_eq!(refusal.rule().name, "ANSWERS", "{text}");
            assert!(refusal.found().contains(place), "{text}: {refusal}");
        }
    }

    #[test]
    fn each_prompt_takes_its_own_kind_of_answer() {
        let digest = Digest::of(b"change").hex();
        let choice = || Expect::Choice(vec!["seal".to_owned(), "wait".to_owned()]);
        let wrong = None;
        let text = |t: &str| Some(Answer::Text(t.to_owned()));
        let table = [
            (agree(Confirmation::Words), digest.clone(), Some(Answer::Agreed)),
            (agree(Confirmation::Yes), digest.clone(), Some(Answer::Agreed)),
            (agree(Confirmation::Yes), "Yes".to_owned(), wrong.clone()),
            (agree(Confirmation::Words), Digest::of(b"change").words().join(" "), wrong.clone()),
            (agree(Confirmation::Words), "*".to_owned(), wrong.clone()),
            (agree(Confirmation::Words), digest[..63].to_owned(), wrong.clone()),
            (agree(Confirmation::Words), digest.to_uppercase(), wrong.clone()),
            (agree(Confirmation::Words), format!("{digest} "), wrong.clone()),
            (agree(Confirmation::Words), Digest::of(b"another").hex(), wrong.clone()),
            (Expect::Same, "same".to_owned(), Some(Answer::Same)),
            (Expect::Same, "Same".to_owned(), wrong.clone()),
            (Expect::Same, digest.clone(), wrong.clone()),
            (Expect::Text, "bag 12".to_owned(), text("bag 12")),
            (Expect::Text, "*".to_owned(), text("*")),
            (Expect::Text, " ".to_owned(), wrong.clone()),
            (Expect::Text, "bag\n12".to_owned(), wrong.clone()),
            (Expect::Text, "\u{202e}21 gab".to_owned(), wrong.clone()),
            (Expect::Exactly("bob".to_owned()), "bob".to_owned(), text("bob")),
            (Expect::Exactly("bob".to_owned()), "Bob".to_owned(), wrong.clone()),
            (choice(), "wait".to_owned(), Some(Answer::Choice(1))),
            (choice(), "2".to_owned(), wrong),
        ];
        for (expect, answer, expected) in table {
            let values = BTreeMap::from([(id("a"), answer.clone())]);
            let mut answers = Answers::parse("").unwrap();
            answers.tables.insert(ALONE.to_owned(), values);
            let result = answers.take(&prompt("a", expect));
            if let Some(expected) = expected {
                assert_eq!(result.unwrap(), expected, "{answer}");
                continue;
            }
            let refusal = result.unwrap_err();
            assert_eq!(refusal.rule().name, "ANSWER-WRONG", "{answer}");
            assert_eq!(refusal.rule().exit.code(), 2);
            assert!(refusal.found().starts_with("\"a\": "), "{refusal}");
            assert!(refusal.found().is_ascii(), "{refusal}");
        }
    }

    #[test]
    fn answers_missing_and_unused_are_named() {
        let mut answers = Answers::parse("[answers]\na = \"x\"\nb = \"\"\n").unwrap();
        for missing in ["b", "c"] {
            let refusal = answers.take(&prompt(missing, Expect::Text)).unwrap_err();
            assert_eq!(refusal.rule().name, "ANSWER-MISSING");
            assert_eq!(refusal.rule().exit.code(), 2);
            assert!(refusal.found().contains(&format!("\"{missing}\"")), "{refusal}");
        }
        let refusal = answers.all_used().unwrap_err();
        assert_eq!(refusal.rule().name, "ANSWER-UNUSED");
        assert!(refusal.found().contains("\"a\""), "{refusal}");
    }

    #[test]
    fn each_part_of_a_session_has_its_own_table() {
        let text = "[01-keys]\nconfirm = \"a\"\n[02-root]\nconfirm = \"b\"\nnote = \"c\"\n";
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let asks = [id("confirm"), id("note")];
        let mut answers = Answers::parse(text).unwrap();
        answers.parts(&names(&["01-keys", "02-root", "03-grant"]), &[]).unwrap();
        assert!(answers.turn_to("01-keys", &asks).unwrap());
        assert_eq!(answers.value(&id("confirm")).unwrap(), "a");
        assert_eq!(answers.value(&id("note")).unwrap_err().rule().name, "ANSWER-MISSING", "of another part");
        assert!(answers.turn_to("02-root", &asks).unwrap());
        assert_eq!(answers.value(&id("confirm")).unwrap(), "b");
        assert!(!answers.turn_to("03-grant", &asks).unwrap());
        assert_eq!(answers.turn_to("02-root", &asks[..1]).unwrap_err().rule().name, "ANSWER-UNUSED");
        // What the session itself asks is asked once, wherever it stands.
        let mut answers = Answers::parse("[answers]\ntoday = \"x\"\n[a]\nconfirm = \"y\"\n").unwrap();
        answers.parts(&names(&["a", "b"]), &[id("today")]).unwrap();
        assert!(answers.turn_to("a", &asks).unwrap());
        assert_eq!(answers.value(&id("today")).unwrap(), "x");
        for table in ["answers", "a"] {
            let text = format!("[{table}]\ntoday = \"x\"\nconfirm = \"y\"\n");
            let mut answers = Answers::parse(&text).unwrap();
            answers.parts(&names(&["a"]), &[id("today")]).unwrap();
            assert_eq!(answers.value(&id("today")).unwrap(), "x", "before it is turned to");
            assert!(answers.turn_to("a", &asks).unwrap());
            assert_eq!(answers.value(&id("confirm")).unwrap(), "y");
        }
        // Tables, parts, and how it ends before the first is begun.
        let table = [
            ("[answers]\n", &["a"][..], "ok"),
            ("[a]\n", &["a"], "ok"),
            ("", &["a"], "ok"),
            ("[a]\n[answers]\n", &["a"], "ANSWERS"),
            ("[answer]\n", &["a"], "ANSWER-UNUSED"),
            ("[answers]\ntoday = \"x\"\n", &["a", "b"], "ok"),
            ("[answers]\nconfirm = \"x\"\n", &["a", "b"], "ANSWER-UNUSED"),
            ("[a]\n[c]\n", &["a", "b"], "ANSWER-UNUSED"),
            ("[b]\n", &["a", "b"], "ok"),
            ("[a]\n", &["a", "a"], "ANSWERS"),
        ];
        for (text, parts, ends) in table {
            let result = Answers::parse(text).unwrap().parts(&names(parts), &[id("today")]);
            assert_eq!(result.map_or_else(|r| r.rule().name, |()| "ok"), ends, "{text}{parts:?}");
        }
    }
}
