//! `keyrite-courier watch`: what customers' computers accept now, and what ends when, for people and for
//! monitoring.
//!
//! It looks twice at the same answers: as a customer whose program came today and knows the first root
//! alone, and as one who has seen everything before, by trusted metadata of its own. What only the second
//! refuses is a server that has gone back; what only the first does, a way that newcomers can't go.
//!
//! Never: an alarm that says less than a client would, a date believed that nobody trusted has signed.

use super::agent::{self, Agent};
use super::arguments::Watch;
use super::fetch::open;
use super::first::First;
use super::kept::Kept;
use super::progress::Progress;
use super::rules;
use super::server::Want;
use super::source::Source;
use super::told::Told;
use super::watch_told;
use crate::ceremony::due::{self, Urgency};
use crate::tuf::certificate;
use crate::tuf::client::{Settings, State};
use crate::tuf::document::Root;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// The most documents that are looked at: two rounds of 16,384 bins, and more.
const DOCUMENTS: u32 = 40_000;
/// A snapshot of profile `tuf` with so little left was not made again in time: `sign-snapshot` does it
/// when half of its three weeks have passed.
const SNAPSHOT: Term = Term::new(7, Unit::Days);
/// The same of a timestamp, and half of a week.
const TIMESTAMP: Term = Term::new(2, Unit::Days);

/// Whose computer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Customer {
    /// Begins today, with the first root.
    New,
    /// Has seen what was there before.
    Known,
}

impl Customer {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
        }
    }
}

/// What ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Document(RoleName, u64),
    /// A root key's certificate, by the key's id in root.
    Certificate(String),
}

/// One thing that a customer relies on.
pub(super) struct Ending {
    pub(super) at: Time,
    /// From when on it is to be renewed.
    pub(super) renew: Time,
    blocked: Option<Time>,
    pub(super) customers: BTreeSet<Customer>,
}

impl Ending {
    pub(super) fn urgency(&self, now: Time) -> Urgency {
        if now >= self.at {
            Urgency::Ended
        } else if self.blocked.is_some_and(|blocked| now >= blocked) {
            Urgency::Blocked
        } else if now >= self.renew {
            Urgency::Due
        } else {
            Urgency::Later
        }
    }
}

/// What was seen, and by which measure it is judged.
pub(super) struct Seen<'a> {
    pub(super) source: &'a Source,
    pub(super) settings: Settings,
    /// What somebody has named.
    renew: &'a [(RoleName, Term)],
    pub(super) endings: BTreeMap<What, Ending>,
    /// Each with whom it concerns.
    pub(super) problems: Vec<(BTreeSet<Customer>, Refusal)>,
}

/// Runs the command.
///
/// # Errors
///
/// `UPDATE-STATE`, `COLLECTION`; what reading files and addresses refuses. What customers refuse is a
/// result.
pub fn run(args: &Watch) -> Result<Told> {
    let first = First::read(&args.trusted.trust, args.trusted.collection.as_deref())?;
    let source = open(&args.reach, first.profile, &first.collection, Want::Pull)?.once();
    let (kept, state) = Kept::open(&first.folder(args.trusted.state.as_deref(), "watch-")?, &first.bytes)?;
    let mut settings = agent::settings(first.profile, &first.collection)?;
    settings.caps.documents = DOCUMENTS;
    let mut seen = Seen {
        source: &source,
        settings,
        renew: &args.renew,
        endings: BTreeMap::new(),
        problems: Vec::new(),
    };
    let progress = Progress::new();
    if seen.look(Customer::New, None, State::first(first.bytes), &progress) {
        seen.look(Customer::Known, Some(kept), state, &progress);
    }
    progress.done();
    seen.judge();
    Ok(Told { screen: watch_told::screen(&seen), json: watch_told::json(&seen), exit: seen.exit() })
}

