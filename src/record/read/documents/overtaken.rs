//! Of two documents of one version, the one that was sealed here and never went up.
//!
//! It gives way without a decision only where everything that the record holds says the same: who might
//! lie are a backend, which can show each customer another document, and a thief of a developer's key, who
//! can sign any. What anyone can write into a record (a change, a receipt) never makes a document harmless;
//! it only keeps one from passing for it.

use super::delegators::Delegators;
use super::published::names;
use super::{Documents, Vouched};
use crate::ceremony::overtaken::Overtaken;
use crate::record::contents::StoredChange;
use crate::record::names::Place;
use crate::record::read::Desk;
use crate::record::read::roots::Signed as _;
use crate::record::receipt::Receipt;
use crate::tuf::chain::signers_of;
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, MetaFile};
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};

/// What was done here and what backends are said to have answered.
pub(in crate::record::read) struct Past<'a> {
    pub changes: &'a BTreeMap<Digest, StoredChange>,
    pub receipts: &'a [Receipt],
    /// Uploads that a backend is said to have taken.
    pub taken: &'a Taken,
    /// Whether the documents of a change were sealed in this very copy.
    pub sealed_here: &'a dyn Fn(&Digest) -> bool,
}

/// Uploads that a backend is said to have taken, whatever it served afterwards.
#[derive(Default)]
pub(in crate::record::read) struct Taken {
    /// Their files.
    pub files: BTreeSet<Digest>,
    /// The changes that made them, whose documents may have gone up with signatures that aren't here.
    pub changes: BTreeSet<Digest>,
}

/// Snapshots and timestamps as they were found.
#[derive(Default)]
pub(super) struct Online {
    /// Every snapshot that met a threshold, those of which there are two of one version as well.
    snapshots: Vec<Trusted>,
    /// What stands of both: the file's digest, and the document.
    stands: Vec<(Digest, Trusted)>,
}

impl Online {
    /// Takes note of a snapshot, whatever becomes of it.
    pub(super) fn found(&mut self, role: &RoleName, document: &Trusted) {
        if *role == RoleName::Snapshot {
            self.snapshots.push(document.clone());
        }
    }

    /// Takes note of what stands of an online role.
    pub(super) fn stand(&mut self, role: &RoleName, documents: &[Vouched]) {
        if matches!(role, RoleName::Snapshot | RoleName::Timestamp) {
            self.stands.extend(documents.iter().map(|v| (v.file, v.trusted.clone())));
        }
    }

    /// What the snapshots that a timestamp names say of a role.
    fn served<'a>(&'a self, role: &'a RoleName, profile: Profile) -> impl Iterator<Item = &'a MetaFile> {
        let named = move |file: &Digest, snapshot: &Trusted| {
            self.stands.iter().any(|(_, timestamp)| match timestamp.document() {
                Document::Timestamp(view) => names(&view.snapshot, snapshot.version(), file, profile),
                _ => false,
            })
        };
        self.stands.iter().filter_map(move |(file, document)| match document.document() {
            Document::Snapshot(list) if named(file, document) => list.meta.get(role),
            _ => None,
        })
    }

    /// What any snapshot says of a role.
    fn said<'a>(&'a self, role: &'a RoleName) -> impl Iterator<Item = &'a MetaFile> {
        self.snapshots.iter().filter_map(move |snapshot| match snapshot.document() {
            Document::Snapshot(list) => list.meta.get(role),
            _ => None,
        })
    }
}

/// What there is of a role.
#[derive(Default)]
pub(super) struct Found {
    /// Files that met a threshold, oldest version first: version, payload, digest.
    pub vouched: Vec<(u64, Digest, Digest)>,
    /// Every file that can be read, whoever signed it, and its version.
    pub read: BTreeMap<Digest, u64>,
}

/// Takes out of the files of one version those that were overtaken.
pub(super) fn overtaken_give_way(
    desk: &mut Desk<'_>,
    documents: &mut Documents,
    past: &Past<'_>,
    delegators: &Delegators,
    files: &mut Vec<(Place, Vouched)>,
    all: &Found,
) {
    let lost = Pair { documents, past, delegators, profile: desk.trust.profile, all }.lost(files);
    files.retain(|(place, v)| {
        let gone = lost.iter().any(|lost| lost.payload == v.payload());
        if gone {
            desk.accept(place);
            documents.overtaken_files.insert(v.file, v.trusted.role().clone());
        }
        !gone
    });
    documents.overtaken.extend(lost.into_iter().map(|lost| (lost.payload, lost)));
}

