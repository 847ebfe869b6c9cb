//! Text from outside, made safe to look at.
//!
//! A role name, a target path, a holder's name or a token's label can hold escape sequences,
//! right-to-left overrides or letters that look like others (threats T13). Nothing from a
//! document, a token or a medium reaches a screen or a page but through [`visible`].

use super::rule::{Refusal, Result};
use super::rules;

/// Shows `text` so that every character is seen: printable ASCII and letters and digits of any
/// script stay, all else (controls, spaces other than U+0020, bidirectional marks, zero-width and
/// combining characters, a backslash) becomes `\u{…}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) {
            out.push(c);
        } else {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    out
}

fn plain(c: char) -> bool {
    match c {
        '\\' => false,
        ' '..='~' => true,
        // U+115F, U+1160, U+3164 and U+FFA0 count as letters and show nothing.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        c => c.is_alphanumeric(),
    }
}

/// Refuses text that we are asked to put into a document or the record unless it is NFC and every
/// character is visible (design: strings that we create).
///
/// # Errors
///
/// `TEXT` with the text shown escaped.
pub fn ours(what: &str, text: &str) -> Result<()> {
    use unicode_normalization::is_nfc;
    if text.chars().all(|c| plain(c) || c == '\\') && is_nfc(text) {
        Ok(())
    } else {
        Err(Refusal::new(
            &rules::TEXT,
            format!("{what} \"{}\"", visible(text)),
            "letters, digits and printable ASCII in Unicode's composed form (NFC)",
        ))
    }
}
