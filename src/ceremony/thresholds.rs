//! Who has to sign what a change holds: its own documents count before the trusted ones.

use super::change::{Change, Counts};
use super::conflict::decider;
use super::facts::Facts;
use super::rules;
use crate::tuf::chain::{RootTally, root_tally, signers_of};
use crate::tuf::document::{Keys, RoleKeys};
use crate::tuf::evidence::{Assumed, Trusted};
use crate::tuf::key::KeyIdentity;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::threshold::{Tally, tally};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The key entries of the document that lists a role, and the role in it.
pub(super) type Signers<'a> = (&'a Keys, &'a RoleKeys);

/// Who signs for what, seen from a change: its own documents before the trusted ones.
pub(super) struct Roles<'a> {
    change: &'a Change,
    facts: &'a Facts,
    /// By version; the change's own before the trusted ones.
    roots: BTreeMap<u64, &'a MetadataPayload>,
    delegators: Delegators<'a>,
    /// The top-level targets document, the change's own before the trusted one.
    targets: Option<&'a MetadataPayload>,
}

impl<'a> Roles<'a> {
    pub(super) fn new(change: &'a Change, facts: &'a Facts) -> Self {
        let proposed: Vec<_> = change.documents().collect();
        let replaced: BTreeSet<_> = proposed.iter().map(|d| d.role()).collect();
        let kept = facts.documents.values().filter(|d| d.delegates()).map(Trusted::payload);
        let kept = kept.filter(|d| !replaced.contains(d.role()));
        let own = proposed.iter().copied().find(|d| *d.role() == RoleName::Targets);
        let targets = own.or_else(|| facts.documents.get(&RoleName::Targets).map(Trusted::payload));
        let delegators = Delegators::of(proposed.iter().copied().chain(kept));
        let own = proposed.iter().copied().filter(|d| *d.role() == RoleName::Root);
        let roots = facts.roots.iter().map(Trusted::payload).chain(own);
        let roots = roots.map(|root| (root.version(), root)).collect();
        Self { change, facts, roots, delegators, targets }
    }

    pub(super) const fn change(&self) -> &'a Change {
        self.change
    }

    pub(super) const fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The root that is the newest once the change is sealed.
    pub(super) fn newest_root(&self) -> Option<&'a MetadataPayload> {
        self.roots.last_key_value().map(|(_, root)| *root)
    }

    /// Who signs for a role other than root, by the delegator as the change leaves it.
    fn delegated(&self, role: &RoleName) -> Result<Signers<'a>> {
        self.delegators.signers(self.newest_root(), role)
    }
}

/// Who signs for a role by the trusted documents alone.
pub(super) fn trusted<'a>(facts: &'a Facts, role: &RoleName) -> Option<Signers<'a>> {
    let root = facts.roots.last().map(Trusted::payload);
    if *role == RoleName::Root {
        return root_signers(root?);
    }
    let delegating = facts.documents.values().filter(|d| d.delegates());
    Delegators::of(delegating.map(Trusted::payload)).signers(root, role).ok()
}

/// Who signs for root, as that root says.
pub(super) fn root_signers(root: &MetadataPayload) -> Option<Signers<'_>> {
    let root = root.document().as_root()?;
    root.roles.get(&RoleName::Root).map(|keys| (&root.keys, keys))
}

/// The targets documents, by the roles that they list: a change can hold thousands.
struct Delegators<'a> {
    documents: Vec<&'a MetadataPayload>,
    /// Made when it is first asked: for the top-level roles nobody does.
    by_name: OnceCell<HashMap<&'a RoleName, Signers<'a>>>,
    /// Those that delegate to hash bins, which have no names to look up.
    bins: Vec<&'a MetadataPayload>,
}

impl<'a> Delegators<'a> {
    /// In profile `notary` a delegation is directly below its delegator (notary-v1 3.3); in `tuf`
    /// any targets document may list it, and the top level counts first.
    fn of(documents: impl Iterator<Item = &'a MetadataPayload>) -> Self {
        let mut documents: Vec<_> = documents.collect();
        documents.sort_by_key(|d| d.role());
        let in_bins = |d: &&MetadataPayload| {
            d.document().as_targets().is_some_and(|targets| targets.delegations.succinct.is_some())
        };
        let bins = documents.iter().copied().filter(in_bins).collect();
        Self { documents, by_name: OnceCell::new(), bins }
    }

    fn by_name(&self) -> HashMap<&'a RoleName, Signers<'a>> {
        let mut found = HashMap::new();
        for document in &self.documents {
            let Some(targets) = document.document().as_targets() else { continue };
            for role in &targets.delegations.roles {
                let parent = || role.name.as_str().rsplit_once('/').map(|(parent, _)| parent);
                if document.profile() == Profile::Tuf || parent() == Some(document.role().as_str()) {
                    found.entry(&role.name).or_insert((&targets.delegations.keys, &role.keys));
                }
            }
        }
        found
    }

