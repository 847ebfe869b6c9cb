//! `keyrite status`: the one page to open. Who must still sign, what expires when, what is due next.

use super::arguments::Status;
use super::session::{Ended, Session, shown};
use super::sign::going_on;
use super::table::Table;
use super::verify::is_beside;
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::standing::{Standing, State};
use crate::record::{Contents, StoredChange};
use crate::tuf::document::{DelegatedRole, Document, Keys, RoleKeys};
use crate::tuf::evidence::Trusted;
use crate::tuf::json::{Json, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table as Rows;

/// Runs the command.
pub fn run(session: &Session, _args: &Status) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let contents = table.contents(session)?;
    session.report(&screen(session, &contents), json(&contents))?;
    Ok(Ended::Done)
}

/// One role as people see it.
struct Row<'a> {
    role: &'a RoleName,
    document: Option<&'a Trusted>,
    keys: Vec<String>,
    threshold: u32,
}

fn rows(facts: &Facts) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let Some(root) = facts.root() else { return rows };
    for (role, keys) in &root.roles {
        rows.push(row(facts, role, &root.keys, keys));
    }
    for document in facts.documents.values() {
        if let Document::Targets(targets) = document.document() {
            for DelegatedRole { name, keys, .. } in &targets.delegations.roles {
                rows.push(row(facts, name, &targets.delegations.keys, keys));
            }
        }
    }
    rows
}

fn row<'a>(facts: &'a Facts, role: &'a RoleName, keys: &Keys, role_keys: &RoleKeys) -> Row<'a> {
    let name = |id| {
        let public = keys.get(id)?.public.as_ref()?;
        let record = facts.keys.values().find(|r| r.public.identity() == public.identity());
        Some(record.map_or_else(|| public.describe(), |r| format!("{} ({})", r.name, r.holder)))
    };
    Row {
        role,
        document: facts.newest(role),
        keys: role_keys.keyids.iter().filter_map(name).collect(),
        threshold: role_keys.threshold.get(),
    }
}

fn screen(session: &Session, contents: &Contents) -> Screen {
    let facts = &contents.facts;
    let rehearsal = facts.trust.stage == Stage::Rehearsal;
    let mut screen = Screen::new(visible(&facts.trust.collection))
        .rehearsal(rehearsal)
        .fact("trust", facts.trust.id.to_string())
        .fact("profile", facts.trust.profile.name())
        .fact("today", facts.today.to_string())
        .fact("limits in force", format!("{} ({})", facts.limits_number, facts.limits_file));
    if let Some(root) = facts.roots.last() {
        screen =
            screen.fact("newest root", format!("{}, payload {}", root.version(), root.payload().digest()));
    }
    for refusal in contents.unbound.iter().chain(contents.conflicts.values()) {
        screen = screen.callout(Tone::Refused, refusal.to_string());
    }
    for (place, refusal) in contents.findings.iter().filter(|f| !is_beside(f)) {
        screen = screen.callout(Tone::Careful, format!("{place}: {refusal}"));
    }
    let rows = rows(facts);
    if !rows.is_empty() {
        let mut roles = Rows::new(["role", "version", "expires", "signed by any", "of"]);
        for row in &rows {
            let (version, expires) = row.document.map_or_else(
                || ("-".to_owned(), "-".to_owned()),
                |d| (d.version().to_string(), expiry(facts, d)),
            );
            roles.push([
                row.role.to_string(),
                version,
                expires,
                row.threshold.to_string(),
                row.keys.join(", "),
            ]);
        }
        screen = screen.heading("Roles").table(roles);
    }
    screen = keys(screen, facts);
    next(open_changes(screen, contents), session, contents)
}

fn expiry(facts: &Facts, document: &Trusted) -> String {
    let expires = document.document().header().expires;
    match expires.days_after(facts.today) {
        days if days < 0 => format!("{}, EXPIRED", expires.date()),
        days => format!("{}, {days} days", expires.date()),
    }
}

fn keys(screen: Screen, facts: &Facts) -> Screen {
    if facts.keys.is_empty() {
        return screen;
    }
    let mut rows = Rows::new(["key", "holder", "for", "token"]);
    for record in facts.keys.values() {
        let token = match record.label.as_str() {
            "" => record.token.clone(),
            label if record.serial.is_empty() => format!("{} {}", record.token, visible(label)),
            label => format!("{}, serial {}", visible(label), visible(&record.serial)),
        };
        rows.push([
            record.name.to_string(),
            record.holder.to_string(),
            record.purpose.name().to_owned(),
            token,
        ]);
    }
    screen.heading("Keys").table(rows)
}

