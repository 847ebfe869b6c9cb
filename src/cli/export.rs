//! `keyrite export`.

use super::arguments::Export;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Export) -> Result<Ended> {
    todo!("export")
}
