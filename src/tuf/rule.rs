//! Rules: the permanent names of everything keyrite can refuse.
//!
//! A refusal is data: the rule, what was found, what was expected. The rule itself carries where
//! it comes from and what a person does next, so that the screen, `RULES.md` and the exit code
//! can't drift apart. Every layer lists its own rules in its `rules.rs`; there is one error type
//! for the whole library (and not one enum a layer, as the style page has it), because a custodian
//! at 2 a.m. needs the same four facts whichever layer speaks.

use std::fmt;

/// What a refusal means to the caller of the program, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: a warning: it is said in the summary and the plan, and nothing is refused.
    Warned,
    /// 1: refused by a rule or by a person.
    Refused,
    /// 2: bad usage, runbook or missing answer.
    Usage,
    /// 3: a token or a medium failed.
    Device,
    /// 4: incomplete, signatures still missing.
    Incomplete,
    /// 130: interrupted by a person.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Warned => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Device => 3,
            Self::Incomplete => 4,
            Self::Interrupted => 130,
        }
    }
}

/// A named check that can't be turned off.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Permanent name, as in `RULES.md`: `ROOT-THRESHOLD-OLD`.
    pub name: &'static str,
    /// How the process ends when this rule refuses.
    pub exit: Exit,
    /// What is checked, one sentence, no full stop.
    pub checks: &'static str,
    /// Where the rule comes from: "TUF 5.3.4", "notary-v1 4.2", "threats T7", "design".
    pub source: &'static str,
    /// What the person does next, one sentence, no full stop.
    pub next: &'static str,
}

impl Rule {
    /// A warning by this rule, for summaries: its name, what was found, what a person does next.
    pub fn warning(&self, found: &str) -> String {
        format!("{}: {found}; {}", self.name, self.next)
    }
}

/// Declares rules as constants and lists them, so that none is forgotten in `RULES.md`.
///
/// ```text
/// rules! {
///     KEY_ID: "KEY-ID", Refused, "a key's declared id is the digest of its content",
///         "TUF 4.2", "ask who made the document; do not sign it";
/// }
/// ```
#[macro_export]
macro_rules! rules {
    ($($ident:ident: $name:literal, $exit:ident, $checks:literal, $source:literal, $next:literal;)*) => {
        $(
            #[doc = $checks]
            #[doc = concat!("(", $source, ").")]
            pub const $ident: $crate::tuf::rule::Rule = $crate::tuf::rule::Rule {
                name: $name,
                exit: $crate::tuf::rule::Exit::$exit,
                checks: $checks,
                source: $source,
                next: $next,
            };
        )*
        /// Every rule of this layer, in the order of `RULES.md`.
        pub const ALL: &[&$crate::tuf::rule::Rule] = &[$(&$ident),*];
    };
}

/// One refusal: a rule, what was found, what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    rule: &'static Rule,
    found: String,
    expected: String,
}

/// The result of everything in keyrite that can be refused.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    /// A refusal by `rule`. `found` and `expected` carry units and paths; text that came from a
    /// document, a token or a medium goes through [`super::text::visible`] first.
    pub fn new(rule: &'static Rule, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { rule, found: found.into(), expected: expected.into() }
    }

    /// The rule that refused.
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// What was found.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What was expected.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// The same refusal, with where it happened put before what was found.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.found = format!("{place}: {}", self.found);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.rule.name, self.found, self.expected)
    }
}

impl std::error::Error for Refusal {}
