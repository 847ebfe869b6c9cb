//! The root that an agent trusts first: it says of which profile everything else is, in profile `notary`
//! which collection, and where what follows from it is kept.

use super::home;
use crate::cli::session::shown;
use crate::record::media;
use crate::record::rules::COLLECTION;
use crate::tuf::certificate;
use crate::tuf::client::Caps;
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire::{self, Envelope};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A root that is trusted for a reason of somebody's own: it came with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its file.
    pub bytes: Vec<u8>,
    /// Of which profile it is.
    pub profile: Profile,
    /// The collection of profile `notary`; empty in profile `tuf`.
    pub collection: String,
}

impl First {
    /// Reads it; in profile `notary` the collection is the one that was named, or the one that its
    /// certificates name.
    ///
    /// # Errors
    ///
    /// Why it is no root; `COLLECTION`; what reading a file refuses.
    pub fn read(file: &Path, named: Option<&str>) -> Result<Self> {
        let bytes = media::read_file(file, Caps::NOTARY.root)?;
        let (profile, root) = root_of(&bytes).map_err(|why| why.at(shown(file)))?;
        let collection = if profile == Profile::Notary { collection(named, &root)? } else { String::new() };
        Ok(Self { bytes, profile, collection })
    }

    /// The folder for what follows from it: the one that was named, or one of its own below where such
    /// things are kept, for those who do the same.
    ///
    /// # Errors
    ///
    /// `USAGE` without a home.
    pub fn folder(&self, named: Option<&Path>, doing: &str) -> Result<PathBuf> {
        if let Some(folder) = named {
            return Ok(folder.to_owned());
        }
        let base = home::state().ok_or_else(|| {
            let expected = "a folder named with --state DIR";
            Refusal::new(&crate::cli::rules::USAGE, "no --state, and no home", expected)
        })?;
        let root: String = Digest::of(&self.bytes).hex().chars().take(16).collect();
        Ok(base.join("keyrite-courier").join(format!("{doing}{root}")))
    }
}

/// A root of either profile.
fn root_of(bytes: &[u8]) -> Result<(Profile, Envelope)> {
    let parse = |profile| Ok((profile, wire::parse(profile, &RoleName::Root, bytes)?));
    parse(Profile::Notary).or_else(|notary| {
        parse(Profile::Tuf).map_err(|tuf| {
            let json = Json::parse(bytes).ok();
            let kind = json.as_ref().and_then(|json| json.get("signed")?.get("_type")?.as_str());
            if kind == Some("Root") { notary } else { tuf }
        })
    })
}

/// The collection that was named, or the one that every root certificate names.
fn collection(typed: Option<&str>, root: &Envelope) -> Result<String> {
    if let Some(typed) = typed {
        return Ok(typed.to_owned());
    }
    let document = root.payload().document().as_root();
    let names = document.map(certified).unwrap_or_default();
    if let Some(name) = names.first().filter(|name| names.len() == 1 && !name.ends_with('*')) {
        return Ok(name.clone());
    }
    let names: Vec<_> = names.iter().map(|name| format!("\"{}\"", visible(name))).collect();
    let found = format!("root certificates that name {}", names.join(", "));
    Err(Refusal::new(&COLLECTION, found, "one collection, or --collection NAME"))
}

fn certified(root: &Root) -> BTreeSet<String> {
    let ids = root.roles.get(&RoleName::Root).map(|role| &role.keyids);
    let keys = ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| root.keys.get(id));
    let leaves = keys.filter_map(|key| certificate::leaf(key.certificate.as_deref()?).ok());
    leaves.filter_map(|leaf| leaf.common_name).collect()
}
