//! `enroll-key`: public keys that were made elsewhere come into the record.
//!
//! A developer's comes with proof of possession. The backend's two can't prove anything to a
//! laptop without a network; people read their digests back.

use super::generate_key::{is_held, not_excluded};
use super::making::name_free;
use super::rules;
use crate::ceremony::change::{Base, Change, EnrolledKey, Frame, Item, Possession, Purpose};
use crate::ceremony::facts::{Enrolment, Facts};
use crate::ceremony::limits::PossessionLimit;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::rule::{Refusal, Result};
use serde::Deserialize;

/// The kind.
pub struct EnrollKey;

impl Kind for EnrollKey {
    fn name(&self) -> &'static str {
        "enroll-key"
    }

    fn purpose(&self) -> &'static str {
        "take in keys made elsewhere: the backend's, a developer's"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    key: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Word<KeyName>,
    holder: Word<Person>,
    purpose: Word<Purpose>,
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let mut items = Vec::new();
        let mut summary = Vec::new();
        for (at, key) in self.key.iter().enumerate() {
            name_free(facts, &key.name.0)?;
            not_excluded(facts, &key.holder.0, key.purpose.0)?;
            let enrolled = key.enrolled(facts)?;
            let identity = enrolled.public.identity();
            let again = |item: &Item| matches!(item, Item::EnrolledKey(e) if e.public.identity() == identity || e.name == key.name.0);
            if items.iter().take(at).any(again) {
                let found = format!("{} twice in the runbook, by name or by its public key", key.name.0);
                return Err(Refusal::new(&rules::KEY_NAME_TAKEN, found, "each key once"));
            }
            if let Some(other) = facts.keys.values().find(|r| r.public.identity() == identity) {
                let found =
                    format!("the public key of {}, which the record has as {}", key.name.0, other.name);
                return Err(Refusal::new(
                    &crate::tuf::rules::KEY_TWO_ROLES,
                    found,
                    "a key of its own for each role",
                ));
            }
            summary.push(format!(
                "{} of {} comes in for {}: {}, {}",
                key.name.0,
                key.holder.0,
                key.purpose.0.name(),
                enrolled.public.describe(),
                identity
            ));
            items.push(Item::EnrolledKey(enrolled));
        }
        if items.is_empty() {
            return Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                "no [[key]] table",
                "one for each key to enroll",
            ));
        }
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        self.key.iter().all(|k| is_held(facts, &k.name.0, &k.holder.0, k.purpose.0))
    }
}

impl Table {
    fn enrolled(&self, facts: &Facts) -> Result<EnrolledKey> {
        let enrolment = facts.enrolments.get(&self.name.0).ok_or_else(|| {
            Refusal::new(
                &rules::ENROLMENT_MISSING,
                format!("no file for {}", self.name.0),
                format!("the file that [enrol.{}] in the device map names", self.name.0),
            )
        })?;
        if enrolment.holder.as_ref().is_some_and(|holder| *holder != self.holder.0) {
            let theirs = enrolment.holder.as_ref().map_or("", Person::as_str);
            return Err(Refusal::new(
                &rules::ENROLMENT_HOLDER,
                format!("an enrolment by {theirs}"),
                format!("one by {}", self.holder.0),
            ));
        }
        if let Some((name, purpose)) = &enrolment.named
            && (*name != self.name.0 || *purpose != self.purpose.0)
        {
            return Err(Refusal::new(
                &rules::ENROLMENT_HOLDER,
                format!("an enrolment of {name} for {}", purpose.name()),
                format!("one of {} for {}", self.name.0, self.purpose.0.name()),
            ));
        }
        Ok(EnrolledKey {
            name: self.name.0.clone(),
            holder: self.holder.0.clone(),
            purpose: self.purpose.0,
            public: enrolment.public.clone(),
            certificate: enrolment.certificate.clone(),
            possession: self.possession(enrolment, facts)?,
        })
    }

    fn possession(&self, enrolment: &Enrolment, facts: &Facts) -> Result<Possession> {
        match (enrolment.statement, self.purpose.0) {
            (Some(statement), _) => Ok(Possession::Proved(statement)),
            (None, Purpose::Snapshot | Purpose::Timestamp) => Ok(Possession::BackendReadBack),
            (None, Purpose::Delegation)
                if facts.limits.delegations.possession == PossessionLimit::FirstPublication =>
            {
                Ok(Possession::ByFirstPublication)
            }
            (None, _) => Err(Refusal::new(
                &rules::POSSESSION,
                format!("a public key of {} without proof of possession", self.name.0),
                "the file that `keyrite developer new` writes, or limits that accept the first publication",
            )),
        }
    }
}
