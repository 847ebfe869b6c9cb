//! What the server asks of each document (`tuf/builder.go`, `trustpinning/certs.go`,
//! `tuf/signed/verify.go`), with its words for what it refuses.

use super::Loaded;
use super::parts::valid_delegation;
use crate::tuf::chain::signers_of;
use crate::tuf::client::{Judge, roots};
use crate::tuf::document::{Document, DocumentKey, Keys, RoleKeys, Root};
use crate::tuf::hashes::Hashes;
use crate::tuf::role::RoleName;
use crate::tuf::time::Time;
use crate::tuf::wire::Envelope;
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::BTreeSet;

/// What documents are judged by.
pub(super) struct Rules<'a, J> {
    pub judge: &'a J,
    pub collection: &'a str,
    pub now: Time,
}

impl<J: Judge> Rules<'_, J> {
    /// A root, after the one before if there is one; `lenient` of one that has expired.
    pub(super) fn root(
        &self,
        before: Option<&Envelope>,
        root: &Envelope,
        lenient: bool,
    ) -> Result<(), String> {
        const PATH: &str = "could not validate the path to a trusted root";
        let document = as_root(root)?;
        let valid = |key: &DocumentKey| roots::usable(key, self.collection) && roots::in_term(key, self.now);
        if !root_keys(document).any(|(_, key)| valid(key)) {
            return Err(format!("{PATH}: unable to retrieve valid leaf certificates"));
        }
        if let Some(before) = before {
            let before = as_root(before)?;
            let known = |key: &DocumentKey| roots::usable(key, self.collection);
            if !root_keys(before).any(|(_, key)| known(key)) {
                return Err(format!("{PATH}: could not retrieve trusted certs from previous root role data"));
            }
            if !self.signed_root(before, root, known) {
                return Err("could not rotate trust to a new trusted root: failed to validate data with \
                            current trusted certificates"
                    .to_owned());
            }
        }
        if !self.signed_root(document, root, valid) {
            return Err(format!("{PATH}: failed to validate integrity of roots"));
        }
        self.not_expired(root, lenient)
    }

    /// A targets document, the top-level role's or a delegation's.
    pub(super) fn targets(&self, loaded: &Loaded, held: &Envelope, lenient: bool) -> Result<(), String> {
        let role = held.payload().role();
        let above = match role.as_str().rsplit_once('/') {
            None => loaded.root.as_deref(),
            Some((above, _)) => loaded.targets.get(&RoleName::from_name(above)).map(|held| &**held),
        };
        let listed = above.and_then(|above| signers_of(above.payload().document(), role).ok());
        let Some((keys, role_keys)) = listed else {
            return Err(format!("tuf: invalid role {}. delegation does not exist", role.as_str()));
        };
        self.signed(keys, role_keys, held)?;
        self.not_expired(held, lenient)
    }

    /// A snapshot that came with the upload, over the documents that are loaded.
    pub(super) fn snapshot(&self, loaded: &Loaded, held: &Envelope) -> Result<(), String> {
        let root = loaded.root.as_deref().ok_or("root must be loaded first")?;
        let (keys, role) =
            signers_of(root.payload().document(), &RoleName::Snapshot).map_err(|e| e.to_string())?;
        self.signed(keys, role, held)?;
        self.not_expired(held, false)?;
        let Document::Snapshot(document) = held.payload().document() else {
            return Err("no snapshot".to_owned());
        };
        for listed in [Some(root)].into_iter().flatten().chain(loaded.targets.values().map(|held| &**held)) {
            let name = listed.payload().role();
            let hashes = document.meta.get(name).map(|meta| &meta.hashes);
            let known =
                hashes.into_iter().flat_map(Hashes::iter).filter_map(|(algorithm, digest)| match algorithm {
                    "sha256" => Some((algorithm, digest, Sha256::digest(listed.bytes()).to_vec())),
                    "sha512" => Some((algorithm, digest, Sha512::digest(listed.bytes()).to_vec())),
                    _ => None,
                });
            let mut checked = false;
            for (algorithm, digest, computed) in known {
                checked = true;
                if *digest != computed {
                    let expected = base16ct::lower::encode_string(digest);
                    let name = name.as_str();
                    return Err(format!(
                        "{algorithm} checksum for {name} did not match: expected {expected}"
                    ));
                }
            }
            if !checked {
                let name = name.as_str();
                return Err(format!("no checksums for supported algorithms were provided for {name}"));
            }
        }
        Ok(())
    }

    fn not_expired(&self, held: &Envelope, lenient: bool) -> Result<(), String> {
        let payload = held.payload();
        let expires = payload.document().header().expires;
        if lenient || expires >= self.now {
            return Ok(());
        }
        Err(format!("{} expired at {expires}", payload.role().as_str()))
    }

    fn signed(&self, keys: &Keys, role: &RoleKeys, held: &Envelope) -> Result<(), String> {
        let name = held.payload().role().as_str();
        let listed: BTreeSet<_> = role.keyids.iter().collect();
        // An id that isn't the key's own ends the whole check, not only that signature's.
        let ids = held.signatures().iter().map(|s| &s.keyid).filter(|id| listed.contains(id));
        if ids.filter_map(|id| keys.get(id)).any(|key| !key.id_matches()) {
            return Err("key ID is not valid for key content".to_owned());
        }
        if self.count(keys, role, held, |_| true) >= role.threshold.get() {
            return Ok(());
        }
        if held.signatures().is_empty() {
            return Err("tuf: data has no signatures".to_owned());
        }
        Err(format!("valid signatures did not meet threshold for {name}"))
    }

    fn signed_root(&self, by: &Root, root: &Envelope, counts: impl Fn(&DocumentKey) -> bool) -> bool {
        by.roles.get(&RoleName::Root).is_some_and(|role| {
            let counts = |key: &DocumentKey| key.certificate.is_some() && key.id_matches() && counts(key);
            self.count(&by.keys, role, root, counts) >= role.threshold.get()
        })
    }

    /// Key ids that signed. One public key under two ids is two: the server can't tell.
    fn count(
        &self,
        keys: &Keys,
        role: &RoleKeys,
        held: &Envelope,
        counts: impl Fn(&DocumentKey) -> bool,
    ) -> u32 {
        let evidence = self.judge.evidence(held);
        let ids: BTreeSet<_> = role.keyids.iter().collect();
        let signed = ids.into_iter().filter(|id| {
            let one = RoleKeys { keyids: [(*id).clone()].into(), threshold: role.threshold };
            keys.get(*id).is_some_and(&counts) && !evidence.signers(keys, &one, held.payload()).is_empty()
        });
        u32::try_from(signed.count()).unwrap_or(u32::MAX)
    }
}

