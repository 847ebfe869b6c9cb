//! Who may do what on a YubiHSM: one authentication key for each duty.
//!
//! The numbers, domains and capabilities are the same on every device, so that anyone can compare
//! them with what a device has, by Yubico's tools as well (threats T4).

use super::objects::{Capabilities, Info, Kind, Object};
use crate::signer::{PinKind, rules};
use crate::tuf::rule::{Refusal, Result};
use std::fmt;

/// The factory's authentication key, and the password that everyone knows.
pub const FACTORY: (u16, &str) = (1, "password");

/// Where keyrite's keys are: domain 1. Nothing is in another.
pub const KEYS: u16 = 1;
/// All sixteen domains: whoever sees them all sees what someone hid in one.
pub const EVERY: u16 = 0xffff;

/// A duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Makes keys, has them attested, destroys them, resets the device.
    Administrator,
    /// Signs.
    Signer,
    /// Takes keys out under a wrap key, and back in; draws random bytes for one.
    Backup,
    /// Reads the log.
    Auditor,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Duty {
    /// Every duty, by number.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Signer, Self::Backup, Self::Auditor];

    /// The word, also the object's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Signer => "signer",
            Self::Backup => "backup",
            Self::Auditor => "auditor",
        }
    }

    /// The number of its authentication key.
    pub const fn id(self) -> u16 {
        match self {
            Self::Administrator => 2,
            Self::Signer => 3,
            Self::Backup => 4,
            Self::Auditor => 5,
        }
    }

    /// Its authentication key.
    pub const fn object(self) -> Object {
        Object { kind: Kind::AUTHENTICATION, id: self.id() }
    }

    /// The password that is set.
    pub const fn secret(self) -> PinKind {
        match self {
            Self::Administrator => PinKind::SecurityOfficer,
            Self::Signer => PinKind::User,
            Self::Backup => PinKind::Backup,
            Self::Auditor => PinKind::Auditor,
        }
    }

    /// The password to be set.
    pub const fn new_secret(self) -> PinKind {
        match self {
            Self::Administrator => PinKind::NewSecurityOfficer,
            Self::Signer => PinKind::NewUser,
            Self::Backup => PinKind::NewBackup,
            Self::Auditor => PinKind::NewAuditor,
        }
    }

    /// The domains that it sees.
    pub const fn domains(self) -> u16 {
        match self {
            Self::Administrator | Self::Auditor => EVERY,
            Self::Signer | Self::Backup => KEYS,
        }
    }

    /// What it may do.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::Administrator => Capabilities::GENERATE_ASYMMETRIC
                .and(Capabilities::DELETE_ASYMMETRIC)
                .and(Capabilities::DELETE_AUTHENTICATION)
                .and(Capabilities::ATTEST)
                .and(Capabilities::GET_OPAQUE)
                .and(Capabilities::GET_OPTION)
                .and(Capabilities::RESET),
            Self::Signer => Capabilities::SIGN_ECDSA.and(Capabilities::SIGN_EDDSA),
            Self::Backup => Capabilities::PUT_WRAP_KEY
                .and(Capabilities::DELETE_WRAP)
                .and(Capabilities::EXPORT_WRAPPED)
                .and(Capabilities::IMPORT_WRAPPED)
                .and(Capabilities::RANDOM),
            Self::Auditor => Capabilities::GET_LOG,
        }
    }

    /// What the objects that it makes or brings in can have.
    pub const fn delegated(self) -> Capabilities {
        let signing = Capabilities::SIGN_ECDSA.and(Capabilities::SIGN_EDDSA).and(Capabilities::EXPORTABLE);
        match self {
            Self::Administrator => signing,
            Self::Backup => signing.and(Capabilities::EXPORT_WRAPPED).and(Capabilities::IMPORT_WRAPPED),
            Self::Signer | Self::Auditor => Capabilities::NONE,
        }
    }

    /// Whether the device has its authentication key as it was put there.
    pub fn is(self, info: &Info) -> bool {
        info.capabilities == self.capabilities()
            && info.delegated == self.delegated()
            && info.domains == self.domains()
            && info.sequence == 0
    }
}

/// A password as Yubico's tools take it too, and not the factory's.
///
/// # Errors
///
/// `PIN-LENGTH`, `PIN-FACTORY`.
pub fn expect_form(duty: Duty, typed: &str) -> Result<()> {
    if !(8..=64).contains(&typed.len()) || typed.chars().any(char::is_control) {
        let found = format!("a password of the {duty} of {} bytes", typed.len());
        return Err(Refusal::new(&rules::PIN_LENGTH, found, "8 to 64 letters, digits or signs"));
    }
    if typed == FACTORY.1 {
        let found = format!("the factory's password for the {duty}");
        return Err(Refusal::new(&rules::PIN_FACTORY, found, "one of your own"));
    }
    Ok(())
}
