//! Wrap keys and copies, as transcripts tell of them.

use crate::ceremony::backups::{Copies, DealtSet, KeyCopy};
use crate::ceremony::facts::KeyRecord;
use crate::ceremony::people::KeyName;
use crate::ceremony::transcript::{CeremonyId, Outcome, Transcript};
use crate::record::KeyFile;
use crate::tuf::digest::Digest;
use crate::tuf::rule::Refusal;
use std::collections::BTreeMap;

/// Reads them.
pub(super) fn read(
    transcripts: &BTreeMap<CeremonyId, Transcript>,
    used: &BTreeMap<KeyName, KeyRecord>,
    files: &BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
) -> Copies {
    let mut copies = Copies::default();
    let mut entries: Vec<_> = transcripts.values().flat_map(Transcript::entries).map(|(e, _)| e).collect();
    entries.sort_by_key(|entry| entry.at);
    for entry in entries {
        match &entry.outcome {
            Outcome::Shares { wrap_key, manifest } => {
                // One that has no bytes is no manifest; a transcript with it would not have been read.
                let Ok(digest) = manifest.digest() else { continue };
                let manifest = manifest.as_ref().clone();
                let set = DealtSet { change: entry.change, manifest, digest, here: false };
                copies.sets.entry(wrap_key.clone()).or_default().push(set);
            }
            Outcome::Copy { key, identity, wrap_key, shares, file, .. } => {
                let copy = KeyCopy {
                    change: entry.change,
                    wrap_key: wrap_key.clone(),
                    shares: *shares,
                    identity: *identity,
                    file: *file,
                    here: false,
                };
                copies.made.entry(key.clone()).or_default().push(copy);
            }
            _ => {}
        }
    }
    for record in used.values() {
        let Some((file, _)) = files.get(&record.file) else { continue };
        let mut before = file.replaces;
        while let Some((old, _)) = before.and_then(|before| files.get(&before)) {
            // A new certificate is on the same token.
            if old.token.serial() != file.token.serial() {
                let former = copies.came_back.entry(record.name.clone()).or_default();
                former.insert(old.token.serial().to_owned());
            }
            before = old.replaces;
        }
        let under = file.evidence.exportable_under();
        if let Some(under) = under.and_then(|under| under.parse().ok()) {
            copies.leaves.insert(record.name.clone(), under);
        }
    }
    copies
}
