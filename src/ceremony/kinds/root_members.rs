//! The keys of one role in a root, before a change of it and after.
//!
//! A key that stays keeps the very entry that it has, since the tool that signs with it may know it
//! by no other id; but a root key of profile `notary` gets its newest certificate. A key that the
//! record doesn't know, of an adopted history, stays unless the runbook lists a role whole.

use super::making::{entry, records};
use super::rules;
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::strict::Word;
use crate::tuf::document::DocumentKey;
use crate::tuf::key::{KeyId, KeyIdentity, PublicKey};
use crate::tuf::make::RoleSpec;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::wire;
use std::collections::BTreeSet;
use std::num::NonZeroU32;

/// What a role of the next root is to be.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its keys.
    pub keys: Keys,
    /// Distinct keys that must sign; none keeps the threshold.
    pub threshold: Option<u32>,
}

impl Role {
    /// As the trusted root has it.
    pub const STAYS: Self =
        Self { keys: Keys::Edited { add: Vec::new(), remove: Vec::new() }, threshold: None };
}

/// The keys of a role.
#[derive(Debug, Clone)]
pub enum Keys {
    /// These, and no others.
    These(Vec<KeyName>),
    /// The trusted root's, with these put in and those taken out.
    Edited {
        /// Keys that come in.
        add: Vec<KeyName>,
        /// Keys that leave.
        remove: Vec<KeyName>,
    },
}

/// One key of a role.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// As the root lists it.
    pub entry: DocumentKey,
    /// As the record knows it.
    pub record: Option<&'a KeyRecord>,
}

impl Member<'_> {
    /// Which public key it is; none for a kind of key that keyrite doesn't know.
    pub fn identity(&self) -> Option<KeyIdentity> {
        self.entry.public.as_ref().map(PublicKey::identity)
    }

    /// Whether both are one key: one public key, or one entry of a kind that keyrite doesn't know.
    pub fn is(&self, other: &Member<'_>) -> bool {
        match (self.identity(), other.identity()) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.entry.id == other.entry.id,
        }
    }

    /// The record's name, or the document's id.
    pub fn name(&self) -> String {
        self.record.map_or_else(|| format!("the key {}", self.entry.id), |record| record.name.to_string())
    }

    /// The record's name and holder, or the document's id.
    pub fn described(&self) -> String {
        self.record.map_or_else(|| self.name(), |record| format!("{} of {}", record.name, record.holder))
    }
}

/// The keys that the newest trusted root lists for a role, and its threshold there.
///
/// # Errors
///
/// `ROOT-MISSING`.
pub fn listed_entries<'a>(facts: &'a Facts, role: &RoleName) -> Result<(Vec<Member<'a>>, u32)> {
    let listed = facts.root().and_then(|root| root.roles.get(role).map(|keys| (root, keys)));
    let (root, keys) = listed.ok_or_else(|| {
        let found = format!("no trusted root that lists {role}");
        Refusal::new(&rules::ROOT_MISSING, found, "a root that the first day has made")
    })?;
    let entries = keys.keyids.iter().filter_map(|id| root.keys.get(id));
    let members = entries.map(|entry| Member { entry: entry.clone(), record: known(facts, entry) });
    Ok((members.collect(), keys.threshold.get()))
}

/// The record of an entry's public key.
pub fn known<'a>(facts: &'a Facts, entry: &DocumentKey) -> Option<&'a KeyRecord> {
    let identity = entry.public.as_ref().map(PublicKey::identity)?;
    facts.keys.values().find(|record| record.public.identity() == identity)
}

