//! A rehearsed day to break things in: made once per test program by the real binary, copied for
//! each case.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upto {
    /// Every key is in the record, no root yet.
    Keys,
    /// The whole first day.
    End,
}

static MADE: OnceLock<PathBuf> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn scratch() -> PathBuf {
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("day-{}-{n}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The two days, made once.
fn made() -> &'static Path {
    MADE.get_or_init(|| {
        let dir = scratch();
        let keys = dir.join("runbooks");
        fs::create_dir_all(&keys).unwrap();
        let first_day = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies/first-day");
        for name in ["01-root-keys.toml", "02-targets-key.toml", "03-enroll.toml"] {
            fs::copy(first_day.join(name), keys.join(name)).unwrap();
        }
        let whole = keyrite(&dir, &["rehearse", "--into", dir.join("end").to_str().unwrap()]);
        assert!(whole.status.success(), "{}", told(&whole));
        let part = keyrite(
            &dir,
            &["rehearse", "--into", dir.join("keys").to_str().unwrap(), keys.to_str().unwrap()],
        );
        assert!(part.status.success(), "{}", told(&part));
        dir
    })
}

/// A copy of a day's record, and a folder beside it.
pub struct Day {
    /// The folder of both.
    pub dir: PathBuf,
    /// The record.
    pub record: PathBuf,
}

/// A fresh copy.
pub fn day(upto: Upto) -> Day {
    let dir = scratch();
    let from = made().join(if upto == Upto::End { "end" } else { "keys" });
    copy(&from.join("record"), &dir.join("record"));
    copy(&from.join("incoming"), &dir.join("incoming"));
    Day { record: dir.join("record"), dir }
}

/// Runs keyrite in `dir`.
pub fn keyrite(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyrite")).current_dir(dir).args(args).output().unwrap()
}

/// What it said, for messages.
pub fn told(output: &Output) -> String {
    format!(
        "exit {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

impl Day {
    /// Runs keyrite on the record.
    pub fn keyrite(&self, args: &[&str]) -> Output {
        let mut all = vec!["-C", self.record.to_str().unwrap()];
        all.extend_from_slice(args);
        keyrite(&self.dir, &all)
    }

    /// The one file of `folder` whose name ends so.
    pub fn one(&self, folder: &str, end: &str) -> PathBuf {
        self.all(folder, end).pop().unwrap_or_else(|| panic!("{folder}/*{end}"))
    }

    /// Every file of `folder` whose name ends so, in order.
    pub fn all(&self, folder: &str, end: &str) -> Vec<PathBuf> {
        let mut found: Vec<_> = fs::read_dir(self.record.join(folder))
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.to_str().unwrap().ends_with(end))
            .collect();
        found.sort();
        found
    }

    /// The newest root as `VERSION:DIGEST`, as people have it on paper.
    pub fn anchor(&self) -> String {
        let out = self.keyrite(&["--json", "status"]);
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        format!("{}:{}", json["root"]["version"], json["root"]["payload"].as_str().unwrap())
    }

    /// Writes a file into the record under the name that its content demands: `prefix` + sha + `end`.
    pub fn plant(&self, folder: &str, prefix: &str, end: &str, bytes: &[u8]) -> PathBuf {
        let dir = self.record.join(folder);
        fs::create_dir_all(&dir).unwrap();
        let sha = keyrite::tuf::digest::Digest::of(bytes).hex();
        let path = dir.join(format!("{prefix}{sha}{end}"));
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Every file of the record but those of `private/`, by path, with its bytes: to see that
    /// nothing was written.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(&self.record, &mut files);
        files.retain(|path, _| !path.starts_with(self.record.join("private")));
        files
    }
}

fn walk(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(&entry.path(), files);
        } else if kind.is_file() {
            files.insert(entry.path(), fs::read(entry.path()).unwrap_or_default());
        }
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
