//! Enrolment files: a public key that someone brings, with or without a proof of possession.

use super::SignedStatement;
use crate::ceremony::facts::{Enrolment, Trust};
use crate::tuf::rule::Result;

/// Reads an enrolment file: a signed `possession` statement (`statements/<sha>.json`'s form, made
/// by `developer new`), a PEM public key or certificate, or a backend's `snapshot.key` in Notary's
/// JSON. The statement, if there is one, is to be added to the record by whoever takes the key in.
///
/// # Errors
///
/// `KEY-FORM`, `KEY-POSSESSION`, `RECORD-OTHER` for a statement of another trust.
pub fn read(trust: &Trust, bytes: &[u8]) -> Result<(Enrolment, Option<SignedStatement>)> {
    let _ = (trust, bytes);
    todo!()
}
