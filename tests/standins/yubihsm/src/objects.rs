//! Objects: made, put in, listed, shown, deleted.

use crate::codes::{algorithm, capability, command, error, kind, origin};
use crate::commands::Call;
use crate::keys;
use crate::read::{Fields, Result};
use crate::state::{LABEL, Object, State};
use crate::wrap;

pub fn run(state: &mut State, me: &Object, command: u8, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let (kind, needed) = match command {
        command::PUT_OPAQUE => (kind::OPAQUE, capability::PUT_OPAQUE),
        command::PUT_AUTHENTICATION_KEY => (kind::AUTHENTICATION_KEY, capability::PUT_AUTHENTICATION_KEY),
        command::PUT_ASYMMETRIC_KEY => (kind::ASYMMETRIC_KEY, capability::PUT_ASYMMETRIC_KEY),
        command::GENERATE_ASYMMETRIC_KEY => (kind::ASYMMETRIC_KEY, capability::GENERATE_ASYMMETRIC_KEY),
        command::PUT_WRAP_KEY => (kind::WRAP_KEY, capability::PUT_WRAP_KEY),
        command::GENERATE_WRAP_KEY => (kind::WRAP_KEY, capability::GENERATE_WRAP_KEY),
        command::LIST_OBJECTS => return list(state, me, body),
        command::GET_OBJECT_INFO => return info(state, me, body, call),
        command::GET_OPAQUE => return opaque(state, me, body, call),
        command::GET_PUBLIC_KEY => return public_key(state, me, body, call),
        command::DELETE_OBJECT => return delete(state, me, body, call),
        command::CHANGE_AUTHENTICATION_KEY => return change(state, me, body, call),
        _ => return Err(error::INVALID_COMMAND),
    };
    me.may(needed)?;
    let generated = matches!(command, command::GENERATE_ASYMMETRIC_KEY | command::GENERATE_WRAP_KEY);
    call.target = create(state, me, kind, generated, body)?;
    Ok(call.target.to_be_bytes().to_vec())
}

fn create(state: &mut State, me: &Object, kind: u8, generated: bool, body: &[u8]) -> Result<u16> {
    let mut fields = Fields::of(body);
    let (id, label) = (fields.u16()?, fields.bytes(LABEL)?.to_vec());
    let (domains, capabilities, algorithm) = (fields.u16()?, fields.u64()?, fields.u8()?);
    let passes_on = matches!(kind, kind::AUTHENTICATION_KEY | kind::WRAP_KEY);
    let delegated = if passes_on { fields.u64()? } else { 0 };
    let content = fields.rest();
    if domains == 0 {
        return Err(error::INVALID_DATA);
    }
    // Nobody gives what is not theirs to give.
    if domains & !me.domains != 0 || (capabilities | delegated) & !me.delegated != 0 {
        return Err(error::INSUFFICIENT_PERMISSIONS);
    }
    if generated && !content.is_empty() {
        return Err(error::WRONG_LENGTH);
    }
    let (data, seed) = match kind {
        kind::ASYMMETRIC_KEY if generated => keys::generate(algorithm)?,
        kind::ASYMMETRIC_KEY => keys::import(algorithm, content)?,
        kind::WRAP_KEY => {
            let length = wrap::key_length(algorithm)?;
            let made = keys::random::<32>();
            let content = if generated { &made[..length] } else { content };
            (sized(content, length)?, None)
        }
        kind::AUTHENTICATION_KEY => match algorithm {
            algorithm::AUTHENTICATION => (sized(content, 32)?, None),
            _ => return Err(error::INVALID_DATA),
        },
        _ => match algorithm {
            algorithm::OPAQUE_DATA | algorithm::OPAQUE_CERTIFICATE if !content.is_empty() => {
                (content.to_vec(), None)
            }
            _ => return Err(error::INVALID_DATA),
        },
    };
    let origin = if generated { origin::GENERATED } else { origin::IMPORTED };
    let sequence = 0;
    state.add(Object {
        id,
        kind,
        algorithm,
        capabilities,
        delegated,
        domains,
        label,
        sequence,
        origin,
        data,
        seed,
    })
}

fn sized(content: &[u8], length: usize) -> Result<Vec<u8>> {
    if content.len() == length { Ok(content.to_vec()) } else { Err(error::WRONG_LENGTH) }
}

