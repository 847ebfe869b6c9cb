//! Metadata documents of both profiles, signed or as payloads.

use super::page::Page;
use super::{Beside, Known, unknown};
use crate::tuf::diff;
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, Keys, RoleKeys};
use crate::tuf::evidence::Verified;
use crate::tuf::json::Json;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::tuf::threshold::tally;
use crate::tuf::wire::{self, Envelope, Quirk};
use std::path::Path;

/// A signed document.
pub fn signed(beside: &Beside, file: &Path, bytes: &[u8], json: &Json) -> Result<Known> {
    let kind = json.get("signed").and_then(|s| s.get("_type")).and_then(Json::as_str).unwrap_or_default();
    // Notary's types begin with a capital (notary-v1 3).
    let profile =
        if kind.starts_with(|c: char| c.is_ascii_uppercase()) { Profile::Notary } else { Profile::Tuf };
    let role = role(&kind.to_ascii_lowercase(), file)?;
    let envelope = wire::parse(profile, &role, bytes)?;
    let payload = envelope.payload();
    let size = format!("{} bytes", bytes.len());
    let page = about(beside, payload, called(payload), Some(size))
        .digest("file", Digest::of(bytes))
        .list("Signatures", signatures(beside, &envelope))
        .list("Quirks: how it departs from what keyrite writes", quirks(&envelope));
    Ok(Known::Document(payload.clone(), page))
}

/// A payload file of a change.
pub fn payload(beside: &Beside, file: &Path, bytes: &[u8]) -> Result<Known> {
    let kinds = ["root", "targets", "snapshot", "timestamp"];
    let profiles = [Profile::Tuf, Profile::Notary];
    let all = profiles.iter().flat_map(|profile| kinds.iter().map(move |kind| (*profile, *kind)));
    let mut why = unknown("a payload of no known type");
    for (profile, kind) in all {
        match wire::read_payload(profile, &role(kind, file)?, bytes) {
            Ok(payload) => {
                let title = format!("{}, not signed yet", called(&payload));
                let page = about(beside, &payload, title, None);
                return Ok(Known::Document(payload, page));
            }
            Err(refusal) if refusal.rule().name != "DOCUMENT-TYPE" => why = refusal,
            Err(_) => {}
        }
    }
    Err(why)
}

/// What one version changes of another.
pub fn compared(beside: &Beside, old: &MetadataPayload, new: &MetadataPayload) -> Page {
    let title =
        format!("What changes from version {} to version {} of {}", old.version(), new.version(), new.role());
    let lines = diff::words(Some(old), new, &|key| beside.in_words(key));
    let page = Page::new("difference", title).digest("payload", new.digest());
    if old.digest() == new.digest() {
        return page.note("Nothing differs: both have this payload, if with other signatures.");
    }
    page.digest("payload before", old.digest()).list("Differences", lines)
}

/// `root, version 3`.
pub fn called(payload: &MetadataPayload) -> String {
    format!("{}, version {}", visible(payload.role().as_str()), payload.version())
}

fn about(beside: &Beside, payload: &MetadataPayload, title: String, size: Option<String>) -> Page {
    let expires = payload.document().header().expires;
    let mut page = Page::new("document", title)
        .fact("role", visible(payload.role().as_str()))
        .fact("version", payload.version().to_string())
        .fact("profile", payload.profile().name())
        .fact("expires", beside.until(expires))
        .maybe("size", size);
    if expires.days_after(beside.today) < 0 {
        page = page.careful("It has expired: clients refuse it.");
    }
    page.digest("payload", payload.digest())
        .list("It says", diff::words(None, payload, &|key| beside.in_words(key)))
}

/// The role of a document of that type. A delegation's bytes don't say its name; its place does:
/// `metadata/<role>/` in a record, `targets/<name>.json` in a Notary client's cache.
fn role(kind: &str, file: &Path) -> Result<RoleName> {
    match RoleName::from_name(kind) {
        RoleName::Targets => {}
        RoleName::Delegated(_) => return Err(unknown("a document of no known type")),
        top => return Ok(top),
    }
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let (folder, above) = (file.parent(), file.parent().and_then(Path::parent));
    if part(above) == "metadata"
        && let Ok(role) = RoleName::from_file_name(&part(folder))
    {
        return Ok(role);
    }
    let name = part(Some(file));
    match (part(folder).as_str(), name.strip_suffix(".json")) {
        ("targets", Some(stem)) => Ok(RoleName::from_name(&format!("targets/{stem}"))),
        _ => Ok(RoleName::Targets),
    }
}

