//! The gate: what customers' clients will make of a change, before a token is touched.
//!
//! Clients are walked through the exact payloads, from every root that is still in the field, with
//! the planned signatures taken as given; once people have signed, again over the same payloads
//! with the signatures that are there. The backend's part, snapshot and timestamp, is made by the
//! model of the backend, or as `sign-snapshot` makes it.
//!
//! A change is stopped by what it would break. What is broken already (clients whose root can't be
//! continued any more, a delegation that nobody signs) is told and stops nothing: else the change
//! that mends it could not be made either. So are content that a revocation takes away, and clients
//! of roots that limits say are no longer in the field: a trust of ten years is not held by its first
//! root.
//!
//! Never: a document parsed that the change leaves alone, a signature checked twice. The cost is
//! linear in the delegations.

mod children;
mod deadlines;
mod notary;
mod scene;
mod tuf;

use super::change::{Change, Item};
use super::facts::Facts;
use super::rules;
use crate::tuf::client::known::{Known, Stand};
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use scene::{Proposed, Scene};
use std::collections::BTreeMap;

/// What was found of a change, or of the trust as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of severity: what stops the change first.
    pub findings: Vec<Finding>,
    /// By client: the versions of roots from which it comes to the newest.
    pub reached: Vec<(&'static str, Vec<u64>)>,
    /// The newest root's version; none before the first.
    pub newest: Option<u64>,
    /// Profile `notary`: the ids of the newest root's certificates, which fresh clients pin, those
    /// first that the root before doesn't list; empty if a change leaves them as they are.
    pub pins: Vec<KeyId>,
    /// Whether the newest root is still to go up.
    pub to_come: bool,
    /// Profile `notary`: until when enough signers of the newest root have valid certificates.
    pub certificates_until: Option<Time>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stops the change.
    pub stops: bool,
    /// What, and by which rule.
    pub refusal: Refusal,
}

impl Finding {
    fn stops(refusal: Refusal) -> Self {
        Self { stops: true, refusal }
    }

    fn tells(refusal: Refusal) -> Self {
        Self { stops: false, refusal }
    }
}

/// A planned change, every key that it asks taken as signing.
///
/// # Errors
///
/// What the profile's writer refuses of a payload: `NOTARY-BYTES`, `DOCUMENT-FORM`.
pub fn planned(change: &Change, facts: &Facts) -> Result<Report> {
    let proposed = Proposed::planned(change)?;
    of(&proposed, facts, facts.today.max(change.frame.held_at))
}

/// The same change with the signatures that are there: `files` are its documents, sealed. `facts`
/// are those from before it, also where the record has it by now.
///
/// # Errors
///
/// As [`planned`].
pub fn sealed(change: &Change, facts: &Facts, files: &BTreeMap<RoleName, Vec<u8>>) -> Result<Report> {
    let proposed = Proposed::sealed(facts.trust.profile, files)?;
    of(&proposed, facts, facts.today.max(change.frame.held_at))
}

/// The trust as the record has it: what a client of each root would see today.
///
/// # Errors
///
/// None is known: what is wrong is a finding.
pub fn standing(facts: &Facts) -> Result<Report> {
    of(&Proposed::default(), facts, facts.today)
}

/// Whether a change has anything that clients see.
pub fn concerns(change: &Change) -> bool {
    change.items.iter().any(|item| matches!(item, Item::Document { .. }))
}

fn of(proposed: &Proposed, facts: &Facts, now: Time) -> Result<Report> {
    let scene = Scene::new(proposed, facts, now);
    let mut report =
        Report { newest: scene.newest().map(|root| root.payload().version()), ..Report::default() };
    if report.newest.is_none() {
        return Ok(report);
    }
    for document in &proposed.documents {
        if facts.trust.profile == Profile::Notary {
            crate::tuf::wire::poisonous(document.bytes())?;
        }
    }
    children::check(&scene, &mut report.findings);
    match facts.trust.profile {
        Profile::Tuf => tuf::walk(&scene, &mut report)?,
        Profile::Notary => {
            notary::walk(&scene, &mut report);
            deadlines::check(&scene, &mut report);
        }
    }
    report.findings.sort_by_key(|finding| !finding.stops);
    Ok(report)
}

impl Report {
    /// Refuses what would break something.
    ///
    /// # Errors
    ///
    /// The first finding that stops: `CLIENT-LOST`, `CLIENT-CHILD`, `CLIENT-BACKEND`,
    /// `CLIENT-DEADLINE`.
    pub fn check(&self) -> Result<()> {
        match self.findings.iter().find(|finding| finding.stops) {
            Some(finding) => Err(finding.refusal.clone()),
            None => Ok(()),
        }
    }

