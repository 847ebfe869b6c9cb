//! Signing with a key on a token.
//!
//! ECDSA and, where the token can, RSA-PSS sign a digest that is computed here, because that is the
//! only form that all tokens share (tokens 0.2) and because it has no limit of size. Ed25519 signs
//! the payload itself, within the limit that the profile knows.

use super::Pkcs11Token;
use super::attributes::{self, flag};
use super::refusals::token_said;
use crate::signer::{PinKind, PinSource, Signer, Token, rules};
use crate::tuf::key::{Algorithm, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::Ulong;
use sha2::{Digest as _, Sha256, Sha384};
use std::rc::Rc;

/// One private key on a token that is logged in.
pub(super) struct Pkcs11Signer<'a> {
    token: &'a mut Pkcs11Token,
    /// None after a failure.
    session: Option<Rc<Session>>,
    private: ObjectHandle,
    public: PublicKey,
    label: Option<String>,
    /// Whether the token makes an RSA-PSS signature of a digest.
    digests: bool,
    /// `CKA_ALWAYS_AUTHENTICATE`: the PIN is asked for at each signature.
    always: bool,
}

impl<'a> Pkcs11Signer<'a> {
    pub fn open(token: &'a mut Pkcs11Token, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Self> {
        let session = token.logged_in(None, pins)?;
        let private = token.private_key(&session, public)?;
        let label = attributes::label(&session, private);
        let always = flag(&session, private, AttributeType::AlwaysAuthenticate).unwrap_or(false);
        // With a PIN for each signature the data goes in parts, which PKCS#11 knows only for the
        // mechanism that hashes on the token (2.40 2.1.11). Cards take ECDSA in parts all the same.
        let digests = public.algorithm() == Algorithm::Rsa
            && !always
            && token
                .module
                .context()
                .get_mechanism_list(token.slot)
                .is_ok_and(|list| list.contains(&MechanismType::RSA_PKCS_PSS));
        Ok(Self { token, session: Some(session), private, public: public.clone(), label, digests, always })
    }

    /// The session and the key in it, found anew if the token was taken out or failed since.
    fn ready(&mut self, pins: &mut dyn PinSource) -> Result<Rc<Session>> {
        let session = self.token.logged_in(self.label.as_deref(), pins)?;
        if !self.session.as_ref().is_some_and(|known| Rc::ptr_eq(known, &session)) {
            self.private = self.token.private_key(&session, &self.public)?;
            self.session = Some(Rc::clone(&session));
        }
        Ok(session)
    }

    fn signed(&mut self, mechanism: &Mechanism, data: &[u8], pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        let session = self.ready(pins)?;
        let raw = if self.always {
            self.sign_with_pin(&session, mechanism, data, pins)
        } else {
            self.await_touch(pins);
            session.sign(mechanism, self.private, data).map_err(|e| token_said("sign", &e))
        };
        drop(session);
        raw.map_err(|e| {
            // A session that nobody holds any more is closed.
            self.session = None;
            self.token.after(e)
        })
    }

    /// The PIN belongs between `C_SignInit` and `C_Sign` (PKCS#11 2.40 5.6). It is asked for before,
    /// so that a person who gives up leaves no operation open.
    fn sign_with_pin(
        &mut self,
        session: &Session,
        mechanism: &Mechanism,
        data: &[u8],
        pins: &mut dyn PinSource,
    ) -> Result<Vec<u8>> {
        let info = self.token.present()?;
        let pin = self.token.ask(PinKind::User, self.label.as_deref(), &info, pins)?;
        session.sign_init(mechanism, self.private).map_err(|e| token_said("sign", &e))?;
        self.token.login(session, UserType::ContextSpecific, pin.as_ref())?;
        self.await_touch(pins);
        session.sign_update(data).and_then(|()| session.sign_final()).map_err(|e| token_said("sign", &e))
    }

    fn await_touch(&self, pins: &mut dyn PinSource) {
        if self.token.module.profile().touch {
            pins.touch(self.token.identity());
        }
    }
}

impl Signer for Pkcs11Signer<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn max_payload(&self, scheme: Scheme) -> Option<usize> {
        match scheme {
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha384 | Scheme::EcdsaP384Sha256 => Some(usize::MAX),
            Scheme::RsaPssSha256 if self.digests => Some(usize::MAX),
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 | Scheme::Ed25519 => {
                let info = self.token.module.context().get_token_info(self.token.slot).ok()?;
                let firmware = info.firmware_version();
                self.token.module.profile().message_max((firmware.major(), firmware.minor()))
            }
        }
    }

    fn sign(&mut self, scheme: Scheme, payload: &Payload, pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        if scheme.algorithm() != self.public.algorithm() || scheme == Scheme::RsaPkcs1Sha256 {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("{scheme} by a key of {}", self.public.describe()),
                "a scheme of the key's own, and no PKCS#1 v1.5",
            ));
        }
        let message = payload.bytes();
        let pss = PkcsPssParams {
            hash_alg: MechanismType::SHA256,
            mgf: PkcsMgfType::MGF1_SHA256,
            s_len: Ulong::new(32),
        };
        match scheme {
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha256 => {
                self.signed(&Mechanism::Ecdsa, &Sha256::digest(message), pins)
            }
            Scheme::EcdsaP384Sha384 => self.signed(&Mechanism::Ecdsa, &Sha384::digest(message), pins),
            Scheme::Ed25519 => {
                let params = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                self.signed(&Mechanism::Eddsa(params), message, pins)
            }
            _ if self.digests => self.signed(&Mechanism::RsaPkcsPss(pss), &Sha256::digest(message), pins),
            _ => self.signed(&Mechanism::Sha256RsaPkcsPss(pss), message, pins),
        }
    }
}
