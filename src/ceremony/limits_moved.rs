//! What one limits file allows more or less of than another, in words for people who sign it.
//!
//! A loosening is never shown as a tightening: where two terms are each the longer from some days, either
//! way counts as looser. All of it is reached through [`limits`](super::limits).

use super::limits::{Limits, PossessionLimit, RootLimits};
use crate::tuf::time::{Term, Time};
use std::collections::BTreeSet;

/// Which way a limit has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// More is allowed than before.
    Loosening,
    /// Less is allowed than before.
    Tightening,
}

/// How long a term is from the first day of a common year, to compare terms of different units.
pub(super) fn length(term: Term) -> i64 {
    let [start, ..] = STARTS;
    length_from(start, term)
}

fn length_from(start: i64, term: Term) -> i64 {
    let end = Time::from_unix(start).and_then(|start| start.plus(term));
    end.map_or(i64::MAX, |end| end.unix().saturating_sub(start))
}

/// The first days of a common year, of its February, and of a leap year: a month and 30 days, or a year
/// and 365 days, are each the longer one from some of them. A term that is longer from any is looser.
const STARTS: [i64; 3] = [978_307_200, 980_985_600, 1_072_915_200];

/// What changes between two limits files, in words, loosenings first.
pub fn differences(old: &Limits, new: &Limits) -> Vec<(String, Direction)> {
    let mut found = Compared::default();
    let (was, is) = (&old.root, &new.root);
    found.more_is_tighter("root: threshold at least", was.threshold_floor, is.threshold_floor);
    found.more_is_tighter("root: spare keys", was.spare_keys, is.spare_keys);
    let changed = |limits: &RootLimits| limits.keys_changed.unwrap_or(u32::MAX);
    if changed(was) != changed(is) {
        let word =
            |limits: &RootLimits| limits.keys_changed.map_or("any number".to_owned(), |n| n.to_string());
        found.add("root: keys changed at once", word(was), word(is), changed(is) < changed(was));
    }
    found.longer_is_looser("root: valid for at most", was.max_valid_for, is.max_valid_for);
    found.more_is_tighter("root: witnesses", was.witnesses, is.witnesses);
    found.choice("root: rehearsed first", was.rehearsed, is.rehearsed, true);
    found.choice("root: proven hardware keys", was.attested_keys, is.attested_keys, true);
    let (was, is) = (&old.targets, &new.targets);
    found.more_is_tighter("targets: threshold at least", was.threshold_floor, is.threshold_floor);
    found.longer_is_looser("targets: valid for at most", was.max_valid_for, is.max_valid_for);
    found.choice("targets: software keys", was.software_keys, is.software_keys, false);
    found.more_is_tighter("targets: witnesses", was.witnesses, is.witnesses);
    found.choice("targets: rehearsed first", was.rehearsed, is.rehearsed, true);
    found.choice("targets: proven hardware keys", was.attested_keys, is.attested_keys, true);
    let (was, is) = (&old.delegations, &new.delegations);
    found.more_is_tighter("delegations: threshold at least", was.threshold_floor, is.threshold_floor);
    found.longer_is_looser("delegations: valid for at most", was.max_valid_for, is.max_valid_for);
    found.choice("delegations: software keys", was.software_keys, is.software_keys, false);
    let proved = |limit: PossessionLimit| limit == PossessionLimit::Proved;
    found.choice("delegations: possession proved", proved(was.possession), proved(is.possession), true);
    found.more_is_tighter("delegations: witnesses", was.witnesses, is.witnesses);
    found.choice("delegations: rehearsed first", was.rehearsed, is.rehearsed, true);
    let (was, is) = (&old.ceremony, &new.ceremony);
    found.longer_is_looser("ceremonies: signed within", was.sign_within, is.sign_within);
    found.longer_is_looser("ceremonies: record no older than", was.record_no_older, is.record_no_older);
    found.choice("ceremonies: all offline", was.offline, is.offline, true);
    found.choice("ceremonies: all confined", was.confined, is.confined, true);
    found.set("modules' connections", &was.connections, &is.connections, Direction::Loosening);
    found.set("excluded people", &was.excluded, &is.excluded, Direction::Tightening);
    let (was, is) = (&old.online, &new.online);
    found.set("online keys for snapshot", &was.snapshot, &is.snapshot, Direction::Loosening);
    found.set("online keys for timestamp", &was.timestamp, &is.timestamp, Direction::Loosening);
    found.set("clients", &old.clients, &new.clients, Direction::Tightening);
    let oldest = |limits: &Limits| limits.oldest_root.unwrap_or(1);
    if oldest(old) != oldest(new) {
        let tighter = oldest(new) < oldest(old);
        found.add("clients: the oldest root in the field", oldest(old), oldest(new), tighter);
    }
    let mut found = found.0;
    found.sort_by_key(|(_, direction)| *direction);
    found
}

#[derive(Default)]
struct Compared(Vec<(String, Direction)>);

impl Compared {
    fn add(&mut self, what: &str, old: impl std::fmt::Display, new: impl std::fmt::Display, tighter: bool) {
        let direction = if tighter { Direction::Tightening } else { Direction::Loosening };
        self.0.push((format!("{what} {old} becomes {new}"), direction));
    }

    fn more_is_tighter(&mut self, what: &str, old: u32, new: u32) {
        if old != new {
            self.add(what, old, new, new > old);
        }
    }

    fn longer_is_looser(&mut self, what: &str, old: Term, new: Term) {
        let (mut longer, mut shorter) = (false, false);
        for start in STARTS {
            longer |= length_from(start, new) > length_from(start, old);
            shorter |= length_from(start, new) < length_from(start, old);
        }
        if longer || shorter {
            self.add(what, old, new, !longer);
        }
    }

