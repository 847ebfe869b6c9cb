//! Encrypted PKCS#8: the form that keyrite writes, and what OpenSSL writes.
//!
//! Ours is PBES2 with PBKDF2-HMAC-SHA256 at 600,000 rounds and AES-256-CBC, which `openssl pkey`
//! 3.0, Go, Java and Python read as it is. (scrypt would cost an attacker more, but at the one size
//! that OpenSSL accepts by default, 16 MiB, not enough to shut the others out; crates 0.8.) The
//! public key follows in a block of its own, so that a key is found without its pass-phrase and one
//! file is all there is to lose. Label and id stand before the first block, where PEM allows text
//! (RFC 7468 2).

use super::private::{Dialect, PrivateKey, drawn};
use super::{form, long_enough, wrong_passphrase};
use crate::signer::randomness::Randomness;
use crate::signer::secret::Pin;
use crate::tuf::rule::Result;
use der::asn1::{AnyRef, OctetString};
use der::{Decode, Encode};
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::EncryptedPrivateKeyInfoOwned;
use pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, Pbkdf2Params};
use pkcs8::pkcs5::{EncryptionScheme, Error};
use zeroize::Zeroizing;

/// OWASP's number for PBKDF2-HMAC-SHA256, 2023.
const ROUNDS: u32 = 600_000;

/// The most work that opening a file may ask for; more is an attack or a mistake.
const ROUNDS_MAX: u32 = 20_000_000;
const SCRYPT_BYTES_MAX: u64 = 1 << 30;

/// The text of a new key file.
///
/// # Errors
///
/// `PASSPHRASE-SHORT`.
pub fn seal(
    key: &PrivateKey,
    passphrase: &Pin,
    label: &str,
    id: &[u8; 16],
    randomness: &Randomness,
) -> Result<String> {
    let salt = drawn::<16>(randomness)?;
    let kdf = Pbkdf2Params::hmac_sha256(ROUNDS, &salt[..]).map_err(|e| form(&e.to_string()))?;
    let der = encrypt(key, Dialect::Standard, passphrase, kdf, randomness)?;
    Ok(format!(
        "Label: {label}\nId: {}\nKey: {}\n{}{}",
        base16ct::lower::encode_string(id),
        key.public().describe(),
        text(&Pem::new("ENCRYPTED PRIVATE KEY", der)),
        key.public().spki_pem(),
    ))
}

/// DER `EncryptedPrivateKeyInfo`, AES-256-CBC under the key that `kdf` derives.
pub(super) fn encrypt(
    key: &PrivateKey,
    dialect: Dialect,
    passphrase: &Pin,
    kdf: Pbkdf2Params,
    randomness: &Randomness,
) -> Result<Vec<u8>> {
    long_enough(passphrase)?;
    let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: *drawn(randomness)? };
    let parameters = Parameters { kdf: Kdf::Pbkdf2(kdf), encryption };
    let plain = key.to_pkcs8(dialect)?;
    let sealed = parameters
        .encrypt(passphrase.expose(), &plain)
        .map_err(|e| form(&e.to_string()))
        .and_then(|bytes| OctetString::new(bytes).map_err(|e| form(&e.to_string())))?;
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: sealed,
    };
    info.to_der().map_err(|e| form(&e.to_string()))
}

/// Decrypts DER `EncryptedPrivateKeyInfo`.
pub(super) fn open(der: &[u8], passphrase: &Pin) -> Result<PrivateKey> {
    let info = EncryptedPrivateKeyInfoOwned::from_der(der).map_err(|e| form(&e.to_string()))?;
    let parameters = info.encryption_algorithm.pbes2().ok_or_else(|| form("encryption that is not PBES2"))?;
    affordable(&parameters.kdf)?;
    let plain = parameters.decrypt(passphrase.expose(), info.encrypted_data.as_bytes());
    let plain = Zeroizing::new(plain.map_err(|e| match e {
        Error::DecryptFailed | Error::EncryptFailed => wrong_passphrase(),
        other => form(&other.to_string()),
    })?);
    // Of 256 wrong pass-phrases one passes the check of the padding, and what comes out is no DER.
    if AnyRef::from_der(&plain).is_err() {
        return Err(wrong_passphrase());
    }
    PrivateKey::from_pkcs8(&plain)
}

fn affordable(kdf: &Kdf) -> Result<()> {
    let within = match kdf {
        Kdf::Pbkdf2(p) => p.iteration_count <= ROUNDS_MAX,
        Kdf::Scrypt(p) => {
            let rows = p.cost_parameter.saturating_mul(u64::from(p.block_size)).saturating_mul(128);
            rows.saturating_mul(u64::from(p.parallelization)) <= SCRYPT_BYTES_MAX
        }
        _ => false,
    };
    if within { Ok(()) } else { Err(form("a key derivation that takes minutes or gigabytes")) }
}

/// PEM as OpenSSL writes it.
pub(super) fn text(block: &Pem) -> String {
    pem::encode_config(block, EncodeConfig::new().set_line_ending(LineEnding::LF))
}

/// Label and id, if keyrite wrote the file.
pub(super) fn preamble(text: &str) -> (Option<String>, Option<[u8; 16]>) {
    let mut label = None;
    let mut id = None;
    for line in text.lines().take_while(|line| !line.starts_with("-----BEGIN")) {
        match line.split_once(": ") {
            Some(("Label", value)) => label = Some(value.to_owned()),
            Some(("Id", value)) => {
                id = base16ct::lower::decode_vec(value).ok().and_then(|v| v.try_into().ok());
            }
            _ => {}
        }
    }
    (label, id)
}
