//! `keyrite tokens`.

use super::arguments::Tokens;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Tokens) -> Result<Ended> {
    todo!("tokens")
}
