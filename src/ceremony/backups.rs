//! What is known of wrap keys and of the copies of keys under them.
//!
//! All of it is what transcripts say, and nobody signs a transcript: whoever can write to a medium can
//! tell of shares and copies that were never made. So no entry decides which counts. A runbook names the
//! set of shares by the digest of its manifest, and a copy by the digest of its file, the first digits of
//! each. The change that people agree to has both in full, where transcripts tell of them. Of a file that
//! another tool wrote it has the first digits alone: of several files that begin so none is taken, and
//! what comes of the only one has to sign as the key on record. What this copy of
//! the record has done itself (`here`) says whether a ceremony was held, and nothing else does.

use super::people::KeyName;
use super::rules;
use super::share_manifest::ShareManifest;
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The first digits of a digest, as runbooks have them: 16, which no two files share by chance, and no
/// more than 31, since a runbook holds no whole digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(String);

impl Digits {
    /// The fewest.
    pub const FEWEST: usize = 16;

    /// Of a digest, as few as will do.
    pub fn of(digest: &Digest) -> String {
        digest.hex().chars().take(Self::FEWEST).collect()
    }

    /// Fewer than a runbook may have, by which files collide at once.
    #[cfg(test)]
    pub(crate) fn short(digits: &str) -> Self {
        Self(digits.to_owned())
    }

    /// Whether they begin a digest.
    pub fn begin(&self, digest: &Digest) -> bool {
        digest.hex().starts_with(&self.0)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digits {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex && (Self::FEWEST..32).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        let found = format!("\"{}\"", visible(text));
        Err(Refusal::new(&rules::RUNBOOK, found, "the first 16 digits of a digest, or a few more"))
    }
}

/// What is known of wrap keys and copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// By wrap key: the sets of shares that transcripts tell of, the newest last.
    pub sets: BTreeMap<KeyName, Vec<DealtSet>>,
    /// By key: the wrap key under which it may leave its token, as its key file says.
    pub leaves: BTreeMap<KeyName, KeyName>,
    /// By key: the serial numbers of the tokens that it was on before it came to the one that it is on.
    pub came_back: BTreeMap<KeyName, BTreeSet<String>>,
    /// By key: its copies, the newest last.
    pub made: BTreeMap<KeyName, Vec<KeyCopy>>,
}

/// A set of shares that a transcript tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealtSet {
    /// The change that had it made, by the entry's word.
    pub change: Option<Digest>,
    /// What is public of it.
    pub manifest: ShareManifest,
    /// The manifest's digest.
    pub digest: Digest,
    /// Whether it was dealt out in a session of this very copy of the record.
    pub here: bool,
}

/// A key that left its token wrapped, by a transcript's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCopy {
    /// The change that let it out.
    pub change: Option<Digest>,
    /// Under which wrap key.
    pub wrap_key: KeyName,
    /// The digest of the manifest of the wrap key's shares.
    pub shares: Digest,
    /// Which public key it belongs to.
    pub identity: KeyIdentity,
    /// The digest of the file that holds it. The file is no part of the record.
    pub file: Digest,
    /// Whether it left in a session of this very copy of the record.
    pub here: bool,
}

impl Copies {
    /// The set of shares of a wrap key whose manifest's digest begins so.
    ///
    /// # Errors
    ///
    /// `WRAP-KEY-SET` if no transcript has it, or two begin so.
    pub fn named(&self, wrap_key: &KeyName, shares: &Digits) -> Result<&DealtSet> {
        let mut found: BTreeMap<Digest, &DealtSet> = BTreeMap::new();
        for set in self.sets.get(wrap_key).into_iter().flatten().filter(|set| shares.begin(&set.digest)) {
            found.insert(set.digest, set);
        }
        match found.len() {
            1 => found.into_values().next(),
            _ => None,
        }
        .ok_or_else(|| no_set(wrap_key, &shares.0))
    }

