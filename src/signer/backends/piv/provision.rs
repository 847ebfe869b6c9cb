//! A YubiKey gets its secrets and its key.
//!
//! Each secret that is still the factory's is changed, and none other, so that what was cut off goes
//! on where it stopped and what was prepared with Yubico's own tools is taken as it is. The
//! management key is drawn here, seen by nobody, and kept on the card behind its PIN, where those
//! tools look for it too: who has the card and the PIN can manage it, and nobody else.
//!
//! Everything is asked before anything is changed. Which key is to be made is written onto the card
//! first, because its slot has neither label nor id to find the key by after a power cut (threats
//! T21).

use super::applet::{self, FACTORY_PIN, FACTORY_PUK, Policy, SlotKey};
use super::{PivToken, attributes, card};
use crate::signer::{Attestation, Evidence, Generated, KeyTag, PinKind, PinSource, Tries, rules};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use der::{Decode as _, Encode as _};
use zeroize::Zeroizing;

/// Before it, a key can be worked out of a YubiKey that someone has for some hours (YSA-2024-03).
const FIRMWARE: [u8; 3] = [5, 7, 0];

/// Makes a key, having changed what is still the factory's.
pub(super) fn generate(
    token: &mut PivToken,
    spec: KeySpec,
    tag: &KeyTag,
    pins: &mut dyn PinSource,
) -> Result<Generated> {
    let serial = token.serial;
    let algorithm = applet::number_of(spec).ok_or_else(|| {
        let found = format!("{spec} on the YubiKey {serial}");
        Refusal::new(&rules::TOKEN_CANNOT, found, "ECDSA P-256 or P-384, or Ed25519")
    })?;
    let (pin_is, puk_is, management_is_factory) = token.with(&mut |card| {
        expect_firmware(card)?;
        expect_empty(card)?;
        Ok((card.pin()?, card.puk()?, card.management_factory()?))
    })?;
    let key = Some(tag.label.as_str());
    let new_pin = if pin_is.factory { Some(new(token, PinKind::NewUser, key, pins)?) } else { None };
    let new_puk =
        if puk_is.factory { Some(new(token, PinKind::NewSecurityOfficer, key, pins)?) } else { None };
    let set = if new_pin.is_some() { None } else { Some(token.ask_pin(key, pins)?) };
    let drawn = if management_is_factory { Some(random::<24>(token)?) } else { None };
    let challenges = [random::<16>(token)?, random::<16>(token)?];
    let name = random::<16>(token)?;
    let made = token.with(&mut |card| {
        expect_empty(card)?;
        if let Some(pin) = &new_pin {
            card.change_pin(FACTORY_PIN, pin.expose())?;
        }
        if let Some(pin) = new_pin.as_ref().or(set.as_ref()) {
            card.verify(pin.expose())?;
        }
        // Kept before it is set: a key that nobody has would make the card useless.
        if let Some(key) = &drawn {
            card.manage(None, &challenges[0])?;
            card.keep_management(key)?;
            card.set_management(key)?;
        }
        manage(card, &challenges[1])?;
        if drawn.is_some() {
            card.note_management()?;
        }
        if let Some(puk) = &new_puk {
            card.change_puk(FACTORY_PUK, puk.expose())?;
        }
        card.intend(&tag.id)?;
        let public = card.generate(algorithm)?;
        finish(card, &public, &name)
    })?;
    token.factory = false;
    Ok(made)
}

/// Finds the key that was made under `tag`.
pub(super) fn adopt(
    token: &mut PivToken,
    spec: KeySpec,
    tag: &KeyTag,
    pins: &mut dyn PinSource,
) -> Result<Option<Generated>> {
    let serial = token.serial;
    let (key, complete, factory) = token.with(&mut |card| {
        let ours = card.intended()?.is_some_and(|id| id.as_slice() == tag.id);
        let key = if ours { card.key()? } else { None };
        Ok((key, card.has_certificate()?, card.pin()?.factory))
    })?;
    token.factory = factory;
    let Some(key) = key else { return Ok(None) };
    if !spec.fits(&key.public) || !key.generated {
        let found = format!("a key of {} in slot 9c of the YubiKey {serial}", key.public.describe());
        return Err(Refusal::new(&rules::KEY_ADOPT, found, format!("the {spec} key that was being made")));
    }
    if complete {
        let evidence = token.with(&mut |card| evidence(card, &key))?;
        return Ok(Some(Generated { public: key.public, evidence }));
    }
    let pin = token.ask_pin(Some(&tag.label), pins)?;
    let (challenge, name) = (random::<16>(token)?, random::<16>(token)?);
    let made = token.with(&mut |card| {
        card.verify(pin.expose())?;
        manage(card, &challenge)?;
        finish(card, &key.public, &name)
    })?;
    Ok(Some(made))
}

