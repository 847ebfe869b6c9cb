//! Uploads: folders whose MANIFEST and files agree, made of documents that the record has.
//!
//! A folder on a medium may hold anything: names, roles and digests are compared before a file is
//! opened, and then one file at a time is in memory, as large as its line says and no larger.

use super::{Desk, other_trust};
use crate::record::manifest::{self, FileName, Line, Manifest};
use crate::record::names::Place;
use crate::record::rules;
use crate::record::upload;
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
    for (name, line) in &manifest.files {
        let place = files.get(name).ok_or_else(|| mismatch(format!("no file \"{}\"", name.as_str())))?;
        let bytes = desk.files.bytes_within(place, line.size)?;
        if Line::of(&bytes, line.role.clone()) != *line {
            return Err(mismatch(format!("\"{}\" with other content", name.as_str())));
        }
        if line.role.is_none() && !upload::own(name, &bytes, &manifest, desk.trust) {
            return Err(mismatch(format!("\"{}\", which keyrite has not made for it", name.as_str())));
        }
    }
    Ok(manifest)
}
