//! `keyrite adopt`: repositories that other tools made come in with their history and quirks, and
//! from there on ceremonies go as on any trust. python-tuf, the stock notary client and the signers
//! of a root in production made what is adopted here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod made;
mod program;

use keyrite::ceremony::change::{Possession, Purpose};
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::transcript::{Begin, CeremonyId, Outcome, Said, Transcript};
use keyrite::record::adopt::{History, listed};
use keyrite::record::key_file::{EvidenceNote, TokenNote};
use keyrite::record::{Inputs, KeyFile, Media, Record};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire;
use program::{answer, ended, folder, on_dumb_terminal, run};
use rexpect::ReadUntil;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const PHRASE: &str = "correct horse battery staple";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A repository by python-tuf, with its private keys.
fn python(dir: &Path, arguments: &[&str]) -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
    assert!(python.exists(), "no {}: run scripts/test-deps python", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/make_tuf_repo.py");
    let made = dir.join("made");
    let run =
        Command::new(python).arg(script).arg(&made).args(["--private", PHRASE]).args(arguments).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    made
}

/// What a person would answer: the digest of the newest root, and for each key what `name` says.
fn answers(from: &Path, stage: &str, name: impl Fn(&PublicKey, &[RoleName]) -> String) -> String {
    let history = History::look(&Media::open(from).unwrap()).unwrap();
    let newest = history.chain.latest();
    let mut text = format!(
        "[answers]\nroot = \"{}\"\nstage = \"{stage}\"\ncollection = \"updates.example.com/apps\"\nadministrator = \"ada\"\n",
        newest.payload().digest()
    );
    if stage == "production" {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let today = keyrite::tuf::time::Time::from_unix(i64::try_from(now).unwrap()).unwrap().date();
        writeln!(text, "today = \"{today}\"").unwrap();
    }
    let documents = top_and_delegations(from, history.profile, newest);
    for key in listed(newest, documents.iter()) {
        let public = key.key.public.unwrap();
        let short: String = public.identity().to_string().chars().take(16).collect();
        writeln!(text, "key.{short} = \"{}\"", name(&public, &key.roles)).unwrap();
    }
    text
}

/// Targets and what is below it, as far as it is trusted.
fn top_and_delegations(
    from: &Path,
    profile: Profile,
    root: &keyrite::tuf::evidence::Trusted,
) -> Vec<keyrite::tuf::evidence::Trusted> {
    let names: &[(&str, &str)] = match profile {
        Profile::Tuf => &[("targets", "1.targets.json"), ("app1", "1.app1.json"), ("sub", "1.sub.json")],
        Profile::Notary => &[
            ("targets", "targets.json"),
            ("targets/app1", "targets/app1.json"),
            ("targets/app1/sub", "targets/app1/sub.json"),
        ],
    };
    let mut trusted = vec![root.clone()];
    for (role, file) in names {
        let Ok(bytes) = fs::read(from.join(file)) else { continue };
        let role = RoleName::from_name(role);
        let accepted = trusted.iter().find_map(|by| {
            let envelope = wire::parse(profile, &role, &bytes).unwrap();
            keyrite::tuf::chain::accept(by, &role, envelope, None).ok()
        });
        trusted.extend(accepted);
    }
    trusted.split_off(1)
}

fn adopt(dir: &Path, from: &Path, answers: &str, more: &[&str]) -> (i32, String, String) {
    fs::write(dir.join("answers.toml"), answers).unwrap();
    let line = [
        "adopt",
        from.to_str().unwrap(),
        "--into",
        "record",
        "--answers",
        "answers.toml",
        "--unattended",
        "--json",
    ];
    let (code, out, err) = run(dir, &[&line[..], more].concat());
    // With --json a refusal is the one object on stdout.
    let err = if code == 0 { err } else { format!("{out}{err}") };
    (code, out, err)
}

