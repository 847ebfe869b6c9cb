//! `keyrite verify`.

use super::arguments::Verify;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Verify) -> Result<Ended> {
    todo!("verify")
}
