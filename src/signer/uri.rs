//! Key URIs: where a key is, in one line without secrets.
//!
//! `pkcs11:token=…;serial=…;object=…;id=%..;type=private` (RFC 7512), `file:PATH`,
//! `external:NAME`. Never a PIN: the attributes `pin-value` and `pin-source` are refused.

use crate::tuf::rule::{Refusal, Result};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyUri {
    /// On a PKCS#11 token.
    Pkcs11(Pkcs11Uri),
    /// In an encrypted file, or in a directory of them.
    File(PathBuf),
    /// Where keyrite can't reach, by a name for people.
    External(String),
}

/// The attributes of a `pkcs11:` URI that keyrite uses. Tokens are found by label and serial,
/// never by slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pkcs11Uri {
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `manufacturer`
    pub manufacturer: Option<String>,
    /// `model`
    pub model: Option<String>,
    /// `object`: `CKA_LABEL` of the key.
    pub object: Option<String>,
    /// `id`: `CKA_ID` of the key.
    pub id: Option<Vec<u8>>,
}

impl FromStr for KeyUri {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let _ = text;
        todo!()
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
