//! Frames, a line each, and what they carry.

use keyrite::ceremony::carry::files::{pack, unpack};
use keyrite::ceremony::carry::frames::Collected;
use keyrite::ceremony::carry::{MOST_BYTES, MOST_FRAMES, MOST_UNPACKED};

/// What the form is made of.
pub const WORDS: &[&[u8]] = &[
    b"ur:bytes/",
    b"UR:BYTES/",
    b"ur:crypto-psbt/",
    b"/",
    b"-",
    b"1-1/",
    b"1-200/",
    b"201-201/",
    b"0-1/",
    b"4294967295-4294967295/",
    b"4294967296-1/",
    b"\n",
    b"\n\n",
    b"ae",
    b"zm",
    b"lp",
    b"AE",
    b"\0",
    b"\xff",
    b"cytatata",
    b"tatata",
    b"hkad",
    b"ad",
];

/// Panics if more comes out, or is kept, than the limits allow, or a frame that was refused has changed
/// what the others give.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut collected = Collected::default();
    for line in text.lines().take(300) {
        let before = collected.progress();
        if let Err(refusal) = collected.take(line) {
            let rules = ["QR-TEXT", "QR-CHECK", "QR-KIND", "QR-SIZE", "QR-MIXED"];
            assert!(rules.contains(&refusal.rule().name), "{refusal}");
            assert!(!refusal.to_string().chars().any(char::is_control), "{refusal:?}");
            assert_eq!(collected.progress(), before, "{line:?}");
        }
        let (have, need) = collected.progress();
        assert!(have <= need && need <= MOST_FRAMES, "{have} of {need}");
    }
    let Ok(message) = collected.message() else { return };
    assert!(message.len() <= MOST_BYTES + 5, "{}", message.len());
    let Ok(files) = unpack(&message) else { return };
    assert!(files.values().map(Vec::len).sum::<usize>() <= MOST_UNPACKED);
    let again = pack(&files).unwrap();
    assert_eq!(unpack(&again).unwrap(), files);
}
