//! How a change stands: computed from the files at hand, never stored.

use super::change::{Ask, Change, Counts, Item};
use super::facts::{Facts, KeyRecord};
use super::moved::{self, Moved};
use super::people::{KeyName, Person};
use super::proposal::Proposal;
use super::rules;
use super::thresholds::{self, Roles};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::text::visible;
use crate::tuf::threshold::Tally;
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What the record holds of one change; every signature in it has been verified by who filled it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Whose signature over which payload.
    pub signatures: Vec<(KeyIdentity, Digest)>,
    /// Withdrawals of the change: who signed, and the reason. Whether they count is decided here.
    pub withdrawals: Vec<(KeyIdentity, String)>,
    /// Refusals by single custodians.
    pub refusals: Vec<(KeyIdentity, String)>,
}

/// How a change stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In one word.
    pub state: State,
    /// Whether the last moment to sign has passed: a complete change may still be sealed.
    pub past_sign_by: bool,
    /// By item of the change, for those that are signed.
    pub items: Vec<ItemStanding>,
}

/// The state of a change: the first of these that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The backend serves its documents, or has served them.
    Published,
    /// Those who may have withdrawn it.
    Withdrawn {
        /// In their words, escaped.
        reason: String,
    },
    /// What it made was sealed, and another document of that version was published.
    Overtaken {
        /// Of which delegation.
        role: RoleName,
        /// That version.
        version: u64,
    },
    /// All that it makes is in the record; of a roll-call, all that it will ever get.
    Sealed,
    /// Its last day has passed before every threshold was met.
    Lapsed {
        /// That day.
        sign_by: Time,
    },
    /// What it starts from has been replaced meanwhile.
    BaseMoved(Moved),
    /// A document that it starts from is itself not sealed yet: it waits for another change.
    BaseAhead {
        /// Which.
        role: RoleName,
        /// The version that it starts from.
        from: u64,
    },
    /// Every threshold is met, so it may be sealed.
    Complete {
        /// Whether every key asked has signed.
        everyone: bool,
    },
    /// Signatures, or keys to be made or taken in, are still missing.
    Open,
}

/// How one payload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemStanding {
    /// The item's number.
    pub item: usize,
    /// In words: `root version 2`.
    pub title: String,
    /// The payload.
    pub payload: Digest,
    /// Its thresholds.
    pub needs: Vec<Need>,
    /// Keys asked that have signed.
    pub signed: Vec<Asked>,
    /// Keys asked that have not.
    pub missing: Vec<Asked>,
}

/// One threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Which.
    pub counts: Counts,
    /// Distinct public keys that must sign.
    pub need: u32,
    /// Those that have.
    pub have: u32,
}

/// A key that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The record's name.
    pub key: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// The key.
    pub identity: KeyIdentity,
    /// Whether its signature would count for a threshold that is not met yet.
    pub needed: bool,
}

impl Standing {
    /// Computes how `change` stands. Only signatures of keys that the change asks count.
    ///
    /// # Errors
    ///
    /// `CHANGE-ROLE` for a document whose delegator is neither in the change nor trusted, or does
    /// not list it: no kind makes such a change.
    pub fn of(change: &Change, gathered: &Gathered, facts: &Facts) -> Result<Self> {
        let roles = Roles::new(change, facts);
        let mut signed: BTreeMap<Digest, BTreeSet<KeyIdentity>> = BTreeMap::new();
        for (key, payload) in &gathered.signatures {
            signed.entry(*payload).or_default().insert(*key);
        }
        let mut items = Vec::new();
        for (at, item) in change.items.iter().enumerate() {
            if let Some(payload) = item.payload_digest() {
                let signed = signed.get(&payload).cloned().unwrap_or_default();
                items.push(item_standing(&roles, at, item, payload, signed)?);
            }
        }
        let state = state(&roles, &items, gathered);
        Ok(Self { state, past_sign_by: facts.today > change.frame.sign_by, items })
    }

    /// Whose signatures would count for a threshold that is not met, each key once.
    pub fn needed(&self) -> Vec<&Asked> {
        once(self.items.iter().flat_map(|item| &item.missing).filter(|asked| asked.needed))
    }