struct Pair<'a> {
    documents: &'a Documents,
    past: &'a Past<'a>,
    delegators: &'a Delegators,
    profile: Profile,
    all: &'a Found,
}

impl Pair<'_> {
    /// The overtaken ones: all but one that is published, or none at all.
    fn lost(&self, files: &[(Place, Vouched)]) -> Vec<Overtaken> {
        let payloads: BTreeSet<Digest> = files.iter().map(|(_, v)| v.payload()).collect();
        let Some(role) = files.first().map(|(_, v)| v.trusted.role()) else { return Vec::new() };
        if payloads.len() < 2 || !matches!(role, RoleName::Delegated(_)) {
            return Vec::new();
        }
        let mut published = files.iter().map(|(_, v)| v).filter(|v| self.is_served(role, v.file));
        let Some(stands) = published.next() else { return Vec::new() };
        let Some(next) = self.made_from(role, stands) else { return Vec::new() };
        let signers = self.signers(role, files, stands.payload());
        let both = self.all_signers(role, files, stands.payload());
        let published: BTreeSet<Digest> =
            files.iter().filter(|(_, v)| v.payload() == stands.payload()).map(|(_, v)| v.file).collect();
        // Whatever was served of that version in another file may be any of the others: the same payload
        // goes up with other signatures as well.
        let hinted = self.is_hinted_at(role, stands.trusted.version(), &published);
        let others = payloads.into_iter().filter(|payload| *payload != stands.payload());
        let lost = others.map(|payload| {
            let forked = !self.all_signers(role, files, payload).is_disjoint(&both);
            let own = self.maker(role, &payload).is_some();
            (own && !forked && !hinted && !self.is_taken(&payload)).then(|| Overtaken {
                role: role.clone(),
                version: stands.trusted.version(),
                payload,
                published: stands.payload(),
                signers: signers.clone(),
                next,
            })
        });
        lost.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// Whether a snapshot that a timestamp names has the digest of this very file.
    fn is_served(&self, role: &RoleName, file: Digest) -> bool {
        let mut served = self.documents.online.served(role, self.profile);
        served.any(|meta| meta.hashes.get("sha256").is_some_and(|hash| hash == file.as_bytes()))
    }

    /// Whether anything here says that a backend served or took a file of that version that is none of
    /// these, signed or not.
    fn is_hinted_at(&self, role: &RoleName, version: u64, published: &BTreeSet<Digest>) -> bool {
        let another = |file: &Digest| !published.contains(file);
        let here = |file: &Digest| self.all.read.get(file) == Some(&version) && another(file);
        let mut said = self.documents.online.said(role);
        let mut answered = self.past.receipts.iter().flat_map(|receipt| &receipt.served);
        said.any(|meta| means_another(meta, version, published, &self.all.read, self.profile))
            || answered.any(|(of, (v, file))| here(file) || of == role && *v == version && another(file))
            || self.past.taken.files.iter().any(here)
    }

    /// Whether a backend is said to have taken what a change with that document made.
    fn is_taken(&self, payload: &Digest) -> bool {
        let changes = self.past.taken.changes.iter().filter_map(|change| self.past.changes.get(change));
        changes.flat_map(|stored| stored.change.documents()).any(|document| document.digest() == *payload)
    }

    /// The change of this one document alone that was sealed here.
    fn maker(&self, role: &RoleName, payload: &Digest) -> Option<&StoredChange> {
        let one = |stored: &&StoredChange| {
            let mut made = stored.change.documents();
            let own = made.next().is_some_and(|d| d.role() == role && d.digest() == *payload);
            own && made.next().is_none()
        };
        self.past.changes.values().filter(one).find(|stored| (self.past.sealed_here)(&stored.digest))
    }

    /// The published version after a document that people here made from it.
    fn made_from(&self, role: &RoleName, from: &Vouched) -> Option<u64> {
        let base = (from.trusted.version(), from.payload());
        let mut later = self.all.vouched.iter().filter(|(version, ..)| *version > base.0);
        later.find_map(|(version, payload, file)| {
            let stored = self.maker(role, payload).filter(|_| self.is_served(role, *file))?;
            (stored.change.base.documents.get(role) == Some(&base)).then_some(*version)
        })
    }

    /// Whose keys, of those that any document here lists for the role, have signed a payload.
    fn signers(&self, role: &RoleName, files: &[(Place, Vouched)], payload: Digest) -> BTreeSet<KeyIdentity> {
        let mut signers = BTreeSet::new();
        for (_, v) in files.iter().filter(|(_, v)| v.payload() == payload) {
            let evidence = Verified::new(v.trusted.envelope());
            for delegator in self.delegators.of(role) {
                let Ok((keys, listed)) = signers_of(delegator.document(), role) else { continue };
                signers.extend(evidence.under(keys, listed).into_iter().map(|(key, _)| key));
            }
        }
        signers
    }

    /// The same, with those whose signature came in for a change and is in no file.
    fn all_signers(
        &self,
        role: &RoleName,
        files: &[(Place, Vouched)],
        payload: Digest,
    ) -> BTreeSet<KeyIdentity> {
        let mut signers = self.signers(role, files, payload);
        let delegators = self.delegators.of(role).filter_map(|d| signers_of(d.document(), role).ok());
        let public = delegators.flat_map(|(keys, listed)| {
            listed.keyids.iter().filter_map(|id| keys.get(id)?.public.as_ref()).map(PublicKey::identity)
        });
        let listed: BTreeSet<KeyIdentity> = public.collect();
        let gathered = self.past.changes.values().flat_map(|stored| &stored.gathered.signatures);
        let of = gathered.filter(|(key, signed)| *signed == payload && listed.contains(key));
        signers.extend(of.map(|(key, _)| *key));
        signers
    }
}

