//! Uploads, good and bad, with what the server says to each: one table for the model and the real
//! thing.

use super::{Maker, Root, days, file, key, signed_json, with};
use keyrite::tuf::json::Json;

pub type Parts = Vec<(String, Vec<u8>)>;

/// A case: its uploads, in order; the server's verdict on each and whether clients, fresh and
/// primed, see a usable collection afterwards. The verdicts stand here too, so that the table reads
/// without either.
pub struct Case {
    pub name: &'static str,
    pub uploads: fn(&Maker) -> Vec<Parts>,
    /// `ok`, or code, kind and the beginning of the reason; then the clients: `+` can, `-` can't.
    pub expected: &'static [(&'static str, &'static str)],
}

pub fn part(name: &str, bytes: Vec<u8>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes)
}

pub fn first(m: &Maker) -> Parts {
    vec![part("root", m.first_root()), part("targets", m.first_targets())]
}

fn root2(m: &Maker, keys: &[u8], threshold: u32, signers: &[u8]) -> Parts {
    vec![part("root", m.root(&Root { version: 2, keys, threshold, signers, targets: &[10] }))]
}

/// The first targets document, edited as JSON and signed again.
fn targets_with(m: &Maker, path: &[&str], value: Option<Json>) -> Vec<u8> {
    let edits = [Maker::put("top"), m.grant("targets/app", &[30], 1, &["app/"])];
    file(&with(&signed_json(&m.targets_payload("targets", 1, &edits)), path, value), &m.signers(&[10]))
}

fn root_with(m: &Maker, path: &[&str], value: Option<Json>) -> Vec<u8> {
    let root = Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[10] };
    file(&with(&signed_json(&m.root_payload(&root)), path, value), &m.root_signers(&[1, 2]))
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from), "no {from}");
    text.replacen(from, to, 1).into_bytes()
}

const OK: (&str, &str) = ("ok", "++");

