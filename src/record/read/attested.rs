//! What devices attest of the record's keys, judged once as the record is read.

use crate::ceremony::attestation::{Anchors, Key, Verdict, one_holder_each};
use crate::ceremony::change::Item;
use crate::ceremony::facts::KeyRecord;
use crate::ceremony::people::{KeyName, Person};
use crate::record::{KeyFile, StoredChange};
use crate::signer::Attestation;
use crate::tuf::digest::Digest;
use crate::tuf::rule::Refusal;
use std::collections::BTreeMap;

/// The verdict on every key that is used.
pub(super) fn judge(
    used: &BTreeMap<KeyName, KeyRecord>,
    files: &BTreeMap<Digest, (KeyFile, Option<Refusal>)>,
    changes: &BTreeMap<Digest, StoredChange>,
) -> BTreeMap<KeyName, Verdict> {
    // Read once, and not at all where no device has attested anything.
    let mut anchors = None;
    let mut verdicts: BTreeMap<KeyName, (Person, Verdict)> = BTreeMap::new();
    for record in used.values() {
        let Some((file, _)) = files.get(&record.file) else { continue };
        let Some(attestation) = file.evidence.attestation() else { continue };
        let verdict = key(file, attestation, changes).judge(anchors.get_or_insert_with(Anchors::pinned));
        verdicts.insert(record.name.clone(), (record.holder.clone(), verdict));
    }
    one_holder_each(&mut verdicts);
    verdicts.into_iter().map(|(name, (_, verdict))| (name, verdict)).collect()
}

