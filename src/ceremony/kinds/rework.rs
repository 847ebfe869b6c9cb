//! Delegations that are there, changed: their keys, thresholds and paths, and the documents that
//! have to be signed again for it.
//!
//! Each document of the change is made once, with all that changes in it; it asks the keys that its
//! role has afterwards.

use super::delegations::{Delegation, Delegations, Left};
use super::making::{asks, entry, expires, kept};
use super::rules;
use crate::ceremony::change::{Base, Counts, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::strict::Word;
use crate::tuf::digest::Digest;
use crate::tuf::document::RoleKeys;
use crate::tuf::evidence::{Evidence as _, Trusted, Verified};
use crate::tuf::key::{KeyId, KeyIdentity};
use crate::tuf::make::{self, Amendment, TargetsEdit};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

/// How long the documents that grant are valid from now on; without it, their expiry stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Delegator {
    pub valid_for: Word<Term>,
}

/// That documents which the change leaves without enough signatures are signed again in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reissue {
    pub valid_for: Word<Term>,
    /// Whether they go on empty.
    #[serde(default)]
    pub empty: bool,
    /// Target paths that they no longer name.
    #[serde(default)]
    pub without_paths: Vec<String>,
}

/// How long documents are valid from `held-at`, by why they are signed.
#[derive(Clone, Copy, Default)]
pub struct Terms {
    /// Targets, signed again for its own sake.
    pub targets: Option<Term>,
    /// A delegation's document, signed again for its own sake.
    pub again: Option<Term>,
    /// A document that grants something else than before; none keeps its expiry.
    pub granting: Option<Term>,
}

impl Terms {
    /// Of a change of delegations.
    pub fn of(delegator: Option<&Delegator>, reissue: Option<&Reissue>) -> Self {
        let again = reissue.map(|r| r.valid_for.0);
        Self { targets: None, again, granting: delegator.map(|d| d.valid_for.0) }
    }
}

/// One delegation as the change leaves it.
pub struct After<'a> {
    pub now: Delegation<'a>,
    left: Arc<Left>,
    pub add: Vec<&'a KeyRecord>,
    pub threshold: NonZeroU32,
    pub add_paths: Vec<String>,
}

impl<'a> After<'a> {
    /// As it is.
    pub fn of(now: Delegation<'a>) -> Self {
        Self::without(now, BTreeSet::new())
    }

    /// As it is, but without these ids.
    pub fn without(now: Delegation<'a>, remove: BTreeSet<KeyId>) -> Self {
        let left = Arc::new(Left::without(&now, remove));
        Self::leaving(now, left)
    }

    /// As it is, but with what is left of its list of keys.
    pub fn leaving(now: Delegation<'a>, left: Arc<Left>) -> Self {
        Self { threshold: now.role.keys.threshold, now, left, add: Vec::new(), add_paths: Vec::new() }
    }

    /// The keys of those that it lists today that stay.
    pub fn staying(&self) -> &BTreeSet<KeyIdentity> {
        &self.left.staying
    }

    /// The same for those that lose the same keys of the same list.
    pub fn list(&self) -> usize {
        Arc::as_ptr(&self.left).addr()
    }

    /// Every key that it lists afterwards, of a kind that keyrite knows.
    pub fn keys(&self) -> Cow<'_, BTreeSet<KeyIdentity>> {
        let mut keys = Cow::Borrowed(self.staying());
        if !self.add.is_empty() {
            keys.to_mut().extend(self.add.iter().map(|record| record.public.identity()));
        }
        keys
    }

    /// Whether a document has enough signatures of keys that stay.
    pub fn vouches(&self, document: &Trusted) -> bool {
        // Thousands of documents are asked about, of nearly all of which that was found out before.
        let staying = RoleKeys { keyids: Arc::clone(&self.left.ids), threshold: self.threshold };
        let evidence = Verified::new(document.envelope());
        if evidence.enough_already(self.now.entries, &staying, document.payload()) {
            return true;
        }
        let signed = self.now.signed(document).iter().filter(|key| self.staying().contains(key)).count();
        u32::try_from(signed).is_ok_and(|signed| signed >= self.threshold.get())
    }

    pub fn edit(&self, facts: &Facts) -> Result<TargetsEdit> {
        Ok(TargetsEdit::Amend(Amendment {
            role: self.now.role.name.clone(),
            remove: Arc::clone(&self.left.remove),
            add: self.add.iter().map(|record| entry(facts, record)).collect::<Result<_>>()?,
            threshold: Some(self.threshold),
            add_paths: self.add_paths.clone(),
        }))
    }
}

