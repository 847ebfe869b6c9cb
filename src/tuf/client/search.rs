//! The search for a target among delegations (TUF 5.6.7).
//!
//! In pre-order, each role once, so that a circle of delegations ends; a terminating delegation
//! that covers the path ends the search after its own. A document is accepted for the delegator
//! that led to it: what one delegator vouches for is worth nothing below another.
//!
//! A look at everything goes to every delegation that the snapshot lists, and tells of those that no
//! search could use instead of ending there.

use super::ahead::Verdict;
use super::tuf1::{Step, Update, snapshot_of};
use super::{Answer, Judge, Want, out_of_turn};
use crate::tuf::document::Targets;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::wire::Envelope;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A search for one target path, or a look at everything.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) path: Option<String>,
    /// Delegations to visit, the next one last, each with its delegator.
    pub(super) pending: Vec<(RoleName, RoleName)>,
    pub(super) visited: BTreeSet<RoleName>,
    /// What is waited for.
    pub(super) current: Option<(RoleName, RoleName)>,
}

impl<J: Judge> Update<J> {
    /// See [`super::Client::look_up`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn look_up(&mut self, path: &str) -> Result<()> {
        let begun = self.begin(Some(path.to_owned()));
        let result = begun.and_then(|search| self.search(search));
        self.settle(result)
    }

    pub(super) fn begin(&mut self, path: Option<String>) -> Result<Search> {
        let top = match (&self.step, &self.targets) {
            (Step::Updated, Some(top)) => Arc::clone(top),
            _ => return Err(out_of_turn("a search before the update has ended")),
        };
        self.answer = None;
        self.step = Step::Failed;
        let mut search =
            Search { path, pending: Vec::new(), visited: BTreeSet::from([RoleName::Targets]), current: None };
        self.visit(&mut search, &RoleName::Targets, &top)?;
        Ok(search)
    }

    /// Goes on until there is an answer or a file to wait for.
    pub(super) fn search(&mut self, mut search: Search) -> Result<()> {
        while self.answer.is_none() {
            let Some((role, by)) = search.pending.pop() else {
                self.answer = Some(Answer::NotFound);
                break;
            };
            if !search.visited.insert(role.clone()) {
                continue;
            }
            let most = self.settings.caps.documents;
            if usize::try_from(most).is_ok_and(|most| search.visited.len() > most) {
                return Err(Refusal::new(
                    &rules::SEARCH_LIMIT,
                    format!("more than {most} documents to search"),
                    "a target that few delegations lead to",
                ));
            }
            let known = self.delegated.get(&role).filter(|(delegator, _)| *delegator == by);
            let held = match known {
                Some((_, held)) => Some(Arc::clone(held)),
                None => self.stored_before(&role, &by)?,
            };
            let Some(held) = held else {
                search.current = Some((role.clone(), by));
                return self.ask_listed(Step::Search(search), &role);
            };
            self.visit(&mut search, &role, &held)?;
            self.delegated.insert(role, (by, held));
        }
        self.step = Step::Updated;
        Ok(())
    }

    /// The stored document of a role, if it is the one that is listed.
    fn stored_before(&mut self, role: &RoleName, by: &RoleName) -> Result<Option<Arc<Envelope>>> {
        let by = self.delegator(by)?;
        match self.ahead.stored(role, &by) {
            Some(found) => Ok(Some(found)),
            None => self.up_to_date(role, &by),
        }
    }

    pub(super) fn take_delegated(
        &mut self,
        want: &Want,
        mut search: Search,
        bytes: &[u8],
        verdict: Option<Verdict>,
    ) -> Result<()> {
        let (role, by) = search.current.take().ok_or_else(|| out_of_turn("no delegation"))?;
        let delegator = self.delegator(&by)?;
        match self.accept(want, &delegator, bytes, verdict) {
            Ok(held) => {
                self.visit(&mut search, &role, &held)?;
                self.delegated.insert(role, (by, held));
            }
            Err(why) if search.path.is_none() => self.skipped.push((role, why)),
            Err(why) => return Err(why),
        }
        self.search(search)
    }

    /// A listed file that is not there.
    pub(super) fn lacks_delegated(&mut self, search: Search, why: Refusal) -> Result<()> {
        if search.path.is_some() {
            return Err(why);
        }
        self.skipped.extend(search.current.as_ref().map(|(role, _)| (role.clone(), why)));
        self.search(Search { current: None, ..search })
    }

    pub(super) fn delegator(&self, by: &RoleName) -> Result<Arc<Envelope>> {
        self.held(by).cloned().ok_or_else(|| out_of_turn("no delegator"))
    }

    /// Looks into one document: for the target itself, else for its delegations, the first next.
    fn visit(&mut self, search: &mut Search, role: &RoleName, held: &Envelope) -> Result<()> {
        let document = held.payload().document().as_targets();
        let targets = document.ok_or_else(|| out_of_turn("no targets document"))?;
        let Some(path) = &search.path else {
            let below = self.listed_below(targets)?;
            search.pending.extend(below.into_iter().rev().map(|child| (child, role.clone())));
            return Ok(());
        };
        if let Some(file) = targets.targets.get(path) {
            self.answer = Some(Answer::Found { role: role.clone(), file: file.clone() });
            return Ok(());
        }
        let mut next = Vec::new();
        for (child, terminating) in targets.delegations.roles_for(path) {
            next.push((child, role.clone()));
            if terminating {
                search.pending.clear();
                break;
            }
        }
        search.pending.extend(next.into_iter().rev());
        Ok(())
    }

    /// The delegations of a document for which somebody has published, bins too.
    fn listed_below(&self, targets: &Targets) -> Result<Vec<RoleName>> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| out_of_turn("no snapshot"))?;
        let listed = &snapshot_of(snapshot)?.meta;
        let roles = targets.delegations.roles.iter().map(|role| &role.name);
        let mut below: Vec<_> = roles.filter(|role| listed.contains_key(*role)).cloned().collect();
        if let Some(bins) = &targets.delegations.succinct {
            below.extend(listed.keys().filter(|role| bins.is_bin(role)).cloned());
        }
        Ok(below)
    }
}
