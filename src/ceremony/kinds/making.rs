//! What the kinds share: looking keys up, and the roles that they are put into.

use super::rules;
use crate::ceremony::change::{Ask, Base, Counts, Possession, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord, Stage};
use crate::ceremony::people::KeyName;
use crate::ceremony::strict::Word;
use crate::tuf::document::DocumentKey;
use crate::tuf::key::Scheme;
use crate::tuf::make::RoleSpec;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::{Term, Time};
use crate::tuf::wire;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// The keys of a runbook's role table, found in the record and fit for their purpose.
///
/// # Errors
///
/// `KEY-UNKNOWN`, `KEY-PURPOSE`, `KEY-GONE`, `KEY-DUPLICATE`, `KEY-SOFTWARE`, `THRESHOLD-RANGE`.
pub fn records<'a>(
    facts: &'a Facts,
    names: &[Word<KeyName>],
    purpose: Purpose,
) -> Result<Vec<&'a KeyRecord>> {
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for Word(name) in names {
        let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
        if record.purpose != purpose {
            let found = format!("{name}, made for {}", record.purpose.name());
            return Err(Refusal::new(
                &rules::KEY_PURPOSE,
                found,
                format!("a key made for {}", purpose.name()),
            ));
        }
        if let Some((event, at)) = record.life.iter().find(|(event, _)| *event != KeyEvent::Retired) {
            let found = format!("{name}, {} since {at}", event.name());
            return Err(Refusal::new(
                &rules::KEY_GONE,
                found,
                "a key that its holder still has to themselves",
            ));
        }
        if let Some(other) = seen.insert(record.public.identity(), name) {
            return Err(Refusal::new(
                &crate::tuf::rules::KEY_DUPLICATE,
                format!("{other} and {name} are one public key"),
                "distinct public keys in a role",
            ));
        }
        found.push(record);
    }
    Ok(found)
}

/// `KEY-UNKNOWN` for a name that no key of the record has.
pub fn unknown(name: &KeyName) -> Refusal {
    let found = format!("no key {name} in the record");
    Refusal::new(&rules::KEY_UNKNOWN, found, "a key that a ceremony has made or enrolled")
}

/// A role of those keys.
///
/// # Errors
///
/// `THRESHOLD-RANGE` unless the threshold is from 1 to the number of keys.
pub fn role(facts: &Facts, records: &[&KeyRecord], threshold: u32) -> Result<RoleSpec> {
    let keys = records.iter().map(|r| entry(facts, r)).collect::<Result<Vec<_>>>()?;
    let fits = usize::try_from(threshold).is_ok_and(|t| t <= keys.len());
    let threshold = NonZeroU32::new(threshold).filter(|_| fits).ok_or_else(|| {
        Refusal::new(
            &crate::tuf::rules::THRESHOLD_RANGE,
            format!("a threshold of {threshold} of {} keys", keys.len()),
            "from 1 to the number of distinct keys",
        )
    })?;
    Ok(RoleSpec { keys, threshold })
}

/// The key as documents of this trust list it.
pub fn entry(facts: &Facts, record: &KeyRecord) -> Result<DocumentKey> {
    wire::key_entry(facts.trust.profile, &record.public, record.certificate.as_deref())
}

/// The askings of those keys for one threshold.
pub fn asks(facts: &Facts, records: &[&KeyRecord], counts: &[Counts]) -> Vec<Ask> {
    let ask = |record: &&KeyRecord| Ask {
        key: record.name.clone(),
        holder: record.holder.clone(),
        public: record.public.clone(),
        scheme: wire::scheme(facts.trust.profile, &record.public),
        counts: counts.to_vec(),
    };
    records.iter().map(ask).collect()
}

/// As [`asks`], for a statement: signed by the scheme of the algorithm, whatever the profile.
pub fn asks_statement(facts: &Facts, records: &[&KeyRecord], counts: &[Counts]) -> Vec<Ask> {
    let mut asked = asks(facts, records, counts);
    for ask in &mut asked {
        ask.scheme = Scheme::of(ask.public.algorithm());
    }
    asked
}

/// The keys of the record that a trusted delegator lists for `role`.
pub fn listed<'a>(facts: &'a Facts, role: &RoleName) -> Vec<&'a KeyRecord> {
    let identities = identities(facts, role);
    facts.keys.values().filter(|r| identities.contains(&r.public.identity())).collect()
}

fn identities(facts: &Facts, role: &RoleName) -> BTreeSet<crate::tuf::key::KeyIdentity> {
    let root = facts.root();
    let top = root.and_then(|root| root.roles.get(role).map(|keys| (&root.keys, keys)));
    let below = facts.documents.values().filter_map(|d| d.document().as_targets()).find_map(|targets| {
        let found = targets.delegations.roles.iter().find(|r| r.name == *role)?;
        Some((&targets.delegations.keys, &found.keys))
    });
    let Some((keys, role)) = top.or(below) else { return BTreeSet::new() };
    role.keyids
        .iter()
        .filter_map(|id| keys.get(id)?.public.as_ref().map(crate::tuf::key::PublicKey::identity))
        .collect()
}

