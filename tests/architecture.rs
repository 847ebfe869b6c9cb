//! The shape of the tree: which layer reaches which, what the pure layers never touch, and what no
//! file may say.
//!
//! The compiler lets any module use any other; these tests don't. Each check is a function from
//! sources to complaints, tried first on a planted file that breaks it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod source;

use source::{Kind, Source, Token, files, paths, root, scan, sources};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Each layer and the layers it may name. `*` after a module: only the types of that module itself,
/// none of what lies below it.
const LAYERS: &[(&str, &[&str])] = &[
    ("tuf", &[]),
    // Of the lower one how to show a text, no more.
    ("system", &["tuf"]),
    ("signer", &["tuf", "system"]),
    ("ceremony", &["tuf"]),
    ("ui", &["tuf", "system", "signer", "ceremony"]),
    // Evidence about a token is kept in the record; no token is opened from there.
    ("record", &["tuf", "system", "ceremony", "signer*"]),
    ("cli", &["tuf", "system", "signer", "ceremony", "ui", "record"]),
    // The online half: nothing that holds a ceremony names it.
    ("courier", &["tuf", "system", "ceremony", "ui", "record", "cli"]),
];

/// Layers that are functions of their arguments alone.
const PURE: &[&str] = &["tuf", "ceremony"];

/// What a pure layer never names, with all that lies below it.
const IMPURE: &[&str] = &[
    "std", // a bare `std` could be renamed
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "std::os",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::time::*",
    "std::*",
    "jiff::Timestamp::now",
    "jiff::Zoned",
    "Timestamp::now",
    "getrandom",
    "aws_lc_rs::rand",
    "rustix",
    "cryptoki",
    "dialoguer",
    "console",
    "clap",
    "signal_hook",
];

/// The layer that knows which system it is on.
const SYSTEM: &str = "src/system/";

/// What is there on one system alone, with all that lies below it: no other layer names it.
const ONE_SYSTEM: &[&str] = &[
    "rustix",
    "libc",
    "landlock",
    "seccompiler",
    "signal_hook",
    "std::os",
    "os::fd",
    "os::linux",
    "os::unix",
    "os::windows",
    // The one call of a portable crate's that is not.
    "console::Term::read_write_pair",
    "Term::read_write_pair",
];

/// Words by which code is compiled for one system and not for another.
const CONDITIONS: &[&str] = &["unix", "windows", "target_os", "target_family"];

/// How the names of one system's own files and devices begin.
const OWN_FILES: &[&str] = &["/proc", "/sys/", "/dev/", "/etc/", "/run/"];

/// Lines for people to type, which no program of ours opens.
const TYPED_LINES: &[(&str, &str)] = &[
    ("src/cli/rules.rs", "mkdir -m 700 /dev/shm/cards"),
    ("src/cli/verify/report.rs", "rehearsals -type f 2>/dev/null"),
    ("src/record/upload/readme.rs", "curl -sS -o /dev/null -D -"),
];

/// Macros that write to the terminal.
const NOISY: &[&str] = &["println", "eprintln", "print", "eprint", "dbg"];

/// What a run takes from its machine, and the files that may take it: so that the program has no
/// switch for clock or randomness, and reads of its environment only how to write to a terminal and
/// where SoftHSM keeps its tokens.
const FROM_THE_MACHINE: &[(&[&str], &[&str])] = &[
    // The second asks whether the system has any, and keeps none.
    (&["getrandom"], &["src/signer/randomness.rs", "src/system/machine/facts.rs"]),
    // RSA alone: drawn inside aws-lc.
    (&["aws_lc_rs::rand", "SystemRandom"], &["src/signer/keyfile/private.rs"]),
    (&["Randomness::given"], &[]),
    (
        &["jiff::Timestamp::now", "Timestamp::now", "jiff::Zoned", "std::time::SystemTime"],
        &["src/cli/host.rs"],
    ),
    (
        &["std::env", "env::var", "env::var_os", "env::vars", "env::vars_os"],
        &[
            "src/ui/look.rs",
            "src/cli/host.rs",
            "src/cli/mod.rs",
            "src/courier/main.rs",
            "src/courier/home.rs",
            "src/cli/rehearse/cast.rs",
            "src/system/machine/modules.rs",
            "src/system/machine/calls.rs", // the architecture that it was built for
        ],
    ),
    (&["std::env::vars", "std::env::vars_os", "std::env::set_var"], &[]),
];

