//! Export: hands a copy of the record, or what one person needs of it, to a directory.

use super::Record;
use crate::ceremony::people::Person;
use crate::tuf::rule::Result;
use std::path::Path;

impl Record {
    /// Copies the record into `dir` (made if it isn't there), never `private/`: all of it, or for
    /// a person, what they need to sign what waits for them. Nothing there is overwritten.
    /// Returns the paths that are now there, sorted.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`, `RECORD-CONFLICT`.
    pub fn export(&self, dir: &Path, person: Option<&Person>) -> Result<Vec<String>> {
        let _ = (dir, person);
        todo!()
    }
}
