//! A place for one test with tokens: SoftHSM (or kryoptic) with a directory of its own, the faults
//! of `tests/standins/p11shim` where asked for, and a process for each stage of the test.
//!
//! A PKCS#11 module takes its configuration from the environment and is initialised once in a
//! process, so a test can't run beside others. It runs itself again instead: the test function is
//! called in a child process with `KEYRITE_STAGE` set, and does there what the stage says.

use keyrite::signer::backends::ModulePin;
use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Runs `body` in a process of its own, with SoftHSM behind the shim's `knobs`, if there are any.
pub fn alone(test: &str, knobs: &[&str], body: impl FnOnce()) {
    match stage() {
        Some(_) => body(),
        None => Lab::new(test).run("all", knobs),
    }
}

/// Which stage this process is to run; none in the test's first process.
pub fn stage() -> Option<String> {
    env::var("KEYRITE_STAGE").ok()
}

/// Where the stages of a test leave what the next shall know.
pub fn dir() -> PathBuf {
    PathBuf::from(env::var_os("KEYRITE_LAB").expect("run in a stage"))
}

/// The module that this stage is to load.
pub fn module() -> ModulePin {
    ModulePin { path: PathBuf::from(env::var_os("KEYRITE_MODULE").expect("run in a stage")), sha256: None }
}

/// What the shim has logged so far: how often a function was called.
pub fn calls(function: &str) -> usize {
    let log = fs::read_to_string(dir().join("log")).unwrap_or_default();
    log.lines().filter(|line| line.starts_with(&format!("{function} "))).count()
}

pub struct Lab {
    test: String,
    dir: PathBuf,
}

impl Lab {
    pub fn new(test: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{}", test.replace(':', "-")));
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(dir.join("tokens")).unwrap();
        let tokens = dir.join("tokens");
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nobjectstore.umask = 0077\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(dir.join("softhsm2.conf"), conf).unwrap();
        let slots: Vec<String> = (1..=2)
            .map(|n| {
                let database = dir.join(format!("{n}.sql"));
                format!("[[slots]]\nslot = {n}\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", database.display())
            })
            .collect();
        fs::write(dir.join("kryoptic.conf"), slots.concat()).unwrap();
        Self { test: test.to_owned(), dir }
    }

    /// Runs a stage with SoftHSM, behind the shim if there are knobs; it must succeed.
    pub fn run(&self, stage: &str, knobs: &[&str]) {
        let module = if knobs.is_empty() { existing(Path::new(SOFTHSM)) } else { self.shim(knobs) };
        let out = self.command(stage, &module).output().unwrap();
        assert!(
            out.status.success(),
            "stage {stage} of {}: {}\n{}{}",
            self.test,
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }

    /// Runs a stage that ends by SIGKILL, as a power cut would end it.
    pub fn run_killed(&self, stage: &str, knobs: &[&str]) {
        let out = self.command(stage, &self.shim(knobs)).output().unwrap();
        assert_eq!(out.status.signal(), Some(9), "{}", String::from_utf8_lossy(&out.stdout));
    }

    /// Runs a stage with kryoptic.
    pub fn run_kryoptic(&self, stage: &str) {
        let out = self.command(stage, &standin("libkryoptic_pkcs11.so")).output().unwrap();
        assert!(
            out.status.success(),
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }

    fn command(&self, stage: &str, module: &Path) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args([&self.test, "--exact", "--nocapture", "--test-threads=1"])
            .env("KEYRITE_STAGE", stage)
            .env("KEYRITE_LAB", &self.dir)
            .env("KEYRITE_MODULE", module)
            .env("KEYRITE_SHIM", self.dir.join("shim"))
            .env("SOFTHSM2_CONF", self.dir.join("softhsm2.conf"))
            .env("KRYOPTIC_CONF", self.dir.join("kryoptic.conf"));
        command
    }

    fn shim(&self, knobs: &[&str]) -> PathBuf {
        let log = self.dir.join("log");
        let lines = [format!("module={SOFTHSM}"), format!("log={}", log.display())];
        let lines: Vec<String> = lines.into_iter().chain(knobs.iter().map(|k| (*k).to_owned())).collect();
        fs::write(self.dir.join("shim"), lines.join("\n")).unwrap();
        drop(fs::remove_file(log));
        existing(Path::new(SOFTHSM));
        standin("libp11shim.so")
    }
}

/// A module that `scripts/test-deps` has built.
fn standin(name: &str) -> PathBuf {
    // From where this test is (target/debug/deps), since a target directory may be moved.
    let own = env::current_exe().unwrap();
    existing(&own.ancestors().nth(3).unwrap().join("standins").join(name))
}

fn existing(path: &Path) -> PathBuf {
    assert!(path.exists(), "{} is needed by this test: run scripts/test-deps", path.display());
    path.to_path_buf()
}
