//! Feature `courier`: `keyrite-courier fetch`, by the program as people type it, from Debian's
//! notary-server, from web servers and directories, and from servers that lie.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hostile;
mod imports;
mod keys;
mod repository;
mod server;
mod stage;

use clap::Parser as _;
use hostile::{Asked, Hostile, Reply, file};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use repository::Repository;
use serde_json::{Value, json};
use server::{Backend, first_keys, publishes, uploads};
use stage::{Done, Stage, shipped, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const CAMERA: &str = "targets/camera-station";

/// The courier, with these arguments.
fn courier(folder: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    // A machine's own proxy has no part in this.
    command.args(["--json"]).args(arguments).current_dir(folder);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    Done::of(&mut command)
}

/// The rule by which it refused.
fn refused(done: Done, exit: i32) -> String {
    done.ended(exit).json()["error"]["rule"].as_str().unwrap().to_owned()
}

/// An empty folder of a test's own.
fn room(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("courier-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// How a real backend is reached: its authority, and who asks.
fn reach(stage: &Stage, backend: &Backend) -> Vec<String> {
    let mut line = vec!["--server".to_owned(), backend.url.clone()];
    if backend.tls {
        line.extend(["--ca".to_owned(), utf8(&backend.dir.join("ca.crt")).to_owned()]);
    }
    if backend.asks {
        let file = stage.write("login", "pusher:push-secret\n");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        line.extend(["--credentials".to_owned(), utf8(&file).to_owned()]);
    }
    line
}

fn fetch(stage: &Stage, backend: &Backend, into: &str, more: &[&str]) -> Done {
    let trust = stage.record.join("trust.json");
    let reach = reach(stage, backend);
    let mut line = vec!["fetch", "--trust", utf8(&trust), "--into", into];
    line.extend(reach.iter().map(String::as_str));
    line.extend(more);
    courier(&stage.dir, &line)
}

fn push(stage: &Stage, backend: &Backend, upload: &str) -> Done {
    let (trust, upload) = (stage.record.join("trust.json"), stage.record.join(upload));
    let reach = reach(stage, backend);
    let mut line = vec!["push", utf8(&upload), "--trust", utf8(&trust), "--into", "pushed"];
    line.extend(reach.iter().map(String::as_str));
    courier(&stage.dir, &line)
}

fn imported(stage: &Stage, from: &str) -> Value {
    let report = stage.keyrite(["-C", utf8(&stage.record), "--json", "import", from]).ended(0).json();
    assert_eq!(report["left"], json!([]), "{report}");
    report
}

/// A whole first day with one backend, keys and documents brought by the courier, releases by the stock
/// client.
fn first_day(mode: &str) {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new(&format!("courier-{mode}"), Profile::Notary, Kind::Production, &limits);
    let backend = Backend::up(&stage, mode);

    // Before the first upload there is nothing but the backend's keys, which are asked for once.
    assert_eq!(refused(fetch(&stage, &backend, "published", &[]), 1), "FETCH-NOTHING");
    let report = fetch(&stage, &backend, "published", &["--keys", "incoming"]).ended(0).json();
    assert_eq!((&report["files"], &report["keys"][0]["fresh"]), (&json!([]), &json!(true)), "{report}");
    let kept = files(&stage.path("incoming"));
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["snapshot.key", "timestamp.key"]);
    let report = fetch(&stage, &backend, "published", &["--keys", "incoming"]).ended(0).json();
    assert_eq!(report["keys"][1]["fresh"], json!(false), "{report}");
    assert_eq!(files(&stage.path("incoming")), kept);
    assert!(!stage.path("published").exists());

    let mut devices = stage.devices().backend(&backend.url);
    for (role, file) in [("snapshot", "snapshot.key"), ("timestamp", "timestamp.key")] {
        devices = devices.enrol(&format!("backend-{role}"), &stage.path("incoming").join(file));
    }
    let (devices, map) = first_keys(&stage, devices);
    let sealed = uploads(&stage.hold(&map, &shipped("first-day/04-root.toml")).1.ended(0).json());
    let first = stage.record.join(&sealed[0]);
    if backend.asks {
        let trust = stage.record.join("trust.json");
        let line =
            ["push", utf8(&first), "--trust", utf8(&trust), "--server", &backend.url, "--into", "never"];
        assert_eq!(refused(courier(&stage.dir, &line), 1), "SERVER-LOGIN");
    }
    assert_eq!(push(&stage, &backend, &sealed[0]).ended(0).json()["came"], "taken");
    assert!(imported(&stage, "pushed")["taken"].to_string().contains("receipts/"));

    // What came up is fetched, byte for byte, and the record takes all of it in.
    let report = fetch(&stage, &backend, "published", &["--keys", "incoming"]).ended(0).json();
    assert_eq!(
        (report["keys"].as_array().unwrap().len(), &report["unreleased"]),
        (2, &json!([])),
        "{report}"
    );
    let served = files(&stage.path("published"));
    assert_eq!(
        served.keys().collect::<Vec<_>>(),
        ["root.json", "snapshot.json", "targets.json", "timestamp.json"]
    );
    for name in ["root.json", "targets.json"] {
        assert_eq!(served[name], fs::read(first.join(name)).unwrap(), "{name}");
    }
    imported(&stage, "published");

    // A key that the root doesn't list is no key of this backend.
    stage.write("other/snapshot.key", &String::from_utf8(kept["timestamp.key"].clone()).unwrap());
    assert_eq!(refused(fetch(&stage, &backend, "published", &["--keys", "other"]), 1), "BACKEND-KEY");
    assert_eq!(files(&stage.path("published")), served);

    // A delegation, and a release through it that nobody here made.
    let known = devices.knowing(&stage.root()).write("devices-2.toml");
    let granted =
        uploads(&stage.hold(&known, &shipped("first-day/05-camera-station.toml")).1.ended(0).json());
    push(&stage, &backend, &granted[0]).ended(0);
    let report = fetch(&stage, &backend, "published", &[]).ended(0).json();
    assert_eq!(report["unreleased"], json!([CAMERA]), "{report}");
    publishes(&stage, &backend, "dana", CAMERA, "camera-station/firmware-1.bin");
    let report = fetch(&stage, &backend, "published", &["--history"]).ended(0).json();
    assert_eq!(report["unreleased"], json!([]), "{report}");
    let served = files(&stage.path("published"));
    assert!(served.contains_key("targets%2Fcamera-station.json") && served.contains_key("1.targets.json"));
    assert_eq!(served["1.targets.json"], fs::read(first.join("targets.json")).unwrap());
    let taken = imported(&stage, "published")["taken"].to_string();
    assert!(taken.contains("metadata/targets%2Fcamera-station/1."), "{taken}");
    assert_eq!(stage.verify().ended(0).json()["problems"], json!([]));

    if backend.tls {
        certificates(&stage, &backend);
    }
    if backend.asks {
        logins(&stage, &backend);
    }
    poisoned(&stage, &backend, &served);
}

/// Who trusts another authority, or none that signed, gets nothing.
fn certificates(stage: &Stage, backend: &Backend) {
    let made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj '/CN=another authority' -keyout other.key -out other.crt 2>&1";
    stage::shell(&stage.dir, made, &[]).ended(0);
    let trust = stage.record.join("trust.json");
    let line = ["fetch", "--trust", utf8(&trust), "--into", "never", "--server", &backend.url];
    for (more, rule, exit) in [
        (&[][..], "SERVER-CERTIFICATE", 3),
        (&["--ca", "other.crt"], "SERVER-CERTIFICATE", 3),
        (&["--ca", "other.key"], "CA-FILE", 2),
        (&["--ca", "devices.toml"], "CA-FILE", 2),
        (&["--ca", "not-there.crt"], "MEDIA-READ", 3),
    ] {
        assert_eq!(refused(courier(&stage.dir, &[&line[..], more].concat()), exit), rule, "{more:?}");
    }
    // The right authority, and a name that the certificate doesn't have.
    let elsewhere = backend.url.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let authority = backend.dir.join("ca.crt");
    let line = ["fetch", "--trust", utf8(&trust), "--into", "never", "--server", &elsewhere];
    let done = courier(&stage.dir, &[&line[..], &["--ca", utf8(&authority)]].concat());
    assert!(["SERVER-CERTIFICATE", "SERVER-UNREACHABLE"].contains(&refused(done, 3).as_str()));
    assert!(!stage.path("never").exists());
}

/// Who may do what, by a file or a helper; and nothing of a secret is ever shown.
fn logins(stage: &Stage, backend: &Backend) {
    let trust = stage.record.join("trust.json");
    let line = ["fetch", "--trust", utf8(&trust), "--into", "logins", "--server", &backend.url];
    let login = |text: &str, mode: u32| {
        let file = stage.write("another-login", text);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let with = |more: &[&str]| courier(&stage.dir, &[&line[..], more].concat());
    let by_file = ["--credentials", "another-login"];
    // Anyone may pull from this backend; keys are for who may push.
    with(&[]).ended(0);
    assert_eq!(refused(with(&["--keys", "asked"]), 1), "SERVER-LOGIN");
    for (text, mode, rule, exit) in [
        ("puller:pull-secret", 0o600, "SERVER-LOGIN", 1),
        ("pusher:wrong-secret\n", 0o600, "SERVER-LOGIN", 1),
        ("pusher:push-secret\n", 0o644, "CREDENTIALS", 2),
        ("pusher\n", 0o600, "CREDENTIALS", 2),
        ("pusher:push-secret\nmore\n", 0o600, "CREDENTIALS", 2),
    ] {
        login(text, mode);
        let done = with(&[&by_file[..], &["--keys", "asked"]].concat());
        let all = format!("{}{}", done.text(), done.problems());
        assert!(!all.contains("secret"), "{all}");
        assert_eq!(refused(done, exit), rule, "{text}");
    }
    assert!(!stage.path("asked").exists());
    login("pusher:push-secret\r\n", 0o600);
    with(&[&by_file[..], &["--keys", "asked"]].concat()).ended(0);

    // A helper as Docker has them: the server on stdin, JSON on stdout.
    let authority = backend.url.strip_prefix("http://").unwrap();
    let helper = stage.write(
        "helpers/docker-credential-kept",
        &format!(
            "#!/bin/sh\nread -r asked\n[ \"$1\" = get ] && [ \"$asked\" = {authority} ] || exit 1\n\
             echo '{{\"ServerURL\":\"'$asked'\",\"Username\":\"pusher\",\"Secret\":\"push-secret\"}}'\n"
        ),
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", utf8(helper.parent().unwrap()), std::env::var("PATH").unwrap());
    let by_helper = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
        command.arg("--json").args(line).args(["--keys", "helped", "--credential-helper", name]);
        Done::of(command.current_dir(&stage.dir).env("PATH", &path))
    };
    assert_eq!(refused(by_helper("none"), 2), "CREDENTIALS");
    by_helper("kept").ended(0);
    assert_eq!(files(&stage.path("helped")), files(&stage.path("asked")));

    // A token server elsewhere gets no credentials, unless somebody has named it.
    let elsewhere = Hostile::new(|_| Reply::Gives(b"{\"token\":\"t\"}".to_vec()));
    let realm = elsewhere.url.replace("127.0.0.1", "localhost");
    let challenge = format!("Bearer realm=\"{realm}/token\",service=\"s\"");
    let asks = Hostile::new(move |asked: &Asked| match asked.headers.get("authorization") {
        None => Reply::Says(401, vec![("WWW-Authenticate", challenge.clone())], Vec::new()),
        Some(_) => Reply::Says(404, Vec::new(), Vec::new()),
    });
    let line = ["fetch", "--trust", utf8(&trust), "--into", "never", "--server", &asks.url];
    let line = [&line[..], &by_file].concat();
    assert_eq!(refused(courier(&stage.dir, &line), 1), "TOKEN-REALM");
    assert_eq!(elsewhere.heard().len(), 0);
    let named = [&line[..], &["--realm", &realm]].concat();
    assert_eq!(refused(courier(&stage.dir, &named), 1), "FETCH-NOTHING");
    let heard = elsewhere.heard();
    assert_eq!(heard[0].headers["authorization"], "Basic cHVzaGVyOnB1c2gtc2VjcmV0");
    assert!(heard[0].path.ends_with("scope=repository:updates.example.com/apps:pull"), "{}", heard[0].path);
    assert_eq!(asks.heard().last().unwrap().headers["authorization"], "Bearer t");
}

/// A document with one byte more than the snapshot lists, as a backend serves it where somebody has
/// uploaded a form that is not its own: nothing is taken, and both digests are named.
fn poisoned(stage: &Stage, backend: &Backend, before: &BTreeMap<String, Vec<u8>>) {
    let own = stage.path("dana-trust");
    let release = stage.write("firmware-2.bin", "the second release of dana");
    let add = ["add", &stage.trust.collection, "camera-station/firmware-2.bin", utf8(&release), "-r", CAMERA];
    backend.client(&own, &add).ended(0);
    backend.client(&own, &["publish", &stage.trust.collection]).ended(0);
    fetch(stage, backend, "second", &[]).ended(0);
    let good = files(&stage.path("second"));
    let name = "targets%2Fcamera-station.json";
    assert_ne!(good[name], before[name]);
    // Served by a machine in between, with one byte more than was signed.
    let base = format!("/v2/{}/_trust/tuf/", stage.trust.collection);
    let served: BTreeMap<String, Vec<u8>> = good.clone();
    let between = Hostile::new(move |asked: &Asked| {
        let Some(name) = asked.path.strip_prefix(&base) else { return Reply::Closes };
        let (role, rest) = name.split_once('.').unwrap();
        let file = format!("{}.json", role.replace('/', "%2F"));
        let Some(bytes) = served.get(&file) else { return Reply::Says(404, Vec::new(), Vec::new()) };
        let asked_for = rest.strip_suffix(".json").filter(|digest| digest.len() == 64);
        if role == CAMERA && asked_for.is_some() {
            return Reply::Says(404, Vec::new(), Vec::new());
        }
        Reply::Gives(if role == CAMERA { [bytes.as_slice(), b"\n"].concat() } else { bytes.clone() })
    });
    let trust = stage.record.join("trust.json");
    let line = ["fetch", "--trust", utf8(&trust), "--into", "second", "--server", &between.url];
    let done = courier(&stage.dir, &line).ended(1).json();
    assert_eq!(done["error"]["rule"], "FETCH-MIXED", "{done}");
    let poison = Digest::of(&[good[name].as_slice(), b"\n"].concat()).hex();
    for (member, digest) in [("found", poison), ("expected", Digest::of(&good[name]).hex())] {
        assert!(done["error"][member].as_str().unwrap().contains(&digest), "{done}");
    }
    assert_eq!(files(&stage.path("second")), good);
}

#[test]
fn keys_and_documents_of_a_backend_that_wants_tokens() {
    first_day("auth");
}

#[test]
fn keys_and_documents_of_a_backend_with_a_signer_over_tls() {
    first_day("signer");
}

/// A repository of profile `tuf`, in a folder of its own, and what it serves.
fn repository() -> BTreeMap<String, Vec<u8>> {
    let mut made = Repository::new();
    made.doc("targets").version = 2;
    made.doc("targets").delegations.push(("later", vec![31], vec!["later/*"], false));
    made.snapshot.version = 2;
    made.timestamp.version = 2;
    made.root.version = 2;
    made.write_root();
    made.write();
    made.files
}

#[test]
fn a_static_repository_from_a_web_server_and_from_a_directory() {
    let dir = room("static");
    let repository = repository();
    fs::create_dir_all(dir.join("kept")).unwrap();
    for (name, bytes) in &repository {
        fs::write(dir.join("kept").join(name), bytes).unwrap();
    }
    fs::write(dir.join("kept/index.html"), "no metadata").unwrap();
    let server = Hostile::files(repository.clone());
    let now =
        ["1.app.json", "1.root.json", "2.root.json", "2.snapshot.json", "2.targets.json", "timestamp.json"];
    for (from, into) in [(server.url.as_str(), "by-web"), ("kept", "by-folder")] {
        let line = ["fetch", "--profile", "tuf", "--server", from, "--into", into];
        let report = courier(&dir, &line).ended(0).json();
        assert_eq!(report["unreleased"], json!(["later"]), "{report}");
        let fetched = files(&dir.join(into));
        assert_eq!(fetched.keys().collect::<Vec<_>>(), now, "{from}");
        assert!(fetched.iter().all(|(name, bytes)| *bytes == repository[name]), "{from}");
        // And with what was before.
        courier(&dir, &[&line[..], &["--history"]].concat()).ended(0);
        assert!(dir.join(into).join("1.targets.json").exists(), "{from}");
        courier(&dir, &line).ended(0);
        assert_eq!(files(&dir.join(into)), fetched, "an earlier fetch leaves nothing");
    }
    for folder in ["kept", "."] {
        let line = ["fetch", "--profile", "tuf", "--server", &server.url, "--into", folder];
        assert_eq!(refused(courier(&dir, &line), 1), "FETCH-PLACE", "{folder}");
    }
    for (server, rule, exit) in [
        ("ftp://127.0.0.1/", "MEDIA-READ", 3),
        ("http://name:secret@127.0.0.1/", "SERVER-ADDRESS", 2),
        ("https://127.0.0.1/?a", "SERVER-ADDRESS", 2),
    ] {
        let line = ["fetch", "--profile", "tuf", "--server", server, "--into", "never"];
        assert_eq!(refused(courier(&dir, &line), exit), rule, "{server}");
    }
    let keys = ["fetch", "--profile", "tuf", "--server", "kept", "--into", "never", "--keys", "."];
    assert_eq!(refused(courier(&dir, &keys), 2), "USAGE");
}

/// What a file is answered with, given the right one.
type Lie = Box<dyn Fn(&[u8]) -> Reply + Send + Sync>;

/// By name, what that file is answered with, all others being as ever; the rule, and the exit code.
fn lies(good: &BTreeMap<String, Vec<u8>>) -> Vec<(&'static str, &'static str, Lie, &'static str, i32)> {
    let other = Repository::new().files;
    let (old, kept) = (other.clone(), good.clone());
    vec![
        ("half of it", "timestamp.json", Box::new(|b| Reply::Half(b.to_vec())), "SERVER-CUT", 3),
        ("closed", "timestamp.json", Box::new(|_| Reply::Closes), "SERVER-CUT", 3),
        (
            "no HTTP",
            "timestamp.json",
            Box::new(|_| Reply::Raw(b"SSH-2.0-x\r\n\r\n".to_vec())),
            "SERVER-CUT",
            3,
        ),
        ("drop by drop", "timestamp.json", Box::new(|b| Reply::Drips(b.to_vec())), "SERVER-TIMEOUT", 3),
        ("never", "2.snapshot.json", Box::new(|_| Reply::Waits), "SERVER-TIMEOUT", 3),
        ("endless", "timestamp.json", Box::new(|_| Reply::Endless(None)), "SERVER-SIZE", 1),
        ("endless, told", "timestamp.json", Box::new(|_| Reply::Endless(Some(1 << 40))), "SERVER-SIZE", 1),
        (
            "longer than listed",
            "1.app.json",
            Box::new(|b| Reply::Gives([b, b" "].concat())),
            "SERVER-SIZE",
            1,
        ),
        (
            "failing",
            "timestamp.json",
            Box::new(|_| Reply::Says(500, vec![], b"why".to_vec())),
            "SERVER-STATUS",
            3,
        ),
        (
            "failing for now",
            "2.root.json",
            Box::new(|_| Reply::Says(503, vec![], vec![])),
            "SERVER-STATUS",
            3,
        ),
        ("not there", "timestamp.json", Box::new(|_| Reply::Says(404, vec![], vec![])), "FETCH-NOTHING", 1),
        ("no root", "1.root.json", Box::new(|_| Reply::Says(404, vec![], vec![])), "FETCH-NOTHING", 1),
        ("listed, not there", "1.app.json", Box::new(|_| Reply::Says(404, vec![], vec![])), "FETCH-MIXED", 1),
        (
            "leads on and on",
            "timestamp.json",
            Box::new(move |_| Reply::Says(302, vec![("Location", "/timestamp.json".to_owned())], vec![])),
            "SERVER-REDIRECT",
            1,
        ),
        (
            "leads nowhere",
            "timestamp.json",
            Box::new(move |_| Reply::Says(302, vec![("Location", "file:///etc/passwd".to_owned())], vec![])),
            "SERVER-REDIRECT",
            1,
        ),
        (
            "old",
            "2.snapshot.json",
            Box::new(move |_| Reply::Gives(old["1.snapshot.json"].clone())),
            "FETCH-MIXED",
            1,
        ),
        (
            "foreign",
            "2.targets.json",
            Box::new(move |_| Reply::Gives(other["1.targets.json"].clone())),
            "FETCH-MIXED",
            1,
        ),
        ("no document", "timestamp.json", Box::new(|_| Reply::Gives(b"<html>".to_vec())), "JSON", 1),
        (
            "of another version",
            "2.root.json",
            Box::new(move |_| Reply::Gives(kept["1.root.json"].clone())),
            "FETCH-MIXED",
            1,
        ),
    ]
}

#[test]
fn servers_that_fail_or_lie_leave_what_was_there() {
    let dir = room("hostile");
    let good = repository();
    let server = Hostile::files(good.clone());
    let line =
        ["fetch", "--profile", "tuf", "--server", &server.url, "--into", "published", "--patience", "2"];
    courier(&dir, &line).ended(0);
    let before = files(&dir.join("published"));
    for (what, name, lie, rule, exit) in lies(&good) {
        let good = good.clone();
        server.now(move |asked| match good.get(name) {
            Some(bytes) if asked.path == format!("/{name}") => lie(bytes),
            _ => file(&good, asked),
        });
        let began = Instant::now();
        let done = courier(&dir, &line);
        let text = done.text();
        assert_eq!(refused(done, exit), rule, "{what}: {text}");
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
        assert_eq!(files(&dir.join("published")), before, "{what}");
        assert_eq!(names(&dir), ["published"], "{what}");
    }
    let nobody = ["fetch", "--profile", "tuf", "--server", "http://127.0.0.1:9", "--into", "published"];
    assert_eq!(refused(courier(&dir, &nobody), 3), "SERVER-UNREACHABLE");
}

#[test]
fn what_comes_back_or_has_moved_is_found() {
    let dir = room("moved");
    let good = repository();
    let server = Hostile::files(good.clone());
    let line = ["fetch", "--profile", "tuf", "--server", &server.url, "--into", "published"];
    courier(&dir, &line).ended(0);
    let before = files(&dir.join("published"));
    let elsewhere = Hostile::files(good.clone());
    let gone = format!("{}/timestamp.json", elsewhere.url);
    let same = format!("{}/moved.json", server.url);
    let (again, moved) = (good.clone(), good.clone());
    let tries = std::sync::atomic::AtomicU32::new(0);
    server.now(move |asked| match asked.path.as_str() {
        "/timestamp.json" if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => {
            Reply::Says(503, Vec::new(), Vec::new())
        }
        _ => file(&again, asked),
    });
    courier(&dir, &line).ended(0);
    for to in [same, gone] {
        let moved = moved.clone();
        server.now(move |asked| match asked.path.as_str() {
            "/timestamp.json" => Reply::Says(302, vec![("Location", to.clone())], Vec::new()),
            "/moved.json" => Reply::Gives(moved["timestamp.json"].clone()),
            _ => file(&moved, asked),
        });
        courier(&dir, &line).ended(0);
        assert_eq!(files(&dir.join("published")), before);
    }
}

#[test]
fn no_token_leaves_the_server_that_it_is_for() {
    let dir = room("tokens");
    let login = dir.join("login");
    fs::write(&login, "ada:secret\n").unwrap();
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    let elsewhere = Hostile::new(|_| Reply::Gives(b"{}".to_vec()));
    let to = elsewhere.url.clone();
    let server = Hostile::new(|_| Reply::Closes);
    let challenge = format!("Bearer realm=\"{}/token\",service=\"s\"", server.url);
    server.now(move |asked| match (asked.path.split('?').next(), asked.headers.get("authorization")) {
        (Some("/token"), _) => Reply::Gives(b"{\"access_token\":\"t\"}".to_vec()),
        (_, None) => Reply::Says(401, vec![("WWW-Authenticate", challenge.clone())], Vec::new()),
        (_, Some(_)) => Reply::Says(307, vec![("Location", format!("{to}/timestamp.json"))], Vec::new()),
    });
    let line = ["fetch", "--profile", "notary", "--collection", "a/b", "--into", "never", "--server"];
    let line = |server: &str| courier(&dir, &[&line[..], &[server, "--credentials", "login"]].concat());
    assert_eq!(refused(line(&server.url), 1), "SERVER-REDIRECT");
    assert_eq!(elsewhere.heard().len(), 0);
    // A token that is no longer good is asked for anew, once.
    let challenge = format!("Bearer realm=\"{}/token\",service=\"s\"", server.url);
    server.now(move |asked| match asked.path.split('?').next() {
        Some("/token") => Reply::Gives(b"{\"token\":\"t\"}".to_vec()),
        _ => Reply::Says(401, vec![("WWW-Authenticate", challenge.clone())], Vec::new()),
    });
    assert_eq!(refused(line(&server.url), 1), "SERVER-LOGIN");
    assert_eq!(server.heard().len(), 3, "{:?}", server.heard());
    // Nor does it go anywhere in clear, nor do credentials.
    let challenge = "Bearer realm=\"http://notary.example.com/token\",service=\"s\"".to_owned();
    server.now(move |_| Reply::Says(401, vec![("WWW-Authenticate", challenge.clone())], Vec::new()));
    let realm = ["--realm", "http://notary.example.com"];
    let plain = ["fetch", "--profile", "notary", "--collection", "a/b", "--into", "never", "--server"];
    let plain = [&plain[..], &[&server.url, "--credentials", "login"], &realm].concat();
    assert_eq!(refused(courier(&dir, &plain), 1), "PLAIN-HTTP");
}

/// A token that ends in the middle is asked for anew, and what was asked is asked again.
#[test]
fn a_token_that_expires_is_renewed() {
    let dir = room("expires");
    let server = Hostile::new(|_| Reply::Closes);
    let challenge = format!("Bearer realm=\"{}/token\",service=\"s\"", server.url);
    let tokens = std::sync::atomic::AtomicU32::new(0);
    server.now(move |asked| {
        let bearer = asked.headers.get("authorization").map(String::as_str);
        let (path, ended) = (asked.path.split('?').next().unwrap_or_default(), bearer == Some("Bearer t1"));
        let key = br#"{"keytype":"ecdsa","keyval":{"private":null,"public":"AAAA"}}"#;
        match (path, bearer) {
            ("/token", _) => {
                let number = tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                Reply::Gives(format!("{{\"token\":\"t{number}\"}}").into_bytes())
            }
            (path, Some(_)) if path.ends_with("/timestamp.json") => Reply::Says(404, Vec::new(), Vec::new()),
            (_, Some(_)) if !ended => Reply::Gives(key.to_vec()),
            _ => Reply::Says(401, vec![("WWW-Authenticate", challenge.clone())], Vec::new()),
        }
    });
    let line = ["fetch", "--profile", "notary", "--collection", "a/b", "--into", "never", "--keys", "keys"];
    courier(&dir, &[&line[..], &["--server", &server.url]].concat()).ended(0);
    assert_eq!(names(&dir.join("keys")).len(), 2);
    let asked: Vec<_> =
        server.heard().iter().filter(|asked| asked.path.starts_with("/token")).cloned().collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

/// A web server that wants a name and a password gets them, and nobody else does.
#[test]
fn a_static_repository_behind_a_password() {
    let dir = room("password");
    let good = repository();
    let server = Hostile::new(move |asked| match asked.headers.get("authorization").map(String::as_str) {
        Some("Basic YWRhOnNlY3JldA==") => file(&good, asked),
        _ => Reply::Says(401, vec![("WWW-Authenticate", "Basic realm=\"r\"".to_owned())], Vec::new()),
    });
    let line = ["fetch", "--profile", "tuf", "--into", "published", "--server", &server.url];
    let login = |text: &str| {
        fs::write(dir.join("login"), text).unwrap();
        fs::set_permissions(dir.join("login"), fs::Permissions::from_mode(0o600)).unwrap();
        courier(&dir, &[&line[..], &["--credentials", "login"]].concat())
    };
    assert_eq!(refused(courier(&dir, &line), 1), "SERVER-LOGIN");
    let wrong = login("ada:wrong\n");
    assert!(!wrong.text().contains("wrong"), "{}", wrong.text());
    assert_eq!(refused(wrong, 1), "SERVER-LOGIN");
    assert!(!dir.join("published").exists());
    login("ada:secret\n").ended(0);
    // Nowhere in clear, and to no other server.
    let plain = ["fetch", "--profile", "tuf", "--into", "published", "--server", "http://repo.example.com"];
    let plain = courier(&dir, &[&plain[..], &["--credentials", "login"]].concat());
    assert_eq!(refused(plain, 1), "PLAIN-HTTP");
    let elsewhere = Hostile::new(|_| Reply::Gives(b"{}".to_vec()));
    let to = format!("{}/timestamp.json", elsewhere.url);
    server.now(move |_| Reply::Says(307, vec![("Location", to.clone())], Vec::new()));
    assert_eq!(refused(login("ada:secret\n"), 1), "SERVER-REDIRECT");
    assert_eq!(elsewhere.heard().len(), 0);
}

#[test]
fn rehearsals_stay_on_this_machine() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("courier-rehearsal", Profile::Notary, Kind::Rehearsal, &limits);
    let trust = stage.record.join("trust.json");
    for server in ["https://notary.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1"] {
        let line = ["fetch", "--trust", utf8(&trust), "--into", "never", "--server", server];
        assert_eq!(refused(courier(&stage.dir, &line), 1), "UPLOAD-STAGE", "{server}");
        let line = ["push", "none", "--trust", utf8(&trust), "--into", "never", "--server", server];
        assert_eq!(refused(courier(&stage.dir, &line), 1), "UPLOAD-STAGE", "{server}");
    }
}

#[test]
fn what_tests_offline_looks_for_is_found_in_the_courier() {
    let calls = imports::calls(env!("CARGO_BIN_EXE_keyrite-courier"));
    assert!(calls.contains("connect") && calls.contains("getaddrinfo"), "{calls:?}");
    assert!(imports::symbols(env!("CARGO_BIN_EXE_keyrite-courier"), "rustls") > 100);
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let dir = room("full");
    let server = Hostile::files(repository());
    let line = format!(
        "mount -t tmpfs -o size=8k full here && cd here && \
         mkdir -p published/receipts && echo '{{}}' > published/timestamp.json && \
         {} --json fetch --profile tuf --server {} --into published; echo \"exit $?\"; find . -type f",
        env!("CARGO_BIN_EXE_keyrite-courier"),
        server.url
    );
    fs::create_dir_all(dir.join("here")).unwrap();
    // A mount of this process's own, as root or in a user namespace.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &line]).current_dir(&dir);
    let mut said = Done::of(&mut command).text();
    if !said.contains("exit") {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &line]).current_dir(&dir);
        said = Done::of(&mut command).text();
    }
    assert!(said.contains("\"rule\":\"FILE-WRITE\"") && said.contains("No space left"), "{said}");
    assert!(said.ends_with("exit 3\n./published/timestamp.json\n"), "{said}");
}

#[test]
fn every_line_of_the_courier_on_the_pages_is_one() {
    let mut seen = 0;
    for page in [include_str!("../ceremonies/README.md"), include_str!("../README.md")] {
        let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
        for line in lines.filter(|line| line.starts_with("keyrite-courier ")) {
            let words = line.split("  #").next().unwrap().split_whitespace();
            let read = keyrite::courier::arguments::Arguments::try_parse_from(words);
            assert!(read.is_ok(), "{line}\n{}", read.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} lines were found");
}
