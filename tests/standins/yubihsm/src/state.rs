//! What the device remembers without power, in one file of JSON.

use crate::attest;
use crate::codes::{algorithm, capability, error, kind, origin};
use crate::keys;
use crate::log::Log;
use crate::read::Result;
use crate::vendor::Vendor;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const LABEL: usize = 40;
const MOST_OBJECTS: usize = 256;
/// PBKDF2 of `password` (HMAC-SHA-256, salt `Yubico`, 10,000 times).
const FACTORY_KEYS: [u8; 32] = [
    0x09, 0x0b, 0x47, 0xdb, 0xed, 0x59, 0x56, 0x54, 0x90, 0x1d, 0xee, 0x1c, 0xc6, 0x55, 0xe4, 0x20, 0x59,
    0x2f, 0xd4, 0x83, 0xf7, 0x59, 0xe2, 0x99, 0x09, 0xa0, 0x4c, 0x45, 0x05, 0xd2, 0xce, 0x0a,
];

#[derive(Serialize, Deserialize, Clone)]
pub struct Object {
    pub id: u16,
    pub kind: u8,
    pub algorithm: u8,
    pub capabilities: u64,
    pub delegated: u64,
    pub domains: u16,
    pub label: Vec<u8>,
    /// How many of this type and id were there before.
    pub sequence: u8,
    pub origin: u8,
    pub data: Vec<u8>,
    pub seed: Option<[u8; 32]>,
}

impl Object {
    /// Its content as it is wrapped and counted.
    pub fn content(&self) -> Vec<u8> {
        match self.kind {
            kind::AUTHENTICATION_KEY | kind::WRAP_KEY => {
                [&self.delegated.to_be_bytes(), self.data.as_slice()].concat()
            }
            _ => self.data.clone(),
        }
    }

    pub fn may(&self, capability: u64) -> Result<()> {
        if self.capabilities & capability == 0 { Err(error::INSUFFICIENT_PERMISSIONS) } else { Ok(()) }
    }
}

#[derive(Serialize, Deserialize)]
pub struct State {
    pub serial: u32,
    pub firmware: [u8; 3],
    pub objects: Vec<Object>,
    /// Type, id, and the sequence of the next object of these.
    sequences: Vec<(u8, u16, u8)>,
    pub log: Log,
    /// The device's own key for attestation, and the one that it shows as its public key.
    pub attestation_key: Vec<u8>,
    pub device_key: Vec<u8>,
    /// What the vendor says of the first of them.
    #[serde(default)]
    pub certificate: Vec<u8>,
    #[serde(skip)]
    file: PathBuf,
    #[serde(skip)]
    kept: Vec<u8>,
    /// Held as long as the process lives: a device is in one place.
    #[serde(skip)]
    lock: Option<File>,
}

impl State {
    /// Puts another key in the place of the one that the body of a command begins with.
    pub fn another_key(&mut self, body: &[u8]) {
        let Some(id) = body.first_chunk().map(|id| u16::from_be_bytes(*id)) else { return };
        for object in self.objects.iter_mut().filter(|o| o.id == id && o.kind == kind::ASYMMETRIC_KEY) {
            if let Ok((data, seed)) = keys::import(object.algorithm, &[0x5a; 32]) {
                (object.data, object.seed) = (data, seed);
            }
        }
    }

    /// Makes a key that was made just now other than it was asked for.
    pub fn other_than_asked(&mut self, lie: &str, id: u16) {
        for object in self.objects.iter_mut().filter(|o| o.id == id && o.kind == kind::ASYMMETRIC_KEY) {
            match lie {
                "imported" => object.origin = origin::IMPORTED,
                "leaves" => object.capabilities |= capability::EXPORTABLE_UNDER_WRAP,
                "rights" => object.capabilities |= capability::SIGN_ATTESTATION,
                "curve" => {
                    object.algorithm = algorithm::P384;
                    if let Ok((data, seed)) = keys::generate(algorithm::P384) {
                        (object.data, object.seed) = (data, seed);
                    }
                }
                other => panic!("no lie `{other}`"),
            }
        }
    }

