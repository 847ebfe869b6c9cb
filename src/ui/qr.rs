//! QR codes of digests, for a telephone's camera beside the words.
//!
//! Drawn as one path of an inline SVG: nothing is fetched, nothing but black is printed. What is in
//! it stands beside it in hexadecimal too, and neither replaces the words that people compare.

use super::paper::markup::Markup;
use crate::tuf::digest::Digest;
use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write as _;

/// White modules around the code (ISO/IEC 18004, 6.3.8).
const QUIET: usize = 4;

/// The 64 hexadecimal digits of a digest as a picture. A quarter of it may be soiled.
pub fn svg(digest: &Digest) -> Markup {
    // 64 characters fit into version 6, of 40, at this level: it never fails.
    let Ok(code) = QrCode::with_error_correction_level(digest.hex(), EcLevel::Q) else {
        return Markup::default();
    };
    let side = code.width();
    let whole = side.saturating_add(QUIET.saturating_mul(2));
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (row, column) = (at.checked_div(side).unwrap_or(0), at.checked_rem(side).unwrap_or(0));
            let _ = write!(path, "M{} {}h1v1h-1z", column.saturating_add(QUIET), row.saturating_add(QUIET));
        }
    }
    Markup::drawing(whole, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_square_and_quiet() {
        let html = svg(&Digest::of(b"abc")).to_string();
        assert!(html.starts_with("<svg class=\"qr\" viewBox=\"0 0 49 49\""), "{html}");
        // The corner of the first finder pattern, and nothing in the quiet zone.
        assert!(html.contains("\"M4 4h1v1h-1zM5 4h1"), "{html}");
        assert!(!html.contains("M3 ") && !html.contains("M45 "), "{html}");
        assert_ne!(html, svg(&Digest::of(b"abd")).to_string());
    }
}
