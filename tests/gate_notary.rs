//! What the gate says of a change in profile `notary`, against what becomes of it in the field:
//! Debian's notary-server, and stock clients that stopped at each root, a fresh one, and a developer
//! who publishes with nothing else.
//!
//! Every change is brought out, the ones too that keyrite refuses to make: the documents come from
//! the library. A change does harm if the server refuses it, if a client that could read the
//! collection before can't after it or misses content, or if a developer can't publish any more. The
//! gate has to say no to exactly those, but for content that a revocation takes away on purpose,
//! which it tells. Where it says no to something that does no harm yet, the table says why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod collection;
mod field;
mod made;

use collection::cases::part;
use collection::server::{Server, now};
use collection::{Maker, days, file, key, signed_json, with};
use keyrite::ceremony::gate::{self, Report};
use keyrite::tuf::document::DocumentKey;
use keyrite::tuf::json::Json;
use keyrite::tuf::key::KeyId;
use keyrite::tuf::make::{self, RoleSpec};
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile::Notary;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire::{self, Envelope};
use made::keys::{self, TestKey};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A document and who signs it, under which id.
struct Document {
    payload: MetadataPayload,
    signers: Vec<(KeyId, TestKey)>,
}

impl Document {
    fn bytes(&self) -> Vec<u8> {
        file(&signed_json(&self.payload), &self.signers)
    }

    fn envelope(&self) -> Envelope {
        wire::parse(Notary, self.payload.role(), &self.bytes()).unwrap()
    }

    /// The same with its `signed` part spoiled, and signed as it then is.
    fn spoiled(self, edit: impl Fn(&Json) -> Json) -> Self {
        let bytes = file(&edit(&signed_json(&self.payload)), &self.signers);
        let read = wire::parse(Notary, self.payload.role(), &bytes).unwrap();
        Self { payload: read.payload().clone(), ..self }
    }
}

/// What happens before the change.
enum Step {
    /// Documents go up; a client of each new root reads them, and then sleeps.
    Up(Vec<Document>),
    /// The time comes.
    Comes(Time),
}

/// A root: its keys, each in a certificate until when.
struct Root<'a> {
    version: u64,
    keys: &'a [u8],
    until: Time,
    threshold: u32,
    targets: u8,
    expires: Time,
}

/// Two of these keys, everything valid for long.
fn root<'a>(m: &Maker, version: u64, keys: &'a [u8]) -> Root<'a> {
    let (until, expires) = (days(m.now, 3650), days(m.now, 700));
    Root { version, keys, until, threshold: 2, targets: TARGETS, expires }
}

const TARGETS: u8 = 10;
/// The developer: a P-256 key, which the stock client can have.
const DEVELOPER: u8 = 9;

impl Root<'_> {
    fn entries(&self, m: &Maker) -> Vec<DocumentKey> {
        self.keys.iter().map(|n| m.certified(*n, &m.collection, days(m.now, -1), self.until)).collect()
    }

    /// By these of its own keys, and these of other roots.
    fn by(&self, m: &Maker, own: &[u8], others: &[(&Root<'_>, &[u8])]) -> Document {
        let signers = |root: &Root<'_>, by: &[u8]| {
            let listed: Vec<_> = root.entries(m).into_iter().zip(root.keys.iter().copied()).collect();
            let signs = listed.into_iter().filter(|(_, n)| by.contains(n));
            signs.map(|(entry, n)| (entry.id, n)).collect::<Vec<_>>()
        };
        let mut all: BTreeMap<_, _> = signers(self, own).into_iter().collect();
        all.extend(others.iter().flat_map(|(root, by)| signers(root, by)));
        let signers = all.into_iter().map(|(id, n)| (id, key(n))).collect();
        Document { payload: self.payload(m), signers }
    }

    fn payload(&self, m: &Maker) -> MetadataPayload {
        let shape = collection::Root {
            version: self.version,
            keys: &[1, 2],
            threshold: 1,
            signers: &[],
            targets: &[self.targets],
        };
        let mut spec = m.root_spec(&shape);
        spec.root = RoleSpec { keys: self.entries(m), threshold: made::threshold(self.threshold) };
        spec.expires = self.expires;
        make::root(Notary, &spec, None).unwrap()
    }
}

