//! Typing on the controlling terminal, byte by byte: secrets, and whole lines for terminals that
//! can't be edited in place.
//!
//! Secrets are read here and not through dialoguer, because its reader leaves copies in memory that
//! nobody wipes and doesn't notice Ctrl-C before Enter. The terminal's settings come back on every
//! way out.

use super::interrupt::Interrupt;
use super::rules;
use crate::signer::secret::Pin;
use crate::system::terminal::{self, Next, Settings};
use crate::tuf::rule::{Refusal, Result};
use std::fs::File;
use std::io::{Error, Write};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// No PIN or pass-phrase is longer, in bytes.
const LONGEST: usize = 512;

/// How long it waits before it looks for an interruption again.
const LOOK: Duration = Duration::from_millis(250);
/// A pause that no scanner makes in a text, or before the end that it adds to one.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// The terminal, for reading.
pub(super) struct Keyboard<'a> {
    tty: &'a File,
    interrupt: &'a Interrupt,
}

impl<'a> Keyboard<'a> {
    pub(super) const fn new(tty: &'a File, interrupt: &'a Interrupt) -> Self {
        Self { tty, interrupt }
    }

    /// Forgets what was typed before the question was asked, so that nobody agrees by a key that
    /// they pressed too early.
    pub(super) fn forget(&self) {
        terminal::forget(self.tty);
    }

    /// A line, without its end.
    pub(super) fn line(&self) -> Result<String> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'\n' | b'\r' => break,
                byte => bytes.push(byte),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What is typed from here on is not shown, comes byte by byte, and is forgotten at the end.
    pub(super) fn hidden(&self) -> Result<Settings<'a>> {
        terminal::hide(self.tty).map_err(|e| gone(&e))
    }

    /// Whether Enter comes, within a time if there is one.
    pub(super) fn enter(&self, within: Option<Duration>) -> Result<bool> {
        let begun = Instant::now();
        loop {
            let left = within.map(|within| within.saturating_sub(begun.elapsed()));
            match self.byte_within(left)? {
                None => return Ok(false),
                Some(b'\n' | b'\r') => return Ok(true),
                Some(0x03) => return Err(Interrupt::refusal()),
                Some(_) => {}
            }
        }
    }

    /// Forgets all that is typed until nobody types any more; refuses if that takes some seconds,
    /// since what is typed by then would answer the next question.
    pub(super) fn settle(&self) -> Result<()> {
        let begun = Instant::now();
        while self.byte_within(Some(PAUSE))?.is_some() {
            if begun.elapsed() >= Duration::from_secs(5) {
                self.forget();
                return Err(Refusal::new(
                    &rules::TERMINAL,
                    "a scanner or keyboard that goes on typing",
                    "a pause after the last code",
                ));
            }
        }
        self.forget();
        Ok(())
    }

    /// A line that is not shown: Backspace takes back one letter, Ctrl-U all. The prompt comes once
    /// nothing is shown any more, so that whoever types at its sight types unseen.
    pub(super) fn secret(&self, prompt: &str) -> Result<Pin> {
        let settings = self.hidden()?;
        // Its whole room at once: a buffer that grows leaves its old places unwiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        let asked = (&mut &*self.tty).write_all(prompt.as_bytes());
        let read = match asked {
            Ok(()) => self.secret_bytes(&mut bytes),
            Err(e) => Err(Refusal::new(&rules::TERMINAL, e.to_string(), "a terminal to write to")),
        };
        drop(settings);
        let _ = (&mut &*self.tty).write_all(b"\n");
        read?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                let mut owned = String::with_capacity(LONGEST);
                owned.push_str(text);
                Ok(Pin::new(owned))
            }
            Err(_) => Err(Refusal::new(
                &rules::TERMINAL,
                "bytes that are no UTF-8",
                "a PIN or pass-phrase in UTF-8",
            )),
        }
    }

    fn secret_bytes(&self, bytes: &mut Vec<u8>) -> Result<()> {
        loop {
            match self.byte()? {
                b'\n' | b'\r' => return Ok(()),
                0x03 => return Err(Interrupt::refusal()),
                0x04 if bytes.is_empty() => return Err(ended()),
                0x15 => bytes.clear(),
                0x7f | 0x08 => while bytes.pop().is_some_and(|b| b & 0xc0 == 0x80) {},
                0..=0x1f => {}
                byte if bytes.len() < LONGEST => bytes.push(byte),
                _ => {}
            }
        }
    }

    /// The next byte; looks out for an interruption while it waits.
    fn byte(&self) -> Result<u8> {
        loop {
            if let Some(byte) = self.byte_within(None)? {
                return Ok(byte);
            }
        }
    }

    /// The next byte, if one comes within a time.
    pub(super) fn byte_within(&self, within: Option<Duration>) -> Result<Option<u8>> {
        let begun = Instant::now();
        loop {
            self.interrupt.check()?;
            let left = within.map_or(LOOK, |within| within.saturating_sub(begun.elapsed()).min(LOOK));
            match terminal::next(self.tty, left).map_err(|e| gone(&e))? {
                Next::Byte(byte) => return Ok(Some(byte)),
                Next::Ended => return Err(ended()),
                Next::Silence if within.is_some_and(|within| begun.elapsed() >= within) => return Ok(None),
                Next::Silence | Next::CutShort => {}
            }
        }
    }
}

fn ended() -> Refusal {
    Refusal::new(&rules::TERMINAL, "the end of input", "an answer typed on the terminal")
}

fn gone(error: &Error) -> Refusal {
    Refusal::new(&rules::TERMINAL, error.to_string(), "a terminal to type on")
}