    /// As the device was left, or as it comes from the factory. Either way it has just got power.
    pub fn open(file: &Path, serial: u32, firmware: [u8; 3], vendor: &Vendor) -> io::Result<Self> {
        let lock = locked(&file.with_extension("lock"))?;
        let mut state = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(_) => Self::factory(serial, firmware),
        };
        state.file = file.into();
        state.lock = Some(lock);
        if state.certificate.is_empty() {
            state.certificate = attest::device(&state, vendor);
        }
        state.log.boot();
        state.keep();
        Ok(state)
    }

    fn factory(serial: u32, firmware: [u8; 3]) -> Self {
        let key = || keys::generate(algorithm::P256).expect("P-256 is known").0;
        Self {
            serial,
            firmware,
            objects: vec![default_key(firmware)],
            sequences: Vec::new(),
            log: Log::new(firmware),
            attestation_key: key(),
            device_key: key(),
            certificate: Vec::new(),
            file: PathBuf::new(),
            kept: Vec::new(),
            lock: None,
        }
    }

    /// RESET DEVICE, with the restart that follows it.
    pub fn reset(&mut self) {
        self.objects = vec![default_key(self.firmware)];
        self.sequences.clear();
        self.log = Log::new(self.firmware);
        self.log.boot();
    }

    /// Writes what has changed. By rename, so that a killed device is never half a device.
    pub fn keep(&mut self) {
        let bytes = serde_json::to_vec(self).expect("a state is JSON");
        if bytes != self.kept {
            let new = self.file.with_extension("new");
            fs::write(&new, &bytes)
                .and_then(|()| fs::rename(&new, &self.file))
                .expect("the state can be kept");
            self.kept = bytes;
        }
    }

    /// The object, if it is in one of the domains.
    pub fn object(&self, kind: u8, id: u16, domains: u16) -> Result<&Object> {
        let object = self.objects.iter().find(|object| object.kind == kind && object.id == id);
        object.filter(|object| object.domains & domains != 0).ok_or(error::OBJECT_NOT_FOUND)
    }

    /// Keeps a new object, under the next free id where it has none.
    pub fn add(&mut self, mut object: Object) -> Result<u16> {
        let taken = |id: u16| self.objects.iter().any(|other| other.kind == object.kind && other.id == id);
        if object.id == 0 {
            object.id = std::iter::repeat_with(|| u16::from_be_bytes(keys::random()))
                .find(|&id| id != 0 && id != 0xffff && !taken(id))
                .ok_or(error::STORAGE_FAILED)?;
        }
        if object.id == 0xffff {
            return Err(error::INVALID_ID);
        }
        if taken(object.id) {
            return Err(error::OBJECT_EXISTS);
        }
        if self.objects.len() >= MOST_OBJECTS {
            return Err(error::STORAGE_FAILED);
        }
        let before = self.sequences.iter().find(|(kind, id, _)| (*kind, *id) == (object.kind, object.id));
        object.sequence = before.map_or(0, |(_, _, next)| *next);
        let id = object.id;
        self.objects.push(object);
        Ok(id)
    }

    /// Deletes an object that is there.
    pub fn remove(&mut self, kind: u8, id: u16) {
        let Some(place) = self.objects.iter().position(|object| (object.kind, object.id) == (kind, id))
        else {
            return;
        };
        let gone = self.objects.remove(place);
        self.sequences.retain(|(kind, id, _)| (*kind, *id) != (gone.kind, gone.id));
        self.sequences.push((kind, id, gone.sequence.wrapping_add(1)));
    }
}

fn default_key(firmware: [u8; 3]) -> Object {
    let capabilities = if firmware < [2, 4, 0] { capability::ALL >> 2 } else { capability::ALL };
    let mut label = b"DEFAULT AUTHKEY CHANGE THIS ASAP".to_vec();
    label.resize(LABEL, 0);
    Object {
        id: 1,
        kind: kind::AUTHENTICATION_KEY,
        algorithm: algorithm::AUTHENTICATION,
        capabilities,
        delegated: capabilities,
        domains: 0xffff,
        label,
        sequence: 0,
        origin: origin::IMPORTED,
        data: FACTORY_KEYS.to_vec(),
        seed: None,
    }
}

/// A moment is left to a device of the same state that is just being killed.
fn locked(path: &Path) -> io::Result<File> {
    let file = File::create(path)?;
    for _ in 0..100 {
        if file.try_lock().is_ok() {
            return Ok(file);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other(format!("{}: the device is plugged in elsewhere", path.display())))
}
