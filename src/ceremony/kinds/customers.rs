//! What customers' update agents see of a change to delegations, in words.
//!
//! Notary clients skip a delegation that doesn't verify, with a warning at most, so its files vanish
//! (notary-v1 4.2, 6); TUF clients stop with an error when a search comes to it (TUF 5.6.7).

use super::delegations::Delegation;
use super::rework::{After, Rework};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::tuf::document::Targets;
use crate::tuf::evidence::Trusted;
use crate::tuf::halves::each_of;
use crate::tuf::profile::Profile;
use crate::tuf::text::visible;

/// How many files are named; the rest is a number.
const NAMED: usize = 10;

/// For every delegation that a change takes keys from: what becomes of its document.
pub fn after(rework: &Rework<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut untouched = Vec::new();
    let mut more = 0_usize;
    let changed: Vec<_> = rework.changed.values().collect();
    let seen = each_of(&changed, |after| {
        let role = &after.now.role.name;
        let document = rework.facts.documents.get(role);
        let again = rework.reissue.filter(|_| rework.again.contains(role));
        let same = document.is_none_or(|document| again.is_none() && after.vouches(document));
        (document, again, same)
    });
    for (after, (document, again, same)) in changed.into_iter().zip(seen) {
        let role = &after.now.role.name;
        if same {
            // There can be thousands, of which few are named.
            if untouched.len() < NAMED {
                untouched.push(unnoticed(rework, after, document));
            } else {
                more = more.saturating_add(1);
            }
            continue;
        }
        let Some(document) = document else { continue };
        let files = files(document.document().as_targets());
        let by = names(&rework.signers(role));
        lines.push(match again {
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
    lines.extend(untouched);
    if more > 0 {
        lines.push(format!("  {more} more: clients notice nothing"));
    }
    lines
}

fn unnoticed(rework: &Rework<'_>, after: &After<'_>, document: Option<&Trusted>) -> String {
    let role = &after.now.role.name;
    let Some(document) = document else {
        return format!("  {role}: clients see nothing of it before and after");
    };
    let files = files(document.document().as_targets());
    let staying = after.staying();
    let signed = after.now.signed(document).into_iter().filter(|key| staying.contains(key));
    let by = names(&rework.delegations.known(signed));
    format!("  {role}: clients go on seeing {files}, which {by} signed too")
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
