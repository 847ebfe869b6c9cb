//! Sealed files: byte for byte as the profile demands, and what a Notary server would spoil.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;
use keyrite::tuf::document::{Document, Keys};
use keyrite::tuf::json::object;
use keyrite::tuf::make::{self, RoleSpec, RootSpec, TargetsEdit};
use keyrite::tuf::payload::{MetadataPayload, Payload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::verify::Signature;
use keyrite::tuf::wire::{self, parse, poisonous, read_payload, seal};
use made::keys::TestKey;
use made::{entry, grant, letter, put, root_spec, targets};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn verdict<T>(result: &Result<T>) -> &'static str {
    result.as_ref().map_or_else(|e| e.rule().name, |_| "ok")
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn signature(payload: &MetadataPayload, key: &TestKey) -> Signature {
    key.signature(wire::scheme(payload.profile(), &key.public()), &Payload::Metadata(payload.clone()))
}

/// The keys of a document, as it is sealed: its own, for a root.
fn keys(payload: &MetadataPayload) -> Keys {
    match payload.document() {
        Document::Root(root) => root.keys.clone(),
        _ => panic!(),
    }
}

#[test]
fn a_notary_root_of_another_producer_comes_out_byte_for_byte() {
    for folder in ["1-init", "3-root-v2-replace-root0-by-root3", "4-root-v3-all-new"] {
        let path = fixture("notary-threshold").join(folder).join("uploaded/root.json");
        let bytes = fs::read(&path).unwrap();
        let theirs = parse(Profile::Notary, &RoleName::Root, &bytes).unwrap();
        let view = theirs.payload().document().as_root().unwrap();
        let spec = |name: &RoleName| {
            let role = &view.roles[name];
            let ours = role.keyids.iter().map(|id| {
                let key = &view.keys[id];
                let made = wire::key_entry(
                    Profile::Notary,
                    key.public.as_ref().unwrap(),
                    key.certificate.as_deref(),
                );
                assert_eq!(&made.as_ref().unwrap().id, id);
                made.unwrap()
            });
            RoleSpec { keys: ours.collect(), threshold: role.threshold }
        };
        let spec = RootSpec {
            version: theirs.payload().version(),
            expires: view.header.expires,
            root: spec(&RoleName::Root),
            targets: spec(&RoleName::Targets),
            snapshot: spec(&RoleName::Snapshot),
            timestamp: spec(&RoleName::Timestamp),
        };
        let ours = make::root(Profile::Notary, &spec, None).unwrap();
        assert_eq!(
            String::from_utf8_lossy(ours.bytes()),
            String::from_utf8_lossy(theirs.payload().bytes()),
            "{folder}"
        );
    }
}

/// Seals every document of the stock client and server again, with their own signatures.
#[test]
fn files_of_the_stock_notary_client_come_out_byte_for_byte() {
    let mut same = 0;
    let root = |path: PathBuf| parse(Profile::Notary, &RoleName::Root, &fs::read(path).unwrap()).unwrap();
    for step in fs::read_dir(fixture("notary-client")).unwrap() {
        let step = step.unwrap().path();
        if !step.is_dir() {
            continue;
        }
        let mut keys = keys(root(step.join("root.json")).payload());
        for role in ["root", "targets", "snapshot", "timestamp", "targets/app1", "targets/app1/sub"] {
            let Ok(bytes) = fs::read(step.join(format!("{role}.json"))) else { continue };
            let theirs = parse(Profile::Notary, &RoleName::from_name(role), &bytes).unwrap();
            let payload = Payload::Metadata(theirs.payload().clone());
            let signatures = theirs.signatures().iter().filter_map(|s| {
                let key = keys.get(&s.keyid)?;
                let scheme = key.scheme.unwrap();
                let raw = wire::signature_from_wire(Profile::Notary, scheme, s.bytes.as_ref()?).unwrap();
                Signature::check(key.public.as_ref().unwrap(), scheme, &payload, &raw).ok()
            });
            let signatures: Vec<_> = signatures.collect();
            // Rotated roots hold signatures of keys that this root doesn't list; one developer's key
            // is listed as a certificate for one delegation and bare for another.
            let sorted = theirs.signatures().is_sorted_by_key(|s| s.keyid.clone());
            if sorted && signatures.len() == theirs.signatures().len() {
                let listed = theirs.signatures().iter().map(|s| (s.keyid.clone(), keys[&s.keyid].clone()));
                let ours = seal(theirs.payload(), &listed.collect(), &signatures).unwrap();
                assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(bytes).unwrap());
                same += 1;
            }
            if let Document::Targets(targets) = theirs.payload().document() {
                keys.extend(targets.delegations.keys.clone());
            }
        }
    }
    assert!(same > 60, "{same}");
}

#[test]
fn a_sealed_file_reads_as_it_was_made_in_both_profiles() {
    let table = [
        (make::root(Profile::Tuf, &root_spec(1, 2, "aBC"), None).unwrap(), "aBC"),
        (make::root(Profile::Notary, &made::notary_root_spec(1, 2, "ABC"), None).unwrap(), "ABC"),
    ];
    for (payload, letters) in table {
        let keys = keys(&payload);
        let signatures: Vec<_> = letters.chars().map(|c| signature(&payload, &letter(c))).collect();
        let bytes = seal(&payload, &keys, &signatures).unwrap();
        let envelope = parse(payload.profile(), &RoleName::Root, &bytes).unwrap();
        assert_eq!(envelope.payload(), &payload);
        assert!(envelope.signatures().is_sorted_by_key(|s| s.keyid.clone()));
        // The order in which signatures came in leaves no trace, nor does one that came twice.
        let mut again: Vec<_> = signatures.iter().rev().cloned().collect();
        again.push(signatures[0].clone());
        assert_eq!(seal(&payload, &keys, &again).unwrap(), bytes);
        assert_eq!(read_payload(payload.profile(), &RoleName::Root, payload.bytes()).unwrap(), payload);
        keyrite::tuf::chain::RootChain::start(envelope).unwrap();
    }
}

