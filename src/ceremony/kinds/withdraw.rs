//! `withdraw`: a change that people no longer want is taken back, by those who could have made it.
//!
//! A half-signed change binds whoever signed it: their keys sign no other payload for that version
//! (`ROLE-FORK`) until it is withdrawn. So does a sealed one that the backend turned away, and one of
//! two that copies of the record proposed side by side. Published documents can't be withdrawn:
//! clients have them, and the next version replaces them.
//!
//! A runbook names the change by its title, and of several with one title the first, the last or the one
//! whose digest begins as it says. Rehearsals hold no open change of the real record: there is nothing to rehearse.

use super::making::{asks_statement, base};
use super::rules;
use crate::ceremony::change::{Change, Counts, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::proposal::Proposal;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::text::visible;
use crate::tuf::threshold::Tally;
use crate::tuf::time::Time;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::str::FromStr;

/// The kind.
pub struct Withdraw;

impl Kind for Withdraw {
    fn name(&self) -> &'static str {
        "withdraw"
    }

    fn purpose(&self) -> &'static str {
        "take back a change that is half signed, or that the backend turned away"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    withdraw: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The title of the change.
    change: String,
    /// Which of several with that title.
    which: Option<Word<Which>>,
    /// Why, in the proposer's words.
    reason: String,
}

/// How many digits of a digest tell one change from all others.
const DIGITS: usize = 16;

enum Which {
    First,
    Last,
    /// The first digits of its digest.
    Begins(String),
}

impl FromStr for Which {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let digits = (DIGITS..=64).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match text {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            _ if digits => Ok(Self::Begins(text.to_owned())),
            _ => Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                format!("which = \"{}\"", visible(text)),
                "first, last, or at least 16 digits of the change's digest",
            )),
        }
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let proposal = self.chosen(facts, frame.held_at)?;
        let tallies = proposal.tallies(facts, &BTreeSet::new());
        let signers = signers(facts, &tallies)?;
        let sentence = Sentence::Withdrawal { change: proposal.change, reason: self.withdraw.reason.clone() };
        let payload = Statement::new(facts.trust.id, sentence)?;
        let mut asked = Vec::new();
        for (record, counts) in signers {
            asked.extend(asks_statement(facts, &[record], &counts));
        }
        let highest = proposal.highest.as_ref().unwrap_or(&RoleName::Root);
        let base = base(facts, &[&RoleName::Root, highest]);
        let items = vec![Item::Statement { payload, asked }];
        Ok(Change::new(frame, facts, base, items, self.summary(proposal, facts)))
    }

    fn held(&self, facts: &Facts) -> bool {
        let mut named: Vec<_> =
            self.named(facts).filter(|p| p.withdrawn || p.late(facts).is_none()).collect();
        named.sort_by_key(|proposal| (proposal.held_at, proposal.change));
        let ours = |proposal: &&Proposal| self.said_of(proposal, facts);
        // Others of that title may have been taken back since, from the same end, and newer ones begun.
        match self.which() {
            None | Some(Which::Begins(_)) => {
                !named.is_empty() && named.iter().all(|proposal| proposal.withdrawn)
            }
            Some(Which::First) => named.into_iter().take_while(|p| p.withdrawn).any(|p| ours(&p)),
            Some(Which::Last) => named.into_iter().rev().take_while(|p| p.withdrawn).any(|p| ours(&p)),
        }
    }
}

