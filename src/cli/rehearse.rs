//! `keyrite rehearse`.

use super::arguments::Rehearse;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Rehearse) -> Result<Ended> {
    todo!("rehearse")
}
