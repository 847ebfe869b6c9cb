//! A YubiHSM 2, natively: provisioned, making keys that it attests, signing, and its log handed over.
//!
//! The crate `yubihsm` (0.42.1) is not used, neither its transports nor its types: its HTTP client
//! mixes up any answer that comes in more than one piece, its sessions are never closed, so that the
//! seventeenth within 30 seconds is refused, its messages end at 2,048 bytes whatever the firmware,
//! nothing of its own can be put below it, and its cryptography is of another generation. What is
//! needed is two dozen commands, so they are here: `link`, `connector` and `usb` reach a device, `session`
//! encrypts, `wire` frames, `objects` knows the commands on what is stored, `options` what is logged, `duties` who may do what,
//! `provision` prepares a device and makes a key, `sign` signs, `backups` lets keys out and in, `log` hands over what the device did.
//!
//! Four authentication keys, each with a password and the least that its duty needs: the
//! administrator makes and destroys keys and sees every domain, the signer signs, the backup takes
//! keys out under a wrap key, the auditor reads the log and sees every domain. None of them can make
//! another, so what can be done with a device is settled on the day it is prepared.
//!
//! Never: a session that stays open, a device told apart by anything but its serial number, a key
//! made beside what someone else left on the device, forced auditing, which can lock a device up.

mod backups;
mod connector;
mod duties;
mod link;
mod log;
mod objects;
mod options;
mod provision;
mod session;
mod sign;
mod usb;
mod wire;

use super::super::{
    AuditLog, Backups, Evidence, Generated, KeyTag, PinAsk, PinKind, PinSource, Signer, Token, TokenIdentity,
    TokenKey, TokenKind, Tries, rules,
};
use crate::signer::randomness::Randomness;
use crate::signer::yubihsm::{Way, YubiHsmUri};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use duties::Duty;
use link::{Device, Link};
use objects::{Kind, Object};
use session::{Session, Static, Unopened};
use std::collections::BTreeMap;
use usb::Bus as _;
use wire::Command;

/// One YubiHSM, by its serial number.
pub(super) struct YubiHsmToken {
    link: Link,
    serial: u32,
    identity: TokenIdentity,
    most: usize,
    /// Whether it is as it left the factory, where that was looked at.
    factory: bool,
    /// The passwords' keys of this run: a session ends after 30 seconds in which people do nothing.
    keys: BTreeMap<Duty, Static>,
    randomness: Randomness,
}

/// The YubiHSMs that are reached in this way, to be listed; of each it is looked at whether it is as it
/// left the factory. `but`: serial numbers of those that are listed already, by another way.
///
/// # Errors
///
/// In the list: `TOKEN-MISSING`, `CONNECTOR`, `HSM-USB`, `TOKEN-FAILED`.
pub(super) fn all(way: Way, but: &[String], randomness: &Randomness) -> Vec<Result<YubiHsmToken>> {
    let links: Vec<Link> = match way {
        Way::Connector(connector) => vec![Link::Connector(connector)],
        Way::Usb => match usb::Machine.serials() {
            Ok(serials) => {
                let new = serials.into_iter().filter(|serial| !but.contains(&format!("{serial:010}")));
                new.map(|serial| Link::Usb(&usb::Machine, serial)).collect()
            }
            Err(e) => return vec![Err(e)],
        },
    };
    links.into_iter().map(|link| listed(link, randomness)).collect()
}

fn listed(link: Link, randomness: &Randomness) -> Result<YubiHsmToken> {
    let mut token = YubiHsmToken::new(link, &link.device()?, randomness);
    token.factory = provision::factory(&token)?.is_some();
    Ok(token)
}

/// The YubiHSM that a URI names.
///
/// # Errors
///
/// `TOKEN-MISSING`, `TOKEN-SERIAL`, `CONNECTOR`, `HSM-USB`, `TOKEN-FAILED`.
pub(super) fn open(uri: YubiHsmUri, randomness: &Randomness) -> Result<YubiHsmToken> {
    let link = Link::from(uri);
    let device = link.device()?;
    if device.serial != uri.serial {
        return Err(Refusal::new(
            &rules::TOKEN_SERIAL,
            format!("a YubiHSM with serial {:010}", device.serial),
            format!("the YubiHSM with serial {:010}", uri.serial),
        ));
    }
    Ok(YubiHsmToken::new(link, &device, randomness))
}

impl YubiHsmToken {
    fn new(link: Link, device: &Device, randomness: &Randomness) -> Self {
        let identity = TokenIdentity {
            kind: TokenKind::YubiHsm,
            label: String::new(),
            serial: format!("{:010}", device.serial),
            manufacturer: "Yubico".to_owned(),
            model: "YubiHSM 2".to_owned(),
            firmware: device.version(),
        };
        Self {
            link,
            serial: device.serial,
            identity,
            most: device.longest_message(),
            factory: false,
            keys: BTreeMap::new(),
            randomness: randomness.clone(),
        }
    }

    /// The device, which must be the one that it was.
    fn device(&self) -> Result<Device> {
        let device = self.link.device()?;
        if device.serial == self.serial {
            return Ok(device);
        }
        Err(Refusal::new(
            &rules::TOKEN_REMOVED,
            format!("a YubiHSM with serial {:010}", device.serial),
            format!("the YubiHSM with serial {:010}, still plugged in", self.serial),
        ))
    }

