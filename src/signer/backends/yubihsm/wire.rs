//! Messages of a YubiHSM 2: a command's number, a length of two bytes, the body; and reading an
//! answer's parts within its bounds (YubiHSM 2 command reference).

use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};

/// No answer of a device is longer, whatever its firmware, in bytes.
pub const LONGEST_ANSWER: usize = 4096;

/// An answer that is an error.
const ERROR: u8 = 0x7f;

/// A command's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command(pub u8);

impl Command {
    pub const CREATE_SESSION: Self = Self(0x03);
    pub const AUTHENTICATE: Self = Self(0x04);
    pub const SESSION_MESSAGE: Self = Self(0x05);
    pub const DEVICE_INFO: Self = Self(0x06);
    pub const RESET: Self = Self(0x08);
    pub const CLOSE_SESSION: Self = Self(0x40);
    pub const GET_OPAQUE: Self = Self(0x43);
    pub const PUT_AUTHENTICATION_KEY: Self = Self(0x44);
    pub const GENERATE_KEY: Self = Self(0x46);
    pub const LIST_OBJECTS: Self = Self(0x48);
    pub const EXPORT_WRAPPED: Self = Self(0x4a);
    pub const IMPORT_WRAPPED: Self = Self(0x4b);
    pub const PUT_WRAP_KEY: Self = Self(0x4c);
    pub const GET_LOG: Self = Self(0x4d);
    pub const OBJECT_INFO: Self = Self(0x4e);
    pub const SET_OPTION: Self = Self(0x4f);
    pub const GET_OPTION: Self = Self(0x50);
    pub const RANDOM: Self = Self(0x51);
    pub const PUBLIC_KEY: Self = Self(0x54);
    pub const SIGN_ECDSA: Self = Self(0x56);
    pub const DELETE: Self = Self(0x58);
    pub const ATTEST: Self = Self(0x64);
    pub const SET_LOG_INDEX: Self = Self(0x67);
    pub const SIGN_EDDSA: Self = Self(0x6a);

    /// What it does, for people: completes "asked to …".
    const fn doing(self) -> &'static str {
        match self {
            Self::CREATE_SESSION | Self::AUTHENTICATE | Self::SESSION_MESSAGE => "open a session",
            Self::DEVICE_INFO => "tell what it is",
            Self::RESET => "reset itself",
            Self::CLOSE_SESSION => "close a session",
            Self::GET_OPAQUE => "give its certificate",
            Self::PUT_AUTHENTICATION_KEY => "take an authentication key",
            Self::GENERATE_KEY => "make a key",
            Self::LIST_OBJECTS | Self::OBJECT_INFO => "list what is on it",
            Self::EXPORT_WRAPPED => "let a key out",
            Self::IMPORT_WRAPPED => "take a key in",
            Self::PUT_WRAP_KEY => "take a wrap key",
            Self::RANDOM => "draw random bytes",
            Self::GET_LOG | Self::SET_LOG_INDEX => "hand over its log",
            Self::SET_OPTION => "set an option",
            Self::GET_OPTION => "tell an option",
            Self::PUBLIC_KEY => "give a public key",
            Self::SIGN_ECDSA | Self::SIGN_EDDSA => "sign",
            Self::DELETE => "delete an object",
            Self::ATTEST => "attest a key",
            Self(_) => "do something",
        }
    }
}

/// What a device refuses by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault(pub u8);

impl Fault {
    pub const WRONG_DATA: Self = Self(0x02);
    pub const AUTHENTICATION: Self = Self(0x04);
    pub const WRONG_LENGTH: Self = Self(0x08);
    pub const NOT_ALLOWED: Self = Self(0x09);
    pub const NOT_FOUND: Self = Self(0x0b);
    pub const EXISTS: Self = Self(0x11);

