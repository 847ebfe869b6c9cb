//! A token's life: given a label and PINs, given keys, relieved of them.
//!
//! A key is made on the token, as a token object, private, sensitive, not extractable unless it is to
//! be backed up, and for signing alone. What the token then says of it is read back, since a token may take a template
//! and do otherwise. Its label and id were chosen and recorded before, so that a key made just
//! before a power cut is found again (threats T21).

use super::attributes::{self, ED25519_OID, curve_params};
use super::profile::Limit;
use super::refusals::token_said;
use super::{Pkcs11Token, find};
use crate::signer::{Generated, KeyTag, PinKind, PinSource, rules};
use crate::tuf::key::{Algorithm, KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::{ours, visible};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::{AuthPin, Ulong};
use secrecy::ExposeSecret;

/// Gives a blank token its label and PINs, or goes on where that was cut off.
pub(super) fn initialise(token: &mut Pkcs11Token, label: &str, pins: &mut dyn PinSource) -> Result<()> {
    if label.is_empty() || label.len() > 32 || label.trim() != label {
        return Err(Refusal::new(
            &rules::TOKEN_LABEL,
            format!("\"{}\", {} bytes", visible(label), label.len()),
            "1 to 32 bytes, no space at either end",
        ));
    }
    ours("the label", label)?;
    let context = token.module.context();
    let info = context.get_token_info(token.slot).map_err(|e| token_said("tell what it is", &e))?;
    let cut_off = info.token_initialized() && !info.user_pin_initialized() && info.label() == label;
    if info.token_initialized() && !cut_off {
        return Err(Refusal::new(
            &rules::TOKEN_NOT_BLANK,
            format!("\"{}\" with serial {}", visible(info.label()), visible(info.serial_number())),
            "a token that was never initialised",
        ));
    }
    if token.pad {
        return Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            "a token with a PIN pad",
            "one that is initialised here; use its vendor's tool, then go on",
        ));
    }
    let secret = if cut_off { PinKind::SecurityOfficer } else { PinKind::NewSecurityOfficer };
    let officer = asked(token, secret, &info, pins)?;
    let user = asked(token, PinKind::NewUser, &info, pins)?;
    let context = token.module.context();
    if !cut_off {
        context.init_token(token.slot, &officer, label).map_err(|e| token_said("initialise itself", &e))?;
    }
    // A session of its own: while the officer is logged in, no other may be open (PKCS#11 5.6).
    token.module.forget(token.slot);
    let session = context.open_rw_session(token.slot).map_err(|e| token_said("open a session", &e))?;
    session.login(UserType::So, Some(&officer)).map_err(|e| token_said("log in its officer", &e))?;
    session.init_pin(&user).map_err(|e| token_said("set the user PIN", &e))?;
    drop(session);
    let info = context.get_token_info(token.slot).map_err(|e| token_said("tell what it is", &e))?;
    // Found again as everyone else will, by label and serial, which are new.
    let (slot, info) = find(&token.module, label, info.serial_number())?;
    *token = Pkcs11Token::new(&token.module, slot, &info);
    Ok(())
}

/// Changes the user's PIN. The old one is tried first, so that a wrong one is told as anywhere else.
pub(super) fn change_pin(token: &mut Pkcs11Token, pins: &mut dyn PinSource) -> Result<()> {
    if token.pad {
        let found = "a token on which PINs are typed";
        return Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            found,
            "a PIN that is changed with its vendor's tool",
        ));
    }
    let (session, info) = token.session()?;
    let old = token.ask(PinKind::User, None, &info, pins)?.unwrap_or_default();
    let new = asked(token, PinKind::NewUser, &info, pins)?;
    token.login(&session, UserType::User, Some(&old))?;
    session.set_pin(&old, &new).map_err(|e| token.after(token_said("change its PIN", &e)))
}

/// A PIN within the token's limits; these are checked before anything is changed.
fn asked(
    token: &Pkcs11Token,
    secret: PinKind,
    info: &TokenInfo,
    pins: &mut dyn PinSource,
) -> Result<AuthPin> {
    let pin = token.ask(secret, None, info, pins)?.unwrap_or_default();
    let length = pin.expose_secret().len();
    let (least, most) = (info.min_pin_length(), info.max_pin_length());
    if length >= least && (most == 0 || length <= most) {
        return Ok(pin);
    }
    Err(Refusal::new(&rules::PIN_LENGTH, format!("{length} bytes"), format!("{least} to {most} bytes")))
}

