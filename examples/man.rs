//! Writes the manual pages of every command into a directory: `cargo run --example man -- DIR`.
//!
//! They are made from the very definitions that `--help` shows, by a crate that the program itself
//! doesn't need. `scripts/release` puts them beside the completions. Never into a directory that
//! isn't there.

use clap::CommandFactory as _;
use keyrite::cli::arguments::Arguments;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"usage: man DIR\n");
        return ExitCode::from(2);
    };
    match clap_mangen::generate_to(Arguments::command(), Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let told = format!("{}: {why}\n", Path::new(&folder).display());
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            ExitCode::FAILURE
        }
    }
}
