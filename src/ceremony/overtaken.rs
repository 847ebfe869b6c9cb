//! A sealed document that never went up, since a colleague's of the same version was published first.
//!
//! Two developers of one application can make one version at a time: the backend takes one, and whoever
//! lost makes the version after it. Their copy of the record then has two documents of one version. A
//! thief of a developer's key leaves such a pair as well, and that something was not published nobody can
//! prove: who holds the backend's keys shows each customer what they like. So the record takes a pair for
//! this only where nothing in it says otherwise (`record::read`, FORMAT.md, "metadata").
//!
//! Never: silence. The pair is named for good, with those who signed what is published.

use super::facts::Facts;
use super::rules::DOCUMENT_OVERTAKEN;
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Refusal;
use std::collections::BTreeSet;

/// A document that was sealed here and lost its version to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overtaken {
    /// The delegation.
    pub role: RoleName,
    /// The version of both.
    pub version: u64,
    /// Its payload.
    pub payload: Digest,
    /// The payload that is published instead.
    pub published: Digest,
    /// Whose keys signed that one.
    pub signers: BTreeSet<KeyIdentity>,
    /// The published version that people here made from it.
    pub next: u64,
}

impl Overtaken {
    /// What people are told of it, for as long as the record has it.
    pub fn notice(&self, facts: &Facts) -> Refusal {
        let name = |key: &KeyIdentity| {
            let record = facts.keys.values().find(|record| record.public.identity() == *key);
            record.map_or_else(
                || format!("the key {key}"),
                |record| format!("{} of {}", record.name, record.holder),
            )
        };
        let signers: Vec<_> = self.signers.iter().map(name).collect();
        let signers = signers.join(" and ");
        let Self { role, version, payload, published, next, .. } = self;
        Refusal::new(
            &DOCUMENT_OVERTAKEN,
            format!(
                "{role} {version}, sealed in this copy and never seen at the backend: {payload}; published is \
                 {published}, signed by {signers}, from which this copy made {role} {next}"
            ),
            format!("that {signers} published it: if not, that key was used by someone else"),
        )
    }
}
