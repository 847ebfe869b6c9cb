//! RS1024: the three words at the end of a share (SLIP-39, "Checksum").
//!
//! A Reed-Solomon code over words of ten bits: up to three wrong words are always noticed, more but
//! for one time in 2³⁰. One wrong word can be told from where it stands; what it should be is never
//! said, since whoever is led to a right checksum may believe in a wrong word (as the standard asks).

/// The remainder of a sound share.
const SOUND: u32 = 1;
/// What each bit that leaves the register at its top adds.
const FEEDBACK: [u32; 10] = [
    0x00e0_e040,
    0x01c1_c080,
    0x0383_8100,
    0x0707_0200,
    0x0e0e_0009,
    0x1c0c_2412,
    0x3808_6c24,
    0x3090_fc48,
    0x21b1_f890,
    0x03f3_f120,
];
/// For each of the lowest ten bits, the word at the top that puts it there: takes a step back.
const BACK: [u32; 10] = back();

const fn fed(top: u32) -> u32 {
    let (mut sum, mut bits, mut at) = (0, top, FEEDBACK.as_slice());
    while let [first, rest @ ..] = at {
        // No branch: the words are secret.
        sum ^= *first & 0u32.wrapping_sub(bits & 1);
        bits >>= 1;
        at = rest;
    }
    sum
}

#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "computed by the compiler, which refuses what overflows"
)]
const fn back() -> [u32; 10] {
    let mut found = [0; 10];
    let mut bit = 0;
    while bit < 10 {
        let mut top = 0;
        while fed(top) & 0x3ff != 1 << bit {
            top += 1;
        }
        found[bit] = top;
        bit += 1;
    }
    found
}

const fn step(register: u32, value: u32) -> u32 {
    ((register & 0x000f_ffff) << 10) ^ value ^ fed(register >> 20)
}

/// The register before a step with the value 0.
fn step_back(register: u32) -> u32 {
    let bits = BACK.iter().enumerate().filter(|(bit, _)| (register >> bit) & 1 == 1);
    let top = bits.fold(0, |top, (_, word)| top ^ word);
    ((register ^ fed(top)) >> 10) | (top << 20)
}

fn remainder(customization: &[u8], words: impl Iterator<Item = u16>) -> u32 {
    let begin = customization.iter().fold(1, |register, byte| step(register, u32::from(*byte)));
    words.fold(begin, |register, word| step(register, u32::from(word)))
}

/// The three words that end a share of these words.
pub(super) fn of(customization: &[u8], words: &[u16]) -> [u16; 3] {
    let register = remainder(customization, words.iter().copied().chain([0; 3])) ^ SOUND;
    [20, 10, 0].map(|shift| u16::try_from((register >> shift) & 0x3ff).unwrap_or(0))
}

/// How far a share is from a sound one: 0 if its checksum is right.
pub(super) fn off(customization: &[u8], words: &[u16]) -> u32 {
    remainder(customization, words.iter().copied()) ^ SOUND
}

/// Where words could be changed, each alone, to make the share sound: the place from 0 and what the
/// word's bits would change by. For one wrong word it is that place and no other.
pub(super) fn one_wrong(off: u32, count: usize) -> impl Iterator<Item = (usize, u32)> {
    let mut register = off;
    (0..count).rev().filter_map(move |place| {
        let change = register;
        register = step_back(register);
        (change < 1024).then_some((place, change))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_is_taken_back(register in 0u32..1 << 30) {
            prop_assert_eq!(step_back(step(register, 0)), register);
        }
    }
}
