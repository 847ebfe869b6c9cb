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
    (
        "src/ceremony/attestation/rules.rs",
        "What devices attest of keys",
        keyrite::ceremony::attestation::rules::ALL,
    ),
    ("src/record/rules.rs", "The record, media and uploads", keyrite::record::rules::ALL),
    ("src/ui/rules.rs", "Screens, answers and prompts", keyrite::ui::rules::ALL),
    ("src/cli/rules.rs", "Commands and the device map", keyrite::cli::rules::ALL),
    ("src/courier/rules.rs", "The courier", keyrite::courier::rules::ALL),
];

const HEAD: &str = "\
# Rules

Everything that keyrite can refuse, by its permanent name. No rule can be turned off. A refusal
names its rule, what was found, what was expected and what to do next; with `--json` the same four
are members. This page is made from the code, and a test compares the two.

The exit code: 1 refused by a rule or a person, 2 bad usage, runbook or missing answer, 3 a token,
a medium or a server failed, 4 incomplete, 130 interrupted; 0 for a warning, which refuses nothing and is
said in the plan and on the screen that people agree to.
";

fn all() -> impl Iterator<Item = &'static Rule> {
    PARTS.iter().flat_map(|(_, _, rules)| rules.iter().copied())
}

/// The page as the code has it.
/// What the words of the column "source" stand for, by how they begin.
const SOURCES: &[(&str, &str)] = &[
    (
        "design",
        "a promise of this project: `README.md`, the manual and `FORMAT.md` make it to people, this page to programs",
    ),
    ("TUF n", "section n of The Update Framework's specification, version 1.0.34"),
    ("RFC n", "the RFC of that number, and a section of it"),
    ("PKCS#11", "OASIS PKCS #11 of that version, and a section of it"),
    (
        "notary-v1 n",
        "how Notary 0.7 behaves, whose server and client Debian packages; the tests named here show it",
    ),
    (
        "notary-v1 3",
        "its documents, keys and key ids, byte for byte (`tuf/data` of its source): `tests/seal.rs`, `tests/others.rs`",
    ),
    (
        "notary-v1 4",
        "what its server takes (`server/handlers/validation.go`): `tests/backend_model.rs`, `tests/backend.rs`",
    ),
    (
        "notary-v1 5",
        "what was tried against both with thresholds and rotated root keys: the cases of `tests/collection/`",
    ),
    (
        "notary-v1 6",
        "what its client accepts (`client/tufclient.go`, `trustpinning`): `tests/client_notary.rs`",
    ),
    ("notary-v1 7", "its key files (`tuf/utils`, `trustmanager`): `tests/keyfile.rs`"),
    (
        "tokens 0",
        "PKCS#11 modules as they were measured: `src/signer/backends/pkcs11/profile.rs` has the differences as data",
    ),
    (
        "tokens 1",
        "what a token says of its keys and its PIN, and how much it signs at once: `tests/pkcs11.rs`, `tests/faults.rs`",
    ),
    (
        "tokens 2",
        "what a YubiHSM 2 lets be done with a key, what it attests of it (docs.yubico.com, \"YubiHSM OIDs\") and how it is reached: `tests/yubihsm.rs`",
    ),
    (
        "tokens 3",
        "what a YubiKey attests of a slot's key (docs.yubico.com, \"PIV Attestation OID Arc\"), real ones in `tests/fixtures/piv-attestations`",
    ),
    (
        "ceremony/attestation/advisories.rs",
        "vendors' advisories as data in `src/ceremony/attestation/advisories.rs`, each with its own source",
    ),
    (
        "tuf/client/known.rs",
        "the table of real clients in `src/tuf/client/known.rs`, each entry with its own source",
    ),
    (
        "tokens 3",
        "how YubiKeys answer over PC/SC: `src/signer/backends/piv`, shown by `tests/piv.rs` on virtual ones",
    ),
    (
        "SLIP-39",
        "the standard for shares of a secret in words (SLIP-0039), and a part of it: `tests/slip39.rs` has its vectors",
    ),
    ("threats T1", "people agree to one thing and the machine signs another"),
    ("threats T2", "a signature that somebody had a token make behind everyone's back"),
    ("threats T3", "a public key is swapped on its way from the token to the root"),
    (
        "threats T4",
        "a device that somebody else had before, with something of theirs still on it, out of sight: `tests/yubihsm.rs`",
    ),
    ("threats T7", "thresholds that count one key twice, or count nothing (CVE-2020-6174, CVE-2020-15093)"),
    ("threats T8", "a key id that is not the key's"),
    (
        "threats T10",
        "an old plan, or a version that was skipped or comes again (CVE-2022-29173, CVE-2025-2885)",
    ),
    ("threats T11", "a wrong clock, and dates that are past or too far off"),
    ("threats T12", "a delegation that reaches further than it seems"),
    ("threats T13", "names that draw something else on the screen (CVE-2025-58160)"),
    ("threats T14", "JSON that two programs read differently"),
    ("threats T15", "a name on a medium that leads out of its folder (CVE-2021-41131)"),
    ("threats T16", "a medium with links, devices, endless files, or files that change while they are read"),
    ("threats T17", "archives, and lists of files that disagree with the files"),
    ("threats T18", "a file that nobody planned gets in, or gets signed"),
    ("threats T19", "a secret in arguments, environment, files, swap or a core dump"),
    ("threats T20", "power cut, or a medium pulled out, in the middle of writing"),
    ("threats T21", "a key left on a token by a session that was cut off"),
    ("threats T22", "another token in the place of the right one"),
    ("threats T23", "a PIN locked by trying"),
    ("threats T24", "a device whose log is full, or was read by someone else"),
    ("threats T25", "shares mixed up, altered, mistyped, of another set or too few"),
    ("threats T26", "shares whose numbers are equal or impossible"),
    ("threats T28", "randomness that somebody else chose"),
    ("threats T29", "hostile QR codes: what they claim to hold, mixed messages, a scanner that types"),
    ("threats T30", "another PKCS#11 module under the name of the right one"),
    ("threats T32", "one person in two duties, or with a threshold in their hands"),
    ("threats T33", "a transcript that is changed afterwards"),
    ("threats T34", "private facts in what is handed out"),
    ("threats T36", "a signature that means something else elsewhere"),
    ("threats T37", "a signature that is wrong by a fault (RUSTSEC-2022-0093)"),
    ("BCR-2020-005", "Blockchain Commons: Uniform Resources, many codes for one message"),
    ("BCR-2020-012", "Blockchain Commons: bytewords, bytes as letters with a CRC-32"),
    (
        "YSA-2024-03",
        "Yubico's advisory on keys that a YubiKey below 5.7.0 gives away to who has it for hours",
    ),
];

