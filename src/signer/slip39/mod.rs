//! Shares of a secret on paper, in the form of SLIP-39: any m of n bring it back, fewer tell nothing.
//!
//! This form and not one of our own, because any program that knows the standard brings the secret
//! back without keyrite. What keyrite makes is one group, extendable, under the empty passphrase;
//! sets with groups and passphrases are read. Why our own code: of the crates that do this, one leaves
//! out the extendable sets and one can't be linked with this licence. The standard's vectors are in
//! `tests/slip39.rs`, and its authors' own program on the other side of every direction.
//!
//! A share alone can be checked for slips of the pen ([`Share::read`]), a full set for a foreign or
//! altered share (a digest within the secret's own polynomial). Which of them is the wrong one only
//! commitments tell that were made when the set was ([`Share::commitment`]).
//!
//! Never: a secret or share with `Debug` or `Clone`, random bytes from elsewhere than the caller's
//! source, a coefficient that can't be 0 (RUSTSEC-2024-0398), a branch or a table on a secret byte
//! but for the words themselves.

mod checksum;
mod cipher;
mod dealing;
mod list;
mod salt;
mod share;
#[cfg(test)]
mod tests;
mod words;

pub use dealing::{Scheme, all_agree, recombine, split};
pub use salt::Salt;
pub use share::{Member, Set, Share};
pub use words::{FEWEST, MOST, Words};

use super::rules;
use crate::tuf::rule::{Refusal, Result};
use zeroize::Zeroizing;

/// What a check value is the MAC of.
const CHECKED: &[u8] = b"keyrite key-check value";

/// A secret to be split, or brought back: a wrap key. Wiped on drop.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a secret over: 16 to 32 bytes, as many as make whole pairs. It must be random: a check
    /// value and the digest in its shares would let anyone try all words of a PIN.
    ///
    /// # Errors
    ///
    /// `SHARE-SECRET`.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self> {
        if (16..=32).contains(&bytes.len()) && bytes.len().is_multiple_of(2) {
            return Ok(Self(bytes));
        }
        let found = format!("a secret of {} bytes", bytes.len());
        Err(Refusal::new(&rules::SHARE_SECRET, found, "an even number of bytes, 16 to 32"))
    }

    /// The bytes, for the one call that hands them to a token.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The first 8 bytes of HMAC-SHA-256 over a fixed text, by the secret: public, and the same for
    /// every set of shares of one secret, so that what was brought back can be compared.
    pub fn check_value(&self) -> [u8; 8] {
        let mut value = [0; 8];
        for (to, from) in value.iter_mut().zip(cipher::mac(&self.0, CHECKED).iter()) {
            *to = *from;
        }
        value
    }

    /// Whether two secrets are equal, looked at to the last byte.
    pub fn is(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |off, (x, y)| off | (x ^ y)) == 0
}
