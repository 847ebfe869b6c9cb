//! What keyrite demands of documents that it makes, beyond what it reads.
//!
//! Others' history may have odd ids, unreachable thresholds or invisible characters; nobody signs
//! such a thing with keyrite. Every check here runs on the bytes that will be signed, whether they
//! come from [`crate::tuf::make`] or from a payload file of the record.

use super::{Quirk, fields::Quirks};
use crate::tuf::document::{DelegatedRole, Document, DocumentKey, Keys, PathRule, RoleKeys};
use crate::tuf::halves::in_halves;
use crate::tuf::json::Json;
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::text::{ours, visible};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Integers that every JSON reader keeps exactly (RFC 8259 6); Go's pass through a double.
const LARGEST: i64 = 1 << 53;

/// Quirks that a document of ours can have, kept from its base.
const KEPT: [Quirk; 8] = [
    Quirk::MemberUnknown,
    Quirk::RoleExtra,
    Quirk::Terminating,
    Quirk::HashPrefixes,
    Quirk::SuccinctRoles,
    Quirk::MetaPartial,
    Quirk::KeyTypeCurve,
    Quirk::KeyHexPoint,
];

/// Strings and numbers, at any depth.
pub(super) fn check_json(profile: Profile, value: &Json) -> Result<()> {
    check_value(profile, value, &Place { name: "", parent: "", custom: false })
}

/// The same for one item of a targets document's `delegations.roles`.
pub(super) fn check_delegation(profile: Profile, item: &Json) -> Result<()> {
    check_value(profile, item, &Place { name: "roles", parent: "delegations", custom: false })
}

/// The same for a text of such an item, a member's name or a value.
pub(super) fn check_delegation_text(profile: Profile, text: &str) -> Result<()> {
    check_text(profile, text, &Place { name: "roles", parent: "delegations", custom: false })
}

/// What Go escapes on the wire alone, and what any JSON writer escapes: in `custom`, which the stock
/// client keeps as it came, it then signs other bytes than readers take for signed (notary-v1 3.6).
const IN_CUSTOM: [char; 7] = ['<', '>', '&', '\u{2028}', '\u{2029}', '\\', '"'];

/// The text in a target's custom data over which the stock Notary client can publish nothing any more, if
/// there is one.
pub fn breaks_stock_client(custom: &Json) -> Option<&str> {
    let text = |text: &'_ str| text.contains(IN_CUSTOM);
    match custom {
        Json::Str(value) => text(value).then_some(value.as_str()),
        Json::Array(items) => items.iter().find_map(breaks_stock_client),
        Json::Object(members) => members
            .iter()
            .find_map(|(name, value)| if text(name) { Some(name) } else { breaks_stock_client(value) }),
        Json::Null | Json::Bool(_) | Json::Int(_) => None,
    }
}

/// Where a value stands, as far as checks differ.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    parent: &'a str,
    custom: bool,
}

fn check_value(profile: Profile, value: &Json, place: &Place<'_>) -> Result<()> {
    match value {
        Json::Null | Json::Bool(_) => Ok(()),
        Json::Int(n) if (-LARGEST..=LARGEST).contains(n) => Ok(()),
        Json::Int(n) => Err(Refusal::new(
            &rules::NUMBER,
            format!("{n}"),
            format!("integers from -{LARGEST} to {LARGEST}"),
        )),
        // PEM has line ends; the key in it is checked by reading it.
        Json::Str(_) if place.parent == "keyval" && place.name == "public" => Ok(()),
        Json::Str(text) => check_text(profile, text, place),
        Json::Array(items) => items.iter().try_for_each(|item| check_value(profile, item, place)),
        Json::Object(members) => members.iter().try_for_each(|(name, value)| {
            check_text(profile, name, place)?;
            let custom = place.custom || name == "custom";
            check_value(profile, value, &Place { name, parent: place.name, custom })
        }),
    }
}

fn check_text(profile: Profile, text: &str, place: &Place<'_>) -> Result<()> {
    let breaks = || text.contains(['<', '>', '&']) || place.custom && text.contains(IN_CUSTOM);
    if profile == Profile::Notary && breaks() {
        // Elsewhere U+2028 and U+2029 are refused too, since they are not visible.
        let rule = if place.custom { &rules::CUSTOM_NOTARY } else { &rules::TEXT };
        return Err(Refusal::new(
            rule,
            format!("\"{}\"", visible(text)),
            "text without <, > and &, in custom also without \\, \" and line separators",
        ));
    }
    ours("a member or text", text)
}

