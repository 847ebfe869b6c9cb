//! Making documents: the only way to a new one.
//!
//! Each function builds the JSON, encodes it canonically, checks what keyrite demands of its own
//! documents, and reads the bytes back through [`super::wire`], so that what is signed is what a
//! reader sees. A document made from a base keeps what it doesn't change: targets, delegations and
//! members that keyrite doesn't know; but in profile `notary` not those members, because the
//! server would drop them and so make the collection unreadable (notary-v1 3.6).

mod roles;

use super::apart::{self, Frame};
use super::document::{DocumentKey, MetaFile, PathRule, TargetFile};
use super::json::{Json, Members};
use super::key::{KeyId, KeyIdentity};
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use super::time::Time;
use super::wire::write::{meta_file, meta_name, number, target_file};
use super::wire::{self, notary, ours, read};
use roles::Roles;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

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

/// A delegation that is there, with other keys, another threshold or more paths; all else that its
/// entry says stays, also what keyrite doesn't know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// Which.
    pub role: RoleName,
    /// Ids that it lists no longer; thousands of delegations lose the same.
    pub remove: Arc<BTreeSet<KeyId>>,
    /// Keys that it lists from now on, each from [`super::wire::key_entry`].
    pub add: Vec<DocumentKey>,
    /// Distinct keys that must sign; none leaves it.
    pub threshold: Option<NonZeroU32>,
    /// Paths that it covers besides those that it does: patterns in `tuf`, prefixes in `notary`.
    pub add_paths: Vec<String>,
}

/// One change of a targets document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetsEdit {
    /// Adds or replaces a delegation.
    Grant(Grant),
    /// Changes a delegation in its place.
    Amend(Amendment),
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

/// A root. Members and roles of `base` that keyrite doesn't know are kept, with their keys, and so
/// is its `consistent_snapshot`; without a base that is true in `tuf` and false in `notary`.
///
/// # Errors
///
/// `THRESHOLD-RANGE`, `KEY-DUPLICATE`, `KEY-TWO-ROLES`, `KEY-ID`, `KEY-PROFILE`, `NUMBER`, `TEXT`.
pub fn root(profile: Profile, spec: &RootSpec, base: Option<&MetadataPayload>) -> Result<MetadataPayload> {
    let base = base.map(|base| members_of(profile, &RoleName::Root, base)).transpose()?;
    let mut signed = start(profile, &RoleName::Root, spec.version, spec.expires, base.unwrap_or_default())?;
    if !signed.contains_key("consistent_snapshot") {
        signed.insert("consistent_snapshot".to_owned(), Json::Bool(profile == Profile::Tuf));
    }
    let mut roles = take_object(&mut signed, "roles");
    let old_keys = take_object(&mut signed, "keys");
    for (name, role) in [
        (RoleName::Root, &spec.root),
        (RoleName::Targets, &spec.targets),
        (RoleName::Snapshot, &spec.snapshot),
        (RoleName::Timestamp, &spec.timestamp),
    ] {
        no_key_twice(&name, role)?;
        let mut entry = take_object(&mut roles, name.as_str());
        if profile == Profile::Notary {
            entry.clear();
        }
        put_role_keys(&mut entry, role);
        roles.insert(name.as_str().to_owned(), Json::Object(entry));
    }
    // Keys of roles that keyrite doesn't know stay; those that nothing lists any more go.
    let listed: BTreeSet<&str> = roles.values().flat_map(keyids).collect();
    let mut keys: Members = old_keys.into_iter().filter(|(id, _)| listed.contains(id.as_str())).collect();
    for role in [&spec.root, &spec.targets, &spec.snapshot, &spec.timestamp] {
        put_keys(&mut keys, &role.keys);
    }
    signed.insert("roles".to_owned(), Json::Object(roles));
    signed.insert("keys".to_owned(), Json::Object(keys));
    finish(profile, &RoleName::Root, signed)
}

