//! A record checked by sha256sum and openssl alone: the manual's own lines, typed into a shell.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod browser;
mod day;
mod stage;

use browser::{Page, SIZES, dom, pages, print};
use day::{Day, Upto, copy, day, keyrite, told};
use keyrite::tuf::digest::Digest;
use serde_json::Value;
use stage::{block, blocks};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANUAL: &str = include_str!("../ceremonies/README.md");
const ENROLL: &str = include_str!("../ceremonies/first-day/03-enroll.toml");
/// The private answer of the day below.
const SECRET: &str = "behind the second door";

/// Types lines into a shell in a folder; what it says on stdout, and whether all went well.
fn types(folder: &Path, lines: &str) -> (String, bool) {
    let out = Command::new("sh").args(["-uc", lines]).current_dir(folder).output().unwrap();
    (String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap(), out.status.success())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A whole day of a profile, rehearsed by the binary.
fn rehearsed(profile: &str) -> Day {
    let made = day(Upto::Keys);
    let dir = made.dir.join("held");
    let out = keyrite(&made.dir, &["rehearse", "--profile", profile, "--into", dir.to_str().unwrap()]);
    assert!(out.status.success(), "{}", told(&out));
    Day { record: dir.join("record"), dir }
}

/// A rehearsed day in which one question is answered in private.
fn private_day() -> Day {
    let made = day(Upto::Keys);
    let runbooks = made.dir.join("runbooks");
    fs::create_dir(&runbooks).unwrap();
    for name in ["01-root-keys.toml", "02-targets-key.toml", "04-root.toml"] {
        copy_runbook(name, &runbooks);
    }
    let question = "\n[[before]]\nquestion = \"Where is the spare key\"\nprivate = true\n";
    fs::write(runbooks.join("03-enroll.toml"), format!("{ENROLL}{question}")).unwrap();
    let dir = made.dir.join("held");
    let into = dir.to_str().unwrap();
    let out = keyrite(&made.dir, &["rehearse", "--into", into, runbooks.to_str().unwrap()]);
    assert!(out.status.success(), "{}", told(&out));
    Day { record: dir.join("record"), dir }
}

fn copy_runbook(name: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies/first-day").join(name);
    fs::copy(from, to.join(name)).unwrap();
}

/// Every file of a folder of the record, with the folders below.
fn all(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every file of a folder by its name below it, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    all(folder, "").iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// The digest of each transcript's last file, by ceremony.
fn heads(record: &Path) -> BTreeMap<String, String> {
    let folders = fs::read_dir(record.join("transcripts")).unwrap().map(|folder| folder.unwrap().path());
    let head = |folder: PathBuf| {
        let last = all(&folder, ".json").pop().unwrap();
        let ceremony = folder.file_name().unwrap().to_str().unwrap().to_owned();
        (ceremony, Digest::of(&fs::read(last).unwrap()).hex())
    };
    folders.map(head).collect()
}

fn verified(record: &Path) -> Value {
    let day = Day { dir: record.parent().unwrap().to_owned(), record: record.to_owned() };
    let out = day.keyrite(&["--json", "verify", "--anchor", &day.anchor()]);
    assert!(out.status.success(), "{}", told(&out));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn names_and_transcripts_are_checked_by_sha256sum() {
    let day = day(Upto::End);
    let lines = blocks(MANUAL);
    let (names, chain) = (block(&lines, "sha256sum --check"), block(&lines, "for transcript in"));
    assert_eq!(types(&day.record, names), (String::new(), true));
    let (said, fine) = types(&day.record, chain);
    assert!(fine && !said.contains("BROKEN"), "{said}");
    for folder in fs::read_dir(day.record.join("transcripts")).unwrap() {
        let last = all(&folder.unwrap().path(), ".json").pop().unwrap();
        let head = Digest::of(&fs::read(&last).unwrap()).hex();
        assert!(said.contains(&format!("\"{head}\"")), "{said}");
    }
    let record = verified(&day.record)["record"].as_str().unwrap().to_owned();
    let (said, _) = types(&day.record, block(&lines, "find trust.json"));
    assert_eq!(said.trim(), format!("{record}  -"));

    // One byte more in any of them is told.
    let entry = all(&day.record.join("transcripts"), ".json").remove(1);
    let mut bytes = fs::read(&entry).unwrap();
    bytes.push(b' ');
    fs::write(&entry, bytes).unwrap();
    let (said, fine) = types(&day.record, names);
    assert!(!fine && said.contains("FAILED"), "{said}");
    assert!(types(&day.record, chain).0.contains("BROKEN"));
}

#[test]
fn every_signature_is_checked_by_openssl() {
    for profile in ["notary", "tuf"] {
        let day = rehearsed(profile);
        let lines = blocks(MANUAL);
        let (key, check) = (block(&lines, "KEY.json"), block(&lines, "openssl dgst -sha256 -verify"));
        let (pair, der) = (block(&lines, "asn1parse"), block(&lines, "> sig.der\n"));
        let desk = day.dir.join("desk");
        fs::create_dir(&desk).unwrap();
        let mut checked = 0;
        for sig in all(&day.record.join("changes"), ".sig.json") {
            let identity = json(&sig)["identity"].as_str().unwrap().to_owned();
            let keys = all(&day.record.join("keys"), ".json");
            let of_key = keys.iter().find(|file| json(file)["identity"] == identity.as_str()).unwrap();
            assert_eq!(json(of_key)["algorithm"], "ECDSA P-256");
            let named = sig.file_name().unwrap().to_str().unwrap()[..64].to_owned();
            let payloads = all(sig.parent().unwrap(), ".payload.json");
            let payload = payloads.iter().find(|p| Digest::of(&fs::read(p).unwrap()).hex() == named).unwrap();
            for (from, name) in [(of_key, "KEY.json"), (&sig, "SIG.json"), (payload, "PAYLOAD.json")] {
                fs::copy(from, desk.join(name)).unwrap();
            }
            let statement = fs::read_to_string(payload).unwrap().contains("keyrite-statement");
            let to_der = if profile == "notary" && !statement { pair } else { der };
            let (said, fine) = types(&desk, &format!("set -e\n{key}{to_der}{check}"));
            assert!(
                fine && said.contains("Verified OK") && said.contains(&identity),
                "{}: {said}",
                sig.display()
            );
            checked += 1;
            if checked == 1 {
                let mut bytes = fs::read(payload).unwrap();
                bytes[10] ^= 1;
                fs::write(desk.join("PAYLOAD.json"), bytes).unwrap();
                let (said, fine) = types(&desk, &format!("set -e\n{key}{to_der}{check}"));
                assert!(!fine && !said.contains("Verified OK"), "{said}");
            }
        }
        assert!(checked >= 7, "{profile}: {checked}");
    }
}

#[allow(clippy::too_many_lines, reason = "one record, and what is made of it")]
#[test]
fn a_redacted_copy_is_the_same_record() {
    let day = private_day();
    let private = all(&day.record.join("private"), ".json");
    let [sidecar] = private.as_slice() else { panic!("{private:?}") };
    let plain = day.dir.join("plain");
    copy(&day.record, &plain);
    fs::remove_dir_all(plain.join("private")).unwrap();

    // What is verified of both is the same, transcript by transcript to its head.
    let whole = verified(&plain);
    assert_eq!(whole["problems"], serde_json::json!([]));
    assert_eq!(verified(&day.record), whole);
    let ends = heads(&plain);
    assert!(ends.len() > 3, "{ends:?}");
    assert_eq!(heads(&day.record), ends);
    // What is handed out is that copy, byte by byte, but for what a record's own folder has beside it.
    let stick = day.dir.join("stick");
    let out = day.keyrite(&["export", stick.to_str().unwrap()]);
    assert!(out.status.success(), "{}", told(&out));
    assert!(!stick.join("private").exists());
    let (handed, mut kept) = (files(&stick), files(&plain));
    kept.retain(|name, _| !name.starts_with('.'));
    assert_eq!(handed.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (name, bytes) in &handed {
        assert_eq!(*bytes, kept[name], "{name}");
    }
    assert_eq!(verified(&stick), whole);
    // So do the reports of both, digest by digest.
    let reported = |record: &Path| {
        let html = day.dir.join(format!("{}.html", record.file_name().unwrap().to_str().unwrap()));
        let anchor = day.anchor();
        let line = ["-C", record.to_str().unwrap(), "verify", "--anchor", &anchor, "--report"];
        let out = keyrite(&day.dir, &[&line[..], &[html.to_str().unwrap()]].concat());
        assert!(out.status.success(), "{}", told(&out));
        let text = fs::read_to_string(html).unwrap();
        let words = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let digests = reported(&plain);
    assert!(digests.len() > 30, "{digests:?}");
    assert_eq!(digests, reported(&stick));
    // The answer is nowhere in the redacted record, and opens with its sidecar.
    let value = json(sidecar)["private"]["answer"]["value"].as_str().unwrap().to_owned();
    assert!(!value.is_empty());
    let lines = blocks(MANUAL);
    fs::copy(sidecar, day.dir.join("SIDECAR.json")).unwrap();
    let (said, fine) = types(&day.dir, &format!("set -e\n{}", block(&lines, "SALT=")));
    assert!(fine, "{said}");
    let commitment = said.trim().trim_end_matches("  -").to_owned();
    let seq = sidecar.file_stem().unwrap().to_str().unwrap();
    let entries = all(&plain.join("transcripts"), ".json");
    let named = |path: &&PathBuf| {
        path.file_name().unwrap().to_str().unwrap().starts_with(seq)
            && path.parent().unwrap().file_name() == sidecar.parent().unwrap().file_name()
    };
    let entry = json(entries.iter().find(named).unwrap());
    assert_eq!(entry["private"]["answer"], commitment.as_str());
    assert_eq!(entry["outcome"].get("answer"), None);

    // A copy that was redacted otherwise is none: with another commitment, under the old name or under
    // the name that it would have, and so is one that lacks the entry.
    let redacted = entries.iter().find(named).unwrap().strip_prefix(&plain).unwrap();
    let text = fs::read_to_string(plain.join(redacted)).unwrap();
    let other = text.replace(&commitment, &Digest::of(b"another answer").hex());
    assert_ne!(other, text);
    let renamed = redacted.with_file_name(format!("{seq}.{}.json", Digest::of(other.as_bytes())));
    for (case, name) in [("old-name", Some(redacted)), ("own-name", Some(renamed.as_path())), ("none", None)]
    {
        let altered = day.dir.join(case);
        copy(&plain, &altered);
        fs::remove_file(altered.join(redacted)).unwrap();
        if let Some(name) = name {
            fs::write(altered.join(name), &other).unwrap();
        }
        let line = ["-C", case, "--json", "verify", "--anchor", &day.anchor()];
        let out = keyrite(&day.dir, &line);
        assert_eq!(out.status.code(), Some(1), "{case}: {}", told(&out));
        let problems: Value = serde_json::from_slice(&out.stdout).unwrap();
        let problems = problems["problems"].as_array().unwrap();
        let ceremony = redacted.parent().unwrap().to_str().unwrap();
        let broken = |p: &Value| p["rule"] == "TRANSCRIPT-BROKEN" && p["at"] == ceremony;
        assert!(problems.iter().any(broken), "{case}: {problems:?}");
    }
    // Whoever alters every entry from there on has a transcript that holds together, with another head,
    // which stands on nobody's paper.
    let forged = day.dir.join("forged");
    copy(&plain, &forged);
    let later: Vec<PathBuf> = all(&plain.join(redacted.parent().unwrap()), ".json");
    let (mut before, mut after) = (String::new(), String::new());
    for path in &later {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (number, old) = name.trim_end_matches(".json").split_once('.').unwrap();
        let mut text =
            fs::read_to_string(path).unwrap().replace(&commitment, &Digest::of(b"another answer").hex());
        if !before.is_empty() {
            text = text.replace(&format!("\"previous\":\"{before}\""), &format!("\"previous\":\"{after}\""));
        }
        let new = Digest::of(text.as_bytes()).hex();
        let folder = forged.join(path.parent().unwrap().strip_prefix(&plain).unwrap());
        fs::remove_file(folder.join(name)).unwrap();
        fs::write(folder.join(format!("{number}.{new}.json")), text).unwrap();
        (before, after) = (old.to_owned(), new);
    }
    assert_ne!(heads(&forged), ends);
    let known = ["-C", "forged", "--devices", "known.toml", "verify", "--anchor", &day.anchor()];
    let trust = json(&plain.join("trust.json"))["id"].clone();
    let ceremony = redacted.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let map = format!("[trust]\nid = {trust}\n[head]\nnewest = \"{}\"\n", ends[ceremony]);
    fs::write(day.dir.join("known.toml"), map).unwrap();
    let out = keyrite(&day.dir, &known);
    assert_eq!(out.status.code(), Some(1), "{}", told(&out));
    assert!(told(&out).contains("STALE-RECORD"), "{}", told(&out));
    // Without that paper the next ceremony's own beginning tells.
    let out = keyrite(&day.dir, &["-C", "forged", "verify", "--anchor", &day.anchor()]);
    let words = told(&out).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("began after the entry {}", ends[ceremony])), "{words}");
    let out = keyrite(&day.dir, &["-C", "plain", "verify", "--anchor", &day.anchor()]);
    assert!(!told(&out).contains("began after"), "{}", told(&out));

    // Another value in the sidecar is told by its rule.
    let text = fs::read_to_string(sidecar).unwrap();
    fs::write(sidecar, text.replace(&value, SECRET)).unwrap();
    let out = day.keyrite(&["verify", "--anchor", &day.anchor()]);
    assert_eq!(out.status.code(), Some(1), "{}", told(&out));
    assert!(told(&out).contains("SIDECAR"), "{}", told(&out));
}

#[test]
fn the_report_says_who_when_what_and_prints_whole() {
    let day = private_day();
    let html = day.dir.join("report.html");
    let arguments = ["verify", "--anchor", &day.anchor(), "--report", html.to_str().unwrap()];
    let out = day.keyrite(&arguments);
    assert!(out.status.success(), "{}", told(&out));
    let record = verified(&day.record)["record"].as_str().unwrap().to_owned();
    let value = json(&all(&day.record.join("private"), ".json")[0])["private"]["answer"]["value"].clone();
    let text = fs::read_to_string(&html).unwrap();
    assert!(!text.contains("<script") && !text.contains("href") && !text.contains("src="));
    let mut said: Vec<String> = [
        "Verified",
        "root-a of ada",
        "wim (witness)",
        "any 2 needed",
        "kept private",
        "What was done",
        "believed from",
        "root 1, whose payload a person knew:",
    ]
    .map(str::to_owned)
    .into();
    let foot = format!("record {} {}", &record[..8], &record[8..16]);
    said.push(record);
    for file in all(&day.record.join("keys"), ".json") {
        said.push(json(&file)["identity"].as_str().unwrap().to_owned());
    }
    for folder in fs::read_dir(day.record.join("transcripts")).unwrap() {
        let last = all(&folder.unwrap().path(), ".json").pop().unwrap();
        said.push(Digest::of(&fs::read(&last).unwrap()).words().join(" "));
    }
    for file in all(&day.record.join("metadata"), ".json") {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if file.parent().unwrap().ends_with("root") {
            said.push(name.split('.').nth(1).unwrap().to_owned());
        }
    }
    for size in SIZES {
        let pages = pages(&print(&html, size.0));
        for page in &pages {
            for word in &page.words {
                let fits = word.left > 42.0 && word.right < size.1 - 42.0 && word.bottom < size.2 - 14.0;
                assert!(fits, "{}: {word:?}", size.0);
                // A date or a key's name is on one line; a long step's name need not be.
                let cut = word.text.len() > 1 && word.text.ends_with('-') && !word.text.contains('.');
                assert!(!cut, "{}: {word:?}", size.0);
            }
            assert!(page.overlap().is_none(), "{}: {:?}", size.0, page.overlap());
            assert!(page.text().contains(&foot), "{}: {foot} in {}", size.0, page.text());
        }
        let text = pages.iter().map(Page::text).collect::<Vec<_>>().join(" ");
        // Words of a digest stand between their numbers.
        let spoken = text.split(' ').filter(|word| word.parse::<u8>().is_err()).collect::<Vec<_>>().join(" ");
        for what in &said {
            assert!(text.contains(what) || spoken.contains(what), "{}: {what} in\n{text}", size.0);
        }
        assert!(!text.contains(value.as_str().unwrap()), "what is private is not printed");
    }
    let again = day.keyrite(&arguments);
    assert_eq!(again.status.code(), Some(1), "{}", told(&again));
    assert!(told(&again).contains("FILE-EXISTS"));
}

#[test]
fn the_report_of_a_broken_record_says_so() {
    let day = day(Upto::End);
    let anchor = day.anchor();
    let entry = all(&day.record.join("transcripts"), ".json").remove(1);
    fs::remove_file(entry).unwrap();
    // What others wrote is text, whatever it looks like.
    fs::write(day.record.join("keys").join("<img src=x onerror=alert(1)>\u{202e}.json"), "{}").unwrap();
    let html = day.dir.join("report.html");
    let out = day.keyrite(&["verify", "--anchor", &anchor, "--report", html.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1), "{}", told(&out));
    let understood = dom(&html);
    assert!(understood.contains("NOT verified") && understood.contains("TRANSCRIPT-BROKEN"));
    assert!(!understood.contains("<img") && !understood.contains('\u{202e}'), "{understood}");
    assert!(understood.contains("&lt;img src=x onerror=alert(1)&gt;\\u{202e}"), "{understood}");
}
