//! What a change of root says to people: one line for each key, old, new or both.

use super::root_change::Side;
use super::root_members::Member;
use crate::ceremony::change::{Ask, Counts};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Term;

/// What the lines are made of.
pub struct Ledger<'a> {
    pub facts: &'a Facts,
    pub version: u64,
    pub valid_for: Term,
    pub root: &'a Side<'a>,
    pub online: [&'a Side<'a>; 2],
    pub targets: &'a Side<'a>,
    /// Version and new term of targets, if it is signed again.
    pub again: Option<(u64, Option<Term>)>,
    pub gone: &'a [(&'a KeyRecord, KeyEvent)],
    /// Root keys that stay and sign nothing.
    pub not_asked: &'a [KeyName],
    pub asked: &'a [Ask],
}

/// The lines.
pub fn summary(ledger: &Ledger<'_>) -> Vec<String> {
    let Ledger { facts, version, valid_for, root, gone, not_asked, .. } = ledger;
    let mut lines = vec![
        format!("root {version} of {}, valid for {valid_for}", facts.trust.collection),
        format!(
            "  signed by {} of the {} keys before and {} of the {} keys from now on",
            root.old_threshold,
            root.old.len(),
            root.spec.threshold,
            root.new.len()
        ),
    ];
    lines.extend(keys(root, gone, not_asked));
    let jump = |ask: &&Ask| ask.counts.iter().all(|counts| matches!(counts, Counts::Historic(_)));
    let older: Vec<_> =
        ledger.asked.iter().filter(jump).map(|ask| format!("{} of {}", ask.key, ask.holder)).collect();
    if !older.is_empty() {
        lines
            .push(format!("  may sign too, for clients that know an older root alone: {}", older.join(", ")));
    }
    if let Some((version, valid_for)) = ledger.again {
        let valid = valid_for.map_or("its expiry stays".to_owned(), |term| format!("valid for {term}"));
        lines.push(format!("targets {version}, {valid}"));
    }
    for side in std::iter::once(&ledger.targets).chain(&ledger.online).filter(|side| side.changed()) {
        lines.push(format!("  {}: any {} of {} keys", side.role, side.spec.threshold, side.new.len()));
        lines.extend(keys(side, gone, &[]));
    }
    lines.extend(gone.iter().map(|(record, event)| {
        let asked = if *event == KeyEvent::Retired { "" } else { ", for good" };
        format!("{} of {} is declared {}{asked}", record.name, record.holder, event.name())
    }));
    lines.push(format!("limits {} stay in force", facts.limits_number));
    lines
}

/// A line for each key of a role, those that stay first.
fn keys(side: &Side<'_>, gone: &[(&KeyRecord, KeyEvent)], not_asked: &[KeyName]) -> Vec<String> {
    let find = |members: &[Member<'_>], key: &Member<'_>| {
        members.iter().find(|member| member.is(key)).map(|m| m.entry.id.clone())
    };
    let staying = side.old.iter().filter_map(|old| {
        let id = find(&side.new, old)?;
        let again = if id == old.entry.id { "" } else { ", with a new certificate" };
        let silent = old.record.is_some_and(|record| not_asked.contains(&record.name));
        let silent = if silent { ", not asked to sign" } else { "" };
        Some(format!("  both: {}{again}{silent}", old.described()))
    });
    let leaving = side.old.iter().filter(|old| find(&side.new, old).is_none()).map(|old| {
        let given_up = gone.iter().find(|(record, _)| old.record.is_some_and(|own| own.name == record.name));
        let why = given_up
            .map_or_else(|| "leaves".to_owned(), |(_, event)| format!("{}, not asked to sign", event.name()));
        format!("  old: {}, {why}", old.described())
    });
    let coming = side.new.iter().filter(|new| find(&side.old, new).is_none());
    let coming = coming.map(|new| format!("  new: {}", new.described()));
    staying.chain(leaving).chain(coming).collect()
}
