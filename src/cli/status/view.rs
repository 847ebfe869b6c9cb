//! What `status` tells, computed once for the screen, for JSON and for the calendar.

use crate::ceremony::due::{Ending, Urgency, What, endings};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::moved::cut_short;
use crate::ceremony::people::KeyName;
use crate::ceremony::standing::{Standing, State};
use crate::ceremony::transcript::{Outcome, Transcript};
use crate::record::{Contents, StoredChange};
use crate::tuf::document::{Document, Keys, PathRule, RoleKeys};
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
pub struct View<'a> {
    /// Every role of the newest documents, top-level ones first.
    pub roles: Vec<Role<'a>>,
    /// Every key of the record.
    pub keys: Vec<Key<'a>>,
    /// What people renew, the first first.
    pub endings: Vec<Ending>,
    /// Per living root and targets key: when its holder last answered a roll-call.
    pub roll_call: BTreeMap<&'a KeyName, Option<Time>>,
}

/// One role.
pub struct Role<'a> {
    /// Its name.
    pub name: RoleName,
    /// Its newest trusted document, if there is one.
    pub document: Option<&'a Trusted>,
    /// Its keys, each as people call it.
    pub keys: Vec<Listed<'a>>,
    /// How many of them must sign.
    pub threshold: u32,
    /// For delegations: who grants it, and which targets.
    pub paths: Option<&'a PathRule>,
}

/// A key that a role lists.
pub struct Listed<'a> {
    /// In the record, if it is there.
    pub record: Option<&'a KeyRecord>,
    /// Its kind, for one that is not.
    pub kind: String,
}

/// One key.
pub struct Key<'a> {
    /// In the record.
    pub record: &'a KeyRecord,
    /// The roles that list it now; empty for a spare, or for one that is no longer used.
    pub serves: Vec<RoleName>,
    /// When it signed last, by the transcripts at hand.
    pub used: Option<Time>,
}

impl Listed<'_> {
    /// As people call it: `root-a (ada)`, and what became of it.
    pub fn words(&self) -> String {
        let Some(record) = self.record else { return self.kind.clone() };
        let life = record.life.last().map_or_else(String::new, |(event, _)| format!(", {}", event.name()));
        format!("{} ({}{life})", record.name, record.holder)
    }
}

impl Role<'_> {
    /// Living keys beyond the threshold: how many may be lost.
    pub fn spare(&self) -> usize {
        let living = self.keys.iter().filter(|key| key.record.is_none_or(|r| r.life.is_empty())).count();
        living.saturating_sub(usize::try_from(self.threshold).unwrap_or(usize::MAX))
    }
}

impl<'a> View<'a> {
    /// Computes it.
    pub fn of(contents: &'a Contents) -> Self {
        let facts = &contents.facts;
        let known: BTreeMap<KeyIdentity, &KeyRecord> =
            facts.keys.values().map(|record| (record.public.identity(), record)).collect();
        let roles = roles(facts, &known);
        let (used, mut answered) = signed(contents);
        for (key, at) in &facts.roll_calls {
            let last = answered.entry(*key).or_insert(*at);
            *last = (*at).max(*last);
        }
        let keys: Vec<Key<'a>> = facts
            .keys
            .values()
            .map(|record| {
                let lists =
                    |role: &&Role| role.keys.iter().any(|k| k.record.is_some_and(|r| r.name == record.name));
                let serves = roles.iter().filter(lists).map(|role| role.name.clone()).collect();
                Key { record, serves, used: used.get(&record.name).copied() }
            })
            .collect();
        let top = |key: &&Key| {
            key.record.life.is_empty()
                && key.serves.iter().any(|role| matches!(role, RoleName::Root | RoleName::Targets))
        };
        let roll_call = keys
            .iter()
            .filter(top)
            .map(|key| (&key.record.name, answered.get(&key.record.public.identity()).copied()));
        let roll_call = roll_call.collect();
        Self { roles, keys, endings: endings(facts), roll_call }
    }

    /// What is to be renewed now, or is late.
    pub fn due(&self, now: Time) -> Vec<&Ending> {
        self.endings.iter().filter(|ending| ending.urgency(now) != Urgency::Later).collect()
    }
}

