//! Signing with the key in slot 9c.
//!
//! PIN and touch belong to each signature. The PIN is asked for before the card is taken hold of, so
//! that a person who gives up or takes long keeps nobody waiting; then the same transaction takes the
//! PIN, waits for the finger and signs.

use super::{PivToken, applet};
use crate::signer::{PinSource, Signer, rules};
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use sha2::{Digest as _, Sha256, Sha384};

/// The key of one YubiKey.
pub(super) struct PivSigner<'a> {
    token: &'a mut PivToken,
    public: PublicKey,
    algorithm: u8,
}

impl<'a> PivSigner<'a> {
    pub fn open(token: &'a mut PivToken, public: &PublicKey) -> Result<Self> {
        match token.with(&mut |card| card.key())? {
            Some(key) if key.public == *public => {
                Ok(Self { token, public: public.clone(), algorithm: key.algorithm })
            }
            _ => Err(token.not_here(public)),
        }
    }
}

impl Signer for PivSigner<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn max_payload(&self, scheme: Scheme) -> Option<usize> {
        match scheme {
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha384 | Scheme::EcdsaP384Sha256 => Some(usize::MAX),
            Scheme::Ed25519 => Some(super::LONGEST_MESSAGE),
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => None,
        }
    }

    fn sign(&mut self, scheme: Scheme, payload: &Payload, pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        let message = payload.bytes();
        let input = match scheme {
            _ if scheme.algorithm() != self.public.algorithm() => None,
            Scheme::EcdsaP256Sha256 => Some(Sha256::digest(message).to_vec()),
            // As long as the field: a shorter digest is the same number with zeros before it
            // (FIPS 186-5 6.4.1).
            Scheme::EcdsaP384Sha256 => Some([&[0; 16][..], &Sha256::digest(message)].concat()),
            Scheme::EcdsaP384Sha384 => Some(Sha384::digest(message).to_vec()),
            Scheme::Ed25519 => Some(message.to_vec()),
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => None,
        };
        let Some(input) = input else {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("{scheme} by a key of {}", self.public.describe()),
                "a scheme of the key's own",
            ));
        };
        let pin = self.token.ask_pin(None, pins)?;
        let (token, public, algorithm) = (&*self.token, &self.public, self.algorithm);
        let signature = token.with(&mut |card| {
            let Some(key) = card.key()?.filter(|key| key.public == *public) else {
                return Err(token.not_here(public));
            };
            card.verify(pin.expose())?;
            if key.touch != Some(applet::Policy::Never) {
                pins.touch(&token.identity);
            }
            card.sign(algorithm, &input)
        })?;
        let odd = || Refusal::new(&rules::TOKEN_FAILED, "a signature that is no DER", "ECDSA as r and s");
        match scheme {
            Scheme::EcdsaP256Sha256 => {
                p256::ecdsa::Signature::from_der(&signature).map(|s| s.to_bytes().to_vec()).map_err(|_| odd())
            }
            Scheme::EcdsaP384Sha384 | Scheme::EcdsaP384Sha256 => {
                p384::ecdsa::Signature::from_der(&signature).map(|s| s.to_bytes().to_vec()).map_err(|_| odd())
            }
            _ => Ok(signature),
        }
    }
}
