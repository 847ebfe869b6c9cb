//! Secrets that another tool has split, as runbooks and changes name them.
//!
//! Which tool it was people say, and keyrite never guesses: shares of one tool can look like shares of
//! another and would give another secret. None of these shares has a checksum, a name of its set or a
//! digest of the secret, so what they give is proven by nothing but the copy that it opens.
//!
//! Nothing is dealt out in these forms: keyrite's own cards are SLIP-39 ([`super::share_manifest`]).

use super::members::{Reader, number};
use super::rules;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::fmt;
use std::str::FromStr;

/// The most shares that are brought to one restoring.
const MOST: u8 = 16;

/// What made the shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Yubico's yubihsm-setup, all versions.
    YubiHsmSetup,
    /// Yubico's yubihsm-manager, which came after it.
    YubiHsmManager,
    /// Vault, its fork, and programs with that package of theirs.
    Vault,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Self; 3] = [Self::YubiHsmSetup, Self::YubiHsmManager, Self::Vault];

    /// The word in runbooks and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::YubiHsmSetup => "yubihsm-setup",
            Self::YubiHsmManager => "yubihsm-manager",
            Self::Vault => "vault",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tool {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == text).ok_or_else(|| {
            let found = format!("shares made by \"{}\"", visible(text));
            Refusal::new(&rules::RUNBOOK, found, Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// A secret that a tool has split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolSplit {
    tool: Tool,
    needed: u8,
    brought: u8,
}

impl ToolSplit {
    /// Shares of a tool, `needed` of which give the secret, and `brought` of which come together: those
    /// beyond the needed ones have to fit.
    ///
    /// # Errors
    ///
    /// `RUNBOOK` for one alone, which is the secret in clear, for more than 16, and for fewer than needed.
    pub fn new(tool: Tool, needed: u8, brought: u8) -> Result<Self> {
        if (2..=MOST).contains(&needed) && (needed..=MOST).contains(&brought) {
            return Ok(Self { tool, needed, brought });
        }
        let found = format!("{brought} shares brought, {needed} needed");
        Err(Refusal::new(&rules::RUNBOOK, found, "2 or more needed, as many or more brought, at most 16"))
    }

    /// What made the shares.
    pub const fn tool(self) -> Tool {
        self.tool
    }

    /// How many give the secret.
    pub const fn needed(self) -> u8 {
        self.needed
    }

    /// How many come together.
    pub const fn brought(self) -> u8 {
        self.brought
    }

    pub(super) fn to_json(self) -> Json {
        object([
            ("brought", number(self.brought.into())),
            ("needed", number(self.needed.into())),
            ("split-with", self.tool.name().into()),
        ])
    }

    pub(super) fn read(mut from: Reader<'_>) -> Result<Self> {
        let mut small = |name: &str| from.number(name).map(|n| u8::try_from(n).unwrap_or(u8::MAX));
        let (brought, needed) = (small("brought")?, small("needed")?);
        let split = Self::new(from.parsed("split-with")?, needed, brought)?;
        from.done()?;
        Ok(split)
    }
}

impl fmt::Display for ToolSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shares of {}, {} of which are enough", self.brought, self.tool, self.needed)
    }
}
