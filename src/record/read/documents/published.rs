//! What the backend serves, as a trusted snapshot and a trusted timestamp say.

use super::{Documents, Vouched};
use crate::record::read::roots::Signed as _;
use crate::record::read::withdrawn::Withdrawn;
use crate::tuf::chain::accept;
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, MetaFile};
use crate::tuf::evidence::Trusted;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;

/// Of rival files, the one that the newest trusted snapshot names.
pub(super) fn named_by_snapshot(
    documents: &Documents,
    role: &RoleName,
    version: u64,
    rivals: &[Digest],
    profile: Profile,
) -> Option<Digest> {
    let Document::Snapshot(snapshot) = documents.newest.get(&RoleName::Snapshot)?.document() else {
        return None;
    };
    let meta = snapshot.meta.get(role)?;
    meta.hashes.get("sha256")?;
    rivals.iter().find(|file| names(meta, version, file, profile)).copied()
}

/// Whether snapshot or timestamp mean this very file.
pub(super) fn names(meta: &MetaFile, version: u64, file: &Digest, profile: Profile) -> bool {
    let hash = meta.hashes.get("sha256").map(|hash| hash == file.as_bytes());
    match profile {
        Profile::Notary => hash == Some(true),
        Profile::Tuf => meta.version == Some(version) && hash != Some(false),
    }
}

/// What trusted timestamps and the snapshots that they name say is published. A snapshot of profile
/// `tuf` names no root: there a root is published with the first document that needs it.
pub(super) fn publish(
    documents: &mut Documents,
    all: &[Vouched],
    roots: &[Trusted],
    profile: Profile,
    withdrawn: &Withdrawn<'_>,
) {
    let of = |role: RoleName| all.iter().filter(move |v| *v.trusted.role() == role);
    for timestamp in of(RoleName::Timestamp) {
        let Document::Timestamp(view) = timestamp.trusted.document() else { continue };
        for snapshot in of(RoleName::Snapshot) {
            if !names(&view.snapshot, snapshot.trusted.version(), &snapshot.file, profile) {
                continue;
            }
            let Document::Snapshot(list) = snapshot.trusted.document() else { continue };
            documents.published.extend([timestamp.payload(), snapshot.payload()]);
            let named = |meta: &MetaFile, version, file: &Digest| names(meta, version, file, profile);
            documents.served_withdrawn.extend(withdrawn.served(&list.meta, named));
            for document in all {
                let meta = list.meta.get(document.trusted.role());
                if meta.is_some_and(|m| names(m, document.trusted.version(), &document.file, profile)) {
                    documents.published.insert(document.payload());
                }
            }
        }
    }
    if profile == Profile::Notary {
        return;
    }
    let published = all.iter().filter(|v| documents.published.contains(&v.payload()));
    let needed = published.filter_map(|v| {
        let role = v.trusted.role();
        let vouches = |root: &&Trusted| accept(root, role, v.trusted.envelope().clone(), None).is_ok();
        roots.iter().find(vouches).map(Trusted::version)
    });
    if let Some(newest) = needed.max() {
        let served = roots.iter().filter(|root| root.version() <= newest);
        let served: Vec<Digest> = served.map(|root| root.payload().digest()).collect();
        documents.published.extend(served);
    }
}
