//! Lays a screen out for a width: wraps, never cuts, and says nothing by colour alone.

use super::look::Look;
use super::screen::{Block, Safe, Screen, Tone};
use crate::tuf::digest::Digest;
use console::Style;
use std::fmt::Write as _;

/// What a line across is drawn with.
pub(super) const RULE: char = '\u{2500}';

const INDENT: usize = 2;
const INNER: usize = 4;
/// The longest of the words that digests are read in has so many letters.
const LONGEST_WORD: usize = 11;

/// Between a command and what it is for.
const NOTE: &str = "    ";

/// At the end of a line that a shell takes as going on.
const CONTINUED: &str = " \\";

/// The columns that `text` takes, at most: wide letters count two, and so do some that aren't, so
/// that a line may end early but is never too long.
pub(super) fn columns(text: &str) -> usize {
    let wide = |c: char| u32::from(c) >= 0x1100 && c != RULE;
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
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

/// Says of each character of a command, in order, whether it stands outside a shell's quotes.
fn outside() -> impl FnMut(char) -> bool {
    let (mut open, mut escaped) = (None, false);
    move |c| {
        let free = open.is_none() && !escaped;
        match open {
            Some(quote) if quote == c => open = None,
            None if free && matches!(c, '"' | '\'') => open = Some(c),
            _ => {}
        }
        escaped = free && c == '\\';
        free
    }
}

/// A command, and what it is for.
fn noted(text: &str) -> Option<(&str, &str)> {
    let mut outside = outside();
    let mut free = text.char_indices().filter(|(_, c)| outside(*c));
    let (end, _) = free.find(|(at, _)| text.get(*at..).is_some_and(|rest| rest.starts_with(NOTE)))?;
    Some((text.get(..end)?, text.get(end.saturating_add(NOTE.len())..)?))
}

/// A command in lines that a shell takes for one; none if a word of it fits on no line.
fn continued(command: &str, width: usize) -> Option<Vec<String>> {
    if columns(command) <= width {
        return Some(vec![command.to_owned()]);
    }
    let room = width.saturating_sub(CONTINUED.len());
    // What stands between quotes is one word.
    let mut outside = outside();
    let mut words = command.split(|c: char| outside(c) && c == ' ');
    let mut line = words.next()?.to_owned();
    let mut lines = Vec::new();
    for word in words {
        if columns(&line).saturating_add(1).saturating_add(columns(word)) > room {
            lines.push(format!("{line}{CONTINUED}"));
            line = format!("  {word}");
        } else {
            line = format!("{line} {word}");
        }
        if columns(&line) > room {
            return None;
        }
    }
    lines.push(line);
    Some(lines)
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
    laid_out(screen, look).lines
}

/// The same in pages of at most so many lines, none of which ends with a heading, or within a digest.
pub(super) fn pages(screen: &Screen, look: &Look, most: usize) -> Vec<Vec<String>> {
    let Page { mut lines, whole, .. } = laid_out(screen, look);
    let mut pages = Vec::new();
    let mut begin = 0_usize;
    while lines.len() > most {
        let mut end = begin.saturating_add(most);
        let broken = |end: usize| {
            let fits = |first: usize, after: usize| after.saturating_sub(first) <= most;
            let is = |(first, after): &&(usize, usize)| {
                *first > begin && *first < end && end < *after && fits(*first, *after)
            };
            whole.iter().find(is).map(|(first, _)| *first)
        };
        while let Some(first) = broken(end) {
            end = first;
        }
        let rest = lines.split_off(end.saturating_sub(begin));
        pages.push(std::mem::replace(&mut lines, rest));
        begin = end;
    }
    pages.push(lines);
    pages
}

fn laid_out<'a>(screen: &Screen, look: &'a Look) -> Page<'a> {
    let mut page = Page { look, lines: Vec::new(), whole: Vec::new() };
    page.head(screen);
    for block in &screen.blocks {
        page.gap();
        page.block(block);
    }
    if !screen.next.is_empty() {
        page.gap();
        page.heading("Next");
        for line in &screen.next {
            page.command(&look.text(line));
        }
    }
    page
}

