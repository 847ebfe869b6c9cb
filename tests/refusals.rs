//! Bad input, each with its rule and exit code, and nothing written: through the real binary, on
//! copies of a rehearsed day.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod day;

use day::{Upto, day, told};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

fn refused(output: &Output, rule: &str, exit: i32, case: &str) {
    let text = told(output);
    assert!(text.contains(rule), "{case}: no {rule} in\n{text}");
    assert_eq!(output.status.code(), Some(exit), "{case}:\n{text}");
}

const ROOT: &str = include_str!("../ceremonies/first-day/04-root.toml");
const GRANT: &str = include_str!("../ceremonies/first-day/05-camera-station.toml");
const KEYS: &str = include_str!("../ceremonies/first-day/01-root-keys.toml");
const ENROLL: &str = include_str!("../ceremonies/first-day/03-enroll.toml");

/// One word of a runbook replaced by another.
type Swap = (&'static str, &'static str);

/// What is tried, on which day, the runbook, what is replaced in it, rule, exit code.
type Case = (&'static str, Upto, &'static str, &'static [Swap], &'static str, i32);

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn runbooks_are_refused_before_anything_is_written() {
    // Runbook, what is replaced in it, rule, exit code.
    let cases: &[Case] = &[
        ("one key twice", Upto::Keys, ROOT, &[("\"root-c\"]", "\"root-a\"]")], "KEY-DUPLICATE", 1),
        ("threshold 0", Upto::Keys, ROOT, &[("threshold = 2", "threshold = 0")], "THRESHOLD", 1),
        ("threshold over the keys", Upto::Keys, ROOT, &[("threshold = 2", "threshold = 4")], "SPARE-KEYS", 1),
        (
            "threshold under the floor",
            Upto::Keys,
            ROOT,
            &[("threshold = 2", "threshold = 1")],
            "THRESHOLD-FLOOR",
            1,
        ),
        (
            "targets threshold over the keys",
            Upto::Keys,
            ROOT,
            &[("[\"targets-1\"]\nthreshold = 1", "[\"targets-1\"]\nthreshold = 2")],
            "THRESHOLD-RANGE",
            1,
        ),
        ("no spare key", Upto::Keys, ROOT, &[(", \"root-c\"]", "]")], "SPARE-KEYS", 1),
        ("too long a life", Upto::Keys, ROOT, &[("\"2 years\"", "\"20 years\"")], "EXPIRY-LIMIT", 1),
        ("a key that nobody made", Upto::Keys, ROOT, &[("\"root-c\"", "\"root-d\"")], "KEY-UNKNOWN", 1),
        (
            "a key of another purpose",
            Upto::Keys,
            ROOT,
            &[("\"targets-1\"", "\"dev-dana\"")],
            "KEY-PURPOSE",
            1,
        ),
        (
            "an unknown member",
            Upto::Keys,
            ROOT,
            &[("threshold = 2", "threshold = 2\nforce = true")],
            "RUNBOOK",
            2,
        ),
        ("an unknown ceremony", Upto::Keys, ROOT, &[("create-root", "create-roots")], "CEREMONY-UNKNOWN", 2),
        (
            "no administrator",
            Upto::Keys,
            ROOT,
            &[("ada = \"administrator\"", "ada = \"custodian\"")],
            "PEOPLE",
            2,
        ),
        ("no witness", Upto::Keys, ROOT, &[("wim = \"witness\"\n", "")], "WITNESSES", 1),
        (
            "a witness who signs",
            Upto::Keys,
            ROOT,
            &[("wim = ", "will = "), ("bruno = \"custodian\"", "bruno = \"witness\"")],
            "WITNESS-SIGNS",
            1,
        ),
        ("a date", Upto::Keys, ROOT, &[("\"2 years\"", "\"2028-01-01T00:00:00Z\"")], "RUNBOOK-DATE", 2),
        ("a term that is none", Upto::Keys, ROOT, &[("\"2 years\"", "\"two years\"")], "TERM", 2),
        (
            "a name that is taken",
            Upto::Keys,
            KEYS,
            &[("\"root-b\"", "\"targets-1\""), ("\"root-a\"", "\"root-x\""), ("\"root-c\"", "\"root-y\"")],
            "KEY-NAME-TAKEN",
            1,
        ),
        (
            "an Ed25519 root key for Notary",
            Upto::Keys,
            KEYS,
            &[("root-a", "r1"), ("root-b", "r2"), ("root-c", "r3"), ("p256", "ed25519")],
            "KEY-NOTARY-ROOT",
            1,
        ),
        (
            "a name with a path in it",
            Upto::Keys,
            KEYS,
            &[("\"root-a\"", "\"../root-a\"")],
            "RUNBOOK-PLACE",
            2,
        ),
        (
            "a name that turns the text around",
            Upto::Keys,
            KEYS,
            &[("\"root-a\"", "\"root-\\u202Ea\"")],
            "NAME",
            2,
        ),
        (
            "no file for a key to enroll",
            Upto::Keys,
            ENROLL,
            &[("dev-dana", "dev-dan"), ("backend-snapshot", "backend-s"), ("backend-timestamp", "backend-t")],
            "ENROLMENT-MISSING",
            2,
        ),
        (
            "a second first root",
            Upto::End,
            ROOT,
            &[("Root of trust", "Another root"), ("\"root-c\"", "\"root-c2\"")],
            "ROOT-EXISTS",
            1,
        ),
        (
            "an application granted twice",
            Upto::End,
            GRANT,
            &[("\"camera-station/\"", "\"camera/\""), ("[\"dev-dana\"]", "[\"dev-dana\", \"dev-dana\"]")],
            "DELEGATION-EXISTS",
            1,
        ),
        (
            "a delegation of everything",
            Upto::End,
            GRANT,
            &[("\"camera-station\"", "\"all\""), ("\"camera-station/\"", "\"\"")],
            "DELEGATION-PATHS",
            1,
        ),
        (
            "an application that climbs out",
            Upto::End,
            GRANT,
            &[("\"camera-station\"", "\"Root\"")],
            "ROLE-NAME",
            1,
        ),
        (
            "a track of nothing",
            Upto::End,
            GRANT,
            &[("application = \"camera-station\"", "application = \"door\"\ntrack = \"beta\"")],
            "DELEGATOR-MISSING",
            1,
        ),
    ];
    for (case, upto, runbook, swaps, rule, exit) in cases {
        let day = day(*upto);
        let mut text = (*runbook).to_owned();
        for (from, to) in *swaps {
            assert!(text.contains(from), "{case}: no {from:?} in the runbook");
            text = text.replace(from, to);
        }
        let path = day.dir.join("runbook.toml");
        fs::write(&path, text).unwrap();
        let anchored = anchored(&day, *upto);
        let before = day.files();
        let mut args = vec!["plan", path.to_str().unwrap()];
        if let Some(devices) = &anchored {
            args.extend(["--devices", devices.to_str().unwrap()]);
        }
        refused(&day.keyrite(&args), rule, *exit, case);
        assert_eq!(day.files(), before, "{case}: something was written");
    }
}

