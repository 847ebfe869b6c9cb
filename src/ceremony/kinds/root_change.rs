//! A change of root: what every ceremony makes that needs a new root.
//!
//! Root N+1, targets M+1 where its keys, threshold or content change (its targets and delegations
//! stay), the statement that binds the limits to the new chain, and a statement on each key that is
//! given up. Keys given up are never asked to sign, so a root that can't be reached without them is
//! refused before anyone travels (`QUORUM-LOST`).
//!
//! In profile `notary` the living keys of older roots are asked as well, under the ids that those
//! roots give them: their signatures count for no threshold, but let a client that missed the roots
//! between jump over one whose certificates have ended (notary-v1 5).

use super::making::{asks_statement, base, expires, kept, no_software, unknown};
use super::root_asks::{asks, root_asks};
use super::root_ledger::{Ledger, summary};
use super::root_members::{Member, Role, ids, listed_entries, members, spec};
use super::rules;
use crate::ceremony::attestation;
use crate::ceremony::ceasing::{self, Declared};
use crate::ceremony::change::{Base, Counts, Frame, Item, Purpose};
use crate::ceremony::conflict::carried;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, check_holders};
use crate::ceremony::unmade::Again;

use crate::tuf::certificate::leaf;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::make::{self, RoleSpec, RootSpec, TargetsEdit};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time};
use std::collections::BTreeSet;

/// What the next root is to be; a role that is left as it is keeps the trusted root's entries.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who signs roots.
    pub root: Role,
    /// Who signs targets; a change of them has targets signed again.
    pub targets: Role,
    /// The backend's snapshot keys.
    pub snapshot: Role,
    /// The backend's timestamp keys.
    pub timestamp: Role,
    /// How long the root is valid from `held-at`.
    pub valid_for: Term,
    /// How long targets is valid from `held-at`, if it is signed again; none keeps its expiry.
    pub targets_valid_for: Option<Term>,
    /// What becomes of the content of targets; with any, it is signed again.
    pub targets_edits: Vec<TargetsEdit>,
    /// The version of targets whose content is signed again, where that is not the newest's: what no
    /// change of the record put in since is left out.
    pub targets_as_in: Option<u64>,
    /// Files of targets that are left out, those of them that are there.
    pub targets_without: Vec<String>,
    /// Keys that are given up by this change, whatever their purpose, with what became of them.
    pub gone: Vec<(KeyName, KeyEvent)>,
    /// Root keys that stay for one root more, since limits let so few change at once, and are asked to sign
    /// nothing: they leave with a later one.
    pub not_asked: Vec<KeyName>,
    /// Developers' keys of which root says from now on what targets keys have said, if the runbook
    /// tells; for a change of the targets keys.
    pub declared: Option<Vec<(KeyName, KeyEvent)>>,
}

impl Wanted {
    /// The trusted root once more, valid for `valid_for`.
    pub const fn again(valid_for: Term) -> Self {
        Self {
            root: Role::STAYS,
            targets: Role::STAYS,
            snapshot: Role::STAYS,
            timestamp: Role::STAYS,
            valid_for,
            targets_valid_for: None,
            targets_edits: Vec::new(),
            targets_as_in: None,
            targets_without: Vec::new(),
            gone: Vec::new(),
            not_asked: Vec::new(),
            declared: None,
        }
    }
}

/// What a change of root is made of: [`crate::ceremony::change::Change::new`] takes it, with what a
/// kind adds to it.
#[derive(Debug, Clone)]
pub struct RootChange {
    /// The root, and targets if it is signed again.
    pub base: Base,
    /// The root, targets if it is signed again, the limits statement, a statement for each key that
    /// is given up, the decisions between files that the root before has made; in this order.
    pub items: Vec<Item>,
    /// What becomes of each key, one line each.
    pub summary: Vec<String>,
}