/// Variables of the environment that the program reads.
const ENVIRONMENT: &[&str] =
    &["LC_ALL", "LC_CTYPE", "LANG", "TERM", "NO_COLOR", "SOFTHSM2_CONF", "HOME", "XDG_STATE_HOME"];

const MOST_CRATES: usize = 300;
/// Of `keyrite-courier`, all those counted that it shares with the offline program.
const MOST_OF_COURIER: usize = 250;
/// The only feature of a program that is not for a machine without a network.
const ONLINE: &str = "courier";

/// The module of a file below `src`, as path parts: `src/tuf/wire/mod.rs` is `tuf`, `wire`.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

fn layer_of(path: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let module = module(path);
    LAYERS.iter().find(|(name, _)| module.first().is_some_and(|first| first == name))
}

/// Names of another layer that a layer must not name.
fn wrong_directions(all: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in all {
        let Some((layer, below)) = layer_of(&source.path) else { continue };
        for path in paths(source) {
            let mut at = module(&source.path);
            at.extend(path.token.inside.iter().cloned());
            let mut rest = path.parts.as_slice();
            match rest[0].as_str() {
                "crate" | "keyrite" => (at, rest) = (Vec::new(), &rest[1..]),
                "self" => rest = &rest[1..],
                "super" => {
                    while rest.first().is_some_and(|part| part == "super") {
                        at.pop();
                        rest = &rest[1..];
                    }
                }
                _ => continue,
            }
            at.extend(rest.iter().cloned());
            let place = format!("{}:{}", source.path, path.token.line);
            let Some(top) = at.first() else { continue };
            let deep = at.get(1).is_some_and(|next| next.starts_with(char::is_lowercase) || next == "*");
            let fine = top == layer
                || below.contains(&top.as_str())
                || (below.contains(&format!("{top}*").as_str()) && !deep)
                // A macro of the whole crate has no module.
                || (path.called && at.len() == 1);
            if !fine {
                found.push(format!("{place}: {layer} names {}", at.join("::")));
            }
        }
    }
    found
}

fn reaches(whole: &str, name: &str) -> bool {
    whole.strip_prefix(name).is_some_and(|rest| rest.is_empty() || (name != "std" && rest.starts_with("::")))
}

/// What reaches disk, network, clock, randomness or terminal from a pure layer, tests aside.
fn impurities(all: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in all {
        let Some((layer, _)) = layer_of(&source.path) else { continue };
        if !PURE.contains(layer) {
            continue;
        }
        for path in paths(source).iter().filter(|path| !path.token.test) {
            let whole = path.parts.join("::");
            if IMPURE.iter().any(|name| reaches(&whole, name))
                || (path.called && NOISY.contains(&whole.as_str()))
            {
                found.push(format!("{}:{}: {layer} reaches {whole}", source.path, path.token.line));
            }
        }
    }
    found
}

/// What takes time, randomness or a variable of the environment where it must not, tests aside.
fn switches(all: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in all {
        for path in paths(source).iter().filter(|path| !path.token.test) {
            let whole = path.parts.join("::");
            for (names, places) in FROM_THE_MACHINE {
                if names.iter().any(|name| reaches(&whole, name)) && !places.contains(&source.path.as_str()) {
                    found.push(format!("{}:{}: {whole}", source.path, path.token.line));
                }
            }
        }
        // The one host in the program is the system.
        let words: Vec<_> = source.tokens.iter().filter(|t| !t.test).collect();
        for four in words.windows(4) {
            if four[0].text == "impl"
                && four[1].text == "Host"
                && four[2].text == "for"
                && four[3].text != "System"
            {
                found.push(format!("{}:{}: a host {}", source.path, four[0].line, four[3].text));
            }
        }
        // A rehearsal holds the record's past again, at the moments that the record has.
        let sets_past =
            |three: &[&Token]| three[0].text == "past" && three[1].text == "." && three[2].text == "set";
        if source.path != "src/cli/rehearse/past.rs" {
            let sets = words.windows(3).filter(|three| sets_past(three));
            found.extend(sets.map(|t| format!("{}:{}: a moment that is past", source.path, t[0].line)));
        }
        // Names of variables look like nothing else in these files.
        let reads = [
            "src/ui/look.rs",
            "src/cli/host.rs",
            "src/cli/rehearse/cast.rs",
            "src/system/machine/modules.rs",
            "src/courier/home.rs",
        ];
        for token in words.iter().filter(|t| t.kind == Kind::Text && reads.contains(&source.path.as_str())) {
            let loud = token.text.len() > 2
                && token.text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            let ours = token.text.starts_with("CARGO_PKG_");
            if loud && !ours && !ENVIRONMENT.contains(&token.text.as_str()) {
                found.push(format!("{}:{}: the variable {}", source.path, token.line, token.text));
            }
        }
    }
    found
}

