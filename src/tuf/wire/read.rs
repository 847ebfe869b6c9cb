//! Documents of either profile, from JSON to views.
//!
//! Members are taken out of the JSON as they are understood; what is left over is unknown, kept in
//! the payload's bytes, and named by [`Quirk::MemberUnknown`]. Refused is only what has no meaning:
//! a missing or mistyped member, a threshold or version below 1.

use super::fields::{Fields, Quirks, form};
use super::roles::Roles;
use super::{KeyMemo, Quirk, notary, tuf1};
use crate::tuf::document::{
    DelegatedRole, Delegations, Document, Header, Keys, MetaFile, PathRule, RoleKeys, Root, Snapshot,
    SuccinctRoles, TargetFile, Targets, Timestamp,
};
use crate::tuf::hashes::Hashes;
use crate::tuf::json::{Json, Members};
use crate::tuf::key::{KeyId, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::text::visible;
use crate::tuf::time::{DateForm, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// The view of a `signed` part, whose delegations may come apart from it.
pub(super) fn document(
    memo: &mut KeyMemo,
    role: &RoleName,
    signed: Json,
    roles: Option<&mut Roles<'_>>,
    quirks: &mut Quirks,
) -> Result<Document> {
    let profile = memo.profile();
    let mut fields = Fields::of(signed)?;
    let found = fields.text("_type")?;
    let expected = type_name(profile, role);
    if found != expected {
        return Err(Refusal::new(
            &rules::DOCUMENT_TYPE,
            format!("_type \"{}\"", visible(&found)),
            format!("_type \"{expected}\" for the role {role}"),
        ));
    }
    let header = header(profile, &mut fields, quirks)?;
    let reader = Reader { profile, memo, quirks };
    match role {
        RoleName::Root => reader.root(header, fields).map(Document::Root),
        RoleName::Targets | RoleName::Delegated(_) => {
            reader.targets(header, fields, roles).map(Document::Targets)
        }
        RoleName::Snapshot => reader.snapshot(header, fields).map(Document::Snapshot),
        RoleName::Timestamp => reader.timestamp(header, fields).map(Document::Timestamp),
    }
}

/// What `_type` says of a role's documents.
pub(in crate::tuf) fn type_name(profile: Profile, role: &RoleName) -> &'static str {
    match (profile, role) {
        (Profile::Tuf, RoleName::Root) => "root",
        (Profile::Tuf, RoleName::Targets | RoleName::Delegated(_)) => "targets",
        (Profile::Tuf, RoleName::Snapshot) => "snapshot",
        (Profile::Tuf, RoleName::Timestamp) => "timestamp",
        (Profile::Notary, RoleName::Root) => "Root",
        (Profile::Notary, RoleName::Targets | RoleName::Delegated(_)) => "Targets",
        (Profile::Notary, RoleName::Snapshot) => "Snapshot",
        (Profile::Notary, RoleName::Timestamp) => "Timestamp",
    }
}

fn header(profile: Profile, fields: &mut Fields, quirks: &mut Quirks) -> Result<Header> {
    let spec_version = match (profile, fields.take("spec_version")) {
        (Profile::Tuf, Some(Json::Str(text))) => {
            // A client must not read a later major version as this one (TUF 4.2, 1.0.x).
            if text.split('.').next() != Some("1") {
                return Err(Refusal::new(
                    &rules::SPEC_VERSION,
                    format!("spec_version \"{}\"", visible(&text)),
                    "a version of TUF 1",
                ));
            }
            Some(text)
        }
        (Profile::Tuf, Some(_)) => return Err(form("\"spec_version\" that is no text", "a text")),
        (Profile::Tuf, None) => {
            quirks.insert(Quirk::SpecVersionMissing);
            None
        }
        (Profile::Notary, Some(_)) => {
            quirks.insert(Quirk::MemberUnknown);
            None
        }
        (Profile::Notary, None) => None,
    };
    let version = NonZeroU64::new(fields.whole("version")?)
        .ok_or_else(|| form("version 0", "a version of 1 or more"))?;
    let (expires, date_form) = Time::parse_lenient(&fields.text("expires")?)?;
    if date_form == DateForm::Lenient {
        quirks.insert(Quirk::DateForm);
    }
    Ok(Header { spec_version, version, expires })
}

struct Reader<'q> {
    profile: Profile,
    memo: &'q mut KeyMemo,
    quirks: &'q mut Quirks,
}

