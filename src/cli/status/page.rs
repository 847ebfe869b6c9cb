//! The page itself.

use super::cards;
use super::keys_only;
use super::view::{Key, View, silent, what};
use super::ways::in_software;
use crate::ceremony::attestation::Tally;
use crate::ceremony::change::Item;
use crate::ceremony::due::Urgency;
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::people::Person;
use crate::ceremony::standing::{Standing, State};
use crate::ceremony::unmade;
use crate::cli::verify::is_beside;
use crate::record::Contents;
use crate::tuf::digest::Digest;
use crate::tuf::rule::Refusal;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;

/// A key that nobody has signed with for longer may no longer work, or its PIN be forgotten.
const UNUSED: i64 = 400;

/// The page; `next` are its last lines.
pub fn screen(contents: &Contents, view: &View<'_>, next: &[String]) -> Screen {
    let facts = &contents.facts;
    let mut screen = head(facts);
    for refusal in contents.unbound.iter().chain(contents.conflicts.values()) {
        screen = screen.callout(Tone::Refused, refusal.to_string());
    }
    for (place, refusal) in contents.findings.iter().filter(|f| !is_beside(f)) {
        screen = screen.callout(Tone::Careful, format!("{place}: {refusal}"));
    }
    for (role, version, payload) in contents.loose_documents() {
        let loose = Refusal::new(
            &crate::record::rules::LOOSE_DOCUMENT,
            format!("{role} {version}, withdrawn after it had met its threshold: {payload}"),
            "clients that never see it; whoever has it can publish it",
        );
        screen = screen.callout(Tone::Careful, loose.to_string());
    }
    for lost in facts.overtaken.values() {
        screen = screen.callout(Tone::Careful, lost.notice(facts).to_string());
    }
    if let Some(text) = unmade::newest(facts) {
        screen = screen.callout(Tone::Careful, text);
    }
    for (what, conflict) in facts.conflicts.iter().filter(|(_, conflict)| conflict.kept.is_none()) {
        screen = screen.heading(format!("In conflict: {}", visible(what)));
        for (side, says) in &conflict.sides {
            screen = screen.fact("one side", groups(*side)).items(says.iter().map(|line| visible(line)));
        }
    }
    screen = ends(roles(screen, view), view, facts.today);
    screen = keys(screen, view, facts.today);
    screen = cards::screen(screen, contents);
    for (role, record) in in_software(contents, view) {
        let kept = if record.token == "external" { "a vault" } else { "a file" };
        let text = format!(
            "{} of {} is kept in {kept}, where limits want a token: it goes on signing {role} until another takes its place",
            record.name, record.holder
        );
        screen = screen.callout(Tone::Careful, text);
    }
    if let Some((call, silent)) = silent(contents) {
        let (from, until) = (call.change.frame.held_at.date(), call.change.frame.sign_by.date());
        let names: Vec<_> = silent.iter().map(|key| format!("{} ({})", key.holder, key.name)).collect();
        let text =
            format!("the roll-call of {from} ended on {until} without an answer of {}", names.join(", "));
        screen = screen.callout(Tone::Careful, text);
    }
    screen = open_changes(screen, contents);
    next.iter().fold(screen, Screen::next)
}

