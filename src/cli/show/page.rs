//! A page: what a file says, once, for the screen and for JSON.

use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, Members, object};
use crate::ui::screen::{Screen, Tone};

/// What a file says. Text from the file was made visible before it comes here.
pub struct Page {
    what: &'static str,
    title: String,
    rehearsal: bool,
    parts: Vec<Part>,
    next: Vec<String>,
}

enum Part {
    Fact(&'static str, String),
    Digest(&'static str, Digest),
    List(String, Vec<String>),
    Say(Tone, String),
    Exact(&'static str, Vec<String>),
}

impl Page {
    /// A page about a file of the kind `what`.
    pub fn new(what: &'static str, title: impl Into<String>) -> Self {
        Self { what, title: title.into(), rehearsal: false, parts: Vec::new(), next: Vec::new() }
    }

    /// Stamped as a rehearsal's.
    pub fn rehearsal(mut self, rehearsal: bool) -> Self {
        self.rehearsal = rehearsal;
        self
    }

    /// With a fact more.
    pub fn fact(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.parts.push(Part::Fact(label, value.into()));
        self
    }

    /// With a fact more, if there is one.
    pub fn maybe(self, label: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.fact(label, value),
            None => self,
        }
    }

    /// With a digest more.
    pub fn digest(mut self, label: &'static str, digest: Digest) -> Self {
        self.parts.push(Part::Digest(label, digest));
        self
    }

    /// With a list more, unless it is empty.
    pub fn list(mut self, heading: impl Into<String>, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.parts.push(Part::List(heading.into(), lines));
        }
        self
    }

    /// With a sentence that asks for attention.
    pub fn careful(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Say(Tone::Careful, text.into()));
        self
    }

    /// With a remark.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Say(Tone::Note, text.into()));
        self
    }

    /// With lines as they stand in the file.
    pub fn exact(mut self, heading: &'static str, lines: Vec<String>) -> Self {
        self.parts.push(Part::Exact(heading, lines));
        self
    }

    /// With what happens next.
    pub fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(line.into());
        self
    }

    /// For people.
    pub fn screen(&self) -> Screen {
        let mut screen = Screen::new(&self.title).rehearsal(self.rehearsal);
        for part in &self.parts {
            screen = match part {
                Part::Fact(label, value) => screen.fact(*label, value),
                Part::Digest(label, digest) => screen.digest(*label, *digest),
                Part::List(heading, lines) => screen.heading(heading).items(lines),
                Part::Say(tone, text) => screen.callout(*tone, text),
                Part::Exact(heading, lines) => screen.heading(*heading).exact(lines),
            };
        }
        self.next.iter().fold(screen, Screen::next)
    }

    /// For programs: the same words.
    pub fn json(&self) -> Json {
        let texts = |lines: &[String]| Json::Array(lines.iter().map(|l| l.as_str().into()).collect());
        let (mut facts, mut digests, mut lists) = (Members::new(), Members::new(), Members::new());
        let mut notes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Fact(label, value) => drop(facts.insert((*label).to_owned(), value.as_str().into())),
                Part::Digest(label, digest) => {
                    let both =
                        object([("hex", digest.hex().into()), ("words", digest.words().join(" ").into())]);
                    drop(digests.insert((*label).to_owned(), both));
                }
                Part::List(heading, lines) => drop(lists.insert(heading.clone(), texts(lines))),
                Part::Exact(heading, lines) => drop(lists.insert((*heading).to_owned(), texts(lines))),
                Part::Say(_, text) => notes.push(text.clone()),
            }
        }
        object([
            ("digests", Json::Object(digests)),
            ("facts", Json::Object(facts)),
            ("lists", Json::Object(lists)),
            ("notes", texts(&notes)),
            ("rehearsal", self.rehearsal.into()),
            ("title", self.title.as_str().into()),
            ("what", self.what.into()),
        ])
    }
}