impl Reader<'_> {
    fn root(mut self, header: Header, mut fields: Fields) -> Result<Root> {
        let consistent_snapshot = match fields.take("consistent_snapshot") {
            Some(Json::Bool(b)) => b,
            None => false,
            Some(_) => return Err(form("\"consistent_snapshot\" that is no truth value", "true or false")),
        };
        let keys = self.keys(fields.object("keys")?);
        let mut roles = BTreeMap::new();
        for (name, value) in fields.object("roles")? {
            let role = RoleName::from_name(&name);
            if matches!(role, RoleName::Delegated(_)) {
                self.quirks.insert(Quirk::RoleExtra);
            }
            let mut of_role = Fields::of(value).map_err(|e| e.at(&role))?;
            let role_keys = role_keys(&mut of_role, &keys).map_err(|e| e.at(&role))?;
            keys_quirks(&role_keys, &keys, self.quirks);
            of_role.finish(self.quirks);
            roles.insert(role, role_keys);
        }
        if let Some(missing) = RoleName::TOP.iter().find(|top| !roles.contains_key(top)) {
            return Err(form(&format!("no role {missing}"), "the four top-level roles"));
        }
        fields.finish(self.quirks);
        Ok(Root { header, consistent_snapshot, keys, roles })
    }

    fn targets(
        mut self,
        header: Header,
        mut fields: Fields,
        roles: Option<&mut Roles<'_>>,
    ) -> Result<Targets> {
        let mut file = |(path, value): (String, Json)| {
            let file = self.target_file(value).map_err(|e| e.at(visible(&path)))?;
            Ok((path, file))
        };
        // Collected at once: a map that is filled one by one leaves half of its room empty.
        let targets = fields.object("targets")?.into_iter().map(&mut file).collect::<Result<Vec<_>>>()?;
        let targets = BTreeMap::from_iter(targets);
        let delegations = match fields.take("delegations") {
            None | Some(Json::Null) => Delegations::default(),
            Some(value) => self.delegations(value, roles).map_err(|e| e.at("delegations"))?,
        };
        fields.finish(self.quirks);
        Ok(Targets { header, targets, delegations })
    }

    fn snapshot(mut self, header: Header, mut fields: Fields) -> Result<Snapshot> {
        let mut meta = BTreeMap::new();
        for (name, value) in fields.object("meta")? {
            let role = match self.profile {
                Profile::Tuf => name.strip_suffix(".json").unwrap_or(&name),
                Profile::Notary => &name,
            };
            let file = self.meta_file(value).map_err(|e| e.at(visible(&name)))?;
            if meta.insert(RoleName::from_name(role), file).is_some() {
                return Err(form(&format!("\"{}\" twice", visible(role)), "each role once"));
            }
        }
        fields.finish(self.quirks);
        Ok(Snapshot { header, meta })
    }

    fn timestamp(mut self, header: Header, mut fields: Fields) -> Result<Timestamp> {
        let mut meta = Fields::of(fields.required("meta")?)?;
        let name = match self.profile {
            Profile::Tuf => "snapshot.json",
            Profile::Notary => "snapshot",
        };
        let snapshot = self.meta_file(meta.required(name)?).map_err(|e| e.at(name))?;
        meta.finish(self.quirks);
        fields.finish(self.quirks);
        Ok(Timestamp { header, snapshot })
    }

    fn keys(&mut self, members: Members) -> Keys {
        let mut keys = Keys::new();
        for (id, entry) in members {
            let id = KeyId::declared(&id);
            let key = self.memo.read(id, entry, self.quirks);
            if key.public.is_none() || key.scheme.is_none() {
                self.quirks.insert(Quirk::KeyUnknown);
            }
            if !key.id_matches() {
                self.quirks.insert(Quirk::KeyIdDiffers);
            }
            keys.insert(key.id.clone(), key);
        }
        let known: Vec<_> = keys.values().filter_map(|k| k.public.as_ref()).collect();
        if known.iter().collect::<BTreeSet<_>>().len() < known.len() {
            self.quirks.insert(Quirk::KeyTwice);
        }
        keys
    }

    fn delegations(&mut self, value: Json, apart: Option<&mut Roles<'_>>) -> Result<Delegations> {
        let mut fields = Fields::of(value)?;
        let keys = match fields.take("keys") {
            Some(Json::Object(members)) => self.keys(members),
            // Go writes null for a map without members.
            None | Some(Json::Null) => Keys::new(),
            Some(_) => return Err(form("\"keys\" that is no object", "an object")),
        };
        let items = match fields.take("roles") {
            Some(Json::Array(items)) => items,
            None | Some(Json::Null) => Vec::new(),
            Some(_) => return Err(form("\"roles\" that is no array", "an array")),
        };
        let succinct = match (self.profile, fields.take("succinct_roles")) {
            (Profile::Tuf, Some(value)) => Some(self.succinct(value, &keys)?),
            (Profile::Notary, Some(_)) => {
                self.quirks.insert(Quirk::MemberUnknown);
                None
            }
            (_, None) => None,
        };
        let many = items.len().max(apart.as_ref().map_or(0, |roles| roles.len()));
        if succinct.is_some() && many > 0 {
            return Err(form("both \"roles\" and \"succinct_roles\"", "one of them (TAP 15)"));
        }
        let profile = self.profile;
        let one = |item| {
            let role = delegated_role(profile, item, &keys, self.quirks)?;
            keys_quirks(&role.keys, &keys, self.quirks);
            Ok(Arc::new(role))
        };
        let roles = match apart {
            Some(apart) => apart.read(profile, &keys, self.quirks)?,
            None => items.into_iter().map(one).collect::<Result<_>>()?,
        };
        fields.finish(self.quirks);
        let delegations = Delegations::new(keys, roles, succinct);
        match delegations.twice() {
            None => Ok(delegations),
            Some(name) => Err(form(&format!("the role {name} twice"), "each delegation once (TUF 4.5)")),
        }
    }

    fn succinct(&mut self, value: Json, keys: &Keys) -> Result<SuccinctRoles> {
        let mut fields = Fields::of(value)?;
        self.quirks.insert(Quirk::SuccinctRoles);
        let role_keys = role_keys(&mut fields, keys)?;
        keys_quirks(&role_keys, keys, self.quirks);
        let bit_length: u32 = fields.whole("bit_length")?;
        if !(1..=32).contains(&bit_length) {
            return Err(form(&format!("bit_length {bit_length}"), "1 to 32 (TAP 15)"));
        }
        let name_prefix = fields.text("name_prefix")?;
        fields.finish(self.quirks);
        Ok(SuccinctRoles { keys: role_keys, bit_length, name_prefix })
    }

    fn target_file(&mut self, value: Json) -> Result<TargetFile> {
        let mut fields = Fields::of(value)?;
        let length = fields.whole("length")?;
        let hashes = self.hashes(fields.object("hashes")?)?;
        let custom = fields.take("custom");
        fields.finish(self.quirks);
        Ok(TargetFile { length, hashes, custom })
    }

    fn meta_file(&mut self, value: Json) -> Result<MetaFile> {
        let mut fields = Fields::of(value)?;
        let version = match self.profile {
            Profile::Tuf => Some(fields.whole("version")?),
            Profile::Notary => None,
        };
        let length = if fields.has("length") { Some(fields.whole("length")?) } else { None };
        let hashes = match fields.take("hashes") {
            Some(Json::Object(members)) => self.hashes(members)?,
            None => Hashes::default(),
            Some(_) => return Err(form("\"hashes\" that is no object", "an object")),
        };
        if length.is_none() || hashes.is_empty() {
            self.quirks.insert(Quirk::MetaPartial);
        }
        fields.finish(self.quirks);
        Ok(MetaFile { version, length, hashes })
    }

    fn hashes(&self, members: Members) -> Result<Hashes> {
        let mut hashes = Vec::with_capacity(members.len());
        for (name, value) in members {
            // Refused, not dropped: an entry without digests would check nothing.
            let bytes = value.as_str().and_then(|text| match self.profile {
                Profile::Tuf => tuf1::from_hex(text),
                Profile::Notary => notary::from_base64(text),
            });
            let bytes = bytes.ok_or_else(|| {
                form(
                    &format!("a digest \"{}\" that can't be decoded", visible(&name)),
                    "hexadecimal in profile tuf, base64 in notary",
                )
            })?;
            hashes.push((name, bytes));
        }
        Ok(hashes.into_iter().collect())
    }
}