/// Ids, thresholds, roles.
pub(super) fn check_document(
    profile: Profile,
    role: &RoleName,
    document: &Document,
    quirks: &Quirks,
) -> Result<()> {
    match document {
        Document::Root(root) => {
            check_keys(&root.keys)?;
            for (name, role_keys) in &root.roles {
                check_role(name, role_keys, &root.keys)?;
            }
            let root_keys = root.roles.get(&RoleName::Root).map(|r| &*r.keyids).unwrap_or_default();
            if profile == Profile::Notary {
                for key in root_keys.iter().filter_map(|id| root.keys.get(id)) {
                    if key.certificate.is_none() {
                        return Err(Refusal::new(
                            &rules::KEY_PROFILE,
                            format!("the root key {} without a certificate", key.id),
                            "root keys in certificates: Notary counts no others",
                        ));
                    }
                }
            }
            let uses = root.roles.iter().filter(|(name, _)| RoleName::TOP.contains(name));
            separate_roles(uses.flat_map(|(name, role_keys)| {
                identities(role_keys, &root.keys).map(move |identity| (name, identity))
            }))?;
        }
        Document::Targets(targets) => {
            let delegations = &targets.delegations;
            check_keys(&delegations.keys)?;
            let check = |places: Range<usize>| {
                let roles = delegations.roles.get(places).unwrap_or_default();
                check_delegations(profile, role, roles, &delegations.keys)
            };
            let (first, second) = in_halves(delegations.roles.len(), check);
            first.and(second.transpose())?;
            if let Some(succinct) = &delegations.succinct {
                check_role(&RoleName::from_name(&succinct.name_prefix), &succinct.keys, &delegations.keys)?;
            }
            for path in targets.targets.keys() {
                check_target(path)?;
            }
        }
        Document::Snapshot(_) | Document::Timestamp(_) => {}
    }
    match quirks.iter().find(|q| !KEPT.contains(q)) {
        None => Ok(()),
        Some(quirk) => Err(Refusal::new(
            &rules::PAYLOAD_FORM,
            format!("the quirk {quirk}"),
            "a document as keyrite makes it",
        )),
    }
}

/// Some of a document's delegations.
fn check_delegations(
    profile: Profile,
    delegator: &RoleName,
    roles: &[Arc<DelegatedRole>],
    keys: &Keys,
) -> Result<()> {
    // Thousands of delegations share few lists of keys.
    let mut good = BTreeSet::new();
    for delegated in roles {
        check_name(profile, delegator, &delegated.name)?;
        if good.insert((delegated.keys.list(), delegated.keys.threshold)) {
            check_role(&delegated.name, &delegated.keys, keys)?;
        }
        check_paths(profile, &delegated.paths).map_err(|e| e.at(&delegated.name))?;
    }
    Ok(())
}

fn check_keys(keys: &Keys) -> Result<()> {
    match keys.values().find(|key| !key.id_matches()) {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            &rules::KEY_ID,
            format!("the id {}", key.id),
            format!("{}, the digest of the key's content", key.computed),
        )),
    }
}

fn check_role(name: &RoleName, role: &RoleKeys, keys: &Keys) -> Result<()> {
    let mut seen: Vec<&DocumentKey> = Vec::with_capacity(role.keyids.len());
    for id in &*role.keyids {
        let unknown = || {
            Refusal::new(
                &rules::KEY_FORM,
                format!("{name}: the key {id}, missing or of an unknown kind"),
                "keys that keyrite can verify with",
            )
        };
        let key = keys.get(id).ok_or_else(unknown)?;
        key.public.as_ref().filter(|_| key.scheme.is_some()).ok_or_else(unknown)?;
        seen.push(key);
    }
    let identity = |key: &&DocumentKey| key.public.as_ref().map(PublicKey::identity);
    seen.sort_by_key(identity);
    if let Some([other, key]) =
        seen.windows(2).find(|pair| pair.first().map(identity) == pair.last().map(identity))
    {
        return Err(Refusal::new(
            &rules::KEY_DUPLICATE,
            format!("{name}: one public key under the ids {} and {}", other.id, key.id),
            "each public key once in a role",
        ));
    }
    if usize::try_from(role.threshold.get()).is_ok_and(|t| t <= seen.len()) {
        Ok(())
    } else {
        Err(Refusal::new(
            &rules::THRESHOLD_RANGE,
            format!("{name}: a threshold of {} with {} keys", role.threshold, seen.len()),
            "a threshold from 1 to the number of distinct keys",
        ))
    }
}

