//! Paper: what people print, sign and keep.
//!
//! One HTML file that holds all it needs: style and pictures inside, no script, no reference to
//! anywhere, and a policy in its head that lets a browser load nothing. It prints on A4 and Letter
//! alike: no page size is set, and no step is cut by a page's end.
//!
//! Never: text that was not made visible and escaped ([`markup`]); a meaning that a colour carries.

pub mod markup;
pub mod script;

use super::screen::{Block, Safe, Screen, Tone};
use super::table::Table;
use crate::tuf::digest::Digest;
use markup::Markup;

/// A longer word may be cut at its hyphens, so that it stays in its column.
const NAME: usize = 24;
const STYLE: &str = include_str!("paper.css");

/// A page in the making.
pub struct Paper {
    title: Safe,
    stamp: Option<Safe>,
    foot: Option<(&'static str, Digest)>,
    style: &'static str,
    body: Markup,
}

impl Paper {
    /// A page whose first lines say what it is (`Ceremony script`) and about what.
    pub fn new(kind: &'static str, title: impl Into<Safe>, under: impl Into<Safe>, rehearsal: bool) -> Self {
        Self::on(Markup::default(), kind, title.into(), &under.into(), rehearsal)
    }

    fn on(mut body: Markup, kind: &'static str, title: Safe, under: &Safe, rehearsal: bool) -> Self {
        let stamp = rehearsal.then(|| Safe::from("REHEARSAL"));
        body.element("header", "", |head| {
            head.element("div", "top", |top| {
                top.leaf("p", "kind", kind);
                if let Some(stamp) = &stamp {
                    top.leaf("p", "stamp", stamp.as_str());
                }
            });
            head.element("h1", "", |h1| h1.text(&title));
            head.element("p", "under", |p| p.text(under));
        });
        Self { title, stamp, foot: None, style: "", body }
    }

    /// With the start of a digest at the foot of every page, so that no page is taken for another's;
    /// `of` says what it is the digest of.
    #[must_use]
    pub fn foot(mut self, of: &'static str, digest: Digest) -> Self {
        self.foot = Some((of, digest));
        self
    }

    /// What comes next on it.
    pub fn body(&mut self) -> &mut Markup {
        &mut self.body
    }

    /// Adds a screen's blocks below a heading, its title.
    pub fn section(&mut self, screen: &Screen) {
        if !screen.title.is_empty() {
            self.body.leaf("h2", "", screen.title.as_str());
        }
        self.body_of(screen);
    }

    /// Adds a screen's blocks without its title, and without what it says to do next at a terminal.
    pub fn body_of(&mut self, screen: &Screen) {
        add_blocks(&mut self.body, screen);
    }

    /// Adds a screen's blocks as one thing among others like it, on one page.
    pub fn card(&mut self, screen: &Screen) {
        self.body.element("section", "card", |card| add_blocks(card, screen));
    }

    /// The same of something that may go over several pages.
    pub fn long_card(&mut self, screen: &Screen) {
        self.body.element("section", "card long", |card| add_blocks(card, screen));
    }

