//! Options of a YubiHSM: what it writes into its log, and that a full one never stops it.
//!
//! A device of today's firmware logs nothing unless it is told to. It is told to log whatever uses,
//! makes, moves or removes a key or has the log forgotten, and that for good: only a reset takes it
//! back, so that nobody who has a password can do something unseen. Everything else would only fill the
//! log. To open a session is not logged: wrong passwords, which anyone can send who reaches the
//! connector, would push out entries that nobody has read, and right ones say no more than what they
//! are used for.

use super::session::Session;
use super::wire::{Command, odd};
use crate::tuf::rule::Result;

/// Forced auditing: the device refuses to work while its log is full.
const FORCE: u8 = 1;
/// Which commands are logged.
const COMMANDS: u8 = 3;
/// On, until the device is reset.
const FIXED: u8 = 2;

/// By number (YubiHSM 2 command reference): whoever has no such command doesn't list it.
const LOGGED: &[u8] = &[
    0x08, // reset device
    0x42, // put opaque object
    0x44, // put authentication key
    0x45, // put asymmetric key
    0x46, // generate asymmetric key
    0x47, // sign PKCS#1
    0x49, // decrypt PKCS#1
    0x4a, // export wrapped
    0x4b, // import wrapped
    0x4c, // put wrap key
    0x4f, // set option
    0x55, // sign PSS
    0x56, // sign ECDSA
    0x57, // derive ECDH
    0x58, // delete object
    0x59, // decrypt OAEP
    0x5b, // generate wrap key
    0x5d, // sign SSH certificate
    0x64, // sign attestation certificate
    0x67, // set log index
    0x68, // wrap data
    0x69, // unwrap data
    0x6a, // sign EdDSA
    0x6c, // change authentication key
    0x73, // RSA wrap keys, of later firmware: all that can be done with them
    0x74, 0x75, 0x76, 0x77,
];

impl Session {
    /// Has everything logged that matters, for good, and working never stopped by it.
    pub fn set_auditing(&mut self) -> Result<()> {
        let known: Vec<u8> = self.audited()?.into_iter().map(|(command, _)| command).collect();
        let pairs: Vec<u8> =
            LOGGED.iter().filter(|c| known.contains(c)).flat_map(|command| [*command, FIXED]).collect();
        self.set(COMMANDS, &pairs)?;
        self.set(FORCE, &[0])
    }

    /// What is other than [`Self::set_auditing`] left it, in words.
    pub fn odd_auditing(&mut self) -> Result<Vec<String>> {
        let mut odd = Vec::new();
        for (command, how) in self.audited()? {
            if LOGGED.contains(&command) && how != FIXED {
                odd.push(format!("no log of the command 0x{command:02x}"));
            }
        }
        if self.done(Command::GET_OPTION, &[FORCE])?.iter().any(|byte| *byte != 0) {
            odd.push("forced auditing".to_owned());
        }
        Ok(odd)
    }

    /// Every command that can be logged, and how it is.
    fn audited(&mut self) -> Result<Vec<(u8, u8)>> {
        let came = self.done(Command::GET_OPTION, &[COMMANDS])?;
        let (pairs, rest) = came.as_chunks::<2>();
        if rest.is_empty() {
            Ok(pairs.iter().map(|[command, how]| (*command, *how)).collect())
        } else {
            Err(odd(Command::GET_OPTION, "that is cut"))
        }
    }

    fn set(&mut self, option: u8, value: &[u8]) -> Result<()> {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        let body = [&[option][..], &length.to_be_bytes(), value].concat();
        self.done(Command::SET_OPTION, &body).map(|_| ())
    }
}
