//! From a root to the documents that it leads to.
//!
//! A chain of roots starts at one that people know by its digest; each next one is signed by a
//! threshold of the one before and by its own (TUF 5.3). Versions go up by exactly one.

use super::digest::Digest;
use super::document::{DelegatedRole, Document, Keys, RoleKeys, Root};
use super::evidence::{Evidence, Trusted, Verified};
use super::payload::MetadataPayload;
use super::profile::Profile;
use super::role::RoleName;
use super::rule::{Refusal, Result, Rule};
use super::rules;
use super::text::visible;
use super::threshold::{Tally, tally};
use super::time::Time;
use super::wire::Envelope;

/// The payload digest of the newest root that a person knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Its version.
    pub version: u64,
    /// Its payload digest.
    pub payload: Digest,
}

/// A chain of trusted roots, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootChain {
    roots: Vec<Trusted>,
    latest: Trusted,
}

impl RootChain {
    /// A chain of one root, which its own keys have signed. That proves nothing yet: see
    /// [`Self::check_anchor`].
    ///
    /// # Errors
    ///
    /// `ROOT-THRESHOLD-NEW`.
    pub fn start(first: Envelope) -> Result<Self> {
        let latest = met_by(first, |payload, evidence| check_root(None, payload, evidence))?;
        Ok(Self { roots: vec![latest.clone()], latest })
    }

    /// Adds the next root.
    ///
    /// # Errors
    ///
    /// As [`check_root`].
    pub fn push(&mut self, next: Envelope) -> Result<()> {
        let old = self.latest.payload();
        let next = met_by(next, |payload, evidence| check_root(Some(old), payload, evidence))?;
        self.latest = next;
        self.roots.push(self.latest.clone());
        Ok(())
    }

    /// Checks that the root which a person knows is in the chain.
    ///
    /// # Errors
    ///
    /// `ANCHOR` if that version isn't there or has another payload.
    pub fn check_anchor(&self, anchor: &Anchor) -> Result<()> {
        let found = match self.roots.iter().find(|root| root.version() == anchor.version) {
            Some(root) if root.payload().digest() == anchor.payload => return Ok(()),
            Some(root) => {
                format!("root version {} with the digest {}", anchor.version, root.payload().digest())
            }
            None => format!("no root version {}, the newest is {}", anchor.version, self.latest.version()),
        };
        let expected = format!("root version {} with the digest {}", anchor.version, anchor.payload);
        Err(Refusal::new(&rules::ANCHOR, found, expected))
    }

    /// The newest root.
    pub const fn latest(&self) -> &Trusted {
        &self.latest
    }

    /// Every root, oldest first.
    pub fn all(&self) -> &[Trusted] {
        &self.roots
    }

    /// The roots, oldest first.
    pub fn into_all(self) -> Vec<Trusted> {
        self.roots
    }
}

/// The two thresholds of a new root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootTally {
    /// That of the root before, if there is one.
    pub old: Option<Tally>,
    /// Its own.
    pub new: Tally,
}

/// Counts who signed a root, for the root before and for itself.
///
/// # Errors
///
/// `DOCUMENT-TYPE` if either is no root, or they are of two profiles.
pub fn root_tally<E: Evidence + ?Sized>(
    old: Option<&MetadataPayload>,
    next: &MetadataPayload,
    evidence: &E,
) -> Result<RootTally> {
    let count = |by: &Root| -> Result<Tally> {
        let role = by.roles.get(&RoleName::Root).ok_or_else(|| undeclared(&RoleName::Root, "the root"))?;
        Ok(tally(&by.keys, role, next, evidence))
    };
    let old = match old {
        None => None,
        Some(old) if old.profile() == next.profile() => Some(count(as_root(old)?)?),
        Some(old) => {
            return Err(Refusal::new(
                &rules::DOCUMENT_TYPE,
                format!("a root of profile {}", next.profile()),
                format!("one of profile {}, as the root before", old.profile()),
            ));
        }
    };
    Ok(RootTally { old, new: count(as_root(next)?)? })
}