    /// The manifest of that digest.
    ///
    /// # Errors
    ///
    /// `WRAP-KEY-SET` if no transcript has it.
    pub fn set(&self, wrap_key: &KeyName, shares: &Digest) -> Result<&ShareManifest> {
        let mut sets = self.sets.get(wrap_key).into_iter().flatten();
        let set = sets.find(|set| set.digest == *shares);
        set.map(|set| &set.manifest).ok_or_else(|| no_set(wrap_key, &shares.hex()))
    }

    /// Refuses to deal a wrap key out whose name has sets of shares beside those that people say it is
    /// to take the place of.
    ///
    /// # Errors
    ///
    /// `WRAP-KEY-TAKEN`.
    pub fn expect_new(&self, wrap_key: &KeyName, instead_of: &[Digits]) -> Result<()> {
        let sets = self.sets.get(wrap_key).into_iter().flatten();
        let others = sets.filter(|set| !instead_of.iter().any(|digits| digits.begin(&set.digest)));
        let others: BTreeSet<Digest> = others.map(|set| set.digest).collect();
        if others.is_empty() {
            return Ok(());
        }
        let others: Vec<String> = others.iter().map(|digest| format!("\"{}\"", Digits::of(digest))).collect();
        let found =
            format!("{wrap_key}, which was dealt out by the word of transcripts: {}", others.join(", "));
        Err(Refusal::new(
            &rules::WRAP_KEY_TAKEN,
            found,
            "shares = the digits of the set on the cards, or instead-of = [all of these]",
        ))
    }

    /// The set that a change had made.
    pub fn dealt_by(&self, change: &Digest, wrap_key: &KeyName) -> Option<&DealtSet> {
        self.sets.get(wrap_key).into_iter().flatten().find(|set| set.change.as_ref() == Some(change))
    }

    /// The copy of a key that a change had made.
    pub fn copied_by(&self, change: &Digest, key: &KeyName) -> Option<&KeyCopy> {
        self.made.get(key).into_iter().flatten().find(|copy| copy.change.as_ref() == Some(change))
    }

    /// Whether this very copy of the record has made a copy of a key under a set of shares.
    pub fn copied_here(&self, key: &KeyName, identity: &KeyIdentity, shares: &Digest) -> bool {
        let mut copies = self.made.get(key).into_iter().flatten();
        copies.any(|copy| copy.here && copy.identity == *identity && copy.shares == *shares)
    }

    /// The digest of the copy that begins so, of this very key under these shares: looked up before
    /// anyone has come with a card.
    ///
    /// # Errors
    ///
    /// `COPY-MISSING` if no transcript tells of it, or of two.
    pub fn copy(
        &self,
        of: (&KeyName, &KeyIdentity),
        under: (&KeyName, &Digest),
        file: &Digits,
    ) -> Result<Digest> {
        let ((key, identity), (wrap_key, shares)) = (of, under);
        let told = self.made.get(key).into_iter().flatten().filter(|copy| {
            file.begin(&copy.file)
                && (&copy.identity, &copy.wrap_key, &copy.shares) == (identity, wrap_key, shares)
        });
        let told: BTreeSet<Digest> = told.map(|copy| copy.file).collect();
        match (told.len(), told.first()) {
            (1, Some(file)) => Ok(*file),
            (count, _) => {
                let found = format!("{count} copies {} of {key} in the transcripts", file.0);
                let expected = format!("one under {wrap_key} by the cards of the manifest {shares}");
                Err(Refusal::new(&rules::COPY_MISSING, found, expected))
            }
        }
    }

    /// Forgets the sets that a change had made: to compute the change again as it was planned.
    pub fn without(&mut self, change: &Digest) {
        for sets in self.sets.values_mut() {
            sets.retain(|set| set.change.as_ref() != Some(change));
        }
        self.sets.retain(|_, sets| !sets.is_empty());
    }
}

fn no_set(wrap_key: &KeyName, shares: &str) -> Refusal {
    Refusal::new(
        &rules::WRAP_KEY_SET,
        format!("no one set of shares of {wrap_key} with the manifest {shares} in the transcripts"),
        "the digest that was shown when the cards were dealt out",
    )
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
