//! Rules: the page that lists them says what the code says, and each is used and tested.
//!
//! `ceremonies/RULES.md` is made from the code alone. Where it differs, the test leaves the page as
//! it should be in the build directory and names the command that puts it in place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod source;

use keyrite::tuf::rule::{Exit, Rule};
use source::{Kind, Source, ends, files, paths, root, scan, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

/// Where rules are declared, what that part is about, and its rules, in the order of the page.
const PARTS: &[(&str, &str, &[&Rule])] = &[
    ("src/tuf/rules.rs", "Documents, keys and signatures", keyrite::tuf::rules::ALL),
    ("src/signer/rules.rs", "Tokens, key files and external keys", keyrite::signer::rules::ALL),
    ("src/ceremony/rules.rs", "Runbooks, limits, changes and transcripts", keyrite::ceremony::rules::ALL),
    ("src/ceremony/kinds/rules.rs", "What ceremonies ask for", keyrite::ceremony::kinds::rules::ALL),
    ("src/record/rules.rs", "The record, media and uploads", keyrite::record::rules::ALL),
    ("src/ui/rules.rs", "Screens, answers and prompts", keyrite::ui::rules::ALL),
    ("src/cli/rules.rs", "Commands and the device map", keyrite::cli::rules::ALL),
];

const HEAD: &str = "\
# Rules

Everything that keyrite can refuse, by its permanent name. No rule can be turned off. A refusal
names its rule, what was found, what was expected and what to do next; with `--json` the same four
are members. This page is made from the code, and a test compares the two.

The exit code: 1 refused by a rule or a person, 2 bad usage, runbook or missing answer, 3 a token or
a medium failed, 4 incomplete, 130 interrupted; 0 for a warning, which refuses nothing and is said in
the plan and on the screen that people agree to.
";

fn all() -> impl Iterator<Item = &'static Rule> {
    PARTS.iter().flat_map(|(_, _, rules)| rules.iter().copied())
}

/// The page as the code has it.
fn page() -> String {
    let mut text = HEAD.to_owned();
    for (_, title, rules) in PARTS {
        if rules.is_empty() {
            continue;
        }
        write!(text, "\n## {title}\n\n| rule | what is checked | source | exit | what to do next |\n")
            .unwrap();
        text.push_str("|---|---|---|---|---|\n");
        for rule in *rules {
            let Rule { name, exit, checks, source, next } = rule;
            writeln!(text, "| `{name}` | {checks} | {source} | {} | {next} |", exit.code()).unwrap();
        }
    }
    text
}

/// A rule's constant: its name with `_`.
fn constant(rule: &Rule) -> String {
    rule.name.replace('-', "_")
}

fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{} {what}:\n{}", found.len(), found.join("\n"));
}

/// Constants of rules that paths like `rules::KEY_ID` name, in tests only or everywhere.
fn named(all: &[Source], tests_only: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in all.iter().filter(|source| !source.path.ends_with("/rules.rs")) {
        for path in paths(source) {
            let count = path.parts.len();
            if count >= 2 && path.parts[count - 2] == "rules" && (path.token.test || !tests_only) {
                found.insert(path.parts[count - 1].clone());
            }
        }
    }
    found
}

/// Whether a text names a rule: alone or before a colon, or anywhere if the name has a hyphen.
fn mentions(text: &str, name: &str) -> bool {
    if text == name || text.starts_with(&format!("{name}:")) {
        return true;
    }
    let part_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    name.contains('-')
        && text.match_indices(name).any(|(at, _)| {
            !text[..at].ends_with(part_of_name) && !text[at + name.len()..].starts_with(part_of_name)
        })
}

#[test]
fn the_page_is_what_the_code_says() {
    let expected = page();
    let committed = root().join("ceremonies/RULES.md");
    if fs::read_to_string(&committed).is_ok_and(|text| text == expected) {
        return;
    }
    let made = format!("{}/RULES.md", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&made, expected).unwrap();
    panic!(
        "ceremonies/RULES.md differs from the code; put the new page in place with\n    cp {made} ceremonies/RULES.md"
    );
}

#[test]
fn every_file_of_rules_is_on_the_page() {
    let declared: Vec<String> = files("src").into_iter().filter(|path| path.ends_with("/rules.rs")).collect();
    let mut listed: Vec<_> = PARTS.iter().map(|(path, _, _)| (*path).to_owned()).collect();
    listed.sort();
    assert_eq!(declared, listed);
}