fn open_changes(mut screen: Screen, contents: &Contents) -> Screen {
    for stored in contents.changes.values().filter(|s| s.change.documents().next().is_some()) {
        let Ok(standing) = &stored.standing else { continue };
        if matches!(standing.state, State::Sealed | State::Published) {
            continue;
        }
        screen = screen.heading(format!("Open: {}", visible(&stored.change.frame.title)));
        screen = screen.fact("state", state(standing)).fact("change", stored.digest.to_string());
        for item in &standing.items {
            for need in &item.needs {
                screen =
                    screen.fact(item.title.as_str(), format!("{} of {} signatures", need.have, need.need));
            }
        }
        screen = screen.items(standing.missing().iter().map(|asked| {
            let needed = if asked.needed { "still needed" } else { "may still sign" };
            format!("{} with the key {}: {needed}", asked.holder, asked.key)
        }));
    }
    screen
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
        State::BaseMoved { role, from, newest } => {
            format!("it starts from {role} {from}, but {newest} is the newest: plan the runbook again")
        }
        State::BaseAhead { role, from } => format!("it waits for {role} {from}"),
    }
}

fn next(screen: Screen, session: &Session, contents: &Contents) -> Screen {
    let keyrite = session.keyrite();
    if let Some(stored) = contents.changes.values().find(|stored| going_on(stored) && !keys_only(stored)) {
        let title = visible(&stored.change.frame.title);
        let needed = stored.standing.as_ref().map(Standing::needed).unwrap_or_default();
        let mut screen = screen;
        for asked in needed {
            screen = screen
                .next(format!("{keyrite} export DIR --for {}    and have DIR back signed", asked.holder));
        }
        return screen.next(format!("{keyrite} run RUNBOOK    goes on with \"{title}\""));
    }
    let first_day = shown(&session.directory.join(super::init::FOLDER));
    if contents.facts.roots.is_empty() {
        screen.next(format!("{keyrite} run {first_day}    holds the first day"))
    } else {
        contents.unpublished_uploads().into_iter().fold(screen, |s, upload| {
            s.next(format!(
                "hand {} to the backend; its README.txt has the lines to type",
                shown(&session.directory.join(upload))
            ))
        })
    }
}

fn keys_only(stored: &StoredChange) -> bool {
    stored.change.documents().next().is_none()
}

fn json(contents: &Contents) -> Json {
    let facts = &contents.facts;
    let roles = rows(facts).into_iter().map(|row| {
        let number = |n: u64| i64::try_from(n).map_or(Json::Null, Json::Int);
        object([
            ("role", row.role.as_str().into()),
            ("version", row.document.map_or(Json::Null, |d| number(d.version()))),
            (
                "expires",
                row.document.map_or(Json::Null, |d| d.document().header().expires.to_string().into()),
            ),
            ("threshold", i64::from(row.threshold).into()),
            ("keys", row.keys.iter().map(|k| Json::from(k.as_str())).collect::<Vec<_>>().into()),
        ])
    });
    let changes = contents.changes.values().map(|stored| {
        let needed = stored.standing.as_ref().map(Standing::needed).unwrap_or_default();
        object([
            ("change", stored.digest.hex().into()),
            ("title", stored.change.frame.title.as_str().into()),
            ("state", stored.standing.as_ref().map_or_else(ToString::to_string, state).into()),
            ("needed", needed.iter().map(|a| Json::from(a.key.as_str())).collect::<Vec<_>>().into()),
        ])
    });
    let findings = contents.findings.iter().map(|(place, refusal)| {
        object([
            ("at", place.as_str().into()),
            ("rule", refusal.rule().name.into()),
            ("found", refusal.found().into()),
        ])
    });
    let root = facts.roots.last().map_or(Json::Null, |root| {
        let version = i64::try_from(root.version()).map_or(Json::Null, Json::Int);
        object([("version", version), ("payload", root.payload().digest().hex().into())])
    });
    object([
        ("root", root),
        ("trust", facts.trust.id.to_string().into()),
        ("collection", facts.trust.collection.as_str().into()),
        ("stage", facts.trust.stage.name().into()),
        ("roles", roles.collect::<Vec<_>>().into()),
        ("changes", changes.collect::<Vec<_>>().into()),
        ("findings", findings.collect::<Vec<_>>().into()),
    ])
}