/// Whether the table explains a source of a rule.
fn explained(source: &str) -> bool {
    let mut whose = String::new();
    source.split(", ").all(|part| {
        // `notary-v1 5, 6` and `threats T15, T17` name the page once.
        let bare = part.starts_with(|c: char| c.is_ascii_digit())
            || part.strip_prefix('T').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !bare {
            part.split(' ').next().unwrap_or_default().clone_into(&mut whose);
        }
        let rest = part.strip_prefix(whose.as_str()).unwrap_or(part).trim();
        let number = rest.split('.').next().unwrap_or_default();
        let exact = format!("{whose} {number}");
        let pages = ["threats", "notary-v1", "tokens"];
        let named = |(name, _): &(&str, &str)| {
            if pages.contains(&whose.as_str()) {
                *name == exact
            } else {
                name.split(' ').next() == Some(whose.as_str())
            }
        };
        // Papers that say themselves what they are.
        SOURCES.iter().any(named) || part.contains("RFC") || part.contains('(')
    })
}

#[test]
fn every_source_is_explained() {
    let odd: BTreeSet<_> = all().map(|rule| rule.source).filter(|source| !explained(source)).collect();
    let odd: Vec<_> = odd.into_iter().map(str::to_owned).collect();
    none(&odd, "sources that the page does not explain");
    assert!(!explained("threats T99") && !explained("design, notary-v1 99") && !explained("a feeling"));
}

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
    text.push_str("\n## Sources\n\n| in the column \"source\" | what it stands for |\n|---|---|\n");
    for (source, what) in SOURCES {
        writeln!(text, "| {source} | {what} |").unwrap();
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
