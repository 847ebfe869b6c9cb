//! The two wire profiles.

use super::rule::{Refusal, Result};
use super::rules;
use std::fmt;
use std::str::FromStr;

/// How documents look on the wire. Chosen once per trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// TUF 1.0.34: python-tuf, tough, go-tuf.
    Tuf,
    /// Notary v1: notary-server, the stock `notary` client.
    Notary,
}

impl Profile {
    /// The word in `trust.json`, runbooks and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tuf => "tuf",
            Self::Notary => "notary",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tuf" => Ok(Self::Tuf),
            "notary" => Ok(Self::Notary),
            other => Err(Refusal::new(
                &rules::PROFILE,
                format!("\"{}\"", super::text::visible(other)),
                "\"tuf\" or \"notary\"",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_words() {
        for profile in [Profile::Tuf, Profile::Notary] {
            assert_eq!(profile.name().parse::<Profile>(), Ok(profile));
        }
        for text in ["", "TUF", "tuf ", "notary-v1"] {
            assert_eq!(text.parse::<Profile>().map_err(|e| e.rule().name), Err("PROFILE"));
        }
    }
}
