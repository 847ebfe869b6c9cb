//! What the scripts refuse before they do anything that takes minutes or can't be undone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use clap::{Command as Clap, CommandFactory as _};
use keyrite::cli::arguments::Arguments;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a script of the project; its exit code and what it says on stderr.
fn script(name: &str, arguments: &[&str]) -> (i32, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let run = Command::new(path).args(arguments).output().unwrap();
    (run.status.code().unwrap(), String::from_utf8(run.stderr).unwrap())
}

/// A new folder with one file in it.
fn used_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("of-someone"), "kept").unwrap();
    folder
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    for (name, told) in [
        ("scripts/release", "is not empty"),
        ("scripts/rehearse", "is there already"),
        ("scripts/story", "is there already"),
    ] {
        let folder = used_folder("scripts-used");
        let (code, stderr) = script(name, &[folder.to_str().unwrap()]);
        assert_eq!(code, 1, "{name}: {stderr}");
        assert!(stderr.contains(told), "{name}: {stderr}");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["of-someone"], "{name}");
        assert_eq!(fs::read_to_string(folder.join("of-someone")).unwrap(), "kept", "{name}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failing() {
    for (name, arguments, told) in [
        ("scripts/test", &["no-such-stage"][..], "no stage"),
        ("scripts/release", &[], "usage"),
        ("scripts/story", &["one", "two"], "usage"),
        ("scripts/release", &["not-there", "courier"], "--bin keyrite-courier"),
        ("scripts/release", &["not-there", "piv", "camera"], "no feature `camera`"),
        ("ceremonies/ci/rehearse", &[], "usage"),
    ] {
        let (code, stderr) = script(name, arguments);
        assert_eq!(code, 2, "{name}: {stderr}");
        assert!(stderr.contains(told), "{name}: {stderr}");
    }
}

/// `scripts/release` writes them by `examples/man.rs`.
#[test]
fn man_pages_tell_of_every_command_and_option() {
    fn pages(command: &Clap, name: &str, folder: &Path, found: &mut usize) {
        let path = folder.join(format!("{name}.1"));
        let page = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // In roff a hyphen that can be typed is written so.
        let plain = page.replace("\\-", "-");
        *found += 1;
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(plain.contains(&format!("--{option}")), "{name}: no --{option}");
        }
        let about = command.get_about().unwrap().to_string();
        let first = about.lines().next().unwrap().replace('\'', "\\*(Aq");
        assert!(plain.contains(&first), "{name}: no \"{first}\"");
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
            pages(sub, &format!("{name}-{}", sub.get_name()), folder, found);
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    clap_mangen::generate_to(Arguments::command(), &folder).unwrap();
    let mut found = 0;
    pages(&Arguments::command(), "keyrite", &folder, &mut found);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), found, "pages of nothing");
    assert!(found > 15, "{found}");
}
