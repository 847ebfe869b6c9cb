//! Keys: which files are used, because the key itself and a transcript stand behind them.

use super::documents::Documents;
use super::statements::Said;
use super::{Decided, Desk, by_newest_root, by_some_root, decision, other_trust};
use crate::ceremony::change::{Possession, Purpose};
use crate::ceremony::facts::KeyRecord;
use crate::ceremony::people::{Duty, KeyName};
use crate::ceremony::transcript::{CeremonyId, Outcome, Transcript};
use crate::record::names::Place;
use crate::record::{KeyFile, rules};
use crate::tuf::certificate::leaf;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::{BTreeMap, BTreeSet};

/// Every key file, and those that are used.
pub(super) struct Keys {
    /// By name.
    pub used: BTreeMap<KeyName, KeyRecord>,
    /// By digest, with why it is not used if it isn't.
    pub files: BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
}

/// How a key came in, as a transcript tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// Made on a token of this record's people.
    Made,
    /// Brought.
    Enrolled,
}

/// Reads them.
pub(super) fn read(
    desk: &mut Desk<'_>,
    transcripts: &BTreeMap<CeremonyId, Transcript>,
    said: &Said,
    roots: &[Trusted],
    documents: &Documents,
) -> Keys {
    let witnessed = witnessed(transcripts);
    let mut proofs = BTreeSet::new();
    let mut names: BTreeMap<KeyName, Vec<(Place, KeyFile)>> = BTreeMap::new();
    let mut keys = Keys { used: BTreeMap::new(), files: BTreeMap::new() };
    // One statement proves one file: none that a medium brings takes it from one that is here.
    let mut places = desk.places.clone();
    places.sort_by_key(|place| desk.files.is_new(place));
    for place in places {
        let Place::Key(name, sha) = &place else { continue };
        let Some(file) = desk.read(&place, KeyFile::from_json) else { continue };
        let checked = check(desk, &file, name, *sha, &witnessed, said, documents)
            .and_then(|()| once(&file, *sha, &mut proofs));
        match checked {
            Ok(()) => names.entry(name.clone()).or_default().push((place.clone(), file.clone())),
            Err(refusal) => desk.refuse(&place, refusal),
        }
        keys.files.insert(*sha, (file, None));
    }
    for (name, files) in names {
        let what = format!("keys/{name}");
        let decided = decision(said, &what, |by| by_newest_root(roots, by), |by| by_some_root(roots, by));
        let chosen = match chain_end(&files) {
            Some(end) if decided.by.is_empty() => {
                for (place, _) in &files {
                    desk.accept(place);
                }
                Some(end)
            }
            _ => settled(desk, &what, files, &decided, &trusted_keys(roots, documents)),
        };
        if let Some((place, file)) = chosen {
            desk.accept(&place);
            let sha = place.digest().unwrap_or_else(|| file.digest());
            keys.used.insert(name, record(file, sha));
        }
    }
    for (sha, (file, refusal)) in &mut keys.files {
        *refusal = desk.refused.get(&Place::Key(file.name.clone(), *sha)).cloned();
        let what = format!("keys/{}", file.name);
        let conflict =
            desk.conflicts.get(&what).filter(|c| c.sides.contains_key(sha) && c.kept != Some(*sha));
        if conflict.is_some() && refusal.is_none() {
            let found = format!("{what}, decided otherwise");
            *refusal = Some(Refusal::new(&rules::RECORD_CONFLICT, found, "the file that stands"));
        }
    }
    keys
}

/// The file of a key's name that stands, where several do. People decide; where they have not, no
/// file of a key that nobody lists stands beside one of a key that clients trust: a planted file could
/// else keep the very keys from signing that would decide about it.
fn settled(
    desk: &mut Desk<'_>,
    what: &str,
    mut files: Vec<(Place, KeyFile)>,
    decided: &Decided,
    trusted: &BTreeSet<KeyIdentity>,
) -> Option<(Place, KeyFile)> {
    let sides = files.iter().filter_map(|(place, file)| Some((place.digest()?, side(file)))).collect();
    let lists = |file: &KeyFile| trusted.contains(&file.public.identity());
    if decided.by.is_empty() && files.iter().any(|(_, file)| lists(file)) {
        let found = format!("{what}, of another key than the one that clients trust");
        files.retain(|(place, file)| lists(file) || desk.conflict(place, &found));
    }
    // What people decided stands: whoever brings one more file takes the name from nobody.
    let kept = files.iter().find(|(place, _)| place.digest().is_some_and(|file| decided.keep == Some(file)));
    if let Some(kept) = kept.map(|(_, file)| file.public.clone()) {
        let found = format!("{what}, of another key than the one that people decided for");
        let over = |place: &Place| place.digest().is_some_and(|file| decided.out.contains(&file));
        files.retain(|(place, file)| file.public == kept || over(place) || desk.conflict(place, &found));
    }
    let chosen = match chain_end(&files) {
        Some(end) if decided.by.is_empty() => {
            for (place, _) in &files {
                desk.accept(place);
            }
            Some(end)
        }
        _ => desk.settle(what, files, decided),
    };
    desk.note(what, sides, chosen.as_ref().and_then(|(place, _)| place.digest()), decided);
    chosen
}

