//! `keyrite sign --external KEY`: for keys that keyrite can't reach, as in a vault or a cloud's key
//! service. Payload and digest go out; only signatures that verify come back.
//!
//! A key that is in a vault already can't be made by `generate-key` or `issue-targets-key`. It comes
//! in by the same change all the same: the change waits for it as for a token that is elsewhere,
//! `--public` says which key it is, and its proof of possession (with the change's digest as nonce)
//! and, where the profile has one, its certificate are handed out and taken back like any payload.
//! Then the change is held as if the vault were a token in reach: one way for all keys.
//!
//! Everything that goes out was agreed to first. Never: anything recorded before every signature
//! that came back has verified, or a file overwritten.

mod work;

use super::arguments::Sign;
use super::perform::journal::{Journal, Of};
use super::perform::{Agenda, Room};
use super::recomputed::recomputed;
use super::session::{Ended, Session, shown, typed};
use super::table::Table;
use super::{files, gated, opening, rules, run};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::Standing;
use crate::ceremony::transcript::{EndState, Outcome, TokenSeen};
use crate::record::{Contents, media};
use crate::signer::backends::external::{Brought, hand_out, take_back};
use crate::signer::rules::EXTERNAL_FORM;
use crate::tuf::json::{Json, object};
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::verify::Signature;
use crate::ui::screen::{Screen, Tone};
use std::path::{Path, PathBuf};
use work::{Wanted, Work};

/// No signature file is larger, in bytes.
pub(super) const SIGNATURE_CAP: u64 = 16 * 1024;
/// No public key file is larger, in bytes.
const PUBLIC_CAP: u64 = 64 * 1024;
/// What comes after a key's turn.
const AGAIN: &str = "whoever leads gives the line again that stopped for this key: keyrite run RUNBOOK";

/// Hands out what waits for the key, or takes its signatures back.
///
/// # Errors
///
/// `KEY-ELSEWHERE` if nothing waits for the key; `EXTERNAL-KEY` for a new key without its public
/// half, or with another than the runbook asks for; `SIGNATURE-WRONG` and `EXTERNAL-FORM` for what
/// is not the signature asked for; `CHANGE-RECOMPUTED`, `SIGN-BY`.
pub fn run(session: &Session, table: &mut Table, args: &Sign, key: &str) -> Result<Ended> {
    let key: KeyName = key.parse()?;
    let public = args.public.as_deref().map(read_public).transpose()?;
    let contents = table.contents(session)?;
    let work = work::find(&contents, &key, public)?;
    if work.making.is_some() {
        table.keyring.require_vault(&key)?;
    }
    recomputed(work.stored, &contents)?;
    contents.require_anchor_for(&work.stored.change)?;
    contents.require_fresh()?;
    gated::planned(work.stored, &contents)?;
    let (now, sign_by) = (session.now()?, work.stored.change.frame.sign_by);
    if now > sign_by {
        let expected = format!("a signature by {sign_by}");
        return Err(Refusal::new(&crate::ceremony::rules::SIGN_BY, now.to_string(), expected));
    }
    if let Some(refusal) = work.stored.standing.as_ref().ok().and_then(Standing::refusal) {
        return Err(refusal);
    }
    let line = line(session, args, &key);
    if args.take_back.is_empty() {
        return out(session, table, args, &contents, &work, &line);
    }
    let signatures = come_back(&work.wanted, &args.take_back)?;
    match &work.making {
        None => record(session, table, &contents, &work, &signatures, &line),
        Some(public) => make(session, table, args, &work, public, signatures),
    }
}

/// What to type for this key, as far as it is always the same.
pub(super) fn line(session: &Session, args: &Sign, key: &KeyName) -> String {
    let from = args.from.as_deref().map(|from| format!(" {}", typed(from))).unwrap_or_default();
    let public = args.public.as_deref().map(|file| format!(" --public {}", typed(file))).unwrap_or_default();
    format!("{} sign{from} --external {key}{public}", session.keyrite_own())
}

