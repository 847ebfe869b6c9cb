#![no_main]

#[allow(dead_code, reason = "words are for the loop")]
#[path = "../../loops/tool_shares.rs"]
mod tool_shares;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tool_shares::check(bytes));
