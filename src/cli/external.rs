//! `keyrite sign --external KEY`: for keys that keyrite can't reach, as in a vault or a cloud's key
//! service. Payload and digest go out; only a signature that verifies comes back.

use super::perform::journal::Of;
use super::session::{Ended, Session, shown};
use super::sign::going_on;
use super::table::{Table, recomputed};
use super::{files, rules};
use crate::ceremony::change::{Ask, Item};
use crate::ceremony::people::KeyName;
use crate::ceremony::standing::Standing;
use crate::ceremony::transcript::{EndState, Outcome, TokenSeen};
use crate::record::{Contents, StoredChange, media};
use crate::signer::backends::external::{hand_out, take_back};
use crate::tuf::json::object;
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::{Screen, Tone};
use std::path::Path;

/// No signature file is larger, in bytes.
const SIGNATURE_CAP: u64 = 16 * 1024;

/// Hands the next payload out, or takes its signature back.
///
/// # Errors
///
/// `KEY-ELSEWHERE` if nothing waits for the key; `SIGNATURE-WRONG` for a signature that doesn't
/// verify; `CHANGE-RECOMPUTED`.
pub fn run(session: &Session, table: &mut Table, key: &str, back: Option<&Path>) -> Result<Ended> {
    let key: KeyName = key.parse()?;
    let contents = table.contents(session)?;
    let Some((stored, at, ask)) = waiting(&contents, &key) else {
        let found = format!("nothing that waits for {key}");
        return Err(Refusal::new(&rules::KEY_ELSEWHERE, found, "an open change that asks this key"));
    };
    recomputed(stored, &contents)?;
    contents.require_anchor()?;
    contents.require_fresh()?;
    let now = session.now()?;
    if now > stored.change.frame.sign_by {
        let expected = format!("a signature by {}", stored.change.frame.sign_by);
        return Err(Refusal::new(&crate::ceremony::rules::SIGN_BY, now.to_string(), expected));
    }
    let Some(payload) = stored.change.items.get(at).and_then(Item::payload) else {
        return Err(Refusal::new(
            &rules::STEP_UNKNOWN,
            format!("item {at}"),
            "a payload that the change lists",
        ));
    };
    match back {
        None => out(session, stored, &key, ask, &payload),
        Some(file) => take(session, table, &contents, stored, &key, ask, &payload, file),
    }
}

fn waiting<'a>(contents: &'a Contents, key: &KeyName) -> Option<(&'a StoredChange, usize, &'a Ask)> {
    let open = contents.changes.values().filter(|s| going_on(s));
    open.flat_map(|stored| stored.change.items.iter().enumerate().map(move |(at, item)| (stored, at, item)))
        .find_map(|(stored, at, item)| {
            let ask = item.asked().iter().find(|ask| ask.key == *key)?;
            let payload = item.payload()?.digest();
            let signed = stored
                .signatures
                .get(&payload)
                .is_some_and(|s| s.iter().any(|s| s.key() == ask.public.identity()));
            (!signed).then_some((stored, at, ask))
        })
}

fn out(
    session: &Session,
    stored: &StoredChange,
    key: &KeyName,
    ask: &Ask,
    payload: &Payload,
) -> Result<Ended> {
    let digest = payload.digest();
    let folder =
        std::path::PathBuf::from(format!("external-{key}-{}", digest.hex().get(..12).unwrap_or_default()));
    for (name, bytes) in hand_out(payload, &ask.public, ask.scheme) {
        files::create(&folder.join(name), &bytes)?;
    }
    let screen = Screen::new(format!("{key} of {} is to sign", ask.holder))
        .text(format!("For: {}", stored.change.frame.title))
        .digest("the payload", digest)
        .callout(
            Tone::Note,
            format!("{} holds the payload, its digest and the exact lines to type", shown(&folder)),
        )
        .next(format!("keyrite sign --external {key} --take-back FILE    with the signature, raw or DER"));
    let json = object([("payload", digest.hex().into()), ("folder", shown(&folder).into())]);
    session.report(&screen, json)?;
    Ok(Ended::Incomplete)
}

#[allow(clippy::too_many_arguments, reason = "one act, each argument another thing at hand")]
fn take(
    session: &Session,
    table: &Table,
    contents: &Contents,
    stored: &StoredChange,
    key: &KeyName,
    ask: &Ask,
    payload: &Payload,
    file: &Path,
) -> Result<Ended> {
    let bytes = media::read_file(file, SIGNATURE_CAP)?;
    let signature = take_back(&bytes, &ask.public, ask.scheme, payload)?;
    if let Some(refusal) = stored.standing.as_ref().ok().and_then(Standing::refusal) {
        return Err(refusal);
    }
    contents.require_no_fork(&stored.digest, ask.public.identity(), &payload.digest())?;
    contents.require_sound(&stored.change)?;
    let host = session.machine();
    let mut journal = table.begin(session, contents, stored.change.frame.people.clone(), Vec::new(), host)?;
    let file = table.record.add_signature(&stored.change, &signature)?;
    let token = TokenSeen { label: String::new(), serial: String::new() };
    let of = Of { change: Some(stored.digest), step: None };
    let outcome = Outcome::Sign { key: key.clone(), payload: payload.digest(), file, token };
    journal.say(&table.record, session, of, outcome)?;
    table.end(session, &mut journal, EndState::Done, Vec::new())?;
    let screen = Screen::new("The signature verifies and is in the record")
        .callout(Tone::Done, format!("{key} has signed: {}", stored.change.frame.title))
        .next(format!("keyrite sign --external {key}    once more, if more waits for this key"))
        .next("keyrite run RUNBOOK    goes on with the change");
    session.report(&screen, object([("signed", payload.digest().hex().into())]))?;
    Ok(Ended::Done)
}