fn identities<'a>(role: &'a RoleKeys, keys: &'a Keys) -> impl Iterator<Item = KeyIdentity> + 'a {
    role.keyids.iter().filter_map(|id| keys.get(id)?.public.as_ref()).map(PublicKey::identity)
}

/// See [`crate::tuf::make::separate_roles`].
pub(in crate::tuf) fn separate_roles<'a>(
    uses: impl IntoIterator<Item = (&'a RoleName, KeyIdentity)>,
) -> Result<()> {
    let mut seen: BTreeMap<KeyIdentity, BTreeSet<&RoleName>> = BTreeMap::new();
    for (role, identity) in uses {
        let roles = seen.entry(identity).or_default();
        roles.insert(role);
        let alone = |r: &&RoleName| r.is_online() || **r == RoleName::Root;
        if roles.len() > 1 && roles.iter().any(alone) {
            let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
            return Err(Refusal::new(
                &rules::KEY_TWO_ROLES,
                format!("the key {identity} in {}", names.join(" and ")),
                "keys of root, snapshot and timestamp in no other role",
            ));
        }
    }
    Ok(())
}

/// Delegations that clients and servers of the profile take.
fn check_name(profile: Profile, delegator: &RoleName, name: &RoleName) -> Result<()> {
    let text = name.as_str();
    let letters = |extra: &[u8]| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b))
    };
    let (fits, expected) = match profile {
        Profile::Notary => {
            let below = text.strip_prefix(delegator.as_str()).and_then(|t| t.strip_prefix('/'));
            let direct = below.is_some_and(|part| !part.is_empty() && !part.contains('/'));
            (
                direct && letters(b"-_/") && text.len() < 256,
                "a name directly below the delegator, of a-z 0-9 - _",
            )
        }
        // A role is a file name at the backend, where clients write a / in it as %2F.
        Profile::Tuf => {
            ours("a role", text)?;
            let parts = text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
            (
                parts && !text.contains(['\\', '"', '%']) && text.len() < 200,
                "a name without \\ \" %, and without parts that are empty or start with a dot",
            )
        }
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(&rules::ROLE_NAME, format!("\"{}\"", visible(text)), expected))
    }
}

/// Paths that every client reads the same way.
fn check_paths(profile: Profile, paths: &PathRule) -> Result<()> {
    let refuse =
        |path: &str, expected| Err(Refusal::new(&rules::PATHS, format!("\"{}\"", visible(path)), expected));
    match (profile, paths) {
        (Profile::Tuf, PathRule::Patterns(patterns)) => {
            // Brackets are classes to some clients, alternatives to others, letters to the rest.
            let odd =
                |p: &&String| p.is_empty() || p.starts_with('/') || p.contains(['[', ']', '{', '}', '\\']);
            patterns.iter().find(odd).map_or(Ok(()), |p| refuse(p, "patterns of letters, / * and ?"))
        }
        (Profile::Tuf, PathRule::HashPrefixes(prefixes)) => {
            let hex = |p: &str| {
                !p.is_empty()
                    && p.len() <= 64
                    && p.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            };
            let odd = prefixes.iter().find(|p| !hex(p));
            odd.map_or(Ok(()), |p| refuse(p, "prefixes of a digest in lower-case hexadecimal"))
        }
        (Profile::Notary, PathRule::Prefixes(prefixes)) => {
            let odd = prefixes.iter().find(|p| p.starts_with('/') || p.contains('\\'));
            odd.map_or(Ok(()), |p| refuse(p, "prefixes of target paths, not starting with /"))
        }
        (Profile::Tuf, PathRule::Prefixes(_)) => refuse("prefixes", "patterns in profile tuf"),
        (Profile::Notary, _) => refuse("patterns", "prefixes in profile notary"),
    }
}

/// Target paths that lead out of no directory, whatever a client makes of them (threats T15).
fn check_target(path: &str) -> Result<()> {
    let parts_fit = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if parts_fit && !path.contains('\\') {
        Ok(())
    } else {
        Err(Refusal::new(
            &rules::PATHS,
            format!("the target \"{}\"", visible(path)),
            "a relative path without empty, . and .. parts and without \\",
        ))
    }
}