    const fn words(self) -> &'static str {
        match self.0 {
            0x01 => "a command that it doesn't know",
            0x02 => "wrong data",
            0x03 => "no such session",
            0x04 => "a wrong password",
            0x05 => "all its sessions are open",
            0x06 => "the session failed",
            0x07 => "its storage failed or is full",
            0x08 => "a wrong length",
            0x09 => "that authentication key may not do it",
            0x0a => "its log is full",
            0x0b => "no such object",
            0x0c => "no such number",
            0x11 => "that number is taken",
            _ => "an error of its own",
        }
    }

    /// The refusal of a command that has no meaning of its own for this fault.
    pub fn refused(self, command: Command) -> Refusal {
        let (rule, expected) = match self.0 {
            0x01 => (&rules::TOKEN_CANNOT, "a YubiHSM that can"),
            0x05 => (&rules::TOKEN_FAILED, "a session that is free: other programs' end after 30 seconds"),
            0x09 => (&rules::TOKEN_CANNOT, "authentication keys as keyrite puts them there"),
            0x0a => (&rules::TOKEN_FAILED, "a log with room, since keyrite never has the device wait for it"),
            _ => (&rules::TOKEN_FAILED, "a YubiHSM that does it"),
        };
        let found = format!("asked to {}: {} (error 0x{:02x})", command.doing(), self.words(), self.0);
        Refusal::new(rule, found, expected)
    }
}

/// A message as it goes over the wire.
///
/// # Errors
///
/// `PAYLOAD-TOO-LARGE` if it is longer than a length says.
pub fn message(command: Command, body: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(body.len()).map_err(|_| {
        let found = format!("a message of {} bytes", body.len());
        Refusal::new(&rules::PAYLOAD_TOO_LARGE, found, "at most 65,535 bytes")
    })?;
    Ok([&[command.0][..], &length.to_be_bytes(), body].concat())
}

/// The body of the answer to a command, or the fault that it names.
///
/// # Errors
///
/// `TOKEN-FAILED` for what is no answer to it.
pub fn answer(command: Command, came: &[u8]) -> Result<std::result::Result<Vec<u8>, Fault>> {
    let mut parts = Parts::of(command, came);
    let code = parts.byte()?;
    let length = parts.short()?;
    let body = parts.rest();
    if body.len() != usize::from(length) {
        return Err(odd(command, "another length than it says"));
    }
    match (code, body) {
        (ERROR, [fault]) => Ok(Err(Fault(*fault))),
        (code, body) if code == command.0 | 0x80 => Ok(Ok(body.to_vec())),
        _ => Err(odd(command, "of another command")),
    }
}

/// `TOKEN-FAILED`: an answer that no YubiHSM gives.
pub fn odd(command: Command, found: &str) -> Refusal {
    let found = format!("asked to {}: an answer {found}", command.doing());
    Refusal::new(&rules::TOKEN_FAILED, found, "an answer of a YubiHSM 2")
}

/// An answer, read part by part.
pub struct Parts<'a> {
    command: Command,
    left: &'a [u8],
}

impl<'a> Parts<'a> {
    pub const fn of(command: Command, bytes: &'a [u8]) -> Self {
        Self { command, left: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (part, rest) = self.left.split_first_chunk().ok_or_else(|| odd(self.command, "that is cut"))?;
        self.left = rest;
        Ok(*part)
    }

    pub fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn short(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn word(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn long(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.array()
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub fn rest(self) -> &'a [u8] {
        self.left
    }

    /// Refuses what is left.
    pub fn done(self) -> Result<()> {
        if self.left.is_empty() { Ok(()) } else { Err(odd(self.command, "with more than belongs there")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_answer_is_of_its_command_and_of_its_length() {
        let told = |came: &[u8]| answer(Command::PUBLIC_KEY, came).map_err(|e| e.rule().name);
        assert_eq!(told(&[0xd4, 0, 2, 7, 8]), Ok(Ok(vec![7, 8])));
        assert_eq!(told(&[0x7f, 0, 1, 0x0b]), Ok(Err(Fault::NOT_FOUND)));
        for came in [
            &[][..],
            &[0xd4],
            &[0xd4, 0],
            &[0xd4, 0, 1],
            &[0xd4, 0, 1, 7, 8],
            &[0xd5, 0, 1, 7],
            &[0x54, 0, 1, 7],
            &[0x7f, 0, 0],
            &[0x7f, 0, 2, 1, 1],
        ] {
            assert_eq!(told(came), Err("TOKEN-FAILED"), "{came:?}");
        }
        assert_eq!(message(Command::DELETE, &[1, 2]).unwrap(), [0x58, 0, 2, 1, 2]);
        assert_eq!(message(Command::DELETE, &vec![0; 65536]).unwrap_err().rule().name, "PAYLOAD-TOO-LARGE");
    }

    #[test]
    fn every_fault_has_words() {
        for fault in 0..=u8::MAX {
            let refusal = Fault(fault).refused(Command::SIGN_ECDSA);
            assert!(refusal.found().contains(&format!("0x{fault:02x}")), "{refusal}");
        }
    }
}
