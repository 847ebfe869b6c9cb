//! What is being done, on one line of stderr, where a person looks at it; nothing anywhere else.

use super::host::{Host, Stream, System};
use crate::tuf::text::visible;
use std::cell::Cell;
use std::rc::Rc;

/// A line that is written over and over.
pub struct Progress {
    host: Rc<dyn Host>,
    seen: bool,
    written: Cell<bool>,
}

impl Progress {
    /// A line on stderr, if that is a terminal.
    pub fn new() -> Self {
        Self::on(Rc::new(System))
    }

    /// The same of a host that the caller has.
    pub fn on(host: Rc<dyn Host>) -> Self {
        Self { seen: host.is_terminal(Stream::Err), written: Cell::new(false), host }
    }

    /// Says what is being done.
    pub fn say(&self, what: &str) {
        if self.seen {
            self.written.set(true);
            let line = format!("\r\u{1b}[K{}", visible(what));
            let _ = self.host.write(Stream::Err, line.as_bytes());
        }
    }

    /// Takes the line away.
    pub fn done(&self) {
        if self.written.replace(false) {
            let _ = self.host.write(Stream::Err, b"\r\x1b[K");
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}
