//! `keyrite init`: from a dozen answers to a record, a device map and the first day's runbooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod program;

use program::{SOFTHSM, answer, ended, folder, on_dumb_terminal, on_terminal, run, tokens};
use std::fs;
use std::path::Path;

/// What the examples in `ceremonies/` are made of.
const NOTARY: &str = r#"
[answers]
profile = "notary"
stage = "production"
collection = "updates.example.com/apps"
administrator = "ada"
root-holders = "ada, bruno, carla"
root-threshold = "2"
algorithm = "p256"
token.root-a = "elsewhere"
token.root-b = "elsewhere"
token.root-c = "elsewhere"
targets-holder = "uma"
token.targets-1 = "file"
backend = "https://notary.example.com"
application = "camera-station"
developer = "dana"
developer-proof = "proved"
witnesses = "wim"
confirm = "Yes"
"#;

fn tuf() -> String {
    NOTARY
        .replace("\"notary\"", "\"tuf\"")
        .replace("backend = \"https://notary.example.com\"", "online-keys = \"elsewhere\"")
        .replace("developer-proof = \"proved\"\n", "")
}

fn init(dir: &Path, answers: &str) -> (i32, String, String) {
    fs::write(dir.join("answers.toml"), answers).unwrap();
    run(dir, &["init", "--answers", "answers.toml", "--unattended", "record"])
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_examples_are_what_init_writes() {
    for (example, answers) in [("first-day", NOTARY.to_owned()), ("first-day-tuf", tuf())] {
        let dir = folder(&format!("init-{example}"));
        let (code, out, err) = init(&dir, &answers);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let made = dir.join("record/first-day");
        let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies").join(example);
        assert_eq!(files(&made), files(&shown));
        for file in files(&made) {
            let table = |folder: &Path| {
                let mut table: toml::Table = fs::read_to_string(folder.join(&file)).unwrap().parse().unwrap();
                table.remove("title");
                table
            };
            assert_eq!(table(&made), table(&shown), "{example}/{file}");
        }
    }
}

#[test]
fn the_record_and_the_device_map_name_one_trust() {
    let dir = folder("init-one-trust");
    let (code, out, err) = init(&dir, NOTARY);
    assert_eq!((code, err.as_str()), (0, ""));
    let trust = fs::read_to_string(dir.join("record/trust.json")).unwrap();
    let map: toml::Table = fs::read_to_string(dir.join("record/devices.toml")).unwrap().parse().unwrap();
    let id = map["trust"]["id"].as_str().unwrap();
    assert!(trust.contains(&format!("\"id\":\"{id}\"")), "{trust}");
    assert!(out.contains(id));
    assert_eq!(map["backend"]["url"].as_str(), Some("https://notary.example.com"));
    let keys = map["key"].as_table().unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["targets-1"], "the others are elsewhere");
    assert_eq!(keys["targets-1"]["uri"].as_str(), Some("file:private/keys/targets-1.pem"));
    assert_eq!(map["enrol"]["dev-dana"]["file"].as_str(), Some("dana.enrol.json"));
    let limits = files(&dir.join("record/limits"));
    let limits = fs::read_to_string(dir.join("record/limits").join(&limits[0])).unwrap();
    let limits: toml::Table = limits.parse().unwrap();
    assert_eq!(limits["targets"]["software-keys"].as_bool(), Some(true), "the targets key is a file");
    assert_eq!(limits["root"]["spare-keys"].as_integer(), Some(1));
    assert_eq!(limits["root"]["witnesses"].as_integer(), Some(1));
    assert_eq!(limits["delegations"]["possession"].as_str(), Some("proved"));
    assert!(out.contains(
        "curl -fsS https://notary.example.com/v2/updates.example.com/apps/_trust/tuf/snapshot.key -o snapshot.key"
    ));
    assert!(!dir.join("record/private/init").exists());
}

