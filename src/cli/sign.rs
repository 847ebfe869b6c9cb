//! `keyrite sign`.

use super::arguments::Sign;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Sign) -> Result<Ended> {
    todo!("sign")
}
