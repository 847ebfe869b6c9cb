//! Thresholds and root chains: who counts, how often, and what a client of the root before sees.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;

use keyrite::tuf::bulk::parse_all;
use keyrite::tuf::chain::{RootChain, accept, check_root, not_expired};
use keyrite::tuf::document::{DocumentKey, Keys, PathRule, RoleKeys};
use keyrite::tuf::evidence::{Assumed, Evidence, Verified};
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::key::{KeyId, KeyIdentity};
use keyrite::tuf::make::{self, Grant, TargetsEdit};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::threshold::{tally, tally_if};
use keyrite::tuf::wire::{Envelope, Quirk, parse};
use made::{at, entry, file, json, letter, root, signed, signed_as, signed_by};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

fn verdict<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(e) => e.rule().name,
    }
}

fn identities(letters: &str) -> BTreeSet<KeyIdentity> {
    letters.chars().map(|c| letter(c).public().identity()).collect()
}

#[test]
fn roots_follow_one_another_only_by_both_thresholds() {
    // Per version: threshold, keys listed, keys that signed.
    type Versions = &'static [(u32, &'static str, &'static str)];
    let table: &[(&str, Versions, &str)] = &[
        ("one key", &[(1, "a", "a")], "ok"),
        ("nobody signed", &[(1, "a", "")], "ROOT-THRESHOLD-NEW"),
        ("a stranger signed", &[(1, "a", "b")], "ROOT-THRESHOLD-NEW"),
        ("one of two", &[(2, "abc", "a")], "ROOT-THRESHOLD-NEW"),
        ("one key signs twice", &[(2, "ab", "aa")], "ROOT-THRESHOLD-NEW"),
        ("same keys, next version", &[(2, "abc", "ab"), (2, "abc", "bc")], "ok"),
        ("replace the only key", &[(1, "a", "a"), (1, "b", "ab")], "ok"),
        ("old key did not sign", &[(1, "a", "a"), (1, "b", "b")], "ROOT-THRESHOLD-OLD"),
        ("new key did not sign", &[(1, "a", "a"), (1, "b", "a")], "ROOT-THRESHOLD-NEW"),
        ("neither signed", &[(1, "a", "a"), (1, "b", "")], "ROOT-THRESHOLD-OLD"),
        ("three of five, replace one", &[(3, "abcde", "ace"), (3, "abdef", "abe")], "ok"),
        (
            "three of five, the new one counts for new alone",
            &[(3, "abcde", "ace"), (3, "abdef", "abf")],
            "ROOT-THRESHOLD-OLD",
        ),
        ("replace all", &[(2, "abc", "ab"), (2, "def", "abde")], "ok"),
        ("replace all, one of the old", &[(2, "abc", "ab"), (2, "def", "adef")], "ROOT-THRESHOLD-OLD"),
        ("replace all, one of the new", &[(2, "abc", "ab"), (2, "def", "abd")], "ROOT-THRESHOLD-NEW"),
        ("threshold up needs the new number", &[(1, "abc", "a"), (3, "abc", "ab")], "ROOT-THRESHOLD-NEW"),
        ("threshold up", &[(1, "abc", "a"), (3, "abc", "abc")], "ok"),
        ("threshold down needs the old number", &[(2, "abc", "ab"), (1, "abc", "a")], "ROOT-THRESHOLD-OLD"),
        ("threshold down", &[(2, "abc", "ab"), (1, "abc", "ac")], "ok"),
        ("mixed kinds", &[(2, "aBC", "aB"), (2, "BCd", "BC")], "ok"),
        ("mixed kinds, old one short", &[(2, "aBC", "aB"), (2, "Bde", "Bd")], "ROOT-THRESHOLD-OLD"),
    ];
    for (name, versions, expected) in table {
        let payloads: Vec<_> =
            versions.iter().zip(1..).map(|((need, listed, _), n)| root(n, *need, listed)).collect();
        let mut chain: Option<RootChain> = None;
        let mut found = "ok";
        for (payload, (_, _, signers)) in payloads.iter().zip(*versions) {
            let envelope = signed(payload, signers);
            let old = chain.as_ref().map(|c| c.latest().payload().clone());
            // A plan's signatures get the same verdict as those that are checked.
            let planned = verdict(check_root(old.as_ref(), payload, &Assumed(identities(signers))));
            found = match &mut chain {
                None => match RootChain::start(envelope) {
                    Ok(started) => {
                        chain = Some(started);
                        "ok"
                    }
                    Err(e) => e.rule().name,
                },
                Some(chain) => verdict(chain.push(envelope)),
            };
            assert_eq!(planned, found, "{name}: planned");
            if found != "ok" {
                break;
            }
        }
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn versions_go_up_by_one() {
    // Version before, version after.
    let table =
        [(1, 2, "ok"), (1, 3, "ROOT-VERSION"), (2, 2, "ROOT-VERSION"), (2, 1, "ROOT-VERSION"), (7, 8, "ok")];
    for (before, after, expected) in table {
        let mut chain = RootChain::start(signed(&root(before, 1, "a"), "a")).unwrap();
        assert_eq!(verdict(chain.push(signed(&root(after, 1, "a"), "a"))), expected, "{before} to {after}");
        assert_eq!(chain.all().len(), if expected == "ok" { 2 } else { 1 });
    }
}

/// A verdict for every way to replace keys, from a count that shares no code with the library's.
#[test]
fn every_replacement_of_up_to_seven_keys_is_judged_as_a_client_would() {
    let letters = "abcdefg";
    let mut cases = 0;
    for size in 1..=7usize {
        for need in 1..=size {
            let old = root(1, u32::try_from(need).unwrap(), &letters[..size]);
            for kept in 0..=size {
                // `kept` of the old keys stay, the rest are new.
                let listed: String =
                    letters[..kept].chars().chain("hijklmn"[..size - kept].chars()).collect();
                let next = root(2, u32::try_from(need).unwrap(), &listed);
                for old_signers in 0..=size {
                    for new_signers in 0..=(size - kept) {
                        let from_old = &letters[size - old_signers..size];
                        let signers = format!("{from_old}{}", &"hijklmn"[..new_signers]);
                        let stay = from_old.chars().filter(|c| listed.contains(*c)).count();
                        let expected = if old_signers < need {
                            "ROOT-THRESHOLD-OLD"
                        } else if stay + new_signers < need {
                            "ROOT-THRESHOLD-NEW"
                        } else {
                            "ok"
                        };
                        let found = verdict(check_root(Some(&old), &next, &Assumed(identities(&signers))));
                        assert_eq!(found, expected, "{need} of {size}, {kept} kept, signed by {signers}");
                        cases += 1;
                    }
                }
            }
        }
    }
    assert!(cases > 1000);
}

/// A root of profile `tuf` whose root role lists `keys` by the given ids.
fn root_of(need: i64, keys: &[(&str, Json)]) -> Json {
    let mut signed = json(&root(1, 1, "a"));
    let role = object([
        ("keyids", Json::Array(keys.iter().map(|(id, _)| (*id).into()).collect())),
        ("threshold", need.into()),
    ]);
    *at(&mut signed, &["roles", "root"]) = role;
    for (id, entry) in keys {
        *at(&mut signed, &["keys", id]) = entry.clone();
    }
    signed
}

fn counted(profile: Profile, bytes: &[u8]) -> (usize, usize, Vec<Quirk>) {
    let envelope = parse(profile, &RoleName::Root, bytes).unwrap();
    let view = envelope.payload().document().as_root().unwrap();
    let tally =
        tally(&view.keys, &view.roles[&RoleName::Root], envelope.payload(), &Verified::new(&envelope));
    let known = checked(profile, bytes);
    let already =
        Verified::new(&known).enough_already(&view.keys, &view.roles[&RoleName::Root], known.payload());
    assert!(!already || tally.met());
    (tally.signed.len(), tally.listed.len(), envelope.quirks().to_vec())
}

/// A root whose signatures have been checked already.
fn checked(profile: Profile, bytes: &[u8]) -> Envelope {
    parse_all(profile, &RoleName::Root, &[bytes], NonZeroUsize::MIN).remove(0).unwrap()
}

#[test]
fn one_public_key_counts_once_however_it_is_written() {
    let ed = entry(Profile::Tuf, 'a').entry;
    let ec = entry(Profile::Tuf, 'A').entry;
    let rsa = keyrite::tuf::wire::key_entry(Profile::Tuf, &made::keys::TestKey::rsa().public(), None)
        .unwrap()
        .entry;
    let with = |entry: &Json, member: &[&str], value: Json| {
        let mut entry = entry.clone();
        *at(&mut entry, member) = value;
        entry
    };
    let pem = letter('A').public().spki_pem();
    let crlf = pem.replace('\n', "\r\n");
    let point = base16ct::lower::encode_string(&letter('A').public().raw().unwrap());
    let compressed = {
        let raw = letter('A').public().raw().unwrap();
        let sign = if raw[64].is_multiple_of(2) { 2 } else { 3 };
        base16ct::upper::encode_string(&[&[sign], &raw[1..33]].concat())
    };
    let pkcs1 = {
        let raw = made::keys::TestKey::rsa().public().raw().unwrap();
        pem::encode(&pem::Pem::new("RSA PUBLIC KEY", raw))
    };
    let upper = base16ct::upper::encode_string(&letter('a').public().raw().unwrap());
    let table: &[(&str, char, Json, Json)] = &[
        ("two ids, one entry", 'a', ed.clone(), ed.clone()),
        ("hexadecimal in capitals", 'a', ed.clone(), with(&ed, &["keyval", "public"], upper.into())),
        ("an unknown member", 'a', ed.clone(), with(&ed, &["x"], "y".into())),
        ("PEM with other line ends", 'A', ec.clone(), with(&ec, &["keyval", "public"], crlf.into())),
        ("a point in hexadecimal", 'A', ec.clone(), with(&ec, &["keyval", "public"], point.into())),
        ("a compressed point", 'A', ec.clone(), with(&ec, &["keyval", "public"], compressed.into())),
        ("another key type", 'A', ec.clone(), with(&ec, &["keytype"], "ecdsa-sha2-nistp256".into())),
        ("RSA as PKCS#1", 'R', rsa.clone(), with(&rsa, &["keyval", "public"], pkcs1.into())),
    ];
    for (name, key, first, second) in table {
        let key = if *key == 'R' { made::keys::TestKey::rsa() } else { letter(*key) };
        let signed = root_of(2, &[("11", first.clone()), ("22", second.clone())]);
        let message = signed.canonical();
        let signatures = ["11", "22"].map(|id| signed_as(Profile::Tuf, &message, id, &key)).to_vec();
        let bytes = file(&signed, signatures);
        let (count, listed, quirks) = counted(Profile::Tuf, &bytes);
        assert_eq!((count, listed), (1, 1), "{name}");
        assert!(quirks.contains(&Quirk::KeyTwice) && quirks.contains(&Quirk::ThresholdUnreachable), "{name}");
        let refused = RootChain::start(parse(Profile::Tuf, &RoleName::Root, &bytes).unwrap());
        assert_eq!(verdict(refused), "ROOT-THRESHOLD-NEW", "{name}");
    }
}

#[test]
fn one_public_key_in_two_certificates_counts_once() {
    let mut signed = json(&make::root(Profile::Notary, &made::notary_root_spec(1, 2, "AB"), None).unwrap());
    let [first, second] = [1, 2].map(|serial| made::certified('A', serial));
    for key in [&first, &second] {
        *at(&mut signed, &["keys", key.id.as_str()]) = key.entry.clone();
    }
    let ids = [&first, &second].map(|key| key.id.as_str());
    *at(&mut signed, &["roles", "root", "keyids"]) = Json::Array(ids.iter().map(|id| (*id).into()).collect());
    let message = signed.canonical();
    let signatures = ids.map(|id| signed_as(Profile::Notary, &message, id, &letter('A'))).to_vec();
    let bytes = file(&signed, signatures);
    // The stock client and server count two here (notary-v1 5).
    let (count, listed, quirks) = counted(Profile::Notary, &bytes);
    assert_eq!((count, listed), (1, 1));
    assert!(quirks.contains(&Quirk::KeyTwice));
}

#[test]
fn only_keys_in_certificates_count_for_a_notary_root() {
    let mut signed = json(&make::root(Profile::Notary, &made::notary_root_spec(1, 1, "A"), None).unwrap());
    let bare = entry(Profile::Notary, 'B');
    *at(&mut signed, &["keys", bare.id.as_str()]) = bare.entry.clone();
    let certified = made::certified('A', 1).id;
    *at(&mut signed, &["roles", "root", "keyids"]) =
        Json::Array([&certified, &bare.id].map(|id| id.as_str().into()).to_vec());
    let message = signed.canonical();
    let signature = |id: &KeyId, c| signed_as(Profile::Notary, &message, id.as_str(), &letter(c));
    let (a, b) = (signature(&certified, 'A'), signature(&bare.id, 'B'));
    assert_eq!(counted(Profile::Notary, &file(&signed, vec![b.clone()])).0, 0);
    assert_eq!(counted(Profile::Notary, &file(&signed, vec![a, b])).0, 1);
}

#[test]
fn evidence_is_for_its_own_payload_alone() {
    let (first, second) = (root(1, 1, "a"), root(2, 1, "a"));
    let envelope = signed(&first, "a");
    let view = first.document().as_root().unwrap();
    let role = &view.roles[&RoleName::Root];
    assert_eq!(Verified::new(&envelope).signers(&view.keys, role, &first).len(), 1);
    assert_eq!(Verified::new(&envelope).signers(&view.keys, role, &second).len(), 0);
}

#[test]
fn whoever_vouches_only_listed_keys_count() {
    struct Everybody;
    impl Evidence for Everybody {
        fn signers(&self, _: &Keys, _: &RoleKeys, _: &MetadataPayload) -> BTreeSet<KeyIdentity> {
            identities("abcdefgh")
        }
    }
    let payload = root(1, 2, "ab");
    let view = payload.document().as_root().unwrap();
    let role = &view.roles[&RoleName::Root];
    assert_eq!(tally(&view.keys, role, &payload, &Everybody).signed, identities("ab"));
    let pinned = |key: &DocumentKey| key.public == Some(letter('b').public());
    let tally = tally_if(&view.keys, role, &payload, &Everybody, pinned);
    assert_eq!(
        (tally.signed.clone(), tally.listed.clone(), tally.met()),
        (identities("b"), identities("b"), false)
    );
}

#[test]
fn documents_are_accepted_by_their_delegators_threshold() {
    let chain = RootChain::start(signed(&root(1, 1, "a"), "a")).unwrap();
    let root = chain.latest();
    let app = RoleName::application(Profile::Tuf, "camera", None).unwrap();
    let grant = TargetsEdit::Grant(Grant {
        role: app.clone(),
        keys: made::role(Profile::Tuf, 2, "def"),
        paths: PathRule::Patterns(vec!["camera/*".to_owned()]),
        terminating: false,
    });
    let targets =
        make::targets(Profile::Tuf, &RoleName::Targets, 1, made::expires(), None, &[grant]).unwrap();
    let below = make::targets(Profile::Tuf, &app, 1, made::expires(), None, &[]).unwrap();
    let at = |text: &str| Some(made::time(text));
    let accepted =
        accept(root, &RoleName::Targets, signed(&targets, "t"), at("2027-01-01T00:00:00Z")).unwrap();
    assert_eq!((accepted.role(), accepted.version()), (&RoleName::Targets, 1));
    // By whom, for which role, who signed, when, what comes of it.
    let top = signed(&targets, "t");
    let table: &[(&str, Result<_>, &str)] = &[
        ("the targets key", accept(root, &RoleName::Targets, top.clone(), None), "ok"),
        ("a root key", accept(root, &RoleName::Targets, signed(&targets, "a"), None), "ROLE-THRESHOLD"),
        ("nobody", accept(root, &RoleName::Targets, signed(&targets, ""), None), "ROLE-THRESHOLD"),
        ("another role", accept(root, &RoleName::Snapshot, top.clone(), None), "DOCUMENT-TYPE"),
        ("a second before", accept(root, &RoleName::Targets, top.clone(), at("2029-12-31T23:59:59Z")), "ok"),
        ("that very second", accept(root, &RoleName::Targets, top, at("2030-01-01T00:00:00Z")), "EXPIRED"),
        ("two developers", accept(&accepted, &app, signed(&below, "ef"), None), "ok"),
        ("one developer", accept(&accepted, &app, signed(&below, "e"), None), "ROLE-THRESHOLD"),
        ("one developer twice", accept(&accepted, &app, signed(&below, "ee"), None), "ROLE-THRESHOLD"),
        ("the delegator's key", accept(&accepted, &app, signed(&below, "t"), None), "ROLE-THRESHOLD"),
        ("a root for a delegation", accept(root, &app, signed(&below, "ef"), None), "ROLE-UNDECLARED"),
        (
            "targets for itself",
            accept(&accepted, &RoleName::Targets, signed(&targets, "t"), None),
            "ROLE-UNDECLARED",
        ),
    ];
    for (name, result, expected) in table {
        assert_eq!(verdict(result.as_ref().map_err(Clone::clone)), *expected, "{name}");
    }
    assert_eq!(verdict(not_expired(&below, made::time("2030-01-01T00:00:01Z"))), "EXPIRED");
}

#[test]
fn a_notary_delegation_is_directly_below_its_delegator() {
    let spec = made::notary_root_spec(1, 1, "A");
    let payload = make::root(Profile::Notary, &spec, None).unwrap();
    let signature = signed_as(Profile::Notary, payload.bytes(), spec.root.keys[0].id.as_str(), &letter('A'));
    let envelope = parse(Profile::Notary, &RoleName::Root, &file(&json(&payload), vec![signature])).unwrap();
    let chain = RootChain::start(envelope).unwrap();
    let mut targets =
        json(&make::targets(Profile::Notary, &RoleName::Targets, 1, made::expires(), None, &[]).unwrap());
    let key = entry(Profile::Notary, 'd');
    let names = ["targets/camera", "targets/camera/beta", "camera", "targetscamera"];
    let roles = names.map(|name| {
        object([
            ("keyids", Json::Array(vec![key.id.as_str().into()])),
            ("name", name.into()),
            ("threshold", 1.into()),
        ])
    });
    *at(&mut targets, &["delegations", "roles"]) = Json::Array(roles.to_vec());
    *at(&mut targets, &["delegations", "keys", key.id.as_str()]) = key.entry;
    let message = targets.canonical();
    let signature =
        signed_as(Profile::Notary, &message, entry(Profile::Notary, 't').id.as_str(), &letter('t'));
    let envelope = parse(Profile::Notary, &RoleName::Targets, &file(&targets, vec![signature])).unwrap();
    let targets = accept(chain.latest(), &RoleName::Targets, envelope, None).unwrap();
    for (name, expected) in names.iter().zip(["ok", "ROLE-UNDECLARED", "ROLE-UNDECLARED", "ROLE-UNDECLARED"])
    {
        let role = RoleName::from_name(name);
        let mut below =
            json(&make::targets(Profile::Notary, &RoleName::Targets, 1, made::expires(), None, &[]).unwrap());
        *at(&mut below, &["version"]) = 2.into();
        let signature = signed_as(Profile::Notary, &below.canonical(), key.id.as_str(), &letter('d'));
        let envelope = parse(Profile::Notary, &role, &file(&below, vec![signature])).unwrap();
        assert_eq!(verdict(accept(&targets, &role, envelope, None)), expected, "{name}");
    }
}

fn five() -> (MetadataPayload, Vec<Json>) {
    let payload = root(1, 3, "abcde");
    let signatures = "abcde".chars().map(|c| signed_by(&payload, c)).collect();
    (payload, signatures)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Picking signatures in any order, any number of times, under other keys' ids or spoiled,
    /// never counts more than the distinct keys among the good ones.
    #[test]
    fn permuted_and_repeated_signatures_never_count_more(
        picks in proptest::collection::vec((0usize..5, 0usize..5, any::<bool>(), any::<bool>()), 0..12)
    ) {
        let (payload, signatures) = five();
        let mut good = BTreeSet::new();
        let mut entries = Vec::new();
        for (which, other, moved, spoiled) in picks {
            let mut entry = signatures[which].clone();
            if moved {
                *at(&mut entry, &["keyid"]) = at(&mut signatures[other].clone(), &["keyid"]).clone();
            }
            if spoiled {
                let sig = at(&mut entry, &["sig"]).as_str().unwrap().to_owned();
                let first = if sig.starts_with('0') { "1" } else { "0" };
                *at(&mut entry, &["sig"]) = format!("{first}{}", &sig[1..]).into();
            }
            if !spoiled && (!moved || which == other) {
                good.insert(which);
            }
            entries.push(entry);
        }
        let envelope: Envelope = parse(Profile::Tuf, &RoleName::Root, &file(&json(&payload), entries)).unwrap();
        let view = payload.document().as_root().unwrap();
        let count = tally(&view.keys, &view.roles[&RoleName::Root], envelope.payload(), &Verified::new(&envelope));
        prop_assert_eq!(count.signed.len(), good.len());
        prop_assert_eq!(count.met(), good.len() >= 3);
        prop_assert_eq!(count.missing().count(), 5 - good.len());
        // What was found out before says the same, and nothing of another payload.
        let already = |of: &Envelope, payload: &MetadataPayload| {
            Verified::new(of).enough_already(&view.keys, &view.roles[&RoleName::Root], payload)
        };
        let known = checked(Profile::Tuf, envelope.bytes());
        prop_assert_eq!(already(&known, known.payload()), count.met());
        prop_assert!(!already(&known, &root(2, 3, "abcde")) && !already(&envelope, envelope.payload()));
    }
}
