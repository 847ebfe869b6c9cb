//! Which parts of a message a frame mixes (BCR-2020-005 with its reference implementation, BCR-2024-001):
//! the first `n` frames carry one part each, every later one the parts that its number and the
//! message's checksum draw, added bit by bit.
//!
//! The numbers are drawn as all others draw them, by xoshiro256** seeded with a SHA-256: it decides
//! which parts are mixed and keeps no secret.

use crate::tuf::digest::Digest;

/// xoshiro256** (Blackman and Vigna).
struct Draw([u64; 4]);

impl Draw {
    fn new(seed: &[u8]) -> Self {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(Digest::of(seed).as_bytes().chunks_exact(8)) {
            *word = bytes.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    /// From 0 up to, not including, 1.
    #[allow(clippy::cast_precision_loss, reason = "as every other implementation draws it")]
    fn fraction(&mut self) -> f64 {
        self.next() as f64 / (u64::MAX as f64 + 1.0)
    }

    /// From 0 up to, not including, `end`.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a number of parts, at least 0 and less than it"
    )]
    fn below(&mut self, end: usize) -> usize {
        (self.fraction() * end as f64) as usize
    }
}

/// Draws how many parts are mixed: `k` with a chance in proportion to 1/k. An alias table (Vose), as
/// others fill it.
struct Degrees {
    chances: Vec<f64>,
    aliases: Vec<usize>,
}

impl Degrees {
    #[allow(clippy::cast_precision_loss, reason = "a number of parts, at most 200")]
    fn new(parts: usize) -> Self {
        let weights: Vec<f64> = (1..=parts).map(|k| 1.0 / k as f64).collect();
        let sum: f64 = weights.iter().sum();
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight * parts as f64 / sum).collect();
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (at, chance) in scaled.iter().enumerate().rev() {
            if *chance < 1.0 { small.push(at) } else { large.push(at) }
        }
        let (mut chances, mut aliases) = (vec![1.0; parts], vec![0; parts]);
        while !small.is_empty() && !large.is_empty() {
            let (Some(low), Some(high)) = (small.pop(), large.pop()) else { break };
            let chance = scaled.get(low).copied().unwrap_or(1.0);
            if let (Some(place), Some(alias)) = (chances.get_mut(low), aliases.get_mut(low)) {
                (*place, *alias) = (chance, high);
            }
            let Some(rest) = scaled.get_mut(high) else { break };
            *rest += chance - 1.0;
            if *rest < 1.0 { small.push(high) } else { large.push(high) }
        }
        Self { chances, aliases }
    }

    fn draw(&self, draw: &mut Draw) -> usize {
        let at = draw.below(self.chances.len());
        let second = draw.fraction();
        let stays = self.chances.get(at).is_none_or(|chance| second < *chance);
        let place = if stays { at } else { self.aliases.get(at).copied().unwrap_or(at) };
        place.saturating_add(1)
    }
}

/// The places, ascending, of the parts that frame `number` (from 1) of a message of `parts` mixes.
pub(super) fn places(number: u32, parts: usize, checksum: u32) -> Vec<usize> {
    let single = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    if let Some(place) = single.filter(|place| *place < parts) {
        return vec![place];
    }
    let seed: Vec<u8> = number.to_be_bytes().into_iter().chain(checksum.to_be_bytes()).collect();
    let mut draw = Draw::new(&seed);
    let many = Degrees::new(parts).draw(&mut draw);
    let mut left: Vec<usize> = (0..parts).collect();
    let mut places = Vec::new();
    while places.len() < many && !left.is_empty() {
        let at = draw.below(left.len());
        places.push(left.remove(at.min(left.len().saturating_sub(1))));
    }
    places.sort_unstable();
    places
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;

    /// The message of the published vectors.
    pub fn message(seed: &str, length: usize) -> Vec<u8> {
        let mut draw = Draw::new(seed.as_bytes());
        (0..length).map(|_| u8::try_from(draw.below(256)).unwrap()).collect()
    }

    /// The vectors of the reference implementation.
    #[test]
    fn the_published_vectors() {
        let mut draw = Draw::new(b"Wolf");
        let drawn: Vec<u64> = (0..20).map(|_| draw.next() % 100).collect();
        assert_eq!(drawn, [42, 81, 85, 8, 82, 84, 76, 73, 70, 88, 2, 74, 40, 48, 77, 54, 88, 7, 5, 88]);
        let mut draw = Draw::new(&super::super::bytewords::crc32(b"Wolf").to_be_bytes());
        let drawn: Vec<u64> = (0..10).map(|_| draw.next() % 100).collect();
        assert_eq!(drawn, [88, 44, 94, 74, 0, 99, 7, 77, 68, 35]);
        let message = message("Wolf", 1024);
        let checksum = super::super::bytewords::crc32(&message);
        let table: [(u32, &[usize]); 30] = [
            (1, &[0]),
            (2, &[1]),
            (3, &[2]),
            (4, &[3]),
            (5, &[4]),
            (6, &[5]),
            (7, &[6]),
            (8, &[7]),
            (9, &[8]),
            (10, &[9]),
            (11, &[10]),
            (12, &[9]),
            (13, &[2, 5, 6, 8, 9, 10]),
            (14, &[8]),
            (15, &[1, 5]),
            (16, &[1]),
            (17, &[0, 2, 4, 5, 8, 10]),
            (18, &[5]),
            (19, &[2]),
            (20, &[2]),
            (21, &[0, 1, 3, 4, 5, 7, 9, 10]),
            (22, &[0, 1, 2, 3, 5, 6, 8, 9, 10]),
            (23, &[0, 2, 4, 5, 7, 8, 9, 10]),
            (24, &[3, 5]),
            (25, &[4]),
            (26, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            (27, &[0, 1, 3, 4, 5, 6, 7, 9, 10]),
            (28, &[6]),
            (29, &[5, 6]),
            (30, &[7]),
        ];
        for (number, expected) in table {
            assert_eq!(places(number, 11, checksum), expected, "frame {number}");
        }
    }

    #[test]
    fn any_number_draws_at_least_one_part_that_there_is() {
        for number in [0, 1, 2, 3, 200, 201, 1_000, u32::MAX] {
            for parts in [1, 2, 3, 199, 200] {
                for checksum in [0, 1, u32::MAX] {
                    let places = places(number, parts, checksum);
                    assert!(!places.is_empty() && places.iter().all(|p| *p < parts), "{number} {parts}");
                    assert!(places.windows(2).all(|two| two.first() < two.last()));
                }
            }
        }
    }
}
