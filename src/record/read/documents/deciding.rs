//! Which of several files of one version stands, and who decides it.

use super::delegators::Delegators;
use super::{Documents, Vouched};
use crate::record::names::Place;
use crate::record::read::roots::{Signed as _, Weight, one_payload};
use crate::record::read::{Decided, Desk, by_newest_root, met};
use crate::tuf::chain::{accept, signers_of};
use crate::tuf::diff::words;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};

/// Who decides between documents of a role: those who sign for its delegator, never those whose
/// documents conflict.
pub(super) struct Deciding<'a> {
    roots: &'a [Trusted],
    /// The document that lists the delegator's keys, and the delegator's role; none below root.
    above: Option<(Trusted, RoleName)>,
}

impl<'a> Deciding<'a> {
    pub(super) fn of(
        documents: &Documents,
        delegators: &Delegators,
        roots: &'a [Trusted],
        delegator: Option<&Trusted>,
    ) -> Self {
        let below = delegator.filter(|d| *d.role() != RoleName::Root);
        let above = below.and_then(|d| Some((current(documents, delegators, d.role())?, d.role().clone())));
        Self { roots, above }
    }

    pub(super) fn counts(&self, signers: &BTreeSet<KeyIdentity>) -> bool {
        match &self.above {
            None => by_newest_root(self.roots, signers),
            Some((lists, role)) => signers_of(lists.document(), role)
                .is_ok_and(|(keys, role)| met(keys, role, lists.payload(), signers)),
        }
    }
}

/// That the document which a snapshot names stands before the others.
pub(super) fn served_instead(served: Digest, files: &[(Place, Vouched)]) -> Decided {
    let others = files.iter().map(|(_, v)| v.payload()).filter(|payload| *payload != served);
    Decided { keep: Some(served), out: others.collect(), ..Decided::default() }
}

/// What each of several documents says.
pub(super) fn sides(files: &[(Place, Vouched)]) -> BTreeMap<Digest, Vec<String>> {
    let payloads: BTreeMap<Digest, &Vouched> = files.iter().map(|(_, v)| (v.payload(), v)).collect();
    if payloads.len() < 2 {
        return BTreeMap::new();
    }
    payloads.into_iter().map(|(payload, v)| (payload, words(None, v.trusted.payload(), &|_| None))).collect()
}

/// Of files of one version, those for which today's delegator vouches stand: whoever has a key that
/// was revoked can sign any number of others, and none of them may come before a successor's. They
/// are kept, and nothing rests on them: clients take none.
pub(super) fn former_give_way(
    desk: &mut Desk<'_>,
    files: &mut Vec<(Place, Vouched)>,
    delegator: Option<&Trusted>,
    role: &RoleName,
) {
    let (Some(delegator), true) = (delegator, files.len() > 1) else { return };
    let today = |v: &Vouched| {
        v.by == (delegator.role().clone(), delegator.version())
            || accept(delegator, role, v.trusted.envelope().clone(), None).is_ok()
    };
    let standing: BTreeSet<Digest> =
        files.iter().filter(|(_, v)| today(v)).map(|(_, v)| v.payload()).collect();
    if standing.is_empty() {
        return;
    }
    files.retain(|(place, v)| {
        let stays = standing.contains(&v.payload());
        if !stays {
            desk.accept(place);
        }
        stays
    });
}

/// As [`one_payload`]; the other files of the winning payload are history too.
pub(super) fn one_payload_of(
    desk: &mut Desk<'_>,
    what: &str,
    files: Vec<(Place, Vouched)>,
    decided: &Decided,
    all: &mut Vec<Vouched>,
    weigh: impl Fn(&Vouched) -> Weight,
) -> Option<(Place, Vouched)> {
    let others: Vec<(Place, Vouched)> = files
        .iter()
        .map(|(place, v)| {
            (place.clone(), Vouched { trusted: v.trusted.clone(), file: v.file, by: v.by.clone() })
        })
        .collect();
    let (place, best) = one_payload(desk, what, files, decided, weigh)?;
    for (other, vouched) in others {
        if vouched.payload() == best.payload() {
            desk.accept(&other);
            if other != place {
                all.push(vouched);
            }
        }
    }
    Some((place, best))
}

/// The delegator that clients would ask for a role today: the newest root for the top-level roles;
/// else, of the newest documents, the first that lists it.
pub(super) fn current(documents: &Documents, delegators: &Delegators, role: &RoleName) -> Option<Trusted> {
    if RoleName::TOP.contains(role) {
        return delegators.all.iter().find(|d| *d.role() == RoleName::Root).cloned();
    }
    let newest = |d: &&Trusted| {
        documents.newest.get(d.role()).is_some_and(|n| n.payload().digest() == d.payload().digest())
    };
    delegators.of(role).filter(newest).find(|d| signers_of(d.document(), role).is_ok()).cloned()
}
