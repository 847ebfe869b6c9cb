//! What is being done, as `keyrite` says it.

pub use crate::cli::progress::Progress;
