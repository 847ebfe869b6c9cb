//! One run of the program: where its record is, how it talks to people, when it is.

use super::arguments::{Answers, Arguments};
use crate::tuf::json::Json;
use crate::tuf::rule::Result;
use crate::tuf::time::Time;
use crate::ui::Console;
use crate::ui::screen::Screen;
use std::path::PathBuf;

/// How a command ended that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// 0: done; also: nothing due, already held.
    Done,
    /// 4: signatures are still missing, which was reported.
    Incomplete,
}

impl Ended {
    /// The process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Incomplete => 4,
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
}

impl Session {
    /// Takes the global arguments, makes the process safe for secrets and listens for Ctrl-C.
    pub fn start(arguments: &Arguments) -> Result<Self> {
        let directory = arguments.directory.clone();
        let devices = arguments.devices.clone().unwrap_or_else(|| directory.join("devices.toml"));
        Ok(Self { directory, devices, json: arguments.json, verbose: arguments.verbose })
    }

    /// Where people answer: the terminal, or the answers file of an unattended run.
    ///
    /// # Errors
    ///
    /// `NO-TERMINAL` without either.
    pub fn console(&self, _answers: &Answers) -> Result<Box<dyn Console>> {
        todo!("console")
    }

    /// Reports a result on stdout: the screen, or with `--json` the object with `"schema":1` added.
    pub fn report(&self, _screen: &Screen, _json: Json) -> Result<()> {
        todo!("report")
    }

    /// The host's clock.
    pub fn now(&self) -> Result<Time> {
        Time::from_unix(jiff::Timestamp::now().as_second())
    }

    /// `N` bytes of the operating system's randomness.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        todo!("random")
    }
}
