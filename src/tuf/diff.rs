//! The difference between two versions of a document, in words.
//!
//! For the people who confirm a change: everything that differs is said, by names they know, and
//! what keyrite doesn't understand is named as such. Every text from a document is made visible.
//! A key is shown by the record's name, its kind and the start of its identity, never by id alone.

use super::document::{
    DelegatedRole, Delegations, Document, DocumentKey, Keys, MetaFile, PathRule, RoleKeys, Root, Snapshot,
    SuccinctRoles, TargetFile, Targets, Timestamp,
};
use super::hashes::Hashes;
use super::json::Json;
use super::key::{KeyId, KeyIdentity};
use super::payload::MetadataPayload;
use super::text::visible;
use super::unknown;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What `new` changes, one line each; all it says where there is no `old`. `names` gives the
/// record's name of a key.
pub fn words(
    old: Option<&MetadataPayload>,
    new: &MetadataPayload,
    names: &dyn Fn(KeyIdentity) -> Option<String>,
) -> Vec<String> {
    let mut out = Words { lines: Vec::new(), names };
    out.header(old, new);
    let before = old.map(MetadataPayload::document);
    match new.document() {
        Document::Root(root) => out.root(before.and_then(Document::as_root), root),
        Document::Targets(targets) => out.targets(before.and_then(Document::as_targets), targets),
        Document::Snapshot(snapshot) => out.snapshot(as_snapshot(before), snapshot),
        Document::Timestamp(timestamp) => out.timestamp(as_timestamp(before), timestamp),
    }
    out.unknown_members(old, new);
    out.lines
}

fn as_snapshot(document: Option<&Document>) -> Option<&Snapshot> {
    if let Some(Document::Snapshot(snapshot)) = document { Some(snapshot) } else { None }
}

fn as_timestamp(document: Option<&Document>) -> Option<&Timestamp> {
    if let Some(Document::Timestamp(timestamp)) = document { Some(timestamp) } else { None }
}

struct Words<'a> {
    lines: Vec<String>,
    names: &'a dyn Fn(KeyIdentity) -> Option<String>,
}

