//! What a YubiKey has and the applet lacks: number and version, what it tells of PINs and keys, touch,
//! attestation, an AES management key, keys that can be destroyed, objects of Yubico's own, and a reset
//! that forgets.

use crate::applet::{administer, ask};
use crate::backends::Applet;
use piv_card::apdu::{Chains, Command, Status};
use piv_card::attest::Vendor;
use piv_card::knobs::Knobs;
use piv_card::management::{self, AES192, Shown};
use piv_card::state::FACTORY_MANAGEMENT;
use piv_card::tlv::{first, tlv, value};
use piv_card::wire;
use std::collections::BTreeMap;

const PIV: &[u8] = &[0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

const SECURITY: Status = 0x6982;
const WRONG_DATA: Status = 0x6a80;
const NOT_FOUND: Status = 0x6a82;
const WRONG_PLACE: Status = 0x6a86;
const NO_REFERENCE: Status = 0x6a88;
const NO_INSTRUCTION: Status = 0x6d00;

const OWN_CERTIFICATE: &[u8] = &[0x5f, 0xff, 0x01];
/// The applet's tries of PIN and PUK.
const TRIES: [u8; 2] = [3, 5];

type Answer = Result<Vec<u8>, Status>;

/// Of a key that the applet made.
struct Key {
    algorithm: u8,
    policies: [u8; 2],
    public: Vec<u8>,
}

pub struct Card<'a> {
    applet: Applet<'a>,
    vendor: Vendor,
    management: Vec<u8>,
    keys: BTreeMap<u8, Key>,
    /// By name, those that the applet doesn't know.
    objects: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of PIN and PUK.
    factory: [bool; 2],
    chains: Chains,
    now: Now,
}

/// What is true until the card is reset.
#[derive(Default)]
struct Now {
    selected: bool,
    /// The PIN came with the command just before.
    fresh: bool,
    management: Shown,
}

impl<'a> Card<'a> {
    pub fn new(applet: Applet<'a>, vendor: Vendor) -> Self {
        Self {
            applet,
            vendor,
            management: FACTORY_MANAGEMENT.to_vec(),
            keys: BTreeMap::new(),
            objects: BTreeMap::new(),
            factory: [true; 2],
            chains: Chains::default(),
            now: Now::default(),
        }
    }

    fn act(&mut self, command: &Command, knobs: &Knobs) -> Answer {
        let Command { ins, p1, p2, data, .. } = command;
        let (p1, p2, data) = (*p1, *p2, data.as_slice());
        if *ins == 0xa4 {
            return self.select(data);
        }
        if !self.now.selected {
            return Err(NO_INSTRUCTION);
        }
        let fresh = std::mem::take(&mut self.now.fresh);
        let pass = [*ins, p1, p2];
        match ins {
            0x20 => {
                let answer = ask(&mut self.applet, pass, data)?;
                self.now.fresh = p1 == 0 && data.len() == 8;
                Ok(answer)
            }
            0x24 | 0x2c => {
                let answer = ask(&mut self.applet, pass, data)?;
                // Both set the PIN, but for a change of the PUK.
                self.factory[usize::from(p2 == 0x81)] = false;
                Ok(answer)
            }
            0x47 => self.generate(p2, data),
            0x87 if p2 == management::NUMBER => self.now.management.show(&self.management, p1, data),
            0x87 => self.sign(pass, data, fresh, knobs),
            0xcb => self.get(pass, data),
            0xdb => self.put(pass, data),
            0xf6 => self.delete(p1, p2),
            0xf7 => self.metadata(p2),
            0xf8 => Ok(self.vendor.serial.to_be_bytes().to_vec()),
            0xf9 => {
                let key = self.keys.get(&p1).ok_or(NO_REFERENCE)?;
                Ok(self.vendor.key(p1, key.algorithm, &key.public, key.policies))
            }
            0xfd => Ok(self.vendor.version.to_vec()),
            0xff => {
                self.managed()?;
                self.management = management::new(p2, data)?;
                Ok(Vec::new())
            }
            _ => Err(NO_INSTRUCTION),
        }
    }

    /// A YubiKey takes the beginning of the name for the whole, and forgets who was there before.
    fn select(&mut self, name: &[u8]) -> Answer {
        if name.len() < 5 || !PIV.starts_with(name) {
            return Err(NOT_FOUND);
        }
        self.forget();
        self.now.selected = true;
        ask(&mut self.applet, [0xa4, 0x04, 0x00], PIV)
    }

    /// The applet itself remembers the PIN as long as it has power, and has it even without.
    fn forget(&mut self) {
        self.now = Now::default();
        let _ = ask(&mut self.applet, [0x20, 0xff, 0x80], &[]);
    }

    /// The host has shown the management key, so the applet is shown its own.
    fn managed(&mut self) -> Result<(), Status> {
        if self.now.management.shown { administer(&mut self.applet) } else { Err(SECURITY) }
    }

