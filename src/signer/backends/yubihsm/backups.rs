//! Keys that leave a YubiHSM under a wrap key, and come back on another.
//!
//! The device's own form: AES-256-CCM over the key with its number, label, domains and capabilities
//! (YubiHSM 2 user guide, "Wrap keys"), which another YubiHSM takes in just as it was: so a key keeps
//! its number, a number that is taken there is refused, and what could leave once can leave again.
//! Which wrap key may take a key out a YubiHSM doesn't say: whoever has the backup's password can put one
//! of their own there, and the device's log shows it. A wrap key is an object of the device, which stays
//! where a session is cut off; the next one deletes it.
//!
//! What a device attests of a key that it did not make is that it did not make it, so no attestation
//! goes with one that came back. A device that is as from the factory is prepared before it takes a
//! wrap key.

use super::YubiHsmToken;
use super::duties::{Duty, KEYS};
use super::objects::{Capabilities, Kind, LABEL, Object, padded};
use super::provision;
use super::session::Session;
use super::wire::{Command, Fault, Parts, odd};
use crate::signer::secret::WrapSecret;
use crate::signer::{Backups, Evidence, Generated, KeyTag, PinSource, Restored, WrapForm, WrappedKey, rules};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use zeroize::Zeroizing;

/// The device's number for AES-256 with CCM, as wrap keys have it.
const AES_256_CCM: u8 = 42;

impl YubiHsmToken {
    fn backing_up(&mut self, pins: &mut dyn PinSource) -> Result<Session> {
        self.session(Duty::Backup, None, pins)
    }

    fn expect_wrap_key(&self, session: &mut Session, tag: &KeyTag) -> Result<u16> {
        wrap_key(session, tag)?.ok_or_else(|| {
            let found = format!("no wrap key \"{}\" on the YubiHSM {}", tag.label, self.identity.serial);
            Refusal::new(&rules::WRAP_KEY, found, "the wrap key that is asked for")
        })
    }

    /// A key as it is after it came in: what is at its number is what left.
    fn came_back(&self, session: &mut Session, object: Object, public: &PublicKey) -> Result<Generated> {
        let found = session.public_key(object.id)?;
        if found.as_ref() != Some(public) {
            let found = found.map_or_else(
                || format!("{object} of another kind"),
                |found| format!("{} {}", found.describe(), found.identity()),
            );
            let expected = format!("{} {}", public.describe(), public.identity());
            return Err(Refusal::new(&rules::WRAP_PUBLIC, found, expected));
        }
        let info = session.info(object)?.filter(super::objects::Info::only_signs);
        let info = info.ok_or_else(|| {
            let found =
                format!("{object} on the YubiHSM {}, which can do more than sign", self.identity.serial);
            Refusal::new(&rules::TOKEN_WEAK, found, "a key in domain 1 that only signs")
        })?;
        let attributes = provision::attributes(object, &info);
        let evidence = Evidence { attributes, attestation: None, module: None };
        Ok(Generated { public: public.clone(), evidence })
    }
}

/// The number of the wrap key of that tag, if it is there.
fn wrap_key(session: &mut Session, tag: &KeyTag) -> Result<Option<u16>> {
    let (id, label) = provision::place(tag)?;
    let there = session.info(Object { kind: Kind::WRAP, id })?;
    Ok(there.filter(|info| info.label == label && info.is_a_wrap_key()).map(|_| id))
}

impl Backups for YubiHsmToken {
    fn form(&self) -> WrapForm {
        WrapForm::YubiHsmCcm
    }

    fn random(&mut self, pins: &mut dyn PinSource) -> Result<Zeroizing<[u8; 32]>> {
        let mut session = self.backing_up(pins)?;
        let came = session.done(Command::RANDOM, &32_u16.to_be_bytes())?;
        let mut bytes = Zeroizing::new([0; 32]);
        if came.len() != bytes.len() {
            return Err(odd(Command::RANDOM, "of another length"));
        }
        bytes.copy_from_slice(&came);
        Ok(bytes)
    }

