//! The audit log: 62 entries, each with a digest over itself and the one before.
//!
//! Which commands are logged is an option for each: none by default since firmware 2.3.1, nearly all
//! before (Yubico's own tests of its python client). Forced, all are logged but the quiet ones, and
//! what can't be logged is refused ("Set Command Audit Option", "Logs"). To open a session is never
//! refused; what was not logged of it is counted.
//!
//! Guesses, since nothing published says it: the counters start again when the log is read off by
//! SET LOG INDEX, and an index that was never given out is refused.

use crate::codes::{command, error};
use crate::keys;
use crate::read::{Fields, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub const SIZE: usize = 62;
/// In every field of an entry that has nothing to say.
pub const NONE: u16 = 0xffff;

const OFF: u8 = 0;
const FIXED: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Entry {
    number: u16,
    /// All of it that the digest covers, number included.
    content: Vec<u8>,
    digest: [u8; 16],
}

/// What is logged of one command.
pub struct Event {
    pub command: u8,
    pub length: u16,
    /// The authentication key of the session.
    pub session: u16,
    pub target: u16,
    pub second: u16,
    pub result: u8,
}

#[derive(Serialize, Deserialize)]
pub struct Log {
    entries: Vec<Entry>,
    /// Of the last entry.
    number: u16,
    digest: [u8; 16],
    unlogged_boots: u16,
    unlogged_authentications: u16,
    force: u8,
    audit: BTreeMap<u8, u8>,
}

impl Log {
    /// As after a reset.
    pub fn new(firmware: [u8; 3]) -> Self {
        let on = firmware < [2, 3, 1];
        let audit = command::AUDITED.iter().map(|&c| (c, u8::from(on && !command::QUIET.contains(&c))));
        let mut log = Self {
            entries: Vec::new(),
            number: 0,
            digest: keys::random(),
            unlogged_boots: 0,
            unlogged_authentications: 0,
            force: OFF,
            audit: audit.collect(),
        };
        let reset =
            Event { command: 0xff, length: NONE, session: NONE, target: NONE, second: NONE, result: 0xff };
        log.push(&reset, u32::MAX);
        log
    }

    pub fn used(&self) -> u8 {
        self.entries.len() as u8
    }

    fn full(&self) -> bool {
        self.force != OFF && self.entries.len() >= SIZE
    }

    pub fn boot(&mut self) {
        if self.full() {
            self.unlogged_boots = self.unlogged_boots.saturating_add(1);
        } else {
            let event = Event { command: 0, length: 0, session: NONE, target: 0, second: 0, result: 0 };
            self.push(&event, 0);
        }
    }

    fn logs(&self, command: u8) -> bool {
        let asked = self.audit.get(&command).is_some_and(|&value| value != OFF);
        asked || self.force != OFF && !command::QUIET.contains(&command)
    }

    /// Whether there is room for the command's entry, if it needs one.
    pub fn admits(&self, command: u8) -> Result<()> {
        let always = matches!(command, command::GET_LOG_ENTRIES | command::SET_LOG_INDEX);
        if self.full() && self.logs(command) && !always { Err(error::LOG_FULL) } else { Ok(()) }
    }

    /// `tick`: since the device has power, in milliseconds.
    pub fn record(&mut self, event: &Event, tick: u32) {
        if !self.logs(event.command) {
            return;
        }
        if self.full() {
            if event.command == command::AUTHENTICATE_SESSION {
                self.unlogged_authentications = self.unlogged_authentications.saturating_add(1);
            }
            return;
        }
        self.push(event, tick);
    }

    fn push(&mut self, event: &Event, tick: u32) {
        self.number = self.number.wrapping_add(1);
        let mut content = self.number.to_be_bytes().to_vec();
        content.push(event.command);
        for field in [event.length, event.session, event.target, event.second] {
            content.extend(field.to_be_bytes());
        }
        content.push(event.result);
        content.extend(tick.to_be_bytes());
        let digest = Sha256::digest([content.as_slice(), &self.digest].concat());
        self.digest.copy_from_slice(&digest[..16]);
        if self.entries.len() >= SIZE {
            self.entries.remove(0);
        }
        self.entries.push(Entry { number: self.number, content, digest: self.digest });
    }

    /// GET LOG ENTRIES.
    pub fn told(&self) -> Vec<u8> {
        let mut out = self.unlogged_boots.to_be_bytes().to_vec();
        out.extend(self.unlogged_authentications.to_be_bytes());
        out.push(self.used());
        for entry in &self.entries {
            out.extend(&entry.content);
            out.extend(entry.digest);
        }
        out
    }

    /// SET LOG INDEX: forgets the entries up to this one.
    pub fn forget(&mut self, body: &[u8]) -> Result<()> {
        let mut fields = Fields::of(body);
        let number = fields.u16()?;
        fields.end()?;
        let last = self.entries.iter().position(|entry| entry.number == number).ok_or(error::INVALID_DATA)?;
        self.entries.drain(..=last);
        self.unlogged_boots = 0;
        self.unlogged_authentications = 0;
        Ok(())
    }

    /// GET OPTION, 1 and 3.
    pub fn option(&self, option: u8) -> Result<Vec<u8>> {
        match option {
            1 => Ok(vec![self.force]),
            3 => Ok(command::AUDITED
                .iter()
                .flat_map(|c| [*c, self.audit.get(c).copied().unwrap_or(OFF)])
                .collect()),
            _ => Err(error::INVALID_DATA),
        }
    }

    /// SET OPTION, 1 and 3. What was fixed stays.
    pub fn set_option(&mut self, option: u8, value: &[u8]) -> Result<()> {
        let settable = |now: u8, new: u8| now != FIXED && new <= FIXED || now == new;
        match (option, value) {
            (1, &[new]) if settable(self.force, new) => self.force = new,
            (3, pairs) if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
                let fits = pairs
                    .chunks(2)
                    .all(|pair| self.audit.get(&pair[0]).is_some_and(|&now| settable(now, pair[1])));
                if !fits {
                    return Err(error::INVALID_DATA);
                }
                self.audit.extend(pairs.chunks(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return Err(error::INVALID_DATA),
        }
        Ok(())
    }
}
