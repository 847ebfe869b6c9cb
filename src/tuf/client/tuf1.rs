//! The client workflow of TUF 1.0.34, section 5.
//!
//! Root by root, then timestamp, snapshot and targets; delegations when a target is looked up, in
//! pre-order. A stored file that snapshot or timestamp still list is not fetched again, so an
//! update with nothing new asks for the next root and the timestamp and no more.
//!
//! A file that is fetched has each key id once among its signatures (TUF 4.2.1). Only here: what others
//! published in the past has two at times, which count once where history is taken in.

use super::ahead::{Ahead, Verdict};
use super::search::Search;
use super::{Answer, Change, Judge, Outcome, Settings, State, Want};
use super::{as_listed, file_missing, fresh, out_of_turn, read, rollback};
use crate::tuf::chain::{self, check_role, check_root};
use crate::tuf::document::{Document, MetaFile, Root, Snapshot};
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::wire::{Envelope, Quirk};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most bytes of a file whose length is listed: as many as a file of an upload has (FORMAT.md).
const LISTED: u64 = 64 * 1024 * 1024;

/// An update in progress.
#[derive(Debug)]
pub struct Update<J> {
    pub(super) settings: Settings,
    judge: J,
    /// As stored, and what this update has replaced.
    pub(super) files: BTreeMap<RoleName, Vec<u8>>,
    root: Arc<Envelope>,
    rotations: u32,
    timestamp: Option<Arc<Envelope>>,
    pub(super) snapshot: Option<Arc<Envelope>>,
    pub(super) targets: Option<Arc<Envelope>>,
    /// Delegations that were accepted, with the delegator that vouches for each.
    pub(super) delegated: BTreeMap<RoleName, (RoleName, Arc<Envelope>)>,
    /// Delegations that a look at everything found to be of no use.
    pub(super) skipped: Vec<(RoleName, Refusal)>,
    pub(super) step: Step,
    pub(super) want: Option<Want>,
    changes: Vec<Change>,
    pub(super) answer: Option<Answer>,
    /// What was found out before its turn.
    pub(super) ahead: Ahead,
}

#[derive(Debug)]
pub(super) enum Step {
    Root,
    /// With the trusted one, if there is one.
    Timestamp(Option<Arc<Envelope>>),
    /// With the trusted one, if there is one.
    Snapshot(Option<Arc<Envelope>>),
    Targets,
    Updated,
    Search(Search),
    Failed,
}

impl<J: Judge> Update<J> {
    /// See [`super::Client::new`].
    ///
    /// # Errors
    ///
    /// `CLIENT-STATE` without a root; else why the stored root is refused.
    pub fn new(settings: Settings, state: State, judge: J) -> Result<Self> {
        let files = state.into_files();
        let first = files.get(&RoleName::Root).ok_or_else(|| {
            Refusal::new(&rules::CLIENT_STATE, "no root", "a root that came with the program (TUF 5.2)")
        })?;
        let root = read(Profile::Tuf, &RoleName::Root, first, settings.caps.root)?;
        check_root(None, root.payload(), &*judge.evidence(&root))?;
        let mut update = Self {
            settings,
            judge,
            files,
            root,
            rotations: 0,
            timestamp: None,
            snapshot: None,
            targets: None,
            delegated: BTreeMap::new(),
            skipped: Vec::new(),
            step: Step::Root,
            want: None,
            changes: Vec::new(),
            answer: None,
            ahead: Ahead::default(),
        };
        update.next_root()?;
        Ok(update)
    }

    /// See [`super::Client::want`].
    pub const fn want(&self) -> Option<&Want> {
        self.want.as_ref()
    }