    fn generate(&mut self, slot: u8, data: &[u8]) -> Answer {
        self.managed()?;
        let made = ask(&mut self.applet, [0x47, 0, slot], data)?;
        let one = |tag| {
            let template = value(data, 0xac)?;
            value(template, tag)?.first().copied()
        };
        let (Some(algorithm), Some((0x7f49, template, _))) = (one(0x80), first(&made)) else {
            return Err(WRONG_DATA);
        };
        let public = value(template, 0x86).ok_or(WRONG_DATA)?.to_vec();
        let usual = if slot == 0x9c { 3 } else { 2 };
        let policies = [one(0xaa).filter(|pin| *pin > 0).unwrap_or(usual), one(0xab).unwrap_or(0).max(1)];
        self.keys.insert(slot, Key { algorithm, policies, public });
        Ok(made)
    }

    /// Whether the PIN came in time is for the applet to say; only then a touch is waited for.
    fn sign(&mut self, pass: [u8; 3], data: &[u8], fresh: bool, knobs: &Knobs) -> Answer {
        let key = self.keys.get(&pass[2]).ok_or(WRONG_PLACE)?;
        if key.algorithm != pass[1] {
            return Err(WRONG_PLACE);
        }
        if fresh && key.policies[1] > 1 && !knobs.touched() {
            return Err(SECURITY);
        }
        ask(&mut self.applet, pass, data)
    }

    fn get(&mut self, pass: [u8; 3], data: &[u8]) -> Answer {
        let name = value(data, 0x5c).ok_or(WRONG_DATA)?;
        if name == OWN_CERTIFICATE {
            let inner = [tlv(0x70, &self.vendor.own()), tlv(0x71, &[0]), tlv(0xfe, &[])].concat();
            return Ok(tlv(0x53, &inner));
        }
        if known(name) {
            return ask(&mut self.applet, pass, data);
        }
        self.objects.get(name).map(|content| tlv(0x53, content)).ok_or(NOT_FOUND)
    }

    fn put(&mut self, pass: [u8; 3], data: &[u8]) -> Answer {
        self.managed()?;
        let name = value(data, 0x5c).ok_or(WRONG_DATA)?;
        if known(name) {
            return ask(&mut self.applet, pass, data);
        }
        let content = value(data, 0x53).ok_or(WRONG_DATA)?.to_vec();
        self.objects.insert(name.to_vec(), content);
        Ok(Vec::new())
    }

    fn delete(&mut self, to: u8, from: u8) -> Answer {
        self.managed()?;
        if to != 0xff {
            return Err(NO_INSTRUCTION);
        }
        self.keys.remove(&from).map(|_| Vec::new()).ok_or(NO_REFERENCE)
    }

    fn metadata(&mut self, number: u8) -> Answer {
        match number {
            management::NUMBER => {
                let factory = self.management == FACTORY_MANAGEMENT;
                Ok([tlv(0x01, &[AES192]), tlv(0x02, &[0, 1]), tlv(0x05, &[u8::from(factory)])].concat())
            }
            0x80 | 0x81 => {
                let which = usize::from(number == 0x81);
                // Of the PUK the applet tells nothing.
                let left = match ask(&mut self.applet, [0x20, 0, 0x80], &[]) {
                    Err(status @ 0x63c0..=0x63cf) if which == 0 => status.to_be_bytes()[1] & 0x0f,
                    _ => TRIES[which],
                };
                let factory = u8::from(self.factory[which]);
                Ok([tlv(0x01, &[0xff]), tlv(0x05, &[factory]), tlv(0x06, &[TRIES[which], left])].concat())
            }
            slot => {
                let key = self.keys.get(&slot).ok_or(NO_REFERENCE)?;
                let public = tlv(0x04, &tlv(0x86, &key.public));
                Ok([tlv(0x01, &[key.algorithm]), tlv(0x02, &key.policies), tlv(0x03, &[1]), public].concat())
            }
        }
    }
}

/// Whether SP 800-73 has an object of this name.
fn known(name: &[u8]) -> bool {
    matches!(name, [0x7e] | [0x7f, 0x61] | [0x5f, 0xc1, _])
}

impl wire::Card for Card<'_> {
    fn insert(&mut self) {
        self.reset();
    }

    fn reset(&mut self) {
        self.forget();
        self.chains.clear();
    }

    fn command(&mut self, bytes: &[u8], knobs: &Knobs) -> Vec<u8> {
        let Some(command) = Command::parse(bytes) else { return 0x6700_u16.to_be_bytes().to_vec() };
        let expected = command.expected;
        match self.chains.whole(command) {
            Ok(command) => {
                let answer = self.act(&command, knobs);
                self.chains.answer(answer, expected)
            }
            Err(meanwhile) => meanwhile,
        }
    }
}