/// A targets document, the top-level role's or a delegation's: `base` (or an empty one) with edits.
///
/// # Errors
///
/// As [`root`]; `ROLE-NAME`, `PATHS`, `CUSTOM-NOTARY`, `EDIT` if what is revoked or removed isn't
/// there, or a delegation is granted beside hash bins.
pub fn targets(
    profile: Profile,
    role: &RoleName,
    version: u64,
    expires: Time,
    base: Option<&MetadataPayload>,
    edits: &[TargetsEdit],
) -> Result<MetadataPayload> {
    if !matches!(role, RoleName::Targets | RoleName::Delegated(_)) {
        return Err(Refusal::new(
            &rules::DOCUMENT_TYPE,
            format!("a targets document for {role}"),
            "targets or a delegation",
        ));
    }
    let view = base.and_then(|base| base.document().as_targets()).map(|targets| &targets.delegations);
    let text = LazyCell::new(|| base.map(|base| wire::escaped(base.bytes())).unwrap_or_default());
    let (signed, items) = match base {
        // Delegations that nothing is done to stay the text that they are.
        Some(base) if profile == Profile::Tuf => {
            same_role(profile, role, base)?;
            let known = base.plain_roles().map(|places| apart::around(base.bytes(), &places)).transpose()?;
            let (signed, items) = match known.flatten() {
                Some((signed, items)) => (signed, Some(items)),
                None => apart::parse(&text, 1, &apart::ROLES)?,
            };
            match signed {
                Json::Object(members) => (members, items),
                _ => (Members::new(), None),
            }
        }
        Some(base) => (members_of(profile, role, base)?, None),
        None => (Members::new(), None),
    };
    let mut signed = start(profile, role, version, expires, signed)?;
    let mut files = take_object(&mut signed, "targets");
    let mut delegations = take_object(&mut signed, "delegations");
    let mut keys = take_object(&mut delegations, "keys");
    let mut roles = Roles::of(delegations.remove("roles"), items.zip(view));
    let listed_before: BTreeSet<String> = roles.listed().into_iter().map(str::to_owned).collect();
    for edit in edits {
        match edit {
            TargetsEdit::Grant(grant) => {
                if delegations.contains_key("succinct_roles") {
                    return refuse_edit(&grant.role, "a document without hash bins");
                }
                let entry = delegation(profile, grant)?;
                put_keys(&mut keys, &grant.keys.keys);
                roles.put(&grant.role, entry);
            }
            TargetsEdit::Amend(amendment) => {
                roles.amend(profile, amendment)?;
                put_keys(&mut keys, &amendment.add);
            }
            TargetsEdit::Revoke(name) => roles.remove(name)?,
            TargetsEdit::PutTarget { path, file } => {
                files.insert(path.clone(), target_file(profile, file)?);
            }
            TargetsEdit::RemoveTarget(path) => {
                if files.remove(path).is_none() {
                    return refuse_edit(&RoleName::from_name(path), "a target that is there");
                }
            }
        }
    }
    let bins = delegations.get("succinct_roles").into_iter().flat_map(keyids);
    let mut listed = roles.listed();
    listed.extend(bins);
    keys.retain(|id, _| listed.contains(id) || !listed_before.contains(id));
    delegations.insert("keys".to_owned(), Json::Object(keys));
    if !delegations.contains_key("succinct_roles") {
        delegations.insert("roles".to_owned(), Json::Array(Vec::new()));
    }
    signed.insert("delegations".to_owned(), Json::Object(delegations));
    signed.insert("targets".to_owned(), Json::Object(files));
    // What was made goes before the bytes are read into it again: of many megabytes, once is enough.
    let bytes = Frame::of(&Json::Object(signed), &apart::ROLES).filled(&roles.left()?);
    wire::read_next(profile, role, bytes, base)
}