/// The public key in a file: PEM (a key or a certificate) or DER.
pub(super) fn read_public(file: &Path) -> Result<PublicKey> {
    let bytes = media::read_file(file, PUBLIC_CAP)?;
    let public = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN ") => PublicKey::from_pem(text),
        _ => PublicKey::from_spki_der(&bytes),
    };
    public.map_err(|e| e.at(shown(file)))
}

fn out(
    session: &Session,
    table: &mut Table,
    args: &Sign,
    contents: &Contents,
    work: &Work<'_>,
    line: &str,
) -> Result<Ended> {
    let stored = work.stored;
    let mut console = session.console(&args.answers)?;
    let people = stored.change.frame.people.clone();
    let host = opening::settle(session, &table.record, contents, None, &mut *console)?;
    let journal = table.begin(session, contents, people, vec![stored.change.frame.runbook], host)?;
    let mut room = Room {
        session,
        record: &table.record,
        console: &mut *console,
        keyring: &mut table.keyring,
        journal,
        server: None,
    };
    let agenda = Agenda { change: &stored.change, digest: stored.digest, steps: &[], clients: &[] };
    let agreed = room.agree(contents, &agenda, &work.holder);
    let mut journal = room.journal;
    let done =
        agreed.and_then(|()| work.wanted.iter().map(|w| write(&work.key, w)).collect::<Result<Vec<_>>>());
    let folders = match done {
        Ok(folders) => folders,
        Err(refusal) => {
            table.end(session, &mut journal, EndState::Refused, Vec::new())?;
            return Err(refusal);
        }
    };
    table.end(session, &mut journal, EndState::Waiting, vec![work.holder.clone()])?;

    let mut screen = Screen::new(format!("{} of {} is to sign", work.key, work.holder))
        .rehearsal(table.rehearsal())
        .text(format!("For: {}", stored.change.frame.title))
        .text(
            "Each folder holds one payload, its digest, the key and a README with the exact lines to type.",
        );
    for (wanted, folder) in work.wanted.iter().zip(&folders) {
        screen = screen.digest(format!("{}, in {}", wanted.what, shown(folder)), wanted.payload.digest());
    }
    let back: Vec<String> =
        folders.iter().map(|folder| format!("--take-back {}", typed(&folder.join("signature")))).collect();
    let screen = screen
        .next("carry each folder to where the key is, and sign there by its README")
        .next(format!("{line} {}    once the signatures are there", back.join(" ")));
    let list = work.wanted.iter().zip(&folders).map(|(wanted, folder)| {
        object([
            ("folder", shown(folder).into()),
            ("payload", wanted.payload.digest().hex().into()),
            ("what", wanted.what.as_str().into()),
        ])
    });
    session.report(&screen, object([("handed-out", list.collect::<Vec<Json>>().into())]))?;
    Ok(Ended::Incomplete)
}

/// Writes one payload's folder; one that is there with the very same files is left as it is.
fn write(key: &KeyName, wanted: &Wanted) -> Result<PathBuf> {
    let digest = wanted.payload.digest().hex();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let what: String = wanted.what.chars().map(plain).collect();
    let folder = PathBuf::from(format!("external-{key}-{what}-{}", digest.get(..12).unwrap_or_default()));
    for (name, bytes) in hand_out(&wanted.payload, &wanted.public, wanted.scheme) {
        files::create(&folder.join(name), &bytes)?;
    }
    Ok(folder)
}

