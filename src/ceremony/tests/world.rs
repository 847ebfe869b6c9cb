//! A small world to try ceremonies in: keys that follow from their names, documents that verify.

use crate::ceremony::backups::Copies;
use crate::ceremony::change::{Ask, Base, Change, Counts, Frame, Item, Possession, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord, Stage, Trust};
use crate::ceremony::limits::Limits;
use crate::ceremony::people::{Duty, KeyName, Person};
use crate::ceremony::standing::Gathered;
use crate::tuf::chain::{RootChain, accept, signers_of};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Keys, PathRule};
use crate::tuf::evidence::Trusted;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::{Sentence, Statement, TrustId};
use crate::tuf::time::Time;
use crate::tuf::verify::Signature;
use crate::tuf::wire;
use ed25519_dalek::{Signer, SigningKey};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

pub fn sha(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub fn person(name: &str) -> Person {
    name.parse().unwrap()
}

pub fn key(name: &str) -> KeyName {
    name.parse().unwrap()
}

pub fn time(text: &str) -> Time {
    format!("{text}T12:00:00Z").parse().unwrap()
}

fn secret(name: &str) -> SigningKey {
    SigningKey::from_bytes(sha(name).as_bytes())
}

/// The public key that follows from a name: the same name is the same key.
pub fn public(name: &str) -> PublicKey {
    PublicKey::from_ed25519(secret(name).verifying_key().as_bytes()).unwrap()
}

/// Each key is held by a person of its name with `of-` before it.
pub fn holder(name: &str) -> Person {
    person(&format!("of-{name}"))
}

pub fn record(name: &str, purpose: Purpose) -> KeyRecord {
    KeyRecord {
        name: key(name),
        holder: holder(name),
        purpose,
        public: public(name),
        certificate: None,
        token: "pkcs11".to_owned(),
        label: format!("{name} token"),
        serial: "0123".to_owned(),
        possession: Possession::Proved(sha("possession")),
        life: Vec::new(),
        file: sha(&format!("file of {name}")),
    }
}

/// A word of one-letter names: `"abc"` are the keys a, b and c.
pub fn names(word: &str) -> Vec<String> {
    word.chars().map(String::from).collect()
}

pub fn role(word: &str, threshold: u32) -> RoleSpec {
    let keys = names(word).iter().map(|n| wire::key_entry(Profile::Tuf, &public(n), None).unwrap()).collect();
    RoleSpec { keys, threshold: NonZeroU32::new(threshold).unwrap() }
}

/// A root of these root keys; targets by t, snapshot by s, timestamp by u.
pub fn root(version: u64, keys: &str, threshold: u32, targets: &str) -> MetadataPayload {
    let spec = RootSpec {
        version,
        expires: time("2030-01-01"),
        root: role(keys, threshold),
        targets: role(targets, 1),
        snapshot: role("s", 1),
        timestamp: role("u", 1),
    };
    make::root(Profile::Tuf, &spec, None).unwrap()
}

/// The document of app-x, which grants a role whose name sorts before its own to the key y.
pub fn delegating(version: u64) -> MetadataPayload {
    let grant = TargetsEdit::Grant(Grant {
        role: RoleName::from_name("a-below"),
        keys: role("y", 1),
        paths: PathRule::Patterns(vec!["x/below/*".to_owned()]),
        terminating: false,
    });
    let role = RoleName::from_name("app-x");
    make::targets(Profile::Tuf, &role, version, time("2029-01-01"), None, &[grant]).unwrap()
}

/// A targets document that grants each application, named by a letter, to the key of that letter.
pub fn targets(version: u64, applications: &str) -> MetadataPayload {
    let grant = |name: &String| {
        TargetsEdit::Grant(Grant {
            role: RoleName::from_name(&format!("app-{name}")),
            keys: role(name, 1),
            paths: PathRule::Patterns(vec![format!("{name}/*")]),
            terminating: false,
        })
    };
    let edits: Vec<_> = names(applications).iter().map(grant).collect();
    let expires = time("2029-01-01");
    make::targets(Profile::Tuf, &RoleName::Targets, version, expires, None, &edits).unwrap()
}

pub fn delegation(name: &str, version: u64) -> MetadataPayload {
    let role = RoleName::from_name(&format!("app-{name}"));
    make::targets(Profile::Tuf, &role, version, time("2029-01-01"), None, &[]).unwrap()
}

pub fn sign(name: &str, payload: &Payload) -> Signature {
    let raw = secret(name).sign(payload.bytes()).to_bytes();
    Signature::check(&public(name), Scheme::Ed25519, payload, &raw).unwrap()
}

pub fn envelope(payload: &MetadataPayload, signers: &str) -> wire::Envelope {
    let entries =
        names(signers).into_iter().map(|n| wire::key_entry(Profile::Tuf, &public(&n), None).unwrap());
    let keys: Keys = entries.map(|entry| (entry.id.clone(), entry)).collect();
    let signed = Payload::Metadata(payload.clone());
    let signatures: Vec<_> = names(signers).iter().map(|n| sign(n, &signed)).collect();
    let bytes = wire::seal(payload, &keys, &signatures).unwrap();
    wire::parse(Profile::Tuf, payload.role(), &bytes).unwrap()
}

/// Facts without a root.
pub fn nothing() -> Facts {
    let purposes = [("abcdef", Purpose::Root), ("t", Purpose::Targets), ("xyz", Purpose::Delegation)];
    let records =
        purposes.iter().flat_map(|(word, purpose)| names(word).into_iter().map(|n| record(&n, *purpose)));
    Facts {
        trust: Trust {
            id: TrustId::from_bytes([1; 16]),
            profile: Profile::Tuf,
            collection: "example".to_owned(),
            stage: Stage::Production,
            shadows: None,
            start: None,
        },
        limits: Limits::default_for(Profile::Tuf),
        limits_number: 1,
        limits_file: sha("limits"),
        keys: records.map(|record| (record.name.clone(), record)).collect(),
        attested: BTreeMap::new(),
        copies: Copies::default(),
        roots: Vec::new(),
        documents: BTreeMap::new(),
        unvouched: BTreeMap::new(),
        reached: BTreeMap::new(),
        earlier: BTreeMap::new(),
        unmade: Vec::new(),
        overtaken: BTreeMap::new(),
        revoked: BTreeSet::new(),
        anchor: None,
        enrolments: BTreeMap::new(),
        devices: BTreeMap::new(),
        away: BTreeMap::new(),
        today: time("2026-11-22"),
        roll_calls: BTreeMap::new(),
        history: BTreeSet::new(),
        published: BTreeSet::new(),
        proposals: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        said_by_targets: BTreeMap::new(),
    }
}

/// Facts before the first root, with online keys.
pub fn before_root() -> Facts {
    let mut facts = nothing();
    for (name, purpose) in [("s", Purpose::Snapshot), ("m", Purpose::Timestamp)] {
        facts.keys.insert(key(name), record(name, purpose));
    }
    facts
}

/// Facts with these roots, each with who signed it, and targets and delegations signed by their keys.
pub fn facts(roots: &[(&MetadataPayload, &str)], documents: &[(&MetadataPayload, &str)]) -> Facts {
    let mut facts = nothing();
    let mut chain: Option<RootChain> = None;
    for (payload, signers) in roots {
        let envelope = envelope(payload, signers);
        match &mut chain {
            None => chain = Some(RootChain::start(envelope).unwrap()),
            Some(chain) => chain.push(envelope).unwrap(),
        }
        facts.history.insert(payload.digest());
    }
    facts.roots = chain.map(RootChain::into_all).unwrap_or_default();
    for (payload, signers) in documents {
        let above = if *payload.role() == RoleName::Targets {
            facts.roots.last().unwrap()
        } else {
            let lists = |d: &&Trusted| signers_of(d.document(), payload.role()).is_ok();
            facts.documents.values().find(lists).unwrap()
        };
        let trusted: Trusted = accept(above, payload.role(), envelope(payload, signers), None).unwrap();
        facts.documents.insert(payload.role().clone(), trusted);
        facts.history.insert(payload.digest());
    }
    facts
}

pub fn frame() -> Frame {
    Frame {
        kind: "create-root".to_owned(),
        title: "The first root".to_owned(),
        people: BTreeMap::from([(person("alice"), Duty::Administrator), (person("bob"), Duty::Witness)]),
        runbook: sha("runbook"),
        held_at: time("2026-11-22"),
        sign_by: time("2026-12-22"),
        nonce: [5; 32],
        rehearsal: None,
    }
}

pub fn asks(word: &str, counts: &[Counts]) -> Vec<Ask> {
    let ask = |name: &String| Ask {
        key: key(name),
        holder: holder(name),
        public: public(name),
        scheme: Scheme::Ed25519,
        counts: counts.to_vec(),
    };
    names(word).iter().map(ask).collect()
}

pub fn document(payload: &MetadataPayload, asked: &str) -> Item {
    Item::Document { payload: payload.clone(), asked: asks(asked, &[Counts::New]) }
}

pub fn statement(sentence: Sentence, asked: &str) -> Item {
    let payload = Statement::new(TrustId::from_bytes([1; 16]), sentence).unwrap();
    Item::Statement { payload, asked: asks(asked, &[Counts::New]) }
}

/// A change that starts from the newest document of each of those roles.
pub fn change(facts: &Facts, base: &[RoleName], items: Vec<Item>) -> Change {
    let newest = base.iter().filter_map(|role| {
        let document = facts.newest(role)?;
        Some((role.clone(), (document.version(), document.payload().digest())))
    });
    let base = Base { documents: newest.collect() };
    Change::new(&frame(), facts, base, items, vec!["what changes".to_owned()])
}

/// Signatures of these keys over an item of a change.
pub fn signed(change: &Change, by: &[(usize, &str)]) -> Gathered {
    let signatures = by.iter().flat_map(|(item, word)| {
        let digest = Digest::of(change.items[*item].payload_bytes().unwrap());
        names(word).into_iter().map(move |name| (public(&name).identity(), digest))
    });
    Gathered { signatures: signatures.collect(), ..Gathered::default() }
}
