//! Real clients, as data: what each takes where they differ.
//!
//! A client machine here follows one workflow for all of them; a root that one of them can't even
//! read stops that one alone. Each row says where its numbers come from.
//!
//! Never: a row believed in place of a test. What can be run is run against the same documents
//! (`tests/gate.rs`).

use super::rules;
use crate::tuf::document::DocumentKey;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::wire::{Envelope, Quirk};

/// Whether a client that would be lost stops a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stand {
    /// It always does: the profile's reference.
    Reference,
    /// People are told; it stops a change of a trust whose limits name it.
    Common,
    /// Only where limits name it is anything said of it.
    Rare,
}

/// A client that customers run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The word in limits: `tough`.
    pub name: &'static str,
    /// What it reads.
    pub profile: Profile,
    /// What its loss means.
    pub stand: Stand,
    /// New roots in one update.
    pub rotations: u64,
    /// Whether the next update goes on from the root that the last one came to.
    pub goes_on: bool,
    /// Bytes of a root.
    pub root: u64,
    /// Quirks that make a root unreadable for it.
    pub refuses: &'static [Quirk],
    /// Key types with their schemes that it reads; any other makes the document unreadable. Empty
    /// where it reads any.
    pub keys: &'static [(&'static str, &'static str)],
    /// Where all this comes from.
    pub source: &'static str,
}

