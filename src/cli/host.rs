//! What a run takes from the machine that it is on: time, randomness, the program itself, and the
//! streams that it reads and writes.
//!
//! [`System`] is the one host that the `keyrite` program knows: no argument, file or variable of
//! the environment gives it another clock or other randomness (`tests/architecture.rs`). A program
//! that links this library may play the host, so that a whole ceremony comes out the same twice
//! (`tests/golden.rs`).

use super::rules;
use crate::signer::randomness::Randomness;
use crate::system::machine::{self, Confined, Interfaces, Needs};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::ui::Console;
use crate::ui::interrupt::Interrupt;
use crate::ui::look::Look;
use crate::ui::terminal::Terminal;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Results.
    Out,
    /// Problems.
    Err,
}

/// The program that runs, as a transcript names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: Digest,
}

/// A machine that keyrite runs on.
pub trait Host {
    /// The time.
    ///
    /// # Errors
    ///
    /// `DATE` if the clock stands before 1970 or after 9999.
    fn now(&self) -> Result<Time>;

    /// Where random bytes come from.
    fn randomness(&self) -> Randomness;

    /// The program that runs.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE` if its file can't be read.
    fn program(&self) -> Result<Program>;

    /// Where its file is, as far as the system says.
    fn program_path(&self) -> Option<PathBuf>;

    /// What the machine is like, by name: what a session's first entry says of it.
    fn machine(&self) -> BTreeMap<String, String>;

    /// The network interfaces that this process could use.
    fn interfaces(&self) -> Interfaces;

    /// Gives up, for good, what this process doesn't need for secrets to be safe in it; none on a
    /// host that is played, where the caller's process is to live on.
    fn confine(&self, needs: &Needs) -> Option<Confined>;

    /// A name of this machine that no other machine knows, if it has one.
    fn secret_name(&self) -> Option<String>;

    /// Where a folder is on this machine, if it is there: the same text however it is reached.
    fn place(&self, folder: &Path) -> Option<String>;

    /// Where people read and answer, unless an answers file does it for them.
    ///
    /// # Errors
    ///
    /// `NO-TERMINAL`.
    fn console(&self, interrupt: &Interrupt) -> Result<Box<dyn Console>>;

    /// How a stream looks.
    fn look(&self, stream: Stream) -> Look;

    /// Whether a person reads this stream as it is written.
    fn is_terminal(&self, stream: Stream) -> bool;

    /// Writes all the bytes.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn write(&self, stream: Stream, bytes: &[u8]) -> io::Result<()>;
}

/// The machine itself.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Host for System {
    fn now(&self) -> Result<Time> {
        Time::from_unix(jiff::Timestamp::now().as_second())
    }

    fn randomness(&self) -> Randomness {
        Randomness::system()
    }

    fn program(&self) -> Result<Program> {
        let unread = |e: io::Error| {
            Refusal::new(&rules::FILE_WRITE, format!("the program itself: {e}"), "a program that can be read")
        };
        let file = std::env::current_exe().and_then(std::fs::read).map_err(unread)?;
        Ok(Program { version: env!("CARGO_PKG_VERSION").to_owned(), digest: Digest::of(&file) })
    }

    fn program_path(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    fn machine(&self) -> BTreeMap<String, String> {
        machine::findings()
    }

    fn interfaces(&self) -> Interfaces {
        machine::interfaces()
    }

    fn confine(&self, needs: &Needs) -> Option<Confined> {
        Some(machine::confine(needs))
    }

    fn secret_name(&self) -> Option<String> {
        machine::secret_name()
    }

    fn place(&self, folder: &Path) -> Option<String> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some(std::fs::canonicalize(folder).ok()?.to_string_lossy().into_owned())
    }

    fn console(&self, interrupt: &Interrupt) -> Result<Box<dyn Console>> {
        Ok(Box::new(Terminal::open(interrupt.clone())?))
    }

    fn look(&self, stream: Stream) -> Look {
        match stream {
            Stream::Out => Look::of(io::stdout()),
            Stream::Err => Look::of(io::stderr()),
        }
    }

    fn is_terminal(&self, stream: Stream) -> bool {
        match stream {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        }
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let mut to: Box<dyn Write> = match stream {
            Stream::Out => Box::new(io::stdout().lock()),
            Stream::Err => Box::new(io::stderr().lock()),
        };
        to.write_all(bytes).and_then(|()| to.flush())
    }
}

/// A host's stdout, to write to.
pub struct Out(pub Rc<dyn Host>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(Stream::Out, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
