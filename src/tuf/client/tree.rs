//! The targets documents of a Notary collection: every one is fetched, in pre-order.
//!
//! A delegation may name what its own prefixes and those of every delegator above it allow
//! (notary-v1 3.3). One that has expired or lacks signatures is left out, with all below it.

use super::notary::{Step, Update, listed_name, snapshot_of, unlisted};
use super::{Answer, Judge, Want, as_listed_by_digest, fresh, out_of_turn, read};
use crate::tuf::document::{MetaFile, PathRule, Targets};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::wire::Envelope;
use std::collections::VecDeque;

/// A document to be fetched.
#[derive(Debug)]
pub(super) struct Delegation {
    role: RoleName,
    by: RoleName,
    prefixes: Vec<String>,
}

impl Delegation {
    /// The top-level targets document, which may name anything.
    pub(super) fn top() -> Self {
        Self { role: RoleName::Targets, by: RoleName::Root, prefixes: vec![String::new()] }
    }
}

impl<J: Judge> Update<J> {
    /// See [`super::Client::look_up`]. Every document is at hand; the search is breadth first, as
    /// the stock client's is.
    ///
    /// # Errors
    ///
    /// `CLIENT-STATE` before the update has ended.
    pub fn look_up(&mut self, path: &str) -> Result<()> {
        if !matches!(self.step, Step::Updated) {
            return Err(out_of_turn("a search before the update has ended"));
        }
        let mut queue = VecDeque::from([RoleName::Targets]);
        while let Some(role) = queue.pop_front() {
            let Some((prefixes, held)) = self.targets.get(&role) else { continue };
            if !prefixes.iter().any(|prefix| path.starts_with(prefix.as_str())) {
                continue;
            }
            let targets = targets_of(held)?;
            if let Some(file) = targets.targets.get(path) {
                self.answer = Some(Answer::Found { role, file: file.clone() });
                return Ok(());
            }
            queue.extend(targets.delegations.roles.iter().map(|child| child.name.clone()));
        }
        self.answer = Some(Answer::NotFound);
        Ok(())
    }

    fn meta(&self, role: &RoleName) -> Result<Option<MetaFile>> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| out_of_turn("no snapshot"))?;
        match snapshot_of(snapshot)?.meta.get(role) {
            None if *role == RoleName::Targets => Err(unlisted(snapshot, role)),
            meta => Ok(meta.cloned()),
        }
    }

    pub(super) fn targets_step(&mut self, mut queue: VecDeque<Delegation>) -> Result<()> {
        while let Some(next) = queue.front() {
            let role = next.role.clone();
            // Granted and nothing published yet.
            let Some(meta) = self.meta(&role)? else {
                queue.pop_front();
                continue;
            };
            let stored = self.file(&role).filter(|bytes| as_listed_by_digest(&role, &meta, bytes).is_ok());
            if let Some(bytes) = stored.cloned() {
                self.enter(&bytes, &mut queue)?;
                continue;
            }
            let cap = self.settings.caps.targets;
            let name = listed_name(&role, &meta)?;
            self.ask(Step::Targets(queue), &role, name, meta.length.unwrap_or(cap).min(cap));
            return Ok(());
        }
        self.step = Step::Updated;
        Ok(())
    }

    pub(super) fn take_targets(
        &mut self,
        want: &Want,
        bytes: &[u8],
        mut queue: VecDeque<Delegation>,
    ) -> Result<()> {
        super::within(&want.role, bytes, want.limit)?;
        if let Some(meta) = self.meta(&want.role)? {
            as_listed_by_digest(&want.role, &meta, bytes)?;
        }
        self.enter(bytes, &mut queue)?;
        self.targets_step(queue)
    }

    /// Takes the document that is first in the queue, and puts its delegations before the rest.
    fn enter(&mut self, bytes: &[u8], queue: &mut VecDeque<Delegation>) -> Result<()> {
        let Some(Delegation { role, by, prefixes }) = queue.pop_front() else { return Ok(()) };
        if usize::try_from(self.settings.caps.documents).is_ok_and(|most| self.targets.len() >= most) {
            let found = format!("more than {} documents", self.settings.caps.documents);
            return Err(Refusal::new(&rules::SEARCH_LIMIT, found, "fewer delegations"));
        }
        let held = read(Profile::Notary, &role, bytes, u64::MAX)?;
        let delegator = self.held(&by).cloned().ok_or_else(|| out_of_turn("no delegator"))?;
        self.not_older(&held)?;
        let accepted = self.vouched(&delegator, &held).and_then(|()| fresh(&held, self.settings.now));
        if let Err(refused) = accepted {
            let vanishes = [&rules::EXPIRED, &rules::ROLE_THRESHOLD].contains(&refused.rule());
            if role != RoleName::Targets && vanishes {
                self.skipped.push((role, refused));
                return Ok(());
            }
            return Err(refused);
        }
        self.put(&held);
        for child in targets_of(&held)?.delegations.roles.iter().rev() {
            let PathRule::Prefixes(own) = &child.paths else { continue };
            let within = |path: &String| prefixes.iter().any(|p| path.starts_with(p.as_str()));
            let prefixes = own.iter().filter(|path| within(path)).cloned().collect();
            queue.push_front(Delegation { role: child.name.clone(), by: role.clone(), prefixes });
        }
        self.targets.insert(role, (prefixes, held));
        Ok(())
    }
}

fn targets_of(held: &Envelope) -> Result<&Targets> {
    held.payload().document().as_targets().ok_or_else(|| out_of_turn("no targets document"))
}
