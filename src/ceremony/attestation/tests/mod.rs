//! Attestation: every rule by a chain that breaks it alone, the real certificates of a public
//! ceremony, and bytes that are no certificates.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod forge;

use super::certificate::Certificate;
use super::*;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::digest::Digest;
use crate::tuf::test_keys::TestKey;
use forge::{BASIC_CONSTRAINTS, Blank, Device, KEY_USAGE};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Names of the rules that a verdict rests on.
fn broken(verdict: &Verdict) -> Vec<&'static str> {
    match verdict {
        Verdict::Failed { because, .. } => because.iter().map(|refusal| refusal.rule().name).collect(),
        Verdict::Proven(_) => Vec::new(),
        Verdict::Unproven(why) => vec![why.words()],
    }
}

fn piv(number: u32) -> String {
    format!("1.3.6.1.4.1.41482.3.{number}")
}

fn hsm(number: u32) -> String {
    format!("1.3.6.1.4.1.41482.4.{number}")
}

type Break = fn(&mut Device);

/// What each change of a device that is right in everything breaks.
const YUBIKEYS: &[(&str, Break, &str)] = &[
    ("nothing", |_| {}, ""),
    ("certificates of the vendor's own, which the device lacks", |d| d.at = None, ""),
    ("PIN once, touch cached", |d| d.blanks[0].set(&piv(8), vec![2, 3]), ""),
    ("fingerprint", |d| d.blanks[0].set(&piv(8), vec![5, 2]), ""),
    ("no form", |d| d.blanks[0].set(&piv(9), vec![]), ""),
    ("a FIPS one", |d| d.blanks[0].set(&piv(10), vec![0]), ""),
    ("a retired slot", |d| d.blanks[0].subject = "YubiKey PIV Attestation 95".to_owned(), ""),
    ("an authority whose usage says so", |d| d.blanks[1].set(KEY_USAGE, vec![3, 2, 2, 4]), ""),
    ("another root", |d| d.signers[2] = TestKey::p256(9), "ATTESTATION-CHAIN"),
    ("another device", |d| d.signers[0] = TestKey::p256(9), "ATTESTATION-CHAIN"),
    ("an issuer of another name", |d| d.blanks[0].issuer = "Someone".to_owned(), "ATTESTATION-CHAIN"),
    ("an issuer is missing", |d| d.given = 2, "ATTESTATION-CHAIN"),
    ("the key's certificate alone", |d| d.given = 1, "ATTESTATION-CHAIN"),
    ("an issuer that may not", |d| d.blanks[1].set(BASIC_CONSTRAINTS, vec![]), "ATTESTATION-CHAIN"),
    (
        "an issuer that says it may not",
        |d| d.blanks[1].set(BASIC_CONSTRAINTS, vec![0x30, 0]),
        "ATTESTATION-CHAIN",
    ),
    ("an issuer for other uses", |d| d.blanks[1].set(KEY_USAGE, vec![3, 2, 7, 0x80]), "ATTESTATION-CHAIN"),
    ("an issuer with no room", |d| d.blanks[2] = d.blanks[2].clone().authority(0), "ATTESTATION-CHAIN"),
    (
        "the vendor's certificate for FIDO",
        |d| {
            d.blanks[1].issuer = "Yubico FIDO Attestation SIMULATED".to_owned();
            d.blanks[2].subject = "Yubico FIDO Attestation SIMULATED".to_owned();
        },
        "ATTESTATION-CHAIN",
    ),
    ("a root of another product", |d| d.product = Product::YubiHsm, "ATTESTATION-CHAIN"),
    ("ended before the key came in", |d| d.blanks[1].until = "2026-11-22T12:59:59Z", "ATTESTATION-VALIDITY"),
    ("began after the key came in", |d| d.blanks[0].from = "2026-11-22T13:00:01Z", "ATTESTATION-VALIDITY"),
    (
        "never valid, whenever that was",
        |d| {
            d.at = None;
            d.blanks[2].until = "2024-11-30T00:00:00Z";
        },
        "ATTESTATION-VALIDITY",
    ),
    (
        "ended since, and nobody knows when the key came in",
        |d| {
            d.at = None;
            d.blanks[0].until = "2025-01-01T00:00:00Z";
        },
        "",
    ),
    ("another key", |d| d.public = TestKey::p256(7).public(), "ATTESTATION-KEY"),
    ("another kind of key", |d| d.public = TestKey::ed25519(7).public(), "ATTESTATION-KEY"),
    ("no slot", |d| d.blanks[0].subject = "YubiKey PIV Attestation".to_owned(), "ATTESTATION-ORIGIN"),
    ("slot f9", |d| d.blanks[0].subject = "YubiKey PIV Attestation f9".to_owned(), "ATTESTATION-ORIGIN"),
    ("slot +c", |d| d.blanks[0].subject = "YubiKey PIV Attestation +c".to_owned(), "ATTESTATION-ORIGIN"),
    ("another token", |d| d.serial = "30000001".to_owned(), "ATTESTATION-SERIAL"),
    ("a token without a serial number", |d| d.serial.clear(), "ATTESTATION-SERIAL"),
    ("firmware 5.6.9", |d| d.blanks[0].set(&piv(3), vec![5, 6, 9]), "ATTESTATION-FIRMWARE"),
    ("firmware 5.7.0", |d| d.blanks[0].set(&piv(3), vec![5, 7, 0]), ""),
    ("firmware 4.9.9", |d| d.blanks[0].set(&piv(3), vec![4, 9, 9]), "ATTESTATION-FIRMWARE"),
    (
        "a Bio of firmware 5.7.1",
        |d| {
            d.blanks[0].set(&piv(3), vec![5, 7, 1]);
            d.blanks[0].set(&piv(9), vec![0x47]);
        },
        "ATTESTATION-FIRMWARE",
    ),
    ("PIN never", |d| d.blanks[0].set(&piv(8), vec![1, 2]), "ATTESTATION-PIN"),
    ("touch never", |d| d.blanks[0].set(&piv(8), vec![3, 1]), "ATTESTATION-TOUCH"),
    ("no serial number", |d| d.blanks[0].set(&piv(7), vec![]), "ATTESTATION-FORM"),
    ("a negative serial number", |d| d.blanks[0].set(&piv(7), vec![2, 1, 0x80]), "ATTESTATION-FORM"),
    (
        "a long serial number",
        |d| d.blanks[0].set(&piv(7), [&[2, 9][..], &[1; 9]].concat()),
        "ATTESTATION-FORM",
    ),
    ("a serial number of bare bytes", |d| d.blanks[0].set(&piv(7), vec![1, 2, 3]), "ATTESTATION-FORM"),
    ("no policies", |d| d.blanks[0].set(&piv(8), vec![]), "ATTESTATION-FORM"),
    ("three policies", |d| d.blanks[0].set(&piv(8), vec![3, 2, 1]), "ATTESTATION-FORM"),
    ("a PIN policy that nobody knows", |d| d.blanks[0].set(&piv(8), vec![0, 2]), "ATTESTATION-FORM"),
    ("a touch policy that nobody knows", |d| d.blanks[0].set(&piv(8), vec![3, 4]), "ATTESTATION-FORM"),
    ("firmware in DER", |d| d.blanks[0].set(&piv(3), vec![4, 3, 5, 7, 4]), "ATTESTATION-FORM"),
    ("a YubiHSM's word as well", |d| d.blanks[0].set(&hsm(2), vec![2, 1, 1]), "ATTESTATION-FORM"),
    ("no vendor's word", |d| d.blanks[0].extensions.clear(), "ATTESTATION-FORM"),
    ("version 1", |d| d.blanks[1].version = 0, "ATTESTATION-FORM"),
    ("two algorithms", |d| d.blanks[1].two_algorithms = true, "ATTESTATION-FORM"),
    ("a critical extension", |d| d.blanks[1].set("2.5.29.32", vec![0x30, 0]), "ATTESTATION-FORM"),
    (
        "an extension twice",
        |d| {
            let again = d.blanks[0].extensions[0].clone();
            d.blanks[0].extensions.push(again);
        },
        "ATTESTATION-FORM",
    ),
];

