//! A collection that the stock client made on Debian's notary-server is adopted and goes on by our
//! rules, on that same server, signed by the very key files that the stock client wrote.
//!
//! Who was there before loses nothing: the old developer publishes on as ever, and a client of the
//! first hour follows root after root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod server;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::record::adopt::{History, listed};
use keyrite::record::manifest::Manifest;
use keyrite::record::upload::Upload;
use keyrite::record::{Media, Record};
use keyrite::tuf::chain;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire;
use serde_json::json;
use server::{Backend, publishes, same_bytes, take_published, upload, uploads};
use stage::{Devices, Done, Stage, brought, shell, shipped, today, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const COLLECTION: &str = "updates.example.com/apps";
const OLD: &str = "targets/old";
const CAMERA: &str = "targets/camera-station";
const PEOPLE: &str = "[people]\nada = \"administrator\"\numa = \"custodian\"\nwim = \"witness\"\n";

/// What the stock client does by itself: a collection, its snapshot key moved to the server, a
/// delegation to olga and her first release.
fn by_the_stock_client(stage: &Stage, backend: &Backend, owner: &Path, olga: &Path) {
    let top = stage.write("top.bin", "a release of the collection's own key");
    let release = stage.write("old-1.bin", "olga's first release");
    let made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
         -subj /CN=olga -keyout olga.key -out olga.crt 2>&1";
    shell(&stage.dir, made, &[]).ended(0);
    let [key, certificate] = ["olga.key", "olga.crt"].map(|name| stage.path(name));
    let delegation = ["delegation", "add", COLLECTION, OLD, utf8(&certificate), "--paths", "old/", "-p"];
    let lines: [(&Path, &[&str]); 6] = [
        (owner, &["init", COLLECTION, "--publish"]),
        (owner, &["key", "rotate", COLLECTION, "snapshot", "-r"]),
        (owner, &["add", COLLECTION, "top.bin", utf8(&top), "--publish"]),
        (owner, &delegation),
        (olga, &["key", "import", utf8(&key), "--role", OLD]),
        (olga, &["add", COLLECTION, "old/1.bin", utf8(&release), "-r", OLD, "--publish"]),
    ];
    for (folder, line) in lines {
        backend.client(folder, line).ended(0);
    }
}

/// Everything that the server serves, as a person fetches it.
fn published(stage: &Stage, backend: &Backend) -> PathBuf {
    let folder = stage.path("published");
    fs::create_dir_all(folder.join("targets")).unwrap();
    for name in ["1.root", "2.root", "root", "targets", "snapshot", "timestamp", OLD] {
        let line =
            format!("curl -sS --fail -o {name}.json {}/v2/{COLLECTION}/_trust/tuf/{name}.json", backend.url);
        backend.types(&folder, &line);
    }
    folder
}

/// What the administrator answers: the root that they know, and who holds which key.
fn answers(from: &Path) -> String {
    let history = History::look(&Media::open(from).unwrap()).unwrap();
    let root = history.chain.latest();
    let bytes = fs::read(from.join("targets.json")).unwrap();
    let targets = wire::parse(Profile::Notary, &RoleName::Targets, &bytes).unwrap();
    let targets = chain::accept(root, &RoleName::Targets, targets, None).unwrap();
    let mut text = format!(
        "[answers]\nroot = \"{}\"\nstage = \"production\"\ncollection = \"{COLLECTION}\"\n\
         administrator = \"ada\"\ntoday = \"{}\"\n",
        root.payload().digest(),
        today()
    );
    for key in listed(root, [targets].iter()) {
        let short: String = key.key.public.unwrap().identity().to_string().chars().take(16).collect();
        let who = match key.roles[0].as_str() {
            "root" => "root-1 uma file",
            "targets" => "targets-1 ada file",
            "snapshot" => "backend-snapshot backend",
            "timestamp" => "backend-timestamp backend",
            _ => "dev-olga olga",
        };
        writeln!(text, "key.{short} = \"{who}\"").unwrap();
    }
    text
}

/// The file in the stock client's folder of private keys that has this role in its header.
fn key_file(owner: &Path, role: &str) -> PathBuf {
    let mut files = fs::read_dir(owner.join("private")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| fs::read_to_string(path).unwrap().contains(&format!("role: {role}\n"))).unwrap()
}

/// Holds a ceremony to its end; the folders that are to go up.
fn hold(stage: &Stage, devices: &Path, runbook: &Path) -> Vec<String> {
    uploads(&stage.hold(devices, runbook).1.ended(0).json())
}

fn runbook(stage: &Stage, ceremony: &str, tables: &str) -> PathBuf {
    let text = format!("ceremony = \"{ceremony}\"\ntitle = \"By {ceremony}\"\n{PEOPLE}{tables}");
    stage.write(&format!("{ceremony}.toml"), &text)
}

/// Holds one whose document the server takes as it is, and serves.
fn goes_up(stage: &Stage, backend: &Backend, devices: &Path, runbook: &Path, roles: &[&str]) -> PathBuf {
    let done = hold(stage, devices, runbook);
    assert_eq!(done.len(), 1, "{done:?}");
    let carried = upload(stage, backend, &done[0]);
    same_bytes(backend, COLLECTION, &carried, roles);
    comes_in(stage, backend, &carried);
    carried
}

/// What the server serves now comes into the record, all of it; the places of what was new.
fn comes_in(stage: &Stage, backend: &Backend, carried: &Path) -> String {
    let _ = fs::remove_dir_all(carried.join("published"));
    let report = take_published(stage, backend, carried);
    assert_eq!(report["left"], json!([]), "{report}");
    report["taken"].to_string()
}

/// New keys: three of root on tokens, and dana's.
fn keys<'a>(stage: &Stage, devices: Devices<'a>) -> Devices<'a> {
    let (_, enrolment) = stage.developer("dana");
    let mut devices = devices.enrol("dev-dana", &enrolment);
    let mut tables = String::new();
    for (key, holder) in [("root-2", "bruno"), ("root-3", "carla"), ("root-4", "dora")] {
        devices = devices.on_token(key, &stage.token(key));
        writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"root\"").unwrap();
    }
    let map = devices.write("laptop-keys.toml");
    hold(stage, &map, &runbook(stage, "generate-key", &tables));
    let dana = "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n";
    hold(stage, &map, &runbook(stage, "enroll-key", dana));
    devices
}

