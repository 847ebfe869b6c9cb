//! The terminal: the one that the process was started from, byte by byte and unseen where a secret is
//! typed, and how large one is.

use console::Term;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use rustix::termios::{isatty, tcgetwinsize};
use std::fs::{File, OpenOptions};
use std::io::Result;
use std::time::Duration;

/// What may be a terminal: a file, or a stream of the process.
pub use std::os::fd::AsFd as Stream;

/// What the system calls the terminal that a process was started from.
pub const NAME: &str = "/dev/tty";

/// Opens the terminal that the process was started from, to read and to write.
///
/// # Errors
///
/// What the system says, where it was started from none.
pub fn open() -> Result<File> {
    OpenOptions::new().read(true).write(true).open(NAME)
}

/// The same, for programs of menus and lines that are edited in place.
///
/// # Errors
///
/// As [`open`].
pub fn term() -> Result<Term> {
    Ok(Term::read_write_pair(open()?, open()?))
}

/// Whether it is a terminal.
pub fn is_terminal(stream: &impl Stream) -> bool {
    isatty(stream)
}

/// Its columns and rows, where it says them.
pub fn size(stream: &impl Stream) -> Option<(usize, usize)> {
    let size = tcgetwinsize(stream).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0)?;
    Some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Forgets what was typed and not read yet. A terminal that is gone has nothing to forget.
pub fn forget(tty: &File) {
    let _ = tcflush(tty, QueueSelector::IFlush);
}

/// Puts a terminal's settings back when it is dropped.
pub struct Settings<'a> {
    tty: &'a File,
    before: Termios,
}

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}

/// What is typed from here on is neither shown nor gathered into lines, and is forgotten at the end;
/// Ctrl-C comes as a byte, so that it acts at once.
///
/// # Errors
///
/// What the system says.
pub fn hide(tty: &File) -> Result<Settings<'_>> {
    let before = tcgetattr(tty)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(
        LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN,
    );
    tcsetattr(tty, OptionalActions::Flush, &hidden)?;
    Ok(Settings { tty, before })
}

/// What came of waiting for a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It.
    Byte(u8),
    /// Nothing in that time.
    Silence,
    /// A signal, or a byte that somebody else has read: wait again.
    CutShort,
    /// The end of input.
    Ended,
}

/// The next byte that is typed, if one comes within a time, of less than a second.
///
/// # Errors
///
/// What the system says.
pub fn next(tty: &File, within: Duration) -> Result<Next> {
    let wait = Timespec { tv_sec: 0, tv_nsec: within.subsec_nanos().into() };
    match poll(&mut [PollFd::new(tty, PollFlags::IN)], Some(&wait)) {
        Ok(0) => return Ok(Next::Silence),
        Err(Errno::INTR) => return Ok(Next::CutShort),
        Ok(_) => {}
        Err(e) => return Err(e.into()),
    }
    let mut byte = [0u8];
    match read(tty, &mut byte) {
        Ok(0) => Ok(Next::Ended),
        Ok(_) => Ok(Next::Byte(byte[0])),
        Err(Errno::INTR | Errno::AGAIN) => Ok(Next::CutShort),
        Err(e) => Err(e.into()),
    }
}