/// Makes it.
///
/// # Errors
///
/// `ROOT-MISSING`; what [`members`] refuses of each role; `KEY-GONE` for a key that is given up and
/// stays; `THRESHOLD-FLOOR`, `SPARE-KEYS`, `KEYS-CHANGED`, `HOLDER-THRESHOLD`, `PERSON-EXCLUDED`, `KEY-SOFTWARE`,
/// `KEY-NOT-ATTESTED`, `KEY-NOTARY-ROOT`, `CERTIFICATE-ENDS`, `EXPIRY-LIMIT`, `EXPIRY-PAST`, `QUORUM-LOST`, and whatever
/// making the documents refuses; `DECLARED-CEASES`.
pub fn root_change(frame: &Frame, facts: &Facts, wanted: &Wanted) -> Result<RootChange> {
    let trusted = facts.roots.last().ok_or_else(|| {
        Refusal::new(&rules::ROOT_MISSING, "a record without a root", "a root that the first day has made")
    })?;
    let profile = facts.trust.profile;
    let root = Side::new(facts, RoleName::Root, Purpose::Root, &wanted.root)?;
    let targets = Side::new(facts, RoleName::Targets, Purpose::Targets, &wanted.targets)?;
    let snapshot = Side::new(facts, RoleName::Snapshot, Purpose::Snapshot, &wanted.snapshot)?;
    let timestamp = Side::new(facts, RoleName::Timestamp, Purpose::Timestamp, &wanted.timestamp)?;
    let changed = targets.changed();
    let gone = gone(facts, wanted, changed)?;
    for side in [&root, &targets, &snapshot, &timestamp] {
        none_gone(side, &gone)?;
    }
    let valid_until =
        expires(facts, frame.held_at, wanted.valid_for, facts.limits.root.max_valid_for, "root")?;
    root_within_limits(facts, &root, valid_until)?;
    if changed {
        targets_within_limits(facts, &targets)?;
    }

    let version = trusted.version().saturating_add(1);
    let next = RootSpec {
        version,
        expires: valid_until,
        root: root.spec.clone(),
        targets: targets.spec.clone(),
        snapshot: snapshot.spec.clone(),
        timestamp: timestamp.spec.clone(),
    };
    let payload = make::root(profile, &next, Some(trusted.payload()))?;
    if changed && wanted.declared.is_none() {
        let anew = gone.iter().filter(|(_, event)| Declared::is_final(*event));
        ceasing::answered(facts, &payload, &anew.map(|(record, _)| record.public.identity()).collect())?;
    }
    let asked = root_asks(facts, &root, &gone, &wanted.not_asked)?;
    let again = changed || wanted.targets_valid_for.is_some() || !wanted.targets_edits.is_empty();
    let signed_again = if again { Some(targets_again(frame, facts, wanted)?) } else { None };

    let (digest, targets_version) = (payload.digest(), signed_again.as_ref().map(MetadataPayload::version));
    let able = |record: &&KeyRecord| !wanted.not_asked.contains(&record.name);
    let signers: Vec<&KeyRecord> = root.new.iter().filter_map(|member| member.record).filter(able).collect();
    let mut items = vec![Item::Document { payload, asked: asked.clone() }];
    let mut roles = vec![&RoleName::Root];
    if let Some(payload) = signed_again {
        roles.push(&RoleName::Targets);
        items.push(Item::Document { payload, asked: asks(facts, &targets.new, &[Counts::New]) });
    }
    let in_force = Sentence::Limits {
        number: facts.limits_number,
        limits: facts.limits_file,
        chain: facts.chain(Some(digest)),
    };
    let lives = gone.iter().map(|(record, event)| Sentence::KeyLife {
        key: record.public.identity(),
        event: *event,
        at: frame.held_at,
        root: digest,
    });
    for sentence in std::iter::once(in_force).chain(lives) {
        let payload = Statement::new(facts.trust.id, sentence)?;
        items.push(Item::Statement { payload, asked: asks_statement(facts, &signers, &[Counts::New]) });
    }
    for decision in carried(facts) {
        let asked = asks_statement(facts, &signers, &[Counts::New]);
        items.push(Item::Statement { payload: decision.clone(), asked });
    }
    let mut summary = summary(&Ledger {
        facts,
        version,
        valid_for: wanted.valid_for,
        root: &root,
        online: [&snapshot, &timestamp],
        targets: &targets,
        again: targets_version.map(|version| (version, wanted.targets_valid_for)),
        gone: &gone,
        not_asked: &wanted.not_asked,
        asked: &asked,
    });
    if again {
        summary.extend(left_out(facts, wanted)?);
    }
    for decision in carried(facts) {
        if let Sentence::Decision { what, keep, .. } = decision.sentence() {
            summary.push(format!("what was decided of {} still stands: {keep}", visible(what)));
        }
    }
    Ok(RootChange { base: base(facts, &roles), items, summary })
}