fn role_keys(fields: &mut Fields, keys: &Keys) -> Result<RoleKeys> {
    // Thousands of roles list few keys: each id is kept once.
    let id = |text: &String| match keys.get_key_value(text.as_str()) {
        Some((id, _)) => id.clone(),
        None => KeyId::declared(text),
    };
    let keyids = fields.texts("keyids")?.iter().map(id).collect();
    let threshold: u32 = fields.whole("threshold")?;
    let threshold = NonZeroU32::new(threshold).ok_or_else(|| {
        Refusal::new(&rules::THRESHOLD_RANGE, "a threshold of 0", "a threshold of 1 or more")
    })?;
    Ok(RoleKeys { keyids, threshold })
}

/// What is odd about the keys of a role, by the entries of its document.
pub(super) fn keys_quirks(role: &RoleKeys, keys: &Keys, quirks: &mut Quirks) {
    let mut distinct: Vec<_> = role.keyids.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < role.keyids.len() {
        quirks.insert(Quirk::RoleKeyTwice);
    }
    let listed: Vec<_> = distinct.iter().filter_map(|id| keys.get(*id)).collect();
    if listed.len() < distinct.len() {
        quirks.insert(Quirk::RoleKeyMissing);
    }
    let mut countable: Vec<_> =
        listed.iter().filter_map(|key| key.public.as_ref()).map(PublicKey::identity).collect();
    countable.sort_unstable();
    countable.dedup();
    if usize::try_from(role.threshold.get()).is_ok_and(|t| t > countable.len()) {
        quirks.insert(Quirk::ThresholdUnreachable);
    }
}

