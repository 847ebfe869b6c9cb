//! Who is asked to sign a new root, and for which root each signature counts.
//!
//! Keys of the root before come first, since a client stops at their threshold first (TUF 5.3.4).
//! A key that is lost or compromised is never asked, one that is retired or destroyed only if the
//! next root lists it.

use super::root_change::Side;
use super::root_members::{Member, known};
use super::rules;
use crate::ceremony::change::{Ask, Counts};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::wire;
use std::collections::BTreeSet;

/// The askings of those keys for one threshold, as their entries say they sign. A key that the
/// record doesn't know can't be asked.
pub fn asks(facts: &Facts, members: &[Member<'_>], counts: &[Counts]) -> Vec<Ask> {
    members.iter().filter_map(|member| ask(facts, member, counts)).collect()
}

fn ask(facts: &Facts, member: &Member<'_>, counts: &[Counts]) -> Option<Ask> {
    let record = member.record?;
    let scheme = member.entry.scheme.unwrap_or_else(|| wire::scheme(facts.trust.profile, &record.public));
    Some(Ask {
        key: record.name.clone(),
        holder: record.holder.clone(),
        public: record.public.clone(),
        scheme,
        counts: counts.to_vec(),
    })
}

/// Everyone who is asked to sign the root.
///
/// # Errors
///
/// `QUORUM-LOST` if those who can be asked don't meet a threshold; `KEY-NOT-LISTED` for a key that is not to be
/// asked and doesn't stay.
pub fn root_asks(
    facts: &Facts,
    root: &Side<'_>,
    gone: &[(&KeyRecord, KeyEvent)],
    not_asked: &[KeyName],
) -> Result<Vec<Ask>> {
    stay(root, not_asked)?;
    let silent = |record: &KeyRecord| not_asked.contains(&record.name);
    let alive = |record: &KeyRecord| {
        record.life.is_empty() && gone.iter().all(|(other, _)| other.name != record.name) && !silent(record)
    };
    let listed = |members: &[Member<'_>], key: &Member<'_>| members.iter().any(|member| member.is(key));
    let mut asked = Vec::new();
    for member in root.old.iter().filter(|member| !member.record.is_some_and(silent)) {
        if listed(&root.new, member) {
            asked.extend(ask(facts, member, &[Counts::Old, Counts::New]));
        } else if member.record.is_some_and(alive) {
            asked.extend(ask(facts, member, &[Counts::Old]));
        }
    }
    let coming: Vec<_> = root.new.iter().filter(|member| !listed(&root.old, member)).cloned().collect();
    asked.extend(asks(facts, &coming, &[Counts::New]));
    enough(&asked, Counts::Old, root.old_threshold, "the trusted root")?;
    enough(&asked, Counts::New, root.spec.threshold.get(), "the next root")?;
    if facts.trust.profile == Profile::Notary {
        historic(facts, root, &alive, &mut asked);
    }
    Ok(asked)
}

/// Refuses to leave a key unasked that doesn't stay: one that leaves is named where it leaves, and one that comes
/// in has to show that it can sign.
fn stay(root: &Side<'_>, not_asked: &[KeyName]) -> Result<()> {
    let listed = |members: &[Member<'_>], name: &KeyName| {
        members.iter().any(|member| member.record.is_some_and(|record| record.name == *name))
    };
    match not_asked.iter().find(|name| !listed(&root.old, name) || !listed(&root.new, name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            &rules::KEY_NOT_LISTED,
            format!("{name}, in not-asked"),
            "a key that the trusted root lists, and the next one still",
        )),
    }
}

fn enough(asked: &[Ask], counts: Counts, need: u32, whose: &str) -> Result<()> {
    let left = asked.iter().filter(|ask| ask.counts.contains(&counts)).count();
    if u32::try_from(left).unwrap_or(u32::MAX) >= need {
        return Ok(());
    }
    let found = format!("{left} keys of {whose} that can be asked, at a threshold of {need}");
    Err(Refusal::new(&rules::QUORUM_LOST, found, "a threshold of keys that are neither lost nor compromised"))
}

/// Keys of older roots, under every id that neither the root before nor the next gives them: the
/// newest of those roots first, each id once.
fn historic(facts: &Facts, root: &Side<'_>, alive: &dyn Fn(&KeyRecord) -> bool, asked: &mut Vec<Ask>) {
    let both = root.old.iter().chain(&root.new).map(|member| member.entry.id.clone());
    let mut seen: BTreeSet<KeyId> = both.collect();
    let in_the_field = |root: &&Trusted| !facts.given_up(root.version());
    for older in facts.roots.iter().rev().skip(1).filter(in_the_field) {
        let Some(view) = older.document().as_root() else { continue };
        let Some(role) = view.roles.get(&RoleName::Root) else { continue };
        for entry in role.keyids.iter().filter_map(|id| view.keys.get(id)) {
            let Some(record) = known(facts, entry) else { continue };
            let may = alive(record) && !facts.limits.ceremony.excluded.contains(&record.holder);
            if !may || !seen.insert(entry.id.clone()) {
                continue;
            }
            let counts = Counts::Historic(older.version());
            if let Some(ask) = asked.iter_mut().find(|ask| ask.key == record.name) {
                ask.counts.push(counts);
            } else {
                let member = Member { entry: entry.clone(), record: Some(record) };
                asked.extend(ask(facts, &member, &[counts]));
            }
        }
    }
}