/// One role of the root before and of the next.
pub(super) struct Side<'a> {
    pub role: RoleName,
    /// As the trusted root lists them.
    pub old: Vec<Member<'a>>,
    /// Its threshold.
    pub old_threshold: u32,
    /// As the next root lists them.
    pub new: Vec<Member<'a>>,
    /// The same as `make` takes it.
    pub spec: RoleSpec,
}

impl<'a> Side<'a> {
    fn new(facts: &'a Facts, role: RoleName, purpose: Purpose, wanted: &Role) -> Result<Self> {
        let (old, old_threshold) = listed_entries(facts, &role)?;
        let new = members(facts, &role, purpose, &old, wanted)?;
        let spec = spec(&new, wanted.threshold.unwrap_or(old_threshold), &role)?;
        Ok(Self { role, old, old_threshold, new, spec })
    }

    /// The keys that come in.
    fn coming(&self) -> Vec<&'a KeyRecord> {
        let new = self.new.iter().filter(|member| !self.old.iter().any(|old| old.is(member)));
        new.filter_map(|member| member.record).collect()
    }

    /// Whether keys, their entries or the threshold become others.
    pub fn changed(&self) -> bool {
        self.spec.threshold.get() != self.old_threshold || ids(&self.old) != ids(&self.new)
    }
}

/// The records of the keys that are given up; `changed` says whether targets gets other keys.
fn gone<'a>(facts: &'a Facts, wanted: &Wanted, changed: bool) -> Result<Vec<(&'a KeyRecord, KeyEvent)>> {
    let mut found: Vec<(&KeyRecord, KeyEvent)> = Vec::new();
    let declared = wanted.declared.iter().flatten().filter(|_| changed);
    for (name, _) in declared.clone() {
        let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
        if record.purpose != Purpose::Delegation {
            let found = format!("{name}, made for {}, in [declared]", record.purpose.name());
            return Err(Refusal::new(&rules::KEY_PURPOSE, found, "keys made for delegations"));
        }
    }
    let declared = declared.filter(|said| !wanted.gone.contains(said));
    for (name, event) in wanted.gone.iter().chain(declared) {
        let record = facts.keys.get(name).ok_or_else(|| unknown(name))?;
        if found.iter().any(|(other, _)| other.name == *name) {
            let what = format!("{name} given up twice");
            return Err(Refusal::new(&crate::ceremony::rules::RUNBOOK, what, "each key once"));
        }
        // Said before, it need not be said again. Of a developer's key targets keys may have said it
        // alone, and whoever has them would decide what the change of root is.
        let developers = record.purpose == Purpose::Delegation;
        if developers || !record.life.iter().any(|(before, _)| before == event) {
            found.push((record, *event));
        }
    }
    Ok(found)
}

