//! Parts of documents as we write them, in a profile.

use super::notary;
use crate::tuf::document::{MetaFile, TargetFile};
use crate::tuf::hashes::Hashes;
use crate::tuf::json::{Json, Members};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;

/// An integer as JSON; whether it is small enough is checked with the whole document.
///
/// # Errors
///
/// `NUMBER` above 2^63.
pub(in crate::tuf) fn number(n: u64) -> Result<Json> {
    i64::try_from(n)
        .map(Json::Int)
        .map_err(|_| Refusal::new(&rules::NUMBER, n.to_string(), "integers up to 2^53"))
}

/// What is said of a target.
///
/// # Errors
///
/// `DOCUMENT-FORM` without digests, `NUMBER`.
pub(in crate::tuf) fn target_file(profile: Profile, file: &TargetFile) -> Result<Json> {
    if file.hashes.is_empty() {
        return Err(Refusal::new(&rules::DOCUMENT_FORM, "a target without digests", "at least SHA-256"));
    }
    let mut entry = Members::from([
        ("hashes".to_owned(), hashes(profile, &file.hashes)),
        ("length".to_owned(), number(file.length)?),
    ]);
    if let Some(custom) = &file.custom {
        entry.insert("custom".to_owned(), custom.clone());
    }
    Ok(Json::Object(entry))
}

/// What snapshot and timestamp say of a document.
///
/// # Errors
///
/// `NUMBER`.
pub(in crate::tuf) fn meta_file(profile: Profile, file: &MetaFile) -> Result<Json> {
    let mut entry = Members::new();
    if let Some(length) = file.length {
        entry.insert("length".to_owned(), number(length)?);
    }
    if !file.hashes.is_empty() {
        entry.insert("hashes".to_owned(), hashes(profile, &file.hashes));
    }
    if let (Profile::Tuf, Some(version)) = (profile, file.version) {
        entry.insert("version".to_owned(), number(version)?);
    }
    Ok(Json::Object(entry))
}

fn hashes(profile: Profile, hashes: &Hashes) -> Json {
    let text = |bytes: &[u8]| match profile {
        Profile::Tuf => base16ct::lower::encode_string(bytes),
        Profile::Notary => notary::to_base64(bytes),
    };
    Json::Object(hashes.iter().map(|(name, bytes)| (name.to_owned(), text(bytes).into())).collect())
}

/// What snapshot and timestamp call a role.
pub(in crate::tuf) fn meta_name(profile: Profile, role: &RoleName) -> String {
    match profile {
        Profile::Tuf => format!("{}.json", role.as_str()),
        Profile::Notary => role.as_str().to_owned(),
    }
}
