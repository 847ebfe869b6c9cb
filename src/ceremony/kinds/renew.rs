//! `renew`: whatever is due, signed again by its own keys with a later expiry, in one change.
//!
//! What is due is judged by `held-at` in the change, so that everyone computes the same, and by
//! today where somebody asks whether anything is. A delegation's document that no longer verifies
//! (its keys were revoked) is due when the runbook names its role.

use super::customers::names;
use super::delegations::Delegations;
use super::rework::{Rework, Terms};
use super::root_change::{Wanted, root_change};
use super::rules;
use crate::ceremony::change::{Base, Change, Frame, Item};
use crate::ceremony::due::{NOTARY_BLOCKS, NOTARY_ROOT, in_time};
use crate::ceremony::facts::Facts;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Time};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The kind.
pub struct Renew;

impl Kind for Renew {
    fn name(&self) -> &'static str {
        "renew"
    }

    fn purpose(&self) -> &'static str {
        "sign again what expires soon, with the same keys"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    renew: Table,
    root: Option<Valid>,
    targets: Option<Valid>,
    delegations: Option<Valid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    within: Word<Term>,
    roles: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Valid {
    valid_for: Word<Term>,
}

/// What is due.
struct Due {
    root: bool,
    /// Targets and delegations.
    others: BTreeSet<RoleName>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let delegations = Delegations::of(facts);
        let due = self.due(facts, &delegations, frame.held_at)?;
        if !due.root && due.others.is_empty() {
            return Err(Refusal::new(
                &rules::RENEW_NOTHING,
                format!("nothing that ends within {} of {}", self.renew.within.0, frame.held_at),
                "a document that is due",
            ));
        }
        Self::root_in_time(facts, &due, frame.held_at)?;
        let terms = self.terms(frame.held_at, &due)?;
        let mut rework = Rework::new(facts, &delegations, terms, None);
        rework.again.clone_from(&due.others);
        let mut edits = rework.edits()?;
        let (mut items, mut base, mut summary) = (Vec::new(), Base::default(), Vec::new());
        if due.root {
            let valid_for = valid_for(self.root.as_ref(), "root")?;
            longer(frame.held_at, valid_for, self.root_within(facts), "root")?;
            let targets_valid_for = edits.remove(&RoleName::Targets).and(terms.targets);
            let wanted = Wanted { targets_valid_for, ..Wanted::again(valid_for) };
            let made = root_change(frame, facts, &wanted)?;
            (items, base, summary) = (made.items, made.base, made.summary);
        }
        let (documents, rests) = rework.documents(frame, edits)?;
        base.documents.extend(rests.documents);
        for document in documents.iter().filter_map(Item::document) {
            let role = document.role();
            let before = facts.last(role).map(|d| d.document().header().expires);
            summary.push(format!(
                "{role} {}: as it is, valid until {} instead of {}, signed by {}",
                document.version(),
                document.document().header().expires,
                before.map_or_else(|| "never".to_owned(), |t| t.to_string()),
                names(&rework.signers(role))
            ));
        }
        items.extend(documents);
        Ok(Change::new(frame, facts, base, items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let due = self.due(facts, &Delegations::of(facts), facts.today);
        due.is_ok_and(|due| !due.root && due.others.is_empty())
    }
}

impl Spec {
    /// What ends within the term from a moment, of the roles that the runbook names, or of all.
    fn due(&self, facts: &Facts, delegations: &Delegations<'_>, at: Time) -> Result<Due> {
        let until = at.plus(self.renew.within.0)?;
        let mut due = Due { root: false, others: BTreeSet::new() };
        let named = self.renew.roles.as_ref().map(|names| names.iter().map(|n| RoleName::from_name(n)));
        let named: Option<BTreeSet<RoleName>> = named.map(Iterator::collect);
        for role in named.iter().flatten() {
            let there = facts.newest(role).is_some() || facts.unvouched.contains_key(role);
            if role.is_online() || !there {
                return Err(Refusal::new(
                    &rules::DELEGATION_MISSING,
                    format!("no document of {role} that is renewed here"),
                    "root, targets or a delegation that has a document",
                ));
            }
        }
        let asked = |role: &RoleName| named.as_ref().is_none_or(|named| named.contains(role));
        if let Some(root) = facts.root().filter(|_| asked(&RoleName::Root)) {
            due.root = root.header.expires <= at.plus(self.root_within(facts))?;
        }
        let ends = |role: &RoleName| facts.documents.get(role).map(|d| d.document().header().expires);
        let delegated = delegations.all().map(|d| &d.role.name);
        for role in delegated.chain([&RoleName::Targets]).filter(|role| asked(role)) {
            // One that no longer verifies is nothing that clients have: it is due when it is named.
            let waits = named.is_some() && facts.unvouched.contains_key(role);
            if waits || ends(role).is_some_and(|ends| ends <= until) {
                due.others.insert(role.clone());
            }
        }
        Ok(due)
    }

    /// The terms, each longer than what makes a document due.
    fn terms(&self, held_at: Time, due: &Due) -> Result<Terms> {
        let table = |valid: &Option<Valid>, name: &str, needed: bool| {
            if !needed {
                return Ok(None);
            }
            let term = valid_for(valid.as_ref(), name)?;
            longer(held_at, term, self.renew.within.0, name)?;
            Ok(Some(term))
        };
        let delegated = due.others.iter().any(|role| matches!(role, RoleName::Delegated(_)));
        Ok(Terms {
            targets: table(&self.targets, "targets", due.others.contains(&RoleName::Targets))?,
            again: table(&self.delegations, "delegations", delegated)?,
            granting: None,
        })
    }

    /// Within how long of its end root is due.
    fn root_within(&self, facts: &Facts) -> Term {
        let within = self.renew.within.0;
        match facts.trust.profile {
            Profile::Notary if within.days() < NOTARY_ROOT.days() => NOTARY_ROOT,
            _ => within,
        }
    }

    /// In profile `notary` nothing else is renewed while root is so near its end that no stock
    /// client publishes: whoever renews the rest would take the work for done.
    fn root_in_time(facts: &Facts, due: &Due, held_at: Time) -> Result<()> {
        let Some(root) = facts.root().filter(|_| facts.trust.profile == Profile::Notary && !due.root) else {
            return Ok(());
        };
        if in_time(held_at, root.header.expires) {
            return Ok(());
        }
        Err(Refusal::new(
            &rules::ROOT_PUBLISH,
            format!("root that ends {}", root.header.expires),
            format!("one that ends more than {NOTARY_BLOCKS} months after {held_at}"),
        ))
    }
}

fn valid_for(table: Option<&Valid>, name: &str) -> Result<Term> {
    table.map(|valid| valid.valid_for.0).ok_or_else(|| {
        let found = format!("{name} due, and no [{name}] valid-for");
        Refusal::new(&crate::ceremony::rules::RUNBOOK, found, "how long it is valid")
    })
}

/// Refuses a term after which the document would be due again at once.
fn longer(held_at: Time, term: Term, within: Term, name: &str) -> Result<()> {
    if held_at.plus(term)? > held_at.plus(within)? {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::RENEW_SHORT,
        format!("{name} valid for {term}"),
        format!("longer than {within}, within which it would be due again"),
    ))
}
