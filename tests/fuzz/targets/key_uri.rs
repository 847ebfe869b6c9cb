#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/key_uri.rs"]
mod key_uri;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| key_uri::check(bytes));
