//! Changes as bytes: one form, read strictly, and every payload the one that is listed.

use super::world::*;
use crate::ceremony::change::{
    CertificateTemplate, Change, CopyFrom, Counts, EnrolledKey, Item, NewCertificate, NewKey, NewShares,
    Possession, Purpose, Rehearsal, RestoredKey,
};
use crate::ceremony::people::{Duty, KeyName};
use crate::ceremony::tool_split::{Tool, ToolSplit};
use crate::ceremony::transcript::CeremonyId;
use crate::tuf::digest::Digest;
use crate::tuf::key::{KeySpec, Scheme};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::{Sentence, TrustId};
use proptest::prelude::*;
use std::collections::BTreeMap;

const RUNBOOK: &[u8] = b"ceremony = \"rotate-root\"";

fn template() -> CertificateTemplate {
    CertificateTemplate {
        common_name: "updates.example.com/apps".to_owned(),
        serial: [7; 16],
        not_before: time("2026-11-21"),
        not_after: time("2036-11-21"),
    }
}

/// One of every item, and of every word that an item can hold.
fn everything() -> Change {
    let (r1, r2, t1, t2) = (root(1, "abc", 2, "t"), root(2, "abd", 2, "t"), targets(1, ""), targets(2, "x"));
    let facts = facts(&[(&r1, "abc")], &[(&t1, "t")]);
    let mut asked = asks("a", &[Counts::Old, Counts::New]);
    asked.extend(asks("c", &[Counts::Old]));
    asked.extend(asks("e", &[Counts::Historic(1)]));
    let schemes = [
        Scheme::EcdsaP256Sha256,
        Scheme::EcdsaP384Sha384,
        Scheme::EcdsaP384Sha256,
        Scheme::Ed25519,
        Scheme::RsaPssSha256,
    ];
    for scheme in schemes {
        let mut ask = asks("d", &[Counts::New]).remove(0);
        ask.scheme = scheme;
        asked.push(ask);
    }
    let limits = Sentence::Limits { number: 1, limits: sha("limits"), chain: facts.chain(Some(r2.digest())) };
    let enrolled = |name: &str, possession| {
        Item::EnrolledKey(EnrolledKey {
            name: key(name),
            holder: holder(name),
            purpose: Purpose::Delegation,
            public: public(name),
            certificate: (name == "y")
                .then(|| "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
            possession,
        })
    };
    let mut items = vec![
        Item::Document { payload: r2, asked },
        document(&t2, "t"),
        statement(limits, "abd"),
        enrolled("x", Possession::Proved(sha("possession"))),
        enrolled("y", Possession::ByFirstPublication),
        enrolled("z", Possession::BackendReadBack),
        enrolled("w", Possession::TrustedDocument(sha("document"))),
        Item::Certificate(NewCertificate {
            key: key("a"),
            identity: public("a").identity(),
            template: template(),
            replaces: sha("file of a"),
        }),
        Item::DestroyedKey { key: key("c"), identity: public("c").identity() },
        Item::Shares(NewShares {
            wrap_key: key("wrap-1"),
            title: "Wrap key of the tests".to_owned(),
            needed: 2,
            holders: vec![person("alice"), person("bob")],
        }),
        Item::KeyCopy {
            key: key("a"),
            identity: public("a").identity(),
            wrap_key: key("wrap-1"),
            shares: None,
        },
        Item::KeyCopy {
            key: key("b"),
            identity: public("b").identity(),
            wrap_key: key("wrap-1"),
            shares: Some(sha("manifest")),
        },
        Item::Restored(RestoredKey {
            key: key("a"),
            identity: public("a").identity(),
            wrap_key: key("wrap-1"),
            from: CopyFrom::Cards { shares: sha("manifest"), copy: sha("copy") },
            replaces: sha("file of a"),
        }),
        Item::Restored(RestoredKey {
            key: key("b"),
            identity: public("b").identity(),
            wrap_key: key("wrap-1"),
            from: CopyFrom::Tool {
                split: ToolSplit::new(Tool::YubiHsmSetup, 3, 4).unwrap(),
                copy: "0123456789abcdef".parse().unwrap(),
            },
            replaces: sha("file of b"),
        }),
    ];
    for (spec, purpose) in KeySpec::ALL.into_iter().cycle().zip(Purpose::ALL) {
        items.push(Item::NewKey(NewKey {
            name: key(&format!("new-{}", purpose.name())),
            holder: person("carol"),
            purpose,
            spec,
            certificate: (purpose == Purpose::Root).then(template),
            exportable_under: (purpose == Purpose::Targets).then(|| key("wrap-1")),
        }));
    }
    let mut change = change(&facts, &[RoleName::Root, RoleName::Targets], items);
    change.frame.runbook = Digest::of(RUNBOOK);
    change.frame.people.insert(person("carol"), Duty::Custodian);
    change.frame.rehearsal = Some(Rehearsal {
        trust: TrustId::from_bytes([2; 16]),
        ceremony: CeremonyId::from_bytes([3; 16]),
        head: sha("head"),
    });
    change
}

fn payloads(change: &Change) -> BTreeMap<usize, Vec<u8>> {
    let bytes = |(at, item): (usize, &Item)| Some((at, item.payload_bytes()?.to_vec()));
    change.items.iter().enumerate().filter_map(bytes).collect()
}

fn read(bytes: &[u8], payloads: &BTreeMap<usize, Vec<u8>>) -> Result<Change> {
    Change::from_json(bytes, RUNBOOK, payloads, Profile::Tuf)
}

#[test]
fn everything_reads_back_the_same() {
    let change = everything();
    let bytes = change.to_json();
    let again = read(&bytes, &payloads(&change)).unwrap();
    assert_eq!(again, change);
    assert_eq!(again.to_json(), bytes);
    assert_eq!(again.digest(), Digest::of(&bytes));
}

/// The bytes of a change never change: people have compared their digest.
#[test]
fn a_change_has_these_bytes() {
    let facts = nothing();
    let new = Item::NewKey(NewKey {
        name: key("root-a"),
        holder: person("alice"),
        purpose: Purpose::Root,
        spec: KeySpec::EcdsaP256,
        certificate: Some(template()),
        exportable_under: None,
    });
    let change = change(&facts, &[], vec![new, document(&root(1, "abc", 2, "t"), "a")]);
    let expected = format!(
        concat!(
            r#"{{"base":{{}},"format":1,"held-at":"2026-11-22T12:00:00Z","items":["#,
            r#"{{"algorithm":"p256","certificate":{{"common-name":"updates.example.com/apps","not-after":"2036-11-21T12:00:00Z","#,
            r#""not-before":"2026-11-21T12:00:00Z","serial":"07070707070707070707070707070707"}},"#,
            r#""holder":"alice","item":"new-key","name":"root-a","purpose":"root"}},"#,
            r#"{{"asked":[{{"counts":["new"],"holder":"of-a","key":"a","scheme":"ed25519","spki":"{spki}"}}],"#,
            r#""expires":"2030-01-01T12:00:00Z","item":"document","payload":"{payload}","role":"root","version":1}}],"#,
            r#""keys":{{"a":"{a}","b":"{b}","c":"{c}","t":"{t}"}},"kind":"create-root","#,
            r#""limits":{{"number":1,"sha":"{limits}"}},"nonce":"{nonce}","#,
            r#""people":{{"alice":"administrator","bob":"witness"}},"rehearsal":null,"runbook":"{runbook}","#,
            r#""sign-by":"2026-12-22T12:00:00Z","summary":["what changes"],"title":"The first root","#,
            r#""trust":"01010101010101010101010101010101"}}"#
        ),
        spki = spki_of("a"),
        payload = root(1, "abc", 2, "t").digest(),
        a = sha("file of a"),
        b = sha("file of b"),
        c = sha("file of c"),
        t = sha("file of t"),
        limits = sha("limits"),
        nonce = "05".repeat(32),
        runbook = sha("runbook"),
    );
    assert_eq!(String::from_utf8(change.to_json()).unwrap(), expected);
}

fn spki_of(name: &str) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(public(name).spki_der())
}

