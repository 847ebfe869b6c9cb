//! The 1024 words of SLIP-39: four to eight letters each, in order, told apart by their first four.
//!
//! `words.txt` is the standard's own file (<https://github.com/satoshilabs/slips>, SLIP-0039,
//! "Wordlist"), whose SHA-256 a test compares. Never changed: cards are read for decades.

const FILE: &str = include_str!("words.txt");

/// The list, a word's place being its ten bits.
pub(super) static LIST: [&str; 1024] = lines(FILE);

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "computed by the compiler")]
const fn lines(file: &'static str) -> [&'static str; 1024] {
    let (mut list, mut number, mut rest) = ([""; 1024], 0, file);
    while number < list.len() {
        let mut end = 0;
        while rest.as_bytes()[end] != b'\n' {
            end += 1;
        }
        let (word, after) = rest.split_at(end);
        list[number] = word;
        number += 1;
        rest = after.split_at(1).1;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuf::digest::Digest;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_that_of_the_standard() {
        let published = "bcc4555340332d169718aed8bf31dd9d5248cb7da6e5d355140ef4f1e601eec3";
        assert_eq!(LIST.join("\n"), FILE.trim_end());
        assert_eq!(Digest::of(FILE.as_bytes()).hex(), published);
    }

    #[test]
    fn four_letters_tell_a_word() {
        assert!(LIST.is_sorted());
        assert!(LIST.iter().all(|word| (4..=8).contains(&word.len())));
        let begins: BTreeSet<_> = LIST.iter().filter_map(|word| word.get(..4)).collect();
        assert_eq!(begins.len(), LIST.len());
    }
}