#[test]
fn a_signature_is_written_under_every_id_of_its_key_and_no_other() {
    let spec = made::notary_root_spec(1, 1, "A");
    let payload = make::root(Profile::Notary, &spec, None).unwrap();
    let mut keys = keys(&payload);
    let renewed = made::certified('A', 2);
    keys.insert(renewed.id.clone(), renewed.clone());
    let sealed = seal(&payload, &keys, &[signature(&payload, &letter('A'))]).unwrap();
    let envelope = parse(Profile::Notary, &RoleName::Root, &sealed).unwrap();
    let mut ids = [spec.root.keys[0].id.clone(), renewed.id];
    ids.sort();
    assert_eq!(envelope.signatures().iter().map(|s| s.keyid.clone()).collect::<Vec<_>>(), ids);
    let other = make::root(Profile::Notary, &made::notary_root_spec(2, 1, "A"), None).unwrap();
    for signature in [signature(&other, &letter('A')), signature(&payload, &letter('B'))] {
        assert_eq!(verdict(&seal(&payload, &keys, &[signature])), "SEAL");
    }
}

#[test]
fn bytes_that_a_notary_server_would_write_otherwise_are_refused() {
    let spec = made::notary_root_spec(1, 1, "A");
    let root = make::root(Profile::Notary, &spec, None).unwrap();
    let root =
        String::from_utf8(seal(&root, &keys(&root), &[signature(&root, &letter('A'))]).unwrap()).unwrap();
    let edits = [
        put("camera/a.bin", Some(object([("release", "1.0".into())]))),
        TargetsEdit::Grant(grant(Profile::Notary, "targets/camera", 1, "d", "camera/")),
    ];
    let payload = targets(Profile::Notary, None, &edits).unwrap();
    let listed = BTreeMap::from([entry(Profile::Notary, 't')].map(|k| (k.id.clone(), k)));
    let targets = seal(&payload, &listed, &[signature(&payload, &letter('t'))]).unwrap();
    let targets = String::from_utf8(targets).unwrap();
    for text in [&root, &targets] {
        poisonous(text.as_bytes()).unwrap();
    }
    let (signed, signatures) = root.strip_prefix('{').unwrap().rsplit_once(",\"signatures\"").unwrap();
    let signatures = signatures.strip_suffix('}').unwrap();
    let swapped = format!("{{\"signatures\"{signatures},{signed}}}");
    let table: &[(&str, String)] = &[
        ("a line end", format!("{root}\n")),
        ("white space", root.replacen(',', ", ", 1)),
        ("signatures first", swapped),
        ("an unknown field", root.replace(",\"version\"", ",\"spec_version\":\"1.0.34\",\"version\"")),
        ("no consistent_snapshot", root.replace("\"consistent_snapshot\":false,", "")),
        ("no private", root.replacen("\"private\":null,", "", 1)),
        ("a method in capitals", root.replace("\"method\":\"ecdsa\"", "\"method\":\"ECDSA\"")),
        (
            "other order in a signature",
            root.replace("\"method\":\"ecdsa\",\"sig\"", "\"sig\":\"x\",\"method\""),
        ),
        ("an extra member in a signature", root.replace("\"method\":", "\"extra\":1,\"method\":")),
        ("a zero offset", root.replace("00:00:00Z", "00:00:00+00:00")),
        ("zeros in the fraction", root.replace("00:00:00Z", "00:00:00.500Z")),
        ("no delegations", {
            let from = targets.find("\"delegations\":").unwrap();
            let to = targets.find("\"expires\"").unwrap();
            format!("{}{}", &targets[..from], &targets[to..])
        }),
        ("terminating", targets.replace("\"threshold\":1}", "\"terminating\":false,\"threshold\":1}")),
        ("paths of nothing", targets.replace("\"paths\":[\"camera/\"]", "\"paths\":[]")),
        ("a raw <", targets.replace("camera/a.bin", "camera/<.bin")),
        ("a raw &", targets.replace("\"release\":\"1.0\"", "\"release\":\"1&0\"")),
        ("a raw U+2028", targets.replace("camera/a.bin", "camera/\u{2028}.bin")),
        ("an escape that needn't be", targets.replace("camera/a.bin", "camera/\\u0061.bin")),
    ];
    for (name, text) in table {
        assert!(*text != root && *text != targets, "{name}");
        assert_eq!(verdict(&poisonous(text.as_bytes())), "NOTARY-BYTES", "{name}");
    }
    // Go's own escapes, and dates as Go writes them, are no difference.
    for text in [
        targets.replace("camera/a.bin", "camera/\\u003c\\u0026\\u2029.bin"),
        root.replace("00:00:00Z", "00:00:00.5Z"),
        root.replace("00:00:00Z", "00:00:00+02:00"),
    ] {
        poisonous(text.as_bytes()).unwrap();
    }
}
