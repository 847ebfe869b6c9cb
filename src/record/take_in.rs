//! Import: takes from a medium only what parses, verifies and fits the layout.

use super::{Media, Record};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;

/// What became of a medium's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Paths in the record of what was new, sorted.
    pub taken: Vec<String>,
    /// How many files were already here.
    pub known: usize,
    /// What stays on the medium: the name as it may be shown, and why.
    pub left: Vec<(String, Refusal)>,
}

impl Record {
    /// Takes in what `media` holds: a copy of the record, a part of one, or documents that a
    /// backend published. Each file is read once; everything is judged in memory, then written.
    ///
    /// # Errors
    ///
    /// Only if the medium can't be read at all or the record not be written; a bad file is left.
    pub fn import(&self, media: &Media, today: Time) -> Result<ImportReport> {
        let _ = (media, today);
        todo!()
    }
}