/// What only one system has, outside the layer that knows which one it is, tests aside.
fn bound_to_a_system(all: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in all.iter().filter(|source| !source.path.starts_with(SYSTEM)) {
        for path in paths(source).iter().filter(|path| !path.token.test) {
            let whole = path.parts.join("::");
            if ONE_SYSTEM.iter().any(|name| reaches(&whole, name)) {
                found.push(format!("{}:{}: {whole}", source.path, path.token.line));
            }
        }
        let tokens: Vec<&Token> = source.tokens.iter().filter(|token| !token.test).collect();
        let text = |token: &Token| {
            let typed = |(path, line): &(&str, &str)| source.path == *path && token.text.contains(line);
            OWN_FILES.iter().any(|name| token.text.contains(name)) && !TYPED_LINES.iter().any(typed)
        };
        let texts = tokens.iter().copied().filter(|token| token.kind == Kind::Text && text(token));
        let bound = texts.chain(conditions(&tokens));
        found.extend(bound.map(|token| format!("{}:{}: {}", source.path, token.line, token.text)));
    }
    found
}

/// The systems that code is compiled for, or not: what `cfg` has in its brackets.
fn conditions<'a>(tokens: &[&'a Token]) -> Vec<&'a Token> {
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, t)| ["cfg", "cfg_attr"].contains(&t.text.as_str())) {
        let mut open = 0;
        for token in tokens[at + 1..].iter().filter(|token| token.text != "!") {
            match token.text.as_str() {
                "(" => open += 1,
                ")" => open -= 1,
                name if CONDITIONS.contains(&name) => found.push(*token),
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
    }
    found
}

/// Words of the language, and texts, that no source may hold.
fn unwanted(all: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in all {
        for token in &source.tokens {
            let place = format!("{}:{}", source.path, token.line);
            match token.kind {
                Kind::Word if token.text == "unsafe" => found.push(format!("{place}: unsafe")),
                Kind::Text if !token.test && (token.text == "force" || token.text.contains("--force")) => {
                    found.push(format!("{place}: a switch that turns rules off"));
                }
                _ => {}
            }
        }
    }
    found
}

/// Lines that name a path of one machine, or where packages come from: both differ elsewhere.
fn machine_names(path: &str, text: &str) -> Vec<String> {
    // In pieces, or this file would be the first to be found.
    let names = [
        concat!("/", "work/"),
        concat!("/", "farm/"),
        concat!("/", "root/"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("proxy.golang", ".org"),
        concat!("deb.debian", ".org"),
    ];
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // In the middle of a relative path, `root` is a role.
        let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.})".contains(c));
        for name in names
            .iter()
            .filter(|name| line.match_indices(**name).any(|(at, _)| !name.starts_with('/') || starts(at)))
        {
            found.push(format!("{path}:{}: {name}", number + 1));
        }
    }
    found
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn layers_point_down() {
    none(&wrong_directions(&sources("src")));
}

#[test]
fn every_module_belongs_to_a_layer() {
    let outside: Vec<_> = sources("src")
        .into_iter()
        .map(|source| source.path)
        .filter(|path| layer_of(path).is_none() && path != "src/lib.rs" && path != "src/main.rs")
        .collect();
    none(&outside);
}

#[test]
fn pure_layers_reach_nothing_outside() {
    none(&impurities(&sources("src")));
}

