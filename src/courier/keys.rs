//! The backend's public keys for snapshot and timestamp: fetched once, kept for good.
//!
//! Before a root exists every request may make another key (notary-v1 4), so what was fetched is never
//! asked for again and never replaced. Once there is a root, a key that was kept has to be one of its.

use super::rules;
use super::server::Server;
use crate::cli::files;
use crate::cli::session::shown;
use crate::record::media;
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::json::Json;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::path::{Path, PathBuf};

/// The most bytes of a key.
const MOST: u64 = 64 * 1024;

/// A key that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub role: RoleName,
    /// Where.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Whether it was fetched just now.
    pub fresh: bool,
}

/// Fetches the keys that are not in `folder` yet, and compares all with the root if there is one.
///
/// # Errors
///
/// `BACKEND-KEY` for a file that is no key, and for one that the root doesn't list; `FETCH-NOTHING` if
/// the backend gives none; as [`Server::get`] and [`files::create`].
pub fn keep(server: &Server, root: Option<&Root>, folder: &Path) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for role in [RoleName::Snapshot, RoleName::Timestamp] {
        let name = format!("{}.key", role.as_str());
        let file = folder.join(&name);
        let fresh = std::fs::symlink_metadata(&file).is_err();
        let bytes = if fresh {
            server.get(&name, MOST)?.ok_or_else(|| {
                let found = format!("no {name} at {}", server.base().shown());
                Refusal::new(&rules::FETCH_NOTHING, found, "the backend's key")
            })?
        } else {
            media::read_file(&file, MOST)?
        };
        check(&role, &bytes, root).map_err(|why| why.at(shown(&file)))?;
        if fresh {
            files::create(&file, &bytes)?;
        }
        kept.push(Kept { role, file, sha256: Digest::of(&bytes), fresh });
    }
    Ok(kept)
}

/// Refuses what is no key, or not one that the root lists for the role.
fn check(role: &RoleName, bytes: &[u8], root: Option<&Root>) -> Result<()> {
    let json = Json::parse(bytes).ok();
    let read = json.as_ref().and_then(parts).ok_or_else(|| {
        let found = format!("{role}: no key");
        Refusal::new(&rules::BACKEND_KEY, found, "a public key in the backend's form")
    })?;
    let Some(root) = root else { return Ok(()) };
    let listed = root.roles.get(role).map(|role| &*role.keyids).unwrap_or_default();
    let listed = listed.iter().filter_map(|id| root.keys.get(id));
    if listed.filter_map(|key| parts(&key.entry)).any(|listed| listed == read) {
        return Ok(());
    }
    let found =
        format!("{role}: a {} key that root version {} doesn't list", visible(read.0), root.header.version);
    Err(Refusal::new(&rules::BACKEND_KEY, found, "a key that the root lists for this role"))
}

/// What makes a key the key that it is.
fn parts(entry: &Json) -> Option<(&str, &str)> {
    let public = entry.get("keyval")?.get("public")?.as_str()?;
    Some((entry.get("keytype")?.as_str()?, public))
}
