//! A look at everything, in which many files are asked for at once and judged on every core.
//!
//! The walk takes each file in its turn, as ever, and comes to the same; only the work of reading and
//! checking a file is done before. A verdict counts under the very delegator that it was reached under.
//!
//! Never: a file asked for that nothing trusted lists, more held before its turn than [`FILES`] and
//! [`BYTES`].

use super::search::Search;
use super::tuf1::{Step, Update};
use super::{Fetched, Judge, Want, as_listed};
use crate::tuf::bulk;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::wire::Envelope;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most files that are held before their turn.
const FILES: usize = 1_024;
/// The most bytes of them, as they are listed.
const BYTES: u64 = 64 * 1024 * 1024;

/// What was found out before its turn.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Files that were fetched, by name.
    fetched: BTreeMap<String, Early>,
    /// Files that were stored and are as listed.
    stored: BTreeMap<RoleName, Verdict>,
}

/// A file that was fetched before its turn.
#[derive(Debug)]
struct Early {
    want: Want,
    bytes: Option<Vec<u8>>,
    verdict: Option<Verdict>,
}

/// What a file is under one delegator.
#[derive(Debug)]
pub(super) struct Verdict {
    by: Arc<Envelope>,
    pub(super) found: Result<Arc<Envelope>>,
}

impl Verdict {
    /// Whether it was reached under that delegator.
    pub(super) fn is_under(&self, by: &Arc<Envelope>) -> bool {
        Arc::ptr_eq(&self.by, by)
    }
}

impl Ahead {
    /// The stored document of a role, if it was found good under this delegator.
    pub(super) fn stored(&mut self, role: &RoleName, by: &Arc<Envelope>) -> Option<Arc<Envelope>> {
        let verdict = self.stored.remove(role).filter(|verdict| verdict.is_under(by));
        verdict.and_then(|verdict| verdict.found.ok())
    }
}

impl<J: Judge + Sync> Update<J> {
    /// See [`super::Client::look_around`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn look_around(&mut self) -> Result<()> {
        self.skipped.clear();
        let result = self.begin(None).and_then(|search| {
            self.judge_stored(&search);
            self.search(search)
        });
        self.settle(result)
    }

    /// Looks at the stored files of those delegations that are to be visited.
    fn judge_stored(&mut self, search: &Search) {
        let stored: Vec<_> =
            search.pending.iter().filter(|(role, _)| self.files.contains_key(role)).collect();
        let look = |(role, by): &&(RoleName, RoleName)| {
            let by = self.delegator(by).ok()?;
            let found = self.up_to_date(role, &by).ok()??;
            Some((role.clone(), Verdict { by, found: Ok(found) }))
        };
        let found = bulk::each_of(&stored, look);
        self.ahead.stored = found.into_iter().flatten().collect();
    }

    /// See [`super::Client::wants`].
    pub fn wants(&self) -> Vec<Want> {
        let Some(first) = self.want() else { return Vec::new() };
        let mut wants = vec![first.clone()];
        let Step::Search(search @ Search { path: None, .. }) = &self.step else { return wants };
        let held = &self.ahead.fetched;
        let most = usize::try_from(self.settings.caps.documents).unwrap_or(usize::MAX);
        let most = most.saturating_sub(search.visited.len()).min(FILES).saturating_sub(held.len());
        let mut bytes = held.values().fold(first.limit, |all, early| all.saturating_add(early.want.limit));
        let mut seen = BTreeSet::new();
        for (role, _) in search.pending.iter().rev() {
            if wants.len() > most {
                break;
            }
            if search.visited.contains(role) || self.delegated.contains_key(role) || !seen.insert(role) {
                continue;
            }
            let Ok(want) = self.listed_want(role) else { continue };
            if held.contains_key(&want.name) || self.stored_as_listed(role) {
                continue;
            }
            bytes = bytes.saturating_add(want.limit);
            if bytes > BYTES {
                break;
            }
            wants.push(want);
        }
        wants
    }

    /// Whether the stored file of a role may be the one that is listed.
    fn stored_as_listed(&self, role: &RoleName) -> bool {
        let stored = self.files.get(role).zip(self.meta(role).ok());
        stored.is_some_and(|(bytes, meta)| as_listed(role, &meta, bytes).is_ok())
    }

    /// See [`super::Client::feed_all`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed_all(&mut self, answers: Vec<Fetched>) -> Result<()> {
        let verdicts = {
            let delegators = self.delegators(&answers);
            let look = |(want, bytes): &Fetched| {
                let by = Arc::clone(delegators.get(&want.role)?);
                let found = self.judged(want, &by, bytes.as_deref()?);
                Some(Verdict { by, found })
            };
            bulk::each_of(&answers, look)
        };
        for ((want, bytes), verdict) in answers.into_iter().zip(verdicts) {
            self.ahead.fetched.insert(want.name.clone(), Early { want, bytes, verdict });
        }
        while let Some(early) = self.turn() {
            match early.bytes {
                Some(bytes) => self.take(&bytes, early.verdict)?,
                None => self.missing()?,
            }
        }
        Ok(())
    }

    /// The file whose turn it is, if it is here.
    fn turn(&mut self) -> Option<Early> {
        let want = self.want.as_ref()?;
        self.ahead.fetched.remove(&want.name).filter(|early| early.want == *want)
    }

    /// Who delegates to the roles of these files, as far as a look at everything goes to them.
    fn delegators(&self, answers: &[Fetched]) -> BTreeMap<RoleName, Arc<Envelope>> {
        let Step::Search(search @ Search { path: None, .. }) = &self.step else { return BTreeMap::new() };
        let roles: BTreeSet<_> = answers.iter().map(|(want, _)| &want.role).collect();
        let mut found = BTreeMap::new();
        for (role, by) in search.current.iter().chain(search.pending.iter().rev()) {
            if roles.contains(role)
                && !found.contains_key(role)
                && let Ok(by) = self.delegator(by)
            {
                found.insert(role.clone(), by);
            }
        }
        found
    }
}