#[test]
fn the_program_has_no_switch_for_clock_or_randomness() {
    none(&switches(&sources("src")));
    // What arguments there are is held to account in `src/cli/arguments.rs`.
}

#[test]
fn planted_switches_are_found() {
    for (path, text, complaints) in [
        ("src/cli/host.rs", "fn f() { jiff::Timestamp::now(); std::env::current_exe(); }", 0),
        ("src/cli/session.rs", "fn f() { jiff::Timestamp::now(); }", 1),
        ("src/cli/run.rs", "fn f() { getrandom::fill(&mut b); let t = std::time::SystemTime::now(); }", 2),
        ("src/cli/run.rs", "use crate::x; fn f() { Randomness::given(|b| Ok(())) }", 1),
        ("src/signer/randomness.rs", "fn f() { Randomness::given(|b| Ok(())); getrandom::fill(b); }", 1),
        ("src/cli/run.rs", "impl Host for Played { }", 1),
        ("src/cli/run.rs", "fn f() { session.past.set(Some(t)); let past = set.past; }", 1),
        ("src/cli/run.rs", "#[cfg(test)] mod tests { impl Host for Played { } use std::env; }", 0),
        ("src/cli/devices.rs", "use std::env; fn f() { env::var(\"KEYRITE_NOW\"); }", 2),
        ("src/ui/look.rs", "use std::env; fn f() { env::var(\"KEYRITE_NOW\"); env::var(\"TERM\"); }", 1),
        ("src/cli/mod.rs", "fn f() { std::env::args_os(); }", 0),
        ("src/cli/mod.rs", "fn f() { std::env::vars_os(); }", 1),
    ] {
        let found = switches(&[scan(path, text)]);
        assert_eq!(found.len(), complaints, "{path}: {text}: {found:?}");
    }
}

#[test]
fn one_module_knows_which_system_it_is_on() {
    let all = sources("src");
    none(&bound_to_a_system(&all));
    // What is let through is there, and what is looked for would be found where it belongs.
    for (path, line) in TYPED_LINES {
        let source = all.iter().find(|source| source.path == *path).unwrap();
        assert!(
            source.tokens.iter().any(|t| t.kind == Kind::Text && t.text.contains(line)),
            "{path}: {line}"
        );
    }
    let moved = all.into_iter().filter(|source| source.path.starts_with(SYSTEM));
    let moved: Vec<_> =
        moved.map(|source| Source { path: source.path.replace(SYSTEM, "src/cli/"), ..source }).collect();
    let elsewhere = bound_to_a_system(&moved).join("\n");
    for name in
        ["rustix::", "libc::", "landlock::", "seccompiler::", "signal_hook::", "std::os::", "/proc/", "/sys/"]
    {
        assert!(elsewhere.contains(name), "{name} is not found in {SYSTEM}");
    }
}

#[test]
fn planted_calls_of_one_system_are_found() {
    for (path, text, complaints) in [
        ("src/record/dir.rs", "use rustix::fs::{self, Mode}; use rustix::io::Errno;", 3),
        ("src/record/dir.rs", "use std::os::unix::ffi::OsStrExt as _; fn windows(unix: u64) {}", 1),
        ("src/record/dir.rs", "use std::os; fn f(x: os::fd::OwnedFd) {}", 2),
        ("src/record/dir.rs", "use std::{fs, os::linux::fs::MetadataExt};", 1),
        ("src/cli/pins.rs", "fn f() { rustix::process::geteuid(); libc::getuid(); }", 2),
        ("src/cli/pins.rs", "fn f() { std::fs::read(\"/proc/self/status\"); let a = \"/dev/tty\"; }", 2),
        ("src/cli/pins.rs", "fn f() { std::fs::read(\"/etc/machine-id\"); }", 1),
        ("src/ui/terminal.rs", "use console::Term; fn f() { Term::read_write_pair(a, b); }", 1),
        ("src/ui/interrupt.rs", "use signal_hook::consts::SIGINT;", 1),
        ("src/courier/home.rs", "#[cfg(unix)] fn f() {} #[cfg(target_os = \"linux\")] fn g() {}", 2),
        ("src/courier/home.rs", "fn f() { if cfg!(windows) {} }", 1),
        ("src/cli/rules.rs", "const A: &str = \"cat /dev/shm/other\";", 1),
        ("src/cli/rules.rs", "const A: &str = \"mkdir -m 700 /dev/shm/cards, and so on\";", 0),
        ("src/cli/run.rs", "const A: &str = \"mkdir -m 700 /dev/shm/cards, and so on\";", 1),
        (
            "src/cli/run.rs",
            "// rustix::fs and /proc/self\n/* /dev/tty */ fn f() { crate::system::files::x(); }",
            0,
        ),
        ("src/cli/run.rs", "#[cfg(test)] mod tests { use std::os::unix::fs::symlink; } use std::fs;", 0),
        ("src/system/files.rs", "use rustix::fs; const A: &str = \"/proc/self\";", 0),
    ] {
        let found = bound_to_a_system(&[scan(path, text)]);
        assert_eq!(found.len(), complaints, "{path}: {text}: {found:?}");
    }
}

