//! The small world of profile `notary`: root keys in certificates, each key held by a person of its
//! name. The names are letters, and the same letter is the same key.

use super::world::{holder, key, nothing, sha, time};
use crate::ceremony::change::{Possession, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::tuf::certificate::CertificatePayload;
use crate::tuf::chain::{RootChain, accept};
use crate::tuf::document::{DocumentKey, Keys, PathRule, TargetFile};
use crate::tuf::hashes::Hashes;
use crate::tuf::json::object;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use crate::tuf::payload::{MetadataPayload, Payload};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::test_keys::TestKey;
use crate::tuf::wire;
use std::num::NonZeroU32;

fn secret(name: &str) -> TestKey {
    TestKey::p256(name.as_bytes()[0])
}

pub fn public(name: &str) -> PublicKey {
    secret(name).public()
}

/// The certificate of a letter's key that ends then.
pub fn certificate(name: &str, until: &str) -> String {
    let payload =
        CertificatePayload::new(public(name), "example", [65; 16], time("2026-01-01"), time(until)).unwrap();
    let signature = secret(name).signature(payload.scheme(), &Payload::Certificate(payload.clone()));
    payload.assemble(&signature).unwrap()
}

fn entry(record: &KeyRecord) -> DocumentKey {
    wire::key_entry(Profile::Notary, &record.public, record.certificate.as_deref()).unwrap()
}

fn record(name: &str, purpose: Purpose) -> KeyRecord {
    KeyRecord {
        name: key(name),
        holder: holder(name),
        purpose,
        public: public(name),
        certificate: (purpose == Purpose::Root).then(|| certificate(name, "2036-01-01")),
        token: "pkcs11".to_owned(),
        label: format!("{name} token"),
        serial: "0123".to_owned(),
        possession: Possession::Proved(sha("possession")),
        life: Vec::new(),
        file: sha(&format!("file of {name}")),
    }
}

/// Facts without a root: root keys a to f, targets t and w, snapshot s, timestamp u, developers x, y.
pub fn before() -> Facts {
    let mut facts = nothing();
    facts.trust.profile = Profile::Notary;
    facts.limits.targets.max_valid_for = "3 years".parse().unwrap();
    let purposes = [
        ("abcdef", Purpose::Root),
        ("tw", Purpose::Targets),
        ("s", Purpose::Snapshot),
        ("u", Purpose::Timestamp),
        ("xy", Purpose::Delegation),
    ];
    facts.keys.clear();
    for (word, purpose) in purposes {
        for name in word.chars().map(String::from) {
            facts.keys.insert(key(&name), record(&name, purpose));
        }
    }
    facts
}

fn role(facts: &Facts, word: &str, threshold: u32) -> RoleSpec {
    let keys = word.chars().map(|name| entry(&facts.keys[&key(&name.to_string())])).collect();
    RoleSpec { keys, threshold: NonZeroU32::new(threshold).unwrap() }
}

/// Signed by those letters under the entries that `keys` give them.
fn sealed(payload: &MetadataPayload, keys: &Keys, signers: &str) -> wire::Envelope {
    let signed = Payload::Metadata(payload.clone());
    let sign = |name: char| secret(&name.to_string()).signature(Scheme::EcdsaP256Sha256, &signed);
    let signatures: Vec<_> = signers.chars().map(sign).collect();
    wire::parse(Profile::Notary, payload.role(), &wire::seal(payload, keys, &signatures).unwrap()).unwrap()
}

/// Adds the next root, of these keys in their newest certificates and targets by these, signed by
/// all of them and by the root before.
pub fn push_root(facts: &mut Facts, keys: &str, threshold: u32, targets: &str) {
    let spec = RootSpec {
        version: facts.roots.len() as u64 + 1,
        expires: time("2028-01-01"),
        root: role(facts, keys, threshold),
        targets: role(facts, targets, 1),
        snapshot: role(facts, "s", 1),
        timestamp: role(facts, "u", 1),
    };
    let payload = make::root(Profile::Notary, &spec, None).unwrap();
    let mut entries: Keys = facts.root().map(|old| old.keys.clone()).unwrap_or_default();
    entries.extend(payload.document().as_root().unwrap().keys.clone());
    let may = |name: &char| entries.values().any(|e| e.public.as_ref() == Some(&public(&name.to_string())));
    let signers: String = "abcdef".chars().filter(may).collect();
    let envelope = sealed(&payload, &entries, &signers);
    let mut chain = None;
    for root in &facts.roots {
        match &mut chain {
            None => chain = Some(RootChain::start(root.envelope().clone()).unwrap()),
            Some(chain) => chain.push(root.envelope().clone()).unwrap(),
        }
    }
    match &mut chain {
        None => chain = Some(RootChain::start(envelope).unwrap()),
        Some(chain) => chain.push(envelope).unwrap(),
    }
    facts.roots = chain.unwrap().into_all();
}

/// Adds targets with one application, granted to `x`, signed by that key.
pub fn push_targets(facts: &mut Facts, signer: &str) {
    let grant = TargetsEdit::Grant(Grant {
        role: RoleName::from_name("targets/door"),
        keys: role(facts, "x", 1),
        paths: PathRule::Prefixes(vec!["door/".to_owned()]),
        terminating: false,
    });
    let payload =
        make::targets(Profile::Notary, &RoleName::Targets, 1, time("2028-01-01"), None, &[grant]).unwrap();
    let keys = facts.root().unwrap().keys.clone();
    let envelope = sealed(&payload, &keys, signer);
    let trusted = accept(facts.roots.last().unwrap(), &RoleName::Targets, envelope, None).unwrap();
    facts.documents.insert(RoleName::Targets, trusted);
}

/// A first day: root 1 of a, b and c, targets by t.
pub fn first_day() -> Facts {
    let mut facts = before();
    push_root(&mut facts, "abc", 2, "t");
    push_targets(&mut facts, "t");
    facts
}

/// A first day with an application `cam`, whose developer has released a file from each of these
/// addresses: `cam/a`, `cam/b` and so on, as the stock client lets them.
pub fn granted(signer: &str, urls: &[&str]) -> Facts {
    let mut facts = first_day();
    let cam = RoleName::from_name("targets/cam");
    let grant = TargetsEdit::Grant(Grant {
        role: cam.clone(),
        keys: role(&facts, signer, 1),
        paths: PathRule::Prefixes(vec!["cam/".to_owned()]),
        terminating: false,
    });
    let old = facts.documents[&RoleName::Targets].payload().clone();
    let targets =
        make::targets(Profile::Notary, &RoleName::Targets, 2, time("2028-01-01"), Some(&old), &[grant])
            .unwrap();
    let envelope = sealed(&targets, &facts.root().unwrap().keys.clone(), "t");
    let above = accept(facts.roots.last().unwrap(), &RoleName::Targets, envelope, None).unwrap();
    let keys = targets.document().as_targets().unwrap().delegations.keys.clone();
    let put = |(letter, _): (char, &&str)| TargetsEdit::PutTarget {
        path: format!("cam/{letter}"),
        file: TargetFile {
            length: 3,
            hashes: Hashes::from([("sha256".to_owned(), vec![7; 32])]),
            custom: Some(object([("url", format!("url of {letter}").into())])),
        },
    };
    let edits: Vec<_> = ('a'..).zip(urls).map(put).collect();
    let plain = make::targets(Profile::Notary, &cam, 1, time("2028-01-01"), None, &edits).unwrap();
    // No document of ours says such a thing, so it is read as one of others.
    let mut text = String::from_utf8(plain.bytes().to_vec()).unwrap();
    for (letter, url) in ('a'..).zip(urls) {
        text = text.replace(&format!("url of {letter}"), &url.replace('&', "\\u0026"));
    }
    let file = format!("{{\"signed\":{text},\"signatures\":[]}}");
    let theirs = wire::parse(Profile::Notary, &cam, file.as_bytes()).unwrap().payload().clone();
    let document = accept(&above, &cam, sealed(&theirs, &keys, signer), None).unwrap();
    facts.documents.insert(RoleName::Targets, above);
    facts.documents.insert(cam, document);
    facts
}
