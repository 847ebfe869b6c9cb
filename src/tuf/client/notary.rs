//! The workflow of the stock Notary client (notary-v1 6).
//!
//! It begins at the timestamp and trusts its root until something fails: then it fetches the newest
//! root, directly if the root it trusts has signed that one, else walking there version by
//! version, and tries once more. Delegations come in pre-order; one that has expired or that too
//! few keys signed is left out with a warning, which is how revoked content vanishes.
//!
//! Where the stock client counts key ids, this one counts public keys; and it never goes back to
//! an older version of a root, nor to another document of the same version. Else it follows it, so
//! that a plan which leads this client to the new state leads customers there.

use super::tree::Delegation;
use super::{Answer, Change, Judge, Outcome, Settings, State, Want};
use super::{as_listed_by_digest, file_missing, fresh, out_of_turn, read, rollback};
use crate::tuf::chain::{self, check_role};
use crate::tuf::document::{Document, MetaFile, Snapshot};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::wire::Envelope;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// An update in progress.
#[derive(Debug)]
pub struct Update<J> {
    pub(super) settings: Settings,
    pub(super) judge: J,
    /// What earlier updates left.
    before: BTreeMap<RoleName, Vec<u8>>,
    /// The documents in it that its own root leads to: what versions never fall below.
    known: BTreeMap<RoleName, Option<Arc<Envelope>>>,
    /// What this update has put in place.
    files: BTreeMap<RoleName, Vec<u8>>,
    /// The root in it, where a walk begins.
    pub(super) stored: Option<Arc<Envelope>>,
    pub(super) root: Option<Arc<Envelope>>,
    /// What the last snapshot that verified says of root.
    pub(super) listed_root: Option<MetaFile>,
    pub(super) timestamp: Option<Arc<Envelope>>,
    pub(super) snapshot: Option<Arc<Envelope>>,
    /// With the prefixes that each may name, cut down to its delegators'.
    pub(super) targets: BTreeMap<RoleName, (Vec<String>, Arc<Envelope>)>,
    pub(super) skipped: Vec<(RoleName, Refusal)>,
    /// Why the first try failed, once the second is on.
    pub(super) failed: Option<Refusal>,
    pub(super) step: Step,
    want: Option<Want>,
    changes: Vec<Change>,
    pub(super) answer: Option<Answer>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// A root to begin with: on first contact, or because the stored one has expired.
    First,
    Timestamp,
    Snapshot,
    Targets(VecDeque<Delegation>),
    /// The newest root.
    Newest,
    /// Root by root: the one waited for, and the newest, which comes last.
    Walk(u64, Arc<Envelope>),
    Updated,
    Failed,
}

impl<J: Judge> Update<J> {
    /// See [`super::Client::new`].
    ///
    /// # Errors
    ///
    /// `CERTIFICATE-EXPIRED` and the like if the stored root is refused: it is what trust rests on.
    pub fn new(settings: Settings, state: State, judge: J) -> Result<Self> {
        let mut update = Self {
            settings,
            judge,
            before: state.into_files(),
            known: BTreeMap::new(),
            files: BTreeMap::new(),
            stored: None,
            root: None,
            listed_root: None,
            timestamp: None,
            snapshot: None,
            targets: BTreeMap::new(),
            skipped: Vec::new(),
            failed: None,
            step: Step::First,
            want: None,
            changes: Vec::new(),
            answer: None,
        };
        if let Some(bytes) = update.before.get(&RoleName::Root) {
            let stored = read(Profile::Notary, &RoleName::Root, bytes, update.settings.caps.root)?;
            update.integrity(&stored, false)?;
            let usable = chain::not_expired(stored.payload(), update.settings.now).is_ok();
            update.known.insert(RoleName::Root, Some(Arc::clone(&stored)));
            update.stored = Some(Arc::clone(&stored));
            if usable {
                update.root = Some(stored);
                update.timestamp_step();
                return Ok(update);
            }
        }
        update.ask(Step::First, &RoleName::Root, "root.json".to_owned(), update.settings.caps.root);
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
        let want = self.want.take().ok_or_else(|| out_of_turn("a file that was not asked for"))?;
        let result = match std::mem::replace(&mut self.step, Step::Failed) {
            Step::First => self.take_first(&want, bytes),
            Step::Timestamp => self.take_timestamp(&want, bytes).or_else(|e| self.again(e)),
            Step::Snapshot => self.take_snapshot(&want, bytes).or_else(|e| self.again(e)),
            Step::Targets(queue) => self.take_targets(&want, bytes, queue).or_else(|e| self.again(e)),
            Step::Newest => self.take_newest(&want, bytes),
            Step::Walk(version, newest) => self.take_step(&want, bytes, version, newest),
            Step::Updated | Step::Failed => Err(out_of_turn("a file that was not asked for")),
        };
        self.settle(result)
    }

