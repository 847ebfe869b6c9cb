//! `certify-key`: a root key of profile `notary` signs a new certificate over itself.
//!
//! The next root lists it; until then clients know the key by the old one. The key proves its
//! possession once more, so that each of its files stands on a proof of its own.

use super::generate_key::certificate;
use super::making::records;
use super::root_members::listed_entries;
use crate::ceremony::change::{Base, Change, Frame, Item, NewCertificate, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::certificate::leaf;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Time, Unit};
use serde::Deserialize;

/// The kind.
pub struct CertifyKey;

impl Kind for CertifyKey {
    fn name(&self) -> &'static str {
        "certify-key"
    }

    fn purpose(&self) -> &'static str {
        "renew the certificate of a root key, for the next root to list"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    certificate: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    key: Word<KeyName>,
    /// A certificate that lives longer than this is left as it is: the very same runbook is held
    /// again in later years.
    #[serde(default = "nine_years")]
    within: Word<Term>,
}

fn nine_years() -> Word<Term> {
    Word(Term::new(9, Unit::Years))
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        if facts.trust.profile == Profile::Tuf {
            return Err(Refusal::new(
                &crate::tuf::rules::KEY_PROFILE,
                "a certificate in profile tuf",
                "a key without one",
            ));
        }
        let record = records(facts, std::slice::from_ref(&self.certificate.key), Purpose::Root)?.remove(0);
        let template = certificate(frame, facts, &record.name)?;
        let until =
            end(record).map_or("never certified before".to_owned(), |end| format!("the old one ends {end}"));
        let summary = vec![format!(
            "{} of {} gets a new certificate until {}: {until}",
            record.name, record.holder, template.not_after
        )];
        let item = Item::Certificate(NewCertificate {
            key: record.name.clone(),
            identity: record.public.identity(),
            template,
            replaces: record.file,
        });
        Ok(Change::new(frame, facts, Base::default(), vec![item], summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let Some(record) = facts.keys.get(&self.certificate.key.0) else { return false };
        // One that waits for its root is the new one.
        let (listed, _) = listed_entries(facts, &RoleName::Root).unwrap_or_default();
        let own = listed.iter().find(|member| member.record.is_some_and(|r| r.name == record.name));
        if own.is_some_and(|member| member.entry.certificate != record.certificate) {
            return true;
        }
        let end = end(record);
        let due = facts.today.plus(self.certificate.within.0);
        matches!((end, due), (Some(end), Ok(due)) if end > due)
    }
}

fn end(record: &KeyRecord) -> Option<Time> {
    leaf(record.certificate.as_deref()?).ok().map(|leaf| leaf.not_after)
}
