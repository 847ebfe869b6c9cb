//! `keyrite show`.

use super::arguments::Show;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Show) -> Result<Ended> {
    todo!("show")
}
