//! The `keyrite` program: offline ceremonies.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyrite::cli::main()
}
