//! One static code: the signatures of one key over a change, a public key, or a digest.
//!
//! The text is `KR1`, a letter for the kind, the content in base32 (RFC 4648, 6, without padding),
//! and a full stop: all of the alphabet that QR codes hold in 5.5 bits a character, and of keys that
//! every keyboard has in one place or another. The content ends with the first four bytes of SHA-256
//! over all before, so that a scanner set for another keyboard is told from a wrong signature.
//!
//! A signature's content is as short as it can be, so that it is read from a screen of 24 lines: the
//! change in full, the item by its number, the key by the first eight bytes of its identity. Whoever
//! reads it has the change and finds all else there, and a signature counts for what it verifies.

use super::LONGEST_TEXT;
use crate::ceremony::rules;
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};

/// What every text begins with: keyrite, and the version of the form.
const BEGIN: &str = "KR1";
/// What ends it, and is in no other place of it.
pub const END: char = '.';
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CHECK: usize = 4;
/// How many bytes of a key's identity stand for it.
const KEY: usize = 8;
/// The longest public key and signature that any algorithm here has, in bytes, with room to spare.
const MOST: usize = 1_024;
/// The longest text of a static code, in characters: about what a camera still reads from a screen.
pub const LONGEST_CODE: usize = 800;

/// The first bytes of a key's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBegin([u8; KEY]);

impl KeyBegin {
    /// Of this key.
    pub fn of(identity: &KeyIdentity) -> Self {
        let mut begin = [0; KEY];
        for (to, from) in begin.iter_mut().zip(identity.digest().as_bytes()) {
            *to = *from;
        }
        Self(begin)
    }

    /// As hexadecimal digits, the first of those that the identity has.
    pub fn hex(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }
}

/// What a static code holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// What a key has signed of a change.
    Signatures {
        /// The change.
        change: Digest,
        /// The key.
        key: KeyBegin,
        /// By number of the item, from 0: the signature, as `sig` of its file has it.
        signatures: Vec<(u8, Vec<u8>)>,
    },
    /// A public key: DER of its SubjectPublicKeyInfo.
    Key(Vec<u8>),
    /// A digest, of whatever the people who compare it say.
    Digest(Digest),
}

impl Code {
    /// Its text, upper case.
    ///
    /// # Errors
    ///
    /// `QR-SIZE` if it is longer than [`LONGEST_CODE`].
    pub fn text(&self) -> Result<String> {
        let (kind, mut content) = match self {
            Self::Signatures { change, key, signatures } => {
                let mut content = [change.as_bytes().as_slice(), &key.0].concat();
                for (item, signature) in signatures {
                    content.push(*item);
                    length(signature.len(), &mut content);
                    content.extend(signature);
                }
                ('S', content)
            }
            Self::Key(spki) => ('K', spki.clone()),
            Self::Digest(digest) => ('D', digest.as_bytes().to_vec()),
        };
        content.extend(check(kind, &content));
        let text = format!("{BEGIN}{kind}{}{END}", encode(&content));
        if text.len() > LONGEST_CODE {
            let found = format!("a code of {} characters", text.len());
            return Err(Refusal::new(&rules::QR_SIZE, found, format!("at most {LONGEST_CODE}")));
        }
        Ok(text)
    }

    /// Reads a text; case does not count. Sixty-four hexadecimal digits are a digest too, as scripts
    /// on paper have it.
    ///
    /// # Errors
    ///
    /// `QR-TEXT`; `QR-SIZE`; `QR-VERSION` for a text of a form that a later keyrite writes; `QR-CHECK`;
    /// `QR-KIND` for a kind that this one doesn't know.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST_TEXT {
            let found = format!("a text of {} bytes", text.len());
            return Err(Refusal::new(&rules::QR_SIZE, found, format!("at most {LONGEST_TEXT}")));
        }
        if let Ok(digest) = text.to_ascii_lowercase().parse() {
            return Ok(Self::Digest(digest));
        }
        let odd = || Refusal::new(&rules::QR_TEXT, "a text of another form", "a code that keyrite made");
        let upper = text.to_ascii_uppercase();
        let rest = upper.strip_prefix("KR").and_then(|rest| rest.strip_suffix(END)).ok_or_else(odd)?;
        let mut letters = rest.chars();
        match letters.next() {
            Some('1') => {}
            Some(version) if version.is_ascii_digit() => {
                let found = format!("a code of form {version}");
                return Err(Refusal::new(&rules::QR_VERSION, found, "form 1"));
            }
            _ => return Err(odd()),
        }
        let kind = letters.next().filter(char::is_ascii_uppercase).ok_or_else(odd)?;
        let mut content = decode(letters.as_str()).ok_or_else(odd)?;
        let at = content.len().checked_sub(CHECK).ok_or_else(odd)?;
        let found = content.split_off(at);
        if found != check(kind, &content) {
            return Err(Refusal::new(
                &rules::QR_CHECK,
                "another text than its check digits",
                "both from one code",
            ));
        }
        match kind {
            'S' => signatures(&content).ok_or_else(odd),
            'K' if !content.is_empty() && content.len() <= MOST => Ok(Self::Key(content)),
            'D' => content.try_into().map(|bytes| Self::Digest(Digest::from_bytes(bytes))).map_err(|_| odd()),
            'K' => Err(odd()),
            kind => Err(Refusal::new(&rules::QR_KIND, format!("a code of kind {kind}"), "kind S, K or D")),
        }
    }
}

