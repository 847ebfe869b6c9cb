//! Changes: what people agree on at once.

use super::Beside;
use super::page::Page;
use crate::ceremony::change::{Ask, Base, Change, CopyFrom, Counts, Item};
use crate::ceremony::facts::Stage;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::State;
use crate::record::{Media, StoredChange, TrustFile};
use crate::tuf::diff;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::BTreeMap;
use std::path::Path;

const SMALL: u64 = 256 * 1024;
const LARGE: u64 = 64 * 1024 * 1024;

/// A `change.json`, with the runbook and payloads beside it.
pub fn page(beside: &Beside, file: &Path, bytes: &[u8]) -> Result<Page> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let media = Media::open(folder)?;
    let runbook = media.read("runbook.toml", SMALL)?;
    let items = Json::parse(bytes)?.get("items").and_then(Json::as_array).map_or(0, <[Json]>::len);
    let mut payloads = BTreeMap::new();
    for at in 0..items {
        // Which items have a payload the change's own reader knows.
        if let Ok(payload) = media.read(&format!("{at}.payload.json"), LARGE) {
            payloads.insert(at, payload);
        }
    }
    let near = folder.parent().and_then(Path::parent).and_then(|root| Media::open(root).ok());
    let trust =
        near.and_then(|root| root.read("trust.json", SMALL).ok()).and_then(|b| TrustFile::from_json(&b).ok());
    let trust =
        trust.map(|file| file.trust().clone()).or(beside.contents.as_ref().map(|c| c.facts.trust.clone()));
    let change = match trust.as_ref().map(|t| t.profile).or(beside.profile()) {
        Some(profile) => Change::from_json(bytes, &runbook, &payloads, profile)?,
        None => Change::from_json(bytes, &runbook, &payloads, Profile::Notary)
            .or_else(|_| Change::from_json(bytes, &runbook, &payloads, Profile::Tuf))?,
    };
    let rehearsal = trust.is_some_and(|t| t.id == change.trust && t.stage == Stage::Rehearsal);
    Ok(about(beside, &change, &runbook).rehearsal(rehearsal))
}

fn about(beside: &Beside, change: &Change, runbook: &[u8]) -> Page {
    let frame = &change.frame;
    let stored = beside.contents.as_ref().and_then(|c| c.changes.get(&change.digest()));
    let people = frame.people.iter().map(|(who, duty)| format!("{who}, {}", duty.name())).collect();
    let base = change.base.documents.iter();
    let base = base
        .map(|(role, (version, payload))| format!("{role}, version {version}, payload {payload}"))
        .collect();
    let mut page = Page::new("change", format!("Change: {}", visible(&frame.title)))
        .fact("kind", visible(&frame.kind))
        .fact("trust", change.trust.to_string())
        .fact("held at", frame.held_at.to_string())
        .fact("to be signed by", beside.until(frame.sign_by))
        .fact("limits", format!("number {}", change.limits.number))
        .maybe("state", stored.map(|s| state(s, frame.sign_by)))
        .digest("change", change.digest())
        .list("People", people)
        .list("In the proposer's words", change.summary.iter().map(|l| visible(l)).collect())
        .list("It starts from", base);
    for item in &change.items {
        page = about_item(beside, page, &change.base, item, stored);
    }
    match std::str::from_utf8(runbook).ok().and_then(|text| Runbook::parse(text).ok()) {
        Some(read) if read.digest() == frame.runbook => page = page.fact("runbook", visible(&read.title)),
        _ => page = page.careful("Its runbook can't be read."),
    }
    if stored.is_some_and(StoredChange::closed) {
        return page;
    }
    page.next("Whoever is asked signs or refuses:  keyrite sign")
        .next("keyrite sign computes the change again from the runbook, which this page does not.")
}