/// Targets that grant the application to these keys.
fn targets(m: &Maker, version: u64, signer: u8, app: &[u8], need: u32) -> Document {
    let edits = [Maker::put("top"), m.grant("targets/app", app, need, &["app/"])];
    Document { payload: m.targets_payload("targets", version, &edits), signers: m.signers(&[signer]) }
}

fn app(m: &Maker, version: u64, signers: &[u8]) -> Document {
    let edits = [Maker::put("app/x")];
    Document { payload: m.targets_payload("targets/app", version, &edits), signers: m.signers(signers) }
}

/// The first day: root 1 by `keys`, whose certificates end then; an application with content.
fn day_one(m: &Maker, keys: &[u8], until: Time) -> Vec<Step> {
    let root = Root { until, ..root(m, 1, keys) };
    vec![
        Step::Up(vec![root.by(m, keys, &[]), targets(m, 1, TARGETS, &[DEVELOPER, 30], 1)]),
        Step::Up(vec![app(m, 1, &[30])]),
    ]
}

fn begun(m: &Maker) -> Vec<Step> {
    day_one(m, &[1, 2, 3], days(m.now, 3650))
}

/// What the gate is asked, and what it and the field say.
struct Case {
    name: &'static str,
    history: fn(&Maker) -> Vec<Step>,
    change: fn(&Maker) -> Vec<Document>,
    /// What stops it, else `ok`.
    stops: &'static str,
    /// Whether content vanishes on purpose, which is told.
    told: &'static [&'static str],
    /// Where the gate stops what does no harm yet: why.
    stricter: Option<&'static str>,
    /// The roots from which clients come to the new state.
    roots: &'static [u64],
}

const ONE: Case = Case {
    name: "",
    history: begun,
    change: |_| Vec::new(),
    stops: "ok",
    told: &[],
    stricter: None,
    roots: &[1],
};

