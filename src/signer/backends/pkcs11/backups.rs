//! Keys that leave a token under a wrap key, and come back on another.
//!
//! RFC 5649 over PKCS#8 (`CKM_AES_KEY_WRAP_PAD`) is the one form: what it gives can be opened by any
//! program that has the wrap key, for years. A module without it is refused by name, and so is a kind
//! of key that the module can't wrap (SoftHSM 2.6.1: Ed25519). "Extractable" doesn't say which wrap key
//! may take a key out: whoever has the token's PIN can put one of their own there. So what keeps such a
//! key in is its holder's PIN, and every other key "not extractable", which nothing takes back.
//!
//! A wrap key is an object of the session, not of the token: it is gone with the session, also where
//! the power fails.
//!
//! PKCS#11 doesn't tell the public half of a private key that was unwrapped. So the public key is put
//! beside it, and whoever restores has the key sign before anything rests on it. A session that was cut
//! off between the two is gone on with; what was unwrapped and then refused is destroyed.

use super::Pkcs11Token;
use super::attributes::{self, flag};
use super::generate::{cka_id, expect_free, made, template_of};
use super::refusals::token_said;
use crate::signer::backups::{Backups, Restored, WrapForm, WrappedKey};
use crate::signer::secret::WrapSecret;
use crate::signer::{Generated, KeyTag, PinSource, rules};
use crate::tuf::key::{Algorithm, KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::Encode;
use der::asn1::OctetStringRef;
use std::rc::Rc;
use zeroize::{Zeroize, Zeroizing};

impl Pkcs11Token {
    /// Refuses a module that doesn't wrap in the one form.
    fn expect_wraps(&self) -> Result<()> {
        let known = self.module.context().get_mechanism_list(self.slot);
        if known.is_ok_and(|list| list.contains(&MechanismType::AES_KEY_WRAP_PAD)) {
            return Ok(());
        }
        Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("\"{}\" of {} wraps no keys", visible(&self.identity.label), self.module.profile().name),
            "a token that wraps keys by RFC 5649 (CKM_AES_KEY_WRAP_PAD)",
        ))
    }

    /// The wrap key of that tag.
    fn wrap_key(&self, session: &Session, tag: &KeyTag) -> Result<Option<ObjectHandle>> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Label(tag.label.clone().into_bytes()),
            Attribute::Id(cka_id(self, tag)),
        ];
        let found = session.find_objects(&template).map_err(|e| token_said("look for its wrap key", &e))?;
        Ok(found.first().copied())
    }

    fn expect_wrap_key(&self, session: &Session, tag: &KeyTag) -> Result<ObjectHandle> {
        self.wrap_key(session, tag)?.ok_or_else(|| {
            Refusal::new(
                &rules::WRAP_KEY,
                format!("no wrap key \"{}\" on \"{}\"", visible(&tag.label), visible(&self.identity.label)),
                "the wrap key that is asked for",
            )
        })
    }

    fn wrapping(&mut self, pins: &mut dyn PinSource) -> Result<Rc<Session>> {
        self.expect_wraps()?;
        self.logged_in(None, pins)
    }

    /// Objects of a class that have this tag.
    fn tagged(&self, session: &Session, class: ObjectClass, tag: &KeyTag) -> Result<Vec<ObjectHandle>> {
        let template = [
            Attribute::Class(class),
            Attribute::Label(tag.label.clone().into_bytes()),
            Attribute::Id(cka_id(self, tag)),
        ];
        session.find_objects(&template).map_err(|e| token_said("look for keys", &e))
    }

    /// The private key that was unwrapped under `tag`, if it is here already.
    fn unwrapped(&self, session: &Session, tag: &KeyTag) -> Result<Option<ObjectHandle>> {
        Ok(self.tagged(session, ObjectClass::PRIVATE_KEY, tag)?.first().copied())
    }
}

impl Backups for Pkcs11Token {
    fn form(&self) -> WrapForm {
        WrapForm::AesKeyWrapPad
    }

    fn random(&mut self, pins: &mut dyn PinSource) -> Result<Zeroizing<[u8; 32]>> {
        let session = self.wrapping(pins)?;
        let mut bytes = Zeroizing::new([0; 32]);
        session.generate_random_slice(&mut bytes[..]).map_err(|e| token_said("draw random bytes", &e))?;
        Ok(bytes)
    }

