//! `keyrite sign-snapshot --unattended`: the next snapshot and timestamp of profile `tuf`, made from
//! the sealed record by the online keys that limits name. Root, targets and delegations are never
//! signed here.

use super::arguments::SignSnapshot;
use super::rules;
use super::session::{Ended, Session};
use super::table::Table;
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::record::Contents;
use crate::record::upload::{Beside, Upload};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, MetaFile, RoleKeys};
use crate::tuf::evidence::Trusted;
use crate::tuf::hashes::Hashes;
use crate::tuf::json::object;
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Time, Unit};
use crate::tuf::verify::Signature;
use crate::tuf::{make, wire};
use crate::ui::Console;
use crate::ui::screen::{Screen, Tone};
use std::collections::{BTreeMap, BTreeSet};

/// How long a snapshot and a timestamp are valid; both are made anew when half of it has passed.
const SNAPSHOT: Term = Term::new(21, Unit::Days);
const TIMESTAMP: Term = Term::new(7, Unit::Days);

/// Runs the command.
pub fn run(session: &Session, _args: &SignSnapshot) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let mut console = session.scripted(crate::ceremony::answers::Answers::parse("[answers]\n")?);
    let made = make_both(session, &mut table, &mut console)?;
    let screen = Screen::new("Snapshot and timestamp").rehearsal(table.rehearsal());
    let (screen, json) = match made {
        None => (
            screen.callout(Tone::Done, "nothing is due: both are fresh and name the newest documents"),
            object([("made", false.into())]),
        ),
        Some(manifest) => {
            let path = table.record.upload_path(&manifest);
            let path = super::session::shown(&path);
            (
                screen
                    .callout(Tone::Done, format!("both are sealed; {path} is what clients are to be served")),
                object([("made", true.into()), ("upload", path.as_str().into())]),
            )
        }
    };
    session.report(
        &screen.next("copy the upload to where clients fetch from, in the order of its README.txt"),
        json,
    )?;
    Ok(Ended::Done)
}

/// Makes snapshot and timestamp if they are due, and the upload with everything clients need.
///
/// # Errors
///
/// `PROFILE-ONLINE` in profile `notary`; `KEY-ONLINE` if limits name no key that root lists.
pub fn make_both(session: &Session, table: &mut Table, console: &mut dyn Console) -> Result<Option<Digest>> {
    table.record.lock()?;
    let contents = table.contents(session)?;
    let facts = &contents.facts;
    if facts.trust.profile == Profile::Notary {
        let found = "a record of profile notary";
        return Err(Refusal::new(
            &rules::PROFILE_ONLINE,
            found,
            "profile tuf; the Notary backend makes both by itself",
        ));
    }
    // Not `require_fresh`: whoever serves the repository is the backend, and nobody answers it.
    contents.require_anchor()?;
    if let Some(conflict) = contents.conflicts.values().next() {
        return Err(conflict.clone());
    }
    nothing_lost(facts)?;
    let now = session.now()?;
    let meta = listed(facts);
    let snapshot = match facts.documents.get(&RoleName::Snapshot) {
        Some(old) if fresh(old, now, SNAPSHOT) && same(old, &meta) => old.bytes().to_vec(),
        _ => {
            let version = next_version(&contents, &RoleName::Snapshot);
            let payload = make::snapshot(Profile::Tuf, version, now.plus(SNAPSHOT)?, &meta)?;
            seal(table, console, facts, &payload, &facts.limits.online.snapshot)?
        }
    };
    let envelope = wire::parse(Profile::Tuf, &RoleName::Snapshot, &snapshot)?;
    let of_snapshot = meta_file(envelope.payload().version(), &snapshot);
    if let Some(old) = facts.documents.get(&RoleName::Timestamp) {
        let names = matches!(old.document(), Document::Timestamp(t) if t.snapshot == of_snapshot);
        if names && fresh(old, now, TIMESTAMP) {
            // A new root is in no snapshot, and a cut may have come between both and the upload.
            return if uploaded(&contents) { Ok(None) } else { upload(table, &contents).map(Some) };
        }
    }
    let version = next_version(&contents, &RoleName::Timestamp);
    let payload = make::timestamp(Profile::Tuf, version, now.plus(TIMESTAMP)?, &of_snapshot)?;
    seal(table, console, facts, &payload, &facts.limits.online.timestamp)?;
    let contents = table.contents(session)?;
    upload(table, &contents).map(Some)
}

/// The version of the next document of an online role. With new keys a root vouches for none of the
/// documents before, and clients forget them (TUF 5.3.11); in the record their numbers are taken. A
/// number that no honest key ever reached, by a key that has since been replaced, binds nobody.
fn next_version(contents: &Contents, role: &RoleName) -> u64 {
    const HONEST: u64 = 1 << 32;
    let vouched = contents.facts.documents.get(role).map(Trusted::version);
    let before = contents.history.iter().filter(|d| d.role == *role && d.published && d.version < HONEST);
    vouched.or_else(|| before.map(|d| d.version).max()).map_or(1, |version| version.saturating_add(1))
}

/// Everything that clients are to be served.
fn served(contents: &Contents) -> impl Iterator<Item = &Trusted> {
    contents.facts.roots.last().into_iter().chain(contents.facts.documents.values())
}