/// All that one change does to delegations.
pub struct Rework<'a> {
    pub facts: &'a Facts,
    pub delegations: &'a Delegations<'a>,
    /// By role.
    pub changed: BTreeMap<&'a RoleName, After<'a>>,
    /// Delegations that go.
    pub removed: BTreeSet<&'a RoleName>,
    /// Those of them that go since too few of their keys stay, without the keys that go.
    pub ending: Vec<After<'a>>,
    /// Roles whose documents are signed again as they are.
    pub again: BTreeSet<RoleName>,
    /// What becomes of roles where another document lists them once more, by that document.
    pub further: Vec<(&'a RoleName, TargetsEdit)>,
    pub terms: Terms,
    /// What becomes of the content of documents that are signed again; they keep it without.
    pub reissue: Option<&'a Reissue>,
}

impl<'a> Rework<'a> {
    /// A change of nothing yet.
    pub fn new(
        facts: &'a Facts,
        delegations: &'a Delegations<'a>,
        terms: Terms,
        reissue: Option<&'a Reissue>,
    ) -> Self {
        let (changed, removed, again) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self {
            facts,
            delegations,
            changed,
            removed,
            ending: Vec::new(),
            again,
            further: Vec::new(),
            terms,
            reissue,
        }
    }

    /// Delegations whose newest document has too few signatures of keys that stay: what clients no
    /// longer see until it is signed again at a higher version (notary-v1 4.2).
    pub fn stranded(&self) -> Vec<(&After<'a>, &'a Trusted)> {
        let documents = &self.facts.documents;
        let each = self.changed.values().filter_map(|after| {
            let document = documents.get(&after.now.role.name)?;
            (!after.vouches(document)).then_some((after, document))
        });
        each.collect()
    }

