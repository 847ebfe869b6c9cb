//! The PIV applet: what each instruction does, and what it needs first; and as much of the management
//! applet as Yubico's ykman asks before it turns to PIV: what kind of device this is.

use crate::apdu::{Chains, Command, Status};
use crate::attest;
use crate::keys::PrivateKey;
use crate::knobs::Knobs;
use crate::management::{self, AES192, NUMBER as MANAGEMENT, Shown};
use crate::state::{Secret, Slot, State};
use crate::tlv::{first, tlv, value};
use crate::wire;
use std::path::Path;

const PIV: &[u8] = &[0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

const MANAGER: &[u8] = &[0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

const SECURITY: Status = 0x6982;
const BLOCKED: Status = 0x6983;
const WRONG_DATA: Status = 0x6a80;
const NOT_SUPPORTED: Status = 0x6a81;
const NOT_FOUND: Status = 0x6a82;
const WRONG_PLACE: Status = 0x6a86;
const NO_REFERENCE: Status = 0x6a88;
const NO_INSTRUCTION: Status = 0x6d00;
const CONDITIONS: Status = 0x6985;

const PRINTED: u32 = 0x5f_c109;
const OWN_CERTIFICATE: u32 = 0x5f_ff01;

type Answer = Result<Vec<u8>, Status>;

/// The card: what it remembers, and what it forgets at a reset.
pub struct Card {
    state: State,
    chains: Chains,
    now: Now,
}

/// What is true until the card is reset or another applet is chosen.
#[derive(Default)]
struct Now {
    selected: bool,
    manager: bool,
    pin: bool,
    /// The PIN came with the command just before.
    fresh: bool,
    management: Shown,
}

impl Card {
    pub fn open(dir: &Path, serial: u32, version: &str) -> Self {
        let state = State::open(dir, serial, version);
        std::fs::write(dir.join("root.pem"), attest::pem(&state.vendor().root()))
            .expect("the root can be written");
        Self { state, chains: Chains::default(), now: Now::default() }
    }

    fn act(&mut self, command: &Command, knobs: &Knobs) -> Answer {
        let Command { ins, p1, p2, data, .. } = command;
        let (p1, p2, data) = (*p1, *p2, data.as_slice());
        if *ins == 0xa4 {
            return self.select(data);
        }
        if self.now.manager && *ins == 0x1d && p1 == 0 {
            return Ok(self.device());
        }
        if !self.now.selected {
            return Err(NO_INSTRUCTION);
        }
        let fresh = std::mem::take(&mut self.now.fresh);
        match ins {
            0x20 => self.verify(p1, p2, data),
            0x24 => self.change(p2, data),
            0x2c => self.unblock(p2, data),
            0x47 => self.generate(p2, data),
            0x87 if p2 == MANAGEMENT => self.now.management.show(&self.state.management, p1, data),
            0x87 => self.sign(p1, p2, data, fresh, knobs),
            0xcb => self.get(data),
            0xdb => self.put(data),
            0xf6 => self.delete(p1, p2),
            0xf7 => self.metadata(p2),
            0xf8 => Ok(self.state.serial.to_be_bytes().to_vec()),
            0xf9 => self.attest(p1),
            0xfa => self.tries(p1, p2),
            0xfb => self.wipe(),
            0xfd => Ok(self.state.version.to_vec()),
            0xfe => self.import(p1, p2, data),
            0xff => self.set_management(p2, data),
            _ => Err(NO_INSTRUCTION),
        }
    }

    /// A YubiKey takes the beginning of the name for the whole.
    fn select(&mut self, name: &[u8]) -> Answer {
        if name == MANAGER {
            self.now = Now { manager: true, ..Now::default() };
            let [major, minor, patch] = self.state.version;
            return Ok(format!("Virtual mgr - FW version {major}.{minor}.{patch}").into_bytes());
        }
        if name.len() < 5 || !PIV.starts_with(name) {
            return Err(NOT_FOUND);
        }
        self.now = Now { selected: true, ..Now::default() };
        let inner = [tlv(0x4f, &PIV[5..]), tlv(0x79, &tlv(0x4f, &PIV[..5]))].concat();
        Ok(tlv(0x61, &inner))
    }

    /// Which applets there are and are on over USB (PIV alone), serial number, form, version, no lock.
    fn device(&self) -> Vec<u8> {
        let piv = [0x00, 0x10];
        let parts = [
            tlv(0x01, &piv),
            tlv(0x02, &self.state.serial.to_be_bytes()),
            tlv(0x03, &piv),
            tlv(0x04, &[0x01]),
            tlv(0x05, &self.state.version),
            tlv(0x0a, &[0]),
        ]
        .concat();
        [&[parts.len() as u8][..], &parts].concat()
    }

    fn secret(&mut self, number: u8) -> Result<&mut Secret, Status> {
        match number {
            0x80 => Ok(&mut self.state.pin),
            0x81 => Ok(&mut self.state.puk),
            _ => Err(NO_REFERENCE),
        }
    }

    fn verify(&mut self, p1: u8, number: u8, typed: &[u8]) -> Answer {
        if number != 0x80 {
            return Err(NO_REFERENCE);
        }
        match (p1, typed.len()) {
            (0xff, 0) => {
                self.now.pin = false;
                Ok(Vec::new())
            }
            (0, 0) if self.now.pin => Ok(Vec::new()),
            (0, 0) => Err(wrong(&self.state.pin)),
            (0, 8) => {
                self.now.pin = self.state.pin.is(typed);
                self.now.fresh = self.now.pin;
                if self.now.pin { Ok(Vec::new()) } else { Err(wrong(&self.state.pin)) }
            }
            _ => Err(WRONG_DATA),
        }
    }

    fn change(&mut self, number: u8, typed: &[u8]) -> Answer {
        let (Some((old, new)), true) = (typed.split_at_checked(8), typed.len() == 16) else {
            return Err(WRONG_DATA);
        };
        let secret = self.secret(number)?;
        if !secret.is(old) {
            return Err(wrong(secret));
        }
        if !well_formed(new) {
            return Err(WRONG_DATA);
        }
        secret.set(new);
        Ok(Vec::new())
    }

    fn unblock(&mut self, number: u8, typed: &[u8]) -> Answer {
        let (Some((puk, new)), true) = (typed.split_at_checked(8), typed.len() == 16) else {
            return Err(WRONG_DATA);
        };
        if number != 0x80 {
            return Err(NO_REFERENCE);
        }
        if !self.state.puk.is(puk) {
            return Err(wrong(&self.state.puk));
        }
        if !well_formed(new) {
            return Err(WRONG_DATA);
        }
        self.state.pin.set(new);
        Ok(Vec::new())
    }

    /// Another number of tries, which also brings the factory's PIN and PUK back.
    fn tries(&mut self, pin: u8, puk: u8) -> Answer {
        if !self.now.management.shown || !self.now.pin {
            return Err(SECURITY);
        }
        if pin == 0 || puk == 0 {
            return Err(WRONG_DATA);
        }
        self.state.pin = Secret { total: pin, left: pin, ..Secret::factory(crate::state::FACTORY_PIN) };
        self.state.puk = Secret { total: puk, left: puk, ..Secret::factory(crate::state::FACTORY_PUK) };
        Ok(Vec::new())
    }

    fn wipe(&mut self) -> Answer {
        if self.state.pin.left > 0 || self.state.puk.left > 0 {
            return Err(CONDITIONS);
        }
        self.state.wipe();
        self.now = Now { selected: true, ..Now::default() };
        Ok(Vec::new())
    }

    fn set_management(&mut self, touch: u8, data: &[u8]) -> Answer {
        if !self.now.management.shown {
            return Err(SECURITY);
        }
        self.state.management = management::new(touch, data)?;
        self.state.management_factory = self.state.management == crate::state::FACTORY_MANAGEMENT;
        Ok(Vec::new())
    }

    fn generate(&mut self, number: u8, data: &[u8]) -> Answer {
        if !self.now.management.shown {
            return Err(SECURITY);
        }
        if !is_slot(number) {
            return Err(WRONG_PLACE);
        }
        let Some((0xac, template, _)) = first(data) else { return Err(WRONG_DATA) };
        let one = |tag| value(template, tag).and_then(|v| v.first().copied()).unwrap_or_default();
        let key = PrivateKey::generate(one(0x80)).ok_or(WRONG_DATA)?;
        let public = tlv(0x86, &key.public());
        self.fill(number, key, one(0xaa), one(0xab), true)?;
        Ok(tlv(0x7f49, &public))
    }

    fn import(&mut self, algorithm: u8, number: u8, data: &[u8]) -> Answer {
        if !self.now.management.shown {
            return Err(SECURITY);
        }
        if !is_slot(number) {
            return Err(WRONG_PLACE);
        }
        let one = |tag| value(data, tag).and_then(|v| v.first().copied()).unwrap_or_default();
        let secret = value(data, 0x06).or_else(|| value(data, 0x07)).ok_or(WRONG_DATA)?;
        let key = PrivateKey::import(algorithm, secret).ok_or(WRONG_DATA)?;
        self.fill(number, key, one(0xaa), one(0xab), false)?;
        Ok(Vec::new())
    }

    fn fill(
        &mut self,
        number: u8,
        key: PrivateKey,
        pin: u8,
        touch: u8,
        generated: bool,
    ) -> Result<(), Status> {
        if pin > 3 || touch > 3 {
            return Err(WRONG_DATA);
        }
        let usual = match number {
            0x9c => 3,
            0x9e => 1,
            _ => 2,
        };
        let slot = Slot { key, pin: if pin == 0 { usual } else { pin }, touch: touch.max(1), generated };
        self.state.slots.insert(number, slot);
        Ok(())
    }

    fn delete(&mut self, to: u8, from: u8) -> Answer {
        if !self.now.management.shown {
            return Err(SECURITY);
        }
        let slot = self.state.slots.remove(&from).ok_or(NO_REFERENCE)?;
        if to != 0xff {
            self.state.slots.insert(to, slot);
        }
        Ok(Vec::new())
    }

    fn sign(&mut self, algorithm: u8, number: u8, data: &[u8], fresh: bool, knobs: &Knobs) -> Answer {
        let slot = self.state.slots.get(&number).ok_or(WRONG_PLACE)?;
        if slot.key.algorithm != algorithm {
            return Err(WRONG_PLACE);
        }
        let Some((0x7c, template, _)) = first(data) else { return Err(WRONG_DATA) };
        let message = value(template, 0x81).ok_or(WRONG_DATA)?;
        let allowed = match slot.pin {
            1 => true,
            2 => self.now.pin,
            _ => fresh && self.now.pin,
        };
        if !allowed || (slot.touch > 1 && !knobs.touched()) {
            return Err(SECURITY);
        }
        let signature = slot.key.sign(message).ok_or(WRONG_DATA)?;
        Ok(tlv(0x7c, &tlv(0x82, &signature)))
    }

    fn get(&self, data: &[u8]) -> Answer {
        let number = object(value(data, 0x5c).ok_or(WRONG_DATA)?)?;
        if number == 0x7e {
            // Discovery: the PIN is the card's own (SP 800-73-4 part 1, 3.3.2).
            return Ok(tlv(0x7e, &[tlv(0x4f, PIV), tlv(0x5f2f, &[0x40, 0x00])].concat()));
        }
        if number == PRINTED && !self.now.pin {
            return Err(SECURITY);
        }
        if number == OWN_CERTIFICATE {
            let inner = [tlv(0x70, &self.state.vendor().own()), tlv(0x71, &[0]), tlv(0xfe, &[])].concat();
            return Ok(tlv(0x53, &inner));
        }
        self.state.objects.get(&number).map(|bytes| tlv(0x53, bytes)).ok_or(NOT_FOUND)
    }

    fn put(&mut self, data: &[u8]) -> Answer {
        if !self.now.management.shown {
            return Err(SECURITY);
        }
        let number = object(value(data, 0x5c).ok_or(WRONG_DATA)?)?;
        let content = value(data, 0x53).ok_or(WRONG_DATA)?;
        if number == OWN_CERTIFICATE || number >> 16 != 0x5f {
            return Err(NOT_SUPPORTED);
        }
        if content.is_empty() {
            self.state.objects.remove(&number);
        } else {
            self.state.objects.insert(number, content.to_vec());
        }
        Ok(Vec::new())
    }

    fn metadata(&mut self, number: u8) -> Answer {
        if self.state.version < [5, 3, 0] {
            return Err(NO_INSTRUCTION);
        }
        match number {
            MANAGEMENT => Ok([
                tlv(0x01, &[AES192]),
                tlv(0x02, &[0, 1]),
                tlv(0x05, &[u8::from(self.state.management_factory)]),
            ]
            .concat()),
            0x80 | 0x81 => {
                let secret = self.secret(number)?;
                let parts = [
                    tlv(0x01, &[0xff]),
                    tlv(0x05, &[u8::from(secret.factory)]),
                    tlv(0x06, &[secret.total, secret.left]),
                ];
                Ok(parts.concat())
            }
            slot => {
                let slot = self.state.slots.get(&slot).ok_or(NO_REFERENCE)?;
                Ok([
                    tlv(0x01, &[slot.key.algorithm]),
                    tlv(0x02, &[slot.pin, slot.touch]),
                    tlv(0x03, &[if slot.generated { 1 } else { 2 }]),
                    tlv(0x04, &tlv(0x86, &slot.key.public())),
                ]
                .concat())
            }
        }
    }

    fn attest(&self, number: u8) -> Answer {
        let slot = self.state.slots.get(&number).ok_or(NO_REFERENCE)?;
        if !slot.generated {
            return Err(WRONG_DATA);
        }
        Ok(self.state.vendor().key(number, slot.key.algorithm, &slot.key.public(), [slot.pin, slot.touch]))
    }
}

impl wire::Card for Card {
    fn insert(&mut self) {
        self.state.read_again();
        self.reset();
    }

    fn reset(&mut self) {
        self.now = Now::default();
        self.chains.clear();
    }

    fn command(&mut self, bytes: &[u8], knobs: &Knobs) -> Vec<u8> {
        let Some(command) = Command::parse(bytes) else { return 0x6700_u16.to_be_bytes().to_vec() };
        let expected = command.expected;
        match self.chains.whole(command) {
            Ok(command) => {
                let answer = self.act(&command, knobs);
                self.state.keep();
                self.chains.answer(answer, expected)
            }
            Err(meanwhile) => meanwhile,
        }
    }
}

/// How many tries are left, or none.
fn wrong(secret: &Secret) -> Status {
    if secret.left == 0 { BLOCKED } else { 0x63c0 | u16::from(secret.left & 0x0f) }
}

/// Six to eight bytes, filled up with ff.
fn well_formed(padded: &[u8]) -> bool {
    let length = padded.iter().position(|b| *b == 0xff).unwrap_or(padded.len());
    length >= 6 && padded[length..].iter().all(|b| *b == 0xff)
}

/// The slots that hold keys of people; f9 is the vendor's.
fn is_slot(number: u8) -> bool {
    matches!(number, 0x9a | 0x9c | 0x9d | 0x9e | 0x82..=0x95)
}

fn object(name: &[u8]) -> Result<u32, Status> {
    match name {
        [one] => Ok(u32::from(*one)),
        [a, b, c] => Ok(u32::from(*a) << 16 | u32::from(*b) << 8 | u32::from(*c)),
        _ => Err(WRONG_DATA),
    }
}
