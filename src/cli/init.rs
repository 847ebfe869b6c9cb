//! `keyrite init`.

use super::arguments::Init;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Init) -> Result<Ended> {
    todo!("init")
}
