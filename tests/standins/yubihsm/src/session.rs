//! Sessions: SCP03 (GlobalPlatform 2.3 amendment D) as the YubiHSM uses it, with AES-128.

use crate::codes::error;
use crate::keys;
use crate::read::Result;
use aes::Aes128;
use aes::cipher::block_padding::Iso7816;
use aes::cipher::{
    BlockCipherEncrypt as _, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _, KeyIvInit as _,
};
use cmac::{Cmac, Mac as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const MOST: u8 = 16;

const CARD_CRYPTOGRAM: u8 = 0;
const HOST_CRYPTOGRAM: u8 = 1;
const SESSION_ENC: u8 = 4;
const SESSION_MAC: u8 = 6;
const SESSION_RMAC: u8 = 7;

type Key = [u8; 16];

fn cmac(key: &Key, parts: &[&[u8]]) -> Key {
    let mut mac = Cmac::<Aes128>::new(key.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// NIST SP 800-108 in counter mode, with SCP03's fields. `bits`: 64 or 128.
fn derive(key: &Key, constant: u8, bits: u8, context: &Key) -> Key {
    let mut label = [0; 16];
    label[11] = constant;
    label[14] = bits;
    label[15] = 1;
    cmac(key, &[&label, context])
}

pub struct Session {
    /// The id of the authentication key.
    pub key: u16,
    authenticated: bool,
    enc: Key,
    mac: Key,
    rmac: Key,
    chain: Key,
    counter: u128,
    context: Key,
    used: Instant,
}

/// A message of a session, opened, and what its answer needs.
pub struct Opened {
    pub key: u16,
    pub content: Vec<u8>,
    enc: Key,
    rmac: Key,
    chain: Key,
    iv: Key,
}

impl Opened {
    /// The answer's frame: encrypted, chained to the message, with its MAC.
    pub fn seal(&self, code: u8, id: u8, content: &[u8]) -> Vec<u8> {
        let sealed = cbc::Encryptor::<Aes128>::new(&self.enc.into(), &self.iv.into())
            .encrypt_padded_vec::<Iso7816>(content);
        let mut out = vec![code];
        out.extend((sealed.len() as u16 + 9).to_be_bytes());
        out.push(id);
        out.extend(sealed);
        let mac = cmac(&self.rmac, &[&self.chain, &out]);
        out.extend(&mac[..8]);
        out
    }
}

pub struct Sessions {
    open: BTreeMap<u8, Session>,
    idle: Duration,
}

impl Sessions {
    /// None yet. They end when nobody has used them for so long.
    pub fn new(idle: Duration) -> Self {
        Self { open: BTreeMap::new(), idle }
    }

    /// Forgets those that nobody has used.
    pub fn expire(&mut self) {
        let idle = self.idle;
        self.open.retain(|_, session| session.used.elapsed() < idle);
    }

    pub fn close(&mut self, id: u8) {
        self.open.remove(&id);
    }

    pub fn close_all(&mut self) {
        self.open.clear();
    }

    /// Closes those that were opened with this key.
    pub fn close_of(&mut self, key: u16) {
        self.open.retain(|_, session| session.key != key);
    }

    /// The first half: number, the device's challenge and its cryptogram.
    pub fn create(&mut self, key: u16, keys: &[u8], challenge: [u8; 8]) -> Result<Vec<u8>> {
        let id = (0..MOST).find(|id| !self.open.contains_key(id)).ok_or(error::SESSIONS_FULL)?;
        let (enc, mac) = keys.split_at_checked(16).ok_or(error::INVALID_DATA)?;
        let enc: Key = enc.try_into().map_err(|_| error::INVALID_DATA)?;
        let mac: Key = mac.try_into().map_err(|_| error::INVALID_DATA)?;
        let own = keys::random::<8>();
        let mut context = Key::default();
        context[..8].copy_from_slice(&challenge);
        context[8..].copy_from_slice(&own);
        let session = Session {
            key,
            authenticated: false,
            enc: derive(&enc, SESSION_ENC, 128, &context),
            mac: derive(&mac, SESSION_MAC, 128, &context),
            rmac: derive(&mac, SESSION_RMAC, 128, &context),
            chain: Key::default(),
            counter: 0,
            context,
            used: Instant::now(),
        };
        let cryptogram = derive(&session.mac, CARD_CRYPTOGRAM, 64, &context);
        self.open.insert(id, session);
        Ok([&[id], own.as_slice(), &cryptogram[..8]].concat())
    }

    /// The key that a session was begun with.
    pub fn key(&self, id: u8) -> Result<u16> {
        self.open.get(&id).map(|session| session.key).ok_or(error::INVALID_SESSION)
    }

    /// The second half. `frame`: the whole, session and MAC included.
    pub fn authenticate(&mut self, id: u8, frame: &[u8]) -> Result<()> {
        let session =
            self.open.get_mut(&id).filter(|session| !session.authenticated).ok_or(error::INVALID_SESSION)?;
        let cryptogram = derive(&session.mac, HOST_CRYPTOGRAM, 64, &session.context);
        if frame.get(4..12) == Some(&cryptogram[..8]) && session.chains(frame) {
            session.authenticated = true;
            session.counter = 1;
            session.used = Instant::now();
            return Ok(());
        }
        self.close(id);
        Err(error::AUTHENTICATION_FAILED)
    }

    /// Opens a message. A session that was lied to is over.
    pub fn open(&mut self, id: u8, frame: &[u8]) -> Result<Opened> {
        let session =
            self.open.get_mut(&id).filter(|session| session.authenticated).ok_or(error::INVALID_SESSION)?;
        if !session.chains(frame) {
            self.close(id);
            return Err(error::AUTHENTICATION_FAILED);
        }
        session.used = Instant::now();
        let mut iv = session.counter.to_be_bytes().into();
        Aes128::new(&session.enc.into()).encrypt_block(&mut iv);
        session.counter += 1;
        let sealed = frame.get(4..frame.len().saturating_sub(8)).unwrap_or_default();
        let opened =
            cbc::Decryptor::<Aes128>::new(&session.enc.into(), &iv).decrypt_padded_vec::<Iso7816>(sealed);
        let Ok(content) = opened else {
            self.close(id);
            return Err(error::INVALID_DATA);
        };
        let session = &self.open[&id];
        Ok(Opened {
            key: session.key,
            content,
            enc: session.enc,
            rmac: session.rmac,
            chain: session.chain,
            iv: iv.into(),
        })
    }
}

impl Session {
    /// Whether the last 8 bytes are the MAC of the rest, which then is what the next is chained to.
    fn chains(&mut self, frame: &[u8]) -> bool {
        let Some((content, tag)) = frame.split_last_chunk::<8>() else { return false };
        let mac = cmac(&self.mac, &[&self.chain, content]);
        if mac[..8] != tag[..] {
            return false;
        }
        self.chain = mac;
        true
    }
}
