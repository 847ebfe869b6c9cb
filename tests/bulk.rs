//! Reading many roots at once gives what reading them one by one gives, good and bad alike, and so does
//! one large document, of which several things are done at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod keys;

use keyrite::tuf::bulk::parse_all;
use keyrite::tuf::chain::RootChain;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::TargetFile;
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::make::{self, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire::{self, Envelope};
use keys::TestKey;
use std::num::{NonZeroU32, NonZeroUsize};

/// Roots 1 to `count`, two of three keys; every third root replaces a key.
fn history(count: u64) -> Vec<Vec<u8>> {
    let role = |keys: &[TestKey], threshold| RoleSpec {
        keys: keys.iter().map(|key| wire::key_entry(Profile::Tuf, &key.public(), None).unwrap()).collect(),
        threshold: NonZeroU32::new(threshold).unwrap(),
    };
    let holders = |version: u64| {
        let oldest = u8::try_from(version / 3).unwrap();
        [TestKey::ed25519(oldest), TestKey::p256(oldest + 1), TestKey::ed25519(oldest + 2)]
    };
    (1..=count)
        .map(|version| {
            let root = holders(version);
            let spec = RootSpec {
                version,
                expires: "2040-01-01T00:00:00Z".parse().unwrap(),
                root: role(&root, 2),
                targets: role(&[TestKey::ed25519(201)], 1),
                snapshot: role(&[TestKey::ed25519(202)], 1),
                timestamp: role(&[TestKey::ed25519(203)], 1),
            };
            let payload = make::root(Profile::Tuf, &spec, None).unwrap();
            let mut listed = payload.document().as_root().unwrap().keys.clone();
            let mut signers = Vec::from(root);
            for old in holders(version - 1) {
                let entry = wire::key_entry(Profile::Tuf, &old.public(), None).unwrap();
                if listed.insert(entry.id.clone(), entry).is_none() {
                    signers.push(old);
                }
            }
            let signatures: Vec<_> = signers
                .iter()
                .map(|key| {
                    let scheme = wire::scheme(Profile::Tuf, &key.public());
                    key.signature(scheme, &Payload::Metadata(payload.clone()))
                })
                .collect();
            wire::seal(&payload, &listed, &signatures).unwrap()
        })
        .collect()
}

/// What is done to a history.
type Harm = Box<dyn Fn(&mut Vec<Vec<u8>>)>;

/// How far a chain of roots goes, and the rule that ends it.
type Verdict = (u64, Option<&'static str>);

fn verdict(envelopes: Vec<Envelope>) -> Verdict {
    let mut roots = envelopes.into_iter();
    let mut chain = match RootChain::start(roots.next().unwrap()) {
        Ok(chain) => chain,
        Err(refusal) => return (0, Some(refusal.rule().name)),
    };
    for root in roots {
        if let Err(refusal) = chain.push(root) {
            return (chain.latest().version(), Some(refusal.rule().name));
        }
    }
    (chain.latest().version(), None)
}

fn workers(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

#[test]
fn any_number_of_workers_reads_the_same() {
    let mut files = history(10);
    files[4] = b"{}".to_vec();
    files[7] = b"{\"signed\":1.5}".to_vec();
    let one_by_one: Vec<_> =
        files.iter().map(|file| wire::parse(Profile::Tuf, &RoleName::Root, file)).collect();
    assert_eq!(one_by_one.iter().filter(|read| read.is_err()).count(), 2);
    for count in [1, 2, 3, 10, 11, 100] {
        assert_eq!(parse_all(Profile::Tuf, &RoleName::Root, &files, workers(count)), one_by_one, "{count}");
    }
    let none: [&[u8]; 0] = [];
    assert!(parse_all(Profile::Tuf, &RoleName::Root, &none, workers(4)).is_empty());
}

#[test]
fn a_chain_read_at_once_gets_the_same_verdict() {
    let flip = |files: &mut Vec<Vec<u8>>, number: usize, signatures: usize| {
        let text = String::from_utf8(files[number].clone()).unwrap();
        let places: Vec<_> =
            text.match_indices("\"sig\":\"").map(|(at, found)| at + found.len() + 8).collect();
        for place in places.iter().take(signatures) {
            files[number][*place] = if files[number][*place] == b'0' { b'1' } else { b'0' };
        }
    };
    let table: [(&str, Harm, Verdict); 5] = [
        ("nothing", Box::new(|_| ()), (12, None)),
        ("one bad signature of three", Box::new(move |files| flip(files, 4, 1)), (12, None)),
        ("all bad", Box::new(move |files| flip(files, 4, 9)), (4, Some("ROOT-THRESHOLD-OLD"))),
        ("the first all bad", Box::new(move |files| flip(files, 0, 9)), (0, Some("ROOT-THRESHOLD-NEW"))),
        ("one left out", Box::new(|files| drop(files.remove(6))), (6, Some("ROOT-VERSION"))),
    ];
    for (what, harm, expected) in table {
        let mut files = history(12);
        harm(&mut files);
        let single =
            files.iter().map(|file| wire::parse(Profile::Tuf, &RoleName::Root, file).unwrap()).collect();
        assert_eq!(verdict(single), expected, "{what}, one by one");
        for count in [1, 2, 5] {
            let read = parse_all(Profile::Tuf, &RoleName::Root, &files, workers(count));
            assert_eq!(
                verdict(read.into_iter().map(Result::unwrap).collect()),
                expected,
                "{what}, {count} workers"
            );
        }
    }
}

#[test]
fn one_id_with_another_entry_is_another_key() {
    // The same declared id over two different keys, in two documents of one share.
    let files = history(2);
    let text = String::from_utf8(files[1].clone()).unwrap();
    let public = text
        .find("\"keytype\":\"ed25519\"")
        .and_then(|at| text[at..].find("\"public\":\"").map(|n| at + n + 10));
    let at = public.unwrap();
    let other = TestKey::ed25519(250).public().raw().unwrap();
    let hex = base16ct::lower::encode_string(&other);
    let swapped = format!("{}{hex}{}", &text[..at], &text[at + 64..]).into_bytes();
    let files = [files[0].clone(), swapped.clone()];
    let read = parse_all(Profile::Tuf, &RoleName::Root, &files, workers(1));
    assert_eq!(read[1], wire::parse(Profile::Tuf, &RoleName::Root, &swapped));
    let envelope = read[1].as_ref().unwrap();
    assert!(envelope.quirks().contains(&wire::Quirk::KeyIdDiffers));
}

#[test]
fn a_large_file_of_any_form_has_the_digest_of_its_signed_part() {
    let until = "2040-01-01T00:00:00Z".parse().unwrap();
    let file = |n: usize| {
        let hashes = Hashes::from([("sha256".to_owned(), vec![7; 32])]);
        TargetsEdit::PutTarget {
            path: format!("file-{n}"),
            file: TargetFile { length: 1, hashes, custom: None },
        }
    };
    let edits: Vec<_> = (0..3000).map(file).collect();
    let payload = make::targets(Profile::Tuf, &RoleName::Targets, 1, until, None, &edits).unwrap();
    let signed = std::str::from_utf8(payload.bytes()).unwrap();
    assert!(signed.len() > 256 * 1024, "{} bytes are not many", signed.len());
    let other = r#"{"keyid":"00","sig":"00","signed":{}}"#;
    let forms = [
        format!("{{\"signatures\":[],\"signed\":{signed}}}"),
        format!("{{\"signed\":{signed},\"signatures\":[]}}"),
        format!("{{\"signatures\":[],\"signed\": {signed} }}\n"),
        format!("{{\"signatures\":[],\"signed\":{}}}", signed.replacen(':', " : ", 1)),
        format!("{{\"signatures\":[],\"signed\":{signed},\"more\":1}}"),
        format!("{{\"signatures\":[{other}],\"signed\":{signed}}}"),
        format!("{{\"a\":1,\"signed\":{signed},\"signatures\":[{other}]}}"),
    ];
    for form in forms {
        let read = wire::parse(Profile::Tuf, &RoleName::Targets, form.as_bytes()).unwrap();
        let (digest, begin) = (Digest::of(read.payload().bytes()), form.get(..60));
        assert_eq!(read.payload().digest(), digest, "{begin:?}");
        assert_eq!((digest, read.payload().bytes()), (payload.digest(), payload.bytes()), "{begin:?}");
    }
}
