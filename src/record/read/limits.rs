//! Limits: which file is in force, and whether the newest root has bound it to this trust.

use super::statements::{Said, root_met};
use super::{Desk, by_newest_root, by_some_root, decision};
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
use std::collections::{BTreeMap, BTreeSet};

/// A file of limits: its number and digest.
type File = (u64, Digest);

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
    /// All that are in force or were, by number and digest: the first, and what some root signed, but for
    /// what people have decided against or nobody has decided between.
    pub ever: BTreeMap<File, Limits>,
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
    let (mut signed, once) = signed_by_roots(roots, said);
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
        if *place == first || once.contains(&(*number, *sha)) {
            desk.accept(place);
        } else {
            desk.refuse(place, unsigned(*number));
        }
    }
    let mut ever = readable.clone();
    ever.retain(|file, _| *file == (1, trust.limits()) || once.contains(file));
    let mut conflict = None;
    let mut disputed = None;
    if let Some(number) = signed.iter().map(|(number, _)| *number).max() {
        let rivals = signed.iter().filter(|(n, _)| *n == number).map(|(_, sha)| *sha).collect();
        if let Err(refusal) = one_of(desk, roots, said, number, &rivals, &readable).map(|one| {
            signed.retain(|(n, sha)| *n != number || *sha == one);
        }) {
            conflict = Some(refusal);
            disputed = Some(number);
        }
        ever.retain(|file, _| file.0 != number || disputed.is_none() && signed.contains(file));
    }
    // Until it is decided, the last ones that nobody disputes are shown, and nothing is signed.
    let fits = |key: &&(u64, Digest)| readable.contains_key(key) && disputed != Some(key.0);
    let highest = signed.iter().filter(fits).max().copied();
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
    Ok(InForce { limits, number, file, unbound: conflict.or(unbound), ever })
}

/// The limits of one number that are in force, of those that a threshold signed. All of them are
/// kept, also on their way in: nobody else than those who decide could have made one.
fn one_of(
    desk: &mut Desk<'_>,
    roots: &[Trusted],
    said: &Said,
    number: u64,
    rivals: &BTreeSet<Digest>,
    readable: &BTreeMap<(u64, Digest), Limits>,
) -> Result<Digest> {
    let what = format!("limits/{number}");
    let decided = decision(said, &what, |by| by_newest_root(roots, by), |by| by_some_root(roots, by));
    let mut left = rivals.difference(&decided.out);
    let one = left.next().copied().filter(|_| left.next().is_none());
    let told = |sha: &Digest| match readable.get(&(number, *sha)) {
        Some(limits) => side(&limits.to_toml()),
        None => vec!["the file is not here".to_owned()],
    };
    desk.note(&what, rivals.iter().map(|sha| (*sha, told(sha))).collect(), one, &decided);
    one.ok_or_else(|| {
        let found = format!("{} files for {what}, each signed by a threshold of root", rivals.len());
        Refusal::new(&rules::RECORD_CONFLICT, found, "one")
    })
}

/// Each limit with its table, so that lines of two files compare.
fn side(text: &str) -> Vec<String> {
    let mut table = "";
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => table = name,
            None if !line.trim().is_empty() => {
                let words: Vec<_> = line.split_whitespace().collect();
                lines.push(format!("{table}: {}", words.join(" ")));
            }
            None => {}
        }
    }
    lines
}

/// Number and digest of every limits file that a threshold of the newest root signed, over the whole
/// chain, and of those that some root signed over the chain of its time: such a statement acted then,
/// the change that brought it stays sealed, and its file stays.
fn signed_by_roots(roots: &[Trusted], said: &Said) -> (Vec<File>, BTreeSet<File>) {
    let statements = said.all(|sentence| matches!(sentence, Sentence::Limits { .. }));
    let (mut newest, mut once) = (Vec::new(), BTreeSet::new());
    if statements.is_empty() {
        return (newest, once);
    }
    let mut digests = Vec::new();
    for (n, root) in roots.iter().enumerate() {
        digests.extend_from_slice(root.payload().digest().as_bytes());
        let so_far = Digest::of(&digests);
        for (statement, signers) in &statements {
            let Sentence::Limits { number, limits, chain } = statement.sentence() else { continue };
            if *chain == so_far && root_met(root.payload(), signers) {
                said.acts(statement);
                once.insert((*number, *limits));
                if n.saturating_add(1) == roots.len() {
                    newest.push((*number, *limits));
                }
            }
        }
    }
    (newest, once)
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
