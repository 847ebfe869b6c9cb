//! The appointments that follow from a record: what is to be renewed, and what ends.

use super::view::{View, what};
use crate::ceremony::due::What;
use crate::ceremony::facts::Facts;
use crate::tuf::digest::Digest;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::ui::calendar::{Appointment, ics};
use crate::ui::screen::Safe;

const DAY: i64 = 86_400;

/// The calendar's file.
pub fn file(facts: &Facts, view: &View<'_>) -> String {
    let collection = visible(&facts.trust.collection);
    let mut all = Vec::new();
    for ending in &view.endings {
        let name = what(&ending.what);
        let act = match &ending.what {
            What::Document(_) => "Renew it by a runbook of the kind renew, with everyone whose key it takes.",
            What::Certificate(_) => {
                "Renew it by runbooks of the kinds certify-key and rotate-root: root lists certificates."
            }
        };
        let ends = format!("{name} ends on {}.", ending.at.date());
        let mut text = vec![ends, act.to_owned()];
        if let Some(blocked) = ending.blocked {
            text.push(format!("From {} on stock clients publish nothing any more.", blocked.date()));
        }
        text.push(format!("Trust {} of {collection}.", facts.trust.id));
        let text: Vec<Safe> = text.into_iter().map(Safe::from).collect();
        let mut add = |kind: &str, day: Time, title: String, alarms: &[u16]| {
            all.push(Appointment {
                uid: uid(facts, kind, &ending.what),
                day,
                // A renewed document ends later: its appointments move, and this grows.
                sequence: ending.at.unix().div_euclid(DAY),
                title: Safe::from(title),
                text: text.clone(),
                alarms: alarms.to_vec(),
            });
        };
        add("renew", ending.due, format!("Renew {name} ({collection})"), &[14, 0]);
        if let Some(blocked) = ending.blocked {
            add("blocked", blocked, format!("{name} blocks every publisher ({collection})"), &[30, 7]);
        }
        add("ends", ending.at, format!("{name} ENDS ({collection})"), &[30, 7, 0]);
    }
    ics(&Safe::from(format!("Keys of {collection}")), facts.today, &all)
}

/// The same for the same thing of the same trust, however often it is renewed.
fn uid(facts: &Facts, kind: &str, what: &What) -> String {
    let name = match what {
        What::Document(role) => format!("document {role}"),
        What::Certificate(key) => format!("certificate {key}"),
    };
    let digest = Digest::of(format!("{} {kind} {name}", facts.trust.id).as_bytes()).hex();
    let short: String = digest.chars().take(32).collect();
    format!("{short}@keyrite")
}