/// Whether an entry of a snapshot means a version in a file that is none of these. Where it doesn't say the
/// version, as in profile `notary`, it does with every digest that is of no other version's file here.
fn means_another(
    meta: &MetaFile,
    version: u64,
    published: &BTreeSet<Digest>,
    read: &BTreeMap<Digest, u64>,
    profile: Profile,
) -> bool {
    let hash = meta.hashes.get("sha256");
    // One of another length is of no file.
    let file = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok()).map(Digest::from_bytes);
    if file.is_some_and(|file| published.contains(&file)) {
        return false;
    }
    match profile {
        Profile::Tuf => meta.version == Some(version),
        Profile::Notary => file.and_then(|file| read.get(&file)).is_none_or(|of| *of == version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_means_another_file_of_the_version_unless_it_means_something_else() {
        let (stands, lost, older, nowhere) =
            (Digest::of(b"stands"), Digest::of(b"lost"), Digest::of(b"older"), Digest::of(b"nowhere"));
        let published = BTreeSet::from([stands]);
        let read = BTreeMap::from([(stands, 2), (lost, 2), (older, 1)]);
        let says = |version: Option<u64>, file: Option<Digest>| {
            let hashes = file.map(|file| ("sha256".to_owned(), file.as_bytes().to_vec()));
            let hashes: BTreeMap<_, _> = hashes.into_iter().collect();
            MetaFile { version, length: None, hashes: hashes.into() }
        };
        // Version and file of the entry; whether it means another in `tuf`, and in `notary`.
        let cases = [
            (Some(2), Some(stands), false, false),
            (Some(2), Some(lost), true, true),
            (Some(2), Some(nowhere), true, true),
            (Some(2), None, true, true),
            (Some(1), Some(older), false, false),
            (Some(1), None, false, true),
            (None, Some(stands), false, false),
            (None, Some(lost), false, true),
            (None, Some(nowhere), false, true),
            (None, Some(older), false, false),
        ];
        for (version, file, tuf, notary) in cases {
            let means = |profile| means_another(&says(version, file), 2, &published, &read, profile);
            assert_eq!(means(Profile::Tuf), tuf, "tuf {version:?} {file:?}");
            assert_eq!(means(Profile::Notary), notary, "notary {version:?} {file:?}");
        }
    }
}
