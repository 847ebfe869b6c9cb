//! Starting up, a look at a small record, and the size of the program.

use crate::courier;
use crate::measure::{Table, medians, run, time};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KEYRITE: &str = env!("CARGO_BIN_EXE_keyrite");
const ROUNDS: usize = 301;
const MOST_BYTES: u64 = 15_000_000;

pub fn measure(scratch: &Path, table: &mut Table) {
    let hello = hello_world(scratch);
    let (version, bare) = medians(ROUNDS, || run(KEYRITE.as_ref(), &["--version"]), || run(&hello, &[]));
    table.at_most("keyrite --version / a hello-world program", version, bare, 3.0);
    let what = "keyrite-courier --version / a hello-world program";
    match courier::program() {
        Some(courier) => {
            let (version, bare) = medians(ROUNDS, || run(&courier, &["--version"]), || run(&hello, &[]));
            table.at_most(what, version, bare, 3.0);
        }
        None => table.absent(what, "BENCH_COURIER is not set: run scripts/bench"),
    }

    status(scratch, &hello, table);

    let size = fs::metadata(KEYRITE).unwrap().len();
    let most = format!("{:.0} MB", MOST_BYTES as f64 / 1e6);
    let ratio = format!("{:.2} of it", size as f64 / MOST_BYTES as f64);
    table.add(
        "size of the program",
        &format!("{:.2} MB", size as f64 / 1e6),
        &most,
        &ratio,
        size < MOST_BYTES,
    );
}

/// The smallest program that the same compiler makes.
fn hello_world(scratch: &Path) -> PathBuf {
    let (source, program) = (scratch.join("hello.rs"), scratch.join("hello"));
    fs::write(&source, "fn main() { println!(\"hello\"); }\n").unwrap();
    let made = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["-C", "opt-level=3", "-o"])
        .args([&program, &source])
        .status();
    assert!(made.unwrap().success());
    program
}

/// `status` on a first day's record, against hello-world and the hashes and signature checks that
/// such a record takes.
fn status(scratch: &Path, hello: &Path, table: &mut Table) {
    let what = "status of a first day / hello-world and the checks";
    let into = scratch.join("rehearsal");
    let held =
        Command::new(KEYRITE).arg("rehearse").arg("--into").arg(&into).stdin(Stdio::null()).output().unwrap();
    let Some(record) = folder_with(&into, "trust.json").filter(|_| held.status.success()) else {
        let told = String::from_utf8_lossy(&held.stderr).lines().last().unwrap_or_default().to_owned();
        return table.absent(what, &format!("no first day: {told}"));
    };
    let arguments = ["-C", record.to_str().unwrap(), "status"];
    let checks = Checks::of(&record);
    let (status, bare) =
        medians(51, || run(KEYRITE.as_ref(), &arguments), || run(hello, &[]) + time(|| checks.make()));
    table.at_most(what, status, bare, 3.0);
}

/// The first folder, breadth first, that holds a file of this name.
fn folder_with(folder: &Path, name: &str) -> Option<PathBuf> {
    if folder.join(name).is_file() {
        return Some(folder.to_owned());
    }
    let inner = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    inner.filter(|path| path.is_dir()).find_map(|path| folder_with(&path, name))
}

/// As many checks as a record takes: its files read and hashed, its signatures checked, those that
/// keyrite's own tokens made by a second implementation too.
struct Checks {
    files: Vec<PathBuf>,
    signatures: usize,
    by_two: usize,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Checks {
    fn of(record: &Path) -> Self {
        let mut files = Vec::new();
        collect(record, &mut files);
        let signatures = files
            .iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .map(|path| fs::read_to_string(path).unwrap().matches("\"sig\":\"").count())
            .sum();
        let by_two = files.iter().filter(|path| path.to_str().unwrap().ends_with(".sig.json")).count();
        let random = SystemRandom::new();
        let private = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let message = vec![7; 2000];
        let signature = private.sign(&random, &message).unwrap().as_ref().to_vec();
        Self { files, signatures, by_two, key: private.public_key().as_ref().to_vec(), message, signature }
    }

    fn make(&self) {
        for path in &self.files {
            std::hint::black_box(Sha256::digest(fs::read(path).unwrap()));
        }
        for _ in 0..self.signatures {
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key);
            key.verify(&self.message, &self.signature).unwrap();
        }
        for _ in 0..self.by_two {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.key).unwrap();
            let signature = p256::ecdsa::Signature::from_slice(&self.signature).unwrap();
            key.verify_prehash(&Sha256::digest(&self.message), &signature).unwrap();
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            files.push(path);
        } else if !path.ends_with("private") {
            collect(&path, files);
        }
    }
}
