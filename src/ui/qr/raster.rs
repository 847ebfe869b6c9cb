//! Codes as PNG files, one bit a pixel.

use super::{Picture, QUIET};
use crate::tuf::rule::{Refusal, Result};
use crate::ui::rules;

impl Picture {
    /// A PNG file, `scale` pixels a module, with the white around it.
    ///
    /// # Errors
    ///
    /// `QR-IMAGE` if it could not be written into memory.
    pub fn png(&self, scale: usize) -> Result<Vec<u8>> {
        let failed = |e: png::EncodingError| Refusal::new(&rules::QR_IMAGE, e.to_string(), "a PNG file");
        let whole = self.side.saturating_add(QUIET.saturating_mul(2)).saturating_mul(scale);
        let mut rows = Vec::new();
        for y in 0..whole {
            let mut row = vec![0xff_u8; whole.div_ceil(8)];
            for x in 0..whole {
                let module = |at: usize| at.checked_div(scale).and_then(|at| at.checked_sub(QUIET));
                let dark = module(y).zip(module(x)).is_some_and(|(row, column)| self.is_dark(row, column));
                if let (true, Some(byte)) = (dark, row.get_mut(x / 8)) {
                    *byte &= !(0x80 >> (x % 8));
                }
            }
            rows.extend(row);
        }
        let side = u32::try_from(whole).unwrap_or(u32::MAX);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&rows).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(file)
    }
}
