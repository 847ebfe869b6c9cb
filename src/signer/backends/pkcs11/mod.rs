//! PKCS#11 tokens through `cryptoki`: SoftHSM, HSMs, YubiHSM 2, YubiKey PIV and other cards.
//!
//! A token is found by label and serial and looked at again before each use, because a slot's
//! number says nothing (it changes between processes) and because people swap tokens. A wrong PIN
//! is never tried again, and a locked one never at all: how many tries are left is shown to the
//! person, who decides (threats T23). A key is only ever used by its public half.
//!
//! Never: initialising a token that is in use, a key that can be taken out unless it was made to be
//! backed up, `C_Sign` over bytes that are no [`Payload`](crate::tuf::payload::Payload).

mod attested;
mod attributes;
mod backups;
mod context;
mod generate;
mod profile;
mod refusals;
mod sign;

use super::super::{
    Backups, Evidence, Generated, KeyTag, PinAsk, PinKind, PinSource, Signer, Token, TokenIdentity, TokenKey,
    TokenKind, Tries, rules,
};
use crate::signer::uri::Pkcs11Uri;
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use context::Slots;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use refusals::{is_gone, token_said};
use std::rc::Rc;

pub(super) use context::Module;

/// One token behind a module.
pub(super) struct Pkcs11Token {
    module: Rc<Module>,
    slot: Slot,
    identity: TokenIdentity,
    blank: bool,
    pad: bool,
}

/// Every token of a module, and what is wrong with the slots that don't answer.
pub(super) fn all(module: &Rc<Module>) -> Result<(Vec<Pkcs11Token>, Vec<Refusal>)> {
    let Slots { tokens, problems } = module.slots()?;
    let tokens = tokens.into_iter().map(|(slot, info)| Pkcs11Token::new(module, slot, &info)).collect();
    Ok((tokens, problems))
}

/// The token that a URI names.
pub(super) fn open(module: &Rc<Module>, uri: &Pkcs11Uri) -> Result<Pkcs11Token> {
    let (Some(label), Some(serial)) = (&uri.token, &uri.serial) else {
        return Err(Refusal::new(&rules::URI_TOKEN, "a pkcs11: URI without them", "token= and serial="));
    };
    let (slot, info) = find(module, label, serial)?;
    let token = Pkcs11Token::new(module, slot, &info);
    for (name, asked, found) in [
        ("manufacturer", &uri.manufacturer, &token.identity.manufacturer),
        ("model", &uri.model, &token.identity.model),
    ] {
        if asked.as_ref().is_some_and(|asked| asked != found) {
            return Err(Refusal::new(
                &rules::TOKEN_MISSING,
                format!("a token of the {name} \"{}\"", visible(found)),
                format!("{name} \"{}\"", visible(asked.as_deref().unwrap_or_default())),
            ));
        }
    }
    Ok(token)
}

/// The slot of the one token of this label and serial.
fn find(module: &Module, label: &str, serial: &str) -> Result<(Slot, TokenInfo)> {
    let Slots { tokens, problems } = module.slots()?;
    let mut same_label = Vec::new();
    let mut others = Vec::new();
    let mut found = Vec::new();
    for (slot, info) in tokens {
        let (l, s) = (info.label().to_owned(), info.serial_number().to_owned());
        if l == label && s == serial {
            found.push((slot, info));
        } else if l == label {
            same_label.push(format!("\"{}\"", visible(&s)));
        } else if info.token_initialized() {
            others.push(format!("\"{}\" (serial {})", visible(&l), visible(&s)));
        }
    }
    others.extend(problems.iter().map(|p| p.found().to_owned()));
    let expected = format!("one token \"{}\" with serial \"{}\"", visible(label), visible(serial));
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) if !same_label.is_empty() => {
            let found = format!("the label with serial {}", same_label.join(", "));
            Err(Refusal::new(&rules::TOKEN_SERIAL, found, expected))
        }
        (0, _) if others.is_empty() => Err(Refusal::new(&rules::TOKEN_MISSING, "no token", expected)),
        (0, _) => Err(Refusal::new(&rules::TOKEN_MISSING, others.join(", "), expected)),
        (many, _) => Err(Refusal::new(&rules::TOKEN_AMBIGUOUS, format!("{many} of them"), expected)),
    }
}