/// A snapshot over the given documents.
///
/// # Errors
///
/// `NUMBER`, `TEXT`, `DOCUMENT-FORM` if a version is missing in profile `tuf`.
pub fn snapshot(
    profile: Profile,
    version: u64,
    expires: Time,
    meta: &BTreeMap<RoleName, MetaFile>,
) -> Result<MetadataPayload> {
    let mut signed = start(profile, &RoleName::Snapshot, version, expires, Members::new())?;
    let mut entries = Members::new();
    for (role, file) in meta {
        entries.insert(meta_name(profile, role), meta_file(profile, file)?);
    }
    signed.insert("meta".to_owned(), Json::Object(entries));
    finish(profile, &RoleName::Snapshot, signed)
}

/// A timestamp over a snapshot.
///
/// # Errors
///
/// As [`snapshot`].
pub fn timestamp(
    profile: Profile,
    version: u64,
    expires: Time,
    snapshot: &MetaFile,
) -> Result<MetadataPayload> {
    let mut signed = start(profile, &RoleName::Timestamp, version, expires, Members::new())?;
    let name = meta_name(profile, &RoleName::Snapshot);
    let meta = Members::from([(name, meta_file(profile, snapshot)?)]);
    signed.insert("meta".to_owned(), Json::Object(meta));
    finish(profile, &RoleName::Timestamp, signed)
}

/// Refuses a public key that serves root and another role, or a backend role and any other.
/// `uses` may span documents: root's four roles and every delegation.
///
/// # Errors
///
/// `KEY-TWO-ROLES` with the two roles.
pub fn separate_roles<'a>(uses: impl IntoIterator<Item = (&'a RoleName, KeyIdentity)>) -> Result<()> {
    ours::separate_roles(uses)
}

/// Refuses a base of another role or profile.
fn same_role(profile: Profile, role: &RoleName, base: &MetadataPayload) -> Result<()> {
    if base.profile() == profile && base.role() == role {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::DOCUMENT_TYPE,
        format!("a base of {} in profile {}", base.role(), base.profile()),
        format!("one of {role} in profile {profile}"),
    ))
}

/// The base's members.
fn members_of(profile: Profile, role: &RoleName, base: &MetadataPayload) -> Result<Members> {
    same_role(profile, role, base)?;
    Ok(match wire::json_of(base)? {
        Json::Object(members) if profile == Profile::Notary => known_to_notary(members),
        Json::Object(members) => members,
        _ => Members::new(),
    })
}

/// The base's members, or none, with the header of the new version.
fn start(
    profile: Profile,
    role: &RoleName,
    version: u64,
    expires: Time,
    mut signed: Members,
) -> Result<Members> {
    let header = [
        ("_type", Json::from(read::type_name(profile, role))),
        ("version", number(version)?),
        ("expires", expires.to_string().into()),
    ];
    signed.extend(header.map(|(name, value)| (name.to_owned(), value)));
    if profile == Profile::Tuf {
        signed.insert("spec_version".to_owned(), wire::SPEC_VERSION.into());
    }
    Ok(signed)
}

fn known_to_notary(members: Members) -> Members {
    match notary::parsed_by_go(&Json::Object(members)) {
        Ok(Json::Object(known)) => known,
        _ => Members::new(),
    }
}

/// Encodes, then reads back as a payload file is read: what we sign is what a reader sees.
fn finish(profile: Profile, role: &RoleName, signed: Members) -> Result<MetadataPayload> {
    wire::read_payload(profile, role, &Json::Object(signed).canonical())
}

fn take_object(members: &mut Members, name: &str) -> Members {
    match members.remove(name) {
        Some(Json::Object(inner)) => inner,
        _ => Members::new(),
    }
}

fn keyids(role: &Json) -> impl Iterator<Item = &str> {
    role.get("keyids").and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str)
}

