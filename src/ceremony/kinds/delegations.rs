//! The delegations of a trust, each looked up once: a change can touch thousands of them.

use super::rules;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::tuf::document::{DelegatedRole, Keys, PathRule};
use crate::tuf::evidence::{Evidence, Trusted, Verified};
use crate::tuf::key::{KeyId, KeyIdentity, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Every delegation of the newest documents, and every key of the record by what it is.
pub struct Delegations<'a> {
    /// By name.
    by_role: Vec<Delegation<'a>>,
    /// Where another document lists a role once more.
    further: Vec<Delegation<'a>>,
    /// Keys of hash bins, by the document that delegates to them.
    bins: Vec<(&'a RoleName, BTreeSet<KeyIdentity>)>,
    children: BTreeMap<&'a RoleName, Vec<&'a RoleName>>,
    records: BTreeMap<KeyIdentity, &'a KeyRecord>,
}

/// One delegation, as its delegator lists it.
#[derive(Clone, Copy)]
pub struct Delegation<'a> {
    /// The role of the document that lists it.
    pub delegator: &'a RoleName,
    /// That document's key entries.
    pub entries: &'a Keys,
    /// What it says.
    pub role: &'a DelegatedRole,
}

impl<'a> Delegations<'a> {
    /// Looks all of them up. In profile `notary` a delegation is directly below its delegator
    /// (notary-v1 3.3); in `tuf` any targets document may list it, and the top level counts first.
    pub fn of(facts: &'a Facts) -> Self {
        let (mut all, mut bins) = (Vec::new(), Vec::new());
        for document in facts.documents.values().filter(|document| document.delegates()) {
            let Some(targets) = document.document().as_targets() else { continue };
            let delegator = document.role();
            if let Some(succinct) = &targets.delegations.succinct {
                let ids = succinct.keys.keyids.iter();
                bins.push((
                    delegator,
                    ids.filter_map(|id| identity(&targets.delegations.keys, id)).collect(),
                ));
            }
            for role in &targets.delegations.roles {
                let parent = || role.name.as_str().rsplit_once('/').map(|(parent, _)| parent);
                if facts.trust.profile == Profile::Tuf || parent() == Some(delegator.as_str()) {
                    let entries = &targets.delegations.keys;
                    all.push((&role.name, all.len(), Delegation { delegator, entries, role }));
                }
            }
        }
        let mut by_role: Vec<Delegation<'_>> = Vec::with_capacity(all.len());
        let mut further = Vec::new();
        for (name, found, delegation) in sorted(all) {
            if by_role.last().is_some_and(|last| last.role.name == *name) {
                further.push((found, delegation));
            } else {
                by_role.push(delegation);
            }
        }
        further.sort_unstable_by_key(|(found, _)| *found);
        let further = further.into_iter().map(|(_, delegation)| delegation).collect();
        let mut children: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Delegation { delegator, role, .. } in &by_role {
            children.entry(*delegator).or_default().push(&role.name);
        }
        let records = facts.keys.values().map(|record| (record.public.identity(), record)).collect();
        Self { by_role, further, bins, children, records }
    }

    /// That delegation.
    ///
    /// # Errors
    ///
    /// `DELEGATION-MISSING`.
    pub fn get(&self, role: &RoleName) -> Result<Delegation<'a>> {
        self.find(role).ok_or_else(|| {
            Refusal::new(
                &rules::DELEGATION_MISSING,
                format!("no delegation {role}"),
                "one that a document of the record lists",
            )
        })
    }

    /// That delegation, if there is one.
    pub fn find(&self, role: &RoleName) -> Option<Delegation<'a>> {
        let place = self.by_role.binary_search_by(|there| there.role.name.cmp(role)).ok()?;
        self.by_role.get(place).copied()
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = Delegation<'a>> {
        self.by_role.iter().copied()
    }

    /// What other documents than the first list once more: clients that come to them by another way
    /// go by these.
    pub fn further(&self) -> impl Iterator<Item = Delegation<'a>> {
        self.further.iter().copied()
    }

    /// The document whose hash bins one of these keys signs for.
    pub fn bins_of(&self, keys: &BTreeSet<KeyIdentity>) -> Option<&'a RoleName> {
        self.bins.iter().find(|(_, own)| !own.is_disjoint(keys)).map(|(role, _)| *role)
    }

    /// How many of these keys can be asked, as far as the record knows them.
    pub fn able(&self, keys: &BTreeSet<KeyIdentity>) -> usize {
        keys.iter().filter(|key| self.record(key).is_none_or(KeyRecord::can_sign)).count()
    }

    /// Those that are granted below a role, and below those, by name.
    pub fn below(&self, role: &RoleName) -> Vec<Delegation<'a>> {
        let mut found = BTreeMap::new();
        let mut ahead = vec![role];
        while let Some(role) = ahead.pop() {
            for child in self.children.get(role).into_iter().flatten() {
                // Documents of other tools can delegate in a circle.
                if let Some(delegation) = self.find(child).filter(|_| !found.contains_key(child)) {
                    found.insert(*child, delegation);
                    ahead.push(child);
                }
            }
        }
        found.into_values().collect()
    }

    /// The record's file of a key.
    pub fn record(&self, key: &KeyIdentity) -> Option<&'a KeyRecord> {
        self.records.get(key).copied()
    }

    /// The record's keys for a role as the newest documents list it, those that can still be asked:
    /// no key that is lost, stolen or destroyed.
    pub fn signers(&self, facts: &'a Facts, role: &RoleName) -> Vec<&'a KeyRecord> {
        let top = facts.root().and_then(|root| root.roles.get(role).map(|keys| (&root.keys, &keys.keyids)));
        let below = || self.find(role).map(|d| (d.entries, &d.role.keys.keyids));
        let Some((entries, ids)) = top.or_else(below) else { return Vec::new() };
        let keys: BTreeSet<_> = ids.iter().filter_map(|id| identity(entries, id)).collect();
        self.living(keys)
    }

    /// Of these keys, those that the record knows, by name.
    pub fn known(&self, keys: impl IntoIterator<Item = KeyIdentity>) -> Vec<&'a KeyRecord> {
        let known = keys.into_iter().filter_map(|key| self.record(&key));
        known.map(|record| (&record.name, record)).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Of these keys, those of the record that can be asked, by name.
    pub fn living(&self, keys: impl IntoIterator<Item = KeyIdentity>) -> Vec<&'a KeyRecord> {
        let known = keys.into_iter().filter_map(|key| self.record(&key));
        let living: BTreeMap<_, _> = known.filter(|r| r.can_sign()).map(|r| (&r.name, r)).collect();
        living.into_values().collect()
    }
}