/// A map of one's own that was carried away with its record, changed, and brought back on a medium: it
/// bears the machine's mark, and could name any module to load.
#[test]
fn a_map_counts_where_init_wrote_it_and_nowhere_else() {
    let dir = folder("init-carried");
    assert_eq!(init(&dir, NOTARY).0, 0);
    let copy = dir.join("stick");
    assert!(
        std::process::Command::new("cp")
            .arg("-r")
            .arg(dir.join("record"))
            .arg(&copy)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink(dir.join("record"), dir.join("link")).unwrap();
    let status = |from: &Path, record: &str| {
        let mut line = std::process::Command::new(env!("CARGO_BIN_EXE_keyrite"));
        let out = line.current_dir(from).args(["-C", record, "status"]).output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    for (from, record) in
        [(&dir, "record"), (&dir, "link"), (&dir.join("record"), "."), (&dir, "./stick/../record")]
    {
        assert_eq!(status(from, record), (0, String::new()), "{record}");
    }
    for (from, record) in [(&dir, "stick"), (&copy, ".")] {
        let (code, told) = status(from, record);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("DEVICES-ELSEWHERE"), "{told}");
    }
}

#[test]
fn answers_that_make_no_trust_are_refused_and_nothing_is_written() {
    for (from, to, rule, exit) in [
        ("\"updates.example.com/apps\"", "\"rehearsal.invalid/apps\"", "COLLECTION", 2),
        ("\"updates.example.com/apps\"", "\"a b\"", "COLLECTION", 2),
        ("administrator = \"ada\"", "administrator = \"Ada\"", "NAME", 2),
        ("\"ada, bruno, carla\"", "\"ada\"", "INIT", 2),
        ("\"ada, bruno, carla\"", "\"ada, bruno, ada\"", "INIT", 2),
        ("root-threshold = \"2\"", "root-threshold = \"1\"", "INIT", 2),
        ("root-threshold = \"2\"", "root-threshold = \"4\"", "INIT", 2),
        ("algorithm = \"p256\"", "algorithm = \"ed25519\"", "ANSWER-WRONG", 2),
        ("token.root-a = \"elsewhere\"", "token.root-a = \"file\"", "ANSWER-WRONG", 2),
        ("token.root-a = \"elsewhere\"", "token.root-a = \"external\"", "ANSWER-WRONG", 2),
        ("application = \"camera-station\"", "application = \"Camera\"", "ROLE-NAME", 1),
        ("witnesses = \"wim\"", "witnesses = \"none\\nx\"", "ANSWER", 2),
        ("witnesses = \"wim\"", "witnesses = \"uma\"", "WITNESS-SIGNS", 1),
        ("\"https://notary.example.com\"", "\"notary; rm\"", "DEVICES", 2),
        ("confirm = \"Yes\"", "confirm = \"yes\"", "ANSWER-WRONG", 2),
        ("confirm = \"Yes\"\n", "", "ANSWER-MISSING", 2),
        ("confirm = \"Yes\"\n", "confirm = \"Yes\"\nforce = \"Yes\"\n", "ANSWER-UNUSED", 2),
        (
            "token.root-a = \"elsewhere\"",
            "token.root-a = \"token\"\nmodule.root-a = \"/nowhere.so\"",
            "MODULE",
            3,
        ),
    ] {
        let dir = folder("init-refused");
        assert!(NOTARY.contains(from), "{from}");
        let (code, _, err) = init(&dir, &NOTARY.replace(from, to));
        assert!(err.contains(&format!(": {rule}")), "{to}: {err}");
        assert_eq!(code, exit, "{to}: {err}");
        assert!(!dir.join("record").exists(), "{to}: {:?}", files(&dir));
    }
}

/// A rehearsal's backend is on this machine, as the question says; the real thing's may be anywhere.
#[test]
fn a_rehearsal_names_no_server_elsewhere() {
    let rehearsal = NOTARY.replace("\"production\"", "\"rehearsal\"");
    let at = |answers: &str, url: &str| answers.replace("https://notary.example.com", url);
    for url in [
        "https://notary.example.com",
        "http://192.0.2.7:4443",
        "https://127.0.0.1.example.com",
        "http://localhost.example.com:4443",
        "http://[2001:db8::1]:4443",
    ] {
        let dir = folder("init-rehearsal-elsewhere");
        let (code, _, err) = init(&dir, &at(&rehearsal, url));
        assert!(
            err.starts_with("refused: UPLOAD-STAGE\n") && err.contains("on this machine"),
            "{url}: {err}"
        );
        assert_eq!(code, 1, "{url}: {err}");
        assert!(!dir.join("record").exists(), "{url}: {:?}", files(&dir));
        let (code, _, err) = init(&dir, &at(NOTARY, url));
        assert_eq!((code, err.as_str()), (0, ""), "{url}");
    }
    for url in ["http://127.0.0.1:4443", "http://localhost:4443", "https://[::1]:4443", "none"] {
        let dir = folder("init-rehearsal-here");
        let (code, _, err) = init(&dir, &at(&rehearsal, url));
        assert_eq!((code, err.as_str()), (0, ""), "{url}");
        let map = fs::read_to_string(dir.join("record/devices.toml")).unwrap();
        assert_eq!(map.contains(url), url != "none", "{map}");
    }
}

#[test]
fn a_place_that_is_taken_is_refused_before_the_first_question() {
    for taken in ["trust.json", "devices.toml", "first-day"] {
        let dir = folder("init-taken");
        fs::create_dir(dir.join("record")).unwrap();
        fs::write(dir.join("record").join(taken), "mine").unwrap();
        let (code, _, err) = run(&dir, &["init", "record"]);
        assert_eq!(code, 1, "{err}");
        assert!(err.starts_with("refused: FILE-EXISTS\n"), "{err}");
        assert_eq!(fs::read_to_string(dir.join("record").join(taken)).unwrap(), "mine");
        assert_eq!(files(&dir.join("record")), [taken]);
    }
}

/// A run that was cut off after any of its files is finished by the same answers; with others, it
/// is refused, and what is there stays.
#[test]
fn a_run_that_was_cut_off_is_finished() {
    let dir = folder("init-cut-off");
    assert_eq!(init(&dir, NOTARY).0, 0);
    let whole = files(&dir.join("record"));
    let trust = fs::read(dir.join("record/trust.json")).unwrap();
    let nonce = String::from_utf8(trust.clone()).unwrap();
    let nonce = nonce.split("\"nonce\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let steps: Vec<&String> =
        whole.iter().filter(|f| !f.starts_with("private") && !f.starts_with('.')).collect();
    for cut in 0..steps.len() {
        fs::create_dir_all(dir.join("record/private")).unwrap();
        fs::write(dir.join("record/private/init"), &nonce).unwrap();
        for file in &steps[cut..] {
            let _ = fs::remove_file(dir.join("record").join(file));
        }
        let (code, _, err) = init(&dir, NOTARY);
        assert_eq!((code, err.as_str()), (0, ""), "cut before {}", steps[cut]);
        assert_eq!(files(&dir.join("record")), whole, "cut before {}", steps[cut]);
        assert_eq!(fs::read(dir.join("record/trust.json")).unwrap(), trust);
    }
    fs::write(dir.join("record/private/init"), &nonce).unwrap();
    let (code, _, err) = init(&dir, &NOTARY.replace("dana", "dora"));
    assert_eq!(code, 1);
    assert!(err.contains("FILE-EXISTS"), "{err}");
}

#[test]
fn json_is_one_object_on_stdout() {
    let dir = folder("init-json");
    fs::write(dir.join("answers.toml"), NOTARY).unwrap();
    let (code, out, err) =
        run(&dir, &["init", "--answers", "answers.toml", "--unattended", "record", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 1);
    assert!(
        out.starts_with("{\"directory\":\"record\",\"runbooks\":[\"first-day/01-root-keys.toml\","),
        "{out}"
    );
    assert!(out.contains("\"schema\":1"), "{out}");
}

/// Every question in its order, with a wrong answer here and there, on two kinds of terminal.
#[test]
fn a_person_answers_on_a_terminal() {
    for dumb in [false, true] {
        let dir = folder(if dumb { "init-dumb" } else { "init-terminal" });
        let serials = tokens(&dir, &["root-a", "root-b", "targets"]);
        let start = if dumb { on_dumb_terminal } else { on_terminal };
        let mut pty = start(&dir, &["init", "record"]);
        let down = |times: usize| if dumb { (times + 1).to_string() } else { "\u{1b}[B".repeat(times) };
        let clear = if dumb { String::new() } else { "\u{7f}".repeat(100) };
        // Below `token` stands what this build knows besides.
        let elsewhere = 1 + usize::from(cfg!(feature = "piv")) + usize::from(cfg!(feature = "yubihsm"));
        let asked = [
            ("Who reads the signed metadata?", down(0)),
            ("Is this the real thing?", down(1)),
            ("What is the collection called?", "apps".to_owned()),
            ("Who leads the ceremonies?", "Ada".to_owned()),
            ("Careful", "ada".to_owned()),
            ("Who holds a root key?", "ada,bruno".to_owned()),
            ("How many of the 2 must sign", String::new()),
            ("What kind of keys?", down(0)),
            ("Where will ada's key root-a be?", down(0)),
            ("Which PKCS#11 library", format!("{clear}/nowhere.so")),
            ("Careful", format!("{clear}{SOFTHSM}")),
            ("Which token is ada's?", down(0)),
            ("Where will bruno's key root-b be?", down(0)),
            ("Which PKCS#11 library", String::new()),
            ("Which token is bruno's?", String::new()),
            ("Who is the update-service administrator?", "uma".to_owned()),
            ("Where will uma's key targets-1 be?", down(elsewhere)),
            ("What is the Notary server's address?", String::new()),
            ("What is the first application called?", "camera-station".to_owned()),
            ("Who is its first developer?", "dana".to_owned()),
            ("How does dana show to have the key?", down(1)),
            ("Who watches and records?", String::new()),
            ("every root key must sign", "yes".to_owned()),
            ("Type Yes exactly to go on", "Yes".to_owned()),
        ];
        for (question, line) in &asked {
            answer(&mut pty, question, line);
        }
        let (rest, code) = ended(pty);
        assert_eq!(code, 0, "{rest}");
        assert!(rest.contains("REHEARSAL - The trust is made"), "{rest}");
        let map = fs::read_to_string(dir.join("record/devices.toml")).unwrap();
        for (label, serial) in ["root-a", "root-b"].iter().zip(&serials) {
            assert!(map.contains(&format!("pkcs11:token={label};serial={serial};object={label}")), "{map}");
        }
        assert!(!map.contains(&serials[2]), "nobody's key is there: {map}");
    }
}

#[test]
fn ctrl_c_gives_the_cursor_back_and_writes_nothing() {
    // At a choice, in a line, and where a word must be typed.
    for after in 0..3 {
        let dir = folder("init-ctrl-c");
        let mut pty = on_terminal(&dir, &["init", "record"]);
        if after == 0 {
            pty.exp_string("> notary").unwrap();
        } else {
            answer(&mut pty, "Who reads the signed metadata?", "");
            answer(&mut pty, "Is this the real thing?", "");
            if after == 2 {
                answer(&mut pty, "What is the collection called?", "apps");
            }
            pty.exp_string(if after == 1 { "collection called?" } else { "leads the ceremonies?" }).unwrap();
            pty.exp_string("> ").unwrap();
            pty.send("half an ans").unwrap();
            pty.flush().unwrap();
            // Only then are all keys taken, and the next one is waited for.
            pty.exp_string("half an ans").unwrap();
        }
        pty.send_control('c').unwrap();
        let (rest, code) = ended(pty);
        assert_eq!(code, 130, "{rest}");
        assert!(rest.contains("interrupted: INTERRUPTED"), "{rest}");
        let (hidden, shown) = (rest.rfind("\u{1b}[?25l"), rest.rfind("\u{1b}[?25h"));
        assert!(shown.is_some() && hidden <= shown, "{rest:?}");
        assert!(!dir.join("record").exists());
    }
}

#[test]
fn without_a_terminal_or_answers_it_says_so() {
    let dir = folder("init-no-terminal");
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_keyrite"), "init", "record"]).current_dir(&dir);
    let out = command.output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    let err = String::from_utf8(out.stderr).unwrap();
    assert!(err.starts_with("refused: NO-TERMINAL\n"), "{err}");
}