/// The keys of a role in the next root.
///
/// # Errors
///
/// `KEY-UNKNOWN`, `KEY-PURPOSE`, `KEY-GONE`, `KEY-DUPLICATE`; `KEY-LISTED` for a key put in that is
/// there, `KEY-NOT-LISTED` for one taken out that is not.
pub fn members<'a>(
    facts: &'a Facts,
    role: &RoleName,
    purpose: Purpose,
    old: &[Member<'a>],
    wanted: &Role,
) -> Result<Vec<Member<'a>>> {
    let at = |record: &KeyRecord| old.iter().find(|m| m.identity() == Some(record.public.identity()));
    let fit = |names: &[KeyName]| {
        let words: Vec<_> = names.iter().cloned().map(Word).collect();
        records(facts, &words, purpose)
    };
    let (add, remove) = match &wanted.keys {
        Keys::These(names) => {
            return fit(names)?.into_iter().map(|record| renewed(facts, record, at(record))).collect();
        }
        Keys::Edited { add, remove } => (add, remove),
    };
    let added = fit(add)?;
    if let Some(twice) = added.iter().find(|record| at(record).is_some()) {
        let found = format!("{}, which {role} lists already", twice.name);
        return Err(Refusal::new(&rules::KEY_LISTED, found, "a key that is new to the role"));
    }
    let mut leaving = Vec::new();
    for name in remove {
        let record = facts.keys.get(name).ok_or_else(|| super::making::unknown(name))?;
        if at(record).is_none() || leaving.contains(&record.public.identity()) {
            let found = format!("{name}, to be taken out of {role}");
            return Err(Refusal::new(
                &rules::KEY_NOT_LISTED,
                found,
                "a key that the trusted root lists, once",
            ));
        }
        leaving.push(record.public.identity());
    }
    let stays = |member: &&Member<'_>| member.identity().is_none_or(|key| !leaving.contains(&key));
    let staying: Vec<&Member<'a>> = old.iter().filter(stays).collect();
    let names: Vec<_> = staying.iter().filter_map(|member| member.record).map(|r| r.name.clone()).collect();
    fit(&names)?;
    let mut next = Vec::new();
    for member in staying {
        next.push(match member.record {
            Some(record) => renewed(facts, record, Some(member))?,
            None => Member { entry: rebuilt(facts, member)?, record: None },
        });
    }
    for record in added {
        next.push(renewed(facts, record, None)?);
    }
    Ok(next)
}

/// A key of the record as the next root lists it.
fn renewed<'a>(facts: &Facts, record: &'a KeyRecord, listed: Option<&Member<'a>>) -> Result<Member<'a>> {
    let newest = listed
        .filter(|member| record.certificate.is_none() || member.entry.certificate == record.certificate);
    let entry = match newest {
        Some(member) => rebuilt(facts, member)?,
        None => entry(facts, record)?,
    };
    Ok(Member { entry, record: Some(record) })
}

/// The entry as it is, unless its id is none that keyrite would sign.
fn rebuilt(facts: &Facts, member: &Member<'_>) -> Result<DocumentKey> {
    let entry = &member.entry;
    match &entry.public {
        Some(public) if !entry.id_matches() => {
            wire::key_entry(facts.trust.profile, public, entry.certificate.as_deref())
        }
        _ => Ok(entry.clone()),
    }
}

/// Whether a role is as it is wanted already, certificates and all.
pub fn is_so(facts: &Facts, role: &RoleName, purpose: Purpose, wanted: &Role) -> bool {
    let Ok((old, threshold)) = listed_entries(facts, role) else { return false };
    let Ok(new) = members(facts, role, purpose, &old, wanted) else { return false };
    wanted.threshold.is_none_or(|wanted| wanted == threshold) && ids(&old) == ids(&new)
}

/// The ids of those keys.
pub fn ids(members: &[Member<'_>]) -> BTreeSet<KeyId> {
    members.iter().map(|member| member.entry.id.clone()).collect()
}

/// The role as `make` takes it.
///
/// # Errors
///
/// `THRESHOLD-RANGE`.
pub fn spec(members: &[Member<'_>], threshold: u32, role: &RoleName) -> Result<RoleSpec> {
    let fits = usize::try_from(threshold).is_ok_and(|t| t <= members.len());
    let threshold = NonZeroU32::new(threshold).filter(|_| fits).ok_or_else(|| {
        Refusal::new(
            &crate::tuf::rules::THRESHOLD_RANGE,
            format!("a threshold of {threshold} of {} keys for {role}", members.len()),
            "from 1 to the number of distinct keys",
        )
    })?;
    Ok(RoleSpec { keys: members.iter().map(|member| member.entry.clone()).collect(), threshold })
}