#[test]
fn nothing_is_unsafe_and_nothing_forces() {
    none(&unwanted(&sources("src")));
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let mut all: Vec<String> = ["src", "tests", "benches", "scripts", "ceremonies", ".ci"]
        .iter()
        .flat_map(|folder| files(folder))
        .collect();
    all.extend(["README.md", "CHANGELOG.md", "Cargo.toml", "deny.toml", "clippy.toml"].map(str::to_owned));
    let mut found = Vec::new();
    for path in all.iter().filter(|path| !path.ends_with("Cargo.lock")) {
        // What is no text has no words to check.
        if let Ok(text) = fs::read_to_string(root().join(path)) {
            found.extend(machine_names(path, &text));
        }
    }
    none(&found);
}

/// Crates of a build with every feature that needs no network.
#[test]
fn few_crates() {
    let tree = |features: &str| {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
            .args(["--locked", "--offline", "--features", features])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let text = String::from_utf8(tree.stdout).unwrap();
        text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect::<BTreeSet<_>>()
    };
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let features = manifest["features"].as_table().unwrap().keys().map(String::as_str);
    let offline: Vec<&str> = features.filter(|feature| *feature != ONLINE).collect();
    assert_eq!(offline, ["piv", "yubihsm"], "the features of the operator's manual");
    let crates = tree(&offline.join(","));
    let of = |name: &str| crates.iter().any(|line| line.starts_with(&format!("{name} v")));
    for name in ["keyrite", "pcsc", "nusb"] {
        assert!(of(name), "{name} is not counted");
    }
    assert!(tree("").len() < crates.len());
    assert!(crates.len() <= MOST_CRATES, "{} crates, at most {MOST_CRATES}", crates.len());
    let courier = tree(ONLINE);
    assert!(courier.iter().any(|line| line.starts_with("ureq v")), "the courier's client is not counted");
    assert!(courier.len() <= MOST_OF_COURIER, "{} crates, at most {MOST_OF_COURIER}", courier.len());
}

