#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/ur.rs"]
mod ur;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ur::check(bytes));
