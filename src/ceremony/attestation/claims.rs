//! What a device says of a key in its attestation, by its vendor's extensions.
//!
//! YubiKey PIV: 1.3.6.1.4.1.41482.3 (docs.yubico.com, "PIV Attestation OID Arc"). Firmware, policies
//! and form are bare bytes, not DER; the serial number is a DER INTEGER. YubiHSM 2:
//! 1.3.6.1.4.1.41482.4 ("YubiHSM OIDs"), all DER; bit strings hold numbers, most significant byte
//! first.
//!
//! A device's own certificate has some of these as well, but never those that speak of a key.

use super::certificate::{Certificate, form};
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef, Utf8StringRef};
use der::{Decode, Error};
use std::fmt;

const PIV: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3");
const YUBIHSM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4");

/// How a YubiKey names the certificate of a slot's key.
const SLOT: &str = "YubiKey PIV Attestation ";

/// A kind of device that attests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// The PIV part of a YubiKey.
    YubiKey,
    /// A YubiHSM 2.
    YubiHsm,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YubiKey => "YubiKey",
            Self::YubiHsm => "YubiHSM 2",
        })
    }
}

/// A firmware's version: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Firmware(pub u8, pub u8, pub u8);

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// When a YubiKey asks for the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinPolicy {
    /// Never.
    Never,
    /// Once a session.
    Once,
    /// Before every signature.
    Always,
    /// A fingerprint or the PIN, once a session.
    MatchOnce,
    /// A fingerprint or the PIN, before every signature.
    MatchAlways,
}

impl PinPolicy {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::Always => "always",
            Self::MatchOnce => "or fingerprint once",
            Self::MatchAlways => "or fingerprint always",
        }
    }
}

/// When a YubiKey wants to be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TouchPolicy {
    /// Never.
    Never,
    /// Before every signature.
    Always,
    /// If the last touch is more than 15 seconds ago.
    Cached,
}

impl TouchPolicy {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::Cached => "cached",
        }
    }
}

/// What a YubiKey looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// With a fingerprint reader, USB-A.
    UsbABio,
    /// With a fingerprint reader, USB-C.
    UsbCBio,
    /// Any other.
    Other,
}

/// Where on the device the key is, and what can be done with it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A slot of a YubiKey's PIV part, which makes no certificate for a key that it didn't make.
    Slot {
        /// `9c`; none if the certificate is of no slot, so that no key was attested.
        slot: Option<String>,
        /// When it asks for the PIN.
        pin: PinPolicy,
        /// When it wants to be touched.
        touch: TouchPolicy,
        /// What it looks like.
        form: Form,
    },
    /// An object of a YubiHSM.
    Object {
        /// Its number.
        id: u16,
        /// Its label; escape before showing.
        label: String,
        /// The domains that it is in, one bit each.
        domains: u16,
        /// What can be done with it, one bit each.
        capabilities: u64,
        /// Where it comes from.
        origin: u8,
    },
}

/// What a device says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// What kind of device.
    pub product: Product,
    /// Its serial number.
    pub serial: u64,
    /// Its firmware when it made the certificate.
    pub firmware: Firmware,
    /// Where on it, and how kept.
    pub place: Place,
}

/// Bits of [`Place::Object`]'s capabilities (YubiHSM 2 user guide, "Capabilities").
pub(super) mod capability {
    /// Signs: RSA PKCS#1, RSA PSS, ECDSA, EdDSA.
    pub const SIGN: u64 = 0b1111 << 5;
    /// Can be taken out under a wrap key.
    pub const EXPORTABLE: u64 = 1 << 16;
}

/// [`Place::Object`]'s origin of a key that the device made and that never was elsewhere.
pub(super) const GENERATED: u8 = 1;

impl Product {
    /// Whose attestation a key's certificate is.
    ///
    /// # Errors
    ///
    /// `ATTESTATION-FORM` if it is none's.
    pub(super) fn of(certificate: &Certificate) -> Result<Self> {
        match (certificate.speaks(PIV), certificate.speaks(YUBIHSM)) {
            (true, false) => Ok(Self::YubiKey),
            (false, true) => Ok(Self::YubiHsm),
            _ => Err(form(&"a certificate without a vendor's word on the key")),
        }
    }
}

impl Attested {
    /// Reads what the key's certificate says.
    ///
    /// # Errors
    ///
    /// `ATTESTATION-FORM`.
    pub(super) fn read(certificate: &Certificate) -> Result<Self> {
        match Product::of(certificate)? {
            Product::YubiKey => Self::slot(certificate),
            Product::YubiHsm => Self::object(certificate),
        }
    }

