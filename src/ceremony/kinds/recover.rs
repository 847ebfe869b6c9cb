//! `recover`: root and targets without the keys that were lost or stolen, by what the planner finds.
//!
//! Where limits let so few keys change that one root is not enough, the very same runbook is held again
//! and makes the next one, until the root is as it is wanted; compromised keys leave first. A targets
//! key leaves with the first of them. Developers' keys are `revoke-delegation`'s. Where whoever comes in comes
//! late, the planner writes a runbook for each root, which names the keys that are gone and stay for it.
//!
//! Never: a signature of a key that is gone, whether it leaves by this root or by a later one.

use super::key_life::{Said, declared};
use super::making::{base, unknown};
use super::root_change::{Wanted, root_change};
use super::root_members::{Keys, Role, listed_entries};
use super::rules;
use crate::ceremony::change::{Change, Frame, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::planner::{self, Answer, Impossible, Question, Standing, Wish};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Term;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The kind.
pub struct Recover;

impl Kind for Recover {
    fn name(&self) -> &'static str {
        "recover"
    }

    fn purpose(&self) -> &'static str {
        "go on without root and targets keys that were lost or stolen"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    recover: Table,
    root: Root,
    targets: Option<Targets>,
    declared: Option<Said>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    #[serde(default)]
    lost: Vec<Word<KeyName>>,
    #[serde(default)]
    compromised: Vec<Word<KeyName>>,
    #[serde(default)]
    replace_with: Vec<Word<KeyName>>,
    /// Root keys that are gone as well and leave by a later runbook, as where someone comes late.
    #[serde(default)]
    not_asked: Vec<Word<KeyName>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Root {
    threshold: Option<u32>,
    valid_for: Word<Term>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Targets {
    valid_for: Word<Term>,
    as_in: Option<u64>,
    #[serde(default)]
    without_paths: Vec<String>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        for Word(name) in self.named() {
            let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
            if !matches!(record.purpose, Purpose::Root | Purpose::Targets) {
                let found = format!("{name}, made for {}", record.purpose.name());
                let expected = "keys made for root or targets; revoke-delegation takes out a developer's";
                return Err(Refusal::new(&rules::KEY_PURPOSE, found, expected));
            }
        }
        let mut question = planner::question(&self.wish(facts), facts)?;
        question.today = frame.held_at;
        let later: Vec<KeyName> = self.recover.not_asked.iter().map(|Word(name)| name.clone()).collect();
        for name in &later {
            match question.keys.get_mut(name) {
                Some(key) if question.wanted.keys.contains(name) => key.standing = Standing::NotAsked,
                _ => return Err(not_listed(name)),
            }
        }
        let mut wanted = Wanted::again(self.root.valid_for.0);
        let mut roots = 1;
        match planner::plan(&question) {
            Answer::Nothing if edits_nothing(&self.targets(facts)) => return self.declare(frame, facts),
            Answer::Nothing => {
                wanted.gone = self.gone();
                wanted.not_asked = later;
            }
            Answer::Roots(plan) => {
                let Some(next) = plan.first() else { return Err(no_way(&question, None)) };
                roots = plan.len();
                wanted.root = Role {
                    keys: Keys::Edited {
                        add: next.enter.iter().cloned().collect(),
                        remove: next.leave.iter().cloned().collect(),
                    },
                    threshold: Some(next.root.threshold),
                };
                // A key that has to stay for one root more is given up by the one that it leaves with.
                let (stay, leave) =
                    self.gone().into_iter().partition(|(name, _)| next.root.keys.contains(name));
                wanted.gone = leave;
                // Nor is it asked to sign meanwhile.
                let stay: Vec<(KeyName, KeyEvent)> = stay;
                wanted.not_asked = stay.into_iter().map(|(name, _)| name).chain(later).collect();
            }
            Answer::Impossible(impossible) => return Err(no_way(&question, Some(&impossible))),
        }
        wanted.targets = self.targets(facts);
        wanted.declared = self.declared.as_ref().map(Said::keys);
        if let Some(targets) = self.targets.as_ref().filter(|_| !edits_nothing(&wanted.targets)) {
            wanted.targets_valid_for = Some(targets.valid_for.0);
            wanted.targets_as_in = targets.as_in;
            wanted.targets_without.clone_from(&targets.without_paths);
        }
        let made = root_change(frame, facts, &wanted)?;
        let mut summary = made.summary;
        if roots > 1 {
            summary.push(format!("{} more to come: hold this runbook again", roots.saturating_sub(1)));
        }
        Ok(Change::new(frame, facts, made.base, made.items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let said = |(name, event): &(KeyName, KeyEvent)| {
            facts.keys.get(name).is_some_and(|r| r.life.iter().any(|(before, _)| before == event))
        };
        let listed = |name: &KeyName| {
            in_role(facts, &RoleName::Root, name) || in_role(facts, &RoleName::Targets, name)
        };
        let threshold = listed_entries(facts, &RoleName::Root).map(|(_, threshold)| threshold).ok();
        self.gone().iter().all(|gone| said(gone) && !listed(&gone.0))
            && self.recover.replace_with.iter().all(|Word(name)| listed(name))
            && self.root.threshold.is_none_or(|wanted| threshold == Some(wanted))
    }
}

fn edits_nothing(role: &Role) -> bool {
    matches!(&role.keys, Keys::Edited { add, remove } if add.is_empty() && remove.is_empty())
}

fn in_role(facts: &Facts, role: &RoleName, name: &KeyName) -> bool {
    let Some(record) = facts.keys.get(name) else { return false };
    let Ok((members, _)) = listed_entries(facts, role) else { return false };
    members.iter().any(|member| member.identity() == Some(record.public.identity()))
}

impl Spec {
    fn named(&self) -> impl Iterator<Item = &Word<KeyName>> {
        let Table { lost, compromised, replace_with, not_asked } = &self.recover;
        lost.iter().chain(compromised).chain(replace_with).chain(not_asked)
    }

    /// The keys have left root and targets before: what became of them is said, and nothing else.
    fn declare(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let gone = self.gone();
        let gone: Vec<_> =
            gone.iter().filter_map(|(name, event)| Some((facts.keys.get(name)?, *event))).collect();
        let items = declared(frame, facts, &gone)?;
        let mut summary = vec!["no document changes: root and targets list none of these keys".to_owned()];
        for (record, event) in gone {
            summary.push(format!("  {} of {}: {}, for good", record.name, record.holder, event.name()));
        }
        Ok(Change::new(frame, facts, base(facts, &[&RoleName::Root]), items, summary))
    }

    /// What became of each key that is given up. One that is lost and compromised was stolen, and is
    /// said to be compromised.
    fn gone(&self) -> Vec<(KeyName, KeyEvent)> {
        let stolen: Vec<&KeyName> = self.recover.compromised.iter().map(|Word(name)| name).collect();
        let lost = self.recover.lost.iter().map(|Word(name)| name).filter(|name| !stolen.contains(name));
        let lost = lost.map(|name| (name.clone(), KeyEvent::Lost));
        lost.chain(stolen.iter().map(|name| ((*name).clone(), KeyEvent::Compromised))).collect()
    }

    /// Root keys alone; what the root has already done is asked no more.
    fn wish(&self, facts: &Facts) -> Wish {
        let root = |words: &[Word<KeyName>], listed| -> BTreeSet<KeyName> {
            let fits = |name: &&KeyName| {
                let purpose = facts.keys.get(*name).map(|record| record.purpose);
                purpose == Some(Purpose::Root) && in_role(facts, &RoleName::Root, name) == listed
            };
            words.iter().map(|Word(name)| name).filter(fits).cloned().collect()
        };
        Wish {
            add: root(&self.recover.replace_with, false),
            lost: root(&self.recover.lost, true),
            compromised: root(&self.recover.compromised, true),
            threshold: self.root.threshold,
            ..Wish::new(self.root.valid_for.0)
        }
    }

    fn targets(&self, facts: &Facts) -> Role {
        let of = |words: Vec<KeyName>, listed| -> Vec<KeyName> {
            let fits = |name: &KeyName| {
                let purpose = facts.keys.get(name).map(|record| record.purpose);
                purpose == Some(Purpose::Targets) && in_role(facts, &RoleName::Targets, name) == listed
            };
            words.into_iter().filter(fits).collect()
        };
        let new = self.recover.replace_with.iter().map(|Word(name)| name.clone()).collect();
        let gone = self.gone().into_iter().map(|(name, _)| name).collect();
        Role { keys: Keys::Edited { add: of(new, false), remove: of(gone, true) }, threshold: None }
    }
}

/// The refusal of a key that is to stay unasked and isn't one that stays.
fn not_listed(name: &KeyName) -> Refusal {
    let expected = "a key that the trusted root lists, and the next one still";
    Refusal::new(&rules::KEY_NOT_LISTED, format!("{name}, in not-asked"), expected)
}

fn no_way(question: &Question, impossible: Option<&Impossible>) -> Refusal {
    impossible.map_or_else(
        || Refusal::new(&rules::RECOVER_NO_WAY, "a way without a root", "at least one root"),
        |impossible| planner::refused(question, impossible),
    )
}
