//! What a token says of a key: attributes that it claims, and certificates by which it attests.
//!
//! Attributes are a module's word. An [`Attestation`] is signed by the device and can be judged by
//! anyone later, without the device: here it is only carried, within bounds, and never judged
//! (`ceremony::attestation` does that).

use super::rules;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeMap;

/// What the token says of how a key is kept. Read back one by one; what it won't say is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// By attribute name in lower case (`local`, `sensitive`, `always-sensitive`, `extractable`,
    /// `never-extractable`, `key-gen-mechanism`): `yes`, `no`, `unknown`, or a name.
    pub attributes: BTreeMap<String, String>,
    /// The certificates by which the device attests the key; none where it has none.
    pub attestation: Option<Attestation>,
    /// The module that spoke to the token: its file's name and SHA-256 in hexadecimal. No path: the
    /// record is public and says nothing of anyone's machine.
    pub module: Option<(String, String)>,
}

/// Certificates by which a device attests one key: as the device gave them, not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    certificate: Vec<u8>,
    issuers: Vec<Vec<u8>>,
}

impl Attestation {
    /// The most certificates of one key: it, the device's, and what a vendor has between.
    pub const MOST: usize = 6;
    /// The longest certificate in bytes, twice what vendors make; with [`Self::MOST`] of them a key
    /// file stays below its 64 KiB.
    pub const LONGEST: usize = 4096;

    /// The key's certificate in DER, and its issuers' from the device's own upwards: for a YubiKey
    /// the attestation of the slot and the certificate in slot f9. Roots need not be among them.
    ///
    /// # Errors
    ///
    /// `TOKEN-ATTESTATION` for more or longer certificates than any device gives, or an empty one.
    pub fn new(certificate: Vec<u8>, issuers: Vec<Vec<u8>>) -> Result<Self> {
        let attestation = Self { certificate, issuers };
        let all = attestation.leaf_first();
        let lengths = all.iter().map(|der| der.len());
        if all.len() <= Self::MOST && lengths.clone().all(|length| (1..=Self::LONGEST).contains(&length)) {
            return Ok(attestation);
        }
        Err(Refusal::new(
            &rules::TOKEN_ATTESTATION,
            format!("{} certificates, the longest of {} bytes", all.len(), lengths.max().unwrap_or_default()),
            format!("1 to {} certificates of 1 to {} bytes each", Self::MOST, Self::LONGEST),
        ))
    }

    /// The key's certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its issuers' certificates in DER, the device's own first.
    pub fn issuers(&self) -> &[Vec<u8>] {
        &self.issuers
    }

    /// All of them, as the record has them.
    pub fn leaf_first(&self) -> Vec<&[u8]> {
        std::iter::once(&*self.certificate).chain(self.issuers.iter().map(Vec::as_slice)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_what_a_device_could_give_is_carried() {
        for (leaf, issuers, fits) in [
            (1, vec![], true),
            (4096, vec![4096; 5], true),
            (4097, vec![], false),
            (0, vec![700], false),
            (700, vec![0], false),
            (700, vec![700; 6], false),
            (700, vec![700, 4097], false),
        ] {
            let ders = issuers.iter().map(|length| vec![0x30; *length]).collect();
            let made = Attestation::new(vec![0x30; leaf], ders);
            match made {
                Ok(made) => {
                    assert!(fits, "{leaf} {issuers:?}");
                    assert_eq!(made.leaf_first().len(), issuers.len().saturating_add(1));
                }
                Err(refusal) => {
                    assert!(!fits, "{leaf} {issuers:?}");
                    assert_eq!(refusal.rule().name, "TOKEN-ATTESTATION");
                }
            }
        }
    }
}
