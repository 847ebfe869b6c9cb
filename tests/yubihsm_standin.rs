//! The simulated YubiHSM (tests/standins/yubihsm), seen by Yubico's own python client: what tests
//! of ours lean on is a device to others too. Each check is a function of tests/interop/hsm.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What `scripts/test-deps` has put into the target directory.
fn brought(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join(path);
    assert!(path.exists(), "{} is needed by this test: run scripts/test-deps", path.display());
    path
}

fn python(folder: &Path, check: &str) -> Output {
    // Without `-B` two at once would write one cache.
    Command::new(brought("test-venv/bin/python"))
        .args(["-B", "tests/interop/hsm/check.py"])
        .arg(brought("standins/yubihsm-standin"))
        .arg(folder)
        .arg(check)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("yubihsm-standin-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let out = python(&folder, name);
    let [said, complaint] = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(out.status.success(), "{complaint}");
    let seen = said.trim().strip_prefix(&format!("{name}: ")).and_then(|rest| rest.strip_suffix(" seen"));
    assert!(seen.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > 0), "{said}");
}

macro_rules! checks {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_check_is_run() {
            let out = python(Path::new("none"), "all");
            let all = String::from_utf8(out.stdout).unwrap();
            let mut all: Vec<_> = all.lines().collect();
            let mut run = [$(stringify!($name)),*];
            all.sort_unstable();
            run.sort_unstable();
            assert_eq!(all, run);
        }
    };
}

checks! {
    sessions authentication_keys capabilities delegation domains
    keys wrap reset limits state
    log forced_log attestation
    faults hostile
}
