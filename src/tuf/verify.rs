//! Signatures, which exist only once they have verified.

use super::digest::Digest;
use super::key::{KeyIdentity, Scheme};

/// A signature that verified, by two implementations where two exist, over a payload of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: KeyIdentity,
    scheme: Scheme,
    payload: Digest,
    raw: Vec<u8>,
}
