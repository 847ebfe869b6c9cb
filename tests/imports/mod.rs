//! What a program takes of the C library to reach a network, and whether it holds an HTTP or TLS client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

/// Calls without which nobody connects, listens or asks for a name's address. `socketpair`, `sendmsg` and
/// `recvmsg` are not among them: starting another program takes those.
const CALLS: &[&str] = &[
    "socket",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_r",
    "getpeername",
    "getsockname",
    "setsockopt",
    "getsockopt",
    "send",
    "sendto",
    "recvfrom",
];

/// Those of [`CALLS`] that a program imports.
pub fn calls(program: &str) -> BTreeSet<String> {
    let told = readelf(&["--wide", "--dyn-syms", program]);
    let imported = told.lines().filter(|line| line.contains(" UND "));
    let names = imported.filter_map(|line| line.split_whitespace().nth(7)?.split('@').next());
    names.filter(|name| CALLS.contains(name)).map(str::to_owned).collect()
}

/// How many symbols of a program have this in their name.
pub fn symbols(program: &str, part: &str) -> usize {
    readelf(&["--wide", "--syms", program]).lines().filter(|line| line.contains(part)).count()
}

fn readelf(arguments: &[&str]) -> String {
    let done = Command::new("readelf").args(arguments).output().expect("readelf is needed: binutils");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
