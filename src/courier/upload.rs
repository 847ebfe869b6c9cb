//! An upload on its way: read from a medium, and checked before anything of it leaves.
//!
//! Every byte is as MANIFEST says, every document reads as the role and version that its name says, and
//! for a Notary backend has the very form in which that writes it again: one that has not is taken with
//! 200 and makes the collection useless to every client (notary-v1 3). What a backend would refuse is
//! found here first, by the model of its rules, over what it serves now.

use super::published::Served;
use super::rules;
use crate::ceremony::facts::Trust;
use crate::record::Media;
use crate::record::manifest::{FileName, Manifest, NAME};
use crate::record::rules::RECORD_OTHER;
use crate::tuf::backend_model::{BackendModel, ServerKey};
use crate::tuf::client::expected::{Expected, Signers};
use crate::tuf::digest::Digest;
use crate::tuf::document::Root;
use crate::tuf::key::PublicKey;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::tuf::wire::{self, Envelope};
use std::collections::BTreeMap;
use std::path::Path;

/// The most bytes of a file of an upload (FORMAT.md, caps).
const MOST: u64 = 64 * 1024 * 1024;

/// A document that goes up.
#[derive(Debug, Clone)]
pub struct Part {
    /// The name of its file, as clients of profile `tuf` ask for it.
    pub name: String,
    /// Whose it is.
    pub role: RoleName,
    /// The document.
    pub held: Envelope,
}

impl Part {
    /// Its version.
    pub fn version(&self) -> u64 {
        self.held.payload().version()
    }

    /// Its file.
    pub fn bytes(&self) -> &[u8] {
        self.held.bytes()
    }
}

/// An upload that may leave.
#[derive(Debug, Clone)]
pub struct Load {
    /// The digest of MANIFEST, which is the upload's name.
    pub manifest: Digest,
    /// The documents, in the order that keeps clients consistent: nobody asks for a versioned name before
    /// a timestamp leads to it, but for the next root.
    pub parts: Vec<Part>,
}

impl Load {
    /// Reads the folder of an upload of this trust.
    ///
    /// # Errors
    ///
    /// `MANIFEST-…`; `RECORD-OTHER` for another trust's; why a document can't be read; `NOTARY-BYTES`;
    /// `UPLOAD-NAME` for a file that holds another document than its name says.
    pub fn read(folder: &Path, trust: &Trust) -> Result<Self> {
        let media = Media::open(folder)?;
        let text = media.read(NAME, MOST)?;
        let manifest = Manifest::parse(&text)?;
        if manifest.trust != trust.id || manifest.stage != trust.stage {
            let found = format!("an upload of the trust {}", manifest.trust);
            return Err(Refusal::new(&RECORD_OTHER, found, format!("one of {}", trust.id)));
        }
        let mut files = BTreeMap::new();
        for name in manifest.files.keys() {
            if let Some(bytes) = media.find(name.as_str(), MOST)? {
                files.insert(name.clone(), bytes);
            }
        }
        manifest.check(&files)?;
        let mut parts = Vec::new();
        for (name, line) in &manifest.files {
            if let (Some(role), Some(bytes)) = (&line.role, files.get(name)) {
                parts.push(part(trust.profile, name, role, bytes).map_err(|why| why.at(name.as_str()))?);
            }
        }
        if parts.is_empty() {
            let found = "an upload without a document";
            return Err(Refusal::new(&rules::UPLOAD_NAME, found, "a document to hand over"));
        }
        parts.sort_by_key(|part| (rank(&part.role), part.version(), part.name.clone()));
        Ok(Self { manifest: Digest::of(&text), parts })
    }

    /// Refuses what a Notary backend would refuse that serves these documents now.
    ///
    /// # Errors
    ///
    /// `UPLOAD-UNFIT` with what the backend would say.
    pub fn judged(
        &self,
        trust: &Trust,
        served: &BTreeMap<&RoleName, &Served>,
        parts: &[&Part],
        now: Time,
    ) -> Result<()> {
        let stored = served.get(&RoleName::Root);
        let stored =
            stored.map(|root| wire::parse(Profile::Notary, &RoleName::Root, &root.bytes)).transpose()?;
        let ours = self.parts.iter().find(|part| part.role == RoleName::Root).map(|part| &part.held);
        let root = |held: &Envelope| held.payload().document().as_root().cloned();
        let roots: Vec<Root> = [stored.as_ref(), ours].into_iter().flatten().filter_map(root).collect();
        let Some(newest) = roots.last() else { return Ok(()) };
        let key = |role| online(newest, role).next().cloned().map(ServerKey::assumed);
        let (Some(snapshot), Some(timestamp)) = (key(&RoleName::Snapshot), key(&RoleName::Timestamp)) else {
            return Ok(());
        };
        let all = || {
            let roles = [RoleName::Snapshot, RoleName::Timestamp];
            roots.iter().flat_map(move |root| {
                roles
                    .clone()
                    .into_iter()
                    .flat_map(move |role| online(root, &role).cloned().collect::<Vec<_>>())
            })
        };
        let judge = Expected::new(Signers::new());
        judge.online(all().map(|key| key.identity()).collect());
        let mut model = BackendModel::with_judge(&trust.collection, snapshot, timestamp, judge);
        model.hold(all().map(ServerKey::assumed));
        for (role, document) in served {
            model.stock(role, document.version, &document.bytes);
        }
        let parts: Vec<_> =
            parts.iter().map(|part| (part.role.as_str().to_owned(), part.bytes().to_vec())).collect();
        model.upload(&parts, now).map_err(|answer| {
            let found = format!("the backend would answer {answer}");
            Refusal::new(&rules::UPLOAD_UNFIT, found, "an upload that fits what it serves now")
        })
    }
}

fn online<'a>(root: &'a Root, role: &RoleName) -> impl Iterator<Item = &'a PublicKey> {
    let ids = root.roles.get(role).map(|role| &*role.keyids).unwrap_or_default();
    ids.iter().filter_map(|id| root.keys.get(id)?.public.as_ref())
}

fn part(profile: Profile, name: &FileName, role: &RoleName, bytes: &[u8]) -> Result<Part> {
    let held = wire::parse(profile, role, bytes)?;
    let version = held.payload().version();
    let expected = match profile {
        Profile::Notary => format!("{}.json", role.file_name()),
        Profile::Tuf if *role == RoleName::Timestamp => "timestamp.json".to_owned(),
        Profile::Tuf => crate::tuf::client::versioned_name(role, version),
    };
    if name.as_str() != expected {
        let found = format!("{role} version {version}");
        return Err(Refusal::new(&rules::UPLOAD_NAME, found, format!("the name {expected} for it")));
    }
    if profile == Profile::Notary {
        wire::poisonous(bytes)?;
    }
    Ok(Part { name: expected, role: role.clone(), held })
}

const fn rank(role: &RoleName) -> u8 {
    match role {
        RoleName::Delegated(_) => 0,
        RoleName::Targets => 1,
        RoleName::Snapshot => 2,
        RoleName::Root => 3,
        RoleName::Timestamp => 4,
    }
}
