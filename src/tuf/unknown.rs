//! Members of a document that keyrite doesn't know: no view holds them, and a successor keeps them.
//!
//! Key entries need no look: whoever compares them compares them whole.

use super::document::Document;
use super::json::Json;
use super::payload::MetadataPayload;
use super::text::visible;
use super::wire::from_canonical;
use std::collections::BTreeMap;
use std::fmt;

/// Such a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Where it stands.
    pub within: Within,
    /// Its name.
    pub name: String,
}

/// What a member is part of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// The document itself.
    Document,
    /// What it says of delegations as a whole.
    Delegations,
    /// Its hash bins.
    HashBins,
    /// The entry of a delegation.
    Delegation(String),
    /// The entry of a target.
    Target(String),
    /// The entry of a role in root.
    Role(String),
    /// The entry of a role in snapshot or timestamp.
    Meta(String),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.within {
            Within::Document => {}
            Within::Delegations => f.write_str("delegations: ")?,
            Within::HashBins => f.write_str("hash bins: ")?,
            Within::Delegation(name) => write!(f, "delegation {}: ", visible(name))?,
            Within::Target(path) => write!(f, "target {}: ", visible(path))?,
            Within::Role(name) => write!(f, "role {}: ", visible(name))?,
            Within::Meta(name) => write!(f, "meta {}: ", visible(name))?,
        }
        write!(f, "member {}", visible(&self.name))
    }
}

/// Those of a document, with what they say.
pub fn members(payload: &MetadataPayload) -> BTreeMap<Member, Json> {
    let mut found = Found::default();
    if payload.says_more()
        && let Ok(signed) = from_canonical(payload.bytes())
    {
        found.of(payload.document(), &signed);
    }
    found.0
}

#[derive(Default)]
struct Found(BTreeMap<Member, Json>);

impl Found {
    fn look(&mut self, within: &Within, value: Option<&Json>, known: &[&str]) {
        for (name, value) in value.and_then(Json::as_object).into_iter().flatten() {
            let name: &str = name;
            if !known.contains(&name) {
                let member = Member { within: within.clone(), name: name.to_owned() };
                self.0.insert(member, value.clone());
            }
        }
    }

    fn each(&mut self, within: fn(String) -> Within, value: Option<&Json>, known: &[&str]) {
        for (name, value) in value.and_then(Json::as_object).into_iter().flatten() {
            let name: &str = name;
            self.look(&within(name.to_owned()), Some(value), known);
        }
    }

    fn of(&mut self, document: &Document, signed: &Json) {
        let own: &[&str] = match document {
            Document::Root(_) => {
                self.each(Within::Role, signed.get("roles"), &["keyids", "threshold"]);
                &["consistent_snapshot", "keys", "roles"]
            }
            Document::Targets(_) => {
                self.each(Within::Target, signed.get("targets"), &["custom", "hashes", "length"]);
                self.delegations(signed.get("delegations"));
                &["delegations", "targets"]
            }
            Document::Snapshot(_) | Document::Timestamp(_) => {
                self.each(Within::Meta, signed.get("meta"), &["hashes", "length", "version"]);
                &["meta"]
            }
        };
        let header = ["_type", "expires", "spec_version", "version"];
        self.look(&Within::Document, Some(signed), &[&header[..], own].concat());
    }

    fn delegations(&mut self, delegations: Option<&Json>) {
        for role in delegations.and_then(|d| d.get("roles")).and_then(Json::as_array).unwrap_or_default() {
            let name = role.get("name").and_then(Json::as_str).unwrap_or_default();
            let known = ["keyids", "name", "path_hash_prefixes", "paths", "terminating", "threshold"];
            self.look(&Within::Delegation(name.to_owned()), Some(role), &known);
        }
        let bins = delegations.and_then(|d| d.get("succinct_roles"));
        self.look(&Within::HashBins, bins, &["bit_length", "keyids", "name_prefix", "threshold"]);
        self.look(&Within::Delegations, delegations, &["keys", "roles", "succinct_roles"]);
    }
}
