//! Limits: numbers and closed choices that a trust sets, each at least as strict as its floor.
//!
//! A limit can't be set for one ceremony: the file is bound by digest into every change, and its
//! successor is signed by the root threshold. A missing member has the built-in value.

use super::people::{KeyName, Person};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Term;
use std::collections::BTreeSet;

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `[root]`
    pub root: RootLimits,
    /// `[targets]`
    pub targets: TargetsLimits,
    /// `[delegations]`
    pub delegations: DelegationLimits,
    /// `[ceremony]`
    pub ceremony: CeremonyLimits,
    /// `[online]`
    pub online: OnlineLimits,
}

/// What holds for root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootLimits {
    /// The least threshold; never under 2.
    pub threshold_floor: u32,
    /// Keys beyond the threshold that a root must list, so that one loss is no disaster.
    pub spare_keys: u32,
    /// The longest time from `held-at` to the expiry; never over 10 years.
    pub max_valid_for: Term,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
}

/// What holds for the top-level targets role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsLimits {
    /// The least threshold.
    pub threshold_floor: u32,
    /// The longest time from `held-at` to the expiry; never over 3 years.
    pub max_valid_for: Term,
    /// Whether its keys may be encrypted files.
    pub software_keys: bool,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
}

/// What holds for every delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationLimits {
    /// The least threshold.
    pub threshold_floor: u32,
    /// The longest time from `held-at` to the expiry; never over 3 years.
    pub max_valid_for: Term,
    /// Whether its keys may be encrypted files.
    pub software_keys: bool,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
    /// How a developer's key is known to be in its holder's hands.
    pub possession: PossessionLimit,
}

/// What a delegation's key needs before it is granted anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PossessionLimit {
    /// `proved`: a possession statement.
    Proved,
    /// `first-publication`: the first document that it signs and that clients accept.
    FirstPublication,
}

/// What holds for every ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeremonyLimits {
    /// The longest time from `held-at` to `sign-by`; never over a year.
    pub sign_within: Term,
    /// How old the newest transcript or import may be at `plan` and `sign`; never over 90 days.
    pub record_no_older: Term,
    /// People who may hold no key of root and targets.
    pub excluded: BTreeSet<Person>,
}

/// Keys that `sign-snapshot --unattended` may use, in profile `tuf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnlineLimits {
    /// For the snapshot role.
    pub snapshot: BTreeSet<KeyName>,
    /// For the timestamp role.
    pub timestamp: BTreeSet<KeyName>,
}

/// Which way a limit has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// More is allowed than before.
    Loosening,
    /// Less is allowed than before.
    Tightening,
}

impl Limits {
    /// What `init` starts from; the same values that a missing member has.
    pub fn default_for(_profile: Profile) -> Self {
        todo!()
    }

    /// Reads a limits file.
    ///
    /// # Errors
    ///
    /// `LIMITS-FORM` with line and column, `LIMITS-FLOOR` naming the member that is looser than
    /// keyrite ever allows.
    pub fn parse(_text: &str) -> Result<Self> {
        todo!()
    }

    /// The least number of witnesses of a change that signs for `role`; none for online roles.
    pub fn witnesses(&self, role: &RoleName) -> u32 {
        match role {
            RoleName::Root => self.root.witnesses,
            RoleName::Targets => self.targets.witnesses,
            RoleName::Delegated(_) => self.delegations.witnesses,
            RoleName::Snapshot | RoleName::Timestamp => 0,
        }
    }

    /// Whether a change that signs for `role` must have been rehearsed.
    pub fn rehearsed(&self, role: &RoleName) -> bool {
        match role {
            RoleName::Root => self.root.rehearsed,
            RoleName::Targets => self.targets.rehearsed,
            RoleName::Delegated(_) => self.delegations.rehearsed,
            RoleName::Snapshot | RoleName::Timestamp => false,
        }
    }

    /// The file, every member written out.
    pub fn to_toml(&self) -> String {
        todo!()
    }
}

/// What changes between two limits files, in words, loosenings first.
pub fn differences(_old: &Limits, _new: &Limits) -> Vec<(String, Direction)> {
    todo!()
}
