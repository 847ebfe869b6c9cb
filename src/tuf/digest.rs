//! SHA-256 digests: what files are named by, what people compare.

use super::rule::{Refusal, Result};
use super::{rules, words};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that is already at hand as bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }

    /// The 32 words of the PGP word list, for reading aloud.
    pub fn words(&self) -> Vec<&'static str> {
        words::of(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl FromStr for Digest {
    type Err = Refusal;

    /// Reads exactly 64 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0u8; 32];
        match base16ct::lower::decode(text.as_bytes(), &mut bytes) {
            Ok(read) if read.len() == 32 => Ok(Self(bytes)),
            _ => Err(Refusal::new(
                &rules::DIGEST_FORM,
                format!("\"{}\"", super::text::visible(text)),
                "64 lower-case hexadecimal digits",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_standard_vector() {
        let abc = Digest::of(b"abc");
        assert_eq!(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(abc.hex().parse::<Digest>().unwrap(), abc);
        assert_eq!(abc.words().len(), 32);
        assert_eq!(abc.words().first(), Some(&"shadow"));
    }

    #[test]
    fn digest_form() {
        let good = Digest::of(b"abc").hex();
        for text in [
            good.to_uppercase(),
            format!("{good}00"),
            good.chars().skip(1).collect(),
            format!(" {good}"),
            String::new(),
            "g".repeat(64),
        ] {
            assert_eq!(text.parse::<Digest>().unwrap_err().rule().name, "DIGEST-FORM", "{text}");
        }
    }
}
