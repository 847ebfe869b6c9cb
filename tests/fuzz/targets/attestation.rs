#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/attestation.rs"]
mod attestation;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| attestation::check(bytes));
