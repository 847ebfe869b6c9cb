//! Golden folders: whole ceremonies, played twice in the life of the code, byte by byte the same.
//!
//! Each folder of `tests/golden` has lines that a person types and the files that they bring;
//! `expected/` has every screen, every refusal and every file that came of it, down to the bytes
//! of signatures and of encrypted keys. The lines run in this process, through the code that the
//! program runs, with clock and randomness given (`tests/play`). Nothing is ever accepted by the
//! test itself. `tests/golden/README.md` says how to add a folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod play;

use play::{Ended, Tree, play, put, read};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn folders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Plays a folder and, before it, the one that it begins after; each once.
fn played(name: &str, scratch: &Path, done: &mut BTreeMap<String, Ended>) -> Ended {
    if let Some(ended) = done.get(name) {
        return ended.clone();
    }
    let mut before = |other: &str| played(other, scratch, done);
    let ended = play(&folders().join(name), &scratch.join(name).join("stage"), &mut before);
    done.insert(name.to_owned(), ended.clone());
    ended
}

/// The first file that differs, and how.
fn difference(expected: &Tree, found: &Tree) -> Option<String> {
    // Screens first: they say in words what the rest says in digests.
    let mut paths: Vec<&String> = expected.keys().chain(found.keys()).collect();
    paths.sort_by_key(|path| (path.starts_with("files/"), (*path).clone()));
    paths.dedup();
    let path = paths.into_iter().find(|path| expected.get(*path) != found.get(*path))?;
    let what = match (expected.get(path), found.get(path)) {
        (Some(_), None) => "is no longer written".to_owned(),
        (None, _) => "was not expected".to_owned(),
        (Some(expected), Some(found)) => {
            let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(found));
            let same = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
            let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
            format!(
                "line {}\n      expected  {}\n      found     {}",
                same + 1,
                line(&expected),
                line(&found)
            )
        }
    };
    Some(format!("{path}: {what}"))
}

#[test]
fn every_folder_comes_out_as_it_did() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
    let _ = fs::remove_dir_all(&scratch);
    let mut names: Vec<String> = fs::read_dir(folders())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    // `GOLDEN=grant,renew cargo test --test golden` plays those whose names have one of these in them.
    if let Ok(part) = std::env::var("GOLDEN") {
        names.retain(|name| part.split(',').any(|part| name.contains(part)));
        assert!(!names.is_empty(), "no folder has {part} in its name");
    }
    let mut done = BTreeMap::new();
    let (mut wrong, mut differ) = (Vec::new(), Vec::new());
    for name in &names {
        let found = played(name, &scratch, &mut done).expected;
        let fresh = scratch.join(name).join("expected");
        for (path, bytes) in &found {
            put(&fresh, path, bytes);
        }
        let kept = folders().join(name).join("expected");
        if let Some(difference) = difference(&read(&kept), &found) {
            differ.push(name.as_str());
            let (kept, fresh) = (kept.display(), fresh.display());
            wrong.push(format!(
                "{name}: {difference}\n  if that is meant:\n      rm -rf {kept} && cp -r {fresh} {kept}"
            ));
        }
    }
    let all = format!(
        "all of them, once each has been read:\n      for f in {}; do rm -rf {kept}/$f/expected && cp -r {fresh}/$f/expected {kept}/$f; done",
        differ.join(" "),
        kept = folders().display(),
        fresh = scratch.display(),
    );
    let (count, wrong) = (wrong.len(), wrong.join("\n\n"));
    assert!(count == 0, "{count} of {} folders differ\n\n{wrong}\n\n{all}", names.len());
}

/// The kinds of the runbooks in a folder and all below it.
fn kinds(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name() != Some("expected".as_ref()) {
            kinds(&path, found);
        } else if path.extension() == Some("toml".as_ref()) {
            let text = fs::read_to_string(&path).unwrap();
            let kind = text.lines().find_map(|line| line.strip_prefix("ceremony = \"")?.strip_suffix('"'));
            found.extend(kind.map(str::to_owned));
        }
    }
}

#[test]
fn every_kind_has_a_golden_folder_and_a_story() {
    let all: BTreeSet<String> = keyrite::ceremony::kinds::ALL.iter().map(|k| k.name().to_owned()).collect();
    for folder in [folders(), Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies")] {
        let mut found = BTreeSet::new();
        kinds(&folder, &mut found);
        let lacking: Vec<_> = all.difference(&found).collect();
        assert!(lacking.is_empty(), "{} has no runbook of {lacking:?}", folder.display());
    }
}

#[test]
fn the_first_difference_is_named() {
    let tree = |files: &[(&str, &str)]| {
        let file = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        files.iter().map(file).collect::<Tree>()
    };
    let kept = tree(&[("files/a", "1"), ("screens.txt", "one\ntwo\n")]);
    for (found, difference_is) in [
        (kept.clone(), None),
        (tree(&[("files/a", "1")]), Some("screens.txt: is no longer written")),
        (
            tree(&[("files/a", "2"), ("screens.txt", "one\n2\n")]),
            Some("screens.txt: line 2\n      expected  two\n      found     2"),
        ),
        (
            tree(&[("files/0", ""), ("files/a", "1"), ("screens.txt", "one\ntwo\n")]),
            Some("files/0: was not expected"),
        ),
    ] {
        assert_eq!(difference(&kept, &found).as_deref(), difference_is);
    }
}