    fn choice(&mut self, what: &str, old: bool, new: bool, tight: bool) {
        if old != new {
            let word = |b: bool| if b { "yes" } else { "no" };
            self.add(&format!("{what}:"), word(old), word(new), new == tight);
        }
    }

    fn set<T: Ord + std::fmt::Display>(
        &mut self,
        what: &str,
        old: &BTreeSet<T>,
        new: &BTreeSet<T>,
        adding: Direction,
    ) {
        let removing =
            if adding == Direction::Loosening { Direction::Tightening } else { Direction::Loosening };
        self.0.extend(new.difference(old).map(|one| (format!("{what}: {one} is added"), adding)));
        self.0.extend(old.difference(new).map(|one| (format!("{what}: {one} is taken out"), removing)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::profile::Profile;
    use crate::tuf::rule::Result;

    fn parse(text: &str) -> Result<Limits> {
        Limits::parse(text, Profile::Notary)
    }

    #[test]
    fn every_difference_has_its_words_and_direction() {
        // what is written over the built-in values; the words, whether it loosens.
        let table = [
            ("[root]\nthreshold-floor = 3", "root: threshold at least 2 becomes 3", false),
            ("[root]\nspare-keys = 0", "root: spare keys 1 becomes 0", true),
            ("[root]\nkeys-changed = 2", "root: keys changed at once any number becomes 2", false),
            ("[root]\nmax-valid-for = \"4 years\"", "root: valid for at most 3 years becomes 4 years", true),
            ("[root]\nwitnesses = 0", "root: witnesses 1 becomes 0", true),
            ("[root]\nrehearsed = true", "root: rehearsed first: no becomes yes", false),
            ("[root]\nattested-keys = true", "root: proven hardware keys: no becomes yes", false),
            ("[targets]\nattested-keys = true", "targets: proven hardware keys: no becomes yes", false),
            ("[targets]\nthreshold-floor = 2", "targets: threshold at least 1 becomes 2", false),
            (
                "[targets]\nmax-valid-for = \"1 year\"",
                "targets: valid for at most 2 years becomes 1 year",
                false,
            ),
            ("[targets]\nsoftware-keys = true", "targets: software keys: no becomes yes", true),
            // As long from most days, and not from all.
            (
                "[targets]\nmax-valid-for = \"731 days\"",
                "targets: valid for at most 2 years becomes 731 days",
                true,
            ),
            (
                "[targets]\nmax-valid-for = \"730 days\"",
                "targets: valid for at most 2 years becomes 730 days",
                false,
            ),
            (
                "[ceremony]\nsign-within = \"1 month\"",
                "ceremonies: signed within 30 days becomes 1 month",
                true,
            ),
            ("[targets]\nwitnesses = 1", "targets: witnesses 0 becomes 1", false),
            ("[targets]\nrehearsed = true", "targets: rehearsed first: no becomes yes", false),
            ("[delegations]\nthreshold-floor = 2", "delegations: threshold at least 1 becomes 2", false),
            (
                "[delegations]\nmax-valid-for = \"3 years\"",
                "delegations: valid for at most 2 years becomes 3 years",
                true,
            ),
            ("[delegations]\nsoftware-keys = false", "delegations: software keys: yes becomes no", false),
            (
                "[delegations]\npossession = \"first-publication\"",
                "delegations: possession proved: yes becomes no",
                true,
            ),
            ("[delegations]\nwitnesses = 2", "delegations: witnesses 0 becomes 2", false),
            ("[delegations]\nrehearsed = true", "delegations: rehearsed first: no becomes yes", false),
            (
                "[ceremony]\nsign-within = \"31 days\"",
                "ceremonies: signed within 30 days becomes 31 days",
                true,
            ),
            (
                "[ceremony]\nrecord-no-older = \"1 week\"",
                "ceremonies: record no older than 14 days becomes 1 week",
                false,
            ),
            ("[ceremony]\nexcluded = [\"bob\"]", "excluded people: bob is added", false),
            (
                "[ceremony]\nconnections = [\"192.0.2.7:1792\"]",
                "modules' connections: 192.0.2.7:1792 is added",
                true,
            ),
            ("[online]\nsnapshot = [\"s\"]", "online keys for snapshot: s is added", true),
            ("[online]\ntimestamp = [\"t\"]", "online keys for timestamp: t is added", true),
            ("[clients]\nnamed = [\"tough\"]", "clients: tough is added", false),
        ];
        let old = Limits::default_for(Profile::Tuf);
        for (text, words, loosens) in table {
            let new = parse(&format!("format = 1\n{text}")).unwrap();
            let there = if loosens { Direction::Loosening } else { Direction::Tightening };
            assert_eq!(differences(&old, &new), [(words.to_owned(), there)], "{text}");
            let back = differences(&new, &old);
            assert_eq!(back.len(), 1, "{text}");
            // A month is longer than 30 days from some days and shorter from others: looser both ways.
            assert!(back[0].1 != there || text.contains("month"), "{text}, the other way round");
        }
        // 14 days and 2 weeks are one term; a loosening stands before a tightening.
        let same = parse("format = 1\n[ceremony]\nrecord-no-older = \"2 weeks\"").unwrap();
        assert_eq!(differences(&old, &same), []);
        let both = parse("format = 1\n[root]\nthreshold-floor = 3\n[targets]\nsoftware-keys = true").unwrap();
        assert_eq!(differences(&old, &both)[0].1, Direction::Loosening);
    }
}