/// One public key as a PEM file, in a certificate of its own, and as the backend writes keys.
#[test]
fn a_public_key_comes_in_once_whatever_it_is_wrapped_in() {
    let day = day(Upto::Keys);
    let key: serde_json::Value =
        serde_json::from_slice(&fs::read(day.one("keys/root-a", ".json")).unwrap()).unwrap();
    let spki = key["spki"].as_str().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    fs::write(day.dir.join("root-a.pem"), pem).unwrap();
    let openssl = |line: &str| {
        let run = Command::new("openssl").args(line.split(' ')).current_dir(&day.dir).output().unwrap();
        assert!(run.status.success(), "{}", told(&run));
    };
    openssl("pkey -pubin -in root-a.pem -pubout -out plain.pem");
    openssl("ecparam -name prime256v1 -genkey -noout -out other.key");
    openssl("req -x509 -new -key other.key -subj /CN=other -days 10 -out other.pem");
    openssl("req -new -key other.key -subj /CN=other -out other.csr");
    openssl(
        "x509 -req -in other.csr -CA other.pem -CAkey other.key -force_pubkey plain.pem -days 10 -out cert.pem",
    );
    fs::write(
        day.dir.join("backend.json"),
        format!("{{\"keytype\":\"ecdsa\",\"keyval\":{{\"private\":null,\"public\":\"{spki}\"}}}}"),
    )
    .unwrap();
    // Where a proof of possession is asked for, nothing comes in without one.
    for (file, purpose, rule) in [
        ("plain.pem", "snapshot", "KEY-TWO-ROLES"),
        ("cert.pem", "timestamp", "KEY-TWO-ROLES"),
        ("backend.json", "timestamp", "KEY-TWO-ROLES"),
        ("cert.pem", "root", "POSSESSION"),
        ("cert.pem", "delegation", "POSSESSION"),
    ] {
        let trust: serde_json::Value =
            serde_json::from_slice(&fs::read(day.record.join("trust.json")).unwrap()).unwrap();
        let devices = day.dir.join("devices.toml");
        fs::write(&devices, format!("[trust]\nid = {}\n[enrol.again]\nfile = \"{file}\"\n", trust["id"]))
            .unwrap();
        let runbook = day.dir.join("again.toml");
        let (head, _) = ENROLL.split_once("[[key]]").unwrap();
        let holder = if purpose == "delegation" || purpose == "root" { "dana" } else { "backend" };
        fs::write(
            &runbook,
            format!("{head}[[key]]\nname = \"again\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n"),
        )
        .unwrap();
        let before = day.files();
        let (devices, runbook) = (devices.to_str().unwrap(), runbook.to_str().unwrap());
        let case = format!("{file} for {purpose}");
        refused(&day.keyrite(&["plan", runbook, "--devices", devices]), rule, 1, &case);
        assert_eq!(day.files(), before, "{case}: something was written");
    }
}

