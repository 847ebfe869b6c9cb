//! The difference between two versions of a document, in words.

use super::key::KeyIdentity;
use super::payload::MetadataPayload;

/// What `new` changes, one line each, for people; nothing that differs is left out. `names` gives
/// the record's name of a key. Every text from the documents is made visible.
pub fn words(
    _old: Option<&MetadataPayload>,
    _new: &MetadataPayload,
    _names: &dyn Fn(KeyIdentity) -> Option<String>,
) -> Vec<String> {
    todo!()
}
