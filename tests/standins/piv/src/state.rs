//! What the card remembers without power, in one file of JSON.

use crate::attest::Vendor;
use crate::keys::PrivateKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub const FACTORY_PIN: &[u8; 8] = b"123456\xff\xff";
pub const FACTORY_PUK: &[u8; 8] = b"12345678";
/// 01 02 … 08, three times (Yubico).
pub const FACTORY_MANAGEMENT: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// A PIN or PUK, padded to eight bytes, and its tries.
#[derive(Serialize, Deserialize, Clone)]
pub struct Secret {
    pub value: Vec<u8>,
    pub factory: bool,
    pub total: u8,
    pub left: u8,
}

impl Secret {
    pub fn factory(value: &[u8]) -> Self {
        Self { value: value.to_vec(), factory: true, total: 3, left: 3 }
    }

    /// Compares, and counts.
    pub fn is(&mut self, typed: &[u8]) -> bool {
        if self.left == 0 {
            return false;
        }
        if self.value == typed {
            self.left = self.total;
            return true;
        }
        self.left -= 1;
        false
    }

    pub fn set(&mut self, value: &[u8]) {
        self.value = value.to_vec();
        self.factory = false;
        self.left = self.total;
    }
}

/// A key in a slot.
#[derive(Serialize, Deserialize, Clone)]
pub struct Slot {
    pub key: PrivateKey,
    pub pin: u8,
    pub touch: u8,
    /// Made here, or else imported.
    pub generated: bool,
}

#[derive(Serialize, Deserialize)]
pub struct State {
    pub serial: u32,
    pub version: [u8; 3],
    pub pin: Secret,
    pub puk: Secret,
    /// AES-192.
    pub management: Vec<u8>,
    pub management_factory: bool,
    pub slots: BTreeMap<u8, Slot>,
    /// By number, as PUT DATA wrote them.
    pub objects: BTreeMap<u32, Vec<u8>>,
    /// Of the simulated vendor: root and the card's own attestation key, as scalars of P-256.
    pub root: Vec<u8>,
    pub f9: Vec<u8>,
    #[serde(skip)]
    file: PathBuf,
}

impl State {
    /// As the card was left, or as it comes from the factory.
    pub fn open(dir: &Path, serial: u32, version: &str) -> Self {
        let file = dir.join("state.json");
        if let Ok(bytes) = fs::read(&file) {
            let mut state: Self = serde_json::from_slice(&bytes).expect("a state that this program wrote");
            state.file = file;
            return state;
        }
        let mut parts = version.split('.').map(|n| n.parse().expect("a version like 5.7.4"));
        let mut part = || parts.next().expect("a version like 5.7.4");
        let state = Self {
            serial,
            version: [part(), part(), part()],
            pin: Secret::factory(FACTORY_PIN),
            puk: Secret::factory(FACTORY_PUK),
            management: FACTORY_MANAGEMENT.to_vec(),
            management_factory: true,
            slots: BTreeMap::new(),
            objects: BTreeMap::new(),
            root: crate::keys::scalar_p256(),
            f9: crate::keys::scalar_p256(),
            file,
        };
        state.keep();
        state
    }

    /// Reads the file once more: whatever was done to it while the card was out is so.
    pub fn read_again(&mut self) {
        let read: Option<Self> =
            fs::read(&self.file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(state) = read {
            *self = Self { file: std::mem::take(&mut self.file), ..state };
        }
    }

    /// As from the factory, but for what the vendor put in.
    pub fn wipe(&mut self) {
        self.pin = Secret::factory(FACTORY_PIN);
        self.puk = Secret::factory(FACTORY_PUK);
        self.management = FACTORY_MANAGEMENT.to_vec();
        self.management_factory = true;
        self.slots.clear();
        self.objects.clear();
    }

    /// What the vendor put in.
    pub fn vendor(&self) -> Vendor {
        Vendor { keys: [self.root.clone(), self.f9.clone()], serial: self.serial, version: self.version }
    }

    /// Writes the file. By rename, so that a killed card is never half a card.
    pub fn keep(&self) {
        let new = self.file.with_extension("new");
        let bytes = serde_json::to_vec_pretty(self).expect("a state is JSON");
        fs::write(&new, bytes).and_then(|()| fs::rename(&new, &self.file)).expect("the state can be kept");
    }
}
