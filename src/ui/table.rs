//! Tables that are never cut: columns wrap, and too many of them become a list of facts.

use super::screen::Safe;

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