/// A device map that knows the newest root, as people do.
fn anchored(day: &day::Day, upto: Upto) -> Option<std::path::PathBuf> {
    if upto == Upto::Keys {
        return None;
    }
    let trust: serde_json::Value =
        serde_json::from_slice(&fs::read(day.record.join("trust.json")).unwrap()).unwrap();
    let anchor = day.anchor();
    let (version, payload) = anchor.split_once(':').unwrap();
    let map =
        format!("[trust]\nid = {}\nroot = {{ version = {version}, payload = \"{payload}\" }}\n", trust["id"]);
    let path = day.dir.join("devices.toml");
    fs::write(&path, map).unwrap();
    Some(path)
}

#[test]
fn without_an_anchor_nothing_is_planned_and_nothing_verifies() {
    let day = day(Upto::End);
    refused(&day.keyrite(&["verify"]), "ANCHOR", 1, "verify");
    let path = day.dir.join("door.toml");
    fs::write(&path, GRANT.replace("camera-station", "door")).unwrap();
    refused(&day.keyrite(&["plan", path.to_str().unwrap()]), "ANCHOR", 1, "plan");
    let wrong = format!("1:{}", "ab".repeat(32));
    refused(&day.keyrite(&["verify", "--anchor", &wrong]), "ANCHOR", 1, "another root on paper");
    refused(&day.keyrite(&["verify", "--anchor", "one"]), "ANCHOR-FORM", 2, "no anchor at all");
    let right = day.keyrite(&["verify", "--anchor", &day.anchor()]);
    assert!(right.status.success(), "{}", told(&right));
}

