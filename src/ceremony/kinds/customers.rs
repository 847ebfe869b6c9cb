//! What customers' update agents see of a change to delegations, in words.
//!
//! Notary clients skip a delegation that doesn't verify, with a warning at most, so its files vanish
//! (notary-v1 4.2, 6); TUF clients stop with an error when a search comes to it (TUF 5.6.7).

use super::delegations::Delegation;
use super::rework::{After, Rework};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::tuf::diff;
use crate::tuf::document::Targets;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::profile::Profile;
use crate::tuf::text::visible;

/// How many files are named; the rest is a number.
const NAMED: usize = 10;

/// For every delegation that a change takes keys from: what becomes of its document.
pub fn after(rework: &Rework<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (after, document) in rework.stranded() {
        let role = &after.now.role.name;
        let files = files(document.document().as_targets());
        let by = names(&rework.signers(role));
        lines.push(match rework.reissue.filter(|_| rework.again.contains(role)) {
            Some(reissue) if reissue.empty => {
                format!("  {role}: clients no longer see {files}: it goes on empty, signed by {by}")
            }
            Some(reissue) => format!(
                "  {role}: clients go on seeing {files}{}, signed again by {by}",
                if reissue.without_paths.is_empty() { "" } else { ", but what is taken out" }
            ),
            None if rework.facts.trust.profile == Profile::Notary => format!(
                "  {role}: from the upload on clients no longer see {files}, and nothing tells them; {}",
                waiting(rework.facts, document, &by)
            ),
            None => format!(
                "  {role}: from the next snapshot on clients that look for {files} stop with an error; {}",
                waiting(rework.facts, document, &by)
            ),
        });
    }
    lines
}

fn waiting(facts: &Facts, document: &Trusted, by: &str) -> String {
    format!(
        "until {by} sign version {} or later: a renew runbook with roles = [\"{}\"], then keyrite run on it",
        facts.next_version(document.role()),
        document.role()
    )
}

/// What a delegation that goes takes with it.
pub fn gone(facts: &Facts, delegation: &Delegation<'_>) -> String {
    let document = facts.last(&delegation.role.name).and_then(|d| d.document().as_targets());
    format!("  {}: clients no longer find {}", delegation.role.name, files(document))
}

/// What a document names, for people.
fn files(targets: Option<&Targets>) -> String {
    let Some(targets) = targets.filter(|t| !t.targets.is_empty()) else {
        return "files, of which it names none today".to_owned();
    };
    let shown: Vec<_> = targets.targets.keys().take(NAMED).map(|path| visible(path)).collect();
    match targets.targets.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Keys by name and holder.
pub fn names(records: &[&KeyRecord]) -> String {
    let each: Vec<_> = records.iter().map(|r| format!("{} of {}", r.name, r.holder)).collect();
    if each.is_empty() { "nobody yet".to_owned() } else { each.join(", ") }
}

/// What only the keys that go have signed, since the backend was last seen with an older document:
/// the places to look for what a thief may have put there.
pub fn signed_alone(rework: &Rework<'_>) -> Vec<String> {
    let facts = rework.facts;
    let name = |identity: KeyIdentity| {
        rework.delegations.record(&identity).map(|key| format!("{} of {}", key.name, key.holder))
    };
    let mut lines = Vec::new();
    let mut look = |after: &After<'_>, document: &Trusted| {
        let role = &after.now.role.name;
        let before = facts.earlier.get(role);
        lines.push(match before {
            Some(before) => format!(
                "{role} {}, which no key that stays has signed, against {}, which the backend had when it was asked before:",
                document.version(),
                before.version()
            ),
            None => format!(
                "{role} {}, which no key that stays has signed; the record has no earlier answer of the backend:",
                document.version()
            ),
        });
        let told = diff::words(before.map(Trusted::payload), document.payload(), &name);
        lines.extend(told.into_iter().map(|line| format!("  {line}")));
    };
    for (after, document) in rework.stranded() {
        look(after, document);
    }
    lines
}