    /// See [`super::Client::feed`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.take(bytes, None)
    }

    /// Takes the file that was wanted, which may have been judged before.
    pub(super) fn take(&mut self, bytes: &[u8], verdict: Option<Verdict>) -> Result<()> {
        let want = self.want.take().ok_or_else(|| out_of_turn("a file that was not asked for"))?;
        let result = match std::mem::replace(&mut self.step, Step::Failed) {
            Step::Root => self.take_root(&want, bytes),
            Step::Timestamp(trusted) => self.take_timestamp(&want, trusted, bytes),
            Step::Snapshot(trusted) => self.take_snapshot(&want, trusted, bytes),
            Step::Targets => self.take_targets(&want, bytes),
            Step::Search(search) => self.take_delegated(&want, search, bytes, verdict),
            Step::Updated | Step::Failed => Err(out_of_turn("a file that was not asked for")),
        };
        self.settle(result)
    }

    /// See [`super::Client::missing`].
    ///
    /// # Errors
    ///
    /// `FILE-MISSING` for every file but the next root (TUF 5.3.3), and those of a look at everything.
    pub fn missing(&mut self) -> Result<()> {
        let want = self.want.take().ok_or_else(|| out_of_turn("a file that was not asked for"))?;
        let result = match std::mem::replace(&mut self.step, Step::Failed) {
            Step::Root => self.roots_done(),
            Step::Search(search) => self.lacks_delegated(search, file_missing(&want.role, &want.name)),
            _ => Err(file_missing(&want.role, &want.name)),
        };
        self.settle(result)
    }

    /// See [`super::Client::answer`].
    pub const fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// See [`super::Client::outcome`].
    pub fn outcome(&self) -> Outcome {
        let top = [Some(&self.root), self.timestamp.as_ref(), self.snapshot.as_ref(), self.targets.as_ref()];
        let all = top.into_iter().flatten().chain(self.delegated.values().map(|(_, held)| held));
        let versions = all.map(|held| (held.payload().role().clone(), held.payload().version())).collect();
        Outcome { versions, skipped: self.skipped.clone() }
    }

    /// See [`super::Client::state`].
    pub fn state(&self) -> State {
        State::from_files(self.files.clone())
    }

    /// See [`super::Client::changes`].
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn held(&self, role: &RoleName) -> Option<&Arc<Envelope>> {
        match role {
            RoleName::Root => Some(&self.root),
            RoleName::Timestamp => self.timestamp.as_ref(),
            RoleName::Snapshot => self.snapshot.as_ref(),
            RoleName::Targets => self.targets.as_ref(),
            RoleName::Delegated(_) => self.delegated.get(role).map(|(_, held)| held),
        }
    }

    pub(super) fn settle(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.step = Step::Failed;
            self.want = None;
        }
        result
    }

    fn ask(&mut self, step: Step, role: &RoleName, version: Option<u64>, limit: u64) {
        self.want = Some(Want { role: role.clone(), name: file_name(role, version), limit });
        self.step = step;
    }

    fn put(&mut self, held: &Arc<Envelope>) {
        let role = held.payload().role();
        let bytes = held.bytes();
        if self.files.get(role).is_none_or(|stored| stored != bytes) {
            self.files.insert(role.clone(), bytes.to_vec());
            self.changes.push(Change::Put(role.clone(), bytes.to_vec()));
        }
    }

    fn root_document(&self) -> Result<&Root> {
        self.root.payload().document().as_root().ok_or_else(|| out_of_turn("no root"))
    }

    // --- 5.3 root

    fn next_root(&mut self) -> Result<()> {
        let Some(version) = self.root.payload().version().checked_add(1) else { return self.roots_done() };
        if self.rotations >= self.settings.caps.rotations {
            // TUF 5.3.3: go on with the newest root that was reached; the next update goes further.
            return self.roots_done();
        }
        self.ask(Step::Root, &RoleName::Root, Some(version), self.settings.caps.root);
        Ok(())
    }

    fn take_root(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        let next = fetched(want, bytes)?;
        check_root(Some(self.root.payload()), next.payload(), &*self.judge.evidence(&next))?;
        if online_keys(&next) != online_keys(&self.root) {
            // Fast-forward recovery (TUF 5.3.11): what rotated keys once said binds nobody. It goes before
            // the root that rotates them is kept, or an update that is cut off in between never knows.
            for role in [RoleName::Timestamp, RoleName::Snapshot] {
                if self.files.remove(&role).is_some() {
                    self.changes.push(Change::Drop(role));
                }
            }
        }
        self.root = next;
        self.rotations = self.rotations.saturating_add(1);
        self.put(&Arc::clone(&self.root));
        self.next_root()
    }

    fn roots_done(&mut self) -> Result<()> {
        chain::not_expired(self.root.payload(), self.settings.now)?;
        let trusted = self.stored(&RoleName::Timestamp, &Arc::clone(&self.root));
        self.ask(Step::Timestamp(trusted), &RoleName::Timestamp, None, self.settings.caps.timestamp);
        Ok(())
    }

    /// The stored file of a role, if its delegator still vouches for it; its age is no matter here.
    fn stored(&self, role: &RoleName, delegator: &Envelope) -> Option<Arc<Envelope>> {
        let held = read(Profile::Tuf, role, self.files.get(role)?, u64::MAX).ok()?;
        self.vouched(delegator, &held).ok()?;
        Some(held)
    }

    fn vouched(&self, delegator: &Envelope, held: &Envelope) -> Result<()> {
        check_role(delegator.payload(), held.payload(), &*self.judge.evidence(held))
    }

    // --- 5.4 timestamp

    fn take_timestamp(&mut self, want: &Want, trusted: Option<Arc<Envelope>>, bytes: &[u8]) -> Result<()> {
        let mut new = fetched(want, bytes)?;
        self.vouched(&self.root, &new)?;
        if let Some(trusted) = trusted {
            let (version, seen) = (new.payload().version(), trusted.payload().version());
            let (snapshot, snapshot_seen) = (listed_snapshot(&new)?, listed_snapshot(&trusted)?);
            if version < seen {
                return Err(rollback(&want.role, version, seen));
            }
            if version == seen {
                new = trusted;
            } else if snapshot.version < snapshot_seen.version {
                let seen = snapshot_seen.version.unwrap_or_default();
                return Err(rollback(&RoleName::Snapshot, snapshot.version.unwrap_or_default(), seen));
            }
        }
        fresh(&new, self.settings.now)?;
        self.put(&new);
        self.timestamp = Some(new);
        self.snapshot_step()
    }

    // --- 5.5 snapshot

    fn listed(&self) -> Result<MetaFile> {
        listed_snapshot(self.timestamp.as_ref().ok_or_else(|| out_of_turn("no timestamp"))?).cloned()
    }

    fn snapshot_step(&mut self) -> Result<()> {
        let meta = self.listed()?;
        let trusted = self.stored(&RoleName::Snapshot, &Arc::clone(&self.root));
        if let Some(held) = &trusted
            && Some(held.payload().version()) == meta.version
            && as_listed(&RoleName::Snapshot, &meta, held.bytes()).is_ok()
            && fresh(held, self.settings.now).is_ok()
        {
            self.snapshot = trusted;
            return self.targets_step();
        }
        let version = if self.root_document()?.consistent_snapshot { meta.version } else { None };
        let limit = limit(&RoleName::Snapshot, &meta, self.settings.caps.snapshot)?;
        self.ask(Step::Snapshot(trusted), &RoleName::Snapshot, version, limit);
        Ok(())
    }

    fn take_snapshot(&mut self, want: &Want, trusted: Option<Arc<Envelope>>, bytes: &[u8]) -> Result<()> {
        let meta = self.listed()?;
        let new = listed_file(want, &meta, bytes)?;
        self.vouched(&self.root, &new)?;
        same_version(&new, &meta)?;
        if let Some(trusted) = trusted {
            let (new, trusted) = (snapshot_of(&new)?, snapshot_of(&trusted)?);
            for (role, seen) in &trusted.meta {
                let seen = seen.version.unwrap_or_default();
                let version = new.meta.get(role).and_then(|m| m.version).unwrap_or_default();
                if version < seen {
                    return Err(rollback(role, version, seen).at("snapshot"));
                }
            }
        }
        fresh(&new, self.settings.now)?;
        self.put(&new);
        self.snapshot = Some(new);
        self.targets_step()
    }

    // --- 5.6 targets

    pub(super) fn meta(&self, role: &RoleName) -> Result<MetaFile> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| out_of_turn("no snapshot"))?;
        snapshot_of(snapshot)?.meta.get(role).cloned().ok_or_else(|| {
            Refusal::new(
                &rules::META_MISMATCH,
                format!("snapshot version {} without {role}", snapshot.payload().version()),
                "a snapshot that lists every role that is delegated to",
            )
        })
    }

    /// The stored document of a role, if it is the very one that the snapshot lists.
    pub(super) fn up_to_date(&self, role: &RoleName, by: &Envelope) -> Result<Option<Arc<Envelope>>> {
        let meta = self.meta(role)?;
        let stored = self.stored(role, by).filter(|held| {
            Some(held.payload().version()) == meta.version
                && as_listed(role, &meta, held.bytes()).is_ok()
                && fresh(held, self.settings.now).is_ok()
        });
        Ok(stored)
    }

    pub(super) fn ask_listed(&mut self, step: Step, role: &RoleName) -> Result<()> {
        self.want = Some(self.listed_want(role)?);
        self.step = step;
        Ok(())
    }

    /// The file of a role that the snapshot lists.
    pub(super) fn listed_want(&self, role: &RoleName) -> Result<Want> {
        let meta = self.meta(role)?;
        let version = if self.root_document()?.consistent_snapshot { meta.version } else { None };
        let limit = limit(role, &meta, self.settings.caps.targets)?;
        Ok(Want { role: role.clone(), name: file_name(role, version), limit })
    }

    /// A file that the snapshot lists, under its delegator.
    pub(super) fn judged(&self, want: &Want, by: &Envelope, bytes: &[u8]) -> Result<Arc<Envelope>> {
        let meta = self.meta(&want.role)?;
        let new = listed_file(want, &meta, bytes)?;
        self.vouched(by, &new)?;
        same_version(&new, &meta)?;
        fresh(&new, self.settings.now)?;
        Ok(new)
    }

    /// The same, which is kept if it is good; a verdict that was reached before is one under `by`.
    pub(super) fn accept(
        &mut self,
        want: &Want,
        by: &Arc<Envelope>,
        bytes: &[u8],
        verdict: Option<Verdict>,
    ) -> Result<Arc<Envelope>> {
        let before = verdict.filter(|verdict| verdict.is_under(by)).map(|verdict| verdict.found);
        let new = before.unwrap_or_else(|| self.judged(want, by, bytes))?;
        self.put(&new);
        Ok(new)
    }

    fn targets_step(&mut self) -> Result<()> {
        let root = Arc::clone(&self.root);
        let Some(held) = self.up_to_date(&RoleName::Targets, &root)? else {
            return self.ask_listed(Step::Targets, &RoleName::Targets);
        };
        self.targets = Some(held);
        self.step = Step::Updated;
        Ok(())
    }

    fn take_targets(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        let root = Arc::clone(&self.root);
        self.targets = Some(self.accept(want, &root, bytes, None)?);
        self.step = Step::Updated;
        Ok(())
    }
}