#[test]
fn names_are_permanent_and_fields_are_sentences() {
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for (path, _, rules) in PARTS {
        let declared: Vec<String> = fs::read_to_string(root().join(path))
            .map(|text| scan(path, &text))
            .map(|source| {
                source.tokens.into_iter().filter(|token| token.kind == Kind::Word).map(|t| t.text).collect()
            })
            .unwrap();
        for rule in *rules {
            let name = rule.name;
            if name.is_empty()
                || !name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-')
                || name.starts_with('-')
                || name.ends_with('-')
            {
                found.push(format!("{name}: not in upper kebab case"));
            }
            if let Some(first) = seen.insert(name, path) {
                found.push(format!("{name}: declared in {first} and in {path}"));
            }
            if !declared.contains(&constant(rule)) {
                found.push(format!("{name}: its constant is not {}", constant(rule)));
            }
            for (field, text) in [("checks", rule.checks), ("source", rule.source), ("next", rule.next)] {
                if text.is_empty() || text.ends_with('.') || text.contains(['|', '\n']) || text != text.trim()
                {
                    found.push(format!("{name}: {field} is no sentence without full stop: \"{text}\""));
                }
                if field != "source" && text.starts_with(char::is_uppercase) && !starts_with_a_name(text) {
                    found.push(format!("{name}: {field} starts in upper case: \"{text}\""));
                }
            }
        }
    }
    none(&found, "wrong rules");
}

/// Words that are written in upper case wherever they stand.
fn starts_with_a_name(text: &str) -> bool {
    ["MANIFEST", "PIN", "CKA_ID", "TUF", "JSON", "DER", "PEM", "Notary", "SoftHSM"]
        .iter()
        .any(|name| text.starts_with(name))
}

#[test]
fn every_rule_can_refuse() {
    let used = named(&sources("src"), false);
    let found: Vec<_> = all().map(constant).filter(|constant| !used.contains(constant)).collect();
    none(&found, "rules that nothing in src uses");
}

/// Rules that no test can bring about through keyrite itself, and why.
const OUT_OF_REACH: &[(&str, &str)] = &[
    ("RANDOM", "the kernel's random bytes do not fail on a machine that runs tests"),
    ("STEP-UNKNOWN", "it guards records of a later keyrite; no ceremony of this one makes such a step"),
];

#[test]
fn rules_out_of_reach_are_rules() {
    for (name, why) in OUT_OF_REACH {
        assert!(all().any(|rule| rule.name == *name), "{name} is no rule: {why}");
    }
}

#[test]
fn every_rule_has_a_test() {
    let mut code = sources("src");
    code.extend(sources("tests").into_iter().filter(|source| source.path != "tests/rules.rs"));
    let by_constant = named(&code, true);
    let mut texts: Vec<String> = Vec::new();
    for source in code {
        texts.extend(
            source.tokens.into_iter().filter(|token| token.test && token.kind == Kind::Text).map(|t| t.text),
        );
    }
    // Golden folders: what a program is expected to print or to leave.
    for path in files("tests").iter().filter(|path| !ends(path, "rs") && !ends(path, "py")) {
        texts.extend(fs::read_to_string(root().join(path)).ok());
    }
    let found: Vec<_> = all()
        .filter(|rule| !OUT_OF_REACH.iter().any(|(name, _)| *name == rule.name))
        .filter(|rule| !by_constant.contains(&constant(rule)))
        .filter(|rule| !texts.iter().any(|text| mentions(text, rule.name)))
        .map(|rule| rule.name.to_owned())
        .collect();
    none(&found, "rules without a test");
}

#[test]
fn exit_codes_are_the_published_ones() {
    for (exit, code) in [
        (Exit::Refused, 1),
        (Exit::Usage, 2),
        (Exit::Device, 3),
        (Exit::Incomplete, 4),
        (Exit::Interrupted, 130),
    ] {
        assert_eq!(exit.code(), code);
    }
}

#[test]
fn planted_names_are_told_apart() {
    for (text, name, expected) in [
        ("KEY-ID", "KEY-ID", true),
        ("KEY-ID: found", "KEY-ID", true),
        ("error KEY-ID: found", "KEY-ID", true),
        ("KEY-ID-TWICE", "KEY-ID", false),
        ("MY-KEY-ID", "KEY-ID", false),
        ("JSON", "JSON", true),
        ("strict JSON only", "JSON", false),
    ] {
        assert_eq!(mentions(text, name), expected, "{text}");
    }
    let planted = "use super::rules::{KEY_ID, ROLE}; fn f() { crate::tuf::rules::DATE; }\n\
                   #[cfg(test)] mod tests { fn t() { rules::JSON; } }";
    let planted = [scan("src/tuf/key.rs", planted)];
    assert_eq!(named(&planted, false).len(), 4);
    assert_eq!(named(&planted, true).into_iter().collect::<Vec<_>>(), ["JSON"]);
}
