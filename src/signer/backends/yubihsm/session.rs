//! One encrypted session with a YubiHSM 2: SCP03 with keys made of a password.
//!
//! GlobalPlatform SCP03 as the device speaks it (YubiHSM 2 user guide, "Session"): both sides draw 8
//! bytes, the session's three keys are made of them and of the two keys that the password stands for
//! (PBKDF2 of HMAC-SHA-256, 10,000 rounds, salt "Yubico"), each shows to the other that it has them,
//! and from then on every message is encrypted (AES-128 CBC, its vector the encrypted counter) and
//! carries half an AES-CMAC that is chained to the message before.
//!
//! CMAC is aws-lc's; AES, CBC and PBKDF2 are the crates that read encrypted key files, since aws-lc
//! pads CBC in another way than the device.
//!
//! A session is closed on drop: a device has sixteen, and one left open stays so for 30 seconds.

use super::link::Link;
use super::wire::{self, Command, Fault};
use crate::signer::randomness::Randomness;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use aes::Aes128;
use aes::cipher::block_padding::Iso7816;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use aws_lc_rs::cmac;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What SCP03 derives (GlobalPlatform 2.2 amendment D, 4.1.5).
const CARD_CRYPTOGRAM: u8 = 0;
const HOST_CRYPTOGRAM: u8 = 1;
const ENCRYPTION: u8 = 4;
const MAC: u8 = 6;
const ANSWER_MAC: u8 = 7;

/// Half a CMAC goes over the wire.
const TAG: usize = 8;

type Key = Zeroizing<[u8; 16]>;

/// The two keys that a password stands for.
pub struct Static {
    encryption: Key,
    mac: Key,
}

impl Static {
    /// Of a password.
    pub fn of(password: &str) -> Self {
        let mut both = Zeroizing::new([0; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"Yubico", 10_000, &mut both[..]);
        let mut keys = Self { encryption: Zeroizing::default(), mac: Zeroizing::default() };
        for (key, half) in [&mut keys.encryption, &mut keys.mac].into_iter().zip(both.chunks(16)) {
            key.copy_from_slice(half);
        }
        keys
    }

    /// As the device takes them.
    pub fn bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut both = Zeroizing::new([0; 32]);
        for (half, key) in both.chunks_mut(16).zip([&self.encryption, &self.mac]) {
            half.copy_from_slice(&key[..]);
        }
        both
    }
}