impl Words<'_> {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    fn header(&mut self, old: Option<&MetadataPayload>, new: &MetadataPayload) {
        let role = new.role();
        let header = new.document().header();
        match old {
            None => {
                self.say(format!("{role}: version {}, nothing before it", header.version));
                self.say(format!("{role}: valid until {}", header.expires));
            }
            Some(old) => {
                let before = old.document().header();
                self.say(format!("{role}: version {} becomes {}", before.version, header.version));
                if before.expires == header.expires {
                    self.say(format!("{role}: valid until {}, as before", header.expires));
                } else {
                    self.say(format!("{role}: valid until {} (was {})", header.expires, before.expires));
                }
                if before.spec_version != header.spec_version {
                    let text = |v: &Option<String>| v.as_deref().map_or("none".to_owned(), visible);
                    self.say(format!(
                        "{role}: specification {} (was {})",
                        text(&header.spec_version),
                        text(&before.spec_version)
                    ));
                }
            }
        }
    }

    fn root(&mut self, old: Option<&Root>, new: &Root) {
        if old.is_some_and(|o| o.consistent_snapshot != new.consistent_snapshot) {
            let now = if new.consistent_snapshot { "carry" } else { "no longer carry" };
            self.say(format!("root: file names {now} versions and digests (consistent_snapshot)"));
        }
        for (name, role) in &new.roles {
            let before = old.and_then(|o| Some((o.roles.get(name)?, &o.keys)));
            self.role(&format!("role {name}"), before, (role, &new.keys));
        }
        for name in old.iter().flat_map(|o| o.roles.keys()).filter(|name| !new.roles.contains_key(*name)) {
            self.say(format!("role {name}: removed"));
        }
        let listed = |root: &Root| root.roles.values().flat_map(|r| r.keyids.iter().cloned()).collect();
        let (before, after) = (old.map(|o| (&o.keys, listed(o))), listed(new));
        self.loose_keys(before.as_ref().map(|(keys, ids)| (*keys, ids)), (&new.keys, &after));
    }

    fn targets(&mut self, old: Option<&Targets>, new: &Targets) {
        let none = BTreeMap::new();
        let before = old.map_or(&none, |o| &o.targets);
        for (path, file) in &new.targets {
            let path_text = visible(path);
            match before.get(path) {
                None => self.say(format!("target {path_text}: added, {}", describe_target(file))),
                Some(was) if was == file => {}
                Some(was) => {
                    let (now, then) = (describe_target(file), describe_target(was));
                    self.say(format!("target {path_text}: now {now} (was {then})"));
                }
            }
        }
        for path in before.keys().filter(|path| !new.targets.contains_key(*path)) {
            self.say(format!("target {}: removed", visible(path)));
        }
        if new.targets.is_empty() && old.is_none() {
            self.say("no targets".to_owned());
        }
        self.delegations(old.map(|o| &o.delegations), &new.delegations);
    }

    fn delegations(&mut self, old: Option<&Delegations>, new: &Delegations) {
        // There can be thousands, of which hardly any changes and which list the same few keys.
        let mut looked_at = HashMap::new();
        let mut unchanged = |role: &RoleKeys, keys: &Keys| {
            *looked_at.entry(role.list()).or_insert_with(|| same_entries(role, keys, &new.keys))
        };
        let mut told = HashMap::new();
        for (place, role) in new.roles.iter().enumerate() {
            let before = old.and_then(|o| Some((o.role_near(place, role)?, &o.keys)));
            if before.is_some_and(|(was, keys)| same(was, role) && unchanged(&role.keys, keys)) {
                continue;
            }
            let title = format!("delegation {}", role.name);
            match before {
                None => self.say(format!("{title}: granted, {}", describe_reach(role))),
                Some((was, _)) if was.paths == role.paths && was.terminating == role.terminating => {}
                Some((was, _)) => {
                    self.say(format!("{title}: now {} (was {})", describe_reach(role), describe_reach(was)));
                }
            }
            let before = before.map(|(was, keys)| (&was.keys, keys));
            let lists = |keys: &RoleKeys| (keys.list(), keys.threshold);
            let which = (before.map(|(was, _)| lists(was)), lists(&role.keys));
            let lines = told.entry(which).or_insert_with(|| self.role_words(before, (&role.keys, &new.keys)));
            self.lines.extend(lines.iter().map(|line| format!("{title}: {line}")));
        }
        let before = old.iter().flat_map(|o| o.roles.iter().enumerate());
        for (_, role) in before.filter(|(place, role)| new.role_near(*place, role).is_none()) {
            self.say(format!("delegation {}: revoked, it was {}", role.name, describe_reach(role)));
        }
        if let Some(old) = old
            && !in_both(new, old).map(|role| &role.name).eq(in_both(old, new).map(|role| &role.name))
        {
            let names: Vec<_> = new.roles.iter().map(|r| r.name.to_string()).collect();
            self.say(format!("delegations: searched in another order, now {}", names.join(", ")));
        }
        self.bins(old, new);
        let listed = |d: &Delegations| {
            let mut seen = HashSet::new();
            let bins = d.succinct.iter().map(|s| &s.keys);
            let lists = d.roles.iter().map(|r| &r.keys).chain(bins).filter(|keys| seen.insert(keys.list()));
            lists.flat_map(|keys| &*keys.keyids).cloned().collect()
        };
        let (before, after) = (old.map(|o| (&o.keys, listed(o))), listed(new));
        self.loose_keys(before.as_ref().map(|(keys, ids)| (*keys, ids)), (&new.keys, &after));
    }

    fn bins(&mut self, old: Option<&Delegations>, new: &Delegations) {
        let shape = |s: &SuccinctRoles| format!("{}, {} bits", visible(&s.name_prefix), s.bit_length);
        let before = old.and_then(|o| Some((o.succinct.as_ref()?, &o.keys)));
        match (before, &new.succinct) {
            (None, None) => {}
            (Some((was, _)), None) => self.say(format!("hash bins: removed, they were {}", shape(was))),
            (before, Some(bins)) => {
                match before {
                    Some((was, _)) if shape(was) == shape(bins) => {}
                    Some((was, _)) => self.say(format!("hash bins: {} (was {})", shape(bins), shape(was))),
                    None => self.say(format!("hash bins: {}", shape(bins))),
                }
                self.role("hash bins", before.map(|(was, keys)| (&was.keys, keys)), (&bins.keys, &new.keys));
            }
        }
    }

    /// Threshold and keys of one role, each with the entries of its document.
    fn role(&mut self, title: &str, old: Option<(&RoleKeys, &Keys)>, new: (&RoleKeys, &Keys)) {
        let lines = self.role_words(old, new);
        self.lines.extend(lines.iter().map(|line| format!("{title}: {line}")));
    }

    /// The same without the role's title.
    fn role_words(&self, old: Option<(&RoleKeys, &Keys)>, new: (&RoleKeys, &Keys)) -> Vec<String> {
        let (role, keys) = new;
        let count = |role: &RoleKeys| {
            let mut ids: Vec<_> = role.keyids.iter().collect();
            ids.sort_unstable();
            ids.dedup();
            let many = if ids.len() == 1 { "key" } else { "keys" };
            format!("{} of {} {many}", role.threshold, ids.len())
        };
        let Some((was, was_keys)) = old else {
            let all: Vec<_> = role.keyids.iter().map(|id| self.key(id.as_str(), keys.get(id))).collect();
            return vec![format!("{} must sign: {}", count(role), all.join(", "))];
        };
        let mut lines = Vec::new();
        if count(role) != count(was) {
            lines.push(format!("{} must sign (was {})", count(role), count(was)));
        }
        let identity = |key: Option<&DocumentKey>| key.and_then(|k| Some(k.public.as_ref()?.identity()));
        let identities = |role: &RoleKeys, keys: &Keys| -> BTreeSet<KeyIdentity> {
            role.keyids.iter().filter_map(|id| identity(keys.get(id))).collect()
        };
        let now = LazyCell::new(|| identities(role, keys));
        let then = LazyCell::new(|| identities(was, was_keys));
        for id in &*role.keyids {
            let here = keys.get(id);
            let there = was.keyids.contains(id);
            if there && was_keys.get(id).map(|k| &k.entry) == here.map(|k| &k.entry) {
                continue;
            }
            let text = self.key(id.as_str(), here);
            lines.push(if there {
                format!("another key under the id {id}: {text}")
            } else if identity(here).is_some_and(|i| then.contains(&i)) {
                format!("{text} under another id or certificate")
            } else {
                format!("adds {text}")
            });
        }
        for id in was.keyids.iter().filter(|id| !role.keyids.contains(id)) {
            let there = was_keys.get(id);
            if identity(there).is_none_or(|i| !now.contains(&i)) {
                let text = self.key(id.as_str(), there);
                lines.push(format!("removes {text}"));
            } else if role.keyids.len() < was.keyids.len() {
                lines.push(format!("no longer lists the id {id}, its key stays"));
            }
        }
        if role.keyids != was.keyids
            && BTreeSet::from_iter(&*role.keyids) == BTreeSet::from_iter(&*was.keyids)
        {
            lines.push("lists its keys in another order".to_owned());
        }
        lines
    }

    /// Keys that a document holds and no role of it lists.
    fn loose_keys(
        &mut self,
        old: Option<(&Keys, &BTreeSet<KeyId>)>,
        (keys, listed): (&Keys, &BTreeSet<KeyId>),
    ) {
        let mut loose: BTreeMap<_, _> = keys.iter().filter(|(id, _)| !listed.contains(*id)).collect();
        for (id, key) in
            old.iter().flat_map(|(keys, listed)| keys.iter().filter(|(id, _)| !listed.contains(*id)))
        {
            if loose.remove(id).is_none() && !keys.contains_key(id) {
                let text = self.key(id.as_str(), Some(key));
                self.say(format!("keys: no longer holds {text}, which no role lists"));
            }
        }
        for (id, key) in loose {
            let text = self.key(id.as_str(), Some(key));
            self.say(format!("keys: holds {text}, which no role lists"));
        }
    }

    fn key(&self, id: &str, key: Option<&DocumentKey>) -> String {
        let Some(key) = key else { return format!("an id without a key, {}", visible(id)) };
        let Some(public) = &key.public else { return format!("a key of an unknown kind, {}", visible(id)) };
        let identity = public.identity();
        let start: String = identity.to_string().chars().take(16).collect();
        match (self.names)(identity) {
            Some(name) => format!("{} ({}, {start}...)", visible(&name), public.describe()),
            None => format!("a key that the record doesn't know ({}, {identity})", public.describe()),
        }
    }

    fn snapshot(&mut self, old: Option<&Snapshot>, new: &Snapshot) {
        for (role, file) in &new.meta {
            self.meta(&format!("meta {role}"), old.and_then(|o| o.meta.get(role)), file);
        }
        for role in old.iter().flat_map(|o| o.meta.keys()).filter(|role| !new.meta.contains_key(*role)) {
            self.say(format!("meta {role}: removed"));
        }
    }

    fn timestamp(&mut self, old: Option<&Timestamp>, new: &Timestamp) {
        self.meta("meta snapshot", old.map(|o| &o.snapshot), &new.snapshot);
    }

    fn meta(&mut self, title: &str, old: Option<&MetaFile>, new: &MetaFile) {
        match old {
            Some(was) if was == new => {}
            Some(was) => self.say(format!("{title}: {} (was {})", describe_meta(new), describe_meta(was))),
            None => self.say(format!("{title}: {}", describe_meta(new))),
        }
    }

    fn unknown_members(&mut self, old: Option<&MetadataPayload>, new: &MetadataPayload) {
        let read = |payload: &MetadataPayload| -> BTreeMap<String, Json> {
            let found = unknown::members(payload).into_iter();
            found.map(|(member, value)| (member.to_string(), value)).collect()
        };
        let (before, after) = (old.map(read).unwrap_or_default(), read(new));
        let shown = |value: &Json| {
            let text = visible(&String::from_utf8_lossy(&value.canonical()));
            if text.chars().count() <= 200 {
                text
            } else {
                text.chars().take(200).chain("...".chars()).collect()
            }
        };
        for (place, value) in &after {
            match before.get(place) {
                Some(was) if was == value => {}
                Some(was) => {
                    self.say(format!("{place}, unknown to keyrite: {} (was {})", shown(value), shown(was)));
                }
                None => self.say(format!("{place}, unknown to keyrite: {}", shown(value))),
            }
        }
        for place in before.keys().filter(|place| !after.contains_key(*place)) {
            self.say(format!("{place}, unknown to keyrite: removed"));
        }
    }
}

