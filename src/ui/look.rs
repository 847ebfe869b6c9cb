//! How a terminal looks: its size, whether it has colours, whether it speaks UTF-8.

use super::layout::RULE;
use super::screen::Safe;
use crate::system::terminal::{Stream, is_terminal, size};
use console::Style;
use std::env;

/// The widest that prose is set; tables too, so that all lines up.
const WIDEST: usize = 110;

/// What a renderer needs to know of where it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Bold and colours may be used.
    pub colour: bool,
    /// Letters beyond ASCII may be used.
    pub utf8: bool,
    /// Keys come one by one and the cursor can be moved; otherwise line by line.
    pub keys: bool,
}

impl Look {
    /// For paper, pipes and tests: 80 by 24, plain.
    pub const PLAIN: Self = Self { columns: 80, rows: 24, colour: false, utf8: true, keys: false };

    /// How `out` looks now: its window, `TERM`, `NO_COLOR` and the locale.
    pub fn of(out: impl Stream) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let utf8 = locale.ends_with("utf-8") || locale.ends_with("utf8");
        if !is_terminal(&out) {
            return Self { utf8, ..Self::PLAIN };
        }
        let (columns, rows) = size(&out).unwrap_or((80, 24));
        let dumb = set("TERM").is_none_or(|t| t == "dumb");
        // Keys are edited in place only where there is place.
        let keys = !dumb && columns >= 40 && rows >= 8;
        Self { columns, rows, colour: !dumb && set("NO_COLOR").is_none(), utf8, keys }
    }

    /// Columns to lay out for.
    pub(super) fn width(&self) -> usize {
        self.columns.saturating_sub(1).clamp(20, WIDEST)
    }

    /// `text` in `style`, where there are colours.
    pub(super) fn paint(&self, style: &Style, text: &str) -> String {
        if self.colour {
            style.clone().force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    /// Safe text as this terminal can show it. Where it speaks no UTF-8, bytes of a letter could
    /// be taken for controls (0x80 to 0x9f), so letters beyond ASCII are escaped as well.
    pub(super) fn text(&self, text: &Safe) -> String {
        if self.utf8 || text.as_str().is_ascii() {
            return text.to_string();
        }
        text.as_str()
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{{{:x}}}", u32::from(c)) })
            .collect()
    }

    /// A line across.
    pub(super) fn rule(&self, width: usize) -> String {
        let mark = if self.utf8 { RULE } else { '-' };
        std::iter::repeat_n(mark, width).collect()
    }
}
