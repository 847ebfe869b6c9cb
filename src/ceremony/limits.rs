//! Limits: numbers and closed choices that a trust sets, each at least as strict as its floor.
//!
//! A limit can't be set for one ceremony: the file is bound by digest into every change, and its
//! successor is signed by the root threshold. A missing member has the built-in value.

pub use super::limits_moved::{Direction, differences};

use super::address::Address;
use super::limits_moved::length;
use super::people::{KeyName, Person};
use super::{limits_toml, rules, strict};
use crate::tuf::client::known::Known;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Unit};
use std::collections::BTreeSet;

/// As long as `sign-within` may ever be.
const LONGEST_SIGN_WITHIN: Term = Term::new(1, Unit::Years);

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `[root]`
    pub root: RootLimits,
    /// `[targets]`
    pub targets: TargetsLimits,
    /// `[delegations]`
    pub delegations: DelegationLimits,
    /// `[ceremony]`
    pub ceremony: CeremonyLimits,
    /// `[online]`
    pub online: OnlineLimits,
    /// `[clients] named`: whom customers run beside the profile's reference client; losing one of
    /// them stops a change.
    pub clients: BTreeSet<ClientName>,
    /// `[clients] oldest-root`: the oldest root that is still in the field. Losing clients of an
    /// older one is told and stops nothing. None is the first in the record.
    pub oldest_root: Option<u64>,
}

/// What holds for root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootLimits {
    /// The least threshold; never under 2.
    pub threshold_floor: u32,
    /// Keys beyond the threshold that a root must list, so that one loss is no disaster.
    pub spare_keys: u32,
    /// The most keys that change from one root to the next, one that takes another's place being
    /// one; none is any number.
    pub keys_changed: Option<u32>,
    /// The longest time from `held-at` to the expiry; never over 10 years.
    pub max_valid_for: Term,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
    /// Whether a key that comes in must be a proven hardware key.
    pub attested_keys: bool,
}

/// What holds for the top-level targets role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsLimits {
    /// The least threshold.
    pub threshold_floor: u32,
    /// The longest time from `held-at` to the expiry; never over 3 years.
    pub max_valid_for: Term,
    /// Whether its keys may be encrypted files.
    pub software_keys: bool,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
    /// Whether a key that comes in must be a proven hardware key.
    pub attested_keys: bool,
}

/// What holds for every delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationLimits {
    /// The least threshold.
    pub threshold_floor: u32,
    /// The longest time from `held-at` to the expiry; never over 3 years.
    pub max_valid_for: Term,
    /// Whether its keys may be encrypted files.
    pub software_keys: bool,
    /// The least number of witnesses.
    pub witnesses: u32,
    /// Whether the very same runbook must have been rehearsed.
    pub rehearsed: bool,
    /// How a developer's key is known to be in its holder's hands.
    pub possession: PossessionLimit,
}

/// What a delegation's key needs before it is granted anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PossessionLimit {
    /// `proved`: a possession statement.
    Proved,
    /// `first-publication`: the first document that it signs and that clients accept.
    FirstPublication,
}

/// What holds for every ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeremonyLimits {
    /// The longest time from `held-at` to `sign-by`; never over a year.
    pub sign_within: Term,
    /// How old the newest transcript or import may be at `plan` and `sign`; never over 90 days.
    pub record_no_older: Term,
    /// People who may hold no key of root and targets.
    pub excluded: BTreeSet<Person>,
    /// Whether none is held while a network interface is up; for one that signs root that holds anyway.
    pub offline: bool,
    /// Whether none is held by a process that could not give up all that it should.
    pub confined: bool,
    /// Where modules may connect to beyond the machine that they are loaded on. What signs root is
    /// offline anyway.
    pub connections: BTreeSet<Address>,
}

/// Keys that `sign-snapshot --unattended` may use, in profile `tuf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnlineLimits {
    /// For the snapshot role.
    pub snapshot: BTreeSet<KeyName>,
    /// For the timestamp role.
    pub timestamp: BTreeSet<KeyName>,
}

/// A client of the table, by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientName(&'static str);

impl std::borrow::Borrow<str> for ClientName {
    fn borrow(&self) -> &str {
        self.0
    }
}

