//! Asymmetric keys as the device keeps them, which is also how they stand in a wrapped object:
//! for ECDSA scalar, x, y; for Ed25519 scalar (most significant byte first), prefix, public key.

use crate::codes::{algorithm, error};
use crate::read::Result;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use getrandom::SysRng;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner as _;
use sha2::{Digest as _, Sha512};

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}

/// A key of the kind, with the seed where Ed25519 has one.
pub fn generate(kind: u8) -> Result<(Vec<u8>, Option<[u8; 32]>)> {
    match kind {
        algorithm::P384 => loop {
            if let Ok(key) = import(kind, &random::<48>()) {
                return Ok(key);
            }
        },
        algorithm::P256 | algorithm::ED25519 => loop {
            if let Ok(key) = import(kind, &random::<32>()) {
                return Ok(key);
            }
        },
        _ => Err(error::INVALID_DATA),
    }
}

/// From a scalar or a seed.
pub fn import(kind: u8, secret: &[u8]) -> Result<(Vec<u8>, Option<[u8; 32]>)> {
    let bad = error::INVALID_DATA;
    match kind {
        algorithm::P256 => {
            let key = p256::ecdsa::SigningKey::from_slice(secret).map_err(|_| bad)?;
            let point = key.verifying_key().to_sec1_point(false);
            Ok(([secret, &point.as_bytes()[1..]].concat(), None))
        }
        algorithm::P384 => {
            let key = p384::ecdsa::SigningKey::from_slice(secret).map_err(|_| bad)?;
            let point = key.verifying_key().to_sec1_point(false);
            Ok(([secret, &point.as_bytes()[1..]].concat(), None))
        }
        algorithm::ED25519 => {
            let seed: [u8; 32] = secret.try_into().map_err(|_| error::WRONG_LENGTH)?;
            let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
            let mut hash: [u8; 64] = Sha512::digest(seed).into();
            hash[0] &= 0xf8;
            hash[31] = hash[31] & 0x7f | 0x40;
            hash[..32].reverse();
            Ok(([hash.as_slice(), &public].concat(), Some(seed)))
        }
        _ => Err(bad),
    }
}

/// Whether a key that came under wrap is one, and the seed if it brings it along.
pub fn unwrapped(kind: u8, data: &[u8]) -> Result<(Vec<u8>, Option<[u8; 32]>)> {
    let bad = error::INVALID_DATA;
    match kind {
        algorithm::P256 | algorithm::P384 => {
            let made = import(kind, data.get(..data.len() / 3).ok_or(bad)?)?;
            if made.0 == data { Ok(made) } else { Err(bad) }
        }
        algorithm::ED25519 if data.len() == 128 => {
            let made = import(kind, &data[96..])?;
            if made.0 == data[..96] { Ok(made) } else { Err(bad) }
        }
        algorithm::ED25519 if data.len() == 96 => Ok((data.to_vec(), None)),
        _ => Err(bad),
    }
}

/// x and y, or the 32 bytes of Ed25519.
pub fn public(kind: u8, data: &[u8]) -> &[u8] {
    match kind {
        algorithm::P256 => &data[32..],
        algorithm::P384 => &data[48..],
        _ => &data[64..96],
    }
}

/// ECDSA of a digest, in DER, another one each time. A digest that is longer than the field is cut
/// (firmware 2.1).
pub fn sign_ecdsa(kind: u8, data: &[u8], digest: &[u8]) -> Result<Vec<u8>> {
    let bad = error::INVALID_DATA;
    if !matches!(digest.len(), 20 | 32 | 48 | 64) {
        return Err(bad);
    }
    // For P-384 even SHA-1 is taken: filled up from the left, which is the same number.
    let mut filled = vec![0; 32_usize.saturating_sub(digest.len())];
    filled.extend(digest);
    match kind {
        algorithm::P256 => {
            let key = p256::ecdsa::SigningKey::from_slice(&data[..32]).map_err(|_| bad)?;
            let signature: p256::ecdsa::Signature =
                key.sign_prehash_with_rng(&mut SysRng, &filled).map_err(|_| bad)?;
            Ok(signature.to_der().as_bytes().to_vec())
        }
        algorithm::P384 => {
            let key = p384::ecdsa::SigningKey::from_slice(&data[..48]).map_err(|_| bad)?;
            let signature: p384::ecdsa::Signature =
                key.sign_prehash_with_rng(&mut SysRng, &filled).map_err(|_| bad)?;
            Ok(signature.to_der().as_bytes().to_vec())
        }
        _ => Err(bad),
    }
}

/// Ed25519 of the message itself.
pub fn sign_eddsa(kind: u8, data: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let bad = error::INVALID_DATA;
    if kind != algorithm::ED25519 {
        return Err(bad);
    }
    let mut secret: [u8; 64] = data[..64].try_into().map_err(|_| bad)?;
    secret[..32].reverse();
    let public: [u8; 32] = data[64..96].try_into().map_err(|_| bad)?;
    let public = ed25519_dalek::VerifyingKey::from_bytes(&public).map_err(|_| bad)?;
    Ok(raw_sign::<Sha512>(&ExpandedSecretKey::from_bytes(&secret), message, &public).to_bytes().to_vec())
}
