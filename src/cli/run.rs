//! `keyrite run`.

use super::arguments::Run;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Run) -> Result<Ended> {
    todo!("run")
}
