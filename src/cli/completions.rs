//! `keyrite completions`: what a shell needs to complete keyrite's commands and options.

use super::arguments::{Arguments, Completions};
use super::session::{Ended, Session};
use crate::tuf::rule::Result;
use clap::CommandFactory;

/// Prints the completions for the shell asked for.
///
/// # Errors
///
/// `TERMINAL` if stdout is gone.
pub fn run(session: &Session, args: &Completions) -> Result<Ended> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "keyrite", &mut script);
    session.write(&script)?;
    Ok(Ended::Done)
}