/// Takes the key that is in the slot already, if the card tells that it made it, and it is kept as one
/// that is made here: no secret of the factory left, a PIN and a touch for each signature.
pub(super) fn take(token: &mut PivToken) -> Result<Generated> {
    let serial = token.serial;
    token.with(&mut |card| {
        expect_firmware(card)?;
        let key = card.key()?.ok_or_else(|| {
            let found = format!("nothing in slot 9c of the YubiKey {serial}");
            Refusal::new(&rules::KEY_NOT_ON_TOKEN, found, "a key that was made there before")
        })?;
        let secrets = [
            ("PIN", card.pin()?.factory),
            ("PUK", card.puk()?.factory),
            ("management key", card.management_factory()?),
        ];
        if let Some((what, _)) = secrets.iter().find(|(_, factory)| *factory) {
            let found = format!("the factory's {what} on the YubiKey {serial}");
            return Err(Refusal::new(&rules::PIN_FACTORY, found, "one of its holder's own"));
        }
        if key.pin != Some(Policy::Always) || !matches!(key.touch, Some(Policy::Always | Policy::Cached)) {
            let name = |policy: Option<Policy>| policy.map_or("unknown", Policy::name);
            let found =
                format!("PIN {} and touch {} on the YubiKey {serial}", name(key.pin), name(key.touch));
            return Err(Refusal::new(&rules::TOKEN_WEAK, found, "PIN always, and touch always or cached"));
        }
        let evidence = attested(card, &key.public)?;
        Ok(Generated { public: key.public, evidence })
    })
}

/// Changes the PIN, by the PUK if it is locked.
pub(super) fn change_pin(token: &mut PivToken, pins: &mut dyn PinSource) -> Result<()> {
    let (pin, puk) = token.with(&mut |card| Ok((card.pin()?, card.puk()?)))?;
    if pin.tries == Tries::Locked {
        let puk = token.ask(PinKind::SecurityOfficer, puk.tries, None, pins)?;
        expect_form("PUK", puk.expose())?;
        let new = new(token, PinKind::NewUser, None, pins)?;
        return token.with(&mut |card| card.unblock(puk.expose(), new.expose()));
    }
    let old = if pin.factory { None } else { Some(token.ask_pin(None, pins)?) };
    let new = new(token, PinKind::NewUser, None, pins)?;
    let old = old.as_ref().map_or(FACTORY_PIN, |pin| pin.expose());
    token.with(&mut |card| card.change_pin(old, new.expose()))?;
    token.factory = false;
    Ok(())
}

/// Destroys the key, and leaves PIN, PUK and management key as they are.
pub(super) fn destroy(token: &mut PivToken, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
    let here = token.with(&mut |card| Ok(card.key()?.is_some_and(|key| key.public == *public)))?;
    if !here {
        return Err(token.not_here(public));
    }
    let pin = token.ask_pin(None, pins)?;
    let challenge = random::<16>(token)?;
    token.with(&mut |card| {
        // Not another one that came in between.
        if card.key()?.is_none_or(|key| key.public != *public) {
            return Err(token.not_here(public));
        }
        card.verify(pin.expose())?;
        manage(card, &challenge)?;
        card.delete()?;
        match card.key()? {
            None => Ok(()),
            Some(_) => Err(Refusal::new(&rules::TOKEN_FAILED, "a key that is still there", "none")),
        }
    })
}

/// What the card says of its key, its certificates included.
pub(super) fn evidence(card: &mut card::Open<'_>, key: &SlotKey) -> Result<Evidence> {
    let attestation = if key.generated { Some(card.attestation()?) } else { None };
    Ok(Evidence { attributes: attributes(key), attestation, module: None })
}

