//! How a secret is hidden under a passphrase before it is split: a Feistel network of four rounds of
//! PBKDF2-HMAC-SHA-256 (SLIP-39, "Encryption of the master secret").
//!
//! Every passphrase opens every secret, only to another one: so a wrong passphrase can't be told from
//! here, and keyrite uses the empty one. PBKDF2 and HMAC are those of aws-lc, which wipes its states.

use aws_lc_rs::{hmac, pbkdf2};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Iterations of one round at exponent 0: a quarter of 10,000.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(2500).unwrap();
const ROUNDS: [u8; 4] = [0, 1, 2, 3];

/// What of a set decides how its secret is hidden.
pub(super) struct Under<'a> {
    pub(super) passphrase: &'a str,
    /// 0 to 15; each doubles the work.
    pub(super) exponent: u8,
    /// Empty for extendable sets.
    pub(super) salt: &'a [u8],
}

impl Under<'_> {
    pub(super) fn hide(&self, secret: &[u8]) -> Zeroizing<Vec<u8>> {
        self.rounds(secret, ROUNDS)
    }

    pub(super) fn open(&self, hidden: &[u8]) -> Zeroizing<Vec<u8>> {
        let [a, b, c, d] = ROUNDS;
        self.rounds(hidden, [d, c, b, a])
    }

    fn rounds(&self, bytes: &[u8], order: [u8; 4]) -> Zeroizing<Vec<u8>> {
        let (left, right) = bytes.split_at(bytes.len() / 2);
        let mut left = Zeroizing::new(left.to_vec());
        let mut right = Zeroizing::new(right.to_vec());
        for round in order {
            let mixed = self.mixed(round, &right);
            for (byte, with) in left.iter_mut().zip(mixed.iter()) {
                *byte ^= with;
            }
            std::mem::swap(&mut left, &mut right);
        }
        joined(&right, &left)
    }

    fn mixed(&self, round: u8, half: &[u8]) -> Zeroizing<Vec<u8>> {
        let iterations = ITERATIONS.saturating_mul(self.times());
        let mut out = Zeroizing::new(vec![0; half.len()]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &joined(self.salt, half),
            &joined(&[round], self.passphrase.as_bytes()),
            &mut out,
        );
        out
    }

    fn times(&self) -> NonZeroU32 {
        NonZeroU32::new(1 << (self.exponent & 15)).unwrap_or(NonZeroU32::MIN)
    }
}

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    Zeroizing::new(tag.as_ref().to_vec())
}

/// One after the other, with the whole room from the start: a buffer that grows leaves copies behind.
pub(super) fn joined(first: &[u8], second: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(first.len().saturating_add(second.len())));
    all.extend_from_slice(first);
    all.extend_from_slice(second);
    all
}
