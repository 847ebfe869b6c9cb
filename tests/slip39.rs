//! Shares of a secret against the world: the 45 vectors of SLIP-39, its authors' own program in both
//! directions, every choice of shares.
//!
//! Errors in words, one and two, are counted out in `src/signer/slip39/tests.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod seeded;

use keyrite::signer::randomness::Randomness;
use keyrite::signer::slip39::{Salt, Scheme, Secret, Share, all_agree, recombine, split};
use seeded::seeded;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const VECTORS: &str = include_str!("fixtures/slip39/vectors.json");

fn secret(seed: u64, bytes: usize) -> Secret {
    Secret::new(seeded(seed).many(bytes).unwrap()).ok().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// The secret that shares give, in hexadecimal, or the name of the rule that refuses them.
fn brought_back(words: &[&str], passphrase: &str) -> Result<String, &'static str> {
    let shares: Result<Vec<Share>, _> = words.iter().map(|text| Share::read(text)).collect();
    let shares = shares.map_err(|refusal| refusal.rule().name)?;
    let all: Vec<&Share> = shares.iter().collect();
    let secret = recombine(&all, passphrase).map_err(|refusal| refusal.rule().name)?;
    Ok(hex(secret.expose()))
}

/// Which rule refuses each of the vectors that must be refused, by what its title says is wrong.
const REFUSED: &[(&str, &str)] = &[
    ("with invalid checksum", "SHARE-CHECKSUM"),
    ("with invalid padding", "SHARE-FORM"),
    ("Basic sharing 2-of-3", "SHARE-FEW"),
    ("different identifiers", "SHARE-SET"),
    ("different iteration exponents", "SHARE-SET"),
    ("mismatching group thresholds", "SHARE-SET"),
    ("mismatching group counts", "SHARE-SET"),
    ("greater group threshold than group counts", "SHARE-FORM"),
    ("duplicate member indices", "SHARE-TWICE"),
    ("mismatching member thresholds", "SHARE-SET"),
    ("giving an invalid digest", "SHARE-DIGEST"),
    ("Insufficient number of groups", "SHARE-FEW"),
    ("insufficient number of members", "SHARE-FEW"),
    ("insufficient length", "SHARE-LENGTH"),
    ("invalid master secret length", "SHARE-LENGTH"),
];

#[test]
fn all_official_vectors_come_out_as_the_standard_says() {
    let vectors: Vec<(String, Vec<String>, String, String)> = serde_json::from_str(VECTORS).unwrap();
    let (mut given, mut refused) = (0, 0);
    for (title, words, secret, _) in &vectors {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let found = brought_back(&words, "TREZOR");
        if secret.is_empty() {
            let rule = REFUSED.iter().find(|(part, _)| title.contains(part)).map(|(_, rule)| *rule);
            assert_eq!(found, Err(rule.unwrap()), "{title}");
            refused += 1;
        } else {
            assert_eq!(found.as_ref(), Ok(secret), "{title}");
            given += 1;
        }
        // The words of every share that can be read are written as they were.
        for text in words {
            if let Ok(share) = Share::read(text) {
                assert_eq!(&*share.words().text(), text, "{title}");
            }
        }
    }
    assert_eq!((vectors.len(), given, refused), (45, 15, 30));
}

/// The authors' program, asked line by line.
struct Authors {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Authors {
    fn start() -> Self {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
        assert!(python.exists(), "no {}: run scripts/test-deps python", python.display());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/slip39.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, to, from: BufReader::new(from) }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.to, "{request}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("an answer; its complaint is above")
    }
}

impl Drop for Authors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_authors_program_brings_back_what_is_split_here() {
    let mut authors = Authors::start();
    let mut runs = 0;
    for (needed, of) in [(2, 2), (2, 3), (3, 5), (4, 7), (5, 5), (16, 16)] {
        for (seed, bytes) in [(1, 16), (2, 24), (3, 32), (4, 32)] {
            let secret = secret(seed, bytes);
            let shares = split(&secret, Scheme::new(needed, of).unwrap(), &seeded(seed + 10)).unwrap();
            let words: Vec<String> = shares.iter().map(|s| s.words().text().to_string()).collect();
            let mut chosen = words.clone();
            chosen.rotate_left(usize::try_from(seed).unwrap() % words.len());
            chosen.truncate(usize::from(needed));
            let answer = authors.ask(&json!({"shares": chosen, "passphrase": ""}));
            assert_eq!(answer, json!(hex(secret.expose())), "{needed} of {of}");
            let answer = authors.ask(&json!({"shares": chosen[1..], "passphrase": ""}));
            assert_eq!(answer, Value::Null, "{needed} of {of}, one less");
            runs += 1;
        }
    }
    assert_eq!(runs, 24);
}

