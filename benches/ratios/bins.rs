//! A repository of 16,384 delegated bins, written by python-tuf: every document of it verified by keyrite
//! and by python-tuf's client.
//!
//! On both sides by the program's own client, from memory, so that neither waits for disk or network.
//! python-tuf's takes one file after the other; keyrite's judges many at once on every core.

use crate::measure::{Table, medians, time};
use keyrite::tuf::client::{Caps, Client, Settings, Signatures, State};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BINS: usize = 16_384;
const ROUNDS: usize = 3;

type Files = BTreeMap<String, Vec<u8>>;

pub fn measure(scratch: &Path, table: &mut Table) {
    let what = format!("{BINS} delegated bins / python-tuf");
    let Some(python) = std::env::var_os("BENCH_PYTHON") else {
        return table.absent(&what, "BENCH_PYTHON is not set: run scripts/bench");
    };
    let folder = scratch.join("bins");
    std::fs::create_dir(&folder).unwrap();
    let script = |act: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ratios/python_tuf_bins.py");
        let run = Command::new(&python).args([script, act]).arg(&folder).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    script("make");
    let files = files(&folder);
    let theirs = || Duration::from_secs_f64(script("verify").trim().parse().unwrap());
    let (ours, python) = medians(ROUNDS, || time(|| verified(&files)), theirs);
    table.faster(&what, ours, python, 5.0);
}

/// Every document, by its name.
fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let entries =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
    entries.collect()
}

/// An update by the client machine, then a look at everything, as `keyrite-courier` does in `watch` and
/// before a `push`: in both it takes the files that [`Client::wants`] names, however many at once. Only
/// where they come from is another: memory, as on python-tuf's side.
fn verified(files: &Files) -> Client<Signatures> {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let caps = Caps { documents: u32::MAX, ..Caps::of(Profile::Tuf) };
    let settings = Settings { now, caps, collection: String::new(), pins: BTreeSet::new() };
    let first = State::first(files["1.root.json"].clone());
    let mut client = Client::new(Profile::Tuf, settings, first, Signatures).unwrap();
    all_wanted(&mut client, files);
    client.look_around().unwrap();
    all_wanted(&mut client, files);
    let outcome = client.outcome();
    let bins = outcome.versions.keys().filter(|role| matches!(role, RoleName::Delegated(_)));
    assert_eq!((bins.count(), outcome.skipped.len()), (BINS, 0));
    client
}

fn all_wanted(client: &mut Client<Signatures>, files: &Files) {
    loop {
        let wants = client.wants();
        if wants.is_empty() {
            return;
        }
        let answers = wants.into_iter().map(|want| {
            let bytes = files.get(&want.name).cloned();
            (want, bytes)
        });
        client.feed_all(answers.collect()).unwrap();
    }
}
