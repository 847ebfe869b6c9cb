//! A YubiKey's PIV applet, natively over PC/SC: provisioned, and signing, without a module.
//!
//! PKCS#11 makes no key in a YubiKey with the policies that a root key needs, nor changes its
//! secrets, nor tells a key that was made there from one that was brought in. The crate `yubikey`
//! does, but puts an unpatched `rsa` into the lock file. What is needed is a dozen commands, so
//! they are here: `card` finds the YubiKey by its serial number, `applet` knows the commands,
//! `provision` makes a key. Signing is one command more, so a `piv:` URI serves for a key's whole
//! life; PKCS#11 modules find the same key by the certificate that is put beside it.
//!
//! One key a YubiKey, in slot 9c, for which PIN and touch are wanted at each signature. The slot has
//! no label, so what the record calls the key is nowhere on the card.
//!
//! Never: a reset, a key that is overwritten, a PIN that is tried twice, a card that has another
//! serial number by now.

mod applet;
mod card;
mod provision;
mod sign;
mod tlv;

use super::super::{
    Evidence, Generated, KeyTag, PinAsk, PinKind, PinSource, Signer, Token, TokenIdentity, TokenKey,
    TokenKind, Tries, rules,
};
use crate::signer::randomness::Randomness;
use crate::signer::secret::Pin;
use crate::signer::uri::PivUri;
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use applet::SlotKey;
use std::collections::BTreeMap;

/// What ykcs11 was seen to have signed as one Ed25519 message; the card's buffer is hardly longer.
const LONGEST_MESSAGE: usize = 3040;

/// One YubiKey, by its serial number.
pub(super) struct PivToken {
    serial: u32,
    identity: TokenIdentity,
    factory: bool,
    randomness: Randomness,
}

/// Every YubiKey in a reader, and what is wrong with the others.
///
/// # Errors
///
/// `CARD-SERVICE`.
pub(super) fn all(randomness: &Randomness) -> Result<(Vec<PivToken>, Vec<Refusal>)> {
    let card::Found { cards, mut problems } = card::all()?;
    let mut tokens = Vec::new();
    for (serial, _) in cards {
        match open(PivUri { serial }, randomness) {
            Ok(token) => tokens.push(token),
            Err(e) => problems.push(e),
        }
    }
    Ok((tokens, problems))
}

/// The YubiKey that a URI names.
///
/// # Errors
///
/// `TOKEN-MISSING`, `TOKEN-SERIAL`, `TOKEN-AMBIGUOUS`, `CARD-SERVICE`.
pub(super) fn open(uri: PivUri, randomness: &Randomness) -> Result<PivToken> {
    let serial = uri.serial;
    // Firmware before 5.3 tells nothing of its PIN, which is no reason not to see the card.
    let (version, factory) =
        card::with(serial, &mut |card| Ok((card.version, card.pin().is_ok_and(|pin| pin.factory))))?;
    let [major, minor, patch] = version;
    let identity = TokenIdentity {
        kind: TokenKind::Piv,
        label: String::new(),
        serial: serial.to_string(),
        manufacturer: "Yubico".to_owned(),
        model: "YubiKey".to_owned(),
        firmware: format!("{major}.{minor}.{patch}"),
    };
    Ok(PivToken { serial, identity, factory, randomness: randomness.clone() })
}

