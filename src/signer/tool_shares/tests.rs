//! What can't be asked for from outside: shares of other lengths than a wrap key's, as published, and
//! every place at which two shares can part.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use super::form::Digits;
use crate::signer::gf256::{Field, Point};
use base64ct::{Base64Unpadded, Encoding};

/// From `tests/test_vectors.rs` of `rusty_secrets` 0.0.2, the crate that yubihsm-setup splits with.
#[test]
fn published_shares_of_the_crate_behind_yubihsm_setup_give_their_secrets() {
    let sets: [(&[&str], &[u8]); 2] = [
        (&["2-1-1YAYwmOHqZ69jA", "2-4-F7rAjX3UOa53KA"], b"My secret\n"),
        (
            &[
                "5-1-DbuicpLQiCf7bVWiAz8eCpQGpdZmYQ7z2j2+g351tWFLOQPTZkXY8BYfwGGGjkOoz1g9x0ScmLFcWk+2tign",
                "5-2-nShdfkY5+SlfybMyqjHXCZ01bq5N/0Lkf0nQZw5x3bnHIEVfa0RA4YcJ4SjG/UdpgO/gOcyLRkSp2Dwf8bvw",
                "5-3-qEhJ3IVEdbDkiRoy+jOJ/KuGE9jWyGeOYEcDwPfEV8E9rfD1Bc17BQAbJ51Xd8oexS2M1qMvNgJHZUQZbUgQ",
                "5-6-yyVPUeaYPPiWK0wIV5OQ/t61V0lSEO+7X++EWeHRlIq3sRBNwUpKNfx/C+Vc9xTzUftrqBKvkWDZQal7nyi2",
                "5-7-i8iL6bVf272B3qIjp0QqSny6AIm+DkP7oQjkVVLvx9EMhlvd4HJOxPpmtNF/RjA/zz21d7DY/B//saOPpBQa",
            ],
            b"The immoral cannot be made moral through the use of secret law.",
        ),
    ];
    for (shares, secret) in sets {
        let read: Vec<(u8, Vec<u8>)> = shares
            .iter()
            .map(|share| {
                let parts: Vec<&str> = share.split('-').collect();
                (parts[1].parse().unwrap(), Base64Unpadded::decode_vec(parts[2]).unwrap())
            })
            .collect();
        let points: Vec<_> = read.iter().map(|(x, y)| Point { x: *x, y }).collect();
        assert_eq!(&Field::CODES.interpolate(&points, 0)[..], secret);
        assert_ne!(&Field::AES.interpolate(&points, 0)[..], secret, "the fields differ");
    }
}

#[test]
fn a_byte_is_found_in_its_characters() {
    let last = |digits: Digits, byte| digits.of_byte(byte).collect::<Vec<_>>();
    assert_eq!(last(Digits::Hex, 0), [1, 2]);
    assert_eq!(last(Digits::Hex, 51), [103, 104]);
    assert_eq!(last(Digits::Base64, 0), [1, 2]);
    assert_eq!(last(Digits::Base64, 1), [2, 3]);
    assert_eq!(last(Digits::Base64, 2), [3, 4]);
    assert_eq!(last(Digits::Base64, 3), [5, 6]);
    assert_eq!(last(Digits::Base64, 51), [69, 70]);
}
