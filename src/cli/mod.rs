//! The program: arguments in, one exit code out.
//!
//! Each command is one file with a `run(&Session, &its arguments) -> Result<Ended>`. What goes
//! wrong comes back as a [`Refusal`] and is told here, once, by [`report`].

mod adopt;
pub mod arguments;
mod aside;
pub mod cards;
pub mod completions;
pub mod copies;
pub mod developer;
mod developer_vault;
pub mod devices;
mod devices_form;
pub mod enrolment;
pub mod export;
pub mod external;
pub mod files;
pub mod first_day;
pub mod gated;
pub mod guide;
pub mod host;
pub mod import;
pub mod init;
pub mod interview;
pub mod keyring;
pub mod opening;
pub mod perform;
pub mod pins;
pub mod plan;
pub mod preflight;
pub mod progress;
mod qr;
pub mod recomputed;
pub mod rehearse;
pub mod release;
pub mod report;
pub mod rules;
pub mod run;
pub mod runbooks;
pub mod session;
pub mod share;
pub mod show;
pub mod sign;
pub mod sign_snapshot;
pub mod status;
pub mod table;
pub mod tokens;
pub mod verify;

use crate::tuf::rule::{Refusal, Result};
use crate::ui::interrupt::Interrupt;
use arguments::{Arguments, Command};
use clap::Parser;
use host::{Host, System};
use session::{Ended, Session};
use std::ffi::OsString;
use std::process::ExitCode;
use std::rc::Rc;

/// Reads the arguments of the process, does what they say and tells how it ended.
pub fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(obey(&System, &line, Session::start))
}

/// The same for a host that the caller has, in the caller's process; gives the exit code. The
/// first of the arguments is the program's name.
pub fn run_on(host: &Rc<dyn Host>, line: &[OsString]) -> u8 {
    obey(&**host, line, |arguments| Ok(Session::on(Rc::clone(host), arguments, Interrupt::default())))
}

fn obey(host: &dyn Host, line: &[OsString], start: impl FnOnce(&Arguments) -> Result<Session>) -> u8 {
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => return report::usage(host, &error, line.iter().any(|a| a == "--json")),
    };
    match start(&arguments).and_then(|session| dispatch(&session, &arguments.command)) {
        Ok(ended) => ended.code(),
        Err(refusal) => report::refused(host, &refusal, arguments.json),
    }
}

fn dispatch(session: &Session, command: &Command) -> Result<Ended, Refusal> {
    match command {
        Command::Rehearse(args) => rehearse::run(session, args),
        Command::Init(args) => init::run(session, args),
        Command::Adopt(args) => adopt::run(session, args),
        Command::Guide(args) => guide::run(session, args),
        Command::Tokens(args) => tokens::run(session, args),
        Command::Plan(args) => plan::run(session, args),
        Command::Preflight(args) => preflight::run(session, args),
        Command::Run(args) => run::run(session, args),
        Command::Release(args) => release::run(session, args),
        Command::Sign(args) => sign::run(session, args),
        Command::Import(args) => import::run(session, args),
        Command::Export(args) => export::run(session, args),
        Command::Qr(args) => qr::run(session, args),
        Command::Status(args) => status::run(session, args),
        Command::Show(args) => show::run(session, args),
        Command::Verify(args) => verify::run(session, args),
        Command::Developer(args) => developer::run(session, args),
        Command::Share(args) => share::run(session, args),
        Command::SignSnapshot(args) => sign_snapshot::run(session, args),
        Command::Completions(args) => completions::run(session, args),
    }
}
