//! The way out of a change that is stuck: refused, lapsed, overtaken, or one of two for one version.

use super::super::session::{Session, runbook_path};
use super::super::sign::going_on;
use crate::ceremony::change::{Change, Item};
use crate::ceremony::standing::State;
use crate::record::{Contents, StoredChange};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};

/// The change's own runbook, as a line can name it.
pub fn runbook(session: &Session, stored: &StoredChange) -> String {
    runbook_path(&session.directory, &stored.digest)
}

/// What to type for every change that goes nowhere by itself; nothing once a withdrawal is on its
/// way, which goes on like any change.
pub fn out(session: &Session, contents: &Contents) -> Vec<String> {
    let keyrite = session.keyrite();
    let under_way = |stored: &StoredChange| going_on(stored) && settles(&stored.change);
    if contents.changes.values().any(under_way) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let withdraw = |title: &str, why: &str| {
        format!("{keyrite} run RUNBOOK    of the kind withdraw, for \"{title}\": {why}")
    };
    let open = contents.facts.conflicts.iter().filter(|(_, conflict)| conflict.kept.is_none());
    for (what, conflict) in open.filter(|(what, _)| !what.starts_with("metadata/root/")) {
        let sides = conflict.sides.keys().map(|side| side.hex().chars().take(16).collect::<String>());
        let sides = sides.collect::<Vec<_>>().join(" or ");
        let what = visible(what);
        lines.push(format!("{keyrite} run RUNBOOK    of the kind decide, for \"{what}\": keep = {sides}"));
    }
    for stored in contents.changes.values() {
        let Ok(standing) = &stored.standing else { continue };
        let title = visible(&stored.change.frame.title);
        let signed = !stored.gathered.signatures.is_empty();
        match &standing.state {
            State::Open if !stored.gathered.refusals.is_empty() => {
                lines.push(withdraw(&title, "it was refused"));
            }
            // Whoever signed it can sign no other of that version.
            State::Lapsed { .. } if signed && in_the_way(contents, &stored.change) => {
                lines.push(withdraw(&title, "its last day has passed, half signed"));
            }
            _ => {}
        }
    }
    for (role, version, titles) in rivals(contents) {
        let first = titles.iter().next().map_or("", String::as_str);
        let many = titles.len();
        let why = if many > 1 {
            let others: Vec<_> = titles.iter().skip(1).map(|title| format!("\"{title}\"")).collect();
            format!("or for {}: both make {role} {version}", others.join(" or "))
        } else {
            format!("with which = \"first\" or \"last\": both make {role} {version}")
        };
        lines.push(withdraw(first, &why));
    }
    lines
}

/// Whether a change ends what keeps others waiting: it withdraws another, or decides a conflict.
pub fn settles(change: &Change) -> bool {
    change.documents().next().is_none()
        && change.items.iter().any(|item| match item {
            Item::Statement { payload, .. } => {
                matches!(payload.sentence(), Sentence::Withdrawal { .. } | Sentence::Decision { .. })
            }
            _ => false,
        })
}

/// Whether nothing trusted has the versions of a change yet.
fn in_the_way(contents: &Contents, change: &Change) -> bool {
    let newer =
        |role: &RoleName| contents.facts.newest(role).map_or(0, crate::tuf::evidence::Trusted::version);
    change.documents().any(|d| d.version() > newer(d.role()))
}

/// Open changes that make one version of one role: its titles.
fn rivals(contents: &Contents) -> Vec<(RoleName, u64, BTreeSet<String>)> {
    let mut made: BTreeMap<(RoleName, u64), Vec<&StoredChange>> = BTreeMap::new();
    for stored in contents.changes.values().filter(|stored| going_on(stored)) {
        for document in stored.change.documents() {
            made.entry((document.role().clone(), document.version())).or_default().push(stored);
        }
    }
    let titles = |changes: &[&StoredChange]| changes.iter().map(|s| visible(&s.change.frame.title)).collect();
    let several = made.into_iter().filter(|(_, changes)| changes.len() > 1);
    let mut told: BTreeSet<Vec<crate::tuf::digest::Digest>> = BTreeSet::new();
    several
        .filter(|(_, changes)| told.insert(changes.iter().map(|s| s.digest).collect()))
        .map(|((role, version), changes)| (role, version, titles(&changes)))
        .collect()
}

/// What is published before the newest root goes up, in profile `notary`: fresh clients that pin only
/// what the root before listed would refuse it.
pub fn pins(contents: &Contents) -> Option<String> {
    let facts = &contents.facts;
    let root = facts.roots.last().filter(|root| !facts.published.contains(&root.payload().digest()))?;
    let waits = facts.trust.profile == Profile::Notary && !contents.unpublished_uploads().is_empty();
    waits.then(|| {
        let version = root.version();
        format!("publish the certificate ids of root {version} before it goes up, for clients that pin root on first contact: its README.txt lists them")
    })
}

/// What to type if the backend turns the newest upload away.
pub fn turned_away(session: &Session, contents: &Contents) -> Option<String> {
    let folder = contents.unpublished_uploads().pop()?;
    let upload = contents.uploads.iter().find(|(digest, _)| format!("uploads/{digest}") == folder)?;
    let proposal = contents.facts.proposals.get(&upload.1.change?)?;
    let highest = proposal.highest.as_ref()?;
    let way =
        matches!(highest, RoleName::Root | RoleName::Targets) && proposal.late(&contents.facts).is_none();
    way.then(|| {
        let (keyrite, title) = (session.keyrite(), visible(&proposal.title));
        format!("{keyrite} run RUNBOOK    of the kind withdraw, for \"{title}\": only if the backend turns it away")
    })
}
