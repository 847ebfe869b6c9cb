//! Tables that are never cut: columns wrap, and too many of them become a list of facts.

use super::layout::{columns, pairs, wrap};
use super::look::Look;
use super::screen::Safe;
use std::fmt::Write as _;

/// A table: a head and rows of as many cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub(super) head: Vec<Safe>,
    pub(super) rows: Vec<Vec<Safe>>,
}

impl Table {
    /// A table with the given head.
    pub fn new<T: Into<Safe>>(head: impl IntoIterator<Item = T>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// With one row more; missing cells are empty, cells beyond the head get an empty head.
    #[must_use]
    pub fn row<T: Into<Safe>>(mut self, cells: impl IntoIterator<Item = T>) -> Self {
        self.push(cells);
        self
    }

    /// Adds one row, as [`Self::row`].
    pub fn push<T: Into<Safe>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut row: Vec<Safe> = cells.into_iter().map(Into::into).collect();
        if row.len() > self.head.len() {
            self.head.resize(row.len(), Safe::default());
        }
        row.resize(self.head.len(), Safe::default());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Between two columns.
const GUTTER: usize = 2;
/// Narrower than this no column is wrapped.
const NARROWEST: usize = 8;

impl Table {
    /// The table's lines within `room` columns.
    pub(super) fn lay_out(&self, look: &Look, room: usize) -> Vec<String> {
        let text = |cells: &[Safe]| cells.iter().map(|c| look.text(c)).collect::<Vec<_>>();
        let head = text(&self.head);
        let rows: Vec<Vec<String>> = self.rows.iter().map(|r| text(r)).collect();
        match widths(&head, &rows, room) {
            Some(widths) => grid(&head, &rows, &widths, look),
            None => cards(&head, &rows, room),
        }
    }
}

/// The width of each column, the widest ones narrowed until all fit; none if they can't.
fn widths(head: &[String], rows: &[Vec<String>], room: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = head.iter().map(|c| columns(c)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    let gutters = GUTTER.saturating_mul(widths.len().saturating_sub(1));
    loop {
        let sum = widths.iter().sum::<usize>().saturating_add(gutters);
        if sum <= room {
            return Some(widths);
        }
        let widest = widths.iter_mut().max()?;
        if *widest <= NARROWEST {
            return None;
        }
        *widest = widest.saturating_sub(1);
    }
}

fn grid(head: &[String], rows: &[Vec<String>], widths: &[usize], look: &Look) -> Vec<String> {
    let mut lines = grid_row(head, widths);
    let bold = console::Style::new().bold();
    for line in &mut lines {
        *line = look.paint(&bold, line);
    }
    let rules: Vec<String> = widths.iter().map(|w| look.rule(*w)).collect();
    lines.push(rules.join("  "));
    for row in rows {
        lines.extend(grid_row(row, widths));
    }
    lines
}

fn grid_row(cells: &[String], widths: &[usize]) -> Vec<String> {
    let wrapped: Vec<Vec<String>> = cells.iter().zip(widths).map(|(c, w)| wrap(c, *w)).collect();
    let tall = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    (0..tall)
        .map(|n| {
            let mut line = String::new();
            for (cell, width) in wrapped.iter().zip(widths) {
                let part = cell.get(n).map_or("", String::as_str);
                let pad = width.saturating_sub(columns(part)).saturating_add(GUTTER);
                let _ = write!(line, "{part}{:pad$}", "");
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// One row below the other, each cell with its head: for screens too narrow for the columns.
fn cards(head: &[String], rows: &[Vec<String>], room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            lines.push(String::new());
        }
        let cells: Vec<_> = head.iter().cloned().zip(row.iter().cloned()).collect();
        lines.extend(pairs(&cells, room));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_wrap_and_then_become_facts() {
        let table = Table::new(["key", "holder"]).row(["root-a", "ada and bruno together"]);
        let look = Look { utf8: false, ..Look::PLAIN };
        assert_eq!(
            table.lay_out(&look, 40),
            ["key     holder", "------  ----------------------", "root-a  ada and bruno together"]
        );
        assert_eq!(
            table.lay_out(&look, 20),
            [
                "key     holder",
                "------  ------------",
                "root-a  ada and",
                "        bruno",
                "        together"
            ]
        );
        assert_eq!(
            table.lay_out(&look, 14),
            ["key   root-a", "holder", "      ada and", "      bruno", "      together"]
        );
    }

    #[test]
    fn a_row_longer_than_the_head_is_shown_whole() {
        let table = Table::new(["a"]).row(["1", "2"]).row(["3"]);
        let text = table.lay_out(&Look::PLAIN, 40).join("\n");
        assert!(text.contains('2'), "{text}");
    }
}
