//! The management key, AES-192: showing that one has it, and setting another.

use crate::apdu::Status;
use crate::keys::random;
use crate::tlv::{first, tlv, value};
use aes::Aes192;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

/// Where it is.
pub const NUMBER: u8 = 0x9b;
/// PIV's number of its algorithm.
pub const AES192: u8 = 0x0a;

const SECURITY: Status = 0x6982;
const WRONG_DATA: Status = 0x6a80;

/// How far the host has shown it since the last reset.
#[derive(Default)]
pub struct Shown {
    /// It has.
    pub shown: bool,
    witness: Option<[u8; 16]>,
    challenge: Option<[u8; 16]>,
}

impl Shown {
    /// Mutual (tag 80 first) or of the host alone (tag 81 first), SP 800-73-4 part 2, A.1.
    pub fn show(&mut self, key: &[u8], algorithm: u8, data: &[u8]) -> Result<Vec<u8>, Status> {
        if algorithm != AES192 && algorithm != 0 {
            return Err(WRONG_DATA);
        }
        let Some((0x7c, template, _)) = first(data) else { return Err(WRONG_DATA) };
        let part = |tag| value(template, tag);
        let (witness, challenge) = (self.witness.take(), self.challenge.take());
        if let (Some(witness), Some(shown), Some(asked)) = (witness, part(0x80), part(0x81)) {
            if witness != shown {
                return Err(SECURITY);
            }
            let asked: [u8; 16] = asked.try_into().map_err(|_| WRONG_DATA)?;
            self.shown = true;
            return Ok(tlv(0x7c, &tlv(0x82, &encrypted(key, asked))));
        }
        if let (Some(challenge), Some(shown)) = (challenge, part(0x82).filter(|shown| !shown.is_empty())) {
            if encrypted(key, challenge) != shown {
                return Err(SECURITY);
            }
            self.shown = true;
            return Ok(Vec::new());
        }
        self.shown = false;
        let fresh = random::<16>();
        if part(0x80) == Some(&[]) {
            self.witness = Some(fresh);
            return Ok(tlv(0x7c, &tlv(0x80, &encrypted(key, fresh))));
        }
        if part(0x81) == Some(&[]) {
            self.challenge = Some(fresh);
            return Ok(tlv(0x7c, &tlv(0x81, &fresh)));
        }
        Err(WRONG_DATA)
    }
}

/// The one that SET MANAGEMENT KEY brings.
pub fn new(touch: u8, data: &[u8]) -> Result<Vec<u8>, Status> {
    match data {
        [AES192, NUMBER, 24, key @ ..] if key.len() == 24 && matches!(touch, 0xff | 0xfe) => Ok(key.to_vec()),
        _ => Err(WRONG_DATA),
    }
}

fn encrypted(key: &[u8], block: [u8; 16]) -> [u8; 16] {
    let cipher = Aes192::new_from_slice(key).expect("24 bytes");
    let mut block = block.into();
    cipher.encrypt_block(&mut block);
    block.into()
}