/// Whether two delegations say the same; two versions of a document mostly share one.
fn same(was: &DelegatedRole, is: &DelegatedRole) -> bool {
    std::ptr::eq(was, is) || was == is
}

/// Whether two documents have the same entries for the keys of a role.
fn same_entries(role: &RoleKeys, old: &Keys, new: &Keys) -> bool {
    role.keyids.iter().all(|id| old.get(id).map(|key| &key.entry) == new.get(id).map(|key| &key.entry))
}

/// Those delegations that another document has too, in the order of search.
fn in_both<'a>(of: &'a Delegations, other: &'a Delegations) -> impl Iterator<Item = &'a DelegatedRole> {
    let there = |(place, role): &(usize, &Arc<DelegatedRole>)| other.role_near(*place, role).is_some();
    of.roles.iter().enumerate().filter(there).map(|(_, role)| &**role)
}

fn describe_target(file: &TargetFile) -> String {
    let text = format!("{} bytes, {}", file.length, describe_hashes(&file.hashes));
    match &file.custom {
        None => text,
        Some(custom) => format!("{text}, custom {}", visible(&String::from_utf8_lossy(&custom.canonical()))),
    }
}

fn describe_hashes(hashes: &Hashes) -> String {
    let each = hashes
        .iter()
        .map(|(name, bytes)| format!("{} {}", visible(name), base16ct::lower::encode_string(bytes)));
    each.collect::<Vec<_>>().join(", ")
}

