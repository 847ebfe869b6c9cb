//! How fast and how big keyrite is, as ratios: `scripts/bench` runs this.
//!
//! A second on one machine says nothing about another, so each line compares two things that are
//! measured in the same run, alternating, by their medians. Prints a table and exits 1 if a target
//! is missed. Not a test: what else the machine does decides too much.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a measurement fails by panicking and answers on stdout; its parts stand on stderr"
)]

mod bins;
mod chain;
mod courier;
mod measure;
mod requests;
mod revoke;
mod signing;
mod start;

// What the tests make repositories of.
#[path = "../../tests/hostile/mod.rs"]
mod hostile;
#[path = "../../tests/keys/mod.rs"]
mod keys;
#[path = "../../tests/repository/mod.rs"]
mod repository;

use measure::Table;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // Each side of a comparison with a module of its own: two contexts of one module in one
        // process don't go together.
        ["--signing", side, module] => signing::side(side, module),
        ["--revoke", many, folder] => revoke::child(many, folder),
        parts => {
            let known = ["bins", "chain", "courier", "requests", "revoke", "signing", "start"];
            assert!(parts.iter().all(|part| known.contains(part)), "{parts:?}; there are {known:?}");
            let wanted = |part| parts.is_empty() || parts.contains(&part);
            let scratch = Scratch::new();
            let mut table = Table::default();
            if wanted("bins") {
                bins::measure(&scratch.0, &mut table);
            }
            if wanted("courier") {
                courier::measure(&scratch.0, &mut table);
            }
            if wanted("requests") {
                requests::measure(&scratch.0, &mut table);
            }
            if wanted("chain") {
                chain::measure(&scratch.0, &mut table);
            }
            if wanted("revoke") {
                revoke::measure(&Scratch::in_memory().0, &mut table);
            }
            if wanted("signing") {
                signing::measure(&scratch.0, &mut table);
            }
            if wanted("start") {
                start::measure(&scratch.0, &mut table);
            }
            return table.print();
        }
    }
    ExitCode::SUCCESS
}

/// A directory that goes away with the run.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The same in memory, where there is such a place: keyrite waits until what it writes is on the
    /// disk, its peer doesn't, and no disk is to be measured.
    fn in_memory() -> Self {
        let path = PathBuf::from("/dev/shm").join(format!("keyrite-bench-{}", std::process::id()));
        if std::fs::create_dir(&path).is_ok() { Self(path) } else { Self::new() }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
