//! A Notary collection to be uploaded: honest documents from `make`, and hands to spoil them.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unused_self,
    reason = "a test fails by panicking"
)]

pub mod cases;
pub mod server;

use crate::keys::TestKey;
use base64ct::{Base64, Encoding as _};
use keyrite::tuf::backend_model::ServerKey;
use keyrite::tuf::certificate::CertificatePayload;
use keyrite::tuf::document::{DocumentKey, MetaFile, PathRule, TargetFile};
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::key::{KeyId, PublicKey};
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::{Term, Time, Unit};
use keyrite::tuf::wire;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Mutex;

/// Keys by number: 1 to 9 are P-256, 10 to 99 Ed25519, 100 is RSA, from 101 on P-384.
pub fn key(n: u8) -> TestKey {
    match n {
        0..10 => TestKey::p256(n),
        10..100 => TestKey::ed25519(n),
        100 => TestKey::rsa(),
        _ => TestKey::p384(n),
    }
}

/// The server's key of the same number, so that a test can also be who stole it.
pub fn server_key(n: u8) -> ServerKey {
    ServerKey::ed25519(&Sha256::digest([b'e', n]).into()).unwrap()
}

/// Who makes documents for one collection.
#[derive(Clone)]
pub struct Maker {
    pub collection: String,
    pub now: Time,
    pub snapshot: PublicKey,
    pub timestamp: PublicKey,
}

/// A root to be.
#[derive(Clone)]
pub struct Root<'a> {
    pub version: u64,
    pub keys: &'a [u8],
    pub threshold: u32,
    pub signers: &'a [u8],
    pub targets: &'a [u8],
}

pub fn days(now: Time, n: i64) -> Time {
    Time::from_unix(now.unix() + n * 86_400).unwrap()
}

pub fn signed_json(payload: &MetadataPayload) -> Json {
    Json::parse(payload.bytes()).unwrap()
}

/// The file of any JSON, signed by keys under the ids given; the bytes are Go's unless a test
/// spoils them.
pub fn file(signed: &Json, signers: &[(KeyId, TestKey)]) -> Vec<u8> {
    let message = signed.canonical();
    let entry = |(id, key): &(KeyId, TestKey)| {
        let scheme = wire::scheme(Profile::Notary, &key.public());
        let method = match scheme.algorithm() {
            keyrite::tuf::key::Algorithm::Ed25519 => "eddsa",
            keyrite::tuf::key::Algorithm::Rsa => "rsapss",
            _ => "ecdsa",
        };
        let raw = key.sign(scheme, &message);
        object([
            ("keyid", id.as_str().into()),
            ("method", method.into()),
            ("sig", Base64::encode_string(&raw).into()),
        ])
    };
    let signatures = Json::Array(signers.iter().map(entry).collect()).canonical();
    [b"{\"signed\":".as_slice(), &message, b",\"signatures\":", &signatures, b"}"].concat()
}

impl Maker {
    /// A root key's entry, in a certificate of the collection that is valid for ten years.
    pub fn root_key(&self, n: u8) -> DocumentKey {
        self.certified(n, &self.collection, days(self.now, -1), days(self.now, 3650))
    }

    /// The same every time, also where the signature is not (RSA-PSS).
    pub fn certified(&self, n: u8, name: &str, from: Time, to: Time) -> DocumentKey {
        static MADE: Mutex<BTreeMap<String, DocumentKey>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock().unwrap();
        made.entry(format!("{n} {name} {from} {to}"))
            .or_insert_with(|| Self::certify(n, name, from, to))
            .clone()
    }

    fn certify(n: u8, name: &str, from: Time, to: Time) -> DocumentKey {
        let key = key(n);
        let payload = CertificatePayload::new(key.public(), name, [n; 16], from, to).unwrap();
        let signature = key.signature(payload.scheme(), &Payload::Certificate(payload.clone()));
        let pem = payload.assemble(&signature).unwrap();
        wire::key_entry(Profile::Notary, &key.public(), Some(&pem)).unwrap()
    }

    pub fn plain(&self, n: u8) -> DocumentKey {
        wire::key_entry(Profile::Notary, &key(n).public(), None).unwrap()
    }

    pub fn role(keys: Vec<DocumentKey>, threshold: u32) -> RoleSpec {
        RoleSpec { keys, threshold: NonZeroU32::new(threshold).unwrap() }
    }

    pub fn online(public: &PublicKey) -> RoleSpec {
        Self::role(vec![wire::key_entry(Profile::Notary, public, None).unwrap()], 1)
    }

