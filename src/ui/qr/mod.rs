//! QR codes as pictures: on paper, in files, on a terminal; and read back from images.
//!
//! Drawn as one path of an SVG, as a PNG of one bit a pixel, or as half blocks: nothing is fetched,
//! nothing but black and white is used. What people compare stands beside a code in words, and the
//! code never replaces them.

mod blocks;
pub mod image;
mod raster;
pub mod read;

use super::paper::markup::Markup;
use super::rules;
use crate::signer::slip39::Words;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use qrcode::types::{Color, EcLevel};
use qrcode::{QrCode, Version};
use std::fmt::Write as _;
use zeroize::{Zeroize, Zeroizing};

/// White modules around the code (ISO/IEC 18004, 6.3.8).
const QUIET: usize = 4;

/// How much of a code may be soiled: a fifteenth on a screen, where room is scarce and nothing is
/// soiled, a seventh elsewhere, a quarter where it is a digest on paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soil {
    /// Level L.
    Little,
    /// Level M.
    Some,
    /// Level Q.
    Much,
}

impl Soil {
    const fn level(self) -> EcLevel {
        match self {
            Self::Little => EcLevel::L,
            Self::Some => EcLevel::M,
            Self::Much => EcLevel::Q,
        }
    }
}

/// A code's modules, dark or light, without the white around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    side: usize,
    dark: Vec<bool>,
}

impl Picture {
    /// The code of a text, the smallest that holds it.
    ///
    /// # Errors
    ///
    /// `QR-SIZE` if none does.
    pub fn of(text: &str, soil: Soil) -> Result<Self> {
        let code = QrCode::with_error_correction_level(text, soil.level()).map_err(|e| {
            let found = format!("{} characters: {e}", text.len());
            Refusal::new(&crate::ceremony::rules::QR_SIZE, found, "a text that a code holds")
        })?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { side: code.width(), dark })
    }

    /// Modules along one side, without the white around them.
    pub const fn side(&self) -> usize {
        self.side
    }

    /// Whether a module is dark; what is outside is not.
    fn is_dark(&self, row: usize, column: usize) -> bool {
        let at = row.saturating_mul(self.side).saturating_add(column);
        row < self.side && column < self.side && self.dark.get(at) == Some(&true)
    }

    /// The dark modules as a path, and how many units the picture has along one side.
    fn path(&self) -> (usize, String) {
        let mut path = String::new();
        (self.draw(&mut path), path)
    }

    fn draw(&self, path: &mut String) -> usize {
        for row in 0..self.side {
            for column in (0..self.side).filter(|column| self.is_dark(row, *column)) {
                let (x, y) = (column.saturating_add(QUIET), row.saturating_add(QUIET));
                let _ = write!(path, "M{x} {y}h1v1h-1z");
            }
        }
        self.side.saturating_add(QUIET.saturating_mul(2))
    }

    /// As a drawing in a page.
    pub fn markup(&self) -> Markup {
        let (side, path) = self.path();
        Markup::drawing(side, &path)
    }

    /// As an SVG file, on white.
    pub fn svg(&self) -> String {
        let (side, path) = self.path();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\">\n<rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\n\
             <path d=\"{path}\"/>\n</svg>\n"
        )
    }
}

/// The most letters of the QR alphabet that a code of at most `side` modules holds; none if none does.
pub fn letters(side: usize, soil: Soil) -> usize {
    let fits = |letters: usize| Picture::of(&"A".repeat(letters), soil).is_ok_and(|p| p.side <= side);
    // The first that does not fit, by halving.
    let (mut fit, mut not) = (0_usize, crate::ceremony::carry::LONGEST_TEXT);
    while fit.saturating_add(1) < not {
        let middle = fit.midpoint(not);
        if fits(middle) { fit = middle } else { not = middle }
    }
    fit
}

/// The 64 hexadecimal digits of a digest as a picture. A quarter of it may be soiled.
pub fn svg(digest: &Digest) -> Markup {
    // 64 characters fit into version 6, of 40, at this level: it never fails.
    Picture::of(&digest.hex(), Soil::Much).map(|picture| picture.markup()).unwrap_or_default()
}

/// The words of a share as a picture, as any program for SLIP-39 reads them. A seventh of it may be
/// soiled. The encoder leaves copies behind, which only the end of the program clears.
pub fn words(words: &Words) -> Markup {
    // 59 words of 8 letters are 530 characters, of 2331 that fit at this level.
    let Ok(mut picture) = Picture::of(&words.text(), Soil::Some) else { return Markup::default() };
    // Room for every module from the start: a path that grows leaves copies behind.
    let room = picture.dark.len().saturating_mul(16);
    let mut path = Zeroizing::new(String::with_capacity(room));
    let side = picture.draw(&mut path);
    picture.dark.zeroize();
    Markup::drawing(side, &path)
}

/// Says that there is no room for a code.
pub fn no_room(found: impl Into<String>) -> Refusal {
    Refusal::new(&rules::QR_SCREEN, found, "a terminal with UTF-8 that is large enough for the code")
}

/// The side of a code of this version, in modules.
pub fn side_of(version: i16) -> usize {
    usize::try_from(Version::Normal(version).width()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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

    #[test]
    fn letters_are_as_the_standard_has_them() {
        // ISO/IEC 18004, table 7.
        let table =
            [(6, Soil::Little, 195), (10, Soil::Some, 311), (13, Soil::Some, 483), (40, Soil::Much, 2_420)];
        for (version, soil, most) in table {
            assert_eq!(letters(side_of(version), soil), most, "version {version}");
        }
        assert_eq!(letters(20, Soil::Some), 0);
        assert_eq!(no_room("80 columns").rule().name, "QR-SCREEN");
        assert_eq!(Picture::of(&"A".repeat(5_000), Soil::Little).unwrap_err().rule().name, "QR-SIZE");
    }
}
