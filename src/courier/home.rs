//! Where a person's own files are, as the system says (XDG Base Directory Specification).
//!
//! Never: a variable that changes what is checked.

use std::env;
use std::path::PathBuf;

/// The folder for what programs keep from one run to the next; none without a home.
pub fn state() -> Option<PathBuf> {
    let own = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    own.or_else(|| Some(home()?.join(".local/state")))
}