const CASES: &[Case] = &[
    Case {
        name: "one key replaced",
        change: |m| vec![root(m, 2, &[1, 2, 4]).by(m, &[1, 2, 4], &[(&root(m, 1, &[1, 2, 3]), &[3])])],
        ..ONE
    },
    Case {
        name: "every key replaced",
        change: |m| vec![root(m, 2, &[4, 5, 6]).by(m, &[4, 5, 6], &[(&root(m, 1, &[1, 2, 3]), &[1, 2])])],
        ..ONE
    },
    Case {
        name: "every key replaced, three times: nobody jumps, everybody walks",
        history: |m| {
            let (one, two) = (root(m, 1, &[1, 2, 3]), root(m, 2, &[4, 5, 6]));
            let mut steps = begun(m);
            steps.push(Step::Up(vec![two.by(m, &[4, 5], &[(&one, &[1, 2])])]));
            steps.push(Step::Up(vec![root(m, 3, &[7, 8, 101]).by(m, &[7, 8, 101], &[(&two, &[4, 5])])]));
            steps
        },
        change: |m| {
            let three = root(m, 3, &[7, 8, 101]);
            vec![root(m, 4, &[1, 2, 100]).by(m, &[1, 2, 100], &[(&three, &[7, 8])])]
        },
        roots: &[1, 2, 3],
        ..ONE
    },
    Case {
        name: "too few of the old keys",
        change: |m| vec![root(m, 2, &[4, 5, 6]).by(m, &[4, 5, 6], &[(&root(m, 1, &[1, 2, 3]), &[1])])],
        stops: "CLIENT-BACKEND",
        ..ONE
    },
    Case {
        name: "too few of the new keys",
        change: |m| vec![root(m, 2, &[4, 5, 6]).by(m, &[4], &[(&root(m, 1, &[1, 2, 3]), &[1, 2, 3])])],
        stops: "CLIENT-BACKEND",
        ..ONE
    },
    Case {
        name: "a version left out",
        change: |m| vec![root(m, 3, &[1, 2, 4]).by(m, &[1, 2, 4], &[])],
        stops: "CLIENT-BACKEND",
        ..ONE
    },
    Case {
        name: "a root that has expired",
        change: |m| {
            let late = Root { expires: days(m.now, -1), ..root(m, 2, &[1, 2, 4]) };
            vec![late.by(m, &[1, 2, 4], &[])]
        },
        stops: "CLIENT-BACKEND",
        ..ONE
    },
    Case {
        name: "certificates that have expired",
        change: |m| {
            let ended = Root { until: Time::from_unix(m.now.unix() - 60).unwrap(), ..root(m, 2, &[4, 5, 6]) };
            vec![ended.by(m, &[4, 5, 6], &[(&root(m, 1, &[1, 2, 3]), &[1, 2, 3])])]
        },
        stops: "CLIENT-BACKEND",
        ..ONE
    },
    Case {
        name: "a key id that is not the key's",
        change: |m| {
            let good = root(m, 2, &[1, 2, 4]).by(m, &[1, 2, 4], &[]);
            let id = m.plain(TARGETS).id.as_str().to_owned();
            let other = "0".repeat(64);
            vec![good.spoiled(|json| {
                let text = String::from_utf8(json.canonical()).unwrap().replace(&id, &other);
                Json::parse(text.as_bytes()).unwrap()
            })]
        },
        // The server doesn't look at keys that sign nothing of the upload.
        stops: "CLIENT-CHILD",
        roots: &[],
        ..ONE
    },
    Case {
        name: "the targets key replaced in root alone",
        change: |m| vec![Root { targets: 11, ..root(m, 2, &[1, 2, 3]) }.by(m, &[1, 2, 3], &[])],
        stops: "CLIENT-CHILD",
        roots: &[],
        ..ONE
    },
    Case {
        name: "the targets key replaced, and targets signed again",
        change: |m| {
            let root = Root { targets: 11, ..root(m, 2, &[1, 2, 3]) }.by(m, &[1, 2, 3], &[]);
            vec![root, targets(m, 2, 11, &[DEVELOPER, 30], 1)]
        },
        ..ONE
    },
    Case {
        name: "a delegation whose threshold nobody has met",
        change: |m| vec![targets(m, 2, TARGETS, &[DEVELOPER, 30], 2)],
        stops: "CLIENT-CHILD",
        ..ONE
    },
    Case {
        name: "a developer revoked, whose content nobody signs again",
        change: |m| vec![targets(m, 2, TARGETS, &[DEVELOPER], 1)],
        told: &["CLIENT-CHILD"],
        ..ONE
    },
    Case {
        name: "a developer revoked, and the content signed again",
        change: |m| vec![targets(m, 2, TARGETS, &[DEVELOPER], 1), app(m, 2, &[DEVELOPER])],
        ..ONE
    },
    Case {
        name: "the content of an application signed by nobody who may",
        change: |m| vec![app(m, 2, &[31])],
        stops: "CLIENT-CHILD",
        ..ONE
    },
    Case {
        name: "five months of root left: developers publish nothing any more",
        change: |m| {
            let soon = Root { expires: days(m.now, 150), ..root(m, 2, &[1, 2, 4]) };
            vec![soon.by(m, &[1, 2, 4], &[])]
        },
        stops: "CLIENT-DEADLINE",
        ..ONE
    },
    Case {
        name: "seven months of root left",
        change: |m| {
            let later = Root { expires: days(m.now, 214), ..root(m, 2, &[1, 2, 4]) };
            vec![later.by(m, &[1, 2, 4], &[])]
        },
        ..ONE
    },
    Case {
        name: "certificates of five months",
        change: |m| {
            let short = Root { until: days(m.now, 150), ..root(m, 2, &[4, 5, 6]) };
            vec![short.by(m, &[4, 5, 6], &[(&root(m, 1, &[1, 2, 3]), &[1, 2, 3])])]
        },
        stops: "CLIENT-DEADLINE",
        stricter: Some("all is well until they end, and then nothing can be mended any more"),
        ..ONE
    },
    Case {
        name: "one key in two certificates makes a threshold",
        change: |m| {
            let two = root(m, 2, &[4, 5]);
            let twice = m.certified(4, &m.collection, days(m.now, -2), two.until);
            let mut document = two.by(m, &[4], &[(&root(m, 1, &[1, 2, 3]), &[1, 2])]);
            let id = twice.id.as_str().to_owned();
            document = document.spoiled(|json| {
                let keys = with(json, &["keys", &id], Some(twice.entry.clone()));
                let ids = two.entries(m).into_iter().map(|entry| Json::from(entry.id.as_str()));
                let ids = ids.chain([Json::from(id.as_str())]).collect::<Vec<_>>();
                with(&keys, &["roles", "root", "keyids"], Some(Json::Array(ids)))
            });
            document.signers.push((twice.id, key(4)));
            vec![document]
        },
        stops: "CLIENT-LOST",
        stricter: Some("who has that one key has the whole threshold: stock clients count certificates"),
        ..ONE
    },
    Case {
        name: "a date that the server writes otherwise",
        change: |m| {
            let root = root(m, 2, &[1, 2, 4]).by(m, &[1, 2, 4], &[]);
            vec![root.spoiled(|json| with(json, &["expires"], Some("2028-06-01T00:00:00+00:00".into())))]
        },
        stops: "NOTARY-BYTES",
        roots: &[],
        ..ONE
    },
    Case {
        name: "a date with nanoseconds and an offset of two hours, which it doesn't",
        change: |m| {
            let date = "2028-06-01T00:00:00.123456789+02:00";
            let root = root(m, 2, &[1, 2, 4]).by(m, &[1, 2, 4], &[]);
            vec![root.spoiled(|json| with(json, &["expires"], Some(date.into())))]
        },
        ..ONE
    },
    Case {
        name: "a grant where all is well",
        change: |m| {
            let edits = [
                Maker::put("top"),
                m.grant("targets/app", &[DEVELOPER, 30], 1, &["app/"]),
                m.grant("targets/new", &[31], 1, &["new/"]),
            ];
            vec![Document {
                payload: m.targets_payload("targets", 2, &edits),
                signers: m.signers(&[TARGETS]),
            }]
        },
        ..ONE
    },
    Case {
        name: "a version of targets that is there already",
        change: |m| vec![targets(m, 1, TARGETS, &[DEVELOPER, 30, 31], 1)],
        stops: "CLIENT-BACKEND",
        ..ONE
    },
];