/// The signatures in these files, each verified over one of the payloads wanted.
fn come_back(wanted: &[Wanted], files: &[PathBuf]) -> Result<Vec<Signature>> {
    let mut found: Vec<Signature> = Vec::new();
    for file in files {
        let bytes = media::read_file(file, SIGNATURE_CAP)?;
        let open = wanted.iter().filter(|w| !found.iter().any(|s| s.payload() == w.payload.digest()));
        let mut refusal = None;
        let mut taken = None;
        for wanted in open {
            match take_back(&bytes, &wanted.public, wanted.scheme, &wanted.payload) {
                Ok(signature) => {
                    taken = Some(signature);
                    break;
                }
                Err(e) => refusal = Some(e),
            }
        }
        match (taken, refusal) {
            (Some(signature), _) => found.push(signature),
            (None, refusal) => {
                let more =
                    || Refusal::new(&EXTERNAL_FORM, "more files than payloads", "one file for each payload");
                return Err(refusal.unwrap_or_else(more).at(shown(file)));
            }
        }
    }
    Ok(found)
}

/// Records signatures over documents and statements of a change.
fn record(
    session: &Session,
    table: &Table,
    contents: &Contents,
    work: &Work<'_>,
    signatures: &[Signature],
    line: &str,
) -> Result<Ended> {
    let stored = work.stored;
    for signature in signatures {
        contents.require_no_fork(&stored.digest, signature.key(), &signature.payload())?;
    }
    contents.require_sound(&stored.change)?;
    let mut journal: Journal =
        table.begin(session, contents, stored.change.frame.people.clone(), Vec::new(), session.machine())?;
    let of = Of { change: Some(stored.digest), step: None };
    for signature in signatures {
        let file = table.record.add_signature(&stored.change, signature)?;
        let token = TokenSeen { label: String::new(), serial: String::new() };
        let outcome = Outcome::Sign { key: work.key.clone(), payload: signature.payload(), file, token };
        journal.say(&table.record, session, of, outcome)?;
    }
    table.end(session, &mut journal, EndState::Done, Vec::new())?;
    let left = work.wanted.len().saturating_sub(signatures.len());
    let mut screen = Screen::new("What came back verifies and is in the record")
        .rehearsal(table.rehearsal())
        .callout(Tone::Done, format!("{} has signed: {}", work.key, stored.change.frame.title));
    for wanted in &work.wanted {
        if signatures.iter().any(|s| s.payload() == wanted.payload.digest()) {
            screen = screen.digest(wanted.what.as_str(), wanted.payload.digest());
        }
    }
    screen = match left {
        0 => screen.next(AGAIN),
        _ => screen.next(format!("{line} --take-back FILE    with the rest: {left} still to come")),
    };
    let signed = signatures.iter().map(|s| Json::from(s.payload().hex()));
    session.report(&screen, object([("signed", signed.collect::<Vec<_>>().into())]))?;
    Ok(if left == 0 { Ended::Done } else { Ended::Incomplete })
}

/// Holds the change that makes the key, with what came back in the vault's place.
fn make(
    session: &Session,
    table: &mut Table,
    args: &Sign,
    work: &Work<'_>,
    public: &PublicKey,
    signatures: Vec<Signature>,
) -> Result<Ended> {
    let missing = |w: &&Wanted| !signatures.iter().any(|s| s.payload() == w.payload.digest());
    if let Some(missing) = work.wanted.iter().find(missing) {
        let found = format!("no signature over {}", missing.what);
        return Err(Refusal::new(&EXTERNAL_FORM, found, "one --take-back FILE for every payload, at once"));
    }
    let text = String::from_utf8(work.stored.runbook.clone()).map_err(|_| {
        Refusal::new(&rules::TEXT_FILE, "the change's runbook in odd bytes", "a text in UTF-8")
    })?;
    table.keyring.bring(
        work.stored.change.trust,
        &work.key,
        Brought { public: public.clone(), signatures },
    )?;
    let mut console = session.console(&args.answers)?;
    let record = args.from.as_ref().unwrap_or(&session.directory);
    let path = record.join(format!("changes/{}/runbook.toml", work.stored.digest));
    let runbooks = vec![(path, Runbook::parse(&text)?)];
    let report = run::hold(session, table, runbooks, console.as_mut())?;
    let screen = report.screen(session, table.rehearsal()).next(AGAIN);
    session.report(&screen, report.json())?;
    Ok(report.ended())
}