impl Seen<'_> {
    /// Looks as one customer would; false if the server, the network or the disk won't let anyone.
    fn look(&mut self, customer: Customer, kept: Option<Kept>, state: State, progress: &Progress) -> bool {
        let mut answers = true;
        let mut refused = |seen: &mut Self, why: Refusal| {
            answers &= exit_of(&why) != Exit::Device;
            seen.problem(customer, why);
        };
        let mut agent = match Agent::new(self.source, kept, state, self.settings.clone()) {
            Ok(agent) => agent,
            Err(why) => {
                refused(self, why);
                return answers;
            }
        };
        let looked = agent.go_on(progress).and_then(|()| agent.look_around(progress));
        if let Err(why) = looked {
            refused(self, why);
        }
        let outcome = agent.outcome();
        for (role, why) in outcome.skipped {
            let role = visible(role.as_str());
            let said = why.found().starts_with(&role);
            self.problem(customer, if said { why } else { why.at(role) });
        }
        for role in outcome.versions.keys() {
            let Some(held) = agent.trusted(role) else { continue };
            let document = held.payload().document();
            let at = document.header().expires;
            let (renew, blocked) = limits(self.source.profile(), role, at, self.renew);
            self.ending(customer, What::Document(role.clone(), held.version()), at, renew, blocked);
            for (key, at) in document.as_root().map(certificates).unwrap_or_default() {
                self.ending(customer, What::Certificate(key), at, due::of_certificate(at), None);
            }
        }
        answers
    }

    fn ending(&mut self, customer: Customer, what: What, at: Time, renew: Time, blocked: Option<Time>) {
        let fresh = || Ending { at, renew, blocked, customers: BTreeSet::new() };
        self.endings.entry(what).or_insert_with(fresh).customers.insert(customer);
    }

    fn problem(&mut self, customer: Customer, why: Refusal) {
        match self.problems.iter_mut().find(|(_, known)| *known == why) {
            Some((customers, _)) => {
                customers.insert(customer);
            }
            None => self.problems.push((BTreeSet::from([customer]), why)),
        }
    }

    /// What comes near its end, after what customers refuse already.
    fn judge(&mut self) {
        for (what, ending) in &self.endings {
            let left = format!("{}: {}", words(what), left(ending.at, self.settings.now));
            let (rule, expected) = match ending.urgency(self.settings.now) {
                Urgency::Later => continue,
                Urgency::Blocked => (&rules::WATCH_BLOCKED, "more than six months".to_owned()),
                Urgency::Due | Urgency::Ended => {
                    (&rules::WATCH_DUE, format!("renewed since {}", ending.renew))
                }
            };
            self.problems.push((ending.customers.clone(), Refusal::new(rule, left, expected)));
        }
    }

    /// The worst of all that was found.
    pub(super) fn exit(&self) -> Option<Exit> {
        worst(&self.problems.iter().map(|(_, why)| exit_of(why)).collect())
    }
}

fn worst(found: &BTreeSet<Exit>) -> Option<Exit> {
    [Exit::Refused, Exit::Device, Exit::Incomplete].into_iter().find(|exit| found.contains(exit))
}

/// What a problem means to who watches: that it couldn't be seen is no word about customers.
pub(super) fn exit_of(why: &Refusal) -> Exit {
    let mine = [&rules::SERVER_LOGIN, &rules::TOKEN_REALM, &rules::PLAIN_HTTP, &rules::SERVER_REDIRECT];
    match why.rule().exit {
        _ if mine.contains(&why.rule()) => Exit::Device,
        Exit::Refused | Exit::Usage => Exit::Refused,
        Exit::Incomplete => Exit::Incomplete,
        _ => Exit::Device,
    }
}

/// From when on a document is to be renewed, and from when on developers are blocked.
fn limits(profile: Profile, role: &RoleName, at: Time, renew: &[(RoleName, Term)]) -> (Time, Option<Time>) {
    let usual = due::of_document(profile, role, at);
    let before = |term| at.minus(term).unwrap_or(at);
    let named = renew.iter().rev().find(|(named, _)| named == role).map(|(_, term)| before(*term));
    let usually = match (profile, role) {
        // The backend makes them again by itself once they have ended.
        (Profile::Notary, RoleName::Snapshot | RoleName::Timestamp) => at,
        (Profile::Tuf, RoleName::Snapshot) => before(SNAPSHOT),
        (Profile::Tuf, RoleName::Timestamp) => before(TIMESTAMP),
        _ => usual.due,
    };
    (named.unwrap_or(usually), usual.blocked)
}

