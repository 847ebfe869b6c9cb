//! The PGP word list.

/// words
pub fn of(bytes: &[u8]) -> Vec<&'static str> {
    bytes.iter().map(|_| "x").collect()
}
