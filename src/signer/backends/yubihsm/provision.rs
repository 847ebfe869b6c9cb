//! A YubiHSM is reset and prepared, and gets its keys.
//!
//! A device that still has the factory's password could have anything else on it, put there by whoever
//! had it before, in a domain that nobody looks at: so it is always reset first, and what is on it
//! afterwards is compared with what has to be (threats T4). The new authentication keys are put
//! there, the administrator logs in by theirs, and only then the factory's is deleted: a device that
//! nobody can log in to any more is of no use.
//!
//! A device that keyrite prepared gets further keys as it is: everything on it has to be as it was
//! left. One that someone else prepared is refused; its owner can reset it.
//!
//! Every password is asked for before anything is changed.

use super::YubiHsmToken;
use super::duties::{self, Duty, FACTORY};
use super::objects::{AuthenticationKey, Capabilities, Info, Kind, LABEL, Object, algorithm_of};
use super::session::{Session, Static, Unopened};
use super::wire::{Command, Fault};
use crate::signer::{Attestation, Evidence, Generated, KeyTag, PinSource, rules};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use der::{Decode as _, Encode as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Before it, a key can be worked out of a device that someone has for some hours (YSA-2024-03).
const FIRMWARE: [u8; 3] = [2, 4, 0];

/// How long a device may be away while it starts again.
const RESTART: Duration = Duration::from_secs(15);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Where a key that was made here comes from, as the device says.
const GENERATED: u8 = 1;

/// A session by the factory's password; none if the device has another.
pub(super) fn factory(token: &YubiHsmToken) -> Result<Option<Session>> {
    let (id, password) = FACTORY;
    match Session::open(token.link, id, &Static::of(password), token.most, &token.randomness) {
        Ok(session) => Ok(Some(session)),
        Err(Unopened::NoKey | Unopened::WrongPassword) => Ok(None),
        Err(Unopened::Refused(refusal)) => Err(refusal),
    }
}

/// Makes a key, on a device that is prepared first if it never was.
pub(super) fn generate(
    token: &mut YubiHsmToken,
    spec: KeySpec,
    tag: &KeyTag,
    may_leave: bool,
    pins: &mut dyn PinSource,
) -> Result<Generated> {
    let (algorithm, signs) = algorithm_of(spec).ok_or_else(|| {
        let found = format!("{spec} on the YubiHSM {}", token.identity.serial);
        Refusal::new(&rules::TOKEN_CANNOT, found, "ECDSA P-256 or P-384, or Ed25519")
    })?;
    if factory(token)?.is_some() {
        prepare(token, tag, pins)?;
    }
    expect_firmware(token)?;
    let mut session = token.session(Duty::Administrator, Some(&tag.label), pins)?;
    expect_prepared(token, &mut session)?;
    let (id, label) = place(tag)?;
    let capabilities = if may_leave { signs.and(Capabilities::EXPORTABLE) } else { signs };
    session.generate(id, &label, duties::KEYS, algorithm, capabilities)?;
    finish(&mut session, spec, Object { kind: Kind::ASYMMETRIC, id }, may_leave)
}

/// Finds the key that was made under `tag`.
pub(super) fn adopt(
    token: &mut YubiHsmToken,
    spec: KeySpec,
    tag: &KeyTag,
    may_leave: bool,
    pins: &mut dyn PinSource,
) -> Result<Option<Generated>> {
    // Cut off before the device was prepared, or while it was: it is reset again.
    if factory(token)?.is_some() {
        return Ok(None);
    }
    let mut session = token.session(Duty::Administrator, Some(&tag.label), pins)?;
    expect_prepared(token, &mut session)?;
    let (id, label) = place(tag)?;
    let object = Object { kind: Kind::ASYMMETRIC, id };
    match session.info(object)? {
        Some(info) if info.label == label => finish(&mut session, spec, object, may_leave).map(Some),
        _ => Ok(None),
    }
}

/// Destroys the key: by a reset, if there is no other, so that the device is as from the factory.
pub(super) fn destroy(token: &mut YubiHsmToken, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
    let mut session = token.session(Duty::Administrator, None, pins)?;
    let id = token.find(&mut session, public)?;
    let ours = Object { kind: Kind::ASYMMETRIC, id };
    let prepared = |object: &Object| Duty::ALL.iter().any(|duty| duty.object() == *object);
    let others = session.list()?.into_iter().any(|o| o != ours && !prepared(&o) && !o.is_the_devices());
    if others {
        session.delete(ours)?;
        return match session.info(ours)? {
            None => Ok(()),
            Some(_) => Err(Refusal::new(&rules::TOKEN_FAILED, "a key that is still there", "none")),
        };
    }
    drop(reset(token, session)?);
    token.keys.clear();
    token.factory = true;
    Ok(())
}

/// What the device says of a key, its certificates included.
pub(super) fn evidence(session: &mut Session, object: Object) -> Result<Evidence> {
    let info = session.info(object)?.ok_or_else(|| Fault::NOT_FOUND.refused(Command::OBJECT_INFO))?;
    let certificate = session.attestation(object.id)?.to_vec();
    let own = trimmed(&session.own_certificate()?);
    let attestation = Some(Attestation::new(certificate, vec![own])?);
    Ok(Evidence { attributes: attributes(object, &info), attestation, module: None })
}

pub(super) fn attributes(object: Object, info: &Info) -> BTreeMap<String, String> {
    let local = if info.origin == GENERATED { "yes" } else { "no" };
    [
        ("capabilities", format!("0x{:016x}", info.capabilities.0)),
        ("domains", format!("0x{:04x}", info.domains)),
        ("local", local.to_owned()),
        ("object", format!("0x{:04x}", object.id)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The opaque object may be longer than the certificate in it.
fn trimmed(opaque: &[u8]) -> Vec<u8> {
    use der::Reader as _;
    let read = der::SliceReader::new(opaque).and_then(|mut reader| reader.tlv_bytes().map(<[u8]>::to_vec));
    read.unwrap_or_else(|_| opaque.to_vec())
}

/// Resets the device and gives it its authentication keys.
pub(super) fn prepare(token: &mut YubiHsmToken, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()> {
    expect_firmware(token)?;
    let mut passwords: Vec<(Duty, crate::signer::secret::Pin)> = Vec::new();
    for duty in Duty::ALL {
        let typed = token.ask(duty.new_secret(), Some(&tag.label), pins)?;
        duties::expect_form(duty, typed.expose())?;
        if let Some((other, _)) = passwords.iter().find(|(_, known)| known.expose() == typed.expose()) {
            return Err(Refusal::new(
                &rules::DUTY_PASSWORD,
                format!("one password for the {other} and the {duty}"),
                "four passwords, each another",
            ));
        }
        passwords.push((duty, typed));
    }
    let session = factory(token)?.ok_or_else(|| unprepared(token, "another password by now"))?;
    let mut session = reset(token, session)?;
    expect(token, &mut session, &[Object { kind: Kind::AUTHENTICATION, id: FACTORY.0 }])?;
    session.set_auditing()?;
    for (duty, typed) in &passwords {
        let keys = Static::of(typed.expose());
        session.put_authentication(&AuthenticationKey {
            id: duty.id(),
            label: duty.name(),
            domains: duty.domains(),
            capabilities: duty.capabilities(),
            delegated: duty.delegated(),
            keys: &keys,
        })?;
        token.keys.insert(*duty, keys);
    }
    drop(session);
    // By the new key: if it didn't open, the factory's would still be there.
    let mut session = token.session(Duty::Administrator, Some(&tag.label), pins)?;
    session.delete(Object { kind: Kind::AUTHENTICATION, id: FACTORY.0 })?;
    drop(session);
    token.factory = false;
    if factory(token)?.is_some() {
        return Err(unprepared(token, "the factory's password, which still opens it"));
    }
    Ok(())
}

/// Resets the device, waits until it is back, and logs in by the factory's password.
fn reset(token: &YubiHsmToken, mut session: Session) -> Result<Session> {
    // It may be gone before it has answered.
    match session.tried(Command::RESET, &[]) {
        Ok(Ok(_)) => {}
        Ok(Err(fault)) => return Err(fault.refused(Command::RESET)),
        Err(e) if [&rules::CONNECTOR, &rules::HSM_USB, &rules::TOKEN_MISSING].contains(&e.rule()) => {}
        Err(e) => return Err(e),
    }
    drop(session);
    let began = Instant::now();
    loop {
        let back = token.device().and_then(|_| factory(token));
        match back {
            Ok(Some(session)) => return Ok(session),
            _ if began.elapsed() < RESTART => std::thread::sleep(LOOK),
            Ok(None) => return Err(unprepared(token, "another password than the factory's after a reset")),
            Err(e) => return Err(e),
        }
    }
}

/// Refuses a device with anything on it but the duties' keys as they were put there, keys in their
/// domain, and what the device has of itself.
fn expect_prepared(token: &YubiHsmToken, session: &mut Session) -> Result<()> {
    let mut odd = Vec::new();
    let mut missing: Vec<Duty> = Duty::ALL.to_vec();
    for object in session.list()? {
        let info = session.info(object)?;
        let duty = Duty::ALL.into_iter().find(|duty| duty.object() == object);
        let fine = match (duty, info) {
            (Some(duty), Some(info)) => {
                missing.retain(|one| *one != duty);
                duty.is(&info)
            }
            (None, Some(info)) => {
                object.is_the_devices()
                    || (object.kind == Kind::ASYMMETRIC && info.only_signs())
                    || (object.kind == Kind::WRAP && info.is_a_wrap_key())
            }
            (_, None) => object.is_the_devices(),
        };
        if !fine {
            odd.push(object.to_string());
        }
    }
    odd.extend(missing.iter().map(|duty| format!("no {duty}")));
    odd.extend(session.odd_auditing()?);
    if odd.is_empty() { Ok(()) } else { Err(unprepared(token, &odd.join(", "))) }
}

/// Refuses a device with more or less on it, in any domain.
fn expect(token: &YubiHsmToken, session: &mut Session, objects: &[Object]) -> Result<()> {
    let found: Vec<Object> = session.list()?.into_iter().filter(|o| !o.is_the_devices()).collect();
    let mut used_before = false;
    for object in &found {
        used_before |= session.info(*object)?.is_none_or(|info| info.sequence != 0);
    }
    if found == objects && !used_before {
        return Ok(());
    }
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    Err(unprepared(token, &format!("after a reset: {}", found.join(", "))))
}

fn unprepared(token: &YubiHsmToken, found: &str) -> Refusal {
    Refusal::new(
        &rules::HSM_UNPREPARED,
        format!("{found} on the YubiHSM {}", token.identity.serial),
        "what keyrite puts there, and nothing else",
    )
}

/// Where a key is and what it is called there: both of the id that was drawn for it, so that it is
/// found after a power cut (threats T21).
pub(super) fn place(tag: &KeyTag) -> Result<(u16, String)> {
    let [high, low, ..] = tag.id;
    let drawn = u16::from_be_bytes([high, low]);
    // The first numbers are for people to choose, the last is none.
    let id = tag.place.unwrap_or(if drawn == u16::MAX || drawn < 0x100 { drawn ^ 0x5a5a } else { drawn });
    let [.., a, b, c, d] = tag.id;
    let label = format!("{}:{}", tag.label, base16ct::lower::encode_string(&[a, b, c, d]));
    if label.len() > LABEL {
        return Err(Refusal::new(
            &rules::TOKEN_LABEL,
            format!("the name {}, {} letters", tag.label, tag.label.len()),
            "a key's name of at most 31 letters on a YubiHSM",
        ));
    }
    Ok((id, label))
}

/// The key as the record takes it, once its certificate says that it is this one.
fn finish(session: &mut Session, spec: KeySpec, object: Object, may_leave: bool) -> Result<Generated> {
    let weak = |found: &str| {
        Refusal::new(&rules::TOKEN_WEAK, found, "a key that the YubiHSM says it made, by its attestation")
    };
    let info = session.info(object)?;
    if info.as_ref().is_none_or(|info| info.may_leave() != may_leave) {
        return Err(weak(if may_leave { "a key that can't leave" } else { "a key that may leave" }));
    }
    if info.is_none_or(|info| !info.only_signs()) {
        return Err(weak("a key that may do more than sign"));
    }
    let public = session.public_key(object.id)?.ok_or_else(|| weak("a key of no kind that keyrite uses"))?;
    if !spec.fits(&public) {
        let found = format!("a key of {}, {object}", public.describe());
        return Err(Refusal::new(&rules::KEY_ADOPT, found, format!("the {spec} key that was being made")));
    }
    let evidence = evidence(session, object)?;
    if evidence.attributes.get("local").map(String::as_str) != Some("yes") {
        return Err(weak("a key that came from elsewhere"));
    }
    let own = evidence.attestation.as_ref().map(Attestation::certificate).unwrap_or_default();
    if public_in(own).as_ref() != Some(&public) {
        return Err(weak("an attestation of another key"));
    }
    Ok(Generated { public, evidence })
}

fn public_in(certificate: &[u8]) -> Option<PublicKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    PublicKey::from_spki_der(&spki).ok()
}

fn expect_firmware(token: &YubiHsmToken) -> Result<()> {
    let device = token.device()?;
    if device.firmware >= FIRMWARE {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::YUBIHSM_FIRMWARE,
        format!("{} on the YubiHSM {}", device.version(), token.identity.serial),
        "2.4.0 or later",
    ))
}
