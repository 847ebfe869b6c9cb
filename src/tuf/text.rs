//! Text from outside, made safe to look at.
//!
//! A role name, a target path, a holder's name or a token's label can hold escape sequences,
//! right-to-left overrides or letters that look like others (threats T13). Nothing from a
//! document, a token or a medium reaches a screen or a page but through [`visible`].

use super::bytes;
use super::rule::{Refusal, Result};
use super::rules;
use unicode_normalization::char::is_combining_mark;

/// Shows `text` so that every character is seen: printable ASCII and letters and digits of any
/// script stay, all else (controls, spaces other than U+0020, bidirectional marks, zero-width and
/// combining characters, a backslash) becomes `\u{…}`.
pub fn visible(text: &str) -> String {
    if bytes::printable(text.as_bytes()) && !bytes::has(text.as_bytes(), b'\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

fn plain(c: char) -> bool {
    match c {
        // U+115F, U+1160, U+3164 and U+FFA0 count as letters and show nothing.
        '\\' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        ' '..='~' => true,
        // Marks that count as letters: vowel signs, points, U+0345.
        c => c.is_alphanumeric() && !is_combining_mark(c),
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
    // Printable ASCII, as nearly all of it is, is in every form the same.
    if bytes::printable(text.as_bytes()) {
        return Ok(());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_deceive_is_escaped() {
        let table = [
            ("Camera station 2.4 (beta)", "Camera station 2.4 (beta)"),
            ("J\u{fc}rgen \u{4e2d}\u{6587}", "J\u{fc}rgen \u{4e2d}\u{6587}"),
            ("a\\b", "a\\u{5c}b"),
            ("a\u{1b}[31m", "a\\u{1b}[31m"),
            ("a\nb\rc\td", "a\\u{a}b\\u{d}c\\u{9}d"),
            ("a\u{7f}\u{85}", "a\\u{7f}\\u{85}"),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("no\u{a0}break", "no\\u{a0}break"),
            ("e\u{301}", "e\\u{301}"),
            ("a\u{345}", "a\\u{345}"),
            ("\u{3164}\u{115f}", "\\u{3164}\\u{115f}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\u{2028}", "\\u{2028}"),
        ];
        for (text, shown) in table {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn text_refuses_what_we_would_not_show() {
        for text in ["alice", "Camera station", "J\u{fc}rgen", "a\\b"] {
            assert!(ours("a name", text).is_ok(), "{text}");
        }
        for text in ["a\nb", "\u{202e}a", "e\u{301}", "\u{200d}", "a\u{a0}b", "\u{1F600}"] {
            let refused = ours("a name", text).err();
            assert_eq!(refused.map(|e| e.rule().name), Some("TEXT"), "{}", visible(text));
        }
    }
}
