//! The words of a share, which people type and scanners read.

use keyrite::signer::slip39::{Share, Words};

/// Words of the list by their first four letters and whole, and what stands between words.
pub const WORDS: &[&[u8]] = &[
    b" academic ",
    b" acid ",
    b" zero ",
    b" acad ",
    b" ZERO ",
    b" duckling enlarge ",
    b"\n",
    b"\t",
    b"  ",
    b",",
    b"1 ",
    b"\0",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\xc3\xa4",
    b"\xff",
];

/// Panics if what is read isn't written back as the same share, if a share with one other word is read
/// as one too, or if a refusal repeats what was typed.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Share::read(&text) {
        Ok(share) => {
            let written = share.words().text();
            let again = Share::read(&written).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(*again.words().text(), *written);
            assert!((20..=59).contains(&share.words().count()) && (128..=512).contains(&share.bits()));
            // Which word and by what comes from the input, so that a failure comes back.
            let sum =
                bytes.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
            let mut words: Vec<&str> = share.words().iter().collect();
            let at = sum % words.len();
            let own = words[at];
            words[at] = ["academic", "acid", "zero", "yoga"].into_iter().find(|word| *word != own).unwrap();
            assert!(Share::read(&words.join(" ")).is_err(), "word {} for another of {text:?}", at + 1);
        }
        Err(refusal) => {
            let said = refusal.to_string();
            let known = ["SHARE-WORD", "SHARE-LENGTH", "SHARE-SWAPPED", "SHARE-CHECKSUM", "SHARE-FORM"];
            assert!(known.contains(&refusal.rule().name), "{said}");
            assert!(!said.chars().any(char::is_control), "{said:?}");
            let of_the_list = |word: &&str| Words::none().add(word).is_ok();
            let typed: Vec<&str> = text.split_whitespace().take(80).filter(of_the_list).collect();
            for pair in typed.windows(2) {
                assert!(!said.contains(&pair.join(" ")), "{said:?}");
            }
        }
    }
}
