//! One share: what its words say, and its words (SLIP-39, "Format of the share mnemonic").

use super::words::Words;
use super::{Salt, checksum, cipher};
use crate::signer::rules;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use std::fmt;
use zeroize::Zeroizing;

/// Words before the value: 40 bits of numbers.
const HEAD: usize = 4;
/// Words after it.
const CHECKSUM: usize = 3;
/// What the checksum begins with, by kind of set.
const EXTENDABLE: &[u8] = b"shamir_extendable";
const ORIGINAL: &[u8] = b"shamir";

/// What every share of a set has in common, printed in its first words; no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// 15 random bits by which shares of one set know each other.
    pub identifier: u16,
    /// Whether more sets of the same secret can open to the same, whatever the passphrase.
    pub extendable: bool,
    /// How often the work of a passphrase is doubled: 0 to 15.
    pub exponent: u8,
    /// How many groups are needed: 1 to 16.
    pub groups_needed: u8,
    /// How many there are: at least as many, at most 16.
    pub groups: u8,
}

impl Set {
    /// What the salt of the passphrase is: nothing for extendable sets.
    pub(super) fn salt(self) -> Vec<u8> {
        if self.extendable {
            return Vec::new();
        }
        let [high, low] = self.identifier.to_be_bytes();
        ORIGINAL.iter().copied().chain([high, low]).collect()
    }
}

/// Which share of its set it is; no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The group's number, from 1.
    pub group: u8,
    /// The share's number within it, from 1.
    pub number: u8,
    /// How many of the group are needed: 1 to 16.
    pub needed: u8,
}

/// One share. Its value is wiped on drop and shown by [`Share::words`] alone.
pub struct Share {
    set: Set,
    member: Member,
    value: Zeroizing<Vec<u8>>,
}

impl Share {
    pub(super) const fn new(set: Set, member: Member, value: Zeroizing<Vec<u8>>) -> Self {
        Self { set, member, value }
    }

    /// Reads a share.
    ///
    /// # Errors
    ///
    /// `SHARE-WORD`, `SHARE-LENGTH`, and as [`Self::of_words`].
    pub fn read(text: &str) -> Result<Self> {
        Self::of_words(&Words::read(text)?)
    }

    /// The share that these words are.
    ///
    /// # Errors
    ///
    /// `SHARE-LENGTH`; `SHARE-SWAPPED` if two words changed places; `SHARE-CHECKSUM`, with the place
    /// if one word alone can be wrong; `SHARE-FORM` for what no maker of shares writes.
    pub fn of_words(words: &Words) -> Result<Self> {
        words.whole()?;
        let places = words.places();
        if checksum::off(customization(places), places) != 0 {
            return Err(doubt(places));
        }
        let form = |found: &str| {
            Refusal::new(&rules::SHARE_FORM, found.to_owned(), "numbers and padding as SLIP-39 has them")
        };
        let body = places.get(HEAD..places.len().saturating_sub(CHECKSUM)).unwrap_or_default();
        let head = places.iter().take(HEAD).fold(0u64, |bits, word| (bits << 10) | u64::from(*word));
        let nibble = |shift: u32| u8::try_from((head >> shift) & 15).unwrap_or(0);
        let set = Set {
            identifier: u16::try_from(head >> 25).unwrap_or(0),
            extendable: (head >> 24) & 1 == 1,
            exponent: nibble(20),
            groups_needed: nibble(12).saturating_add(1),
            groups: nibble(8).saturating_add(1),
        };
        let member = Member {
            group: nibble(16).saturating_add(1),
            number: nibble(4).saturating_add(1),
            needed: nibble(0).saturating_add(1),
        };
        if set.groups_needed > set.groups {
            return Err(form(&format!("{} of {} groups needed", set.groups_needed, set.groups)));
        }
        let value = value(body).ok_or_else(|| form("padding that is not zero"))?;
        Ok(Self { set, member, value })
    }

    /// Its words, as they are printed.
    pub fn words(&self) -> Words {
        let set = self.set;
        let nibble = |from: u8| u64::from(from.saturating_sub(1) & 15);
        let mut head = (u64::from(set.identifier) << 1 | u64::from(set.extendable)) << 4;
        head = (head | u64::from(set.exponent & 15)) << 4 | nibble(self.member.group);
        head = head << 8 | nibble(set.groups_needed) << 4 | nibble(set.groups);
        head = head << 8 | nibble(self.member.number) << 4 | nibble(self.member.needed);
        let mut places = Zeroizing::new(Vec::with_capacity(super::words::MOST));
        places.extend([30, 20, 10, 0].map(|shift| u16::try_from((head >> shift) & 0x3ff).unwrap_or(0)));
        push_value(&mut places, &self.value);
        let sum = checksum::of(customization(&places), &places);
        places.extend(sum);
        Words::of(&places)
    }

    /// What it has in common with the shares of its set.
    pub const fn set(&self) -> Set {
        self.set
    }

    /// Which of them it is.
    pub const fn member(&self) -> Member {
        self.member
    }

