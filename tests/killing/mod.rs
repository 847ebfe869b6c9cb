//! Runs a program and has it killed at its n-th call that changes files beneath a directory.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// When to kill.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// Never; the calls are counted.
    Count,
    /// Before the n-th call.
    Before(u64),
    /// In the middle of the n-th call, if it is a write; else before it.
    Torn(u64),
}

/// What came of one run.
pub struct Run {
    /// How many calls were seen.
    pub calls: u64,
    /// The last of them, for messages.
    pub last: String,
    /// All of them: number, name, path.
    pub log: Vec<String>,
    /// Whether it was killed.
    pub killed: bool,
    /// Whether it ended well.
    pub success: bool,
    /// What it printed.
    pub output: String,
}

impl Run {
    /// Every way to kill a run like this one: before each call, and in the middle of each write.
    pub fn kills(&self) -> Vec<Mode> {
        let torn = |(n, call): (u64, &String)| call.contains(" write ").then_some(Mode::Torn(n));
        let before = (1..).zip(&self.log).map(|(n, _)| Mode::Before(n));
        before.chain((1..).zip(&self.log).filter_map(torn)).collect()
    }
}

/// A new, empty directory where syncing costs nothing, since it is memory: nothing here tests the
/// disk itself.
pub fn folder(test: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    let dir = base.join(format!("keyrite-{}-{test}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The compiled `killat`.
pub struct Killer {
    program: PathBuf,
}

impl Killer {
    /// Compiles it for the test of this name, with the C compiler that the package needs anyway.
    pub fn new(test: &str) -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("killat-{test}"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standins/killat.c");
        let compiled = Command::new("cc").args(["-O1", "-Wall", "-o"]).arg(&program).arg(source).status();
        assert!(compiled.expect("a C compiler called cc").success());
        Self { program }
    }

    /// The line beneath which a program is run over `dir`, for whoever starts it themselves.
    pub fn line(&self, dir: &Path, mode: Mode) -> Vec<String> {
        let (word, n) = match mode {
            Mode::Count => ("before", 0),
            Mode::Before(n) => ("before", n),
            Mode::Torn(n) => ("torn", n),
        };
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        vec![path(&self.program), path(dir), word.to_owned(), n.to_string(), path(&self.report())]
    }

    /// The calls of the last run, a line each.
    pub fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.report()).unwrap().lines().map(str::to_owned).collect()
    }

    fn report(&self) -> PathBuf {
        self.program.with_extension("report")
    }

    /// Runs `program` over `dir`; `with` adds arguments and environment.
    pub fn run(&self, dir: &Path, mode: Mode, program: &OsStr, with: impl FnOnce(&mut Command)) -> Run {
        let line = self.line(dir, mode);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).arg(program);
        with(&mut command);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let calls = fs::read_to_string(self.report()).unwrap();
        let code = output.status.code();
        assert_ne!(code, Some(125), "killat failed: {}", text(&output.stderr));
        Run {
            calls: calls.lines().count() as u64,
            last: calls.lines().last().unwrap_or_default().to_owned(),
            log: calls.lines().map(str::to_owned).collect(),
            killed: code == Some(137),
            success: output.status.success(),
            output: text(&output.stdout) + &text(&output.stderr),
        }
    }
}