    /// For people, a line each: who comes to the new state, what is told, what to publish.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(newest) = self.newest {
            let mut alike: BTreeMap<&[u64], Vec<&str>> = BTreeMap::new();
            for (client, roots) in &self.reached {
                alike.entry(roots).or_default().push(client);
            }
            for (roots, clients) in alike {
                let from =
                    if roots.is_empty() { "no root".to_owned() } else { format!("root {}", ranges(roots)) };
                let clients = clients.join(", ");
                lines.push(format!("clients of {from} come to root {newest}: {clients}"));
            }
        }
        lines.extend(self.told());
        if let Some(until) = self.certificates_until {
            lines.push(format!(
                "enough certificates of root are valid until {until}; after it clients are lost"
            ));
        }
        if !self.pins.is_empty() {
            lines.push(
                if self.to_come {
                    "for clients that pin certificates of root on first contact: publish these ids before it \
                     goes up, beside the old ones; once it is up, these alone:"
                } else {
                    "clients that pin certificates of root on first contact pin these ids:"
                }
                .to_owned(),
            );
            lines.extend(self.pins.iter().map(|id| format!("  {id}")));
        }
        lines
    }

    /// What stops nothing and yet should be known, a line each.
    pub fn told(&self) -> impl Iterator<Item = String> + '_ {
        self.findings.iter().filter(|finding| !finding.stops).map(|finding| finding.refusal.to_string())
    }
}

/// Whether losing this client stops a change of this trust; none if nothing is said of it.
fn weight(known: &Known, facts: &Facts) -> Option<bool> {
    match known.stand {
        Stand::Reference => Some(true),
        Stand::Common => Some(facts.limits.clients.contains(known.name)),
        Stand::Rare => facts.limits.clients.contains(known.name).then_some(true),
    }
}

/// What became of one client from each root in the field: nothing wrong, or the root at which it
/// was stopped (by its place in the chain; one past the newest for what comes after root) and why.
type Walks = Vec<Result<(), (usize, Refusal)>>;

/// How one client fared, and for which roots that is the change's doing.
struct Walked {
    known: &'static Known,
    /// Whether its loss stops the change.
    stops: bool,
    walks: Walks,
    lost: Vec<bool>,
}

/// Turns walks into findings: one for each reason, whichever clients it concerns.
fn report_walks(scene: &Scene<'_>, walked: &[Walked], report: &mut Report) {
    struct Reason<'a> {
        text: String,
        refusal: &'a Refusal,
        new: bool,
        /// Whether limits say that clients of these roots are no longer in the field.
        given_up: bool,
        stops: bool,
        roots: Vec<u64>,
        clients: Vec<&'static str>,
    }
    let mut reasons: Vec<Reason<'_>> = Vec::new();
    for one in walked {
        let mut own: Vec<Reason<'_>> = Vec::new();
        let mut reached = Vec::new();
        for ((root, walk), new) in scene.roots.iter().zip(&one.walks).zip(&one.lost) {
            let version = root.payload().version();
            let Err((_, refusal)) = walk else {
                reached.push(version);
                continue;
            };
            let (text, new) = (refusal.to_string(), *new);
            let given_up = scene.facts.given_up(version);
            let same = |reason: &&mut Reason<'_>| {
                (&reason.text, reason.new, reason.given_up) == (&text, new, given_up)
            };
            if let Some(reason) = own.iter_mut().find(same) {
                reason.roots.push(version);
                continue;
            }
            let (roots, clients) = (vec![version], vec![one.known.name]);
            let stops = one.stops && new && !given_up;
            own.push(Reason { text, refusal, new, given_up, stops, roots, clients });
        }
        report.reached.push((one.known.name, reached));
        for reason in own {
            let same =
                |r: &&mut Reason<'_>| r.text == reason.text && r.new == reason.new && r.roots == reason.roots;
            match reasons.iter_mut().find(same) {
                Some(there) => {
                    there.stops |= reason.stops;
                    there.clients.extend(reason.clients);
                }
                None => reasons.push(reason),
            }
        }
    }
    for Reason { text, refusal, new, given_up, stops, roots, clients } in reasons {
        let how = match (new, given_up) {
            (false, _) => ", already without this change",
            (true, true) => ", which limits say are no longer in the field",
            (true, false) => "",
        };
        let found = format!("clients of root {} ({}){how}: {text}", ranges(&roots), clients.join(", "));
        let many = refusal.rule() == &crate::tuf::rules::SEARCH_LIMIT;
        let rule = if many { &rules::CLIENT_ROTATIONS } else { &rules::CLIENT_LOST };
        let expected = if given_up && new {
            "that whoever still has one installs it anew, with a root that is in the field"
        } else {
            "a client that comes to the newest root"
        };
        let refusal = Refusal::new(rule, found, expected);
        report.findings.push(if stops { Finding::stops(refusal) } else { Finding::tells(refusal) });
    }
}

/// `1 to 3, 5`.
fn ranges(versions: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for version in versions {
        match spans.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(*version) => *to = *version,
            _ => spans.push((*version, *version)),
        }
    }
    let span =
        |(from, to): &(u64, u64)| if from == to { from.to_string() } else { format!("{from} to {to}") };
    spans.iter().map(span).collect::<Vec<_>>().join(", ")
}

/// The newest trusted document of a role, as the facts have it.
fn trusted<'a>(facts: &'a Facts, role: &RoleName) -> Option<&'a Trusted> {
    facts.documents.get(role)
}
