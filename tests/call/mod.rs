//! The night on which a developer's key is stolen: the page that people have open, and everything that the
//! administrator types, counted.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use crate::stage::{Devices, Done, Stage, shell, shipped, utf8};
use crate::typist;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The page that people have open when the call comes.
const PAGE: &str = include_str!("../../ceremonies/break-glass/README.md");
const STOLEN: &str = "ceremonies/break-glass/developer-key-stolen/01-stolen.toml";

/// The lines that the page gives for a developer's stolen key, in their order.
pub fn page() -> Vec<String> {
    let section = PAGE.split("\n## ").find(|part| part.starts_with("developer-key-stolen\n")).unwrap();
    let lines = section.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let typed =
        |line: &str| line.split('`').nth(1).filter(|code| code.starts_with("keyrite ")).map(str::to_owned);
    lines.map(|line| with_own_map(&typed(line).unwrap_or_default())).collect()
}

/// A line with one's own device map, which keyrite did not write.
pub fn with_own_map(line: &str) -> String {
    line.replace("keyrite -C trust ", "keyrite -C trust --devices ../mine.toml ")
}

/// From the call to the upload: everything that is typed, in a folder with the record as `trust`, the
/// shipped runbooks, and the last upload's folder as `up`.
pub struct Call<'a> {
    pub stage: &'a Stage,
    pub desk: PathBuf,
    pub typed: Vec<String>,
    /// By which the desk's machine knows the backend.
    pub authority: PathBuf,
}

impl<'a> Call<'a> {
    pub fn comes(stage: &'a Stage, carried: &Path) -> Self {
        let desk = stage.path("desk");
        fs::create_dir_all(desk.join("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_keyrite"), desk.join("bin/keyrite")).unwrap();
        for (to, name) in [(stage.record.as_path(), "trust"), (carried, "up")] {
            symlink(to, desk.join(name)).unwrap();
        }
        Done::of(Command::new("cp").arg("-r").arg(shipped("")).arg(desk.join("ceremonies"))).ended(0);
        Self { stage, desk, typed: Vec::new(), authority: stage.path("backend/ca.crt") }
    }

    /// One's own device map, which the lines name since it was written by hand.
    pub fn has(&self, devices: &Devices<'_>) {
        devices.knowing(&self.stage.root()).write("mine.toml");
    }

    fn path(&self) -> String {
        format!("{}:{}", utf8(&self.desk.join("bin")), std::env::var("PATH").unwrap())
    }

    /// Types a line and waits for its end; what it showed, as one line.
    pub fn types(&mut self, folder: &str, line: &str) -> String {
        self.typed.push(line.to_owned());
        self.looks(folder, line)
    }

    /// What somebody else types, or no one has to.
    pub fn looks(&self, folder: &str, line: &str) -> String {
        let conf = self.stage.path("softhsm2.conf");
        let path = self.path();
        let mut environment = vec![("PATH", &*path), ("SOFTHSM2_CONF", utf8(&conf))];
        if self.authority.exists() {
            environment.push(("CURL_CA_BUNDLE", utf8(&self.authority)));
        }
        let text = shell(&self.desk.join(folder), line, &environment).ended(0).text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Types a line that asks, and answers as the administrator alone does: everything on the screen.
    pub fn answers(&mut self, line: &str) -> String {
        self.typed.push(line.to_owned());
        let mut command = Command::new("sh");
        command.args(["-euc", line]).current_dir(&self.desk);
        command.env("PATH", self.path()).env("SOFTHSM2_CONF", self.stage.path("softhsm2.conf"));
        typist::holds(command, &self.stage.record)
    }

    /// Names in the runbook what must not stay.
    pub fn leaves_out(&self, paths: &[&str]) {
        let runbook = self.desk.join(STOLEN);
        let text = fs::read_to_string(&runbook).unwrap();
        let out = format!("without-paths = {paths:?}");
        assert!(text.contains("without-paths = []"), "{text}");
        fs::write(&runbook, text.replace("without-paths = []", &out)).unwrap();
    }

    /// The upload that came since these were there, carried away.
    pub fn made_since(&self, before: &[String]) -> String {
        let made: Vec<_> =
            folders(&self.stage.record).into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        let at = self.desk.join(&made[0]);
        Done::of(Command::new("cp").arg("-r").arg(self.stage.record.join("uploads").join(&made[0])).arg(at))
            .ended(0);
        made[0].clone()
    }
}

/// The uploads of a record.
pub fn folders(record: &Path) -> Vec<String> {
    let all = fs::read_dir(record.join("uploads")).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
