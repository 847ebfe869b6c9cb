//! What is known of particular PKCS#11 modules, as data.
//!
//! PKCS#11 has no question for the largest message that a token signs, nor for whether it wants to
//! be touched. So what was measured or read is kept here, one row a module (tokens 0 and 1.2).
//! A module that is not in the table works; what it can't be asked for is then unknown, which for
//! root means refused.

use cryptoki::context::Info;

/// What is known of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Profile {
    /// The module's name for people.
    pub name: &'static str,
    /// The largest message that a key signs when the token is given the message itself (Ed25519).
    pub message: Limit,
    /// Whether keys are made through this module under a label and id of our choice.
    pub generates: bool,
    /// Whether a key may wait to be touched.
    pub touch: bool,
    /// Whether the absence of the flags for wrong PINs means that there was none.
    pub counts_pins: bool,
}

/// The largest message, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// None that a document could reach.
    Any,
    /// This many.
    Bytes(usize),
    /// A YubiHSM 2, by its firmware.
    YubiHsm,
    /// Nobody has measured it.
    Unknown,
}

struct Row {
    manufacturer: &'static str,
    description: &'static str,
    profile: Profile,
}

const ROWS: &[Row] = &[
    // 3 MB signed.
    Row {
        manufacturer: "SoftHSM",
        description: "",
        profile: Profile {
            name: "SoftHSM",
            message: Limit::Any,
            generates: true,
            touch: false,
            counts_pins: true,
        },
    },
    // 3 MB fail, 1 MB was tried.
    Row {
        manufacturer: "Kryoptic",
        description: "",
        profile: Profile {
            name: "kryoptic",
            message: Limit::Bytes(1_000_000),
            generates: true,
            touch: false,
            counts_pins: true,
        },
    },
    Row {
        manufacturer: "Yubico",
        description: "YubiHSM",
        profile: Profile {
            name: "yubihsm_pkcs11",
            message: Limit::YubiHsm,
            generates: true,
            touch: false,
            counts_pins: false,
        },
    },
    // Takes no id but that of a PIV slot, and no policy for PIN and touch but by attributes of its
    // own, so keys are made with Yubico's tool and then enrolled.
    Row {
        manufacturer: "Yubico",
        description: "PIV",
        profile: Profile {
            name: "ykcs11",
            message: Limit::Bytes(3040),
            generates: false,
            touch: true,
            counts_pins: true,
        },
    },
    // Has no Ed25519 for cards and makes no keys on PIV.
    Row {
        manufacturer: "OpenSC",
        description: "",
        profile: Profile {
            name: "OpenSC",
            message: Limit::Bytes(0),
            generates: false,
            touch: true,
            counts_pins: true,
        },
    },
];

impl Profile {
    /// A module that nobody has looked at.
    pub const UNKNOWN: Self = Self {
        name: "unknown module",
        message: Limit::Unknown,
        generates: true,
        touch: false,
        counts_pins: false,
    };

    /// The row of a module, by what it says of itself (`C_GetInfo`).
    pub fn of(info: &Info) -> Self {
        Self::named(info.manufacturer_id(), info.library_description())
    }

    fn named(manufacturer: &str, description: &str) -> Self {
        let fits = |r: &&Row| manufacturer.starts_with(r.manufacturer) && description.contains(r.description);
        ROWS.iter().find(fits).map_or(Self::UNKNOWN, |row| row.profile)
    }

    /// The largest message of Ed25519 in bytes, if it is known.
    pub fn message_max(&self, firmware: (u8, u8)) -> Option<usize> {
        match self.message {
            Limit::Any => Some(usize::MAX),
            Limit::Bytes(bytes) => Some(bytes),
            Limit::YubiHsm if yubihsm_minor(firmware) >= (2, 4) => Some(3136),
            Limit::YubiHsm => Some(2048),
            Limit::Unknown => None,
        }
    }

    /// The token's firmware for people: `2.4`.
    pub fn firmware(&self, version: (u8, u8)) -> String {
        let (major, minor) = if self.message == Limit::YubiHsm { yubihsm_minor(version) } else { version };
        format!("{major}.{minor}")
    }
}

/// A YubiHSM's firmware as major and minor. Its module puts a hundred times the minor, plus the
/// patch, into one byte, which overflows: 2.4.0 comes as 2.144 and 2.3.2 as 2.46. Told apart are
/// minors up to 5 with patches up to 11; anything else counts as the oldest.
fn yubihsm_minor(version: (u8, u8)) -> (u8, u8) {
    let minor = match version.1 {
        100..=111 => 1,
        200..=211 => 2,
        44..=55 => 3,
        144..=155 => 4,
        244..=255 => 5,
        _ => 0,
    };
    (version.0, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_by_module_and_firmware() {
        // Manufacturer, description, firmware as the module tells it: name, limit, firmware.
        for (manufacturer, description, firmware, name, limit, shown) in [
            ("SoftHSM", "Implementation of PKCS11", (2, 6), "SoftHSM", Some(usize::MAX), "2.6"),
            ("Kryoptic", "Kryoptic PKCS11 Module", (0, 0), "kryoptic", Some(1_000_000), "0.0"),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 0),
                "yubihsm_pkcs11",
                Some(2048),
                "2.0",
            ),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 200),
                "yubihsm_pkcs11",
                Some(2048),
                "2.2",
            ),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 46),
                "yubihsm_pkcs11",
                Some(2048),
                "2.3",
            ),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 144),
                "yubihsm_pkcs11",
                Some(3136),
                "2.4",
            ),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 244),
                "yubihsm_pkcs11",
                Some(3136),
                "2.5",
            ),
            (
                "Yubico (www.yubico.com)",
                "YubiHSM PKCS#11 Library",
                (2, 99),
                "yubihsm_pkcs11",
                Some(2048),
                "2.0",
            ),
            (
                "Yubico (www.yubico.com)",
                "PKCS#11 PIV Library (SP-800-73)",
                (5, 7),
                "ykcs11",
                Some(3040),
                "5.7",
            ),
            ("OpenSC Project", "OpenSC smartcard framework", (0, 0), "OpenSC", Some(0), "0.0"),
            ("Yubico (www.yubico.com)", "something new", (1, 0), "unknown module", None, "1.0"),
            ("", "", (1, 2), "unknown module", None, "1.2"),
        ] {
            let profile = Profile::named(manufacturer, description);
            assert_eq!(profile.name, name);
            assert_eq!(profile.message_max(firmware), limit, "{name} {firmware:?}");
            assert_eq!(profile.firmware(firmware), shown, "{name} {firmware:?}");
        }
    }
}