    fn put_wrap_key(&mut self, secret: &WrapSecret, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()> {
        if provision::factory(self)?.is_some() {
            provision::prepare(self, tag, pins)?;
        }
        let mut session = self.backing_up(pins)?;
        let (id, label) = provision::place(tag)?;
        let signing = Capabilities::SIGN_ECDSA.and(Capabilities::SIGN_EDDSA).and(Capabilities::EXPORTABLE);
        let wraps = Capabilities::EXPORT_WRAPPED.and(Capabilities::IMPORT_WRAPPED);
        let label: [u8; LABEL] = padded(&label)?;
        let body = Zeroizing::new(
            [
                &id.to_be_bytes()[..],
                &label,
                &KEYS.to_be_bytes(),
                &wraps.0.to_be_bytes(),
                &[AES_256_CCM],
                &signing.0.to_be_bytes(),
                &secret.expose()[..],
            ]
            .concat(),
        );
        match session.tried(Command::PUT_WRAP_KEY, &body)? {
            Ok(_) => Ok(()),
            Err(Fault::EXISTS) => {
                Err(taken(&format!("a wrap key 0x{id:04x} on the YubiHSM {}", self.identity.serial)))
            }
            Err(fault) => Err(fault.refused(Command::PUT_WRAP_KEY)),
        }
    }

    fn holds_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<bool> {
        let mut session = self.backing_up(pins)?;
        Ok(wrap_key(&mut session, tag)?.is_some())
    }

    fn remove_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()> {
        // Nobody has a password of one that was never prepared.
        if provision::factory(self)?.is_some() {
            return Ok(());
        }
        let mut session = self.backing_up(pins)?;
        let Some(id) = wrap_key(&mut session, tag)? else { return Ok(()) };
        session.delete(Object { kind: Kind::WRAP, id })?;
        match wrap_key(&mut session, tag)? {
            None => Ok(()),
            Some(_) => Err(Refusal::new(&rules::TOKEN_FAILED, "a wrap key that is still there", "none")),
        }
    }

    fn generate_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        _under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Generated> {
        provision::generate(self, spec, tag, true, pins)
    }

    fn adopt_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        _under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Option<Generated>> {
        provision::adopt(self, spec, tag, true, pins)
    }

    fn exportable(&mut self, public: &PublicKey, _under: &KeyTag, pins: &mut dyn PinSource) -> Result<bool> {
        let mut session = self.backing_up(pins)?;
        let id = self.find(&mut session, public)?;
        let info = session.info(Object { kind: Kind::ASYMMETRIC, id })?;
        Ok(info.is_some_and(|info| info.may_leave()))
    }

    fn export(&mut self, public: &PublicKey, under: &KeyTag, pins: &mut dyn PinSource) -> Result<WrappedKey> {
        let mut session = self.backing_up(pins)?;
        let id = self.find(&mut session, public)?;
        let wrap = self.expect_wrap_key(&mut session, under)?;
        let body = [&wrap.to_be_bytes()[..], &[Kind::ASYMMETRIC.0], &id.to_be_bytes()].concat();
        match session.tried(Command::EXPORT_WRAPPED, &body)? {
            Ok(bytes) => Ok(WrappedKey { form: self.form(), bytes: bytes.to_vec() }),
            Err(Fault::NOT_ALLOWED) => Err(Refusal::new(
                &rules::WRAP_REFUSED,
                format!("the YubiHSM {}, which doesn't let {} out", self.identity.serial, public.describe()),
                "a key that was made to be backed up",
            )),
            Err(fault) => Err(fault.refused(Command::EXPORT_WRAPPED)),
        }
    }

    fn restore(
        &mut self,
        wrapped: &WrappedKey,
        public: &PublicKey,
        _tag: &KeyTag,
        under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Restored> {
        let mut session = self.backing_up(pins)?;
        match self.find(&mut session, public) {
            Ok(id) => {
                let made = self.came_back(&mut session, Object { kind: Kind::ASYMMETRIC, id }, public)?;
                return Ok(Restored { made, opened: false });
            }
            Err(e) if e.rule() == &rules::KEY_NOT_ON_TOKEN => {}
            Err(e) => return Err(e),
        }
        if wrapped.form != self.form() {
            let found = format!("a key wrapped as {}", wrapped.form.name());
            return Err(Refusal::new(&rules::WRAP_REFUSED, found, self.form().name()));
        }
        let wrap = self.expect_wrap_key(&mut session, under)?;
        let command = Command::IMPORT_WRAPPED;
        let came = match session.tried(command, &[&wrap.to_be_bytes()[..], &wrapped.bytes].concat())? {
            Ok(came) => came,
            Err(Fault::WRONG_DATA | Fault::WRONG_LENGTH | Fault::NOT_ALLOWED) => {
                return Err(Refusal::new(
                    &rules::WRAP_REFUSED,
                    format!("bytes that the YubiHSM {} doesn't unwrap", self.identity.serial),
                    format!("a key that was wrapped under \"{}\"", under.label),
                ));
            }
            Err(Fault::EXISTS) => {
                let found = format!("another key at its number on the YubiHSM {}", self.identity.serial);
                return Err(taken(&found));
            }
            Err(fault) => return Err(fault.refused(command)),
        };
        let mut parts = Parts::of(command, &came);
        let object = Object { kind: Kind(parts.byte()?), id: parts.short()? };
        parts.done()?;
        let back = if object.kind == Kind::ASYMMETRIC {
            self.came_back(&mut session, object, public)
        } else {
            Err(Refusal::new(&rules::WRAP_PUBLIC, object.to_string(), public.describe()))
        };
        drop(session);
        if back.is_err() {
            // Nobody knows it: it must not look like a key of the record, and no login or wrap key of a
            // stranger may stay.
            let duty = if object.kind == Kind::WRAP { Duty::Backup } else { Duty::Administrator };
            self.session(duty, None, pins)?.delete(object)?;
        }
        back.map(|made| Restored { made, opened: true })
    }
}

/// `LABEL-IN-USE`.
fn taken(found: &str) -> Refusal {
    Refusal::new(&rules::LABEL_IN_USE, found, "a number that is free on the YubiHSM")
}