fn list(state: &State, me: &Object, body: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for object in state.objects.iter().filter(|object| object.domains & me.domains != 0) {
        if matches(object, body)? {
            out.extend(object.id.to_be_bytes());
            out.extend([object.kind, object.sequence]);
        }
    }
    Ok(out)
}

/// Whether the object is what all filters ask for.
fn matches(object: &Object, filters: &[u8]) -> Result<bool> {
    let mut fields = Fields::of(filters);
    let mut fits = true;
    while !fields.is_empty() {
        fits &= match fields.u8()? {
            1 => object.id == fields.u16()?,
            2 => object.kind == fields.u8()?,
            3 => object.domains & fields.u16()? != 0,
            4 => object.capabilities & fields.u64()? != 0,
            5 => object.algorithm == fields.u8()?,
            6 => object.label == fields.bytes(LABEL)?,
            _ => return Err(error::INVALID_DATA),
        };
    }
    Ok(fits)
}

fn info(state: &State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let mut fields = Fields::of(body);
    let (id, kind) = (fields.u16()?, fields.u8()?);
    fields.end()?;
    call.target = id;
    let object = state.object(kind, id, me.domains)?;
    let mut out = object.capabilities.to_be_bytes().to_vec();
    for field in [id, object.content().len() as u16, object.domains] {
        out.extend(field.to_be_bytes());
    }
    out.extend([kind, object.algorithm, object.sequence, object.origin]);
    out.extend(&object.label);
    out.extend(object.delegated.to_be_bytes());
    Ok(out)
}

/// 0 is the device's own certificate, which is in no list.
fn opaque(state: &State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    me.may(capability::GET_OPAQUE)?;
    call.target = id(body)?;
    if call.target == 0 {
        return Ok(state.certificate.clone());
    }
    Ok(state.object(kind::OPAQUE, call.target, me.domains)?.data.clone())
}

/// Since firmware 2.4 a type may follow the id.
fn public_key(state: &State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let mut fields = Fields::of(body);
    call.target = fields.u16()?;
    if !fields.is_empty() && fields.u8()? != kind::ASYMMETRIC_KEY {
        return Err(error::INVALID_DATA);
    }
    fields.end()?;
    let key = state.object(kind::ASYMMETRIC_KEY, call.target, me.domains)?;
    Ok([&[key.algorithm], keys::public(key.algorithm, &key.data)].concat())
}

fn delete(state: &mut State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let mut fields = Fields::of(body);
    let (id, kind) = (fields.u16()?, fields.u8()?);
    fields.end()?;
    call.target = id;
    let needed = match kind {
        kind::OPAQUE => capability::DELETE_OPAQUE,
        kind::AUTHENTICATION_KEY => capability::DELETE_AUTHENTICATION_KEY,
        kind::ASYMMETRIC_KEY => capability::DELETE_ASYMMETRIC_KEY,
        kind::WRAP_KEY => capability::DELETE_WRAP_KEY,
        _ => return Err(error::INVALID_DATA),
    };
    me.may(needed)?;
    state.object(kind, id, me.domains)?;
    state.remove(kind, id);
    Ok(Vec::new())
}

/// Only the session's own.
fn change(state: &mut State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    me.may(capability::CHANGE_AUTHENTICATION_KEY)?;
    let mut fields = Fields::of(body);
    let (id, algorithm, keys) = (fields.u16()?, fields.u8()?, fields.bytes(32)?);
    fields.end()?;
    call.target = id;
    if id != me.id {
        return Err(error::INVALID_ID);
    }
    if algorithm != algorithm::AUTHENTICATION {
        return Err(error::INVALID_DATA);
    }
    let mine =
        state.objects.iter_mut().find(|object| (object.kind, object.id) == (kind::AUTHENTICATION_KEY, id));
    if let Some(mine) = mine {
        mine.data = keys.to_vec();
        mine.origin = origin::IMPORTED;
        mine.sequence = mine.sequence.wrapping_add(1);
    }
    Ok(id.to_be_bytes().to_vec())
}

fn id(body: &[u8]) -> Result<u16> {
    let mut fields = Fields::of(body);
    let id = fields.u16()?;
    fields.end()?;
    Ok(id)
}
