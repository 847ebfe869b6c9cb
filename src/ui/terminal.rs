//! The terminal: the one that the process was started from, whatever its input and output are
//! redirected to.
//!
//! Text and choices are asked by dialoguer; on a terminal without keys of its own (`TERM=dumb`, a
//! serial console, a screen reader's line mode) the same questions are asked line by line.

use super::interrupt::Interrupt;
use super::keyboard::Keyboard;
use super::layout::{columns, pages, wrap};
use super::look::Look;
use super::scanner::Scanner;
use super::screen::{Safe, Screen};
use super::{Console, Prompt, qr, rules};
use crate::ceremony::confirm::Places;
use crate::signer::secret::Pin;
use crate::system::terminal::{self, NAME};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text;
use console::{Style, Term};
use dialoguer::theme::Theme;
use dialoguer::{Input, Select};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

/// White modules around a code on a screen, where room is scarce and all around it is of one colour.
const QUIET: usize = 2;

/// How long one of several codes stands.
const STANDS: Duration = Duration::from_millis(250);

/// How often wrong words may be typed.
const TRIES: usize = 3;

/// The controlling terminal.
pub struct Terminal {
    tty: File,
    term: Term,
    interrupt: Interrupt,
}

impl Terminal {
    /// Opens the terminal that the process was started from.
    ///
    /// # Errors
    ///
    /// `NO-TERMINAL` if it was started from none.
    pub fn open(interrupt: Interrupt) -> Result<Self> {
        let refuse = |e: std::io::Error| {
            Refusal::new(&rules::NO_TERMINAL, format!("{NAME}: {e}"), "a terminal to ask on")
        };
        let tty = terminal::open().map_err(refuse)?;
        let term = terminal::term().map_err(refuse)?;
        Ok(Self { tty, term, interrupt })
    }

    fn look(&self) -> Look {
        Look::of(&self.tty)
    }

    fn keyboard(&self) -> Keyboard<'_> {
        Keyboard::new(&self.tty, &self.interrupt)
    }

    fn put(&self, text: &str) -> Result<()> {
        let gone =
            |e: std::io::Error| Refusal::new(&rules::TERMINAL, e.to_string(), "a terminal to write to");
        (&mut &self.tty).write_all(text.as_bytes()).map_err(gone)
    }

    fn line(&self, text: &str) -> Result<()> {
        self.put(&format!("{text}\n"))
    }

    /// The question and its help, above where the answer is typed.
    fn question(&self, prompt: &Prompt, look: &Look) -> Result<()> {
        self.interrupt.check()?;
        let room = look.width().saturating_sub(2);
        self.line("")?;
        for line in wrap(&look.text(&prompt.text), room) {
            self.line(&format!("  {}", look.paint(&Style::new().bold(), &line)))?;
        }
        for line in prompt.help.iter().flat_map(|h| wrap(&look.text(h), room)) {
            self.line(&format!("  {}", look.paint(&Style::new().dim(), &line)))?;
        }
        self.keyboard().forget();
        Ok(())
    }

    /// One line typed below a question.
    fn typed(&self, default: Option<&str>, look: &Look) -> Result<String> {
        self.typed_at("", default, look)
    }

    /// One line typed behind a mark that says what is wanted: `(Yes or no) > `.
    fn typed_at(&self, mark: &str, default: Option<&str>, look: &Look) -> Result<String> {
        let calm = Calm { mark };
        if look.keys {
            let mut input = Input::<String>::with_theme(&calm).allow_empty(true);
            if let Some(default) = default {
                input = input.default(default.to_owned());
            }
            return match input.interact_text_on(&self.term) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(self.broken(&error)),
            };
        }
        match default {
            Some(default) if !default.is_empty() => self.put(&format!("  {mark}[{default}] > "))?,
            _ => self.put(&format!("  {mark}> "))?,
        }
        let typed = self.keyboard().line()?;
        let typed = typed.trim();
        Ok(if typed.is_empty() { default.unwrap_or_default().to_owned() } else { typed.to_owned() })
    }

    /// What a prompt of dialoguer's that failed means; the cursor is put back.
    fn broken(&self, error: &dialoguer::Error) -> Refusal {
        let dialoguer::Error::IO(error) = error;
        let _ = self.term.show_cursor();
        let _ = self.put("\n");
        if self.interrupt.pressed() || error.kind() == std::io::ErrorKind::Interrupted {
            Interrupt::refusal()
        } else {
            Refusal::new(&rules::TERMINAL, error.to_string(), "an answer typed on the terminal")
        }
    }

    fn say(&self, look: &Look, text: &str) -> Result<()> {
        for line in wrap(text, look.width().saturating_sub(2)) {
            self.line(&format!("  {line}"))?;
        }
        Ok(())
    }

    /// Asks until the answer is `word`, or `no`.
    fn exactly(&self, prompt: &Prompt, word: &str) -> Result<()> {
        let look = self.look();
        self.question(prompt, &look)?;
        let mark = format!("({word} or no) ");
        loop {
            let typed = self.typed_at(&mark, None, &look)?;
            if typed == word {
                return Ok(());
            }
            if typed == "no" {
                return Err(declined());
            }
            self.say(&look, &format!("Type {word} exactly to go on, or no to stop."))?;
        }
    }
}