/// Labels and values, the values in one column; a label too long for a third of the room stands
/// above its value.
pub(super) fn pairs(pairs: &[(String, String)], room: usize) -> Vec<String> {
    let widest = pairs.iter().map(|(label, _)| columns(label)).max().unwrap_or(0);
    let labels = widest.min(room / 3);
    let deep = labels.saturating_add(2);
    let mut lines = Vec::new();
    for (label, value) in pairs {
        let mut label = label.as_str();
        if columns(label) > labels {
            lines.extend(wrap(label, room));
            label = "";
        }
        for line in wrap(value, room.saturating_sub(deep)) {
            let pad = deep.saturating_sub(columns(label));
            lines.push(format!("{label}{:pad$}{line}", "").trim_end().to_owned());
            label = "";
        }
    }
    lines
}

struct Page<'a> {
    look: &'a Look,
    lines: Vec<String>,
    /// What is on one page if it can be: its first line, and the one after its last.
    whole: Vec<(usize, usize)>,
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

    fn heading(&mut self, text: &str) {
        let first = self.lines.len();
        self.wrapped(INDENT, text, &Style::new().bold());
        // With an empty line and the first that it heads.
        self.whole.push((first, self.lines.len().saturating_add(2)));
    }

    /// A line that begins with spaces keeps its indent where it is wrapped.
    fn text(&mut self, text: &str) {
        let below = text.trim_start_matches(' ');
        let spaces = text.len().saturating_sub(below.len()).min(INNER);
        self.wrapped(INDENT.saturating_add(spaces), below, &Style::new());
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

    /// What happens next. A command that is too long for one line goes on as a shell reads it, so
    /// that it can be typed or copied as it stands; what it is for stands below it.
    fn command(&mut self, text: &str) {
        let deep = INNER.saturating_add(2);
        let room = self.room(deep);
        let is = ["keyrite ", "rm "].iter().any(|program| text.starts_with(program));
        let command = is.then(|| noted(text)).flatten();
        let lines = command.filter(|_| columns(text) > room).and_then(|(command, note)| {
            let mut lines = continued(command, room)?;
            lines.extend(wrap(note, room.saturating_sub(NOTE.len())).iter().map(|l| format!("{NOTE}{l}")));
            Some(lines)
        });
        for (index, line) in lines.unwrap_or_else(|| wrap(text, room)).iter().enumerate() {
            let mark = if index == 0 { "- " } else { "  " };
            self.push(INNER, &format!("{mark}{line}"));
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
            Block::Text(text) => self.text(&self.look.text(text)),
            Block::Heading(text) => self.heading(&self.look.text(text)),
            Block::Items(items) => {
                for item in items {
                    let text = self.look.text(item);
                    // A line that begins with a space belongs to the one above.
                    match text.strip_prefix(' ') {
                        Some(below) => self.hanging(INNER, "  ", below.trim_start()),
                        None => self.hanging(INDENT, "- ", &text),
                    }
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
        let texts: Vec<_> = facts.iter().map(|(l, v)| (self.look.text(l), self.look.text(v))).collect();
        for line in pairs(&texts, self.room(indent)) {
            self.push(indent, &line);
        }
    }

    /// Four words a line at every usual width, numbered, so that "the third line" is the same line
    /// on both screens.
    fn digest(&mut self, label: &Safe, digest: &Digest) {
        let first = self.lines.len();
        if !label.is_empty() {
            self.wrapped(INDENT, &self.look.text(label), &Style::new());
        }
        let hex = digest.hex();
        let groups: Vec<&str> = (0..8usize)
            .filter_map(|n| hex.get(n.saturating_mul(8)..n.saturating_mul(8).saturating_add(8)))
            .collect();
        self.wrapped(INNER, &groups.join(" "), &Style::new());
        let words = digest.words();
        let widest = words.iter().map(|w| columns(w)).max().unwrap_or(0).max(LONGEST_WORD);
        let cell = widest.saturating_add(6);
        let fits = |across: usize| self.room(INNER) >= cell.saturating_mul(across);
        let across = [4, 2].into_iter().find(|n| fits(*n)).unwrap_or(1);
        for (row, chunk) in words.chunks(across).enumerate() {
            let mut line = String::new();
            for (column, word) in chunk.iter().enumerate() {
                let number = row.saturating_mul(across).saturating_add(column).saturating_add(1);
                let _ = write!(line, "{number:>2} {word:<widest$}   ");
            }
            self.push(INNER, &line);
        }
        self.whole.push((first, self.lines.len()));
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

#[cfg(test)]
mod tests;
