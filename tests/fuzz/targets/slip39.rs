#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/slip39.rs"]
mod slip39;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| slip39::check(bytes));