fn declined() -> Refusal {
    Refusal::new(&rules::NOT_CONFIRMED, "the answer no", "to be agreed to")
}

impl Console for Terminal {
    fn show(&mut self, screen: &Screen) -> Result<()> {
        self.interrupt.check()?;
        let look = self.look();
        // Two rows stay for the empty line above and the question below.
        let pages = pages(screen, &look, look.rows.saturating_sub(3).max(5));
        self.line("")?;
        for (number, page) in pages.iter().enumerate() {
            if number > 0 {
                let of = pages.len();
                let shown = Safe::from(format!("page {number} of {of}: press Enter to read on"));
                self.keyboard().forget();
                self.put(&look.paint(&Style::new().dim(), &format!("  ({shown}) ")))?;
                self.keyboard().line()?;
            }
            for line in page {
                self.line(line)?;
            }
        }
        Ok(())
    }

    fn ask_text(&mut self, prompt: &Prompt) -> Result<String> {
        let look = self.look();
        self.question(prompt, &look)?;
        loop {
            let typed = self.typed(prompt.default.as_deref(), &look)?;
            if typed.is_empty() && prompt.default.is_none() {
                self.say(&look, "Please type an answer.")?;
            } else if text::ours("the answer", &typed).is_err() {
                self.say(&look, "Please use letters, digits and the signs of the keyboard only.")?;
            } else if !prompt.allowed.is_empty() && !prompt.allowed.iter().any(|a| a.as_str() == typed) {
                self.say(&look, &format!("Please type one of: {}.", list(&prompt.allowed)))?;
            } else {
                return Ok(typed);
            }
        }
    }

    fn ask_choice(&mut self, prompt: &Prompt) -> Result<usize> {
        let look = self.look();
        self.question(prompt, &look)?;
        let items: Vec<String> = prompt.shown.iter().map(|a| look.text(a)).collect();
        let first = prompt.default.as_ref();
        let first = first.and_then(|d| prompt.allowed.iter().position(|a| a.as_str() == d));
        let fits = items.iter().all(|i| columns(i).saturating_add(5) < look.columns);
        if look.keys && fits {
            // The question stays in sight: what is below it is what the window has left, and a longer list
            // comes page by page.
            let wide = look.width().saturating_sub(2);
            let above = std::iter::once(&prompt.text).chain(&prompt.help);
            let above: usize = above.map(|text| wrap(&look.text(text), wide).len()).sum();
            let room = look.rows.saturating_sub(above).saturating_sub(4).max(5);
            self.say(
                &look,
                if items.len() > room {
                    "Up and down choose (more lines follow), Enter takes the line with the mark."
                } else {
                    "Up and down choose, Enter takes the line with the mark."
                },
            )?;
            let select = Select::with_theme(&Calm { mark: "" }).items(&items).default(first.unwrap_or(0));
            let select = select.max_length(room);
            let place = select.interact_on(&self.term).map_err(|e| self.broken(&e))?;
            self.line(&format!("  > {}", items.get(place).map_or("", String::as_str)))?;
            return Ok(place);
        }
        for (index, item) in items.iter().enumerate() {
            let mark = format!("{}. ", index.saturating_add(1));
            let room = look.width().saturating_sub(2).saturating_sub(mark.len());
            for (at, line) in wrap(item, room).iter().enumerate() {
                let before = if at == 0 { mark.as_str() } else { "" };
                self.line(&format!("  {before:deep$}{line}", deep = mark.len()))?;
            }
        }
        let default = first.map(|f| f.saturating_add(1).to_string());
        loop {
            let typed = self.typed(default.as_deref(), &look)?;
            let number = typed.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let place = number.or_else(|| prompt.allowed.iter().position(|a| a.as_str() == typed));
            match place {
                Some(place) if place < items.len() => return Ok(place),
                _ => self.say(&look, &format!("Please type a number from 1 to {}.", items.len()))?,
            }
        }
    }

