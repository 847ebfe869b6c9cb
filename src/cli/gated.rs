//! The gate at every place where a change goes on: before anyone signs, once they have, and before
//! anything is handed over. It looks at the same payloads each time, and at what has come in so far.
//!
//! Never: a change that was sealed judged by a trust that already holds it; what clients make of it
//! is seen from where they stand (`record/before.rs`).

use crate::ceremony::change::Change;
use crate::ceremony::gate::{self, Report};
use crate::ceremony::messages;
use crate::ceremony::standing::{Standing, State};
use crate::record::listed::keys_for;
use crate::record::{Contents, StoredChange};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::wire;
use crate::ui::screen::{Screen, Tone};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Walks clients through a change with the planned signatures, before anyone signs. Nothing is said
/// of one that can't be signed any more, or on which something newer rests.
///
/// # Errors
///
/// What the gate refuses: `CLIENT-LOST` and its like; `MESSAGE-LIMIT`.
pub fn planned(stored: &StoredChange, contents: &Contents) -> Result<Report> {
    let Some(before) = contents.before(&stored.change).filter(|_| goes_on(stored)) else {
        return Ok(Report::default());
    };
    if matches!(before, Cow::Borrowed(_)) {
        messages::check(&stored.change, &stored.gathered, &contents.facts)?;
    }
    let report = gate::planned(&stored.change, &before)?;
    report.check()?;
    Ok(report)
}

/// The same with the signatures that have come in; none before every threshold is met, or where
/// [`planned`] has nothing to say.
///
/// # Errors
///
/// As there, and what sealing refuses.
pub fn signed(stored: &StoredChange, contents: &Contents) -> Result<Option<Report>> {
    let met = stored.standing.as_ref().is_ok_and(Standing::thresholds_met) && goes_on(stored);
    if !met || !gate::concerns(&stored.change) {
        return Ok(None);
    }
    let files = sealed(stored, contents)?;
    with(&stored.change, contents, &files)
}

/// The same with these files, which are about to be kept or handed over.
///
/// # Errors
///
/// What the gate refuses.
pub fn with(
    change: &Change,
    contents: &Contents,
    files: &BTreeMap<RoleName, Vec<u8>>,
) -> Result<Option<Report>> {
    let Some(before) = contents.before(change) else { return Ok(None) };
    let report = gate::sealed(change, &before, files)?;
    report.check()?;
    Ok(Some(report))
}

/// A screen with what [`signed`] finds: what stops the sealing, or what clients will make of it.
pub fn shown(screen: Screen, stored: &StoredChange, contents: &Contents) -> Screen {
    let title = &stored.change.frame.title;
    match signed(stored, contents) {
        Ok(None) => screen,
        Ok(Some(report)) => {
            let lines = report.lines();
            let heading = format!("What customers' clients will make of it, as it is signed now: {title}");
            screen.heading(heading).items(lines.iter().map(String::as_str))
        }
        Err(refusal) => {
            screen.callout(Tone::Careful, format!("not to be sealed as it is signed now: {title}: {refusal}"))
        }
    }
}

/// The same of a change that waits to be sealed, each line with its title.
pub fn lines(stored: &StoredChange, contents: &Contents) -> Vec<String> {
    let waits = |standing: &Standing| matches!(standing.state, State::Complete { .. });
    if !stored.standing.as_ref().is_ok_and(waits) {
        return Vec::new();
    }
    let title = &stored.change.frame.title;
    let lines = match signed(stored, contents) {
        Ok(report) => report.map(|report| report.lines()).unwrap_or_default(),
        Err(refusal) => vec![format!("not to be sealed as it is signed now: {refusal}")],
    };
    lines.into_iter().map(|line| format!("{title}: {line}")).collect()
}

/// The documents of a change with the signatures that have come in.
///
/// # Errors
///
/// `DELEGATOR-MISSING`; what the profile's writer refuses.
pub fn sealed(stored: &StoredChange, contents: &Contents) -> Result<BTreeMap<RoleName, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for payload in stored.change.documents() {
        let keys = keys_for(payload, &stored.change, &contents.facts)?;
        let signatures = stored.signatures.get(&payload.digest()).map(Vec::as_slice).unwrap_or_default();
        files.insert(payload.role().clone(), wire::seal(payload, &keys, signatures)?);
    }
    Ok(files)
}

/// Whether a change can still be signed, sealed, or sealed again and handed over.
fn goes_on(stored: &StoredChange) -> bool {
    let on = |state: &State| matches!(state, State::Open | State::Complete { .. } | State::Sealed);
    stored.standing.as_ref().is_ok_and(|standing| on(&standing.state))
}
