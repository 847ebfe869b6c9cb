//! The program, run as people run it: in a folder of its own, from a script or on a pseudo-terminal.

#![allow(dead_code, reason = "each test uses what it needs")]

use rexpect::session::PtySession;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A folder for one test, empty at its start.
pub fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test.replace(':', "-"));
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The program in `dir`, with SoftHSM's tokens there and nothing else of the environment's.
pub fn keyrite(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(arguments).current_dir(dir).env_clear();
    command.env("LANG", "C.UTF-8").env("TERM", "xterm").env("PATH", "/usr/bin:/bin");
    command.env("SOFTHSM2_CONF", dir.join("softhsm2.conf"));
    command
}

/// Runs it without a terminal and gives exit code, stdout and stderr.
pub fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = keyrite(dir, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs it on a pseudo-terminal; what is expected must come within 20 seconds.
pub fn on_terminal(dir: &Path, arguments: &[&str]) -> PtySession {
    rexpect::session::spawn_command(keyrite(dir, arguments), Some(20_000)).unwrap()
}

/// Runs it on a terminal that can't edit a line in place.
pub fn on_dumb_terminal(dir: &Path, arguments: &[&str]) -> PtySession {
    let mut command = keyrite(dir, arguments);
    command.env("TERM", "dumb");
    rexpect::session::spawn_command(command, Some(20_000)).unwrap()
}

/// Waits for a text on the terminal, then types a line.
pub fn answer(pty: &mut PtySession, question: &str, line: &str) {
    pty.exp_string(question).unwrap_or_else(|e| panic!("waited for {question:?}: {e}"));
    // Keys typed before the question are forgotten on purpose; the prompt is the sign to type.
    pty.exp_string("> ").unwrap_or_else(|e| panic!("waited for the prompt of {question:?}: {e}"));
    pty.send_line(line).unwrap();
}

/// The rest of the output, and the exit code.
pub fn ended(mut pty: PtySession) -> (String, i32) {
    let rest = pty.exp_eof().unwrap();
    // rexpect doesn't export the type: `Exited(Pid(123), 130)`.
    let status = format!("{:?}", pty.process().wait().unwrap());
    let code = status
        .strip_prefix("Exited(")
        .and_then(|s| s.strip_suffix(')'))
        .unwrap_or_else(|| panic!("{status}"));
    let code = code.rsplit(", ").next().unwrap().parse().unwrap();
    (rest, code)
}

/// SoftHSM tokens of these labels in `dir`, user PIN 1234, officer's PIN 87654321; the serials.
pub fn tokens(dir: &Path, labels: &[&str]) -> Vec<String> {
    let store = dir.join("tokens");
    fs::create_dir_all(&store).unwrap();
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        store.display()
    );
    fs::write(dir.join("softhsm2.conf"), conf).unwrap();
    for label in labels {
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--so-pin", "87654321", "--pin", "1234"])
            .env("SOFTHSM2_CONF", dir.join("softhsm2.conf"))
            .output()
            .expect("softhsm2-util; scripts/test-deps installs it");
        assert!(made.status.success(), "{made:?}");
    }
    let (_, listed, _) = run(dir, &["tokens", "--module", SOFTHSM, "--json"]);
    labels.iter().map(|label| serial(&listed, label)).collect()
}

fn serial(json: &str, label: &str) -> String {
    let after =
        json.split(&format!("\"label\":\"{label}\"")).nth(1).unwrap_or_else(|| panic!("no {label}: {json}"));
    after.split("\"serial\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}
