//! Lays a screen out for a width: wraps, never cuts, and says nothing by colour alone.

use super::look::Look;
use super::screen::{Block, Safe, Screen, Tone};
use crate::tuf::digest::Digest;
use console::Style;

const INDENT: usize = 2;
const INNER: usize = 4;

/// The columns that `text` takes, at most: wide letters count two, and so do some that aren't, so
/// that a line may end early but is never too long.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| if u32::from(c) < 0x1100 { 1 } else { 2 }).sum()
}

/// Breaks `text` into lines of at most `width` columns, at spaces where it can, keeping all spaces
/// but the one at each break.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for (index, word) in text.split(' ').enumerate() {
        let mut word = word;
        if index > 0 {
            if columns(&line).saturating_add(1).saturating_add(columns(word)) <= width {
                line.push(' ');
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
        while columns(&line).saturating_add(columns(word)) > width {
            let room = width.saturating_sub(columns(&line));
            let (head, tail) = split_at_column(word, room);
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            word = tail;
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

fn split_at_column(word: &str, room: usize) -> (&str, &str) {
    let mut taken = 0usize;
    for (at, c) in word.char_indices() {
        taken = taken.saturating_add(columns(c.encode_utf8(&mut [0; 4])));
        if taken > room {
            return word.split_at_checked(at).unwrap_or((word, ""));
        }
    }
    (word, "")
}

/// Safe text as lines for what is left of the width beside `taken` columns.
pub fn wrapped(text: &Safe, look: &Look, taken: usize) -> Vec<String> {
    wrap(&look.text(text), look.width().saturating_sub(taken))
}

/// The screen as lines without line ends.
pub fn lay_out(screen: &Screen, look: &Look) -> Vec<String> {
    let mut page = Page { look, lines: Vec::new() };
    page.head(screen);
    for block in &screen.blocks {
        page.gap();
        page.block(block);
    }
    if !screen.next.is_empty() {
        page.gap();
        page.push(INDENT, &look.paint(&Style::new().bold(), "Next"));
        for line in &screen.next {
            page.hanging(INNER, "- ", &look.text(line));
        }
    }
    page.lines
}

struct Page<'a> {
    look: &'a Look,
    lines: Vec<String>,
}

impl Page<'_> {
    fn room(&self, indent: usize) -> usize {
        self.look.width().saturating_sub(indent).max(8)
    }

    fn push(&mut self, indent: usize, text: &str) {
        let line = format!("{:indent$}{text}", "");
        self.lines.push(line.trim_end().to_owned());
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|l| !l.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn wrapped(&mut self, indent: usize, text: &str, style: &Style) {
        for line in wrap(text, self.room(indent)) {
            let painted = self.look.paint(style, &line);
            self.push(indent, &painted);
        }
    }

    /// `mark` before the first line, the others aligned under its text.
    fn hanging(&mut self, indent: usize, mark: &str, text: &str) {
        let deep = indent.saturating_add(columns(mark));
        for (index, line) in wrap(text, self.room(deep)).iter().enumerate() {
            if index == 0 {
                self.push(indent, &format!("{mark}{line}"));
            } else {
                self.push(deep, line);
            }
        }
    }

    fn head(&mut self, screen: &Screen) {
        if screen.title.is_empty() && screen.stamp.is_none() {
            return;
        }
        let stamp = screen.stamp.as_ref().map(|s| format!("{} - ", self.look.text(s))).unwrap_or_default();
        let title = format!("{stamp}{}", self.look.text(&screen.title));
        self.wrapped(INDENT, &title, &Style::new().bold());
        let rule = self.look.rule(self.room(INDENT));
        self.push(INDENT, &rule);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Text(text) => self.wrapped(INDENT, &self.look.text(text), &Style::new()),
            Block::Heading(text) => self.wrapped(INDENT, &self.look.text(text), &Style::new().bold()),
            Block::Items(items) => {
                for item in items {
                    self.hanging(INDENT, "- ", &self.look.text(item));
                }
            }
            Block::Facts(facts) => self.facts(INDENT, facts),
            Block::Table(table) => {
                for line in table.lay_out(self.look, self.room(INDENT)) {
                    self.push(INDENT, &line);
                }
            }
            Block::Digest(label, digest) => self.digest(label, digest),
            Block::Callout(tone, text) => self.callout(*tone, text),
            Block::Exact(lines) => {
                for line in lines {
                    self.push(INNER, &self.look.text(line));
                }
            }
        }
    }

    fn facts(&mut self, indent: usize, facts: &[(Safe, Safe)]) {
        let widest = facts.iter().map(|(label, _)| columns(&self.look.text(label))).max().unwrap_or(0);
        let labels = widest.min(self.room(indent) / 3);
        for (label, value) in facts {
            let label = self.look.text(label);
            let deep = indent.saturating_add(labels).saturating_add(2);
            let values = wrap(&self.look.text(value), self.room(deep));
            if columns(&label) > labels {
                self.wrapped(indent, &label, &Style::new());
                for line in values {
                    self.push(deep, &line);
                }
                continue;
            }
            let pad = deep.saturating_sub(indent).saturating_sub(columns(&label));
            for (index, line) in values.iter().enumerate() {
                if index == 0 {
                    self.push(indent, &format!("{label}{:pad$}{line}", ""));
                } else {
                    self.push(deep, line);
                }
            }
        }
    }

    /// Four words a line at every usual width, numbered, so that "the third line" is the same line
    /// on both screens.
    fn digest(&mut self, label: &Safe, digest: &Digest) {
        if !label.is_empty() {
            self.wrapped(INDENT, &self.look.text(label), &Style::new());
        }
        let hex = digest.hex();
        let groups: Vec<&str> = (0..8usize)
            .filter_map(|n| hex.get(n.saturating_mul(8)..n.saturating_mul(8).saturating_add(8)))
            .collect();
        self.wrapped(INNER, &groups.join(" "), &Style::new());
        let words = digest.words();
        let widest = words.iter().map(|w| columns(w)).max().unwrap_or(0);
        let cell = widest.saturating_add(6);
        let across = if self.room(INNER) >= cell.saturating_mul(4) { 4 } else { 2 };
        for (row, chunk) in words.chunks(across).enumerate() {
            let mut line = String::new();
            for (column, word) in chunk.iter().enumerate() {
                let number = row.saturating_mul(across).saturating_add(column).saturating_add(1);
                line.push_str(&format!("{number:>2} {word:<widest$}   "));
            }
            self.push(INNER, &line);
        }
    }

    fn callout(&mut self, tone: Tone, text: &Safe) {
        let (word, style) = match tone {
            Tone::Done => ("Done:", Style::new().green().bold()),
            Tone::Note => ("Note:", Style::new().bold()),
            Tone::Careful => ("Careful:", Style::new().yellow().bold()),
            Tone::Refused => ("Refused:", Style::new().red().bold()),
        };
        let lines = wrap(&format!("{word} {}", self.look.text(text)), self.room(INDENT));
        for (index, line) in lines.iter().enumerate() {
            match line.strip_prefix(word) {
                Some(rest) if index == 0 => {
                    let painted = format!("{}{rest}", self.look.paint(&style, word));
                    self.push(INDENT, &painted);
                }
                _ => self.push(INDENT, line),
            }
        }
    }
}
