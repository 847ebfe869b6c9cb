//! The rotation planner: from the root that is there to the one that is wanted, by the fewest roots
//! and then the earliest date, with who signs each; or why there is no way, and what remains.
//!
//! # The model
//!
//! A root is a set of keys and a threshold. Root N+1 is made on a day, and takes
//!
//! - a threshold of root N's keys and a threshold of its own (TUF 5.3.4), each of a key that is **able** on
//!   that day: at hand, not lost, not in someone else's hands, its certificate (profile `notary`)
//!   still valid (notary-v1 5), its token able to sign a root of that size. A key in both counts twice;
//! - of keys that it lists, that their certificates last as long as the root;
//! - of keys that enter, that they are able on that day: a root lists no key that nobody has tried;
//! - that the limits hold for it, as for any root: threshold floor, spare keys, nobody with a
//!   threshold of keys, at most so many keys changed (one that takes another's place is one), and a
//!   file no larger than every client reads.
//!
//! Keys that are lost or compromised enter no root. They may stay in one that is made on the way,
//! where so few keys may change at once that they can't all leave, and they sign nothing.
//!
//! **Compromised keys leave first.** Of all ways to the wanted root, those are taken by which the last
//! compromised key is out on the earliest day, then by the fewest roots. Of these, the whole takes the
//! fewest roots, then ends on the earliest day.
//!
//! A way that needs a compromised key's signature is never an answer: whoever stole it can sign with
//! it as well as we can. It is told among what remains ([`Remedy::CompromisedSigns`]), since for a
//! quorum that is gone otherwise it is the one alternative to a new trust, and a race.
//!
//! Keys that are neither in the old root nor in the wanted one take no part. No key comes back once it
//! has left, or leaves once it has come, but where certificates end, someone holds two keys or the length of a
//! root matters, and the keys are few; `tests/planner.rs` compares with a search that does without this assumption
//! and finds nothing better.

mod certified;
mod explain;
mod incident;
mod question;
mod runbooks;
mod search;

use super::people::{KeyName, Person};
use crate::tuf::time::{Term, Time};
use std::collections::{BTreeMap, BTreeSet};

pub use certified::Certified;
pub use explain::{explain, refused};
pub use incident::{Incident, Successor, WayOut, incident};
pub use question::{Wish, question, with_tokens};
pub use runbooks::{Cast, runbooks};
pub use search::MOST_KEYS;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Every key that takes part.
    pub keys: BTreeMap<KeyName, Key>,
    /// The root that is there.
    pub now: RootKeys,
    /// Its version.
    pub version: u64,
    /// The root that is wanted.
    pub wanted: RootKeys,
    /// Nothing is done before this moment.
    pub today: Time,
    /// What every root on the way obeys.
    pub bounds: Bounds,
}

/// The root role of one root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootKeys {
    /// Who may sign.
    pub keys: BTreeSet<KeyName>,
    /// How many must.
    pub threshold: u32,
}

/// A key that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Who has it.
    pub holder: Person,
    /// Whether it can sign.
    pub standing: Standing,
    /// The end of its newest certificate, where roots list certificates: every root to come lists it.
    pub certificate_until: Option<Time>,
    /// The end of the certificate by which the root that is there lists it.
    pub listed_until: Option<Time>,
    /// The longest message that its token signs, in bytes; none where it signs a digest.
    pub most_message: Option<usize>,
    /// What listing it adds to a root, in bytes, its signature apart.
    pub entry_bytes: usize,
}

/// Whether a key can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// At hand today.
    AtHand,
    /// At hand from this moment: on a journey, or still to be made.
    From(Time),
    /// Nobody has it.
    Lost,
    /// Its holder has it, and perhaps someone else.
    Compromised,
    /// Its holder has it no more, and perhaps someone else has.
    Stolen,
    /// Any of these, and it leaves by a later root than the one that is asked about: it signs nothing.
    NotAsked,
}

impl Standing {
    /// Whether it must leave every root.
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Lost | Self::Compromised | Self::Stolen)
    }

    /// Whether someone else may sign with it.
    pub const fn is_exposed(self) -> bool {
        matches!(self, Self::Compromised | Self::Stolen)
    }
}

/// What every root on the way obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least threshold.
    pub threshold_floor: u32,
    /// The least number of keys beyond the threshold.
    pub spare_keys: u32,
    /// The most keys that change from one root to the next; none is any number.
    pub keys_changed: Option<u32>,
    /// How long each root is valid from the day on which it is made.
    pub valid_for: Term,
    /// The bytes of a root without any root key.
    pub rest_bytes: usize,
    /// What one signature adds to the file, in bytes.
    pub signature_bytes: usize,
    /// The largest root that every client reads, in bytes.
    pub most_bytes: usize,
}

/// One root to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRoot {
    /// Its version.
    pub version: u64,
    /// The earliest moment.
    pub day: Time,
    /// Its keys.
    pub root: RootKeys,
    /// Keys that enter.
    pub enter: BTreeSet<KeyName>,
    /// Keys that leave.
    pub leave: BTreeSet<KeyName>,
    /// Who of the root before can sign, and how many must.
    pub old: Signers,
    /// Who of this root can sign, and how many must.
    pub new: Signers,
}