/// The same for the other product: only what is its own.
const YUBIHSMS: &[(&str, Break, &str)] = &[
    ("nothing", |_| {}, ""),
    ("no label", |d| d.blanks[0].set(&hsm(9), vec![12, 0]), ""),
    ("EdDSA", |d| d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0]), ""),
    ("the device's authority is an issuer", |d| d.blanks[1] = d.blanks[1].clone().authority(0), ""),
    (
        "another device's certificate",
        |d| {
            d.blanks[1].subject = "YubiHSM Attestation (7550010)".to_owned();
            d.blanks[0].issuer = "YubiHSM Attestation (7550010)".to_owned();
        },
        "ATTESTATION-CHAIN",
    ),
    (
        "attested by another key of the device, which was imported",
        |d| {
            let mut other = d.blanks[0].clone();
            other.public = TestKey::p256(15).public();
            other.set(&hsm(3), vec![3, 2, 0, 2]);
            d.blanks[0].issuer = "YubiHSM Attestation id:0x0102".to_owned();
            d.blanks[0].subject = "YubiHSM Attestation id:0x0103".to_owned();
            d.blanks.insert(1, other);
            d.signers.insert(0, TestKey::p256(15));
            d.given = 4;
        },
        "ATTESTATION-CHAIN",
    ),
    (
        "the vendor's authority itself",
        |d| {
            d.blanks[0].issuer = d.blanks[2].subject.clone();
            d.signers[0] = TestKey::rsa();
        },
        "ATTESTATION-CHAIN",
    ),
    ("imported", |d| d.blanks[0].set(&hsm(3), vec![3, 2, 0, 2]), "ATTESTATION-ORIGIN"),
    (
        "generated, and back from a backup",
        |d| d.blanks[0].set(&hsm(3), vec![3, 2, 0, 0x11]),
        "ATTESTATION-ORIGIN",
    ),
    ("no origin", |d| d.blanks[0].set(&hsm(3), vec![3, 2, 0, 0]), "ATTESTATION-ORIGIN"),
    (
        "exportable",
        |d| d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 1, 0, 0x80]),
        "ATTESTATION-EXPORT",
    ),
    (
        "exportable under the wrap key in the record",
        |d| {
            d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 1, 0, 0x80]);
            d.exportable_under = Some("wrap-1".to_owned());
        },
        "",
    ),
    (
        "can decrypt",
        |d| d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0x80]),
        "ATTESTATION-USE",
    ),
    (
        "can attest others",
        |d| d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 4, 0, 0, 0, 0x80]),
        "ATTESTATION-USE",
    ),
    (
        "can do nothing",
        |d| d.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "ATTESTATION-USE",
    ),
    ("firmware 2.3.9", |d| d.blanks[0].set(&hsm(1), vec![4, 3, 2, 3, 9]), "ATTESTATION-FIRMWARE"),
    ("firmware 2.4.0", |d| d.blanks[0].set(&hsm(1), vec![4, 3, 2, 4, 0]), ""),
    ("another token", |d| d.serial = "7550010".to_owned(), "ATTESTATION-SERIAL"),
    ("firmware of bare bytes", |d| d.blanks[0].set(&hsm(1), vec![2, 4, 1]), "ATTESTATION-FORM"),
    ("firmware of two bytes", |d| d.blanks[0].set(&hsm(1), vec![4, 2, 2, 4]), "ATTESTATION-FORM"),
    ("odd bits", |d| d.blanks[0].set(&hsm(4), vec![3, 3, 1, 0, 2]), "ATTESTATION-FORM"),
    (
        "capabilities of 7 bytes",
        |d| d.blanks[0].set(&hsm(5), vec![3, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        "ATTESTATION-FORM",
    ),
    ("a large object id", |d| d.blanks[0].set(&hsm(6), vec![2, 3, 1, 0, 0]), "ATTESTATION-FORM"),
    ("a label that is no text", |d| d.blanks[0].set(&hsm(9), vec![12, 1, 0xff]), "ATTESTATION-FORM"),
    ("no capabilities", |d| d.blanks[0].set(&hsm(5), vec![]), "ATTESTATION-FORM"),
];

#[test]
fn each_rule_is_broken_alone() {
    for (made, table) in [(Device::yubikey as fn() -> Device, YUBIKEYS), (Device::yubihsm, YUBIHSMS)] {
        for (what, change, rule) in table {
            let mut device = made();
            change(&mut device);
            let verdict = device.judged();
            let expected: Vec<&str> = Some(*rule).into_iter().filter(|rule| !rule.is_empty()).collect();
            assert_eq!(broken(&verdict), expected, "{what}: {verdict:?}");
            assert_eq!(verdict.is_proven(), expected.is_empty(), "{what}");
        }
    }
}

#[test]
fn a_simulated_root_is_no_vendor_s() {
    for device in [Device::yubikey(), Device::yubihsm()] {
        // With its root among the certificates, which no device is believed about.
        for given in [3, 4] {
            let device = Device { given, blanks: device.blanks.clone(), ..fresh(device.product) };
            let certificates = device.certificates();
            let key = Key {
                public: &device.public,
                token: "pkcs11",
                serial: &device.serial,
                certificates: certificates.iter().map(Vec::as_slice).collect(),
                exportable_under: None,
                at: device.at,
            };
            assert_eq!(broken(&key.judge(&Anchors::pinned())), ["ATTESTATION-CHAIN"]);
        }
    }
}

fn fresh(product: Product) -> Device {
    match product {
        Product::YubiKey => Device::yubikey(),
        Product::YubiHsm => Device::yubihsm(),
    }
}

#[test]
fn several_rules_are_all_named() {
    let mut device = Device::yubikey();
    device.blanks[0].set(&piv(3), vec![5, 4, 3]);
    device.blanks[0].set(&piv(8), vec![1, 1]);
    device.serial.clear();
    let expected = ["ATTESTATION-SERIAL", "ATTESTATION-FIRMWARE", "ATTESTATION-PIN", "ATTESTATION-TOUCH"];
    assert_eq!(broken(&device.judged()), expected);
}

#[test]
fn without_certificates_nothing_is_proven() {
    let device = Device::yubikey();
    for (token, words) in [
        ("pkcs11", "attributes claimed, not proven"),
        ("piv", "attributes claimed, not proven"),
        ("file", "kept in a file, not in hardware"),
        ("external", "kept elsewhere, nothing proven"),
        ("backend", "kept elsewhere, nothing proven"),
    ] {
        let key = Key {
            public: &device.public,
            token,
            serial: "1",
            certificates: Vec::new(),
            exportable_under: None,
            at: None,
        };
        assert_eq!(key.judge(&Anchors::pinned()).words(), words, "{token}");
    }
}

/// Keys, their holders, and which of them are then broken.
#[test]
fn a_device_has_one_holder() {
    let verdict = |serial: u8| {
        let mut device = Device::yubikey();
        device.blanks[0].set(&piv(7), vec![2, 1, serial]);
        device.serial = serial.to_string();
        device.judged()
    };
    for (what, keys, fails) in [
        ("each their own", vec![("a", "alice", 1), ("b", "bob", 2)], vec![]),
        ("one holder's two keys", vec![("a", "alice", 1), ("b", "alice", 1)], vec![]),
        ("one device of two", vec![("a", "alice", 1), ("b", "bob", 1), ("c", "carol", 2)], vec!["a", "b"]),
    ] {
        let mut verdicts: BTreeMap<KeyName, (Person, Verdict)> = keys
            .into_iter()
            .map(|(key, holder, serial)| (key.parse().unwrap(), (holder.parse().unwrap(), verdict(serial))))
            .collect();
        one_holder_each(&mut verdicts);
        let broken: Vec<_> = verdicts
            .iter()
            .filter(|(_, (_, verdict))| broken(verdict) == ["ATTESTATION-HOLDER"])
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(broken, fails, "{what}");
        assert_eq!(verdicts.values().filter(|(_, v)| v.is_proven()).count(), verdicts.len() - fails.len());
    }
}

/// SHA-256 of every pinned certificate.
#[test]
fn the_pinned_certificates_are_the_vendor_s() {
    let sums = |text: &str| -> Vec<String> {
        let blocks = pem::parse_many(text).unwrap();
        blocks.iter().map(|block| Digest::of(block.contents()).hex()[..16].to_owned()).collect()
    };
    let roots = |name: &str| match name {
        "piv" => include_str!("../roots/yubico-piv-root-263751.pem"),
        "root 1" => include_str!("../roots/yubico-attestation-root-1.pem"),
        "yubihsm" => include_str!("../roots/yubico-yubihsm-root.pem"),
        _ => include_str!("../roots/yubico-intermediates.pem"),
    };
    assert_eq!(sums(roots("piv")), ["63ece914e54dd879"]);
    assert_eq!(sums(roots("root 1")), ["62760c6a6ef91679"]);
    assert_eq!(sums(roots("yubihsm")), ["094a3ac493c2bdcd"]);
    let between = [
        "4698a1d3389c3ec6",
        "d4cc3f456fdaf4e7",
        "6de693f05376f5d8",
        "2d55b7998f4e4256",
        "0c90b7d184a36edf",
        "d7c6d8f45208e2a5",
    ];
    assert_eq!(sums(roots("between")), between);
    let anchors = Anchors::pinned();
    assert_eq!((anchors.roots.len(), anchors.between.len()), (3, 6), "every one is read");
    for certificate in &anchors.between {
        let mut above = anchors.roots.iter().map(|root| &root.certificate).chain(&anchors.between);
        assert!(above.any(|issuer| certificate.is_issued_by(issuer)), "{}", certificate.name());
        assert!(certificate.is_ca, "{}", certificate.name());
    }
}

const REAL: [(&str, &str, &str, &str); 2] = [
    (
        "13078778",
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_key_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_device_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_pubkey.pem"),
    ),
    (
        "14454335",
        include_str!("../../../../tests/fixtures/piv-attestations/14454335/14454335_key_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/14454335/14454335_device_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/14454335/14454335_pubkey.pem"),
    ),
];

fn der(text: &str) -> Vec<u8> {
    pem::parse(text).unwrap().into_contents()
}

fn real(index: usize) -> (Vec<Vec<u8>>, PublicKey, &'static str) {
    let (serial, own, device, public) = REAL[index];
    (vec![der(own), der(device)], PublicKey::from_spki_der(&der(public)).unwrap(), serial)
}

fn judge(certificates: &[Vec<u8>], public: &PublicKey, serial: &str) -> Verdict {
    let key = Key {
        public,
        token: "piv",
        serial,
        certificates: certificates.iter().map(Vec::as_slice).collect(),
        exportable_under: None,
        at: Some("2021-06-18T00:00:00Z".parse().unwrap()),
    };
    key.judge(&Anchors::pinned())
}

/// Two YubiKeys of a public root ceremony: they lead to the vendor's root, say everything that they
/// should, and are too old.
#[test]
fn real_yubikeys_lead_to_the_root_and_are_below_the_floor() {
    for index in [0, 1] {
        let (certificates, public, serial) = real(index);
        let verdict = judge(&certificates, &public, serial);
        assert_eq!(broken(&verdict), ["ATTESTATION-FIRMWARE"], "{verdict:?}");
        let Verdict::Failed { attested: Some(attested), .. } = verdict else { panic!("not attested") };
        assert_eq!(attested.serial.to_string(), serial);
        assert_eq!(attested.kept(), "slot 9c, PIN always, touch always");
    }
}

/// A YubiHSM 2 of 2.2.0 in production, made public by its owner: the RSA key of a payment service.
fn real_yubihsm() -> (Vec<Vec<u8>>, PublicKey) {
    let own = include_str!("../../../../tests/fixtures/yubihsm-attestation/20783176/20783176_key_cert.pem");
    let device =
        include_str!("../../../../tests/fixtures/yubihsm-attestation/20783176/20783176_device_cert.pem");
    let public = include_str!("../../../../tests/fixtures/yubihsm-attestation/20783176/20783176_pubkey.pem");
    (vec![der(own), der(device)], PublicKey::from_spki_der(&der(public)).unwrap())
}

/// It leads to the vendor's root, by the intermediate certificate that no device holds, is the device
/// and the key that it says, and is too old; and its key decrypts as well.
#[test]
fn a_real_yubihsm_leads_to_the_root_and_is_below_the_floor() {
    let (certificates, public) = real_yubihsm();
    for (serial, also) in [("20783176", None), ("0020783176", None), ("20783177", Some("ATTESTATION-SERIAL"))]
    {
        let verdict = judge(&certificates, &public, serial);
        let mut expected = vec!["ATTESTATION-USE", "ATTESTATION-FIRMWARE"];
        expected.splice(1..1, also);
        assert_eq!(broken(&verdict), expected, "{serial}: {verdict:?}");
        let Verdict::Failed { attested: Some(attested), .. } = verdict else { panic!("not attested") };
        assert_eq!(attested.device(), "YubiHSM 2 20783176, firmware 2.2.0");
        let kept = "object 0x0024 \"Swish Sign RSA4096\", domains 3, 4, capabilities 0x0000000400000660";
        assert_eq!(attested.kept(), kept);
    }
    // Its own certificate alone, another's beside the key's, another key.
    assert_eq!(broken(&judge(&certificates[1..], &public, "20783176")), ["ATTESTATION-FORM"]);
    let (yubikey, other, _) = real(0);
    let swapped = [certificates[0].clone(), yubikey[1].clone()];
    assert_eq!(broken(&judge(&swapped, &public, "20783176")), ["ATTESTATION-CHAIN"]);
    let of_another = broken(&judge(&certificates, &other, "20783176"));
    assert_eq!(of_another, ["ATTESTATION-KEY", "ATTESTATION-USE", "ATTESTATION-FIRMWARE"]);
}

#[test]
fn real_certificates_in_the_wrong_place() {
    let (first, public, serial) = real(0);
    let (second, _, _) = real(1);
    let swapped = [first[0].clone(), second[1].clone()];
    assert_eq!(broken(&judge(&swapped, &public, serial)), ["ATTESTATION-CHAIN"]);
    // A device's own certificate says nothing of a key.
    assert_eq!(broken(&judge(&first[1..], &public, serial)), ["ATTESTATION-FORM"]);
    let of_another = judge(&second, &public, serial);
    assert_eq!(broken(&of_another), ["ATTESTATION-KEY", "ATTESTATION-SERIAL", "ATTESTATION-FIRMWARE"]);
}

/// How verdicts read; where this differs, read the difference before the file is changed.
#[test]
fn verdicts_in_words() {
    let mut exportable = Device::yubihsm();
    exportable.blanks[0].set(&hsm(5), vec![3, 9, 0, 0, 0, 0, 0, 0, 1, 0, 0x80]);
    exportable.blanks[0].set(&hsm(9), b"\x0c\x05a\x1b[2J".to_vec());
    exportable.serial.clear();
    let mut restored = Device::yubihsm();
    restored.blanks[0].set(&hsm(3), vec![3, 2, 0, 0x11]);
    let mut foreign = Device::yubikey();
    foreign.blanks[0].issuer = "Mallory \u{202e}CA".to_owned();
    foreign.blanks[0].subject = "YubiKey PIV \u{1b}[2J".to_owned();
    let mut ended = Device::yubikey();
    ended.blanks[1].until = "2026-01-01T00:00:00Z";
    let (certificates, public, serial) = real(0);
    let mut shared = BTreeMap::from([
        ("root-a".parse().unwrap(), ("alice".parse().unwrap(), Device::yubikey().judged())),
        ("root-b".parse().unwrap(), ("bob".parse().unwrap(), Device::yubikey().judged())),
    ]);
    one_holder_each(&mut shared);
    let mut text = String::new();
    for (what, verdict) in [
        ("a YubiKey that is right", Device::yubikey().judged()),
        ("a YubiHSM that is right", Device::yubihsm().judged()),
        ("a token without attestation", Verdict::Unproven(Unproven::Claimed)),
        ("a file", Verdict::Unproven(Unproven::File)),
        ("elsewhere", Verdict::Unproven(Unproven::Elsewhere)),
        ("a real YubiKey of 2021", judge(&certificates, &public, serial)),
        ("a key that can be exported, of an unknown token", exportable.judged()),
        ("a key that came back from a backup", restored.judged()),
        ("issued by someone", foreign.judged()),
        ("a certificate that had ended", ended.judged()),
        ("a device of two people", shared.into_values().next().unwrap().1),
        ("no certificate", Device::yubikey().judged_of(&[b"0".to_vec()])),
    ] {
        writeln!(text, "{what}\n  {}", verdict.words()).unwrap();
        for line in verdict.lines().iter().filter(|line| **line != verdict.words()) {
            writeln!(text, "    {line}").unwrap();
        }
    }
    assert_eq!(text, include_str!("verdicts.txt"), "\n{text}");
}

/// Whatever the bytes, a verdict comes back, and never a better one than before.
#[test]
fn no_bytes_panic_or_prove() {
    let mut seed = 0x6b65_7972_6974_6501_u64;
    let mut draw = |end: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % end.max(1) as u64).unwrap()
    };
    let devices = [Device::yubikey(), Device::yubihsm()];
    let signed = devices.each_ref().map(Device::certificates);
    let anchors = devices.each_ref().map(Device::anchors);
    for round in 0..6_000 {
        let at = round % 2;
        let (device, mut certificates) = (&devices[at], signed[at].clone());
        let which = draw(3);
        let bytes = &mut certificates[which];
        for _ in 0..=draw(2) {
            let (start, length) = (draw(bytes.len()), draw(12));
            let end = (start + length).min(bytes.len());
            match draw(5) {
                0 => bytes[start] ^= 1 << draw(8),
                1 => drop(bytes.drain(start..end)),
                2 => bytes.truncate(start.max(1)),
                3 => {
                    let piece = bytes[start..end].to_vec();
                    bytes.splice(start..start, piece);
                }
                _ => bytes[start] = [0, 0x7f, 0x80, 0x82, 0x84, 0xff][draw(6)],
            }
            if bytes.is_empty() {
                break;
            }
        }
        let key = Key {
            public: &device.public,
            token: "piv",
            serial: &device.serial,
            certificates: certificates.iter().map(Vec::as_slice).collect(),
            exportable_under: None,
            at: device.at,
        };
        let verdict = key.judge(&anchors[at]);
        let same = certificates == signed[at];
        assert!(same || !verdict.is_proven(), "round {round}: {verdict:?}");
        assert!(verdict.lines().iter().all(|line| !line.contains(char::is_control)), "round {round}");
    }
}

#[test]
fn a_blank_that_is_signed_reads_back() {
    let blank = Blank::new("SIMULATED", "SIMULATED", &TestKey::p256(3)).authority(2);
    let read = Certificate::from_der(&blank.signed(&TestKey::p256(3))).unwrap();
    assert!(read.is_ca && read.is_issued_by(&read) && read.path_length == Some(2));
}