/// Breaks one file of a record by hand, then has it verified.
#[test]
fn a_record_that_someone_changed_does_not_verify() {
    type Break = fn(&day::Day);
    let cases: &[(&str, Break, &str)] = &[
        ("a byte of a transcript", |d| edit(&confirmation(d), "confirm", "confirn"), "RECORD-TORN"),
        (
            "an outcome left out",
            |d| fs::remove_file(&d.all(&transcript(d), ".json")[3]).unwrap(),
            "TRANSCRIPT-BROKEN",
        ),
        ("a payload", |d| edit(&first(d, "changes", "0.payload.json"), "2028", "2038"), "CHANGE-PAYLOAD"),
        ("a signature taken out of root", |d| strip(d), "ROOT-THRESHOLD-NEW"),
        ("a second file for one key", second_key, "KEY"),
        ("looser limits", looser_limits, "LIMITS"),
        ("another trust's name", |d| edit(&d.record.join("trust.json"), "apps", "evil"), "RECORD-OTHER"),
        ("an equal member twice", |d| edit(&d.record.join("trust.json"), "{", "{\"format\":1,"), "JSON"),
        (
            "an unknown member",
            |d| edit(&d.record.join("trust.json"), "{", "{\"force\":true,"),
            "RECORD-MEMBER",
        ),
    ];
    for (case, break_it, rule) in cases {
        let day = day(Upto::End);
        let anchor = day.anchor();
        break_it(&day);
        refused(&day.keyrite(&["verify", "--anchor", &anchor]), rule, 1, case);
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no {from:?} in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn transcript(day: &day::Day) -> String {
    // The longest one: the root's.
    let mut folders: Vec<_> =
        fs::read_dir(day.record.join("transcripts")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort_by_key(|f| fs::read_dir(f).unwrap().count());
    folders.pop().unwrap().strip_prefix(&day.record).unwrap().to_str().unwrap().to_owned()
}

fn confirmation(day: &day::Day) -> std::path::PathBuf {
    let files = day.all(&transcript(day), ".json");
    files.into_iter().find(|f| fs::read_to_string(f).unwrap().contains("\"act\":\"confirm\"")).unwrap()
}

fn first(day: &day::Day, folder: &str, end: &str) -> std::path::PathBuf {
    let mut all: Vec<_> = fs::read_dir(day.record.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.into_iter()
        .map(|c| c.join(end))
        .find(|p| p.exists() && fs::read_to_string(p).unwrap().contains("2028"))
        .unwrap()
}

/// Leaves one of three signatures in root, under the name that the new bytes demand.
fn strip(day: &day::Day) {
    let path = day.one("metadata/root", ".json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["signatures"].as_array_mut().unwrap().truncate(1);
    let signed = fs::read_to_string(&path).unwrap();
    let (head, _) = signed.split_once(",\"signatures\":").unwrap();
    let text = format!("{head},\"signatures\":{}}}", json["signatures"]);
    fs::remove_file(path).unwrap();
    day.plant("metadata/root", "1.", ".json", text.as_bytes());
}

fn second_key(day: &day::Day) {
    let text = fs::read_to_string(day.one("keys/root-a", ".json")).unwrap();
    day.plant(
        "keys/root-a",
        "",
        ".json",
        text.replace("\"holder\":\"ada\"", "\"holder\":\"eve\"").as_bytes(),
    );
}

fn looser_limits(day: &day::Day) {
    let text = fs::read_to_string(day.one("limits", ".toml")).unwrap();
    day.plant("limits", "2.", ".toml", text.replace("witnesses", "# witnesses").as_bytes());
}

#[test]
fn a_hostile_medium_is_left_alone() {
    let day = day(Upto::End);
    let medium = day.dir.join("medium");
    for folder in ["keys/root-a", "statements", "metadata/root", "changes"] {
        fs::create_dir_all(medium.join(folder)).unwrap();
    }
    fs::copy(day.record.join("trust.json"), medium.join("trust.json")).unwrap();
    let sha = "ab".repeat(32);
    symlink("/etc/passwd", medium.join(format!("statements/{sha}.json"))).unwrap();
    symlink("/dev/zero", medium.join(format!("keys/root-a/{sha}.json"))).unwrap();
    let fifo = medium.join(format!("metadata/root/2.{sha}.json"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::write(medium.join("keys/root-a/evil\u{1b}[31m\u{202e}.json"), "{}").unwrap();
    let endless = fs::File::create(medium.join(format!("statements/{}.json", "cd".repeat(32)))).unwrap();
    endless.set_len(1 << 40).unwrap();
    let before = day.files();
    let out = day.keyrite(&["import", medium.to_str().unwrap()]);
    let text = told(&out);
    for rule in ["MEDIA-KIND", "MEDIA-SIZE", "RECORD-NAME"] {
        assert!(text.contains(rule), "no {rule} in\n{text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "an escape reached the screen:\n{text}");
    assert_eq!(day.files(), before, "something was taken from a hostile medium");
}

#[test]
fn statements_and_keys_that_someone_planted_are_not_taken() {
    let day = day(Upto::End);
    let anchor = day.anchor();
    let medium = day.dir.join("medium");
    day::copy(&day.record, &medium);
    // A copy whose key file names another holder, and one whose limits are looser.
    let key = fs::read_dir(medium.join("keys/root-b")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&key).unwrap().replace("\"holder\":\"bruno\"", "\"holder\":\"mallory\"");
    let sha = keyrite::tuf::digest::Digest::of(text.as_bytes()).hex();
    fs::write(key.with_file_name(format!("{sha}.json")), &text).unwrap();
    let limits = "format = 1\n[root]\nspare-keys = 0\n";
    let sha = keyrite::tuf::digest::Digest::of(limits.as_bytes()).hex();
    fs::write(medium.join(format!("limits/2.{sha}.toml")), limits).unwrap();
    let before = day.files();
    let out = day.keyrite(&["import", medium.to_str().unwrap()]);
    let text = told(&out);
    assert!(text.contains("KEY-UNWITNESSED") && text.contains("LIMITS-UNSIGNED"), "{text}");
    assert_eq!(day.files(), before, "{text}");
    let out = day.keyrite(&["verify", "--anchor", &anchor]);
    assert!(out.status.success(), "{}", told(&out));
}

#[test]
fn one_writer_at_a_time() {
    let day = day(Upto::Keys);
    fs::create_dir_all(day.record.join("private")).unwrap();
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(day.record.join("private/lock"))
        .unwrap();
    lock.lock().unwrap();
    let path = day.dir.join("root.toml");
    fs::write(&path, ROOT).unwrap();
    refused(&day.keyrite(&["plan", path.to_str().unwrap()]), "RECORD-BUSY", 1, "a second writer");
}

#[test]
fn other_directories_and_files_are_not_records() {
    let day = day(Upto::Keys);
    let elsewhere = day.dir.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let out = day::keyrite(&elsewhere, &["status"]);
    refused(&out, "RECORD-MISSING", 2, "an empty directory");
    let out = day.keyrite(&["plan", "no-such-file.toml"]);
    assert_ne!(out.status.code(), Some(0), "{}", told(&out));
    let out = day.keyrite(&["run", elsewhere.to_str().unwrap()]);
    refused(&out, "RUNBOOK-MISSING", 2, "a folder without runbooks");
}

#[test]
fn the_command_line_refuses_by_name_too() {
    let day = day(Upto::End);
    let anchor = anchored(&day, Upto::End).unwrap();
    let devices = ["--devices", anchor.to_str().unwrap()];
    let with = |args: &[&str]| day.keyrite(&[&devices[..], args].concat());
    refused(&with(&["--json", "revoke-everything"]), "USAGE", 2, "no such command");
    refused(&with(&["sign", "--external", "root-a"]), "KEY-ELSEWHERE", 1, "nothing waits for the key");
    refused(&with(&["sign-snapshot", "--unattended"]), "PROFILE-ONLINE", 1, "the backend's work");
    let text = day.dir.join("latin1.toml");
    fs::write(&text, b"ceremony = \"\xe9\"").unwrap();
    refused(&with(&["plan", text.to_str().unwrap()]), "TEXT-FILE", 2, "no UTF-8");
    let grant = day.dir.join("door.toml");
    fs::write(&grant, GRANT.replace("camera-station", "door").replace("Camera station", "Door")).unwrap();
    let nowhere = ["plan", grant.to_str().unwrap(), "--write-answers", "/dev/null/answers.toml"];
    refused(&with(&nowhere), "FILE-WRITE", 3, "a folder that can't be");
    let mut full = Command::new("sh");
    full.args(["-c", "\"$0\" \"$@\" > /dev/full", env!("CARGO_BIN_EXE_keyrite"), "-C"]);
    let out = full.args([day.record.to_str().unwrap(), "status"]).output().unwrap();
    refused(&out, "TERMINAL", 3, "nobody to tell");
}

/// The proposer's words and the frame can be anything; what is signed is computed again.
#[test]
fn a_change_that_says_another_thing_than_its_runbook_is_not_signed() {
    let day = day(Upto::End);
    let anchor = anchored(&day, Upto::End).unwrap();
    let map = fs::read_to_string(&anchor).unwrap()
        + "[key.targets-1]\nuri = \"file:targets-1.pem\"\npin = \"tty\"\n";
    fs::write(&anchor, map).unwrap();
    let grant = day.dir.join("door.toml");
    fs::write(&grant, GRANT.replace("camera-station", "door").replace("Camera station", "Door")).unwrap();
    let devices = ["--devices", anchor.to_str().unwrap()];
    let plan = day.keyrite(&[&devices[..], &["--json", "plan", grant.to_str().unwrap()]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let honest = day.record.join("changes").join(plan["change"].as_str().unwrap());
    let text = fs::read_to_string(honest.join("change.json")).unwrap();
    let lie = text.replace("one key alone", "nothing at all");
    assert_ne!(lie, text);
    let digest = keyrite::tuf::digest::Digest::of(lie.as_bytes()).hex();
    let planted = day.record.join("changes").join(&digest);
    fs::rename(&honest, &planted).unwrap();
    fs::write(planted.join("change.json"), lie).unwrap();
    let answers = day.dir.join("answers.toml");
    fs::write(&answers, format!("[answers]\nread-back = \"same\"\nconfirm = \"{digest}\"\n")).unwrap();
    let answered = ["--answers", answers.to_str().unwrap(), "--unattended"];
    let out = day.keyrite(&[&devices[..], &["sign"], &answered].concat());
    refused(&out, "CHANGE-RECOMPUTED", 1, "sign");
    // The runbook is planned anew, and what was agreed to for the lie is agreed to for nothing.
    let out = day.keyrite(&[&devices[..], &["run", grant.to_str().unwrap()], &answered].concat());
    refused(&out, "ANSWER-WRONG", 2, "run");
}

#[test]
fn online_roles_are_signed_by_the_keys_that_limits_name_alone_and_lose_nothing() {
    let dir = day(Upto::Keys).dir;
    let into = dir.join("tuf");
    let out =
        day::keyrite(&dir, &["--json", "rehearse", "--profile", "tuf", "--into", into.to_str().unwrap()]);
    assert!(out.status.success(), "{}", told(&out));
    let day = day::Day { record: into.join("record"), dir: into };
    let anchor = anchored(&day, Upto::End).unwrap();
    let snapshot = ["--devices", anchor.to_str().unwrap(), "sign-snapshot", "--unattended"];
    let targets = day.one("metadata/camera-station", ".json");
    let kept = fs::read(&targets).unwrap();
    fs::remove_file(&targets).unwrap();
    refused(&day.keyrite(&snapshot), "SNAPSHOT-LOSES", 1, "a document that went missing");
    fs::write(&targets, kept).unwrap();
    for role in ["snapshot", "timestamp"] {
        fs::remove_dir_all(day.record.join("metadata").join(role)).unwrap();
    }
    let out = day.keyrite(&snapshot);
    refused(&out, "KEY-ONLINE", 1, "no key in reach");
}

/// Whoever prepared a medium doesn't choose which module is loaded and which root is believed.
#[test]
fn a_map_that_lies_beside_a_record_counts_on_the_machine_that_wrote_it_alone() {
    let day = day(Upto::End);
    let own = anchored(&day, Upto::End).unwrap();
    let text = fs::read_to_string(&own).unwrap();
    let planted = day.record.join("devices.toml");
    let foreign = text.replace("[trust]\n", &format!("[trust]\nmachine = \"{}\"\n", "00".repeat(32)));
    assert_ne!(foreign, text);
    let grant = day.dir.join("door.toml");
    fs::write(&grant, GRANT.replace("camera-station", "door").replace("Camera station", "Door")).unwrap();
    let commands: [&[&str]; 5] = [
        &["verify"],
        &["status"],
        &["plan", "door.toml"],
        &["run", "door.toml"],
        &["sign-snapshot", "--unattended"],
    ];
    for map in [&text, &foreign] {
        fs::write(&planted, map).unwrap();
        let before = day.files();
        for command in commands {
            refused(&day.keyrite(command), "DEVICES-ELSEWHERE", 1, command[0]);
        }
        // In the folder itself, where `sign` and `tokens` look.
        for command in [&["sign"][..], &["tokens", "list"]] {
            refused(&day::keyrite(&day.record, command), "DEVICES-ELSEWHERE", 1, command[0]);
        }
        assert_eq!(day.files(), before, "nothing is written");
        let named = day.keyrite(&["--devices", planted.to_str().unwrap(), "verify"]);
        assert!(named.status.success(), "{}", told(&named));
    }
}

/// A folder of a medium that would be read in place, larger than the memory that is there.
#[test]
fn an_upload_of_any_size_is_compared_file_by_file() {
    let day = day(Upto::End);
    let upload = day.all("uploads", "").pop().unwrap();
    let manifest = fs::read_to_string(upload.join("MANIFEST")).unwrap();
    let zeros = keyrite::tuf::digest::Digest::of(&vec![0; 60 << 20]);
    let many = 12;
    let mut lines: Vec<_> = manifest.lines().skip(1).map(str::to_owned).collect();
    lines.extend((0..many).map(|n| format!("{zeros}  {}  zeros-{n}.json  -", 60 << 20)));
    lines.sort();
    let head = manifest.lines().next().unwrap();
    let listed = format!("{head}\n{}\n", lines.join("\n"));
    let planted = day.record.join("uploads").join(keyrite::tuf::digest::Digest::of(listed.as_bytes()).hex());
    day::copy(&upload, &planted);
    fs::write(planted.join("MANIFEST"), listed).unwrap();
    for folder in [&upload, &planted] {
        for n in 0..many {
            fs::File::create(folder.join(format!("zeros-{n}.json"))).unwrap().set_len(60 << 20).unwrap();
        }
    }
    let mut little = Command::new("sh");
    little.args(["-c", "ulimit -v 400000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_keyrite"), "-C"]);
    let out = little.args([day.record.to_str().unwrap(), "--json", "status"]).output().unwrap();
    assert!(out.status.success(), "{}", told(&out));
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let found: Vec<_> = said["findings"].as_array().unwrap().iter().map(|f| &f["rule"]).collect();
    assert!(!found.is_empty() && found.iter().all(|rule| *rule == "MANIFEST-MISMATCH"), "{said}");
}

#[test]
fn a_rehearsal_that_stops_says_so() {
    let day = day(Upto::Keys);
    let folder = day.dir.join("only-root");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("1.toml"), ROOT).unwrap();
    let into = day.dir.join("stopped");
    let args = ["rehearse", "--on", "softhsm", "--into", into.to_str().unwrap(), folder.to_str().unwrap()];
    let out = day::keyrite(&day.dir, &args);
    refused(&out, "REHEARSAL-STUCK", 1, "keys that nobody made");
    assert!(told(&out).contains("KEY-UNKNOWN"), "{}", told(&out));
    let out = day::keyrite(&day.dir, &["rehearse", "--into", day.dir.to_str().unwrap()]);
    refused(&out, "FILE-EXISTS", 1, "a folder in use");
}

#[test]
fn a_record_that_lost_its_root_does_not_pass_for_a_new_one() {
    let day = day(Upto::End);
    let anchor = day.anchor();
    let devices = anchored(&day, Upto::End).unwrap();
    fs::remove_dir_all(day.record.join("metadata")).unwrap();
    refused(&day.keyrite(&["verify", "--anchor", &anchor]), "ANCHOR", 1, "verify");
    let another = day.dir.join("root.toml");
    fs::write(&another, ROOT.replace("Root of trust", "Another")).unwrap();
    let plan = ["--devices", devices.to_str().unwrap(), "plan", another.to_str().unwrap()];
    refused(&day.keyrite(&plan), "ANCHOR", 1, "a second first root");
}
