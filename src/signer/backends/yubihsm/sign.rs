//! Signing with a key of a YubiHSM.
//!
//! ECDSA is given a digest, whatever the document's size; Ed25519 the document itself, which has to
//! fit into one message.

use super::YubiHsmToken;
use super::duties::Duty;
use super::session::Session;
use crate::signer::{PinSource, Signer, rules};
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use sha2::{Digest as _, Sha256, Sha384};

/// The longest Ed25519 message in messages of so many bytes: the key's number is before it.
pub const fn longest(most: usize) -> usize {
    (most.saturating_sub(12) >> 4 << 4).saturating_sub(6)
}

/// One key, in a session that lasts as long as it is open: the caller signs at once.
pub(super) struct YubiHsmSigner {
    session: Session,
    most: usize,
    public: PublicKey,
    id: u16,
}

impl YubiHsmSigner {
    pub fn open(token: &mut YubiHsmToken, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Self> {
        let mut session = token.session(Duty::Signer, None, pins)?;
        let id = token.find(&mut session, public)?;
        Ok(Self { session, most: token.most, public: public.clone(), id })
    }
}

impl Signer for YubiHsmSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn max_payload(&self, scheme: Scheme) -> Option<usize> {
        match scheme {
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha384 | Scheme::EcdsaP384Sha256 => Some(usize::MAX),
            Scheme::Ed25519 => Some(longest(self.most)),
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => None,
        }
    }

    fn sign(&mut self, scheme: Scheme, payload: &Payload, _pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        let message = payload.bytes();
        let digest = match scheme {
            _ if scheme.algorithm() != self.public.algorithm() => None,
            Scheme::EcdsaP256Sha256 => Some(Sha256::digest(message).to_vec()),
            // As long as the field: a shorter digest is the same number with zeros before it
            // (FIPS 186-5 6.4.1).
            Scheme::EcdsaP384Sha256 => Some([&[0; 16][..], &Sha256::digest(message)].concat()),
            Scheme::EcdsaP384Sha384 => Some(Sha384::digest(message).to_vec()),
            Scheme::Ed25519 => {
                return self.session.sign_eddsa(self.id, message).map(|signature| signature.to_vec());
            }
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => None,
        };
        let Some(digest) = digest else {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("{scheme} by a key of {}", self.public.describe()),
                "a scheme of the key's own",
            ));
        };
        let signature = self.session.sign_ecdsa(self.id, &digest)?;
        let odd = || Refusal::new(&rules::TOKEN_FAILED, "a signature that is no DER", "ECDSA as r and s");
        match scheme {
            Scheme::EcdsaP256Sha256 => {
                p256::ecdsa::Signature::from_der(&signature).map(|s| s.to_bytes().to_vec()).map_err(|_| odd())
            }
            _ => {
                p384::ecdsa::Signature::from_der(&signature).map(|s| s.to_bytes().to_vec()).map_err(|_| odd())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::longest_body;
    use super::*;

    #[test]
    fn the_longest_message_fills_one_body() {
        for (most, expected) in [(2048, 2026), (3136, 3114)] {
            assert_eq!(longest(most), expected);
            assert_eq!(longest(most).saturating_add(2), longest_body(most));
        }
    }
}