#[test]
fn other_bytes_are_refused_by_their_rule() {
    let change = everything();
    let good = String::from_utf8(change.to_json()).unwrap();
    let payloads = payloads(&change);
    let digest = |item: usize| Digest::of(&payloads[&item]).hex();
    let table: Vec<(&str, String, &str)> = vec![
        ("unknown member", good.replace("\"format\":1", "\"exec\":1,\"format\":1"), "RECORD-MEMBER"),
        ("a member less", good.replace("\"rehearsal\":{", "\"rehearsed\":{"), "RECORD-MEMBER"),
        ("another format", good.replace("\"format\":1", "\"format\":2"), "RECORD-FORMAT"),
        ("white space", good.replace("\"format\":1", "\"format\": 1"), "RECORD-MEMBER"),
        ("a newline after it", format!("{good}\n"), "RECORD-MEMBER"),
        ("a byte order mark", format!("\u{feff}{good}"), "JSON"),
        ("a member twice", good.replace("\"format\":1", "\"format\":1,\"format\":1"), "JSON"),
        ("unknown item", good.replace("\"destroyed-key\"", "\"shell-command\""), "RECORD-MEMBER"),
        (
            "unknown member of an item",
            good.replace("\"item\":\"new-key\"", "\"item\":\"new-key\",\"path\":\"/\""),
            "RECORD-MEMBER",
        ),
        (
            "unknown member of an ask",
            good.replace("\"counts\":", "\"always\":1,\"counts\":"),
            "RECORD-MEMBER",
        ),
        ("unknown threshold", good.replace("\"historic-1\"", "\"historic\""), "RECORD-MEMBER"),
        ("a version with a zero", good.replace("\"historic-1\"", "\"historic-01\""), "RECORD-MEMBER"),
        ("unknown scheme", good.replace("\"rsa-pss-sha256\"", "\"rsa-pkcs1-sha256\""), "RECORD-MEMBER"),
        ("unknown possession", good.replace("\"first-publication\"", "\"hearsay\""), "RECORD-MEMBER"),
        ("unknown purpose", good.replace("\"purpose\":\"witness\"", "\"purpose\":\"boss\""), "PURPOSE"),
        ("unknown duty", good.replace("\"custodian\"", "\"boss\""), "DUTY"),
        ("unknown algorithm", good.replace("\"rsa-4096\"", "\"rsa-1024\""), "KEY-SPEC"),
        ("a name that is a path", good.replace("\"name\":\"new-root\"", "\"name\":\"../root\""), "NAME"),
        ("a key that is none", good.replace(&spki_of("w"), "AAAA"), "KEY-FORM"),
        ("no base64", good.replace(&spki_of("w"), "!!"), "RECORD-MEMBER"),
        ("no date", good.replace("\"sign-by\":\"2026-12-22T12:00:00Z\"", "\"sign-by\":\"soon\""), "DATE"),
        ("no digest", good.replace(&sha("head").hex(), "00"), "DIGEST-FORM"),
        ("no nonce", good.replace(&"05".repeat(32), "05"), "RECORD-MEMBER"),
        ("no trust", good.replace(&"01".repeat(16), "01"), "TRUST-ID"),
        ("an escape in the summary", good.replace("what changes", "what\u{1b}[2K changes"), "JSON"),
        ("a turned word in the summary", good.replace("what changes", "what\u{202e} changes"), "TEXT"),
        ("a turned word in the title", good.replace("The first root", "The \u{202e}first root"), "TEXT"),
        (
            "another expiry than the payload's",
            good.replacen("\"expires\":\"2030", "\"expires\":\"2031", 1),
            "RECORD-MEMBER",
        ),
        (
            "another version than the payload's",
            good.replace("\"role\":\"root\",\"version\":2", "\"role\":\"root\",\"version\":3"),
            "RECORD-MEMBER",
        ),
        (
            "another kind than the payload's",
            good.replace("\"kind\":\"limits\"", "\"kind\":\"roll-call\""),
            "RECORD-MEMBER",
        ),
        (
            "another role than the payload's",
            good.replace("\"role\":\"targets\",\"version\":2", "\"role\":\"root\",\"version\":2"),
            "DOCUMENT-TYPE",
        ),
        ("another payload", good.replace(&digest(0), &sha("another").hex()), "CHANGE-PAYLOAD"),
        (
            "two payloads swapped",
            good.replace(&digest(0), "@").replace(&digest(1), &digest(0)).replace('@', &digest(1)),
            "CHANGE-PAYLOAD",
        ),
        (
            "another runbook",
            good.replace(&Digest::of(RUNBOOK).hex(), &sha("another").hex()),
            "CHANGE-RUNBOOK",
        ),
        ("nothing", String::new(), "JSON"),
    ];
    for (what, text, rule) in table {
        assert_ne!(text, good, "{what} changes nothing");
        let refusal = read(text.as_bytes(), &payloads).unwrap_err();
        assert_eq!(refusal.rule().name, rule, "{what}: {refusal}");
        assert!(!refusal.found().chars().any(char::is_control), "{what}: {refusal}");
    }
}

