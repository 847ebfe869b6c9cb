//! What clients of profile `tuf` would make of a web server's tree with an upload in it, found out before
//! anything of the upload is written.
//!
//! A client that has seen what the tree serves now takes the newest root, and walks from there over tree
//! and upload, delegations included. What no timestamp leads to yet is signed by whoever root says at
//! least. Signatures are checked: a MANIFEST has none, and whoever carries an upload could write another.
//!
//! Never: a file written here.

use super::rules;
use super::upload::Part;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::Media;
use crate::tuf::chain::check_role;
use crate::tuf::client::{Caps, Client, Settings, Signatures, State, listed_name, versioned_name};
use crate::tuf::document::Document;
use crate::tuf::evidence::Verified;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::time::Time;
use crate::tuf::wire;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The most bytes of a file that is there.
const MOST: u64 = 64 * 1024 * 1024;

/// Refuses an upload that clients of the tree would refuse.
///
/// # Errors
///
/// `UPLOAD-UNFIT` with what clients would say; what reading the tree refuses.
pub fn fit(tree: &Path, media: &Media, parts: &[Part], now: Time) -> Result<()> {
    walk(tree, media, parts, now).map_err(|why| match why.rule().exit {
        Exit::Device => why,
        _ => unfit(format!("clients would refuse it, {}: {}", why.rule().name, why.found())),
    })
}

fn unfit(found: String) -> Refusal {
    Refusal::new(&rules::UPLOAD_UNFIT, found, "an upload that clients accept over what is served now")
}

fn walk(tree: &Path, media: &Media, parts: &[Part], now: Time) -> Result<()> {
    let ours: BTreeMap<&str, &[u8]> = parts.iter().map(|part| (part.name.as_str(), part.bytes())).collect();
    // A web server's documents may wait for the timestamp that leads to them.
    let whole = parts.iter().any(|part| part.role == RoleName::Timestamp);
    let caps = Caps { rotations: u32::MAX, documents: u32::MAX, ..Caps::TUF };
    let settings = Settings { now, caps, collection: String::new(), pins: BTreeSet::new() };
    let state = State::from_files(seen(tree, media, parts)?);
    let mut client = Client::new(Profile::Tuf, settings, state, Signatures)?;
    go_on(&mut client, media, &ours, whole)?;
    if whole {
        client.look_around()?;
        go_on(&mut client, media, &ours, whole)?;
    }
    let outcome = client.outcome();
    let root = client.trusted(&RoleName::Root).ok_or_else(|| unfit("no root".to_owned()))?;
    for part in parts {
        let reached = outcome.versions.get(&part.role).copied();
        let skipped = outcome.skipped.iter().find(|(role, _)| *role == part.role);
        match (&part.role, skipped) {
            (RoleName::Root, _) if reached < Some(part.version()) => {
                let found = format!("root version {} behind version {}", part.version(), root.version());
                return Err(unfit(format!("clients would never reach {found}")));
            }
            (RoleName::Root, _) | (RoleName::Delegated(_), None) => {}
            (RoleName::Delegated(_), Some((_, why))) => return Err(why.clone()),
            _ if reached == Some(part.version()) && whole => {}
            _ => check_role(root.payload(), part.held.payload(), &Verified::new(&part.held))?,
        }
    }
    Ok(())
}

fn go_on(
    client: &mut Client<Signatures>,
    media: &Media,
    ours: &BTreeMap<&str, &[u8]>,
    whole: bool,
) -> Result<()> {
    loop {
        let mut answers = Vec::new();
        for want in client.wants() {
            if !whole && want.role != RoleName::Root {
                return Ok(());
            }
            let answer = match ours.get(want.name.as_str()) {
                Some(bytes) => Some(bytes.to_vec()),
                None => media.find(&want.name, want.limit)?,
            };
            answers.push((want, answer));
        }
        if answers.is_empty() {
            return Ok(());
        }
        client.feed_all(answers)?;
    }
}

/// What a client has that has seen what the tree serves now; of an empty one the upload's first root.
fn seen(tree: &Path, media: &Media, parts: &[Part]) -> Result<BTreeMap<RoleName, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let root = match newest_root(tree)? {
        Some(version) => media.find(&versioned_name(&RoleName::Root, version), MOST)?,
        None => None,
    };
    let root = root.or_else(|| {
        let roots = parts.iter().filter(|part| part.role == RoleName::Root);
        roots.min_by_key(|part| part.version()).map(|part| part.bytes().to_vec())
    });
    let root = root.ok_or_else(|| unfit(format!("no root in {}, and none goes up", shown(tree))))?;
    let held = wire::parse(Profile::Tuf, &RoleName::Root, &root)?;
    let consistent = held.payload().document().as_root().is_some_and(|root| root.consistent_snapshot);
    files.insert(RoleName::Root, root);
    if let Some(timestamp) = media.find("timestamp.json", MOST)? {
        let held = wire::parse(Profile::Tuf, &RoleName::Timestamp, &timestamp)?;
        if let Document::Timestamp(document) = held.payload().document() {
            let name = listed_name(Profile::Tuf, &RoleName::Snapshot, &document.snapshot, consistent)?;
            let snapshot = media.find(&name, MOST)?;
            files.extend(snapshot.map(|bytes| (RoleName::Snapshot, bytes)));
        }
        files.insert(RoleName::Timestamp, timestamp);
    }
    Ok(files)
}

/// The newest version of root in the tree, if there is one.
fn newest_root(tree: &Path) -> Result<Option<u64>> {
    let failed = |error: std::io::Error| {
        let found = format!("{}: {}", shown(tree), shown(Path::new(&error.to_string())));
        Refusal::new(&FILE_WRITE, found, "a place that can be read")
    };
    let mut newest = None;
    for entry in fs::read_dir(tree).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let version = name.to_str().and_then(|name| name.strip_suffix(".root.json")?.parse::<u64>().ok());
        newest = newest.max(version.filter(|version| *version > 0));
    }
    Ok(newest)
}
