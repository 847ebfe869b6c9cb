//! What must not stand in a runbook, wherever it stands: dates, digests, places and secrets.
//!
//! The raw text is searched, comments too, and then every string as TOML reads it, since an escape
//! could hide a date from the eye. Each find is refused by its own rule, with its place.
//!
//! But for a release's runbook, which the program writes for that one release and nobody holds again: it
//! says what is released, so of these only secrets are refused in it.

use super::rules;
use super::strict::place;
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::text::visible;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Hexadecimal digits in a row that are no word any more: an id or a digest.
const HEX_RUN: usize = 32;

/// Members that would hold a secret, whatever table they stand in.
const SECRETS: [&str; 12] = [
    "pin",
    "pins",
    "user-pin",
    "so-pin",
    "puk",
    "password",
    "passphrase",
    "pass-phrase",
    "secret",
    "token-pin",
    "private-key",
    "management-key",
];

/// Members whose strings are target paths, which look like places and are none.
const TARGET_PATHS: [&str; 3] = ["paths", "add-paths", "without-paths"];

/// The one kind whose runbook is held once.
const ONCE: &str = "release";

/// Beginnings of what only one machine knows.
const PLACES: [&str; 9] = ["/", "~/", "./", "../", "file:", "pkcs11:", "yubihsm:", "piv:", "external:"];

/// Searches a runbook.
///
/// # Errors
///
/// `RUNBOOK-DATE`, `RUNBOOK-DIGEST`, `RUNBOOK-PLACE`, `RUNBOOK-SECRET`, each with line and column.
pub(super) fn scan(text: &str, table: &DeTable<'_>) -> Result<()> {
    let once = table.get("ceremony").and_then(|kind| kind.get_ref().as_str()) == Some(ONCE);
    if let Some(at) = date(text).filter(|_| !once) {
        return Err(refuse(text, at, &rules::RUNBOOK_DATE, "a date"));
    }
    if let Some(at) = hex_run(text).filter(|_| !once) {
        return Err(refuse(text, at, &rules::RUNBOOK_DIGEST, "a digest or an id"));
    }
    if let Some(at) = text.find("-----BEGIN") {
        return Err(refuse(text, at..at, &rules::RUNBOOK_SECRET, "a key or certificate"));
    }
    members(text, table, once)
}

fn members(text: &str, table: &DeTable<'_>, once: bool) -> Result<()> {
    for (name, member) in table {
        if SECRETS.contains(&name.get_ref().as_ref()) {
            let what = format!("the member \"{}\"", visible(name.get_ref()));
            return Err(refuse(text, name.span(), &rules::RUNBOOK_SECRET, &what));
        }
        let paths = TARGET_PATHS.contains(&name.get_ref().as_ref());
        value(text, member.span(), member.get_ref(), (paths, once))?;
    }
    Ok(())
}

fn value(text: &str, at: Range<usize>, value: &DeValue<'_>, (paths, once): (bool, bool)) -> Result<()> {
    match value {
        DeValue::String(_) if once => Ok(()),
        DeValue::String(string) => {
            if date(string).is_some() {
                return Err(refuse(text, at, &rules::RUNBOOK_DATE, "a date"));
            }
            if hex_run(string).is_some() {
                return Err(refuse(text, at, &rules::RUNBOOK_DIGEST, "a digest or an id"));
            }
            let drive = string.as_bytes().get(1) == Some(&b':');
            let place = drive || string.contains('\\') || PLACES.iter().any(|p| string.starts_with(p));
            if place && !paths {
                let what = format!("\"{}\"", visible(string));
                return Err(refuse(text, at, &rules::RUNBOOK_PLACE, &what));
            }
            Ok(())
        }
        DeValue::Datetime(_) => Err(refuse(text, at, &rules::RUNBOOK_DATE, "a date or a time of day")),
        DeValue::Array(items) => {
            items.iter().try_for_each(|item| self::value(text, item.span(), item.get_ref(), (paths, once)))
        }
        DeValue::Table(table) => members(text, table, once),
        _ => Ok(()),
    }
}

/// Where a full date stands: four digits, two, two, with dashes between and no digit around.
fn date(text: &str) -> Option<Range<usize>> {
    const LENGTH: usize = 10;
    let bytes = text.as_bytes();
    let digit = |b: Option<&u8>| b.is_some_and(u8::is_ascii_digit);
    let starts = (0..bytes.len()).filter(|at| at.checked_sub(1).is_none_or(|b| !digit(bytes.get(b))));
    starts.map(|at| at..at.saturating_add(LENGTH)).find(|range| {
        let fits = |(place, byte): (usize, &u8)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        bytes.get(range.clone()).is_some_and(|found| found.iter().enumerate().all(fits))
            && !digit(bytes.get(range.end))
    })
}

/// Where hexadecimal digits in a row are too many to be a word.
fn hex_run(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !byte.is_ascii_hexdigit() {
            start = at.saturating_add(1);
        } else if at.saturating_sub(start).saturating_add(1) >= HEX_RUN {
            return Some(start..at);
        }
    }
    None
}

fn refuse(text: &str, at: Range<usize>, rule: &'static Rule, what: &str) -> Refusal {
    Refusal::new(
        rule,
        format!("the runbook{}: {what}", place(text, &at)),
        "a runbook that is the same next year",
    )
}