#[test]
fn a_collection_of_the_stock_client_goes_on_by_ceremonies() {
    let limits = Limits::default_for(Profile::Notary);
    let mut stage = Stage::new("adopt-notary", Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, "signer");
    let (owner, olga) = (stage.path("owner"), stage.path("olga"));
    by_the_stock_client(&stage, &backend, &owner, &olga);

    // The stage's own record gives way to the adopted one.
    fs::remove_dir_all(&stage.record).unwrap();
    let from = published(&stage, &backend);
    let answers = stage.write("adopt.toml", &answers(&from));
    let adopt = ["--json", "adopt", utf8(&from), "--into", utf8(&stage.record)];
    let adopt = [&adopt[..], &["--answers", utf8(&answers), "--unattended"]].concat();
    let report = stage.keyrite(adopt).ended(0).json();
    assert_eq!((&report["roots"], &report["left"]), (&json!(2), &json!([])), "{report}");
    let names = ["backend-snapshot", "backend-timestamp", "dev-olga", "root-1", "targets-1"];
    assert_eq!(report["keys"], json!(names), "{report}");
    stage.trust = Record::open(&stage.record).unwrap().trust().clone();
    let next =
        || stage.keyrite(["-C", utf8(&stage.record), "--json", "status"]).ended(0).json()["next"].to_string();
    assert!(next().contains("run ceremonies/adopted "), "{}", next());

    // The stock client's key files sign as they are; root and head are those that adopt wrote down.
    let head = report["head"].as_str().unwrap();
    let devices = stage
        .devices()
        .backend(&backend.url)
        .in_file("root-1", utf8(&key_file(&owner, "root")))
        .in_file("targets-1", utf8(&key_file(&owner, "targets")));
    let devices = devices.head(head).knowing(&stage.root());
    assert_eq!(hold(&stage, &devices.write("bind.toml"), &shipped("adopted/01-limits.toml")), [""; 0]);
    // Both go on signing, and nothing refuses it: status says so, and what puts an end to it.
    let page = || stage.keyrite(["-C", utf8(&stage.record), "status"]).ended(0).text();
    let flat = page().split_whitespace().collect::<Vec<_>>().join(" ");
    for (key, role) in [("root-1 of uma", "root"), ("targets-1 of ada", "targets")] {
        let words = format!(
            "{key} is kept in a file, where limits want a token: it goes on signing {role} until another takes its place"
        );
        assert!(flat.contains(&words), "{words}: {flat}");
    }
    let ways = |way: &str| next().contains(&format!("guide {way}    puts a key on a token"));
    assert!(ways("change-root") && ways("targets-key"), "{}", next());

    // One root key in a file, which our rules allow no root to list, becomes two of three on tokens.
    let devices = keys(&stage, devices);
    let map = devices.write("rotate.toml");
    let rotate =
        "[root]\nadd = [\"root-2\", \"root-3\", \"root-4\"]\nthreshold = 2\nvalid-for = \"2 years\"\n";
    let stays = runbook(&stage, "rotate-root", rotate);
    let refused = stage.on(&stage.record, &map, &["plan", utf8(&stays)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "KEY-SOFTWARE", "{refused}");
    let rotate = runbook(&stage, "rotate-root", &format!("{rotate}remove = [\"root-1\"]\n"));
    goes_up(&stage, &backend, &map, &rotate, &["root"]);
    assert_eq!(stage.root().0, 3);
    assert!(!ways("change-root") && ways("targets-key"), "{}", next());

    // A delegation by our rules, and a release through it with the stock client alone.
    let devices = devices.knowing(&stage.root()).write("grant.toml");
    let grant = "[delegation]\napplication = \"camera-station\"\nkeys = [\"dev-dana\"]\nthreshold = 1\n\
         paths = [\"camera-station/\"]\nvalid-for = \"1 year\"\n[delegator]\nvalid-for = \"1 year\"\n";
    let grant = runbook(&stage, "grant-delegation", grant);
    let carried = goes_up(&stage, &backend, &devices, &grant, &["targets"]);
    publishes(&stage, &backend, "dana", CAMERA, "camera-station/firmware-1.bin");

    // Olga goes on as ever, and both documents come in: dana's first and olga's second.
    let release = stage.write("old-2.bin", "olga's second release");
    backend.client(&olga, &["add", COLLECTION, "old/2.bin", utf8(&release), "-r", OLD, "-p"]).ended(0);
    let taken = comes_in(&stage, &backend, &carried);
    for place in ["targets%2Fcamera-station/1.", "targets%2Fold/2.", "snapshot/", "timestamp/"] {
        assert!(taken.contains(&format!("\"metadata/{place}")), "{place} in {taken}");
    }
    // The lines that status prints do the same.
    let status = stage.on(&stage.record, &devices, &["status"]).ended(0).json();
    let lines = status["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let lines: Vec<&str> =
        lines.filter(|l| l.contains("curl -K") || l.contains("import published")).collect();
    let typed: Vec<&str> = lines.iter().map(|line| line.split_once("    ").unwrap().0).collect();
    assert_eq!(typed.len(), 2, "{status}");
    let elsewhere = stage.path("asked-again");
    fs::create_dir_all(&elsewhere).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_keyrite")).parent().unwrap();
    backend.types(&elsewhere, &format!("PATH='{}':$PATH\n{}", utf8(program), typed.join("\n")));
    for name in ["root", "targets", OLD, CAMERA] {
        let [again, before] =
            [&elsewhere, &carried].map(|at| fs::read(at.join(format!("published/{name}.json"))));
        assert_eq!(again.unwrap(), before.unwrap(), "{name}");
    }
    no_other_backend_is_asked(&stage, &devices, &backend.url, lines[0]);
    // One byte of dana's document is another: it stays outside.
    let dana = fs::read_to_string(carried.join("published/targets/camera-station.json")).unwrap();
    assert!(dana.contains("\"version\":1"), "{dana}");
    stage.write("forged/targets/camera-station.json", &dana.replace("\"version\":1", "\"version\":2"));
    let forged = stage.path("forged");
    let refused =
        stage.keyrite(["-C", utf8(&stage.record), "--json", "import", utf8(&forged)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "ROLE-THRESHOLD", "{refused}");

    let releases = ["top.bin", "old/1.bin", "old/2.bin", "camera-station/firmware-1.bin"];
    for client in [stage.path("fresh"), owner] {
        let text = backend.client(&client, &["list", COLLECTION]).ended(0).text();
        let seen = text.lines().filter(|line| line.contains(" targets")).count();
        assert!(seen == releases.len() && releases.iter().all(|name| text.contains(name)), "{text}");
    }

    assert!(!next().contains("adopted"), "{}", next());

    // Everything verifies, also from FORMAT.md alone.
    let verified = stage.verify().ended(0).json();
    assert_eq!((&verified["problems"], &verified["roots"]), (&json!([]), &json!(3)), "{verified}");
    let (version, payload) = stage.root();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify_record.py");
    let mut python = Command::new(brought("test-venv").join("bin/python"));
    python.arg(script).arg(&stage.record).args(["--anchor", &format!("{version}:{payload}")]);
    Done::of(&mut python).ended(0);
}

/// Someone's upload of what is published, for the newest change, by a config that asks a server of theirs,
/// comes first where the newest do: the line stays, and without the backend's name there is none.
fn no_other_backend_is_asked(stage: &Stage, devices: &Path, url: &str, line: &str) {
    let record = Record::open(&stage.record).unwrap();
    let (name, manifest) = fs::read_dir(stage.record.join("uploads"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), Manifest::parse(&fs::read(path.join("MANIFEST")).unwrap()).unwrap()))
        .find(|(path, _)| line.contains(utf8(path)))
        .unwrap();
    let targets = fs::read(name.join("targets.json")).unwrap();
    let version =
        serde_json::from_slice::<serde_json::Value>(&targets).unwrap()["signed"]["version"].as_u64();
    let documents = BTreeMap::from([(RoleName::Targets, (version.unwrap(), targets))]);
    let digest = name.file_name().unwrap().to_str().unwrap().to_owned();
    let mut evil = (0..).map(|n| {
        let server = format!("https://evil-{n}.example.com");
        Upload::new(&stage.trust, manifest.change, &documents, Some(&server)).unwrap()
    });
    let evil = evil.find(|upload| Digest::of(upload.manifest()).hex() > digest).unwrap();
    record.add_upload(&evil).unwrap();
    let page = |line: &[&str]| stage.keyrite(line).ended(0).text();
    let record = utf8(&stage.record);
    let named = page(&["-C", record, "--devices", utf8(devices), "--json", "status"]);
    assert!(
        named.contains(&json!(line).to_string()) && named.contains(&format!("fetches what {url} serves"))
    );
    let unnamed = page(&["-C", record, "--json", "status"]);
    assert!(
        !unnamed.contains("curl -K") && unnamed.contains("into the folder published: no fetch.curl"),
        "{unnamed}"
    );
    assert!(!named.contains("evil") && !unnamed.contains("evil"), "{named}\n{unnamed}");
}