/// Who can sign for one threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// How many must.
    pub need: u32,
    /// Who can, on that day.
    pub able: BTreeSet<KeyName>,
}

impl PlannedRoot {
    /// The fewest keys that meet both thresholds; keys of both roots first, then in order of name.
    pub fn fewest(&self) -> BTreeSet<KeyName> {
        let take = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let both: BTreeSet<_> = self.old.able.intersection(&self.new.able).cloned().collect();
        let mut chosen: BTreeSet<_> =
            both.iter().take(take(self.old.need.max(self.new.need))).cloned().collect();
        for side in [&self.old, &self.new] {
            let missing = take(side.need).saturating_sub(chosen.intersection(&side.able).count());
            let more: Vec<_> = side.able.difference(&chosen).take(missing).cloned().collect();
            chosen.extend(more);
        }
        chosen
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The root that is there is the one that is wanted.
    Nothing,
    /// By these roots, in order.
    Roots(Vec<PlannedRoot>),
    /// By none.
    Impossible(Impossible),
}

/// Why there is no way, and what remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// The first reason.
    pub why: Why,
    /// What would make a way, each by itself, the least first.
    pub remains: Vec<(Remedy, Vec<PlannedRoot>)>,
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The wanted root is none: a threshold of 0, or of more keys than it lists.
    Threshold,
    /// The wanted root lists a key that is lost or compromised.
    Gone(KeyName),
    /// The wanted root has a lower threshold than limits allow.
    Floor,
    /// The wanted root lists fewer keys beyond the threshold than limits demand.
    Spare,
    /// Someone would hold a threshold of the wanted root.
    Holder(Person),
    /// The wanted root is larger than every client reads, in bytes.
    Size(usize),
    /// The certificate of a key of the wanted root ends before the root would.
    Certificate(KeyName),
    /// More keys come and go than can be searched.
    TooMany(usize),
    /// Fewer keys of the root that is there than its threshold can ever sign again.
    Quorum {
        /// How many can, at the best.
        able: BTreeSet<KeyName>,
    },
    /// Fewer keys of the wanted root than its threshold can ever sign it.
    WantedQuorum {
        /// How many can, at the best.
        able: BTreeSet<KeyName>,
    },
    /// Each end is well, and no way between them is: certificates end before keys come, or limits
    /// leave no root on the way.
    NoWay,
}

/// What would make a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Fewer keys beyond the threshold, by limits that are loosened.
    Spare,
    /// More keys changed in one root, by limits that are loosened.
    KeysChanged,
    /// This lost key is found.
    Found(KeyName),
    /// Compromised keys sign for the root that lists them. An attacker may do the same.
    CompromisedSigns,
}

/// Answers; the same question always has the same answer.
pub fn plan(question: &Question) -> Answer {
    if question.now == question.wanted {
        return Answer::Nothing;
    }
    match search::roots(question, false) {
        Ok(roots) => Answer::Roots(roots),
        Err(why) => Answer::Impossible(Impossible { remains: remains(question), why }),
    }
}

/// The same root once more, on the first day from `day` on that its keys can sign it: for a change of
/// root in which root's own keys stay.
pub fn again(question: &Question, day: Time) -> Answer {
    match search::again(question, day) {
        Ok(root) => Answer::Roots(vec![root]),
        Err(why) => {
            let remedied = |name: &KeyName, key: &Key| {
                let mut other = question.clone();
                other.keys.insert(name.clone(), Key { standing: Standing::AtHand, ..key.clone() });
                search::again(&other, day).ok().map(|root| (Remedy::Found(name.clone()), vec![root]))
            };
            let lost = question.keys.iter().filter(|(_, key)| key.standing == Standing::Lost);
            let remains = lost.filter_map(|(name, key)| remedied(name, key)).collect();
            Answer::Impossible(Impossible { why, remains })
        }
    }
}

fn remains(question: &Question) -> Vec<(Remedy, Vec<PlannedRoot>)> {
    let mut all = Vec::new();
    let mut attempt = |remedy: Remedy, question: &Question| {
        let found = search::roots(question, remedy == Remedy::CompromisedSigns);
        all.extend(found.ok().map(|roots| (remedy, roots)));
    };
    let eased = |ease: fn(&mut Bounds)| {
        let mut other = question.clone();
        ease(&mut other.bounds);
        other
    };
    attempt(Remedy::Spare, &eased(|bounds| bounds.spare_keys = 0));
    attempt(Remedy::KeysChanged, &eased(|bounds| bounds.keys_changed = None));
    for (name, key) in question.keys.iter().filter(|(_, key)| key.standing == Standing::Lost) {
        let mut other = question.clone();
        other.keys.insert(name.clone(), Key { standing: Standing::AtHand, ..key.clone() });
        attempt(Remedy::Found(name.clone()), &other);
    }
    attempt(Remedy::CompromisedSigns, question);
    all
}
