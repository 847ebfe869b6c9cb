//! Whether any of many bytes is of some kind: asked of every text and of whole documents.
//!
//! Eight at once by arithmetic, since this package is made for size, without loops over vectors. Of one
//! word the answer is exact, though not of which byte.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Whether there is a control character below the space.
pub(super) fn controls(bytes: &[u8]) -> bool {
    any(bytes, |word| below(word, 0x20))
}

/// Whether there is this byte.
pub(super) fn has(bytes: &[u8], byte: u8) -> bool {
    let all = u64::from_le_bytes([byte; 8]);
    any(bytes, |word| below(word ^ all, 1))
}

/// Whether all are printable ASCII, the space with them.
pub(super) fn printable(bytes: &[u8]) -> bool {
    !any(bytes, |word| below(word, 0x20) | (word.wrapping_add(ONES) | word) & HIGH)
}

/// Not zero if a byte of the word is below `least`, which is at most 0x80.
const fn below(word: u64, least: u8) -> u64 {
    word.wrapping_sub(u64::from_le_bytes([least; 8])) & !word & HIGH
}

/// Whether `look` finds something in any eight of them; those that are left over stand with the first of
/// them in the place of those that are missing.
fn any(bytes: &[u8], look: impl Fn(u64) -> u64) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    if words.iter().any(|word| look(u64::from_le_bytes(*word)) != 0) {
        return true;
    }
    let Some(first) = rest.first() else { return false };
    let mut last = [*first; 8];
    last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    look(u64::from_le_bytes(last)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_by_one(bytes: &[u8]) {
        assert_eq!(controls(bytes), bytes.iter().any(|byte| *byte < 0x20), "{bytes:?}");
        assert_eq!(printable(bytes), bytes.iter().all(|byte| matches!(byte, b' '..=b'~')), "{bytes:?}");
        for byte in [b'"', b'\\', 0, 0x7f, 0x80, 0xff] {
            assert_eq!(has(bytes, byte), bytes.contains(&byte), "{byte} {bytes:?}");
        }
    }

    #[test]
    fn every_byte_at_every_place_is_found() {
        for length in 0..=24 {
            for around in [b'a', b' ', b'~', 0x80, 0xff, 0x7f, 0x1f, 0] {
                one_by_one(&vec![around; length]);
                for place in 0..length {
                    for byte in 0..=u8::MAX {
                        let mut bytes = vec![around; length];
                        bytes.iter_mut().skip(place).take(1).for_each(|there| *there = byte);
                        one_by_one(&bytes);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_as_one_by_one(bytes: Vec<u8>) {
            one_by_one(&bytes);
        }
    }
}
