//! Attestation certificates, where a module shows them as objects.
//!
//! PKCS#11 has no word for them. ykcs11 shows the certificate that a YubiKey makes of a slot's key,
//! and the one of slot f9 that issues it, under labels of its own (tokens 3); other modules show
//! none. What is gathered is not judged here, and neither what can't be read nor more than a device
//! gives keeps a key from being made: such a key simply has no attestation.

use super::attributes::{self, key_of};
use crate::signer::Attestation;
use crate::tuf::key::PublicKey;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;

/// The label of a slot's attestation, before the slot's number.
const OF_SLOT: &str = "X.509 Certificate for PIV Attestation ";
/// The label of the certificate in slot f9.
const OF_DEVICE: &str = "X.509 Certificate for PIV Attestation";

/// The certificates by which the device attests a key.
pub(super) fn attestation(session: &Session, public: &PublicKey) -> Option<Attestation> {
    let objects = session.find_objects(&[Attribute::Class(ObjectClass::CERTIFICATE)]).ok()?;
    let shown = objects.into_iter().filter_map(|object| {
        let label = attributes::label(session, object)?;
        match attributes::read(session, object, AttributeType::Value)? {
            Attribute::Value(der) => Some((label.trim_end().to_owned(), der)),
            _ => None,
        }
    });
    chosen(&shown.collect::<Vec<_>>(), public)
}

/// Those of a key among labels and certificates. By both label and key: a slot may hold a
/// certificate of another maker for the same key.
fn chosen(shown: &[(String, Vec<u8>)], public: &PublicKey) -> Option<Attestation> {
    let of_key = |(label, der): &&(String, Vec<u8>)| {
        label.starts_with(OF_SLOT) && key_of(der).as_ref() == Some(public)
    };
    let (_, certificate) = shown.iter().find(of_key)?;
    let issuers = shown.iter().filter(|(label, _)| label == OF_DEVICE).map(|(_, der)| der.clone());
    Attestation::new(certificate.clone(), issuers.collect()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const FOLDER: [&str; 5] = [
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_key_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_device_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/13078778/13078778_pubkey.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/14454335/14454335_key_cert.pem"),
        include_str!("../../../../tests/fixtures/piv-attestations/14454335/14454335_pubkey.pem"),
    ];

    #[test]
    fn a_key_s_own_attestation_is_chosen() {
        let [own, device, public, other, others] =
            FOLDER.map(|text| pem::parse(text).unwrap().into_contents());
        let public = PublicKey::from_spki_der(&public).unwrap();
        let others = PublicKey::from_spki_der(&others).unwrap();
        let slot = |slot: &str| format!("{OF_SLOT}{slot}");
        let all = [
            ("X.509 Certificate for Digital Signature".to_owned(), own.clone()),
            (slot("9a"), other.clone()),
            (OF_DEVICE.to_owned(), device.clone()),
            (slot("9c"), own.clone()),
            (slot("9d"), b"no certificate".to_vec()),
        ];
        let found = chosen(&all, &public).unwrap();
        assert_eq!(found.leaf_first(), [&*own, &*device]);
        assert_eq!(chosen(&all, &others).unwrap().leaf_first(), [&*other, &*device]);
        assert_eq!(chosen(&all[..3], &public), None, "a certificate in the slot attests nothing");
        assert_eq!(chosen(&all[3..], &public).unwrap().issuers(), [[0_u8; 0]; 0], "f9 has none");
        let long = [(OF_DEVICE.to_owned(), vec![1; Attestation::LONGEST + 1]), (slot("9c"), own)];
        assert_eq!(chosen(&long, &public), None, "more than a device gives");
    }
}