/// Refuses a root that clients of the root before would refuse, by verified or planned signatures.
///
/// # Errors
///
/// `ROOT-VERSION` unless it is the next; then `ROOT-THRESHOLD-OLD` before `ROOT-THRESHOLD-NEW`: if
/// both fall short, the custodians to call are the old ones, and a client would stop at the same
/// check (TUF 5.3.4).
pub fn check_root<E: Evidence + ?Sized>(
    old: Option<&MetadataPayload>,
    next: &MetadataPayload,
    evidence: &E,
) -> Result<()> {
    let tallies = root_tally(old, next, evidence)?;
    let version = next.version();
    if let Some(old) = old {
        let expected = old.version().checked_add(1);
        if expected != Some(version) {
            return Err(Refusal::new(
                &rules::ROOT_VERSION,
                format!("root version {version} after {}", old.version()),
                expected.map_or_else(|| "no further version".to_owned(), |v| format!("root version {v}")),
            ));
        }
        if let Some(tally) = tallies.old {
            let whose = || format!("root version {version} by keys of version {}", old.version());
            met(&tally, &rules::ROOT_THRESHOLD_OLD, whose)?;
        }
    }
    met(&tallies.new, &rules::ROOT_THRESHOLD_NEW, || format!("root version {version} by its own keys"))
}

/// Who may sign for `role`, as a delegator says, with the delegator's key entries: a root's for
/// the other top-level roles, a targets document's for delegations, succinct bins too.
///
/// # Errors
///
/// `ROLE-UNDECLARED` if it doesn't list the role.
pub fn signers_of<'a>(delegator: &'a Document, role: &RoleName) -> Result<(&'a Keys, &'a RoleKeys)> {
    let found = match (delegator, role) {
        (Document::Root(root), RoleName::Targets | RoleName::Snapshot | RoleName::Timestamp) => {
            root.roles.get(role).map(|keys| (&root.keys, keys))
        }
        (Document::Targets(targets), RoleName::Delegated(_)) => {
            let delegations = &targets.delegations;
            delegations.signers_of(role).map(|keys| (&delegations.keys, keys))
        }
        _ => None,
    };
    found.ok_or_else(|| undeclared(role, "the delegator"))
}

/// Refuses a document of a role other than root that its delegator doesn't vouch for, by verified
/// or planned signatures. In profile `notary` a delegation is directly below its delegator
/// (notary-v1 3.3).
///
/// # Errors
///
/// `DOCUMENT-TYPE`, `ROLE-UNDECLARED`, `ROLE-THRESHOLD`.
pub fn check_role<E: Evidence + ?Sized>(
    delegator: &MetadataPayload,
    payload: &MetadataPayload,
    evidence: &E,
) -> Result<()> {
    below(delegator, payload)?;
    let signers = signers_of(delegator.document(), payload.role())?;
    enough(delegator, signers, payload, evidence)
}

/// As [`check_role`], of a delegation that was looked up in that very delegator: a change can leave
/// thousands of them alone.
///
/// # Errors
///
/// As [`check_role`].
pub fn check_delegated<E: Evidence + ?Sized>(
    delegator: &MetadataPayload,
    (keys, role): (&Keys, &DelegatedRole),
    payload: &MetadataPayload,
    evidence: &E,
) -> Result<()> {
    below(delegator, payload)?;
    if role.name != *payload.role() {
        return Err(undeclared(payload.role(), "the delegator"));
    }
    enough(delegator, (keys, &role.keys), payload, evidence)
}

/// Whether [`check_delegated`] accepts it by signatures that were checked before; if not, that says
/// nothing.
pub(crate) fn delegated_already(
    delegator: &MetadataPayload,
    (keys, role): (&Keys, &DelegatedRole),
    held: &Envelope,
) -> bool {
    let payload = held.payload();
    role.name == *payload.role()
        && below(delegator, payload).is_ok()
        && Verified::new(held).enough_already(keys, &role.keys, payload)
}