fn none_gone(side: &Side<'_>, gone: &[(&KeyRecord, KeyEvent)]) -> Result<()> {
    let given_up = |member: &Member<'_>| {
        gone.iter().find(|(record, _)| member.record.is_some_and(|own| own.name == record.name))
    };
    match side.new.iter().find_map(given_up) {
        None => Ok(()),
        Some((record, event)) => Err(Refusal::new(
            &rules::KEY_GONE,
            format!("{}, {} and still in {}", record.name, event.name(), side.role),
            format!("a {} without it", side.role),
        )),
    }
}

fn root_within_limits(facts: &Facts, root: &Side<'_>, until: Time) -> Result<()> {
    let limits = &facts.limits.root;
    let threshold = root.spec.threshold;
    floor(threshold.get(), limits.threshold_floor, &root.role)?;
    let keys = u32::try_from(root.new.len()).unwrap_or(u32::MAX);
    if keys.saturating_sub(threshold.get()) < limits.spare_keys {
        return Err(Refusal::new(
            &rules::SPARE_KEYS,
            format!("{keys} root keys at a threshold of {threshold}"),
            format!(
                "at least {} more than the threshold, so that losing one loses nothing",
                limits.spare_keys
            ),
        ));
    }
    let names = |members: &[Member<'_>]| members.iter().map(Member::name).collect::<BTreeSet<_>>();
    facts.limits.check_keys_changed(&names(&root.old), &names(&root.new))?;
    let known: Vec<&KeyRecord> = root.new.iter().filter_map(|member| member.record).collect();
    check_holders(&RoleName::Root, &known, threshold, facts)?;
    no_software(facts, &known, false, &RoleName::Root)?;
    attestation::check(facts, &root.coming(), limits.attested_keys, &RoleName::Root)?;
    if facts.trust.profile == Profile::Notary {
        root.new.iter().try_for_each(|member| certified_until(member, until))?;
    }
    Ok(())
}

/// In profile `notary` the certificates are the hard deadline (notary-v1 5): once too few of them
/// count, not even a correct rotation is accepted any more.
fn certified_until(member: &Member<'_>, until: Time) -> Result<()> {
    let name = member.name();
    let Some(pem) = &member.entry.certificate else {
        let found = format!("{name} without a certificate");
        let expected = "a root key that generate-key has certified";
        return Err(Refusal::new(&rules::KEY_NOTARY_ROOT, found, expected));
    };
    let end = leaf(pem)?.not_after;
    if end >= until {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::CERTIFICATE_ENDS,
        format!("{name}, certified until {end}, in a root that is valid until {until}"),
        "certificates that outlive the root",
    ))
}

fn targets_within_limits(facts: &Facts, targets: &Side<'_>) -> Result<()> {
    let limits = &facts.limits.targets;
    floor(targets.spec.threshold.get(), limits.threshold_floor, &targets.role)?;
    let known: Vec<&KeyRecord> = targets.new.iter().filter_map(|member| member.record).collect();
    check_holders(&RoleName::Targets, &known, targets.spec.threshold, facts)?;
    no_software(facts, &known, limits.software_keys, &RoleName::Targets)?;
    attestation::check(facts, &targets.coming(), limits.attested_keys, &RoleName::Targets)
}

fn floor(threshold: u32, floor: u32, role: &RoleName) -> Result<()> {
    if threshold >= floor {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::THRESHOLD_FLOOR,
        format!("a threshold of {threshold} for {role}"),
        format!("at least {floor}, as the limits in force say"),
    ))
}