    fn confirm_word(&mut self, prompt: &Prompt, word: &str) -> Result<()> {
        self.exactly(prompt, word)
    }

    fn confirm_yes(&mut self, prompt: &Prompt, _digest: &Digest) -> Result<()> {
        self.exactly(prompt, "Yes")
    }

    fn confirm_words(&mut self, prompt: &Prompt, digest: &Digest, places: Places) -> Result<()> {
        let look = self.look();
        self.question(prompt, &look)?;
        for _ in 0..TRIES {
            let mut typed = [const { String::new() }; 3];
            for (number, word) in places.numbers().iter().zip(&mut typed) {
                *word = self.typed_at(&format!("word {number:>2} "), None, &look)?;
                if word == "no" {
                    return Err(declined());
                }
            }
            if places.match_words(digest, typed.each_ref().map(String::as_str)) {
                return Ok(());
            }
            self.say(
                &look,
                "These are not the words of this change. Read them again from the paper or the other screen.",
            )?;
        }
        let found = format!("wrong words {TRIES} times");
        Err(Refusal::new(&rules::NOT_CONFIRMED, found, "the words of this change's digest"))
    }

    fn press_enter(&mut self, prompt: &Prompt) -> Result<()> {
        let look = self.look();
        self.question(prompt, &look)?;
        self.put(&look.paint(&Style::new().dim(), "  (press Enter) "))?;
        self.keyboard().line().map(|_| ())
    }