/// One delegation; of its keys see [`keys_quirks`].
pub(super) fn delegated_role(
    profile: Profile,
    value: Json,
    keys: &Keys,
    quirks: &mut Quirks,
) -> Result<DelegatedRole> {
    let mut fields = Fields::of(value)?;
    let name = RoleName::named(fields.text("name")?);
    if RoleName::TOP.contains(&name) {
        return Err(form(&format!("a delegation named {name}"), "a name that is no top-level role"));
    }
    let role_keys = role_keys(&mut fields, keys).map_err(|e| e.at(&name))?;
    let paths = fields.optional_texts("paths").map_err(|e| e.at(&name))?;
    let (paths, terminating) = match profile {
        Profile::Notary => (PathRule::Prefixes(paths.unwrap_or_default()), false),
        Profile::Tuf => {
            let paths = match (paths, fields.optional_texts("path_hash_prefixes").map_err(|e| e.at(&name))?) {
                (patterns, None) => PathRule::Patterns(patterns.unwrap_or_default()),
                (None, Some(prefixes)) => {
                    quirks.insert(Quirk::HashPrefixes);
                    PathRule::HashPrefixes(prefixes)
                }
                (Some(_), Some(_)) => {
                    return Err(form("both \"paths\" and \"path_hash_prefixes\"", "one of them").at(&name));
                }
            };
            let terminating = match fields.take("terminating") {
                Some(Json::Bool(b)) => b,
                None => false,
                Some(_) => {
                    return Err(form("\"terminating\" that is no truth value", "true or false").at(&name));
                }
            };
            if terminating {
                quirks.insert(Quirk::Terminating);
            }
            (paths, terminating)
        }
    };
    fields.finish(quirks);
    Ok(DelegatedRole { name, keys: role_keys, paths, terminating })
}