    /// See [`super::Client::missing`].
    ///
    /// # Errors
    ///
    /// `FILE-MISSING`; without a timestamp the stored one serves while it is valid.
    pub fn missing(&mut self) -> Result<()> {
        let want = self.want.take().ok_or_else(|| out_of_turn("a file that was not asked for"))?;
        let refused = file_missing(&want.role, &want.name);
        let result = match std::mem::replace(&mut self.step, Step::Failed) {
            Step::Timestamp => match self.stored_file(&RoleName::Timestamp, None) {
                Some(held) => {
                    self.timestamp = Some(held);
                    self.snapshot_step().or_else(|e| self.again(e))
                }
                None => self.again(refused),
            },
            Step::Snapshot | Step::Targets(_) => self.again(refused),
            // What failed first says more than that there is no other root.
            Step::Newest => Err(self.failed.take().unwrap_or(refused)),
            _ => Err(refused),
        };
        self.settle(result)
    }

    /// See [`super::Client::answer`].
    pub const fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// See [`super::Client::outcome`].
    pub fn outcome(&self) -> Outcome {
        let top = [self.root.as_ref(), self.timestamp.as_ref(), self.snapshot.as_ref()];
        let all = top.into_iter().flatten().chain(self.targets.values().map(|(_, held)| held));
        let versions = all.map(|held| (held.payload().role().clone(), held.payload().version())).collect();
        Outcome { versions, skipped: self.skipped.clone() }
    }

    /// See [`super::Client::state`].
    pub fn state(&self) -> State {
        let mut files = self.before.clone();
        files.extend(self.files.clone());
        State::from_files(files)
    }

    /// See [`super::Client::changes`].
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn held(&self, role: &RoleName) -> Option<&Arc<Envelope>> {
        match role {
            RoleName::Root => self.root.as_ref(),
            RoleName::Timestamp => self.timestamp.as_ref(),
            RoleName::Snapshot => self.snapshot.as_ref(),
            other => self.targets.get(other).map(|(_, held)| held),
        }
    }

