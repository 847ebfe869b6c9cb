//! `keyrite plan`.

use super::arguments::Plan;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Plan) -> Result<Ended> {
    todo!("plan")
}