#[test]
fn what_the_authors_program_splits_is_brought_back_here() {
    let mut authors = Authors::start();
    let mut runs = 0;
    for (needed, groups) in [
        (1, vec![(1, 1)]),
        (1, vec![(2, 3)]),
        (1, vec![(3, 5)]),
        (1, vec![(2, 2), (3, 4)]),
        (2, vec![(2, 3), (2, 3)]),
        (2, vec![(1, 1), (2, 3), (3, 5)]),
        (3, vec![(2, 2), (2, 3), (1, 1), (4, 6)]),
    ] {
        for (bytes, passphrase, extendable, exponent) in [
            (16, "", true, 0),
            (32, "", true, 1),
            (32, "TREZOR", false, 0),
            (24, "a b~", true, 2),
            (18, "", false, 1),
        ] {
            let wanted = hex(&seeded(bytes).many(usize::try_from(bytes).unwrap()).unwrap());
            let answer = authors.ask(&json!({
                "needed": needed, "groups": groups, "secret": wanted, "passphrase": passphrase,
                "extendable": extendable, "exponent": exponent,
            }));
            let sets: Vec<Vec<String>> = serde_json::from_value(answer).unwrap();
            // The last groups, and of each the last shares: a choice of exactly enough.
            let mut chosen = Vec::new();
            for (words, (members, _)) in sets.iter().zip(&groups).rev().take(needed) {
                chosen.extend(words.iter().rev().take(*members).map(String::as_str));
            }
            let what = format!("{needed} of {groups:?}, {bytes} bytes");
            assert_eq!(brought_back(&chosen, passphrase), Ok(wanted), "{what}");
            if chosen.len() > 1 {
                assert_eq!(brought_back(&chosen[1..], passphrase), Err("SHARE-FEW"), "{what}, one less");
            }
            let more: Vec<&str> = sets.iter().flatten().map(String::as_str).collect();
            if more.len() > chosen.len() {
                assert_eq!(brought_back(&more, passphrase), Err("SHARE-MANY"), "{what}, all");
            }
            runs += 1;
        }
    }
    assert_eq!(runs, 35);
}

/// Every choice of every size, for every scheme of up to seven shares.
#[test]
fn every_choice_of_enough_shares_agrees_and_no_smaller_one_is_taken() {
    for of in 2..=7u8 {
        for needed in 2..=of {
            let secret = secret(u64::from(of), 32);
            let scheme = Scheme::new(needed, of).unwrap();
            let shares = split(&secret, scheme, &seeded(u64::from(needed))).unwrap();
            let (mut taken, mut few, mut many) = (0, 0, 0);
            for choice in 0u32..1 << of {
                let chosen: Vec<&Share> =
                    (0..usize::from(of)).filter(|at| choice >> at & 1 == 1).map(|at| &shares[at]).collect();
                let found = recombine(&chosen, "").map(|found| assert!(found.is(&secret)));
                let size = u8::try_from(chosen.len()).unwrap();
                match found.map_err(|refusal| refusal.rule().name) {
                    Ok(()) => taken += usize::from(size == needed),
                    Err("SHARE-FEW") => few += usize::from(size < needed),
                    Err(name) => many += usize::from(size > needed && name == "SHARE-MANY"),
                }
            }
            assert_eq!(taken + few + many, 1 << of, "{scheme}");
            let all: Vec<&Share> = shares.iter().collect();
            assert_eq!(all_agree(&all, &secret).unwrap(), taken, "{scheme}");
        }
    }
}

/// A threshold in the head of a share can't be talked down: what needs fewer is another set's, and
/// shares of two makings never give a secret.
#[test]
fn shares_of_two_makings_never_give_a_secret() {
    let secret = secret(1, 32);
    let scheme = Scheme::new(2, 3).unwrap();
    let first = split(&secret, scheme, &seeded(2)).unwrap();
    let second = split(&secret, scheme, &seeded(3)).unwrap();
    let name = |shares: &[&Share]| recombine(shares, "").err().map(|refusal| refusal.rule().name);
    assert_eq!(name(&[&first[0], &second[1]]), Some("SHARE-SET"));
    assert_eq!(name(&[&first[0], &first[0]]), Some("SHARE-TWICE"));
    // The identifier has 15 bits: two makings can draw the same, and then only the digest tells.
    let alike = |seed| {
        let (random, drawn) = (seeded(seed), Cell::new(false));
        let source = Randomness::given(move |bytes| {
            let fresh = random.many(bytes.len())?;
            bytes.copy_from_slice(if drawn.replace(true) { &fresh } else { &[1, 2] });
            Ok(())
        });
        split(&secret, scheme, &source).unwrap()
    };
    let (third, fourth) = (alike(4), alike(5));
    assert_eq!(third[0].set(), fourth[0].set());
    assert_eq!(name(&[&third[0], &fourth[1]]), Some("SHARE-DIGEST"));
}

/// By the line that FORMAT.md prints.
#[test]
fn a_commitment_is_recomputed_by_sha256sum() {
    let shares = split(&secret(5, 32), Scheme::new(2, 3).unwrap(), &seeded(6)).unwrap();
    let salt = Salt::draw(&seeded(7)).unwrap();
    let page = include_str!("../ceremonies/FORMAT.md");
    let line = page.split('`').find(|code| code.starts_with("{ printf %s \"$SALT\"")).unwrap();
    let done = Command::new("sh")
        .args(["-c", line])
        .env("SALT", &*salt.text())
        .env("WORDS", &*shares[0].words().text())
        .output()
        .unwrap();
    let found = String::from_utf8(done.stdout).unwrap();
    assert_eq!(found.split(' ').next().unwrap(), shares[0].commitment(&salt).hex());
    assert_ne!(shares[1].commitment(&salt), shares[0].commitment(&salt));
}