impl PivToken {
    /// Does something with the card, which must be there by now as it was.
    fn with<T>(&self, act: &mut dyn FnMut(&mut card::Open<'_>) -> Result<T>) -> Result<T> {
        card::with(self.serial, act).map_err(|e| {
            // It was there when it was opened.
            if e.rule() == &rules::TOKEN_MISSING || e.rule() == &rules::TOKEN_SERIAL {
                Refusal::new(&rules::TOKEN_REMOVED, e.found(), e.expected())
            } else {
                e
            }
        })
    }

    fn ask(&self, secret: PinKind, tries: Tries, key: Option<&str>, pins: &mut dyn PinSource) -> Result<Pin> {
        if tries == Tries::Locked {
            let what = if secret == PinKind::SecurityOfficer { "PUK" } else { "PIN" };
            let found = format!("the {what} of the YubiKey {} is locked", self.serial);
            return Err(Refusal::new(&rules::PIN_LOCKED, found, "one that is not locked"));
        }
        pins.pin(&PinAsk { token: self.identity.clone(), key: key.map(str::to_owned), secret, tries })
    }

    /// The PIN that is set, asked for with the tries that are left.
    fn ask_pin(&self, key: Option<&str>, pins: &mut dyn PinSource) -> Result<Pin> {
        let tries = self.with(&mut |card| card.pin())?.tries;
        let pin = self.ask(PinKind::User, tries, key, pins)?;
        // A PIN that none can be would cost a try all the same.
        provision::expect_form("PIN", pin.expose())?;
        Ok(pin)
    }

    fn not_here(&self, public: &PublicKey) -> Refusal {
        Refusal::new(
            &rules::KEY_NOT_ON_TOKEN,
            format!("no such key in slot 9c of the YubiKey {}", self.serial),
            format!("{} {}", public.describe(), public.identity()),
        )
    }
}

/// What the card says of how a key is kept.
fn attributes(key: &SlotKey) -> BTreeMap<String, String> {
    let policy = |policy: Option<applet::Policy>| policy.map_or("unknown", applet::Policy::name);
    let local = if key.generated { "yes" } else { "no" };
    [("local", local), ("pin-policy", policy(key.pin)), ("slot", "9c"), ("touch-policy", policy(key.touch))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl Token for PivToken {
    fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    /// Never: a YubiKey gets its PINs when its key is made, so there is nothing to prepare.
    fn is_blank(&self) -> bool {
        false
    }

    fn condition(&self) -> Option<&'static str> {
        self.factory.then_some("the factory's PIN, to be changed when its key is made")
    }

    fn pin_pad(&self) -> bool {
        false
    }

    fn longest_message(&self) -> Option<usize> {
        Some(LONGEST_MESSAGE)
    }

    fn tries(&mut self) -> Result<Tries> {
        self.with(&mut |card| card.pin()).map(|pin| pin.tries)
    }

    fn initialise(&mut self, _label: &str, _pins: &mut dyn PinSource) -> Result<()> {
        Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("the YubiKey {}, which has no label", self.serial),
            "`keyrite plan generate-key`, which changes its PIN, PUK and management key",
        ))
    }

    fn keys(&mut self, _pins: &mut dyn PinSource) -> Result<Vec<TokenKey>> {
        let key = self.with(&mut |card| card.key())?;
        let told = |key: SlotKey| TokenKey {
            label: "slot 9c".to_owned(),
            id: vec![applet::SLOT],
            public: Some(key.public),
        };
        Ok(key.map(told).into_iter().collect())
    }

    fn generate(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Generated> {
        provision::generate(self, spec, tag, pins)
    }

    fn adopt(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Option<Generated>> {
        provision::adopt(self, spec, tag, pins)
    }

    fn take(&mut self) -> Result<Generated> {
        provision::take(self)
    }

    fn change_pin(&mut self, pins: &mut dyn PinSource) -> Result<()> {
        provision::change_pin(self, pins)
    }

    fn open(&mut self, public: &PublicKey, _pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>> {
        Ok(Box::new(sign::PivSigner::open(self, public)?))
    }

    fn destroy(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
        provision::destroy(self, public, pins)
    }

    fn evidence(&mut self, public: &PublicKey, _pins: &mut dyn PinSource) -> Result<Evidence> {
        let found = self.with(&mut |card| match card.key()? {
            Some(key) if key.public == *public => provision::evidence(card, &key).map(Some),
            _ => Ok(None),
        })?;
        found.ok_or_else(|| self.not_here(public))
    }
}
