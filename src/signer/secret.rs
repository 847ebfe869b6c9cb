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
