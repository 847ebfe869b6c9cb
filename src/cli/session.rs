//! One run of the program: where its record is, how it talks to people, when it is.

use super::arguments::{Answers, Arguments, Command};
use super::{report, rules};
use crate::ceremony::answers;
use crate::record::media;
use crate::signer::backends::Modules;
use crate::tuf::json::Json;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::ui::Console;
use crate::ui::interrupt::Interrupt;
use crate::ui::look::Look;
use crate::ui::screen::Screen;
use crate::ui::scripted::Scripted;
use crate::ui::terminal::Terminal;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The largest runbook, answers file or device map, in bytes (FORMAT.md, caps).
pub const TEXT_CAP: u64 = 256 * 1024;

/// How a command ended that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// 0: done; also: nothing due, already held.
    Done,
    /// 4: signatures are still missing, which was reported.
    Incomplete,
    /// 1: refused by rules that were reported, each with its place.
    Refused,
}

impl Ended {
    /// The process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => 4,
            Self::Refused => 1,
        }
    }
}

/// What every command is given.
pub struct Session {
    /// The record's directory.
    pub directory: PathBuf,
    /// The device map's file.
    pub devices: PathBuf,
    /// Whether reports are JSON.
    pub json: bool,
    /// How often `-v` was given.
    pub verbose: u8,
    /// The PKCS#11 modules of this process.
    pub modules: Modules,
    /// The moment at which a rehearsal holds again what the record has held; otherwise unset, and
    /// nothing that a person types sets it.
    pub past: Cell<Option<Time>>,
    interrupt: Interrupt,
}

impl Session {
    /// Takes the global arguments, makes the process safe for secrets and listens for Ctrl-C.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if the system won't have it.
    pub fn start(arguments: &Arguments) -> Result<Self> {
        keep_memory_private();
        let directory = arguments.directory.clone();
        // A medium that came from elsewhere may hold a map as well, and a map names modules to load:
        // who signs or looks at tokens uses their own.
        let own = matches!(arguments.command, Command::Sign(_) | Command::Tokens(_));
        let beside = if own { PathBuf::from("devices.toml") } else { directory.join("devices.toml") };
        let devices = arguments.devices.clone().unwrap_or(beside);
        let interrupt = Interrupt::listen()?;
        Ok(Self {
            directory,
            devices,
            json: arguments.json,
            verbose: arguments.verbose,
            modules: Modules::new(),
            past: Cell::new(None),
            interrupt,
        })
    }

    /// Where people answer: the terminal, or the answers file of an unattended run, whose screens
    /// go to stdout, or nowhere if that is for JSON.
    ///
    /// # Errors
    ///
    /// `NO-TERMINAL` without either; `ANSWERS` for a file that is none.
    pub fn console(&self, answers: &Answers) -> Result<Box<dyn Console>> {
        match &answers.answers {
            Some(file) => Ok(Box::new(self.scripted(answers::Answers::parse(&read_text(file)?)?))),
            None => Ok(Box::new(Terminal::open(self.interrupt.clone())?)),
        }
    }

    /// Where answers that are at hand take a person's place.
    pub fn scripted(&self, answers: answers::Answers) -> Scripted {
        let out: Box<dyn Write> =
            if self.json { Box::new(std::io::sink()) } else { Box::new(std::io::stdout()) };
        Scripted::new(answers, out, Look::of(std::io::stdout()), self.interrupt.clone())
    }

    /// Reports a result on stdout: the screen, or with `--json` the object with `"schema":1` added.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if stdout is gone.
    pub fn report(&self, screen: &Screen, json: Json) -> Result<()> {
        if self.json { report::json(json) } else { report::screen(screen) }
    }

    /// The start of a line that a person can type as it stands: the program, this record and this
    /// device map.
    pub fn keyrite(&self) -> String {
        let mut line = "keyrite".to_owned();
        if self.directory != Path::new(".") {
            line = format!("{line} -C {}", shown(&self.directory));
        }
        if self.devices != self.directory.join("devices.toml") {
            line = format!("{line} --devices {}", shown(&self.devices));
        }
        line
    }

    /// The host's clock; where a rehearsal holds a past ceremony again, that ceremony's time.
    ///
    /// # Errors
    ///
    /// `DATE` if it stands before 1970 or after 9999.
    pub fn now(&self) -> Result<Time> {
        if let Some(past) = self.past.get() {
            return Ok(past);
        }
        Time::from_unix(jiff::Timestamp::now().as_second())
    }

    /// `N` bytes of the operating system's randomness.
    ///
    /// # Errors
    ///
    /// `RANDOM` if it gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes)
            .map_err(|e| Refusal::new(&rules::RANDOM, e.to_string(), format!("{N} random bytes")))?;
        Ok(bytes)
    }
}

/// The text of a file that a person named: regular, capped, UTF-8.
///
/// # Errors
///
/// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-READ`; `TEXT-FILE` if it is no UTF-8.
pub fn read_text(file: &Path) -> Result<String> {
    let bytes = media::read_file(file, TEXT_CAP)?;
    String::from_utf8(bytes).map_err(|e| {
        let found = format!("{}: {}", shown(file), e.utf8_error());
        Refusal::new(&rules::TEXT_FILE, found, "a text in UTF-8")
    })
}

/// A path as it may be shown.
pub fn shown(path: &Path) -> String {
    crate::tuf::text::visible(&path.to_string_lossy())
}

/// No core file and no look into this process by others of the same user (threats T19). What the
/// system refuses is recorded by the checks of the host that a ceremony begins with.
fn keep_memory_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