/// How long certificates last that end in the middle of a case, in seconds: its uploads fit in.
const SHORT: i64 = 25;

fn soon(m: &Maker) -> Time {
    Time::from_unix(m.now.unix() + SHORT).unwrap()
}

/// Root 2's certificates end while clients of root 1 sleep; root 3 is signed by root 1's keys too.
fn behind(m: &Maker) -> Vec<Step> {
    let one = root(m, 1, &[1, 2, 3]);
    let two = Root { until: soon(m), ..root(m, 2, &[4, 5, 6]) };
    let three = root(m, 3, &[7, 8, 101]);
    let mut steps = begun(m);
    steps.push(Step::Up(vec![two.by(m, &[4, 5, 6], &[(&one, &[1, 2, 3])])]));
    steps.push(Step::Up(vec![three.by(m, &[7, 8, 101], &[(&two, &[4, 5, 6]), (&one, &[1, 2, 3])])]));
    steps.push(Step::Comes(soon(m)));
    steps
}

/// Cases in which something ends meanwhile.
const ENDING: &[Case] = &[
    Case {
        name: "keys of root 1 sign on: its clients jump over the root that nobody can pass",
        history: behind,
        change: |m| {
            let (one, three) = (root(m, 1, &[1, 2, 3]), root(m, 3, &[7, 8, 101]));
            vec![root(m, 4, &[7, 8, 102]).by(m, &[7, 8, 102], &[(&three, &[101]), (&one, &[1, 2])])]
        },
        // Clients of root 2 were lost when its certificates ended.
        told: &["CLIENT-LOST"],
        roots: &[1, 3],
        ..ONE
    },
    Case {
        name: "keys of root 1 sign no more: its clients are lost",
        history: behind,
        change: |m| {
            let three = root(m, 3, &[7, 8, 101]);
            vec![root(m, 4, &[7, 8, 102]).by(m, &[7, 8, 102], &[(&three, &[101])])]
        },
        stops: "CLIENT-LOST",
        told: &["CLIENT-LOST"],
        roots: &[3],
        ..ONE
    },
    Case {
        name: "one key of root 1 signs on, and its threshold is two",
        history: behind,
        change: |m| {
            let (one, three) = (root(m, 1, &[1, 2, 3]), root(m, 3, &[7, 8, 101]));
            vec![root(m, 4, &[7, 8, 102]).by(m, &[7, 8, 102], &[(&three, &[101]), (&one, &[1])])]
        },
        stops: "CLIENT-LOST",
        told: &["CLIENT-LOST"],
        roots: &[3],
        ..ONE
    },
    Case {
        name: "every certificate has ended: nothing is taken any more",
        history: |m| {
            let mut steps = day_one(m, &[1, 2, 3], soon(m));
            steps.push(Step::Comes(soon(m)));
            steps
        },
        change: |m| {
            let one = Root { until: soon(m), ..root(m, 1, &[1, 2, 3]) };
            vec![root(m, 2, &[4, 5, 6]).by(m, &[4, 5, 6], &[(&one, &[1, 2, 3])])]
        },
        stops: "CLIENT-BACKEND",
        roots: &[],
        ..ONE
    },
];