    fn signers(&self, root: Option<&'a MetadataPayload>, role: &RoleName) -> Result<Signers<'a>> {
        let top = root.and_then(|root| signers_of(root.document(), role).ok());
        let named = || self.by_name.get_or_init(|| self.by_name()).get(role).copied();
        let bin = || self.bins.iter().find_map(|d| signers_of(d.document(), role).ok());
        top.or_else(named).or_else(bin).ok_or_else(|| {
            Refusal::new(
                &rules::CHANGE_ROLE,
                format!("no document that lists the role {role}"),
                "a delegator in the change or in the record",
            )
        })
    }
}

/// The thresholds of a document, with who of `signed` counts for each; the old root's before the
/// new one's.
///
/// # Errors
///
/// `CHANGE-ROLE`.
pub(super) fn of_document(
    roles: &Roles<'_>,
    payload: &MetadataPayload,
    signed: &BTreeSet<KeyIdentity>,
) -> Result<Vec<(Counts, Tally)>> {
    let evidence = Assumed(signed.clone());
    if *payload.role() != RoleName::Root {
        let (keys, role) = roles.delegated(payload.role())?;
        return Ok(vec![(Counts::New, tally(keys, role, payload, &evidence))]);
    }
    // Old keys first: if both fall short, the custodians to call are the old ones (TUF 5.3.4).
    let before = payload.version().checked_sub(1).and_then(|version| roles.roots.get(&version)).copied();
    let RootTally { old, new } = root_tally(before, payload, &evidence)?;
    Ok(old.map(|old| (Counts::Old, old)).into_iter().chain([(Counts::New, new)]).collect())
}

/// The threshold of a statement: of the newest root for what acts on the trust (for what became of
/// a delegation's key also of targets, if its keys are asked), of those asked for what they say of
/// themselves.
///
/// # Errors
///
/// `CHANGE-ROLE`.
pub(super) fn of_statement(
    roles: &Roles<'_>,
    statement: &Statement,
    asked: &BTreeSet<KeyIdentity>,
    signed: &BTreeSet<KeyIdentity>,
) -> Result<Vec<(Counts, Tally)>> {
    let own = |need| Tally { need, signed: signed.clone(), listed: asked.clone() };
    Ok(match statement.sentence() {
        // The key speaks for itself: everyone who is asked has to answer.
        Sentence::Possession { .. } | Sentence::RollCall { .. } | Sentence::TranscriptHead { .. } => {
            vec![(Counts::New, own(u32::try_from(asked.len()).unwrap_or(u32::MAX)))]
        }
        Sentence::Refusal { .. } => vec![(Counts::New, own(1))],
        Sentence::Withdrawal { change, .. } => {
            let proposal = roles.facts.proposals.get(change);
            let tallies = proposal.map(|proposal| proposal.tallies(roles.facts, signed)).unwrap_or_default();
            if tallies.is_empty() {
                return Err(Refusal::new(
                    &rules::CHANGE_ROLE,
                    format!("a withdrawal of the change {change}, which this record can't judge"),
                    "that change in the record, with the root that it starts from",
                ));
            }
            tallies
        }
        Sentence::Limits { .. } | Sentence::KeyLife { .. } | Sentence::Decision { .. } => {
            if let Some(tally) = by_delegator(roles, statement, signed) {
                return Ok(vec![(Counts::New, tally)]);
            }
            let found = roles.newest_root().and_then(|root| root_signers(root).map(|s| (root, s)));
            let (root, (keys, role)) = found.ok_or_else(|| {
                Refusal::new(
                    &rules::CHANGE_ROLE,
                    format!("a {} statement without a root", statement.kind()),
                    "a root in the change or in the record, whose threshold signs it",
                )
            })?;
            if let Some((targets, (keys, role))) = by_targets(roles, statement, asked) {
                return Ok(vec![(Counts::New, tally(keys, role, targets, &Assumed(signed.clone())))]);
            }
            vec![(Counts::New, tally(keys, role, root, &Assumed(signed.clone())))]
        }
    })
}

/// What a decision about a delegation's document needs: the threshold of its delegator.
fn by_delegator(roles: &Roles<'_>, statement: &Statement, signed: &BTreeSet<KeyIdentity>) -> Option<Tally> {
    let Sentence::Decision { what, .. } = statement.sentence() else { return None };
    let role = decider(roles.facts, what);
    let document = roles.facts.newest(&role).filter(|_| role != RoleName::Root)?;
    let (keys, listed) = trusted(roles.facts, &role)?;
    Some(tally(keys, listed, document.payload(), &Assumed(signed.clone())))
}

/// A statement on a delegation's key that targets keys are asked to sign, and no root key: who signs
/// for targets then, with a targets document, which only tells the count what it counts for.
fn by_targets<'a>(
    roles: &Roles<'a>,
    statement: &Statement,
    asked: &BTreeSet<KeyIdentity>,
) -> Option<(&'a MetadataPayload, Signers<'a>)> {
    let Sentence::KeyLife { key, .. } = statement.sentence() else { return None };
    if !roles.facts.delegation_key(key) {
        return None;
    }
    let signers = roles.delegated(&RoleName::Targets).ok()?;
    let targets = roles.targets?;
    let listed = tally(signers.0, signers.1, targets, &Assumed(BTreeSet::new())).listed;
    (!asked.is_empty() && asked.is_subset(&listed)).then_some((targets, signers))
}