fn signatures(content: &[u8]) -> Option<Code> {
    let (change, rest) = content.split_first_chunk::<32>()?;
    let (key, mut rest) = rest.split_first_chunk::<KEY>()?;
    let mut signatures: Vec<(u8, Vec<u8>)> = Vec::new();
    while let Some((item, after)) = rest.split_first() {
        rest = after;
        let size = take_length(&mut rest)?;
        let (signature, after) = rest.split_at_checked(size)?;
        // Ascending, so that one set of signatures has one text.
        if size == 0 || signatures.last().is_some_and(|(before, _)| before >= item) {
            return None;
        }
        rest = after;
        signatures.push((*item, signature.to_vec()));
    }
    let (change, key) = (Digest::from_bytes(*change), KeyBegin(*key));
    (!signatures.is_empty()).then_some(Code::Signatures { change, key, signatures })
}

/// A length of up to 14 bits: seven of them a byte, the low ones first, the high bit where another comes.
fn length(value: usize, into: &mut Vec<u8>) {
    let low = u8::try_from(value & 0x7f).unwrap_or(0);
    match u8::try_from(value >> 7).unwrap_or(0x7f) & 0x7f {
        0 => into.push(low),
        high => into.extend([low | 0x80, high]),
    }
}

fn take_length(from: &mut &[u8]) -> Option<usize> {
    let (low, rest) = from.split_first()?;
    *from = rest;
    if low & 0x80 == 0 {
        return Some(usize::from(*low));
    }
    let (high, rest) = from.split_first()?;
    *from = rest;
    let value = (usize::from(*high) << 7) | usize::from(low & 0x7f);
    (1..=0x7f).contains(high).then_some(value).filter(|value| *value <= MOST)
}

fn check(kind: char, content: &[u8]) -> Vec<u8> {
    let all = [BEGIN.as_bytes(), kind.to_string().as_bytes(), content].concat();
    Digest::of(&all).as_bytes().iter().take(CHECK).copied().collect()
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for five in bytes.chunks(5) {
        let bits = (0..5).fold(0_u64, |all, at| (all << 8) | u64::from(five.get(at).copied().unwrap_or(0)));
        for at in 0..five.len().saturating_mul(8).div_ceil(5) {
            let digit = (bits >> 35_usize.saturating_sub(at.saturating_mul(5))) & 31;
            let digit = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit));
            text.extend(digit.copied().map(char::from));
        }
    }
    text
}

