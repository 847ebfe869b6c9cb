//! Confirming: words of a digest, typed from paper or another person's screen.

use crate::tuf::digest::Digest;

/// Three places of a digest's 32 words, drawn by the caller, each another, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places([usize; 3]);

impl Places {
    /// Places of 3 random bytes that the caller drew; any bytes give three different places.
    pub fn from_random(_bytes: [u8; 3]) -> Self {
        todo!()
    }

    /// Each place, counted from 1, as people count words.
    pub fn numbers(self) -> [usize; 3] {
        self.0
    }

    /// Whether `typed` are the digest's words at these places; case does not count.
    pub fn match_words(self, _digest: &Digest, _typed: [&str; 3]) -> bool {
        todo!()
    }
}
