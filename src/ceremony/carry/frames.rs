//! A message in many codes: Uniform Resources of type `bytes` (BCR-2020-005, BCR-2024-001).
//!
//! Frames are sent from the first one on and without end; whoever collects them needs about as many as
//! the message has parts, any of them, in any order. They are put together as linear equations over
//! single bits, so every frame that says something new counts, at most as many are kept as there are
//! parts, and each costs at most as many additions.
//!
//! Never: room made for what a header claims. The first frame fixes length, number of parts and
//! checksum, within the limits; a frame of another message is refused and changes nothing.

use super::{LONGEST_TEXT, MOST_BYTES, MOST_FRAMES, bytewords, fountain};
use crate::ceremony::rules;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::collections::BTreeMap;

/// What every frame of ours begins with, upper case as QR codes like it.
const TYPE: &str = "UR:BYTES/";
/// The fewest bytes of a part: fewer are all header.
const LEAST_PART: usize = 10;

/// A message cut into parts, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    wrapped: Vec<u8>,
    checksum: u32,
    part: usize,
    parts: usize,
}

impl Frames {
    /// Cuts `message` so that no frame's text is longer than `letters`.
    ///
    /// # Errors
    ///
    /// `QR-SIZE` for more than [`MOST_BYTES`], or more than [`MOST_FRAMES`] frames of that length.
    pub fn new(message: &[u8], letters: usize) -> Result<Self> {
        if message.is_empty() || message.len() > MOST_BYTES {
            let found = format!("a message of {} bytes", message.len());
            return Err(Refusal::new(&rules::QR_SIZE, found, format!("1 to {MOST_BYTES} bytes")));
        }
        let mut wrapped = Vec::new();
        head(2, message.len(), &mut wrapped);
        wrapped.extend_from_slice(message);
        // What is not the part itself: type, `65535-200/`, the part's head, its CRC-32.
        let rest = TYPE.len().saturating_add(10).saturating_add(2 * (1 + 3 + 2 + 5 + 5 + 3 + 4));
        let most = (letters.min(LONGEST_TEXT).saturating_sub(rest) / 2).max(LEAST_PART);
        let parts = wrapped.len().div_ceil(most);
        if parts > MOST_FRAMES {
            let found = format!("{} bytes, {parts} frames of {letters} characters", message.len());
            return Err(Refusal::new(&rules::QR_SIZE, found, format!("at most {MOST_FRAMES} frames")));
        }
        let part = wrapped.len().div_ceil(parts);
        let (checksum, parts) = (bytewords::crc32(&wrapped), wrapped.len().div_ceil(part));
        Ok(Self { wrapped, checksum, part, parts })
    }

    /// How many frames are enough where none is lost: the message's parts.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The text of frame `number`, from 1 on, upper case. A single part is no fountain.
    pub fn text(&self, number: u32) -> String {
        if self.parts == 1 {
            return format!("{TYPE}{}", bytewords::encode(&self.wrapped));
        }
        let mut mixed = vec![0; self.part];
        for place in fountain::places(number, self.parts, self.checksum) {
            if let Some(part) = self.wrapped.chunks(self.part).nth(place) {
                add(&mut mixed, part);
            }
        }
        let mut cbor = Vec::new();
        head(4, 5, &mut cbor);
        for value in [number, count(self.parts), count(self.wrapped.len()), self.checksum] {
            head(0, usize::try_from(value).unwrap_or(usize::MAX), &mut cbor);
        }
        head(2, mixed.len(), &mut cbor);
        cbor.extend(mixed);
        format!("{TYPE}{number}-{}/{}", self.parts, bytewords::encode(&cbor))
    }
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It says something new.
    New,
    /// All that it says was known.
    Known,
}

/// Frames as they come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    fixed: Option<Fixed>,
    /// By the first part that it mixes: which parts, and their sum. No two begin with the same.
    rows: BTreeMap<usize, (Vec<bool>, Vec<u8>)>,
}

/// What every frame of one message has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fixed {
    parts: usize,
    length: usize,
    checksum: u32,
    part: usize,
}

