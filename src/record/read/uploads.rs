//! Uploads: folders whose MANIFEST and files agree, made of documents that the record has.

use super::{Desk, other_trust};
use crate::record::manifest::{self, FileName, Manifest};
use crate::record::names::Place;
use crate::record::rules;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeMap;

/// Reads them. `documents` are the files that met their thresholds.
pub(super) fn read(
    desk: &mut Desk<'_>,
    documents: &BTreeMap<Digest, RoleName>,
) -> BTreeMap<Digest, Manifest> {
    let mut folders: BTreeMap<Digest, Vec<(Place, FileName)>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Upload(sha, name) = place {
            folders.entry(*sha).or_default().push((place.clone(), name.clone()));
        }
    }
    let mut whole = BTreeMap::new();
    for (sha, files) in folders {
        match check(desk, &files, documents) {
            Ok(manifest) => {
                for (place, _) in &files {
                    desk.accept(place);
                }
                whole.insert(sha, manifest);
            }
            Err(refusal) => {
                for (place, _) in &files {
                    desk.refuse(place, refusal.clone());
                }
            }
        }
    }
    whole
}

fn check(
    desk: &Desk<'_>,
    files: &[(Place, FileName)],
    documents: &BTreeMap<Digest, RoleName>,
) -> Result<Manifest> {
    let mismatch = |found: String| {
        Refusal::new(&rules::MANIFEST_MISMATCH, found, "a MANIFEST and the files that it lists")
    };
    let listed = files.iter().find(|(_, name)| name.as_str() == manifest::NAME);
    let (place, _) = listed.ok_or_else(|| mismatch("no MANIFEST".to_owned()))?;
    let manifest = Manifest::parse(&desk.files.bytes(place)?)?;
    if manifest.trust != desk.trust.id {
        return Err(other_trust(&manifest.trust));
    }
    let mut contents = BTreeMap::new();
    for (place, name) in files.iter().filter(|(_, name)| name.as_str() != manifest::NAME) {
        contents.insert(name.clone(), desk.files.bytes(place)?.into_owned());
    }
    manifest.check(&contents)?;
    for (name, line) in &manifest.files {
        if line.role.is_some() && documents.get(&line.sha) != line.role.as_ref() {
            return Err(mismatch(format!("\"{}\", which is no document of the record", name.as_str())));
        }
    }
    Ok(manifest)
}