#[test]
fn planted_directions_are_found() {
    for (path, text, complaints) in [
        ("src/tuf/key.rs", "use crate::tuf::json::Json; use super::rule;", 0),
        ("src/tuf/key.rs", "use crate::signer::Token;", 1),
        ("src/tuf/key.rs", "use crate::system::files;", 1),
        ("src/ceremony/step.rs", "use crate::system::files;", 1),
        ("src/system/files.rs", "use crate::record::Record;", 1),
        ("src/record/dir.rs", "use crate::system::files;", 0),
        ("src/tuf/key.rs", "use crate::{tuf::json, cli::{run, plan::*}};", 2),
        ("src/tuf/key.rs", "use super::super::ceremony;", 1),
        ("src/tuf/wire/mod.rs", "use super::super::ceremony;", 1),
        ("src/tuf/wire/tuf1.rs", "use super::super::ceremony;", 0), // tuf::ceremony, if there were one
        ("src/tuf/wire/tuf1.rs", "fn f() { super::super::super::record::go(); }", 1),
        ("src/tuf/key.rs", "mod tests { use super::super::json; }", 0),
        ("src/tuf/key.rs", "mod tests { use super::super::super::ui; }", 1),
        ("src/tuf/key.rs", "mod a {} mod b { } use super::super::ui;", 1),
        ("src/tuf/key.rs", "fn f() -> Vec<crate::ui::Line> { vec![] }", 1),
        ("src/tuf/key.rs", "fn f<T: crate::ui::Console>() {}", 1),
        ("src/tuf/key.rs", "impl crate::ui::Console for X {}", 1),
        ("src/tuf/key.rs", "crate::rules! { }", 0),
        ("src/tuf/key.rs", "use crate::Shortcut;", 1),
        ("src/tuf/key.rs", "use crate::*;", 1),
        (
            "src/tuf/key.rs",
            "/// As in [`crate::cli::run`].\n// crate::cli\n/* crate::cli /* */ crate::cli */",
            0,
        ),
        ("src/tuf/key.rs", "const A: &str = \"crate::cli::run\"; const B: &str = r#\"crate::cli\"#;", 0),
        ("src/tuf/key.rs", "const Q: char = '\"'; use crate::cli; const R: char = '\\'';", 1),
        ("src/tuf/key.rs", "fn f<'a>(x: &'a crate::cli::Args) {}", 1),
        ("src/ceremony/step.rs", "use crate::signer::Evidence;", 1),
        ("src/record/mod.rs", "use crate::signer::{Evidence, TokenIdentity};", 0),
        ("src/record/mod.rs", "use crate::signer::backends::open;", 1),
        ("src/record/mod.rs", "use crate::signer::*;", 1),
        ("src/ui/mod.rs", "use crate::record::Record;", 1),
        ("src/signer/mod.rs", "use keyrite::ui::Console;", 1),
        ("src/cli/run.rs", "use crate::{record, ui, signer, tuf, ceremony};", 0),
    ] {
        let found = wrong_directions(&[scan(path, text)]);
        assert_eq!(found.len(), complaints, "{path}: {text}: {found:?}");
    }
}

#[test]
fn planted_impurities_are_found() {
    for (path, text, complaints) in [
        ("src/tuf/key.rs", "use std::collections::BTreeMap; use std::time::Duration; use std::fmt;", 0),
        ("src/tuf/key.rs", "use std::fs;", 1),
        ("src/tuf/key.rs", "use std::{fmt, fs::File, io::{self, Read as _}};", 3),
        ("src/tuf/key.rs", "use std as s;", 1),
        ("src/tuf/key.rs", "use std::{self as s};", 1),
        ("src/tuf/key.rs", "use ::std::env;", 1),
        ("src/tuf/key.rs", "fn f() { let t = std::time::SystemTime::now(); }", 1),
        ("src/tuf/key.rs", "fn f() { jiff::Timestamp::now(); Timestamp::now(); }", 2),
        ("src/ceremony/engine.rs", "fn f() { getrandom::fill(&mut b); }", 1),
        ("src/ceremony/engine.rs", "fn f() { println!(\"x\"); let print = 1; }", 1),
        ("src/ceremony/engine.rs", "#[cfg(test)] mod tests { use std::fs; } use std::net;", 1),
        ("src/ceremony/engine.rs", "#[cfg(test)] use std::fs; use std::net;", 1),
        (
            "src/ceremony/engine.rs",
            "#[cfg(test)]\n#[allow(x)]\nfn f(a: [u8; 2]) { std::fs::x(); } use std::net;",
            1,
        ),
        ("src/record/store.rs", "use std::fs;", 0),
    ] {
        let found = impurities(&[scan(path, text)]);
        assert_eq!(found.len(), complaints, "{path}: {text}: {found:?}");
    }
}

#[test]
fn planted_words_are_found() {
    let text =
        "fn f() { unsafe { } let a = \"--force\"; #[arg(long = \"force\")] let unsafe_code = \"enforce\"; }";
    assert_eq!(unwanted(&[scan("src/cli/run.rs", text)]).len(), 3);
    let text = format!("a {}/x\nb\nc {}\n", concat!("/", "work/y"), concat!("index.crates", ".io"));
    assert_eq!(machine_names("README.md", &text).len(), 2);
    assert_eq!(machine_names("README.md", "the workshop, a crate, metadata/root/1.json").len(), 0);
}
