//! `keyrite completions`.

use super::arguments::Completions;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Completions) -> Result<Ended> {
    todo!("completions")
}