/// Who did not answer the last roll-call that has ended on its day, of those who have the key still. One
/// that was withdrawn, or that a key given up before had ended, left people no time to answer.
pub fn silent(contents: &Contents) -> Option<(&StoredChange, Vec<&KeyRecord>)> {
    let ended = |stored: &&StoredChange| {
        let over = |s: &Standing| matches!(s.state, State::Sealed | State::Lapsed { .. });
        stored.change.is_roll_call()
            && stored.standing.as_ref().is_ok_and(over)
            && !cut_short(&stored.change, &contents.facts)
    };
    let last = contents.changes.values().filter(ended).max_by_key(|stored| stored.change.frame.held_at)?;
    let missing = last.standing.as_ref().map(Standing::missing).unwrap_or_default();
    let since = |key: &KeyIdentity| {
        contents.facts.roll_calls.get(key).is_some_and(|at| *at > last.change.frame.held_at)
    };
    let silent = missing.iter().filter(|asked| !since(&asked.identity));
    let silent =
        silent.filter_map(|asked| contents.facts.keys.get(&asked.key)).filter(|key| key.life.is_empty());
    let silent: Vec<_> = silent.collect();
    (!silent.is_empty()).then_some((last, silent))
}

/// What ends, in words.
pub fn what(what: &What) -> String {
    match what {
        What::Document(role) => visible(role.as_str()),
        What::Certificate(key) => format!("certificate of {key}"),
    }
}

fn roles<'a>(facts: &'a Facts, known: &BTreeMap<KeyIdentity, &'a KeyRecord>) -> Vec<Role<'a>> {
    let one = |role: &RoleName, keys: &Keys, listed: &RoleKeys, paths: Option<&'a PathRule>| {
        let mut seen = BTreeSet::new();
        let named = listed.keyids.iter().filter_map(|id| keys.get(id)?.public.as_ref());
        let keys = named
            .filter(|public| seen.insert(public.identity()))
            .map(|public| Listed { record: known.get(&public.identity()).copied(), kind: public.describe() });
        Role {
            name: role.clone(),
            document: facts.newest(role),
            keys: keys.collect(),
            threshold: listed.threshold.get(),
            paths,
        }
    };
    let mut roles = Vec::new();
    let Some(root) = facts.root() else { return roles };
    for (role, listed) in &root.roles {
        roles.push(one(role, &root.keys, listed, None));
    }
    for document in facts.documents.values() {
        let Document::Targets(targets) = document.document() else { continue };
        for role in &targets.delegations.roles {
            roles.push(one(&role.name, &targets.delegations.keys, &role.keys, Some(&role.paths)));
        }
    }
    roles
}

/// By key: when it signed last, and when it last answered a roll-call.
fn signed(contents: &Contents) -> (BTreeMap<KeyName, Time>, BTreeMap<KeyIdentity, Time>) {
    let mut used: BTreeMap<KeyName, Time> = BTreeMap::new();
    let mut payloads = BTreeMap::new();
    for (entry, _) in contents.transcripts.values().flat_map(Transcript::entries) {
        let Outcome::Sign { key, payload, .. } = &entry.outcome else { continue };
        let last = used.entry(key.clone()).or_insert(entry.at);
        *last = entry.at.max(*last);
        payloads.insert(*payload, entry.at);
    }
    let held: BTreeMap<[u8; 32], Time> =
        contents.changes.values().map(|c| (c.change.frame.nonce, c.change.frame.held_at)).collect();
    let mut answered: BTreeMap<KeyIdentity, Time> = BTreeMap::new();
    for stored in contents.statements.values() {
        let statement = stored.signed.statement();
        let Sentence::RollCall { key, nonce } = statement.sentence() else { continue };
        let payload = crate::tuf::digest::Digest::of(statement.bytes());
        let at = payloads.get(&payload).or_else(|| held.get(nonce.as_bytes()));
        if let Some(at) = at {
            let last = answered.entry(*key).or_insert(*at);
            *last = (*at).max(*last);
        }
    }
    (used, answered)
}
