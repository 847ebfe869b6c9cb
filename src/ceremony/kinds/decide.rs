//! `decide`: of files of the record that stand for one thing and differ, people say which one stands.
//!
//! Two copies of a record that were written side by side can hold two keys under one name, two
//! documents of one version, two limits of one number, two ends of one transcript. Each file of it
//! verifies; nothing that rests on them is used until those decide who vouch for the thing, and never
//! the keys whose files conflict. Nobody decides between files that they haven't got: whoever signs
//! computes what is given up from their own copy, and reads both sides first.
//!
//! A decision names what it is about, the file that stands, every other one, and the decisions before
//! it, which it overrules: so it serves no other conflict, and a wrong one is mended by another.

use super::making::{asks_statement, base, listed};
use super::rules;
use crate::ceremony::change::{Change, Counts, Frame, Item};
use crate::ceremony::conflict::{Conflict, decider};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::text::visible;
use serde::Deserialize;

/// The fewest digits that tell one file from another.
const DIGITS: usize = 16;

/// The kind.
pub struct Decide;

impl Kind for Decide {
    fn name(&self) -> &'static str {
        "decide"
    }

    fn purpose(&self) -> &'static str {
        "say which of two files stands that copies of the record made side by side"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    decide: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What is in conflict, as `keyrite status` names it: `keys/root-d`.
    what: String,
    /// The one that stands: how its digest begins, 16 digits at least, or a line that it alone says.
    keep: String,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let (conflict, keep) = self.decide.chosen(facts)?;
        let role = decider(facts, &self.decide.what);
        let signers = signers(facts, &role)?;
        let others = conflict.sides.keys().copied().filter(|side| *side != keep);
        let over = others.chain(conflict.decisions.keys().copied()).collect();
        let sentence = Sentence::Decision { what: self.decide.what.clone(), keep, over };
        let payload = Statement::new(facts.trust.id, sentence)?;
        let items = vec![Item::Statement { payload, asked: asks_statement(facts, &signers, &[Counts::New]) }];
        let base = base(facts, &[&RoleName::Root, &role]);
        Ok(Change::new(frame, facts, base, items, self.decide.summary(conflict, keep, &role)))
    }

    fn held(&self, facts: &Facts) -> bool {
        self.decide.chosen(facts).is_ok_and(|(conflict, keep)| conflict.kept == Some(keep))
    }
}

impl Table {
    /// The conflict, and the side that is to stand.
    fn chosen<'a>(&self, facts: &'a Facts) -> Result<(&'a Conflict, Digest)> {
        let conflict = facts.conflicts.get(&self.what).ok_or_else(|| {
            let open: Vec<_> = facts.conflicts.keys().map(String::as_str).collect();
            let found = format!("no two files for \"{}\" in this record", visible(&self.what));
            let expected = match open.as_slice() {
                [] => "both files in this record, which has no conflict".to_owned(),
                open => format!("one of {}", open.join(", ")),
            };
            Refusal::new(&rules::DECIDE_NOTHING, found, expected)
        })?;
        let enough = self.keep.len() >= DIGITS;
        let means = |(side, says): &(&Digest, &Vec<String>)| {
            (enough && side.hex().starts_with(&self.keep)) || says.contains(&self.keep)
        };
        let mut found = conflict.sides.iter().filter(means);
        if let (Some((one, _)), None) = (found.next(), found.next()) {
            return Ok((conflict, *one));
        }
        let sides: Vec<_> = conflict.sides.keys().map(short).collect();
        let sides = sides.join(", ");
        Err(Refusal::new(
            &rules::DECIDE_WHICH,
            format!("keep = \"{}\"", visible(&self.keep)),
            format!("a line that one side alone says, or at least {DIGITS} digits of one of {sides}"),
        ))
    }

    /// Both sides: what they say alike is left out.
    fn summary(&self, conflict: &Conflict, keep: Digest, role: &RoleName) -> Vec<String> {
        let mut lines =
            vec![format!("decides which file stands for {}, as {role} says", visible(&self.what))];
        for (side, says) in &conflict.sides {
            let others = || conflict.sides.iter().filter(|(other, _)| *other != side);
            let alone = |line: &&String| others().any(|(_, says)| !says.contains(line));
            let verb = if *side == keep { "stands" } else { "is given up" };
            let words = side.words().into_iter().take(4).collect::<Vec<_>>().join(" ");
            lines.push(format!("{} ({words} ...) {verb}", short(side)));
            lines.extend(says.iter().filter(alone).map(|line| format!("  {line}")));
        }
        for (decision, statement) in &conflict.decisions {
            let Sentence::Decision { keep, .. } = statement.sentence() else { continue };
            lines.push(format!("overrules the decision {} for {}", short(decision), short(keep)));
        }
        lines
    }
}

/// The living keys of the role that decides.
fn signers<'a>(facts: &'a Facts, role: &RoleName) -> Result<Vec<&'a KeyRecord>> {
    let root = facts.root().ok_or_else(|| {
        let expected = "a root, whose threshold decides; before there is one, another name for a new key";
        Refusal::new(&rules::ROOT_MISSING, "a record without a root", expected)
    })?;
    let alive = |record: &&KeyRecord| record.life.is_empty();
    let signers: Vec<_> = listed(facts, role).into_iter().filter(alive).collect();
    let below = facts.documents.values().filter_map(|d| d.document().as_targets());
    let below = below.flat_map(|targets| &targets.delegations.roles).find(|below| below.name == *role);
    let need = root.roles.get(role).or(below.map(|below| &below.keys)).map_or(1, |role| role.threshold.get());
    if u32::try_from(signers.len()).unwrap_or(u32::MAX) < need {
        return Err(Refusal::new(
            &rules::QUORUM_LOST,
            format!("{} keys of {role} that can be asked, at a threshold of {need}", signers.len()),
            "a threshold of keys that nobody has given up",
        ));
    }
    Ok(signers)
}

/// A digest as a runbook names it.
fn short(digest: &Digest) -> String {
    digest.hex().chars().take(DIGITS).collect()
}