type Touch = fn(&mut BTreeMap<usize, Vec<u8>>);

#[test]
fn payloads_are_the_ones_that_are_listed() {
    let change = everything();
    let bytes = change.to_json();
    let good = payloads(&change);
    let table: &[(&str, Touch)] = &[
        ("one missing", |p| drop(p.remove(&1))),
        ("one byte more", |p| p.get_mut(&0).unwrap().push(b' ')),
        ("one byte another", |p| p.get_mut(&2).unwrap()[20] ^= 1),
        ("two swapped", |p| {
            let (a, b) = (p[&0].clone(), p[&1].clone());
            (*p.get_mut(&0).unwrap(), *p.get_mut(&1).unwrap()) = (b, a);
        }),
        ("one for an item that has none", |p| drop(p.insert(3, b"{}".to_vec()))),
        ("one beyond the items", |p| drop(p.insert(99, b"{}".to_vec()))),
    ];
    for (what, touch) in table {
        let mut payloads = good.clone();
        touch(&mut payloads);
        assert_eq!(read(&bytes, &payloads).unwrap_err().rule().name, "CHANGE-PAYLOAD", "{what}");
    }
    let refusal = Change::from_json(&bytes, b"another", &good, Profile::Tuf).unwrap_err();
    assert_eq!(refusal.rule().name, "CHANGE-RUNBOOK");
}