    fn secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        let look = self.look();
        self.question(prompt, &look)?;
        self.keyboard().secret("  (not shown) > ")
    }

    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        let look = self.look();
        self.question(prompt, &look)?;
        loop {
            let first = self.keyboard().secret("  (not shown) > ")?;
            let second = self.keyboard().secret("  (once more) > ")?;
            if first.expose().is_empty() {
                self.say(&look, "Please type something.")?;
            } else if first.expose() == second.expose() {
                return Ok(first);
            } else {
                self.say(&look, "The two are not equal. Please type it twice again.")?;
            }
        }
    }

    fn show_alone(&mut self, text: &str, prompt: &Prompt) -> Result<()> {
        self.interrupt.check()?;
        let look = self.look();
        let rows = text.lines().count().saturating_add(4);
        let wide = text.lines().map(str::len).max().unwrap_or(0);
        if !look.keys || look.rows < rows || look.columns < wide {
            let found = if look.keys {
                format!("a window of {} rows and {} columns", look.rows, look.columns)
            } else {
                "a terminal that can't clear its screen".to_owned()
            };
            let expected = format!("one of {rows} rows and {wide} columns that can be cleared");
            return Err(Refusal::new(&rules::SHOWN_ALONE, found, expected));
        }
        // Neither early typing shown nor a key that stops the program while the text stands.
        let keyboard = self.keyboard();
        let hidden = keyboard.hidden()?;
        // On the other screen, which has no lines to scroll back to.
        let shown = self.put("\x1b[?1049h\x1b[2J\x1b[H").and_then(|()| self.put(text)).and_then(|()| {
            // What is typed once the question stands counts.
            keyboard.forget();
            self.put(&format!("\n{}\n(press Enter) ", look.text(&prompt.text)))?;
            keyboard.enter(None).map(|_| ())
        });
        // Whatever came of it.
        let gone = self.put("\x1b[2J\x1b[H\x1b[?1049l");
        drop(hidden);
        shown.and(gone)
    }

    fn progress(&mut self, line: &Safe) {
        let look = self.look();
        let _ = self.say(&look, &look.text(line));
    }

    fn touch(&mut self, token: &Safe) {
        let look = self.look();
        let _ = self.put("\u{7}");
        let _ = self.say(&look, &format!("Touch it now: {}", look.text(token)));
    }

    fn room(&self) -> usize {
        let look = self.look();
        // Half blocks need UTF-8, black on white a terminal that takes colours as such.
        let side = look.rows.saturating_sub(1).saturating_mul(2).min(look.columns);
        let side = side.saturating_sub(QUIET.saturating_mul(2));
        if look.utf8 && look.keys { qr::letters(side, qr::Soil::Little) } else { 0 }
    }

    fn draw(&mut self, text: &dyn Fn(u32) -> Result<String>, still: bool) -> Result<()> {
        let look = self.look();
        let keyboard = self.keyboard();
        keyboard.forget();
        let hidden = keyboard.hidden()?;
        for number in 1.. {
            let picture = qr::Picture::of(&text(number)?, qr::Soil::Little)?;
            let lines = picture.lines(QUIET);
            let columns = picture.side().saturating_add(QUIET.saturating_mul(2));
            if !look.utf8 || !look.keys || columns > look.columns || lines.len() >= look.rows {
                let found = format!("{} columns and {} lines", look.columns, look.rows);
                let needed =
                    format!("{found}, where the code takes {columns} and {}", lines.len().saturating_add(1));
                return Err(qr::no_room(needed));
            }
            let count = if still { String::new() } else { format!("code {number}; ") };
            self.put(&format!("{}\n\r\x1b[K  {count}Enter ends it ", lines.join("\n")))?;
            if keyboard.enter(if still { None } else { Some(STANDS) })? {
                break;
            }
            // Back to its first line, to draw the next over it.
            self.put(&format!("\r\x1b[{}A", lines.len()))?;
        }
        drop(hidden);
        self.line("")
    }

    fn scan(&mut self, prompt: &Prompt, take: &mut dyn FnMut(&str) -> Result<Option<Safe>>) -> Result<()> {
        let look = self.look();
        self.question(prompt, &look)?;
        let keyboard = self.keyboard();
        let hidden = keyboard.hidden()?;
        let mut scanner = Scanner::default();
        while let Some(text) = scanner.text(&keyboard)? {
            match take(&text)? {
                Some(line) => self.say(&look, &look.text(&line))?,
                None => break,
            }
        }
        // What the scanner still types belongs to no question.
        keyboard.settle()?;
        drop(hidden);
        Ok(())
    }

    fn interrupted(&self) -> Result<()> {
        self.interrupt.check()
    }

    fn unattended(&self) -> bool {
        false
    }
}

fn list(items: &[Safe]) -> String {
    items.iter().map(Safe::as_str).collect::<Vec<_>>().join(", ")
}

/// dialoguer's prompts without marks and colours.
struct Calm<'a> {
    mark: &'a str,
}

impl Theme for Calm<'_> {
    fn format_input_prompt(&self, f: &mut dyn fmt::Write, _: &str, default: Option<&str>) -> fmt::Result {
        match default {
            Some(default) if !default.is_empty() => write!(f, "  {}[{default}] > ", self.mark),
            _ => write!(f, "  {}> ", self.mark),
        }
    }

    fn format_input_prompt_selection(&self, f: &mut dyn fmt::Write, _: &str, chosen: &str) -> fmt::Result {
        write!(f, "  {}> {chosen}", self.mark)
    }

    fn format_select_prompt_item(&self, f: &mut dyn fmt::Write, text: &str, active: bool) -> fmt::Result {
        write!(f, "  {} {text}", if active { ">" } else { " " })
    }
}
