//! The kinds of key, how runbooks name them, and the ways in which they sign.
//!
//! Closed sets: what is not in them is refused where it is read, so that no signature is ever checked in
//! a way that nobody chose. All of it is reached through [`key`](super::key).

use super::key::PublicKey;
use super::rule::{Refusal, Result};
use super::rules;
use std::fmt;
use std::str::FromStr;

/// The kinds of key that keyrite makes and verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on NIST P-256, the default on tokens.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// Ed25519 (signs the whole message, so tokens limit its size).
    Ed25519,
    /// RSA, 2048 bits and more; keyrite makes 3072 and 4096.
    Rsa,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        })
    }
}

/// What a runbook asks a token to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySpec {
    /// `p256`
    EcdsaP256,
    /// `p384`
    EcdsaP384,
    /// `ed25519`
    Ed25519,
    /// `rsa-3072`
    Rsa3072,
    /// `rsa-4096`
    Rsa4096,
}

impl KeySpec {
    /// Every spec, in the order of help texts.
    pub const ALL: [Self; 5] =
        [Self::EcdsaP256, Self::EcdsaP384, Self::Ed25519, Self::Rsa3072, Self::Rsa4096];

    /// The word in runbooks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "p256",
            Self::EcdsaP384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    /// The algorithm of such a key.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::EcdsaP256 => Algorithm::EcdsaP256,
            Self::EcdsaP384 => Algorithm::EcdsaP384,
            Self::Ed25519 => Algorithm::Ed25519,
            Self::Rsa3072 | Self::Rsa4096 => Algorithm::Rsa,
        }
    }

    /// Whether `key` is what this spec asks for.
    pub fn fits(self, key: &PublicKey) -> bool {
        key.algorithm() == self.algorithm()
            && match self {
                Self::Rsa3072 => key.bits() == 3072,
                Self::Rsa4096 => key.bits() == 4096,
                _ => true,
            }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeySpec {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or_else(|| {
            Refusal::new(
                &rules::KEY_SPEC,
                format!("\"{}\"", super::text::visible(text)),
                "p256, p384, ed25519, rsa-3072 or rsa-4096",
            )
        })
    }
}

/// How a key signs: algorithm, hash and padding. The document's key entry decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// ECDSA P-256 over SHA-256.
    EcdsaP256Sha256,
    /// ECDSA P-384 over SHA-384 (profile `tuf`, statements).
    EcdsaP384Sha384,
    /// ECDSA P-384 over SHA-256 (profile `notary`: SHA-256 whatever the curve).
    EcdsaP384Sha256,
    /// Ed25519 over the message itself (RFC 8032, pure).
    Ed25519,
    /// RSASSA-PSS, SHA-256, MGF1 with SHA-256, salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: read and verified, never made.
    RsaPkcs1Sha256,
}

impl Scheme {
    /// The algorithm of keys that sign so.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::EcdsaP256Sha256 => Algorithm::EcdsaP256,
            Self::EcdsaP384Sha384 | Self::EcdsaP384Sha256 => Algorithm::EcdsaP384,
            Self::Ed25519 => Algorithm::Ed25519,
            Self::RsaPssSha256 | Self::RsaPkcs1Sha256 => Algorithm::Rsa,
        }
    }

    /// How a key of this algorithm signs in profile `tuf` and signs statements.
    pub const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::EcdsaP256 => Self::EcdsaP256Sha256,
            Algorithm::EcdsaP384 => Self::EcdsaP384Sha384,
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Rsa => Self::RsaPssSha256,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256Sha256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP384Sha384 => "ECDSA P-384 with SHA-384",
            Self::EcdsaP384Sha256 => "ECDSA P-384 with SHA-256",
            Self::Ed25519 => "Ed25519",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
            Self::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 with SHA-256",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::test_keys::TestKey;

    #[test]
    fn key_specs() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.name().parse::<KeySpec>().unwrap(), spec);
        }
        assert_eq!("P256".parse::<KeySpec>().unwrap_err().rule().name, "KEY-SPEC");
        assert!(KeySpec::EcdsaP256.fits(&TestKey::p256(1).public()));
        assert!(!KeySpec::EcdsaP256.fits(&TestKey::p384(1).public()));
        assert!(!KeySpec::Rsa3072.fits(&TestKey::rsa().public()), "it has 2048 bits");
        assert_eq!(TestKey::rsa().public().describe(), "RSA 2048");
    }
}