impl std::fmt::Display for ClientName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::str::FromStr for ClientName {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        Known::named(text).map(|known| Self(known.name)).ok_or_else(|| {
            let names: Vec<_> = Known::ALL.iter().map(|known| known.name).collect();
            let found = format!("\"{}\"", crate::tuf::text::visible(text));
            Refusal::new(&rules::LIMITS_FORM, found, names.join(", "))
        })
    }
}

impl Limits {
    /// What `init` starts from, and what a missing member has, in either profile.
    pub fn default_for(_profile: Profile) -> Self {
        Self {
            root: RootLimits {
                threshold_floor: 2,
                spare_keys: 1,
                keys_changed: None,
                max_valid_for: Term::new(3, Unit::Years),
                witnesses: 1,
                rehearsed: false,
                attested_keys: false,
            },
            targets: TargetsLimits {
                threshold_floor: 1,
                max_valid_for: Term::new(2, Unit::Years),
                software_keys: false,
                witnesses: 0,
                rehearsed: false,
                attested_keys: false,
            },
            delegations: DelegationLimits {
                threshold_floor: 1,
                max_valid_for: Term::new(2, Unit::Years),
                software_keys: true,
                witnesses: 0,
                rehearsed: false,
                possession: PossessionLimit::Proved,
            },
            ceremony: CeremonyLimits {
                sign_within: Term::new(30, Unit::Days),
                record_no_older: Term::new(14, Unit::Days),
                excluded: BTreeSet::new(),
                offline: false,
                confined: false,
                connections: BTreeSet::new(),
            },
            online: OnlineLimits::default(),
            clients: BTreeSet::new(),
            oldest_root: None,
        }
    }

    /// Reads a limits file.
    ///
    /// # Errors
    ///
    /// `LIMITS-FORM` with line and column, `RECORD-FORMAT`, `LIMITS-FLOOR` naming the member that
    /// is looser than keyrite ever allows.
    pub fn parse(text: &str, profile: Profile) -> Result<Self> {
        let file: limits_toml::File = strict::read(text, &rules::LIMITS_FORM, "the limits")?;
        strict::format_one(file.format, "limits")?;
        let limits = file.members().over(Self::default_for(profile));
        limits.check_floor()?;
        Ok(limits)
    }

    /// Refuses limits looser than the built-in floor; whoever builds limits otherwise than by
    /// reading them calls this.
    ///
    /// # Errors
    ///
    /// `LIMITS-FLOOR` naming the first member.
    pub fn check_floor(&self) -> Result<()> {
        let least = [
            ("[root] threshold-floor", self.root.threshold_floor, 2),
            ("[targets] threshold-floor", self.targets.threshold_floor, 1),
            ("[delegations] threshold-floor", self.delegations.threshold_floor, 1),
        ];
        for (member, value, floor) in least {
            if value < floor {
                return Err(below(member, &value.to_string(), &format!("at least {floor}")));
            }
        }
        if self.root.keys_changed == Some(0) {
            return Err(below("[root] keys-changed", "0", "at least 1, or left out for any number"));
        }
        if self.oldest_root == Some(0) {
            return Err(below("[clients] oldest-root", "0", "at least 1, or left out for every root"));
        }
        let most = [
            ("[root] max-valid-for", self.root.max_valid_for, Term::new(10, Unit::Years)),
            ("[targets] max-valid-for", self.targets.max_valid_for, Term::new(3, Unit::Years)),
            ("[delegations] max-valid-for", self.delegations.max_valid_for, Term::new(3, Unit::Years)),
            ("[ceremony] sign-within", self.ceremony.sign_within, LONGEST_SIGN_WITHIN),
            ("[ceremony] record-no-older", self.ceremony.record_no_older, Term::new(90, Unit::Days)),
        ];
        for (member, value, floor) in most {
            if length(value) > length(floor) {
                return Err(below(member, &value.to_string(), &format!("at most {floor}")));
            }
        }
        Ok(())
    }

    /// Refuses a new root that changes more keys than may change at once.
    ///
    /// # Errors
    ///
    /// `KEYS-CHANGED`.
    pub fn check_keys_changed<T: Ord>(&self, old: &BTreeSet<T>, new: &BTreeSet<T>) -> Result<()> {
        let changed = old.difference(new).count().max(new.difference(old).count());
        match self.root.keys_changed {
            Some(most) if usize::try_from(most).is_ok_and(|most| changed > most) => Err(Refusal::new(
                &rules::KEYS_CHANGED,
                format!("{changed} keys changed in one root"),
                format!("at most {most}, as the limits in force say"),
            )),
            _ => Ok(()),
        }
    }

