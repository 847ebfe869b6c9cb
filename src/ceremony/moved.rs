//! What a change starts from, compared with what is trusted now: documents, limits, key files.
//!
//! Whoever signs a change has it computed again from their own record. What has moved meanwhile would
//! let it come out otherwise, so it is named here, before anyone is told that copies differ. Answers to a
//! roll-call rest on nothing but that nobody has given up a key that is called, and keys that are made or taken in on no limits but those of today: neither
//! is overtaken by what root becomes meanwhile.

use super::change::{Change, Item};
use super::facts::Facts;
use super::people::KeyName;
use super::standing::State;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Time;
use std::collections::BTreeSet;

/// What is another one now than when the change was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// A document that it replaces or rests on.
    Document {
        /// Which.
        role: RoleName,
        /// The version that it starts from; 0 if it starts without one.
        from: u64,
        /// The newest trusted version.
        newest: u64,
    },
    /// The limits that it was checked against.
    Limits {
        /// Their number.
        from: u64,
        /// The number of those in force.
        newest: u64,
    },
    /// The file of a key that its documents list: it has another certificate, or is on another token.
    KeyFile {
        /// The key.
        key: KeyName,
    },
    /// A key that a roll-call calls, which was given up since.
    GivenUp {
        /// The key.
        key: KeyName,
    },
}

impl Moved {
    /// In words, for whoever asks how the change stands.
    pub fn told(&self) -> String {
        match self {
            Self::GivenUp { key } => format!("it calls {key}, which was given up since"),
            _ => format!("it starts from {}, and {} is there", self.from(), self.newest()),
        }
    }

    /// What it starts from.
    fn from(&self) -> String {
        match self {
            Self::Document { role, from: 0, .. } => format!("no {role}"),
            Self::Document { role, from, .. } => format!("{role} {from}"),
            Self::Limits { from, .. } => format!("limits {from}"),
            Self::KeyFile { key } => format!("an earlier key file of {key}"),
            Self::GivenUp { key } => format!("a roll-call of {key}"),
        }
    }

    /// What a refusal says was found.
    pub fn found(&self) -> String {
        let (from, newest) = (self.from(), self.newest());
        match self {
            Self::Document { from: 0, .. } => {
                format!("a trusted {newest}, and a change that starts without one")
            }
            Self::Document { .. } => {
                format!("another trusted {newest} than the {from} that the change starts from")
            }
            Self::Limits { .. } | Self::KeyFile { .. } => {
                format!("{newest}, and a change that starts from {from}")
            }
            Self::GivenUp { key } => format!("{key}, given up since it was called"),
        }
    }

    /// What it says was expected.
    pub const fn expected(&self) -> &'static str {
        match self {
            Self::Document { .. } => "the very documents that the change starts from",
            Self::Limits { .. } => "the limits that the change was planned under",
            Self::KeyFile { .. } => "the key files that the change was planned with",
            Self::GivenUp { .. } => "keys that nobody has given up",
        }
    }

    /// What is there now.
    pub fn newest(&self) -> String {
        match self {
            Self::Document { role, newest, .. } => format!("{role} {newest}"),
            Self::Limits { newest, .. } => format!("limits {newest}"),
            Self::KeyFile { key } => format!("the newest key file of {key}"),
            Self::GivenUp { .. } => "the keys that are left".to_owned(),
        }
    }
}

/// The state that what a change starts from gives it, if it gives it one: overtaken, or too early. A
/// document of its own that has been sealed already is no move: sealing was cut off, and goes on.
pub(super) fn state(change: &Change, facts: &Facts) -> Option<State> {
    let made: BTreeSet<_> = change.documents().map(MetadataPayload::digest).collect();
    let own = |payload: Digest| made.contains(&payload);
    for (role, (from, payload)) in &change.base.documents {
        let newest = facts.newest(role).map(|d| (d.version(), d.payload().digest()));
        match newest {
            Some((_, found)) if found == *payload || own(found) => {}
            Some((newest, _)) if newest >= *from => {
                let moved = Moved::Document { role: role.clone(), from: *from, newest };
                return Some(State::BaseMoved(moved));
            }
            _ => return Some(State::BaseAhead { role: role.clone(), from: *from }),
        }
    }
    let unbased = change.documents().filter(|d| !change.base.documents.contains_key(d.role()));
    for document in unbased {
        if let Some(newest) = facts.newest(document.role()).filter(|d| !own(d.payload().digest())) {
            let (role, newest) = (document.role().clone(), newest.version());
            return Some(State::BaseMoved(Moved::Document { role, from: 0, newest }));
        }
    }
    if let Some(key) = given_up(change, facts) {
        return Some(State::BaseMoved(Moved::GivenUp { key }));
    }
    let sealing = change.documents().any(|document| {
        facts.newest(document.role()).map(Trusted::payload).is_some_and(|p| p.digest() == document.digest())
    });
    if sealing || !rests_on_limits(change) {
        return None;
    }
    limits(change, facts).or_else(|| key_files(change, facts)).map(State::BaseMoved)
}

/// Whether a change was checked against limits for good: it makes documents, or statements that act.
pub fn rests_on_limits(change: &Change) -> bool {
    !change.is_roll_call() && change.items.iter().any(|item| item.payload_bytes().is_some())
}

/// The first key of a roll-call that can't answer any more. Answers that came in count all the same.
fn given_up(change: &Change, facts: &Facts) -> Option<KeyName> {
    let asked = change.items.iter().filter(|_| change.is_roll_call()).flat_map(Item::asked);
    let mut gone = asked.filter(|ask| facts.keys.get(&ask.key).is_some_and(|record| !record.can_sign()));
    gone.next().map(|ask| ask.key.clone())
}

/// Whether a roll-call ended before its day, since a key that it calls was given up by then.
pub fn cut_short(change: &Change, facts: &Facts) -> bool {
    let by_then = |(event, at): &(KeyEvent, Time)| *event != KeyEvent::Retired && *at <= change.frame.sign_by;
    let mut asked = change.items.iter().filter(|_| change.is_roll_call()).flat_map(Item::asked);
    asked.any(|ask| facts.keys.get(&ask.key).is_some_and(|record| record.life.iter().any(by_then)))
}

fn limits(change: &Change, facts: &Facts) -> Option<Moved> {
    let (from, newest) = (change.limits.number, facts.limits_number);
    (newest > from).then_some(Moved::Limits { from, newest })
}

/// A key whose file this change itself makes anew has not moved.
fn key_files(change: &Change, facts: &Facts) -> Option<Moved> {
    let own = |key: &KeyName| {
        change.items.iter().any(|item| match item {
            Item::Certificate(new) => new.key == *key,
            Item::Restored(back) => back.key == *key,
            _ => false,
        })
    };
    let moved = |(key, file): &(&KeyName, &Digest)| {
        !own(key) && facts.keys.get(*key).is_some_and(|record| record.file != **file)
    };
    change.keys.iter().find(moved).map(|(key, _)| Moved::KeyFile { key: key.clone() })
}
