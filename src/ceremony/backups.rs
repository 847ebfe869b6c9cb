//! What is known of wrap keys and of the copies of keys under them.
//!
//! All of it is what transcripts say. A set of shares is a wrap key's only if no transcript tells of
//! another one; whoever plants one can keep a restore from going on, and nothing more, since a set is
//! held against the cards and a copy against its digest and its public key.

use super::people::KeyName;
use super::rules;
use super::share_manifest::ShareManifest;
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use std::collections::BTreeMap;

/// What is known of wrap keys and copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// By wrap key: the sets of shares that transcripts name, each with the change that had them made.
    pub sets: BTreeMap<KeyName, Vec<(Option<Digest>, ShareManifest)>>,
    /// By key: the wrap key under which it may leave its token, as its key file says.
    pub leaves: BTreeMap<KeyName, KeyName>,
    /// By key: its copies, the newest last.
    pub made: BTreeMap<KeyName, Vec<KeyCopy>>,
}

/// A key that left its token wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCopy {
    /// Under which wrap key.
    pub wrap_key: KeyName,
    /// Which public key it belongs to.
    pub identity: KeyIdentity,
    /// The digest of the file that holds it. The file is no part of the record.
    pub file: Digest,
}

impl Copies {
    /// The one set of shares of a wrap key.
    ///
    /// # Errors
    ///
    /// `WRAP-KEY-SET` if there is none, or more than one.
    pub fn set(&self, wrap_key: &KeyName) -> Result<&ShareManifest> {
        let sets = self.sets.get(wrap_key).map(Vec::as_slice).unwrap_or_default();
        // Whole manifests: one with the same set's name and other numbers is another.
        let mut different: Vec<&ShareManifest> = Vec::new();
        for (_, manifest) in sets {
            if !different.contains(&manifest) {
                different.push(manifest);
            }
        }
        match different.as_slice() {
            [manifest] => Ok(manifest),
            several => Err(Refusal::new(
                &rules::WRAP_KEY_SET,
                format!("{} sets of shares of {wrap_key} in the transcripts", several.len()),
                "one",
            )),
        }
    }

    /// The newest copy of a key.
    ///
    /// # Errors
    ///
    /// `COPY-MISSING`.
    pub fn newest(&self, key: &KeyName, identity: &KeyIdentity) -> Result<&KeyCopy> {
        let own = self.made.get(key).into_iter().flatten().rev().find(|copy| copy.identity == *identity);
        own.ok_or_else(|| {
            let found = format!("no copy of {key} in any transcript");
            Refusal::new(&rules::COPY_MISSING, found, "a `back-up` of this very key")
        })
    }

    /// Forgets the sets that a change had made: to compute the change again as it was planned.
    pub fn without(&mut self, change: &Digest) {
        for sets in self.sets.values_mut() {
            sets.retain(|(by, _)| by.as_ref() != Some(change));
        }
        self.sets.retain(|_, sets| !sets.is_empty());
    }
}

/// The first 16 bytes of SHA-256 over `keyrite wrap key:<trust>:<name>`: a wrap key's `CKA_ID`, the
/// same on every token.
pub fn wrap_key_id(trust: &TrustId, wrap_key: &KeyName) -> [u8; 16] {
    let digest = Digest::of(format!("keyrite wrap key:{trust}:{wrap_key}").as_bytes());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    id
}

/// A word for how wrapped bytes are made, as files and transcripts have it: short and plain.
///
/// # Errors
///
/// `RECORD-MEMBER`.
pub fn form_word(word: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=40).contains(&word.len()) && word.bytes().all(plain) {
        return Ok(word.to_owned());
    }
    let found = format!("the form \"{}\"", visible(word));
    Err(Refusal::new(&rules::RECORD_MEMBER, found, "a short word: aes-key-wrap-pad"))
}
