//! Attestation: what a device says of a key, and what its vendor says of the device
//! (docs.yubico.com, "YubiHSM OIDs").

use crate::codes::{algorithm, capability, error, kind};
use crate::commands::Call;
use crate::der::{bits, integer, next, sequence, tlv};
use crate::keys;
use crate::read::{Fields, Result};
use crate::state::{Object, State};
use crate::vendor::Vendor;
use sha2::{Digest as _, Sha256};

const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const CURVE_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const CURVE_P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const EDWARDS: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];
/// 1.3.6.1.4.1.41482.4, to which the number of an extension is added.
const YUBIHSM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xc4, 0x0a, 0x04];

/// A key that may issue, or about which is issued.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub algorithm: u8,
    pub data: &'a [u8],
}

impl Key<'_> {
    fn spki(self) -> Vec<u8> {
        let public = keys::public(self.algorithm, self.data);
        match self.algorithm {
            algorithm::ED25519 => sequence(&[&sequence(&[EDWARDS]), &bits(public)]),
            kind => {
                let curve = if kind == algorithm::P256 { CURVE_P256 } else { CURVE_P384 };
                sequence(&[&sequence(&[EC, curve]), &bits(&[&[4], public].concat())])
            }
        }
    }
}

/// A name with nothing but a common name.
pub fn name(text: &str) -> Vec<u8> {
    sequence(&[&tlv(0x31, &sequence(&[COMMON_NAME, &tlv(0x0c, text.as_bytes())]))])
}

/// From the making of the simulated devices to a time that no test sees.
pub fn validity() -> Vec<u8> {
    sequence(&[&tlv(0x17, b"170101000000Z"), &tlv(0x18, b"20711005000000Z")])
}

pub fn authority(path: u8) -> Vec<u8> {
    let content = sequence(&[&[0x01, 0x01, 0xff], &integer(&[path])]);
    sequence(&[BASIC_CONSTRAINTS, &[0x01, 0x01, 0xff], &tlv(0x04, &content)])
}

fn yubihsm(number: u8, content: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(0x06, &[YUBIHSM, &[number]].concat()), &tlv(0x04, content)])
}

/// A certificate. `issuer`, `validity` and `subject` are DER, as they stand in one.
pub fn certificate(
    by: Key,
    issuer: &[u8],
    validity: &[u8],
    subject: &[u8],
    key: Key,
    extensions: &[u8],
) -> Result<Vec<u8>> {
    let algorithm = sequence(&[ECDSA_SHA256]);
    let mut serial = keys::random::<16>();
    serial[0] = serial[0] & 0x3f | 0x40;
    let body = sequence(&[
        &tlv(0xa0, &[0x02, 0x01, 0x02]),
        &integer(&serial),
        &algorithm,
        issuer,
        validity,
        subject,
        &key.spki(),
        &tlv(0xa3, &sequence(&[extensions])),
    ]);
    let signature = keys::sign_ecdsa(by.algorithm, by.data, &Sha256::digest(&body))?;
    Ok(sequence(&[&body, &algorithm, &bits(&signature)]))
}

fn of_device(state: &State) -> Vec<u8> {
    [yubihsm(1, &tlv(0x04, &state.firmware)), yubihsm(2, &integer(&state.serial.to_be_bytes()))].concat()
}

/// The certificate that the device comes with: opaque object 0.
pub fn device(state: &State, vendor: &Vendor) -> Vec<u8> {
    let subject = name(&format!("YubiHSM Attestation ({})", state.serial));
    let key = Key { algorithm: algorithm::P256, data: &state.attestation_key };
    vendor.issue(&subject, key, &of_device(state))
}

/// SIGN ATTESTATION CERTIFICATE.
pub fn run(state: &State, me: &Object, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
    me.may(capability::SIGN_ATTESTATION)?;
    let mut fields = Fields::of(body);
    (call.target, call.second) = (fields.u16()?, fields.u16()?);
    fields.end()?;
    let object = state.object(kind::ASYMMETRIC_KEY, call.target, me.domains)?;
    let key = Key { algorithm: object.algorithm, data: &object.data };
    let (by, template) = if call.second == 0 {
        (Key { algorithm: algorithm::P256, data: &state.attestation_key }, state.certificate.clone())
    } else {
        let by = state.object(kind::ASYMMETRIC_KEY, call.second, me.domains)?;
        by.may(capability::SIGN_ATTESTATION)?;
        let template = state.object(kind::OPAQUE, call.second, me.domains)?;
        (Key { algorithm: by.algorithm, data: &by.data }, template.data.clone())
    };
    let (dates, issuer) = dates_and_subject(&template).ok_or(error::INVALID_DATA)?;
    let subject = name(&format!("YubiHSM Attestation id:0x{:04x}", object.id));
    let label = object.label.split(|&byte| byte == 0).next().unwrap_or_default();
    let extensions = [
        of_device(state),
        yubihsm(3, &bits(&[object.origin])),
        yubihsm(4, &bits(&object.domains.to_be_bytes())),
        yubihsm(5, &bits(&object.capabilities.to_be_bytes())),
        yubihsm(6, &integer(&object.id.to_be_bytes())),
        yubihsm(9, &tlv(0x0c, label)),
    ];
    certificate(by, issuer, dates, &subject, key, &extensions.concat())
}

/// Of a certificate that serves as a template.
fn dates_and_subject(mut certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, mut outer, _) = next(&mut certificate)?;
    let (_, mut body, _) = next(&mut outer)?;
    let (tag, ..) = next(&mut body)?;
    if tag == 0xa0 {
        next(&mut body)?;
    }
    next(&mut body)?;
    next(&mut body)?;
    let (_, _, dates) = next(&mut body)?;
    let (tag, _, subject) = next(&mut body)?;
    (tag == 0x30).then_some((dates, subject))
}
