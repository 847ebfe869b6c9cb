//! A private key in memory.
//!
//! No `Debug`, no `Clone`; every form of it is wiped on drop, by its own crate or by `Zeroizing`.

use super::form;
use crate::signer::randomness::Randomness;
use crate::signer::rules;
use crate::tuf::key::{Algorithm, KeySpec, PublicKey, Scheme};
use crate::tuf::rule::{Refusal, Result};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::elliptic_curve::sec1::ToSec1Point;
use pkcs8::PrivateKeyInfoRef;
use sha2::{Digest as _, Sha256, Sha384};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// The Notary client's own number for Ed25519 (notary-v1 7).
const OID_ED25519_NOTARY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.15.1");

/// A private key that is at hand as bytes.
pub struct PrivateKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
    /// The key as aws-lc has it, and its `RSAPrivateKey` (RFC 8017 A.1.2) to write it out again.
    Rsa(Box<RsaKeyPair>, Zeroizing<Vec<u8>>),
}

/// `ECPrivateKey` (RFC 5915 3).
#[derive(der::Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// How the inside of PKCS#8 is written: there are two dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 5958 version 1 and RFC 8410, without a public key: what OpenSSL 3.0 reads (crates 0.7).
    Standard,
    /// The Notary client's own: see [`super::notary`].
    Notary,
}

impl PrivateKey {
    /// Makes a key of these random bytes; an RSA key always of the system's.
    ///
    /// # Errors
    ///
    /// `TOKEN-FAILED` if there is no randomness to be had.
    pub fn generate(spec: KeySpec, randomness: &Randomness) -> Result<Self> {
        let secret = match spec {
            // A random number that is no scalar of the curve is drawn again (SP 800-186, A.2.2).
            KeySpec::EcdsaP256 => loop {
                if let Ok(key) = p256::SecretKey::from_slice(drawn::<32>(randomness)?.as_slice()) {
                    break Secret::P256(key);
                }
            },
            KeySpec::EcdsaP384 => loop {
                if let Ok(key) = p384::SecretKey::from_slice(drawn::<48>(randomness)?.as_slice()) {
                    break Secret::P384(key);
                }
            },
            KeySpec::Ed25519 => Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&*drawn(randomness)?)),
            KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
                let size = if spec == KeySpec::Rsa3072 { KeySize::Rsa3072 } else { KeySize::Rsa4096 };
                let pair = RsaKeyPair::generate(size).map_err(|_| unable("no RSA key from the system"))?;
                let der = pair.as_der().map_err(|_| form("an RSA key that can't be written"))?;
                return Self::from_pkcs8(der.as_ref());
            }
        };
        Self::of(secret)
    }

    /// Reads the inside of PKCS#8 in either dialect: any version byte, with or without a public
    /// key (which is not believed but computed).
    ///
    /// # Errors
    ///
    /// `KEY-FILE-FORM`.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let info = AnyRef::from_der(der).map_err(|_| form("no PKCS#8"))?;
        let (algorithm, key) = info
            .sequence(|r| -> der::Result<_> {
                let _version = u8::decode(r)?;
                let algorithm = AlgorithmIdentifierRef::decode(r)?;
                let key = <&OctetStringRef>::decode(r)?;
                // Attributes and a public key may follow.
                while !der::Reader::is_finished(r) {
                    AnyRef::decode(r)?;
                }
                Ok((algorithm, key.as_bytes()))
            })
            .map_err(|_| form("no PKCS#8"))?;
        match algorithm.oid {
            OID_EC => {
                let curve = algorithm.parameters_oid().map_err(|_| form("a curve without a name"))?;
                Self::from_sec1(key, Some(curve))
            }
            OID_RSA => Self::from_rsa(key),
            OID_ED25519 => {
                let seed = <&OctetStringRef>::from_der(key).map_err(|_| form("no Ed25519 seed"))?;
                Self::from_seed(seed.as_bytes())
            }
            // Public key, seed, public key.
            OID_ED25519_NOTARY => match (key.get(32..64), key.len()) {
                (Some(seed), 96) => Self::from_seed(seed),
                _ => Err(form("an Ed25519 key of Notary's that has not 96 bytes")),
            },
            other => Err(form(&format!("a key of the algorithm {other}"))),
        }
    }

    /// Reads `ECPrivateKey`. The curve is the one that PKCS#8 names around it, else its own.
    ///
    /// # Errors
    ///
    /// `KEY-FILE-FORM`.
    pub fn from_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<Self> {
        let key = EcPrivateKey::from_der(der).map_err(|_| form("no EC private key"))?;
        let own = key.parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        let scalar = key.private_key.as_bytes();
        let secret = match curve.or(own) {
            Some(OID_P256) => p256::SecretKey::from_slice(&padded::<32>(scalar)?[..]).map(Secret::P256),
            Some(OID_P384) => p384::SecretKey::from_slice(&padded::<48>(scalar)?[..]).map(Secret::P384),
            Some(other) => return Err(form(&format!("a key on the curve {other}"))),
            None => return Err(form("a curve without a name")),
        };
        Self::of(secret.map_err(|_| form("no scalar of its curve"))?)
    }

    /// Reads `RSAPrivateKey`.
    ///
    /// # Errors
    ///
    /// `KEY-FILE-FORM`, `KEY-FORM` if it is too small or too large.
    pub fn from_rsa(der: &[u8]) -> Result<Self> {
        let pair = RsaKeyPair::from_der(der).map_err(|e| form(&format!("an RSA key: {e}")))?;
        Self::of(Secret::Rsa(Box::new(pair), Zeroizing::new(der.to_vec())))
    }

    fn from_seed(seed: &[u8]) -> Result<Self> {
        let seed: Zeroizing<[u8; 32]> =
            Zeroizing::new(seed.try_into().map_err(|_| form("an Ed25519 seed that has not 32 bytes"))?);
        Self::of(Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    fn of(secret: Secret) -> Result<Self> {
        let public = match &secret {
            Secret::P256(key) => {
                let point = key.public_key().to_sec1_point(false);
                PublicKey::from_ec_point(Algorithm::EcdsaP256, point.as_bytes())?
            }
            Secret::P384(key) => {
                let point = key.public_key().to_sec1_point(false);
                PublicKey::from_ec_point(Algorithm::EcdsaP384, point.as_bytes())?
            }
            Secret::Ed25519(key) => PublicKey::from_ed25519(key.verifying_key().as_bytes())?,
            Secret::Rsa(pair, _) => PublicKey::from_rsa_pkcs1(pair.public_key().as_ref())?,
        };
        Ok(Self { secret, public })
    }

    /// Its public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; ECDSA comes back as r‖s. None if this key doesn't sign by `scheme`, or never shall
    /// (PKCS#1 v1.5).
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        match (&self.secret, scheme) {
            (Secret::P256(key), Scheme::EcdsaP256Sha256) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::SigningKey::from(key).sign_prehash(&Sha256::digest(message)).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            (Secret::P384(key), Scheme::EcdsaP384Sha384 | Scheme::EcdsaP384Sha256) => {
                let key = p384::ecdsa::SigningKey::from(key);
                let signature: p384::ecdsa::Signature = if scheme == Scheme::EcdsaP384Sha384 {
                    key.sign_prehash(&Sha384::digest(message)).ok()?
                } else {
                    key.sign_prehash(&Sha256::digest(message)).ok()?
                };
                Some(signature.to_bytes().to_vec())
            }
            (Secret::Ed25519(key), Scheme::Ed25519) => Some(key.sign(message).to_bytes().to_vec()),
            (Secret::Rsa(pair, _), Scheme::RsaPssSha256) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            _ => None,
        }
    }

    /// The inside of PKCS#8.
    ///
    /// # Errors
    ///
    /// `KEY-FILE-FORM`, which a key made by this module never meets.
    pub fn to_pkcs8(&self, dialect: Dialect) -> Result<Zeroizing<Vec<u8>>> {
        let notary = dialect == Dialect::Notary;
        match &self.secret {
            Secret::P256(key) => self.ec_pkcs8(&OID_P256, &Zeroizing::new(key.to_bytes().into())),
            Secret::P384(key) => self.ec_pkcs8(&OID_P384, &Zeroizing::new(key.to_bytes().into())),
            Secret::Ed25519(key) if notary => {
                let public = key.verifying_key();
                let parts = [public.as_bytes(), key.as_bytes(), public.as_bytes()];
                let bytes = Zeroizing::new(parts.map(<[u8; 32]>::as_slice).concat());
                wrap(OID_ED25519_NOTARY, None, &bytes)
            }
            Secret::Ed25519(key) => wrap(OID_ED25519, None, &octets(key.as_bytes())?),
            Secret::Rsa(_, der) => wrap(OID_RSA, if notary { None } else { Some(AnyRef::NULL) }, der),
        }
    }

    fn ec_pkcs8<const N: usize>(
        &self,
        curve: &ObjectIdentifier,
        scalar: &Zeroizing<[u8; N]>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let point = self.public.raw()?;
        let inner = EcPrivateKey {
            version: 1,
            private_key: OctetStringRef::new(&scalar[..]).map_err(|_| form("an EC key"))?,
            parameters: None,
            public_key: Some(BitStringRef::from_bytes(&point).map_err(|_| form("an EC key"))?),
        };
        let inner = Zeroizing::new(inner.to_der().map_err(|_| form("an EC key"))?);
        wrap(OID_EC, Some(AnyRef::from(curve)), &inner)
    }
}