    fn put_wrap_key(&mut self, secret: &WrapSecret, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()> {
        let session = self.wrapping(pins)?;
        let id = cka_id(self, tag);
        expect_free(&session, &tag.label, &id)?;
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(false),
            Attribute::Decrypt(false),
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
            Attribute::Label(tag.label.clone().into_bytes()),
            Attribute::Id(id),
            Attribute::Value(secret.expose().to_vec()),
        ];
        let put = session.create_object(&template);
        if let Some(Attribute::Value(copy)) = template.last_mut() {
            copy.zeroize();
        }
        put.map(|_| ()).map_err(|e| self.after(token_said("take a wrap key", &e)))
    }

    fn holds_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<bool> {
        let session = self.wrapping(pins)?;
        Ok(self.wrap_key(&session, tag)?.is_some())
    }

    fn remove_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()> {
        let session = self.wrapping(pins)?;
        // No more than a few cuts leave; a token that goes on listing what it destroyed is not believed.
        for _ in 0..8 {
            let Some(key) = self.wrap_key(&session, tag)? else { return Ok(()) };
            session.destroy_object(key).map_err(|e| self.after(token_said("give its wrap key up", &e)))?;
        }
        if self.wrap_key(&session, tag)?.is_none() {
            return Ok(());
        }
        Err(Refusal::new(
            &rules::TOKEN_FAILED,
            format!("a wrap key \"{}\" that stays after it was destroyed", visible(&tag.label)),
            "a token without it",
        ))
    }

    fn generate_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        _under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Generated> {
        self.expect_wraps()?;
        // Said before the key is made, since it could never be backed up (tokens 1.1).
        if spec == KeySpec::Ed25519 {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("{} wraps no {spec} keys, as far as is known", self.module.profile().name),
                "p256, p384 or RSA for a key that is to be backed up",
            ));
        }
        made(self, spec, tag, true, pins)
    }

    fn adopt_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        _under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Option<Generated>> {
        super::generate::adopted(self, spec, tag, true, pins)
    }

    fn exportable(&mut self, public: &PublicKey, _under: &KeyTag, pins: &mut dyn PinSource) -> Result<bool> {
        let session = self.wrapping(pins)?;
        let private = self.private_key(&session, public)?;
        Ok(flag(&session, private, AttributeType::Extractable) == Some(true))
    }

    fn export(&mut self, public: &PublicKey, under: &KeyTag, pins: &mut dyn PinSource) -> Result<WrappedKey> {
        let session = self.wrapping(pins)?;
        let private = self.private_key(&session, public)?;
        let wrap = self.expect_wrap_key(&session, under)?;
        match session.wrap_key(&Mechanism::AesKeyWrapPad, wrap, private) {
            Ok(bytes) => Ok(WrappedKey { form: self.form(), bytes }),
            Err(Error::Pkcs11(RvError::KeyUnextractable | RvError::KeyNotWrappable, _)) => Err(Refusal::new(
                &rules::WRAP_REFUSED,
                format!("\"{}\", which doesn't let {} out", visible(&self.identity.label), public.describe()),
                "a key that was made to be backed up, of a kind that the token wraps",
            )),
            Err(e) => Err(self.after(token_said("wrap a key", &e))),
        }
    }

    fn restore(
        &mut self,
        wrapped: &WrappedKey,
        public: &PublicKey,
        tag: &KeyTag,
        under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Restored> {
        let session = self.wrapping(pins)?;
        let (private, opened) = match self.unwrapped(&session, tag)? {
            Some(private) => (private, false),
            None => (self.unwrap(&session, wrapped, public, tag, under)?, true),
        };
        let came =
            self.add_public(&session, public, tag).and_then(|()| self.restored(&session, private, public));
        if came.is_err() {
            // Nobody knows it, and it must not look like a key of the record.
            drop(self.destroy_tagged(&session, tag));
        }
        came.map(|made| Restored { made, opened })
    }
}