impl Pkcs11Token {
    fn new(module: &Rc<Module>, slot: Slot, info: &TokenInfo) -> Self {
        let firmware = info.firmware_version();
        let identity = TokenIdentity {
            kind: TokenKind::Pkcs11,
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            firmware: module.profile().firmware((firmware.major(), firmware.minor())),
        };
        Self {
            module: Rc::clone(module),
            slot,
            identity,
            // A token whose initialisation was cut off has a label and no user PIN yet.
            blank: !info.token_initialized(),
            pad: info.protected_authentication_path(),
        }
    }

    /// Makes sure that the token is still this one, wherever it is inserted by now.
    fn present(&mut self) -> Result<TokenInfo> {
        if let Ok(info) = self.module.context().get_token_info(self.slot)
            && info.label() == self.identity.label
            && info.serial_number() == self.identity.serial
        {
            return Ok(info);
        }
        self.module.forget(self.slot);
        match find(&self.module, &self.identity.label, &self.identity.serial) {
            Ok((slot, info)) => {
                self.slot = slot;
                Ok(info)
            }
            Err(e) if e.rule() == &rules::TOKEN_MISSING => {
                Err(Refusal::new(&rules::TOKEN_REMOVED, e.found(), e.expected()))
            }
            Err(e) => Err(e),
        }
    }

    /// A session, logged in or not, with the token that is really there.
    fn session(&mut self) -> Result<(Rc<Session>, TokenInfo)> {
        let info = self.present()?;
        let session = self.module.session(self.slot)?;
        if session.get_session_info().is_ok() {
            return Ok((session, info));
        }
        // The token was taken out and put back, or another program reset it: what the session knew is
        // void. It is closed before the next is opened, since modules use a handle again (OpenSC's
        // are addresses), and closing it later would close the new one.
        drop(session);
        self.module.forget(self.slot);
        Ok((self.module.session(self.slot)?, info))
    }

    /// A session in which the user is logged in. The PIN is asked for once in a process.
    fn logged_in(&mut self, key: Option<&str>, pins: &mut dyn PinSource) -> Result<Rc<Session>> {
        let (session, info) = self.session()?;
        let state = session.get_session_info().map_err(|e| token_said("tell its state", &e))?;
        let inside = matches!(state.session_state(), SessionState::RoUser | SessionState::RwUser);
        if !inside && info.login_required() {
            let pin = self.ask(PinKind::User, key, &info, pins)?;
            self.login(&session, UserType::User, pin.as_ref())?;
        }
        Ok(session)
    }

    /// Asks for a PIN, or has it typed on the token; never if it is locked.
    fn ask(
        &self,
        secret: PinKind,
        key: Option<&str>,
        info: &TokenInfo,
        pins: &mut dyn PinSource,
    ) -> Result<Option<AuthPin>> {
        let officer = secret == PinKind::SecurityOfficer;
        let tries = if officer { self.officer_tries(info) } else { self.user_tries(info) };
        if tries == Tries::Locked {
            return Err(Refusal::new(
                &rules::PIN_LOCKED,
                format!("\"{}\" says that it is locked", visible(&self.identity.label)),
                "a PIN that is not locked",
            ));
        }
        let ask = PinAsk { token: self.identity.clone(), key: key.map(str::to_owned), secret, tries };
        if self.pad {
            pins.pin_pad(&ask)?;
            return Ok(None);
        }
        let pin = pins.pin(&ask)?;
        // Straight into a type that wipes itself; `Pin` does so too.
        Ok(Some(AuthPin::from(pin.expose())))
    }

