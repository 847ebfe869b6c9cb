//! Secrets in memory: no `Debug` output, no `Display`, no `Clone`, wiped on drop.

use zeroize::Zeroizing;

/// A PIN or a pass-phrase.
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one call that hands it to a token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The 32 bytes of a wrap key, on their way to a token.
pub struct WrapSecret(Zeroizing<[u8; 32]>);

impl WrapSecret {
    /// Takes the bytes over; the caller keeps no copy.
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one call that hands them to a token.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}
