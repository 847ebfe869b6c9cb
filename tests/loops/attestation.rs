//! Attestation certificates, by which a key counts as proven: the device's words come from anyone.
//!
//! An input is certificates in DER, one behind the other, the key's own first.

use keyrite::ceremony::attestation::{Anchors, Key, Verdict};
use keyrite::tuf::key::PublicKey;
use std::sync::LazyLock;

/// The vendor's extensions, times, and what decides who may issue.
pub const WORDS: &[&[u8]] = &[
    &[0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3, 3],
    &[0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3, 7],
    &[0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3, 8],
    &[0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 4, 1],
    &[0x06, 3, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff],
    &[0x30, 0x03, 0x01, 0x01, 0xff],
    &[0x30, 0x80],
    &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    &[0x02, 0x01, 0x00],
    &[0x05, 0x00],
    b"99991231235959Z",
    b"YubiKey PIV Attestation 9c",
];

/// Of two real devices, which the vendor's root vouches for.
const REAL: [&[u8]; 2] = [
    include_bytes!("seeds/attestation/yubikey-13078778.der"),
    include_bytes!("seeds/attestation/yubikey-14454335.der"),
];

static ANCHORS: LazyLock<Anchors> = LazyLock::new(Anchors::pinned);
static PUBLIC: LazyLock<PublicKey> = LazyLock::new(|| {
    let generator = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f2\
                     77037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    PublicKey::from_spki_der(&base16ct::lower::decode_vec(generator).expect("hex")).expect("P-256")
});

/// Panics if a certificate that the vendor never signed counts for anything, or words are broken.
pub fn check(bytes: &[u8]) {
    let certificates = split(bytes);
    let leaf = certificates.first().copied().unwrap_or_default();
    for (token, serial) in [("piv", "13078778"), ("yubihsm", "")] {
        let certificates = certificates.clone();
        let key = Key { public: &PUBLIC, token, serial, certificates, exportable_under: None, at: None };
        let verdict = key.judge(&ANCHORS);
        let lines = verdict.lines().join("\n");
        assert!(!lines.chars().any(|c| c.is_control() && c != '\n'), "{lines:?}");
        match &verdict {
            // The key is the curve's generator, whose secret is 1: no device attests it.
            Verdict::Proven(_) => panic!("proven: {lines}"),
            Verdict::Failed { attested: Some(_), .. } => {
                assert!(REAL.iter().any(|real| real.starts_with(leaf)), "{lines}");
            }
            Verdict::Failed { because, .. } => assert!(!because.is_empty()),
            Verdict::Unproven(_) => assert!(certificates_are_none(&key)),
        }
        assert_eq!(key.judge(&ANCHORS), verdict);
    }
}

fn certificates_are_none(key: &Key<'_>) -> bool {
    key.certificates.is_empty()
}

/// By the outermost lengths, as far as they make sense; what is left is one more.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let length = match bytes {
            [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
            [_, 0x81, n, ..] => 3 + usize::from(*n),
            [_, n @ 0..=0x7f, ..] => 2 + usize::from(*n),
            _ => bytes.len(),
        };
        let (part, rest) = bytes.split_at(length.min(bytes.len()));
        parts.push(part);
        bytes = rest;
    }
    parts
}
