//! A second card that stands in for a YubiKey, so that the clients are not only tried on what their
//! author believes of PIV: the applet is Nitrokey's, crate `piv-authenticator`.
//!
//!     piv-trussed DIR SERIAL PORT [VERSION]
//!
//! Called and handled like `tests/standins/piv`, whose wire, hands and simulated vendor it shares.
//! PINs, keys, signatures and SP 800-73's objects are the applet's, and so are its status words. It has none
//! of Yubico's extensions, without which no client takes it for a YubiKey, so `manners` adds them. Left as
//! they are: a PUK with five tries, 6300 where a YubiKey counts tries down, PINs of digits only, no
//! Ed25519. Forgets everything when it ends.

mod applet;
mod backends;
mod manners;

use piv_card::{attest, attest::Vendor, wire};
use std::path::PathBuf;

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(serial), Some(port)) =
        (args.next(), args.next().and_then(|s| s.parse().ok()), args.next().and_then(|p| p.parse().ok()))
    else {
        eprintln!("usage: piv-trussed DIR SERIAL PORT [VERSION]");
        std::process::exit(2);
    };
    let version = args.next().unwrap_or_else(|| "5.7.4".to_owned());
    let numbers: Vec<u8> = version.split('.').map(|n| n.parse().expect("a version like 5.7.4")).collect();
    let vendor = Vendor::new(serial, numbers.try_into().expect("a version like 5.7.4"));
    let dir = PathBuf::from(dir);
    std::fs::write(dir.join("root.pem"), attest::pem(&vendor.root())).expect("the root can be written");
    backends::with_applet(serial, |applet| {
        if let Err(e) = wire::serve(&dir, port, manners::Card::new(applet, vendor)) {
            eprintln!("piv-trussed: {e}");
            std::process::exit(1);
        }
    });
}
