//! Uploads: folders whose MANIFEST and files agree, made of documents that the record has.
//!
//! A folder on a medium may hold anything: names, roles and digests are compared before a file is
//! opened, and then one file at a time is in memory, as large as its line says and no larger.

use super::{Desk, other_trust};
use crate::record::manifest::{self, FileName, Line, Manifest};
use crate::record::names::Place;
use crate::record::rules;
use crate::record::upload;
use crate::record::uploads::StoredUpload;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeMap;

/// The names of files that are no documents.
const OURS: [&str; 4] = [upload::README, upload::POST, upload::FETCH, upload::ORDER];

/// Reads them. `documents` are the files that met their thresholds.
pub(super) fn read(
    desk: &mut Desk<'_>,
    documents: &BTreeMap<Digest, RoleName>,
) -> BTreeMap<Digest, StoredUpload> {
    let version = |place: &Place| match place {
        Place::Metadata(_, version, sha) => Some((*sha, *version)),
        _ => None,
    };
    let versions = desk.places.iter().filter_map(version).collect();
    let mut folders: BTreeMap<Digest, Vec<(Place, FileName)>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Upload(sha, name) = place {
            folders.entry(*sha).or_default().push((place.clone(), name.clone()));
        }
    }
    let mut whole = BTreeMap::new();
    for (sha, files) in folders {
        match check(desk, &files, documents, &versions) {
            Ok(upload) => {
                for (place, _) in &files {
                    desk.accept(place);
                }
                whole.insert(sha, upload);
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
    versions: &BTreeMap<Digest, u64>,
) -> Result<StoredUpload> {
    let mismatch = |found: String| {
        Refusal::new(&rules::MANIFEST_MISMATCH, found, "a MANIFEST and the files that it lists")
    };
    let listed = files.iter().find(|(_, name)| name.as_str() == manifest::NAME);
    let (place, _) = listed.ok_or_else(|| mismatch("no MANIFEST".to_owned()))?;
    let manifest = Manifest::parse(&desk.files.bytes(place)?)?;
    if manifest.trust != desk.trust.id {
        return Err(other_trust(&manifest.trust));
    }
    let files: BTreeMap<&FileName, &Place> = files
        .iter()
        .map(|(place, name)| (name, place))
        .filter(|(name, _)| name.as_str() != manifest::NAME)
        .collect();
    if let Some(extra) = files.keys().find(|name| !manifest.files.contains_key(**name)) {
        return Err(mismatch(format!("\"{}\", which it doesn't list", extra.as_str())));
    }
    for (name, line) in &manifest.files {
        let known = match &line.role {
            Some(role) => documents.get(&line.sha) == Some(role),
            None => OURS.contains(&name.as_str()),
        };
        if !known {
            return Err(mismatch(format!("\"{}\", which is no document of the record", name.as_str())));
        }
    }
    let (mut texts, mut root) = (BTreeMap::new(), Vec::new());
    let newest = |line: &&Line| versions.get(&line.sha);
    let roots = manifest.files.values().filter(|line| line.role == Some(RoleName::Root));
    let newest = roots.max_by_key(newest).map(|line| line.sha);
    for (name, line) in &manifest.files {
        let place = files.get(name).ok_or_else(|| mismatch(format!("no file \"{}\"", name.as_str())))?;
        let bytes = desk.files.bytes_within(place, line.size)?;
        if Line::of(&bytes, line.role.clone()) != *line {
            return Err(mismatch(format!("\"{}\" with other content", name.as_str())));
        }
        if line.role.is_none() {
            texts.insert(name.clone(), bytes.into_owned());
        } else if Some(line.sha) == newest {
            root = bytes.into_owned();
        }
    }
    let version = |sha: &Digest| versions.get(sha).copied();
    let named = upload::named(desk.trust, &manifest, &texts, version, &root)
        .ok_or_else(|| mismatch("lines to type that keyrite has not made for it".to_owned()))?;
    Ok(StoredUpload { manifest, named })
}
