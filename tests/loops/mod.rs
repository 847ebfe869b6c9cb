//! Damaged input by the hundred thousand, for as long as there is time.
//!
//! To add a parser `NAME`:
//!
//! 1. `tests/loops/NAME.rs`: `check(bytes)`, which panics where something doesn't hold that holds of
//!    every input, and `WORDS`, pieces that the format is made of. Pure: no files, no clock. Say what
//!    holds besides "no panic": that what is read is written back the same, that two readers agree,
//!    that nothing is taken that nobody signed, how much may come out of how little.
//! 2. `tests/loops/seeds/NAME/`: whole inputs, a file each, good ones and those that once failed.
//! 3. A line for it below, a test in `tests/properties.rs`, a target in `tests/fuzz`: a few lines each.
//!
//! `_` in the file's and the function's name is `-` everywhere else. `LOOP_SECONDS` is the time for
//! each parser (default 1; `scripts/test` gives 20), and every seed is tried even if there is none left.
//! The damage is drawn from a fixed seed, so a failure comes back; `LOOP_SEED=NUMBER` draws other.
//! What failed is kept in a file that the message names; put it among the seeds. With a nightly
//! compiler the same checks run under cargo-fuzz: see `tests/fuzz/Cargo.toml`.

pub mod attestation;
pub mod key_uri;
pub mod qr_image;
pub mod qr_text;
pub mod slip39;
pub mod tool_shares;
pub mod ur;

use crate::draw::Draw;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// No input may take longer, however slow the machine.
const LONGEST: Duration = Duration::from_secs(5);
/// Longer inputs are cut: what a parser does to many bytes it does to these.
const LARGEST: usize = 100_000;

/// Feeds `check` the seeds of `name` as they are, and then damaged, for `LOOP_SECONDS`.
pub fn run(name: &str, words: &[&[u8]], check: fn(&[u8])) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut paths: Vec<_> = fs::read_dir(tests.join("loops/seeds").join(name)).unwrap().collect();
    paths.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
    let seeds: Vec<_> = paths.into_iter().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for seed in &seeds {
        one(name, check, seed);
    }
    let until = Instant::now() + Duration::from_secs(number("LOOP_SECONDS").unwrap_or(1));
    let mut draw = Draw(number("LOOP_SEED").unwrap_or(0x6b65_7972_6974_6502).max(1));
    let mut rounds = 0_u64;
    while Instant::now() < until {
        let seed = &seeds[draw.below(seeds.len())];
        let other = &seeds[draw.below(seeds.len())];
        one(name, check, &damaged(&mut draw, seed, other, words));
        rounds += 1;
    }
    eprintln!("{name}: {} seeds and {rounds} damaged inputs", seeds.len());
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn one(name: &str, check: fn(&[u8]), input: &[u8]) {
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let took = began.elapsed();
    if outcome.is_ok() && took < LONGEST {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("loop-{name}"));
    fs::write(&path, input).unwrap();
    eprintln!("{name}: {took:?} for the input in {}: put it into tests/loops/seeds/{name}/", path.display());
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    panic!("{name}: {took:?} for {} bytes, expected less than {LONGEST:?}", input.len());
}

/// One to four places changed: bits, bytes, pieces cut, doubled, moved, taken from elsewhere.
fn damaged(draw: &mut Draw, seed: &[u8], other: &[u8], words: &[&[u8]]) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=draw.below(4) {
        let at = draw.below(out.len() + 1);
        let end = (at + draw.below(32)).min(out.len());
        match draw.below(10) {
            0 if at < out.len() => out[at] ^= 1 << draw.below(8),
            1 if at < out.len() => out[at] = [0, 1, 0x7f, 0x80, 0x81, 0xfe, 0xff][draw.below(7)],
            2 if at < out.len() => out[at] = out[at].wrapping_add([1, 0xff][draw.below(2)]),
            3 => drop(out.drain(at..end)),
            4 => out.insert(at, draw.next().to_le_bytes()[0]),
            5 => {
                let piece = out[at..end].to_vec();
                let to = draw.below(out.len() + 1);
                out.splice(to..to, piece);
            }
            6 => {
                let from = draw.below(other.len() + 1);
                let to = (from + draw.below(256)).min(other.len());
                out.splice(at..end, other[from..to].iter().copied());
            }
            7 if !words.is_empty() => {
                let word = words[draw.below(words.len())];
                let end = if draw.below(2) == 0 { at } else { (at + word.len()).min(out.len()) };
                out.splice(at..end, word.iter().copied());
            }
            8 => {
                let byte = out.get(at).copied().unwrap_or(b'(');
                let many = [2, 40, 20_000][draw.below(3)];
                out.splice(at..at, std::iter::repeat_n(byte, many));
            }
            _ if draw.below(4) == 0 => out.truncate(at),
            _ => {}
        }
    }
    out.truncate(LARGEST);
    out
}