    /// Whose signatures are missing, needed or not, each key once.
    pub fn missing(&self) -> Vec<&Asked> {
        once(self.items.iter().flat_map(|item| &item.missing))
    }

    /// Whether every threshold of every item is met.
    pub fn thresholds_met(&self) -> bool {
        self.items.iter().flat_map(|item| &item.needs).all(Need::met)
    }

    /// The refusal that a state stands for: none while the change can be signed or sealed, or when
    /// it has been.
    pub fn refusal(&self) -> Option<Refusal> {
        match &self.state {
            State::Published | State::Sealed | State::Complete { .. } | State::Open => None,
            State::Withdrawn { reason } => Some(Refusal::new(
                &rules::CHANGE_WITHDRAWN,
                format!("a withdrawal: {reason}"),
                "a change that nobody has withdrawn",
            )),
            State::Lapsed { sign_by } => Some(Refusal::new(
                &rules::SIGN_BY,
                format!("{sign_by}, the last moment to sign, has passed with signatures missing"),
                "every threshold met by then",
            )),
            State::Overtaken { role, version } => Some(Refusal::new(
                &rules::BASE_MOVED,
                format!("another {role} {version}, which was published"),
                "a version after it, made anew",
            )),
            State::BaseMoved(moved) => {
                Some(Refusal::new(&rules::BASE_MOVED, moved.found(), moved.expected()))
            }
            State::BaseAhead { role, from } => Some(Refusal::new(
                &rules::CHANGE_WAITS,
                format!("no trusted {role} {from}, which the change starts from"),
                "the change that makes it, sealed, in this record",
            )),
        }
    }

    /// How it stands, in lines for people: a line for each threshold.
    pub fn words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for item in &self.items {
            for need in &item.needs {
                lines.push(format!("{}: {} of {} signed{}", item.title, need.have, need.need, need.suffix()));
            }
            let names = |asked: &[Asked], needed: bool| {
                let chosen = asked.iter().filter(|a| a.needed == needed);
                chosen.map(|a| format!("{} ({})", a.key, a.holder)).collect::<Vec<_>>().join(", ")
            };
            let (needed, other) = (names(&item.missing, true), names(&item.missing, false));
            if !needed.is_empty() {
                lines.push(format!("  still needed, of: {needed}"));
            }
            if !other.is_empty() {
                lines.push(format!("  may still sign: {other}"));
            }
        }
        lines
    }
}

impl Need {
    /// Whether enough have signed.
    pub fn met(&self) -> bool {
        self.have >= self.need
    }

    fn suffix(self) -> &'static str {
        if self.counts == Counts::Old { ", as the root before demands" } else { "" }
    }
}

fn item_standing(
    roles: &Roles<'_>,
    at: usize,
    item: &Item,
    payload: Digest,
    mut signed: BTreeSet<KeyIdentity>,
) -> Result<ItemStanding> {
    let asked: BTreeSet<_> = item.asked().iter().map(|ask| ask.public.identity()).collect();
    signed.retain(|key| asked.contains(key));
    let thresholds = match item {
        Item::Document { payload, .. } => thresholds::of_document(roles, payload, &signed)?,
        Item::Statement { payload, .. } => thresholds::of_statement(roles, payload, &asked, &signed)?,
        _ => Vec::new(),
    };
    let wanted =
        |key: &KeyIdentity| thresholds.iter().any(|(_, tally)| !tally.met() && tally.listed.contains(key));
    let each = |ask: &Ask| {
        let identity = ask.public.identity();
        let needed = !signed.contains(&identity) && wanted(&identity);
        Asked { key: ask.key.clone(), holder: ask.holder.clone(), identity, needed }
    };
    let (signed, missing) = item.asked().iter().map(each).partition(|a| signed.contains(&a.identity));
    let need = |(counts, tally): &(Counts, Tally)| Need {
        counts: *counts,
        need: tally.need,
        have: u32::try_from(tally.signed.len()).unwrap_or(u32::MAX),
    };
    let needs = thresholds.iter().map(need).collect();
    Ok(ItemStanding { item: at, title: item.title(), payload, needs, signed, missing })
}

