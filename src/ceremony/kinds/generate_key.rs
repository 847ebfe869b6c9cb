//! `generate-key`: keys are made on tokens, prove their possession and, for root keys of profile
//! `notary`, sign their own certificate.

use super::making::{name_free, software_allowed};
use super::rules;
use crate::ceremony::change::{Base, CertificateTemplate, Change, Frame, Item, NewKey, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::key::{Algorithm, KeySpec};
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Unit};
use serde::Deserialize;

/// The kind.
pub struct GenerateKey;

impl Kind for GenerateKey {
    fn name(&self) -> &'static str {
        "generate-key"
    }

    fn purpose(&self) -> &'static str {
        "make keys on tokens"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

/// `[[key]]` tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    key: Vec<KeyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    name: Word<KeyName>,
    holder: Word<Person>,
    purpose: Word<Purpose>,
    #[serde(default = "p256")]
    algorithm: Word<KeySpec>,
    /// The wrap key under which it is to be able to leave its token, for a `back-up`.
    #[serde(default, rename = "wrap-key")]
    wrap_key: Option<Word<KeyName>>,
}

fn p256() -> Word<KeySpec> {
    Word(KeySpec::EcdsaP256)
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let mut items = Vec::new();
        let mut summary = Vec::new();
        for (at, key) in self.key.iter().enumerate() {
            if self.key.iter().take(at).any(|earlier| earlier.name.0 == key.name.0) {
                let found = format!("{} twice in the runbook", key.name.0);
                return Err(Refusal::new(&rules::KEY_NAME_TAKEN, found, "a name of its own for each key"));
            }
            let new = NewKeyOf {
                name: &key.name.0,
                holder: &key.holder.0,
                purpose: key.purpose.0,
                spec: key.algorithm.0,
                exportable_under: key.wrap_key.as_ref().map(|name| &name.0),
            };
            items.push(Item::NewKey(new.item(frame, facts)?));
            summary.push(new.sentence());
        }
        if items.is_empty() {
            return Err(Refusal::new(
                &crate::ceremony::rules::RUNBOOK,
                "no [[key]] table",
                "one for each key to make",
            ));
        }
        Ok(Change::new(frame, facts, Base::default(), items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        self.key.iter().all(|k| is_held(facts, &k.name.0, &k.holder.0, k.purpose.0))
    }
}

/// A key to be made, as `generate-key` and `issue-targets-key` ask for it.
pub struct NewKeyOf<'a> {
    pub name: &'a KeyName,
    pub holder: &'a Person,
    pub purpose: Purpose,
    pub spec: KeySpec,
    pub exportable_under: Option<&'a KeyName>,
}

impl NewKeyOf<'_> {
    /// The item, once everything about it is in order.
    pub fn item(&self, frame: &Frame, facts: &Facts) -> Result<NewKey> {
        name_free(facts, self.name)?;
        not_excluded(facts, self.holder, self.purpose)?;
        let software = facts.devices.get(self.name).is_some_and(|device| device.software);
        if software && !software_allowed(facts, self.purpose) {
            let found = format!("{}, a {} key in a file or in a vault", self.name, self.purpose.name());
            return Err(Refusal::new(&rules::KEY_SOFTWARE, found, "a token for it in the device map"));
        }
        if matches!(self.purpose, Purpose::Snapshot | Purpose::Timestamp)
            && facts.trust.profile == Profile::Notary
        {
            let found = format!("{}, to be made for {}", self.name, self.purpose.name());
            return Err(Refusal::new(&rules::KEY_PURPOSE, found, "a key that the backend makes; enroll it"));
        }
        let certified = self.purpose == Purpose::Root && facts.trust.profile == Profile::Notary;
        if certified && self.spec.algorithm() == Algorithm::Ed25519 {
            let found = format!("{}, an Ed25519 root key", self.name);
            return Err(Refusal::new(&rules::KEY_NOTARY_ROOT, found, "p256, p384, rsa-3072 or rsa-4096"));
        }
        let certificate = if certified { Some(certificate(frame, facts, self.name)?) } else { None };
        Ok(NewKey {
            name: self.name.clone(),
            holder: self.holder.clone(),
            purpose: self.purpose,
            spec: self.spec,
            certificate,
            exportable_under: self.exportable_under.cloned(),
        })
    }

    /// For the summary.
    pub fn sentence(&self) -> String {
        let made = format!(
            "{} makes the key {} ({}) for {}",
            self.holder,
            self.name,
            self.spec,
            self.purpose.name()
        );
        match self.exportable_under {
            None => made,
            Some(under) => format!("{made}; it can leave its token, wrapped under {under}"),
        }
    }
}

/// The certificate that a root key of profile `notary` signs over itself: of the collection, for
/// ten years from the day before `held-at`.
pub fn certificate(frame: &Frame, facts: &Facts, key: &KeyName) -> Result<CertificateTemplate> {
    // Unique for the collection without a source of chance of its own: the change's nonce and
    // the key's name. The first bit is cleared, since serial numbers are positive.
    let mut seed = frame.nonce.to_vec();
    seed.extend_from_slice(key.as_str().as_bytes());
    let mut serial = [0u8; 16];
    for (to, from) in serial.iter_mut().zip(Digest::of(&seed).as_bytes()) {
        *to = *from;
    }
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(CertificateTemplate {
        common_name: facts.trust.collection.clone(),
        serial,
        not_before: frame.held_at.minus(Term::new(1, Unit::Days))?,
        not_after: frame.held_at.plus(Term::new(10, Unit::Years))?,
    })
}

/// Whether that key is in the record, as the runbook asks for it.
pub fn is_held(facts: &Facts, name: &KeyName, holder: &Person, purpose: Purpose) -> bool {
    facts.keys.get(name).is_some_and(|r| r.holder == *holder && r.purpose == purpose)
}

/// Refuses a holder of a root or targets key whom the limits exclude.
///
/// # Errors
///
/// `PERSON-EXCLUDED`.
pub fn not_excluded(facts: &Facts, holder: &Person, purpose: Purpose) -> Result<()> {
    let guarded = matches!(purpose, Purpose::Root | Purpose::Targets);
    if guarded && facts.limits.ceremony.excluded.contains(holder) {
        return Err(Refusal::new(
            &crate::ceremony::rules::PERSON_EXCLUDED,
            format!("{holder} as the holder of a {} key", purpose.name()),
            "someone whom the limits do not exclude",
        ));
    }
    Ok(())
}