/// A collection on the server, in the middle of a case.
struct Field<'a> {
    server: &'a Server,
    collection: String,
    /// A client of each root, asleep since it read that root's state.
    asleep: BTreeMap<u64, PathBuf>,
}

impl Field<'_> {
    fn dir(&self, name: &str) -> PathBuf {
        self.server.dir.join(format!("{}-{name}", self.collection.replace('/', "-")))
    }

    fn uploads(&self, documents: &[Document]) -> String {
        let parts: Vec<_> = documents.iter().map(|d| part(d.payload.role().as_str(), d.bytes())).collect();
        self.server.upload(&self.collection, &parts)
    }

    fn lists(&self, client: &Path) -> Option<BTreeSet<String>> {
        self.server.listed(&self.collection, client)
    }

    /// Whether a developer, who never had anything to do with this collection, publishes.
    fn publishes(&self) -> bool {
        let (own, file) = (self.dir("developer"), self.dir("release"));
        std::fs::write(&file, "release").unwrap();
        let TestKey::P256(secret) = key(DEVELOPER) else { unreachable!() };
        // SEC 1 without the public half (RFC 5915).
        let mut der = vec![0x30, 0x31, 2, 1, 1, 4, 0x20];
        der.extend(secret.to_bytes());
        der.extend([0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
        let pem = self.dir("developer.pem");
        std::fs::write(&pem, pem::encode(&pem::Pem::new("EC PRIVATE KEY", der))).unwrap();
        let import = ["key", "import", pem.to_str().unwrap(), "--role", "targets/app"];
        let imported = self.server.notary(&own, &import);
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let add = ["add", &self.collection, "app/y", file.to_str().unwrap(), "-r", "targets/app", "-p"];
        self.server.notary(&own, &add).status.success()
    }
}

/// What stops a change, else `ok`; what is told; from which roots clients come.
fn said(report: keyrite::tuf::rule::Result<Report>) -> (&'static str, Vec<&'static str>, Vec<u64>) {
    let report = match report {
        Ok(report) => report,
        Err(refusal) => return (refusal.rule().name, Vec::new(), Vec::new()),
    };
    let stops = report.check().map_or_else(|e| e.rule().name, |()| "ok");
    let told = report.findings.iter().filter(|f| !f.stops).map(|f| f.refusal.rule().name).collect();
    (stops, told, report.reached.into_iter().flat_map(|(_, roots)| roots).collect())
}

fn run(server: &Server, number: usize, case: &Case) {
    let name = case.name;
    let mut field =
        Field { server, collection: format!("updates.example.com/gate-{number}"), asleep: BTreeMap::new() };
    let m = Maker {
        collection: field.collection.clone(),
        now: now(),
        snapshot: server.key(&field.collection, "snapshot"),
        timestamp: server.key(&field.collection, "timestamp"),
    };
    let mut known = Vec::new();
    for step in (case.history)(&m) {
        match step {
            Step::Up(documents) => {
                assert_eq!(field.uploads(&documents), "ok", "{name}");
                // The application comes after the first root, which its client waits for.
                let root = documents.iter().find(|d| *d.payload.role() == RoleName::Root);
                known.extend(documents.iter().map(Document::envelope));
                let version = root.map_or(1, |root| root.payload.version());
                let client = field.dir(&format!("root-{version}"));
                assert!(field.lists(&client).is_some(), "{name}: root {version}");
                field.asleep.insert(version, client);
            }
            Step::Comes(time) => {
                while now() <= time {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                }
            }
        }
    }
    // What each could read before: a copy is woken, the client itself sleeps on.
    let mut before = BTreeMap::new();
    for (version, client) in &field.asleep {
        let copy = field.dir(&format!("copy-{version}"));
        let copied = std::process::Command::new("cp").arg("-r").args([client, &copy]).status().unwrap();
        assert!(copied.success());
        before.insert(*version, field.lists(&copy));
    }
    let before_fresh = field.lists(&field.dir("fresh-before"));

    let made = (case.change)(&m);
    let facts = field::facts(Notary, &m.collection, now(), &known);
    let documents: Vec<_> =
        made.iter().map(|d| (&d.payload, d.signers.iter().map(|(_, key)| key.public()).collect())).collect();
    let change = field::change(&facts, &documents);
    let planned = said(gate::planned(&change, &facts));
    let files: BTreeMap<_, _> = made.iter().map(|d| (d.payload.role().clone(), d.bytes())).collect();
    let sealed = said(gate::sealed(&change, &facts, &files));
    assert_eq!(planned, sealed, "{name}: what was planned is what came");
    let (stops, told, reached) = planned;
    assert_eq!((stops, told.as_slice()), (case.stops, case.told), "{name}");

    let answer = field.uploads(&made);
    let after: BTreeMap<_, _> = field.asleep.iter().map(|(v, client)| (*v, field.lists(client))).collect();
    let fresh = field.lists(&field.dir("fresh"));
    let misses = |was: &Option<BTreeSet<String>>, is: &Option<BTreeSet<String>>| match (was, is) {
        (Some(was), Some(is)) => !was.is_subset(is),
        (Some(_), None) => true,
        (None, _) => false,
    };
    let vanishes = after.iter().any(|(v, is)| misses(&before[v], is)) || misses(&before_fresh, &fresh);
    let on_purpose = case.stops == "ok" && case.told == ["CLIENT-CHILD"];
    let blocked = !field.publishes();
    let harm = answer != "ok" || ((vanishes || blocked) && !on_purpose);
    let found = format!(
        "{name}: server {answer}, before {before:?}, after {after:?}, fresh {fresh:?}, blocked {blocked}"
    );
    assert_eq!(case.stricter.is_some(), case.stops != "ok" && !harm, "{found}");
    assert!(case.stops != "ok" || !harm, "{found}");
    // Content that nobody has signed again is gone, and developers can't publish over it: that much
    // the gate tells.
    assert_eq!([on_purpose; 2], [vanishes, blocked].map(|is| case.stops == "ok" && is), "{found}");

    // Who comes: both say the same, root by root, and so does a fresh client.
    let arrived: Vec<_> = after.iter().filter(|(_, is)| is.is_some()).map(|(v, _)| *v).collect();
    if answer == "ok" {
        assert_eq!(arrived, case.roots, "{found}");
        assert_eq!(fresh.is_some(), !case.roots.is_empty(), "{found}");
        if stops != "CLIENT-CHILD" && stops != "NOTARY-BYTES" && case.stricter.is_none() {
            let known: Vec<_> = reached.into_iter().filter(|v| field.asleep.contains_key(v)).collect();
            assert_eq!(known, case.roots, "{found}: the gate");
        }
    }
}

#[test]
fn the_gate_says_no_to_what_harms_the_field_and_to_nothing_else() {
    let server = Server::up("gate-notary");
    let one =
        |(number, case): (usize, &Case)| std::panic::catch_unwind(|| run(&server, number, case)).is_err();
    let failed = CASES.iter().enumerate().filter(|case| one(*case));
    assert_eq!(failed.map(|(_, case)| case.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// One after the other their certificates would take too long to end.
#[test]
fn the_gate_and_the_field_agree_when_certificates_have_ended() {
    let server = Server::up("gate-ending");
    std::thread::scope(|scope| {
        let (server, mut running) = (&server, Vec::new());
        for (number, case) in ENDING.iter().enumerate() {
            running.push(scope.spawn(move || run(server, number, case)));
        }
        let failed = running.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err);
        assert_eq!(failed.count(), 0);
    });
}

/// Fresh clients that pin: with the ids that the gate names, beside the old ones while the root is
/// still to come, nobody is turned away, before it goes up or after.
#[test]
fn what_the_gate_says_to_pin_lets_fresh_clients_in() {
    let server = Server::up("gate-pins");
    let collection = "updates.example.com/pins".to_owned();
    let m = Maker {
        collection: collection.clone(),
        now: now(),
        snapshot: server.key(&collection, "snapshot"),
        timestamp: server.key(&collection, "timestamp"),
    };
    let field = Field { server: &server, collection, asleep: BTreeMap::new() };
    let mut files = Vec::new();
    for step in begun(&m) {
        let Step::Up(documents) = step else { continue };
        assert_eq!(field.uploads(&documents), "ok");
        files.extend(documents.iter().map(Document::envelope));
    }
    let facts = field::facts(Notary, &m.collection, now(), &files);
    let one: Vec<_> = root(&m, 1, &[1, 2, 3]).entries(&m).into_iter().map(|entry| entry.id).collect();
    let standing = gate::standing(&facts).unwrap();
    assert!(!standing.to_come);
    assert_eq!(BTreeSet::from_iter(standing.pins.clone()), BTreeSet::from_iter(one.clone()));

    let two = root(&m, 2, &[1, 4, 5]).by(&m, &[1, 4, 5], &[(&root(&m, 1, &[1, 2, 3]), &[2, 3])]);
    let asked = two.signers.iter().map(|(_, key)| key.public()).collect();
    let report = gate::planned(&field::change(&facts, &[(&two.payload, asked)]), &facts).unwrap();
    let lines = report.lines().join("\n");
    assert!(lines.contains("publish these ids before it goes up, beside the old ones"), "{lines}");
    let (old, new) = (one, report.pins);
    assert!(new.iter().all(|id| lines.contains(id.as_str())));
    assert_eq!(new.last(), old.first(), "the one that both list comes last");

    let enters = |name: &str, pins: &[&[KeyId]]| {
        let client = field.dir(name);
        std::fs::create_dir_all(&client).unwrap();
        let ids: Vec<_> = pins.iter().copied().flatten().map(KeyId::as_str).collect();
        let config = serde_json::json!({
            "trust_pinning": { "certs": { m.collection.clone(): ids }, "disable_tofu": true }
        });
        let file = client.join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let list = ["-c", file.to_str().unwrap(), "list", &m.collection];
        server.notary(&client, &list).status.success()
    };
    // Who pins what, and whether they come in before root 2 goes up, and after.
    let table: [(&str, &[&[KeyId]], bool, bool); 3] = [
        ("the old ids alone", &[&old], true, false),
        ("the new ids alone", &[&new], false, true),
        ("both", &[&old, &new], true, true),
    ];
    for (place, (who, pins, before, _)) in table.iter().enumerate() {
        assert_eq!(enters(&format!("before-{place}"), pins), *before, "{who}");
    }
    assert_eq!(field.uploads(&[two]), "ok");
    for (place, (who, pins, before, after)) in table.iter().enumerate() {
        assert_eq!(enters(&format!("after-{place}"), pins), *after, "{who}");
        if *before {
            assert!(enters(&format!("before-{place}"), pins), "{who}, who was there before");
        }
    }
}
