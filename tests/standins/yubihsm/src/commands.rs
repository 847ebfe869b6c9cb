//! The commands of a session: who may, to what, and what comes of it.
//!
//! A session has the capabilities and domains of its authentication key. An object is seen from its
//! own domains only; to the others it is not there.

use crate::attest;
use crate::codes::{capability, command, error, kind};
use crate::keys;
use crate::objects;
use crate::read::{Fields, Result};
use crate::state::{Object, State};
use crate::wrap;

/// By whose authentication key, and which objects were touched, for the log.
pub struct Call {
    pub key: u16,
    pub target: u16,
    pub second: u16,
}

/// Answers with what follows the command's number and length, or the error.
pub fn run(state: &mut State, command: u8, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let me =
        state.object(kind::AUTHENTICATION_KEY, call.key, 0xffff).map_err(|_| error::INVALID_SESSION)?.clone();
    match command {
        command::BLINK => Ok(Vec::new()),
        command::STORAGE_INFO => Ok(storage(state)),
        command::RESET_DEVICE => {
            me.may(capability::RESET_DEVICE)?;
            state.reset();
            Ok(Vec::new())
        }
        command::GET_PSEUDO_RANDOM => random(&me, body),
        command::GET_LOG_ENTRIES => {
            me.may(capability::GET_LOG_ENTRIES)?;
            Ok(state.log.told())
        }
        command::SET_LOG_INDEX => {
            me.may(capability::GET_LOG_ENTRIES)?;
            state.log.forget(body).map(|()| Vec::new())
        }
        command::GET_OPTION => {
            me.may(capability::GET_OPTION)?;
            let mut fields = Fields::of(body);
            let option = fields.u8()?;
            fields.end()?;
            state.log.option(option)
        }
        command::SET_OPTION => {
            me.may(capability::SET_OPTION)?;
            let mut fields = Fields::of(body);
            let (option, length) = (fields.u8()?, fields.u16()?);
            let value = fields.bytes(usize::from(length))?;
            fields.end()?;
            state.log.set_option(option, value).map(|()| Vec::new())
        }
        command::SIGN_ECDSA | command::SIGN_EDDSA => sign(state, &me, command, body, call),
        command::SIGN_ATTESTATION => attest::run(state, &me, body, call),
        command::EXPORT_WRAPPED => wrap::export(state, &me, body, call),
        command::IMPORT_WRAPPED => wrap::import(state, &me, body, call),
        command::WRAP_DATA | command::UNWRAP_DATA => wrap::data(state, &me, command, body, call),
        _ => objects::run(state, &me, command, body, call),
    }
}

fn storage(state: &State) -> Vec<u8> {
    let free = 256_u16.saturating_sub(state.objects.len() as u16);
    // Records, of them free; pages, of them free, by four to an object; bytes of a page.
    [256, free, 1024, free.saturating_mul(4), 126].iter().flat_map(|n: &u16| n.to_be_bytes()).collect()
}

fn random(me: &Object, body: &[u8]) -> Result<Vec<u8>> {
    me.may(capability::GET_PSEUDO_RANDOM)?;
    let mut fields = Fields::of(body);
    let length = usize::from(fields.u16()?);
    fields.end()?;
    if length > 2021 {
        return Err(error::INVALID_DATA);
    }
    Ok(std::iter::repeat_with(keys::random::<1>).take(length).flatten().collect())
}

fn sign(state: &State, me: &Object, command: u8, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    let ecdsa = command == command::SIGN_ECDSA;
    let needed = if ecdsa { capability::SIGN_ECDSA } else { capability::SIGN_EDDSA };
    me.may(needed)?;
    let mut fields = Fields::of(body);
    call.target = fields.u16()?;
    let key = state.object(kind::ASYMMETRIC_KEY, call.target, me.domains)?;
    key.may(needed)?;
    if ecdsa {
        keys::sign_ecdsa(key.algorithm, &key.data, fields.rest())
    } else {
        keys::sign_eddsa(key.algorithm, &key.data, fields.rest())
    }
}
