//! `keyrite developer`.

use super::arguments::Developer;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Developer) -> Result<Ended> {
    todo!("developer")
}