/// Whether a text claims to be a frame.
pub fn is_frame(text: &str) -> bool {
    text.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("UR:"))
}

impl Collected {
    /// Takes a frame's text, in either case.
    ///
    /// # Errors
    ///
    /// `QR-TEXT`, `QR-CHECK`; `QR-KIND` for another type than `bytes`; `QR-SIZE` for more than the
    /// limits; `QR-MIXED` for a frame of another message than those before. It changes nothing then.
    pub fn take(&mut self, text: &str) -> Result<Taken> {
        let (fixed, number, data) = parse(text)?;
        if self.fixed.is_some_and(|mine| mine != fixed) {
            let found = format!("a frame of another message, of {} parts", fixed.parts);
            return Err(Refusal::new(&rules::QR_MIXED, found, "frames of one message"));
        }
        let mut mask = vec![false; fixed.parts];
        for place in fountain::places(number, fixed.parts, fixed.checksum) {
            if let Some(bit) = mask.get_mut(place) {
                *bit = true;
            }
        }
        let mut sum = data;
        for (first, (parts, own)) in &self.rows {
            if mask.get(*first) == Some(&true) {
                toggle(&mut mask, parts);
                add(&mut sum, own);
            }
        }
        let Some(first) = mask.iter().position(|bit| *bit) else {
            if sum.iter().any(|byte| *byte != 0) {
                let found = "a frame that contradicts those before";
                return Err(Refusal::new(&rules::QR_MIXED, found, "frames of one message"));
            }
            return Ok(Taken::Known);
        };
        self.fixed = Some(fixed);
        self.rows.insert(first, (mask, sum));
        Ok(Taken::New)
    }

    /// How many frames have said something new, and how many must have.
    pub fn progress(&self) -> (usize, usize) {
        (self.rows.len(), self.fixed.map_or(0, |fixed| fixed.parts))
    }

    /// The message, once there are enough frames.
    ///
    /// # Errors
    ///
    /// `QR-MISSING` before; `QR-CHECK` if what comes out has another checksum; `QR-TEXT` if it is no
    /// CBOR byte string.
    pub fn message(&self) -> Result<Vec<u8>> {
        let fixed = self.fixed.filter(|fixed| self.rows.len() == fixed.parts).ok_or_else(|| {
            let (have, need) = self.progress();
            let need = if need == 0 { "at least one frame".to_owned() } else { format!("{need}") };
            Refusal::new(&rules::QR_MISSING, format!("{have} frames that count"), need)
        })?;
        let mut parts: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (first, (mask, sum)) in self.rows.iter().rev() {
            let mut part = sum.clone();
            for (place, known) in parts.iter().filter(|(place, _)| mask.get(**place) == Some(&true)) {
                debug_assert!(place > first, "rows begin where no other does");
                add(&mut part, known);
            }
            parts.insert(*first, part);
        }
        let mut wrapped: Vec<u8> = parts.into_values().flatten().collect();
        wrapped.truncate(fixed.length);
        if bytewords::crc32(&wrapped) != fixed.checksum {
            let found = "parts whose sum has another checksum";
            return Err(Refusal::new(&rules::QR_CHECK, found, "the checksum that each frame names"));
        }
        unwrap(&wrapped)
    }
}

/// What people compare of a message: SHA-256 over its bytes.
pub fn digest(message: &[u8]) -> Digest {
    Digest::of(message)
}