/// Targets at its next version, with everything in it.
fn targets_again(frame: &Frame, facts: &Facts, wanted: &Wanted) -> Result<MetadataPayload> {
    let before: &Trusted = facts.documents.get(&RoleName::Targets).ok_or_else(|| {
        let found = "no targets in the record";
        Refusal::new(&rules::DELEGATOR_MISSING, found, "the targets document that is to be signed again")
    })?;
    let most = facts.limits.targets.max_valid_for;
    let until = match wanted.targets_valid_for {
        Some(term) => expires(facts, frame.held_at, term, most, "targets")?,
        None => kept(facts, frame.held_at, before.document().header().expires, most, "targets")?,
    };
    let version = before.version().saturating_add(1);
    let (ground, mut edits) = match wanted.targets_as_in {
        Some(version) => {
            let again = Again::as_in(facts, before, version)?;
            (again.ground, again.edits)
        }
        None => (before, Vec::new()),
    };
    edits.extend(wanted.targets_edits.iter().cloned());
    let profile = facts.trust.profile;
    let with = |edits: &[TargetsEdit]| {
        make::targets(profile, &RoleName::Targets, version, until, Some(ground.payload()), edits)
    };
    let made = with(&edits)?;
    if wanted.targets_as_in.is_some() {
        none_back(facts, wanted, before, &made)?;
    }
    let without: Vec<_> = without(&made, &wanted.targets_without).cloned().collect();
    if without.is_empty() {
        return Ok(made);
    }
    edits.extend(without.into_iter().map(TargetsEdit::RemoveTarget));
    with(&edits)
}

/// Refuses what an earlier version listed and nobody has any more: clients know nothing of a key's life.
fn none_back(facts: &Facts, wanted: &Wanted, before: &Trusted, made: &MetadataPayload) -> Result<()> {
    let listed = |document: &MetadataPayload| -> BTreeSet<KeyIdentity> {
        let targets = document.document().as_targets();
        let keys = targets.into_iter().flat_map(|targets| targets.delegations.keys.values());
        keys.filter_map(|key| key.public.as_ref()).map(PublicKey::identity).collect()
    };
    let said = wanted.gone.iter().chain(wanted.declared.iter().flatten());
    let leaves: BTreeSet<&KeyName> = said.map(|(name, _)| name).collect();
    let (there, now) = (listed(before.payload()), listed(made));
    let back = |record: &&KeyRecord| {
        let key = record.public.identity();
        now.contains(&key) && !there.contains(&key) && (!record.can_sign() || leaves.contains(&record.name))
    };
    facts.keys.values().find(back).map_or(Ok(()), |record| {
        Err(Refusal::new(
            &rules::KEY_GONE,
            format!("{}, which that targets listed and its holder has no more", record.name),
            "targets as in a version without it, or without as-in: then without-paths and revoke-delegation \
             take out what came in",
        ))
    })
}

/// Those of these files that a targets document has. A rehearsal has none that a thief put there.
fn without<'a>(content: &MetadataPayload, paths: &'a [String]) -> impl Iterator<Item = &'a String> {
    let files = content.document().as_targets().map(|targets| &targets.targets);
    paths.iter().filter(move |path| files.is_some_and(|files| files.contains_key(*path)))
}

/// What of targets doesn't go on as it is, one line each.
fn left_out(facts: &Facts, wanted: &Wanted) -> Result<Vec<String>> {
    let Some(newest) = facts.documents.get(&RoleName::Targets) else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    let again = wanted.targets_as_in.map(|version| Again::as_in(facts, newest, version)).transpose()?;
    if let (Some(version), Some(again)) = (wanted.targets_as_in, &again) {
        let (more, other) = (again.more(), if again.more().is_empty() { "" } else { " else" });
        lines.push(format!(
            "  it says again what targets {version} said{more}, and nothing{other} that came in since"
        ));
        lines.extend(again.elsewhere.iter().map(|role| {
            format!("  {role} goes with what changes of this record did to it: none of them had granted it")
        }));
    }
    let there = |path| match &again {
        Some(again) => again.names(path),
        None => newest.document().as_targets().is_some_and(|targets| targets.targets.contains_key(path)),
    };
    lines.extend(wanted.targets_without.iter().map(|path| {
        let (is, path) = (there(path), visible(path));
        if is {
            format!("  without {path}")
        } else {
            format!("  {path} is not in it, and need not be left out")
        }
    }));
    Ok(lines)
}
