//! What goes wrong between a device and its user, as lines of a file: `STATE.faults`, or what
//! `--faults` names. It is read again at every message. CODE is a command's number in hexadecimal,
//! like `56` for SIGN ECDSA, and the one inside where it comes in a session; `any` is each.
//!
//! `split N`           answers of the connector come in pieces of N bytes, one TCP segment each
//! `drip MS`           and a pause of so many milliseconds after each piece (of 1 byte, unless split)
//! `drop CODE`         the connection ends in the middle of the answer
//! `mac CODE`          the answer's MAC is wrong
//! `error NN CODE`     the device answers error NN (hexadecimal), having done nothing
//! `before CODE`       the device loses its power before it does anything
//! `after CODE`        the device loses its power when it is done and has told nobody
//! `lies WORD CODE`    of the key that the command makes or is about: `imported`, `leaves`, `rights`, `curve` when
//!                     it is made (it is so from then on), or `key`, when another one's public half is told
//! `stays CODE`        everything that was stored is still there when the command is done, as on a device
//!                     that only says that it was reset
//!
//! The first two hold until they are taken out, the others fire once: their line is taken out.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub struct Knobs {
    file: PathBuf,
}

impl Knobs {
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn lasting(&self, name: &str) -> Option<u64> {
        self.lines().iter().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Bytes to a segment, and the pause after each.
    pub fn pieces(&self) -> Option<(usize, Duration)> {
        let (split, drip) = (self.lasting("split "), self.lasting("drip "));
        let size = split.or(drip.map(|_| 1))?.max(1);
        Some((size as usize, Duration::from_millis(drip.unwrap_or(0))))
    }

    /// The words before CODE of the first line that begins so and is about this command.
    fn taken(&self, name: &str, command: u8) -> Option<Vec<String>> {
        let mut lines = self.lines();
        let about = |line: &String| {
            let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let code = words.pop()?;
            let fits = code == "any" || u8::from_str_radix(&code, 16) == Ok(command);
            (fits && words.first().map(String::as_str) == Some(name)).then_some(words)
        };
        let (place, words) = lines.iter().enumerate().find_map(|(n, line)| Some((n, about(line)?)))?;
        lines.remove(place);
        let left = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let _ = fs::write(&self.file, left);
        Some(words)
    }

    /// Whether this happens now. Once.
    pub fn fires(&self, name: &str, command: u8) -> bool {
        self.taken(name, command).is_some()
    }

    /// The error that is answered instead.
    pub fn error(&self, command: u8) -> Option<u8> {
        u8::from_str_radix(self.taken("error", command)?.get(1)?, 16).ok()
    }

    /// How the device lies about a key.
    pub fn lie(&self, command: u8) -> Option<String> {
        self.taken("lies", command)?.get(1).cloned()
    }

    /// Ends the process if it is to end here.
    pub fn dies(&self, name: &str, command: u8) {
        if self.fires(name, command) {
            std::process::exit(86);
        }
    }
}
