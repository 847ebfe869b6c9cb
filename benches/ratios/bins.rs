//! A repository of 16,384 delegated bins, written by python-tuf: every document of it verified by keyrite
//! and by python-tuf's client.

use crate::measure::{Table, medians, time};
use keyrite::tuf::chain::accept;
use keyrite::tuf::client::{Caps, Client, Settings, Signatures, State, check_listed, listed_name};
use keyrite::tuf::document::{Document, MetaFile};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire;
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
    let (ours, python) = medians(ROUNDS, || time(|| assert_eq!(verified(&files), BINS)), theirs);
    table.faster(&what, ours, python, 5.0);
}

/// Every document, by its name.
fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let entries =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
    entries.collect()
}

/// An update by the agent's client, then every bin held against snapshot and targets, a share of them
/// on each core.
fn verified(files: &Files) -> usize {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let caps = Caps::of(Profile::Tuf);
    let settings = Settings { now, caps, collection: String::new(), pins: BTreeSet::new() };
    let root = BTreeMap::from([(RoleName::Root, files["1.root.json"].clone())]);
    let mut client = Client::new(Profile::Tuf, settings, State::from_files(root), Signatures).unwrap();
    while let Some(want) = client.want().cloned() {
        match files.get(&want.name) {
            Some(bytes) => client.feed(bytes).unwrap(),
            None => client.missing().unwrap(),
        }
    }
    let [targets, snapshot] =
        [RoleName::Targets, RoleName::Snapshot].map(|role| client.trusted(&role).unwrap());
    let Document::Snapshot(snapshot) = snapshot.payload().document() else { panic!("no snapshot") };
    let bins: Vec<_> = snapshot.meta.iter().filter(|(role, _)| **role != RoleName::Targets).collect();
    assert_eq!(bins.len(), BINS);
    let one = |(role, meta): &(&RoleName, &MetaFile)| {
        let bytes = &files[&listed_name(Profile::Tuf, role, meta, true).unwrap()];
        check_listed(Profile::Tuf, role, meta, bytes).unwrap();
        let envelope = wire::parse(Profile::Tuf, role, bytes).unwrap();
        let bin = accept(&targets, role, envelope, Some(now)).unwrap();
        assert_eq!(Some(bin.payload().version()), meta.version);
        bin
    };
    let share = BINS.div_ceil(std::thread::available_parallelism().unwrap().get());
    std::thread::scope(|scope| {
        let shares: Vec<_> = bins
            .chunks(share)
            .map(|bins| scope.spawn(|| bins.iter().map(&one).collect::<Vec<_>>()))
            .collect();
        shares.into_iter().map(|share| share.join().unwrap().len()).sum()
    })
}
