//! Who holds share cards, and when each was last shown to be there: typed back when it was dealt out, or in a
//! drill. All of it is what transcripts say, which nobody signs: it reminds people, and decides nothing.

use crate::ceremony::backups::DealtSet;
use crate::ceremony::people::KeyName;
use crate::ceremony::share_manifest::ShareLine;
use crate::ceremony::transcript::{Outcome, Transcript};
use crate::record::Contents;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Drills are held once a year, and nobody is reminded on the very day, in days.
const SHOWN: i64 = 400;
/// The most sets that are listed: transcripts can tell of any number.
const MOST: usize = 8;

/// A card that someone holds.
pub struct Held<'a> {
    wrap_key: &'a KeyName,
    set: &'a DealtSet,
    line: &'a ShareLine,
    /// The last drill; none if the card was typed when it was dealt out and never since.
    drill: Option<Time>,
}

impl Held<'_> {
    /// Whether it was not shown to be there for long.
    fn missing(&self, now: Time) -> bool {
        long_ago(self.set.manifest.date, self.drill, now)
    }
}

/// Whether a card was last typed too long ago: in a drill, or when it was dealt out.
fn long_ago(dealt: Time, drill: Option<Time>, now: Time) -> bool {
    now.days_after(drill.map_or(dealt, |at| at.max(dealt))) > SHOWN
}

/// Every card of every set, by wrap key; those that this copy of the record dealt out first. How many
/// sets are left out.
pub fn held(contents: &Contents) -> (Vec<Held<'_>>, usize) {
    let facts = &contents.facts;
    let mut drills: BTreeMap<(Digest, u8), Time> = BTreeMap::new();
    for (entry, _) in contents.transcripts.values().flat_map(Transcript::entries) {
        if let Outcome::Drill { shares, number, .. } = &entry.outcome
            && entry.at <= facts.today
        {
            let last = drills.entry((*shares, *number)).or_insert(entry.at);
            *last = entry.at.max(*last);
        }
    }
    let mut seen = BTreeSet::new();
    let all = facts.copies.sets.iter().flat_map(|(name, sets)| sets.iter().map(move |set| (name, set)));
    let mut sets: Vec<_> = all.collect();
    sets.sort_by_key(|(name, set)| (!set.here, (*name).clone(), set.manifest.date));
    sets.retain(|(_, set)| seen.insert(set.digest));
    let out = sets.len().saturating_sub(MOST);
    let cards = sets.into_iter().take(MOST).flat_map(|(wrap_key, set)| {
        let drills = &drills;
        set.manifest.shares.iter().map(move |line| Held {
            wrap_key,
            set,
            line,
            drill: drills.get(&(set.digest, line.number)).copied(),
        })
    });
    (cards.collect(), out)
}

/// Tells of them below what the page says of keys.
pub fn screen(screen: Screen, contents: &Contents) -> Screen {
    let (cards, out) = held(contents);
    if cards.is_empty() {
        return screen;
    }
    let now = contents.facts.today;
    let mut rows = Table::new(["wrap key", "set", "share", "holder", "dealt out", "last drill"]);
    for card in &cards {
        let manifest = &card.set.manifest;
        rows.push([
            card.wrap_key.to_string(),
            manifest.set.to_string(),
            format!("{} of {}", card.line.number, manifest.shares.len()),
            card.line.holder.to_string(),
            manifest.date.date(),
            card.drill.map_or_else(|| "never".to_owned(), Time::date),
        ]);
    }
    let mut screen = screen.heading("Share cards, as transcripts tell").table(rows);
    if out > 0 {
        screen = screen.text(format!("{out} more sets are told of that were dealt out elsewhere."));
    }
    let missing: Vec<String> = cards.iter().filter(|card| card.missing(now)).map(words).collect();
    if !missing.is_empty() {
        let text = format!(
            "more than {SHOWN} days since these cards were shown to be there, by `share drill`: {}",
            missing.join(", ")
        );
        screen = screen.callout(Tone::Careful, text);
    }
    screen
}

fn words(card: &Held<'_>) -> String {
    format!("share {} of {} ({})", card.line.number, visible(card.wrap_key.as_str()), card.line.holder)
}

/// The same for programs.
pub fn json(contents: &Contents) -> Json {
    let now = contents.facts.today;
    let (cards, _) = held(contents);
    let cards = cards.iter().map(|card| {
        object([
            ("wrap-key", card.wrap_key.as_str().into()),
            ("set", card.set.manifest.set.to_string().into()),
            ("manifest", card.set.digest.hex().into()),
            ("share", Json::Int(card.line.number.into())),
            ("holder", card.line.holder.as_str().into()),
            ("dealt-out", card.set.manifest.date.to_string().into()),
            ("last-drill", card.drill.map_or(Json::Null, |at| at.to_string().into())),
            ("missing", Json::Bool(card.missing(now))),
        ])
    });
    cards.collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_card_is_missed_when_neither_its_dealing_nor_a_drill_is_recent() {
        // Dealt out, last drill, today.
        for (dealt, drill, now, missed) in [
            ("2026-01-01", None, "2027-02-05", false),
            ("2026-01-01", None, "2027-02-06", true),
            ("2026-01-01", Some("2026-06-01"), "2027-02-06", false),
            ("2026-01-01", Some("2026-06-01"), "2027-07-07", true),
            // A transcript's word from before there was a card.
            ("2026-01-01", Some("2025-01-01"), "2026-06-01", false),
        ] {
            let day = |day: &str| format!("{day}T00:00:00Z").parse::<Time>().unwrap();
            assert_eq!(long_ago(day(dealt), drill.map(day), day(now)), missed, "{dealt} {drill:?} {now}");
        }
    }
}
