//! Who takes part, and what keys are called.

use super::change::Change;
use super::facts::{Facts, KeyRecord};
use super::rules;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::collections::BTreeMap;
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

/// One administrator leads, and as many watch as the limits demand.
///
/// # Errors
///
/// `PEOPLE`, `WITNESSES`.
pub fn check_duties(_people: &BTreeMap<Person, Duty>, _facts: &Facts) -> Result<()> {
    todo!()
}

/// No witness is asked to sign a document, or a statement that acts, of the change they witness.
///
/// # Errors
///
/// `WITNESS-SIGNS`.
pub fn check_witnesses(_change: &Change) -> Result<()> {
    todo!()
}

/// Who holds the keys of a role that a new document lists: for root nobody a threshold of them, for
/// root and targets nobody whom the limits exclude.
///
/// # Errors
///
/// `HOLDER-THRESHOLD`, `PERSON-EXCLUDED`.
pub fn check_holders(
    _role: &RoleName,
    _keys: &[&KeyRecord],
    _threshold: NonZeroU32,
    _facts: &Facts,
) -> Result<()> {
    todo!()
}