pub const CASES: &[Case] = &[
    Case {
        name: "the first day",
        uploads: |m| {
            vec![
                first(m),
                vec![part("targets/app", m.targets("targets/app", 1, &[30], &[Maker::put("app/x")]))],
            ]
        },
        expected: &[OK, OK],
    },
    Case {
        name: "file names with .json",
        uploads: |m| vec![vec![part("root.json", m.first_root()), part("targets.json", m.first_targets())]],
        expected: &[OK],
    },
    Case {
        name: "a root alone",
        uploads: |m| vec![vec![part("root", m.first_root())]],
        expected: &[("INVALID_UPDATE ErrValidation targets must be loaded first", "--")],
    },
    Case {
        name: "targets alone",
        uploads: |m| vec![vec![part("targets", m.first_targets())]],
        expected: &[("INVALID_UPDATE ErrValidation no pre-existing root and no root provided", "--")],
    },
    Case {
        name: "nothing at all",
        uploads: |_| vec![vec![]],
        expected: &[("INVALID_UPDATE ErrValidation no pre-existing root", "--")],
    },
    Case {
        name: "a first root of version 2",
        uploads: |m| {
            vec![vec![root2(m, &[1, 2, 3], 2, &[1, 2]).remove(0), part("targets", m.first_targets())]]
        },
        expected: &[OK],
    },
    Case {
        name: "a first root of version 3",
        uploads: |m| {
            let root = Root { version: 3, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot Root modifications must increment the version. Current 1, new 3",
            "--",
        )],
    },
    Case {
        name: "the same root again",
        uploads: |m| vec![first(m), vec![part("root", m.first_root())]],
        expected: &[OK, ("VERSION", "++")],
    },
    Case {
        name: "a root that skips a version",
        uploads: |m| {
            let root = Root { version: 3, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[10] };
            vec![first(m), vec![part("root", m.root(&root))]]
        },
        expected: &[
            OK,
            (
                "INVALID_UPDATE ErrBadRoot Root modifications must increment the version. Current 1, new 3",
                "++",
            ),
        ],
    },
    Case {
        name: "one of two signatures",
        uploads: |m| {
            let root = Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[1], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: failed to validate integrity of roots",
            "--",
        )],
    },
    Case {
        name: "one key signs twice",
        uploads: |m| {
            let root = Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[1, 1], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: failed to validate integrity",
            "--",
        )],
    },
    Case {
        name: "no signature at all",
        uploads: |m| {
            let root = Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot could not validate the path", "--")],
    },
    Case {
        name: "two good signatures, one of a stranger",
        uploads: |m| {
            let root =
                Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[1, 7, 2], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[OK],
    },
    Case {
        name: "one root key replaced, by the two that stay",
        uploads: |m| vec![first(m), root2(m, &[1, 2, 4], 2, &[1, 2])],
        expected: &[OK, OK],
    },
    Case {
        name: "every root key replaced, by two old and two new",
        uploads: |m| vec![first(m), root2(m, &[4, 5, 6], 2, &[1, 2, 4, 5])],
        expected: &[OK, OK],
    },
    Case {
        name: "every root key replaced, by the new alone",
        uploads: |m| vec![first(m), root2(m, &[4, 5, 6], 2, &[4, 5])],
        expected: &[OK, ("INVALID_UPDATE ErrBadRoot could not rotate trust to a new trusted root", "++")],
    },
    Case {
        name: "every root key replaced, by the old alone",
        uploads: |m| vec![first(m), root2(m, &[4, 5, 6], 2, &[1, 2])],
        expected: &[
            OK,
            (
                "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: failed to validate integrity",
                "++",
            ),
        ],
    },
    Case {
        name: "every root key replaced, by one old and two new",
        uploads: |m| vec![first(m), root2(m, &[4, 5, 6], 2, &[1, 4, 5])],
        expected: &[OK, ("INVALID_UPDATE ErrBadRoot could not rotate trust", "++")],
    },
    Case {
        name: "threshold 2 to 1, by one",
        uploads: |m| vec![first(m), root2(m, &[1, 2, 3], 1, &[1])],
        expected: &[OK, ("INVALID_UPDATE ErrBadRoot could not rotate trust", "++")],
    },
    Case {
        name: "threshold 2 to 1, by two",
        uploads: |m| vec![first(m), root2(m, &[1, 2, 3], 1, &[1, 3])],
        expected: &[OK, OK],
    },
    Case {
        name: "threshold 2 to 3, by two",
        uploads: |m| vec![first(m), root2(m, &[1, 2, 3], 3, &[1, 2])],
        expected: &[OK, ("INVALID_UPDATE ErrBadRoot could not validate the path", "++")],
    },
    Case {
        name: "four roots on, every key new each time",
        uploads: |m| {
            let root = |version, keys: &[u8], signers: &[u8]| {
                vec![part("root", m.root(&Root { version, keys, threshold: 2, signers, targets: &[10] }))]
            };
            vec![
                first(m),
                root(2, &[4, 5], &[1, 2, 4, 5]),
                root(3, &[6, 7], &[4, 5, 6, 7]),
                root(4, &[8, 9], &[6, 7, 8, 9]),
            ]
        },
        expected: &[OK, OK, OK, OK],
    },
    Case {
        name: "root keys of P-384 and RSA",
        uploads: |m| {
            let root =
                Root { version: 1, keys: &[1, 101, 100], threshold: 2, signers: &[101, 100], targets: &[10] };
            vec![vec![part("root", m.root(&root)), part("targets", m.first_targets())]]
        },
        expected: &[OK],
    },
    Case {
        name: "targets keys of every kind, at threshold 2 in a delegation",
        uploads: |m| {
            let root = Root { version: 1, keys: &[1, 2], threshold: 2, signers: &[1, 2], targets: &[101] };
            let grant = m.grant("targets/app", &[30, 100, 3], 2, &["app/"]);
            vec![
                vec![
                    part("root", m.root(&root)),
                    part("targets", m.targets("targets", 1, &[101], &[grant])),
                    part("targets/app", m.targets("targets/app", 1, &[30, 100], &[])),
                ],
                vec![part("targets/app", m.targets("targets/app", 2, &[100], &[]))],
                vec![part("targets/app", m.targets("targets/app", 2, &[100, 3], &[]))],
            ]
        },
        expected: &[
            OK,
            ("INVALID_UPDATE ErrBadTargets valid signatures did not meet threshold for targets/app", "++"),
            OK,
        ],
    },
    Case {
        name: "an expired root",
        uploads: |m| {
            let root = root_with(m, &["expires"], Some("2020-01-01T00:00:00Z".into()));
            vec![vec![part("root", root), part("targets", m.first_targets())]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot root expired at", "--")],
    },
    Case {
        name: "expired targets",
        uploads: |m| {
            let targets = targets_with(m, &["expires"], Some("2020-01-01T00:00:00Z".into()));
            vec![vec![part("root", m.first_root()), part("targets", targets)]]
        },
        expected: &[("INVALID_UPDATE ErrBadTargets targets expired at", "--")],
    },
    Case {
        name: "root keys without certificates",
        uploads: |m| {
            let plain = m.plain(1);
            let json = root_with_keys(m, vec![(plain.id.as_str().to_owned(), plain.entry.clone())], 1);
            vec![vec![part("root", file(&json, &m.signers(&[1]))), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: unable to retrieve valid leaf certificates",
            "--",
        )],
    },
    Case {
        name: "certificates of another collection",
        uploads: |m| {
            let other = Maker { collection: "updates.example.com/other".to_owned(), ..m.clone() };
            vec![vec![part("root", other.first_root()), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: unable to retrieve valid leaf",
            "--",
        )],
    },
    Case {
        name: "certificates of every collection below",
        uploads: |m| {
            let wild = Maker { collection: "updates.example.com/*".to_owned(), ..m.clone() };
            vec![vec![part("root", wild.first_root()), part("targets", m.first_targets())]]
        },
        expected: &[OK],
    },
    Case {
        name: "certificates that have expired",
        uploads: |m| {
            let expired = |n| m.certified(n, &m.collection, days(m.now, -9), days(m.now, -1));
            let keys = [1, 2].map(expired);
            let json = root_with_keys(
                m,
                keys.iter().map(|k| (k.id.as_str().to_owned(), k.entry.clone())).collect(),
                2,
            );
            let signers = [(keys[0].id.clone(), key(1)), (keys[1].id.clone(), key(2))];
            vec![vec![part("root", file(&json, &signers)), part("targets", m.first_targets())]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadRoot could not validate the path to a trusted root: unable to retrieve valid leaf",
            "--",
        )],
    },
    Case {
        name: "certificates from the day after tomorrow",
        uploads: |m| {
            let early = |n| m.certified(n, &m.collection, days(m.now, 2), days(m.now, 99));
            let keys = [1, 2].map(early);
            let json = root_with_keys(
                m,
                keys.iter().map(|k| (k.id.as_str().to_owned(), k.entry.clone())).collect(),
                2,
            );
            let signers = [(keys[0].id.clone(), key(1)), (keys[1].id.clone(), key(2))];
            vec![vec![part("root", file(&json, &signers)), part("targets", m.first_targets())]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot could not validate the path", "--")],
    },
    Case {
        name: "a key id that is not the key's",
        uploads: |m| {
            let edits = [m.grant("targets/app", &[30], 1, &["app/"])];
            let json = signed_json(&m.targets_payload("targets", 1, &edits));
            let (good, bad) = (m.plain(30), "0".repeat(64));
            let keys = Json::Object([(bad.clone(), good.entry.clone())].into());
            let role = with(
                &json.get("delegations").unwrap().get("roles").unwrap().as_array().unwrap()[0],
                &["keyids"],
                Some(vec![Json::Str(bad.clone())].into()),
            );
            let json = with(
                &with(&json, &["delegations", "keys"], Some(keys)),
                &["delegations", "roles"],
                Some(vec![role].into()),
            );
            let id = keyrite::tuf::key::KeyId::declared(&bad);
            let app = file(&signed_json(&m.targets_payload("targets/app", 1, &[])), &[(id, key(30))]);
            vec![vec![
                part("root", m.first_root()),
                part("targets", file(&json, &m.signers(&[10]))),
                part("targets/app", app),
            ]]
        },
        expected: &[("INVALID_UPDATE ErrBadTargets key ID is not valid for key content", "--")],
    },
    Case {
        name: "targets by a stranger",
        uploads: |m| vec![first(m), vec![part("targets", m.targets("targets", 2, &[11], &[]))]],
        expected: &[
            OK,
            ("INVALID_UPDATE ErrBadTargets valid signatures did not meet threshold for targets", "++"),
        ],
    },
    Case {
        name: "targets of the same version",
        uploads: |m| vec![first(m), vec![part("targets", m.targets("targets", 1, &[10], &[]))]],
        expected: &[OK, ("VERSION", "++")],
    },
    Case {
        name: "targets with a gap in the versions",
        uploads: |m| vec![first(m), vec![part("targets", m.targets("targets", 9, &[10], &[]))]],
        expected: &[OK, OK],
    },
    Case {
        name: "a delegation that nobody granted",
        uploads: |m| vec![first(m), vec![part("targets/zzz", m.targets("targets/zzz", 1, &[30], &[]))]],
        expected: &[
            OK,
            ("INVALID_UPDATE ErrBadTargets tuf: invalid role targets/zzz. delegation does not exist", "++"),
        ],
    },
    Case {
        name: "a delegation before any targets",
        uploads: |m| {
            vec![vec![
                part("root", m.first_root()),
                part("targets/app", m.targets("targets/app", 1, &[30], &[])),
            ]]
        },
        expected: &[("INVALID_UPDATE ErrBadTargets targets must be loaded first", "--")],
    },
    Case {
        name: "a grant, its delegation and a track below, in one upload",
        uploads: |m| {
            let track = [m.grant("targets/app/beta", &[31], 1, &["app/beta/"])];
            vec![vec![
                part(
                    "targets/app/beta",
                    m.targets("targets/app/beta", 1, &[31], &[Maker::put("app/beta/x")]),
                ),
                part("targets/app", m.targets("targets/app", 1, &[30], &track)),
                part("root", m.first_root()),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[OK],
    },
    Case {
        name: "a track that its application did not grant",
        uploads: |m| {
            vec![
                first(m),
                vec![part("targets/app", m.targets("targets/app", 1, &[30], &[]))],
                vec![part("targets/app/beta", m.targets("targets/app/beta", 1, &[31], &[]))],
            ]
        },
        expected: &[
            OK,
            OK,
            (
                "INVALID_UPDATE ErrBadTargets tuf: invalid role targets/app/beta. delegation does not exist",
                "++",
            ),
        ],
    },
    Case {
        name: "a revoked developer",
        uploads: |m| {
            vec![
                first(m),
                vec![part("targets/app", m.targets("targets/app", 1, &[30], &[Maker::put("app/x")]))],
                vec![part(
                    "targets",
                    m.targets("targets", 2, &[10], &[m.grant("targets/app", &[31], 1, &["app/"])]),
                )],
                vec![part("targets/app", m.targets("targets/app", 2, &[30], &[]))],
                vec![part("targets/app", m.targets("targets/app", 2, &[31], &[]))],
            ]
        },
        expected: &[
            OK,
            OK,
            OK,
            ("INVALID_UPDATE ErrBadTargets valid signatures did not meet threshold for targets/app", "++"),
            OK,
        ],
    },
    Case {
        name: "the targets key replaced in root alone: nobody can read it",
        uploads: |m| {
            let root = Root { version: 2, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[11] };
            vec![
                first(m),
                vec![part("root", m.root(&root))],
                vec![part("targets/app", m.targets("targets/app", 1, &[30], &[]))],
                vec![part("targets", m.targets("targets", 2, &[11], &[]))],
            ]
        },
        expected: &[OK, ("ok", "--"), ("INVALID_UPDATE", "--"), OK],
    },
    Case {
        name: "the targets key replaced with the targets in one upload",
        uploads: |m| {
            let root = Root { version: 2, keys: &[1, 2, 3], threshold: 2, signers: &[1, 2], targets: &[11] };
            vec![
                first(m),
                vec![part("root", m.root(&root)), part("targets", m.targets("targets", 2, &[11], &[]))],
            ]
        },
        expected: &[OK, OK],
    },
    Case {
        name: "one public key in two certificates: the server can't tell",
        uploads: |m| {
            let second = m.certified(1, &m.collection, days(m.now, -2), days(m.now, 3000));
            let first = m.root_key(1);
            let keys = [&first, &second].map(|k| (k.id.as_str().to_owned(), k.entry.clone())).to_vec();
            let signers = [(first.id.clone(), key(1)), (second.id.clone(), key(1))];
            vec![vec![
                part("root", file(&root_with_keys(m, keys, 2), &signers)),
                part("targets", m.first_targets()),
            ]]
        },
        // Our client counts public keys and refuses what the stock client takes.
        expected: &[("ok", "!!")],
    },
    Case {
        name: "a snapshot key that the server does not hold",
        uploads: |m| {
            let own = Maker { snapshot: key(40).public(), ..m.clone() };
            vec![first(&own)]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadHierarchy no snapshot was included in update and server does not hold",
            "--",
        )],
    },
    Case {
        name: "a timestamp key that the server does not hold",
        uploads: |m| {
            let own = Maker { timestamp: key(41).public(), ..m.clone() };
            vec![first(&own)]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot no  timestamp keys exist on the server", "--")],
    },
    Case {
        name: "a snapshot of one's own",
        uploads: |m| {
            let own = Maker { snapshot: key(40).public(), ..m.clone() };
            let (root, targets) = (own.first_root(), own.first_targets());
            let snapshot = own.snapshot_by(40, 1, &[("root", &root), ("targets", &targets)]);
            vec![vec![part("root", root), part("targets", targets), part("snapshot", snapshot)]]
        },
        expected: &[OK],
    },
    Case {
        name: "a snapshot of one's own over other targets",
        uploads: |m| {
            let own = Maker { snapshot: key(40).public(), ..m.clone() };
            let (root, targets) = (own.first_root(), own.first_targets());
            let snapshot = own.snapshot_by(40, 1, &[("root", &root), ("targets", &root)]);
            vec![vec![part("root", root), part("targets", targets), part("snapshot", snapshot)]]
        },
        expected: &[("INVALID_UPDATE ErrBadSnapshot sha256 checksum for targets did not match", "--")],
    },
    Case {
        name: "a snapshot of one's own without targets",
        uploads: |m| {
            let own = Maker { snapshot: key(40).public(), ..m.clone() };
            let (root, targets) = (own.first_root(), own.first_targets());
            let snapshot = own.snapshot_by(40, 1, &[("root", &root)]);
            vec![vec![part("root", root), part("targets", targets), part("snapshot", snapshot)]]
        },
        expected: &[(
            "INVALID_UPDATE ErrBadSnapshot snapshot type metadata invalid: missing targets sha256 checksum information",
            "--",
        )],
    },
    Case {
        name: "a timestamp of one's own is left aside",
        uploads: |m| {
            let mut parts = first(m);
            parts.push(part("timestamp", m.timestamp_by(41, 99, days(m.now, 9), b"whatever")));
            vec![parts]
        },
        expected: &[OK],
    },
    Case {
        name: "no file name",
        uploads: |m| vec![vec![part("", m.first_root())]],
        expected: &[("NO_FILENAME", "--")],
    },
    Case {
        name: "a role of another kind",
        uploads: |m| vec![vec![part("mirrors", m.first_root())]],
        expected: &[("INVALID_ROLE", "--")],
    },
    Case {
        name: "a capital letter in a role's name",
        uploads: |m| vec![vec![part("targets/App", m.first_targets())]],
        expected: &[("INVALID_ROLE", "--")],
    },
    Case {
        name: "a dot in a role's name",
        uploads: |m| vec![vec![part("targets/app.1", m.first_targets())]],
        expected: &[("INVALID_ROLE", "--")],
    },
    Case {
        name: "an empty part in a role's name",
        uploads: |m| vec![vec![part("targets//app", m.first_targets())]],
        expected: &[("INVALID_ROLE", "--")],
    },
    Case {
        name: "a role's name of 256 bytes",
        uploads: |m| vec![vec![part(&format!("targets/{}", "a".repeat(248)), m.first_targets())]],
        expected: &[("INVALID_ROLE", "--")],
    },
    Case {
        name: "no JSON",
        uploads: |m| vec![vec![part("root", b"<html>".to_vec()), part("targets", m.first_targets())]],
        expected: &[("MALFORMED_JSON", "--")],
    },
    Case {
        name: "a version in quotes",
        uploads: |m| {
            vec![vec![
                part("root", root_with(m, &["version"], Some("1".into()))),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("MALFORMED_JSON", "--")],
    },
    Case {
        name: "a version with a fraction",
        uploads: |m| {
            vec![vec![
                part("root", replaced(&m.first_root(), "\"version\":1", "\"version\":1.0")),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("MALFORMED_JSON", "--")],
    },
    Case {
        name: "a date in lower case",
        uploads: |m| {
            let root = root_with(m, &["expires"], Some("2036-01-01t00:00:00z".into()));
            vec![vec![part("root", root), part("targets", m.first_targets())]]
        },
        expected: &[("MALFORMED_JSON", "--")],
    },
    Case {
        name: "a signature that is no base64",
        uploads: |m| {
            vec![vec![
                part("root", replaced(&m.first_root(), "\"sig\":\"", "\"sig\":\"*")),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("MALFORMED_JSON", "--")],
    },
    Case {
        name: "a type in lower case",
        uploads: |m| {
            vec![vec![
                part("root", root_with(m, &["_type"], Some("root".into()))),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot", "--")],
    },
    Case {
        name: "a root without the timestamp role",
        uploads: |m| {
            vec![vec![
                part("root", root_with(m, &["roles", "timestamp"], None)),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot", "--")],
    },
    Case {
        name: "a role that lists a key which is not there",
        uploads: |m| {
            let ids = vec![Json::Str("0".repeat(64))];
            vec![vec![
                part("root", root_with(m, &["roles", "targets", "keyids"], Some(ids.into()))),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("INVALID_UPDATE ErrBadRoot root type metadata invalid: key ID", "--")],
    },
    Case {
        name: "targets as root",
        uploads: |m| vec![vec![part("root", m.first_targets()), part("targets", m.first_targets())]],
        expected: &[("INVALID_UPDATE ErrBadRoot", "--")],
    },
    // What the server takes and nobody can read afterwards (notary-v1 3.6).
    Case {
        name: "poison: a line end after root",
        uploads: |m| {
            let mut root = m.first_root();
            root.push(b'\n');
            vec![vec![part("root", root), part("targets", m.first_targets())]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: a line end after targets",
        uploads: |m| {
            let mut targets = m.first_targets();
            targets.push(b'\n');
            vec![vec![part("root", m.first_root()), part("targets", targets)]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: a space in root",
        uploads: |m| {
            vec![vec![part("root", replaced(&m.first_root(), ":", ": ")), part("targets", m.first_targets())]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: an unknown member",
        uploads: |m| {
            vec![vec![
                part("root", root_with(m, &["spec_version"], Some("1.0.34".into()))),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: no consistent_snapshot",
        uploads: |m| {
            vec![vec![
                part("root", root_with(m, &["consistent_snapshot"], None)),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: no delegations",
        uploads: |m| {
            vec![vec![part("root", m.first_root()), part("targets", targets_with(m, &["delegations"], None))]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: a method in capitals",
        uploads: |m| {
            vec![vec![
                part("root", replaced(&m.first_root(), "\"ecdsa\",\"sig\"", "\"ECDSA\",\"sig\"")),
                part("targets", m.first_targets()),
            ]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "poison: an offset of zero hours",
        uploads: |m| {
            let root = root_with(m, &["expires"], Some("2036-01-01T00:00:00+00:00".into()));
            vec![vec![part("root", root), part("targets", m.first_targets())]]
        },
        expected: &[("ok", "--")],
    },
    Case {
        name: "no poison: an offset of two hours and nanoseconds",
        uploads: |m| {
            let root = root_with(m, &["expires"], Some("2036-01-01T00:00:00.123456789+02:00".into()));
            vec![vec![part("root", root), part("targets", m.first_targets())]]
        },
        expected: &[OK],
    },
    Case {
        name: "poison in one update is cured by the next",
        uploads: |m| {
            let mut targets = m.targets("targets", 2, &[10], &[]);
            targets.push(b'\n');
            vec![
                first(m),
                vec![part("targets", targets)],
                vec![part("targets", m.targets("targets", 3, &[10], &[]))],
            ]
        },
        expected: &[OK, ("ok", "--"), OK],
    },
];

/// The first root with other root keys.
pub fn root_with_keys(m: &Maker, keys: Vec<(String, Json)>, threshold: i64) -> Json {
    let root = Root { version: 1, keys: &[1, 2, 3], threshold: 2, signers: &[], targets: &[10] };
    let json = signed_json(&m.root_payload(&root));
    let ids: Vec<Json> = keys.iter().map(|(id, _)| Json::Str(id.clone())).collect();
    let mut all = json.get("keys").unwrap().as_object().unwrap().clone();
    all.retain(|id, _| !m.root_signers(&[1, 2, 3]).iter().any(|(root, _)| root.as_str() == id));
    all.extend(keys);
    let json = with(&json, &["keys"], Some(Json::Object(all)));
    let json = with(&json, &["roles", "root", "keyids"], Some(ids.into()));
    with(&json, &["roles", "root", "threshold"], Some(threshold.into()))
}
