//! Who takes part, and what keys are called.

use super::change::{Ask, Change, Item};
use super::facts::{Facts, KeyRecord};
use super::limits::Limits;
use super::rehearsed::speaks_for;
use super::rules;
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A person or organisation, as runbooks and the record call them: `alice`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(String);

/// A key's name in the record: `root-a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

fn name(what: &str, text: &str) -> Result<String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    // Windows and FAT can't hold a folder of these names.
    let device = matches!(text, "con" | "prn" | "aux" | "nul")
        || (text.len() == 4 && (text.starts_with("com") || text.starts_with("lpt")));
    if text.is_empty() || text.len() > 64 || text.starts_with('-') || device || !text.bytes().all(fits) {
        return Err(Refusal::new(
            &rules::NAME,
            format!("{what} \"{}\"", visible(text)),
            "1 to 64 of a-z, 0-9, \"-\" and \"_\", not starting with \"-\", and no device's name",
        ));
    }
    Ok(text.to_owned())
}

macro_rules! named {
    ($type:ident, $what:literal) => {
        impl FromStr for $type {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self> {
                name($what, text).map(Self)
            }
        }

        impl $type {
            /// The text, which is always safe to show.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

named!(Person, "the person");
named!(KeyName, "the key");

/// What someone does in a ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// Leads and runs the tool.
    Administrator,
    /// Brings a token.
    Custodian,
    /// Watches and records; never signs documents in the ceremony they witness.
    Witness,
}

impl Duty {
    /// The word in runbooks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Custodian => "custodian",
            Self::Witness => "witness",
        }
    }
}

impl FromStr for Duty {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Administrator, Self::Custodian, Self::Witness]
            .into_iter()
            .find(|d| d.name() == text)
            .ok_or_else(|| {
                Refusal::new(
                    &rules::DUTY,
                    format!("\"{}\"", visible(text)),
                    "administrator, custodian or witness",
                )
            })
    }
}

/// One administrator leads, and as many watch as the limits demand for the roles that the change
/// signs for.
///
/// # Errors
///
/// `PEOPLE`, `WITNESSES`.
pub fn check_duties(change: &Change, limits: &Limits) -> Result<()> {
    let people = &change.frame.people;
    one_administrator(people)?;
    let watch = people.values().filter(|duty| **duty == Duty::Witness).count();
    let need = speaks_for(change).into_iter().map(|role| limits.witnesses(role)).max().unwrap_or(0);
    if u32::try_from(watch).unwrap_or(u32::MAX) >= need {
        Ok(())
    } else {
        Err(Refusal::new(&rules::WITNESSES, format!("{watch} witnesses"), format!("at least {need}")))
    }
}

/// Exactly one administrator leads.
///
/// # Errors
///
/// `PEOPLE`.
pub fn one_administrator(people: &BTreeMap<Person, Duty>) -> Result<()> {
    match people.values().filter(|duty| **duty == Duty::Administrator).count() {
        1 => Ok(()),
        n => Err(Refusal::new(&rules::PEOPLE, format!("{n} administrators"), "exactly one")),
    }
}

/// No witness is asked to sign a document, or a statement that acts, of the change they witness.
/// That a witness answers a roll-call is no harm.
///
/// # Errors
///
/// `WITNESS-SIGNS`.
pub fn check_witnesses(change: &Change) -> Result<()> {
    for item in &change.items {
        let acts = match item {
            Item::Statement { payload, .. } => {
                !matches!(payload.sentence(), Sentence::RollCall { .. } | Sentence::TranscriptHead { .. })
            }
            _ => true,
        };
        let witness = |ask: &&Ask| change.frame.people.get(&ask.holder) == Some(&Duty::Witness);
        if let Some(ask) = item.asked().iter().find(witness).filter(|_| acts) {
            return Err(Refusal::new(
                &rules::WITNESS_SIGNS,
                format!("{}, a witness, asked to sign {} with {}", ask.holder, item.title(), ask.key),
                "signers who don't witness this ceremony",
            ));
        }
    }
    Ok(())
}

/// Who holds the keys of a role that a new document lists: for root nobody a threshold of them, for
/// root and targets nobody whom the limits exclude.
///
/// # Errors
///
/// `HOLDER-THRESHOLD`, `PERSON-EXCLUDED`.
pub fn check_holders(
    role: &RoleName,
    keys: &[&KeyRecord],
    threshold: NonZeroU32,
    facts: &Facts,
) -> Result<()> {
    if *role == RoleName::Root {
        no_holder_threshold(keys, threshold.get())?;
    }
    let guarded = matches!(role, RoleName::Root | RoleName::Targets);
    let excluded = |key: &&&KeyRecord| facts.limits.ceremony.excluded.contains(&key.holder);
    match keys.iter().find(excluded).filter(|_| guarded) {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            &rules::PERSON_EXCLUDED,
            format!("{}, held by {}, for {role}", key.name, key.holder),
            "a holder whom the limits don't exclude",
        )),
    }
}

/// Nobody holds a threshold of these keys.
fn no_holder_threshold(keys: &[&KeyRecord], threshold: u32) -> Result<()> {
    let mut held: BTreeMap<&Person, BTreeSet<KeyIdentity>> = BTreeMap::new();
    for key in keys {
        held.entry(&key.holder).or_default().insert(key.public.identity());
    }
    match held.iter().find(|(_, keys)| u32::try_from(keys.len()).unwrap_or(u32::MAX) >= threshold) {
        None => Ok(()),
        Some((person, keys)) => Err(Refusal::new(
            &rules::HOLDER_THRESHOLD,
            format!("{person} with {} root keys at a threshold of {threshold}", keys.len()),
            "nobody with as many keys as the threshold",
        )),
    }
}