/// Makes a key that never leaves the token.
pub(super) fn generate(
    token: &mut Pkcs11Token,
    spec: KeySpec,
    tag: &KeyTag,
    pins: &mut dyn PinSource,
) -> Result<Generated> {
    made(token, spec, tag, false, pins)
}

/// Makes a key; one that may leave wrapped, if that is asked for.
pub(super) fn made(
    token: &mut Pkcs11Token,
    spec: KeySpec,
    tag: &KeyTag,
    leaves: bool,
    pins: &mut dyn PinSource,
) -> Result<Generated> {
    let profile = *token.module.profile();
    if !profile.generates {
        return Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("{} makes no keys under a label of our choice", profile.name),
            "a key made with the vendor's tool and then enrolled",
        ));
    }
    let kind = mechanism(spec);
    let known = token.module.context().get_mechanism_list(token.slot);
    if known.is_ok_and(|list| !list.contains(&kind)) {
        return Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("\"{}\" makes no {spec} keys", visible(&token.identity.label)),
            "a kind of key that the token makes",
        ));
    }
    let id = cka_id(token, tag);
    let session = token.logged_in(Some(&tag.label), pins)?;
    expect_free(&session, &tag.label, &id)?;
    let (public, private) = make(&session, spec, &tag.label, &id, leaves).map_err(|e| token.after(e))?;
    let public = attributes::public_in(&session, public, ObjectClass::PUBLIC_KEY)
        .or_else(|| attributes::public_of(&session, private))
        .filter(|key| spec.fits(key))
        .ok_or_else(|| {
            Refusal::new(&rules::TOKEN_FAILED, "a key whose public half it doesn't tell", spec.to_string())
        })?;
    judged(token, &session, private, public, leaves)
}

/// Finds the key that was made under `tag`.
pub(super) fn adopt(
    token: &mut Pkcs11Token,
    spec: KeySpec,
    tag: &KeyTag,
    pins: &mut dyn PinSource,
) -> Result<Option<Generated>> {
    adopted(token, spec, tag, false, pins)
}

/// The same of a key that may leave wrapped, if that was asked for.
pub(super) fn adopted(
    token: &mut Pkcs11Token,
    spec: KeySpec,
    tag: &KeyTag,
    leaves: bool,
    pins: &mut dyn PinSource,
) -> Result<Option<Generated>> {
    let id = cka_id(token, tag);
    let session = token.logged_in(Some(&tag.label), pins)?;
    let template = |class| {
        [Attribute::Class(class), Attribute::Label(tag.label.clone().into_bytes()), Attribute::Id(id.clone())]
    };
    let search = |class| session.find_objects(&template(class)).map_err(|e| token_said("look for keys", &e));
    let privates = search(ObjectClass::PRIVATE_KEY)?;
    let refuse = |found: String| {
        Err(Refusal::new(
            &rules::KEY_ADOPT,
            format!("{found} of the label \"{}\"", visible(&tag.label)),
            format!("one {spec} key of its id, or none"),
        ))
    };
    let private = match privates.as_slice() {
        [] if search(ObjectClass::PUBLIC_KEY)?.is_empty() => return Ok(None),
        [] => return refuse("a public key without its private one".to_owned()),
        [private] => *private,
        many => return refuse(format!("{} private keys", many.len())),
    };
    match attributes::public_of(&session, private) {
        Some(public) if spec.fits(&public) => judged(token, &session, private, public, leaves).map(Some),
        Some(public) => refuse(format!("a key of {}", public.describe())),
        None => refuse("a private key without its public one".to_owned()),
    }
}

/// Destroys a private key, its public half and nothing else.
pub(super) fn destroy(token: &mut Pkcs11Token, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
    let session = token.logged_in(None, pins)?;
    let private = token.private_key(&session, public)?;
    let publics = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]).unwrap_or_default();
    let publics = publics.into_iter().filter(|object| {
        attributes::public_in(&session, *object, ObjectClass::PUBLIC_KEY).as_ref() == Some(public)
    });
    // Collected before the private key goes, because a token may take both at once.
    let publics: Vec<ObjectHandle> = publics.collect();
    session.destroy_object(private).map_err(|e| token.after(token_said("destroy the key", &e)))?;
    for object in publics {
        // Only the private half matters; it is gone.
        drop(session.destroy_object(object));
    }
    match token.private_key(&session, public) {
        Ok(_) => Err(Refusal::new(&rules::TOKEN_FAILED, "a key that is still there", "none")),
        Err(e) if e.rule() == &rules::KEY_NOT_ON_TOKEN => Ok(()),
        Err(e) => Err(e),
    }
}