/// The first of the states that holds (FORMAT.md, "changes").
fn state(roles: &Roles<'_>, items: &[ItemStanding], gathered: &Gathered) -> State {
    let (change, facts) = (roles.change(), roles.facts());
    let mut documents = change.documents().map(MetadataPayload::digest).peekable();
    if documents.peek().is_some() && documents.all(|d| facts.published.contains(&d)) {
        return State::Published;
    }
    if let Some(reason) = withdrawn(roles, gathered) {
        return State::Withdrawn { reason: visible(reason) };
    }
    if let Some(lost) = change.documents().find_map(|d| facts.overtaken.get(&d.digest())) {
        return State::Overtaken { role: lost.role.clone(), version: lost.version };
    }
    let met = |at: usize| {
        let mut own = items.iter().filter(|standing| standing.item == at);
        own.any(|standing| standing.needs.iter().all(Need::met))
    };
    if change.items.iter().enumerate().all(|(at, item)| in_place(change, item, facts, || met(at))) {
        return State::Sealed;
    }
    // Each answer to a roll-call counts by itself: on its day it ends with those who have answered.
    let past = facts.today > change.frame.sign_by;
    if past && change.is_roll_call() && items.iter().any(|item| !item.signed.is_empty()) {
        return State::Sealed;
    }
    let met = !items.is_empty() && items.iter().flat_map(|item| &item.needs).all(Need::met);
    if !met && past {
        return State::Lapsed { sign_by: change.frame.sign_by };
    }
    if let Some(state) = moved::state(change, facts) {
        return state;
    }
    if met {
        return State::Complete { everyone: items.iter().all(|item| item.missing.is_empty()) };
    }
    State::Open
}

/// Whether the record already shows what an item makes. A document that is newer than what its role
/// has today was sealed by a key that was given up, and is still to be made; `met` says whether today's
/// keys have signed it, for a role that has none.
fn in_place(change: &Change, item: &Item, facts: &Facts, met: impl Fn() -> bool) -> bool {
    match item {
        Item::Document { payload, .. } => {
            let newest = facts.newest(payload.role());
            facts.history.contains(&payload.digest())
                && newest.map_or_else(met, |newest| newest.version() >= payload.version())
        }
        Item::Statement { payload, .. } => facts.history.contains(&Digest::of(payload.bytes())),
        Item::NewKey(new) => facts.keys.contains_key(&new.name),
        Item::EnrolledKey(key) => facts.keys.get(&key.name).is_some_and(|k| k.public == key.public),
        Item::Certificate(new) => facts.keys.get(&new.key).is_some_and(|k| k.file != new.replaces),
        Item::DestroyedKey { key, .. } => {
            let destroyed = |k: &KeyRecord| k.life.iter().any(|(event, _)| *event == KeyEvent::Destroyed);
            facts.keys.get(key).is_some_and(destroyed)
        }
        Item::Shares(new) => facts.copies.dealt_by(&change.digest(), &new.wrap_key).is_some(),
        Item::KeyCopy { key, .. } => facts.copies.copied_by(&change.digest(), key).is_some(),
        Item::Restored(back) => facts.keys.get(&back.key).is_some_and(|k| k.file != back.replaces),
    }
}

/// The reason of a withdrawal that counts; none counts of what another root rests on.
fn withdrawn<'a>(roles: &Roles<'_>, gathered: &'a Gathered) -> Option<&'a str> {
    if gathered.withdrawals.is_empty() {
        return None;
    }
    let (change, facts) = (roles.change(), roles.facts());
    let proposal = Proposal::of(change.digest(), change)?;
    if proposal.late(facts).is_some() {
        return None;
    }
    let signed = gathered.withdrawals.iter().map(|(key, _)| *key).collect();
    let tallies = proposal.tallies(facts, &signed);
    if tallies.is_empty() || !tallies.iter().all(|(_, tally)| tally.met()) {
        return None;
    }
    let counts =
        |(key, _): &&(KeyIdentity, String)| tallies.iter().any(|(_, tally)| tally.signed.contains(key));
    gathered.withdrawals.iter().find(counts).map(|(_, reason)| reason.as_str())
}

fn once<'a>(asked: impl Iterator<Item = &'a Asked>) -> Vec<&'a Asked> {
    let mut seen = BTreeSet::new();
    asked.filter(|a| seen.insert(a.identity)).collect()
}