/// Refuses a delegator that can't be one of the document's role, whatever it lists.
fn below(delegator: &MetadataPayload, payload: &MetadataPayload) -> Result<()> {
    let role = payload.role();
    if payload.profile() != delegator.profile() {
        return Err(Refusal::new(
            &rules::DOCUMENT_TYPE,
            format!("a document of {role} in profile {}", payload.profile()),
            format!("one in profile {}", delegator.profile()),
        ));
    }
    let below = || {
        let part = role.as_str().strip_prefix(delegator.role().as_str())?.strip_prefix('/')?;
        (!part.is_empty() && !part.contains('/')).then_some(())
    };
    let delegated = matches!(role, RoleName::Delegated(_));
    if delegated && payload.profile() == Profile::Notary && below().is_none() {
        return Err(undeclared(role, &format!("a role that isn't directly above it, {}", delegator.role())));
    }
    Ok(())
}

fn enough<E: Evidence + ?Sized>(
    delegator: &MetadataPayload,
    (keys, role_keys): (&Keys, &RoleKeys),
    payload: &MetadataPayload,
    evidence: &E,
) -> Result<()> {
    if evidence.enough_already(keys, role_keys, payload) {
        return Ok(());
    }
    met(&tally(keys, role_keys, payload, evidence), &rules::ROLE_THRESHOLD, || {
        format!(
            "{} version {} by keys of {} version {}",
            payload.role(),
            payload.version(),
            delegator.role(),
            delegator.version()
        )
    })
}

/// Accepts a document of a role other than root, if the delegator's threshold signed it, and, if
/// `at` is given, it has not expired then.
///
/// # Errors
///
/// As [`check_role`]; `EXPIRED`.
pub fn accept(delegator: &Trusted, role: &RoleName, envelope: Envelope, at: Option<Time>) -> Result<Trusted> {
    let payload = envelope.payload();
    if payload.role() != role {
        return Err(Refusal::new(
            &rules::DOCUMENT_TYPE,
            format!("a document of {}", payload.role()),
            format!("one of {role}"),
        ));
    }
    met_by(envelope, |payload, evidence| {
        check_role(delegator.payload(), payload, evidence)?;
        at.map_or(Ok(()), |at| not_expired(payload, at))
    })
}

/// Trusts a document whose verified signatures pass `check`, and keeps what was found out about
/// them: whoever asks again, as the gate does for every delegation, needs no second look.
fn met_by(
    mut envelope: Envelope,
    check: impl FnOnce(&MetadataPayload, &Verified<'_>) -> Result<()>,
) -> Result<Trusted> {
    let evidence = Verified::new(&envelope);
    check(envelope.payload(), &evidence)?;
    let known = evidence.into_known();
    envelope.keep(known);
    Ok(Trusted::met(envelope))
}

/// Refuses a document that has expired at `at`; one that expires exactly then has (TUF 5.3.10).
///
/// # Errors
///
/// `EXPIRED`.
pub fn not_expired(payload: &MetadataPayload, at: Time) -> Result<()> {
    let expires = payload.document().header().expires;
    if at < expires {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::EXPIRED,
        format!("{} version {}, valid until {expires}", payload.role(), payload.version()),
        format!("a document that is valid at {at}"),
    ))
}

fn as_root(payload: &MetadataPayload) -> Result<&Root> {
    payload.document().as_root().ok_or_else(|| {
        Refusal::new(&rules::DOCUMENT_TYPE, format!("a document of {}", payload.role()), "a root")
    })
}

fn met(tally: &Tally, rule: &'static Rule, whose: impl FnOnce() -> String) -> Result<()> {
    if tally.met() {
        return Ok(());
    }
    let found = format!("{}: {} of {} needed keys signed", whose(), tally.signed.len(), tally.need);
    let listed = tally.listed.len();
    Err(Refusal::new(rule, found, format!("{} of the {listed} listed", tally.need)))
}

fn undeclared(role: &RoleName, by: &str) -> Refusal {
    Refusal::new(
        &rules::ROLE_UNDECLARED,
        format!("{} lists no role \"{}\"", visible(by), visible(role.as_str())),
        "a role that its delegator lists",
    )
}
