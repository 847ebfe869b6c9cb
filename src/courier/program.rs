//! The program: arguments in, one exit code out.

use super::arguments::{Arguments, Command};
use super::{fetch, push, release, told, tuf_client, update, watch};
use crate::cli::host::System;
use crate::cli::report;
use crate::tuf::rule::{Exit, Result};
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
        let exit = told.exit.map_or(0, Exit::code);
        let said = if arguments.json {
            report::json(&System, told.json)
        } else {
            report::screen(&System, &told.screen)
        };
        said.map(|()| exit)
    });
    done.map_or_else(
        |refusal| {
            let code = report::refused(&System, &refusal, arguments.json);
            ExitCode::from(match arguments.command {
                // The suite that calls it knows two ways to end.
                Command::TufClient(_) => 1,
                // 1 says something of customers, and nothing was seen of them.
                Command::Watch(_) if code == Exit::Refused.code() => Exit::Device.code(),
                _ => code,
            })
        },
        ExitCode::from,
    )
}

fn obey(command: &Command) -> Result<told::Told> {
    match command {
        Command::Fetch(args) => fetch::run(args),
        Command::Push(args) => push::run(args),
        Command::Release(args) => release::run(args),
        Command::Update(args) => update::run(args),
        Command::Watch(args) => watch::run(args),
        Command::TufClient(args) => tuf_client::run(args),
    }
}
