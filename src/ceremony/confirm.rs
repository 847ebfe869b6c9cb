//! Confirming: words of a digest, typed from paper or another person's screen.
//!
//! Three of the 32 words, at places drawn by chance: whoever types them has the digest before them
//! on something that this program did not choose just now. Typing `Yes` proves nothing of the kind
//! and is for smaller changes.

use crate::tuf::digest::Digest;

/// Three places of a digest's 32 words, drawn by the caller, each another, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places([usize; 3]);

impl Places {
    /// Places of 3 random bytes that the caller drew; any bytes give three different places.
    pub fn from_random(bytes: [u8; 3]) -> Self {
        // Of the places that are left: 32, then 31, then 30.
        let mut left: Vec<usize> = (1..=32).collect();
        let mut places = bytes.map(|byte| {
            let at = usize::from(byte).checked_rem(left.len()).unwrap_or(0);
            left.remove(at)
        });
        places.sort_unstable();
        Self(places)
    }

    /// Each place, counted from 1, as people count words.
    pub fn numbers(self) -> [usize; 3] {
        self.0
    }

    /// Whether `typed` are the digest's words at these places; case does not count, nor does white
    /// space around them.
    pub fn match_words(self, digest: &Digest, typed: [&str; 3]) -> bool {
        let words = digest.words();
        let right = |(place, typed): (usize, &str)| {
            let word = place.checked_sub(1).and_then(|at| words.get(at));
            word.is_some_and(|word| word.eq_ignore_ascii_case(typed.trim()))
        };
        self.0.into_iter().zip(typed).all(right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn any_bytes_give_three_places_and_all_places_come_up() {
        let mut seen = BTreeSet::new();
        for a in 0..=255 {
            for b in 0..=255 {
                let places = Places::from_random([a, b, a ^ b]).numbers();
                assert!(places[0] < places[1] && places[1] < places[2], "{places:?}");
                assert!(places[0] >= 1 && places[2] <= 32, "{places:?}");
                seen.extend(places);
            }
        }
        assert_eq!(seen.len(), 32);
    }

    #[test]
    fn only_the_words_at_these_places_match() {
        let digest = Digest::of(b"change");
        let words = digest.words();
        let places = Places::from_random([3, 200, 77]);
        let right = places.numbers().map(|n| words[n - 1]);
        let upper = right.map(str::to_uppercase);
        let table = [
            ("the words", right, true),
            ("in capitals", [&upper[0], &upper[1], &upper[2]], true),
            ("with a space", [right[0], &format!(" {} ", right[1]), right[2]], true),
            ("one swapped", [right[1], right[0], right[2]], false),
            ("one missing", [right[0], right[1], ""], false),
            ("two in one", [right[0], &format!("{} {}", right[1], right[2]), ""], false),
            ("a word beside it", [words[places.numbers()[0] % 32], right[1], right[2]], false),
            ("the word yes", ["yes"; 3], false),
        ];
        for (what, typed, fits) in table {
            assert_eq!(places.match_words(&digest, typed), fits, "{what}");
        }
        assert!(!places.match_words(&Digest::of(b"another"), right));
    }
}
