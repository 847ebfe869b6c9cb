//! How a change stands: computed from the files at hand, never stored.

use super::change::{Change, Counts};
use super::facts::Facts;
use super::people::{KeyName, Person};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};

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
    /// All that it makes is in the record.
    Sealed,
    /// Its last day has passed before every threshold was met.
    Lapsed,
    /// A document that it starts from has been replaced meanwhile.
    BaseMoved {
        /// Which.
        role: RoleName,
        /// The version that it starts from; 0 if it starts without one.
        from: u64,
        /// The newest trusted version.
        newest: u64,
    },
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
    /// Computes how `change` stands.
    ///
    /// # Errors
    ///
    /// Only what a change that no kind makes would run into: a document whose delegator is unknown.
    pub fn of(_change: &Change, _gathered: &Gathered, _facts: &Facts) -> Result<Self> {
        todo!()
    }

    /// Whose signatures are still needed to meet the thresholds, each key once.
    pub fn needed(&self) -> Vec<&Asked> {
        todo!()
    }

    /// Whose signatures are still missing, needed or not, each key once.
    pub fn missing(&self) -> Vec<&Asked> {
        todo!()
    }

    /// The refusal that a state stands for: none while the change can be signed or sealed.
    pub fn refusal(&self) -> Option<Refusal> {
        todo!()
    }
}
