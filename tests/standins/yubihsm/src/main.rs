//! A device that stands in for a YubiHSM 2, behind a connector that stands in for Yubico's.
//!
//!     yubihsm-standin --listen 127.0.0.1:0 --state FILE [--serial N] [--firmware 2.4.0] [--idle 30] [--faults FILE]
//!
//! Says `listening 127.0.0.1:PORT` on stdout, then answers at `/connector/api` until it is killed.
//! Listens on loopback only. The device is in FILE, private keys included: nothing here is a secret.
//! A session ends when nobody has used
//! it for `--idle` seconds. Every start of the program is one of the device; two at once of one device are refused. What its
//! vendor signs leads to a root whose name says SIMULATED (see `vendor`): no product may trust it.
//! What can go wrong is in `knobs`.
//!
//! Written from Yubico's published protocol, and from what its clients and their tests expect. It
//! refuses what a real one refuses as far as that is documented. Not here: RSA, HMAC, OTP, templates,
//! symmetric keys, ECDH, asymmetric authentication, FIPS mode, USB, and timing.

mod attest;
mod codes;
mod commands;
mod der;
mod device;
mod http;
mod keys;
mod knobs;
mod log;
mod objects;
mod read;
mod session;
mod state;
mod vendor;
mod wrap;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "usage: yubihsm-standin --listen 127.0.0.1:0 --state FILE [--serial N] [--firmware 2.4.0] [--idle 30] [--faults FILE]";

struct Options {
    listen: SocketAddr,
    state: PathBuf,
    faults: PathBuf,
    serial: u32,
    firmware: [u8; 3],
    idle: Duration,
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let (mut listen, mut state, mut faults) = (None, None, None);
    let (mut serial, mut firmware, mut idle) = (7_550_009, [2, 4, 0], 30);
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--listen" => listen = Some(value.parse::<SocketAddr>().ok().filter(|at| at.ip().is_loopback())?),
            "--state" => state = Some(PathBuf::from(value)),
            "--faults" => faults = Some(PathBuf::from(value)),
            "--serial" => serial = value.parse().ok()?,
            "--idle" => idle = value.parse().ok()?,
            "--firmware" => {
                let parts: Result<Vec<u8>, _> = value.split('.').map(str::parse).collect();
                firmware = parts.ok()?.try_into().ok()?;
            }
            _ => return None,
        }
    }
    let state = state?;
    let faults = faults.unwrap_or_else(|| state.with_extension("faults"));
    Some(Options { listen: listen?, state, faults, serial, firmware, idle: Duration::from_secs(idle) })
}

fn run(options: Options) -> io::Result<()> {
    let folder = options.state.parent().filter(|folder| !folder.as_os_str().is_empty());
    let vendor = vendor::Vendor::open(folder.unwrap_or(".".as_ref()))?;
    let state = state::State::open(&options.state, options.serial, options.firmware, &vendor)?;
    let listener = TcpListener::bind(options.listen)?;
    writeln!(io::stdout(), "listening {}", listener.local_addr()?)?;
    http::serve(&listener, device::Device::new(state, options.idle), knobs::Knobs::new(options.faults))
}

fn main() {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    if let Err(e) = run(options) {
        eprintln!("yubihsm-standin: {e}");
        std::process::exit(1);
    }
}
