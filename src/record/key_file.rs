//! `keys/<name>/<sha>.json`: a public key as it came into the record.

use crate::ceremony::change::{Possession, Purpose};
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::digest::Digest;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::Result;
use crate::tuf::statement::TrustId;
use std::collections::BTreeMap;

/// A key file. Its later life is statements, never edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The trust that it belongs to.
    pub trust: TrustId,
    /// The record's name.
    pub name: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// What it is for.
    pub purpose: Purpose,
    /// The key.
    pub public: PublicKey,
    /// The certificate in PEM, for root keys of profile `notary`.
    pub certificate: Option<String>,
    /// The digest of the `change.json` that brought it in.
    pub change: Digest,
    /// How its possession is shown.
    pub possession: Possession,
    /// What holds it.
    pub token: TokenNote,
    /// What the token said of how it is kept.
    pub evidence: EvidenceNote,
}

/// What holds a key, as the record has it. Text as the token said it: escape before showing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenNote {
    /// `pkcs11`, `file`, `external`, `yubihsm`, `piv`, `backend` or `elsewhere`.
    pub kind: String,
    /// The token's label; empty where it has none, and so on.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Firmware version.
    pub firmware: String,
}

/// What a token said of a key, as the record has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceNote {
    /// `yes`, `no`, `unknown` or a mechanism's name, by attribute.
    pub attributes: BTreeMap<String, String>,
    /// DER attestation certificates, leaf first.
    pub attestation: Vec<Vec<u8>>,
    /// The module that spoke to the token: file name without folder, and SHA-256.
    pub module: Option<(String, Digest)>,
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `JSON`, `NAME`, `KEY-FORM`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let _ = bytes;
        todo!()
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }
}
