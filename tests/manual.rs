//! The pages for people against the program: every command that they show is one, every rule, folder and
//! ceremony that they name is there, and what they say to type is what can be typed.
//!
//! What the lines do is tested where that is built; here is seen that none of them has been left behind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use clap::Parser;
use clap::error::ErrorKind;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::kinds;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::runbook::Runbook;
use keyrite::cli::arguments::Arguments;
use keyrite::tuf::profile::Profile;
use stage::{Stage, block, blocks, shell, utf8};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [(&str, &str); 5] = [
    ("README.md", include_str!("../README.md")),
    ("ceremonies/README.md", include_str!("../ceremonies/README.md")),
    ("ceremonies/break-glass/README.md", include_str!("../ceremonies/break-glass/README.md")),
    ("ceremonies/FORMAT.md", include_str!("../ceremonies/FORMAT.md")),
    ("CHANGELOG.md", include_str!("../CHANGELOG.md")),
];
const MANUAL: &str = PAGES[1].1;
const RULES: &str = include_str!("../ceremonies/RULES.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a page that are to be typed: indented by four, without their comments.
fn typed(page: &str) -> Vec<&str> {
    let lines = page.lines().filter(|line| line.starts_with("    "));
    lines.map(|line| line.split("  #").next().unwrap_or(line).trim()).collect()
}

/// What stands between single backticks in the text around those lines.
fn quoted(page: &str) -> Vec<&str> {
    let text = page.lines().filter(|line| !line.starts_with("    "));
    text.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The words of a command as a shell hands them over.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn every_command_on_the_pages_is_one() {
    let mut seen = 0;
    for (name, page) in PAGES {
        for line in typed(page).into_iter().filter(|line| line.starts_with("keyrite ")) {
            let refused = Arguments::try_parse_from(words(line)).err();
            assert!(refused.is_none(), "{name}: {line}\n{}", refused.unwrap());
            seen += 1;
        }
        // In a sentence a command may go without what it needs at least.
        for line in quoted(page).into_iter().filter(|line| line.starts_with("keyrite ")) {
            let refused = Arguments::try_parse_from(words(line)).err();
            let short = |kind| {
                matches!(
                    kind,
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                )
            };
            assert!(
                refused.as_ref().is_none_or(|error| short(error.kind())),
                "{name}: {line}\n{}",
                refused.unwrap()
            );
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} commands were found");
}

#[test]
fn every_rule_on_the_pages_is_one() {
    let known: BTreeSet<&str> = RULES.split('`').skip(1).step_by(2).collect();
    let mut seen = 0;
    for (name, page) in PAGES {
        for word in quoted(page) {
            let letters = word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            // What people put their own in place of.
            let own = ["DIGEST-FROM-PAPER"].contains(&word);
            if letters && !own && word.contains('-') && word.len() > 6 && !word.ends_with('-') {
                assert!(known.contains(word), "{name}: {word} is no rule");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} rules were found");
}

#[test]
fn every_file_that_is_named_is_there_and_every_folder_is_named() {
    let mut named = BTreeSet::new();
    for (name, page) in PAGES {
        let lines = typed(page).into_iter().flat_map(str::split_whitespace);
        for word in lines.chain(quoted(page).into_iter().flat_map(str::split_whitespace)) {
            let word = word.trim_end_matches(['.', ',', ';']).trim_end_matches('/');
            if word.starts_with("ceremonies/") || word.starts_with("scripts/") {
                assert!(root().join(word).exists(), "{name}: {word}");
            }
            named.insert(word.trim_start_matches("ceremonies/").split('/').next().unwrap().to_owned());
        }
    }
    for entry in fs::read_dir(root().join("ceremonies")).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let folder = path.file_name().unwrap().to_str().unwrap();
        assert!(!path.is_dir() || named.contains(folder), "no page names ceremonies/{folder}");
    }
}

#[test]
fn the_table_of_ceremonies_has_them_all_and_runbooks_on_the_page_are_read() {
    let rows = MANUAL.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let listed: BTreeSet<&str> = rows.filter(|(_, what)| what.contains('[')).map(|(name, _)| name).collect();
    let known: BTreeSet<&str> = kinds::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(listed, known);

    let mut seen = 0;
    for (name, page) in PAGES {
        let mut block = String::new();
        for line in page.lines().chain([""]) {
            if let Some(line) = line.strip_prefix("    ") {
                block.push_str(line);
                block.push('\n');
                continue;
            }
            if block.starts_with("ceremony = ") {
                let runbook = Runbook::parse(&block).unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
                assert!(kinds::read(&runbook).is_ok(), "{name}: {block}");
                seen += 1;
            }
            block.clear();
        }
    }
    assert!(seen >= 2, "{seen} runbooks");
}

#[test]
fn a_custodian_who_is_elsewhere_makes_a_key_by_the_line_that_run_prints() {
    let stage =
        Stage::new("manual-elsewhere", Profile::Tuf, Kind::Rehearsal, &Limits::default_for(Profile::Tuf));
    fs::create_dir_all(stage.path("keys")).unwrap();
    let ada =
        stage.devices().in_file("root-a", "keys/a.pem").in_file("root-c", "keys/c.pem").write("ada.toml");
    let bruno = stage.devices().in_file("root-b", "keys/b.pem").write("bruno.toml");
    let runbook = stage::shipped("first-day-tuf/01-root-keys.toml");
    let (change, answers) = stage.answers(&ada, &runbook);
    let hold = || {
        let line = ["-C", "record", "--devices", "ada.toml", "run", utf8(&runbook)];
        stage.keyrite(line.into_iter().chain(["--answers", utf8(&answers), "--unattended"]))
    };
    // What it prints fits the screen, and can be copied as it stands.
    let said = hold().ended(4).text();
    let line = said.split_once("keyrite -C DIR --devices OWN run").unwrap_or_else(|| panic!("{said}")).1;
    let mut line = line.lines().map(str::trim);
    assert_eq!(line.next(), Some("\\"));
    assert_eq!(line.next(), Some(format!("DIR/changes/{}*/runbook.toml", &change[..16]).as_str()));
    assert_eq!(line.next(), Some("typed by bruno"));

    let stick = stage.path("stick");
    stage.keyrite(["-C", "record", "--devices", "ada.toml", "export", utf8(&stick)]).ended(0);
    let typed = format!("keyrite -C DIR --devices OWN run \\\nDIR/changes/{}*/runbook.toml", &change[..16]);
    let typed = typed.replace("DIR", utf8(&stick)).replace("OWN", utf8(&bruno));
    let typed = typed.replacen("keyrite", env!("CARGO_BIN_EXE_keyrite"), 1);
    shell(&stage.dir, &format!("{typed} --answers {} --unattended", utf8(&answers)), &[]).ended(0);
    stage.keyrite(["-C", "record", "--devices", "ada.toml", "import", utf8(&stick)]).ended(0);
    hold().ended(0);
    for key in ["root-a", "root-b", "root-c"] {
        assert_eq!(fs::read_dir(stage.record.join("keys").join(key)).unwrap().count(), 1, "{key}");
    }
    // The manual's own line is the same.
    let manual = blocks(MANUAL);
    assert!(
        block(&manual, "run STICK/changes")
            .contains("keyrite -C STICK --devices devices.toml run STICK/changes/CHANGE/runbook.toml")
    );
}
