//! The way to one device, and what it tells to anyone who has not logged in.

use super::usb::{self, Bus};
use super::wire::{self, Command, Fault, Parts};
use crate::signer::yubihsm::{Connector, Way, YubiHsmUri};
use crate::tuf::rule::Result;

/// From this firmware on, messages may be longer (Yubico, `lib/yubihsm.c` of yubihsm-shell 2.5).
const LONG_MESSAGES: [u8; 3] = [2, 4, 0];

/// The way to one device.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// Yubico's connector on this machine.
    Connector(Connector),
    /// The device of a serial number, itself.
    Usb(&'static dyn Bus, u32),
}

impl From<YubiHsmUri> for Link {
    fn from(uri: YubiHsmUri) -> Self {
        match uri.way {
            Way::Connector(connector) => Self::Connector(connector),
            Way::Usb => Self::Usb(&usb::Machine, uri.serial),
        }
    }
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Major, minor, patch.
    pub firmware: [u8; 3],
    /// The number that is also printed on it.
    pub serial: u32,
    /// How many entries its log has room for.
    pub log_room: u8,
    /// How many it has that nobody has acknowledged.
    pub log_used: u8,
}

impl Device {
    /// Of the answer to [`Command::DEVICE_INFO`].
    ///
    /// # Errors
    ///
    /// `TOKEN-FAILED`.
    pub fn told(came: &[u8]) -> Result<Self> {
        let mut parts = Parts::of(Command::DEVICE_INFO, came);
        // The kinds of keys that it knows follow; each is tried when it is needed.
        Ok(Self {
            firmware: parts.bytes()?,
            serial: parts.word()?,
            log_room: parts.byte()?,
            log_used: parts.byte()?,
        })
    }

    /// Its firmware: `2.4.0`.
    pub fn version(&self) -> String {
        let [major, minor, patch] = self.firmware;
        format!("{major}.{minor}.{patch}")
    }

    /// The longest message that it takes, in bytes.
    pub fn longest_message(&self) -> usize {
        if self.firmware >= LONG_MESSAGES { 3136 } else { 2048 }
    }
}

impl Link {
    /// Hands one message over and takes the answer.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING`, `CONNECTOR`, `HSM-USB`.
    pub fn exchange(&self, message: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Connector(connector) => connector.exchange(message),
            Self::Usb(bus, serial) => usb::exchange(*bus, *serial, message),
        }
    }

    /// A command outside a session.
    pub fn plain(&self, command: Command, body: &[u8]) -> Result<std::result::Result<Vec<u8>, Fault>> {
        wire::answer(command, &self.exchange(&wire::message(command, body)?)?)
    }

    /// Which device it is and how full its log.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING`, `CONNECTOR`, `HSM-USB`, `TOKEN-FAILED`.
    pub fn device(&self) -> Result<Device> {
        let command = Command::DEVICE_INFO;
        let came = self.plain(command, &[])?.map_err(|fault| fault.refused(command))?;
        Device::told(&came)
    }
}