    /// The least number of witnesses of a change that signs for `role`; none for online roles.
    pub fn witnesses(&self, role: &RoleName) -> u32 {
        match role {
            RoleName::Root => self.root.witnesses,
            RoleName::Targets => self.targets.witnesses,
            RoleName::Delegated(_) => self.delegations.witnesses,
            RoleName::Snapshot | RoleName::Timestamp => 0,
        }
    }

    /// Whether clients of that root may be lost, as those of roots before the oldest in the field.
    pub fn given_up(&self, root: u64) -> bool {
        self.oldest_root.is_some_and(|oldest| root < oldest)
    }

    /// Whether a change that signs for `role` must have been rehearsed.
    pub fn rehearsed(&self, role: &RoleName) -> bool {
        match role {
            RoleName::Root => self.root.rehearsed,
            RoleName::Targets => self.targets.rehearsed,
            RoleName::Delegated(_) => self.delegations.rehearsed,
            RoleName::Snapshot | RoleName::Timestamp => false,
        }
    }

    /// The file, every member written out.
    pub fn to_toml(&self) -> String {
        limits_toml::write(self)
    }
}

fn below(member: &str, found: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::LIMITS_FLOOR, format!("{member} = {found}"), expected)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use super::*;

    fn parse(text: &str) -> Result<Limits> {
        Limits::parse(text, Profile::Notary)
    }

    #[test]
    fn what_is_missing_has_the_built_in_value() {
        let default = Limits::default_for(Profile::Notary);
        assert_eq!(parse("format = 1").unwrap(), default);
        assert_eq!(parse("format = 1\n[root]\nwitnesses = 1\n[online]").unwrap(), default);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for profile in [Profile::Tuf, Profile::Notary] {
            let mut limits = Limits::default_for(profile);
            assert_eq!(Limits::parse(&limits.to_toml(), profile).unwrap(), limits);
            limits.root.threshold_floor = 4;
            limits.root.spare_keys = 0;
            limits.root.keys_changed = Some(2);
            limits.root.max_valid_for = Term::new(18, Unit::Months);
            limits.root.witnesses = 2;
            limits.root.rehearsed = true;
            limits.root.attested_keys = true;
            limits.targets.threshold_floor = 2;
            limits.targets.max_valid_for = Term::new(90, Unit::Days);
            limits.targets.software_keys = true;
            limits.targets.witnesses = 3;
            limits.targets.rehearsed = true;
            limits.targets.attested_keys = true;
            limits.delegations.threshold_floor = 3;
            limits.delegations.max_valid_for = Term::new(5, Unit::Weeks);
            limits.delegations.software_keys = false;
            limits.delegations.witnesses = 1;
            limits.delegations.rehearsed = true;
            limits.delegations.possession = PossessionLimit::FirstPublication;
            limits.ceremony.sign_within = Term::new(48, Unit::Hours);
            limits.ceremony.record_no_older = Term::new(1, Unit::Days);
            (limits.ceremony.offline, limits.ceremony.confined) = (true, true);
            limits.ceremony.connections =
                ["192.0.2.7:1792", "[2001:db8::7]:1"].map(|a| a.parse().unwrap()).into();
            limits.ceremony.excluded = ["carol", "dana"].map(|p| p.parse().unwrap()).into();
            limits.online.snapshot = ["snapshot-a"].map(|p| p.parse().unwrap()).into();
            limits.online.timestamp = ["timestamp-a"].map(|p| p.parse().unwrap()).into();
            limits.oldest_root = Some(7);
            limits.clients = ["tough", "go-tuf"].map(|c| c.parse().unwrap()).into();
            assert_eq!(Limits::parse(&limits.to_toml(), profile).unwrap(), limits);
        }
    }

    #[test]
    fn the_page_shows_the_built_in_values() {
        let page = include_str!("../../ceremonies/FORMAT.md");
        let start = page.find("    format = 1\n").unwrap();
        let lines = page[start..].lines().take_while(|line| line.starts_with("    "));
        let example = lines.map(|line| &line[4..]).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(&example).unwrap(), Limits::default_for(Profile::Notary));
        for line in Limits::default_for(Profile::Notary).to_toml().lines() {
            let there = example.lines().any(|l| l.split('#').next().unwrap().trim_end() == line);
            assert!(there, "FORMAT.md lacks the line: {line}");
        }
    }

    #[test]
    fn what_is_not_a_limits_file_is_refused_where_it_stands() {
        let table = [
            ("unknown member", "format = 1\n[root]\nthreshhold-floor = 2", "LIMITS-FORM", "line 3, column 1"),
            ("unknown table", "format = 1\n[rooot]\n", "LIMITS-FORM", "line 2, column 2"),
            ("no format", "[root]\nwitnesses = 1", "LIMITS-FORM", "format"),
            ("another format", "format = 2", "RECORD-FORMAT", "format 2"),
            ("wrong type", "format = 1\n[root]\nwitnesses = \"1\"", "LIMITS-FORM", "line 3, column 13"),
            ("negative", "format = 1\n[root]\nwitnesses = -1", "LIMITS-FORM", "line 3, column 13"),
            ("no term", "format = 1\n[root]\nmax-valid-for = \"long\"", "LIMITS-FORM", "line 3, column 17"),
            ("no name", "format = 1\n[ceremony]\nexcluded = [\"Bob\"]", "LIMITS-FORM", "line 3, column 13"),
            (
                "no choice",
                "format = 1\n[delegations]\npossession = \"no\"",
                "LIMITS-FORM",
                "line 3, column 14",
            ),
            (
                "no address",
                "format = 1\n[ceremony]\nconnections = [\"hsm:1\"]",
                "LIMITS-FORM",
                "line 3, column 16",
            ),
            ("no client", "format = 1\n[clients]\nnamed = [\"curl\"]", "LIMITS-FORM", "line 3, column 10"),
            ("member twice", "format = 1\n[root]\nwitnesses = 1\nwitnesses = 2", "LIMITS-FORM", "line 4"),
            ("no TOML", "format = 1\n[root", "LIMITS-FORM", "line 2"),
        ];
        for (what, text, rule, place) in table {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{what}: {refusal}");
            assert!(refusal.found().contains(place), "{what}: {refusal}");
        }
    }

    #[test]
    fn nothing_is_looser_than_the_floor() {
        // table, member, loosest value allowed, first value refused.
        let table = [
            ("root", "threshold-floor", "2", "1"),
            ("root", "threshold-floor", "3", "0"),
            ("root", "max-valid-for", "\"10 years\"", "\"121 months\""),
            ("targets", "threshold-floor", "1", "0"),
            ("targets", "max-valid-for", "\"36 months\"", "\"1097 days\""),
            ("delegations", "threshold-floor", "1", "0"),
            ("delegations", "max-valid-for", "\"3 years\"", "\"4 years\""),
            ("clients", "oldest-root", "1", "0"),
            ("ceremony", "sign-within", "\"12 months\"", "\"366 days\""),
            ("ceremony", "sign-within", "\"1 hour\"", "\"65535 years\""),
            ("ceremony", "record-no-older", "\"90 days\"", "\"2161 hours\""),
        ];
        for (name, member, most, over) in table {
            let text = |value| format!("format = 1\n[{name}]\n{member} = {value}");
            parse(&text(most)).unwrap();
            let refusal = parse(&text(over)).unwrap_err();
            assert_eq!(refusal.rule().name, "LIMITS-FLOOR", "{member} = {over}");
            assert!(refusal.found().contains(&format!("[{name}] {member}")), "{refusal}");
        }
    }

    #[test]
    fn no_more_keys_change_than_may() {
        // The most, keys before and after; whether it is refused.
        let table = [
            (None, "abc", "def", false),
            (Some(1), "abc", "abc", false),
            (Some(1), "abc", "abd", false),
            (Some(1), "abc", "abcd", false),
            (Some(1), "abc", "ab", false),
            (Some(1), "abc", "ade", true),
            (Some(1), "abc", "abcde", true),
            (Some(1), "abc", "a", true),
            (Some(2), "abc", "ade", false),
            (Some(2), "abc", "def", true),
        ];
        for (most, old, new, refused) in table {
            let mut limits = Limits::default_for(Profile::Tuf);
            limits.root.keys_changed = most;
            let result = limits.check_keys_changed(&old.chars().collect(), &new.chars().collect());
            let rule = result.err().map(|refusal| refusal.rule().name);
            assert_eq!(rule, refused.then_some("KEYS-CHANGED"), "{most:?} {old} {new}");
        }
        assert_eq!(parse("format = 1\n[root]\nkeys-changed = 0").unwrap_err().rule().name, "LIMITS-FLOOR");
    }
}