    fn settle(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.step = Step::Failed;
            self.want = None;
        }
        result
    }

    pub(super) fn ask(&mut self, step: Step, role: &RoleName, name: String, limit: u64) {
        self.want = Some(Want { role: role.clone(), name, limit });
        self.step = step;
    }

    pub(super) fn put(&mut self, held: &Envelope) {
        let role = held.payload().role();
        if self.file(role).is_none_or(|stored| stored != held.bytes()) {
            self.files.insert(role.clone(), held.bytes().to_vec());
            self.changes.push(Change::Put(role.clone(), held.bytes().to_vec()));
        }
    }

    pub(super) fn root(&self) -> Result<Arc<Envelope>> {
        self.root.clone().ok_or_else(|| out_of_turn("no root"))
    }

    pub(super) fn vouched(&self, by: &Envelope, held: &Envelope) -> Result<()> {
        check_role(by.payload(), held.payload(), &*self.judge.evidence(held))
    }

    /// The document of a role that the state held before this update, if its root leads there.
    fn known(&mut self, role: &RoleName) -> Option<Arc<Envelope>> {
        if let Some(known) = self.known.get(role) {
            return known.clone();
        }
        let by = match role.as_str().rsplit_once('/') {
            Some((above, _)) => RoleName::from_name(above),
            // Nothing leads to a root that is not there.
            None if *role == RoleName::Root => return None,
            None => RoleName::Root,
        };
        let known = self.known(&by).and_then(|by| {
            let held = read(Profile::Notary, role, self.before.get(role)?, u64::MAX).ok()?;
            self.vouched(&by, &held).ok()?;
            Some(held)
        });
        self.known.insert(role.clone(), known.clone());
        known
    }

    pub(super) fn file(&self, role: &RoleName) -> Option<&Vec<u8>> {
        self.files.get(role).or_else(|| self.before.get(role))
    }

    /// The stored file of a role below root that would be accepted if it were fetched now.
    fn stored_file(&self, role: &RoleName, meta: Option<&MetaFile>) -> Option<Arc<Envelope>> {
        let bytes = self.file(role)?;
        meta.map_or(Ok(()), |meta| as_listed_by_digest(role, meta, bytes)).ok()?;
        let held = read(Profile::Notary, role, bytes, u64::MAX).ok()?;
        self.vouched(&*self.root().ok()?, &held).ok()?;
        fresh(&held, self.settings.now).ok()?;
        Some(held)
    }

    /// No version before one that was seen; no fast-forward recovery, as in the stock client.
    pub(super) fn not_older(&mut self, held: &Envelope) -> Result<()> {
        let (role, version) = (held.payload().role(), held.payload().version());
        let least = self.known(role).map_or(1, |known| known.payload().version());
        if version < least { Err(rollback(role, version, least)) } else { Ok(()) }
    }

    pub(super) fn timestamp_step(&mut self) {
        let cap = self.settings.caps.timestamp;
        self.ask(Step::Timestamp, &RoleName::Timestamp, "timestamp.json".to_owned(), cap);
    }

    fn take_timestamp(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        let held = read(Profile::Notary, &RoleName::Timestamp, bytes, want.limit)?;
        self.vouched(&*self.root()?, &held)?;
        self.not_older(&held)?;
        fresh(&held, self.settings.now)?;
        self.put(&held);
        self.timestamp = Some(held);
        self.snapshot_step()
    }

    fn listed_snapshot(&self) -> Result<MetaFile> {
        match self.timestamp.as_ref().map(|held| held.payload().document()) {
            Some(Document::Timestamp(document)) => Ok(document.snapshot.clone()),
            _ => Err(out_of_turn("no timestamp")),
        }
    }

    fn snapshot_step(&mut self) -> Result<()> {
        let meta = self.listed_snapshot()?;
        if let Some(held) = self.stored_file(&RoleName::Snapshot, Some(&meta)) {
            return self.enter_snapshot(held);
        }
        let cap = self.settings.caps.snapshot;
        let name = listed_name(&RoleName::Snapshot, &meta)?;
        self.ask(Step::Snapshot, &RoleName::Snapshot, name, meta.length.unwrap_or(cap).min(cap));
        Ok(())
    }

    fn take_snapshot(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        super::within(&want.role, bytes, want.limit)?;
        as_listed_by_digest(&want.role, &self.listed_snapshot()?, bytes)?;
        let held = read(Profile::Notary, &RoleName::Snapshot, bytes, want.limit)?;
        self.vouched(&*self.root()?, &held)?;
        self.not_older(&held)?;
        fresh(&held, self.settings.now)?;
        self.enter_snapshot(held)
    }

    fn enter_snapshot(&mut self, held: Arc<Envelope>) -> Result<()> {
        let listed = snapshot_of(&held)?.meta.get(&RoleName::Root).cloned();
        let listed = listed.ok_or_else(|| unlisted(&held, &RoleName::Root))?;
        self.listed_root = Some(listed.clone());
        as_listed_by_digest(&RoleName::Root, &listed, self.root()?.bytes())?;
        self.put(&held);
        self.snapshot = Some(held);
        self.targets_step(VecDeque::from([Delegation::top()]))
    }
}

/// The name of a listed file: `snapshot.<sha256>.json`.
pub(super) fn listed_name(role: &RoleName, meta: &MetaFile) -> Result<String> {
    let digest = meta.hashes.get("sha256").filter(|d| d.len() == 32).ok_or_else(|| {
        Refusal::new(&rules::SNAPSHOT_HASH, format!("{role} without a sha256"), "a sha256 of 32 bytes")
    })?;
    Ok(format!("{}.{}.json", role.as_str(), base16ct::lower::encode_string(digest)))
}

pub(super) fn snapshot_of(held: &Envelope) -> Result<&Snapshot> {
    match held.payload().document() {
        Document::Snapshot(document) => Ok(document),
        _ => Err(out_of_turn("no snapshot")),
    }
}

pub(super) fn unlisted(snapshot: &Envelope, role: &RoleName) -> Refusal {
    let found = format!("snapshot version {} without {role}", snapshot.payload().version());
    Refusal::new(&rules::META_MISMATCH, found, format!("a snapshot that lists {role}"))
}