fn parse(text: &str) -> Result<(Fixed, u32, Vec<u8>)> {
    if text.len() > LONGEST_TEXT {
        let found = format!("a text of {} bytes", text.len());
        return Err(Refusal::new(&rules::QR_SIZE, found, format!("at most {LONGEST_TEXT}")));
    }
    let form = || Refusal::new(&rules::QR_TEXT, "a frame of another form", "UR:BYTES/NUMBER-PARTS/LETTERS");
    let upper = text.to_ascii_uppercase();
    let mut pieces = upper.split('/');
    let kind = pieces.next().and_then(|begin| begin.strip_prefix("UR:")).ok_or_else(form)?;
    if kind != "BYTES" {
        let found = format!("frames of type \"{}\"", visible(kind).chars().take(40).collect::<String>());
        return Err(Refusal::new(&rules::QR_KIND, found, "type bytes"));
    }
    let (numbers, letters) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(letters), None, None) => (None, letters),
        (Some(numbers), Some(letters), None) => (Some(numbers), letters),
        _ => return Err(form()),
    };
    let bytes = bytewords::decode(letters)?;
    let Some(numbers) = numbers else {
        let fixed =
            Fixed { parts: 1, length: bytes.len(), checksum: bytewords::crc32(&bytes), part: bytes.len() };
        return Ok((fixed, 1, bytes));
    };
    let (number, parts) = numbers.split_once('-').ok_or_else(form)?;
    let (number, parts) = (decimal(number).ok_or_else(form)?, decimal(parts).ok_or_else(form)?);
    let mut rest = bytes.as_slice();
    let mut value = |major| take_head(major, &mut rest).ok_or_else(form);
    let (five, named, of, length, checksum) = (value(4)?, value(0)?, value(0)?, value(0)?, value(0)?);
    let size = value(2)?;
    if (five, named, of) != (5, number, parts) || usize::try_from(size).ok() != Some(rest.len()) {
        return Err(form());
    }
    let small = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let (parts, length) = (small(parts), small(length));
    // The wrapping of a byte string of that size takes up to five bytes.
    if parts > MOST_FRAMES || length > MOST_BYTES.saturating_add(5) {
        let found = format!("a message of {length} bytes in {parts} parts");
        return Err(Refusal::new(&rules::QR_SIZE, found, format!("{MOST_BYTES} in {MOST_FRAMES}")));
    }
    if number == 0 || parts == 0 || rest.is_empty() || length.div_ceil(rest.len()) != parts {
        return Err(form());
    }
    Ok((Fixed { parts, length, checksum, part: rest.len() }, number, rest.to_vec()))
}

/// A number as we write it: digits alone, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let fine = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| fine)
}

fn add(to: &mut [u8], other: &[u8]) {
    for (byte, other) in to.iter_mut().zip(other) {
        *byte ^= other;
    }
}

fn toggle(to: &mut [bool], other: &[bool]) {
    for (bit, other) in to.iter_mut().zip(other) {
        *bit ^= other;
    }
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

/// Writes the head of a CBOR item (RFC 8949, 3) in its shortest form.
fn head(major: u8, value: usize, into: &mut Vec<u8>) {
    let value = count(value);
    let major = major << 5;
    let [_, _, high, low] = value.to_be_bytes();
    match value {
        0..=23 => into.push(major | low),
        24..=0xff => into.extend([major | 0x18, low]),
        0x100..=0xffff => into.extend([major | 0x19, high, low]),
        _ => {
            into.push(major | 0x1a);
            into.extend(value.to_be_bytes());
        }
    }
}

/// Reads the head of a CBOR item of this kind, of up to 32 bits, in its shortest form.
fn take_head(major: u8, from: &mut &[u8]) -> Option<u32> {
    let (first, rest) = from.split_first()?;
    let more = match first & 0x1f {
        0..=23 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(more)?;
    let value = match bytes {
        [] => u32::from(first & 0x1f),
        bytes => bytes.iter().fold(0, |all, byte| (all << 8) | u32::from(*byte)),
    };
    let mut again = Vec::new();
    head(major, usize::try_from(value).ok()?, &mut again);
    let read = from.get(..more.saturating_add(1));
    *from = rest;
    (read == Some(again.as_slice())).then_some(value)
}

fn unwrap(wrapped: &[u8]) -> Result<Vec<u8>> {
    let mut rest = wrapped;
    let size = take_head(2, &mut rest);
    match size.and_then(|size| usize::try_from(size).ok()) {
        Some(size) if size == rest.len() => Ok(rest.to_vec()),
        _ => Err(Refusal::new(&rules::QR_TEXT, "a message that is no byte string", "one CBOR byte string")),
    }
}

#[cfg(test)]
mod tests;
