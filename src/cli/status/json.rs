//! The same for programs.

use super::cards;
use super::view::{View, what};
use super::who::{self, Grant};
use crate::ceremony::attestation::{Tally, verdict};
use crate::ceremony::due::{Urgency, What};
use crate::ceremony::facts::Facts;
use crate::ceremony::standing::Standing;
use crate::record::Contents;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::time::Time;

/// The report.
pub fn report(contents: &Contents, view: &View<'_>, grants: &[Grant], next: &[String]) -> Json {
    let facts = &contents.facts;
    let changes = contents.changes.values().map(|stored| {
        let needed = stored.standing.as_ref().map(Standing::needed).unwrap_or_default();
        object([
            ("change", stored.digest.hex().into()),
            ("title", stored.change.frame.title.as_str().into()),
            ("state", stored.standing.as_ref().map_or_else(ToString::to_string, super::state).into()),
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
    let conflicts = facts.conflicts.iter().map(|(what, conflict)| {
        let sides = conflict.sides.iter().map(|(side, says)| {
            let lines: Vec<_> = says.iter().map(|line| Json::from(line.as_str())).collect();
            object([("file", side.hex().into()), ("says", lines.into())])
        });
        object([
            ("what", what.as_str().into()),
            ("kept", conflict.kept.map_or(Json::Null, |kept| kept.hex().into())),
            ("sides", sides.collect::<Vec<_>>().into()),
        ])
    });
    let root = facts.roots.last().map_or(Json::Null, |root| {
        object([("version", number(root.version())), ("payload", root.payload().digest().hex().into())])
    });
    let loose = contents.loose_documents().into_iter().map(|(role, version, payload)| {
        object([
            ("role", role.as_str().into()),
            ("version", number(version)),
            ("payload", payload.hex().into()),
        ])
    });
    let overtaken = facts.overtaken.values().map(|lost| {
        object([
            ("role", lost.role.as_str().into()),
            ("version", number(lost.version)),
            ("payload", lost.payload.hex().into()),
            ("published", lost.published.hex().into()),
        ])
    });
    let roll_call = view.roll_call.iter().map(|(key, at)| (key.to_string(), date(*at))).collect();
    let pins = facts.root().filter(|_| facts.trust.profile == Profile::Notary);
    let pins = pins.and_then(|root| root.roles.get(&RoleName::Root)).into_iter();
    let pins = pins.flat_map(|role| &*role.keyids).map(|id| Json::from(id.as_str()));
    let silent: Vec<_> = super::view::silent(contents).map(|(_, silent)| silent).unwrap_or_default();
    let silent: Vec<_> = silent.iter().map(|key| Json::from(key.name.as_str())).collect();
    object([
        ("root", root),
        ("pins", pins.collect::<Vec<_>>().into()),
        ("trust", facts.trust.id.to_string().into()),
        ("profile", facts.trust.profile.name().into()),
        ("collection", facts.trust.collection.as_str().into()),
        ("stage", facts.trust.stage.name().into()),
        ("limits", number(facts.limits_number)),
        ("roles", roles(view)),
        ("keys", keys(view, facts)),
        ("hardware", hardware(facts)),
        ("endings", endings(view, facts.today)),
        ("roll-call", Json::Object(roll_call)),
        ("silent", silent.into()),
        ("cards", cards::json(contents)),
        ("changes", changes.collect::<Vec<_>>().into()),
        ("conflicts", conflicts.collect::<Vec<_>>().into()),
        ("findings", findings.collect::<Vec<_>>().into()),
        ("loose", loose.collect::<Vec<_>>().into()),
        ("overtaken", overtaken.collect::<Vec<_>>().into()),
        ("uploads", contents.unpublished_uploads().into_iter().map(Json::from).collect::<Vec<_>>().into()),
        ("who", who::json(grants)),
        ("next", next.iter().map(|line| Json::from(line.as_str())).collect::<Vec<_>>().into()),
    ])
}

fn number(n: u64) -> Json {
    i64::try_from(n).map_or(Json::Null, Json::Int)
}

fn date(at: Option<Time>) -> Json {
    at.map_or(Json::Null, |at| at.to_string().into())
}

fn roles(view: &View<'_>) -> Json {
    let one = |role: &super::view::Role<'_>| {
        let keys: Vec<_> = role.keys.iter().map(|key| Json::from(key.words())).collect();
        object([
            ("role", role.name.as_str().into()),
            ("version", role.document.map_or(Json::Null, |d| number(d.version()))),
            ("expires", date(role.document.map(|d| d.document().header().expires))),
            ("threshold", i64::from(role.threshold).into()),
            ("keys", keys.into()),
            ("spare", number(u64::try_from(role.spare()).unwrap_or(u64::MAX))),
        ])
    };
    view.roles.iter().map(one).collect::<Vec<_>>().into()
}

fn hardware(facts: &Facts) -> Json {
    let Some(tally) = facts.root().and_then(|root| Tally::of(root, facts)) else { return Json::Null };
    let count = |n: usize| number(u64::try_from(n).unwrap_or(u64::MAX));
    let rest: Vec<_> = tally.rest.into_iter().map(Json::from).collect();
    object([("proven", count(tally.proven)), ("of", count(tally.all)), ("rest", rest.into())])
}

fn keys(view: &View<'_>, facts: &Facts) -> Json {
    let one = |key: &super::view::Key<'_>| {
        let record = key.record;
        let life = record
            .life
            .iter()
            .map(|(event, at)| object([("event", event.name().into()), ("at", at.to_string().into())]));
        object([
            ("name", record.name.as_str().into()),
            ("holder", record.holder.as_str().into()),
            ("purpose", record.purpose.name().into()),
            ("token", record.token.as_str().into()),
            ("label", record.label.as_str().into()),
            ("serial", record.serial.as_str().into()),
            ("identity", record.public.identity().digest().hex().into()),
            ("roles", key.serves.iter().map(|role| Json::from(role.as_str())).collect::<Vec<_>>().into()),
            ("life", life.collect::<Vec<_>>().into()),
            ("last-used", date(key.used)),
            ("attestation", verdict(facts, record).words().into()),
        ])
    };
    view.keys.iter().map(one).collect::<Vec<_>>().into()
}

fn endings(view: &View<'_>, now: Time) -> Json {
    let one = |ending: &crate::ceremony::due::Ending| {
        let (kind, name) = match &ending.what {
            What::Document(role) => ("document", role.to_string()),
            What::Certificate(key) => ("certificate", key.to_string()),
        };
        let urgency = match ending.urgency(now) {
            Urgency::Ended => "ended",
            Urgency::Blocked => "blocked",
            Urgency::Due => "due",
            Urgency::Later => "later",
        };
        object([
            ("what", what(&ending.what).into()),
            ("kind", kind.into()),
            ("name", name.into()),
            ("ends", ending.at.to_string().into()),
            ("due", ending.due.to_string().into()),
            ("blocked", date(ending.blocked)),
            ("urgency", urgency.into()),
        ])
    };
    view.endings.iter().map(one).collect::<Vec<_>>().into()
}