const COMMON_KEYS: &[(&str, &str)] = &[
    ("ed25519", "ed25519"),
    ("ecdsa", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("rsa", "rsassa-pss-sha256"),
];

const SECURESYSTEMSLIB: &[(&str, &str)] = &[
    ("dsa", "pgp+dsa-fips-180-2"),
    ("ecdsa", "ecdsa-sha2-nistp256"),
    ("ecdsa", "ecdsa-sha2-nistp384"),
    ("ecdsa", "ecdsa-sha2-nistp521"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ed25519", "ed25519"),
    ("eddsa", "pgp+eddsa-ed25519"),
    ("ml-dsa", "ml-dsa-44/1"),
    ("ml-dsa", "ml-dsa-65/1"),
    ("ml-dsa", "ml-dsa-87/1"),
    ("rsa", "pgp+rsa-pkcsv1.5"),
    ("rsa", "rsa-pkcs1v15-sha256"),
    ("rsa", "rsa-pkcs1v15-sha384"),
    ("rsa", "rsa-pkcs1v15-sha512"),
    ("rsa", "rsassa-pss-sha256"),
    ("rsa", "rsassa-pss-sha384"),
    ("rsa", "rsassa-pss-sha512"),
];

impl Known {
    /// Every client, in the order of reports.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "python-tuf",
            profile: Profile::Tuf,
            stand: Stand::Reference,
            rotations: 256,
            // It begins anew from the root that comes with the program, and counts those that it has kept.
            goes_on: false,
            root: 512_000,
            refuses: &[Quirk::DateForm, Quirk::KeyHexPoint, Quirk::SignatureTwice],
            keys: SECURESYSTEMSLIB,
            source: "python-tuf 7.0.1 ngclient/config.py, ngclient/updater.py (_load_root), api/_payload.py, api/metadata.py (Metadata.from_dict); securesystemslib signer/__init__.py",
        },
        Self {
            name: "go-tuf",
            profile: Profile::Tuf,
            stand: Stand::Common,
            rotations: 256,
            goes_on: true,
            root: 512_000,
            refuses: &[Quirk::KeyHexPoint, Quirk::SignatureTwice],
            keys: COMMON_KEYS,
            source: "go-tuf 2 metadata/config/config.go (256 since its pull request 645), metadata/keys.go, metadata/metadata.go (checkUniqueSignatures)",
        },
        Self {
            name: "tough",
            profile: Profile::Tuf,
            stand: Stand::Common,
            // Its limit is 1,024, and it gives up there before it asks whether there is another.
            rotations: 1_023,
            goes_on: false,
            root: 1_048_576,
            // It verifies over what it writes again, and writes dates in one form.
            refuses: &[Quirk::DateForm, Quirk::KeyIdDiffers, Quirk::SignatureTwice],
            keys: COMMON_KEYS,
            source: "tough 0.24.0 src/lib.rs (Limits), src/schema/key.rs, src/schema/de.rs, src/schema/verify.rs (DuplicateKeyId)",
        },
        Self {
            name: "python-tuf-32",
            profile: Profile::Tuf,
            stand: Stand::Rare,
            rotations: 32,
            goes_on: true,
            root: 512_000,
            refuses: &[Quirk::DateForm, Quirk::KeyHexPoint, Quirk::SignatureTwice],
            keys: SECURESYSTEMSLIB,
            source: "python-tuf before 5.1, tuf/settings.py, ngclient/config.py and api/metadata.py (Metadata.from_dict); its issue 2672",
        },
        Self {
            name: "aktualizr",
            profile: Profile::Tuf,
            stand: Stand::Rare,
            rotations: 1_000,
            goes_on: true,
            root: 65_536,
            refuses: &[Quirk::DateForm, Quirk::KeyHexPoint, Quirk::SignatureTwice],
            keys: &[("ed25519", "ed25519"), ("rsa", "rsassa-pss-sha256")],
            source: "aktualizr src/libaktualizr/uptane/fetcher.h (kMaxRootSize), uptane/metawithkeys.cc (NonUniqueSignatures), utilities/types.h",
        },
        Self {
            name: "notary",
            profile: Profile::Notary,
            stand: Stand::Reference,
            rotations: u64::MAX,
            goes_on: true,
            root: 104_857_600,
            refuses: &[Quirk::KeyIdDiffers],
            keys: &[],
            source: "notary 0.7 const.go, client/tufclient.go; notary-v1 3.5, 6",
        },
    ];

    /// The client of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.name == name)
    }

    /// The clients of a profile.
    pub fn of(profile: Profile) -> impl Iterator<Item = &'static Self> {
        Self::ALL.iter().filter(move |known| known.profile == profile)
    }

    /// Refuses a root that this client could not read, whoever signed it. `size` is that of the
    /// file with its signatures, in bytes.
    ///
    /// # Errors
    ///
    /// `CLIENT-FORM`; `SIZE-CAP`.
    pub fn reads(&self, root: &Envelope, size: u64) -> Result<()> {
        let version = root.payload().version();
        if size > self.root {
            let found = format!("root {version} of {size} bytes");
            return Err(Refusal::new(&rules::SIZE_CAP, found, format!("at most {} bytes", self.root)));
        }
        let refuse = |found: String, expected: &str| {
            Err(Refusal::new(&rules::CLIENT_FORM, format!("root {version}: {found}"), expected))
        };
        if let Some(quirk) = root.quirks().iter().find(|quirk| self.refuses.contains(quirk)) {
            return refuse(format!("the quirk {quirk}"), "a root without it");
        }
        let Some(document) = root.payload().document().as_root() else { return Ok(()) };
        match document.keys.values().find_map(|key| self.unknown(key)) {
            Some(kind) => refuse(kind, "keys of kinds that it reads"),
            None => Ok(()),
        }
    }

    /// The kind of a key that this client doesn't read.
    fn unknown(&self, key: &DocumentKey) -> Option<String> {
        if self.keys.is_empty() {
            return None;
        }
        let text = |name: &str| key.entry.get(name).and_then(Json::as_str).unwrap_or_default();
        let (kind, scheme) = (text("keytype"), text("scheme"));
        let visible = crate::tuf::text::visible;
        let known = self.keys.contains(&(kind, scheme));
        (!known).then(|| format!("a key of type {}, scheme {}", visible(kind), visible(scheme)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_profile_has_one_reference_and_names_are_words() {
        for profile in [Profile::Tuf, Profile::Notary] {
            let reference = Known::of(profile).filter(|known| known.stand == Stand::Reference);
            assert_eq!(reference.count(), 1, "{profile}");
        }
        let names: BTreeSet<_> = Known::ALL.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), Known::ALL.len());
        for known in Known::ALL {
            assert_eq!(Known::named(known.name), Some(known));
            assert!(!known.source.is_empty());
        }
        assert_eq!(Known::named("curl"), None);
    }
}
