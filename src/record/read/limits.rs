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
        (None, _, None) | (_, Some(_), None) => None,
        (_, _, Some((number, sha))) => Some(Refusal::new(
            &rules::TRUST_UNBOUND,
            format!("no limits/{number}.{sha}.toml, which the newest root signed"),
            "the limits that the newest root signed",
        )),
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

/// Number and digest of every limits file that a threshold of the newest root signed, over the whole
/// chain. A statement that an older root signed over the chain of its time acted then, and the
/// change that brought it stays sealed.
fn signed_by_newest(roots: &[Trusted], said: &Said) -> Vec<(u64, Digest)> {
    let statements = said.all(|sentence| matches!(sentence, Sentence::Limits { .. }));
    let mut newest = Vec::new();
    if statements.is_empty() {
        return newest;
    }
    let mut digests = Vec::new();
    for (n, root) in roots.iter().enumerate() {
        digests.extend_from_slice(root.payload().digest().as_bytes());
        let so_far = Digest::of(&digests);
        for (statement, signers) in &statements {
            let Sentence::Limits { number, limits, chain } = statement.sentence() else { continue };
            if *chain == so_far && root_met(root.payload(), signers) {
                said.acts(statement);
                if n.saturating_add(1) == roots.len() {
                    newest.push((*number, *limits));
                }
            }
        }
    }
    newest
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
