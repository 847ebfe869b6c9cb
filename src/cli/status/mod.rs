//! `keyrite status`: the one page to open. Roles and who holds them, what ends when, who must still
//! sign, what is due next; who may release what; appointments for a calendar.

mod appointments;
mod cards;
mod json;
mod page;
mod view;
mod ways;
mod who;

pub use page::state;
pub use view::silent;

use super::arguments::Status;
use super::aside;
use super::session::{Ended, Session, shown, typed, upload_path};
use super::sign::going_on;
use super::table::Table;
use crate::ceremony::due::{Urgency, What};
use crate::ceremony::facts::Stage;
use crate::ceremony::standing::Standing;
use crate::record::rules::TRUST_UNBOUND;
use crate::record::{Contents, StoredChange};
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::ui::screen::Screen;
use view::View;

/// Runs the command.
pub fn run(session: &Session, args: &Status) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let mut contents = table.contents(session)?;
    let away = aside::take_out(session, &mut contents, &|change| table.deeds(change))?;
    let view = View::of(&contents);
    let grants = who::grants(&view);
    let mut next: Vec<_> =
        away.into_iter().chain(next(session, &contents, &view, table.server.as_deref())).collect();
    if let Some(path) = &args.calendar {
        let file = appointments::file(&contents.facts, &view);
        super::files::create(path, file.as_bytes())?;
        next.push(format!("take {} into the calendars of those who renew", shown(path)));
    }
    // Whoever reads one has a share.
    next.splice(0..0, super::cards::left_over(table.keyring.map()));
    let json = json::report(&contents, &view, &grants, &next);
    if !args.who {
        session.report(&page::screen(&contents, &view, &next), json)?;
        return Ok(Ended::Done);
    }
    let screen = Screen::new(format!("Who may release what: {}", visible(&contents.facts.trust.collection)))
        .rehearsal(contents.facts.trust.stage == Stage::Rehearsal);
    let screen = if grants.is_empty() {
        screen.text("Nobody yet: there is no root that names a targets key.")
    } else {
        screen.table(who::table(&grants))
    };
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

/// What to do next, the most pressing first; each begins with a command where there is one.
fn next(session: &Session, contents: &Contents, view: &View<'_>, server: Option<&str>) -> Vec<String> {
    let keyrite = session.keyrite();
    let mut lines = ways::out(session, contents);
    let mut last = Vec::new();
    let going = contents.changes.values().filter(|stored| going_on(stored) && !keys_only(stored));
    // A withdrawal comes first: others may be waiting for it. A roll-call comes last, nothing waits for it; of
    // the rest what is to be signed earliest, and not whichever has the lowest digest.
    let pressing = |stored: &&StoredChange| {
        let change = &stored.change;
        (!ways::settles(change), change.is_roll_call(), change.frame.sign_by)
    };
    if let Some(stored) = going.min_by_key(pressing).filter(|_| lines.is_empty()) {
        let title = visible(&stored.change.frame.title);
        let runbook = ways::runbook(session, stored);
        let needed = stored.standing.as_ref().map(Standing::needed).unwrap_or_default();
        let at = if stored.change.is_roll_call() { &mut last } else { &mut lines };
        at.extend(
            needed.iter().map(|asked| {
                format!("{keyrite} export DIR --for {}    and have DIR back signed", asked.holder)
            }),
        );
        at.push(format!("{keyrite} run {runbook}    goes on with \"{title}\""));
    }
    lines.extend(ways::overtaken(session, contents));
    let under_way = !(lines.is_empty() && last.is_empty());
    if under_way && contents.facts.roots.is_empty() {
        lines.extend(last);
        return lines;
    }
    if contents.facts.roots.is_empty() {
        let first_day = typed(&session.directory.join(super::init::FOLDER));
        return vec![format!("{keyrite} run {first_day}    holds the first day")];
    }
    let unbound = contents.unbound.as_ref().is_some_and(|why| why.rule() == &TRUST_UNBOUND);
    if unbound && !under_way && contents.facts.trust.start.is_some() {
        return vec![format!(
            "{keyrite} run ceremonies/adopted    binds the trust: its root keys sign the limits"
        )];
    }
    let upload = |folder: String| {
        let title = folder.rsplit('/').next().and_then(|sha| sha.parse().ok()).and_then(|sha| {
            let change = contents.uploads.get(&sha)?.manifest.change?;
            Some(format!("\"{}\"", visible(&contents.changes.get(&change)?.change.frame.title)))
        });
        let title = title.unwrap_or_else(|| "the online roles".to_owned());
        let folder = upload_path(&session.directory.join(folder));
        format!("hand the upload of {title} to the backend; its README.txt has the lines to type: {folder}")
    };
    let late = contents.changes.values().filter(|stored| contents.late(stored)).map(|stored| {
        let runbook = ways::runbook(session, stored);
        let title = visible(&stored.change.frame.title);
        format!("{keyrite} run {runbook}    seals \"{title}\" again, with the signatures that came in since")
    });
    // An open change hides nothing else that presses: anyone can plan one, and an upload that waits may
    // be what takes a stolen key away.
    lines.extend(late);
    lines.extend(ways::unwritten(session, contents));
    lines.extend(ways::unlisted(session, contents));
    lines.extend(ways::pins(contents));
    lines.extend(contents.unpublished_uploads().into_iter().map(upload));
    lines.extend(ways::elsewhere(session, contents));
    lines.extend(ways::turned_away(session, contents));
    let now = contents.facts.today;
    let due = view.due(now);
    for (story, wanted) in [("ceremonies/renewal", true), ("ceremonies/renew-certificate", false)] {
        let named = due.iter().filter(|ending| matches!(ending.what, What::Document(_)) == wanted);
        let named: Vec<_> = named
            .map(|ending| {
                let state = if ending.urgency(now) == Urgency::Ended { "ended" } else { "ends" };
                format!("{} ({state} {})", view::what(&ending.what), ending.at.date())
            })
            .collect();
        if !named.is_empty() {
            lines.push(format!("{keyrite} run {story}    renews {}", named.join(", ")));
        }
    }
    lines.extend(last);
    if under_way {
        return lines;
    }
    lines.extend(ways::tokens(session, contents, view));
    if let (true, Some(first)) = (due.is_empty(), view.endings.first()) {
        let (name, from) = (view::what(&first.what), first.due.date());
        lines.push(format!("nothing is due until {from}, when {name} is to be renewed"));
    }
    lines.extend(ways::fetch(session, contents, server));
    lines
}

fn keys_only(stored: &StoredChange) -> bool {
    stored.change.items.iter().all(|item| item.payload_bytes().is_none())
}
