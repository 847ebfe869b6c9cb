//! One share of another tool: how it is written.

use crate::signer::gf256::Field;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use base64ct::{Base64, Base64Unpadded, Encoding};
use std::fmt;
use zeroize::Zeroizing;

/// A wrap key: AES-256, as keyrite puts them on tokens.
pub(super) const KEY: usize = 32;
/// Number, domains, capabilities and delegated capabilities of a wrap key (`split_wrapkey` of
/// yubihsm-setup, `split_wrap_key` of yubihsm-manager).
pub(super) const HEAD: usize = 2 + 2 + 8 + 8;
/// No share is longer; what is typed beyond is not looked at.
const LONGEST: usize = 160;

/// How shares are made and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `3-1-` and 70 signs of base64 (yubihsm-setup, by the crate `rusty_secrets` 0.0.2).
    HeadedBase64,
    /// `3-1-` and 104 hexadecimal digits (yubihsm-manager, by the crate `vsss-rs` 5).
    HeadedHex,
    /// 44 signs of base64 or 66 hexadecimal digits, the last byte being the share's number (Vault, its
    /// package `shamir`).
    Numbered,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::HeadedBase64, Self::HeadedHex, Self::Numbered];

    /// In which the tool counts.
    pub(super) const fn field(self) -> Field {
        match self {
            Self::HeadedBase64 => Field::CODES,
            Self::HeadedHex | Self::Numbered => Field::AES,
        }
    }

    /// How many bytes are split.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::HeadedBase64 | Self::HeadedHex => HEAD + KEY,
            Self::Numbered => KEY,
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::HeadedBase64 => "a number, a hyphen, a number, a hyphen and 70 signs of base64",
            Self::HeadedHex => "a number, a hyphen, a number, a hyphen and 104 hexadecimal digits",
            Self::Numbered => "44 signs of base64, or 66 hexadecimal digits",
        }
    }
}

/// In which digits the bytes of a share are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    Base64,
    Hex,
}

impl Digits {
    /// The characters of the value, counted from 1, in which a byte stands.
    pub(super) fn of_byte(self, byte: usize) -> std::ops::RangeInclusive<usize> {
        let place = |bit: usize, each: usize| bit.checked_div(each).unwrap_or(0).saturating_add(1);
        let (first, last) = (byte.saturating_mul(8), byte.saturating_mul(8).saturating_add(7));
        let each = match self {
            Self::Base64 => 6,
            Self::Hex => 4,
        };
        place(first, each)..=place(last, each)
    }
}

/// One share. Its value is wiped on drop, and shown by nothing.
pub struct ToolShare {
    form: Form,
    digits: Digits,
    needed: Option<u8>,
    number: u8,
    value: Zeroizing<Vec<u8>>,
}

impl ToolShare {
    /// Reads a share as it was typed; spaces between its characters don't count.
    ///
    /// # Errors
    ///
    /// `TOOL-SHARE` with the place of what is wrong, and no character of it.
    pub fn read(form: Form, text: &str) -> Result<Self> {
        let text = plain(text);
        if text.len() > LONGEST {
            return Err(refuse(form, format!("more than {LONGEST} characters")));
        }
        match form {
            Form::HeadedBase64 | Form::HeadedHex => Self::headed(form, &text),
            Form::Numbered => Self::numbered(&text),
        }
    }