/// `held-at` plus the term, within what limits allow.
///
/// # Errors
///
/// `EXPIRY-LIMIT` if the term is longer than the limit; `EXPIRY-PAST` if the moment has passed today.
pub fn expires(facts: &Facts, held_at: Time, term: Term, most: Term, what: &str) -> Result<Time> {
    if held_at.plus(term)? > held_at.plus(most)? {
        return Err(Refusal::new(
            &rules::EXPIRY_LIMIT,
            format!("{what} valid for {term}"),
            format!("at most {most}, as the limits in force say"),
        ));
    }
    let expires = held_at.plus(term)?;
    not_past(facts, expires, what)?;
    Ok(expires)
}

/// The expiry that a document has already, for one that goes on with it: signed again by us it is
/// ours, so the limits hold, whoever made it before. Stock Notary clients write three years.
///
/// # Errors
///
/// `EXPIRY-LIMIT` if it is later than the limit from `held-at`; `EXPIRY-PAST`.
pub fn kept(facts: &Facts, held_at: Time, expires: Time, most: Term, what: &str) -> Result<Time> {
    if expires > held_at.plus(most)? {
        return Err(Refusal::new(
            &rules::EXPIRY_LIMIT,
            format!("{what} that would keep its expiry, {expires}"),
            format!("at most {most}, as the limits in force say: [delegator] valid-for sets a new one"),
        ));
    }
    not_past(facts, expires, what)?;
    Ok(expires)
}

/// Refuses an expiry that has passed today, and one that has passed at `held-at` with it.
///
/// # Errors
///
/// `EXPIRY-PAST`.
fn not_past(facts: &Facts, expires: Time, what: &str) -> Result<()> {
    if expires > facts.today {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::EXPIRY_PAST,
        format!("{what} that expires {expires}"),
        format!("a date after today, {}", facts.today),
    ))
}

/// The base that rests on those roles' newest documents.
pub fn base(facts: &Facts, roles: &[&RoleName]) -> Base {
    let mut documents = BTreeMap::new();
    for role in roles {
        let newest = if **role == RoleName::Root { facts.roots.last() } else { facts.documents.get(role) };
        if let Some(document) = newest {
            documents.insert((*role).clone(), (document.version(), document.payload().digest()));
        }
    }
    Base { documents }
}

/// Whether a key for this purpose may be one that no ceremony sees on a token: in an encrypted file,
/// or in a vault. Nobody in the room can tell how a vault keeps it, so it counts as a file does.
pub fn software_allowed(facts: &Facts, purpose: Purpose) -> bool {
    facts.trust.stage == Stage::Rehearsal
        || match purpose {
            Purpose::Root => false,
            Purpose::Targets => facts.limits.targets.software_keys,
            Purpose::Delegation => facts.limits.delegations.software_keys,
            Purpose::Snapshot | Purpose::Timestamp | Purpose::Witness => true,
        }
}

/// Refuses software keys where they may not be: production's root always, other roles unless the
/// limits allow them (design: production puts no software key into a new root). A key in a vault
/// or one brought from elsewhere counts as software; one of an adopted history is what it is.
///
/// # Errors
///
/// `KEY-SOFTWARE`.
pub fn no_software(facts: &Facts, records: &[&KeyRecord], allowed: bool, role: &RoleName) -> Result<()> {
    if allowed || facts.trust.stage == Stage::Rehearsal {
        return Ok(());
    }
    let kept = |record: &KeyRecord| match record.token.as_str() {
        "pkcs11" | "yubihsm" | "piv" => None,
        "file" => Some("in an encrypted file"),
        "external" => Some("in a vault that keyrite can't reach"),
        _ if matches!(record.possession, Possession::TrustedDocument(_)) => None,
        _ => Some("made where no ceremony saw it"),
    };
    match records.iter().find_map(|record| kept(record).map(|how| (record, how))) {
        None => Ok(()),
        Some((record, how)) => Err(Refusal::new(
            &rules::KEY_SOFTWARE,
            format!("{}, {how}, for {role}", record.name),
            "a key made on a token",
        )),
    }
}

/// Refuses a name that a key of the record has.
///
/// # Errors
///
/// `KEY-NAME-TAKEN`.
pub fn name_free(facts: &Facts, name: &KeyName) -> Result<()> {
    match facts.keys.get(name) {
        None => Ok(()),
        Some(record) => Err(Refusal::new(
            &rules::KEY_NAME_TAKEN,
            format!("a key {name} of {} in the record", record.holder),
            "a name that no key has had",
        )),
    }
}
