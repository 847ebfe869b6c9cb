//! Bytewords in their minimal form (BCR-2020-012): two letters a byte, CRC-32 at the end.

use crate::ceremony::rules;
use crate::tuf::rule::{Refusal, Result};

/// First and last letter of each of the 256 words, in order of the bytes that they stand for.
const PAIRS: &[u8; 512] = b"\
aeadaoaxaaahamatayasbkbdbnbtbabsbebybgbwbbbzcmchcscfcycwcecackctcxclcpcndkdadsdidedtdrdndwdpdmdl\
dyeheyeoeeecenemetesftfrfnfsfmfhfzfpfwfxfyfefgflfdgagegrgsgtglgwgdgygmgughgohfhghdhkhthphhhlhyhe\
hnhsidiaieihiyioisinimjejzjnjtjljojsjpjkjykpkoktkskkknkgkekikblblalylflslrlplnltloldlelulklgmnmy\
mhmemomumwmdmtmsmknlnyndnsntnnnenboyoeotoxonolospdptpkpypspmplpepfpaprqdqzrerprlrorhrdrkrfryrnrs\
rtsesasrssskswstspsosgsbsfsntotktitttdtetytltbtstptatnuyuoutueurvtvyvovlvevwvavdvswlwdwmwpwewyws\
wtwnwzwfwkykynylyaytzszoztzczezm";

/// CRC-32 as in ISO/IEC 8802-3.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc >>= 1;
            if low == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

/// The letters of `bytes` and of their CRC-32, upper case.
pub(super) fn encode(bytes: &[u8]) -> String {
    let check = crc32(bytes).to_be_bytes();
    let pair = |byte: &u8| PAIRS.chunks_exact(2).nth(usize::from(*byte)).unwrap_or_default();
    let letters = bytes.iter().chain(&check).flat_map(pair);
    letters.map(|letter| char::from(letter.to_ascii_uppercase())).collect()
}

/// The bytes that letters of either case stand for.
///
/// # Errors
///
/// `QR-TEXT` for letters that stand for nothing, `QR-CHECK`.
pub(super) fn decode(letters: &str) -> Result<Vec<u8>> {
    let odd = || Refusal::new(&rules::QR_TEXT, "letters that are no bytewords", "bytewords, minimal");
    let pairs = letters.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(odd());
    }
    let byte = |pair: &[u8]| {
        let place = PAIRS.chunks_exact(2).position(|known| known.eq_ignore_ascii_case(pair));
        place.and_then(|place| u8::try_from(place).ok()).ok_or_else(odd)
    };
    let mut bytes = pairs.map(byte).collect::<Result<Vec<u8>>>()?;
    let at = bytes.len().checked_sub(4).ok_or_else(odd)?;
    let check = bytes.split_off(at);
    if check != crc32(&bytes).to_be_bytes() {
        return Err(Refusal::new(&rules::QR_CHECK, "letters with another CRC-32", "the CRC-32 at their end"));
    }
    Ok(bytes)
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

    /// The vectors of BCR-2020-012 and of its reference implementation.
    #[test]
    fn the_published_vectors() {
        assert_eq!(crc32(b"Hello, world!"), 0xebe6_c6e6);
        assert_eq!(crc32(b"Wolf"), 0x598c_84dc);
        let table: [(&[u8], &str); 3] = [
            (&[0, 1, 2, 128, 255], "aeadaolazmjendeoti"),
            (&[0], "aetdaowslg"),
            (b"Some binary data", "gujljnihcxidinjthsjpkkcxiehsjyhsnsgdmkht"),
        ];
        for (bytes, letters) in table {
            assert_eq!(encode(bytes), letters.to_uppercase());
            assert_eq!(decode(letters).unwrap(), bytes);
            assert_eq!(decode(&letters.to_uppercase()).unwrap(), bytes);
        }
    }

    #[test]
    fn every_byte_has_letters_of_its_own_and_a_changed_letter_is_seen() {
        let all: Vec<u8> = (0..=255).collect();
        let letters = encode(&all);
        assert_eq!(decode(&letters).unwrap(), all);
        for at in 0..letters.len() {
            let mut other = letters.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'E' } else { b'A' };
            let refusal = decode(std::str::from_utf8(&other).unwrap()).unwrap_err();
            assert!(["QR-TEXT", "QR-CHECK"].contains(&refusal.rule().name), "{refusal}");
        }
        for letters in ["", "a", "ae", "aeaeae", "aetdaowsl", "äeaeaeaeae", "aetdaow\u{0}lg", "bbbbbbbbbb"] {
            assert!(decode(letters).is_err(), "{letters:?}");
        }
    }
}
