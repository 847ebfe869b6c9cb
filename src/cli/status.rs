//! `keyrite status`.

use super::arguments::Status;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Status) -> Result<Ended> {
    todo!("status")
}
