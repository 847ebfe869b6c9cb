//! A card that stands in for a YubiKey: its PIV applet, behind vsmartcard-vpcd on loopback.
//!
//!     piv-card DIR SERIAL PORT [VERSION]
//!
//! Keeps all it knows in `DIR/state.json`, private keys included: nothing here is a secret. Connects
//! to vpcd on a loopback port. What a person does with a real one is done by files in DIR (see
//! `knobs`): touching it, leaving it untouched, pulling it out. Its attestation root is made on first
//! use, written to `DIR/root.pem`, and its subject says SIMULATED: no product may trust it.

use piv_card::{applet, wire};
use std::path::PathBuf;

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(serial), Some(port)) =
        (args.next(), args.next().and_then(|s| s.parse().ok()), args.next().and_then(|p| p.parse().ok()))
    else {
        eprintln!("usage: piv-card DIR SERIAL PORT [VERSION]");
        std::process::exit(2);
    };
    let version = args.next().unwrap_or_else(|| "5.7.4".to_owned());
    let dir = PathBuf::from(dir);
    let card = applet::Card::open(&dir, serial, &version);
    if let Err(e) = wire::serve(&dir, port, card) {
        eprintln!("piv-card: {e}");
        std::process::exit(1);
    }
}
