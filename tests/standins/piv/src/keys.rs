//! Private keys of the three kinds that the card makes.

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde::{Deserialize, Serialize};

pub const P256: u8 = 0x11;
pub const P384: u8 = 0x14;
pub const ED25519: u8 = 0xe0;

/// By its number in PIV, and its secret scalar or seed.
#[derive(Serialize, Deserialize, Clone)]
pub struct PrivateKey {
    pub algorithm: u8,
    secret: Vec<u8>,
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}

/// A scalar of P-256 that is in range.
pub fn scalar_p256() -> Vec<u8> {
    loop {
        let bytes = random::<32>();
        if p256::ecdsa::SigningKey::from_slice(&bytes).is_ok() {
            return bytes.to_vec();
        }
    }
}

impl PrivateKey {
    /// None for a kind that the card doesn't have.
    pub fn generate(algorithm: u8) -> Option<Self> {
        let secret = match algorithm {
            P256 => scalar_p256(),
            P384 => loop {
                let bytes = random::<48>();
                if p384::ecdsa::SigningKey::from_slice(&bytes).is_ok() {
                    break bytes.to_vec();
                }
            },
            ED25519 => random::<32>().to_vec(),
            _ => return None,
        };
        Some(Self { algorithm, secret })
    }

    pub fn import(algorithm: u8, secret: &[u8]) -> Option<Self> {
        let key = Self { algorithm, secret: secret.to_vec() };
        let fits = match algorithm {
            P256 => p256::ecdsa::SigningKey::from_slice(secret).is_ok(),
            P384 => p384::ecdsa::SigningKey::from_slice(secret).is_ok(),
            ED25519 => secret.len() == 32,
            _ => false,
        };
        fits.then_some(key)
    }

    /// A point in full, or the 32 bytes of Ed25519.
    pub fn public(&self) -> Vec<u8> {
        match self.algorithm {
            P256 => self.p256().verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            P384 => self.p384().verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            _ => self.ed25519().verifying_key().to_bytes().to_vec(),
        }
    }

    /// ECDSA of a digest as long as the field, in DER; Ed25519 of the message.
    pub fn sign(&self, data: &[u8]) -> Option<Vec<u8>> {
        match self.algorithm {
            P256 if data.len() == 32 => {
                let signature: p256::ecdsa::Signature = self.p256().sign_prehash(data).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            P384 if data.len() == 48 => {
                let signature: p384::ecdsa::Signature = self.p384().sign_prehash(data).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            ED25519 => Some(self.ed25519().sign(data).to_bytes().to_vec()),
            _ => None,
        }
    }

    fn p256(&self) -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&self.secret).expect("checked when it was made")
    }

    fn p384(&self) -> p384::ecdsa::SigningKey {
        p384::ecdsa::SigningKey::from_slice(&self.secret).expect("checked when it was made")
    }

    fn ed25519(&self) -> ed25519_dalek::SigningKey {
        let seed = self.secret.as_slice().try_into().expect("checked when it was made");
        ed25519_dalek::SigningKey::from_bytes(seed)
    }
}
