//! The parts of a POST, before anything in them is judged (notary-v1 4.1, `handlers/default.go`).

use super::ServerRefusal;
use crate::tuf::json::{Json, Members};
use crate::tuf::role::RoleName;
use crate::tuf::time::Time;
use base64ct::{Base64, Encoding as _};
use std::collections::BTreeMap;

/// One uploaded file.
pub(super) struct Part {
    pub version: u64,
    pub bytes: Vec<u8>,
}

/// Reads the parts; of two for one role, the later counts.
pub(super) fn read(parts: &[(String, Vec<u8>)]) -> Result<BTreeMap<RoleName, Part>, ServerRefusal> {
    let mut read = BTreeMap::new();
    for (name, bytes) in parts {
        let role = name.strip_suffix(".json").unwrap_or(name);
        if role.is_empty() {
            return Err(ServerRefusal::of("NO_FILENAME"));
        }
        if !valid_role(role) {
            return Err(ServerRefusal::of("INVALID_ROLE"));
        }
        let version = common(bytes).ok_or_else(|| ServerRefusal::of("MALFORMED_JSON"))?;
        read.insert(RoleName::from_name(role), Part { version, bytes: bytes.clone() });
    }
    Ok(read)
}

/// Targets and delegations among them, those with fewer segments first.
pub(super) fn targets(parts: &BTreeMap<RoleName, Part>) -> Vec<(&RoleName, &Part)> {
    let mut found: Vec<_> =
        parts.iter().filter(|(role, _)| matches!(role, RoleName::Targets | RoleName::Delegated(_))).collect();
    found.sort_by_key(|(role, _)| (role.as_str().split('/').count(), role.as_str()));
    found
}

fn valid_role(role: &str) -> bool {
    RoleName::TOP.iter().any(|top| top.as_str() == role) || valid_delegation(role)
}

/// Whether Notary takes this for a delegation's name (`tuf/data/roles.go`).
pub(super) fn valid_delegation(role: &str) -> bool {
    let letters = role.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_/".contains(&b));
    let clean = role.split('/').all(|part| !part.is_empty());
    role.starts_with("targets/") && letters && role.len() < 256 && clean
}

/// The version of what decodes as Go's `SignedMeta`; members that are missing have Go's zero.
fn common(bytes: &[u8]) -> Option<u64> {
    let json = Json::parse(bytes).ok()?;
    let text = |of: &Json, name: &str| match of.get(name) {
        None | Some(Json::Null) => Some(String::new()),
        Some(Json::Str(text)) => Some(text.clone()),
        Some(_) => None,
    };
    let empty = Json::Object(Members::new());
    let signed = json.as_object()?.get("signed").unwrap_or(&empty);
    signed.as_object()?;
    text(signed, "_type")?;
    let expires = text(signed, "expires")?;
    if signed.get("expires").is_some() {
        Time::parse_lenient(&expires).ok()?;
    }
    let version = match signed.get("version") {
        None | Some(Json::Null) => 0,
        Some(version) => u64::try_from(version.as_int()?).unwrap_or(0),
    };
    match json.get("signatures") {
        None | Some(Json::Null) => {}
        Some(signatures) => {
            for signature in signatures.as_array()? {
                signature.as_object()?;
                text(signature, "keyid")?;
                text(signature, "method")?;
                Base64::decode_vec(&text(signature, "sig")?).ok()?;
            }
        }
    }
    Some(version)
}
