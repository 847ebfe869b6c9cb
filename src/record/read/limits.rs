//! Limits: which file is in force, and whether the newest root has bound it to this trust.

use super::Desk;
use super::statements::{Said, root_met};
use crate::ceremony::facts::Facts;
use crate::ceremony::limits::Limits;
use crate::ceremony::standing::State;
use crate::record::TrustFile;
use crate::record::contents::StoredChange;
use crate::record::names::Place;
use crate::record::rules;
use crate::record::store::read_limits;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::BTreeMap;

/// The limits in force.
pub(super) struct InForce {
    /// What they say.
    pub limits: Limits,
    /// The file's number.
    pub number: u64,
    /// The file's digest.
    pub file: Digest,
    /// Why the newest root hasn't bound them, if it hasn't: `TRUST-UNBOUND`.
    pub unbound: Option<Refusal>,
}

/// Finds them. Before the first root: number 1, which `trust.json` names. Afterwards: the highest
/// number that a threshold of the newest root signed, over the whole chain. Where nothing is
/// signed, number 1 is shown, and the record is unbound.
pub(super) fn read(
    desk: &mut Desk<'_>,
    trust: &TrustFile,
    roots: &[Trusted],
    said: &Said,
) -> Result<InForce> {
    let first = Place::Limits(1, trust.limits());
    let files: Vec<Place> = desk.places.iter().filter(|p| matches!(p, Place::Limits(..))).cloned().collect();
    let profile = desk.trust.profile;
    let mut readable: BTreeMap<(u64, Digest), Limits> = BTreeMap::new();
    for place in &files {
        let Place::Limits(number, sha) = place else { continue };
        if let Some(limits) = desk.read(place, |bytes| read_limits(bytes, profile)) {
            readable.insert((*number, *sha), limits);
        }
    }
    let signed = signed_by_newest(roots, said);
    let unsigned = |number: u64| {
        Refusal::new(
            &rules::LIMITS_UNSIGNED,
            format!("limits number {number}"),
            if number == 1 {
                "the first limits, which trust.json names"
            } else {
                "a threshold of the newest root that signs them"
            },
        )
    };
    for place in &files {
        let Place::Limits(number, sha) = place else { continue };
        if *place == first || signed.contains(&(*number, *sha)) {
            desk.accept(place);
        } else {
            desk.refuse(place, unsigned(*number));
        }
    }
    let highest = signed.iter().filter(|key| readable.contains_key(key)).max().copied();
    let (number, file) = highest.unwrap_or((1, trust.limits()));
    let Some(limits) = readable.remove(&(number, file)) else {
        return Err(desk.refused.get(&first).cloned().unwrap_or_else(|| {
            Refusal::new(&rules::RECORD_REST, format!("no \"{first}\""), "the limits that trust.json names")
        }));
    };
    let lost = signed.iter().max().filter(|newest| highest.is_none_or(|h| h < **newest));
    let unbound = match (roots.last(), highest, lost) {
        (None, ..) => None,
        (_, _, Some((number, sha))) => Some(Refusal::new(
            &rules::TRUST_UNBOUND,
            format!("no limits/{number}.{sha}.toml, which the newest root signed"),
            "the limits that the newest root signed",
        )),
        (Some(_), Some(_), None) => None,
        (Some(root), None, None) => Some(Refusal::new(
            &rules::TRUST_UNBOUND,
            format!(
                "no limits statement of the trust {} that root version {} signed",
                trust.trust().id,
                root.version()
            ),
            "one, signed by a threshold of the newest root",
        )),
    };
    Ok(InForce { limits, number, file, unbound })
}

/// Number and digest of every limits file that a threshold of the newest root signed.
fn signed_by_newest(roots: &[Trusted], said: &Said) -> Vec<(u64, Digest)> {
    let Some(newest) = roots.last() else { return Vec::new() };
    let digests: Vec<u8> = roots.iter().flat_map(|root| *root.payload().digest().as_bytes()).collect();
    let whole = Digest::of(&digests);
    let statements = said.all(|s| matches!(s, Sentence::Limits { chain, .. } if *chain == whole));
    let counting = statements.into_iter().filter(|(_, signers)| root_met(newest, signers));
    counting
        .filter_map(|(statement, _)| match statement.sentence() {
            Sentence::Limits { number, limits, .. } => {
                said.acts(statement);
                Some((*number, *limits))
            }
            _ => None,
        })
        .collect()
}

/// Refuses limits of a lower number than a sealed change names: newer ones were in force already.
pub(super) fn lowest(desk: &mut Desk<'_>, facts: &Facts, changes: &BTreeMap<Digest, StoredChange>) {
    let done = |c: &&StoredChange| {
        c.standing.as_ref().is_ok_and(|s| matches!(s.state, State::Sealed | State::Published))
    };
    let named = changes.values().filter(done).map(|c| c.change.limits.number).max().unwrap_or(0);
    if named > facts.limits_number {
        let place = Place::Limits(facts.limits_number, facts.limits_file);
        let found =
            format!("limits number {} in force, though a sealed change names {named}", facts.limits_number);
        desk.refuse(
            &place,
            Refusal::new(&rules::LIMITS_UNSIGNED, found, "the newest limits and their statements"),
        );
    }
}
