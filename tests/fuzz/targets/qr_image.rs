#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/qr_image.rs"]
mod qr_image;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| qr_image::check(bytes));
