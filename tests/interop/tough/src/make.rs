//! Makes a repository as `tuftool` does, by the same calls of `tough`: `root init`, `add-key`, `sign` and
//! `create`. Its keys are files named by role, ECDSA in DER; root has every `root-…` and a threshold of two.

use aws_lc_rs::rand::SystemRandom;
use serde_json::Value;
use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tough::editor::RepositoryEditor;
use tough::editor::signed::SignedRole;
use tough::key_source::{KeySource, LocalKeySource};
use tough::schema::{KeyHolder, RoleKeys, RoleType, Root};

/// Until when everything is valid.
const EXPIRES: &str = "2060-01-01T00:00:00Z";

/// Writes the first root if there is none, and this version of everything below it.
pub async fn make(metadata: &Path, keys: &Path, version: &str) -> Result<Value, Box<dyn Error>> {
    std::fs::create_dir_all(metadata)?;
    let root = metadata.join("1.root.json");
    if !root.exists() {
        first_root(metadata, keys).await?;
    }
    let version: NonZeroU64 = version.parse()?;
    let mut editor = RepositoryEditor::new(&root).await?;
    editor.targets_expires(EXPIRES.parse()?)?.targets_version(version)?;
    editor.snapshot_expires(EXPIRES.parse()?).snapshot_version(version);
    editor.timestamp_expires(EXPIRES.parse()?).timestamp_version(version);
    // Any file will do as a target.
    editor.add_target_path(&root).await?;
    editor.sign(&sources(keys, "")?).await?.write(metadata).await?;
    Ok(version.get().into())
}

async fn first_root(metadata: &Path, keys: &Path) -> Result<(), Box<dyn Error>> {
    let mut root = Root {
        spec_version: "1.0.0".to_owned(),
        consistent_snapshot: true,
        version: NonZeroU64::MIN,
        expires: EXPIRES.parse()?,
        keys: HashMap::new(),
        roles: HashMap::new(),
        _extra: HashMap::new(),
    };
    for (role, name) in [
        (RoleType::Root, "root-"),
        (RoleType::Targets, "targets"),
        (RoleType::Snapshot, "snapshot"),
        (RoleType::Timestamp, "timestamp"),
    ] {
        let mut keyids = Vec::new();
        for source in sources(keys, name)? {
            let key = source.as_sign().await.map_err(|error| error.to_string())?.tuf_key();
            keyids.push(key.key_id()?);
            root.keys.insert(key.key_id()?, key);
        }
        let threshold = if role == RoleType::Root { 2 } else { 1 };
        let threshold = NonZeroU64::new(threshold).ok_or("no threshold")?;
        root.roles.insert(role, RoleKeys { keyids, threshold, _extra: HashMap::new() });
    }
    let holder = KeyHolder::Root(root.clone());
    let signed = SignedRole::new(root, &holder, &sources(keys, "root-")?, &SystemRandom::new()).await?;
    std::fs::write(metadata.join("1.root.json"), signed.buffer())?;
    Ok(())
}

/// The keys whose names begin so.
fn sources(keys: &Path, begins: &str) -> Result<Vec<Box<dyn KeySource>>, Box<dyn Error>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(keys)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found.into_iter().map(|path| -> Box<dyn KeySource> { Box::new(LocalKeySource { path }) }).collect())
}
