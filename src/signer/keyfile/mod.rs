//! Private keys in files: what a software key is, and the forms that it is kept in.
//!
//! Written is one form of our own, encrypted PKCS#8 that OpenSSL reads ([`pkcs8`]), and the stock
//! Notary client's for developers who use it ([`notary`]). Read are these, whatever OpenSSL writes
//! as `ENCRYPTED PRIVATE KEY` with PBES2, and what the Notary client wrote before 0.6.
//!
//! CBC, which all these forms use, notices no tampering. So a key that has been decrypted is
//! compared with the public key that stands beside it, or with the one that was asked for
//! (crates 13).
//!
//! Never an unencrypted file, neither read nor written; never a pass-phrase shorter than
//! [`PASSPHRASE_MIN`].

use super::rules;
use super::secret::Pin;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::str;

pub(super) mod disk;
pub mod notary;
pub mod pkcs8;
mod private;

pub use private::PrivateKey;

/// The fewest characters of a pass-phrase that keyrite encrypts with.
pub const PASSPHRASE_MIN: usize = 12;

/// An encrypted key file, parsed but not opened.
#[derive(Debug)]
pub struct KeyFile {
    label: Option<String>,
    id: Option<[u8; 16]>,
    public: Option<PublicKey>,
    sealed: Sealed,
}

#[derive(Debug)]
enum Sealed {
    /// DER `EncryptedPrivateKeyInfo` (RFC 5958 3).
    Pkcs8(Vec<u8>),
    /// What OpenSSL called the traditional form.
    Legacy(notary::Legacy),
}

impl KeyFile {
    /// Reads a PEM file: one encrypted private key, and its public key if it stands beside it.
    ///
    /// # Errors
    ///
    /// `KEY-FILE-FORM`, `KEY-FILE-PLAIN` if the key is not encrypted.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = str::from_utf8(bytes).map_err(|_| form("a file that is no text"))?;
        let blocks = pem::parse_many(text).map_err(|e| form(&e.to_string()))?;
        let mut sealed = None;
        let mut public = None;
        for block in &blocks {
            let encrypted = block.headers().get("Proc-Type").is_some_and(|t| t.ends_with("ENCRYPTED"));
            let found = match block.tag() {
                "ENCRYPTED PRIVATE KEY" => Sealed::Pkcs8(block.contents().to_vec()),
                "EC PRIVATE KEY" | "RSA PRIVATE KEY" if encrypted => {
                    Sealed::Legacy(notary::Legacy::from_block(block)?)
                }
                "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                    return Err(Refusal::new(
                        &rules::KEY_FILE_PLAIN,
                        format!("an unencrypted block \"{}\"", block.tag()),
                        "\"ENCRYPTED PRIVATE KEY\"",
                    ));
                }
                "PUBLIC KEY" if public.is_none() => {
                    public = Some(PublicKey::from_spki_der(block.contents())?);
                    continue;
                }
                // What `openssl ecparam -genkey` writes before a key.
                "EC PARAMETERS" => continue,
                other => return Err(form(&format!("a block \"{}\"", visible(other)))),
            };
            if sealed.replace(found).is_some() {
                return Err(form("more than one private key"));
            }
        }
        let sealed = sealed.ok_or_else(|| form("no private key"))?;
        let (label, id) = pkcs8::preamble(text);
        Ok(Self { label, id, public, sealed })
    }

    /// The label that keyrite wrote before the key; escape it before showing.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The id that keyrite wrote before the key.
    pub const fn id(&self) -> Option<[u8; 16]> {
        self.id
    }

    /// The public key beside the private one: what the file claims until it is opened.
    pub const fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// Decrypts the key.
    ///
    /// # Errors
    ///
    /// `PIN-WRONG` if it does not decrypt, which a damaged file doesn't either; `KEY-FILE-FORM` if
    /// its encryption or its kind is not known; `KEY-FILE-PUBLIC` if it is not the key that stands
    /// beside it.
    pub fn open(&self, passphrase: &Pin) -> Result<PrivateKey> {
        let key = match &self.sealed {
            Sealed::Pkcs8(der) => pkcs8::open(der, passphrase)?,
            Sealed::Legacy(legacy) => legacy.open(passphrase)?,
        };
        if let Some(public) = &self.public {
            expect_public(&key, public)?;
        }
        Ok(key)
    }
}

/// Refuses a decrypted key that is not the one expected (crates 13: CBC has no MAC).
///
/// # Errors
///
/// `KEY-FILE-PUBLIC`.
pub fn expect_public(key: &PrivateKey, public: &PublicKey) -> Result<()> {
    if key.public() == public {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::KEY_FILE_PUBLIC,
        format!("the private key of {} {}", key.public().describe(), key.public().identity()),
        format!("that of {} {}", public.describe(), public.identity()),
    ))
}

/// Refuses a pass-phrase that is too short to encrypt with.
///
/// # Errors
///
/// `PASSPHRASE-SHORT`.
pub fn long_enough(passphrase: &Pin) -> Result<()> {
    let length = passphrase.expose().chars().count();
    if length >= PASSPHRASE_MIN {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::PASSPHRASE_SHORT,
        format!("{length} characters"),
        format!("at least {PASSPHRASE_MIN}"),
    ))
}

pub(super) fn form(found: &str) -> Refusal {
    Refusal::new(
        &rules::KEY_FILE_FORM,
        visible(found),
        "PEM with one private key, encrypted with PBES2, or by the Notary client with AES-256-CBC",
    )
}

/// Padding that doesn't come out right, or content that is no key: CBC can't tell which.
fn wrong_passphrase() -> Refusal {
    Refusal::new(
        &rules::PIN_WRONG,
        "a key file that does not open",
        "its pass-phrase, and the file as it was written",
    )
}
