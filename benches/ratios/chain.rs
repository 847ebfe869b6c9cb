//! A long chain of roots: against python-tuf, and against the bare signature checks.

use crate::measure::{Table, medians, time};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use ed25519_dalek::{Signer as _, SigningKey};
use keyrite::tuf::bulk::parse_all;
use keyrite::tuf::chain::RootChain;
use keyrite::tuf::document::DocumentKey;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::make::{self, RoleSpec, RootSpec};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::verify::Signature;
use keyrite::tuf::wire;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const ROOTS: usize = 1000;
const ROUNDS: usize = 7;

/// One signature check: public key, message, signature.
type Check = (Vec<u8>, Vec<u8>, Vec<u8>);

struct Key {
    private: SigningKey,
    public: PublicKey,
    entry: DocumentKey,
}

impl Key {
    fn new(number: u8) -> Self {
        let private = SigningKey::from_bytes(&[number; 32]);
        let public = PublicKey::from_ed25519(private.verifying_key().as_bytes()).unwrap();
        let entry = wire::key_entry(Profile::Tuf, &public, None).unwrap();
        Self { private, public, entry }
    }
}

/// Roots 1 to 1,000, three of five keys, each root signed by another three of them.
fn roots() -> (Vec<Vec<u8>>, Vec<Check>) {
    let keys: Vec<Key> = (1..=5).map(Key::new).collect();
    let role = |keys: &[Key], threshold| RoleSpec {
        keys: keys.iter().map(|key| key.entry.clone()).collect(),
        threshold: NonZeroU32::new(threshold).unwrap(),
    };
    let single = |number| role(&[Key::new(number)], 1);
    let (mut files, mut checks) = (Vec::new(), Vec::new());
    for version in 1..=ROOTS {
        let spec = RootSpec {
            version: version as u64,
            expires: "2099-01-01T00:00:00Z".parse().unwrap(),
            root: role(&keys, 3),
            targets: single(11),
            snapshot: single(12),
            timestamp: single(13),
        };
        let payload = make::root(Profile::Tuf, &spec, None).unwrap();
        let listed = payload.document().as_root().unwrap().keys.clone();
        let signatures: Vec<Signature> = (0..3)
            .map(|n| {
                let key = &keys[(version + n) % keys.len()];
                let raw = key.private.sign(payload.bytes()).to_bytes();
                checks.push((key.public.raw().unwrap(), payload.bytes().to_vec(), raw.to_vec()));
                let scheme = wire::scheme(Profile::Tuf, &key.public);
                Signature::check(&key.public, scheme, &Payload::Metadata(payload.clone()), &raw).unwrap()
            })
            .collect();
        files.push(wire::seal(&payload, &listed, &signatures).unwrap());
    }
    (files, checks)
}

/// Reads and verifies the whole chain.
fn ours(files: &[Vec<u8>], workers: NonZeroUsize) -> RootChain {
    let mut roots = parse_all(Profile::Tuf, &RoleName::Root, files, workers).into_iter().map(Result::unwrap);
    let mut chain = RootChain::start(roots.next().unwrap()).unwrap();
    for root in roots {
        chain.push(root).unwrap();
    }
    assert_eq!(chain.latest().version(), ROOTS as u64);
    chain
}

/// The same signature checks and nothing else, on as many threads.
fn bare(checks: &[Check], workers: NonZeroUsize) {
    std::thread::scope(|scope| {
        for share in checks.chunks(checks.len().div_ceil(workers.get())) {
            scope.spawn(move || {
                for (key, message, signature) in share {
                    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).unwrap();
                }
            });
        }
    });
}

pub fn measure(scratch: &Path, table: &mut Table) {
    let (files, checks) = roots();
    assert_eq!(checks.len(), 3 * ROOTS);
    let folder = scratch.join("roots");
    std::fs::create_dir(&folder).unwrap();
    for (number, bytes) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("{}.root.json", number + 1)), bytes).unwrap();
    }
    let workers = std::thread::available_parallelism().unwrap();
    let (chain, alone) =
        medians(ROUNDS, || time(|| ours(&files, workers)), || time(|| bare(&checks, workers)));
    table.at_most("chain of 1,000 roots / its signature checks by aws-lc", chain, alone, 1.3);

    let what = "chain of 1,000 roots / python-tuf";
    match std::env::var_os("BENCH_PYTHON") {
        Some(python) => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ratios/python_tuf_chain.py");
            let theirs = || {
                let run = Command::new(&python).args([script.as_ref(), folder.as_os_str()]).output().unwrap();
                assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
                Duration::from_secs_f64(String::from_utf8(run.stdout).unwrap().trim().parse().unwrap())
            };
            let (chain, python) = medians(3, || time(|| ours(&files, workers)), theirs);
            table.faster(what, chain, python, 8.0);
        }
        None => table.absent(what, "BENCH_PYTHON is not set: run scripts/bench"),
    }
}
