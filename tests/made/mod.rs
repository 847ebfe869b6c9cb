//! Documents for tests, made with test keys: roots by letters, and files that nobody should make.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../keys/mod.rs"]
pub mod keys;

use keyrite::tuf::certificate::CertificatePayload;
use keyrite::tuf::document::{DocumentKey, PathRule, TargetFile};
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::json::Json;
use keyrite::tuf::key::Scheme;
use keyrite::tuf::make::{self, Grant, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use keys::TestKey;
use std::num::NonZeroU32;

/// A date that is far enough away.
pub fn expires() -> Time {
    time("2030-01-01T00:00:00Z")
}

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn threshold(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// The key of a letter: Ed25519, since it is quick; capitals are P-256.
pub fn letter(c: char) -> TestKey {
    let n = u8::try_from(c).unwrap();
    if c.is_ascii_uppercase() { TestKey::p256(n) } else { TestKey::ed25519(n) }
}

/// A letter's key as a document of the profile lists it.
pub fn entry(profile: Profile, c: char) -> DocumentKey {
    wire::key_entry(profile, &letter(c).public(), None).unwrap()
}

/// A P-256 key in a certificate of its own, number `serial`.
pub fn certified(c: char, serial: u8) -> DocumentKey {
    wire::key_entry(Profile::Notary, &letter(c).public(), Some(&certificate(c, serial))).unwrap()
}

pub fn certificate(c: char, serial: u8) -> String {
    let key = letter(c);
    let (from, to) = (time("2026-01-01T00:00:00Z"), time("2036-01-01T00:00:00Z"));
    let payload =
        CertificatePayload::new(key.public(), "updates.example.com/apps", [serial; 16], from, to).unwrap();
    let signature = key.signature(payload.scheme(), &Payload::Certificate(payload.clone()));
    payload.assemble(&signature).unwrap()
}

pub fn role(profile: Profile, need: u32, letters: &str) -> RoleSpec {
    RoleSpec { keys: letters.chars().map(|c| entry(profile, c)).collect(), threshold: threshold(need) }
}

/// A root of profile `tuf` with the given root keys; `t`, `s` and `z` hold the other roles.
pub fn root_spec(version: u64, need: u32, letters: &str) -> RootSpec {
    RootSpec {
        version,
        expires: expires(),
        root: role(Profile::Tuf, need, letters),
        targets: role(Profile::Tuf, 1, "t"),
        snapshot: role(Profile::Tuf, 1, "s"),
        timestamp: role(Profile::Tuf, 1, "z"),
    }
}

pub fn root(version: u64, need: u32, letters: &str) -> MetadataPayload {
    make::root(Profile::Tuf, &root_spec(version, need, letters), None).unwrap()
}

/// A root of profile `notary`: root keys are P-256 in certificates.
pub fn notary_root_spec(version: u64, need: u32, letters: &str) -> RootSpec {
    let root = letters.chars().map(|c| certified(c, 1)).collect();
    RootSpec {
        version,
        expires: expires(),
        root: RoleSpec { keys: root, threshold: threshold(need) },
        targets: role(Profile::Notary, 1, "t"),
        snapshot: role(Profile::Notary, 1, "s"),
        timestamp: role(Profile::Notary, 1, "z"),
    }
}

/// One entry of `signatures`, under the id of a letter's own entry.
pub fn signed_by(payload: &MetadataPayload, c: char) -> Json {
    signed_as(payload.profile(), payload.bytes(), entry(payload.profile(), c).id.as_str(), &letter(c))
}

/// One entry of `signatures` over any bytes, under any id.
pub fn signed_as(profile: Profile, message: &[u8], id: &str, key: &TestKey) -> Json {
    use base64ct::Encoding as _;
    let scheme = wire::scheme(profile, &key.public());
    let bytes = wire::signature_to_wire(profile, scheme, &key.sign(scheme, message)).unwrap();
    let (sig, method) = match profile {
        Profile::Tuf => (base16ct::lower::encode_string(&bytes), None),
        Profile::Notary => (base64ct::Base64::encode_string(&bytes), Some(method(scheme))),
    };
    let mut entry = keyrite::tuf::json::object([("keyid", id.into()), ("sig", sig.into())]);
    if let (Json::Object(members), Some(method)) = (&mut entry, method) {
        members.insert("method".to_owned(), method.into());
    }
    entry
}

fn method(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ed25519 => "eddsa",
        Scheme::RsaPssSha256 => "rsapss",
        Scheme::RsaPkcs1Sha256 => "rsapkcs1v15",
        _ => "ecdsa",
    }
}

/// A file of any `signed` part and entries, in no profile's own form.
pub fn file(signed: &Json, signatures: Vec<Json>) -> Vec<u8> {
    let whole =
        keyrite::tuf::json::object([("signatures", Json::Array(signatures)), ("signed", signed.clone())]);
    escaped(&whole)
}

/// Canonical JSON as JSON that any parser takes: control characters escaped.
fn escaped(json: &Json) -> Vec<u8> {
    let text = String::from_utf8(json.canonical()).unwrap();
    let escape = |c: char| if c < ' ' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escape).collect::<String>().into_bytes()
}

/// A made payload's `signed` part as JSON, to be spoiled.
pub fn json(payload: &MetadataPayload) -> Json {
    let text = String::from_utf8(payload.bytes().to_vec()).unwrap().replace('\n', "\\n");
    Json::parse(text.as_bytes()).unwrap()
}

/// The member at a path of names; `0` and up count items of arrays.
pub fn at<'a>(json: &'a mut Json, path: &[&str]) -> &'a mut Json {
    path.iter().fold(json, |here, name| match here {
        Json::Object(members) => {
            if !members.contains_key(name) {
                members.insert((*name).to_owned(), Json::Null);
            }
            members.get_mut(name).unwrap()
        }
        Json::Array(items) => &mut items[name.parse::<usize>().unwrap()],
        _ => panic!("no member {name}"),
    })
}

/// A payload's file, signed by letters.
pub fn signed(payload: &MetadataPayload, letters: &str) -> wire::Envelope {
    let signatures = letters.chars().map(|c| signed_by(payload, c)).collect();
    wire::parse(payload.profile(), payload.role(), &file(&json(payload), signatures)).unwrap()
}

// --- targets

pub fn target(custom: Option<Json>) -> TargetFile {
    let hashes = Hashes::from([("sha256".to_owned(), vec![7; 32])]);
    TargetFile { length: 5, hashes, custom }
}

pub fn put(path: &str, custom: Option<Json>) -> TargetsEdit {
    TargetsEdit::PutTarget { path: path.to_owned(), file: target(custom) }
}

pub fn grant(profile: Profile, name: &str, need: u32, letters: &str, path: &str) -> Grant {
    let paths = match profile {
        Profile::Tuf => PathRule::Patterns(vec![path.to_owned()]),
        Profile::Notary => PathRule::Prefixes(vec![path.to_owned()]),
    };
    Grant { role: RoleName::from_name(name), keys: role(profile, need, letters), paths, terminating: false }
}

pub fn targets(
    profile: Profile,
    base: Option<&MetadataPayload>,
    edits: &[TargetsEdit],
) -> Result<MetadataPayload> {
    make::targets(profile, &RoleName::Targets, 1, expires(), base, edits)
}
