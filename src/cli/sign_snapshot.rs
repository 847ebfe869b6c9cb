//! `keyrite sign-snapshot`.

use super::arguments::SignSnapshot;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &SignSnapshot) -> Result<Ended> {
    todo!("sign_snapshot")
}