impl Spec {
    fn named<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = &'a Proposal> {
        let meant = |proposal: &&Proposal| match self.which() {
            Some(Which::Begins(digits)) => proposal.change.hex().starts_with(digits),
            _ => true,
        };
        let of_title = |proposal: &&Proposal| proposal.title == self.withdraw.change;
        facts.proposals.values().filter(of_title).filter(meant)
    }

    fn which(&self) -> Option<&Which> {
        self.withdraw.which.as_deref()
    }

    /// Whether this very runbook's sentence about a change is in force.
    fn said_of(&self, proposal: &Proposal, facts: &Facts) -> bool {
        let reason = self.withdraw.reason.clone();
        let sentence = Sentence::Withdrawal { change: proposal.change, reason };
        let said = Statement::new(facts.trust.id, sentence);
        said.is_ok_and(|said| facts.history.contains(&Digest::of(said.bytes())))
    }

    /// The one change that is meant, of those that were there when this one was planned.
    fn chosen<'a>(&'a self, facts: &'a Facts, held_at: Time) -> Result<&'a Proposal> {
        let before = |proposal: &&Proposal| !proposal.withdrawn && proposal.held_at <= held_at;
        let mut named: Vec<_> = self.named(facts).filter(before).collect();
        named.sort_by_key(|proposal| (proposal.held_at, proposal.change));
        let late: Vec<_> = named.iter().filter_map(|p| Some((p.describe(), p.late(facts)?))).collect();
        named.retain(|proposal| proposal.late(facts).is_none());
        match (named.as_slice(), self.which()) {
            ([], _) => Err(late.first().map_or_else(
                || {
                    Refusal::new(
                        &rules::WITHDRAW_NOTHING,
                        format!("no change titled \"{}\" to withdraw", visible(&self.withdraw.change)),
                        "the title of a change in this record that is signed, as keyrite status shows it",
                    )
                },
                |(what, why)| {
                    Refusal::new(
                        &rules::WITHDRAW_LATE,
                        format!("{what}: {why}"),
                        "a change that no client has yet, and no newer root rests on",
                    )
                },
            )),
            ([only], _) => Ok(only),
            ([first, ..], Some(Which::First)) => Ok(first),
            ([.., last], Some(Which::Last)) => Ok(last),
            (several, _) => Err(Refusal::new(
                &rules::WITHDRAW_WHICH,
                several.iter().map(|proposal| told(proposal)).collect::<Vec<_>>().join("; "),
                "which = \"first\", \"last\" or 16 digits of the digest in the runbook, where several have one title",
            )),
        }
    }

    fn summary(&self, proposal: &Proposal, facts: &Facts) -> Vec<String> {
        let mut lines = vec![
            format!("withdraws {}, the change {}", proposal.describe(), proposal.change),
            format!("because: {}", visible(&self.withdraw.reason)),
            "nobody signs or seals it any more; its keys may sign another of the same versions".to_owned(),
        ];
        let sealed = |(_, _, payload): &&(RoleName, u64, _)| facts.history.contains(payload);
        let sealed: Vec<_> = proposal.documents.iter().filter(sealed).collect();
        if !sealed.is_empty() {
            let words: Vec<_> = sealed.iter().map(|(role, version, _)| format!("{role} {version}")).collect();
            let words = words.join(", ");
            lines.push(format!("leaves the record's trust: {words}"));
            lines.push(
                "whoever has them can publish them all the same, so status goes on listing them".to_owned(),
            );
        }
        if let Some(root) = proposal.chained(facts) {
            let before = root.version().saturating_sub(1);
            lines.push(if before == 0 {
                "there is no root again: whoever wrote root 1 down crosses it out".to_owned()
            } else {
                format!(
                    "root {before} is the newest again: whoever wrote root {} down crosses it out",
                    root.version()
                )
            });
        }
        lines
    }
}

/// A change as it can be told from others of its title.
fn told(proposal: &Proposal) -> String {
    let digest = proposal.change.hex();
    format!("{}, {}", proposal.describe(), digest.get(..DIGITS).unwrap_or_default())
}

/// The living keys that are asked, each with the thresholds that it counts for.
fn signers<'a>(facts: &'a Facts, tallies: &[(Counts, Tally)]) -> Result<Vec<(&'a KeyRecord, Vec<Counts>)>> {
    let mut signers: Vec<(&KeyRecord, Vec<Counts>)> = Vec::new();
    for record in facts.keys.values().filter(|record| record.life.is_empty()) {
        let identity: KeyIdentity = record.public.identity();
        let counts = tallies.iter().filter(|(_, tally)| tally.listed.contains(&identity));
        let counts: Vec<_> = counts.map(|(counts, _)| *counts).collect();
        if !counts.is_empty() {
            signers.push((record, counts));
        }
    }
    if tallies.is_empty() {
        return Err(Refusal::new(
            &rules::ROOT_MISSING,
            "a record without the root that the change starts from",
            "the whole record, with every root",
        ));
    }
    for (counts, tally) in tallies {
        let have = signers.iter().filter(|(_, own)| own.contains(counts)).count();
        if u32::try_from(have).unwrap_or(u32::MAX) < tally.need {
            return Err(Refusal::new(
                &rules::QUORUM_LOST,
                format!("{have} keys that can be asked, at a threshold of {}", tally.need),
                "a threshold of keys that nobody has given up",
            ));
        }
    }
    Ok(signers)
}
