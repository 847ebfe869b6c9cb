//! When a Notary client takes a root (notary-v1 5, `trustpinning/certs.go`).
//!
//! Root keys count only in certificates: one leaf, first of its text, not a CA's, its common name
//! the collection (or a prefix of it and `*`). For the root before, age doesn't matter; for the
//! new root, certificates must be valid now, which makes them the hard deadline.

use super::Settings;
use crate::tuf::certificate::{self, Leaf};
use crate::tuf::document::{DocumentKey, Root};
use crate::tuf::evidence::Evidence;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::rules;
use crate::tuf::text::visible;
use crate::tuf::threshold::{Tally, tally_if};
use crate::tuf::time::{Term, Time, Unit};

/// Why a root is no successor.
#[derive(Debug)]
pub(super) enum Rotation {
    /// The root before has not signed it: others may lie between the two.
    NotBefore(Refusal),
    /// It is refused whatever came before.
    Refused(Refusal),
}

impl Rotation {
    pub(super) fn into_inner(self) -> Refusal {
        match self {
            Self::NotBefore(refused) | Self::Refused(refused) => refused,
        }
    }
}

/// Whether enough keys of the root before have signed this one.
pub(super) fn by_the_one_before(
    evidence: &dyn Evidence,
    before: &MetadataPayload,
    root: &MetadataPayload,
    settings: &Settings,
) -> Result<()> {
    let tally = count(evidence, before, root, |key| usable(key, &settings.collection))?;
    let whose = format!("root version {} by keys of version {}", root.version(), before.version());
    met(&tally, &rules::ROOT_THRESHOLD_OLD, &whose)
}

/// Whether a root meets its own threshold, with certificates that are valid now and, on first
/// contact, pinned. What is to blame is named: too few signatures, the certificates, or the pins.
pub(super) fn integrity(
    evidence: &dyn Evidence,
    root: &MetadataPayload,
    settings: &Settings,
    first: bool,
) -> Result<()> {
    let whose = format!("root version {} by its own keys", root.version());
    let signed = count(evidence, root, root, |_| true)?;
    met(&signed, &rules::ROOT_THRESHOLD_NEW, &whose)?;
    let named = count(evidence, root, root, |key| usable(key, &settings.collection))?;
    let collection = format!("{whose} in certificates of \"{}\"", visible(&settings.collection));
    met(&named, &rules::CERTIFICATE_NAME, &collection)?;
    let valid = |key: &DocumentKey| usable(key, &settings.collection) && in_term(key, settings.now);
    let now = format!("{whose} in certificates that are valid at {}", settings.now);
    met(&count(evidence, root, root, valid)?, &rules::CERTIFICATE_EXPIRED, &now)?;
    if first && !settings.pins.is_empty() {
        let pinned = count(evidence, root, root, |key| valid(key) && settings.pins.contains(&key.id))?;
        met(&pinned, &rules::PINNED, &format!("{whose} that are pinned"))?;
    }
    Ok(())
}

fn count(
    evidence: &dyn Evidence,
    by: &MetadataPayload,
    root: &MetadataPayload,
    counts: impl Fn(&DocumentKey) -> bool,
) -> Result<Tally> {
    let document: Option<&Root> = by.document().as_root();
    let role = document.and_then(|d| Some((&d.keys, d.roles.get(&RoleName::Root)?)));
    let (keys, role) = role.ok_or_else(|| {
        Refusal::new(&rules::DOCUMENT_TYPE, format!("a document of {}", by.role()), "a root")
    })?;
    Ok(tally_if(keys, role, root, evidence, counts))
}

fn met(tally: &Tally, rule: &'static Rule, whose: &str) -> Result<()> {
    if tally.met() {
        return Ok(());
    }
    let found = format!("{whose}: {} of {} needed keys signed", tally.signed.len(), tally.need);
    Err(Refusal::new(rule, found, format!("{} of the {} that could", tally.need, tally.listed.len())))
}

fn leaf_of(key: &DocumentKey) -> Option<Leaf> {
    certificate::leaf(key.certificate.as_deref()?).ok()
}

/// Whether a root key counts for a collection, whatever the date.
pub(in crate::tuf) fn usable(key: &DocumentKey, collection: &str) -> bool {
    leaf_of(key).is_some_and(|leaf| {
        let name = leaf.common_name.as_deref().unwrap_or_default();
        let named = match name.strip_suffix('*') {
            Some(_) => collection.starts_with(name.trim_end_matches('*')),
            None => name == collection,
        };
        named && !leaf.is_ca && leaf.leaves == 1 && !leaf.sha1 && leaf.not_before <= leaf.not_after
    })
}

/// Whether its certificate is valid; a day's grace for those made on a host whose clock is ahead.
pub(in crate::tuf) fn in_term(key: &DocumentKey, now: Time) -> bool {
    let tomorrow = now.plus(Term::new(1, Unit::Days)).unwrap_or(now);
    leaf_of(key).is_some_and(|leaf| leaf.not_before <= tomorrow && now <= leaf.not_after)
}
