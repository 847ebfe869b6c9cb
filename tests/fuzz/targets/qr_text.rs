#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/qr_text.rs"]
mod qr_text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| qr_text::check(bytes));
