//! What a runbook that revokes says, and which keys it means.

use super::key_life::Said;
use super::rework::{Delegator, Reissue, Terms};
use super::rules;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::strict::Word;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Term;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) revoke: Revoke,
    pub(super) reissue: Option<Reissue>,
    pub(super) delegator: Option<Delegator>,
    pub(super) root: Option<Top>,
    pub(super) targets: Option<Top>,
    pub(super) declared: Option<Said>,
}

/// Root or targets, which a person leaves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Top {
    #[serde(default)]
    pub(super) replace_with: Vec<Word<KeyName>>,
    pub(super) threshold: Option<u32>,
    pub(super) valid_for: Option<Word<Term>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Revoke {
    pub(super) application: Option<String>,
    pub(super) track: Option<String>,
    pub(super) key: Option<Word<KeyName>>,
    pub(super) person: Option<Word<Person>>,
    pub(super) because: Because,
    #[serde(default)]
    pub(super) replace_with: Vec<Word<KeyName>>,
    pub(super) below_threshold: Option<Below>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Because {
    Left,
    Lost,
    Compromised,
}

/// What becomes of a delegation that keeps fewer keys than its threshold.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Below {
    Lower,
    Remove,
}

impl Because {
    pub(super) const fn event(self) -> Option<KeyEvent> {
        match self {
            Self::Left => None,
            Self::Lost => Some(KeyEvent::Lost),
            Self::Compromised => Some(KeyEvent::Compromised),
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Left => "is no longer needed",
            Self::Lost => "is lost",
            Self::Compromised => "is stolen",
        }
    }
}

impl Spec {
    pub(super) fn terms(&self) -> Terms {
        Terms::of(self.delegator.as_ref(), self.reissue.as_ref())
    }

    pub(super) fn one_of_three(&self) -> Result<()> {
        let Revoke { application, track, key, person, replace_with, below_threshold, .. } = &self.revoke;
        let refuse = |found: &str, expected: &str| {
            Err(Refusal::new(&crate::ceremony::rules::RUNBOOK, found.to_owned(), expected.to_owned()))
        };
        let top = self.root.is_some() || self.targets.is_some() || self.declared.is_some();
        if person.is_none() && top {
            return refuse("[root], [targets] or [declared] without a person", "person, who leaves them too");
        }
        match (application, key, person) {
            (None, None, None) => refuse("[revoke] of nothing", "application, key or person"),
            (_, Some(_), Some(_)) | (Some(_), _, Some(_)) => {
                refuse("[revoke] person beside application or key", "the person alone, everywhere")
            }
            (None, ..) if track.is_some() => refuse("[revoke] track without application", "its application"),
            (Some(_), None, None)
                if !replace_with.is_empty() || below_threshold.is_some() || self.reissue.is_some() =>
            {
                refuse("a whole application with keys to follow", "key, for one that goes on")
            }
            _ => Ok(()),
        }
    }

    /// The one delegation that the runbook names, if it names one.
    pub(super) fn role(&self, facts: &Facts) -> Result<Option<RoleName>> {
        let Some(application) = &self.revoke.application else { return Ok(None) };
        RoleName::application(facts.trust.profile, application, self.revoke.track.as_deref()).map(Some)
    }

    /// The keys that go; none for a whole application.
    pub(super) fn revoked<'a>(&self, facts: &'a Facts) -> Result<Vec<&'a KeyRecord>> {
        let found: Vec<_> = match (&self.revoke.key, &self.revoke.person) {
            (Some(Word(name)), _) => facts.keys.get(name).into_iter().collect(),
            (None, Some(Word(person))) => facts.keys.values().filter(|r| r.holder == *person).collect(),
            (None, None) => return Ok(Vec::new()),
        };
        if found.is_empty() {
            let what = self.revoke.key.as_ref().map(|k| format!("no key {}", k.0));
            let who = self.revoke.person.as_ref().map(|p| format!("no key of {}", p.0));
            return Err(Refusal::new(
                &rules::REVOKE_NOTHING,
                format!("{} in the record", what.or(who).unwrap_or_default()),
                "a key or a holder of the record",
            ));
        }
        Ok(found)
    }
}
