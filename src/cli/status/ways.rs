//! The way out of a change that is stuck: refused, lapsed, overtaken, or one of two for one version.

use super::super::session::{Session, runbook_path, shown, typed};
use super::super::sign::going_on;
use super::view::{Role, View};
use crate::ceremony::change::{Change, Item};
use crate::ceremony::facts::{KeyRecord, Stage};
use crate::ceremony::kinds::{self, software_allowed};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Standing, State};
use crate::record::manifest::Manifest;
use crate::record::upload::{FETCH, asks, fetch_line};
use crate::record::{Contents, StoredChange};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};

/// The change's own runbook, as a line can name it.
pub fn runbook(session: &Session, stored: &StoredChange) -> String {
    runbook_path(&session.directory, &stored.digest)
}

/// What to type for every change that goes nowhere by itself; nothing once a withdrawal is on its
/// way, which goes on like any change.
pub fn out(session: &Session, contents: &Contents) -> Vec<String> {
    let keyrite = session.keyrite();
    if settling(contents) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let titled = |stored: &StoredChange| titled(contents, stored);
    let withdraw = |title: &str, why: &str| withdraw(session, title, why);
    let open = contents.facts.conflicts.iter().filter(|(_, conflict)| conflict.kept.is_none());
    for (what, conflict) in open.filter(|(what, _)| !what.starts_with("metadata/root/")) {
        let sides = conflict.sides.keys().map(|side| side.hex().chars().take(16).collect::<String>());
        let sides = sides.collect::<Vec<_>>().join(" or ");
        let what = visible(what);
        lines.push(format!("{keyrite} guide copies-differ    for \"{what}\": keep = {sides}"));
    }
    for stored in contents.changes.values() {
        let Ok(standing) = &stored.standing else { continue };
        let title = visible(&stored.change.frame.title);
        let signed = !stored.gathered.signatures.is_empty();
        match &standing.state {
            State::Open if !stored.gathered.refusals.is_empty() => {
                lines.push(withdraw(&title, &format!("{}it was refused", titled(stored))));
            }
            // Whoever signed it can sign no other of that version.
            State::Lapsed { .. } if signed && in_the_way(contents, &stored.change) => {
                let which = titled(stored);
                lines.push(withdraw(&title, &format!("{which}its last day has passed, half signed")));
            }
            _ => {}
        }
    }
    for (role, version, titles, digests) in rivals(contents) {
        let first = titles.iter().next().map_or("", String::as_str);
        let many = titles.len();
        let why = if many > 1 {
            let others: Vec<_> = titles.iter().skip(1).map(|title| format!("\"{title}\"")).collect();
            format!("or for {}: both make {role} {version}", others.join(" or "))
        } else {
            let all = if digests.len() == 2 { "both" } else { "all" };
            format!("with which = {}: {all} make {role} {version}", digests.join(" or "))
        };
        lines.push(withdraw(first, &why));
    }
    lines
}

/// What to type for a change that people had signed when a document that it starts from was replaced: a thief
/// of the targets keys does that to whoever takes them out, with one more upload.
pub fn overtaken(session: &Session, contents: &Contents) -> Vec<String> {
    if settling(contents) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for stored in contents.changes.values().filter(|stored| !stored.gathered.signatures.is_empty()) {
        let Ok(Standing { state: State::BaseMoved(moved), .. }) = &stored.standing else { continue };
        if replaced(contents, stored) {
            continue;
        }
        let title = visible(&stored.change.frame.title);
        // Whoever signed it can sign no other of that version.
        if in_the_way(contents, &stored.change) {
            let why =
                format!("{}half signed, and {} has come between", titled(contents, stored), moved.newest());
            lines.push(withdraw(session, &title, &why));
        }
        let (keyrite, runbook) = (session.keyrite(), runbook(session, stored));
        lines.push(format!(
            "{keyrite} run {runbook}    plans \"{title}\" anew, from {}; hold it in one sitting",
            moved.newest()
        ));
    }
    lines
}

/// Whether nothing of a change is left to be planned anew: another of its runbook goes on or has been
/// carried out since, or all that it asks for is so already.
fn replaced(contents: &Contents, stored: &StoredChange) -> bool {
    let frame = &stored.change.frame;
    let later = |other: &StoredChange| {
        let states = |s: &Standing| {
            matches!(s.state, State::Open | State::Complete { .. } | State::Sealed | State::Published)
        };
        let own = other.change.frame.runbook == frame.runbook && other.change.frame.held_at > frame.held_at;
        own && other.standing.as_ref().is_ok_and(states)
    };
    let text = String::from_utf8_lossy(&stored.runbook);
    let ceremony = Runbook::parse(&text).and_then(|runbook| kinds::read(&runbook));
    contents.changes.values().any(later) || ceremony.is_ok_and(|ceremony| ceremony.held(&contents.facts))
}

/// Whether a change is under way that ends what keeps others waiting.
fn settling(contents: &Contents) -> bool {
    contents.changes.values().any(|stored| going_on(stored) && settles(&stored.change))
}