    /// A page of a secret, with room for so many bytes and a style of its own.
    pub(in crate::ui) fn secret(
        kind: &'static str,
        title: impl Into<Safe>,
        under: impl Into<Safe>,
        rehearsal: bool,
        (room, style): (usize, &'static str),
    ) -> Self {
        Self { style, ..Self::on(Markup::roomy(room), kind, title.into(), &under.into(), rehearsal) }
    }

    /// The file.
    pub fn html(&self) -> String {
        let mut title = Markup::default();
        title.text(&self.title);
        let stamp = match &self.stamp {
            Some(_) => {
                "@top-right { content: \"REHEARSAL\"; font: 700 8pt sans-serif; letter-spacing: 0.18em; }"
            }
            None => "",
        };
        let foot = self.foot.map_or_else(String::new, |(of, digest)| {
            let groups: Vec<String> = groups(digest).into_iter().take(2).collect();
            format!("@bottom-left {{ content: \"{of} {}\"; font: 8pt monospace; }}", groups.join(" "))
        });
        let pages = "@bottom-right { content: \"page \" counter(page) \" of \" counter(pages); font: 8pt sans-serif; }";
        let own = self.style;
        let head = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{own}@page {{ {stamp} {foot} {pages} }}\n</style>\n</head>\n<body>\n"
        );
        let end = "</body>\n</html>\n";
        let room = head.len().saturating_add(self.body.len()).saturating_add(end.len());
        let mut html = String::with_capacity(room);
        html.push_str(&head);
        self.body.write_to(&mut html);
        html.push_str(end);
        html
    }
}

fn groups(digest: Digest) -> Vec<String> {
    let digits: Vec<char> = digest.hex().chars().collect();
    digits.chunks(8).map(|group| group.iter().collect()).collect()
}

/// A digest in hexadecimal and in numbered words, four a line, as every screen shows it.
pub fn add_digest(page: &mut Markup, label: &Safe, digest: Digest) {
    page.element("div", "digest", |block| {
        if !label.is_empty() {
            block.leaf("p", "of", label.as_str());
        }
        block.leaf("p", "hex", groups(digest).join(" "));
        block.element("div", "words", |grid| {
            for (word, number) in digest.words().iter().zip(1..) {
                numbered(grid, number, word);
            }
        });
    });
}

/// Room for the 32 words of a digest that is not known yet.
pub fn add_blank_words(page: &mut Markup, label: impl Into<Safe>) {
    page.leaf("p", "fill", label);
    page.element("div", "words blank", |grid| {
        for number in 1..=32 {
            numbered(grid, number, "");
        }
    });
}

fn numbered(grid: &mut Markup, number: u8, word: &str) {
    grid.element("div", "", |cell| {
        cell.leaf("b", "", number.to_string());
        cell.text(&Safe::from(word));
    });
}

fn add_blocks(page: &mut Markup, screen: &Screen) {
    for block in &screen.blocks {
        add_block(page, block);
    }
}

fn add_block(page: &mut Markup, block: &Block) {
    match block {
        Block::Text(text) => page.leaf("p", "", text.as_str()),
        Block::Heading(text) => page.leaf("h3", "", text.as_str()),
        Block::Items(items) => page.element("ul", "plain", |ul| {
            for item in items {
                add_item(ul, item.as_str());
            }
        }),
        Block::Facts(facts) => page.element("dl", "", |dl| {
            for (label, value) in facts {
                dl.leaf("dt", "", label.as_str());
                let hash = value.as_str().parse::<Digest>().is_ok();
                dl.leaf("dd", if hash { "hash" } else { "" }, value.as_str());
            }
        }),
        Block::Table(table) => add_table(page, "narrow", table),
        Block::Digest(label, digest) => add_digest(page, label, *digest),
        Block::Callout(tone, text) => {
            let word = match tone {
                Tone::Done => "Done: ",
                Tone::Note => "Note: ",
                Tone::Careful => "Careful: ",
                Tone::Refused => "Refused: ",
            };
            page.element("p", "callout", |p| {
                p.leaf("b", "", word);
                p.text(text);
            });
        }
        Block::Exact(lines) => {
            let text: Vec<&str> = lines.iter().map(Safe::as_str).collect();
            page.element("pre", "", |pre| {
                for line in text {
                    pre.text(&Safe::from(line));
                    pre.line_end();
                }
            });
        }
    }
}

/// One of a list; a line that begins with a space belongs to the one above.
fn add_item(list: &mut Markup, line: &str) {
    let sub = line.starts_with(' ');
    let line = line.trim_start();
    let class = match (sub, line.parse::<Digest>().is_ok()) {
        (true, true) => "sub hash",
        (true, false) => "sub",
        (false, true) => "hash",
        (false, false) => "",
    };
    list.leaf("li", class, line);
}

/// A table with its head on every page.
pub fn add_table(page: &mut Markup, class: &'static str, table: &Table) {
    page.element("table", class, |html| {
        html.element("thead", "", |head| {
            head.element("tr", "", |tr| {
                for cell in &table.head {
                    tr.leaf("th", "", cell.as_str());
                }
            });
        });
        html.element("tbody", "", |body| {
            for row in &table.rows {
                body.element("tr", "", |tr| {
                    for cell in row {
                        let hash = cell.as_str().parse::<Digest>().is_ok();
                        tr.element("td", if hash { "hash" } else { "" }, |td| add_words(td, cell.as_str()));
                    }
                });
            }
        });
    });
}

/// Text whose names and dates (`root-a`, `2026-11-22`) a style can keep on one line.
fn add_words(cell: &mut Markup, text: &str) {
    let whole = |word: &str| word.contains('-') && word.chars().count() <= NAME;
    if !text.split(' ').any(whole) {
        return cell.text(&Safe::from(text));
    }
    for word in text.split(' ') {
        cell.leaf("span", if whole(word) { "whole" } else { "" }, word);
    }
}