fn about_item(beside: &Beside, page: Page, base: &Base, item: &Item, stored: Option<&StoredChange>) -> Page {
    let mut lines = match item {
        Item::Document { payload, .. } => {
            let base = base.documents.get(payload.role());
            let old = base.and_then(|(_, digest)| beside.document(payload.role(), digest));
            let mut lines = diff::words(old.as_ref(), payload, &|key| beside.in_words(key));
            lines.insert(0, format!("payload {}", payload.digest()));
            if let (None, Some((version, _))) = (&old, base) {
                lines.insert(
                    1,
                    format!("version {version} is not here to compare with: this is all that it says"),
                );
            }
            lines
        }
        Item::Statement { payload, .. } => super::record_file::sentence(beside, payload.sentence()),
        Item::NewKey(new) => vec![format!("{} for {}, held by {}", new.spec, new.purpose.name(), new.holder)],
        Item::EnrolledKey(key) => vec![format!(
            "{} for {}, held by {}, identity {}",
            key.public.describe(),
            key.purpose.name(),
            key.holder,
            key.public.identity()
        )],
        Item::Certificate(new) => vec![format!(
            "for the collection {} until {}",
            visible(&new.template.common_name),
            new.template.not_after
        )],
        Item::DestroyedKey { identity, .. } => vec![format!("identity {identity}")],
        Item::Shares(new) => {
            let holders: Vec<_> = new.holders.iter().map(ToString::to_string).collect();
            let how = format!("any {} of {} cards bring it back", new.needed, holders.len());
            vec![visible(&new.title), how, format!("held by {}", holders.join(", "))]
        }
        Item::KeyCopy { identity, wrap_key, shares, .. } => {
            let cards = shares.map(|shares| format!("by the cards of the manifest {shares}"));
            let lines =
                [Some(format!("wrapped under {wrap_key}")), cards, Some(format!("identity {identity}"))];
            lines.into_iter().flatten().collect()
        }
        Item::Restored(back) => {
            let (shares, copy) = match &back.from {
                CopyFrom::Cards { shares, copy } => {
                    (format!("by the cards of the manifest {shares}"), copy.to_string())
                }
                CopyFrom::Tool { split, copy } => {
                    (format!("by {split}"), format!("the file whose digest begins {copy}"))
                }
            };
            let copy = format!("from its copy under {}: {copy}", back.wrap_key);
            vec![shares, copy, format!("identity {}", back.identity)]
        }
    };
    let signed = item.payload().and_then(|p| stored?.signatures.get(&p.digest()));
    lines.extend(item.asked().iter().map(|ask| {
        let has = signed.is_some_and(|all| all.iter().any(|s| s.key() == ask.public.identity()));
        asked(ask, stored.map(|_| has))
    }));
    page.list(item.title(), lines)
}

fn asked(ask: &Ask, has: Option<bool>) -> String {
    let counts = ask.counts.iter().map(|counts| match counts {
        Counts::Old => "for the root before".to_owned(),
        Counts::New => "for its own threshold".to_owned(),
        Counts::Historic(version) => format!("for clients that stopped at root {version}"),
    });
    let counts: Vec<_> = counts.collect();
    let counts = if counts.is_empty() { "for itself".to_owned() } else { counts.join(" and ") };
    let has = match has {
        Some(true) => ": has signed",
        Some(false) => ": has not signed",
        None => "",
    };
    format!("asks {} of {}, {counts}{has}", ask.key, ask.holder)
}

fn state(stored: &StoredChange, sign_by: Time) -> String {
    match stored.standing.as_ref().map(|s| &s.state) {
        Err(refusal) => format!("can't be said: {}", refusal.rule().name),
        Ok(State::Published) => "published".to_owned(),
        Ok(State::Withdrawn { reason }) => format!("withdrawn: {reason}"),
        Ok(State::Overtaken { role, version }) => {
            format!("overtaken: another {role} {version} was published, and this one never")
        }
        Ok(State::Sealed) => "sealed".to_owned(),
        Ok(State::Lapsed { .. }) => format!("lapsed on {}", sign_by.date()),
        Ok(State::BaseMoved(moved)) => format!("overtaken: {}", moved.told()),
        Ok(State::BaseAhead { role, from }) => {
            format!("waits for another change: {role} {from} is not sealed yet")
        }
        Ok(State::Complete { .. }) => "every threshold is met: it may be sealed".to_owned(),
        Ok(State::Open) => "open".to_owned(),
    }
}
