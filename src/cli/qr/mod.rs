//! `keyrite qr`: carries the record's files, signatures, keys and digests across an air gap as codes.
//!
//! Both sides show the digest of the whole in words, and the one that reads has some of them typed
//! before anything is taken in: what people say to each other is in no code.

mod draw;
mod read;

use super::arguments::{Qr, QrAct};
use super::session::{Ended, Session};
use crate::tuf::rule::Result;

/// Runs the command.
///
/// # Errors
///
/// What its acts refuse.
pub fn run(session: &Session, args: &Qr) -> Result<Ended> {
    match &args.act {
        QrAct::Send { recipient, besides, compare, out } => {
            draw::files(session, recipient.as_deref(), besides.as_deref(), (out, *compare))
        }
        QrAct::Signatures { key, compare, out } => draw::signatures(session, key, (out, *compare)),
        QrAct::Key { key, out } => draw::key(session, key, out),
        QrAct::Digest { digest, out } => draw::digest(session, digest, out),
        QrAct::Read { from, answers } => read::run(session, from, answers),
    }
}
