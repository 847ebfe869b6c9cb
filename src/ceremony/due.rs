//! What expires when, and from when on it is to be renewed: documents and certificates.
//!
//! For people who look (`status`, the calendar); a ceremony judges by its own runbook. Documents of
//! online roles are made again by a machine every few days and are nobody's appointment.

use super::facts::{Facts, KeyRecord};
use super::people::KeyName;
use crate::tuf::certificate;
use crate::tuf::document::{Document, DocumentKey, Root};
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::threshold::tally_if;
use crate::tuf::time::{Term, Time, Unit};

/// Root in profile `notary` is due this long before its end, so that six months are never left: by
/// then the stock client publishes nothing any more (notary-v1 6).
pub const NOTARY_ROOT: Term = Term::new(9, Unit::Months);
/// With so many months left the stock client blocks (notary-v1 6).
pub const NOTARY_BLOCKS: u16 = 6;
/// Any other document.
const DOCUMENT: Term = Term::new(90, Unit::Days);
/// A root key's certificate takes a new root (notary-v1 5), with all the people that it needs.
const CERTIFICATE: Term = Term::new(12, Unit::Months);

const DAY: i64 = 86_400;

/// What ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The newest trusted document of a role.
    Document(RoleName),
    /// The certificate under which the newest root lists a key.
    Certificate(KeyName),
}

/// One end, and the days before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Of what.
    pub what: What,
    /// The moment from which clients refuse it.
    pub at: Time,
    /// From when on it is to be renewed.
    pub due: Time,
    /// From when on developers are already blocked, if that is before the end.
    pub blocked: Option<Time>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Clients refuse it.
    Ended,
    /// Stock clients publish nothing any more.
    Blocked,
    /// To be renewed now.
    Due,
    /// Nothing to do yet.
    Later,
}

impl Ending {
    /// How far it has come at a moment.
    pub fn urgency(&self, now: Time) -> Urgency {
        if now >= self.at {
            Urgency::Ended
        } else if self.blocked.is_some_and(|blocked| now >= blocked) {
            Urgency::Blocked
        } else if now >= self.due {
            Urgency::Due
        } else {
            Urgency::Later
        }
    }
}

/// Whether what ends at `end` leaves the stock client more than [`NOTARY_BLOCKS`] at `now`, as that
/// client itself counts months.
pub fn in_time(now: Time, end: Time) -> bool {
    now.plus_months_of_go(NOTARY_BLOCKS).is_ok_and(|least| least < end)
}

/// When a document of a role ends, and from when on people renew it.
pub fn of_document(profile: Profile, role: &RoleName, at: Time) -> Ending {
    let notary_root = *role == RoleName::Root && profile == Profile::Notary;
    let before = if notary_root { NOTARY_ROOT } else { DOCUMENT };
    let blocked = notary_root.then(|| at.minus_months_of_go(NOTARY_BLOCKS).unwrap_or(at));
    Ending { what: What::Document(role.clone()), at, due: earlier(at, before), blocked }
}

/// From when on a root key's certificate that ends then is to be renewed.
pub fn of_certificate(at: Time) -> Time {
    earlier(at, CERTIFICATE)
}

/// Everything that ends and that people renew, the first to be renewed first.
pub fn endings(facts: &Facts) -> Vec<Ending> {
    let profile = facts.trust.profile;
    let newest = facts.roots.last().into_iter().chain(facts.documents.values());
    let documents = newest
        .filter(|document| !document.role().is_online())
        .map(|document| of_document(profile, document.role(), document.document().header().expires));
    let certificates = facts.keys.values().filter_map(|key| certificate_of(facts, key));
    let mut all: Vec<_> = documents.chain(certificates).collect();
    all.sort_by(|a, b| (a.due, &a.what).cmp(&(b.due, &b.what)));
    all
}

/// The end of a certificate that the newest root lists.
fn certificate_of(facts: &Facts, key: &KeyRecord) -> Option<Ending> {
    let root: &Root = facts.roots.last().map(Trusted::document).and_then(Document::as_root)?;
    let identity = key.public.identity();
    let entry = root.keys.values().find(|k| k.public.as_ref().is_some_and(|p| p.identity() == identity))?;
    let at = certificate::not_after(entry.certificate.as_deref()?).ok()?;
    Some(Ending { what: What::Certificate(key.name.clone()), at, due: of_certificate(at), blocked: None })
}

/// Whether a client that has this root can go on from it at `now`, to whatever root: in profile `notary`
/// it loads no root of which fewer signers than the threshold have valid certificates (notary-v1 5).
pub fn leads_on(root: &Trusted, now: Time) -> bool {
    let Some(lists) = root.document().as_root() else { return false };
    let Some(role) = lists.roles.get(&RoleName::Root) else { return false };
    let valid = |key: &DocumentKey| {
        let until = key.certificate.as_deref().and_then(|text| certificate::not_after(text).ok());
        until.is_some_and(|until| now <= until)
    };
    root.payload().profile() != Profile::Notary
        || tally_if(&lists.keys, role, root.payload(), &Verified::new(root.envelope()), valid).met()
}

/// The beginning of the day that lies a term before `at`, since people renew on days; `at` itself
/// where the calendar doesn't go back that far.
fn earlier(at: Time, term: Term) -> Time {
    let day = |t: Time| Time::from_unix(t.unix().div_euclid(DAY).saturating_mul(DAY));
    at.minus(term).and_then(day).unwrap_or(at)
}