/// A digest in groups, broken between them.
fn groups(digest: Digest) -> String {
    let digits: Vec<char> = digest.hex().chars().collect();
    digits.chunks(8).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn head(facts: &Facts) -> Screen {
    let screen = Screen::new(visible(&facts.trust.collection))
        .rehearsal(facts.trust.stage == Stage::Rehearsal)
        .fact("trust", facts.trust.id.to_string())
        .fact("profile", facts.trust.profile.name())
        .fact("today", facts.today.to_string())
        .fact("limits", format!("number {}", facts.limits_number))
        .fact("", groups(facts.limits_file));
    let Some(root) = facts.roots.last() else { return screen };
    let screen = screen
        .fact("newest root", format!("version {}", root.version()))
        .fact("", groups(root.payload().digest()));
    match root.document().as_root().and_then(|root| Tally::of(root, facts)) {
        None => screen,
        Some(tally) => screen.fact("hardware", tally.words()).items(tally.rest),
    }
}

fn roles(screen: Screen, view: &View<'_>) -> Screen {
    if view.roles.is_empty() {
        return screen;
    }
    let mut rows = Table::new(["role", "version", "signed by any", "of", "spare"]);
    for role in &view.roles {
        let keys: Vec<_> = role.keys.iter().map(super::view::Listed::words).collect();
        rows.push([
            visible(role.name.as_str()),
            role.document.map_or_else(|| "-".to_owned(), |d| d.version().to_string()),
            role.threshold.to_string(),
            keys.join(", "),
            if role.name.is_online() { "-".to_owned() } else { role.spare().to_string() },
        ]);
    }
    screen.heading("Roles").table(rows)
}

fn ends(screen: Screen, view: &View<'_>, now: Time) -> Screen {
    if view.endings.is_empty() {
        return screen;
    }
    let mut rows = Table::new(["ends", "what", "days left", "renew from"]);
    for ending in &view.endings {
        let renew = match ending.urgency(now) {
            Urgency::Ended => "ENDED: clients refuse it".to_owned(),
            Urgency::Blocked => "NOW: publishing is blocked".to_owned(),
            Urgency::Due => "NOW".to_owned(),
            Urgency::Later => ending.due.date(),
        };
        let left = ending.at.days_after(now).max(0).to_string();
        rows.push([ending.at.date(), what(&ending.what), left, renew]);
    }
    screen.heading("What ends").table(rows)
}

fn keys(screen: Screen, view: &View<'_>, now: Time) -> Screen {
    if view.keys.is_empty() {
        return screen;
    }
    let mut rows = Table::new(["key", "holder", "for", "token", "last used"]);
    for key in &view.keys {
        rows.push([
            key.record.name.to_string(),
            key.record.holder.to_string(),
            purpose(key),
            token(key),
            key.used.map_or_else(|| "-".to_owned(), Time::date),
        ]);
    }
    let mut screen = screen.heading("Keys").table(rows);
    if view.roll_call.is_empty() {
        return screen;
    }
    let answered: Vec<_> = view.roll_call.iter().filter_map(|(key, at)| Some((key, (*at)?))).collect();
    let last = answered.iter().map(|(_, at)| *at).max();
    screen = match last {
        None => screen.fact("last roll-call", "none yet"),
        Some(last) => {
            let (answered, all) = (answered.len(), view.roll_call.len());
            screen.fact("last roll-call", format!("{}, {answered} of {all} keys so far", last.date()))
        }
    };
    let unused = |key: &&Key| {
        view.roll_call.contains_key(&key.record.name)
            && key.used.is_some_and(|used| now.days_after(used) > UNUSED)
    };
    let unused: Vec<_> = view.keys.iter().filter(unused).map(|key| key.record.name.as_str()).collect();
    if !unused.is_empty() {
        let text = format!(
            "more than {UNUSED} days since these signed anything; a roll-call shows whether tokens and PINs \
             still work: {}",
            unused.join(", ")
        );
        screen = screen.callout(Tone::Careful, text);
    }
    screen
}

/// What a key is for, and what became of it.
fn purpose(key: &Key<'_>) -> String {
    let name = key.record.purpose.name();
    match key.record.life.last() {
        Some((event, _)) => format!("{name}, {}", event.name()),
        None if key.serves.is_empty() && key.record.purpose.is_of_a_role() => format!("{name}, in no role"),
        None => name.to_owned(),
    }
}

fn token(key: &Key<'_>) -> String {
    let record = key.record;
    match record.label.as_str() {
        "" => record.token.clone(),
        label if record.serial.is_empty() => format!("{} {}", record.token, visible(label)),
        label => format!("{}, serial {}", visible(label), visible(&record.serial)),
    }
}

fn open_changes(mut screen: Screen, contents: &Contents) -> Screen {
    for stored in contents.changes.values().filter(|s| !keys_only(s)) {
        let Ok(standing) = &stored.standing else { continue };
        if matches!(standing.state, State::Sealed | State::Published) {
            continue;
        }
        let word = match standing.state {
            State::Withdrawn { .. } => "Withdrawn",
            State::Lapsed { .. } => "Lapsed",
            State::BaseMoved(_) | State::Overtaken { .. } => "Overtaken",
            _ => "Open",
        };
        screen = screen.heading(format!("{word}: {}", visible(&stored.change.frame.title)));
        screen = screen.fact("state", state(standing)).fact("change", groups(stored.digest));
        for item in &standing.items {
            for need in &item.needs {
                screen =
                    screen.fact(item.title.as_str(), format!("{} of {} signatures", need.have, need.need));
            }
        }
        if matches!(standing.state, State::Withdrawn { .. } | State::Overtaken { .. }) {
            continue;
        }
        for (key, reason) in &stored.gathered.refusals {
            let asked = stored.change.items.iter().flat_map(Item::asked);
            let who = asked.into_iter().find(|ask| ask.public.identity() == *key);
            let who = who.map_or_else(|| key.to_string(), |ask| format!("{} ({})", ask.holder, ask.key));
            screen = screen.fact("refused by", format!("{who}: {}", visible(reason)));
        }
        screen = screen.items(standing.missing().iter().map(|asked| {
            let needed = if asked.needed { "still needed" } else { "may still sign" };
            let away = away(&asked.holder, stored.change.frame.sign_by, &contents.facts);
            format!("{} with the key {}: {needed}{away}", asked.holder, asked.key)
        }));
    }
    screen
}

/// From when on someone can sign, by the device map, and whether that is in time.
fn away(holder: &Person, sign_by: Time, facts: &Facts) -> String {
    match facts.away.get(holder).filter(|until| **until > facts.today) {
        None => String::new(),
        Some(until) if *until > sign_by => {
            format!(", away until {}: too late, this is to be signed by {sign_by}", until.date())
        }
        Some(until) => format!(", from {} on; to be signed by {sign_by}", until.date()),
    }
}

/// The state of a change in a few words.
pub fn state(standing: &Standing) -> String {
    match &standing.state {
        State::Open => "waits for signatures".to_owned(),
        State::Complete { everyone: true } => "everyone has signed; it can be sealed".to_owned(),
        State::Complete { everyone: false } => "every threshold is met; it can be sealed".to_owned(),
        State::Sealed => "sealed".to_owned(),
        State::Published => "published".to_owned(),
        State::Lapsed { .. } => "its last day has passed".to_owned(),
        State::Withdrawn { reason } => format!("withdrawn: {}", visible(reason)),
        State::Overtaken { role, version } => {
            format!("sealed, and never published: another {role} {version} was")
        }
        State::BaseMoved(moved) => format!("{}: plan the runbook again", moved.told()),
        State::BaseAhead { role, from } => format!("it waits for {role} {from}"),
    }
}