    fn headed(form: Form, text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, '-');
        let (Some(needed), Some(number), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse(form, "a share without two hyphens".to_owned()));
        };
        let small = |digits: &str, which: &str| {
            let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse::<u8>().ok().filter(|n| plain && *n > 0 && !digits.starts_with('0'));
            number.ok_or_else(|| refuse(form, format!("no number from 1 to 255 {which}")))
        };
        let needed = small(needed, "before its first hyphen")?;
        let number = small(number, "between its hyphens")?;
        let digits = if form == Form::HeadedBase64 { Digits::Base64 } else { Digits::Hex };
        // 24 and 16 bytes: yubihsm-manager splits such keys too.
        let short = [88, 72].contains(&value.len()) && digits == Digits::Hex;
        if short {
            let bits = if value.len() == 88 { 192 } else { 128 };
            return Err(refuse(form, format!("share {number}: of a wrap key of {bits} bits, not of 256")));
        }
        let value = decoded(form, digits, value, &format!("share {number}: "))?;
        Ok(Self { form, digits, needed: Some(needed), number, value })
    }

    fn numbered(text: &str) -> Result<Self> {
        let form = Form::Numbered;
        // Their lengths tell the two apart.
        let digits = if text.len() == 44 { Digits::Base64 } else { Digits::Hex };
        let mut value = decoded(form, digits, text, "")?;
        let number = value.pop().filter(|number| *number > 0);
        let number = number.ok_or_else(|| refuse(form, "a share with the number 0".to_owned()))?;
        Ok(Self { form, digits, needed: None, number, value })
    }

    /// How it is written.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// How many it says are needed; Vault's don't say.
    pub const fn needed(&self) -> Option<u8> {
        self.needed
    }

    /// Its number in its set.
    pub const fn number(&self) -> u8 {
        self.number
    }

    pub(super) const fn digits(&self) -> Digits {
        self.digits
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Display for ToolShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share {}", self.number)
    }
}

/// Makes sure that a share was typed the same twice: nothing in it would tell a slip.
///
/// # Errors
///
/// `TOOL-TYPED` with the first place that differs, counted without spaces.
pub fn same(once: &str, again: &str) -> Result<()> {
    let (once, again) = (plain(once), plain(again));
    let differs = once.chars().zip(again.chars()).position(|(a, b)| a != b);
    let found = match differs {
        None if once.len() == again.len() => return Ok(()),
        None => format!("{} characters, and then {}", once.chars().count(), again.chars().count()),
        Some(at) => format!("another character {} the second time", at.saturating_add(1)),
    };
    Err(Refusal::new(&rules::TOOL_TYPED, found, "the same share typed twice"))
}

/// Without spaces: people write in groups, and scanners put a space behind.
fn plain(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    plain.extend(text.chars().filter(|char| !char.is_ascii_whitespace()));
    plain
}

/// The bytes of a value: as many as the form has, in digits with nothing left over.
fn decoded(form: Form, digits: Digits, text: &str, share: &str) -> Result<Zeroizing<Vec<u8>>> {
    let plain = |byte: u8| match digits {
        Digits::Base64 => byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/',
        Digits::Hex => byte.is_ascii_hexdigit(),
    };
    if let Some(at) = text.chars().position(|char| !u8::try_from(char).is_ok_and(plain)) {
        let kind = if digits == Digits::Base64 { "no sign of base64" } else { "no hexadecimal digit" };
        let found = format!("{share}character {} of its value, which is {kind}", at.saturating_add(1));
        return Err(refuse(form, found));
    }
    let mut bytes = Zeroizing::new(vec![0; form.bytes().saturating_add(usize::from(form == Form::Numbered))]);
    let length = match digits {
        Digits::Base64 if form == Form::Numbered => Base64::decode(text, &mut bytes).map(<[u8]>::len).ok(),
        Digits::Base64 => Base64Unpadded::decode(text, &mut bytes).map(<[u8]>::len).ok(),
        Digits::Hex => base16ct::mixed::decode(text, &mut bytes).map(<[u8]>::len).ok(),
    };
    if length == Some(bytes.len()) {
        return Ok(bytes);
    }
    let written = digits.of_byte(bytes.len().saturating_sub(1)).last().unwrap_or(0);
    if text.len() == written {
        return Err(refuse(form, format!("{share}a last character that no such share ends with")));
    }
    Err(refuse(form, format!("{share}{} characters of its value", text.len())))
}

fn refuse(form: Form, found: String) -> Refusal {
    Refusal::new(&rules::TOOL_SHARE, found, form.said())
}
