//! Verdicts: what is proven of a key, in words.

use super::Attested;
use super::rules;
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::rule::Refusal;
use std::collections::BTreeMap;

/// What is proven of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its device made it and keeps it, by the vendor's word, and no rule is broken.
    Proven(Attested),
    /// Nothing speaks for it but the word of software.
    Unproven(Unproven),
    /// There is an attestation, and it doesn't hold.
    Failed {
        /// What it says, if a pinned root leads to it.
        attested: Option<Attested>,
        /// Every rule that is broken.
        because: Vec<Refusal>,
    },
}

/// Why nothing is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unproven {
    /// A token that attests nothing: what the record has of it is a module's claim.
    Claimed,
    /// An encrypted file, which can be copied.
    File,
    /// Kept where this record's people can't look.
    Elsewhere,
}

impl Unproven {
    /// By the record's word for what holds the key.
    pub(super) fn of(token: &str) -> Self {
        match token {
            "file" => Self::File,
            "external" | "backend" | "elsewhere" => Self::Elsewhere,
            _ => Self::Claimed,
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Claimed => "attributes claimed, not proven",
            Self::File => "kept in a file, not in hardware",
            Self::Elsewhere => "kept elsewhere, nothing proven",
        }
    }
}

impl Verdict {
    /// Whether it is a proven hardware key.
    pub const fn is_proven(&self) -> bool {
        matches!(self, Self::Proven(_))
    }

    /// In one line.
    pub fn words(&self) -> String {
        match self {
            Self::Proven(attested) => {
                format!("proven hardware key: {}, {}", attested.device(), attested.kept())
            }
            Self::Unproven(why) => why.words().to_owned(),
            Self::Failed { because, .. } => {
                let rules: Vec<_> = because.iter().map(|refusal| refusal.rule().name).collect();
                format!("attestation fails {}", rules.join(", "))
            }
        }
    }

    /// In as many lines as there are reasons.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Proven(_) | Self::Unproven(_) => vec![self.words()],
            Self::Failed { attested, because } => {
                let said = attested.as_ref().map(|a| format!("attested: {}, {}", a.device(), a.kept()));
                said.into_iter().chain(because.iter().map(ToString::to_string)).collect()
            }
        }
    }

    fn attested(&self) -> Option<&Attested> {
        match self {
            Self::Proven(attested) => Some(attested),
            Self::Unproven(_) => None,
            Self::Failed { attested, .. } => attested.as_ref(),
        }
    }

    fn fail(&mut self, refusal: Refusal) {
        match self {
            Self::Proven(attested) => {
                *self = Self::Failed { attested: Some(attested.clone()), because: vec![refusal] };
            }
            Self::Failed { because, .. } => because.push(refusal),
            Self::Unproven(_) => {}
        }
    }
}

/// Fails every key on a device that holds keys of more than one person: whoever has it in their hands
/// has all of them.
pub fn one_holder_each(verdicts: &mut BTreeMap<KeyName, (Person, Verdict)>) {
    let mut holders: BTreeMap<_, BTreeMap<Person, KeyName>> = BTreeMap::new();
    for (name, (holder, verdict)) in &*verdicts {
        if let Some(attested) = verdict.attested() {
            let device = (attested.product, attested.serial);
            holders.entry(device).or_default().entry(holder.clone()).or_insert_with(|| name.clone());
        }
    }
    for (holder, verdict) in verdicts.values_mut() {
        let Some(attested) = verdict.attested() else { continue };
        let Some(all) = holders.get(&(attested.product, attested.serial)) else { continue };
        let Some((other, key)) = all.iter().find(|(other, _)| *other != holder) else { continue };
        let refusal = Refusal::new(
            &rules::ATTESTATION_HOLDER,
            format!("{} {}, which holds {key} of {other} as well", attested.product, attested.serial),
            format!("a device that holds keys of {holder} alone"),
        );
        verdict.fail(refusal);
    }
}
