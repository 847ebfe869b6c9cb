//! A YubiHSM's log: what it did, in the order in which it did it, and what is on it by now.
//!
//! Entries are handed over as they came, with the digest by which each continues the one before;
//! whoever reads the record judges them (`ceremony::device_log`). The log has room for 62 entries and
//! then forgets the oldest, or, if auditing is forced, refuses to do anything more: keyrite never
//! forces it and says what it has on record before there could be too many (threats T24).

use super::YubiHsmToken;
use super::duties::Duty;
use super::objects::Kind;
use super::wire::{Command, Parts, odd};
use crate::signer::{AuditEntry, AuditLog, AuditRead, Fill, Held, PinSource};
use crate::tuf::rule::Result;

/// An entry's length in bytes, its digest included.
const ENTRY: usize = 32;

impl AuditLog for YubiHsmToken {
    fn fill(&mut self) -> Result<Fill> {
        let device = self.device()?;
        Ok(Fill { used: device.log_used.into(), room: device.log_room.into() })
    }

    fn read(&mut self, pins: &mut dyn PinSource) -> Result<AuditRead> {
        let mut session = self.session(Duty::Auditor, None, pins)?;
        let command = Command::GET_LOG;
        let came = session.done(command, &[])?;
        let mut parts = Parts::of(command, &came);
        let lost = u32::from(parts.short()?).saturating_add(parts.short()?.into());
        let count = parts.byte()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let raw: [u8; ENTRY] = parts.bytes()?;
            let [high, low, ..] = raw;
            entries.push(AuditEntry { number: u16::from_be_bytes([high, low]), raw: raw.to_vec() });
        }
        parts.done()?;
        Ok(AuditRead { lost, entries })
    }

    fn acknowledge(&mut self, number: u16, pins: &mut dyn PinSource) -> Result<()> {
        let mut session = self.session(Duty::Auditor, None, pins)?;
        let said = session.done(Command::SET_LOG_INDEX, &number.to_be_bytes())?;
        if said.is_empty() {
            Ok(())
        } else {
            Err(odd(Command::SET_LOG_INDEX, "with more than belongs there"))
        }
    }

    fn inventory(&mut self, pins: &mut dyn PinSource) -> Result<Vec<Held>> {
        let mut session = self.session(Duty::Auditor, None, pins)?;
        let mut held = Vec::new();
        for object in session.list()? {
            let duty = Duty::ALL.into_iter().find(|duty| duty.object() == object);
            let info = if object.is_the_devices() { None } else { session.info(object)? };
            let prepared = match (duty, &info) {
                (Some(duty), Some(info)) => duty.is(info),
                (_, None) => object.is_the_devices(),
                (None, Some(info)) => object.kind == Kind::WRAP && info.is_a_wrap_key(),
            };
            // A copy in another domain, or one that can do more, is nobody's key of the record.
            let public = match info {
                Some(info) if object.kind == Kind::ASYMMETRIC && info.only_signs() => {
                    session.public_key(object.id)?
                }
                _ => None,
            };
            held.push(Held { what: object.to_string(), prepared, public });
        }
        Ok(held)
    }
}