fn key<'a>(
    file: &'a KeyFile,
    attestation: &'a Attestation,
    changes: &BTreeMap<Digest, StoredChange>,
) -> Key<'a> {
    let change = changes.get(&file.change).map(|stored| &stored.change);
    // A key file says of itself what it likes: only what people agreed to counts.
    let agreed = |under: &&str| {
        let items = change.map(|change| change.items.as_slice()).unwrap_or_default();
        items.iter().any(|item| match item {
            Item::NewKey(new) => {
                new.name == file.name
                    && new.exportable_under.as_ref().is_some_and(|own| own.as_str() == *under)
            }
            _ => false,
        })
    };
    Key {
        public: &file.public,
        token: file.token.kind(),
        serial: file.token.serial(),
        certificates: attestation.leaf_first(),
        exportable_under: file.evidence.exportable_under().filter(agreed),
        at: change.map(|change| change.frame.held_at),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;
    use crate::ceremony::change::{Base, Change, Frame, LimitsFile, NewKey, Possession, Purpose};
    use crate::ceremony::standing::Gathered;
    use crate::record::key_file::{EvidenceNote, TokenNote};
    use crate::signer::{Evidence, TokenIdentity, TokenKind};
    use crate::tuf::json::{Json, Members};
    use crate::tuf::key::{KeySpec, PublicKey};
    use crate::tuf::statement::TrustId;
    use crate::tuf::time::Time;
    use base64ct::{Base64, Encoding};

    macro_rules! real {
        ($serial:literal) => {
            (
                $serial,
                [
                    include_str!(concat!(
                        "../../../tests/fixtures/piv-attestations/",
                        $serial,
                        "/",
                        $serial,
                        "_key_cert.pem"
                    )),
                    include_str!(concat!(
                        "../../../tests/fixtures/piv-attestations/",
                        $serial,
                        "/",
                        $serial,
                        "_device_cert.pem"
                    )),
                    include_str!(concat!(
                        "../../../tests/fixtures/piv-attestations/",
                        $serial,
                        "/",
                        $serial,
                        "_pubkey.pem"
                    )),
                ],
            )
        };
    }

    fn der(text: &str) -> Vec<u8> {
        pem::parse(text).unwrap().into_contents()
    }

    fn identity(serial: &str) -> TokenIdentity {
        let text = str::to_owned;
        TokenIdentity {
            kind: TokenKind::Piv,
            label: text("slot 9c"),
            serial: text(serial),
            manufacturer: text("Yubico"),
            model: text("YubiKey"),
            firmware: text("5.2"),
        }
    }

    fn file(name: &str, holder: &str, (serial, [own, device, public]): (&str, [&str; 3])) -> KeyFile {
        let attestation = Attestation::new(der(own), vec![der(device)]).unwrap();
        let evidence = Evidence { attestation: Some(attestation), ..Evidence::default() };
        KeyFile {
            trust: TrustId::from_bytes([1; 16]),
            name: name.parse().unwrap(),
            holder: holder.parse().unwrap(),
            purpose: Purpose::Root,
            public: PublicKey::from_spki_der(&der(public)).unwrap(),
            certificate: None,
            change: Digest::of(b"change"),
            possession: Possession::Proved(Digest::of(b"possession")),
            replaces: None,
            token: TokenNote::of(&identity(serial)),
            evidence: EvidenceNote::of(&evidence).unwrap(),
        }
    }

    fn judged(files: &[KeyFile]) -> BTreeMap<String, String> {
        let read = |file: &KeyFile| KeyFile::from_json(&file.to_json()).unwrap();
        let files: BTreeMap<_, _> = files.iter().map(|f| (f.digest(), (read(f), None))).collect();
        let used =
            files.iter().map(|(sha, (f, _))| (f.name.clone(), super::super::keys::record(f.clone(), *sha)));
        let verdicts = judge(&used.collect(), &files, &BTreeMap::new());
        verdicts.into_iter().map(|(name, verdict)| (name.to_string(), verdict.words())).collect()
    }

    #[test]
    fn what_a_key_file_carries_is_judged() {
        let (first, second) = (real!("13078778"), real!("14454335"));
        let mut bare = file("root-c", "carol", first);
        bare.evidence = EvidenceNote::default();
        let mut stolen = file("root-d", "dave", first);
        stolen.public = PublicKey::from_spki_der(&der(second.1[2])).unwrap();
        let found = judged(&[file("root-a", "alice", first), file("root-b", "bob", second), bare]);
        let firmware = "attestation fails ATTESTATION-FIRMWARE";
        assert_eq!(
            found,
            [("root-a", firmware), ("root-b", firmware)].map(|(n, w)| (n.into(), w.into())).into()
        );
        let found = judged(&[file("root-a", "alice", first), stolen]);
        assert_eq!(found["root-a"], format!("{firmware}, ATTESTATION-HOLDER"));
        assert_eq!(
            found["root-d"],
            "attestation fails ATTESTATION-KEY, ATTESTATION-FIRMWARE, ATTESTATION-HOLDER"
        );
    }

    /// What a key file says of itself counts for nothing where no change that people agreed to says it too:
    /// under which wrap key it may leave, and on which day it came in.
    #[test]
    fn a_key_file_vouches_for_nothing_by_itself() {
        let mut own = file("root-a", "alice", real!("13078778"));
        let under: KeyName = "wrap-1".parse().unwrap();
        own.evidence = own.evidence.leaving(Some(&under));
        let held_at: Time = "2026-11-22T13:00:00Z".parse().unwrap();
        let new = |name: &str, exportable_under: Option<&str>| {
            Item::NewKey(NewKey {
                name: name.parse().unwrap(),
                holder: "alice".parse().unwrap(),
                purpose: Purpose::Root,
                spec: KeySpec::EcdsaP256,
                certificate: None,
                exportable_under: exportable_under.map(|under| under.parse().unwrap()),
            })
        };
        let judged = |items: Vec<Item>| {
            let frame = Frame {
                kind: "generate-key".to_owned(),
                title: "t".to_owned(),
                people: BTreeMap::new(),
                runbook: Digest::of(b"runbook"),
                held_at,
                sign_by: held_at,
                nonce: [0; 32],
                rehearsal: None,
            };
            let limits = LimitsFile { number: 0, sha: Digest::of(b"limits") };
            let (keys, summary) = (BTreeMap::new(), Vec::new());
            let change =
                Change { frame, trust: own.trust, base: Base::default(), limits, keys, items, summary };
            let stored = StoredChange {
                digest: own.change,
                change,
                runbook: Vec::new(),
                signatures: BTreeMap::new(),
                gathered: Gathered::default(),
                standing: Err(crate::tuf::rule::Refusal::new(&crate::record::rules::RECORD_MISSING, "", "")),
            };
            let changes = BTreeMap::from([(own.change, stored)]);
            let key = key(&own, own.evidence.attestation().unwrap(), &changes);
            (key.exportable_under.map(str::to_owned), key.at)
        };
        for (items, agreed) in [
            (vec![new("root-a", Some("wrap-1"))], true),
            (vec![new("root-a", Some("wrap-2"))], false),
            (vec![new("root-b", Some("wrap-1"))], false),
            (vec![new("root-a", None)], false),
            (Vec::new(), false),
        ] {
            let expected = agreed.then(|| "wrap-1".to_owned());
            assert_eq!(judged(items.clone()), (expected, Some(held_at)), "{items:?}");
        }
        let nobody = key(&own, own.evidence.attestation().unwrap(), &BTreeMap::new());
        assert_eq!((nobody.exportable_under, nobody.at), (None, None));
    }

    /// A key file with other certificates in it.
    fn with(certificates: &[Vec<u8>]) -> Vec<u8> {
        let mut json = Json::parse(&file("root-a", "alice", real!("13078778")).to_json()).unwrap();
        let all: Vec<Json> = certificates.iter().map(|der| Base64::encode_string(der).into()).collect();
        let object = |json: &mut Json, name: &str| -> Members {
            let Json::Object(members) = json else { panic!("no object") };
            let Some(Json::Object(inner)) = members.get(name) else { panic!("no object") };
            inner.clone()
        };
        let mut evidence = object(&mut json, "evidence");
        evidence.insert("attestation".to_owned(), all.into());
        let Json::Object(members) = &mut json else { panic!("no object") };
        members.insert("evidence".to_owned(), Json::Object(evidence));
        json.canonical()
    }

    #[test]
    fn no_more_is_read_than_a_device_gives() {
        for (certificates, fits) in [
            (vec![], true),
            (vec![vec![1; 4096]; 6], true),
            (vec![vec![1; 4097]], false),
            (vec![vec![1; 100]; 7], false),
            (vec![vec![1], vec![]], false),
        ] {
            let bytes = with(&certificates);
            assert!(bytes.len() < 64 << 10, "within a key file's cap");
            let read = KeyFile::from_json(&bytes);
            assert_eq!(
                read.err().map(|e| e.rule().name),
                (!fits).then_some("RECORD-MEMBER"),
                "{}",
                certificates.len()
            );
        }
    }
}