/// When the certificates end under which a root lists its own keys.
fn certificates(root: &Root) -> Vec<(String, Time)> {
    let ids = root.roles.get(&RoleName::Root).map(|role| &*role.keyids).unwrap_or_default();
    let ends = ids.iter().filter_map(|id| {
        let certificate = root.keys.get(id)?.certificate.as_deref()?;
        Some((visible(id.as_str()), certificate::not_after(certificate).ok()?))
    });
    ends.collect()
}

pub(super) fn words(what: &What) -> String {
    match what {
        What::Document(role, version) => format!("{} version {version}", visible(role.as_str())),
        What::Certificate(key) => format!("certificate of root key {key}"),
    }
}

fn left(at: Time, now: Time) -> String {
    match at.days_after(now) {
        0 => format!("less than a day left, until {at}"),
        1 => format!("1 day left, until {at}"),
        days => format!("{days} days left, until {at}"),
    }
}

pub(super) const fn limit(urgency: Urgency) -> Option<&'static str> {
    match urgency {
        Urgency::Later => None,
        Urgency::Due => Some("renew"),
        Urgency::Blocked => Some("blocked"),
        Urgency::Ended => Some("ended"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::client::Caps;

    /// A role of a profile by its days left: the limit that it crosses, and how the process ends.
    #[test]
    fn each_role_has_its_limits() {
        let source =
            Source::Folder(crate::record::Media::open(std::path::Path::new(".")).unwrap(), String::new());
        let now: Time = "2026-11-23T12:00:00Z".parse().unwrap();
        let renew = [(RoleName::from_name("app"), "10 days".parse().unwrap())];
        for (profile, role, days, crossed, exit) in [
            (Profile::Notary, "root", 300, None, None),
            (Profile::Notary, "root", 270, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Notary, "root", 180, Some("blocked"), Some(Exit::Refused)),
            (Profile::Notary, "targets", 91, None, None),
            (Profile::Notary, "targets/app", 90, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Notary, "snapshot", 1, None, None),
            (Profile::Notary, "timestamp", 1, None, None),
            (Profile::Tuf, "root", 180, None, None),
            (Profile::Tuf, "root", 90, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Tuf, "app", 11, None, None),
            (Profile::Tuf, "app", 10, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Tuf, "snapshot", 8, None, None),
            (Profile::Tuf, "snapshot", 7, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Tuf, "timestamp", 3, None, None),
            (Profile::Tuf, "timestamp", 2, Some("renew"), Some(Exit::Incomplete)),
            (Profile::Tuf, "timestamp", -1, Some("ended"), Some(Exit::Incomplete)),
        ] {
            let role = RoleName::from_name(role);
            let at = Time::from_unix(now.unix() + days * 86_400).unwrap();
            let settings =
                Settings { now, caps: Caps::TUF, collection: String::new(), pins: BTreeSet::new() };
            let (endings, problems) = (BTreeMap::new(), Vec::new());
            let mut seen = Seen { source: &source, settings, renew: &renew, endings, problems };
            let (from, blocked) = limits(profile, &role, at, &renew);
            seen.ending(Customer::New, What::Document(role.clone(), 1), at, from, blocked);
            let urgency = seen.endings.values().next().unwrap().urgency(now);
            seen.judge();
            assert_eq!((limit(urgency), seen.exit()), (crossed, exit), "{profile:?} {role} {days}");
            let said = seen.problems.first().map(|(_, why)| why.rule().name);
            let expected = crossed.map(|c| if c == "blocked" { "WATCH-BLOCKED" } else { "WATCH-DUE" });
            assert_eq!(said, expected, "{profile:?} {role} {days}");
        }
    }

    #[test]
    fn the_worst_counts() {
        let why = |rule| Refusal::new(rule, "", "");
        for (rules, exit) in [
            (&[][..], None),
            (&[&rules::WATCH_DUE], Some(Exit::Incomplete)),
            (&[&rules::WATCH_DUE, &rules::SERVER_TIMEOUT], Some(Exit::Device)),
            (&[&rules::SERVER_LOGIN], Some(Exit::Device)),
            (&[&rules::SERVER_TIMEOUT, &crate::tuf::rules::EXPIRED, &rules::WATCH_DUE], Some(Exit::Refused)),
        ] {
            let found: BTreeSet<_> = rules.iter().map(|rule| exit_of(&why(rule))).collect();
            assert_eq!(worst(&found), exit, "{found:?}");
        }
    }
}
