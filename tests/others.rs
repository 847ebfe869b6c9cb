//! Documents that other programs made: each verifies, byte for byte as it was received.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use keyrite::tuf::chain::{Anchor, RootChain, accept};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{Document, MetaFile};
use keyrite::tuf::evidence::{Trusted, Verified};
use keyrite::tuf::json::Json;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::threshold::tally;
use keyrite::tuf::wire::{Envelope, Quirk, parse, poisonous};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn read(profile: Profile, role: &RoleName, path: &Path) -> Envelope {
    let bytes = fs::read(path).unwrap();
    let envelope = parse(profile, role, &bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(envelope.bytes(), bytes, "{}", path.display());
    envelope
}

fn chain(profile: Profile, paths: &[PathBuf]) -> RootChain {
    let mut roots = paths.iter().map(|path| read(profile, &RoleName::Root, path));
    let mut chain = RootChain::start(roots.next().unwrap()).unwrap();
    for root in roots {
        chain.push(root).unwrap();
    }
    chain
}

/// Every document of a folder by role: `targets/app1.json` is the role `targets/app1`.
fn documents(folder: &Path) -> BTreeMap<RoleName, PathBuf> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<RoleName, PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                walk(&path, &format!("{prefix}{name}/"), found);
            } else {
                let role = format!("{prefix}{}", name.strip_suffix(".json").unwrap());
                found.insert(RoleName::from_name(&role), path.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

/// Verifies a server's folder from its root down; returns the roles whose documents no delegator
/// lists or has enough signatures for, which a real server keeps.
fn verify_folder(folder: &Path, root: &Trusted) -> Vec<String> {
    let paths = documents(folder);
    assert_eq!(fs::read(&paths[&RoleName::Root]).unwrap(), root.bytes(), "{}", folder.display());
    let mut trusted = BTreeMap::from([(RoleName::Root, root.clone())]);
    let mut left = Vec::new();
    // In the order of names a delegator comes before its delegations, and root before all.
    for (role, path) in &paths {
        poisonous(&fs::read(path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let delegator = match role {
            RoleName::Root => continue,
            RoleName::Delegated(name) => RoleName::from_name(name.rsplit_once('/').unwrap().0),
            _ => RoleName::Root,
        };
        let envelope = read(Profile::Notary, role, path);
        let Some(delegator) = trusted.get(&delegator) else {
            left.push(format!("{role}: no delegator"));
            continue;
        };
        let accepted = accept(delegator, role, envelope, Some("2027-01-01T00:00:00Z".parse().unwrap()));
        match (accepted, role) {
            (Ok(document), _) => {
                trusted.insert(role.clone(), document);
            }
            // Timestamps of a server live two weeks.
            (Err(e), RoleName::Timestamp) if e.rule().name == "EXPIRED" => {
                let document = accept(root, role, read(Profile::Notary, role, path), None).unwrap();
                trusted.insert(role.clone(), document);
            }
            (Err(e), RoleName::Delegated(_)) => left.push(format!("{role}: {}", e.rule().name)),
            (Err(e), _) => panic!("{}: {e}", path.display()),
        }
    }
    let Document::Snapshot(snapshot) = trusted[&RoleName::Snapshot].document() else { panic!() };
    for (role, meta) in &snapshot.meta {
        if let Some(path) = paths.get(role) {
            is_of(meta, &fs::read(path).unwrap(), path);
        }
    }
    for role in [RoleName::Root, RoleName::Targets] {
        assert!(snapshot.meta.contains_key(&role));
    }
    let Document::Timestamp(timestamp) = trusted[&RoleName::Timestamp].document() else { panic!() };
    let path = &paths[&RoleName::Snapshot];
    is_of(&timestamp.snapshot, &fs::read(path).unwrap(), path);
    left
}

fn is_of(meta: &MetaFile, bytes: &[u8], path: &Path) {
    assert_eq!(meta.length, Some(bytes.len() as u64), "{}", path.display());
    assert_eq!(meta.hashes.get("sha256"), Some(&Digest::of(bytes).as_bytes()[..]), "{}", path.display());
    assert_eq!(
        meta.hashes.get("sha512"),
        Some(&sha2::Sha512::digest(bytes).to_vec()[..]),
        "{}",
        path.display()
    );
}

#[test]
fn the_stock_notary_clients_collection_verifies_in_every_step() {
    let paths: Vec<_> = (1..=6).map(|n| fixture(&format!("notary-client/{n}.root.json"))).collect();
    let chain = chain(Profile::Notary, &paths);
    assert_eq!(chain.all().len(), 6);
    // Per step: version of its root, documents that are left without a delegator.
    let table: &[(&str, usize, &[&str])] = &[
        ("01-init", 1, &[]),
        ("02-publish-target-custom", 1, &[]),
        ("03-rotate-snapshot-to-server", 2, &[]),
        ("04-rotate-timestamp", 3, &[]),
        ("05-rotate-targets", 4, &[]),
        ("06-delegation-add-app1-x509", 4, &[]),
        ("07-publish-to-delegation", 4, &[]),
        ("08-sub-delegation", 4, &[]),
        ("09-publish-sub", 4, &[]),
        ("10-delegation-add-app2-rawpub", 4, &[]),
        ("11-delegation-remove-one-key", 4, &[]),
        ("12-witness-app1", 4, &[]),
        ("13-delegation-remove-role", 4, &[]),
        ("14-rotate-root", 5, &[]),
        ("15-rotate-root-legacy", 6, &[]),
    ];
    let folders: BTreeSet<_> = fs::read_dir(fixture("notary-client"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
        .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(folders, table.iter().map(|(name, _, _)| (*name).to_owned()).collect());
    for (name, version, left) in table {
        let root = &chain.all()[version - 1];
        assert_eq!(verify_folder(&fixture("notary-client").join(name), root), *left, "{name}");
    }
}

#[test]
fn a_two_of_three_notary_root_and_its_rotations_verify() {
    let folders = ["1-init", "2-delegation", "3-root-v2-replace-root0-by-root3", "4-root-v3-all-new"];
    let server = |folder: &str| fixture("notary-threshold").join(folder).join("server");
    let paths: Vec<_> =
        [folders[0], folders[2], folders[3]].iter().map(|f| server(f).join("root.json")).collect();
    let chain = chain(Profile::Notary, &paths);
    for (folder, root) in folders.iter().zip([0, 0, 1, 2]) {
        assert_eq!(verify_folder(&server(folder), &chain.all()[root]), Vec::<String>::new(), "{folder}");
    }
    let uploaded = fixture("notary-threshold");
    for (folder, role) in [(0, "root"), (0, "targets"), (1, "targets/app1"), (2, "root"), (3, "root")] {
        let path = uploaded.join(folders[folder]).join("uploaded").join(format!("{role}.json"));
        let stored = server(folders[folder]).join(format!("{role}.json"));
        assert_eq!(fs::read(&path).unwrap(), fs::read(&stored).unwrap(), "{folder} {role}");
    }
    // Every threshold is two distinct keys, and one signature fewer does not meet it.
    let Document::Root(root) = chain.all()[0].document() else { panic!() };
    let role = &root.roles[&RoleName::Root];
    let envelope = read(Profile::Notary, &RoleName::Root, &paths[0]);
    let counted = tally(&root.keys, role, envelope.payload(), &Verified::new(&envelope));
    assert_eq!((counted.need, counted.signed.len(), counted.listed.len()), (2, 2, 3));
    let short = without_signature(envelope.bytes(), 0);
    let refused = RootChain::start(parse(Profile::Notary, &RoleName::Root, &short).unwrap()).unwrap_err();
    assert_eq!(refused.rule().name, "ROOT-THRESHOLD-NEW");
}

#[test]
fn a_root_in_production_verifies_through_a_rotation_of_every_key() {
    let paths = [fixture("bottlerocket/1.root.json"), fixture("bottlerocket/2.root.json")];
    let chain = chain(Profile::Tuf, &paths);
    for root in chain.all() {
        assert_eq!(root.quirks(), &[] as &[Quirk]);
        let Document::Root(view) = root.document() else { panic!() };
        assert!(view.keys.values().all(|key| key.id_matches() && key.public.is_some()));
    }
    let [first, second] = chain.all() else { panic!() };
    let anchor = Anchor { version: 2, payload: second.payload().digest() };
    chain.check_anchor(&anchor).unwrap();
    let wrong = [Anchor { version: 1, ..anchor }, Anchor { version: 3, ..anchor }];
    for anchor in wrong {
        assert_eq!(chain.check_anchor(&anchor).unwrap_err().rule().name, "ANCHOR");
    }
    // Version 2 is signed by three keys of version 1, then by three of its own; two are needed.
    let table: &[(&[usize], &str)] = &[
        (&[0, 3], "ok"),
        (&[0, 1], "ROOT-THRESHOLD-OLD"),
        (&[3, 4], "ROOT-THRESHOLD-NEW"),
        (&[0, 1, 3, 4], "ROOT-THRESHOLD-OLD"),
    ];
    for (taken, expected) in table {
        let mut again = RootChain::start(first.envelope().clone()).unwrap();
        let short = taken.iter().rev().fold(second.bytes().to_vec(), |b, i| without_signature(&b, *i));
        let next = parse(Profile::Tuf, &RoleName::Root, &short).unwrap();
        assert_eq!(again.push(next).map_or_else(|e| e.rule().name, |()| "ok"), *expected, "{taken:?}");
    }
    let refused = RootChain::start(second.envelope().clone()).unwrap().push(first.envelope().clone());
    assert_eq!(refused.unwrap_err().rule().name, "ROOT-VERSION");
}

#[test]
fn no_document_verifies_with_a_bit_of_its_payload_turned() {
    let path = fixture("notary-threshold/1-init/server/root.json");
    let text = fs::read_to_string(path).unwrap();
    let other = text.replace("2036-11-19", "2036-11-18");
    assert_ne!(text, other);
    let envelope = parse(Profile::Notary, &RoleName::Root, other.as_bytes()).unwrap();
    assert_eq!(RootChain::start(envelope).unwrap_err().rule().name, "ROOT-THRESHOLD-NEW");
}

/// The same file with one signature taken out; members stay in whatever order reads the same.
fn without_signature(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut file = Json::parse(bytes).unwrap();
    let Json::Object(members) = &mut file else { panic!() };
    let Some(Json::Array(signatures)) = members.get_mut("signatures") else { panic!() };
    signatures.remove(index);
    // Line ends in PEM keys are the only characters of these files that need an escape.
    String::from_utf8(file.canonical()).unwrap().replace('\n', "\\n").into_bytes()
}
