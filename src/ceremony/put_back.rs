//! A targets document as it was, with what changes of the record have done to it since, and nothing of
//! what came in between by none.
//!
//! Whoever has a targets key can put a key of theirs into anyone's delegation, and the record has no name
//! by which to take it out again. So nothing is taken out one by one: the last content that was made here
//! is the ground, and of each span that changes here made, from the document that they started from to
//! the one that they came to, what differs is done to it again. Members that keyrite doesn't know no change here
//! ever adds: those of the ground stay, where the profile lets a successor keep them.
//!
//! Never: a key, a path, a threshold or a file that stands in no document which a change here made, but
//! for what such a change itself put beside it.

use crate::tuf::document::{
    DelegatedRole, DocumentKey, PathRule, RoleKeys, SuccinctRoles, TargetFile, Targets,
};
use crate::tuf::json::Json;
use crate::tuf::key::KeyId;
use crate::tuf::make::{Amendment, Grant, RoleSpec, TargetsEdit};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::unknown::{self, Member, Within};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::num::NonZeroU32;
use std::sync::Arc;

/// What a targets document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    roles: BTreeMap<RoleName, Grant>,
    /// Of search.
    order: Vec<RoleName>,
    /// Hash bins, and the keys of all of them.
    bins: Option<(SuccinctRoles, Vec<DocumentKey>)>,
    files: BTreeMap<String, TargetFile>,
    /// What keyrite doesn't know of, where a whole document was looked at.
    more: BTreeMap<Member, Json>,
}

