//! Root keys come or go in peace, or the threshold changes.

use super::super::asking::Asking;
use super::super::texts::Ending;
use super::root_keys;
use crate::tuf::rule::Result;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    root_keys::walk(asking, false)
}
