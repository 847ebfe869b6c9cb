//! How a run that was refused is told: four facts on stderr, or one JSON object on stdout.

use crate::tuf::rule::Refusal;
use std::process::ExitCode;

/// Tells a refusal.
pub fn refused(refusal: &Refusal, _json: bool) -> ExitCode {
    ExitCode::from(refusal.rule().exit.code())
}

/// Tells what clap found wrong with the arguments, or prints the help that was asked for.
pub fn usage(error: &clap::Error, _json: bool) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
