//! Attestation certificates in the form of Yubico's: root, the card's own (f9), and one for a key.
//! The DER is put together here, since it is short and always the same.

use crate::keys::{ED25519, P256, PrivateKey, scalar_p256};
use crate::tlv::tlv;
use sha2::{Digest as _, Sha256};

const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const CURVE_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const CURVE_P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const EDWARDS: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];
/// 1.3.6.1.4.1.41482.3, to which the number of an extension is added.
const YUBICO: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xc4, 0x0a, 0x03];

const ROOT: &str = "SIMULATED PIV Root CA, not Yubico's";
const OWN: &str = "SIMULATED PIV Attestation";

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

fn name(text: &str) -> Vec<u8> {
    let attribute = sequence(&[COMMON_NAME, &tlv(0x0c, text.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

fn spki(algorithm: u8, public: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        ED25519 => sequence(&[EDWARDS]),
        P256 => sequence(&[EC, CURVE_P256]),
        _ => sequence(&[EC, CURVE_P384]),
    };
    sequence(&[&algorithm, &bits(public)])
}

fn extension(oid: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[oid, critical, &tlv(0x04, content)])
}

fn yubico(number: u8, content: &[u8]) -> Vec<u8> {
    extension(&tlv(0x06, &[YUBICO, &[number]].concat()), false, content)
}

fn authority(path: Option<u8>) -> Vec<u8> {
    let path = path.map(|n| tlv(0x02, &[n])).unwrap_or_default();
    extension(BASIC_CONSTRAINTS, true, &sequence(&[&[0x01, 0x01, 0xff], &path]))
}

fn certificate(issuer: &str, by: &PrivateKey, subject: &str, public: &[u8], extensions: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[ECDSA_SHA256]);
    let mut serial = Sha256::digest(public)[..16].to_vec();
    serial[0] = serial[0] & 0x3f | 0x40;
    // As on real ones: from the making of the card to the end of time.
    let validity = sequence(&[&tlv(0x17, b"160314000000Z"), &tlv(0x18, b"20520417000000Z")]);
    let body = sequence(&[
        &tlv(0xa0, &[0x02, 0x01, 0x02]),
        &tlv(0x02, &serial),
        &algorithm,
        &name(issuer),
        &validity,
        &name(subject),
        public,
        &tlv(0xa3, &sequence(&[extensions])),
    ]);
    let signature = by.sign(&Sha256::digest(&body)).expect("P-256 signs SHA-256");
    sequence(&[&body, &algorithm, &bits(&signature)])
}

/// The simulated vendor, and what it put into one card.
#[derive(Clone)]
pub struct Vendor {
    /// Scalars of P-256: of the root, and of the card's own key (f9).
    pub keys: [Vec<u8>; 2],
    pub serial: u32,
    pub version: [u8; 3],
}

impl Vendor {
    /// A new one.
    pub fn new(serial: u32, version: [u8; 3]) -> Self {
        Self { keys: [scalar_p256(), scalar_p256()], serial, version }
    }

    fn private(&self, which: usize) -> PrivateKey {
        PrivateKey::import(P256, &self.keys[which]).expect("a scalar of P-256")
    }

    fn public(&self, which: usize) -> Vec<u8> {
        spki(P256, &self.private(which).public())
    }

    /// Its root.
    pub fn root(&self) -> Vec<u8> {
        certificate(ROOT, &self.private(0), ROOT, &self.public(0), &authority(None))
    }

    /// The card's own certificate, slot f9.
    pub fn own(&self) -> Vec<u8> {
        certificate(ROOT, &self.private(0), OWN, &self.public(1), &authority(Some(0)))
    }

    /// What the card says of a key that it made: in which slot, of which kind, with which policies for
    /// PIN and touch.
    pub fn key(&self, slot: u8, algorithm: u8, public: &[u8], policies: [u8; 2]) -> Vec<u8> {
        let mut serial = self.serial.to_be_bytes().to_vec();
        while serial.len() > 1 && serial[0] == 0 && serial[1] < 0x80 {
            serial.remove(0);
        }
        if serial[0] >= 0x80 {
            serial.insert(0, 0);
        }
        let extensions = [
            yubico(3, &self.version),
            yubico(7, &tlv(0x02, &serial)),
            yubico(8, &policies),
            yubico(9, &[0x01]),
        ]
        .concat();
        let subject = format!("YubiKey PIV Attestation {slot:02x}");
        certificate(OWN, &self.private(1), &subject, &spki(algorithm, public), &extensions)
    }
}

/// PEM.
pub fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in der.chunks(3) {
        let mut group = u32::from(part[0]) << 16;
        group |= u32::from(*part.get(1).unwrap_or(&0)) << 8 | u32::from(*part.get(2).unwrap_or(&0));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place)) as usize & 0x3f];
            text.push(if place > part.len() { '=' } else { char::from(letter) });
        }
    }
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or("")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