    /// A session in which a duty is done, its password asked for once in a run.
    fn session(&mut self, duty: Duty, key: Option<&str>, pins: &mut dyn PinSource) -> Result<Session> {
        self.device()?;
        if !self.keys.contains_key(&duty) {
            let typed = self.ask(duty.secret(), key, pins)?;
            duties::expect_form(duty, typed.expose())?;
            self.keys.insert(duty, Static::of(typed.expose()));
        }
        let opened = match self.keys.get(&duty) {
            Some(keys) => Session::open(self.link, duty.id(), keys, self.most, &self.randomness),
            None => Err(Unopened::NoKey),
        };
        let opened = opened.and_then(|mut session| {
            self.expect_itself(&mut session)?;
            Ok(session)
        });
        opened.map_err(|why| {
            self.keys.remove(&duty);
            match why {
                Unopened::Refused(refusal) => refusal,
                Unopened::WrongPassword => Refusal::new(
                    &rules::PIN_WRONG,
                    format!("a wrong password of the {duty} for the YubiHSM {}", self.identity.serial),
                    "the password that was set when it was prepared",
                ),
                Unopened::NoKey => Refusal::new(
                    &rules::HSM_UNPREPARED,
                    format!(
                        "no {duty} (authentication key {}) on the YubiHSM {}",
                        duty.id(),
                        self.identity.serial
                    ),
                    "a YubiHSM that keyrite prepared, as it does before it makes the first key",
                ),
            }
        })
    }

    /// What anyone on the way could have said of it, once more in a session, where nobody can.
    fn expect_itself(&self, session: &mut Session) -> Result<()> {
        let said = Device::told(&session.done(Command::DEVICE_INFO, &[])?)?;
        if said.serial == self.serial && said.version() == self.identity.firmware {
            return Ok(());
        }
        let told = |serial: u32, firmware: &str| {
            format!("a YubiHSM with serial {serial:010} and firmware {firmware}")
        };
        Err(Refusal::new(
            &rules::HSM_CHANNEL,
            format!("{}, where something on the way tells of another", told(said.serial, &said.version())),
            told(self.serial, &self.identity.firmware),
        ))
    }

    fn ask(
        &self,
        secret: PinKind,
        key: Option<&str>,
        pins: &mut dyn PinSource,
    ) -> Result<crate::signer::secret::Pin> {
        let token = self.identity.clone();
        pins.pin(&PinAsk { token, key: key.map(str::to_owned), secret, tries: Tries::Unknown })
    }

    /// The number of the object that is the private key of `public`.
    fn find(&self, session: &mut Session, public: &PublicKey) -> Result<u16> {
        for object in session.list()?.into_iter().filter(|object| object.kind == Kind::ASYMMETRIC) {
            if session.public_key(object.id)?.as_ref() == Some(public) {
                return Ok(object.id);
            }
        }
        Err(Refusal::new(
            &rules::KEY_NOT_ON_TOKEN,
            format!("no such key on the YubiHSM {}", self.identity.serial),
            format!("{} {}", public.describe(), public.identity()),
        ))
    }
}

impl Token for YubiHsmToken {
    fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    /// Never: a YubiHSM is prepared when its first key is made.
    fn is_blank(&self) -> bool {
        false
    }

    fn condition(&self) -> Option<&'static str> {
        self.factory.then_some("the factory's password, to be reset and prepared when its first key is made")
    }

    fn pin_pad(&self) -> bool {
        false
    }

    fn longest_message(&self) -> Option<usize> {
        Some(sign::longest(self.most))
    }

    fn resets(&mut self) -> Result<bool> {
        provision::factory(self).map(|session| session.is_some())
    }

    fn tries(&mut self) -> Result<Tries> {
        Ok(Tries::Unknown)
    }

    fn initialise(&mut self, _label: &str, _pins: &mut dyn PinSource) -> Result<()> {
        Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("the YubiHSM {}, which has no label", self.identity.serial),
            "`keyrite plan generate-key`, which resets and prepares it",
        ))
    }

    fn keys(&mut self, pins: &mut dyn PinSource) -> Result<Vec<TokenKey>> {
        if self.factory {
            return Ok(Vec::new());
        }
        let mut session = self.session(Duty::Signer, None, pins)?;
        let mut keys = Vec::new();
        for object in session.list()?.into_iter().filter(|object| object.kind == Kind::ASYMMETRIC) {
            let Some(info) = session.info(object)? else { continue };
            let public = session.public_key(object.id)?;
            keys.push(TokenKey { label: info.label, id: object.id.to_be_bytes().to_vec(), public });
        }
        Ok(keys)
    }

    fn generate(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Generated> {
        provision::generate(self, spec, tag, false, pins)
    }

    fn adopt(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Option<Generated>> {
        provision::adopt(self, spec, tag, false, pins)
    }

    fn open(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>> {
        Ok(Box::new(sign::YubiHsmSigner::open(self, public, pins)?))
    }

    fn destroy(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
        provision::destroy(self, public, pins)
    }

    fn evidence(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Evidence> {
        let mut session = self.session(Duty::Administrator, None, pins)?;
        let id = self.find(&mut session, public)?;
        provision::evidence(&mut session, Object { kind: Kind::ASYMMETRIC, id })
    }

    fn backups(&mut self) -> Option<&mut dyn Backups> {
        Some(self)
    }

    fn audit_log(&mut self) -> Option<&mut dyn AuditLog> {
        Some(self)
    }
}
