//! What only keys that go have signed, since the backend was last seen with an older document: the
//! places to look for what a thief may have put there.
//!
//! A document carries on what those before it held, so a colleague's release on top of a thief's signs
//! the thief's files too. What counts is therefore the first version that has a file, and who signed
//! that one; where versions are missing in between, everything new is shown, and what to fetch is said.
//! The documents and their signatures are verified, but which of them the backend had, and when, is the
//! word of who asked it.

use super::customers;
use super::rework::{After, Rework};
use crate::tuf::diff;
use crate::tuf::document::TargetFile;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::profile::Profile;
use crate::tuf::text::visible;

/// How many hexadecimal digits of a file's digest are shown: enough to tell releases apart.
const SHORT: usize = 16;

/// By application, every file that is new since, by whom it was signed first, and what else is new. Of one
/// that ends with the keys as well: whoever has installed what a thief put there has it still.
pub fn signed_alone(rework: &Rework<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for after in rework.changed.values().chain(&rework.ending) {
        if let Some(newest) = rework.facts.documents.get(&after.now.role.name) {
            lines.extend(since(rework, after, newest));
        }
    }
    lines
}

fn since(rework: &Rework<'_>, after: &After<'_>, newest: &Trusted) -> Vec<String> {
    let role = &after.now.role.name;
    let earlier = rework.facts.earlier.get(role);
    let between = earlier.map(|earlier| earlier.since.as_slice()).unwrap_or_default();
    let versions: Vec<&Trusted> = between.iter().chain([newest]).collect();
    let alone = |document: &Trusted| !after.vouches(document);
    let missing = earlier.map(|earlier| missing(earlier.document.version(), &versions)).unwrap_or_default();
    if missing.is_empty() && !versions.iter().any(|document| alone(document)) {
        return Vec::new();
    }
    let by = |document: &Trusted| {
        let names = customers::names(&rework.delegations.known(after.now.signed(document)));
        if alone(document) { format!("{names}, and by no key that stays") } else { names }
    };
    let mut lines = vec![match earlier {
        Some(earlier) => format!(
            "{role} {}, signed by {}; against {}, which the backend had when it was asked on {}:",
            newest.version(),
            by(newest),
            earlier.document.version(),
            earlier.at.date()
        ),
        None => format!(
            "{role} {}, signed by {}; the record has no earlier answer of the backend:",
            newest.version(),
            by(newest)
        ),
    }];
    if let Some((first, last)) = missing.first().zip(missing.last()) {
        let which = if first.0 == last.1 {
            format!("version {}", first.0)
        } else {
            format!("versions {} to {}", first.0, last.1)
        };
        let how = match rework.facts.trust.profile {
            Profile::Notary => format!(
                "the backend has {0}.{role}.json; import it as {0}.{1}.json",
                first.0,
                role.file_name()
            ),
            Profile::Tuf => "import what the web server still has of them".to_owned(),
        };
        lines.push(format!(
            "  the record lacks {which}: who signed what is new there first is not known; {how}"
        ));
    }
    let before = earlier.and_then(|earlier| earlier.document.document().as_targets());
    let targets = newest.document().as_targets().map(|targets| &targets.targets);
    for (path, file) in targets.into_iter().flatten() {
        let was = before.and_then(|before| before.targets.get(path));
        if was == Some(file) {
            continue;
        }
        let has = |document: &&&Trusted| {
            document.document().as_targets().is_some_and(|targets| targets.targets.get(path) == Some(file))
        };
        let first = versions.iter().find(has).copied().unwrap_or(newest);
        let (now, new) = (short(file), if was.is_some() { "another" } else { "new" });
        lines.push(format!(
            "  target {}: {new} in version {}, signed by {}; {now}",
            visible(path),
            first.version(),
            by(first)
        ));
    }
    let name = |identity: KeyIdentity| {
        rework.delegations.record(&identity).map(|key| format!("{} of {}", key.name, key.holder))
    };
    let told = diff::words(earlier.map(|earlier| earlier.document.payload()), newest.payload(), &name);
    let other = |line: &String| !line.starts_with("target ") || line.ends_with(": removed");
    lines.extend(told.into_iter().filter(other).map(|line| format!("  {line}")));
    lines
}

/// The spans of versions above `from` that are not among these, which are in order.
fn missing(from: u64, versions: &[&Trusted]) -> Vec<(u64, u64)> {
    let mut next = from.saturating_add(1);
    let mut spans = Vec::new();
    for version in versions.iter().map(|document| document.version()) {
        if version > next {
            spans.push((next, version.saturating_sub(1)));
        }
        next = version.saturating_add(1);
    }
    spans
}

fn short(file: &TargetFile) -> String {
    let digest = file.hashes.get("sha256").or_else(|| file.hashes.iter().next().map(|(_, bytes)| bytes));
    let hex: String = digest.map(base16ct::lower::encode_string).unwrap_or_default();
    let custom = if file.custom.is_some() { ", with custom data" } else { "" };
    format!("{}..., {} bytes{custom}", hex.chars().take(SHORT).collect::<String>(), file.length)
}