#[test]
fn a_change_names_the_key_files_that_its_documents_list() {
    let change = everything();
    let names: Vec<_> = change.keys.keys().map(KeyName::as_str).collect();
    // Root 2 lists a, b, d and t; targets 2 lists x. Snapshot and timestamp keys are in no record.
    assert_eq!(names, ["a", "b", "d", "t", "x"]);
    assert_eq!(change.keys[&key("d")], sha("file of d"));
    assert_eq!(change.limits.sha, sha("limits"));
}

/// FORMAT.md: the first 16 bytes of SHA-256 over `<sha of change.json>:<name>`.
#[test]
fn a_tag_follows_from_the_change_and_the_name() {
    let change = everything();
    let text = format!("{}:root-a", Digest::of(&change.to_json()));
    assert_eq!(change.tag(&key("root-a")), Digest::of(text.as_bytes()).as_bytes()[..16]);
    assert_ne!(change.tag(&key("root-a")), change.tag(&key("root-b")));
    let mut later = change.clone();
    later.frame.nonce[31] ^= 1;
    assert_ne!(change.tag(&key("root-a")), later.tag(&key("root-a")), "another year, another tag");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any one byte of a change, changed: refused, or another change with another digest.
    #[test]
    fn any_byte_is_missed(place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let change = everything();
        let mut bytes = change.to_json();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = read(&bytes, &payloads(&change)) {
            prop_assert_ne!(read.digest(), change.digest());
            prop_assert_eq!(read.to_json(), bytes);
        }
    }

    /// Any frame reads back the same.
    #[test]
    fn any_frame_reads_back(
        nonce in any::<[u8; 32]>(),
        title in "[ -~]{0,40}",
        lines in prop::collection::vec("[ -~äöüß]{0,30}", 0..5),
        people in prop::collection::btree_map("[a-z][a-z0-9_-]{4,20}", 0usize..3, 0..5),
        seconds in 0i64..4_000_000_000,
    ) {
        let mut change = everything();
        let duties = [Duty::Administrator, Duty::Custodian, Duty::Witness];
        change.frame.nonce = nonce;
        change.frame.title = title;
        change.summary = lines;
        change.frame.people = people.into_iter().map(|(name, at)| (person(&name), duties[at])).collect();
        change.frame.held_at = crate::tuf::time::Time::from_unix(seconds).unwrap();
        let bytes = change.to_json();
        prop_assert_eq!(read(&bytes, &payloads(&change)).unwrap(), change);
    }

    /// Reading never panics, whatever the bytes.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes, &BTreeMap::new()).is_err());
    }
}