/// One thing of which a document says something.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What<'a> {
    Threshold(&'a RoleName),
    Terminating(&'a RoleName),
    Key(&'a RoleName, &'a KeyId),
    Path(&'a RoleName, &'a str),
    Bins,
    File(&'a str),
    Member(&'a Member),
}

/// What it says of it.
#[derive(PartialEq)]
enum Says<'a> {
    Threshold(NonZeroU32),
    Terminating(bool),
    Key(&'a DocumentKey),
    Path(Discriminant<PathRule>),
    Bins(&'a (SuccinctRoles, Vec<DocumentKey>)),
    File(&'a TargetFile),
    Member(&'a Json),
}

/// From the document that changes here started from to the one that they came to.
pub type Span<'a> = (&'a Targets, &'a Targets);

impl Content {
    /// Of a document, with what keyrite doesn't know; none but of targets and delegations.
    pub fn whole(payload: &MetadataPayload) -> Option<Self> {
        let known = Self::of(payload.document().as_targets()?);
        Some(Self { more: unknown::members(payload), ..known })
    }

    fn of(targets: &Targets) -> Self {
        let listed = &targets.delegations.roles;
        Self {
            roles: listed.iter().map(|role| (role.name.clone(), grant(targets, role))).collect(),
            order: listed.iter().map(|role| role.name.clone()).collect(),
            bins: targets.delegations.succinct.as_ref().map(|bins| (bins.clone(), keys(targets, &bins.keys))),
            files: targets.targets.clone(),
            more: BTreeMap::new(),
        }
    }

    /// With what keyrite doesn't know and a document keeps that is made of the ground by these edits.
    pub fn keeping(mut self, ground: &MetadataPayload, edits: &[TargetsEdit]) -> Self {
        if ground.profile() == Profile::Notary {
            return self;
        }
        self.more = unknown::members(ground);
        for edit in edits {
            let gone = match edit {
                TargetsEdit::Grant(grant) => Within::Delegation(grant.role.as_str().to_owned()),
                TargetsEdit::Revoke(role) => Within::Delegation(role.as_str().to_owned()),
                TargetsEdit::PutTarget { path, .. } | TargetsEdit::RemoveTarget(path) => {
                    Within::Target(path.clone())
                }
                TargetsEdit::Amend(_) => continue,
            };
            self.more.retain(|member, _| member.within != gone);
        }
        self
    }

    /// Whether anything by which `newest` differs from `again` stands here as in `newest`.
    pub fn carries_on(&self, newest: &Self, again: &Self) -> bool {
        let (own, newest_says, again_says) = (self.says(), newest.says(), again.says());
        let mut all = newest_says.keys().chain(again_says.keys());
        let stays = |what: &What<'_>| {
            newest_says.get(what) != again_says.get(what) && own.get(what) == newest_says.get(what)
        };
        all.any(stays) || {
            let in_all =
                |name: &&RoleName| [self, newest, again].iter().all(|one| one.roles.contains_key(*name));
            let order = |one: &'_ Self| one.order.iter().filter(in_all).cloned().collect::<Vec<_>>();
            order(newest) != order(again) && order(self) == order(newest)
        }
    }

    /// All that it says but the order of search, one by one.
    fn says(&self) -> BTreeMap<What<'_>, Says<'_>> {
        let mut says = BTreeMap::new();
        for (name, grant) in &self.roles {
            says.insert(What::Threshold(name), Says::Threshold(grant.keys.threshold));
            says.insert(What::Terminating(name), Says::Terminating(grant.terminating));
            says.extend(grant.keys.keys.iter().map(|key| (What::Key(name, &key.id), Says::Key(key))));
            let kind = discriminant(&grant.paths);
            says.extend(list(&grant.paths).iter().map(|path| (What::Path(name, path), Says::Path(kind))));
        }
        says.extend(self.bins.iter().map(|bins| (What::Bins, Says::Bins(bins))));
        says.extend(self.files.iter().map(|(path, file)| (What::File(path), Says::File(file))));
        says.extend(self.more.iter().map(|(member, value)| (What::Member(member), Says::Member(value))));
        says
    }

    /// Its files that the other doesn't name so.
    pub fn files_beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a String> {
        self.files.iter().filter(|(path, file)| other.files.get(*path) != Some(*file)).map(|(path, _)| path)
    }

    /// Whether it names a file.
    pub fn names(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether both have the same hash bins, signed by the same keys.
    pub fn has_bins_of(&self, targets: &Targets) -> bool {
        self.bins == Self::of(targets).bins
    }

    /// With what changes did in a span; also the delegations that these altered and that aren't here.
    fn after(mut self, (from, to): Span<'_>) -> (Self, BTreeSet<RoleName>) {
        let (from, to) = (Self::of(from), Self::of(to));
        let mut elsewhere = BTreeSet::new();
        for (name, was) in &from.roles {
            match (self.roles.get_mut(name), to.roles.get(name)) {
                (_, Some(is)) if is == was => {}
                (Some(own), Some(is)) => *own = merged(own, was, is),
                (_, None) => drop(self.roles.remove(name)),
                (None, Some(_)) => drop(elsewhere.insert(name.clone())),
            }
        }
        for name in to.order.iter().filter(|name| !from.roles.contains_key(*name)) {
            if !self.roles.contains_key(name) {
                self.order.push(name.clone());
            }
            self.roles.extend(to.roles.get(name).map(|is| (name.clone(), is.clone())));
        }
        self.order.retain(|name| self.roles.contains_key(name));
        if from.bins != to.bins {
            self.bins = to.bins;
        }
        for path in from.files.keys().chain(to.files.keys()) {
            match (from.files.get(path), to.files.get(path)) {
                (was, is) if was == is => {}
                (_, Some(is)) => drop(self.files.insert(path.clone(), is.clone())),
                (_, None) => drop(self.files.remove(path)),
            }
        }
        (self, elsewhere)
    }
}

/// What a document says with what changes did in these spans, one after another; also the delegations that
/// these altered, and that only what came in between had granted.
pub fn content(ground: &Targets, spans: &[Span<'_>]) -> (Content, BTreeSet<RoleName>) {
    let mut elsewhere = BTreeSet::new();
    let all = spans.iter().fold(Content::of(ground), |content, span| {
        let (content, more) = content.after(*span);
        elsewhere.extend(more);
        content
    });
    elsewhere.retain(|role| !all.roles.contains_key(role));
    (all, elsewhere)
}

/// What makes that content of the document that is its ground.
pub fn edits(ground: &Targets, content: &Content) -> Vec<TargetsEdit> {
    let before = Content::of(ground);
    let mut edits = Vec::new();
    for name in before.order.iter().filter(|name| !content.roles.contains_key(*name)) {
        edits.push(TargetsEdit::Revoke(name.clone()));
    }
    for is in content.order.iter().filter_map(|name| content.roles.get(name)) {
        edits.push(match before.roles.get(&is.role) {
            Some(was) if was == is => continue,
            Some(was) => {
                amendment(was, is).map_or_else(|| TargetsEdit::Grant(is.clone()), TargetsEdit::Amend)
            }
            None => TargetsEdit::Grant(is.clone()),
        });
    }
    for path in before.files.keys().filter(|path| !content.files.contains_key(*path)) {
        edits.push(TargetsEdit::RemoveTarget(path.clone()));
    }
    for (path, file) in content.files.iter().filter(|(path, file)| before.files.get(*path) != Some(*file)) {
        edits.push(TargetsEdit::PutTarget { path: path.clone(), file: file.clone() });
    }
    edits
}

fn keys(targets: &Targets, listed: &RoleKeys) -> Vec<DocumentKey> {
    listed.keyids.iter().filter_map(|id| targets.delegations.keys.get(id)).cloned().collect()
}

fn grant(targets: &Targets, role: &DelegatedRole) -> Grant {
    Grant {
        role: role.name.clone(),
        keys: RoleSpec { keys: keys(targets, &role.keys), threshold: role.keys.threshold },
        paths: role.paths.clone(),
        terminating: role.terminating,
    }
}

/// `own` with what differs between `was` and `is`.
fn merged(own: &Grant, was: &Grant, is: &Grant) -> Grant {
    let (before, after) = (ids(was), ids(is));
    let mut keys = own.keys.keys.clone();
    keys.retain(|key| !before.contains(&key.id) || after.contains(&key.id));
    let here: BTreeSet<KeyId> = keys.iter().map(|key| key.id.clone()).collect();
    let new = is.keys.keys.iter().filter(|key| !before.contains(&key.id) && !here.contains(&key.id));
    keys.extend(new.cloned());
    let threshold = if was.keys.threshold == is.keys.threshold { own } else { is }.keys.threshold;
    let paths = if was.paths == is.paths { own.paths.clone() } else { merged_paths(own, was, is) };
    let terminating = if was.terminating == is.terminating { own } else { is }.terminating;
    Grant { role: own.role.clone(), keys: RoleSpec { keys, threshold }, paths, terminating }
}

fn merged_paths(own: &Grant, was: &Grant, is: &Grant) -> PathRule {
    let (before, after) = (list(&was.paths), list(&is.paths));
    let mut paths = list(&own.paths).to_vec();
    paths.retain(|path| !before.contains(path) || after.contains(path));
    let new = |path: &&String| !before.contains(path) && !list(&own.paths).contains(path);
    paths.extend(after.iter().filter(new).cloned());
    match (&own.paths, &is.paths) {
        (PathRule::Patterns(_), PathRule::Patterns(_)) => PathRule::Patterns(paths),
        (PathRule::HashPrefixes(_), PathRule::HashPrefixes(_)) => PathRule::HashPrefixes(paths),
        (PathRule::Prefixes(_), PathRule::Prefixes(_)) => PathRule::Prefixes(paths),
        _ => is.paths.clone(),
    }
}

/// A change in its place, where nothing but keys, the threshold and further paths differ: all else that the
/// document's entry says stays.
fn amendment(was: &Grant, is: &Grant) -> Option<Amendment> {
    let (before, after) = (list(&was.paths), list(&is.paths));
    let kinds = discriminant(&was.paths) == discriminant(&is.paths);
    if was.terminating != is.terminating || !kinds || !after.starts_with(before) {
        return None;
    }
    let (old, new) = (ids(was), ids(is));
    Some(Amendment {
        role: is.role.clone(),
        remove: Arc::new(old.difference(&new).map(|id| (*id).clone()).collect()),
        add: is.keys.keys.iter().filter(|key| !old.contains(&key.id)).cloned().collect(),
        threshold: Some(is.keys.threshold),
        add_paths: after.iter().skip(before.len()).cloned().collect(),
    })
}

fn ids(grant: &Grant) -> BTreeSet<&KeyId> {
    grant.keys.keys.iter().map(|key| &key.id).collect()
}

fn list(paths: &PathRule) -> &[String] {
    match paths {
        PathRule::Patterns(all) | PathRule::HashPrefixes(all) | PathRule::Prefixes(all) => all,
    }
}
