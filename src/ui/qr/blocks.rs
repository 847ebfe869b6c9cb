//! Codes on a terminal: half blocks, black on white whatever its own colours are, with white around them.

use super::Picture;

/// Black on white; the terminal's own again.
const COLOURS: (&str, &str) = ("\x1b[30;107m", "\x1b[0m");

impl Picture {
    /// The lines that draw it, with `quiet` white modules on each side.
    pub fn lines(&self, quiet: usize) -> Vec<String> {
        let whole = self.side.saturating_add(quiet.saturating_mul(2));
        let dark = |row: usize, column: usize| {
            let inside = row.checked_sub(quiet).zip(column.checked_sub(quiet));
            inside.is_some_and(|(row, column)| self.is_dark(row, column))
        };
        let line = |top: usize| {
            let cells =
                (0..whole).map(|column| match (dark(top, column), dark(top.saturating_add(1), column)) {
                    (true, true) => '\u{2588}',
                    (true, false) => '\u{2580}',
                    (false, true) => '\u{2584}',
                    (false, false) => ' ',
                });
            format!("{}{}{}", COLOURS.0, cells.collect::<String>(), COLOURS.1)
        };
        (0..whole).step_by(2).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::{Picture, Soil, letters, side_of};

    #[test]
    fn a_code_of_version_6_fits_a_window_of_24_lines() {
        let picture = Picture::of(&"A".repeat(letters(side_of(6), Soil::Little)), Soil::Little).unwrap();
        let lines = picture.lines(2);
        assert_eq!(lines.len(), 23);
        for line in &lines {
            let cells = line.strip_prefix("\x1b[30;107m").unwrap().strip_suffix("\x1b[0m").unwrap();
            assert_eq!(cells.chars().count(), 45);
            assert!(cells.starts_with("  ") && cells.ends_with("  "), "{line:?}");
        }
        // White above; the finder patterns' upper edge below it.
        assert_eq!(lines.first().unwrap().replace(' ', ""), "\x1b[30;107m\x1b[0m");
        assert!(
            lines.get(1).unwrap().contains("  \u{2588}\u{2580}\u{2580}\u{2580}\u{2580}\u{2580}\u{2588} ")
        );
    }
}
