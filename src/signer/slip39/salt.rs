//! The salt of a commitment: on the card, and nowhere else.

use crate::signer::randomness::Randomness;
use crate::signer::rules;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use std::str::FromStr;
use zeroize::Zeroizing;

/// 128 random bits. Printed as nine groups of four hexadecimal digits, the last of which checks the
/// others: it is the start of their SHA-256.
pub struct Salt(Zeroizing<[u8; 16]>);

impl Salt {
    /// A new one.
    ///
    /// # Errors
    ///
    /// `SHARE-RANDOM`.
    pub fn draw(randomness: &Randomness) -> Result<Self> {
        let none = |e| Refusal::new(&rules::SHARE_RANDOM, e, "16 random bytes");
        randomness.bytes().map(Self).map_err(none)
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As it is printed: `0f1e 2d3c …`.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(44));
        for (at, byte) in self.0.iter().copied().chain(check(&self.0)).enumerate() {
            if at > 0 && at.is_multiple_of(2) {
                text.push(' ');
            }
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        text
    }
}

fn check(bytes: &[u8; 16]) -> [u8; 2] {
    let [a, b, ..] = *Digest::of(bytes).as_bytes();
    [a, b]
}

impl FromStr for Salt {
    type Err = Refusal;

    /// Reads what is printed, in either case, with or without spaces.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |found: &str| {
            Refusal::new(
                &rules::SHARE_SALT,
                found.to_owned(),
                "the nine groups of four digits that the card has",
            )
        };
        let mut digits = Zeroizing::new(Vec::with_capacity(36));
        for digit in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
            if digits.len() == 36 {
                return Err(refuse("more than 36 digits"));
            }
            digits.push(digit.to_ascii_lowercase());
        }
        let mut bytes = Zeroizing::new([0; 18]);
        match base16ct::lower::decode(&digits, &mut bytes[..]) {
            Ok(read) if read.len() == 18 => {}
            Ok(read) => return Err(refuse(&format!("{} digits", read.len().saturating_mul(2)))),
            Err(_) => return Err(refuse("something else than 36 digits 0 to 9 and a to f")),
        }
        let mut salt = Self(Zeroizing::new([0; 16]));
        let (of, sum) = bytes.split_at(16);
        salt.0.copy_from_slice(of);
        if sum == check(&salt.0) { Ok(salt) } else { Err(refuse("a last group that doesn't fit the others")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn salt() -> Salt {
        Salt::draw(&Randomness::given(|bytes| {
            bytes.iter_mut().zip(7..).for_each(|(byte, n)| *byte = n);
            Ok(())
        }))
        .unwrap()
    }

    #[test]
    fn a_salt_is_read_as_it_is_printed() {
        let text = salt().text();
        assert!(text.starts_with("0708 090a 0b0c 0d0e 0f10 1112 1314 1516 "), "{}", &*text);
        for typed in [text.to_string(), text.to_uppercase(), text.replace(' ', ""), format!(" {}\t", &*text)]
        {
            assert_eq!(typed.parse::<Salt>().map(|s| s.text()).ok(), Some(salt().text()), "{typed}");
        }
    }

    /// Each digit changed to each other one, digits too many, too few, and what is none.
    #[test]
    fn a_salt_typed_wrong_is_noticed() {
        let right = salt().text().replace(' ', "");
        let (mut missed, mut tried) = (0, 0);
        for at in 0..right.len() {
            for digit in "0123456789abcdef".chars() {
                let mut typed = right.clone();
                typed.replace_range(at..=at, &digit.to_string());
                tried += usize::from(typed != right);
                missed += usize::from(typed != right && typed.parse::<Salt>().is_ok());
            }
        }
        // A check of 16 bits misses one in 65,536.
        assert_eq!((missed, tried), (0, 540));
        for typed in ["", "0708", &format!("{right}0"), &right.replace('0', "o"), "\u{660}"] {
            let refused = typed.parse::<Salt>().err().unwrap();
            assert_eq!(refused.rule().name, "SHARE-SALT", "{typed}");
        }
        let fails = Randomness::given(|_| Err("no source".to_owned()));
        assert_eq!(Salt::draw(&fails).err().unwrap().rule().name, "SHARE-RANDOM");
    }
}
