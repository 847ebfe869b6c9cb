//! One run of the program: where its record is, on which machine it is, how it talks to people.

use super::arguments::{Answers, Arguments, Command};
use super::devices::{DeviceMap, machine_mark};
use super::host::{Host, Out, Program, Stream, System};
use super::progress::Progress;
use super::{report, rules};
use crate::ceremony::answers;
use crate::record::media;
use crate::signer::backends::Modules;
use crate::signer::randomness::Randomness;
use crate::system::machine::{self, Confined, Interfaces, Needs};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::time::Time;
use crate::ui::Console;
use crate::ui::interrupt::Interrupt;
use crate::ui::look::Look;
use crate::ui::screen::Screen;
use crate::ui::scripted::Scripted;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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
    /// Whether a person named that file.
    devices_named: bool,
    /// Whether reports are JSON.
    pub json: bool,
    /// How often `-v` was given.
    pub verbose: u8,
    /// The PKCS#11 modules of this process.
    pub modules: Modules,
    /// The moment at which a rehearsal holds again what the record has held; otherwise unset, and
    /// nothing that a person types sets it.
    pub past: Cell<Option<Time>>,
    host: Rc<dyn Host>,
    interrupt: Interrupt,
    confined: OnceCell<Option<Confined>>,
}

impl Session {
    /// A run on the machine itself: makes the process safe for secrets and listens for Ctrl-C.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if the system won't have it.
    pub fn start(arguments: &Arguments) -> Result<Self> {
        // What the system won't have is found, and told, by the session that needs it.
        machine::close();
        Ok(Self::on(Rc::new(System), arguments, Interrupt::listen()?))
    }

    /// A run on a host that the caller has: takes the global arguments.
    pub fn on(host: Rc<dyn Host>, arguments: &Arguments, interrupt: Interrupt) -> Self {
        let directory = arguments.directory.clone();
        // Who signs or looks at tokens uses their own map, not one that lies beside a record.
        let own = matches!(arguments.command, Command::Sign(_) | Command::Tokens(_));
        let beside = if own { PathBuf::from("devices.toml") } else { directory.join("devices.toml") };
        let devices_named = arguments.devices.is_some();
        let devices = arguments.devices.clone().unwrap_or(beside);
        Self {
            directory,
            devices,
            devices_named,
            json: arguments.json,
            verbose: arguments.verbose,
            modules: Modules::drawing(host.randomness()),
            past: Cell::new(None),
            host,
            interrupt,
            confined: OnceCell::new(),
        }
    }

    /// The device map, if there is one. A map names modules to load, files to read and the root to
    /// believe in, and a medium that came from elsewhere may hold one: so a map that nobody named
    /// counts only if keyrite wrote it on this machine, into this folder.
    ///
    /// # Errors
    ///
    /// `DEVICES`; `DEVICES-ELSEWHERE`; what reading a file refuses.
    pub fn map(&self) -> Result<Option<DeviceMap>> {
        let map = DeviceMap::read(&self.devices)?;
        match &map {
            Some(found) if !self.devices_named => {
                let mark = self.mark(found.trust, &self.devices);
                if mark.is_none() || found.machine != mark {
                    return Err(Refusal::new(
                        &rules::DEVICES_ELSEWHERE,
                        format!(
                            "{}, which keyrite did not write there on this machine",
                            shown(&self.devices)
                        ),
                        format!("--devices {}, if this map is your own", typed(&self.devices)),
                    ));
                }
                Ok(map)
            }
            _ => Ok(map),
        }
    }

    /// What a device map of this trust says that was written to this file, on this machine: one that
    /// was carried away can come back changed, on a medium.
    pub fn mark(&self, trust: TrustId, file: &Path) -> Option<Digest> {
        let place = self.host.place(file.parent().unwrap_or(Path::new(".")))?;
        self.host.secret_name().map(|name| machine_mark(&name, trust, &place))
    }

    /// What the machine is like, by name.
    pub fn machine(&self) -> BTreeMap<String, String> {
        self.host.machine()
    }

    /// The network interfaces as they are now: a confined process asks as it asked before.
    pub fn interfaces(&self) -> Interfaces {
        self.host.interfaces()
    }