fn describe_meta(file: &MetaFile) -> String {
    let mut parts = Vec::new();
    parts.extend(file.version.map(|v| format!("version {v}")));
    parts.extend(file.length.map(|n| format!("{n} bytes")));
    if !file.hashes.is_empty() {
        parts.push(describe_hashes(&file.hashes));
    }
    if parts.is_empty() { "nothing said of it".to_owned() } else { parts.join(", ") }
}

fn describe_reach(role: &DelegatedRole) -> String {
    let quoted =
        |all: &[String]| all.iter().map(|p| format!("\"{}\"", visible(p))).collect::<Vec<_>>().join(", ");
    let mut text = match &role.paths {
        PathRule::Patterns(all) | PathRule::Prefixes(all) | PathRule::HashPrefixes(all) if all.is_empty() => {
            "for no paths".to_owned()
        }
        PathRule::Patterns(all) => format!("for paths like {}", quoted(all)),
        PathRule::HashPrefixes(all) => format!("for paths whose digest starts with {}", quoted(all)),
        PathRule::Prefixes(all) if all.iter().any(String::is_empty) => "for every path".to_owned(),
        PathRule::Prefixes(all) => format!("for paths that start with {}", quoted(all)),
    };
    if role.terminating {
        text.push_str(", and the search ends there");
    }
    text
}
