//! Vendors' advisories that say from which firmware on a device is sound.
//!
//! Data with its source; a newer advisory is a line more.

use super::claims::{Attested, Firmware, Form, Place, Product};

/// An advisory against every older firmware of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advisory {
    /// The vendor's number of it.
    pub name: &'static str,
    /// Which product.
    pub product: Product,
    /// Which forms of it alone, if not all.
    pub forms: Option<&'static [Form]>,
    /// The first firmware that is sound.
    pub sound: Firmware,
    /// What it is about.
    pub about: &'static str,
}

/// Yubico YSA-2024-03 (2024-09-03, CVE-2024-45678): YubiKey 5 before 5.7.0, YubiKey Bio before
/// 5.7.2, YubiHSM 2 before 2.4.0. <https://www.yubico.com/support/security-advisories/ysa-2024-03/>
const EUCLEAK: &str = "whoever takes the device apart can compute its ECDSA keys";

/// Every advisory, by product and number.
pub const ADVISORIES: &[Advisory] = &[
    Advisory {
        name: "YSA-2024-03",
        product: Product::YubiKey,
        forms: None,
        sound: Firmware(5, 7, 0),
        about: EUCLEAK,
    },
    Advisory {
        name: "YSA-2024-03",
        product: Product::YubiKey,
        forms: Some(&[Form::UsbABio, Form::UsbCBio]),
        sound: Firmware(5, 7, 2),
        about: EUCLEAK,
    },
    Advisory {
        name: "YSA-2024-03",
        product: Product::YubiHsm,
        forms: None,
        sound: Firmware(2, 4, 0),
        about: EUCLEAK,
    },
];

/// The advisories that are open against a device, the one with the newest firmware first.
pub fn open(attested: &Attested) -> Vec<&'static Advisory> {
    let form = match &attested.place {
        Place::Slot { form, .. } => Some(*form),
        Place::Object { .. } => None,
    };
    let applies = |advisory: &&Advisory| {
        advisory.product == attested.product
            && attested.firmware < advisory.sound
            && advisory.forms.is_none_or(|forms| form.is_some_and(|form| forms.contains(&form)))
    };
    let mut open: Vec<_> = ADVISORIES.iter().filter(applies).collect();
    open.sort_by_key(|advisory| std::cmp::Reverse(advisory.sound));
    open
}
