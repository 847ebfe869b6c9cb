//! Who may vouch for a role, looked up by what documents list.

use crate::tuf::chain::signers_of;
use crate::tuf::document::{Document, SuccinctRoles};
use crate::tuf::evidence::Trusted;
use crate::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};

/// Documents that delegate, in the order in which they are asked, looked up by what they list: there
/// can be thousands of roles.
#[derive(Default)]
pub(super) struct Delegators {
    pub(super) all: Vec<Trusted>,
    by_role: BTreeMap<RoleName, Vec<usize>>,
    /// Those that delegate to hash bins.
    bins: Vec<usize>,
}

impl Delegators {
    pub(super) fn push(&mut self, delegator: Trusted) {
        let place = self.all.len();
        for role in named(&delegator) {
            self.by_role.entry(role).or_default().push(place);
        }
        if bins(&delegator).is_some() {
            self.bins.push(place);
        }
        self.all.push(delegator);
    }

    /// Those that list a role.
    pub(super) fn of(&self, role: &RoleName) -> impl Iterator<Item = &Trusted> {
        let mut places = self.by_role.get(role).cloned().unwrap_or_default();
        let bin =
            |place: &&usize| self.all.get(**place).is_some_and(|d| signers_of(d.document(), role).is_ok());
        places.extend(self.bins.iter().filter(bin));
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.all.get(place))
    }
}

/// Roles that wait and have a delegator. Snapshots come first: they can settle which of two
/// documents clients have.
#[derive(Default)]
pub(super) struct Ready(BTreeSet<(bool, RoleName)>);

impl Ready {
    pub(super) fn look<T>(&mut self, delegator: &Trusted, waiting: &BTreeMap<RoleName, T>) {
        let found = named(delegator).into_iter().filter(|role| waiting.contains_key(role));
        self.0.extend(found.map(|role| (!role.is_online(), role)));
        if let Some(bins) = bins(delegator) {
            let found = waiting.keys().filter(|role| bins.is_bin(role));
            self.0.extend(found.map(|role| (!role.is_online(), role.clone())));
        }
    }

    pub(super) fn next(&mut self) -> Option<RoleName> {
        self.0.pop_first().map(|(_, role)| role)
    }
}

/// The roles that a document lists by name.
fn named(delegator: &Trusted) -> Vec<RoleName> {
    match delegator.document() {
        Document::Root(root) => root.roles.keys().filter(|role| **role != RoleName::Root).cloned().collect(),
        Document::Targets(targets) => targets.delegations.roles.iter().map(|r| r.name.clone()).collect(),
        Document::Snapshot(_) | Document::Timestamp(_) => Vec::new(),
    }
}

fn bins(delegator: &Trusted) -> Option<&SuccinctRoles> {
    delegator.document().as_targets().and_then(|targets| targets.delegations.succinct.as_ref())
}
