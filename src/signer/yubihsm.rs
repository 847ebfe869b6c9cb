//! Where a YubiHSM 2 is: its serial number, and whether this machine reaches it by USB itself or through
//! a connector.
//!
//! Never another machine: a connector does for anyone what they ask of it, in the clear.

use super::rules;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Which YubiHSM, and how it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct YubiHsmUri {
    /// The serial number that is also printed on it.
    pub serial: u32,
    /// How it is reached.
    pub way: Way,
}

impl YubiHsmUri {
    /// Reads what follows `yubihsm:`.
    ///
    /// # Errors
    ///
    /// `URI-FORM`, `CONNECTOR-ADDRESS`.
    pub(super) fn from_attributes(text: &str) -> Result<Self> {
        let (serial, connector) = match text.split_once(';') {
            Some((serial, rest)) => (serial, Some(rest)),
            None => (text, None),
        };
        let form = || {
            Refusal::new(
                &rules::URI_FORM,
                format!("\"yubihsm:{}\"", visible(text)),
                "yubihsm:serial=0007550054, with the number that is printed on it, and through a connector ;connector=http://127.0.0.1:PORT",
            )
        };
        let digits = serial.strip_prefix("serial=").ok_or_else(form)?;
        let plain = (1..=10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let serial = digits.parse().ok().filter(|serial| plain && *serial != 0).ok_or_else(form)?;
        let way = match connector {
            Some(rest) => Way::Connector(rest.strip_prefix("connector=").ok_or_else(form)?.parse()?),
            None => Way::Usb,
        };
        Ok(Self { serial, way })
    }
}

impl fmt::Display for YubiHsmUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "yubihsm:serial={:010}", self.serial)?;
        match self.way {
            Way::Connector(connector) => write!(f, ";connector={connector}"),
            Way::Usb => Ok(()),
        }
    }
}

/// How a YubiHSM is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Through a connector, which has it to itself.
    Connector(Connector),
    /// By USB, with nobody between.
    Usb,
}

impl FromStr for Way {
    type Err = Refusal;

    /// Reads `usb`, or a connector's address.
    ///
    /// # Errors
    ///
    /// `CONNECTOR-ADDRESS`.
    fn from_str(text: &str) -> Result<Self> {
        if text == "usb" { Ok(Self::Usb) } else { text.parse().map(Self::Connector) }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector(connector) => connector.fmt(f),
            Self::Usb => f.write_str("usb"),
        }
    }
}

/// Where a connector listens: a loopback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connector(SocketAddr);

impl Default for Connector {
    /// Where Yubico's listens if it is told nothing.
    fn default() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 12345))
    }
}

impl FromStr for Connector {
    type Err = Refusal;

    /// Reads `http://127.0.0.1:12345` or `http://[::1]:12345`.
    ///
    /// # Errors
    ///
    /// `CONNECTOR-ADDRESS`.
    fn from_str(text: &str) -> Result<Self> {
        let address = text.strip_prefix("http://").and_then(|rest| rest.parse::<SocketAddr>().ok());
        match address.and_then(Self::at) {
            Some(connector) if connector.to_string() == text => Ok(connector),
            _ => Err(Refusal::new(
                &rules::CONNECTOR_ADDRESS,
                format!("\"{}\"", visible(text)),
                "http://127.0.0.1:PORT or http://[::1]:PORT, and no name",
            )),
        }
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Connector {
    /// A connector there; none for any other than a loopback address with a port.
    pub fn at(address: SocketAddr) -> Option<Self> {
        // Not the rest of 127.0.0.0/8: nobody has a use for it, and one form is easier to compare.
        let own = match address.ip() {
            IpAddr::V4(ip) => ip == Ipv4Addr::LOCALHOST,
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        (own && address.port() != 0).then_some(Self(address))
    }

    /// The address.
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn by_usb_or_through_a_connector() {
        for (text, way) in [
            ("yubihsm:serial=0007550054", Way::Usb),
            (
                "yubihsm:serial=0007550054;connector=http://127.0.0.1:12345",
                Way::Connector(Connector::default()),
            ),
        ] {
            let Ok(crate::signer::uri::KeyUri::YubiHsm(uri)) = text.parse() else { panic!("{text}") };
            assert_eq!((uri.way, uri.to_string()), (way, text.to_owned()));
            assert_eq!(way.to_string().parse::<Way>().unwrap(), way);
        }
        for text in ["USB", "usb ", "usb:1", "yubihsm:serial=1;connector=usb"] {
            assert_eq!(text.parse::<Way>().unwrap_err().rule().name, "CONNECTOR-ADDRESS", "{text}");
        }
    }

    #[test]
    fn only_this_machine_by_number() {
        for text in ["http://127.0.0.1:12345", "http://127.0.0.1:1", "http://[::1]:65535"] {
            assert_eq!(text.parse::<Connector>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "127.0.0.1:12345",
            "https://127.0.0.1:12345",
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://127.0.0.1:12345/",
            "http://127.0.0.1:012345",
            "http://127.0.0.2:12345",
            "http://127.1:12345",
            "http://0.0.0.0:12345",
            "http://10.0.0.1:12345",
            "http://[::]:12345",
            "http://[0:0:0:0:0:0:0:1]:12345",
            "http://[::ffff:127.0.0.1]:12345",
            "http://[fe80::1]:12345",
            "http://localhost:12345",
            "http://localhost.example.com:12345",
            "http://127.0.0.1@10.0.0.1:12345",
            "http://127.0.0.1.example.com:12345",
            "http://\u{202e}1:1",
        ] {
            assert_eq!(text.parse::<Connector>().unwrap_err().rule().name, "CONNECTOR-ADDRESS", "{text}");
        }
    }
}