impl Delegation<'_> {
    /// The ids under which it lists keys, each with the key, where keyrite knows its kind.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, Option<KeyIdentity>)> {
        self.role.keys.keyids.iter().map(|id| (id, identity(self.entries, id)))
    }

    /// The ids under which it lists one of these keys.
    pub fn ids_of(&self, keys: &BTreeSet<KeyIdentity>) -> BTreeSet<KeyId> {
        self.keys()
            .filter(|(_, key)| key.is_some_and(|k| keys.contains(&k)))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Whose signatures over its document verify.
    pub fn signed(&self, document: &Trusted) -> BTreeSet<KeyIdentity> {
        Verified::new(document.envelope()).signers(self.entries, &self.role.keys, document.payload())
    }

    /// Its paths as people read them.
    pub fn reach(&self) -> String {
        let (PathRule::Patterns(paths) | PathRule::HashPrefixes(paths) | PathRule::Prefixes(paths)) =
            &self.role.paths;
        paths.iter().map(|path| visible(path)).collect::<Vec<_>>().join(", ")
    }
}

/// A list of keys without some: thousands of delegations share few such lists.
pub struct Left {
    /// Ids that are listed no longer.
    pub remove: Arc<BTreeSet<KeyId>>,
    /// Those that still are.
    pub ids: Arc<[KeyId]>,
    /// Whose they are.
    pub staying: BTreeSet<KeyIdentity>,
}

impl Left {
    /// Of the keys that this delegation lists.
    pub fn without(now: &Delegation<'_>, remove: BTreeSet<KeyId>) -> Self {
        let stays = |id: &KeyId| !remove.contains(id);
        let staying = now.keys().filter(|(id, _)| stays(id)).filter_map(|(_, key)| key).collect();
        let ids = now.role.keys.keyids.iter().filter(|id| stays(id)).cloned().collect();
        Self { remove: Arc::new(remove), ids, staying }
    }
}

/// What is left of delegations' lists of keys without some: thousands of them share few lists of ids,
/// each of which is looked at once.
pub struct Listing<'k> {
    keys: &'k BTreeSet<KeyIdentity>,
    known: HashMap<(usize, usize), Option<Arc<Left>>>,
}

impl<'k> Listing<'k> {
    /// Of these keys.
    pub fn of(keys: &'k BTreeSet<KeyIdentity>) -> Self {
        Self { keys, known: HashMap::new() }
    }

    /// Without the ids of [`Delegation::ids_of`], of one that outlives the others that are asked about;
    /// none if there are no such ids.
    pub fn left(&mut self, delegation: &Delegation<'_>) -> Option<Arc<Left>> {
        let which = (std::ptr::from_ref(delegation.entries).addr(), delegation.role.keys.list());
        let look = || {
            let remove = delegation.ids_of(self.keys);
            (!remove.is_empty()).then(|| Arc::new(Left::without(delegation, remove)))
        };
        self.known.entry(which).or_insert_with(look).clone()
    }
}

/// By name; of those of one name the first that was found comes before the others. Thousands of names
/// mostly begin alike, and numbers of what follows are quicker to compare.
fn sorted<'a>(
    all: Vec<(&'a RoleName, usize, Delegation<'a>)>,
) -> impl Iterator<Item = (&'a RoleName, usize, Delegation<'a>)> {
    let text = |name: &'a RoleName| name.as_str().as_bytes();
    let alike = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let first = all.first().map(|(name, ..)| text(name)).unwrap_or_default();
    let begin = all.iter().map(|(name, ..)| alike(first, text(name))).min().unwrap_or_default();
    let mark = |name: &'a RoleName| {
        let mut mark = [0; 8];
        mark.iter_mut().zip(text(name).iter().skip(begin)).for_each(|(to, byte)| *to = *byte);
        // Top-level roles, which nobody delegates to, are not ordered by their names' letters.
        (matches!(name, RoleName::Delegated(_)), u64::from_be_bytes(mark))
    };
    let mut marked: Vec<_> = all.into_iter().map(|one| (mark(one.0), one)).collect();
    marked.sort_unstable_by(|(a, (name, found, _)), (b, (other, later, _))| {
        let delegated = a.0 && b.0;
        let marks = if delegated { a.1.cmp(&b.1) } else { Ordering::Equal };
        marks.then_with(|| name.cmp(other)).then(found.cmp(later))
    });
    marked.into_iter().map(|(_, one)| one)
}

fn identity(entries: &Keys, id: &KeyId) -> Option<KeyIdentity> {
    entries.get(id).and_then(|key| key.public.as_ref()).map(PublicKey::identity)
}
