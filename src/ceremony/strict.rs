//! Strict TOML: an unknown or missing member is refused with its line and column.
//!
//! The files that people write (runbooks, limits, answers, device maps) all come through here, so
//! that a typo in any of them is found in the same words.

use super::rules;
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::text::visible;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::str::FromStr;
use toml::Spanned;
use toml::de::DeTable;

/// Reads a whole file.
///
/// `what` names it in the refusal: `the runbook`.
///
/// # Errors
///
/// `rule`, with what the parser found and where.
pub fn read<T: DeserializeOwned>(text: &str, rule: &'static Rule, what: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| refusal(text, rule, what, &e))
}

/// The tables of a file, every value with its place.
pub(super) fn tables<'a>(text: &'a str, rule: &'static Rule, what: &str) -> Result<Spanned<DeTable<'a>>> {
    DeTable::parse(text).map_err(|e| refusal(text, rule, what, &e))
}

/// Reads those members of a file alone for which `wanted` is true; the places in refusals stay
/// those of the file.
pub(super) fn read_some<T: DeserializeOwned>(
    text: &str,
    wanted: impl Fn(&str) -> bool,
    rule: &'static Rule,
    what: &str,
) -> Result<T> {
    let mut table = tables(text, rule, what)?;
    let names: Vec<_> = table.get_ref().keys().map(|name| name.get_ref().to_string()).collect();
    for name in names.iter().filter(|name| !wanted(name)) {
        table.get_mut().remove(name.as_str());
    }
    T::deserialize(toml::de::Deserializer::from(table)).map_err(|e| refusal(text, rule, what, &e))
}

fn refusal(text: &str, rule: &'static Rule, what: &str, error: &toml::de::Error) -> Refusal {
    let place = error.span().map_or_else(String::new, |span| place(text, &span));
    let message = error.message().trim_end().replace('\n', "; ");
    let message = match message.strip_prefix(SHOWN) {
        // By our own refusal, escaped where it was made.
        Some(shown) => shown.split('\\').map(visible).collect::<Vec<_>>().join("\\"),
        None => visible(&message),
    };
    Refusal::new(
        rule,
        format!("{what}{place}: {message}"),
        "TOML 1.0 with the members that the manual lists, and no others",
    )
}

/// `, line 3, column 5`, both counted from 1, columns in characters.
pub(super) fn place(text: &str, span: &Range<usize>) -> String {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let column = before.get(start..).map_or(0, |s| s.chars().count()).saturating_add(1);
    format!(", line {line}, column {column}")
}

/// Begins what a [`Word`]'s refusal says; nothing that the reader of TOML says begins so.
const SHOWN: char = '\u{0}';

/// A member that is one of our own words: read by [`FromStr`], refused where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word<T>(pub T);

impl<T> Deref for Word<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: FromStr<Err = Refusal>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);

        impl<T: FromStr<Err = Refusal>> de::Visitor<'_> for Visit<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Word<T>, E> {
                text.parse().map(Word).map_err(|refusal: Refusal| E::custom(format!("{SHOWN}{refusal}")))
            }
        }

        from.deserialize_str(Visit(PhantomData))
    }
}

/// Refuses a file whose `format` is another than 1.
///
/// # Errors
///
/// `RECORD-FORMAT`.
pub fn format_one(format: u64, what: &str) -> Result<()> {
    if format == 1 {
        Ok(())
    } else {
        Err(Refusal::new(&rules::RECORD_FORMAT, format!("{what} of format {format}"), "format 1"))
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
    use crate::ceremony::people::KeyName;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        keys: Vec<Word<KeyName>>,
    }

    #[test]
    fn a_word_is_refused_where_it_stands() {
        let file: File = read("keys = [\"a\", \"b\"]", &rules::RUNBOOK, "the file").unwrap();
        assert_eq!(file.keys.iter().map(|k| k.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        // "\u{e9}" is two bytes and one column.
        let refusal =
            read::<File>("# \u{e9}\nkeys = [\"\u{e9}\", \"B\"]", &rules::RUNBOOK, "the file").unwrap_err();
        assert!(refusal.found().starts_with("the file, line 2, column "), "{refusal}");
        assert!(refusal.found().contains("NAME"), "{refusal}");
        let refusal = read::<File>("keys = [\"a\"]\n\u{202e} = 1", &rules::RUNBOOK, "the file").unwrap_err();
        assert!(refusal.found().is_ascii(), "{refusal}");
    }

    #[test]
    fn what_stands_in_a_file_is_escaped_once() {
        // A word of our own, which its own refusal shows; a name, which the reader of TOML shows.
        let table = [
            ("keys = [\"\\u001b[2J\"]", "\\u{1b}[2J", ""),
            ("keys = ['a\\b']", "a\\u{5c}b", ""),
            ("keys = [\"\\u0000\\u202e\"]", "\\u{0}\\u{202e}", ""),
            ("keys = []\n\"\\u001b[2J\" = 1", "\\u{1b}[2J", ""),
            ("keys = []\n'\\u{1b}' = 1", "\\u{5c}u{1b}", "\\u{1b}"),
            ("keys = []\n\"\\u0000\\u001b\" = 1", "\\u{0}\\u{1b}", ""),
        ];
        for (text, shown, never) in table {
            let refusal = read::<File>(text, &rules::RUNBOOK, "the file").unwrap_err();
            assert!(refusal.found().contains(shown), "{text}: {refusal}");
            assert!(never.is_empty() || !refusal.found().contains(never), "{text}: {refusal}");
            assert!(refusal.found().bytes().all(|b| matches!(b, b' '..=b'~')), "{text}: {refusal}");
        }
    }
}