/// The key as the record takes it. Beside it goes its certificate, because PKCS#11 modules see no key
/// without one.
fn finish(card: &mut card::Open<'_>, public: &PublicKey, name: &[u8; 16]) -> Result<Generated> {
    let evidence = attested(card, public)?;
    card.name(name)?;
    card.put_certificate(evidence.attestation.as_ref().map(Attestation::certificate).unwrap_or_default())?;
    Ok(Generated { public: public.clone(), evidence })
}

/// What the card says of its key, once its certificate says that it is this one, made on this card.
fn attested(card: &mut card::Open<'_>, public: &PublicKey) -> Result<Evidence> {
    let serial = card.serial;
    let key = card.key()?.filter(|key| key.public == *public && key.generated);
    let weak = |found: String| {
        Refusal::new(&rules::TOKEN_WEAK, found, "a key that the YubiKey says it made, by its attestation")
    };
    let key = key.ok_or_else(|| weak(format!("another key in slot 9c of the YubiKey {serial}")))?;
    let evidence = evidence(card, &key)?;
    let own = evidence.attestation.as_ref().map(Attestation::certificate).unwrap_or_default();
    if public_in(own).as_ref() != Some(public) {
        return Err(weak(format!("an attestation of another key by the YubiKey {serial}")));
    }
    Ok(evidence)
}

fn public_in(certificate: &[u8]) -> Option<PublicKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    PublicKey::from_spki_der(&spki).ok()
}

fn expect_firmware(card: &card::Open<'_>) -> Result<()> {
    if card.version >= FIRMWARE {
        return Ok(());
    }
    let [major, minor, patch] = card.version;
    Err(Refusal::new(
        &rules::YUBIKEY_FIRMWARE,
        format!("{major}.{minor}.{patch} on the YubiKey {}", card.serial),
        "5.7.0 or later",
    ))
}

fn expect_empty(card: &mut card::Open<'_>) -> Result<()> {
    match card.key()? {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            &rules::SLOT_IN_USE,
            format!(
                "{} {} in slot 9c of the YubiKey {}",
                key.public.describe(),
                key.public.identity(),
                card.serial
            ),
            "an empty slot 9c",
        )),
    }
}

/// Takes the management key from behind the PIN, which was typed, and shows it.
fn manage(card: &mut card::Open<'_>, challenge: &[u8; 16]) -> Result<()> {
    match card.kept_management()? {
        Some(key) => card.manage(Some(key.as_slice()), challenge),
        None => Err(Refusal::new(
            &rules::MANAGEMENT_KEY,
            format!("none behind the PIN of the YubiKey {}", card.serial),
            "the factory's, or one that the YubiKey keeps behind its PIN",
        )),
    }
}

/// A new secret, of a form that the card takes and that is not the factory's.
fn new(
    token: &PivToken,
    secret: PinKind,
    key: Option<&str>,
    pins: &mut dyn PinSource,
) -> Result<crate::signer::secret::Pin> {
    let typed = token.ask(secret, crate::signer::Tries::Full, key, pins)?;
    let what = if secret == PinKind::NewUser { "PIN" } else { "PUK" };
    expect_form(what, typed.expose())?;
    if [FACTORY_PIN, FACTORY_PUK].contains(&typed.expose()) {
        return Err(Refusal::new(
            &rules::PIN_FACTORY,
            format!("a {what} that everyone knows"),
            "one of your own",
        ));
    }
    Ok(typed)
}

/// Six to eight characters that every keyboard has.
pub(super) fn expect_form(what: &str, typed: &str) -> Result<()> {
    if (6..=8).contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::PIN_LENGTH,
        format!("a {what} of {} bytes", typed.len()),
        "6 to 8 digits, letters or signs",
    ))
}

fn random<const N: usize>(token: &PivToken) -> Result<Zeroizing<[u8; N]>> {
    let failed =
        |e: String| Refusal::new(&rules::TOKEN_FAILED, format!("no random bytes: {e}"), "random bytes");
    token.randomness.bytes().map_err(failed)
}
