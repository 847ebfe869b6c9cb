//! `keyrite developer new`, as a developer meets it: the program on a terminal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use keyrite::ceremony::facts::Stage;
use keyrite::record::{TrustFile, TrustSpec, enrolment};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use rexpect::session::{PtySession, spawn_command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PHRASE: &str = "correct horse battery staple";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("developer-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn trust(profile: Profile) -> TrustFile {
    let spec = TrustSpec {
        profile,
        collection: "updates.example.com/apps".to_owned(),
        stage: Stage::Production,
        limits: Digest::of(b"limits"),
        shadows: None,
        start: None,
        nonce: [1; 32],
    };
    TrustFile::new(&spec).unwrap()
}

fn new(folder: &Path, extra: &[&str]) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.current_dir(folder).args(["developer", "new", "dana", "--trust", "trust.json", "--out", "keys"]);
    command.args(extra);
    spawn_command(command, Some(60_000)).unwrap()
}

fn ends(mut session: PtySession) -> (String, i32) {
    let rest = session.exp_eof().unwrap();
    // `Exited(Pid(4711), 1)`: the type itself is not public.
    let status = format!("{:?}", session.process().wait().unwrap());
    let code = status.strip_prefix("Exited(").and_then(|s| s.trim_end_matches(')').rsplit(' ').next());
    let code = code.unwrap_or_else(|| panic!("{status}: {rest}")).parse().unwrap();
    (rest, code)
}

#[test]
fn a_developer_makes_a_key_and_is_told_what_to_send() {
    let folder = folder("new");
    let trust = trust(Profile::Notary);
    fs::write(folder.join("trust.json"), trust.to_json()).unwrap();
    let mut session = new(&folder, &[]);
    session.exp_string(&trust.trust().id.to_string()).unwrap();
    for prompt in ["(not shown) >", "(once more) >"] {
        session.exp_string(prompt).unwrap();
        session.send_line(PHRASE).unwrap();
    }
    let (rest, code) = ends(session);
    assert_eq!(code, 0, "{rest}");
    assert!(!rest.contains(PHRASE), "{rest}");
    for said in ["dana.enrol.json", "administrator", "[enrol.dev-dana]", "notary key import"] {
        assert!(rest.contains(said), "{said}: {rest}");
    }
    let bytes = fs::read(folder.join("keys/dana.enrol.json")).unwrap();
    enrolment::read(trust.trust(), &bytes).unwrap();
    let key = fs::read_to_string(folder.join("keys/dana.key")).unwrap();
    assert!(key.contains("role: delegation\n"), "{key}");

    // Once more: nothing is overwritten, nothing is asked.
    let (rest, code) = ends(new(&folder, &[]));
    assert_eq!(code, 1, "{rest}");
    assert!(rest.contains("FILE-EXISTS"), "{rest}");
    assert_eq!(fs::read(folder.join("keys/dana.enrol.json")).unwrap(), bytes);
}

#[test]
fn a_trust_that_was_changed_is_refused_before_anything_is_asked() {
    let folder = folder("trust");
    let text = String::from_utf8(trust(Profile::Tuf).to_json()).unwrap();
    fs::write(folder.join("trust.json"), text.replace("updates.example.com", "updates.example.net")).unwrap();
    let (rest, code) = ends(new(&folder, &[]));
    assert_eq!(code, 1, "{rest}");
    assert!(rest.contains("RECORD-OTHER"), "{rest}");
    assert!(!folder.join("keys").exists());
}

#[test]
fn without_a_terminal_nothing_is_made() {
    let folder = folder("no-terminal");
    fs::write(folder.join("trust.json"), trust(Profile::Tuf).to_json()).unwrap();
    let ended = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_keyrite"), "developer", "new", "dana"])
        .args(["--trust", "trust.json", "--out", "keys"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("NO-TERMINAL"));
    assert!(!folder.join("keys").exists());
}
