//! Screens: what is shown at once, made only of text that every character of is seen.
//!
//! A screen is data; a renderer lays it out for a width. So the same screen is shown at 80 and at
//! 120 columns, on a serial line and in a test. It has a title, blocks, and at its end what happens
//! next and who is still needed.

use super::table::Table;
use crate::tuf::digest::Digest;
use crate::tuf::text::visible;
use std::fmt;

/// Text that is safe to show: made only through [`visible`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Safe(String);

impl Safe {
    /// Text from a document, a token or a medium: a backslash is escaped too, so that what looks
    /// like an escape is one.
    pub fn untrusted(text: &str) -> Self {
        Self(visible(text))
    }

    /// Our own prose, in which text from outside was made visible before: backslashes stay.
    pub fn prose(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for (index, part) in text.split('\\').enumerate() {
            if index > 0 {
                out.push('\\');
            }
            out.push_str(&visible(part));
        }
        Self(out)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Safe {
    fn from(text: &str) -> Self {
        Self::prose(text)
    }
}

impl From<String> for Safe {
    fn from(text: String) -> Self {
        Self::prose(&text)
    }
}

impl From<&String> for Safe {
    fn from(text: &String) -> Self {
        Self::prose(text)
    }
}

/// How much a callout asks for attention. Each begins with its word, so colour is never needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// `Done:`
    Done,
    /// `Note:`
    Note,
    /// `Careful:`
    Careful,
    /// `Refused:`
    Refused,
}

/// One part of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph, wrapped.
    Text(Safe),
    /// A heading within the screen.
    Heading(Safe),
    /// Items, each with a dash, wrapped; one that begins with a space belongs to the one above.
    Items(Vec<Safe>),
    /// Labels and values, the values in one column.
    Facts(Vec<(Safe, Safe)>),
    /// A table.
    Table(Table),
    /// A digest in hexadecimal and in words, laid out alike at every width so that two people can
    /// read it to each other.
    Digest(Safe, Digest),
    /// A sentence that asks for attention.
    Callout(Tone, Safe),
    /// Lines to be typed exactly as they are: never wrapped by us.
    Exact(Vec<Safe>),
}

/// What is shown at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screen {
    pub(super) title: Safe,
    pub(super) stamp: Option<Safe>,
    pub(super) blocks: Vec<Block>,
    pub(super) next: Vec<Safe>,
}

impl Screen {
    /// A screen with a title.
    pub fn new(title: impl Into<Safe>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Stamped as a rehearsal.
    #[must_use]
    pub fn rehearsal(mut self, rehearsal: bool) -> Self {
        self.stamp = rehearsal.then(|| Safe::from("REHEARSAL"));
        self
    }

    /// With one block more.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// With a paragraph more.
    #[must_use]
    pub fn text(self, text: impl Into<Safe>) -> Self {
        self.block(Block::Text(text.into()))
    }

    /// With a heading more.
    #[must_use]
    pub fn heading(self, text: impl Into<Safe>) -> Self {
        self.block(Block::Heading(text.into()))
    }

    /// With a list more.
    #[must_use]
    pub fn items<T: Into<Safe>>(self, items: impl IntoIterator<Item = T>) -> Self {
        self.block(Block::Items(items.into_iter().map(Into::into).collect()))
    }

    /// With a label and its value more; those in a row share their column.
    #[must_use]
    pub fn fact(mut self, label: impl Into<Safe>, value: impl Into<Safe>) -> Self {
        let fact = (label.into(), value.into());
        if let Some(Block::Facts(facts)) = self.blocks.last_mut() {
            facts.push(fact);
            return self;
        }
        self.block(Block::Facts(vec![fact]))
    }

    /// With a table more.
    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.block(Block::Table(table))
    }

    /// With a digest more, in hexadecimal and in words.
    #[must_use]
    pub fn digest(self, label: impl Into<Safe>, digest: Digest) -> Self {
        self.block(Block::Digest(label.into(), digest))
    }

    /// With a callout more.
    #[must_use]
    pub fn callout(self, tone: Tone, text: impl Into<Safe>) -> Self {
        self.block(Block::Callout(tone, text.into()))
    }

    /// With lines more that are typed exactly so.
    #[must_use]
    pub fn exact<T: Into<Safe>>(self, lines: impl IntoIterator<Item = T>) -> Self {
        self.block(Block::Exact(lines.into_iter().map(Into::into).collect()))
    }

    /// What happens next, and who is still needed: the last lines of the screen.
    #[must_use]
    pub fn next(mut self, line: impl Into<Safe>) -> Self {
        self.next.push(line.into());
        self
    }
}
