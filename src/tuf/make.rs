//! Making documents: the only way to a new one.
//!
//! Each function builds the JSON, encodes it canonically, checks what keyrite demands of its own
//! documents, and reads the bytes back through [`super::wire`], so that what is signed is what a
//! reader sees. A document made from a base keeps what it doesn't change: targets, delegations and
//! members that keyrite doesn't know.

use super::document::{DocumentKey, MetaFile, PathRule, TargetFile};
use super::key::KeyIdentity;
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::Result;
use super::time::Time;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// Who is to sign for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSpec {
    /// The keys, each from [`super::wire::key_entry`].
    pub keys: Vec<DocumentKey>,
    /// Distinct keys that must sign.
    pub threshold: NonZeroU32,
}

/// What a root says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootSpec {
    /// 1 and up.
    pub version: u64,
    /// When clients stop accepting it.
    pub expires: Time,
    /// Who signs roots.
    pub root: RoleSpec,
    /// Who signs the top-level targets document.
    pub targets: RoleSpec,
    /// The backend's snapshot keys.
    pub snapshot: RoleSpec,
    /// The backend's timestamp keys.
    pub timestamp: RoleSpec,
}

/// A delegation to be granted; one of that name is replaced in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Full name; in profile `notary` directly below the delegator.
    pub role: RoleName,
    /// Who signs for it.
    pub keys: RoleSpec,
    /// Which target paths it may name: patterns in `tuf`, prefixes in `notary`.
    pub paths: PathRule,
    /// Whether the search ends here; profile `tuf` only.
    pub terminating: bool,
}

/// One change of a targets document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetsEdit {
    /// Adds or replaces a delegation.
    Grant(Grant),
    /// Removes a delegation and the keys that only it used.
    Revoke(RoleName),
    /// Adds or replaces a target.
    PutTarget {
        /// Its path.
        path: String,
        /// What is said of it.
        file: TargetFile,
    },
    /// Removes a target.
    RemoveTarget(String),
}

/// A root. Members and roles of `base` that keyrite doesn't know are kept, with their keys.
///
/// # Errors
///
/// `THRESHOLD-RANGE`, `KEY-DUPLICATE`, `KEY-TWO-ROLES`, `KEY-ID`, `KEY-PROFILE`, `NUMBER`, `TEXT`.
pub fn root(_profile: Profile, _spec: &RootSpec, _base: Option<&MetadataPayload>) -> Result<MetadataPayload> {
    todo!()
}

/// A targets document, the top-level role's or a delegation's: `base` (or an empty one) with edits.
///
/// # Errors
///
/// As [`root`]; `ROLE-NAME`, `PATHS`, `EDIT`, `CUSTOM-NOTARY`.
pub fn targets(
    _profile: Profile,
    _role: &RoleName,
    _version: u64,
    _expires: Time,
    _base: Option<&MetadataPayload>,
    _edits: &[TargetsEdit],
) -> Result<MetadataPayload> {
    todo!()
}

/// A snapshot over the given documents.
///
/// # Errors
///
/// `NUMBER`, `TEXT`.
pub fn snapshot(
    _profile: Profile,
    _version: u64,
    _expires: Time,
    _meta: &BTreeMap<RoleName, MetaFile>,
) -> Result<MetadataPayload> {
    todo!()
}

/// A timestamp over a snapshot.
///
/// # Errors
///
/// `NUMBER`.
pub fn timestamp(
    _profile: Profile,
    _version: u64,
    _expires: Time,
    _snapshot: &MetaFile,
) -> Result<MetadataPayload> {
    todo!()
}

/// Refuses a public key that serves root and another role, or a backend role and any other.
/// `uses` may span documents: root's four roles and every delegation.
///
/// # Errors
///
/// `KEY-TWO-ROLES` with the two roles.
pub fn separate_roles<'a>(_uses: impl IntoIterator<Item = (&'a RoleName, KeyIdentity)>) -> Result<()> {
    todo!()
}
