//! The texts of static codes, which anyone can hold before a camera.

use keyrite::ceremony::carry::LONGEST_TEXT;
use keyrite::ceremony::carry::code::Code;

/// What the form is made of.
pub const WORDS: &[&[u8]] = &[
    b"KR1S",
    b"KR1K",
    b"KR1D",
    b"KR2",
    b"KR",
    b".",
    b"..",
    b"A",
    b"AAAAAAAA",
    b"7777",
    b"0",
    b"1",
    b"=",
    b" ",
    b"kr1d",
    b"UR:BYTES/",
    b"\xc5\xbf",
    b"\xe2\x84\xaa",
    b"\0",
    b"\n",
];

/// Panics unless one content has one text, and refusals are of the rules that there are.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Code::parse(&text) {
        Ok(code) => match code.text() {
            // Sixty-four digits alone are a digest too.
            Ok(written) => {
                assert!(text.eq_ignore_ascii_case(&written) || text.len() == 64, "{text:?} {written:?}");
                assert_eq!(Code::parse(&written), Ok(code));
            }
            Err(refusal) => assert_eq!(refusal.rule().name, "QR-SIZE", "{text:?}"),
        },
        Err(refusal) => {
            let said = refusal.to_string();
            let rules = ["QR-TEXT", "QR-VERSION", "QR-CHECK", "QR-KIND", "QR-SIZE"];
            assert!(rules.contains(&refusal.rule().name), "{said}");
            assert!(!said.chars().any(char::is_control) && said.len() < 400, "{said:?}");
            assert_eq!(text.len() > LONGEST_TEXT, refusal.rule().name == "QR-SIZE", "{said}");
        }
    }
}
