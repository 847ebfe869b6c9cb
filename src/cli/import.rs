//! `keyrite import`.

use super::arguments::Import;
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
pub fn run(_session: &Session, _args: &Import) -> Result<Ended> {
    todo!("import")
}
