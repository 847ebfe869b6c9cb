//! HTML made of our own tags and of text that was made visible and is escaped.
//!
//! Tags and classes are literals of the program; there is no way to put in HTML that came from
//! elsewhere. So no data can become a tag, an attribute, a style or a reference.

use crate::ui::screen::Safe;
use std::fmt::{self, Write as _};
use zeroize::Zeroizing;

/// A piece of a page.
///
/// Wiped on drop, since a page can be a share card: whoever draws one takes [`Markup::roomy`].
#[derive(Default, PartialEq, Eq)]
pub struct Markup(Zeroizing<String>);

impl Markup {
    /// A piece with room for so many bytes: one that grows leaves copies of itself behind.
    pub fn roomy(bytes: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(bytes)))
    }

    /// What it is, in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds plain letters, digits and spaces that are a secret: no copy is made on the way.
    pub fn secret(&mut self, text: &str) {
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == ' ';
        self.0.extend(text.chars().filter(plain));
    }

    /// Adds text.
    pub fn text(&mut self, text: &Safe) {
        for c in text.as_str().chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    /// Adds an element; `class` may be empty.
    pub fn element(&mut self, tag: &'static str, class: &'static str, inside: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(tag);
        if !class.is_empty() {
            self.0.push_str(" class=\"");
            self.0.push_str(class);
            self.0.push('"');
        }
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push_str(">\n");
    }

    /// Adds an element that holds nothing but text.
    pub fn leaf(&mut self, tag: &'static str, class: &'static str, text: impl Into<Safe>) {
        let text = text.into();
        self.element(tag, class, |inner| inner.text(&text));
    }

    /// Ends a line, where white space counts.
    pub fn line_end(&mut self) {
        self.0.push('\n');
    }

    /// Adds it to a file's text.
    pub(super) fn write_to(&self, html: &mut String) {
        html.push_str(&self.0);
    }

    /// Adds another piece.
    pub fn add(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// A square black drawing, `side` units wide.
    pub(in crate::ui) fn drawing(side: usize, path: &str) -> Self {
        let mut drawing = Self::roomy(path.len().saturating_add(200));
        let _ = write!(
            drawing.0,
            "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" role=\"img\"><path d=\""
        );
        drawing.0.extend(path.chars().filter(|c| c.is_ascii_alphanumeric() || " .-".contains(*c)));
        drawing.0.push_str("\"/></svg>\n");
        drawing
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_never_becomes_a_tag_an_attribute_or_an_entity() {
        let table = [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("' style='x", "&#39; style=&#39;x"),
            ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
            ("</style>", "&lt;/style&gt;"),
            ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
            ("a\u{0}b\r\n\u{1b}[0m", "a\\u{0}b\\u{d}\\u{a}\\u{1b}[0m"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{fc} \u{4e2d}", "\u{fc} \u{4e2d}"),
        ];
        for (text, html) in table {
            let mut page = Markup::default();
            page.leaf("p", "x", Safe::prose(text));
            assert_eq!(page.to_string(), format!("<p class=\"x\">{html}</p>\n"), "{text:?}");
        }
    }
}
