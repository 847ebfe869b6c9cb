//! The simulated vendor of all devices whose states lie in one folder: a root and an authority
//! below it, whose names say SIMULATED. No product may trust them.
//!
//! Written beside the states: `simulated-root.pem`, `simulated-intermediate.pem`, and the keys in
//! `simulated-vendor.json`.

use crate::attest::{Key, authority, certificate, name, validity};
use crate::codes::algorithm;
use crate::{der, keys};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::{fs, io};

const ROOT: &str = "SIMULATED YubiHSM Root CA, not Yubico's";
const AUTHORITY: &str = "SIMULATED YubiHSM Sub-CA, not Yubico's";

#[derive(Serialize, Deserialize)]
pub struct Vendor {
    root_key: Vec<u8>,
    key: Vec<u8>,
    root: Vec<u8>,
    intermediate: Vec<u8>,
}

impl Vendor {
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = folder.join("simulated-vendor.json");
        if !file.exists() {
            // The first that is complete stands, whoever else is making one.
            let own = folder.join(format!(".simulated-vendor.{}", std::process::id()));
            fs::write(&own, serde_json::to_vec(&Self::new())?)?;
            let linked = fs::hard_link(&own, &file);
            fs::remove_file(&own)?;
            if !file.exists() {
                linked?;
            }
        }
        let vendor: Self = serde_json::from_slice(&fs::read(&file)?)?;
        for (file, der) in
            [("simulated-root.pem", &vendor.root), ("simulated-intermediate.pem", &vendor.intermediate)]
        {
            if !folder.join(file).exists() {
                let own = folder.join(format!(".{file}.{}", std::process::id()));
                fs::write(&own, der::pem(der))?;
                fs::rename(&own, folder.join(file))?;
            }
        }
        Ok(vendor)
    }

    fn new() -> Self {
        let make = || keys::generate(algorithm::P256).expect("P-256 is known").0;
        let (root_key, key) = (make(), make());
        let by = Key { algorithm: algorithm::P256, data: &root_key };
        let below = Key { algorithm: algorithm::P256, data: &key };
        let root = certificate(by, &name(ROOT), &validity(), &name(ROOT), by, &authority(1));
        let intermediate = certificate(by, &name(ROOT), &validity(), &name(AUTHORITY), below, &authority(0));
        let (root, intermediate) =
            root.and_then(|root| Ok((root, intermediate?))).expect("P-256 signs SHA-256");
        Self { root_key, key, root, intermediate }
    }

    /// A certificate of the authority.
    pub fn issue(&self, subject: &[u8], key: Key, extensions: &[u8]) -> Vec<u8> {
        let by = Key { algorithm: algorithm::P256, data: &self.key };
        certificate(by, &name(AUTHORITY), &validity(), subject, key, extensions).expect("P-256 signs SHA-256")
    }
}
