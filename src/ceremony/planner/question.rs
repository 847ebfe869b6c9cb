//! From a record and what people know to the planner's question.

use super::{Bounds, Key, Question, RootKeys, Standing};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::kinds::making::entry;
use crate::ceremony::kinds::rules;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::certificate::leaf;
use crate::tuf::client::Caps;
use crate::tuf::document::{DocumentKey, Root};
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{Algorithm, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::{Term, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of keys, and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Keys that enter.
    pub add: BTreeSet<KeyName>,
    /// Keys that leave for no reason of their own.
    pub remove: BTreeSet<KeyName>,
    /// Keys that nobody has; they leave. One that is compromised as well is stolen.
    pub lost: BTreeSet<KeyName>,
    /// Keys that someone else may have; they leave.
    pub compromised: BTreeSet<KeyName>,
    /// Keys that are not at hand before that moment.
    pub late: BTreeMap<KeyName, Time>,
    /// The threshold; as it is if none.
    pub threshold: Option<u32>,
    /// How long each root is valid from the day on which it is made.
    pub valid_for: Term,
}

impl Wish {
    /// Nothing yet.
    pub const fn new(valid_for: Term) -> Self {
        Self {
            add: BTreeSet::new(),
            remove: BTreeSet::new(),
            lost: BTreeSet::new(),
            compromised: BTreeSet::new(),
            late: BTreeMap::new(),
            threshold: None,
            valid_for,
        }
    }
}

/// What two ids and the marks around them add to a key's entry, in bytes.
const AROUND_ENTRY: usize = 140;
/// An ECDSA or Ed25519 signature with its id in a file, in bytes; an RSA one.
const SIGNATURE: usize = 260;
const RSA_SIGNATURE: usize = 1_200;

/// The question that a wish puts to a record; keys that it declares lost or compromised are so.
///
/// # Errors
///
/// `KEY-UNKNOWN` for a key that the record doesn't have, or if there is no root; `KEY-PURPOSE` for
/// one made for something else; what reading a certificate refuses.
pub fn question(wish: &Wish, facts: &Facts) -> Result<Question> {
    let (Some(trusted), Some(root)) = (facts.roots.last(), facts.root()) else {
        return Err(unknown("no root in the record".to_owned()));
    };
    let now = listed(facts, root)?;
    let mut keys = BTreeMap::new();
    for name in now.keys.iter().chain(&wish.add) {
        keys.insert(name.clone(), key(wish, facts, root, name)?);
    }
    let named = [&wish.remove, &wish.lost, &wish.compromised].into_iter().flatten().chain(wish.late.keys());
    for name in named {
        if !keys.contains_key(name) {
            return Err(unknown(format!("{name}, which root {} does not list", trusted.version())));
        }
    }
    let stays = |name: &&KeyName| {
        let gone = keys.get(*name).is_some_and(|key| key.standing.is_gone());
        !gone && !wish.remove.contains(*name)
    };
    let mut wanted: BTreeSet<KeyName> = now.keys.iter().filter(stays).cloned().collect();
    wanted.extend(wish.add.iter().cloned());
    let limits = &facts.limits.root;
    Ok(Question {
        bounds: Bounds {
            threshold_floor: limits.threshold_floor,
            spare_keys: limits.spare_keys,
            keys_changed: limits.keys_changed,
            valid_for: wish.valid_for,
            rest_bytes: rest(trusted, &now, &keys),
            signature_bytes: signature(facts, &keys),
            most_bytes: usize::try_from(caps(facts.trust.profile).root).unwrap_or(usize::MAX),
        },
        keys,
        version: trusted.version(),
        wanted: RootKeys { keys: wanted, threshold: wish.threshold.unwrap_or(now.threshold) },
        now,
        today: facts.today,
    })
}

impl Question {
    /// With a key that is still to be made and enters: at hand from `day`, or from today.
    pub fn expect(&mut self, name: &KeyName, holder: &Person, day: Option<Time>) {
        let each = self.keys.values().map(|key| key.entry_bytes).max().unwrap_or_default();
        let key = Key {
            holder: holder.clone(),
            standing: day.map_or(Standing::AtHand, Standing::From),
            certificate_until: None,
            listed_until: None,
            most_message: None,
            entry_bytes: each,
        };
        self.keys.insert(name.clone(), key);
        self.wanted.keys.insert(name.clone());
    }
}

/// The same question, with what the tokens at hand can sign and who is away until when, by the device
/// map: for whoever plans, not for what a change is made of, since others who sign have other maps.
#[must_use]
pub fn with_tokens(mut question: Question, facts: &Facts) -> Question {
    for (name, key) in &mut question.keys {
        let public = facts.keys.get(name).map(|record| &record.public);
        key.most_message = public.and_then(|public| facts.longest_message(name, public.algorithm()));
        if let (Standing::AtHand, Some(day)) = (key.standing, facts.away.get(&key.holder)) {
            key.standing = Standing::From(*day);
        }
    }
    question
}

const fn caps(profile: Profile) -> Caps {
    match profile {
        Profile::Tuf => Caps::TUF,
        Profile::Notary => Caps::NOTARY,
    }
}

/// The root role, by the record's names.
fn listed(facts: &Facts, root: &Root) -> Result<RootKeys> {
    let role =
        root.roles.get(&RoleName::Root).ok_or_else(|| unknown("a root without root keys".to_owned()))?;
    let mut keys = BTreeSet::new();
    for id in &*role.keyids {
        let identity = root.keys.get(id).and_then(|key| key.public.as_ref()).map(PublicKey::identity);
        let found = facts.keys.values().find(|record| Some(record.public.identity()) == identity);
        let name = found.map(|record| record.name.clone());
        keys.insert(name.ok_or_else(|| unknown(format!("no name for the root key {}", id.as_str())))?);
    }
    Ok(RootKeys { keys, threshold: role.threshold.get() })
}

fn key(wish: &Wish, facts: &Facts, root: &Root, name: &KeyName) -> Result<Key> {
    let record = facts.keys.get(name).ok_or_else(|| unknown(format!("no key {name} in the record")))?;
    if record.purpose != Purpose::Root {
        let found = format!("{name}, made for {}", record.purpose.name());
        return Err(Refusal::new(&rules::KEY_PURPOSE, found, "a key made for root"));
    }
    let is_this = |key: &&DocumentKey| key.public.as_ref() == Some(&record.public);
    let until = |pem: Option<&String>| Ok(pem.map(|pem| leaf(pem)).transpose()?.map(|leaf| leaf.not_after));
    Ok(Key {
        holder: record.holder.clone(),
        standing: standing(wish, record),
        certificate_until: until(record.certificate.as_ref())?,
        listed_until: until(root.keys.values().find(is_this).and_then(|key| key.certificate.as_ref()))?,
        most_message: None,
        entry_bytes: entry(facts, record)?.entry.canonical().len().saturating_add(AROUND_ENTRY),
    })
}

fn standing(wish: &Wish, record: &KeyRecord) -> Standing {
    let happened = |event| record.life.iter().any(|(happened, _)| *happened == event);
    let destroyed = happened(KeyEvent::Destroyed);
    let lost = wish.lost.contains(&record.name) || happened(KeyEvent::Lost) || destroyed;
    let compromised = wish.compromised.contains(&record.name) || happened(KeyEvent::Compromised);
    match (lost, compromised) {
        (true, true) => Standing::Stolen,
        (true, false) => Standing::Lost,
        (false, true) => Standing::Compromised,
        (false, false) => wish.late.get(&record.name).map_or(Standing::AtHand, |day| Standing::From(*day)),
    }
}

/// The root that is there, without its root keys.
fn rest(trusted: &Trusted, now: &RootKeys, keys: &BTreeMap<KeyName, Key>) -> usize {
    let listed = now.keys.iter().filter_map(|name| keys.get(name)).map(|key| key.entry_bytes);
    listed.fold(trusted.payload().bytes().len().saturating_add(AROUND_ENTRY), usize::saturating_sub)
}

fn signature(facts: &Facts, keys: &BTreeMap<KeyName, Key>) -> usize {
    let rsa = |name: &KeyName| facts.keys.get(name).is_some_and(|k| k.public.algorithm() == Algorithm::Rsa);
    if keys.keys().any(rsa) { RSA_SIGNATURE } else { SIGNATURE }
}

fn unknown(found: String) -> Refusal {
    Refusal::new(&rules::KEY_UNKNOWN, found, "root keys that the record knows by name")
}
