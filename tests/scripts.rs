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
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

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

/// A folder of programs by their names: these texts, or, for an empty one, that of the machine.
fn programs(name: &str, programs: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (program, text) in programs {
        let path = folder.join(program);
        if text.is_empty() {
            let whole = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
            symlink(String::from_utf8(whole.stdout).unwrap().trim(), path).unwrap();
        } else {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    folder
}

/// On a machine that has nothing yet the story says what to install.
#[test]
fn a_bare_machine_is_told_what_to_install() {
    let needed = ["env", "bash", "dirname", "mkdir", "flock", "date", "awk"].map(|name| (name, ""));
    let told = |name: &str, more: &[(&str, &str)]| {
        let path = programs(name, &[&needed[..], more].concat());
        let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/story");
        let mut story = Command::new(story);
        story.env_clear().env("PATH", &path).env("CARGO_TARGET_DIR", path.join("target"));
        let run = story.output().unwrap();
        assert_eq!(run.status.code(), Some(1));
        String::from_utf8(run.stderr).unwrap()
    };
    let cargo = ("cargo", "#!/bin/sh\n");
    let (none, no_packages) = ("#!/bin/sh\nexit 1\n", ("dpkg-query", "#!/bin/sh\nexit 1\n"));
    let user = ("id", "#!/bin/sh\necho 1000\n");
    assert!(told("scripts-bare", &[]).contains("install the Rust toolchain"));
    let elsewhere = told("scripts-no-debian", &[cargo]);
    assert!(elsewhere.contains("no Debian; install what corresponds to: softhsm2 notary"), "{elsewhere}");
    for (name, more) in [
        ("scripts-no-sudo", &[cargo, no_packages, user][..]),
        ("scripts-no-network", &[cargo, no_packages, user, ("sudo", none)]),
    ] {
        let told = told(name, more);
        assert!(told.contains("as root: apt-get update && apt-get install"), "{name}: {told}");
        assert!(told.contains("softhsm2 notary openssl curl python3"), "{name}: {told}");
    }
}

/// Every process that works in a folder, or was started with something in it.
fn working_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let about = |path: PathBuf| {
        let line = fs::read(path.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let cwd = fs::read_link(path.join("cwd")).unwrap_or_default();
        let here = line.contains(folder) || cwd.to_string_lossy().starts_with(folder);
        here.then(|| format!("{}: {line}", path.display()))
    };
    processes.filter_map(about).collect()
}

/// Ctrl-C in the middle of the story, with servers up and a program at a terminal of its own.
#[test]
fn an_interrupted_story_leaves_no_server_and_no_folder() {
    let begun = "#!/bin/sh\n: >\"$BEGUN\"\nexec sleep 300\n";
    let path = programs("scripts-interrupted/bin", &[("cargo", "#!/bin/sh\n")]);
    let target = programs("scripts-interrupted/target/debug", &[("keyrite", begun)]);
    let (target, room) = (target.parent().unwrap(), path.parent().unwrap().join("tmp"));
    let _ = fs::remove_dir_all(&room);
    fs::create_dir(&room).unwrap();
    let mark = path.join("begun");
    // Whoever runs the tests in the background has had them ignore the very signals.
    let mut story = Command::new("env");
    story.arg("--default-signal=INT,HUP").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/story"));
    let whole = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    story.env("PATH", whole).env("CARGO_TARGET_DIR", target).env("TMPDIR", &room).env("BEGUN", &mark);
    story.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut story = story.spawn().unwrap();
    let patience = Duration::from_millis(100);
    for _ in 0..1200 {
        if mark.exists() || story.try_wait().unwrap().is_some() {
            break;
        }
        sleep(patience);
    }
    assert!(mark.exists(), "the story has not come to its first line");
    let there = working_in(&room);
    assert!(there.len() > 5, "servers are up: {there:?}");
    let all = format!("-{}", story.id());
    assert!(Command::new("kill").args(["-INT", "--", &all]).status().unwrap().success());
    assert_eq!(story.wait().unwrap().code(), Some(130));
    // What a terminal was taken from ends a moment later.
    for _ in 0..100 {
        if working_in(&room).is_empty() {
            break;
        }
        sleep(patience);
    }
    assert_eq!(working_in(&room), Vec::<String>::new());
    assert_eq!(fs::read_dir(&room).unwrap().count(), 0);
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