impl Pkcs11Token {
    /// Unwraps the private half under `tag`.
    fn unwrap(
        &self,
        session: &Session,
        wrapped: &WrappedKey,
        public: &PublicKey,
        tag: &KeyTag,
        under: &KeyTag,
    ) -> Result<ObjectHandle> {
        if wrapped.form != WrapForm::AesKeyWrapPad {
            let found = format!("a key wrapped as {}", wrapped.form.name());
            return Err(Refusal::new(&rules::WRAP_REFUSED, found, WrapForm::AesKeyWrapPad.name()));
        }
        let wrap = self.expect_wrap_key(session, under)?;
        let id = cka_id(self, tag);
        // A public half alone is what a session left that was cut off while it destroyed what it had refused.
        self.destroy_tagged(session, tag)?;
        expect_free(session, &tag.label, &id)?;
        let (kind, _) = public_parts(public)?;
        let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(kind)];
        template.extend(template_of(&tag.label, &id, true, false));
        match session.unwrap_key(&Mechanism::AesKeyWrapPad, wrap, &wrapped.bytes, &template) {
            Ok(private) => Ok(private),
            Err(Error::Pkcs11(
                RvError::GeneralError
                | RvError::WrappedKeyInvalid
                | RvError::WrappedKeyLenRange
                | RvError::FunctionFailed
                | RvError::EncryptedDataInvalid,
                _,
            )) => Err(self.after(Refusal::new(
                &rules::WRAP_REFUSED,
                format!("bytes that \"{}\" can't unwrap", visible(&self.identity.label)),
                format!("a key that was wrapped under \"{}\"", visible(&under.label)),
            ))),
            Err(e) => Err(self.after(token_said("unwrap a key", &e))),
        }
    }

    /// Puts the public half beside the private one, unless it is there: a session may have been cut off
    /// before it was, and a key that nobody can find again is none.
    fn add_public(&self, session: &Session, public: &PublicKey, tag: &KeyTag) -> Result<()> {
        if !self.tagged(session, ObjectClass::PUBLIC_KEY, tag)?.is_empty() {
            return Ok(());
        }
        let (kind, beside) = public_parts(public)?;
        let mut half = vec![
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(kind),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Label(tag.label.clone().into_bytes()),
            Attribute::Id(cka_id(self, tag)),
        ];
        half.extend(beside);
        session.create_object(&half).map(|_| ()).map_err(|e| token_said("take a public key", &e))
    }

    /// Destroys both halves of what has this tag, the private one first. A tag is of one change and one
    /// key, so what has it is nobody else's.
    fn destroy_tagged(&self, session: &Session, tag: &KeyTag) -> Result<()> {
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            for object in self.tagged(session, class, tag)? {
                session.destroy_object(object).map_err(|e| token_said("destroy a key", &e))?;
            }
        }
        Ok(())
    }

    /// A key as it is after it was unwrapped: it says that it is not local, which is true.
    fn restored(&self, session: &Session, private: ObjectHandle, public: &PublicKey) -> Result<Generated> {
        if let Some(found) = attributes::public_of(session, private).filter(|found| found != public) {
            return Err(Refusal::new(
                &rules::WRAP_PUBLIC,
                format!("{} {}", found.describe(), found.identity()),
                format!("{} {}", public.describe(), public.identity()),
            ));
        }
        let evidence = self.evidence_of(session, private, public);
        if evidence.attributes.get("extractable").is_some_and(|word| word == "yes") {
            return Err(Refusal::new(
                &rules::TOKEN_WEAK,
                "extractable = yes, of a key that was restored",
                "extractable = no: it is backed up already",
            ));
        }
        if evidence.attributes.get("sensitive").is_some_and(|word| word == "no") {
            return Err(Refusal::new(
                &rules::TOKEN_WEAK,
                "sensitive = no, of a key that was restored",
                "sensitive = yes: its value never leaves the token in clear",
            ));
        }
        Ok(Generated { public: public.clone(), evidence })
    }
}

/// A public key as attributes of its object.
fn public_parts(public: &PublicKey) -> Result<(KeyType, Vec<Attribute>)> {
    let unfit = || Refusal::new(&rules::TOKEN_CANNOT, public.describe(), "a key of a kind that tokens take");
    if let Some((modulus, exponent)) = public.rsa_parts() {
        let parts = vec![Attribute::Modulus(modulus), Attribute::PublicExponent(exponent)];
        return Ok((KeyType::RSA, parts));
    }
    let kind = if public.algorithm() == Algorithm::Ed25519 { KeyType::EC_EDWARDS } else { KeyType::EC };
    let params = attributes::curve_params(public.algorithm()).ok_or_else(unfit)?;
    let point =
        OctetStringRef::new(&public.raw()?).and_then(|octets| octets.to_der()).map_err(|_| unfit())?;
    Ok((kind, vec![Attribute::EcParams(params), Attribute::EcPoint(point)]))
}
