//! How a Notary client comes to a newer root.
//!
//! Directly, if the root that it trusts has signed the newest; else version by version from the
//! root on its disk. Each step is signed by the root before and by itself, with certificates that
//! are valid now; only the last must not have expired.

use super::notary::{Step, Update, listed_name};
use super::roots::{self, Rotation};
use super::{Judge, Want, as_listed_by_digest, read, rollback};
use crate::tuf::chain;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::wire::Envelope;
use std::sync::Arc;

impl<J: Judge> Update<J> {
    pub(super) fn integrity(&self, root: &Envelope, pinned: bool) -> Result<()> {
        roots::integrity(&*self.judge.evidence(root), root.payload(), &self.settings, pinned)
    }

    /// Root as the one before vouches for it, and for itself.
    fn rotates(&self, before: Option<&Envelope>, root: &Envelope) -> Result<(), Rotation> {
        let evidence = self.judge.evidence(root);
        if let Some(before) = before {
            roots::by_the_one_before(&*evidence, before.payload(), root.payload(), &self.settings)
                .map_err(Rotation::NotBefore)?;
        }
        roots::integrity(&*evidence, root.payload(), &self.settings, before.is_none())
            .map_err(Rotation::Refused)
    }

    pub(super) fn take_first(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        let root = read(Profile::Notary, &RoleName::Root, bytes, want.limit)?;
        let stored = self.stored.clone();
        match self.rotates(stored.as_deref(), &root) {
            Ok(()) => {}
            // The stored root has expired and the newest is too far on: walk there.
            Err(Rotation::NotBefore(refused)) => return self.walk(root, refused),
            Err(Rotation::Refused(refused)) => return Err(refused),
        }
        self.install(root)
    }

    /// The newest root, after something failed: the listed one, or whichever is current.
    pub(super) fn again(&mut self, refused: Refusal) -> Result<()> {
        if self.failed.is_some() {
            return Err(refused);
        }
        self.failed = Some(refused);
        self.timestamp = None;
        self.snapshot = None;
        self.targets.clear();
        self.skipped.clear();
        let root = self.root()?;
        let cap = self.settings.caps.root;
        match self.listed_root.clone() {
            None => self.ask(Step::Newest, &RoleName::Root, "root.json".to_owned(), cap),
            Some(meta) if as_listed_by_digest(&RoleName::Root, &meta, root.bytes()).is_ok() => {
                self.timestamp_step();
            }
            Some(meta) => {
                let name = listed_name(&RoleName::Root, &meta)?;
                self.ask(Step::Newest, &RoleName::Root, name, meta.length.unwrap_or(cap).min(cap));
            }
        }
        Ok(())
    }

    pub(super) fn take_newest(&mut self, want: &Want, bytes: &[u8]) -> Result<()> {
        let newest = read(Profile::Notary, &RoleName::Root, bytes, want.limit)?;
        self.is_listed(&newest)?;
        let before = self.root()?;
        match self.rotates(Some(&before), &newest) {
            Ok(()) => self.install(newest),
            Err(Rotation::NotBefore(refused)) => self.walk(newest, refused),
            Err(Rotation::Refused(refused)) => Err(refused),
        }
    }

    fn is_listed(&self, root: &Envelope) -> Result<()> {
        self.listed_root
            .as_ref()
            .map_or(Ok(()), |meta| as_listed_by_digest(&RoleName::Root, meta, root.bytes()))
    }

    /// Begins to walk from the stored root to the newest, which it did not sign.
    fn walk(&mut self, newest: Arc<Envelope>, refused: Refusal) -> Result<()> {
        let stored = self.stored.clone().ok_or(refused.clone())?;
        let (from, to) = (stored.payload().version(), newest.payload().version());
        let steps = to.saturating_sub(from);
        if steps < 2 {
            return Err(refused);
        }
        if steps > u64::from(self.settings.caps.rotations) {
            let found = format!("{steps} roots behind");
            let most = format!("at most {} new roots in one update", self.settings.caps.rotations);
            return Err(Refusal::new(&rules::SEARCH_LIMIT, found, most));
        }
        self.root = Some(stored);
        self.ask_step(from.saturating_add(1), newest);
        Ok(())
    }

    fn ask_step(&mut self, version: u64, newest: Arc<Envelope>) {
        let name = format!("{version}.root.json");
        self.ask(Step::Walk(version, newest), &RoleName::Root, name, self.settings.caps.root);
    }

    pub(super) fn take_step(
        &mut self,
        want: &Want,
        bytes: &[u8],
        version: u64,
        newest: Arc<Envelope>,
    ) -> Result<()> {
        let root = read(Profile::Notary, &RoleName::Root, bytes, want.limit)?;
        if root.payload().version() != version {
            let found = format!("root version {} in the file {}", root.payload().version(), want.name);
            return Err(Refusal::new(&rules::ROOT_VERSION, found, format!("version {version}")));
        }
        self.rotates(Some(&*self.root()?), &root).map_err(Rotation::into_inner)?;
        self.root = Some(root);
        let next = version.saturating_add(1);
        if next < newest.payload().version() {
            self.ask_step(next, newest);
            return Ok(());
        }
        self.rotates(Some(&*self.root()?), &newest).map_err(Rotation::into_inner)?;
        self.install(newest)
    }

    /// Takes a root that every check but age has passed, and begins at the timestamp.
    fn install(&mut self, root: Arc<Envelope>) -> Result<()> {
        if let Some(stored) = &self.stored {
            let (new, old) = (root.payload(), stored.payload());
            let same = new.version() == old.version() && new.digest() == old.digest();
            if !same && new.version() <= old.version() {
                return Err(rollback(&RoleName::Root, new.version(), old.version()));
            }
        }
        chain::not_expired(root.payload(), self.settings.now)?;
        self.put(&root);
        self.root = Some(root);
        self.timestamp_step();
        Ok(())
    }
}
