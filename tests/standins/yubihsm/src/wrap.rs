//! Wrap keys: objects out and in again, and data. AES-CCM with a nonce of 13 bytes and a tag of 16.
//!
//! A wrapped object is the wrap key's algorithm, all that GET OBJECT INFO says of it, and its content,
//! as Yubico's `yubihsm-wrap` makes it outside of a device.

use crate::codes::{algorithm, capability, command, error, kind, origin};
use crate::commands::Call;
use crate::keys;
use crate::read::{Fields, Result};
use crate::state::{LABEL, Object, State};
use aes::{Aes128, Aes192, Aes256};
use ccm::Ccm;
use ccm::aead::{Aead as _, KeyInit as _};
use ccm::consts::{U13, U16};

const NONCE: usize = 13;

pub fn key_length(algorithm: u8) -> Result<usize> {
    match algorithm {
        algorithm::AES128_CCM => Ok(16),
        algorithm::AES192_CCM => Ok(24),
        algorithm::AES256_CCM => Ok(32),
        _ => Err(error::INVALID_DATA),
    }
}

fn seal(key: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    let nonce = keys::random::<NONCE>();
    let at = (&nonce).into();
    let sealed = match key.len() {
        16 => Ccm::<Aes128, U16, U13>::new_from_slice(key).map(|ccm| ccm.encrypt(at, content)),
        24 => Ccm::<Aes192, U16, U13>::new_from_slice(key).map(|ccm| ccm.encrypt(at, content)),
        _ => Ccm::<Aes256, U16, U13>::new_from_slice(key).map(|ccm| ccm.encrypt(at, content)),
    };
    let sealed = sealed.map_err(|_| error::INVALID_DATA)?.map_err(|_| error::INVALID_DATA)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(key: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, content) = sealed.split_first_chunk::<NONCE>().ok_or(error::WRONG_LENGTH)?;
    let at = nonce.into();
    let opened = match key.len() {
        16 => Ccm::<Aes128, U16, U13>::new_from_slice(key).map(|ccm| ccm.decrypt(at, content)),
        24 => Ccm::<Aes192, U16, U13>::new_from_slice(key).map(|ccm| ccm.decrypt(at, content)),
        _ => Ccm::<Aes256, U16, U13>::new_from_slice(key).map(|ccm| ccm.decrypt(at, content)),
    };
    opened.map_err(|_| error::INVALID_DATA)?.map_err(|_| error::INVALID_DATA)
}

/// EXPORT WRAPPED. A fifth field of 1 takes the seed of an Ed25519 key along (firmware 2.4).
pub fn export(state: &State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    me.may(capability::EXPORT_WRAPPED)?;
    let mut fields = Fields::of(body);
    let (by, kind, id) = (fields.u16()?, fields.u8()?, fields.u16()?);
    let seed = !fields.is_empty() && fields.u8()? == 1;
    fields.end()?;
    (call.target, call.second) = (by, id);
    let wrap = state.object(kind::WRAP_KEY, by, me.domains)?;
    let object = state.object(kind, id, me.domains)?;
    wrap.may(capability::EXPORT_WRAPPED)?;
    object.may(capability::EXPORTABLE_UNDER_WRAP)?;
    if object.capabilities & !wrap.delegated != 0 {
        return Err(error::INSUFFICIENT_PERMISSIONS);
    }
    let mut content = object.content();
    if seed {
        content.extend(object.seed.ok_or(error::INVALID_DATA)?);
    }
    let mut plain = vec![wrap.algorithm];
    plain.extend(object.capabilities.to_be_bytes());
    for field in [object.id, content.len() as u16, object.domains] {
        plain.extend(field.to_be_bytes());
    }
    plain.extend([object.kind, object.algorithm, object.sequence, object.origin]);
    plain.extend(&object.label);
    plain.extend(content);
    seal(&wrap.data, &plain)
}

/// IMPORT WRAPPED. What comes in may do no more than the wrap key may pass on.
pub fn import(state: &mut State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    me.may(capability::IMPORT_WRAPPED)?;
    let mut fields = Fields::of(body);
    call.target = fields.u16()?;
    let wrap = state.object(kind::WRAP_KEY, call.target, me.domains)?;
    wrap.may(capability::IMPORT_WRAPPED)?;
    let object = parse(&open(&wrap.data, fields.rest())?, wrap.algorithm)?;
    call.second = object.id;
    let beyond = (object.capabilities | object.delegated) & !wrap.delegated;
    if beyond != 0 || object.domains & !me.domains != 0 {
        return Err(error::INSUFFICIENT_PERMISSIONS);
    }
    let kind = object.kind;
    let id = state.add(object)?;
    call.second = id;
    Ok([&[kind], id.to_be_bytes().as_slice()].concat())
}

fn parse(plain: &[u8], by: u8) -> Result<Object> {
    let bad = error::INVALID_DATA;
    let mut fields = Fields::of(plain);
    if fields.u8()? != by {
        return Err(bad);
    }
    let capabilities = fields.u64()?;
    let (id, length, domains) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let (kind, algorithm, sequence, from) = (fields.u8()?, fields.u8()?, fields.u8()?, fields.u8()?);
    let label = fields.bytes(LABEL)?.to_vec();
    let content = fields.bytes(usize::from(length))?;
    fields.end()?;
    let mut content = Fields::of(content);
    let passes_on = matches!(kind, kind::AUTHENTICATION_KEY | kind::WRAP_KEY);
    let delegated = if passes_on { content.u64()? } else { 0 };
    let content = content.rest();
    let (data, seed) = match (kind, algorithm) {
        (kind::ASYMMETRIC_KEY, _) => keys::unwrapped(algorithm, content)?,
        (kind::AUTHENTICATION_KEY, algorithm::AUTHENTICATION) if content.len() == 32 => {
            (content.to_vec(), None)
        }
        (kind::WRAP_KEY, _) if content.len() == key_length(algorithm)? => (content.to_vec(), None),
        (kind::OPAQUE, algorithm::OPAQUE_DATA | algorithm::OPAQUE_CERTIFICATE) => (content.to_vec(), None),
        _ => return Err(bad),
    };
    let origin = from & 3 | origin::UNWRAPPED;
    if id == 0 || domains == 0 {
        return Err(bad);
    }
    Ok(Object { id, kind, algorithm, capabilities, delegated, domains, label, sequence, origin, data, seed })
}

/// WRAP DATA and UNWRAP DATA. Until firmware 2.5 a key that may not is called wrong data.
pub fn data(state: &State, me: &Object, command: u8, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let wraps = command == command::WRAP_DATA;
    let needed = if wraps { capability::WRAP_DATA } else { capability::UNWRAP_DATA };
    me.may(needed)?;
    let mut fields = Fields::of(body);
    call.target = fields.u16()?;
    let key = state.object(kind::WRAP_KEY, call.target, me.domains)?;
    if state.firmware < [2, 5, 0] {
        key.may(needed).map_err(|_| error::INVALID_DATA)?;
    }
    key.may(needed)?;
    if wraps { seal(&key.data, fields.rest()) } else { open(&key.data, fields.rest()) }
}