/// The name of a role's file, of that version where names have one (TUF 6.2).
pub(super) fn file_name(role: &RoleName, version: Option<u64>) -> String {
    let prefix = version.map(|v| format!("{v}.")).unwrap_or_default();
    format!("{prefix}{}.json", quoted(role))
}

/// The name as clients put it into addresses: bytes outside RFC 3986's unreserved as `%XX`.
fn quoted(role: &RoleName) -> String {
    let mut out = String::new();
    for byte in role.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.extend([format!("%{other:02X}")]),
        }
    }
    out
}

fn online_keys(root: &Envelope) -> BTreeSet<(RoleName, KeyId)> {
    let Document::Root(root) = root.payload().document() else { return BTreeSet::new() };
    let online = root.roles.iter().filter(|(role, _)| role.is_online());
    online.flat_map(|(role, keys)| keys.keyids.iter().map(|id| (role.clone(), id.clone()))).collect()
}

/// How many bytes of a listed file are taken: as many as are listed, which a thief of one online key
/// says, but never more than [`LISTED`].
fn limit(role: &RoleName, meta: &MetaFile, unlisted: u64) -> Result<u64> {
    let length = meta.length.unwrap_or(unlisted);
    if length <= LISTED {
        return Ok(length);
    }
    let found = format!("{role}: listed with {length} bytes");
    Err(Refusal::new(&rules::SIZE_CAP, found, format!("at most {LISTED} bytes")))
}

