//! Secrets that are nowhere else in the world, and the search for them: raw, in hexadecimal and in
//! base64, in files and in the arguments and environments of every process.
//!
//! A search that finds nothing proves nothing: `tests/secrets.rs` has it find what is planted.

#![allow(dead_code, reason = "not every test looks everywhere")]

use base64ct::{Base64Unpadded, Encoding};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

/// A secret that is nowhere else in the world.
pub fn canary(what: &str) -> String {
    let mut bytes = [0; 12];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    format!("{what}-{}", hex(&bytes))
}

pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// What a secret looks like: as it is, in hexadecimal, and in base64 wherever it begins.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![hex(secret), hex(secret).to_uppercase()];
    for before in 0..3 {
        let text = Base64Unpadded::encode_string(&[&vec![0; before], secret].concat());
        // The letters at both ends depend on the neighbours.
        all.push(text[(before * 8).div_ceil(6)..text.len() - 2].to_owned());
    }
    [secret.to_vec()].into_iter().chain(all.into_iter().map(String::into_bytes)).collect()
}

/// The names of the secrets that are in these bytes.
pub fn found<S: AsRef<[u8]>>(secrets: &BTreeMap<String, S>, bytes: &[u8]) -> Vec<String> {
    let within = |form: Vec<u8>| bytes.windows(form.len()).any(|window| window == form);
    secrets
        .iter()
        .filter(|(_, s)| forms(s.as_ref()).into_iter().any(within))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Every file below a folder.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Looks through the arguments and environments of all processes until it is told to stop.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Watch {
    pub fn over(secrets: &BTreeMap<String, String>) -> Self {
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (secrets, stopped, counted) = (secrets.clone(), Arc::clone(&stop), Arc::clone(&looks));
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        let bytes = fs::read(process.path().join(file)).unwrap_or_default();
                        let of_keyrite = bytes.windows(7).any(|w| w == b"keyrite");
                        counted.fetch_add(usize::from(of_keyrite), Ordering::Relaxed);
                        seen.extend(found(&secrets, &bytes).into_iter().map(|s| format!("{s} in {file}")));
                    }
                }
                sleep(Duration::from_millis(20));
            }
            seen.sort();
            seen.dedup();
            seen
        });
        Self { stop, looks, thread }
    }

    /// What was seen, and how often it looked at a keyrite.
    pub fn end(self) -> (Vec<String>, usize) {
        self.stop.store(true, Ordering::Relaxed);
        (self.thread.join().unwrap(), self.looks.load(Ordering::Relaxed))
    }
}