    fn slot(certificate: &Certificate) -> Result<Self> {
        let said = Said { certificate, arc: PIV };
        let [major, minor, patch] = said.bare(3)?;
        let [pin, touch] = said.bare(8)?;
        let pin = match pin {
            1 => PinPolicy::Never,
            2 => PinPolicy::Once,
            3 => PinPolicy::Always,
            4 => PinPolicy::MatchOnce,
            5 => PinPolicy::MatchAlways,
            other => return Err(form(&format!("a PIN policy {other}"))),
        };
        let touch = match touch {
            1 => TouchPolicy::Never,
            2 => TouchPolicy::Always,
            3 => TouchPolicy::Cached,
            other => return Err(form(&format!("a touch policy {other}"))),
        };
        // YubiKey 4 doesn't say; the two high bits tell FIPS and Security Key from others.
        let looks = if said.has(9) { said.bare(9)? } else { [0] };
        let form = match looks.map(|byte| byte & 0x3f) {
            [6] => Form::UsbABio,
            [7] => Form::UsbCBio,
            _ => Form::Other,
        };
        let slot = certificate.common_name.as_deref().and_then(|name| name.strip_prefix(SLOT));
        let slot = slot.filter(|slot| is_slot(slot)).map(str::to_owned);
        let serial = said.number(7)?;
        let place = Place::Slot { slot, pin, touch, form };
        Ok(Self { product: Product::YubiKey, serial, firmware: Firmware(major, minor, patch), place })
    }

    fn object(certificate: &Certificate) -> Result<Self> {
        let said = Said { certificate, arc: YUBIHSM };
        let firmware = said.der::<&OctetStringRef>(1)?.as_bytes();
        let &[major, minor, patch] = firmware else {
            return Err(form(&format!("a firmware version of {} bytes", firmware.len())));
        };
        let [origin] = said.bits(3)?;
        let place = Place::Object {
            id: u16::try_from(said.number(6)?).map_err(|e| form(&e))?,
            label: said.der::<Utf8StringRef<'_>>(9)?.as_str().to_owned(),
            domains: u16::from_be_bytes(said.bits(4)?),
            capabilities: u64::from_be_bytes(said.bits(5)?),
            origin,
        };
        let serial = said.number(2)?;
        Ok(Self { product: Product::YubiHsm, serial, firmware: Firmware(major, minor, patch), place })
    }

    /// The device, to show: `YubiKey 13078778, firmware 5.2.6`.
    pub fn device(&self) -> String {
        format!("{} {}, firmware {}", self.product, self.serial, self.firmware)
    }

    /// How the key is kept there, to show.
    pub fn kept(&self) -> String {
        match &self.place {
            Place::Slot { slot, pin, touch, .. } => {
                let slot = slot.as_deref().unwrap_or("none");
                format!("slot {slot}, PIN {}, touch {}", pin.name(), touch.name())
            }
            Place::Object { id, label, domains, capabilities, .. } => {
                let domains: Vec<_> =
                    (1..=16).zip(0..16).filter(|(_, bit)| domains >> bit & 1 == 1).map(|(n, _)| n).collect();
                let domains = domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!(
                    "object 0x{id:04x} \"{}\", domains {domains}, capabilities 0x{capabilities:016x}",
                    visible(label)
                )
            }
        }
    }
}

/// 9a, 9c, 9d, 9e and the retired 82 to 95 hold keys (NIST SP 800-73-4); f9 attests them.
fn is_slot(text: &str) -> bool {
    let number = u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
    number.is_some_and(|slot| matches!(slot, 0x9a | 0x9c..=0x9e | 0x82..=0x95))
}

struct Said<'a> {
    certificate: &'a Certificate,
    arc: ObjectIdentifier,
}

impl<'a> Said<'a> {
    fn find(&self, number: u32) -> Option<&'a [u8]> {
        self.certificate.extension(self.arc.push_arc(number).ok()?)
    }

    fn has(&self, number: u32) -> bool {
        self.find(number).is_some()
    }

    fn need(&self, number: u32) -> Result<&'a [u8]> {
        self.find(number).ok_or_else(|| form(&format!("no extension {}.{number}", self.arc)))
    }

    fn bare<const N: usize>(&self, number: u32) -> Result<[u8; N]> {
        let bytes = self.need(number)?;
        let length = |_| form(&format!("{} bytes in {}.{number}, not {N}", bytes.len(), self.arc));
        bytes.try_into().map_err(length)
    }

    fn der<T: Decode<'a, Error = Error>>(&self, number: u32) -> Result<T> {
        let read = T::from_der(self.need(number)?);
        read.map_err(|e| form(&format!("{}.{number}: {e}", self.arc)))
    }

    fn number(&self, number: u32) -> Result<u64> {
        let bytes = self.der::<UintRef<'_>>(number)?.as_bytes();
        let mut all = [0; 8];
        let start = all.len().checked_sub(bytes.len());
        let room = start.and_then(|start| all.get_mut(start..));
        room.ok_or_else(|| form(&format!("a number of {} bytes in {}.{number}", bytes.len(), self.arc)))?
            .copy_from_slice(bytes);
        Ok(u64::from_be_bytes(all))
    }

    fn bits<const N: usize>(&self, number: u32) -> Result<[u8; N]> {
        let bits = self.der::<BitStringRef<'_>>(number)?;
        let bytes = bits.as_bytes().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| form(&format!("{} bits in {}.{number}, not {N} bytes", bits.bit_len(), self.arc)))
    }
}
