//! The form of limits files: what TOML holds, apart from what it means.

use super::address::Address;
use super::limits::{ClientName, Limits, PossessionLimit};
use super::people::{KeyName, Person};
use super::rules;
use super::strict::Word;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Term;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: u64,
    root: Option<Root>,
    targets: Option<Targets>,
    delegations: Option<Delegations>,
    ceremony: Option<Ceremony>,
    online: Option<Online>,
    clients: Option<Clients>,
}

/// The same without the format: the members that a runbook moves.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Members {
    root: Option<Root>,
    targets: Option<Targets>,
    delegations: Option<Delegations>,
    ceremony: Option<Ceremony>,
    online: Option<Online>,
    clients: Option<Clients>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Root {
    threshold_floor: Option<u32>,
    spare_keys: Option<u32>,
    keys_changed: Option<u32>,
    max_valid_for: Option<Word<Term>>,
    witnesses: Option<u32>,
    rehearsed: Option<bool>,
    attested_keys: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Targets {
    threshold_floor: Option<u32>,
    max_valid_for: Option<Word<Term>>,
    software_keys: Option<bool>,
    witnesses: Option<u32>,
    rehearsed: Option<bool>,
    attested_keys: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Delegations {
    threshold_floor: Option<u32>,
    max_valid_for: Option<Word<Term>>,
    software_keys: Option<bool>,
    possession: Option<Word<PossessionLimit>>,
    witnesses: Option<u32>,
    rehearsed: Option<bool>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Ceremony {
    sign_within: Option<Word<Term>>,
    record_no_older: Option<Word<Term>>,
    excluded: Option<Vec<Word<Person>>>,
    offline: Option<bool>,
    confined: Option<bool>,
    connections: Option<Vec<Word<Address>>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Online {
    snapshot: Option<Vec<Word<KeyName>>>,
    timestamp: Option<Vec<Word<KeyName>>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Clients {
    named: Option<Vec<Word<ClientName>>>,
    oldest_root: Option<u64>,
}

fn put<T>(to: &mut T, from: Option<T>) {
    if let Some(value) = from {
        *to = value;
    }
}

fn word<T>(from: Option<Word<T>>) -> Option<T> {
    from.map(|w| w.0)
}

fn words<T: Ord>(from: Option<Vec<Word<T>>>) -> Option<BTreeSet<T>> {
    from.map(|list| list.into_iter().map(|w| w.0).collect())
}

impl File {
    /// The members of the file.
    pub(super) fn members(self) -> Members {
        let Self { root, targets, delegations, ceremony, online, clients, .. } = self;
        Members { root, targets, delegations, ceremony, online, clients }
    }
}

impl Members {
    /// Limits with these members in the place of theirs.
    pub(super) fn over(self, mut limits: Limits) -> Limits {
        if let Some(from) = self.root {
            let to = &mut limits.root;
            put(&mut to.threshold_floor, from.threshold_floor);
            put(&mut to.spare_keys, from.spare_keys);
            to.keys_changed = from.keys_changed.or(to.keys_changed);
            put(&mut to.max_valid_for, word(from.max_valid_for));
            put(&mut to.witnesses, from.witnesses);
            put(&mut to.rehearsed, from.rehearsed);
            put(&mut to.attested_keys, from.attested_keys);
        }
        if let Some(from) = self.targets {
            let to = &mut limits.targets;
            put(&mut to.threshold_floor, from.threshold_floor);
            put(&mut to.max_valid_for, word(from.max_valid_for));
            put(&mut to.software_keys, from.software_keys);
            put(&mut to.witnesses, from.witnesses);
            put(&mut to.rehearsed, from.rehearsed);
            put(&mut to.attested_keys, from.attested_keys);
        }
        if let Some(from) = self.delegations {
            let to = &mut limits.delegations;
            put(&mut to.threshold_floor, from.threshold_floor);
            put(&mut to.max_valid_for, word(from.max_valid_for));
            put(&mut to.software_keys, from.software_keys);
            put(&mut to.possession, word(from.possession));
            put(&mut to.witnesses, from.witnesses);
            put(&mut to.rehearsed, from.rehearsed);
        }
        if let Some(from) = self.ceremony {
            let to = &mut limits.ceremony;
            put(&mut to.sign_within, word(from.sign_within));
            put(&mut to.record_no_older, word(from.record_no_older));
            put(&mut to.excluded, words(from.excluded));
            put(&mut to.offline, from.offline);
            put(&mut to.confined, from.confined);
            put(&mut to.connections, words(from.connections));
        }
        if let Some(from) = self.online {
            put(&mut limits.online.snapshot, words(from.snapshot));
            put(&mut limits.online.timestamp, words(from.timestamp));
        }
        if let Some(from) = self.clients {
            put(&mut limits.clients, words(from.named));
            limits.oldest_root = from.oldest_root.or(limits.oldest_root);
        }
        limits
    }
}

impl PossessionLimit {
    /// The word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::FirstPublication => "first-publication",
        }
    }
}

impl FromStr for PossessionLimit {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Proved, Self::FirstPublication].into_iter().find(|p| p.name() == text).ok_or_else(|| {
            Refusal::new(&rules::LIMITS_FORM, format!("\"{}\"", visible(text)), "proved or first-publication")
        })
    }
}

pub(super) fn write(limits: &Limits) -> String {
    let term = |t: Term| format!("\"{t}\"");
    let (root, targets, delegations) = (&limits.root, &limits.targets, &limits.delegations);
    let tables = [
        (
            "root",
            vec![
                ("threshold-floor", root.threshold_floor.to_string()),
                ("spare-keys", root.spare_keys.to_string()),
                ("max-valid-for", term(root.max_valid_for)),
                ("witnesses", root.witnesses.to_string()),
                ("rehearsed", root.rehearsed.to_string()),
            ],
        ),
        (
            "targets",
            vec![
                ("threshold-floor", targets.threshold_floor.to_string()),
                ("max-valid-for", term(targets.max_valid_for)),
                ("software-keys", targets.software_keys.to_string()),
                ("witnesses", targets.witnesses.to_string()),
                ("rehearsed", targets.rehearsed.to_string()),
            ],
        ),
        (
            "delegations",
            vec![
                ("threshold-floor", delegations.threshold_floor.to_string()),
                ("max-valid-for", term(delegations.max_valid_for)),
                ("software-keys", delegations.software_keys.to_string()),
                ("possession", format!("\"{}\"", delegations.possession.name())),
                ("witnesses", delegations.witnesses.to_string()),
                ("rehearsed", delegations.rehearsed.to_string()),
            ],
        ),
        (
            "ceremony",
            vec![
                ("sign-within", term(limits.ceremony.sign_within)),
                ("record-no-older", term(limits.ceremony.record_no_older)),
                ("excluded", names(&limits.ceremony.excluded)),
            ],
        ),
        (
            "online",
            vec![
                ("snapshot", names(&limits.online.snapshot)),
                ("timestamp", names(&limits.online.timestamp)),
            ],
        ),
        ("clients", vec![("named", names(&limits.clients))]),
    ];
    let mut lines = vec!["format = 1".to_owned()];
    for (table, members) in tables {
        lines.push(format!("[{table}]"));
        lines.extend(members.into_iter().map(|(member, value)| format!("{member:<17} = {value}")));
        // Any number is what a missing member means, any key, and every root.
        if let Some(most) = root.keys_changed.filter(|_| table == "root") {
            lines.push(format!("{:<17} = {most}", "keys-changed"));
        }
        let attested =
            (table == "root" && root.attested_keys) || (table == "targets" && targets.attested_keys);
        if attested {
            lines.push(format!("{:<17} = true", "attested-keys"));
        }
        let demands = [("offline", limits.ceremony.offline), ("confined", limits.ceremony.confined)];
        let demands = demands.iter().filter(|(_, demanded)| *demanded && table == "ceremony");
        lines.extend(demands.map(|(member, _)| format!("{member:<17} = true")));
        if table == "ceremony" && !limits.ceremony.connections.is_empty() {
            lines.push(format!("{:<17} = {}", "connections", names(&limits.ceremony.connections)));
        }
        if let Some(oldest) = limits.oldest_root.filter(|_| table == "clients") {
            lines.push(format!("{:<17} = {oldest}", "oldest-root"));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Names need no escaping: they are of `a-z 0-9 - _`. Nor do addresses.
fn names<T: Display>(set: &BTreeSet<T>) -> String {
    let quoted: Vec<_> = set.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