/// What must be loaded before a targets document is.
pub(super) fn loaded_first(loaded: &Loaded, role: &RoleName) -> Result<(), String> {
    if *role != RoleName::Targets && !loaded.targets.contains_key(&RoleName::Targets) {
        return Err("targets must be loaded first".to_owned());
    }
    Ok(())
}

/// What Go asks of a document's structure beyond what our reader does (`tuf/data`).
pub(super) fn structure(held: &Envelope) -> Result<(), String> {
    let role = held.payload().role().as_str();
    let keys_there = |name: &RoleName, listed: &RoleKeys, keys: &Keys| match listed
        .keyids
        .iter()
        .find(|id| !keys.contains_key(*id))
    {
        None => Ok(()),
        Some(id) => Err(format!(
            "{role} type metadata invalid: key ID {} specified in {} without corresponding key",
            id.as_str(),
            name.as_str()
        )),
    };
    match held.payload().document() {
        Document::Root(root) => {
            for name in &RoleName::TOP {
                if let Some(listed) = root.roles.get(name) {
                    keys_there(name, listed, &root.keys)?;
                }
            }
        }
        Document::Targets(targets) => {
            for delegated in &targets.delegations.roles {
                let name = delegated.name.as_str();
                let below = name.rsplit_once('/').is_some_and(|(above, _)| above == role);
                if !below || !valid_delegation(name) {
                    return Err(format!("{role} type metadata invalid: delegation role {name} invalid"));
                }
                keys_there(&delegated.name, &delegated.keys, &targets.delegations.keys)?;
            }
        }
        Document::Snapshot(snapshot) => {
            for name in [RoleName::Root, RoleName::Targets] {
                if snapshot.meta.get(&name).is_none_or(|meta| meta.hashes.get("sha256").is_none()) {
                    let name = name.as_str();
                    return Err(format!(
                        "{role} type metadata invalid: missing {name} sha256 checksum information"
                    ));
                }
            }
        }
        Document::Timestamp(_) => {}
    }
    Ok(())
}

fn as_root(held: &Envelope) -> Result<&Root, String> {
    held.payload().document().as_root().ok_or_else(|| "no root".to_owned())
}

fn root_keys(root: &Root) -> impl Iterator<Item = (&crate::tuf::key::KeyId, &DocumentKey)> {
    let ids = root.roles.get(&RoleName::Root).map(|role| &*role.keyids).unwrap_or_default();
    ids.iter().filter_map(|id| Some((id, root.keys.get(id)?)))
}