/// What a key file says, for people to compare.
fn side(file: &KeyFile) -> Vec<String> {
    vec![
        format!("holder: {}", file.holder),
        format!("made for: {}", file.purpose.name()),
        format!("key: {}, {}", file.public.describe(), file.public.identity()),
        format!(
            "kept in: {}",
            [file.token.kind(), file.token.label(), file.token.serial()].join(" ").trim_end()
        ),
        format!("came in by the change: {}", file.change),
    ]
}

/// The keys that the newest documents list, root's first.
fn trusted_keys(roots: &[Trusted], documents: &Documents) -> BTreeSet<KeyIdentity> {
    let root = roots.last().and_then(|root| root.document().as_root()).map(|root| &root.keys);
    let below = documents.newest.values().filter_map(|d| d.document().as_targets());
    let lists = root.into_iter().chain(below.map(|targets| &targets.delegations.keys));
    lists.flat_map(|keys| keys.values()).filter_map(|key| Some(key.public.as_ref()?.identity())).collect()
}

/// The files that a transcript's outcome names, with the key that it names, and whether people have
/// read its digest back.
fn witnessed(
    transcripts: &BTreeMap<CeremonyId, Transcript>,
) -> BTreeMap<(KeyName, Digest), (KeyIdentity, Origin, bool)> {
    let compared = compared(transcripts);
    let outcomes = transcripts.values().flat_map(Transcript::entries).map(|(entry, _)| &entry.outcome);
    let named = outcomes.filter_map(|outcome| match outcome {
        Outcome::Key { name, file, identity, .. } => Some(((name.clone(), *file), (*identity, Origin::Made))),
        Outcome::Enrol { name, file, identity } => {
            Some(((name.clone(), *file), (*identity, Origin::Enrolled)))
        }
        _ => None,
    });
    named
        .map(|(file, (identity, origin))| (file, (identity, origin, compared.contains(&identity.digest()))))
        .collect()
}

/// Every digest that people read back, where a witness has looked on: one who was named as the
/// session began has copied the transcript's words afterwards.
fn compared(transcripts: &BTreeMap<CeremonyId, Transcript>) -> BTreeSet<Digest> {
    let mut compared = BTreeSet::new();
    for transcript in transcripts.values() {
        let mut watched = false;
        let mut waiting = Vec::new();
        for (entry, _) in transcript.entries() {
            match &entry.outcome {
                Outcome::Begin(begin) => {
                    watched = begin.people.values().any(|duty| *duty == Duty::Witness);
                    waiting.clear();
                }
                Outcome::ReadBack { digest, .. } if watched => waiting.push(*digest),
                Outcome::ReadBack { digest, .. } => drop(compared.insert(*digest)),
                Outcome::Witness { .. } => compared.extend(waiting.drain(..)),
                _ => {}
            }
        }
    }
    compared
}

