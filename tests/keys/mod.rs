//! Keys of fixed seeds, for unit tests and integration tests alike. They protect nothing.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use keyrite::tuf::key::{Algorithm, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::verify::Signature;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha256, Sha384};

/// The private half of a test key.
pub enum TestKey {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Rsa(aws_lc_rs::rsa::KeyPair),
}

impl TestKey {
    /// Ed25519 key number `n`.
    pub fn ed25519(n: u8) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&Sha256::digest([b'e', n]).into()))
    }

    /// P-256 key number `n`.
    pub fn p256(n: u8) -> Self {
        Self::P256(p256::ecdsa::SigningKey::from_slice(&Sha256::digest([b'p', n])).unwrap())
    }

    /// P-384 key number `n`.
    pub fn p384(n: u8) -> Self {
        Self::P384(p384::ecdsa::SigningKey::from_slice(&Sha384::digest([b'q', n])).unwrap())
    }

    /// The one RSA key, of 2048 bits, from the fixtures.
    pub fn rsa() -> Self {
        let text = include_str!("../fixtures/notary-threshold/keys/app1-1.pem");
        let pkcs8 = pem::parse(text).unwrap();
        Self::Rsa(aws_lc_rs::rsa::KeyPair::from_pkcs8(pkcs8.contents()).unwrap())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::from_ed25519(key.verifying_key().as_bytes()),
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                PublicKey::from_ec_point(Algorithm::EcdsaP256, point.as_bytes())
            }
            Self::P384(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                PublicKey::from_ec_point(Algorithm::EcdsaP384, point.as_bytes())
            }
            Self::Rsa(key) => {
                use aws_lc_rs::signature::KeyPair as _;
                PublicKey::from_rsa_pkcs1(key.public_key().as_ref())
            }
        }
        .unwrap()
    }

    /// Signs `message` by `scheme`, raw form.
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        match (self, scheme) {
            (Self::Ed25519(key), Scheme::Ed25519) => key.sign(message).to_bytes().to_vec(),
            (Self::P256(key), Scheme::EcdsaP256Sha256) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&Sha256::digest(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            (Self::P384(key), Scheme::EcdsaP384Sha384) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&Sha384::digest(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            (Self::P384(key), Scheme::EcdsaP384Sha256) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&Sha256::digest(message)).unwrap();
                signature.to_bytes().to_vec()
            }
            (Self::Rsa(key), Scheme::RsaPssSha256) => {
                rsa(key, &aws_lc_rs::signature::RSA_PSS_SHA256, message)
            }
            (Self::Rsa(key), Scheme::RsaPkcs1Sha256) => {
                rsa(key, &aws_lc_rs::signature::RSA_PKCS1_SHA256, message)
            }
            _ => unreachable!("a test asks a key for another kind's scheme"),
        }
    }

    /// Signs a payload by `scheme` and checks it, as signers do.
    pub fn signature(&self, scheme: Scheme, payload: &Payload) -> Signature {
        Signature::check(&self.public(), scheme, payload, &self.sign(scheme, payload.bytes())).unwrap()
    }
}

fn rsa(
    key: &aws_lc_rs::rsa::KeyPair,
    padding: &'static dyn aws_lc_rs::signature::RsaEncoding,
    message: &[u8],
) -> Vec<u8> {
    let mut raw = vec![0; key.public_modulus_len()];
    key.sign(padding, &aws_lc_rs::rand::SystemRandom::new(), message, &mut raw).unwrap();
    raw
}