    /// Confines this process, unless it is already; `needs` are asked for then alone.
    pub fn confine(&self, needs: impl FnOnce() -> Needs) -> Option<&Confined> {
        // Once it is confined it can ask only where it has asked before.
        let _ = self.interfaces();
        self.confined.get_or_init(|| self.host.confine(&needs())).as_ref()
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
            None => self.host.console(&self.interrupt),
        }
    }

    /// Where answers that are at hand take a person's place.
    pub fn scripted(&self, answers: answers::Answers) -> Scripted {
        let out: Box<dyn Write> = if self.json { Box::new(std::io::sink()) } else { Box::new(self.out()) };
        Scripted::new(answers, out, self.host.look(Stream::Out), self.interrupt.clone())
    }

    /// Reports a result on stdout: the screen, or with `--json` the object with `"schema":1` added.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if stdout is gone.
    pub fn report(&self, screen: &Screen, json: Json) -> Result<()> {
        if self.json { report::json(&*self.host, json) } else { report::screen(&*self.host, screen) }
    }

    /// Writes bytes of a closed form to stdout: completions.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if stdout is gone.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        report::out(&*self.host, bytes)
    }

    /// Refuses once Ctrl-C was pressed.
    ///
    /// # Errors
    ///
    /// `INTERRUPTED`.
    pub fn not_interrupted(&self) -> Result<()> {
        self.interrupt.check()
    }

    /// A line on stderr that says what is being done, if a person reads it.
    pub fn progress(&self) -> Progress {
        Progress::on(Rc::clone(&self.host))
    }

    /// The host's stdout.
    pub fn out(&self) -> Out {
        Out(Rc::clone(&self.host))
    }

    /// The screen on which a person reads stdout, if one does.
    pub fn read_on(&self) -> Option<Look> {
        self.host.is_terminal(Stream::Out).then(|| self.host.look(Stream::Out))
    }

    /// The start of a line that a person can type as it stands: the program, this record and this
    /// device map.
    pub fn keyrite(&self) -> String {
        self.line(&self.directory.join("devices.toml"))
    }

    /// The same on another record, whose own device map needs no name.
    pub fn keyrite_on(&self, record: &Path) -> String {
        if record == self.directory {
            return self.keyrite();
        }
        let map =
            if self.devices_named { format!(" --devices {}", typed(&self.devices)) } else { String::new() };
        format!("keyrite -C {}{map}", typed(record))
    }

    /// The same for `sign` and `tokens`, which take the map from where they are typed: one beside
    /// the record may have come with it.
    pub fn keyrite_own(&self) -> String {
        self.line(Path::new("devices.toml"))
    }

    /// The line for commands whose device map is this one unless they are told otherwise.
    fn line(&self, default: &Path) -> String {
        let mut line = "keyrite".to_owned();
        if self.directory != Path::new(".") {
            line = format!("{line} -C {}", typed(&self.directory));
        }
        // A map that had to be named once has to be named again.
        if self.devices_named || self.devices != default {
            line = format!("{line} --devices {}", typed(&self.devices));
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
        self.host.now()
    }

    /// The program that runs.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE` if its file can't be read.
    pub fn program(&self) -> Result<Program> {
        self.host.program()
    }

    /// Where the program's file is, as far as the system says.
    pub fn program_path(&self) -> Option<PathBuf> {
        self.host.program_path()
    }

    /// Where the host's random bytes come from.
    pub fn randomness(&self) -> Randomness {
        self.host.randomness()
    }

    /// `N` bytes of the host's randomness.
    ///
    /// # Errors
    ///
    /// `RANDOM` if it gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        drawn(&self.randomness())
    }
}

/// `N` random bytes.
///
/// # Errors
///
/// `RANDOM` if there are none to be had.
pub fn drawn<const N: usize>(randomness: &Randomness) -> Result<[u8; N]> {
    let bytes =
        randomness.bytes().map_err(|e| Refusal::new(&rules::RANDOM, e, format!("{N} random bytes")))?;
    Ok(*bytes)
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

/// How many digits of a digest stand on a line that is printed to be typed.
pub const DIGITS: usize = 16;

/// The path of an upload as a shell fills it in: sixteen digits of its name and a star. The whole name is
/// longer than what is left of a line of 80 columns.
pub fn upload_path(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let begin: String = name.chars().take(DIGITS).collect();
    format!("{}*", typed(&path.with_file_name(begin)))
}

/// The runbook of a change of this record, in the same way.
pub fn runbook_path(record: &Path, change: &Digest) -> String {
    let begin: String = change.hex().chars().take(DIGITS).collect();
    format!("{}*/runbook.toml", typed(&record.join(format!("changes/{begin}"))))
}

/// A path on a line that is printed to be typed: one word of a POSIX shell, whatever a volume is called.
pub fn typed(path: &Path) -> String {
    let path = shown(path);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._+,:=@-".contains(&b);
    if !path.is_empty() && path.bytes().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// A path as it may be shown.
pub fn shown(path: &Path) -> String {
    crate::tuf::text::visible(&path.to_string_lossy())
}
