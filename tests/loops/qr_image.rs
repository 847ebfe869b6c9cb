//! Images that are said to hold a code.

use keyrite::ui::qr::image::{Grey, MOST_PIXELS};
use keyrite::ui::qr::read::texts;

/// Marks and names of parts of PNG and JPEG files.
pub const WORDS: &[&[u8]] = &[
    b"IHDR",
    b"IDAT",
    b"IEND",
    b"PLTE",
    b"tRNS",
    b"acTL",
    b"fcTL",
    b"zTXt",
    b"iCCP",
    b"\xff\xc0",
    b"\xff\xc2",
    b"\xff\xc4",
    b"\xff\xda",
    b"\xff\xdb",
    b"\xff\xdd",
    b"\xff\xd9",
    b"\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
];

/// Panics if an image is larger than it may be, or reading it is refused by another rule.
pub fn check(bytes: &[u8]) {
    if let Ok(image) = Grey::read(bytes) {
        assert_eq!(image.shades.len(), image.width * image.height);
        assert!(image.shades.len() <= MOST_PIXELS);
    }
    if let Err(refusal) = texts(bytes.to_vec()) {
        assert!(["QR-IMAGE", "QR-NONE"].contains(&refusal.rule().name), "{refusal}");
        assert!(!refusal.to_string().chars().any(char::is_control), "{refusal:?}");
    }
}
