//! Key files of the Notary client (notary-v1 7).
//!
//! Since 0.6: PEM `ENCRYPTED PRIVATE KEY` with headers `role`, `gun` and `path`, PBES2 with
//! PBKDF2-HMAC-SHA1 at 2048 rounds. Its inside differs from RFC 5958: RSA without NULL, Ed25519
//! under a number of its own with 96 bytes, EC with version 1. It reads nothing stronger (a file
//! with SHA-256 imports without a word and then is of no use), which is why this form is written
//! only for a developer who has to use that client, and with a pass-phrase of keyrite's length.
//!
//! Before 0.6: PEM `EC PRIVATE KEY` or `RSA PRIVATE KEY` with `Proc-Type` and `DEK-Info`,
//! AES-256-CBC under one round of MD5. Read, never written.

use super::private::{Dialect, PrivateKey, drawn};
use super::{form, pkcs8, wrong_passphrase};
use crate::signer::randomness::Randomness;
use crate::signer::secret::Pin;
use crate::tuf::key::KeyId;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use ::pkcs8::pkcs5::pbes2::{Pbkdf2Params, Pbkdf2Prf, Salt};
use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use der::Decode;
use der::asn1::AnyRef;
use md5::{Digest as _, Md5};
use pem::Pem;
use zeroize::Zeroizing;

/// The client's own number.
const ROUNDS: u32 = 2048;

/// The text of a key file that the stock client imports: `notary key import FILE`.
///
/// `id` is the key's id in profile `notary`, of the bare key and not of a certificate. `gun`, the
/// collection, is written for `targets` and `snapshot` alone, as the client does; it takes keys of
/// `root` and of delegations for every collection.
///
/// # Errors
///
/// `PASSPHRASE-SHORT`; `KEY-FILE-FORM` if a header can't hold the role, id or gun.
pub fn seal(
    key: &PrivateKey,
    passphrase: &Pin,
    role: &RoleName,
    gun: &str,
    id: &KeyId,
    randomness: &Randomness,
) -> Result<String> {
    let salt = Salt::new(&drawn::<8>(randomness)?[..]).map_err(|e| form(&e.to_string()))?;
    let kdf = Pbkdf2Params { salt, iteration_count: ROUNDS, key_length: None, prf: Pbkdf2Prf::HmacWithSha1 };
    let mut block =
        Pem::new("ENCRYPTED PRIVATE KEY", pkcs8::encrypt(key, Dialect::Notary, passphrase, kdf, randomness)?);
    let mut headers = vec![("role", role.as_str()), ("path", id.as_str())];
    if matches!(role, RoleName::Targets | RoleName::Snapshot) {
        headers.push(("gun", gun));
    }
    for (name, value) in headers {
        if value.is_empty() || value.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(form(&format!("{name} \"{value}\"")));
        }
        block.headers_mut().add(name, value).map_err(|e| form(&e.to_string()))?;
    }
    Ok(pkcs8::text(&block))
}

/// A key encrypted by PEM headers (RFC 1421 4.6.1, as OpenSSL has it).
#[derive(Debug)]
pub(super) struct Legacy {
    rsa: bool,
    iv: [u8; 16],
    sealed: Vec<u8>,
}

impl Legacy {
    pub(super) fn from_block(block: &Pem) -> Result<Self> {
        let info = block.headers().get("DEK-Info").unwrap_or_default();
        let (cipher, iv) = info.split_once(',').unwrap_or((info, ""));
        let iv = base16ct::mixed::decode_vec(iv.trim()).unwrap_or_default();
        match (cipher.trim(), <[u8; 16]>::try_from(iv)) {
            ("AES-256-CBC", Ok(iv)) => {
                Ok(Self { rsa: block.tag() == "RSA PRIVATE KEY", iv, sealed: block.contents().to_vec() })
            }
            _ => Err(form(&format!("DEK-Info \"{info}\""))),
        }
    }

    pub(super) fn open(&self, passphrase: &Pin) -> Result<PrivateKey> {
        let key = UnboundCipherKey::new(&AES_256, &self.derive(passphrase)[..])
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .map_err(|_| form("AES-256-CBC is not there"))?;
        let mut buffer = Zeroizing::new(self.sealed.clone());
        let context = DecryptionContext::Iv128(FixedLength::from(&self.iv));
        let plain = key.decrypt(&mut buffer, context).map_err(|_| wrong_passphrase())?;
        if AnyRef::from_der(plain).is_err() {
            return Err(wrong_passphrase());
        }
        if self.rsa { PrivateKey::from_rsa(plain) } else { PrivateKey::from_sec1(plain, None) }
    }

    /// OpenSSL's `EVP_BytesToKey` with MD5, one round, salted with half the IV.
    fn derive(&self, passphrase: &Pin) -> Zeroizing<[u8; 32]> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, ..] = self.iv;
        let salt = [s0, s1, s2, s3, s4, s5, s6, s7];
        let round = |before: &[u8]| -> Zeroizing<[u8; 16]> {
            let hash = Md5::new().chain_update(before).chain_update(passphrase.expose()).chain_update(salt);
            Zeroizing::new(hash.finalize().into())
        };
        let first = round(&[]);
        let second = round(&first[..]);
        let mut key = Zeroizing::new([0; 32]);
        for (place, byte) in key.iter_mut().zip(first.iter().chain(second.iter())) {
            *place = *byte;
        }
        key
    }
}
