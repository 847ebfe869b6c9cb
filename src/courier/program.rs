//! The program: arguments in, one exit code out.

use super::arguments::{Arguments, Command};
use super::{fetch, push, told, tuf_client, update};
use crate::cli::host::System;
use crate::cli::report;
use crate::tuf::rule::Result;
use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Reads the arguments of the process, does what they say and tells how it ended.
pub fn main(line: &[OsString]) -> ExitCode {
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => {
            return ExitCode::from(report::usage(&System, &error, line.iter().any(|a| a == "--json")));
        }
    };
    let done = obey(&arguments.command).and_then(|told| {
        if arguments.json { report::json(&System, told.json) } else { report::screen(&System, &told.screen) }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            let code = report::refused(&System, &refusal, arguments.json);
            // The suite that calls it knows two ways to end.
            ExitCode::from(if matches!(arguments.command, Command::TufClient(_)) { 1 } else { code })
        }
    }
}

fn obey(command: &Command) -> Result<told::Told> {
    match command {
        Command::Fetch(args) => fetch::run(args),
        Command::Push(args) => push::run(args),
        Command::Update(args) => update::run(args),
        Command::TufClient(args) => tuf_client::run(args),
    }
}
