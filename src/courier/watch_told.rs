//! What `watch` has seen, for people and for monitoring.

use super::watch::{Customer, Seen, What, exit_of, limit, words};
use crate::tuf::json::{Json, Members, object};
use crate::tuf::rule::Exit;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::BTreeSet;

fn listed(customers: &BTreeSet<Customer>) -> Vec<&'static str> {
    customers.iter().map(|customer| customer.word()).collect()
}

/// For people.
pub fn screen(seen: &Seen<'_>) -> Screen {
    let mut table = Table::new(["", "expires", "days left", "renew from", "limit", "customers"]);
    for (what, ending) in &seen.endings {
        table.push([
            words(what),
            ending.at.to_string(),
            ending.at.days_after(seen.settings.now).to_string(),
            ending.renew.date(),
            limit(ending.urgency(seen.settings.now)).unwrap_or("-").to_owned(),
            listed(&ending.customers).join(", "),
        ]);
    }
    let mut screen = Screen::new("Watch")
        .fact("server", seen.source.shown())
        .fact("at", seen.settings.now.to_string())
        .fact("files asked for", seen.source.asked().to_string());
    if !table.is_empty() {
        screen = screen.table(table);
    }
    for (customers, why) in &seen.problems {
        let who = match listed(customers)[..] {
            ["new"] => " (customers who begin today)",
            ["known"] => " (customers who have seen what was there before)",
            _ => "",
        };
        let tone = if exit_of(why) == Exit::Refused { Tone::Refused } else { Tone::Careful };
        screen = screen.callout(tone, format!("{why}{who}")).next(why.rule().next);
    }
    if seen.problems.is_empty() {
        screen = screen.callout(Tone::Done, "Customers accept what is served, and nothing is to be renewed.");
    }
    screen
}

/// For monitoring.
pub fn json(seen: &Seen<'_>) -> Json {
    let who = |customers: &BTreeSet<Customer>| -> Json {
        listed(customers).into_iter().map(Json::from).collect::<Vec<_>>().into()
    };
    let (mut roles, mut certificates) = (Vec::new(), Vec::new());
    for (what, ending) in &seen.endings {
        let urgency = ending.urgency(seen.settings.now);
        let mut members = Members::from([
            ("customers".to_owned(), who(&ending.customers)),
            ("days".to_owned(), Json::Int(ending.at.days_after(seen.settings.now))),
            ("expires".to_owned(), ending.at.to_string().into()),
            ("limit".to_owned(), limit(urgency).map_or(Json::Null, Json::from)),
            ("renew".to_owned(), ending.renew.to_string().into()),
        ]);
        match what {
            What::Document(role, version) => {
                let version = Json::Int(i64::try_from(*version).unwrap_or(i64::MAX));
                members.insert("role".to_owned(), role.to_string().into());
                members.insert("version".to_owned(), version);
                roles.push(Json::Object(members));
            }
            What::Certificate(key) => {
                members.insert("key".to_owned(), key.as_str().into());
                certificates.push(Json::Object(members));
            }
        }
    }
    let problems = seen.problems.iter().map(|(customers, why)| {
        object([
            ("customers", who(customers)),
            ("exit", i64::from(exit_of(why).code()).into()),
            ("expected", why.expected().into()),
            ("found", why.found().into()),
            ("next", why.rule().next.into()),
            ("rule", why.rule().name.into()),
        ])
    });
    let asked = i64::try_from(seen.source.asked()).unwrap_or(i64::MAX);
    object([
        ("asked", asked.into()),
        ("at", seen.settings.now.to_string().into()),
        ("certificates", certificates.into()),
        ("exit", i64::from(seen.exit().map_or(0, Exit::code)).into()),
        ("problems", problems.collect::<Vec<_>>().into()),
        ("roles", roles.into()),
        ("server", seen.source.shown().into()),
    ])
}