/// Changes a delegation's entry in place.
fn amend(profile: Profile, entry: &mut Members, amendment: &Amendment) -> Result<()> {
    let mut ids: Vec<Json> = match entry.remove("keyids") {
        Some(Json::Array(ids)) => ids,
        _ => Vec::new(),
    };
    let goes = |id: &Json| id.as_str().is_some_and(|id| amendment.remove.iter().any(|r| r.as_str() == id));
    ids.retain(|id| !goes(id));
    for key in &amendment.add {
        if ids.iter().any(|id| id.as_str() == Some(key.id.as_str())) {
            return Err(Refusal::new(
                &rules::KEY_DUPLICATE,
                format!("{}: the key {} twice", amendment.role, key.id),
                "each public key once in a role",
            ));
        }
        ids.push(key.id.as_str().into());
    }
    entry.insert("keyids".to_owned(), Json::Array(ids));
    if let Some(threshold) = amendment.threshold {
        entry.insert("threshold".to_owned(), Json::Int(i64::from(threshold.get())));
    }
    if amendment.add_paths.is_empty() {
        return Ok(());
    }
    if profile == Profile::Tuf && entry.contains_key("path_hash_prefixes") {
        return Err(Refusal::new(
            &rules::PATHS,
            format!("{}: a delegation by digests of paths", amendment.role),
            "one by patterns, to which a path can be added",
        ));
    }
    let mut paths = match entry.remove("paths") {
        Some(Json::Array(paths)) => paths,
        _ => Vec::new(),
    };
    for path in &amendment.add_paths {
        if !paths.iter().any(|there| there.as_str() == Some(path)) {
            paths.push(path.as_str().into());
        }
    }
    entry.insert("paths".to_owned(), Json::Array(paths));
    Ok(())
}

fn put_role_keys(entry: &mut Members, role: &RoleSpec) {
    let keyids = role.keys.iter().map(|key| key.id.as_str().into()).collect();
    entry.insert("keyids".to_owned(), Json::Array(keyids));
    entry.insert("threshold".to_owned(), Json::Int(i64::from(role.threshold.get())));
}

fn put_keys(keys: &mut Members, listed: &[DocumentKey]) {
    for key in listed {
        keys.insert(key.id.as_str().to_owned(), key.entry.clone());
    }
}

/// Here and not only in the made document, where one id is one entry and a repeated id would be
/// told as a threshold that can't be met.
fn no_key_twice(name: &RoleName, role: &RoleSpec) -> Result<()> {
    let mut seen = BTreeSet::new();
    match role.keys.iter().find(|key| !seen.insert(&key.id)) {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            &rules::KEY_DUPLICATE,
            format!("{name}: the key {} twice", key.id),
            "each public key once in a role",
        )),
    }
}

fn delegation(profile: Profile, grant: &Grant) -> Result<Json> {
    no_key_twice(&grant.role, &grant.keys)?;
    let (member, paths) = match (profile, &grant.paths) {
        (Profile::Tuf, PathRule::Patterns(paths)) | (Profile::Notary, PathRule::Prefixes(paths)) => {
            ("paths", paths)
        }
        (Profile::Tuf, PathRule::HashPrefixes(paths)) => ("path_hash_prefixes", paths),
        _ => {
            return Err(Refusal::new(
                &rules::PATHS,
                format!("{}: another profile's paths", grant.role),
                "patterns in profile tuf, prefixes in profile notary",
            ));
        }
    };
    let mut entry = Members::from([("name".to_owned(), Json::from(grant.role.as_str()))]);
    put_role_keys(&mut entry, &grant.keys);
    match profile {
        Profile::Tuf => {
            entry.insert("terminating".to_owned(), Json::Bool(grant.terminating));
        }
        Profile::Notary if grant.terminating => {
            return Err(Refusal::new(
                &rules::PATHS,
                format!("{}: a delegation that ends the search", grant.role),
                "one that doesn't: Notary knows no other",
            ));
        }
        Profile::Notary => {}
    }
    // Go leaves an empty list out, and would so hash other bytes (notary-v1 3.6).
    if profile == Profile::Tuf || !paths.is_empty() {
        let paths = paths.iter().map(|p| p.as_str().into()).collect();
        entry.insert(member.to_owned(), Json::Array(paths));
    }
    Ok(Json::Object(entry))
}

fn refuse_edit<T>(what: &RoleName, expected: &str) -> Result<T> {
    Err(Refusal::new(&rules::EDIT, format!("\"{}\"", visible(what.as_str())), expected))
}