fn check(
    desk: &Desk<'_>,
    file: &KeyFile,
    name: &KeyName,
    sha: Digest,
    witnessed: &BTreeMap<(KeyName, Digest), (KeyIdentity, Origin, bool)>,
    said: &Said,
    documents: &Documents,
) -> Result<()> {
    if file.trust != desk.trust.id {
        return Err(other_trust(&file.trust));
    }
    if file.name != *name {
        let found = format!("the key file of \"{}\"", file.name);
        return Err(Refusal::new(
            &rules::RECORD_NAME,
            found,
            format!("that of \"{name}\", as its folder says"),
        ));
    }
    if let Some(pem) = &file.certificate
        && leaf(pem)?.public != file.public
    {
        return Err(unproved("a certificate of another key"));
    }
    let identity = file.public.identity();
    // A key that clients trust already, since a trusted document lists it, was compared with that.
    let adopted = desk.trust.start.is_some() && matches!(file.possession, Possession::TrustedDocument(_));
    let named = witnessed.get(&(name.clone(), sha)).filter(|(named, _, _)| *named == identity);
    let Some((_, origin, _)) = named.filter(|(_, _, compared)| *compared || adopted) else {
        return Err(Refusal::new(
            &rules::KEY_UNWITNESSED,
            format!("a key file of \"{name}\" that no transcript bears out"),
            "a key or enrol outcome with its SHA-256, and the key's digest read back before the session's witness",
        ));
    };
    possession(file, *origin, said, documents)
}

/// Whether the key's holder has shown to have it.
fn possession(file: &KeyFile, origin: Origin, said: &Said, documents: &Documents) -> Result<()> {
    let online = matches!(file.purpose, Purpose::Snapshot | Purpose::Timestamp);
    match &file.possession {
        Possession::Proved(statement) => {
            let signed =
                said.file(statement).ok_or_else(|| unproved("a possession statement that isn't here"))?;
            let Sentence::Possession { key, name, holder, purpose, nonce } = signed.statement().sentence()
            else {
                return Err(unproved("a statement of another kind"));
            };
            let same = *key == file.public.identity()
                && *signed.public() == file.public
                && *name == file.name.as_str()
                && *holder == file.holder.as_str()
                && *purpose == file.purpose.name();
            if !same {
                return Err(unproved("a possession statement for another key, name, holder or purpose"));
            }
            if origin == Origin::Made && *nonce != file.change {
                return Err(unproved("a possession statement with another nonce than its change"));
            }
            Ok(())
        }
        Possession::ByFirstPublication if file.purpose == Purpose::Delegation => Ok(()),
        Possession::BackendReadBack if online => Ok(()),
        Possession::TrustedDocument(payload) if documents.lists(payload, &file.public) => Ok(()),
        Possession::ByFirstPublication | Possession::BackendReadBack => {
            Err(unproved(&format!("no proof for a key of purpose {}", file.purpose.name())))
        }
        Possession::TrustedDocument(_) => {
            Err(unproved("a document that no root leads to, or that doesn't list the key"))
        }
    }
}

/// One statement proves one key file.
fn once(file: &KeyFile, sha: Digest, proofs: &mut BTreeSet<(Digest, Digest)>) -> Result<()> {
    let Possession::Proved(statement) = &file.possession else { return Ok(()) };
    let used = proofs.iter().any(|(proof, by)| proof == statement && *by != sha);
    if used {
        return Err(unproved("a possession statement that another key file uses"));
    }
    proofs.insert((*statement, sha));
    Ok(())
}

fn unproved(found: &str) -> Refusal {
    Refusal::new(
        &rules::KEY_POSSESSION,
        found,
        "a possession statement by this very key, for this name, holder and purpose",
    )
}

/// The end of the `replaces` chain that all these files of one key form, if they do.
fn chain_end(files: &[(Place, KeyFile)]) -> Option<(Place, KeyFile)> {
    let one_key = files.iter().zip(files.iter().skip(1)).all(|((_, a), (_, b))| a.public == b.public);
    let replaced: BTreeSet<Digest> = files.iter().filter_map(|(_, file)| file.replaces).collect();
    let here: BTreeSet<Digest> = files.iter().filter_map(|(place, _)| place.digest()).collect();
    let starts =
        files.iter().filter(|(_, file)| file.replaces.is_none_or(|sha| !here.contains(&sha))).count();
    let mut ends =
        files.iter().filter(|(place, _)| place.digest().is_some_and(|sha| !replaced.contains(&sha)));
    let end = ends.next();
    if one_key && starts == 1 && ends.next().is_none() { end.cloned() } else { None }
}

/// A key as ceremonies know it, before anything became of it.
pub(super) fn record(file: KeyFile, sha: Digest) -> KeyRecord {
    KeyRecord {
        name: file.name,
        holder: file.holder,
        purpose: file.purpose,
        public: file.public,
        certificate: file.certificate,
        token: file.token.kind().to_owned(),
        label: file.token.label().to_owned(),
        serial: file.token.serial().to_owned(),
        possession: file.possession,
        life: Vec::new(),
        file: sha,
    }
}