/// A key as the record takes it, unless the token says that it is badly kept.
fn judged(
    token: &Pkcs11Token,
    session: &Session,
    private: ObjectHandle,
    public: PublicKey,
    leaves: bool,
) -> Result<Generated> {
    let evidence = token.evidence_of(session, private, &public);
    attributes::expect_kept(&evidence.attributes, leaves)
        .map_err(|e| e.at(format!("the key on \"{}\"", visible(&token.identity.label))))?;
    Ok(Generated { public, evidence })
}

/// `CKA_ID`: of the tag, or the number of an object on a YubiHSM, which has two bytes for it.
pub(super) fn cka_id(token: &Pkcs11Token, tag: &KeyTag) -> Vec<u8> {
    match (token.module.profile().message, tag.place) {
        (Limit::YubiHsm, Some(place)) => place.to_be_bytes().to_vec(),
        _ => tag.id.to_vec(),
    }
}

pub(super) fn expect_free(session: &Session, label: &str, id: &[u8]) -> Result<()> {
    let by_label = Attribute::Label(label.as_bytes().to_vec());
    for (what, attribute) in [("label", by_label), ("id", Attribute::Id(id.to_vec()))] {
        let found = session.find_objects(&[attribute]).map_err(|e| token_said("look for keys", &e))?;
        if !found.is_empty() {
            return Err(Refusal::new(
                &rules::LABEL_IN_USE,
                format!("{} objects of the {what} for \"{}\"", found.len(), visible(label)),
                format!("a {what} that is free"),
            ));
        }
    }
    Ok(())
}

/// Tries the ways to ask for such a key, from the most explicit to what every module takes. Only
/// "that I don't understand" leads to the next.
fn make(
    session: &Session,
    spec: KeySpec,
    label: &str,
    id: &[u8],
    leaves: bool,
) -> Result<(ObjectHandle, ObjectHandle)> {
    let mechanism = match spec {
        KeySpec::EcdsaP256 | KeySpec::EcdsaP384 => Mechanism::EccKeyPairGen,
        KeySpec::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => Mechanism::RsaPkcsKeyPairGen,
    };
    let kinds: Vec<Vec<Attribute>> = match spec {
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => {
            let bits = if spec == KeySpec::Rsa3072 { 3072 } else { 4096 };
            let exponent = Attribute::PublicExponent(vec![1, 0, 1]);
            vec![vec![Attribute::ModulusBits(Ulong::new(bits)), exponent]]
        }
        _ => {
            let mut params: Vec<Vec<u8>> = curve_params(spec.algorithm()).into_iter().collect();
            if spec.algorithm() == Algorithm::Ed25519 {
                params.push(ED25519_OID.to_vec());
            }
            params.into_iter().map(|p| vec![Attribute::EcParams(p)]).collect()
        }
    };
    let mut refusal = None;
    for explicit in [true, false] {
        for kind in &kinds {
            let public = [kind.clone(), public_template(label, id)].concat();
            match session.generate_key_pair(&mechanism, &public, &template_of(label, id, explicit, leaves)) {
                Ok(pair) => return Ok(pair),
                Err(e) => {
                    let said = token_said(&format!("make a {spec} key"), &e);
                    if said.rule() != &rules::TOKEN_CANNOT {
                        return Err(said);
                    }
                    refusal = Some(said);
                }
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Refusal::new(&rules::TOKEN_CANNOT, "no way to ask", spec.to_string())))
}

fn public_template(label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        // So that it is found without a PIN.
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ]
}

/// What a private key is to be; `leaves` if it may leave the token, wrapped.
pub(super) fn template_of(label: &str, id: &[u8], explicit: bool, leaves: bool) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(leaves),
        Attribute::Sign(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    if explicit {
        template.extend([
            Attribute::Decrypt(false),
            Attribute::SignRecover(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
    }
    template
}

fn mechanism(spec: KeySpec) -> MechanismType {
    match spec {
        KeySpec::EcdsaP256 | KeySpec::EcdsaP384 => MechanismType::ECC_KEY_PAIR_GEN,
        KeySpec::Ed25519 => MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => MechanismType::RSA_PKCS_KEY_PAIR_GEN,
    }
}
