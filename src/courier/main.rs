//! The `keyrite-courier` program: the online half of keyrite.

use std::process::ExitCode;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    keyrite::courier::program::main(&line)
}
