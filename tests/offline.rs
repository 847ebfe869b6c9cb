//! The program that holds ceremonies has no way to a network: neither among the crates that it is made
//! of nor in the program itself. With feature `yubihsm` it has one connection, to a connector on loopback;
//! feature `courier` is another program's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod imports;

use std::collections::BTreeSet;
use std::process::Command;

/// Crates that reach a network, or that only those need which do.
const NETWORKED: &[&str] = &[
    "bytes",
    "http",
    "httparse",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "ring",
    "rustls",
    "rustls-native-certs",
    "rustls-webpki",
    "schannel",
    "security-framework",
    "socket2",
    "tokio",
    "ureq",
    "ureq-proto",
];

/// The crates that a build with these features is made of, by name.
fn crates(features: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    command.args(["--locked", "--offline", "--features", features]);
    let done = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

fn networked(crates: &BTreeSet<String>) -> BTreeSet<&str> {
    let names = crates.iter().filter_map(|line| line.split(' ').next());
    names.filter(|name| NETWORKED.contains(name)).collect()
}

#[test]
fn no_crate_of_the_offline_program_reaches_a_network() {
    for features in ["", "piv", "yubihsm", "piv,yubihsm"] {
        assert_eq!(networked(&crates(features)), BTreeSet::new(), "{features}");
    }
    let courier = crates("courier");
    for name in ["ureq", "rustls", "rustls-webpki"] {
        assert!(networked(&courier).contains(name), "{name} isn't found where it is");
    }
    assert!(courier.len() <= 250, "{} crates in the courier, at most 250", courier.len());
    // Another provider of cryptography, or another client, would come with its own C and its own faults.
    for name in ["ring", "openssl", "hyper", "tokio"] {
        assert!(!networked(&courier).contains(name), "{name}");
    }
}

#[test]
fn the_offline_program_takes_no_call_that_reaches_a_network() {
    let program = env!("CARGO_BIN_EXE_keyrite");
    for part in ["ureq", "rustls", "7courier"] {
        assert_eq!(imports::symbols(program, part), 0, "{part}");
    }
    assert!(imports::symbols(program, "7keyrite") > 1_000, "symbols to look at");
    let found = imports::calls(program);
    if cfg!(feature = "yubihsm") {
        // To a connector: one connection; nothing listens, and no name is looked up.
        let connector = ["connect", "getsockopt", "send", "setsockopt", "socket"].map(str::to_owned);
        assert_eq!(found, connector.into());
    } else {
        assert_eq!(found, BTreeSet::new());
        assert_eq!(imports::symbols(program, "TcpStream"), 0);
    }
}