fn wrap(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let key = OctetStringRef::new(key).map_err(|_| form("a key that is too long"))?;
    let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid, parameters }, key);
    info.to_der().map(Zeroizing::new).map_err(|_| form("a key that can't be written"))
}

fn octets(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let octets = OctetStringRef::new(bytes).map_err(|_| form("a key that is too long"))?;
    octets.to_der().map(Zeroizing::new).map_err(|_| form("a key that can't be written"))
}

/// Here the machine itself is the token.
fn unable(found: &str) -> Refusal {
    Refusal::new(&rules::TOKEN_FAILED, found, "a system that gives random bytes")
}

/// `N` random bytes.
pub(super) fn drawn<const N: usize>(randomness: &Randomness) -> Result<Zeroizing<[u8; N]>> {
    randomness.bytes().map_err(|e| unable(&format!("no randomness from the system: {e}")))
}

/// Some writers leave zeros in front of a scalar out, or add one.
fn padded<const N: usize>(bytes: &[u8]) -> Result<Zeroizing<[u8; N]>> {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    let start = N.checked_sub(digits.len()).ok_or_else(|| form("no scalar of its curve"))?;
    let mut out = Zeroizing::new([0; N]);
    if let Some(place) = out.get_mut(start..) {
        place.copy_from_slice(digits);
    }
    Ok(out)
}