/// Whether some upload holds the very files that clients are to be served.
fn uploaded(contents: &Contents) -> bool {
    let wanted: BTreeSet<Digest> = served(contents).map(|d| Digest::of(d.bytes())).collect();
    contents.uploads.values().any(|upload| {
        let files: BTreeSet<Digest> = upload.manifest.files.values().map(|line| line.sha).collect();
        wanted.is_subset(&files)
    })
}

fn upload(table: &Table, contents: &Contents) -> Result<Digest> {
    let mut documents = BTreeMap::new();
    for document in served(contents) {
        documents.insert(document.role().clone(), (document.version(), document.bytes().to_vec()));
    }
    let older = contents.facts.roots.split_last().map(|(_, older)| older).unwrap_or_default();
    let roots = older.iter().map(|root| (root.version(), root.bytes().to_vec())).collect();
    let beside = Beside { roots, ..Beside::default() };
    let upload = Upload::with(table.record.trust(), None, &documents, &beside, table.server.as_deref())?;
    table.record.add_upload(&upload)
}

/// Refuses a record that lacks what the snapshot before listed: clients would take a document for
/// withdrawn that was only lost on the way.
fn nothing_lost(facts: &Facts) -> Result<()> {
    let lost = |role: &RoleName, version: u64| {
        Refusal::new(
            &rules::SNAPSHOT_LOSES,
            format!("no {role} of version {version} or later"),
            "every document that the snapshot before lists; import them",
        )
    };
    if !facts.documents.contains_key(&RoleName::Targets) {
        return Err(lost(&RoleName::Targets, 1));
    }
    let old = facts.documents.get(&RoleName::Snapshot).map(Trusted::document);
    let Some(Document::Snapshot(old)) = old else { return Ok(()) };
    for (role, meta) in &old.meta {
        let version = meta.version.unwrap_or(1);
        if facts.last(role).is_none_or(|d| d.version() < version) {
            return Err(lost(role, version));
        }
    }
    Ok(())
}

/// What a snapshot lists: targets, every delegation that has a document, and what the snapshot
/// before listed, though nobody vouches for it any more: clients refuse a snapshot that lists less
/// than the one they have (TUF 5.5.5).
fn listed(facts: &Facts) -> BTreeMap<RoleName, MetaFile> {
    let old = facts.documents.get(&RoleName::Snapshot).map(Trusted::document);
    let before = if let Some(Document::Snapshot(old)) = old { Some(&old.meta) } else { None };
    let gone = before.into_iter().flatten().filter(|(role, _)| !facts.documents.contains_key(role));
    let offline = facts.documents.values().filter(|d| !d.role().is_online());
    let mut meta: BTreeMap<_, _> = gone.map(|(role, file)| (role.clone(), file.clone())).collect();
    meta.extend(offline.map(|d| (d.role().clone(), meta_file(d.version(), d.bytes()))));
    meta
}

fn meta_file(version: u64, bytes: &[u8]) -> MetaFile {
    let hashes = Hashes::from([("sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec())]);
    MetaFile { version: Some(version), length: u64::try_from(bytes.len()).ok(), hashes }
}

fn same(old: &Trusted, meta: &BTreeMap<RoleName, MetaFile>) -> bool {
    matches!(old.document(), Document::Snapshot(snapshot) if snapshot.meta == *meta)
}

fn fresh(document: &Trusted, now: Time, term: Term) -> bool {
    let half = i64::from(term.days()).div_euclid(2);
    document.document().header().expires.days_after(now) > half
}

fn seal(
    table: &mut Table,
    console: &mut dyn Console,
    facts: &Facts,
    payload: &MetadataPayload,
    online: &BTreeSet<KeyName>,
) -> Result<Vec<u8>> {
    let refuse = |found: String| {
        Refusal::new(
            &rules::KEY_ONLINE,
            found,
            "keys that limits name in [online] and root lists for the role",
        )
    };
    let role = payload.role().clone();
    let root = facts.root().ok_or_else(|| refuse("no root in the record".to_owned()))?;
    let RoleKeys { keyids, threshold } =
        root.roles.get(&role).ok_or_else(|| refuse(format!("no {role} in root")))?;
    let mut signatures: Vec<Signature> = Vec::new();
    let whole = Payload::Metadata(payload.clone());
    for name in online {
        let Some(record) = facts.keys.get(name).filter(|record| record.life.is_empty()) else { continue };
        let lists = |id| root.keys.get(id).is_some_and(|k| k.public.as_ref() == Some(&record.public));
        if !keyids.iter().any(lists) || !table.keyring.here(name) {
            continue;
        }
        let scheme = wire::scheme(Profile::Tuf, &record.public);
        let signature = table.keyring.with_token(name, console, &mut |token, pins| {
            if token.audit_log().is_some() {
                let found = format!("{name} on a token that keeps a log of its signatures");
                let expected = "a key whose signatures need no transcript, since this command writes none";
                return Err(Refusal::new(&crate::signer::rules::TOKEN_CANNOT, found, expected));
            }
            let mut signer = token.open(&record.public, pins)?;
            crate::signer::sign(signer.as_mut(), &record.public, scheme, &whole, pins)
        })?;
        signatures.push(signature);
    }
    let need = usize::try_from(threshold.get()).unwrap_or(usize::MAX);
    if signatures.len() < need {
        return Err(refuse(format!("{} of {need} keys for {role} in reach", signatures.len())));
    }
    let bytes = wire::seal(payload, &root.keys, &signatures)?;
    table.record.add_metadata(&role, payload.version(), &bytes)?;
    Ok(bytes)
}
