//! Images from a camera: PNG and JPEG, as shades of grey.
//!
//! Nobody knows who made them. The head says how many pixels there are, and more than [`MOST_PIXELS`]
//! are refused before room is made for them; a PNG is unpacked row by row.

use crate::tuf::rule::{Refusal, Result};
use crate::ui::rules;
use png::{ColorType, Transformations};
use std::io::Cursor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The largest image file that is read, in bytes.
pub const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// The most pixels: those of a telephone's camera.
pub const MOST_PIXELS: usize = 25_000_000;
/// The longest side, in pixels.
const LONGEST_SIDE: usize = 12_000;
/// Passes over a JPEG that is sent in coarse and fine ones: cameras use ten.
const MOST_SCANS: usize = 30;

/// Shades of grey, 0 black to 255 white, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grey {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The shades.
    pub shades: Vec<u8>,
}

impl Grey {
    /// Reads a PNG or JPEG file.
    ///
    /// # Errors
    ///
    /// `QR-IMAGE` for anything else, one that is damaged, and one that is too large.
    pub fn read(file: &[u8]) -> Result<Self> {
        if file.starts_with(b"\x89PNG\r\n\x1a\n") {
            from_png(file)
        } else if file.starts_with(&[0xff, 0xd8, 0xff]) {
            from_jpeg(file)
        } else {
            Err(odd("a file that is neither"))
        }
    }

    /// The same, each square of `factor` pixels by its mean.
    #[must_use]
    pub fn smaller(&self, factor: usize) -> Self {
        let factor = factor.max(1);
        let of = |side: usize| side.checked_div(factor).unwrap_or(0);
        let (width, height) = (of(self.width), of(self.height));
        let mut shades = Vec::with_capacity(width.saturating_mul(height));
        for y in 0..height {
            for x in 0..width {
                let mut sum = 0_usize;
                for row in 0..factor {
                    let at = y.saturating_mul(factor).saturating_add(row).saturating_mul(self.width);
                    let at = at.saturating_add(x.saturating_mul(factor));
                    let some = self.shades.get(at..at.saturating_add(factor)).unwrap_or_default();
                    sum = some.iter().fold(sum, |sum, shade| sum.saturating_add(usize::from(*shade)));
                }
                let mean = sum.checked_div(factor.saturating_mul(factor)).unwrap_or(0);
                shades.push(u8::try_from(mean).unwrap_or(u8::MAX));
            }
        }
        Self { width, height, shades }
    }

    /// The same, each pixel by the mean of the nine about it: takes away noise.
    #[must_use]
    pub fn softened(&self) -> Self {
        let mut shades = Vec::with_capacity(self.shades.len());
        let row = |y: usize| {
            let at = y.saturating_mul(self.width);
            self.shades.get(at..at.saturating_add(self.width)).unwrap_or_default()
        };
        for y in 0..self.height {
            let rows = [row(y.saturating_sub(1)), row(y), row(y.saturating_add(1))];
            for x in 0..self.width {
                let about = rows.iter().flat_map(|row| row.iter().skip(x.saturating_sub(1)).take(3));
                let (sum, many) = about.fold((0_usize, 0_usize), |(sum, many), shade| {
                    (sum.saturating_add(usize::from(*shade)), many.saturating_add(1))
                });
                shades.push(sum.checked_div(many).and_then(|m| u8::try_from(m).ok()).unwrap_or(u8::MAX));
            }
        }
        Self { shades, ..*self }
    }

    /// The same with black for white.
    #[must_use]
    pub fn inverted(&self) -> Self {
        let shades = self.shades.iter().map(|shade| !shade).collect();
        Self { shades, ..*self }
    }
}

fn odd(found: impl Into<String>) -> Refusal {
    Refusal::new(&rules::QR_IMAGE, found, "a PNG or JPEG image")
}

/// The number of pixels, if there may be so many.
fn pixels(width: usize, height: usize) -> Result<usize> {
    let many = width.saturating_mul(height);
    if many == 0 || many > MOST_PIXELS || width.max(height) > LONGEST_SIDE {
        let found = format!("an image of {width} by {height} pixels");
        let expected = format!("at most {MOST_PIXELS} pixels, {LONGEST_SIDE} along a side");
        return Err(Refusal::new(&rules::QR_IMAGE, found, expected));
    }
    Ok(many)
}

fn from_png(file: &[u8]) -> Result<Grey> {
    let failed =
        |e: png::DecodingError| odd(format!("a PNG file: {}", crate::tuf::text::visible(&e.to_string())));
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: 8 * 1024 * 1024 });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let (width, height, interlaced) = {
        let head = decoder.read_header_info().map_err(failed)?;
        (head.width, head.height, head.interlaced)
    };
    let small = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let (width, height) = (small(width), small(height));
    let many = pixels(width, height)?;
    if interlaced {
        return Err(odd("an interlaced PNG file"));
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    let (color, _) = reader.output_color_type();
    let mut shades = Vec::with_capacity(many);
    while let Some(row) = reader.next_row().map_err(failed)? {
        let shade = |pixel: &[u8]| match (color, pixel) {
            (ColorType::Grayscale, [grey]) => *grey,
            (ColorType::GrayscaleAlpha, [grey, alpha]) => over_white(*grey, *alpha),
            (ColorType::Rgb, [r, g, b]) => luma(*r, *g, *b),
            (ColorType::Rgba, [r, g, b, alpha]) => over_white(luma(*r, *g, *b), *alpha),
            _ => u8::MAX,
        };
        shades.extend(row.data().chunks_exact(color.samples()).map(shade));
    }
    if shades.len() != many {
        return Err(odd("a PNG file with fewer rows than it says"));
    }
    Ok(Grey { width, height, shades })
}

/// ITU-R BT.601.
fn luma(r: u8, g: u8, b: u8) -> u8 {
    let part = |shade: u8, weight: u32| u32::from(shade).saturating_mul(weight);
    let sum = part(r, 77).saturating_add(part(g, 150)).saturating_add(part(b, 29));
    u8::try_from(sum >> 8).unwrap_or(u8::MAX)
}

fn over_white(shade: u8, alpha: u8) -> u8 {
    let darker = u32::from(u8::MAX.saturating_sub(shade)).saturating_mul(u32::from(alpha)) / 255;
    u8::MAX.saturating_sub(u8::try_from(darker).unwrap_or(u8::MAX))
}

fn from_jpeg(file: &[u8]) -> Result<Grey> {
    let failed = |e: zune_jpeg::errors::DecodeErrors| {
        odd(format!(
            "a JPEG file: {}",
            crate::tuf::text::visible(&format!("{e:?}")).chars().take(120).collect::<String>()
        ))
    };
    let options = DecoderOptions::new_safe()
        .set_max_width(LONGEST_SIDE)
        .set_max_height(LONGEST_SIDE)
        .jpeg_set_max_scans(MOST_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(failed)?;
    let head = decoder.info().ok_or_else(|| odd("a JPEG file without a head"))?;
    let (width, height) = (usize::from(head.width), usize::from(head.height));
    let many = pixels(width, height)?;
    let shades = decoder.decode().map_err(failed)?;
    if shades.len() != many {
        return Err(odd("a JPEG file of other colours"));
    }
    Ok(Grey { width, height, shades })
}