/// Who signed, for each threshold that is known here.
fn signatures(beside: &Beside, envelope: &Envelope) -> Vec<String> {
    let payload = envelope.payload();
    let mut lines = Vec::new();
    let mut count = |by: String, keys: &Keys, role: &RoleKeys| {
        let tally = tally(keys, role, payload, &Verified::new(envelope));
        let met = if tally.met() { "enough" } else { "not enough" };
        lines.push(format!("by {by}: {} must sign, {} have: {met}", tally.need, tally.signed.len()));
        lines.extend(tally.signed.iter().map(|key| format!("{} has signed", beside.called(*key))));
        lines.extend(tally.missing().map(|key| format!("{} has not signed", beside.called(*key))));
    };
    let facts = beside.contents.as_ref().map(|c| &c.facts);
    if let Document::Root(root) = payload.document() {
        if let Some(keys) = root.roles.get(&RoleName::Root) {
            count("its own keys".to_owned(), &root.keys, keys);
        }
        let before = facts
            .and_then(|f| f.roots.iter().find(|r| r.version().checked_add(1) == Some(payload.version())));
        if let Some(before) = before.and_then(|b| b.document().as_root())
            && let Some(keys) = before.roles.get(&RoleName::Root)
        {
            count(format!("the keys of root {}", before.header.version), &before.keys, keys);
        }
    } else {
        let root = facts.and_then(|f| f.root());
        let top = root.and_then(|r| Some((&r.keys, r.roles.get(payload.role())?)));
        let mut delegators = facts.iter().flat_map(|f| f.documents.values());
        let found = top.or_else(|| {
            delegators.find_map(|d| {
                let delegations = &d.document().as_targets()?.delegations;
                Some((&delegations.keys, delegations.signers_of(payload.role())?))
            })
        });
        if let Some((keys, role)) = found {
            count("the keys that the record's delegator lists".to_owned(), keys, role);
        }
    }
    if lines.is_empty() {
        let ids =
            envelope.signatures().iter().map(|s| format!("under the key id {}", visible(s.keyid.as_str())));
        lines.extend(ids);
        lines.push("Not checked: no record here lists who may sign it.".to_owned());
    }
    lines
}

fn quirks(envelope: &Envelope) -> Vec<String> {
    envelope.quirks().iter().map(|quirk| format!("{quirk}: {}", meaning(*quirk))).collect()
}

fn meaning(quirk: Quirk) -> &'static str {
    match quirk {
        Quirk::DateForm => "a date with an offset or a fraction of a second, as Go writes them",
        Quirk::KeyIdDiffers => "a key id that is not the digest of its key",
        Quirk::KeyTwice => "one public key under two ids or certificates; it counts once",
        Quirk::KeyUnknown => "a key of a kind that keyrite doesn't know; it never counts",
        Quirk::KeyHexPoint => "an ECDSA key as a point in hexadecimal",
        Quirk::KeyTypeCurve => "a key type that names the curve",
        Quirk::MemberUnknown => "a member that the specification doesn't know",
        Quirk::RoleExtra => "a role that a root doesn't need",
        Quirk::RoleKeyTwice => "a key id that a role lists twice; it counts once",
        Quirk::RoleKeyMissing => "a key id without a key",
        Quirk::ThresholdUnreachable => "a threshold above the role's keys; it can't be met",
        Quirk::SignatureEmpty => "a signature without bytes; it never counts",
        Quirk::SignatureForm => "a signature that can't be decoded; it never counts",
        Quirk::SignatureTwice => "two signatures under one key id; the key counts once",
        Quirk::Terminating => "a delegation that ends the search",
        Quirk::HashPrefixes => "delegations by the digest of the path",
        Quirk::SuccinctRoles => "hash bins of one shape",
        Quirk::MetaPartial => "files listed without length or digest",
        Quirk::SpecVersionMissing => "no spec_version",
    }
}