fn withdraw(session: &Session, title: &str, why: &str) -> String {
    format!("{} guide withdraw    for \"{title}\": {why}", session.keyrite())
}

/// How a withdrawal tells a change from others of its title, where there are any.
fn titled(contents: &Contents, stored: &StoredChange) -> String {
    let (title, all) = (&stored.change.frame.title, contents.facts.proposals.values());
    let alone = all.filter(|other| other.title == *title && !other.withdrawn).count() < 2;
    if alone { String::new() } else { format!("with which = {}: ", digits(stored)) }
}

/// Whether a change ends what keeps others waiting: it withdraws another, or decides a conflict.
pub fn settles(change: &Change) -> bool {
    change.documents().next().is_none()
        && change.items.iter().any(|item| match item {
            Item::Statement { payload, .. } => {
                matches!(payload.sentence(), Sentence::Withdrawal { .. } | Sentence::Decision { .. })
            }
            _ => false,
        })
}

/// Whether nothing trusted has the versions of a change yet.
fn in_the_way(contents: &Contents, change: &Change) -> bool {
    let newer =
        |role: &RoleName| contents.facts.newest(role).map_or(0, crate::tuf::evidence::Trusted::version);
    change.documents().any(|d| d.version() > newer(d.role()))
}

/// A change as a withdrawal names it among others of its title.
fn digits(stored: &StoredChange) -> String {
    format!("\"{}\"", stored.digest.hex().chars().take(16).collect::<String>())
}

/// Open changes that make one version of one role: their titles, and how a withdrawal names each.
fn rivals(contents: &Contents) -> Vec<(RoleName, u64, BTreeSet<String>, Vec<String>)> {
    let mut made: BTreeMap<(RoleName, u64), Vec<&StoredChange>> = BTreeMap::new();
    for stored in contents.changes.values().filter(|stored| going_on(stored)) {
        for document in stored.change.documents() {
            made.entry((document.role().clone(), document.version())).or_default().push(stored);
        }
    }
    let titles = |changes: &[&StoredChange]| changes.iter().map(|s| visible(&s.change.frame.title)).collect();
    let digests = |changes: &[&StoredChange]| changes.iter().map(|s| digits(s)).collect();
    let several = made.into_iter().filter(|(_, changes)| changes.len() > 1);
    let mut told: BTreeSet<Vec<crate::tuf::digest::Digest>> = BTreeSet::new();
    several
        .filter(|(_, changes)| told.insert(changes.iter().map(|s| s.digest).collect()))
        .map(|((role, version), changes)| (role, version, titles(&changes), digests(&changes)))
        .collect()
}

/// What writes the upload of a change after all that a session sealed before it was cut off.
pub fn unwritten(session: &Session, contents: &Contents) -> Vec<String> {
    let line = |stored: &StoredChange| {
        let (keyrite, runbook) = (session.keyrite(), runbook(session, stored));
        let title = visible(&stored.change.frame.title);
        format!(
            "{keyrite} run {runbook}    writes the upload of \"{title}\", which is sealed: nobody has handed it over"
        )
    };
    contents.unwritten_uploads().into_iter().map(line).collect()
}

/// What clients of profile `tuf` are still to be led to, and by whom.
pub fn unlisted(session: &Session, contents: &Contents) -> Option<String> {
    const NAMED: usize = 8;
    let unseen = contents.unlisted();
    let mut named: Vec<String> =
        unseen.iter().take(NAMED).map(|(role, version)| format!("{role} {version}")).collect();
    if let Some(more) = unseen.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    let (named, online) = (named.join(", "), &contents.facts.limits.online);
    if named.is_empty() {
        return None;
    }
    Some(if online.snapshot.is_empty() || online.timestamp.is_empty() {
        format!("have the tool that makes snapshot and timestamp list {named}: clients don't see it before")
    } else {
        let keyrite = session.keyrite();
        format!(
            "{keyrite} sign-snapshot --unattended    where the online keys are: clients don't see {named} before"
        )
    })
}

/// What is published before the newest root goes up, in profile `notary`: fresh clients that pin only
/// what the root before listed would refuse it.
pub fn pins(contents: &Contents) -> Option<String> {
    let facts = &contents.facts;
    let root = facts.roots.last().filter(|root| !facts.published.contains(&root.payload().digest()))?;
    let waits = facts.trust.profile == Profile::Notary && !waiting(contents).is_empty();
    waits.then(|| {
        let version = root.version();
        format!("publish the certificate ids of root {version} before it goes up, for clients that pin root on first contact: its README.txt lists them")
    })
}