    /// Bits of the secret.
    pub fn bits(&self) -> usize {
        self.value.len().saturating_mul(8)
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }

    /// SHA-256 over the 16 bytes of a salt and the words with one space between: what a manifest holds
    /// of a share. The salt, which is on the card alone, keeps it from being looked for (threats T25).
    pub fn commitment(&self, salt: &Salt) -> Digest {
        Digest::of(&cipher::joined(salt.bytes(), self.words().text().as_bytes()))
    }
}

/// As a person finds it: `share 2`, or `share 2 of group 1` where there are groups.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share {}", self.member.number)?;
        if self.set.groups > 1 {
            write!(f, " of group {}", self.member.group)?;
        }
        Ok(())
    }
}

/// The bits of padding before the value, for a share of so many words: 8 or fewer in a sound one.
pub(super) fn padding(words: usize) -> usize {
    words.saturating_sub(HEAD).saturating_sub(CHECKSUM).saturating_mul(10) % 16
}

fn customization(places: &[u16]) -> &'static [u8] {
    let extendable = places.get(1).is_some_and(|second| (second >> 4) & 1 == 1);
    if extendable { EXTENDABLE } else { ORIGINAL }
}

/// The bytes of a value; nothing if its padding isn't zero.
fn value(body: &[u16]) -> Option<Zeroizing<Vec<u8>>> {
    let padding = u32::try_from(body.len().saturating_mul(10) % 16).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(body.len().saturating_mul(10) / 8));
    let (mut bits, mut waiting) = (0u32, 0u32);
    for (at, word) in body.iter().enumerate() {
        let fresh = if at == 0 { 10u32.saturating_sub(padding) } else { 10 };
        if at == 0 && u32::from(*word) >> fresh != 0 {
            return None;
        }
        bits = (bits << fresh) | u32::from(*word);
        waiting = waiting.saturating_add(fresh);
        while let Some(left) = waiting.checked_sub(8) {
            bytes.push(u8::try_from((bits >> left) & 0xff).ok()?);
            waiting = left;
        }
        bits &= (1u32 << waiting).saturating_sub(1);
    }
    Some(bytes)
}

fn push_value(places: &mut Vec<u16>, value: &[u8]) {
    let total = value.len().saturating_mul(8);
    let padding = total.next_multiple_of(10).saturating_sub(total);
    let (mut bits, mut waiting) = (0u32, padding);
    for byte in value {
        bits = (bits << 8) | u32::from(*byte);
        waiting = waiting.saturating_add(8);
        if let Some(left) = waiting.checked_sub(10) {
            places.push(u16::try_from((bits >> left) & 0x3ff).unwrap_or(0));
            waiting = left;
        }
        bits &= (1u32 << waiting).saturating_sub(1);
    }
}

/// Why a checksum is wrong, as far as it can be told. No word is named, only places.
fn doubt(places: &[u16]) -> Refusal {
    let expected = "words exactly as on the card, in its order";
    let mut alone = Vec::new();
    for custom in [EXTENDABLE, ORIGINAL] {
        for (place, change) in checksum::one_wrong(checksum::off(custom, places), places.len()) {
            let mut other = Zeroizing::new(places.to_vec());
            if let (Some(word), Ok(change)) = (other.get_mut(place), u16::try_from(change)) {
                *word ^= change;
            }
            // The second word says itself which checksum it is.
            if customization(&other) == custom {
                alone.push(place);
            }
        }
    }
    alone.dedup();
    if let [place] = alone.as_slice() {
        let (which, word) = (which(places, *place), place.saturating_add(1));
        let found = format!("{which}a checksum that is wrong as if word {word} alone were");
        return Refusal::new(&rules::SHARE_CHECKSUM, found, expected);
    }
    match swapped(places).as_slice() {
        [(a, b)] => {
            let (which, a, b) = (which(places, *a), a.saturating_add(1), b.saturating_add(1));
            let found = format!("{which}words {a} and {b} in each other's place");
            Refusal::new(&rules::SHARE_SWAPPED, found, expected)
        }
        _ => Refusal::new(&rules::SHARE_CHECKSUM, "a wrong checksum: two words or more are wrong", expected),
    }
}

/// The number that the words say, in front of a doubt about other words than those that say it: so that
/// people know which card is meant.
fn which(places: &[u16], doubted: usize) -> String {
    let number = places.get(HEAD.saturating_sub(1)).filter(|_| doubted >= HEAD).map(|word| (word >> 4) & 15);
    number.map_or_else(String::new, |number| format!("share {}: ", number.saturating_add(1)))
}

/// Pairs of words whose swap would make the share sound.
fn swapped(places: &[u16]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut other = Zeroizing::new(places.to_vec());
    for a in 0..places.len() {
        for b in a.saturating_add(1)..places.len() {
            other.swap(a, b);
            if places.get(a) != places.get(b) && checksum::off(customization(&other), &other) == 0 {
                found.push((a, b));
            }
            other.swap(a, b);
        }
    }
    found
}