    /// The keys of the record that a role has afterwards.
    pub fn signers(&self, role: &RoleName) -> Vec<&'a KeyRecord> {
        match self.changed.get(role) {
            Some(after) => self.delegations.living(after.keys().iter().copied()),
            None => self.delegations.signers(self.facts, role),
        }
    }

    /// What changes in each document, delegators before what they delegate to.
    ///
    /// # Errors
    ///
    /// `TARGET-MISSING`, `DELEGATION-MISSING`; what making a key's entry refuses.
    pub fn edits(&self) -> Result<BTreeMap<RoleName, Vec<TargetsEdit>>> {
        let mut edits: BTreeMap<RoleName, Vec<TargetsEdit>> = BTreeMap::new();
        for after in self.changed.values() {
            edits.entry(after.now.delegator.clone()).or_default().push(after.edit(self.facts)?);
        }
        for role in &self.removed {
            let delegator = self.delegations.get(role)?.delegator.clone();
            edits.entry(delegator).or_default().push(TargetsEdit::Revoke((*role).clone()));
        }
        for (delegator, edit) in &self.further {
            edits.entry((*delegator).clone()).or_default().push(edit.clone());
        }
        for role in &self.again {
            edits.entry(role.clone()).or_default();
        }
        self.all_found()?;
        for (role, edits) in edits.iter_mut().filter(|(role, _)| self.again.contains(role)) {
            edits.extend(self.taken_out(self.facts.last(role)));
        }
        Ok(edits)
    }

    /// The documents of those edits, and what they rest on.
    ///
    /// # Errors
    ///
    /// `EXPIRY-LIMIT`, `EXPIRY-PAST`, `KEY-UNKNOWN` for a role of which the record has no key that
    /// can be asked; what [`make::targets`] refuses.
    pub fn documents(
        &self,
        frame: &Frame,
        edits: BTreeMap<RoleName, Vec<TargetsEdit>>,
    ) -> Result<(Vec<Item>, Base)> {
        let mut items = Vec::new();
        let mut rests = BTreeMap::new();
        for (role, edits) in edits {
            let base = self.facts.last(&role);
            let again = self.again.contains(&role);
            let fresh = again && self.reissue.is_some_and(|r| r.empty);
            let until = self.until(frame, &role, base, again)?;
            let from = base.filter(|_| !fresh).map(Trusted::payload);
            let edits = if fresh { &[][..] } else { &edits[..] };
            let version = self.facts.next_version(&role);
            let payload = make::targets(self.facts.trust.profile, &role, version, until, from, edits)?;
            let signers = self.signers(&role);
            if signers.is_empty() {
                return Err(Refusal::new(
                    &rules::KEY_UNKNOWN,
                    format!("no key of {role} in the record that can be asked"),
                    "the keys that sign the document",
                ));
            }
            if let Some(newest) = self.facts.newest(&role) {
                rests.insert(role, (newest.version(), newest.payload().digest()));
            }
            items.push(Item::Document { payload, asked: asks(self.facts, &signers, &[Counts::New]) });
        }
        Ok((items, self.base(rests)))
    }

    /// The documents of the change, root, targets and every document that grants what is signed.
    fn base(&self, mut rests: BTreeMap<RoleName, (u64, Digest)>) -> Base {
        let grants = rests.keys().filter_map(|role| self.delegations.find(role)).map(|d| d.delegator);
        let wanted: BTreeSet<_> = grants.chain([&RoleName::Root, &RoleName::Targets]).cloned().collect();
        for role in wanted {
            if let Some(newest) = self.facts.newest(&role) {
                rests.insert(role, (newest.version(), newest.payload().digest()));
            }
        }
        Base { documents: rests }
    }

    fn until(&self, frame: &Frame, role: &RoleName, base: Option<&Trusted>, again: bool) -> Result<Time> {
        let limits = &self.facts.limits;
        let most = if *role == RoleName::Targets {
            limits.targets.max_valid_for
        } else {
            limits.delegations.max_valid_for
        };
        let name = visible(role.as_str());
        let term = match role {
            RoleName::Targets if again => self.terms.targets,
            _ if again => self.terms.again,
            _ => self.terms.granting,
        };
        match (term, base) {
            (None, Some(base)) => {
                kept(self.facts, frame.held_at, base.document().header().expires, most, &name)
            }
            (term, _) => expires(self.facts, frame.held_at, term.unwrap_or(most), most, &name),
        }
    }

    fn taken_out(&self, base: Option<&Trusted>) -> Vec<TargetsEdit> {
        let paths = self.reissue.map(|r| r.without_paths.as_slice()).unwrap_or_default();
        let targets = base.and_then(|d| d.document().as_targets());
        let there = |path: &&String| targets.is_some_and(|t| t.targets.contains_key(*path));
        paths.iter().filter(there).map(|path| TargetsEdit::RemoveTarget(path.clone())).collect()
    }

    /// Every path to be taken out is in a document that is signed again.
    fn all_found(&self) -> Result<()> {
        let again = || self.again.iter().filter_map(|role| self.facts.last(role)?.document().as_targets());
        let paths = self.reissue.map(|r| r.without_paths.as_slice()).unwrap_or_default();
        match paths.iter().find(|path| !again().any(|t| t.targets.contains_key(*path))) {
            None => Ok(()),
            Some(path) => Err(Refusal::new(
                &rules::TARGET_MISSING,
                format!("\"{}\"", visible(path)),
                "a path of a document that the change signs again",
            )),
        }
    }
}
