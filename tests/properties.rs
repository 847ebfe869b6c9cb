//! Property loops: each parser that meets what others wrote is fed damaged input for a while, and what
//! must always hold is asserted for each. How to add one: the header of `loops/mod.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says with which input"
)]

mod draw;
mod loops;

use loops::{attestation, key_uri, qr_image, qr_text, run, slip39, tool_shares, ur};
use std::fs;
use std::path::Path;

#[test]
fn attestation() {
    run("attestation", attestation::WORDS, attestation::check);
}

#[test]
fn key_uri() {
    run("key-uri", key_uri::WORDS, key_uri::check);
}

#[test]
fn qr_text() {
    run("qr-text", qr_text::WORDS, qr_text::check);
}

#[test]
fn qr_image() {
    run("qr-image", qr_image::WORDS, qr_image::check);
}

#[test]
fn ur() {
    run("ur", ur::WORDS, ur::check);
}

#[test]
fn slip39() {
    run("slip39", slip39::WORDS, slip39::check);
}

#[test]
fn tool_shares() {
    run("tool-shares", tool_shares::WORDS, tool_shares::check);
}

/// A loop without seeds finds nothing, and one without a fuzz target never finds what takes hours.
#[test]
fn each_loop_has_seeds_and_a_fuzz_target() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names = |dir: &str, ending: &str| {
        let entries = fs::read_dir(tests.join(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            names.filter_map(|name| Some(name.strip_suffix(ending)?.to_owned())).collect();
        names.sort();
        names
    };
    let mut parsers = names("loops", ".rs");
    parsers.retain(|name| name != "mod");
    let dashed: Vec<_> = parsers.iter().map(|name| name.replace('_', "-")).collect();
    assert_eq!(names("loops/seeds", ""), dashed);
    assert_eq!(names("fuzz/targets", ".rs"), parsers);
    let manifest = fs::read_to_string(tests.join("fuzz/Cargo.toml")).unwrap();
    let source = fs::read_to_string(tests.join("properties.rs")).unwrap();
    for (parser, dashed) in parsers.iter().zip(&dashed) {
        let listed = format!("name = \"{dashed}\"\npath = \"targets/{parser}.rs\"\n");
        assert!(manifest.contains(&listed), "{listed}");
        assert!(source.contains(&format!("run(\"{dashed}\", {parser}::WORDS, {parser}::check)")), "{parser}");
    }
}
