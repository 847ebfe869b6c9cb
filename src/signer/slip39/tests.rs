//! Every single and double word error by counting, chance by statistics, and what can't be asked for
//! from outside.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking"
)]

use super::*;
use crate::signer::gf256::Field;
use crate::signer::randomness::Randomness;
use crate::tuf::digest::Digest;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeSet;

/// Random bytes that are the same for one seed.
fn seeded(seed: u64) -> Randomness {
    let drawn = Cell::new(0u64);
    Randomness::given(move |bytes| {
        for chunk in bytes.chunks_mut(32) {
            drawn.set(drawn.get() + 1);
            let block = Digest::of(format!("{seed} {}", drawn.get()).as_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    })
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(Zeroizing::new(bytes.to_vec())).ok().unwrap()
}

fn dealt(needed: u8, of: u8, seed: u64) -> (Secret, Vec<Share>) {
    let secret = secret(&seeded(seed).many(32).unwrap());
    let shares = split(&secret, Scheme::new(needed, of).unwrap(), &seeded(seed + 1)).unwrap();
    (secret, shares)
}

fn all(shares: &[Share]) -> Vec<&Share> {
    shares.iter().collect()
}

fn name<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |refusal| refusal.rule().name)
}

/// Each word of each share of a 3-of-5 set becomes each of the 1023 others: refused, and by the
/// place that was changed.
#[test]
fn every_single_word_error_is_noticed_where_it_is() {
    let (_, shares) = dealt(3, 5, 1);
    let mut tried = 0;
    for share in &shares {
        let right = share.words().places().to_vec();
        assert_eq!(right.len(), 33);
        for place in 0..right.len() {
            for change in 1..1024 {
                let mut typed = right.clone();
                typed[place] ^= change;
                let refused = Share::of_words(&Words::of(&typed)).err().unwrap();
                let which = if place < 4 { String::new() } else { format!("{share}: ") };
                let found = format!("{which}a checksum that is wrong as if word {} alone were", place + 1);
                // A word may have been swapped in from elsewhere only if both are wrong.
                assert_eq!((refused.rule().name, refused.found()), ("SHARE-CHECKSUM", found.as_str()));
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 5 * 33 * 1023);
}

/// What one wrong word leaves over differs for every place and every change, at every length: so no
/// two of them cancel out, and every error in two words is noticed, whatever the share. The second
/// word also chooses between two checksums, which is counted in.
#[test]
fn every_double_word_error_is_noticed_at_every_length() {
    for count in FEWEST..=MOST {
        for extendable in [false, true] {
            let mut base = vec![0u16; count];
            base[1] = u16::from(extendable) << 4;
            let off = |words: &[u16]| {
                let name: &[u8] = if words[1] & 16 == 16 { b"shamir_extendable" } else { b"shamir" };
                checksum::off(name, words)
            };
            let right = off(&base);
            let mut left_over = BTreeSet::from([0]);
            // The remainder is linear: the ten bits of a word give all of its changes.
            for place in 0..count {
                let bits: Vec<u32> = (0..10)
                    .map(|bit| {
                        let mut changed = base.clone();
                        changed[place] ^= 1 << bit;
                        off(&changed) ^ right
                    })
                    .collect();
                for change in 1..1024u32 {
                    let sum =
                        (0..10).filter(|bit| change >> bit & 1 == 1).fold(0, |sum, bit| sum ^ bits[bit]);
                    assert!(left_over.insert(sum), "{count} words, word {}, change {change}", place + 1);
                }
            }
        }
    }
}

/// Two words of a share at every pair of places, changed to others by a fixed seed, and swapped.
#[test]
fn two_wrong_words_are_told_from_two_that_are_swapped() {
    let (_, shares) = dealt(2, 3, 3);
    let right = shares[1].words().places().to_vec();
    let random = seeded(4);
    for a in 0..right.len() {
        for b in a + 1..right.len() {
            let mut swapped = right.clone();
            swapped.swap(a, b);
            if swapped != right {
                let refused = Share::of_words(&Words::of(&swapped)).err().unwrap();
                let which = if a < 4 { "" } else { "share 2: " };
                let found = format!("{which}words {} and {} in each other's place", a + 1, b + 1);
                assert_eq!((refused.rule().name, refused.found()), ("SHARE-SWAPPED", found.as_str()));
            }
            let drawn = random.bytes::<4>().unwrap();
            let mut typed = right.clone();
            typed[a] = u16::from_be_bytes([drawn[0], drawn[1]]) % 1024;
            typed[b] = u16::from_be_bytes([drawn[2], drawn[3]]) % 1024;
            assert_ne!(typed, right);
            assert_eq!(name(Share::of_words(&Words::of(&typed))), "SHARE-CHECKSUM", "{a} {b}");
        }
    }
}

/// Whether values come evenly: 255 degrees of freedom, and beyond these bounds once in a million
/// draws; the seeds are fixed.
fn even(seen: &[u32; 256], what: &str) {
    let mean = f64::from(seen.iter().sum::<u32>()) / 256.0;
    let chi: f64 = seen.iter().map(|n| (f64::from(*n) - mean).powi(2) / mean).sum();
    assert!((160.0..373.0).contains(&chi), "{what}: {chi}");
    assert!(seen[0] > 0, "{what}");
}

/// A million coefficients of the highest power, of one secret split over and over: 0 comes as often as
/// any other value (threats T27; RUSTSEC-2024-0398 is that it never came). So do the values of every
/// share, whatever the secret: one share alone tells nothing.
#[test]
fn coefficients_and_shares_are_even_over_all_256_values() {
    for (needed, seed) in [(2u8, 5), (3, 6), (5, 7)] {
        let (scheme, random) = (Scheme::new(needed, needed).unwrap(), seeded(seed));
        let secret = [0; 32];
        let (mut tops, mut shares) = ([0u32; 256], vec![[0u32; 256]; usize::from(needed)]);
        // The divided difference over a threshold of points is the top coefficient.
        let places: Vec<u8> = (0..needed - 1).chain([255]).collect();
        let weight = |x: &u8| {
            let others = places.iter().filter(|other| *other != x);
            Field::AES.invert(others.fold(1, |product, other| Field::AES.multiply(product, x ^ other)))
        };
        let weights: Vec<u8> = places.iter().map(weight).collect();
        for _ in 0..334_000 / 28 {
            let values = dealing::points(&secret, scheme, &random).unwrap();
            let own = values.iter().take(places.len() - 1).map(|value| &value[..]);
            let at: Vec<&[u8]> = own.chain([&secret[..]]).collect();
            // The first four bytes of the digest are no random bytes of their own.
            for byte in 4..32 {
                let top =
                    at.iter().zip(&weights).fold(0, |sum, (y, w)| sum ^ Field::AES.multiply(*w, y[byte]));
                tops[usize::from(top)] += 1;
                for (seen, value) in shares.iter_mut().zip(&values) {
                    seen[usize::from(value[byte])] += 1;
                }
            }
        }
        even(&tops, &format!("the top coefficient of {scheme}"));
        for (seen, number) in shares.iter().zip(1..) {
            even(seen, &format!("share {number} of {scheme}"));
        }
    }
}

#[test]
fn a_share_that_disagrees_is_found_before_the_secret_is_used() {
    let (right, shares) = dealt(3, 5, 8);
    assert_eq!(all_agree(&all(&shares), &right).unwrap(), 10);
    assert_eq!(name(all_agree(&all(&shares), &secret(&[7; 32]))), "SHARE-DEALT");
    assert_eq!(name(all_agree(&all(&shares)[..2], &right)), "SHARE-FEW");
    assert_eq!(name(all_agree(&[], &right)), "SHARE-FEW");
    for wrong in 0..5 {
        let altered: Vec<Share> = (0..5)
            .map(|at| {
                let mut value = shares[at].value().to_vec();
                value[9] ^= u8::from(at == wrong);
                Share::new(shares[at].set(), shares[at].member(), Zeroizing::new(value))
            })
            .collect();
        let refused = all_agree(&all(&altered), &right).unwrap_err();
        assert_eq!(refused.rule().name, "SHARE-DEALT");
        // Its words are sound for all that: only the digest tells, and not which one it is.
        assert_eq!(name(Share::of_words(&altered[wrong].words())), "ok");
        let three: Vec<&Share> = (0..5).cycle().skip(wrong).take(3).map(|at| &altered[at]).collect();
        assert_eq!(name(recombine(&three, "")), "SHARE-DIGEST");
    }
}

#[test]
fn what_no_maker_of_shares_writes_is_refused() {
    let (_, shares) = dealt(2, 3, 9);
    let (set, member) = (shares[0].set(), shares[0].member());
    let value = || Zeroizing::new(shares[0].value().to_vec());
    let groups = Set { groups_needed: 2, ..set };
    let words = Share::new(groups, member, value()).words();
    let refused = Share::of_words(&words).err().unwrap();
    assert_eq!((refused.rule().name, refused.found()), ("SHARE-FORM", "2 of 1 groups needed"));
    // The padding of 33 words: four bits above the value's first.
    let mut places = shares[0].words().places()[..30].to_vec();
    places[4] |= 1 << 9;
    let sum = checksum::of(b"shamir_extendable", &places);
    places.extend(sum);
    let refused = Share::of_words(&Words::of(&places)).err().unwrap();
    assert_eq!((refused.rule().name, refused.found()), ("SHARE-FORM", "padding that is not zero"));
}

#[test]
fn schemes_secrets_and_sources_have_their_limits() {
    for (needed, of, fits) in [
        (0, 0, false),
        (1, 1, false),
        (1, 3, false),
        (2, 1, false),
        (2, 2, true),
        (2, 3, true),
        (16, 16, true),
        (2, 17, false),
        (17, 17, false),
    ] {
        let found = name(Scheme::new(needed, of));
        assert_eq!(found, if fits { "ok" } else { "SHARE-SCHEME" }, "{needed} of {of}");
    }
    for length in 0..40 {
        let fits = length % 2 == 0 && (16..=32).contains(&length);
        let found = name(Secret::new(Zeroizing::new(vec![1; length])));
        assert_eq!(found, if fits { "ok" } else { "SHARE-SECRET" }, "{length}");
    }
    let fails = Randomness::given(|_| Err("no source".to_owned()));
    let refused = split(&secret(&[1; 16]), Scheme::new(2, 3).unwrap(), &fails);
    assert_eq!(name(refused), "SHARE-RANDOM");
}

/// Computed with OpenSSL: `openssl mac -digest SHA256 -macopt hexkey:000102…0f HMAC`.
#[test]
fn a_check_value_is_what_other_programs_compute() {
    let bytes: Vec<u8> = (0..16).collect();
    assert_eq!(base16ct::lower::encode_string(&secret(&bytes).check_value()), "5e8e0df6eebae4ed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any secret, any scheme, any choice of enough shares in any order.
    #[test]
    fn enough_shares_bring_any_secret_back(
        half in prop::collection::vec(any::<[u8; 2]>(), 8..=16),
        (needed, of) in (2u8..=16).prop_flat_map(|of| (2..=of, Just(of))),
        seed: u64,
        order in any::<prop::sample::Index>(),
    ) {
        let secret = secret(half.as_flattened());
        let shares = split(&secret, Scheme::new(needed, of).unwrap(), &seeded(seed % 1_000_000)).unwrap();
        prop_assert_eq!(shares.len(), usize::from(of));
        // Through paper and back.
        let mut read: Vec<Share> =
            shares.iter().map(|share| Share::read(&share.words().text()).ok().unwrap()).collect();
        for (a, b) in read.iter().zip(&shares) {
            prop_assert!(a.set() == b.set() && a.member() == b.member() && a.value() == b.value());
            prop_assert_eq!(a.bits(), half.len() * 16);
        }
        read.rotate_left(order.index(shares.len()));
        let chosen: Vec<&Share> = read.iter().take(usize::from(needed)).collect();
        prop_assert!(recombine(&chosen, "").ok().unwrap().is(&secret));
        prop_assert_eq!(name(recombine(&chosen[1..], "")), "SHARE-FEW");
        prop_assert!(!recombine(&chosen, "x").ok().unwrap().is(&secret));
        prop_assert_eq!(name(recombine(&chosen, "\u{e9}")), "SHARE-PASSPHRASE");
    }

    /// What is read is what is written: no text but a share's own words says the same share.
    #[test]
    fn any_words_are_refused_or_are_the_share_that_they_say(places in prop::collection::vec(0u16..1024, 17..57)) {
        let mut places = places;
        let name: &[u8] = if places[1] & 16 == 16 { b"shamir_extendable" } else { b"shamir" };
        let sum = checksum::of(name, &places);
        places.extend(sum);
        // Half of them with padding that passes.
        places[4] &= 3;
        let name: &[u8] = if places[1] & 16 == 16 { b"shamir_extendable" } else { b"shamir" };
        let end = places.len() - 3;
        let sum = checksum::of(name, &places[..end]);
        places[end..].copy_from_slice(&sum);
        if let Ok(share) = Share::of_words(&Words::of(&places)) {
            let written = share.words();
            prop_assert_eq!(written.places(), &places[..]);
        }
    }

    /// Lines of any text: never a panic, never an echo.
    #[test]
    fn any_line_is_words_or_refused(line in "\\PC{0,400}") {
        let mut words = Words::none();
        let _ = words.add(&line);
        prop_assert!(words.count() <= MOST);
    }
}
