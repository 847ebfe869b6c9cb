//! The record: one grow-only directory of public files, as `ceremonies/FORMAT.md` describes it.
//!
//! Signed metadata is the only state that matters, so nothing computed is stored: who must still
//! sign, what is open, what is published are functions of the files at hand ([`Contents`]). Files
//! are only ever added, so merging two copies is copying files, in any order.
//!
//! The record is untrusted input, and so is every medium: files are opened beneath one directory
//! handle, regular files only, capped in size before they are read; a name is parsed as one of the
//! layout's forms before it is used. Nothing here changes or deletes a file of the record.

mod add;
pub mod adopt;
mod before;
pub mod contents;
pub mod create;
pub mod deeds;
pub mod dir;
pub mod enrolment;
pub mod files;
pub mod hand_out;
pub mod key_file;
pub mod listed;
pub mod listing;
pub mod manifest;
pub mod media;
pub mod names;
mod read;
pub mod receipt;
pub mod rules;
pub mod signed;
pub mod store;
pub mod take_in;
pub mod trust_file;
pub mod upload;
pub mod uploads;

pub use contents::{Contents, Inputs, StoredChange};
pub use key_file::KeyFile;
pub use media::Media;
pub use signed::SignedStatement;
pub use store::Record;
pub use trust_file::{TrustFile, TrustSpec};