    pub fn root_spec(&self, root: &Root<'_>) -> RootSpec {
        RootSpec {
            version: root.version,
            expires: days(self.now, 700),
            root: Self::role(root.keys.iter().map(|n| self.root_key(*n)).collect(), root.threshold),
            targets: Self::role(root.targets.iter().map(|n| self.plain(*n)).collect(), 1),
            snapshot: Self::online(&self.snapshot),
            timestamp: Self::online(&self.timestamp),
        }
    }

    pub fn root_payload(&self, root: &Root<'_>) -> MetadataPayload {
        make::root(Profile::Notary, &self.root_spec(root), None).unwrap()
    }

    /// Root signers under the ids of their certificates.
    pub fn root_signers(&self, signers: &[u8]) -> Vec<(KeyId, TestKey)> {
        signers.iter().map(|n| (self.root_key(*n).id, key(*n))).collect()
    }

    pub fn signers(&self, signers: &[u8]) -> Vec<(KeyId, TestKey)> {
        signers.iter().map(|n| (self.plain(*n).id, key(*n))).collect()
    }

    pub fn root(&self, root: &Root<'_>) -> Vec<u8> {
        file(&signed_json(&self.root_payload(root)), &self.root_signers(root.signers))
    }

    /// The first root as most cases have it: 2-of-3, targets by key 10.
    pub fn first_root(&self) -> Vec<u8> {
        self.root(&Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[10] })
    }

    pub fn grant(&self, role: &str, keys: &[u8], threshold: u32, prefixes: &[&str]) -> TargetsEdit {
        TargetsEdit::Grant(Grant {
            role: RoleName::from_name(role),
            keys: Self::role(keys.iter().map(|n| self.plain(*n)).collect(), threshold),
            paths: PathRule::Prefixes(prefixes.iter().map(|p| (*p).to_owned()).collect()),
            terminating: false,
        })
    }

    pub fn put(path: &str) -> TargetsEdit {
        let hashes = Hashes::from([("sha256".to_owned(), Sha256::digest(path).to_vec())]);
        let file = TargetFile { length: path.len() as u64, hashes, custom: None };
        TargetsEdit::PutTarget { path: path.to_owned(), file }
    }

    pub fn targets_payload(&self, role: &str, version: u64, edits: &[TargetsEdit]) -> MetadataPayload {
        let role = RoleName::from_name(role);
        make::targets(Profile::Notary, &role, version, days(self.now, 400), None, edits).unwrap()
    }

    pub fn targets(&self, role: &str, version: u64, signers: &[u8], edits: &[TargetsEdit]) -> Vec<u8> {
        file(&signed_json(&self.targets_payload(role, version, edits)), &self.signers(signers))
    }

    /// The first targets document as most cases have it: one target, one application by key 30.
    pub fn first_targets(&self) -> Vec<u8> {
        self.targets("targets", 1, &[10], &[Self::put("top"), self.grant("targets/app", &[30], 1, &["app/"])])
    }

    pub fn listed(bytes: &[u8]) -> MetaFile {
        let hashes = Hashes::from([("sha256".to_owned(), Sha256::digest(bytes).to_vec())]);
        MetaFile { version: None, length: Some(bytes.len() as u64), hashes }
    }

    /// A timestamp of one's own.
    pub fn timestamp_by(&self, signer: u8, version: u64, expires: Time, snapshot: &[u8]) -> Vec<u8> {
        let payload = make::timestamp(Profile::Notary, version, expires, &Self::listed(snapshot)).unwrap();
        file(&signed_json(&payload), &self.signers(&[signer]))
    }

    /// A snapshot of one's own.
    pub fn snapshot_by(&self, signer: u8, version: u64, files: &[(&str, &[u8])]) -> Vec<u8> {
        let meta =
            files.iter().map(|(role, bytes)| (RoleName::from_name(role), Self::listed(bytes))).collect();
        let expires = self.now.plus(Term::new(90, Unit::Days)).unwrap();
        let payload = make::snapshot(Profile::Notary, version, expires, &meta).unwrap();
        file(&signed_json(&payload), &self.signers(&[signer]))
    }
}

/// The member at a path of names replaced, or taken out.
pub fn with(json: &Json, path: &[&str], value: Option<Json>) -> Json {
    let Json::Object(members) = json else { unreachable!("an object at {path:?}") };
    let mut members = members.clone();
    let (first, rest) = path.split_first().unwrap();
    if rest.is_empty() {
        match value {
            Some(value) => members.insert((*first).to_owned(), value),
            None => members.remove(first),
        };
    } else {
        let inner = with(members.get(first).unwrap(), rest, value);
        members.insert((*first).to_owned(), inner);
    }
    Json::Object(members)
}
