//! A scanner that types what it reads, as a keyboard does.
//!
//! It is listened to in one place alone, where nothing but codes is taken: letters of the alphabet of QR
//! codes, up to a full stop (static codes end with it) or to the Enter or Tab that scanners add. What
//! else is typed becomes a sign that no code has. A code can't answer a question: what is typed is
//! forgotten before the next is asked, and what people then type are words that are in no code.

use super::interrupt::Interrupt;
use super::keyboard::{Keyboard, PAUSE};
use crate::ceremony::carry::LONGEST_TEXT;
use crate::ceremony::carry::code::END;
use crate::tuf::rule::Result;
use std::time::Duration;

/// In the place of a byte that is in no code.
const ODD: char = '?';
/// A text that nobody goes on with is taken as it is.
const CUT_OFF: Duration = Duration::from_secs(3);

/// What it has typed of the next text.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    typed: String,
    ended: bool,
}

/// What a byte does.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    More,
    Text(String),
    Nothing,
}

impl Scanner {
    /// The next text; none if Enter was pressed instead.
    pub(super) fn text(&mut self, keyboard: &Keyboard<'_>) -> Result<Option<String>> {
        loop {
            // Right after a text, the end that the scanner adds to it; later, a person's Enter.
            let within = if self.ended { Some(PAUSE) } else { None };
            let within = if self.typed.is_empty() { within } else { Some(CUT_OFF) };
            match keyboard.byte_within(within)? {
                None if self.typed.is_empty() => self.ended = false,
                None => return Ok(Some(std::mem::take(&mut self.typed))),
                Some(0x03) => return Err(Interrupt::refusal()),
                Some(byte) => match self.take(byte) {
                    Typed::More => {}
                    Typed::Text(text) => return Ok(Some(text)),
                    Typed::Nothing => return Ok(None),
                },
            }
        }
    }

    fn take(&mut self, byte: u8) -> Typed {
        let letter = char::from(byte);
        let end = matches!(letter, '\r' | '\n' | '\t');
        if end && self.typed.is_empty() {
            return if self.ended { Typed::More } else { Typed::Nothing };
        }
        if !end && self.typed.len() <= LONGEST_TEXT {
            let known = letter.is_ascii_alphanumeric() || "$%*+-./: ".contains(letter);
            self.typed.push(if known { letter } else { ODD });
        }
        if end || letter == END {
            self.ended = true;
            return Typed::Text(std::mem::take(&mut self.typed));
        }
        Typed::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts that come of what is typed without a pause, and whether it ends there.
    fn texts(typed: &[u8]) -> (Vec<String>, bool) {
        let (mut scanner, mut texts) = (Scanner::default(), Vec::new());
        for byte in typed {
            match scanner.take(*byte) {
                Typed::More => {}
                Typed::Text(text) => texts.push(text),
                Typed::Nothing => return (texts, true),
            }
        }
        (texts, false)
    }

    #[test]
    fn texts_end_by_their_own_sign_or_by_the_scanners() {
        let table: [(&[u8], &[&str], bool); 8] = [
            (b"KR1DAB.", &["KR1DAB."], false),
            (b"KR1DAB.\r\n", &["KR1DAB."], false),
            (b"kr1dab.kr1dcd.\t", &["kr1dab.", "kr1dcd."], false),
            (b"UR:BYTES/1-2/AE\rUR:BYTES/2-2/AO\r", &["UR:BYTES/1-2/AE", "UR:BYTES/2-2/AO"], false),
            (b"UR:BYTES/1-2/AE\n", &["UR:BYTES/1-2/AE"], false),
            (b"\n", &[], true),
            (b"KR1\x1b[A<>\xc3\xa9.", &["KR1??A????."], false),
            (b"UR:BYTES/1-2", &[], false),
        ];
        for (typed, expected, ended) in table {
            let (found, end) = texts(typed);
            assert_eq!(
                (found.iter().map(String::as_str).collect::<Vec<_>>(), end),
                (expected.to_vec(), ended)
            );
        }
        let long = texts(&[b"A".repeat(100_000).as_slice(), b"\r"].concat()).0;
        assert_eq!(long.first().map(String::len), Some(LONGEST_TEXT.saturating_add(1)));
    }
}