/// Why a session didn't open.
pub enum Unopened {
    /// The device has no such authentication key.
    NoKey,
    /// The password is another.
    WrongPassword,
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for Unopened {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// An open session.
pub struct Session {
    link: Link,
    number: u8,
    encryption: Key,
    mac: Key,
    answer_mac: Key,
    chained: [u8; 16],
    counter: u32,
    most: usize,
    open: bool,
}

impl Session {
    /// Opens a session by an authentication key; messages have at most so many bytes.
    pub fn open(
        link: Link,
        key: u16,
        keys: &Static,
        most: usize,
        randomness: &Randomness,
    ) -> std::result::Result<Self, Unopened> {
        let none = |e| Refusal::new(&rules::TOKEN_FAILED, format!("no random bytes: {e}"), "random bytes");
        let ours = randomness.bytes::<8>().map_err(none)?;
        let asked = [&key.to_be_bytes()[..], &ours[..]].concat();
        let came = match link.plain(Command::CREATE_SESSION, &asked)? {
            Ok(came) => came,
            Err(Fault::NOT_FOUND) => return Err(Unopened::NoKey),
            Err(fault) => return Err(fault.refused(Command::CREATE_SESSION).into()),
        };
        let mut parts = wire::Parts::of(Command::CREATE_SESSION, &came);
        let number = parts.byte()?;
        let theirs: [u8; 8] = parts.bytes()?;
        let shown: [u8; TAG] = parts.bytes()?;
        parts.done()?;
        let context = [&ours[..], &theirs].concat();
        let mac = derived(&keys.mac, MAC, &context)?;
        let knows = same(&shown, half(&*derived(&mac, CARD_CRYPTOGRAM, &context)?));
        let mut session = Self {
            link,
            number,
            encryption: derived(&keys.encryption, ENCRYPTION, &context)?,
            answer_mac: derived(&keys.mac, ANSWER_MAC, &context)?,
            chained: [0; 16],
            counter: 0,
            most,
            open: false,
            mac,
        };
        // Also if it was seen to be wrong: the device then drops the session instead of keeping it
        // for 30 seconds, and its log has the attempt. But whoever can't show that they know the
        // password gets nothing to compare guesses with: random bytes take its place.
        if !knows {
            session.mac = randomness.bytes().map_err(none)?;
        }
        let proof = derived(&session.mac, HOST_CRYPTOGRAM, &context)?;
        let body = [&[number][..], half(&proof)].concat();
        let message = session.tagged(Command::AUTHENTICATE, &body)?;
        let said = wire::answer(Command::AUTHENTICATE, &link.exchange(&message)?)?;
        match (knows, said) {
            (true, Ok(said)) if said.is_empty() => {
                session.counter = 1;
                session.open = true;
                Ok(session)
            }
            (false, _) | (true, Err(Fault::AUTHENTICATION)) => Err(Unopened::WrongPassword),
            (true, Err(fault)) => Err(fault.refused(Command::AUTHENTICATE).into()),
            (true, Ok(_)) => Err(wire::odd(Command::AUTHENTICATE, "with more than belongs there").into()),
        }
    }

    /// Has the device do something.
    ///
    /// # Errors
    ///
    /// What the device refuses, by its fault's rule.
    pub fn done(&mut self, command: Command, body: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.tried(command, body)?.map_err(|fault| fault.refused(command))
    }

    /// The same, with faults to be judged by whoever asked.
    pub fn tried(
        &mut self,
        command: Command,
        body: &[u8],
    ) -> Result<std::result::Result<Zeroizing<Vec<u8>>, Fault>> {
        let inner = Zeroizing::new(wire::message(command, body)?);
        let longest = longest_body(self.most);
        if body.len() > longest {
            return Err(Refusal::new(
                &rules::PAYLOAD_TOO_LARGE,
                format!("{} bytes", body.len()),
                format!("at most {longest} bytes in one message of this YubiHSM"),
            ));
        }
        let vector = self.vector();
        self.counter = self.counter.checked_add(1).ok_or_else(|| channel("a session that never ends"))?;
        let sealed = cbc::Encryptor::<Aes128>::new(&(*self.encryption).into(), &vector.into())
            .encrypt_padded_vec::<Iso7816>(&inner);
        let message = self.tagged(Command::SESSION_MESSAGE, &[&[self.number][..], &sealed].concat())?;
        let came = self.link.exchange(&message)?;
        let body = match wire::answer(Command::SESSION_MESSAGE, &came)? {
            Ok(body) => body,
            Err(fault) => {
                // It didn't come into the session at all, so there is nothing to close.
                self.open = false;
                return Err(fault.refused(command));
            }
        };
        let (Some((before_tag, tag)), Some((number, _))) =
            (came.split_last_chunk::<TAG>(), body.split_first())
        else {
            return Err(channel("an answer without a proof"));
        };
        let proof = self.cmac(&self.answer_mac, before_tag)?;
        if !same(tag, half(&proof)) || *number != self.number {
            self.open = false;
            return Err(channel("an answer that another made, or that was changed"));
        }
        let sealed = body.get(1..body.len().saturating_sub(TAG)).unwrap_or_default();
        let clear = cbc::Decryptor::<Aes128>::new(&(*self.encryption).into(), &vector.into())
            .decrypt_padded_vec::<Iso7816>(sealed)
            .map(Zeroizing::new)
            .map_err(|_| channel("an answer that doesn't decrypt"))?;
        if command == Command::CLOSE_SESSION || command == Command::RESET {
            self.open = false;
        }
        Ok(wire::answer(command, &clear)?.map(Zeroizing::new))
    }

    /// The message with the CMAC that is chained to the one before.
    fn tagged(&mut self, command: Command, body: &[u8]) -> Result<Vec<u8>> {
        let mut whole = wire::message(command, &[body, &[0; TAG]].concat())?;
        whole.truncate(whole.len().saturating_sub(TAG));
        self.chained = *self.cmac(&self.mac, &whole)?;
        whole.extend(half(&self.chained));
        Ok(whole)
    }

    fn cmac(&self, key: &Key, message: &[u8]) -> Result<Key> {
        cmac_of(key, &[&self.chained[..], message].concat())
    }

    /// The counter, encrypted: CBC of one block from a vector of zeros is AES of that block.
    fn vector(&self) -> [u8; 16] {
        let mut block = [0; 16];
        if let Some(end) = block.last_chunk_mut() {
            *end = self.counter.to_be_bytes();
        }
        let mut block = aes::Block::from(block);
        cbc::Encryptor::<Aes128>::new(&(*self.encryption).into(), &[0; 16].into()).encrypt_block(&mut block);
        block.into()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open {
            // A device that is gone has closed it already.
            drop(self.tried(Command::CLOSE_SESSION, &[]));
        }
    }
}

/// The longest body of a command in messages of at most so many bytes: around it are 3 bytes of its
/// own, at least one of padding to whole blocks, and 3 + 1 + 8 bytes of the session's message.
pub fn longest_body(most: usize) -> usize {
    let blocks = most.saturating_sub(12) / 16;
    blocks.saturating_mul(16).saturating_sub(4)
}

/// SCP03's derivation: 11 zeros, what it is for, a zero, the length in bits, the number 1, the context.
fn derived(key: &Key, what: u8, context: &[u8]) -> Result<Key> {
    let bits: u16 = if matches!(what, CARD_CRYPTOGRAM | HOST_CRYPTOGRAM) { 64 } else { 128 };
    let data = [&[0; 11][..], &[what, 0], &bits.to_be_bytes(), &[1], context].concat();
    cmac_of(key, &data)
}

fn cmac_of(key: &Key, data: &[u8]) -> Result<Key> {
    let failed = |_| channel("no AES-CMAC");
    let key = cmac::Key::new(cmac::AES_128, &key[..]).map_err(failed)?;
    let tag = cmac::sign(&key, data).map_err(failed)?;
    let tag: [u8; 16] = tag.as_ref().try_into().map_err(|_| channel("no AES-CMAC"))?;
    Ok(Zeroizing::new(tag))
}

fn half(whole: &[u8; 16]) -> &[u8] {
    whole.first_chunk::<TAG>().map_or(&[], |half| half)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// `HSM-CHANNEL`.
fn channel(found: &str) -> Refusal {
    Refusal::new(&rules::HSM_CHANNEL, found, "what the YubiHSM itself said in this session")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// What Yubico's tools print for the factory's password.
    #[test]
    fn a_password_stands_for_two_keys() {
        let keys = Static::of("password");
        let hex = base16ct::lower::encode_string(&keys.bytes()[..]);
        assert_eq!(hex, "090b47dbed595654901dee1cc655e420592fd483f759e29909a04c4505d2ce0a");
    }

    #[test]
    fn messages_fill_whole_blocks() {
        for (most, longest) in [(2048, 2028), (3136, 3116), (0, 0), (28, 12)] {
            assert_eq!(longest_body(most), longest, "{most}");
        }
    }
}