fn json(out: &str) -> serde_json::Value {
    serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// Holds a runbook, every prompt answered as the plan allows.
fn hold(dir: &Path, runbook: &str, title: &str) -> serde_json::Value {
    fs::write(dir.join("runbook.toml"), runbook).unwrap();
    let record = ["-C", "record", "--devices", "devices.toml", "--json"];
    let file = format!("filled-{title}.toml");
    let (code, out, err) =
        run(dir, &[&record[..], &["plan", "runbook.toml", "--write-answers", &file]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let change = json(&out)["change"].as_str().unwrap().to_owned();
    let mut filled = String::new();
    let mut allowed = "";
    let template = fs::read_to_string(dir.join(&file)).unwrap();
    for line in template.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            allowed = comment;
        }
        let answer = match allowed.split_once(": ").unwrap_or((allowed, "")) {
            ("exactly", word) => word,
            _ if allowed.starts_with("same") => "same",
            _ if allowed.starts_with("the full digest") => &change,
            _ => "as seen",
        };
        match line.strip_suffix(" = \"\"") {
            Some(id) => writeln!(filled, "{id} = \"{answer}\"").unwrap(),
            None => writeln!(filled, "{line}").unwrap(),
        }
    }
    fs::write(dir.join(&file), filled).unwrap();
    let (code, out, err) =
        run(dir, &[&record[..], &["run", "runbook.toml", "--answers", &file, "--unattended"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    json(&out)
}

/// The device map that `adopt` wrote, with keys in files.
fn devices(dir: &Path, keys: &BTreeMap<String, PathBuf>) {
    let mut text = fs::read_to_string(dir.join("record/devices.toml")).unwrap();
    for (name, file) in keys {
        write!(text, "\n[key.{name}]\nuri = \"file:{}\"\npin = \"phrase\"\n", file.display()).unwrap();
    }
    fs::write(dir.join("devices.toml"), text).unwrap();
    fs::write(dir.join("phrase"), format!("{PHRASE}\n")).unwrap();
    fs::set_permissions(dir.join("phrase"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
#[allow(clippy::too_many_lines, reason = "one life, in its order")]
fn a_repository_of_python_tuf_goes_on_by_ceremonies() {
    let dir = folder("adopt-python");
    let made = python(&dir, &["--keys", "ecdsa", "--rotate"]);
    let metadata = made.join("metadata");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(made.join("keys")).unwrap() {
        let path = entry.unwrap().path();
        files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), path);
    }
    // Which public key is in which file, by what openssl says.
    let public_of = |path: &Path| {
        let run = Command::new("openssl")
            .args(["pkey", "-in", path.to_str().unwrap(), "-passin", &format!("pass:{PHRASE}"), "-pubout"])
            .output()
            .unwrap();
        PublicKey::from_pem(std::str::from_utf8(&run.stdout).unwrap()).unwrap()
    };
    let publics: Vec<_> = files.iter().map(|(name, path)| (name.clone(), public_of(path))).collect();
    let named = |public: &PublicKey, _: &[RoleName]| {
        let name = &publics.iter().find(|(_, known)| known == public).unwrap().0;
        format!("{name} of-{name} file")
    };
    let text = answers(&metadata, "rehearsal", named);
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot = ["snapshot".parse().unwrap()].into();
    limits.online.timestamp = ["timestamp".parse().unwrap()].into();
    fs::write(dir.join("limits.toml"), limits.to_toml()).unwrap();
    let (code, out, err) = adopt(&dir, &metadata, &text, &["--limits", "limits.toml"]);
    assert_eq!(code, 0, "{out}{err}");
    let report = json(&out);
    assert_eq!(report["roots"], 2, "{report}");
    let keys: Vec<_> = report["keys"].as_array().unwrap().iter().map(|k| k.as_str().unwrap()).collect();
    assert_eq!(keys, ["app1", "root-1", "root-2", "root-3", "snapshot", "sub", "targets", "timestamp"]);
    assert!(
        report["clients"].to_string().contains("clients of root 1 to 2 come to root 2: python-tuf"),
        "{report}"
    );

    // Before the trust is bound to its limits no other ceremony is held.
    devices(&dir, &files);
    let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
    let grant = format!(
        "ceremony = \"generate-key\"\ntitle = \"Another root key\"\n{people}[[key]]\nname = \"root-9\"\nholder = \"nina\"\npurpose = \"root\"\nalgorithm = \"p256\"\n"
    );
    fs::write(dir.join("early.toml"), &grant).unwrap();
    let (code, _, err) = run(&dir, &["-C", "record", "--devices", "devices.toml", "plan", "early.toml"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("TRUST-UNBOUND"), "{err}");

    // The root keys bind it to its limits, once.
    let limits = include_str!("../ceremonies/adopted/01-limits.toml");
    assert_eq!(hold(&dir, limits, "limits")["done"], serde_json::json!(["Our own rules from here on"]));
    let (code, out, _) =
        run(&dir, &["-C", "record", "--devices", "devices.toml", "--json", "plan", "runbook.toml"]);
    assert_eq!((code, json(&out)["already-held"].clone()), (0, true.into()), "{out}");

    // Everything is signed again by the keys that it had, and by the first root of ours.
    let renew = format!(
        "ceremony = \"renew\"\ntitle = \"Under our own rules\"\n{people}[renew]\nwithin = \"700 days\"\n\
         [root]\nvalid-for = \"2 years\"\n[targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n"
    );
    let held = hold(&dir, &renew, "renew");
    assert_eq!(held["root"]["version"], 3, "{held}");
    let record = Record::open(&dir.join("record")).unwrap();
    let contents = record.read_all("2030-01-01T00:00:00Z".parse().unwrap(), &Inputs::default()).unwrap();
    assert_eq!(contents.facts.roots.len(), 3);
    assert!(contents.unbound.is_none(), "{:?}", contents.unbound);
    let wrong = contents.findings.iter().filter(|(place, _)| place != "devices.toml");
    assert_eq!(wrong.count(), 0, "{:?}", contents.findings);

    // The page alone is enough to verify it.
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
    let anchor = format!("3:{}", contents.facts.roots[2].payload().digest());
    let verified = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/verify_record.py"))
        .args([dir.join("record").to_str().unwrap(), "--anchor", &anchor])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));

    // The backend's keys were adopted as well, and limits let them sign here.
    let map = fs::read_to_string(dir.join("devices.toml")).unwrap();
    let known = contents.facts.roots[2].payload().digest();
    let root = map.lines().find(|line| line.starts_with("root = ")).unwrap().to_owned();
    fs::write(
        dir.join("devices.toml"),
        map.replace(&root, &format!("root = {{ version = 3, payload = \"{known}\" }}")),
    )
    .unwrap();
    let record = ["-C", "record", "--devices", "devices.toml", "--json"];
    let (code, out, err) = run(&dir, &[&record[..], &["sign-snapshot", "--unattended"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let upload = dir.join(json(&out)["upload"].as_str().unwrap());
    for entry in fs::read_dir(upload).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, metadata.join(path.file_name().unwrap())).unwrap();
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let client = Command::new(target.join("test-venv/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python_tuf_client.py"))
        .arg(made.join("root.json"))
        .arg(&metadata)
        .args(["--target", "app1/firmware.bin", "--target", "app1/sub/patch.bin"])
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&client.stdout);
    assert!(client.status.success(), "{seen}{}", String::from_utf8_lossy(&client.stderr));
    assert!(seen.contains("\"root\": 3"), "{seen}");
    let tough = Command::new(target.join("standins/tough-client"))
        .args([made.join("root.json").as_path(), &metadata, Path::new("-")])
        .arg("app1/firmware.bin")
        .output()
        .unwrap();
    assert!(tough.status.success(), "{}", String::from_utf8_lossy(&tough.stderr));

    // From here on by our rules: an application is granted, its developer releases with python-tuf.
    let grant = format!(
        "ceremony = \"grant-delegation\"\ntitle = \"A second application\"\n{people}[delegation]\napplication = \"app2\"\n\
         keys = [\"app1\"]\nthreshold = 1\npaths = [\"app2/*\"]\nvalid-for = \"1 year\"\n"
    );
    hold(&dir, &grant, "grant");
    let released = release(&dir, &files["app1"], "app2");
    assert_eq!(released.file_name().unwrap(), "2.app2.json");
    let medium = released.parent().unwrap().to_str().unwrap();
    let (code, out, err) = run(&dir, &[&record[..], &["import", medium]].concat());
    assert_eq!((code, &json(&out)["left"]), (0, &serde_json::json!([])), "{out}{err}");
    // What a key that app2 doesn't list signed is left outside.
    let forged = release(&dir, &files["sub"], "app2");
    let (_, out, _) =
        run(&dir, &[&record[..], &["import", forged.parent().unwrap().to_str().unwrap()]].concat());
    assert_eq!(json(&out)["error"]["rule"], "ROLE-THRESHOLD", "{out}");
    let (code, out, err) = run(&dir, &[&record[..], &["sign-snapshot", "--unattended"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    for entry in fs::read_dir(dir.join(json(&out)["upload"].as_str().unwrap())).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, metadata.join(path.file_name().unwrap())).unwrap();
    }
    let client = Command::new(target.join("test-venv/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python_tuf_client.py"))
        .arg(made.join("root.json"))
        .arg(&metadata)
        .args(["--target", "app1/firmware.bin", "--target", "app2/tool.bin"])
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&client.stdout);
    assert!(client.status.success(), "{seen}{}", String::from_utf8_lossy(&client.stderr));
}

/// The newest document of an application, by python-tuf with one file more and signed by one key.
fn release(dir: &Path, key: &Path, application: &str) -> PathBuf {
    const SIGN: &str = "import sys\n\
        from cryptography.hazmat.primitives.serialization import load_pem_private_key\n\
        from securesystemslib.signer import CryptoSigner\n\
        from tuf.api.metadata import Metadata, TargetFile\n\
        before, key, phrase, target, after = sys.argv[1:]\n\
        document = Metadata.from_file(before)\n\
        document.signed.version += 1\n\
        document.signed.targets[target] = TargetFile.from_data(target, key.encode())\n\
        with open(key, 'rb') as file:\n    private = load_pem_private_key(file.read(), phrase.encode())\n\
        document.sign(CryptoSigner(private))\n\
        document.to_file(after)\n";
    let folder = dir.join("record/metadata").join(application);
    let newest = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let version: u64 =
        newest.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().parse().unwrap();
    let medium = dir.join(format!("from-{}", key.file_stem().unwrap().to_str().unwrap()));
    fs::create_dir_all(&medium).unwrap();
    let made = medium.join(format!("{}.{application}.json", version + 1));
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
    let target = format!("{application}/tool.bin");
    let done = Command::new(python)
        .args(["-c", SIGN])
        .args([newest.to_str().unwrap(), key.to_str().unwrap(), PHRASE, &target, made.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    made
}

#[test]
fn a_stock_notary_collection_comes_in_with_its_history_and_quirks() {
    let dir = folder("adopt-notary");
    let from = dir.join("published");
    copy(&fixture("notary-client/15-rotate-root-legacy"), &from);
    for n in 1..=6 {
        let name = format!("{n}.root.json");
        fs::copy(fixture("notary-client").join(&name), from.join(name)).unwrap();
    }
    let named = |public: &PublicKey, roles: &[RoleName]| {
        let short: String = public.identity().to_string().chars().take(6).collect();
        let role = roles[0].as_str().rsplit('/').next().unwrap().to_owned();
        format!("{role}-{short} someone")
    };
    let text = answers(&from, "production", named);
    let (code, out, err) = adopt(&dir, &from, &text, &[]);
    assert_eq!(code, 0, "{out}{err}");
    let report = json(&out);
    assert_eq!(report["roots"], 6, "{report}");
    assert!(report["quirks"].to_string().contains("DATE-FORM"), "{report}");
    assert_eq!(report["left"], serde_json::json!([]), "{report}");
    // Once more: nothing is asked but what it begins with, and nothing changes.
    let again = text.lines().take(2).collect::<Vec<_>>().join("\n");
    let (code, out, err) = adopt(&dir, &from, &again, &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(json(&out)["trust"], report["trust"]);
}

#[test]
fn roots_in_production_begin_a_history() {
    let history = History::look(&Media::open(&fixture("bottlerocket")).unwrap()).unwrap();
    assert_eq!((history.profile, history.chain.all().len()), (Profile::Tuf, 2));
    assert!(history.broken.is_none() && history.before.is_empty());
}

/// A folder; roots and documents that come in and what is left, or the rule; quirks.
type Tuftool<'a> = (&'a str, Result<(usize, usize, usize), &'a str>, &'a str);

/// Repositories that tuftool made, and roots that tough's own tests reject or accept.
#[test]
fn repositories_of_tuftool_come_in_as_far_as_they_verify() {
    let table: &[Tuftool<'_>] = &[
        ("rotated-root", Ok((2, 5, 0)), ""),
        ("consistent-snapshots", Ok((1, 4, 0)), ""),
        ("expired-repository", Ok((1, 4, 0)), ""),
        ("tuf-reference-impl", Ok((1, 6, 0)), "MEMBER-UNKNOWN META-PARTIAL"),
        ("dubious-role-names", Ok((1, 6, 0)), "DATE-FORM"),
        ("safe-target-paths", Ok((1, 5, 0)), ""),
        (
            "hex-encoded-ecdsa-sig-keys",
            Ok((1, 1, 0)),
            "DATE-FORM KEY-HEX-POINT KEY-TYPE-CURVE MEMBER-UNKNOWN",
        ),
        ("pem-encoded-ecdsa-sig-keys", Ok((1, 1, 0)), "KEY-TYPE-CURVE MEMBER-UNKNOWN"),
        ("ecdsa-new-type-sig-keys", Ok((1, 1, 0)), "MEMBER-UNKNOWN"),
        ("duplicate-sigs", Err("ROOT-THRESHOLD-NEW"), ""),
        ("duplicate-sig-keys", Err("ROOT-THRESHOLD-NEW"), ""),
        ("duplicate-keyid", Err("JSON"), ""),
        ("mismatched-root-json-keyids", Err("ROOT-THRESHOLD-NEW"), ""),
        ("no-root-json-signatures", Err("ROOT-THRESHOLD-NEW"), ""),
        ("invalid-root-json-signature", Err("ROOT-THRESHOLD-NEW"), ""),
    ];
    let mut wrong = String::new();
    for (name, expected, quirks) in table {
        let dir = folder(&format!("adopt-tough-{name}"));
        let from = fixture("tough").join(name);
        let look = History::look(&Media::open(&from).unwrap());
        let found = look.map_err(|e| e.rule().name).map(|_| {
            let mut text = answers(&from, "rehearsal", |public, _| {
                let short: String = public.identity().to_string().chars().take(8).collect();
                format!("key-{short} someone")
            });
            let (mut code, mut out, mut err) = adopt(&dir, &from, &text, &[]);
            // Files have no fixed names here, so keys of delegations are named as they are asked for.
            while err.contains("ANSWER-MISSING") {
                let id = err.split("key.").nth(1).unwrap_or_else(|| panic!("{name}: {err}"));
                let id: String = id.chars().take_while(char::is_ascii_hexdigit).collect();
                writeln!(text, "key.{id} = \"key-{id} someone\"").unwrap();
                fs::remove_dir_all(dir.join("record")).unwrap();
                (code, out, err) = adopt(&dir, &from, &text, &[]);
            }
            assert_eq!(code, 0, "{name}: {out}{err}");
            let report = json(&out);
            let record = Record::open(&dir.join("record")).unwrap();
            let contents =
                record.read_all("2030-01-01T00:00:00Z".parse().unwrap(), &Inputs::default()).unwrap();
            let left = report["left"].as_array().unwrap().len();
            let quirks: BTreeSet<_> = report["quirks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|q| q.as_str().unwrap().rsplit(' ').next().unwrap().to_owned())
                .collect();
            let quirks = quirks.into_iter().collect::<Vec<_>>().join(" ");
            ((contents.facts.roots.len(), contents.history.len(), left), quirks)
        });
        let (found, seen) = match found {
            Ok((counts, quirks)) => (Ok(counts), quirks),
            Err(rule) => (Err(rule), String::new()),
        };
        if found != *expected || seen != *quirks {
            writeln!(wrong, "(\"{name}\", {found:?}, \"{seen}\"),").unwrap();
        }
    }
    assert_eq!(wrong, "");
}

/// A repository whose root 1 wants two keys and lists one of them under two ids, since other tools counted
/// ids; the root from which on it stands.
fn short(from: &Path) -> keyrite::ceremony::facts::Anchor {
    fs::create_dir_all(from).unwrap();
    let one = made::root(1, 2, "ab");
    let mut json_one = made::json(&one);
    let a = made::entry(Profile::Tuf, 'a');
    *made::at(&mut json_one, &["keys", "0123"]) = a.entry.clone();
    *made::at(&mut json_one, &["roles", "root", "keyids"]) = keyrite::tuf::json::Json::Array(vec![
        a.id.as_str().into(),
        "0123".into(),
        made::entry(Profile::Tuf, 'b').id.as_str().into(),
    ]);
    let by = |id: &str| made::signed_as(Profile::Tuf, &json_one.canonical(), id, &made::letter('a'));
    fs::write(from.join("1.root.json"), made::file(&json_one, vec![by(a.id.as_str()), by("0123")])).unwrap();
    for version in 2..=3 {
        let root = made::root(version, 2, "ab");
        fs::write(from.join(format!("{version}.root.json")), made::signed(&root, "ab").bytes()).unwrap();
    }
    let history = History::look(&Media::open(from).unwrap()).unwrap();
    assert_eq!(history.broken.as_ref().unwrap().rule().name, "ROOT-THRESHOLD-NEW");
    assert_eq!(history.before, [1]);
    let start = history.start().unwrap();
    assert_eq!(start.version, 2);
    start
}

#[test]
fn where_distinct_keys_fall_short_it_begins_later_and_people_type_the_digest() {
    let dir = folder("adopt-short");
    let from = dir.join("published");
    let start = short(&from);
    let named = |public: &PublicKey, _: &[RoleName]| {
        let name =
            ['a', 'b', 't', 's', 'z'].into_iter().find(|c| made::letter(*c).public() == *public).unwrap();
        format!("key-{name} of-{name}")
    };
    let text = answers(&from, "rehearsal", named);
    let (code, _, err) = adopt(&dir, &from, &text, &[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("ANSWER-MISSING"), "{err}");
    let wrong = format!("{text}start = \"{}\"\n", Digest::of(b"another"));
    let (code, _, err) = adopt(&dir, &from, &wrong, &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("NOT-CONFIRMED"), "{err}");
    let (code, out, err) = adopt(&dir, &from, &format!("{text}start = \"{}\"\n", start.payload), &[]);
    assert_eq!(code, 0, "{out}{err}");
    let report = json(&out);
    assert_eq!(report["roots"], 2, "{report}");
    let left = report["left"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{report}");
    assert_eq!(left[0]["file"], "1.root.json");
    planted(&dir.join("record"), start.payload);
}

#[test]
fn an_administrator_at_a_terminal_types_the_digest_from_which_the_trust_begins() {
    let dir = folder("adopt-terminal");
    let from = dir.join("published");
    let start = short(&from);
    let line = ["adopt", "published", "--into", "record"];
    let mut pty = on_dumb_terminal(&dir, &line);
    pty.exp_string("the trust begins at root 2, without root 1").unwrap();
    // Another root's digest, and what is none at all, are told and asked again.
    let other = Digest::of(b"another").to_string();
    answer(&mut pty, "Type the payload digest of root 2.", &other);
    answer(&mut pty, "Type the payload digest of root 2.", "root 2");
    answer(&mut pty, "Type the payload digest of root 2.", &start.payload.to_string());
    answer(&mut pty, "Is this the root 3 that you know?", "no");
    let (rest, code) = ended(pty);
    assert!(rest.contains("NOT-CONFIRMED") && code == 1, "{code}: {rest}");
    assert!(!dir.join("record").exists(), "nothing is written before it is agreed to");

    let mut pty = on_dumb_terminal(&dir, &line);
    answer(&mut pty, "Type the payload digest of root 2.", &start.payload.to_string());
    answer(&mut pty, "Is this the root 3 that you know?", "Yes");
    answer(&mut pty, "Is this the real thing?", "rehearsal");
    answer(&mut pty, "What is the repository called?", "apps");
    let mut number = 0;
    loop {
        let needles = ["and who holds it?", "Who are you?"].map(|text| ReadUntil::String(text.to_owned()));
        let (_, found) = pty.exp_any(needles.into()).unwrap();
        pty.exp_string("> ").unwrap();
        if found == "Who are you?" {
            pty.send_line("ada").unwrap();
            break;
        }
        number += 1;
        pty.send_line(&format!("key-{number} of-{number} elsewhere")).unwrap();
    }
    let (rest, code) = ended(pty);
    assert_eq!(code, 0, "{rest}");
    assert!(number >= 2, "{number} keys were named");
    let record = Record::open(&dir.join("record")).unwrap();
    assert_eq!(record.trust().start, Some(start));
}

/// A key that someone slips in as adopted is none that the named document lists.
fn planted(at: &Path, root: Digest) {
    let record = Record::open(at).unwrap();
    let now = "2030-01-01T00:00:00Z".parse().unwrap();
    let mut transcript = Transcript::new(CeremonyId::from_bytes([9; 16]));
    let mut say = |outcome| {
        let said = Said { by: None, change: None, step: None, outcome, private: BTreeMap::new() };
        let appended = transcript.append(now, said).unwrap();
        record.add_outcome(CeremonyId::from_bytes([9; 16]), &appended).unwrap();
    };
    say(Outcome::Begin(Box::new(Begin {
        keyrite: "0".to_owned(),
        binary: Digest::of(b""),
        people: BTreeMap::new(),
        stage: record.trust().stage,
        runbooks: Vec::new(),
        heads: Vec::new(),
        host_checks: BTreeMap::new(),
    })));
    let public = made::letter('q').public();
    let file = KeyFile {
        trust: record.trust().id,
        name: "planted".parse().unwrap(),
        holder: "mallory".parse().unwrap(),
        purpose: Purpose::Delegation,
        public: public.clone(),
        certificate: None,
        change: root,
        possession: Possession::TrustedDocument(root),
        replaces: None,
        token: TokenNote::apart("elsewhere"),
        evidence: EvidenceNote::default(),
    };
    let sha = record.add_key(&file).unwrap();
    say(Outcome::Enrol { name: file.name.clone(), file: sha, identity: public.identity() });
    let contents = record.read_all(now, &Inputs::default()).unwrap();
    assert!(!contents.facts.keys.contains_key(&file.name));
    let (_, why) = contents.findings.iter().find(|(place, _)| place.contains("keys/planted")).unwrap();
    assert_eq!(why.rule().name, "KEY-POSSESSION", "{why}");
}

#[test]
fn what_has_no_root_is_refused() {
    let dir = folder("adopt-nothing");
    fs::create_dir_all(dir.join("empty")).unwrap();
    let (code, _, err) = adopt(&dir, &dir.join("empty"), "[answers]\n", &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("ADOPT-NOTHING"), "{err}");
    fs::write(dir.join("empty/root.json"), b"{}").unwrap();
    let (code, _, err) = adopt(&dir, &dir.join("empty"), "[answers]\n", &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("DOCUMENT-FORM") && err.contains("root.json"), "{err}");
    assert!(!dir.join("record").exists());
}