/// Keys of root and targets that no token holds, where limits want one: no refusal stops what an adopted
/// trust goes on signing with.
pub fn in_software<'a>(contents: &Contents, view: &View<'a>) -> Vec<(RoleName, &'a KeyRecord)> {
    let top = |role: &&Role| matches!(role.name, RoleName::Root | RoleName::Targets);
    let records = view
        .roles
        .iter()
        .filter(top)
        .flat_map(|role| role.keys.iter().filter_map(|key| Some((role.name.clone(), key.record?))));
    let is = |(_, record): &(RoleName, &KeyRecord)| {
        let kept = matches!(record.token.as_str(), "file" | "external");
        kept && record.life.is_empty() && !software_allowed(&contents.facts, record.purpose)
    };
    records.filter(is).collect()
}

/// The ceremonies that put keys on tokens in the place of these.
pub fn tokens(session: &Session, contents: &Contents, view: &View<'_>) -> Vec<String> {
    let keyrite = session.keyrite();
    let found = in_software(contents, view);
    let line = |role: RoleName, way: &str| {
        let names = found.iter().filter(|(of, _)| *of == role).map(|(_, record)| record.name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        (!names.is_empty())
            .then(|| format!("{keyrite} guide {way}    puts a key on a token in the place of {names}"))
    };
    line(RoleName::Root, "change-root").into_iter().chain(line(RoleName::Targets, "targets-key")).collect()
}

/// How the record comes to know what the backend serves, where that is the real one: what developers and the
/// server have published since.
///
/// The line hands over the token that may push, and anyone's upload may have come in with a medium: only a
/// config that keyrite makes for the backend that the device map names is ever on it. Of these the one that
/// asks for the most that the trust has, then the newest.
pub fn fetch(session: &Session, contents: &Contents, server: Option<&str>) -> Vec<String> {
    let facts = &contents.facts;
    if facts.trust.stage == Stage::Rehearsal || !contents.unpublished_uploads().is_empty() {
        return Vec::new();
    }
    let names = |manifest: &Manifest| manifest.files.keys().any(|name| name.as_str() == FETCH);
    let planned = |manifest: &Manifest| Some(contents.changes.get(&manifest.change?)?.change.frame.held_at);
    let uploads: Vec<_> = contents.uploads.iter().filter(|(_, upload)| names(&upload.manifest)).collect();
    if uploads.is_empty() {
        return Vec::new();
    }
    let delegations = facts.delegations();
    let own = uploads.into_iter().filter_map(|(digest, upload)| {
        let path = session.directory.join(format!("uploads/{digest}")).join(FETCH);
        let roles = asks(&facts.trust, server, &std::fs::read_to_string(&path).ok()?)?;
        Some((roles.intersection(&delegations).count(), planned(&upload.manifest), path))
    });
    let import = format!("{} import published    takes in what it served", session.keyrite());
    let Some((_, _, path)) = own.max() else {
        let devices = shown(&session.devices);
        let ask = format!(
            "fetch what the backend serves into the folder published: no {FETCH} of the record asks the one that {devices} names"
        );
        return vec![ask, import];
    };
    let line = fetch_line(&facts.trust, server, &typed(&path));
    let backend = server.unwrap_or("the backend at $URL");
    vec![
        format!(
            "{line}    fetches what {backend} serves; the folder published, where it is typed, is made anew; README.txt beside {FETCH} says how to get a token"
        ),
        import,
    ]
}

/// Uploads that are for another backend than the one that the device map names: nothing here hands a token
/// to it.
pub fn elsewhere(session: &Session, contents: &Contents) -> Vec<String> {
    let devices = shown(&session.devices);
    let ours = contents.backend.as_deref().unwrap_or("none");
    let line = |folders: BTreeMap<String, String>| match (folders.len(), folders.first_key_value()) {
        (1, Some((theirs, folder))) => format!(
            "{folder} is for {}, and {devices} names {ours} as the backend: hand it over only once {devices} names that one",
            visible(theirs)
        ),
        // Which of them is a stranger's nobody can tell from the record.
        (many, _) => format!(
            "folders of uploads/ ask {many} backends for the same, and {devices} names {ours}: hand none over before it names yours"
        ),
    };
    contents.uploads_for_others().into_iter().map(line).collect()
}

/// Every folder that waits, whichever backend it asks: what is said of its change has no address.
fn waiting(contents: &Contents) -> Vec<String> {
    let others = contents.uploads_for_others().into_iter().filter_map(|mut of| of.pop_first());
    others.map(|(_, folder)| folder).chain(contents.unpublished_uploads()).collect()
}

/// What to type if the backend turns the newest upload away.
pub fn turned_away(session: &Session, contents: &Contents) -> Option<String> {
    let folder = waiting(contents).pop()?;
    let upload = contents.uploads.iter().find(|(digest, _)| format!("uploads/{digest}") == folder)?;
    let proposal = contents.facts.proposals.get(&upload.1.manifest.change?)?;
    let highest = proposal.highest.as_ref()?;
    let way =
        matches!(highest, RoleName::Root | RoleName::Targets) && proposal.late(&contents.facts).is_none();
    way.then(|| {
        let (keyrite, title) = (session.keyrite(), visible(&proposal.title));
        format!("{keyrite} guide withdraw    for \"{title}\": only if the backend turns it away")
    })
}