    fn login(&mut self, session: &Session, user: UserType, pin: Option<&AuthPin>) -> Result<()> {
        match session.login(user, pin) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            // What a YubiHSM says of a PIN of another form (tokens 1.2).
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::ArgumentsBad | RvError::PinLenRange,
                _,
            )) => {
                let tries = self.tries().unwrap_or(Tries::Unknown);
                let left = match tries {
                    Tries::Locked => "and it is locked now",
                    Tries::Last => "and one try is left",
                    Tries::Low => "and the token warns of few tries left",
                    _ => "and the token doesn't tell how many tries are left",
                };
                let found = format!("another PIN for \"{}\", {left}", visible(&self.identity.label));
                Err(Refusal::new(&rules::PIN_WRONG, found, "the token's PIN"))
            }
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => Err(Refusal::new(
                &rules::TOKEN_FAILED,
                format!("\"{}\" has no user PIN yet", visible(&self.identity.label)),
                "a token that is prepared whole: `keyrite tokens prepare`",
            )),
            Err(e) => Err(token_said("log in", &e)),
        }
    }

    fn user_tries(&self, info: &TokenInfo) -> Tries {
        self.tries_of(info.user_pin_locked(), info.user_pin_final_try(), info.user_pin_count_low())
    }

    fn officer_tries(&self, info: &TokenInfo) -> Tries {
        self.tries_of(info.so_pin_locked(), info.so_pin_final_try(), info.so_pin_count_low())
    }

    fn tries_of(&self, locked: bool, last: bool, low: bool) -> Tries {
        match (locked, last, low) {
            (true, _, _) => Tries::Locked,
            (_, true, _) => Tries::Last,
            (_, _, true) => Tries::Low,
            _ if self.module.profile().counts_pins => Tries::Full,
            _ => Tries::Unknown,
        }
    }

    /// The private key object of `public`, in a session that is logged in.
    fn private_key(&self, session: &Session, public: &PublicKey) -> Result<ObjectHandle> {
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        let found = session.find_objects(&template).map_err(|e| token_said("look for keys", &e))?;
        found.into_iter().find(|o| attributes::public_of(session, *o).as_ref() == Some(public)).ok_or_else(
            || {
                Refusal::new(
                    &rules::KEY_NOT_ON_TOKEN,
                    format!("no such key on \"{}\"", visible(&self.identity.label)),
                    format!("{} {}", public.describe(), public.identity()),
                )
            },
        )
    }

    fn evidence_of(&self, session: &Session, private: ObjectHandle, public: &PublicKey) -> Evidence {
        let module = (self.module.name(), self.module.sha256().hex());
        Evidence {
            attributes: attributes::evidence(session, private),
            attestation: attested::attestation(session, public),
            module: Some(module),
        }
    }

    /// After something failed: gives up or replaces the session.
    fn after(&self, refusal: Refusal) -> Refusal {
        if is_gone(&refusal) {
            self.module.forget(self.slot);
        } else {
            self.module.renew(self.slot);
        }
        refusal
    }
}

impl Token for Pkcs11Token {
    fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    fn is_blank(&self) -> bool {
        self.blank
    }

    fn pin_pad(&self) -> bool {
        self.pad
    }

    fn longest_message(&self) -> Option<usize> {
        let info = self.module.context().get_token_info(self.slot).ok()?;
        let firmware = info.firmware_version();
        self.module.profile().message_max((firmware.major(), firmware.minor()))
    }

    fn tries(&mut self) -> Result<Tries> {
        let info = self.present()?;
        Ok(self.user_tries(&info))
    }

    fn initialise(&mut self, label: &str, pins: &mut dyn PinSource) -> Result<()> {
        generate::initialise(self, label, pins)
    }

    fn change_pin(&mut self, pins: &mut dyn PinSource) -> Result<()> {
        generate::change_pin(self, pins)
    }

    /// What the token shows without a PIN, and all of it once the PIN was given in this process:
    /// looking costs no try.
    fn keys(&mut self, _pins: &mut dyn PinSource) -> Result<Vec<TokenKey>> {
        if self.blank {
            return Ok(Vec::new());
        }
        let (session, _) = self.session()?;
        let mut keys: Vec<TokenKey> = Vec::new();
        for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY, ObjectClass::CERTIFICATE] {
            let objects = session.find_objects(&[Attribute::Class(class)]);
            for object in objects.map_err(|e| token_said("list its keys", &e))? {
                let key = TokenKey {
                    label: attributes::label(&session, object).unwrap_or_default(),
                    id: attributes::id(&session, object).unwrap_or_default(),
                    public: attributes::public_in(&session, object, class),
                };
                let known = keys.iter().any(|k| k.public.is_some() && k.public == key.public);
                if !known && (key.public.is_some() || class == ObjectClass::PRIVATE_KEY) {
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    fn generate(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Generated> {
        generate::generate(self, spec, tag, pins)
    }

    fn adopt(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Option<Generated>> {
        generate::adopt(self, spec, tag, pins)
    }

    fn open(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>> {
        Ok(Box::new(sign::Pkcs11Signer::open(self, public, pins)?))
    }

    fn destroy(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
        generate::destroy(self, public, pins)
    }

    fn evidence(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Evidence> {
        let session = self.logged_in(None, pins)?;
        let private = self.private_key(&session, public)?;
        Ok(self.evidence_of(&session, private, public))
    }

    fn backups(&mut self) -> Option<&mut dyn Backups> {
        Some(self)
    }
}