fn listed_snapshot(timestamp: &Envelope) -> Result<&MetaFile> {
    match timestamp.payload().document() {
        Document::Timestamp(document) => Ok(&document.snapshot),
        _ => Err(out_of_turn("no timestamp")),
    }
}

pub(super) fn snapshot_of(held: &Envelope) -> Result<&Snapshot> {
    match held.payload().document() {
        Document::Snapshot(document) => Ok(document),
        _ => Err(out_of_turn("no snapshot")),
    }
}

fn same_version(held: &Envelope, meta: &MetaFile) -> Result<()> {
    let (role, version) = (held.payload().role(), held.payload().version());
    if meta.version.is_none_or(|listed| listed == version) {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::META_MISMATCH,
        format!("{role} version {version}"),
        format!("version {}, which is listed", meta.version.unwrap_or_default()),
    ))
}

fn listed_file(want: &Want, meta: &MetaFile, bytes: &[u8]) -> Result<Arc<Envelope>> {
    super::within(&want.role, bytes, want.limit)?;
    as_listed(&want.role, meta, bytes)?;
    fetched(want, bytes)
}

fn fetched(want: &Want, bytes: &[u8]) -> Result<Arc<Envelope>> {
    let held = read(Profile::Tuf, &want.role, bytes, want.limit)?;
    if held.quirks().contains(&Quirk::SignatureTwice) {
        let found = format!("{} with two signatures under one key id", want.role);
        return Err(Refusal::new(&rules::DOCUMENT_FORM, found, "each key id once (TUF 4.2.1)"));
    }
    Ok(held)
}
