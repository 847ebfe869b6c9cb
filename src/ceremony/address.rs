//! Where a module may connect to: an address and a port.
//!
//! Never a name: to ask whose it is takes a network of its own, and whoever answers chooses the host.

use super::rules::LIMITS_FORM;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use core::net::SocketAddr;
use std::fmt;
use std::str::FromStr;

/// An IP address and a TCP port: `192.0.2.7:1792`, `[2001:db8::7]:1792`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(SocketAddr);

impl Address {
    /// The TCP port.
    pub const fn port(self) -> u16 {
        self.0.port()
    }

    /// Whether it is on this machine, so that no network is needed.
    pub const fn is_here(self) -> bool {
        self.0.ip().is_loopback()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        // As it is written out again and in no other way: one address, one text.
        let one = |at: &SocketAddr| {
            at.port() != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast() && at.to_string() == text
        };
        text.parse().ok().filter(one).map(Self).ok_or_else(|| {
            let expected = "an IP address and a port, as 192.0.2.7:1792 or [2001:db8::7]:1792";
            Refusal::new(&LIMITS_FORM, format!("\"{}\"", visible(text)), expected)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_is_written_in_one_way() {
        for (text, here) in [
            ("192.0.2.7:1792", Some(false)),
            ("[2001:db8::7]:1792", Some(false)),
            ("127.0.0.1:1", Some(true)),
            ("[::1]:65535", Some(true)),
            ("192.0.2.7:0", None),
            ("0.0.0.0:1792", None),
            ("[::]:1792", None),
            ("224.0.0.1:1792", None),
            ("192.0.2.7:01792", None),
            ("[2001:DB8::7]:1792", None),
            ("192.0.2.7", None),
            ("hsm.example.com:1792", None),
            ("localhost:1792", None),
            ("", None),
        ] {
            let address = text.parse::<Address>().ok();
            assert_eq!(address.map(Address::is_here), here, "{text}");
            assert!(address.is_none_or(|address| address.to_string() == text));
        }
    }
}
