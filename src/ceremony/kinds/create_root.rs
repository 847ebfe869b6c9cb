//! `create-root`: root 1 and targets 1 in one change, and the statement that puts the limits in
//! force.

use super::making::{asks, asks_statement, entry, expires, no_software, records, role};
use super::rules;
use crate::ceremony::attestation;
use crate::ceremony::change::{Base, Change, Counts, Frame, Item, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, check_holders};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::make::{self, RootSpec};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::time::Term;
use serde::Deserialize;
use std::num::NonZeroU32;

/// The kind.
pub struct CreateRoot;

impl Kind for CreateRoot {
    fn name(&self) -> &'static str {
        "create-root"
    }

    fn purpose(&self) -> &'static str {
        "create the root of trust and the first targets document"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    root: Signed,
    targets: Signed,
    snapshot: Online,
    timestamp: Online,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Signed {
    keys: Vec<Word<KeyName>>,
    threshold: u32,
    valid_for: Word<Term>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Online {
    keys: Vec<Word<KeyName>>,
    threshold: u32,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        if let Some(root) = facts.roots.last() {
            return Err(Refusal::new(
                &rules::ROOT_EXISTS,
                format!("root {} in the record", root.version()),
                "a record without a root; a root is changed by rotating it",
            ));
        }
        let root_keys = records(facts, &self.root.keys, Purpose::Root)?;
        let targets_keys = records(facts, &self.targets.keys, Purpose::Targets)?;
        let snapshot_keys = records(facts, &self.snapshot.keys, Purpose::Snapshot)?;
        let timestamp_keys = records(facts, &self.timestamp.keys, Purpose::Timestamp)?;
        self.within_limits(facts, &root_keys, &targets_keys)?;
        for key in root_keys.iter().filter(|_| facts.trust.profile == Profile::Notary) {
            if key.certificate.is_none() {
                let found = format!("{} without a certificate", key.name);
                return Err(Refusal::new(
                    &rules::KEY_NOTARY_ROOT,
                    found,
                    "a root key that generate-key has certified",
                ));
            }
            entry(facts, key)?;
        }

        let (limits, held_at) = (&facts.limits, frame.held_at);
        let root_expires = expires(facts, held_at, self.root.valid_for.0, limits.root.max_valid_for, "root")?;
        let targets_expires =
            expires(facts, held_at, self.targets.valid_for.0, limits.targets.max_valid_for, "targets")?;
        let spec = RootSpec {
            version: 1,
            expires: root_expires,
            root: role(facts, &root_keys, self.root.threshold)?,
            targets: role(facts, &targets_keys, self.targets.threshold)?,
            snapshot: role(facts, &snapshot_keys, self.snapshot.threshold)?,
            timestamp: role(facts, &timestamp_keys, self.timestamp.threshold)?,
        };
        let profile = facts.trust.profile;
        let root = make::root(profile, &spec, None)?;
        let targets = make::targets(profile, &RoleName::Targets, 1, targets_expires, None, &[])?;
        let chain = facts.chain(Some(root.digest()));
        let in_force = Sentence::Limits { number: facts.limits_number, limits: facts.limits_file, chain };
        let statement = Statement::new(facts.trust.id, in_force)?;

        let summary = self.summary(facts, &root_keys, &targets_keys);
        let items = vec![
            Item::Document { payload: root, asked: asks(facts, &root_keys, &[Counts::New]) },
            Item::Document { payload: targets, asked: asks(facts, &targets_keys, &[Counts::New]) },
            Item::Statement { payload: statement, asked: asks_statement(facts, &root_keys, &[Counts::New]) },
        ];
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let Some(root) = facts.root() else { return false };
        let wanted =
            self.root.keys.iter().map(|Word(name)| facts.keys.get(name).map(|r| r.public.identity()));
        let listed = |identity| {
            root.keys
                .values()
                .any(|k| k.public.as_ref().map(crate::tuf::key::PublicKey::identity) == identity)
        };
        root.header.version.get() == 1 && wanted.into_iter().all(listed)
    }
}

fn threshold(number: u32) -> Result<NonZeroU32> {
    NonZeroU32::new(number).ok_or_else(|| {
        Refusal::new(
            &crate::tuf::rules::THRESHOLD_RANGE,
            "a threshold of 0",
            "from 1 to the number of distinct keys",
        )
    })
}

impl Spec {
    fn within_limits(&self, facts: &Facts, root: &[&KeyRecord], targets: &[&KeyRecord]) -> Result<()> {
        let limits = &facts.limits;
        let floor = |threshold: u32, floor: u32, role: &str| {
            if threshold >= floor {
                return Ok(());
            }
            Err(Refusal::new(
                &rules::THRESHOLD_FLOOR,
                format!("a threshold of {threshold} for {role}"),
                format!("at least {floor}, as the limits in force say"),
            ))
        };
        floor(self.root.threshold, limits.root.threshold_floor, "root")?;
        floor(self.targets.threshold, limits.targets.threshold_floor, "targets")?;
        let spare = u32::try_from(root.len()).unwrap_or(u32::MAX).saturating_sub(self.root.threshold);
        if spare < limits.root.spare_keys {
            return Err(Refusal::new(
                &rules::SPARE_KEYS,
                format!("{} root keys at a threshold of {}", root.len(), self.root.threshold),
                format!(
                    "at least {} more than the threshold, so that losing one loses nothing",
                    limits.root.spare_keys
                ),
            ));
        }
        check_holders(&RoleName::Root, root, threshold(self.root.threshold)?, facts)?;
        check_holders(&RoleName::Targets, targets, threshold(self.targets.threshold)?, facts)?;
        no_software(facts, root, false, &RoleName::Root)?;
        attestation::check(facts, root, limits.root.attested_keys, &RoleName::Root)?;
        attestation::check(facts, targets, limits.targets.attested_keys, &RoleName::Targets)?;
        no_software(facts, targets, limits.targets.software_keys, &RoleName::Targets)
    }

    fn summary(&self, facts: &Facts, root: &[&KeyRecord], targets: &[&KeyRecord]) -> Vec<String> {
        let names = |keys: &[&KeyRecord]| {
            keys.iter().map(|k| format!("{} of {}", k.name, k.holder)).collect::<Vec<_>>().join(", ")
        };
        vec![
            format!("root 1 of {}, valid for {}", facts.trust.collection, self.root.valid_for.0),
            format!("  any {} of: {}", self.root.threshold, names(root)),
            format!("targets 1, empty, valid for {}", self.targets.valid_for.0),
            format!("  any {} of: {}", self.targets.threshold, names(targets)),
            format!(
                "  snapshot by {}, timestamp by {}",
                list(&self.snapshot.keys),
                list(&self.timestamp.keys)
            ),
            format!("limits {} come into force", facts.limits_number),
        ]
    }
}

fn list(names: &[Word<KeyName>]) -> String {
    names.iter().map(|n| n.0.as_str()).collect::<Vec<_>>().join(", ")
}