/// The bytes; none if a letter is of another alphabet, or bits beyond the last byte are set.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for eight in text.as_bytes().chunks(8) {
        let many = eight.len().saturating_mul(5) / 8;
        let mut bits = 0_u64;
        for at in 0..8 {
            let digit = match eight.get(at) {
                Some(letter) => DIGITS.iter().position(|digit| digit == letter)?,
                None => 0,
            };
            bits = (bits << 5) | u64::try_from(digit).ok()?;
        }
        let [_, _, _, five @ ..] = bits.to_be_bytes();
        bytes.extend(five.iter().take(many));
        if five.iter().skip(many).any(|byte| *byte != 0) {
            return None;
        }
    }
    // Of lengths that no bytes have.
    (encode(&bytes).len() == text.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use proptest::prelude::*;

    fn signed(sizes: &[usize]) -> Code {
        let signatures = (0..).zip(sizes).map(|(item, size)| (item, vec![item + 1; *size])).collect();
        Code::Signatures { change: Digest::of(b"change"), key: KeyBegin([7; KEY]), signatures }
    }

    #[test]
    fn what_is_written_is_read() {
        let digest = Digest::of(b"abc");
        let table = [
            ("a digest", Code::Digest(digest), 63),
            ("a P-256 key", Code::Key(vec![0x30; 91]), 157),
            // With 195 characters, version 6 at level L: 41 modules, for a window of 24 lines.
            ("one P-256 signature", signed(&[72]), 195),
            ("root and limits", signed(&[72, 72]), 313),
            ("P-384", signed(&[104, 104]), 415),
            ("one RSA signature", signed(&[256]), 491),
        ];
        for (what, code, longest) in table {
            let text = code.text().unwrap();
            assert!(text.len() <= longest, "{what}: {} characters", text.len());
            assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == END), "{text}");
            assert_eq!(text.find(END), Some(text.len() - 1));
            assert_eq!(Code::parse(&text).unwrap(), code, "{what}");
            assert_eq!(Code::parse(&text.to_lowercase()).unwrap(), code, "{what}");
        }
        assert_eq!(Code::parse(&digest.hex()).unwrap(), Code::Digest(digest));
        assert_eq!(signed(&[512, 512]).text().unwrap_err().rule().name, "QR-SIZE");
        // RFC 4648, 10.
        assert_eq!([encode(b"f"), encode(b"fooba"), encode(b"foobar")], ["MY", "MZXW6YTB", "MZXW6YTBOI"]);
    }

    #[test]
    fn every_other_text_is_refused_by_its_rule() {
        let good = Code::Digest(Digest::of(b"abc")).text().unwrap();
        let content = |kind: char, bytes: &[u8]| {
            let all = [bytes, &check(kind, bytes)].concat();
            format!("KR1{kind}{}.", encode(&all))
        };
        let begin = [[1; 32].as_slice(), &[2; 8]].concat();
        let with = |rest: &[u8]| content('S', &[&begin, rest].concat());
        let table = [
            ("nothing", String::new(), "QR-TEXT"),
            ("another program's", "https://example.com".to_owned(), "QR-TEXT"),
            ("its end alone", ".".to_owned(), "QR-TEXT"),
            ("no end", good.trim_end_matches('.').to_owned(), "QR-TEXT"),
            ("two ends", format!("{good}."), "QR-TEXT"),
            ("a later form", good.replace("KR1", "KR2"), "QR-VERSION"),
            ("no form", good.replace("KR1", "KRX"), "QR-TEXT"),
            ("another kind's check", good.replace("KR1D", "KR1K"), "QR-CHECK"),
            ("a keyboard with Y and Z in each other's place", good.replace('Y', "Z"), "QR-CHECK"),
            ("a letter of no base32", good.replace("KR1D", "KR1D0"), "QR-TEXT"),
            ("a letter more", good.replace("KR1D", "KR1DA"), "QR-TEXT"),
            ("a kind to come", content('Z', &[1]), "QR-KIND"),
            ("a digest too short", content('D', &[1; 31]), "QR-TEXT"),
            ("no key", content('K', &[]), "QR-TEXT"),
            ("a key too long", content('K', &[1; 1_025]), "QR-TEXT"),
            ("signatures of nothing", content('S', &[1; 12]), "QR-TEXT"),
            ("no signature", with(&[]), "QR-TEXT"),
            ("an empty one", with(&[0, 0]), "QR-TEXT"),
            ("one that ends early", with(&[0, 3, 1, 1]), "QR-TEXT"),
            ("one twice", with(&[1, 1, 9, 1, 1, 9]), "QR-TEXT"),
            ("in another order", with(&[1, 1, 9, 0, 1, 9]), "QR-TEXT"),
            ("a length in two bytes for one", with(&[0, 0x81, 0, 9]), "QR-TEXT"),
            ("a length of half a megabyte", with(&[0, 0xff, 0xff, 0x1f, 9]), "QR-TEXT"),
            ("beyond ASCII", "KR1D\u{212a}.".to_owned(), "QR-TEXT"),
            ("too long", "A".repeat(5_000), "QR-SIZE"),
        ];
        for (what, text, rule) in table {
            let refused = Code::parse(&text).unwrap_err();
            assert_eq!(refused.rule().name, rule, "{what}: {refused}");
        }
    }

    #[test]
    fn every_single_changed_character_is_seen() {
        let text = signed(&[72]).text().unwrap();
        for at in 0..text.len() {
            for other in DIGITS.iter().filter(|digit| **digit != text.as_bytes()[at]) {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = *other;
                assert!(Code::parse(std::str::from_utf8(&bytes).unwrap()).is_err(), "{at}");
            }
        }
    }

    proptest! {
        #[test]
        fn one_content_has_one_text(text in "KR1[SKD][A-Z2-7]{0,120}\\.") {
            if let Ok(code) = Code::parse(&text) {
                prop_assert_eq!(code.text().unwrap(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = Code::parse(&text);
        }

        #[test]
        fn signatures_come_back(sizes in proptest::collection::vec(1_usize..150, 1..3)) {
            let code = signed(&sizes);
            prop_assert_eq!(Code::parse(&code.text().unwrap()).unwrap(), code);
        }
    }
}
