//! What waits for a key: the possession and certificate of one that is to come into the record, or
//! the documents and statements of a change that asks it.

use crate::ceremony::change::{Item, NewKey, Purpose};
use crate::ceremony::kinds::{rules::KEY_SOFTWARE, software_allowed};
use crate::ceremony::people::{KeyName, Person};
use crate::cli::perform::{certificate, possession};
use crate::cli::recomputed::recomputed;
use crate::cli::rules;
use crate::cli::sign::going_on;
use crate::cli::table::finished;
use crate::record::{Contents, StoredChange};
use crate::signer::rules::EXTERNAL_ELSEWHERE;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules::KEY_TWO_ROLES;

/// One payload that the key is to sign.
pub(super) struct Wanted {
    /// In a word or two, safe to show: `possession`, `certificate`, `root 1`.
    pub what: String,
    /// The key.
    pub public: PublicKey,
    /// How it signs.
    pub scheme: Scheme,
    /// What.
    pub payload: Payload,
}

/// Everything that one change wants of the key.
pub(super) struct Work<'a> {
    /// The change.
    pub stored: &'a StoredChange,
    /// The record's name of the key.
    pub key: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// The payloads; at least one.
    pub wanted: Vec<Wanted>,
    /// The public half, if the change is the one by which the key comes in.
    pub making: Option<PublicKey>,
}

/// Finds what waits for `key`: its own coming in first. `public` is what a person named for it.
pub(super) fn find<'a>(contents: &'a Contents, key: &KeyName, public: Option<PublicKey>) -> Result<Work<'a>> {
    let open = || contents.changes.values().filter(|stored| going_on(stored));
    let makes = |stored: &'a StoredChange| Some((stored, making(stored, key)?));
    let new = open().filter(|stored| !finished(stored, contents)).filter_map(makes);
    // One that doesn't come out of its runbook here is nobody's; it must not stand in the way.
    let sound = |stored: &StoredChange| recomputed(stored, contents).is_ok();
    let newest = new.max_by_key(|(stored, _)| (sound(stored), stored.change.frame.held_at));
    if let Some((stored, new)) = newest.filter(|_| !contents.facts.keys.contains_key(key)) {
        return coming_in(contents, stored, new, public);
    }
    let asked = open().filter_map(|stored| signing(stored, key));
    let work = asked.max_by_key(|work| (sound(work.stored), work.stored.change.frame.held_at));
    let work = work.ok_or_else(|| {
        let found = format!("nothing that waits for {key}");
        Refusal::new(&rules::KEY_ELSEWHERE, found, "an open change that asks this key, or makes it")
    })?;
    match (public, work.wanted.first()) {
        (Some(public), Some(wanted)) if public != wanted.public => Err(Refusal::new(
            &rules::EXTERNAL_KEY,
            format!("the public key {}", public.identity()),
            format!("{}, which the record has as {key}", wanted.public.identity()),
        )),
        _ => Ok(work),
    }
}

fn making<'a>(stored: &'a StoredChange, key: &KeyName) -> Option<&'a NewKey> {
    stored.change.items.iter().find_map(|item| match item {
        Item::NewKey(new) if new.name == *key => Some(new),
        _ => None,
    })
}

fn coming_in<'a>(
    contents: &Contents,
    stored: &'a StoredChange,
    new: &NewKey,
    public: Option<PublicKey>,
) -> Result<Work<'a>> {
    let key = &new.name;
    if matches!(new.purpose, Purpose::Snapshot | Purpose::Timestamp) {
        let found = format!("{key}, which signs {} without people", new.purpose.name());
        return Err(Refusal::new(&EXTERNAL_ELSEWHERE, found, "a token or a key file that keyrite can reach"));
    }
    if !software_allowed(&contents.facts, new.purpose) {
        let found = format!("{key}, a {} key in a vault", new.purpose.name());
        return Err(Refusal::new(&KEY_SOFTWARE, found, "a token for it in the device map"));
    }
    let refuse = |found: String| {
        let expected = format!("--public FILE with the public half of {key}, a key of the kind {}", new.spec);
        Refusal::new(&rules::EXTERNAL_KEY, found, expected)
    };
    let public = public.ok_or_else(|| refuse(format!("no public key of {key}, which is to come in")))?;
    if !new.spec.fits(&public) {
        return Err(refuse(format!("{} {}", public.describe(), public.identity())));
    }
    if let Some(other) = contents.facts.keys.values().find(|r| r.public.identity() == public.identity()) {
        let found = format!("the public key of {key}, which the record has as {}", other.name);
        return Err(Refusal::new(&KEY_TWO_ROLES, found, "a key of its own for each role"));
    }
    let scheme = Scheme::of(public.algorithm());
    let proof = possession(&stored.change, stored.digest, new, &public)?;
    let mut wanted = vec![Wanted {
        what: "possession".to_owned(),
        public: public.clone(),
        scheme,
        payload: Payload::Statement(proof),
    }];
    if let Some(template) = &new.certificate {
        let payload = Payload::Certificate(certificate(template, &public)?);
        wanted.push(Wanted { what: "certificate".to_owned(), public: public.clone(), scheme, payload });
    }
    Ok(Work { stored, key: key.clone(), holder: new.holder.clone(), wanted, making: Some(public) })
}

fn signing<'a>(stored: &'a StoredChange, key: &KeyName) -> Option<Work<'a>> {
    let mut wanted = Vec::new();
    let mut holder = None;
    for item in &stored.change.items {
        let Some(ask) = item.asked().iter().find(|ask| ask.key == *key) else { continue };
        let Some(payload) = item.payload() else { continue };
        let signed = stored
            .signatures
            .get(&payload.digest())
            .is_some_and(|all| all.iter().any(|s| s.key() == ask.public.identity()));
        if !signed {
            holder = Some(ask.holder.clone());
            wanted.push(Wanted {
                what: item.title(),
                public: ask.public.clone(),
                scheme: ask.scheme,
                payload,
            });
        }
    }
    Some(Work { stored, key: key.clone(), holder: holder?, wanted, making: None })
}
